/**
 * Expiry as rows (S2-07, S2-38): reads are exact at the deadline by themselves, and this writes down what they say, so
 * that it is counted, audited and final.
 */
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import { jobKind, periodic, type Task } from '../jobs/queue.ts'
import { systemActor } from '../system.ts'
import { deleteLapsedHolds, expirePlays } from './redemption-store.ts'
import { sayMove } from './store.ts'

/** Rows of one transaction: few enough that nobody waits for its locks. */
const BATCH_SIZE = 500

const EXPIRE = jobKind('prizes.expire', z.strictObject({}))

/**
 * Expires up to `limit` prizes that are past their expiry and grace, and forgets as many holds that have ended. A prize
 * that somebody is using at this moment is left to that use, and to the next call. Returns how many rows it changed;
 * `limit` or more means that there can be others.
 */
export async function expireDue(tx: Tx, { limit }: { limit: number }): Promise<number> {
  await sayMove(tx, 'expired')
  const expired = await expirePlays(tx, limit)
  for (const { id, uuid, user_id, was } of expired) {
    tx.audit({
      action: 'expire',
      entity_type: 'game_play',
      entity_id: uuid,
      old_values: { prize_status: was },
      new_values: { prize_status: 'expired', play_id: id, user_id },
    })
  }
  const lapsed = await deleteLapsedHolds(tx, limit)
  return Math.max(expired.length, lapsed)
}

/** Expires everything that is due in a tenant, batch by batch. Safe from any process, at any time. */
export async function expirePrizes(app: App, tenantId: string): Promise<void> {
  const expire = () => app.run(systemActor(tenantId), expireDue, { limit: BATCH_SIZE })
  while ((await expire()) >= BATCH_SIZE);
}

/** Whatever is due, once a minute: reads do not wait for it. */
export function expiryTask(app: App): Task {
  return periodic(EXPIRE, '* * * * *', ({ tenantId }) => expirePrizes(app, tenantId))
}
