/**
 * A backup: everything in the database as of one instant, in one file that checks itself. It needs no program of
 * PostgreSQL, because the one that comes with the packages has neither pg_dump nor psql, and no superuser.
 *
 * The file is gzip of lines of JSON: a head; for each table its name and columns, a line per row (the row as PostgreSQL
 * writes it, which it reads back exactly), then count and hash; the sequences; the hash of all lines before the last.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import pg from 'pg'
import { migrate, migrationNames, SchemaAheadError } from './migrate.ts'

const FORMAT = 1
const PAGE_ROWS = 1_000
/** Rows of a thousand bytes and rows of a hundred thousand are both loaded in statements of this size. */
const PAGE_BYTES = 4_000_000

/** The file or the database is not what a restore needs; the message is for a person. */
export class RestoreError extends Error {
  override name = 'RestoreError'
}

export type BackupHead = {
  livedraw_backup: typeof FORMAT
  created_at: string
  postgres_version: string
  /** What brought the schema to where it was, in order. */
  migrations: string[]
  /** The seed keys without which its open promises and secrets cannot be opened. The keys are not in the file. */
  seed_kids: string[]
}

export type BackupSummary = { head: BackupHead; tables: number; rows: number; sha256: string }

type Table = { table: string; columns: string[] }

/** What belongs to a backup: our tables, and the jobs that wait. */
const TABLES = `
  select format('%I.%I', n.nspname, c.relname) as "table",
         array(select a.attname::text from pg_attribute a
               where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as columns
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r'
    and (n.nspname = 'public' and c.relname <> 'schema_migrations' or n.nspname = 'graphile_worker' and c.relname <> 'migrations')
  order by 1`

const SEQUENCES = `
  select format('%I.%I', n.nspname, c.relname) as sequence
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'S' and n.nspname in ('public', 'graphile_worker') and c.relname <> 'schema_migrations_id_seq' order by 1`

/** Values are written as text, which must not depend on who writes it. */
const PLAIN = `set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601';
  set local extra_float_digits = 1; set local bytea_output = 'hex'; set local statement_timeout = 0; set local lock_timeout = '10s';
  set local idle_in_transaction_session_timeout = 0`

/** A connection for one long piece of work, without the limits of requests. */
async function connectAs(url: string, application_name: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name })
  // A lost connection fails the statement that runs; without a listener it would end the process as well.
  client.on('error', () => {})
  await client.connect()
  return client
}

/**
 * Writes a backup of a running or a resting database. The file appears whole or not at all, readable by its owner alone.
 * Throws RestoreError for a database that nobody has migrated.
 */
export async function writeBackup(url: string, file: string, now: Date): Promise<BackupSummary> {
  const client = await connectAs(url, 'livedraw-backup')
  const unfinished = `${file}.unfinished`
  const gzip = createGzip({ level: 6 })
  const sink = gzip.pipe(createWriteStream(unfinished, { mode: 0o600, flags: 'wx' }))
  const written = finished(sink)
  written.catch(() => {})
  gzip.once('error', (error) => sink.destroy(error))
  const all = createHash('sha256')
  const put = async (value: unknown) => {
    const line = `${JSON.stringify(value)}\n`
    all.update(line)
    if (!gzip.write(line))
      await Promise.race([new Promise((drained) => gzip.once('drain', drained)), written])
  }
  try {
    // One instant for every table: what commits meanwhile is not in it.
    await client.query(`begin isolation level repeatable read, read only; ${PLAIN}`)
    const head = await headOf(client, now)
    await put(head)
    const { rows: tables } = await client.query<Table>(TABLES)
    let row_count = 0
    for (const table of tables) {
      await put(table)
      const { rows, sha256 } = await readTable(client, table.table, (texts) => each(texts, put))
      await put({ end: table.table, rows, sha256 })
      row_count += rows
    }
    for (const sequence of await sequencesOf(client)) await put(sequence)
    const sha256 = all.digest('hex')
    gzip.end(`${JSON.stringify({ sha256 })}\n`)
    await written
    await flushed(unfinished)
    renameSync(unfinished, file)
    return { head, tables: tables.length, rows: row_count, sha256 }
  } catch (error) {
    gzip.destroy()
    sink.destroy()
    // Somebody else's unfinished file stays.
    if ((error as { code?: string }).code !== 'EEXIST') rmSync(unfinished, { force: true })
    throw error
  } finally {
    await client.end()
  }
}

