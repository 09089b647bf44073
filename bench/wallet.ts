/**
 * The wallet on the real schema (row-level security, audit chain, inbox, idempotency keys, fsync): lists and
 * applications in batches, beside a transaction each.
 *
 * Each caller waits for its answer and then asks again, so `waiting` callers are that many requests in flight. The ways
 * take turns on one database in one process (A B C, B C A, ...); medians over the rounds. Every application leaves the
 * same rows whichever way made it, and the whole audit must hold at the end. Run: `node bench/wallet.ts [--quick]`.
 */
import { performance } from 'node:perf_hooks'
import { type Actor, inputHash, type Tx } from '../src/db/tx.ts'
import { newId } from '../src/ids.ts'
import { grantPrizes, type PrizeGrant } from '../src/prizes/grant.ts'
import { applyPrize, makeApplyBatch } from '../src/prizes/redemption.ts'
import { applyPlays, insertApplications } from '../src/prizes/redemption-store.ts'
import { loadPrizePages, sayMove } from '../src/prizes/store.ts'
import { makePrizeLists, readMyPrizes } from '../src/prizes/wallet.ts'
import { type FunctionApplications, makeFunctionApplications } from './baselines/apply-function.ts'
import { type Stage, startStage } from './stage.ts'

export type Table = { name: string; rows: Record<string, string | number>[] }

type Way = { name: string; ask(caller: number): Promise<unknown> }
type Round = { per_s: number; p50_ms: number; p99_ms: number; node_us: number }

const LEVELS = [64, 256]
const ROUND_COUNT = 3
const ROUND_MS = 1_000
/** Prizes of a player in the lists. */
const PRIZES_EACH = 12
const PER_PAGE = 10
const GRANTED_AT_ONCE = 500
/** What a round of applications takes at most; a way that is quicker ends its round sooner. */
const PRIZES_PER_ROUND = 2_500
/** What all ways together take in one turn; the others are slower by far. */
const PRIZES_PER_TURN = 5_000
const BUYERS = 1_000
const ORDER = { order_amount: '75.50' }
const ORDER_MINOR = 7_550

/** Runs the measurement, about a minute, and returns its table. Throws when the audit finds anything. */
export async function run({ quick = false }: { quick?: boolean } = {}): Promise<Table> {
  const levels = quick ? LEVELS.slice(0, 1) : LEVELS
  const stage = await startStage(levels.at(-1)!)
  const calls = await makeFunctionApplications(stage.app, stage.url)
  try {
    const prizes = await makePrizes(stage)
    const lists = listWays(stage)
    const applications = await applyWays(stage, prizes, calls, quick)
    await stage.database.query('analyze')
    const rows: Table['rows'] = []
    for (const waiting of levels) {
      rows.push(...(await level('list', lists, waiting, quick)))
      rows.push(...(await level('apply', applications, waiting, quick)))
    }
    const checks = await stage.audit()
    return {
      name: `the wallet: medians of ${quick ? 1 : ROUND_COUNT} interleaved rounds; ${checks} audit checks hold`,
      rows,
    }
  } finally {
    await calls.end()
    await stage.close()
  }
}

// ------------------------------------------------------------------------------------------- what is there

type Prizes = { prize_id: number; game_id: number; service: Actor }

/** A discount that anybody may use, and the lists: every player has some of it. */
async function makePrizes(stage: Stage): Promise<Prizes> {
  const [game] = await stage.database.query<{ id: number }>('select id from gamification_games limit 1')
  const [prize] = await stage.database.query<{ id: number }>(
    `select id from gamification_prizes where type = 'discount_percentage' limit 1`,
  )
  const service: Actor = { tenantId: stage.operator.tenantId, userId: 'shop', roles: ['service'] }
  const prizes = { prize_id: prize!.id, game_id: game!.id, service }
  for (let i = 0; i < PRIZES_EACH; i++)
    await give(
      stage,
      prizes,
      stage.players.map(({ userId }) => userId),
    )
  return prizes
}

/** Gives each of these users the prize, opened: what a spin and an unlock write, a batch at a time. */
async function give(
  stage: Stage,
  { prize_id, game_id }: Prizes,
  user_ids: readonly string[],
): Promise<number[]> {
  const play_ids: number[] = []
  for (let at = 0; at < user_ids.length; at += GRANTED_AT_ONCE) {
    const grants = user_ids
      .slice(at, at + GRANTED_AT_ONCE)
      .map((user_id): PrizeGrant => ({ user_id, prize_id, game_id, event_id: newId() }))
    play_ids.push(...(await stage.app.run(stage.operator, giveOpened, grants)))
  }
  return play_ids
}

