/** The demo shop: menu, cart, checkout with a held prize, receipt, orders. */
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { whyText } from '../shared/refusal.ts'
import { serverClock } from '../shared/server-clock.ts'
import { useStore, useTick } from '../shared/store.ts'
import { moneyText } from '../shared/tenant.ts'
import { Announcer, Header } from '../shared/ui.tsx'
import { count, say, whenText } from '../strings.ts'
import { CartPanel } from './cart-panel.tsx'
import { OrderPanel } from './order-panel.tsx'
import { type Menu, makeShop, type Order, type Shop, type ShopState } from './shop.ts'

export type ShopParts = { shop: Shop; state: ShopState; menu: Menu }

export function ShopPage({ tenant, play_id }: { tenant: string; play_id: number | null }) {
  const shop = useMemo(() => makeShop(tenant, play_id), [tenant, play_id])
  useEffect(() => shop.leave, [shop])
  const state = useStore(shop.store)
  const { menu, refusal, order } = state
  return (
    <>
      <Header page="shop" />
      <main id="main" class="shop">
        <div class="wallet-head">
          <h1>{say('shop.title')}</h1>
          <p class="fine">{say('shop.lead')}</p>
        </div>
        {refusal !== null ? (
          <section class="card notice" role="alert">
            <p>{refusal.code === 'not_found' ? say('shop.none') : whyText(refusal)}</p>
            <button type="button" class="button" onClick={() => void shop.load()}>
              {say('app.retry')}
            </button>
          </section>
        ) : menu === null || state.tenant === null ? (
          <div class="card skeleton" role="status">
            {say('app.loading')}
          </div>
        ) : order !== null ? (
          <OrderPanel shop={shop} state={state} menu={menu} order={order} />
        ) : (
          <>
            <div class="shop-columns">
              <MenuList shop={shop} state={state} menu={menu} />
              <CartPanel shop={shop} state={state} menu={menu} />
            </div>
            <Orders shop={shop} state={state} menu={menu} />
          </>
        )}
      </main>
      <Announcer text={state.said} />
    </>
  )
}

function MenuList({ shop, state: { cart, quote }, menu }: ShopParts) {
  const quantityOf = (id: number) => cart.items.find((each) => each.id === id)?.quantity ?? 0
  return (
    <section class="menu" aria-label={say('shop.menu')}>
      {menu.categories.map(({ id, name }) => (
        <div key={id} class="card menu-category">
          <h2>{name}</h2>
          <ul>
            {menu.items
              .filter(({ category_id }) => category_id === id)
              .map((item) => (
                <li key={item.id} class="menu-item">
                  <span class="menu-name">{item.name}</span>
                  <span class="menu-price">{moneyText(item.price_minor, menu)}</span>
                  <Stepper
                    name={item.name}
                    quantity={quantityOf(item.id)}
                    quantity_max={menu.quantity_max}
                    onChange={(quantity) => shop.setQuantity(item, quantity)}
                  />
                </li>
              ))}
          </ul>
        </div>
      ))}
      {cart.items.length > 0 && (
        <a class="button button-accent cart-bar" href="#cart-title">
          {say('shop.cart')}
          {quote !== null && ` · ${moneyText(quote.total_minor, menu)}`}
        </a>
      )}
    </section>
  )
}

type StepperProps = {
  name: string
  quantity: number
  quantity_max: number
  onChange: (quantity: number) => void
}

/** One less, how many, one more. The buttons stay where they are, so that the focus does. */
function Stepper({ name, quantity, quantity_max, onChange }: StepperProps) {
  return (
    <span class="stepper">
      <button
        type="button"
        class="button"
        aria-label={say('shop.less', { name })}
        aria-disabled={quantity === 0}
        onClick={() => quantity > 0 && onChange(quantity - 1)}
      >
        −
      </button>
      <output aria-label={say('shop.quantity', { name })}>{quantity}</output>
      <button
        type="button"
        class="button"
        aria-label={say('shop.more', { name })}
        aria-disabled={quantity >= quantity_max}
        onClick={() => quantity < quantity_max && onChange(quantity + 1)}
      >
        +
      </button>
    </span>
  )
}

function Orders({ shop, state: { orders, orders_cursor }, menu }: ShopParts) {
  useTick(30_000)
  if (orders.length === 0) return null
  return (
    <section class="card orders" aria-labelledby="orders-title">
      <h2 id="orders-title">{say('shop.orders')}</h2>
      <ul>
        {orders.map((order) => (
          <OrderRow key={order.order_id} order={order} menu={menu} onOpen={() => shop.show(order)} />
        ))}
      </ul>
      {orders_cursor !== null && (
        <button type="button" class="button more" onClick={() => void shop.moreOrders()}>
          {say('prizes.more')}
        </button>
      )}
    </section>
  )
}

function OrderRow({ order, menu, onOpen }: { order: Order; menu: Menu; onOpen: () => void }) {
  const items = order.lines.reduce((sum, { quantity }) => sum + quantity, 0)
  const when = whenText(Date.parse(order.created_at), serverClock.now())
  return (
    <li class="order-row">
      <span class={`tag tag-${order.status === 'placed' ? 'unlocked' : 'closed'}`}>
        {say(`shop.status.${order.status}`)}
      </span>
      <span>
        {count('shop.items', items)} · {when}
      </span>
      <strong>{moneyText(order.total_minor, menu)}</strong>
      {order.status !== 'abandoned' && (
        <button type="button" class="chip" onClick={onOpen}>
          {say('shop.open_order')}
        </button>
      )}
    </li>
  )
}

/** A heading that takes the focus when it appears: the page has changed below the reader. */
export function StepTitle({ text }: { text: string }) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [text])
  return (
    <h2 ref={title} tabIndex={-1} class="step-title">
      {text}
    </h2>
  )
}
