/** The demo shop over HTTP: for the players of demo tenants; elsewhere it is not there. */
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Actor } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { makeAttempts, type Outcome } from '../prizes/attempts.ts'
import { appliedDetailsSchema } from '../prizes/discount.ts'
import { amountText, decimalsOf } from '../prizes/money.ts'
import { reason } from '../prizes/schemas.ts'
import type { Directory } from '../tenants/directory.ts'
import {
  CATEGORIES,
  type Cart,
  DISTANCE_M_MAX,
  MENU,
  ORDER_TYPES,
  PAYMENT_METHODS,
  priced,
  QUANTITY_MAX,
  ZONES,
} from './menu.ts'
import { closeOrder, placeOrder, quoteCart, readOrder, readOrders, shopActor, startCheckout } from './shop.ts'

const PATH = '/api/v1/demo/shop'
const TAGS = ['Demo shop']
const ONLY_DEMO = 'Of demo tenants only; elsewhere 404.'
const oneOf = (known: readonly { id: number }[]) =>
  z.int().refine((id) => known.some((each) => each.id === id), 'Not on the list.')

const cart = {
  items: z
    .array(z.strictObject({ id: oneOf(MENU), quantity: z.int().min(1).max(QUANTITY_MAX) }))
    .min(1)
    .max(MENU.length)
    .refine((items) => new Set(items.map(({ id }) => id)).size === items.length, 'An item stands twice.'),
  order_type: z.enum(ORDER_TYPES),
  payment_method: z.enum(PAYMENT_METHODS),
  zone_id: oneOf(ZONES).nullable(),
  distance_m: z.int().min(0).max(DISTANCE_M_MAX).nullable(),
  play_id: z.int().min(1).nullable(),
}
const cartExample = {
  items: [{ id: 14, quantity: 2 }],
  order_type: 'delivery',
  payment_method: 'card',
  zone_id: 1,
  distance_m: 2_000,
  play_id: 123,
} as const

const named = z.strictObject({ id: z.int(), name: z.string() })
const menu = z
  .strictObject({
    currency: z.string(),
    decimals: z.int(),
    categories: z.array(named),
    items: z.array(z.strictObject({ ...named.shape, category_id: z.int(), price_minor: z.int() })),
    zones: z.array(named),
    order_types: z.array(z.string()),
    payment_methods: z.array(z.string()),
    quantity_max: z.int(),
    distance_m_max: z.int(),
  })
  .meta({
    example: {
      currency: 'EUR',
      decimals: 2,
      categories: [...CATEGORIES],
      items: MENU.slice(0, 2),
      zones: [...ZONES],
      order_types: [...ORDER_TYPES],
      payment_methods: [...PAYMENT_METHODS],
      quantity_max: QUANTITY_MAX,
      distance_m_max: DISTANCE_M_MAX,
    },
  })

const amounts = {
  currency: z.string(),
  items_minor: z.int(),
  delivery_fee_minor: z.int(),
  discount_minor: z.int(),
  total_minor: z.int(),
}
const amountsExample = {
  currency: 'EUR',
  items_minor: 7800,
  delivery_fee_minor: 250,
  discount_minor: 780,
  total_minor: 7270,
}

const quote = z
  .strictObject({
    ...amounts,
    prize: z
      .strictObject({
        valid: z.boolean(),
        reasons: z.array(reason),
        discount_amount: z.string().nullable(),
        final_amount: z.string().nullable(),
        application_type: z.string().nullable(),
      })
      .nullable()
      .meta({ description: 'What the wallet validated; null without a prize.' }),
  })
  .meta({
    example: {
      ...amountsExample,
      prize: {
        valid: true,
        reasons: [],
        discount_amount: '7.80',
        final_amount: '70.20',
        application_type: 'discount_percentage',
      },
    },
  })

