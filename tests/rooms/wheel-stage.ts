/**
 * The product without its HTTP routes: a database of its own, the real application, the real rooms behind the real
 * guards, and real SDK clients. One stage at a time per process (Colyseus' matchmaker is a module of singletons).
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { defineServer, matchMaker, type Room } from '@colyseus/core'
import { Client, type Room as SdkRoom } from '@colyseus/sdk'
import type { JWK } from 'jose'
import { installGuards, makeHttpServer, makeTransport } from '../../rooms/guard.ts'
import { guardOptionsOf, makeRooms, type RoomDeps } from '../../rooms/index.ts'
import { makeCrowds } from '../../rooms/spectators.ts'
import { makeApp } from '../../src/app.ts'
import { makeTestClock } from '../../src/clock.ts'
import { openPool } from '../../src/db/pool.ts'
import type { Actor, Role, Tx } from '../../src/db/tx.ts'
import { drawGames } from '../../src/draws/game.ts'
import { makeDraws } from '../../src/draws/service.ts'
import type { Asked, ClosingGame } from '../../src/games/game.ts'
import type { Guess } from '../../src/games/guess/guess.ts'
import { gameCreate, gameResource } from '../../src/games/guess/resource.ts'
import { DRAW_GAMES, makeGames } from '../../src/games/index.ts'
import type { Raffle } from '../../src/games/raffle/raffle.ts'
import { raffleResource } from '../../src/games/raffle/resource.ts'
import { grantChances } from '../../src/games/wheel/chances.ts'
import { changeStatus } from '../../src/games/wheel/publish.ts'
import { makeWheel } from '../../src/games/wheel/wheel.ts'
import { makeAuth } from '../../src/http/auth.ts'
import { makeTokens } from '../../src/http/tokens.ts'
import { newId } from '../../src/ids.ts'
import { makeTamperLog } from '../../src/insight/tamper-log.ts'
import { makeCheckpoints } from '../../src/proofs/checkpoints.ts'
import { makeFairKeys } from '../../src/proofs/keys.ts'
import { localEntropy } from '../../src/proofs/round-entropy.ts'
import { systemActor } from '../../src/system.ts'
import { makeDirectory } from '../../src/tenants/directory.ts'
import { testDatabase } from '../db/cluster.ts'
import { silent } from './harness.ts'

export type WheelSdkRoom = SdkRoom<any, any>

export type StageOptions = {
  limits?: RoomDeps['limits']
  buckets?: Record<string, { per_second: number; burst: number }>
  /** Writes down what no client sends, as the product does. */
  suspects?: true
}

/** Plenty for tests that are not about rates: the product's own numbers are tested where they matter. */
const WIDE_RATE = { per_second: 1_000, burst: 1_000 }
const WIDE = { spin: WIDE_RATE, since: WIDE_RATE, guess: WIDE_RATE, mine: WIDE_RATE, buy: WIDE_RATE }
const WIDE_LIMITS = {
  wheel: { messages_per_second: 1_000, drain_ms: 20 },
  games: { messages_per_second: 1_000, drain_ms: 20 },
  lobby: { drain_ms: 20 },
  inbox: { drain_ms: 20 },
}

