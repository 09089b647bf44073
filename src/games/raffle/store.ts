/** Every statement over raffles. One exported function per statement; rows come back as they are. */

import type { Tx } from '../../db/tx.ts'
import type { DrawStatus } from '../../draws/lifecycle.ts'
import type { CampaignConfig } from './rules.ts'

export type CampaignRow = {
  id: string
  campaign_name: string
  campaign_slug: string
  campaign_description: string | null
  campaign_status: DrawStatus
  campaign_type: string
  start_time: Date
  end_time: Date
  ticket_price: number
  currency: string
  total_tickets: number
  sold_tickets: number
  issued_tickets: number
  campaign_config: CampaignConfig
  is_public: boolean
  number_key: string | null
  instant_seed: string | null
  instant_hash: string | null
  number_cursors: Record<string, number>
  first_draw_id: string | null
  cancelled_why: string | null
  row_version: number
  created_at: Date
}

const CAMPAIGN = `select id, campaign_name, campaign_slug, campaign_description, campaign_status, campaign_type, start_time, end_time,
    ticket_price, currency, total_tickets, sold_tickets, issued_tickets, campaign_config, is_public, number_key, instant_seed,
    instant_hash, number_cursors, first_draw_id, cancelled_why, row_version, created_at
  from raffle_campaigns`

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** By id or slug. */
export function loadCampaign(tx: Tx, ref: string) {
  return tx.one<CampaignRow>(
    `${CAMPAIGN} where ${UUID.test(ref) ? 'id' : 'campaign_slug'} = $1 and is_active`,
    [ref],
  )
}

export function loadCampaignsForUpdate(tx: Tx, ids: readonly string[]) {
  return tx.rows<CampaignRow>(
    `${CAMPAIGN} where id = any($1::uuid[]) and is_active order by id for no key update`,
    [ids],
    'raffles_for_update',
  )
}

/** Published raffles that are not over, newest first. */
export function loadListed(tx: Tx, limit: number) {
  return tx.rows<CampaignRow>(
    `${CAMPAIGN} where is_active and campaign_status not in ('draft', 'settled', 'cancelled')
     order by created_at desc, id limit $1`,
    [limit],
  )
}

/** What publishing fixes. */
export async function publishCampaign(
  tx: Tx,
  id: string,
  fixed: Pick<CampaignRow, 'number_key' | 'instant_seed' | 'instant_hash' | 'first_draw_id'>,
): Promise<void> {
  await tx.rows(
    `update raffle_campaigns set number_key = $2, instant_seed = $3, instant_hash = $4, first_draw_id = $5, updated_at = $6
     where id = $1`,
    [id, fixed.number_key, fixed.instant_seed, fixed.instant_hash, fixed.first_draw_id, tx.now],
  )
}

export async function setCampaignStatus(tx: Tx, id: string, status: DrawStatus): Promise<void> {
  await tx.rows(
    `update raffle_campaigns set campaign_status = $2, updated_at = $3, row_version = row_version + 1 where id = $1`,
    [id, status, tx.now],
  )
}

export async function setCancelledWhy(tx: Tx, id: string, why: string): Promise<void> {
  await tx.rows('update raffle_campaigns set cancelled_why = $2, updated_at = $3 where id = $1', [
    id,
    why,
    tx.now,
  ])
}

/** Counts what was given out, and how far each range of numbers was tried. */
export async function countIssued(
  tx: Tx,
  id: string,
  count: number,
  cursors: Record<string, number>,
): Promise<void> {
  await tx.rows(
    `update raffle_campaigns
     set sold_tickets = sold_tickets + $2, issued_tickets = issued_tickets + $2, number_cursors = $3, updated_at = $4
     where id = $1`,
    [id, count, JSON.stringify(cursors), tx.now],
    'raffle_issued',
  )
}

export async function countRefunded(tx: Tx, id: string, count: number): Promise<void> {
  await tx.rows(
    'update raffle_campaigns set sold_tickets = sold_tickets - $2, updated_at = $3 where id = $1',
    [id, count, tx.now],
  )
}

export type RaffleDrawRow = {
  id: string
  raffle_campaign_id: string
  draw_order: number
  draw_name: string
  draw_time: Date
  draw_status: DrawStatus
  total_tickets: number
  winning_tickets: number
  alternates: number
  prizes: { prize_id: number | null; qty: number }[]
  draw_results: Record<string, unknown> | null
  frozen_at: Date | null
  redraw_of: string | null
}

