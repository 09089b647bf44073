/**
 * One customer at the demo shop: a cart that this tab keeps, a quote for it, a checkout, orders. The page proposes;
 * prices, discounts and what a prize does come from the shop's back end.
 */
import { API, ask, type Guest, type Page } from '../shared/api.ts'
import { type Cart, keepCart, keptCart, type MenuItem } from '../shared/cart.ts'
import { findPrize, type Prize, readPrizes, type Validation } from '../shared/prizes.ts'
import { makeUuid } from '../shared/random.ts'
import { asRefusal, isPassing, type ServerRefusal, whyText } from '../shared/refusal.ts'
import { forgetGuest, guest } from '../shared/session.ts'
import { makeStore, type Store } from '../shared/store.ts'
import { readTenant, type Tenant } from '../shared/tenant.ts'
import { say } from '../strings.ts'

type Named = { id: number; name: string }
export type Menu = {
  currency: string
  decimals: number
  categories: Named[]
  items: MenuItem[]
  zones: Named[]
  order_types: string[]
  payment_methods: string[]
  quantity_max: number
  distance_m_max: number
}
type Amounts = {
  currency: string
  items_minor: number
  delivery_fee_minor: number
  discount_minor: number
  total_minor: number
}
export type Quote = Amounts & { prize: Validation | null }
export type Step =
  | { op: 'percentage'; on: string; of: string; percent: string; gives: string }
  | { op: 'amount'; amount: string; gives: string }
  | { op: 'at_most'; limit: string; because: string; gives: string }
export type Effect = { kind: string } & Record<string, any>
export type Order = Amounts & {
  order_id: string
  status: 'checkout' | 'placed' | 'cancelled' | 'abandoned'
  lines: (MenuItem & { quantity: number })[]
  order_type: string
  payment_method: string
  zone_id: number | null
  distance_m: number | null
  play_id: number | null
  applied_details: {
    discount_amount: string
    final_amount: string
    application_type: string
    calculation: { order_amount: string; amount_before: string; steps: Step[]; effect: Effect }
  } | null
  /** Until when the prize waits for this checkout. */
  held_until: string | null
  created_at: string
  placed_at: string | null
  closed_at: string | null
}

export type ShopState = {
  guest: Guest | null
  tenant: Tenant | null
  menu: Menu | null
  /** Why there is no shop to show. */
  refusal: ServerRefusal | null
  cart: Cart
  /** Prizes that could be used, newest first. */
  prizes: Prize[]
  play_id: number | null
  quote: Quote | null
  is_quoting: boolean
  /** The checkout or the receipt in front of the customer. */
  order: Order | null
  orders: Order[]
  orders_cursor: string | null
  is_busy: boolean
  why: string | null
  code_why: string | null
  said: string
}
export type Shop = {
  store: Store<ShopState>
  load(): Promise<void>
  setQuantity(item: MenuItem, quantity: number): void
  change(change: Partial<Omit<Cart, 'items'>>): void
  choosePrize(play_id: number | null): void
  /** Chooses the prize with a typed code. Answers whether there is one. */
  useCode(code: string): Promise<boolean>
  checkOut(): Promise<void>
  place(): Promise<void>
  /** Leaves a checkout, or cancels a placed order. */
  close(order: Order): Promise<void>
  show(order: Order | null): void
  moreOrders(): Promise<void>
  leave(): void
}

const PATH = `${API}/demo/shop`
/** Prizes to choose from; who has more types the code. */
const PRIZES_MAX = 50
/** People press + several times. */
const QUOTE_AFTER_MS = 250
const EMPTY: Cart = {
  items: [],
  order_type: 'delivery',
  payment_method: 'card',
  zone_id: 1,
  distance_m: 2_000,
}

