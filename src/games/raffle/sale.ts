/**
 * Getting tickets: bought, allocated, reserved, paid for. Many at once in one transaction (db/batch.ts): under the locks
 * of the first draw and of the raffle each member is decided in order over numbers, limits and money, and answered with
 * its own result or refusal.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Verdict } from '../../db/batch.ts'
import { type Actor, inputHash, type Tx, together } from '../../db/tx.ts'
import type { NewEntry } from '../../draws/game.ts'
import { type Accepted, addEntries, receiptOf } from '../../draws/list.ts'
import { type DrawRow, loadDrawsForUpdate, loadEntrants } from '../../draws/store.ts'
import { type ErrorCode, Refusal, type RefusalDetail } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { postTransfers, type TransferInput } from '../../ledger/post.ts'
import { move } from '../../ledger/rules.ts'
import { grantPrizes } from '../../prizes/grant.ts'
import { playerNames } from '../players.ts'
import { NumberPool } from './numbers.ts'
import { ONLINE, pickFault, priceOf, rangesOf, whyNotEnter } from './rules.ts'
import {
  type CampaignRow,
  countHeld,
  countIssued,
  deleteHeldNumbers,
  endPurchase,
  insertHeldNumbers,
  insertTickets,
  loadCampaignsForUpdate,
  loadInstantWins,
  loadOverdueReservations,
  loadPurchaseForUpdate,
  loadPurchasesByRequest,
  loadTicketCounts,
  loadWalletGame,
  type NewPurchase,
  type PurchaseRow,
  putPurchases,
  takeInstantWins,
} from './store.ts'

export type EnterInput = {
  /** Whose tickets. */
  user_id: string
  /** Who asked: the user, or staff. */
  by: Actor
  campaign_id: string
  first_draw_id: string
  /** Made by the caller before it sends; the same one is answered with the same bytes. */
  request_id: string
  /** Buys at once, holds numbers, or pays for what is held. */
  does: 'enter' | 'reserve' | { pay: string }
  quantity: number
  numbers?: readonly number[]
  channel?: string
  numbering?: 'sequential' | 'random'
  client_entropy?: string
  via: string
  policy_id?: string
  /** What it costs, where a policy says so; otherwise the price of the raffle. */
  amount_minor?: number
}

export type EnterReply = { text: string; replayed: boolean }

export type TicketView = {
  ticket_id: string
  ticket_number: string
  via: string
  entry_index: number | null
  leaf_hash: string | null
  receipt: string | null
}

export type EnterAnswer = {
  purchase_id: string
  status: 'done' | 'reserved'
  raffle_id: string
  draw_id: string
  commit_hash: string
  quantity: number
  amount_minor: number
  currency: string
  reserved_until: string | null
  numbers: string[]
  /** The caller's pseudonym in the draw and the salt that opens it. */
  entrant: string | null
  salt: string | null
  tickets: TicketView[]
  instant_wins: { ticket_number: string; prize_id: number; play_id: number | null }[]
}

type Member = {
  input: EnterInput
  verdict?: Verdict<EnterReply>
  /** Refused for want of tickets or numbers, which may come back when somebody else cannot pay. */
  is_waiting?: boolean
  decided?: Decided
}

type Decided = { purchase: NewPurchase; is_new: boolean; tickets: string[] }

const keyOf = ({ campaign_id, user_id, request_id }: EnterInput) =>
  `${campaign_id}\n${user_id}\n${request_id}`

/** What makes two requests the same one. */
function requestHash({ by: _by, first_draw_id: _draw, request_id: _id, ...asked }: EnterInput): string {
  return inputHash(asked)
}

function refuseMember(member: Member, code: ErrorCode, detail: RefusalDetail = {}): void {
  member.verdict = { refusal: new Refusal(code, detail) }
}

