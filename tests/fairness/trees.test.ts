// Merkle trees against a second, literal reading of RFC 6962, for every small size and random large ones.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat, sameBytes, utf8 } from '../../src/fairness/bytes.ts'
import { publicKeyOf } from '../../src/fairness/commit.ts'
import { NOBLE_HASH } from '../../src/fairness/hash.ts'
import * as merkle from '../../src/fairness/merkle.ts'
import { NODE_HASH } from '../../src/node-hash.ts'
import { propertyOptions } from './seed.ts'

// The recursive definitions of RFC 6962, sections 2.1 to 2.1.2, as they stand there.
function literalRoot(d: Uint8Array[]): Uint8Array {
  if (d.length === 0) return NODE_HASH.sha256(new Uint8Array(0))
  if (d.length === 1) return d[0]!
  const k = splitOf(d.length)
  return NODE_HASH.sha256(concat(Uint8Array.of(1), literalRoot(d.slice(0, k)), literalRoot(d.slice(k))))
}
function literalPath(m: number, d: Uint8Array[]): Uint8Array[] {
  if (d.length === 1) return []
  const k = splitOf(d.length)
  return m < k
    ? [...literalPath(m, d.slice(0, k)), literalRoot(d.slice(k))]
    : [...literalPath(m - k, d.slice(k)), literalRoot(d.slice(0, k))]
}
function literalSubproof(m: number, d: Uint8Array[], b: boolean): Uint8Array[] {
  if (m === d.length) return b ? [] : [literalRoot(d)]
  const k = splitOf(d.length)
  return m <= k
    ? [...literalSubproof(m, d.slice(0, k), b), literalRoot(d.slice(k))]
    : [...literalSubproof(m - k, d.slice(k), false), literalRoot(d.slice(0, k))]
}
function splitOf(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

const leaf = (i: number) => merkle.leafHash(utf8(`leaf ${i}`), NODE_HASH)
const LEAVES = Array.from({ length: 70 }, (_, i) => leaf(i))

function grown(leaves: Uint8Array[]) {
  const stored = new Map<string, Uint8Array>()
  let state = merkle.EMPTY_TREE
  for (const one of leaves) {
    state = merkle.append(state, one, NODE_HASH, (level, index, hash) =>
      stored.set(`${level}/${index}`, hash),
    )
  }
  const hashAt = (level: number, index: number) => {
    const hash = stored.get(`${level}/${index}`)
    assert.ok(hash, `asked for a subtree that is not complete: ${level}/${index}`)
    return hash
  }
  return { state, stored, hashAt }
}

describe('Merkle trees', () => {
  it('P-44 every inclusion proof of every tree up to 33 leaves is the one of RFC 6962 and verifies', () => {
    for (let size = 1; size <= 33; size++) {
      const leaves = LEAVES.slice(0, size)
      const root = merkle.merkleRoot(leaves, NODE_HASH)
      assert.deepEqual(root, literalRoot(leaves))
      for (let index = 0; index < size; index++) {
        const proof = merkle.inclusionProof(leaves, index, NODE_HASH)
        assert.deepEqual(proof, literalPath(index, leaves))
        const given = { index, size, leafHash: leaves[index]!, proof, root }
        assert.ok(merkle.verifyInclusion(given, NODE_HASH))
        assert.equal(merkle.verifyInclusion({ ...given, leafHash: leaf(99) }, NODE_HASH), false)
        assert.equal(merkle.verifyInclusion({ ...given, proof: [...proof, root] }, NODE_HASH), false)
        if (proof.length > 0) {
          assert.equal(merkle.verifyInclusion({ ...given, proof: proof.slice(1) }, NODE_HASH), false)
        }
      }
    }
  })

  it('P-49 every consistency proof between sizes up to 33 is the one of RFC 6962, verifies, and fits no other root', () => {
    for (let second = 1; second <= 33; second++) {
      const leaves = LEAVES.slice(0, second)
      const root2 = literalRoot(leaves)
      for (let first = 1; first <= second; first++) {
        const proof = merkle.consistencyProof(leaves, first, NODE_HASH)
        assert.deepEqual(proof, literalSubproof(first, leaves, true))
        const given = { first, second, proof, root1: literalRoot(leaves.slice(0, first)), root2 }
        assert.ok(merkle.verifyConsistency(given, NODE_HASH))
        assert.equal(merkle.verifyConsistency({ ...given, root1: leaf(99) }, NODE_HASH), false)
        assert.equal(merkle.verifyConsistency({ ...given, root2: leaf(99) }, NODE_HASH), false)
        assert.equal(merkle.verifyConsistency({ ...given, proof: [...proof, root2] }, NODE_HASH), false)
      }
    }
  })

  it('P-44 a tree kept at insertion has the root of all its leaves at every size', () => {
    let state = merkle.EMPTY_TREE
    for (let size = 0; size <= LEAVES.length; size++) {
      assert.deepEqual(merkle.rootOf(state, NODE_HASH), literalRoot(LEAVES.slice(0, size)))
      let ones = 0
      for (let rest = size; rest > 0; rest = (rest - (rest % 2)) / 2) ones += rest % 2
      assert.equal(state.roots.length, ones, 'keeps one root per perfect subtree and nothing else')
      if (size < LEAVES.length) state = merkle.append(state, LEAVES[size]!, NODE_HASH)
    }
  })

  it('P-49 proofs from stored complete subtrees equal proofs from all leaves, also for trees that have grown since', async () => {
    const { hashAt } = grown(LEAVES)
    for (const size of [1, 2, 3, 7, 8, 33, 64, 69, 70]) {
      const leaves = LEAVES.slice(0, size)
      assert.deepEqual(await merkle.rootFrom(hashAt, size, NODE_HASH), literalRoot(leaves))
      for (let index = 0; index < size; index++) {
        const proof = await merkle.inclusionProofFrom(hashAt, index, size, NODE_HASH)
        assert.deepEqual(proof, literalPath(index, leaves))
      }
      for (let first = 1; first <= size; first++) {
        const proof = await merkle.consistencyProofFrom(hashAt, first, size, NODE_HASH)
        assert.deepEqual(proof, literalSubproof(first, leaves, true))
      }
    }
    assert.deepEqual(await merkle.rootFrom(hashAt, 0, NODE_HASH), literalRoot([]))
  })

  it('P-49 a tree resumed from stored subtrees goes on as if it had never stopped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 70 }), async (stop) => {
        const { hashAt } = grown(LEAVES.slice(0, stop))
        let state = await merkle.stateFrom(hashAt, stop)
        for (const one of LEAVES.slice(stop)) state = merkle.append(state, one, NODE_HASH)
        assert.deepEqual(merkle.rootOf(state, NODE_HASH), literalRoot(LEAVES))
      }),
      propertyOptions(30),
    )
  })

  it('P-49 sizes beyond 2^32 are computed as integers: a proof plan never touches an incomplete subtree', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (size, part) => {
          const index = Math.floor(size * part)
          for (const range of merkle.inclusionRanges(index, size)) {
            assert.ok(range.start >= 0 && range.end <= size && !(range.start <= index && index < range.end))
            for (const place of merkle.placesOf(range)) {
              assert.ok(Number.isSafeInteger(place.index))
              assert.ok((place.index + 1) * 2 ** place.level <= size)
            }
          }
          assert.ok(merkle.inclusionRanges(index, size).length <= 53)
          assert.ok(merkle.consistencyRanges(index + 1, size).length <= 54)
        },
      ),
      propertyOptions(300),
    )
  })

  it('P-44 plans refuse an index at the size, first size 0 and first > second', () => {
    assert.throws(() => merkle.inclusionRanges(5, 5), RangeError)
    assert.throws(() => merkle.inclusionRanges(0, 0), RangeError)
    assert.throws(() => merkle.consistencyRanges(0, 5), RangeError)
    assert.throws(() => merkle.consistencyRanges(6, 5), RangeError)
    assert.throws(() => merkle.append(merkle.EMPTY_TREE, new Uint8Array(31)), RangeError)
  })

  it('P-44 many leaves at once make the tree and complete the subtrees that they make one by one', () => {
    for (let first = 0; first <= 9; first++) {
      const before = grown(LEAVES.slice(0, first)).state
      const kept = structuredClone(before)
      const completed: [number, number, Uint8Array][] = []
      const after = merkle.appendAll(before, LEAVES.slice(first, 40), NODE_HASH, (...node) =>
        completed.push(node),
      )
      const { state, stored } = grown(LEAVES.slice(0, 40))
      assert.deepEqual(after, state)
      assert.deepEqual(before, kept, 'the old state stays valid')
      for (const [level, index, hash] of completed) assert.deepEqual(hash, stored.get(`${level}/${index}`))
      assert.equal(completed.length, stored.size - grown(LEAVES.slice(0, first)).stored.size)
    }
  })

  it('P-44 both hashes make one tree', () => {
    assert.ok(sameBytes(merkle.merkleRoot(LEAVES, NOBLE_HASH), merkle.merkleRoot(LEAVES, NODE_HASH)))
  })
})

