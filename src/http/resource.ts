/**
 * Admin resources, each one declaration: list, get, create, change, remove, with versions as ETags, soft
 * deletion and an audit row with before and after. Rules of a resource are its hooks.
 */
import { z } from 'zod'
import type { Actor, Role, Tx, UseCase } from '../db/tx.ts'
import { type ErrorCode, Refusal, refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import {
  decodeCursor,
  encodeCursor,
  makeResourceStore,
  type ResourceStore,
  type Row,
  type Table,
} from './resource-store.ts'
import { type Context, type Route, route } from './route.ts'
import { withoutFractions } from './strict-json.ts'

export type { Row, Table } from './resource-store.ts'

export type ResourceRoles = {
  read: readonly Role[]
  create?: readonly Role[]
  update?: readonly Role[]
  remove?: readonly Role[]
}

/** `Input` is what create and change parse to; hooks run inside the one transaction of the change. */
export type Resource = {
  /** Path of the list: `/api/v1/wheels`, or with a parent `/api/v1/wheels/{wheel}/rewards`. */
  path: string
  /** What audit rows call it. */
  entity: string
  /** For people: `wheel`, `game engine`. */
  title: string
  tag: string
  table: Table
  roles: ResourceRoles
  /** Strict object schemas with an example in `.meta()`. */
  create?: z.ZodType<Record<string, any>>
  update?: z.ZodType<Record<string, any>>
  /** What a client sees of a row, with an example in `.meta()`. */
  shape: z.ZodObject
  /** Query fields of the list; each is a column. */
  filters?: z.ZodRawShape
  parent?: {
    /** The parameter in `path`. */
    param: string
    /** The parent's id, or undefined when there is none: then 404. */
    find(tx: Tx, ref: string): Promise<string | number | undefined>
  }
  refusals?: readonly ErrorCode[]
  /** Whose rows they are: who has none of `sees_all` reads the own ones, and the others are not there. */
  owner?: { column: string; sees_all: readonly Role[] }
  /**
   * Column values of a write; by default the members of the input that are columns. `existing` is undefined on
   * create. May refuse.
   */
  beforeWrite?(
    tx: Tx,
    input: any,
    existing: Row | undefined,
  ): Promise<Record<string, unknown>> | Record<string, unknown>
  /** After the row is written: its children, its events. May return the row as it is now. */
  afterWrite?(tx: Tx, row: Row, previous: Row | undefined, input: any): Promise<Row | undefined>
  /** Before a row is removed. May refuse in_use. */
  beforeRemove?(tx: Tx, row: Row): Promise<void>
  /** After a row is removed. */
  afterRemove?(tx: Tx, row: Row): Promise<void>
  /** A row as clients see it; by default its columns. */
  view?(row: Row, tx: Tx): object | Promise<object>
  /** Who acts, when it is not the caller inside the caller's tenant. */
  as?(context: Context): Promise<Actor>
  /** Id of a new row; by default a new uuid, or the database's next number. */
  newId?(tx: Tx): string
}

export type CreateInput = { input: any; parent?: string }
export type Target = { ref: string; parent?: string }

export type ResourceUseCases = {
  create: UseCase<CreateInput, any>
  find: UseCase<Target, any>
  update: UseCase<Target & { input: any; versions: IfMatch }, any>
  remove: UseCase<Target & { versions: IfMatch }, void>
}

/** What an If-Match header names: any version, or these. */
export type IfMatch = '*' | readonly number[]

export type MadeResource = { routes: Route[]; store: ResourceStore } & ResourceUseCases

const LIMIT_DEFAULT = 20
const REF = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)

/** Query fields that every list takes. */
export const LIST_QUERY = {
  limit: z.coerce.number().int().min(1).max(100).default(LIMIT_DEFAULT).meta({ example: 20 }),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,200}$/)
    .optional()
    .meta({ description: '`next_cursor` of the page before.' }),
}

/** A page of a list. `next_cursor` is null on the last one. */
export function listOf(shape: z.ZodType, example: unknown) {
  return z
    .strictObject({ data: z.array(shape), next_cursor: z.string().nullable() })
    .meta({ example: { data: [example], next_cursor: null } })
}

/** The example that a schema carries in its `.meta()`. */
export function exampleOf(schema: z.ZodType): any {
  return schema.meta()?.['example']
}

/** Makes routes and use cases of a declared resource. */
export function resource(declared: Resource): MadeResource {
  const store = makeResourceStore(declared.table)
  const useCases = makeUseCases(declared, store)
  return { store, ...useCases, routes: makeRoutes(declared, store, useCases) }
}

