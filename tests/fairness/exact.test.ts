// Fairness by enumeration: with small words every input can be tried, so these tests prove and do not estimate.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Hash, NOBLE_HASH } from '../../src/fairness/hash.ts'
import * as rolls from '../../src/fairness/rolls.ts'
import {
  hmacHex,
  NODE_HASH,
  prepareKey,
  spinContexts,
  spinIndex,
  weightTable,
  wipeKey,
} from '../../src/node-hash.ts'
import { propertyOptions } from './seed.ts'

/** A source that gives these words and then ends; `range` is how many values a word has. */
function listSource(list: readonly bigint[], range?: bigint): rolls.WordSource & { taken: number } {
  const source = {
    taken: 0,
    word() {
      const word = list[source.taken++]
      if (word === undefined) throw new Error('out of words')
      return word
    },
    ...(range !== undefined && { range }),
  }
  return source
}

const BYTE_RANGE = 256n
const key = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe('Exact proofs of the mapping', () => {
  it('P-46 with 8-bit words, every n up to 256 gets equally many accepted words for every result', () => {
    for (let n = 2; n <= 256; n++) {
      const counts = new Array<number>(n).fill(0)
      let refused = 0
      for (let word = 0n; word < BYTE_RANGE; word++) {
        // The second word, 0, is accepted for every n, so two words taken means that the first was refused.
        const source = listSource([word, 0n], BYTE_RANGE)
        const result = rolls.uniform(source, n)
        if (source.taken === 2) refused++
        else counts[result]!++
      }
      assert.equal(refused, 256 % n)
      assert.deepEqual([...new Set(counts)], [Math.floor(256 / n)])
    }
    assert.throws(() => rolls.uniform(listSource([0n], BYTE_RANGE), 257), RangeError)
  })

  it('P-46 with 8-bit words, the control `word % n` is unequal for every n that does not divide 256', () => {
    for (let n = 2; n <= 256; n++) {
      const counts = new Array<number>(n).fill(0)
      for (let word = 0; word < 256; word++) counts[word % n]!++
      assert.equal(new Set(counts).size === 1, 256 % n === 0)
    }
  })

  it('S1-11 with 8-bit words, weighted gives each index exactly its weight in every full run of words', () => {
    for (const weights of [
      [1, 2, 3, 4],
      [0, 1, 0],
      [5, 0, 0, 11],
      [100, 156],
      [1, 49, 950 % 256, 0],
    ]) {
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      const counts = weights.map(() => 0)
      const limit = 256 - (256 % total)
      for (let word = 0; word < limit; word++) {
        counts[rolls.weighted(listSource([BigInt(word)], BYTE_RANGE), weights)]!++
      }
      assert.deepEqual(
        counts,
        weights.map((weight) => (weight * limit) / total),
      )
    }
  })

  it('P-46 all decision vectors of Fisher-Yates up to n = 7 give each permutation exactly once', () => {
    for (let n = 1; n <= 7; n++) {
      const seen = new Set<string>()
      for (const decisions of decisionVectors(n, n - 1))
        seen.add(rolls.shuffle(listSource(decisions), n).join())
      assert.equal(seen.size, factorial(n))
    }
  })

  it('P-46 all decision vectors of sample(n, k) up to n = 7 give each ordered choice exactly once', () => {
    for (let n = 1; n <= 7; n++) {
      for (let k = 0; k <= n; k++) {
        const counts = new Map<string, number>()
        for (const decisions of decisionVectors(n, k)) {
          const picks = rolls.sample(listSource(decisions), n, k).join()
          counts.set(picks, (counts.get(picks) ?? 0) + 1)
        }
        assert.equal(counts.size, factorial(n) / factorial(n - k))
        assert.deepEqual([...new Set(counts.values())], [1])
      }
    }
  })

  it('P-46 the controls naive swap and Sattolo do not give each permutation once', () => {
    const n = 4
    const naive = new Map<string, number>()
    for (const js of product(n, n)) {
      const cells = [...Array(n).keys()]
      js.forEach((j, i) => {
        ;[cells[i], cells[j]] = [cells[j]!, cells[i]!]
      })
      naive.set(cells.join(), (naive.get(cells.join()) ?? 0) + 1)
    }
    assert.ok(new Set(naive.values()).size > 1)
    const sattolo = new Set<string>()
    for (const decisions of decisionVectors(n - 1, n - 1)) {
      const cells = [...Array(n).keys()]
      decisions.forEach((offset, i) => {
        const j = i + 1 + Number(offset)
        ;[cells[i], cells[j]] = [cells[j]!, cells[i]!]
      })
      sattolo.add(cells.join())
    }
    assert.ok(sattolo.size < factorial(n))
  })

  it('P-46 words at the boundary: L-1 is accepted, L and 2^64-1 are refused, for random n', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (raw) => {
        const n = BigInt(Math.abs(raw) || 2)
        const limit = 2n ** 64n - (2n ** 64n % n)
        const accepted = listSource([limit - 1n])
        assert.equal(rolls.uniform(accepted, Number(n)), n === 1n ? 0 : Number((limit - 1n) % n))
        if (limit === 2n ** 64n || n === 1n) return
        const refused = listSource([limit, 2n ** 64n - 1n, 7n])
        assert.equal(rolls.uniform(refused, Number(n)), Number(7n % n))
        assert.equal(refused.taken, 3)
      }),
      propertyOptions(500),
    )
  })

  it('S0-13 a sparse sample is the beginning of the full shuffle, and of every longer sample', () => {
    fc.assert(
      fc.property(key, fc.integer({ min: 0, max: 400 }), fc.nat(), fc.nat(), (seed, n, a, b) => {
        const stream = () => rolls.words(seed, 'fair/1|test|prefix', NODE_HASH)
        const [k, longer] = [a % (n + 1), b % (n + 1)].sort((x, y) => x - y) as [number, number]
        const sampled = rolls.sample(stream(), n, k)
        assert.deepEqual(sampled, rolls.shuffle(stream(), n).slice(0, k))
        assert.deepEqual(sampled, rolls.sample(stream(), n, longer).slice(0, k))
      }),
      propertyOptions(200),
    )
  })

  it('P-46 weightedSample(w, 1) is weighted(w), and the tree gives what walking the list gives', () => {
    const weights = fc.array(fc.oneof(fc.nat(20), fc.constant(0), fc.nat(2 ** 40)), {
      minLength: 1,
      maxLength: 40,
    })
    fc.assert(
      fc.property(key, weights, fc.nat(50), (seed, list, k) => {
        fc.pre(list.some((weight) => weight > 0))
        const stream = () => rolls.words(seed, 'fair/1|test|weighted', NODE_HASH)
        assert.equal(rolls.weightedSample(stream(), list, 1)[0], rolls.weighted(stream(), list))
        assert.deepEqual(rolls.weightedSample(stream(), list, k), walked(stream(), list, k))
      }),
      propertyOptions(300),
    )
  })

  it('P-46 the prepared-pad path equals the plain path for every seed, context and weights', () => {
    const fields = fc.array(fc.stringMatching(/^[A-Za-z0-9._:+/-]{1,128}$/), { minLength: 1, maxLength: 4 })
    const weight = fc.oneof(fc.nat(9), fc.nat(10_000), fc.nat(2 ** 22), fc.nat(2 ** 45))
    fc.assert(
      fc.property(key, fields, fc.array(weight, { minLength: 1, maxLength: 30 }), (seed, parts, weights) => {
        fc.pre(weights.some((one) => one > 0))
        const ctx = rolls.context('wheel', parts)
        const prepared = prepareKey(seed)
        const plain = rolls.weightedRoll(rolls.words(seed, ctx, NOBLE_HASH), weights)
        assert.deepEqual(spinIndex(prepared, ctx, weights), plain)
        assert.deepEqual(spinIndex(prepared, ctx, weightTable(weights)), plain)
        assert.equal(hmacHex(prepared, `${ctx}|0`), Buffer.from(rolls.block(seed, ctx, 0)).toString('hex'))
      }),
      propertyOptions(400),
    )
  })

  it('P-46 the prepared-pad path equals the plain path over a long run of nonces', () => {
    const seed = new Uint8Array(32).fill(0xa5)
    const table = weightTable([1, 49, 950, 9000])
    const prepared = prepareKey(seed)
    const ctx_of = spinContexts('wheel', '00'.repeat(32), 'player-seed_01')
    for (let nonce = 0; nonce < 3000; nonce++) {
      const ctx = rolls.context('wheel', ['00'.repeat(32), 'player-seed_01', nonce, '-'])
      assert.equal(ctx_of(nonce, '-'), ctx)
      assert.deepEqual(
        spinIndex(prepared, ctx, table),
        rolls.weightedRoll(rolls.words(seed, ctx, NODE_HASH), table.weights),
      )
    }
  })

  it('S0-24 a wiped key gives no more numbers instead of numbers of another key', () => {
    const prepared = prepareKey(new Uint8Array(32).fill(3))
    wipeKey(prepared)
    assert.ok(prepared.inner.every((byte) => byte === 0) && prepared.outer.every((byte) => byte === 0))
    assert.throws(() => spinIndex(prepared, 'fair/1|wheel|x', [1, 1]), /wiped/)
    assert.throws(() => prepareKey(new Uint8Array(31)), RangeError)
  })
})

