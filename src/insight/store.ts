/** Statements about game events of the tenant of this transaction. */
import type { Tx } from '../db/tx.ts'

export type EventRow = {
  id: string
  game_id: string
  game_seq: number
  event_type: string
  event_category: string
  user_id: string | null
  event_data: Record<string, unknown>
  event_timestamp: Date
}

/** Events of a game in the order of their numbers, after `after`. */
export function listEvents(tx: Tx, game_id: string, after: number, limit: number): Promise<EventRow[]> {
  return tx.rows(
    `select id, game_id, game_seq, event_type, event_category, user_id, event_data, event_timestamp
     from game_events where game_id = $1 and game_seq > $2 order by game_seq limit $3`,
    [game_id, after, limit],
  )
}
