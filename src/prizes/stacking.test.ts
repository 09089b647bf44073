import assert from 'node:assert/strict'
import fc from 'fast-check'
import { propertyOptions } from '../../tests/fairness/seed.ts'
import { type Conditions, type Facts, factsOf, type OrderFacts, type Prize } from './conditions.ts'
import { type PrizeType, recompute } from './discount.ts'
import { amountText } from './money.ts'
import {
  type Candidate,
  type Placed,
  PRIZES_SENT_MAX,
  STACKING_DEFAULT,
  type Stacked,
  type StackingPolicy,
  stack,
  stackingPolicySchema,
} from './stacking.ts'

const NOW = new Date('2026-02-26T12:00:00Z')

const aPolicy = (rest: Partial<StackingPolicy> = {}): StackingPolicy =>
  stackingPolicySchema.parse({ prizes_per_order_max: 5, ...rest })

const given = (request: OrderFacts): Facts =>
  factsOf(request, { currency: 'EUR', order_id: '456', customer_order_count: 0 })

function aCandidate(
  play_id: number,
  type: PrizeType,
  value: string | null,
  conditions: Conditions = {},
  rest: Partial<Prize> = {},
): Candidate {
  const prize: Prize = {
    type,
    value,
    conditions,
    is_winner: true,
    prize_status: 'unlocked',
    expires_at: null,
    grace_hours: 0,
    restraints: [],
    ...rest,
  }
  return { play_id, category: type, prize }
}

const TEN_PERCENT = aCandidate(1, 'discount_percentage', '10.00')
const TEN_OFF = aCandidate(2, 'discount_fixed', '10.00')
const DELIVERY = aCandidate(3, 'free_delivery', null)
const POINTS = aCandidate(4, 'loyalty_points', '100')
const HOPELESS = aCandidate(9, 'discount_fixed', '5.00', { min_order_amount: '5000.00' })

const ORDER: OrderFacts = { order_amount: 100, order_type: 'delivery', delivery_fee: '3.90' }

function on(
  candidates: readonly Candidate[],
  policy: Partial<StackingPolicy> = {},
  request: OrderFacts = ORDER,
  placed: readonly Placed[] = [],
): Stacked {
  return stack(candidates, { facts: given(request), placed, policy: aPolicy(policy) }, NOW, 'Europe/Berlin')
}

/** `1: 100.00 - 10.00 = 90.00`, a line per step. */
const told = ({ applied }: Stacked): string[] =>
  applied.map(
    ({ play_id, before_minor, discount_minor, after_minor }) =>
      `${play_id}: ${amountText(before_minor, 2)} - ${amountText(discount_minor, 2)} = ${amountText(after_minor, 2)}`,
  )

const refusals = ({ refused }: Stacked) =>
  refused.map(({ play_id, reasons }) => `${play_id}: ${reasons.map(({ code }) => code).join(' ')}`)

describe('stacking: the order of application', () => {
  it('P-29 three prizes on one order give the stated total in the stated order', () => {
    const stacked = on([TEN_PERCENT, TEN_OFF, DELIVERY])
    assert.deepEqual(told(stacked), [
      '1: 100.00 - 10.00 = 90.00',
      '2: 90.00 - 10.00 = 80.00',
      '3: 80.00 - 0.00 = 80.00',
    ])
    assert.deepEqual([stacked.discount_minor, stacked.final_minor, stacked.refused], [2_000n, 8_000n, []])
    assert.deepEqual(
      stacked.applied.map(({ position }) => position),
      [1, 2, 3],
    )
    assert.deepEqual(stacked.applied[2]!.discount.effect, { kind: 'free_delivery', saved_minor: 390n })
  })

  it('P-29 percentages on what is left depend on the order, on the initial amount they do not', () => {
    const left = { percentage_on: 'discounted' } as const
    assert.deepEqual(told(on([TEN_PERCENT, TEN_OFF], left)), [
      '1: 100.00 - 10.00 = 90.00',
      '2: 90.00 - 10.00 = 80.00',
    ])
    assert.deepEqual(told(on([TEN_OFF, TEN_PERCENT], left)), [
      '2: 100.00 - 10.00 = 90.00',
      '1: 90.00 - 9.00 = 81.00',
    ])
    assert.equal(on([TEN_OFF, TEN_PERCENT], { percentage_on: 'initial' }).final_minor, 8_000n)
  })

  it('P-29 a hierarchy decides before the request does, and what it does not list comes last', () => {
    const another = { ...TEN_OFF, play_id: 7 }
    const policy: Partial<StackingPolicy> = {
      order: 'hierarchy',
      hierarchy: ['discount_fixed', 'discount_percentage'],
    }
    const ids = on([POINTS, TEN_PERCENT, another, TEN_OFF], policy).applied.map(({ play_id }) => play_id)
    assert.deepEqual(ids, [7, 2, 1, 4])
  })

  it('S2-29 a prize can fail the minimum of its basis because another came before it', () => {
    const basis = aCandidate(5, 'discount_fixed', '1.00', {
      min_order_amount: '95.00',
      min_order_amount_basis: 'before_discount',
    })
    assert.deepEqual(refusals(on([TEN_OFF, basis])), ['5: min_order_amount'])
    assert.deepEqual(told(on([basis, TEN_OFF])), ['5: 100.00 - 1.00 = 99.00', '2: 99.00 - 10.00 = 89.00'])
  })

  it('S2-29 discounts that are no prizes come before all of them', () => {
    const request = { ...ORDER, other_discount_amount: '95.00' }
    assert.deepEqual(told(on([TEN_OFF], {}, request)), ['2: 5.00 - 5.00 = 0.00'])
  })
})

