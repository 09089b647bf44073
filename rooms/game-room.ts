/**
 * The room of a game: a door and a window. Requests go to use cases, the state is the fold of committed events, and
 * nothing is decided or remembered here, so that there may be any number of rooms of one game and each may die at any
 * time. Players and spectators sit in rooms of their own: the crowd gets a slower patch and cannot slow the players
 * down (K-03). What a game shows and what may be asked of it is its `GameRoomKind`; all else is this file.
 */
import { type AuthContext, CloseCode, Room, ServerError } from '@colyseus/core'
import type { App } from '../src/app.ts'
import type { Actor, GameEvent } from '../src/db/tx.ts'
import { requestId, sinceRequest } from '../src/games/wheel/schemas.ts'
import type { Auth } from '../src/http/auth.ts'
import type { Checkpoints } from '../src/proofs/checkpoints.ts'
import {
  type Answer,
  type AnyHandler,
  actorOf,
  makeAnswer,
  putOut,
  type Session,
  type SessionClient,
  type Suspect,
} from './answer.ts'
import { asServerError, checkReconnect, expectJoinAck, holdSeat, watchExpiry } from './guard.ts'
import { briefly, type JoinOptions, makeOnAuth, type RoomOptions } from './identity.ts'
import { type GameFold, type GameSource, type LiveGame, makeLiveGame } from './live-game.ts'
import { COUNT_EVERY_MS, type Crowds } from './spectators.ts'

export type GameRoomLimits = {
  /** One room; more players open another room of the same game. */
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

export const GAME_ROOM_LIMITS: Readonly<GameRoomLimits> = {
  players_max: 500,
  spectators_max: 1_000,
  players_patch_ms: 50,
  spectators_patch_ms: 250,
  messages_per_second: 20,
  hold_s: 20,
  drain_ms: 250,
}

export type GameRoomDeps = {
  app: Pick<App, 'clock' | 'follow'>
  auth: Auth
  checkpoints: Checkpoints
  crowds: Crowds
  report: (where: string, error: unknown) => void
  suspect: Suspect
  limits: GameRoomLimits
}

/** The part of every state that is written here. */
export type GameState = {
  phase: string
  serverTime: number
  players: number
  spectators: number
  checkpoint: string
}

/** Something that everybody is told, right after the patch that holds it. */
export type Told = { type: string; message: Record<string, unknown> }

/** A room's state and what keeps it true. */
export type GameView<State extends GameState, Snapshot> = GameFold<Snapshot> & {
  readonly state: State
  /** Sets what a clock changes without an event, such as the phase of a game with hours. Called once per tick. */
  keepTime?(now: Date): void
}

export type GameRoomKind<State extends GameState, Snapshot extends { version: number }> = {
  /** Of the room. */
  name: string
  makeView(): GameView<State, Snapshot>
  /** The game that this actor may see under that name. */
  find(actor: Actor, game: string): Promise<{ id: string; is_public: boolean } | undefined>
  snapshot(reader: Actor, gameId: string): Promise<Snapshot>
  since(reader: Actor, gameId: string, version: number): ReturnType<GameSource<Snapshot>['since']>
  /** What of these events is told, in order. A change of phase is told anyway. */
  tell(events: readonly GameEvent[]): Told[]
  /** Hears the same events, and who sits here: for work that those who play will need soon. */
  prepare?(events: readonly GameEvent[], gameId: string, players: () => Actor[]): Promise<void>
  /** Requests beside `since`. */
  messages(answer: Answer): Record<string, AnyHandler>
}

const SINCE_REQUEST = sinceRequest.extend({ request_id: requestId.optional() })

/** Makes the class of a game's rooms, closed over what they lead to. */
export function makeGameRoom<State extends GameState, Snapshot extends { version: number }>(
  deps: GameRoomDeps,
  kind: GameRoomKind<State, Snapshot>,
) {
  const { app, auth, checkpoints, crowds, report, suspect, limits } = deps
  const answer = makeAnswer(report, suspect)
  const now_ms = () => app.clock.now().getTime()
  // Tokens live in the machine's time, also under a test clock (auth.ts).
  const sessions = {
    endsAt_ms: ({ expiresAt }: Session) => expiresAt * 1000,
    stillAllowed: (session: Session) => auth.stillAllowed(session),
  }
  const entrance = briefly(async (actor, game) => {
    const found = await kind.find(actor, game)
    return found && { gameId: found.id, is_public: found.is_public }
  })
  const enter = makeOnAuth({
    auth,
    report,
    resolve: async (actor, game) => (game === undefined ? undefined : entrance(actor, game)),
  })

  return class GameRoom extends Room<{
    state: State
    metadata: { room_key: string }
    client: SessionClient
  }> {
    #view = kind.makeView()
    #game: LiveGame<Snapshot> | undefined
    #crowd = { tenantId: '', gameId: '' }
    #phase = ''
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
        throw asServerError(error, `${kind.name}.onCreate`)
      }
    }

    async #open(place: { tenantId: string; gameId: string }, door: string): Promise<void> {
      const { tenantId, gameId } = place
      // The room itself reads what anybody may see.
      const reader: Actor = { tenantId, userId: '', roles: ['spectator'] }
      const game = makeLiveGame<Snapshot>({
        report,
        source: {
          follow: (follower) => app.follow(tenantId, gameId, follower),
          snapshot: () => kind.snapshot(reader, gameId),
          since: (version) => kind.since(reader, gameId, version),
        },
        fold: this.#view,
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
      this.#view.keepTime?.(app.clock.now())
      this.#phase = this.state.phase
      this.#count()
      this.clock.setInterval(() => this.#tick(), 0)
      watchExpiry(this, sessions)
    }

    #close(): void {
      for (const end of this.#ends) end()
      this.#ends = []
    }

    override onJoin(client: SessionClient, options: RoomOptions = {}): void {
      // joinById and a seat that was asked for by hand come past the key by which rooms are chosen.
      if (options.room_key !== this.metadata.room_key) throw new ServerError(404, 'game_not_found')
      expectJoinAck(this, client)
    }

    override messages = {
      ...kind.messages(answer),
      since: answer(
        `${kind.name}.since`,
        SINCE_REQUEST,
        async (_client: SessionClient, { version }) => ({
          ...(await this.#game!.since(version)),
          server_time: now_ms(),
        }),
        { spectators: true, bucket: 'since' },
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
      this.#view.keepTime?.(app.clock.now())
      this.#tellPhase()
    }

    #tell(events: readonly GameEvent[]): void {
      for (const { type, message } of kind.tell(events))
        this.broadcast(type, message, { afterNextPatch: true })
      kind
        .prepare?.(events, this.#crowd.gameId, () => this.#players())
        .catch((error: unknown) => report(`${kind.name}.prepare`, error))
    }

    #players(): Actor[] {
      return this.clients.flatMap(({ auth: session }) =>
        session === undefined || session.watches ? [] : [actorOf(session)],
      )
    }

    /** The clock, the counts: once a second, however many come and go in it. */
    #count(): void {
      const { players, spectators } = crowds.of(this.#crowd.tenantId, this.#crowd.gameId)
      this.state.serverTime = now_ms()
      this.state.players = players
      this.state.spectators = spectators
    }

    #tellPhase(): void {
      const { phase } = this.state
      if (phase === this.#phase) return
      this.#phase = phase
      this.broadcast('phase', { phase, version: this.#game!.version }, { afterNextPatch: true })
    }

    override onDrop(client: SessionClient, code?: number): void {
      holdSeat(this, client, code, limits.hold_s)
    }

    override onReconnect(client: SessionClient): Promise<void> {
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
