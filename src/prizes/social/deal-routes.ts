/** Gifts, trades and listings over HTTP. */
import { z } from 'zod'
import { LIST_QUERY, listOf } from '../../http/resource.ts'
import { type Route, route } from '../../http/route.ts'
import { PRIZE_TYPES, RARITIES } from '../definitions.ts'
import { readDeal, readDeals, readListing, readListings, readTransfers } from './deal-views.ts'
import { acceptDeal, endOffer, offerDeal } from './deals.ts'
import { SETTINGS_DEFAULT, TRADE_SIDE_MAX } from './rules.ts'
import { changeSettings, readSettings } from './settings.ts'

const TAGS = ['Prizes that change hands']
const PATH = '/api/v1/gamification'
const at = '2026-11-20T12:00:00.000Z'
const exampleId = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14'

const item = z.strictObject({
  play_id: z.int(),
  game_name: z.string(),
  is_locked: z.boolean(),
  prize_name: z.string().nullable(),
  prize_description: z.string().nullable(),
  prize_type: z.string().nullable(),
  prize_value: z.string().nullable(),
  display_value: z.string().nullable(),
  prize_color: z.string().nullable(),
  prize_image: z.string().nullable(),
  rarity: z.string().nullable(),
  conditions: z.record(z.string(), z.any()).nullable(),
  prize_expires_at: z.string().nullable(),
})

const exampleItem = {
  play_id: 123,
  game_name: 'Spin to Win',
  is_locked: false,
  prize_name: '10% Discount',
  prize_description: 'Get 10% off your next order',
  prize_type: 'discount_percentage',
  prize_value: '10.00',
  display_value: '10% OFF',
  prize_color: '#8DC63F',
  prize_image: null,
  rarity: 'common',
  conditions: { min_order_amount: '50.00' },
  prize_expires_at: '2026-11-27T12:00:00.000Z',
} as const

const deal = z.strictObject({
  id: z.uuid(),
  kind: z.enum(['gift', 'trade', 'listing']),
  status: z.enum(['open', 'accepted', 'declined', 'withdrawn', 'lapsed']),
  direction: z.enum(['in', 'out']),
  from: z.string().meta({ description: 'Pseudonym of the one who offers.' }),
  to: z.string().nullable().meta({ description: 'As the one who offers wrote it; for that one only.' }),
  give: z.array(item),
  wanted: z.array(z.int()),
  take: z.array(item).meta({ description: 'What a trade asks for, for the one who has it.' }),
  price_minor: z.int().nullable(),
  currency: z.string().nullable(),
  fee_bps: z.int().nullable(),
  expires_at: z.string(),
  created_at: z.string(),
  closed_at: z.string().nullable(),
})

const exampleDeal = {
  id: exampleId,
  kind: 'gift',
  status: 'open',
  direction: 'out',
  from: 'player-k7m2q',
  to: 'bob',
  give: [exampleItem],
  wanted: [],
  take: [],
  price_minor: null,
  currency: null,
  fee_bps: null,
  expires_at: '2026-11-23T12:00:00.000Z',
  created_at: at,
  closed_at: null,
} as const

const exampleListing = {
  ...exampleDeal,
  kind: 'listing',
  to: null,
  price_minor: 500,
  currency: 'EUR',
  fee_bps: 500,
} as const

const dealAnswer = (example: unknown) => z.strictObject({ data: deal }).meta({ example: { data: example } })
const gift = dealAnswer(exampleDeal)
const trade = dealAnswer({ ...exampleDeal, kind: 'trade', wanted: [456] })
const listing = dealAnswer(exampleListing)

const userId = z.string().trim().min(1).max(128)
const playId = z.int().min(1).max(999_999_999_999_999)
const playIds = z
  .array(playId)
  .min(1)
  .max(TRADE_SIDE_MAX)
  .refine((ids) => new Set(ids).size === ids.length, 'a prize stands twice')
const play = z.strictObject({
  play_id: z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .meta({ example: '123' }),
})
const ref = z.strictObject({ id: z.uuid() })
const boxQuery = z.strictObject({
  ...LIST_QUERY,
  direction: z.enum(['in', 'out']).default('in').meta({ description: 'Offered to me, or by me.' }),
})

const PASSING = [
  'not_found',
  'own_deal',
  'deals_per_day_reached',
  'prize_not_won',
  'prize_applied',
  'prize_expired',
  'prize_in_escrow',
  'prize_not_transferable',
  'prize_just_received',
] as const
const TAKING = ['not_found', 'own_deal', 'deal_not_open'] as const
const ENDING = ['not_found', 'deal_not_open'] as const

const settingsFields = {
  fee_bps: z
    .int()
    .min(0)
    .max(5_000)
    .meta({ description: "The tenant's share of a sale; 100 is one percent." }),
  deal_hours: z.int().min(1).max(720).meta({ description: 'How long an offer stands.' }),
  hold_hours: z
    .int()
    .min(0)
    .max(720)
    .meta({ description: 'How long a prize stays with whoever received it.' }),
  gifts_per_day: z.int().min(0).max(1_000),
  trades_per_day: z.int().min(0).max(1_000),
  listings_per_day: z.int().min(0).max(1_000),
}
const settings = z
  .strictObject({ ...settingsFields, row_version: z.int() })
  .meta({ example: { ...SETTINGS_DEFAULT, row_version: 1 } })

