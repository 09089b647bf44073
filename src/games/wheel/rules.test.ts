import assert from 'node:assert/strict'
import fc from 'fast-check'
import { propertyOptions } from '../../../tests/fairness/seed.ts'
import { jcs } from '../../fairness/canonical.ts'
import { configHash } from '../../fairness/commit.ts'
import { ProbabilityGap } from '../../fairness/rolls.ts'
import {
  awardOf,
  chancesLeft,
  type Grant,
  landingOf,
  probabilityOf,
  type RewardRow,
  rangesOf,
  type Segment,
  type SpinConfig,
  type SpinState,
  type Supply,
  shareText,
  takeChance,
  totalOf,
  type WheelConfig,
  wheelConfigOf,
  whyNotSpin,
  withoutGone,
} from './rules.ts'
import { spinConfigSchema } from './schemas.ts'

const spin: SpinConfig = spinConfigSchema.parse({})

function reward(slug: string, probability: string, more: Partial<RewardRow> = {}): RewardRow {
  return {
    id: `id-${slug}`,
    reward_slug: slug,
    reward_label: slug.toUpperCase(),
    reward_type: 'none',
    probability,
    reward_color: null,
    reward_detail: {},
    prize_id: null,
    reward_position: 0,
    ...more,
  }
}

/** A share of 10^decimals as a decimal text, as numeric(10, 9) columns write it. */
function decimal(units: bigint, decimals: number): string {
  const digits = units.toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  return decimals === 0 ? whole : `${whole}.${digits.slice(-decimals)}`
}

/** Probabilities that add up to exactly 1, as 1-64 whole shares (some of them 0) of a power of ten. */
const shares = fc.integer({ min: 0, max: 9 }).chain((decimals) =>
  fc.array(fc.bigInt(0n, 10n ** BigInt(decimals)), { minLength: 0, maxLength: 63 }).map((cuts) => {
    const edges = [0n, ...cuts.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)), 10n ** BigInt(decimals)]
    return { decimals, units: edges.slice(1).map((edge, i) => edge - edges[i]!) }
  }),
)

describe('the config of a wheel', () => {
  it('S1-11 ranges cover 0 to total-1 without gap or overlap, each in exact proportion to its probability', () => {
    fc.assert(
      fc.property(shares, ({ decimals, units }) => {
        const rows = units.map((unit, i) => reward(`r${i}`, decimal(unit, decimals), { reward_position: i }))
        const config = wheelConfigOf(rows, spin, null)
        const total = totalOf(config)
        const positive = units.filter((unit) => unit > 0n)
        assert.equal(config.segments.length, positive.length)
        let next = 0
        rangesOf(config.segments.map((segment) => segment.weight)).forEach(
          ({ range_start, range_end }, i) => {
            assert.equal(range_start, next)
            assert.ok(range_end >= range_start)
            next = range_end + 1
            const weight = BigInt(range_end - range_start + 1)
            assert.equal(weight * 10n ** BigInt(decimals), positive[i]! * BigInt(total))
          },
        )
        assert.equal(next, total)
      }),
      propertyOptions(300),
    )
  })

  it('S1-11 probabilities that add up to less or more than 1 are refused and the gap is named', () => {
    const of = (...texts: string[]) =>
      wheelConfigOf(
        texts.map((text, i) => reward(`r${i}`, text)),
        spin,
        null,
      )
    const gapOf = (...texts: string[]) => {
      try {
        of(...texts)
      } catch (error) {
        assert.ok(error instanceof ProbabilityGap)
        return error.gap
      }
      return null
    }
    assert.equal(gapOf('0.10', '0.85'), '0.05')
    assert.equal(gapOf('0.333333333', '0.333333333', '0.333333333'), '0.000000001')
    assert.equal(gapOf('0.6', '0.5'), '-0.1')
    assert.equal(gapOf('0'), '1')
    assert.equal(gapOf('0.333333333', '0.333333333', '0.333333334'), null)
  })

  it('S1-10 a reward with probability 0 is left out, because its range would be empty', () => {
    const config = wheelConfigOf([reward('a', '0.0'), reward('b', '1')], spin, null)
    assert.deepEqual(
      config.segments.map(({ id, weight }) => ({ id, weight })),
      [{ id: 'b', weight: 1 }],
    )
  })

  it('S1-11 segments stand in the order of their positions, whatever order the rows came in', () => {
    const rows = [
      reward('c', '0.2', { reward_position: 2 }),
      reward('a', '0.3'),
      reward('b', '0.5', { reward_position: 1 }),
    ]
    const expected = wheelConfigOf(rows, spin, null)
    assert.deepEqual(
      expected.segments.map((segment) => segment.id),
      ['a', 'b', 'c'],
    )
    assert.equal(jcs(wheelConfigOf([...rows].reverse(), spin, null)), jcs(expected))
  })

  it('S1-11v the hash of the config changes with every member that can change a result', () => {
    const rows = [
      reward('a', '0.4', { reward_type: 'prize', prize_id: 7, reward_detail: { per_user_limit: 2 } }),
      reward('b', '0.6', { reward_position: 1 }),
    ]
    const base = () => structuredClone(wheelConfigOf(rows, spin, 1000))
    const hash = configHash(base())
    const edits: ((config: any) => void)[] = [
      (config) => (config.segments[0].weight = 3),
      (config) => (config.segments[0].id = 'x'),
      (config) => (config.segments[0].prize_id = 8),
      (config) => (config.segments[0].per_user_limit = null),
      (config) => config.segments.reverse(),
      (config) => (config.spin.on_exhausted = 'b'),
      (config) => (config.spin.plays_per_day = 1),
      (config) => (config.budget_minor = 1001),
    ]
    const hashes = edits.map((edit) => {
      const config = base()
      edit(config)
      return configHash(config)
    })
    assert.equal(new Set([hash, ...hashes]).size, edits.length + 1)
  })
})

