/** A Merkle tree of which every eighth level is stored: the rest is folded from it. The log and every list are one. */
import { fromHex, toHex } from '../fairness/bytes.ts'
import { appendAll, type HashAt, merkleRoot, type TreeState } from '../fairness/merkle.ts'
import { NODE_HASH } from '../node-hash.ts'

/** One stored hash per 256 leaves, and a proof folds at most 256 hashes per level. */
const STORED_EVERY = 8

/** Where a tree's hashes are, `from <= index < to`, in hex and in order. */
export type StoredTree = {
  leaves(from: number, to: number): Promise<string[]>
  nodes(level: number, from: number, to: number): Promise<string[]>
}

export type StoredNode = { level: number; node_index: number; hash: string }

/** Reads any complete subtree. */
export function hashReader(stored: StoredTree): HashAt {
  return async (level, index) => {
    const base = level - (level % STORED_EVERY)
    const width = 2 ** (level - base)
    const hashes =
      base === 0
        ? await stored.leaves(index * width, (index + 1) * width)
        : await stored.nodes(base, index * width, (index + 1) * width)
    if (hashes.length !== width) throw new Error(`the tree has no complete subtree ${level}/${index}`)
    return merkleRoot(hashes.map(fromHex), NODE_HASH)
  }
}

/** The tree after more leaves, and the subtrees that are to be stored with them. */
export function grown(
  tree: TreeState,
  leaves: Iterable<Uint8Array>,
  nodes: StoredNode[] = [],
): { tree: TreeState; nodes: StoredNode[] } {
  const state = appendAll(tree, leaves, NODE_HASH, (level, node_index, hash) => {
    if (level > 0 && level % STORED_EVERY === 0) nodes.push({ level, node_index, hash: toHex(hash) })
  })
  return { tree: state, nodes }
}
