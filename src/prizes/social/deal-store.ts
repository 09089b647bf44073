/** Statements over deals, escrow and changes of owner. One exported function per statement. */
import type { Tx } from '../../db/tx.ts'
import { PLAY, type PlayRow } from '../store.ts'
import type { DealKind, DealStatus, Settings } from './rules.ts'

/** What the tenant decided; undefined when it decided nothing. */
export function loadSettings(tx: Tx) {
  return tx.one<Settings & { row_version: number }>(
    `select fee_bps, deal_hours, hold_hours, gifts_per_day, trades_per_day, listings_per_day, row_version
     from exchange_settings`,
    [],
    'load_exchange_settings',
  )
}

/** Writes them when the row still has this version; 0 is a row that is not there yet. Undefined when it has another. */
export function saveSettings(tx: Tx, settings: Settings, row_version: number) {
  const values = [
    settings.fee_bps,
    settings.deal_hours,
    settings.hold_hours,
    settings.gifts_per_day,
    settings.trades_per_day,
    settings.listings_per_day,
  ]
  return tx.one<Settings & { row_version: number }>(
    `insert into exchange_settings as s (fee_bps, deal_hours, hold_hours, gifts_per_day, trades_per_day, listings_per_day,
       created_at, updated_at)
     select $1, $2, $3, $4, $5, $6, $7, $7
     where $8 = 0 or exists (select from exchange_settings where row_version = $8)
     on conflict (tenant_id) do update set fee_bps = $1, deal_hours = $2, hold_hours = $3, gifts_per_day = $4,
       trades_per_day = $5, listings_per_day = $6, updated_at = $7, row_version = s.row_version + 1
     where s.row_version = $8
     returning fee_bps, deal_hours, hold_hours, gifts_per_day, trades_per_day, listings_per_day, row_version`,
    [...values, tx.now, row_version],
  )
}

/** Offers of one user follow one another: what is counted is all there is. Comes before the lock of a play. */
export async function lockDealer(tx: Tx): Promise<void> {
  await tx.rows(
    `select pg_advisory_xact_lock(hashtextextended(concat_ws(E'\\n', 'deals', app_tenant_id(), $1::text), 0))`,
    [tx.actor.userId],
    'lock_dealer',
  )
}

/** How many offers of a kind the actor has made since. */
export async function countDeals(tx: Tx, kind: DealKind, since: Date): Promise<number> {
  const row = await tx.one<{ count: number }>(
    `select count(*)::int as count from prize_deals where offered_by = $1 and deal_kind = $2 and created_at >= $3`,
    [tx.actor.userId, kind, since],
    'count_deals',
  )
  return row!.count
}

/** A play with what passing it on needs. */
export type ItemRow = PlayRow & {
  escrow_id: string | null
  received_at: Date | null
  won_by: string | null
}

const ITEM = `${PLAY}, p.escrow_id, p.received_at, p.won_by`

/** These plays, in the order of their ids, as they are now: read after their lock. */
export function loadPassable(tx: Tx, ids: readonly number[]) {
  return tx.rows<ItemRow>(
    `select ${ITEM} from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.id = any($1::bigint[]) order by p.id`,
    [ids],
    'load_passable',
  )
}

export type DealRow = {
  id: string
  deal_kind: DealKind
  deal_status: DealStatus
  offered_by: string
  offered_to: string | null
  wanted: number[]
  price_minor: number | null
  currency: string | null
  fee_bps: number | null
  expires_at: Date
  taken_by: string | null
  transfer_id: string | null
  closed_at: Date | null
  created_at: Date
}

const DEAL = `d.id, d.deal_kind, d.deal_status, d.offered_by, d.offered_to, to_jsonb(d.wanted) as wanted, d.price_minor, d.currency, d.fee_bps,
  d.expires_at, d.taken_by, d.transfer_id, d.closed_at, d.created_at`

export type NewDeal = Pick<
  DealRow,
  'id' | 'deal_kind' | 'offered_to' | 'wanted' | 'price_minor' | 'currency' | 'fee_bps' | 'expires_at'
>

export async function insertDeal(tx: Tx, deal: NewDeal): Promise<DealRow> {
  const row = await tx.one<DealRow>(
    `insert into prize_deals as d (id, deal_kind, offered_by, offered_to, wanted, price_minor, currency, fee_bps, expires_at,
       created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) returning ${DEAL}`,
    [
      deal.id,
      deal.deal_kind,
      tx.actor.userId,
      deal.offered_to,
      deal.wanted,
      deal.price_minor,
      deal.currency,
      deal.fee_bps,
      deal.expires_at,
      tx.now,
    ],
    'insert_deal',
  )
  return row!
}