/** Decides and records a batch; see the head of this file. */
export async function enterBatch(tx: Tx, inputs: readonly EnterInput[]): Promise<Verdict<EnterReply>[]> {
  const members: Member[] = inputs.map((input) => ({ input }))
  // Sent together and done in this order: what was answered before is looked for under the locks.
  const [draws, campaigns, answered] = await together(
    loadDrawsForUpdate(tx, [...new Set(inputs.map((input) => input.first_draw_id))]),
    loadCampaignsForUpdate(tx, [...new Set(inputs.map((input) => input.campaign_id))]),
    loadPurchasesByRequest(tx, inputs),
  )
  const repeats = answerRepeats(members, answered)
  for (const campaign of campaigns) {
    const mine = members.filter((member) => !member.verdict && member.input.campaign_id === campaign.id)
    const draw = draws.find((each) => each.id === campaign.first_draw_id)
    if (draw === undefined || mine.length === 0) continue
    await enterOne(tx, campaign, draw, mine)
  }
  for (const [repeat, first] of repeats) repeat.verdict = repeatOf(repeat, first)
  return members.map((member) => member.verdict ?? { refusal: new Refusal('game_not_found') })
}

/** Requests that were answered before get that answer; of two in one batch the second waits for the first. */
function answerRepeats(members: readonly Member[], answered: readonly PurchaseRow[]): Map<Member, Member> {
  const known = new Map(
    answered.map((row) => [`${row.raffle_campaign_id}\n${row.user_id}\n${row.request_id}`, row]),
  )
  const first = new Map<string, Member>()
  const repeats = new Map<Member, Member>()
  for (const member of members) {
    if (typeof member.input.does === 'object') continue
    const key = keyOf(member.input)
    const row = known.get(key)
    const before = first.get(key)
    if (row !== undefined) {
      if (row.request_hash !== requestHash(member.input)) refuseMember(member, 'idempotency_key_reused')
      else member.verdict = { answer: { text: row.answer!, replayed: true } }
    } else if (before !== undefined) repeats.set(member, before)
    else first.set(key, member)
  }
  // Not decided on their own: they take the verdict of the first.
  for (const member of repeats.keys()) member.verdict = { refusal: new Refusal('idempotency_in_progress') }
  return repeats
}

function repeatOf(repeat: Member, first: Member): Verdict<EnterReply> {
  if (requestHash(repeat.input) !== requestHash(first.input))
    return { refusal: new Refusal('idempotency_key_reused') }
  const verdict = first.verdict!
  return 'answer' in verdict ? { answer: { ...verdict.answer, replayed: true } } : verdict
}

/** What one raffle has left while its members are decided. */
type Sale = {
  campaign: CampaignRow
  draw: DrawRow
  pool: NumberPool
  left: number
  counts: Map<string, number>
}

async function enterOne(tx: Tx, campaign: CampaignRow, draw: DrawRow, members: Member[]): Promise<void> {
  const ranges = rangesOf(campaign.campaign_config, campaign.total_tickets)
  const pool = new NumberPool(tx, campaign, ranges)
  const users = [...new Set(members.map((member) => member.input.user_id))]
  const [overdue, held, counts] = await together(
    loadOverdueReservations(tx, campaign.id),
    countHeld(tx, campaign.id),
    loadTicketCounts(tx, campaign.id, users),
  )
  await release(tx, campaign, overdue, pool)
  // What a user holds counts as long as it is held.
  const released = new Map<string, number>()
  for (const { user_id, quantity } of overdue) add(released, user_id, quantity)
  const sale: Sale = {
    campaign,
    draw,
    pool,
    left:
      campaign.total_tickets -
      campaign.issued_tickets -
      held +
      overdue.reduce((sum, { numbers }) => sum + numbers.length, 0),
    counts: new Map(counts.map((row) => [row.user_id, row.tickets - (released.get(row.user_id) ?? 0)])),
  }
  await pool.look(members.flatMap((member) => [...(member.input.numbers ?? [])]))

  let open = members
  const taken: Member[] = []
  while (open.length > 0) {
    for (const member of open) await decideOn(tx, sale, member)
    const decided = open.filter((member) => member.decided !== undefined)
    const unpaid = await pay(tx, campaign, decided)
    taken.push(...decided.filter((member) => member.decided !== undefined))
    for (const { purchase, is_new } of unpaid) {
      if (!is_new) continue
      sale.left += purchase.quantity
      add(sale.counts, purchase.user_id, -purchase.quantity)
      pool.giveBack(purchase.numbers)
    }
    // Somebody who could not pay leaves tickets for those who came too late.
    open = unpaid.length > 0 ? open.filter((member) => member.is_waiting) : []
    for (const member of open) delete member.verdict
  }
  await record(tx, sale, taken)
}

