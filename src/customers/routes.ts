/** `/api/v1/customers/{user_id}/facts`: what the order system knows of a customer. */
import { z } from 'zod'
import { type Route, route } from '../http/route.ts'
import { readFacts, tellFacts } from './facts.ts'

const PATH = '/api/v1/customers/{user_id}/facts'
const TAGS = ['Customers']
const params = z.strictObject({ user_id: z.string().min(1).max(128) })
const told = { order_count: z.int().min(0).max(1_000_000_000), source_version: z.int().min(0) }
const segments = z
  .array(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/))
  .max(50)
  .refine((all) => new Set(all).size === all.length, 'A group stands once.')
const shape = z.strictObject({
  user_id: z.string(),
  ...told,
  segments: z.array(z.string()),
  told_by: z.string(),
  updated_at: z.iso.datetime(),
})
const example = {
  user_id: 'alice',
  order_count: 3,
  source_version: 1_796_040_000_000,
  segments: ['vip'],
  told_by: 'shop',
  updated_at: '2026-11-20T12:00:00.000Z',
}

export function customerRoutes(): Route[] {
  return [
    route({
      method: 'put',
      path: PATH,
      summary: 'Say how many orders a customer has completed',
      description:
        '`source_version` is a number of the source that only rises: a sequence, or milliseconds. What is not newer than what is known changes nothing, and `is_current` is false unless it says the same. Conditions of prizes use it where a request brings no count of its own. `segments` are the groups that the customer is in, for the entry rules of games; without it the known ones stay.',
      tags: TAGS,
      roles: ['service'],
      params,
      body: z.strictObject({ ...told, segments: segments.nullable().default(null) }).meta({
        example: { order_count: 3, source_version: 1_796_040_000_000, segments: ['vip'] },
      }),
      answer: shape.extend({ is_current: z.boolean() }).meta({ example: { ...example, is_current: true } }),
      run: ({ params: { user_id }, body, run }) => run(tellFacts, { user_id, ...body }),
    }),
    route({
      method: 'get',
      path: PATH,
      summary: 'Read what is known of a customer',
      tags: TAGS,
      roles: ['service', 'operator', 'auditor'],
      params,
      answer: shape.meta({ example }),
      run: ({ params: given, run }) => run(readFacts, given),
    }),
  ]
}
