/**
 * The composition root: the one place that builds things, in order, and takes them down in the opposite order.
 * The only file of src/ that imports rooms/.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { defineServer } from '@colyseus/core'
import type { Request } from 'express'
import { addressOf, installGuards, liveRoomCount, makeHttpServer, makeTransport } from '../rooms/guard.ts'
import { guardOptionsOf, makeRooms } from '../rooms/index.ts'
import { makeCrowds } from '../rooms/spectators.ts'
import { wireCounts } from '../rooms/wire.ts'
import { makeApp } from './app.ts'
import { auditTracesTask } from './audit/retention.ts'
import { announce } from './banner.ts'
import { claimTasks } from './claims/jobs.ts'
import { claimRoutes } from './claims/routes.ts'
import { makeTestClock, systemClock } from './clock.ts'
import { companyRoutes } from './companies/routes.ts'
import type { Config } from './config.ts'
import { customerRoutes } from './customers/routes.ts'
import { type EmbeddedPostgres, startEmbedded } from './db/embedded.ts'
import { migrate } from './db/migrate.ts'
import { type Database, openPool } from './db/pool.ts'
import { keepStatistics } from './db/statistics.ts'
import { adminLinkRoutes, makeAdminLink } from './demo/admin-link.ts'
import { type Bots, startBots } from './demo/bots.ts'
import { creditRoutes, giveCredit } from './demo/credit.ts'
import { makeDemo } from './demo/demo.ts'
import { makeDemoRaffle } from './demo/raffle.ts'
import { makeReel } from './demo/reel.ts'
import { shopRoutes } from './demo/shop-routes.ts'
import { drawGames } from './draws/game.ts'
import { drawRoutes } from './draws/routes.ts'
import { makeDraws } from './draws/service.ts'
import { drandSource } from './fairness/entropy.ts'
import { selfTest } from './fairness/self-test.ts'
import { makeFault } from './faults.ts'
import { gameResource } from './games/guess/resource.ts'
import { DRAW_GAMES, makeGames } from './games/index.ts'
import { raffleResource } from './games/raffle/resource.ts'
import { grantChances } from './games/wheel/chances.ts'
import { wheelResource } from './games/wheel/resource.ts'
import { wheelRoutes } from './games/wheel/routes.ts'
import { makeWheelInstantiator } from './games/wheel/templates.ts'
import { makeWheel } from './games/wheel/wheel.ts'
import { makeAuth } from './http/auth.ts'
import { makeHttp } from './http/server.ts'
import { makeTokens } from './http/tokens.ts'
import { insightTasks } from './insight/jobs.ts'
import { makeSpinLog } from './insight/spin-log.ts'
import { makeTamperLog } from './insight/tamper-log.ts'
import type { Task } from './jobs/queue.ts'
import { makeJobs } from './jobs/runner.ts'
import { keep } from './keeper.ts'
import { checkSeedKeys, keepKeys, loadKeys } from './keyfiles.ts'
import { ledgerRoutes } from './ledger/routes.ts'
import { colyseusLogger, type Log } from './log.ts'
import { NODE_HASH } from './node-hash.ts'
import { prizeResource } from './prizes/definitions.ts'
import { expiryTask } from './prizes/expiry.ts'
import { fulfilmentRoutes } from './prizes/fulfilment-routes.ts'
import { gameRoutes } from './prizes/game-resource.ts'
import { makeMysteries } from './prizes/mysteries.ts'
import { mysteryRoutes } from './prizes/mystery-routes.ts'
import { resealCodes } from './prizes/partner-codes.ts'
import { partnerRoutes } from './prizes/partner-routes.ts'
import { walletRoutes } from './prizes/routes.ts'
import { socialRoutes } from './prizes/social/routes.ts'
import { socialTasks } from './prizes/social/tasks.ts'
import { tracesTask } from './prizes/traces.ts'
import { makeCheckpoints } from './proofs/checkpoints.ts'
import { makeFairKeys } from './proofs/keys.ts'
import { resealSeeds } from './proofs/reseal.ts'
import { beaconEntropy, localEntropy, type RoundEntropy } from './proofs/round-entropy.ts'
import { proofRoutes } from './proofs/routes.ts'
import { removeServerFile, writeServerFile } from './server-file.ts'
import { systemActor } from './system.ts'
import { makeDirectory } from './tenants/directory.ts'
import { tenantRoutes } from './tenants/routes.ts'
import { webhookTasks } from './webhooks/deliver.ts'
import { webhookRoutes } from './webhooks/routes.ts'
import { resealWebhooks } from './webhooks/secrets.ts'
import { makeSender } from './webhooks/send.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BOT_COUNT = 6
/** PostgreSQL 15 is the oldest whose features the migrations use. */
const POSTGRES_VERSION_MIN = 150_000