function add(counts: Map<string, number>, key: string, amount: number): void {
  counts.set(key, (counts.get(key) ?? 0) + amount)
}

async function decideOn(tx: Tx, sale: Sale, member: Member): Promise<void> {
  const { input } = member
  member.is_waiting = false
  if (typeof input.does === 'object') return decideOnPayment(tx, sale, member, input.does.pay)
  const { campaign, draw, pool } = sale
  const why = whyNotEnter(
    {
      campaign_status: campaign.campaign_status,
      start_time: campaign.start_time,
      closes_at: draw.closes_at,
      is_list_open: draw.status === 'open',
      tickets_left: sale.left,
      tickets_of_user: sale.counts.get(input.user_id) ?? 0,
      config: campaign.campaign_config,
    },
    input.quantity,
    tx.now,
  )
  if (why !== null) {
    member.is_waiting = why.code === 'sold_out'
    return refuseMember(member, why.code, why.detail)
  }
  const id = newId()
  const numbers = await numbersFor(sale, member, id)
  if (numbers === undefined) return
  sale.left -= numbers.length
  add(sale.counts, input.user_id, numbers.length)
  pool.take(numbers, id)
  const { ticket_price, campaign_config } = campaign
  const amount_minor = input.amount_minor ?? priceOf(numbers.length, ticket_price, campaign_config.bundles)
  const is_reserved = input.does === 'reserve'
  member.decided = {
    is_new: true,
    tickets: [],
    purchase: {
      id,
      raffle_campaign_id: campaign.id,
      user_id: input.user_id,
      request_id: input.request_id,
      request_hash: requestHash(input),
      purchase_status: is_reserved ? 'reserved' : 'done',
      via: input.via,
      policy_id: input.policy_id ?? null,
      quantity: numbers.length,
      amount_minor,
      numbers,
      client_entropy: input.client_entropy ?? null,
      reserved_until: is_reserved ? reservedUntil(tx, sale) : null,
      transfer_id: null,
      answer: null,
      paid_answer: null,
    },
  }
}

/** Nothing is held beyond the close. */
function reservedUntil(tx: Tx, { campaign, draw }: Sale): Date {
  const until_ms = tx.now.getTime() + campaign.campaign_config.reservation_s * 1000
  return new Date(Math.min(until_ms, draw.closes_at.getTime()))
}

/** The numbers of a member, or undefined when it was refused. */
async function numbersFor(sale: Sale, member: Member, purchase_id: string): Promise<number[] | undefined> {
  const { input } = member
  const { campaign, pool } = sale
  if (input.numbers !== undefined) {
    const fault = pickFault(input.numbers, rangesOf(campaign.campaign_config, campaign.total_tickets))
    if (fault !== undefined) {
      refuseMember(member, 'invalid_input', { errors: [{ pointer: '/numbers', detail: fault }] })
      return undefined
    }
    const numbers = pool.takenBySomebodyElse(input.numbers, purchase_id)
    if (numbers.length === 0) return [...input.numbers]
    member.is_waiting = true
    refuseMember(member, 'number_taken', { facts: { numbers } })
    return undefined
  }
  const channel =
    input.channel ?? pool.rangeOf(ONLINE)?.channel ?? campaign.campaign_config.number_ranges[0]!.channel
  if (pool.rangeOf(channel) === undefined) {
    const detail = 'This raffle has no such channel.'
    refuseMember(member, 'invalid_input', { errors: [{ pointer: '/channel', detail }] })
    return undefined
  }
  const numbering = input.numbering ?? campaign.campaign_config.numbering
  const numbers = await pool.next(channel, numbering, input.quantity, purchase_id)
  if (numbers !== undefined) return numbers
  member.is_waiting = true
  refuseMember(member, 'sold_out', { detail: 'This channel has not that many numbers left.' })
  return undefined
}

