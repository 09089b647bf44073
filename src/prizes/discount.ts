/**
 * What a prize is worth on an order, and what else it does: arithmetic in minor units, effects as data. It never asks
 * whether a prize may be used (conditions.ts does that) and writes nothing. Pure.
 */
import { z } from 'zod'
import type { Conditions, Facts, Id, Item } from './conditions.ts'
import type { PRIZE_TYPES } from './definitions.ts'
import { amountOf, amountText, decimalsOf, definedAmountOf, least, percentageOf } from './money.ts'

export type PrizeType = (typeof PRIZE_TYPES)[number]

/** The part of an issued prize (`prize_snapshot`) that decides what it does. */
export type Definition = { type: PrizeType; value: string | null; conditions: Conditions }

/** An order whose amount is known. */
export type Order = Pick<
  Facts,
  'currency' | 'other_discount_minor' | 'percentage_on' | 'delivery_fee_minor' | 'free_item'
> & { order_minor: bigint }

/** Kinds of `ledger_accounts` that a prize can fill. */
export type Account = 'loyalty_points' | 'wallet_credit' | 'cash' | 'free_bet' | 'coins'

/** Units that are counted, not divided. */
const POINTS = 'PTS'
const COINS = 'COIN'

/** What follows from a prize, for whoever carries it out. Amounts are minor units, points and coins whole numbers. */
export type Effect =
  | { kind: 'order_discount'; amount_minor: bigint }
  /** The fee becomes 0; what it was is saved, null when nobody said. */
  | { kind: 'free_delivery'; saved_minor: bigint | null }
  /** A line of quantity 1 at price 0 joins the cart. */
  | { kind: 'free_item'; item_id: Id; category_id: Id | null; saved_minor: bigint | null }
  /** One transfer from the house to the user's account of that kind; the unit is a currency, PTS or COIN. */
  | { kind: 'posting'; account: Account; unit: string; amount: bigint }
  /** A row in `spin_chances`. */
  | { kind: 'chances'; count: number }
  /** By a claim form, out of a queue, or by showing the prize's code. */
  | { kind: 'fulfilment'; by: 'claim' | 'queue' | 'code' }
  /** A FAIR/1 draw from the prize's pool decides what it becomes. */
  | { kind: 'draw'; pool: string | null }
  /** Its parts become prizes of their own. */
  | { kind: 'parts' }

type Facets = Pick<Order, 'currency' | 'delivery_fee_minor' | 'free_item'>
type Kind = {
  /** `won`: nothing is left to apply to an order. */
  takes_effect: 'won' | 'unlocked' | 'applied'
  effect(prize: Definition, order: Facets, discount_minor: bigint): Effect
}

const orderDiscount: Kind = {
  takes_effect: 'applied',
  effect: (_prize, _order, amount_minor) => ({ kind: 'order_discount', amount_minor }),
}

function posting(takes_effect: Kind['takes_effect'], account: Account, unit?: string): Kind {
  return {
    takes_effect,
    effect: (prize, { currency }) => ({
      kind: 'posting',
      account,
      unit: unit ?? currency,
      amount: definedValueOf(prize, unit === undefined ? decimalsOf(currency) : 0),
    }),
  }
}

function fulfilment(takes_effect: Kind['takes_effect'], by: 'claim' | 'queue' | 'code'): Kind {
  return { takes_effect, effect: () => ({ kind: 'fulfilment', by }) }
}

