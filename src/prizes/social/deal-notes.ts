/** What the two sides of a deal are told when something happens to it (S0-34): never a prize that is not theirs to see. */
import type { DealRow } from './deal-store.ts'
import { type DealKind, splitPrice } from './rules.ts'

export type DealNews = 'offered' | 'accepted' | 'declined' | 'withdrawn' | 'lapsed'

/** A notification as `notify` of src/insight/inbox.ts takes it. */
export type DealNote = { user_id: string; kind: string; message: string; data: Record<string, unknown> }

type Told = Pick<
  DealRow,
  'id' | 'deal_kind' | 'offered_by' | 'offered_to' | 'price_minor' | 'currency' | 'fee_bps'
>

const MESSAGES: Record<DealKind, Partial<Record<DealNews, (name: string) => string>>> = {
  gift: {
    offered: (name) => `${name} wants to give you a prize.`,
    accepted: () => 'Your gift was accepted.',
    declined: () => 'Your gift was declined; the prize is yours again.',
    withdrawn: (name) => `${name} has taken a gift back.`,
    lapsed: () => 'Your gift was not accepted in time.',
  },
  trade: {
    offered: (name) => `${name} offers you a trade.`,
    accepted: () => 'Your trade was accepted.',
    declined: () => 'Your trade was declined; your prizes are yours again.',
    withdrawn: (name) => `${name} has taken a trade back.`,
    lapsed: () => 'Your trade was not accepted in time.',
  },
  listing: {
    accepted: () => 'Your prize was sold.',
    lapsed: () => 'Your prize was not sold in time.',
  },
}

/**
 * Who is told of it, and what. An offer and its end by the one who made it are news to the one who was asked;
 * everything else is news to the one who made it. Nobody is told what he did himself. Kinds: `gift_offered`,
 * `trade_accepted`, `listing_sold`, and so on. `nameOf` gives the pseudonym of a user.
 */
export function noteOf(deal: Told, news: DealNews, nameOf: (user_id: string) => string): DealNote[] {
  const { id, deal_kind, offered_by, offered_to } = deal
  const message = MESSAGES[deal_kind][news]
  const is_to_asked = news === 'offered' || news === 'withdrawn'
  const user_id = is_to_asked ? offered_to : offered_by
  if (message === undefined || user_id === null) return []
  const is_sale = deal_kind === 'listing' && news === 'accepted'
  const name = nameOf(offered_by)
  return [
    {
      user_id,
      kind: `${deal_kind}_${is_sale ? 'sold' : news}`,
      message: message(name),
      data: { deal_id: id, ...(is_to_asked && { from: name }), ...(is_sale && saleOf(deal)) },
    },
  ]
}

function saleOf({ price_minor, currency, fee_bps }: Told) {
  return { price_minor, currency, net_minor: splitPrice(price_minor!, fee_bps!).net_minor }
}
