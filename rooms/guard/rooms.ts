/** What holds for every room, whoever wrote it: contained throws, quotas, finite numbers, owned seats. */
import {
  type AuthContext,
  type Client,
  type ClientPrivate,
  CloseCode,
  ErrorCode,
  Room,
  RoomInternalState,
  ServerError,
} from '@colyseus/core'
import { setupRoomPlugins } from '@colyseus/core/RoomPlugin'
import { countPlace, placesOf } from '../seats.ts'
import { wasSentAway } from '../wire.ts'
import { asServerError } from './errors.ts'
import { type RoomClass, settings } from './settings.ts'

type RoomInside = Pick<Room, 'maxMessagesPerSecond' | 'roomName' | 'onLeave' | 'hasReservedSeat'> & {
  _events: { once(event: string, then: () => void): void }
  _internalState: number
  _reservedSeats: Record<string, [unknown, unknown, boolean?, boolean?] | undefined>
  __init(): void
  _onJoin(
    client: JoiningClient,
    context: AuthContext,
    options?: { reconnectionToken?: string },
  ): Promise<void>
  _onMessage(client: Client, data: Buffer): void
}
type JoiningClient = Client & ClientPrivate
const liveRooms = new Set<object>()
const WRAPPED = Symbol('guarded onAuth')
let installed = false

/** Rooms of this process that are being made or live. */
export function liveRoomCount(): number {
  return liveRooms.size
}

/**
 * One handler for what escapes any room, and the rules that every room follows. Before the first room is made.
 * Throws an Error that lists the classes which break a rule.
 */
export function guardRooms(roomClasses: readonly (new () => Room)[]): void {
  Room.prototype.onUncaughtException = function (error, method) {
    if (error.cause instanceof ServerError || isRefusal(error.cause)) return
    settings.report(`${this.roomName}.${method}`, error.cause)
  }
  guardRoomInsides()
  const mistakes: string[] = []
  for (const RoomClass of roomClasses) {
    const probe = new RoomClass()
    mistakes.push(...mistakesOf(RoomClass, probe))
    // The first room of a class would otherwise run without the hooks of its plugins (H22).
    if (probe.plugins !== undefined) setupRoomPlugins(probe)
    probe.clock.stop()
    guardAuth(RoomClass as RoomClass)
  }
  if (mistakes.length > 0) throw new Error(`rooms break the rules: ${mistakes.join('; ')}`)
}

function isRefusal(error: unknown): boolean {
  const known = settings.publicError(error)
  return known !== undefined && known.status < 500
}

/** The rules of colyseus.md section 1 that a class can be asked about. */
export function mistakesOf(RoomClass: new () => Room, probe: Room = new RoomClass()): string[] {
  const { name } = RoomClass
  const mistakes: string[] = []
  if ((RoomClass as RoomClass).onAuth === Room.onAuth)
    mistakes.push(`${name} has no static onAuth: it is open to all`)
  if (!Number.isFinite(probe.maxClients)) mistakes.push(`${name} has no finite maxClients`)
  if (probe.onBeforePatch !== undefined) mistakes.push(`${name} uses onBeforePatch, which nothing contains`)
  return mistakes
}

/** onAuth of a class: its errors become ServerErrors, its user gets no more places than the quota. */
function guardAuth(RoomClass: RoomClass): void {
  if (RoomClass.onAuth === Room.onAuth || WRAPPED in RoomClass.onAuth) return
  const onAuth = RoomClass.onAuth
  const wrapped = async function (this: RoomClass, token: string, options: unknown, context: AuthContext) {
    let auth: unknown
    try {
      auth = await onAuth.call(this, token, options, context)
    } catch (error) {
      throw asServerError(error, `${RoomClass.name}.onAuth`)
    }
    const user = settings.userKey(auth)
    if (user !== undefined && placesOf(user) >= settings.limits.sockets_per_user) {
      throw new ServerError(429, 'quota_exceeded')
    }
    return auth
  }
  RoomClass.onAuth = Object.assign(wrapped, { [WRAPPED]: true })
}

