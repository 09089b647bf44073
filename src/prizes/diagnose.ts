/**
 * Why a prize is not in the wallet, does not unlock, cannot be applied, or has expired: the four cases of seeds/002,
 * "Troubleshooting", each with its reasons (S2-55); and what happened to it so far. Read only.
 */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { type PlayerNames, playerNames } from '../games/players.ts'
import { SYSTEM_USER } from '../system.ts'
import { printedCode } from './codes.ts'
import {
  deadlineOf,
  isInGrace,
  type Reason,
  reason,
  reasonView,
  whyNotNow,
  whyNotOpen,
} from './conditions.ts'
import { isHidden, ownerOf, prizeOf, statusOf, timeText } from './play.ts'
import { readTerms } from './policy.ts'
import { loadMoves, type MoveRow } from './redemption-store.ts'
import { loadTransfers, type TransferRow } from './social/deal-store.ts'
import { loadPlays, type PlayRow } from './store.ts'

/** One of the seed's questions: whether all is well, the answer in a sentence, and what stands against it. */
type Finding = {
  question: 'in_wallet' | 'can_unlock' | 'can_apply' | 'expiry'
  ok: boolean
  answer: string
  reasons: Reason[]
}

/**
 * Diagnoses a play for its owner or for an operator, who may name the user that misses it. Tells nothing that the
 * wallet hides. Refuses not_found for what the caller cannot see.
 */
export async function diagnosePrize(
  tx: Tx,
  { play_id, user_id }: { play_id: number; user_id: string | null },
) {
  const row = (await loadPlays(tx, [play_id], ownerOf(tx)))[0] ?? refuse('not_found')
  if (user_id !== null && ownerOf(tx) !== null && user_id !== tx.actor.userId) refuse('not_found')
  const { time_zone } = await readTerms(tx)
  const findings = [
    inWallet(row, user_id ?? row.user_id, tx.now),
    canUnlock(row, tx.now, time_zone),
    canApply(row, tx.now, time_zone),
    expiry(row, tx.now, time_zone),
  ]
  return {
    data: {
      play_id: row.id,
      facts: factsOf(row, tx.now, time_zone),
      findings: findings.map((each) => ({ ...each, reasons: each.reasons.map(reasonView) })),
    },
  }
}

/** "Check: prize_status, user_id, is_winner fields." */
function inWallet(row: PlayRow, user_id: string, now: Date): Finding {
  const question = 'in_wallet'
  if (!row.is_winner) {
    const found = reason('prize_not_won', 'This play won no prize; a wallet has prizes only.')
    return { question, ok: false, answer: found.message, reasons: [found] }
  }
  if (row.user_id !== user_id) {
    const message = 'It is in the wallet of somebody else.'
    const found = reason('other_owner', message, { required: row.user_id, actual: user_id })
    return { question, ok: false, answer: message, reasons: [found] }
  }
  const answer = `It is listed under ${statusOf(row, now)}.`
  return { question, ok: true, answer, reasons: [] }
}

/** "Check: unlock permissions, user authentication." */
function canUnlock(row: PlayRow, now: Date, time_zone: string): Finding {
  const question = 'can_unlock'
  const against = whyNotOpen(prizeOf(row), null, now, time_zone).filter(({ code }) => code !== 'prize_locked')
  if (against.length > 0) return { question, ok: false, answer: against[0]!.message, reasons: against }
  if (row.prize_status === 'unlocked') {
    const message = `It was unlocked at ${timeText(row.unlocked_at!)} UTC.`
    return { question, ok: false, answer: message, reasons: [reason('already_unlocked', message)] }
  }
  const answer = 'It can be unlocked, by its owner alone, with a token of the role player.'
  return { question, ok: true, answer, reasons: [] }
}

/** "Check: prize conditions, expiration date, order compatibility." */
function canApply(row: PlayRow, now: Date, time_zone: string): Finding {
  const question = 'can_apply'
  const reasons = whyNotNow(prizeOf(row), now, time_zone)
  if (reasons.length > 0) return { question, ok: false, answer: reasons[0]!.message, reasons }
  // A cap is no condition: it bounds what the prize takes off.
  const names = Object.keys(prizeOf(row).conditions).filter((name) => name !== 'max_discount_amount')
  const answer =
    names.length === 0
      ? 'It can be applied to any order, by the shop.'
      : `It can be applied by the shop, to an order that meets ${names.join(', ')}; validate tells what one lacks.`
  return { question, ok: true, answer, reasons: [] }
}