/** `/gamification/gift…`, `/gamification/trades…`, `/gamification/listings…`, `/gamification/exchange/settings`. */
export function dealRoutes(): Route[] {
  return [...giftRoutes(), ...tradeRoutes(), ...listingRoutes(), ...staffRoutes()]
}

function giftRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: `${PATH}/gift/{play_id}`,
      summary: 'Give a prize of mine to somebody',
      description:
        'The prize is in escrow until the other side accepts or declines, it is cancelled, or its time is over. A name that nobody has is answered like any other. Its expiry stays as it is; the new owner gets a new code.',
      tags: TAGS,
      roles: ['player'],
      once: 'optional',
      status: 201,
      params: play,
      body: z.strictObject({ to: userId }).meta({ id: 'PrizeGift', example: { to: 'bob' } }),
      answer: gift,
      refusals: PASSING,
      async run({ run, params, body: { to } }) {
        return run(answered(offerDeal), { kind: 'gift' as const, to, give: [Number(params.play_id)] })
      },
    }),
    boxRoute('gifts', 'gift', 'Gifts to me or from me, newest first', exampleDeal),
    oneRoute('gifts', 'gift', 'A gift of mine', gift),
    acceptRoute('gifts', 'gift', 'Accept a gift', gift, TAKING),
    endRoute('gifts', 'gift', 'decline', 'Decline a gift', gift),
    endRoute('gifts', 'gift', 'cancel', 'Take a gift back', gift),
  ]
}

function tradeRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: `${PATH}/trades`,
      summary: 'Offer prizes of mine for prizes of somebody',
      description:
        'Mine are in escrow until the other side accepts or declines, I withdraw, or the time is over. What is asked for is looked at when the other side accepts: then everything changes hands at once, or nothing.',
      tags: TAGS,
      roles: ['player'],
      once: 'optional',
      status: 201,
      body: z
        .strictObject({ to: userId, give: playIds, want: playIds })
        .meta({ id: 'PrizeTrade', example: { to: 'bob', give: [123], want: [456] } }),
      answer: trade,
      refusals: PASSING,
      run: ({ run, body }) => run(answered(offerDeal), { kind: 'trade' as const, ...body }),
    }),
    boxRoute('trades', 'trade', 'Trades offered to me or by me, newest first', {
      ...exampleDeal,
      kind: 'trade',
      wanted: [456],
    }),
    oneRoute('trades', 'trade', 'A trade of mine', trade),
    acceptRoute('trades', 'trade', 'Accept a trade', trade, [
      ...TAKING,
      'prize_applied',
      'prize_expired',
      'prize_in_escrow',
      'prize_not_transferable',
      'prize_just_received',
    ]),
    endRoute('trades', 'trade', 'decline', 'Decline a trade', trade),
    endRoute('trades', 'trade', 'withdraw', 'Withdraw a trade', trade),
  ]
}

function listingRoutes(): Route[] {
  const price = z.coerce.number().int().min(0).max(1_000_000_000_000).optional()
  return [
    route({
      method: 'post',
      path: `${PATH}/listings`,
      summary: 'Put a prize of mine up for sale',
      description:
        "In the tenant's currency, minor units. The fee of today is taken from the price when it is sold. The prize is in escrow until it is bought, withdrawn, or its time is over.",
      tags: TAGS,
      roles: ['player'],
      once: 'optional',
      status: 201,
      body: z
        .strictObject({
          play_id: playId,
          price_minor: z.int().min(1).max(1_000_000_000_000),
          hours: z.int().min(1).max(720).optional(),
        })
        .meta({ id: 'PrizeListing', example: { play_id: 123, price_minor: 500 } }),
      answer: listing,
      refusals: PASSING,
      run: ({ run, body: { play_id, ...more } }) =>
        run(answered(offerDeal), { kind: 'listing' as const, give: [play_id], ...more }),
    }),
    route({
      method: 'get',
      path: `${PATH}/listings`,
      summary: 'What is for sale, newest first',
      tags: TAGS,
      roles: ['player'],
      query: z.strictObject({
        ...LIST_QUERY,
        type: z.enum(PRIZE_TYPES).optional(),
        rarity: z.enum(RARITIES).optional(),
        price_min: price,
        price_max: price,
        mine: z.enum(['0', '1']).optional().meta({ example: '1', description: '1: only what I sell.' }),
      }),
      answer: listOf(deal, { ...exampleListing, direction: 'in' }),
      run: ({ run, query: { type, rarity, price_min, price_max, mine, ...page } }) =>
        run(readListings, {
          ...page,
          type: type ?? null,
          rarity: rarity ?? null,
          price_min: price_min ?? null,
          price_max: price_max ?? null,
          mine: mine === '1',
        }),
    }),
    route({
      method: 'get',
      path: `${PATH}/listings/{id}`,
      summary: 'A listing',
      tags: TAGS,
      roles: ['player'],
      params: ref,
      answer: listing,
      refusals: ['not_found'],
      run: ({ run, params }) => run(answered(readListing), params),
    }),
    route({
      method: 'post',
      path: `${PATH}/listings/{id}/buy`,
      summary: 'Buy a prize',
      description:
        'Paid from wallet credit: into the escrow of the listing and from there to the seller and the tenant, with the prize, in one transaction. One buyer gets it.',
      tags: TAGS,
      roles: ['player'],
      once: 'required',
      params: ref,
      answer: listing,
      refusals: [...TAKING, 'insufficient_funds'],
      run: ({ run, params }) => run(answered(acceptDeal), { kind: 'listing' as const, id: params.id }),
    }),
    endRoute('listings', 'listing', 'withdraw', 'Take a prize off the market', listing),
  ]
}

