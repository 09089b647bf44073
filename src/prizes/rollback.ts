/**
 * Taking back what a prize did on an order (P-28): all of it when the order is cancelled, a share of its discount when
 * a part of the order comes back. Once per application, whatever keys the requests have.
 *
 * Lock order: order, play, ledger accounts, heads.
 */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { isPastDeadline } from './conditions.ts'
import { type AppliedDetails, appliedDetailsSchema } from './discount.ts'
import { undoEffect } from './effects.ts'
import { amountOf, amountText, shareOf } from './money.ts'
import { type OrderRef, takePlay, timeText } from './play.ts'
import { readTerms, type Terms } from './policy.ts'
import {
  type ApplicationRow,
  endApplication,
  insertReturn,
  loadApplications,
  loadReturns,
  lockOrders,
  type ReturnRow,
  returnPlay,
  sayRollback,
} from './redemption-store.ts'
import { type PlayRow, sayMove } from './store.ts'

const HOUR_MS = 3_600_000
/** As much as the columns hold. */
const TEXT_MAX = 200

/** A part of an order that came back: the shop's own id of the return, and what the goods had cost, before discounts. */
export type Returned = { return_id: OrderRef; returned_amount: number | string }
type RollbackInput = { play_id: number; order_id: OrderRef; reason: string; returned: Returned | null }

/**
 * Takes a prize back from an order, or with `returned` a share of its discount. The prize becomes unlocked again, or
 * expired when its time is over; what it paid is reversed. When the returns make up the whole order, it is taken back
 * too. A repetition is answered as the first time.
 *
 * Refuses not_found (also when the prize was never applied to this order), invalid_input for an amount that is none or
 * beyond what is left of the order, obligation_conflict for another amount under the same return id or a return after
 * the prize was taken back, insufficient_funds when what it paid was spent meanwhile, fulfilment_delivered when its item was handed over.
 */
export async function rollbackPrize(tx: Tx, input: RollbackInput) {
  const terms = await readTerms(tx)
  const order_id = String(input.order_id)
  await lockOrders(tx, [order_id])
  const row = (await takePlay(tx, input.play_id, null)) ?? refuse('not_found')
  const [application] = await loadApplications(tx, [row.id], [order_id])
  if (application === undefined) refuse('not_found', { detail: 'This prize was not applied to this order.' })
  const taking = {
    tx,
    terms,
    row,
    application,
    order_id,
    reason: input.reason,
    details: appliedDetailsSchema.parse(application.details),
    returns: await loadReturns(tx, application.id),
  }
  return input.returned === null ? rollbackAll(taking) : rollbackPart(taking, input.returned)
}

type Taking = {
  tx: Tx
  terms: Terms
  row: PlayRow
  application: ApplicationRow
  order_id: string
  reason: string
  details: AppliedDetails
  returns: readonly ReturnRow[]
}

async function rollbackAll(taking: Taking) {
  const { application, returns } = taking
  const back_minor = BigInt(application.discount_minor) - discountOf(returns)
  if (application.rolled_back_at === null) await takeBack(taking)
  return answer(taking, { back_minor, kept_minor: 0n })
}

async function rollbackPart(taking: Taking, { return_id: return_ref, returned_amount }: Returned) {
  const { tx, application, details, returns, row, order_id, reason } = taking
  const { decimals } = details.calculation
  const return_id = String(return_ref)
  const returned_minor = amountOf(returned_amount, decimals) ?? 0n
  if (returned_minor === 0n) refuseAmount(`An amount above 0 with at most ${decimals} decimals.`)

  const known = returns.findIndex((each) => each.return_id === return_id)
  if (known >= 0) {
    if (BigInt(returns[known]!.returned_minor) !== returned_minor) refuse('obligation_conflict')
    return partAnswer({ ...taking, returns: returns.slice(0, known + 1) })
  }
  if (application.rolled_back_at !== null)
    refuse('obligation_conflict', { detail: 'This prize was taken back from this order already.' })

  const order_minor = amountOf(details.calculation.order_amount, decimals)!
  const before_minor = returns.reduce((sum, each) => sum + BigInt(each.returned_minor), 0n)
  const left_minor = order_minor - before_minor
  if (returned_minor > left_minor)
    refuseAmount(`At most ${amountText(left_minor, decimals)} is left of the order.`)
  const share_minor = shareOf(BigInt(application.discount_minor), before_minor + returned_minor, order_minor)
  const discount_minor = share_minor - discountOf(returns)
  await insertReturn(tx, {
    application_id: application.id,
    return_id,
    returned_minor: String(returned_minor),
    discount_minor: String(discount_minor),
    reason: reason.slice(0, TEXT_MAX),
  })
  tx.audit({
    action: 'return',
    entity_type: 'game_play',
    entity_id: row.uuid,
    new_values: {
      play_id: row.id,
      user_id: row.user_id,
      order_id,
      return_id,
      returned_amount: amountText(returned_minor, decimals),
      discount_returned: amountText(discount_minor, decimals),
      reason,
    },
  })
  const made = [
    ...returns,
    { return_id, returned_minor: Number(returned_minor), discount_minor: Number(discount_minor) },
  ]
  const after = { ...taking, returns: made }
  if (returned_minor === left_minor) await takeBack(after)
  return partAnswer(after)
}

