/**
 * Brings events to webhooks. An attempt is claimed in one transaction, made outside of any, and written down in another:
 * a process that dies in between leaves a delivery that is tried again, so a receiver may see an event twice, under one id.
 */
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Actor, Tx } from '../db/tx.ts'
import { addJob, type JobContext, jobKind, periodic, type Task, task } from '../jobs/queue.ts'
import { judge } from './rules.ts'
import { signingKeys } from './secrets.ts'
import type { Sender, Sent } from './send.ts'
import { signedHeaders } from './sign.ts'
import {
  type Claimed,
  claimDeliveries,
  deleteOldEvents,
  disableWebhook,
  loadWebhook,
  overdueWebhooks,
  recordAttempt,
  stopDeliveries,
} from './store.ts'

/** Its name stands in migrations/0008_webhooks.sql, where events are published. */
export const deliverJob = jobKind('webhooks.deliver', z.strictObject({ webhook_id: z.uuid() }))
const sweepJob = jobKind('webhooks.sweep', z.strictObject({}))
const purgeJob = jobKind('webhooks.purge', z.strictObject({}))

/** At once to one receiver. */
const BATCH = 10
/** Longer than the longest attempt: past it the process that made it is taken for dead. */
const LEASE_MS = 60_000
/** After so long a job makes room for others and goes on as another one. */
const TURN_MS = 10_000
/** Slow receivers may not hold all workers: half of them stay free for deadlines of games. */
const BUSY_MAX = 4
const BUSY_AGAIN_MS = 1_000
/** How long what was delivered can be looked at and replayed. */
export const KEPT_DAYS = 30
const DAY_MS = 86_400_000

/** The tasks of this area. */
export function webhookTasks({ app, send }: { app: App; send: Sender }): Task[] {
  let busy = 0

  async function deliver(
    actor: Actor,
    { webhook_id }: { webhook_id: string },
    { signal }: JobContext,
  ): Promise<void> {
    if (busy >= BUSY_MAX) return wake(actor, webhook_id, BUSY_AGAIN_MS)
    busy++
    try {
      const began_ms = performance.now()
      for (;;) {
        const claimed = await app.run(actor, claim, webhook_id)
        if (claimed === undefined) return
        await Promise.all(claimed.items.map((item) => attempt(actor, claimed, item, signal)))
        if (performance.now() - began_ms > TURN_MS || signal.aborted) return wake(actor, webhook_id, 0)
      }
    } finally {
      busy--
    }
  }

  const wake = (actor: Actor, webhook_id: string, after_ms: number) =>
    app.run(
      actor,
      (tx) => addJob(tx, deliverJob, { webhook_id }, { run_at: new Date(tx.now.getTime() + after_ms) }),
      undefined,
    )

  async function attempt(actor: Actor, batch: Batch, item: Claimed, signal: AbortSignal): Promise<void> {
    const at = app.clock.now()
    const body = bodyOf(item)
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Livedraw-Webhooks/1',
      ...signedHeaders(batch.keys, messageId(item.event_id), at, body),
    }
    const sent = await send(batch.url, headers, body, signal)
    await app.run(actor, record, { webhook_id: batch.webhook_id, item, at, sent })
  }

  return [
    task(deliverJob, deliver),
    // Every attempt has its job; this one is for those whose process died between an attempt and its record.
    periodic(sweepJob, '* * * * *', (actor) =>
      app.run(
        actor,
        async (tx) => {
          for (const webhook_id of await overdueWebhooks(tx)) await addJob(tx, deliverJob, { webhook_id })
        },
        undefined,
      ),
    ),
    periodic(purgeJob, '17 3 * * *', async (actor) => {
      await app.run(
        actor,
        (tx) => deleteOldEvents(tx, new Date(tx.now.getTime() - KEPT_DAYS * DAY_MS)),
        undefined,
      )
    }),
  ]
}

/** What a receiver tells repetitions by. */
export const messageId = (event_id: string): string => `evt_${event_id}`

/** The same bytes at every attempt. */
export function bodyOf({
  event_type,
  event_at,
  data,
}: Pick<Claimed, 'event_type' | 'event_at' | 'data'>): string {
  return JSON.stringify({ type: event_type, timestamp: event_at.toISOString(), data })
}

type Batch = { webhook_id: string; url: string; keys: Buffer[]; items: Claimed[] }

/** Takes what is due. Undefined when nothing is; what was on its way to a webhook that is off or gone is stopped. */
async function claim(tx: Tx, webhook_id: string): Promise<Batch | undefined> {
  const webhook = await loadWebhook(tx, webhook_id)
  if (webhook === undefined || !webhook.is_enabled) {
    await stopDeliveries(tx, webhook_id)
    return undefined
  }
  const items = await claimDeliveries(tx, webhook_id, new Date(tx.now.getTime() + LEASE_MS), BATCH)
  return items.length === 0
    ? undefined
    : { webhook_id, url: webhook.url, keys: signingKeys(tx, webhook), items }
}

type Outcome = { webhook_id: string; item: Claimed; at: Date; sent: Sent }

/** Writes down what an attempt met, and asks for the next one. */
async function record(tx: Tx, { webhook_id, item, at, sent }: Outcome): Promise<void> {
  const verdict = judge(sent, item.attempt)
  const next_attempt_at =
    verdict.kind === 'again' ? new Date(tx.now.getTime() + verdict.after_s * 1_000) : null
  const statuses = { delivered: 'delivered', gone: 'stopped', again: 'pending', given_up: 'failed' } as const
  await recordAttempt(tx, {
    delivery_id: item.id,
    attempt_no: item.attempt_no,
    attempted_at: at,
    ...sent,
    delivery_status: statuses[verdict.kind],
    next_attempt_at,
  })
  if (next_attempt_at !== null) await addJob(tx, deliverJob, { webhook_id }, { run_at: next_attempt_at })
  if (verdict.kind === 'gone') await switchOff(tx, webhook_id)
}

async function switchOff(tx: Tx, webhook_id: string): Promise<void> {
  await stopDeliveries(tx, webhook_id)
  if (!(await disableWebhook(tx, webhook_id))) return
  tx.audit({
    action: 'disable',
    entity_type: 'webhook',
    entity_id: webhook_id,
    old_values: { is_enabled: true },
    new_values: { is_enabled: false, disabled_reason: 'gone' },
  })
}
