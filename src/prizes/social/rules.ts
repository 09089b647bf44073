/** When a prize can be passed on, how long an offer stands, and what a sale leaves whom. Pure. */
import type { ErrorCode } from '../../errors.ts'
import { splitByWeight } from '../../ledger/rules.ts'
import { deadlineOf, isPastDeadline, type Prize } from '../conditions.ts'
import { takesEffect } from '../discount.ts'

export type DealKind = 'gift' | 'trade' | 'listing'
export type DealStatus = 'open' | 'accepted' | 'declined' | 'withdrawn' | 'lapsed'

/** What a tenant decides about prizes that change hands. */
export type Settings = {
  /** The tenant's share of a sale, in basis points. */
  fee_bps: number
  /** How long an offer stands unless it says less. */
  deal_hours: number
  /** How long a prize stays with whoever received it: without it a stolen prize is three owners away before anybody looks. */
  hold_hours: number
  gifts_per_day: number
  trades_per_day: number
  listings_per_day: number
}

/** Careful ones: a tenth of what a busy day of an honest player needs is no limit, a bot meets it at once. */
export const SETTINGS_DEFAULT: Settings = {
  fee_bps: 500,
  deal_hours: 72,
  hold_hours: 24,
  gifts_per_day: 10,
  trades_per_day: 20,
  listings_per_day: 20,
}

/** Prizes on one side of a trade: both sides together stay below what one order can hold. */
export const TRADE_SIDE_MAX = 10

export const HOUR_MS = 3_600_000

/** What a definition of an older version says about passing on is nothing: then it may be. */
export type Passable = Prize & {
  is_transferable: boolean
  /** Since when its owner has it; null since it was won. */
  received_at: Date | null
  /** A part of a bundle that is applied as a whole. */
  is_bound_part: boolean
}

export type WhyNot = { code: ErrorCode; detail: string; facts?: Record<string, unknown> }

/**
 * Why a prize cannot be given, traded or listed by its owner now, or null. In this order: prize_not_won, prize_applied,
 * prize_expired, prize_in_escrow, prize_not_transferable, prize_just_received.
 *
 * A locked prize can be given, for nobody pays for it; a trade and a listing need an open one, so that both sides see
 * what they get. What took effect when it was won or opened is with its winner already. Source: features S2-58, S2-59,
 * S2-63; the rest is a decision.
 */
export function whyNotPassOn(
  kind: DealKind,
  prize: Passable,
  { hold_hours }: Pick<Settings, 'hold_hours'>,
  now: Date,
): WhyNot | null {
  const { is_winner, prize_status, restraints, received_at } = prize
  if (!is_winner || prize_status === null) return { code: 'prize_not_won', detail: 'This play won no prize.' }
  if (prize_status === 'applied') return { code: 'prize_applied', detail: 'The prize was used already.' }
  if (prize_status === 'expired' || isPastDeadline(prize, now))
    return { code: 'prize_expired', detail: 'The prize has expired.' }
  const held = restraints.find(({ until }) => until === null || now < until)
  if (held !== undefined) {
    const facts = { held_by: held.kind, until: held.until?.toISOString() ?? null }
    return { code: 'prize_in_escrow', detail: `The prize is held by an open ${held.kind}.`, facts }
  }
  const bound = whyNotTransferable(kind, prize)
  if (bound !== null) return { code: 'prize_not_transferable', detail: bound }
  const free_at = received_at && new Date(received_at.getTime() + hold_hours * HOUR_MS)
  if (free_at !== null && now < free_at) {
    const detail = 'The prize was received too recently to be passed on.'
    return { code: 'prize_just_received', detail, facts: { from: free_at.toISOString() } }
  }
  return null
}

function whyNotTransferable(kind: DealKind, prize: Passable): string | null {
  if (!prize.is_transferable) return 'A prize of this kind stays with its winner.'
  if (prize.is_bound_part) return 'This prize is part of a bundle that is used as a whole.'
  const takes_effect = takesEffect(prize.type)
  if (takes_effect === 'won') return 'This prize took effect when it was won.'
  const is_locked = prize.prize_status === 'locked'
  if (takes_effect === 'unlocked' && !is_locked) return 'This prize took effect when it was opened.'
  if (is_locked && kind !== 'gift') return 'Nobody can see what a locked prize is; unlock it first.'
  return null
}

