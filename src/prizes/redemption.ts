/**
 * What prizes do on orders: tried, and applied. Whether one may be used is decided by conditions.ts and stacking.ts,
 * and what it does by discount.ts. Here those meet the rows.
 *
 * Lock order: order, plays by their ids, ledger accounts, heads.
 */
import { toldOrderCount } from '../customers/facts.ts'
import { inputHash, type Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { withoutFractions } from '../http/strict-json.ts'
import { newId } from '../ids.ts'
import { withSiblings } from './bundle.ts'
import { type Facts, factsOf, isInGrace, type OrderFacts, reasonView } from './conditions.ts'
import { type AppliedDetails, appliedDetailsSchema } from './discount.ts'
import { takeEffects } from './effects.ts'
import { amountText, decimalsOf, definedAmountOf } from './money.ts'
import { isHidden, type OrderRef, ownerOf, prizeOf, refuseFor, timeText } from './play.ts'
import { readTerms, type Terms } from './policy.ts'
import {
  type ApplicationRow,
  applyPlay,
  deleteHolds,
  insertApplication,
  loadApplications,
  loadStanding,
  lockOrder,
} from './redemption-store.ts'
import { type AppliedStep, type Placed, PRIZES_SENT_MAX, type Stacked, stack } from './stacking.ts'
import { loadPlays, lockPlays, type PlayRow, sayMove } from './store.ts'

/** A request about an order. `customer_order_count` counts only from the tenant's service. */
export type OrderInput = OrderFacts & { customer_order_count?: number | null | undefined }

type Trial = { play_ids: readonly number[]; order_id: OrderRef | null; at: Date | null; order: OrderInput }
type Application = { play_ids: readonly number[]; order_id: OrderRef; order: OrderInput }

/**
 * Whether a prize can be applied to an order, now or at another time, and what it would take off: every reason at
 * once. Moves nothing. Refuses not_found, invalid_input, and forbidden for a player who states what only the service
 * knows.
 */
export async function validatePrize(
  tx: Tx,
  { play_id, ...rest }: Omit<Trial, 'play_ids'> & { play_id: number },
) {
  const { rows, facts, stacked, terms } = await tryAll(tx, { play_ids: [play_id], ...rest })
  const row = rows[0]!
  const { applied } = stacked
  const details =
    rows.length === 1
      ? applied[0]?.discount.details
      : wholeOf(
          applied.map((step) => stepView(step.play_id, step.discount.details)),
          stacked,
          facts,
          terms,
        )
  const reasons = stacked.refused.flatMap((each) => each.reasons)
  return {
    success: true,
    data: {
      valid: reasons.length === 0,
      reasons: reasons.map(reasonView),
      discount_amount: details?.discount_amount ?? null,
      final_amount: details?.final_amount ?? null,
      application_type: isHidden(row) ? null : ((row.prize_snapshot?.['type'] as string) ?? null),
    },
  }
}

/** The same for several prizes on one order, by the tenant's stacking policy: which fit, in which order, each step's amounts. */
export async function validatePrizes(tx: Tx, input: Trial) {
  const { facts, stacked, terms } = await tryAll(tx, input)
  const steps = stacked.applied.map(({ play_id, discount }) => stepView(play_id, discount.details))
  return {
    success: true,
    data: { valid: stacked.refused.length === 0, ...sumOf(steps, stacked, facts, terms) },
  }
}

async function tryAll(tx: Tx, { play_ids: given_ids, order_id: order_ref, at, order }: Trial) {
  const play_ids = await wholeBundles(tx, given_ids, order_ref === null ? null : String(order_ref))
  const rows = asked(play_ids, await loadPlays(tx, play_ids, ownerOf(tx)))
  const terms = await readTerms(tx)
  const order_id = order_ref === null ? null : String(order_ref)
  const facts = await withTold(tx, readFacts(tx, order, order_id, terms), rows)
  const standing = order_id === null ? [] : await loadStanding(tx, order_id)
  const policy = policyFor(terms, given_ids, play_ids)
  return { rows, facts, terms, stacked: tryOn(rows, facts, standing, at ?? tx.now, policy) }
}

/**
 * Applies a prize to an order of the tenant's service: once per play and order, whatever keys the requests have. The
 * same order with the same facts is answered as it was first. Refuses not_found, invalid_input, obligation_conflict,
 * the state of the prize (prize_not_won, prize_applied, prize_expired, prize_locked, prize_held), prize_not_applicable,
 * whose facts have every reason, and item_out_of_stock.
 */
export async function applyPrize(
  tx: Tx,
  { play_id, ...rest }: Omit<Application, 'play_ids'> & { play_id: number },
) {
  const { facts, stacked, standing, terms } = await redeem(tx, { play_ids: [play_id], ...rest })
  refuseFor(stacked.refused.flatMap(({ reasons }) => reasons))
  const placeOf = ({ details: { calculation } }: Standing) => calculation.stacking?.position ?? 1
  standing.sort((a, b) => placeOf(a) - placeOf(b))
  const { applied_at, order_ref, details } = standing[0]!
  if (standing.length === 1) return applyAnswer(applied_at, order_ref, details)
  const steps = standing.map((each) => stepView(each.play_id, each.details))
  const whole = wholeOf(steps, stacked, facts, terms)
  return applyAnswer(applied_at, order_ref, { ...details, ...whole!, application_type: 'bundle' })
}

/**
 * Applies several prizes to one order, by the tenant's stacking policy. Prizes that the order has already, with the
 * same facts, are answered as they stand. Refuses as applyPrize does, and prize_not_applicable when none can be
 * applied; its facts then have the reasons of each.
 */
export async function applyPrizes(tx: Tx, input: Application) {
  const { rows, facts, stacked, standing, terms } = await redeem(tx, input)
  if (standing.length === 0) {
    const { reasons } = stacked.refused[0]!
    refuse('prize_not_applicable', { detail: reasons[0]!.message, facts: { refused: refusedView(stacked) } })
  }
  for (const each of stacked.refused) auditRefused(tx, rows, each, input)
  const steps = standing.map(({ play_id, details }) => stepView(play_id, details))
  steps.sort((a, b) => a.position - b.position)
  return {
    success: true,
    message: steps.length === 1 ? 'Prize applied successfully!' : 'Prizes applied successfully!',
    data: { applied_to_order_id: input.order_id, ...sumOf(steps, stacked, facts, terms) },
  }
}

/** Beside others that were applied; where nothing was, the refusal of the request is recorded (attempts.ts). */
function auditRefused(
  tx: Tx,
  rows: readonly PlayRow[],
  { play_id, reasons }: Stacked['refused'][number],
  { order_id, order }: Application,
): void {
  const row = rows.find(({ id }) => id === play_id)!
  tx.audit({
    action: 'apply.refused',
    entity_type: 'game_play',
    entity_id: row.uuid,
    new_values: {
      play_id,
      user_id: row.user_id,
      order_id: String(order_id),
      order_amount: order.order_amount == null ? null : String(order.order_amount),
      code: 'prize_not_applicable',
      reasons: reasons.map(({ code }) => code),
    },
  })
}

/** An application that stands, with its trace as it reads from its row: a repetition has the same bytes. */
type Standing = { play_id: number; applied_at: Date; order_ref: OrderRef; details: AppliedDetails }

async function redeem(tx: Tx, { play_ids: given_ids, order_id: order_ref, order }: Application) {
  const order_id = String(order_ref)
  const terms = await readTerms(tx)
  const stated = readFacts(tx, order, order_id, terms)
  // Of what the request states: the same request stays the same when the order system tells something newer.
  const facts_hash = inputHash(withoutFractions(stated))
  await lockOrder(tx, order_id)
  const play_ids = await wholeBundles(tx, given_ids, order_id)
  await lockPlays(tx, play_ids, null)
  const rows = asked(play_ids, await loadPlays(tx, play_ids, null))

  const before = await loadApplications(tx, play_ids, order_id)
  for (const first of before) refuseOther(first, facts_hash)
  const fresh = rows.filter(({ id }) => before.every(({ play_id }) => play_id !== id))
  const facts = await withTold(tx, stated, fresh)
  const policy = policyFor(terms, given_ids, play_ids)
  const stacked = tryOn(fresh, facts, await loadStanding(tx, order_id), tx.now, policy)
  const made = await recordAll(tx, fresh, stacked.applied, { order_id, order_ref, facts_hash, ...terms })
  return { rows, facts, stacked, terms, standing: [...before.map(standingOf), ...made] }
}

/** The plays of a request with the bundles that go with them. Refuses invalid_input for more than an order takes. */
async function wholeBundles(tx: Tx, given_ids: readonly number[], order_id: string | null) {
  const play_ids = await withSiblings(tx, given_ids, order_id)
  if (play_ids.length > PRIZES_SENT_MAX)
    refuse('invalid_input', { detail: `With their bundles these are more than ${PRIZES_SENT_MAX} prizes.` })
  return play_ids
}

/** A bundle that is applied as a whole goes on an order whole or not at all, and counts as one prize. */
function policyFor(terms: Terms, given_ids: readonly number[], play_ids: readonly number[]): Terms {
  const more = play_ids.length - given_ids.length
  if (more === 0) return terms
  const { stacking } = terms.policy
  const prizes_per_order_max = stacking.prizes_per_order_max + more
  return {
    ...terms,
    policy: { ...terms.policy, stacking: { ...stacking, mode: 'all_or_nothing', prizes_per_order_max } },
  }
}

/** The obligation of a play and an order is met once: with other facts, or after it was taken back, it is another one. */
function refuseOther({ play_id, facts_hash, rolled_back_at }: ApplicationRow, expected: string): void {
  if (rolled_back_at !== null)
    refuse('obligation_conflict', {
      detail: 'This prize was taken back from this order, and can be applied to another one.',
      facts: { play_id },
    })
  if (facts_hash !== expected)
    refuse('obligation_conflict', {
      detail: 'This prize was applied to this order with other facts.',
      facts: { play_id },
    })
}

function standingOf({ play_id, applied_at, order_ref, details }: ApplicationRow): Standing {
  return { play_id, applied_at, order_ref, details: appliedDetailsSchema.parse(details) }
}

type Order = Terms & { order_id: string; order_ref: OrderRef; facts_hash: string }

async function recordAll(
  tx: Tx,
  rows: readonly PlayRow[],
  steps: readonly AppliedStep[],
  order: Order,
): Promise<Standing[]> {
  if (steps.length === 0) return []
  await sayMove(tx, `apply to order ${order.order_id}`)
  const uses = steps.map((step) => ({
    play: rows.find(({ id }) => id === step.play_id)!,
    effect: step.discount.effect,
    order_id: order.order_id,
  }))
  const taken = await takeEffects(tx, uses)
  const made: Standing[] = []
  for (const [i, step] of steps.entries()) {
    const details = appliedDetailsSchema.parse(step.discount.details)
    const { play } = uses[i]!
    await record(tx, play, step, details, { ...order, transfer_id: taken[i]!.transfer_id })
    made.push({ play_id: play.id, applied_at: tx.now, order_ref: order.order_ref, details })
  }
  const applied_ids = steps.map(({ play_id }) => play_id)
  const has_hold = rows.some(({ id, restraints }) => applied_ids.includes(id) && restraints.length > 0)
  if (has_hold) await deleteHolds(tx, applied_ids, null)
  return made
}

async function record(
  tx: Tx,
  row: PlayRow,
  step: AppliedStep,
  details: AppliedDetails,
  order: Order & { transfer_id: string | null },
) {
  const prize = prizeOf(row)
  const { order_id, order_ref, currency, facts_hash, policy_version, transfer_id } = order
  const cap = prize.conditions.max_discount_amount ?? null
  await insertApplication(tx, {
    id: newId(),
    play_id: row.id,
    order_id,
    order_ref,
    order_minor: String(step.before_minor),
    discount_minor: String(step.discount_minor),
    final_minor: String(step.after_minor),
    max_discount_minor: cap === null ? null : String(definedAmountOf(cap, decimalsOf(currency))),
    currency,
    facts_hash,
    details,
    transfer_id,
    policy_version,
  })
  await applyPlay(tx, row.id, order_id, details)
  tx.audit({
    action: 'apply',
    entity_type: 'game_play',
    entity_id: row.uuid,
    old_values: { prize_status: 'unlocked' },
    new_values: {
      prize_status: 'applied',
      play_id: row.id,
      user_id: row.user_id,
      order_id,
      currency,
      order_amount: details.calculation.order_amount,
      discount_amount: details.discount_amount,
      final_amount: details.final_amount,
      application_type: details.application_type,
      transfer_id,
      policy_version,
      position: step.position,
      ...(isInGrace(prize, tx.now) && { within: 'grace' }),
    },
  })
}

function applyAnswer(applied_at: Date, order_ref: OrderRef, details: AppliedDetails) {
  const { discount_amount, final_amount, application_type, calculation } = details
  const { effect, stacking } = calculation
  return {
    success: true,
    message: 'Prize applied successfully!',
    data: {
      prize_status: 'applied',
      applied_at: timeText(applied_at),
      applied_to_order_id: order_ref,
      applied_details: {
        discount_amount,
        final_amount,
        application_type,
        // What a discount does is said by its amounts.
        ...(effect.kind !== 'order_discount' && { effect }),
        // Alone on its order there is nothing to explain.
        ...(stacking !== undefined && stacking.placed.length > 0 && { stacking }),
      },
    },
  }
}

/** One step of the computation as answers explain it: amount_after = amount_before - discount_amount. */
function stepView(
  play_id: number,
  { discount_amount, final_amount, application_type, calculation }: AppliedDetails,
) {
  const { amount_before, effect, stacking } = calculation
  return {
    play_id,
    position: stacking?.position ?? 1,
    application_type,
    amount_before,
    discount_amount,
    amount_after: final_amount,
    effect,
  }
}

type Step = ReturnType<typeof stepView>

const refusedView = ({ refused }: Stacked) =>
  refused.map(({ play_id, reasons }) => ({ play_id, reasons: reasons.map(reasonView) }))

/** What the steps take together, and what is left of the order after the last one. */
function sumOf(applied: readonly Step[], stacked: Stacked, { order_minor }: Facts, terms: Terms) {
  const decimals = decimalsOf(terms.currency)
  const total_minor = applied.reduce(
    (sum, step) => sum + definedAmountOf(step.discount_amount, decimals)!,
    0n,
  )
  return {
    policy_version: terms.policy_version,
    applied,
    refused: refusedView(stacked),
    order_amount: order_minor === null ? null : amountText(order_minor, decimals),
    discount_amount: amountText(total_minor, decimals),
    final_amount: stacked.final_minor === null ? null : amountText(stacked.final_minor, decimals),
  }
}

/** What the parts of a bundle take together; null when they do not apply. */
function wholeOf(steps: readonly Step[], stacked: Stacked, facts: Facts, terms: Terms) {
  if (steps.length === 0) return null
  const { discount_amount, final_amount } = sumOf(steps, stacked, facts, terms)
  return { discount_amount, final_amount: final_amount ?? steps.at(-1)!.amount_after }
}

/** Facts of a request; what the service knows about a customer is taken from the service only. */
function readFacts(tx: Tx, input: OrderInput, order_id: string | null, { currency }: Terms): Facts {
  const { customer_order_count = null, ...order } = input
  if (customer_order_count !== null && !tx.actor.roles.includes('service'))
    refuse('forbidden', { detail: 'Only the service says how many orders a customer has completed.' })
  return factsOf(order, { currency, order_id, customer_order_count })
}

/** Facts with what the order system told of the customer before, where prizes ask for it and the request is silent. */
async function withTold(tx: Tx, facts: Facts, rows: readonly PlayRow[]): Promise<Facts> {
  const asks = ({ prize_snapshot }: PlayRow) =>
    Boolean(
      prize_snapshot?.['conditions']?.new_customer_only || prize_snapshot?.['conditions']?.min_order_count,
    )
  const [user_id, ...others] = new Set(rows.map((row) => row.user_id))
  if (facts.customer_order_count !== null || !rows.some(asks) || user_id === undefined || others.length > 0)
    return facts
  return { ...facts, customer_order_count: await toldOrderCount(tx, user_id) }
}

/** Rows in the order of the request. Refuses not_found when one is not there to be seen. */
function asked(play_ids: readonly number[], rows: readonly PlayRow[]): PlayRow[] {
  return play_ids.map((play_id) => rows.find(({ id }) => id === play_id) ?? refuse('not_found'))
}

/** Prizes on an order, beside the prizes that stand on it. */
function tryOn(
  rows: readonly PlayRow[],
  facts: Facts,
  standing: readonly ApplicationRow[],
  at: Date,
  { time_zone, policy, policy_version }: Terms,
): Stacked {
  const candidates = rows.map((row) => {
    const prize = prizeOf(row)
    return { play_id: row.id, category: prize.type, prize }
  })
  // A prize that stands on the order already says so by its state.
  const placed = standing.filter(({ play_id }) => rows.every(({ id }) => id !== play_id)).map(placedOf)
  return stack(candidates, { facts, placed, policy: policy.stacking, policy_version }, at, time_zone)
}

function placedOf({ play_id, discount_minor, details }: ApplicationRow): Placed {
  const { application_type, calculation } = appliedDetailsSchema.parse(details)
  return {
    play_id,
    category: application_type,
    discount_minor: BigInt(discount_minor),
    is_delivery_free: calculation.effect.kind === 'free_delivery',
  }
}
