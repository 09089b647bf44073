/** Brings a database to the schema of this version: forward only, under a lock, refused when the database is ahead. */
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Logger, runMigrations } from 'graphile-worker'
import { runner } from 'node-pg-migrate'
import pg from 'pg'

const DIRECTORY = fileURLToPath(new URL('../../migrations', import.meta.url))
/** Any number, as long as every version of the product uses the same one. */
const LOCK = 5_240_018

export class SchemaAheadError extends Error {}

/**
 * Applies what is missing, in order and in one transaction: all of it or nothing; then what the job queue lacks. A second
 * process waits for the lock and then finds nothing to do. `count` is how many to come to in all, for a restore. Throws SchemaAheadError when the database knows a migration that this version lacks.
 */
export async function migrate(
  url: string,
  log: (message: string) => void = () => {},
  count = Number.POSITIVE_INFINITY,
): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'livedraw-migrate' })
  // A lost connection fails the statement that runs; without a listener it would end the process as well.
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK])
    await refuseIfAhead(client)
    const missing = Math.max(0, count - (await appliedCount(client)))
    if (missing > 0)
      await runner({
        count: missing,
        dbClient: client,
        dir: DIRECTORY,
        direction: 'up',
        migrationsTable: 'schema_migrations',
        // The lock above waits; the library's own would throw at a second process.
        noLock: true,
        log: () => {},
        logger: { debug: () => {}, info: () => {}, warn: log, error: log },
      })
    await migrateQueue(url, log)
  } finally {
    await client.end()
  }
}

/** The tables of the job queue, by its own migrations (each a transaction of its own; they can be repeated). */
async function migrateQueue(url: string, log: (message: string) => void): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1, application_name: 'livedraw-migrate' })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const logger = new Logger(() => (level, message) => {
    if (level === 'error' || level === 'warning') log(message)
  })
  try {
    await runMigrations({ pgPool: pool, logger, noHandleSignals: true })
  } finally {
    await pool.end()
  }
}

/** The migrations of this version, in order. */
export async function migrationNames(): Promise<string[]> {
  return (await readdir(DIRECTORY)).map((file) => file.replace(/\.sql$/, '')).sort()
}

async function appliedCount(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ present: boolean }>(
    `select to_regclass('schema_migrations') is not null as present`,
  )
  if (!rows[0]!.present) return 0
  const counted = await client.query<{ count: number }>(
    'select count(*)::int as count from schema_migrations',
  )
  return counted.rows[0]!.count
}

async function refuseIfAhead(client: pg.Client): Promise<void> {
  const known = new Set(await migrationNames())
  const { rows } = await client.query<{ present: boolean }>(
    `select to_regclass('schema_migrations') is not null as present`,
  )
  if (!rows[0]!.present) return
  const applied = await client.query<{ name: string }>('select name from schema_migrations order by id')
  const unknown = applied.rows.map((row) => row.name).filter((name) => !known.has(name))
  if (unknown.length === 0) return
  throw new SchemaAheadError(
    `The database was migrated by a newer version of Livedraw (${unknown.join(', ')}). Start that version, or restore a backup.`,
  )
}
