/** The schema: as reviewed, complete against the seeds, every tenant table protected, histories final. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { PoolClient } from 'pg'
import { type Database, openPool } from '../../src/db/pool.ts'
import { tellStory } from '../commands/story.ts'
import { type TestDatabase, testDatabase } from './cluster.ts'
import { dumpSchema } from './schema-dump.ts'

const GOLDEN = fileURLToPath(new URL('../schema.sql', import.meta.url))
const DIAGRAM = readFileSync(new URL('./seed-001.mmd', import.meta.url), 'utf8')

/** Tables of seeds/001 that belong to games and services which are still to come. */
const LATER = [
  'jackpot_games',
  'jackpot_events',
  'jackpot_prizes',
  'jackpot_tickets',
  'tournaments',
  'tournament_points',
  'tournament_prizes',
  'tournament_winners',
  'game_configurations',
]

type Column = { name: string; type: string }

/** Entities of a mermaid diagram: table -> columns, camelCase turned to snake_case (decision N10). */
function entitiesOf(diagram: string): Map<string, Column[]> {
  const entities = new Map<string, Column[]>()
  for (const [, table, body] of diagram.matchAll(/^ *([A-Z_]+) \{\n([^}]*)\}/gm)) {
    const columns = [...body!.matchAll(/^ *([a-z]+) (\w+)/gm)].map(([, type, name]) => ({
      type: type!,
      name: name!.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    }))
    entities.set(table!.toLowerCase(), columns)
  }
  return entities
}

/** Types of the diagram, and what a column of that type may be. */
const TYPES: Record<string, RegExp> = {
  uuid: /^uuid$/,
  // A user id is the subject of a token, and a game id may be the name of a stream (decision).
  varchar: /^character varying|^text/,
  text: /^text|^character varying/,
  boolean: /^boolean$/,
  integer: /^integer$|^bigint$/,
  decimal: /^numeric|^bigint$/,
  bigint: /^bigint$/,
  jsonb: /^jsonb$/,
  json: /^jsonb$/,
  timestamp: /^timestamp with time zone$/,
  inet: /^inet$|^character varying/,
}

/** Columns of the diagram whose type is another here, each with its reason. */
const OTHER_TYPES: Record<string, string> = {
  user_id: 'the subject of a token is a text of 1-128 characters',
  'game_events.game_id': 'an event may belong to the lobby, which has no uuid',
  'wheel_rewards.prize_id': 'prizes are those of seeds/002, whose ids are bigint (N8)',
}

