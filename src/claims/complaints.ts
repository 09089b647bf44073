/**
 * A winner who got nothing complains, once the claim window is over (S0-23); the creator answers, staff looks and
 * decides. Every step is told to both sides.
 */
import { createHash } from 'node:crypto'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { playerNames } from '../games/players.ts'
import type { IfMatch } from '../http/resource.ts'
import { decodeCursor, encodeCursor } from '../http/resource-store.ts'
import { newId } from '../ids.ts'
import {
  type CreatorRecord,
  type Effect,
  holdToAccount,
  readEffect,
  readRecords,
  readSettings,
  refuseCursor,
} from './accountability.ts'
import { complete, move } from './claims.ts'
import {
  answerComplaint,
  type ComplaintRow,
  countComplaints,
  insertComplaint,
  loadComplaint,
  loadComplaintForUpdate,
  loadNewestComplaint,
  loadQueue,
  resolveComplaint,
  reviewComplaint,
} from './complaint-store.ts'
import {
  type ComplaintStatus,
  canDecide,
  claimAfter,
  hoursAfter,
  OUTCOME_SAYS,
  type Outcome,
  type Side,
  whyNotComplain,
} from './rules.ts'
import { partyOf, sideOf, tellSides } from './sides.ts'
import { type ClaimRow, loadClaim, loadClaimForUpdate, loadClaims } from './store.ts'
import { type ComplaintBrief, complaintBrief, isOpen, isStaff, type Looker } from './views.ts'

export type ComplaintView = ComplaintBrief & {
  claim_id: string
  game_id: string
  title: string
  winner: string
  creator: string
  /** Signed by the server, for the winner: what was complained of, when, and until when there must be an answer. */
  receipt: string | null
  row_version: number
}

async function complaintView(
  tx: Tx,
  row: ComplaintRow,
  claim: ClaimRow,
  looker: Looker,
): Promise<ComplaintView> {
  return {
    ...complaintBrief(row),
    claim_id: claim.id,
    game_id: claim.game_id,
    title: claim.title,
    winner: (await playerNames(tx))(claim.user_id),
    creator: claim.creator_name,
    receipt: looker === 'winner' ? receiptOf(tx, row, claim) : null,
    row_version: row.row_version,
  }
}

/** The same text whenever it is asked for: everything in it stays as it is. */
function receiptOf(tx: Tx, row: ComplaintRow, claim: ClaimRow): string {
  return tx.keys.signDocument('complaint-receipt', {
    tenant: tx.actor.tenantId,
    complaint: row.id,
    claim: claim.id,
    game: claim.game_id,
    message_sha256: createHash('sha256').update(row.message).digest('hex'),
    created_at: row.created_at.toISOString(),
    answer_due_at: row.answer_due_at.toISOString(),
  })
}

/** The claim, and who looks at it. Refuses not_found for who is no side of it and not staff. */
async function lookAt(tx: Tx, claim: ClaimRow | undefined): Promise<{ claim: ClaimRow; looker: Looker }> {
  if (claim === undefined) refuse('not_found')
  const looker = (await sideOf(tx, claim)) ?? (isStaff(tx) ? 'staff' : refuse('not_found'))
  return { claim, looker }
}

async function tellBoth(
  tx: Tx,
  claim: ClaimRow,
  row: ComplaintRow,
  note: { kind: string; message: string; sides: readonly Side[] },
): Promise<void> {
  const { kind, message, sides } = note
  const data = { complaint_id: row.id, status: row.complaint_status, outcome: row.outcome }
  await tellSides(
    tx,
    claim,
    sides.map((side) => ({ side, kind, message, data })),
  )
}

/**
 * Complains about a reward that did not come. The clock of the creator's answer begins now. Refuses not_found,
 * not_claim_party, complaint_open, claim_not_open, claim_window_open with the time, claim_window_over, complaints_full.
 */
