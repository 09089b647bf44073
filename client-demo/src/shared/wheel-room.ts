/** A wheel's room as plain values: its state, its landings, what it announces. */
import { connectLive, type Link, type Live, type Loose } from './live.ts'
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

/** A result that was announced to everybody, with where it stops. */
export type Spun = RecentSpin & { landing: Landing | null }

export type WheelEvents = {
  link(link: Link): void
  view(view: WheelView): void
  spun?(spins: Spun[]): void
  ready?(): void
}

/** Follows the room of a wheel; see connectLive. */
export function connectWheel(
  options: Record<string, unknown>,
  token: () => Promise<string | undefined>,
  { link, view, spun, ready }: WheelEvents,
): Live {
  return connectLive('wheel', options, token, {
    link,
    state: (state) => view(viewOf(state)),
    messages: { spun: (message) => spun?.(spunOf(message)) },
    ...(ready && { ready }),
  })
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
