/** The record of creators over HTTP: what everybody sees of it, one's own, blocks and appeals, settings. */
import { z } from 'zod'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import {
  appealAgainst,
  changeSettings,
  decideAppeal,
  listBlocks,
  readOwnRecords,
  readPublicRecord,
  readSettings,
} from './accountability.ts'
import { MESSAGE_LENGTH_MAX, SETTINGS_DEFAULT } from './rules.ts'
import { at, exampleId, prose } from './schemas.ts'

const TAGS = ['Creators']
const params = z.strictObject({ id: z.uuid() })

const publicShape = z
  .strictObject({
    creator: z.string(),
    completed_count: z.int(),
    failed_count: z.int(),
    open_complaints: z.int(),
    fulfilment_bps: z.int().nullable(),
    is_blocked: z.boolean(),
  })
  .meta({
    id: 'CreatorRecord',
    example: {
      creator: 'player-3m9xa8',
      completed_count: 9,
      failed_count: 1,
      open_complaints: 0,
      fulfilment_bps: 9_000,
      is_blocked: false,
    },
  })

const blockFields = {
  block_id: z.string(),
  failure_count: z.int(),
  blocked_until: z.string(),
  appeal: z.string().nullable(),
  appealed_at: z.string().nullable(),
  decision: z.string().nullable(),
  decision_note: z.string().nullable(),
}
const blockExample = {
  block_id: exampleId,
  failure_count: 3,
  blocked_until: at,
  appeal: 'The post was on strike.',
  appealed_at: at,
  decision: null,
  decision_note: null,
}
const ownBlockShape = z.strictObject(blockFields).meta({ id: 'CreatorBlockOfMine', example: blockExample })

const blockShape = z
  .strictObject({
    ...blockFields,
    party_kind: z.string(),
    party_id: z.string(),
    name: z.string(),
    is_holding: z.boolean(),
    appealed_by: z.string().nullable(),
    decided_by: z.string().nullable(),
    decided_at: z.string().nullable(),
    ended_at: z.string().nullable(),
    created_at: z.string(),
  })
  .meta({
    id: 'CreatorBlock',
    example: {
      ...blockExample,
      party_kind: 'person',
      party_id: 'carla',
      name: 'player-3m9xa8',
      is_holding: true,
      appealed_by: 'carla',
      decided_by: null,
      decided_at: null,
      ended_at: null,
      created_at: at,
    },
  })

const ownShape = z
  .strictObject({
    party_kind: z.string(),
    party_id: z.string(),
    name: z.string(),
    completed_count: z.int(),
    failed_count: z.int(),
    recent_failures: z.int(),
    failures_max: z.int(),
    failure_days: z.int(),
    fulfilment_bps: z.int().nullable(),
    block: ownBlockShape.nullable(),
  })
  .meta({
    id: 'CreatorRecordOfMine',
    example: {
      party_kind: 'person',
      party_id: 'carla',
      name: 'player-3m9xa8',
      completed_count: 9,
      failed_count: 1,
      recent_failures: 1,
      failures_max: 3,
      failure_days: 30,
      fulfilment_bps: 9_000,
      block: null,
    },
  })

const settingsFields = {
  answer_hours: z.int().min(1).max(720),
  failures_max: z.int().min(1).max(100),
  failure_days: z.int().min(1).max(366),
  block_days: z.int().min(1).max(366),
}
const settingsShape = z
  .strictObject({ ...settingsFields, row_version: z.int() })
  .meta({ id: 'ClaimSettingsInForce', example: { ...SETTINGS_DEFAULT, row_version: 1 } })

const etag = ({ row_version }: { row_version: number }) => ({ ETag: `"${row_version}"` })

/** `/creators/{name}`, `/me/creator`, `/creator-blocks…` and `/claim-settings`. */
export function creatorRoutes(): Route[] {
  return [...recordRoutes(), ...blockRoutes(), ...settingsRoutes()]
}

function recordRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/creators/{name}',
      summary: 'How a creator keeps promises',
      description:
        'Under the name that games and claims show. `fulfilment_bps` is the share of the ended claims that were handed over, in hundredths of a percent; null while none ended.',
      tags: TAGS,
      roles: 'anyone',
      params: z.strictObject({
        name: z
          .string()
          .regex(/^[a-z0-9-]{1,64}$/)
          .meta({ example: 'player-3m9xa8' }),
      }),
      query: z.strictObject({
        tenant: z
          .string()
          .max(64)
          .optional()
          .meta({ example: 'demo', description: 'Tenant code; needed without a token.' }),
      }),
      answer: publicShape,
      rate: { points: 120, duration_s: 60 },
      refusals: ['unauthorized', 'game_not_found'],
      run: async ({ run, params: { name }, query, visitor }) =>
        run(readPublicRecord, { name }, await visitor(query.tenant)),
    }),
    route({
      method: 'get',
      path: '/api/v1/me/creator',
      summary: 'My own record as a creator, and those of the companies that I act for',
      tags: TAGS,
      roles: ['creator', 'operator'],
      answer: z.strictObject({ data: z.array(ownShape) }).meta({ example: { data: [exampleOf(ownShape)] } }),
      run: ({ run }) => run(readOwnRecords, undefined),
    }),
  ]
}

function blockRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/creator-blocks',
      summary: 'Creators who are or were blocked, newest first',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      query: z.strictObject(LIST_QUERY),
      answer: listOf(blockShape, exampleOf(blockShape)),
      run: ({ run, query: { limit, cursor } }) => run(listBlocks, { limit, cursor: cursor ?? null }),
    }),
    route({
      method: 'post',
      path: '/api/v1/creator-blocks/{id}/appeal',
      summary: 'Say why a block should not hold',
      description: 'By the blocked creator or a member of the blocked company, once, while it holds.',
      tags: TAGS,
      roles: ['creator', 'operator'],
      params,
      body: z
        .strictObject({ appeal: prose(MESSAGE_LENGTH_MAX) })
        .meta({ id: 'CreatorAppeal', example: { appeal: blockExample.appeal } }),
      answer: ownBlockShape,
      refusals: ['appeal_refused'],
      run: ({ run, params: { id }, body: { appeal } }) => run(appealAgainst, { block_id: id, appeal }),
    }),
    route({
      method: 'post',
      path: '/api/v1/creator-blocks/{id}/decision',
      summary: 'Decide an appeal',
      description:
        'By somebody who did not appeal and does not belong to the blocked side. lifted ends the block.',
      tags: TAGS,
      roles: ['operator'],
      params,
      body: z
        .strictObject({
          decision: z.enum(['lifted', 'upheld']),
          note: prose(MESSAGE_LENGTH_MAX).optional(),
        })
        .meta({ id: 'CreatorAppealDecision', example: { decision: 'lifted', note: 'It was the post.' } }),
      answer: blockShape,
      refusals: ['appeal_refused', 'second_person_needed'],
      run: ({ run, params: { id }, body: { decision, note } }) =>
        run(decideAppeal, { block_id: id, decision, note: note ?? null }),
    }),
  ]
}

function settingsRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/claim-settings',
      summary: 'What the tenant decided about complaints and creators who fail',
      description: 'Version 0: the defaults.',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      answer: settingsShape,
      headers: etag,
      run: ({ run }) => run(readSettings, undefined),
    }),
    route({
      method: 'put',
      path: '/api/v1/claim-settings',
      summary: 'Decide about complaints and creators who fail',
      description: 'Open complaints keep the time of their answer, blocks their date.',
      tags: TAGS,
      roles: ['operator'],
      if_match: true,
      body: z
        .strictObject(settingsFields)
        .meta({ id: 'ClaimSettings', example: { ...SETTINGS_DEFAULT, failures_max: 2 } }),
      answer: settingsShape,
      refusals: ['precondition_failed', 'precondition_required'],
      headers: etag,
      run: ({ run, body, if_match }) => run(changeSettings, { settings: body, versions: if_match! }),
    }),
  ]
}