function refuseAmount(detail: string): never {
  return refuse('invalid_input', { errors: [{ pointer: '/returned_amount', detail }] })
}

const discountOf = (returns: readonly ReturnRow[]): bigint =>
  returns.reduce((sum, { discount_minor }) => sum + BigInt(discount_minor), 0n)

/** The answer to the last one of these returns. It is the one that takes the prize back when nothing is left after it. */
function partAnswer(taking: Taking) {
  const { application, details, returns } = taking
  const returned_minor = returns.reduce((sum, each) => sum + BigInt(each.returned_minor), 0n)
  const is_whole = returned_minor === amountOf(details.calculation.order_amount, details.calculation.decimals)
  const amounts = {
    back_minor: BigInt(returns.at(-1)!.discount_minor),
    kept_minor: BigInt(application.discount_minor) - discountOf(returns),
  }
  if (is_whole) return answer(taking, amounts)
  return answer(
    { ...taking, application: { ...application, rolled_back_at: null, rolled_back_to: null } },
    amounts,
  )
}

/** Gives the prize back and undoes what it did; writes into `application` what its row says now. */
async function takeBack(taking: Taking): Promise<void> {
  const { tx, terms, row, application, order_id, reason } = taking
  const text = reason.slice(0, TEXT_MAX)
  const { transfer_id } = application
  const why = `order ${order_id}: ${reason}`.slice(0, TEXT_MAX)
  const { reversal_id } = await undoEffect(tx, { play: row, order_id, transfer_id, reason: why })
  const expires_at = expiryOf(row, tx.now, terms)
  const to = isPastDeadline({ ...row, expires_at }, tx.now) ? 'expired' : 'unlocked'
  await endApplication(tx, application.id, { reason: text, to })
  await sayMove(tx, `roll back order ${order_id}: ${reason}`.slice(0, TEXT_MAX))
  await sayRollback(tx, true)
  await returnPlay(tx, row.id, { to, expires_at })
  await sayRollback(tx, false)
  tx.audit({
    action: 'rollback',
    entity_type: 'game_play',
    entity_id: row.uuid,
    old_values: { prize_status: 'applied', expires_at: row.expires_at?.toISOString() ?? null },
    new_values: {
      prize_status: to,
      play_id: row.id,
      user_id: row.user_id,
      order_id,
      reason,
      transfer_id: reversal_id,
      expires_at: expires_at?.toISOString() ?? null,
    },
  })
  application.rolled_back_at = tx.now
  application.rolled_back_to = to
}

/** By the tenant's policy a prize that comes back lives a while, so that a late cancellation does not cost it. */
function expiryOf({ expires_at }: PlayRow, now: Date, { policy }: Terms): Date | null {
  if (expires_at === null || policy.returned_prize_hours === 0) return expires_at
  const least = new Date(now.getTime() + policy.returned_prize_hours * HOUR_MS)
  return least > expires_at ? least : expires_at
}

function answer(
  { application, details }: Taking,
  { back_minor, kept_minor }: { back_minor: bigint; kept_minor: bigint },
) {
  const { rolled_back_at, rolled_back_to, order_ref } = application
  const { decimals, effect } = details.calculation
  const is_undone = rolled_back_at !== null
  return {
    success: true,
    message: is_undone ? 'Prize rolled back successfully!' : 'The return was recorded.',
    data: {
      prize_status: rolled_back_to ?? 'applied',
      order_id: order_ref,
      rolled_back_at: rolled_back_at && timeText(rolled_back_at),
      discount_returned: amountText(back_minor, decimals),
      discount_kept: amountText(kept_minor, decimals),
      undone: is_undone && effect.kind !== 'order_discount' ? effect : null,
    },
  }
}
