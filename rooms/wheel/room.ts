/** The room of a wheel: spins, chances and seed pairs beside what every room of a game does. */
import { z } from 'zod'
import type { GameEvent } from '../../src/db/tx.ts'
import type { WheelSnapshot } from '../../src/games/wheel/read.ts'
import { joinRoundRequest, requestId, rotateRequest, spinRequest } from '../../src/games/wheel/schemas.ts'
import type { Wheel } from '../../src/games/wheel/wheel.ts'
import { actorOf, type SessionClient } from '../answer.ts'
import { type GameRoomDeps, makeGameRoom, type Told } from '../game-room.ts'
import { applyToWheel, keepWheelTime, loadWheel, makeWheelView, type WheelState } from './state.ts'

/** More results than this in one tick cannot be told apart on a screen; the state has the newest anyway. */
const SPUN_PER_TICK_MAX = 10

const nothing = z.strictObject({ request_id: requestId.optional() }).nullish()

/** What each request takes. The shapes are those of the HTTP routes, with the request's id in the body. */
export const WHEEL_REQUESTS = {
  spin: spinRequest,
  chances: nothing,
  visit: nothing,
  seed_pair: nothing,
  rotate: rotateRequest.extend({ request_id: requestId }),
  join_round: joinRoundRequest.extend({ request_id: requestId }),
}

/** Makes the class of the wheel's rooms. */
export function makeWheelRoom(deps: GameRoomDeps & { wheel: Wheel }) {
  const { wheel } = deps
  return makeGameRoom<WheelState, WheelSnapshot>(deps, {
    name: 'wheel',
    makeView() {
      const view = makeWheelView()
      return {
        state: view.state,
        load: (snapshot) => loadWheel(view, snapshot),
        apply: (events) => applyToWheel(view, events),
        keepTime: (now) => keepWheelTime(view, now),
      }
    },
    find: (actor, game) => wheel.find(actor, game),
    snapshot: (reader, id) => wheel.snapshot(reader, id),
    since: (reader, id, version) => wheel.since(reader, id, version),
    tell: toldOf,
    async prepare(events, gameId, players) {
      // A pair is bound to a version: without this everybody's next spin would wait for a commitment and a checkpoint.
      if (events.some(({ type }) => type === 'wheel.published')) await wheel.renewPairs(players(), gameId)
    },
    messages: (answer) => ({
      spin: answer(
        'wheel.spin',
        WHEEL_REQUESTS.spin,
        async (_client: SessionClient, input, session) =>
          (await wheel.spin(actorOf(session), { wheel_id: session.gameId, ...input })).answer,
        { bucket: 'spin' },
      ),
      chances: answer('wheel.chances', WHEEL_REQUESTS.chances, (_client: SessionClient, _input, session) =>
        wheel.chances(actorOf(session), session.gameId),
      ),
      visit: answer('wheel.visit', WHEEL_REQUESTS.visit, (_client: SessionClient, _input, session) =>
        wheel.visit(actorOf(session), session.gameId),
      ),
      seed_pair: answer(
        'wheel.seed_pair',
        WHEEL_REQUESTS.seed_pair,
        (_client: SessionClient, _input, session) => wheel.seedPair(actorOf(session), session.gameId),
      ),
      rotate: answer(
        'wheel.rotate',
        WHEEL_REQUESTS.rotate,
        (_client: SessionClient, input, session) => wheel.rotate(actorOf(session), session.gameId, input),
        { bucket: 'rotate' },
      ),
      join_round: answer(
        'wheel.join_round',
        WHEEL_REQUESTS.join_round,
        (_client: SessionClient, { client_entropy }, session) =>
          wheel.joinRound(actorOf(session), session.gameId, client_entropy),
        { bucket: 'join_round' },
      ),
    }),
  })
}

/** One `spun` per result; in a flood only the newest of a tick. */
function toldOf(events: readonly GameEvent[]): Told[] {
  const spins = events.filter((event) => event.type === 'wheel.spun')
  return [
    ...spins
      .slice(-SPUN_PER_TICK_MAX)
      .map(({ seq, at, data }) => ({ type: 'spun', message: { version: seq, at, ...data } })),
    ...events.flatMap(noticeOf),
  ]
}

function noticeOf({ type, data }: GameEvent): Told[] {
  if (type === 'wheel.published') {
    const message = 'The wheel has a new version.'
    return [
      { type: 'notice', message: { code: 'published', message, config_version: data['config_version'] } },
    ]
  }
  if (type === 'wheel.exhausted') {
    const message = 'A reward is used up.'
    return [{ type: 'notice', message: { code: 'exhausted', message, reward_slug: data['reward_slug'] } }]
  }
  return []
}

export type WheelRoom = InstanceType<ReturnType<typeof makeWheelRoom>>
