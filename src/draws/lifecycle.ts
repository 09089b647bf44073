/**
 * The life of a draw as a table, and what is due at an instant as a function of facts. Pure: who asks, and how often,
 * changes nothing. The database holds the same table (migrations/0011_draws.sql). Source: fair-1.md sections 7.3 and 9.
 */

export type DrawStatus =
  | 'draft'
  | 'scheduled'
  | 'open'
  | 'closed'
  | 'drawing'
  | 'drawn'
  | 'settled'
  | 'cancelled'

/** What each state means to somebody who watches. A move that `NEXT` does not name cannot happen. */
export const DRAW_STATES: Record<DrawStatus, string> = {
  draft: 'It is being prepared and nothing of it is promised yet.',
  scheduled: 'Its commitment is public and it takes no entries yet.',
  open: 'It takes entries.',
  closed: 'Nobody can enter any more; the root over all entries is public.',
  drawing: 'The root is under a signed checkpoint and the entropy is awaited.',
  drawn: 'All winners are stored and are being shown one by one.',
  settled: 'Everything is shown, the prizes are granted, the secret is out and anybody can check it.',
  cancelled: 'It ended without an outcome and what was paid is given back.',
}

const NEXT: Record<DrawStatus, readonly DrawStatus[]> = {
  draft: ['scheduled'],
  scheduled: ['open', 'cancelled'],
  open: ['closed', 'cancelled'],
  closed: ['drawing', 'cancelled'],
  drawing: ['drawn', 'cancelled'],
  drawn: ['settled'],
  settled: [],
  cancelled: [],
}

/** True when the table of states allows the move. */
export function canMove(from: DrawStatus, to: DrawStatus): boolean {
  return NEXT[from].includes(to)
}

/** Why a draw was cancelled. After the close only the last three can be: they are rules of its commitment. */
export type CancelReason = 'by_person' | 'root_late' | 'outage' | 'no_entries'

export const CANCEL_REASONS: Record<CancelReason, string> = {
  by_person: 'It was called off before entries closed.',
  root_late: 'The list of entries was not published before the entropy could be known.',
  outage: 'The source of entropy did not answer within the deadline that was promised.',
  no_entries: 'Nobody entered.',
}

/** True while a person may still cancel: afterwards a veto of an outcome could hide behind it. */
export function mayPersonCancel(status: DrawStatus): boolean {
  return status === 'scheduled' || status === 'open'
}

/** What the commitment says about trouble (fair-1.md section 5, `fallback`). */
export type Fallback = {
  onOutage?: 'wait' | 'void'
  deadlineS?: number
  /** Beacon rounds. */
  postponeBy?: number
  maxPostpones?: number
  /** The close may be put off while the draw is open (fair-1.md section 7.3). */
  extend?: boolean
}

export type DrawFacts = {
  status: DrawStatus
  opens_at: Date
  closes_at: Date
  /** Nobody enters until then; null for a draw that is not paused. */
  paused_until: Date | null
  draw_at: Date
  settle_at: Date | null
  entry_count: number
  /** A signed checkpoint covers the commitment. */
  is_commit_covered: boolean
  /** When a signed checkpoint first covered the entries root; null while none does. */
  root_covered_at: Date | null
  /** False while the server still copies the list. */
  is_filled: boolean
  /** What the list is copied from is decided. */
  is_fillable: boolean
  /** Before this nothing is copied; null begins as soon as it can. */
  fills_from: Date | null
  /** When the beacon round in force comes out; null for a draw without beacon. */
  round_at: Date | null
  postpone_count: number
  fallback: Fallback
  /** The entropy is at hand. */
  has_value: boolean
  /** When the next winner is to be shown; null when all were. */
  reveal_at: Date | null
}

/** One step, or until when there is none. `wait_until` null waits for something other than time. */
export type Due =
  | { step: 'move'; to: Exclude<DrawStatus, 'draft' | 'scheduled' | 'cancelled'> }
  | { step: 'cancel'; reason: Exclude<CancelReason, 'by_person'> }
  | { step: 'fill' }
  | { step: 'postpone' }
  | { step: 'resume' }
  | { step: 'reveal' }
  | { step: 'none'; wait_until: Date | null }