async function each<T>(values: readonly T[], work: (value: T) => Promise<void>): Promise<void> {
  for (const value of values) await work(value)
}

async function flushed(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  await handle.sync()
  await handle.close()
}

async function headOf(client: pg.Client, now: Date): Promise<BackupHead> {
  const { rows } = await client.query<{ present: boolean }>(
    `select to_regclass('schema_migrations') is not null as present`,
  )
  if (!rows[0]!.present)
    throw new RestoreError('This database has no Livedraw schema: there is nothing to back up.')
  const applied = await client.query<{ name: string }>('select name from schema_migrations order by id')
  const version = await client.query<{ server_version: string }>('show server_version')
  await client.query('set local role livedraw_auditor')
  const kids = await client.query<{ kid: string }>(
    `select distinct split_part(sealed, '.', 2) as kid from (
       select sealed_seed as sealed from fair_seeds where seed_status <> 'revealed'
       union all select secret_sealed from webhooks union all select previous_secret_sealed from webhooks) s
     where sealed is not null order by 1`,
  )
  await client.query('reset role')
  return {
    livedraw_backup: FORMAT,
    created_at: now.toISOString(),
    postgres_version: version.rows[0]!.server_version,
    migrations: applied.rows.map((row) => row.name),
    seed_kids: kids.rows.map((row) => row.kid),
  }
}

/** Rows of a table as text, in the order of its key, a page at a time; answers their count and hash. */
async function readTable(
  client: pg.Client,
  table: string,
  take: (texts: string[]) => Promise<void>,
): Promise<{ rows: number; sha256: string }> {
  const { rows: keys } = await client.query<{ columns: string | null }>(
    `select string_agg(format('%I', a.attname), ', ' order by k.no) as columns
     from pg_index i cross join unnest(i.indkey) with ordinality as k(attnum, no)
     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
     where i.indrelid = $1::regclass and i.indisprimary`,
    [table],
  )
  // Row-level security binds an owner without superuser; the auditor reads our tables whole, and the queue's are the owner's.
  await client.query(table.startsWith('public.') ? 'set local role livedraw_auditor' : 'reset role')
  await client.query(
    `declare page no scroll cursor for select t::text as text from ${table} t order by ${keys[0]!.columns ?? 't::text'}`,
  )
  const hash = createHash('sha256')
  let rows = 0
  for (;;) {
    const page = await client.query<{ text: string }>(`fetch ${PAGE_ROWS} from page`)
    const texts = page.rows.map((row) => row.text)
    for (const text of texts) hash.update(`${text}\n`)
    rows += texts.length
    await take(texts)
    if (texts.length < PAGE_ROWS) break
  }
  await client.query('close page')
  await client.query('reset role')
  return { rows, sha256: hash.digest('hex') }
}

type Sequence = { sequence: string; last_value: string; is_called: boolean }

async function sequencesOf(client: pg.Client): Promise<Sequence[]> {
  const { rows: names } = await client.query<{ sequence: string }>(SEQUENCES)
  const found: Sequence[] = []
  for (const { sequence } of names) {
    const { rows } = await client.query<Omit<Sequence, 'sequence'>>(
      `select last_value::text, is_called from ${sequence}`,
    )
    found.push({ sequence, ...rows[0]! })
  }
  return found
}

/** The lines of a backup, parsed. */
async function* linesOf(file: string): AsyncGenerator<{ line: string; value: any }> {
  const input = createReadStream(file)
  const gunzip = createGunzip()
  input.once('error', (error) => gunzip.destroy(error))
  input.pipe(gunzip)
  try {
    for await (const line of createInterface({ input: gunzip, crlfDelay: Number.POSITIVE_INFINITY }))
      yield { line, value: JSON.parse(line) }
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') throw new RestoreError(`There is no file ${file}.`)
    throw new RestoreError(`${file} is damaged or no backup: ${(error as Error).message}.`)
  } finally {
    input.destroy()
  }
}

