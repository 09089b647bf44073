import assert from 'node:assert/strict'
import fc from 'fast-check'
import { propertyOptions } from '../../../tests/fairness/seed.ts'
import { noteOf } from './deal-notes.ts'
import {
  type CampaignTerms,
  type DealKind,
  dealEnd,
  HOUR_MS,
  type Passable,
  SETTINGS_DEFAULT,
  splitPrice,
  statusNow,
  whyNotGrant,
  whyNotPassOn,
  whyNotRefer,
} from './rules.ts'

const NOW = new Date('2026-02-26T12:00:00.000Z')
const later = (ms: number) => new Date(NOW.getTime() + ms)
const KINDS: readonly DealKind[] = ['gift', 'trade', 'listing']

const aPrize = (rest: Partial<Passable> = {}): Passable => ({
  type: 'discount_percentage',
  value: '10.00',
  conditions: {},
  is_winner: true,
  prize_status: 'unlocked',
  expires_at: later(HOUR_MS),
  grace_hours: 0,
  restraints: [],
  is_transferable: true,
  received_at: null,
  is_bound_part: false,
  ...rest,
})
const why = (prize: Partial<Passable>, kind: DealKind = 'gift', now = NOW) =>
  whyNotPassOn(kind, aPrize(prize), SETTINGS_DEFAULT, now)?.code ?? null

describe('passing a prize on', () => {
  it('S2-58 S2-59 S2-63 an open prize of one’s own is given, traded and listed', () => {
    for (const kind of KINDS) assert.equal(why({}, kind), null)
  })

  it('S2-58 refuses by descending precedence, whatever else stands against it', () => {
    /** Each alone, and together with every one behind it. */
    const against: [string, Partial<Passable>][] = [
      ['prize_not_won', { is_winner: false, prize_status: null }],
      ['prize_applied', { prize_status: 'applied' }],
      ['prize_expired', { expires_at: later(-1) }],
      ['prize_in_escrow', { restraints: [{ kind: 'trade', until: later(1) }] }],
      ['prize_not_transferable', { is_transferable: false }],
      ['prize_just_received', { received_at: NOW }],
    ]
    against.forEach(([code, prize], i) => {
      assert.equal(why(prize), code)
      const all: Partial<Passable> = Object.assign(
        {},
        ...against
          .slice(i)
          .map(([, each]) => each)
          .reverse(),
      )
      assert.equal(why(all), code, `${code} with everything behind it`)
    })
  })

  it('S2-58 S2-38 it ends with the last instant of the prize, its grace included', () => {
    const prize = { expires_at: NOW, grace_hours: 1 }
    assert.equal(why(prize, 'gift', later(HOUR_MS)), null)
    assert.equal(why(prize, 'gift', later(HOUR_MS + 1)), 'prize_expired')
    assert.equal(why({ expires_at: null }, 'gift', later(1e12)), null)
    assert.equal(why({ prize_status: 'expired', expires_at: null }), 'prize_expired')
  })

  it('S2-58 an escrow binds until its end and not at it; a review has none', () => {
    const until = (at: Date) => ({ restraints: [{ kind: 'gift', until: at }] as Passable['restraints'] })
    assert.equal(why(until(later(1))), 'prize_in_escrow')
    assert.equal(why(until(NOW)), null)
    assert.equal(why({ restraints: [{ kind: 'review', until: null }] }), 'prize_in_escrow')
    const { facts } = whyNotPassOn('gift', aPrize(until(later(1))), SETTINGS_DEFAULT, NOW)!
    assert.deepEqual(facts, { held_by: 'gift', until: later(1).toISOString() })
  })

  it('S2-58 S2-59 S2-63 what is locked can be given and neither traded nor listed', () => {
    assert.deepEqual(
      KINDS.map((kind) => why({ prize_status: 'locked' }, kind)),
      [null, 'prize_not_transferable', 'prize_not_transferable'],
    )
  })

  it('S2-58 what took effect stays: when it was won always, when it was opened once it is open', () => {
    for (const prize_status of ['locked', 'unlocked'] as const)
      assert.equal(why({ type: 'cash', prize_status }), 'prize_not_transferable')
    assert.equal(why({ type: 'mystery', value: null, prize_status: 'locked' }), null)
    assert.equal(why({ type: 'bundle', value: null, prize_status: 'locked' }), null)
    assert.equal(why({ type: 'bundle', value: null }), 'prize_not_transferable')
  })

  it('S2-61 a part of a whole stays with the others', () => {
    for (const kind of KINDS) assert.equal(why({ is_bound_part: true }, kind), 'prize_not_transferable')
  })

  it('S2-59 what was received stays for the hold period, to the millisecond, or not at all without one', () => {
    const received_at = NOW
    const prize = { received_at, expires_at: null }
    const free_at = SETTINGS_DEFAULT.hold_hours * HOUR_MS
    assert.equal(why(prize, 'gift', later(free_at - 1)), 'prize_just_received')
    assert.equal(why(prize, 'gift', later(free_at)), null)
    assert.equal(whyNotPassOn('gift', aPrize({ received_at }), { hold_hours: 0 }, NOW), null)
  })
})

