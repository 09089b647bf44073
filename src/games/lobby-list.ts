/** The list that a lobby begins with and catches up by: wheels, and whatever the registry names. */
import type { GameEvent, Tx } from '../db/tx.ts'
import { GAMES } from './index.ts'
import { LOBBY, type LobbyEntry, wheelEntry } from './lobby.ts'
import { loadGameVersion, readSince } from './since.ts'
import { loadLobby } from './wheel/store.ts'

export type LobbySnapshot = { version: number; games: LobbyEntry[] }

/** Every published game. The version is read first, so what comes in between is folded twice, which changes nothing. */
export async function readLobby(tx: Tx): Promise<LobbySnapshot> {
  const version = await loadGameVersion(tx, LOBBY)
  const games = (await loadLobby(tx)).map(wheelEntry)
  for (const game of GAMES) games.push(...(await game.lobby(tx)))
  return { version, games }
}

/** The changes after a version, or a new list when they are too many. */
export async function readLobbySince(
  tx: Tx,
  version: number,
): Promise<{ version: number; events: GameEvent[] } | { snapshot: LobbySnapshot }> {
  return readSince(tx, LOBBY, version, () => readLobby(tx))
}
