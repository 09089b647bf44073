/** Prizes that are given and not won: for an event, by a campaign's code, for bringing somebody; and cards of wins. */
import assert from 'node:assert/strict'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { awardReferrals } from '../../src/prizes/social/grants.ts'
import { systemActor } from '../../src/system.ts'
import { ORDER, type Shop, startShop, TEN_OFF } from './kit.ts'

const PATH = '/api/v1/gamification'
const DAY_MS = 86_400_000

describe('prizes that are given', function () {
  this.timeout(60_000)
  let shop: Shop
  let count = 0
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const refused = (answer: { status: number; body: any }) => [answer.status, answer.body.code]
  const grant = (json: object, token = shop.service) => shop.ask('POST', `${PATH}/grants`, { token, json })
  const made = async (path: string, json: unknown) => {
    const answer = await shop.ask('POST', `/api/v1/${path}`, { token: shop.operator, json })
    assert.equal(answer.status, 201, answer.text)
    return answer.body
  }
  const aPrize = (more: object = {}) => made('prizes', { ...TEN_OFF, ...more })
  const aCampaign = (json: object) =>
    made('gamification/campaigns', { campaign_name: 'A campaign', campaign_code: `CODE${++count}`, ...json })
  const redeem = async (user: string, code: string) =>
    shop.ask('POST', `${PATH}/campaigns/redeem`, {
      token: await shop.player(user),
      json: { code },
      headers: { 'idempotency-key': `redeem-${++count}` },
    })
  const wallet = async (user: string) => (await shop.list(user)).body.data

  describe('grants', () => {
    it('S2-66 a grant is in the wallet like a win: locked, with a code and an expiry, opened and applied', async () => {
      const { id: prize_id } = await aPrize({ expires_in_days: 3 })
      const answer = await grant({ user_id: 'ann', prize_id, source: 'support', source_id: 'ticket-1' })
      assert.equal(answer.status, 201, answer.text)
      const [{ play_id, result }] = answer.body.data
      assert.equal(result, 'granted')
      const [item] = await wallet('ann')
      assert.deepEqual([item.id, item.prize_status, item.prize_name], [play_id, 'locked', null])
      assert.equal(item.game_type, 'support')
      assert.equal((await shop.unlock('ann', play_id)).status, 200)
      assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'ann-1' })).status, 200)
      const row = await shop.row(play_id)
      assert.equal(row['expires_at'].getTime() - row['created_at'].getTime(), 3 * DAY_MS)
      assert.deepEqual(row['game_data'], { source: 'support', source_id: 'ticket-1' })
    })

    it('S2-66 an event is granted once per user, whatever the keys and however often at once', async () => {
      const [one, other] = [await aPrize(), await aPrize()]
      const event = { user_id: 'ben', prize_id: one.id, source: 'loyalty', source_id: 'level-2' }
      const answers = await Promise.all(Array.from({ length: 20 }, () => grant(event)))
      const results = answers.map((each) => each.body.data[0].result).sort()
      assert.deepEqual(results, ['granted', ...Array.from({ length: 19 }, () => 'replayed')])
      assert.equal(new Set(answers.map((each) => each.body.data[0].play_id)).size, 1)
      assert.equal((await wallet('ben')).length, 1)
      const changed = await grant({ ...event, prize_id: other.id })
      assert.deepEqual(refused(changed), [409, 'obligation_conflict'])
    })

    it('S2-66 a thousand users are one request; one who had it already is answered with what he has', async () => {
      const { id: prize_id } = await aPrize()
      const user_ids = Array.from({ length: 1_000 }, (_, i) => `crowd-${i}`)
      const event = { prize_id, source: 'partner', source_id: 'fair-2030' }
      const first = await grant({ ...event, user_id: 'crowd-7' })
      const { body } = await grant({ ...event, user_ids })
      assert.equal(body.data.length, 1_000)
      const of = (result: string) => body.data.filter((each: any) => each.result === result)
      assert.equal(of('granted').length, 999)
      assert.deepEqual(
        of('replayed').map((each: any) => [each.user_id, each.play_id]),
        [['crowd-7', first.body.data[0].play_id]],
      )
      assert.equal((await grant({ ...event, user_ids: [...user_ids, 'one-more'] })).status, 400)
    })

    it('S2-66 S2-15 stock bounds grants: three of five users get one, the others are told so', async () => {
      const { id: prize_id } = await aPrize({ stock: 3 })
      const user_ids = ['a1', 'a2', 'a3', 'a4', 'a5']
      const { body } = await grant({ user_ids, prize_id, source: 'other', source_id: 'stock' })
      assert.deepEqual(
        body.data.map((each: any) => each.code),
        [null, null, null, 'prize_out_of_stock', 'prize_out_of_stock'],
      )
      const single = await grant({ user_id: 'a6', prize_id, source: 'other', source_id: 'stock' })
      assert.deepEqual(refused(single), [409, 'prize_out_of_stock'])
      const unknown = await grant({ user_id: 'a6', prize_id: 999_999, source: 'other', source_id: 'x' })
      assert.deepEqual(refused(unknown), [404, 'not_found'])
    })

    it('S2-66 chances that are granted are there at once, and only the service grants', async () => {
      const { id: prize_id } = await aPrize({ type: 'spin_chance', value: '3', name: 'Three spins' })
      const event = { user_id: 'cat', prize_id, source: 'other', source_id: 'cat-1' }
      for (const token of [await shop.player('cat'), shop.operator])
        assert.deepEqual(refused(await grant(event, token)), [403, 'forbidden'])
      assert.equal((await grant(event)).status, 201)
      const chances = await shop.ask('GET', '/api/v1/spin-chances', { token: await shop.player('cat') })
      assert.deepEqual(
        chances.body.data.map((each: any) => each.remaining_chances),
        [3],
      )
      for (const bad of [
        { source_id: '' },
        { user_ids: ['dan'] },
        { campaign_code: 'X' },
        { source: 'mine' },
      ])
        assert.equal((await grant({ ...event, ...bad })).status, 400)
    })
  })

  describe('campaigns', () => {
    it('S2-66 a code gives once per user, in its window, to whom it is for', async () => {
      const { id: prize_id } = await aPrize()
      const now = shop.clock.now().getTime()
      const { campaign_code } = await aCampaign({
        prize_id,
        audience: 'listed',
        audience_users: ['dan', 'eve'],
        starts_at: new Date(now + 1_000).toISOString(),
        ends_at: new Date(now + 2_000).toISOString(),
      })
      assert.deepEqual(refused(await redeem('dan', campaign_code)), [409, 'campaign_not_open'])
      shop.clock.advance(1_000)
      const first = await redeem('dan', campaign_code.toLowerCase())
      assert.equal(first.status, 201, first.text)
      assert.deepEqual(refused(await redeem('dan', campaign_code)), [409, 'campaign_limit_reached'])
      assert.deepEqual(refused(await redeem('fay', campaign_code)), [409, 'campaign_not_for_user'])
      shop.clock.advance(1_000)
      assert.deepEqual(refused(await redeem('eve', campaign_code)), [409, 'campaign_not_open'])
      const [item] = await wallet('dan')
      assert.deepEqual([item.id, item.game_name], [first.body.data.play_id, 'Campaign'])
    })

    it('S2-66 P-03 number and budget are never exceeded, however many redeem at once', async () => {
      const { id: prize_id } = await aPrize({ cost_minor: 300 })
      for (const limit of [{ grants_max: 5 }, { budget_minor: 1_700 }]) {
        const { id, campaign_code } = await aCampaign({ prize_id, ...limit })
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, i) => redeem(`rush-${campaign_code}-${i}`, campaign_code)),
        )
        assert.equal(answers.filter(({ status }) => status === 201).length, 5)
        const others = answers.filter(({ status }) => status !== 201)
        assert.ok(others.every(({ body }) => body.code === 'campaign_exhausted'))
        const read = await shop.ask('GET', `${PATH}/campaigns/${id}`, { token: shop.operator })
        assert.deepEqual([read.body.granted_count, read.body.spent_minor], [5, 1_500])
      }
    })

    it('S2-66 an unknown code, and one of a campaign for services only, answer alike; misses are counted', async () => {
      const { id: prize_id } = await aPrize()
      const { campaign_code } = await aCampaign({ prize_id, audience: 'service' })
      const bare = (answer: { body: any }) => ({ ...answer.body, request_id: '' })
      const unknown = bare(await redeem('gus', 'NOSUCHCODE'))
      assert.equal(unknown.code, 'not_found')
      assert.deepEqual(bare(await redeem('gus', campaign_code)), unknown)
      for (let i = 0; i < 8; i++) await redeem('gus', 'NOSUCHCODE')
      assert.deepEqual(refused(await redeem('gus', 'NOSUCHCODE')), [429, 'rate_limited'])
      const event = { user_id: 'hal', campaign_code, source: 'campaign', source_id: 'mail-1' }
      assert.equal((await grant(event)).status, 201)
    })

    it('S2-66 a campaign needs a prize and an order of its times, and holds its prize while it runs', async () => {
      const prize = await aPrize()
      const bad = async (json: object, pointer: string) => {
        const base = { campaign_name: 'X', campaign_code: `BAD${++count}`, prize_id: prize.id }
        const answer = await shop.ask('POST', `${PATH}/campaigns`, {
          token: shop.operator,
          json: { ...base, ...json },
        })
        assert.deepEqual([answer.status, answer.body.errors[0].pointer], [400, pointer])
      }
      await bad({ prize_id: 999_999 }, '/prize_id')
      await bad({ starts_at: '2030-02-02T00:00:00Z', ends_at: '2030-02-01T00:00:00Z' }, '/ends_at')
      await bad({ campaign_code: 'no spaces' }, '/campaign_code')
      const campaign = await aCampaign({ prize_id: prize.id })
      const remove = (path: string, version: number) =>
        shop.ask('DELETE', `/api/v1/${path}`, {
          token: shop.operator,
          headers: { 'if-match': `"${version}"` },
        })
      assert.deepEqual(refused(await remove(`prizes/${prize.id}`, 1)), [409, 'in_use'])
      assert.equal((await remove(`gamification/campaigns/${campaign.id}`, 1)).status, 204)
      assert.equal((await remove(`prizes/${prize.id}`, 1)).status, 204)
    })
  })

  describe('referrals', () => {
    const refer = (user_id: string, referrer_id: string, campaign_code: string) =>
      shop.ask('POST', `${PATH}/referrals`, {
        token: shop.service,
        json: { user_id, referrer_id, campaign_code },
      })
    const award = async () => {
      const { tenant_id } = await shop.row(await shop.win('awarder'))
      return shop.app.run(systemActor(tenant_id), awardReferrals, undefined)
    }

    it("S2-65 a referred user's first play awards the referrer once", async () => {
      const chance = await aPrize({ type: 'spin_chance', value: '1', name: 'One spin' })
      const { campaign_code } = await aCampaign({
        prize_id: chance.id,
        audience: 'service',
        per_user_max: 100,
      })
      assert.equal((await refer('ned', 'mia', campaign_code)).body.data.status, 'open')
      assert.equal((await refer('ned', 'mia', campaign_code)).status, 201)
      // What is given to somebody is no play of his.
      const gift = { user_id: 'ned', prize_id: chance.id, source: 'other', source_id: 'ned-1' }
      assert.equal((await grant(gift)).status, 201)
      assert.equal((await award()).awarded, 0)
      await shop.win('ned')
      const [awards] = await Promise.all([award(), award(), award()])
      assert.ok(awards.awarded <= 1)
      await shop.win('ned')
      await award()
      const mine = await wallet('mia')
      assert.deepEqual(
        mine.map((each: any) => [each.game_type, each.prize_name]),
        [['referral', 'One spin']],
      )
      const list = await shop.ask('GET', `${PATH}/referrals?referrer_id=mia`, { token: shop.operator })
      assert.deepEqual(
        list.body.data.map((each: any) => [each.user_id, each.status, each.play_id]),
        [['ned', 'awarded', mine[0].id]],
      )
    })

    it('S2-65 nobody refers himself, in a loop, twice, or somebody who has played; of two that close a loop one stands', async () => {
      const { id: prize_id } = await aPrize()
      const { campaign_code } = await aCampaign({ prize_id, per_user_max: 100 })
      const why = async (user: string, by: string) => {
        const answer = await refer(user, by, campaign_code)
        return answer.status === 201 ? 'ok' : answer.body.facts.why
      }
      assert.equal(await why('p1', 'p1'), 'self')
      assert.equal(await why('p2', 'p1'), 'ok')
      assert.equal(await why('p3', 'p2'), 'ok')
      assert.equal(await why('p1', 'p3'), 'loop')
      assert.equal(await why('p3', 'p1'), 'already_referred')
      await shop.win('p4')
      assert.equal(await why('p4', 'p1'), 'already_played')
      const answers = await Promise.all([why('q1', 'q2'), why('q2', 'q1')])
      assert.deepEqual(answers.sort(), ['loop', 'ok'])
      assert.deepEqual(refused(await refer('p9', 'p1', 'NOSUCHCODE')), [404, 'not_found'])
    })

    it('S2-65 a campaign that gives nothing any more refuses the referral, and says why', async () => {
      const { id: prize_id } = await aPrize()
      const { campaign_code } = await aCampaign({ prize_id, grants_max: 0 })
      await refer('r1', 'r2', campaign_code)
      await shop.win('r1')
      await award()
      const list = await shop.ask('GET', `${PATH}/referrals?referrer_id=r2`, { token: shop.service })
      const [{ status, why }] = list.body.data
      assert.deepEqual([status, why], ['refused', 'campaign_exhausted'])
      assert.deepEqual(await wallet('r2'), [])
    })
  })

  describe('cards', () => {
    const share = async (user: string, play_id: number) =>
      shop.ask('POST', `${PATH}/share/${play_id}`, { token: await shop.player(user) })
    const look = (url: string) => shop.ask('GET', url)

    it('S2-62 the public address shows the win and its proof, and neither code nor user', async () => {
      const play_id = await shop.open('sue-secret-id', { ...TEN_OFF, name: '<b>10%</b> "off"' })
      const made = await share('sue-secret-id', play_id)
      assert.equal(made.status, 201, made.text)
      const { url, page_url, token } = made.body.data
      assert.match(token, /^acme\.[0-9A-HJKMNP-TV-Z]{26}$/)
      assert.equal((await share('sue-secret-id', play_id)).text, made.text)
      const card = await look(url)
      assert.equal(card.headers.get('cache-control'), 'public, max-age=60')
      const { body } = card
      assert.deepEqual(
        [body.data.prize_name, body.data.is_winner, body.data.game_name],
        ['<b>10%</b> "off"', true, 'Spin to Win'],
      )
      assert.match(body.data.player, /^player-/)
      const proof = await look(body.data.verify_url)
      assert.ok([200, 409].includes(proof.status))
      const page = await look(page_url)
      assert.match(page.headers.get('content-type')!, /text\/html/)
      assert.match(page.text, /og:title" content="player-\w+ won: 10% OFF"/)
      assert.ok(page.text.includes('&lt;b&gt;10%&lt;/b&gt; &quot;off&quot;'))
      assert.ok(page.text.includes(body.data.verify_page_url))
      const { prize_code } = await shop.row(play_id)
      for (const text of [card.text, page.text])
        for (const part of ['sue-secret-id', prize_code, '<b>10%</b> "off"<'])
          assert.ok(!text.includes(part), `${part} in ${text}`)
    })

    it('S2-62 a mystery is proven by its own draw, a gift of the house by nothing', async () => {
      const { id: prize_id } = await aPrize()
      const mystery = await shop.ask('POST', '/api/v1/prizes', {
        token: shop.operator,
        json: { name: 'A riddle', type: 'mystery', pool: [{ prize_id, weight: 1 }] },
      })
      const token = await shop.player('sid')
      const granted = async (id: number) => {
        const event = { prize_id: id, user_id: 'sid', source: 'other', source_id: `sid-${id}` }
        const [{ play_id }] = (await shop.serve('grants', event)).body.data
        const opened = await shop.unlock('sid', play_id)
        assert.equal(opened.status, 200, opened.text)
        const card = (await look((await share('sid', play_id)).body.data.url)).body.data
        const plays = (await shop.ask('GET', '/api/v1/me/plays', { token })).body.data
        const { proof_id } = plays.find((each: any) => each.play_id === play_id)
        return { drawn: opened.body.data.mystery?.event_id, card, proof_id }
      }
      const riddle = await granted(mystery.body.id)
      assert.ok(riddle.drawn)
      assert.equal(riddle.proof_id, riddle.drawn)
      assert.equal(riddle.card.verify_url, `/api/v1/verify/${riddle.drawn}`)
      assert.equal((await look(riddle.card.verify_url)).body.award.event_id, riddle.drawn)
      const gift = await granted(prize_id)
      assert.deepEqual([gift.drawn, gift.proof_id, gift.card.verify_url], [undefined, null, null])
    })

    it('S2-62 a locked prize shows nothing but that there is one', async () => {
      const play_id = await shop.win('tom', { name: 'Secret name', type: 'discount_fixed', value: '77.77' })
      const { url, page_url } = (await share('tom', play_id)).body.data
      for (const text of [(await look(url)).text, (await look(page_url)).text])
        for (const part of ['Secret', '77.77', 'discount_fixed', 'verify/'])
          assert.ok(!text.includes(part), `${part} in ${text}`)
      assert.equal((await look(url)).body.data.is_locked, true)
    })

    it('S2-62 a card that was taken back, whose prize went to somebody else, or that never was answers alike', async () => {
      const play_id = await shop.open('uma')
      const { url } = (await share('uma', play_id)).body.data
      const bare = (answer: { status: number; body: any }) => ({ ...answer.body, request_id: '' })
      const never = `/api/v1/share/acme.${'0'.repeat(26)}`
      const unknown = bare(await look(never))
      assert.equal(unknown.code, 'not_found')
      for (const other of [`/api/v1/share/nobody.${'0'.repeat(26)}`, url.replace('acme', 'other')])
        assert.deepEqual(bare(await look(other)), unknown)
      const token = await shop.player('uma')
      const remove = () => shop.ask('DELETE', `${PATH}/share/${play_id}`, { token })
      assert.equal((await remove()).status, 204)
      assert.equal((await remove()).status, 404)
      assert.deepEqual(bare(await look(url)), unknown)
      const again = (await share('uma', play_id)).body.data
      assert.notEqual(again.url, url)
      const gift = await shop.ask('POST', `${PATH}/gift/${play_id}`, { token, json: { to: 'vic' } })
      const { id } = gift.body.data
      await shop.ask('POST', `${PATH}/gifts/${id}/accept`, { token: await shop.player('vic') })
      assert.deepEqual(bare(await look(again.url)), unknown)
      assert.equal((await share('uma', play_id)).status, 404)
      const theirs = (await share('vic', play_id)).body.data
      assert.equal((await look(theirs.url)).body.data.is_winner, false)
    })

    it('S2-62 a stranger who looks at cards without end is slowed down', async () => {
      const one = shop.requestText('GET', `/api/v1/share/acme.${'1'.repeat(26)}`)
      const statuses = new Set<number>()
      for (const answer of await shop.raw(one.repeat(200), 200, 15_000)) statuses.add(answer.status)
      assert.deepEqual([...statuses].sort(), [404, 429])
    })
  })

  it('S2-62 S2-65 S2-66 the audit finds nothing to say about everything above', async () => {
    const report = await runAudit(shop.database)
    assert.ok(report.ok, reportText(report))
  })
})
