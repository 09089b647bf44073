/** What is bought, what it costs, and what is held until it is paid. */
import { ticketsToPay } from '../../../src/games/raffle/rules.ts'
import { type Money, moneyText } from '../shared/tenant.ts'
import { TimeRing } from '../shared/ui.tsx'
import { count, say } from '../strings.ts'
import type { Held, RafflePlay, RaffleUser } from './raffle.ts'
import { numbersText, whyNotText } from './words.ts'

type Parts = { play: RafflePlay; state: RaffleUser; money: Money }

export function BuyPanel({ play, state, money, others }: Parts & { others: string }) {
  const { view, held, notice, refusal } = state
  const is_open = view!.phase === 'open'
  return (
    <section class="card buy" aria-labelledby="buy">
      <div class="buy-head">
        <h2 id="buy">{say('raffle.buy')}</h2>
        {state.credit_minor !== null && (
          <p class="credit">
            {say('raffle.credit')} <strong>{moneyText(state.credit_minor, money)}</strong>
          </p>
        )}
      </div>
      {held !== null ? (
        <HeldTickets play={play} state={state} money={money} held={held} />
      ) : is_open ? (
        <Choice play={play} state={state} money={money} />
      ) : (
        <>
          <p class="fine">{say(view!.phase === 'scheduled' ? 'raffle.not_yet' : 'raffle.sale_over')}</p>
          <p>
            <a class="button" href={others}>
              {say('raffle.others')}
            </a>
          </p>
        </>
      )}
      <div class="buy-said" role="status">
        {refusal !== null ? (
          <p class="why">{whyNotText(refusal, money)}</p>
        ) : (
          notice !== '' && <p class="hint">{notice}</p>
        )}
      </div>
    </section>
  )
}

/** How many tickets are asked for, how many of them are paid for, and whether that can be sent now. */
function orderOf({ view, board, picked, quantity, is_sending, link }: RaffleUser) {
  const wanted = picked.length > 0 ? picked.length : quantity
  const paid = ticketsToPay(wanted, board?.raffle.rules.bundles ?? [])
  return { wanted, paid, is_shut: is_sending || link.status !== 'live' || view!.left === 0 }
}

function BuyButton({ play, state, money }: Parts) {
  const { wanted, paid, is_shut } = orderOf(state)
  const { ticket_price, left } = state.view!
  return (
    <button
      type="button"
      class="spin-button buy-now"
      aria-disabled={is_shut}
      onClick={() => !is_shut && void play.buy()}
    >
      {state.is_sending
        ? say('raffle.sending')
        : left === 0
          ? say('raffle.why.sold_out')
          : count('raffle.buy_now', wanted, { price: moneyText(paid * ticket_price, money) })}
    </button>
  )
}

/** On a narrow screen: what was picked can be bought without leaving the wall. */
export function PickedBar({ play, state, money }: Parts) {
  if (state.picked.length === 0 || state.held !== null || state.view!.phase !== 'open') return null
  return (
    <div class="picked-bar">
      <p>{count('raffle.chosen', state.picked.length, { numbers: numbersText(state.picked) })}</p>
      <BuyButton play={play} state={state} money={money} />
    </div>
  )
}

function Choice({ play, state, money }: Parts) {
  const { view, board, picked, quantity } = state
  const { bundles = [], per_user_max = null } = board?.raffle.rules ?? {}
  const { wanted, paid, is_shut } = orderOf(state)
  return (
    <>
      {picked.length > 0 ? (
        <div class="chosen">
          <p>
            <strong>{count('raffle.chosen', picked.length, { numbers: numbersText(picked) })}</strong>
          </p>
          <button type="button" class="chip" onClick={play.unpick}>
            {say('raffle.unpick')}
          </button>
        </div>
      ) : (
        <div class="quantity">
          <span class="stepper">
            <button
              type="button"
              class="button"
              aria-label={say('raffle.less')}
              aria-disabled={quantity === 1}
              onClick={() => play.setQuantity(quantity - 1)}
            >
              −
            </button>
            <output aria-label={say('raffle.quantity')}>{quantity}</output>
            <button
              type="button"
              class="button"
              aria-label={say('raffle.more')}
              onClick={() => play.setQuantity(quantity + 1)}
            >
              +
            </button>
          </span>
          <p class="fine">{say('raffle.random')}</p>
        </div>
      )}
      {bundles.length > 0 && (
        <p class="bundles">
          {bundles.map(({ tickets, pay_for }) => (
            <button
              key={tickets}
              type="button"
              class="chip chip-good"
              aria-pressed={picked.length === 0 && quantity === tickets}
              onClick={() => {
                play.unpick()
                play.setQuantity(tickets)
              }}
            >
              {say('raffle.bundle', { n: tickets, m: pay_for })}
            </button>
          ))}
        </p>
      )}
      <BuyButton play={play} state={state} money={money} />
      <p class="row buy-more">
        <button
          type="button"
          class="button"
          aria-disabled={is_shut}
          onClick={() => !is_shut && void play.hold()}
        >
          {say('raffle.hold')}
        </button>
        <span class="fine">
          {paid < wanted && (
            <span class="saved">
              {say('raffle.saved', { amount: moneyText((wanted - paid) * view!.ticket_price, money) })}{' '}
            </span>
          )}
          {per_user_max !== null && say('raffle.limit', { n: per_user_max })}
        </span>
      </p>
    </>
  )
}

function HeldTickets({ play, state, money, held }: Parts & { held: Held }) {
  const is_shut = state.is_sending || state.link.status !== 'live'
  return (
    <div class="held">
      <TimeRing from_ms={held.from_ms} to_ms={held.to_ms} onDeadline={play.lapse} />
      <div class="held-text">
        <strong>
          {count('raffle.held', held.numbers.length, { numbers: numbersText(held.numbers.map(Number)) })}
        </strong>
        <span class="fine">{say('raffle.held_note')}</span>
      </div>
      <div class="row held-doors">
        <button
          type="button"
          class="button button-primary"
          aria-disabled={is_shut}
          onClick={() => !is_shut && void play.pay()}
        >
          {say('raffle.pay', { price: moneyText(held.amount_minor, money) })}
        </button>
        <button
          type="button"
          class="button"
          aria-disabled={is_shut}
          onClick={() => !is_shut && void play.giveUp()}
        >
          {say('raffle.give_up')}
        </button>
      </div>
    </div>
  )
}
