/** Claiming a reward, and handing it over: what winner and creator do, each under the lock of the claim's row. */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { isClaimed } from '../games/guess/rules.ts'
import { playerNames } from '../games/players.ts'
import { decodeCursor, encodeCursor } from '../http/resource-store.ts'
import { grantPrizes } from '../prizes/grant.ts'
import { makeCode, pictureOf, readCode } from './codes.ts'
import { closeAsFulfilled } from './complaint-store.ts'
import {
  type ClaimReason,
  type ClaimStatus,
  OUTCOME_SAYS,
  type Side,
  whyNotClaim,
  whyNotComplete,
} from './rules.ts'
import { handsOver, sideOf, tellSides } from './sides.ts'
import {
  type ClaimRow,
  loadClaim,
  loadClaimForUpdate,
  loadClaimGame,
  loadClaimsOfCreator,
  loadClaimsOfUserForUpdate,
  loadClaimsOfWinner,
  moveClaim,
} from './store.ts'
import { type ClaimBrief, type ClaimView, claimBrief, claimView, isStaff } from './views.ts'

/**
 * Claims what the actor won in a game: the offered place of the lowest number, or the one that is named. Who has claimed
 * already gets the claim that stands. Refuses game_not_found, nothing_to_claim, not_a_winner, claim_window_over.
 */
export async function claimReward(
  tx: Tx,
  { game_id, place, info }: { game_id: string; place: number | null; info: string | null },
): Promise<ClaimView> {
  const game = (await loadClaimGame(tx, game_id)) ?? refuse('game_not_found')
  if (!isClaimed(game.reward_type)) refuse('nothing_to_claim')
  const mine = (await loadClaimsOfUserForUpdate(tx, game_id, tx.actor.userId)).filter(
    (claim) => place === null || claim.prize_place === place,
  )
  const offered = mine.find((claim) => whyNotClaim(claim, tx.now) === null)
  if (offered !== undefined) return claim(tx, offered, info)
  const standing = mine.find(({ claim_status }) => claim_status !== 'offered' && claim_status !== 'forfeited')
  if (standing !== undefined) return claimView(tx, standing, 'winner')
  const [lost] = mine
  if (lost === undefined) refuse('not_a_winner')
  const late = whyNotClaim(lost, tx.now)!
  return refuse(late.code, late.detail)
}

async function claim(tx: Tx, row: ClaimRow, claim_info: string | null): Promise<ClaimView> {
  await move(tx, row, 'pending', 'claimed', { claim_info })
  tx.audit({
    action: 'claim.claimed',
    entity_type: 'claim',
    entity_id: row.id,
    old_values: { status: row.claim_status },
    // What the winner wrote stays in its row.
    new_values: { status: 'pending', game_id: row.game_id, place: row.place },
  })
  await tellSides(tx, row, [
    {
      side: 'creator',
      kind: 'claim_pending',
      message: `The winner of place ${row.prize_place} of “${row.title}” claims the reward.`,
    },
  ])
  return claimView(tx, (await loadClaim(tx, row.id))!, 'winner')
}

/** Moves a claim whose lock the caller holds. */
export async function move(
  tx: Tx,
  row: ClaimRow,
  status: ClaimStatus,
  reason: ClaimReason,
  more: { claim_info?: string | null; scan_token_id?: string | null; play_id?: number | null } = {},
): Promise<void> {
  if (!(await moveClaim(tx, row, { status, reason, ...more })))
    throw new Error(`claim ${row.id} moved under its lock`)
}

/**
 * Completes a claim and gives its winner the item of the wallet that belongs to it. The caller holds the lock. Refuses
 * qr_used for what is completed, claim_not_open. An item that cannot be given leaves the claim completed: the thing was
 * handed over, and the audit log says that the item was not.
 */
export async function complete(
  tx: Tx,
  row: ClaimRow,
  reason: 'scanned' | 'confirmed' | 'decided',
  scan_token_id: string | null = null,
): Promise<void> {
  const refusal = whyNotComplete(row)
  if (refusal !== null) refuse(refusal.code, refusal.detail)
  const play_id = await giveItem(tx, row)
  await move(tx, row, 'completed', reason, { scan_token_id, play_id })
  tx.audit({
    action: 'claim.completed',
    entity_type: 'claim',
    entity_id: row.id,
    old_values: { status: row.claim_status },
    new_values: { status: 'completed', reason, game_id: row.game_id, place: row.place, play_id },
  })
  // Handed over while staff was still looking: nothing is left to decide.
  if (reason !== 'decided') await closeComplaint(tx, row)
  const note = { kind: 'claim_completed', message: `The reward of “${row.title}” was handed over.` }
  await tellSides(tx, row, [
    { side: 'winner', ...note },
    { side: 'creator', ...note },
  ])
}

