/** `/api/v1/webhooks`: where a tenant wants to be told, the log of what was sent there, and sending it again. */
import { z } from 'zod'
import type { Role, Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { LIST_QUERY, listOf, type MadeResource, type Row, resource } from '../http/resource.ts'
import { decodeCursor, encodeCursor } from '../http/resource-store.ts'
import { type Route, route } from '../http/route.ts'
import { addJob } from '../jobs/queue.ts'
import { whyNotUrl } from './address.ts'
import { deliverJob, messageId } from './deliver.ts'
import { renewSecret } from './secrets.ts'
import {
  type DeliveryRow,
  insertEventFor,
  loadAttempts,
  loadDeliveries,
  loadDelivery,
  loadWebhook,
  type ReplayRange,
  restartDelivery,
  restartRange,
} from './store.ts'

const PATH = '/api/v1/webhooks'
const TAGS = ['Webhooks']
const READ: readonly Role[] = ['operator', 'auditor']
const WRITE: readonly Role[] = ['operator']
const OVERLAP_HOURS_MAX = 72
const REPLAY_MAX = 1_000
const STATUSES = ['pending', 'delivered', 'failed', 'stopped'] as const

const id = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f20'
const at = '2026-11-20T12:00:00.000Z'

/** `prize.won`, or a whole area: `prize.*`. */
const eventType = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,31}\.(\*|[a-z][a-z0-9_]{0,30})$/,
    'Such as prize.won, or prize.* for all of an area.',
  )

const fields = {
  url: z.string().max(500),
  description: z.string().trim().min(1).max(200).nullable(),
  event_types: z
    .array(eventType)
    .min(1)
    .max(50)
    .refine((types) => new Set(types).size === types.length, 'A type stands twice.'),
  is_enabled: z.boolean(),
}
const example = {
  url: 'https://shop.example/livedraw',
  description: 'The shop',
  event_types: ['prize.*', 'loyalty.points_moved'],
  is_enabled: true,
}

