/** Checks a tenant's audit chain: every row hashed anew, every link followed, the end held against the head. */
import type { App } from '../app.ts'
import { auditHash } from '../db/append.ts'
import { systemActor } from '../system.ts'
import { type AuditRow, readAuditHead, readChain } from './log-store.ts'

export type ChainReport = {
  /** Rows that were looked at. */
  rows: number
  /** The first row that does not fit, or null. */
  broken: null | { seq: number; why: 'missing' | 'link' | 'hash' | 'head' }
}

/** A page is held in memory while it is hashed. */
const PAGE_ROWS = 1_000

/**
 * Follows the chain of a tenant up to the head it has at the start, while others append. A row that was changed
 * is `hash`, one that was taken out `missing`, one that was exchanged together with its hash `link` at its
 * successor, a chain that was cut off or rewritten to its end `head`.
 */
export async function checkChain(app: App, tenantId: string): Promise<ChainReport> {
  const actor = systemActor(tenantId)
  const head = (await app.run(actor, readAuditHead, undefined)) ?? { audit_seq: 0, audit_hash: null }
  let prev_hash: string | null = null
  let seq = 0
  while (seq < head.audit_seq) {
    const page: AuditRow[] = await app.run(actor, (tx, after: number) => readChain(tx, after, PAGE_ROWS), seq)
    for (const row of page.filter((each) => each.seq <= head.audit_seq)) {
      const why = whyBroken(tenantId, row, seq, prev_hash)
      if (why !== null) return { rows: seq, broken: { seq: seq + 1, why } }
      prev_hash = row.hash
      seq = row.seq
    }
    if (page.length === 0) return { rows: seq, broken: { seq: seq + 1, why: 'missing' } }
  }
  const is_whole = prev_hash === head.audit_hash
  return { rows: seq, broken: is_whole ? null : { seq, why: 'head' } }
}

function whyBroken(tenantId: string, row: AuditRow, before_seq: number, prev_hash: string | null) {
  if (row.seq !== before_seq + 1) return 'missing'
  if (row.prev_hash !== prev_hash) return 'link'
  return auditHash(tenantId, prev_hash, hashedPart(row)) === row.hash ? null : 'hash'
}

/** What append.ts hashed. Address and agent are outside: a purge of personal data may clear them. */
function hashedPart({
  seq,
  user_id,
  action,
  entity_type,
  entity_id,
  old_values,
  new_values,
  created_at,
}: AuditRow) {
  return {
    seq,
    user_id,
    action,
    entity_type,
    entity_id,
    old_values,
    new_values,
    at: created_at.toISOString(),
  }
}
