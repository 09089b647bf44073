/** How the order is got and paid, which prize goes with it, and what all of it costs. */
import { useState } from 'preact/hooks'
import { reasonText, valueText } from '../shared/prizes.ts'
import { moneyText } from '../shared/tenant.ts'
import { numberText, say, sayOr } from '../strings.ts'
import type { Quote } from './shop.ts'
import type { ShopParts } from './shop-page.tsx'

const METRES_STEP = 500

export function CartPanel({ shop, state, menu }: ShopParts) {
  const { cart, quote, is_quoting, is_busy, why } = state
  const is_empty = cart.items.length === 0
  const does_fit = quote?.prize?.valid !== false
  const is_ready = !is_empty && !is_quoting && quote !== null && does_fit && !is_busy
  return (
    <section class="card cart" aria-labelledby="cart-title">
      <h2 id="cart-title">{say('shop.cart')}</h2>
      <Terms shop={shop} state={state} menu={menu} />
      <PrizeChoice shop={shop} state={state} menu={menu} />
      {is_empty ? <p class="empty">{say('shop.cart_empty')}</p> : <Sums quote={quote} />}
      {why !== null && (
        <p class="why" role="alert">
          {why}
        </p>
      )}
      <button
        type="button"
        class="button button-primary cart-go"
        aria-disabled={!is_ready}
        onClick={() => is_ready && void shop.checkOut()}
      >
        {say(is_busy ? 'app.loading' : 'shop.check_out')}
      </button>
    </section>
  )
}

function Terms({ shop, state: { cart }, menu }: ShopParts) {
  const is_delivery = cart.order_type === 'delivery'
  return (
    <div class="terms">
      <Choice
        legend={say('shop.order_type')}
        name="order_type"
        values={menu.order_types}
        chosen={cart.order_type}
        onChoose={(order_type) => shop.change({ order_type })}
      />
      <Choice
        legend={say('shop.payment')}
        name="payment_method"
        values={menu.payment_methods}
        chosen={cart.payment_method}
        onChoose={(payment_method) => shop.change({ payment_method })}
      />
      {is_delivery && (
        <div class="terms-delivery">
          <label>
            <span>{say('shop.zone')}</span>
            <select
              value={cart.zone_id}
              onChange={(event) => shop.change({ zone_id: Number(event.currentTarget.value) })}
            >
              {menu.zones.map(({ id, name }) => (
                <option key={id} value={id}>
                  {id} · {name}
                </option>
              ))}
            </select>
          </label>
          <label>
            <span>{say('shop.distance', { km: numberText(cart.distance_m / 1000) })}</span>
            <input
              type="range"
              min={0}
              max={menu.distance_m_max}
              step={METRES_STEP}
              value={cart.distance_m}
              onInput={(event) => shop.change({ distance_m: Number(event.currentTarget.value) })}
            />
          </label>
        </div>
      )}
    </div>
  )
}

type ChoiceProps = {
  legend: string
  name: string
  values: string[]
  chosen: string
  onChoose: (value: string) => void
}

function Choice({ legend, name, values, chosen, onChoose }: ChoiceProps) {
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      <div>
        {values.map((value) => (
          <label key={value} class={value === chosen ? 'is-chosen' : undefined}>
            <input
              type="radio"
              class="sr-only"
              name={name}
              value={value}
              checked={value === chosen}
              onChange={() => onChoose(value)}
            />
            {sayOr(`word.${value}`, value)}
          </label>
        ))}
      </div>
    </fieldset>
  )
}

function PrizeChoice({ shop, state, menu }: ShopParts) {
  const { prizes, play_id, quote, tenant, code_why, cart } = state
  const [code, setCode] = useState('')
  const check = cart.items.length > 0 && play_id !== null ? quote?.prize : null
  return (
    <div class="prize-choice">
      <label>
        <span>{say('shop.prize')}</span>
        <select
          value={play_id ?? ''}
          onChange={(event) => shop.choosePrize(Number(event.currentTarget.value) || null)}
        >
          <option value="">{say(prizes.length === 0 ? 'shop.prize_none_there' : 'shop.prize_none')}</option>
          {prizes.map((prize) => (
            <option key={prize.id} value={prize.id}>
              {[prize.prize_name ?? say('prizes.locked_name'), valueText(prize), prize.prize_code]
                .filter(Boolean)
                .join(' · ')}
            </option>
          ))}
        </select>
      </label>
      <form
        class="code-form"
        onSubmit={(event) => {
          event.preventDefault()
          if (code.trim() !== '') void shop.useCode(code).then((is_found) => is_found && setCode(''))
        }}
      >
        <label>
          <span>{say('shop.code')}</span>
          <input
            value={code}
            autocomplete="off"
            autocapitalize="characters"
            spellcheck={false}
            maxLength={64}
            placeholder="PRIZE-ABC12345"
            aria-describedby="code-why"
            onInput={(event) => setCode(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button">
          {say('shop.code_use')}
        </button>
      </form>
      <p id="code-why" class={code_why === null ? 'sr-only' : 'why'}>
        {code_why}
      </p>
      {check?.valid && (
        <p class="good">
          {quote!.discount_minor > 0
            ? say('wallet.fits_minus', { amount: moneyText(quote!.discount_minor, menu) })
            : say('wallet.fits')}
        </p>
      )}
      {check != null && !check.valid && (
        <ul class="reasons" aria-label={say('shop.reasons')}>
          {check.reasons.map((reason) => (
            <li key={reason.code}>{reasonText(reason, tenant!)}</li>
          ))}
        </ul>
      )}
    </div>
  )
}

/** What it costs, line by line. A minus is what the prize takes off. */
export function Sums({ quote }: { quote: Omit<Quote, 'prize'> | null }) {
  if (quote === null) return <p class="fine">{say('app.loading')}</p>
  return (
    <dl class="sums">
      <dt>{say('shop.sum_items')}</dt>
      <dd>{moneyText(quote.items_minor, quote)}</dd>
      {quote.discount_minor > 0 && (
        <>
          <dt>{say('shop.sum_discount')}</dt>
          <dd class="is-off">−{moneyText(quote.discount_minor, quote)}</dd>
        </>
      )}
      <dt>{say('shop.sum_delivery')}</dt>
      <dd>{moneyText(quote.delivery_fee_minor, quote)}</dd>
      <dt class="is-total">{say('shop.sum_total')}</dt>
      <dd class="is-total" data-total={quote.total_minor}>
        {moneyText(quote.total_minor, quote)}
      </dd>
    </dl>
  )
}