describe('an offer', () => {
  it('S2-58 S2-59 stands its hours, and never longer than the prize in it that ends first', () => {
    const forever = aPrize({ expires_at: null })
    assert.deepEqual(dealEnd(NOW, 72, [forever]), later(72 * HOUR_MS))
    const short = aPrize({ expires_at: later(HOUR_MS), grace_hours: 2 })
    assert.deepEqual(dealEnd(NOW, 72, [forever, short]), later(3 * HOUR_MS))
    assert.deepEqual(dealEnd(NOW, 1, [short]), later(HOUR_MS))
  })

  it('S2-58 S2-63 is lapsed from its end on, unless it ended before', () => {
    assert.equal(statusNow({ deal_status: 'open', expires_at: later(1) }, NOW), 'open')
    assert.equal(statusNow({ deal_status: 'open', expires_at: NOW }, NOW), 'lapsed')
    for (const deal_status of ['accepted', 'declined', 'withdrawn', 'lapsed'] as const)
      assert.equal(statusNow({ deal_status, expires_at: NOW }, NOW), deal_status)
  })

  it('S2-63 the price is split without a remainder, the fee within one unit of its exact share', () => {
    assert.deepEqual(splitPrice(400, 500), { fee_minor: 20, net_minor: 380 })
    assert.deepEqual(splitPrice(1, 500), { fee_minor: 0, net_minor: 1 })
    assert.deepEqual(splitPrice(999, 0), { fee_minor: 0, net_minor: 999 })
    const prices = fc.integer({ min: 1, max: 1_000_000_000_000 })
    fc.assert(
      fc.property(prices, fc.integer({ min: 0, max: 5_000 }), (price, bps) => {
        const { fee_minor, net_minor } = splitPrice(price, bps)
        assert.equal(fee_minor + net_minor, price)
        assert.ok(fee_minor >= 0 && net_minor >= 0)
        const error = BigInt(fee_minor) * 10_000n - BigInt(price) * BigInt(bps)
        assert.ok(error > -10_000n && error < 10_000n)
      }),
      propertyOptions(500),
    )
  })
})

describe('what the sides of a deal are told', () => {
  const deal = {
    id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
    offered_by: 'ann',
    offered_to: 'ben',
    price_minor: null,
    currency: null,
    fee_bps: null,
  }
  const nameOf = (user: string) => `name of ${user}`

  it('S0-34 nobody is told what he did himself, and every message is a sentence', () => {
    const doneBy = { offered: 'ann', withdrawn: 'ann', accepted: 'ben', declined: 'ben', lapsed: null }
    for (const deal_kind of ['gift', 'trade'] as const) {
      for (const [news, actor] of Object.entries(doneBy)) {
        const [note, ...others] = noteOf({ ...deal, deal_kind }, news as keyof typeof doneBy, nameOf)
        assert.deepEqual(others, [])
        assert.equal(note!.kind, `${deal_kind}_${news}`)
        assert.equal(note!.user_id, actor === 'ann' ? 'ben' : 'ann')
        assert.match(note!.message, /^[^.]+\.$/)
        assert.ok(!note!.message.startsWith('ann') && !JSON.stringify(note!.data).includes('ben'))
      }
    }
  })

  it('S0-34 S2-63 an offer to everybody is news to nobody, and its sale is to the seller', () => {
    const listing = {
      ...deal,
      deal_kind: 'listing' as const,
      offered_to: null,
      price_minor: 999,
      currency: 'EUR',
      fee_bps: 500,
    }
    for (const news of ['offered', 'withdrawn'] as const) assert.deepEqual(noteOf(listing, news, nameOf), [])
    const [sold] = noteOf(listing, 'accepted', nameOf)
    assert.deepEqual([sold!.user_id, sold!.kind], ['ann', 'listing_sold'])
    assert.deepEqual(sold!.data, { deal_id: deal.id, price_minor: 999, currency: 'EUR', net_minor: 949 })
    assert.equal(noteOf(listing, 'lapsed', nameOf)[0]!.user_id, 'ann')
  })
})

