/** The lobby is a game-shaped stream of its own: one event whenever a game appears or changes. */
import type { GameEvent, Tx } from '../db/tx.ts'
import type { EventRow } from './wheel/store.ts'

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
  /** The name of the room to join. */
  kind: string
  slug: string
  name: string
  status: string
  is_public: boolean
  /** Null for a game that stays open. */
  closes_at: string | null
}

/** A wheel as the lobby lists it. */
export function wheelEntry(wheel: LobbyWheel): LobbyEntry {
  const { id, wheel_slug, wheel_name, wheel_status, is_public } = wheel
  return {
    game_id: id,
    kind: 'wheel',
    slug: wheel_slug,
    name: wheel_name,
    status: wheel_status,
    is_public,
    closes_at: null,
  }
}

/** Says that a game appeared or changed. */
export function tellLobby(tx: Tx, entry: LobbyEntry): void {
  tx.emit({ gameId: LOBBY, type: 'lobby.game', data: entry })
}

export function tellLobbyGone(tx: Tx, game_id: string): void {
  tx.emit({ gameId: LOBBY, type: 'lobby.gone', data: { game_id } })
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