const RAFFLE_DRAW = `select id, raffle_campaign_id, draw_order, draw_name, draw_time, draw_status, total_tickets, winning_tickets,
    alternates, prizes, draw_results, frozen_at, redraw_of from raffle_draws`

export function loadRaffleDraws(tx: Tx, campaign_id: string) {
  return tx.rows<RaffleDrawRow>(`${RAFFLE_DRAW} where raffle_campaign_id = $1 order by draw_order`, [
    campaign_id,
  ])
}

export function loadRaffleDraw(tx: Tx, id: string) {
  return tx.one<RaffleDrawRow>(`${RAFFLE_DRAW} where id = $1`, [id])
}

export type NewRaffleDraw = Pick<
  RaffleDrawRow,
  'id' | 'draw_order' | 'draw_name' | 'draw_time' | 'winning_tickets' | 'alternates' | 'prizes' | 'redraw_of'
>

export async function insertRaffleDraws(
  tx: Tx,
  campaign_id: string,
  draws: readonly NewRaffleDraw[],
): Promise<void> {
  await tx.rows(
    `insert into raffle_draws (id, raffle_campaign_id, draw_order, draw_name, draw_time, winning_tickets, alternates, prizes,
                               redraw_of, created_at, updated_at)
     select r.id, $1, r.draw_order, r.draw_name, r.draw_time, r.winning_tickets, r.alternates, r.prizes, r.redraw_of, $3, $3
     from json_to_recordset($2::json) as r(id uuid, draw_order int, draw_name text, draw_time timestamptz, winning_tickets int,
                                           alternates int, prizes jsonb, redraw_of uuid)`,
    [campaign_id, JSON.stringify(draws), tx.now],
  )
}

/** Drafts of draws are replaced as a whole. */
export async function deleteDraftDraws(tx: Tx, campaign_id: string): Promise<void> {
  await tx.rows(`delete from raffle_draws where raffle_campaign_id = $1 and draw_status = 'draft'`, [
    campaign_id,
  ])
}

/** What a draw's row says of it, in the words of the raffle. */
export async function mirrorDraw(
  tx: Tx,
  id: string,
  is: {
    draw_status: DrawStatus
    frozen_at: Date | null
    total_tickets: number
    draw_results: Record<string, unknown> | null
  },
): Promise<void> {
  await tx.rows(
    `update raffle_draws set draw_status = $2, frozen_at = $3, total_tickets = $4, draw_results = $5, updated_at = $6,
            row_version = row_version + 1
     where id = $1`,
    [
      id,
      is.draw_status,
      is.frozen_at,
      is.total_tickets,
      is.draw_results && JSON.stringify(is.draw_results),
      tx.now,
    ],
  )
}

export type PurchaseRow = {
  id: string
  raffle_campaign_id: string
  user_id: string
  request_id: string
  request_hash: string
  purchase_status: 'reserved' | 'done' | 'refunded' | 'released'
  via: string
  policy_id: string | null
  quantity: number
  amount_minor: number
  numbers: number[]
  client_entropy: string | null
  reserved_until: Date | null
  transfer_id: string | null
  answer: string | null
  paid_answer: string | null
  created_at: Date
}

const PURCHASE = `select id, raffle_campaign_id, user_id, request_id, request_hash, purchase_status, via, policy_id, quantity, amount_minor,
    numbers, client_entropy, reserved_until, transfer_id, answer, paid_answer, created_at from raffle_purchases`

/** What these requests led to already. */
export function loadPurchasesByRequest(
  tx: Tx,
  requests: readonly { campaign_id: string; user_id: string; request_id: string }[],
) {
  return tx.rows<PurchaseRow>(
    `${PURCHASE} where (raffle_campaign_id, user_id, request_id) in (select * from unnest($1::uuid[], $2::text[], $3::text[]))`,
    [
      requests.map((each) => each.campaign_id),
      requests.map((each) => each.user_id),
      requests.map((each) => each.request_id),
    ],
    'raffle_purchases_by_request',
  )
}

export function loadPurchase(tx: Tx, id: string) {
  return tx.one<PurchaseRow>(`${PURCHASE} where id = $1`, [id])
}