/** Reads a backup to its end and checks every hash. Throws RestoreError with what is wrong. */
export async function checkBackup(file: string): Promise<BackupSummary> {
  const all = createHash('sha256')
  let head: BackupHead | undefined
  let hash = createHash('sha256')
  let rows = 0
  let total = 0
  let tables = 0
  let last: string | undefined
  for await (const { line, value } of linesOf(file)) {
    if (last !== undefined) throw new RestoreError(`${file} goes on after its end.`)
    if (head === undefined) {
      if (value.livedraw_backup !== FORMAT)
        throw new RestoreError(`${file} is no backup that this version of Livedraw can read.`)
      head = value as BackupHead
    } else if (typeof value === 'string') {
      hash.update(`${value}\n`)
      rows++
    } else if ('table' in value) {
      hash = createHash('sha256')
      rows = 0
      tables++
    } else if ('end' in value) {
      if (value.rows !== rows || value.sha256 !== hash.digest('hex'))
        throw new RestoreError(
          `${file} is damaged: the rows of ${value.end} are not those that were written.`,
        )
      total += rows
    } else if ('sha256' in value) {
      last = value.sha256
      if (last !== all.digest('hex')) throw new RestoreError(`${file} is damaged: its hash does not fit.`)
      continue
    }
    all.update(`${line}\n`)
  }
  if (head === undefined || last === undefined)
    throw new RestoreError(`${file} is not whole: its end is missing.`)
  return { head, tables, rows: total, sha256: last }
}

export type RestoreOptions = {
  /** Ids of the seed keys that are at hand. */
  seed_kids: readonly string[]
  /** Looks at the restored rows as the auditor before they are committed, and throws to refuse them. */
  check?: (client: pg.ClientBase) => Promise<void>
  say?: (message: string) => void
}

/**
 * Loads a backup into an empty database: checks the file, brings the schema to where it was, loads everything in one
 * transaction, reads it back and compares, then brings the schema to this version. Throws RestoreError for a damaged
 * file, a database that is not empty, or a seed key that is missing, and SchemaAheadError for a backup of a newer version.
 */
export async function restoreBackup(
  url: string,
  file: string,
  options: RestoreOptions,
): Promise<BackupSummary> {
  const { seed_kids, say = () => {} } = options
  const summary = await checkBackup(file)
  const { head } = summary
  const missing = head.seed_kids.filter((kid) => !seed_kids.includes(kid))
  if (missing.length > 0)
    throw new RestoreError(
      `The backup needs the seed ${missing.length === 1 ? 'key' : 'keys'} ${missing.join(', ')}: give them in SEED_KEYS, or bring back the file seed-keys in DATA_DIR/keys.`,
    )
  await refuseOtherMigrations(head)
  await refuseRows(url)
  await migrate(url, say, head.migrations.length)
  await refuseRows(url, head.migrations)
  const client = await connectAs(url, 'livedraw-restore')
  try {
    await client.query(`begin; ${PLAIN}`)
    await load(client, file)
    await client.query('set local role livedraw_auditor')
    await options.check?.(client)
    await client.query('reset role')
    await client.query('commit')
  } finally {
    // Ends the transaction as well, when it was not committed.
    await client.end()
  }
  await migrate(url, say)
  return summary
}

async function refuseOtherMigrations({ migrations }: BackupHead): Promise<void> {
  const known = await migrationNames()
  const unknown = migrations.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new SchemaAheadError(
      `The backup was made by a newer version of Livedraw (${unknown.join(', ')}). Restore it with that version.`,
    )
  if (migrations.some((name, i) => name !== known[i]))
    throw new RestoreError(
      'The backup has migrations in another order than this version: restore it with the version that made it.',
    )
}

/** An empty database has no rows of ours; tables may be there, left by a restore that did not come to its end. */
async function refuseRows(url: string, migrations?: readonly string[]): Promise<void> {
  const client = await connectAs(url, 'livedraw-restore')
  try {
    await client.query('begin read only')
    const { rows: tables } = await client.query<Table>(TABLES)
    for (const { table } of tables) {
      if (await hasRows(client, table))
        throw new RestoreError(`The database is not empty (${table} has rows); restore into an empty one.`)
    }
    if (migrations === undefined) return
    const applied = await client.query<{ name: string }>('select name from schema_migrations order by id')
    if (applied.rows.length !== migrations.length)
      throw new RestoreError('The database has a newer schema than the backup; restore into an empty one.')
  } finally {
    await client.end()
  }
}