export function makeShop(tenant: string, play_id: number | null): Shop {
  const store = makeStore<ShopState>({
    guest: null,
    tenant: null,
    menu: null,
    refusal: null,
    cart: keptCart() ?? EMPTY,
    prizes: [],
    play_id,
    quote: null,
    is_quoting: false,
    order: null,
    orders: [],
    orders_cursor: null,
    is_busy: false,
    why: null,
    code_why: null,
    said: '',
  })
  const { get, set } = store
  let quote_timer: ReturnType<typeof setTimeout> | undefined
  let quotes = 0
  /** The checkout that was asked for and not answered: asked for again under the same id. */
  let pending_id: string | undefined

  const token = () => get().guest!.token

  async function load(): Promise<void> {
    set({ refusal: null })
    try {
      const me = await guest(tenant)
      set({ guest: me })
      const [menu, mine] = await Promise.all([
        ask<Menu>('GET', `${PATH}/menu`, { token: me.token }),
        readTenant(me.token),
      ])
      set({ menu, tenant: mine })
      await Promise.all([loadPrizes(), loadOrders()])
      requote()
    } catch (error) {
      const refusal = asRefusal(error)
      if (refusal.code === 'unauthorized') forgetGuest()
      set({ refusal })
    }
  }

  async function loadPrizes(): Promise<void> {
    const { data } = await readPrizes(token(), 'unlocked', 1, PRIZES_MAX)
    const { prizes: before, play_id: chosen } = get()
    // One that was chosen by its code may be on a later page; one that was used is gone.
    const kept = before.filter(({ id }) => id === chosen && !data.some((prize) => prize.id === id))
    set({ prizes: [...data, ...kept.filter(({ prize_status }) => prize_status === 'unlocked')] })
    if (chosen !== null && !get().prizes.some(({ id }) => id === chosen)) set({ play_id: null })
  }

  async function loadOrders(): Promise<void> {
    const { data, next_cursor } = await ask<Page<Order>>('GET', `${PATH}/orders?limit=10`, { token: token() })
    set({ orders: data, orders_cursor: next_cursor })
  }

  async function moreOrders(): Promise<void> {
    const cursor = get().orders_cursor
    if (cursor === null) return
    await attempt(async () => {
      const page = await ask<Page<Order>>('GET', `${PATH}/orders?limit=10&cursor=${cursor}`, {
        token: token(),
      })
      set({ orders: [...get().orders, ...page.data], orders_cursor: page.next_cursor })
    })
  }

  function setCart(cart: Cart) {
    keepCart(cart)
    pending_id = undefined
    set({ cart, why: null })
    requote()
  }

  /** Asks what the cart costs, a moment after the last change. */
  function requote() {
    clearTimeout(quote_timer)
    const question = ++quotes
    const { cart } = get()
    if (cart.items.length === 0 || get().menu === null) {
      set({ quote: null, is_quoting: false })
      return
    }
    set({ is_quoting: true })
    quote_timer = setTimeout(() => void readQuote(question), QUOTE_AFTER_MS)
  }

  async function readQuote(question: number): Promise<void> {
    try {
      const quote = await ask<Quote>('POST', `${PATH}/quotes`, { token: token(), body: wish() })
      if (question === quotes) set({ quote, is_quoting: false, why: null })
    } catch (error) {
      if (question === quotes) set({ quote: null, is_quoting: false, why: whyText(asRefusal(error)) })
    }
  }

  /** The cart as the shop takes it. */
  function wish() {
    const { cart, play_id: chosen } = get()
    const is_delivery = cart.order_type === 'delivery'
    return {
      items: cart.items.map(({ id, quantity }) => ({ id, quantity })),
      order_type: cart.order_type,
      payment_method: cart.payment_method,
      zone_id: is_delivery ? cart.zone_id : null,
      distance_m: is_delivery ? cart.distance_m : null,
      play_id: chosen,
    }
  }

  /** Runs something that a person asked for; a refusal becomes a sentence. */
  async function attempt(act: () => Promise<void>): Promise<void> {
    if (get().is_busy) return
    set({ is_busy: true, why: null })
    try {
      await act()
    } catch (error) {
      const refusal = asRefusal(error)
      if (!isPassing(refusal)) pending_id = undefined
      const why = whyText(refusal)
      set({ why, said: why })
    } finally {
      set({ is_busy: false })
    }
  }

  async function checkOut(): Promise<void> {
    pending_id ??= makeUuid()
    const body = { order_id: pending_id, ...wish() }
    await attempt(async () => {
      const order = await ask<Order>('POST', `${PATH}/orders`, { token: token(), body })
      pending_id = undefined
      set({ order, said: say('shop.checkout_opened') })
    })
    // What was refused says something of the cart that the quote did not know.
    if (get().order === null && pending_id === undefined) requote()
  }

  async function place(): Promise<void> {
    const { order } = get()
    if (order === null) return
    await attempt(async () => {
      const placed = await ask<Order>('POST', `${PATH}/orders/${order.order_id}/place`, { token: token() })
      keepCart(EMPTY)
      set({ order: placed, cart: EMPTY, play_id: null, quote: null, said: say('shop.placed') })
      await Promise.all([loadPrizes(), loadOrders()])
    })
  }

  async function close(order: Order): Promise<void> {
    await attempt(async () => {
      const closed = await ask<Order>('POST', `${PATH}/orders/${order.order_id}/close`, { token: token() })
      const is_cancelled = closed.status === 'cancelled'
      set({
        order: is_cancelled ? closed : null,
        said: say(is_cancelled ? 'shop.cancelled' : 'shop.left'),
      })
      await Promise.all([loadPrizes(), loadOrders()])
    })
    requote()
  }

  /** Nobody answers a page that is going; `keepalive` lets the request outlive it. */
  function onLeave() {
    const { order } = get()
    if (order?.status !== 'checkout') return
    void ask('POST', `${PATH}/orders/${order.order_id}/close`, { token: token(), keepalive: true }).catch(
      () => {},
    )
    set({ order: null })
  }
  addEventListener('pagehide', onLeave)
  void load()

  return {
    store,
    load,
    setQuantity(item, quantity) {
      const { cart } = get()
      const { id, category_id, price_minor } = item
      const others = cart.items.filter((each) => each.id !== id)
      const items = quantity > 0 ? [...others, { id, category_id, price_minor, quantity }] : others
      setCart({ ...cart, items: items.sort((a, b) => a.id - b.id) })
    },
    change: (change) => setCart({ ...get().cart, ...change }),
    choosePrize(chosen) {
      pending_id = undefined
      set({ play_id: chosen, code_why: null })
      requote()
    },
    async useCode(code) {
      set({ code_why: null })
      try {
        const prize = await findPrize(token(), code.trim())
        const { prizes } = get()
        if (!prizes.some(({ id }) => id === prize.id)) set({ prizes: [...prizes, prize] })
        set({ play_id: prize.id, said: say('shop.code_found', { name: prize.prize_name ?? '' }) })
        requote()
        return true
      } catch (error) {
        const refusal = asRefusal(error)
        const code_why = refusal.code === 'not_found' ? say('shop.code_unknown') : whyText(refusal)
        set({ code_why, said: code_why })
        return false
      }
    },
    checkOut,
    place,
    close,
    show: (order) => set({ order, why: null }),
    moreOrders,
    leave() {
      onLeave()
      clearTimeout(quote_timer)
      removeEventListener('pagehide', onLeave)
    },
  }
}
