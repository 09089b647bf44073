/** Raffles over HTTP. The room calls the same functions. */
import { z } from 'zod'
import type { App } from '../../app.ts'
import type { Actor } from '../../db/tx.ts'
import { drawShape } from '../../draws/routes.ts'
import { refuse } from '../../errors.ts'
import { fieldErrors } from '../../http/problem.ts'
import { exampleOf, LIST_QUERY } from '../../http/resource.ts'
import { type Route, route } from '../../http/route.ts'
import { giveUpReservation, refundPurchase } from './campaigns.ts'
import { allocate, factsSchema, POLICIES, type PolicyName } from './policies.ts'
import type { Entered, Raffle } from './raffle.ts'
import { readInstantWins, readNumbers, readOwnTickets, readWinnerDesk } from './read.ts'
import { raffleConfigurationResource, rafflePolicyResource, raffleResource } from './resource.ts'
import { ticketRequest } from './schemas.ts'
import { loadPolicy } from './store.ts'
import { stepWinner } from './winners.ts'

const TAGS = ['Raffles']
const uuid = '01a1f938-87bf-72bd-8203-e461f26d8a24'
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const at = '2026-11-20T12:00:00.000Z'
const json = z.record(z.string(), z.unknown())
const params = z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) })
const purchaseParams = z.strictObject({ purchase_id: z.uuid() })
const drawParams = z.strictObject({ draw_id: z.uuid() })
const tenantQuery = {
  tenant: z
    .string()
    .max(64)
    .optional()
    .meta({ example: 'demo', description: 'Tenant code; needed without a token.' }),
}

const ticket = z.strictObject({
  ticket_id: z.string(),
  ticket_number: z.string(),
  via: z.string(),
  entry_index: z.int().nullable(),
  leaf_hash: z.string().nullable(),
  receipt: z.string().nullable(),
})

const entered = z
  .strictObject({
    purchase_id: z.string(),
    status: z.enum(['done', 'reserved']),
    raffle_id: z.string(),
    draw_id: z.string(),
    commit_hash: z.string(),
    quantity: z.int(),
    amount_minor: z.int(),
    currency: z.string(),
    reserved_until: z.string().nullable(),
    numbers: z.array(z.string()),
    entrant: z.string().nullable(),
    salt: z.string().nullable(),
    tickets: z.array(ticket),
    instant_wins: z.array(
      z.strictObject({ ticket_number: z.string(), prize_id: z.int(), play_id: z.int().nullable() }),
    ),
  })
  .meta({
    id: 'RaffleTickets',
    example: {
      purchase_id: uuid,
      status: 'done',
      raffle_id: uuid,
      draw_id: uuid,
      commit_hash: hash,
      quantity: 1,
      amount_minor: 200,
      currency: 'EUR',
      reserved_until: null,
      numbers: ['7'],
      entrant: hash,
      salt: '00112233445566778899aabbccddeeff',
      tickets: [
        {
          ticket_id: uuid,
          ticket_number: '7',
          via: 'paid',
          entry_index: 0,
          leaf_hash: hash,
          receipt: 'eyJhbGciOiJFZERTQSJ9.e30.c2ln',
        },
      ],
      instant_wins: [],
    },
  })

const REFUSALS = [
  'game_not_found',
  'raffle_not_open',
  'sold_out',
  'number_taken',
  'ticket_limit_reached',
  'insufficient_funds',
  'idempotency_key_reused',
  'fairness_locked',
] as const

/** Answers that were given before: said in a header, as on every POST that moves value. */
const replays = new WeakSet<object>()
const headers = (answer: object): Record<string, string> =>
  replays.has(answer) ? { 'Idempotency-Replayed': 'true' } : {}

async function told(work: Promise<Entered>): Promise<Entered['answer']> {
  const { answer, replayed } = await work
  if (replayed) replays.add(answer)
  return answer
}

export type RaffleRouteDeps = { app: App; raffle: Raffle }