export function loadPurchaseForUpdate(tx: Tx, id: string) {
  return tx.one<PurchaseRow>(`${PURCHASE} where id = $1 for no key update`, [id])
}

export type NewPurchase = Omit<PurchaseRow, 'created_at'>

/** Purchases as they are decided on; a reservation that is paid is there already and becomes done. */
export async function putPurchases(tx: Tx, purchases: readonly NewPurchase[]): Promise<void> {
  await tx.rows(
    `insert into raffle_purchases (id, raffle_campaign_id, user_id, request_id, request_hash, purchase_status, via, policy_id,
       quantity, amount_minor, numbers, client_entropy, reserved_until, transfer_id, answer, paid_answer, created_at, updated_at)
     select r.id, r.raffle_campaign_id, r.user_id, r.request_id, r.request_hash, r.purchase_status, r.via, r.policy_id, r.quantity,
            r.amount_minor, r.numbers, r.client_entropy, r.reserved_until, r.transfer_id, r.answer, r.paid_answer, $2, $2
     from json_to_recordset($1::json) as r(id uuid, raffle_campaign_id uuid, user_id text, request_id text, request_hash text,
       purchase_status text, via text, policy_id uuid, quantity int, amount_minor bigint, numbers int[], client_entropy text,
       reserved_until timestamptz, transfer_id uuid, answer text, paid_answer text)
     on conflict (tenant_id, id) do update set purchase_status = excluded.purchase_status, transfer_id = excluded.transfer_id,
       amount_minor = excluded.amount_minor, answer = excluded.answer, paid_answer = excluded.paid_answer, updated_at = excluded.updated_at,
       row_version = raffle_purchases.row_version + 1`,
    [JSON.stringify(purchases), tx.now],
    'raffle_put_purchases',
  )
}

export async function endPurchase(
  tx: Tx,
  id: string,
  status: 'refunded' | 'released',
  reason: string | null,
): Promise<void> {
  await tx.rows(
    `update raffle_purchases set purchase_status = $2::text, refund_reason = $3,
            refunded_at = case when $2::text = 'refunded' then $4::timestamptz end, updated_at = $4, row_version = row_version + 1
     where id = $1`,
    [id, status, reason, tx.now],
  )
}

/** Done purchases of a campaign, the first so many. */
export function loadPurchasesToRefund(tx: Tx, campaign_id: string, limit: number) {
  return tx.rows<PurchaseRow>(
    `${PURCHASE} where raffle_campaign_id = $1 and purchase_status = 'done' order by id limit $2 for no key update`,
    [campaign_id, limit],
  )
}

/** Reservations whose time is over, of one campaign. */
export function loadOverdueReservations(tx: Tx, campaign_id: string) {
  return tx.rows<PurchaseRow>(
    `${PURCHASE} where raffle_campaign_id = $1 and purchase_status = 'reserved' and reserved_until <= $2 order by id for no key update`,
    [campaign_id, tx.now],
    'raffle_overdue_reservations',
  )
}

/** Campaigns with reservations, or with winners, whose time is over. */
export function loadOverdue(tx: Tx) {
  return tx.rows<{ campaign_id: string; what: 'reservation' | 'claim' | 'refund' | 'lost' }>(
    `select raffle_campaign_id as campaign_id, 'reservation' as what from raffle_purchases
     where purchase_status = 'reserved' and reserved_until <= $1 group by 1
     union all
     select d.raffle_campaign_id, 'claim' from raffle_winners w join raffle_draws d on d.id = w.raffle_draw_id
     where w.winner_status in ('announced', 'contacted') and w.claim_until <= $1 group by 1
     union all
     select c.id, 'refund' from raffle_campaigns c
     where c.campaign_status = 'cancelled'
       and exists (select from raffle_purchases p where p.raffle_campaign_id = c.id and p.purchase_status = 'done')
     union all
     select c.id, 'lost' from raffle_campaigns c
     where c.campaign_status = 'settled'
       and exists (select from raffle_tickets t where t.raffle_campaign_id = c.id and t.ticket_status = 'active')`,
    [tx.now],
    'raffle_overdue',
  )
}