describe('odds without what ran out', () => {
  const row = (i: number, unit: bigint, decimals: number) =>
    reward(`r${i}`, decimal(unit, decimals), { reward_position: i, reward_type: 'prize', prize_id: i })

  it('S2-15 the weight of what ran out goes to the substitute, the total and every other weight stay', () => {
    fc.assert(
      fc.property(shares, fc.uniqueArray(fc.nat(63)), fc.nat(63), ({ decimals, units }, out, fallback) => {
        const rows = units.map((unit, i) => row(i, unit, decimals))
        const config = wheelConfigOf(rows, { ...spin, on_exhausted: `r${fallback}` }, null)
        const gone = new Set(out)
        const left = withoutGone(config, gone)
        const is_gone = (segment: Segment) => gone.has(segment.prize_id!)
        const has_substitute = config.segments.some((each) => each.id === `r${fallback}` && !is_gone(each))
        if (!config.segments.some(is_gone) || !has_substitute) return assert.equal(left, null)
        assert.equal(totalOf(left!), totalOf(config))
        assert.ok(!left!.segments.some(is_gone))
        for (const segment of left!.segments.filter((each) => each.id !== `r${fallback}`)) {
          assert.deepEqual(
            segment,
            config.segments.find((each) => each.id === segment.id),
          )
        }
        return assert.deepEqual(
          left!.segments.map((each) => each.id),
          config.segments.filter((each) => !is_gone(each)).map((each) => each.id),
        )
      }),
      propertyOptions(300),
    )
  })

  it('S1-11 the decimal of a weight leads back to the same weights', () => {
    fc.assert(
      fc.property(shares, ({ decimals, units }) => {
        const rows = units.map((unit, i) => row(i, unit, decimals))
        const config = wheelConfigOf(rows, spin, null)
        const texts = config.segments.map((segment) => probabilityOf(segment.weight, totalOf(config)))
        const again = wheelConfigOf(
          config.segments.map((segment, i) => reward(segment.id, texts[i]!, { reward_position: i })),
          spin,
          null,
        )
        assert.deepEqual(
          again.segments.map((each) => each.weight),
          config.segments.map((each) => each.weight),
        )
      }),
      propertyOptions(300),
    )
  })
})

