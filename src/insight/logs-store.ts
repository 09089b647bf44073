/** Statements about the log of spins of the tenant of this transaction, and about the rows that its lines are read from. */
import type { Tx } from '../db/tx.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export type LogRow = {
  id: string
  spin_session_id: string
  log_level: LogLevel
  log_message: string
  log_details: string
  log_category: string
  log_timestamp: Date
  source_component: string
  trace_id: string
  created_at: Date
}

export type LogLine = Omit<LogRow, 'created_at'>

const COLUMNS = `id, spin_session_id, log_level, log_message, log_details, log_category, log_timestamp, source_component,
                 trace_id, created_at`

/** Writes lines of spins that are there. A spin that is not is left out. Returns the ids that were written. */
export function insertLogs(tx: Tx, lines: readonly LogLine[]): Promise<{ id: string }[]> {
  return tx.rows(
    `insert into game_logs (id, spin_session_id, log_level, log_message, log_details, log_category, log_timestamp,
                            source_component, trace_id, created_at)
     select r.*, $2 from json_to_recordset($1::json)
       as r(id uuid, spin_session_id uuid, log_level text, log_message text, log_details text, log_category text,
            log_timestamp timestamptz, source_component text, trace_id text)
     where exists (select from spin_sessions s where s.id = r.spin_session_id)
     returning id`,
    [JSON.stringify(lines), tx.now],
  )
}

/** Lines that were written, newest first, from the one after the cursor. */
export function loadLogPage(
  tx: Tx,
  {
    levels,
    category,
    cursor,
  }: { levels: readonly LogLevel[]; category: string | null; cursor: { at: string; id: string } | null },
  limit: number,
): Promise<LogRow[]> {
  return tx.rows(
    `select ${COLUMNS} from game_logs
     where log_level = any($1::text[]) and ($2::text is null or log_category = $2)
       and ($3::timestamptz is null or (created_at, id) < ($3, $4::uuid))
     order by created_at desc, id desc limit $5`,
    [levels, category, cursor?.at ?? null, cursor?.id ?? null, limit],
  )
}

export function loadLogsOfSpin(tx: Tx, spin_id: string): Promise<LogRow[]> {
  return tx.rows(`select ${COLUMNS} from game_logs where spin_session_id = $1`, [spin_id])
}

export type SpinFacts = {
  session_id: string
  spin_started_at: Date
  user_id: string
  wheel_slug: string
  chance_id: string
  chance_type: string
  award_reason: string
  commit_hash: string
  nonce: number
  client_entropy: string
  config_version: number
  roll: number
  segment_index: number
  reward_slug: string
  win_status: string
  play_id: number
  play_uuid: string
  prize_id: number | null
  beginning: string | null
}

/**
 * What the transaction of a spin decided, or undefined when there is no such spin. Row by row through the keys: joined
 * freely, the planner reads all chances and plays of the tenant.
 */
export function loadSpinFacts(tx: Tx, spin_id: string): Promise<SpinFacts | undefined> {
  return tx.one(
    `select s.session_id, s.spin_started_at, s.user_id, w.wheel_slug, s.chance_id, c.chance_type, c.award_reason,
            f.commit_hash, r.nonce, r.client_entropy, r.config_version, r.roll, h.segment_index,
            h.reward_slug, r.win_status, p.id as play_id, p.uuid as play_uuid, p.prize_id,
            s.answer::jsonb ->> 'prize_status' as beginning
     from (select *, (answer::jsonb ->> 'play_id')::bigint as play_id from spin_sessions where id = $1) s
     cross join lateral (select * from wheel_games w where w.id = s.wheel_game_id limit 1) w
     cross join lateral (select * from spin_chances c where c.id = s.chance_id limit 1) c
     cross join lateral (select * from spin_results r where r.spin_session_id = s.id limit 1) r
     cross join lateral (select * from fair_seeds f where f.id = r.seed_id limit 1) f
     cross join lateral (
       select * from wheel_rewards_history h where h.id = r.wheel_reward_id and h.config_version = r.config_version limit 1
     ) h
     cross join lateral (select * from gamification_game_plays p where p.id = s.play_id limit 1) p`,
    [spin_id],
  )
}

export type AuditLine = {
  id: string
  seq: number
  user_id: string
  action: string
  new_values: Record<string, unknown> | null
  created_at: Date
}

/** What stands in the audit chain of a play: its beginning, every use and every refused try. */
export function loadAuditOfPlay(tx: Tx, play_uuid: string, limit: number): Promise<AuditLine[]> {
  return tx.rows(
    `select id, seq, user_id, action, new_values, created_at from audit_logs
     where entity_type = 'game_play' and entity_id = $1 order by seq limit $2`,
    [play_uuid, limit],
  )
}

export type MoveLine = {
  id: number
  from_status: string
  to_status: string
  moved_at: Date
  moved_by: string
  why: string
}

export function loadMovesOfPlay(tx: Tx, play_id: number): Promise<MoveLine[]> {
  return tx.rows(
    'select id, from_status, to_status, moved_at, moved_by, why from prize_history where play_id = $1 order by id',
    [play_id],
  )
}

/** Removes lines that were written before an instant, a bounded number at a time. Returns how many went. */
export async function deleteOldLogs(tx: Tx, before: Date, limit: number): Promise<number> {
  const rows = await tx.rows(
    `delete from game_logs where (tenant_id, id) in
       (select tenant_id, id from game_logs where created_at < $1 order by created_at limit $2) returning id`,
    [before, limit],
  )
  return rows.length
}