/** Names plays in a deal and puts them into its escrow. The caller holds their locks. Returns how many it were. */
export async function putInEscrow(
  tx: Tx,
  { id, deal_kind, expires_at }: Pick<DealRow, 'id' | 'deal_kind' | 'expires_at'>,
  side: 'give' | 'take',
  play_ids: readonly number[],
): Promise<number> {
  await tx.rows(
    `insert into prize_deal_items (deal_id, play_id, side, was_open)
     select $1, p.id, $2, p.unlocked_at is not null from gamification_game_plays p where p.id = any($3::bigint[])`,
    [id, side, play_ids],
    'insert_deal_items',
  )
  const rows = await tx.rows(
    `update gamification_game_plays set escrow_id = $1, escrow_kind = $2, escrow_until = $3, updated_at = $4,
            row_version = row_version + 1
     where id = any($5::bigint[]) returning id`,
    [id, deal_kind, expires_at, tx.now, play_ids],
    'put_in_escrow',
  )
  return rows.length
}

/** A deal of a kind, locked: who takes it, ends it and sweeps it go one after the other. Comes before the lock of a play. */
export function lockDeal(tx: Tx, kind: DealKind, id: string) {
  return tx.one<DealRow>(
    `select ${DEAL} from prize_deals d where d.id = $1 and d.deal_kind = $2 for no key update`,
    [id, kind],
    'lock_deal',
  )
}

/** Ends an open deal whose lock we hold. */
export async function endDeal(
  tx: Tx,
  id: string,
  deal_status: Exclude<DealStatus, 'open'>,
  transfer_id: string | null = null,
): Promise<DealRow> {
  const row = await tx.one<DealRow>(
    `update prize_deals d set deal_status = $2::text, taken_by = case when $2::text = 'accepted' then $3 end, transfer_id = $4,
            closed_at = $5, updated_at = $5, row_version = row_version + 1
     where id = $1 and deal_status = 'open' returning ${DEAL}`,
    [id, deal_status, tx.actor.userId, transfer_id, tx.now],
    'end_deal',
  )
  return row!
}

/** Lets go of what deals hold that have ended. */
export async function freeFromEscrow(tx: Tx, deal_ids: readonly string[]): Promise<void> {
  await tx.rows(
    `update gamification_game_plays set escrow_id = null, escrow_kind = null, escrow_until = null, updated_at = $2,
            row_version = row_version + 1
     where escrow_id = any($1::uuid[])`,
    [deal_ids, tx.now],
    'free_from_escrow',
  )
}

export type Handover = { play_id: number; to: string; prize_code: string }

/** Gives plays that are in the escrow of an accepted deal to their new owners, with new codes. Returns how many it were. */
export async function handOver(tx: Tx, handovers: readonly Handover[]): Promise<number> {
  const rows = await tx.rows(
    `update gamification_game_plays p
     set user_id = r.user_id, prize_code = r.prize_code, won_by = coalesce(p.won_by, p.user_id), received_at = $4,
         escrow_id = null, escrow_kind = null, escrow_until = null, updated_at = $4, row_version = p.row_version + 1
     from unnest($1::bigint[], $2::text[], $3::text[]) as r(id, user_id, prize_code)
     where p.id = r.id returning p.id`,
    [
      handovers.map((each) => each.play_id),
      handovers.map((each) => each.to),
      handovers.map((each) => each.prize_code),
      tx.now,
    ],
    'hand_over',
  )
  return rows.length
}

/** Takes back the cards of plays: whoever shared them has them no more. */
export async function revokeShares(tx: Tx, play_ids: readonly number[]): Promise<void> {
  await tx.rows(
    `update prize_shares set revoked_at = $2, updated_at = $2, row_version = row_version + 1
     where play_id = any($1::bigint[]) and revoked_at is null`,
    [play_ids, tx.now],
    'revoke_shares',
  )
}

/** Open deals whose time is over, locked; those that somebody works on are left to the next time. */
export function lockLapsed(tx: Tx, limit: number) {
  return tx.rows<DealRow>(
    `select ${DEAL} from prize_deals d where d.deal_status = 'open' and d.expires_at <= $1
     order by d.expires_at, d.id limit $2 for no key update skip locked`,
    [tx.now, limit],
    'lock_lapsed',
  )
}

