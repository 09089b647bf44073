/**
 * What plays say about the people behind them (S2-11): address and browser, kept as they came for a while, then as a
 * fingerprint that only tells the same from another, then not at all.
 */
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import { jobKind, periodic, type Task } from '../jobs/queue.ts'
import { fingerprinter } from '../proofs/tenant-secrets.ts'
import { statusOf } from './play.ts'
import {
  forgetClaims,
  forgetTraces,
  hashTraces,
  loadPlainTraces,
  loadPlayTraces,
  type PlayTraceRow,
} from './traces-store.ts'

/** Days after which traces become fingerprints, and after which they are forgotten. */
export type Retention = { hash_days: number; purge_days: number }

const DAY_MS = 86_400_000
/** Rows of one transaction: few enough that nobody waits for its locks. */
const BATCH_SIZE = 1_000
/** Enough to tell addresses of a tenant apart. */
const HASH_LENGTH = 32

/**
 * Hashes and forgets traces of plays that are old enough, up to a batch of each, and where claimed things went that are
 * long closed. Returns how many rows it changed; call again until that is 0. Safe from any process.
 */
export async function purgePlayTraces(tx: Tx, { hash_days, purge_days }: Retention): Promise<number> {
  const before = (days: number) => new Date(tx.now.getTime() - days * DAY_MS)
  const forgotten = await forgetTraces(tx, before(purge_days), BATCH_SIZE)
  const claims = await forgetClaims(tx, before(purge_days))
  const plain = await loadPlainTraces(tx, before(hash_days), BATCH_SIZE)
  if (plain.length > 0) {
    const hashOf = await fingerprinter(tx, 'traces')
    await hashTraces(
      tx,
      plain.map(({ id, ip_address }) => ({
        id,
        ip_address: ip_address && `h:${hashOf(ip_address).slice(0, HASH_LENGTH)}`,
      })),
    )
  }
  const count = forgotten + claims + plain.length
  if (count > 0)
    tx.audit({
      action: 'traces.purged',
      entity_type: 'tenant',
      entity_id: tx.actor.tenantId,
      new_values: { forgotten, claims, hashed: plain.length },
    })
  return count
}

const PURGE = jobKind('plays.purge-traces', z.strictObject({}), { attempts_max: 3 })

/** Every night, for every tenant. */
export function tracesTask(app: Pick<App, 'run'>, retention: Retention): Task {
  return periodic(PURGE, '41 3 * * *', async (actor) => {
    while ((await app.run(actor, purgePlayTraces, retention)) > 0);
  })
}

/** A page of plays with their traces, for staff, newest first. */
export async function readPlayTraces(
  tx: Tx,
  input: {
    user_id: string | null
    game_id: number | null
    after: { at: string; id: string } | null
    limit: number
  },
) {
  const rows = await loadPlayTraces(tx, input, input.after, input.limit + 1)
  const page = rows.slice(0, input.limit)
  const last = page.at(-1)
  return {
    data: page.map((row) => traceView(row, tx.now)),
    next:
      rows.length > input.limit && last ? { at: last.created_at.toISOString(), id: String(last.id) } : null,
  }
}

/** A prize that was never opened is its winner's secret, also to staff's lists (S2-04): no part of it is here. */
function traceView({ created_at, expires_at, grace_hours, prize_status, ...row }: PlayTraceRow, now: Date) {
  return {
    ...row,
    prize_status: statusOf({ prize_status, expires_at, grace_hours }, now),
    created_at: created_at.toISOString(),
  }
}
