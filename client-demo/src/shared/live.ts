/**
 * One live connection to a wheel: joins by game, keeps a plain copy of the room's state, and comes back after a
 * lost line. The room's own reconnection is off, because a person who waits wants to see the countdown.
 */
import { Client, CloseCode, type Room } from '@colyseus/sdk'
import { asRefusal, isPassing, refusalOf, type ServerRefusal } from './refusal.ts'
import { serverClock } from './server-clock.ts'

export type Segment = { slug: string; label: string; color: string; weight: number; exhausted: boolean }
export type RecentSpin = {
  spin_id: string
  player: string
  segment: number
  reward_label: string
  won: boolean
  at: string
}
/** Server time in epoch ms; angle in degrees clockwise, in true proportions of the weights. */
export type Landing = { starts_at_ms: number; duration_ms: number; angle: number; segment: number }
export type Round = {
  round_no: number
  round_id: string
  status: string
  commit_hash: string
  closes_at_ms: number
  entry_count: number
  landing: Landing | null
}
export type WheelView = {
  phase: string
  version: number
  commit_hash: string
  trust: string
  opens_at: string
  players: number
  spectators: number
  segments: Segment[]
  recent: RecentSpin[]
  round: Round | null
  checkpoint: string
  duration_ms: number
}

export type Link =
  | { status: 'connecting' }
  | { status: 'live' }
  | { status: 'lost'; retry_at_ms: number }
  | { status: 'retrying' }
  | { status: 'refused'; refusal: ServerRefusal }

/** A result that was announced to everybody, with where it stops. */
export type Spun = RecentSpin & { landing: Landing | null }

export type LiveEvents = {
  link(link: Link): void
  view(view: WheelView): void
  spun?(spins: Spun[]): void
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
      if (room === joined) events.view(viewOf(joined.state))
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
    joined.onMessage('spun', (message: unknown) => events.spun?.(spunOf(message)))
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

type Loose = Record<string, any>

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

/** The state of a wheel room as plain values. */
export function viewOf(state: Loose): WheelView {
  const round_no = Number(state['roundNo'] ?? 0)
  return {
    phase: String(state['phase'] ?? ''),
    version: Number(state['version'] ?? 0),
    commit_hash: state['commitHash'] ?? '',
    trust: state['trust'] ?? '',
    opens_at: state['opensAt'] ?? '',
    players: Number(state['players'] ?? 0),
    spectators: Number(state['spectators'] ?? 0),
    segments: Array.from(state['segments'] ?? [], (segment: Loose) => ({
      slug: segment['slug'],
      label: segment['label'],
      color: segment['color'] ?? '',
      weight: Number(segment['weight']),
      exhausted: Boolean(segment['exhausted']),
    })),
    recent: Array.from(state['recent'] ?? [], recentOf),
    round: round_no === 0 ? null : roundOf(state, round_no),
    checkpoint: state['checkpoint'] ?? '',
    duration_ms: Number(state['durationMs'] ?? 0),
  }
}

function recentOf(spin: any): RecentSpin {
  return {
    spin_id: spin['spinId'],
    player: spin['player'],
    segment: spin['segment'],
    reward_label: spin['rewardLabel'],
    won: spin['won'],
    at: spin['at'],
  }
}

function roundOf(state: Loose, round_no: number): Round {
  const segment = Number(state['landingSegment'] ?? -1)
  const starts_at_ms = Number(state['landingStartsAt'] ?? 0)
  return {
    round_no,
    round_id: state['roundId'],
    status: state['roundStatus'],
    commit_hash: state['roundCommitHash'],
    closes_at_ms: Date.parse(state['roundClosesAt']),
    entry_count: Number(state['roundEntries'] ?? 0),
    landing:
      segment < 0 || starts_at_ms === 0
        ? null
        : {
            starts_at_ms,
            duration_ms: Number(state['landingDurationMs']),
            angle: Number(state['landingAngle']),
            segment,
          },
  }
}

/** A landing as replies and events carry it. */
export function landingOf(landing: Loose | null | undefined, segment: number): Landing | null {
  if (landing === null || landing === undefined) return null
  const starts_at = landing['starts_at']
  return {
    starts_at_ms: typeof starts_at === 'number' ? starts_at : Date.parse(starts_at),
    duration_ms: Number(landing['duration_ms']),
    angle: Number(landing['angle']),
    segment,
  }
}

function spunOf(message: unknown): Spun[] {
  const given = (message ?? {}) as Loose
  const list: Loose[] = Array.isArray(message)
    ? message
    : Array.isArray(given['spins'])
      ? given['spins']
      : [given]
  return list.map((spin) => ({
    spin_id: spin['spin_id'],
    player: spin['player'],
    segment: Number(spin['segment']),
    reward_label: spin['reward_label'],
    won: Boolean(spin['won']),
    at: spin['at'] ?? new Date(serverClock.now()).toISOString(),
    landing: landingOf(spin['landing'], Number(spin['segment'])),
  }))
}
