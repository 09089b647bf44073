import assert from 'node:assert/strict'
import { fitOf, upperGamma } from './statistics.ts'

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
