/** The log of spins, over HTTP: for support, and for other systems that have something to say of a spin. */
import { z } from 'zod'
import { refuse } from '../errors.ts'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { LOG_LEVELS, readLogs, readSpinLog, writeLog } from './logs.ts'

const word = (length_max: number) => z.string().regex(new RegExp(`^[a-z][a-z0-9_.-]{0,${length_max - 1}}$`))
const level = z.enum(LOG_LEVELS)
/** One line: what shows lines must not be led to show others. */
const oneLine = (length_max: number) =>
  z
    .string()
    .min(1)
    .max(length_max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u)

const shape = z
  .strictObject({
    id: z.uuid().nullable().meta({ description: 'Null for what is read from the rows of the spin itself.' }),
    spin_id: z.uuid(),
    at: z.iso.datetime(),
    level,
    category: z.string(),
    component: z.string(),
    message: z.string(),
    details: z.string(),
    trace_id: z.string(),
  })
  .meta({
    example: {
      id: null,
      spin_id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
      at: '2026-01-01T00:00:00.000Z',
      level: 'info',
      category: 'fairness',
      component: 'fairness',
      message: 'Roll 7 fell on segment 0, ten.',
      details: 'version 1 of the wheel',
      trace_id: 'spin-1',
    },
  })

const CURSOR = /^(\d{4}-\d{2}-\d{2}T[\d:.]+Z) ([0-9a-f-]{36})$/

function cursorOf(text: string | undefined): { at: string; id: string } | null {
  if (text === undefined) return null
  const [, at, id] = CURSOR.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? []
  if (at === undefined || Number.isNaN(Date.parse(at)) || !z.uuid().safeParse(id).success)
    refuse('invalid_input', { errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }] })
  return { at, id: id! }
}

/** Routes of `/logs`. */
export function logRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/logs',
      summary: 'Read every log line of a spin in order, or the newest lines of all spins',
      description:
        'With `spin_id`: the whole story, oldest first. What the transaction of the spin decided is read from its own rows (`id` is null); the rest was written by this server or by other systems. `level` is the least severe one to show.',
      tags: ['insight'],
      roles: ['operator', 'auditor'],
      query: z.strictObject({
        ...LIST_QUERY,
        spin_id: z.uuid().optional(),
        level: level.default('debug').meta({ example: 'info' }),
        category: z.string().max(32).optional(),
      }),
      answer: listOf(shape, exampleOf(shape)),
      refusals: ['not_found'],
      run: async ({ run, query: { spin_id, limit, cursor, ...filter } }) => {
        if (spin_id !== undefined)
          return { data: await run(readSpinLog, { spin_id, ...filter }), next_cursor: null }
        const { data, next } = await run(readLogs, { ...filter, limit, cursor: cursorOf(cursor) })
        return {
          data,
          next_cursor: next === null ? null : Buffer.from(`${next.at} ${next.id}`).toString('base64url'),
        }
      },
    }),
    route({
      method: 'post',
      path: '/api/v1/logs',
      summary: 'Add a line to the log of a spin',
      description:
        'For systems around the game: a parcel that was sent, a payment that came back. Lines stay as they are written and go after 90 days.',
      tags: ['insight'],
      roles: ['operator', 'service'],
      body: z
        .strictObject({
          spin_id: z.uuid(),
          level,
          category: word(32),
          component: word(64),
          message: oneLine(200),
          details: z.string().max(4_000).optional(),
          trace_id: oneLine(128).optional(),
        })
        .meta({
          example: {
            spin_id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
            level: 'info',
            category: 'delivery',
            component: 'shop',
            message: 'The parcel was handed over.',
            trace_id: 'parcel-7',
          },
        }),
      status: 201,
      answer: shape,
      once: 'optional',
      refusals: ['not_found'],
      run: ({ run, body }) => run(writeLog, body),
    }),
  ]
}
