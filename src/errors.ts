/**
 * The one catalogue of refusals: code -> HTTP status and sentence. Doors map it to problem+json or to a
 * room refusal; nothing that is not in this list leaves the process. `docs/errors.md` is checked against it.
 */

export const ERRORS = {
  // Input and transport
  invalid_input: { status: 400, title: 'The request does not have the shape this operation takes.' },
  invalid_json: { status: 400, title: 'The body is not valid JSON.' },
  body_too_large: { status: 413, title: 'The body is larger than this operation accepts.' },
  length_required: { status: 411, title: 'The body needs a Content-Length.' },
  unsupported_media_type: { status: 415, title: 'The body must be plain application/json.' },
  not_found: { status: 404, title: 'There is nothing here.' },
  method_not_allowed: { status: 405, title: 'This path does not take that method.' },
  rate_limited: { status: 429, title: 'Too many requests; try again later.' },
  quota_exceeded: { status: 429, title: 'Too many connections, seats or rooms.' },
  // Who is asking
  unauthorized: { status: 401, title: 'A valid bearer token is needed.' },
  forbidden: { status: 403, title: 'This token has no right to do that.' },
  user_blocked: { status: 403, title: 'This user is blocked.' },
  tenant_inactive: { status: 403, title: 'This tenant is switched off.' },
  guests_not_allowed: { status: 403, title: 'This tenant does not give guest tokens.' },
  spectator_read_only: { status: 403, title: 'A spectator can watch, not act.' },
  // Concurrency
  idempotency_key_required: { status: 400, title: 'This operation needs an Idempotency-Key header.' },
  idempotency_key_invalid: { status: 400, title: 'An Idempotency-Key is 1-255 visible ASCII characters.' },
  idempotency_key_reused: { status: 422, title: 'This key was already used with another request.' },
  idempotency_in_progress: { status: 409, title: 'The first request with this key is still running.' },
  precondition_required: {
    status: 428,
    title: 'A change needs an If-Match header with the ETag that was read.',
  },
  precondition_failed: { status: 412, title: 'The row was changed since it was read.' },
  already_exists: { status: 409, title: 'Something with this key already exists.' },
  in_use: { status: 409, title: 'Something else still depends on this.' },
  // Availability
  unavailable: { status: 503, title: 'Temporarily unavailable; try again in a moment.' },
  shutting_down: { status: 503, title: 'The server is stopping; try again in a moment.' },
  entropy_unavailable: {
    status: 503,
    title: 'The source of entropy cannot be reached, so no draw can be promised.',
  },
  fairness_locked: { status: 503, title: 'The fairness self-test failed at start; games are locked.' },
  internal: { status: 500, title: 'Something went wrong on our side.' },
  // Games
  game_not_found: { status: 404, title: 'No such game.' },
  engine_disabled: { status: 409, title: 'The engine of this game is switched off.' },
  wheel_not_published: { status: 409, title: 'This wheel has no published version.' },
  wheel_not_ready: { status: 422, title: 'This wheel cannot be published as it is.' },
  wheel_paused: { status: 409, title: 'This wheel is paused.' },
  wheel_not_open: { status: 409, title: 'This wheel is outside its schedule.' },
  cooldown: { status: 409, title: 'The next spin is not due yet.' },
  plays_per_day_reached: { status: 409, title: 'No more plays today.' },
  no_chances_left: { status: 409, title: 'No spin chances left.' },
  probabilities_incomplete: { status: 422, title: 'The probabilities do not add up to exactly 1.' },
  round_not_open: { status: 409, title: 'No shared spin takes entries right now.' },
  round_running: { status: 409, title: 'A shared spin is already running on this wheel.' },
  raffle_not_open: { status: 409, title: 'This raffle takes no tickets right now.' },
  raffle_not_ready: { status: 422, title: 'This raffle cannot be published as it is.' },
  raffle_published: { status: 409, title: 'What a published raffle promised cannot be changed.' },
  sold_out: { status: 409, title: 'There are not that many tickets left.' },
  number_taken: { status: 409, title: 'Somebody else has this number.' },
  ticket_limit_reached: { status: 409, title: 'No more tickets for this user.' },
  reservation_over: { status: 409, title: 'This reservation is over.' },
  purchase_not_refundable: { status: 409, title: 'This purchase cannot be given back.' },
  no_tickets_due: { status: 409, title: 'The policy gives no ticket for this event.' },
  winner_not_movable: { status: 409, title: 'This winner cannot take that step.' },
  draw_closed: {
    status: 409,
    title: 'The entries of this draw are closed; it cannot be called off any more.',
  },
  forfeit_refused: { status: 409, title: 'Nobody stands on that place of the draw.' },
  redraw_refused: { status: 409, title: 'This draw cannot be drawn again.' },
  second_person_needed: { status: 403, title: 'Somebody else has to decide this.' },
  // Fairness
  seed_pair_not_found: { status: 404, title: 'There is no seed pair for this player and game yet.' },
  seed_pair_replaced: {
    status: 409,
    title: 'The next commitment was replaced; look at the new one and choose a seed again.',
  },
  client_seed_invalid: { status: 400, title: 'A client seed is 8-64 characters of A-Z, a-z, 0-9, _ and -.' },
  not_yet_revealed: { status: 409, title: 'The seed of this event is not revealed yet.' },
  // Webhooks
  webhook_disabled: { status: 409, title: 'This webhook is switched off.' },
  // Guess games
  game_not_open: { status: 409, title: 'This game takes no guesses now.' },
  game_paused: { status: 409, title: 'This game is paused.' },
  game_not_paused: { status: 409, title: 'This game is not paused.' },
  close_fixed: { status: 409, title: 'The close of this game cannot be moved like that.' },
  not_eligible: { status: 403, title: 'The rules of this game do not let this user enter.' },
  guess_invalid: { status: 422, title: 'This is no guess that the game takes.' },
  guess_taken: { status: 409, title: 'Somebody else chose this number first.' },
  no_guesses_left: { status: 409, title: 'No more guesses of yours in this game.' },
  game_published: { status: 409, title: 'A published game keeps what it promised.' },
  reel_in_use: { status: 409, title: 'Another active game is on this reel.' },
  // Claims
  not_a_winner: { status: 403, title: 'Only a winner of this game can do that.' },
  nothing_to_claim: { status: 409, title: 'The reward of this game arrives by itself.' },
  claim_window_over: { status: 409, title: 'The time to claim this reward is over.' },
  claim_not_open: { status: 409, title: 'This claim is in a state that does not take that.' },
  not_claim_party: { status: 403, title: 'Only the winner and the creator of this claim can do that.' },
  qr_invalid: { status: 422, title: 'This is no code of a claim.' },
  qr_expired: { status: 409, title: 'This code is too old; ask the winner for a new one.' },
  qr_used: { status: 409, title: 'This code was already used.' },
  upload_invalid: { status: 400, title: 'The body is not multipart/form-data with one file.' },
  picture_refused: { status: 422, title: 'This is no picture that can be kept.' },
  proofs_full: { status: 409, title: 'No more pictures on this side of the claim.' },
  thread_full: { status: 409, title: 'No more messages on this claim.' },
  claim_window_open: { status: 409, title: 'A complaint is possible once the claim window is over.' },
  complaint_open: { status: 409, title: 'A complaint about this claim is open already.' },
  complaints_full: { status: 409, title: 'No more complaints about this claim.' },
  complaint_not_open: { status: 409, title: 'The complaint is in a state that does not take that.' },
  creator_blocked: { status: 403, title: 'This creator may not create games for a while.' },
  appeal_refused: { status: 409, title: 'There is no block that takes this appeal or decision.' },
  // Prize wallet
  prize_not_won: { status: 409, title: 'This play won no prize.' },
  prize_locked: { status: 409, title: 'The prize is locked; unlock it first.' },
  prize_applied: { status: 409, title: 'The prize was used already.' },
  prize_expired: { status: 409, title: 'The prize has expired.' },
  prize_held: { status: 409, title: 'The prize is held for another order.' },
  prize_under_review: { status: 409, title: 'The payout of this prize waits for a review.' },
  prize_not_applicable: { status: 409, title: 'The prize does not fit this order.' },
  pool_exhausted: {
    status: 409,
    title: 'Nothing of this mystery is left; it can be opened when there is more.',
  },
  item_out_of_stock: { status: 409, title: 'There is none of this item left.' },
  codes_exhausted: { status: 409, title: 'No code of the partner is left.' },
  fulfilment_cancelled: { status: 409, title: 'It will not be handed over any more.' },
  fulfilment_delivered: { status: 409, title: 'It was handed over already.' },
  prize_out_of_stock: { status: 409, title: 'Nothing of this prize is left.' },
  // Prizes that change hands
  prize_in_escrow: { status: 409, title: 'The prize is part of an open gift, trade or listing.' },
  prize_not_transferable: { status: 409, title: 'This prize cannot be passed on.' },
  prize_just_received: { status: 409, title: 'The prize was received too recently to be passed on.' },
  deal_not_open: { status: 409, title: 'This gift, trade or listing is no longer open.' },
  own_deal: { status: 409, title: 'Nobody takes an own offer.' },
  deals_per_day_reached: { status: 409, title: 'No more offers of this kind today.' },
  // Campaigns and referrals
  campaign_not_open: { status: 409, title: 'The campaign is not open now.' },
  campaign_not_for_user: { status: 409, title: 'The campaign is not for this user.' },
  campaign_exhausted: { status: 409, title: 'The campaign has given what it had to give.' },
  campaign_limit_reached: { status: 409, title: 'This user has had as much of the campaign as one may.' },
  referral_refused: { status: 409, title: 'This referral cannot be.' },
  // Demo shop
  order_closed: { status: 409, title: 'This order was cancelled or left.' },
  // Alerts
  alert_resolved: { status: 409, title: 'The alert was resolved in another way.' },
  // Ledger
  insufficient_funds: { status: 409, title: 'The account does not hold that much.' },
  obligation_conflict: { status: 409, title: 'This obligation was already met in another way.' },
  transfer_not_found: { status: 404, title: 'There is no such transfer.' },
  transfer_not_correctable: {
    status: 409,
    title: 'This transfer is itself a correction, or was taken back.',
  },
} as const satisfies Record<string, { status: number; title: string }>

