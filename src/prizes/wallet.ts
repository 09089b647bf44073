/**
 * The wallet: what a player won, opened and used. A prize moves by the table of migrations/0005_wallet.sql; whether it
 * may be used is decided by conditions.ts and stacking.ts, and what it does by discount.ts. Here those meet the rows.
 *
 * Lock order: order, play, ledger accounts, heads.
 */
import { inputHash, type Tx } from '../db/tx.ts'
import { type ErrorCode, refuse } from '../errors.ts'
import { withoutFractions } from '../http/strict-json.ts'
import { newId } from '../ids.ts'
import { shownCode, storedCode } from './codes.ts'
import {
  type Facts,
  factsOf,
  isInGrace,
  isPastDeadline,
  type OrderFacts,
  type Prize,
  type Reason,
  type ReasonCode,
  reasonView,
  whyNotNow,
  whyNotOpen,
} from './conditions.ts'
import { type AppliedDetails, appliedDetailsSchema } from './discount.ts'
import { takeEffect } from './effects.ts'
import { decimalsOf, definedAmountOf } from './money.ts'
import { type AppliedStep, type Placed, STACKING_DEFAULT, type Stacked, stack } from './stacking.ts'
import {
  type ApplicationRow,
  applyPlay,
  insertApplication,
  loadApplication,
  loadMovedPrizes,
  loadPlay,
  loadPlayByCode,
  loadPrizeCounts,
  loadPrizePage,
  loadStanding,
  loadTerms,
  lockOrder,
  lockPlay,
  type PlayRow,
  sayMove,
  type Terms,
  unlockPlay,
} from './store.ts'

/** What a list can be asked for: the four stored states, `used` for applied (features F7), or all. */
export const STATUS_FILTERS = ['all', 'locked', 'unlocked', 'applied', 'used', 'expired'] as const
export type StatusFilter = (typeof STATUS_FILTERS)[number]

/** A page of the actor's prizes as seeds/002 shows it, newest first. */
export async function readMyPrizes(
  tx: Tx,
  { status: asked, page, per_page }: { status: StatusFilter; page: number; per_page: number },
) {
  const status = asked === 'all' ? null : asked === 'used' ? 'applied' : asked
  const user_id = tx.actor.userId
  const terms = await loadTerms(tx)
  const { locked, unlocked, applied, expired } = await loadPrizeCounts(tx, user_id)
  const counts = { locked, unlocked, applied, expired }
  const total_items = status === null ? locked + unlocked + applied + expired : counts[status]
  const rows = await loadPrizePage(tx, { user_id, status, limit: per_page, offset: (page - 1) * per_page })
  return {
    data: rows.map((row) => prizeView(row, tx.now, terms)),
    pagination: {
      current_page: page,
      total_pages: Math.max(1, Math.ceil(total_items / per_page)),
      total_items,
    },
  }
}

/** How many prizes the actor has, of each status and all together: what the tabs of a wallet show (S2-46, S2-48). */
export async function countMyPrizes(tx: Tx) {
  const { locked, unlocked, applied, expired } = await loadPrizeCounts(tx, tx.actor.userId)
  return { data: { all: locked + unlocked + applied + expired, locked, unlocked, applied, expired } }
}

/** The actor's prizes that moved last, each as the wallet shows it, with the version of its row. */
export async function readMovedPrizes(tx: Tx, { limit }: { limit: number }) {
  const terms = await loadTerms(tx)
  const rows = await loadMovedPrizes(tx, tx.actor.userId, limit)
  return rows.map((row) => ({ row_version: row.row_version, prize: prizeView(row, tx.now, terms) }))
}

/** The prize with a code: the owner's own, for staff anybody's. Undefined when there is none to be seen. */
export async function findByCode(tx: Tx, { prize_code }: { prize_code: string }) {
  const row = await loadPlayByCode(tx, storedCode(prize_code), ownerOf(tx))
  return row && { data: prizeView(row, tx.now, await loadTerms(tx)) }
}

/**
 * Opens a prize of the actor, once: a second call answers what the first did. Refuses not_found (also for plays of
 * others), prize_not_won, prize_applied, prize_expired.
 */