async function decideOnPayment(tx: Tx, sale: Sale, member: Member, id: string): Promise<void> {
  const { input } = member
  const row = await loadPurchaseForUpdate(tx, id)
  if (row === undefined || row.user_id !== input.user_id || row.raffle_campaign_id !== sale.campaign.id)
    return refuseMember(member, 'not_found')
  if (row.paid_answer !== null) {
    member.verdict = { answer: { text: row.paid_answer, replayed: true } }
    return
  }
  const is_over = row.purchase_status !== 'reserved' || row.reserved_until! <= tx.now
  if (is_over || sale.draw.status !== 'open' || tx.now >= sale.draw.closes_at)
    return refuseMember(member, 'reservation_over')
  const { created_at: _at, ...purchase } = row
  member.decided = { is_new: false, tickets: [], purchase: { ...purchase, purchase_status: 'done' } }
}

/** Moves the money of those who have to pay now; whoever cannot is refused. Returns what is not paid. */
async function pay(tx: Tx, campaign: CampaignRow, members: readonly Member[]): Promise<Decided[]> {
  const paying = members.filter(({ decided }) => isPaidNow(decided!.purchase))
  const transfers = paying.map((member): TransferInput => {
    const { id, user_id, amount_minor, quantity } = member.decided!.purchase
    return {
      obligation: `raffle:${id}`,
      transfer_type: 'raffle.tickets',
      reason: `${quantity} tickets of ${campaign.campaign_name}`,
      postings: move(
        amount_minor,
        campaign.currency,
        { account_kind: 'wallet_credit', owner_id: user_id },
        poolOf(campaign.id),
      ),
      metadata: { raffle_campaign_id: campaign.id, purchase_id: id },
      by: member.input.by,
    }
  })
  const verdicts = await postTransfers(tx, transfers)
  const unpaid: Decided[] = []
  paying.forEach((member, i) => {
    const verdict = verdicts[i]!
    if ('answer' in verdict) {
      member.decided!.purchase.transfer_id = verdict.answer.transfer_id
      return
    }
    member.verdict = verdict
    unpaid.push(member.decided!)
    delete member.decided
  })
  return unpaid
}

const isPaidNow = ({ purchase_status, amount_minor }: NewPurchase) =>
  purchase_status === 'done' && amount_minor > 0

/** Where the stakes of a raffle are until it is over. */
export const poolOf = (campaign_id: string) =>
  ({ account_kind: 'pool', owner_id: `raffle:${campaign_id}` }) as const

/** Tickets signed and hashed in one turn of the event loop. */
const SLICE = 50

async function record(tx: Tx, sale: Sale, members: readonly Member[]): Promise<void> {
  const { campaign, pool } = sale
  if (members.length === 0) return
  const done = members.filter(({ decided }) => decided!.purchase.purchase_status === 'done')
  const reserved = members.filter(({ decided }) => decided!.purchase.purchase_status === 'reserved')
  const count = done.reduce((sum, { decided }) => sum + decided!.purchase.quantity, 0)
  const tickets = done.flatMap(({ decided }) => ticketsOf(decided!))
  campaign.sold_tickets += count
  campaign.issued_tickets += count
  const entries = await enterList(tx, sale, done)
  const wins = await winAtOnce(tx, campaign, tickets)
  let signed = 0
  for (const member of members) {
    const { purchase } = member.decided!
    const answer = answerOf(tx, sale, member.decided!, entries, wins.told)
    const text = JSON.stringify(answer)
    if (member.decided!.is_new) purchase.answer = text
    else purchase.paid_answer = text
    member.verdict = { answer: { text, replayed: false } }
    signed += purchase.quantity
    if (signed % SLICE < purchase.quantity) await nextTurn()
    audit(tx, member)
  }
  const unheld = done.filter(({ decided }) => !decided!.is_new).map(({ decided }) => decided!.purchase.id)
  const held = reserved.flatMap(({ decided: { purchase } = {} as Decided }) =>
    purchase.numbers.map((number) => ({ campaign_id: campaign.id, number, purchase_id: purchase.id })),
  )
  // In this order: a ticket names its purchase, a number that won names its ticket.
  await together(
    putPurchases(
      tx,
      members.map(({ decided }) => decided!.purchase),
    ),
    ...(unheld.length > 0 ? [deleteHeldNumbers(tx, unheld)] : []),
    ...(tickets.length > 0 ? [insertTickets(tx, tickets)] : []),
    ...(held.length > 0 ? [insertHeldNumbers(tx, held)] : []),
    countIssued(tx, campaign.id, count, pool.cursors),
    ...(wins.taken.length > 0 ? [takeInstantWins(tx, campaign.id, wins.taken)] : []),
  )
  await tell(tx, sale, done, reserved)
}

