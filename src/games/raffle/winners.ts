/**
 * What becomes of the winners of a raffle: announced, contacted, claimed, delivered; or no longer standing, and then the
 * next alternate of the same order takes the prize at once. The caller holds the lock of the draw's row.
 */
import type { Tx } from '../../db/tx.ts'
import { type DrawRow, loadDrawsForUpdate, type WinnerRow } from '../../draws/store.ts'
import { refuse } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { grantPrizes } from '../../prizes/grant.ts'
import { playerNames } from '../players.ts'
import {
  type CampaignRow,
  type EndedAs,
  expirePlay,
  insertRaffleWinners,
  loadCampaign,
  loadPlayStatus,
  loadPrizeFacts,
  loadRaffleDraw,
  loadRaffleWinners,
  loadTickets,
  loadWalletGame,
  markTickets,
  type NewRaffleWinner,
  type RaffleWinnerRow,
  sayWhoMoves,
  updateWinner,
  type WinnerStatus,
} from './store.ts'

/** What each state means to a winner. */
export const WINNER_STATES: Record<WinnerStatus, string> = {
  announced: 'You won; claim your prize before the deadline.',
  contacted: 'The organiser has written to you.',
  claimed: 'You said that you want the prize.',
  delivered: 'The prize is with you.',
  alternate: 'You are next in line if a winner does not claim.',
  forfeited: 'The prize went to the next in line.',
}

/** The table of legal steps; the database holds it too (migrations/0012_raffle.sql). */
export const WINNER_STEPS: Record<WinnerStatus, readonly WinnerStatus[]> = {
  announced: ['contacted', 'claimed', 'forfeited'],
  contacted: ['claimed', 'forfeited'],
  claimed: ['delivered', 'forfeited'],
  delivered: [],
  alternate: ['announced', 'forfeited'],
  forfeited: [],
}

const DAY_MS = 86_400_000
const STANDING: readonly WinnerStatus[] = ['announced', 'contacted', 'claimed', 'delivered']
export const isStanding = ({ winner_status }: Pick<RaffleWinnerRow, 'winner_status'>): boolean =>
  STANDING.includes(winner_status)

type Prize = { prize_id: number | null; prize_type: string | null; prize_amount: string | null }

/** Which prize each place has, in order; beyond the prizes there are alternates. */
async function prizesByPlace(tx: Tx, draw_id: string): Promise<Prize[]> {
  const { prizes } = (await loadRaffleDraw(tx, draw_id))!
  const facts = new Map(
    (
      await loadPrizeFacts(
        tx,
        prizes.flatMap(({ prize_id }) => prize_id ?? []),
      )
    ).map((each) => [each.id, each]),
  )
  return prizes.flatMap(({ prize_id, qty }) => {
    const known = prize_id === null ? undefined : facts.get(prize_id)
    const prize_amount = known?.value != null && /^\d+(\.\d+)?$/.test(known.value) ? known.value : null
    return Array.from({ length: qty }, () => ({ prize_id, prize_type: known?.type ?? null, prize_amount }))
  })
}

/** Rows for what was drawn. A ticket that was given back before does not stand: the next alternate does. */
export async function recordWinners(
  tx: Tx,
  draw: DrawRow,
  campaign: CampaignRow,
  winners: readonly WinnerRow[],
): Promise<void> {
  const prizes = await prizesByPlace(tx, draw.id)
  const tickets = new Map(
    (
      await loadTickets(
        tx,
        winners.map((winner) => winner.ref_id),
      )
    ).map((row) => [row.id, row]),
  )
  const claim_until = deadline(draw.settle_at!, campaign)
  const isGone = (winner: WinnerRow) => tickets.get(winner.ref_id)!.ticket_status === 'refunded'
  const in_line = winners.filter((winner) => winner.is_alternate && !isGone(winner))
  const rows = new Map<number, NewRaffleWinner>()
  const rowOf = (winner: WinnerRow, prize_place: number | null): NewRaffleWinner => ({
    id: newId(),
    place: winner.place,
    raffle_ticket_id: winner.ref_id,
    user_id: winner.user_id,
    winner_status: prize_place === null ? 'alternate' : 'announced',
    ended_as: null,
    ended_at: null,
    prize_place,
    ...(prize_place === null
      ? { prize_id: null, prize_type: null, prize_amount: null }
      : prizes[prize_place - 1]!),
    announced_at: prize_place === null ? null : winner.reveal_at,
    claim_until: prize_place === null ? null : claim_until,
  })
  for (const winner of winners) {
    if (rows.has(winner.place)) continue
    const row = rowOf(winner, winner.is_alternate ? null : winner.place)
    rows.set(winner.place, row)
    if (!isGone(winner)) continue
    Object.assign(row, { winner_status: 'forfeited', ended_as: 'refunded', ended_at: tx.now })
    const next = winner.is_alternate ? undefined : in_line.shift()
    if (next !== undefined) rows.set(next.place, rowOf(next, winner.place))
  }
  await sayWhoMoves(tx, tx.actor.userId, null)
  await insertRaffleWinners(tx, draw.id, [...rows.values()])
}

