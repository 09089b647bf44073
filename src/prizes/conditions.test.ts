import assert from 'node:assert/strict'
import fc from 'fast-check'
import { propertyOptions } from '../../tests/fairness/seed.ts'
import { Refusal } from '../errors.ts'
import {
  type Conditions,
  type Context,
  conditionFaults,
  conditionsSchema,
  deadlineOf,
  type Facts,
  factsOf,
  isInGrace,
  isPastDeadline,
  type OrderFacts,
  orderFactsSchema,
  type Prize,
  type Reason,
  type ReasonCode,
  type Restraint,
  reasonView,
  STATE_CODES,
  whyNotApply,
  whyNotNow,
} from './conditions.ts'
import type { PrizeType } from './discount.ts'

const BERLIN = 'Europe/Berlin'
const at = (text: string) => new Date(text)
/** A Thursday, 13:00 in Berlin. */
const NOW = at('2026-02-26T12:00:00Z')

const aPrize = (conditions: Conditions = {}, rest: Partial<Prize> = {}): Prize => ({
  type: 'discount_percentage',
  value: '10.00',
  conditions: conditionsSchema.parse(conditions),
  is_winner: true,
  prize_status: 'unlocked',
  expires_at: null,
  grace_hours: 0,
  restraints: [],
  ...rest,
})

const CONTEXT: Context = { currency: 'EUR', order_id: '456', customer_order_count: null }

/** Facts as they come out of a request. */
const given = (request: OrderFacts = {}, context: Partial<Context> = {}): Facts =>
  factsOf(orderFactsSchema.parse({ order_amount: 75.5, ...request }), { ...CONTEXT, ...context })

const reasonsOf = (conditions: Conditions, facts: Facts = given(), now = NOW): Reason[] =>
  whyNotApply(aPrize(conditions), facts, now, BERLIN)

const codes = (reasons: readonly Reason[]) => reasons.map(({ code }) => code)

const plain = (code: ReasonCode, message: string, rest: Partial<Reason>): Reason => ({
  code,
  message,
  required: null,
  actual: null,
  missing: null,
  valid_from: null,
  ...rest,
})

// --- State --------------------------------------------------------------------------------------------------------

const HELD: Restraint = { kind: 'hold', order_id: '999', until: at('2026-02-26T12:05:00Z') }
const GIFT: Restraint = { kind: 'gift', until: null }
const TRADE: Restraint = { kind: 'trade', until: at('2026-02-27T12:00:00Z') }
const LISTING: Restraint = { kind: 'listing', until: null }
const BROKEN: Conditions = { valid_days: [6], min_order_amount: '500.00' }
const past = at('2026-02-26T11:59:59.999Z')

