/** Statements over what a prize does on orders: holds, applications, what was taken back, what expired. */
import { columnsOf } from '../db/columns.ts'
import type { Tx } from '../db/tx.ts'

/**
 * Applications to one order follow one another: stacking counts what stands. Comes before the lock of the play; several
 * orders are locked in one order.
 */
export async function lockOrders(tx: Tx, order_ids: readonly string[]): Promise<void> {
  await tx.rows(
    `select pg_advisory_xact_lock(o.lock) from (
       select distinct hashtextextended(concat_ws(E'\\n', 'order', app_tenant_id(), order_id), 0) as lock
       from unnest($1::text[]) as r(order_id) order by 1 offset 0) o`,
    [order_ids],
    'lock_orders',
  )
}

export type ApplicationRow = {
  id: string
  play_id: number
  order_id: string
  order_ref: number | string
  discount_minor: number
  details: Record<string, any>
  facts_hash: string
  transfer_id: string | null
  applied_at: Date
  rolled_back_at: Date | null
  /** What the prize became when it was taken back. */
  rolled_back_to: 'unlocked' | 'expired' | null
}

const APPLICATION = `id, play_id, order_id, order_ref, discount_minor, details, facts_hash, transfer_id, applied_at, rolled_back_at,
  rolled_back_to`

/** The applications of plays to orders, taken back or not: of each of these plays to any of these orders. */
export function loadApplications(tx: Tx, play_ids: readonly number[], order_ids: readonly string[]) {
  return tx.rows<ApplicationRow>(
    `select ${APPLICATION} from prize_applications where play_id = any($1) and order_id = any($2)`,
    [play_ids, order_ids],
    'load_applications',
  )
}

