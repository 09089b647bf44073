// Statistics on mapped outcomes with fixed seeds, so never flaky: accepted is 1e-4 < p < 1 - 1e-4. Each test stands
// beside controls that must fail (p < 1e-9 or |z| > 6), because a test that lets a known fault pass proves nothing.
import assert from 'node:assert/strict'
import * as rolls from '../../src/fairness/rolls.ts'
import {
  hmacHex,
  macOfPrepared,
  prepareKey,
  spinContexts,
  spinIndex,
  weightTable,
} from '../../src/node-hash.ts'

const SEED = prepareKey(new Uint8Array(32).fill(0x11))
const MAC = macOfPrepared(SEED)

// --- A little statistics ----------------------------------------------------------------------------------------

function logGamma(x: number): number {
  // Lanczos, g = 5 (Numerical Recipes, 6.1).
  const c = [
    76.18009172947146, -86.50532032941678, 24.01409824083091, -1.231739572450155, 1.208650973866179e-3,
  ]
  const series = c.reduce(
    (sum, value, i) => sum + value / (x + 1 + i),
    1.000000000190015 + -5.395239384953e-6 / (x + 6),
  )
  return -(x + 5.5 - (x + 0.5) * Math.log(x + 5.5)) + Math.log((2.5066282746310007 * series) / x)
}

/** Upper tail of chi-square: the regularised incomplete gamma Q(df/2, x/2) (Numerical Recipes, 6.2). */
function chiSquareTail(x: number, df: number): number {
  const a = df / 2
  const half = x / 2
  const front = Math.exp(-half + a * Math.log(half) - logGamma(a))
  if (half < a + 1) {
    let term = 1 / a
    let sum = term
    for (let n = a + 1; Math.abs(term) > Math.abs(sum) * 1e-14; n++) sum += term *= half / n
    return 1 - sum * front
  }
  let b = half + 1 - a
  let c = 1e300
  let d = 1 / b
  let h = d
  for (let i = 1; i < 100_000; i++) {
    const an = -i * (i - a)
    b += 2
    d = 1 / (an * d + b)
    c = b + an / c
    h *= d * c
    if (Math.abs(d * c - 1) < 1e-14) break
  }
  return front * h
}

/** Chi-square of counts against expected counts; cells below 5 are merged into one. */
function chiSquare(counts: number[], expected: number[]): number {
  let merged_count = 0
  let merged_expected = 0
  let sum = 0
  let cells = 0
  counts.forEach((count, i) => {
    if (expected[i]! < 5) {
      merged_count += count
      merged_expected += expected[i]!
      return
    }
    sum += (count - expected[i]!) ** 2 / expected[i]!
    cells++
  })
  if (merged_expected > 0) {
    sum += (merged_count - merged_expected) ** 2 / merged_expected
    cells++
  }
  return chiSquareTail(sum, cells - 1)
}

const zOf = (count: number, n: number, p: number) => (count - n * p) / Math.sqrt(n * p * (1 - p))

function accept(p: number, what: string): void {
  assert.ok(p > 1e-4 && p < 1 - 1e-4, `${what}: p = ${p}`)
}
const acceptZ = (z: number, what: string) => assert.ok(Math.abs(z) < 3.9, `${what}: z = ${z}`)
const mustFail = (p: number, what: string) => assert.ok(p < 1e-9, `the control ${what} passed: p = ${p}`)
const mustFailZ = (z: number, what: string) =>
  assert.ok(Math.abs(z) > 6, `the control ${what} passed: z = ${z}`)

function tally(length: number, draw_count: number, draw: (i: number) => number): number[] {
  const counts = new Array<number>(length).fill(0)
  for (let i = 0; i < draw_count; i++) counts[draw(i)]!++
  return counts
}

const even = (cells: number, n: number) => new Array<number>(cells).fill(n / cells)

it('P-46 the statistics themselves are right at tabulated points', () => {
  const near = (found: number, expected: number) =>
    assert.ok(Math.abs(found - expected) < 1e-4 * expected + 1e-12)
  near(chiSquareTail(3.841458821, 1), 0.05)
  near(chiSquareTail(16.9189776, 9), 0.05)
  near(chiSquareTail(27.87716487, 9), 0.001)
  near(chiSquareTail(1074.679449, 1000), 0.05)
})