/** Features N1, "Effect of each reward value". */
const KINDS: Record<PrizeType, Kind> = {
  discount_percentage: orderDiscount,
  discount_fixed: orderDiscount,
  free_delivery: {
    takes_effect: 'applied',
    effect: (_prize, order) => ({ kind: 'free_delivery', saved_minor: order.delivery_fee_minor }),
  },
  free_item: {
    takes_effect: 'applied',
    effect: (prize, order) => {
      const item = freeItemOf(prize.conditions, order.free_item)
      if (item === null) throw new TypeError('a free item is applied without an item')
      const { id, category_id, price_minor } = item
      return { kind: 'free_item', item_id: id, category_id, saved_minor: price_minor }
    },
  },
  loyalty_points: posting('applied', 'loyalty_points', POINTS),
  wallet_credit: posting('applied', 'wallet_credit'),
  mystery: { takes_effect: 'unlocked', effect: ({ value }) => ({ kind: 'draw', pool: value }) },
  cash: posting('won', 'cash'),
  free_bet: posting('won', 'free_bet'),
  // seeds/001 calls it a boost of the user's balance, which is the one that buys.
  balance_boost: posting('won', 'wallet_credit'),
  coins: posting('won', 'coins', COINS),
  spin_chance: {
    takes_effect: 'won',
    effect: (prize) => ({ kind: 'chances', count: Number(definedValueOf(prize, 0)) }),
  },
  in_kind: fulfilment('won', 'claim'),
  product: fulfilment('won', 'claim'),
  digital: fulfilment('won', 'queue'),
  voucher: fulfilment('applied', 'code'),
  bundle: { takes_effect: 'unlocked', effect: () => ({ kind: 'parts' }) },
}

/** When a prize of this type does what it does: when it is won, unlocked, or applied to an order (features N1). */
export function takesEffect(type: PrizeType): 'won' | 'unlocked' | 'applied' {
  return KINDS[type].takes_effect
}

/** What a prize does besides the arithmetic. Throws when the definition's value means nothing: a bug of its writer. */
export function effectOf(prize: Definition, order: Facets, discount_minor = 0n): Effect {
  return KINDS[prize.type].effect(prize, order, discount_minor)
}

/** The item that a free_item prize gives: the one that was asked for, or else the only one that it can be. */
export function freeItemOf(conditions: Conditions, asked: Item | null): Item | null {
  if (asked !== null) return asked
  const foods = conditions.valid_food_ids ?? []
  const is_only = foods.length === 1 && (conditions.valid_category_ids ?? []).length === 0
  return is_only ? { id: foods[0]!, category_id: null, price_minor: null, quantity: 1 } : null
}

function definedValueOf({ type, value }: Definition, decimals: number): bigint {
  const amount = value === null ? null : definedAmountOf(value, decimals)
  if (amount === null) throw new RangeError(`a ${type} has no value of ${decimals} decimals`)
  return amount
}

// --- The calculation, and its trace -------------------------------------------------------------------------------

const decimal = z
  .string()
  .max(24)
  .regex(/^\d+(\.\d+)?$/)
const id = z.union([z.int(), z.string()])

const stepSchema = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('percentage'),
    on: z.enum(['initial', 'discounted']),
    of: decimal,
    percent: decimal,
    rounding: z.literal('half_up'),
    gives: decimal,
  }),
  z.strictObject({ op: z.literal('amount'), amount: decimal, gives: decimal }),
  z.strictObject({
    op: z.literal('at_most'),
    limit: decimal,
    because: z.enum(['max_discount_amount', 'amount_before']),
    gives: decimal,
  }),
])

const effectSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('order_discount'), amount: decimal }),
  z.strictObject({
    kind: z.literal('free_delivery'),
    delivery_fee: decimal,
    delivery_fee_before: decimal.nullable(),
    amount_saved: decimal.nullable(),
  }),
  z.strictObject({
    kind: z.literal('free_item'),
    line: z.strictObject({ id, category_id: id.nullable(), quantity: z.literal(1), price: decimal }),
    price_before: decimal.nullable(),
    amount_saved: decimal.nullable(),
  }),
  z.strictObject({ kind: z.literal('posting'), account: z.string(), unit: z.string(), amount: decimal }),
  z.strictObject({ kind: z.literal('chances'), count: z.int().min(1) }),
  z.strictObject({ kind: z.literal('fulfilment'), by: z.enum(['claim', 'queue', 'code']) }),
  z.strictObject({ kind: z.literal('draw'), pool: z.string().nullable() }),
  z.strictObject({ kind: z.literal('parts') }),
])