export async function complain(
  tx: Tx,
  { claim_id, message }: { claim_id: string; message: string },
): Promise<ComplaintView> {
  const { claim, looker } = await lookAt(tx, await loadClaimForUpdate(tx, claim_id))
  if (looker !== 'winner') refuse('not_claim_party')
  const count = await countComplaints(tx, claim_id)
  const is_open = isOpen(await loadNewestComplaint(tx, claim_id))
  const refusal = whyNotComplain(claim, { count, is_open }, tx.now)
  if (refusal !== null) refuse(refusal.code, refusal.detail)

  const { answer_hours } = await readSettings(tx)
  const answer_due_at = hoursAfter(tx.now, answer_hours)
  await move(tx, claim, 'disputed', 'complained')
  const row =
    (await insertComplaint(tx, { id: newId(), claim_id, message, answer_due_at })) ?? refuse('complaint_open')
  auditClaim(tx, claim, 'disputed')
  tx.audit({
    action: 'complaint.opened',
    entity_type: 'complaint',
    entity_id: row.id,
    // What the winner wrote stays in its row.
    new_values: { status: 'pending', claim_id, answer_due_at: answer_due_at.toISOString() },
  })
  await tellBoth(tx, claim, row, {
    kind: 'complaint_opened',
    message: `The winner of “${claim.title}” says that nothing came. Answer before ${answer_due_at.toISOString()}.`,
    sides: ['creator'],
  })
  return complaintView(tx, row, claim, looker)
}

function auditClaim(tx: Tx, claim: ClaimRow, status: 'disputed' | 'resumed'): void {
  tx.audit({
    action: `claim.${status}`,
    entity_type: 'claim',
    entity_id: claim.id,
    old_values: { status: claim.claim_status },
    new_values: {
      status: status === 'disputed' ? 'disputed' : 'pending',
      game_id: claim.game_id,
      place: claim.place,
    },
  })
}

/** One complaint, for both sides and staff. Refuses not_found for everybody else. */
export async function readComplaint(
  tx: Tx,
  { complaint_id }: { complaint_id: string },
): Promise<ComplaintView> {
  const row = (await loadComplaint(tx, complaint_id)) ?? refuse('not_found')
  const { claim, looker } = await lookAt(tx, await loadClaim(tx, row.claim_id))
  return complaintView(tx, row, claim, looker)
}

/**
 * The creator says what happened, once, also after the time for it. Refuses not_found, not_claim_party,
 * complaint_not_open when it was answered or decided.
 */
export async function answerTo(
  tx: Tx,
  { complaint_id, answer }: { complaint_id: string; answer: string },
): Promise<ComplaintView> {
  const asked = (await loadComplaint(tx, complaint_id)) ?? refuse('not_found')
  const { claim, looker } = await lookAt(tx, await loadClaim(tx, asked.claim_id))
  if (looker !== 'creator') refuse('not_claim_party')
  const row = await answerComplaint(tx, complaint_id, answer)
  if (row === undefined) {
    const { complaint_status, answered_at } = (await loadComplaint(tx, complaint_id))!
    refuse('complaint_not_open', { facts: { status: complaint_status, is_answered: answered_at !== null } })
  }
  tx.audit({
    action: 'complaint.answered',
    entity_type: 'complaint',
    entity_id: row.id,
    new_values: { claim_id: claim.id, is_late: tx.now > row.answer_due_at },
  })
  await tellBoth(tx, claim, row, {
    kind: 'complaint_answered',
    message: `The creator of “${claim.title}” answered your complaint.`,
    sides: ['winner'],
  })
  return complaintView(tx, row, claim, looker)
}

export type Decision =
  | { status: 'reviewed' }
  | { status: 'resolved'; outcome: Outcome; note?: string | undefined }

/**
 * Staff looks, and then decides: it was handed over after all (the claim is completed), it was not (that counts against
 * the creator, whose claim stays disputed), or the complaint does not hold (the claim goes on). Nobody decides about a
 * claim of his own. Refuses not_found, second_person_needed, precondition_failed, complaint_not_open.
 */
export async function decideComplaint(
  tx: Tx,
  { complaint_id, decision, versions }: { complaint_id: string; decision: Decision; versions: IfMatch },
): Promise<ComplaintView & { effect: Effect }> {
  const found = (await loadComplaint(tx, complaint_id)) ?? refuse('not_found')
  const claim = (await loadClaimForUpdate(tx, found.claim_id))!
  if ((await sideOf(tx, claim)) !== null) refuse('second_person_needed')
  const { row_version, complaint_status } = (await loadComplaintForUpdate(tx, complaint_id))!
  if (versions !== '*' && !versions.includes(row_version))
    refuse('precondition_failed', { facts: { row_version } })
  if (!canDecide(complaint_status, decision.status))
    refuse('complaint_not_open', { facts: { status: complaint_status } })

  const row =
    decision.status === 'reviewed'
      ? await review(tx, claim, complaint_id)
      : await resolve(tx, claim, complaint_id, decision)
  return {
    ...(await complaintView(tx, row, claim, 'staff')),
    effect: await readEffect(tx, partyOf(claim)),
  }
}