async function giveOpened(tx: Tx, grants: readonly PrizeGrant[]): Promise<number[]> {
  const given = (await grantPrizes(tx, grants)).map((verdict) => {
    if ('refusal' in verdict) throw verdict.refusal
    return verdict.answer
  })
  const play_ids = given.map(({ play_id }) => play_id)
  await sayMove(tx, 'unlock')
  await tx.rows(
    `update gamification_game_plays
     set prize_status = 'unlocked', unlocked_at = greatest(created_at, $2), updated_at = $2, row_version = row_version + 1
     where id = any($1)`,
    [play_ids, tx.now],
  )
  for (const { play_id, play_uuid } of given)
    tx.audit({
      action: 'unlock',
      entity_type: 'game_play',
      entity_id: play_uuid,
      old_values: { prize_status: 'locked' },
      new_values: { prize_status: 'unlocked', play_id },
    })
  return play_ids
}

// ------------------------------------------------------------------------------------------- the ways

function listWays(stage: Stage): Way[] {
  const { app, players } = stage
  const lists = makePrizeLists(app)
  const request = { status: 'all', page: 1, per_page: PER_PAGE } as const
  const playerOf = (caller: number) => players[caller % players.length]!
  return [
    { name: 'list, batch', ask: async (caller) => JSON.stringify(await lists(playerOf(caller), request)) },
    {
      name: 'list, a transaction each',
      ask: async (caller) => JSON.stringify(await app.run(playerOf(caller), readMyPrizes, request)),
    },
    {
      // No counts, no rules: the rows as they are stored.
      name: 'list, rows as they are',
      ask: async (caller) => JSON.stringify(await app.run(playerOf(caller), readRows, undefined)),
    },
  ]
}

const readRows = (tx: Tx) =>
  loadPrizePages(tx, [{ user_id: tx.actor.userId, status: null, limit: PER_PAGE, offset: 0 }])

async function applyWays(
  stage: Stage,
  prizes: Prizes,
  calls: FunctionApplications,
  quick: boolean,
): Promise<Way[]> {
  const { app } = stage
  const { service } = prizes
  const turns = quick ? 1 : LEVELS.length * (ROUND_COUNT + 1)
  // Other users than those whose lists are read: what lists cost must not depend on how many were applied.
  const buyers = Array.from({ length: turns * PRIZES_PER_TURN }, (_, i) => `buyer-${i % BUYERS}`)
  const free = await give(stage, prizes, buyers)
  let count = 0
  const next = () => {
    const play_id = free.pop()
    if (play_id === undefined) throw new Error('the bench has used up its prizes')
    return { play_id, order_id: `order-${count++}` }
  }
  const claimOf = (order_id: string) => ({
    endpoint: 'bench',
    key: order_id,
    status: 200,
    principal: service.userId,
    request_hash: inputHash(order_id),
  })
  const batch = makeApplyBatch(app)
  const details = await detailsOf(stage, service, next())
  return [
    {
      name: 'apply, batch',
      ask() {
        const { play_id, order_id } = next()
        const input = { play_ids: [play_id], order_id, order: ORDER, is_single: true }
        return batch(service, input, claimOf(order_id))
      },
    },
    {
      name: 'apply, a transaction each',
      ask() {
        const { play_id, order_id } = next()
        const { endpoint, key, status } = claimOf(order_id)
        const input = { play_id, order_id, order: ORDER }
        return app.once(service, (tx) => applyPrize(tx, input), order_id, { endpoint, key, status })
      },
    },
    {
      name: 'apply, select for update',
      ask() {
        const asked = { ...next(), details }
        return app.run(service, applyPlainly, asked)
      },
    },
    {
      name: 'apply, one function each',
      ask: () => calls.apply(service, { ...next(), order_minor: ORDER_MINOR }),
    },
  ]
}

/** The trace of an application to such an order; it is the same for each. */
async function detailsOf(
  stage: Stage,
  service: Actor,
  { play_id, order_id }: { play_id: number; order_id: string },
): Promise<object> {
  await stage.app.run(service, applyPrize, { play_id, order_id, order: ORDER })
  const [row] = await stage.database.query<{ details: object }>(
    'select details from prize_applications where play_id = $1',
    [play_id],
  )
  return row!.details
}

/**
 * As one writes it without a batch: look for the key, lock the row, look at its state, write, keep the key; one
 * statement after the other. It decides nothing (no conditions, no stacking) and copies the trace.
 */