/** Of these numbers of a campaign: those that are given out, or held for a purchase other than this one. */
export async function loadTakenNumbers(
  tx: Tx,
  campaign_id: string,
  numbers: readonly number[],
): Promise<{ number: number; purchase_id: string | null }[]> {
  return tx.rows(
    `select ticket_number::int as number, null::uuid as purchase_id from raffle_tickets
     where raffle_campaign_id = $1 and ticket_number = any($2::text[])
     union all
     select number, purchase_id from raffle_held_numbers where raffle_campaign_id = $1 and number = any($3::int[])`,
    [campaign_id, numbers.map(String), numbers],
    'raffle_taken_numbers',
  )
}

export async function countHeld(tx: Tx, campaign_id: string): Promise<number> {
  const row = await tx.one<{ held: number }>(
    'select count(*)::int as held from raffle_held_numbers where raffle_campaign_id = $1',
    [campaign_id],
    'raffle_held',
  )
  return row!.held
}

export async function insertHeldNumbers(
  tx: Tx,
  rows: readonly { campaign_id: string; number: number; purchase_id: string }[],
): Promise<void> {
  await tx.rows(
    `insert into raffle_held_numbers (raffle_campaign_id, number, purchase_id)
     select * from unnest($1::uuid[], $2::int[], $3::uuid[])`,
    [rows.map((row) => row.campaign_id), rows.map((row) => row.number), rows.map((row) => row.purchase_id)],
    'raffle_hold',
  )
}

export async function deleteHeldNumbers(tx: Tx, purchase_ids: readonly string[]): Promise<void> {
  await tx.rows(
    'delete from raffle_held_numbers where purchase_id = any($1::uuid[])',
    [purchase_ids],
    'raffle_unhold',
  )
}

/** How many tickets these users have, or hold, in a campaign. */
export function loadTicketCounts(tx: Tx, campaign_id: string, user_ids: readonly string[]) {
  return tx.rows<{ user_id: string; tickets: number }>(
    `select user_id, sum(quantity)::int as tickets from raffle_purchases
     where raffle_campaign_id = $1 and user_id = any($2::text[]) and purchase_status in ('done', 'reserved') group by user_id`,
    [campaign_id, user_ids],
    'raffle_ticket_counts',
  )
}

export type TicketRow = {
  id: string
  raffle_campaign_id: string
  user_id: string
  ticket_number: string
  ticket_status: 'active' | 'won' | 'lost' | 'refunded'
  ticket_purchased_at: Date
  purchase_id: string
  via: string
}

export async function insertTickets(
  tx: Tx,
  tickets: readonly Omit<TicketRow, 'ticket_status' | 'ticket_purchased_at'>[],
): Promise<void> {
  await tx.rows(
    `insert into raffle_tickets (id, raffle_campaign_id, user_id, ticket_number, ticket_purchased_at, purchase_id, via, created_at, updated_at)
     select r.id, r.campaign_id, r.user_id, r.number, $7, r.purchase_id, r.via, $7, $7
     from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[])
          as r(id, campaign_id, user_id, number, purchase_id, via)`,
    [
      tickets.map((each) => each.id),
      tickets.map((each) => each.raffle_campaign_id),
      tickets.map((each) => each.user_id),
      tickets.map((each) => each.ticket_number),
      tickets.map((each) => each.purchase_id),
      tickets.map((each) => each.via),
      tx.now,
    ],
    'raffle_insert_tickets',
  )
}

const TICKET = `select t.id, t.raffle_campaign_id, t.user_id, t.ticket_number, t.ticket_status, t.ticket_purchased_at, t.purchase_id, t.via`

/** Tickets by id. */
export function loadTickets(tx: Tx, ids: readonly string[]) {
  return tx.rows<TicketRow>(
    `${TICKET} from raffle_tickets t where t.id = any($1::uuid[])`,
    [ids],
    'raffle_tickets',
  )
}

export type OwnTicketRow = TicketRow & {
  entry_index: number | null
  leaf: string | null
  entrant_salt: string | null
}

/** A page of a user's tickets, newest first, each with its entry in the first draw. */
export function loadOwnTickets(
  tx: Tx,
  campaign_id: string,
  user_id: string,
  before: string | null,
  limit: number,
) {
  return tx.rows<OwnTicketRow>(
    `${TICKET}, e.entry_index, e.leaf, n.entrant_salt
     from raffle_tickets t join raffle_campaigns c on c.id = t.raffle_campaign_id
     left join draw_entries e on e.draw_id = c.first_draw_id and e.ref_id = t.id
     left join draw_entrants n on n.draw_id = c.first_draw_id and n.user_id = t.user_id
     where t.raffle_campaign_id = $1 and t.user_id = $2 and ($3::uuid is null or t.id < $3) order by t.id desc limit $4`,
    [campaign_id, user_id, before, limit],
  )
}