describe('Statistics on mapped outcomes', () => {
  it('P-46 wheel spins of successive nonces follow their weights; first, last, rarest and next cells too', () => {
    const weights = [20, 480, 1500, 3000, 4990, 10]
    const table = weightTable(weights)
    const ctx_of = spinContexts('wheel', '11'.repeat(32), 'player-seed_01')
    const n = 300_000
    const outcomes = Array.from({ length: n }, (_, nonce) => spinIndex(SEED, ctx_of(nonce, '-'), table).index)
    const counts = tally(weights.length, n, (i) => outcomes[i]!)
    const expected = weights.map((weight) => (n * weight) / table.total)
    accept(chiSquare(counts, expected), 'wheel')
    for (const cell of [0, 1, 4, 5])
      acceptZ(zOf(counts[cell]!, n, weights[cell]! / table.total), `cell ${cell}`)

    const halved = tally(weights.length, n, (i) => (outcomes[i] === 5 && i % 2 === 0 ? 4 : outcomes[i]!))
    mustFailZ(zOf(halved[5]!, n, weights[5]! / table.total), 'halved rarest cell')
  })

  it('P-46 uniform(10) and uniform(10000) are even; byte % 10 and u16 % 10000 are not', () => {
    const n = 400_000
    const digests = Array.from({ length: n / 4 }, (_, i) => hmacHex(SEED, `fair/1|test|blocks|${i}`))
    const wordAt = (i: number) => BigInt(`0x${digests[i >> 2]!.slice((i & 3) * 16, (i & 3) * 16 + 16)}`)
    for (const cells of [10, 10_000]) {
      const counts = tally(cells, n, (i) => rolls.uniform({ word: () => wordAt(i) }, cells))
      accept(chiSquare(counts, even(cells, n)), `uniform(${cells})`)
      for (const cell of [0, 1, cells - 1])
        acceptZ(zOf(counts[cell]!, n, 1 / cells), `cell ${cell} of ${cells}`)
    }
    const bytes = tally(10, n, (i) => Number(wordAt(i) & 0xffn) % 10)
    mustFail(chiSquare(bytes, even(10, n)), 'byte % 10')
    const shorts = tally(10_000, n, (i) => Number(wordAt(i) & 0xffffn) % 10_000)
    mustFail(chiSquare(shorts, even(10_000, n)), 'u16 % 10000')
  })

  it('P-46 an outcome says nothing of the next; 2 % reused nonces do', () => {
    const table = weightTable(new Array(10).fill(1))
    const ctx_of = spinContexts('wheel', '22'.repeat(32), 'player-seed_01')
    const n = 150_000
    const pairs = (nonceOf: (i: number) => number) => {
      let before = 0
      return tally(100, n, (i) => {
        const now = spinIndex(SEED, ctx_of(nonceOf(i), '-'), table).index
        const pair = before * 10 + now
        before = now
        return pair
      })
    }
    accept(
      chiSquare(
        pairs((i) => i),
        even(100, n),
      ),
      'pairs of neighbours',
    )
    // Every fiftieth spin takes the nonce of the one before it.
    const reused = pairs((i) => (i % 50 === 49 ? i - 1 : i))
    mustFail(chiSquare(reused, even(100, n)), '2 % reused nonces')
  })

  it('P-46 a shuffle puts every item in every place equally often; naive swap, Sattolo and sort by random do not', () => {
    const items = 8
    const runs = 25_000
    const streamOf = (name: string) => rolls.words(MAC, `fair/1|test|${name}`)
    const matrix = (shuffled: () => number[]) => {
      const counts = new Array<number>(items * items).fill(0)
      for (let run = 0; run < runs; run++) {
        shuffled().forEach((item, place) => {
          counts[place * items + item]!++
        })
      }
      // Rows and columns are fixed, so (n-1)^2 degrees of freedom remain, after scaling by (n-1)/n.
      const due = runs / items
      const sum = counts.reduce((total, count) => total + (count - due) ** 2 / due, 0)
      return chiSquareTail((sum * (items - 1)) / items, (items - 1) ** 2)
    }
    const identity = () => Array.from({ length: items }, (_, i) => i)
    const stream = streamOf('shuffle-places')
    accept(
      matrix(() => rolls.shuffle(stream, items)),
      'shuffle',
    )
    const swap = (cells: number[], i: number, j: number) => {
      const kept = cells[i]!
      cells[i] = cells[j]!
      cells[j] = kept
    }
    const naive = streamOf('naive')
    mustFail(
      matrix(() => {
        const cells = identity()
        for (let i = 0; i < items; i++) swap(cells, i, rolls.uniform(naive, items))
        return cells
      }),
      'naive swap',
    )
    const sattolo = streamOf('sattolo')
    mustFail(
      matrix(() => {
        const cells = identity()
        for (let i = items - 1; i > 0; i--) swap(cells, i, rolls.uniform(sattolo, i))
        return cells
      }),
      'Sattolo',
    )
    const coin = streamOf('sort')
    mustFail(
      matrix(() => identity().sort(() => (rolls.uniform(coin, 2) === 0 ? -1 : 1))),
      'sort by random',
    )
  })

  it('S0-13 a sample takes every ticket equally often and favours no successor; "taken, so the next ticket" does', () => {
    const n = 100
    const k = 10
    const runs = 12_000
    const measured = (pick: () => number[]) => {
      const counts = new Array<number>(n).fill(0)
      let successors = 0
      for (let run = 0; run < runs; run++) {
        const taken = new Set<number>()
        for (const ticket of pick()) {
          counts[ticket]!++
          if (taken.has(ticket - 1)) successors++
          taken.add(ticket)
        }
      }
      const p = k / n
      const sum = counts.reduce((total, count) => total + (count - runs * p) ** 2 / (runs * p * (1 - p)), 0)
      // A pair (x, x+1) is drawn in this order with probability k(k-1)/(2n(n-1)); there are n-1 such pairs.
      const due = (runs * k * (k - 1)) / (2 * n)
      return { p: chiSquareTail((sum * (n - 1)) / n, n - 1), z: (successors - due) / Math.sqrt(due) }
    }
    const stream = rolls.words(MAC, 'fair/1|test|sample-places')
    const ours = measured(() => rolls.sample(stream, n, k))
    accept(ours.p, 'inclusion')
    acceptZ(ours.z, 'successors')
    const wrong = rolls.words(MAC, 'fair/1|test|next-ticket')
    const next_ticket = measured(() => {
      const taken = new Set<number>()
      while (taken.size < k) {
        let ticket = rolls.uniform(wrong, n)
        while (taken.has(ticket)) ticket = (ticket + 1) % n
        taken.add(ticket)
      }
      return [...taken]
    })
    mustFailZ(next_ticket.z, 'taken, so the next ticket')
  })
})
