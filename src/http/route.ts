/**
 * The HTTP door: a table of routes, from which both the router and the OpenAPI document are made. A route parses,
 * runs a use case and answers; it has no SQL and no rules.
 */
import express, { type Request, type Response, Router } from 'express'
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Claim, Once } from '../db/once.ts'
import { type Actor, inputHash, type Role, type UseCase } from '../db/tx.ts'
import { type ErrorCode, publicError, refuse } from '../errors.ts'
import type { Auth, Identity } from './auth.ts'
import { NO_TENANT_ID } from './auth.ts'
import { CSV, csvOf } from './csv.ts'
import { addressKey, type DefaultRates, type Limits, type Rate } from './limits.ts'
import { fieldErrors, unknownMembers } from './problem.ts'
import { JsonError, parseStrictJson, pointerPart, withoutFractions } from './strict-json.ts'
import { readUpload, type Upload } from './upload.ts'

export type Access = 'anyone' | readonly Role[]
export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** What a route's `run` is given. Everything in it is parsed. */
export type Context<P = any, Q = any, B = any, A extends Access = any> = {
  params: P
  query: Q
  body: B
  /** Who acts. With `roles: 'anyone'` undefined when no token came. */
  actor: A extends 'anyone' ? Actor | undefined : Actor
  identity: Identity | undefined
  /**
   * For `roles: 'anyone'`: the caller, or without a token somebody who watches the tenant of this code.
   * Refuses unauthorized without both, game_not_found for an unknown tenant.
   */
  visitor(tenant_code: string | undefined): Promise<Actor>
  /**
   * Runs a use case; on a route with `once` and with an Idempotency-Key at most once, answering what was answered
   * first. The answer is what JSON keeps of it: dates are text. `as` acts in another tenant (platform routes).
   */
  run<I, O>(useCase: UseCase<I, O>, input: I, as?: Actor): Promise<O>
  /**
   * The same by a batch that runs many requests in one transaction and keeps their keys itself (db/once.ts); on routes
   * that require a key.
   */
  runIn<I, O>(batch: (actor: Actor, input: I, claim: Claim) => Promise<Once>, input: I): Promise<O>
  /** The Idempotency-Key, on routes that take one. */
  key: string | undefined
  /** The versions that If-Match names, on routes that take it. */
  if_match: '*' | readonly number[] | undefined
  request_id: string
  ip: string
  /** True when the list is asked for as a file, on routes that have `csv`. */
  is_csv: boolean
}

export type Route = {
  method: Method
  /** From the root, parameters in braces: `/api/v1/wheels/{slug}`. */
  path: string
  summary: string
  description?: string
  tags: readonly string[]
  roles: Access
  params?: z.ZodObject
  query?: z.ZodObject
  body?: z.ZodType
  /** Takes a file instead: `run` gets its bytes as `body`. */
  upload?: Upload
  /** Schema of the body of the answer, with an example in its `.meta()`; absent for 204. */
  answer?: z.ZodType
  /** Default 200, and 204 without `answer`. */
  status?: number
  /** Media type of the answer; other than JSON, `run` answers a string, or bytes. */
  media?: string
  /**
   * Columns of a list that is also given as a file, to who asks with `?format=csv` or `Accept: text/csv`. The answer is
   * `{ data, next_cursor }`; the address of the next page is in the header Link.
   */
  csv?: readonly string[]
  /** Takes an Idempotency-Key. */
  once?: 'required' | 'optional'
  /** A change of a row: takes the ETag that was read, 428 without. */
  if_match?: true
  /** A limit of its own per user (or address), beside those of all routes. `cost`: points of the common ones. */
  rate?: Rate & { cost?: number }
  /** Asked by machines that watch over the process: takes no token and is never refused for its rate. */
  probe?: true
  /** Codes that this route can answer beside those that every route can. */
  refusals?: readonly ErrorCode[]
  /** Headers of a successful answer. */
  headers?: (answer: any, context: Context) => Record<string, string>
  run(context: Context): unknown
}

type Out<S extends z.ZodType | undefined> = S extends z.ZodType ? z.output<S> : undefined

/** Declares a route; its schemas give `run` its types. */
export function route<
  const A extends Access,
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
  U extends Upload | undefined = undefined,
>(
  declared: Omit<Route, 'roles' | 'params' | 'query' | 'body' | 'upload' | 'run'> & {
    roles: A
    params?: P
    query?: Q
    body?: B
    upload?: U
    run(context: Context<Out<P>, Out<Q>, U extends Upload ? Uint8Array : Out<B>, A>): unknown
  },
): Route {
  return declared as Route
}