/** The numbers that are given out or held, of a window of numbers: what a wall of tickets shows. */
export function loadNumbers(tx: Tx, campaign_id: string, from: number, to: number) {
  return tx.rows<{ number: number; is_held: boolean }>(
    `select ticket_number::int as number, false as is_held from raffle_tickets
     where raffle_campaign_id = $1 and ticket_number = any(array(select n::text from generate_series($2::int, $3::int) n))
     union all
     select number, true from raffle_held_numbers where raffle_campaign_id = $1 and number between $2 and $3
     order by 1`,
    [campaign_id, from, to],
  )
}

/** Marks the tickets of a purchase as given back; returns how many stood. */
export async function refundTickets(tx: Tx, purchase_id: string): Promise<number> {
  const rows = await tx.rows(
    `update raffle_tickets set ticket_status = 'refunded', updated_at = $2, row_version = row_version + 1
     where purchase_id = $1 and ticket_status = 'active' returning 1`,
    [purchase_id, tx.now],
  )
  return rows.length
}

export async function markTickets(tx: Tx, ids: readonly string[], status: 'won' | 'lost'): Promise<void> {
  await tx.rows(
    `update raffle_tickets set ticket_status = $2, updated_at = $3, row_version = row_version + 1
     where id = any($1::uuid[]) and ticket_status <> 'refunded' and ticket_status <> $2`,
    [ids, status, tx.now],
  )
}

/** When everything of a campaign is over: whoever has not won has lost. A slice at a time; returns how many. */
export async function markLost(tx: Tx, campaign_id: string, limit: number): Promise<number> {
  const rows = await tx.rows(
    `update raffle_tickets set ticket_status = 'lost', updated_at = $2, row_version = row_version + 1
     where id in (select id from raffle_tickets where raffle_campaign_id = $1 and ticket_status = 'active' limit $3) returning 1`,
    [campaign_id, tx.now, limit],
  )
  return rows.length
}

/**
 * The next entries of a list that is made from another one, in its order: tickets that stand, but those that are left
 * out, and one per user where people win.
 */
export function loadListToCopy(
  tx: Tx,
  source: {
    draw_id: string
    after: number
    limit: number
    without_tickets: readonly string[]
    without_users: readonly string[]
  },
) {
  return tx.rows<{
    entry_index: number
    user_id: string
    ref_id: string
    ticket_number: string
    via: string
    is_on: boolean
  }>(
    `select e.entry_index, e.user_id, e.ref_id, t.ticket_number, t.via,
            t.ticket_status <> 'refunded' and not (e.ref_id = any($4::uuid[])) and not (e.user_id = any($5::text[])) as is_on
     from draw_entries e join raffle_tickets t on t.id = e.ref_id
     where e.draw_id = $1 and e.entry_index > $2 order by e.entry_index limit $3`,
    [source.draw_id, source.after, source.limit, source.without_tickets, source.without_users],
  )
}

export type WinnerStatus = 'announced' | 'contacted' | 'claimed' | 'delivered' | 'alternate' | 'forfeited'
export type EndedAs = 'declined' | 'forfeited' | 'replaced' | 'refunded'

export type RaffleWinnerRow = {
  id: string
  raffle_draw_id: string
  place: number
  raffle_ticket_id: string
  user_id: string
  winner_status: WinnerStatus
  ended_as: EndedAs | null
  prize_place: number | null
  prize_id: number | null
  prize_type: string | null
  prize_amount: string | null
  play_id: number | null
  prize_note: string | null
  winner_announced_at: Date | null
  contacted_at: Date | null
  contact_count: number
  claimed_at: Date | null
  delivered_at: Date | null
  ended_at: Date | null
  claim_until: Date | null
  row_version: number
}

const WINNER = `select w.id, w.raffle_draw_id, w.place, w.raffle_ticket_id, w.user_id, w.winner_status, w.ended_as, w.prize_place, w.prize_id,
    w.prize_type, w.prize_amount, w.play_id, w.prize_note, w.winner_announced_at, w.contacted_at, w.contact_count, w.claimed_at,
    w.delivered_at, w.ended_at, w.claim_until, w.row_version from raffle_winners w`