/** Where a prize came among those of its order: what the ones before it took is part of the other discounts. */
const stackingSchema = z.strictObject({
  /** Of the tenant's policy that was followed; 0 is the defaults. */
  policy_version: z.int().min(0),
  position: z.int().min(1),
  placed: z.array(z.strictObject({ play_id: z.int(), discount_amount: decimal })),
})

/**
 * `applied_details` as it is stored: the three members of the seed, and how they came about (S2-10). Texts and
 * integers only, so that it is canonical JSON. `decimals` stands in it, so that a later change of a currency does not
 * change what was.
 */
export const appliedDetailsSchema = z.strictObject({
  discount_amount: decimal,
  final_amount: decimal,
  application_type: z.string(),
  calculation: z.strictObject({
    v: z.literal(1),
    currency: z.string(),
    decimals: z.int().min(0).max(4),
    value: z.string().nullable(),
    order_amount: decimal,
    other_discount_amount: decimal,
    amount_before: decimal,
    steps: z.array(stepSchema).max(3),
    effect: effectSchema,
    stacking: stackingSchema.optional(),
  }),
})

export type AppliedDetails = z.infer<typeof appliedDetailsSchema>
type Step = z.infer<typeof stepSchema>

/** Amounts in minor units: before = order - other discounts, final = before - discount, none below zero. */
export type Discount = {
  before_minor: bigint
  discount_minor: bigint
  final_minor: bigint
  effect: Effect
  details: AppliedDetails
}

/**
 * Works out what a prize takes off an order and what else it does.
 *
 * A percentage is of the initial amount or of what other discounts left (`percentage_on`), rounded half up once, at
 * the end, and then capped by `max_discount_amount` and by what is left of the order; a fixed amount is capped by the
 * same two. Every other type takes nothing off: delivery fees and free items are no part of the order's amount.
 * Refuses nothing: whyNotApply is asked before. Other discounts beyond the order, and a value without meaning, are
 * bugs of the caller and throw.
 * Source: seeds/002, "Prize Types & Application Logic"; rounding: features N13.
 */
export function discountFor(prize: Definition, order: Order): Discount {
  const decimals = decimalsOf(order.currency)
  const text = (amount_minor: bigint) => amountText(amount_minor, decimals)
  const { order_minor, other_discount_minor } = order
  const before_minor = order_minor - other_discount_minor
  if (other_discount_minor < 0n || before_minor < 0n) throw new RangeError('other discounts exceed the order')

  const steps = stepsOf(prize, order, before_minor, text)
  const last = steps.at(-1)
  const discount_minor = last === undefined ? 0n : amountOf(last.gives, decimals)!
  const final_minor = before_minor - discount_minor
  const effect = effectOf(prize, order, discount_minor)
  const details: AppliedDetails = {
    discount_amount: text(discount_minor),
    final_amount: text(final_minor),
    application_type: prize.type,
    calculation: {
      v: 1,
      currency: order.currency,
      decimals,
      value: prize.value,
      order_amount: text(order_minor),
      other_discount_amount: text(other_discount_minor),
      amount_before: text(before_minor),
      steps,
      effect: effectText(effect, text),
    },
  }
  return { before_minor, discount_minor, final_minor, effect, details }
}

type ToText = (amount_minor: bigint) => string

function stepsOf(prize: Definition, order: Order, before_minor: bigint, text: ToText): Step[] {
  const begun = firstStepOf(prize, order, before_minor, text)
  if (begun === null) return []
  const { step, gives_minor } = begun
  const cap = prize.conditions.max_discount_amount ?? null
  if (cap === null) return [step, ...atMost(gives_minor, before_minor, 'amount_before', text)]
  const cap_minor = definedAmountOf(cap, decimalsOf(order.currency))
  if (cap_minor === null) throw new RangeError('max_discount_amount is no amount of the currency')
  return [
    step,
    ...atMost(gives_minor, cap_minor, 'max_discount_amount', text),
    ...atMost(least(gives_minor, cap_minor), before_minor, 'amount_before', text),
  ]
}

