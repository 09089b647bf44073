/**
 * Tickets of one raffle on the real schema (row-level security, list and tree, ledger, audit chain, events, fsync): bought
 * in batches, beside a transaction each.
 *
 * Each caller waits for its answer and then buys again, so `waiting` callers are that many requests in flight. The ways
 * take turns on one raffle in one process (A B C, B C A, ...); medians over the rounds. Every purchase leaves the same
 * rows whichever way made it; at the end the raffle is closed and drawn, and the whole audit must hold.
 * Run: `node bench/tickets.ts [--quick]`.
 */
import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { type Actor, inputHash, type Tx } from '../src/db/tx.ts'
import { drawGames } from '../src/draws/game.ts'
import { addEntries, receiptOf } from '../src/draws/list.ts'
import { makeDraws } from '../src/draws/service.ts'
import { loadDrawsForUpdate } from '../src/draws/store.ts'
import { DRAW_GAMES } from '../src/games/index.ts'
import { playerNames } from '../src/games/players.ts'
import { makeRaffle } from '../src/games/raffle/raffle.ts'
import { raffleResource } from '../src/games/raffle/resource.ts'
import { type EnterInput, enterBatch, poolOf } from '../src/games/raffle/sale.ts'
import {
  countIssued,
  insertTickets,
  loadCampaignsForUpdate,
  loadPurchasesByRequest,
  putPurchases,
} from '../src/games/raffle/store.ts'
import { newId } from '../src/ids.ts'
import { postTransfer } from '../src/ledger/post.ts'
import { move, TENANT_OWNER } from '../src/ledger/rules.ts'
import { localEntropy } from '../src/proofs/round-entropy.ts'
import { systemActor } from '../src/system.ts'
import { type Stage, startStage } from './stage.ts'

export type Table = { name: string; rows: Record<string, string | number>[] }

type Order = { buyer: Actor; request_id: string; quantity: number }
type Way = { name: string; buy(order: Order): Promise<unknown> }
type Round = {
  purchases_per_s: number
  tickets_per_s: number
  p50_ms: number
  p99_ms: number
  node_us: number
}

const LEVELS = [64, 256]
const ROUND_COUNT = 3
const ROUND_MS = 1_000
const PRICE_MINOR = 100
const CREDIT_MINOR = 1_000_000_00
const TICKETS = 10_000_000
/** One, two, three tickets, one, two, … */
const QUANTITY_MAX = 3
const PAID_AT_ONCE = 500

/** Runs the measurement, about a minute, and returns its table. Throws when the audit finds anything. */
export async function run({ quick = false }: { quick?: boolean } = {}): Promise<Table> {
  const levels = quick ? LEVELS.slice(0, 1) : LEVELS
  const stage = await startStage(levels.at(-1)!)
  try {
    const { ways, end } = await openRaffle(stage)
    const rows: Table['rows'] = []
    for (const waiting of levels) rows.push(...(await level(stage, ways, waiting, quick)))
    const tickets = await end()
    const checks = await stage.audit()
    return {
      name: `tickets of one raffle: medians of ${quick ? 1 : ROUND_COUNT} interleaved rounds; ${tickets} were drawn from, ${checks} audit checks hold`,
      rows,
    }
  } finally {
    await stage.close()
  }
}

// ------------------------------------------------------------------------------------------- what is sold

