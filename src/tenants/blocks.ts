/** Blocked users: out of HTTP and rooms within two seconds, on every process. */
import { z } from 'zod'
import type { UseCase } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import type { Auth } from '../http/auth.ts'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { withoutFractions } from '../http/strict-json.ts'
import { type Block, deleteBlock, findBlockForUpdate, listBlocks, upsertBlock } from './store.ts'

const user_id = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\p{Cc}]+$/u)

const shape = z
  .strictObject({
    user_id: z.string(),
    reason: z.string(),
    blocked_by: z.string(),
    blocked_until: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({
    example: {
      user_id: 'mallory',
      reason: 'Payment fraud, case 17',
      blocked_by: 'olivia',
      blocked_until: null,
      created_at: '2026-01-01T00:00:00.000Z',
    },
  })

type Blocking = { user_id: string; reason: string; until: string | null }

function blockUser(auth: Auth): UseCase<Blocking, Block> {
  return async (tx, { user_id, reason, until }) => {
    const blocked_until = until === null ? null : new Date(until)
    if (blocked_until !== null && blocked_until <= tx.now) {
      refuse('invalid_input', {
        errors: [{ pointer: '/until', detail: 'A block ends in the future, or never.' }],
      })
    }
    const before = await findBlockForUpdate(tx, user_id)
    const block = await upsertBlock(tx, { user_id, reason, blocked_until })
    const new_values = withoutFractions(block)
    tx.audit({
      action: 'block',
      entity_type: 'user',
      new_values,
      ...(before && { old_values: withoutFractions(before) }),
    })
    tx.afterCommit(() => auth.forget(tx.actor.tenantId))
    return block
  }
}

function unblockUser(auth: Auth): UseCase<{ user_id: string }, void> {
  return async (tx, { user_id }) => {
    const before = (await findBlockForUpdate(tx, user_id)) ?? refuse('not_found')
    await deleteBlock(tx, user_id)
    tx.audit({ action: 'unblock', entity_type: 'user', old_values: withoutFractions(before) })
    tx.afterCommit(() => auth.forget(tx.actor.tenantId))
  }
}

/** Routes of `/blocked-users`. */
export function blockRoutes(auth: Auth): Route[] {
  const tags = ['users']
  return [
    route({
      method: 'get',
      path: '/api/v1/blocked-users',
      summary: 'List blocked users in the order of their ids',
      tags,
      roles: ['operator', 'auditor'],
      query: z.strictObject(LIST_QUERY),
      answer: listOf(shape, exampleOf(shape)),
      run: async ({ run, query: { limit, cursor } }) => {
        const after =
          cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString().replaceAll('\u0000', '')
        const rows = await run((tx) => listBlocks(tx, after, limit + 1), undefined)
        const data = rows.slice(0, limit)
        const last = data.at(-1)
        return {
          data,
          next_cursor: rows.length > limit ? Buffer.from(last!.user_id).toString('base64url') : null,
        }
      },
    }),
    route({
      method: 'post',
      path: '/api/v1/blocked-users',
      summary: 'Block a user',
      description:
        'Closes open sockets and refuses requests within two seconds. A second block replaces the first.',
      tags,
      roles: ['operator'],
      body: z
        .strictObject({
          user_id,
          reason: z.string().trim().min(1).max(500),
          until: z.iso.datetime({ offset: true }).nullable().default(null),
        })
        .meta({ example: { user_id: 'mallory', reason: 'Payment fraud, case 17', until: null } }),
      answer: shape,
      status: 201,
      once: 'optional',
      run: ({ run, body }) => run(blockUser(auth), body),
    }),
    route({
      method: 'delete',
      path: '/api/v1/blocked-users/{user_id}',
      summary: 'Unblock a user',
      tags,
      roles: ['operator'],
      params: z.strictObject({ user_id }),
      run: async ({ run, params }) => {
        await run(unblockUser(auth), params)
      },
    }),
  ]
}