async function review(tx: Tx, claim: ClaimRow, complaint_id: string): Promise<ComplaintRow> {
  const row = await reviewComplaint(tx, complaint_id)
  tx.audit({
    action: 'complaint.reviewed',
    entity_type: 'complaint',
    entity_id: row.id,
    old_values: { status: 'pending' },
    new_values: { status: 'reviewed', claim_id: claim.id },
  })
  await tellBoth(tx, claim, row, {
    kind: 'complaint_reviewed',
    message: `Staff looks at the complaint about “${claim.title}”.`,
    sides: ['winner', 'creator'],
  })
  return row
}

async function resolve(
  tx: Tx,
  claim: ClaimRow,
  complaint_id: string,
  { outcome, note }: { outcome: Outcome; note?: string | undefined },
): Promise<ComplaintRow> {
  const row = await resolveComplaint(tx, complaint_id, outcome, note ?? null)
  tx.audit({
    action: 'complaint.resolved',
    entity_type: 'complaint',
    entity_id: row.id,
    old_values: { status: 'reviewed' },
    new_values: { status: 'resolved', outcome, claim_id: claim.id, note: note ?? null },
  })
  // Before anybody is told: the lock of a creator comes before those of inboxes.
  if (outcome === 'unfulfilled') await holdToAccount(tx, [partyOf(claim)])
  const next = claimAfter(outcome)
  if (next?.status === 'completed') await complete(tx, claim, 'decided')
  if (next?.status === 'pending') {
    await move(tx, claim, next.status, next.reason)
    auditClaim(tx, claim, 'resumed')
  }
  await tellBoth(tx, claim, row, {
    kind: 'complaint_resolved',
    message: `The complaint about “${claim.title}” is decided: ${OUTCOME_SAYS[outcome]}`,
    sides: ['winner', 'creator'],
  })
  return row
}

export type QueuedComplaint = ComplaintBrief & {
  claim_id: string
  game_id: string
  title: string
  winner: string
  creator: string
  /** How long it has waited, or did until it was decided. */
  age_s: number
  creator_record: Pick<CreatorRecord, 'completed_count' | 'failed_count' | 'fulfilment_bps'>
}

/** What waits for staff, the oldest first; with a status that one alone. */
export async function listComplaints(
  tx: Tx,
  { status, limit, cursor }: { status: ComplaintStatus | null; limit: number; cursor: string | null },
): Promise<{ data: QueuedComplaint[]; next_cursor: string | null }> {
  const after = cursor === null ? null : (decodeCursor(cursor, 'uuid') ?? refuseCursor())
  const rows = await loadQueue(tx, { status, after, limit: limit + 1 })
  const page = rows.slice(0, limit)
  const claims = new Map(
    (
      await loadClaims(
        tx,
        page.map((row) => row.claim_id),
      )
    ).map((claim) => [claim.id, claim]),
  )
  const records = await readRecords(tx, [...claims.values()].map(partyOf))
  const nameOf = await playerNames(tx)
  const last = page.at(-1)
  return {
    data: page.map((row) => {
      const claim = claims.get(row.claim_id)!
      const until = row.resolved_at ?? tx.now
      const { completed_count, failed_count, fulfilment_bps } = records(partyOf(claim))
      return {
        ...complaintBrief(row),
        claim_id: claim.id,
        game_id: claim.game_id,
        title: claim.title,
        winner: nameOf(claim.user_id),
        creator: claim.creator_name,
        age_s: Math.floor((until.getTime() - row.created_at.getTime()) / 1000),
        creator_record: { completed_count, failed_count, fulfilment_bps },
      }
    }),
    next_cursor:
      rows.length > limit ? encodeCursor({ created_us: String(last!.cursor_us), id: last!.id }) : null,
  }
}
