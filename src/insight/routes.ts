/** Reading what happened: the events that every game's state is folded from. */
import { z } from 'zod'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { listEvents } from './store.ts'

const shape = z
  .strictObject({
    id: z.uuid(),
    game_id: z.string(),
    game_seq: z.int(),
    event_type: z.string(),
    event_category: z.string(),
    user_id: z.string().nullable(),
    event_data: z.record(z.string(), z.unknown()),
    event_timestamp: z.iso.datetime(),
  })
  .meta({
    example: {
      id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
      game_id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f15',
      game_seq: 1,
      event_type: 'wheel.status',
      event_category: 'wheel',
      user_id: 'olivia',
      event_data: { status: 'live' },
      event_timestamp: '2026-01-01T00:00:00.000Z',
    },
  })

/** Routes of `/events`. */
export function eventRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/events',
      summary: "Read a game's events in the order of their numbers",
      description: '`after` is the last number that is known; `next_cursor` is the next `after`.',
      tags: ['insight'],
      roles: ['operator', 'auditor', 'service'],
      query: z.strictObject({
        game_id: z
          .string()
          .regex(/^[A-Za-z0-9_-]{1,64}$/)
          .meta({ example: 'lobby' }),
        after: z
          .string()
          .regex(/^\d{1,15}$/)
          .default('0')
          .meta({ example: '0' }),
        limit: LIST_QUERY.limit,
      }),
      answer: listOf(shape, exampleOf(shape)),
      run: async ({ run, query: { game_id, after, limit } }) => {
        const rows = await run((tx) => listEvents(tx, game_id, Number(after), limit + 1), undefined)
        const data = rows.slice(0, limit)
        return { data, next_cursor: rows.length > limit ? String(data.at(-1)!.game_seq) : null }
      },
    }),
  ]
}
