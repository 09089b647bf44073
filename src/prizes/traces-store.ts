/** Statements over what plays say about the people behind them. */
import type { Tx } from '../db/tx.ts'

export type TraceRow = { id: number; ip_address: string | null }

/** What an address looks like once it was turned into a fingerprint. */
const HASHED = 'h:%'

/** Plays from before then whose traces stand as they came, locked, the oldest first. */
export function loadPlainTraces(tx: Tx, before: Date, limit: number) {
  return tx.rows<TraceRow>(
    `select id, ip_address from gamification_game_plays
     where created_at < $1 and (ip_address not like $3 or user_agent is not null)
     order by created_at limit $2 for no key update skip locked`,
    [before, limit, HASHED],
  )
}

/**
 * Addresses become fingerprints, and what was said about the browser goes. The prize has not moved by that: its version and
 * its time stay, or its owner would be told of it.
 */
export async function hashTraces(tx: Tx, traces: readonly TraceRow[]): Promise<void> {
  await tx.rows(
    `update gamification_game_plays p set ip_address = r.ip_address, user_agent = null
     from json_to_recordset($1::json) as r(id bigint, ip_address text) where p.id = r.id`,
    [JSON.stringify(traces)],
  )
}

/** Forgets the rest of the traces of plays from before then. Returns how many plays that were. */
export async function forgetTraces(tx: Tx, before: Date, limit: number): Promise<number> {
  const row = await tx.one<{ count: number }>(
    `with due as (
       select id from gamification_game_plays
       where created_at < $1 and (ip_address is not null or user_agent is not null)
       order by created_at limit $2 for no key update skip locked
     ), gone as (
       update gamification_game_plays p set ip_address = null, user_agent = null
       from due where p.id = due.id returning 1
     ) select count(*)::int as count from gone`,
    [before, limit],
  )
  return row!.count
}

/** Forgets where things went that are long delivered or cancelled. Returns how many that were. */
export async function forgetClaims(tx: Tx, before: Date): Promise<number> {
  const row = await tx.one<{ count: number }>(
    `with gone as (
       update fulfilments set claim_details = null, updated_at = $2, row_version = row_version + 1
       where claim_details is not null and coalesce(delivered_at, cancelled_at) < $1 returning 1
     ) select count(*)::int as count from gone`,
    [before, tx.now],
  )
  return row!.count
}

export type PlayTraceRow = {
  id: number
  uuid: string
  user_id: string
  game_id: number
  game_name: string
  is_winner: boolean
  prize_status: string | null
  expires_at: Date | null
  grace_hours: number
  game_data: Record<string, unknown>
  event_id: string
  ip_address: string | null
  user_agent: string | null
  created_at: Date
}

/** A page of plays as staff sees them, newest first. */
export function loadPlayTraces(
  tx: Tx,
  filter: { user_id: string | null; game_id: number | null },
  after: { at: string; id: string } | null,
  limit: number,
) {
  return tx.rows<PlayTraceRow>(
    `select p.id, p.uuid, p.user_id, p.game_id, g.game_name, p.is_winner, p.prize_status, p.expires_at, p.grace_hours, p.game_data, p.event_id,
            p.ip_address, p.user_agent, p.created_at
     from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where ($1::text is null or p.user_id = $1) and ($2::bigint is null or p.game_id = $2)
       and ($3::timestamptz is null or (p.created_at, p.id) < ($3, $4::bigint))
     order by p.created_at desc, p.id desc limit $5`,
    [filter.user_id, filter.game_id, after?.at ?? null, after?.id ?? null, limit],
  )
}
