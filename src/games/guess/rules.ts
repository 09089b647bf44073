/**
 * The rules of the guess game of seeds/000: what may be guessed, what a game promises, and who stands where. Pure.
 * Numbers and winners themselves follow from FAIR/1 (fair-1.md 9.4 and 9.5).
 */
import { z } from 'zod'
import type { ErrorCode, FieldError, RefusalDetail } from '../../errors.ts'
import { type Config, classOfGuess, type Leaf } from '../../fairness/transcript.ts'
import { type BonusVerdict, type EntryRules, entryRulesSchema, type RuleVerdict } from './entry-rules.ts'

export const MODES = ['guess', 'guess_then_draw', 'draw'] as const
export type Mode = (typeof MODES)[number]

export const MATCH_RULES = ['exact', 'nearest', 'nearest_under', 'unique', 'lowest_unique'] as const
export type MatchRule = (typeof MATCH_RULES)[number]

export const GUESS_POLICIES = [
  'one_per_user',
  'n_per_user',
  'number_unique_globally',
  'replace_until_close',
] as const
export type GuessPolicy = (typeof GUESS_POLICIES)[number]

export const REWARD_TYPES = ['cash', 'digital', 'product', 'coins', 'voucher'] as const
export type RewardType = (typeof REWARD_TYPES)[number]

/** What players read before they guess. */
export const RULE_SENTENCES: Record<MatchRule, string> = {
  exact: 'Who guessed the number wins.',
  nearest: 'Who is nearest to the number wins.',
  nearest_under: 'Who is nearest to the number without going over it wins.',
  unique: 'Who is nearest to the number with a guess that nobody else made wins.',
  lowest_unique: 'The lowest number that only one player guessed wins.',
}

/** What decides between equally good guesses. */
export const TIE_SENTENCES: Record<Mode, string> = {
  guess: 'Of equally good guesses the earlier one wins.',
  guess_then_draw: 'Between equally good guesses a draw decides.',
  draw: 'Winners are drawn among all who entered.',
}

/** Rewards that somebody hands over are claimed; the others arrive by themselves. */
export function isClaimed(reward_type: RewardType): boolean {
  return reward_type !== 'coins' && reward_type !== 'voucher'
}

/** The parts of a game that its promise is made of. */
export type GameTerms = {
  mode: Mode
  rule: MatchRule | null
  guess_min: number | null
  guess_max: number | null
  guess_policy: GuessPolicy
  guesses_per_user: number
  number_of_winners: number
  number_of_alternates: number
  reward_type: RewardType
  prize_id: number | null
  entry_rules: EntryRules | null
  opens_at: Date | null
  closes_at: Date
}

/** Everything that is wrong with a game, at once; empty when it may be created. */
export function faultsOf(terms: GameTerms): FieldError[] {
  const faults: FieldError[] = []
  const say = (pointer: string, detail: string) => faults.push({ pointer, detail })
  if (terms.mode === 'draw') {
    for (const name of ['rule', 'guess_min', 'guess_max'] as const)
      if (terms[name] !== null) say(`/${name}`, 'A game of mode draw has no guesses.')
    if (terms.guess_policy !== 'one_per_user' && terms.guess_policy !== 'n_per_user')
      say('/guess_policy', 'A game of mode draw counts entries: one_per_user or n_per_user.')
  } else faultsOfGuess(terms, say)
  if (terms.guess_policy !== 'n_per_user' && terms.guesses_per_user !== 1)
    say('/guesses_per_user', 'Only the policy n_per_user takes more than one guess of a user.')
  if (terms.mode !== 'draw' && terms.guess_policy !== 'n_per_user' && terms.entry_rules?.bonus !== undefined)
    say('/entry_rules/bonus', 'More guesses for some need the policy n_per_user.')
  if (terms.opens_at !== null && terms.opens_at >= terms.closes_at)
    say('/closes_at', 'A game closes after it opens.')
  if (!isClaimed(terms.reward_type) && terms.prize_id === null)
    say('/prize_id', 'Coins and vouchers arrive by themselves: name the prize that is given.')
  return faults
}

