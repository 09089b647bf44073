/** Statements over prize definitions, and over the plays of a wallet. */
import type { Tx } from '../db/tx.ts'

/**
 * Counts the wins of a prize that had no stock, for which nobody kept count, and keeps the number. The caller holds
 * the row `for update`, which waits for every win that is being written. Returns it.
 */
export async function recountWins(tx: Tx, id: number): Promise<number> {
  const row = await tx.one<{ won_count: number }>(
    `update gamification_prizes
     set won_count = (select count(*) from gamification_game_plays where prize_id = $1 and is_winner and bundle_play_id is null)
                   + (select count(*) from mystery_results where prize_id = $1)
     where id = $1 returning won_count`,
    [id],
  )
  return row!.won_count
}

/** True while an active wheel or a mystery has this prize. */
export async function isPrizeInUse(tx: Tx, id: number): Promise<boolean> {
  const row = await tx.one<{ used: boolean }>(
    `select exists (select 1 from wheel_rewards r join wheel_games w on w.id = r.wheel_game_id
                    where r.prize_id = $1 and r.is_active and w.is_active)
         or exists (select 1 from gamification_prizes p
                    where p.deleted_at is null and p.pool @> jsonb_build_array(jsonb_build_object('prize_id', $1::bigint))) as used`,
    [id],
  )
  return row!.used
}

/** What amounts and hours of this tenant mean, and its newest wallet policy as it is stored: null and 0 without any. */
export type TermsRow = { currency: string; time_zone: string; policy: unknown; policy_version: number }

export async function loadTerms(tx: Tx): Promise<TermsRow> {
  const row = await tx.one<TermsRow>(
    `select t.currency, t.time_zone, p.policy, coalesce(p.version, 0) as policy_version
     from tenants t left join lateral (select version, policy from wallet_policies order by version desc limit 1) p on true`,
    [],
    'load_terms',
  )
  return row!
}

/** The currency of this tenant, which nobody changes until the end of the transaction. */
export async function holdCurrency(tx: Tx): Promise<string> {
  const row = await tx.one<{ currency: string }>(
    'select currency from tenants for key share',
    [],
    'hold_currency',
  )
  return row!.currency
}

/** A play with its prize as it was issued, and the game it was won in. */
export type PlayRow = {
  id: number
  uuid: string
  user_id: string
  game_name: string
  game_type: string
  is_winner: boolean
  prize_code: string | null
  prize_status: 'locked' | 'unlocked' | 'applied' | 'expired' | null
  prize_snapshot: Record<string, any> | null
  unlocked_at: Date | null
  expires_at: Date | null
  grace_hours: number
  created_at: Date
  applied_at: Date | null
  /** The order's id as text. */
  applied_to_order_id: string | null
  /** Who won it, once somebody else has it. */
  won_by: string | null
  /** What binds the prize, lapsed holds included: the rules compare the time. */
  restraints: RestraintRow[]
}

/** A hold, a review, or the escrow of a deal, as JSON: `until` is text, null without an end; `order_id` is of holds. */
export type RestraintRow = {
  kind: 'hold' | 'review' | 'gift' | 'trade' | 'listing'
  order_id: string | null
  until: string | null
}

/** Columns of a PlayRow, of play `p` and game `g`. */
export const PLAY = `p.id, p.uuid, p.user_id, g.game_name, g.game_type, p.is_winner, p.prize_code, p.prize_status, p.prize_snapshot,
  p.unlocked_at, p.expires_at, p.grace_hours, p.created_at, p.applied_at, p.applied_to_order_id, p.won_by,
  (select coalesce(json_agg(r), '[]') from (
     select 'hold' as kind, h.order_id, h.held_until as until from prize_holds h where h.play_id = p.id
     union all select 'review', null, null from prize_reviews v where v.play_id = p.id and v.decision is distinct from 'released'
     union all select p.escrow_kind, null, p.escrow_until where p.escrow_id is not null
   ) r) as restraints`

/**
 * The chance event of play `p` in game `g` that anybody can verify: what a mystery was drawn by, the spin, or the draw;
 * null where nothing was drawn, as with a grant.
 */
export const PROOF_ID = `coalesce((p.prize_snapshot->'mystery'->>'event_id')::uuid,
  case when g.wheel_game_id is not null then p.event_id
       when p.game_data->>'draw_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
       then (select d.id from draws d where d.id = (p.game_data->>'draw_id')::uuid) end)`

/** What a prize is at $2, whether or not the sweep has been there: the rule of isPastDeadline. */
const STATUS_NOW = `case when p.prize_status in ('locked', 'unlocked') and p.expires_at + make_interval(hours => p.grace_hours) < $2
  then 'expired' else p.prize_status end`

/** Which prizes of a user: `status` null is every one. */
export type PageRequest = { user_id: string; status: string | null; limit: number; offset: number }

/** Pages of users' prizes, newest first. `request` is the place of the request in the list, from 1. */
export function loadPrizePages(tx: Tx, requests: readonly PageRequest[]) {
  return tx.rows<PlayRow & { request: number }>(
    `select r.request::int, ${PLAY}
     from unnest($1::text[], $3::text[], $4::int[], $5::int[]) with ordinality as r(user_id, status, page_limit, page_offset, request)
     cross join lateral (
       select * from gamification_game_plays p
       where p.user_id = r.user_id and p.is_winner and (r.status is null or ${STATUS_NOW} = r.status)
       order by p.created_at desc, p.id desc limit r.page_limit offset r.page_offset
     ) p
     join gamification_games g on g.id = p.game_id
     order by r.request, p.created_at desc, p.id desc`,
    [
      requests.map(({ user_id }) => user_id),
      tx.now,
      requests.map(({ status }) => status),
      requests.map(({ limit }) => limit),
      requests.map(({ offset }) => offset),
    ],
    'load_prize_pages',
  )
}

