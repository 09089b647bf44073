/** A player's two commitments, as they are shown. */
import { type Tx, together } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import type { CommitDoc } from '../fairness/commit.ts'
import { loadCommitment, loadPairs } from './store.ts'

/** The actor's current and next pair on a game. Refuses seed_pair_not_found. Never shows a seed. */
export async function readPair(tx: Tx, { game_id }: { game_id: string }) {
  const rows = await loadPairs(tx, game_id, tx.actor.userId)
  const current = rows.find((row) => row.seed_status === 'active')
  const next = rows.find((row) => row.seed_status === 'next')
  if (current === undefined || next === undefined) refuse('seed_pair_not_found')
  const [shown, shown_next] = await together(viewOf(tx, current), viewOf(tx, next))
  return {
    current: { ...shown, client_seed: current.client_seed, next_nonce: current.next_nonce },
    next: shown_next,
  }
}

async function viewOf(tx: Tx, { commit_hash, seq }: { commit_hash: string; seq: number }) {
  const { doc, jws } = (await loadCommitment(tx, commit_hash))!
  return { commit_hash, seq, doc: JSON.parse(doc) as CommitDoc, jws }
}