describe('conditions: the state of a prize', () => {
  // Each row breaks everything that is looked at later, too.
  const rows: { expected: ReasonCode[]; prize: Partial<Prize> }[] = [
    {
      expected: ['prize_not_won', 'prize_gifted', 'prize_traded', 'prize_listed', 'prize_held'],
      prize: { is_winner: false, prize_status: null, restraints: [HELD, LISTING, TRADE, GIFT] },
    },
    {
      expected: ['prize_applied', 'prize_gifted', 'prize_traded', 'prize_listed', 'prize_held'],
      prize: { prize_status: 'applied', expires_at: past, restraints: [HELD, LISTING, TRADE, GIFT] },
    },
    {
      expected: ['prize_expired', 'prize_gifted', 'prize_traded', 'prize_listed', 'prize_held'],
      prize: { prize_status: 'expired', expires_at: past, restraints: [HELD, LISTING, TRADE, GIFT] },
    },
    {
      expected: [
        'prize_expired',
        'prize_locked',
        'prize_gifted',
        'prize_traded',
        'prize_listed',
        'prize_held',
      ],
      prize: { prize_status: 'locked', expires_at: past, restraints: [HELD, LISTING, TRADE, GIFT] },
    },
    {
      expected: ['prize_locked', 'prize_gifted', 'prize_traded', 'prize_listed', 'prize_held'],
      prize: { prize_status: 'locked', restraints: [HELD, LISTING, TRADE, GIFT] },
    },
    {
      expected: [
        'prize_gifted',
        'prize_traded',
        'prize_listed',
        'prize_held',
        'valid_days',
        'min_order_amount',
      ],
      prize: { restraints: [HELD, LISTING, TRADE, GIFT] },
    },
    {
      expected: ['prize_traded', 'prize_listed', 'prize_held', 'valid_days', 'min_order_amount'],
      prize: { restraints: [HELD, LISTING, TRADE] },
    },
    {
      expected: ['prize_listed', 'prize_held', 'valid_days', 'min_order_amount'],
      prize: { restraints: [HELD, LISTING] },
    },
    { expected: ['prize_held', 'valid_days', 'min_order_amount'], prize: { restraints: [HELD] } },
    { expected: ['valid_days', 'min_order_amount'], prize: {} },
  ]
  for (const { expected, prize } of rows) {
    it(`S2-68 the reasons begin with ${expected[0]}: ${expected.join(', ')}`, () => {
      assert.deepEqual(codes(whyNotApply(aPrize(BROKEN, prize), given(), NOW, BERLIN)), expected)
    })
  }

  it('S2-68 the table of states is the order of precedence', () => {
    const order = ['prize_not_won', 'prize_applied', 'prize_expired', 'prize_locked']
    assert.deepEqual(STATE_CODES, [
      ...order,
      'prize_under_review',
      'prize_gifted',
      'prize_traded',
      'prize_listed',
      'prize_held',
    ])
  })

  it('S2-04 a locked prize says that it is locked and nothing about its conditions, type or value', () => {
    for (const type of ['mystery', 'free_item', 'cash', 'discount_fixed'] as const) {
      const prize = aPrize(BROKEN, { type, value: '4711', prize_status: 'locked' })
      const reasons = whyNotApply(prize, given(), NOW, BERLIN)
      assert.deepEqual(reasons, [plain('prize_locked', 'The prize is locked; unlock it first.', {})])
      assert.deepEqual(whyNotNow(prize, NOW, BERLIN), reasons)
    }
  })

  for (const { when, grace_hours, expired, in_grace } of [
    { when: '2026-02-26T11:59:59.999Z', grace_hours: 0, expired: false, in_grace: false },
    { when: '2026-02-26T12:00:00.000Z', grace_hours: 0, expired: false, in_grace: false },
    { when: '2026-02-26T12:00:00.001Z', grace_hours: 0, expired: true, in_grace: false },
    { when: '2026-02-26T12:00:01.000Z', grace_hours: 0, expired: true, in_grace: false },
    { when: '2026-02-26T12:00:00.000Z', grace_hours: 24, expired: false, in_grace: false },
    { when: '2026-02-26T12:00:00.001Z', grace_hours: 24, expired: false, in_grace: true },
    { when: '2026-02-27T11:00:00.000Z', grace_hours: 24, expired: false, in_grace: true },
    { when: '2026-02-27T12:00:00.000Z', grace_hours: 24, expired: false, in_grace: true },
    { when: '2026-02-27T12:00:00.001Z', grace_hours: 24, expired: true, in_grace: false },
  ]) {
    it(`S2-38 S2-42 with ${grace_hours} h of grace a prize of 12:00 is ${expired ? 'over' : 'good'} at ${when}`, () => {
      const prize = aPrize({}, { expires_at: at('2026-02-26T12:00:00.000Z'), grace_hours })
      assert.deepEqual(codes(whyNotApply(prize, given(), at(when), BERLIN)), expired ? ['prize_expired'] : [])
      assert.deepEqual([isPastDeadline(prize, at(when)), isInGrace(prize, at(when))], [expired, in_grace])
    })
  }

  it('S2-38 an expired prize says until when it was good, as a seed time, with its grace', () => {
    const prize = aPrize({}, { expires_at: at('2026-02-25T12:00:00Z'), grace_hours: 24 })
    assert.deepEqual(whyNotApply(prize, given(), at('2026-02-26T12:00:00.001Z'), BERLIN), [
      plain('prize_expired', 'The prize has expired.', {
        required: '2026-02-26 12:00:00',
        actual: '2026-02-26 12:00:01',
      }),
    ])
  })

  it('S2-07 what the sweep expired stays expired, whatever the clock says', () => {
    const prize = aPrize({}, { prize_status: 'expired', expires_at: at('2030-01-01T00:00:00Z') })
    assert.deepEqual(codes(whyNotApply(prize, given(), NOW, BERLIN)), ['prize_expired'])
  })

  it('S2-41 a prize without expiry applies a year later, and in a thousand', () => {
    assert.equal(deadlineOf(aPrize()), null)
    for (const later of ['2027-02-26T12:00:00Z', '3026-02-26T12:00:00Z'])
      assert.deepEqual(reasonsOf({}, given(), at(later)), [])
  })

  it('P-27 a second checkout is told until when the prize is held, in local time, and not for whom', () => {
    const prize = aPrize({}, { restraints: [{ ...HELD, until: at('2026-02-26T12:05:00Z') }] })
    const [reason, ...rest] = whyNotApply(prize, given(), NOW, 'UTC')
    assert.deepEqual(rest, [])
    assert.deepEqual(
      reason,
      plain('prize_held', 'The prize is held until 12:05.', { valid_from: HELD.until }),
    )
    assert.ok(!JSON.stringify(reason).includes('999'))
    assert.match(whyNotApply(prize, given(), NOW, BERLIN)[0]!.message, /held until 13:05/)
    const next_day = aPrize({}, { restraints: [{ ...HELD, until: at('2026-02-27T12:04:00.001Z') }] })
    assert.match(whyNotApply(next_day, given(), NOW, 'UTC')[0]!.message, /held until 2026-02-27 12:05/)
  })

  it('P-27 a hold binds neither its own order nor anybody from its end on', () => {
    const prize = aPrize({}, { restraints: [HELD] })
    assert.deepEqual(whyNotApply(prize, given({}, { order_id: '999' }), NOW, BERLIN), [])
    assert.deepEqual(codes(whyNotApply(prize, given(), at('2026-02-26T12:04:59.999Z'), BERLIN)), [
      'prize_held',
    ])
    assert.deepEqual(whyNotApply(prize, given(), at('2026-02-26T12:05:00Z'), BERLIN), [])
  })

  it('S2-63 a trade with an end binds until then, a listing without one as long as it stands', () => {
    const reasons = whyNotApply(aPrize({}, { restraints: [TRADE, LISTING] }), given(), NOW, BERLIN)
    assert.deepEqual(codes(reasons), ['prize_traded', 'prize_listed'])
    assert.deepEqual(reasons[0]!.valid_from, TRADE.until)
    const later = whyNotApply(aPrize({}, { restraints: [TRADE] }), given(), TRADE.until!, BERLIN)
    assert.deepEqual(later, [])
  })

  it('S2-68 a list without an order knows state, type and hours, and nothing about orders', () => {
    assert.deepEqual(codes(whyNotNow(aPrize({ min_order_amount: '50.00' }), NOW, BERLIN)), [])
    assert.deepEqual(codes(whyNotNow(aPrize(BROKEN, { restraints: [HELD] }), NOW, BERLIN)), [
      'prize_held',
      'valid_days',
    ])
  })
})

// --- Time windows -------------------------------------------------------------------------------------------------

