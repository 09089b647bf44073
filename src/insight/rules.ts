/**
 * What is suspicious, as data and arithmetic: the kinds of rules with their settings, and how far from what is expected a
 * finding is. A score from 0 to 100 asks a person to look; it bans nobody. Pure.
 */
import { z } from 'zod'
import { atLeast } from './statistics.ts'

export type Severity = 'info' | 'warning' | 'critical'

const seconds = z
  .int()
  .min(60)
  .max(90 * 86_400)
const count = z.int().min(1).max(1_000_000)
const score = z.int().min(0).max(100)
const decimal = z.string().regex(/^-?(0|[1-9]\d{0,14})(\.\d{1,6})?$/, 'a decimal with at most six places')

/** Settings of each kind of rule. Absent members are their defaults. */
export const RULE_SETTINGS = {
  /** Several wins of one user in a short time (seeds/002, multiple_wins_short_time). */
  many_wins: z.strictObject({
    window_s: seconds.default(300),
    min_wins: count.default(10),
    /** From this score on, what was won is not paid out before a person has looked. */
    hold_score: score.nullable().default(60),
  }),
  /** Several winners behind one address (seeds/002, same_ip_multiple_users): a household, or one person many times. */
  shared_address: z.strictObject({ window_s: seconds.default(3_600), min_users: count.min(2).default(3) }),
  /** Somebody who uses nearly everything that he wins (seeds/002, unusual_redemption_rate). */
  redeems_most: z.strictObject({
    min_wins: count.default(10),
    above_percent: z.int().min(1).max(99).default(90),
  }),
  /** A game that gives more than it promises. */
  win_rate: z.strictObject({
    window_s: seconds.default(300),
    factor: z.int().min(1).max(100).default(2),
    min_plays: count.default(50),
    min_score: score.default(20),
  }),
  /** Messages that no client of ours sends: a result of one's own, another content under a request id that was used. */
  tampering: z.strictObject({ min_messages: count.default(1) }),
  /** Any metric of `game_analytics` beyond a threshold; looked at by the database when the metric is written. */
  metric: z.strictObject({
    metric_name: z.string().regex(/^[a-z][a-z0-9_.]{0,63}$/),
    comparison: z.enum(['above', 'below']),
    threshold: decimal,
    source_game: z.string().min(1).max(64).nullable().default(null),
  }),
} as const

export type RuleKind = keyof typeof RULE_SETTINGS
export const RULE_KINDS = Object.keys(RULE_SETTINGS) as RuleKind[]
export type Settings<K extends RuleKind> = z.output<(typeof RULE_SETTINGS)[K]>

/** The rules that every tenant begins with. */
export const BUILT_IN: readonly {
  rule_kind: Exclude<RuleKind, 'metric'>
  rule_name: string
  alert_severity: Severity
}[] = [
  { rule_kind: 'many_wins', rule_name: 'Many wins in a short time', alert_severity: 'warning' },
  { rule_kind: 'shared_address', rule_name: 'One address, many winners', alert_severity: 'info' },
  { rule_kind: 'redeems_most', rule_name: 'Uses nearly every prize', alert_severity: 'info' },
  { rule_kind: 'win_rate', rule_name: 'A game gives more than it promises', alert_severity: 'critical' },
  { rule_kind: 'tampering', rule_name: 'Messages that no client sends', alert_severity: 'warning' },
]

/** A finding of which only the count is known is never sure: it stays below what withholds a payout by default. */
const COUNT_SCORE_MAX = 50
const SCORE_AT_THRESHOLD = 25

/** A count beside the one that is worth a look: 25 there, 50 from twice as many on. */
export function countScore(found: number, threshold: number): number {
  return Math.min(COUNT_SCORE_MAX, Math.floor((SCORE_AT_THRESHOLD * found) / threshold))
}

/** How improbable it is to win so often by the published odds: 10 per power of ten, so one in a million is 60. */
export function oddsScore(wins: number, plays: number, expected: number): number {
  if (plays === 0) return 0
  const probability = atLeast(wins, plays, Math.min(1, expected / plays))
  if (probability <= 0) return 100
  return Math.min(100, Math.max(0, Math.floor(-10 * Math.log10(probability))))
}

/** True when more than so many percent of what was won was used, with enough wins to say so (S2-54). */
export function redeemsMost(
  applied: number,
  won: number,
  { min_wins, above_percent }: Settings<'redeems_most'>,
): boolean {
  return won >= min_wins && applied * 100 > above_percent * won
}

/** True when a game gave more than `factor` times what it promises, over enough plays (S1-46). */
export function givesTooMuch(
  { plays, wins, expected }: { plays: number; wins: number; expected: number },
  { factor, min_plays, min_score }: Settings<'win_rate'>,
): boolean {
  return plays >= min_plays && wins > factor * expected && oddsScore(wins, plays, expected) >= min_score
}
