/** How PostgreSQL finds what a spin and its readers ask for: never by looking at every row of a table that grows. */
import assert from 'node:assert/strict'
import type { Tx } from '../../src/db/tx.ts'
import { readGrants, readMyPlays, readMySpins } from '../../src/games/wheel/history.ts'
import { readSince, readSnapshot } from '../../src/games/wheel/read.ts'
import { spinBatch } from '../../src/games/wheel/spin.ts'
import { makeVersions } from '../../src/games/wheel/versions.ts'
import { readLogs, readSpinLog } from '../../src/insight/logs.ts'
import { makePairKeys } from '../../src/proofs/pair-keys.ts'
import { ensurePairs } from '../../src/proofs/pairs.ts'
import { type Stage, startStage } from './kit.ts'

/** Tables with a row or more for each spin. */
const GROWING = new Set([
  'spin_sessions',
  'spin_results',
  'spin_chances',
  'gamification_game_plays',
  'game_events',
  'audit_logs',
  'fair_log',
  'fair_seeds',
  'fair_commitments',
  'game_logs',
])

const ROWS = 20_000
const ANY_ID = 'gen_random_uuid()'
const ANY_USER = `'u' || g`
/** What differs from row to row of each. */
const COPIES: Record<string, Record<string, string>> = {
  spin_sessions: { id: ANY_ID, session_id: `'s' || g`, user_id: ANY_USER },
  spin_results: { id: ANY_ID, spin_session_id: ANY_ID, seed_id: ANY_ID, user_id: ANY_USER },
  spin_chances: { id: ANY_ID, user_id: ANY_USER },
  gamification_game_plays: {
    id: 'g + 1000000',
    uuid: ANY_ID,
    event_id: ANY_ID,
    user_id: ANY_USER,
    prize_code: `case when t.prize_code is null then null else 'X' || g end`,
  },
  game_events: { id: ANY_ID, game_seq: 'g + 1000', user_id: ANY_USER },
  audit_logs: { id: ANY_ID, seq: 'g + 1000', entity_id: ANY_ID },
  fair_log: { seq: 'g + 1000', commit_hash: 'md5(g::text)' },
  fair_seeds: { id: ANY_ID, user_id: ANY_USER, commit_hash: 'md5(g::text)' },
  fair_commitments: { commit_hash: 'md5(g::text)', holder: `'h' || g` },
  game_logs: { id: ANY_ID, spin_session_id: ANY_ID, created_at: `t.created_at - g * interval '1 second'` },
}

type Node = {
  'Node Type': string
  'Relation Name'?: string
  'Index Cond'?: string
  Plans?: Node[]
}

