/** Admin resources of raffles: campaigns with their draws as one document, reusable configurations, policies. */
import { z } from 'zod'
import type { Role, Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { type MadeResource, type Row, resource } from '../../http/resource.ts'
import { newCode, newId } from '../../ids.ts'
import { tellLobby, tellLobbyGone } from '../lobby.ts'
import { loadEngine } from '../wheel/store.ts'
import { raffleEntry } from './lobby.ts'
import { POLICIES, POLICY_NAMES, type PolicyName } from './policies.ts'
import {
  CONFIG_DEFAULTS,
  campaignConfig,
  campaignConfigPart,
  campaignFields,
  type drawInput,
} from './schemas.ts'
import {
  type CampaignRow,
  deleteDraftDraws,
  insertRaffleDraws,
  loadCampaign,
  loadConfiguration,
  loadRaffleDraws,
  loadTenantCurrency,
  type RaffleDrawRow,
} from './store.ts'

const READERS: readonly Role[] = ['operator', 'service', 'auditor']
const uuid = '01a1f938-87bf-72bd-8203-e461f26d8a24'
const at = '2026-11-20T12:00:00.000Z'

const example = {
  campaign_name: 'Spring',
  ticket_price: 200,
  currency: 'EUR',
  total_tickets: 1000,
  start_time: '2026-12-01T09:00:00.000Z',
  end_time: '2026-12-24T18:00:00.000Z',
  draws: [
    {
      draw_name: 'Final',
      draw_time: '2026-12-24T20:00:00.000Z',
      winning_tickets: 3,
      alternates: 2,
      prize_id: 1,
    },
  ],
}

const create = z
  .strictObject({
    ...campaignFields,
    campaign_slug: campaignFields.campaign_slug.optional(),
    campaign_description: campaignFields.campaign_description.default(null),
    campaign_type: campaignFields.campaign_type.default('raffle'),
    currency: campaignFields.currency.optional(),
    campaign_config: campaignFields.campaign_config.default({}),
    is_public: campaignFields.is_public.default(true),
    draws: campaignFields.draws.default([]),
    config_name: z
      .string()
      .max(120)
      .optional()
      .meta({ description: 'A reusable configuration; `campaign_config` goes before it.' }),
  })
  .meta({ id: 'RaffleCreate', example })

const update = z
  .strictObject(campaignFields)
  .partial()
  .meta({ id: 'RaffleUpdate', example: { campaign_name: 'Late spring' } })

const drawShape = z.strictObject({
  id: z.string(),
  draw_order: z.int(),
  draw_name: z.string(),
  draw_time: z.string(),
  draw_status: z.string(),
  total_tickets: z.int(),
  winning_tickets: z.int(),
  alternates: z.int(),
  prizes: z.array(z.strictObject({ prize_id: z.int().nullable(), qty: z.int() })),
  draw_results: z.record(z.string(), z.unknown()).nullable(),
  frozen_at: z.string().nullable(),
  redraw_of: z.string().nullable(),
})

const shape = z
  .strictObject({
    id: z.string(),
    campaign_name: z.string(),
    campaign_slug: z.string(),
    campaign_description: z.string().nullable(),
    campaign_status: z.string(),
    campaign_type: z.string(),
    start_time: z.string(),
    end_time: z.string(),
    ticket_price: z.int(),
    currency: z.string(),
    total_tickets: z.int(),
    sold_tickets: z.int(),
    campaign_config: campaignConfig,
    instant_hash: z.string().nullable(),
    is_public: z.boolean(),
    draws: z.array(drawShape),
    row_version: z.int(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({
    id: 'Raffle',
    example: {
      ...example,
      id: uuid,
      campaign_slug: 'spring',
      campaign_description: null,
      campaign_status: 'draft',
      campaign_type: 'raffle',
      sold_tickets: 0,
      campaign_config: CONFIG_DEFAULTS,
      instant_hash: null,
      is_public: true,
      draws: [
        {
          id: uuid,
          draw_order: 1,
          draw_name: 'Final',
          draw_time: '2026-12-24T20:00:00.000Z',
          draw_status: 'draft',
          total_tickets: 0,
          winning_tickets: 3,
          alternates: 2,
          prizes: [{ prize_id: 1, qty: 3 }],
          draw_results: null,
          frozen_at: null,
          redraw_of: null,
        },
      ],
      row_version: 1,
      created_at: at,
      updated_at: at,
    },
  })

/** What a published raffle lets be changed. */
const FREE = ['campaign_name', 'campaign_description', 'is_public']

type DrawInput = z.output<typeof drawInput>

/** `/api/v1/raffles`. */
export function raffleResource(): MadeResource {
  return resource({
    path: '/api/v1/raffles',
    entity: 'raffle_campaign',
    title: 'raffle',
    tag: 'Raffles',
    table: {
      name: 'raffle_campaigns',
      id: { column: 'id', kind: 'uuid' },
      slug: 'campaign_slug',
      columns: [
        'campaign_name',
        'campaign_slug',
        'campaign_description',
        'campaign_type',
        'start_time',
        'end_time',
        'ticket_price',
        'currency',
        'total_tickets',
        'campaign_config',
        'is_public',
      ],
      json: ['campaign_config'],
      reads: ['campaign_status', 'sold_tickets', 'instant_hash'],
      gone: 'is_active',
    },
    roles: { read: READERS, create: ['operator'], update: ['operator'], remove: ['operator'] },
    create,
    update,
    shape,
    refusals: ['engine_disabled', 'in_use', 'raffle_published'],
    async beforeWrite(tx, { draws: _draws, config_name, ...input }, existing) {
      if (existing === undefined) {
        const engine = await loadEngine(tx, 'raffle')
        if (engine !== undefined && engine.engine_status !== 'enabled') refuse('engine_disabled')
      } else if (existing['campaign_status'] !== 'draft') {
        const errors = [...Object.keys(input), ...(_draws === undefined ? [] : ['draws'])]
          .filter((name) => !FREE.includes(name))
          .map((name) => ({
            pointer: `/${name}`,
            detail: 'This was promised when the raffle was published.',
          }))
        if (errors.length > 0) refuse('raffle_published', { errors })
      }
      const values: Record<string, unknown> = { ...input }
      if (existing === undefined || input.campaign_config !== undefined)
        values['campaign_config'] = await wholeConfig(tx, input.campaign_config ?? {}, config_name, existing)
      if (existing === undefined) {
        values['currency'] ??= await loadTenantCurrency(tx)
        values['campaign_slug'] ??= await freeSlug(tx, input.campaign_name)
      }
      refuseBadTimes({ ...existing, ...values })
      return values
    },
    async afterWrite(tx, row, previous, { draws }) {
      if (draws !== undefined) {
        await deleteDraftDraws(tx, row['id'])
        await insertRaffleDraws(tx, row['id'], draws.map(newDraw))
      }
      if (previous !== undefined && row['campaign_status'] !== 'draft')
        tellLobby(tx, raffleEntry(row as unknown as CampaignRow))
      return row
    },
    async beforeRemove(_tx, row) {
      if (!['draft', 'settled', 'cancelled'].includes(row['campaign_status']))
        refuse('in_use', { detail: 'Cancel the raffle, or wait until it is settled.' })
    },
    async afterRemove(tx, row) {
      if (row['campaign_status'] !== 'draft') tellLobbyGone(tx, row['id'])
    },
    view: async (row, tx) => ({ ...row, draws: (await loadRaffleDraws(tx, row['id'])).map(drawView) }),
  })
}

async function wholeConfig(
  tx: Tx,
  given: Record<string, unknown>,
  config_name: string | undefined,
  existing: Row | undefined,
): Promise<Record<string, unknown>> {
  const named = config_name === undefined ? undefined : await loadConfiguration(tx, config_name)
  if (config_name !== undefined && named === undefined)
    refuse('invalid_input', {
      errors: [{ pointer: '/config_name', detail: 'There is no configuration of this name.' }],
    })
  return { ...CONFIG_DEFAULTS, ...existing?.['campaign_config'], ...named?.config_values, ...given }
}

/** A name as a slug; one that is taken gets a few letters more. */
async function freeSlug(tx: Tx, campaign_name: string): Promise<string> {
  const plain = campaign_name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 48)
    .replaceAll(/-+$/g, '')
  const slug = plain === '' ? 'raffle' : plain
  return (await loadCampaign(tx, slug)) === undefined ? slug : `${slug}-${newCode(6).toLowerCase()}`
}

function refuseBadTimes({ start_time, end_time }: Record<string, any>): void {
  if (new Date(end_time) > new Date(start_time)) return
  refuse('invalid_input', { errors: [{ pointer: '/end_time', detail: 'The end must lie after the start.' }] })
}

function newDraw({ prize_id, prizes, ...draw }: DrawInput, i: number) {
  const given = prizes ?? [{ prize_id, qty: draw.winning_tickets }]
  return {
    ...draw,
    id: newId(),
    draw_order: i + 1,
    prizes: given,
    redraw_of: null,
    draw_time: new Date(draw.draw_time),
  }
}

function drawView({ raffle_campaign_id: _id, ...draw }: RaffleDrawRow) {
  return draw
}

const configurationFields = {
  config_name: z.string().trim().min(1).max(120),
  config_type: z.literal('campaign'),
  config_values: campaignConfigPart,
}

/** `/api/v1/raffle-configurations`. Changing one does not touch the campaigns that were made with it. */
export function raffleConfigurationResource(): MadeResource {
  const given = { config_name: 'Weekly', config_values: { per_user_max: 10, claim_days: 7 } }
  return resource({
    path: '/api/v1/raffle-configurations',
    entity: 'raffle_configuration',
    title: 'raffle configuration',
    tag: 'Raffles',
    table: {
      name: 'raffle_configurations',
      id: { column: 'id', kind: 'uuid' },
      columns: ['config_name', 'config_type', 'config_values'],
      json: ['config_values'],
      gone: 'is_active',
    },
    roles: { read: READERS, create: ['operator'], update: ['operator'], remove: ['operator'] },
    create: z
      .strictObject({
        ...configurationFields,
        config_type: configurationFields.config_type.default('campaign'),
      })
      .meta({ id: 'RaffleConfigurationCreate', example: given }),
    update: z
      .strictObject(configurationFields)
      .partial()
      .meta({ id: 'RaffleConfigurationUpdate', example: { config_name: 'Daily' } }),
    shape: z
      .strictObject({
        id: z.string(),
        ...configurationFields,
        row_version: z.int(),
        created_at: z.string(),
        updated_at: z.string(),
      })
      .meta({
        id: 'RaffleConfiguration',
        example: {
          id: uuid,
          config_type: 'campaign',
          ...given,
          row_version: 1,
          created_at: at,
          updated_at: at,
        },
      }),
  })
}

const policyFields = {
  policy_name: z.string().trim().min(1).max(120),
  allocation_policy: z.enum(POLICY_NAMES as [PolicyName, ...PolicyName[]]),
  policy_config: z.record(z.string(), z.unknown()),
}

/** `/api/v1/raffle-ticket-allocation-policies`. The settings are checked against their policy. */
export function rafflePolicyResource(): MadeResource {
  const given = {
    policy_name: 'Every ten euros',
    allocation_policy: 'per_order_amount' as const,
    policy_config: { step_minor: 1000, minimum_minor: 0, cap: 5 },
  }
  return resource({
    path: '/api/v1/raffle-ticket-allocation-policies',
    entity: 'raffle_ticket_allocation_policy',
    title: 'ticket allocation policy',
    tag: 'Raffles',
    table: {
      name: 'raffle_ticket_allocation_policies',
      id: { column: 'id', kind: 'uuid' },
      columns: ['policy_name', 'allocation_policy', 'policy_config'],
      json: ['policy_config'],
      gone: 'is_active',
    },
    roles: { read: READERS, create: ['operator'], update: ['operator'], remove: ['operator'] },
    create: z
      .strictObject({ ...policyFields, policy_config: policyFields.policy_config.default({}) })
      .meta({ id: 'RafflePolicyCreate', example: given }),
    update: z
      .strictObject(policyFields)
      .partial()
      .meta({ id: 'RafflePolicyUpdate', example: { policy_config: { step_minor: 500 } } }),
    shape: z
      .strictObject({
        id: z.string(),
        ...policyFields,
        row_version: z.int(),
        created_at: z.string(),
        updated_at: z.string(),
      })
      .meta({
        id: 'RafflePolicy',
        example: { id: uuid, ...given, row_version: 1, created_at: at, updated_at: at },
      }),
    beforeWrite(_tx, input, existing) {
      const kind = (input.allocation_policy ?? existing?.['allocation_policy']) as PolicyName
      const settings = input.policy_config ?? existing?.['policy_config'] ?? {}
      const parsed = POLICIES[kind].config.safeParse(settings)
      if (parsed.success) return { ...input, policy_config: parsed.data }
      const errors = parsed.error.issues.map(({ path, message }: z.core.$ZodIssue) => ({
        pointer: `/policy_config${path.map((step) => `/${String(step)}`).join('')}`,
        detail: message,
      }))
      return refuse('invalid_input', { errors })
    },
  })
}
