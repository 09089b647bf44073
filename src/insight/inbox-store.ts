/** Statements about what users are told: notifications, and the versions of their inboxes. */
import type { Tx } from '../db/tx.ts'

export type NotificationRow = {
  id: number
  kind: string
  play_id: number | null
  message: string | null
  data: Record<string, unknown>
  created_at: Date
  read_at: Date | null
}

/** Notifications of a user, newest first, below the id `before`. */
export function loadNotifications(
  tx: Tx,
  {
    user_id,
    before,
    unread_only,
    limit,
  }: { user_id: string; before: number; unread_only: boolean; limit: number },
) {
  return tx.rows<NotificationRow>(
    `select id, kind, play_id, message, data, created_at, read_at from notifications
     where user_id = $1 and id < $2 and (not $3 or read_at is null) order by id desc limit $4`,
    [user_id, before, unread_only, limit],
    'load_notifications',
  )
}

/**
 * Marks notifications of a user as read, all of them for null, and takes them from the unread count. Of two who mark
 * the same one the row's lock lets one count it. Returns the unread count.
 */
export async function markNotifications(
  tx: Tx,
  user_id: string,
  ids: readonly number[] | null,
): Promise<{ marked: number; unread: number }> {
  const marked = await tx.rows(
    `update notifications set read_at = $3
     where user_id = $1 and read_at is null and ($2::bigint[] is null or id = any($2)) returning id`,
    [user_id, ids, tx.now],
    'mark_notifications',
  )
  const head = await tx.one<{ unread: number }>(
    `update inbox_heads set unread_count = unread_count - $2, version = version + least($2, 1)
     where user_id = $1 returning unread_count as unread`,
    [user_id, marked.length],
    'count_read',
  )
  return { marked: marked.length, unread: head?.unread ?? 0 }
}

/** One notification for each user, with the head of each, in one statement and in the order of users. */
export async function insertNotifications(
  tx: Tx,
  rows: readonly { user_id: string; kind: string; play_id: number | null; message: string; data: unknown }[],
): Promise<void> {
  await tx.rows(
    `with r as materialized (
       select * from json_to_recordset($1::json) as r(user_id text, kind text, play_id bigint, message text, data jsonb)
     ), noted as (
       insert into notifications (user_id, kind, play_id, message, data, created_at)
       select user_id, kind, play_id, message, data, $2 from r
     ), head as (
       insert into inbox_heads as h (user_id, version, unread_count)
       select user_id, 1, count(*) from r group by user_id order by user_id
       on conflict (tenant_id, user_id) do update
         set version = h.version + 1, unread_count = h.unread_count + excluded.unread_count
       returning user_id
     )
     select stir_inboxes(jsonb_agg(user_id)) from head`,
    [JSON.stringify(rows), tx.now],
  )
}

/** Removes what was read before an instant, a bounded number at a time. Returns how many rows went. */
export async function deleteReadNotifications(tx: Tx, before: Date, limit: number): Promise<number> {
  const rows = await tx.rows(
    `delete from notifications where (tenant_id, user_id, id) in
       (select tenant_id, user_id, id from notifications where read_at < $1 limit $2) returning id`,
    [before, limit],
  )
  return rows.length
}

/** The versions of these users' inboxes; who was never told anything has none. */
export function loadInboxVersions(tx: Tx, user_ids: readonly string[]) {
  return tx.rows<{ user_id: string; version: number }>(
    'select user_id, version from inbox_heads where user_id = any($1::text[])',
    [user_ids],
    'load_inbox_versions',
  )
}
