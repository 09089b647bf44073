/** The raffle as the house takes it in. */
import type { ClosingGame, GameSample } from '../game.ts'
import { RAFFLE_DRAW } from './game.ts'
import { readRaffleEntries } from './lobby.ts'
import { makeRaffle, type Raffle } from './raffle.ts'
import { raffleRoutes } from './routes.ts'

/** Every player takes two free tickets. */
const sample = (says: string, campaign_config: object): GameSample => ({
  says,
  create: ({ opens_at, closes_at }) => ({
    path: 'raffles',
    body: {
      campaign_name: says,
      ticket_price: 0,
      total_tickets: 100,
      start_time: opens_at,
      end_time: closes_at,
      campaign_config,
      draws: [{ draw_name: 'Final', draw_time: closes_at, winning_tickets: 2, alternates: 1 }],
    },
  }),
  publish: (id) => ({ path: `raffles/${id}/publish` }),
  enter: (id) => ({ path: `raffles/${id}/tickets`, body: { quantity: 2 } }),
  message: (_n, request_id) => ({ type: 'buy', payload: { request_id, quantity: 2 } }),
})

export const RAFFLE: ClosingGame<Raffle> = {
  name: 'raffle',
  draws: [RAFFLE_DRAW],
  serve: makeRaffle,
  routes: (deps, raffle) => raffleRoutes({ ...deps, raffle }),
  lobby: readRaffleEntries,
  tidy: (raffle, tenantId) => raffle.tidy(tenantId),
  samples: [
    sample('A raffle in which a ticket wins', {}),
    sample('A raffle in which one person wins once', { repeat_winners: false }),
  ],
}