/** What stands on orders, in the order in which it was applied. */
export function loadStanding(tx: Tx, order_ids: readonly string[]) {
  return tx.rows<ApplicationRow>(
    `select ${APPLICATION} from prize_applications
     where order_id = any($1) and rolled_back_at is null order by applied_at, id`,
    [order_ids],
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
  details: object
  transfer_id: string | null
  policy_version: number
  applied_by: string
}

const APPLICATIONS = columnsOf<ApplicationRecord>({
  id: 'uuid',
  play_id: 'bigint',
  order_id: 'text',
  order_ref: 'jsonb',
  order_minor: 'text',
  discount_minor: 'text',
  final_minor: 'text',
  max_discount_minor: 'text',
  currency: 'text',
  facts_hash: 'text',
  details: 'jsonb',
  transfer_id: 'uuid',
  policy_version: 'integer',
  applied_by: 'text',
})

export async function insertApplications(tx: Tx, records: readonly ApplicationRecord[]): Promise<void> {
  await tx.rows(
    `insert into prize_applications (id, play_id, order_id, order_ref, order_minor, discount_minor, final_minor, max_discount_minor,
       currency, facts_hash, details, transfer_id, policy_version, applied_by, applied_at, created_at, updated_at)
     select id, play_id, order_id, order_ref, order_minor::bigint, discount_minor::bigint, final_minor::bigint,
            max_discount_minor::bigint, currency, facts_hash, details, transfer_id, policy_version, applied_by, $1, $1, $1
     from ${APPLICATIONS.from(2)}`,
    [tx.now, ...APPLICATIONS.values(records)],
    'insert_applications',
  )
}

export type AppliedPlay = { id: number; order_id: string; details: object }

const APPLIED = columnsOf<AppliedPlay>({ id: 'bigint', order_id: 'text', details: 'jsonb' })

/**
 * Marks plays as applied, after their applications were inserted: who and why stands there, and the trigger takes it
 * from there. Returns how many it marked.
 */
export async function applyPlays(tx: Tx, plays: readonly AppliedPlay[]): Promise<number> {
  const row = await tx.one<{ applied: number }>(
    `with applied as (
       update gamification_game_plays p
       set prize_status = 'applied', applied_at = greatest(p.unlocked_at, $1), applied_to_order_id = r.order_id,
           applied_details = r.details, updated_at = $1, row_version = p.row_version + 1
       from ${APPLIED.from(2)}
       where p.id = r.id returning 1)
     select count(*)::int as applied from applied`,
    [tx.now, ...APPLIED.values(plays)],
    'apply_plays',
  )
  return row!.applied
}

// --- Holds --------------------------------------------------------------------------------------------------------

/**
 * Holds a play for an order until then, or moves the end of that order's hold. Undefined when another order holds it
 * now. Never ends before it begins, also where two processes' clocks differ.
 */
export function upsertHold(
  tx: Tx,
  hold: { play_id: number; order_id: string; order_ref: number | string; held_until: Date },
) {
  return tx.one<{ held_until: Date }>(
    `insert into prize_holds as h (play_id, order_id, order_ref, held_by, held_until, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $6)
     on conflict (tenant_id, play_id) do update
       set order_id = excluded.order_id, order_ref = excluded.order_ref, held_by = excluded.held_by,
           held_until = excluded.held_until, updated_at = excluded.updated_at, row_version = h.row_version + 1
       where h.order_id = excluded.order_id or h.held_until <= excluded.updated_at
     returning held_until`,
    [hold.play_id, hold.order_id, JSON.stringify(hold.order_ref), tx.actor.userId, hold.held_until, tx.now],
    'upsert_hold',
  )
}

/** Ends the holds of plays, those of one order or with null of any. Returns the plays that had one. */
export async function deleteHolds(
  tx: Tx,
  play_ids: readonly number[],
  order_id: string | null,
): Promise<number[]> {
  const rows = await tx.rows<{ play_id: number }>(
    'delete from prize_holds where play_id = any($1) and ($2::text is null or order_id = $2) returning play_id',
    [play_ids, order_id],
    'delete_holds',
  )
  return rows.map(({ play_id }) => play_id)
}

/** Deletes up to `limit` holds that have ended: nobody looks at them any more. Returns how many. */
export async function deleteLapsedHolds(tx: Tx, limit: number): Promise<number> {
  const rows = await tx.rows(
    `delete from prize_holds where play_id in
       (select play_id from prize_holds where held_until <= $1 order by held_until limit $2 for update skip locked)
     returning play_id`,
    [tx.now, limit],
    'delete_lapsed_holds',
  )
  return rows.length
}

// --- Taking back --------------------------------------------------------------------------------------------------

export async function endApplication(
  tx: Tx,
  id: string,
  { reason, to }: { reason: string; to: 'unlocked' | 'expired' },
): Promise<void> {
  await tx.rows(
    `update prize_applications
     set rolled_back_at = greatest(applied_at, $2), rolled_back_by = $3, rollback_reason = $4, rolled_back_to = $5,
         updated_at = $2, row_version = row_version + 1
     where id = $1`,
    [id, tx.now, tx.actor.userId, reason, to],
    'end_application',
  )
}

/** Says that the next moves of this transaction are rollbacks, or are none again: the trigger asks for it. */
export async function sayRollback(tx: Tx, is_rollback: boolean): Promise<void> {
  await tx.rows(
    `select set_config('app.prize_rollback', $1, true)`,
    [is_rollback ? 'on' : 'off'],
    'say_rollback',
  )
}

/** Gives an applied play back, after its application was ended. */
export async function returnPlay(
  tx: Tx,
  id: number,
  { to, expires_at }: { to: 'unlocked' | 'expired'; expires_at: Date | null },
): Promise<void> {
  await tx.rows(
    `update gamification_game_plays
     set prize_status = $2, applied_at = null, applied_to_order_id = null, applied_details = null, expires_at = $3,
         updated_at = $4, row_version = row_version + 1
     where id = $1`,
    [id, to, expires_at, tx.now],
    'return_play',
  )
}

/** A part of an order that came back. */
export type ReturnRow = { return_id: string; returned_minor: number; discount_minor: number }

/** The parts that came back of the order of an application. */
export function loadReturns(tx: Tx, application_id: string) {
  return tx.rows<ReturnRow>(
    'select return_id, returned_minor, discount_minor from prize_returns where application_id = $1 order by created_at',
    [application_id],
    'load_returns',
  )
}

export async function insertReturn(
  tx: Tx,
  row: {
    application_id: string
    return_id: string
    returned_minor: string
    discount_minor: string
    reason: string
  },
): Promise<void> {
  await tx.rows(
    `insert into prize_returns (application_id, return_id, returned_minor, discount_minor, reason, returned_by, created_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      row.application_id,
      row.return_id,
      row.returned_minor,
      row.discount_minor,
      row.reason,
      tx.actor.userId,
      tx.now,
    ],
    'insert_return',
  )
}

// --- Expiry, and what happened ------------------------------------------------------------------------------------

export type ExpiredRow = { id: number; uuid: string; user_id: string; was: 'locked' | 'unlocked' }

/**
 * Expires up to `limit` prizes that are past expiry and grace, the longest first. Those that somebody is using right
 * now are left to that use. Returns what each was before.
 */
export function expirePlays(tx: Tx, limit: number) {
  return tx.rows<ExpiredRow>(
    `with due as (
       select id, prize_status as was from gamification_game_plays
       where prize_status in ('locked', 'unlocked') and expires_at < $1
         and expires_at + make_interval(hours => grace_hours) < $1
       order by expires_at limit $2 for no key update skip locked)
     update gamification_game_plays p
     set prize_status = 'expired', updated_at = $1, row_version = row_version + 1
     from due where p.id = due.id
     returning p.id, p.uuid, p.user_id, due.was`,
    [tx.now, limit],
    'expire_plays',
  )
}

export type MoveRow = {
  from_status: string
  to_status: string
  moved_at: Date
  moved_by: string
  why: string
}

/** The moves of a play, oldest first. */
export function loadMoves(tx: Tx, play_id: number) {
  return tx.rows<MoveRow>(
    'select from_status, to_status, moved_at, moved_by, why from prize_history where play_id = $1 order by id',
    [play_id],
    'load_moves',
  )
}

/** Which plays these ids are, for rows of the audit chain. */
export function loadPlayNames(tx: Tx, ids: readonly number[]) {
  return tx.rows<{ id: number; uuid: string; user_id: string }>(
    'select id, uuid, user_id from gamification_game_plays where id = any($1)',
    [ids],
    'load_play_names',
  )
}
