// Builds complete signed and logged documents of every kind and mode, as production would, for the tests.
import { fromHex, toHex, utf8 } from '../../src/fairness/bytes.ts'
import {
  type CommitDoc,
  commitHash,
  configHash,
  publicKeyOf,
  seedHash,
  signCommit,
  trustLabel,
} from '../../src/fairness/commit.ts'
import {
  inclusionProof,
  leafHashOf,
  merkleRoot,
  signCheckpoint,
  verifierKey,
} from '../../src/fairness/merkle.ts'
import { RECORDED_ROUNDS } from '../../src/fairness/recorded-rounds.ts'
import { context, weighted, words } from '../../src/fairness/rolls.ts'
import {
  contextOf,
  derive,
  type Leaf,
  type PairReveal,
  type Transcript,
} from '../../src/fairness/transcript.ts'
import { NODE_HASH } from '../../src/node-hash.ts'
import { leaves } from './vectors.ts'

export const SIGNING_KEY = {
  kid: 'fair-test',
  privateKey: NODE_HASH.sha256(utf8('signing key of the tests')),
}
const LOG_KEY = NODE_HASH.sha256(utf8('log key of the tests'))
const ORIGIN = 'livedraw.example/t-1'
export const OTHER_ORIGIN = 'livedraw.example/t-2'

/** What a verifier of the made documents brings along. */
export const VERIFIER = {
  keys: { [SIGNING_KEY.kid]: toHex(publicKeyOf(SIGNING_KEY.privateKey)) },
  logs: [ORIGIN, OTHER_ORIGIN].map((origin) => verifierKey(origin, publicKeyOf(LOG_KEY), NODE_HASH)),
}

export const SEED = NODE_HASH.sha256(utf8('server seed of the tests'))

export type Wish = {
  kind: CommitDoc['kind']
  mode: CommitDoc['mode']
  config: Record<string, any>
  list?: Leaf[]
  total?: number
  doc?: Partial<CommitDoc>
  members?: Partial<Transcript>
  seed?: Uint8Array
  round?: number
  /** Members of the logged event that differ from the transcript: a log that tells another story. */
  event?: object
  origin?: string
}

/** A transcript that verifies, with every member its kind and mode can have. */
export function makeTranscript(wish: Wish): Transcript {
  const seed = wish.seed ?? SEED
  const config = { v: 1, ...wish.config } as Transcript['config']
  const beacon = RECORDED_ROUNDS.find(({ round }) => round === (wish.round ?? 1000))!
  const with_beacon = wish.mode === 'beacon' || wish.mode === 'hybrid'
  const doc: CommitDoc = {
    v: 1,
    kind: wish.kind,
    tenantId: 't-1',
    gameId: `${wish.kind}-1`,
    seq: 1,
    mode: wish.mode,
    configHash: configHash(config),
    ...(wish.mode !== 'beacon' && { seedHash: seedHash(seed) }),
    ...(with_beacon && { beacon: { chain: beacon.chain, round: beacon.round } }),
    ...wish.doc,
  }
  const t = {
    v: 'fair/1',
    commit: { doc, hash: commitHash(doc), jws: signCommit(doc, SIGNING_KEY) },
    config,
    ...(with_beacon && { beacon: { ...beacon } }),
    ...(wish.mode !== 'beacon' && { serverSeed: toHex(seed) }),
    ...(wish.list && { entries: entriesOf(wish.list, wish.total) }),
    ...wish.members,
  } as Transcript
  t.ctx = contextOf(t)
  const key = wish.mode === 'beacon' ? fromHex(beacon.randomness) : seed
  const derived = derive({ ...t, kind: doc.kind, key }, NODE_HASH)
  t.outcome = derived.outcome
  t.draws = derived.draws
  t.trust = trustLabel(doc, config, t.client)
  t.log = logPart(t, wish)
  return t
}

function entriesOf(list: Leaf[], total?: number): Transcript['entries'] {
  const hashes = list.map((leaf) => leafHashOf(leaf, NODE_HASH))
  return {
    root: toHex(merkleRoot(hashes, NODE_HASH)),
    n: list.length,
    list,
    ...(total !== undefined && { total }),
  }
}

/** The same transcript with proofs of some leaves instead of the whole list. */
export function withProofs(t: Transcript, indices: number[]): Transcript {
  const { list, ...entries } = t.entries!
  const hashes = list!.map((leaf) => leafHashOf(leaf, NODE_HASH))
  const proofs = indices.map((i) => ({
    leaf: list![i]!,
    proof: inclusionProof(hashes, i, NODE_HASH).map(toHex),
  }))
  return { ...t, entries: { ...entries, proofs } }
}

