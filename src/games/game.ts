/** What a game that closes is to the house: one record, and one line of index.ts that names it. */
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import type { DrawGame } from '../draws/game.ts'
import type { Draws } from '../draws/service.ts'
import type { Route } from '../http/route.ts'
import type { LobbyEntry } from './lobby.ts'

export type GameDeps = {
  app: App
  draws: Draws
  /** True while nothing new may be promised or taken: the fairness self-test failed. */
  locked: () => boolean
}

/** A request of HTTP, below `/api/v1/`. */
export type Asked = { path: string; body?: object }

/**
 * One way to set up and play a game, as a client would. The contract tests make every sample of every game and play it
 * through all of its doors, so that a game is tested before its author writes a test.
 */
export type GameSample = {
  /** What kind of game it is, for the title of the test. */
  readonly says: string
  /** Its record, as an operator posts it; it takes entries from `opens_at` until `closes_at`. Answers with its `id`. */
  create(times: { opens_at: string; closes_at: string }): Asked
  /** What an operator posts to commit to it. */
  publish(id: string): Asked
  /** What player number `n` (from 0) posts to enter. The key of the request is sent as `Idempotency-Key` too. */
  enter(id: string, n: number, request_id: string): Asked
  /** The same as a message of the room. */
  message(n: number, request_id: string): { type: string; payload: object }
}

export type ClosingGame<Service = any> = {
  /** Of its folder here, of its folder in rooms/ and of its room. */
  readonly name: string
  /** One record for src/draws for each kind of draw that it has. */
  readonly draws: readonly DrawGame<any>[]
  /** What its doors call: made once per process, so that all doors share one batch. */
  serve(deps: GameDeps): Service
  routes(deps: GameDeps, service: Service): Route[]
  /** Its games as the lobby lists them. */
  lobby(tx: Tx): Promise<LobbyEntry[]>
  /** What else falls due beside its draws, for a tenant. Answers when to look again, in milliseconds. */
  tidy?(service: Service, tenantId: string): Promise<number>
  readonly samples: readonly GameSample[]
}