/** A root that is not published this long before its beacon round is put off: checkpoint and network need time. */
export const ROOT_LEAD_MS = 15_000

const move = (to: Extract<Due, { step: 'move' }>['to']): Due => ({ step: 'move', to })
const cancel = (reason: Extract<Due, { step: 'cancel' }>['reason']): Due => ({ step: 'cancel', reason })
const wait = (wait_until: Date | null): Due => ({ step: 'none', wait_until })

/** The one step that is due now. Asking again at any later instant leads to the same states. */
export function due(draw: DrawFacts, now: Date): Due {
  switch (draw.status) {
    case 'scheduled':
      if (!draw.is_commit_covered) return wait(null)
      return now < draw.opens_at ? wait(draw.opens_at) : move('open')
    case 'open':
      return dueWhileOpen(draw, now)
    case 'closed':
      if (draw.entry_count === 0) return cancel('no_entries')
      if (isRootLate(draw, now)) return cancel('root_late')
      return draw.root_covered_at === null ? wait(null) : move('drawing')
    case 'drawing':
      if (now < draw.draw_at) return wait(draw.draw_at)
      if (draw.has_value) return move('drawn')
      return isOutageOver(draw, now) ? cancel('outage') : wait(null)
    case 'drawn':
      if (draw.reveal_at !== null) return now < draw.reveal_at ? wait(draw.reveal_at) : { step: 'reveal' }
      return now < draw.settle_at! ? wait(draw.settle_at) : move('settled')
    default:
      return wait(null)
  }
}

function dueWhileOpen(draw: DrawFacts, now: Date): Due {
  if (draw.paused_until !== null)
    return now < draw.paused_until ? wait(draw.paused_until) : { step: 'resume' }
  if (draw.round_at !== null && now >= draw.round_at) return cancel('root_late')
  if (draw.is_filled) return now < draw.closes_at ? wait(draw.closes_at) : move('closed')
  if (draw.fills_from !== null && now < draw.fills_from) return wait(draw.fills_from)
  const { maxPostpones = 0, postponeBy = 0 } = draw.fallback
  const is_near = draw.round_at !== null && now.getTime() >= draw.round_at.getTime() - ROOT_LEAD_MS
  if (is_near && postponeBy > 0 && draw.postpone_count < maxPostpones) return { step: 'postpone' }
  return draw.is_fillable ? { step: 'fill' } : wait(null)
}

/** Nothing may be decided from a round that was out before outsiders could hold the root. */
function isRootLate({ round_at, root_covered_at }: DrawFacts, now: Date): boolean {
  return round_at !== null && (root_covered_at ?? now) >= round_at
}

function isOutageOver({ round_at, fallback }: DrawFacts, now: Date): boolean {
  if (round_at === null || fallback.onOutage !== 'void' || fallback.deadlineS === undefined) return false
  return now.getTime() >= round_at.getTime() + fallback.deadlineS * 1000
}

/** How winners are shown. */
export type Reveal = { lead_ms: number; step_ms: number }

/** However many there are, the last one is shown within this. */
export const REVEAL_MS_MAX = 120_000

/**
 * When each place is shown: winners from the last place up to the first, so that the best prize ends the show, and
 * the alternates together with it. Times rise along the order of showing.
 */
export function revealTimes(
  drawn_at: Date,
  winner_count: number,
  alternate_count: number,
  { lead_ms, step_ms }: Reveal,
): Date[] {
  const pace_ms = Math.min(step_ms, Math.floor(REVEAL_MS_MAX / Math.max(1, winner_count)))
  const at = (turn: number) => new Date(drawn_at.getTime() + lead_ms + turn * pace_ms)
  const winners = Array.from({ length: winner_count }, (_, place) => at(winner_count - 1 - place))
  const alternates = Array.from({ length: alternate_count }, () => at(Math.max(0, winner_count - 1)))
  return [...winners, ...alternates]
}
