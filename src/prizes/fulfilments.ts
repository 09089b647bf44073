/**
 * Things that somebody has to hand over: the winner claims, staff delivers or cancels. A claim ends the wallet item like
 * an order does: it becomes applied, to the claim, so that its deadline is over.
 *
 * Lock order: play, fulfilment; staff begins at the fulfilment, and a clash of the two is repeated by the runner.
 */
import { inputHash, type Tx } from '../db/tx.ts'
import { type ErrorCode, refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import { whyNotOpen } from './conditions.ts'
import { appliedDetailsSchema, discountFor } from './discount.ts'
import { returnItems } from './effects-store.ts'
import { canStep, claimOrderOf, type FulfilmentStatus } from './fulfilment-rules.ts'
import {
  claimFulfilment,
  expirePlay,
  type FulfilmentRow,
  loadMyFulfilments,
  lockClaim,
  payClaim,
} from './fulfilment-store.ts'
import { prizeOf, refuseFor, takePlay } from './play.ts'
import { readTerms } from './policy.ts'
import { applyPlays, insertApplications } from './redemption-store.ts'
import { type PlayRow, sayMove } from './store.ts'

/** Where a thing goes, as its winner says it. */
export type ClaimDetails = Record<string, string>

/**
 * Claims a thing that the actor won, once: a second call answers what stands. Refuses not_found (also where nothing is
 * to be claimed), the state of the prize (prize_locked, prize_expired, ...), fulfilment_delivered, fulfilment_cancelled.
 */
export async function claimPrize(tx: Tx, { play_id, details }: { play_id: number; details: ClaimDetails }) {
  const row = (await takePlay(tx, play_id, tx.actor.userId)) ?? refuse('not_found')
  const owed = row.unlocked_at === null ? undefined : await lockClaim(tx, play_id)
  if (owed?.claimed_at) return claimView(owed)
  const { time_zone } = await readTerms(tx)
  refuseFor(whyNotOpen(prizeOf(row), null, tx.now, time_zone))
  if (owed === undefined) refuse('not_found', { detail: 'There is nothing to claim with this prize.' })
  refuseStep(owed.fulfilment_status, 'claimed')
  await claimFulfilment(tx, owed.id, details)
  await endItem(tx, row, owed.id)
  tx.audit({
    action: 'fulfilment.claimed',
    entity_type: 'fulfilment',
    entity_id: owed.id,
    old_values: { fulfilment_status: owed.fulfilment_status },
    // The address stays in its row, where it can be purged.
    new_values: { fulfilment_status: 'claimed', play_id },
  })
  return claimView({ ...owed, fulfilment_status: 'claimed', claim_details: details, claimed_at: tx.now })
}

export function claimView(row: FulfilmentRow) {
  return {
    id: row.id,
    play_id: row.play_id,
    fulfilment_type: row.fulfilment_type,
    fulfilment_status: row.fulfilment_status,
    prize_name: row.prize_name,
    claim_details: row.claim_details,
    claimed_at: row.claimed_at?.toISOString() ?? null,
    delivered_at: row.delivered_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
  }
}

/** A page of what the actor is owed, of prizes that were opened, newest first. */
export async function readMyFulfilments(
  tx: Tx,
  { after, limit }: { after: { at: string; id: string } | null; limit: number },
) {
  const rows = await loadMyFulfilments(tx, tx.actor.userId, after, limit + 1)
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    data: page.map(claimView),
    next: rows.length > limit && last ? { at: last.created_at.toISOString(), id: last.id } : null,
  }
}

/** The wallet item ends: it is applied to the claim, for nothing and with nothing left to pay. */
async function endItem(tx: Tx, row: PlayRow, fulfilment_id: string): Promise<void> {
  const { currency, policy_version } = await readTerms(tx)
  const order_id = claimOrderOf(fulfilment_id)
  const { type, value, conditions } = prizeOf(row)
  const nothing = {
    currency,
    order_minor: 0n,
    other_discount_minor: 0n,
    percentage_on: 'initial',
    delivery_fee_minor: null,
    free_item: null,
  } as const
  const details = appliedDetailsSchema.parse(discountFor({ type, value, conditions }, nothing).details)
  const application = {
    id: newId(),
    play_id: row.id,
    order_id,
    order_ref: order_id,
    order_minor: '0',
    discount_minor: '0',
    final_minor: '0',
    max_discount_minor: null,
    currency,
    facts_hash: inputHash({ order_id }),
    details,
    transfer_id: null,
    policy_version,
    applied_by: tx.actor.userId,
  }
  await insertApplications(tx, [application])
  await applyPlays(tx, [{ id: row.id, order_id, details }])
  tx.audit({
    action: 'apply',
    entity_type: 'game_play',
    entity_id: row.uuid,
    old_values: { prize_status: 'unlocked' },
    new_values: { prize_status: 'applied', play_id: row.id, user_id: row.user_id, order_id },
  })
}

const ENDS: Partial<Record<FulfilmentStatus, ErrorCode>> = {
  delivered: 'fulfilment_delivered',
  cancelled: 'fulfilment_cancelled',
}

/** Refuses a step that is none: fulfilment_delivered, fulfilment_cancelled, or invalid_input for one that goes back. */
export function refuseStep(from: FulfilmentStatus, to: FulfilmentStatus): void {
  if (canStep(from, to)) return
  refuse(ENDS[from] ?? 'invalid_input', { facts: { fulfilment_status: from } })
}

/**
 * What a step of staff does beyond its row. Delivered: the wallet item ends, if it has not by a claim; the prize has to
 * be open (prize_locked, prize_expired otherwise), for nobody is sent what he was not shown. Cancelled: an item goes back into its stock,
 * and a prize that was not claimed expires.
 */
export async function followStep(tx: Tx, owed: FulfilmentRow, to: FulfilmentStatus): Promise<void> {
  if (to !== 'delivered' && to !== 'cancelled') return
  if (to === 'cancelled' && owed.item_stock_id !== null) await returnItems(tx, [owed.item_stock_id])
  if (owed.order_id !== null) return
  const row = (await takePlay(tx, owed.play_id, null))!
  if (to === 'delivered') {
    if (row.prize_status !== 'applied') {
      const { time_zone } = await readTerms(tx)
      refuseFor(whyNotOpen(prizeOf(row), null, tx.now, time_zone))
      await endItem(tx, row, owed.id)
    }
    return payClaim(tx, row.id)
  }
  if (row.prize_status !== 'locked' && row.prize_status !== 'unlocked') return
  await sayMove(tx, 'fulfilment cancelled')
  await expirePlay(tx, row.id)
  tx.audit({
    action: 'expire',
    entity_type: 'game_play',
    entity_id: row.uuid,
    old_values: { prize_status: row.prize_status },
    new_values: {
      prize_status: 'expired',
      play_id: row.id,
      user_id: row.user_id,
      why: 'fulfilment cancelled',
    },
  })
}
