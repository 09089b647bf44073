/** What a caller may name: origins, and paths of rooms. */

/** `/process/room`. The names of Object.prototype are asked for separately: `rooms['toString']` is a function. */
const ROOM_PATH = /^\/([\w-]{1,40})\/([\w-]{1,40})$/

/** Names that every object answers to, so that none of them may choose a room or an option. */
export const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype))

/** True for `/process/room` with names that can be one. */
export function isRoomPath(path: string): boolean {
  const [, process_id, room_id] = ROOM_PATH.exec(path) ?? []
  return process_id !== undefined && !INHERITED.has(process_id) && !INHERITED.has(room_id!)
}

/**
 * True for a native client (no Origin), for the server's own host, and for the listed origins. `null`, which
 * sandboxed pages and files send, is no origin anybody can vouch for.
 */
export function isOriginAllowed(headers: Headers, origins: ReadonlySet<string>): boolean {
  const origin = headers.get('origin')
  if (origin === null) return true
  if (origins.has(origin)) return true
  const host = headers.get('x-forwarded-host') ?? headers.get('host')
  return host !== null && (origin === `http://${host}` || origin === `https://${host}`)
}
