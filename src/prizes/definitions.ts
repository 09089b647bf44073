/** Prize definitions: what may be won. Editing one never alters what was issued, which carries its own snapshot. */
import { z } from 'zod'
import type { Role, Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { type MadeResource, resource } from '../http/resource.ts'
import { type Conditions, conditionFaults, conditionFields } from './conditions.ts'
import { type PrizeType, takesEffect } from './discount.ts'
import { loadPrizes } from './grant-store.ts'
import { type Part, snapshotOf } from './issue.ts'
import { decimalsOf, definedAmountOf } from './money.ts'
import { poolFaults, publishPool } from './mystery.ts'
import { isPrizeInCampaign } from './social/grant-store.ts'
import { holdCurrency, isPrizeInUse, recountWins } from './store.ts'

/** seeds/002 names seven types; seeds/000 and 001 the rest (features N1). */
export const PRIZE_TYPES = [
  'discount_percentage',
  'discount_fixed',
  'free_delivery',
  'loyalty_points',
  'wallet_credit',
  'free_item',
  'mystery',
  'cash',
  'free_bet',
  'in_kind',
  'spin_chance',
  'balance_boost',
  'digital',
  'product',
  'coins',
  'voucher',
  'bundle',
] as const

/** Parts of one bundle, and prizes that it comes to: an order takes no more together. */
const PARTS_MAX = 10

/** Tiers of rarity, the most common first (S2-60). */
export const RARITIES = ['common', 'uncommon', 'rare', 'epic', 'legendary'] as const

const DECIMAL = /^(0|[1-9]\d{0,11})(\.\d{1,4})?$/
/** Parts of a mystery's pool. */
const POOL_MAX = 100
const WHOLE = /^[1-9]\d{0,5}$/

/** Conditions of use, stored under the seed's own names. */
const CONDITIONS = Object.keys(conditionFields) as (keyof Conditions)[]

const fields = {
  name: z.string().trim().min(1).max(200),
  description: z.string().max(2000).nullable(),
  type: z.enum(PRIZE_TYPES),
  value: z.string().max(32).nullable(),
  display_value: z.string().max(64).nullable(),
  prize_color: z
    .string()
    .regex(/^#[0-9A-Fa-f]{6}$/)
    .nullable(),
  prize_image: z.httpUrl().max(500).nullable(),
  ...conditionFields,
  expires_in_days: z.int().min(1).max(3650).nullable(),
  never_expires: z.boolean(),
  grace_hours: z.int().min(0).max(24),
  cost_minor: z.int().min(0).max(1_000_000_000_000),
  stock: z.int().min(0).max(1_000_000_000).nullable(),
  is_transferable: z.boolean(),
  rarity: z.enum(RARITIES),
  pool: z
    .array(z.strictObject({ prize_id: z.int().min(1), weight: z.int().min(1).max(1_000_000) }))
    .min(1)
    .max(POOL_MAX)
    .nullable()
    .meta({
      description:
        'Of a mystery: what it can turn out to be, by whole weights. Each change is a new version.',
    }),
  parts: z
    .array(z.strictObject({ prize_id: z.int().min(1), quantity: z.int().min(1).max(PARTS_MAX) }))
    .max(PARTS_MAX)
    .meta({
      description: 'Of a bundle: prizes that opening it puts into the wallet, as they are defined now.',
    }),
  parts_apply: z
    .enum(['all', 'each'])
    .meta({ description: 'all: applying one part applies every part, or none; each: one by one.' }),
}

const example = {
  name: '10% off',
  type: 'discount_percentage',
  value: '10.00',
  min_order_amount: '50.00',
  max_discount_amount: '25.00',
  valid_order_types: ['delivery', 'takeaway'],
  expires_in_days: 7,
  stock: null,
} as const

/** Every condition, absent when nothing is said about it. */
function withoutConditions(): z.ZodRawShape {
  return Object.fromEntries(
    Object.entries(conditionFields).map(([name, field]) => [name, z.prefault(field as z.ZodNullable, null)]),
  )
}

/** What a definition is made from, with every default. */
export const prizeCreate = z
  .strictObject({
    ...fields,
    description: fields.description.default(null),
    value: fields.value.default(null),
    display_value: fields.display_value.default(null),
    prize_color: fields.prize_color.default(null),
    prize_image: fields.prize_image.default(null),
    ...withoutConditions(),
    expires_in_days: fields.expires_in_days.default(null),
    never_expires: fields.never_expires.default(false),
    grace_hours: fields.grace_hours.default(0),
    cost_minor: fields.cost_minor.default(0),
    stock: fields.stock.default(null),
    is_transferable: fields.is_transferable.default(true),
    rarity: fields.rarity.default('common'),
    pool: fields.pool.default(null),
    parts: fields.parts.default([]),
    parts_apply: fields.parts_apply.default('each'),
  })
  .meta({ id: 'PrizeCreate', example })

const update = z
  .strictObject(fields)
  .partial()
  .meta({ id: 'PrizeUpdate', example: { stock: 100 } })

const shape = z
  .strictObject({
    ...fields,
    id: z.int(),
    pool_version: z.int(),
    won_count: z.int(),
    takes_codes: z.boolean().meta({ description: 'Each win takes a code of a partner.' }),
    version: z.int(),
    row_version: z.int(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({
    id: 'Prize',
    example: {
      ...Object.fromEntries(CONDITIONS.map((name) => [name, null])),
      ...example,
      id: 1,
      description: null,
      display_value: '10% OFF',
      prize_color: '#8DC63F',
      prize_image: null,
      never_expires: false,
      grace_hours: 0,
      cost_minor: 500,
      is_transferable: true,
      rarity: 'common',
      pool: null,
      pool_version: 0,
      parts: [],
      parts_apply: 'each',
      won_count: 0,
      takes_codes: false,
      version: 1,
      row_version: 1,
      created_at: '2026-11-20T12:00:00.000Z',
      updated_at: '2026-11-20T12:00:00.000Z',
    },
  })

const STAFF: readonly Role[] = ['operator', 'service']

/** A value has to mean something for its type, in the tenant's currency. Refuses invalid_input. */
function refuseBadValue(type: string, value: string | null, currency: string): void {
  const bad = (detail: string): never => refuse('invalid_input', { errors: [{ pointer: '/value', detail }] })
  const amountOf = (decimals: number) =>
    value === null || !DECIMAL.test(value) ? 0n : (definedAmountOf(value, decimals) ?? 0n)

  if (type === 'discount_percentage' && !(amountOf(2) > 0n && amountOf(2) <= 10_000n))
    bad('A percentage is a decimal above 0 and at most 100, with at most two places.')
  const decimals = decimalsOf(currency)
  const amounts = ['discount_fixed', 'wallet_credit', 'cash', 'free_bet', 'balance_boost']
  if (amounts.includes(type) && amountOf(decimals) === 0n)
    bad(`This type needs an amount above 0 with at most ${decimals} decimals.`)
  const counts = ['loyalty_points', 'coins', 'spin_chance']
  if (counts.includes(type) && !(value !== null && WHOLE.test(value)))
    bad('This type needs a whole number above 0.')
}

/**
 * Parts with their definitions as they are now. A bundle has some and nothing else has any; a part is used on an order,
 * and its number is that of the bundle: stock of its own is not counted for it. Refuses invalid_input.
 */
async function partsOf(tx: Tx, type: string, given: readonly Omit<Part, 'snapshot'>[]): Promise<Part[]> {
  const bad = (detail: string): never => refuse('invalid_input', { errors: [{ pointer: '/parts', detail }] })
  if ((type === 'bundle') !== given.length > 0) bad('A bundle has parts, and nothing else has any.')
  if (given.reduce((sum, { quantity }) => sum + quantity, 0) > PARTS_MAX)
    bad(`A bundle comes to at most ${PARTS_MAX} prizes.`)
  const ids = given.map(({ prize_id }) => prize_id)
  if (new Set(ids).size < ids.length) bad('A prize stands twice; say its quantity.')
  const found = new Map((await loadPrizes(tx, ids)).map((row) => [row.id, row]))
  return given.map(({ prize_id, quantity }) => {
    const row = found.get(prize_id) ?? bad(`There is no prize ${prize_id} to put in.`)
    if (takesEffect(row.type as PrizeType) !== 'applied')
      bad(`A part is used on an order, which a prize of type ${row.type} is not.`)
    if (row.takes_codes) bad('A prize that comes with codes of a partner is given by itself.')
    return { prize_id, quantity, snapshot: snapshotOf(row) }
  })
}

/** `/api/v1/prizes`. */
export function prizeResource(): MadeResource {
  return resource({
    path: '/api/v1/prizes',
    entity: 'gamification_prize',
    title: 'prize',
    tag: 'Prizes',
    table: {
      name: 'gamification_prizes',
      id: { column: 'id', kind: 'bigint' },
      columns: [
        'name',
        'description',
        'type',
        'value',
        'display_value',
        'prize_color',
        'prize_image',
        'conditions',
        'expires_in_days',
        'never_expires',
        'grace_hours',
        'cost_minor',
        'stock',
        'is_transferable',
        'rarity',
        'pool',
        'pool_version',
        'parts',
        'parts_apply',
        'version',
      ],
      json: ['conditions', 'pool', 'parts'],
      reads: ['won_count', 'takes_codes'],
      gone: 'deleted_at',
    },
    roles: { read: [...STAFF, 'auditor'], create: ['operator'], update: ['operator'], remove: ['operator'] },
    create: prizeCreate,
    update,
    shape,
    refusals: ['in_use'],
    async beforeWrite(tx: Tx, input, existing) {
      const currency = await holdCurrency(tx)
      const type = input.type ?? existing?.['type']
      const value = input.value === undefined ? (existing?.['value'] ?? null) : input.value
      refuseBadValue(type, value, currency)
      if (
        existing?.['takes_codes'] &&
        (input.stock !== undefined || (input.type ?? type) !== existing['type'])
      )
        refuse('invalid_input', {
          errors: [
            { pointer: '/stock', detail: 'Its stock is the number of its codes, and it stays of its type.' },
          ],
        })
      if (existing !== undefined && typeof input.stock === 'number') {
        const won = existing['stock'] === null ? await recountWins(tx, existing['id']) : existing['won_count']
        if (input.stock < won)
          refuse('invalid_input', { errors: [{ pointer: '/stock', detail: `${won} were won already.` }] })
      }
      const parts =
        input.parts !== undefined || input.type !== undefined
          ? { parts: await partsOf(tx, type, input.parts ?? existing?.['parts'] ?? []) }
          : {}
      const columns = Object.fromEntries(Object.entries(input).filter(([name]) => !(name in conditionFields)))
      const conditions: Record<string, unknown> = { ...existing?.['conditions'] }
      for (const name of CONDITIONS) {
        if (input[name] === null) delete conditions[name]
        else if (input[name] !== undefined) conditions[name] = input[name]
      }
      const errors = conditionFaults({ type, conditions: conditions as Conditions }, currency)
      const pool = input.pool === undefined ? (existing?.['pool'] ?? null) : input.pool
      if ((type === 'mystery') !== (pool !== null))
        errors.push({ pointer: '/pool', detail: 'A mystery has a pool, and nothing else has one.' })
      if (input.pool != null) errors.push(...(await poolFaults(tx, input.pool)))
      if (errors.length > 0) refuse('invalid_input', { errors })
      const pool_version = (existing?.['pool_version'] ?? 0) + (input.pool == null ? 0 : 1)
      return { ...columns, ...parts, conditions, pool_version, version: (existing?.['version'] ?? 0) + 1 }
    },
    async afterWrite(tx, row, _previous, input) {
      if (input.pool != null)
        await publishPool(tx, {
          prize_id: row['id'],
          pool_version: row['pool_version'],
          entries: row['pool'],
        })
      return row
    },
    async beforeRemove(tx, row) {
      if (await isPrizeInUse(tx, row['id']))
        refuse('in_use', { detail: 'A wheel or a mystery still has this prize; take it off first.' })
      if (await isPrizeInCampaign(tx, row['id']))
        refuse('in_use', { detail: 'A campaign still gives this prize; end it first.' })
    },
    view({ conditions, parts, ...row }) {
      const shown = parts.map(({ prize_id, quantity }: Part) => ({ prize_id, quantity }))
      return {
        ...row,
        parts: shown,
        ...Object.fromEntries(CONDITIONS.map((name) => [name, conditions[name] ?? null])),
      }
    },
  })
}
