/** What a page has to know of the tenant it is shown in: whose it is, its money, its wall clock. */
import { z } from 'zod'
import type { App } from '../app.ts'
import { refuse } from '../errors.ts'
import { type Route, route } from '../http/route.ts'
import { decimalsOf } from '../prizes/money.ts'
import type { Directory } from './directory.ts'

/** `GET /me/tenant`. */
export function myTenantRoutes(app: App, directory: Directory): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/me/tenant',
      summary: "The caller's tenant: name, currency, time zone, and what time it is",
      description: "Rules that name hours and days mean the tenant's time zone.",
      tags: ['Players'],
      roles: ['player', 'creator', 'operator', 'service', 'auditor'],
      answer: z
        .strictObject({
          tenant_code: z.string(),
          tenant_name: z.string(),
          currency: z.string(),
          decimals: z.int().meta({ description: 'How many decimals the amounts of the currency have.' }),
          time_zone: z.string(),
          language_code: z.string(),
          is_demo: z.boolean(),
          server_time: z.iso.datetime(),
        })
        .meta({
          example: {
            tenant_code: 'acme',
            tenant_name: 'Acme',
            currency: 'EUR',
            decimals: 2,
            time_zone: 'Europe/Berlin',
            language_code: 'de',
            is_demo: false,
            server_time: '2026-11-20T12:00:00.000Z',
          },
        }),
      async run({ actor }) {
        const tenant = (await directory.byId(actor.tenantId)) ?? refuse('unauthorized')
        const { tenant_code, tenant_name, currency, time_zone, language_code, is_demo } = tenant
        return {
          tenant_code,
          tenant_name,
          currency,
          decimals: decimalsOf(currency),
          time_zone,
          language_code,
          is_demo,
          server_time: app.clock.now().toISOString(),
        }
      },
    }),
  ]
}
