/**
 * Amounts and distances, exactly: text or JSON numbers in, integers out, text again. No binary floating point takes
 * part in them (features N3). Pure.
 */

/** ISO 4217, where a currency has not two decimals. A table of our own: ICU's differs from it, and changes. */
const CURRENCIES_BY_DECIMALS: readonly [number, string][] = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
  [4, 'CLF UYW'],
]
const DECIMALS = new Map(
  CURRENCIES_BY_DECIMALS.flatMap(([decimals, codes]) => codes.split(' ').map((code) => [code, decimals])),
)

/** Every decimal of 15 digits comes through a JSON number unchanged; with 16 some do not. */
export const AMOUNT_MINOR_MAX = 999_999_999_999_999n
/** Half of the way around the earth: no delivery is longer. */
export const DISTANCE_M_MAX = 20_038_000

/** More than anybody needs, and no work for hostile text. */
const TEXT_LENGTH_MAX = 40
const PLAIN = /^(0|[1-9]\d*)(?:\.(\d+))?$/
const SMALL = /^(\d)(?:\.(\d+))?e-(\d+)$/

/** How many decimals the amounts of a currency (ISO 4217 code) have. */
export function decimalsOf(currency: string): number {
  return DECIMALS.get(currency) ?? 2
}

type Digits = { whole: string; fraction: string }

/** The digits of a decimal that is not negative, or null. A number is read through its shortest decimal text. */
function digitsOf(value: number | string): Digits | null {
  if (typeof value === 'string' && value.length > TEXT_LENGTH_MAX) return null
  const match = PLAIN.exec(typeof value === 'number' ? plainText(value) : value)
  return match === null ? null : { whole: match[1]!, fraction: match[2] ?? '' }
}

/** JavaScript writes numbers below a millionth with an exponent; how far below is no matter here. */
function plainText(value: number): string {
  const text = String(value)
  const match = SMALL.exec(text)
  if (match === null) return text
  const [, first, rest = '', exponent] = match
  return `0.${'0'.repeat(Math.min(Number(exponent), TEXT_LENGTH_MAX) - 1)}${first}${rest}`
}

function scaled({ whole, fraction }: Digits, decimals: number): bigint {
  return BigInt(whole + fraction.padEnd(decimals, '0').slice(0, decimals))
}

/**
 * Reads an amount of a request: a JSON number or decimal text, in minor units. Null when it is none: negative, with
 * an exponent, sign, blank or separator, with more decimals than the currency has, or beyond AMOUNT_MINOR_MAX.
 * Source: features N3.
 */
export function amountOf(value: number | string, decimals: number): bigint | null {
  const digits = digitsOf(value)
  if (digits === null || digits.fraction.length > decimals) return null
  const amount_minor = scaled(digits, decimals)
  return amount_minor > AMOUNT_MINOR_MAX ? null : amount_minor
}

/**
 * Reads an amount of a definition, which may carry zeros beyond what the currency has: `50.00` is 50 yen. Null when
 * it is none.
 */
export function definedAmountOf(text: string, decimals: number): bigint | null {
  const digits = digitsOf(text)
  if (digits === null || /[1-9]/.test(digits.fraction.slice(decimals))) return null
  const amount_minor = scaled(digits, decimals)
  return amount_minor > AMOUNT_MINOR_MAX ? null : amount_minor
}

/** Writes minor units as the seed does: `7.55`, always with all decimals of the currency. */
export function amountText(amount_minor: bigint, decimals: number): string {
  const sign = amount_minor < 0n ? '-' : ''
  const digits = String(amount_minor < 0n ? -amount_minor : amount_minor).padStart(decimals + 1, '0')
  return decimals === 0 ? sign + digits : `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/**
 * Reads a distance in kilometres (a JSON number or decimal text) as whole metres, rounded up: no comparison with a
 * limit in whole metres comes out differently for it. Null when it is none, or beyond DISTANCE_M_MAX.
 */
export function metresOf(value: number | string): number | null {
  const digits = digitsOf(value)
  if (digits === null) return null
  const begun_m = /[1-9]/.test(digits.fraction.slice(3)) ? 1n : 0n
  const distance_m = scaled(digits, 3) + begun_m
  return distance_m > BigInt(DISTANCE_M_MAX) ? null : Number(distance_m)
}

/** Reads a limit of a definition: kilometres with at most three decimals, as metres. Null when it is none. */
export function limitMetresOf(value: number | string): number | null {
  const digits = digitsOf(value)
  return digits === null || digits.fraction.length > 3 ? null : metresOf(value)
}

/** Writes metres as kilometres without needless zeros: 15010 is `15.01`. */
export function kilometresText(distance_m: number): string {
  const text = amountText(BigInt(distance_m), 3)
  return text.replace(/\.?0+$/, '')
}

/**
 * `base * share_bps / 10000`, rounded once, half up (features N13). Takes amounts that are not negative, in minor
 * units, and a share in basis points.
 */
export function percentageOf(base_minor: bigint, share_bps: bigint): bigint {
  return (base_minor * share_bps + 5_000n) / 10_000n
}

/** The smallest of some amounts. */
export function least(first: bigint, ...others: bigint[]): bigint {
  return others.reduce((low, each) => (each < low ? each : low), first)
}

/** The part of an amount that goes with `part` of `whole`, rounded half up. `whole` is above 0. */
export function shareOf(amount_minor: bigint, part_minor: bigint, whole_minor: bigint): bigint {
  return (2n * amount_minor * part_minor + whole_minor) / (2n * whole_minor)
}
