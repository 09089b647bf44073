/**
 * A draw over a list of a million entries (lists.ts has ten million without a database): how fast entries are taken, how
 * long the event loop is kept from anything else, and what closing, drawing and proving cost at the end. Baseline of the
 * close: hashing the whole list at once, as a server without a kept tree would have to.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { z } from 'zod'
import { createDraw } from '../src/draws/draws.ts'
import { type DrawGame, drawGames, type NewEntry } from '../src/draws/game.ts'
import { addEntries, proveEntry } from '../src/draws/list.ts'
import { makeDraws } from '../src/draws/service.ts'
import { loadDraw, loadDrawsForUpdate, loadEntries } from '../src/draws/store.ts'
import { leafHash, merkleRoot } from '../src/fairness/merkle.ts'
import { deriveFrom } from '../src/fairness/transcript.ts'
import { newId } from '../src/ids.ts'
import { NODE_HASH } from '../src/node-hash.ts'
import { localEntropy } from '../src/proofs/round-entropy.ts'
import { type Stage, startStage } from './stage.ts'

const WINNERS = 1_000
const PER_TRANSACTION = 2_000
/** Tickets per person, as in a large raffle. */
const PER_USER = 20
const BASELINE_MAX = 1_000_000

const GAME: DrawGame = {
  game: 'bench',
  kind: 'draw',
  configSchema: z.looseObject({ kind: z.string() }),
  margin_ms: 60_000,
  fallback: {},
  reveal: () => ({ lead_ms: 0, step_ms: 0 }),
  reads: () => 'none',
  drawCount: () => WINNERS,
  decide: (config, entries, rolls) => deriveFrom(rolls, { kind: 'draw', config, entries }).outcome,
  places: (_config, { prizes }) =>
    prizes[0].entries.map((entry_index: number) => ({ entry_index, prize: 'a' })),
  award: async () => {},
  refund: async () => {},
}

type Row = Record<string, string | number>

export async function run({
  quick = false,
}: {
  quick?: boolean
} = {}): Promise<{ name: string; rows: Row[] }> {
  const stage = await startStage(1)
  try {
    const rows: Row[] = []
    for (const count of quick ? [5_000] : sizes()) rows.push(await measure(stage, count))
    return { name: 'draws: a list of so many entries', rows }
  } finally {
    await stage.close()
  }
}

/** `node bench/draws.ts 10000000`: another size; ten million come in for a quarter of an hour. */
function sizes(): number[] {
  const given = process.argv.slice(2).map(Number).filter(Number.isSafeInteger)
  return given.length > 0 ? given : [1_000_000]
}

async function measure({ app, checkpoints, operator }: Stage, count: number): Promise<Row> {
  const games = drawGames([GAME])
  const report = (where: string, error: unknown) => {
    throw new Error(`failed in ${where}`, { cause: error })
  }
  const draws = makeDraws({ app, checkpoints, entropy: localEntropy, games, report })
  const ends_at = new Date(app.clock.now().getTime() + 3_600_000)
  // Closed by hand below: the list is what is measured, not its deadline.
  const config = { v: 1 as const, kind: 'raffle', prizes: [{ id: 'a', qty: WINNERS }] }
  const { id } = await draws.promise(
    operator,
    (tx) =>
      createDraw(
        tx,
        GAME,
        {
          game_id: newId(),
          draw_name: 'Bench',
          config,
          opens_at: tx.now,
          closes_at: ends_at,
          draw_at: ends_at,
        },
        localEntropy,
      ),
    undefined,
    (draw) => [draw.id],
  )
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const began = performance.now()
  let rss = 0
  for (let from = 0; from < count; from += PER_TRANSACTION) {
    const entries = Array.from({ length: Math.min(PER_TRANSACTION, count - from) }, (_, i): NewEntry => {
      const user_id = `player-${Math.floor((from + i) / PER_USER)}`
      return { user_id, ref_id: newId(), facts: { t: from + i + 1, via: 'paid' } }
    })
    await app.run(
      operator,
      async (tx) => {
        const [draw] = await loadDrawsForUpdate(tx, [id])
        await addEntries(tx, draw!, entries)
      },
      undefined,
    )
    rss = Math.max(rss, process.memoryUsage.rss())
  }
  const took_s = (performance.now() - began) / 1_000
  const late = { p99: loop.percentile(99) / 1e6, max: loop.max / 1e6 }
  loop.reset()

  const clock = app.clock as { now(): Date }
  const { now } = clock
  clock.now = () => ends_at
  const asked = performance.now()
  await draws.advance(operator.tenantId, id)
  const closed_ms = performance.now() - asked
  clock.now = now
  const late_max = loop.max / 1e6
  loop.disable()
  const row = (await app.run(operator, (tx) => loadDraw(tx, id), undefined))!
  const proof_asked = performance.now()
  await app.run(operator, (tx) => proveEntry(tx, row, count >> 1), undefined)
  return {
    entries: count,
    'taken per s': Math.round(count / took_s),
    'loop p99 ms': round1(late.p99),
    'loop max ms': round1(late.max),
    'close, draw and store 1,000 ms': round1(closed_ms),
    'of it loop max ms': round1(late_max),
    'proof ms': round1(performance.now() - proof_asked),
    'hashed at once ms': count <= BASELINE_MAX ? await hashedAtOnce(app, operator, id, count) : '-',
    'memory MB': Math.round(rss / 1e6),
    status: row.status,
  }
}

/** The root over leaves that are all at hand: the reading of them comes on top. */
async function hashedAtOnce(
  app: Stage['app'],
  operator: Stage['operator'],
  draw_id: string,
  count: number,
): Promise<number> {
  const leaves: Uint8Array[] = []
  for (let from = 0; from < count; from += 10_000) {
    const page = await app.run(operator, (tx) => loadEntries(tx, draw_id, from, from + 10_000), undefined)
    for (const { leaf } of page) leaves.push(Buffer.from(leaf))
  }
  const began = performance.now()
  merkleRoot(
    leaves.map((leaf) => leafHash(leaf, NODE_HASH)),
    NODE_HASH,
  )
  return Math.round(performance.now() - began)
}

const round1 = (value: number): number => Math.round(value * 10) / 10

if (import.meta.main) {
  const { name, rows } = await run({ quick: process.argv.includes('--quick') })
  console.log(name)
  console.table(rows)
}