function deadline(from: Date, { campaign_config }: CampaignRow): Date {
  return new Date(from.getTime() + campaign_config.claim_days * DAY_MS)
}

/** Grants the prizes of everybody who stands and has none yet, and marks the tickets. */
export async function grantStanding(tx: Tx, draw: DrawRow, campaign: CampaignRow): Promise<void> {
  const standing = (await loadRaffleWinners(tx, draw.id)).filter(isStanding)
  await markTickets(
    tx,
    standing.map((winner) => winner.raffle_ticket_id),
    'won',
  )
  await grantTo(
    tx,
    draw,
    campaign,
    standing.filter((winner) => winner.prize_id !== null && winner.play_id === null),
  )
}

async function grantTo(
  tx: Tx,
  draw: DrawRow,
  campaign: CampaignRow,
  winners: readonly Pick<RaffleWinnerRow, 'id' | 'user_id' | 'place' | 'prize_id'>[],
): Promise<void> {
  const due = winners.filter((winner) => winner.prize_id !== null)
  if (due.length === 0) return
  const game_id = await loadWalletGame(tx, campaign.id)
  const verdicts = await grantPrizes(
    tx,
    due.map(({ user_id, prize_id, place }) => ({
      user_id,
      prize_id: prize_id!,
      game_id,
      event_id: draw.id,
      game_data: { raffle_campaign_id: campaign.id, draw_id: draw.id, place },
    })),
  )
  for (const [i, { id }] of due.entries()) {
    const verdict = verdicts[i]!
    if ('answer' in verdict) await updateWinner(tx, id, { play_id: verdict.answer.play_id })
    else await updateWinner(tx, id, { prize_note: verdict.refusal.code })
  }
}

export type Ended = { place: number; status: EndedAs; promoted_place: number | null }

/** Takes a winner off the prize; the next alternate takes it. Refuses winner_not_movable. */
export async function endWinner(
  tx: Tx,
  draw: DrawRow,
  campaign: CampaignRow,
  winner: RaffleWinnerRow,
  ended_as: EndedAs,
  why: string | null,
): Promise<Ended> {
  if (!WINNER_STEPS[winner.winner_status].includes('forfeited') || winner.prize_place === null)
    refuse('winner_not_movable', { facts: { status: winner.winner_status } })
  await sayWhoMoves(tx, tx.actor.userId, why)
  if (winner.play_id !== null) await takeBack(tx, winner.play_id)
  await updateWinner(tx, winner.id, { winner_status: 'forfeited', ended_as, ended_at: tx.now })
  await markTickets(tx, [winner.raffle_ticket_id], 'lost')
  const promoted_place = await promote(tx, draw, campaign, winner)
  tx.audit({
    action: `raffle.winner_${ended_as}`,
    entity_type: 'raffle_winner',
    entity_id: winner.id,
    old_values: { status: winner.winner_status },
    new_values: { status: 'forfeited', ended_as, why, promoted_place },
  })
  await tell(tx, campaign, draw, winner, ended_as)
  return { place: winner.place, status: ended_as, promoted_place }
}

/** A prize that was used cannot go to somebody else. */
async function takeBack(tx: Tx, play_id: number): Promise<void> {
  if ((await loadPlayStatus(tx, play_id)) === 'applied')
    refuse('winner_not_movable', { detail: 'The prize was used already.' })
  const play = await expirePlay(tx, play_id, 'the place in the raffle was given up')
  if (play === undefined) return
  tx.audit({
    action: 'expire',
    entity_type: 'game_play',
    entity_id: play.uuid,
    old_values: { prize_status: play.prize_status },
    new_values: { play_id, prize_status: 'expired' },
  })
}

async function promote(
  tx: Tx,
  draw: DrawRow,
  campaign: CampaignRow,
  { prize_place, prize_id, prize_type, prize_amount }: RaffleWinnerRow,
): Promise<number | null> {
  const alternates = (await loadRaffleWinners(tx, draw.id)).filter(
    (each) => each.winner_status === 'alternate',
  )
  const tickets = new Map(
    (
      await loadTickets(
        tx,
        alternates.map((each) => each.raffle_ticket_id),
      )
    ).map((row) => [row.id, row]),
  )
  for (const next of alternates) {
    if (tickets.get(next.raffle_ticket_id)!.ticket_status === 'refunded') {
      await updateWinner(tx, next.id, { winner_status: 'forfeited', ended_as: 'refunded', ended_at: tx.now })
      continue
    }
    await updateWinner(tx, next.id, {
      winner_status: 'announced',
      prize_place,
      prize_id,
      prize_type,
      prize_amount,
      winner_announced_at: tx.now,
      claim_until: deadline(tx.now, campaign),
    })
    await markTickets(tx, [next.raffle_ticket_id], 'won')
    await grantTo(tx, draw, campaign, [{ ...next, prize_id }])
    await tell(tx, campaign, draw, { ...next, prize_place }, 'announced')
    return next.place
  }
  return null
}