function guardRoomInsides(): void {
  if (installed) return
  installed = true
  const inside = Room.prototype as unknown as RoomInside
  const { __init: init, _onJoin: join, _onMessage: receive } = inside

  inside.__init = function (this: RoomInside) {
    if (liveRooms.size >= settings.limits.rooms_max) throw new ServerError(503, 'quota_exceeded')
    if (!Number.isFinite(this.maxMessagesPerSecond))
      this.maxMessagesPerSecond = settings.limits.messages_per_second
    init.call(this)
    liveRooms.add(this)
    this._events.once('dispose', () => liveRooms.delete(this))
    containLeave(this)
  }

  inside._onJoin = async function (this: RoomInside, client, context, options) {
    try {
      await checkSubject(this, client, context, options?.reconnectionToken)
      await join.call(this, client, context, options)
    } catch (error) {
      throw asServerError(error)
    }
    const user = settings.userKey(client.auth)
    if (user === undefined || client.readyState !== 1) return
    countPlace(user, 1)
    client.ref.once('close', () => countPlace(user, -1))
  }

  inside._onMessage = function (this: RoomInside, client, data) {
    try {
      receive.call(this, client, data)
    } catch (error) {
      settings.report(`${this.roomName}.onMessage`, error)
      client.leave(CloseCode.WITH_ERROR)
    }
  }
}

/**
 * onLeave after a drop runs outside any try: a throw ends the process or leaves the count one too high, and a
 * shutdown then never ends (H25). The constructor has already wrapped it with the report.
 */
function containLeave(room: RoomInside): void {
  const leave = room.onLeave
  if (leave === undefined) return
  room.onLeave = async (client: Client, code?: number) => {
    try {
      await leave.call(room, client, code)
    } catch {}
  }
}

/**
 * A fresh seat opens to whoever knows its session id, 54 bits, which is in a URL. With `userKeyOfToken` it opens
 * only to a token of the user who reserved it; the seat stays for its owner otherwise (H19).
 */
async function checkSubject(
  room: RoomInside,
  client: JoiningClient,
  context: AuthContext,
  reconnectionToken?: string,
): Promise<void> {
  const row = room._reservedSeats[client.sessionId]
  const { userKeyOfToken } = settings
  if (userKeyOfToken === undefined || row === undefined || row[3] === true) return
  const owner = settings.userKey(row[1])
  if (owner === undefined) return
  const user = context.token ? await userKeyOfToken(context.token).catch(() => undefined) : undefined
  if (user !== owner) throw new ServerError(401, 'unauthorized')
  // The world moved on while the token was checked.
  if (client.readyState !== 1 || !room.hasReservedSeat(client.sessionId, reconnectionToken)) {
    throw new ServerError(ErrorCode.MATCHMAKE_EXPIRED, 'seat_expired')
  }
}

/** Close codes of a network that failed. 4001 and 4002 are ours, 1000 and 4000 are the client's wish. */
const NETWORK_DROPS = new Set<number>([
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
  CloseCode.ABNORMAL_CLOSURE,
])

/**
 * For onDrop: keeps the seat of a client whose network failed for `seconds`, and of nobody else. Returns whether
 * the seat is kept. Do not await anything in onDrop (#950).
 */
export function holdSeat(room: Room, client: Client, code: number | undefined, seconds: number): boolean {
  if (!NETWORK_DROPS.has(code ?? 0) || wasSentAway(client)) return false
  const wasJoined = (client as unknown as ClientPrivate)._enqueuedMessages === undefined
  const isDisposing = (room as unknown as RoomInside)._internalState === RoomInternalState.DISPOSING
  if (!wasJoined || isDisposing) return false
  room.allowReconnection(client, seconds).catch(() => {}) // left floating, it ends the process (H26)
  return true
}

/**
 * For onJoin: ends a client that does not acknowledge the join within `limit_ms`. wire.ts bounds what is queued for
 * such a client and sweeps every five seconds; this is the room's own, exact deadline.
 */
export function expectJoinAck(room: Room, client: Client, limit_ms = 5_000): void {
  room.clock.setTimeout(() => {
    if ((client as unknown as ClientPrivate)._enqueuedMessages !== undefined)
      client.leave(CloseCode.WITH_ERROR)
  }, limit_ms)
}