describe('Checkpoints', () => {
  const privateKey = new Uint8Array(32).fill(7)
  const other = new Uint8Array(32).fill(8)
  const checkpoint = { origin: 'livedraw.example/t-1', size: 3, root: literalRoot(LEAVES.slice(0, 3)) }
  const vkey = merkle.verifierKey(checkpoint.origin, publicKeyOf(privateKey))
  const note = merkle.signCheckpoint(checkpoint, privateKey)
  const witness = merkle.signCheckpoint({ ...checkpoint, origin: 'witness.example' }, other).split('\n\n')[1]!

  it('P-49 a signed checkpoint opens under its verifier key and under no other', () => {
    assert.deepEqual(merkle.openCheckpoint(note, [vkey]), checkpoint)
    const wrong = merkle.verifierKey(checkpoint.origin, publicKeyOf(other))
    assert.throws(() => merkle.openCheckpoint(note, [wrong]), RangeError)
    assert.throws(() => merkle.openCheckpoint(note, []), RangeError)
  })

  it('P-49 a signature of an unknown witness is ignored, a failing one of a known key spoils the note', () => {
    assert.deepEqual(merkle.openCheckpoint(note + witness, [vkey]), checkpoint)
    const known_witness = merkle.verifierKey('witness.example', publicKeyOf(other))
    assert.throws(() => merkle.openCheckpoint(note + witness, [vkey, known_witness]), RangeError)
  })

  it('P-49 every changed byte of a checkpoint is refused', () => {
    for (let at = 0; at < note.length; at++) {
      const changed = note.slice(0, at) + (note[at] === 'A' ? 'B' : 'A') + note.slice(at + 1)
      assert.throws(() => merkle.openCheckpoint(changed, [vkey]), RangeError, `byte ${at}`)
    }
    assert.throws(() => merkle.openCheckpoint(note.slice(0, -1), [vkey]), RangeError)
    assert.throws(() => merkle.openCheckpoint(`${note}\n`, [vkey]), RangeError)
  })

  it('P-49 an origin with a space or a plus sign cannot be signed for', () => {
    for (const origin of ['a b', 'a+b', '', 'a\nb']) {
      assert.throws(() => merkle.signCheckpoint({ ...checkpoint, origin }, privateKey), RangeError)
    }
  })
})
