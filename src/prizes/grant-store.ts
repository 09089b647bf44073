/** Statements of giving prizes out: definitions and their stock, plays, chances. */
import type { Tx } from '../db/tx.ts'
import type { PrizeRow } from './issue.ts'
import { POLICY_DAYS } from './policy-store.ts'

const PRIZE_COLUMNS = `id, name, description, type, value, display_value, prize_color, prize_image, conditions,
  expires_in_days, never_expires, grace_hours, cost_minor, stock, won_count, version, is_transferable, rarity, parts, parts_apply, pool_version, takes_codes,
  ${POLICY_DAYS} as policy_days`

/** Definitions that can be given out now. */
export function loadPrizes(tx: Tx, ids: readonly number[]) {
  return tx.rows<PrizeRow>(
    `select ${PRIZE_COLUMNS} from gamification_prizes where id = any($1::bigint[]) and is_active and deleted_at is null`,
    [ids],
    'load_prizes',
  )
}

/** The same for prizes whose stock is limited, locked in id order. */
export function loadLimitedPrizesForUpdate(tx: Tx, ids: readonly number[]) {
  return tx.rows<PrizeRow>(
    `select ${PRIZE_COLUMNS} from gamification_prizes
     where id = any($1::bigint[]) and is_active and deleted_at is null and stock is not null
     order by id for no key update`,
    [ids],
    'load_limited_prizes',
  )
}

/** How many of these prizes, which were unlimited when they were read, have a stock by now. */
export async function countLimited(tx: Tx, ids: readonly number[]): Promise<number> {
  const row = await tx.one<{ limited: number }>(
    'select count(*)::int as limited from gamification_prizes where id = any($1::bigint[]) and stock is not null',
    [ids],
    'count_limited',
  )
  return row!.limited
}

/** Numbers for plays, so that answers and audit rows can name them before they are written. */
export async function takePlayIds(tx: Tx, count: number): Promise<number[]> {
  const rows = await tx.rows<{ id: number }>(
    `select nextval('play_ids') as id from generate_series(1, $1)`,
    [count],
    'take_play_ids',
  )
  return rows.map((row) => row.id)
}

export type PlayRecord = {
  id: number
  uuid: string
  game_id: number
  user_id: string
  prize_id: number
  prize_code: string
  prize_status: 'locked' | 'unlocked'
  prize_snapshot: Record<string, unknown>
  expires_at: string | null
  grace_hours: number
  game_data: Record<string, unknown>
  event_id: string
  bundle_play_id: number | null
}

/** Writes plays and what they take from limited stock. Returns the plays written. */
export async function insertPlays(
  tx: Tx,
  plays: readonly PlayRecord[],
  taken: readonly { id: number; count: number }[],
): Promise<{ plays: number; prizes: number }> {
  const row = await tx.one<{ plays: number; prizes: number }>(
    `with play as (
       insert into gamification_game_plays (id, uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status,
         prize_snapshot, unlocked_at, expires_at, grace_hours, game_data, event_id, bundle_play_id, created_at, updated_at)
       select id, uuid, game_id, user_id, prize_id, true, prize_code, prize_status, prize_snapshot,
              case when prize_status = 'unlocked' then $3::timestamptz end, expires_at, grace_hours, game_data, event_id,
              bundle_play_id, $3, $3
       from json_to_recordset($1::json) as r(id bigint, uuid uuid, game_id bigint, user_id text, prize_id bigint,
         prize_code text, prize_status text, prize_snapshot jsonb, expires_at timestamptz, grace_hours int, game_data jsonb,
         event_id uuid, bundle_play_id bigint)
       returning 1
     ), prize as (
       update gamification_prizes p set won_count = p.won_count + r.count, updated_at = $3
       from json_to_recordset($2::json) as r(id bigint, count bigint)
       where p.id = r.id returning 1
     )
     select (select count(*)::int from play) as plays, (select count(*)::int from prize) as prizes`,
    [JSON.stringify(plays), JSON.stringify(taken), tx.now],
    'insert_plays',
  )
  return row!
}
