/**
 * What a use case may touch, and the runner that begins, sets role and tenant, repeats class-40 errors,
 * commits and only then tells. Nothing outside this file begins a transaction for a use case.
 */
import { createHash, randomBytes } from 'node:crypto'
import pg, { type PoolClient } from 'pg'
import { isUnavailable } from '../errors.ts'
import { jcs } from '../fairness/canonical.ts'
import type { Fault } from '../faults.ts'
import type { FairKeys } from '../proofs/keys.ts'
import {
  type Appended,
  type AuditEntry,
  append,
  type FairEvent,
  type LoggedFairEvent,
  type PendingEvent,
  takeHeads,
} from './append.ts'
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
  /**
   * Leaves `work` (statements that were sent, and the check of their answers) to be awaited before the commit, so that
   * they travel with what the runner sends next. A rejection rolls everything back.
   */
  awaitBeforeCommit(work: Promise<unknown>): void
  /** Runs when, and only when, the transaction is committed. Must not throw. */
  afterCommit(tell: (logged: readonly LoggedFairEvent[]) => void): void
}

export type UseCase<I, O> = (tx: Tx, input: I) => Promise<O>

/** Class 40 only (serialization, deadlock). A sixth clash means a hot row, which repeating cannot cure. */
export const RETRY_COUNT_MAX = 5

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** SQLSTATE of every statement behind one that failed. */
const IN_FAILED_TRANSACTION = '25P02'

class RunningTx implements Tx {
  readonly actor: Actor
  readonly now: Date
  readonly keys: FairKeys
  readonly #client: PoolClient
  readonly #events: PendingEvent[] = []
  readonly #audit: AuditEntry[] = []
  readonly #fair: FairEvent[] = []
  readonly #tells: ((logged: readonly LoggedFairEvent[]) => void)[] = []
  readonly #works: Promise<unknown>[] = []
  #begun: Promise<unknown> = Promise.resolve()
  #is_over = false

  constructor(client: PoolClient, actor: Actor, now: Date, keys: FairKeys) {
    this.#client = client
    this.keys = keys
    this.actor = actor
    this.now = now
  }

