/**
 * What prizes do on orders: tried, and applied. Whether one may be used is decided by conditions.ts and stacking.ts,
 * and what it does by discount.ts. Here those meet the rows.
 *
 * Lock order: order, plays by their ids, ledger accounts, heads.
 */
import type { App } from '../app.ts'
import { toldOrderCounts } from '../customers/facts.ts'
import { makeBatcher, type Verdict } from '../db/batch.ts'
import { type Claim, type Once, onceAll } from '../db/once.ts'
import { type Actor, inputHash, type Tx, together } from '../db/tx.ts'
import { Refusal, refuse } from '../errors.ts'
import { withoutFractions } from '../http/strict-json.ts'
import { newId } from '../ids.ts'
import { systemActor } from '../system.ts'
import { withSiblings } from './bundle.ts'
import { type Facts, factsOf, isInGrace, type OrderFacts, reasonView } from './conditions.ts'
import { type AppliedDetails, appliedDetailsSchema } from './discount.ts'
import { takeEffects, type Use } from './effects.ts'
import { amountText, decimalsOf, definedAmountOf } from './money.ts'
import { isHidden, type OrderRef, ownerOf, prizeOf, refuseFor, timeText } from './play.ts'
import { readTerms, type Terms } from './policy.ts'
import {
  type ApplicationRecord,
  type ApplicationRow,
  applyPlays,
  deleteHolds,
  insertApplications,
  loadApplications,
  loadStanding,
  lockOrders,
} from './redemption-store.ts'
import { type AppliedStep, type Placed, PRIZES_SENT_MAX, type Stacked, stack } from './stacking.ts'
import { loadPlays, lockPlays, type PlayRow } from './store.ts'

/**
 * A request about an order. `customer_order_count` counts only from the tenant's service; `user_id` is whose order it
 * is, so that a customer's checkout takes no prize of somebody else.
 */
export type OrderInput = OrderFacts & {
  customer_order_count?: number | null | undefined
  user_id?: string | null | undefined
}

type Trial = { play_ids: readonly number[]; order_id: OrderRef | null; at: Date | null; order: OrderInput }
export type Application = { play_ids: readonly number[]; order_id: OrderRef; order: OrderInput }

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
  const order_id = order_ref === null ? null : String(order_ref)
  const [play_ids] = await withSiblings(tx, [{ play_ids: given_ids, order_id }])
  refuseMany(play_ids!)
  const plays = new Map((await loadPlays(tx, play_ids!, ownerOf(tx))).map((row) => [row.id, row]))
  const rows = asked(play_ids!, plays, order)
  const terms = await readTerms(tx)
  const facts = withTold(readFacts(tx.actor, order, order_id, terms), rows, await readTold(tx, plays))
  const standing = order_id === null ? [] : await loadStanding(tx, [order_id])
  const policy = policyFor(terms, given_ids, play_ids!)
  return { rows, facts, terms, stacked: tryOn(rows, facts, standing, at ?? tx.now, policy) }
}

/** One prize or several; the two differ in what they answer, and in whether one that is refused stops the others. */
export type ApplyRequest = Application & { by: Actor; is_single: boolean }

export type ApplyAnswer = ReturnType<typeof singleAnswer> | ReturnType<typeof severalAnswer>

/**
 * Applies a prize to an order of the tenant's service: once per play and order, whatever keys the requests have. The
 * same order with the same facts is answered as it was first. Refuses not_found, invalid_input, obligation_conflict,
 * the state of the prize (prize_not_won, prize_applied, prize_expired, prize_locked, prize_held), prize_not_applicable,
 * whose facts have every reason, and item_out_of_stock.
 */
export async function applyPrize(
  tx: Tx,
  { play_id, ...rest }: Omit<Application, 'play_ids'> & { play_id: number },
): Promise<ReturnType<typeof singleAnswer>> {
  return applyOne(tx, { ...rest, play_ids: [play_id], is_single: true }) as Promise<
    ReturnType<typeof singleAnswer>
  >
}

/**
 * Applies several prizes to one order, by the tenant's stacking policy. Prizes that the order has already, with the
 * same facts, are answered as they stand. Refuses as applyPrize does, and prize_not_applicable when none can be
 * applied; its facts then have the reasons of each.
 */
export async function applyPrizes(tx: Tx, input: Application): Promise<ReturnType<typeof severalAnswer>> {
  return applyOne(tx, { ...input, is_single: false }) as Promise<ReturnType<typeof severalAnswer>>
}

