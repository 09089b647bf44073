/**
 * The lobby of a tenant: a live list of its games. Ours and not Colyseus' LobbyRoom, where one message ends the
 * process (colyseus.md H23) and rooms are listed that a visitor may not know of. Nobody acts here.
 */
import { type AuthContext, CloseCode, Room, ServerError } from '@colyseus/core'
import { z } from 'zod'
import type { App } from '../../src/app.ts'
import type { GameEvent } from '../../src/db/tx.ts'
import { reelId } from '../../src/games/guess/schemas.ts'
import { LOBBY } from '../../src/games/lobby.ts'
import { type LobbySnapshot, readLobby, readLobbySince } from '../../src/games/lobby-list.ts'
import { requestId, sinceRequest } from '../../src/games/wheel/schemas.ts'
import type { Auth } from '../../src/http/auth.ts'
import { systemActor } from '../../src/system.ts'
import { makeAnswer, putOut, type Session, type SessionClient } from '../answer.ts'
import { asServerError, checkReconnect, expectJoinAck, holdSeat, watchExpiry } from '../guard.ts'
import { type JoinOptions, makeOnAuth, type RoomOptions } from '../identity.ts'
import { type LiveGame, makeLiveGame } from '../live-game.ts'
import { COUNT_EVERY_MS, type Crowds } from '../spectators.ts'
import { applyToLobby, LobbyState, loadLobbyState } from './state.ts'

export type LobbyRoomLimits = {
  clients_max: number
  patch_ms: number
  messages_per_second: number
  hold_s: number
  drain_ms: number
}

export const LOBBY_ROOM_LIMITS: Readonly<LobbyRoomLimits> = {
  clients_max: 1_000,
  // A new game has to show within a second.
  patch_ms: 250,
  messages_per_second: 20,
  hold_s: 20,
  drain_ms: 250,
}

export type LobbyRoomDeps = {
  app: Pick<App, 'clock' | 'follow' | 'run'>
  auth: Auth
  crowds: Crowds
  report: (where: string, error: unknown) => void
  limits: LobbyRoomLimits
}

/** A reel that somebody watches ended, and this game can be played now. */
export type ReelEnded = {
  reel_id: string
  game_id: string
  title: string
  status: string
  closes_at: string
}

type LobbyClient = SessionClient<{ notice: { code: string; message: string }; reel_ended: ReelEnded }>

export const LOBBY_REQUESTS = {
  since: sinceRequest.extend({ request_id: requestId.optional() }),
  watch: z.strictObject({ reel_id: reelId.nullable(), request_id: requestId.optional() }),
} satisfies Record<string, z.ZodType>