const OFFICE: Conditions = {
  schedule_type: 'specific_time',
  valid_from_time: '09:00:00',
  valid_until_time: '21:00:00',
  valid_days: [1, 2, 3, 4, 5],
}
const NIGHT: Conditions = { valid_from_time: '22:00', valid_until_time: '02:00' }
const NIGHT_OF_FRIDAY: Conditions = { ...NIGHT, valid_days: [5] }
/** Half past two does not exist in Berlin on 2026-03-29, and exists twice on 2026-10-25. */
const GAP: Conditions = { valid_from_time: '02:15:00', valid_until_time: '02:45:00' }

describe('conditions: days and times', () => {
  for (const { what, conditions, now, expected, next } of [
    {
      what: 'Mon-Fri 09-21 on Thursday at 13:00',
      conditions: OFFICE,
      now: '2026-02-26T12:00:00Z',
      expected: [],
    },
    { what: 'its first instant', conditions: OFFICE, now: '2026-02-26T08:00:00Z', expected: [] },
    { what: 'its last millisecond', conditions: OFFICE, now: '2026-02-26T19:59:59.999Z', expected: [] },
    {
      what: 'a millisecond before it',
      conditions: OFFICE,
      now: '2026-02-26T07:59:59.999Z',
      expected: ['valid_from_time'],
      next: '2026-02-26T08:00:00Z',
    },
    {
      what: 'its end',
      conditions: OFFICE,
      now: '2026-02-26T20:00:00Z',
      expected: ['valid_until_time'],
      next: '2026-02-27T08:00:00Z',
    },
    {
      what: 'Saturday at 13:00',
      conditions: OFFICE,
      now: '2026-02-28T12:00:00Z',
      expected: ['valid_days'],
      next: '2026-03-02T08:00:00Z',
    },
    {
      what: 'Saturday at 22:00, wrong twice',
      conditions: OFFICE,
      now: '2026-02-28T21:00:00Z',
      expected: ['valid_days', 'valid_until_time'],
      next: '2026-03-02T08:00:00Z',
    },
    {
      what: 'Sunday before the jump: nine o clock on Monday is an hour earlier in UTC',
      conditions: OFFICE,
      now: '2026-03-28T12:00:00Z',
      expected: ['valid_days'],
      next: '2026-03-30T07:00:00Z',
    },
    {
      what: 'and an hour later after the clocks went back',
      conditions: OFFICE,
      now: '2026-10-24T12:00:00Z',
      expected: ['valid_days'],
      next: '2026-10-26T08:00:00Z',
    },
    { what: '22-02 at 23:30', conditions: NIGHT, now: '2026-02-26T22:30:00Z', expected: [] },
    { what: '22-02 at 01:59', conditions: NIGHT, now: '2026-02-26T00:59:00Z', expected: [] },
    {
      what: '22-02 at 02:00',
      conditions: NIGHT,
      now: '2026-02-26T01:00:00Z',
      expected: ['valid_from_time'],
      next: '2026-02-26T21:00:00Z',
    },
    {
      what: 'the night of Friday on Saturday at 01:00',
      conditions: NIGHT_OF_FRIDAY,
      now: '2026-02-28T00:00:00Z',
      expected: [],
    },
    {
      what: 'the night of Friday on Friday at 01:00',
      conditions: NIGHT_OF_FRIDAY,
      now: '2026-02-27T00:00:00Z',
      expected: ['valid_days'],
      next: '2026-02-27T21:00:00Z',
    },
    {
      what: 'the night of Friday on Saturday at noon',
      conditions: NIGHT_OF_FRIDAY,
      now: '2026-02-28T11:00:00Z',
      expected: ['valid_days', 'valid_from_time'],
      next: '2026-03-06T21:00:00Z',
    },
    {
      what: '22-02 in the night of the jump: 02:00 is skipped, and 03:00 is no part of it',
      conditions: NIGHT,
      now: '2026-03-29T01:00:00Z',
      expected: ['valid_from_time'],
      next: '2026-03-29T20:00:00Z',
    },
    {
      what: 'a window inside the hour that the clocks skip comes the next day',
      conditions: GAP,
      now: '2026-03-29T00:30:00Z',
      expected: ['valid_from_time'],
      next: '2026-03-30T00:15:00Z',
    },
    { what: 'the first half past two', conditions: GAP, now: '2026-10-25T00:30:00Z', expected: [] },
    { what: 'the second half past two', conditions: GAP, now: '2026-10-25T01:30:00Z', expected: [] },
    {
      what: 'between the two',
      conditions: GAP,
      now: '2026-10-25T00:50:00Z',
      expected: ['valid_until_time'],
      next: '2026-10-25T01:15:00Z',
    },
    { what: '0 as Sunday', conditions: { valid_days: [0] }, now: '2026-03-01T12:00:00Z', expected: [] },
    { what: '7 as Sunday', conditions: { valid_days: [7] }, now: '2026-03-01T12:00:00Z', expected: [] },
    {
      what: 'no end: until midnight',
      conditions: { valid_from_time: '18:00' },
      now: '2026-02-26T12:00:00Z',
      expected: ['valid_from_time'],
      next: '2026-02-26T17:00:00Z',
    },
    {
      what: 'no start: from midnight',
      conditions: { valid_until_time: '12:00' },
      now: '2026-02-26T12:00:00Z',
      expected: ['valid_until_time'],
      next: '2026-02-26T23:00:00Z',
    },
  ] as { what: string; conditions: Conditions; now: string; expected: ReasonCode[]; next?: string }[]) {
    it(`S2-28 ${what}: ${expected.join(', ') || 'valid'}${next ? `, next ${next}` : ''}`, () => {
      const reasons = reasonsOf(conditions, given(), at(now))
      assert.deepEqual(codes(reasons), expected)
      for (const { valid_from } of reasons) {
        assert.deepEqual(valid_from, at(next!))
        assert.deepEqual(reasonsOf(conditions, given(), valid_from!), [])
        assert.notDeepEqual(reasonsOf(conditions, given(), new Date(valid_from!.getTime() - 1)), [])
      }
    })
  }

  it('S2-28 Saturday is told the days, the next time in words, and the same as a seed time', () => {
    const [reason] = reasonsOf(OFFICE, given(), at('2026-02-28T12:00:00Z'))
    assert.deepEqual(reasonView(reason!), {
      code: 'valid_days',
      message:
        'Not valid on this day; allowed: Mon, Tue, Wed, Thu, Fri. It is valid from 2026-03-02 09:00:00.',
      required: [1, 2, 3, 4, 5],
      actual: 6,
      missing: null,
      valid_from: '2026-03-02 08:00:00',
    })
  })

  it('S2-28 a window that opens after the prize has expired is no promise', () => {
    const prize = aPrize(OFFICE, { expires_at: at('2026-03-02T07:59:59.999Z') })
    const [reason] = whyNotApply(prize, given(), at('2026-02-28T12:00:00Z'), BERLIN)
    assert.equal(reason!.valid_from, null)
    assert.match(reason!.message, /does not become valid before it expires/)
    const longer = aPrize(OFFICE, { expires_at: at('2026-03-02T08:00:00.000Z') })
    const [other] = whyNotApply(longer, given(), at('2026-02-28T12:00:00Z'), BERLIN)
    assert.deepEqual(other!.valid_from, at('2026-03-02T08:00:00Z'))
  })

  it('S2-28 a time with milliseconds is shown rounded up, so that nobody comes too early', () => {
    const view = reasonView(plain('prize_held', '', { valid_from: at('2026-02-28T23:59:59.001Z') }))
    assert.equal(view.valid_from, '2026-03-01 00:00:00')
  })
})

