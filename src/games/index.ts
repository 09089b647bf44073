/** The registry of games that close: one line per game. */
import type { DrawGame } from '../draws/game.ts'

export const DRAW_GAMES: readonly DrawGame<any>[] = []
