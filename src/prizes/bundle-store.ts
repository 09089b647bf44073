/** Statements over bundles and their parts. */
import type { Tx } from '../db/tx.ts'

export type PartRecord = {
  id: number
  uuid: string
  prize_id: number
  prize_code: string
  prize_snapshot: Record<string, unknown>
}

/** Writes the parts of a bundle: its owner's, open since now, of its game and its chance event, and as long as it lasts. */
export async function insertParts(tx: Tx, bundle_id: number, parts: readonly PartRecord[]): Promise<void> {
  await tx.rows(
    `insert into gamification_game_plays (id, uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status, prize_snapshot,
       unlocked_at, expires_at, grace_hours, game_data, event_id, bundle_play_id, created_at, updated_at)
     select r.id, r.uuid, b.game_id, b.user_id, r.prize_id, true, r.prize_code, 'unlocked', r.prize_snapshot, $3, b.expires_at,
            b.grace_hours, '{}', b.event_id, b.id, $3, $3
     from json_to_recordset($2::json) as r(id bigint, uuid uuid, prize_id bigint, prize_code text, prize_snapshot jsonb)
     join gamification_game_plays b on b.id = $1`,
    [bundle_id, JSON.stringify(parts), tx.now],
    'insert_parts',
  )
}

/** Other parts of the bundles of these plays that are applied as a whole: those that are open, or on the order of the request. */
export function loadSiblings(
  tx: Tx,
  pairs: readonly { request: number; play_id: number; order_id: string | null }[],
) {
  return tx.rows<{ request: number; of: number; id: number }>(
    `select r.request, p.id as of, s.id
     from unnest($1::int[], $2::bigint[], $3::text[]) as r(request, play_id, order_id)
     join gamification_game_plays p on p.id = r.play_id
     join gamification_game_plays s on s.bundle_play_id = p.bundle_play_id and s.user_id = p.user_id and s.id <> p.id
     where p.bundle_play_id is not null and p.prize_snapshot->>'in_bundle' = 'all'
       and (s.prize_status = 'unlocked' or s.applied_to_order_id = r.order_id)
     order by r.request, p.id, s.id`,
    [
      pairs.map(({ request }) => request),
      pairs.map(({ play_id }) => play_id),
      pairs.map(({ order_id }) => order_id),
    ],
    'load_siblings',
  )
}

/** A play, with the other parts of its bundle where that is applied as a whole. In the order of their ids. */
export async function loadWhole(tx: Tx, play_id: number): Promise<number[]> {
  const rows = await tx.rows<{ id: number }>(
    `select id from gamification_game_plays where id = $1
     union
     select s.id
     from gamification_game_plays p
     join gamification_game_plays s on s.bundle_play_id = p.bundle_play_id
     where p.id = $1 and p.bundle_play_id is not null and p.prize_snapshot->>'in_bundle' = 'all'
     order by id`,
    [play_id],
    'load_whole',
  )
  return rows.map(({ id }) => id)
}
