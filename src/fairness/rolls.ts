// From a key and a context to numbers. Integers from hash to outcome: no clock, no IO, no float, no stake, no user.
import { utf8 } from './bytes.ts'
import { type Hash, type Key, macOf, NOBLE_HASH } from './hash.ts'

const WORD_RANGE = 1n << 64n
const BLOCK_COUNT_MAX = 2 ** 32
const FIELD = /^[A-Za-z0-9._:+/-]{1,128}$/

/** Which function of section 4 asked for a uniform number. */
export type Op = 'uniform' | 'weighted' | 'sample' | 'shuffle' | 'weightedSample'

/** One uniform call of a stream: range, result, words refused, and the accepted word in hex (null for n = 1). */
export type Draw = { n: number; op: Op; rejected: number; result: number; word: string | null }

/**
 * Anything that gives words in order. `range` is how many values a word has (2^64 if absent): the proofs of the
 * tests run the same mapping over 8-bit words. With a `trace`, every uniform call is appended to it.
 */
export type WordSource = { word(): bigint; readonly range?: bigint; trace?: Draw[] }

/**
 * Builds a context string, `fair/1|kind|field|…`. Numbers become plain decimals.
 * Refuses (RangeError) a kind or field outside `[A-Za-z0-9._:+/-]{1,128}` and numbers that are not integers >= 0:
 * the separator can never stand inside a field. Source: fair-1.md, sections 2 and 3.
 */
export function context(kind: string, fields: readonly (string | number)[]): string {
  const parts = [kind, ...fields].map((field) => {
    const text = typeof field === 'number' ? decimal(field) : field
    if (typeof text !== 'string' || !FIELD.test(text)) throw new RangeError('not a context field')
    return text
  })
  return `fair/1|${parts.join('|')}`
}

function decimal(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('not an integer from 0')
  return String(value)
}

/** HMAC-SHA256(key, ctx + "|" + i), 32 bytes. The key is 32 raw bytes. Source: fair-1.md, section 3. */
export function block(key: Key, ctx: string, i: number, hash: Hash = NOBLE_HASH): Uint8Array {
  return macOf(key, hash)(utf8(`${ctx}|${decimal(i)}`))
}

/**
 * The stream of one (key, ctx): words 4i … 4i+3 are the big-endian quarters of block i.
 * A stream serves one event. Throws after 2^32 blocks. Source: fair-1.md, section 3.
 */
export function words(key: Key, ctx: string, hash: Hash = NOBLE_HASH): WordSource {
  const mac = macOf(key, hash)
  let current: DataView<ArrayBufferLike> = new DataView(new ArrayBuffer(0))
  let block_index = 0
  let at = 0
  return {
    word() {
      if (at === current.byteLength) {
        if (block_index >= BLOCK_COUNT_MAX) throw new RangeError('stream exhausted')
        const bytes = block(mac, ctx, block_index++, hash)
        current = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        at = 0
      }
      at += 8
      return current.getBigUint64(at - 8)
    },
  }
}

/**
 * A fair integer in 0 … n-1, 1 <= n <= 2^53-1; n = 1 consumes nothing. Anything else throws (RangeError).
 * Source: fair-1.md, section 4.
 */
export function uniform(source: WordSource, n: number, op: Op = 'uniform'): number {
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError('uniform needs an integer from 1 to 2^53-1')
  if (n === 1) {
    source.trace?.push({ n, op, rejected: 0, result: 0, word: null })
    return 0
  }
  const range = source.range ?? WORD_RANGE
  const modulus = BigInt(n)
  if (modulus > range) throw new RangeError('more results than a word has values')
  // Rejects the tail of the range: taking a remainder of it would favour small values. Multiply-shift is as fair
  // but gives other numbers, which would break every published transcript.
  const limit = range - (range % modulus)
  let rejected = 0
  let word = source.word()
  while (word >= limit) {
    rejected++
    word = source.word()
  }
  const result = Number(word % modulus)
  source.trace?.push({ n, op, rejected, result, word: word.toString(16).padStart(16, '0') })
  return result
}

