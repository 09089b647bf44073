import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import pg from 'pg'
import { migrate, SchemaAheadError } from '../../src/db/migrate.ts'
import { emptyDatabase, type TestDatabase } from './cluster.ts'

describe('migrations', () => {
  let db: TestDatabase
  let client: pg.Client
  beforeEach(async () => {
    db = await emptyDatabase()
    client = new pg.Client({ connectionString: db.url })
    client.on('error', () => {})
    await client.connect()
  })
  afterEach(async () => {
    await client.end().catch(() => {})
    await db.drop()
  })

  const files = readdirSync(new URL('../../migrations', import.meta.url)).map((file) =>
    file.replace('.sql', ''),
  )
  const applied = async () =>
    (await client.query('select name from schema_migrations order by id')).rows.map((row) => row.name)
  const hasTables = async () =>
    (await client.query(`select to_regclass('spin_results') is not null as yes`)).rows[0].yes

  it('F13 bring an empty database to the schema, in the order of their numbers, and a second time do nothing', async () => {
    await migrate(db.url)
    assert.deepEqual(await applied(), [...files].sort())
    await migrate(db.url)
    assert.deepEqual(await applied(), [...files].sort())
  })

  it('F13 three processes that start at once migrate once, and all of them go on', async () => {
    await Promise.all([migrate(db.url), migrate(db.url), migrate(db.url)])
    assert.deepEqual(await applied(), [...files].sort())
  })

  it('F13 a database that knows a newer migration is refused in a sentence that names it', async () => {
    await migrate(db.url)
    await client.query(`insert into schema_migrations (name, run_on) values ('9999_the_future', now())`)
    await assert.rejects(migrate(db.url), (error: Error) => {
      assert.ok(error instanceof SchemaAheadError)
      assert.match(error.message, /newer version of Livedraw \(9999_the_future\)/)
      return true
    })
  })

  it('F13 one that is killed half-way leaves nothing behind, and running it again completes', async () => {
    // The last migration waits for this lock on a name it needs, and is ended there.
    await client.query('begin')
    await client.query('create table spin_results (id int)')
    const killed = migrate(db.url)
    const ended = assert.rejects(killed)
    for (let waits = 0; ; waits++) {
      assert.ok(waits < 500, 'the migration never came to the lock')
      const admin = new pg.Client({ connectionString: db.url })
      await admin.connect()
      const { rows } = await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'livedraw-migrate' and wait_event_type = 'Lock'`,
      )
      await admin.end()
      if (rows.length > 0) break
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await ended
    await client.query('rollback')
    assert.equal(await hasTables(), false)
    await migrate(db.url)
    assert.deepEqual(await applied(), [...files].sort())
    assert.equal(await hasTables(), true)
  })
})