function makeUseCases(declared: Resource, store: ResourceStore): ResourceUseCases {
  const { table, entity } = declared
  const idOf = (row: Row) => String(row[table.id.column])
  // audit_logs.entity_id is a uuid, as in seeds/001; a row with another kind of id is named in the values.
  const audited = (row: Row) => (table.id.kind === 'uuid' ? { entity_id: idOf(row) } : {})

  async function parentId(tx: Tx, ref: string | undefined): Promise<string | number | undefined> {
    if (declared.parent === undefined) return undefined
    return (await declared.parent.find(tx, ref ?? '')) ?? refuse('not_found')
  }

  async function load(tx: Tx, { ref, parent }: Target, versions: IfMatch): Promise<Row> {
    const row = (await store.findForUpdate(tx, ref, await parentId(tx, parent))) ?? refuse('not_found')
    if (versions !== '*' && !versions.includes(row.row_version)) {
      refuse('precondition_failed', { facts: { row_version: row.row_version } })
    }
    return row
  }

  const columnsOf = (input: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(input).filter(([name]) => table.columns.includes(name)))

  return {
    create: (tx, { input, parent }) =>
      namedErrors(async () => {
        const owner = await parentId(tx, parent)
        const values = declared.beforeWrite
          ? await declared.beforeWrite(tx, input, undefined)
          : columnsOf(input)
        const id = declared.newId?.(tx) ?? (table.id.kind === 'uuid' ? newId() : null)
        const inserted = await store.insert(
          tx,
          id,
          owner === undefined ? values : { ...values, [table.parent!]: owner },
        )
        const row = (await declared.afterWrite?.(tx, inserted, undefined, input)) ?? inserted
        tx.audit({
          action: 'create',
          entity_type: entity,
          ...audited(row),
          new_values: withoutFractions(row),
        })
        return viewOf(declared, row, tx)
      }),

    async find(tx, { ref, parent }) {
      const row = (await store.find(tx, ref, await parentId(tx, parent))) ?? refuse('not_found')
      for (const [column, value] of Object.entries(ownOnly(declared, tx)))
        if (row[column] !== value) refuse('not_found')
      return viewOf(declared, row, tx)
    },

    update: (tx, { input, versions, ...target }) =>
      namedErrors(async () => {
        const existing = await load(tx, target, versions)
        const values = declared.beforeWrite
          ? await declared.beforeWrite(tx, input, existing)
          : columnsOf(input)
        const updated = (await store.update(tx, existing, values)) ?? refuse('precondition_failed')
        const row = (await declared.afterWrite?.(tx, updated, existing, input)) ?? updated
        const { before, after } = changes(existing, row)
        tx.audit({
          action: 'update',
          entity_type: entity,
          ...audited(row),
          old_values: before,
          new_values: after,
        })
        return viewOf(declared, row, tx)
      }),

    async remove(tx, { versions, ...target }) {
      const existing = await load(tx, target, versions)
      await declared.beforeRemove?.(tx, existing)
      const removed = (await store.remove(tx, existing)) ?? refuse('precondition_failed')
      await declared.afterRemove?.(tx, removed)
      tx.audit({
        action: 'delete',
        entity_type: entity,
        ...audited(existing),
        old_values: withoutFractions(existing),
      })
    },
  }
}

/** Only what differs, and what names the row: an auditor reads a change, not two copies of a row. */
function changes(
  existing: Row,
  row: Row,
): { before: Record<string, unknown>; after: Record<string, unknown> } {
  const before: Record<string, unknown> = withoutFractions(existing)
  const after: Record<string, unknown> = withoutFractions(row)
  const named = ['id', 'row_version']
  const kept = Object.keys(after).filter(
    (name) => named.includes(name) || JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  )
  const pick = (values: Record<string, unknown>) =>
    Object.fromEntries(kept.map((name) => [name, values[name] ?? null]))
  return { before: pick(before), after: pick(after) }
}

/** The condition that keeps readers without the right to all rows to their own. */
function ownOnly({ owner }: Resource, { actor }: Tx): Record<string, unknown> {
  if (owner === undefined || actor.roles.some((role) => owner.sees_all.includes(role))) return {}
  return { [owner.column]: actor.userId }
}

async function viewOf({ view }: Resource, row: Row, tx: Tx): Promise<any> {
  return view === undefined ? row : view(row, tx)
}

/** What the constraints of a table say about an input, as refusals; their own text names columns. */
async function namedErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (error instanceof Refusal || typeof code !== 'string') throw error
    if (code === '23505') refuse('already_exists')
    if (code === '23503') refuse('invalid_input', { detail: 'Something that this refers to does not exist.' })
    if (code === '23514' || /^22/.test(code))
      refuse('invalid_input', { detail: 'A value is outside what is allowed.' })
    throw error
  }
}

