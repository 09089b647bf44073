/** The life of a campaign around its draws: published, called off, tickets given back, what is overdue. */
import { hash } from 'node:crypto'
import type { Tx } from '../../db/tx.ts'
import { cancelDraws, createDraw } from '../../draws/draws.ts'
import type { DrawGames } from '../../draws/game.ts'
import { loadDrawsForUpdate } from '../../draws/store.ts'
import { type FieldError, refuse } from '../../errors.ts'
import { toHex } from '../../fairness/bytes.ts'
import { seedHash } from '../../fairness/commit.ts'
import { context, sample, words } from '../../fairness/rolls.ts'
import { reverseTransfer } from '../../ledger/post.ts'
import { NODE_HASH } from '../../node-hash.ts'
import type { RoundEntropy } from '../../proofs/round-entropy.ts'
import { configOf, RAFFLE_DRAW } from './game.ts'
import { rangeFault, rangesOf, saleEnd } from './rules.ts'
import { release } from './sale.ts'
import {
  type CampaignRow,
  countRefunded,
  endPurchase,
  hasInstantWin,
  insertInstantWins,
  loadCampaign,
  loadCampaignsForUpdate,
  loadOverdueReservations,
  loadPrizeFacts,
  loadPurchase,
  loadPurchaseForUpdate,
  loadPurchasesToRefund,
  loadRaffleDraws,
  markLost,
  type PurchaseRow,
  publishCampaign,
  putWalletGame,
  type RaffleDrawRow,
  refundTickets,
  setCancelledWhy,
} from './store.ts'

export type Published = { campaign_id: string; draw_ids: string[] }

/**
 * Publishes a campaign: all its draws are committed to, its numbers that win at once are fixed by a committed seed, and
 * nothing of what it promises can change from here on. Refuses game_not_found, raffle_published, raffle_not_ready,
 * entropy_unavailable.
 */
export async function publishRaffle(
  tx: Tx,
  { ref, entropy }: { ref: string; entropy: RoundEntropy },
): Promise<Published> {
  const campaign = await lockCampaign(tx, ref)
  if (campaign.campaign_status !== 'draft') refuse('raffle_published')
  const draws = (await loadRaffleDraws(tx, campaign.id)).sort(
    (a, b) => a.draw_time.getTime() - b.draw_time.getTime() || a.draw_order - b.draw_order,
  )
  await refuseUnready(tx, campaign, draws)
  const instant = await fixInstantWins(tx, campaign)
  await publishCampaign(tx, campaign.id, {
    number_key: toHex(tx.entropy(32)),
    instant_seed: instant?.sealed ?? null,
    instant_hash: instant?.seed_hash ?? null,
    first_draw_id: draws[0]!.id,
  })
  await putWalletGame(tx, campaign)
  const closes_at = saleEnd(
    campaign.end_time,
    draws.map((draw) => draw.draw_time),
  )
  for (const [i, draw] of draws.entries()) {
    const committed = instant && { seedHash: instant.seed_hash, count: instant.count }
    await createDraw(
      tx,
      RAFFLE_DRAW,
      {
        id: draw.id,
        game_id: campaign.id,
        draw_name: draw.draw_name,
        config: configOf(campaign, draw, committed),
        opens_at: campaign.start_time,
        closes_at: i === 0 ? closes_at : draw.draw_time,
        draw_at: draw.draw_time,
        ...(i > 0 && { after_draw_id: draws[i - 1]!.id, is_copied: true }),
      },
      entropy,
    )
  }
  tx.audit({
    action: 'raffle.published',
    entity_type: 'raffle_campaign',
    entity_id: campaign.id,
    new_values: { draws: draws.map((draw) => draw.id), instant_hash: instant?.seed_hash ?? null },
  })
  return { campaign_id: campaign.id, draw_ids: draws.map((draw) => draw.id) }
}

async function lockCampaign(tx: Tx, ref: string): Promise<CampaignRow> {
  const found = await loadCampaign(tx, ref)
  if (found === undefined) refuse('game_not_found')
  const [campaign] = await loadCampaignsForUpdate(tx, [found.id])
  return campaign ?? refuse('game_not_found')
}