export type Doors = {
  app: App
  auth: Auth
  limits: Limits
  rates: DefaultRates
  /** The real peer: what a proxy says counts only where composition.ts trusts it. */
  addressOf(request: Request): string
  report(where: string, error: unknown): void
  /** Told why a request of a player was refused: some could not come from a client of ours. */
  suspect?(actor: Actor, where: string, error: unknown): void
}

/** protocol.md section 3. */
export const BODY_BYTES_MAX = 100 * 1024

const readRaw = express.raw({ limit: BODY_BYTES_MAX, inflate: false, type: () => true })
const KEY = /^[\x21-\x7e]{1,255}$/
/** Changes that only these may make are an administrator's; a refused one is recorded too (S1-48). */
const ADMIN_ROLES = new Set<Role>(['creator', 'operator', 'service', 'platform'])
const REFUSALS_RECORDED: Rate = { points: 30, duration_s: 60 }

/** Makes the router of a table. A known path with another method answers 405 with Allow. */
export function makeRouter(routes: readonly Route[], doors: Doors): Router {
  const router = Router({ caseSensitive: true })
  const methods = new Map<string, Set<string>>()
  for (const each of routes) {
    const path = expressPath(each.path)
    const allowed = methods.get(path) ?? new Set()
    methods.set(path, allowed.add(each.method.toUpperCase()))
    router[each.method](path, (request, response) => serve(each, doors, request, response))
  }
  for (const [path, allowed] of methods) {
    if (allowed.has('GET')) allowed.add('HEAD')
    router.all(path, (_request, response) => {
      response.setHeader('Allow', [...allowed].sort().join(', '))
      refuse('method_not_allowed')
    })
  }
  return router
}

/** `/wheels/{slug}` as Express writes it. */
export function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1')
}

async function serve(each: Route, doors: Doors, request: Request, response: Response): Promise<void> {
  const ip = doors.addressOf(request)
  response.locals['route'] = each.path
  const limit = (name: string, rate: Rate, key: string, cost?: number) =>
    doors.limits.take(response, { name, rate }, key, cost)

  if (!each.probe) await limit('address', doors.rates.address, addressKey(ip))
  const identity = each.probe ? undefined : await identify(doors.auth, request)
  response.locals['identity'] = identity
  const actor = identity && actorOf(identity, ip, request, response.locals['request_id'])
  try {
    allow(each, identity)
    const key = identity ? `${identity.tenantId}/${identity.userId}` : addressKey(ip)
    if (identity) {
      const kind = identity.roles.includes('service') ? 'service' : 'user'
      await limit(kind, doors.rates[kind], key, each.rate?.cost)
    }
    if (each.rate) await limit(`${each.method} ${each.path}`, each.rate, key)
    const context = await contextOf(each, doors, request, response, { identity, actor, ip })
    const answer = await each.run(context)
    send(each, context, response, request, answer)
  } catch (error) {
    if (actor && each.method !== 'get' && actor.roles.includes('player'))
      doors.suspect?.(actor, `${request.method} ${each.path}`, error)
    if (actor && !recorded.has(error as object)) await recordRefusal(each, doors, request, actor, error)
    throw error
  }
}

const recorded = new WeakSet<object>()

/** Says that a refusal has a row of its own in the audit chain, so that the door writes none. */
export function refusalIsRecorded(error: object): void {
  recorded.add(error)
}

/** Refuses unauthorized for a header that is there and wrong, whatever the route: a client must notice. */
async function identify(auth: Auth, request: Request): Promise<Identity | undefined> {
  const header = request.headers.authorization
  if (header === undefined) return undefined
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1]
  if (token === undefined) refuse('unauthorized')
  return auth.verify(token)
}

function allow({ roles }: Route, identity: Identity | undefined): void {
  if (roles === 'anyone') return
  if (identity === undefined) refuse('unauthorized')
  if (!identity.roles.some((role) => roles.includes(role))) refuse('forbidden')
}

function actorOf(identity: Identity, ip: string, request: Request, requestId: string): Actor {
  const userAgent = request.headers['user-agent']?.slice(0, 300)
  const { tenantId, userId, roles } = identity
  return { tenantId, userId, roles, ip, requestId, ...(userAgent !== undefined && { userAgent }) }
}

type Caller = { identity: Identity | undefined; actor: Actor | undefined; ip: string }