export async function unlockPrize(tx: Tx, { play_id }: { play_id: number }) {
  const row = (await lockPlay(tx, play_id, tx.actor.userId)) ?? refuse('not_found')
  const { time_zone } = await loadTerms(tx)
  const reasons = whyNotOpen(prizeOf(row), null, tx.now, time_zone)
  refuseFor(reasons.filter(({ code }) => code !== 'prize_locked'))
  if (row.prize_status === 'unlocked') return unlockAnswer(row.unlocked_at!)

  await sayMove(tx, 'unlock')
  const unlocked_at = await unlockPlay(tx, row.id)
  tx.audit({
    action: 'unlock',
    entity_type: 'game_play',
    entity_id: row.uuid,
    old_values: { prize_status: 'locked' },
    new_values: { prize_status: 'unlocked', play_id: row.id, unlocked_at: unlocked_at.toISOString() },
  })
  return unlockAnswer(unlocked_at)
}

function unlockAnswer(unlocked_at: Date) {
  return {
    success: true,
    message: 'Prize unlocked successfully!',
    data: { prize_status: 'unlocked', unlocked_at: timeText(unlocked_at) },
  }
}

type OrderRef = number | string
/** A request about an order. `customer_order_count` counts only from the tenant's service. */
export type OrderInput = OrderFacts & { customer_order_count?: number | null | undefined }

/**
 * Whether a prize can be applied to an order, now or at another time, and what it would take off: every reason at
 * once. Writes nothing. Refuses not_found, invalid_input, and forbidden for a player who states what only the service
 * knows.
 */
export async function validatePrize(
  tx: Tx,
  input: { play_id: number; order_id: OrderRef | null; at: Date | null; order: OrderInput },
) {
  const row = (await loadPlay(tx, input.play_id, ownerOf(tx))) ?? refuse('not_found')
  const terms = await loadTerms(tx)
  const order_id = input.order_id === null ? null : String(input.order_id)
  const facts = readFacts(tx, input.order, order_id, terms)
  const standing = order_id === null ? [] : await loadStanding(tx, order_id)
  const { applied, refused } = tryOn(row, facts, standing, input.at ?? tx.now, terms)
  const details = applied[0]?.discount.details
  const reasons = refused.flatMap((each) => each.reasons)
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

/**
 * Applies a prize to an order of the tenant's service: once per play and order, whatever keys the requests have. The
 * same order with the same facts is answered as it was first. Refuses not_found, invalid_input, obligation_conflict,
 * the state of the prize (prize_not_won, prize_applied, prize_expired, prize_locked) and prize_not_applicable, whose
 * facts have every reason.
 */
export async function applyPrize(tx: Tx, input: { play_id: number; order_id: OrderRef; order: OrderInput }) {
  const order_id = String(input.order_id)
  const terms = await loadTerms(tx)
  const facts = readFacts(tx, input.order, order_id, terms)
  const facts_hash = inputHash(withoutFractions(facts))
  await lockOrder(tx, order_id)
  const row = (await lockPlay(tx, input.play_id, null)) ?? refuse('not_found')

  const first = await loadApplication(tx, row.id, order_id)
  if (first !== undefined) {
    if (first.facts_hash !== facts_hash || first.rolled_back_at !== null) refuse('obligation_conflict')
    return applyAnswer(first.applied_at, first.order_ref, appliedDetailsSchema.parse(first.details))
  }

  const { applied, refused } = tryOn(row, facts, await loadStanding(tx, order_id), tx.now, terms)
  refuseFor(refused.flatMap(({ reasons }) => reasons))
  const step = applied[0]!
  // As it reads when it is parsed from its row: a repetition has the same bytes.
  const details = appliedDetailsSchema.parse(step.discount.details)
  await record(tx, row, step, details, { order_id, order_ref: input.order_id, facts_hash, ...terms })
  return applyAnswer(tx.now, input.order_id, details)
}

type Order = Terms & { order_id: string; order_ref: OrderRef; facts_hash: string }

async function record(tx: Tx, row: PlayRow, step: AppliedStep, details: AppliedDetails, order: Order) {
  const prize = prizeOf(row)
  const { order_id, order_ref, currency, facts_hash } = order
  const { transfer_id } = await takeEffect(tx, { play: row, effect: step.discount.effect, order_id })
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
  })
  await sayMove(tx, `apply to order ${order_id}`)
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
      ...(isInGrace(prize, tx.now) && { within: 'grace' }),
    },
  })
}

