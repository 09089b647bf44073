/**
 * Scenarios of games that close, `raffle` and `guess`: made through the API by an operator so that they close within the
 * run, entered and watched through rooms, and compared with rows of the load test's own server.
 */
import { randomBytes } from 'node:crypto'
import type { Database } from '../src/db/pool.ts'
import { type Api, eachOf } from './api.ts'
import type { Finding } from './check.ts'
import { type Course, runCourse, type Second } from './course.ts'
import { type CrowdPlan, divide, type Ground, makePlayers, type Player, sign, type Wishes } from './crowd.ts'
import { distinctGuess, GUESSES } from './distinct.ts'
import type { DrawBotPlan } from './draw-bots.ts'
import type { DrawEvidence, DrawTruth } from './draw-check.ts'
import { guessTruth, type RaffleGround, raffleTruth } from './draw-truth.ts'
import { checkGuess } from './guess-check.ts'
import { checkRaffle } from './raffle-check.ts'
import { type RevealFigures, revealFigures } from './reveals.ts'

export type Closed = {
  course: Course
  findings: Finding[]
  figures: RevealFigures & Record<string, number>
}

/** What a scenario needs of the server that it started. */
export type Rows = {
  database: Database
  /** Of the server's fairness keys, in hex by kid. */
  keys: Record<string, string>
}

type Show = (second: Second | null, joined: number) => void

const AT_ONCE = 8
const PRICE_MINOR = 100
const CREDIT_MINOR = 100_000_00
/** One player in so many has no credit. */
const POOR_ONE_IN = 20
/** Of what will be asked for before the close, so much is there: it sells out. */
const SUPPLY = 0.5
/** What a request asks for on average (draw-bots.ts). */
const TICKETS_PER_REQUEST = 2.6
const WINNERS = 10
const ALTERNATES = 3
const REVEAL = { reveal_lead_ms: 3_000, reveal_step_ms: 1_000 }
/** Requests that are due after the close. */
const LATE_MS = 1_000
/** A draw opens when a checkpoint covers its promise. */
const OPENING_MS = 1_000
/** Joining has to be over before the game begins: so much for each client beside a start. */
const JOIN_MS = { start: 10_000, each: 20 }
/** From the close to the last reveal. */
const SHOW_MS_MAX = 60_000
const GUESS_WINNERS = 5
const GUESSES_MAX = 100
const POPULAR = 16

const joiningOf = ({ clients, spectators, delay_ms }: Wishes): number =>
  JOIN_MS.start + (clients + spectators) * (JOIN_MS.each + delay_ms)

/** Times of a run that begins after everybody has joined. */
function timesOf(wishes: Wishes) {
  const starts_at_ms = Date.now() + joiningOf(wishes)
  const closes_at_ms = starts_at_ms + Math.max(OPENING_MS, wishes.duration_ms - LATE_MS)
  const iso = (ms: number) => new Date(ms).toISOString()
  return { starts_at_ms, opens_at: iso(starts_at_ms - OPENING_MS), closes_at: iso(closes_at_ms) }
}

function planned(
  plans: readonly CrowdPlan[],
  more: Pick<DrawBotPlan, 'room' | 'starts_at_ms' | 'ticket_count' | 'popular' | 'expected'>,
): DrawBotPlan[] {
  return plans.map((plan) => ({ ...plan, ...more, settled_within_ms: SHOW_MS_MAX }))
}

const play = (api: Api, plans: readonly DrawBotPlan[], show: Show) =>
  runCourse<DrawEvidence>(api, 'draw-bots.ts', plans, show, plans[0]!.starts_at_ms)

function figuresOf({ evidence }: Course<DrawEvidence>, { winners }: DrawTruth): RevealFigures {
  const due = new Map(winners.map(({ place, reveal_at }) => [place, reveal_at.getTime()]))
  return revealFigures(evidence.shows, due)
}

