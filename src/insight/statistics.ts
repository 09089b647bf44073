/** Statistics for people who watch a game: is what was rolled what was promised? Floats are fine here, nothing is decided. */

export type Fit = { chi_square: string; degrees_of_freedom: number; p_value: string | null }

/** Below it a cell says little and spoils the approximation; such cells are counted together. */
const EXPECTED_MIN = 5

/**
 * Pearson's chi-square of counts against integer weights, with cells of few expected counts merged.
 * `p_value` is null while there is nothing to compare. Source: fair-1.md section 18.2.
 */
export function fitOf(observed: readonly number[], weights: readonly number[]): Fit {
  const count = observed.reduce((sum, each) => sum + each, 0)
  const total = weights.reduce((sum, each) => sum + each, 0)
  const cells = mergeSmall(
    observed.map((each, i) => ({ observed: each, expected: (count * weights[i]!) / total })),
  )
  const degrees_of_freedom = cells.length - 1
  if (degrees_of_freedom < 1) return { chi_square: '0.0000', degrees_of_freedom: 0, p_value: null }
  const chi = cells.reduce((sum, cell) => sum + (cell.observed - cell.expected) ** 2 / cell.expected, 0)
  return {
    chi_square: chi.toFixed(4),
    degrees_of_freedom,
    p_value: upperGamma(degrees_of_freedom / 2, chi / 2).toPrecision(4),
  }
}

type Cell = { observed: number; expected: number }

function mergeSmall(cells: readonly Cell[]): Cell[] {
  const large = cells.filter((cell) => cell.expected >= EXPECTED_MIN)
  const rest = cells
    .filter((cell) => cell.expected < EXPECTED_MIN)
    .reduce(
      (sum, cell) => ({ observed: sum.observed + cell.observed, expected: sum.expected + cell.expected }),
      {
        observed: 0,
        expected: 0,
      },
    )
  return rest.expected >= EXPECTED_MIN ? [...large, rest] : large
}

/** Regularised upper incomplete gamma Q(a, x): series below a + 1, continued fraction (Lentz) above. */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1
  const scale = Math.exp(-x + a * Math.log(x) - logGamma(a))
  return x < a + 1 ? 1 - scale * lowerSeries(a, x) : scale * upperFraction(a, x)
}

const PRECISION = 1e-14
const STEPS_MAX = 10_000

function lowerSeries(a: number, x: number): number {
  let term = 1 / a
  let sum = term
  for (let n = 1; n < STEPS_MAX && Math.abs(term) > Math.abs(sum) * PRECISION; n++) {
    term *= x / (a + n)
    sum += term
  }
  return sum
}

function upperFraction(a: number, x: number): number {
  const tiny = 1e-300
  let b = x + 1 - a
  let c = 1 / tiny
  let d = 1 / b
  let fraction = d
  for (let n = 1; n < STEPS_MAX; n++) {
    const step = -n * (n - a)
    b += 2
    d = step * d + b
    if (Math.abs(d) < tiny) d = tiny
    c = b + step / c
    if (Math.abs(c) < tiny) c = tiny
    d = 1 / d
    const change = d * c
    fraction *= change
    if (Math.abs(change - 1) < PRECISION) break
  }
  return fraction
}

/** Lanczos' approximation with six terms, good to about 2e-10 for a > 0 (Numerical Recipes, 6.1). */
function logGamma(a: number): number {
  const coefficients = [
    76.18009172947146, -86.50532032941678, 24.01409824083091, -1.231739572450155, 0.1208650973866179e-2,
    -0.5395239384953e-5,
  ]
  const base = a + 5.5 - (a + 0.5) * Math.log(a + 5.5)
  let series = 1.000000000190015
  coefficients.forEach((coefficient, i) => {
    series += coefficient / (a + 1 + i)
  })
  return -base + Math.log((2.5066282746310007 * series) / a)
}

/** The 97.5 % quantile of the normal distribution: two sides of a 95 % interval. */
const Z_95 = 1.959963984540054

/**
 * The 95 % score interval of a proportion (Wilson 1927), as decimals between 0 and 1; null without trials. Holds up
 * for few trials and for proportions near 0 and 1, where the usual one does not.
 */
export function wilson(successes: number, trials: number): { low: number; high: number } | null {
  if (trials === 0) return null
  const share = successes / trials
  const z2 = Z_95 ** 2
  const centre = share + z2 / (2 * trials)
  const spread = Z_95 * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials * trials))
  const scale = 1 + z2 / trials
  return { low: Math.max(0, (centre - spread) / scale), high: Math.min(1, (centre + spread) / scale) }
}

/**
 * How surprising it is to succeed at least so often: P(X >= successes) of the binomial distribution, summed from the
 * term of `successes` upwards, each from the one before it.
 */
export function atLeast(successes: number, trials: number, share: number): number {
  if (successes <= 0 || share >= 1) return 1
  if (successes > trials || share <= 0) return 0
  const logTerm =
    logGamma(trials + 1) -
    logGamma(successes + 1) -
    logGamma(trials - successes + 1) +
    successes * Math.log(share) +
    (trials - successes) * Math.log1p(-share)
  let term = Math.exp(logTerm)
  let sum = term
  for (let k = successes; k < trials; k++) {
    term *= ((trials - k) / (k + 1)) * (share / (1 - share))
    sum += term
    // Past the peak each term is smaller than the one before: what is left adds nothing.
    if (k > trials * share && term < sum * PRECISION) break
  }
  return Math.min(1, sum)
}

export type Ratio = { numerator: number; denominator: number; decimal: string }

const RATIO_PLACES = 6

/** An exact fraction with its decimal to six places, half up; null of nothing. */
export function ratioOf(numerator: number, denominator: number): Ratio | null {
  if (denominator === 0) return null
  const scale = 10n ** BigInt(RATIO_PLACES)
  const half_up = (2n * BigInt(numerator) * scale + BigInt(denominator)) / (2n * BigInt(denominator))
  const digits = half_up.toString().padStart(RATIO_PLACES + 1, '0')
  return {
    numerator,
    denominator,
    decimal: `${digits.slice(0, -RATIO_PLACES)}.${digits.slice(-RATIO_PLACES)}`,
  }
}