export type ErrorCode = keyof typeof ERRORS

export type FieldError = { pointer: string; detail: string }

export type RefusalDetail = {
  /** One sentence about this very case; the catalogue's title is used when it is absent. */
  detail?: string
  /** JSON pointers into the input. */
  errors?: FieldError[]
  /** Machine-readable facts: what is missing, when it becomes possible. Goes out as it is. */
  facts?: Record<string, unknown>
  /** Members of the input that do not exist, by name; for the server's own eyes. */
  unknown_members?: string[]
  /** Seconds after which a retry can work; becomes Retry-After. */
  retry_after_s?: number
}

/** A named answer to a caller. Not a failure: nothing is logged, nothing was written. */
export class Refusal extends Error {
  readonly code: ErrorCode
  readonly detail: RefusalDetail

  constructor(code: ErrorCode, detail: RefusalDetail = {}) {
    super(detail.detail ?? ERRORS[code].title)
    this.name = 'Refusal'
    this.code = code
    this.detail = detail
  }
}

/** Stops the use case with a named answer. */
export function refuse(code: ErrorCode, detail: RefusalDetail = {}): never {
  throw new Refusal(code, detail)
}

export type PublicError = {
  code: ErrorCode
  status: number
  title: string
  detail: string
  errors?: FieldError[]
  facts?: Record<string, unknown>
  retry_after_s?: number
}

