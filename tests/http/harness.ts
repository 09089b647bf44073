/**
 * The HTTP door as the product has it, on a free port: real database, real keys, two clocks that tests move, two
 * tenants, a token for every role, and a bare socket for requests that no client library would send.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express from 'express'
import type { JWK } from 'jose'
import pino from 'pino'
import { type App, makeApp } from '../../src/app.ts'
import { type Clock, makeTestClock } from '../../src/clock.ts'
import { type Database, openPool } from '../../src/db/pool.ts'
import type { Role } from '../../src/db/tx.ts'
import { type Auth, makeAuth } from '../../src/http/auth.ts'
import type { KeySetLimits } from '../../src/http/key-sets.ts'
import type { DefaultRates } from '../../src/http/limits.ts'
import type { ServerState } from '../../src/http/operations.ts'
import type { Route } from '../../src/http/route.ts'
import { allRoutes, type HttpDeps, makeHttp } from '../../src/http/server.ts'
import { makeTokens, type Tokens } from '../../src/http/tokens.ts'
import { makeTamperLog, type TamperLog } from '../../src/insight/tamper-log.ts'
import { makeFairKeys } from '../../src/proofs/keys.ts'
import { type Directory, makeDirectory } from '../../src/tenants/directory.ts'
import { tenantRoutes } from '../../src/tenants/routes.ts'
import type { TenantRow } from '../../src/tenants/store.ts'
import type { Instantiators } from '../../src/tenants/templates.ts'
import { createTenant } from '../../src/tenants/tenants.ts'
import { testDatabase } from '../db/cluster.ts'

/** What further routes are built from. */
export type HttpParts = { app: App; auth: Auth; directory: Directory; tokens: Tokens; database: Database }

export type HttpOptions = {
  /** Routes beside those of tenants. */
  routes?(parts: HttpParts): Route[]
  instantiators?: Instantiators
  rates?: Partial<DefaultRates>
  has_test_clock?: boolean
  pagesDir?: string
  keySetLimits?: KeySetLimits
  /** Writes down what no client sends, as the product does. */
  suspects?: true
  /** Age of the tenant directory and of blocked users; 0 reads each time, undefined is as in the product. */
  fresh_ms_max?: number
}

/** An answer as a test reads it: `body` is parsed JSON, or text when it is none. */
export type Answer = { status: number; headers: Headers; text: string; body: any }

export type Asked = {
  token?: string
  /** Sent as JSON. */
  json?: unknown
  /** Sent as it is, with `Content-Type: application/json` unless headers say otherwise. */
  text?: string | Uint8Array
  headers?: Record<string, string>
}

export type HttpHarness = HttpParts & {
  url: string
  database_url: string
  port: number
  http: Server
  /** The clock of the product; tokens live in `tokenClock`. */
  clock: Clock & { advance(duration_ms: number): Date }
  tokenClock: Clock & { advance(duration_ms: number): Date }
  state: ServerState
  routes: Route[]
  /** Tenant `acme`; `other` is another one. */
  tenant: TenantRow
  other: TenantRow
  tokenKey: JWK
  fairSigningKey: KeyObject
  /** What the door reported as failures of our own. */
  reports: unknown[]
  /** Log lines, as objects. */
  logged: Record<string, any>[]
  tamperLog: TamperLog
  token(
    role: Role | readonly Role[],
    options?: { sub?: string; tenant?: string | null; ttl_s?: number },
  ): Promise<string>
  ask(method: string, path: string, asked?: Asked): Promise<Answer>
  /** Writes bytes on a fresh socket and reads until `until` answers came or the server closes. */
  raw(bytes: string | Uint8Array, until?: number, timeout_ms?: number): Promise<RawAnswer[]>
  /** One HTTP/1.1 request as text, for `raw`. */
  requestText(method: string, path: string, asked?: Asked): string
  close(): Promise<void>
}

export type RawAnswer = { status: number; headers: Record<string, string>; text: string }

/** Wide enough for tests that are not about rates. */
const WIDE: DefaultRates = {
  address: { points: 1_000_000, duration_s: 60 },
  user: { points: 1_000_000, duration_s: 60 },
  service: { points: 1_000_000, duration_s: 60 },
  guest: { points: 1_000_000, duration_s: 60 },
}

