/**
 * Prizes that change hands: what one player offers and another takes. A gift has one side, a trade two, a listing a
 * price. While an offer is open its prizes are in escrow on their own rows; who takes it gets them with new codes, for
 * whoever gave them away knows the old ones, and a code is shown at a counter.
 *
 * Lock order: dealer or deal, plays in the order of their ids, ledger accounts, heads.
 */
import type { Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { playerNames } from '../../games/players.ts'
import { newId } from '../../ids.ts'
import { notify } from '../../insight/inbox.ts'
import { postTransfers } from '../../ledger/post.ts'
import { TENANT_OWNER } from '../../ledger/rules.ts'
import { dayStart } from '../../schedule.ts'
import { newPrizeCode } from '../issue.ts'
import { prizeOf } from '../play.ts'
import { loadTerms, lockPlays } from '../store.ts'
import { type DealNews, noteOf } from './deal-notes.ts'
import {
  countDeals,
  type DealRow,
  endDeal,
  freeFromEscrow,
  handOver,
  type ItemRow,
  insertDeal,
  lapse,
  loadItems,
  loadPassable,
  loadSettings,
  lockDeal,
  lockDealer,
  lockLapsed,
  putInEscrow,
  revokeShares,
} from './deal-store.ts'
import { type DealView, viewOf } from './deal-views.ts'
import {
  type DealKind,
  dealEnd,
  type Passable,
  SETTINGS_DEFAULT,
  type Settings,
  splitPrice,
  statusNow,
  whyNotPassOn,
} from './rules.ts'

export type Offer =
  | { kind: 'gift'; to: string; give: readonly number[] }
  | { kind: 'trade'; to: string; give: readonly number[]; want: readonly number[] }
  | { kind: 'listing'; give: readonly number[]; price_minor: number; hours?: number | undefined }

/**
 * Offers prizes of the actor, which are in escrow from now on. Nobody keeps a list of users: an offer to a name that
 * nobody has is answered like any other and lapses; what a trade asks for is looked at by the one who is asked, so that
 * an offer tells nothing about prizes of others.
 *
 * Refuses own_deal, deals_per_day_reached, not_found (a play that is not the actor's), and what whyNotPassOn says.
 */
export async function offerDeal(tx: Tx, offer: Offer): Promise<DealView> {
  const { kind } = offer
  const to = kind === 'listing' ? null : offer.to
  if (to === tx.actor.userId) refuse('own_deal')
  const settings = (await loadSettings(tx)) ?? SETTINGS_DEFAULT
  const { currency, time_zone } = await loadTerms(tx)
  await lockDealer(tx)
  const limit = settings[`${kind}s_per_day`]
  if ((await countDeals(tx, kind, dayStart(tx.now, time_zone))) >= limit)
    refuse('deals_per_day_reached', { facts: { limit } })

  const plays = await lockOwn(tx, offer.give)
  for (const play of plays) refuseBound(tx, kind, play, settings)
  const hours = kind === 'listing' ? (offer.hours ?? settings.deal_hours) : settings.deal_hours
  const deal = await insertDeal(tx, {
    id: newId(),
    deal_kind: kind,
    offered_to: to,
    wanted: kind === 'trade' ? [...offer.want] : [],
    price_minor: kind === 'listing' ? offer.price_minor : null,
    currency: kind === 'listing' ? currency : null,
    fee_bps: kind === 'listing' ? settings.fee_bps : null,
    expires_at: dealEnd(tx.now, hours, plays.map(prizeOf)),
  })
  await escrow(tx, deal, 'give', offer.give)
  auditDeal(tx, deal, 'offered', {
    to,
    give: [...offer.give],
    wanted: deal.wanted,
    price_minor: deal.price_minor,
    expires_at: deal.expires_at.toISOString(),
  })
  await tell(tx, [deal], 'offered')
  return viewOf(tx, deal)
}

/** Plays, locked until the end of the transaction, in the order of their ids. */
async function take(tx: Tx, ids: readonly number[]): Promise<ItemRow[]> {
  await lockPlays(tx, ids, null)
  return loadPassable(tx, ids)
}

/** Plays of the actor, locked. Refuses not_found. */
async function lockOwn(tx: Tx, ids: readonly number[]): Promise<ItemRow[]> {
  const rows = await take(tx, ids)
  if (rows.filter(({ user_id }) => user_id === tx.actor.userId).length !== new Set(ids).size)
    refuse('not_found')
  return rows
}

function refuseBound(tx: Tx, kind: DealKind, play: ItemRow, settings: Settings): void {
  const why = whyNotPassOn(kind, passableOf(play), settings, tx.now)
  if (why === null) return
  const { code, detail, facts } = why
  refuse(code, { detail, facts: { play_id: play.id, ...facts } })
}

function passableOf(play: ItemRow): Passable {
  const snapshot = play.prize_snapshot
  return {
    ...prizeOf(play),
    is_transferable: snapshot?.['is_transferable'] ?? true,
    is_bound_part: snapshot?.['in_bundle'] === 'all',
    received_at: play.received_at,
  }
}

async function escrow(
  tx: Tx,
  deal: DealRow,
  side: 'give' | 'take',
  play_ids: readonly number[],
): Promise<void> {
  const count = await putInEscrow(tx, deal, side, play_ids)
  if (count !== play_ids.length) throw new Error('a prize vanished under its lock')
}

export type DealRef = { kind: DealKind; id: string }

/**
 * Takes an offer: every prize of it goes to its new owner in one transaction, and for a listing the price from the
 * buyer's wallet credit through the escrow of the listing to the seller and the tenant. A repetition by the one who took
 * it is answered like the first.
 *
 * Refuses not_found (also for offers to others), own_deal, deal_not_open (taken, ended, lapsed, or what it asks for is
 * not the actor's), what whyNotPassOn says about prizes that the actor gives, insufficient_funds.
 */
export async function acceptDeal(tx: Tx, { kind, id }: DealRef): Promise<DealView> {
  const deal = await lockDeal(tx, kind, id)
  const me = tx.actor.userId
  if (deal === undefined || ![null, me].includes(deal.offered_to))
    refuse(deal?.offered_by === me ? 'own_deal' : 'not_found')
  if (deal.deal_status === 'accepted' && deal.taken_by === me) return viewOf(tx, deal)
  if (deal.offered_by === me) refuse('own_deal')
  refuseClosed(tx, deal)

  const given = (await loadItems(tx, [id])).map((each) => each.id)
  const plays = await take(tx, [...given, ...deal.wanted])
  for (const play of plays.filter((each) => given.includes(each.id))) refuseGone(deal, play)
  await takeWanted(tx, deal, plays)
  const transfer_id = deal.price_minor === null ? null : await pay(tx, deal)
  const accepted = await endDeal(tx, id, 'accepted', transfer_id)
  await moveAll(tx, deal, plays, given)
  auditDeal(tx, deal, 'accepted', { by: me, transfer_id })
  await tell(tx, [deal], 'accepted')
  return viewOf(tx, accepted)
}

function refuseClosed(tx: Tx, deal: DealRow): void {
  const status = statusNow(deal, tx.now)
  if (status !== 'open') refuse('deal_not_open', { facts: { status } })
}

/** A prize that expired in escrow left it. */
function refuseGone(deal: DealRow, play: ItemRow): void {
  if (play.escrow_id !== deal.id || play.user_id !== deal.offered_by)
    refuse('deal_not_open', { detail: 'What was offered is not there any more.' })
}

/** What a trade asks for goes into the same escrow, and leaves it with everything else. */
async function takeWanted(tx: Tx, deal: DealRow, plays: readonly ItemRow[]): Promise<void> {
  if (deal.wanted.length === 0) return
  const settings = (await loadSettings(tx)) ?? SETTINGS_DEFAULT
  const wanted = plays.filter(({ id }) => deal.wanted.includes(id))
  if (wanted.filter(({ user_id }) => user_id === tx.actor.userId).length !== deal.wanted.length)
    refuse('deal_not_open', { detail: 'It asks for a prize that you do not have.' })
  for (const play of wanted) refuseBound(tx, deal.deal_kind, play, settings)
  await escrow(tx, deal, 'take', deal.wanted)
}

/** The price goes into the escrow of the listing and out of it again, in one transaction. Returns the second transfer. */
async function pay(tx: Tx, { id, price_minor, currency, fee_bps, offered_by }: DealRow): Promise<string> {
  const price = price_minor!
  const { fee_minor, net_minor } = splitPrice(price, fee_bps!)
  const line = (
    account_kind: 'wallet_credit' | 'escrow' | 'fee',
    owner_id: string,
    amount_minor: number,
  ) => ({
    account_kind,
    owner_id,
    currency: currency!,
    amount_minor,
  })
  const escrow_owner = `listing:${id}`
  const verdicts = await postTransfers(tx, [
    {
      obligation: `listing:${id}:pay`,
      transfer_type: 'listing.paid',
      reason: 'Bought on the marketplace',
      metadata: { deal_id: id },
      postings: [line('wallet_credit', tx.actor.userId, -price), line('escrow', escrow_owner, price)],
    },
    {
      obligation: `listing:${id}:settle`,
      transfer_type: 'listing.settled',
      reason: 'Sold on the marketplace',
      metadata: { deal_id: id },
      postings: [
        line('escrow', escrow_owner, -price),
        line('wallet_credit', offered_by, net_minor),
        line('fee', TENANT_OWNER, fee_minor),
      ].filter(({ amount_minor }) => amount_minor !== 0),
    },
  ])
  for (const verdict of verdicts) if ('refusal' in verdict) throw verdict.refusal
  const [, settled] = verdicts
  return (settled as { answer: { transfer_id: string } }).answer.transfer_id
}

async function moveAll(
  tx: Tx,
  { id, deal_kind, offered_by }: DealRow,
  plays: readonly ItemRow[],
  given: readonly number[],
): Promise<void> {
  const handovers = plays.map((play) => {
    const to = given.includes(play.id) ? tx.actor.userId : offered_by
    return { play_id: play.id, to, prize_code: newPrizeCode() }
  })
  if ((await handOver(tx, handovers)) !== plays.length) throw new Error('a prize vanished under its lock')
  await revokeShares(
    tx,
    plays.map((play) => play.id),
  )
  for (const [i, play] of plays.entries()) {
    tx.audit({
      action: 'pass_on',
      entity_type: 'game_play',
      entity_id: play.uuid,
      old_values: { user_id: play.user_id },
      new_values: { user_id: handovers[i]!.to, play_id: play.id, why: deal_kind, deal_id: id },
    })
  }
}

/**
 * Ends an open offer without a change of hands: the one who offered withdraws it, the one who was asked declines. A
 * repetition is answered like the first. Refuses not_found (also for offers of others), deal_not_open.
 */
export async function endOffer(
  tx: Tx,
  { kind, id, how }: DealRef & { how: 'declined' | 'withdrawn' },
): Promise<DealView> {
  const deal = await lockDeal(tx, kind, id)
  const side = how === 'declined' ? deal?.offered_to : deal?.offered_by
  if (deal === undefined || side !== tx.actor.userId) refuse('not_found')
  if (deal.deal_status === how) return viewOf(tx, deal)
  refuseClosed(tx, deal)
  const ended = await endDeal(tx, id, how)
  await freeFromEscrow(tx, [id])
  auditDeal(tx, deal, how, {})
  await tell(tx, [deal], how)
  return viewOf(tx, ended)
}

/** As many deals as one transaction ends: each is a row of the audit chain. */
const LAPSE_COUNT = 200

/** Ends deals whose time is over and lets go of what they hold. Answers how many; a full number means that there are more. */
export async function lapseDeals(tx: Tx): Promise<{ lapsed: number; has_more: boolean }> {
  const deals = await lockLapsed(tx, LAPSE_COUNT)
  const ids = deals.map(({ id }) => id)
  if (ids.length > 0) {
    await lapse(tx, ids)
    await freeFromEscrow(tx, ids)
  }
  for (const deal of deals) auditDeal(tx, deal, 'lapsed', {})
  await tell(tx, deals, 'lapsed')
  return { lapsed: ids.length, has_more: ids.length === LAPSE_COUNT }
}

/** Last in the transaction: it locks the inboxes of those who are told. */
async function tell(tx: Tx, deals: readonly DealRow[], news: DealNews): Promise<void> {
  if (deals.length === 0) return
  const nameOf = await playerNames(tx)
  await notify(
    tx,
    deals.flatMap((deal) => noteOf(deal, news, nameOf)),
  )
}

function auditDeal(
  tx: Tx,
  { id, deal_kind }: Pick<DealRow, 'id' | 'deal_kind'>,
  what: DealNews,
  new_values: Record<string, unknown>,
): void {
  tx.audit({
    action: `${deal_kind}.${what}`,
    entity_type: 'prize_deal',
    entity_id: id,
    new_values: { deal_status: what === 'offered' ? 'open' : what, ...new_values },
  })
}
