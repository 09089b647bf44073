/** Engines: the kinds of game that this version brings as code, each with a row per tenant that can switch it off. */
import { z } from 'zod'
import type { UseCase } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { fieldErrors } from '../http/problem.ts'
import { type MadeResource, resource } from '../http/resource.ts'

export type Engine = {
  engine_name: string
  engine_version: string
  capabilities: readonly string[]
  /** What an operator may set for it. */
  config: z.ZodObject
}

/** The code plug-ins of this version, by `engine_type`. A new game adds its line here. */
export const ENGINES: Readonly<Record<string, Engine>> = {
  wheel: {
    engine_name: 'Wheel',
    engine_version: '1',
    capabilities: ['instant', 'shared_round', 'spectators', 'stock', 'budget', 'fair/1'],
    config: z.strictObject({}),
  },
}

const engine_type = z.enum(Object.keys(ENGINES) as [string, ...string[]])
const engine_status = z.enum(['enabled', 'disabled'])
const engine_config = z.record(z.string(), z.unknown())

const shape = z
  .strictObject({
    id: z.uuid(),
    engine_name: z.string(),
    engine_type: z.string(),
    engine_version: z.string(),
    engine_status,
    engine_config,
    engine_capabilities: z.array(z.string()),
    is_active: z.boolean(),
    row_version: z.int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({
    example: {
      id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10',
      engine_name: 'Wheel',
      engine_type: 'wheel',
      engine_version: '1',
      engine_status: 'enabled',
      engine_config: {},
      engine_capabilities: ['instant', 'shared_round', 'spectators', 'stock', 'budget', 'fair/1'],
      is_active: true,
      row_version: 1,
      created_at: '2026-01-01T00:00:00.000Z',
      updated_at: '2026-01-01T00:00:00.000Z',
    },
  })

/** `/game-engines`. Version and capabilities are facts of the code; an operator names, configures and switches. */
export const engines: MadeResource = resource({
  path: '/api/v1/game-engines',
  entity: 'game_engine',
  title: 'game engine',
  tag: 'engines and templates',
  table: {
    name: 'game_engines',
    id: { column: 'id', kind: 'uuid' },
    columns: [
      'engine_name',
      'engine_type',
      'engine_version',
      'engine_status',
      'engine_config',
      'engine_capabilities',
    ],
    json: ['engine_config', 'engine_capabilities'],
    reads: ['is_active'],
    gone: 'is_active',
  },
  roles: { read: ['operator', 'auditor'], create: ['operator'], update: ['operator'] },
  create: z
    .strictObject({
      engine_type,
      engine_name: z.string().trim().min(1).max(120).optional(),
      engine_status: engine_status.default('enabled'),
      engine_config: engine_config.default({}),
    })
    .meta({ example: { engine_type: 'wheel', engine_name: 'Wheel' } }),
  update: z
    .strictObject({
      engine_name: z.string().trim().min(1).max(120).optional(),
      engine_status: engine_status.optional(),
      engine_config: engine_config.optional(),
    })
    .meta({ example: { engine_status: 'disabled' } }),
  shape,
  filters: { engine_type: engine_type.optional(), engine_status: engine_status.optional() },
  beforeWrite(_tx, input, existing) {
    const engine = ENGINES[existing?.['engine_type'] ?? input.engine_type]!
    const config = engine.config.safeParse(input.engine_config ?? {})
    if (!config.success) {
      const errors = fieldErrors(config.error).map((each) => ({
        ...each,
        pointer: `/engine_config${each.pointer}`,
      }))
      refuse('invalid_input', { errors })
    }
    if (existing) return input
    return {
      engine_name: engine.engine_name,
      ...input,
      engine_version: engine.engine_version,
      engine_capabilities: engine.capabilities,
    }
  },
})

/** One row for each engine of this version, in a tenant that has none. */
export const createEngines: UseCase<undefined, void> = async (tx) => {
  for (const type of Object.keys(ENGINES)) {
    const input = { engine_type: type, engine_status: 'enabled', engine_config: {} }
    await engines.create(tx, { input })
  }
}
