/**
 * What the lobby shows: the games of a tenant that can be entered now, with how many are in them. Pure. The order
 * of the fields is the protocol: append, never reorder, never remove.
 */
import { type SchemaType, schema, t } from '@colyseus/schema'
import type { GameEvent } from '../../src/db/tx.ts'
import type { LobbyEntry } from '../../src/games/lobby.ts'
import type { LobbySnapshot } from '../../src/games/lobby-list.ts'

export const LobbyGame = schema(
  {
    gameId: t.string().default(''),
    /** The name of the room to join. */
    kind: t.string().default(''),
    slug: t.string().default(''),
    name: t.string().default(''),
    status: t.string().default(''),
    players: t.uint32().default(0),
    spectators: t.uint32().default(0),
    /** ISO, '' for a game that stays open. */
    closesAt: t.string().default(''),
  },
  'LobbyGame',
)

export const LobbyState = schema(
  {
    phase: t.string<'open'>().default('open'),
    /** The server's clock, epoch milliseconds; moves at most once a second. */
    serverTime: t.int64().default(0),
    version: t.int64().default(0),
    /** A lobby promises nothing by chance: commitHash, trust, opensAt and closesAt are there for one reader of all states. */
    commitHash: t.string().default(''),
    trust: t.string().default(''),
    opensAt: t.string().default(''),
    closesAt: t.string().default(''),
    /** Of all listed games together. */
    players: t.uint32().default(0),
    spectators: t.uint32().default(0),
    /** By game id. */
    games: t.map(LobbyGame),
  },
  'LobbyState',
)
export type LobbyState = SchemaType<typeof LobbyState>

/** A game that is over is history, not something to enter. */
const ENTERABLE = new Set(['live', 'paused', 'scheduled', 'open', 'closed', 'drawing', 'drawn'])

/** Makes the state what a snapshot says; with `only_public` as somebody without a token may see it. */
export function loadLobbyState(state: LobbyState, snapshot: LobbySnapshot, only_public: boolean): void {
  const listed = new Set(snapshot.games.map((game) => game.game_id))
  for (const game_id of [...state.games.keys()]) if (!listed.has(game_id)) state.games.delete(game_id)
  for (const game of snapshot.games) put(state, game, only_public)
  state.version = snapshot.version
}

/** Folds events, which follow the state without a gap, into it. */
export function applyToLobby(state: LobbyState, events: readonly GameEvent[], only_public: boolean): void {
  for (const { type, data } of events) {
    if (type === 'lobby.game') put(state, data as LobbyEntry, only_public)
    if (type === 'lobby.gone') state.games.delete(data['game_id'] as string)
  }
  state.version = events[events.length - 1]?.seq ?? state.version
}

function put(state: LobbyState, entry: LobbyEntry, only_public: boolean): void {
  const { game_id, kind, slug, name, status } = entry
  const closesAt = entry.closes_at ?? ''
  if (!ENTERABLE.has(status) || (only_public && !entry.is_public)) {
    state.games.delete(game_id)
    return
  }
  const game = state.games.get(game_id)
  if (game === undefined) {
    state.games.set(game_id, new LobbyGame({ gameId: game_id, kind, slug, name, status, closesAt }))
    return
  }
  game.slug = slug
  game.name = name
  game.status = status
  game.closesAt = closesAt
}
