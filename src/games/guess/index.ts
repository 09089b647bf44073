/** The guess game as the house takes it in. */
import type { ClosingGame, GameSample } from '../game.ts'
import { GIVEAWAY_GAME, GUESS_GAME } from './game.ts'
import { type Guess, makeGuess } from './guess.ts'
import { readGuessEntries } from './lobby.ts'
import { guessRoutes } from './routes.ts'

/** Every player enters once; `value` is left out where there is nothing to guess. */
const sample = (says: string, terms: object, numberOf: (n: number) => number | undefined): GameSample => {
  const guessOf = (n: number, request_id: string) => {
    const value = numberOf(n)
    return { request_id, ...(value !== undefined && { value }) }
  }
  return {
    says,
    create: (times) => ({
      path: 'games',
      body: { title: 'Sample', reward_type: 'product', number_of_winners: 2, ...terms, ...times },
    }),
    publish: (id) => ({ path: `games/${id}/publish` }),
    enter: (id, n, request_id) => ({ path: `games/${id}/guesses`, body: guessOf(n, request_id) }),
    message: (n, request_id) => ({ type: 'guess', payload: guessOf(n, request_id) }),
  }
}
const numbers = { mode: 'guess', rule: 'nearest', guess_min: 1, guess_max: 1_000 }

export const GUESS: ClosingGame<Guess> = {
  name: 'guess',
  draws: [GUESS_GAME, GIVEAWAY_GAME],
  serve: makeGuess,
  routes: (deps, guess) => guessRoutes({ ...deps, guess }),
  lobby: readGuessEntries,
  samples: [
    sample('a number to guess', numbers, (n) => 1 + n * 100),
    sample(
      'guesses that count as they stand at the close',
      { ...numbers, guess_policy: 'replace_until_close' },
      (n) => 7 + n * 100,
    ),
    sample('a giveaway', { mode: 'draw', number_of_alternates: 1 }, () => undefined),
  ],
}
