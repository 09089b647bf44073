/**
 * The life of a claim, of a complaint and of a creator's block: what may follow what, and why something is refused. Pure.
 * Source: seeds/000, "Logic Flow" 4 to 7. migrations/0018_claims.sql holds the same tables.
 */
import type { ErrorCode, RefusalDetail } from '../errors.ts'

export const CLAIM_STATUSES = ['offered', 'pending', 'completed', 'disputed', 'forfeited'] as const
export type ClaimStatus = (typeof CLAIM_STATUSES)[number]

/** What each state means to both sides. */
export const CLAIM_STATES: Record<ClaimStatus, string> = {
  offered: 'Won, and not claimed yet: whoever does not claim in time loses the place.',
  pending: 'Claimed; the creator hands the reward over.',
  completed: 'Handed over.',
  disputed: 'The winner says that it did not come; staff looks at it.',
  forfeited: 'Given up or not claimed in time; the next alternate has the place.',
}

/** Forfeited and completed are ends. A disputed claim goes on when the complaint is dismissed. */
const NEXT: Record<ClaimStatus, readonly ClaimStatus[]> = {
  offered: ['pending', 'forfeited'],
  pending: ['completed', 'disputed', 'forfeited'],
  completed: [],
  disputed: ['completed', 'pending'],
  forfeited: [],
}

/** True when the table of states allows the move. */
export function canMove(from: ClaimStatus, to: ClaimStatus): boolean {
  return NEXT[from].includes(to)
}

/** How a claim came to its state. */
export type ClaimReason =
  | 'won'
  | 'promoted'
  | 'claimed'
  | 'scanned'
  | 'confirmed'
  | 'decided'
  | 'complained'
  | 'dismissed'
  | 'window_over'
  | 'given_up'
  | 'taken_by_staff'

export type Side = 'winner' | 'creator'

export type WhyNot = { code: ErrorCode; detail: RefusalDetail }

type ClaimFacts = { claim_status: ClaimStatus; window_ends_at: Date }

const stateOf = ({ claim_status, window_ends_at }: ClaimFacts): RefusalDetail => ({
  facts: { status: claim_status, window_ends_at: window_ends_at.toISOString() },
})

/** Why an offer cannot be claimed: claim_window_over (by the clock, whatever the row says), claim_not_open. */
export function whyNotClaim(claim: ClaimFacts, now: Date): WhyNot | null {
  const is_late = claim.claim_status === 'offered' && now >= claim.window_ends_at
  if (is_late || claim.claim_status === 'forfeited')
    return { code: 'claim_window_over', detail: stateOf(claim) }
  return claim.claim_status === 'offered' ? null : { code: 'claim_not_open', detail: stateOf(claim) }
}

/** Why a claim cannot be completed: qr_used when it was, claim_not_open. */
export function whyNotComplete(claim: ClaimFacts): WhyNot | null {
  if (claim.claim_status === 'completed') return { code: 'qr_used', detail: {} }
  return canMove(claim.claim_status, 'completed') ? null : { code: 'claim_not_open', detail: stateOf(claim) }
}

/** Why a claim takes no picture or message: claim_not_open. Winners may write before they claim. */
export function whyNotAdd(claim: ClaimFacts, what: 'proof' | 'message'): WhyNot | null {
  const { claim_status } = claim
  const is_open = claim_status === 'pending' || claim_status === 'disputed'
  return is_open || (what === 'message' && claim_status === 'offered')
    ? null
    : { code: 'claim_not_open', detail: stateOf(claim) }
}

/**
 * Why a winner cannot complain: complaint_open, claim_not_open (also once it was decided that nothing came),
 * claim_window_open (with the instant it becomes possible), claim_window_over, complaints_full.
 */