export async function openRaffle(stage: Stage) {
  const { app, checkpoints, operator } = stage
  const report = (where: string, error: unknown) => {
    throw new Error(`failed in ${where}`, { cause: error })
  }
  const games = drawGames(DRAW_GAMES)
  const draws = makeDraws({ app, checkpoints, entropy: localEntropy, games, report })
  const raffle = makeRaffle({ app, draws })
  const now_ms = app.clock.now().getTime()
  // Closed by hand below: the sale is what is measured, not its deadline.
  const ends_at = new Date(now_ms + 3_600_000)
  const made = (await app.run(operator, raffleResource().create, {
    input: {
      campaign_name: 'Bench',
      campaign_description: null,
      campaign_type: 'raffle',
      is_public: true,
      ticket_price: PRICE_MINOR,
      currency: 'EUR',
      total_tickets: TICKETS,
      start_time: new Date(now_ms).toISOString(),
      end_time: ends_at.toISOString(),
      campaign_config: {},
      draws: [
        {
          draw_name: 'Final',
          draw_time: ends_at.toISOString(),
          winning_tickets: 100,
          alternates: 0,
          prize_id: null,
        },
      ],
    },
  })) as { id: string; draws: { id: string }[] }
  const draw_id = made.draws[0]!.id
  await raffle.publish(operator, made.id)
  await giveCredit(stage)

  const plain = { campaign_id: made.id, first_draw_id: draw_id }
  const system = systemActor(operator.tenantId)
  const ways: Way[] = [
    {
      name: 'batch',
      buy: ({ buyer, request_id, quantity }) => raffle.buy(buyer, made.id, { request_id, quantity }),
    },
    {
      name: 'a transaction each',
      async buy({ buyer, request_id, quantity }) {
        const user_id = buyer.userId
        const input: EnterInput = {
          ...plain,
          user_id,
          by: buyer,
          request_id,
          does: 'enter',
          quantity,
          via: 'paid',
        }
        const [verdict] = await app.run(system, enterBatch, [input])
        if ('refusal' in verdict!) throw verdict.refusal
      },
    },
    {
      name: 'statement after statement',
      buy: (order) => app.run(order.buyer, buyPlainly, { ...order, ...plain }),
    },
  ]

  /** Closes the sale, draws, and shows what was written; answers how many tickets were on the list. */
  async function end(): Promise<number> {
    const clock = app.clock as { now(): Date }
    const { now } = clock
    for (const after_ms of [0, 600_000]) {
      clock.now = () => new Date(ends_at.getTime() + after_ms)
      await draws.advance(operator.tenantId, draw_id)
    }
    clock.now = now
    const [written] = await stage.database.query<Record<string, number | string>>(
      `select d.status, d.entry_count, c.sold_tickets,
              (select count(*) from raffle_tickets)::int as tickets, (select count(*) from draw_entries)::int as entries,
              (select sum(amount_minor) from raffle_purchases)::bigint as paid_minor
       from draws d join raffle_campaigns c on c.id::text = d.game_id where d.id = $1`,
      [draw_id],
    )
    const { status, entry_count, sold_tickets, tickets, entries, paid_minor } = written!
    assert.equal(status, 'settled')
    assert.deepEqual([sold_tickets, tickets, entries], [entry_count, entry_count, entry_count])
    assert.equal(paid_minor, Number(entry_count) * PRICE_MINOR)
    return Number(entry_count)
  }
  return { ways, end }
}

async function giveCredit({ app, operator, players }: Stage): Promise<void> {
  const house = { account_kind: 'house', owner_id: TENANT_OWNER, currency: 'EUR' } as const
  for (let from = 0; from < players.length; from += PAID_AT_ONCE) {
    const part = players.slice(from, from + PAID_AT_ONCE)
    const gifts = part.map(({ userId }) => ({
      account_kind: 'wallet_credit' as const,
      owner_id: userId,
      currency: 'EUR',
      amount_minor: CREDIT_MINOR,
    }))
    const postings = [{ ...house, amount_minor: -CREDIT_MINOR * part.length }, ...gifts]
    await app.run(
      operator,
      (tx) => postTransfer(tx, { obligation: `bench:${from}`, transfer_type: 'bench.credit', postings }),
      undefined,
    )
  }
}

// ------------------------------------------------------------------------------------------- the plain way

type Plain = Order & { campaign_id: string; first_draw_id: string }

/**
 * As one writes it without a batch: look for the request, lock the draw and the raffle, count, take the next numbers, move
 * the money, write one table after the other. It knows no reservations, limits, bundles, channels, picked numbers or
 * numbers that win at once.
 */
