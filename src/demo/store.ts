/** Statements over the demo shop's orders, one function each. */
import type { Tx } from '../db/tx.ts'
import type { AppliedDetails } from '../prizes/discount.ts'
import type { Cart, Line, Priced } from './menu.ts'

export type OrderRow = {
  id: string
  user_id: string
  status: 'checkout' | 'placed' | 'cancelled' | 'abandoned'
  lines: Line[]
  order_type: Cart['order_type']
  payment_method: Cart['payment_method']
  zone_id: number | null
  distance_m: number | null
  currency: string
  items_minor: number
  delivery_fee_minor: number
  discount_minor: number
  total_minor: number
  play_id: number | null
  applied_details: AppliedDetails | null
  created_at: Date
  placed_at: Date | null
  closed_at: Date | null
}

const ORDER = `id, user_id, status, lines, order_type, payment_method, zone_id, distance_m, currency, items_minor,
  delivery_fee_minor, discount_minor, total_minor, play_id, applied_details, created_at, placed_at, closed_at`

export type NewOrder = Omit<Cart, 'items'> &
  Priced & { id: string; user_id: string; currency: string; play_id: number | null }

/** Opens a checkout; undefined when there is an order of this id already. */
export function insertOrder(tx: Tx, order: NewOrder) {
  return tx.one<OrderRow>(
    `insert into demo_orders (id, user_id, status, lines, order_type, payment_method, zone_id, distance_m, currency,
       items_minor, delivery_fee_minor, total_minor, play_id, created_at, updated_at)
     values ($1, $2, 'checkout', $3, $4, $5, $6, $7, $8, $9::bigint, $10::bigint, $9::bigint + $10::bigint, $11, $12, $12)
     on conflict do nothing returning ${ORDER}`,
    [
      order.id,
      order.user_id,
      JSON.stringify(order.lines),
      order.order_type,
      order.payment_method,
      order.zone_id,
      order.distance_m,
      order.currency,
      order.items_minor,
      order.delivery_fee_minor,
      order.play_id,
      tx.now,
    ],
  )
}

/** An order of this user. */
export function loadOrder(tx: Tx, id: string, user_id: string) {
  return tx.one<OrderRow>(`select ${ORDER} from demo_orders where id = $1 and user_id = $2`, [id, user_id])
}

/** An order of this user, locked until the end of the transaction. */
export function lockDemoOrder(tx: Tx, id: string, user_id: string) {
  return tx.one<OrderRow>(
    `select ${ORDER} from demo_orders where id = $1 and user_id = $2 for no key update`,
    [id, user_id],
  )
}

/** The checkouts of a user that are still open, locked, in one order for all. */
export function lockCheckouts(tx: Tx, user_id: string) {
  return tx.rows<OrderRow>(
    `select ${ORDER} from demo_orders where user_id = $1 and status = 'checkout' order by id for no key update`,
    [user_id],
  )
}

/** The user's open checkout that a prize belongs to. */
export async function findCheckout(tx: Tx, user_id: string, play_id: number): Promise<string | null> {
  const row = await tx.one<{ id: string }>(
    `select id from demo_orders where user_id = $1 and play_id = $2 and status = 'checkout' limit 1`,
    [user_id, play_id],
  )
  return row?.id ?? null
}

/** How many orders of a user stand. */
export async function countPlaced(tx: Tx, user_id: string): Promise<number> {
  const row = await tx.one<{ count: number }>(
    `select count(*)::int as count from demo_orders where user_id = $1 and status = 'placed'`,
    [user_id],
  )
  return row!.count
}

export type Charged = {
  id: string
  delivery_fee_minor: number
  discount_minor: number
  applied_details: AppliedDetails | null
}

/** A checkout becomes an order that is charged. */
export async function recordPlaced(tx: Tx, order: Charged): Promise<OrderRow> {
  const row = await tx.one<OrderRow>(
    `update demo_orders
     set status = 'placed', placed_at = $5, updated_at = $5, row_version = row_version + 1, applied_details = $4,
         discount_minor = $2, delivery_fee_minor = $3, total_minor = items_minor - $2::bigint + $3::bigint
     where id = $1 returning ${ORDER}`,
    [
      order.id,
      order.discount_minor,
      order.delivery_fee_minor,
      order.applied_details && JSON.stringify(order.applied_details),
      tx.now,
    ],
  )
  return row!
}

/** An order ends: cancelled when it was placed, abandoned when it never was. */
export async function recordClosed(tx: Tx, id: string, status: 'cancelled' | 'abandoned'): Promise<OrderRow> {
  const row = await tx.one<OrderRow>(
    `update demo_orders set status = $2, closed_at = $3, updated_at = $3, row_version = row_version + 1
     where id = $1 returning ${ORDER}`,
    [id, status, tx.now],
  )
  return row!
}

/** A page of a user's orders, newest first, from the one after `before`. */
export function loadOrderPage(tx: Tx, user_id: string, before: string | null, limit: number) {
  return tx.rows<OrderRow>(
    `select ${ORDER} from demo_orders
     where user_id = $1 and ($2::uuid is null or (created_at, id) < (select created_at, id from demo_orders where id = $2))
     order by created_at desc, id desc limit $3`,
    [user_id, before, limit],
  )
}

/** The id of a prize definition by its name. */
export async function findPrize(tx: Tx, name: string): Promise<number> {
  const row = await tx.one<{ id: number }>(
    'select id from gamification_prizes where name = $1 and deleted_at is null order by id limit 1',
    [name],
  )
  if (row === undefined) throw new Error(`the demo has no prize called ${name}`)
  return row.id
}

/** The newest raffle whose slug is this and a number. */
export function loadLastRaffle(tx: Tx, slug: string) {
  return tx.one<{ number: number; campaign_status: string }>(
    `select substr(campaign_slug, length($1::text) + 1)::int as number, campaign_status from raffle_campaigns
     where campaign_slug ~ ('^' || $1::text || '[0-9]{1,9}$') order by 1 desc limit 1`,
    [slug],
  )
}