async function tell(
  tx: Tx,
  campaign: CampaignRow,
  draw: DrawRow,
  { place, user_id, prize_place }: Pick<RaffleWinnerRow, 'place' | 'user_id' | 'prize_place'>,
  status: string,
): Promise<void> {
  const player = (await playerNames(tx))(user_id)
  const data = { draw_id: draw.id, place, prize_place, player, status }
  tx.emit({ gameId: campaign.id, type: 'raffle.winner', data })
}

export type StepInput = {
  draw_id: string
  place: number | null
  to: 'contacted' | 'claimed' | 'delivered'
  why: string | null
}
export type StepAnswer = { place: number; status: WinnerStatus; says: string; contact_count: number }

/**
 * A step of a winner who stands. A winner claims the own place and names none; staff names a place. Writing to a winner
 * again counts the attempt. Refuses game_not_found, forfeit_refused (nobody stands there), winner_not_movable.
 */
export async function stepWinner(tx: Tx, { draw_id, place, to, why }: StepInput): Promise<StepAnswer> {
  const [draw] = await loadDrawsForUpdate(tx, [draw_id])
  if (draw === undefined || draw.game !== 'raffle') refuse('game_not_found')
  if (draw.status !== 'settled') refuse('forfeit_refused', { facts: { status: draw.status } })
  const campaign = (await loadCampaign(tx, draw.game_id))!
  const winners = (await loadRaffleWinners(tx, draw_id)).filter(isStanding)
  const winner = winners.find((each) =>
    place === null ? each.user_id === tx.actor.userId : each.place === place,
  )
  if (winner === undefined) refuse('forfeit_refused')
  const { winner_status, contact_count } = winner
  const is_again = to === 'contacted' && winner_status === 'contacted'
  if (!is_again && !WINNER_STEPS[winner_status].includes(to))
    refuse('winner_not_movable', { facts: { status: winner_status } })
  if (to === 'claimed' && winner.claim_until !== null && tx.now >= winner.claim_until)
    refuse('winner_not_movable', { detail: 'The time to claim this prize is over.' })
  await sayWhoMoves(tx, tx.actor.userId, why)
  const contacts = to === 'contacted' ? contact_count + 1 : contact_count
  await updateWinner(tx, winner.id, {
    winner_status: to,
    ...(to === 'contacted' && { contact_count: contacts, ...(!is_again && { contacted_at: tx.now }) }),
    ...(to === 'claimed' && { claimed_at: tx.now }),
    ...(to === 'delivered' && { delivered_at: tx.now }),
  })
  tx.audit({
    action: `raffle.winner_${to}`,
    entity_type: 'raffle_winner',
    entity_id: winner.id,
    old_values: { status: winner_status },
    new_values: { status: to, why, contact_count: contacts },
  })
  await tell(tx, campaign, draw, winner, to)
  return { place: winner.place, status: to, says: WINNER_STATES[to], contact_count: contacts }
}

/** Ends every winner of a draw whose time to claim is over. Returns how many. */
export async function endOverdueWinners(tx: Tx, { draw_id }: { draw_id: string }): Promise<number> {
  const [draw] = await loadDrawsForUpdate(tx, [draw_id])
  if (draw === undefined || draw.status !== 'settled') return 0
  const campaign = (await loadCampaign(tx, draw.game_id))!
  const late = (await loadRaffleWinners(tx, draw_id)).filter(
    ({ winner_status, claim_until }) =>
      (winner_status === 'announced' || winner_status === 'contacted') &&
      claim_until !== null &&
      claim_until <= tx.now,
  )
  for (const winner of late) {
    await sayWhoMoves(tx, tx.actor.userId, null)
    if (winner.play_id !== null && (await isUsed(tx, winner))) continue
    await endWinner(tx, draw, campaign, winner, 'forfeited', 'Not claimed in time.')
  }
  return late.length
}

/** Whoever has used the prize has claimed it, without a word. */
async function isUsed(tx: Tx, winner: RaffleWinnerRow): Promise<boolean> {
  if ((await loadPlayStatus(tx, winner.play_id!)) !== 'applied') return false
  await updateWinner(tx, winner.id, { winner_status: 'claimed', claimed_at: tx.now })
  return true
}
