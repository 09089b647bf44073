/** Templates: a game's settings kept under a name, from which games are made by copying. */
import { z } from 'zod'
import type { UseCase } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { type MadeResource, type Row, resource } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { ENGINES } from './engines.ts'
import { findEngine } from './store.ts'

const template_type = z.enum(Object.keys(ENGINES) as [string, ...string[]])
const json = z.record(z.string(), z.unknown())
const name = z.string().trim().min(1).max(120)
const category = z.string().trim().min(1).max(64)
const rewards = z.array(z.unknown()).max(64)

const shape = z
  .strictObject({
    id: z.uuid(),
    game_engine_id: z.uuid(),
    template_name: z.string(),
    template_type: z.string(),
    template_category: z.string(),
    template_description: z.string().nullable(),
    template_config: json,
    game_rules: json,
    reward_config: z.array(z.unknown()),
    is_active: z.boolean(),
    row_version: z.int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({
    example: {
      id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f11',
      game_engine_id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10',
      template_name: 'Welcome wheel',
      template_type: 'wheel',
      template_category: 'general',
      template_description: 'For the first visit.',
      template_config: { spin_chance_for_page_visit: 1 },
      game_rules: {},
      reward_config: [{ reward_slug: 'none', reward_label: 'Try again', probability: '1' }],
      is_active: true,
      row_version: 1,
      created_at: '2026-01-01T00:00:00.000Z',
      updated_at: '2026-01-01T00:00:00.000Z',
    },
  })

/** `/game-templates`. */
export const templates: MadeResource = resource({
  path: '/api/v1/game-templates',
  entity: 'game_template',
  title: 'game template',
  tag: 'engines and templates',
  table: {
    name: 'game_templates',
    id: { column: 'id', kind: 'uuid' },
    columns: [
      'game_engine_id',
      'template_name',
      'template_type',
      'template_category',
      'template_description',
      'template_config',
      'game_rules',
      'reward_config',
    ],
    json: ['template_config', 'game_rules', 'reward_config'],
    reads: ['is_active'],
    gone: 'is_active',
  },
  roles: {
    read: ['operator', 'creator', 'auditor'],
    create: ['operator'],
    update: ['operator'],
    remove: ['operator'],
  },
  create: z
    .strictObject({
      template_name: name,
      template_type: template_type.optional(),
      game_engine_id: z.uuid().optional(),
      template_category: category.default('general'),
      template_description: z.string().max(2_000).nullable().default(null),
      template_config: json.default({}),
      game_rules: json.default({}),
      reward_config: rewards.default([]),
    })
    .refine((input) => input.template_type !== undefined || input.game_engine_id !== undefined, {
      path: ['template_type'],
      message: 'Say which engine: template_type or game_engine_id.',
    })
    .meta({
      example: {
        template_name: 'Welcome wheel',
        template_type: 'wheel',
        template_config: { spin_chance_for_page_visit: 1 },
        reward_config: [{ reward_slug: 'none', reward_label: 'Try again', probability: '1' }],
      },
    }),
  update: z
    .strictObject({
      template_name: name.optional(),
      template_category: category.optional(),
      template_description: z.string().max(2_000).nullable().optional(),
      template_config: json.optional(),
      game_rules: json.optional(),
      reward_config: rewards.optional(),
    })
    .meta({ example: { template_name: 'Welcome wheel 2' } }),
  shape,
  filters: { template_type: template_type.optional(), template_category: category.optional() },
  async beforeWrite(tx, input, existing) {
    if (existing) return input
    const engine = await findEngine(tx, { id: input.game_engine_id, engine_type: input.template_type })
    if (engine === undefined) refuse('invalid_input', { detail: 'There is no such engine.' })
    return { ...input, game_engine_id: engine.id, template_type: engine.engine_type }
  },
})

export type Instantiate = {
  template: Row
  /** Members of the game's own creation; they win over the template's. */
  overrides: Record<string, unknown>
}

/** Makes a game of one type from a template; what it answers is what creating that game answers. */
export type Instantiators = Record<string, UseCase<Instantiate, any>>

/** `POST /game-templates/{id}/instantiate`: a copy, so that a later change of the template does not reach the game. */
export function instantiateRoutes(instantiators: Instantiators): Route[] {
  const instantiate: UseCase<{ ref: string; overrides: Record<string, unknown> }, any> = async (
    tx,
    input,
  ) => {
    const template = (await templates.store.find(tx, input.ref)) ?? refuse('not_found')
    const engine = await findEngine(tx, { id: template['game_engine_id'] })
    if (engine?.engine_status !== 'enabled') refuse('engine_disabled')
    const make = instantiators[template['template_type']] ?? refuse('engine_disabled')
    return make(tx, { template, overrides: input.overrides })
  }
  return [
    route({
      method: 'post',
      path: '/api/v1/game-templates/{id}/instantiate',
      summary: 'Make a game from a template',
      description:
        'The body takes members of the creation of that game; they win over those of the template.',
      tags: ['engines and templates'],
      roles: ['operator'],
      params: z.strictObject({ id: z.uuid() }),
      body: json.default({}).meta({ example: { wheel_name: 'Summer', wheel_slug: 'summer' } }),
      answer: z.looseObject({ row_version: z.int() }).meta({ example: { row_version: 1 } }),
      status: 201,
      once: 'optional',
      refusals: ['engine_disabled', 'already_exists'],
      headers: (answer) => ({ ETag: `"${answer.row_version}"` }),
      run: ({ run, params, body }) => run(instantiate, { ref: params.id, overrides: body }),
    }),
  ]
}
