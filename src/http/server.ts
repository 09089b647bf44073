/**
 * Everything of HTTP on one Express app. Colyseus owns the port and answers /matchmake and every OPTIONS before
 * this; CORS is its (colyseus.md section 4), and so no header of it is set here.
 */
import type { Application, Request, RequestHandler } from 'express'
import helmet from 'helmet'
import type { Logger } from 'pino'
import type { App } from '../app.ts'
import { refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Auth, Identity } from './auth.ts'
import { DEFAULT_RATES, type DefaultRates, makeLimits } from './limits.ts'
import { makeOpenApi } from './openapi.ts'
import {
  type ComponentReport,
  type GaugeSource,
  type Metrics,
  makeMetrics,
  operationRoutes,
  type ServerState,
} from './operations.ts'
import { docsRoutes, pageFiles, pageRoutes } from './pages.ts'
import { problemHandler } from './problem.ts'
import { type Doors, makeRouter, type Route } from './route.ts'
import { testClockRoutes } from './test-clock.ts'
import type { Tokens } from './tokens.ts'

export type HttpDeps = {
  app: App
  auth: Auth
  tokens: Tokens
  /** The routes of the product; those of operations, keys and pages come by themselves. */
  routes: readonly Route[]
  state: ServerState
  log: Logger
  version: string
  /** What Vite built. */
  pagesDir: string
  /** A URI for security.txt, such as mailto:security@operator.example. */
  security_contact: string
  /** TEST_CLOCK=1: the clock of `app` can be moved by a request. */
  has_test_clock?: boolean
  /** The real peer; by default that of the socket. composition.ts knows which proxies are trusted. */
  addressOf?(request: Request): string
  rates?: Partial<DefaultRates>
  gauges?: readonly GaugeSource[]
  components?: Record<string, () => ComponentReport | Promise<ComponentReport>>
  /** Told why requests of players were refused (src/insight/tamper-log.ts). */
  suspect?: Doors['suspect']
}

/** All routes that `makeHttp` serves, in order: what the document describes and the contract tests walk over. */
export function allRoutes(deps: HttpDeps, metrics: Metrics = makeMetrics()): Route[] {
  const routes: Route[] = [
    ...operationRoutes({ ...deps, metrics, openApi: () => document }),
    ...(deps.has_test_clock ? testClockRoutes(deps.app) : []),
    ...deps.routes,
  ]
  const document = makeOpenApi(routes, deps.version)
  return routes
}

/** Makes what `defineServer({ express })` takes: installs every route, page and header on the app. */
export function makeHttp(deps: HttpDeps): (app: Application) => void {
  const { log, app, auth, state } = deps
  const metrics = makeMetrics(deps.gauges)
  const routes = allRoutes(deps, metrics)
  const report = (where: string, error: unknown) => log.error({ err: error, where }, 'request failed')
  const doors = {
    app,
    auth,
    report,
    limits: makeLimits(),
    rates: { ...DEFAULT_RATES, ...deps.rates },
    addressOf: deps.addressOf ?? ((request: Request) => request.socket.remoteAddress ?? ''),
    ...(deps.suspect && { suspect: deps.suspect }),
  }
  return (express) => {
    express.disable('x-powered-by')
    express.disable('etag')
    express.set('query parser', 'simple')
    express.use(withRequestId, observe(log, metrics, state), secured)
    if (deps.has_test_clock) express.use(withDateOf(app))
    express.use(pageRoutes(deps.pagesDir), docsRoutes(), makeRouter(routes, doors), pageFiles(deps.pagesDir))
    express.use(() => refuse('not_found'))
    express.use(problemHandler(report))
  }
}

/** helmet for pages of ours: no foreign script, sockets to ourselves. Not upgrade-insecure-requests: T12. */
const secured: RequestHandler = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      // Creators show what can be won by the address of a picture.
      imgSrc: ["'self'", 'data:', 'blob:', 'https:'],
      fontSrc: ["'self'", 'data:'],
      // A page may be served behind a proxy under another port than the socket's.
      connectSrc: ["'self'", 'ws:', 'wss:'],
      objectSrc: ["'none'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'self'"],
    },
  },
  strictTransportSecurity: { maxAge: 15_552_000, includeSubDomains: false },
  // Over plain http on a LAN browsers ignore these two and complain on the console.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
}) as RequestHandler

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/** A caller's own id is kept, so that it finds its request in our log; anything odd is replaced. */
const withRequestId: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id') ?? ''
  const id = REQUEST_ID.test(given) ? given : newId()
  response.locals['request_id'] = id
  response.setHeader('X-Request-Id', id)
  next()
}

/** A clock that was moved is the clock of the whole server: pages read the time of day from this header. */
const withDateOf =
  ({ clock }: Pick<App, 'clock'>): RequestHandler =>
  (_request, response, next) => {
    response.setHeader('Date', clock.now().toUTCString())
    next()
  }

/** One line and one measurement per request. The path goes without its query, which may hold a token. */
function observe(log: Logger, metrics: Metrics, state: ServerState): RequestHandler {
  return (request, response, next) => {
    const started_ms = performance.now()
    // Whoever keeps a connection open would keep a draining server from ending.
    if (state.draining) response.setHeader('Connection', 'close')
    response.on('close', () => {
      const duration_ms = performance.now() - started_ms
      const status = response.writableFinished ? response.statusCode : 499
      const route = String(response.locals['route'] ?? 'page')
      metrics.observe({ method: request.method, route, status: String(status) }, duration_ms / 1000)
      const identity = response.locals['identity'] as Identity | undefined
      log[status >= 500 ? 'warn' : 'debug'](
        {
          request_id: response.locals['request_id'],
          method: request.method,
          path: request.originalUrl.split('?')[0]!.slice(0, 300),
          status,
          duration_ms: Math.round(duration_ms * 10) / 10,
          ...(identity && { tenant: identity.tenantCode, user_id: identity.userId }),
        },
        'request',
      )
    })
    next()
  }
}