/** Throws RestoreError for a table that our roles may not read: it is somebody else's. */
async function hasRows(client: pg.Client, table: string): Promise<boolean> {
  try {
    if (table.startsWith('public.')) await client.query('set local role livedraw_auditor')
    const { rows } = await client.query(`select 1 from ${table} limit 1`)
    await client.query('reset role')
    return rows.length > 0
  } catch {
    throw new RestoreError(
      `The database is not empty (${table} is not of Livedraw); restore into an empty one.`,
    )
  }
}

type ForeignKey = { table: string; name: string; definition: string }

/** Everything but the rows is put aside for the time of loading, and comes back checked: references, triggers, policies. */
async function load(client: pg.Client, file: string): Promise<void> {
  const { rows: tables } = await client.query<Table>(TABLES)
  const { rows: keys } = await client.query<ForeignKey>(
    `select k.conrelid::regclass::text as "table", format('%I', k.conname) as name, pg_get_constraintdef(k.oid) as definition
     from pg_constraint k join pg_namespace n on n.oid = k.connamespace
     where k.contype = 'f' and n.nspname = 'public' order by k.oid`,
  )
  const { rows: forced } = await client.query<{ table: string }>(
    `select format('%I.%I', n.nspname, c.relname) as "table" from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relforcerowsecurity and n.nspname = 'public'`,
  )
  for (const { table, name } of keys) await client.query(`alter table ${table} drop constraint ${name}`)
  for (const { table } of tables) await client.query(`alter table ${table} disable trigger user`)
  for (const { table } of forced) await client.query(`alter table ${table} no force row level security`)

  const ends = await loadRows(client, file, tables)

  for (const { table } of forced) await client.query(`alter table ${table} force row level security`)
  for (const { table } of tables) await client.query(`alter table ${table} enable trigger user`)
  for (const { table, name, definition } of keys)
    await client.query(`alter table ${table} add constraint ${name} ${definition}`)
  for (const { end, rows, sha256 } of ends) {
    const found = await readTable(client, end, async () => {})
    if (found.rows !== rows || found.sha256 !== sha256)
      throw new RestoreError(`${end} reads back otherwise than it was backed up; nothing was restored.`)
  }
}

type End = { end: string; rows: number; sha256: string }

async function loadRows(client: pg.Client, file: string, tables: readonly Table[]): Promise<End[]> {
  const ends: End[] = []
  let insert = ''
  let page: string[] = []
  let page_bytes = 0
  const flush = async () => {
    if (page.length > 0) await client.query(insert, [page])
    page = []
    page_bytes = 0
  }
  for await (const { value } of linesOf(file)) {
    if (typeof value === 'string') {
      page.push(value)
      page_bytes += value.length
      if (page.length >= PAGE_ROWS || page_bytes >= PAGE_BYTES) await flush()
    } else if ('table' in value) insert = await insertOf(client, value as Table, tables)
    else if ('end' in value) {
      await flush()
      ends.push(value as End)
    } else if ('sequence' in value) {
      const { sequence, last_value, is_called } = value as Sequence
      await client.query('select setval($1::regclass, $2::bigint, $3)', [sequence, last_value, is_called])
    }
  }
  if (ends.length !== tables.length) throw new RestoreError('The backup lacks tables of its own schema.')
  return ends
}

/** The statement that loads an array of rows. Columns that are generated generate themselves again. */
async function insertOf(
  client: pg.Client,
  { table, columns }: Table,
  tables: readonly Table[],
): Promise<string> {
  const here = tables.find((each) => each.table === table)
  if (here === undefined || here.columns.join() !== columns.join())
    throw new RestoreError(
      `The columns of ${table} are not those of the backup: restore it with the version that made it.`,
    )
  const { rows } = await client.query<{ column: string }>(
    `select format('%I', attname) as column from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [table],
  )
  const names = rows.map(({ column }) => column)
  // "offset 0" keeps the row from being parsed anew for each of its columns.
  return `insert into ${table} (${names.join(', ')}) overriding system value
    select ${names.map((name) => `(r).${name}`).join(', ')} from (select text::${table} as r from unnest($1::text[]) as text offset 0) rows`
}
