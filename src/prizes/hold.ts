/**
 * Holds: a prize is kept for one order while it is paid (P-27). A hold binds every other order until its end, exactly,
 * whether or not its row is still there; the application of its own order consumes it.
 */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { deadlineOf, whyNotOpen } from './conditions.ts'
import { type OrderRef, prizeOf, refuseFor, takePlay, timeText } from './play.ts'
import { readTerms, type Terms } from './policy.ts'
import { deleteHolds, upsertHold } from './redemption-store.ts'
import type { PlayRow } from './store.ts'

/**
 * Holds a prize for an order, for `minutes` or as long as the tenant's policy says, and never beyond the prize's own
 * deadline. The same order again begins anew from now. `user_id` is whose order it is, null when the shop does not say.
 * Refuses not_found (also for a prize of somebody else), invalid_input for more minutes than the
 * policy allows, and the state of the prize: prize_not_won, prize_applied, prize_expired, prize_locked, prize_held.
 */
export async function holdPrize(
  tx: Tx,
  {
    play_id,
    order_id: order_ref,
    user_id = null,
    minutes,
  }: { play_id: number; order_id: OrderRef; user_id?: string | null | undefined; minutes: number | null },
) {
  const terms = await readTerms(tx)
  const row = (await takePlay(tx, play_id, user_id)) ?? refuse('not_found')
  const order_id = String(order_ref)
  refuseFor(whyNotOpen(prizeOf(row), order_id, tx.now, terms.time_zone))
  const wanted = holdEnd(row, minutes, tx.now, terms)
  const { held_until } =
    (await upsertHold(tx, { play_id, order_id, order_ref, held_until: wanted })) ?? refuse('prize_held')
  tx.audit({
    action: 'hold',
    entity_type: 'game_play',
    entity_id: row.uuid,
    new_values: { play_id, user_id: row.user_id, order_id, held_until: held_until.toISOString() },
  })
  return {
    success: true,
    message: 'Prize held successfully!',
    data: {
      prize_status: 'unlocked',
      held_for_order_id: order_ref,
      held_until: timeText(held_until),
    },
  }
}

function holdEnd(row: PlayRow, minutes: number | null, now: Date, { policy }: Terms): Date {
  const { hold_minutes } = policy
  if (minutes !== null && minutes > hold_minutes) {
    const detail = `At most ${hold_minutes} minutes, by the policy of this tenant.`
    refuse('invalid_input', { errors: [{ pointer: '/minutes', detail }] })
  }
  const end = new Date(now.getTime() + (minutes ?? hold_minutes) * 60_000)
  const deadline = deadlineOf(row)
  return deadline !== null && deadline < end ? deadline : end
}

/**
 * Frees a prize that an order holds. An order that holds it no longer gets the same answer. Refuses not_found,
 * prize_held when another order holds it, and prize_applied: what was used comes back by a rollback.
 */
export async function releasePrize(
  tx: Tx,
  { play_id, order_id: order_ref }: { play_id: number; order_id: OrderRef },
) {
  const { time_zone } = await readTerms(tx)
  const row = (await takePlay(tx, play_id, null)) ?? refuse('not_found')
  const order_id = String(order_ref)
  const reasons = whyNotOpen(prizeOf(row), order_id, tx.now, time_zone)
  refuseFor(reasons.filter(({ code }) => code === 'prize_held' || code === 'prize_applied'))
  const ended = await deleteHolds(tx, [play_id], order_id)
  if (ended.length > 0) {
    tx.audit({
      action: 'release',
      entity_type: 'game_play',
      entity_id: row.uuid,
      new_values: { play_id, user_id: row.user_id, order_id },
    })
  }
  return { success: true, message: 'The prize is free again.', data: { released_by_order_id: order_ref } }
}
