/** Tenants themselves: made and switched by the platform, each inside its own row-level security. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Actor, Tx } from '../db/tx.ts'
import { Refusal, refuse } from '../errors.ts'
import { exampleOf, LIST_QUERY, listOf, resource } from '../http/resource.ts'
import { type Context, type Route, route } from '../http/route.ts'
import { OWN_ISSUER } from '../http/tokens.ts'
import { newId } from '../ids.ts'
import { isTimeZone } from '../schedule.ts'
import { systemActor } from '../system.ts'
import type { Directory, TenantRow } from './directory.ts'
import { createEngines } from './engines.ts'
import { hasAmounts, insertHeads, listTenants } from './store.ts'

/** Lower-case ASCII, so that no two codes can look alike (abuse 105); the table checks the same. */
export const TENANT_CODE = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/

const provider = {
  idp_issuer: z
    .string()
    .min(1)
    .max(300)
    .refine((text) => text !== OWN_ISSUER, "This is the server's own issuer.")
    .nullable(),
  idp_jwks_url: z
    .string()
    .max(500)
    .refine(isKeyAddress, 'An https address, or http on this machine.')
    .nullable(),
  idp_audience: z.string().min(1).max(300).nullable(),
}

const settings = {
  tenant_name: z.string().trim().min(1).max(200),
  is_active: z.boolean(),
  is_demo: z.boolean(),
  country_code: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .nullable(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  language_code: z.string().max(16).refine(isLanguage, 'A language tag such as en or pt-BR.'),
  time_zone: z.string().max(64).refine(isTimeZone, 'A time zone such as Europe/Berlin.'),
}

const creation = z
  .strictObject({
    tenant_code: z.string().regex(TENANT_CODE, 'Lower-case a-z, 0-9 and inner hyphens, at most 64.'),
    tenant_name: settings.tenant_name,
    is_active: settings.is_active.default(true),
    is_demo: settings.is_demo.default(false),
    country_code: settings.country_code.default(null),
    currency: settings.currency.default('EUR'),
    language_code: settings.language_code.default('en'),
    time_zone: settings.time_zone.default('UTC'),
    idp_issuer: provider.idp_issuer.default(null),
    idp_jwks_url: provider.idp_jwks_url.default(null),
    idp_audience: provider.idp_audience.default(null),
  })
  .meta({
    example: { tenant_code: 'acme', tenant_name: 'Acme', currency: 'EUR', time_zone: 'Europe/Berlin' },
  })

const change = z
  .strictObject({ ...settings, ...provider })
  .partial()
  .meta({ example: { is_active: false } })

const shape = z
  .strictObject({
    id: z.uuid(),
    tenant_code: z.string(),
    tenant_name: z.string(),
    is_active: z.boolean(),
    is_demo: z.boolean(),
    country_code: z.string().nullable(),
    currency: z.string(),
    language_code: z.string(),
    time_zone: z.string(),
    idp_issuer: z.string().nullable(),
    idp_jwks_url: z.string().nullable(),
    idp_audience: z.string().nullable(),
    row_version: z.int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({
    example: {
      id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f12',
      tenant_code: 'acme',
      tenant_name: 'Acme',
      is_active: true,
      is_demo: false,
      country_code: 'DE',
      currency: 'EUR',
      language_code: 'de',
      time_zone: 'Europe/Berlin',
      idp_issuer: 'https://login.acme.example/',
      idp_jwks_url: 'https://login.acme.example/.well-known/jwks.json',
      idp_audience: 'livedraw',
      row_version: 1,
      created_at: '2026-01-01T00:00:00.000Z',
      updated_at: '2026-01-01T00:00:00.000Z',
    },
  })

export type NewTenant = z.input<typeof creation>

function makeTenants(directory: Directory) {
  return resource({
    path: '/api/v1/tenants',
    entity: 'tenant',
    title: 'tenant',
    tag: 'tenants',
    table: {
      name: 'tenants',
      id: { column: 'id', kind: 'uuid' },
      slug: 'tenant_code',
      columns: ['tenant_code', ...Object.keys(settings), ...Object.keys(provider)],
      gone: 'deleted_at',
    },
    roles: { read: ['platform'], create: ['platform'], update: ['platform'], remove: ['platform'] },
    create: creation,
    update: change,
    shape,
    newId: (tx) => tx.actor.tenantId,
    as: (context) => insideTenant(context, directory),
    refusals: ['in_use'],
    async beforeWrite(tx, input, existing) {
      if (existing !== undefined && (input.currency ?? existing['currency']) !== existing['currency'])
        await refuseOtherCurrency(tx)
      const { idp_issuer, idp_jwks_url, idp_audience } = { ...existing, ...input }
      const given = [idp_issuer, idp_jwks_url, idp_audience].filter((value) => value !== null).length
      if (given !== 0 && given !== 3) {
        const detail = 'An identity provider is issuer, key address and audience together.'
        refuse('invalid_input', { errors: [{ pointer: '/idp_issuer', detail }] })
      }
      return input
    },
    async afterWrite(tx, _row, previous) {
      tx.afterCommit(() => directory.forget())
      if (previous !== undefined) return undefined
      await insertHeads(tx)
      await createEngines(tx, undefined)
      return undefined
    },
    async afterRemove(tx) {
      tx.afterCommit(() => directory.forget())
    },
  })
}

/** Amounts mean what they meant when they were written. Refuses in_use; the table's trigger refuses the same. */
async function refuseOtherCurrency(tx: Tx): Promise<void> {
  if (await hasAmounts(tx))
    refuse('in_use', { detail: 'Prizes or accounts have amounts in the currency of this tenant; it stays.' })
}

/**
 * The platform acts inside the tenant that is meant. A new tenant's id follows from the caller and the
 * Idempotency-Key, so that a repeated request finds its first answer where that answer is kept: in the tenant.
 */
async function insideTenant(context: Context, directory: Directory): Promise<Actor> {
  const actor = context.actor as Actor
  const ref: string | undefined = context.params?.id
  if (ref !== undefined) {
    const row = (await directory.byId(ref)) ?? (await directory.byCode(ref)) ?? refuse('not_found')
    return { ...actor, tenantId: row.id }
  }
  return { ...actor, tenantId: context.key === undefined ? newId() : idOfKey(actor.userId, context.key) }
}

/** A uuid of version 8 (RFC 9562): ours to fill, here with a hash. */
function idOfKey(userId: string, key: string): string {
  const hex = createHash('sha256')
    .update(JSON.stringify(['livedraw/tenant/1', userId, key]))
    .digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}

/** Routes of `/tenants`. */
export function platformRoutes(app: App, directory: Directory): Route[] {
  const [, ...others] = makeTenants(directory).routes
  const list = route({
    method: 'get',
    path: '/api/v1/tenants',
    summary: 'List tenants in the order of their codes',
    tags: ['tenants'],
    roles: ['platform'],
    query: z.strictObject({ ...LIST_QUERY, cursor: z.string().regex(TENANT_CODE).optional() }),
    answer: listOf(shape, exampleOf(shape)),
    run: async ({ query: { limit, cursor = '' } }) => {
      const rows = await listTenants(app.database, cursor, limit + 1)
      const data = rows.slice(0, limit)
      return { data, next_cursor: rows.length > limit ? data.at(-1)!['tenant_code'] : null }
    },
  })
  return [list, ...others]
}

/**
 * Makes a tenant ready to be used, or finds the one that has its code. For starts and tests; HTTP has
 * `POST /tenants`. Throws a ZodError for input of another shape: a bug of the caller.
 */
export async function createTenant(app: App, directory: Directory, given: NewTenant): Promise<TenantRow> {
  const input = creation.parse(given)
  directory.forget()
  const known = await directory.byCode(input.tenant_code)
  if (known !== undefined) return known
  try {
    await app.run(systemActor(newId()), makeTenants(directory).create, { input })
  } catch (error) {
    // Another process was quicker.
    if (!(error instanceof Refusal) || error.code !== 'already_exists') throw error
  }
  directory.forget()
  return (await directory.byCode(input.tenant_code))!
}

/** Keys come over https, or from this very machine, where nobody stands between. */
function isKeyAddress(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') return false
  if (protocol === 'https:') return true
  return protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}

function isLanguage(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}
