/** The room of a raffle: `buy` and `tickets` beside what every room of a game does. */
import { z } from 'zod'
import type { App } from '../../src/app.ts'
import type { GameEvent } from '../../src/db/tx.ts'
import type { Raffle } from '../../src/games/raffle/raffle.ts'
import { type RaffleBoard, readOwnTickets } from '../../src/games/raffle/read.ts'
import { buyRequest } from '../../src/games/raffle/schemas.ts'
import { requestId } from '../../src/games/wheel/schemas.ts'
import { actorOf, type SessionClient } from '../answer.ts'
import { type GameRoomDeps, makeGameRoom, type Told } from '../game-room.ts'
import { applyToRaffle, loadRaffle, RaffleState } from './state.ts'

export const RAFFLE_REQUESTS = {
  buy: buyRequest,
  tickets: z
    .strictObject({
      request_id: requestId.optional(),
      cursor: z.uuid().optional(),
      limit: z.int().min(1).max(100).default(20),
    })
    .prefault({}),
}

/** More winners than this in one tick cannot be told apart on a screen; the state has them all. */
const WINNERS_PER_TICK_MAX = 10

/** Makes the class of the rooms of raffles. */
export function makeRaffleRoom(deps: GameRoomDeps & { raffle: Raffle; app: Pick<App, 'run'> }) {
  const { app, raffle } = deps
  return makeGameRoom<RaffleState, RaffleBoard>(deps, {
    name: 'raffle',
    makeView() {
      const state = new RaffleState()
      return {
        state,
        load: (snapshot) => loadRaffle(state, snapshot),
        apply: (events) => applyToRaffle(state, events),
      }
    },
    async find(actor, game) {
      const found = await raffle.find(actor, game)
      return found?.campaign_status === 'draft' ? undefined : found
    },
    snapshot: (reader, id) => raffle.board(reader, id),
    since: (reader, id, version) => raffle.since(reader, id, version),
    tell: toldOf,
    messages: (answer) => ({
      buy: answer(
        'raffle.buy',
        RAFFLE_REQUESTS.buy,
        async (_client: SessionClient, { request_id, ...asked }, session) =>
          (await raffle.buy(actorOf(session), session.gameId, { ...asked, request_id: `room:${request_id}` }))
            .answer,
        { bucket: 'buy' },
      ),
      tickets: answer(
        'raffle.tickets',
        RAFFLE_REQUESTS.tickets,
        (_client: SessionClient, { cursor, limit }, session) =>
          app.run(actorOf(session), readOwnTickets, {
            ref: session.gameId,
            limit,
            ...(cursor !== undefined && { cursor }),
          }),
        { bucket: 'mine' },
      ),
    }),
  })
}

/** In a storm of sales the newest count is told with the numbers that went; of a crowd of winners the newest ones. */
function toldOf(events: readonly GameEvent[]): Told[] {
  const winners = events.filter((event) => event.type === 'draw.revealed')
  return [
    ...numbersOf(events),
    ...winners
      .slice(-WINNERS_PER_TICK_MAX)
      .map(({ seq, at, data }) => ({ type: 'winner', message: { version: seq, at, ...data } })),
    ...events.flatMap(noticeOf),
  ]
}

/** What a wall of tickets has to turn over: numbers that are gone, held, or back. */
const NUMBERS_MAX = 500

function numbersOf(events: readonly GameEvent[]): Told[] {
  const sold = events.findLast((event) => event.type === 'raffle.tickets')
  const of = (type: string) =>
    events
      .filter((event) => event.type === type)
      .flatMap(({ data }) =>
        type === 'raffle.tickets'
          ? (data['sales'] as { numbers: number[] }[]).flatMap((sale) => sale.numbers)
          : (data['numbers'] as number[]),
      )
      .slice(-NUMBERS_MAX)
  const [gone, held, back] = ['raffle.tickets', 'raffle.held', 'raffle.released'].map(of)
  if (gone!.length + held!.length + back!.length === 0) return []
  const version = events.at(-1)!.seq
  const message = { version, gone, held, back, ...(sold && { sold: sold.data['sold_tickets'] }) }
  return [{ type: 'entered', message }]
}

function noticeOf({ type, data }: GameEvent): Told[] {
  const { draw_id } = data
  if (type === 'draw.cancelled') {
    const message = {
      code: 'cancelled',
      message: 'A draw ended without an outcome.',
      draw_id,
      reason: data['reason'],
    }
    return [{ type: 'notice', message }]
  }
  if (type === 'draw.postponed') {
    const message = { code: 'postponed', message: 'The draw waits for a later beacon round.', draw_id }
    return [{ type: 'notice', message }]
  }
  if (type === 'raffle.instant_win') {
    const message = { code: 'instant_win', message: 'A number has won at once.', ...data }
    return [{ type: 'notice', message }]
  }
  return []
}

export type RaffleRoom = InstanceType<ReturnType<typeof makeRaffleRoom>>
