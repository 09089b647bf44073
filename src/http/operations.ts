/** What orchestrators, monitors and strangers ask a server: does it live, is it ready, how is it, who signs. */
import { readdir } from 'node:fs/promises'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { z } from 'zod'
import type { App } from '../app.ts'
import { refuse } from '../errors.ts'
import { type Route, route } from './route.ts'
import type { Tokens } from './tokens.ts'

/** What the process knows of itself; the process changes it as it starts and stops. */
export type ServerState = {
  /** The schema is that of this version. */
  migrated: boolean
  /** The fairness self-test passed; null while it runs. */
  fair: boolean | null
  /** No new work; requests that run are finished. */
  draining: boolean
}

export type ComponentReport = { ok: boolean } & Record<string, unknown>
/** A figure that is read when somebody asks. One whose name ends with `_total` only grows, and is a counter. */
export type GaugeSource = { name: string; help: string; read(): number }

export type OperationDeps = {
  app: App
  tokens: Tokens
  state: ServerState
  version: string
  metrics: Metrics
  /** Further parts for `/health`, by name. */
  components?: Record<string, () => ComponentReport | Promise<ComponentReport>>
  /** Where a finder of a hole writes: a URI for security.txt. */
  security_contact: string
  openApi(): object
}

export type Metrics = {
  registry: Registry
  observe(labels: { method: string; route: string; status: string }, duration_s: number): void
}

/**
 * Defaults that list every socket one by one, inside a turn of the loop: 10 to 50 ms at a scrape with 2,500 clients. Open
 * files are counted beside the loop instead; the sockets are in figures of our own.
 */
const CROWDED = [
  'process_open_fds',
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
]

/** A registry of its own: two servers in one process (tests) must not meet in prom-client's global one. */
export function makeMetrics(gauges: readonly GaugeSource[] = []): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of CROWDED) registry.removeSingleMetric(name)
  new Gauge({
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    registers: [registry],
    async collect() {
      const names = await readdir('/proc/self/fd').catch(() => undefined)
      // One of them is the directory that is read.
      if (names !== undefined) this.set(names.length - 1)
    },
  })
  const requests = new Histogram({
    name: 'livedraw_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the end of its answer.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  })
  for (const { name, help, read } of gauges) {
    if (name.endsWith('_total')) {
      new Counter({
        name,
        help,
        registers: [registry],
        collect() {
          this.reset()
          this.inc(read())
        },
      })
    } else {
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          this.set(read())
        },
      })
    }
  }
  return { registry, observe: (labels, duration_s) => requests.observe(labels, duration_s) }
}

const ok = z.strictObject({ ok: z.literal(true) }).meta({ example: { ok: true } })
const jwk = z.looseObject({
  kty: z.string(),
  crv: z.string(),
  x: z.string(),
  kid: z.string(),
  use: z.string(),
})
const tags = ['operations']