function logPart(t: Transcript, { event: told, origin = ORIGIN }: Wish): NonNullable<Transcript['log']> {
  const at = '2026-01-01T00:00:01.000Z'
  const event: Record<string, unknown> = t.client
    ? { type: 'spin', nonce: t.client.nonce, entropy: t.client.entropy, result: t.outcome['index'] }
    : { type: 'result', ctx: t.ctx, outcome: t.outcome }
  const events = [
    { seq: 0, at, type: 'commit', commitHash: t.commit.hash, doc: t.commit.doc },
    { seq: 1, at, type: 'config', gameId: 'another', configHash: t.commit.doc.configHash },
    { ...event, seq: 2, at, commitHash: t.commit.hash, ...told },
    { seq: 3, at, type: 'void', commitHash: '00'.repeat(32), reason: 'another' },
  ]
  const hashes = events.map((one) => leafHashOf(one, NODE_HASH))
  const checkpoint = { origin, size: hashes.length, root: merkleRoot(hashes, NODE_HASH) }
  return {
    index: 2,
    event: events[2]!,
    proof: inclusionProof(hashes, 2, NODE_HASH).map(toHex),
    checkpoint: signCheckpoint(checkpoint, LOG_KEY, NODE_HASH),
  }
}

const WHEEL = [
  { id: 'grand', weight: 1 },
  { id: 'voucher', weight: 49 },
  { id: 'coins', weight: 950 },
  { id: 'nothing', weight: 9000 },
]
const CLIENT = { seed: 'player-seed_01', nonce: 3, entropy: 'client-entropy-03' }

function stakes(weights: number[]): Leaf[] {
  let start = 0
  return leaves(weights.length, (i) => {
    start += weights[i]!
    return { s: start - weights[i]!, w: weights[i]! }
  }) as Leaf[]
}

const guesses = (g: (i: number) => number | number[], n = 20) => leaves(n, (i) => ({ g: g(i) })) as Leaf[]
const tickets = (n: number) => leaves(n) as Leaf[]
const LEG = [
  { id: '1', weight: 2 },
  { id: 'X', weight: 1 },
  { id: '2', weight: 2 },
]

