/** A player's two commitments, as they are shown. */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import type { CommitDoc } from '../fairness/commit.ts'
import { loadCommitment, loadPairs } from './store.ts'

/** The actor's current and next pair on a game. Refuses seed_pair_not_found. Never shows a seed. */
export async function readPair(tx: Tx, { game_id }: { game_id: string }) {
  const rows = await loadPairs(tx, game_id, tx.actor.userId)
  const current = rows.find((row) => row.seed_status === 'active')
  const next = rows.find((row) => row.seed_status === 'next')
  if (current === undefined || next === undefined) refuse('seed_pair_not_found')
  return {
    current: {
      ...(await viewOf(tx, current)),
      client_seed: current.client_seed,
      next_nonce: current.next_nonce,
    },
    next: await viewOf(tx, next),
  }
}

async function viewOf(tx: Tx, { commit_hash, seq }: { commit_hash: string; seq: number }) {
  const { doc, jws } = (await loadCommitment(tx, commit_hash))!
  return { commit_hash, seq, doc: JSON.parse(doc) as CommitDoc, jws }
}