// --- Conditions of the order --------------------------------------------------------------------------------------

const cart = (...lines: [id: number, category_id?: number, quantity?: number][]): OrderFacts => ({
  cart_items: lines.map(([id, category_id, quantity]) => ({ id, category_id, quantity, price: 15.0 })),
})

describe('conditions: the order', () => {
  it('S2-20 F10: 45.00 against a minimum of 50.00 is short by 5.00', () => {
    const request = orderFactsSchema.parse({
      order_amount: 45.0,
      order_type: 'delivery',
      delivery_distance_km: 5.2,
      payment_method: 'card',
      cart_items: [
        { id: 1, category_id: 2, price: 15.0 },
        { id: 3, category_id: 2, price: 30.0 },
      ],
    })
    const conditions: Conditions = { min_order_amount: '50.00', valid_order_types: ['delivery', 'takeaway'] }
    assert.deepEqual(reasonsOf(conditions, factsOf(request, CONTEXT)), [
      plain('min_order_amount', 'The order is short by 5.00.', {
        required: '50.00',
        actual: '45.00',
        missing: '5.00',
      }),
    ])
  })

  type Row = {
    id: string
    conditions: Conditions
    request: OrderFacts
    orders?: number
    expected: Partial<Reason> | null
  }
  const rows: Row[] = [
    {
      id: 'S2-21',
      conditions: { min_order_amount: '50.00' },
      request: { order_amount: '50.00' },
      expected: null,
    },
    {
      id: 'S2-21',
      conditions: { min_order_amount: '50.00' },
      request: { order_amount: 49.99 },
      expected: {
        code: 'min_order_amount',
        message: 'The order is short by 0.01.',
        required: '50.00',
        actual: '49.99',
        missing: '0.01',
      },
    },
    {
      id: 'S2-29',
      conditions: { min_order_amount: '10.00', min_order_amount_basis: 'initial' },
      request: { order_amount: 10.5, other_discount_amount: 1 },
      expected: null,
    },
    {
      id: 'S2-29',
      conditions: { min_order_amount: '10.00', min_order_amount_basis: 'before_discount' },
      request: { order_amount: 10.5, other_discount_amount: 1 },
      expected: {
        code: 'min_order_amount',
        message: 'The order, before this discount, is short by 0.50.',
        actual: '9.50',
        missing: '0.50',
      },
    },
    {
      id: 'S2-29',
      conditions: { min_order_amount: '9.45', min_order_amount_basis: 'after_discount' },
      request: { order_amount: 10.5 },
      expected: null,
    },
    {
      id: 'S2-29',
      conditions: { min_order_amount: '9.46', min_order_amount_basis: 'after_discount' },
      request: { order_amount: 10.5 },
      expected: {
        code: 'min_order_amount',
        message: 'The order, after this discount, is short by 0.01.',
        actual: '9.45',
      },
    },
    { id: 'S2-30', conditions: { min_cart_items: 2 }, request: cart([1, 2, 3]), expected: null },
    { id: 'S2-30', conditions: { min_cart_items: 2 }, request: cart([1, 2], [3, 2]), expected: null },
    {
      id: 'S2-30',
      conditions: { min_cart_items: 2 },
      request: cart([1, 2]),
      expected: {
        code: 'min_cart_items',
        message: 'The cart needs 1 more item.',
        required: 2,
        actual: 1,
        missing: 1,
      },
    },
    {
      id: 'S2-30',
      conditions: { min_cart_items: 2 },
      request: { cart_items: [] },
      expected: { code: 'min_cart_items', message: 'The cart needs 2 more items.', missing: 2 },
    },
    {
      id: 'S2-30',
      conditions: { min_cart_items: 2 },
      request: {},
      expected: { code: 'cart_items_missing', required: 2, missing: 'cart_items' },
    },
    {
      id: 'S2-31',
      conditions: { valid_order_types: ['delivery', 'takeaway'] },
      request: { order_type: 'takeaway' },
      expected: null,
    },
    {
      id: 'S2-31',
      conditions: { valid_order_types: ['delivery', 'takeaway'] },
      request: { order_type: 'pickup' },
      expected: {
        code: 'valid_order_types',
        message: 'This order type does not qualify; allowed: delivery, takeaway.',
        required: ['delivery', 'takeaway'],
        actual: 'pickup',
      },
    },
    {
      id: 'S2-31',
      conditions: { valid_order_types: ['delivery'] },
      request: {},
      expected: { code: 'order_type_missing', required: ['delivery'], missing: 'order_type' },
    },
    {
      id: 'S2-32',
      conditions: { valid_payment_methods: ['card', 'paypal'] },
      request: { payment_method: 'paypal' },
      expected: null,
    },
    {
      id: 'S2-32',
      conditions: { valid_payment_methods: ['card', 'paypal'] },
      request: { payment_method: 'cash' },
      expected: {
        code: 'valid_payment_methods',
        message: 'This payment method does not qualify; allowed: card, paypal.',
        required: ['card', 'paypal'],
        actual: 'cash',
      },
    },
    {
      id: 'S2-32',
      conditions: { valid_payment_methods: ['card', 'paypal'] },
      request: { payment_method: null },
      expected: { code: 'payment_method_missing', missing: 'payment_method' },
    },
    {
      id: 'S2-33',
      conditions: { max_delivery_distance_km: 15 },
      request: { delivery_distance_km: 15.0 },
      expected: null,
    },
    {
      id: 'S2-33',
      conditions: { max_delivery_distance_km: 15 },
      request: { delivery_distance_km: 15.01 },
      expected: {
        code: 'max_delivery_distance_km',
        message: 'The address is 0.01 km too far.',
        required: '15',
        actual: '15.01',
        missing: '0.01',
      },
    },
    {
      id: 'S2-33',
      conditions: { max_delivery_distance_km: '15.000' },
      request: { delivery_distance_km: '15.0000001' },
      expected: { code: 'max_delivery_distance_km', message: 'The address is 0.001 km too far.' },
    },
    {
      id: 'S2-33',
      conditions: { max_delivery_distance_km: 15 },
      request: {},
      expected: { code: 'delivery_distance_missing', required: '15', missing: 'delivery_distance_km' },
    },
    { id: 'S2-34', conditions: { valid_zone_ids: [1, 2, 5] }, request: { zone_id: 5 }, expected: null },
    { id: 'S2-34', conditions: { valid_zone_ids: [1, 2, 5] }, request: { zone_id: '5' }, expected: null },
    {
      id: 'S2-34',
      conditions: { valid_zone_ids: [1, 2, 5] },
      request: { zone_id: 3 },
      expected: {
        code: 'valid_zone_ids',
        message: 'This zone does not qualify; allowed: 1, 2, 5.',
        required: [1, 2, 5],
        actual: 3,
      },
    },
    {
      id: 'S2-34',
      conditions: { valid_zone_ids: [1, 2, 5] },
      request: {},
      expected: { code: 'zone_missing', required: [1, 2, 5], missing: 'zone_id' },
    },
    { id: 'S2-35', conditions: { new_customer_only: true }, request: {}, orders: 0, expected: null },
    { id: 'S2-35', conditions: { new_customer_only: false }, request: {}, orders: 9, expected: null },
    {
      id: 'S2-35',
      conditions: { new_customer_only: true },
      request: {},
      orders: 1,
      expected: { code: 'new_customer_only', message: 'Only for a first order.', required: 0, actual: 1 },
    },
    {
      id: 'S2-35',
      conditions: { new_customer_only: true },
      request: {},
      expected: { code: 'customer_orders_missing', missing: 'customer_order_count' },
    },
    { id: 'S2-36', conditions: { min_order_count: 5 }, request: {}, orders: 5, expected: null },
    {
      id: 'S2-36',
      conditions: { min_order_count: 5 },
      request: {},
      orders: 4,
      expected: {
        code: 'min_order_count',
        message: 'The customer needs 1 more order.',
        required: 5,
        actual: 4,
        missing: 1,
      },
    },
    {
      id: 'S2-36',
      conditions: { min_order_count: 5 },
      request: {},
      orders: 0,
      expected: { code: 'min_order_count', message: 'The customer needs 5 more orders.', missing: 5 },
    },
    {
      id: 'S2-36',
      conditions: { min_order_count: 5 },
      request: {},
      expected: { code: 'customer_orders_missing', required: 5 },
    },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3] },
      request: cart([1, 2], [3, 2]),
      expected: null,
    },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3], valid_category_ids_match: 'all' },
      request: cart([1, 2], [3, 2]),
      expected: null,
    },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3] },
      request: cart([1, 2], [3, 9]),
      expected: null,
    },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3], valid_category_ids_match: 'all' },
      request: cart([1, 2], [3, 9]),
      expected: { code: 'valid_category_ids', required: [2, 3], actual: [9] },
    },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3] },
      request: cart([1, 8], [3, 9], [4, 9]),
      expected: { code: 'valid_category_ids', actual: [8, 9] },
    },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3] },
      request: cart([1, 9], [3]),
      expected: { code: 'category_missing', missing: 'cart_items.category_id' },
    },
    { id: 'S2-37', conditions: { valid_category_ids: [2, 3] }, request: cart([1, 2], [3]), expected: null },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3], valid_category_ids_match: 'all' },
      request: cart([1, 2], [3]),
      expected: { code: 'category_missing' },
    },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3], valid_category_ids_match: 'all' },
      request: cart([1, 9], [3]),
      expected: { code: 'valid_category_ids', actual: [9] },
    },
    {
      id: 'S2-37',
      conditions: { valid_category_ids: [2, 3], valid_category_ids_match: 'all' },
      request: { cart_items: [] },
      expected: { code: 'valid_category_ids', actual: [] },
    },
    { id: 'S2-37', conditions: { valid_food_ids: [1, 5, 12] }, request: cart([7], [12]), expected: null },
    {
      id: 'S2-37',
      conditions: { valid_food_ids: [1, 5, 12], valid_food_ids_match: 'all' },
      request: cart([7], [12]),
      expected: { code: 'valid_food_ids', required: [1, 5, 12], actual: [7] },
    },
  ]
  for (const { id, conditions, request, orders = null, expected } of rows) {
    const facts = () => given(request, { customer_order_count: orders })
    const asked = `${JSON.stringify(conditions)} of ${JSON.stringify(request)}, ${orders} orders`
    it(`${id} ${asked}: ${expected === null ? 'valid' : expected.code}`, () => {
      const reasons = reasonsOf(conditions, facts())
      assert.equal(reasons.length, expected === null ? 0 : 1, JSON.stringify(reasons))
      if (expected !== null) assert.deepEqual({ ...reasons[0]!, ...expected }, reasons[0])
    })
  }

  const ALL: Conditions = {
    valid_from_time: '18:00',
    valid_days: [6],
    min_order_amount: '100.00',
    min_cart_items: 2,
    valid_order_types: ['delivery'],
    valid_payment_methods: ['card'],
    max_delivery_distance_km: 1,
    valid_zone_ids: [1],
    min_order_count: 5,
    valid_food_ids: [8],
    valid_category_ids: [9],
  }

  it('S2-20 everything that is wrong is said at once, in the order of the seed', () => {
    const request: OrderFacts = {
      order_amount: 1,
      order_type: 'pickup',
      payment_method: 'cash',
      delivery_distance_km: 2,
      zone_id: 2,
      ...cart([1, 2]),
    }
    assert.deepEqual(codes(reasonsOf(ALL, given(request, { customer_order_count: 0 }))), [
      'valid_days',
      'valid_from_time',
      'min_order_amount',
      'min_cart_items',
      'valid_order_types',
      'valid_payment_methods',
      'max_delivery_distance_km',
      'valid_zone_ids',
      'min_order_count',
      'valid_food_ids',
      'valid_category_ids',
    ])
  })

  it('S2-18 N2 each fact that a condition needs and the request lacks is one reason of its own', () => {
    const nothing = factsOf({}, CONTEXT)
    const reasons = reasonsOf({ ...ALL, valid_from_time: null, valid_days: null }, nothing)
    assert.deepEqual(codes(reasons), [
      'order_amount_missing',
      'cart_items_missing',
      'order_type_missing',
      'payment_method_missing',
      'delivery_distance_missing',
      'zone_missing',
      'customer_orders_missing',
    ])
    for (const { missing } of reasons) assert.equal(typeof missing, 'string')
    assert.deepEqual(reasonsOf({}, { ...nothing, order_minor: 1n }), [])
  })
})

