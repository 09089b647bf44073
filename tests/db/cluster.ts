/**
 * One PostgreSQL for a whole test run: started by the first test that asks, stopped when mocha ends or is interrupted.
 * Each caller gets a database of its own, copied from a template that was migrated once.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { standing } from '../../src/db/embedded/postmaster.ts'
import { processFacts } from '../../src/db/embedded/processes.ts'
import { type EmbeddedPostgres, startEmbedded } from '../../src/db/embedded.ts'

export type TestDatabase = { url: string; drop(): Promise<void> }

type Migrate = (url: string) => Promise<void>

const PREFIX = 'livedraw-test-'
const dataDir = join(tmpdir(), `${PREFIX}${process.pid}`)

/** Tests prove logic, not disks; TEST_DURABLE=1 runs them with the durability of the product. */
const QUICK_SETTINGS = { fsync: 'off', full_page_writes: 'off', autovacuum_naptime: '5min' }
const SETTINGS = {
  max_connections: '200',
  shared_buffers: '128MB',
  ...(process.env['TEST_DURABLE'] === '1' ? {} : QUICK_SETTINGS),
}

let cluster: Promise<EmbeddedPostgres> | null = null
const templates = new Map<Migrate, Promise<string>>()

/** A migrated database of its own; the caller drops it, or leaves it to the end of the run. */
export async function testDatabase(options: { migrate?: Migrate } = {}): Promise<TestDatabase> {
  const migrate = options.migrate ?? migrateAsTheServerDoes
  const template = templates.get(migrate) ?? makeTemplate(migrate)
  templates.set(migrate, template)
  return createDatabase(await template)
}

/** A database without anything in it. */
export function emptyDatabase(): Promise<TestDatabase> {
  return createDatabase('template1')
}

async function migrateAsTheServerDoes(url: string): Promise<void> {
  const { migrate } = await import('../../src/db/migrate.ts')
  await migrate(url)
}

async function makeTemplate(migrate: Migrate): Promise<string> {
  const { url } = await emptyDatabase()
  await migrate(url)
  return new URL(url).pathname.slice(1)
}

async function createDatabase(template: string): Promise<TestDatabase> {
  const { url: owner_url } = await runningCluster()
  const name = `test_${randomBytes(6).toString('hex')}`
  // The other strategy writes every page to the log first, for a disk that these databases do not need.
  await run(owner_url, `create database ${name} template ${template} strategy file_copy`)
  const url = new URL(owner_url)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run(owner_url, `drop database if exists ${name} with (force)`) }
}

async function run(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

function runningCluster(): Promise<EmbeddedPostgres> {
  cluster ??= startCluster()
  return cluster
}

function startCluster(): Promise<EmbeddedPostgres> {
  for (const name of readdirSync(tmpdir())) removeIfDead(name)
  mkdirSync(dataDir, { recursive: true, mode: 0o711 })
  process.once('exit', removeNow)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => endBySignal(signal))
  return startEmbedded({ dataDir, log: () => {}, settings: SETTINGS })
}

/** A test run that was killed leaves its cluster running; the next run, whoever's, ends it. */
function removeIfDead(name: string): void {
  const pid = Number(name.startsWith(PREFIX) ? name.slice(PREFIX.length) : Number.NaN)
  if (pid === process.pid || (Number.isSafeInteger(pid) && processFacts(pid) === null))
    removeRun(join(tmpdir(), name))
}

/** Ends what runs on a data directory at once, without waiting, and removes it: nothing there is worth a clean stop. */
function removeRun(dir: string): void {
  const location_file = join(dir, 'postgres.location')
  const place = existsSync(location_file) ? readFileSync(location_file, 'utf8').trim() : dir
  try {
    const found = standing(join(place, 'postgres'))
    if (found.kind === 'running') process.kill(found.file.pid, 'SIGQUIT')
    for (const path of [place, dir])
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  } catch {
    // Of another user, or still ending: a later run tries again.
  }
}

function removeNow(): void {
  if (cluster !== null) removeRun(dataDir)
}

function endBySignal(signal: NodeJS.Signals): void {
  removeNow()
  // With our listener gone the signal does again what it does without us; mocha has its own for SIGINT.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

after(async () => {
  if (cluster === null) return
  const running = await cluster.catch(() => null)
  await running?.stop()
  removeNow()
  cluster = null
})
