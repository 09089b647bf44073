/**
 * What one user is told: notifications, the unread count, and the prizes that moved. A win's notification is written by
 * the trigger that counts the win (migrations/0009_insight.sql), so that every game tells its winners; everything else
 * goes through `notify`.
 */
import type { Tx } from '../db/tx.ts'
import { loadPrizeCounts, type PrizeCounts } from '../prizes/store.ts'
import { readMovedPrizes } from '../prizes/wallet.ts'
import {
  deleteReadNotifications,
  insertNotifications,
  loadNotifications,
  markNotifications,
  type NotificationRow,
} from './inbox-store.ts'

/** Sentences that follow from a kind. A prize that is not opened yet is not named (S2-04). */
const SENTENCES: Readonly<Record<string, string>> = { prize_won: 'You won a prize.' }

export type NotificationView = {
  id: number
  kind: string
  message: string
  play_id: number | null
  data: Record<string, unknown>
  is_read: boolean
  created_at: string
}

function notificationView({ id, kind, message, play_id, data, read_at, created_at }: NotificationRow) {
  return {
    id,
    kind,
    message: message ?? SENTENCES[kind] ?? '',
    play_id,
    data,
    is_read: read_at !== null,
    created_at: created_at.toISOString(),
  } satisfies NotificationView
}

/** A page of the actor's notifications, newest first, with the number of those that are not read. */
export async function readNotifications(
  tx: Tx,
  { limit, cursor, unread_only }: { limit: number; cursor: number | null; unread_only: boolean },
) {
  const user_id = tx.actor.userId
  const before = cursor ?? Number.MAX_SAFE_INTEGER
  const rows = await loadNotifications(tx, { user_id, before, unread_only, limit: limit + 1 })
  const page = rows.slice(0, limit)
  const { unread } = await loadPrizeCounts(tx, user_id)
  return {
    data: page.map(notificationView),
    next_cursor: rows.length > limit ? String(page.at(-1)!.id) : null,
    unread_count: unread,
  }
}

/**
 * Marks notifications of the actor as read; without ids all of them. Ids of others, unknown ones and those that are
 * read already change nothing.
 */
export async function readMarks(tx: Tx, { ids }: { ids: readonly number[] | null }) {
  const { marked, unread } = await markNotifications(tx, tx.actor.userId, ids)
  return { marked, unread_count: unread }
}

/**
 * Tells users something, in the transaction that makes it so. `message` is a sentence for people, `data` facts for
 * screens; both are for that user's eyes and for nobody else's.
 */
export async function notify(
  tx: Tx,
  notes: readonly {
    user_id: string
    kind: string
    message: string
    play_id?: number
    data?: Record<string, unknown>
  }[],
): Promise<void> {
  if (notes.length === 0) return
  await insertNotifications(
    tx,
    notes.map(({ play_id = null, data = {}, ...note }) => ({ ...note, play_id, data })),
  )
}

const PURGE_COUNT_MAX = 5_000

/** Forgets notifications that were read before an instant. Returns how many; call again while it is not 0. */
export function purgeNotifications(tx: Tx, { before }: { before: Date }): Promise<number> {
  return deleteReadNotifications(tx, before, PURGE_COUNT_MAX)
}

/** What an open inbox shows at once, newest first; the rest is a page away over HTTP. */
export const NEWEST_COUNT = 20

type Moved = Awaited<ReturnType<typeof readMovedPrizes>>

export type InboxSnapshot = { counts: PrizeCounts; prizes: Moved; notifications: NotificationView[] }

/** Everything that an open inbox of the actor shows. The counts are read first: what comes later is told again. */
export async function readInbox(tx: Tx): Promise<InboxSnapshot> {
  const counts = await loadPrizeCounts(tx, tx.actor.userId)
  const prizes = await readMovedPrizes(tx, { limit: NEWEST_COUNT })
  const { data } = await readNotifications(tx, { limit: NEWEST_COUNT, cursor: null, unread_only: false })
  return { counts, prizes, notifications: data }
}