const orderExample = {
  order_id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f12',
  status: 'placed',
  lines: [{ id: 14, category_id: 1, name: 'Pasta for four', quantity: 2, price_minor: 3900 }],
  order_type: 'delivery',
  payment_method: 'card',
  zone_id: 1,
  distance_m: 2_000,
  ...amountsExample,
  play_id: 123,
  applied_details: {
    discount_amount: '7.80',
    final_amount: '70.20',
    application_type: 'discount_percentage',
    calculation: {
      v: 1,
      currency: 'EUR',
      decimals: 2,
      value: '10.00',
      order_amount: '78.00',
      other_discount_amount: '0.00',
      amount_before: '78.00',
      steps: [
        {
          op: 'percentage',
          on: 'initial',
          of: '78.00',
          percent: '10.00',
          rounding: 'half_up',
          gives: '7.80',
        },
      ],
      effect: { kind: 'order_discount', amount: '7.80' },
    },
  },
  held_until: null,
  created_at: '2026-11-20T12:00:00.000Z',
  placed_at: '2026-11-20T12:01:00.000Z',
  closed_at: null,
} as const

const order = z
  .strictObject({
    order_id: z.uuid(),
    status: z.enum(['checkout', 'placed', 'cancelled', 'abandoned']),
    lines: z.array(
      z.strictObject({
        id: z.int(),
        category_id: z.int(),
        name: z.string(),
        quantity: z.int(),
        price_minor: z.int(),
      }),
    ),
    order_type: z.string(),
    payment_method: z.string(),
    zone_id: z.int().nullable(),
    distance_m: z.int().nullable(),
    ...amounts,
    play_id: z.int().nullable(),
    applied_details: appliedDetailsSchema
      .nullable()
      .meta({ description: 'The whole calculation of the prize, once the order was placed.' }),
    held_until: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'Until when the prize is kept for this checkout.' }),
    created_at: z.iso.datetime(),
    placed_at: z.iso.datetime().nullable(),
    closed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'DemoOrder', example: orderExample })

const orderParams = z.strictObject({ order_id: z.uuid().meta({ example: orderExample.order_id }) })
const WALLET_REFUSALS = [
  'prize_not_won',
  'prize_applied',
  'prize_expired',
  'prize_locked',
  'prize_under_review',
  'prize_held',
  'prize_not_applicable',
  'obligation_conflict',
] as const

