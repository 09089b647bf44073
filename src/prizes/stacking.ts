/**
 * Several prizes on one order: which of them apply, in which order, and what each takes (features 4.4, P-29). The
 * policy is the tenant's. No clock, no SQL.
 */
import { z } from 'zod'
import { type Facts, type Prize, type Reason, reason, whyNotApply } from './conditions.ts'
import { type Discount, discountFor } from './discount.ts'
import { amountText, decimalsOf, least } from './money.ts'

/** As many prizes as one order can be sent with: beyond it nobody reads the explanation. */
export const PRIZES_SENT_MAX = 30

const category = z.string().trim().min(1).max(32)

/** How prizes go together on one order. The defaults are the careful ones: one prize per order. */
export const stackingPolicySchema = z.strictObject({
  /** `all_or_nothing`: one refused prize refuses all. `partial`: those that fit are applied. */
  mode: z.enum(['all_or_nothing', 'partial']).default('partial'),
  /** `requested`: as the request lists them. `hierarchy`: by category first, and as requested within one. */
  order: z.enum(['requested', 'hierarchy']).default('requested'),
  /** Categories, first to apply first; a category that is not listed comes last. */
  hierarchy: z
    .array(category)
    .max(32)
    .refine((list) => new Set(list).size === list.length, 'a category stands twice')
    .default([]),
  /** Percentages are of the initial amount of the order, or of what the discounts before left. */
  percentage_on: z.enum(['initial', 'discounted']).default('initial'),
  prizes_per_order_max: z.int().min(1).max(PRIZES_SENT_MAX).default(1),
  /** Categories whose prizes stand alone on their order. */
  exclusive: z.array(category).max(32).default([]),
  /** Whether a discount that would take nothing off is refused, and so kept, or used up. */
  without_effect: z.enum(['refuse', 'apply']).default('refuse'),
})

export type StackingPolicy = z.infer<typeof stackingPolicySchema>

/** The policy of a tenant that has chosen nothing. */
export const STACKING_DEFAULT: StackingPolicy = stackingPolicySchema.parse({})

/** A prize that is asked for. `category` is the definition's; a definition without one has its type. */
export type Candidate = { play_id: number; category: string; prize: Prize }

/** A prize that an earlier request put on the same order. */
export type Placed = { play_id: number; category: string; discount_minor: bigint; is_delivery_free: boolean }

/** One step of the computation: position from 1, amounts in minor units; after = before - discount. */
export type AppliedStep = {
  play_id: number
  position: number
  before_minor: bigint
  discount_minor: bigint
  after_minor: bigint
  discount: Discount
}

export type Stacked = {
  /** In order of application. */
  applied: AppliedStep[]
  /** In the order in which they were looked at, with every reason. */
  refused: { play_id: number; reasons: Reason[] }[]
  /** What the applied prizes take together, and what is left of the order; null when its amount is unknown. */
  discount_minor: bigint
  final_minor: bigint | null
}

type Running = {
  facts: Facts
  /** Prizes on the order so far, earlier requests included. */
  placed: Pick<Placed, 'play_id' | 'category' | 'discount_minor'>[]
  applied: AppliedStep[]
}

/**
 * Applies prizes to one order, one after the other, each to what the ones before left, and explains every step. Pure.
 *
 * `placed` are the prizes that the order has already; their discounts count as other discounts. A prize is refused
 * with duplicate_prize, prizes_per_order, exclusive_prize and the reasons of whyNotApply, all at once, or else with
 * no_effect; all_or_nothing refuses the others with a reason of that name. An order without a known amount takes
 * prizes that need none, at amount 0. More than PRIZES_SENT_MAX candidates are a bug of the caller.
 * Source: features 4.4, "Stacking"; each point is a setting there.
 */
export function stack(
  candidates: readonly Candidate[],
  given: { facts: Facts; placed?: readonly Placed[]; policy: StackingPolicy; policy_version?: number },
  now: Date,
  time_zone: string,
): Stacked {
  if (candidates.length > PRIZES_SENT_MAX) throw new RangeError(`more than ${PRIZES_SENT_MAX} prizes`)
  const { policy, policy_version = 0, placed = [] } = given
  const before_minor = placed.reduce((sum, { discount_minor }) => sum + discount_minor, 0n)
  const facts: Facts = {
    ...given.facts,
    percentage_on: policy.percentage_on,
    // An order can have shrunk since: then nothing is left of it, and not less.
    other_discount_minor: least(
      given.facts.other_discount_minor + before_minor,
      given.facts.order_minor ?? 0n,
    ),
  }
  if (placed.some(({ is_delivery_free }) => is_delivery_free)) facts.delivery_fee_minor = 0n

  const running: Running = { facts, placed: [...placed], applied: [] }
  const refused: Stacked['refused'] = []
  for (const candidate of inOrder(candidates, policy)) {
    const reasons = tryNext(candidate, running, policy, now, time_zone)
    if (reasons.length > 0) refused.push({ play_id: candidate.play_id, reasons })
  }
  for (const step of running.applied) explain(step, running, policy_version)

  if (policy.mode === 'all_or_nothing' && refused.length > 0)
    return nothingOf(running.applied, refused, facts)
  return {
    applied: running.applied,
    refused,
    discount_minor: running.applied.reduce((sum, { discount_minor }) => sum + discount_minor, 0n),
    final_minor: leftOf(running.facts),
  }
}