describe('conditions: what a type needs', () => {
  const of = (type: PrizeType, conditions: Conditions, request: OrderFacts, value: string | null = null) =>
    whyNotApply(aPrize(conditions, { type, value }), given(request), NOW, BERLIN)

  it('S2-23 free delivery refuses a takeaway order even where no order types are named', () => {
    assert.deepEqual(of('free_delivery', {}, { order_type: 'delivery' }), [])
    assert.deepEqual(codes(of('free_delivery', {}, { order_type: 'takeaway' })), ['valid_order_types'])
    assert.deepEqual(codes(of('free_delivery', { max_delivery_distance_km: 10 }, {})), [
      'order_type_missing',
      'delivery_distance_missing',
    ])
    const far = { order_type: 'delivery', delivery_distance_km: 10.001 }
    assert.deepEqual(codes(of('free_delivery', { max_delivery_distance_km: 10 }, far)), [
      'max_delivery_distance_km',
    ])
  })

  const ITEM: Conditions = { valid_food_ids: [1, 5, 12], valid_category_ids: [2, 3] }
  for (const { what, free_item, expected } of [
    { what: 'a listed food', free_item: { id: 5 }, expected: [] },
    { what: 'a food of a listed category', free_item: { id: 77, category_id: 3 }, expected: [] },
    { what: 'another food', free_item: { id: 77, category_id: 9 }, expected: ['free_item'] },
    { what: 'a food of unknown category', free_item: { id: 77 }, expected: ['free_item_missing'] },
    { what: 'no choice', free_item: null, expected: ['free_item_missing'] },
  ] as { what: string; free_item: OrderFacts['free_item']; expected: ReasonCode[] }[]) {
    it(`S2-26 a free item that is ${what}: ${expected.join() || 'valid'}, whatever is in the cart`, () => {
      const reasons = of('free_item', ITEM, { free_item, ...cart([99, 99]) })
      assert.deepEqual(codes(reasons), expected)
      if (reasons.length > 0) assert.match(reasons[0]!.message, /allowed: foods 1, 5, 12; categories 2, 3/)
    })
  }

  it('S2-26 a definition that names no item gives none', () => {
    assert.deepEqual(codes(of('free_item', {}, { free_item: { id: 1, category_id: 1 } })), ['free_item'])
  })

  it('S2-27 an unresolved mystery cannot be applied, nor can what took effect when it was won', () => {
    assert.deepEqual(codes(of('mystery', {}, {}, 'random')), ['mystery_unresolved'])
    assert.deepEqual(codes(of('cash', {}, {}, '5.00')), ['prize_type'])
    assert.deepEqual(codes(of('loyalty_points', {}, {}, '100')), [])
  })
})

