/** The rules of double entry, without a database. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  AMOUNT_MINOR_MAX,
  accountKey,
  type Balance,
  difference,
  floorOf,
  move,
  negated,
  POSTING_COUNT_MAX,
  type Posting,
  postingFault,
  settle,
  splitByWeight,
} from '../../src/ledger/rules.ts'
import { propertyOptions } from '../fairness/seed.ts'
import { house, of } from './stage.ts'

const line = (owner_id: string, amount_minor: number, currency = 'EUR'): Posting => ({
  ...of(owner_id),
  currency,
  amount_minor,
})

const amounts = fc.integer({ min: 1, max: 1_000_000 })
/** Any transfer: amounts between distinct accounts, the last one taking what makes the sum zero. */
const transfers = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 2 })
  .chain((owners) =>
    fc
      .array(
        fc.integer({ min: -1000, max: 1000 }).filter((n) => n !== 0),
        {
          minLength: owners.length - 1,
          maxLength: owners.length - 1,
        },
      )
      .map((gains) => {
        const rest = -gains.reduce((sum, gain) => sum + gain, 0)
        return [...gains, rest].map((gain, i) => line(owners[i]!, gain))
      }),
  )
  .filter((postings) => postings.at(-1)!.amount_minor !== 0)

describe('ledger: what is a transfer', () => {
  it('S1-12 a balanced list of postings has no fault', () => {
    fc.assert(
      fc.property(transfers, (postings) => assert.equal(postingFault(postings), undefined)),
      propertyOptions(200),
    )
  })

  for (const [what, postings, fault] of [
    ['no posting', [], 'a transfer has at least two postings'],
    ['one posting', [line('a', 5)], 'a transfer has at least two postings'],
    ['a sum above zero', [line('a', 5), line('b', -4)], 'EUR does not add up to zero but to 1'],
    [
      'two currencies that only add up together',
      [line('a', 5), line('b', -5, 'USD')],
      'EUR does not add up to zero but to 5',
    ],
    ['an account twice', [line('a', 5), line('a', -5)], 'an account appears twice'],
    ['an amount of nothing', [line('a', 0), line('b', 0)], '0 is no amount'],
    ['a fraction', [line('a', 0.5), line('b', -0.5)], '0.5 is no amount'],
    ['no number', [line('a', Number.NaN), line('b', 1)], 'NaN is no amount'],
    [
      'an amount that a double does not hold',
      [line('a', AMOUNT_MINOR_MAX + 1), line('b', -AMOUNT_MINOR_MAX - 1)],
      `${AMOUNT_MINOR_MAX + 1} is no amount`,
    ],
    ['a currency in small letters', [line('a', 1, 'eur'), line('b', -1, 'eur')], 'eur is no currency'],
    ['nobody', [line('', 1), line('b', -1)], 'an owner has 1 to 128 characters'],
    [
      'an owner that is too long',
      [line('x'.repeat(129), 1), line('b', -1)],
      'an owner has 1 to 128 characters',
    ],
    [
      'more postings than the limit',
      Array.from({ length: POSTING_COUNT_MAX + 1 }, (_, i) => line(`u${i}`, i + 1)),
      `a transfer has at most ${POSTING_COUNT_MAX} postings`,
    ],
  ] as const) {
    it(`S1-12 is none: ${what}`, () => assert.equal(postingFault(postings), fault))
  }

  it('S1-12 sums beyond a double are still exact: a unit too much is seen', () => {
    const max = AMOUNT_MINOR_MAX
    const postings = [
      line('a', max),
      line('b', max),
      line('c', max),
      line('d', -max),
      line('e', -max),
      line('f', -max + 1),
    ]
    assert.equal(postingFault(postings), 'EUR does not add up to zero but to 1')
  })

  it('S1-12 taking back twice gives the postings again, and a transfer with what takes it back leaves nothing', () => {
    fc.assert(
      fc.property(transfers, (postings) => {
        assert.deepEqual(negated(negated(postings)), postings)
        assert.deepEqual(negated([...postings, ...negated(postings)]), [])
      }),
      propertyOptions(200),
    )
  })

  it('S1-26 a correction is balanced, and what stood with it is what is right', () => {
    fc.assert(
      fc.property(transfers, transfers, (standing, right) => {
        const correction = difference(standing, right)
        if (correction.length > 0) assert.equal(postingFault(correction), undefined)
        const sorted = (postings: Posting[]) =>
          [...postings].sort((a, b) => (accountKey(a) < accountKey(b) ? -1 : 1))
        assert.deepEqual(sorted(negated(negated([...standing, ...correction]))), sorted(right))
      }),
      propertyOptions(300),
    )
  })
})

