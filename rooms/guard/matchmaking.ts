/** The one way into matchmaking, and one CORS policy for the whole port. */
import { getHeapStatistics } from 'node:v8'
import { type AuthContext, ErrorCode, LocalPresence, matchMaker, ServerError } from '@colyseus/core'
import { unusedSeats, whenSeatGone } from '../seats.ts'
import { networkOf } from './addresses.ts'
import { asServerError } from './errors.ts'
import { INHERITED, isOriginAllowed } from './names.ts'
import { settings } from './settings.ts'

const METHODS = ['joinOrCreate', 'join', 'joinById', 'reconnect']
const ROOM_NAME = /^[\w-]{1,64}$/
const CORS_ALLOWED_HEADERS =
  'Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id'
const CORS_EXPOSED_HEADERS =
  'ETag, Idempotency-Replayed, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id'

const joiningByAddress = new Map<string, number>()
let joining = 0

/**
 * One CORS policy for the whole port (Colyseus answers each preflight before Express sees it), and the one way
 * into matchmaking. Clients may not `create`. Refuses with ServerError: 520 method or room name that is none, 400
 * options that are no object or a reconnection without a token, 429 seats that nobody connects to, 503 when an answer takes too long or memory runs out.
 */
export function guardMatchmaking(origins: ReadonlySet<string>): void {
  const { controller } = matchMaker
  controller.exposedMethods = METHODS
  const defaults = controller.DEFAULT_CORS_HEADERS as Record<string, string>
  for (const name of Object.keys(defaults)) delete defaults[name]
  controller.getCorsHeaders = (headers): Record<string, string> => {
    const origin = headers.get('origin')
    if (origin === null || !isOriginAllowed(headers, origins)) return { Vary: 'Origin' }
    return {
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'Access-Control-Allow-Headers': CORS_ALLOWED_HEADERS,
      'Access-Control-Expose-Headers': CORS_EXPOSED_HEADERS,
      'Access-Control-Max-Age': '600',
      Vary: 'Origin',
    }
  }
  controller.invokeMethod = matchmake
  LocalPresence.prototype.subscribe = subscribeManyWith(stockSubscribe)
}

type Subscribe = LocalPresence['subscribe']
const stockSubscribe = LocalPresence.prototype.subscribe

/** Whoever waits for the same first room listens to one topic: a crowd, and not the leak that Node warns of at eleven. */
function subscribeManyWith(subscribe: Subscribe): Subscribe {
  return function (this: LocalPresence, ...args) {
    this.subscriptions.setMaxListeners(0)
    return subscribe.apply(this, args)
  }
}

type Seat = { sessionId: string; roomId: string }

async function matchmake(
  method: string,
  room: string,
  raw_options: unknown,
  context?: AuthContext,
): Promise<any> {
  if (!METHODS.includes(method) || !ROOM_NAME.test(room) || INHERITED.has(room)) {
    throw new ServerError(ErrorCode.MATCHMAKE_NO_HANDLER, 'not_found')
  }
  const options = plainOptions(raw_options)
  if (method === 'reconnect' && !isToken(options['reconnectionToken']))
    throw new ServerError(400, 'invalid_input')
  const address = networkOf(context?.ip ?? '')
  const { limits } = settings
  // Who was here comes back: the seat is there, and so is what it holds.
  if (method !== 'reconnect' && heapShare() > limits.heap_share_max) throw new ServerError(503, 'unavailable')
  const ofAddress = joiningByAddress.get(address) ?? 0
  if (ofAddress >= limits.unused_seats_per_address) throw new ServerError(429, 'quota_exceeded')
  if (unusedSeats() + joining >= limits.unused_seats_max) throw new ServerError(503, 'quota_exceeded')

  joining += 1
  joiningByAddress.set(address, ofAddress + 1)
  const done = () => {
    const left = (joiningByAddress.get(address) ?? 1) - 1
    if (left > 0) joiningByAddress.set(address, left)
    else joiningByAddress.delete(address)
  }
  let seat: Seat | undefined
  const answer = callMatchMaker(method, room, options, context)
    .then((given) => {
      seat = given
    })
    .finally(() => {
      joining -= 1
      if (seat !== undefined && isSeatOpen(seat)) whenSeatGone(seat.sessionId, done)
      else done()
    })
  await within(answer, limits.matchmaking_ms)
  return seat
}

/** Colyseus makes them of a room id and a short random word. */
function isToken(given: unknown): boolean {
  return typeof given === 'string' && given !== '' && given.length <= 100
}

/** Asking takes microseconds; what is not collected yet counts, and is gone before the next try. */
function heapShare(): number {
  const { used_heap_size, heap_size_limit } = getHeapStatistics()
  return used_heap_size / heap_size_limit
}

async function callMatchMaker(
  method: string,
  room: string,
  options: Record<string, unknown>,
  context?: AuthContext,
): Promise<Seat> {
  const call = (matchMaker as unknown as Record<string, (...args: unknown[]) => Promise<Seat>>)[method]!
  try {
    return await call(room, options, context)
  } catch (error) {
    throw asServerError(error, `matchmake.${method}`)
  }
}

/** True while a seat of this process waits for its first connection; a seat of another process is not followed. */
function isSeatOpen({ roomId, sessionId }: Seat): boolean {
  const room = matchMaker.getLocalRoomById(roomId) as unknown as
    | { _reservedSeats: Record<string, unknown[]> }
    | undefined
  const row = room?._reservedSeats[sessionId]
  return row !== undefined && row[3] !== true
}

function plainOptions(raw: unknown): Record<string, unknown> {
  if (raw === undefined) return {}
  if (typeof raw !== 'object' || raw === null || Object.getPrototypeOf(raw) !== Object.prototype) {
    throw new ServerError(400, 'invalid_input')
  }
  const options: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(raw)) if (!INHERITED.has(key)) options[key] = value
  return options
}

async function within(work: Promise<void>, limit_ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ServerError(503, 'unavailable')), limit_ms)
  })
  work.catch(() => {}) // when it fails after the deadline nobody is left to hear it
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
