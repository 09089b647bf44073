/** Statements about the audit chain of the tenant of this transaction. */
import type { Tx } from '../db/tx.ts'

export type AuditRow = {
  id: string
  seq: number
  user_id: string
  action: string
  entity_type: string
  entity_id: string | null
  old_values: Record<string, unknown> | null
  new_values: Record<string, unknown> | null
  ip_address: string | null
  user_agent: string | null
  prev_hash: string | null
  hash: string
  created_at: Date
}

const COLUMNS = `id, seq, user_id, action, entity_type, entity_id, old_values, new_values, ip_address, user_agent,
                 prev_hash, hash, created_at`

export type AuditFilter = {
  before_seq: number
  entity_type?: string | undefined
  entity_id?: string | undefined
  user_id?: string | undefined
  action?: string | undefined
}

/** Rows newest first, from the one before `before_seq`. */
export function listAudit(tx: Tx, filter: AuditFilter, limit: number): Promise<AuditRow[]> {
  const { before_seq, entity_type, entity_id, user_id, action } = filter
  return tx.rows(
    `select ${COLUMNS} from audit_logs
     where seq < $1 and ($2::text is null or entity_type = $2) and ($3::uuid is null or entity_id = $3)
       and ($4::text is null or user_id = $4) and ($5::text is null or action = $5)
     order by seq desc limit $6`,
    [before_seq, entity_type ?? null, entity_id ?? null, user_id ?? null, action ?? null, limit],
  )
}

/** Rows in the order of the chain, after `after_seq`. */
export function readChain(tx: Tx, after_seq: number, limit: number): Promise<AuditRow[]> {
  return tx.rows(`select ${COLUMNS} from audit_logs where seq > $1 order by seq limit $2`, [after_seq, limit])
}

/** Where the chain ends according to the tenant's head. */
export function readAuditHead(tx: Tx): Promise<{ audit_seq: number; audit_hash: string | null } | undefined> {
  return tx.one('select audit_seq, audit_hash from tenant_heads')
}

/**
 * Clears address and agent of the next rows of the chain that are from before then, up to `limit` of them, and remembers
 * how far it came. Returns how many rows it went over, and how many of them had something to forget.
 */
export async function forgetAuditTraces(
  tx: Tx,
  before: Date,
  limit: number,
): Promise<{ seen: number; forgotten: number }> {
  const row = await tx.one<{ seen: number; forgotten: number }>(
    `with next as (
       select seq, ip_address is not null or user_agent is not null as is_traced,
              -- Clocks of processes differ by a little: the first row that is too young ends it.
              bool_or(created_at >= $1) over (order by seq) as is_young
       from (select seq, ip_address, user_agent, created_at from audit_logs
             where seq > (select forgotten_seq from tenant_heads) order by seq limit $2) n
     ), gone as (
       update audit_logs a set ip_address = null, user_agent = null
       from next where a.seq = next.seq and next.is_traced and not next.is_young
         -- Of the row as it is once it is ours: another process may have been there.
         and (a.ip_address is not null or a.user_agent is not null) returning 1
     ), mark as (
       update tenant_heads h set forgotten_seq = greatest(h.forgotten_seq, n.last_seq)
       from (select max(seq) as last_seq from next where not is_young) n where n.last_seq is not null
     )
     select (select count(*)::int from next where not is_young) as seen, (select count(*)::int from gone) as forgotten`,
    [before, limit],
    'forget_audit_traces',
  )
  return row!
}