describe('bringing somebody', () => {
  const referral = {
    user_id: 'new',
    referrer_id: 'old',
    is_referred: false,
    has_played: false,
    ancestors_of_referrer: ['elder'],
  }

  it('S2-65 refuses oneself, a second referrer, a loop of any length and who has played, in this order', () => {
    assert.equal(whyNotRefer(referral), null)
    const played = { ...referral, has_played: true }
    assert.equal(whyNotRefer(played), 'already_played')
    const loop = { ...played, ancestors_of_referrer: ['elder', 'new'] }
    assert.equal(whyNotRefer(loop), 'loop')
    const second = { ...loop, is_referred: true }
    assert.equal(whyNotRefer(second), 'already_referred')
    assert.equal(whyNotRefer({ ...second, referrer_id: 'new' }), 'self')
  })
})

describe('a campaign', () => {
  const open: CampaignTerms = {
    is_active: true,
    audience: 'anyone',
    audience_users: ['listed'],
    starts_at: NOW,
    ends_at: later(HOUR_MS),
    per_user_max: 2,
    grants_max: 10,
    budget_minor: 1_000,
    granted_count: 0,
    spent_minor: 0,
  }
  const asked = { user_id: 'ann', by_service: false, granted_to_user: 0, cost_minor: 100 }
  const code = (terms: Partial<CampaignTerms> = {}, given: Partial<typeof asked> = {}, now = NOW) =>
    whyNotGrant({ ...open, ...terms }, { ...asked, ...given }, now)?.code ?? null

  it('S2-66 is open from its start on and not at its end', () => {
    assert.equal(code(), null)
    assert.equal(code({}, {}, later(-1)), 'campaign_not_open')
    assert.equal(code({}, {}, later(HOUR_MS - 1)), null)
    assert.equal(code({}, {}, later(HOUR_MS)), 'campaign_not_open')
    assert.equal(code({ starts_at: null, ends_at: null }, {}, later(1e12)), null)
    assert.equal(code({ is_active: false }), 'campaign_not_open')
  })

  it('S2-66 a list binds the service too; what is for the service alone is for no code', () => {
    const audiences = ['anyone', 'listed', 'service'] as const
    const codes = (given: Partial<typeof asked>) => audiences.map((audience) => code({ audience }, given))
    const no = 'campaign_not_for_user'
    assert.deepEqual(codes({}), [null, no, no])
    assert.deepEqual(codes({ user_id: 'listed' }), [null, null, no])
    assert.deepEqual(codes({ by_service: true }), [null, no, null])
  })

  it('S2-66 the last unit of the budget and the last grant are given, one more is not', () => {
    assert.equal(code({ spent_minor: 900 }), null)
    assert.equal(code({ spent_minor: 901 }), 'campaign_exhausted')
    assert.equal(code({ budget_minor: null, spent_minor: 1e12 }), null)
    assert.equal(code({ granted_count: 9 }), null)
    assert.equal(code({ granted_count: 10 }), 'campaign_exhausted')
    assert.equal(code({ grants_max: 0 }), 'campaign_exhausted')
    assert.equal(code({}, { granted_to_user: 1 }), null)
    assert.equal(code({}, { granted_to_user: 2 }), 'campaign_limit_reached')
  })

  it('S2-66 says the first of several reasons', () => {
    const empty = { audience: 'listed' as const, granted_count: 10 }
    assert.equal(code({ ...empty, is_active: false }, { granted_to_user: 2 }), 'campaign_not_open')
    assert.equal(code(empty, { granted_to_user: 2 }), 'campaign_not_for_user')
    assert.equal(code(empty, { granted_to_user: 2, user_id: 'listed' }), 'campaign_exhausted')
  })
})