async function buyPlainly(tx: Tx, order: Plain): Promise<string> {
  const { buyer, request_id, quantity, campaign_id, first_draw_id } = order
  const user_id = buyer.userId
  const [done] = await loadPurchasesByRequest(tx, [{ campaign_id, user_id, request_id }])
  if (done !== undefined) return done.answer!
  const [draw] = await loadDrawsForUpdate(tx, [first_draw_id])
  const [campaign] = await loadCampaignsForUpdate(tx, [campaign_id])
  const { currency, ticket_price, issued_tickets, total_tickets, number_cursors, sold_tickets } = campaign!
  if (draw!.status !== 'open' || issued_tickets + quantity > total_tickets) throw new Error('sold_out')
  const cursor = number_cursors['online:sequential'] ?? 0
  const numbers = Array.from({ length: quantity }, (_, i) => cursor + i + 1)
  const id = newId()
  const amount_minor = quantity * ticket_price
  const paid = await postTransfer(tx, {
    obligation: `raffle:${id}`,
    transfer_type: 'raffle.tickets',
    reason: `${quantity} tickets`,
    postings: move(
      amount_minor,
      currency,
      { account_kind: 'wallet_credit', owner_id: user_id },
      poolOf(campaign_id),
    ),
    metadata: { raffle_campaign_id: campaign_id, purchase_id: id },
  })
  const tickets = numbers.map((number) => ({
    id: newId(),
    raffle_campaign_id: campaign_id,
    user_id,
    ticket_number: String(number),
    purchase_id: id,
    via: 'paid',
  }))
  const entries = await addEntries(
    tx,
    draw!,
    tickets.map((ticket, i) => ({ user_id, ref_id: ticket.id, facts: { t: numbers[i]!, via: 'paid' } })),
  )
  const answer = JSON.stringify({
    purchase_id: id,
    status: 'done',
    raffle_id: campaign_id,
    draw_id: first_draw_id,
    commit_hash: draw!.commit_hash,
    quantity,
    amount_minor,
    currency,
    reserved_until: null,
    numbers: numbers.map(String),
    entrant: entries[0]!.entrant,
    salt: entries[0]!.salt,
    tickets: tickets.map((ticket, i) => ({
      ticket_id: ticket.id,
      ticket_number: ticket.ticket_number,
      via: 'paid',
      entry_index: entries[i]!.entry_index,
      leaf_hash: entries[i]!.leaf_hash,
      receipt: receiptOf(tx, draw!, entries[i]!),
    })),
    instant_wins: [],
  })
  await putPurchases(tx, [
    {
      id,
      raffle_campaign_id: campaign_id,
      user_id,
      request_id,
      request_hash: inputHash({ user_id, quantity }),
      purchase_status: 'done',
      via: 'paid',
      policy_id: null,
      quantity,
      amount_minor,
      numbers,
      client_entropy: null,
      reserved_until: null,
      transfer_id: paid.transfer_id,
      answer,
      paid_answer: null,
    },
  ])
  await insertTickets(tx, tickets)
  await countIssued(tx, campaign_id, quantity, { 'online:sequential': cursor + quantity })
  tx.audit({
    action: 'raffle.tickets',
    entity_type: 'raffle_purchase',
    entity_id: id,
    new_values: { raffle_campaign_id: campaign_id, user_id, numbers, amount_minor, via: 'paid' },
  })
  const nameOf = await playerNames(tx)
  tx.emit({
    gameId: campaign_id,
    type: 'raffle.tickets',
    data: {
      sold_tickets: sold_tickets + quantity,
      tickets_left: total_tickets - issued_tickets - quantity,
      sales: [{ player: nameOf(user_id), numbers }],
    },
  })
  return answer
}

// ------------------------------------------------------------------------------------------- the measurement

async function level(
  { database, players }: Stage,
  ways: readonly Way[],
  waiting: number,
  quick: boolean,
): Promise<Table['rows']> {
  for (const way of ways) await roundOf(way, players, waiting, 150)
  await database.query('analyze')
  const rounds = new Map<Way, Round[]>(ways.map((way) => [way, []]))
  for (let round = 0; round < (quick ? 1 : ROUND_COUNT); round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const way = ways[(turn + round) % ways.length]!
      rounds.get(way)!.push(await roundOf(way, players, waiting, quick ? 300 : ROUND_MS))
    }
  }
  const medianOf = (way: Way, key: keyof Round) => median(rounds.get(way)!.map((round) => round[key]))
  const ours = medianOf(ways[0]!, 'purchases_per_s')
  return ways.map((way) => ({
    waiting,
    way: way.name,
    purchases_per_s: Math.round(medianOf(way, 'purchases_per_s')),
    tickets_per_s: Math.round(medianOf(way, 'tickets_per_s')),
    p50_ms: round1(medianOf(way, 'p50_ms')),
    p99_ms: round1(medianOf(way, 'p99_ms')),
    node_us: Math.round(medianOf(way, 'node_us')),
    ours_is_times: round1(ours / medianOf(way, 'purchases_per_s')),
  }))
}

async function roundOf(
  way: Way,
  players: readonly Actor[],
  waiting: number,
  duration_ms: number,
): Promise<Round> {
  const latencies_ms: number[] = []
  let tickets = 0
  const begun = process.cpuUsage()
  const started = performance.now()
  await Promise.all(
    Array.from({ length: waiting }, async (_, caller) => {
      for (let n = caller; performance.now() - started < duration_ms; n++) {
        const quantity = 1 + (n % QUANTITY_MAX)
        const asked = performance.now()
        await way.buy({ buyer: players[caller % players.length]!, request_id: newId(), quantity })
        latencies_ms.push(performance.now() - asked)
        tickets += quantity
      }
    }),
  )
  const took_s = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(begun)
  latencies_ms.sort((a, b) => a - b)
  const at = (share: number) =>
    latencies_ms[Math.min(latencies_ms.length - 1, Math.floor(latencies_ms.length * share))]!
  return {
    purchases_per_s: latencies_ms.length / took_s,
    tickets_per_s: tickets / took_s,
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
