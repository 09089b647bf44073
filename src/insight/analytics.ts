/**
 * Reports for operators: what was played, won and used. Counts are exact and taken from the rows of the games; a ratio is
 * a fraction with its decimal; only intervals are estimates.
 */
import type { Tx } from '../db/tx.ts'
import { newId } from '../ids.ts'
import { cleanupWarnings, definitionWarnings, usageWarnings, type Warning } from '../prizes/practice.ts'
import { loadTerms } from '../prizes/store.ts'
import {
  countOldExpired,
  insertMetric,
  loadDefinitions,
  loadFirstHour,
  loadFunnel,
  loadHours,
  loadRetention,
  loadTypes,
  loadUsage,
  loadWins,
  type MetricRow,
  rollUp,
  type WinRow,
} from './analytics-store.ts'
import { type Period, periodOf, periodView } from './period.ts'
import { ratioOf, wilson } from './statistics.ts'

type Asked = { from?: string | undefined; to?: string | undefined; game_id?: number | undefined }

async function asked(
  tx: Tx,
  wish: Asked,
): Promise<{ period: Period; game_id: number | null; time_zone: string }> {
  const { time_zone } = await loadTerms(tx)
  return { period: periodOf(wish, tx.now, time_zone), game_id: wish.game_id ?? null, time_zone }
}

/**
 * Win rates per game and published version, each with its 95 % interval beside the published odds (S2-43).
 *
 * A win is a play that won a prize. Where a prize was rolled and nothing was left, the roll still kept its odds, so the
 * comparison counts it: `is_outside` is about rolls, which is what was promised.
 */
export async function readWinRates(tx: Tx, wish: Asked) {
  const { period, game_id } = await asked(tx, wish)
  const games = new Map<number, WinRow[]>()
  for (const row of await loadWins(tx, period, game_id))
    games.set(row.game_id, [...(games.get(row.game_id) ?? []), row])
  return {
    ...periodView(period),
    data: [...games.values()].map((versions) => {
      const { game_id: id, game_name, game_type } = versions[0]!
      const plays = versions.reduce((sum, row) => sum + row.plays, 0)
      const wins = versions.reduce((sum, row) => sum + row.wins, 0)
      return {
        game_id: id,
        game_name,
        game_type,
        ...rateOf(wins, plays),
        versions: versions.map(versionView),
      }
    }),
  }
}

function rateOf(wins: number, plays: number) {
  return { plays, wins, win_rate: ratioOf(wins, plays), interval: intervalOf(wins, plays) }
}

function intervalOf(successes: number, trials: number) {
  const interval = wilson(successes, trials)
  return interval && { low: interval.low.toFixed(6), high: interval.high.toFixed(6), confidence: '0.95' }
}

function versionView({ config_version, plays, wins, exhausted, winning_weight, total_weight }: WinRow) {
  const published =
    total_weight === null || winning_weight === null ? null : ratioOf(winning_weight, total_weight)
  const rolled = wilson(wins + exhausted, plays)
  const share = published === null ? null : published.numerator / published.denominator
  const is_outside = rolled !== null && share !== null && (share < rolled.low || share > rolled.high)
  return { config_version, ...rateOf(wins, plays), exhausted, published, is_outside }
}

/** How much of what was won in a period was used; null when nothing was won (S2-44, features F9). */
export async function readRedemption(tx: Tx, wish: Asked) {
  const { period, game_id } = await asked(tx, wish)
  const { won, applied } = await loadFunnel(tx, period, game_id)
  return { ...periodView(period), won, applied, redemption_rate: ratioOf(applied, won) }
}

/** Which types of prizes were won: the counts add up to all wins of the period (S2-45). */
export async function readPopularity(tx: Tx, wish: Asked) {
  const { period } = await asked(tx, wish)
  const rows = await loadTypes(tx, period)
  const wins = rows.reduce((sum, row) => sum + row.wins, 0)
  const data = rows.map((row) => ({ ...row, share: ratioOf(row.wins, wins) }))
  return { ...periodView(period), wins, data }
}

