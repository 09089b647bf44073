/** How long the audit chain knows the addresses and browsers behind its rows: they are outside of what is hashed. */
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import { jobKind, periodic, type Task } from '../jobs/queue.ts'
import { forgetAuditTraces } from './log-store.ts'

const DAY_MS = 86_400_000
/** Rows of one transaction. Nobody else changes them, so nobody waits. */
const BATCH_SIZE = 2_000

/**
 * Forgets the addresses and browsers of rows that are older than `audit_days`, in the order of the chain, a batch of it.
 * Returns true while there is more to look at. Safe from any process.
 */
export async function purgeAuditTraces(tx: Tx, { audit_days }: { audit_days: number }): Promise<boolean> {
  const before = new Date(tx.now.getTime() - audit_days * DAY_MS)
  const { seen, forgotten } = await forgetAuditTraces(tx, before, BATCH_SIZE)
  if (forgotten > 0)
    tx.audit({
      action: 'traces.purged',
      entity_type: 'tenant',
      entity_id: tx.actor.tenantId,
      new_values: { audit_rows: forgotten },
    })
  return seen === BATCH_SIZE
}

const PURGE = jobKind('audit.purge-traces', z.strictObject({}), { attempts_max: 3 })

/** Every night, for every tenant. */
export function auditTracesTask(app: Pick<App, 'run'>, retention: { audit_days: number }): Task {
  return periodic(PURGE, '53 3 * * *', async (actor) => {
    while (await app.run(actor, purgeAuditTraces, retention));
  })
}