describe('a share in words', () => {
  for (const [weight, total, text] of [
    [1, 10, '10%'],
    [1, 3, '1/3'],
    [1, 1, '100%'],
    [1, 8, '12.5%'],
    [1, 1_000_000_000, '0.0000001%'],
    [999_999_999, 1_000_000_000, '99.9999999%'],
    [2, 6, '2/6'],
    [5, 1000, '0.5%'],
  ] as const) {
    it(`S1-11 ${weight} of ${total} is shown as ${text}`, () => assert.equal(shareText(weight, total), text))
  }

  it('S1-11 a share is exact: read back as a fraction it is the weight over the total', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 9 }), fc.nat(10 ** 9), (total, rest) => {
        const weight = 1 + (rest % total)
        const text = shareText(weight, total)
        if (!text.endsWith('%')) return assert.equal(text, `${weight}/${total}`)
        const [whole, fraction = ''] = text.slice(0, -1).split('.')
        const numerator = BigInt(`${whole}${fraction}`)
        return assert.equal(numerator * BigInt(total), BigInt(weight) * 100n * 10n ** BigInt(fraction.length))
      }),
      propertyOptions(500),
    )
  })
})

const NOW = new Date('2026-03-04T12:00:00Z')

describe('why a spin is refused', () => {
  const fine: SpinState = {
    wheel_status: 'live',
    config_version: 1,
    spin: {
      ...spin,
      plays_per_day: 3,
      cooldown_ms: 60_000,
      valid_from_time: '09:00',
      valid_until_time: '18:00',
    },
    time_zone: 'UTC',
    plays_today: 2,
    last_spin_at: new Date(NOW.getTime() - 60_000),
    chances_left: 1,
  }

  /** Each breaks one thing; a case also breaks everything that is looked at after it. */
  const BREAKS: [string, (state: SpinState) => SpinState][] = [
    ['wheel_not_published', (state) => ({ ...state, config_version: 0 })],
    ['wheel_paused', (state) => ({ ...state, wheel_status: 'paused' })],
    ['wheel_not_open', (state) => ({ ...state, spin: { ...state.spin, valid_until_time: '12:00' } })],
    ['plays_per_day_reached', (state) => ({ ...state, plays_today: 3 })],
    ['cooldown', (state) => ({ ...state, last_spin_at: new Date(NOW.getTime() - 59_999) })],
    ['no_chances_left', (state) => ({ ...state, chances_left: 0 })],
  ]

  it('S2-13 nothing stands in the way exactly at the end of the cooldown, below the daily limit, with one chance', () => {
    assert.equal(whyNotSpin(fine, NOW), null)
  })

  BREAKS.forEach(([code, _], at) => {
    it(`S2-13 ${code} is said before anything that is looked at later`, () => {
      const state = BREAKS.slice(at).reduce((broken, [, breaks]) => breaks(broken), fine)
      assert.equal(whyNotSpin(state, NOW)?.code, code)
    })
    it(`S2-13 ${code} alone is said when nothing else stands in the way`, () => {
      assert.equal(whyNotSpin(BREAKS[at]![1](fine), NOW)?.code, code)
    })
  })

  it('S2-13 the fourth play of a day is told when the next day begins, in seconds and as an instant', () => {
    const state = { ...fine, plays_today: 3, time_zone: 'Europe/Berlin' }
    const { detail } = whyNotSpin(state, NOW)!
    assert.equal(detail.facts!['valid_from'], '2026-03-04T23:00:00.000Z')
    assert.equal(detail.retry_after_s, 11 * 3600)
  })

  it('S2-13 outside the schedule the next opening is shown', () => {
    const { code, detail } = whyNotSpin(fine, new Date('2026-03-04T18:00:00Z'))!
    assert.equal(code, 'wheel_not_open')
    assert.equal(detail.facts!['valid_from'], '2026-03-05T09:00:00.000Z')
  })

  it('S2-13 after the last day no next opening is promised', () => {
    const state = { ...fine, spin: { ...fine.spin, closes_at: '2026-03-04T12:00:00Z' } }
    const { code, detail } = whyNotSpin(state, NOW)!
    assert.equal(code, 'wheel_not_open')
    assert.equal(detail.facts!['valid_from'], null)
    assert.equal(detail.retry_after_s, undefined)
  })

  it('S1-55 the cooldown names its end and rounds the wait up to whole seconds', () => {
    const state = { ...fine, last_spin_at: new Date(NOW.getTime() - 58_500) }
    const { code, detail } = whyNotSpin(state, NOW)!
    assert.equal(code, 'cooldown')
    assert.equal(detail.retry_after_s, 2)
    assert.equal(detail.facts!['valid_from'], '2026-03-04T12:00:01.500Z')
  })

  for (const wheel_status of ['draft', 'paused', 'ended']) {
    it(`S1-07 a wheel that is ${wheel_status} refuses and says so`, () => {
      assert.deepEqual(whyNotSpin({ ...fine, wheel_status }, NOW), {
        code: 'wheel_paused',
        detail: { facts: { wheel_status } },
      })
    })
  }
})

