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
