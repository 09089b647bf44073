/** How rooms and clients catch up with a game: by the events that they missed, or anew when these are too many. */
import type { GameEvent, Tx } from '../db/tx.ts'
import { eventOf } from './lobby.ts'
import { loadEventsSince } from './wheel/store.ts'

export { loadGameVersion } from './wheel/store.ts'

/** More missed events than this are cheaper as a snapshot. */
const EVENT_COUNT_MAX = 200

/** The events of a game after a version, or what `snapshot` answers when they are too many. */
export async function readSince<S>(
  tx: Tx,
  game_id: string,
  version: number,
  snapshot: () => Promise<S>,
): Promise<{ version: number; events: GameEvent[] } | { snapshot: S }> {
  const rows = await loadEventsSince(tx, game_id, version, EVENT_COUNT_MAX + 1)
  if (rows.length > EVENT_COUNT_MAX) return { snapshot: await snapshot() }
  const events = rows.map((row) => eventOf(tx.actor.tenantId, game_id, row))
  return { version: events.at(-1)?.seq ?? version, events }
}