async function closeComplaint(tx: Tx, row: ClaimRow): Promise<void> {
  const complaint_id = await closeAsFulfilled(tx, row.id)
  if (complaint_id === undefined) return
  tx.audit({
    action: 'complaint.resolved',
    entity_type: 'complaint',
    entity_id: complaint_id,
    new_values: { status: 'resolved', outcome: 'fulfilled', why: 'handed over meanwhile' },
  })
  const note = {
    kind: 'complaint_resolved',
    message: `The complaint about “${row.title}” is over: ${OUTCOME_SAYS.fulfilled}`,
    data: { complaint_id, outcome: 'fulfilled' },
  }
  await tellSides(tx, row, [
    { side: 'winner', ...note },
    { side: 'creator', ...note },
  ])
}

async function giveItem(tx: Tx, row: ClaimRow): Promise<number | null> {
  if (row.prize_id === null) return null
  const [verdict] = await grantPrizes(tx, [
    {
      user_id: row.user_id,
      prize_id: row.prize_id,
      game_id: row.wallet_game_id,
      event_id: row.id,
      game_data: { game: 'guess', title: row.title, place: row.prize_place },
    },
  ])
  if ('answer' in verdict!) return verdict.answer.play_id
  tx.audit({
    action: 'claim.prize_not_given',
    entity_type: 'claim',
    entity_id: row.id,
    new_values: { prize_id: row.prize_id, code: verdict!.refusal.code },
  })
  return null
}

/**
 * The code of a claim as a picture (SVG), for its winner. Refuses not_found (also for everybody else), qr_used once it
 * was handed over, claim_not_open.
 */
export async function readCodePicture(tx: Tx, { claim_id }: { claim_id: string }): Promise<string> {
  const row = await loadClaim(tx, claim_id)
  if (row === undefined || row.user_id !== tx.actor.userId) refuse('not_found')
  const refusal = whyNotComplete(row)
  if (refusal !== null) refuse(refusal.code, refusal.detail)
  return pictureOf(makeCode(tx, row.id))
}

/**
 * The creator scans the code of a winner: the reward is handed over, once. Refuses qr_invalid, qr_expired,
 * not_claim_party for everybody who does not hand this one over, qr_used for the second scan, claim_not_open.
 */
export async function scanCode(tx: Tx, { token }: { token: string }): Promise<ClaimView> {
  const { code_id, claim_id } = readCode(tx, token)
  const row = (await loadClaimForUpdate(tx, claim_id)) ?? refuse('qr_invalid')
  if (!(await handsOver(tx, row))) refuse('not_claim_party')
  await complete(tx, row, 'scanned', code_id)
  return claimView(tx, (await loadClaim(tx, row.id))!, 'creator')
}

/**
 * The winner says that the reward came: for what is sent and not handed over in person. Refuses not_found, qr_used once
 * it is completed, claim_not_open.
 */
export async function confirmClaim(tx: Tx, { claim_id }: { claim_id: string }): Promise<ClaimView> {
  const row = await loadClaimForUpdate(tx, claim_id)
  if (row === undefined || row.user_id !== tx.actor.userId) refuse('not_found')
  await complete(tx, row, 'confirmed')
  return claimView(tx, (await loadClaim(tx, row.id))!, 'winner')
}

/** One claim, for its sides and for staff. Refuses not_found for everybody else. */
export async function readClaim(tx: Tx, { claim_id }: { claim_id: string }): Promise<ClaimView> {
  const row = (await loadClaim(tx, claim_id)) ?? refuse('not_found')
  const looker = (await sideOf(tx, row)) ?? (isStaff(tx) ? 'staff' : refuse('not_found'))
  return claimView(tx, row, looker)
}

export type ClaimList = {
  side: Side
  game_id: string | null
  status: ClaimStatus | null
  limit: number
  cursor: string | null
}

/** Claims of mine, newest first: those that I won, or those that I hand over. */
export async function listClaims(
  tx: Tx,
  { side, cursor, limit, ...query }: ClaimList,
): Promise<{ data: ClaimBrief[]; next_cursor: string | null }> {
  const after = cursor === null ? null : (decodeCursor(cursor, 'uuid') ?? refuseCursor())
  const load = side === 'winner' ? loadClaimsOfWinner : loadClaimsOfCreator
  const rows = await load(tx, { ...query, after, limit: limit + 1, user_id: tx.actor.userId })
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const nameOf = await playerNames(tx)
  return {
    data: page.map((row) => claimBrief(tx, row, nameOf)),
    next_cursor:
      rows.length > limit ? encodeCursor({ created_us: String(last!.cursor_us), id: last!.id }) : null,
  }
}

function refuseCursor(): never {
  return refuse('invalid_input', {
    errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }],
  })
}