/** "Check: expires_at field, timezone settings." */
function expiry(row: PlayRow, now: Date, time_zone: string): Finding {
  const question = 'expiry'
  const prize = prizeOf(row)
  const deadline = deadlineOf(prize)
  const found = whyNotOpen(prize, null, now, time_zone).filter(({ code }) => code === 'prize_expired')
  const at = (time: Date) => `${timeText(time)} UTC, which is ${localText(time, time_zone)} in ${time_zone}`
  if (found.length > 0) {
    const answer = deadline === null ? found[0]!.message : `It was usable until ${at(deadline)}.`
    return { question, ok: false, answer, reasons: found }
  }
  if (row.prize_status === 'applied' || !row.is_winner)
    return { question, ok: true, answer: 'It does not expire any more.', reasons: [] }
  if (deadline === null) return { question, ok: true, answer: 'It never expires.', reasons: [] }
  const grace = isInGrace(prize, now) ? ' It lives on its grace.' : ''
  return { question, ok: true, answer: `It is usable until ${at(deadline)}.${grace}`, reasons: [] }
}

/** What a wall clock of the tenant shows: `2026-02-28 23:59:59`. */
function localText(at: Date, time_zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', {
    timeZone: time_zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(at)
}

/** The fields that the seed tells to check, and the legacy ones, which follow from the others (S2-09). */
function factsOf(row: PlayRow, now: Date, time_zone: string) {
  const text = (at: Date | null) => at && timeText(at)
  const hold = row.restraints.find(({ kind, until }) => kind === 'hold' && new Date(until!) > now)
  const is_applied = row.prize_status === 'applied'
  return {
    user_id: row.user_id,
    is_winner: row.is_winner,
    prize_status: statusOf(row, now),
    printed_code: isHidden(row) || row.prize_code === null ? null : printedCode(row.prize_code),
    won_at: timeText(row.created_at),
    unlocked_at: text(row.unlocked_at),
    applied_at: text(row.applied_at),
    applied_to_order_id: row.applied_to_order_id,
    is_claimed: is_applied,
    claimed_at: text(row.applied_at),
    order_id: row.applied_to_order_id,
    expires_at: text(row.expires_at),
    grace_hours: row.grace_hours,
    usable_until: text(deadlineOf(row)),
    held_until: hold === undefined ? null : timeText(new Date(hold.until!)),
    time_zone,
    now: timeText(now),
  }
}

/**
 * What happened to a prize, oldest first: when, by whom and why. Staff reads all of it. Its owner reads it from when it
 * was received on, his own id, and of others only what they are: who had it before, and on which orders, is not his to
 * know. Refuses not_found.
 */
export async function readHistory(tx: Tx, { play_id }: { play_id: number }) {
  const owner = ownerOf(tx)
  const row = (await loadPlays(tx, [play_id], owner))[0] ?? refuse('not_found')
  const moves = await loadMoves(tx, row.id)
  const received =
    owner === null || row.won_by === null ? undefined : (await loadTransfers(tx, row.id)).at(-1)
  const own = received === undefined ? moves : moves.filter((move) => isAfter(received, move))
  const begin = {
    from_status: null,
    to_status: own[0]?.from_status ?? row.prize_status,
    ...(received === undefined ? beginOfPlay(row) : beginOfOwner(received, await playerNames(tx))),
  }
  return {
    data: [
      begin,
      ...own.map((move) => ({
        from_status: move.from_status,
        to_status: move.to_status,
        at: timeText(move.moved_at),
        by: owner === null || move.moved_by === owner ? move.moved_by : moverOf(move),
        why: move.why,
      })),
    ],
  }
}

function beginOfPlay({ created_at, won_by, user_id, is_winner }: PlayRow) {
  return { at: timeText(created_at), by: won_by ?? user_id, why: is_winner ? 'won' : 'played' }
}

type Received = Pick<TransferRow, 'from_user_id' | 'to_user_id' | 'why' | 'moved_at'>

/** From whom it came, by the name that players see each other by. */
function beginOfOwner({ moved_at, from_user_id, why }: Received, nameOf: PlayerNames) {
  return { at: timeText(moved_at), by: nameOf(from_user_id), why }
}

/** In the instant of the change of hands only what the new owner did comes after it. */
function isAfter({ moved_at, to_user_id }: Received, move: MoveRow): boolean {
  const after_ms = move.moved_at.getTime() - moved_at.getTime()
  return after_ms > 0 || (after_ms === 0 && move.moved_by === to_user_id)
}

/** What a stranger who moved a prize is: the server, the shop's system, or staff. */
function moverOf({ from_status, to_status, moved_by, why }: MoveRow): string {
  if (moved_by === SYSTEM_USER) return SYSTEM_USER
  const is_order = (to_status === 'applied' && why !== 'claimed') || from_status === 'applied'
  return is_order ? 'service' : 'staff'
}