/** Of one draw, in order of places. The lock of the draw's row comes before. */
export function loadRaffleWinners(tx: Tx, draw_id: string) {
  return tx.rows<RaffleWinnerRow>(`${WINNER} where w.raffle_draw_id = $1 order by w.place`, [draw_id])
}

/** Who stands for a prize, in all draws of a campaign. */
export function loadStanding(tx: Tx, campaign_id: string) {
  return tx.rows<RaffleWinnerRow>(
    `${WINNER} join raffle_draws d on d.id = w.raffle_draw_id
     where d.raffle_campaign_id = $1 and w.winner_status not in ('alternate', 'forfeited') order by d.draw_order, w.place`,
    [campaign_id],
  )
}

/** Everybody who ever had a place in these draws, alternates that were never asked left out. */
export function loadEverPlaced(tx: Tx, draw_ids: readonly string[]) {
  return tx.rows<{ user_id: string; raffle_ticket_id: string }>(
    `select user_id, raffle_ticket_id from raffle_winners where raffle_draw_id = any($1::uuid[]) and winner_status <> 'alternate'`,
    [draw_ids],
  )
}

export type NewRaffleWinner = Pick<
  RaffleWinnerRow,
  | 'id'
  | 'place'
  | 'raffle_ticket_id'
  | 'user_id'
  | 'winner_status'
  | 'ended_as'
  | 'prize_place'
  | 'prize_id'
  | 'prize_type'
  | 'prize_amount'
> & { announced_at: Date | null; ended_at: Date | null; claim_until: Date | null }

export async function insertRaffleWinners(
  tx: Tx,
  draw_id: string,
  winners: readonly NewRaffleWinner[],
): Promise<void> {
  await tx.rows(
    `insert into raffle_winners (id, raffle_draw_id, place, raffle_ticket_id, user_id, winner_status, ended_as, prize_place, prize_id,
       prize_type, prize_amount, winner_announced_at, ended_at, claim_until, created_at, updated_at)
     select r.id, $1, r.place, r.raffle_ticket_id, r.user_id, r.winner_status, r.ended_as, r.prize_place, r.prize_id, r.prize_type,
            r.prize_amount::numeric, r.announced_at, r.ended_at, r.claim_until, $3, $3
     from json_to_recordset($2::json) as r(id uuid, place int, raffle_ticket_id uuid, user_id text, winner_status text, ended_as text,
       prize_place int, prize_id bigint, prize_type text, prize_amount text, announced_at timestamptz, ended_at timestamptz,
       claim_until timestamptz)`,
    [draw_id, JSON.stringify(winners), tx.now],
  )
}

/** Who moves winners in this transaction, and why: their history reads it. */
export async function sayWhoMoves(tx: Tx, by: string, why: string | null): Promise<void> {
  await tx.rows(`select set_config('app.moved_by', $1, true), set_config('app.moved_why', $2, true)`, [
    by,
    why ?? '',
  ])
}

export type WinnerChange = Partial<
  Pick<
    RaffleWinnerRow,
    | 'winner_status'
    | 'ended_as'
    | 'prize_place'
    | 'prize_id'
    | 'prize_type'
    | 'prize_amount'
    | 'play_id'
    | 'prize_note'
    | 'winner_announced_at'
    | 'contacted_at'
    | 'contact_count'
    | 'claimed_at'
    | 'delivered_at'
    | 'ended_at'
    | 'claim_until'
  >
>

/** Changes what is named and leaves the rest. The caller holds the lock of the draw. */
export async function updateWinner(tx: Tx, id: string, change: WinnerChange): Promise<void> {
  const entries = Object.entries(change)
  await tx.rows(
    `update raffle_winners set ${entries.map(([name], i) => `${name} = $${i + 3}`).join(', ')}, updated_at = $2,
            row_version = row_version + 1
     where id = $1`,
    [id, tx.now, ...entries.map(([, value]) => value)],
  )
}