describe('the plans of a wheel', () => {
  let stage: Stage
  let wheel_id: string
  let spin_id: string
  const young = new Map<string, string[]>()
  before(async () => {
    stage = await startStage()
    wheel_id = await stage.aWheel()
    await stage.grant('alice', 50)
    for (let i = 0; i < 5; i++)
      spin_id = (await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: `warm-${i}` })).answer
        .spin_id
    for (const [what, work] of HOT) young.set(what, (await scansOf(work)).scans)
    await grow()
  })
  after(() => stage.close())

  /** As many rows more as make the planner choose, written past triggers and keys: only their number counts. */
  async function grow(): Promise<void> {
    const client = await stage.database.connect()
    try {
      await client.query('begin; set local session_replication_role = replica')
      await client.query(
        `insert into game_logs (id, tenant_id, spin_session_id, log_level, log_message, log_category, log_timestamp, source_component, trace_id, created_at)
         select gen_random_uuid(), tenant_id, id, 'info', 'x', 'x', now(), 'x', 'x', now() from spin_sessions limit 1`,
      )
      for (const [table, changes] of Object.entries(COPIES)) {
        const { rows } = await client.query(
          `select column_name as name from information_schema.columns
           where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'`,
          [table],
        )
        const names = rows.map((row) => row.name as string)
        const values = names.map((name) => changes[name] ?? `t.${name}`)
        await client.query(
          `insert into ${table} (${names.join(', ')}) overriding system value
           select ${values.join(', ')} from (select * from ${table} limit 1) t, generate_series(1, ${ROWS}) g`,
        )
      }
      await client.query('commit; analyze')
    } finally {
      client.release()
    }
  }

  /**
   * Runs a use case and explains each of its statements as it stands, behind row-level security and without a hint.
   */
  async function scansOf(
    work: (tx: Tx) => Promise<unknown>,
  ): Promise<{ statements: number; scans: string[] }> {
    const scans: string[] = []
    let statements = 0
    const ended = new Error('nothing of this is kept')
    const looked = stage.inTenant(async (tx) => {
      const explained = async (text: string, values?: readonly unknown[]) => {
        const [row] = await tx.rows(`explain (format json, costs off) ${text}`, values)
        statements++
        for (const table of readWhole(row['QUERY PLAN'][0].Plan))
          scans.push(`${table}: ${text.replace(/\s+/g, ' ').slice(0, 160)}`)
      }
      const spied = new Proxy(tx, {
        get(target, name) {
          const member = Reflect.get(target, name, target)
          if (name !== 'rows' && name !== 'one')
            return typeof member === 'function' ? member.bind(target) : member
          return async (text: string, values?: readonly unknown[], prepared?: string) => {
            await explained(text, values)
            return member.call(target, text, values, prepared)
          }
        },
      })
      await work(spied)
      throw ended
    })
    await assert.rejects(looked, ended)
    return { statements, scans }
  }

  const page = { limit: 20 }
  const versions = makeVersions()
  type Work = [string, (tx: Tx) => Promise<unknown>]
  const HOT: Work[] = [
    [
      'a spin',
      (tx) =>
        spinBatch(
          tx,
          [{ actor: stage.actor('alice'), wheel_id, request_id: 'planned', client_entropy: '-' }],
          { versions, pairs: makePairKeys(), playIds: [] },
        ),
    ],
    [
      'the pairs of a player for a new version',
      (tx) =>
        ensurePairs(tx, [
          {
            user_id: 'alice',
            binding: {
              gameId: wheel_id,
              kind: 'wheel',
              config_version: 2,
              config_text: '{}',
              config_hash: 'a'.repeat(64),
            },
          },
        ]),
    ],
  ]
  const WORK: Work[] = [
    ...HOT,
    ['the snapshot of a room', (tx) => readSnapshot(tx, { game: 'summer', versions })],
    ['the events since a version', (tx) => readSince(tx, { game: 'summer', version: 1, versions })],
    ['the history of a player', (tx) => readMySpins(tx, { ...page, game: 'summer' })],
    ['the plays of a player', (tx) => readMyPlays(tx, { ...page, won_only: true })],
    ['the chances of a player', (tx) => readGrants(tx, page)],
    ['the story of a spin', (tx) => readSpinLog(tx, { spin_id, level: 'debug' })],
    ['the newest lines', (tx) => readLogs(tx, { ...page, level: 'debug', cursor: null })],
  ]
  for (const [what, work] of WORK) {
    it(`S1-49 ${what} is found through indexes, behind row-level security`, async () => {
      const { statements, scans } = await scansOf(work)
      assert.ok(statements > 0)
      assert.deepEqual(scans, [])
    })
  }

  for (const [what] of HOT) {
    it(`S1-49 ${what} is found through indexes in young tables too, of which PostgreSQL knows nothing`, () => {
      assert.deepEqual(young.get(what), [])
    })
  }

  it('S1-49 a question that no index answers is seen by this', async () => {
    const { scans } = await scansOf((tx) => tx.rows('select 1 from spin_results where roll = 7'))
    assert.equal(scans.length, 1)
  })
})

/**
 * Tables that grow and of which a plan reads all rows of the tenant: one after the other, or through an index of which it
 * uses no more than the tenant. The first rows of an order are enough for a Limit.
 */
function readWhole(node: Node, table = node['Relation Name'], has_limit = false): string[] {
  const limited = has_limit || node['Node Type'] === 'Limit'
  const below = (node.Plans ?? []).flatMap((each) =>
    readWhole(each, each['Relation Name'] ?? node['Relation Name'], limited),
  )
  const condition = (node['Index Cond'] ?? '').replaceAll(/\(tenant_id = [^)]*\)(::uuid)?\)?/g, '')
  const is_scan = /^(Seq|Index|Index Only|Bitmap Index) Scan$/.test(node['Node Type'])
  const is_narrow = /\w+(::\w+)? (=|<|>|<=|>=) /.test(condition)
  if (!is_scan || is_narrow || limited || table === undefined || !GROWING.has(table)) return below
  return [table, ...below]
}
