/** The one-time link of a demo: whoever starts the server gets into its desk without typing a command. */
import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Actor } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { type Route, route } from '../http/route.ts'
import type { Tokens } from '../http/tokens.ts'
import { newCode } from '../ids.ts'
import type { Directory } from '../tenants/directory.ts'

/** 130 bits: it gives a right by itself. */
const CODE_LENGTH = 26
const TOKEN_TTL_S = 8 * 3600
const USER = 'demo-operator'

export type AdminLink = {
  /** Of this process; never written down. */
  code: string
  /** True once, for the right code. */
  use(given: string): boolean
}

export function makeAdminLink(): AdminLink {
  const code = newCode(CODE_LENGTH)
  let is_used = false
  return {
    code,
    use(given) {
      const [one, other] = [Buffer.from(given), Buffer.from(code)]
      if (is_used || one.length !== other.length || !timingSafeEqual(one, other)) return false
      is_used = true
      return true
    },
  }
}

/** Routes of `/admin-link`, for demos only. */
export function adminLinkRoutes(
  link: AdminLink,
  { app, directory, tokens }: { app: App; directory: Directory; tokens: Tokens },
): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/admin-link',
      summary: 'An operator token for the code of the link that a demo prints at its start, once',
      tags: ['tokens'],
      roles: 'anyone',
      rate: { points: 10, duration_s: 60 },
      body: z
        .strictObject({ code: z.string().min(1).max(64) })
        .meta({ example: { code: '7K3M9QX2R5T87K3M9QX2R5T87K' } }),
      status: 201,
      answer: z.strictObject({ token: z.string(), user_id: z.string(), expires_at: z.iso.datetime() }).meta({
        example: {
          token: 'eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJkZW1vLW9wZXJhdG9yIn0.c2lnbmF0dXJl',
          user_id: USER,
          expires_at: '2026-01-01T08:00:00.000Z',
        },
      }),
      refusals: ['unauthorized'],
      run: async ({ body, ip, request_id }) => {
        const tenant = await directory.byCode('demo')
        if (tenant === undefined || !tenant.is_active || !tenant.is_demo || !link.use(body.code))
          refuse('unauthorized', { detail: 'This link was used, or is none.' })
        const actor: Actor = {
          tenantId: tenant.id,
          userId: USER,
          roles: ['operator'],
          ip,
          requestId: request_id,
        }
        const claims = { sub: USER, tenant: tenant.tenant_code, roles: actor.roles, ttl_s: TOKEN_TTL_S }
        const { token, expires_at } = await tokens.sign(claims)
        await app.run(
          actor,
          async (tx) =>
            tx.audit({
              action: 'admin_link',
              entity_type: 'session',
              new_values: { user_id: USER, expires_at: expires_at.toISOString() },
            }),
          undefined,
        )
        return { token, user_id: USER, expires_at: expires_at.toISOString() }
      },
    }),
  ]
}
