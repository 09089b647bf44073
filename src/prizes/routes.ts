/** The wallet over HTTP: the five endpoints of seeds/002 with its bodies, field by field. */
import { z } from 'zod'
import type { App } from '../app.ts'
import { refuse } from '../errors.ts'
import { clientEntropy } from '../games/wheel/schemas.ts'
import { addressKey } from '../http/limits.ts'
import { type Route, route } from '../http/route.ts'
import { makeCodeMisses } from './code-misses.ts'
import type { Mysteries } from './mysteries.ts'
import { redemptionRoutes } from './redemption-routes.ts'
import { rehearsalRoutes } from './rehearsal-routes.ts'
import { play, reason, TIME } from './schemas.ts'
import { countMyPrizes, findByCode, makePrizeLists, STATUS_FILTERS } from './wallet.ts'

const TAGS = ['Prize wallet']
const PATH = '/api/v1/gamification'
const PER_PAGE_MAX = 100

const prize = z.strictObject({
  id: z.int(),
  game_name: z.string(),
  game_type: z.string(),
  prize_name: z
    .string()
    .nullable()
    .meta({ description: 'Null, like all that tells the prize, until it was unlocked.' }),
  prize_description: z.string().nullable(),
  prize_type: z.string().nullable(),
  prize_value: z.string().nullable(),
  display_value: z.string().nullable(),
  prize_color: z.string().nullable(),
  prize_image: z.string().nullable(),
  rarity: z.string().nullable(),
  prize_code: z.string().nullable(),
  prize_status: z.enum(['locked', 'unlocked', 'applied', 'expired']),
  is_locked: z.boolean(),
  is_unlocked: z.boolean(),
  can_unlock: z.boolean(),
  can_apply: z
    .boolean()
    .meta({ description: 'To some order, now; an order can still lack what a condition needs.' }),
  expires_at: z
    .string()
    .nullable()
    .meta({ description: `${TIME}; null never expires.` }),
  won_at: z.string().meta({ description: TIME }),
  conditions: z.record(z.string(), z.any()).nullable(),
  why_not: z.array(reason).meta({ description: 'Why can_apply is false.' }),
})

const prizeExample = {
  id: 123,
  game_name: 'Spin to Win',
  game_type: 'spin_wheel',
  prize_name: '10% Discount',
  prize_description: 'Get 10% off your next order',
  prize_type: 'discount_percentage',
  prize_value: '10.00',
  display_value: '10% OFF',
  prize_color: '#8DC63F',
  prize_image: 'https://example.com/storage/prize.png',
  rarity: 'common',
  prize_code: 'PRIZE-ABC12345',
  prize_status: 'unlocked',
  is_locked: false,
  is_unlocked: true,
  can_unlock: false,
  can_apply: true,
  expires_at: '2026-02-28 23:59:59',
  won_at: '2026-02-26 10:30:00',
  conditions: { min_order_amount: '50.00', valid_order_types: ['delivery', 'takeaway'] },
  why_not: [],
} as const

const list = z
  .strictObject({
    data: z.array(prize),
    pagination: z.strictObject({ current_page: z.int(), total_pages: z.int(), total_items: z.int() }),
  })
  .meta({
    example: { data: [prizeExample], pagination: { current_page: 1, total_pages: 3, total_items: 25 } },
  })

const counts = z
  .strictObject({
    data: z.strictObject({
      all: z.int(),
      locked: z.int(),
      unlocked: z.int(),
      applied: z.int(),
      expired: z.int(),
    }),
  })
  .meta({ example: { data: { all: 25, locked: 2, unlocked: 3, applied: 12, expired: 8 } } })

const unlocked = z
  .strictObject({
    success: z.literal(true),
    message: z.string(),
    data: z.strictObject({
      prize_status: z.literal('unlocked'),
      unlocked_at: z.string(),
      mystery: z
        .strictObject({ event_id: z.uuid(), prize_name: z.string(), verify: z.string() })
        .optional()
        .meta({ description: 'Of a mystery: what was drawn, and where its transcript is.' }),
    }),
  })
  .meta({
    example: {
      success: true,
      message: 'Prize unlocked successfully!',
      data: { prize_status: 'unlocked', unlocked_at: '2026-02-26 10:35:00' },
    },
  })

const whole = (max: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,5}$/)
    .refine((text) => Number(text) <= max, `1 to ${max}`)
    .optional()

/** `/api/v1/gamification/…`. */
export function walletRoutes(app: App, mysteries: Mysteries): Route[] {
  const misses = makeCodeMisses()
  const lists = makePrizeLists(app)
  return [
    route({
      method: 'get',
      path: `${PATH}/my_prizes`,
      summary: 'My prizes, newest first',
      description: 'No status means all; used is another word for applied.',
      tags: TAGS,
      roles: ['player'],
      query: z.strictObject({
        status: z.enum(STATUS_FILTERS).optional().meta({ example: 'unlocked' }),
        page: whole(100_000).meta({ example: '1' }),
        per_page: whole(PER_PAGE_MAX).meta({ example: '10', description: 'Default 10.' }),
      }),
      answer: list,
      run: ({ actor, query }) =>
        lists(actor, {
          status: query.status ?? 'all',
          page: Number(query.page ?? 1),
          per_page: Number(query.per_page ?? 10),
        }),
    }),
    route({
      method: 'get',
      path: `${PATH}/my_prizes/counts`,
      summary: 'How many prizes I have of each status',
      tags: TAGS,
      roles: ['player'],
      answer: counts,
      run: ({ run }) => run(countMyPrizes, undefined),
    }),
    route({
      method: 'get',
      path: `${PATH}/prize/{prize_code}`,
      summary: 'The prize with a code',
      description:
        'For its owner and for staff; without regard to case, blanks, hyphens and prefix. Everybody else gets the answer of a code that does not exist. Ten misses in ten minutes are enough.',
      tags: TAGS,
      roles: ['player', 'service', 'operator'],
      params: z.strictObject({ prize_code: z.string().min(1).max(64).meta({ example: 'PRIZE-ABC12345' }) }),
      answer: z.strictObject({ data: prize }).meta({ example: { data: prizeExample } }),
      refusals: ['not_found', 'rate_limited'],
      async run({ run, params, actor, ip }) {
        const find = () => run(findByCode, params)
        const is_staff = actor.roles.includes('service') || actor.roles.includes('operator')
        const found = is_staff
          ? await find()
          : await misses.count(`${actor.tenantId}/${actor.userId}`, addressKey(ip), find)
        return found ?? refuse('not_found')
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/unlock/{play_id}`,
      summary: 'Unlock a prize of mine',
      description:
        'Once; a repetition answers the same. A mystery is drawn here, from the pool and the seed pair that were committed before (`/fairness/seed-pair?mystery=`).',
      tags: TAGS,
      roles: ['player'],
      params: play,
      body: z
        .strictObject({ client_entropy: clientEntropy.optional() })
        .optional()
        .meta({ id: 'PrizeUnlock', example: { client_entropy: 'c2Fpb-4S0gkZ1yQm' } }),
      answer: unlocked,
      refusals: [
        'not_found',
        'prize_not_won',
        'prize_applied',
        'prize_expired',
        'prize_in_escrow',
        'pool_exhausted',
        'fairness_locked',
      ],
      run: ({ params, actor, body }) =>
        mysteries.unlock(actor, {
          play_id: Number(params.play_id),
          client_entropy: body?.client_entropy,
        }),
    }),
    ...redemptionRoutes(app),
    ...rehearsalRoutes(),
  ]
}
