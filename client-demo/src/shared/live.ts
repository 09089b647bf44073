/**
 * One live connection to a room: joins, tells each change of the room's state, and comes back after a lost line. The room's own reconnection is off, because a person who waits wants to see the countdown.
 */
import { Client, CloseCode, type Room } from '@colyseus/sdk'
import { asRefusal, isPassing, refusalOf, type ServerRefusal } from './refusal.ts'
import { serverClock } from './server-clock.ts'

export type Link =
  | { status: 'connecting' }
  | { status: 'live' }
  | { status: 'lost'; retry_at_ms: number }
  | { status: 'retrying' }
  | { status: 'refused'; refusal: ServerRefusal }

/** The state of a room, or a message, before it is read. */
export type Loose = Record<string, any>

export type LiveEvents = {
  link(link: Link): void
  /** The room's state, at most once per frame. */
  state(state: Loose): void
  /** Broadcasts that are of interest, by type. */
  messages?: Record<string, (message: unknown) => void>
  /** The room can be asked now: the first time, and after each break. */
  ready?(): void
}

export type Live = {
  /** Asks the room. Rejects with ServerRefusal; `network` when there is no line. */
  request<T>(type: string, payload?: unknown): Promise<T>
  /** Tries to come back now instead of at the end of the countdown. */
  retryNow(): void
  leave(): void
}

const RETRY_MS_FIRST = 500
const RETRY_MS_MAX = 10_000
/** The server keeps a dropped player's seat for 20 s; later the old seat is gone and asking for it is wasted time. */
const SEAT_KEPT_MS = 20_000
/** A join that takes longer is treated as failed; a dead process answers only after about 4 s. */
const JOIN_MS_MAX = 12_000
const REQUEST_MS_MAX = 8_000

/**
 * Connects to a room and stays connected until `leave`. `token` is asked before each join, because a guest's token
 * may have ended while the line was down; it answers undefined for spectators.
 */
export function connectLive(
  room_name: string,
  options: Record<string, unknown>,
  token: () => Promise<string | undefined>,
  events: LiveEvents,
): Live {
  const client = new Client(location.origin)
  let room: Room | undefined
  let seat: { token: string; lost_at_ms: number } | undefined
  let retry_ms = RETRY_MS_FIRST
  let timer: ReturnType<typeof setTimeout> | undefined
  let has_left = false

  async function join(): Promise<Room> {
    const bearer = await token()
    if (bearer !== undefined) client.auth.token = bearer
    if (seat !== undefined && Date.now() - seat.lost_at_ms < SEAT_KEPT_MS) {
      const back = await within(client.reconnect(seat.token), JOIN_MS_MAX).catch(() => undefined)
      if (back !== undefined) return back
    }
    return within(client.joinOrCreate(room_name, options), JOIN_MS_MAX)
  }

  async function connect(status: 'connecting' | 'retrying') {
    clearTimeout(timer)
    timer = undefined
    events.link({ status })
    try {
      const joined = await join()
      if (has_left) return void joined.leave()
      watch(joined)
    } catch (error) {
      if (has_left) return
      const refusal = joinRefusal(error)
      if (isPassing(refusal) || refusal.code === 'unauthorized' || refusal.code === 'rate_limited')
        retryLater()
      else events.link({ status: 'refused', refusal })
    }
  }

  function watch(joined: Room) {
    room = joined
    seat = undefined
    joined.reconnection.enabled = false
    let is_first = true
    let is_scheduled = false
    const tell = () => {
      is_scheduled = false
      if (room === joined) events.state(joined.state as Loose)
    }
    joined.onStateChange((state) => {
      serverClock.heard(Number((state as Loose)['serverTime']))
      if (is_first) {
        is_first = false
        retry_ms = RETRY_MS_FIRST
        events.link({ status: 'live' })
        tell()
        events.ready?.()
        return
      }
      if (is_scheduled) return
      is_scheduled = true
      // A tab in the background gets no frames; it still has to know.
      if (document.hidden) setTimeout(tell, 200)
      else requestAnimationFrame(tell)
    })
    for (const [type, take] of Object.entries(events.messages ?? {})) joined.onMessage(type, take)
    joined.onMessage('*', () => {})
    joined.onError((code, message) => console.info('room error', code, message))
    joined.onLeave((code) => {
      if (room !== joined) return
      room = undefined
      if (has_left) return
      seat =
        code === CloseCode.CONSENTED ? undefined : { token: joined.reconnectionToken, lost_at_ms: Date.now() }
      retryLater()
    })
  }

  function retryLater() {
    const wait_ms = retry_ms
    retry_ms = Math.min(retry_ms * 2, RETRY_MS_MAX)
    events.link({ status: 'lost', retry_at_ms: Date.now() + wait_ms })
    timer = setTimeout(() => void connect('retrying'), wait_ms)
  }

  function retryNow() {
    if (timer !== undefined && !has_left) void connect('retrying')
  }

  addEventListener('online', retryNow)
  void connect('connecting')

  return {
    async request<T>(type: string, payload?: unknown): Promise<T> {
      if (room === undefined) throw refusalOf({ code: 'network' }, 'network')
      try {
        return (await room.request(type, payload, { timeout: REQUEST_MS_MAX })) as T
      } catch (error) {
        throw asRefusal(error)
      }
    },
    retryNow,
    leave() {
      has_left = true
      clearTimeout(timer)
      removeEventListener('online', retryNow)
      void room?.leave()
    },
  }
}

/** Matchmaking says its refusals as the text of an error: a code of ours, or JSON with one. */
function joinRefusal(error: unknown): ServerRefusal {
  const { message = '', code } = error as { message?: string; code?: number }
  const named = /[a-z]+(?:_[a-z]+)+|unavailable|unauthorized|forbidden/.exec(message)?.[0]
  if (named !== undefined) return refusalOf({ code: named, message }, named)
  if (code === 404) return refusalOf({ code: 'game_not_found', message }, 'game_not_found')
  return asRefusal(error)
}

function within<T>(work: Promise<T>, ms_max: number): Promise<T> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('timed out')), ms_max))
  return Promise.race([work, late])
}