async function contextOf(
  each: Route,
  doors: Doors,
  request: Request,
  response: Response,
  { identity, actor, ip }: Caller,
): Promise<Context> {
  const key = each.once === undefined ? undefined : keyOf(each.once, request)
  const body = await bodyOf(each, request, response)
  const params = paramsOf(each, request)
  const query = queryOf(each, request)
  const request_id = response.locals['request_id'] as string

  async function run<I, O>(useCase: UseCase<I, O>, input: I, as: Actor | undefined = actor): Promise<O> {
    if (as === undefined) refuse('unauthorized')
    if (key === undefined) return doors.app.run(as, useCase, input)
    return answered(await doors.app.once(as, (tx) => useCase(tx, input), asked(), onceKey(key)))
  }

  async function runIn<I, O>(
    batch: (actor: Actor, input: I, claim: Claim) => Promise<Once>,
    input: I,
  ): Promise<O> {
    if (actor === undefined) refuse('unauthorized')
    if (key === undefined) refuse('idempotency_key_required')
    const claim = { ...onceKey(key), principal: actor.userId, request_hash: inputHash(asked()) }
    return answered(await batch(actor, input, claim))
  }

  // The request is what the key is held against, not the input: a clock or an id in the input changes.
  const asked = () => withoutFractions({ params: params ?? null, query, body: body.given ?? null })
  const onceKey = (given: string) => ({
    endpoint: `${request.method} ${each.path}`,
    key: given,
    status: statusOf(each),
  })

  function answered(done: Once): any {
    const answer = JSON.parse(done.body)
    if (typeof answer === 'object' && answer !== null) texts.set(answer, done.body)
    if (done.replayed) response.setHeader('Idempotency-Replayed', 'true')
    return answer
  }

  return {
    params,
    query,
    body: body.parsed,
    actor,
    identity,
    key,
    ip,
    request_id,
    is_csv: each.csv !== undefined && wantsCsv(request),
    run,
    runIn,
    if_match: each.if_match ? versionsOf(request) : undefined,
    async visitor(tenant_code) {
      if (actor) return actor
      if (tenant_code === undefined)
        refuse('unauthorized', { detail: 'Send a bearer token, or say which tenant.' })
      return actorOf(await doors.auth.spectator(tenant_code), ip, request, request_id)
    },
  }
}

/** Stored texts of answers that `context.run` gave out: sent as they are, so that a replay is identical. */
const texts = new WeakMap<object, string>()
const NOTHING = z.strictObject({})

function keyOf(once: 'required' | 'optional', request: Request): string | undefined {
  const key = request.get('idempotency-key')
  if (key === undefined && once === 'required') refuse('idempotency_key_required')
  if (key !== undefined && !KEY.test(key)) refuse('idempotency_key_invalid')
  return key
}

/** Strong comparison (RFC 9110 section 13.1.1): a weak tag, or one that we never gave, names no version. */
function versionsOf(request: Request): '*' | readonly number[] {
  const header = request.get('if-match')
  if (header === undefined) refuse('precondition_required')
  if (header.trim() === '*') return '*'
  return header.split(',').flatMap((part) => {
    const version = /^"(\d{1,9})"$/.exec(part.trim())?.[1]
    return version === undefined ? [] : [Number(version)]
  })
}

/**
 * A parameter that has not the shape of an id names nothing: 404, like an id of somebody else (abuse 71). No row of
 * PostgreSQL holds the character U+0000, so what has it is the name of nothing too.
 */
function paramsOf(each: Route, request: Request): unknown {
  if (each.params === undefined) return undefined
  if (Object.values(request.params).some((text) => String(text).includes('\u0000'))) refuse('not_found')
  const result = each.params.safeParse({ ...request.params })
  return result.success ? result.data : refuse('not_found')
}

/** PostgreSQL has no character U+0000; no query field of ours has a use for it. */
function queryOf(each: Route, request: Request): unknown {
  const given = { ...request.query }
  for (const [name, text] of Object.entries(given)) {
    if (typeof text !== 'string' || text.includes('\u0000')) {
      const detail = 'Once, and without the character U+0000.'
      refuse('invalid_input', { errors: [{ pointer: `/${pointerPart(name)}`, detail }] })
    }
  }
  return parsed(each.query ?? NOTHING, given)
}

async function bodyOf(
  each: Route,
  request: Request,
  response: Response,
): Promise<{ given: unknown; parsed: unknown }> {
  if (each.method === 'get') return { given: undefined, parsed: undefined }
  if (each.upload !== undefined)
    return { given: undefined, parsed: await readUpload(request, response, each.upload) }
  const given = await readJson(request, response)
  if (each.body === undefined) {
    // A body that nobody reads is a misunderstanding; an empty object is what some clients cannot help sending.
    parsed(NOTHING, given ?? {})
    return { given: undefined, parsed: undefined }
  }
  return { given, parsed: parsed(each.body, given) }
}

