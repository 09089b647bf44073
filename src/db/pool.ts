/** The pool: every limit of waiting, and the listeners without which a stopped database ends the process. */

import { Socket } from 'node:net'
import type { PoolClient } from 'pg'
import pg from 'pg'

/** Money and counters are bigint in SQL. Counters fit a double exactly; money is read as text where it matters. */
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a JavaScript integer`)
  return value
})

export type Database = {
  /** A connection of the owner, for what looks across tenants. */
  connect(): Promise<PoolClient>
  /**
   * A connection that is `livedraw_app` from its first statement on. Without a tenant it sees nothing, so statements may
   * be sent behind a `begin` whose answer is not there yet: should it fail, they do no harm.
   */
  connectAsApp(): Promise<PoolClient>
  query<R = any>(text: string, values?: readonly unknown[]): Promise<R[]>
  end(): Promise<void>
  stats(): { total: number; idle: number; waiting: number }
}

export type PoolLimits = {
  connections_max: number
  /** Waiting for a free connection; past it the request gets a fast 503 (reliability 4.3). */
  connect_timeout_ms: number
  statement_timeout_ms: number
  lock_timeout_ms: number
  idle_in_transaction_timeout_ms: number
  /** In the client, so that a cut network does not hang for the kernel's quarter of an hour. */
  query_timeout_ms: number
}

export const POOL_LIMITS: PoolLimits = {
  connections_max: 20,
  connect_timeout_ms: 2_000,
  statement_timeout_ms: 5_000,
  lock_timeout_ms: 3_000,
  idle_in_transaction_timeout_ms: 5_000,
  query_timeout_ms: 8_000,
}

/** What is written in one turn leaves in one packet: statements that do not wait for one another travel together. */
class GatheringSocket extends Socket {
  #is_gathering = false

  override write(...args: any[]): boolean {
    if (!this.#is_gathering) {
      this.#is_gathering = true
      this.cork()
      process.nextTick(() => {
        this.#is_gathering = false
        this.uncork()
      })
    }
    return super.write(...(args as Parameters<Socket['write']>))
  }
}

/** Of the owner's connections there are a quarter as many: few requests look across tenants. */
const OWNER_SHARE = 4

/** Opens the pools on `url`: use cases run as `livedraw_app`, in transactions of a tenant. */
export function openPool(
  url: string,
  onError: (error: Error) => void,
  limits: PoolLimits = POOL_LIMITS,
): Database {
  const { pool: app, database: of_app } = openPgPool(url, onError, limits, 'livedraw')
  // Travels in front of the first statement. When it fails the connection has failed, and says so again.
  app.on('connect', (client) => void client.query('set role livedraw_app').catch(() => {}))
  const owner_limits = { ...limits, connections_max: Math.ceil(limits.connections_max / OWNER_SHARE) }
  const { pool: owner, database } = openPgPool(url, onError, owner_limits, 'livedraw-owner')
  return {
    ...database,
    connectAsApp: () => app.connect(),
    end: async () => void (await Promise.all([of_app.end(), database.end()])),
    stats: () => ({
      total: app.totalCount + owner.totalCount,
      idle: app.idleCount + owner.idleCount,
      waiting: app.waitingCount + owner.waitingCount,
    }),
  }
}

/** The owner's connections only. */
export type OwnDatabase = Omit<Database, 'connectAsApp'>

/**
 * One pool of the owner, and the pool itself for a library that takes one. `name` is what PostgreSQL shows of its
 * sessions.
 */
export function openPgPool(
  url: string,
  onError: (error: Error) => void,
  limits: PoolLimits,
  name: string,
): { pool: pg.Pool; database: OwnDatabase } {
  const pool = new pg.Pool({
    connectionString: url,
    max: limits.connections_max,
    connectionTimeoutMillis: limits.connect_timeout_ms,
    query_timeout: limits.query_timeout_ms,
    statement_timeout: limits.statement_timeout_ms,
    lock_timeout: limits.lock_timeout_ms,
    idle_in_transaction_session_timeout: limits.idle_in_transaction_timeout_ms,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    pipeline: true,
    stream: () => new GatheringSocket(),
    application_name: name,
  })
  let is_ending = false
  const report = (error: Error) => {
    // PostgreSQL may stop before it has read that we go: no news.
    if (is_ending) return
    // The pool hangs the whole client on it, which is nothing for a log.
    Reflect.deleteProperty(error, 'client')
    onError(error)
  }
  pool.on('error', report)
  pool.on('connect', (client) => client.on('error', report))
  const end = () => {
    is_ending = true
    return pool.end()
  }
  const database: OwnDatabase = {
    connect: () => pool.connect(),
    query: async (text, values) => (await pool.query(text, values as unknown[])).rows,
    end,
    stats: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
  }
  return { pool, database }
}
