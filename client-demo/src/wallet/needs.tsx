/** Why a prize cannot be used on the cart of this tab, and what happened to it. Asked when the details are opened. */

import { API, ask, type Page, type Play } from '../shared/api.ts'
import { keptCart, orderOf } from '../shared/cart.ts'
import { useLoaded } from '../shared/loading.ts'
import { instantOf, type Move, type Prize, readHistory, reasonText, validatePrize } from '../shared/prizes.ts'
import { whyText } from '../shared/refusal.ts'
import { amountText, clockText, type Tenant } from '../shared/tenant.ts'
import { has, say } from '../strings.ts'

export function Needs({ prize, tenant, token }: { prize: Prize; tenant: Tenant; token: string }) {
  const { value, refusal, reload } = useLoaded(
    () => validatePrize(token, prize.id, orderOf(keptCart(), tenant)),
    [prize.id, prize.prize_status],
  )
  return (
    <>
      <h4>{say(keptCart() === null ? 'wallet.without_cart' : 'wallet.with_cart')}</h4>
      {refusal !== undefined && value === undefined && (
        <p class="why why-row" role="alert">
          {whyText(refusal)}
          <button type="button" class="button" onClick={reload}>
            {say('app.retry')}
          </button>
        </p>
      )}
      {value === undefined && refusal === undefined && <p class="fine">{say('app.loading')}</p>}
      {value?.valid && (
        <p class="good">
          {value.discount_amount === null || /^0[.0]*$/.test(value.discount_amount)
            ? say('wallet.fits')
            : say('wallet.fits_minus', { amount: amountText(value.discount_amount, tenant) })}
        </p>
      )}
      {value !== undefined && !value.valid && (
        <ul class="reasons">
          {value.reasons.map((reason) => (
            <li key={reason.code}>{reasonText(reason, tenant)}</li>
          ))}
        </ul>
      )}
      <History prize={prize} tenant={tenant} token={token} />
      <Origin id={prize.id} token={token} />
    </>
  )
}

/** What happened to it, oldest first. */
function History({ prize, tenant, token }: { prize: Prize; tenant: Tenant; token: string }) {
  const { value: moves } = useLoaded(() => readHistory(token, prize.id), [prize.id, prize.prize_status])
  if (moves === undefined) return null
  return (
    <>
      <h4>{say('wallet.history')}</h4>
      <ol class="history">
        {moves.map((move) => (
          <li key={move.at + move.to_status + move.why}>
            <span>{moveText(move)}</span> <time class="fine">{clockText(instantOf(move.at), tenant)}</time>
          </li>
        ))}
      </ol>
    </>
  )
}

function moveText({ from_status, to_status, why }: Move): string {
  if (from_status === null) return say('move.won')
  const key = from_status === 'applied' ? `move.back_${to_status}` : `move.${to_status}`
  return has(key) ? say(key) : why
}

/** The draw that won it, for who wants to check it. */
function Origin({ id, token }: { id: number; token: string }) {
  const { value: proof_id } = useLoaded(() => proofOf(token, id), [id])
  if (proof_id === undefined || proof_id === null) return null
  return (
    <p class="row">
      <a class="chip" href={`/verify?event=${encodeURIComponent(proof_id)}`}>
        {say('result.fair')}
      </a>
    </p>
  )
}

const PAGES_MAX = 10

async function proofOf(token: string, id: number): Promise<string | null> {
  let cursor: string | null = ''
  for (let page = 0; page < PAGES_MAX && cursor !== null; page++) {
    const query: string = `won=1&limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
    const { data, next_cursor }: Page<Play> = await ask('GET', `${API}/me/plays?${query}`, { token })
    const found = data.find(({ play_id }) => play_id === id)
    if (found !== undefined) return found.proof_id
    cursor = next_cursor
  }
  return null
}
