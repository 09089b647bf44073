/** What staff keeps: the stock of items that prizes give away, and the queue of what is owed to winners. */
import { z } from 'zod'
import { refuse } from '../errors.ts'
import { type MadeResource, resource } from '../http/resource.ts'
import { FULFILMENT_STATUSES } from './fulfilment-rules.ts'
import { followStep, refuseStep } from './fulfilments.ts'

const stockFields = {
  item_name: z.string().trim().min(1).max(200),
  stock: z.int().min(0).max(1_000_000_000),
}
const item_id = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,64}$/)
  .meta({ description: "The shop's own id, as `valid_food_ids` and carts have it." })
const stockExample = { item_id: '7', item_name: 'Soup of the day', stock: 40 }

/**
 * `/api/v1/item-stocks`: items of which there is a number. An item that is not here is given without counting. Setting a
 * stock below what is reserved is refused.
 */
export function itemStockResource(): MadeResource {
  return resource({
    path: '/api/v1/item-stocks',
    entity: 'item_stock',
    title: 'item stock',
    tag: 'Fulfilment',
    table: {
      name: 'item_stocks',
      id: { column: 'id', kind: 'bigint' },
      columns: ['item_id', 'item_name', 'stock'],
      reads: ['reserved_count'],
      gone: 'is_active',
    },
    roles: {
      read: ['operator', 'service', 'auditor'],
      create: ['operator', 'service'],
      update: ['operator', 'service'],
      remove: ['operator', 'service'],
    },
    create: z
      .strictObject({ item_id, ...stockFields })
      .meta({ id: 'ItemStockCreate', example: stockExample }),
    update: z
      .strictObject(stockFields)
      .partial()
      .meta({ id: 'ItemStockUpdate', example: { stock: 60 } }),
    shape: z
      .strictObject({
        id: z.int(),
        item_id,
        ...stockFields,
        reserved_count: z.int(),
        row_version: z.int(),
        created_at: z.string(),
        updated_at: z.string(),
      })
      .meta({
        id: 'ItemStock',
        example: {
          id: 1,
          ...stockExample,
          reserved_count: 3,
          row_version: 1,
          created_at: '2026-11-20T12:00:00.000Z',
          updated_at: '2026-11-20T12:00:00.000Z',
        },
      }),
    filters: { item_id: item_id.optional() },
    beforeWrite(_tx, input, existing) {
      if (
        existing !== undefined &&
        typeof input.stock === 'number' &&
        input.stock < existing['reserved_count']
      ) {
        const detail = `${existing['reserved_count']} are reserved already.`
        refuse('invalid_input', { errors: [{ pointer: '/stock', detail }] })
      }
      return input
    },
  })
}

const fulfilmentShape = z
  .strictObject({
    id: z.uuid(),
    play_id: z.int(),
    order_id: z.string().nullable(),
    fulfilment_type: z.enum(['claim', 'queue', 'item']),
    fulfilment_status: z.enum(FULFILMENT_STATUSES),
    prize_name: z.string(),
    item_id: z.string().nullable(),
    category_id: z.string().nullable(),
    claim_details: z.record(z.string(), z.string()).nullable(),
    note: z.string().nullable(),
    contacted_at: z.string().nullable(),
    claimed_at: z.string().nullable(),
    delivered_at: z.string().nullable(),
    cancelled_at: z.string().nullable(),
    handled_by: z.string().nullable(),
    row_version: z.int(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({
    id: 'Fulfilment',
    example: {
      id: '01a1f938-87bf-72bd-8203-e461f26d8a24',
      play_id: 123,
      order_id: null,
      fulfilment_type: 'claim',
      fulfilment_status: 'claimed',
      prize_name: 'A phone',
      item_id: null,
      category_id: null,
      claim_details: { name: 'Alice', address: 'Main Street 1' },
      note: null,
      contacted_at: null,
      claimed_at: '2026-11-20T12:00:00.000Z',
      delivered_at: null,
      cancelled_at: null,
      handled_by: 'alice',
      row_version: 2,
      created_at: '2026-11-20T12:00:00.000Z',
      updated_at: '2026-11-20T12:00:00.000Z',
    },
  })

const STEP_TIMES = {
  contacted: 'contacted_at',
  delivered: 'delivered_at',
  cancelled: 'cancelled_at',
} as const

/** `/api/v1/fulfilments`: the queue. Rows are made by prizes; staff moves them on. */
export function fulfilmentResource(): MadeResource {
  return resource({
    path: '/api/v1/fulfilments',
    entity: 'fulfilment',
    title: 'fulfilment',
    tag: 'Fulfilment',
    table: {
      name: 'fulfilments',
      id: { column: 'id', kind: 'uuid' },
      columns: ['fulfilment_status', 'note', 'contacted_at', 'delivered_at', 'cancelled_at', 'handled_by'],
      reads: [
        'play_id',
        'order_id',
        'fulfilment_type',
        'prize_name',
        'item_id',
        'category_id',
        'item_stock_id',
        'claim_details',
        'claimed_at',
      ],
      gone: 'deleted_at',
    },
    roles: { read: ['operator', 'service', 'auditor'], update: ['operator', 'service'] },
    update: z
      .strictObject({
        fulfilment_status: z.enum(['contacted', 'delivered', 'cancelled']),
        note: z.string().max(500).nullable(),
      })
      .partial()
      .meta({ id: 'FulfilmentUpdate', example: { fulfilment_status: 'delivered', note: 'Sent by post.' } }),
    shape: fulfilmentShape,
    filters: {
      fulfilment_status: z.enum(FULFILMENT_STATUSES).optional().meta({ example: 'pending' }),
      fulfilment_type: z.enum(['claim', 'queue', 'item']).optional().meta({ example: 'claim' }),
      order_id: z.string().max(128).optional(),
    },
    refusals: ['fulfilment_delivered', 'fulfilment_cancelled', 'prize_locked', 'prize_expired'],
    async beforeWrite(tx, input, existing) {
      const to = input.fulfilment_status as keyof typeof STEP_TIMES | undefined
      if (to === undefined) return input
      refuseStep(existing!['fulfilment_status'], to)
      await followStep(tx, existing as never, to)
      return { ...input, [STEP_TIMES[to]]: tx.now, handled_by: tx.actor.userId }
    },
    view: ({ item_stock_id: _stock, ...row }) => row,
  })
}
