/** Prizes that change hands: gifts, trades and listings over HTTP, their races, and what SQL cannot do. */
import assert from 'node:assert/strict'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { playerNames } from '../../src/games/players.ts'
import { lapseDeals } from '../../src/prizes/social/deals.ts'
import { systemActor } from '../../src/system.ts'
import { ORDER, type Shop, startShop, TEN_OFF } from './kit.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const PATH = '/api/v1/gamification'
const CREDIT = { type: 'wallet_credit', value: '20.00', name: '20.00 credit' }

describe('prizes that change hands', function () {
  this.timeout(60_000)
  let shop: Shop
  let count = 0
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const post = async (user: string, path: string, json?: unknown, key?: string) =>
    shop.ask('POST', `${PATH}/${path}`, {
      token: await shop.player(user),
      ...(json !== undefined && { json }),
      ...(key !== undefined && { headers: { 'idempotency-key': key } }),
    })
  const get = async (user: string, path: string) =>
    shop.ask('GET', `${PATH}/${path}`, { token: await shop.player(user) })
  const give = (user: string, play_id: number, to: string) => post(user, `gift/${play_id}`, { to })
  const buy = (user: string, id: string) => post(user, `listings/${id}/buy`, undefined, `buy-${++count}`)
  const list = (user: string, play_id: number, price_minor: number) =>
    post(user, 'listings', { play_id, price_minor })
  const made = (answer: { status: number; text: string; body: any }) => {
    assert.equal(answer.status, 201, answer.text)
    return answer.body.data
  }
  const refused = (answer: { status: number; body: any }) => [answer.status, answer.body.code]
  const bare = (answer: { status: number; body: any }) => ({ ...answer.body, request_id: '' })
  const balance = async (user: string) => {
    const { body } = await shop.ask('GET', '/api/v1/me/balances', { token: await shop.player(user) })
    return body.data.find((each: any) => each.account_kind === 'wallet_credit')?.balance_minor ?? 0
  }
  const rich = async (user: string, value: string) => {
    const play_id = await shop.open(user, { ...CREDIT, value })
    assert.equal((await shop.apply(play_id, { order_id: `rich-${++count}` })).status, 200)
  }
  const sql = (text: string) => assert.rejects(shop.database.query(text), { code: '23514' }, text)

  describe('gifts', () => {
    it('S2-58 an accepted gift changes its owner and its code, keeps its expiry, and the old owner cannot apply it', async () => {
      const play_id = await shop.open('ann')
      const before = await shop.row(play_id)
      const gift = made(await give('ann', play_id, 'ben'))
      assert.deepEqual([gift.kind, gift.status, gift.direction, gift.to], ['gift', 'open', 'out', 'ben'])

      const [incoming] = (await get('ben', 'gifts')).body.data
      assert.equal(incoming.id, gift.id)
      assert.equal(incoming.to, null)
      assert.match(incoming.from, /^player-/)
      assert.equal(incoming.give[0].prize_name, '10% Discount')
      const accepted = await post('ben', `gifts/${gift.id}/accept`)
      assert.deepEqual([accepted.status, accepted.body.data.status], [200, 'accepted'])

      const after = await shop.row(play_id)
      assert.equal(after['user_id'], 'ben')
      assert.notEqual(after['prize_code'], before['prize_code'])
      assert.deepEqual(after['expires_at'], before['expires_at'])
      assert.deepEqual([after['won_by'], after['escrow_id']], ['ann', null])
      assert.deepEqual((await shop.list('ann')).body.data, [])
      const lookUp = (user: string, code: string) => get(user, `prize/${code}`)
      assert.equal((await lookUp('ann', before['prize_code'])).status, 404)
      assert.equal((await lookUp('ben', before['prize_code'])).status, 404)
      assert.equal((await lookUp('ben', after['prize_code'])).body.data.id, play_id)
      const token = await shop.player('ann')
      assert.equal((await shop.validate(play_id, ORDER, token)).status, 404)

      const again = await post('ben', `gifts/${gift.id}/accept`)
      assert.equal(again.text, accepted.text)
      const log = await shop.ask('GET', `${PATH}/transfers/${play_id}`, { token: shop.operator })
      assert.deepEqual(
        log.body.data.map((each: any) => [each.from_user_id, each.to_user_id, each.why, each.deal_id]),
        [['ann', 'ben', 'gift', gift.id]],
      )
      assert.equal((await get('ann', `transfers/${play_id}`)).status, 403)
      assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'ben-1' })).status, 200)
    })

    it('S2-18 S2-58 a shop that says whose order it is takes no prize of anybody else, nor one that was given away', async () => {
      const play_id = await shop.open('hal')
      const others = await shop.open('ina')
      made(await give('hal', play_id, 'ina'))
      const [gift] = (await get('ina', 'gifts')).body.data
      assert.equal((await post('ina', `gifts/${gift.id}/accept`)).status, 200)

      const order = { ...ORDER, order_id: 'hal-1', user_id: 'hal' }
      const { order_id, user_id } = order
      for (const answer of [
        await shop.validate(play_id, order),
        await shop.apply(play_id, order),
        await shop.serve(`hold/${play_id}`, { order_id, user_id }),
        await shop.serve('apply', { ...order, play_ids: [play_id] }),
        await shop.serve('apply', { ...order, user_id: 'ina', play_ids: [others, await shop.open('hal')] }),
        await shop.serve('validate', { ...order, play_ids: [others] }),
      ])
        assert.deepEqual(refused(answer), [404, 'not_found'], answer.text)
      const unknown = await shop.apply(999_999_999, order)
      assert.deepEqual(bare(unknown), bare(await shop.apply(play_id, order)))
      assert.equal((await shop.row(others))['prize_status'], 'unlocked')

      const own = { ...order, user_id: 'ina' }
      assert.equal((await shop.serve(`hold/${play_id}`, { order_id, user_id: 'ina' })).status, 200)
      assert.equal((await shop.validate(play_id, own)).body.data.valid, true)
      const applied = await shop.apply(play_id, own)
      assert.equal(applied.status, 200, applied.text)
      const { user_id: _whose, ...silent } = own
      assert.equal((await shop.apply(play_id, silent)).text, applied.text)
    })

    it('S2-58 the history that a new owner reads begins with the gift: no name, order or reason of before', async () => {
      const play_id = await shop.open('jan')
      const order = { ...ORDER, order_id: 'jan-secret-order' }
      assert.equal((await shop.apply(play_id, order)).status, 200)
      const { order_id } = order
      assert.equal((await shop.serve(`rollback/${play_id}`, { order_id, reason: 'jan was ill' })).status, 200)
      const before = await get('jan', `history/${play_id}`)
      assert.equal(before.body.data.length, 4)
      const gift = made(await give('jan', play_id, 'kim'))
      await post('kim', `gifts/${gift.id}/accept`)

      const received = await get('kim', `history/${play_id}`)
      assert.doesNotMatch(received.text, /"jan"|jan-secret-order|jan was ill/)
      const [first, ...more] = received.body.data
      assert.deepEqual([first.from_status, first.to_status, first.why, more], [null, 'unlocked', 'gift', []])
      assert.equal(first.by, gift.from)
      assert.equal((await get('jan', `history/${play_id}`)).status, 404)
      shop.clock.advance(1)
      assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'kim-1' })).status, 200)
      const used = (await get('kim', `history/${play_id}`)).body.data
      assert.deepEqual(
        used.map((each: any) => [each.from_status, each.to_status]),
        [
          [null, 'unlocked'],
          ['unlocked', 'applied'],
        ],
      )
      const staff = await shop.ask('GET', `${PATH}/history/${play_id}`, { token: shop.operator })
      assert.equal(staff.body.data.length, 5)
      assert.equal(staff.body.data[0].by, 'jan')

      const locked = await shop.win('jan')
      const second = made(await give('jan', locked, 'kim'))
      await post('kim', `gifts/${second.id}/accept`)
      await shop.unlock('kim', locked)
      const opened = (await get('kim', `history/${locked}`)).body.data
      assert.deepEqual(
        opened.map((each: any) => [each.from_status, each.to_status, each.by]),
        [
          [null, 'locked', second.from],
          ['locked', 'unlocked', 'kim'],
        ],
      )
    })

    it('S2-58 a prize in escrow is neither opened, applied nor offered again, and says why', async () => {
      const [locked, open] = [await shop.win('cat'), await shop.open('cat')]
      for (const play_id of [locked, open]) made(await give('cat', play_id, 'dan'))
      const unlock = await shop.unlock('cat', locked)
      assert.deepEqual(refused(unlock), [409, 'prize_in_escrow'])
      const apply = await shop.apply(open, { ...ORDER, order_id: 'cat-1' })
      assert.deepEqual(refused(apply), [409, 'prize_in_escrow'])
      assert.deepEqual(refused(await give('cat', open, 'eve')), [409, 'prize_in_escrow'])
      assert.deepEqual(refused(await list('cat', open, 100)), [409, 'prize_in_escrow'])
      const flags = (await shop.list('cat')).body.data.map((each: any) => [
        each.can_unlock,
        each.can_apply,
        each.why_not.some((why: any) => why.code === 'prize_gifted'),
      ])
      assert.deepEqual(flags, [
        [false, false, true],
        [false, false, true],
      ])
      const { body } = await shop.validate(open, ORDER)
      assert.equal(body.data.valid, false)
    })

    it('S2-58 declined, cancelled and lapsed gifts leave the prize as it was', async () => {
      const play_id = await shop.open('fay')
      const first = made(await give('fay', play_id, 'gus'))
      assert.deepEqual(refused(await post('fay', `gifts/${first.id}/decline`)), [404, 'not_found'])
      assert.equal((await post('gus', `gifts/${first.id}/decline`)).body.data.status, 'declined')
      assert.deepEqual(refused(await post('gus', `gifts/${first.id}/accept`)), [409, 'deal_not_open'])
      const second = made(await give('fay', play_id, 'gus'))
      assert.deepEqual(refused(await post('gus', `gifts/${second.id}/cancel`)), [404, 'not_found'])
      assert.equal((await post('fay', `gifts/${second.id}/cancel`)).body.data.status, 'withdrawn')
      assert.equal((await post('fay', `gifts/${second.id}/cancel`)).status, 200)
      const third = made(await give('fay', play_id, 'gus'))
      shop.clock.advance(72 * HOUR_MS)
      assert.deepEqual(refused(await post('gus', `gifts/${third.id}/accept`)), [409, 'deal_not_open'])
      assert.equal((await get('fay', `gifts/${third.id}`)).body.data.status, 'lapsed')
      // No sweep has been there: the prize is free at the very instant.
      assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'fay-1' })).status, 200)
      assert.deepEqual((await shop.row(play_id))['escrow_id'], null)
    })

    it('S2-58 a gift never outlives its prize, and the sweep ends what lapsed, once', async () => {
      const play_id = await shop.open('hal', { ...TEN_OFF, expires_in_days: 1 })
      const gift = made(await give('hal', play_id, 'ida'))
      assert.equal(gift.expires_at, gift.give[0].prize_expires_at)
      shop.clock.advance(DAY_MS)
      const { tenant_id } = await shop.row(play_id)
      const sweep = () => shop.app.run(systemActor(tenant_id), lapseDeals, undefined)
      assert.ok((await sweep()).lapsed >= 1)
      assert.equal((await sweep()).lapsed, 0)
      assert.equal((await shop.row(play_id))['escrow_id'], null)
      assert.equal((await get('ida', `gifts/${gift.id}`)).body.data.status, 'lapsed')
    })

    it('S2-58 a locked gift tells neither side what it is, also after the new owner opened it', async () => {
      const secret = { name: 'Secret name', type: 'discount_fixed', value: '77.77', rarity: 'legendary' }
      const play_id = await shop.win('jan', secret)
      const gift = made(await give('jan', play_id, 'kim'))
      const texts = [
        JSON.stringify(gift),
        (await get('kim', 'gifts')).text,
        (await post('kim', `gifts/${gift.id}/accept`)).text,
        (await get('jan', `gifts/${gift.id}`)).text,
      ]
      assert.equal((await shop.unlock('kim', play_id)).status, 200)
      texts.push((await get('jan', `gifts/${gift.id}`)).text)
      for (const text of texts)
        for (const part of ['Secret', '77.77', 'discount_fixed', 'legendary'])
          assert.ok(!text.includes(part), `${part} in ${text}`)
      assert.match((await get('kim', `gifts/${gift.id}`)).text, /Secret name/)
    })

    it('S2-58 an unknown receiver is answered like a known one, a stranger sees nothing, nobody gives to himself', async () => {
      const play_id = await shop.open('leo')
      const gift = made(await give('leo', play_id, 'nobody-has-this-name'))
      assert.equal(gift.status, 'open')
      const unknown = bare(await post('mia', 'gifts/0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14/accept'))
      assert.equal(unknown.code, 'not_found')
      assert.deepEqual(bare(await post('mia', `gifts/${gift.id}/accept`)), unknown)
      assert.equal((await get('mia', `gifts/${gift.id}`)).status, 404)
      assert.equal((await give('mia', play_id, 'ned')).status, 404)
      assert.deepEqual(refused(await give('leo', await shop.open('leo'), 'leo')), [409, 'own_deal'])
      assert.deepEqual(refused(await post('leo', `gifts/${gift.id}/accept`)), [409, 'own_deal'])
    })

    it('S2-58 a definition can keep its prizes with their winners, and what took effect cannot be passed on', async () => {
      const bound = await shop.open('oda', { ...TEN_OFF, is_transferable: false })
      const chance = await shop.win('oda', { type: 'spin_chance', value: '2', name: 'Two spins' })
      for (const play_id of [bound, chance])
        assert.deepEqual(refused(await give('oda', play_id, 'pat')), [409, 'prize_not_transferable'])
      const used = await shop.open('oda')
      assert.equal((await shop.apply(used, { ...ORDER, order_id: 'oda-1' })).status, 200)
      assert.deepEqual(refused(await give('oda', used, 'pat')), [409, 'prize_applied'])
    })

    it('S2-58 ten gifts a day are enough, also when they are sent at once; the next day there are ten more', async () => {
      const plays: number[] = []
      for (let i = 0; i < 12; i++) plays.push(await shop.win('quy'))
      const answers = await Promise.all(plays.map((play_id) => give('quy', play_id, 'ray')))
      const codes = answers.map((each) => (each.status === 201 ? 'ok' : each.body.code))
      assert.equal(codes.filter((code) => code === 'ok').length, 10)
      assert.equal(codes.filter((code) => code === 'deals_per_day_reached').length, 2)
      shop.clock.advance(DAY_MS)
      const left = plays[codes.indexOf('deals_per_day_reached')]!
      made(await give('quy', left, 'ray'))
    })

    it('S2-58 of an accept and an apply, an accept and a cancel at once, one wins', async () => {
      for (let round = 0; round < 5; round++) {
        const play_id = await shop.open('sam')
        const gift = made(await give('sam', play_id, 'tia'))
        const [accept, cancel] = await Promise.all([
          post('tia', `gifts/${gift.id}/accept`),
          post('sam', `gifts/${gift.id}/cancel`),
          shop.apply(play_id, { ...ORDER, order_id: `sam-${round}` }),
        ])
        const { user_id, prize_status } = await shop.row(play_id)
        assert.deepEqual([accept.status, cancel.status].sort(), [200, 409])
        assert.equal(user_id, accept.status === 200 ? 'tia' : 'sam')
        assert.ok(['unlocked', 'applied'].includes(prize_status))
        shop.clock.advance(DAY_MS / 4)
      }
    })
  })

  describe('trades', () => {
    const offer = (user: string, to: string, given: number[], want: number[]) =>
      post(user, 'trades', { to, give: given, want })

    it('S2-59 both sides consent and everything changes hands at once, or nothing does', async () => {
      const [a1, a2] = [await shop.open('uli'), await shop.open('uli')]
      const [b1, b2] = [await shop.open('vic'), await shop.open('vic')]
      const trade = made(await offer('uli', 'vic', [a1, a2], [b1]))
      assert.deepEqual([trade.take, trade.wanted], [[], [b1]])
      const [incoming] = (await get('vic', 'trades')).body.data
      assert.deepEqual(
        incoming.take.map((each: any) => each.play_id),
        [b1],
      )
      const owners = async () =>
        Promise.all([a1, a2, b1, b2].map(async (id) => (await shop.row(id))['user_id']))
      assert.deepEqual(await owners(), ['uli', 'uli', 'vic', 'vic'])
      assert.equal((await post('vic', `trades/${trade.id}/accept`)).body.data.status, 'accepted')
      assert.deepEqual(await owners(), ['vic', 'vic', 'uli', 'vic'])

      const used = await shop.open('vic')
      const second = made(await offer('uli', 'vic', [await shop.open('uli')], [b2, used]))
      assert.equal((await shop.apply(used, { ...ORDER, order_id: 'vic-1' })).status, 200)
      const accept = await post('vic', `trades/${second.id}/accept`)
      assert.deepEqual(refused(accept), [409, 'prize_applied'])
      assert.equal((await shop.row(b2))['user_id'], 'vic')
      assert.equal((await get('uli', `trades/${second.id}`)).body.data.status, 'open')
    })

    it('S2-59 an offer tells nothing about prizes of others: what is asked for is looked at by the one who is asked', async () => {
      const [mine, foreign] = [await shop.open('wes'), await shop.open('xia')]
      const answers = []
      for (const want of [[foreign], [999_999_999]]) {
        const trade = made(await offer('wes', 'yan', [mine], want))
        answers.push({ ...trade, id: '', wanted: [], expires_at: '', created_at: '' })
        assert.deepEqual(refused(await post('yan', `trades/${trade.id}/accept`)), [409, 'deal_not_open'])
        assert.equal((await post('wes', `trades/${trade.id}/withdraw`)).status, 200)
      }
      assert.deepEqual(answers[0], answers[1])
    })

    it('S2-59 a prize that was received stays for the hold period, to the millisecond', async () => {
      const [a, b] = [await shop.open('zoe'), await shop.open('abe')]
      const trade = made(await offer('zoe', 'abe', [a], [b]))
      await post('abe', `trades/${trade.id}/accept`)
      const early = await give('abe', a, 'zoe')
      assert.deepEqual(refused(early), [409, 'prize_just_received'])
      const wait_ms = new Date(early.body.facts.from).getTime() - shop.clock.now().getTime()
      assert.equal(wait_ms, DAY_MS)
      shop.clock.advance(wait_ms - 1)
      assert.deepEqual(refused(await list('abe', a, 5)), [409, 'prize_just_received'])
      shop.clock.advance(1)
      made(await give('abe', a, 'zoe'))
    })

    it('S2-59 a locked prize is not traded, and a list of prizes is of different ones, at most ten', async () => {
      const locked = await shop.win('bea')
      assert.deepEqual(refused(await offer('bea', 'cid', [locked], [1])), [409, 'prize_not_transferable'])
      for (const bad of [[], [1, 1], Array.from({ length: 11 }, (_, i) => i + 1)])
        assert.equal((await offer('bea', 'cid', bad, [1])).status, 400)
    })

    it('S2-59 two trades that ask for one prize, and the owner who applies it: it goes one way', async () => {
      for (let round = 0; round < 4; round++) {
        const wanted = await shop.open('dot')
        const [a, b] = [await shop.open('eli'), await shop.open('fox')]
        const first = made(await offer('eli', 'dot', [a], [wanted]))
        const second = made(await offer('fox', 'dot', [b], [wanted]))
        const answers = await Promise.all([
          post('dot', `trades/${first.id}/accept`),
          post('dot', `trades/${second.id}/accept`),
          shop.apply(wanted, { ...ORDER, order_id: `dot-${round}` }),
        ])
        const { user_id, prize_status } = await shop.row(wanted)
        // Whoever got it may have used it at once: the service names no owner. It never went to two.
        const won = answers.slice(0, 2).filter(({ status }) => status === 200).length
        assert.ok(won <= 1)
        assert.equal(user_id === 'dot', won === 0)
        assert.equal(prize_status === 'applied', answers[2]!.status === 200)
        for (const [id, owner] of [
          [a, 'eli'],
          [b, 'fox'],
        ] as const)
          assert.ok([owner, 'dot'].includes((await shop.row(id))['user_id']))
      }
    })
  })

  describe('listings', () => {
    it('S2-63 a listed prize cannot be applied; a sale goes through escrow and posts three legs that add up', async () => {
      const play_id = await shop.open('gil')
      await rich('hue', '20.00')
      const listing = made(await list('gil', play_id, 333))
      assert.deepEqual([listing.currency, listing.fee_bps], ['EUR', 500])
      assert.deepEqual(refused(await shop.apply(play_id, { ...ORDER, order_id: 'gil-1' })), [
        409,
        'prize_in_escrow',
      ])
      const seen = (await get('hue', `listings/${listing.id}`)).body.data
      assert.deepEqual([seen.direction, seen.to, seen.give[0].prize_name], ['in', null, '10% Discount'])
      const before = await shop.row(play_id)
      assert.ok(!(await get('hue', 'listings')).text.includes(before['prize_code']))
      assert.equal((await buy('hue', listing.id)).body.data.status, 'accepted')
      assert.deepEqual([await balance('gil'), await balance('hue')], [316, 1667])
      assert.equal((await shop.row(play_id))['user_id'], 'hue')
      const transfers = await shop.ask(
        'GET',
        `/api/v1/ledger/transfers?obligation=listing:${listing.id}:settle`,
        {
          token: shop.operator,
        },
      )
      const postings = transfers.body.data[0].postings.map((each: any) => [
        each.account_kind,
        each.owner_id,
        each.amount_minor,
        each.account_kind === 'escrow' ? each.balance_after_minor : null,
      ])
      assert.deepEqual(postings.sort(), [
        ['escrow', `listing:${listing.id}`, -333, 0],
        ['fee', '-', 17, null],
        ['wallet_credit', 'gil', 316, null],
      ])
    })

    it('S2-63 of 50 parallel buyers one buys, and pays once', async () => {
      const buyers = Array.from({ length: 10 }, (_, i) => `buyer-${i}`)
      for (const buyer of buyers) await rich(buyer, '10.00')
      const play_id = await shop.open('ivo')
      const { id } = made(await list('ivo', play_id, 400))
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const buyer = buyers[i % buyers.length]!
          return { buyer, answer: await buy(buyer, id) }
        }),
      )
      const { user_id } = await shop.row(play_id)
      for (const { buyer, answer } of answers) {
        if (buyer === user_id) assert.equal(answer.body.data.status, 'accepted')
        else assert.deepEqual(refused(answer), [409, 'deal_not_open'])
      }
      for (const buyer of buyers) assert.equal(await balance(buyer), buyer === user_id ? 600 : 1000)
      assert.equal(await balance('ivo'), 380)
    })

    it('S2-63 nobody buys an own listing or without the money, and a refused purchase moves nothing', async () => {
      const play_id = await shop.open('joy')
      const { id } = made(await list('joy', play_id, 100))
      assert.deepEqual(refused(await buy('joy', id)), [409, 'own_deal'])
      assert.deepEqual(refused(await buy('poor', id)), [409, 'insufficient_funds'])
      const without = await post('poor', `listings/${id}/buy`)
      assert.deepEqual(refused(without), [400, 'idempotency_key_required'])
      assert.deepEqual([(await shop.row(play_id))['user_id'], await balance('joy')], ['joy', 0])
      assert.equal((await post('poor', `listings/${id}/withdraw`)).status, 404)
      assert.equal((await post('joy', `listings/${id}/withdraw`)).body.data.status, 'withdrawn')
      await rich('poor', '5.00')
      assert.deepEqual(refused(await buy('poor', id)), [409, 'deal_not_open'])
      assert.equal((await get('poor', `listings/${id}`)).status, 404)
    })

    it('S2-63 listings are filtered and paged, newest first, and lapse', async () => {
      const ids: string[] = []
      for (const [i, rarity] of ['epic', 'rare', 'epic'].entries()) {
        const play_id = await shop.open('kai', { ...TEN_OFF, rarity })
        const { id } = made(await post('kai', 'listings', { play_id, price_minor: 7_000 + i, hours: 2 }))
        ids.push(id)
      }
      const found = async (query: string) =>
        (await get('lou', `listings?price_min=7000&${query}`)).body.data.map((each: any) => each.id)
      assert.deepEqual(await found(''), [...ids].reverse())
      assert.deepEqual(await found('rarity=epic'), [ids[2], ids[0]])
      assert.deepEqual(await found('price_max=7001'), [ids[1], ids[0]])
      assert.deepEqual(await found('type=free_item'), [])
      assert.deepEqual(await found('mine=1'), [])
      const first = (await get('lou', 'listings?price_min=7000&limit=2')).body
      assert.equal(first.data.length, 2)
      assert.deepEqual(await found(`limit=2&cursor=${first.next_cursor}`), [ids[0]])
      assert.equal((await get('lou', 'listings?cursor=nonsense')).status, 400)
      shop.clock.advance(2 * HOUR_MS)
      assert.deepEqual(await found(''), [])
      await rich('lou', '100.00')
      assert.deepEqual(refused(await buy('lou', ids[0]!)), [409, 'deal_not_open'])
    })
  })

  describe('what the two sides are told', () => {
    /** Kinds and facts of what a user was told, oldest first, wins apart. */
    const news = async (user: string) => {
      const answer = await shop.ask('GET', '/api/v1/me/notifications?limit=100', {
        token: await shop.player(user),
      })
      return answer.body.data
        .filter((each: any) => each.kind !== 'prize_won')
        .map(({ kind, data, play_id }: any) => ({ kind, ...data, play_id }))
        .reverse()
    }
    const pseudonym = async (user: string) =>
      (await shop.app.run(systemActor(shop.tenant.id), playerNames, undefined))(user)

    it('S0-34 S2-58 a gift is news to the one who is asked, and its end to the other side, once, without what it holds', async () => {
      const play_id = await shop.open('sue')
      const gifts: string[] = []
      for (const [user, verb] of [
        ['sue', 'cancel'],
        ['tim', 'decline'],
        ['tim', 'accept'],
      ] as const) {
        const { id } = made(await give('sue', play_id, 'tim'))
        gifts.push(id)
        for (let twice = 0; twice < 2; twice++)
          assert.equal((await post(user, `gifts/${id}/${verb}`)).status, 200)
      }
      const from = await pseudonym('sue')
      const told = (kind: string, deal_id: string | undefined) => ({ kind, deal_id, play_id: null })
      assert.deepEqual(await news('tim'), [
        { ...told('gift_offered', gifts[0]), from },
        { ...told('gift_withdrawn', gifts[0]), from },
        { ...told('gift_offered', gifts[1]), from },
        { ...told('gift_offered', gifts[2]), from },
      ])
      assert.deepEqual(await news('sue'), [told('gift_declined', gifts[1]), told('gift_accepted', gifts[2])])
    })

    it('S0-34 S2-59 a refused trade tells nobody, one that lapses tells the one who offered it', async () => {
      const [mine, theirs] = [await shop.open('uma'), await shop.open('vito')]
      const offer = () => post('uma', 'trades', { to: 'vito', give: [mine], want: [theirs] })
      const { id } = made(await offer())
      assert.equal((await offer()).status, 409)
      shop.clock.advance(73 * HOUR_MS)
      await shop.app.run(systemActor(shop.tenant.id), lapseDeals, undefined)
      await shop.app.run(systemActor(shop.tenant.id), lapseDeals, undefined)
      assert.equal((await post('vito', `trades/${id}/accept`)).status, 409)
      const kinds = async (user: string) => (await news(user)).map((each: any) => [each.kind, each.deal_id])
      assert.deepEqual(await kinds('vito'), [['trade_offered', id]])
      assert.deepEqual(await kinds('uma'), [['trade_lapsed', id]])
    })

    it('S0-34 S2-63 a seller is told of the sale, what was paid and what is left of it; the buyer is told nothing', async () => {
      const play_id = await shop.open('wim')
      const { id } = made(await list('wim', play_id, 400))
      await rich('xia', '10.00')
      const before = await news('xia')
      assert.equal((await buy('xia', id)).status, 200)
      assert.deepEqual(await news('wim'), [
        {
          kind: 'listing_sold',
          deal_id: id,
          price_minor: 400,
          currency: 'EUR',
          net_minor: 380,
          play_id: null,
        },
      ])
      assert.deepEqual(await news('xia'), before)
    })
  })

  describe('settings', () => {
    it('S2-63 an operator sets fee, hold and limits with the version that was read; open listings keep their fee', async () => {
      const path = `${PATH}/exchange/settings`
      const read = await shop.ask('GET', path, { token: shop.operator })
      const { row_version, ...settings } = read.body
      assert.equal(read.headers.get('etag'), `"${row_version}"`)
      const play_id = await shop.open('may')
      const { id } = made(await list('may', play_id, 1_000))
      const put = (version: number, json: unknown, token = shop.operator) =>
        shop.ask('PUT', path, { token, json, headers: { 'if-match': `"${version}"` } })
      const free = { ...settings, fee_bps: 0 }
      assert.equal((await put(row_version, free, await shop.player('may'))).status, 403)
      assert.deepEqual(refused(await put(row_version + 7, free)), [412, 'precondition_failed'])
      assert.equal((await put(row_version, free)).status, 200)
      assert.deepEqual(refused(await put(row_version, free)), [412, 'precondition_failed'])
      const other = made(await list('may', await shop.open('may'), 1_000))
      await rich('nat', '20.00')
      assert.equal((await buy('nat', id)).status, 200)
      assert.equal(await balance('may'), 950)
      assert.equal((await buy('nat', other.id)).status, 200)
      assert.equal(await balance('may'), 1_950)
    })
  })

  describe('the database', () => {
    it('S2-58 S2-59 SQL can neither apply nor open what is in escrow, nor take it out, nor change an owner', async () => {
      const [locked, open] = [await shop.win('ole'), await shop.open('ole')]
      const gift = made(await give('ole', locked, 'pia'))
      made(await list('ole', open, 10))
      const now = `'${shop.clock.now().toISOString()}'`
      const play = (id: number, set: string) =>
        sql(`update gamification_game_plays set ${set}, updated_at = ${now} where id = ${id}`)
      await play(locked, `prize_status = 'unlocked', unlocked_at = ${now}`)
      await play(open, `prize_status = 'applied', applied_at = ${now}, applied_to_order_id = 'x'`)
      await play(open, 'escrow_id = null, escrow_kind = null, escrow_until = null')
      await play(open, `escrow_until = ${now}`)
      await play(open, `escrow_id = '${gift.id}'`)
      for (const id of [locked, open, await shop.open('ole')]) {
        await play(id, `user_id = 'mallory'`)
        await play(
          id,
          `user_id = 'mallory', prize_code = 'MALLORY${id % 10}', won_by = 'ole', received_at = ${now}, escrow_id = null, escrow_kind = null, escrow_until = null`,
        )
        await play(id, `prize_code = 'MALLORY${id % 10}'`)
        await play(id, `won_by = 'mallory', received_at = ${now}`)
      }
      await sql(
        `update prize_deals set deal_status = 'open', closed_at = null where deal_status = 'declined'`,
      )
      await sql(
        `update prize_deals set deal_status = 'accepted', taken_by = 'mallory', closed_at = ${now} where id = '${gift.id}'`,
      )
    })

    it('S2-58 S2-59 S2-63 the audit finds nothing to say about everything above', async () => {
      const report = await runAudit(shop.database)
      assert.ok(report.ok, reportText(report))
    })
  })
})