/** The steps of winners of a draw in the order in which they were made. */
export function loadWinnerHistory(tx: Tx, draw_id: string) {
  return tx.rows<{
    place: number
    from_status: string | null
    to_status: string
    ended_as: string | null
    moved_at: Date
    moved_by: string
    why: string | null
  }>(
    `select w.place, h.from_status, h.to_status, h.ended_as, h.moved_at, h.moved_by, h.why
     from raffle_winner_history h join raffle_winners w on w.id = h.winner_id
     where w.raffle_draw_id = $1 order by h.id`,
    [draw_id],
  )
}

/** Draws of a campaign with winners whose time to claim is over. */
export async function loadOverdueClaims(tx: Tx, campaign_id: string): Promise<string[]> {
  const rows = await tx.rows<{ id: string }>(
    `select distinct d.id from raffle_winners w join raffle_draws d on d.id = w.raffle_draw_id
     where d.raffle_campaign_id = $1 and w.winner_status in ('announced', 'contacted') and w.claim_until <= $2`,
    [campaign_id, tx.now],
  )
  return rows.map((row) => row.id)
}

export type InstantWinRow = {
  number: number
  prize_id: number
  ticket_id: string | null
  user_id: string | null
  won_at: Date | null
}

export async function insertInstantWins(
  tx: Tx,
  campaign_id: string,
  wins: readonly { number: number; prize_id: number }[],
): Promise<void> {
  await tx.rows(
    `insert into raffle_instant_wins (raffle_campaign_id, number, prize_id) select $1, * from unnest($2::int[], $3::bigint[])`,
    [campaign_id, wins.map((win) => win.number), wins.map((win) => win.prize_id)],
  )
}

/** Of these numbers, those that win at once. */
export function loadInstantWins(tx: Tx, campaign_id: string, numbers: readonly number[]) {
  return tx.rows<InstantWinRow>(
    `select number, prize_id, ticket_id, user_id, won_at from raffle_instant_wins
     where raffle_campaign_id = $1 and number = any($2::int[]) and ticket_id is null order by number for update`,
    [campaign_id, numbers],
    'raffle_instant_wins',
  )
}

export function loadAllInstantWins(tx: Tx, campaign_id: string) {
  return tx.rows<InstantWinRow>(
    `select number, prize_id, ticket_id, user_id, won_at from raffle_instant_wins where raffle_campaign_id = $1 order by number`,
    [campaign_id],
  )
}

export async function takeInstantWins(
  tx: Tx,
  campaign_id: string,
  wins: readonly { number: number; ticket_id: string; user_id: string; play_id: number | null }[],
): Promise<void> {
  await tx.rows(
    `update raffle_instant_wins i set ticket_id = r.ticket_id, user_id = r.user_id, play_id = r.play_id, won_at = $3
     from json_to_recordset($2::json) as r(number int, ticket_id uuid, user_id text, play_id bigint)
     where i.raffle_campaign_id = $1 and i.number = r.number and i.ticket_id is null`,
    [campaign_id, JSON.stringify(wins), tx.now],
  )
}

/** The wallet's game of a raffle; made when it is published. */
export async function putWalletGame(tx: Tx, campaign: { id: string; campaign_name: string }): Promise<void> {
  await tx.rows(
    `insert into gamification_games (game_name, game_type, raffle_campaign_id, created_at, updated_at) values ($1, 'raffle', $2, $3, $3)
     on conflict (tenant_id, raffle_campaign_id) do nothing`,
    [campaign.campaign_name, campaign.id, tx.now],
  )
}

export async function loadWalletGame(tx: Tx, campaign_id: string): Promise<number> {
  const row = await tx.one<{ id: number }>(
    'select id from gamification_games where raffle_campaign_id = $1',
    [campaign_id],
  )
  return row!.id
}

export type PrizeFacts = { id: number; name: string; type: string; value: string | null; cost_minor: number }

/** Definitions that can be promised. */
export function loadPrizeFacts(tx: Tx, ids: readonly number[]) {
  return tx.rows<PrizeFacts>(
    'select id, name, type, value, cost_minor from gamification_prizes where id = any($1::bigint[]) and is_active and deleted_at is null',
    [ids],
  )
}

/** Takes back a prize that was given out and not used yet; true when there was one. */
export async function expirePlay(tx: Tx, play_id: number, why: string) {
  await tx.rows(`select set_config('app.prize_by', $1, true), set_config('app.prize_why', $2, true)`, [
    tx.actor.userId,
    why,
  ])
  const before = await tx.one<{ uuid: string; prize_status: string }>(
    'select uuid, prize_status from gamification_game_plays where id = $1 for update',
    [play_id],
  )
  if (before === undefined || !['locked', 'unlocked'].includes(before.prize_status)) return undefined
  await tx.rows(
    `update gamification_game_plays set prize_status = 'expired', updated_at = $2, row_version = row_version + 1 where id = $1`,
    [play_id, tx.now],
  )
  return before
}

