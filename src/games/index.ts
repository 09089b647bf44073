/** The registry of games that close: one line per game. */
import type { DrawGame } from '../draws/game.ts'
import type { Route } from '../http/route.ts'
import type { ClosingGame, GameDeps } from './game.ts'
import { GUESS } from './guess/index.ts'
import { RAFFLE } from './raffle/index.ts'

// biome-ignore format: a game is a line.
export const GAMES: readonly ClosingGame[] = [
  GUESS,
  RAFFLE,
]

export const DRAW_GAMES: readonly DrawGame<any>[] = GAMES.flatMap((game) => game.draws)

export type Games = {
  /** What the doors of a game call. A name that is not in the registry is a bug of the caller. */
  serviceOf(name: string): any
  routes: Route[]
  /** What keepers do for games beside their draws. */
  tidies: { name: string; tidy(tenantId: string): Promise<number> }[]
}

/** Makes what every game of the registry needs in a process. */
export function makeGames(deps: GameDeps): Games {
  const services = new Map(GAMES.map((game) => [game.name, game.serve(deps)]))
  const serviceOf = (name: string) => {
    if (!services.has(name)) throw new Error(`there is no game called ${name}`)
    return services.get(name)
  }
  return {
    serviceOf,
    routes: GAMES.flatMap((game) => game.routes(deps, serviceOf(game.name))),
    tidies: GAMES.flatMap(({ name, tidy }) =>
      tidy === undefined
        ? []
        : { name, tidy: (tenantId: string): Promise<number> => tidy(serviceOf(name), tenantId) },
    ),
  }
}
