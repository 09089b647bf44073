/**
 * Bundles: opening one puts its parts into the wallet, each a prize with a code and a state of its own, as it was defined
 * when the bundle was written, and for as long as the bundle lasts. Applying a part applies it alone, or every part that
 * is left, as the bundle says.
 */
import type { Tx } from '../db/tx.ts'
import { newId } from '../ids.ts'
import { insertParts, loadSiblings } from './bundle-store.ts'
import { takePlayIds } from './grant-store.ts'
import { newPrizeCode, type Part } from './issue.ts'
import type { PlayRow } from './store.ts'

/** Makes the parts of a bundle that was opened in this transaction; its lock is held, so that it happens once. */
export async function unpack(tx: Tx, { id, prize_snapshot }: PlayRow): Promise<void> {
  const { parts, parts_apply } = prize_snapshot as { parts: Part[]; parts_apply: 'all' | 'each' }
  const each = parts.flatMap((part) => Array.from({ length: part.quantity }, () => part))
  const ids = await takePlayIds(tx, each.length)
  const records = each.map(({ prize_id, snapshot }, i) => ({
    id: ids[i]!,
    uuid: newId(),
    prize_id,
    prize_code: newPrizeCode(),
    prize_snapshot: { ...snapshot, in_bundle: parts_apply },
  }))
  await insertParts(tx, id, records)
  for (const { id: play_id, uuid, prize_id } of records) {
    tx.audit({
      action: 'unpack',
      entity_type: 'game_play',
      entity_id: uuid,
      new_values: { play_id, prize_id, prize_status: 'unlocked', bundle_play_id: id },
    })
  }
}

/**
 * The plays that are applied to an order when these are: themselves, and with a part of a bundle that is applied as a
 * whole every part of it that is still open or on this order already. In the order given, parts after their first.
 */
export async function withSiblings(
  tx: Tx,
  play_ids: readonly number[],
  order_id: string | null,
): Promise<number[]> {
  const siblings = await loadSiblings(tx, play_ids, order_id)
  return [
    ...new Set(
      play_ids.flatMap((id) => [id, ...siblings.filter((row) => row.of === id).map((row) => row.id)]),
    ),
  ]
}
