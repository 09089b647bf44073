/**
 * The back end of the demo shop: the order system that stands beside the wallet, so that a person sees the whole way
 * from a spin to an order. It asks the wallet as every shop does, in the role `service`, which no browser has.
 *
 * Its orders are idempotent by their own id, which whoever orders has chosen, and by their state.
 */
import type { Actor, Tx } from '../db/tx.ts'
import { Refusal, refuse } from '../errors.ts'
import { loadWhole } from '../prizes/bundle-store.ts'
import { conditionsSchema, type OrderFacts } from '../prizes/conditions.ts'
import { appliedDetailsSchema } from '../prizes/discount.ts'
import { holdPrize, releasePrize } from '../prizes/hold.ts'
import { amountOf, amountText, decimalsOf, kilometresText } from '../prizes/money.ts'
import { prizeOf } from '../prizes/play.ts'
import { applyPrize, validatePrize } from '../prizes/redemption.ts'
import { loadApplications } from '../prizes/redemption-store.ts'
import { rollbackPrize } from '../prizes/rollback.ts'
import { loadPlay, loadTerms, type PlayRow } from '../prizes/store.ts'
import { type Cart, freeItem, type Priced, priced } from './menu.ts'
import {
  countPlaced,
  findCheckout,
  insertOrder,
  loadOrder,
  loadOrderPage,
  lockCheckouts,
  lockDemoOrder,
  type OrderRow,
  recordClosed,
  recordPlaced,
} from './store.ts'

/** The shop as the wallet knows it. */
export function shopActor({ tenantId, requestId }: Actor): Actor {
  return { tenantId, userId: 'demo-shop', roles: ['service'], ...(requestId !== undefined && { requestId }) }
}

type Asked = Cart & { user_id: string; play_id: number | null }

/**
 * What a cart would cost, and whether a prize of the user fits it, with every reason why not. Writes nothing.
 * Refuses not_found for a prize that is not the user's.
 */
export async function quoteCart(tx: Tx, { user_id, play_id, ...cart }: Asked) {
  const { currency } = await loadTerms(tx)
  const cost = priced(cart)
  // A checkout that was not left holds the prize; the next one ends it, so it is no obstacle.
  const opened_id = play_id === null ? null : await findCheckout(tx, user_id, play_id)
  const check = play_id === null ? null : await validated(tx, play_id, opened_id, user_id, cart, cost)
  const is_delivery_free = check?.valid === true && check.application_type === 'free_delivery'
  const discount_minor = check?.valid ? minorOf(check.discount_amount, currency) : 0
  const delivery_fee_minor = is_delivery_free ? 0 : cost.delivery_fee_minor
  return {
    currency,
    items_minor: cost.items_minor,
    delivery_fee_minor,
    discount_minor,
    total_minor: cost.items_minor - discount_minor + delivery_fee_minor,
    prize: check,
  }
}

/**
 * Opens a checkout, for which the prize is held, and ends the user's earlier ones. The same id with the same cart is
 * answered as it is now. Refuses not_found, already_exists for an id that is taken, and prize_not_applicable with every
 * reason.
 */
export async function startCheckout(
  tx: Tx,
  { user_id, play_id, order_id, ...cart }: Asked & { order_id: string },
) {
  for (const open of await lockCheckouts(tx, user_id)) {
    if (open.id !== order_id) await abandon(tx, open)
  }
  const { currency } = await loadTerms(tx)
  const cost = priced(cart)
  const made = await insertOrder(tx, { ...cart, ...cost, id: order_id, user_id, currency, play_id })
  if (made === undefined) return orderView(tx, await sameOrder(tx, order_id, user_id, play_id, cost))
  if (play_id !== null) {
    const { valid, reasons } = await validated(tx, play_id, order_id, user_id, cart, cost)
    if (!valid) refuse('prize_not_applicable', { facts: { reasons } })
    await holdPrize(tx, { play_id, order_id, user_id, minutes: null })
  }
  return orderView(tx, made)
}

async function sameOrder(tx: Tx, id: string, user_id: string, play_id: number | null, { lines }: Priced) {
  const known = await lockDemoOrder(tx, id, user_id)
  const is_same =
    known?.play_id === play_id &&
    known.lines.length === lines.length &&
    lines.every((line, i) => line.id === known.lines[i]?.id && line.quantity === known.lines[i]?.quantity)
  return is_same ? known! : refuse('already_exists')
}

/**
 * Charges a checkout and applies its prize. A placed order is answered as it stands. Refuses not_found, order_closed,
 * and what the wallet refuses; then the checkout stays open.
 */
export async function placeOrder(tx: Tx, { user_id, order_id }: { user_id: string; order_id: string }) {
  const order = (await lockDemoOrder(tx, order_id, user_id)) ?? refuse('not_found')
  if (order.status === 'placed') return orderView(tx, order)
  if (order.status !== 'checkout') refuse('order_closed')
  const { id, delivery_fee_minor, play_id } = order
  const charged = { id, delivery_fee_minor, discount_minor: 0, applied_details: null }
  if (play_id === null) return orderView(tx, await recordPlaced(tx, charged))

  const play = (await loadPlay(tx, play_id, user_id)) ?? refuse('not_found')
  await applyPrize(tx, { play_id, order_id: id, order: await factsOf(tx, play, user_id, order, order) })
  // With a part of a bundle that is used as a whole all of it was applied.
  const applications = await loadApplications(tx, await loadWhole(tx, play_id), [id])
  const detailsOf = ({ details }: { details: unknown }) => appliedDetailsSchema.parse(details)
  const applied_details = detailsOf(applications.find((each) => each.play_id === play_id)!)
  const is_delivery_free = applications.some(
    (each) => detailsOf(each).calculation.effect.kind === 'free_delivery',
  )
  const placed = await recordPlaced(tx, {
    id,
    delivery_fee_minor: is_delivery_free ? 0 : delivery_fee_minor,
    discount_minor: applications.reduce((sum, each) => sum + each.discount_minor, 0),
    applied_details,
  })
  return orderView(tx, placed)
}