/** Starts everything on an empty, migrated database with one tenant called `demo`. */
export async function startStage(options: StageOptions = {}) {
  const db = await testDatabase()
  const clock = makeTestClock()
  const signing = generateKeyPairSync('ed25519').privateKey
  const seedKeys = [{ kid: 'k1', key: randomBytes(32) }]
  const tokenKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JWK
  const reports: [string, unknown][] = []
  const report = (where: string, error: unknown) => void reports.push([where, error])

  /** What a process has below its rooms: everything but the database and the keys. */
  function makeCore() {
    const database = openPool(db.url, (error) => report('pool', error))
    const app = makeApp({ database, clock, keys: makeFairKeys(seedKeys, signing), report })
    const checkpoints = makeCheckpoints(app, report)
    const shared = { app, checkpoints, entropy: localEntropy, report }
    const wheel = makeWheel(shared)
    const draws = makeDraws({ ...shared, games: drawGames(DRAW_GAMES) })
    const games = makeGames({ app, draws, locked: () => false })
    const guess: Guess = games.serviceOf('guess')
    const raffle: Raffle = games.serviceOf('raffle')
    const stop = async () => {
      await checkpoints.stop()
      await database.end()
    }
    return { database, app, checkpoints, wheel, draws, games, guess, raffle, stop }
  }

  async function startProcess() {
    const core = makeCore()
    const { database, app, checkpoints, wheel, games } = core
    const directory = makeDirectory(database, 0)
    const tokens = makeTokens(tokenKey)
    const auth = makeAuth({ app, directory, tokens })
    const limits = {
      wheel: { ...WIDE_LIMITS.wheel, ...options.limits?.wheel },
      games: { ...WIDE_LIMITS.games, ...options.limits?.games },
      lobby: { ...WIDE_LIMITS.lobby, ...options.limits?.lobby },
      inbox: { ...WIDE_LIMITS.inbox, ...options.limits?.inbox },
    }
    const crowds = makeCrowds()
    const tamperLog = makeTamperLog(app, report)
    const suspect = options.suspects ? tamperLog.look : () => {}
    const deps = { app, auth, wheel, games, checkpoints, crowds, report, suspect, limits }
    const rooms = makeRooms(deps)
    installGuards({
      ...guardOptionsOf(rooms, deps, options.buckets ?? WIDE),
      limits: { sockets_per_user: 100, sockets_per_address: 5_000, unused_seats_per_address: 5_000 },
    })
    const http = makeHttpServer({ sockets_per_address: 5_000 })
    const server = defineServer({
      greet: false,
      gracefullyShutdown: false,
      transport: makeTransport(http, { limits: { sockets_per_address: 5_000 } }),
      logger: silent,
      rooms,
    })
    await server.listen(0, '127.0.0.1')
    const { port } = http.address() as AddressInfo
    return {
      ...core,
      auth,
      tokens,
      rooms,
      crowds,
      tamperLog,
      server,
      http,
      port,
      url: `http://127.0.0.1:${port}`,
      reports,
      close: async () => {},
      async stop() {
        await server.gracefullyShutdown(false)
        http.closeAllConnections()
        await core.stop()
      },
    }
  }

  let running = await startProcess()
  const tenants = new Map<string, string>()

  async function aTenant(code: string): Promise<string> {
    const id = newId()
    await running.database.query(
      `insert into tenants (id, tenant_code, tenant_name, is_demo, created_at, updated_at) values ($1, $2, $2, true, now(), now())`,
      [id, code],
    )
    await running.database.query('insert into tenant_heads (tenant_id) values ($1)', [id])
    tenants.set(code, id)
    return id
  }
  await aTenant('demo')

  const actor = (userId: string, roles: Role[] = ['player'], tenant = 'demo'): Actor => ({
    tenantId: tenants.get(tenant)!,
    userId,
    roles,
  })

  /** Work inside a tenant, as the server does it. */
  const inTenant = <T>(work: (tx: Tx) => Promise<T>, tenant = 'demo'): Promise<T> =>
    running.app.run(systemActor(tenants.get(tenant)!), (tx) => work(tx), undefined)

  type WheelWish = {
    slug?: string
    tenant?: string
    is_public?: boolean
    spin_config?: Record<string, unknown>
  }

  /** A published wheel with two segments, one of them a prize. Returns its id. */
  async function aWheel({
    slug = 'summer',
    tenant = 'demo',
    is_public = true,
    spin_config = {},
  }: WheelWish = {}) {
    const id = newId()
    await inTenant(async (tx) => {
      const prize = await tx.one<{ id: number }>(
        `insert into gamification_prizes (name, type, value, created_at, updated_at) values ('Ten', 'discount_percentage', '10.00', $1, $1) returning id`,
        [tx.now],
      )
      await tx.rows(
        `insert into wheel_games (id, wheel_name, wheel_slug, spin_config, is_public, spin_chance_for_page_visit, created_at, updated_at)
         values ($1, $2, $2, $3, $4, 1, $5, $5)`,
        [id, slug, JSON.stringify(spin_config), is_public, tx.now],
      )
      await tx.rows(
        `insert into wheel_rewards (id, wheel_game_id, reward_label, reward_slug, reward_type, probability, reward_color, prize_id, reward_position, created_at, updated_at)
         values ($1, $3, '10% off', 'ten', 'prize', 0.25, '#8DC63F', $4, 0, $5, $5),
                ($2, $3, 'Try again', 'none', 'none', 0.75, null, null, 1, $5, $5)`,
        [newId(), newId(), id, prize!.id, tx.now],
      )
    }, tenant)
    await running.wheel.publish(actor('boss', ['operator'], tenant), slug)
    return id
  }

  /** A guess game by `carla` that takes guesses for a minute, unless it says otherwise. Returns its id. */
  async function aGuessGame(wish: Record<string, unknown> = {}, tenant = 'demo'): Promise<string> {
    const carla = actor('carla', ['creator'], tenant)
    const input = gameCreate.parse({
      title: 'Guess the weight',
      mode: 'guess',
      ...(wish['mode'] !== 'draw' && { rule: 'nearest', guess_min: 1, guess_max: 1000 }),
      reward_type: 'product',
      closes_at: new Date(clock.now().getTime() + 60_000).toISOString(),
      ...wish,
    })
    const { id } = (await running.app.run(carla, gameResource().create, { input })) as { id: string }
    await running.guess.publish(carla, id)
    return id
  }

  /** A raffle that sells free tickets for a minute, unless it says otherwise. */
  async function aRaffle(
    wish: Record<string, unknown> = {},
    tenant = 'demo',
  ): Promise<{ id: string; slug: string; draw_id: string }> {
    const boss = actor('boss', ['operator'], tenant)
    const at = (s: number) => new Date(clock.now().getTime() + s * 1_000).toISOString()
    const input = {
      campaign_name: 'Spring raffle',
      campaign_description: null,
      campaign_type: 'raffle',
      is_public: true,
      ticket_price: 0,
      currency: 'EUR',
      total_tickets: 50,
      start_time: at(0),
      end_time: at(60),
      campaign_config: {},
      draws: [{ draw_name: 'Final', draw_time: at(60), winning_tickets: 2, alternates: 1, prize_id: null }],
      ...wish,
    }
    const made: any = await running.app.run(boss, raffleResource().create, { input })
    await running.raffle.publish(boss, made.id)
    return { id: made.id, slug: made.campaign_slug, draw_id: made.draws[0].id }
  }

  /** A game made of the first sample of its kind, by its own routes. Returns its id. */
  async function aSample({ samples: [sample] }: ClosingGame): Promise<string> {
    const boss = actor('boss', ['operator'])
    const post = async ({ path, body }: Asked): Promise<any> => {
      const found = running.games.routes.flatMap((route) => {
        const pattern = route.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')
        const match = new RegExp(`^${pattern}$`).exec(`/api/v1/${path}`)
        return route.method === 'post' && match ? [{ route, params: { ...match.groups } }] : []
      })
      const { route, params } = found[0]!
      const context = {
        params,
        body: route.body?.parse(body),
        actor: boss,
        run: (useCase: never, input: unknown) => running.app.run(boss, useCase, input),
      }
      return route.run(context as never)
    }
    const now = clock.now().getTime()
    const at = (s: number) => new Date(now + s * 1_000).toISOString()
    const { id } = await post(sample!.create({ opens_at: at(0), closes_at: at(60) }))
    await post(sample!.publish(id))
    return id
  }

  /** Lets so much time pass and makes every step of every draw that is due. */
  async function pass(duration_s: number, tenant = 'demo'): Promise<void> {
    clock.advance(duration_s * 1_000)
    await running.draws.advanceDue(tenants.get(tenant)!)
  }

  const grant = (user_id: string, count: number, tenant = 'demo') =>
    running.app.run(actor('boss', ['operator'], tenant), grantChances, { user_id, count, reason: 'test' })

  const setStatus = (game: string, status: 'live' | 'paused' | 'ended', tenant = 'demo') =>
    running.app.run(actor('boss', ['operator'], tenant), changeStatus, { game, status })

  async function token(
    sub: string,
    roles: Role[] = ['player'],
    tenant: string = 'demo',
    ttl_s = 3_600,
  ): Promise<string> {
    return (await running.tokens.sign({ sub, tenant, roles, ttl_s })).token
  }

  function sdk(bearer?: string): Client<any> {
    const client = new Client<any>(`ws://127.0.0.1:${running.port}`)
    if (bearer !== undefined) client.auth.token = bearer
    return client
  }

  /** A joined room whose state has arrived. Broadcasts that a test does not look at are swallowed. */
  async function enter(
    room: string,
    options: Record<string, unknown>,
    bearer?: string,
  ): Promise<WheelSdkRoom> {
    return settled(await sdk(bearer).joinOrCreate(room, options))
  }

  async function settled(joined: SdkRoom<any, any>): Promise<WheelSdkRoom> {
    joined.reconnection.enabled = false
    for (const type of ['spun', 'entered', 'winner', 'phase', 'notice', 'changed'])
      joined.onMessage(type, () => {})
    if (joined.state?.serverTime === undefined || joined.state.serverTime === 0) {
      await new Promise<void>((resolve) => joined.onStateChange.once(() => resolve()))
    }
    return joined
  }

  const play = async (user: string, options: Record<string, unknown> = { game: 'summer' }, tenant = 'demo') =>
    enter('wheel', options, await token(user, ['player'], tenant))
  const watch = (options: Record<string, unknown> = { game: 'summer', tenant: 'demo', spectate: true }) =>
    enter('wheel', options)

  /** The committed results of a wheel, newest first. */
  const results = (wheelId: string) =>
    inTenant((tx) =>
      tx.rows<{ spin_id: string; user_id: string; segment: number; reward_slug: string; win_status: string }>(
        `select s.id as spin_id, s.user_id, h.segment_index as segment, h.reward_slug, r.win_status
         from spin_sessions s
         join spin_results r on r.spin_session_id = s.id
         join wheel_rewards_history h on h.id = r.wheel_reward_id and h.config_version = r.config_version
         join game_events e on e.game_id = $1 and e.event_data->>'spin_id' = s.id::text
         where s.wheel_game_id = $1::uuid
         order by e.game_seq desc`,
        [wheelId],
      ),
    )

  return {
    clock,
    database_url: db.url,
    reports,
    tenants,
    aTenant,
    aWheel,
    aGuessGame,
    aRaffle,
    aSample,
    pass,
    actor,
    grant,
    setStatus,
    token,
    sdk,
    enter,
    settled,
    play,
    watch,
    results,
    inTenant,
    get running() {
      return running
    },
    /** Another process on the same database, without rooms of its own; whoever starts it stops it. */
    anotherProcess: makeCore,
    /** Ends this process's part and starts another on the same database. */
    async restart() {
      await running.stop()
      running = await startProcess()
    },
    async stop() {
      await running.stop()
      await db.drop()
    },
  }
}

export type Stage = Awaited<ReturnType<typeof startStage>>

/** The one room of this process that holds a session. */
export function roomOf(client: SdkRoom<any, any>): Room {
  const room = matchMaker.getLocalRoomById(client.roomId)
  assert.ok(room, `no room ${client.roomId} here`)
  return room as unknown as Room
}

/** Ends a client's socket without a word, as a lost network does. */
export function cutSocket(client: SdkRoom<any, any>): void {
  const server_side = roomOf(client).clients.find((each) => each.sessionId === client.sessionId)
  assert.ok(server_side, 'the client is in the room')
  const { ref } = server_side as unknown as { ref: { terminate(): void } }
  ref.terminate()
}

/** A request's refusal. Fails when it was not refused. */
export async function refusalOf(
  request: Promise<unknown>,
): Promise<{ code: string; message: string; detail: string; [more: string]: any }> {
  const error = await request.then(
    (answer) => assert.fail(`not refused: ${JSON.stringify(answer)}`),
    (thrown: { name: string; reason?: any }) => thrown,
  )
  assert.equal(error.name, 'rejected', String(error))
  return error.reason
}

let count = 0
/** A request id that no other request has. */
export const aRequest = (): string => `req-${process.pid}-${++count}`
