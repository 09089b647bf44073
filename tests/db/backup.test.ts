/** P-52: a backup holds one instant of everything, and a restore of it is the same database or none at all. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import pg from 'pg'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { checkBackup, RestoreError, restoreBackup, writeBackup } from '../../src/db/backup.ts'
import { migrate, SchemaAheadError } from '../../src/db/migrate.ts'
import { type Database, openPool } from '../../src/db/pool.ts'
import { storyKeys, tellStory } from '../commands/story.ts'
import { emptyDatabase, type TestDatabase, testDatabase } from './cluster.ts'
import { dumpSchema } from './schema-dump.ts'

const NOW = new Date('2026-11-20T12:00:00Z')

describe('backup and restore', function () {
  this.timeout(60_000)
  let dir: string
  let original: TestDatabase
  let file: string
  /** The story, restored. */
  let copy: { url: string; database: Database }
  const pools: Database[] = []
  const databases: TestDatabase[] = []

  const open = (url: string) => {
    const pool = openPool(url, () => {})
    pools.push(pool)
    return pool
  }
  const fresh = async () => {
    const made = await emptyDatabase()
    databases.push(made)
    return made
  }
  const restored = async (from = file) => {
    const { url } = await fresh()
    await restoreBackup(url, from, { seed_kids: ['k1'] })
    return { url, database: open(url) }
  }
  /** Everything that is stored, as text. */
  async function contentsOf(database: Database): Promise<Record<string, string[]>> {
    const tables = await database.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname in ('public', 'graphile_worker') and tablename not in ('schema_migrations', 'migrations') order by 1`,
    )
    const contents: Record<string, string[]> = {}
    for (const { name } of tables)
      contents[name] = (
        await database.query<{ text: string }>(`select t::text as text from ${name} t order by 1`)
      ).map(({ text }) => text)
    const sequences = await database.query<{ text: string }>(
      `select format('%s %s', sequencename, last_value) as text from pg_sequences where schemaname = 'public' and sequencename <> 'schema_migrations_id_seq' order by 1`,
    )
    return { ...contents, sequences: sequences.map(({ text }) => text) }
  }
  /** The file with its lines changed. */
  function changed(name: string, change: (lines: string[]) => string[]): string {
    const path = join(dir, name)
    writeFileSync(
      path,
      gzipSync(change(gunzipSync(readFileSync(file)).toString().trimEnd().split('\n')).join('\n')),
    )
    return path
  }

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'livedraw-backup-'))
    original = await testDatabase({ migrate: tellStory })
    const database = open(original.url)
    // What is awkward in text: quotes, line ends, a JSON null, and a job that waits.
    await database.query(
      `insert into blocked_users (tenant_id, user_id, reason, blocked_by, created_at)
       select id, 'eve "\\ (1,2)', E'line\\nline\\t\\\\ {"a":null}', '', '2026-01-01 00:00:00.123456+05' from tenants`,
    )
    await database.query(
      `select graphile_worker.add_job('test.later', '{"b": 1, "a": [1, 2]}', run_at => '2099-01-01')`,
    )
    file = join(dir, 'story.backup')
    await writeBackup(original.url, file, NOW)
    copy = await restored()
  })
  after(async () => {
    for (const pool of pools) await pool.end()
    for (const database of [original, ...databases]) await database.drop()
    rmSync(dir, { recursive: true, force: true })
  })

  it('P-52 nothing differs: every row of every table, every sequence and the schema itself', async () => {
    const [here, there] = [open(original.url), copy.database]
    const [one, other] = [await contentsOf(here), await contentsOf(there)]
    assert.ok(Object.keys(one).length > 30)
    for (const name of Object.keys(one)) assert.deepEqual(other[name], one[name], name)
    assert.equal(await dumpSchema(there), await dumpSchema(here))
    const aside = await there.query(
      `select tgname from pg_trigger where not tgisinternal and tgenabled <> 'O'
       union all select relname from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity and not relforcerowsecurity`,
    )
    assert.deepEqual(aside, [], 'what was put aside is back')
  })

  it('P-52 the restored database passes the whole audit: every receipt, transcript and checkpoint verifies', async () => {
    const audit = await runAudit(copy.database, { signingKeys: storyKeys })
    assert.ok(audit.ok, reportText(audit))
    assert.ok(audit.checks.filter(({ id }) => id === 'I27').every(({ checked }) => checked! > 0))
  })

  it('P-52 what was restored is written again as the same rows', async () => {
    const again = join(dir, 'again.backup')
    await writeBackup(copy.url, again, NOW)
    assert.equal((await checkBackup(again)).sha256, (await checkBackup(file)).sha256)
  })

  it('P-52 it is one instant: what is written while it runs is in none of its tables', async () => {
    const used = await testDatabase({ migrate: tellStory })
    databases.push(used)
    const { url } = used
    const writer = open(url)
    let is_over = false
    const writing = (async () => {
      for (let i = 0; !is_over; i++)
        // Two tables that must agree.
        await writer.query(
          `with one as (insert into blocked_users (tenant_id, user_id, reason, blocked_by, created_at)
                        select id, 'pair-${i}', 'x', 'x', now() from tenants limit 1 returning tenant_id, user_id)
           insert into idempotency_keys (tenant_id, principal, endpoint, key, state, request_hash, created_at)
           select tenant_id, user_id, 'x', 'x', 'done', 'x', now() from one`,
        )
    })()
    const busy = join(dir, 'busy.backup')
    await writeBackup(url, busy, NOW)
    is_over = true
    await writing
    const { database: there } = await restored(busy)
    const rows = await there.query(
      `select from blocked_users b full join idempotency_keys k on k.principal = b.user_id
       where (b.user_id like 'pair-%' or k.endpoint = 'x') and (b.user_id is null or k.key is null)`,
    )
    assert.deepEqual(rows, [])
  })

  it('the file is its owner’s alone, is never written over, and holds no key', async () => {
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const before = readFileSync(file)
    writeFileSync(`${join(dir, 'taken')}.unfinished`, 'of another run')
    await assert.rejects(writeBackup(original.url, join(dir, 'taken'), NOW), { code: 'EEXIST' })
    assert.equal(readFileSync(`${join(dir, 'taken')}.unfinished`, 'utf8'), 'of another run')
    assert.deepEqual(readFileSync(file), before)
    assert.deepEqual((await checkBackup(file)).head.seed_kids, ['k1'])
  })

  it('P-52 a database that is not empty is refused and stays as it is', async () => {
    const used = await testDatabase({ migrate: tellStory })
    databases.push(used)
    const before = await contentsOf(open(used.url))
    await assert.rejects(restoreBackup(used.url, file, { seed_kids: ['k1'] }), /not empty/)
    assert.deepEqual(await contentsOf(open(used.url)), before)
    const foreign = await fresh()
    await open(foreign.url).query('create table notes (id int); insert into notes values (1)')
    await assert.rejects(restoreBackup(foreign.url, file, { seed_kids: ['k1'] }), RestoreError)
  })

  it('P-52 a newer schema is refused, and so is a key that is missing', async () => {
    const { url } = await fresh()
    const newer = changed('newer', ([head, ...rest]) => {
      const value = JSON.parse(head!)
      value.migrations.push('9999_the_future')
      return [JSON.stringify(value), ...rest]
    })
    // The hash is of all lines, so an honest newer file is made like this one but with its own hash.
    await assert.rejects(restoreBackup(url, newer, { seed_kids: ['k1'] }), /damaged/)
    const future = await fresh()
    await migrate(future.url)
    const pool = open(future.url)
    await pool.query(`insert into schema_migrations (name, run_on) values ('9999_the_future', now())`)
    const honest = join(dir, 'future.backup')
    await writeBackup(future.url, honest, NOW)
    await assert.rejects(restoreBackup(url, honest, { seed_kids: [] }), SchemaAheadError)
    await assert.rejects(restoreBackup(url, file, { seed_kids: ['k2'] }), /needs the seed key k1/)
    const tables = await open(url).query(`select 1 from pg_tables where schemaname = 'public'`)
    assert.deepEqual(tables, [], 'nothing was begun')
  })

  for (const [how, change] of [
    [
      'a changed row',
      (lines: string[]) =>
        lines.map((line, i) =>
          i === lines.findIndex((each) => each.includes('eve')) ? line.replace('eve', 'ava') : line,
        ),
    ],
    [
      'a row left out',
      (lines: string[]) => lines.filter((_, i) => i !== lines.findIndex((each) => each.includes('eve'))),
    ],
    ['an end that is missing', (lines: string[]) => lines.slice(0, -1)],
    ['a changed head', (lines: string[]) => [lines[0]!.replace('"k1"', '"k2"'), ...lines.slice(1)]],
    ['a line too many', (lines: string[]) => [...lines, '"x"']],
  ] as const)
    it(`P-52 F29 ${how} is seen before anything is touched`, async () => {
      const { url } = await fresh()
      await assert.rejects(
        restoreBackup(url, changed('spoilt', change), { seed_kids: ['k1', 'k2'] }),
        RestoreError,
      )
      assert.deepEqual(await open(url).query(`select 1 from pg_tables where schemaname = 'public'`), [])
    })

  it('P-52 F29 a flipped bit, a cut file and a file that is none are named as such', async () => {
    const bytes = readFileSync(file)
    bytes[Math.floor(bytes.length / 2)]! ^= 1
    const [flipped, cut, none] = ['flipped', 'cut', 'none'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ]
    writeFileSync(flipped, bytes)
    writeFileSync(cut, readFileSync(file).subarray(0, 5_000))
    writeFileSync(none, 'no backup')
    for (const path of [flipped, cut, none, join(dir, 'absent')])
      await assert.rejects(checkBackup(path), RestoreError, path)
  })

  it('P-52 a restore that fails half-way leaves no row, and the next one into the same database succeeds', async () => {
    const { url } = await fresh()
    const refused = restoreBackup(url, file, {
      seed_kids: ['k1'],
      check: async () => {
        throw new Error('the keys do not open it')
      },
    })
    await assert.rejects(refused, /do not open/)
    assert.deepEqual(await open(url).query('select 1 from tenants'), [])
    await restoreBackup(url, file, { seed_kids: ['k1'] })
    assert.deepEqual(await contentsOf(open(url)), await contentsOf(open(original.url)))
  })

  it('P-52 K-07 an owner that is no superuser writes and restores the same', async () => {
    const name = `backup_owner_${process.pid}`
    const admin = new pg.Client({ connectionString: original.url })
    await admin.connect()
    try {
      await admin.query(`create role ${name} login createrole password 'x'`)
      await admin.query(`grant livedraw_app, livedraw_auditor to ${name} with admin option`)
      await admin.query(`create database ${name} owner ${name}`)
      const url = Object.assign(new URL(original.url), {
        pathname: `/${name}`,
        username: name,
        password: 'x',
      }).href
      await restoreBackup(url, file, { seed_kids: ['k1'] })
      const theirs = join(dir, 'theirs.backup')
      await writeBackup(url, theirs, NOW)
      assert.equal((await checkBackup(theirs)).sha256, (await checkBackup(file)).sha256)
    } finally {
      await admin.query(`drop database if exists ${name} with (force)`)
      await admin.query(`drop role if exists ${name}`)
      await admin.end()
    }
  })
})