type NewTicket = Parameters<typeof insertTickets>[1][number]

function ticketsOf({ purchase, tickets }: Decided): NewTicket[] {
  return purchase.numbers.map((number) => {
    const id = newId()
    tickets.push(id)
    const { user_id, raffle_campaign_id, id: purchase_id, via } = purchase
    return { id, raffle_campaign_id, user_id, ticket_number: String(number), purchase_id, via }
  })
}

/** Puts tickets on the list of the first draw; where people win, the first ticket of each. */
async function enterList(tx: Tx, sale: Sale, done: readonly Member[]): Promise<Map<string, Accepted>> {
  const { campaign, draw } = sale
  const is_person = campaign.campaign_config.unit === 'person'
  const users = done.map(({ decided }) => decided!.purchase.user_id)
  const on_list = new Set(
    is_person ? (await loadEntrants(tx, draw.id, [...new Set(users)])).map((row) => row.user_id) : [],
  )
  const entries: NewEntry[] = []
  for (const { decided } of done) {
    const { user_id, numbers, via, client_entropy } = decided!.purchase
    for (const [i, number] of numbers.entries()) {
      if (is_person && on_list.has(user_id)) break
      on_list.add(user_id)
      const facts = { t: number, via, ...(client_entropy !== null && { c: client_entropy }) }
      entries.push({ user_id, ref_id: decided!.tickets[i]!, facts })
    }
  }
  const accepted = entries.length > 0 ? await addEntries(tx, draw, entries) : []
  return new Map(accepted.map((each) => [each.ref_id, each]))
}

type Win = { ticket_number: string; prize_id: number; play_id: number | null }

/** What winners are told by ticket, and what the numbers are to be marked with once the tickets are written. */
type Wins = { told: Map<string, Win>; taken: Parameters<typeof takeInstantWins>[2] }

/** Numbers that win at once: the prize is granted in the same transaction. */
async function winAtOnce(tx: Tx, campaign: CampaignRow, tickets: readonly NewTicket[]): Promise<Wins> {
  const told = new Map<string, Win>()
  if (campaign.instant_hash === null || tickets.length === 0) return { told, taken: [] }
  const byNumber = new Map(tickets.map((ticket) => [Number(ticket.ticket_number), ticket]))
  const rows = await loadInstantWins(tx, campaign.id, [...byNumber.keys()])
  if (rows.length === 0) return { told, taken: [] }
  const game_id = await loadWalletGame(tx, campaign.id)
  const verdicts = await grantPrizes(
    tx,
    rows.map(({ number, prize_id }) => {
      const { id, user_id, ticket_number } = byNumber.get(number)!
      const game_data = { raffle_campaign_id: campaign.id, ticket_number, instant_win: true }
      return { user_id, prize_id, game_id, event_id: id, game_data }
    }),
  )
  const nameOf = await playerNames(tx)
  const taken = rows.map(({ number, prize_id }, i) => {
    const { id, user_id, ticket_number } = byNumber.get(number)!
    const verdict = verdicts[i]!
    const play_id = 'answer' in verdict ? verdict.answer.play_id : null
    told.set(id, { ticket_number, prize_id, play_id })
    const player = nameOf(user_id)
    tx.emit({ gameId: campaign.id, type: 'raffle.instant_win', data: { player, ticket_number, prize_id } })
    return { number, ticket_id: id, user_id, play_id }
  })
  return { told, taken }
}