describe('stacking: what is refused', () => {
  it('P-29 partial applies what fits and explains the rest', () => {
    const stacked = on([TEN_PERCENT, HOPELESS, TEN_OFF], { mode: 'partial' })
    assert.deepEqual(told(stacked), ['1: 100.00 - 10.00 = 90.00', '2: 90.00 - 10.00 = 80.00'])
    assert.deepEqual(refusals(stacked), ['9: min_order_amount'])
    assert.equal(stacked.refused[0]!.reasons[0]!.missing, '4900.00')
  })

  it('P-29 all_or_nothing applies nothing when one does not fit, and names the one', () => {
    const stacked = on([TEN_PERCENT, HOPELESS, TEN_OFF], { mode: 'all_or_nothing' })
    assert.deepEqual(refusals(stacked), ['9: min_order_amount', '1: all_or_nothing', '2: all_or_nothing'])
    assert.deepEqual([stacked.applied, stacked.discount_minor, stacked.final_minor], [[], 0n, 10_000n])
    assert.equal(on([TEN_PERCENT, TEN_OFF], { mode: 'all_or_nothing' }).applied.length, 2)
  })

  it('P-29 a tenant that chose nothing takes one prize per order', () => {
    assert.equal(STACKING_DEFAULT.prizes_per_order_max, 1)
    const stacked = stack(
      [TEN_PERCENT, TEN_OFF],
      { facts: given(ORDER), policy: STACKING_DEFAULT },
      NOW,
      'Europe/Berlin',
    )
    assert.deepEqual(
      [told(stacked), refusals(stacked)],
      [['1: 100.00 - 10.00 = 90.00'], ['2: prizes_per_order']],
    )
  })

  for (const max of [1, 2, 3]) {
    it(`P-29 with at most ${max} prizes per order, ${max} of 4 apply and the next is told so`, () => {
      const stacked = on([TEN_PERCENT, TEN_OFF, DELIVERY, POINTS], { prizes_per_order_max: max })
      assert.equal(stacked.applied.length, max)
      const { required, actual } = stacked.refused[0]!.reasons[0]!
      assert.deepEqual([required, actual], [max, max + 1])
    })
  }

  it('P-29 prizes of earlier requests count against the maximum, the amount and the fee', () => {
    const placed: Placed[] = [
      { play_id: 50, category: 'discount_fixed', discount_minor: 9_500n, is_delivery_free: true },
    ]
    assert.deepEqual(refusals(on([TEN_OFF], { prizes_per_order_max: 1 }, ORDER, placed)), [
      '2: prizes_per_order',
    ])
    const stacked = on([TEN_OFF, DELIVERY], {}, ORDER, placed)
    assert.deepEqual(told(stacked), ['2: 5.00 - 5.00 = 0.00'])
    assert.deepEqual(refusals(stacked), ['3: no_effect'])
    assert.equal(stacked.applied[0]!.position, 2)
  })

  it('P-29 an order that shrank below what was taken has nothing left, and is no accident', () => {
    const placed: Placed[] = [{ play_id: 50, category: 'x', discount_minor: 9_500n, is_delivery_free: false }]
    const stacked = on([TEN_OFF], {}, { ...ORDER, order_amount: '20.00' }, placed)
    assert.deepEqual([refusals(stacked), stacked.final_minor], [['2: no_effect'], 0n])
  })

  it('P-29 an exclusive prize stands alone, whether it comes first or last', () => {
    const policy = { exclusive: ['discount_percentage'] }
    for (const [first, second] of [
      [TEN_PERCENT, TEN_OFF],
      [TEN_OFF, TEN_PERCENT],
    ] as const) {
      const stacked = on([first, second], policy)
      assert.equal(stacked.applied[0]!.play_id, first.play_id)
      assert.deepEqual(refusals(stacked), [`${second.play_id}: exclusive_prize`])
    }
    assert.equal(on([TEN_PERCENT], policy).applied.length, 1)
    assert.equal(on([TEN_OFF, DELIVERY], policy).applied.length, 2)
  })

  it('P-29 the same prize twice is one', () => {
    const stacked = on([TEN_OFF, TEN_OFF])
    assert.deepEqual(
      [told(stacked), refusals(stacked)],
      [['2: 100.00 - 10.00 = 90.00'], ['2: duplicate_prize']],
    )
    const placed: Placed[] = [
      { play_id: 2, category: 'discount_fixed', discount_minor: 1_000n, is_delivery_free: false },
    ]
    assert.deepEqual(refusals(on([TEN_OFF], {}, ORDER, placed)), ['2: duplicate_prize'])
  })

  it('P-29 a prize that would take nothing off is kept, unless the tenant wants it used up', () => {
    const nothing_left = [aCandidate(5, 'discount_percentage', '100.00'), TEN_OFF]
    assert.deepEqual(refusals(on(nothing_left)), ['2: no_effect'])
    assert.deepEqual(told(on(nothing_left, { without_effect: 'apply' })), [
      '5: 100.00 - 100.00 = 0.00',
      '2: 0.00 - 0.00 = 0.00',
    ])
    const second_delivery = { ...DELIVERY, play_id: 30 }
    assert.deepEqual(refusals(on([DELIVERY, second_delivery])), ['30: no_effect'])
    const unknown_fee = { order_amount: 100, order_type: 'delivery' }
    assert.deepEqual(refusals(on([DELIVERY, second_delivery], {}, unknown_fee)), ['30: no_effect'])
  })

  it('P-29 every reason is said at once: company, state and conditions', () => {
    const held = aCandidate(
      8,
      'discount_fixed',
      '1.00',
      { min_order_amount: '5000.00' },
      {
        restraints: [{ kind: 'hold', order_id: '999', until: new Date('2026-02-26T12:05:00Z') }],
      },
    )
    const policy = { prizes_per_order_max: 1, exclusive: ['discount_fixed'] }
    assert.deepEqual(refusals(on([TEN_PERCENT, held], policy)), [
      '8: prizes_per_order exclusive_prize prize_held min_order_amount',
    ])
  })

  it('S2-24 prizes that need no amount apply to an order of unknown amount, discounts do not', () => {
    const stacked = on([POINTS, TEN_OFF], {}, {})
    assert.deepEqual(
      [stacked.applied.map(({ play_id }) => play_id), refusals(stacked), stacked.final_minor],
      [[4], ['2: order_amount_missing'], null],
    )
  })

  it('P-29 thirty prizes can be sent, more are a bug of the door', () => {
    const many = Array.from({ length: PRIZES_SENT_MAX }, (_, i) => ({ ...POINTS, play_id: i }))
    assert.equal(on(many, { prizes_per_order_max: 30 }).applied.length, PRIZES_SENT_MAX)
    assert.throws(() => on([...many, { ...POINTS, play_id: 99 }]), /more than 30/)
  })

  it('P-29 a policy that means nothing is refused', () => {
    const hostile: Record<string, unknown>[] = [
      { mode: 'some' },
      { order: 'random' },
      { hierarchy: ['a', 'a'] },
      { hierarchy: [''] },
      { percentage_on: 'net' },
      { prizes_per_order_max: 0 },
      { prizes_per_order_max: 31 },
      { prizes_per_order_max: 1.5 },
      { exclusive: 'all' },
      { without_effect: true },
      { unheard_of: 1 },
    ]
    assert.deepEqual(
      hostile.filter((each) => stackingPolicySchema.safeParse(each).success),
      [],
    )
  })
})

