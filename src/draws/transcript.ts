/** The transcript of a draw that is over (fair-1.md section 14): one document that re-derives its outcome. */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { type CommitDoc, trustLabel } from '../fairness/commit.ts'
import { type Config, derive, type Entries, type Leaf, type Transcript } from '../fairness/transcript.ts'
import { NODE_HASH } from '../node-hash.ts'
import { loggedPart } from '../proofs/log.ts'
import { loadLogEvent, loadSeedByCommit } from '../proofs/store.ts'
import { proveEntry } from './list.ts'
import { type DrawRow, loadDraw, loadEntries, loadMoves, loadWinners } from './store.ts'

/** A longer list is not part of the document, unless the outcome cannot be checked without it: it is paged at its own address. */
const LIST_MAX = 20_000
/** fair-1.md section 14: the trace may be cut. */
const DRAW_COUNT_MAX = 1_000

/** Refuses not_found, and not_yet_revealed as long as winners are still to be shown or the draw ended without any. */
export async function drawTranscript(tx: Tx, draw_id: string): Promise<Transcript> {
  const draw = (await loadDraw(tx, draw_id)) ?? refuse('not_found')
  if (draw.status !== 'settled') refuse('not_yet_revealed', { facts: { status: draw.status } })
  const doc = JSON.parse(draw.doc) as CommitDoc
  const config = JSON.parse(draw.config) as Config
  const server_seed = (await loadSeedByCommit(tx, draw.commit_hash))?.server_seed ?? null
  const entries = await entriesPart(tx, draw, config)
  const key = doc.mode === 'beacon' ? draw.beacon!.randomness : server_seed!
  const { kind } = doc
  const { draws } = derive({ kind, config, key: Buffer.from(key, 'hex'), ctx: draw.ctx!, entries }, NODE_HASH)
  const moves = await loadMoves(tx, draw.commit_hash)
  // fair-1.md section 14: with closesAt it is an extension. Members that do not apply are left out.
  const postpones = moves.map(({ from, to, closes_at, log_index: logIndex }) => ({
    ...(from !== null && to !== null && { from, to }),
    logIndex,
    ...(closes_at !== null && { closesAt: closes_at }),
  }))
  const log = await loggedPart(tx, await loadLogEvent(tx, draw.commit_hash, 'result', null))
  return {
    v: 'fair/1',
    trust: trustLabel(doc, config),
    commit: { doc, hash: draw.commit_hash, jws: draw.jws },
    config,
    entries,
    ...(draw.beacon && { beacon: draw.beacon }),
    ...(postpones.length > 0 && { postpones }),
    ...(server_seed !== null && { serverSeed: server_seed }),
    ctx: draw.ctx!,
    draws: draws.slice(0, DRAW_COUNT_MAX),
    outcome: draw.outcome!,
    ...(log && { log }),
  }
}

async function entriesPart(tx: Tx, draw: DrawRow, config: Config): Promise<Entries> {
  const base = { root: draw.entries_root!, n: draw.entry_count, listUrl: `/api/v1/draws/${draw.id}/entries` }
  const is_needed = config['onePrizePerEntrant'] === true || draw.kind === 'guess' || draw.kind === 'tie'
  if (is_needed || draw.entry_count <= LIST_MAX) {
    const list: Leaf[] = []
    for (let from = 0; from < draw.entry_count; from += LIST_MAX) {
      const page = await loadEntries(tx, draw.id, from, from + LIST_MAX)
      for (const { leaf } of page) list.push(JSON.parse(leaf) as Leaf)
    }
    return { ...base, list }
  }
  const proofs: NonNullable<Entries['proofs']> = []
  for (const { entry_index } of await loadWinners(tx, draw.id)) {
    const { entry, proof } = await proveEntry(tx, draw, entry_index)
    proofs.push({ leaf: entry as Leaf, proof })
  }
  return { ...base, proofs }
}
