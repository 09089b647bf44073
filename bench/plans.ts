/**
 * How PostgreSQL finds the plays of a wallet among a million: the product's own statements, explained with row-level
 * security on, and the four indexes of seeds/002 that each of them has to use.
 *
 * The plays are written past triggers and keys, because only their number and spread matter here; nothing else runs on
 * that database. Prints each plan. Run: `node bench/plans.ts [--quick]`.
 */
import { performance } from 'node:perf_hooks'
import type { Tx } from '../src/db/tx.ts'
import { loadWinCounts } from '../src/games/wheel/store.ts'
import { expirePlays } from '../src/prizes/redemption-store.ts'
import { loadPlayByCode, loadPrizePages } from '../src/prizes/store.ts'
import { type Stage, startStage } from './stage.ts'

export type Table = { name: string; rows: Record<string, string | number>[] }

type Spread = { plays: number; users: number; games: number }

const MILLION: Spread = { plays: 1_000_000, users: 5_000, games: 40 }
const FEW: Spread = { plays: 50_000, users: 500, games: 40 }
/** They were played over the last ninety days. */
const LOADED_S = 90 * 86_400
const LOADED_AT_ONCE = 50_000
const PER_PAGE = 10
const EXPIRED_AT_ONCE = 100

type Asked = { name: string; index: string; ask(tx: Tx): Promise<unknown> }

/** Loads, explains, and returns a table. Throws when a statement does not use its index. Two minutes with a million. */
export async function run({ quick = false }: { quick?: boolean } = {}): Promise<Table> {
  const spread = quick ? FEW : MILLION
  const stage = await startStage(1)
  try {
    const game_id = await load(stage, spread)
    const rows: Table['rows'] = []
    for (const asked of statements(spread, game_id)) {
      const { plan, took_ms } = await explain(stage, asked)
      console.log(`\n${asked.name}\n${plan.map((line) => `  ${line}`).join('\n')}`)
      if (!plan.some((line) => line.includes(asked.index)))
        throw new Error(`${asked.name} does not use ${asked.index}`)
      rows.push({ statement: asked.name, index: asked.index, buffers: buffersOf(plan), ms: took_ms })
    }
    return {
      name: `plans among ${spread.plays.toLocaleString('en')} plays: every statement uses its index`,
      rows,
    }
  } finally {
    await stage.close()
  }
}

function statements({ users }: Spread, game_id: number): Asked[] {
  const user_id = `player-${users >> 1}`
  return [
    {
      name: 'the list of a player, by status',
      index: 'idx_user_prizes',
      ask: (tx) => loadPrizePages(tx, [{ user_id, status: 'unlocked', limit: PER_PAGE, offset: 0 }]),
    },
    {
      name: 'the prize with a code',
      index: 'idx_prize_code',
      ask: (tx) => loadPlayByCode(tx, ['C0000421'], null),
    },
    {
      name: 'prizes whose time is over',
      index: 'idx_expiration',
      ask: (tx) => expirePlays(tx, EXPIRED_AT_ONCE),
    },
    {
      name: 'what a player has won of a game',
      index: 'idx_game_user_date',
      ask: (tx) => loadWinCounts(tx, game_id, [user_id], ['mug']),
    },
  ]
}

