/** What has to be written so that a prize's effect is real, decided without looking anywhere. Pure. */

import { move, type Posting, TENANT_OWNER } from '../ledger/rules.ts'
import { type Definition, type Effect, effectOf, takesEffect } from './discount.ts'

/** Something that is owed to a winner and that somebody has to hand over. */
export type Owed = {
  fulfilment_type: 'claim' | 'queue' | 'item'
  item_id: string | null
  category_id: string | null
}

/** The rows that carry an effect out. All null is an effect that is whole in the answer: the shop carries it out. */
export type Consequence = {
  /** Postings from the house to the winner, in minor units, points or coins. */
  postings: Posting[] | null
  /** Spin chances on any wheel of the tenant. */
  chances: number | null
  owed: Owed | null
}

const NOTHING: Consequence = { postings: null, chances: null, owed: null }

/**
 * What follows from an effect for this user.
 *
 * A discount and a free delivery are the order's own arithmetic, a voucher is its code, and a mystery is drawn where it
 * is unlocked: none of them leaves a row here. Source: features N1, "Effect of each reward value".
 */
export function consequenceOf(effect: Effect, user_id: string): Consequence {
  switch (effect.kind) {
    case 'posting': {
      const house = { account_kind: 'house', owner_id: TENANT_OWNER } as const
      const winner = { account_kind: effect.account, owner_id: user_id }
      return { ...NOTHING, postings: move(Number(effect.amount), effect.unit, house, winner) }
    }
    case 'chances':
      return { ...NOTHING, chances: effect.count }
    case 'fulfilment':
      if (effect.by === 'code') return NOTHING
      return { ...NOTHING, owed: { fulfilment_type: effect.by, item_id: null, category_id: null } }
    case 'free_item': {
      const { item_id, category_id } = effect
      const owed = {
        fulfilment_type: 'item' as const,
        item_id: String(item_id),
        category_id: category_id === null ? null : String(category_id),
      }
      return { ...NOTHING, owed }
    }
    case 'order_discount':
    case 'free_delivery':
    case 'draw':
    case 'parts':
      return NOTHING
  }
}

/**
 * What is owed for it, in the words of the ledger: once per play that was won, once per play and order. A play without
 * an order was won; no order of a shop can be named like that.
 */
export function obligationOf(play_id: number, order_id: string | null): string {
  return order_id === null ? `won:${play_id}` : `prize:${play_id}:${order_id}`
}

/** What the winner has of it in minor units, points or coins: 0 where nothing is paid. */
export function paidOf(effect: Effect): bigint {
  return effect.kind === 'posting' ? effect.amount : 0n
}

/** What a definition does when it is won; null where that waits until it is unlocked or applied. */
export function effectWhenWon(
  prize: { type: string; value: string | null },
  currency: string,
): Effect | null {
  const definition = { ...prize, conditions: {} } as Definition
  if (takesEffect(definition.type) !== 'won') return null
  return effectOf(definition, { currency, delivery_fee_minor: null, free_item: null })
}

/** How a prize stands when it is won. */
export type Beginning = {
  /** What is the winner's at once has nothing to hide. */
  prize_status: 'locked' | 'unlocked'
  /** It was paid or granted: it cannot run out, and nobody can pass it on. */
  is_at_hand: boolean
  /** seeds/001: how far the claim of the result is. */
  claim_status: 'unclaimed' | 'paid'
  /** Minor units, points or coins. */
  paid_amount: number
}

/** How a prize begins whose effect when it is won is this one; null is a prize that does nothing yet. */
export function beginningOf(effect: Effect | null): Beginning {
  const is_at_hand = effect?.kind === 'posting' || effect?.kind === 'chances'
  return {
    prize_status: is_at_hand ? 'unlocked' : 'locked',
    is_at_hand,
    claim_status: is_at_hand ? 'paid' : 'unclaimed',
    paid_amount: effect === null ? 0 : Number(paidOf(effect)),
  }
}