/** Writes into the trace of a step which prizes came before it, and what they took. */
function explain(
  { position, discount }: AppliedStep,
  { facts, placed }: Running,
  policy_version: number,
): void {
  const decimals = decimalsOf(facts.currency)
  const before = placed.slice(0, position - 1).map(({ play_id, discount_minor }) => ({
    play_id,
    discount_amount: amountText(discount_minor, decimals),
  }))
  discount.details.calculation.stacking = { policy_version, position, placed: before }
}

function leftOf({ order_minor, other_discount_minor }: Facts): bigint | null {
  return order_minor === null ? null : order_minor - other_discount_minor
}

function nothingOf(applied: readonly AppliedStep[], refused: Stacked['refused'], facts: Facts): Stacked {
  const message = 'Another prize of the request cannot be applied, and they go together or not at all.'
  const others = applied.map(({ play_id }) => ({ play_id, reasons: [reason('all_or_nothing', message)] }))
  return { applied: [], refused: [...refused, ...others], discount_minor: 0n, final_minor: leftOf(facts) }
}

function inOrder(
  candidates: readonly Candidate[],
  { order, hierarchy }: StackingPolicy,
): readonly Candidate[] {
  if (order === 'requested') return candidates
  const rank = ({ category }: Candidate) => {
    const at = hierarchy.indexOf(category)
    return at < 0 ? hierarchy.length : at
  }
  // Stable: within a category the request decides.
  return [...candidates].sort((a, b) => rank(a) - rank(b))
}

/** Applies a prize to the running order, or says why not. */
function tryNext(
  { play_id, category, prize }: Candidate,
  running: Running,
  policy: StackingPolicy,
  now: Date,
  time_zone: string,
): Reason[] {
  const { facts, placed, applied } = running
  const reasons = [
    ...companyReasons(play_id, category, placed, policy),
    ...whyNotApply(prize, facts, now, time_zone),
  ]
  if (reasons.length > 0) return reasons

  const discount = discountFor(prize, { ...facts, order_minor: facts.order_minor ?? 0n })
  if (policy.without_effect === 'refuse' && hasNoEffect(discount))
    return [reason('no_effect', 'This prize would take nothing off, so it is kept.')]

  const { before_minor, discount_minor, final_minor } = discount
  applied.push({
    play_id,
    position: placed.length + 1,
    before_minor,
    discount_minor,
    after_minor: final_minor,
    discount,
  })
  placed.push({ play_id, category, discount_minor })
  const delivery_fee_minor = discount.effect.kind === 'free_delivery' ? 0n : facts.delivery_fee_minor
  running.facts = {
    ...facts,
    delivery_fee_minor,
    other_discount_minor: facts.other_discount_minor + discount_minor,
  }
  return []
}

function companyReasons(
  play_id: number,
  category: string,
  placed: Running['placed'],
  { prizes_per_order_max, exclusive }: StackingPolicy,
): Reason[] {
  const reasons: Reason[] = []
  if (placed.some((each) => each.play_id === play_id))
    reasons.push(reason('duplicate_prize', 'This prize is on the order already.', { actual: play_id }))
  if (placed.length >= prizes_per_order_max) {
    const message = `An order takes ${prizes_per_order_max} prize${prizes_per_order_max === 1 ? '' : 's'}.`
    const actual = placed.length + 1
    reasons.push(reason('prizes_per_order', message, { required: prizes_per_order_max, actual }))
  }
  const alone = [category, ...placed.map((each) => each.category)].find((each) => exclusive.includes(each))
  if (placed.length > 0 && alone !== undefined)
    reasons.push(reason('exclusive_prize', 'This prize and those on the order do not go together.'))
  return reasons
}

/** Nothing off the order, or a delivery that costs nothing anyway. */
function hasNoEffect({ effect }: Discount): boolean {
  if (effect.kind === 'order_discount') return effect.amount_minor === 0n
  return effect.kind === 'free_delivery' && effect.saved_minor === 0n
}
