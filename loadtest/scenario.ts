/** Scenario `wheel`: a wheel of its own, made through the API by an operator; players with chances; spectators. */
import { randomBytes } from 'node:crypto'
import { type Api, eachOf } from './api.ts'
import type { BotPlan } from './bots.ts'
import { divide, type Ground, makePlayers, type Player, sign, type Wishes } from './crowd.ts'

export type Stage = { slug: string; wheel_id: string; players: Player[]; plans: BotPlan[] }

const AT_ONCE = 8
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

/** Makes wheel, tokens and chances, and divides the bots among threads. */
export async function prepareWheel(api: Api, ground: Ground, wishes: Wishes): Promise<Stage> {
  const run = randomBytes(4).toString('hex')
  const slug = `loadtest-${run}`
  const operator = await sign(ground, `loadtest-${run}-operator`, ['operator'])
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

  const count = Math.ceil((wishes.rate * wishes.duration_ms) / 1_000 / wishes.clients) * 3 + 50
  const players = await makePlayers(ground, run, wishes)
  await eachOf(players, AT_ONCE, ({ user_id }) =>
    api.ask('POST', '/spin-chances', operator, { user_id, count, reason: 'load test' }),
  )
  const pause_ms = Math.min(PAUSE_MS_MAX, wishes.duration_ms / 4)
  const plans = divide(ground, players, { room: 'wheel', game: slug }, wishes)
  return { slug, wheel_id: wheel.id, players, plans: plans.map((plan) => ({ ...plan, pause_ms })) }
}
