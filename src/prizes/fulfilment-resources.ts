/** What staff keeps: the stock of items that prizes give away, and the queue of what is owed to winners. */
import { z } from 'zod'
import { refuse } from '../errors.ts'
import { type MadeResource, resource } from '../http/resource.ts'

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
