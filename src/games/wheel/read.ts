/** What anybody may see of a wheel: its head, a snapshot, the events since a version, odds, a simulation. */
import type { GameEvent, Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import type { TrustLabel } from '../../fairness/commit.ts'
import { RARITIES } from '../../prizes/definitions.ts'
import { loadPrizes } from '../../prizes/grant-store.ts'
import type { Hours } from '../../schedule.ts'
import { eventOf } from '../lobby.ts'
import { hoursOf, PAIR_TRUST, type SegmentView, viewSegments } from './publish.ts'
import type { RoundView } from './rounds.ts'
import { readRound } from './rounds.ts'
import { rangesOf, shareText } from './rules.ts'
import {
  countRolls,
  type EventRow,
  loadEventsSince,
  loadGameVersion,
  loadRecentSpins,
  loadWheel,
} from './store.ts'
import type { Versions } from './versions.ts'

export type WheelHead = {
  id: string
  wheel_slug: string
  wheel_name: string
  wheel_status: string
  is_public: boolean
  config_version: number
}

export type RecentSpin = {
  spin_id: string
  player: string
  segment: number
  reward_slug: string
  reward_label: string
  won: boolean
  at: string
}

export type WheelSnapshot = {
  version: number
  wheel: {
    id: string
    slug: string
    name: string
    description: string | null
    status: string
    config_version: number
    config_hash: string
    trust: TrustLabel
    duration_ms: number
    hours: Hours
  }
  segments: SegmentView[]
  total_weight: number
  recent: RecentSpin[]
  round: RoundView | null
}

export const RECENT_SPINS = 20
/** More missed events than this are cheaper as a snapshot. */
export const SINCE_EVENTS_MAX = 200

/** A published wheel by slug or id, or undefined. */
export async function findWheel(tx: Tx, game: string): Promise<WheelHead | undefined> {
  const wheel = await loadWheel(tx, game)
  if (wheel === undefined || wheel.config_version === 0 || wheel.wheel_status === 'draft') return undefined
  const { id, wheel_slug, wheel_name, wheel_status, is_public, config_version } = wheel
  return { id, wheel_slug, wheel_name, wheel_status, is_public, config_version }
}

/** Everything a screen needs to begin. Refuses game_not_found. */
export async function readSnapshot(
  tx: Tx,
  { game, versions }: { game: string; versions: Versions },
): Promise<WheelSnapshot> {
  const wheel = await loadWheel(tx, game)
  if (wheel === undefined || wheel.config_version === 0) refuse('game_not_found')
  // The number first: an event that commits meanwhile is then folded twice at most, never missed.
  const version = await loadGameVersion(tx, wheel.id)
  const { config, odds, config_hash } = await versions.of(tx, wheel.id, wheel.config_version)
  const spins = await loadRecentSpins(tx, wheel.id, RECENT_SPINS)
  return {
    version,
    wheel: {
      id: wheel.id,
      slug: wheel.wheel_slug,
      name: wheel.wheel_name,
      description: wheel.wheel_description,
      status: wheel.wheel_status,
      config_version: wheel.config_version,
      config_hash,
      trust: PAIR_TRUST,
      duration_ms: config.spin.duration_ms,
      hours: hoursOf(config.spin, wheel.time_zone),
    },
    segments: await viewSegments(tx, config),
    total_weight: odds.total,
    recent: spins.filter((row) => row.game_seq <= version).map(recentOf),
    round: await readRound(tx, wheel.id),
  }
}

function recentOf({ event_data, event_timestamp }: EventRow): RecentSpin {
  const { spin_id, player, segment, reward_slug, reward_label, won } = event_data as Omit<RecentSpin, 'at'>
  return { spin_id, player, segment, reward_slug, reward_label, won, at: event_timestamp.toISOString() }
}

export type SinceAnswer = { version: number; events: GameEvent[] } | { snapshot: WheelSnapshot }

/** The events after a version, or a snapshot when they are too many. Refuses game_not_found. */
export async function readSince(
  tx: Tx,
  input: { game: string; version: number; versions: Versions },
): Promise<SinceAnswer> {
  const wheel = await loadWheel(tx, input.game)
  if (wheel === undefined || wheel.config_version === 0) refuse('game_not_found')
  const rows = await loadEventsSince(tx, wheel.id, input.version, SINCE_EVENTS_MAX + 1)
  if (rows.length > SINCE_EVENTS_MAX) return { snapshot: await readSnapshot(tx, input) }
  const events = rows.map((row) => eventOf(tx.actor.tenantId, wheel.id, row))
  return { version: events.at(-1)?.seq ?? input.version, events }
}

/** The published odds of a wheel, exact, and what has run out. Refuses game_not_found. */
export async function readOdds(tx: Tx, { game, versions }: { game: string; versions: Versions }) {
  const { wheel, version } = await publishedVersion(tx, game, versions)
  const ranges = rangesOf(version.odds.weights)
  const views = await viewSegments(tx, version.config)
  const definitions = new Map(
    (
      await loadPrizes(
        tx,
        version.config.segments.flatMap((s) => s.prize_id ?? []),
      )
    ).map((row) => [row.id, row]),
  )
  return {
    wheel: { id: wheel.id, wheel_slug: wheel.wheel_slug, wheel_name: wheel.wheel_name },
    config_version: version.config_version,
    config_hash: version.config_hash,
    total_weight: version.odds.total,
    on_exhausted: version.config.spin.on_exhausted,
    tiers: tiersOf(version.config.segments, (id) => definitions.get(id)?.rarity, version.odds.total),
    segments: version.config.segments.map((segment, i) => {
      const prize = segment.prize_id === null ? undefined : definitions.get(segment.prize_id)
      return {
        reward_slug: segment.id,
        label: segment.label,
        weight: segment.weight,
        probability: `${segment.weight}/${version.odds.total}`,
        share: shareText(segment.weight, version.odds.total),
        ...ranges[i]!,
        exhausted: views[i]!.exhausted,
        remaining: prize === undefined || prize.stock === null ? null : prize.stock - prize.won_count,
        rarity: prize?.rarity ?? null,
      }
    }),
  }
}

/** What the odds of a wheel come to per rarity, the most common first and `none` last: together exactly 100 % (S2-60). */
function tiersOf(
  segments: readonly { prize_id: number | null; weight: number }[],
  rarityOf: (prize_id: number) => string | undefined,
  total: number,
) {
  const weights = new Map<string, number>()
  for (const { prize_id, weight } of segments) {
    const rarity = prize_id === null ? 'none' : (rarityOf(prize_id) ?? 'common')
    weights.set(rarity, (weights.get(rarity) ?? 0) + weight)
  }
  return [...RARITIES, 'none'].flatMap((rarity) => {
    const weight = weights.get(rarity)
    if (weight === undefined) return []
    return [{ rarity, weight, probability: `${weight}/${total}`, share: shareText(weight, total) }]
  })
}

async function publishedVersion(tx: Tx, game: string, versions: Versions) {
  const wheel = await loadWheel(tx, game)
  if (wheel === undefined || wheel.config_version === 0) refuse('game_not_found')
  return { wheel, version: await versions.of(tx, wheel.id, wheel.config_version) }
}

/** How often each reward of the version in force was rolled, beside what was published. Refuses game_not_found. */
export async function readMonitor(tx: Tx, { game, versions }: { game: string; versions: Versions }) {
  const { wheel, version } = await publishedVersion(tx, game, versions)
  const rolls = new Map(
    (await countRolls(tx, wheel.id, version.config_version)).map((row) => [row.wheel_reward_id, row.rolls]),
  )
  const observed = version.config.segments.map((segment) => rolls.get(segment.reward) ?? 0)
  return { wheel, version, observed, spins: observed.reduce((sum, count) => sum + count, 0) }
}
