/** Publishing a wheel: its rewards become a version with exact ranges, a hash, and a place in the public log. */
import type { Tx } from '../../db/tx.ts'
import { type FieldError, refuse } from '../../errors.ts'
import { jcs } from '../../fairness/canonical.ts'
import { configHash, type TrustLabel } from '../../fairness/commit.ts'
import { ProbabilityGap } from '../../fairness/rolls.ts'
import { NODE_HASH } from '../../node-hash.ts'
import { loadPrizes } from '../../prizes/grant-store.ts'
import { definitionWarnings, type Warning } from '../../prizes/practice.ts'
import type { Hours } from '../../schedule.ts'
import { tellLobby, wheelEntry } from '../lobby.ts'
import {
  probabilityOf,
  rangesOf,
  SEGMENT_COUNT_MAX,
  type Segment,
  type SpinConfig,
  shareText,
  totalOf,
  type WheelConfig,
  wheelConfigOf,
  withoutGone,
} from './rules.ts'
import { spinConfigSchema } from './schemas.ts'
import {
  type HistoryRow,
  insertRewardTable,
  insertVersion,
  loadExhaustedPrizes,
  loadRewards,
  loadVersion,
  loadWheelForUpdate,
  putGame,
  putInForce,
  type RewardTableRow,
  setWheelStatus,
  type WheelRow,
} from './store.ts'

/** What a spin pair promises: fixed before play by the operator, who cannot change it (fair-1.md section 8). */
export const PAIR_TRUST: TrustLabel = 'commit'

export type SegmentView = {
  slug: string
  label: string
  color: string | null
  weight: number
  share: string
  exhausted: boolean
}

export type PublishAnswer = {
  wheel_id: string
  config_version: number
  config_hash: string
  total_weight: number
  segments: SegmentView[]
}

/**
 * Publishes what the wheel's rows say now as its next version and puts it live. What is allowed and worth a second look
 * comes back as warnings.
 *
 * Refuses game_not_found, wheel_not_ready (every reason at once), probabilities_incomplete (the gap is named).
 * Pairs of players bind the old version; each is replaced when its player spins next.
 */
export async function publishWheel(
  tx: Tx,
  { game }: { game: string },
): Promise<PublishAnswer & { warnings: Warning[] }> {
  const wheel = await loadWheelForUpdate(tx, game)
  if (wheel === undefined) refuse('game_not_found')
  const config = draftConfig(wheel, await loadRewards(tx, wheel.id))
  const prizes = await loadPrizes(
    tx,
    config.segments.flatMap((segment) => segment.prize_id ?? []),
  )
  const published = await putVersion(tx, wheel, config, 'publish')
  return { ...published, warnings: prizes.flatMap(definitionWarnings) }
}

/**
 * Publishes the version in force again without the rewards that ran out: their weight goes to the declared
 * substitute, so that what is shown and hashed is what can be won. What an operator is editing is not touched.
 * Does nothing when no reward ran out, or the substitute did.
 */
export async function republishExhausted(tx: Tx, { game }: { game: string }): Promise<PublishAnswer | null> {
  const wheel = await loadWheelForUpdate(tx, game)
  if (wheel === undefined || wheel.wheel_status !== 'live' || wheel.config_version === 0) return null
  const config = JSON.parse((await loadVersion(tx, wheel.id, wheel.config_version))!.config) as WheelConfig
  const ids = config.segments.flatMap((segment) => segment.prize_id ?? [])
  const left = withoutGone(config, await loadExhaustedPrizes(tx, ids))
  return left === null ? null : putVersion(tx, wheel, left, 'republish_exhausted')
}

async function putVersion(
  tx: Tx,
  wheel: WheelRow,
  config: WheelConfig,
  action: string,
): Promise<PublishAnswer> {
  const { spin } = config
  const text = jcs(config)
  const config_hash = configHash(config, NODE_HASH)
  const config_version = wheel.config_version + 1

  await insertVersion(tx, {
    wheel_game_id: wheel.id,
    config_version,
    config: text,
    config_hash,
    spin_config: spin,
  })
  await insertRewardTable(tx, wheel.id, config_version, rewardTableOf(config))
  const status = wheel.wheel_status === 'paused' ? 'paused' : 'live'
  await putInForce(tx, wheel.id, config_version, config_hash, status)
  const { time_zone: _zone, ...schedule } = hoursOf(spin, wheel.time_zone)
  await putGame(tx, {
    wheel_game_id: wheel.id,
    game_name: wheel.wheel_name,
    theme: wheel.wheel_config,
    play_limits: { plays_per_day: spin.plays_per_day, cooldown_ms: spin.cooldown_ms },
    schedule,
  })

  const segments = await viewSegments(tx, config)
  const total_weight = totalOf(config)
  tx.log({ type: 'config', gameId: wheel.id, configHash: config_hash })
  tx.emit({
    gameId: wheel.id,
    type: 'wheel.published',
    data: {
      config_version,
      config_hash,
      segments,
      total_weight,
      duration_ms: spin.duration_ms,
      trust: PAIR_TRUST,
      status,
      hours: hoursOf(spin, wheel.time_zone),
    },
  })
  tellLobby(tx, wheelEntry({ ...wheel, wheel_status: status }))
  tx.audit({
    action,
    entity_type: 'wheel_game',
    entity_id: wheel.id,
    old_values: {
      config_version: wheel.config_version,
      config_hash: wheel.config_hash,
      wheel_status: wheel.wheel_status,
    },
    new_values: { config_version, config_hash, wheel_status: status },
  })
  return { wheel_id: wheel.id, config_version, config_hash, total_weight, segments }
}

