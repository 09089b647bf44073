/**
 * What a wheel decides, as functions of what they are given: the config that is hashed, why a spin is refused,
 * where the wheel stops, who gets what when stock runs short. No clock, no entropy, no SQL.
 */

import type { ErrorCode, RefusalDetail } from '../../errors.ts'
import { weightsFromProbabilities } from '../../fairness/rolls.ts'
import { isOpen, nextDayStart, nextOpening, type Schedule } from '../../schedule.ts'

/** A wheel of more segments cannot be read on a screen, and one of fewer is no choice. */
export const SEGMENT_COUNT_MAX = 64
/** Ranges are 32-bit integers in seeds/001, and nine decimals are finer than any promise made to people. */
export const PROBABILITY_DECIMALS_MAX = 9

export type SpinConfig = Schedule & {
  duration_ms: number
  cooldown_ms: number
  plays_per_day: number | null
  /** The reward that is given when the one that was rolled has no stock, budget or limit left. Disclosed in the odds. */
  on_exhausted: string | null
  /** A shared spin for everybody starts this often; null is never. */
  round_every_s: number | null
  /** How long players can add their entropy to a shared spin. */
  round_join_s: number
}

export type Segment = {
  id: string
  /** The row of `wheel_rewards`. */
  reward: string
  label: string
  type: 'none' | 'prize' | 'spin_chance'
  weight: number
  color: string | null
  prize_id: number | null
  per_user_limit: number | null
}

/** The document behind a configHash: everything that can change a result (fair-1.md section 5). */
export type WheelConfig = {
  v: 1
  kind: 'wheel' | 'round'
  segments: Segment[]
  spin: SpinConfig
  budget_minor: number | null
}

export type RewardRow = {
  id: string
  reward_slug: string
  reward_label: string
  reward_type: Segment['type']
  probability: string
  reward_color: string | null
  reward_detail: { per_user_limit?: number }
  prize_id: number | null
  reward_position: number
}

/**
 * The config of a wheel version: rewards in their order, each with its exact integer weight.
 *
 * A reward of probability 0 is left out, because its range would be empty (fair-1.md 9.1.10). Throws
 * ProbabilityGap, naming the gap, when the probabilities do not add up to exactly 1.
 */
export function wheelConfigOf(
  rewards: readonly RewardRow[],
  spin: SpinConfig,
  budget_minor: number | null,
): WheelConfig {
  const ordered = [...rewards].sort((a, b) => a.reward_position - b.reward_position || (a.id < b.id ? -1 : 1))
  const weights = weightsFromProbabilities(ordered.map((reward) => reward.probability))
  const segments = ordered.map((reward, i) => ({
    id: reward.reward_slug,
    reward: reward.id,
    label: reward.reward_label,
    type: reward.reward_type,
    weight: weights[i]!,
    color: reward.reward_color,
    prize_id: reward.prize_id,
    per_user_limit: reward.reward_detail.per_user_limit ?? null,
  }))
  return {
    v: 1,
    kind: 'wheel',
    segments: segments.filter((segment) => segment.weight > 0),
    spin,
    budget_minor,
  }
}

/**
 * The config without the segments whose prize is in `gone`: their weight goes to the declared substitute, so that
 * the total stays. Null when nothing is gone, or the substitute is not there or gone itself. Pure.
 */
export function withoutGone(config: WheelConfig, gone: ReadonlySet<number>): WheelConfig | null {
  const is_gone = ({ prize_id }: Segment) => prize_id !== null && gone.has(prize_id)
  const substitute = config.segments.find((segment) => segment.id === config.spin.on_exhausted)
  const freed = config.segments.reduce((sum, segment) => sum + (is_gone(segment) ? segment.weight : 0), 0)
  if (freed === 0 || substitute === undefined || is_gone(substitute)) return null
  const segments = config.segments
    .filter((segment) => !is_gone(segment))
    .map((segment) => (segment === substitute ? { ...segment, weight: segment.weight + freed } : segment))
  return { ...config, segments }
}

