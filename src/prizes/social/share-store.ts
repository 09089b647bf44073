/** Statements over cards that anybody may see. */
import type { Tx } from '../../db/tx.ts'
import { PLAY, type PlayRow, PROOF_ID } from '../store.ts'

/** The token of the card that stands for a play. */
export function loadShare(tx: Tx, play_id: number) {
  return tx.one<{ id: string; token: string }>(
    'select id, token from prize_shares where play_id = $1 and revoked_at is null',
    [play_id],
    'load_share',
  )
}

export async function insertShare(
  tx: Tx,
  share: { id: string; token: string; play_id: number },
): Promise<void> {
  await tx.rows(
    `insert into prize_shares (id, token, play_id, shared_by, created_at, updated_at) values ($1, $2, $3, $4, $5, $5)`,
    [share.id, share.token, share.play_id, tx.actor.userId, tx.now],
    'insert_share',
  )
}

/** Takes back the card of a play. Returns its id, undefined when none stood. */
export function endShare(tx: Tx, play_id: number) {
  return tx.one<{ id: string }>(
    `update prize_shares set revoked_at = $2, updated_at = $2, row_version = row_version + 1
     where play_id = $1 and revoked_at is null returning id`,
    [play_id, tx.now],
    'end_share',
  )
}

/** What a card is made of. `proof_id`: the chance event that has a transcript. */
export type SharedRow = PlayRow & { shared_by: string; won_by: string | null; proof_id: string | null }

/** The play behind a token that stands. */
export function loadShared(tx: Tx, token: string) {
  return tx.one<SharedRow>(
    `select ${PLAY}, s.shared_by, p.won_by, ${PROOF_ID} as proof_id
     from prize_shares s
     join gamification_game_plays p on p.id = s.play_id and p.user_id = s.shared_by
     join gamification_games g on g.id = p.game_id
     where s.token = $1 and s.revoked_at is null`,
    [token],
    'load_shared',
  )
}
