/** Webhooks, the outbox, deliveries and the log of their attempts. Events are written by triggers (migrations/0008_webhooks.sql). */
import type { Tx } from '../db/tx.ts'

export type Secrets = {
  secret_sealed: string | null
  previous_secret_sealed: string | null
  previous_secret_until: Date | null
}

/** Puts a secret in force. The one before signs beside it until then; null ends it at once. */
export async function setSecret(
  tx: Tx,
  id: string,
  secret_sealed: string,
  previous_until: Date | null,
): Promise<{ row_version: number } | undefined> {
  return tx.one(
    `update webhooks set previous_secret_sealed = case when $3::timestamptz is null then null else secret_sealed end,
       previous_secret_until = case when secret_sealed is null then null else $3 end,
       secret_sealed = $2, updated_at = $4, row_version = row_version + 1
     where id = $1 and deleted_at is null returning row_version`,
    [id, secret_sealed, previous_until, tx.now],
    'set_webhook_secret',
  )
}

/** Secrets that were sealed with an older key than the first, locked. */
export function loadStaleSecretsForUpdate(tx: Tx, kid: string) {
  return tx.rows<Secrets & { id: string }>(
    `select id, secret_sealed, previous_secret_sealed, previous_secret_until from webhooks
     where split_part(secret_sealed, '.', 2) <> $1 or split_part(previous_secret_sealed, '.', 2) <> $1
     order by id for no key update`,
    [kid],
  )
}

export async function resealSecrets(
  tx: Tx,
  id: string,
  secret_sealed: string | null,
  previous_secret_sealed: string | null,
): Promise<void> {
  await tx.rows('update webhooks set secret_sealed = $2, previous_secret_sealed = $3 where id = $1', [
    id,
    secret_sealed,
    previous_secret_sealed,
  ])
}

export type WebhookRow = Secrets & { id: string; url: string; is_enabled: boolean }

/** A webhook that is there. */
export function loadWebhook(tx: Tx, id: string) {
  return tx.one<WebhookRow>(
    `select id, url, is_enabled, secret_sealed, previous_secret_sealed, previous_secret_until
     from webhooks where id = $1 and deleted_at is null`,
    [id],
    'load_webhook',
  )
}

/** Switches a webhook off because its receiver said so. */
export async function disableWebhook(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx.rows(
    `update webhooks set is_enabled = false, disabled_reason = 'gone', updated_at = $2, row_version = row_version + 1
     where id = $1 and is_enabled returning id`,
    [id, tx.now],
  )
  return rows.length > 0
}

/** Ends every delivery on its way to a webhook. */
export async function stopDeliveries(tx: Tx, webhook_id: string): Promise<void> {
  await tx.rows(
    `update webhook_deliveries set delivery_status = 'stopped', next_attempt_at = null, updated_at = $2
     where webhook_id = $1 and delivery_status = 'pending'`,
    [webhook_id, tx.now],
  )
}

/** An event for one webhook alone. Answers the delivery. */
export async function insertEventFor(
  tx: Tx,
  webhook_id: string,
  event_type: string,
  data: unknown,
): Promise<string> {
  const row = await tx.one<{ id: string }>(
    `with event as (
       insert into outbox (event_type, data, created_at) values ($2, $3, $4) returning id
     )
     insert into webhook_deliveries (webhook_id, event_id, next_attempt_at, created_at, updated_at)
     select $1, id, $4, $4, $4 from event returning id`,
    [webhook_id, event_type, JSON.stringify(data), tx.now],
  )
  return row!.id
}

export type Claimed = {
  id: string
  event_id: string
  event_type: string
  data: unknown
  event_at: Date
  attempt_no: number
  /** Since it began or was replayed, from 1. */
  attempt: number
}

/** Takes deliveries that are due for an attempt. Until `lease_until` nobody else takes them. */
export function claimDeliveries(tx: Tx, webhook_id: string, lease_until: Date, limit: number) {
  return tx.rows<Claimed>(
    `with due as (
       select id from webhook_deliveries
       where webhook_id = $1 and delivery_status = 'pending' and next_attempt_at <= $2
       order by next_attempt_at, id limit $4 for update skip locked
     ), claimed as (
       update webhook_deliveries d set attempt_count = attempt_count + 1, next_attempt_at = $3, updated_at = $2
       from due where d.id = due.id
       returning d.id, d.event_id, d.attempt_count, d.attempts_before
     )
     select c.id, c.event_id, e.event_type, e.data, e.created_at as event_at, c.attempt_count as attempt_no,
            c.attempt_count - c.attempts_before as attempt
     from claimed c join outbox e on e.id = c.event_id order by e.created_at, c.id`,
    [webhook_id, tx.now, lease_until, limit],
    'claim_deliveries',
  )
}

export type AttemptRecord = {
  delivery_id: string
  attempt_no: number
  attempted_at: Date
  duration_ms: number
  status_code: number | null
  failure: string | null
  response_excerpt: string
  delivery_status: 'pending' | 'delivered' | 'failed' | 'stopped'
  next_attempt_at: Date | null
}

/**
 * Writes an attempt down and moves its delivery on, unless another attempt has begun since: then that one decides.
 */