function applyAnswer(applied_at: Date, order_ref: OrderRef, details: AppliedDetails) {
  const { discount_amount, final_amount, application_type, calculation } = details
  const { effect } = calculation
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
      },
    },
  }
}

/** Facts of a request; what the service knows about a customer is taken from the service only. */
function readFacts(tx: Tx, input: OrderInput, order_id: string | null, { currency }: Terms): Facts {
  const { customer_order_count = null, ...order } = input
  if (customer_order_count !== null && !tx.actor.roles.includes('service'))
    refuse('forbidden', { detail: 'Only the service says how many orders a customer has completed.' })
  return factsOf(order, { currency, order_id, customer_order_count })
}

/** One prize on an order, beside the prizes that stand on it. */
function tryOn(
  row: PlayRow,
  facts: Facts,
  standing: readonly ApplicationRow[],
  at: Date,
  { time_zone }: Terms,
): Stacked {
  const prize = prizeOf(row)
  const candidate = { play_id: row.id, category: prize.type, prize }
  // The prize itself, when it stands on the order already, says so by its state.
  const placed = standing.filter(({ play_id }) => play_id !== row.id).map(placedOf)
  return stack([candidate], { facts, placed, policy: STACKING_DEFAULT }, at, time_zone)
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

const STATE_REFUSALS: Partial<Record<ReasonCode, ErrorCode>> = {
  prize_not_won: 'prize_not_won',
  prize_applied: 'prize_applied',
  prize_expired: 'prize_expired',
  prize_locked: 'prize_locked',
}

/** Refuses with the first reason's code, and with all of them as facts. A state goes before what an order lacks. */
function refuseFor(reasons: readonly Reason[]): void {
  if (reasons.length === 0) return
  const state = reasons.find(({ code }) => code in STATE_REFUSALS)
  const { code, message } = state ?? reasons[0]!
  refuse(STATE_REFUSALS[code] ?? 'prize_not_applicable', {
    detail: message,
    facts: { reasons: reasons.map(reasonView) },
  })
}

/** Staff of the tenant sees every prize, a player the own ones. */
function ownerOf({ actor }: Tx): string | null {
  return actor.roles.includes('service') || actor.roles.includes('operator') ? null : actor.userId
}

/** A play as the rules see it. Holds, gifts, trades and listings are no part of this version. */
function prizeOf({ prize_snapshot, is_winner, prize_status, expires_at, grace_hours }: PlayRow): Prize {
  const { type, value = null, conditions = {} } = prize_snapshot ?? { type: 'in_kind' }
  return { type, value, conditions, is_winner, prize_status, expires_at, grace_hours, restraints: [] }
}

/** A prize that was never opened is secret, also after it expired (S2-04). */
function isHidden({ unlocked_at }: PlayRow): boolean {
  return unlocked_at === null
}

function prizeView(row: PlayRow, now: Date, { time_zone }: Terms) {
  const prize = prizeOf(row)
  const shown = isHidden(row) ? null : row.prize_snapshot
  const is_over = row.prize_status !== 'applied' && isPastDeadline(prize, now)
  const prize_status = is_over ? 'expired' : row.prize_status
  const why_not = whyNotNow(prize, now, time_zone)
  return {
    id: row.id,
    game_name: row.game_name,
    game_type: row.game_type,
    prize_name: textOf(shown, 'name'),
    prize_description: textOf(shown, 'description'),
    prize_type: textOf(shown, 'type'),
    prize_value: textOf(shown, 'value'),
    display_value: textOf(shown, 'display_value'),
    prize_color: textOf(shown, 'prize_color'),
    prize_image: textOf(shown, 'prize_image'),
    prize_code: shown === null ? null : shownCode(row.prize_code!),
    prize_status,
    is_locked: prize_status === 'locked',
    is_unlocked: prize_status === 'unlocked',
    can_unlock: prize_status === 'locked',
    can_apply: why_not.length === 0,
    expires_at: row.expires_at && timeText(row.expires_at),
    won_at: timeText(row.created_at),
    conditions: shown && (prize.conditions as Record<string, unknown>),
    why_not: why_not.map(reasonView),
  }
}

function textOf(shown: Record<string, unknown> | null, name: string): string | null {
  return (shown?.[name] as string | null | undefined) ?? null
}

/** As the seed shows times, in UTC: `2026-02-28 23:59:59`. */
function timeText(at: Date): string {
  return at.toISOString().slice(0, 19).replace('T', ' ')
}
