/**
 * The three things that every transaction appends to: a game's events, the tenant's audit chain, the tenant's
 * public fairness log. Written together, last, and once per transaction, because their heads are the rows that
 * all transactions of a tenant share.
 */
import { hash as digest } from 'node:crypto'
import { jcs } from '../fairness/canonical.ts'
import { columnsOf } from './columns.ts'
import type { Actor, GameEvent } from './tx.ts'

/** A change of a game before it has its number. `data` is what rooms fold and anybody may read. */
export type PendingEvent = {
  gameId: string
  type: string
  data: Record<string, unknown>
  /** Whose action it was; never published. Defaults to the actor. */
  userId?: string
}

export type AuditEntry = {
  action: string
  entity_type: string
  entity_id?: string
  old_values?: Record<string, unknown>
  new_values?: Record<string, unknown>
  /** For batches, where one transaction acts for many. Defaults to the actor of the transaction. */
  by?: Pick<Actor, 'userId' | 'ip' | 'userAgent'>
}

/** An event of fair-1.md section 11 without `seq` and `at`, which it gets when it is written. */
export type FairEvent = { type: string; commitHash?: string; nonce?: number } & Record<string, unknown>

export type LoggedFairEvent = { seq: number; event: FairEvent }

export type Heads = {
  game_seqs: number[]
  audit_seq: number
  audit_hash: string | null
  log_size: number
  log_hash: string
  /** Whose inbox this transaction has changed: JSON arrays, one per line (stir_inboxes). */
  stirred: string | null
}

type Query = <R>(text: string, values: readonly unknown[], name: string) => Promise<R[]>

const LOG_PREFIX = Buffer.from('fair/1/log\n', 'ascii')

/**
 * The hash of an audit row: SHA-256 over the tenant, the previous hash and the canonical row. Address and
 * agent are personal data that a purge may clear, so they stay outside. `npm run audit` recomputes it.
 */
export function auditHash(tenantId: string, prevHash: string | null, row: Record<string, unknown>): string {
  return digest('sha256', `livedraw/audit/1\n${tenantId}\n${prevHash ?? ''}\n${jcs(row)}`, 'hex')
}

/** The row hash of fair-1.md section 11: SHA256("fair/1/log\n" || previous || SHA256(JCS(event))). */
export function logRowHash(prevHash: string, eventText: string): string {
  const eventHash = digest('sha256', eventText, 'buffer')
  return digest('sha256', Buffer.concat([LOG_PREFIX, Buffer.from(prevHash, 'hex'), eventHash]), 'hex')
}

/** The leaf of RFC 6962 over the same text. */
export function logLeafHash(eventText: string): string {
  return digest('sha256', `\u0000${eventText}`, 'hex')
}

export type Pending = { events: PendingEvent[]; audit: AuditEntry[]; fair: FairEvent[] }

const gameIdsOf = (events: readonly PendingEvent[]): string[] =>
  [...new Set(events.map((event) => event.gameId))].sort()

/**
 * Locks the heads of what a transaction appends to and reserves its numbers, in one fixed order: games (sorted), then
 * the tenant's heads. Undefined when there is nothing to append.
 */
export async function takeHeads(query: Query, { events, audit, fair }: Pending): Promise<Heads | undefined> {
  if (events.length + audit.length + fair.length === 0) return undefined
  const gameIds = gameIdsOf(events)
  const counts = gameIds.map((gameId) => events.filter((event) => event.gameId === gameId).length)
  const [heads] = await query<Heads>(
    `select h.*, current_setting('app.stirred', true) as stirred from take_heads($1, $2, $3, $4) h`,
    [gameIds, counts, audit.length, fair.length],
    'take_heads',
  )
  if (heads === undefined) throw new Error('the tenant has no heads')
  return heads
}

export type Appended = {
  events: GameEvent[]
  logged: LoggedFairEvent[]
  /** Users whose inbox the transaction has changed; it rides along because every change of a prize is audited. */
  stirred: string[]
  /** The answer of the statement that writes them. */
  written: Promise<unknown>
}

/** Numbers and chains what is pending behind `heads` and sends it. */
export function append(
  query: Query,
  actor: Actor,
  now: Date,
  { events, audit, fair }: Pending,
  heads: Heads | undefined,
): Appended {
  if (heads === undefined) return { events: [], logged: [], stirred: [], written: Promise.resolve() }
  const at = now.toISOString()
  const numbered = numberEvents(events, gameIdsOf(events), heads.game_seqs, actor.tenantId, at)
  const chained = chainAudit(audit, heads, actor, at)
  const logged = chainLog(fair, heads, at)
  const written = query(
    WRITE,
    [
      now,
      chained.last,
      logged.last,
      ...EVENTS.values(numbered.map((event, i) => eventRow(event, events[i]!, actor))),
      ...AUDIT.values(chained.rows),
      ...LOG.values(logged.rows),
    ],
    'append',
  )
  return { events: numbered, logged: logged.events, stirred: usersOf(heads.stirred), written }
}

