import assert from 'node:assert/strict'
import fc from 'fast-check'
import { propertyOptions } from '../../tests/fairness/seed.ts'
import { jcs } from '../fairness/canonical.ts'
import type { Conditions } from './conditions.ts'
import { PRIZE_TYPES } from './definitions.ts'
import {
  type AppliedDetails,
  appliedDetailsSchema,
  type Definition,
  discountFor,
  effectOf,
  freeItemOf,
  type Order,
  type PrizeType,
  recompute,
  takesEffect,
} from './discount.ts'
import { amountOf, amountText, decimalsOf } from './money.ts'

const aPrize = (type: PrizeType, value: string | null, conditions: Conditions = {}): Definition => ({
  type,
  value,
  conditions,
})

const anOrder = (amount: string, rest: Partial<Order> = {}): Order => {
  const currency = rest.currency ?? 'EUR'
  return {
    currency,
    order_minor: amountOf(amount, decimalsOf(currency))!,
    other_discount_minor: 0n,
    percentage_on: 'initial',
    delivery_fee_minor: null,
    free_item: null,
    ...rest,
  }
}

/** Discount and final amount as the seed writes them. */
function amounts(prize: Definition, order: Order): string {
  const { details } = discountFor(prize, order)
  return `${details.discount_amount} ${details.final_amount}`
}

const FIFTEEN = aPrize('discount_percentage', '15.00', { max_discount_amount: '25.00' })

const textual = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

describe('discount: order discounts', () => {
  it('S2-18 F10: 10 % of 75.50 is 7.55 off, and 67.95 are left', () => {
    const { details } = discountFor(aPrize('discount_percentage', '10.00'), anOrder('75.50'))
    const { calculation, ...seed } = details
    assert.deepEqual(seed, {
      discount_amount: '7.55',
      final_amount: '67.95',
      application_type: 'discount_percentage',
    })
    assert.equal(calculation.order_amount, '75.50')
  })

  for (const [amount, expected] of [
    ['200.00', '25.00 175.00'],
    ['166.70', '25.00 141.70'],
    ['166.67', '25.00 141.67'],
    ['166.63', '24.99 141.64'],
    ['100.00', '15.00 85.00'],
    ['50.00', '7.50 42.50'],
    ['0.00', '0.00 0.00'],
  ] as const) {
    it(`S2-21 15 % with a maximum of 25.00 takes from ${amount}: ${expected}`, () => {
      assert.equal(amounts(FIFTEEN, anOrder(amount)), expected)
    })
  }

  for (const [value, amount, expected] of [
    ['10.00', '6.50', '6.50 0.00'],
    ['10.00', '10.00', '10.00 0.00'],
    ['10.00', '10.01', '10.00 0.01'],
    ['10.00', '30.00', '10.00 20.00'],
    ['10', '30.00', '10.00 20.00'],
    ['0.01', '0.00', '0.00 0.00'],
  ] as const) {
    it(`S2-22 ${value} off ${amount} gives ${expected}`, () => {
      assert.equal(amounts(aPrize('discount_fixed', value), anOrder(amount)), expected)
    })
  }

  it('S2-22 a fixed discount keeps its maximum too', () => {
    const prize = aPrize('discount_fixed', '10.00', { max_discount_amount: '4.00' })
    assert.equal(amounts(prize, anOrder('30.00')), '4.00 26.00')
  })

  for (const [percent, amount, expected] of [
    ['10.00', '0.05', '0.01 0.04'],
    ['10.00', '0.04', '0.00 0.04'],
    ['12.50', '0.99', '0.12 0.87'],
    ['12.50', '1.00', '0.13 0.87'],
    ['33.33', '10.00', '3.33 6.67'],
    ['0.01', '50.00', '0.01 49.99'],
    ['0.01', '49.99', '0.00 49.99'],
    ['100.00', '9999999999999.99', '9999999999999.99 0.00'],
  ] as const) {
    it(`S2-21 N13 ${percent} % of ${amount} is rounded once, half up: ${expected}`, () => {
      assert.equal(amounts(aPrize('discount_percentage', percent), anOrder(amount)), expected)
    })
  }

  it('S2-21 N13 the minor unit is that of the currency', () => {
    assert.equal(amounts(aPrize('discount_percentage', '10'), anOrder('755', { currency: 'JPY' })), '76 679')
    assert.equal(
      amounts(aPrize('discount_percentage', '10'), anOrder('7.555', { currency: 'KWD' })),
      '0.756 6.799',
    )
    assert.equal(amounts(aPrize('discount_fixed', '50.00'), anOrder('755', { currency: 'JPY' })), '50 705')
  })

  it('P-29 a percentage is of the initial amount or of what is left, and never takes more than is left', () => {
    const half = aPrize('discount_percentage', '50')
    const other_discount_minor = 6_000n
    assert.equal(amounts(half, anOrder('100.00', { other_discount_minor })), '40.00 0.00')
    assert.equal(
      amounts(half, anOrder('100.00', { other_discount_minor, percentage_on: 'discounted' })),
      '20.00 20.00',
    )
  })

  it('S2-21 what only a bug can pass on is thrown, and gives no discount', () => {
    assert.throws(
      () => discountFor(FIFTEEN, anOrder('10.00', { other_discount_minor: 1_001n })),
      /exceed the order/,
    )
    assert.throws(() => discountFor(FIFTEEN, anOrder('10.00', { other_discount_minor: -1n })), /exceed/)
    assert.throws(() => discountFor(aPrize('discount_percentage', '100.01'), anOrder('1')), /above 100/)
    for (const value of [null, 'random', '-5', '1e2', ''])
      assert.throws(() => discountFor(aPrize('discount_fixed', value), anOrder('1')), /no value/)
  })
})