export function whyNotComplain(
  claim: ClaimFacts,
  complaints: { count: number; is_open: boolean },
  now: Date,
): WhyNot | null {
  if (complaints.is_open) return { code: 'complaint_open', detail: {} }
  if (claim.claim_status !== 'pending' && claim.claim_status !== 'offered')
    return { code: 'claim_not_open', detail: stateOf(claim) }
  if (now < claim.window_ends_at)
    return {
      code: 'claim_window_open',
      detail: {
        detail: `A complaint is possible from ${claim.window_ends_at.toISOString()} on.`,
        facts: { opens_at: claim.window_ends_at.toISOString() },
      },
    }
  // Not claimed in time: nothing was owed any more.
  if (claim.claim_status === 'offered') return { code: 'claim_window_over', detail: stateOf(claim) }
  return complaints.count < COMPLAINTS_PER_CLAIM
    ? null
    : { code: 'complaints_full', detail: { facts: { most: COMPLAINTS_PER_CLAIM } } }
}

export const COMPLAINT_STATUSES = ['pending', 'reviewed', 'resolved'] as const
export type ComplaintStatus = (typeof COMPLAINT_STATUSES)[number]

export const OUTCOMES = ['fulfilled', 'unfulfilled', 'dismissed'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** What an outcome says, and does to the claim and to the creator's record. */
export const OUTCOME_SAYS: Record<Outcome, string> = {
  fulfilled: 'The reward was handed over after all.',
  unfulfilled: 'The reward was not handed over; it counts against the creator.',
  dismissed: 'The complaint does not hold; the claim goes on.',
}

/** Where a decided complaint leaves its claim; null leaves it disputed for good. */
export function claimAfter(outcome: Outcome): { status: ClaimStatus; reason: ClaimReason } | null {
  if (outcome === 'fulfilled') return { status: 'completed', reason: 'decided' }
  return outcome === 'dismissed' ? { status: 'pending', reason: 'dismissed' } : null
}

/** What a person who decides may do next: pending, reviewed, resolved, one after the other. */
export function canDecide(from: ComplaintStatus, to: ComplaintStatus): boolean {
  return (from === 'pending' && to === 'reviewed') || (from === 'reviewed' && to === 'resolved')
}

export type ClaimSettings = {
  /** How long a creator may take to answer a complaint. */
  answer_hours: number
  /** So many failures within so many days stop a creator from creating games for so many days. */
  failures_max: number
  failure_days: number
  block_days: number
}

export const SETTINGS_DEFAULT: ClaimSettings = {
  answer_hours: 72,
  failures_max: 3,
  failure_days: 30,
  block_days: 30,
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

export const hoursAfter = (at: Date, hours: number): Date => new Date(at.getTime() + hours * HOUR_MS)
export const daysAfter = (at: Date, days: number): Date => new Date(at.getTime() + days * DAY_MS)

/** Until when a creator is stopped, or null. */
export function blockedUntil(settings: ClaimSettings, failure_count: number, now: Date): Date | null {
  return failure_count >= settings.failures_max ? daysAfter(now, settings.block_days) : null
}

/** From when on failures count: those before the last block do not. */
export function failuresCountFrom(settings: ClaimSettings, last_block_at: Date | null, now: Date): Date {
  const from = daysAfter(now, -settings.failure_days)
  return last_block_at !== null && last_block_at > from ? last_block_at : from
}

/** Whether a block stops its creator now: by its date, whatever its row says. */
export function isHolding(block: { blocked_until: Date; ended_at: Date | null }, now: Date): boolean {
  return block.ended_at === null && now < block.blocked_until
}

/** Share of the claims that ended which were fulfilled, in basis points rounded down; null without any. */
export function fulfilmentRate(completed_count: number, failed_count: number): number | null {
  const ended = completed_count + failed_count
  return ended === 0 ? null : Math.floor((completed_count * 10_000) / ended)
}

/** A day: winners send the code to creators who are far away. It works once, and only for this claim's creator. */
export const QR_TTL_MS = DAY_MS
/** What one side may show: more are an album. */
export const PROOFS_PER_SIDE = 5
export const MESSAGE_LENGTH_MAX = 2_000
/** A thread that is longer is no talk about one reward. */
export const MESSAGES_PER_CLAIM = 1_000
/** protocol.md section 3: proof images 5 MB. */
export const PICTURE_BYTES_MAX = 5 * 1024 * 1024
/** The picture with the frame of its multipart body. */
export const UPLOAD_BYTES_MAX = PICTURE_BYTES_MAX + 16 * 1024
/** A winner who complains again and again about one claim is heard this often. */
export const COMPLAINTS_PER_CLAIM = 3
