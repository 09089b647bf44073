/** A user's notifications over HTTP. The room `inbox` pushes the same (docs/rooms.md). */
import { z } from 'zod'
import type { Role } from '../db/tx.ts'
import { LIST_QUERY } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { readMarks, readNotifications } from './inbox.ts'

const TAGS = ['Notifications']
const WHO: readonly Role[] = ['player', 'creator']
/** A screen marks what it shows; a page has at most so many. */
const MARKS_MAX = 100

const notification = z.strictObject({
  id: z.int(),
  kind: z.string().meta({
    description:
      'prize_won; gift_…, trade_… and listing_… with offered, accepted, declined, withdrawn, lapsed or sold; and what other parts of the product tell.',
  }),
  message: z.string(),
  play_id: z.int().nullable(),
  data: z.record(z.string(), z.unknown()),
  is_read: z.boolean(),
  created_at: z.iso.datetime(),
})

/** What `read` takes, in the room and over HTTP; without ids everything is read. */
export const readRequest = z.strictObject({
  ids: z.array(z.int().min(1)).min(1).max(MARKS_MAX).optional(),
})

/** Routes of `/me/notifications`. */
export function inboxRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/me/notifications',
      summary: 'What I was told, newest first',
      description: 'A prize that is not opened yet is not named. `unread_count` is that of all pages.',
      tags: TAGS,
      roles: WHO,
      query: z.strictObject({
        ...LIST_QUERY,
        cursor: z
          .string()
          .regex(/^[1-9]\d{0,14}$/)
          .optional(),
        unread: z
          .enum(['0', '1'])
          .default('0')
          .meta({ example: '1', description: '1: only those that are not read.' }),
      }),
      answer: z
        .strictObject({
          data: z.array(notification),
          next_cursor: z.string().nullable(),
          unread_count: z.int(),
        })
        .meta({
          example: {
            data: [
              {
                id: 12,
                kind: 'prize_won',
                message: 'You won a prize.',
                play_id: 123,
                data: {},
                is_read: false,
                created_at: '2026-01-01T00:00:00.000Z',
              },
            ],
            next_cursor: null,
            unread_count: 1,
          },
        }),
      run: ({ run, query: { limit, cursor, unread } }) =>
        run(readNotifications, {
          limit,
          cursor: cursor === undefined ? null : Number(cursor),
          unread_only: unread === '1',
        }),
    }),
    route({
      method: 'post',
      path: '/api/v1/me/notifications/read',
      summary: 'Mark notifications of mine as read',
      description:
        'Without ids all of them. What is read already, unknown or of somebody else changes nothing.',
      tags: TAGS,
      roles: WHO,
      body: readRequest.meta({ id: 'NotificationsRead', example: { ids: [12] } }),
      answer: z
        .strictObject({ marked: z.int(), unread_count: z.int() })
        .meta({ example: { marked: 1, unread_count: 0 } }),
      run: ({ run, body }) => run(readMarks, { ids: body.ids ?? null }),
    }),
  ]
}
