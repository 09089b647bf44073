/** One order in front of the customer: a checkout that can be placed or left, or a receipt. */
import { serverClock } from '../shared/server-clock.ts'
import { useTick } from '../shared/store.ts'
import { amountText, clockText, moneyText, type Tenant } from '../shared/tenant.ts'
import { Countdown } from '../shared/ui.tsx'
import { say, sayOr } from '../strings.ts'
import { Sums } from './cart-panel.tsx'
import type { Menu, Order, Step } from './shop.ts'
import { type ShopParts, StepTitle } from './shop-page.tsx'

export function OrderPanel({ shop, state, menu, order }: ShopParts & { order: Order }) {
  const { is_busy, why } = state
  const tenant = state.tenant!
  const is_open = order.status === 'checkout'
  return (
    <section class="card order" aria-label={say(`shop.title.${order.status}`)}>
      <StepTitle text={say(`shop.title.${order.status}`)} />
      <p class="fine">
        {[
          clockText(Date.parse(order.placed_at ?? order.created_at), tenant),
          sayOr(`word.${order.order_type}`, order.order_type),
          sayOr(`word.${order.payment_method}`, order.payment_method),
        ].join(' · ')}
      </p>
      {is_open && <Hold order={order} />}
      <ul class="lines">
        {order.lines.map(({ id, name, quantity, price_minor }) => (
          <li key={id}>
            <span>
              {quantity} × {name}
            </span>
            <span>{moneyText(quantity * price_minor, menu)}</span>
          </li>
        ))}
      </ul>
      {is_open ? <Preview state={state} order={order} /> : <Sums quote={order} />}
      <Trace order={order} tenant={tenant} menu={menu} />
      {order.status === 'cancelled' && order.play_id !== null && (
        <p class="hint">
          {say(state.prizes.some(({ id }) => id === order.play_id) ? 'shop.prize_back' : 'shop.prize_gone')}
        </p>
      )}
      {why !== null && (
        <p class="why" role="alert">
          {why}
        </p>
      )}
      <p class="row">
        {is_open && (
          <button
            type="button"
            class="button button-primary"
            aria-disabled={is_busy}
            onClick={() => void shop.place()}
          >
            {say(is_busy ? 'app.loading' : 'shop.place')}
          </button>
        )}
        {!is_open && (
          <button type="button" class="button button-primary" onClick={() => shop.show(null)}>
            {say('shop.again')}
          </button>
        )}
        {(is_open || order.status === 'placed') && (
          <button type="button" class="button" aria-disabled={is_busy} onClick={() => void shop.close(order)}>
            {say(is_open ? 'shop.leave' : 'shop.cancel')}
          </button>
        )}
        {order.play_id !== null && !is_open && (
          <a class="button" href="/wallet">
            {say('prizes.wallet')}
          </a>
        )}
      </p>
    </section>
  )
}

/** Until when the prize waits for this order. */
function Hold({ order: { held_until } }: { order: Order }) {
  useTick(1_000)
  if (held_until === null) return null
  const to_ms = Date.parse(held_until)
  const is_over = serverClock.now() >= to_ms
  return (
    <p class={is_over ? 'hold why' : 'hold'}>
      {is_over ? (
        say('shop.hold_over')
      ) : (
        <>
          {say('shop.held')} <Countdown to_ms={to_ms} />
        </>
      )}
    </p>
  )
}

/** Before it is placed the order is as dear as the last quote said. */
function Preview({ state: { quote }, order }: Pick<ShopParts, 'state'> & { order: Order }) {
  return <Sums quote={quote ?? order} />
}

/** How the wallet came to its amounts, step by step, as it stored them. */
function Trace({ order, tenant, menu }: { order: Order; tenant: Tenant; menu: Menu }) {
  if (order.applied_details === null) return null
  const { calculation, discount_amount, final_amount } = order.applied_details
  const money = (amount: string) => amountText(amount, tenant)
  return (
    <section class="trace" aria-label={say('shop.trace')}>
      <h3>{say('shop.trace')}</h3>
      <ol>
        <li>{say('shop.trace.order', { amount: money(calculation.order_amount) })}</li>
        {calculation.steps.map((step) => (
          <li key={step.op + step.gives}>{stepText(step, money)}</li>
        ))}
        <li>{effectText(order, menu, tenant)}</li>
        {calculation.steps.length > 0 && (
          <li>{say('shop.trace.final', { discount: money(discount_amount), final: money(final_amount) })}</li>
        )}
      </ol>
    </section>
  )
}

function stepText(step: Step, money: (amount: string) => string): string {
  const gives = money(step.gives)
  switch (step.op) {
    case 'percentage':
      return say('shop.trace.percentage', { percent: step.percent, of: money(step.of), gives })
    case 'amount':
      return say('shop.trace.amount', { gives })
    case 'at_most':
      return say(`shop.trace.at_most.${step.because === 'max_discount_amount' ? 'prize' : 'order'}`, {
        limit: money(step.limit),
        gives,
      })
  }
}

function effectText(order: Order, menu: Menu, tenant: Tenant): string {
  const { effect } = order.applied_details!.calculation
  const money = (amount: string | null) => (amount === null ? '?' : amountText(amount, tenant))
  switch (effect.kind) {
    case 'order_discount':
      return say('shop.effect.order_discount', { amount: money(effect['amount']) })
    case 'free_delivery':
      return say('shop.effect.free_delivery', { saved: money(effect['amount_saved']) })
    case 'free_item': {
      const { id } = effect['line']
      const name = menu.items.find((item) => item.id === id)?.name ?? String(id)
      return say('shop.effect.free_item', { name, saved: money(effect['amount_saved']) })
    }
    case 'posting': {
      const is_money = effect['unit'] === tenant.currency
      const amount = is_money ? money(effect['amount']) : effect['amount']
      return say('shop.effect.posting', {
        amount,
        account: sayOr(`account.${effect['account']}`, effect['account']),
      })
    }
    default:
      return sayOr(`shop.effect.${effect.kind}`, effect.kind)
  }
}