/** The reward table that a config stands for. */
function rewardTableOf(config: WheelConfig): HistoryRow[] {
  const total = totalOf(config)
  const ranges = rangesOf(config.segments.map((segment) => segment.weight))
  return config.segments.map((segment, segment_index) => ({
    id: segment.reward,
    reward_slug: segment.id,
    reward_label: segment.label,
    reward_type: segment.type,
    prize_id: segment.prize_id,
    reward_color: segment.color,
    reward_detail: segment.per_user_limit === null ? {} : { per_user_limit: segment.per_user_limit },
    probability: probabilityOf(segment.weight, total),
    weight: segment.weight,
    segment_index,
    ...ranges[segment_index]!,
  }))
}

/** The config that publishing these rows would give. Refuses wheel_not_ready, probabilities_incomplete. */
export function draftConfig(wheel: WheelRow, rewards: readonly RewardTableRow[]): WheelConfig {
  const spin = spinConfigSchema.parse(wheel.spin_config)
  refuseUnready(wheel, spin, rewards)
  return configOf(rewards, spin, wheel.budget_minor)
}

/** The opening hours of a version. */
export function hoursOf(spin: SpinConfig, time_zone: string): Hours {
  const { opens_at, closes_at, valid_days, valid_from_time, valid_until_time } = spin
  return { opens_at, closes_at, valid_days, valid_from_time, valid_until_time, time_zone } as Hours
}

function configOf(
  rewards: readonly RewardTableRow[],
  spin: SpinConfig,
  budget_minor: number | null,
): WheelConfig {
  try {
    return wheelConfigOf(rewards, spin, budget_minor)
  } catch (error) {
    if (error instanceof ProbabilityGap)
      refuse('probabilities_incomplete', { detail: `${capital(error.message)}.`, facts: { gap: error.gap } })
    throw error
  }
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

/** Everything that is wrong with a wheel, at once. */
function refuseUnready(wheel: WheelRow, spin: SpinConfig, rewards: readonly RewardTableRow[]): void {
  const errors: FieldError[] = []
  const say = (pointer: string, detail: string) => errors.push({ pointer, detail })
  const live = rewards.filter((reward) => Number(reward.probability) > 0)
  if (live.length === 0) say('/rewards', 'A wheel needs at least one reward with a probability above 0.')
  if (live.length > SEGMENT_COUNT_MAX) say('/rewards', `A wheel has at most ${SEGMENT_COUNT_MAX} segments.`)
  for (const reward of live) {
    if (reward.prize_usable === false)
      say(`/rewards/${reward.reward_slug}/prize_id`, 'This prize is switched off or deleted.')
    const chances = Number(reward.prize_value)
    if (
      reward.reward_type === 'spin_chance' &&
      !(reward.prize_type === 'spin_chance' && Number.isInteger(chances) && chances >= 1)
    ) {
      say(
        `/rewards/${reward.reward_slug}/prize_id`,
        'A spin_chance reward needs a prize of type spin_chance whose value is a whole number of chances.',
      )
    }
  }
  const limited = live.filter(
    (reward) => reward.prize_stock !== null || reward.reward_detail.per_user_limit !== undefined,
  )
  const capped = wheel.budget_minor !== null && live.some((reward) => (reward.prize_cost_minor ?? 0) > 0)
  const substitute = live.find((reward) => reward.reward_slug === spin.on_exhausted)
  if ((limited.length > 0 || capped) && substitute === undefined) {
    say(
      '/spin_config/on_exhausted',
      'Stock, budget or a limit per user can run out: name the reward that is given then.',
    )
  }
  if (errors.length > 0) refuse('wheel_not_ready', { errors })
}

/** Segments as people see them, with what has run out marked. */
export async function viewSegments(tx: Tx, config: WheelConfig): Promise<SegmentView[]> {
  const ids = config.segments.flatMap((segment: Segment) => segment.prize_id ?? [])
  const exhausted = await loadExhaustedPrizes(tx, ids)
  const total = totalOf(config)
  return config.segments.map(({ id, label, color, weight, prize_id }) => ({
    slug: id,
    label,
    color,
    weight,
    share: shareText(weight, total),
    exhausted: prize_id !== null && exhausted.has(prize_id),
  }))
}

/** Pauses, resumes or ends a wheel. Refuses game_not_found, wheel_not_published. */
export async function changeStatus(
  tx: Tx,
  { game, status }: { game: string; status: 'live' | 'paused' | 'ended' },
): Promise<{ wheel_status: string }> {
  const wheel = await loadWheelForUpdate(tx, game)
  if (wheel === undefined) refuse('game_not_found')
  if (wheel.config_version === 0) refuse('wheel_not_published')
  if (wheel.wheel_status === status) return { wheel_status: status }
  await setWheelStatus(tx, wheel.id, status)
  tx.emit({ gameId: wheel.id, type: 'wheel.status', data: { status } })
  tellLobby(tx, wheelEntry({ ...wheel, wheel_status: status }))
  tx.audit({
    action: 'change_status',
    entity_type: 'wheel_game',
    entity_id: wheel.id,
    old_values: { wheel_status: wheel.wheel_status },
    new_values: { wheel_status: status },
  })
  return { wheel_status: status }
}
