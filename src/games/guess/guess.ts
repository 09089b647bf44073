/** Guess games as doors use them: HTTP routes, rooms, jobs and the load test call the same functions. */
import type { App } from '../../app.ts'
import { makeBatcher } from '../../db/batch.ts'
import type { Actor } from '../../db/tx.ts'
import type { Draws } from '../../draws/service.ts'
import { systemActor } from '../../system.ts'
import {
  extendGame,
  type GameView,
  type MyGuess,
  pauseGame,
  publishGame,
  readGame,
  readMyGuesses,
  resumeGame,
} from './games.ts'
import { type GuessAnswer, type GuessInput, type GuessReply, guessBatch } from './guesses.ts'
import { findGuessGame, type GuessSnapshot, readGuessSince, readGuessSnapshot } from './read.ts'

export type GuessRequest = { game_id: string; request_id: string; value: number | null }

export type Guess = {
  /** One guess of the actor, however often it is asked for with the same request_id. */
  guess(actor: Actor, request: GuessRequest): Promise<{ answer: GuessAnswer; replayed: boolean }>
  /** Commits to a draft and opens it when its time has come. */
  publish(actor: Actor, game_id: string): Promise<GameView>
  pause(actor: Actor, input: { game_id: string; minutes: number; why: string }): Promise<GameView>
  resume(actor: Actor, game_id: string): Promise<GameView>
  extend(actor: Actor, input: { game_id: string; closes_at: Date; why: string }): Promise<GameView>
  read(actor: Actor, game_id: string): Promise<GameView>
  /** The actor's own guesses, replaced ones too. */
  mine(actor: Actor, game_id: string): Promise<MyGuess[]>
  /** The game that this actor may enter, for rooms. */
  find(actor: Actor, game: string): ReturnType<typeof findGuessGame>
  snapshot(actor: Actor, game_id: string): Promise<GuessSnapshot>
  since(actor: Actor, game_id: string, version: number): ReturnType<typeof readGuessSince>
  stats(): ReturnType<ReturnType<typeof makeBatcher>['stats']>
}

export function makeGuess({ app, draws }: { app: App; draws: Draws }): Guess {
  const { games, entropy } = draws
  const guesses = makeBatcher<GuessInput, GuessReply>({
    // Every guess of a game stands in one line at its draw's row: a second lane would only wait there.
    lane_count: 1,
    run: (tenantId, items) =>
      app.run(systemActor(tenantId), (tx, inputs: readonly GuessInput[]) => guessBatch(tx, inputs), items),
  })
  const read = (actor: Actor, game_id: string) => app.run(actor, readGame, { game_id, games })
  return {
    async guess(actor, request) {
      const reply = await guesses.submit(actor.tenantId, actor.userId, { actor, ...request })
      return { answer: JSON.parse(reply.text) as GuessAnswer, replayed: reply.replayed }
    },
    async publish(actor, game_id) {
      await draws.promise(actor, publishGame, { game_id, entropy }, ({ draw_id }) => [draw_id])
      return read(actor, game_id)
    },
    async pause(actor, input) {
      await draws.inPublic(actor, pauseGame, { ...input, games })
      return read(actor, input.game_id)
    },
    async resume(actor, game_id) {
      await draws.inPublic(actor, resumeGame, { game_id, games })
      return read(actor, game_id)
    },
    async extend(actor, input) {
      await draws.inPublic(actor, extendGame, { ...input, games })
      return read(actor, input.game_id)
    },
    read,
    mine: (actor, game_id) => app.run(actor, readMyGuesses, { game_id }),
    find: (actor, game) => app.run(actor, findGuessGame, game),
    snapshot: (actor, game_id) => app.run(actor, readGuessSnapshot, { game_id, games }),
    since: (actor, game_id, version) => app.run(actor, readGuessSince, { game_id, version, games }),
    stats: () => guesses.stats(),
  }
}
