/** The wallet over HTTP: the five endpoints of seeds/002 with its bodies, field by field. */
import { z } from 'zod'
import { refuse } from '../errors.ts'
import { addressKey } from '../http/limits.ts'
import { type Route, route } from '../http/route.ts'
import { makeCodeMisses } from './code-misses.ts'
import { orderFactsFields } from './conditions.ts'
import {
  applyPrize,
  countMyPrizes,
  findByCode,
  readMyPrizes,
  STATUS_FILTERS,
  unlockPrize,
  validatePrize,
} from './wallet.ts'

const TAGS = ['Prize wallet']
const PATH = '/api/v1/gamification'
const PER_PAGE_MAX = 100

const TIME = 'YYYY-MM-DD HH:MM:SS, UTC'
/** One reason as every answer about a prize shows it. */
export const reason = z.strictObject({
  code: z.string(),
  message: z.string(),
  required: z.any(),
  actual: z.any(),
  missing: z.any(),
  valid_from: z.string().nullable().meta({ description: TIME }),
})

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
    data: z.strictObject({ prize_status: z.literal('unlocked'), unlocked_at: z.string() }),
  })
  .meta({
    example: {
      success: true,
      message: 'Prize unlocked successfully!',
      data: { prize_status: 'unlocked', unlocked_at: '2026-02-26 10:35:00' },
    },
  })

const orderId = z
  .union([z.int().min(0), z.string().min(1).max(128)])
  .meta({ description: 'The shop\'s own id. 456 and "456" are the same order.' })
const order = {
  ...orderFactsFields,
  customer_order_count: z
    .int()
    .min(0)
    .nullish()
    .meta({ description: 'Orders that the customer completed before this one; from the service only.' }),
}

const applyBody = z
  .strictObject({ order_id: orderId, ...order })
  .meta({ id: 'PrizeApply', example: { order_id: 456, order_amount: 75.5, order_type: 'delivery' } })

const applied = z
  .strictObject({
    success: z.literal(true),
    message: z.string(),
    data: z.strictObject({
      prize_status: z.literal('applied'),
      applied_at: z.string(),
      applied_to_order_id: z.union([z.int(), z.string()]),
      applied_details: z.strictObject({
        discount_amount: z.string(),
        final_amount: z.string(),
        application_type: z.string(),
        effect: z.record(z.string(), z.any()).optional().meta({
          description:
            'What a prize that is no discount does: the free delivery, the free item, what was paid.',
        }),
      }),
    }),
  })
  .meta({
    example: {
      success: true,
      message: 'Prize applied successfully!',
      data: {
        prize_status: 'applied',
        applied_at: '2026-02-26 10:40:00',
        applied_to_order_id: 456,
        applied_details: {
          discount_amount: '7.55',
          final_amount: '67.95',
          application_type: 'discount_percentage',
        },
      },
    },
  })

const SECONDS = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/
const validateBody = z
  .strictObject({
    order_id: orderId.nullish(),
    at: z
      .union([z.iso.datetime(), z.string().regex(SECONDS, TIME)])
      .refine((text) => !Number.isNaN(instantOf(text).getTime()), TIME)
      .nullish()
      .meta({ description: `Another time than now: ISO 8601, or ${TIME}.` }),
    ...order,
  })
  .meta({
    id: 'PrizeValidate',
    example: {
      order_amount: 45,
      order_type: 'delivery',
      delivery_distance_km: 5.2,
      payment_method: 'card',
      cart_items: [
        { id: 1, category_id: 2, price: 15 },
        { id: 3, category_id: 2, price: 30 },
      ],
    },
  })

const validated = z
  .strictObject({
    success: z.literal(true),
    data: z.strictObject({
      valid: z.boolean(),
      reasons: z.array(reason),
      discount_amount: z.string().nullable(),
      final_amount: z.string().nullable(),
      application_type: z.string().nullable(),
    }),
  })
  .meta({
    example: {
      success: true,
      data: {
        valid: false,
        reasons: [
          {
            code: 'min_order_amount',
            message: 'The order is short by 5.00.',
            required: '50.00',
            actual: '45.00',
            missing: '5.00',
            valid_from: null,
          },
        ],
        discount_amount: null,
        final_amount: null,
        application_type: 'discount_percentage',
      },
    },
  })

function instantOf(text: string): Date {
  return new Date(SECONDS.test(text) ? `${text.replace(' ', 'T')}Z` : text)
}

/** Fifteen digits are exact as a JSON number; what is no such id names nothing and gets the 404 of one that is not there. */
const play = z.strictObject({
  play_id: z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .meta({ example: '123' }),
})
const whole = (max: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,5}$/)
    .refine((text) => Number(text) <= max, `1 to ${max}`)
    .optional()

/** `/api/v1/gamification/…`. */
export function walletRoutes(): Route[] {
  const misses = makeCodeMisses()
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
      run: ({ run, query }) =>
        run(readMyPrizes, {
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
      description: 'Once; a repetition answers the same.',
      tags: TAGS,
      roles: ['player'],
      params: play,
      answer: unlocked,
      refusals: ['not_found', 'prize_not_won', 'prize_applied', 'prize_expired'],
      run: ({ run, params }) => run(unlockPrize, { play_id: Number(params.play_id) }),
    }),
    route({
      method: 'post',
      path: `${PATH}/validate/{play_id}`,
      summary: 'Can this prize be applied to an order',
      description: 'Changes nothing. Every reason at once, with what is missing and from when it is valid.',
      tags: TAGS,
      roles: ['player', 'service'],
      params: play,
      body: validateBody,
      answer: validated,
      refusals: ['not_found', 'forbidden'],
      run({ run, params, body: { order_id, at, ...facts } }) {
        return run(validatePrize, {
          play_id: Number(params.play_id),
          order_id: order_id ?? null,
          at: at == null ? null : instantOf(at),
          order: facts,
        })
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/apply/{play_id}`,
      summary: 'Apply a prize to an order',
      description:
        "By the tenant's service, which states the order. Once per prize and order, whatever the keys: the same order with the same facts is answered as it was first.",
      tags: TAGS,
      roles: ['service'],
      once: 'required',
      params: play,
      body: applyBody,
      answer: applied,
      refusals: [
        'not_found',
        'prize_not_won',
        'prize_applied',
        'prize_expired',
        'prize_locked',
        'prize_not_applicable',
        'obligation_conflict',
      ],
      run: ({ run, params, body: { order_id, ...facts } }) =>
        run(applyPrize, { play_id: Number(params.play_id), order_id, order: facts }),
    }),
  ]
}