/** `/api/v1/demo/shop/…`. */
export function shopRoutes(app: App, directory: Directory): Route[] {
  const attempts = makeAttempts(app)
  /** The shop of the caller's tenant. Refuses not_found where there is none. */
  async function shopOf(actor: Actor): Promise<Actor> {
    const tenant = await directory.byId(actor.tenantId)
    return tenant?.is_demo ? shopActor(actor) : refuse('not_found')
  }
  const amountOf = async ({ tenantId }: Actor, amount_minor: number) =>
    amountText(BigInt(amount_minor), decimalsOf((await directory.byId(tenantId))!.currency))

  /** A cart with a prize as the audit chain shows it. */
  async function attemptOf(
    verb: 'validate' | 'apply',
    actor: Actor,
    { play_id, ...asked }: Cart & { play_id: number | null },
    order_id: string | null,
  ) {
    const order_amount = await amountOf(actor, priced(asked).items_minor)
    return { verb, play_ids: listOfPlays(play_id), order_id, order_amount }
  }

  return [
    route({
      method: 'get',
      path: `${PATH}/menu`,
      summary: 'What the demo shop sells',
      description: ONLY_DEMO,
      tags: TAGS,
      roles: ['player'],
      answer: menu,
      refusals: ['not_found'],
      async run({ actor }) {
        await shopOf(actor)
        const { currency } = (await directory.byId(actor.tenantId))!
        return {
          currency,
          decimals: decimalsOf(currency),
          categories: CATEGORIES,
          items: MENU,
          zones: ZONES,
          order_types: ORDER_TYPES,
          payment_methods: PAYMENT_METHODS,
          quantity_max: QUANTITY_MAX,
          distance_m_max: DISTANCE_M_MAX,
        }
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/quotes`,
      summary: 'What a cart would cost, with a prize or without',
      description: `The shop validates the prize as a service, every reason at once. Changes nothing. ${ONLY_DEMO}`,
      tags: TAGS,
      roles: ['player'],
      body: z.strictObject(cart).meta({ id: 'DemoQuoteRequest', example: cartExample }),
      answer: quote,
      refusals: ['not_found'],
      async run({ run, actor, body }) {
        const shop = await shopOf(actor)
        const attempt = await attemptOf('validate', actor, body, null)
        const ask = () => run(quoteCart, { ...body, user_id: actor.userId }, shop)
        return attempts.watch(shop, attempt, ask, ({ prize }) => outcomesOf(body.play_id, prize))
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/orders`,
      summary: 'Open a checkout, for which the prize is held',
      description: `Once per order_id, which the caller chooses. Earlier checkouts of the player are abandoned. ${ONLY_DEMO}`,
      tags: TAGS,
      roles: ['player'],
      body: z
        .strictObject({ order_id: z.uuid(), ...cart })
        .meta({ id: 'DemoCheckout', example: { order_id: orderExample.order_id, ...cartExample } }),
      answer: order,
      status: 201,
      refusals: ['not_found', 'already_exists', ...WALLET_REFUSALS],
      async run({ run, actor, body }) {
        const shop = await shopOf(actor)
        const attempt = await attemptOf('validate', actor, body, body.order_id)
        return attempts.watch(shop, attempt, () =>
          run(startCheckout, { ...body, user_id: actor.userId }, shop),
        )
      },
    }),
    route({
      method: 'get',
      path: `${PATH}/orders`,
      summary: 'My orders in the demo shop, newest first',
      description: ONLY_DEMO,
      tags: TAGS,
      roles: ['player'],
      query: z.strictObject({ ...LIST_QUERY, cursor: z.uuid().optional() }),
      answer: listOf(order, orderExample),
      refusals: ['not_found'],
      run: async ({ run, actor, query: { limit, cursor = null } }) =>
        run(readOrders, { user_id: actor.userId, limit, cursor }, await shopOf(actor)),
    }),
    route({
      method: 'post',
      path: `${PATH}/orders/{order_id}/place`,
      summary: 'Place an order of mine: its prize is applied',
      description: `Once; a repetition answers the order as it stands. ${ONLY_DEMO}`,
      tags: TAGS,
      roles: ['player'],
      params: orderParams,
      answer: order,
      refusals: ['not_found', 'order_closed', ...WALLET_REFUSALS],
      async run({ run, actor, params }) {
        const shop = await shopOf(actor)
        const input = { ...params, user_id: actor.userId }
        const { play_id, items_minor, order_id } = await run(readOrder, input, shop)
        const amount = await amountOf(actor, items_minor)
        const attempt = {
          verb: 'apply' as const,
          play_ids: listOfPlays(play_id),
          order_id,
          order_amount: amount,
        }
        return attempts.watch(shop, attempt, () => run(placeOrder, input, shop))
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/orders/{order_id}/close`,
      summary: 'Cancel a placed order of mine, or leave a checkout',
      description: `The prize is taken back, or released. Once; a repetition answers the order as it stands. ${ONLY_DEMO}`,
      tags: TAGS,
      roles: ['player'],
      params: orderParams,
      answer: order,
      refusals: ['not_found', 'obligation_conflict', 'insufficient_funds', 'fulfilment_delivered'],
      run: async ({ run, actor, params }) =>
        run(closeOrder, { ...params, user_id: actor.userId }, await shopOf(actor)),
    }),
  ]
}

const listOfPlays = (play_id: number | null) => (play_id === null ? [] : [play_id])

function outcomesOf(
  play_id: number | null,
  prize: { reasons: { code: string }[]; discount_amount: string | null; final_amount: string | null } | null,
): Outcome[] {
  if (play_id === null || prize === null) return []
  const { reasons, discount_amount, final_amount } = prize
  return [{ play_id, reasons: reasons.map(({ code }) => code), discount_amount, final_amount }]
}
