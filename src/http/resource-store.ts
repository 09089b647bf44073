/**
 * The SQL of every admin resource, made from one declaration of its table. Identifiers come from the declaration
 * and are checked when it is read; values are always parameters.
 */
import type { Tx } from '../db/tx.ts'

export type Table = {
  name: string
  id: { column: string; kind: 'uuid' | 'bigint' }
  /** A second name of a row, unique among those that are there. */
  slug?: string
  /** Columns that a write may set. */
  columns: readonly string[]
  /** Those of them that are jsonb. */
  json?: readonly string[]
  /** Columns that are read and never set here. */
  reads?: readonly string[]
  /** The column that says whose child a row is. */
  parent?: string
  /** How a row is gone: it has a deletion time, or it is no longer active. */
  gone: 'deleted_at' | 'is_active'
}

export type Row = Record<string, any> & { row_version: number; created_at: Date; updated_at: Date }

export type ListQuery = {
  parent?: string | number
  /** column -> value; columns are declared ones. */
  filters: Record<string, unknown>
  cursor?: Cursor
  limit: number
}

/** Where a list goes on: after the row of this time and id, newest first. */
export type Cursor = { created_us: string; id: string }

export type ResourceStore = {
  /** Up to `limit` + 1 rows, newest first, each with `cursor`. */
  list(tx: Tx, query: ListQuery): Promise<(Row & { cursor_us: number })[]>
  find(tx: Tx, ref: string, parent?: string | number): Promise<Row | undefined>
  findForUpdate(tx: Tx, ref: string, parent?: string | number): Promise<Row | undefined>
  insert(tx: Tx, id: string | null, values: Record<string, unknown>): Promise<Row>
  /** Counts the version up. Undefined when the row is not at `row_version` any more. */
  update(tx: Tx, row: Row, values: Record<string, unknown>): Promise<Row | undefined>
  remove(tx: Tx, row: Row): Promise<Row | undefined>
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** Within what a JavaScript integer holds, which is what the driver reads. */
const BIGINT = /^[1-9][0-9]{0,14}$/
const SLUG = /^[a-z0-9][a-z0-9_-]{0,63}$/
const IDENTIFIER = /^[a-z][a-z0-9_]*$/

/** Makes the statements of a table. A name that is no plain identifier is a bug of the declaration. */
export function makeResourceStore(table: Table): ResourceStore {
  const { name, id, slug, columns, json = [], reads = [], parent, gone } = table
  const all = [
    id.column,
    ...(parent ? [parent] : []),
    ...columns,
    ...reads,
    'row_version',
    'created_at',
    'updated_at',
  ]
  const selected = [...new Set(all)]
  for (const each of [name, ...selected, ...(slug ? [slug] : []), ...json, gone]) {
    if (!IDENTIFIER.test(each)) throw new Error(`${each} is no identifier`)
  }
  const cast = id.kind === 'uuid' ? 'uuid' : 'bigint'
  const present = gone === 'is_active' ? 'is_active' : 'deleted_at is null'
  const writable = new Set([...columns, ...(parent ? [parent] : [])])

  const parameterOf = (column: string, value: unknown) =>
    json.includes(column) && value !== null ? JSON.stringify(value) : value

  /** The columns of a write and their parameters, from `$first` on. */
  function assignments(values: Record<string, unknown>, first: number) {
    const names = Object.keys(values).filter((each) => values[each] !== undefined)
    for (const each of names) if (!writable.has(each)) throw new Error(`${name}.${each} is not declared`)
    return {
      names,
      marks: names.map((_, i) => `$${first + i}`),
      parameters: names.map((each) => parameterOf(each, values[each])),
    }
  }

  async function findBy(
    tx: Tx,
    column: string,
    type: string,
    ref: string,
    owner: string | number | undefined,
    lock: string,
  ): Promise<Row | undefined> {
    const within = owner === undefined ? '' : `and ${parent} = $2`
    const text = `select ${selected.join(', ')} from ${name} where ${column} = $1::${type} and ${present} ${within} ${lock}`
    return tx.one<Row>(text, owner === undefined ? [ref] : [ref, owner])
  }

  async function find(tx: Tx, ref: string, owner: string | number | undefined, lock: string) {
    const isId = (id.kind === 'uuid' ? UUID : BIGINT).test(ref)
    const byId = isId ? await findBy(tx, id.column, cast, ref, owner, lock) : undefined
    if (byId !== undefined || slug === undefined || !SLUG.test(ref)) return byId
    return findBy(tx, slug, 'text', ref, owner, lock)
  }

  return {
    list(tx, { parent: owner, filters, cursor, limit }) {
      const values: unknown[] = []
      const mark = (value: unknown) => `$${values.push(value)}`
      const conditions = [present]
      if (owner !== undefined) conditions.push(`${parent} = ${mark(owner)}`)
      for (const [column, value] of Object.entries(filters)) {
        if (!selected.includes(column)) throw new Error(`${name}.${column} is not declared`)
        if (value !== undefined) conditions.push(`${column} = ${mark(value)}`)
      }
      if (cursor !== undefined) {
        const time = `timestamptz 'epoch' + ${mark(cursor.created_us)}::bigint * interval '1 microsecond'`
        conditions.push(`(created_at, ${id.column}) < (${time}, ${mark(cursor.id)}::${cast})`)
      }
      return tx.rows(
        `select ${selected.join(', ')}, (extract(epoch from created_at) * 1000000)::bigint as cursor_us
         from ${name} where ${conditions.join(' and ')}
         order by created_at desc, ${id.column} desc limit ${mark(limit + 1)}`,
        values,
      )
    },

    find: (tx, ref, owner) => find(tx, ref, owner, ''),
    // The strongest lock: it waits for rows that are being written with a reference to this one, so that what is
    // counted after it (wins of a prize that gets a stock) is all there is.
    findForUpdate: (tx, ref, owner) => find(tx, ref, owner, 'for update'),

    async insert(tx, new_id, values) {
      const { names, marks, parameters } = assignments(values, 2)
      const withId =
        new_id === null ? { names: [], parameters: [] } : { names: [id.column], parameters: [new_id] }
      const idMark = new_id === null ? [] : [`$${parameters.length + 2}`]
      const row = await tx.one<Row>(
        `insert into ${name} (created_at, updated_at, ${[...names, ...withId.names].join(', ')})
         values ($1, $1, ${[...marks, ...idMark].join(', ')}) returning ${selected.join(', ')}`,
        [tx.now, ...parameters, ...withId.parameters],
      )
      return row!
    },

    update(tx, row, values) {
      const { names, marks, parameters } = assignments(values, 4)
      const sets = names.map((each, i) => `${each} = ${marks[i]}`)
      return tx.one<Row>(
        `update ${name} set ${['row_version = row_version + 1', 'updated_at = $1', ...sets].join(', ')}
         where ${id.column} = $2 and row_version = $3 and ${present} returning ${selected.join(', ')}`,
        [tx.now, row[id.column], row.row_version, ...parameters],
      )
    },

    remove(tx, row) {
      const mark = gone === 'is_active' ? 'is_active = false' : 'deleted_at = $1'
      return tx.one<Row>(
        `update ${name} set ${mark}, row_version = row_version + 1, updated_at = $1
         where ${id.column} = $2 and row_version = $3 and ${present} returning ${selected.join(', ')}`,
        [tx.now, row[id.column], row.row_version],
      )
    },
  }
}

/** A cursor as text that clients pass back without reading it. */
export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(`${cursor.created_us}.${cursor.id}`).toString('base64url')
}

/** Undefined for text that `encodeCursor` cannot have made for ids of this kind. */
export function decodeCursor(text: string, kind: 'uuid' | 'bigint'): Cursor | undefined {
  const [created_us = '', id = '', ...rest] = Buffer.from(text, 'base64url').toString('latin1').split('.')
  const isId = (kind === 'uuid' ? UUID : BIGINT).test(id)
  return isId && rest.length === 0 && /^\d{1,16}$/.test(created_us) ? { created_us, id } : undefined
}
