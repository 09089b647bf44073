/** The public log as a Merkle tree: grown as events are written, and read for proofs. */
import type { Tx } from '../db/tx.ts'
import { fromHex, toHex } from '../fairness/bytes.ts'
import {
  consistencyProofFrom,
  inclusionProofFrom,
  rootFrom,
  stateFrom,
  type TreeState,
} from '../fairness/merkle.ts'
import type { Transcript } from '../fairness/transcript.ts'
import { NODE_HASH } from '../node-hash.ts'
import { insertNodes, type LogRow, loadLastCheckpoint, loadLeafHashes, loadNodes } from './store.ts'
import { grown, hashReader } from './stored-tree.ts'

/** Leaves read at once while a tree grows: 64 bytes of hex each. */
const PAGE = 4096

const readerOf = (tx: Tx) =>
  hashReader({
    leaves: (from, to) => loadLeafHashes(tx, from, to),
    nodes: (level, from, to) => loadNodes(tx, level, from, to),
  })

/** The tree over the first `size` events, from what is stored. */
export function readTree(tx: Tx, size: number): Promise<TreeState> {
  return stateFrom(readerOf(tx), size)
}

/** Grows a tree to `size`, storing the complete subtrees that come into being. */
export async function growTree(tx: Tx, tree: TreeState, size: number): Promise<TreeState> {
  let state = tree
  while (state.size < size) {
    const leaves = await loadLeafHashes(tx, state.size, Math.min(size, state.size + PAGE))
    if (leaves.length === 0) throw new Error(`the log ends at ${state.size} and not at ${size}`)
    const next = grown(state, leaves.map(fromHex))
    if (next.nodes.length > 0) await insertNodes(tx, next.nodes)
    state = next.tree
  }
  return state
}

/** Proof that event `index` is in the log of `size` events, in hex. */
export async function proveInclusion(tx: Tx, index: number, size: number): Promise<string[]> {
  return (await inclusionProofFrom(readerOf(tx), index, size, NODE_HASH)).map(toHex)
}

/** Proof that the log of `first` events is a beginning of the log of `second`, in hex. */
export async function proveConsistency(tx: Tx, first: number, second: number): Promise<string[]> {
  return (await consistencyProofFrom(readerOf(tx), first, second, NODE_HASH)).map(toHex)
}

/** Root of the first `size` events, in hex. */
export async function rootAt(tx: Tx, size: number): Promise<string> {
  return toHex(await rootFrom(readerOf(tx), size, NODE_HASH))
}

/** The event's place in the log, under the newest checkpoint that covers it; absent until one does. */
export async function loggedPart(tx: Tx, row: LogRow | undefined): Promise<Transcript['log'] | undefined> {
  const checkpoint = await loadLastCheckpoint(tx)
  if (row === undefined || checkpoint === undefined || checkpoint.log_size <= row.seq) return undefined
  return {
    index: row.seq,
    event: JSON.parse(row.event) as Record<string, unknown>,
    proof: await proveInclusion(tx, row.seq, checkpoint.log_size),
    checkpoint: checkpoint.note,
  }
}