/** The share of a weight in a total that is a power of ten, as the exact decimal that numeric columns take. */
export function probabilityOf(weight: number, total: number): string {
  const places = String(total).length - 1
  if (total !== 10 ** places) throw new RangeError('the total of probabilities is a power of ten')
  const digits = String(weight).padStart(places + 1, '0')
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`
}

export type Range = { range_start: number; range_end: number }

/** Inclusive ranges of the roll, one per segment: running sums without gap or overlap, from 0. */
export function rangesOf(weights: readonly number[]): Range[] {
  let next = 0
  return weights.map((weight) => {
    const range = { range_start: next, range_end: next + weight - 1 }
    next += weight
    return range
  })
}

/** Sum of the weights: the denominator of every probability. */
export function totalOf(config: Pick<WheelConfig, 'segments'>): number {
  return config.segments.reduce((total, segment) => total + segment.weight, 0)
}

/** An exact share in words: 1 of 10 is `10%`, 1 of 3 is `1/3`. */
export function shareText(weight: number, total: number): string {
  const scaled = BigInt(weight) * 10n ** 11n
  if (scaled % BigInt(total) !== 0n) return `${weight}/${total}`
  const digits = (scaled / BigInt(total)).toString().padStart(10, '0')
  const fraction = digits.slice(-9).replace(/0+$/, '')
  return `${digits.slice(0, -9)}${fraction && `.${fraction}`}%`
}

export type SpinState = {
  wheel_status: string
  config_version: number
  spin: SpinConfig
  time_zone: string
  plays_today: number
  last_spin_at: Date | null
  chances_left: number
}

export type WhyNot = { code: ErrorCode; detail: RefusalDetail }

/**
 * Why a spin is refused, or null. In this order: wheel_not_published, wheel_paused, wheel_not_open,
 * plays_per_day_reached, cooldown, no_chances_left. Every answer with an end says when it ends.
 */
export function whyNotSpin(state: SpinState, now: Date): WhyNot | null {
  const { spin, time_zone } = state
  if (state.config_version === 0) return { code: 'wheel_not_published', detail: {} }
  if (state.wheel_status !== 'live')
    return { code: 'wheel_paused', detail: { facts: { wheel_status: state.wheel_status } } }

  const closed = whyNotOpen(spin, time_zone, now)
  if (closed !== null) return closed

  if (spin.plays_per_day !== null && state.plays_today >= spin.plays_per_day) {
    return when('plays_per_day_reached', nextDayStart(now, time_zone), now, {
      plays_per_day: spin.plays_per_day,
    })
  }

  const due_ms = (state.last_spin_at?.getTime() ?? Number.NEGATIVE_INFINITY) + spin.cooldown_ms
  if (now.getTime() < due_ms)
    return when('cooldown', new Date(due_ms), now, { cooldown_ms: spin.cooldown_ms })

  if (state.chances_left < 1) return { code: 'no_chances_left', detail: {} }
  return null
}

/** `wheel_not_open` with the next opening, outside the wheel's hours; null inside them. */
export function whyNotOpen(spin: SpinConfig, time_zone: string, now: Date): WhyNot | null {
  if (isOpen(spin, now, time_zone)) return null
  return when('wheel_not_open', nextOpening(spin, now, time_zone), now, { closes_at: spin.closes_at ?? null })
}

function when(code: ErrorCode, valid_from: Date | null, now: Date, facts: Record<string, unknown>): WhyNot {
  if (valid_from === null) return { code, detail: { facts: { ...facts, valid_from: null } } }
  const retry_after_s = Math.max(1, Math.ceil((valid_from.getTime() - now.getTime()) / 1000))
  return { code, detail: { facts: { ...facts, valid_from: valid_from.toISOString() }, retry_after_s } }
}

export type Landing = { starts_at: string; duration_ms: number; angle: number }

/** Long enough to look like a spin; every screen turns the same number of times. */
const TURNS = 6
/** So that the answer reaches every screen before the wheel has to move. */
export const LANDING_LEAD_MS = 150

/**
 * Where and when the wheel stops. Segment 0 begins at 12 o'clock, arcs run clockwise in proportion to weight and
 * the pointer stands at 12 o'clock; the wheel turns clockwise by `angle` degrees, so that the very point of the
 * roll ends under the pointer.
 */
export function landingOf(roll: number, total: number, starts_at: Date, duration_ms: number): Landing {
  const turned = 360 * (1 - (roll + 0.5) / total)
  // Nine places: coarser ones would move the pointer off the narrowest segment, which is a billionth of the wheel.
  const angle = Math.round((360 * TURNS + turned) * 1e9) / 1e9
  return { starts_at: starts_at.toISOString(), duration_ms, angle }
}

/** What is left to give. Changed by `awardOf` as a batch goes on; the caller holds the rows' locks. */
export type Supply = {
  /** Per prize: how many are left, or null for no limit. */
  stock_left: Map<number, number | null>
  /** Per prize: what one costs against the wheel's budget. */
  cost_minor: Map<number, number>
  budget_left_minor: number | null
  /** Wins of this user per reward slug, over all versions of the wheel. */
  wins_of_user: Map<string, number>
}

export type AwardStatus = 'won' | 'lost' | 'substituted' | 'exhausted'
export type Award = { status: AwardStatus; segment: Segment | null }

/**
 * What the player gets for a rolled segment, and takes it from the supply.
 *
 * A reward that has no stock, budget or per-user allowance left gives the declared fallback instead
 * (`substituted`), or nothing when there is none or it is used up too (`exhausted`). The outcome of the roll is
 * never changed by it (fair-1.md section 12, "Outcome and award are separate").
 */
export function awardOf(config: WheelConfig, rolled: Segment, supply: Supply): Award {
  if (rolled.type === 'none') return { status: 'lost', segment: null }
  if (takeFrom(supply, rolled)) return { status: 'won', segment: rolled }
  const fallback = config.segments.find((segment) => segment.id === config.spin.on_exhausted)
  if (fallback === undefined || fallback === rolled || fallback.type === 'none')
    return { status: 'exhausted', segment: null }
  return takeFrom(supply, fallback)
    ? { status: 'substituted', segment: fallback }
    : { status: 'exhausted', segment: null }
}

function takeFrom(supply: Supply, segment: Segment): boolean {
  const prize_id = segment.prize_id!
  const stock = supply.stock_left.get(prize_id)
  // Unknown means that the definition is gone or switched off.
  if (stock === undefined || stock === 0) return false
  const cost = supply.cost_minor.get(prize_id) ?? 0
  if (supply.budget_left_minor !== null && cost > supply.budget_left_minor) return false
  const wins = supply.wins_of_user.get(segment.id) ?? 0
  if (segment.per_user_limit !== null && wins >= segment.per_user_limit) return false

  if (stock !== null) supply.stock_left.set(prize_id, stock - 1)
  if (supply.budget_left_minor !== null) supply.budget_left_minor -= cost
  supply.wins_of_user.set(segment.id, wins + 1)
  return true
}

export type Grant = { id: string; remaining: number; wheel_game_id: string | null }

/**
 * The grant that pays for the next spin: of those that fit this wheel, the first in the given order (oldest
 * expiry first, then oldest award). Takes one from it. Undefined when nothing is left.
 */
export function takeChance(grants: readonly Grant[], wheelId: string): Grant | undefined {
  const grant = grants.find(
    (each) => each.remaining > 0 && (each.wheel_game_id === null || each.wheel_game_id === wheelId),
  )
  if (grant !== undefined) grant.remaining -= 1
  return grant
}

/** How many spins of this wheel the grants still pay for. */
export function chancesLeft(grants: readonly Grant[], wheelId: string): number {
  return grants.reduce(
    (sum, each) => sum + (each.wheel_game_id === null || each.wheel_game_id === wheelId ? each.remaining : 0),
    0,
  )
}
