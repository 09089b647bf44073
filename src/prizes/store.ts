/** Statements over prize definitions, and over the wallet. */
import type { Tx } from '../db/tx.ts'

/**
 * Counts the wins of a prize that had no stock, for which nobody kept count, and keeps the number. The caller holds
 * the row `for update`, which waits for every win that is being written. Returns it.
 */
export async function recountWins(tx: Tx, id: number): Promise<number> {
  const row = await tx.one<{ won_count: number }>(
    `update gamification_prizes
     set won_count = (select count(*) from gamification_game_plays where prize_id = $1 and is_winner)
     where id = $1 returning won_count`,
    [id],
  )
  return row!.won_count
}

/** True while an active wheel has a reward with this prize. */
export async function isPrizeInUse(tx: Tx, id: number): Promise<boolean> {
  const row = await tx.one<{ used: boolean }>(
    `select exists (select 1 from wheel_rewards r join wheel_games w on w.id = r.wheel_game_id
                    where r.prize_id = $1 and r.is_active and w.is_active) as used`,
    [id],
  )
  return row!.used
}

/** What amounts and hours of this tenant mean. */
export type Terms = { currency: string; time_zone: string }

export async function loadTerms(tx: Tx): Promise<Terms> {
  const row = await tx.one<Terms>('select currency, time_zone from tenants', [], 'load_terms')
  return row!
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
}

const PLAY = `p.id, p.uuid, p.user_id, g.game_name, g.game_type, p.is_winner, p.prize_code, p.prize_status, p.prize_snapshot,
  p.unlocked_at, p.expires_at, p.grace_hours, p.created_at`

/** What a prize is at $2, whether or not the sweep has been there: the rule of isPastDeadline. */
const STATUS_NOW = `case when p.prize_status in ('locked', 'unlocked') and p.expires_at + make_interval(hours => p.grace_hours) < $2
  then 'expired' else p.prize_status end`

