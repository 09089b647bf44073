/** The room of a guess game: `guess` and `mine` beside what every room of a game does. */
import { z } from 'zod'
import type { GameEvent } from '../../src/db/tx.ts'
import type { Guess } from '../../src/games/guess/guess.ts'
import type { GuessSnapshot } from '../../src/games/guess/read.ts'
import { guessRequest } from '../../src/games/guess/schemas.ts'
import { requestId } from '../../src/games/wheel/schemas.ts'
import { actorOf, type SessionClient } from '../answer.ts'
import { type GameRoomDeps, makeGameRoom, type Told } from '../game-room.ts'
import { applyToGuess, GuessState, loadGuess } from './state.ts'

export const GUESS_REQUESTS = {
  guess: guessRequest,
  mine: z.strictObject({ request_id: requestId.optional() }).nullish(),
}

/** More winners than this in one tick cannot be told apart on a screen; the state has them all. */
const WINNERS_PER_TICK_MAX = 10

/** Makes the class of the rooms of guess games. */
export function makeGuessRoom(deps: GameRoomDeps & { guess: Guess }) {
  const { guess } = deps
  return makeGameRoom<GuessState, GuessSnapshot>(deps, {
    name: 'guess',
    makeView() {
      const state = new GuessState()
      return {
        state,
        load: (snapshot) => loadGuess(state, snapshot),
        apply: (events) => applyToGuess(state, events),
      }
    },
    find: (actor, game) => guess.find(actor, game),
    snapshot: (reader, id) => guess.snapshot(reader, id),
    since: (reader, id, version) => guess.since(reader, id, version),
    tell: toldOf,
    messages: (answer) => ({
      guess: answer(
        'guess.guess',
        GUESS_REQUESTS.guess,
        async (_client: SessionClient, input, session) =>
          (await guess.guess(actorOf(session), { game_id: session.gameId, ...input })).answer,
        { bucket: 'guess' },
      ),
      mine: answer(
        'guess.mine',
        GUESS_REQUESTS.mine,
        async (_client: SessionClient, _input, session) => ({
          guesses: await guess.mine(actorOf(session), session.gameId),
        }),
        { bucket: 'mine' },
      ),
    }),
  })
}

/** In a storm of guesses only their newest count is told, and of a crowd of winners the newest ones. */
function toldOf(events: readonly GameEvent[]): Told[] {
  const entered = events.findLast((event) => event.type === 'game.entered')
  const winners = events.filter(
    (event) => event.type === 'draw.revealed' && event.data['is_alternate'] !== true,
  )
  return [
    ...(entered
      ? [{ type: 'entered', message: { version: entered.seq, entries: entered.data['entry_count'] } }]
      : []),
    ...winners
      .slice(-WINNERS_PER_TICK_MAX)
      .map(({ seq, at, data }) => ({ type: 'winner', message: { version: seq, at, ...data } })),
    ...events.flatMap(noticeOf),
  ]
}

function noticeOf({ type, data }: GameEvent): Told[] {
  if (type === 'draw.cancelled') {
    const message = { code: 'cancelled', message: 'The game was called off.', reason: data['reason'] }
    return [{ type: 'notice', message }]
  }
  if (type === 'draw.paused') {
    const message = 'The game is paused.'
    return [
      { type: 'notice', message: { code: 'paused', message, until: data['paused_until'], why: data['why'] } },
    ]
  }
  if (type === 'draw.resumed')
    return [{ type: 'notice', message: { code: 'resumed', message: 'The game goes on.' } }]
  if (type === 'draw.extended') {
    const message = 'The game closes later.'
    return [
      {
        type: 'notice',
        message: { code: 'extended', message, closes_at: data['closes_at'], why: data['why'] },
      },
    ]
  }
  if (type === 'draw.postponed') {
    const message = {
      code: 'postponed',
      message: 'The draw waits for a later beacon round.',
      round: data['to'],
    }
    return [{ type: 'notice', message }]
  }
  return []
}

export type GuessRoom = InstanceType<ReturnType<typeof makeGuessRoom>>