export async function recordAttempt(tx: Tx, record: AttemptRecord): Promise<void> {
  await tx.rows(
    `with attempt as (
       insert into webhook_attempts (delivery_id, attempt_no, attempted_at, duration_ms, status_code, failure, response_excerpt,
                                     next_attempt_at)
       values ($1, $2, $3, $4, $5, $6, $7, $9)
     )
     update webhook_deliveries set delivery_status = $8, next_attempt_at = $9, updated_at = $10
     where id = $1 and attempt_count = $2 and delivery_status = 'pending'`,
    [
      record.delivery_id,
      record.attempt_no,
      record.attempted_at,
      record.duration_ms,
      record.status_code,
      record.failure,
      record.response_excerpt,
      record.delivery_status,
      record.next_attempt_at,
      tx.now,
    ],
    'record_attempt',
  )
}

/** Webhooks with deliveries that should have been tried by now. */
export async function overdueWebhooks(tx: Tx): Promise<string[]> {
  const rows = await tx.rows<{ webhook_id: string }>(
    `select distinct webhook_id from webhook_deliveries where delivery_status = 'pending' and next_attempt_at <= $1`,
    [tx.now],
  )
  return rows.map((row) => row.webhook_id)
}

export type DeliveryRow = {
  id: string
  webhook_id: string
  event_id: string
  event_type: string
  data: unknown
  delivery_status: string
  attempt_count: number
  next_attempt_at: Date | null
  created_at: Date
  updated_at: Date
  created_us: string
}

const DELIVERY = `d.id, d.webhook_id, d.event_id, e.event_type, e.data, d.delivery_status, d.attempt_count, d.next_attempt_at,
  d.created_at, d.updated_at, (extract(epoch from d.created_at) * 1000000)::bigint::text as created_us`

export type DeliveryQuery = {
  webhook_id: string
  status: string | null
  event_type: string | null
  cursor: { created_us: string; id: string } | undefined
  limit: number
}

/** A page of a webhook's deliveries, newest first. */
export function loadDeliveries(tx: Tx, { webhook_id, status, event_type, cursor, limit }: DeliveryQuery) {
  return tx.rows<DeliveryRow>(
    `select ${DELIVERY} from webhook_deliveries d join outbox e on e.id = d.event_id
     where d.webhook_id = $1 and ($2::text is null or d.delivery_status = $2) and ($3::text is null or e.event_type = $3)
       and ($4::bigint is null
            or (d.created_at, d.id) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::uuid))
     order by d.created_at desc, d.id desc limit $6`,
    [webhook_id, status, event_type, cursor?.created_us ?? null, cursor?.id ?? null, limit],
  )
}

export function loadDelivery(tx: Tx, webhook_id: string, id: string) {
  return tx.one<DeliveryRow>(
    `select ${DELIVERY} from webhook_deliveries d join outbox e on e.id = d.event_id where d.webhook_id = $1 and d.id = $2`,
    [webhook_id, id],
  )
}

export type AttemptRow = Omit<AttemptRecord, 'delivery_id' | 'delivery_status'>

export function loadAttempts(tx: Tx, delivery_id: string) {
  return tx.rows<AttemptRow>(
    `select attempt_no, attempted_at, duration_ms, status_code, failure, response_excerpt, next_attempt_at
     from webhook_attempts where delivery_id = $1 order by attempt_no`,
    [delivery_id],
  )
}

/** Sends a delivery on its way again, at once and with the whole schedule of retries. False when there is none. */
export async function restartDelivery(tx: Tx, webhook_id: string, id: string): Promise<boolean> {
  const rows = await tx.rows(
    `update webhook_deliveries set delivery_status = 'pending', attempts_before = attempt_count, next_attempt_at = $3, updated_at = $3
     where webhook_id = $1 and id = $2 returning id`,
    [webhook_id, id, tx.now],
  )
  return rows.length > 0
}

export type ReplayRange = {
  webhook_id: string
  from: Date
  to: Date
  event_type: string | null
  /** Also what was delivered; otherwise only what was not. */
  includes_delivered: boolean
  limit: number
}

/** The same for what happened in a span of time, oldest first. Answers how many, and the time of the last one. */
export async function restartRange(
  tx: Tx,
  range: ReplayRange,
): Promise<{ count: number; last_at: Date | null }> {
  const row = await tx.one<{ count: number; last_at: Date | null }>(
    `with chosen as (
       select d.id, e.created_at from webhook_deliveries d join outbox e on e.id = d.event_id
       where d.webhook_id = $1 and e.created_at >= $2 and e.created_at < $3 and ($4::text is null or e.event_type = $4)
         and (d.delivery_status in ('failed', 'stopped') or ($5 and d.delivery_status = 'delivered'))
       order by e.created_at, d.id limit $6 for update of d
     ), restarted as (
       update webhook_deliveries d
       set delivery_status = 'pending', attempts_before = attempt_count, next_attempt_at = $7, updated_at = $7
       from chosen where d.id = chosen.id returning chosen.created_at
     )
     select count(*)::int as count, max(created_at) as last_at from restarted`,
    [range.webhook_id, range.from, range.to, range.event_type, range.includes_delivered, range.limit, tx.now],
  )
  return row!
}

/** Removes events of before that nobody waits for any more, with their deliveries and attempts. Answers how many. */
export async function deleteOldEvents(tx: Tx, before: Date): Promise<number> {
  const rows = await tx.rows(
    `delete from outbox e where e.created_at < $1
       and not exists (select from webhook_deliveries d where d.event_id = e.id and d.delivery_status = 'pending')
     returning id`,
    [before],
  )
  return rows.length
}