/** A storm of buyers on fewer tickets than they want, then the draw. */
export async function playRaffle(
  api: Api,
  ground: Ground,
  rows: Rows,
  wishes: Wishes,
  show: Show,
): Promise<Closed> {
  const run = randomBytes(4).toString('hex')
  const operator = await sign(ground, `loadtest-${run}-operator`, ['operator'])
  const players = await makePlayers(ground, run, wishes)
  const credit = await giveCredit(api, operator, run, players)
  const requests = (wishes.rate * Math.max(OPENING_MS, wishes.duration_ms - LATE_MS)) / 1_000
  const ticket_count = Math.max(WINNERS + ALTERNATES, Math.floor(requests * TICKETS_PER_REQUEST * SUPPLY))
  const { starts_at_ms, opens_at, closes_at } = timesOf(wishes)
  const made = await api.ask<{ id: string; draws: { id: string }[] }>('POST', '/raffles', operator, {
    campaign_name: `Load test ${run}`,
    campaign_slug: `loadtest-${run}`,
    start_time: opens_at,
    end_time: closes_at,
    ticket_price: PRICE_MINOR,
    total_tickets: ticket_count,
    campaign_config: REVEAL,
    draws: [{ draw_name: 'Final', draw_time: closes_at, winning_tickets: WINNERS, alternates: ALTERNATES }],
  })
  await api.ask('POST', `/raffles/${made.id}/publish`, operator)
  const plans = planned(divide(ground, players, { room: 'raffle', game: made.id }, wishes), {
    room: 'raffle',
    starts_at_ms,
    ticket_count,
    popular: [],
    expected: ['sold_out', 'number_taken', 'insufficient_funds', 'raffle_not_open'],
  })
  const course = await play(api, plans, show)
  const raffle: RaffleGround = { campaign_id: made.id, draw_id: made.draws[0]!.id, credit }
  const truth = await raffleTruth(api, rows.database, raffle, course.evidence, rows.keys)
  return {
    course,
    findings: checkRaffle(course.evidence, truth),
    figures: {
      tickets: truth.total_tickets,
      tickets_sold: truth.sold_tickets,
      purchases: truth.purchases.length,
      ...figuresOf(course, truth),
    },
  }
}

/** Credit of the house, the way that players get it: won on a wheel. */
async function giveCredit(api: Api, operator: string, run: string, players: readonly Player[]) {
  const prize = await api.ask<{ id: number }>('POST', '/prizes', operator, {
    name: 'Credit',
    type: 'balance_boost',
    value: (CREDIT_MINOR / 100).toFixed(2),
  })
  const slug = `loadtest-${run}-credit`
  await api.ask('POST', '/wheels', operator, {
    wheel_name: `Credit ${run}`,
    wheel_slug: slug,
    rewards: [{ reward_slug: 'credit', reward_label: 'Credit', probability: '1', prize_id: prize.id }],
  })
  await api.ask('POST', `/wheels/${slug}/publish`, operator)
  const poor = new Set(players.filter((_player, i) => i % POOR_ONE_IN === POOR_ONE_IN - 1))
  return eachOf(players, AT_ONCE, async (player) => {
    const { user_id, token } = player
    if (poor.has(player)) return { user_id, before_minor: 0 }
    await api.ask('POST', '/spin-chances', operator, { user_id, count: 1, reason: 'load test' })
    await api.ask('POST', `/wheels/${slug}/spins`, token, { request_id: 'credit' })
    return { user_id, before_minor: CREDIT_MINOR }
  })
}

/** Everybody guesses in the last seconds before the close, and some come a moment late. */
export async function playGuess(
  api: Api,
  ground: Ground,
  rows: Rows,
  wishes: Wishes,
  show: Show,
): Promise<Closed> {
  const run = randomBytes(4).toString('hex')
  const operator = await sign(ground, `loadtest-${run}-operator`, ['operator'])
  const prize = await api.ask<{ id: number }>('POST', '/prizes', operator, {
    name: 'Credit',
    type: 'balance_boost',
    value: '5.00',
  })
  const players = await makePlayers(ground, run, wishes)
  const each = Math.ceil((wishes.rate * wishes.duration_ms) / 1_000 / wishes.clients)
  const { starts_at_ms, closes_at } = timesOf(wishes)
  const made = await api.ask<{ id: string }>('POST', '/games', operator, {
    title: `Load test ${run}`,
    mode: 'guess',
    rule: 'nearest',
    guess_min: GUESSES.min,
    guess_max: GUESSES.max,
    guess_policy: 'n_per_user',
    guesses_per_user: Math.min(GUESSES_MAX, Math.max(2, each)),
    number_of_winners: GUESS_WINNERS,
    reward_type: 'voucher',
    prize_id: prize.id,
    closes_at,
  })
  const { draw } = await api.ask<{ draw: { draw_id: string } }>('POST', `/games/${made.id}/publish`, operator)
  const plans = planned(divide(ground, players, { room: 'guess', game: made.id }, wishes), {
    room: 'guess',
    starts_at_ms,
    ticket_count: 0,
    popular: Array.from({ length: POPULAR }, distinctGuess),
    expected: ['no_guesses_left', 'game_not_open'],
  })
  const course = await play(api, plans, show)
  const game = { game_id: made.id, draw_id: draw.draw_id }
  const truth = await guessTruth(api, rows.database, game, course.evidence, rows.keys)
  return {
    course,
    findings: checkGuess(course.evidence, truth),
    figures: { guesses_sealed: truth.entries.length, ...figuresOf(course, truth) },
  }
}