/** Routes at the root. They ask for no token: what they tell is meant for the machine next door. */
export function operationRoutes(deps: OperationDeps): Route[] {
  const { app, tokens, state, metrics } = deps
  const database = databaseCheck(app)
  return [
    route({
      method: 'get',
      path: '/livez',
      summary: 'The process lives',
      tags,
      roles: 'anyone',
      probe: true,
      answer: ok,
      run: () => ({ ok: true }),
    }),
    route({
      method: 'get',
      path: '/readyz',
      summary: 'The server takes new work',
      description:
        'Fails while it drains, before migrations are done, when the fairness self-test failed, and without a database.',
      tags,
      roles: 'anyone',
      probe: true,
      answer: ok,
      refusals: ['shutting_down', 'fairness_locked'],
      run: async () => {
        if (state.draining) refuse('shutting_down', { retry_after_s: 5 })
        if (!state.migrated || state.fair === null)
          refuse('unavailable', { detail: 'The server is starting.', retry_after_s: 1 })
        if (!state.fair) refuse('fairness_locked')
        await database()
        return { ok: true }
      },
    }),
    route({
      method: 'get',
      path: '/health',
      summary: 'How each part is',
      description: 'Always 200: `status` tells. Orchestrators ask /readyz.',
      tags,
      roles: 'anyone',
      probe: true,
      answer: z
        .strictObject({
          status: z.enum(['ok', 'degraded']),
          version: z.string(),
          uptime_s: z.int(),
          components: z.record(z.string(), z.looseObject({ ok: z.boolean() })),
        })
        .meta({
          example: {
            status: 'ok',
            version: '0.1.0',
            uptime_s: 42,
            components: {
              database: { ok: true, total: 3, idle: 3, waiting: 0 },
              fairness: { ok: true },
              process: { ok: true, draining: false },
            },
          },
        }),
      run: async () => {
        const components = await reports(deps, database)
        const status = Object.values(components).every((each) => each.ok) ? 'ok' : 'degraded'
        return { status, version: deps.version, uptime_s: Math.floor(process.uptime()), components }
      },
    }),
    route({
      method: 'get',
      path: '/metrics',
      summary: 'Metrics in the text format of Prometheus',
      tags,
      roles: 'anyone',
      probe: true,
      media: metrics.registry.contentType,
      answer: z.string().meta({
        example: 'livedraw_http_request_duration_seconds_count{method="GET",route="/livez",status="200"} 1',
      }),
      run: () => metrics.registry.metrics(),
    }),
    route({
      method: 'get',
      path: '/openapi.json',
      summary: 'This document',
      tags,
      roles: 'anyone',
      answer: z
        .looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) })
        .meta({ example: { openapi: '3.1.1', info: { title: 'Livedraw', version: '0.1.0' }, paths: {} } }),
      headers: () => ({ 'Cache-Control': 'public, max-age=60' }),
      run: () => deps.openApi(),
    }),
    route({
      method: 'get',
      path: '/.well-known/jwks.json',
      summary: 'Public keys: of bearer tokens, and of commitments, receipts and checkpoints',
      tags,
      roles: 'anyone',
      answer: z.strictObject({ keys: z.array(jwk) }).meta({
        example: {
          keys: [
            {
              kty: 'OKP',
              crv: 'Ed25519',
              x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
              kid: 'token-d75a980182b1',
              alg: 'EdDSA',
              use: 'sig',
            },
            {
              kty: 'OKP',
              crv: 'Ed25519',
              x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
              kid: 'fair-d75a980182b1',
              alg: 'EdDSA',
              use: 'sig',
            },
          ],
        },
      }),
      headers: () => ({ 'Cache-Control': 'public, max-age=60' }),
      run: () => ({ keys: [tokens.publicJwk, fairnessJwk(app)] }),
    }),
    route({
      method: 'get',
      path: '/.well-known/security.txt',
      summary: 'Where to report a hole (RFC 9116)',
      tags,
      roles: 'anyone',
      media: 'text/plain; charset=utf-8',
      answer: z.string().meta({
        example:
          'Contact: mailto:security@operator.example\nExpires: 2027-01-01T00:00:00.000Z\nPreferred-Languages: en\n',
      }),
      run: () => {
        const expires = new Date(app.clock.now().getTime() + 180 * 86_400_000)
        return `Contact: ${deps.security_contact}\nExpires: ${expires.toISOString()}\nPreferred-Languages: en\n`
      },
    }),
  ]
}

/** The key that outsiders hold commitments against; public by its nature. */
function fairnessJwk({ keys }: App) {
  return {
    kty: 'OKP',
    crv: 'Ed25519',
    x: keys.publicKey.toString('base64url'),
    kid: keys.kid,
    alg: 'EdDSA',
    use: 'sig',
  }
}

async function reports(
  { app, state, components = {} }: OperationDeps,
  database: () => Promise<void>,
): Promise<Record<string, ComponentReport>> {
  const known: [string, () => ComponentReport | Promise<ComponentReport>][] = [
    ['database', () => database().then(() => ({ ok: true, ...app.database.stats() }))],
    ['fairness', () => ({ ok: state.fair === true })],
    ['process', () => ({ ok: state.migrated, draining: state.draining })],
    ...Object.entries(components),
  ]
  const found = await Promise.all(
    known.map(async ([name, report]) => [name, await reportOf(report)] as const),
  )
  return Object.fromEntries(found)
}

/** Whoever asks while an answer is on its way shares it: a flood of probes holds one connection. */
function databaseCheck({ database }: App): () => Promise<void> {
  let asking: Promise<void> | undefined
  return () => {
    asking ??= database
      .query('select 1')
      .then(() => {})
      .finally(() => {
        asking = undefined
      })
    return asking
  }
}

/** A part that cannot report is a part that is not well; why is in the log of whoever failed. */
async function reportOf(report: () => ComponentReport | Promise<ComponentReport>): Promise<ComponentReport> {
  try {
    return await report()
  } catch {
    return { ok: false }
  }
}
