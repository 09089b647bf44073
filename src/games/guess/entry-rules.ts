/**
 * Who may enter a game and who enters it more than once (P-06): data that a game commits to, judged against what is known
 * of a user. Pure. The rules are public with the commitment; the facts are the user's own and are told to nobody else.
 */
import { z } from 'zod'

const SEGMENT = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/)
const segments = z.array(SEGMENT).min(1).max(20)
const orders = z.int().min(1).max(1_000_000)

const eligibility = z.strictObject({
  min_orders: orders.optional(),
  /** One of them is enough. */
  any_segment: segments.optional(),
  no_segment: segments.optional(),
  /** Neither the creator nor a member of its company. */
  no_makers: z.literal(true).optional(),
  /** Who won a game of this tenant waits so long. */
  winner_cooldown_days: z.int().min(1).max(3_650).optional(),
})

/** All conditions that stand in it have to hold. */
const bonusEntry = z
  .strictObject({
    label: SEGMENT,
    entries: z.int().min(1).max(20),
    min_orders: orders.optional(),
    segment: SEGMENT.optional(),
  })
  .refine(
    ({ min_orders, segment }) => min_orders !== undefined || segment !== undefined,
    'A bonus needs a condition.',
  )

const bonus = z.strictObject({
  mode: z.enum(['cumulative', 'best']),
  entries: z
    .array(bonusEntry)
    .min(1)
    .max(10)
    .refine((all) => new Set(all.map(({ label }) => label)).size === all.length, 'A label stands once.'),
})

export const entryRulesSchema = z
  .strictObject({ eligibility: eligibility.optional(), bonus: bonus.optional() })
  .refine(
    (rules) => rules.bonus !== undefined || Object.keys(rules.eligibility ?? {}).length > 0,
    'Entry rules without a rule are none.',
  )

export type EntryRules = z.output<typeof entryRulesSchema>

/** What is known of a user that rules may ask for. */
export type EntryFacts = {
  /** Null as long as no order system told of the user; counts as none. */
  order_count: number | null
  segments: readonly string[]
  is_maker: boolean
  /** When the newest game that the user won was settled. */
  last_won_at: Date | null
}

export type RuleVerdict = {
  rule: string
  says: string
  required: number | boolean | string[]
  actual: number | boolean | string[] | null
  is_met: boolean
  /** Where time alone heals it. */
  possible_from: string | null
}

const DAY_MS = 86_400_000
const named = (list: readonly string[]): string => list.join(', ')
const times = (n: number, one: string, many: string): string => (n === 1 ? `1 ${one}` : `${n} ${many}`)

/** Every rule of a game with what it asks and what this user has, met ones too. */
export function judgeEntry(rules: EntryRules | null, facts: EntryFacts, now: Date): RuleVerdict[] {
  const { min_orders, any_segment, no_segment, no_makers, winner_cooldown_days } = rules?.eligibility ?? {}
  const verdicts: RuleVerdict[] = []
  const say = (verdict: Omit<RuleVerdict, 'possible_from'>, possible_from: string | null = null) =>
    verdicts.push({ ...verdict, possible_from })
  if (min_orders !== undefined)
    say({
      rule: 'min_orders',
      says: `At least ${times(min_orders, 'completed order', 'completed orders')}.`,
      required: min_orders,
      actual: facts.order_count,
      is_met: (facts.order_count ?? 0) >= min_orders,
    })
  if (any_segment !== undefined) {
    const actual = any_segment.filter((each) => facts.segments.includes(each))
    const says = `One of these groups: ${named(any_segment)}.`
    say({ rule: 'any_segment', says, required: any_segment, actual, is_met: actual.length > 0 })
  }
  if (no_segment !== undefined) {
    const actual = no_segment.filter((each) => facts.segments.includes(each))
    const says = `None of these groups: ${named(no_segment)}.`
    say({ rule: 'no_segment', says, required: no_segment, actual, is_met: actual.length === 0 })
  }
  if (no_makers !== undefined)
    say({
      rule: 'no_makers',
      says: 'Nobody who makes the game: neither its creator nor a member of its company.',
      required: false,
      actual: facts.is_maker,
      is_met: !facts.is_maker,
    })
  if (winner_cooldown_days !== undefined) {
    const won_at = facts.last_won_at?.getTime()
    const from = won_at === undefined ? null : new Date(won_at + winner_cooldown_days * DAY_MS)
    const is_met = from === null || now >= from
    say(
      {
        rule: 'winner_cooldown_days',
        says: `No game won in the last ${times(winner_cooldown_days, 'day', 'days')}.`,
        required: winner_cooldown_days,
        actual: won_at === undefined ? null : Math.floor((now.getTime() - won_at) / DAY_MS),
        is_met,
      },
      is_met ? null : from!.toISOString(),
    )
  }
  return verdicts
}

export type BonusVerdict = {
  mode: 'cumulative' | 'best'
  offers: { label: string; says: string; entries: number; is_met: boolean }[]
  /** What this user gets, in the order of the rules. */
  granted: { label: string; entries: number }[]
  entries: number
}

/** What a user gets beside the own entry: everything that applies, or the best of it. Of equally good ones the first. */
export function bonusOf(rules: EntryRules | null, facts: EntryFacts): BonusVerdict | null {
  if (rules?.bonus === undefined) return null
  const { mode } = rules.bonus
  const offers = rules.bonus.entries.map(({ label, entries, min_orders, segment }) => ({
    label,
    says: bonusSentence({ entries, min_orders, segment }),
    entries,
    is_met:
      (min_orders === undefined || (facts.order_count ?? 0) >= min_orders) &&
      (segment === undefined || facts.segments.includes(segment)),
  }))
  const earned = offers.filter(({ is_met }) => is_met).map(({ label, entries }) => ({ label, entries }))
  const most = Math.max(...earned.map(({ entries }) => entries))
  const granted =
    mode === 'cumulative' ? earned : earned.filter(({ entries }) => entries === most).slice(0, 1)
  return { mode, offers, granted, entries: granted.reduce((sum, { entries }) => sum + entries, 0) }
}

type BonusTerms = { entries: number; min_orders?: number | undefined; segment?: string | undefined }

function bonusSentence({ entries, min_orders, segment }: BonusTerms): string {
  const conditions = [
    ...(min_orders === undefined
      ? []
      : [`from ${times(min_orders, 'completed order', 'completed orders')} on`]),
    ...(segment === undefined ? [] : [`for the group ${segment}`]),
  ]
  return `${times(entries, 'more entry', 'more entries')} ${conditions.join(' and ')}.`
}

/** The rules as everybody reads them before entering. */
export function entrySentences(rules: EntryRules | null): string[] {
  const nobody: EntryFacts = { order_count: null, segments: [], is_maker: false, last_won_at: null }
  const bonus = bonusOf(rules, nobody)
  return [
    ...judgeEntry(rules, nobody, new Date(0)).map(({ says }) => says),
    ...(bonus?.offers.map(({ says }) => says) ?? []),
    ...(bonus === null || bonus.offers.length < 2
      ? []
      : [bonus.mode === 'cumulative' ? 'All of these count together.' : 'Of these the best one counts.']),
  ]
}
