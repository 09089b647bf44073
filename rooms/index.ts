/** Name -> room. What a room needs comes in here, once, from the composition root. */
import { defineRoom, type Room } from '@colyseus/core'
import type { App } from '../src/app.ts'
import { publicError } from '../src/errors.ts'
import type { Games } from '../src/games/index.ts'
import type { Wheel } from '../src/games/wheel/wheel.ts'
import type { Auth } from '../src/http/auth.ts'
import { makeInboxWatch } from '../src/insight/inbox-watch.ts'
import type { Checkpoints } from '../src/proofs/checkpoints.ts'
import type { Suspect } from './answer.ts'
import { GAME_ROOM_LIMITS, type GameRoomDeps, type GameRoomLimits } from './game-room.ts'
import type { BucketSize, GuardOptions } from './guard.ts'
import { makeGuessRoom } from './guess/room.ts'
import { sessionKey } from './identity.ts'
import { INBOX_ROOM_LIMITS, type InboxRoomLimits, makeInboxRoom } from './inbox/room.ts'
import { LOBBY_ROOM_LIMITS, type LobbyRoomLimits, makeLobbyRoom } from './lobby/room.ts'
import { makeRaffleRoom } from './raffle/room.ts'
import { type Crowds, makeCrowds } from './spectators.ts'
import { makeWheelRoom } from './wheel/room.ts'

type GameRoomMaker = (deps: GameRoomDeps & { app: App }, service: any) => Parameters<typeof defineRoom>[0]

/** The rooms of games that close: one line per game, by the name that it has in src/games/index.ts. */
const GAME_ROOMS: Readonly<Record<string, GameRoomMaker>> = {
  guess: (deps, guess) => makeGuessRoom({ ...deps, guess }),
  raffle: (deps, raffle) => makeRaffleRoom({ ...deps, raffle }),
}

export type RoomDeps = {
  app: App
  auth: Auth
  wheel: Wheel
  games: Pick<Games, 'serviceOf'>
  checkpoints: Checkpoints
  report: (where: string, error: unknown) => void
  /** Told of refusals of known users (src/insight/tamper-log.ts). */
  suspect?: Suspect
  /** Shared with whoever else wants to know who is there (GET /lobby); made here when absent. */
  crowds?: Crowds
  limits?: {
    wheel?: Partial<GameRoomLimits>
    games?: Partial<GameRoomLimits>
    lobby?: Partial<LobbyRoomLimits>
    inbox?: Partial<InboxRoomLimits>
  }
}

/** What one user may ask for over all of his sockets of this process, by kind of message. */
export const ROOM_BUCKETS: Readonly<Record<string, BucketSize>> = {
  // A spin turns for seconds; ten at once is a retry storm, 21 in a second is abuse (reliability.md, abuse 27).
  spin: { per_second: 5, burst: 10 },
  // Each of them signs a commitment or moves a tree.
  rotate: { per_second: 0.5, burst: 5 },
  join_round: { per_second: 1, burst: 5 },
  // A person types a number; a crowd that guesses at the last second is many users.
  guess: { per_second: 5, burst: 10 },
  // Whatever else a game calls it, somebody enters.
  enter: { per_second: 5, burst: 10 },
  mine: { per_second: 2, burst: 10 },
  // Somebody picks numbers on a wall; a storm at the opening is many users.
  buy: { per_second: 5, burst: 10 },
  // A page follows one reel.
  watch: { per_second: 2, burst: 10 },
  // A client asks once after it was away.
  since: { per_second: 2, burst: 10 },
  // A person reads a page and marks it.
  read: { per_second: 2, burst: 10 },
}

/** The rooms of the product, as `defineServer({ rooms })` takes them. Call it once per server. */
export function makeRooms({
  app,
  auth,
  wheel,
  games,
  checkpoints,
  report,
  suspect = () => {},
  crowds = makeCrowds(),
  limits = {},
}: RoomDeps) {
  const shared = { app, auth, crowds, report, suspect }
  const wheelRoom = makeWheelRoom({
    ...shared,
    wheel,
    checkpoints,
    limits: { ...GAME_ROOM_LIMITS, ...limits.wheel },
  })
  const gameRooms = Object.entries(GAME_ROOMS).map(([name, make]) => {
    const deps = { ...shared, checkpoints, limits: { ...GAME_ROOM_LIMITS, ...limits.games } }
    return [name, defineRoom(make(deps, games.serviceOf(name))).filterBy(['room_key'])] as const
  })
  const lobbyRoom = makeLobbyRoom({ ...shared, limits: { ...LOBBY_ROOM_LIMITS, ...limits.lobby } })
  const inboxRoom = makeInboxRoom({
    app,
    auth,
    report,
    suspect,
    watch: makeInboxWatch(app, report),
    limits: { ...INBOX_ROOM_LIMITS, ...limits.inbox },
  })
  return {
    wheel: defineRoom(wheelRoom).filterBy(['room_key']),
    ...Object.fromEntries(gameRooms),
    lobby: defineRoom(lobbyRoom).filterBy(['room_key']),
    inbox: defineRoom(inboxRoom).filterBy(['room_key']),
  }
}

export type Rooms = ReturnType<typeof makeRooms>

/**
 * What `installGuards` has to know about these rooms: their classes, who is behind a seat, which errors may leave
 * as they are, and the buckets. `buckets` replaces single sizes.
 */
export function guardOptionsOf(
  rooms: Rooms,
  { auth, report }: Pick<RoomDeps, 'auth' | 'report'>,
  buckets: Readonly<Record<string, BucketSize>> = {},
): GuardOptions {
  return {
    report,
    roomClasses: Object.values(rooms).map((room) => room.klass as unknown as new () => Room),
    publicError,
    userKey: sessionKey,
    userKeyOfToken: async (token) => sessionKey(await auth.verify(token)),
    buckets: { ...ROOM_BUCKETS, ...buckets },
  }
}