async function applyOne(tx: Tx, request: Omit<ApplyRequest, 'by'>): Promise<ApplyAnswer> {
  const [verdict] = await applyAll(tx, [{ ...request, by: tx.actor }])
  if ('refusal' in verdict!) throw verdict.refusal
  return verdict!.answer
}

export type ApplyBatch = (actor: Actor, input: Omit<ApplyRequest, 'by'>, claim: Claim) => Promise<Once>

/** Applications that wait at the same time are made in one transaction, each once under its key (`onceAll`). */
export function makeApplyBatch(app: App): ApplyBatch {
  type Member = { request: ApplyRequest; claim: Claim }
  const batcher = makeBatcher<Member, Once>({
    run: (tenantId, members) =>
      app.run(
        systemActor(tenantId),
        (tx, given: readonly Member[]) =>
          onceAll(
            tx,
            given.map(({ claim }) => claim),
            (places) =>
              applyAll(
                tx,
                places.map((place) => given[place]!.request),
              ),
          ),
        members,
      ),
  })
  return (by, input, claim) =>
    // Whoever wants the same order waits on the same lane, and not for a lock that the other lane holds.
    batcher.submit(by.tenantId, String(input.order_id), { request: { ...input, by }, claim })
}

/**
 * Applies for each of `requests`, in order, each seeing what those before it did; the number of statements does not
 * depend on how many they are. A refused one leaves the others alone, except for item_out_of_stock, which is thrown:
 * nothing was written then.
 */
export async function applyAll(tx: Tx, requests: readonly ApplyRequest[]): Promise<Verdict<ApplyAnswer>[]> {
  const read = await readAll(tx, requests)
  const made: Made[] = []
  const verdicts = requests.map((request, i): Verdict<ApplyAnswer> => {
    try {
      return { answer: redeem(tx, request, read.wholes[i]!, read, made) }
    } catch (error) {
      if (error instanceof Refusal) return { refusal: error }
      throw error
    }
  })
  await recordAll(tx, made, read.terms)
  return verdicts
}

type Read = Awaited<ReturnType<typeof readAll>>

/** Everything under its locks: the orders, then the plays of their prizes, and what was applied to them. */
async function readAll(tx: Tx, requests: readonly ApplyRequest[]) {
  const order_ids = [...new Set(requests.map(({ order_id }) => String(order_id)))]
  const [terms, , wholes] = await together(
    readTerms(tx),
    lockOrders(tx, order_ids),
    withSiblings(
      tx,
      requests.map(({ play_ids, order_id }) => ({ play_ids, order_id: String(order_id) })),
    ),
  )
  const play_ids = [...new Set(wholes.flat())]
  const [, rows, applications, standing] = await together(
    lockPlays(tx, play_ids, null),
    loadPlays(tx, play_ids, null),
    loadApplications(tx, play_ids, order_ids),
    loadStanding(tx, order_ids),
  )
  const plays = new Map(rows.map((row) => [row.id, row]))
  return { terms, wholes, plays, applications, standing, told: await readTold(tx, plays) }
}

/** What one request comes to, over what those before it have made. Pure but for the audit of what is refused. */
function redeem(
  tx: Tx,
  request: ApplyRequest,
  play_ids: readonly number[],
  read: Read,
  made: Made[],
): ApplyAnswer {
  const { by, order_id: order_ref, order: input, is_single } = request
  const order_id = String(order_ref)
  const stated = readFacts(by, input, order_id, read.terms)
  refuseMany(play_ids)
  // Of what the request states: the same request stays the same when the order system tells something newer.
  const facts_hash = inputHash(withoutFractions(stated))
  const rows = asked(play_ids, read.plays, input)
  const before = read.applications.filter(
    (each) => each.order_id === order_id && play_ids.includes(each.play_id),
  )
  for (const first of before) refuseOther(first, facts_hash)
  const fresh = rows.filter(({ id }) => before.every(({ play_id }) => play_id !== id))
  const facts = withTold(stated, fresh, read.told)
  const terms = policyFor(read.terms, request.play_ids, play_ids)
  const on_order = read.standing.filter((each) => each.order_id === order_id)
  const stacked = tryOn(fresh, facts, on_order, tx.now, terms)
  if (is_single) refuseFor(stacked.refused.flatMap(({ reasons }) => reasons))
  if (before.length + stacked.applied.length === 0) {
    const { reasons } = stacked.refused[0]!
    refuse('prize_not_applicable', { detail: reasons[0]!.message, facts: { refused: refusedView(stacked) } })
  }
  const order = { order_id, order_ref, facts_hash, by }
  const now = stacked.applied.map((step) => place(tx, step, order, read, made))
  const standing = [...before.map(standingOf), ...now]
  if (is_single) return singleAnswer(standing, stacked, facts, terms)
  for (const each of stacked.refused) auditRefused(tx, rows, each, request)
  return severalAnswer(order_ref, standing, stacked, facts, terms)
}