/** Marks deals as lapsed. */
export async function lapse(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.rows(
    `update prize_deals set deal_status = 'lapsed', closed_at = $2, updated_at = $2, row_version = row_version + 1
     where id = any($1::uuid[])`,
    [ids, tx.now],
    'lapse_deals',
  )
}

/** A deal of a kind that the user is a side of. */
export function loadDeal(tx: Tx, kind: DealKind, id: string, user_id: string) {
  return tx.one<DealRow>(
    `select ${DEAL} from prize_deals d
     where d.id = $1 and d.deal_kind = $2 and $3 in (d.offered_by, d.offered_to, d.taken_by)`,
    [id, kind, user_id],
    'load_deal',
  )
}

/** A listing, whoever's, while it is for sale. */
export function loadListing(tx: Tx, id: string) {
  return tx.one<DealRow>(
    `select ${DEAL} from prize_deals d
     where d.id = $1 and d.deal_kind = 'listing' and d.deal_status = 'open' and d.expires_at > $2`,
    [id, tx.now],
    'load_listing',
  )
}

export type DealPage = { before: string | null; limit: number }

/** Deals of a kind that the user offered (`out`) or was offered (`in`), newest first. */
export function loadDealPage(tx: Tx, kind: DealKind, direction: 'in' | 'out', { before, limit }: DealPage) {
  return tx.rows<DealRow>(
    `select ${DEAL} from prize_deals d
     where d.deal_kind = $1 and ($4::uuid is null or d.id < $4)
       and case when $2 then d.offered_by = $3 else d.offered_to = $3 end
     order by d.id desc limit $5`,
    [kind, direction === 'out', tx.actor.userId, before, limit],
    direction === 'out' ? 'load_deals_out' : 'load_deals_in',
  )
}

export type ListingFilter = {
  type: string | null
  rarity: string | null
  price_min: number | null
  price_max: number | null
  /** Only those of this seller. */
  seller: string | null
}

/** What is for sale, newest first. */
export function loadListingPage(tx: Tx, filter: ListingFilter, { before, limit }: DealPage) {
  return tx.rows<DealRow>(
    `select ${DEAL} from prize_deals d
     join prize_deal_items i on i.deal_id = d.id
     join gamification_game_plays p on p.id = i.play_id
     where d.deal_kind = 'listing' and d.deal_status = 'open' and d.expires_at > $1 and p.escrow_id = d.id
       and ($2::uuid is null or d.id < $2)
       and ($3::text is null or p.prize_snapshot->>'type' = $3)
       and ($4::text is null or coalesce(p.prize_snapshot->>'rarity', 'common') = $4)
       and ($5::bigint is null or d.price_minor >= $5) and ($6::bigint is null or d.price_minor <= $6)
       and ($7::text is null or d.offered_by = $7)
     order by d.id desc limit $8`,
    [tx.now, before, filter.type, filter.rarity, filter.price_min, filter.price_max, filter.seller, limit],
    'load_listings',
  )
}

/** What goes which way in deals. */
export function loadItems(tx: Tx, deal_ids: readonly string[]) {
  return tx.rows<ItemRow & { deal_id: string; side: 'give' | 'take'; was_open: boolean }>(
    `select i.deal_id, i.side, i.was_open, ${ITEM}
     from prize_deal_items i
     join gamification_game_plays p on p.id = i.play_id
     join gamification_games g on g.id = p.game_id
     where i.deal_id = any($1::uuid[]) order by i.deal_id, i.play_id`,
    [deal_ids],
    'load_deal_items',
  )
}

/** Plays of the user among these. */
export function loadOwn(tx: Tx, ids: readonly number[]) {
  return tx.rows<ItemRow>(
    `select ${ITEM} from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.id = any($1::bigint[]) and p.user_id = $2 order by p.id`,
    [ids, tx.actor.userId],
    'load_own_plays',
  )
}

export type TransferRow = {
  from_user_id: string
  to_user_id: string
  deal_id: string
  why: DealKind
  moved_at: Date
}

/** Every change of owner of a play, first to last. */
export function loadTransfers(tx: Tx, play_id: number) {
  return tx.rows<TransferRow>(
    `select from_user_id, to_user_id, deal_id, why, moved_at from prize_transfers where play_id = $1 order by id`,
    [play_id],
    'load_transfers',
  )
}