/** What a user has, and when the clock alone will change it; null is never. */
export type PrizeCounts = {
  version: number
  unread: number
  locked: number
  unlocked: number
  applied: number
  expired: number
  changes_at: Date | null
}

/** Of whoever has no row: nothing was won yet. */
const NO_PRIZES: PrizeCounts = {
  version: 0,
  unread: 0,
  locked: 0,
  unlocked: 0,
  applied: 0,
  expired: 0,
  changes_at: null,
}

/**
 * How many prizes of each status these users have, from the rows that the triggers of migrations/0009_insight.sql keep. Only
 * when a deadline has passed and the sweep has not been there yet are the live ones looked at.
 */
export async function loadPrizeCountsOf(
  tx: Tx,
  user_ids: readonly string[],
): Promise<(user_id: string) => PrizeCounts> {
  const rows = await tx.rows<PrizeCounts & { user_id: string }>(
    `select h.user_id, h.version, h.unread_count as unread, h.locked_count - o.locked as locked, h.unlocked_count - o.unlocked as unlocked,
            h.applied_count as applied, h.expired_count + o.locked + o.unlocked as expired,
            case when h.next_deadline < $2 then o.next_deadline else h.next_deadline end as changes_at
     from inbox_heads h
     cross join lateral (
       select count(*) filter (where deadline < $2 and prize_status = 'locked')::int as locked,
              count(*) filter (where deadline < $2 and prize_status = 'unlocked')::int as unlocked,
              min(deadline) filter (where deadline >= $2) as next_deadline
       from (select p.prize_status, p.expires_at + make_interval(hours => p.grace_hours) as deadline
             from gamification_game_plays p
             where h.next_deadline < $2 and p.user_id = h.user_id and p.is_winner and p.prize_status in ('locked', 'unlocked')) live
     ) o
     where h.user_id = any($1)`,
    [user_ids, tx.now],
    'load_prize_counts',
  )
  const counts = new Map(rows.map(({ user_id, ...row }) => [user_id, row]))
  return (user_id) => counts.get(user_id) ?? NO_PRIZES
}

/** The same for one. */
export async function loadPrizeCounts(tx: Tx, user_id: string): Promise<PrizeCounts> {
  return (await loadPrizeCountsOf(tx, [user_id]))(user_id)
}

/** The prizes of a user that moved last, newest move first. */
export function loadMovedPrizes(tx: Tx, user_id: string, limit: number) {
  return tx.rows<PlayRow & { row_version: number }>(
    `select ${PLAY}, p.row_version from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.user_id = $1 and p.is_winner order by p.updated_at desc, p.id desc limit $2`,
    [user_id, limit],
    'load_moved_prizes',
  )
}

/** A play, of this user or with null of anybody. */
export function loadPlay(tx: Tx, id: number, user_id: string | null) {
  return tx.one<PlayRow>(
    `select ${PLAY} from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.id = $1 and ($2::text is null or p.user_id = $2)`,
    [id, user_id],
    'load_play',
  )
}

/** Plays by their ids, of this user or with null of anybody, in the order of the ids. */
export function loadPlays(tx: Tx, ids: readonly number[], user_id: string | null) {
  return tx.rows<PlayRow>(
    `select ${PLAY} from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.id = any($1) and ($2::text is null or p.user_id = $2) order by p.id`,
    [ids, user_id],
    'load_plays',
  )
}

/**
 * Locks plays until the end of the transaction, in the order of their ids. They are read after it, by a statement of
 * its own: one that waited for the lock would still see the holds of before.
 */
export async function lockPlays(tx: Tx, ids: readonly number[], user_id: string | null): Promise<void> {
  await tx.rows(
    `select id from gamification_game_plays
     where id = any($1) and ($2::text is null or user_id = $2) order by id for no key update`,
    [ids, user_id],
    'lock_plays',
  )
}

/** The prize with one of these codes as they are stored, the longest first, of this user or with null of anybody. */
export function loadPlayByCode(tx: Tx, prize_codes: readonly string[], user_id: string | null) {
  return tx.one<PlayRow>(
    `select ${PLAY} from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.prize_code = any($1) and ($2::text is null or p.user_id = $2)
     order by length(p.prize_code) desc limit 1`,
    [prize_codes, user_id],
    'load_play_by_code',
  )
}

/** Says for the rest of the transaction who moves prizes and why: the history's trigger writes it down. */
export async function sayMove(tx: Tx, why: string): Promise<void> {
  await tx.rows(
    `select set_config('app.prize_by', $1, true), set_config('app.prize_why', $2, true)`,
    [tx.actor.userId, why],
    'say_move',
  )
}

/** Unlocks a play that is locked by us. Never before it was won, also where two processes' clocks differ. */
export async function unlockPlay(tx: Tx, id: number): Promise<Date> {
  const row = await tx.one<{ unlocked_at: Date }>(
    `update gamification_game_plays
     set prize_status = 'unlocked', unlocked_at = greatest(created_at, $2), updated_at = $2,
         -- What staff has to send cannot run out while it waits for them.
         expires_at = case when prize_snapshot->>'type' = 'digital' then null else expires_at end, row_version = row_version + 1
     where id = $1 returning unlocked_at`,
    [id, tx.now],
    'unlock_play',
  )
  return row!.unlocked_at
}
