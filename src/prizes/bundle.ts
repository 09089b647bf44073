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
 * For each request the plays that are applied to its order when the given ones are: themselves, and with a part of a
 * bundle that is applied as a whole every part of it that is still open or on this order already. In the order given,
 * parts after their first.
 */
export async function withSiblings(
  tx: Tx,
  requests: readonly { play_ids: readonly number[]; order_id: string | null }[],
): Promise<number[][]> {
  const pairs = requests.flatMap(({ play_ids, order_id }, request) =>
    play_ids.map((play_id) => ({ request, play_id, order_id })),
  )
  const siblings = Map.groupBy(await loadSiblings(tx, pairs), ({ request }) => request)
  return requests.map(({ play_ids }, request) => {
    const found = siblings.get(request) ?? []
    return [
      ...new Set(
        play_ids.flatMap((id) => [id, ...found.filter((row) => row.of === id).map((row) => row.id)]),
      ),
    ]
  })
}
