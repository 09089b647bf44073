/** The lobby is a game-shaped stream of its own: one event whenever a game appears or changes. */
import type { GameEvent, Tx } from '../db/tx.ts'
import { type EventRow, loadEventsSince, loadGameVersion, loadLobby } from './wheel/store.ts'

/** The stream's id where a game has its own. */
export const LOBBY = 'lobby'

export type LobbyWheel = {
  id: string
  wheel_slug: string
  wheel_name: string
  wheel_status: string
  is_public: boolean
}

export type LobbyEntry = {
  game_id: string
  kind: 'wheel'
  slug: string
  name: string
  status: string
  is_public: boolean
}

/** A wheel as the lobby lists it. */
export function lobbyEntry(wheel: LobbyWheel): LobbyEntry {
  const { id, wheel_slug, wheel_name, wheel_status, is_public } = wheel
  return { game_id: id, kind: 'wheel', slug: wheel_slug, name: wheel_name, status: wheel_status, is_public }
}

export function tellLobby(tx: Tx, wheel: LobbyWheel): void {
  tx.emit({ gameId: LOBBY, type: 'lobby.game', data: lobbyEntry(wheel) })
}

export function tellLobbyGone(tx: Tx, game_id: string): void {
  tx.emit({ gameId: LOBBY, type: 'lobby.gone', data: { game_id } })
}

export type LobbySnapshot = { version: number; games: LobbyEntry[] }

/** More changes than this are cheaper as a new list. */
const EVENT_COUNT_MAX = 200

/** Every published game. The version is read first, so what comes in between is folded twice, which changes nothing. */
export async function readLobby(tx: Tx): Promise<LobbySnapshot> {
  const version = await loadGameVersion(tx, LOBBY)
  return { version, games: (await loadLobby(tx)).map(lobbyEntry) }
}

/** The changes after a version, or a new list when they are too many. */
export async function readLobbySince(
  tx: Tx,
  version: number,
): Promise<{ version: number; events: GameEvent[] } | { snapshot: LobbySnapshot }> {
  const rows = await loadEventsSince(tx, LOBBY, version, EVENT_COUNT_MAX + 1)
  if (rows.length > EVENT_COUNT_MAX) return { snapshot: await readLobby(tx) }
  const events = rows.map((row) => eventOf(tx.actor.tenantId, LOBBY, row))
  return { version: events.at(-1)?.seq ?? version, events }
}

/** A stored event as it was published. */
export function eventOf(tenantId: string, gameId: string, row: EventRow): GameEvent {
  const { game_seq, event_type, event_data, event_timestamp } = row
  return {
    tenantId,
    gameId,
    seq: game_seq,
    type: event_type,
    at: event_timestamp.toISOString(),
    data: event_data,
  }
}