function firstStepOf(
  prize: Definition,
  order: Order,
  before_minor: bigint,
  text: ToText,
): { step: Step; gives_minor: bigint } | null {
  if (prize.type === 'discount_percentage') {
    const base_minor = order.percentage_on === 'initial' ? order.order_minor : before_minor
    const share_bps = definedValueOf(prize, 2)
    if (share_bps > 10_000n) throw new RangeError('a percentage above 100')
    const gives_minor = percentageOf(base_minor, share_bps)
    const step: Step = {
      op: 'percentage',
      on: order.percentage_on,
      of: text(base_minor),
      percent: amountText(share_bps, 2),
      rounding: 'half_up',
      gives: text(gives_minor),
    }
    return { step, gives_minor }
  }
  if (prize.type === 'discount_fixed') {
    const gives_minor = definedValueOf(prize, decimalsOf(order.currency))
    return { step: { op: 'amount', amount: text(gives_minor), gives: text(gives_minor) }, gives_minor }
  }
  return null
}

function atMost(
  amount_minor: bigint,
  limit_minor: bigint,
  because: 'max_discount_amount' | 'amount_before',
  text: ToText,
): Step[] {
  const gives = text(least(amount_minor, limit_minor))
  return [{ op: 'at_most', limit: text(limit_minor), because, gives }]
}

function effectText(effect: Effect, text: ToText): AppliedDetails['calculation']['effect'] {
  const orNull = (amount_minor: bigint | null) => (amount_minor === null ? null : text(amount_minor))
  switch (effect.kind) {
    case 'order_discount':
      return { kind: effect.kind, amount: text(effect.amount_minor) }
    case 'free_delivery': {
      const saved = orNull(effect.saved_minor)
      return { kind: effect.kind, delivery_fee: text(0n), delivery_fee_before: saved, amount_saved: saved }
    }
    case 'free_item': {
      const saved = orNull(effect.saved_minor)
      const line = {
        id: effect.item_id,
        category_id: effect.category_id,
        quantity: 1 as const,
        price: text(0n),
      }
      return { kind: effect.kind, line, price_before: saved, amount_saved: saved }
    }
    case 'posting': {
      const is_counted = effect.unit === POINTS || effect.unit === COINS
      return { ...effect, amount: is_counted ? String(effect.amount) : text(effect.amount) }
    }
    default:
      return effect
  }
}

// --- The second calculation ---------------------------------------------------------------------------------------

export type Recomputed = {
  discount_amount: string | null
  final_amount: string | null
  /** Where the trace does not hold, as paths into it; empty when everything does. */
  faults: string[]
}

/** The step that a type's calculation has to begin with; the others have none. */
const FIRST_STEP: Record<string, Step['op']> = { discount_percentage: 'percentage', discount_fixed: 'amount' }

/**
 * Calculates again what a stored `applied_details` claims, from its inputs and steps alone, and names every place
 * that does not follow (S2-10). Takes anything; what is no such document has the fault `details` and no amounts.
 * That value and maximum are those of the prize is for the reader to compare: the trace does not know the definition.
 */