describe('what a player gets for what was rolled', () => {
  const segment = (id: string, prize_id: number | null, more: Partial<Segment> = {}): Segment => ({
    id,
    reward: `id-${id}`,
    label: id,
    type: prize_id === null ? 'none' : 'prize',
    weight: 1,
    color: null,
    prize_id,
    per_user_limit: null,
    ...more,
  })
  const ten = segment('ten', 1)
  const points = segment('points', 2)
  const none = segment('none', null)

  function config(on_exhausted: string | null, segments = [ten, points, none]): WheelConfig {
    return { v: 1, kind: 'wheel', segments, spin: { ...spin, on_exhausted }, budget_minor: null }
  }

  function supply(more: Partial<Supply> = {}): Supply {
    return {
      stock_left: new Map([
        [1, 1],
        [2, null],
      ]),
      cost_minor: new Map([
        [1, 500],
        [2, 10],
      ]),
      budget_left_minor: null,
      wins_of_user: new Map(),
      ...more,
    }
  }

  it('S2-15 a reward with one piece left is won once, then its substitute is given', () => {
    const left = supply()
    assert.deepEqual(awardOf(config('points'), ten, left), { status: 'won', segment: ten })
    assert.deepEqual(awardOf(config('points'), ten, left), { status: 'substituted', segment: points })
    assert.equal(left.stock_left.get(1), 0)
  })

  it('S2-15 a lost roll takes nothing from anything', () => {
    const left = supply({ budget_left_minor: 5 })
    assert.deepEqual(awardOf(config('points'), none, left), { status: 'lost', segment: null })
    assert.deepEqual(left, supply({ budget_left_minor: 5 }))
  })

  it('P-03 a win that costs more than the budget has left gives the substitute, and the budget never goes below 0', () => {
    const left = supply({ budget_left_minor: 499 })
    assert.deepEqual(awardOf(config('points'), ten, left), { status: 'substituted', segment: points })
    assert.equal(left.budget_left_minor, 489)
    assert.equal(left.stock_left.get(1), 1, 'what was not given is not taken')
  })

  it('P-03 a win that costs exactly what is left is won', () => {
    const left = supply({ budget_left_minor: 500 })
    assert.equal(awardOf(config('points'), ten, left).status, 'won')
    assert.equal(left.budget_left_minor, 0)
  })

  it('P-03 a reward beyond its limit per user gives the substitute to that user', () => {
    const limited = segment('ten', 1, { per_user_limit: 2 })
    const given = config('points', [limited, points, none])
    const left = supply({
      stock_left: new Map([
        [1, null],
        [2, null],
      ]),
    })
    const statuses = [1, 2, 3].map(() => awardOf(given, limited, left).status)
    assert.deepEqual(statuses, ['won', 'won', 'substituted'])
    assert.equal(left.wins_of_user.get('ten'), 2)
    assert.equal(left.wins_of_user.get('points'), 1)
  })

  it('P-03 a substitute that is used up too leaves the player with nothing, never with a third reward', () => {
    const left = supply({
      stock_left: new Map([
        [1, 0],
        [2, 0],
      ]),
    })
    assert.deepEqual(awardOf(config('points'), ten, left), { status: 'exhausted', segment: null })
  })

  for (const [why, on_exhausted] of [
    ['none is declared', null],
    ['it is the reward itself', 'ten'],
    ['it is a segment without a prize', 'none'],
    ['it is not on the wheel', 'gone'],
  ] as const) {
    it(`P-03 a reward that ran out gives nothing when ${why}`, () => {
      const left = supply({
        stock_left: new Map([
          [1, 0],
          [2, null],
        ]),
      })
      assert.deepEqual(awardOf(config(on_exhausted), ten, left), { status: 'exhausted', segment: null })
    })
  }

  it('S2-15 a prize whose definition was switched off is not given, whatever stock it had', () => {
    const left = supply({ stock_left: new Map([[2, null]]) })
    assert.deepEqual(awardOf(config('points'), ten, left), { status: 'substituted', segment: points })
  })

  it('P-03 over any run of rolls stock, budget and limits are never passed and every win is paid for', () => {
    const world = fc.record({
      stock: fc.array(fc.option(fc.nat(4)), { minLength: 4, maxLength: 4 }),
      cost: fc.array(fc.nat(300), { minLength: 4, maxLength: 4 }),
      limit: fc.array(fc.option(fc.integer({ min: 1, max: 3 })), { minLength: 4, maxLength: 4 }),
      budget: fc.option(fc.nat(1000)),
      fallback: fc.nat(4),
      rolls: fc.array(fc.nat(4), { maxLength: 60 }),
    })
    fc.assert(
      fc.property(world, ({ stock, cost, limit, budget, fallback, rolls }) => {
        const segments = [...stock.keys()].map((i) => segment(`s${i}`, i, { per_user_limit: limit[i]! }))
        segments.push(none)
        const given = config(segments[fallback]!.id, segments)
        const left = supply({
          stock_left: new Map(stock.map((each, i) => [i, each])),
          cost_minor: new Map(cost.map((each, i) => [i, each])),
          budget_left_minor: budget,
        })
        const wins = new Map<string, number>()
        let spent = 0
        for (const roll of rolls) {
          const award = awardOf(given, segments[roll]!, left)
          if (award.segment === null) continue
          wins.set(award.segment.id, (wins.get(award.segment.id) ?? 0) + 1)
          spent += cost[award.segment.prize_id!]!
        }
        if (budget !== null) assert.equal(left.budget_left_minor, budget - spent)
        assert.ok(left.budget_left_minor === null || left.budget_left_minor >= 0)
        stock.forEach((each, i) => {
          const won = wins.get(`s${i}`) ?? 0
          assert.ok(each === null || won <= each)
          assert.ok(limit[i] === null || won <= limit[i]!)
        })
      }),
      propertyOptions(300),
    )
  })
})