async function refuseUnready(tx: Tx, campaign: CampaignRow, draws: readonly RaffleDrawRow[]): Promise<void> {
  const { campaign_config, total_tickets, start_time, end_time } = campaign
  const errors: FieldError[] = []
  const fault = (pointer: string, detail: string) => errors.push({ pointer, detail })
  if (draws.length === 0) fault('/draws', 'A raffle needs at least one draw.')
  if (end_time <= tx.now) fault('/end_time', 'The end lies in the past.')
  draws.forEach((draw, i) => {
    if (draw.draw_time <= tx.now || draw.draw_time <= start_time)
      fault(`/draws/${i}/draw_time`, 'A draw lies in the future, after the start of sales.')
    const places = draw.prizes.reduce((sum, { qty }) => sum + qty, 0)
    if (places !== draw.winning_tickets)
      fault(`/draws/${i}/winning_tickets`, `The prizes are for ${places} winners.`)
    if (draw.winning_tickets > total_tickets)
      fault(`/draws/${i}/winning_tickets`, 'There are more winners than tickets.')
  })
  const ranges = rangeFault(rangesOf(campaign_config, total_tickets), total_tickets)
  if (ranges !== undefined) fault('/campaign_config/number_ranges', ranges)
  const instant_count = campaign_config.instant_wins.reduce((sum, { count }) => sum + count, 0)
  if (instant_count > total_tickets)
    fault('/campaign_config/instant_wins', 'There are more instant wins than tickets.')
  const wanted = [
    ...draws.flatMap((draw) => draw.prizes.flatMap(({ prize_id }) => prize_id ?? [])),
    ...campaign_config.instant_wins.map(({ prize_id }) => prize_id),
  ]
  const known = new Set((await loadPrizeFacts(tx, [...new Set(wanted)])).map(({ id }) => id))
  const missing = wanted.find((id) => !known.has(id))
  if (missing !== undefined) fault('/draws', `There is no prize ${missing} to give.`)
  if (errors.length > 0) refuse('raffle_not_ready', { errors })
}

/** Where the numbers that win at once come from: the same stream for whoever has the seed (docs/draws.md). */
export function instantNumbers(
  campaign: Pick<CampaignRow, 'id' | 'total_tickets' | 'campaign_config'>,
  seed: Uint8Array,
): number[] {
  const { id, total_tickets, campaign_config } = campaign
  const count = campaign_config.instant_wins.reduce((sum, each) => sum + each.count, 0)
  const ctx = context('draw', [id, 'instant', total_tickets, '-'])
  const all = rangesOf(campaign_config, total_tickets)
  return sample(words(seed, ctx, NODE_HASH), total_tickets, count).map((index) => {
    let left = index
    for (const { first, last } of all) {
      if (left <= last - first) return first + left
      left -= last - first + 1
    }
    throw new RangeError('no such ticket')
  })
}

async function fixInstantWins(tx: Tx, campaign: CampaignRow) {
  const prizes = campaign.campaign_config.instant_wins.flatMap(({ prize_id, count }) =>
    Array.from({ length: count }, () => prize_id),
  )
  if (prizes.length === 0) return undefined
  const seed = tx.entropy(32)
  const seed_hash = seedHash(seed, NODE_HASH)
  const numbers = instantNumbers(campaign, seed)
  await insertInstantWins(
    tx,
    campaign.id,
    numbers.map((number, i) => ({ number, prize_id: prizes[i]! })),
  )
  const sealed = tx.keys.seal(seed, { gameId: campaign.id, seedHash: seed_hash })
  return { seed_hash, sealed, count: prizes.length }
}

/**
 * Calls a campaign off before its sales close: every draw is cancelled, every ticket is given back (in parts, right
 * after). Refuses game_not_found, draw_closed.
 */
export async function cancelRaffle(
  tx: Tx,
  { ref, why, games }: { ref: string; why: string; games: DrawGames },
): Promise<{ campaign_id: string }> {
  const found = (await loadCampaign(tx, ref)) ?? refuse('game_not_found')
  const draws = await loadRaffleDraws(tx, found.id)
  const draw_ids = draws.filter((draw) => draw.draw_status !== 'draft').map((draw) => draw.id)
  if (draw_ids.length === 0) refuse('draw_closed', { detail: 'It is not published; remove it instead.' })
  await cancelDraws(tx, { draw_ids, why, games })
  await setCancelledWhy(tx, found.id, why)
  tx.audit({
    action: 'raffle.cancelled',
    entity_type: 'raffle_campaign',
    entity_id: found.id,
    new_values: { why },
  })
  return { campaign_id: found.id }
}

/** Purchases that are given back in one transaction. */
const REFUND_COUNT = 50

