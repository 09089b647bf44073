/**
 * The one place where a prize does what it promises: pays, grants chances, or owes a thing that is handed over. Called
 * in the transaction that wins, unlocks or applies the prize, and by the one that takes an application back.
 *
 * When each type takes effect says `takesEffect` (discount.ts); what row it leaves says docs/prizes.md.
 */
import type { AuditEntry } from '../db/append.ts'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import { postTransfers, reverseTransfer, type TransferInput } from '../ledger/post.ts'
import type { Effect } from './discount.ts'
import { type Consequence, consequenceOf, obligationOf } from './effect-rules.ts'
import {
  type ChanceRecord,
  cancelOwed,
  insertChances,
  insertOwed,
  isItemCounted,
  lockOwed,
  type OwedRecord,
  reserveItem,
  returnItems,
} from './effects-store.ts'
import { isClaimOrder } from './fulfilment-rules.ts'

/** A prize that takes effect now. */
export type Use = {
  /** The play as it was issued, or as its mystery was resolved. */
  play: { id: number; uuid: string; user_id: string; prize_snapshot: Record<string, any> | null }
  effect: Effect
  /** The order that it is applied to; null where it takes effect when it is won or unlocked. */
  order_id: string | null
  /** For batches, where one transaction acts for many. Defaults to the actor of the transaction. */
  by?: NonNullable<AuditEntry['by']>
}

/** What was written: the transfer that paid, the fulfilment that is owed. */
export type Taken = { transfer_id: string | null; fulfilment_id: string | null }

type Step = { use: Use; consequence: Consequence }

/**
 * Carries out one effect; `takeEffects` of one. Idempotent in the ledger by play and order; everything else is written
 * once because the caller holds the play's lock and wins, unlocks or applies it once, and unique keys say so too.
 *
 * Refuses item_out_of_stock. Lock order: after the play; item stocks, then ledger accounts.
 */
export async function takeEffect(tx: Tx, use: Use): Promise<Taken> {
  return (await takeEffects(tx, [use]))[0]!
}

/** The same for many, with a number of statements that does not depend on how many they are (free items apart). */
export async function takeEffects(tx: Tx, uses: readonly Use[]): Promise<Taken[]> {
  const steps = uses.map((use) => ({ use, consequence: consequenceOf(use.effect, use.play.user_id) }))
  await grant(tx, steps)
  const owed = await owe(tx, steps)
  const paid = await pay(tx, steps)
  return uses.map((use) => ({
    transfer_id: paid.get(use) ?? null,
    fulfilment_id: owed.get(use) ?? null,
  }))
}

const nameOf = ({ play }: Use): string => String(play.prize_snapshot!['name']).slice(0, 200)

async function grant(tx: Tx, steps: readonly Step[]): Promise<void> {
  const chances: ChanceRecord[] = steps.flatMap(({ use, consequence: { chances: count } }) =>
    count === null ? [] : [{ id: newId(), user_id: use.play.user_id, count, reason: nameOf(use) }],
  )
  if (chances.length > 0) await insertChances(tx, chances)
}

async function owe(tx: Tx, steps: readonly Step[]): Promise<Map<Use, string>> {
  const ids = new Map<Use, string>()
  const records: OwedRecord[] = []
  for (const { use, consequence } of steps) {
    if (consequence.owed === null) continue
    const { item_id } = consequence.owed
    const id = newId()
    ids.set(use, id)
    records.push({
      id,
      play_id: use.play.id,
      order_id: use.order_id,
      prize_name: nameOf(use),
      ...consequence.owed,
      item_stock_id: item_id === null ? null : await reserve(tx, item_id),
    })
  }
  if (records.length > 0) await insertOwed(tx, records)
  return ids
}

/** One of an item: the stock it came from, null where nobody counts it. Refuses item_out_of_stock. */
async function reserve(tx: Tx, item_id: string): Promise<number | null> {
  const taken = await reserveItem(tx, item_id)
  if (taken !== undefined) return taken.id
  if (await isItemCounted(tx, item_id)) refuse('item_out_of_stock', { facts: { item_id } })
  return null
}

async function pay(tx: Tx, steps: readonly Step[]): Promise<Map<Use, string>> {
  const due = steps.filter(({ consequence }) => consequence.postings !== null)
  const verdicts = await postTransfers(tx, due.map(transferOf))
  return new Map(
    due.map(({ use }, i) => {
      const verdict = verdicts[i]!
      if ('refusal' in verdict) throw verdict.refusal
      return [use, verdict.answer.transfer_id]
    }),
  )
}

function transferOf({ use, consequence }: Step): TransferInput {
  const { play, order_id, by } = use
  return {
    obligation: obligationOf(play.id, order_id),
    transfer_type: order_id === null ? 'prize.won' : 'prize.applied',
    reason: nameOf(use),
    metadata: { play_id: play.id },
    postings: consequence.postings!,
    ...(by && { by }),
  }
}

/** An application whose effect is taken back. */
export type Undo = {
  play: { id: number; uuid: string }
  order_id: string
  /** The transfer that the application names. */
  transfer_id: string | null
  /** Why, for the statement and the queue. */
  reason: string
  /** Who allows the account to go below zero when the winner has spent what was paid (S1-26). */
  approved_by?: string
}

/** What was written: the transfer that takes back, the fulfilment that was cancelled. */
export type Undone = { reversal_id: string | null; fulfilment_id: string | null }

/**
 * Takes back what an application did: an item that waits goes back into its stock, what was paid goes back to the
 * house. Idempotent. The caller holds the play's lock.
 *
 * Refuses not_found for a claim, which is no order; fulfilment_delivered (the item is in the winner's hands, so the prize was used), and insufficient_funds when
 * the winner has spent it meanwhile and nobody approved a debt: no account goes below zero unseen. Either way nothing
 * is taken back, and the prize stays applied.
 */
export async function undoEffect(tx: Tx, undo: Undo): Promise<Undone> {
  const { play, order_id, transfer_id, reason, approved_by } = undo
  // A claim is no order of the shop: staff cancels it in the queue.
  if (isClaimOrder(order_id)) refuse('not_found')
  const owed = await lockOwed(tx, play.id, order_id)
  if (owed?.fulfilment_status === 'delivered')
    refuse('fulfilment_delivered', { facts: { fulfilment_id: owed.id } })
  if (owed !== undefined && owed.fulfilment_status !== 'cancelled') {
    await cancelOwed(tx, owed.id, reason)
    if (owed.item_stock_id !== null) await returnItems(tx, [owed.item_stock_id])
    tx.audit({
      action: 'fulfilment.cancelled',
      entity_type: 'fulfilment',
      entity_id: owed.id,
      old_values: { fulfilment_status: owed.fulfilment_status },
      new_values: { fulfilment_status: 'cancelled', play_id: play.id, order_id, reason },
    })
  }
  const reversal =
    transfer_id === null
      ? null
      : await reverseTransfer(tx, { transfer_id, reason, ...(approved_by !== undefined && { approved_by }) })
  return { reversal_id: reversal?.transfer_id ?? null, fulfilment_id: owed?.id ?? null }
}