describe('chances', () => {
  const grants = (): Grant[] => [
    { id: 'other', remaining: 5, wheel_game_id: 'w2' },
    { id: 'empty', remaining: 0, wheel_game_id: 'w1' },
    { id: 'first', remaining: 1, wheel_game_id: 'w1' },
    { id: 'any', remaining: 2, wheel_game_id: null },
  ]

  it('S1-15 are taken from the first grant that fits the wheel and has one left, then from the next', () => {
    const mine = grants()
    const taken = [1, 2, 3, 4].map(() => takeChance(mine, 'w1')?.id)
    assert.deepEqual(taken, ['first', 'any', 'any', undefined])
    assert.equal(chancesLeft(mine, 'w1'), 0)
    assert.equal(chancesLeft(mine, 'w2'), 5)
  })

  it('S1-15 of another wheel are neither counted nor taken', () => {
    assert.equal(chancesLeft(grants(), 'w1'), 3)
    assert.equal(takeChance([{ id: 'other', remaining: 5, wheel_game_id: 'w2' }], 'w1'), undefined)
  })
})

describe('where the wheel stops', () => {
  /** The roll whose place on the wheel is under the pointer after a turn. */
  function rollUnderPointer(angle: number, total: number): number {
    const turned = angle % 360
    return (((360 - turned) % 360) / 360) * total
  }

  it('P-04 the point of the roll ends under the pointer, for every wheel and roll', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 9 }), fc.nat(10 ** 9), (total, any) => {
        const roll = any % total
        const { angle } = landingOf(roll, total, NOW, 4000)
        assert.equal(Math.floor(rollUnderPointer(angle, total)), roll)
      }),
      propertyOptions(1000),
    )
  })

  it('P-04 first and last roll of the narrowest segment stop inside it', () => {
    const weights = [1, 499_999_999, 1, 499_999_999]
    const total = 10 ** 9
    for (const { range_start, range_end } of rangesOf(weights)) {
      for (const roll of [range_start, range_end]) {
        const stopped = rollUnderPointer(landingOf(roll, total, NOW, 1).angle, total)
        assert.ok(stopped > range_start && stopped < range_end + 1, `${roll}: ${stopped}`)
      }
    }
  })

  it('P-04 every spin turns at least five times and says when it begins and how long it takes', () => {
    const landing = landingOf(9, 10, NOW, 4321)
    assert.ok(landing.angle >= 5 * 360)
    assert.equal(landing.duration_ms, 4321)
    assert.equal(landing.starts_at, NOW.toISOString())
  })
})