type Order = { order_id: string; order_ref: OrderRef; facts_hash: string; by: Actor }

/** A step that is to be written, with its play as it was read. */
type Made = { id: string; play: PlayRow; step: AppliedStep; details: AppliedDetails; order: Order }

/** Notes a step, and shows it to the requests behind this one as they would read it. */
function place(tx: Tx, step: AppliedStep, order: Order, read: Read, made: Made[]): Standing {
  const play = read.plays.get(step.play_id)!
  const id = newId()
  const details = appliedDetailsSchema.parse(step.discount.details)
  made.push({ id, play, step, details, order })
  const { order_id, order_ref, facts_hash } = order
  const applied_at = tx.now
  read.plays.set(play.id, {
    ...play,
    prize_status: 'applied',
    applied_at,
    applied_to_order_id: order_id,
    restraints: [],
  })
  const row: ApplicationRow = {
    id,
    play_id: play.id,
    order_id,
    order_ref,
    discount_minor: Number(step.discount_minor),
    details,
    facts_hash,
    transfer_id: null,
    applied_at,
    rolled_back_at: null,
    rolled_back_to: null,
  }
  read.applications.push(row)
  read.standing.push(row)
  return { play_id: play.id, applied_at, order_ref, details }
}

/** Beside others that were applied; where nothing was, the refusal of the request is recorded (attempts.ts). */
function auditRefused(
  tx: Tx,
  rows: readonly PlayRow[],
  { play_id, reasons }: Stacked['refused'][number],
  { order_id, order, by }: ApplyRequest,
): void {
  const row = rows.find(({ id }) => id === play_id)!
  tx.audit({
    action: 'apply.refused',
    entity_type: 'game_play',
    entity_id: row.uuid,
    by,
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

/** Refuses invalid_input for more plays, with the bundles that go with them, than an order takes. */
function refuseMany(play_ids: readonly number[]): void {
  if (play_ids.length > PRIZES_SENT_MAX)
    refuse('invalid_input', { detail: `With their bundles these are more than ${PRIZES_SENT_MAX} prizes.` })
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

async function recordAll(tx: Tx, made: readonly Made[], terms: Terms): Promise<void> {
  if (made.length === 0) return
  const uses = made.map(
    ({ play, step, order }): Use => ({
      play,
      effect: step.discount.effect,
      order_id: order.order_id,
      by: order.by,
    }),
  )
  const taken = await takeEffects(tx, uses)
  const records = made.map((each, i) => recordOf(each, taken[i]!.transfer_id, terms))
  for (const [i, each] of made.entries()) auditApplied(tx, each, taken[i]!.transfer_id, terms)
  tx.awaitBeforeCommit(insertApplications(tx, records))
  const plays = made.map(({ play, order, details }) => ({ id: play.id, order_id: order.order_id, details }))
  tx.awaitBeforeCommit(
    applyPlays(tx, plays).then((applied) => {
      if (applied !== plays.length) throw new Error(`${plays.length} plays were meant and ${applied} applied`)
    }),
  )
  const held_ids = made.filter(({ play }) => play.restraints.length > 0).map(({ play }) => play.id)
  if (held_ids.length > 0) tx.awaitBeforeCommit(deleteHolds(tx, held_ids, null))
}

function recordOf(
  { id, play, step, details, order }: Made,
  transfer_id: string | null,
  terms: Terms,
): ApplicationRecord {
  const { order_id, order_ref, facts_hash, by } = order
  const cap = prizeOf(play).conditions.max_discount_amount ?? null
  return {
    id,
    play_id: play.id,
    order_id,
    order_ref,
    order_minor: String(step.before_minor),
    discount_minor: String(step.discount_minor),
    final_minor: String(step.after_minor),
    max_discount_minor: cap === null ? null : String(definedAmountOf(cap, decimalsOf(terms.currency))),
    currency: terms.currency,
    facts_hash,
    details,
    transfer_id,
    policy_version: terms.policy_version,
    applied_by: by.userId,
  }
}

function auditApplied(
  tx: Tx,
  { play, step, details, order }: Made,
  transfer_id: string | null,
  terms: Terms,
): void {
  tx.audit({
    action: 'apply',
    entity_type: 'game_play',
    entity_id: play.uuid,
    by: order.by,
    old_values: { prize_status: 'unlocked' },
    new_values: {
      prize_status: 'applied',
      play_id: play.id,
      user_id: play.user_id,
      order_id: order.order_id,
      currency: terms.currency,
      order_amount: details.calculation.order_amount,
      discount_amount: details.discount_amount,
      final_amount: details.final_amount,
      application_type: details.application_type,
      transfer_id,
      policy_version: terms.policy_version,
      position: step.position,
      ...(isInGrace(prizeOf(play), tx.now) && { within: 'grace' }),
    },
  })
}

/** The answer for a prize, which is the first of what stands; a bundle that goes as a whole is one prize. */
function singleAnswer(standing: Standing[], stacked: Stacked, facts: Facts, terms: Terms) {
  const placeOf = ({ details: { calculation } }: Standing) => calculation.stacking?.position ?? 1
  standing.sort((a, b) => placeOf(a) - placeOf(b))
  const { applied_at, order_ref, details } = standing[0]!
  if (standing.length === 1) return applyAnswer(applied_at, order_ref, details)
  const steps = standing.map((each) => stepView(each.play_id, each.details))
  const whole = wholeOf(steps, stacked, facts, terms)
  return applyAnswer(applied_at, order_ref, { ...details, ...whole!, application_type: 'bundle' })
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

function severalAnswer(
  order_ref: OrderRef,
  standing: readonly Standing[],
  stacked: Stacked,
  facts: Facts,
  terms: Terms,
) {
  const steps = standing.map(({ play_id, details }) => stepView(play_id, details))
  steps.sort((a, b) => a.position - b.position)
  return {
    success: true,
    message: steps.length === 1 ? 'Prize applied successfully!' : 'Prizes applied successfully!',
    data: { applied_to_order_id: order_ref, ...sumOf(steps, stacked, facts, terms) },
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
function readFacts(by: Actor, input: OrderInput, order_id: string | null, { currency }: Terms): Facts {
  const { customer_order_count = null, user_id: _whose, ...order } = input
  if (customer_order_count !== null && !by.roles.includes('service'))
    refuse('forbidden', { detail: 'Only the service says how many orders a customer has completed.' })
  return factsOf(order, { currency, order_id, customer_order_count })
}

/** Whether the orders of a customer decide about a prize. */
const asksForOrders = ({ prize_snapshot }: PlayRow): boolean =>
  Boolean(
    prize_snapshot?.['conditions']?.new_customer_only || prize_snapshot?.['conditions']?.min_order_count,
  )

type Told = ReadonlyMap<string, number>

/** What the order system told of the owners of these plays, where it is asked for. */
async function readTold(tx: Tx, plays: ReadonlyMap<number, PlayRow>): Promise<Told> {
  const user_ids = new Set([...plays.values()].filter(asksForOrders).map((row) => row.user_id))
  return user_ids.size === 0 ? new Map() : toldOrderCounts(tx, [...user_ids])
}

/** Facts with what was told of the customer before, where prizes ask for it and the request is silent. */
function withTold(facts: Facts, rows: readonly PlayRow[], told: Told): Facts {
  const [user_id, ...others] = new Set(rows.map((row) => row.user_id))
  if (facts.customer_order_count !== null || user_id === undefined || others.length > 0) return facts
  if (!rows.some(asksForOrders)) return facts
  return { ...facts, customer_order_count: told.get(user_id) ?? null }
}

/** Rows in the order of the request. Refuses not_found when one is not there to be seen, or not the customer's. */
function asked(
  play_ids: readonly number[],
  plays: ReadonlyMap<number, PlayRow>,
  { user_id = null }: OrderInput,
): PlayRow[] {
  const rows = play_ids.map((play_id) => plays.get(play_id) ?? refuse('not_found'))
  if (user_id !== null && rows.some((row) => row.user_id !== user_id)) refuse('not_found')
  return rows
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
