/**
 * What anybody in a wheel room sees, and how a snapshot and committed events become it. Pure: no clock, no IO.
 * The order of the fields is the protocol (colyseus.md H45): append, never reorder, never remove. No secret
 * and nothing private ever enters it.
 */
import { type SchemaType, schema, t } from '@colyseus/schema'
import type { GameEvent } from '../../src/db/tx.ts'
import type { WheelSnapshot } from '../../src/games/wheel/read.ts'
import type { Landing } from '../../src/games/wheel/rules.ts'
import { type Hours, isOpen, nextOpening } from '../../src/schedule.ts'

/** How many results a wheel shows; the snapshot brings as many. */
export const RECENT_MAX = 20

export const WheelSegment = schema(
  {
    slug: t.string().default(''),
    label: t.string().default(''),
    color: t.string().default(''),
    weight: t.int64().default(0),
    exhausted: t.boolean().default(false),
  },
  'WheelSegment',
)

export const WheelSpin = schema(
  {
    spinId: t.string().default(''),
    /** A pseudonym, never the user id. */
    player: t.string().default(''),
    /** 0-based, clockwise from 12 o'clock. */
    segment: t.uint16().default(0),
    rewardSlug: t.string().default(''),
    rewardLabel: t.string().default(''),
    won: t.boolean().default(false),
    at: t.string().default(''),
  },
  'WheelSpin',
)

/** `open`: takes spins. `paused`: an operator stopped it. `scheduled`: before its time. `ended`: for good. */
export type Phase = 'open' | 'paused' | 'scheduled' | 'ended'

export const WheelState = schema(
  {
    phase: t.string<Phase>().default('scheduled'),
    /** The server's clock, epoch milliseconds; moves at most once a second. */
    serverTime: t.int64().default(0),
    /** Sequence number of the last event in this state. */
    version: t.int64().default(0),
    /** Of the shared round while one runs, else the hash of the published config. */
    commitHash: t.string().default(''),
    trust: t.string().default(''),
    /** ISO, or '' for no limit. */
    opensAt: t.string().default(''),
    closesAt: t.string().default(''),
    players: t.uint32().default(0),
    spectators: t.uint32().default(0),
    segments: t.array(WheelSegment),
    /** Newest first. */
    recent: t.array(WheelSpin),
    /** 0 before the first shared round. */
    roundNo: t.uint32().default(0),
    roundId: t.string().default(''),
    /** '' before the first; then open, closed, drawn, settled or void. */
    roundStatus: t.string().default(''),
    roundCommitHash: t.string().default(''),
    roundClosesAt: t.string().default(''),
    roundEntries: t.uint32().default(0),
    /** The shared spin on the server's clock: epoch ms at which the wheel starts, 0 when none was drawn yet. */
    landingStartsAt: t.int64().default(0),
    landingDurationMs: t.uint32().default(0),
    /** Clockwise rotation of the wheel in degrees, several turns and the point in the segment. */
    landingAngle: t.float64().default(0),
    /** -1 when none was drawn yet. */
    landingSegment: t.int16().default(-1),
    /** The newest signed checkpoint of the tenant's fairness log. */
    checkpoint: t.string().default(''),
    /** How long a spin turns. */
    durationMs: t.uint32().default(0),
  },
  'WheelState',
)
export type WheelState = SchemaType<typeof WheelState>

/** The state, and what it is computed from but not shown as. */
export type WheelView = {
  readonly state: WheelState
  status: WheelSnapshot['wheel']['status']
  config: { hash: string; trust: string }
  round_trust: string
  hours: Hours
  /** Those that `opensAt` was computed from. */
  told_hours: Hours | undefined
}

export function makeWheelView(): WheelView {
  return {
    state: new WheelState(),
    status: 'live',
    config: { hash: '', trust: '' },
    round_trust: '',
    hours: { time_zone: 'UTC' },
    told_hours: undefined,
  }
}

type SegmentFacts = { slug: string; label: string; color: string | null; weight: number; exhausted?: boolean }
type SpunFacts = {
  spin_id: string
  player: string
  segment: number
  reward_slug: string
  reward_label: string
  won: boolean
  at: string
}
type RoundFacts = {
  round_id: string
  round_no: number
  commit_hash: string
  trust: string
  closes_at: string
  entry_count?: number
}

/** A round that still decides something: its commitment is the one to look at. */
const RUNNING = new Set(['open', 'closed', 'drawn'])

/** Makes the state what a snapshot says. */
export function loadWheel(view: WheelView, snapshot: WheelSnapshot): void {
  const { state } = view
  const { wheel, round } = snapshot
  view.status = wheel.status
  view.config = { hash: wheel.config_hash, trust: wheel.trust }
  setHours(view, wheel.hours)
  state.durationMs = wheel.duration_ms
  setSegments(state, snapshot.segments)
  state.recent.splice(0, state.recent.length)
  for (const spin of snapshot.recent.slice(0, RECENT_MAX)) state.recent.push(spinOf(spin))
  if (round !== null) {
    openRound(view, round)
    state.roundStatus = round.status
    if (round.landing !== null) setLanding(state, round.landing, round.segment ?? -1)
  }
  state.version = snapshot.version
  setCommitment(view)
}