export async function startHttp(options: HttpOptions = {}): Promise<HttpHarness> {
  const db = await testDatabase()
  const reports: unknown[] = []
  const database = openPool(db.url, (error) => reports.push(error))
  const clock = makeTestClock(new Date('2030-01-15T12:00:00.000Z'))
  const tokenClock = makeTestClock(new Date('2030-01-15T12:00:00.000Z'))
  const fairSigningKey = generateKeyPairSync('ed25519').privateKey
  const keys = makeFairKeys([{ kid: 'k1', key: randomBytes(32) }], fairSigningKey)
  const app = makeApp({ database, clock, keys, report: (_where, error) => reports.push(error) })
  const directory = makeDirectory(database, options.fresh_ms_max)
  const tokenKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JWK
  const tokens = makeTokens(tokenKey, tokenClock)
  const { keySetLimits, fresh_ms_max } = options
  const auth = makeAuth({
    app,
    directory,
    tokens,
    clock: tokenClock,
    ...(keySetLimits && { keySetLimits }),
    ...(fresh_ms_max !== undefined && { fresh_ms_max }),
  })
  const parts = { app, auth, directory, tokens, database }
  const rates = { ...WIDE, ...options.rates }
  const tenant = await createTenant(app, directory, {
    tenant_code: 'acme',
    tenant_name: 'Acme',
    is_demo: true,
  })
  const other = await createTenant(app, directory, { tenant_code: 'other', tenant_name: 'Other' })

  const logged: Record<string, any>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(JSON.parse(line)) })
  const state: ServerState = { migrated: true, fair: true, draining: false }
  const tamperLog = makeTamperLog(app, (_where, error) => reports.push(error))
  const deps: HttpDeps = {
    app,
    ...(options.suspects && { suspect: tamperLog.look }),
    auth,
    tokens,
    state,
    log,
    rates,
    version: '0.0.0-test',
    pagesDir: options.pagesDir ?? '/nonexistent',
    security_contact: 'mailto:security@operator.example',
    has_test_clock: options.has_test_clock ?? false,
    routes: [
      ...tenantRoutes({
        ...parts,
        guest_rate: rates.guest,
        ...(options.instantiators && { instantiators: options.instantiators }),
      }),
      ...(options.routes?.(parts) ?? []),
    ],
  }
  const routes = allRoutes(deps)
  const application = express()
  makeHttp(deps)(application)
  const http = createServer(application)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`

  return {
    ...parts,
    url,
    database_url: db.url,
    port,
    http,
    clock,
    tokenClock,
    state,
    routes,
    tenant,
    other,
    tokenKey,
    fairSigningKey,
    reports,
    logged,
    tamperLog,
    async token(role, { sub, tenant: code = 'acme', ttl_s = 3_600 } = {}) {
      const roles = typeof role === 'string' ? [role] : role
      return (await tokens.sign({ sub: sub ?? `${roles.join('-')}-1`, tenant: code, roles, ttl_s })).token
    },
    async ask(method, path, asked = {}) {
      const answer = await ask(url, method, path, asked)
      assertShape(routes, method, path, answer)
      return answer
    },
    raw: (bytes, until = 1, timeout_ms = 5_000) => rawExchange(port, bytes, until, timeout_ms),
    requestText: (method, path, asked = {}) => requestText(port, method, path, asked),
    async close() {
      http.closeAllConnections()
      http.close()
      await database.end()
      await db.drop()
    },
  }
}

/** Every successful answer of every test is held against the schema that the document shows for it. */
function assertShape(
  routes: readonly Route[],
  method: string,
  path: string,
  { status, headers, text, body }: Answer,
): void {
  if (status < 200 || status > 299 || method === 'HEAD') return
  const bare = path.split('?')[0]!
  const found = routes.find(
    (each) =>
      each.method === method.toLowerCase() &&
      new RegExp(`^${each.path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(bare),
  )
  if (found?.answer === undefined) return
  if (found.csv !== undefined && headers.get('content-type')?.startsWith('text/csv')) {
    assert.equal(text.split('\r\n')[0], found.csv.join(','), `${method} ${path} has other columns`)
    return
  }
  const result = found.answer.safeParse(body)
  assert.ok(result.success, `${method} ${path} does not answer what it describes: ${result.error}`)
}

function headersOf({ token, json, text, headers }: Asked): Record<string, string> {
  return {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...((json !== undefined || text !== undefined) && { 'content-type': 'application/json' }),
    ...headers,
  }
}

async function ask(url: string, method: string, path: string, asked: Asked): Promise<Answer> {
  const body = asked.text ?? (asked.json === undefined ? undefined : JSON.stringify(asked.json))
  const response = await fetch(url + path, {
    method,
    headers: headersOf(asked),
    redirect: 'manual',
    ...(body !== undefined && { body: body as string }),
  })
  const text = await response.text()
  let parsed: unknown = text
  if (text !== '' && /json/.test(response.headers.get('content-type') ?? '')) parsed = JSON.parse(text)
  return { status: response.status, headers: response.headers, text, body: parsed }
}

function requestText(port: number, method: string, path: string, asked: Asked): string {
  const body =
    asked.text === undefined
      ? asked.json === undefined
        ? ''
        : JSON.stringify(asked.json)
      : String(asked.text)
  const headers = {
    host: `127.0.0.1:${port}`,
    ...headersOf(asked),
    'content-length': String(Buffer.byteLength(body)),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

function rawExchange(
  port: number,
  bytes: string | Uint8Array,
  until: number,
  timeout_ms: number,
): Promise<RawAnswer[]> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let received = Buffer.alloc(0)
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(parseAnswers(received))
    }
    const timer = setTimeout(done, timeout_ms)
    // A server that refuses may close while we still write: what it said before counts.
    socket.on('error', () => {})
    socket.on('close', done)
    socket.on('data', (part) => {
      received = Buffer.concat([received, part])
      if (parseAnswers(received).length >= until) done()
    })
    socket.on('connect', () => socket.write(bytes))
  })
}

/** Complete HTTP/1.1 answers with a Content-Length, which is all that our server sends. */
function parseAnswers(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let at = 0; at < bytes.length; ) {
    const headEnd = bytes.indexOf('\r\n\r\n', at)
    if (headEnd < 0) break
    const [first = '', ...lines] = bytes.subarray(at, headEnd).toString('latin1').split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    )
    const bodyEnd = headEnd + 4 + Number(headers['content-length'] ?? 0)
    if (bodyEnd > bytes.length) break
    const text = bytes.subarray(headEnd + 4, bodyEnd).toString('utf8')
    answers.push({ status: Number(first.split(' ')[1]), headers, text })
    at = bodyEnd
  }
  return answers
}