const shape = z
  .strictObject({
    id: z.uuid(),
    ...fields,
    disabled_reason: z.enum(['gone']).nullable(),
    previous_secret_until: z.iso.datetime().nullable(),
    secret: z
      .string()
      .optional()
      .meta({ description: 'Shown once, in the answer that creates the webhook.' }),
    row_version: z.int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({
    id: 'Webhook',
    example: {
      id,
      ...example,
      disabled_reason: null,
      previous_secret_until: null,
      row_version: 1,
      created_at: at,
      updated_at: at,
    },
  })

const secretAnswer = z.strictObject({
  secret: z.string(),
  previous_secret_until: z.iso.datetime().nullable(),
  row_version: z.int(),
})

const delivery = z.strictObject({
  id: z.uuid(),
  event_id: z.string().meta({ description: 'The `webhook-id` header.' }),
  event_type: z.string(),
  data: z.record(z.string(), z.unknown()),
  status: z.enum(STATUSES),
  attempt_count: z.int(),
  next_attempt_at: z.iso.datetime().nullable(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
const deliveryExample = {
  id,
  event_id: `evt_${id}`,
  event_type: 'prize.won',
  data: { play_id: 123, user_id: 'alice', prize_status: 'locked' },
  status: 'delivered',
  attempt_count: 1,
  next_attempt_at: null,
  created_at: at,
  updated_at: at,
}

const attempt = z.strictObject({
  attempt_no: z.int(),
  attempted_at: z.iso.datetime(),
  duration_ms: z.int(),
  status_code: z.int().nullable(),
  failure: z.string().nullable(),
  response_excerpt: z.string(),
  next_attempt_at: z.iso.datetime().nullable(),
})
const wholeDelivery = delivery.extend({ attempts: z.array(attempt) }).meta({
  example: {
    ...deliveryExample,
    attempts: [
      {
        attempt_no: 1,
        attempted_at: at,
        duration_ms: 84,
        status_code: 204,
        failure: null,
        response_excerpt: '',
        next_attempt_at: null,
      },
    ],
  },
})

const params = z.strictObject({ id: z.uuid() })
const deliveryParams = z.strictObject({ id: z.uuid(), delivery_id: z.uuid() })

/** The resource and the routes around it. `allows_loopback`: for tests and demos on one machine. */
export function webhookRoutes(setting: { allows_loopback: boolean }): Route[] {
  return [
    ...withoutReplay(webhookResource(setting)),
    route({
      method: 'post',
      path: `${PATH}/{id}/rotate-secret`,
      summary: 'Replace the secret of a webhook',
      description:
        'Answers the new secret, once. Messages carry the signatures of both until the old one ends; with `overlap_hours` 0 it ends at once.',
      tags: TAGS,
      roles: WRITE,
      params,
      body: z
        .strictObject({ overlap_hours: z.int().min(0).max(OVERLAP_HOURS_MAX).default(24) })
        .meta({ example: { overlap_hours: 24 } }),
      answer: secretAnswer.meta({
        example: {
          secret: 'whsec_bGl2ZWRyYXctZXhhbXBsZS1zZWNyZXQtMzItYnl0ZXM=',
          previous_secret_until: at,
          row_version: 2,
        },
      }),
      run: ({ params: { id: webhook_id }, body: { overlap_hours }, run }) =>
        run(rotateSecret, { webhook_id, overlap_hours }),
    }),
    route({
      method: 'post',
      path: `${PATH}/{id}/test`,
      summary: 'Send a webhook.test event to a webhook',
      tags: TAGS,
      roles: WRITE,
      params,
      answer: z.strictObject({ delivery_id: z.uuid() }).meta({ example: { delivery_id: id } }),
      status: 202,
      refusals: ['webhook_disabled'],
      run: ({ params: { id: webhook_id }, run }) => run(sendTest, webhook_id),
    }),
    route({
      method: 'get',
      path: `${PATH}/{id}/deliveries`,
      summary: 'List the deliveries to a webhook, newest first',
      tags: TAGS,
      roles: READ,
      params,
      query: z.strictObject({
        ...LIST_QUERY,
        status: z.enum(STATUSES).optional(),
        event_type: z.string().max(64).optional(),
      }),
      answer: listOf(delivery, deliveryExample),
      run: ({ params: { id: webhook_id }, query, run }) => run(listDeliveries, { webhook_id, ...query }),
    }),
    route({
      method: 'get',
      path: `${PATH}/{id}/deliveries/{delivery_id}`,
      summary: 'Read a delivery with every attempt',
      tags: TAGS,
      roles: READ,
      params: deliveryParams,
      answer: wholeDelivery,
      run: ({ params: given, run }) => run(readDelivery, given),
    }),
    route({
      method: 'post',
      path: `${PATH}/{id}/deliveries/{delivery_id}/replay`,
      summary: 'Send a delivery again',
      description: 'At once, under the same `webhook-id`, and with the whole schedule of retries.',
      tags: TAGS,
      roles: WRITE,
      params: deliveryParams,
      answer: delivery.meta({ example: { ...deliveryExample, status: 'pending', next_attempt_at: at } }),
      status: 202,
      refusals: ['webhook_disabled'],
      run: ({ params: given, run }) => run(replayOne, given),
    }),
    route({
      method: 'post',
      path: `${PATH}/{id}/replay`,
      summary: 'Send again what happened in a span of time',
      description: `What was not delivered, or with \`includes_delivered\` everything; oldest first, at most ${REPLAY_MAX} per call. \`next_from\` is where the next call goes on, or null.`,
      tags: TAGS,
      roles: WRITE,
      params,
      body: z
        .strictObject({
          from: z.iso.datetime(),
          to: z.iso.datetime(),
          event_type: z.string().max(64).nullable().default(null),
          includes_delivered: z.boolean().default(false),
        })
        .refine(({ from, to }) => from < to, { path: ['to'], message: 'Must be later than from.' })
        .meta({ example: { from: at, to: '2026-11-21T12:00:00.000Z' } }),
      answer: z
        .strictObject({ replayed: z.int(), next_from: z.iso.datetime().nullable() })
        .meta({ example: { replayed: 12, next_from: null } }),
      status: 202,
      refusals: ['webhook_disabled'],
      run: ({ params: { id: webhook_id }, body, run }) =>
        run(replayRange, {
          webhook_id,
          ...body,
          from: new Date(body.from),
          to: new Date(body.to),
          limit: REPLAY_MAX,
        }),
    }),
  ]
}

/** Creating answers a secret, which must not be stored as the answer of an Idempotency-Key. */
function withoutReplay({ routes }: MadeResource): Route[] {
  return routes.map(({ once: _, ...rest }) => rest)
}

function webhookResource({ allows_loopback }: { allows_loopback: boolean }): MadeResource {
  /** Secrets on their way into the one answer that shows them. */
  const fresh = new WeakMap<Row, string>()
  return resource({
    path: PATH,
    entity: 'webhook',
    title: 'webhook',
    tag: 'Webhooks',
    table: {
      name: 'webhooks',
      id: { column: 'id', kind: 'uuid' },
      columns: ['url', 'description', 'event_types', 'is_enabled', 'disabled_reason'],
      json: ['event_types'],
      reads: ['previous_secret_until'],
      gone: 'deleted_at',
    },
    roles: { read: READ, create: WRITE, update: WRITE, remove: WRITE },
    create: z
      .strictObject({
        ...fields,
        description: fields.description.default(null),
        is_enabled: fields.is_enabled.default(true),
      })
      .meta({ id: 'WebhookCreate', example }),
    update: z
      .strictObject(fields)
      .partial()
      .meta({ id: 'WebhookUpdate', example: { is_enabled: false } }),
    shape,
    beforeWrite(_tx, input) {
      const fault = input.url === undefined ? undefined : whyNotUrl(input.url, { allows_loopback })
      if (fault !== undefined) refuse('invalid_input', { errors: [{ pointer: '/url', detail: fault }] })
      return { ...input, ...(input.is_enabled === true && { disabled_reason: null }) }
    },
    async afterWrite(tx, row, previous) {
      if (previous !== undefined) return undefined
      const made = (await renewSecret(tx, row['id'], null))!
      const now = { ...row, row_version: made.row_version }
      fresh.set(now, made.secret)
      return now
    },
    view(row) {
      const secret = fresh.get(row)
      return { ...row, ...(secret !== undefined && { secret }) }
    },
  })
}

type Rotation = { webhook_id: string; overlap_hours: number }

/** Puts a new secret in force. Refuses not_found. */
async function rotateSecret(tx: Tx, { webhook_id, overlap_hours }: Rotation) {
  const previous_secret_until =
    overlap_hours === 0 ? null : new Date(tx.now.getTime() + overlap_hours * 3_600_000)
  const made = (await renewSecret(tx, webhook_id, previous_secret_until)) ?? refuse('not_found')
  tx.audit({
    action: 'rotate_secret',
    entity_type: 'webhook',
    entity_id: webhook_id,
    new_values: { previous_secret_until: previous_secret_until?.toISOString() ?? null },
  })
  return { secret: made.secret, previous_secret_until, row_version: made.row_version }
}

/** The webhook, if something can be sent there. Refuses not_found and webhook_disabled. */
async function enabledWebhook(tx: Tx, webhook_id: string): Promise<void> {
  const webhook = (await loadWebhook(tx, webhook_id)) ?? refuse('not_found')
  if (!webhook.is_enabled) refuse('webhook_disabled')
}

async function sendTest(tx: Tx, webhook_id: string) {
  await enabledWebhook(tx, webhook_id)
  const delivery_id = await insertEventFor(tx, webhook_id, 'webhook.test', { asked_by: tx.actor.userId })
  await addJob(tx, deliverJob, { webhook_id })
  return { delivery_id }
}

type ListInput = {
  webhook_id: string
  limit: number
  cursor?: string | undefined
  status?: string | undefined
  event_type?: string | undefined
}

async function listDeliveries(
  tx: Tx,
  { webhook_id, limit, cursor: text, status = undefined, event_type }: ListInput,
) {
  if ((await loadWebhook(tx, webhook_id)) === undefined) refuse('not_found')
  const cursor = text === undefined ? undefined : decodeCursor(text, 'uuid')
  if (text !== undefined && cursor === undefined)
    refuse('invalid_input', { errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }] })
  const found = await loadDeliveries(tx, {
    webhook_id,
    status: status ?? null,
    event_type: event_type ?? null,
    cursor,
    limit: limit + 1,
  })
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return {
    data: page.map(deliveryView),
    next_cursor: found.length > limit && last ? encodeCursor(last) : null,
  }
}

function deliveryView({ webhook_id: _, created_us: __, delivery_status: status, ...row }: DeliveryRow) {
  return { ...row, event_id: messageId(row.event_id), status }
}

type DeliveryRef = { id: string; delivery_id: string }

async function readDelivery(tx: Tx, { id: webhook_id, delivery_id }: DeliveryRef) {
  const row = (await loadDelivery(tx, webhook_id, delivery_id)) ?? refuse('not_found')
  return { ...deliveryView(row), attempts: await loadAttempts(tx, delivery_id) }
}

async function replayOne(tx: Tx, { id: webhook_id, delivery_id }: DeliveryRef) {
  await enabledWebhook(tx, webhook_id)
  if (!(await restartDelivery(tx, webhook_id, delivery_id))) refuse('not_found')
  await addJob(tx, deliverJob, { webhook_id })
  tx.audit({ action: 'replay', entity_type: 'webhook', entity_id: webhook_id, new_values: { delivery_id } })
  return deliveryView((await loadDelivery(tx, webhook_id, delivery_id))!)
}

async function replayRange(tx: Tx, range: ReplayRange) {
  await enabledWebhook(tx, range.webhook_id)
  const { count, last_at } = await restartRange(tx, range)
  if (count > 0) await addJob(tx, deliverJob, { webhook_id: range.webhook_id })
  const { from, to, event_type, includes_delivered } = range
  tx.audit({
    action: 'replay',
    entity_type: 'webhook',
    entity_id: range.webhook_id,
    new_values: {
      from: from.toISOString(),
      to: to.toISOString(),
      event_type,
      includes_delivered,
      replayed: count,
    },
  })
  return { replayed: count, next_from: count < range.limit ? null : last_at }
}