function usersOf(stirred: string | null): string[] {
  if (!stirred) return []
  return [...new Set(stirred.split('\n').flatMap((line) => JSON.parse(line) as string[]))]
}

function numberEvents(
  events: PendingEvent[],
  gameIds: string[],
  before: number[],
  tenantId: string,
  at: string,
): GameEvent[] {
  const next = new Map(gameIds.map((gameId, i) => [gameId, before[i]!]))
  return events.map(({ gameId, type, data }) => {
    const seq = next.get(gameId)! + 1
    next.set(gameId, seq)
    return { tenantId, gameId, seq, type, at, data }
  })
}

type EventRow = ReturnType<typeof eventRow>

function eventRow(event: GameEvent, pending: PendingEvent, actor: Actor) {
  return {
    user_id: pending.userId ?? actor.userId,
    event_type: event.type,
    game_id: event.gameId,
    game_seq: event.seq,
    event_data: event.data,
  }
}

type AuditRow = ReturnType<typeof chainAudit>['rows'][number]

function chainAudit(entries: AuditEntry[], heads: Heads, actor: Actor, at: string) {
  let prev_hash = heads.audit_hash
  const rows = entries.map((entry, i) => {
    const by = entry.by ?? actor
    const hashed = {
      seq: heads.audit_seq + i + 1,
      user_id: by.userId,
      action: entry.action,
      entity_type: entry.entity_type,
      entity_id: entry.entity_id ?? null,
      old_values: entry.old_values ?? null,
      new_values: entry.new_values ?? null,
      at,
    }
    const hash = auditHash(actor.tenantId, prev_hash, hashed)
    const { at: _at, ...columns } = hashed
    const row = { ...columns, ip: by.ip ?? null, agent: by.userAgent?.slice(0, 300) ?? null, prev_hash, hash }
    prev_hash = hash
    return row
  })
  return { rows, last: entries.length > 0 ? prev_hash : null }
}

type LogRow = ReturnType<typeof chainLog>['rows'][number]

function chainLog(events: FairEvent[], heads: Heads, at: string) {
  let prev = heads.log_hash
  const numbered: LoggedFairEvent[] = []
  const rows = events.map((pending, i) => {
    const seq = heads.log_size + i
    const event = { ...pending, seq, at }
    const text = jcs(event)
    const row_hash = logRowHash(prev, text)
    prev = row_hash
    numbered.push({ seq, event })
    return {
      seq,
      type: event.type,
      commit_hash: event.commitHash ?? null,
      nonce: event.nonce ?? null,
      event: text,
      leaf_hash: logLeafHash(text),
      row_hash,
    }
  })
  return { rows, events: numbered, last: events.length > 0 ? prev : null }
}

const EVENTS = columnsOf<EventRow>({
  user_id: 'text',
  event_type: 'text',
  game_id: 'text',
  game_seq: 'bigint',
  event_data: 'jsonb',
})
const AUDIT = columnsOf<AuditRow>({
  seq: 'bigint',
  user_id: 'text',
  action: 'text',
  entity_type: 'text',
  entity_id: 'uuid',
  old_values: 'jsonb',
  new_values: 'jsonb',
  ip: 'text',
  agent: 'text',
  prev_hash: 'text',
  hash: 'text',
})
const LOG = columnsOf<LogRow>({
  seq: 'bigint',
  type: 'text',
  commit_hash: 'text',
  nonce: 'bigint',
  event: 'text',
  leaf_hash: 'text',
  row_hash: 'text',
})

/** One statement for all of it. */
const WRITE = `
with events as (
  insert into game_events (user_id, event_type, event_category, game_id, game_seq, event_data, event_timestamp, created_at)
  select user_id, event_type, split_part(event_type, '.', 1), game_id, game_seq, event_data, $1::timestamptz, $1::timestamptz
  from ${EVENTS.from(4)}
), audit as (
  insert into audit_logs (seq, user_id, action, entity_type, entity_id, old_values, new_values, ip_address, user_agent,
                          prev_hash, hash, created_at)
  select seq, user_id, action, entity_type, entity_id, old_values, new_values, ip, agent, prev_hash, hash, $1::timestamptz
  from ${AUDIT.from(4 + EVENTS.count)}
), log as (
  insert into fair_log (seq, type, commit_hash, nonce, event, leaf_hash, row_hash)
  select seq, type, commit_hash, nonce, event, leaf_hash, row_hash
  from ${LOG.from(4 + EVENTS.count + AUDIT.count)}
)
update tenant_heads
   set audit_hash = coalesce($2, audit_hash), log_hash = coalesce($3, log_hash)
 where tenant_id = app_tenant_id() and ($2::text is not null or $3::text is not null)`
