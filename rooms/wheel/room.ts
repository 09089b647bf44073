/**
 * The room of a wheel: a door and a window. Requests go to the use cases of the wheel, the state is the fold of
 * its committed events, and nothing is decided or remembered here, so that there may be any number of rooms of
 * one wheel and each may die at any time. Players and spectators sit in rooms of their own: the crowd gets a
 * slower patch and cannot slow the players down (K-03).
 */
import { type AuthContext, CloseCode, Room, ServerError } from '@colyseus/core'
import { z } from 'zod'
import type { App } from '../../src/app.ts'
import type { Actor, GameEvent } from '../../src/db/tx.ts'
import type { WheelSnapshot } from '../../src/games/wheel/read.ts'
import {
  joinRoundRequest,
  requestId,
  rotateRequest,
  sinceRequest,
  spinRequest,
} from '../../src/games/wheel/schemas.ts'
import type { Wheel } from '../../src/games/wheel/wheel.ts'
import type { Auth } from '../../src/http/auth.ts'
import type { Checkpoints } from '../../src/proofs/checkpoints.ts'
import { actorOf, makeAnswer, putOut, type Session, type SessionClient, type Suspect } from '../answer.ts'
import { asServerError, checkReconnect, expectJoinAck, holdSeat, watchExpiry } from '../guard.ts'
import { briefly, type JoinOptions, makeOnAuth, type RoomOptions } from '../identity.ts'
import { type LiveGame, makeLiveGame } from '../live-game.ts'
import { COUNT_EVERY_MS, type Crowds } from '../spectators.ts'
import { applyToWheel, loadWheel, makeWheelView, opensAtOf, type Phase, phaseOf } from './state.ts'

export type WheelRoomLimits = {
  /** One room; more players open another room of the same wheel. */
  players_max: number
  spectators_max: number
  players_patch_ms: number
  spectators_patch_ms: number
  messages_per_second: number
  /** How long the seat of a client whose network failed is kept. */
  hold_s: number
  /** Between the notice of a shutdown and the end: what was asked before is answered. */
  drain_ms: number
}

export const WHEEL_ROOM_LIMITS: Readonly<WheelRoomLimits> = {
  players_max: 500,
  spectators_max: 1_000,
  players_patch_ms: 50,
  spectators_patch_ms: 250,
  messages_per_second: 20,
  hold_s: 20,
  drain_ms: 250,
}

export type WheelRoomDeps = {
  app: Pick<App, 'clock' | 'follow'>
  auth: Auth
  wheel: Wheel
  checkpoints: Checkpoints
  crowds: Crowds
  report: (where: string, error: unknown) => void
  suspect: Suspect
  limits: WheelRoomLimits
}

/** What everybody in the room is told. */
export type WheelBroadcasts = {
  /** One per result, right after the patch that holds it. In a flood only the newest of a tick. */
  spun: { version: number; at: string } & Record<string, unknown>
  phase: { phase: Phase; version: number }
  notice: { code: 'shutting_down' | 'published' | 'exhausted'; message: string } & Record<string, unknown>
}

type WheelClient = SessionClient<WheelBroadcasts>

/** More results than this in one tick cannot be told apart on a screen; the state has the newest anyway. */
const SPUN_PER_TICK_MAX = 10

const marked = { request_id: requestId.optional() }
const nothing = z.strictObject(marked).nullish()

/** What each request takes. The shapes are those of the HTTP routes, with the request's id in the body. */
export const WHEEL_REQUESTS = {
  spin: spinRequest,
  chances: nothing,
  since: sinceRequest.extend(marked),
  visit: nothing,
  seed_pair: nothing,
  rotate: rotateRequest.extend({ request_id: requestId }),
  join_round: joinRoundRequest.extend({ request_id: requestId }),
}