/**
 * Ends an order: a checkout is abandoned and its prize released, a placed order is cancelled and its prize taken back.
 * One that has ended is answered as it is. Refuses not_found, and what the wallet refuses to take back.
 */
export async function closeOrder(tx: Tx, { user_id, order_id }: { user_id: string; order_id: string }) {
  const order = (await lockDemoOrder(tx, order_id, user_id)) ?? refuse('not_found')
  if (order.status === 'checkout') return orderView(tx, await abandon(tx, order))
  if (order.status !== 'placed') return orderView(tx, order)
  const { id, play_id } = order
  if (play_id !== null)
    await rollbackPrize(tx, { play_id, order_id: id, reason: 'cancelled by the customer', returned: null })
  return orderView(tx, await recordClosed(tx, id, 'cancelled'))
}

async function abandon(tx: Tx, { id, play_id }: OrderRow): Promise<OrderRow> {
  if (play_id !== null) {
    try {
      await releasePrize(tx, { play_id, order_id: id })
    } catch (error) {
      // Ours has ended and another order has it: there is nothing to release.
      if (!(error instanceof Refusal && error.code === 'prize_held')) throw error
    }
  }
  return recordClosed(tx, id, 'abandoned')
}

/** An order of the user. Refuses not_found. */
export async function readOrder(tx: Tx, { user_id, order_id }: { user_id: string; order_id: string }) {
  return orderView(tx, (await loadOrder(tx, order_id, user_id)) ?? refuse('not_found'))
}

/** A page of a user's orders, newest first. */
export async function readOrders(
  tx: Tx,
  { user_id, limit, cursor }: { user_id: string; limit: number; cursor: string | null },
) {
  const rows = await loadOrderPage(tx, user_id, cursor, limit + 1)
  const data = []
  for (const row of rows.slice(0, limit)) data.push(await orderView(tx, row))
  return { data, next_cursor: rows.length > limit ? data.at(-1)!.order_id : null }
}

/** What the wallet says to a prize of this user on this cart. */
async function validated(
  tx: Tx,
  play_id: number,
  order_id: string | null,
  user_id: string,
  cart: Cart,
  cost: Priced,
) {
  // The wallet trusts the service with every prize, so whose it is, is for the shop to see to.
  const play = (await loadPlay(tx, play_id, user_id)) ?? refuse('not_found')
  const order = await factsOf(tx, play, user_id, cart, cost)
  return (await validatePrize(tx, { play_id, order_id, at: null, order })).data
}

/** An order in the words of the wallet. */
async function factsOf(
  tx: Tx,
  play: PlayRow,
  user_id: string,
  { order_type, payment_method, zone_id, distance_m }: Omit<Cart, 'items'>,
  { lines, items_minor, delivery_fee_minor }: Priced,
): Promise<OrderFacts & { customer_order_count: number }> {
  const { currency } = await loadTerms(tx)
  const text = (amount_minor: number) => amountText(BigInt(amount_minor), decimalsOf(currency))
  const conditions = conditionsSchema.parse(play.prize_snapshot?.['conditions'] ?? {})
  const gift = play.prize_snapshot?.['type'] === 'free_item' ? freeItem(conditions) : undefined
  return {
    order_amount: text(items_minor),
    order_type,
    payment_method,
    zone_id,
    delivery_distance_km: distance_m === null ? null : kilometresText(distance_m),
    delivery_fee: text(delivery_fee_minor),
    cart_items: lines.map(({ id, category_id, quantity, price_minor }) => ({
      id,
      category_id,
      quantity,
      price: text(price_minor),
    })),
    free_item: gift && { id: gift.id, category_id: gift.category_id, price: text(gift.price_minor) },
    customer_order_count: await countPlaced(tx, user_id),
  }
}

function minorOf(amount: string | null, currency: string): number {
  return amount === null ? 0 : Number(amountOf(amount, decimalsOf(currency)))
}

async function orderView(tx: Tx, { id, user_id, created_at, placed_at, closed_at, ...row }: OrderRow) {
  const held_until = row.status === 'checkout' ? await heldUntil(tx, row.play_id, id, user_id) : null
  return {
    order_id: id,
    ...row,
    held_until: held_until?.toISOString() ?? null,
    created_at: created_at.toISOString(),
    placed_at: placed_at?.toISOString() ?? null,
    closed_at: closed_at?.toISOString() ?? null,
  }
}

/** Until when the wallet keeps the prize for a checkout; null when it does not. */
async function heldUntil(tx: Tx, play_id: number | null, order_id: string, user_id: string) {
  if (play_id === null) return null
  const play = await loadPlay(tx, play_id, user_id)
  const hold =
    play && prizeOf(play).restraints.find((each) => each.kind === 'hold' && each.order_id === order_id)
  return hold?.until ?? null
}
