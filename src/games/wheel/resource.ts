/** `/api/v1/wheels`: a wheel with its rewards as one document. A change takes effect when it is published. */
import { z } from 'zod'
import type { Role } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { type MadeResource, resource } from '../../http/resource.ts'
import { newId } from '../../ids.ts'
import { tellLobbyGone } from '../lobby.ts'
import { SEGMENT_COUNT_MAX } from './rules.ts'
import { spinConfigSchema } from './schemas.ts'
import { loadEngine, loadRewardViews, putRewards } from './store.ts'

const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/
const PROBABILITY = /^(0|1|0\.\d{1,9}|1\.0{1,9})$/

const reward = z.strictObject({
  reward_slug: z.string().regex(/^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/),
  reward_label: z.string().trim().min(1).max(80),
  reward_type: z.enum(['none', 'prize', 'spin_chance']).optional(),
  probability: z.string().regex(PROBABILITY, 'a decimal from 0 to 1 with at most nine places'),
  reward_color: z
    .string()
    .regex(/^#[0-9A-Fa-f]{6}$/)
    .nullable()
    .default(null),
  reward_description: z.string().max(500).nullable().default(null),
  per_user_limit: z.int().min(1).max(1_000_000).nullable().default(null),
  prize_id: z.int().min(1).nullable().default(null),
})

const fields = {
  wheel_name: z.string().trim().min(1).max(120),
  wheel_slug: z.string().regex(SLUG, 'lower-case letters, digits and -'),
  wheel_description: z.string().max(2000).nullable(),
  wheel_config: z
    .record(z.string().max(64), z.union([z.string().max(500), z.int(), z.boolean(), z.null()]))
    .meta({ description: 'Theme: colours, background, texts. Shown, never decided from.' }),
  spin_config: spinConfigSchema,
  spin_chance_for_page_visit: z.int().min(0).max(100),
  is_public: z.boolean(),
  budget_minor: z.int().min(0).max(1_000_000_000_000).nullable(),
  rewards: z.array(reward).max(SEGMENT_COUNT_MAX),
}

const example = {
  wheel_name: 'Summer',
  wheel_slug: 'summer-wheel',
  spin_chance_for_page_visit: 1,
  rewards: [
    {
      reward_slug: 'ten',
      reward_label: '10% OFF',
      probability: '0.10',
      prize_id: 1,
      reward_color: '#8DC63F',
    },
    { reward_slug: 'none', reward_label: 'Try again', probability: '0.90' },
  ],
  spin_config: { plays_per_day: null, cooldown_ms: 0, duration_ms: 4000 },
}

export const wheelCreate = z
  .strictObject({
    ...fields,
    wheel_description: fields.wheel_description.default(null),
    wheel_config: fields.wheel_config.default({}),
    spin_config: fields.spin_config.prefault({}),
    spin_chance_for_page_visit: fields.spin_chance_for_page_visit.default(0),
    is_public: fields.is_public.default(true),
    budget_minor: fields.budget_minor.default(null),
    rewards: fields.rewards.default([]),
    game_template_id: z.uuid().nullable().default(null),
  })
  .meta({ id: 'WheelCreate', example })

const wheelUpdate = z
  .strictObject(fields)
  .partial()
  .meta({ id: 'WheelUpdate', example: { wheel_name: 'Late summer' } })

const rewardShape = z.strictObject({
  id: z.string(),
  reward_slug: z.string(),
  reward_label: z.string(),
  reward_type: z.string(),
  probability: z.string(),
  reward_color: z.string().nullable(),
  reward_description: z.string().nullable(),
  per_user_limit: z.int().nullable(),
  prize_id: z.int().nullable(),
  range_start: z.int().nullable(),
  range_end: z.int().nullable(),
  reward_status: z.string(),
  row_version: z.int(),
})

const shape = z
  .strictObject({
    id: z.string(),
    wheel_name: z.string(),
    wheel_slug: z.string(),
    wheel_status: z.string(),
    wheel_description: z.string().nullable(),
    wheel_config: z.record(z.string(), z.unknown()),
    spin_config: z.record(z.string(), z.unknown()),
    spin_chance_for_page_visit: z.int(),
    is_public: z.boolean(),
    game_template_id: z.string().nullable(),
    config_version: z.int(),
    config_hash: z.string().nullable(),
    budget_minor: z.int().nullable(),
    budget_spent_minor: z.int(),
    rewards: z.array(rewardShape),
    row_version: z.int(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({
    id: 'Wheel',
    example: {
      id: '01a1f938-87bf-72bd-8203-e461f26d8a24',
      wheel_name: 'Summer',
      wheel_slug: 'summer-wheel',
      wheel_status: 'draft',
      wheel_description: null,
      wheel_config: {},
      spin_config: { duration_ms: 4000, cooldown_ms: 0, plays_per_day: null },
      spin_chance_for_page_visit: 1,
      is_public: true,
      game_template_id: null,
      config_version: 0,
      config_hash: null,
      budget_minor: null,
      budget_spent_minor: 0,
      rewards: [
        {
          id: '01a1f938-87c0-72bd-8203-e461f26d8a24',
          reward_slug: 'none',
          reward_label: 'Try again',
          reward_type: 'none',
          probability: '1',
          reward_color: null,
          reward_description: null,
          per_user_limit: null,
          prize_id: null,
          range_start: null,
          range_end: null,
          reward_status: 'draft',
          row_version: 1,
        },
      ],
      row_version: 1,
      created_at: '2026-11-20T12:00:00.000Z',
      updated_at: '2026-11-20T12:00:00.000Z',
    },
  })

type RewardInput = z.output<typeof reward>

const READERS: readonly Role[] = ['operator', 'service', 'auditor']

export function wheelResource(): MadeResource {
  return resource({
    path: '/api/v1/wheels',
    entity: 'wheel_game',
    title: 'wheel',
    tag: 'Wheels',
    table: {
      name: 'wheel_games',
      id: { column: 'id', kind: 'uuid' },
      slug: 'wheel_slug',
      columns: [
        'wheel_name',
        'wheel_slug',
        'wheel_description',
        'wheel_config',
        'spin_config',
        'spin_chance_for_page_visit',
        'is_public',
        'budget_minor',
        'game_template_id',
      ],
      json: ['wheel_config', 'spin_config'],
      reads: ['wheel_status', 'config_version', 'config_hash', 'budget_spent_minor'],
      gone: 'is_active',
    },
    roles: { read: READERS, create: ['operator'], update: ['operator'], remove: ['operator'] },
    create: wheelCreate,
    update: wheelUpdate,
    shape,
    refusals: ['engine_disabled', 'in_use'],
    async beforeWrite(tx, { rewards, ...input }, existing) {
      if (existing === undefined) {
        const engine = await loadEngine(tx, 'wheel')
        if (engine?.engine_status !== 'enabled') refuse('engine_disabled')
      }
      refuseBadRewards(rewards ?? [])
      return input
    },
    async afterWrite(tx, row, _previous, { rewards }) {
      if (rewards !== undefined) await putRewards(tx, row['id'], rewards.map(writeOf))
      return row
    },
    async beforeRemove(_tx, row) {
      if (row['wheel_status'] === 'live')
        refuse('in_use', { detail: 'Pause or end the wheel before you delete it.' })
    },
    async afterRemove(tx, row) {
      tellLobbyGone(tx, row['id'])
    },
    async view(row, tx) {
      const rewards = await loadRewardViews(tx, row['id'])
      return {
        ...row,
        rewards: rewards.map(({ reward_detail, ...each }) => ({
          ...each,
          per_user_limit: reward_detail['per_user_limit'] ?? null,
        })),
      }
    },
  })
}

const typeOf = (input: RewardInput): string =>
  input.reward_type ?? (input.prize_id === null ? 'none' : 'prize')

function writeOf(input: RewardInput, reward_position: number) {
  const { per_user_limit, ...columns } = input
  return {
    ...columns,
    id: newId(),
    reward_type: typeOf(input),
    reward_detail: per_user_limit === null ? {} : { per_user_limit },
    reward_position,
  }
}

function refuseBadRewards(rewards: readonly RewardInput[]): void {
  const errors = rewards.flatMap((each, i) => {
    const needsPrize = typeOf(each) !== 'none'
    if (needsPrize === (each.prize_id !== null)) return []
    const detail = needsPrize
      ? 'This type of reward needs a prize_id.'
      : 'A reward of type none has no prize_id.'
    return [{ pointer: `/rewards/${i}/prize_id`, detail }]
  })
  const slugs = rewards.map((each) => each.reward_slug)
  slugs.forEach((slug, i) => {
    if (slugs.indexOf(slug) !== i)
      errors.push({ pointer: `/rewards/${i}/reward_slug`, detail: 'This slug stands twice.' })
  })
  if (errors.length > 0) refuse('invalid_input', { errors })
}
