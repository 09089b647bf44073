/** Statements over codes of partners. */
import type { Tx } from '../db/tx.ts'

export type CodePool = {
  id: number
  name: string
  type: string
  stock: number | null
  won_count: number
  takes_codes: boolean
  codes_low_at: number
}

/** A definition, locked against wins that are being written and other uploads. */
export function lockCodePool(tx: Tx, prize_id: number) {
  return tx.one<CodePool>(
    `select id, name, type, stock, won_count, takes_codes, codes_low_at from gamification_prizes
     where id = $1 and deleted_at is null for update`,
    [prize_id],
  )
}

/** Adds codes; those that the tenant has already are left out. Returns how many were added. */
export async function insertCodes(
  tx: Tx,
  prize_id: number,
  codes: readonly { code_hash: string; sealed_code: string }[],
): Promise<number> {
  const row = await tx.one<{ added: number }>(
    `with added as (
       insert into partner_codes (prize_id, code_hash, sealed_code, uploaded_by, created_at, updated_at)
       select $1, r.code_hash, r.sealed_code, $3, $4, $4
       from json_to_recordset($2::json) as r(code_hash text, sealed_code text)
       on conflict (tenant_id, code_hash) do nothing returning 1
     ) select count(*)::int as added from added`,
    [prize_id, JSON.stringify(codes), tx.actor.userId, tx.now],
  )
  return row!.added
}

/** From now on each win of the prize takes a code, and there are as many as there are codes. */
export async function setCodePool(
  tx: Tx,
  pool: { id: number; stock: number; codes_low_at: number },
): Promise<void> {
  await tx.rows(
    `update gamification_prizes set takes_codes = true, stock = $2, codes_low_at = $3, updated_at = $4, row_version = row_version + 1
     where id = $1`,
    [pool.id, pool.stock, pool.codes_low_at, tx.now],
  )
}

/** How many codes of a prize there are, and how many are left. */
export async function countCodes(tx: Tx, prize_id: number): Promise<{ total: number; left: number }> {
  const row = await tx.one<{ total: number; left: number }>(
    `select count(*)::int as total, (count(*) filter (where play_id is null))::int as left from partner_codes where prize_id = $1`,
    [prize_id],
  )
  return row!
}

export type GivenRow = { prize_id: number; given: number; left: number; codes_low_at: number }

/**
 * Gives each of these plays a code of its prize, the oldest first. The callers hold the prizes' rows, so that nobody
 * takes the same ones; the unique key and the trigger say so too. Answers per prize how many were given and are left.
 */
export function giveCodes(tx: Tx, plays: readonly { play_id: number; prize_id: number }[]) {
  return tx.rows<GivenRow>(
    `with wanted as materialized (
       select play_id, prize_id, row_number() over (partition by prize_id order by play_id) as place
       from json_to_recordset($1::json) as r(play_id bigint, prize_id bigint)
     ), counted as (
       select prize_id, count(*) as wanted from wanted group by prize_id
     ), free as materialized (
       select f.id, c.prize_id, row_number() over (partition by c.prize_id order by f.id) as place
       from counted c
       cross join lateral (select id from partner_codes p where p.prize_id = c.prize_id and p.play_id is null
                           order by id limit c.wanted for no key update) f
     ), given as (
       update partner_codes p set play_id = w.play_id, given_at = $2, updated_at = $2, row_version = p.row_version + 1
       from free join wanted w on w.prize_id = free.prize_id and w.place = free.place
       where p.id = free.id returning p.prize_id
     )
     select c.prize_id, (select count(*)::int from given g where g.prize_id = c.prize_id) as given,
            (select count(*)::int from partner_codes p where p.prize_id = c.prize_id and p.play_id is null) as left,
            d.codes_low_at
     from counted c join gamification_prizes d on d.id = c.prize_id`,
    [JSON.stringify(plays), tx.now],
    'give_codes',
  )
}

export async function insertAlert(
  tx: Tx,
  alert: { id: string; prize_id: number; alert_type: string; left_count: number },
): Promise<void> {
  await tx.rows(
    'insert into stock_alerts (id, prize_id, alert_type, left_count, created_at) values ($1, $2, $3, $4, $5)',
    [alert.id, alert.prize_id, alert.alert_type, alert.left_count, tx.now],
  )
}

/** The code of a play that was given one; says that it was looked at. */
export function showCode(tx: Tx, play_id: number) {
  return tx.one<{ prize_id: number; code_hash: string; sealed_code: string; is_first: boolean }>(
    `with seen as (select id, shown_at is null as is_first from partner_codes where play_id = $1 for no key update)
     update partner_codes p set shown_at = coalesce(p.shown_at, $2), updated_at = $2, row_version = p.row_version + 1
     from seen where p.id = seen.id returning p.prize_id, p.code_hash, p.sealed_code, seen.is_first`,
    [play_id, tx.now],
    'show_code',
  )
}

/** Codes that are sealed with an older key than the first, a page of them, locked. */
export function loadStaleCodesForUpdate(tx: Tx, kid: string, limit: number) {
  return tx.rows<{ id: number; prize_id: number; code_hash: string; sealed_code: string }>(
    `select id, prize_id, code_hash, sealed_code from partner_codes
     where split_part(sealed_code, '.', 2) <> $1 order by id limit $2 for no key update skip locked`,
    [kid, limit],
  )
}

export async function resealCode(tx: Tx, id: number, sealed_code: string): Promise<void> {
  await tx.rows(
    'update partner_codes set sealed_code = $2, updated_at = $3, row_version = row_version + 1 where id = $1',
    [id, sealed_code, tx.now],
  )
}