/**
 * Sum of weights. Refuses (RangeError) an empty list, anything that is not an integer >= 0, and totals outside
 * 1 … 2^53-1.
 */
export function totalWeight(weights: readonly number[]): number {
  let total = 0
  for (const weight of weights) {
    if (!Number.isSafeInteger(weight) || weight < 0) throw new RangeError('a weight is an integer from 0')
    if (weight > Number.MAX_SAFE_INTEGER - total) throw new RangeError('weights exceed 2^53-1')
    total += weight
  }
  if (total < 1) throw new RangeError('no weight to draw from')
  return total
}

/** The first index whose running sum exceeds r, for 0 <= r < total. A weight of zero is never found. Pure. */
export function indexOfRoll(weights: readonly number[], r: number): number {
  let sum = 0
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i]!
    if (r < sum) return i
  }
  throw new RangeError('roll beyond the total weight')
}

/** Index drawn by integer weight, in config order. A total of 1 consumes nothing. Refuses as `totalWeight`. */
export function weighted(source: WordSource, weights: readonly number[]): number {
  return weightedRoll(source, weights).index
}

/** As `weighted`, with the roll: `roll` lies in the half-open range of running sums that belongs to `index`. */
export function weightedRoll(
  source: WordSource,
  weights: readonly number[],
): { index: number; roll: number } {
  const roll = uniform(source, totalWeight(weights), 'weighted')
  return { index: indexOfRoll(weights, roll), roll }
}

/**
 * The picks of a Fisher-Yates shuffle of 0 … n-1, one at a time and only as many as are taken.
 * Keeps the touched cells alone: memory and draws grow with the picks, not with n.
 */
export function* sampling(source: WordSource, n: number): Generator<number, void, undefined> {
  const moved = new Map<number, number>()
  for (let i = 0; i < n; i++) {
    const j = i + uniform(source, n - i, 'sample')
    const pick = moved.get(j) ?? j
    if (j !== i) moved.set(j, moved.get(i) ?? i)
    moved.delete(i)
    yield pick
  }
}

/**
 * k different numbers of 0 … n-1 in drawn order, 0 <= k <= n, anything else throws (RangeError).
 * A prefix of every longer sample of the same stream. Source: fair-1.md, section 4; sparse Fisher-Yates.
 */
export function sample(source: WordSource, n: number, k: number): number[] {
  if (!Number.isSafeInteger(n) || !Number.isSafeInteger(k) || k < 0 || k > n) {
    throw new RangeError('sample needs integers 0 <= k <= n')
  }
  return take(sampling(source, n), k)
}

/** A permutation of 0 … n-1; the same loop over a real array, so sample(n, k) is its beginning. */
export function shuffle(source: WordSource, n: number): number[] {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError('shuffle needs an integer from 0')
  const cells = Array.from({ length: n }, (_, i) => i)
  for (let i = 0; i + 1 < n; i++) {
    const j = i + uniform(source, n - i, 'shuffle')
    const pick = cells[j]!
    cells[j] = cells[i]!
    cells[i] = pick
  }
  return cells
}

/** One pick of a weighted draw without replacement: the entry and the roll that chose it. */
export type WeightedPick = { index: number; roll: number }

/**
 * Weighted picks without replacement, one at a time, until no weight remains.
 * A Fenwick tree finds the interval in log n steps; it gives what walking in entry order gives.
 */
export function* weightedSampling(
  source: WordSource,
  weights: readonly number[],
): Generator<WeightedPick, void, undefined> {
  let total = totalWeight(weights)
  const tree = makeFenwick(weights)
  while (total > 0) {
    const roll = uniform(source, total, 'weightedSample')
    const index = tree.find(roll)
    tree.remove(index)
    total -= weights[index]!
    yield { index, roll }
  }
}