describe('discount: effects', () => {
  it('S2-23 free delivery sets the fee to 0, records what was saved and leaves the order as it is', () => {
    const prize = aPrize('free_delivery', null)
    const { effect, details } = discountFor(prize, anOrder('20.00', { delivery_fee_minor: 390n }))
    assert.deepEqual(effect, { kind: 'free_delivery', saved_minor: 390n })
    assert.deepEqual(details.calculation.effect, {
      kind: 'free_delivery',
      delivery_fee: '0.00',
      delivery_fee_before: '3.90',
      amount_saved: '3.90',
    })
    assert.equal(`${details.discount_amount} ${details.final_amount}`, '0.00 20.00')
  })

  it('S2-23 a fee that nobody stated is 0 all the same, and what was saved is unknown', () => {
    const { details } = discountFor(aPrize('free_delivery', null), anOrder('20.00'))
    assert.deepEqual(details.calculation.effect, {
      kind: 'free_delivery',
      delivery_fee: '0.00',
      delivery_fee_before: null,
      amount_saved: null,
    })
  })

  it('S2-24 100 loyalty points are one posting of 100 points', () => {
    const { effect, details } = discountFor(aPrize('loyalty_points', '100'), anOrder('20.00'))
    assert.deepEqual(effect, { kind: 'posting', account: 'loyalty_points', unit: 'PTS', amount: 100n })
    assert.deepEqual(details.calculation.effect, { ...effect, amount: '100' })
    assert.equal(details.discount_amount, '0.00')
  })

  it('S2-25 a credit of 20.00 is one posting of it in the currency of the tenant', () => {
    const prize = aPrize('wallet_credit', '20.00')
    const { effect, details } = discountFor(prize, anOrder('20.00'))
    assert.deepEqual(effect, { kind: 'posting', account: 'wallet_credit', unit: 'EUR', amount: 2_000n })
    assert.deepEqual(details.calculation.effect, { ...effect, amount: '20.00' })
    const yen = effectOf(prize, { currency: 'JPY', delivery_fee_minor: null, free_item: null })
    assert.deepEqual(yen, { kind: 'posting', account: 'wallet_credit', unit: 'JPY', amount: 20n })
  })

  it('S2-26 a free item is a line at price 0, and what it would have cost is saved', () => {
    const prize = aPrize('free_item', null, { valid_food_ids: [1, 5, 12], valid_category_ids: [2, 3] })
    const free_item = { id: 5, category_id: 2, price_minor: 450n, quantity: 1 }
    const { details } = discountFor(prize, anOrder('20.00', { free_item }))
    assert.deepEqual(details.calculation.effect, {
      kind: 'free_item',
      line: { id: 5, category_id: 2, quantity: 1, price: '0.00' },
      price_before: '4.50',
      amount_saved: '4.50',
    })
    assert.equal(`${details.discount_amount} ${details.final_amount}`, '0.00 20.00')
  })

  it('S2-26 the item needs no choice only where the definition leaves none', () => {
    const only = { id: 7, category_id: null, price_minor: null, quantity: 1 }
    assert.deepEqual(freeItemOf({ valid_food_ids: [7] }, null), only)
    assert.equal(freeItemOf({ valid_food_ids: [7, 8] }, null), null)
    assert.equal(freeItemOf({ valid_food_ids: [7], valid_category_ids: [2] }, null), null)
    assert.equal(freeItemOf({ valid_category_ids: [2] }, null), null)
    assert.throws(() => discountFor(aPrize('free_item', null), anOrder('1.00')), /without an item/)
  })

  const facets = { currency: 'EUR', delivery_fee_minor: null, free_item: null }
  for (const [type, value, when, effect] of [
    ['mystery', 'random', 'unlocked', { kind: 'draw', pool: 'random' }],
    ['bundle', null, 'unlocked', { kind: 'parts' }],
    ['cash', '5.00', 'won', { kind: 'posting', account: 'cash', unit: 'EUR', amount: 500n }],
    ['free_bet', '5.00', 'won', { kind: 'posting', account: 'free_bet', unit: 'EUR', amount: 500n }],
    [
      'balance_boost',
      '5.00',
      'won',
      { kind: 'posting', account: 'wallet_credit', unit: 'EUR', amount: 500n },
    ],
    ['coins', '250', 'won', { kind: 'posting', account: 'coins', unit: 'COIN', amount: 250n }],
    ['spin_chance', '3', 'won', { kind: 'chances', count: 3 }],
    ['in_kind', null, 'won', { kind: 'fulfilment', by: 'claim' }],
    ['product', null, 'won', { kind: 'fulfilment', by: 'claim' }],
    ['digital', null, 'won', { kind: 'fulfilment', by: 'queue' }],
    ['voucher', null, 'applied', { kind: 'fulfilment', by: 'code' }],
  ] as const) {
    it(`S1-12 N1 a prize of type ${type} means ${JSON.stringify(effect, textual)} when it is ${when}`, () => {
      assert.equal(takesEffect(type), when)
      assert.deepEqual(effectOf(aPrize(type, value), facets), effect)
    })
  }

  it('S1-12 every type that a definition can have has an effect', () => {
    const values: Partial<Record<PrizeType, string>> = { mystery: 'random' }
    const free_item = { id: 1, category_id: null, price_minor: null, quantity: 1 }
    for (const type of PRIZE_TYPES) {
      const { details } = discountFor(aPrize(type, values[type] ?? '5'), anOrder('10.00', { free_item }))
      assert.deepEqual(recompute(details).faults, [], type)
    }
  })
})