/** Plays of many users and games, newest last; three in ten won, spread over the four states, some past their time. */
async function load(stage: Stage, { plays, users, games }: Spread): Promise<number> {
  const { database, operator } = stage
  const client = await database.connect()
  try {
    await client.query(`set statement_timeout = 0; begin; set local session_replication_role = replica`)
    const { rows } = await client.query<{ id: number }>(
      `insert into gamification_games (tenant_id, game_name, game_type, created_at, updated_at)
       select $1, 'Game ' || i, 'spin_wheel', now(), now() from generate_series(1, $2::int) i returning id`,
      [operator.tenantId, games],
    )
    for (let first = 1; first <= plays; first += LOADED_AT_ONCE)
      await client.query(
        `insert into gamification_game_plays (id, tenant_id, uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status,
         prize_snapshot, unlocked_at, applied_at, applied_to_order_id, expires_at, game_data, event_id, created_at, updated_at)
       select i, $1, gen_random_uuid(), $2::bigint + i % $3::int, 'player-' || abs(hashint4(i) % $4::int),
              case when won then 1 end, won, case when won then 'C' || lpad(i::text, 7, '0') end, status,
              case when won then '{"name": "A prize", "type": "discount_percentage", "value": "10.00"}'::jsonb end,
              case when status in ('unlocked', 'applied') then at end, case when status = 'applied' then at end,
              case when status = 'applied' then i::text end,
              case when won then at + make_interval(days => 7 + i % 60) end, '{"award_slug": "mug"}', gen_random_uuid(), at, at
       from (select i, i % 10 < 3 as won, now() - make_interval(secs => $6::float8 * ($5::int - i) / $5::int) as at,
                    case when i % 10 < 3 then (array['locked', 'unlocked', 'applied', 'expired'])[1 + i / 10 % 4] end as status
             from generate_series($7::int, $8::int) i) s`,
        [operator.tenantId, rows[0]!.id, games, users, plays, LOADED_S, first, first + LOADED_AT_ONCE - 1],
      )
    // What the trigger of wins would have kept.
    await client.query(
      `insert into inbox_heads (tenant_id, user_id, version, locked_count, unlocked_count, applied_count, expired_count, next_deadline)
       select tenant_id, user_id, 1, count(*) filter (where prize_status = 'locked'), count(*) filter (where prize_status = 'unlocked'),
              count(*) filter (where prize_status = 'applied'), count(*) filter (where prize_status = 'expired'),
              min(expires_at + make_interval(hours => grace_hours)) filter (where prize_status in ('locked', 'unlocked'))
       from gamification_game_plays where is_winner group by tenant_id, user_id`,
    )
    await client.query('commit')
    await client.query('vacuum analyze gamification_game_plays, inbox_heads')
    return rows[0]!.id
  } finally {
    client.release()
  }
}

/** Runs a statement of the product as `explain analyze`, in a transaction that is rolled back. */
async function explain(
  { app, operator }: Stage,
  { ask }: Asked,
): Promise<{ plan: string[]; took_ms: number }> {
  const plan: string[] = []
  let took_ms = 0
  const undone = app.run(
    operator,
    async (tx) => {
      const rows = async (text: string, values: readonly unknown[] = []) => {
        const lines = await tx.rows<Record<string, string>>(
          `explain (analyze, buffers, costs off, timing off, summary off) ${text}`,
          values,
        )
        plan.push(...lines.map((line) => line['QUERY PLAN']!))
        return []
      }
      const explained = {
        actor: tx.actor,
        now: tx.now,
        rows,
        one: async (...asked: Parameters<typeof rows>) => (await rows(...asked))[0],
      }
      // Once for the caches, and then for the plan.
      await ask(explained as unknown as Tx)
      plan.length = 0
      const started = performance.now()
      await ask(explained as unknown as Tx)
      took_ms = Math.round((performance.now() - started) * 10) / 10
      throw new Undone()
    },
    undefined,
  )
  await undone.catch((error: unknown) => {
    if (!(error instanceof Undone)) throw error
  })
  return { plan, took_ms }
}

class Undone extends Error {}

/** Pages that a plan touched in memory, from its first line that says so. */
function buffersOf(plan: readonly string[]): number {
  const found = plan
    .map((line) => /Buffers: shared hit=(\d+)/.exec(line)?.[1])
    .find((hit) => hit !== undefined)
  return Number(found ?? 0)
}

if (import.meta.main) {
  const { name, rows } = await run({ quick: process.argv.includes('--quick') })
  console.log(`\n${name}`)
  console.table(rows)
}
