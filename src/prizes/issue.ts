/** What a definition becomes when somebody gets it: the part of a play that is the prize. No SQL, no clock. */
import { newCode } from '../ids.ts'
import type { Effect } from './discount.ts'
import { beginningOf } from './effect-rules.ts'

/** A definition (`gamification_prizes`) as it is given out. */
export type PrizeRow = {
  id: number
  name: string
  description: string | null
  type: string
  value: string | null
  display_value: string | null
  prize_color: string | null
  prize_image: string | null
  conditions: Record<string, unknown>
  expires_in_days: number | null
  /** The tenant's own default, of its wallet policy; null where nobody chose one. */
  policy_days: number | null
  never_expires: boolean
  grace_hours: number
  cost_minor: number
  stock: number | null
  won_count: number
  version: number
  is_transferable: boolean
  rarity: string
  parts: Part[]
  parts_apply: 'all' | 'each'
  /** Of a mystery: the version of its pool that it is drawn from. */
  pool_version: number
  /** Each one that is given out takes a code of a partner. */
  takes_codes: boolean
}

/** A part of a bundle: how often, and its definition as it was when the bundle was written. */
export type Part = { prize_id: number; quantity: number; snapshot: Record<string, unknown> }

export type Issue = {
  prize_id: number
  prize_code: string
  prize_status: 'locked' | 'unlocked'
  prize_snapshot: Record<string, unknown>
  /** ISO 8601; null never expires. */
  expires_at: string | null
  grace_hours: number
}

const CODE_LENGTH = 8
const DAY_MS = 86_400_000
/** The default of seeds/002, until a tenant chooses another; a prize's own number of days goes before both. */
export const EXPIRES_IN_DAYS = 7

/** A code of a prize: 40 bits, unguessable, a label and never a right by itself (features F6). */
export function newPrizeCode(): string {
  return newCode(CODE_LENGTH)
}

/**
 * The prize as it is handed out at `now`; `effect` is what it does when it is won. What is paid or granted at once begins
 * unlocked, never expires and stays with its winner; everything else begins locked. A code of a partner stays with its
 * winner too: whoever gave it away would know it still.
 */
export function issueOf(prize: PrizeRow, effect: Effect | null, now: Date): Issue {
  const { prize_status, is_at_hand } = beginningOf(effect)
  return {
    prize_id: prize.id,
    prize_code: newPrizeCode(),
    prize_status,
    prize_snapshot: {
      ...snapshotOf(prize),
      ...((is_at_hand || prize.takes_codes) && { is_transferable: false }),
    },
    expires_at: is_at_hand ? null : expiryOf(prize, now),
    grace_hours: prize.grace_hours,
  }
}

/** The definition as it is given out; later edits of the definition do not reach it. */
export function snapshotOf({
  won_count: _won,
  stock: _stock,
  cost_minor: _cost,
  policy_days: _days,
  ...prize
}: PrizeRow): Record<string, unknown> {
  return prize
}

function expiryOf({ never_expires, expires_in_days, policy_days }: PrizeRow, now: Date): string | null {
  if (never_expires) return null
  return new Date(now.getTime() + (expires_in_days ?? policy_days ?? EXPIRES_IN_DAYS) * DAY_MS).toISOString()
}
