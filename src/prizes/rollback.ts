/**
 * Taking back what a prize did on an order (P-28): all of it when the order is cancelled, a share of its discount when
 * a part of the order comes back. Once per application, whatever keys the requests have. A bundle that is used as a
 * whole comes back as a whole, whichever part of it is named.
 *
 * Lock order: order, play, ledger accounts, heads.
 */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { loadWhole } from './bundle-store.ts'
import { isPastDeadline } from './conditions.ts'
import { type AppliedDetails, appliedDetailsSchema } from './discount.ts'
import { undoEffect } from './effects.ts'
import { amountOf, amountText, shareOf } from './money.ts'
import { type OrderRef, timeText } from './play.ts'
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
import { loadPlays, lockPlays, type PlayRow, sayMove } from './store.ts'

const HOUR_MS = 3_600_000
/** As much as the columns hold. */
const TEXT_MAX = 200

/** A part of an order that came back: the shop's own id of the return, and what the goods had cost, before discounts. */
export type Returned = { return_id: OrderRef; returned_amount: number | string }
type RollbackInput = { play_id: number; order_id: OrderRef; reason: string; returned: Returned | null }

/**
 * Takes a prize back from an order, or with `returned` a share of its discount. The prize becomes unlocked again, or
 * expired when its time is over; what it paid is reversed. When the returns make up the whole order, it is taken back
 * too. A repetition is answered as the first time. For a bundle that was applied as a whole the amounts are those of all
 * its parts, and `parts` has each.
 *
 * Refuses not_found (also when the prize was never applied to this order), invalid_input for an amount that is none or
 * beyond what is left of the order, obligation_conflict for another amount under the same return id or a return after
 * the prize was taken back, insufficient_funds when what it paid was spent meanwhile, fulfilment_delivered when its item was handed over.
 */
export async function rollbackPrize(tx: Tx, input: RollbackInput) {
  const { play_id, reason, returned } = input
  const terms = await readTerms(tx)
  const order_id = String(input.order_id)
  await lockOrders(tx, [order_id])
  const ids = await loadWhole(tx, play_id)
  await lockPlays(tx, ids, null)
  const rows = await loadPlays(tx, ids, null)
  if (rows.every(({ id }) => id !== play_id)) refuse('not_found')
  const applications = await loadApplications(tx, ids, [order_id])
  if (applications.every((each) => each.play_id !== play_id))
    refuse('not_found', { detail: 'This prize was not applied to this order.' })
  const taken: Taken[] = []
  for (const application of applications) {
    const row = rows.find(({ id }) => id === application.play_id)!
    const details = appliedDetailsSchema.parse(application.details)
    const returns = await loadReturns(tx, application.id)
    const taking = { tx, terms, row, application, order_id, reason, details, returns }
    taken.push(returned === null ? await rollbackAll(taking) : await rollbackPart(taking, returned))
  }
  return answer(
    taken.find(({ row }) => row.id === play_id)!,
    taken.toSorted((one, other) => one.row.id - other.row.id),
  )
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

/** What became of one application: what falls away of its discount, and what is left of it. */
type Taken = Pick<Taking, 'row' | 'application' | 'details'> & { back_minor: bigint; kept_minor: bigint }

async function rollbackAll(taking: Taking): Promise<Taken> {
  const { application, returns } = taking
  const back_minor = BigInt(application.discount_minor) - discountOf(returns)
  if (application.rolled_back_at === null) await takeBack(taking)
  return { ...taking, back_minor, kept_minor: 0n }
}

async function rollbackPart(
  taking: Taking,
  { return_id: return_ref, returned_amount }: Returned,
): Promise<Taken> {
  const { tx, application, details, returns, row, order_id, reason } = taking
  const { decimals } = details.calculation
  const return_id = String(return_ref)
  const returned_minor = amountOf(returned_amount, decimals) ?? 0n
  if (returned_minor === 0n) refuseAmount(`An amount above 0 with at most ${decimals} decimals.`)

  const known = returns.findIndex((each) => each.return_id === return_id)
  if (known >= 0) {
    if (BigInt(returns[known]!.returned_minor) !== returned_minor) refuse('obligation_conflict')
    return partOf({ ...taking, returns: returns.slice(0, known + 1) })
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
  return partOf(after)
}

function refuseAmount(detail: string): never {
  return refuse('invalid_input', { errors: [{ pointer: '/returned_amount', detail }] })
}

const discountOf = (returns: readonly ReturnRow[]): bigint =>
  returns.reduce((sum, { discount_minor }) => sum + BigInt(discount_minor), 0n)

/** What the last one of these returns came to. It is the one that takes the prize back when nothing is left after it. */
function partOf(taking: Taking): Taken {
  const { application, details, returns } = taking
  const returned_minor = returns.reduce((sum, each) => sum + BigInt(each.returned_minor), 0n)
  const is_whole = returned_minor === amountOf(details.calculation.order_amount, details.calculation.decimals)
  return {
    ...taking,
    ...(!is_whole && { application: { ...application, rolled_back_at: null, rolled_back_to: null } }),
    back_minor: BigInt(returns.at(-1)!.discount_minor),
    kept_minor: BigInt(application.discount_minor) - discountOf(returns),
  }
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

function answer(asked: Taken, taken: readonly Taken[]) {
  const { application, details } = asked
  const { rolled_back_at, order_ref } = application
  const { decimals } = details.calculation
  const sum = (of: 'back_minor' | 'kept_minor') => taken.reduce((total, each) => total + each[of], 0n)
  return {
    success: true,
    message: rolled_back_at === null ? 'The return was recorded.' : 'Prize rolled back successfully!',
    data: {
      prize_status: application.rolled_back_to ?? 'applied',
      order_id: order_ref,
      rolled_back_at: rolled_back_at && timeText(rolled_back_at),
      discount_returned: amountText(sum('back_minor'), decimals),
      discount_kept: amountText(sum('kept_minor'), decimals),
      undone: undoneOf(asked),
      ...(taken.length > 1 && { parts: taken.map(partView) }),
    },
  }
}

/** What the shop takes off the order again, beside the discount. */
function undoneOf({ application, details }: Taken) {
  const { effect } = details.calculation
  return application.rolled_back_at !== null && effect.kind !== 'order_discount' ? effect : null
}

function partView(part: Taken) {
  const { decimals } = part.details.calculation
  return {
    play_id: part.row.id,
    prize_status: part.application.rolled_back_to ?? 'applied',
    discount_returned: amountText(part.back_minor, decimals),
    discount_kept: amountText(part.kept_minor, decimals),
    undone: undoneOf(part),
  }
}