/** What is running, newest last; stopping goes backwards. */
type Step = { name: string; stop(deadline_ms: number): Promise<unknown> }

/** A sentence for the person who starts the server; ends the process with 1 and no stack. */
export class StartError extends Error {}

export async function start(
  config: Config,
  log: Log,
  started_at = performance.now(),
): Promise<{ steps: Step[]; state: { draining: boolean } }> {
  const steps: Step[] = []
  try {
    return await build(config, log, started_at, steps)
  } catch (error) {
    await unwind(steps, config.shutdown_deadline_ms, log)
    throw error
  }
}

/** Takes the steps down from the last one on. A step that fails does not keep the others up. */
export async function unwind(steps: readonly Step[], deadline_ms: number, log: Log): Promise<void> {
  const end = performance.now() + deadline_ms
  for (const step of [...steps].reverse()) {
    await step
      .stop(Math.max(0, end - performance.now()))
      .catch((err: unknown) => log.error({ err, step: step.name }, 'stopping failed'))
  }
}

async function build(config: Config, log: Log, started_at: number, steps: Step[]) {
  const report = (where: string, error: unknown) => log.error({ err: error, where }, 'failed')
  const version = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string })
    .version
  const loaded = loadKeys(config)

  const embedded = await openEmbedded(config, log, steps)
  const url = config.databaseUrl ?? embedded!.url
  await migrate(url, (message) => log.warn(message))
  const database = openPool(url, (err) => log.warn({ err }, 'database connection lost'))
  steps.push({ name: 'pool', stop: () => database.end() })
  const postgres_version = await checkPostgres(database)

  const keys = makeFairKeys(loaded.seedKeys, loaded.fairnessKey)
  await checkSeedKeys(database, keys)
  const madeKeys = keepKeys(config.dataDir, loaded)

  const clock = config.has_test_clock ? makeTestClock() : systemClock
  const fault = config.faultPoint === null ? {} : { fault: makeFault(config.faultPoint) }
  const app = makeApp({ database, clock, keys, report, ...fault })
  const directory = makeDirectory(database)
  const tokens = makeTokens(loaded.tokenKey)
  const auth = makeAuth({ app, directory, tokens })
  const checkpoints = makeCheckpoints(app, report)
  steps.push({ name: 'checkpoints', stop: () => checkpoints.stop() })

  const faults = selfTest(NODE_HASH)
  if (faults.length > 0) log.fatal({ faults }, 'the fairness self-test failed; games are locked')
  const state = { migrated: true, fair: faults.length === 0, draining: false }
  const shared = { app, checkpoints, entropy: entropyOf(config, log), report, locked: () => !state.fair }
  const spinLog = makeSpinLog(app, report)
  steps.push({ name: 'spin log', stop: () => spinLog.flush() })
  const wheel = makeWheel({ ...shared, answered: spinLog.note })
  const draws = makeDraws({ ...shared, games: drawGames(DRAW_GAMES) })
  const games = makeGames({ app, draws, locked: shared.locked })
  await reseal(app, directory, log)

  const setting = { allows_loopback: config.allows_webhook_loopback }
  const tasks: Task[] = [
    expiryTask(app),
    tracesTask(app, config.traces),
    auditTracesTask(app, config.traces),
    ...socialTasks(app),
    ...insightTasks(app, config.traces),
    ...claimTasks(app),
    ...webhookTasks({ app, send: makeSender(setting) }),
  ]
  const jobs = makeJobs({ url, app, directory, tasks, report })
  steps.push({ name: 'jobs', stop: (deadline_ms) => jobs.stop(deadline_ms) })

  const tamperLog = makeTamperLog(app, report)
  steps.push({ name: 'tamper log', stop: () => tamperLog.flush() })
  const crowds = makeCrowds()
  const rooms = makeRooms({
    app,
    auth,
    wheel,
    games,
    checkpoints,
    report,
    crowds,
    suspect: tamperLog.look,
  })
  installGuards({ ...guardOptionsOf(rooms, { auth, report }), origins: config.allowedOrigins })
  const http = makeHttpServer()
  const loop = monitorEventLoopDelay({ resolution: 10 })
  loop.enable()
  const adminLink = config.is_demo ? makeAdminLink() : undefined
  const wheels = wheelResource()
  const prizes = prizeResource()
  const mysteries = makeMysteries(app, checkpoints, () => !state.fair)
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    logger: colyseusLogger(log),
    ...(config.publicAddress !== null && { publicAddress: config.publicAddress }),
    transport: makeTransport(http, { origins: config.allowedOrigins, trustedProxies: config.trustProxy }),
    rooms,
    express: makeHttp({
      app,
      auth,
      tokens,
      state,
      log,
      version,
      pagesDir: join(ROOT, 'dist-client'),
      security_contact: 'mailto:security@livedraw.example',
      has_test_clock: config.has_test_clock,
      addressOf: (request: Request) => addressOf(request),
      suspect: tamperLog.look,
      routes: [
        ...tenantRoutes({
          app,
          auth,
          directory,
          tokens,
          instantiators: { wheel: makeWheelInstantiator(wheels) },
        }),
        ...prizes.routes,
        ...walletRoutes(app, mysteries),
        ...mysteryRoutes(mysteries),
        ...fulfilmentRoutes(),
        ...partnerRoutes(),
        ...gameRoutes(),
        ...socialRoutes({ app, directory }),
        ...ledgerRoutes(),
        ...customerRoutes(),
        ...webhookRoutes(setting),
        ...wheelRoutes({ app, wheel, crowdOf: (tenantId, gameId) => crowds.of(tenantId, gameId) }),
        ...games.routes,
        ...drawRoutes({ app, draws }),
        ...companyRoutes(),
        ...claimRoutes({ app }),
        ...proofRoutes({ app, wheel, checkpoints }),
        ...(config.is_demo ? [...shopRoutes(app, directory), ...creditRoutes(directory)] : []),
        ...(adminLink ? adminLinkRoutes(adminLink, { app, directory, tokens }) : []),
      ],
      gauges: [
        {
          name: 'livedraw_ready',
          help: '1 while this process takes new work.',
          read: () => (state.migrated && state.fair && !state.draining ? 1 : 0),
        },
        {
          name: 'livedraw_fairness_ok',
          help: '1 when the fairness self-test passed; otherwise games are locked.',
          read: () => (state.fair ? 1 : 0),
        },
        { name: 'livedraw_rooms', help: 'Live rooms of this process.', read: liveRoomCount },
        {
          name: 'livedraw_pool_waiting',
          help: 'Requests that wait for a database connection.',
          read: () => database.stats().waiting,
        },
        {
          name: 'livedraw_spins_waiting',
          help: 'Spins that wait for their batch.',
          read: () => wheel.stats().spins.waiting,
        },
        {
          name: 'livedraw_spins_total',
          help: 'Spins that went through a batch.',
          read: () => wheel.stats().spins.items,
        },
        {
          name: 'livedraw_spin_batches_total',
          help: 'Batches of spins.',
          read: () => wheel.stats().spins.batches,
        },
        {
          name: 'livedraw_rolls_on_a_prize_total',
          help: 'Spins of this process whose roll fell on a prize.',
          read: () => wheel.stats().rolls.on_a_prize,
        },
        {
          name: 'livedraw_rolls_on_a_prize_expected_total',
          help: 'How many of them the published odds let expect.',
          read: () => wheel.stats().rolls.expected,
        },
        {
          name: 'livedraw_jobs_waiting',
          help: 'Jobs whose time has not come.',
          read: () => jobs.counts().waiting,
        },
        {
          name: 'livedraw_jobs_late',
          help: 'Jobs that are due, running ones among them.',
          read: () => jobs.counts().late,
        },
        {
          name: 'livedraw_jobs_failed',
          help: 'Jobs that were given up.',
          read: () => jobs.counts().failed,
        },
        {
          name: 'livedraw_event_loop_p99_ms',
          help: 'Delay of the event loop since the last scrape, 99th percentile.',
          read: () => readLoop(loop),
        },
        ...Object.keys(wireCounts()).map((name) => ({
          name: `livedraw_wire_${name}`,
          help: `Outgoing frames: ${name.replaceAll('_', ' ')}.`,
          read: () => wireCounts()[name as keyof ReturnType<typeof wireCounts>],
        })),
      ],
    }),
  })

  const demo_id = config.is_demo ? await makeDemo({ app, directory, wheel, prizes, wheels }) : undefined
  await jobs.start()
  const statistics = keepStatistics(database, report)
  steps.push({ name: 'statistics', stop: () => statistics.stop() })
  await server.listen(config.port, config.host)
  // Colyseus stops listening and does not wait: requests under way must have their answer before the pool goes.
  const closed = once(http, 'close')
  steps.push({
    name: 'requests',
    stop: (deadline_ms) => Promise.race([closed, sleep(deadline_ms, undefined, { ref: false })]),
  })
  steps.push({ name: 'rooms', stop: () => server.gracefullyShutdown(false) })
  const keepers = [
    keep('rounds', wheel.advanceRounds, directory, report),
    keep('draws', draws.advanceDue, directory, report),
    ...games.tidies.map(({ name, tidy }) => keep(name, tidy, directory, report)),
    ...(demo_id === undefined
      ? []
      : [
          keep(
            'demo reel',
            makeReel({ app, draws, games: gameResource(), tenant_id: demo_id }),
            directory,
            report,
          ),
          keep(
            'demo raffle',
            makeDemoRaffle({ app, draws, raffles: raffleResource(), tenant_id: demo_id }),
            directory,
            report,
          ),
        ]),
  ]
  steps.push({ name: 'keepers', stop: () => Promise.all(keepers.map((keeper) => keeper.stop())) })

  const { port } = http.address() as AddressInfo
  const base = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`
  const bots = config.is_demo ? await playBots(base, { app, directory, tokens, report }) : undefined
  if (bots) steps.push({ name: 'bots', stop: () => bots.stop() })

  writeServerFile(config.dataDir, {
    pid: process.pid,
    url: base,
    started_at: systemClock.now().toISOString(),
  })
  steps.push({ name: 'server file', stop: async () => removeServerFile(config.dataDir) })
  announce({
    url: base,
    pid: process.pid,
    database: embedded ? 'embedded' : 'external',
    postgres_version,
    dataDir: embedded ? config.dataDir : null,
    started_in_ms: performance.now() - started_at,
    is_demo: config.is_demo,
    bot_count: bots ? BOT_COUNT : 0,
    admin_code: adminLink?.code ?? null,
    is_production: config.is_production,
    notes: [...config.warnings, ...madeKeys.map((file) => `A new key was made: ${file}`)],
  })
  process.send?.('ready')
  return { steps, state }
}

async function openEmbedded(config: Config, log: Log, steps: Step[]): Promise<EmbeddedPostgres | undefined> {
  if (config.databaseUrl !== null) return undefined
  const embedded = await startEmbedded({ dataDir: config.dataDir, log: (message) => log.info(message) })
  steps.push({ name: 'PostgreSQL', stop: (deadline_ms) => embedded.stop(deadline_ms) })
  return embedded
}

async function checkPostgres(database: Database): Promise<string> {
  const [row] = await database.query<{ number: number; name: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as name`,
  )
  if (row!.number < POSTGRES_VERSION_MIN)
    throw new StartError(`PostgreSQL ${row!.name} is too old: Livedraw needs 15 or newer.`)
  return row!.name
}

