/**
 * What an outcome costs: 10,000 spins of a revealed pair derived again by the verifier (goal below 0.5 s), and one
 * spin of the server's hot path (goal below 2 us) beside the plain path and a naive createHmac with a Buffer key.
 *
 * The ways take turns (A B C D, B C D A, …), so that whatever else the machine does meets all of them; medians over
 * the rounds, with the slowest beside it. Run: `node bench/outcome.ts`.
 */
import { createHmac } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { toHex } from '../src/fairness/bytes.ts'
import { type CommitDoc, commitHash, configHash, seedHash } from '../src/fairness/commit.ts'
import { type Hash, NOBLE_HASH } from '../src/fairness/hash.ts'
import { weightedRoll, words } from '../src/fairness/rolls.ts'
import type { PairReveal } from '../src/fairness/transcript.ts'
import { verifyPairReveal } from '../src/fairness/verify.ts'
import { NODE_HASH, prepareKey, spinContexts, spinIndex, weightTable } from '../src/node-hash.ts'

export type Table = { name: string; rows: Record<string, string | number>[] }

const ROUND_COUNT = 7
const SPIN_COUNT = 10_000
const SEED = new Uint8Array(32).fill(0x5a)
const WEIGHTS = [1, 49, 950, 9000]
const SEGMENTS = WEIGHTS.map((weight, i) => ({ id: `s${i}`, weight }))
const CLIENT_SEED = 'player-seed_01'
const ENTROPY = 'client-entropy-0001'

function makeReveal(): PairReveal {
  const config = { v: 1 as const, kind: 'wheel', segments: SEGMENTS }
  const doc: CommitDoc = {
    v: 1,
    kind: 'wheel',
    gameId: 'wheel-1',
    tenantId: 't-1',
    seq: 1,
    mode: 'pair',
    configHash: configHash(config),
    seedHash: seedHash(SEED),
  }
  const hash = commitHash(doc)
  const key = prepareKey(SEED)
  const table = weightTable(WEIGHTS)
  const ctx_of = spinContexts('wheel', hash, CLIENT_SEED)
  const spins = Array.from({ length: SPIN_COUNT }, (_, nonce) => {
    return { nonce, entropy: ENTROPY, result: spinIndex(key, ctx_of(nonce, ENTROPY), table).index }
  })
  const commit = { doc, hash }
  return {
    v: 'fair/1',
    type: 'pair-reveal',
    commit,
    config,
    clientSeed: CLIENT_SEED,
    serverSeed: toHex(SEED),
    spins,
  }
}

// What the hot path replaces: a fresh HMAC object over a Buffer key, a Buffer out, BigInt modulo.
function naiveSpin(ctx: string): number {
  const digest = createHmac('sha256', Buffer.from(SEED)).update(`${ctx}|0`).digest()
  let roll = Number(digest.readBigUInt64BE(0) % 10_000n)
  return WEIGHTS.findIndex((weight) => {
    roll -= weight
    return roll < 0
  })
}

type Way = { name: string; goal: string; run(): void }

// The baseline must do the same work, or the comparison would flatter.
function assertBaseline(ctx: string): void {
  if (naiveSpin(ctx) !== weightedRoll(words(SEED, ctx), WEIGHTS).index) {
    throw new Error('the naive baseline gives other outcomes')
  }
}

function ways(): Way[] {
  const reveal = makeReveal()
  const key = prepareKey(SEED)
  const table = weightTable(WEIGHTS)
  const ctx_of = spinContexts('wheel', reveal.commit.hash, CLIENT_SEED)
  const contexts = Array.from({ length: SPIN_COUNT }, (_, nonce) => ctx_of(nonce, ENTROPY))
  assertBaseline(contexts[0]!)
  const verify = (hash: Hash) => () => {
    const verdict = verifyPairReveal(reveal, { hash })
    if (!verdict.ok) throw new Error(`the verifier refused: ${verdict.code}`)
  }
  const each = (spin: (ctx: string) => number) => () => {
    let sum = 0
    for (const ctx of contexts) sum += spin(ctx)
    // Used, so that no engine may drop the work.
    if (sum < 0) throw new Error('impossible')
  }
  const one = (name: string, goal: string, run: () => void): Way => ({
    name,
    goal,
    run,
  })
  return [
    one(
      'spinIndex, ready context',
      '< 2 us',
      each((ctx) => spinIndex(key, ctx, table).index),
    ),
    one('spinIndex, context built too', '< 2 us', () => {
      for (let nonce = 0; nonce < SPIN_COUNT; nonce++) spinIndex(key, ctx_of(nonce, ENTROPY), table)
    }),
    one(
      'plain path, node:crypto',
      '',
      each((ctx) => weightedRoll(words(SEED, ctx, NODE_HASH), WEIGHTS).index),
    ),
    one('naive createHmac, Buffer key', '', each(naiveSpin)),
    one('verifier, pure JavaScript', '10,000 in < 500 ms', verify(NOBLE_HASH)),
    one('verifier, node:crypto', '', verify(NODE_HASH)),
  ]
}

const medianOf = (values: number[]) => [...values].sort((a, b) => a - b)[(values.length - 1) / 2]!

/** Runs the measurement, a few seconds, and returns its table. Prints nothing. */
export async function run(): Promise<Table> {
  const all = ways()
  const times = new Map<string, number[]>(all.map((way) => [way.name, []]))
  // One round that does not count: the compiler is still at work in it.
  for (let round = -1; round < ROUND_COUNT; round++) {
    for (let turn = 0; turn < all.length; turn++) {
      const way = all[(turn + round + 1) % all.length]!
      const started = performance.now()
      way.run()
      if (round >= 0) times.get(way.name)!.push(performance.now() - started)
    }
  }
  const rows = all.map(({ name, goal }) => {
    const measured = times.get(name)!
    const median_ms = medianOf(measured)
    return {
      way: name,
      ns_per_outcome: Math.round((median_ms * 1e6) / SPIN_COUNT),
      slowest_ns: Math.round((Math.max(...measured) * 1e6) / SPIN_COUNT),
      ms_per_10000: Number(median_ms.toFixed(1)),
      goal,
    }
  })
  return { name: `outcome: medians of ${ROUND_COUNT} interleaved rounds, Node ${process.version}`, rows }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { name, rows } = await run()
  console.log(name)
  console.table(rows)
}
