/** Reading the audit chain. There is no route that writes it. */
import { z } from 'zod'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { listAudit } from './log-store.ts'

const values = z.record(z.string(), z.unknown()).nullable()

const shape = z
  .strictObject({
    id: z.uuid(),
    seq: z.int(),
    user_id: z.string(),
    action: z.string(),
    entity_type: z.string(),
    entity_id: z.uuid().nullable(),
    old_values: values,
    new_values: values,
    ip_address: z.string().nullable(),
    user_agent: z.string().nullable(),
    prev_hash: z.string().nullable(),
    hash: z.string(),
    created_at: z.iso.datetime(),
  })
  .meta({
    example: {
      id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f13',
      seq: 2,
      user_id: 'olivia',
      action: 'update',
      entity_type: 'game_engine',
      entity_id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10',
      old_values: { id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10', engine_status: 'enabled', row_version: 1 },
      new_values: { id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10', engine_status: 'disabled', row_version: 2 },
      ip_address: '192.0.2.7',
      user_agent: 'Mozilla/5.0',
      prev_hash: 'c1f5b1f2b7b2a0a3c1a6c6b9c54b6e0fd8f9f6e0c9a1b2c3d4e5f60718293a4b',
      hash: '5b0c7d1e9f3a2b4c6d8e0f1a3b5c7d9e1f2a4b6c8d0e2f4a6b8c0d2e4f6a8b0c',
      created_at: '2026-01-01T00:00:00.000Z',
    },
  })

/** Routes of `/audit-logs`. */
export function auditRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/audit-logs',
      summary: 'Read the audit chain, newest first',
      description:
        'Every change with its actor, before and after; changes of administrators that were refused too. Each row carries the hash of the one before it, so that nobody can alter a row unseen.',
      tags: ['audit'],
      roles: ['operator', 'auditor'],
      query: z.strictObject({
        ...LIST_QUERY,
        cursor: z
          .string()
          .regex(/^[1-9]\d{0,14}$/)
          .optional(),
        entity_type: z.string().max(64).optional(),
        entity_id: z.uuid().optional(),
        user_id: z.string().max(128).optional(),
        action: z.string().max(64).optional(),
      }),
      answer: listOf(shape, exampleOf(shape)),
      run: async ({ run, query: { limit, cursor, ...filter } }) => {
        const before_seq = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor)
        const rows = await run((tx) => listAudit(tx, { ...filter, before_seq }, limit + 1), undefined)
        const data = rows.slice(0, limit)
        return { data, next_cursor: rows.length > limit ? String(data.at(-1)!.seq) : null }
      },
    }),
  ]
}
