/** Scenario `wheel`: a wheel of its own, made through the API by an operator; players with chances; spectators. */
import { randomBytes } from 'node:crypto'
import type { Role } from '../src/db/tx.ts'
import type { Tokens } from '../src/http/tokens.ts'
import { type Api, eachOf } from './api.ts'
import type { BotPlan } from './bots.ts'

export type Wishes = {
  clients: number
  spectators: number
  rate: number
  duration_ms: number
  delay_ms: number
}

export type Player = BotPlan['players'][number] & { token: string }

export type Stage = { slug: string; wheel_id: string; players: Player[]; plans: BotPlan[] }

const TTL_S = 6 * 3600
const AT_ONCE = 8
/** A thread decodes states for this many clients before it lags behind its own schedule. */
const CLIENTS_PER_THREAD = 1_250
const THREADS_MAX = 4
/** Of players and of spectators this share, but not less than four, decodes every state; every second spectator pauses. */
const DECODING_SHARE = 0.05
const DECODING_MAX = 60
const PAUSE_MS_MAX = 3_000
/** Few enough to run out in a longer test, so that a wheel that republishes itself is part of it. */
const LIMITED_STOCK = 25

const PRIZES = [
  { name: '10% off', type: 'discount_percentage', value: '10.00' },
  { name: '50 points', type: 'loyalty_points', value: '50' },
  { name: 'Free delivery', type: 'free_delivery' },
  { name: 'A mug', type: 'product', stock: LIMITED_STOCK },
]

const REWARDS = [
  { reward_slug: 'ten', reward_label: '10% OFF', probability: '0.10', prize: 0 },
  { reward_slug: 'points', reward_label: '50 points', probability: '0.25', prize: 1 },
  { reward_slug: 'delivery', reward_label: 'Free delivery', probability: '0.10', prize: 2 },
  { reward_slug: 'mug', reward_label: 'A mug', probability: '0.02', prize: 3 },
  { reward_slug: 'none', reward_label: 'Try again', probability: '0.53', prize: null },
]

const decodingOf = (clients: number): number =>
  Math.min(clients, DECODING_MAX, Math.max(4, Math.ceil(clients * DECODING_SHARE)))

/** Makes wheel, tokens and chances, and divides the bots among threads. */
export async function prepareWheel(
  api: Api,
  tokens: Tokens,
  tenant: string,
  endpoint: string,
  has_addresses: boolean,
  wishes: Wishes,
): Promise<Stage> {
  const sign = async (sub: string, roles: Role[]) =>
    (await tokens.sign({ sub, tenant, roles, ttl_s: TTL_S })).token
  const run = randomBytes(4).toString('hex')
  const slug = `loadtest-${run}`
  const operator = await sign(`loadtest-${run}-operator`, ['operator'])
  const prizes = await eachOf(PRIZES, 1, (prize) =>
    api.ask<{ id: number }>('POST', '/prizes', operator, prize),
  )
  const wheel = await api.ask<{ id: string }>('POST', '/wheels', operator, {
    wheel_name: `Load test ${run}`,
    wheel_slug: slug,
    spin_config: { on_exhausted: 'none' },
    rewards: REWARDS.map(({ prize, ...reward }) => ({
      ...reward,
      ...(prize !== null && { prize_id: prizes[prize]!.id }),
    })),
  })
  await api.ask('POST', `/wheels/${slug}/publish`, operator)

  const addressOf = (i: number) =>
    has_addresses ? `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}` : null
  const count = Math.ceil((wishes.rate * wishes.duration_ms) / 1_000 / wishes.clients) * 3 + 50
  const players = await eachOf(
    Array.from({ length: wishes.clients }, (_, i) => i),
    AT_ONCE,
    async (i): Promise<Player> => {
      const user_id = `loadtest-${run}-${i}`
      await api.ask('POST', '/spin-chances', operator, { user_id, count, reason: 'load test' })
      return {
        user_id,
        token: await sign(user_id, ['player']),
        address: addressOf(i + 1),
        decodes: i < decodingOf(wishes.clients),
      }
    },
  )
  const decoding = decodingOf(wishes.spectators)
  const spectators = Array.from({ length: wishes.spectators }, (_, i) => ({
    token: null,
    address: addressOf(wishes.clients + i + 1),
    decodes: i < decoding,
    pauses: i < decoding && i % 2 === 1,
  }))
  const threads = Math.min(
    THREADS_MAX,
    wishes.clients,
    Math.ceil((wishes.clients + wishes.spectators) / CLIENTS_PER_THREAD),
  )
  const plans = Array.from({ length: threads }, (_, thread): BotPlan => {
    const mine = players.filter((_player, i) => i % threads === thread)
    return {
      endpoint,
      tenant,
      game: slug,
      players: mine,
      spectators: spectators.filter((_spectator, i) => i % threads === thread),
      rate: (wishes.rate * mine.length) / players.length,
      duration_ms: wishes.duration_ms,
      delay_ms: wishes.delay_ms,
      pause_ms: Math.min(PAUSE_MS_MAX, wishes.duration_ms / 4),
      follows_log: thread === 0,
    }
  })
  return { slug, wheel_id: wheel.id, players, plans }
}
