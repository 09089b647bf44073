/** Statements over the messages of claims. */
import type { Tx } from '../db/tx.ts'
import type { Side } from './rules.ts'

export type MessageRow = {
  id: number
  claim_id: string
  side: Side
  sent_by: string
  message: string
  created_at: Date
}

const COLUMNS = 'id, claim_id, side, sent_by, message, created_at'

/** Messages of a claim, newest first, below an id. */
export function loadMessages(tx: Tx, claim_id: string, before: number, limit: number) {
  return tx.rows<MessageRow>(
    `select ${COLUMNS} from claim_messages where claim_id = $1 and id < $2 order by id desc limit $3`,
    [claim_id, before, limit],
  )
}

export async function countMessages(tx: Tx, claim_id: string): Promise<number> {
  const row = await tx.one<{ count: number }>(
    'select count(*)::int as count from claim_messages where claim_id = $1',
    [claim_id],
  )
  return row!.count
}

export async function insertMessage(
  tx: Tx,
  { claim_id, side, message }: Pick<MessageRow, 'claim_id' | 'side' | 'message'>,
): Promise<MessageRow> {
  const row = await tx.one<MessageRow>(
    `insert into claim_messages (claim_id, side, sent_by, message, created_at) values ($1, $2, $3, $4, $5)
     returning ${COLUMNS}`,
    [claim_id, side, tx.actor.userId, message, tx.now],
  )
  return row!
}