describe('Probabilities as weights', () => {
  it('S1-11 decimal probabilities become exact integer weights', () => {
    const rows: [string[], number[]][] = [
      [
        ['0.10', '0.90'],
        [1, 9],
      ],
      [['1'], [1]],
      [
        ['1.000', '0'],
        [1, 0],
      ],
      [
        ['0.0001', '0.0049', '0.095', '0.9'],
        [1, 49, 950, 9000],
      ],
      [
        ['0.333333333', '0.333333333', '0.333333334'],
        [333333333, 333333333, 333333334],
      ],
      [
        ['0.1', '0.2', '0.7'],
        [1, 2, 7],
      ],
    ]
    for (const [texts, weights] of rows) assert.deepEqual(rolls.weightsFromProbabilities(texts), weights)
  })

  it('S1-11 a sum other than exactly 1 is refused and the gap is named', () => {
    const rows: [string[], string, RegExp][] = [
      [['0.1', '0.8'], '0.1', /sum to 0\.9: 0\.1 is missing/],
      [['0.5', '0.500000001'], '-0.000000001', /sum to 1\.000000001: 0\.000000001 too much/],
      [['0.3333', '0.3333', '0.3333'], '0.0001', /0\.0001 is missing/],
      [['0'], '1', /sum to 0: 1 is missing/],
      [['2', '0.5'], '-1.5', /1\.5 too much/],
    ]
    for (const [texts, gap, message] of rows) {
      assert.throws(
        () => rolls.weightsFromProbabilities(texts),
        (error: unknown) =>
          error instanceof rolls.ProbabilityGap && error.gap === gap && message.test(error.message),
      )
    }
  })

  it('S1-11 anything but a plain decimal with at most 9 decimals is refused', () => {
    for (const bad of [
      '',
      '.5',
      '1.',
      '-0.1',
      '+1',
      '1e-1',
      '0x1',
      '01',
      ' 1',
      '1\n',
      '0,5',
      'NaN',
      '½',
      '0.0000000001',
    ]) {
      assert.throws(() => rolls.weightsFromProbabilities([bad, '1']), RangeError, JSON.stringify(bad))
    }
    assert.throws(() => rolls.weightsFromProbabilities([]), RangeError)
    assert.throws(() => rolls.weightsFromProbabilities([0.5 as unknown as string, '0.5']), RangeError)
    assert.deepEqual(rolls.weightsFromProbabilities(['0.5000000000000', '0.5']), [5, 5])
  })

  it('S1-11 any split of a power of ten written as decimals comes back as its parts', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 9 }),
        (decimals, cuts) => {
          const one = 10 ** decimals
          const points = [0, ...cuts.map((cut) => cut % (one + 1)).sort((a, b) => a - b), one]
          const parts = points.slice(1).map((point, i) => point - points[i]!)
          const texts = parts.map((part) => {
            const digits = String(part).padStart(decimals + 1, '0')
            return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
          })
          const weights = rolls.weightsFromProbabilities(texts)
          const total = weights.reduce((sum, weight) => sum + weight, 0)
          assert.deepEqual(
            weights.map((weight) => weight * (one / total)),
            parts,
          )
        },
      ),
      propertyOptions(300),
    )
  })
})

