/** What is owed to winners over HTTP: the claim form of the player, the queue of staff. */
import { z } from 'zod'
import { refuse } from '../errors.ts'
import { LIST_QUERY, listOf } from '../http/resource.ts'
import { decodeCursor, encodeCursor } from '../http/resource-store.ts'
import { type Route, route } from '../http/route.ts'
import { fulfilmentResource, itemStockResource } from './fulfilment-resources.ts'
import { claimPrize, readMyFulfilments } from './fulfilments.ts'
import { play } from './schemas.ts'

const TAGS = ['Fulfilment']
const text = (max: number) => z.string().trim().min(1).max(max)

const claim = z.strictObject({
  id: z.uuid(),
  play_id: z.int(),
  fulfilment_type: z.string(),
  fulfilment_status: z.string(),
  prize_name: z.string(),
  claim_details: z.record(z.string(), z.string()).nullable(),
  claimed_at: z.string().nullable(),
  delivered_at: z.string().nullable(),
  created_at: z.string(),
})
const claimExample = {
  id: '01a1f938-87bf-72bd-8203-e461f26d8a24',
  play_id: 123,
  fulfilment_type: 'claim',
  fulfilment_status: 'claimed',
  prize_name: 'A phone',
  claim_details: { name: 'Alice', address: 'Main Street 1, 12345 Town' },
  claimed_at: '2026-11-20T12:00:00.000Z',
  delivered_at: null,
  created_at: '2026-11-20T11:00:00.000Z',
}

/** `/api/v1/fulfilments`, `/api/v1/item-stocks`, and the player's side of them. */
export function fulfilmentRoutes(): Route[] {
  return [
    ...itemStockResource().routes,
    ...fulfilmentResource().routes,
    route({
      method: 'post',
      path: '/api/v1/gamification/claim/{play_id}',
      summary: 'Claim a thing that I won',
      description:
        'Once; a repetition answers what stands. The prize becomes applied, so that it cannot expire any more.',
      tags: TAGS,
      roles: ['player'],
      params: play,
      body: z
        .strictObject({
          name: text(200),
          email: z.email().max(254).optional(),
          phone: text(40).optional(),
          address: text(1_000).optional(),
          message: text(1_000).optional(),
        })
        .refine(
          ({ email, phone, address }) => [email, phone, address].some(Boolean),
          'An email, a phone or an address.',
        )
        .meta({ id: 'PrizeClaim', example: { name: 'Alice', address: 'Main Street 1, 12345 Town' } }),
      answer: claim.meta({ example: claimExample }),
      refusals: [
        'not_found',
        'prize_locked',
        'prize_expired',
        'prize_in_escrow',
        'prize_applied',
        'fulfilment_delivered',
        'fulfilment_cancelled',
      ],
      run: ({ run, params, body }) => run(claimPrize, { play_id: Number(params.play_id), details: body }),
    }),
    route({
      method: 'get',
      path: '/api/v1/me/fulfilments',
      summary: 'What I am owed, newest first',
      description: 'Of prizes that were opened.',
      tags: TAGS,
      roles: ['player'],
      query: z.strictObject(LIST_QUERY),
      answer: listOf(claim, claimExample),
      async run({ run, query: { limit, cursor } }) {
        const after = cursor === undefined ? null : cursorOf(cursor)
        const { data, next } = await run(readMyFulfilments, { after, limit })
        const next_cursor =
          next && encodeCursor({ created_us: String(new Date(next.at).getTime()), id: next.id })
        return { data, next_cursor }
      },
    }),
  ]
}

/** Rows of one transaction are stamped to the millisecond, so that a cursor holds no more. */
function cursorOf(text: string): { at: string; id: string } {
  const found = decodeCursor(text, 'uuid')
  if (found === undefined)
    refuse('invalid_input', { errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }] })
  return { at: new Date(Number(found.created_us)).toISOString(), id: found.id }
}
