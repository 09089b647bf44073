/**
 * Places and who is offered them: winners when a game is settled, alternates when a place falls free. The claim's row
 * decides; the alternate is the next of the same draw, never of a second one (fair-1.md, F17).
 */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { creatorName } from '../games/players.ts'
import { newId } from '../ids.ts'
import { notify } from '../insight/inbox.ts'
import { type ClaimReason, hoursAfter } from './rules.ts'
import { tellSides } from './sides.ts'
import {
  type ClaimRow,
  insertClaims,
  loadDueOffersForUpdate,
  loadNextAlternate,
  loadStandingClaimForUpdate,
  lockClaimGame,
  moveClaim,
} from './store.ts'

type OfferGame = {
  id: string
  title: string
  creator_id: string
  company_id: string | null
  claim_window_hours: number
}

/** Offers the places of a game to its winners. Their window begins now. */
export async function offerPlaces(
  tx: Tx,
  game: OfferGame,
  winners: readonly { place: number; user_id: string }[],
): Promise<void> {
  if (winners.length === 0) return
  const window_ends_at = hoursAfter(tx.now, game.claim_window_hours)
  const creator_name = await creatorName(tx, game)
  const claims = winners.map(({ place, user_id }) => ({
    id: newId(),
    game_id: game.id,
    place,
    prize_place: place,
    user_id,
    creator_id: game.creator_id,
    company_id: game.company_id,
    creator_name,
    status_reason: 'won' as const,
    window_ends_at,
    promoted_from: null,
  }))
  await insertClaims(tx, claims)
  await notify(
    tx,
    claims.map(({ id, user_id, place }) => ({
      user_id,
      kind: 'claim_offered',
      message: offerSentence(game.title, window_ends_at),
      data: { claim_id: id, game_id: game.id, place, window_ends_at: window_ends_at.toISOString() },
    })),
  )
}

function offerSentence(title: string, until: Date): string {
  return `You won in “${title}”. Claim your reward before ${until.toISOString()}, or the next in line gets it.`
}

export type Forfeited = { place: number; status: string; promoted_place: number | null }

/**
 * Takes a claim off its place and offers it to the next alternate, whose own window begins now. The caller holds the
 * claim's lock and has seen that it may be forfeited.
 */
export async function forfeit(
  tx: Tx,
  claim: ClaimRow,
  reason: ClaimReason,
  why?: string,
): Promise<Forfeited> {
  if (!(await moveClaim(tx, claim, { status: 'forfeited', reason })))
    throw new Error(`claim ${claim.id} moved under its lock`)
  tx.audit({
    action: 'claim.forfeited',
    entity_type: 'claim',
    entity_id: claim.id,
    old_values: { status: claim.claim_status },
    new_values: { status: 'forfeited', reason, why: why ?? null, game_id: claim.game_id, place: claim.place },
  })
  const promoted = await promote(tx, claim)
  await tellSides(tx, claim, [
    {
      side: 'winner',
      kind: 'claim_forfeited',
      message: `Your reward of “${claim.title}” is forfeited${why === undefined ? '' : `: ${why}`}.`,
    },
    {
      side: 'creator',
      kind: 'claim_forfeited',
      message: `Place ${claim.prize_place} of “${claim.title}” was forfeited; ${promoted === null ? 'there is no alternate left' : 'the next alternate is asked'}.`,
    },
  ])
  return { place: claim.prize_place, status: 'forfeited', promoted_place: promoted }
}

async function promote(tx: Tx, claim: ClaimRow): Promise<number | null> {
  await lockClaimGame(tx, claim.game_id)
  const next = await loadNextAlternate(tx, claim.game_id)
  if (next === undefined) return null
  const window_ends_at = hoursAfter(tx.now, claim.claim_window_hours)
  const id = newId()
  const { game_id, prize_place, creator_id, company_id, creator_name } = claim
  await insertClaims(tx, [
    {
      id,
      game_id,
      place: next.place,
      prize_place,
      user_id: next.user_id,
      creator_id,
      company_id,
      creator_name,
      status_reason: 'promoted',
      window_ends_at,
      promoted_from: claim.id,
    },
  ])
  tx.audit({
    action: 'claim.promoted',
    entity_type: 'claim',
    entity_id: id,
    new_values: { game_id, place: next.place, prize_place, promoted_from: claim.id },
  })
  await notify(tx, [
    {
      user_id: next.user_id,
      kind: 'claim_offered',
      message: offerSentence(claim.title, window_ends_at),
      data: { claim_id: id, game_id, place: next.place, window_ends_at: window_ends_at.toISOString() },
    },
  ])
  return next.place
}

const DUE_COUNT_MAX = 100

/** Forfeits offers whose window is over. Returns how many; call again while it is not 0. */
export async function forfeitDue(tx: Tx): Promise<number> {
  const due = await loadDueOffersForUpdate(tx, DUE_COUNT_MAX)
  for (const claim of due) await forfeit(tx, claim, 'window_over')
  return due.length
}

/**
 * Gives a place up, by the winner's wish or by staff with a reason; the draw's own door (`POST /draws/{id}/forfeit`).
 * Refuses forfeit_refused where nobody stands who could, also once the reward was handed over or is disputed.
 */
export async function forfeitPlace(
  tx: Tx,
  game_id: string,
  who: { place: number | null; user_id: string | null; reason: string | null },
): Promise<Forfeited> {
  const claim = await loadStandingClaimForUpdate(tx, {
    game_id,
    prize_place: who.place,
    user_id: who.user_id,
  })
  if (claim === undefined || (who.place === null && who.user_id === null)) refuse('forfeit_refused')
  return forfeit(tx, claim, who.user_id === null ? 'taken_by_staff' : 'given_up', who.reason ?? undefined)
}