/** Makes the class of the lobby's rooms. */
export function makeLobbyRoom({ app, auth, crowds, report, limits }: LobbyRoomDeps) {
  const answer = makeAnswer(report)
  const now_ms = () => app.clock.now().getTime()
  const sessions = {
    endsAt_ms: ({ expiresAt }: Session) => expiresAt * 1000,
    stillAllowed: (session: Session) => auth.stillAllowed(session),
  }
  const enter = makeOnAuth({
    auth,
    report,
    is_watch_only: true,
    resolve: async () => ({ gameId: LOBBY, is_public: true }),
  })

  return class LobbyRoom extends Room<{
    state: LobbyState
    metadata: { room_key: string }
    client: LobbyClient
  }> {
    #game: LiveGame<LobbySnapshot> | undefined
    #tenantId = ''
    #only_public = true
    /** Which reel a session watches. */
    #reels = new Map<string, string>()
    #counted_at_ms = Number.NEGATIVE_INFINITY
    override state = new LobbyState()
    override maxClients = limits.clients_max
    override maxMessagesPerSecond = limits.messages_per_second
    override patchRate = limits.patch_ms

    static override onAuth(token: string, options: JoinOptions, context: AuthContext): Promise<Session> {
      return enter(token, options, context)
    }

    override async onCreate(options: RoomOptions): Promise<void> {
      const [tenantId, , door] = (options.room_key ?? '').split('/')
      if (!tenantId || !door) throw new ServerError(404, 'game_not_found')
      this.metadata = { room_key: options.room_key! }
      this.#tenantId = tenantId
      const only_public = door === 'public'
      this.#only_public = only_public
      const system = systemActor(tenantId)
      this.#game = makeLiveGame<LobbySnapshot>({
        report,
        source: {
          follow: (follower) => app.follow(tenantId, LOBBY, follower),
          snapshot: () => app.run(system, readLobby, undefined),
          since: (version) => app.run(system, readLobbySince, version),
        },
        fold: {
          load: (snapshot) => loadLobbyState(this.state, snapshot, only_public),
          apply: (events) => applyToLobby(this.state, events, only_public),
        },
      })
      try {
        await this.#game.start()
      } catch (error) {
        throw asServerError(error, 'lobby.onCreate')
      }
      this.#count()
      this.clock.setInterval(() => this.#tick(), 0)
      watchExpiry(this, sessions)
    }

    override onJoin(client: LobbyClient, options: RoomOptions = {}): void {
      if (options.room_key !== this.metadata.room_key) throw new ServerError(404, 'game_not_found')
      expectJoinAck(this, client)
    }

    override messages = {
      // The list itself and not its events: those also tell of games that this visitor may not know.
      since: answer(
        'lobby.since',
        LOBBY_REQUESTS.since,
        (_client: LobbyClient, { version }) => {
          const server_time = now_ms()
          if (version === this.state.version) return { version, events: [], server_time }
          const games = [...this.state.games.values()].map((game) => game.toJSON())
          return { snapshot: { version: this.state.version, games }, server_time }
        },
        { spectators: true, bucket: 'since' },
      ),
      watch: answer(
        'lobby.watch',
        LOBBY_REQUESTS.watch,
        (client: LobbyClient, { reel_id }) => {
          if (reel_id === null) this.#reels.delete(client.sessionId)
          else this.#reels.set(client.sessionId, reel_id)
          return { reel_id }
        },
        { spectators: true, bucket: 'watch' },
      ),
      _: putOut,
    }

    #tick(): void {
      const elapsed_ms = this.clock.elapsedTime
      for (const event of this.#game!.tick(elapsed_ms))
        if (event.type === 'lobby.reel_ended') this.#tellReel(event)
      if (elapsed_ms - this.#counted_at_ms < COUNT_EVERY_MS) return
      this.#counted_at_ms = elapsed_ms
      this.#count()
    }

    /** Only to those who watch that reel: everybody else has no use for it. */
    #tellReel({ data }: GameEvent): void {
      const { is_public, ...ended } = data as ReelEnded & { is_public: boolean }
      if (this.#only_public && !is_public) return
      for (const client of this.clients)
        if (this.#reels.get(client.sessionId) === ended.reel_id)
          client.send('reel_ended', ended, { afterNextPatch: true })
    }

    #count(): void {
      const total = { players: 0, spectators: 0 }
      for (const game of this.state.games.values()) {
        const { players, spectators } = crowds.of(this.#tenantId, game.gameId)
        game.players = players
        game.spectators = spectators
        total.players += players
        total.spectators += spectators
      }
      this.state.players = total.players
      this.state.spectators = total.spectators
      this.state.serverTime = now_ms()
    }

    override onDrop(client: LobbyClient, code?: number): void {
      holdSeat(this, client, code, limits.hold_s)
    }

    override onReconnect(client: LobbyClient): Promise<void> {
      return checkReconnect(client, sessions)
    }

    override onLeave(client: LobbyClient): void {
      this.#reels.delete(client.sessionId)
    }

    override onDispose(): void {
      this.#game?.stop()
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

export type LobbyRoom = InstanceType<ReturnType<typeof makeLobbyRoom>>
