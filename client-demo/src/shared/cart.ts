/** The cart of this tab. It is a wish, not an order: prices are the shop's. */
import { moneyMinorText, type Tenant } from './tenant.ts'

export type MenuItem = { id: number; category_id: number; name: string; price_minor: number }
export type Cart = {
  /** Quantity by item; the items as they were last seen, to show them before the menu is there. */
  items: { id: number; category_id: number; price_minor: number; quantity: number }[]
  order_type: string
  payment_method: string
  zone_id: number
  distance_m: number
}

const KEY = 'livedraw.cart'

/** The cart that this tab has filled, or null. */
export function keptCart(): Cart | null {
  try {
    const cart = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Cart | null
    return cart !== null && cart.items.length > 0 ? cart : null
  } catch {
    return null
  }
}

export const keepCart = (cart: Cart): void => sessionStorage.setItem(KEY, JSON.stringify(cart))

/** A cart in the words of the wallet's validation; nothing but an empty order without one. */
export function orderOf(cart: Cart | null, tenant: Pick<Tenant, 'decimals'>): Record<string, unknown> {
  if (cart === null) return {}
  const text = (amount_minor: number) => moneyMinorText(amount_minor, tenant)
  const is_delivery = cart.order_type === 'delivery'
  return {
    order_amount: text(
      cart.items.reduce((sum, { price_minor, quantity }) => sum + price_minor * quantity, 0),
    ),
    order_type: cart.order_type,
    payment_method: cart.payment_method,
    ...(is_delivery && { zone_id: cart.zone_id, delivery_distance_km: cart.distance_m / 1000 }),
    cart_items: cart.items.map(({ id, category_id, price_minor, quantity }) => ({
      id,
      category_id,
      quantity,
      price: text(price_minor),
    })),
  }
}