describe('schema', function () {
  this.timeout(60_000)
  let test: TestDatabase
  let database: Database

  before(async () => {
    test = await testDatabase()
    database = openPool(test.url, () => {})
  })
  after(async () => {
    await database.end()
    await test.drop()
  })

  it('the schema is the one that was reviewed, tests/schema.sql (UPDATE_SCHEMA=1 writes it anew)', async () => {
    const dump = await dumpSchema(database)
    if (process.env['UPDATE_SCHEMA'] === '1') writeFileSync(GOLDEN, dump)
    assert.equal(dump, existsSync(GOLDEN) ? readFileSync(GOLDEN, 'utf8') : '')
  })

  it('the dump sees a changed default, policy, grant, index, trigger and function', async () => {
    const before = await dumpSchema(database)
    for (const change of [
      'alter table tenants alter column currency drop default',
      'alter policy tenant_isolation on tenants using (true)',
      'grant truncate on tenants to livedraw_app',
      'drop index game_events_by_user',
      'drop trigger game_events_are_final on game_events',
      'create or replace function refuse_change() returns trigger language plpgsql as $$ begin return new; end $$',
    ]) {
      const client = await database.connect()
      try {
        await client.query(`begin; ${change}`)
        const inside: Database = { ...database, query: async (text) => (await client.query(text)).rows }
        assert.notEqual(await dumpSchema(inside), before, change)
      } finally {
        await client.query('rollback')
        client.release()
      }
    }
  })

  describe('S1-57 the entities of seeds/001', () => {
    const entities = entitiesOf(DIAGRAM)

    it('S1-57 the diagram was read whole: 28 entities, 348 columns', () => {
      assert.equal(entities.size, 28)
      assert.equal([...entities.values()].flat().length, 348)
    })

    it('S1-57 every entity is a table, or is named above as belonging to a later game', async () => {
      const rows = await database.query<{ name: string }>(
        `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`,
      )
      const present = new Set(rows.map((row) => row.name))
      assert.deepEqual([...entities.keys()].filter((table) => !present.has(table)).sort(), [...LATER].sort())
    })

    for (const [table, columns] of entities) {
      if (LATER.includes(table)) continue
      it(`S1-57 ${table} has every column of the diagram, with its type`, async () => {
        const rows = await database.query<{ name: string; type: string }>(
          `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
           where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
          [table],
        )
        const types = new Map(rows.map((row) => [row.name, row.type]))
        const faults = columns.flatMap(({ name, type }) => {
          const actual = types.get(name)
          if (actual === undefined) return [`${name} is missing`]
          if (OTHER_TYPES[name] !== undefined || OTHER_TYPES[`${table}.${name}`] !== undefined) return []
          return TYPES[type]?.test(actual) === true ? [] : [`${name} is ${actual} and not ${type}`]
        })
        assert.deepEqual(faults, [])
      })
    }
  })

  describe('roles', () => {
    it('S1-02 every table with a tenant is under forced row-level security with both policies', async () => {
      const rows = await database.query<{ name: string; forced: boolean; policies: string[] }>(
        `select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as forced,
                array(select policyname::text from pg_policies p where p.tablename = c.relname order by 1) as policies
         from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')`,
      )
      assert.ok(rows.length >= 20)
      for (const row of rows) {
        assert.ok(row.forced, row.name)
        assert.deepEqual(row.policies, ['auditor_reads', 'tenant_isolation'], row.name)
      }
    })

    it('S1-02 a table without a tenant is nothing but the tenants themselves', async () => {
      const rows = await database.query<{ name: string }>(
        `select relname as name from pg_class c
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname <> 'schema_migrations'
           and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')`,
      )
      assert.deepEqual(rows, [{ name: 'tenants' }])
    })

    it('the application owns nothing, truncates nothing and passes no policy; the auditor only reads', async () => {
      const rows = await database.query(
        `select c.relname, r.rolname,
                has_table_privilege(r.oid, c.oid, 'truncate') as truncates,
                r.rolname = 'livedraw_auditor' and has_table_privilege(r.oid, c.oid, 'insert, update, delete') as writes
         from pg_class c, pg_roles r
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and r.rolname in ('livedraw_app', 'livedraw_auditor')
           and (c.relowner = r.oid or has_table_privilege(r.oid, c.oid, 'truncate')
                or (r.rolname = 'livedraw_auditor' and has_table_privilege(r.oid, c.oid, 'insert, update, delete')))`,
      )
      assert.deepEqual(rows, [])
      const [app] = await database.query(
        `select rolsuper, rolbypassrls, rolcanlogin from pg_roles where rolname = 'livedraw_app'`,
      )
      assert.deepEqual(app, { rolsuper: false, rolbypassrls: false, rolcanlogin: false })
    })

    it('every foreign key between tenants’ tables carries the tenant', async () => {
      const rows = await database.query(
        `select k.conrelid::regclass as child, pg_get_constraintdef(k.oid) as definition
         from pg_constraint k
         where k.contype = 'f' and k.confrelid <> 'tenants'::regclass
           and not exists (select from unnest(k.conkey) as c(no) join pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.no
                           where a.attname = 'tenant_id')`,
      )
      assert.deepEqual(rows, [])
    })
  })
})

describe('schema: as the application, on a history of two tenants', function () {
  this.timeout(60_000)
  let test: TestDatabase
  let database: Database
  let tenants: { id: string; tenant_code: string }[]

  before(async () => {
    test = await testDatabase({ migrate: tellStory })
    database = openPool(test.url, () => {})
    tenants = await database.query('select id, tenant_code from tenants order by tenant_code')
  })
  after(async () => {
    await database.end()
    await test.drop()
  })

  /** Acts as livedraw_app inside a tenant, or without one, and takes everything back. */
  async function asApp<T>(tenantId: string | null, act: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await database.connect()
    try {
      await client.query('begin; set local role livedraw_app')
      if (tenantId !== null) await client.query(`select set_config('app.tenant_id', $1, true)`, [tenantId])
      return await act(client)
    } finally {
      await client.query('rollback')
      client.release()
    }
  }

  const tablesOfTenants = () =>
    database.query<{ name: string }>(
      `select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
         and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') order by 1`,
    )

  const count = async (client: PoolClient, table: string) =>
    (await client.query<{ n: number }>(`select count(*) as n from ${table}`)).rows[0]!.n

  it('S1-50 M13 a query without a tenant gives no row of any table, also after a transaction of a tenant', async () => {
    for (const { name } of await tablesOfTenants())
      assert.equal(await asApp(null, (client) => count(client, name)), 0, name)
    // The setting reads back as '' on a connection that had a tenant before, which must not become an error.
    const client = await database.connect()
    try {
      await client.query(
        `begin; set local app.tenant_id = '${tenants[0]!.id}'; commit; begin; set local role livedraw_app`,
      )
      assert.equal(await count(client, 'spin_results'), 0)
      assert.equal(await count(client, 'tenants'), 0)
    } finally {
      await client.query('rollback')
      client.release()
    }
  })

  it('S1-02 a tenant sees its own rows and none of another, whatever it asks for', async () => {
    const [demo, other] = tenants as [(typeof tenants)[0], (typeof tenants)[0]]
    const seen = (tenantId: string) => asApp(tenantId, (client) => count(client, 'spin_results'))
    assert.equal(await seen(demo.id), 381)
    assert.equal(await seen(other.id), 12)
    const asked = await asApp(
      other.id,
      async (client) =>
        (await client.query('select from spin_results where tenant_id = $1', [demo.id])).rowCount,
    )
    assert.equal(asked, 0)
    const changed = await asApp(
      other.id,
      async (client) =>
        (await client.query('update wheel_games set is_public = false where tenant_id = $1', [demo.id]))
          .rowCount,
    )
    assert.equal(changed, 0)
  })

  it('S1-02 a row for another tenant is refused by its policy', async () => {
    const [demo, other] = tenants as [(typeof tenants)[0], (typeof tenants)[0]]
    const insert = asApp(other.id, (client) =>
      client.query(
        `insert into blocked_users (tenant_id, user_id, reason, blocked_by, created_at) values ($1, 'x', 'x', 'x', now())`,
        [demo.id],
      ),
    )
    await assert.rejects(insert, { code: '42501' })
  })

  it('S1-51 M13 a child of another tenant’s parent is refused by the database', async () => {
    const [demo, other] = tenants as [(typeof tenants)[0], (typeof tenants)[0]]
    const [foreign] = await database.query<{ id: string }>(
      'select id from wheel_games where tenant_id = $1',
      [demo.id],
    )
    const insert = asApp(other.id, (client) =>
      client.query(
        `insert into spin_chances (id, user_id, wheel_game_id, chance_type, award_reason, chance_count, remaining_chances, awarded_at,
                                   created_at, updated_at)
         values (gen_random_uuid(), 'x', $1, 'granted', 'x', 1, 1, now(), now(), now())`,
        [foreign!.id],
      ),
    )
    await assert.rejects(insert, { code: '23503' })
    // Whoever passes the policies, as an owner may, is stopped as well.
    const asOwner = database.query(
      `insert into gamification_games (tenant_id, game_name, game_type, wheel_game_id, created_at, updated_at) values ($1, 'x', 'wheel', $2, now(), now())`,
      [other.id, foreign!.id],
    )
    await assert.rejects(asOwner, { code: '23503' })
  })

  it('M13 a unique key that a user can probe begins with the tenant', async () => {
    const rows = await database.query<{ table: string; definition: string }>(
      `select i.indrelid::regclass::text as table, pg_get_indexdef(i.indexrelid) as definition
       from pg_index i join pg_class c on c.oid = i.indrelid
       where c.relnamespace = 'public'::regnamespace and i.indisunique
         and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
         and (select attname from pg_attribute a where a.attrelid = c.oid and a.attnum = i.indkey[0]) <> 'tenant_id'`,
    )
    // Ids that the server makes, and a hash over 256 secret bits, cannot be probed.
    const probeable = rows.filter(({ definition }) => !/\((id|commit_hash)\)$/.test(definition))
    assert.deepEqual(probeable, [])
  })

  const FINAL = [
    'game_events',
    'audit_logs',
    'fair_log',
    'fair_checkpoints',
    'wheel_versions',
    'wheel_rewards_history',
    'wheel_round_entries',
    'prize_history',
    'draw_entrants',
    'draw_entries',
    'draw_winners',
    'raffle_winner_history',
    'prize_returns',
    'wallet_policies',
  ]
  for (const table of FINAL) {
    it(`S1-48 ${table} is append-only: the application has no right to change it, and its owner is refused by a trigger`, async () => {
      const column = table === 'fair_log' ? 'type' : table === 'audit_logs' ? 'action' : 'tenant_id'
      for (const sql of [`update ${table} set ${column} = ${column}`, `delete from ${table}`]) {
        await assert.rejects(
          asApp(tenants[0]!.id, (client) => client.query(sql)),
          { code: '42501' },
          sql,
        )
        const client = await database.connect()
        try {
          await client.query('begin')
          await assert.rejects(client.query(sql), { code: '55000' }, sql)
        } finally {
          await client.query('rollback')
          client.release()
        }
      }
      await assert.rejects(
        asApp(tenants[0]!.id, (client) => client.query(`truncate ${table}`)),
        { code: '42501' },
      )
    })
  }

  it('S1-48 only a purge of address and agent may touch an audit row', async () => {
    const client = await database.connect()
    try {
      await client.query('begin')
      const purged = await client.query(
        'update audit_logs set ip_address = null, user_agent = null where seq = 1',
      )
      assert.equal(purged.rowCount, 2)
      await assert.rejects(client.query(`update audit_logs set ip_address = '192.0.2.9' where seq = 1`), {
        code: '55000',
      })
    } finally {
      await client.query('rollback')
      client.release()
    }
  })

  for (const [what, sql] of [
    ['another hash', `update fair_seeds set seed_hash = repeat('0', 64)`],
    [
      'another commitment',
      `update fair_seeds set commit_hash = (select max(commit_hash) from fair_commitments)`,
    ],
    ['another player', `update fair_seeds set user_id = 'mallory' where seed_status = 'active'`],
    [
      'another seed after the reveal',
      `update fair_seeds set server_seed = repeat('0', 64) where seed_status = 'revealed'`,
    ],
    [
      'a client seed changed while it is in use',
      `update fair_seeds set client_seed = 'another-seed' where seed_status = 'active'`,
    ],
    [
      'a counter set back',
      `update fair_seeds set next_nonce = 0 where seed_status = 'active' and next_nonce > 0`,
    ],
    ['a seed deleted', 'delete from fair_seeds'],
  ] as const) {
    it(`S0-26 a committed seed is read-only, also by SQL of the application: ${what}`, async () => {
      await assert.rejects(
        asApp(tenants[0]!.id, (client) => client.query(sql)),
        { code: '55000' },
      )
    })
  }

  for (const [what, sql] of [
    ['the roll of a result', 'update spin_results set roll = 0'],
    ['the nonce of a result', 'update spin_results set nonce = 0'],
    ['the reward of a result', 'update spin_results set wheel_reward_id = id'],
    ['the text of a commitment', `update fair_commitments set doc = '{}'`],
    ['a result itself', 'delete from spin_results'],
    ['the stored answer of a spin', `update spin_sessions set answer = '{}'`],
  ] as const) {
    it(`S0-26 the application has no right to change ${what}`, async () => {
      await assert.rejects(
        asApp(tenants[0]!.id, (client) => client.query(sql)),
        { code: '42501' },
      )
    })
  }
})
