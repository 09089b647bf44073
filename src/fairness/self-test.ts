// A dozen vectors that the server runs before it lets anybody play. If one fails, games refuse play.
import { committedRound } from './beacon.ts'
import { fromHex, toHex } from './bytes.ts'
import { jcs } from './canonical.ts'
import { commitHash, configHash, entrantHash, seedHash } from './commit.ts'
import { type Hash, NOBLE_HASH } from './hash.ts'
import { leafHashOf, logHead, merkleRoot, verifyConsistency, verifyInclusion } from './merkle.ts'
import { block, context, sample, shuffle, uniform, weighted, weightedSample, words } from './rolls.ts'

const SEED = 'b02a56eec0f15e37c66f17601a80f21bc33c4f7331d57aa0b88129ed394b28cc'
const KEY = '95dd0db24a382f28589780e838f1c8f1df4f0c63e318ab2f2cbd00f3848bd798'
const COMMIT = '8f6fb5c05f6c301d0f25296bdd78b98d25a469dbbb74887e23b157322f49154d'
const SHUFFLE_CTX = 'fair/1|test|shuffle'

// Leaf hashes of a tree of three, its root, and the root of its first two leaves (fair-1-vectors.json).
const LEAVES = [
  { e: 'e124553cd08214abb731e94ef8bfe7baa8b81d6812c212bfe0d6427a2d7b2927', i: 0 },
  { e: 'ffe4b0ce4da5d22f71ea4bcb61203044a3b0be1e32c9e8919b0a795860ba147b', i: 1 },
  { e: '09d442b5dd6bd4980a724345aabbc6f0ab03a84c84376ff607460d83cdc14001', i: 2 },
]
const ROOT_OF_TWO = '3ee90cbec1b8137c817836b89ac55dafc2c3ab1db6beb46d5dab9c6af62f3786'
const ROOT_OF_THREE = '2317edabcfa6999b725f836bf01d2233c49d25272cebddb79c0cfa6d0a90ac22'

type Check = [name: string, expected: string, actual: (hash: Hash) => unknown]