async function applyPlainly(
  tx: Tx,
  { play_id, order_id, details }: { play_id: number; order_id: string; details: object },
): Promise<void> {
  const values = [tx.actor.userId, 'bench', order_id]
  await tx.rows(
    'select answer from idempotency_keys where principal = $1 and endpoint = $2 and key = $3',
    values,
    'plain_key',
  )
  const play = await tx.one<{ uuid: string; user_id: string; prize_status: string }>(
    'select uuid, user_id, prize_status from gamification_game_plays where id = $1 for update',
    [play_id],
    'plain_lock',
  )
  if (play?.prize_status !== 'unlocked') throw new Error('prize_applied')
  const { discount_amount, final_amount } = details as { discount_amount: string; final_amount: string }
  const minor = (amount: string) => String(Math.round(Number(amount) * 100))
  await insertApplications(tx, [
    {
      id: newId(),
      play_id,
      order_id,
      order_ref: order_id,
      order_minor: minor(ORDER.order_amount),
      discount_minor: minor(discount_amount),
      final_minor: minor(final_amount),
      max_discount_minor: null,
      currency: 'EUR',
      facts_hash: inputHash(ORDER),
      details,
      transfer_id: null,
      policy_version: 0,
      applied_by: tx.actor.userId,
    },
  ])
  await applyPlays(tx, [{ id: play_id, order_id, details }])
  await tx.rows(
    `insert into idempotency_keys (principal, endpoint, key, state, request_hash, status, answer, created_at)
     values ($1, $2, $3, 'done', $4, 200, $5, $6)`,
    [...values, inputHash(order_id), JSON.stringify({ details }), tx.now],
    'plain_keep',
  )
  tx.audit({
    action: 'apply',
    entity_type: 'game_play',
    entity_id: play.uuid,
    old_values: { prize_status: 'unlocked' },
    new_values: {
      prize_status: 'applied',
      play_id,
      user_id: play.user_id,
      order_id,
      discount_amount,
      final_amount,
    },
  })
}

// ------------------------------------------------------------------------------------------- the measurement

async function level(
  what: string,
  ways: readonly Way[],
  waiting: number,
  quick: boolean,
): Promise<Table['rows']> {
  const is_apply = what === 'apply'
  for (const way of ways) await roundOf(way, waiting, 150, is_apply)
  const rounds = new Map<Way, Round[]>(ways.map((way) => [way, []]))
  for (let round = 0; round < (quick ? 1 : ROUND_COUNT); round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const way = ways[(turn + round) % ways.length]!
      rounds.get(way)!.push(await roundOf(way, waiting, quick ? 300 : ROUND_MS, is_apply))
    }
  }
  const medianOf = (way: Way, key: keyof Round) => median(rounds.get(way)!.map((round) => round[key]))
  const ours = medianOf(ways[0]!, 'per_s')
  return ways.map((way) => ({
    waiting,
    way: way.name,
    per_s: Math.round(medianOf(way, 'per_s')),
    p50_ms: round1(medianOf(way, 'p50_ms')),
    p99_ms: round1(medianOf(way, 'p99_ms')),
    node_us: Math.round(medianOf(way, 'node_us')),
    ours_is_times: round1(ours / medianOf(way, 'per_s')),
  }))
}

async function roundOf(way: Way, waiting: number, duration_ms: number, is_limited: boolean): Promise<Round> {
  const latencies_ms: number[] = []
  const begun = process.cpuUsage()
  const started = performance.now()
  const isOver = () =>
    performance.now() - started >= duration_ms ||
    (is_limited && latencies_ms.length + waiting > PRIZES_PER_ROUND)
  await Promise.all(
    Array.from({ length: waiting }, async (_, caller) => {
      while (!isOver()) {
        const asked = performance.now()
        await way.ask(caller)
        latencies_ms.push(performance.now() - asked)
      }
    }),
  )
  const took_s = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(begun)
  latencies_ms.sort((a, b) => a - b)
  const at = (share: number) =>
    latencies_ms[Math.min(latencies_ms.length - 1, Math.floor(latencies_ms.length * share))]!
  return {
    per_s: latencies_ms.length / took_s,
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    node_us: (user + system) / latencies_ms.length,
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[(values.length - 1) >> 1]!
const round1 = (value: number): number => Math.round(value * 10) / 10

if (import.meta.main) {
  const { name, rows } = await run({ quick: process.argv.includes('--quick') })
  console.log(name)
  console.table(rows)
}