describe('stacking: properties', () => {
  const candidate = fc
    .record({
      type: fc.constantFrom('discount_percentage', 'discount_fixed', 'free_delivery', 'loyalty_points'),
      value: fc.integer({ min: 1, max: 100 }).map(String),
      cap: fc.option(fc.integer({ min: 1, max: 50 }).map((each) => `${each}.00`)),
      min: fc.option(fc.integer({ min: 1, max: 150 }).map((each) => `${each}.00`)),
      basis: fc.constantFrom('initial', 'before_discount', 'after_discount'),
    })
    .map(({ type, value, cap, min, basis }) => {
      const conditions = {
        max_discount_amount: cap,
        min_order_amount: min,
        min_order_amount_basis: min && basis,
      } as Conditions
      return { type: type as PrizeType, value, conditions }
    })
  const candidates = fc
    .array(candidate, { maxLength: 8 })
    .map((list) => list.map((each, i) => aCandidate(i, each.type, each.value, each.conditions)))
  const policies = fc.record({
    mode: fc.constantFrom('all_or_nothing' as const, 'partial' as const),
    order: fc.constantFrom('requested' as const, 'hierarchy' as const),
    hierarchy: fc.constantFrom<string[]>([], ['free_delivery', 'discount_fixed']),
    percentage_on: fc.constantFrom('initial' as const, 'discounted' as const),
    prizes_per_order_max: fc.integer({ min: 1, max: 8 }),
    exclusive: fc.constantFrom<string[]>([], ['discount_fixed']),
    without_effect: fc.constantFrom('refuse' as const, 'apply' as const),
  })
  const amount = fc.nat(20_000).map((minor) => amountText(BigInt(minor), 2))

  it('P-29 discounts and what is left are the order, each step begins where the last ended, and nobody is forgotten', () => {
    fc.assert(
      fc.property(candidates, policies, amount, (asked, policy, order_amount) => {
        const stacked = on(asked, policy, { ...ORDER, order_amount })
        const order_minor = BigInt(order_amount.replace('.', ''))
        assert.equal(stacked.discount_minor + stacked.final_minor!, order_minor)
        let left_minor = order_minor
        for (const { before_minor, discount_minor, after_minor, discount } of stacked.applied) {
          assert.equal(before_minor, left_minor)
          assert.equal(before_minor - discount_minor, after_minor)
          assert.ok(discount_minor >= 0n && after_minor >= 0n)
          assert.deepEqual(recompute(discount.details).faults, [])
          left_minor = after_minor
        }
        assert.equal(left_minor, stacked.final_minor)
        const ids = [...stacked.applied, ...stacked.refused].map(({ play_id }) => play_id)
        assert.deepEqual(ids.sort(), asked.map(({ play_id }) => play_id).sort())
        assert.ok(stacked.applied.length <= policy.prizes_per_order_max)
        assert.ok(stacked.refused.every(({ reasons }) => reasons.length > 0))
        if (policy.mode === 'all_or_nothing')
          assert.ok(stacked.applied.length === 0 || stacked.refused.length === 0)
      }),
      propertyOptions(1_000),
    )
  })

  it('P-29 prizes sent one after the other come to the same as sent together', () => {
    fc.assert(
      fc.property(candidates, policies, amount, (asked, policy, order_amount) => {
        const request = { ...ORDER, order_amount }
        const singly = { ...policy, mode: 'partial', order: 'requested' } as const
        const together = on(asked, singly, request)
        const placed: Placed[] = []
        for (const each of asked) {
          for (const { play_id, discount_minor, discount } of on([each], singly, request, placed).applied) {
            const is_delivery_free = discount.effect.kind === 'free_delivery'
            placed.push({ play_id, category: each.category, discount_minor, is_delivery_free })
          }
        }
        assert.deepEqual(
          placed.map(({ play_id, discount_minor }) => [play_id, discount_minor]),
          together.applied.map(({ play_id, discount_minor }) => [play_id, discount_minor]),
        )
      }),
      propertyOptions(500),
    )
  })
})
