/** What a raffle decides, as functions of what they are given: prices, numbers, who may buy, what a state means. */

import type { DrawStatus } from '../../draws/lifecycle.ts'
import type { ErrorCode, RefusalDetail } from '../../errors.ts'

/** `tickets` for the price of `pay_for`. */
export type Bundle = { tickets: number; pay_for: number }

/** Numbers of one channel of sale, both ends included. */
export type NumberRange = { channel: string; first: number; last: number }

export type CarryOver = 'all' | 'exclude_tickets' | 'exclude_winners'

export type CampaignConfig = {
  /** What wins: a ticket, or a person, who then is on the list once however many tickets there are. */
  unit: 'ticket' | 'person'
  /** Whether one person can win several places of a draw. */
  repeat_winners: boolean
  /** Who is on the list of a later draw: everybody, all tickets but those that won, or nobody who won. */
  carry_over: CarryOver
  numbering: 'sequential' | 'random'
  number_ranges: NumberRange[]
  bundles: Bundle[]
  per_user_max: number | null
  reservation_s: number
  claim_days: number
  reveal_lead_ms: number
  reveal_step_ms: number
  instant_wins: { prize_id: number; count: number }[]
  policies: string[]
}

/** The channel of whoever says nothing. */
export const ONLINE = 'online'

/** The ranges in force: those of the config, or one over all numbers. */
export function rangesOf(config: Pick<CampaignConfig, 'number_ranges'>, total: number): NumberRange[] {
  return config.number_ranges.length > 0 ? config.number_ranges : [{ channel: ONLINE, first: 1, last: total }]
}

/** Why these are no ranges of a raffle with so many tickets, as a sentence; undefined when they are. */
export function rangeFault(ranges: readonly NumberRange[], total: number): string | undefined {
  const sorted = [...ranges].sort((a, b) => a.first - b.first)
  if (new Set(ranges.map((range) => range.channel)).size !== ranges.length) return 'A channel stands twice.'
  let count = 0
  for (const [i, { first, last }] of sorted.entries()) {
    if (last < first) return 'A range ends before it begins.'
    if (i > 0 && first <= sorted[i - 1]!.last) return 'Two ranges have a number in common.'
    count += last - first + 1
  }
  return count === total ? undefined : `The ranges hold ${count} numbers and the raffle has ${total} tickets.`
}

/**
 * What so many tickets cost, in tickets to be paid for: the cheapest way to put them together from bundles and single
 * ones. Pure.
 */
export function ticketsToPay(quantity: number, bundles: readonly Bundle[]): number {
  const cost = [0]
  for (let n = 1; n <= quantity; n++) {
    let least = cost[n - 1]! + 1
    for (const { tickets, pay_for } of bundles)
      if (tickets <= n && cost[n - tickets]! + pay_for < least) least = cost[n - tickets]! + pay_for
    cost.push(least)
  }
  return cost[quantity]!
}

export function priceOf(quantity: number, ticket_price: number, bundles: readonly Bundle[]): number {
  return ticketsToPay(quantity, bundles) * ticket_price
}

/** 32 pseudo-random bits of a round and a half; keyed by whoever passes it in. */
export type RoundFunction = (round: number, half: number) => number

const ROUNDS = 6

/**
 * A permutation of 0 … size-1: the number that the index-th ticket gets. A Feistel network over the next power of four,
 * walked until it falls inside. Source: Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002.
 */
export function permuted(index: number, size: number, mix: RoundFunction): number {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw new RangeError('no such index')
  let half_bits = 1
  while (4 ** half_bits < size) half_bits++
  const width = 2 ** half_bits
  let value = index
  do {
    let left = (value - (value % width)) / width
    let right = value % width
    for (let round = 0; round < ROUNDS; round++)
      [left, right] = [right, (left ^ (mix(round, right) % width)) % width]
    value = left * width + right
  } while (value >= size)
  return value
}

export type SaleState = {
  campaign_status: string
  start_time: Date
  /** When entries of the first draw close. */
  closes_at: Date
  /** The first draw takes entries. */
  is_list_open: boolean
  /** Not given out, held or won by anybody. */
  tickets_left: number
  tickets_of_user: number
  config: Pick<CampaignConfig, 'per_user_max'>
}

export type WhyNot = { code: ErrorCode; detail: RefusalDetail } | null

/** Why a user does not get so many tickets now; null when nothing is against it. Pure. */
export function whyNotEnter(state: SaleState, quantity: number, now: Date): WhyNot {
  const { campaign_status, start_time, closes_at, config } = state
  if (!state.is_list_open || now < start_time || now >= closes_at) {
    const facts = {
      campaign_status,
      opens_at: start_time.toISOString(),
      closes_at: closes_at.toISOString(),
    }
    return { code: 'raffle_not_open', detail: { facts } }
  }
  if (state.tickets_left < quantity)
    return { code: 'sold_out', detail: { facts: { tickets_left: Math.max(0, state.tickets_left) } } }
  const { per_user_max } = config
  if (per_user_max !== null && state.tickets_of_user + quantity > per_user_max) {
    const facts = { per_user_max, has: state.tickets_of_user }
    return { code: 'ticket_limit_reached', detail: { facts } }
  }
  return null
}

/** Why these numbers cannot be picked, as a sentence; undefined when they can. */
export function pickFault(numbers: readonly number[], ranges: readonly NumberRange[]): string | undefined {
  if (new Set(numbers).size !== numbers.length) return 'A number stands twice.'
  const outside = numbers.find(
    (number) => !ranges.some(({ first, last }) => number >= first && number <= last),
  )
  return outside === undefined ? undefined : `There is no ticket with the number ${outside}.`
}

/** The state of a campaign, from the states of its draws in order; a redraw leaves it as it is. Pure. */
export function campaignStatus(draws: readonly DrawStatus[]): DrawStatus {
  const has = (status: DrawStatus) => draws.includes(status)
  if (draws.every((status) => status === 'cancelled')) return 'cancelled'
  if (draws.every((status) => status === 'cancelled' || status === 'settled')) return 'settled'
  if (has('drawn') || has('settled')) return 'drawn'
  if (has('drawing')) return 'drawing'
  const [first] = draws.filter((status) => status !== 'cancelled')
  return first!
}

/** When tickets stop being sold: at the end, or when the first draw begins if that is earlier. */
export function saleEnd(end_time: Date, draw_times: readonly Date[]): Date {
  return new Date(Math.min(end_time.getTime(), ...draw_times.map((time) => time.getTime())))
}
