// Raffles of their own for browser tests, as an operator makes them, and what people do with them over HTTP.
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { aGuest, type Player, send, type TestServer } from './server.ts'

export type RaffleWish = {
  total?: number
  /** How long tickets are sold; the first draw follows at once. */
  sale_s?: number
  config?: Record<string, unknown>
  /** One draw for each, so many seconds after the one before. */
  draws?: { winners?: number; alternates?: number; after_s?: number; prize_id?: number }[]
}
export type TestRaffle = { id: string; slug: string; name: string; draw_ids: string[]; closes_at_ms: number }

export const TICKET_PRICE = 200
let count = 0

/** A published raffle that sells tickets. */
export async function aRaffle(server: TestServer, wish: RaffleWish = {}): Promise<TestRaffle> {
  const { total = 100, sale_s = 600, config = {}, draws = [{}] } = wish
  const now_ms = Date.now()
  const at = (after_s: number) => new Date(now_ms + after_s * 1000).toISOString()
  const name = `Browser raffle ${++count}`
  let draw_s = sale_s
  const made = await server.operate<{ id: string; campaign_slug: string; draws: { id: string }[] }>(
    '/raffles',
    {
      campaign_name: name,
      campaign_slug: `browser-raffle-${process.pid}-${count}`,
      ticket_price: TICKET_PRICE,
      total_tickets: total,
      start_time: at(0),
      end_time: at(sale_s),
      campaign_config: { reveal_lead_ms: 1_500, reveal_step_ms: 1_000, ...config },
      draws: draws.map(({ winners = 2, alternates = 1, after_s = 0, prize_id }, i) => {
        draw_s += after_s
        return {
          draw_name: `Draw ${i + 1}`,
          draw_time: at(draw_s),
          winning_tickets: winners,
          alternates,
          ...(prize_id !== undefined && { prize_id }),
        }
      }),
    },
  )
  await server.operate(`/raffles/${made.id}/publish`)
  await untilStatus(server, made.id, 'open')
  standing.add(made.id)
  const draw_ids = made.draws.map(({ id }) => id)
  return { id: made.id, slug: made.campaign_slug, name, draw_ids, closes_at_ms: now_ms + sale_s * 1000 }
}

const standing = new Set<string>()

/** Ends the raffles that still sell tickets, so that the server has only those of the test to look after. */
export async function callOff(server: TestServer): Promise<void> {
  for (const id of standing) {
    standing.delete(id)
    if ((await board(server, id)).raffle.status === 'open')
      await server.operate(`/raffles/${id}/cancel`, { why: 'The test is over.' })
  }
}

export type Board = {
  raffle: { status: string; sold_tickets: number; tickets_left: number }
  draws: { winners: { place: number; ticket_number: string; is_alternate: boolean; entry_index: number }[] }[]
}

export async function board({ url }: TestServer, ref: string): Promise<Board> {
  const answer = await fetch(`${url}/api/v1/raffles/${ref}/board?tenant=demo`)
  assert.equal(answer.status, 200)
  return (await answer.json()) as Board
}

export async function untilStatus(server: TestServer, ref: string, status: string): Promise<void> {
  await poll(async () => (await board(server, ref)).raffle.status === status, 60_000)
}

/** A guest with credit to buy with. */
export async function aBuyer(server: TestServer): Promise<Player> {
  const player = await aGuest(server)
  await send(server.url, player.token, '/demo/credit')
  return player
}

export type Bought = {
  draw_id: string
  tickets: { ticket_number: string; entry_index: number; receipt: string }[]
}

/** Buys these numbers over HTTP. */
export const buy = (
  { url }: TestServer,
  { token }: Player,
  ref: string,
  numbers: number[],
): Promise<Bought> => send(url, token, `/raffles/${ref}/tickets`, { numbers })

export async function creditOf({ url }: TestServer, { token }: Player): Promise<number> {
  const answer = await fetch(`${url}/api/v1/me/balances`, { headers: { authorization: `Bearer ${token}` } })
  const { data } = (await answer.json()) as { data: { account_kind: string; balance_minor: number }[] }
  return data.find(({ account_kind }) => account_kind === 'wallet_credit')?.balance_minor ?? 0
}

export async function poll(holds: () => Promise<boolean>, within_ms = 10_000): Promise<void> {
  const end_ms = Date.now() + within_ms
  while (!(await holds())) {
    assert.ok(Date.now() < end_ms, 'it never came true')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

export const number = (page: Page, n: number) => page.locator(`[data-number="${n}"]`)
export const buyButton = (page: Page) => page.locator('.buy .buy-now')

/** Opens a raffle and waits until tickets can be bought. */
export async function open(page: Page, slug: string): Promise<void> {
  await page.goto(`/raffle?game=${slug}`)
  await page.locator('.pill-live').waitFor()
  await page.getByText('Your credit').waitFor()
  await page.locator('.numbers[aria-busy=false]').waitFor()
}

/**
 * When a place was shown, in milliseconds since 1970 of this machine: not before `from`, when the page last had the
 * processor, and not after `to`.
 */
export type Moment = { from: number; to: number }

/** From now on the page notes when each place of a draw is shown. */
export async function watchPlaces(page: Page): Promise<void> {
  await page.evaluate(`(() => {
    window.shownAt = {}
    let from = Date.now()
    setInterval(() => { from = Date.now() }, 10)
    const look = () => {
      for (const place of document.querySelectorAll('.place.is-shown')) {
        const list = place.closest('ol').getAttribute('aria-label')
        window.shownAt[list + ' ' + place.querySelector('.place-no').textContent] ??= { from, to: Date.now() }
      }
    }
    look()
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true })
  })()`)
}

/** When which place was shown, as noted since watchPlaces. */
export const shownAt = (page: Page): Promise<Record<string, Moment>> =>
  page.evaluate<Record<string, Moment>>('window.shownAt')

/**
 * How far apart the screens were at least: a page that the machine has left without its processor is late for a reason
 * that is not its own.
 */
export const apartMs = (moments: readonly Moment[]): number =>
  Math.max(...moments.map(({ from }) => from)) - Math.min(...moments.map(({ to }) => to))

/** The winners as a page shows them, line by line. */
export const winnersOn = (page: Page): Promise<string[]> =>
  page.locator('.place.is-shown').evaluateAll((places) => places.map((place) => place.textContent ?? ''))
