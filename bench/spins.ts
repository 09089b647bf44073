/**
 * Durable spins on the real schema (row-level security, events, audit, fairness log, fsync): our group commit beside
 * one transaction of plain statements per spin and beside one function call per spin.
 *
 * Each player waits for its answer and then spins again, so `waiting` players are that many spins in flight: what is
 * measured is a machine at its limit. Below it, spins are offered at a fixed rate, and a spin's time counts from when it
 * was due. The three ways take turns on one database in one process (A B C, B C A, ...), so that whatever else the machine does
 * meets all of them; medians over the rounds. At the end the audit must find one consistent database.
 * Run: `node bench/spins.ts [--quick]`.
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Actor } from '../src/db/tx.ts'
import type { SpinRequest } from '../src/games/wheel/wheel.ts'
import { makeFunctionSpins } from './baselines/function.ts'
import { makeStatementSpins } from './baselines/statements.ts'
import { type Stage, startStage } from './stage.ts'

export type Table = { name: string; rows: Record<string, string | number>[] }

type Way = { name: string; spin(actor: Actor, request: SpinRequest): Promise<unknown> }
type Round = { per_s: number; p50_ms: number; p99_ms: number }

const LEVELS = [64, 256, 1_024]
/** Spins per second that come whatever the server does. */
const OFFERED = [100, 250, 500, 1_000]
const ROUND_COUNT = 3
const ROUND_MS = 1_200

/** Runs the measurement, about 45 seconds, and returns its table. Throws when the audit finds anything. */
export async function run({ quick = false }: { quick?: boolean } = {}): Promise<Table> {
  const levels = quick ? LEVELS.slice(0, 1) : LEVELS
  const stage = await startStage(levels.at(-1)!)
  const singly = await makeFunctionSpins(stage.app, stage.url)
  const statements = makeStatementSpins(stage.app)
  const ways: Way[] = [
    { name: 'group commit', spin: stage.wheel.spin },
    { name: 'statements per spin', spin: statements },
    { name: 'one function per spin', spin: singly.spin },
  ]
  try {
    for (const way of ways) await spinFor(stage, way, levels[0]!, quick ? 100 : 300)
    // Tables of a minute ago have no statistics, and plans made without them last as long as a connection.
    await stage.database.query('analyze')
    for (const way of ways) await spinFor(stage, way, levels[0]!, quick ? 100 : 300)
    const rows: Table['rows'] = []
    for (const waiting of levels) rows.push(...(await level(stage, ways, waiting, quick)))
    for (const rate of quick ? OFFERED.slice(0, 1) : OFFERED)
      rows.push(await offeredLevel(stage, ways[0]!, rate, quick))
    const checks = await stage.audit()
    return {
      name: `durable spins: medians of ${quick ? 1 : ROUND_COUNT} interleaved rounds; ${checks} audit checks hold`,
      rows,
    }
  } finally {
    await singly.end()
    await stage.close()
  }
}

async function level(stage: Stage, ways: Way[], waiting: number, quick: boolean): Promise<Table['rows']> {
  const rounds = new Map<Way, Round[]>(ways.map((way) => [way, []]))
  for (let round = 0; round < (quick ? 1 : ROUND_COUNT); round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const way = ways[(turn + round) % ways.length]!
      rounds.get(way)!.push(await spinFor(stage, way, waiting, quick ? 300 : ROUND_MS))
    }
  }
  const medianOf = (way: Way, key: keyof Round) => medianBy(rounds.get(way)!, key)
  const ours = medianOf(ways[0]!, 'per_s')
  return ways.map((way) => ({
    waiting,
    way: way.name,
    spins_per_s: Math.round(medianOf(way, 'per_s')),
    p50_ms: round1(medianOf(way, 'p50_ms')),
    p99_ms: round1(medianOf(way, 'p99_ms')),
    ours_is_times: round1(ours / medianOf(way, 'per_s')),
  }))
}

async function offeredLevel(
  stage: Stage,
  way: Way,
  rate: number,
  quick: boolean,
): Promise<Table['rows'][number]> {
  const rounds: Round[] = []
  for (let round = 0; round < (quick ? 1 : ROUND_COUNT); round++)
    rounds.push(await spinAtRate(stage, way, rate, quick ? 300 : ROUND_MS))
  return {
    waiting: `${rate}/s offered`,
    way: way.name,
    spins_per_s: Math.round(medianBy(rounds, 'per_s')),
    p50_ms: round1(medianBy(rounds, 'p50_ms')),
    p99_ms: round1(medianBy(rounds, 'p99_ms')),
    ours_is_times: '-',
  }
}

let request_count = 0

/** `waiting` players spin one after the other for a while; spins that end after it count with the time they took. */
async function spinFor(
  { players, wheel_id }: Stage,
  way: Way,
  waiting: number,
  duration_ms: number,
): Promise<Round> {
  const started = performance.now()
  const latencies_ms: number[] = []
  await Promise.all(
    players.slice(0, waiting).map(async (player) => {
      while (performance.now() - started < duration_ms) {
        const asked = performance.now()
        await way.spin(player, { wheel_id, request_id: `bench-${request_count++}` })
        latencies_ms.push(performance.now() - asked)
      }
    }),
  )
  return roundOf(latencies_ms, performance.now() - started)
}

/** Spins by one player after the other, each at its time; the round ends with the last answer. */
async function spinAtRate(
  { players, wheel_id }: Stage,
  way: Way,
  rate: number,
  duration_ms: number,
): Promise<Round> {
  const started = performance.now()
  const latencies_ms: number[] = []
  const running: Promise<void>[] = []
  const spinDueAt = async (due_ms: number, player: Actor) => {
    await way.spin(player, { wheel_id, request_id: `bench-${request_count++}` })
    latencies_ms.push(performance.now() - due_ms)
  }
  for (let i = 0; i < (rate * duration_ms) / 1_000; i++) {
    const due_ms = started + (i * 1_000) / rate
    const wait_ms = due_ms - performance.now()
    if (wait_ms > 1) await sleep(wait_ms)
    running.push(spinDueAt(due_ms, players[i % players.length]!))
  }
  await Promise.all(running)
  return roundOf(latencies_ms, performance.now() - started)
}

function roundOf(latencies_ms: number[], took_ms: number): Round {
  latencies_ms.sort((a, b) => a - b)
  const at = (share: number) =>
    latencies_ms[Math.min(latencies_ms.length - 1, Math.floor(latencies_ms.length * share))]!
  return { per_s: (latencies_ms.length * 1_000) / took_ms, p50_ms: at(0.5), p99_ms: at(0.99) }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[(values.length - 1) >> 1]!
const medianBy = (rounds: Round[], key: keyof Round): number => median(rounds.map((round) => round[key]))
const round1 = (value: number): number => Math.round(value * 10) / 10

if (import.meta.main) {
  const { name, rows } = await run({ quick: process.argv.includes('--quick') })
  console.log(name)
  console.table(rows)
}