function answerOf(
  tx: Tx,
  { campaign, draw }: Sale,
  { purchase, tickets }: Decided,
  entries: ReadonlyMap<string, Accepted>,
  wins: ReadonlyMap<string, Win>,
): EnterAnswer {
  const own = tickets.flatMap((id) => entries.get(id) ?? [])
  return {
    purchase_id: purchase.id,
    status: purchase.purchase_status === 'done' ? 'done' : 'reserved',
    raffle_id: campaign.id,
    draw_id: draw.id,
    commit_hash: draw.commit_hash,
    quantity: purchase.quantity,
    amount_minor: purchase.amount_minor,
    currency: campaign.currency,
    reserved_until:
      purchase.purchase_status === 'done' ? null : (purchase.reserved_until?.toISOString() ?? null),
    numbers: purchase.numbers.map(String),
    entrant: own[0]?.entrant ?? null,
    salt: own[0]?.salt ?? null,
    tickets: tickets.map((ticket_id, i) => {
      const entry = entries.get(ticket_id)
      return {
        ticket_id,
        ticket_number: String(purchase.numbers[i]!),
        via: purchase.via,
        entry_index: entry?.entry_index ?? null,
        leaf_hash: entry?.leaf_hash ?? null,
        receipt: entry === undefined ? null : receiptOf(tx, draw, entry),
      }
    }),
    instant_wins: tickets.flatMap((id) => wins.get(id) ?? []),
  }
}

function audit(tx: Tx, { input, decided }: Member): void {
  const { id, user_id, numbers, amount_minor, via, purchase_status, raffle_campaign_id } = decided!.purchase
  tx.audit({
    action: purchase_status === 'done' ? 'raffle.tickets' : 'raffle.reserved',
    entity_type: 'raffle_purchase',
    entity_id: id,
    by: input.by,
    new_values: { raffle_campaign_id, user_id, numbers, amount_minor, via },
  })
}

/** One event per raffle and batch: counts, and which numbers are gone. */
async function tell(
  tx: Tx,
  { campaign, left }: Sale,
  done: readonly Member[],
  reserved: readonly Member[],
): Promise<void> {
  const nameOf = await playerNames(tx)
  const { sold_tickets } = campaign
  const sales = done.map(({ decided }) => ({
    player: nameOf(decided!.purchase.user_id),
    numbers: decided!.purchase.numbers,
  }))
  if (sales.length > 0)
    tx.emit({
      gameId: campaign.id,
      type: 'raffle.tickets',
      data: { sold_tickets, tickets_left: left, sales },
    })
  const numbers = reserved.flatMap(({ decided }) => decided!.purchase.numbers)
  if (numbers.length > 0)
    tx.emit({ gameId: campaign.id, type: 'raffle.held', data: { numbers, tickets_left: left } })
}

/** Puts the numbers of reservations back into the pool. The caller holds the locks of the raffle. */
export async function release(
  tx: Tx,
  campaign: CampaignRow,
  reservations: readonly PurchaseRow[],
  pool?: NumberPool,
): Promise<void> {
  if (reservations.length === 0) return
  await deleteHeldNumbers(
    tx,
    reservations.map((each) => each.id),
  )
  for (const { id } of reservations) await endPurchase(tx, id, 'released', null)
  const numbers = reservations.flatMap((each) => each.numbers)
  pool?.giveBack(numbers)
  const held = await countHeld(tx, campaign.id)
  const tickets_left = campaign.total_tickets - campaign.issued_tickets - held
  tx.emit({ gameId: campaign.id, type: 'raffle.released', data: { numbers, tickets_left } })
}
