/**
 * Whether a prize may be used: what a definition can demand, what is known about an order, and every reason why the
 * one does not fit the other, all at once. No clock, no SQL; facts about customers come from the tenant's service.
 */
import { z } from 'zod'
import { type FieldError, refuse } from '../errors.ts'
import { isOpen, localDay, nextOpening, type Schedule } from '../schedule.ts'
import { type Definition, discountFor, freeItemOf, type Order, takesEffect } from './discount.ts'
import {
  amountOf,
  amountText,
  decimalsOf,
  definedAmountOf,
  kilometresText,
  limitMetresOf,
  metresOf,
} from './money.ts'

// --- What a definition can demand ---------------------------------------------------------------------------------

/** A list beyond this is a catalogue, which belongs into the shop. */
const IDS_MAX = 200
/** More lines than a cart that people fill; a larger one would make a batch slow. */
const CART_LINES_MAX = 200
const QUANTITY_MAX = 10_000

const time = (last_hour: '23' | '24') =>
  z
    .string()
    .regex(
      last_hour === '24'
        ? /^(([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?|24:00(:00)?)$/
        : /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/,
      'a local time, HH:MM or HH:MM:SS',
    )
const decimal = z.string().regex(/^(0|[1-9]\d{0,11})(\.\d{1,4})?$/, 'a decimal amount')
const word = z.string().trim().min(1).max(32)
const words = z.array(word).min(1).max(20)

/** Foods, categories and zones live in the shop: a number or a text, compared as text. */
const idInput = z.union([z.int().min(0), z.string().min(1).max(128)])
const ids = z.array(idInput).min(1).max(IDS_MAX)

/** Every condition under the seed's name; null means that it is not demanded (seeds/002, "Advanced Prize Controls"). */
export const conditionFields = {
  /** `always`, or absent without times and days: no window. `specific_time`: the window of the next three. */
  schedule_type: z.enum(['always', 'specific_time']).nullable(),
  valid_from_time: time('23').nullable(),
  valid_until_time: time('24').nullable(),
  /** 1 = Monday ... 7 = Sunday, 0 also Sunday (features N6). */
  valid_days: z.array(z.int().min(0).max(7)).min(1).max(8).nullable(),
  min_order_amount: decimal.nullable(),
  /** Which amount has to reach the minimum; `initial` when nothing is said. */
  min_order_amount_basis: z.enum(['initial', 'before_discount', 'after_discount']).nullable(),
  /** Quantities count, not lines. */
  min_cart_items: z.int().min(1).max(10_000).nullable(),
  valid_order_types: words.nullable(),
  valid_payment_methods: words.nullable(),
  max_delivery_distance_km: z.union([z.number(), z.string().max(16)]).nullable(),
  valid_zone_ids: ids.nullable(),
  new_customer_only: z.boolean().nullable(),
  /** Orders that the customer completed before this one. */
  min_order_count: z.int().min(1).max(1_000_000).nullable(),
  /** Of the cart; of the item itself for a free_item. */
  valid_food_ids: ids.nullable(),
  /** `any`: one line of the cart fits; `all`: every line does. `any` when nothing is said. */
  valid_food_ids_match: z.enum(['any', 'all']).nullable(),
  valid_category_ids: ids.nullable(),
  valid_category_ids_match: z.enum(['any', 'all']).nullable(),
  /** Limits a discount; it refuses nothing. */
  max_discount_amount: decimal.nullable(),
} as const

/** The conditions of a definition as they are stored. Each may be absent; unknown ones are refused. */
export const conditionsSchema = z.strictObject(conditionFields).partial()

export type Conditions = z.infer<typeof conditionsSchema>
export type Id = z.infer<typeof idInput>

/**
 * What is wrong with conditions that have the right shape: those that contradict each other, mean nothing for the
 * type, or are no amounts of the currency. JSON pointers into the definition; empty when all is well.
 */
export function conditionFaults(
  { type, conditions }: Pick<Definition, 'type' | 'conditions'>,
  currency: string,
): FieldError[] {
  const faults: FieldError[] = []
  const fault = (pointer: keyof Conditions, detail: string) => faults.push({ pointer: `/${pointer}`, detail })
  const { schedule_type, valid_from_time, valid_until_time, valid_days } = conditions
  const has_window = Boolean(valid_from_time || valid_until_time || valid_days)

  if (schedule_type === 'always' && has_window)
    fault('schedule_type', 'A prize that is always valid has no days and times.')
  if (schedule_type === 'specific_time' && !has_window)
    fault('schedule_type', 'A specific time needs valid_days, valid_from_time or valid_until_time.')
  if (valid_until_time && secondsText(valid_from_time ?? '00:00') === secondsText(valid_until_time))
    fault('valid_until_time', 'A window begins and ends at different times.')

  for (const name of ['min_order_amount', 'max_discount_amount'] as const) {
    const text = conditions[name]
    if (text && !definedAmountOf(text, decimalsOf(currency)))
      fault(name, `An amount above 0 with at most ${decimalsOf(currency)} decimals.`)
  }
  if (conditions.min_order_amount_basis && !conditions.min_order_amount)
    fault('min_order_amount_basis', 'A basis needs a min_order_amount.')
  if (conditions.max_discount_amount && type !== 'discount_percentage' && type !== 'discount_fixed')
    fault('max_discount_amount', 'Only a discount has a maximum.')

  const { max_delivery_distance_km } = conditions
  if (max_delivery_distance_km != null && !limitMetresOf(max_delivery_distance_km))
    fault('max_delivery_distance_km', 'Kilometres above 0 with at most three decimals.')

  if (conditions.new_customer_only && conditions.min_order_count)
    fault('min_order_count', 'A new customer has no orders.')
  for (const name of ['valid_food_ids', 'valid_category_ids'] as const) {
    if (conditions[`${name}_match`] && !conditions[name]) fault(`${name}_match`, `A match needs ${name}.`)
    if (conditions[`${name}_match`] && type === 'free_item')
      fault(`${name}_match`, 'One item has nothing to match.')
  }
  if (type === 'free_item' && !conditions.valid_food_ids && !conditions.valid_category_ids)
    fault('valid_food_ids', 'A free item needs valid_food_ids or valid_category_ids.')
  return faults
}

const secondsText = (text: string) => (text.length === 5 ? `${text}:00` : text)

// --- What is known about an order ---------------------------------------------------------------------------------

/** A JSON number or decimal text (features N3); factsOf reads it exactly. */
const amountInput = z.union([z.number(), z.string().max(32)])
const itemFields = {
  id: idInput,
  category_id: idInput.nullish(),
  price: amountInput.nullish(),
}

/** What validate and apply accept about an order, all of it optional (features N2). Names are the seed's. */
export const orderFactsFields = {
  order_amount: amountInput.nullish(),
  order_type: word.nullish(),
  payment_method: word.nullish(),
  delivery_distance_km: z.union([z.number(), z.string().max(32)]).nullish(),
  zone_id: idInput.nullish(),
  cart_items: z
    .array(z.strictObject({ ...itemFields, quantity: z.int().min(1).max(QUANTITY_MAX).nullish() }))
    .max(CART_LINES_MAX)
    .nullish(),
  delivery_fee: amountInput.nullish(),
  /** Which item a free_item prize shall give. */
  free_item: z.strictObject(itemFields).nullish(),
  /** What discounts that are no prizes take off the order. */
  other_discount_amount: amountInput.nullish(),
} as const

export const orderFactsSchema = z.strictObject(orderFactsFields)
export type OrderFacts = z.infer<typeof orderFactsSchema>

export type Item = { id: Id; category_id: Id | null; price_minor: bigint | null; quantity: number }

/** Everything that a condition can ask about; null is unknown. Amounts in minor units of `currency`. */
export type Facts = {
  currency: string
  /** A hold for this very order is no obstacle to it. */
  order_id: string | null
  order_minor: bigint | null
  /** What other discounts, prizes included, took already. */
  other_discount_minor: bigint
  /** What percentages are of; the tenant's policy says so (stacking.ts). */
  percentage_on: 'initial' | 'discounted'
  order_type: string | null
  payment_method: string | null
  delivery_distance_m: number | null
  zone_id: Id | null
  cart_items: readonly Item[] | null
  delivery_fee_minor: bigint | null
  free_item: Item | null
  /** Completed orders before this one, as the tenant's service reported them. */
  customer_order_count: number | null
}

/** What the server knows itself about a request: nothing of it is taken from the request's facts. */
export type Context = Pick<Facts, 'currency' | 'order_id' | 'customer_order_count'>

/**
 * Reads the facts of a request exactly. Refuses invalid_input, naming every member that is no amount of the currency
 * or no distance, and other discounts beyond the order's amount.
 */
export function factsOf(input: OrderFacts, { currency, order_id, customer_order_count }: Context): Facts {
  const errors: FieldError[] = []
  const decimals = decimalsOf(currency)
  const amount = (pointer: string, value: number | string | null | undefined): bigint | null => {
    if (value == null) return null
    const amount_minor = amountOf(value, decimals)
    if (amount_minor === null)
      errors.push({ pointer, detail: `An amount of 0 or more with at most ${decimals} decimals.` })
    return amount_minor
  }
  const item = (pointer: string, { id, category_id, price, quantity }: ItemInput): Item => ({
    id,
    category_id: category_id ?? null,
    price_minor: amount(`${pointer}/price`, price),
    quantity: quantity ?? 1,
  })

  const facts: Facts = {
    currency,
    order_id,
    customer_order_count,
    order_minor: amount('/order_amount', input.order_amount),
    other_discount_minor: amount('/other_discount_amount', input.other_discount_amount) ?? 0n,
    percentage_on: 'initial',
    order_type: input.order_type ?? null,
    payment_method: input.payment_method ?? null,
    delivery_distance_m: input.delivery_distance_km == null ? null : metresOf(input.delivery_distance_km),
    zone_id: input.zone_id ?? null,
    cart_items: input.cart_items?.map((line, i) => item(`/cart_items/${i}`, line)) ?? null,
    delivery_fee_minor: amount('/delivery_fee', input.delivery_fee),
    free_item: input.free_item == null ? null : item('/free_item', input.free_item),
  }
  if (input.delivery_distance_km != null && facts.delivery_distance_m === null)
    errors.push({ pointer: '/delivery_distance_km', detail: 'Kilometres, 0 or more.' })
  if (facts.other_discount_minor > (facts.order_minor ?? 0n))
    errors.push({ pointer: '/other_discount_amount', detail: 'At most the order_amount.' })
  if (errors.length > 0) refuse('invalid_input', { errors })
  return facts
}

type ItemInput = {
  id: Id
  category_id?: Id | null | undefined
  price?: number | string | null | undefined
  quantity?: number | null | undefined
}

// --- Reasons ------------------------------------------------------------------------------------------------------

export type ReasonCode =
  // State of the prize, in order of precedence
  | 'prize_not_won'
  | 'prize_applied'
  | 'prize_expired'
  | 'prize_locked'
  | 'prize_under_review'
  | 'prize_gifted'
  | 'prize_traded'
  | 'prize_listed'
  | 'prize_held'
  // What the type needs
  | 'prize_type'
  | 'mystery_unresolved'
  | 'free_item_missing'
  | 'free_item'
  // One per condition, under its name, and one per fact that is not there
  | 'valid_days'
  | 'valid_from_time'
  | 'valid_until_time'
  | 'order_amount_missing'
  | 'min_order_amount'
  | 'cart_items_missing'
  | 'min_cart_items'
  | 'order_type_missing'
  | 'valid_order_types'
  | 'payment_method_missing'
  | 'valid_payment_methods'
  | 'delivery_distance_missing'
  | 'max_delivery_distance_km'
  | 'zone_missing'
  | 'valid_zone_ids'
  | 'customer_orders_missing'
  | 'new_customer_only'
  | 'min_order_count'
  | 'valid_food_ids'
  | 'category_missing'
  | 'valid_category_ids'
  // Other prizes on the same order (stacking.ts)
  | 'duplicate_prize'
  | 'prizes_per_order'
  | 'exclusive_prize'
  | 'no_effect'
  | 'all_or_nothing'
  // Only in a diagnosis
  | 'other_owner'
  | 'already_unlocked'

type Value = string | number | boolean | readonly Id[] | null

/**
 * One reason why a prize cannot be applied. Amounts and kilometres are decimal text, counts numbers. `missing` is by
 * how much the order falls short, or the name of a fact that was not given. `valid_from` is the next instant at which
 * this reason is gone by itself, null when that is unknown or never.
 */
export type Reason = {
  code: ReasonCode
  message: string
  required: Value
  actual: Value
  missing: Value
  valid_from: Date | null
}

/** A reason with what a rule knows about it. */
export function reason(code: ReasonCode, message: string, rest: Partial<Reason> = {}): Reason {
  return { code, message, required: null, actual: null, missing: null, valid_from: null, ...rest }
}

function unknown(code: ReasonCode, fact: string, message: string, required: Value = null): Reason {
  return reason(code, message, { required, missing: fact })
}

/** A reason as the five endpoints of the seed show it: the time without zone, in UTC (features N12). */
export function reasonView({ valid_from, ...rest }: Reason): Omit<Reason, 'valid_from'> & {
  valid_from: string | null
} {
  return { ...rest, valid_from: valid_from === null ? null : secondText(valid_from) }
}

/** As the seed shows times, in UTC: `2026-02-28 23:59:59`. A begun second counts as whole: nobody is told to come too early. */
function secondText(at: Date): string {
  const second = new Date(Math.ceil(at.getTime() / 1000) * 1000)
  return second.toISOString().slice(0, 19).replace('T', ' ')
}

// --- The state of a prize -----------------------------------------------------------------------------------------

/** Something beside the prize that binds it (features N7). A hold binds every order but its own, until its end. */
export type Restraint =
  | { kind: 'hold'; order_id: string; until: Date }
  | { kind: 'review' | 'gift' | 'trade' | 'listing'; until: Date | null }

/** A play as far as applying it is concerned. */
export type Prize = Definition & {
  is_winner: boolean
  prize_status: 'locked' | 'unlocked' | 'applied' | 'expired' | null
  /** Null never expires. */
  expires_at: Date | null
  /** 0 unless the definition was flagged for it when the prize was won. */
  grace_hours: number
  restraints: readonly Restraint[]
}

const HOUR_MS = 3_600_000

/** The last instant at which a prize can be used: its expiry plus its grace. Null is never. */
export function deadlineOf({
  expires_at,
  grace_hours,
}: Pick<Prize, 'expires_at' | 'grace_hours'>): Date | null {
  return expires_at && new Date(expires_at.getTime() + grace_hours * HOUR_MS)
}

/**
 * Whether the time of a prize is over, and whether it lives on its grace. The very millisecond of the deadline is
 * still in time, the next is not: `expires_at < now()` in seeds/002.
 */
export function isPastDeadline(prize: Pick<Prize, 'expires_at' | 'grace_hours'>, now: Date): boolean {
  const deadline = deadlineOf(prize)
  return deadline !== null && now > deadline
}

/** True between expiry and the end of the grace: the audit row of an application then says so (S2-42). */
export function isInGrace(prize: Pick<Prize, 'expires_at' | 'grace_hours'>, now: Date): boolean {
  return prize.expires_at !== null && now > prize.expires_at && !isPastDeadline(prize, now)
}

type State = {
  code: ReasonCode
  /** The reason when the prize is in this state, or null. */
  whyNot(prize: Prize, order_id: string | null, now: Date, time_zone: string): Reason | null
}

/** Only an open prize can be freed by waiting or by changing the order, and only its conditions may be shown. */
const CLOSING: ReadonlySet<ReasonCode> = new Set([
  'prize_not_won',
  'prize_applied',
  'prize_expired',
  'prize_locked',
])

function bound(code: ReasonCode, kind: Restraint['kind'], message: string): State {
  return {
    code,
    whyNot: ({ restraints }, _order, now) => {
      const found = restraints.find(({ kind: is, until }) => is === kind && (until === null || now < until))
      return found === undefined ? null : reason(code, message, { valid_from: found.until })
    },
  }
}

/** In order of precedence: the first reason is the one that a refusal is named after. */
const STATES: readonly State[] = [
  {
    code: 'prize_not_won',
    whyNot: ({ is_winner, prize_status }) =>
      is_winner && prize_status !== null ? null : reason('prize_not_won', 'This play won no prize.'),
  },
  {
    code: 'prize_applied',
    whyNot: ({ prize_status }) =>
      prize_status === 'applied' ? reason('prize_applied', 'The prize was used already.') : null,
  },
  {
    code: 'prize_expired',
    whyNot: (prize, _order, now) => {
      if (prize.prize_status === 'applied') return null
      if (prize.prize_status !== 'expired' && !isPastDeadline(prize, now)) return null
      const deadline = deadlineOf(prize)
      const required = deadline && secondText(deadline)
      return reason('prize_expired', 'The prize has expired.', { required, actual: secondText(now) })
    },
  },
  {
    code: 'prize_locked',
    whyNot: ({ prize_status }) =>
      prize_status === 'locked' ? reason('prize_locked', 'The prize is locked; unlock it first.') : null,
  },
  bound('prize_under_review', 'review', 'The payout of this prize waits for a review.'),
  bound('prize_gifted', 'gift', 'The prize is on its way to somebody as a gift.'),
  bound('prize_traded', 'trade', 'The prize is part of an open trade.'),
  bound('prize_listed', 'listing', 'The prize is listed on the marketplace.'),
  {
    code: 'prize_held',
    whyNot: ({ restraints }, order_id, now, time_zone) => {
      const hold = restraints.find(
        (each) => each.kind === 'hold' && each.order_id !== order_id && now < each.until,
      )
      if (hold?.until == null) return null
      return reason('prize_held', `The prize is held until ${clockText(hold.until, now, time_zone)}.`, {
        valid_from: hold.until,
      })
    },
  },
]

/**
 * Why a prize cannot be used, whatever the order, in order of precedence: prize_not_won, prize_applied,
 * prize_expired, prize_locked, prize_under_review, prize_gifted, prize_traded, prize_listed, prize_held. Pure.
 */
export function whyNotOpen(prize: Prize, order_id: string | null, now: Date, time_zone: string): Reason[] {
  return STATES.flatMap(({ whyNot }) => whyNot(prize, order_id, now, time_zone) ?? [])
}

/** The codes of whyNotOpen in their order. */
export const STATE_CODES: readonly ReasonCode[] = STATES.map(({ code }) => code)

/** What a wall clock of the time zone shows, with the day when it is another one. Begun minutes count as whole. */
function clockText(at: Date, now: Date, time_zone: string): string {
  const minute = new Date(Math.ceil(at.getTime() / 60_000) * 60_000)
  const day = localDay(minute, time_zone)
  const text = wallTime(minute, time_zone).slice(0, 5)
  return day === localDay(now, time_zone) ? text : `${day} ${text}`
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Local `HH:MM:SS`. */
function wallTime(at: Date, time_zone: string): string {
  const format =
    formats.get(time_zone) ??
    new Intl.DateTimeFormat('en-GB', { timeZone: time_zone, hourCycle: 'h23', timeStyle: 'medium' })
  formats.set(time_zone, format)
  return format.format(at)
}

// --- Conditions ---------------------------------------------------------------------------------------------------

/**
 * Every reason why a prize cannot be applied to an order now; empty when it can. Pure.
 *
 * First what its state says (whyNotOpen). A prize that is not won, applied, expired or locked answers nothing else: no
 * order would change that, and the conditions of a prize that was never opened are secret (S2-04). Then, all at
 * once, what its type needs and each condition in the order of the seed. A fact that a condition needs and the
 * request lacks is a reason of its own (features N2).
 */
export function whyNotApply(prize: Prize, facts: Facts, now: Date, time_zone: string): Reason[] {
  const state = whyNotOpen(prize, facts.order_id, now, time_zone)
  if (state.some(({ code }) => CLOSING.has(code))) return state
  const reasons = [
    ...state,
    ...typeReasons(prize, facts),
    ...scheduleReasons(prize, now, time_zone),
    ...RULES.flatMap((rule) => rule(prize, facts)),
  ]
  // Several conditions can lack the same fact, which is one reason.
  return reasons.filter(({ code }, i) => reasons.findIndex((each) => each.code === code) === i)
}

/**
 * Why a prize cannot be applied now to any order at all: state, type and hours. For lists, where no order is known
 * (`can_apply`, `why_not`, S2-68).
 */
export function whyNotNow(prize: Prize, now: Date, time_zone: string): Reason[] {
  const state = whyNotOpen(prize, null, now, time_zone)
  if (state.some(({ code }) => CLOSING.has(code))) return state
  return [...state, ...kindReasons(prize), ...scheduleReasons(prize, now, time_zone)]
}

function kindReasons({ type }: Prize): Reason[] {
  const takes_effect = takesEffect(type)
  if (takes_effect === 'won')
    return [reason('prize_type', 'This prize took effect when it was won.', { actual: type })]
  if (type === 'bundle')
    return [reason('prize_type', 'The parts of this bundle are prizes of their own.', { actual: type })]
  if (takes_effect === 'unlocked')
    return [reason('mystery_unresolved', 'The mystery of this prize is not resolved.', { actual: type })]
  return []
}

function typeReasons(prize: Prize, facts: Facts): Reason[] {
  if (prize.type === 'free_item') return freeItemReasons(prize.conditions, facts.free_item)
  const is_discount = prize.type === 'discount_percentage' || prize.type === 'discount_fixed'
  if (is_discount && facts.order_minor === null) return [noOrderAmount()]
  return kindReasons(prize)
}

const noOrderAmount = (required: Value = null) =>
  unknown('order_amount_missing', 'order_amount', 'The amount of the order is unknown.', required)

function freeItemReasons(conditions: Conditions, asked: Item | null): Reason[] {
  const foods = conditions.valid_food_ids ?? []
  const categories = conditions.valid_category_ids ?? []
  const allowed = [
    foods.length > 0 && `foods ${foods.join(', ')}`,
    categories.length > 0 && `categories ${categories.join(', ')}`,
  ]
  const message = `allowed: ${allowed.filter(Boolean).join('; ') || 'none'}`
  const required = foods.length > 0 ? foods : categories
  const item = freeItemOf(conditions, asked)
  if (item === null)
    return [unknown('free_item_missing', 'free_item', `Choose an item; ${message}.`, required)]
  if (isAmong(foods, item.id)) return []
  if (categories.length > 0 && item.category_id === null) {
    const text = `The category of the item is unknown; ${message}.`
    return [unknown('free_item_missing', 'free_item.category_id', text, required)]
  }
  if (item.category_id !== null && isAmong(categories, item.category_id)) return []
  return [reason('free_item', `This item is not free; ${message}.`, { required, actual: item.id })]
}

const isAmong = (allowed: readonly Id[], id: Id) => allowed.some((each) => String(each) === String(id))

/** Days and times are one window, so both know the same next opening; each that does not hold now is a reason. */
function scheduleReasons(prize: Prize, now: Date, time_zone: string): Reason[] {
  const { valid_days, valid_from_time, valid_until_time, schedule_type } = prize.conditions
  const schedule: Schedule = { valid_days, valid_from_time, valid_until_time }
  if (schedule_type === 'always' || isOpen(schedule, now, time_zone)) return []

  const deadline = deadlineOf(prize)
  const next = nextOpening(schedule, now, time_zone)
  const valid_from = next !== null && (deadline === null || next <= deadline) ? next : null
  const times: Schedule = { valid_from_time, valid_until_time }
  const is_time = isOpen(times, now, time_zone)
  const is_day = is_time ? false : isOpen({ valid_days }, now, time_zone)
  const actual = wallTime(now, time_zone)
  const again =
    valid_from === null
      ? 'It does not become valid before it expires.'
      : `It is valid from ${localDay(valid_from, time_zone)} ${wallTime(valid_from, time_zone)}.`

  const reasons: Reason[] = []
  if (!is_day) {
    const message = `Not valid on this day; allowed: ${dayNames(valid_days ?? [])}. ${again}`
    const weekday = weekdayOf(now, time_zone)
    reasons.push(reason('valid_days', message, { required: valid_days ?? [], actual: weekday, valid_from }))
  }
  if (is_time) return reasons
  // Before the window opens, or after it has closed. Over midnight it has always yet to open.
  if (valid_from_time && !isOpen({ valid_from_time }, now, time_zone)) {
    const message = `Not valid before ${valid_from_time}. ${again}`
    reasons.push(reason('valid_from_time', message, { required: valid_from_time, actual, valid_from }))
  } else {
    const message = `Not valid from ${valid_until_time} on. ${again}`
    reasons.push(reason('valid_until_time', message, { required: valid_until_time!, actual, valid_from }))
  }
  return reasons
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const dayNames = (days: readonly number[]) =>
  [...new Set(days.map((day) => day || 7))]
    .sort((a, b) => a - b)
    .map((day) => DAYS[day])
    .join(', ')

/** 1 = Monday ... 7 = Sunday. */
function weekdayOf(now: Date, time_zone: string): number {
  return new Date(`${localDay(now, time_zone)}T00:00:00Z`).getUTCDay() || 7
}

type Rule = (prize: Prize, facts: Facts) => Reason[]

const minOrderAmount: Rule = (prize, facts) => {
  const { min_order_amount, min_order_amount_basis } = prize.conditions
  if (min_order_amount == null) return []
  const { order_minor } = facts
  if (order_minor === null) return [noOrderAmount(min_order_amount)]

  const decimals = decimalsOf(facts.currency)
  const required_minor = definedAmountOf(min_order_amount, decimals)
  if (required_minor === null) throw new RangeError('min_order_amount is no amount of the currency')
  const basis = min_order_amount_basis ?? 'initial'
  const actual_minor = amountOn(basis, prize, { ...facts, order_minor })
  if (actual_minor >= required_minor) return []
  const missing = amountText(required_minor - actual_minor, decimals)
  return [
    reason('min_order_amount', `The order${BASIS_TEXT[basis]} is short by ${missing}.`, {
      required: amountText(required_minor, decimals),
      actual: amountText(actual_minor, decimals),
      missing,
    }),
  ]
}

type Basis = 'initial' | 'before_discount' | 'after_discount'
const BASIS_TEXT: Record<Basis, string> = {
  initial: '',
  before_discount: ', before this discount,',
  after_discount: ', after this discount,',
}

/** The amount that a minimum is held against (features 4.4, "Amount basis of a rule"). */
function amountOn(basis: Basis, prize: Prize, order: Order): bigint {
  if (basis === 'initial') return order.order_minor
  const before_minor = order.order_minor - order.other_discount_minor
  const is_discount = prize.type === 'discount_percentage' || prize.type === 'discount_fixed'
  return basis === 'after_discount' && is_discount ? discountFor(prize, order).final_minor : before_minor
}

const noCart = (required: Value) =>
  unknown('cart_items_missing', 'cart_items', 'What is in the cart is unknown.', required)

const minCartItems: Rule = ({ conditions: { min_cart_items } }, { cart_items }) => {
  if (min_cart_items == null) return []
  if (cart_items === null) return [noCart(min_cart_items)]
  const actual = cart_items.reduce((sum, { quantity }) => sum + quantity, 0)
  if (actual >= min_cart_items) return []
  const missing = min_cart_items - actual
  return [
    reason('min_cart_items', `The cart needs ${counted(missing, 'item')}.`, {
      required: min_cart_items,
      actual,
      missing,
    }),
  ]
}

const counted = (count: number, noun: string) => `${count} more ${noun}${count === 1 ? '' : 's'}`

/** A free delivery says nothing about orders that nobody delivers. */
const DELIVERY = ['delivery'] as const

const orderTypes: Rule = ({ type, conditions }, { order_type }) => {
  const allowed = conditions.valid_order_types ?? (type === 'free_delivery' ? DELIVERY : null)
  return oneOf(allowed, order_type, 'valid_order_types', 'order_type_missing', 'order_type', 'order type')
}

const paymentMethods: Rule = ({ conditions: { valid_payment_methods } }, { payment_method }) =>
  oneOf(
    valid_payment_methods,
    payment_method,
    'valid_payment_methods',
    'payment_method_missing',
    'payment_method',
    'payment method',
  )

const zones: Rule = ({ conditions: { valid_zone_ids } }, { zone_id }) =>
  oneOf(valid_zone_ids, zone_id, 'valid_zone_ids', 'zone_missing', 'zone_id', 'zone')

function oneOf(
  allowed: readonly Id[] | null | undefined,
  actual: Id | null,
  code: ReasonCode,
  missing_code: ReasonCode,
  fact: string,
  name: string,
): Reason[] {
  if (allowed == null) return []
  const list = `allowed: ${allowed.join(', ')}`
  if (actual === null) return [unknown(missing_code, fact, `The ${name} is unknown; ${list}.`, allowed)]
  if (isAmong(allowed, actual)) return []
  return [reason(code, `This ${name} does not qualify; ${list}.`, { required: allowed, actual })]
}

const deliveryDistance: Rule = ({ conditions: { max_delivery_distance_km } }, { delivery_distance_m }) => {
  if (max_delivery_distance_km == null) return []
  const limit_m = limitMetresOf(max_delivery_distance_km)
  if (limit_m === null) throw new RangeError('max_delivery_distance_km is no distance')
  const required = kilometresText(limit_m)
  if (delivery_distance_m === null) {
    const message = 'The distance of the delivery is unknown.'
    return [unknown('delivery_distance_missing', 'delivery_distance_km', message, required)]
  }
  if (delivery_distance_m <= limit_m) return []
  const missing = kilometresText(delivery_distance_m - limit_m)
  return [
    reason('max_delivery_distance_km', `The address is ${missing} km too far.`, {
      required,
      actual: kilometresText(delivery_distance_m),
      missing,
    }),
  ]
}

const noOrderCount = (required: Value) =>
  unknown(
    'customer_orders_missing',
    'customer_order_count',
    'How many orders the customer has completed is unknown.',
    required,
  )

const newCustomer: Rule = ({ conditions: { new_customer_only } }, { customer_order_count }) => {
  if (!new_customer_only) return []
  if (customer_order_count === null) return [noOrderCount(0)]
  if (customer_order_count === 0) return []
  const message = 'Only for a first order.'
  return [reason('new_customer_only', message, { required: 0, actual: customer_order_count })]
}

const orderCount: Rule = ({ conditions: { min_order_count } }, { customer_order_count }) => {
  if (min_order_count == null) return []
  if (customer_order_count === null) return [noOrderCount(min_order_count)]
  if (customer_order_count >= min_order_count) return []
  const missing = min_order_count - customer_order_count
  return [
    reason('min_order_count', `The customer needs ${counted(missing, 'order')}.`, {
      required: min_order_count,
      actual: customer_order_count,
      missing,
    }),
  ]
}

const foods: Rule = ({ type, conditions }, { cart_items }) => {
  const { valid_food_ids: allowed, valid_food_ids_match } = conditions
  if (allowed == null || type === 'free_item') return []
  if (cart_items === null) return [noCart(allowed)]
  const actual = cart_items.map(({ id }) => id)
  return matches(allowed, actual, valid_food_ids_match) ? [] : [misfit('valid_food_ids', allowed, actual)]
}

const categories: Rule = ({ type, conditions }, { cart_items }) => {
  const { valid_category_ids: allowed, valid_category_ids_match } = conditions
  if (allowed == null || type === 'free_item') return []
  if (cart_items === null) return [noCart(allowed)]
  const known = cart_items.flatMap(({ category_id }) => category_id ?? [])
  const is_whole = known.length === cart_items.length
  const fits = matches(allowed, known, valid_category_ids_match)
  const is_settled = valid_category_ids_match === 'all' ? !fits && known.length > 0 : fits
  // A line without category may still decide it: the one that fits, or the one that does not.
  if (!is_whole && !is_settled) {
    const message = 'The category of a line in the cart is unknown.'
    return [unknown('category_missing', 'cart_items.category_id', message, allowed)]
  }
  return fits ? [] : [misfit('valid_category_ids', allowed, known)]
}

/** An empty cart matches nothing. */
function matches(
  allowed: readonly Id[],
  actual: readonly Id[],
  match: 'any' | 'all' | null | undefined,
): boolean {
  const fitting = actual.filter((each) => isAmong(allowed, each)).length
  return match === 'all' ? fitting > 0 && fitting === actual.length : fitting > 0
}

function misfit(code: ReasonCode, allowed: readonly Id[], actual: readonly Id[]): Reason {
  const outside = [...new Set(actual.filter((each) => !isAmong(allowed, each)))]
  const message = `The cart does not qualify; allowed: ${allowed.join(', ')}.`
  return reason(code, message, { required: allowed, actual: outside })
}

/** In the order of the seed. */
const RULES: readonly Rule[] = [
  minOrderAmount,
  minCartItems,
  orderTypes,
  paymentMethods,
  deliveryDistance,
  zones,
  newCustomer,
  orderCount,
  foods,
  categories,
]