/** Up to k indices drawn by weight without replacement; shorter when fewer entries have weight. */
export function weightedSample(source: WordSource, weights: readonly number[], k: number): number[] {
  if (!Number.isSafeInteger(k) || k < 0) throw new RangeError('weightedSample needs an integer k from 0')
  totalWeight(weights)
  return take(weightedSampling(source, weights), k).map((pick) => pick.index)
}

/** The first `count` values of a generator; it is not asked for one more, because asking draws. */
export function take<T>(picks: Iterator<T, void, undefined>, count: number): T[] {
  const taken: T[] = []
  while (taken.length < count) {
    const next = picks.next()
    if (next.done) break
    taken.push(next.value)
  }
  return taken
}

type Fenwick = { find(roll: number): number; remove(index: number): void }

function makeFenwick(weights: readonly number[]): Fenwick {
  const n = weights.length
  const sums = new Array<number>(n + 1).fill(0)
  for (let i = 1; i <= n; i++) {
    sums[i] = sums[i]! + weights[i - 1]!
    const parent = i + (i & -i)
    if (parent <= n) sums[parent] = sums[parent]! + sums[i]!
  }
  let top = 1
  while (top * 2 <= n) top *= 2
  return {
    find(roll) {
      let at = 0
      let rest = roll
      for (let step = top; step >= 1; step >>= 1) {
        if (at + step > n || sums[at + step]! > rest) continue
        at += step
        rest -= sums[at]!
      }
      return at
    },
    remove(index) {
      for (let i = index + 1; i <= n; i += i & -i) sums[i] = sums[i]! - weights[index]!
    },
  }
}

const PROBABILITY = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/
const DECIMALS_MAX = 9

/** Probabilities that do not add up to exactly 1. `gap` is signed: what is missing (or, with a minus, too much). */
export class ProbabilityGap extends RangeError {
  readonly gap: string
  constructor(gap: string, sum: string) {
    super(
      gap.startsWith('-')
        ? `probabilities sum to ${sum}: ${gap.slice(1)} too much`
        : `probabilities sum to ${sum}: ${gap} is missing`,
    )
    this.name = 'ProbabilityGap'
    this.gap = gap
  }
}

/**
 * Integer weights of decimal probabilities, exact: ["0.10", "0.90"] gives [1, 9]. The total is a power of ten.
 *
 * Trailing zeros of the fraction do not count; at most 9 decimals remain. Refuses (RangeError) an empty list and
 * anything that is not a plain decimal text, then (ProbabilityGap, which names the gap) a sum other than 1.
 * Source: fair-1.md, section 4, "Decimal probabilities"; 9 decimals is a decision that keeps totals below 2^53.
 */
export function weightsFromProbabilities(probabilities: readonly string[]): number[] {
  if (probabilities.length === 0) throw new RangeError('no probabilities')
  const parsed = probabilities.map(parseProbability)
  let decimals = 0
  for (const { fraction } of parsed) if (fraction.length > decimals) decimals = fraction.length
  const weights = parsed.map(({ whole, fraction }) => BigInt(whole + fraction.padEnd(decimals, '0')))
  const sum = weights.reduce((total, weight) => total + weight, 0n)
  const one = 10n ** BigInt(decimals)
  if (sum !== one) throw new ProbabilityGap(decimalText(one - sum, decimals), decimalText(sum, decimals))
  return weights.map(Number)
}

function parseProbability(text: string): { whole: string; fraction: string } {
  const match = typeof text === 'string' && text.length <= 128 ? PROBABILITY.exec(text) : null
  if (!match) throw new RangeError(`not a decimal probability: ${String(text).slice(0, 40)}`)
  const fraction = (match[2] ?? '').replace(/0+$/, '')
  if (fraction.length > DECIMALS_MAX) {
    throw new RangeError(`more than ${DECIMALS_MAX} decimals: ${text.slice(0, 40)}`)
  }
  return { whole: match[1]!, fraction }
}

function decimalText(value: bigint, decimals: number): string {
  const sign = value < 0n ? '-' : ''
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  return sign + whole + (fraction && `.${fraction}`)
}
