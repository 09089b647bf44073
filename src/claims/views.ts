/** Claims, pictures and complaints as those who may see them do. */
import type { Tx } from '../db/tx.ts'
import { type PlayerNames, playerNames } from '../games/players.ts'
import { type ComplaintRow, loadNewestComplaint } from './complaint-store.ts'
import { loadProofs, type ProofRow } from './proof-store.ts'
import { CLAIM_STATES, type ClaimReason, type ClaimStatus, type Side } from './rules.ts'
import { type ClaimRow, loadMoves } from './store.ts'

/** Who looks: a side, or staff. */
export type Looker = Side | 'staff'

/** True for who watches over a tenant: an operator, an auditor. */
export const isStaff = ({ actor }: Tx): boolean =>
  actor.roles.includes('operator') || actor.roles.includes('auditor')

/** True while staff has not decided. */
export const isOpen = (complaint: Pick<ComplaintRow, 'complaint_status'> | undefined): boolean =>
  complaint !== undefined && complaint.complaint_status !== 'resolved'

/** A claim as it stands in lists. An offer whose time is over is called what it is about to become. */
export function claimBrief(tx: Tx, row: ClaimRow, nameOf: PlayerNames) {
  const is_late = row.claim_status === 'offered' && tx.now >= row.window_ends_at
  const status: ClaimStatus = is_late ? 'forfeited' : row.claim_status
  return {
    claim_id: row.id,
    game_id: row.game_id,
    title: row.title,
    reward: { type: row.reward_type, text: row.reward_text },
    place: row.prize_place,
    status,
    status_says: CLAIM_STATES[status],
    status_at: row.status_at.toISOString(),
    window_ends_at: row.window_ends_at.toISOString(),
    winner: nameOf(row.user_id),
    creator: row.creator_name,
    created_at: row.created_at.toISOString(),
  }
}

export type ClaimBrief = ReturnType<typeof claimBrief>

export type ClaimView = ClaimBrief & {
  you_are: Looker
  claim_info: string | null
  play_id: number | null
  /** Before it the form of a complaint stays closed (S0-23). */
  complaint_opens_at: string
  history: { from: ClaimStatus | null; to: ClaimStatus; at: string; by: string; reason: ClaimReason }[]
  proofs: ProofView[]
  complaint: ComplaintBrief | null
  server_time: string
}

/** A claim as one who may see it does. Staff sees pictures and what the winner wrote while a complaint is open. */
export async function claimView(tx: Tx, row: ClaimRow, looker: Looker): Promise<ClaimView> {
  const complaint = await loadNewestComplaint(tx, row.id)
  const sees_all = looker !== 'staff' || isOpen(complaint)
  const by = (user_id: string, reason: ClaimReason) => {
    if (user_id === row.user_id) return 'winner'
    if (user_id === 'system') return 'system'
    return ['decided', 'dismissed', 'taken_by_staff'].includes(reason) ? 'staff' : 'creator'
  }
  return {
    ...claimBrief(tx, row, await playerNames(tx)),
    you_are: looker,
    claim_info: sees_all ? row.claim_info : null,
    play_id: looker === 'winner' ? row.play_id : null,
    complaint_opens_at: row.window_ends_at.toISOString(),
    history: (await loadMoves(tx, row.id)).map(({ from_status, to_status, moved_at, moved_by, reason }) => ({
      from: from_status,
      to: to_status,
      at: moved_at.toISOString(),
      by: by(moved_by, reason),
      reason,
    })),
    proofs: sees_all ? (await loadProofs(tx, row.id)).map(proofView) : [],
    complaint: complaint === undefined ? null : complaintBrief(complaint),
    server_time: tx.now.toISOString(),
  }
}

/** A picture without its pixels, and where those are. */
export function proofView(row: ProofRow) {
  return {
    proof_id: row.id,
    side: row.side,
    width: row.width,
    height: row.height,
    byte_count: row.byte_count,
    picture_hash: row.picture_hash,
    url: `/api/v1/claims/${row.claim_id}/proofs/${row.id}`,
    created_at: row.created_at.toISOString(),
  }
}

export type ProofView = ReturnType<typeof proofView>

/** A complaint as both sides see it: without who of staff looked at it. */
export function complaintBrief(row: ComplaintRow) {
  return {
    complaint_id: row.id,
    status: row.complaint_status,
    message: row.message,
    answer_due_at: row.answer_due_at.toISOString(),
    answer: row.answer,
    answered_at: row.answered_at?.toISOString() ?? null,
    reviewed_at: row.reviewed_at?.toISOString() ?? null,
    outcome: row.outcome,
    decision_note: row.decision_note,
    resolved_at: row.resolved_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
  }
}

export type ComplaintBrief = ReturnType<typeof complaintBrief>
