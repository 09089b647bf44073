/** Statements over complaints. */
import type { Tx } from '../db/tx.ts'
import type { ComplaintStatus, Outcome } from './rules.ts'

export type ComplaintRow = {
  id: string
  claim_id: string
  complained_by: string
  message: string
  complaint_status: ComplaintStatus
  answer_due_at: Date
  answer: string | null
  answered_by: string | null
  answered_at: Date | null
  reviewed_by: string | null
  reviewed_at: Date | null
  outcome: Outcome | null
  decision_note: string | null
  resolved_by: string | null
  resolved_at: Date | null
  failed_at: Date | null
  row_version: number
  created_at: Date
}

const COLUMNS = `id, claim_id, complained_by, message, complaint_status, answer_due_at, answer, answered_by, answered_at,
  reviewed_by, reviewed_at, outcome, decision_note, resolved_by, resolved_at, failed_at, row_version, created_at`

export function loadComplaint(tx: Tx, id: string) {
  return tx.one<ComplaintRow>(`select ${COLUMNS} from complaints where id = $1`, [id])
}

/** The same with its row locked. */
export function loadComplaintForUpdate(tx: Tx, id: string) {
  return tx.one<ComplaintRow>(`select ${COLUMNS} from complaints where id = $1 for no key update`, [id])
}

export function loadNewestComplaint(tx: Tx, claim_id: string) {
  return tx.one<ComplaintRow>(
    `select ${COLUMNS} from complaints where claim_id = $1 order by created_at desc, id desc limit 1`,
    [claim_id],
  )
}

export async function countComplaints(tx: Tx, claim_id: string): Promise<number> {
  const row = await tx.one<{ count: number }>(
    'select count(*)::int as count from complaints where claim_id = $1',
    [claim_id],
  )
  return row!.count
}

/** The index lets one complaint of a claim be open: undefined when another is. */
export function insertComplaint(
  tx: Tx,
  complaint: Pick<ComplaintRow, 'id' | 'claim_id' | 'message' | 'answer_due_at'>,
) {
  const { id, claim_id, message, answer_due_at } = complaint
  return tx.one<ComplaintRow>(
    `insert into complaints (id, claim_id, complained_by, message, answer_due_at, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $6) on conflict do nothing returning ${COLUMNS}`,
    [id, claim_id, tx.actor.userId, message, answer_due_at, tx.now],
  )
}

/** Resolves the open complaint of a claim that was handed over. Returns its id, if there is one. */
export async function closeAsFulfilled(tx: Tx, claim_id: string): Promise<string | undefined> {
  const row = await tx.one<{ id: string }>(
    `update complaints
     set complaint_status = 'resolved', outcome = 'fulfilled', resolved_by = $2, resolved_at = $3,
         row_version = row_version + 1, updated_at = $3
     where claim_id = $1 and complaint_status <> 'resolved' returning id`,
    [claim_id, tx.actor.userId, tx.now],
  )
  return row?.id
}

/** Writes what the creator says. Undefined when it was answered or resolved meanwhile. */
export function answerComplaint(tx: Tx, id: string, answer: string) {
  return tx.one<ComplaintRow>(
    `update complaints set answer = $2, answered_by = $3, answered_at = $4, row_version = row_version + 1, updated_at = $4
     where id = $1 and answered_at is null and complaint_status <> 'resolved' returning ${COLUMNS}`,
    [id, answer, tx.actor.userId, tx.now],
  )
}

/** Says that staff has looked at it. The caller holds its lock and has seen that it is pending. */
export async function reviewComplaint(tx: Tx, id: string): Promise<ComplaintRow> {
  const row = await tx.one<ComplaintRow>(
    `update complaints
     set complaint_status = 'reviewed', reviewed_by = $2, reviewed_at = $3, row_version = row_version + 1, updated_at = $3
     where id = $1 returning ${COLUMNS}`,
    [id, tx.actor.userId, tx.now],
  )
  return row!
}

/** Decides it. The caller holds its lock and has seen that it is reviewed. A failure counts from when it first did. */
export async function resolveComplaint(
  tx: Tx,
  id: string,
  outcome: Outcome,
  note: string | null,
): Promise<ComplaintRow> {
  const row = await tx.one<ComplaintRow>(
    `update complaints
     set complaint_status = 'resolved', outcome = $2::text, decision_note = $3, resolved_by = $4, resolved_at = $5,
         failed_at = coalesce(failed_at, case when $2::text = 'unfulfilled' then $5::timestamptz end),
         row_version = row_version + 1, updated_at = $5
     where id = $1 returning ${COLUMNS}`,
    [id, outcome, note, tx.actor.userId, tx.now],
  )
  return row!
}

/** Notes silence past the time of an answer, once. */
export function failUnanswered(tx: Tx, limit: number) {
  return tx.rows<ComplaintRow>(
    `update complaints set failed_at = $1, row_version = row_version + 1, updated_at = $1
     where id in
       (select id from complaints
        where complaint_status <> 'resolved' and answered_at is null and failed_at is null and answer_due_at <= $1
        order by answer_due_at, id limit $2 for no key update skip locked)
     returning ${COLUMNS}`,
    [tx.now, limit],
  )
}

export type QueueQuery = {
  status: ComplaintStatus | null
  after: { created_us: string; id: string } | null
  limit: number
}

/** The queue of staff: the oldest first. Without a status everything that is open. */
export function loadQueue(tx: Tx, { status, after, limit }: QueueQuery) {
  return tx.rows<ComplaintRow & { cursor_us: number }>(
    `select ${COLUMNS}, (extract(epoch from created_at) * 1000000)::bigint as cursor_us from complaints
     where case when $1::text is null then complaint_status <> 'resolved' else complaint_status = $1 end
       and ($2::bigint is null
            or (created_at, id) > (timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3::uuid))
     order by created_at, id limit $4`,
    [status, after?.created_us ?? null, after?.id ?? null, limit],
  )
}
