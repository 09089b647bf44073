/** Guests: a player without a sign-up, in tenants that play with nothing of value. */
import { z } from 'zod'
import { refuse } from '../errors.ts'
import { DEFAULT_RATES, type Rate } from '../http/limits.ts'
import { type Route, route } from '../http/route.ts'
import type { Tokens } from '../http/tokens.ts'
import { newCode } from '../ids.ts'
import type { Directory } from './directory.ts'

/** Long enough for an evening of play; the page asks for the next one with the same button. */
const GUEST_TTL_S = 12 * 3600
/** 60 bits: two guests with one id would share a wallet. */
const GUEST_CODE_LENGTH = 12

/** `POST /guest`. A tenant that is unknown, off, or no demo answers alike. */
export function guestRoutes(directory: Directory, tokens: Tokens, rate: Rate = DEFAULT_RATES.guest): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/guest',
      summary: 'A player token for a demo tenant',
      tags: ['tokens'],
      roles: 'anyone',
      rate,
      body: z.strictObject({ tenant: z.string().min(1).max(64) }).meta({ example: { tenant: 'demo' } }),
      answer: z.strictObject({ token: z.string(), user_id: z.string(), expires_at: z.iso.datetime() }).meta({
        example: {
          token: 'eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJndWVzdC03SzNNOVFYMlI1VDgifQ.c2lnbmF0dXJl',
          user_id: 'guest-7K3M9QX2R5T8',
          expires_at: '2026-01-01T12:00:00.000Z',
        },
      }),
      status: 201,
      refusals: ['guests_not_allowed'],
      run: async ({ body }) => {
        const tenant = await directory.byCode(body.tenant)
        if (tenant === undefined || !tenant.is_active || !tenant.is_demo) refuse('guests_not_allowed')
        const user_id = `guest-${newCode(GUEST_CODE_LENGTH)}`
        const claims = {
          sub: user_id,
          tenant: tenant.tenant_code,
          roles: ['player'] as const,
          ttl_s: GUEST_TTL_S,
        }
        const { token, expires_at } = await tokens.sign(claims)
        return { token, user_id, expires_at: expires_at.toISOString() }
      },
    }),
  ]
}