export function raffleRoutes({ app, raffle }: RaffleRouteDeps): Route[] {
  return [
    ...raffleResource().routes,
    ...raffleConfigurationResource().routes,
    ...rafflePolicyResource().routes,
    route({
      method: 'post',
      path: '/api/v1/raffles/{id}/publish',
      summary:
        'Publish a raffle: its draws are committed to and nothing of what it promises changes any more',
      tags: TAGS,
      roles: ['operator'],
      params,
      answer: z
        .strictObject({ campaign_id: z.string(), draw_ids: z.array(z.string()) })
        .meta({ example: { campaign_id: uuid, draw_ids: [uuid] } }),
      refusals: [
        'game_not_found',
        'raffle_published',
        'raffle_not_ready',
        'entropy_unavailable',
        'fairness_locked',
      ],
      run: ({ actor, params: { id } }) => raffle.publish(actor, id),
    }),
    route({
      method: 'post',
      path: '/api/v1/raffles/{id}/cancel',
      summary: 'Call a raffle off before its sales close; every ticket is given back',
      tags: TAGS,
      roles: ['operator'],
      params,
      body: z
        .strictObject({ why: z.string().trim().min(1).max(500) })
        .meta({ example: { why: 'The prize is lost.' } }),
      answer: z.strictObject({ campaign_id: z.string() }).meta({ example: { campaign_id: uuid } }),
      refusals: ['game_not_found', 'draw_closed'],
      run: ({ actor, params: { id }, body: { why } }) => raffle.cancel(actor, id, why),
    }),
    route({
      method: 'get',
      path: '/api/v1/raffles/{id}/board',
      summary: 'A raffle as everybody may see it: rules, counts, prizes, draws and their winners',
      tags: TAGS,
      roles: 'anyone',
      params,
      query: z.strictObject(tenantQuery),
      answer: json.meta({
        id: 'RaffleBoard',
        example: { version: 3, raffle: { slug: 'spring', status: 'open', sold_tickets: 12 }, draws: [] },
      }),
      refusals: ['game_not_found'],
      run: async ({ visitor, query, params: { id }, actor }) =>
        publicOnly(await raffle.board(await visitor(query.tenant), id), actor),
    }),
    route({
      method: 'get',
      path: '/api/v1/raffles/{id}/draws',
      summary: 'The draws of a raffle, redraws included, in the order in which they were committed to',
      tags: TAGS,
      roles: 'anyone',
      params,
      query: z.strictObject(tenantQuery),
      answer: z
        .strictObject({ data: z.array(drawShape) })
        .meta({ example: { data: [exampleOf(drawShape)] } }),
      refusals: ['game_not_found'],
      run: async ({ visitor, query, params: { id }, actor }) => ({
        data: publicOnly(await raffle.board(await visitor(query.tenant), id), actor).draws,
      }),
    }),
    route({
      method: 'get',
      path: '/api/v1/raffles/{id}/numbers',
      summary: 'Which numbers are gone and which are held, between two numbers',
      tags: TAGS,
      roles: 'anyone',
      params,
      query: z.strictObject({
        ...tenantQuery,
        from: z.coerce.number().int().min(1).max(10_000_000).default(1).meta({ example: 1 }),
        to: z.coerce.number().int().min(1).max(10_000_000).optional().meta({ example: 500 }),
      }),
      answer: z
        .strictObject({ from: z.int(), to: z.int(), gone: z.array(z.int()), held: z.array(z.int()) })
        .meta({ example: { from: 1, to: 500, gone: [7], held: [8] } }),
      rate: { points: 120, duration_s: 60 },
      refusals: ['game_not_found'],
      run: async ({ visitor, query: { tenant, from, to = from + 499 }, params: { id } }) => {
        if (to < from || to - from >= 1_000)
          refuse('invalid_input', { errors: [{ pointer: '/to', detail: 'At most 1,000 numbers at once.' }] })
        return app.run(await visitor(tenant), readNumbers, { ref: id, from, to })
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/raffles/{id}/instant-wins',
      summary: 'Numbers that won at once; all of them and the seed they came from when the raffle is over',
      tags: TAGS,
      roles: 'anyone',
      params,
      query: z.strictObject(tenantQuery),
      answer: z
        .strictObject({
          seed_hash: z.string().nullable(),
          count: z.int(),
          seed: z.string().nullable(),
          wins: z.array(
            z.strictObject({
              number: z.int(),
              prize_id: z.int(),
              player: z.string().nullable(),
              won_at: z.string().nullable(),
            }),
          ),
        })
        .meta({ example: { seed_hash: hash, count: 3, seed: null, wins: [] } }),
      refusals: ['game_not_found'],
      run: async ({ visitor, query, params: { id } }) =>
        app.run(await visitor(query.tenant), readInstantWins, { ref: id }),
    }),
    route({
      method: 'post',
      path: '/api/v1/raffles/{id}/tickets',
      summary: 'Buy tickets: a quantity, or numbers of your choice',
      description:
        'Paid from the wallet credit of the caller. The same key is answered with the same tickets.',
      tags: TAGS,
      roles: ['player'],
      params,
      body: ticketRequest.meta({ example: { quantity: 3 } }),
      answer: entered,
      status: 201,
      once: 'required',
      rate: { points: 120, duration_s: 60 },
      headers,
      refusals: REFUSALS,
      run: ({ actor, params: { id }, body, key }) =>
        told(raffle.buy(actor, id, { ...body, request_id: `http:${key!}` })),
    }),
    route({
      method: 'get',
      path: '/api/v1/raffles/{id}/tickets',
      summary: "The caller's tickets with receipts and the way to their proofs, newest first",
      tags: TAGS,
      roles: ['player'],
      params,
      query: z.strictObject({
        limit: LIST_QUERY.limit,
        cursor: z.uuid().optional(),
        mine: z.literal('1').optional().meta({ example: '1' }),
      }),
      answer: z
        .strictObject({
          data: z.array(
            z.strictObject({
              ticket_id: z.string(),
              ticket_number: z.string(),
              status: z.string(),
              via: z.string(),
              purchased_at: z.string(),
              purchase_id: z.string(),
              draw_id: z.string(),
              entry_index: z.int().nullable(),
              entry: json.nullable(),
              leaf_hash: z.string().nullable(),
              salt: z.string().nullable(),
              receipt: z.string().nullable(),
              proof: z.string().nullable(),
            }),
          ),
          next_cursor: z.string().nullable(),
        })
        .meta({
          example: {
            data: [
              {
                ticket_id: uuid,
                ticket_number: '7',
                status: 'active',
                via: 'paid',
                purchased_at: at,
                purchase_id: uuid,
                draw_id: uuid,
                entry_index: 0,
                entry: { e: hash, i: 0, t: 7, via: 'paid' },
                leaf_hash: hash,
                salt: '00112233445566778899aabbccddeeff',
                receipt: 'eyJhbGciOiJFZERTQSJ9.e30.c2ln',
                proof: `/api/v1/draws/${uuid}/proof?entry=0`,
              },
            ],
            next_cursor: null,
          },
        }),
      refusals: ['game_not_found'],
      run: ({ run, params: { id }, query: { limit, cursor } }) =>
        run(readOwnTickets, { ref: id, limit, ...(cursor !== undefined && { cursor }) }),
    }),
    route({
      method: 'post',
      path: '/api/v1/raffles/{id}/reservations',
      summary: 'Hold tickets for a time, to be paid for',
      tags: TAGS,
      roles: ['player'],
      params,
      body: ticketRequest.meta({ example: { numbers: [7, 77] } }),
      answer: entered,
      status: 201,
      once: 'required',
      rate: { points: 60, duration_s: 60 },
      headers,
      refusals: REFUSALS,
      run: ({ actor, params: { id }, body, key }) =>
        told(raffle.reserve(actor, id, { ...body, request_id: `hold:${key!}` })),
    }),
    route({
      method: 'post',
      path: '/api/v1/raffle-reservations/{purchase_id}/payment',
      summary: 'Pay for held tickets',
      tags: TAGS,
      roles: ['player'],
      params: purchaseParams,
      answer: entered,
      once: 'required',
      headers,
      refusals: ['not_found', 'reservation_over', 'insufficient_funds', 'fairness_locked'],
      run: ({ actor, params: { purchase_id } }) => told(raffle.payReserved(actor, purchase_id)),
    }),
    route({
      method: 'delete',
      path: '/api/v1/raffle-reservations/{purchase_id}',
      summary: 'Give up held tickets',
      tags: TAGS,
      roles: ['player'],
      params: purchaseParams,
      answer: z
        .strictObject({ purchase_id: z.string(), status: z.string() })
        .meta({ example: { purchase_id: uuid, status: 'released' } }),
      refusals: ['not_found', 'reservation_over'],
      run: ({ run, params: { purchase_id } }) => run(giveUpReservation, { purchase_id }),
    }),
    route({
      method: 'post',
      path: '/api/v1/raffle-purchases/{purchase_id}/refund',
      summary: 'Give a purchase back as a whole, before sales close',
      tags: TAGS,
      roles: ['operator', 'service'],
      params: purchaseParams,
      body: z
        .strictObject({ reason: z.string().trim().min(1).max(500) })
        .meta({ example: { reason: 'Order cancelled' } }),
      answer: z
        .strictObject({ purchase_id: z.string(), status: z.string(), amount_minor: z.int() })
        .meta({ example: { purchase_id: uuid, status: 'refunded', amount_minor: 400 } }),
      once: 'required',
      refusals: ['not_found', 'purchase_not_refundable', 'insufficient_funds'],
      run: ({ run, params: { purchase_id }, body: { reason } }) =>
        run(refundPurchase, { purchase_id, reason }),
    }),
    route({
      method: 'post',
      path: '/api/v1/raffles/{id}/allocate',
      summary: 'Give the tickets that a policy says an event is worth, once per event',
      description:
        'Staff and back ends allocate for anybody; a player asks for free tickets of a `free` policy. Tickets typed in by an operator are labelled `staff` and have the same chance.',
      tags: TAGS,
      roles: ['player', 'operator', 'service'],
      params,
      body: z
        .strictObject({
          policy_id: z.uuid(),
          user_id: z.string().min(1).max(128).optional(),
          event: json.default({}),
          event_key: z.string().regex(/^[\x21-\x7e]{1,128}$/),
        })
        .meta({
          example: {
            policy_id: uuid,
            user_id: 'alice',
            event: { amount_minor: 2500 },
            event_key: 'order-17',
          },
        }),
      answer: z
        .strictObject({ tickets: z.int(), amount_minor: z.int(), purchases: z.array(entered) })
        .meta({ example: { tickets: 2, amount_minor: 0, purchases: [exampleOf(entered)] } }),
      status: 201,
      headers,
      refusals: ['not_found', 'no_tickets_due', ...REFUSALS],
      run: async ({ actor, params: { id }, body }) => {
        const policy = (await app.run(actor, loadPolicy, body.policy_id)) ?? refuse('not_found')
        const is_staff = actor.roles.includes('operator') || actor.roles.includes('service')
        if (!is_staff && policy.allocation_policy !== 'free') refuse('forbidden')
        const user_id = is_staff ? body.user_id : actor.userId
        if (user_id === undefined && policy.allocation_policy !== 'auto_all')
          refuse('invalid_input', { errors: [{ pointer: '/user_id', detail: 'Say for whom.' }] })
        parseEvent(policy.allocation_policy as PolicyName, body.event)
        const { purchases, replayed } = await raffle.allocate(actor, id, {
          policy_id: body.policy_id,
          event: body.event,
          event_key: body.event_key,
          user_id: user_id ?? '-',
          is_staff: actor.roles.includes('operator'),
        })
        const sum = (of: (each: (typeof purchases)[number]) => number) =>
          purchases.reduce((total, each) => total + of(each), 0)
        const answer = {
          tickets: sum(({ quantity }) => quantity),
          amount_minor: sum(({ amount_minor }) => amount_minor),
          purchases,
        }
        if (replayed) replays.add(answer)
        return answer
      },
    }),
    route({
      method: 'post',
      path: '/api/v1/raffle-ticket-allocation-policies/{id}/preview',
      summary: 'What a policy gives for events, without giving it',
      description: 'The real allocation calls the same function with what is known about the user.',
      tags: TAGS,
      roles: ['operator', 'service', 'auditor'],
      params: z.strictObject({ id: z.uuid() }),
      body: z
        .strictObject({
          events: z
            .array(z.strictObject({ event: json, facts: factsSchema.prefault({}) }))
            .min(1)
            .max(100),
        })
        .meta({ example: { events: [{ event: { amount_minor: 2500 }, facts: { given: 0 } }] } }),
      answer: z
        .strictObject({
          policy: z.string(),
          says: z.string(),
          rows: z.array(
            z.strictObject({
              event: json,
              tickets: z.int(),
              amount_minor: z.int(),
              why: z.string().nullable(),
            }),
          ),
        })
        .meta({
          example: {
            policy: 'per_order_amount',
            says: 'A ticket for every so much of an order, from a least amount on, up to a cap per order.',
            rows: [{ event: { amount_minor: 2500 }, tickets: 2, amount_minor: 0, why: null }],
          },
        }),
      refusals: ['not_found'],
      run: async ({ actor, params: { id }, body: { events } }) => {
        const policy = (await app.run(actor, loadPolicy, id)) ?? refuse('not_found')
        const kind = policy.allocation_policy as PolicyName
        return {
          policy: kind,
          says: POLICIES[kind].says,
          rows: events.map(({ event, facts }) => {
            parseEvent(kind, event)
            const {
              tickets,
              why = null,
              amount_minor = 0,
            } = allocate(kind, policy.policy_config, event, facts)
            return { event, tickets, amount_minor, why }
          }),
        }
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/draws/{draw_id}/winners',
      summary:
        'The winners of a raffle draw as staff works through them, with every step, its time and who made it',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      params: drawParams,
      answer: z.strictObject({ data: z.array(json) }).meta({
        example: {
          data: [{ place: 1, user_id: 'alice', ticket_number: '7', status: 'announced', history: [] }],
        },
      }),
      refusals: ['not_found', 'not_yet_revealed'],
      run: ({ run, params: { draw_id } }) => run(readWinnerDesk, { draw_id }),
    }),
    route({
      method: 'post',
      path: '/api/v1/draws/{draw_id}/claim',
      summary: 'A winner says that the prize is wanted',
      tags: TAGS,
      roles: ['player'],
      params: drawParams,
      answer: stepShape,
      refusals: ['game_not_found', 'forfeit_refused', 'winner_not_movable'],
      run: ({ run, params: { draw_id } }) =>
        run(stepWinner, { draw_id, place: null, to: 'claimed', why: null }),
    }),
    route({
      method: 'post',
      path: '/api/v1/draws/{draw_id}/winners/{place}/steps',
      summary: 'A step of a winner, made by staff: contacted (again), claimed, delivered',
      tags: TAGS,
      roles: ['operator'],
      params: z.strictObject({ draw_id: z.uuid(), place: z.coerce.number().int().min(1).max(2_000) }),
      body: z
        .strictObject({
          to: z.enum(['contacted', 'claimed', 'delivered']),
          why: z.string().trim().min(1).max(500).optional(),
        })
        .meta({ example: { to: 'contacted', why: 'By e-mail' } }),
      answer: stepShape,
      refusals: ['game_not_found', 'forfeit_refused', 'winner_not_movable'],
      run: ({ run, params: { draw_id, place }, body: { to, why } }) =>
        run(stepWinner, { draw_id, place, to, why: why ?? null }),
    }),
  ]
}

const stepShape = z
  .strictObject({ place: z.int(), status: z.string(), says: z.string(), contact_count: z.int() })
  .meta({
    id: 'WinnerStep',
    example: { place: 1, status: 'claimed', says: 'You said that you want the prize.', contact_count: 0 },
  })

/** A raffle that is not public is for people of the tenant. */
function publicOnly<B extends { raffle: { is_public: boolean } }>(board: B, actor: Actor | undefined): B {
  if (!board.raffle.is_public && actor === undefined) refuse('game_not_found')
  return board
}

function parseEvent(kind: PolicyName, event: unknown): void {
  const parsed = POLICIES[kind].event.safeParse(event)
  if (parsed.success) return
  const errors = fieldErrors(parsed.error).map(({ pointer, detail }) => ({
    pointer: `/event${pointer}`,
    detail,
  }))
  refuse('invalid_input', { errors })
}