describe('A commitment gives nothing away', () => {
  // The published values from which an outcome must not follow, used as keys and as the outcome itself.
  const outcomesOf = (keyed: Uint8Array, hash: Hash = NODE_HASH) =>
    Array.from({ length: 64 }, (_, nonce) => {
      const ctx = rolls.context('wheel', ['00'.repeat(32), 'player-seed_01', nonce, '-'])
      return rolls.uniform(rolls.words(keyed, ctx, hash), 1000)
    })

  it('S0-24 outcomes do not follow from seedHash or commitHash used as key, nor do they stand in them', () => {
    const seed = NODE_HASH.sha256(new Uint8Array(7))
    const seed_hash = NODE_HASH.sha256(seed)
    const real = outcomesOf(seed)
    for (const published of [seed_hash, NODE_HASH.sha256(seed_hash), new Uint8Array(32)]) {
      const guessed = outcomesOf(published)
      const hits = real.filter((value, i) => value === guessed[i]).length
      // 64 tries at 1 in 1000: five hits by chance have a probability below 1e-8, and the seeds here are fixed.
      assert.ok(hits < 5, `${hits} outcomes followed from a published value`)
    }
    const hex = Buffer.from(seed_hash).toString('hex')
    const word = BigInt(`0x${hex.slice(0, 16)}`)
    assert.notEqual(real[0], Number(word % 1000n))
    assert.notDeepEqual(seed_hash, seed)
  })
})

function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1)
}

// Every vector of words (w_0 … w_k-1) with w_i below n - i: as words they are accepted and are their own remainder.
function* decisionVectors(n: number, k: number): Generator<bigint[]> {
  if (k === 0) {
    yield []
    return
  }
  for (let first = 0; first < n; first++) {
    // uniform(1) consumes nothing, so the last decision of a whole sample has no word.
    const head = n === 1 ? [] : [BigInt(first)]
    for (const rest of decisionVectors(n - 1, k - 1)) yield [...head, ...rest]
  }
}

function* product(n: number, length: number): Generator<number[]> {
  if (length === 0) {
    yield []
    return
  }
  for (let first = 0; first < n; first++) for (const rest of product(n, length - 1)) yield [first, ...rest]
}

// weightedSample as the specification words it: walk the remaining intervals in entry order.
function walked(source: rolls.WordSource, weights: number[], k: number): number[] {
  const left = [...weights]
  const order: number[] = []
  while (order.length < k) {
    const total = left.reduce((sum, weight) => sum + weight, 0)
    if (total === 0) break
    let r = rolls.uniform(source, total)
    const index = left.findIndex((weight) => {
      if (r < weight) return true
      r -= weight
      return false
    })
    left[index] = 0
    order.push(index)
  }
  return order
}
