/** The lobby is a game-shaped stream of its own: one event whenever a game appears or changes. */
import type { Tx } from '../db/tx.ts'

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