/** Gives back the next purchases of a cancelled campaign. Returns how many: none means that all are. */
export async function refundNext(tx: Tx, { campaign_id }: { campaign_id: string }): Promise<number> {
  const [campaign] = await loadCampaignsForUpdate(tx, [campaign_id])
  if (campaign?.campaign_status !== 'cancelled') return 0
  const purchases = await loadPurchasesToRefund(tx, campaign_id, REFUND_COUNT)
  const why = campaign.cancelled_why ?? 'The raffle was cancelled.'
  for (const purchase of purchases) await giveBack(tx, campaign, purchase, why)
  return purchases.length
}

async function giveBack(tx: Tx, campaign: CampaignRow, purchase: PurchaseRow, reason: string): Promise<void> {
  await endPurchase(tx, purchase.id, 'refunded', reason)
  const count = await refundTickets(tx, purchase.id)
  await countRefunded(tx, campaign.id, count)
  campaign.sold_tickets -= count
  const numbers = purchase.numbers
  const { sold_tickets } = campaign
  tx.emit({ gameId: campaign.id, type: 'raffle.refunded', data: { numbers, sold_tickets } })
  tx.audit({
    action: 'raffle.refunded',
    entity_type: 'raffle_purchase',
    entity_id: purchase.id,
    new_values: { user_id: purchase.user_id, amount_minor: purchase.amount_minor, reason },
  })
  if (purchase.transfer_id !== null) await reverseTransfer(tx, { transfer_id: purchase.transfer_id, reason })
}

/**
 * Gives one purchase back as a whole, bundle and all, before sales close. Its leaf stays on the list, for a list only
 * grows; if it is drawn, the next alternate takes the place. Refuses not_found, purchase_not_refundable.
 */
export async function refundPurchase(
  tx: Tx,
  { purchase_id, reason }: { purchase_id: string; reason: string },
): Promise<{ purchase_id: string; status: 'refunded'; amount_minor: number }> {
  const found = (await loadPurchase(tx, purchase_id)) ?? refuse('not_found')
  const before = (await loadCampaign(tx, found.raffle_campaign_id))!
  const [draw] = await loadDrawsForUpdate(tx, [before.first_draw_id!])
  const [campaign] = await loadCampaignsForUpdate(tx, [before.id])
  const purchase = (await loadPurchaseForUpdate(tx, purchase_id))!
  const is_open = draw!.status === 'open' && tx.now < draw!.closes_at
  if (purchase.purchase_status !== 'done' || !is_open)
    refuse('purchase_not_refundable', { facts: { status: purchase.purchase_status } })
  if (await hasInstantWin(tx, purchase_id))
    refuse('purchase_not_refundable', { detail: 'One of its numbers has won at once.' })
  await giveBack(tx, campaign!, purchase, reason)
  return { purchase_id, status: 'refunded', amount_minor: purchase.amount_minor }
}

/** Puts the numbers of reservations that were not paid in time back into the pool. */
export async function releaseOverdue(tx: Tx, { campaign_id }: { campaign_id: string }): Promise<number> {
  const [campaign] = await loadCampaignsForUpdate(tx, [campaign_id])
  const overdue = await loadOverdueReservations(tx, campaign_id)
  if (campaign !== undefined) await release(tx, campaign, overdue)
  return overdue.length
}

/** A reservation that its owner gives up. Refuses not_found, reservation_over. */
export async function giveUpReservation(
  tx: Tx,
  { purchase_id }: { purchase_id: string },
): Promise<{ purchase_id: string; status: 'released' }> {
  const found = await loadPurchase(tx, purchase_id)
  if (found === undefined || found.user_id !== tx.actor.userId) refuse('not_found')
  const [campaign] = await loadCampaignsForUpdate(tx, [found.raffle_campaign_id])
  const purchase = (await loadPurchaseForUpdate(tx, purchase_id))!
  if (purchase.purchase_status !== 'reserved') refuse('reservation_over')
  await release(tx, campaign!, [purchase])
  return { purchase_id, status: 'released' }
}

/** Tickets that are marked in one transaction. */
const LOST_COUNT = 5_000

/** When everything is over: tickets that have not won have lost. Returns how many were marked. */
export function markNextLost(tx: Tx, { campaign_id }: { campaign_id: string }): Promise<number> {
  return markLost(tx, campaign_id, LOST_COUNT)
}

/** Text that names an allocation's event in its purchase; long keys of callers are hashed. */
export function eventKey(policy_id: string, event_key: string): string {
  const text = `policy:${policy_id}:${event_key}`
  return text.length <= 300 ? text : `policy:${policy_id}:${hash('sha256', event_key, 'hex')}`
}