/** One transcript for each kind, mode and rule that changes what is checked. */
export function everyKind(): Record<string, Transcript> {
  const guess = (config: object, list: Leaf[], mode: CommitDoc['mode'] = 'beacon') =>
    makeTranscript({ kind: 'guess', mode, config: { kind: 'guess', min: 1, max: 30, ...config }, list })
  const raffle = (config: object, list: Leaf[], mode: CommitDoc['mode'], more: Partial<Wish> = {}) =>
    makeTranscript({ kind: 'draw', mode, config: { kind: 'raffle', ...config }, list, ...more })
  const two_prizes = {
    prizes: [
      { id: 'gold', qty: 1 },
      { id: 'silver', qty: 2 },
    ],
    reserves: 2,
  }
  const owned = leaves(12, (i) => ({ e: leaves(4)[i % 4]!['e'] })) as Leaf[]
  const stake_list = stakes([5, 1, 30, 4, 10])
  return {
    wheel: makeTranscript({
      kind: 'wheel',
      mode: 'pair',
      config: { kind: 'wheel', segments: WHEEL },
      members: { client: CLIENT, award: { play_id: 'p-1' }, prevTranscript: '00'.repeat(32) },
    }),
    mystery: makeTranscript({
      kind: 'mystery',
      mode: 'pair',
      config: { kind: 'mystery', segments: WHEEL },
      members: { client: { ...CLIENT, entropy: '-' } },
    }),
    'round, beacon, series': makeTranscript({
      kind: 'round',
      mode: 'beacon',
      config: { kind: 'round', segments: WHEEL },
      list: tickets(3),
      round: 1001,
      doc: {
        beacon: { chain: RECORDED_ROUNDS[0]!.chain, round: 1000 },
        series: { firstRoundNo: 5, rounds: 9 },
      },
      members: { roundNo: 6 },
    }),
    'round, commit, seed chain': makeTranscript({
      kind: 'round',
      mode: 'commit',
      config: { kind: 'round', segments: WHEEL },
      list: [],
      doc: {
        seedHash: toHex(NODE_HASH.sha256(NODE_HASH.sha256(NODE_HASH.sha256(SEED)))),
        series: { firstRoundNo: 1, rounds: 4 },
        seedChain: true,
      },
      members: { roundNo: 3 },
    }),
    'raffle, hybrid': raffle(two_prizes, tickets(12), 'hybrid'),
    'raffle, commit': raffle(two_prizes, tickets(12), 'commit'),
    'raffle, one prize per entrant': raffle({ ...two_prizes, onePrizePerEntrant: true }, owned, 'beacon'),
    'raffle, weighted': raffle({ ...two_prizes, weighted: true }, stakes([9, 1, 0, 5, 2, 7, 1]), 'beacon'),
    'raffle, replacement': raffle({ ...two_prizes, replacement: true }, tickets(4), 'beacon'),
    'raffle, postponed': raffle(two_prizes, tickets(9), 'beacon', {
      round: 1001,
      doc: {
        beacon: { chain: RECORDED_ROUNDS[0]!.chain, round: 1000, marginMs: 30_000 },
        closesAt: '2023-08-23T15:58:54Z',
        fallback: { onOutage: 'wait', postponeBy: 1, maxPostpones: 2 },
      },
      members: { postpones: [{ from: 1000, to: 1001, logIndex: 1 }] },
    }),
    'raffle, extended': raffle(two_prizes, tickets(9), 'beacon', {
      round: 1001,
      doc: {
        beacon: { chain: RECORDED_ROUNDS[0]!.chain, round: 1000, marginMs: 30_000 },
        closesAt: '2023-08-23T15:58:54Z',
        fallback: { extend: true },
      },
      members: { postpones: [{ from: 1000, to: 1001, logIndex: 1, closesAt: '2023-08-23T15:58:57Z' }] },
    }),
    'raffle, recorded': raffle(two_prizes, tickets(9), 'beacon', {
      doc: {
        beacon: { chain: RECORDED_ROUNDS[0]!.chain, round: 1000, source: 'recorded' },
        closesAt: '2026-01-01T00:00:00Z',
      },
    }),
    'jackpot by stake': makeTranscript({
      kind: 'jackpot',
      mode: 'beacon',
      config: { kind: 'jackpot', unit: 'cent' },
      list: stake_list,
      total: 50,
    }),
    'jackpot, two winners': makeTranscript({
      kind: 'jackpot',
      mode: 'hybrid',
      config: { kind: 'jackpot', unit: 'cent', winners: 2 },
      list: stake_list,
      total: 50,
    }),
    'jackpot, pick-N': makeTranscript({
      kind: 'jackpot',
      mode: 'beacon',
      config: {
        kind: 'jackpot',
        events: [
          { id: 'leg-1', options: LEG },
          { id: 'leg-2', options: LEG },
        ],
      },
      list: leaves(3, (i) => ({ p: [[i], [0, 1]] })) as Leaf[],
      total: 3,
    }),
    'guess, exact, draw': guess(
      { targets: 2, prizes: 3, rule: 'draw' },
      guesses((i) => 1 + (i % 30), 90),
    ),
    'guess, nearest, first': guess(
      { targets: 1, prizes: 3, match: 'nearest', rule: 'first' },
      guesses((i) => 1 + ((i * 7) % 30)),
      'hybrid',
    ),
    'guess, nearest_under, split': guess(
      { targets: 1, prizes: 3, match: 'nearest_under', rule: 'split' },
      guesses((i) => 1 + ((i * 7) % 30)),
      'commit',
    ),
    'guess, unique, draw': guess(
      { targets: 1, prizes: 2, match: 'unique', rule: 'draw' },
      guesses((i) => 1 + (i % 13)),
    ),
    'guess, lowest_unique, first': guess(
      { targets: 0, prizes: 2, match: 'lowest_unique', rule: 'first' },
      guesses((i) => 1 + (i % 13)),
    ),
    'guess, count, draw': guess(
      { targets: 4, prizes: 3, match: 'count', minMatches: 1, rule: 'draw' },
      guesses((i) => [1 + i, 3 + i, 6 + i, 9 + i]),
    ),
    'guess, interactive': makeTranscript({
      kind: 'guess',
      mode: 'commit',
      config: { kind: 'guess', min: 1, max: 1000, targets: 1, prizes: 1, hints: true },
    }),
    tie: makeTranscript({
      kind: 'tie',
      mode: 'beacon',
      config: { kind: 'tie', keys: ['score'] },
      list: leaves(7, (i) => ({ score: [90, 80, 80, 80, 70, 60, 60][i] })) as Leaf[],
      members: { groupNo: 1 },
    }),
    bracket: makeTranscript({
      kind: 'tie',
      mode: 'commit',
      config: { kind: 'bracket', size: 8 },
      list: leaves(8, () => ({ score: 0 })) as Leaf[],
      members: { groupNo: 0 },
    }),
  }
}

/** A closed pair with this many spins, each with entropy of its own. */
export function makeReveal(spin_count: number): PairReveal {
  const config = { v: 1 as const, kind: 'wheel', segments: WHEEL }
  const doc: CommitDoc = {
    v: 1,
    kind: 'wheel',
    tenantId: 't-1',
    gameId: 'wheel-1',
    seq: 1,
    mode: 'pair',
    configHash: configHash(config),
    seedHash: seedHash(SEED),
  }
  const hash = commitHash(doc)
  const weights = WHEEL.map((segment) => segment.weight)
  const mac = NODE_HASH.prepare!(SEED)
  const spins = Array.from({ length: spin_count }, (_, nonce) => {
    const entropy = `client-entropy-${nonce}`
    const ctx = context('wheel', [hash, CLIENT.seed, nonce, entropy])
    return { nonce, entropy, result: weighted(words(mac, ctx, NODE_HASH), weights) }
  })
  const commit = { doc, hash, jws: signCommit(doc, SIGNING_KEY) }
  return {
    v: 'fair/1',
    type: 'pair-reveal',
    commit,
    config,
    clientSeed: CLIENT.seed,
    serverSeed: toHex(SEED),
    spins,
  }
}