export type PolicyRow = {
  id: string
  policy_name: string
  allocation_policy: string
  policy_config: Record<string, unknown>
}

export function loadPolicy(tx: Tx, id: string) {
  return tx.one<PolicyRow>(
    'select id, policy_name, allocation_policy, policy_config from raffle_ticket_allocation_policies where id = $1 and is_active',
    [id],
  )
}

/** What a policy gave these users in a campaign, in all and since an instant. */
export function loadGiven(
  tx: Tx,
  campaign_id: string,
  policy_id: string,
  user_ids: readonly string[],
  since: Date,
) {
  return tx.rows<{ user_id: string; given: number; given_today: number }>(
    `select user_id, sum(quantity)::int as given, coalesce(sum(quantity) filter (where created_at >= $4), 0)::int as given_today
     from raffle_purchases where raffle_campaign_id = $1 and policy_id = $2 and user_id = any($3::text[]) and purchase_status = 'done'
     group by user_id`,
    [campaign_id, policy_id, user_ids, since],
  )
}

/** The last prize that a user stood for in any raffle of the tenant. */
export function loadLastWin(tx: Tx, user_id: string) {
  return tx.one<{ won_at: Date; cost_minor: number }>(
    `select w.winner_announced_at as won_at, coalesce(p.cost_minor, 0) as cost_minor
     from raffle_winners w left join gamification_prizes p on p.id = w.prize_id
     where w.user_id = $1 and w.winner_status not in ('alternate', 'forfeited') order by w.winner_announced_at desc limit 1`,
    [user_id],
  )
}

export async function loadTimeZone(tx: Tx): Promise<string> {
  return (await tx.one<{ time_zone: string }>('select time_zone from tenants'))!.time_zone
}

export function loadConfiguration(tx: Tx, ref: string) {
  return tx.one<{ config_name: string; config_values: Record<string, unknown> }>(
    `select config_name, config_values from raffle_configurations where config_name = $1 and is_active`,
    [ref],
  )
}

/** What was paid for tickets that were not given back. */
export async function loadRevenue(tx: Tx, campaign_id: string): Promise<number> {
  const row = await tx.one<{ amount_minor: number }>(
    `select coalesce(sum(amount_minor), 0)::bigint as amount_minor from raffle_purchases
     where raffle_campaign_id = $1 and purchase_status = 'done' and transfer_id is not null`,
    [campaign_id],
  )
  return row!.amount_minor
}

/** Whether a ticket of a purchase won at once. */
export async function hasInstantWin(tx: Tx, purchase_id: string): Promise<boolean> {
  const row = await tx.one<{ won: boolean }>(
    `select exists (select from raffle_instant_wins i join raffle_tickets t on t.id = i.ticket_id where t.purchase_id = $1) as won`,
    [purchase_id],
  )
  return row!.won
}

/** The last redraw number of a draw, for its name. */
export async function countRedraws(tx: Tx, draw_id: string): Promise<number> {
  const row = await tx.one<{ count: number }>(
    'select count(*)::int as count from raffle_draws where redraw_of = $1',
    [draw_id],
  )
  return row!.count
}

export async function loadPlayStatus(tx: Tx, play_id: number): Promise<string | undefined> {
  const row = await tx.one<{ prize_status: string }>(
    'select prize_status from gamification_game_plays where id = $1',
    [play_id],
  )
  return row?.prize_status
}

export async function loadTenantCurrency(tx: Tx): Promise<string> {
  return (await tx.one<{ currency: string }>('select currency from tenants'))!.currency
}

/** What a request was answered with, if it was. */
export async function loadAnswered(
  tx: Tx,
  campaign_id: string,
  user_id: string,
  request_id: string,
): Promise<string | undefined> {
  const row = await tx.one<{ answer: string }>(
    'select answer from raffle_purchases where raffle_campaign_id = $1 and user_id = $2 and request_id = $3 and answer is not null',
    [campaign_id, user_id, request_id],
  )
  return row?.answer
}