// --- Properties ---------------------------------------------------------------------------------------------------

const share = fc.integer({ min: 1, max: 10_000 }).map((bps) => amountText(BigInt(bps), 2))
const positive = fc.bigInt({ min: 1n, max: 100_000n }).map((minor) => amountText(minor, 2))
const discounts = fc
  .tuple(
    fc.oneof(
      share.map((value) => ['discount_percentage', value] as const),
      positive.map((value) => ['discount_fixed', value] as const),
    ),
    fc.option(positive),
  )
  .map(([[type, value], cap]) => aPrize(type, value, cap === null ? {} : { max_discount_amount: cap }))

const orders = fc
  .record({
    order_minor: fc.bigInt({ min: 0n, max: 10n ** 8n }),
    other_bps: fc.nat(10_000),
    percentage_on: fc.constantFrom('initial' as const, 'discounted' as const),
    delivery_fee_minor: fc.option(fc.bigInt({ min: 0n, max: 9_999n })),
  })
  .map(({ order_minor, other_bps, ...rest }) =>
    anOrder('0', { ...rest, order_minor, other_discount_minor: (order_minor * BigInt(other_bps)) / 10_000n }),
  )

describe('discount: properties', () => {
  it('S2-21 no amount is negative, discount and final add up, and the cap holds', () => {
    fc.assert(
      fc.property(discounts, orders, (prize, order) => {
        const { before_minor, discount_minor, final_minor } = discountFor(prize, order)
        assert.ok(discount_minor >= 0n && final_minor >= 0n)
        assert.equal(before_minor, order.order_minor - order.other_discount_minor)
        assert.equal(discount_minor + final_minor, before_minor)
        const cap = prize.conditions.max_discount_amount
        if (cap) assert.ok(discount_minor <= amountOf(cap, 2)!)
      }),
      propertyOptions(1_000),
    )
  })

  it('S2-21 a larger order never gets less off and never costs less', () => {
    fc.assert(
      fc.property(discounts, fc.nat(10 ** 7), fc.nat(10 ** 4), (prize, small, more) => {
        const low = discountFor(prize, anOrder('0', { order_minor: BigInt(small) }))
        const high = discountFor(prize, anOrder('0', { order_minor: BigInt(small + more) }))
        assert.ok(high.discount_minor >= low.discount_minor && high.final_minor >= low.final_minor)
      }),
      propertyOptions(1_000),
    )
  })

  it('S2-10 a recomputation from the trace gives the stored amounts, also after JSON and in canonical JSON', () => {
    fc.assert(
      fc.property(discounts, orders, (prize, order) => {
        const { details } = discountFor(prize, order)
        const stored = JSON.parse(jcs(details))
        assert.deepEqual(stored, details)
        const { discount_amount, final_amount } = details
        assert.deepEqual(recompute(stored), { discount_amount, final_amount, faults: [] })
      }),
      propertyOptions(1_000),
    )
  })

  it('S2-10 no single number of a trace can be changed unseen', () => {
    fc.assert(
      fc.property(
        discounts,
        orders,
        fc.nat(),
        fc.integer({ min: 1, max: 999 }),
        (prize, order, which, by) => {
          const { details } = discountFor(prize, order)
          const paths = amountPaths(details)
          const path = paths[which % paths.length]!
          const forged = structuredClone(details)
          change(forged, path, by)
          // A cap that did not bind may stand elsewhere: it changes nothing that follows from it.
          const is_idle_cap = /limit$/.test(path.join('.')) && recompute(forged).faults.length === 0
          if (is_idle_cap) assert.equal(recompute(forged).discount_amount, details.discount_amount)
          else assert.notDeepEqual(recompute(forged).faults, [], path.join('.'))
        },
      ),
      propertyOptions(1_000),
    )
  })

  it('S2-10 what is no trace is called so, whatever it is', () => {
    const hostile = [null, undefined, 0, '', 'x', [], {}, { calculation: {} }, { ...aDetails(), extra: 1 }]
    for (const details of [
      ...hostile,
      { ...aDetails(), discount_amount: -1 },
      { ...aDetails(), final_amount: '1e9' },
    ])
      assert.deepEqual(recompute(details), { discount_amount: null, final_amount: null, faults: ['details'] })
    fc.assert(
      fc.property(fc.anything(), (details) => {
        assert.deepEqual(recompute(details).faults, ['details'])
      }),
      propertyOptions(200),
    )
  })

  it('S2-10 a forgery that adds up is a fault where it leaves its inputs', () => {
    const { details } = discountFor(aPrize('discount_fixed', '10.00'), anOrder('30.00'))
    const [start, end] = details.calculation.steps
    const of = (steps: unknown[], discount_amount: string, final_amount: string) => {
      const effect = { kind: 'order_discount', amount: discount_amount }
      const calculation = { ...details.calculation, steps, effect }
      return recompute({ ...details, discount_amount, final_amount, calculation }).faults
    }
    assert.deepEqual(of([start, end], '10.00', '20.00'), [])
    assert.deepEqual(of([start, { ...end, limit: '5.00', gives: '5.00' }], '5.00', '25.00'), [
      'calculation.steps[1].limit',
    ])
    assert.deepEqual(of([start, start], '10.00', '20.00'), ['calculation.steps[1].op'])
    assert.deepEqual(of([{ ...start, amount: '40.00', gives: '40.00' }], '40.00', '0.00'), [
      'calculation.steps[0].amount',
      'final_amount',
    ])
  })

  const free_item = { id: 5, category_id: 2, price_minor: 450n, quantity: 1 }
  for (const { type, value, forged, fault } of [
    { type: 'free_delivery', value: null, forged: { delivery_fee: '0.01' }, fault: '' },
    { type: 'free_delivery', value: null, forged: { amount_saved: '99.00' }, fault: '' },
    { type: 'free_item', value: null, forged: { amount_saved: null }, fault: '' },
    {
      type: 'free_item',
      value: null,
      forged: { line: { id: 5, category_id: 2, quantity: 1, price: '4.50' } },
      fault: '',
    },
    { type: 'wallet_credit', value: '20.00', forged: { amount: '20.01' }, fault: '.amount' },
    { type: 'loyalty_points', value: '100', forged: { amount: '1000' }, fault: '.amount' },
    { type: 'spin_chance', value: '3', forged: { count: 4 }, fault: '.count' },
  ] as const) {
    it(`S2-10 an effect of ${type} forged to ${JSON.stringify(forged)} is a fault`, () => {
      const order = anOrder('20.00', { delivery_fee_minor: 390n, free_item })
      const { details } = discountFor(aPrize(type, value), order)
      assert.deepEqual(recompute(details).faults, [])
      const effect = { ...details.calculation.effect, ...forged }
      const calculation = { ...details.calculation, effect }
      assert.deepEqual(recompute({ ...details, calculation }).faults, [`calculation.effect${fault}`])
    })
  }

  it('S2-10 a calculation that another type would have is a fault', () => {
    const details = aDetails()
    assert.deepEqual(recompute({ ...details, application_type: 'discount_fixed' }).faults, [
      'calculation.steps',
    ])
    assert.deepEqual(recompute({ ...details, application_type: 'loyalty_points' }).faults, [
      'calculation.steps',
    ])
    const calculation = { ...details.calculation, steps: [] }
    assert.ok(recompute({ ...details, calculation }).faults.includes('calculation.steps'))
  })
})

function aDetails(): AppliedDetails {
  const { details } = discountFor(FIFTEEN, anOrder('200.00'))
  return appliedDetailsSchema.parse(details)
}

/** Paths to all decimal texts of a document, but for those that say where the others come from. */
function amountPaths(node: unknown, path: string[] = []): string[][] {
  if (typeof node === 'string') return /^\d+(\.\d+)?$/.test(node) ? [path] : []
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([name, inner]) => amountPaths(inner, [...path, name]))
}

function change(document: any, path: string[], by: number): void {
  const parent = path.slice(0, -1).reduce((node, name) => node[name], document)
  const name = path.at(-1)!
  parent[name] = amountText(amountOf(parent[name], 2)! + BigInt(by), 2)
}