type Kind = 'gift' | 'trade' | 'listing'

/** A use case whose answer stands under `data`. */
function answered<I, O>(useCase: (tx: any, input: I) => Promise<O>) {
  return async (tx: any, input: I): Promise<{ data: O }> => ({ data: await useCase(tx, input) })
}

function boxRoute(path: string, kind: Kind, summary: string, example: unknown): Route {
  return route({
    method: 'get',
    path: `${PATH}/${path}`,
    summary,
    tags: TAGS,
    roles: ['player'],
    query: boxQuery,
    answer: listOf(deal, example),
    run: ({ run, query }) => run(readDeals, { kind, ...query }),
  })
}

function oneRoute(path: string, kind: Kind, summary: string, answer: z.ZodType): Route {
  return route({
    method: 'get',
    path: `${PATH}/${path}/{id}`,
    summary,
    tags: TAGS,
    roles: ['player'],
    params: ref,
    answer,
    refusals: ['not_found'],
    run: ({ run, params }) => run(answered(readDeal), { kind, id: params.id }),
  })
}

function acceptRoute(
  path: string,
  kind: Kind,
  summary: string,
  answer: z.ZodType,
  refusals: NonNullable<Route['refusals']>,
): Route {
  return route({
    method: 'post',
    path: `${PATH}/${path}/{id}/accept`,
    summary,
    description: 'Once; a repetition answers the same.',
    tags: TAGS,
    roles: ['player'],
    once: 'optional',
    params: ref,
    answer,
    refusals,
    run: ({ run, params }) => run(answered(acceptDeal), { kind, id: params.id }),
  })
}

function endRoute(
  path: string,
  kind: Kind,
  verb: 'decline' | 'cancel' | 'withdraw',
  summary: string,
  answer: z.ZodType,
): Route {
  const how = verb === 'decline' ? 'declined' : 'withdrawn'
  return route({
    method: 'post',
    path: `${PATH}/${path}/{id}/${verb}`,
    summary,
    description: 'Once; a repetition answers the same.',
    tags: TAGS,
    roles: ['player'],
    params: ref,
    answer,
    refusals: ENDING,
    run: ({ run, params }) => run(answered(endOffer), { kind, id: params.id, how }),
  })
}

function staffRoutes(): Route[] {
  const etag = (answer: { row_version: number }) => ({ ETag: `"${answer.row_version}"` })
  return [
    route({
      method: 'get',
      path: `${PATH}/transfers/{play_id}`,
      summary: 'Every change of owner of a prize, first to last',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      params: play,
      answer: listOf(
        z.strictObject({
          from_user_id: z.string(),
          to_user_id: z.string(),
          deal_id: z.uuid(),
          why: z.enum(['gift', 'trade', 'listing']),
          moved_at: z.string(),
        }),
        { from_user_id: 'alice', to_user_id: 'bob', deal_id: exampleId, why: 'gift', moved_at: at },
      ),
      refusals: ['not_found'],
      run: ({ run, params }) => run(readTransfers, { play_id: Number(params.play_id) }),
    }),
    route({
      method: 'get',
      path: `${PATH}/exchange/settings`,
      summary: 'What the tenant decided about gifts, trades and listings',
      description: 'Version 0: the defaults.',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      answer: settings,
      headers: etag,
      run: ({ run }) => run(readSettings, undefined),
    }),
    route({
      method: 'put',
      path: `${PATH}/exchange/settings`,
      summary: 'Decide about gifts, trades and listings',
      description: 'Open offers keep the fee and the time that they were made with.',
      tags: TAGS,
      roles: ['operator'],
      if_match: true,
      body: z
        .strictObject(settingsFields)
        .meta({ id: 'ExchangeSettings', example: { ...SETTINGS_DEFAULT, fee_bps: 250 } }),
      answer: settings,
      refusals: ['precondition_failed', 'precondition_required'],
      headers: etag,
      run: ({ run, body, if_match }) => run(changeSettings, { settings: body, versions: if_match! }),
    }),
  ]
}
