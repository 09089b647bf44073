/** Tokens run out and people are blocked while they sit in a room: the checks after the join. */
import { type Client, CloseCode, type Room, ServerError } from '@colyseus/core'
import { settings } from './settings.ts'

export type SessionChecks<A = any> = {
  /** When the session ends, in ms since 1970; undefined for one that has no end. Default: `auth.exp` in seconds. */
  endsAt_ms?: (auth: A) => number | undefined
  /** False when this user may no longer be here (blocked, tenant switched off). */
  stillAllowed?: (auth: A) => boolean | Promise<boolean>
  now_ms?: () => number
}

/** How often sessions are looked at: with a check that may take its time, 60 s after `exp` is kept. */
const SESSION_CHECK_MS = 20_000

/**
 * For onCreate: closes (4002) each client of the room whose token has run out, at most 60 s after its `exp`, and
 * each one that `stillAllowed` no longer allows. A check that fails is reported and closes nobody.
 */
export function watchExpiry(room: Room, checks: SessionChecks = {}, every_ms = SESSION_CHECK_MS): void {
  let isChecking = false
  room.clock.setInterval(async () => {
    if (isChecking) return
    isChecking = true
    try {
      for (const client of [...room.clients]) {
        if (!(await isSessionGood(client.auth, checks))) client.leave(CloseCode.WITH_ERROR, 'session_ended')
      }
    } catch (error) {
      settings.report(`${room.roomName}.watchExpiry`, error)
    } finally {
      isChecking = false
    }
  }, every_ms)
}

/**
 * For onReconnect, where Colyseus runs no onAuth: throws ServerError 401 when the session has ended or its user is
 * no longer allowed; the client is then told so and closed with 4003, and its seat is free.
 */
export async function checkReconnect(client: Client, checks: SessionChecks = {}): Promise<void> {
  if (!(await isSessionGood(client.auth, checks))) throw new ServerError(401, 'unauthorized')
}

async function isSessionGood(auth: any, checks: SessionChecks): Promise<boolean> {
  const endsAt = checks.endsAt_ms ?? ((of: any) => (typeof of?.exp === 'number' ? of.exp * 1000 : undefined))
  const end_ms = endsAt(auth)
  if (end_ms !== undefined && end_ms <= (checks.now_ms ?? Date.now)()) return false
  return checks.stillAllowed === undefined || (await checks.stillAllowed(auth))
}