// --- Definitions and requests -------------------------------------------------------------------------------------

describe('conditions: definitions', () => {
  const SEED: Conditions = {
    min_order_amount: '50.00',
    max_discount_amount: '25.00',
    max_delivery_distance_km: 10,
    valid_order_types: ['delivery', 'takeaway'],
    valid_food_ids: [1, 5, 12],
    valid_category_ids: [2, 3],
    schedule_type: 'specific_time',
    valid_from_time: '09:00:00',
    valid_until_time: '21:00:00',
    valid_days: [1, 2, 3, 4, 5],
    min_cart_items: 2,
    valid_payment_methods: ['card', 'paypal'],
    valid_zone_ids: [1, 2, 5],
    min_order_count: 5,
  }

  it('S2-12 every condition of the seed is taken as it is written there', () => {
    assert.deepEqual(conditionsSchema.parse(SEED), SEED)
    assert.deepEqual(conditionFaults({ type: 'discount_percentage', conditions: SEED }, 'EUR'), [])
    assert.deepEqual(conditionsSchema.parse({ new_customer_only: true }), { new_customer_only: true })
    const nulls = Object.fromEntries(Object.keys(SEED).map((name) => [name, null]))
    assert.deepEqual(
      conditionFaults({ type: 'voucher', conditions: conditionsSchema.parse(nulls) }, 'EUR'),
      [],
    )
  })

  it('S2-12 what is no condition is refused', () => {
    const hostile: Record<string, unknown>[] = [
      { unheard_of: 1 },
      { schedule_type: 'sometimes' },
      ...['24:00', '9:00', '09:60', '09:00:60', '25:00', '', '09:00\n', 9].map((each) => ({
        valid_from_time: each,
      })),
      ...[[], [8], [-1], [1.5], ['1'], Array(9).fill(1)].map((each) => ({ valid_days: each })),
      ...['', '-1', '1.00001', '1e3', 50, '050', ' 50'].map((each) => ({ min_order_amount: each })),
      ...[0, -1, 1.5, 10_001, '2'].map((each) => ({ min_cart_items: each })),
      ...[[], [''], ['  '], ['x'.repeat(33)], 'delivery', [1]].map((each) => ({ valid_order_types: each })),
      ...[[], [null], [-1], [1.5], [''], ['x'.repeat(129)], Array(201).fill(1)].map((each) => ({
        valid_zone_ids: each,
      })),
      { new_customer_only: 'yes' },
      { min_order_amount_basis: 'net' },
      { valid_food_ids_match: 'none' },
    ]
    assert.deepEqual(
      hostile.filter((each) => conditionsSchema.safeParse(each).success),
      [],
    )
    assert.ok(conditionsSchema.safeParse({ valid_until_time: '24:00' }).success)
  })

  for (const { what, type = 'discount_fixed', conditions, pointer, currency = 'EUR' } of [
    {
      what: 'always, but with days',
      conditions: { schedule_type: 'always', valid_days: [1] },
      pointer: '/schedule_type',
    },
    {
      what: 'a specific time without one',
      conditions: { schedule_type: 'specific_time' },
      pointer: '/schedule_type',
    },
    {
      what: 'an empty window',
      conditions: { valid_from_time: '09:00', valid_until_time: '09:00:00' },
      pointer: '/valid_until_time',
    },
    {
      what: 'an end at the start of the day',
      conditions: { valid_until_time: '00:00' },
      pointer: '/valid_until_time',
    },
    { what: 'a minimum of nothing', conditions: { min_order_amount: '0.00' }, pointer: '/min_order_amount' },
    {
      what: 'half a yen',
      conditions: { min_order_amount: '0.50' },
      currency: 'JPY',
      pointer: '/min_order_amount',
    },
    {
      what: 'a basis without a minimum',
      conditions: { min_order_amount_basis: 'initial' },
      pointer: '/min_order_amount_basis',
    },
    {
      what: 'a maximum of what is no discount',
      type: 'loyalty_points',
      conditions: { max_discount_amount: '5.00' },
      pointer: '/max_discount_amount',
    },
    {
      what: 'no way at all',
      conditions: { max_delivery_distance_km: 0 },
      pointer: '/max_delivery_distance_km',
    },
    {
      what: 'millimetres',
      conditions: { max_delivery_distance_km: 1.0001 },
      pointer: '/max_delivery_distance_km',
    },
    {
      what: 'a way in words',
      conditions: { max_delivery_distance_km: 'far' },
      pointer: '/max_delivery_distance_km',
    },
    {
      what: 'new customers with five orders',
      conditions: { new_customer_only: true, min_order_count: 5 },
      pointer: '/min_order_count',
    },
    {
      what: 'a match of nothing',
      conditions: { valid_food_ids_match: 'all' },
      pointer: '/valid_food_ids_match',
    },
    { what: 'a free item that is none', type: 'free_item', conditions: {}, pointer: '/valid_food_ids' },
    {
      what: 'a free item that matches',
      type: 'free_item',
      conditions: { valid_food_ids: [1], valid_food_ids_match: 'all' },
      pointer: '/valid_food_ids_match',
    },
  ] as { what: string; type?: PrizeType; conditions: Conditions; pointer: string; currency?: string }[]) {
    it(`S2-12 a definition with ${what} has a fault at ${pointer}`, () => {
      const parsed = conditionsSchema.parse(conditions)
      const faults = conditionFaults({ type, conditions: parsed }, currency)
      assert.deepEqual([...new Set(faults.map((fault) => fault.pointer))], [pointer])
    })
  }
})

