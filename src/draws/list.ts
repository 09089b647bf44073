/**
 * The list of a draw as a growing Merkle tree: what is added is hashed at once, so that closing a list of any length is
 * the fold of a few roots. Long additions are cut into slices, so that nothing else waits for them.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { fromHex, toHex, utf8 } from '../fairness/bytes.ts'
import { jcs } from '../fairness/canonical.ts'
import { inclusionProofFrom, leafHash, rootOf, type TreeState } from '../fairness/merkle.ts'
import { NODE_HASH } from '../node-hash.ts'
import { entryReceipt, makeEntrant } from '../proofs/shared-draw.ts'
import { grown, hashReader, type StoredNode } from '../proofs/stored-tree.ts'
import type { NewEntry } from './game.ts'
import {
  type DrawRow,
  type EntrantRow,
  type EntryRow,
  insertDrawNodes,
  insertEntrants,
  insertEntries,
  loadDrawNodes,
  loadEntrants,
  loadEntries,
  updateDraw,
} from './store.ts'

/** Leaves hashed in one turn of the event loop: about 2 ms. */
const SLICE = 200

/** What an entrant gets to know about the own entry. */
export type Accepted = {
  entry_index: number
  ref_id: string
  user_id: string
  entrant: string
  salt: string
  leaf: string
  leaf_hash: string
}

const treeOf = (draw: Pick<DrawRow, 'entry_count' | 'tree'>): TreeState => ({
  size: draw.entry_count,
  roots: draw.tree.map(fromHex),
})

/** The root over everything that is on the list. */
export function rootOfList(draw: Pick<DrawRow, 'entry_count' | 'tree'>): string {
  return toHex(rootOf(treeOf(draw), NODE_HASH))
}

/**
 * Adds entries at the end of an open list, in order, and brings `draw` up to date. The caller holds the draw's lock and
 * has decided that they may enter; the same `ref_id` twice is an error of the database.
 */
export async function addEntries(
  tx: Tx,
  draw: DrawRow,
  entries: readonly NewEntry[],
  more: Pick<DrawRow, 'is_filled' | 'fill_after'> | Record<string, never> = {},
): Promise<Accepted[]> {
  const entrants = await entrantsOf(tx, draw, entries)
  const accepted: Accepted[] = []
  const nodes: StoredNode[] = []
  let tree = treeOf(draw)
  for (let from = 0; from < entries.length; from += SLICE) {
    if (from > 0) await nextTurn()
    const slice = entries.slice(from, from + SLICE).map((entry, i) => {
      const entry_index = tree.size + i
      const { entrant, entrant_salt } = entrants.get(entry.user_id)!
      const leaf = jcs({ ...entry.facts, e: entrant, i: entry_index })
      const hash = leafHash(utf8(leaf), NODE_HASH)
      const { user_id, ref_id } = entry
      accepted.push({
        entry_index,
        ref_id,
        user_id,
        entrant,
        salt: entrant_salt,
        leaf,
        leaf_hash: toHex(hash),
      })
      return hash
    })
    tree = grown(tree, slice, nodes).tree
  }
  // The count first: the list takes no entry beyond it.
  await updateDraw(tx, draw.id, { entry_count: tree.size, tree: tree.roots.map(toHex), ...more })
  Object.assign(draw, { entry_count: tree.size, tree: tree.roots.map(toHex), ...more })
  for (let from = 0; from < accepted.length; from += SLICE) {
    await insertEntries(tx, draw.id, accepted.slice(from, from + SLICE))
    await nextTurn()
  }
  if (nodes.length > 0) await insertDrawNodes(tx, draw.id, nodes)
  return accepted
}

async function entrantsOf(
  tx: Tx,
  draw: DrawRow,
  entries: readonly NewEntry[],
): Promise<Map<string, EntrantRow>> {
  const users = [...new Set(entries.map((entry) => entry.user_id))]
  const known = new Map((await loadEntrants(tx, draw.id, users)).map((row) => [row.user_id, row]))
  const added: EntrantRow[] = []
  for (const [i, user_id] of users.entries()) {
    if (known.has(user_id)) continue
    if (i % SLICE === SLICE - 1) await nextTurn()
    const row = { user_id, ...makeEntrant(tx, draw.game_id, user_id) }
    known.set(user_id, row)
    added.push(row)
  }
  if (added.length > 0) await insertEntrants(tx, draw.id, added)
  return known
}

/** A signed receipt of an entry, for its entrant. */
export function receiptOf(
  tx: Tx,
  draw: Pick<DrawRow, 'commit_hash'>,
  { entry_index, leaf_hash }: Pick<Accepted, 'entry_index' | 'leaf_hash'>,
): string {
  return entryReceipt(tx, { commit_hash: draw.commit_hash, i: entry_index, leaf_hash })
}

export const leafHashOfText = (leaf: string): string => toHex(leafHash(utf8(leaf), NODE_HASH))

export type InclusionView = {
  draw_id: string
  entry: Record<string, unknown>
  leaf_hash: string
  entry_index: number
  entry_count: number
  entries_root: string
  commit_hash: string
  proof: string[]
}

/** Proof that an entry is on the frozen list, without showing any other. Refuses not_yet_revealed, not_found. */
export async function proveEntry(tx: Tx, draw: DrawRow, entry_index: number): Promise<InclusionView> {
  const { id, entries_root, entry_count, commit_hash } = draw
  if (entries_root === null)
    refuse('not_yet_revealed', { detail: 'The list is still open; the proof exists once it is closed.' })
  const [entry]: EntryRow[] = await loadEntries(tx, id, entry_index, entry_index + 1)
  if (entry === undefined) refuse('not_found')
  const read = hashReader({
    leaves: async (from, to) =>
      (await loadEntries(tx, id, from, to)).map((each) => leafHashOfText(each.leaf)),
    nodes: (level, from, to) => loadDrawNodes(tx, id, level, from, to),
  })
  const proof = await inclusionProofFrom(read, entry_index, entry_count, NODE_HASH)
  return {
    draw_id: id,
    entry: JSON.parse(entry.leaf) as Record<string, unknown>,
    leaf_hash: leafHashOfText(entry.leaf),
    entry_index,
    entry_count,
    entries_root,
    commit_hash,
    proof: proof.map(toHex),
  }
}
