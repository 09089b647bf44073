/** Guess games as the lobby lists them. */
import type { Tx } from '../../db/tx.ts'
import type { LobbyEntry } from '../lobby.ts'
import { type GameRow, loadListedGames } from './store.ts'

export function guessEntry(
  game: Pick<GameRow, 'id' | 'title' | 'status' | 'is_public' | 'closes_at'>,
): LobbyEntry {
  return {
    game_id: game.id,
    kind: 'guess',
    slug: game.id,
    name: game.title,
    status: game.status,
    is_public: game.is_public,
    closes_at: game.closes_at.toISOString(),
  }
}

/** Every game from its promise to its last winner. */
export async function readGuessEntries(tx: Tx): Promise<LobbyEntry[]> {
  return (await loadListedGames(tx)).map(guessEntry)
}