function makeRoutes(declared: Resource, store: ResourceStore, useCases: ResourceUseCases): Route[] {
  const { path, title, tag, table, shape, roles, parent, refusals = [] } = declared
  const tags = [tag]
  const article = /^[aeiou]/.test(title) ? 'an' : 'a'
  const parentParams: z.ZodRawShape = parent ? { [parent.param]: REF } : {}
  const params = z.strictObject({ ...parentParams, id: REF })
  const listParams = parent ? { params: z.strictObject(parentParams) } : {}
  const actorOf = async (context: Context): Promise<Actor> =>
    declared.as ? declared.as(context) : context.actor!
  const parentOf = (context: Context) => (parent ? { parent: context.params[parent.param] } : {})
  const targetOf = (context: Context): Target => ({ ref: context.params.id, ...parentOf(context) })
  const etag = (answer: { row_version: number }) => ({ ETag: `"${answer.row_version}"` })
  const byName = table.slug === undefined ? '' : ' Takes the id or the slug.'

  const routes = [
    route({
      method: 'get',
      path,
      summary: `List ${title}s, newest first`,
      tags,
      roles: roles.read,
      ...listParams,
      query: z.strictObject({ ...LIST_QUERY, ...declared.filters }),
      answer: listOf(shape, exampleOf(shape)),
      run: async (context: Context) => {
        const { limit, cursor: text, ...filters } = context.query
        const cursor = text === undefined ? undefined : decodeCursor(text, table.id.kind)
        if (text !== undefined && cursor === undefined) {
          refuse('invalid_input', {
            errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }],
          })
        }
        return context.run(
          (tx) => listRows(declared, store, tx, { limit, cursor, filters, ref: parentOf(context).parent }),
          undefined,
          await actorOf(context),
        )
      },
    }),
    route({
      method: 'get',
      path: `${path}/{id}`,
      summary: `Read ${article} ${title}`,
      description: `The ETag is the row's version; with If-None-Match an unchanged row answers 304.${byName}`,
      tags,
      roles: roles.read,
      params,
      answer: shape,
      headers: etag,
      run: async (context: Context) => context.run(useCases.find, targetOf(context), await actorOf(context)),
    }),
  ]
  if (roles.create && declared.create) {
    routes.push(
      route({
        method: 'post',
        path,
        summary: `Create ${article} ${title}`,
        tags,
        roles: roles.create,
        ...listParams,
        body: declared.create,
        answer: shape,
        status: 201,
        once: 'optional',
        refusals: ['already_exists', ...refusals],
        headers: (answer, context) => ({
          ...etag(answer),
          Location: locationOf(path, context, answer[table.id.column]),
        }),
        run: async (context: Context) =>
          context.run(useCases.create, { input: context.body, ...parentOf(context) }, await actorOf(context)),
      }),
    )
  }
  if (roles.update && declared.update) {
    routes.push(
      route({
        method: 'patch',
        path: `${path}/{id}`,
        summary: `Change ${article} ${title}`,
        description: `Members that are absent stay as they are. If-Match takes the ETag that was read.${byName}`,
        tags,
        roles: roles.update,
        params,
        body: declared.update,
        if_match: true,
        answer: shape,
        refusals: ['already_exists', ...refusals],
        headers: etag,
        run: async (context: Context) =>
          context.run(
            useCases.update,
            { ...targetOf(context), input: context.body, versions: context.if_match! },
            await actorOf(context),
          ),
      }),
    )
  }
  if (roles.remove) {
    routes.push(
      route({
        method: 'delete',
        path: `${path}/{id}`,
        summary: `Remove ${article} ${title}`,
        description: 'The row stays for what refers to it, and is not shown any more.',
        tags,
        roles: roles.remove,
        params,
        if_match: true,
        refusals: ['in_use', ...refusals],
        run: async (context: Context) =>
          context.run(
            useCases.remove,
            { ...targetOf(context), versions: context.if_match! },
            await actorOf(context),
          ),
      }),
    )
  }
  return routes
}

function locationOf(path: string, context: Context, id: unknown): string {
  return `${path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(context.params[name])))}/${id}`
}

type ListInput = {
  limit: number
  cursor: ReturnType<typeof decodeCursor>
  filters: Record<string, unknown>
  ref: string | undefined
}

async function listRows(
  declared: Resource,
  store: ResourceStore,
  tx: Tx,
  { limit, cursor, filters, ref }: ListInput,
) {
  const owner = declared.parent ? ((await declared.parent.find(tx, ref!)) ?? refuse('not_found')) : undefined
  const found = await store.list(tx, {
    limit,
    filters: { ...filters, ...ownOnly(declared, tx) },
    ...(owner !== undefined && { parent: owner }),
    ...(cursor !== undefined && { cursor }),
  })
  const page = found.slice(0, limit)
  const data: object[] = []
  for (const { cursor_us: _, ...row } of page) data.push(await viewOf(declared, row as Row, tx))
  const last = page.at(-1)
  const next_cursor =
    found.length > limit && last
      ? encodeCursor({ created_us: String(last.cursor_us), id: String(last[declared.table.id.column]) })
      : null
  return { data, next_cursor }
}