function entropyOf(config: Config, log: Log): RoundEntropy {
  if (config.entropy.source === 'local') return localEntropy
  return beaconEntropy(
    drandSource({
      relays: config.entropy.relays,
      fetch: (url, options) => fetch(url, options),
      clock: {
        now: () => systemClock.now().getTime(),
        timeout: (duration_ms) => AbortSignal.timeout(duration_ms),
      },
      hash: NODE_HASH,
      onDropped: (relay, round) =>
        log.error({ relay, round }, 'a beacon relay gave an answer that does not verify'),
    }),
  )
}

/** After a change of SEED_KEYS: what an older key sealed is sealed again with the first one. */
async function reseal(
  app: ReturnType<typeof makeApp>,
  directory: ReturnType<typeof makeDirectory>,
  log: Log,
): Promise<void> {
  for (const { id } of await directory.all()) {
    const count =
      (await resealSeeds(app, id)) + (await resealWebhooks(app, id)) + (await resealCodes(app, id))
    if (count > 0) log.info({ tenant: id, count }, 'seeds and secrets sealed again with the first key')
  }
}

function readLoop(loop: ReturnType<typeof monitorEventLoopDelay>): number {
  const p99_ms = loop.percentile(99) / 1e6
  loop.reset()
  return p99_ms
}

type BotDeps = {
  app: ReturnType<typeof makeApp>
  directory: ReturnType<typeof makeDirectory>
  tokens: ReturnType<typeof makeTokens>
  report: (where: string, error: unknown) => void
}

async function playBots(url: string, { app, directory, tokens, report }: BotDeps): Promise<Bots> {
  const tenant = (await directory.byCode('demo'))!
  const actor = systemActor(tenant.id)
  const grant = (user_id: string) => app.run(actor, grantChances, { user_id, count: 50, reason: 'demo bot' })
  const credit = (user_id: string, occasion: string) =>
    app.run(actor, giveCredit, { user_id, currency: tenant.currency, occasion })
  return startBots({ url, tokens, count: BOT_COUNT, grant, credit, report })
}
