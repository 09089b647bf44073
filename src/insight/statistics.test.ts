import assert from 'node:assert/strict'
import { atLeast, fitOf, ratioOf, upperGamma, wilson } from './statistics.ts'

describe('chi-square fit of observed rolls (src/insight/statistics)', () => {
  // Quantiles of the chi-square distribution as every table prints them.
  for (const [degrees, chi, p] of [
    [1, 3.841, 0.05],
    [1, 6.635, 0.01],
    [4, 9.488, 0.05],
    [10, 18.307, 0.05],
    [10, 29.588, 0.001],
    [30, 43.773, 0.05],
  ] as const) {
    it(`P-48 a chi-square of ${chi} over ${degrees} degrees of freedom has p ${p}`, () => {
      assert.ok(Math.abs(upperGamma(degrees / 2, chi / 2) - p) < p * 0.002)
    })
  }

  it('P-48 counts that match their odds exactly fit perfectly', () => {
    assert.deepEqual(fitOf([100, 200, 700], [1, 2, 7]), {
      chi_square: '0.0000',
      degrees_of_freedom: 2,
      p_value: '1.000',
    })
  })

  it('P-48 a wheel that gives its first prize twice as often as promised does not fit', () => {
    assert.ok(Number(fitOf([200, 100, 700], [1, 2, 7]).p_value) < 1e-9)
  })

  it('P-48 cells of few expected counts are merged, and a lone cell compares nothing', () => {
    assert.equal(fitOf([1, 1, 98], [1, 1, 98]).p_value, null)
    assert.equal(fitOf([3, 3, 94], [3, 3, 94]).degrees_of_freedom, 1)
    assert.equal(fitOf([0, 0], [1, 1]).p_value, null)
  })
})

describe('proportions (src/insight/statistics)', () => {
  // Where the share that would be promised lies 1.96 of its own deviations away, found by bisection.
  for (const [successes, trials, low, high] of [
    [10, 100, '0.055229', '0.174366'],
    [98, 1000, '0.081082', '0.117995'],
    [0, 10, '0.000000', '0.277533'],
    [10, 10, '0.722467', '1.000000'],
  ] as const) {
    it(`S2-43 the 95 % interval of ${successes} in ${trials} is ${low} to ${high}`, () => {
      const found = wilson(successes, trials)!
      assert.ok(Math.abs(found.low - Number(low)) < 1e-6, String(found.low))
      assert.ok(Math.abs(found.high - Number(high)) < 1e-6, String(found.high))
    })
  }

  it('S2-43 without plays there is no interval', () => assert.equal(wilson(0, 0), null))

  it('S2-52 the tail of the binomial distribution is what its terms add up to', () => {
    const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k)
    for (const [successes, trials, share] of [
      [1, 10, 0.1],
      [5, 12, 0.25],
      [12, 12, 0.5],
      [3, 40, 0.65],
      [39, 40, 0.65],
    ] as const) {
      let expected = 0
      for (let k = successes; k <= trials; k++)
        expected += choose(trials, k) * share ** k * (1 - share) ** (trials - k)
      const found = atLeast(successes, trials, share)
      assert.ok(Math.abs(found - expected) <= expected * 1e-6, `${found} ${expected}`)
    }
    assert.deepEqual(
      [atLeast(0, 5, 0.1), atLeast(6, 5, 0.1), atLeast(1, 5, 0), atLeast(5, 5, 1)],
      [1, 0, 0, 1],
    )
  })

  it('S2-44 a ratio is an exact fraction with its decimal, half up; of nothing it is null', () => {
    assert.deepEqual(ratioOf(3, 4), { numerator: 3, denominator: 4, decimal: '0.750000' })
    assert.equal(ratioOf(1, 3)!.decimal, '0.333333')
    assert.equal(ratioOf(2, 3)!.decimal, '0.666667')
    assert.equal(ratioOf(1, 2_000_000)!.decimal, '0.000001')
    assert.equal(ratioOf(0, 7)!.decimal, '0.000000')
    assert.equal(ratioOf(0, 0), null)
  })
})