/** Makes the class of the wheel's rooms, closed over what they lead to. */
export function makeWheelRoom(deps: WheelRoomDeps) {
  const { app, auth, wheel, checkpoints, crowds, report, suspect, limits } = deps
  const answer = makeAnswer(report, suspect)
  const now_ms = () => app.clock.now().getTime()
  // Tokens live in the machine's time, also under a test clock (auth.ts).
  const sessions = {
    endsAt_ms: ({ expiresAt }: Session) => expiresAt * 1000,
    stillAllowed: (session: Session) => auth.stillAllowed(session),
  }
  const entrance = briefly(async (actor, game) => {
    const head = await wheel.find(actor, game)
    return head && { gameId: head.id, is_public: head.is_public }
  })
  const enter = makeOnAuth({
    auth,
    report,
    resolve: async (actor, game) => (game === undefined ? undefined : entrance(actor, game)),
  })

  return class WheelRoom extends Room<{
    state: ReturnType<typeof makeWheelView>['state']
    metadata: { room_key: string }
    client: WheelClient
  }> {
    #view = makeWheelView()
    #game: LiveGame<WheelSnapshot> | undefined
    #crowd = { tenantId: '', gameId: '' }
    #counted_at_ms = Number.NEGATIVE_INFINITY
    #ends: (() => void)[] = []
    override state = this.#view.state
    override maxClients = limits.players_max
    override maxMessagesPerSecond = limits.messages_per_second
    override patchRate = limits.players_patch_ms

    static override onAuth(token: string, options: JoinOptions, context: AuthContext): Promise<Session> {
      return enter(token, options, context)
    }

    override async onCreate(options: RoomOptions): Promise<void> {
      const [tenantId, gameId, door] = (options.room_key ?? '').split('/')
      if (!tenantId || !gameId || !door) throw new ServerError(404, 'game_not_found')
      this.metadata = { room_key: options.room_key! }
      if (door === 'watch') {
        this.maxClients = limits.spectators_max
        this.patchRate = limits.spectators_patch_ms
      }
      try {
        await this.#open({ tenantId, gameId }, door)
      } catch (error) {
        this.#close()
        throw asServerError(error, 'wheel.onCreate')
      }
    }

    async #open(place: { tenantId: string; gameId: string }, door: string): Promise<void> {
      const { tenantId, gameId } = place
      // The room itself reads what anybody may see.
      const reader: Actor = { tenantId, userId: '', roles: ['spectator'] }
      const game = makeLiveGame<WheelSnapshot>({
        report,
        source: {
          follow: (follower) => app.follow(tenantId, gameId, follower),
          snapshot: () => wheel.snapshot(reader, gameId),
          since: (version) => wheel.since(reader, gameId, version),
        },
        fold: {
          load: (snapshot) => loadWheel(this.#view, snapshot),
          apply: (events) => applyToWheel(this.#view, events),
        },
      })
      this.#game = game
      this.#crowd = place
      this.#ends.push(() => game.stop())
      this.#ends.push(crowds.enter(tenantId, gameId, door === 'watch' ? 'spectators' : 'players', this))
      this.state.checkpoint = checkpoints.latest(tenantId) ?? ''
      this.#ends.push(
        checkpoints.follow(tenantId, (note) => {
          this.state.checkpoint = note
        }),
      )
      await game.start()
      this.state.phase = phaseOf(this.#view, app.clock.now())
      this.state.opensAt = opensAtOf(this.#view, app.clock.now())
      this.#count()
      this.clock.setInterval(() => this.#tick(), 0)
      watchExpiry(this, sessions)
    }

    #close(): void {
      for (const end of this.#ends) end()
      this.#ends = []
    }

    override onJoin(client: WheelClient, options: RoomOptions = {}): void {
      // joinById and a seat that was asked for by hand come past the key by which rooms are chosen.
      if (options.room_key !== this.metadata.room_key) throw new ServerError(404, 'game_not_found')
      expectJoinAck(this, client)
    }

    override messages = {
      spin: answer(
        'wheel.spin',
        WHEEL_REQUESTS.spin,
        async (_client: WheelClient, input, session) => {
          const spun = await wheel.spin(actorOf(session), { wheel_id: session.gameId, ...input })
          return spun.answer
        },
        { bucket: 'spin' },
      ),
      chances: answer('wheel.chances', WHEEL_REQUESTS.chances, (_client: WheelClient, _input, session) =>
        wheel.chances(actorOf(session), session.gameId),
      ),
      since: answer(
        'wheel.since',
        WHEEL_REQUESTS.since,
        async (_client: WheelClient, { version }) => ({
          ...(await this.#game!.since(version)),
          server_time: now_ms(),
        }),
        { spectators: true, bucket: 'since' },
      ),
      visit: answer('wheel.visit', WHEEL_REQUESTS.visit, (_client: WheelClient, _input, session) =>
        wheel.visit(actorOf(session), session.gameId),
      ),
      seed_pair: answer(
        'wheel.seed_pair',
        WHEEL_REQUESTS.seed_pair,
        (_client: WheelClient, _input, session) => wheel.seedPair(actorOf(session), session.gameId),
      ),
      rotate: answer(
        'wheel.rotate',
        WHEEL_REQUESTS.rotate,
        (_client: WheelClient, input, session) => wheel.rotate(actorOf(session), session.gameId, input),
        { bucket: 'rotate' },
      ),
      join_round: answer(
        'wheel.join_round',
        WHEEL_REQUESTS.join_round,
        (_client: WheelClient, { client_entropy }, session) =>
          wheel.joinRound(actorOf(session), session.gameId, client_entropy),
        { bucket: 'join_round' },
      ),
      _: putOut,
    }

    /** Runs inside the patch, before it is encoded: what is folded here leaves with it, what is told right after it. */
    #tick(): void {
      const elapsed_ms = this.clock.elapsedTime
      const events = this.#game!.tick(elapsed_ms)
      if (events.length > 0) this.#tell(events)
      if (elapsed_ms - this.#counted_at_ms >= COUNT_EVERY_MS) {
        this.#counted_at_ms = elapsed_ms
        this.#count()
      }
      this.#tellPhase()
    }

    #tell(events: readonly GameEvent[]): void {
      const spins = events.filter((event) => event.type === 'wheel.spun')
      for (const { seq, at, data } of spins.slice(-SPUN_PER_TICK_MAX)) {
        this.broadcast('spun', { version: seq, at, ...data }, { afterNextPatch: true })
      }
      for (const { type, data } of events) {
        if (type === 'wheel.published') {
          this.#notice('published', 'The wheel has a new version.', {
            config_version: data['config_version'],
          })
          this.#renewPairs()
        }
        if (type === 'wheel.exhausted')
          this.#notice('exhausted', 'A reward is used up.', { reward_slug: data['reward_slug'] })
      }
    }

    /** A pair is bound to a version: without this everybody's next spin would wait for a commitment and a checkpoint. */
    #renewPairs(): void {
      const players = this.clients.flatMap(({ auth }) =>
        auth === undefined || auth.watches ? [] : [actorOf(auth)],
      )
      wheel
        .renewPairs(players, this.#crowd.gameId)
        .catch((error: unknown) => report('wheel.renewPairs', error))
    }

    #notice(
      code: WheelBroadcasts['notice']['code'],
      message: string,
      facts: Record<string, unknown> = {},
    ): void {
      this.broadcast('notice', { code, message, ...facts }, { afterNextPatch: true })
    }

    /** The clock, the counts: once a second, however many come and go in it. */
    #count(): void {
      const { players, spectators } = crowds.of(this.#crowd.tenantId, this.#crowd.gameId)
      this.state.serverTime = now_ms()
      this.state.players = players
      this.state.spectators = spectators
    }

    #tellPhase(): void {
      const phase = phaseOf(this.#view, app.clock.now())
      if (phase === this.state.phase) return
      this.state.phase = phase
      this.state.opensAt = opensAtOf(this.#view, app.clock.now())
      this.broadcast('phase', { phase, version: this.#game!.version }, { afterNextPatch: true })
    }

    override onDrop(client: WheelClient, code?: number): void {
      holdSeat(this, client, code, limits.hold_s)
    }

    override onReconnect(client: WheelClient): Promise<void> {
      return checkReconnect(client, sessions)
    }

    override onDispose(): void {
      this.#close()
    }

    override onBeforeShutdown(): void {
      if (this.clients.length === 0) return void this.disconnect(CloseCode.SERVER_SHUTDOWN)
      this.broadcast('notice', {
        code: 'shutting_down',
        message: 'The server restarts; join again in a moment.',
      })
      this.clock.setTimeout(() => void this.disconnect(CloseCode.SERVER_SHUTDOWN), limits.drain_ms)
    }
  }
}

export type WheelRoom = InstanceType<ReturnType<typeof makeWheelRoom>>