/** How far the prizes of a period came: won, unlocked, applied; and what ran out (S1-56). */
export async function readFunnel(tx: Tx, wish: Asked) {
  const { period, game_id } = await asked(tx, wish)
  const { plays, won, unlocked, applied, expired } = await loadFunnel(tx, period, game_id)
  return {
    ...periodView(period),
    plays,
    won,
    unlocked,
    applied,
    expired,
    won_of_plays: ratioOf(won, plays),
    unlocked_of_won: ratioOf(unlocked, won),
    applied_of_unlocked: ratioOf(applied, unlocked),
  }
}

/** After how many days people are looked for again. */
const RETENTION_DAYS = [1, 7, 30]

/** Players by the day of their first play, and how many of them played on the 1st, 7th and 30th day after it (S1-56). */
export async function readRetention(tx: Tx, wish: Asked) {
  const { period, time_zone } = await asked(tx, wish)
  const rows = await loadRetention(tx, period, time_zone, RETENTION_DAYS)
  const data = rows.map(({ day, players, returned }) => ({
    day,
    players,
    returned: RETENTION_DAYS.map((after) => ({
      after_days: after,
      players: returned[after] ?? 0,
      share: ratioOf(returned[after] ?? 0, players),
    })),
  }))
  return { ...periodView(period), time_zone, data }
}

/** Plays, wins and payout per hour and game, beside the payout that the published odds lead to expect (S1-42). */
export async function readHours(tx: Tx, wish: Asked) {
  const { period, game_id } = await asked(tx, wish)
  const hours = new Map<string, Record<string, string>>()
  for (const { at, game_id: game, metric_name, metric_value } of await loadHours(
    tx,
    period,
    game_id === null ? null : String(game_id),
  )) {
    const key = `${at.toISOString()} ${game}`
    hours.set(key, { ...hours.get(key), [metric_name]: metric_value })
  }
  return {
    ...periodView(period),
    data: [...hours].map(([key, metrics]) => {
      const [hour, game] = key.split(' ') as [string, string]
      return {
        hour,
        game_id: Number(game),
        plays: Number(metrics['plays']),
        wins: Number(metrics['wins']),
        payout_minor: Number(metrics['payout_minor']),
        expected_payout_minor: metrics['expected_payout_minor'] ?? '0',
      }
    }),
  }
}

/** A transaction that began before the last look may commit after it: what is younger is counted again next time. */
const OVERLAP_MS = 3_600_000

/** Brings the hours up to date, from the one before the last that was rolled up. Returns how many metrics changed. */
export async function rollUpHours(tx: Tx): Promise<number> {
  const from = await loadFirstHour(tx)
  if (from === null) return 0
  return rollUp(tx, { from, to: new Date(tx.now.getTime() + OVERLAP_MS) })
}

/** Keeps a metric of the tenant's own. Rules over it fire in the same transaction (S1-47). */
export async function recordMetric(
  tx: Tx,
  metric: Omit<MetricRow, 'id' | 'metric_timestamp' | 'game_type'> & {
    metric_timestamp?: Date | undefined
    game_type?: string | undefined
  },
) {
  const id = newId()
  const at = metric.metric_timestamp ?? tx.now
  await insertMetric(tx, id, { ...metric, game_type: metric.game_type ?? null, metric_timestamp: at })
  return { id, metric_timestamp: at.toISOString() }
}

const PRACTICE_MS = 90 * 86_400_000

/** What administrators should look at again (S2-57): expiry, stock, prizes that nobody uses, what should be cleaned up. */
export async function readPractice(tx: Tx): Promise<{ data: Warning[] }> {
  const before = new Date(tx.now.getTime() - PRACTICE_MS)
  const definitions = await loadDefinitions(tx)
  return {
    data: [
      ...definitions.flatMap(definitionWarnings),
      ...usageWarnings(await loadUsage(tx, before)),
      ...cleanupWarnings(await countOldExpired(tx, before)),
    ],
  }
}