describe('conditions: facts of a request', () => {
  const pointersOf = (request: OrderFacts): string[] => {
    try {
      factsOf(request, CONTEXT)
      return []
    } catch (error) {
      assert.ok(error instanceof Refusal && error.code === 'invalid_input')
      return error.detail.errors!.map(({ pointer }) => pointer)
    }
  }

  it('S2-18 N3 an amount is the same as a JSON number and as text', () => {
    const text = '{"order_amount": 75.50, "delivery_fee": 3.9, "delivery_distance_km": 5.2}'
    const number = factsOf(orderFactsSchema.parse(JSON.parse(text)), CONTEXT)
    const same = { order_amount: '75.50', delivery_fee: '3.90', delivery_distance_km: '5.200' }
    assert.deepEqual(factsOf(orderFactsSchema.parse(same), CONTEXT), number)
    assert.deepEqual([number.order_minor, number.delivery_distance_m], [7550n, 5200])
  })

  it('S2-20 N4 a line without quantity counts once', () => {
    const { cart_items } = given({ cart_items: [{ id: 1 }, { id: 'b', quantity: 3, price: '1.50' }] })
    assert.deepEqual(cart_items, [
      { id: 1, category_id: null, price_minor: null, quantity: 1 },
      { id: 'b', category_id: null, price_minor: 150n, quantity: 3 },
    ])
  })

  it('S2-18 every member that is no amount or distance is named', () => {
    const request: OrderFacts = {
      order_amount: 75.505,
      other_discount_amount: '-1',
      delivery_distance_km: '5 km',
      delivery_fee: 'free',
      cart_items: [{ id: 1 }, { id: 2, price: '1,50' }],
      free_item: { id: 1, price: 1e21 },
    }
    assert.deepEqual(pointersOf(request).sort(), [
      '/cart_items/1/price',
      '/delivery_distance_km',
      '/delivery_fee',
      '/free_item/price',
      '/order_amount',
      '/other_discount_amount',
    ])
  })

  it('S2-29 other discounts beyond the order, or of an unknown amount, are refused', () => {
    assert.deepEqual(pointersOf({ order_amount: 10, other_discount_amount: '10.00' }), [])
    assert.deepEqual(pointersOf({ order_amount: 10, other_discount_amount: '10.01' }), [
      '/other_discount_amount',
    ])
    assert.deepEqual(pointersOf({ other_discount_amount: '0.01' }), ['/other_discount_amount'])
  })

  it('S2-20 facts that the seed does not know, and the ones about customers, are refused', () => {
    const hostile: Record<string, unknown>[] = [
      { customer_order_count: 99 },
      { is_new_customer: true },
      { currency: 'JPY' },
      { order_amount: null, cart_items: 'all' },
      { order_amount: {} },
      { order_amount: [75.5] },
      { order_amount: true },
      { order_amount: '7'.repeat(33) },
      { order_type: ['delivery'] },
      { order_type: '' },
      { zone_id: 1.5 },
      { zone_id: -1 },
      { cart_items: [{ id: 1, quantity: 0 }] },
      { cart_items: [{ id: 1, quantity: -1 }] },
      { cart_items: [{ id: 1, quantity: 1.5 }] },
      { cart_items: [{ id: 1, quantity: 10_001 }] },
      { cart_items: [{ price: 1 }] },
      { cart_items: Array.from({ length: 201 }, (_, id) => ({ id })) },
    ]
    assert.deepEqual(
      hostile.filter((each) => orderFactsSchema.safeParse(each).success),
      [],
    )
  })

  it('S2-20 whatever a request says, it is refused or answered, never an accident', () => {
    const value = fc.oneof(fc.double(), fc.string(), fc.integer(), fc.constant(null), fc.constant(undefined))
    const request = fc.record({
      order_amount: value,
      other_discount_amount: value,
      delivery_distance_km: value,
      zone_id: value,
      order_type: value,
      cart_items: fc.option(fc.array(fc.record({ id: value, category_id: value, quantity: value }))),
    })
    const conditions: Conditions = {
      min_order_amount: '50.00',
      min_order_amount_basis: 'after_discount',
      max_delivery_distance_km: 15,
      valid_zone_ids: [1],
      min_cart_items: 2,
      valid_category_ids: [1],
    }
    fc.assert(
      fc.property(request, (body) => {
        const parsed = orderFactsSchema.safeParse(body)
        if (!parsed.success || pointersOf(parsed.data).length > 0) return
        for (const { code, message } of reasonsOf(conditions, factsOf(parsed.data, CONTEXT)))
          assert.ok(code && message.endsWith('.') && !/NaN|undefined|null/.test(message), message)
      }),
      propertyOptions(1_000),
    )
  })
})

