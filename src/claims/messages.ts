/** What winner and creator write to each other about one claim (S0-15). Kept for disputes; live in the inbox. */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { loadNewestComplaint } from './complaint-store.ts'
import { countMessages, insertMessage, loadMessages, type MessageRow } from './message-store.ts'
import { MESSAGES_PER_CLAIM, whyNotAdd } from './rules.ts'
import { sideOf, tellSides } from './sides.ts'
import { loadClaim, loadClaimForUpdate } from './store.ts'
import { isOpen, isStaff } from './views.ts'

export type MessageView = {
  message_id: number
  side: 'winner' | 'creator'
  is_mine: boolean
  message: string
  created_at: string
}

const messageView = (tx: Tx, row: MessageRow): MessageView => ({
  message_id: row.id,
  side: row.side,
  is_mine: row.sent_by === tx.actor.userId,
  message: row.message,
  created_at: row.created_at.toISOString(),
})

/**
 * Writes to the other side, which sees it in its inbox at once. Refuses not_found, not_claim_party for everybody but the
 * two sides (S0-22), claim_not_open once there is nothing left to hand over, thread_full.
 */
export async function sendMessage(
  tx: Tx,
  { claim_id, message }: { claim_id: string; message: string },
): Promise<MessageView> {
  const row = (await loadClaimForUpdate(tx, claim_id)) ?? refuse('not_found')
  const side = (await sideOf(tx, row)) ?? refuse('not_claim_party')
  const refusal = whyNotAdd(row, 'message')
  if (refusal !== null) refuse(refusal.code, refusal.detail)
  if ((await countMessages(tx, claim_id)) >= MESSAGES_PER_CLAIM) refuse('thread_full')
  const sent = await insertMessage(tx, { claim_id, side, message })
  const data = { message_id: sent.id, side, text: message, created_at: sent.created_at.toISOString() }
  const note = { kind: 'claim_message', message: `A message about “${row.title}”.`, data }
  // The own side too: the other members of a company read along.
  await tellSides(tx, row, [
    { side: 'winner', ...note },
    { side: 'creator', ...note },
  ])
  return messageView(tx, sent)
}

/**
 * A page of the thread, newest first. Staff reads while a complaint is open, and the audit log says who did. Refuses
 * not_found, not_claim_party.
 */
export async function readMessages(
  tx: Tx,
  { claim_id, before, limit }: { claim_id: string; before: number | null; limit: number },
): Promise<{ data: MessageView[]; next_cursor: string | null }> {
  const row = (await loadClaim(tx, claim_id)) ?? refuse('not_found')
  if ((await sideOf(tx, row)) === null) {
    if (!isStaff(tx) || !isOpen(await loadNewestComplaint(tx, claim_id))) refuse('not_claim_party')
    tx.audit({ action: 'claim.messages_read_by_staff', entity_type: 'claim', entity_id: claim_id })
  }
  const rows = await loadMessages(tx, claim_id, before ?? Number.MAX_SAFE_INTEGER, limit + 1)
  const page = rows.slice(0, limit)
  return {
    data: page.map((each) => messageView(tx, each)),
    next_cursor: rows.length > limit ? String(page.at(-1)!.id) : null,
  }
}