/** The body as strict JSON, or undefined when there is none. */
async function readJson(request: Request, response: Response): Promise<unknown> {
  // A body without a length has no bound before it is read; the guard of the port says the same.
  if (request.headers['transfer-encoding'] !== undefined) refuse('length_required')
  const length = Number(request.headers['content-length'] ?? 0)
  // Asked before reading: the reader answers only when it has swallowed what it refuses.
  if (length > BODY_BYTES_MAX) refuse('body_too_large')
  if (length === 0) return undefined
  refuseOtherMedia(request)
  await new Promise<void>((resolve, reject) => {
    readRaw(request, response, (error?: unknown) => (error ? reject(error) : resolve()))
  })
  const bytes: unknown = request.body
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) return undefined
  try {
    return parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    if (error instanceof JsonError && error.kind === 'content') {
      refuse('invalid_input', { errors: [{ pointer: error.pointer, detail: error.message }] })
    }
    return refuse('invalid_json')
  }
}

function refuseOtherMedia(request: Request): void {
  const encoding = request.get('content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') refuse('unsupported_media_type')
  const media = request.get('content-type') ?? ''
  if (!/^application\/json *(?:; *charset="?utf-8"? *)?$/i.test(media)) refuse('unsupported_media_type')
}

function parsed(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const unknown_members = unknownMembers(result.error)
  return refuse('invalid_input', {
    errors: fieldErrors(result.error),
    ...(unknown_members.length > 0 && { unknown_members }),
  })
}

export function statusOf(each: Route): number {
  return each.status ?? (each.answer === undefined ? 204 : 200)
}

function send(each: Route, context: Context, response: Response, request: Request, answer: unknown): void {
  for (const [name, value] of Object.entries(each.headers?.(answer, context) ?? {}))
    response.setHeader(name, value)
  const etag = response.getHeader('ETag')
  if (!response.hasHeader('Cache-Control')) {
    response.setHeader('Cache-Control', etag === undefined ? 'no-store' : 'private, no-cache')
  }
  if (etag !== undefined && each.method === 'get' && matches(request.get('if-none-match'), String(etag))) {
    response.status(304).end()
    return
  }
  response.status(statusOf(each))
  if (each.csv !== undefined) {
    response.vary('Accept')
    if (context.is_csv) {
      sendCsv(each.csv, response, request, answer as ListAnswer)
      return
    }
  }
  if (each.answer === undefined) {
    response.end()
    return
  }
  if (each.media !== undefined) {
    response.setHeader('Content-Type', each.media)
    response.send(answer instanceof Uint8Array ? Buffer.from(answer) : String(answer))
    return
  }
  const text = typeof answer === 'object' && answer !== null ? texts.get(answer) : undefined
  response.type('application/json').send(text ?? JSON.stringify(answer ?? null))
}

type ListAnswer = { data: Record<string, unknown>[]; next_cursor: string | null }

/** What the query names goes before what a client of its own accord accepts. */
function wantsCsv(request: Request): boolean {
  if (request.query['format'] !== undefined) return request.query['format'] === 'csv'
  return request.accepts(['json', 'csv']) === 'csv'
}

function sendCsv(columns: readonly string[], response: Response, request: Request, list: ListAnswer): void {
  const next = new URL(request.originalUrl, 'http://any')
  if (list.next_cursor !== null) {
    next.searchParams.set('cursor', list.next_cursor)
    response.setHeader('Link', `<${next.pathname}${next.search}>; rel="next"`)
  }
  const name = next.pathname.split('/').at(-1)
  response.setHeader('Content-Disposition', `attachment; filename="${name}.csv"`)
  response.setHeader('Content-Type', CSV)
  response.send(csvOf(columns, list.data))
}

/** If-None-Match compares weakly (RFC 9110 section 13.1.2). */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((part) => ['*', etag].includes(part.trim().replace(/^W\//, '')))
}

/** Refused changes of administrators stand in the audit chain beside those that were made. */
async function recordRefusal(
  each: Route,
  doors: Doors,
  request: Request,
  actor: Actor,
  error: unknown,
): Promise<void> {
  if (each.method === 'get' || each.roles === 'anyone' || actor.tenantId === NO_TENANT_ID) return
  if (!each.roles.every((role) => ADMIN_ROLES.has(role))) return
  const { code, status } = publicError(error)
  if (![403, 404, 409, 412, 422].includes(status)) return
  try {
    const key = `${actor.tenantId}/${actor.userId}`
    await doors.limits.take(null, { name: 'refusals-recorded', rate: REFUSALS_RECORDED }, key)
    const params = Object.fromEntries(
      Object.entries(request.params).map(([name, text]) => [name, shown(String(text))]),
    )
    await doors.app.run(
      actor,
      async (tx, new_values: Record<string, unknown>) =>
        tx.audit({ action: 'refused', entity_type: 'request', new_values }),
      { method: request.method, path: each.path, params, code },
    )
  } catch (failure) {
    if (publicError(failure).code !== 'rate_limited') doors.report('record a refusal', failure)
  }
}

/** Foreign text as it may stand in an audit row. */
function shown(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed().slice(0, 100)
}
