/** What trusted systems said of customers: one row each, the newest by the source's own version. */
import type { Tx } from '../db/tx.ts'

export type FactsRow = {
  user_id: string
  order_count: number
  segments: string[]
  source_version: number
  told_by: string
  updated_at: Date
}

const FACTS = 'user_id, order_count, segments, source_version, told_by, updated_at'

/** Takes facts that are newer than what is known; segments that are not told stay. Undefined when they are not: the row decides between two at once. */
export function putFacts(
  tx: Tx,
  {
    user_id,
    order_count,
    segments,
    source_version,
  }: Pick<FactsRow, 'user_id' | 'order_count' | 'source_version'> & { segments: string[] | null },
) {
  return tx.one<FactsRow>(
    `insert into customer_facts as f (user_id, order_count, segments, source_version, told_by, created_at, updated_at)
     values ($1, $2, coalesce($6::text[], '{}'), $3, $4, $5, $5)
     on conflict (tenant_id, user_id) do update
       set order_count = excluded.order_count, segments = coalesce($6::text[], f.segments), source_version = excluded.source_version, told_by = excluded.told_by,
           updated_at = excluded.updated_at, row_version = f.row_version + 1
       where excluded.source_version > f.source_version
     returning ${FACTS}`,
    [user_id, order_count, source_version, tx.actor.userId, tx.now, segments],
    'put_customer_facts',
  )
}

/** What is known of these customers; of some perhaps nothing. */
export function loadFactsOf(tx: Tx, user_ids: readonly string[]) {
  return tx.rows<FactsRow>(
    `select ${FACTS} from customer_facts where user_id = any($1)`,
    [user_ids],
    'load_customer_facts',
  )
}

export async function loadFacts(tx: Tx, user_id: string): Promise<FactsRow | undefined> {
  return (await loadFactsOf(tx, [user_id]))[0]
}