function faultsOfGuess(terms: GameTerms, say: (pointer: string, detail: string) => void): void {
  const { rule, guess_min: low, guess_max: high, guess_policy } = terms
  if (rule === null) say('/rule', 'A game that is guessed at needs a rule.')
  if (low === null) say('/guess_min', 'A game that is guessed at needs its lowest number.')
  if (high === null) say('/guess_max', 'A game that is guessed at needs its highest number.')
  if (low === null || high === null) return
  if (low >= high) {
    say('/guess_max', 'The highest number must be above the lowest.')
    return
  }
  // Every place of a game without equal guesses takes a number of its own.
  const needs_own = rule === 'unique' || rule === 'lowest_unique' || guess_policy === 'number_unique_globally'
  const place_count = terms.number_of_winners + terms.number_of_alternates
  if (needs_own && high - low + 1 < place_count)
    say('/guess_max', `The range holds fewer numbers than the ${place_count} places of this game.`)
}

/** A hundred million numbers are more than anybody guesses; the bound keeps arithmetic exact. */
export const GUESS_MAX = 1_000_000_000

export const guessConfigSchema = z.looseObject({
  v: z.literal(1),
  kind: z.literal('guess'),
  min: z.int(),
  max: z.int(),
  targets: z.int().min(0),
  prizes: z.int().min(1),
  rule: z.enum(['first', 'draw']),
  match: z.enum(MATCH_RULES),
  winners: z.int().min(1),
  policy: z.enum(GUESS_POLICIES),
  perUser: z.int().min(1),
  entryRules: entryRulesSchema.optional(),
})

export const giveawayConfigSchema = z.looseObject({
  v: z.literal(1),
  kind: z.literal('raffle'),
  prizes: z.array(z.strictObject({ id: z.string(), qty: z.int().min(1) })).length(1),
  reserves: z.int().min(0),
  onePrizePerEntrant: z.boolean(),
  perUser: z.int().min(1),
  entryRules: entryRulesSchema.optional(),
})

/** Every place is one prize of the game, whatever it is. */
export const PLACE_PRIZE = 'prize'

/** The config that a game commits to (fair-1.md section 5): everything that can change who wins. */
export function configOf(terms: GameTerms): Config {
  const { number_of_winners, number_of_alternates, guesses_per_user, entry_rules } = terms
  const entryRules = entry_rules === null ? {} : { entryRules: entry_rules }
  if (terms.mode === 'draw')
    return {
      v: 1,
      kind: 'raffle',
      prizes: [{ id: PLACE_PRIZE, qty: number_of_winners }],
      reserves: number_of_alternates,
      // Who is on the list more than once wins once.
      onePrizePerEntrant: guesses_per_user > 1 || entry_rules?.bonus !== undefined,
      perUser: guesses_per_user,
      ...entryRules,
    }
  return {
    v: 1,
    kind: 'guess',
    min: terms.guess_min!,
    max: terms.guess_max!,
    // The lowest unique guess needs no number to be drawn.
    targets: terms.rule === 'lowest_unique' ? 0 : 1,
    // Alternates stand behind the winners in the one order that is decided.
    prizes: number_of_winners + number_of_alternates,
    rule: terms.mode === 'guess_then_draw' ? 'draw' : 'first',
    match: terms.rule!,
    winners: number_of_winners,
    policy: terms.guess_policy,
    perUser: guesses_per_user,
    ...entryRules,
  }
}

/** The places of a decided guess game: winners first, then alternates. */
export function placesOfGuess(
  config: { winners: number },
  winners: readonly number[],
): { entry_index: number; prize: string | null }[] {
  return winners.map((entry_index, i) => ({ entry_index, prize: i < config.winners ? PLACE_PRIZE : null }))
}

/** The same for a draw among everybody. */
export function placesOfGiveaway(outcome: {
  prizes: { entries: number[] }[]
  reserves: number[]
}): { entry_index: number; prize: string | null }[] {
  const won = outcome.prizes.flatMap(({ entries }) => entries)
  return [
    ...won.map((entry_index) => ({ entry_index, prize: PLACE_PRIZE })),
    ...outcome.reserves.map((entry_index) => ({ entry_index, prize: null })),
  ]
}

/** More than this is worth looking through again. */
const CONTENDERS_MIN = 1_024

/**
 * Keeps, of guesses that come a part at a time, those that can be among the winners of these numbers: whole classes, the
 * best first, until as many are in them as there are prizes. Null where a guess is judged by all others. Pure.
 */