/** A page of a user's prizes, newest first. `status` null is every one. */
export function loadPrizePage(
  tx: Tx,
  {
    user_id,
    status,
    limit,
    offset,
  }: { user_id: string; status: string | null; limit: number; offset: number },
) {
  return tx.rows<PlayRow>(
    `select ${PLAY} from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.user_id = $1 and p.is_winner and ($3::text is null or ${STATUS_NOW} = $3)
     order by p.created_at desc, p.id desc limit $4 offset $5`,
    [user_id, tx.now, status, limit, offset],
    'load_prize_page',
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

/**
 * How many prizes of each status a user has, from the row that the triggers of migrations/0009_insight.sql keep. Only
 * when a deadline has passed and the sweep has not been there yet are the live ones looked at.
 */
export async function loadPrizeCounts(tx: Tx, user_id: string): Promise<PrizeCounts> {
  const row = await tx.one<PrizeCounts>(
    `select h.version, h.unread_count as unread, h.locked_count - o.locked as locked, h.unlocked_count - o.unlocked as unlocked,
            h.applied_count as applied, h.expired_count + o.locked + o.unlocked as expired,
            case when h.next_deadline < $2 then o.next_deadline else h.next_deadline end as changes_at
     from inbox_heads h
     cross join lateral (
       select count(*) filter (where deadline < $2 and prize_status = 'locked')::int as locked,
              count(*) filter (where deadline < $2 and prize_status = 'unlocked')::int as unlocked,
              min(deadline) filter (where deadline >= $2) as next_deadline
       from (select p.prize_status, p.expires_at + make_interval(hours => p.grace_hours) as deadline
             from gamification_game_plays p
             where h.next_deadline < $2 and p.user_id = $1 and p.is_winner and p.prize_status in ('locked', 'unlocked')) live
     ) o
     where h.user_id = $1`,
    [user_id, tx.now],
    'load_prize_counts',
  )
  return row ?? { version: 0, unread: 0, locked: 0, unlocked: 0, applied: 0, expired: 0, changes_at: null }
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

/** The same, locked until the end of the transaction. */
export function lockPlay(tx: Tx, id: number, user_id: string | null) {
  return tx.one<PlayRow>(
    `select ${PLAY} from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.id = $1 and ($2::text is null or p.user_id = $2) for no key update of p`,
    [id, user_id],
    'lock_play',
  )
}

/** The prize with a code as it is stored, of this user or with null of anybody. */
export function loadPlayByCode(tx: Tx, prize_code: string, user_id: string | null) {
  return tx.one<PlayRow>(
    `select ${PLAY} from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.prize_code = $1 and ($2::text is null or p.user_id = $2)`,
    [prize_code, user_id],
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
     set prize_status = 'unlocked', unlocked_at = greatest(created_at, $2), updated_at = $2, row_version = row_version + 1
     where id = $1 returning unlocked_at`,
    [id, tx.now],
    'unlock_play',
  )
  return row!.unlocked_at
}

/** Applications to one order follow one another: stacking counts what stands. Comes before the lock of the play. */
export async function lockOrder(tx: Tx, order_id: string): Promise<void> {
  await tx.rows(
    `select pg_advisory_xact_lock(hashtextextended(concat_ws(E'\\n', 'order', app_tenant_id(), $1::text), 0))`,
    [order_id],
    'lock_order',
  )
}

export type ApplicationRow = {
  id: string
  play_id: number
  order_ref: number | string
  discount_minor: number
  details: Record<string, any>
  facts_hash: string
  applied_at: Date
  rolled_back_at: Date | null
}

/** The application of a play to an order, taken back or not. */
export function loadApplication(tx: Tx, play_id: number, order_id: string) {
  return tx.one<ApplicationRow>(
    `select id, play_id, order_ref, discount_minor, details, facts_hash, applied_at, rolled_back_at
     from prize_applications where play_id = $1 and order_id = $2`,
    [play_id, order_id],
    'load_application',
  )
}

/** What stands on an order, in the order in which it was applied. */
export function loadStanding(tx: Tx, order_id: string) {
  return tx.rows<ApplicationRow>(
    `select id, play_id, order_ref, discount_minor, details, facts_hash, applied_at, rolled_back_at
     from prize_applications where order_id = $1 and rolled_back_at is null order by applied_at, id`,
    [order_id],
    'load_standing',
  )
}

/** Amounts in minor units, as text: they are bigint on both sides. */
export type ApplicationRecord = {
  id: string
  play_id: number
  order_id: string
  order_ref: number | string
  order_minor: string
  discount_minor: string
  final_minor: string
  max_discount_minor: string | null
  currency: string
  facts_hash: string
  details: unknown
  transfer_id: string | null
}

export async function insertApplication(tx: Tx, record: ApplicationRecord): Promise<void> {
  await tx.rows(
    `insert into prize_applications (id, play_id, order_id, order_ref, order_minor, discount_minor, final_minor, max_discount_minor,
       currency, facts_hash, details, transfer_id, applied_by, applied_at, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $14)`,
    [
      record.id,
      record.play_id,
      record.order_id,
      JSON.stringify(record.order_ref),
      record.order_minor,
      record.discount_minor,
      record.final_minor,
      record.max_discount_minor,
      record.currency,
      record.facts_hash,
      JSON.stringify(record.details),
      record.transfer_id,
      tx.actor.userId,
      tx.now,
    ],
    'insert_application',
  )
}

/** Marks a play as applied, after its application was inserted. */
export async function applyPlay(tx: Tx, id: number, order_id: string, details: unknown): Promise<void> {
  await tx.rows(
    `update gamification_game_plays
     set prize_status = 'applied', applied_at = greatest(unlocked_at, $2), applied_to_order_id = $3, applied_details = $4,
         updated_at = $2, row_version = row_version + 1
     where id = $1`,
    [id, tx.now, order_id, JSON.stringify(details)],
    'apply_play',
  )
}