/** Folds events, which follow the state without a gap, into it. Kinds that it does not know only count. */
export function applyToWheel(view: WheelView, events: readonly GameEvent[]): void {
  const spins: GameEvent[] = []
  for (const event of events) {
    if (event.type === 'wheel.spun') spins.push(event)
    else applyOne(view, event)
  }
  addSpins(view.state, spins)
  view.state.version = events[events.length - 1]?.seq ?? view.state.version
  setCommitment(view)
}

function applyOne(view: WheelView, { type, data }: GameEvent): void {
  const { state } = view
  switch (type) {
    case 'wheel.published': {
      const config = data as {
        config_hash: string
        trust: string
        duration_ms: number
        segments: SegmentFacts[]
      } & Partial<Pick<WheelSnapshot['wheel'], 'hours' | 'status'>>
      view.status = config.status ?? view.status
      view.config = { hash: config.config_hash, trust: config.trust }
      state.durationMs = config.duration_ms
      setSegments(state, config.segments)
      if (config.hours !== undefined) setHours(view, config.hours)
      return
    }
    case 'wheel.status':
      view.status = data['status'] as WheelView['status']
      return
    case 'wheel.exhausted':
      for (const segment of state.segments) if (segment.slug === data['reward_slug']) segment.exhausted = true
      return
    case 'wheel.round_opened':
      openRound(view, data as RoundFacts)
      return
    case 'wheel.round_joined':
      if (data['round_id'] === state.roundId) state.roundEntries = data['entry_count'] as number
      return
    case 'wheel.round_closed':
      if (data['round_id'] === state.roundId) state.roundStatus = 'closed'
      return
    case 'wheel.round_voided':
      if (data['round_id'] === state.roundId) state.roundStatus = 'void'
      return
    case 'wheel.round_drawn':
      state.roundStatus = 'drawn'
      state.roundEntries = data['entry_count'] as number
      setLanding(state, data['landing'] as Landing, data['segment'] as number)
      return
    case 'wheel.round_settled':
      if (data['round_id'] === state.roundId) state.roundStatus = 'settled'
  }
}

function openRound(view: WheelView, round: RoundFacts): void {
  const { state } = view
  state.roundNo = round.round_no
  state.roundId = round.round_id
  state.roundStatus = 'open'
  state.roundCommitHash = round.commit_hash
  state.roundClosesAt = round.closes_at
  state.roundEntries = round.entry_count ?? 0
  state.landingStartsAt = 0
  state.landingDurationMs = 0
  state.landingAngle = 0
  state.landingSegment = -1
  view.round_trust = round.trust
}

function setLanding(state: WheelState, landing: Landing, segment: number): void {
  state.landingStartsAt = Date.parse(landing.starts_at)
  state.landingDurationMs = landing.duration_ms
  state.landingAngle = landing.angle
  state.landingSegment = segment
}

function setCommitment({ state, config, round_trust }: WheelView): void {
  const is_running = RUNNING.has(state.roundStatus)
  state.commitHash = is_running ? state.roundCommitHash : config.hash
  state.trust = is_running ? round_trust : config.trust
}

function setSegments(state: WheelState, segments: readonly SegmentFacts[]): void {
  state.segments.splice(0, state.segments.length)
  for (const { slug, label, color, weight, exhausted } of segments) {
    state.segments.push(
      new WheelSegment({ slug, label, color: color ?? '', weight, exhausted: exhausted ?? false }),
    )
  }
}

/** Only the newest can be seen afterwards, so a tick with a thousand spins costs as much as one with twenty. */
function addSpins(state: WheelState, events: readonly GameEvent[]): void {
  const added = events.slice(-RECENT_MAX)
  const kept = RECENT_MAX - added.length
  if (state.recent.length > kept) state.recent.splice(kept, state.recent.length - kept)
  for (const { data, at } of added) state.recent.unshift(spinOf({ ...(data as Omit<SpunFacts, 'at'>), at }))
}

function spinOf(spin: SpunFacts) {
  return new WheelSpin({
    spinId: spin.spin_id,
    player: spin.player,
    segment: spin.segment,
    rewardSlug: spin.reward_slug,
    rewardLabel: spin.reward_label,
    won: spin.won,
    at: spin.at,
  })
}

function setHours(view: WheelView, hours: Hours): void {
  view.hours = hours
  view.state.closesAt = hours.closes_at ?? ''
}

/** Sets what the hours of a wheel say at `now`. */
export function keepWheelTime(view: WheelView, now: Date): void {
  const phase = phaseOf(view, now)
  if (phase === view.state.phase && view.hours === view.told_hours) return
  view.told_hours = view.hours
  view.state.phase = phase
  view.state.opensAt = opensAtOf(view, now)
}

/** What a wheel is doing at `now`. Its end is final, its pause is an operator's, the rest is the schedule. */
function phaseOf({ status, hours }: WheelView, now: Date): Phase {
  if (status === 'ended') return 'ended'
  if (status === 'paused') return 'paused'
  if (isOpen(hours, now, hours.time_zone)) return 'open'
  return nextOpening(hours, now, hours.time_zone) === null ? 'ended' : 'scheduled'
}

/** When a wheel that is closed opens next, as the state shows it; '' while it is open or never opens again. */
function opensAtOf({ hours }: WheelView, now: Date): string {
  const next = nextOpening(hours, now, hours.time_zone)
  return next !== null && next > now ? next.toISOString() : ''
}
