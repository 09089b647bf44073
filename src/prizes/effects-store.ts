/** Statements over what prizes do: chances, things that are owed, and the stock of items. */
import type { Tx } from '../db/tx.ts'

export type ChanceRecord = { id: string; user_id: string; count: number; reason: string }

/** Chances on any wheel of the tenant, from prizes that were not won by a spin: a spin writes its own. */
export async function insertChances(tx: Tx, chances: readonly ChanceRecord[]): Promise<void> {
  await tx.rows(
    `insert into spin_chances (id, user_id, chance_type, award_reason, chance_count, remaining_chances, awarded_at, created_at, updated_at)
     select r.id, r.user_id, 'reward', r.reason, r.count, r.count, $2, $2, $2
     from json_to_recordset($1::json) as r(id uuid, user_id text, count int, reason text)`,
    [JSON.stringify(chances), tx.now],
    'effect_chances',
  )
}

export type OwedRecord = {
  id: string
  play_id: number
  order_id: string | null
  fulfilment_type: 'claim' | 'queue' | 'item'
  prize_name: string
  item_id: string | null
  category_id: string | null
  item_stock_id: number | null
}

/** What is owed, once per play and order: the unique key refuses it a second time. */
export async function insertOwed(tx: Tx, owed: readonly OwedRecord[]): Promise<void> {
  await tx.rows(
    `insert into fulfilments (id, play_id, order_id, fulfilment_type, prize_name, item_id, category_id, item_stock_id,
                              created_at, updated_at)
     select r.id, r.play_id, r.order_id, r.fulfilment_type, r.prize_name, r.item_id, r.category_id, r.item_stock_id, $2, $2
     from json_to_recordset($1::json) as r(id uuid, play_id bigint, order_id text, fulfilment_type text,
       prize_name text, item_id text, category_id text, item_stock_id bigint)`,
    [JSON.stringify(owed), tx.now],
    'effect_owed',
  )
}

/** Takes one of an item whose stock is counted. Undefined when there is none left, or when it is not counted. */
export function reserveItem(tx: Tx, item_id: string) {
  return tx.one<{ id: number }>(
    `update item_stocks set reserved_count = reserved_count + 1, updated_at = $2
     where item_id = $1 and is_active and reserved_count < stock returning id`,
    [item_id, tx.now],
    'reserve_item',
  )
}

/** Whether somebody counts the stock of an item. */
export async function isItemCounted(tx: Tx, item_id: string): Promise<boolean> {
  const row = await tx.one<{ counted: boolean }>(
    'select exists (select 1 from item_stocks where item_id = $1 and is_active) as counted',
    [item_id],
    'is_item_counted',
  )
  return row!.counted
}

/** Puts items back, also where their stock is not counted any more. */
export async function returnItems(tx: Tx, ids: readonly number[]): Promise<void> {
  await tx.rows(
    `update item_stocks s set reserved_count = s.reserved_count - r.count, updated_at = $2
     from (select id, count(*) as count from unnest($1::bigint[]) as r(id) group by id) r where s.id = r.id`,
    [ids, tx.now],
    'return_items',
  )
}

export type OwedRow = {
  id: string
  fulfilment_type: 'claim' | 'queue' | 'item'
  fulfilment_status: 'pending' | 'contacted' | 'claimed' | 'delivered' | 'cancelled'
  item_stock_id: number | null
}

/** What is owed for a play on an order, locked. */
export function lockOwed(tx: Tx, play_id: number, order_id: string) {
  return tx.one<OwedRow>(
    `select id, fulfilment_type, fulfilment_status, item_stock_id from fulfilments
     where play_id = $1 and order_id = $2 for no key update`,
    [play_id, order_id],
    'lock_owed',
  )
}

/** Ends what was not delivered. The caller holds the row's lock. */
export async function cancelOwed(tx: Tx, id: string, note: string): Promise<void> {
  await tx.rows(
    `update fulfilments set fulfilment_status = 'cancelled', cancelled_at = $2, handled_by = $3, note = $4, updated_at = $2,
            row_version = row_version + 1
     where id = $1`,
    [id, tx.now, tx.actor.userId, note],
    'cancel_owed',
  )
}
