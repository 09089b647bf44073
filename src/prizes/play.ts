/** A play as the wallet's use cases see it: who may, what the rules make of its row, and how it is shown. */
import type { Tx } from '../db/tx.ts'
import { type ErrorCode, refuse } from '../errors.ts'
import { shownCode } from './codes.ts'
import {
  isPastDeadline,
  type Prize,
  type Reason,
  type ReasonCode,
  type Restraint,
  reasonView,
  whyNotNow,
} from './conditions.ts'
import { loadPlays, lockPlays, type PlayRow, type RestraintRow } from './store.ts'

/** An order's id as its shop wrote it. */
export type OrderRef = number | string

/** Staff of the tenant sees every prize, a player the own ones. */
export function ownerOf({ actor }: Tx): string | null {
  return actor.roles.includes('service') || actor.roles.includes('operator') ? null : actor.userId
}

/** A play locked until the end of the transaction, of this user or with null of anybody. */
export async function takePlay(tx: Tx, id: number, user_id: string | null): Promise<PlayRow | undefined> {
  await lockPlays(tx, [id], user_id)
  return (await loadPlays(tx, [id], user_id))[0]
}

/** A play as the rules see it. */
export function prizeOf({
  prize_snapshot,
  is_winner,
  prize_status,
  expires_at,
  grace_hours,
  restraints,
}: PlayRow): Prize {
  const { type, value = null, conditions = {} } = prize_snapshot ?? { type: 'in_kind' }
  return {
    type,
    value,
    conditions,
    is_winner,
    prize_status,
    expires_at,
    grace_hours,
    restraints: restraints.map(restraintOf),
  }
}

function restraintOf({ kind, order_id, until }: RestraintRow): Restraint {
  if (kind === 'hold') return { kind, order_id: order_id!, until: new Date(until!) }
  return { kind, until: until === null ? null : new Date(until) }
}

/** A prize that was never opened is secret, also after it expired (S2-04). */
export function isHidden({ unlocked_at }: PlayRow): boolean {
  return unlocked_at === null
}

/** The status at this instant, whether or not the sweep has been there. Null for a play that won nothing. */
export function statusOf<S extends string | null>(
  row: { prize_status: S } & Pick<PlayRow, 'expires_at' | 'grace_hours'>,
  now: Date,
): S | 'expired' {
  const is_open = row.prize_status === 'locked' || row.prize_status === 'unlocked'
  return is_open && isPastDeadline(row, now) ? 'expired' : row.prize_status
}

/** A prize as lists and look-ups show it: the members of seeds/002, and why it cannot be applied. */
export function prizeView(row: PlayRow, now: Date, { time_zone }: { time_zone: string }) {
  const prize = prizeOf(row)
  const shown = isHidden(row) ? null : row.prize_snapshot
  const prize_status = statusOf(row, now)
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
    rarity: textOf(shown, 'rarity'),
    prize_code: shown === null ? null : shownCode(row.prize_code!),
    prize_status,
    is_locked: prize_status === 'locked',
    is_unlocked: prize_status === 'unlocked',
    can_unlock: prize_status === 'locked' && why_not.every(({ code }) => code === 'prize_locked'),
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
export function timeText(at: Date): string {
  return at.toISOString().slice(0, 19).replace('T', ' ')
}

const STATE_REFUSALS: Partial<Record<ReasonCode, ErrorCode>> = {
  prize_not_won: 'prize_not_won',
  prize_applied: 'prize_applied',
  prize_expired: 'prize_expired',
  prize_locked: 'prize_locked',
  prize_under_review: 'prize_under_review',
  prize_held: 'prize_held',
  prize_gifted: 'prize_in_escrow',
  prize_traded: 'prize_in_escrow',
  prize_listed: 'prize_in_escrow',
}

/** Refuses with the first reason's code, and with all of them as facts. A state goes before what an order lacks. */
export function refuseFor(reasons: readonly Reason[]): void {
  if (reasons.length === 0) return
  const state = reasons.find(({ code }) => code in STATE_REFUSALS)
  const { code, message } = state ?? reasons[0]!
  refuse(STATE_REFUSALS[code] ?? 'prize_not_applicable', {
    detail: message,
    facts: { reasons: reasons.map(reasonView) },
  })
}
