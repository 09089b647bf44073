/**
 * What a use case may touch, and the runner that begins, sets role and tenant, repeats class-40 errors,
 * commits and only then tells. Nothing outside this file begins a transaction for a use case.
 */
import { createHash, randomBytes } from 'node:crypto'
import pg, { type PoolClient } from 'pg'
import { isUnavailable } from '../errors.ts'
import { jcs } from '../fairness/canonical.ts'
import type { FairKeys } from '../proofs/keys.ts'
import { type AuditEntry, append, type FairEvent, type LoggedFairEvent, type PendingEvent } from './append.ts'
import type { Database } from './pool.ts'

export type Role = 'player' | 'spectator' | 'creator' | 'operator' | 'service' | 'auditor' | 'platform'

/** Who acts. Made by a door from a checked token, or by the server for its own work. */
export type Actor = {
  tenantId: string
  userId: string
  roles: readonly Role[]
  ip?: string
  userAgent?: string
  requestId?: string
}

/** A committed change of a game, as rooms and followers get it. `seq` is dense per game, from 1. */
export type GameEvent = {
  tenantId: string
  gameId: string
  seq: number
  type: string
  at: string
  data: Record<string, unknown>
}

export interface Tx {
  readonly actor: Actor
  /** The one instant of this transaction. */
  readonly now: Date
  /** Rows of a statement inside the actor's tenant. A `name` makes it a prepared statement. */
  rows<R = any>(text: string, values?: readonly unknown[], name?: string): Promise<R[]>
  /** The first row, or undefined. */
  one<R = any>(text: string, values?: readonly unknown[], name?: string): Promise<R | undefined>
  /** Seals seeds and signs what is published. */
  readonly keys: FairKeys
  /** n bytes from the operating system. */
  entropy(length_bytes: number): Uint8Array
  /** A row in `game_events` with the game's next sequence number; published after commit. `data` is public. */
  emit(event: PendingEvent): void
  /** A row in the tenant's hash chain. */
  audit(entry: AuditEntry): void
  /** An event of the tenant's public fairness log. */
  log(event: FairEvent): void
  /** Runs when, and only when, the transaction is committed. Must not throw. */
  afterCommit(tell: (logged: readonly LoggedFairEvent[]) => void): void
}

export type UseCase<I, O> = (tx: Tx, input: I) => Promise<O>

/** Class 40 only (serialization, deadlock). A sixth clash means a hot row, which repeating cannot cure. */
export const RETRY_COUNT_MAX = 5

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

class RunningTx implements Tx {
  readonly actor: Actor
  readonly now: Date
  readonly keys: FairKeys
  readonly #client: PoolClient
  readonly #events: PendingEvent[] = []
  readonly #audit: AuditEntry[] = []
  readonly #fair: FairEvent[] = []
  readonly #tells: ((logged: readonly LoggedFairEvent[]) => void)[] = []

  constructor(client: PoolClient, actor: Actor, now: Date, keys: FairKeys) {
    this.#client = client
    this.keys = keys
    this.actor = actor
    this.now = now
  }

  async rows<R>(text: string, values: readonly unknown[] = [], name?: string): Promise<R[]> {
    const result = await this.#client.query({ text, values: values as unknown[], ...(name && { name }) })
    return result.rows as R[]
  }

  async one<R>(text: string, values: readonly unknown[] = [], name?: string): Promise<R | undefined> {
    return (await this.rows<R>(text, values, name))[0]
  }

  entropy(length_bytes: number): Uint8Array {
    return randomBytes(length_bytes)
  }

  emit(event: PendingEvent): void {
    this.#events.push(event)
  }

  audit(entry: AuditEntry): void {
    this.#audit.push(entry)
  }

  log(event: FairEvent): void {
    this.#fair.push(event)
  }

  afterCommit(tell: (logged: readonly LoggedFairEvent[]) => void): void {
    this.#tells.push(tell)
  }

  /** Writes what was collected; see `append` for the order. */
  flush(): ReturnType<typeof append> {
    const pending = { events: this.#events, audit: this.#audit, fair: this.#fair }
    return append((text, values, name) => this.rows(text, values, name), this.actor, this.now, pending)
  }

  tell(logged: readonly LoggedFairEvent[]): void {
    for (const tell of this.#tells) tell(logged)
  }
}

export type Runner = {
  /** Runs one use case in one transaction. Class-40 errors are repeated; refusals roll back and pass through. */
  run<I, O>(actor: Actor, useCase: UseCase<I, O>, input: I): Promise<O>
}

export type RunnerOptions = {
  database: Database
  now: () => Date
  publish: (events: readonly GameEvent[]) => void
  /** Told after commit that a tenant's fairness log has grown. */
  logged: (tenantId: string) => void
  /** Told after commit whose inbox has changed. */
  stirred: (tenantId: string, userIds: readonly string[]) => void
  keys: FairKeys
}

/** Makes the runner. `publish` is called after commit with the events in sequence order. */
export function makeRunner(options: RunnerOptions): Runner {
  const { database, now, publish, logged: grown, stirred: tellUsers, keys } = options

  async function attempt<I, O>(actor: Actor, useCase: UseCase<I, O>, input: I): Promise<O> {
    const client = await database.connect()
    let broken: Error | undefined
    let tell: (() => void) | undefined
    try {
      await client.query(beginText(actor.tenantId))
      const tx = new RunningTx(client, actor, now(), keys)
      const answer = await useCase(tx, input)
      const { events, logged, stirred } = await tx.flush()
      const { command } = await client.query('commit')
      // A statement that failed and was caught leaves a transaction that commits to nothing.
      if (command !== 'COMMIT')
        throw new Error('the transaction was rolled back by a failure that was hidden')
      tell = () => {
        if (events.length > 0) publish(events)
        if (logged.length > 0) grown(actor.tenantId)
        if (stirred.length > 0) tellUsers(actor.tenantId, stirred)
        tx.tell(logged)
      }
      return answer
    } catch (error) {
      broken = await rolledBack(client, error)
      throw error
    } finally {
      client.release(broken)
      tell?.()
    }
  }

  return {
    async run(actor, useCase, input) {
      for (let tries = 0; ; tries++) {
        try {
          return await attempt(actor, useCase, input)
        } catch (error) {
          const clashed =
            typeof (error as { code?: unknown }).code === 'string' &&
            /^40/.test((error as { code: string }).code)
          if (!clashed || tries >= RETRY_COUNT_MAX) throw error
        }
      }
    },
  }
}

/**
 * Rolls back, or says why the connection must not be lent again. Behind a statement that got no answer a rollback
 * would wait as long once more; ending the connection rolls back too.
 */
async function rolledBack(client: PoolClient, error: unknown): Promise<Error | undefined> {
  if (isUnavailable(error) && !(error instanceof pg.DatabaseError)) return error as Error
  return client.query('rollback').then(
    () => undefined,
    (failure: Error) => failure,
  )
}

/**
 * Begin, role and tenant in one round trip. The simple protocol takes no parameters, so the tenant is
 * checked to be a uuid and nothing else before it becomes text.
 */
function beginText(tenantId: string): string {
  if (!UUID.test(tenantId)) throw new Error('a transaction needs a tenant id')
  return `begin; set local role livedraw_app; set local app.tenant_id = '${tenantId}'`
}

/** Hash of an input, for idempotency: the same request gives the same text whatever its key order. */
export function inputHash(input: unknown): string {
  return createHash('sha256')
    .update(jcs(JSON.parse(JSON.stringify(input ?? null))))
    .digest('hex')
}
