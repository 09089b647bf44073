/** Raffles over HTTP. */
import { API, ask, type Page } from './api.ts'
import type { DrawView } from './guess-api.ts'
import { serverClock } from './server-clock.ts'

export type RaffleDraw = DrawView & { draw_at: string; redraw_of: string | null }
export type RaffleBoard = {
  version: number
  raffle: {
    id: string
    slug: string
    name: string
    description: string | null
    status: string
    ticket_price: number
    currency: string
    total_tickets: number
    rules: {
      unit: 'ticket' | 'person'
      repeat_winners: boolean
      carry_over: 'all' | 'exclude_tickets' | 'exclude_winners'
      bundles: { tickets: number; pay_for: number }[]
      per_user_max: number | null
      number_ranges: { channel: string; first: number; last: number }[]
      claim_days: number
    }
    cancelled_why: string | null
  }
  prizes: { id: number; name: string; type: string }[]
  draws: RaffleDraw[]
  server_time: string
}
export type OwnTicket = {
  ticket_id: string
  ticket_number: string
  status: string
  via: string
  purchased_at: string
  draw_id: string
  entry_index: number | null
  salt: string | null
  receipt: string | null
}
export type Bought = {
  purchase_id: string
  status: 'done' | 'reserved'
  quantity: number
  amount_minor: number
  currency: string
  reserved_until: string | null
  numbers: string[]
  instant_wins: { ticket_number: string; prize_id: number }[]
}
export type NumberWindow = { from: number; to: number; gone: number[]; held: number[] }
export type InstantWins = {
  seed_hash: string | null
  count: number
  seed: string | null
  wins: { number: number; prize_id: number; player: string | null; won_at: string | null }[]
}
/** What a buyer wants: so many, or these. */
export type Wish = { quantity: number } | { numbers: number[] }

const of = (ref: string) => `${API}/raffles/${encodeURIComponent(ref)}`
const by = (tenant: string) => `tenant=${encodeURIComponent(tenant)}`

/** A raffle as everybody may see it; with a token also one that is not public. */
export async function readBoard(tenant: string, ref: string, token?: string): Promise<RaffleBoard> {
  const sent_ms = Date.now()
  const path = token === undefined ? `${of(ref)}/board?${by(tenant)}` : `${of(ref)}/board`
  const board = await ask<RaffleBoard>('GET', path, { token })
  serverClock.answered(Date.parse(board.server_time), sent_ms)
  return board
}

export const readNumbers = (token: string, ref: string, from: number, to: number): Promise<NumberWindow> =>
  ask('GET', `${of(ref)}/numbers?from=${from}&to=${to}`, { token })

export const readInstantWins = (token: string, ref: string): Promise<InstantWins> =>
  ask('GET', `${of(ref)}/instant-wins`, { token })

export const readTickets = (
  token: string,
  ref: string,
  cursor: string | null = null,
): Promise<Page<OwnTicket>> =>
  ask('GET', `${of(ref)}/tickets?mine=1&limit=100${cursor === null ? '' : `&cursor=${cursor}`}`, { token })

/** Holds tickets; the same key is answered with the same ones. */
export const holdTickets = (token: string, ref: string, wish: Wish, key: string): Promise<Bought> =>
  ask('POST', `${of(ref)}/reservations`, { token, body: wish, key })

export const payHeld = (token: string, purchase_id: string): Promise<Bought> =>
  ask('POST', `${API}/raffle-reservations/${purchase_id}/payment`, { token, key: `pay-${purchase_id}` })

export const giveUpHeld = (token: string, purchase_id: string): Promise<unknown> =>
  ask('DELETE', `${API}/raffle-reservations/${purchase_id}`, { token })

export const claimPlace = (token: string, draw_id: string): Promise<{ place: number; status: string }> =>
  ask('POST', `${API}/draws/${draw_id}/claim`, { token })

/** What the player can spend, in minor units of a currency. */
export async function readCredit(token: string, currency: string): Promise<number> {
  type Balance = { account_kind: string; currency: string; balance_minor: number }
  const { data } = await ask<{ data: Balance[] }>('GET', `${API}/me/balances`, { token })
  const own = data.find((each) => each.account_kind === 'wallet_credit' && each.currency === currency)
  return own?.balance_minor ?? 0
}

/** Credit to try the demo with, once for each guest. */
export const takeDemoCredit = (token: string): Promise<{ amount_minor: number }> =>
  ask('POST', `${API}/demo/credit`, { token })

const inTenant = (tenant: string) => (tenant === 'demo' ? '' : `&${by(tenant)}`)
export const raffleAddress = (tenant: string, ref: string): string =>
  `/raffle?game=${encodeURIComponent(ref)}${inTenant(tenant)}`
export const watchRaffleAddress = (tenant: string, ref: string): string =>
  `/watch-draw?raffle=${encodeURIComponent(ref)}${inTenant(tenant)}`
