/** What each side of a deal may see of it: people by pseudonym, prizes as far as they were open to both. */
import type { Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { playerNames } from '../../games/players.ts'
import { loadPlay } from '../store.ts'
import {
  type DealRow,
  type ItemRow,
  type ListingFilter,
  loadDeal,
  loadDealPage,
  loadItems,
  loadListing,
  loadListingPage,
  loadOwn,
  loadTransfers,
} from './deal-store.ts'
import { type DealKind, type DealStatus, statusNow } from './rules.ts'

/** A prize as the other side may see it: never its code, and nothing of what it is while it was locked for both. */
export type ItemView = {
  play_id: number
  game_name: string
  is_locked: boolean
  prize_name: string | null
  prize_description: string | null
  prize_type: string | null
  prize_value: string | null
  display_value: string | null
  prize_color: string | null
  prize_image: string | null
  rarity: string | null
  conditions: Record<string, unknown> | null
  prize_expires_at: string | null
}

export type DealView = {
  id: string
  kind: DealKind
  status: DealStatus
  /** `out`: mine; `in`: offered to me, or for sale to everybody. */
  direction: 'in' | 'out'
  /** Pseudonym of the one who offers. */
  from: string
  /** The receiver as the one who offers wrote it; the other side is told nothing it does not know. */
  to: string | null
  give: ItemView[]
  /** What a trade asks for: ids for the one who offers, prizes for the one who has them. */
  wanted: number[]
  take: ItemView[]
  price_minor: number | null
  currency: string | null
  fee_bps: number | null
  expires_at: string
  created_at: string
  closed_at: string | null
}

/** One deal as the actor may see it. */
export async function viewOf(tx: Tx, deal: DealRow): Promise<DealView> {
  return (await viewAll(tx, [deal]))[0]!
}

/** The same for many, with two statements. */
export async function viewAll(tx: Tx, deals: readonly DealRow[]): Promise<DealView[]> {
  if (deals.length === 0) return []
  const items = await loadItems(
    tx,
    deals.map(({ id }) => id),
  )
  const asked = deals.filter(({ offered_by }) => offered_by !== tx.actor.userId)
  const wanted = [...new Set(asked.flatMap((deal) => deal.wanted))]
  const own = wanted.length === 0 ? [] : await loadOwn(tx, wanted)
  const nameOf = await playerNames(tx)
  return deals.map((deal) => {
    const mine = deal.offered_by === tx.actor.userId
    const of = (side: 'give' | 'take') =>
      items
        .filter((item) => item.deal_id === deal.id && item.side === side)
        .map((item) => itemView(item, item.was_open || item.user_id === tx.actor.userId))
    const taken = of('take')
    const have = own.filter(({ id }) => deal.wanted.includes(id)).map((item) => itemView(item, true))
    return {
      id: deal.id,
      kind: deal.deal_kind,
      status: statusNow(deal, tx.now),
      direction: mine ? 'out' : 'in',
      from: nameOf(deal.offered_by),
      to: mine ? deal.offered_to : null,
      give: of('give'),
      wanted: deal.wanted,
      take: taken.length > 0 ? taken : have,
      price_minor: deal.price_minor,
      currency: deal.currency,
      fee_bps: deal.fee_bps,
      expires_at: deal.expires_at.toISOString(),
      created_at: deal.created_at.toISOString(),
      closed_at: deal.closed_at?.toISOString() ?? null,
    }
  })
}

/** The owner sees what the wallet shows; the other side what was open when the deal was made, and nothing later. */
function itemView(item: ItemRow, is_visible: boolean): ItemView {
  const is_shown = is_visible && item.unlocked_at !== null
  const shown: Record<string, any> = (is_shown && item.prize_snapshot) || {}
  return {
    play_id: item.id,
    game_name: item.game_name,
    is_locked: !is_shown,
    prize_name: shown['name'] ?? null,
    prize_description: shown['description'] ?? null,
    prize_type: shown['type'] ?? null,
    prize_value: shown['value'] ?? null,
    display_value: shown['display_value'] ?? null,
    prize_color: shown['prize_color'] ?? null,
    prize_image: shown['prize_image'] ?? null,
    rarity: is_shown ? (shown['rarity'] ?? 'common') : null,
    conditions: shown['conditions'] ?? null,
    prize_expires_at: item.expires_at?.toISOString() ?? null,
  }
}

type Page = { limit: number; cursor?: string | undefined }

/** Gifts or trades of the actor, newest first. Refuses invalid_input for a cursor that is none. */
export async function readDeals(
  tx: Tx,
  { kind, direction, limit, cursor }: Page & { kind: DealKind; direction: 'in' | 'out' },
) {
  const rows = await loadDealPage(tx, kind, direction, { before: idOf(cursor), limit: limit + 1 })
  return paged(tx, rows, limit)
}

/** One gift or trade of the actor. Refuses not_found. */
export async function readDeal(tx: Tx, { kind, id }: { kind: DealKind; id: string }) {
  return viewOf(tx, (await loadDeal(tx, kind, id, tx.actor.userId)) ?? refuse('not_found'))
}

/** What is for sale, newest first. Refuses invalid_input for a cursor that is none. */
export async function readListings(
  tx: Tx,
  { limit, cursor, mine, ...filter }: Page & Omit<ListingFilter, 'seller'> & { mine: boolean },
) {
  const seller = mine ? tx.actor.userId : null
  const rows = await loadListingPage(tx, { ...filter, seller }, { before: idOf(cursor), limit: limit + 1 })
  return paged(tx, rows, limit)
}

/** A listing: anybody's while it is for sale, afterwards for its two sides. Refuses not_found. */
export async function readListing(tx: Tx, { id }: { id: string }) {
  const row = (await loadListing(tx, id)) ?? (await loadDeal(tx, 'listing', id, tx.actor.userId))
  return viewOf(tx, row ?? refuse('not_found'))
}

/** Every change of owner of a play, for staff. Refuses not_found. */
export async function readTransfers(tx: Tx, { play_id }: { play_id: number }) {
  if ((await loadPlay(tx, play_id, null)) === undefined) refuse('not_found')
  const rows = await loadTransfers(tx, play_id)
  return { data: rows.map((row) => ({ ...row, moved_at: row.moved_at.toISOString() })), next_cursor: null }
}

async function paged(tx: Tx, rows: readonly DealRow[], limit: number) {
  const page = rows.slice(0, limit)
  return { data: await viewAll(tx, page), next_cursor: rows.length > limit ? page.at(-1)!.id : null }
}

function idOf(cursor: string | undefined): string | null {
  if (cursor === undefined) return null
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(cursor)) return cursor
  return refuse('invalid_input', {
    errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }],
  })
}