describe('conditions: properties', () => {
  it('S2-29 a larger order never meets fewer minimums, on any basis', () => {
    const basis = fc.constantFrom('initial' as const, 'before_discount' as const, 'after_discount' as const)
    fc.assert(
      fc.property(fc.nat(20_000), fc.nat(5_000), fc.nat(20_000), basis, (low, more, min, which) => {
        const conditions: Conditions = {
          min_order_amount: `${Math.floor(min / 100)}.${String(min % 100).padStart(2, '0')}`,
          min_order_amount_basis: which,
        }
        const count = (minor: number) =>
          reasonsOf(conditions, { ...given(), order_minor: BigInt(minor) }).length
        assert.ok(count(low + more) <= count(low))
      }),
      propertyOptions(500),
    )
  })

  it('S2-20 an order that brings what is missing is short of nothing', () => {
    fc.assert(
      fc.property(fc.nat(9_999), fc.integer({ min: 1, max: 99 }), fc.nat(99), (order, count, items) => {
        const conditions: Conditions = { min_order_amount: '100.00', min_cart_items: count }
        const cart_items = [{ id: 1, category_id: null, price_minor: null, quantity: items + 1 }]
        const facts: Facts = { ...given(), order_minor: BigInt(order), cart_items }
        const missing = Object.fromEntries(
          reasonsOf(conditions, facts).map((each) => [each.code, each.missing]),
        )
        const mended: Facts = {
          ...facts,
          order_minor:
            facts.order_minor! + BigInt(String(missing['min_order_amount'] ?? '0').replace('.', '')),
          cart_items: [{ ...cart_items[0]!, quantity: items + 1 + Number(missing['min_cart_items'] ?? 0) }],
        }
        assert.deepEqual(reasonsOf(conditions, mended), [])
      }),
      propertyOptions(500),
    )
  })
})