export function recompute(details: unknown): Recomputed {
  const parsed = appliedDetailsSchema.safeParse(details)
  if (!parsed.success) return { discount_amount: null, final_amount: null, faults: ['details'] }
  const { calculation, ...stated } = parsed.data
  const { decimals, steps } = calculation
  const faults: string[] = []
  const expect = (path: string, stated_text: string | null, amount_minor: bigint) => {
    if (stated_text !== amountText(amount_minor, decimals)) faults.push(path)
  }
  const read = (path: string, text: string): bigint => {
    const amount_minor = amountOf(text, decimals)
    if (amount_minor === null) faults.push(path)
    return amount_minor ?? 0n
  }

  const order_minor = read('calculation.order_amount', calculation.order_amount)
  const before_minor =
    order_minor - read('calculation.other_discount_amount', calculation.other_discount_amount)
  if (steps[0]?.op !== FIRST_STEP[stated.application_type]) faults.push('calculation.steps')
  expect('calculation.amount_before', calculation.amount_before, before_minor)

  let running_minor = 0n
  for (const [i, step] of steps.entries()) {
    const at = `calculation.steps[${i}]`
    if (step.op === 'at_most') {
      const limit_minor = read(`${at}.limit`, step.limit)
      if (step.because === 'amount_before') expect(`${at}.limit`, step.limit, before_minor)
      running_minor = least(running_minor, limit_minor)
    } else if (i > 0) {
      faults.push(`${at}.op`)
    } else {
      running_minor = startOf(step, calculation, order_minor, before_minor, faults)
    }
    expect(`${at}.gives`, step.gives, running_minor)
  }
  expect('discount_amount', stated.discount_amount, running_minor)
  expect('final_amount', stated.final_amount, before_minor - running_minor)
  faults.push(...effectFaults(calculation, running_minor), ...stackingFaults(calculation))
  return {
    discount_amount: amountText(running_minor, decimals),
    final_amount: amountText(before_minor - running_minor, decimals),
    faults,
  }
}

type Calculation = AppliedDetails['calculation']

function startOf(
  step: Exclude<Step, { op: 'at_most' }>,
  { value, decimals }: Calculation,
  order_minor: bigint,
  before_minor: bigint,
  faults: string[],
): bigint {
  const is_percentage = step.op === 'percentage'
  const stated = is_percentage ? amountOf(step.percent, 2) : amountOf(step.amount, decimals)
  if (stated === null || stated !== definedAmountOf(value ?? '', is_percentage ? 2 : decimals)) {
    faults.push(is_percentage ? 'calculation.steps[0].percent' : 'calculation.steps[0].amount')
  }
  if (!is_percentage) return stated ?? 0n
  const base_minor = step.on === 'initial' ? order_minor : before_minor
  if (step.of !== amountText(base_minor, decimals)) faults.push('calculation.steps[0].of')
  return percentageOf(base_minor, stated ?? 0n)
}

/** What the prizes before took is within the other discounts, but for an order that has shrunk to what they took. */
function stackingFaults({ stacking, other_discount_amount, order_amount, decimals }: Calculation): string[] {
  if (stacking === undefined) return []
  const { position, placed } = stacking
  const minor = (text: string) => amountOf(text, decimals) ?? 0n
  const taken_minor = placed.reduce((sum, each) => sum + minor(each.discount_amount), 0n)
  const holds =
    position === placed.length + 1 &&
    (taken_minor <= minor(other_discount_amount) || other_discount_amount === order_amount)
  return holds ? [] : ['calculation.stacking']
}

function effectFaults({ effect, decimals, value, currency }: Calculation, discount_minor: bigint): string[] {
  const zero = amountText(0n, decimals)
  switch (effect.kind) {
    case 'order_discount':
      return effect.amount === amountText(discount_minor, decimals) ? [] : ['calculation.effect.amount']
    case 'free_delivery': {
      const holds = effect.delivery_fee === zero && effect.amount_saved === effect.delivery_fee_before
      return holds ? [] : ['calculation.effect']
    }
    case 'free_item': {
      const holds = effect.line.price === zero && effect.amount_saved === effect.price_before
      return holds ? [] : ['calculation.effect']
    }
    case 'posting': {
      const places = effect.unit === currency ? decimals : 0
      const amount = definedAmountOf(value ?? '', places)
      return amount !== null && effect.amount === amountText(amount, places)
        ? []
        : ['calculation.effect.amount']
    }
    case 'chances':
      return String(effect.count) === value ? [] : ['calculation.effect.count']
    default:
      return []
  }
}