describe('ledger: balances', () => {
  const balances = (given: Record<string, [number, number]>) =>
    new Map(
      Object.entries(given).map(([owner, [balance_minor, floor_minor]]): [string, Balance] => [
        accountKey({ ...of(owner), currency: 'EUR' }),
        { balance_minor, floor_minor },
      ]),
    )

  it('S2-25 a debit down to the floor passes; one unit more is refused and the unit is named', () => {
    const has = balances({ a: [1000, 0], b: [0, 0] })
    const exact = settle(has, move(1000, 'EUR', of('a'), of('b')))
    assert.ok('lines' in exact)
    assert.deepEqual(
      exact.lines.map((each) => each.balance_after_minor),
      [0, 1000],
    )
    const over = settle(has, move(1001, 'EUR', of('a'), of('b')))
    assert.ok('short' in over)
    assert.equal(over.short.missing_minor, 1)
    assert.equal(over.short.posting.owner_id, 'a')
  })

  it('S1-26 an approved correction goes below zero, the debt cannot grow without approval and shrinks as it is paid', () => {
    const approved = settle(balances({ a: [100, 0], b: [0, 0] }), move(600, 'EUR', of('a'), of('b')), true)
    assert.ok('after' in approved)
    assert.deepEqual(
      [...approved.after.values()],
      [
        { balance_minor: -500, floor_minor: -500 },
        { balance_minor: 600, floor_minor: 0 },
      ],
    )
    const further = settle(approved.after, move(1, 'EUR', of('a'), of('b')))
    assert.ok('short' in further)
    assert.equal(further.short.missing_minor, 1)
    const paid = settle(approved.after, move(200, 'EUR', of('b'), of('a')))
    assert.ok('after' in paid)
    assert.deepEqual([...paid.after.values()][1], { balance_minor: -300, floor_minor: -300 })
    const free = settle(paid.after, move(350, 'EUR', of('b'), of('a')))
    assert.ok('after' in free)
    assert.deepEqual([...free.after.values()][1], { balance_minor: 50, floor_minor: 0 })
  })

  it('S1-12 the house gives what it has not; everybody else holds at least nothing', () => {
    assert.equal(floorOf('house'), -AMOUNT_MINOR_MAX)
    for (const kind of ['wallet_credit', 'stake', 'pool', 'prize_fund', 'fee', 'escrow'] as const)
      assert.equal(floorOf(kind), 0)
  })

  it('S1-12 an account that cannot hold more is a bug and not a wrong number', () => {
    const full = balances({ a: [AMOUNT_MINOR_MAX, 0], b: [5, 0] })
    assert.throws(() => settle(full, move(1, 'EUR', of('b'), of('a'))), /cannot hold more/)
  })

  it('S1-12 over any history the sum stays zero, floors hold, and a refusal changes nothing', () => {
    const owners = ['a', 'b', 'c', 'd', 'e']
    fc.assert(
      fc.property(fc.array(transfers, { maxLength: 30 }), amounts, (history, start) => {
        let now: ReadonlyMap<string, Balance> = new Map([
          ...balances(Object.fromEntries(owners.map((owner) => [owner, [start % 2000, 0]]))),
          [
            accountKey({ ...house, currency: 'EUR' }),
            { balance_minor: -5 * (start % 2000), floor_minor: floorOf('house') },
          ],
        ])
        for (const postings of history) {
          const settled = settle(now, postings)
          const short = postings.some(
            (each) => now.get(accountKey(each))!.balance_minor + each.amount_minor < 0,
          )
          assert.equal('short' in settled, short)
          if ('after' in settled) now = new Map([...now, ...settled.after])
        }
        const all = [...now.values()]
        assert.equal(
          all.reduce((sum, each) => sum + each.balance_minor, 0),
          0,
        )
        assert.ok(all.every((each) => each.balance_minor >= each.floor_minor))
      }),
      propertyOptions(200),
    )
  })
})

describe('ledger: a split', () => {
  it('P-18 the shares are the amount exactly, each within one unit of its quota', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: AMOUNT_MINOR_MAX }),
        fc
          .array(fc.nat({ max: 10_000 }), { minLength: 1, maxLength: 20 })
          .filter((w) => w.some((n) => n > 0)),
        (amount, weights) => {
          const shares = splitByWeight(amount, weights)
          const total = weights.reduce((sum, weight) => sum + weight, 0)
          assert.equal(
            shares.reduce((sum, share) => sum + BigInt(share), 0n),
            BigInt(amount),
          )
          shares.forEach((share, i) => {
            const exact = BigInt(amount) * BigInt(weights[i]!)
            assert.ok(BigInt(share) * BigInt(total) > exact - BigInt(total))
            assert.ok(BigInt(share) * BigInt(total) < exact + BigInt(total))
          })
        },
      ),
      propertyOptions(300),
    )
  })

  for (const [amount, weights, shares] of [
    [100, [1, 1, 1], [34, 33, 33]],
    [1000, [8500, 1000, 500], [850, 100, 50]],
    [10, [3, 3, 3, 1], [3, 3, 3, 1]],
    [7, [5000, 3000, 2000], [4, 2, 1]],
    [1, [1, 9], [0, 1]],
    [0, [1, 2], [0, 0]],
    [5, [0, 1], [0, 5]],
  ] as const) {
    it(`P-18 ${amount} by ${weights} is ${shares}`, () => {
      assert.deepEqual(splitByWeight(amount, weights), shares)
    })
  }

  it('P-18 weights of nothing, below zero, and an amount below zero are bugs', () => {
    assert.throws(() => splitByWeight(10, []), RangeError)
    assert.throws(() => splitByWeight(10, [0, 0]), RangeError)
    assert.throws(() => splitByWeight(10, [2, -1]), RangeError)
    assert.throws(() => splitByWeight(-1, [1]), RangeError)
  })
})
