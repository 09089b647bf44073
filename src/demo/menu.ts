/** What the demo shop sells and what an order costs. No clock, no SQL. */

export const CATEGORIES = [
  { id: 1, name: 'Mains' },
  { id: 2, name: 'Salads' },
  { id: 3, name: 'Drinks' },
  { id: 4, name: 'Desserts' },
] as const

/** Prices in minor units of the tenant's currency. */
export const MENU = [
  { id: 11, category_id: 1, name: 'Margherita', price_minor: 1150 },
  { id: 12, category_id: 1, name: 'Lasagne', price_minor: 1490 },
  { id: 13, category_id: 1, name: 'Mushroom risotto', price_minor: 1620 },
  { id: 14, category_id: 1, name: 'Pasta for four', price_minor: 3900 },
  { id: 21, category_id: 2, name: 'Caesar salad', price_minor: 990 },
  { id: 22, category_id: 2, name: 'Greek salad', price_minor: 890 },
  { id: 31, category_id: 3, name: 'Lemonade', price_minor: 390 },
  { id: 32, category_id: 3, name: 'Iced tea', price_minor: 350 },
  { id: 41, category_id: 4, name: 'Tiramisu', price_minor: 690 },
  { id: 42, category_id: 4, name: 'Gelato', price_minor: 450 },
] as const

export const ZONES = [
  { id: 1, name: 'Centre' },
  { id: 2, name: 'Harbour' },
  { id: 3, name: 'Hills' },
] as const

export const ORDER_TYPES = ['delivery', 'takeaway', 'dine_in'] as const
export const PAYMENT_METHODS = ['card', 'paypal', 'cash'] as const

export const QUANTITY_MAX = 20
/** The courier goes no further; prizes may end earlier. */
export const DISTANCE_M_MAX = 25_000

const FEE_MINOR = 250
/** The fee's reach; each begun kilometre beyond it costs more. */
const FEE_REACH_M = 3_000
const FEE_PER_KM_MINOR = 50

export type Line = { id: number; category_id: number; name: string; quantity: number; price_minor: number }
export type Cart = {
  items: readonly { id: number; quantity: number }[]
  order_type: (typeof ORDER_TYPES)[number]
  payment_method: (typeof PAYMENT_METHODS)[number]
  /** Of a delivery; null for the others. */
  zone_id: number | null
  distance_m: number | null
}
export type Priced = { lines: Line[]; items_minor: number; delivery_fee_minor: number }

/** A cart at the menu's prices, in minor units. An item that is not on the menu is a bug of the caller. */
export function priced({ items, order_type, distance_m }: Cart): Priced {
  const lines = items.map(({ id, quantity }) => {
    const item = MENU.find((each) => each.id === id)
    if (item === undefined) throw new RangeError(`no item ${id} on the menu`)
    return { ...item, quantity }
  })
  const items_minor = lines.reduce((sum, { price_minor, quantity }) => sum + price_minor * quantity, 0)
  return { lines, items_minor, delivery_fee_minor: order_type === 'delivery' ? feeOf(distance_m ?? 0) : 0 }
}

function feeOf(distance_m: number): number {
  return FEE_MINOR + FEE_PER_KM_MINOR * Math.ceil(Math.max(0, distance_m - FEE_REACH_M) / 1000)
}

/** The item of the menu that a free_item prize gives here: the first one that it allows. */
export function freeItem(conditions: {
  valid_food_ids?: readonly (string | number)[] | null
  valid_category_ids?: readonly (string | number)[] | null
}): (typeof MENU)[number] | undefined {
  const isAmong = (allowed: readonly (string | number)[] | null | undefined, id: number) =>
    allowed?.some((each) => String(each) === String(id)) ?? false
  return MENU.find(
    ({ id, category_id }) =>
      isAmong(conditions.valid_food_ids, id) || isAmong(conditions.valid_category_ids, category_id),
  )
}