/** The instant at which an offer lapses: after so many hours, never after the last instant of a prize in it. */
export function dealEnd(now: Date, hours: number, prizes: readonly Prize[]): Date {
  const ends_ms = prizes.map((prize) => deadlineOf(prize)?.getTime() ?? Number.POSITIVE_INFINITY)
  return new Date(Math.min(now.getTime() + hours * HOUR_MS, ...ends_ms))
}

/** What an offer is at `now`, whether or not the sweep has been there. From its end on it is lapsed. */
export function statusNow(
  { deal_status, expires_at }: { deal_status: DealStatus; expires_at: Date },
  now: Date,
): DealStatus {
  return deal_status === 'open' && now >= expires_at ? 'lapsed' : deal_status
}

/** What a sale leaves the tenant and the seller, in minor units; the two add up to the price exactly. */
export function splitPrice(price_minor: number, fee_bps: number): { fee_minor: number; net_minor: number } {
  const [net_minor, fee_minor] = splitByWeight(price_minor, [10_000 - fee_bps, fee_bps])
  return { fee_minor: fee_minor!, net_minor: net_minor! }
}

/**
 * Why a user cannot be referred by another, or null: `self`, `already_referred`, `loop` when the referrer was brought
 * by the one who is referred, directly or through others, `already_played`.
 */
export function whyNotRefer(referral: {
  user_id: string
  referrer_id: string
  is_referred: boolean
  has_played: boolean
  /** Who brought the referrer, who brought that one, and so on. */
  ancestors_of_referrer: readonly string[]
}): 'self' | 'already_referred' | 'loop' | 'already_played' | null {
  if (referral.user_id === referral.referrer_id) return 'self'
  if (referral.is_referred) return 'already_referred'
  if (referral.ancestors_of_referrer.includes(referral.user_id)) return 'loop'
  return referral.has_played ? 'already_played' : null
}

/** A campaign as far as a grant to one user is concerned. */
export type CampaignTerms = {
  is_active: boolean
  audience: 'anyone' | 'listed' | 'service'
  audience_users: readonly string[]
  starts_at: Date | null
  ends_at: Date | null
  per_user_max: number
  grants_max: number | null
  budget_minor: number | null
  granted_count: number
  spent_minor: number
}

/**
 * Why a campaign gives this user nothing now, or null: campaign_not_open, campaign_not_for_user, campaign_exhausted,
 * campaign_limit_reached, in this order. The start is in, the end is out. `by_service`: the tenant's own systems ask,
 * for which only a list of users is a bound of the audience.
 */
export function whyNotGrant(
  campaign: CampaignTerms,
  given: { user_id: string; by_service: boolean; granted_to_user: number; cost_minor: number },
  now: Date,
): WhyNot | null {
  const { starts_at, ends_at, audience, budget_minor, grants_max, per_user_max } = campaign
  if (
    !campaign.is_active ||
    (starts_at !== null && now < starts_at) ||
    (ends_at !== null && now >= ends_at)
  ) {
    const facts = { starts_at: starts_at?.toISOString() ?? null, ends_at: ends_at?.toISOString() ?? null }
    return { code: 'campaign_not_open', detail: 'The campaign is not open now.', facts }
  }
  const is_meant =
    audience === 'listed'
      ? campaign.audience_users.includes(given.user_id)
      : audience === 'anyone' || given.by_service
  if (!is_meant) return { code: 'campaign_not_for_user', detail: 'The campaign is not for this user.' }
  const is_over_budget = budget_minor !== null && campaign.spent_minor + given.cost_minor > budget_minor
  if (is_over_budget || (grants_max !== null && campaign.granted_count >= grants_max))
    return { code: 'campaign_exhausted', detail: 'The campaign has given what it had to give.' }
  if (given.granted_to_user >= per_user_max) {
    const detail = 'This user has had as much of the campaign as one may.'
    return { code: 'campaign_limit_reached', detail, facts: { per_user_max } }
  }
  return null
}
