/** The public log as a Merkle tree: complete subtrees of every eighth level are stored, the rest is folded from them. */
import type { Tx } from '../db/tx.ts'
import { fromHex, toHex } from '../fairness/bytes.ts'
import {
  append,
  consistencyProofFrom,
  type HashAt,
  inclusionProofFrom,
  merkleRoot,
  rootFrom,
  stateFrom,
  type TreeState,
} from '../fairness/merkle.ts'
import { NODE_HASH } from '../node-hash.ts'
import { insertNodes, loadLeafHashes, loadNodes } from './store.ts'

/** A stored level every eighth: one stored hash per 256 events, and a proof folds at most 256 hashes per level. */
const STORED_EVERY = 8
/** Leaves read at once while a tree grows: 64 bytes of hex each. */
const PAGE = 4096

/** Reads any complete subtree of the tenant's log. */
export function hashReader(tx: Tx): HashAt {
  return async (level, index) => {
    const stored = level - (level % STORED_EVERY)
    const width = 2 ** (level - stored)
    const read =
      stored === 0
        ? loadLeafHashes(tx, index * width, (index + 1) * width)
        : loadNodes(tx, stored, index * width, (index + 1) * width)
    const hashes = await read
    if (hashes.length !== width) throw new Error(`the log has no complete subtree ${level}/${index}`)
    return merkleRoot(hashes.map(fromHex), NODE_HASH)
  }
}

/** The tree over the first `size` events, from what is stored. */
export function readTree(tx: Tx, size: number): Promise<TreeState> {
  return stateFrom(hashReader(tx), size)
}

/** Grows a tree to `size`, storing the complete subtrees that come into being. */
export async function growTree(tx: Tx, tree: TreeState, size: number): Promise<TreeState> {
  let grown = tree
  while (grown.size < size) {
    const nodes: { level: number; node_index: number; hash: string }[] = []
    const leaves = await loadLeafHashes(tx, grown.size, Math.min(size, grown.size + PAGE))
    if (leaves.length === 0) throw new Error(`the log ends at ${grown.size} and not at ${size}`)
    for (const leaf of leaves) {
      grown = append(grown, fromHex(leaf), NODE_HASH, (level, node_index, hash) => {
        if (level > 0 && level % STORED_EVERY === 0) nodes.push({ level, node_index, hash: toHex(hash) })
      })
    }
    if (nodes.length > 0) await insertNodes(tx, nodes)
  }
  return grown
}

/** Proof that event `index` is in the log of `size` events, in hex. */
export async function proveInclusion(tx: Tx, index: number, size: number): Promise<string[]> {
  return (await inclusionProofFrom(hashReader(tx), index, size, NODE_HASH)).map(toHex)
}

/** Proof that the log of `first` events is a beginning of the log of `second`, in hex. */
export async function proveConsistency(tx: Tx, first: number, second: number): Promise<string[]> {
  return (await consistencyProofFrom(hashReader(tx), first, second, NODE_HASH)).map(toHex)
}

/** Root of the first `size` events, in hex. */
export async function rootAt(tx: Tx, size: number): Promise<string> {
  return toHex(await rootFrom(hashReader(tx), size, NODE_HASH))
}
