/** The registry of games that close: one line per game. */
import type { DrawGame } from '../draws/game.ts'
import { GIVEAWAY_GAME, GUESS_GAME } from './guess/game.ts'
import { RAFFLE } from './raffle/game.ts'

export const DRAW_GAMES: readonly DrawGame<any>[] = [GUESS_GAME, GIVEAWAY_GAME, RAFFLE]