export function contenders(
  config: Config,
  targets: number[],
): { see(leaf: Leaf): void; leaves(): Leaf[] } | null {
  const classOf = classOfGuess(config, targets)
  if (classOf === null) return null
  const wanted = config['prizes'] as number
  let kept: { leaf: Leaf; rank: number }[] = []
  let worst = Number.POSITIVE_INFINITY
  let limit = CONTENDERS_MIN
  const narrow = () => {
    if (kept.length > wanted) worst = kept.map(({ rank }) => rank).sort((a, b) => a - b)[wanted - 1]!
    kept = kept.filter(({ rank }) => rank <= worst)
    // A class that is large by itself is not gone through for each leaf.
    limit = Math.max(CONTENDERS_MIN, 2 * kept.length)
  }
  return {
    see(leaf) {
      const rank = classOf(leaf)
      if (rank === null || rank > worst) return
      kept.push({ leaf, rank })
      if (kept.length > limit) narrow()
    },
    leaves() {
      narrow()
      return kept.map(({ leaf }) => leaf)
    },
  }
}

/** The numbers that were drawn; none where the rule needs none. */
export function winningNumbersOf(outcome: Record<string, unknown> | null): number[] {
  return (outcome?.['targets'] ?? []) as number[]
}

/** How many of the promised places nobody stands on, because fewer entered (S0-03). */
export function notAwardedOf(
  number_of_winners: number,
  winners: readonly { is_alternate: boolean }[],
): number {
  return Math.max(0, number_of_winners - winners.filter((each) => !each.is_alternate).length)
}

export type GuessState = {
  status: string
  opens_at: Date | null
  closes_at: Date
  /** Until then nobody enters; null for a game that is not paused. */
  paused_until: Date | null
  terms: GameTerms
  /** Rules of entering, and what this user gets beside: see entry-rules.ts. */
  entry: readonly RuleVerdict[]
  bonus: BonusVerdict | null
  /** What this user has in force. */
  own_count: number
  /** Whether another guess took the number, where a number may be chosen once. */
  is_taken: boolean
}

export type WhyNot = { code: ErrorCode; detail: RefusalDetail }

/** How many guesses a user has: in a game that is guessed at, a bonus is more of them. */
export function guessesOf({ terms, bonus }: Pick<GuessState, 'terms' | 'bonus'>): number {
  return terms.guesses_per_user + (terms.mode === 'draw' ? 0 : (bonus?.entries ?? 0))
}

/**
 * Why a guess is refused, or null. In this order: game_not_open, game_paused, not_eligible, guess_invalid,
 * no_guesses_left, guess_taken. Late by the server's clock is late, whatever the row still says.
 */
export function whyNotGuess(state: GuessState, guess: number | null, now: Date): WhyNot | null {
  const { status, closes_at, opens_at, terms } = state
  if (status !== 'open' || now >= closes_at) {
    const facts = {
      status: status === 'open' ? 'closed' : status,
      opens_at: opens_at?.toISOString() ?? null,
      closes_at: closes_at.toISOString(),
    }
    return { code: 'game_not_open', detail: { facts } }
  }
  if (state.paused_until !== null && now < state.paused_until) {
    const facts = { paused_until: state.paused_until.toISOString(), closes_at: closes_at.toISOString() }
    return { code: 'game_paused', detail: { facts } }
  }
  const missing = state.entry.filter(({ is_met }) => !is_met)
  if (missing.length > 0)
    return {
      code: 'not_eligible',
      detail: { detail: missing.map(({ says }) => says).join(' '), facts: { rules: missing } },
    }
  const fault = faultOfGuess(terms, guess)
  if (fault !== null)
    return { code: 'guess_invalid', detail: { errors: [{ pointer: '/value', detail: fault }] } }
  const is_replacing = terms.guess_policy === 'replace_until_close' && state.own_count > 0
  if (!is_replacing && state.own_count >= guessesOf(state))
    return { code: 'no_guesses_left', detail: { facts: { guesses_per_user: guessesOf(state) } } }
  if (state.is_taken) return { code: 'guess_taken', detail: {} }
  return null
}

function faultOfGuess({ mode, guess_min, guess_max }: GameTerms, guess: number | null): string | null {
  if (mode === 'draw') return guess === null ? null : 'A game of mode draw takes entries without a number.'
  if (guess === null) return 'This game takes a number.'
  if (guess < guess_min! || guess > guess_max!)
    return `A guess is a whole number from ${guess_min} to ${guess_max}.`
  return null
}
