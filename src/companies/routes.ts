/** Companies that create games together (S0-36): staff keeps them and their members; members see their own. */
import { z } from 'zod'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { exampleOf, LIST_QUERY, listOf, resource } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import {
  companyExists,
  deleteMember,
  hasObligations,
  insertMember,
  loadCompaniesOf,
  loadMembers,
} from './store.ts'

const TAG = 'Companies'
const exampleId = '01a1f938-87bf-72bd-8203-e461f26d8a24'
const at = '2026-11-20T12:00:00.000Z'
const company_name = z.string().trim().min(1).max(120)
const user_id = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\p{Cc}]+$/u)
const params = z.strictObject({ id: z.uuid() })
const memberParams = params.extend({ user_id })

const memberShape = z
  .strictObject({ user_id: z.string(), created_at: z.string() })
  .meta({ id: 'CompanyMember', example: { user_id: 'carla', created_at: at } })

/** More than anybody acts for. */
const MINE_COUNT_MAX = 100

async function theCompany(tx: Tx, company_id: string): Promise<void> {
  if (!(await companyExists(tx, company_id))) refuse('not_found')
}

type Member = { company_id: string; user_id: string }

/** Lets somebody act for a company; twice is harmless. Refuses not_found. */
export async function addMember(tx: Tx, { company_id, user_id }: Member) {
  await theCompany(tx, company_id)
  if (await insertMember(tx, company_id, user_id))
    tx.audit({
      action: 'company.member_added',
      entity_type: 'company',
      entity_id: company_id,
      new_values: { user_id },
    })
  return { company_id, user_id }
}

/** Lets somebody act for it no longer. Refuses not_found. */
export async function removeMember(tx: Tx, { company_id, user_id }: Member): Promise<void> {
  await theCompany(tx, company_id)
  if (!(await deleteMember(tx, company_id, user_id))) refuse('not_found')
  tx.audit({
    action: 'company.member_removed',
    entity_type: 'company',
    entity_id: company_id,
    old_values: { user_id },
  })
}

async function readMembers(
  tx: Tx,
  { company_id, after, limit }: { company_id: string; after: string; limit: number },
) {
  await theCompany(tx, company_id)
  const rows = await loadMembers(tx, company_id, after, limit + 1)
  const page = rows.slice(0, limit)
  return {
    data: page.map((row) => ({ user_id: row.user_id, created_at: row.created_at.toISOString() })),
    next_cursor: rows.length > limit ? Buffer.from(page.at(-1)!.user_id).toString('base64url') : null,
  }
}

/** The actor's own companies. */
export async function readMyCompanies(tx: Tx) {
  return (await loadCompaniesOf(tx, tx.actor.userId, MINE_COUNT_MAX)).map((row) => ({
    company_id: row.id,
    company_name: row.company_name,
  }))
}

export function companyRoutes(): Route[] {
  const companies = resource({
    path: '/api/v1/companies',
    entity: 'company',
    title: 'company',
    tag: TAG,
    table: {
      name: 'companies',
      id: { column: 'id', kind: 'uuid' },
      columns: ['company_name'],
      gone: 'is_active',
    },
    roles: {
      read: ['operator', 'auditor'],
      create: ['operator'],
      update: ['operator'],
      remove: ['operator'],
    },
    create: z.strictObject({ company_name }).meta({
      id: 'CompanyCreate',
      example: { company_name: 'Pumpkins Ltd' },
    }),
    update: z
      .strictObject({ company_name })
      .partial()
      .meta({ id: 'CompanyUpdate', example: { company_name: 'Pumpkins and Co.' } }),
    shape: z
      .strictObject({
        id: z.string(),
        company_name: z.string(),
        row_version: z.int(),
        created_at: z.string(),
        updated_at: z.string(),
      })
      .meta({
        id: 'Company',
        example: {
          id: exampleId,
          company_name: 'Pumpkins Ltd',
          row_version: 1,
          created_at: at,
          updated_at: at,
        },
      }),
    async beforeRemove(tx, row) {
      if (await hasObligations(tx, row['id']))
        refuse('in_use', { detail: 'A game of it runs, or a reward was not handed over yet.' })
    },
  })

  return [
    ...companies.routes,
    route({
      method: 'get',
      path: '/api/v1/companies/{id}/members',
      summary: 'Who acts for a company, in the order of their ids',
      tags: [TAG],
      roles: ['operator', 'auditor'],
      params,
      query: z.strictObject(LIST_QUERY),
      answer: listOf(memberShape, exampleOf(memberShape)),
      run: ({ run, params: { id }, query: { limit, cursor } }) =>
        run(readMembers, {
          company_id: id,
          limit,
          after:
            cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString().replaceAll('\u0000', ''),
        }),
    }),
    route({
      method: 'put',
      path: '/api/v1/companies/{id}/members/{user_id}',
      summary: 'Let somebody act for a company',
      description: 'Twice is harmless. Who acts needs the role creator as well.',
      tags: [TAG],
      roles: ['operator'],
      params: memberParams,
      answer: z
        .strictObject({ company_id: z.string(), user_id: z.string() })
        .meta({ example: { company_id: exampleId, user_id: 'carla' } }),
      run: ({ run, params: { id, user_id } }) => run(addMember, { company_id: id, user_id }),
    }),
    route({
      method: 'delete',
      path: '/api/v1/companies/{id}/members/{user_id}',
      summary: 'Let somebody act for a company no longer',
      tags: [TAG],
      roles: ['operator'],
      params: memberParams,
      run: ({ run, params: { id, user_id } }) => run(removeMember, { company_id: id, user_id }),
    }),
    route({
      method: 'get',
      path: '/api/v1/me/companies',
      summary: 'Companies that I act for',
      tags: [TAG],
      roles: ['creator', 'operator'],
      answer: z
        .strictObject({
          data: z.array(z.strictObject({ company_id: z.string(), company_name: z.string() })),
          next_cursor: z.null(),
        })
        .meta({
          example: { data: [{ company_id: exampleId, company_name: 'Pumpkins Ltd' }], next_cursor: null },
        }),
      run: async ({ run }) => ({ data: await run(readMyCompanies, undefined), next_cursor: null }),
    }),
  ]
}