/** SQLSTATE classes that mean "the database cannot serve now": connection, resources, intervention, shutdown. */
const UNAVAILABLE = /^(08|53|57|58)/
const TIMEOUTS = new Set(['55P03', '57014', '25P03', '25P04'])
const NETWORK = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EMFILE', 'ENFILE'])

/** True for failures outside us that pass: the caller may try again with the same key. */
export function isUnavailable(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'string' && (UNAVAILABLE.test(code) || TIMEOUTS.has(code) || NETWORK.has(code)))
    return true
  return (
    typeof message === 'string' &&
    /timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client (was closed|has encountered a connection error)|Cannot use a pool after calling end/.test(
      message,
    )
  )
}

/** Serialization failure or deadlock, after every repetition: the caller may try again too. */
function isClash(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' && /^40\w{3}$/.test(code)
}

/**
 * What a caller may know about an error: refusals as they are, passing failures as `unavailable`,
 * everything else as `internal`. Never the text of a library or of the database.
 */
export function publicError(error: unknown): PublicError {
  if (error instanceof Refusal) {
    const { status, title } = ERRORS[error.code]
    const { unknown_members: _, ...detail } = error.detail
    return { code: error.code, status, title, ...detail, detail: error.message }
  }
  const code: ErrorCode = isUnavailable(error) || isClash(error) ? 'unavailable' : 'internal'
  const { status, title } = ERRORS[code]
  return { code, status, title, detail: title, ...(code === 'unavailable' && { retry_after_s: 1 }) }
}
