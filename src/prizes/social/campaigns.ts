/** Campaigns as operators keep them: which prize under which code, for whom, when and how much (S2-66). */
import { z } from 'zod'
import { refuse } from '../../errors.ts'
import { type MadeResource, resource } from '../../http/resource.ts'
import { isPrizeThere } from './grant-store.ts'

/** A campaign's list of users is typed or pasted; longer ones belong to the tenant's own system, which grants them. */
const AUDIENCE_MAX = 1_000

const fields = {
  campaign_name: z.string().trim().min(1).max(200),
  prize_id: z.int().min(1),
  audience: z.enum(['anyone', 'listed', 'service']).meta({
    description: 'anyone who types the code; those listed; or only grants by the tenant’s own systems.',
  }),
  audience_users: z.array(z.string().min(1).max(128)).max(AUDIENCE_MAX),
  starts_at: z.iso.datetime().nullable(),
  ends_at: z.iso.datetime().nullable(),
  per_user_max: z.int().min(1).max(1_000),
  grants_max: z.int().min(0).max(1_000_000_000).nullable(),
  budget_minor: z.int().min(0).max(1_000_000_000_000).nullable(),
}
const campaign_code = z
  .string()
  .trim()
  .toUpperCase()
  .regex(/^[A-Z0-9]{3,32}$/)

const example = {
  campaign_code: 'SPRING24',
  campaign_name: 'Spring',
  prize_id: 1,
  audience: 'anyone',
  starts_at: '2026-11-20T00:00:00.000Z',
  ends_at: '2026-12-01T00:00:00.000Z',
  per_user_max: 1,
  grants_max: 1_000,
  budget_minor: null,
} as const

const create = z
  .strictObject({
    ...fields,
    campaign_code,
    audience: fields.audience.default('anyone'),
    audience_users: fields.audience_users.default([]),
    starts_at: fields.starts_at.default(null),
    ends_at: fields.ends_at.default(null),
    per_user_max: fields.per_user_max.default(1),
    grants_max: fields.grants_max.default(null),
    budget_minor: fields.budget_minor.default(null),
  })
  .meta({ id: 'CampaignCreate', example })

const update = z
  .strictObject(fields)
  .partial()
  .meta({ id: 'CampaignUpdate', example: { grants_max: 2_000 } })

const shape = z
  .strictObject({
    id: z.uuid(),
    campaign_code: z.string(),
    ...fields,
    starts_at: z.string().nullable(),
    ends_at: z.string().nullable(),
    granted_count: z.int(),
    spent_minor: z.int(),
    row_version: z.int(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({
    id: 'Campaign',
    example: {
      ...example,
      id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
      audience_users: [],
      granted_count: 12,
      spent_minor: 6_000,
      row_version: 1,
      created_at: '2026-11-20T12:00:00.000Z',
      updated_at: '2026-11-20T12:00:00.000Z',
    },
  })

/** `/api/v1/gamification/campaigns`. */
export function campaignResource(): MadeResource {
  return resource({
    path: '/api/v1/gamification/campaigns',
    entity: 'prize_campaign',
    title: 'campaign',
    tag: 'Campaigns and referrals',
    table: {
      name: 'prize_campaigns',
      id: { column: 'id', kind: 'uuid' },
      columns: ['campaign_code', ...Object.keys(fields)],
      json: ['audience_users'],
      reads: ['granted_count', 'spent_minor'],
      gone: 'is_active',
    },
    roles: {
      read: ['operator', 'service', 'auditor'],
      create: ['operator'],
      update: ['operator'],
      remove: ['operator'],
    },
    create,
    update,
    shape,
    refusals: ['already_exists'],
    async beforeWrite(tx, input, existing) {
      const bad = (pointer: string, detail: string) =>
        refuse('invalid_input', { errors: [{ pointer, detail }] })
      if (input.prize_id !== undefined && !(await isPrizeThere(tx, input.prize_id)))
        bad('/prize_id', 'There is no such prize to give.')
      const at = (name: 'starts_at' | 'ends_at') => {
        const given = input[name] === undefined ? existing?.[name] : input[name]
        return given == null ? null : new Date(given)
      }
      const [starts_at, ends_at] = [at('starts_at'), at('ends_at')]
      if (starts_at !== null && ends_at !== null && starts_at >= ends_at)
        bad('/ends_at', 'A campaign ends after it starts.')
      if (input.grants_max != null && input.grants_max < (existing?.['granted_count'] ?? 0))
        bad('/grants_max', `${existing!['granted_count']} were granted already.`)
      if (input.budget_minor != null && input.budget_minor < (existing?.['spent_minor'] ?? 0))
        bad('/budget_minor', `${existing!['spent_minor']} were spent already.`)
      return input
    },
  })
}