const CHECKS: Check[] = [
  [
    'canonical JSON',
    '{"a":"\\u0001\\n/é","b":[true,null,-1]}',
    () => jcs({ b: [true, null, -1], a: '\u0001\n/é' }),
  ],
  [
    'seed hash',
    '514731f9931a8438cb60c35e0c9f9d3688c02c3b36b293cbdc26fafd190aa217',
    (hash) => seedHash(fromHex(SEED), hash),
  ],
  [
    'config hash',
    'b5b58195b3ee541c5c25a62e652bedcfc73d92be90b72fd6ef7dae9441b923a7',
    (hash) => {
      const prizes = [
        { id: 'gold', qty: 1 },
        { id: 'silver', qty: 2 },
        { id: 'bronze', qty: 5 },
      ]
      return configHash({ v: 1, kind: 'raffle', prizes, reserves: 3 }, hash)
    },
  ],
  [
    'commitment',
    '81d3b682b893973e07097820defaceef888ef53e54f9f38c965dca5e371862e1',
    (hash) => {
      const chain = '52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971'
      const doc = {
        v: 1,
        kind: 'draw',
        gameId: 'raffle-42',
        configHash: 'b5b58195b3ee541c5c25a62e652bedcfc73d92be90b72fd6ef7dae9441b923a7',
        mode: 'beacon',
        beacon: { chain, round: 1000 },
        closesAt: '2023-08-23T15:58:54Z',
      }
      return commitHash(doc, hash)
    },
  ],
  [
    'entrant hash',
    'b463500eceb241724bd51837657a0bfd4b7b4e6f198e73cf9a5f20b77bf6c5d9',
    (hash) =>
      entrantHash(
        'raffle-42',
        '7b1c0e0e-0b1a-4c55-9d7e-2f0c6a3b9f10',
        '000102030405060708090a0b0c0d0e0f',
        hash,
      ),
  ],
  [
    'block',
    'ef11d1088157184b03cfa9de6ea2cffc0296cd5506c479a1f62592c3deb4a744',
    (hash) => toHex(block(fromHex(SEED), context('wheel', [COMMIT, 'player-seed_01', 0, '-']), 0, hash)),
  ],
  ['boundary word', '9007199254740990 5 0', () => boundaryWords()],
  [
    'wheel spins',
    '2,3,3,3,3,3,3,3,2,3,2',
    (hash) =>
      Array.from({ length: 11 }, (_, nonce) => {
        const ctx = context('wheel', [COMMIT, 'player-seed_01', nonce, '-'])
        return weighted(words(fromHex(SEED), ctx, hash), [1, 49, 950, 9000, 0])
      }).join(),
  ],
  [
    'sample',
    '3291104,3844215,6906249,8336535,4266392,577787,8797984,1556845,8741548,3282112',
    (hash) => sample(words(fromHex(KEY), SHUFFLE_CTX, hash), 10_000_000, 10).join(),
  ],
  ['shuffle', '4,9,5,0,8,7,6,2,3,1', (hash) => shuffle(words(fromHex(KEY), SHUFFLE_CTX, hash), 10).join()],
  [
    'weighted sample',
    '6,4,7,3,2,5,0',
    (hash) =>
      weightedSample(words(fromHex(KEY), SHUFFLE_CTX, hash), [5, 0, 1, 100, 20, 7, 3000000000, 12], 8).join(),
  ],
  [
    'Merkle root',
    ROOT_OF_THREE,
    (hash) =>
      toHex(
        merkleRoot(
          LEAVES.map((leaf) => leafHashOf(leaf, hash)),
          hash,
        ),
      ),
  ],
  ['inclusion proof', 'true false', (hash) => inclusionAnswers(hash)],
  ['consistency proof', 'true false', (hash) => consistencyAnswers(hash)],
  [
    'row hash',
    '060e4f937121ef2f7d08c22fe55b8b22c6e83a13d46ed2b1ba7d7e00172221e7',
    (hash) => {
      const first = logHead(null, { seq: 0, type: 'commit', commitHash: COMMIT }, hash)
      return toHex(logHead(first, { seq: 1, type: 'spin', nonce: 0, result: 2 }, hash))
    },
  ],
  ['beacon round', '24807414', () => committedRound('2026-01-01T00:00:00.001Z', 3000)],
]

// L - 1 is the last accepted word for the largest n; L and above are refused and the next word is used.
function boundaryWords(): string {
  const stub = (...list: bigint[]) => ({ word: () => list.shift()! })
  const n = Number.MAX_SAFE_INTEGER
  return [
    uniform(stub(0xfffffffffffff7ffn), n),
    uniform(stub(0xfffffffffffff800n, 5n), n),
    uniform(stub(0xffffffffffffffffn, 0xfffffffffffff800n, 0n), n),
  ].join(' ')
}

function inclusionAnswers(hash: Hash): string {
  const leaf_hash = leafHashOf(LEAVES[2], hash)
  const given = { size: 3, leafHash: leaf_hash, proof: [fromHex(ROOT_OF_TWO)], root: fromHex(ROOT_OF_THREE) }
  return [2, 1].map((index) => verifyInclusion({ ...given, index }, hash)).join(' ')
}

function consistencyAnswers(hash: Hash): string {
  const given = { first: 2, second: 3, root1: fromHex(ROOT_OF_TWO), root2: fromHex(ROOT_OF_THREE) }
  const leaf_hash = leafHashOf(LEAVES[2], hash)
  return [[leaf_hash], [leaf_hash, leaf_hash]]
    .map((proof) => verifyConsistency({ ...given, proof }, hash))
    .join(' ')
}

/**
 * Runs the vectors over the hash that play will use. Returns a sentence per failure; an empty list means pass.
 * A few milliseconds; pure. Source: fair-1.md, section 12.
 */
export function selfTest(hash: Hash = NOBLE_HASH): string[] {
  const failures: string[] = []
  for (const [name, expected, actual] of CHECKS) {
    try {
      const found = String(actual(hash))
      if (found !== expected) failures.push(`${name}: expected ${expected}, got ${found}`)
    } catch (error) {
      failures.push(`${name}: threw ${error instanceof Error ? error.message : 'something'}`)
    }
  }
  return failures
}