  async rows<R>(text: string, values: readonly unknown[] = [], name?: string): Promise<R[]> {
    // The connection may serve somebody else by now.
    if (this.#is_over) throw new Error('a statement after the end of its transaction')
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

  /** Its answer is awaited with that of the first statement, which travels with it (see `connectAsApp`). */
  begin(text: string): void {
    this.#begun = this.#client.query(text)
    this.awaitBeforeCommit(this.#begun)
  }

  awaitBeforeCommit(work: Promise<unknown>): void {
    // It is awaited later, or not at all when something else fails first.
    work.catch(() => {})
    this.#works.push(work)
  }

  /**
   * Writes what was collected (see `append` for the order) and commits. The commit is sent behind the last statement
   * without waiting for its answer: PostgreSQL makes a rollback of it when that statement failed.
   */
  async finish(): Promise<Omit<Appended, 'written'>> {
    const pending = { events: this.#events, audit: this.#audit, fair: this.#fair }
    const query = <R>(text: string, values: readonly unknown[], name: string) =>
      this.rows<R>(text, values, name)
    const heads = takeHeads(query, pending)
    await together(...this.#works, heads)
    const { written, ...appended } = append(query, this.actor, this.now, pending, await heads)
    const [, { command }] = await together(written, this.#end('commit'))
    // A statement that failed and was caught leaves a transaction that commits to nothing.
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back by a failure that was hidden')
    return appended
  }

  /** Why the transaction failed: work that is still to be awaited failed before a statement that was refused for it. */
  async causeOf(error: unknown): Promise<unknown> {
    // What was read without a tenant is no answer.
    const [begun] = await Promise.allSettled([this.#begun])
    if (begun.status === 'rejected') return begun.reason
    if ((error as { code?: unknown }).code !== IN_FAILED_TRANSACTION) return error
    const settled = await Promise.allSettled(this.#works)
    return settled.find((work) => work.status === 'rejected')?.reason ?? error
  }

  eventTypes(): string[] {
    return this.#events.map((event) => event.type)
  }

  rollback(): Promise<unknown> {
    return this.#end('rollback')
  }

  #end(how: 'commit' | 'rollback') {
    this.#is_over = true
    return this.#client.query(how)
  }

  tell(logged: readonly LoggedFairEvent[]): void {
    for (const tell of this.#tells) tell(logged)
  }
}

/**
 * The answers of statements that were sent one behind the other without waiting. When one failed, its error is
 * thrown, and not that of a later one, which failed because the transaction had.
 */
export async function together<T extends readonly Promise<unknown>[]>(
  ...work: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const settled = await Promise.allSettled(work)
  return settled.map((each) => {
    if (each.status === 'rejected') throw each.reason
    return each.value
  }) as { -readonly [K in keyof T]: Awaited<T[K]> }
}

export type RunOptions = {
  /**
   * Statements are planned once per connection, whatever their parameters are: for batches, whose statements find rows
   * by key. A batch of one would be planned anew each time, which costs a tenth of it.
   */
  keeps_plans?: boolean
}

export type Runner = {
  /** Runs one use case in one transaction. Class-40 errors are repeated; refusals roll back and pass through. */
  run<I, O>(actor: Actor, useCase: UseCase<I, O>, input: I, options?: RunOptions): Promise<O>
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
  /** Breaks a commit on purpose (FAULT_POINT). */
  fault?: Fault
}

/** Makes the runner. `publish` is called after commit with the events in sequence order. */
export function makeRunner(options: RunnerOptions): Runner {
  const { database, now, publish, logged: grown, stirred: tellUsers, keys, fault } = options

  async function attempt<I, O>(
    actor: Actor,
    useCase: UseCase<I, O>,
    input: I,
    options: RunOptions,
  ): Promise<O> {
    const client = await database.connectAsApp()
    let broken: Error | undefined
    let tell: (() => void) | undefined
    let tx: RunningTx | undefined
    try {
      const running = new RunningTx(client, actor, now(), keys)
      tx = running
      running.begin(beginText(actor.tenantId, options))
      const answer = await useCase(running, input)
      fault?.('before', running.eventTypes())
      const { events, logged, stirred } = await running.finish()
      fault?.('after', running.eventTypes())
      tell = () => {
        if (events.length > 0) publish(events)
        if (logged.length > 0) grown(actor.tenantId)
        if (stirred.length > 0) tellUsers(actor.tenantId, stirred)
        running.tell(logged)
        fault?.('told', running.eventTypes())
      }
      return answer
    } catch (caught) {
      const error = (await tx?.causeOf(caught)) ?? caught
      broken = await rolledBack(client, tx, error)
      throw error
    } finally {
      client.release(broken)
      tell?.()
    }
  }

  return {
    async run(actor, useCase, input, options = {}) {
      for (let tries = 0; ; tries++) {
        try {
          return await attempt(actor, useCase, input, options)
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
async function rolledBack(
  client: PoolClient,
  tx: RunningTx | undefined,
  error: unknown,
): Promise<Error | undefined> {
  if (isUnavailable(error) && !(error instanceof pg.DatabaseError)) return error as Error
  return (tx?.rollback() ?? client.query('rollback')).then(
    () => undefined,
    (failure: Error) => failure,
  )
}

/**
 * Begin, role and tenant in one round trip. The simple protocol takes no parameters, so the tenant is
 * checked to be a uuid and nothing else before it becomes text.
 */
function beginText(tenantId: string, { keeps_plans = false }: RunOptions): string {
  if (!UUID.test(tenantId)) throw new Error('a transaction needs a tenant id')
  const plans = keeps_plans ? '; set local plan_cache_mode = force_generic_plan' : ''
  return `begin; set local role livedraw_app; set local app.tenant_id = '${tenantId}'${plans}`
}

/** Hash of an input, for idempotency: the same request gives the same text whatever its key order. */
export function inputHash(input: unknown): string {
  return createHash('sha256')
    .update(jcs(JSON.parse(JSON.stringify(input ?? null))))
    .digest('hex')
}
