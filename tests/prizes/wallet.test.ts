/** The wallet over HTTP: the five endpoints of seeds/002 as it writes them, and everything that must not work. */
import assert from 'node:assert/strict'
import { runAudit } from '../../src/audit/audit.ts'
import { recompute } from '../../src/prizes/discount.ts'
import { ORDER, type Shop, startShop, TEN_OFF } from './kit.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const POINTS = { type: 'loyalty_points', value: '100', name: '100 points' }
const CREDIT = { type: 'wallet_credit', value: '20.00', name: '20.00 credit' }
const DELIVERY = { type: 'free_delivery', max_delivery_distance_km: 10, valid_order_types: ['delivery'] }

const codes = (answer: { body: any }) =>
  (answer.body.data ?? answer.body.facts).reasons.map((each: any) => each.code)
const bare = (answer: { status: number; body: any }) => ({
  status: answer.status,
  ...answer.body,
  request_id: '',
})

describe('wallet', function () {
  this.timeout(60_000)
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const balances = async (user: string) =>
    (await shop.ask('GET', '/api/v1/me/balances', { token: await shop.player(user) })).body.data
  const seedTime = (at: Date) => at.toISOString().slice(0, 19).replace('T', ' ')

  describe('the list', () => {
    it('S2-16 answers the example of the seed field by field', async () => {
      const play_id = await shop.open('lara')
      const { body } = await shop.list('lara', '?status=unlocked')
      const now = shop.clock.now()
      const [stored] = await shop.database.query<{ prize_code: string }>(
        'select prize_code from gamification_game_plays where id = $1',
        [play_id],
      )
      assert.deepEqual(body, {
        data: [
          {
            id: play_id,
            game_name: 'Spin to Win',
            game_type: body.data[0].game_type,
            prize_name: '10% Discount',
            prize_description: 'Get 10% off your next order',
            prize_type: 'discount_percentage',
            prize_value: '10.00',
            display_value: '10% OFF',
            prize_color: '#8DC63F',
            prize_image: 'https://example.com/storage/prize.png',
            rarity: 'common',
            prize_code: `PRIZE-${stored!.prize_code}`,
            prize_status: 'unlocked',
            is_locked: false,
            is_unlocked: true,
            can_unlock: false,
            can_apply: true,
            expires_at: seedTime(new Date(now.getTime() + 7 * DAY_MS)),
            won_at: seedTime(now),
            conditions: { min_order_amount: '50.00', valid_order_types: ['delivery', 'takeaway'] },
            why_not: [],
          },
        ],
        pagination: { current_page: 1, total_pages: 1, total_items: 1 },
      })
    })

    it('S2-04 a locked prize leaks no name, value, type, code or condition, also after it expired', async () => {
      const secret = {
        name: 'Secret name',
        description: 'Secret text',
        type: 'discount_fixed',
        value: '77.77',
        min_order_amount: '88.88',
        display_value: 'Secret value',
      }
      const play_id = await shop.win('milo', secret)
      const { prize_code } = await shop.row(play_id)
      const look = async () => [
        (await shop.list('milo')).text,
        (await shop.validate(play_id, ORDER)).text,
        (await shop.apply(play_id, ORDER)).text,
        (
          await shop.ask('GET', `/api/v1/gamification/prize/${prize_code}`, {
            token: await shop.player('milo'),
          })
        ).text,
      ]
      const locked = await look()
      assert.match(locked[0]!, /"is_locked":true,"is_unlocked":false,"can_unlock":true,"can_apply":false/)
      shop.clock.advance(8 * DAY_MS)
      const expired = await look()
      assert.match(expired[0]!, /"prize_status":"expired".*"can_unlock":false,"can_apply":false/)
      for (const text of [...locked, ...expired])
        for (const part of ['Secret', '77.77', '88.88', 'discount_fixed', prize_code])
          assert.ok(!text.includes(part), `${part} in ${text}`)
    })

    it('S2-16 F7 filters by status, knows used, pages newest first, and refuses a status that is none', async () => {
      const ids: number[] = []
      for (let i = 0; i < 5; i++) {
        ids.push(await shop.win('nora'))
        shop.clock.advance(1_000)
      }
      await shop.unlock('nora', ids[0]!)
      await shop.unlock('nora', ids[1]!)
      assert.equal((await shop.apply(ids[1], { ...ORDER, order_id: 'nora-1' })).status, 200)
      const listed = async (query: string) =>
        (await shop.list('nora', query)).body.data.map((each: any) => each.id)
      assert.deepEqual(await listed('?status=locked'), [ids[4], ids[3], ids[2]])
      assert.deepEqual(await listed('?status=unlocked'), [ids[0]])
      assert.deepEqual(await listed('?status=applied'), [ids[1]])
      assert.deepEqual(await listed('?status=used'), [ids[1]])
      assert.deepEqual(await listed('?status=expired'), [])
      assert.deepEqual(await listed(''), [...ids].reverse())
      assert.deepEqual(await listed('?status=all&per_page=2&page=2'), [ids[2], ids[1]])
      const last = (await shop.list('nora', '?per_page=2&page=3')).body
      assert.deepEqual(last.pagination, { current_page: 3, total_pages: 3, total_items: 5 })
      assert.equal(last.data.length, 1)
      for (const bad of ['status=lost', 'status=', 'page=0', 'per_page=101', 'user_id=lara'])
        assert.equal((await shop.list('nora', `?${bad}`)).status, 400, bad)
      assert.deepEqual((await shop.list('nobody')).body, {
        data: [],
        pagination: { current_page: 1, total_pages: 1, total_items: 0 },
      })
      shop.clock.advance(8 * DAY_MS)
      assert.deepEqual(await listed('?status=expired'), [ids[4], ids[3], ids[2], ids[0]])
    })

    it('S2-68 the flags are what the endpoints do, outside the hours of a prize too', async () => {
      const weekday = ((shop.clock.now().getUTCDay() + 1) % 7) + 1
      const play_id = await shop.open('otto', { ...TEN_OFF, valid_days: [weekday] })
      const [item] = (await shop.list('otto')).body.data
      assert.equal(item.can_apply, false)
      assert.deepEqual(
        item.why_not.map((each: any) => each.code),
        ['valid_days'],
      )
      const refused = await shop.apply(play_id, { ...ORDER, order_id: 'otto-1' })
      assert.deepEqual(
        [refused.status, refused.body.code, codes(refused)],
        [409, 'prize_not_applicable', ['valid_days']],
      )
      const at = item.why_not[0].valid_from
      assert.equal((await shop.validate(play_id, { ...ORDER, at })).body.data.valid, true)
    })
  })

  describe('unlock', () => {
    it('S2-17 sets its time once, answers a repetition the same, and leaves one audit row', async () => {
      const play_id = await shop.win('pia')
      const now = shop.clock.now()
      const first = await shop.unlock('pia', play_id)
      assert.deepEqual(first.body, {
        success: true,
        message: 'Prize unlocked successfully!',
        data: { prize_status: 'unlocked', unlocked_at: seedTime(now) },
      })
      shop.clock.advance(5_000)
      const second = await shop.unlock('pia', play_id)
      assert.deepEqual([second.status, second.text], [200, first.text])
      const { uuid } = await shop.row(play_id)
      const audit = await shop.database.query<any>(
        `select old_values, new_values, user_id from audit_logs where entity_id = $1 and action = 'unlock'`,
        [uuid],
      )
      assert.equal(audit.length, 1)
      assert.deepEqual(
        [audit[0].old_values.prize_status, audit[0].new_values.prize_status, audit[0].user_id],
        ['locked', 'unlocked', 'pia'],
      )
    })

    it('S2-17 is for the owner: a stranger gets the 404 of a play that is not there, whatever the id looks like', async () => {
      const play_id = await shop.win('quin')
      const token = await shop.player('stranger')
      const ask = async (id: unknown) =>
        bare(await shop.ask('POST', `/api/v1/gamification/unlock/${id}`, { token }))
      const unknown = await ask(999_999)
      assert.equal(unknown.status, 404)
      for (const id of [play_id, '0', '-1', '9e99', '1;drop', '%00', '007', '9007199254740993'])
        assert.deepEqual(await ask(id), unknown, String(id))
      assert.equal((await shop.row(play_id))['prize_status'], 'locked')
    })

    it('S2-17 S2-38 an expired prize is refused with 409, the very deadline is in time', async () => {
      const [late, just] = [await shop.win('rita'), await shop.win('rita')]
      shop.clock.advance(7 * DAY_MS)
      assert.equal((await shop.unlock('rita', just)).status, 200)
      shop.clock.advance(1)
      const refused = await shop.unlock('rita', late)
      assert.deepEqual([refused.status, refused.body.code], [409, 'prize_expired'])
    })
  })

  describe('codes', () => {
    const find = (code: string, token: string) =>
      shop.ask('GET', `/api/v1/gamification/prize/${encodeURIComponent(code)}`, { token })

    it('S2-08 S2-49 a code is found without regard to case, blanks, hyphens and prefix', async () => {
      const play_id = await shop.open('sara')
      const { prize_code } = await shop.row(play_id)
      const low = prize_code.toLowerCase()
      const token = await shop.player('sara')
      for (const typed of [
        prize_code,
        `PRIZE-${prize_code}`,
        `prize-${low}`,
        low,
        `${low.slice(0, 3)} ${low.slice(3)}`,
      ]) {
        const { status, body } = await find(typed, token)
        assert.deepEqual([status, body.data?.id], [200, play_id], typed)
      }
      assert.match(prize_code, /^[0-9A-HJKMNP-TV-Z]{8}$/)
    })

    it('S2-19 a foreign code cannot be told from an unknown one; staff of the tenant sees it, of another does not', async () => {
      const play_id = await shop.open('tom')
      const { prize_code } = await shop.row(play_id)
      const stranger = await shop.player('tess')
      const unknown = bare(await find('ZZZZZZZZ', stranger))
      assert.equal(unknown.status, 404)
      assert.deepEqual(bare(await find(prize_code, stranger)), unknown)
      for (const token of [shop.service, shop.operator])
        assert.equal((await find(prize_code, token)).body.data.id, play_id)
      for (const role of ['player', 'service', 'operator'] as const) {
        const token = await shop.token(role, { sub: 'tom', tenant: 'other' })
        assert.deepEqual(bare(await find(prize_code, token)), unknown, role)
      }
    })

    it('S2-50 after ten misses in ten minutes even an own code is refused with 429, hits cost nothing', async () => {
      const play_id = await shop.open('uma')
      const { prize_code } = await shop.row(play_id)
      const token = await shop.player('uma')
      for (let i = 0; i < 15; i++) assert.equal((await find(prize_code, token)).status, 200)
      const missed = await Promise.all(Array.from({ length: 14 }, (_, i) => find(`QQQQQQ${10 + i}`, token)))
      const statuses = missed.map(({ status }) => status).sort()
      assert.deepEqual(statuses, [...Array(10).fill(404), ...Array(4).fill(429)])
      const refused = await find(prize_code, token)
      assert.equal(refused.status, 429)
      assert.ok(Number(refused.headers.get('retry-after')) > 0)
      assert.equal((await find(prize_code, shop.service)).status, 200)
    })
  })

  it('S2-50 thirty misses in ten minutes from one address are enough, whoever it says it is; staff is not counted', async () => {
    const fresh = await startShop()
    try {
      const miss = async (token: string) =>
        (await fresh.ask('GET', '/api/v1/gamification/prize/QQQQQQQQ', { token })).status
      for (let i = 0; i < 40; i++) assert.equal(await miss(fresh.service), 404)
      for (let i = 0; i < 30; i++) assert.equal(await miss(await fresh.player(`user-${i}`)), 404, `miss ${i}`)
      assert.equal(await miss(await fresh.player('user-30')), 429)
      assert.equal(await miss(fresh.service), 404)
    } finally {
      await fresh.close()
    }
  })

  describe('validate', () => {
    const CART = {
      order_amount: 45.0,
      order_type: 'delivery',
      delivery_distance_km: 5.2,
      payment_method: 'card',
      cart_items: [
        { id: 1, category_id: 2, price: 15.0 },
        { id: 3, category_id: 2, price: 30.0 },
      ],
    }

    it('S2-20 F10 the body of the seed, 45.00 against a minimum of 50.00, is short by 5.00', async () => {
      const play_id = await shop.open('vera')
      for (const token of [shop.service, await shop.player('vera')]) {
        const { status, body } = await shop.validate(play_id, CART, token)
        assert.equal(status, 200)
        assert.deepEqual(body, {
          success: true,
          data: {
            valid: false,
            reasons: [
              {
                code: 'min_order_amount',
                message: 'The order is short by 5.00.',
                required: '50.00',
                actual: '45.00',
                missing: '5.00',
                valid_from: null,
              },
            ],
            discount_amount: null,
            final_amount: null,
            application_type: 'discount_percentage',
          },
        })
      }
      const fits = await shop.validate(play_id, { ...CART, order_amount: '75.50' })
      assert.deepEqual(fits.body.data, {
        valid: true,
        reasons: [],
        discount_amount: '7.55',
        final_amount: '67.95',
        application_type: 'discount_percentage',
      })
    })

    it('S2-20 names every reason at once, and answers for another time', async () => {
      const play_id = await shop.open('wim', {
        ...TEN_OFF,
        valid_payment_methods: ['card'],
        min_cart_items: 2,
      })
      const many = await shop.validate(play_id, { order_amount: 1, order_type: 'pickup', cart_items: [] })
      assert.deepEqual(codes(many), [
        'min_order_amount',
        'min_cart_items',
        'valid_order_types',
        'payment_method_missing',
      ])
      const late = new Date(shop.clock.now().getTime() + 8 * DAY_MS)
      for (const at of [late.toISOString(), seedTime(late)])
        assert.deepEqual(codes(await shop.validate(play_id, { ...CART, at })), ['prize_expired'])
      for (const bad of ['tomorrow', '2030-13-01 00:00:00', 5])
        assert.equal((await shop.validate(play_id, { at: bad })).status, 400, String(bad))
    })

    it('abuse 73: validating, many times and with anything, changes no state; the audit alone grows by a row each', async () => {
      const play_id = await shop.open('xeno')
      const counts = () =>
        shop.database.query<any>(
          `select (select count(*)::int from audit_logs) as audit, (select count(*) from prize_applications) as applied,
                  (select count(*) from prize_history) as moves, (select count(*) from idempotency_keys) as keys,
                  (select md5(string_agg(p::text, '' order by p.id)) from gamification_game_plays p) as plays`,
        )
      const [before] = await counts()
      const bodies = [
        ORDER,
        CART,
        {},
        { ...ORDER, other_discount_amount: '75.50' },
        { cart_items: [{ id: 'x' }] },
      ]
      await Promise.all(
        Array.from({ length: 40 }, (_, i) => shop.validate(play_id, bodies[i % bodies.length])),
      )
      const [after] = await counts()
      assert.deepEqual(after, { ...before, audit: before.audit + 40 })
    })

    it('abuse 67: facts about a customer come from the service, and only the service applies', async () => {
      const play_id = await shop.open('yara', { ...TEN_OFF, new_customer_only: true })
      const player = await shop.player('yara')
      const claimed = await shop.validate(play_id, { ...CART, customer_order_count: 0 }, player)
      assert.deepEqual([claimed.status, claimed.body.code], [403, 'forbidden'])
      const facts = { ...ORDER, order_id: 'yara-1' }
      assert.deepEqual(codes(await shop.validate(play_id, facts)), ['customer_orders_missing'])
      assert.deepEqual(codes(await shop.validate(play_id, { ...facts, customer_order_count: 1 })), [
        'new_customer_only',
      ])
      for (const role of ['player', 'operator', 'creator', 'auditor'] as const) {
        const token = await shop.token(role, { sub: 'yara' })
        const refused = await shop.ask('POST', `/api/v1/gamification/apply/${play_id}`, {
          token,
          json: { ...facts, customer_order_count: 0 },
          headers: { 'idempotency-key': 'mine' },
        })
        assert.equal(refused.status, 403, role)
      }
      assert.equal((await shop.apply(play_id, { ...facts, customer_order_count: 0 })).status, 200)
    })
  })

  describe('apply', () => {
    it('S2-18 F10 75.50 is 7.55 off and 67.95 to pay, in the body of the seed, and a retry is the same bytes', async () => {
      const play_id = await shop.open('abe')
      const now = shop.clock.now()
      const first = await shop.apply(play_id, ORDER, 'abe-key')
      assert.deepEqual(first.body, {
        success: true,
        message: 'Prize applied successfully!',
        data: {
          prize_status: 'applied',
          applied_at: seedTime(now),
          applied_to_order_id: 456,
          applied_details: {
            discount_amount: '7.55',
            final_amount: '67.95',
            application_type: 'discount_percentage',
          },
        },
      })
      shop.clock.advance(1_000)
      const same_key = await shop.apply(play_id, ORDER, 'abe-key')
      const other_key = await shop.apply(play_id, ORDER)
      assert.deepEqual([same_key.text, other_key.text], [first.text, first.text])
      const other_facts = await shop.apply(play_id, { ...ORDER, order_amount: 80 })
      assert.deepEqual([other_facts.status, other_facts.body.code], [409, 'obligation_conflict'])
      const row = await shop.row(play_id)
      const recomputed = { discount_amount: '7.55', final_amount: '67.95', faults: [] }
      assert.deepEqual(recompute(row['applied_details']), recomputed, 'S2-10')
      assert.deepEqual(
        [row['is_claimed'], row['order_id'], row['applied_to_order_id'], row['claimed_at']],
        [true, '456', '456', row['applied_at']],
      )
      const moves = await shop.database.query(
        'select from_status, to_status, moved_by, why from prize_history where play_id = $1 order by id',
        [play_id],
      )
      assert.deepEqual(moves, [
        { from_status: 'locked', to_status: 'unlocked', moved_by: 'abe', why: 'unlock' },
        { from_status: 'unlocked', to_status: 'applied', moved_by: 'shop', why: 'apply to order 456' },
      ])
    })

    it('S2-18 needs an Idempotency-Key, an order and amounts of the currency', async () => {
      const play_id = await shop.open('bea')
      const path = `/api/v1/gamification/apply/${play_id}`
      const keyless = await shop.ask('POST', path, { token: shop.service, json: ORDER })
      assert.equal(keyless.body.code, 'idempotency_key_required')
      const { order_id: _order, ...without } = ORDER
      for (const json of [
        without,
        { ...ORDER, order_amount: 75.505 },
        { ...ORDER, order_amount: -1 },
        { ...ORDER, order_id: '' },
        { ...ORDER, discount: 5 },
      ])
        assert.equal((await shop.apply(play_id, json)).status, 400, JSON.stringify(json))
      assert.equal((await shop.row(play_id))['prize_status'], 'unlocked')
    })

    it('S2-06 of 50 parallel applies to 50 orders one succeeds, and the others are told that it was used', async () => {
      const play_id = await shop.open('cid', POINTS)
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => shop.apply(play_id, { ...ORDER, order_id: `cid-${i}` })),
      )
      const outcome = answers.map(({ status, body }) => (status === 200 ? 'ok' : body.code)).sort()
      assert.deepEqual(outcome, ['ok', ...Array(49).fill('prize_applied')])
      assert.deepEqual(await balances('cid'), [
        { account_kind: 'loyalty_points', currency: 'PTS', balance_minor: 100 },
      ])
    })

    it('abuse 57: 30 pipelined applies in one write, each with its own key, are one application and equal answers', async () => {
      const play_id = await shop.open('dan', CREDIT)
      const text = Array.from({ length: 30 }, (_, i) =>
        shop.requestText('POST', `/api/v1/gamification/apply/${play_id}`, {
          token: shop.service,
          json: { ...ORDER, order_id: 'dan-1' },
          headers: { 'idempotency-key': `dan-${i}` },
        }),
      ).join('')
      const answers = await shop.raw(text, 30, 15_000)
      assert.deepEqual(
        answers.map(({ status }) => status),
        Array(30).fill(200),
      )
      assert.equal(new Set(answers.map((answer) => answer.text)).size, 1)
      const rows = await shop.database.query('select 1 from prize_applications where play_id = $1', [play_id])
      assert.equal(rows.length, 1)
    })

    it('S2-25 wallet credit is paid once in the currency of the tenant, however often the client retries', async () => {
      const play_id = await shop.open('eve', CREDIT)
      const json = { ...ORDER, order_id: 'eve-1' }
      const answers = await Promise.all(Array.from({ length: 10 }, () => shop.apply(play_id, json)))
      assert.ok(answers.every(({ status }) => status === 200))
      assert.deepEqual(answers[0]!.body.data.applied_details, {
        discount_amount: '0.00',
        final_amount: '75.50',
        application_type: 'wallet_credit',
        effect: { kind: 'posting', account: 'wallet_credit', unit: 'EUR', amount: '20.00' },
      })
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
      assert.deepEqual(await balances('eve'), [
        { account_kind: 'wallet_credit', currency: 'EUR', balance_minor: 2000 },
      ])
    })

    it('S2-23 a free delivery makes the fee 0 and says what was saved; a takeaway is refused', async () => {
      const play_id = await shop.open('fay', DELIVERY)
      const json = { ...ORDER, order_id: 'fay-1', delivery_fee: 3.9 }
      assert.deepEqual(codes(await shop.apply(play_id, json)), ['delivery_distance_missing'])
      const takeaway = { ...json, order_type: 'takeaway', delivery_distance_km: 2 }
      assert.deepEqual(codes(await shop.apply(play_id, takeaway)), ['valid_order_types'])
      const done = await shop.apply(play_id, { ...json, delivery_distance_km: 10 })
      assert.deepEqual(done.body.data.applied_details.effect, {
        kind: 'free_delivery',
        delivery_fee: '0.00',
        delivery_fee_before: '3.90',
        amount_saved: '3.90',
      })
    })

    it('abuse 59: two prizes race for one order, and one of them is applied', async () => {
      const plays = [await shop.open('gus'), await shop.open('gus'), await shop.open('gus', POINTS)]
      const answers = await Promise.all(
        plays.map((play_id) => shop.apply(play_id, { ...ORDER, order_id: 'gus-1' })),
      )
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
      for (const refused of answers.filter(({ status }) => status !== 200))
        assert.deepEqual([refused.body.code, codes(refused)], ['prize_not_applicable', ['prizes_per_order']])
    })

    it('abuse 63: a prize that is locked, expired or applied gets 409, one that is not there 404', async () => {
      const [locked, expired, applied] = [
        await shop.win('hal'),
        await shop.open('hal'),
        await shop.open('hal'),
      ]
      assert.equal((await shop.apply(applied, { ...ORDER, order_id: 'hal-0' })).status, 200)
      const outcome = async (play_id: unknown) => {
        const { status, body } = await shop.apply(play_id, { ...ORDER, order_id: 'hal-1' })
        return [status, body.code]
      }
      assert.deepEqual(await outcome(locked), [409, 'prize_locked'])
      assert.deepEqual(await outcome(applied), [409, 'prize_applied'])
      for (const id of ['0', '-1', '9e99', '1;drop', '%00', 999_999])
        assert.deepEqual(await outcome(id), [404, 'not_found'], String(id))
      const foreign = await shop.ask('POST', `/api/v1/gamification/apply/${expired}`, {
        token: await shop.token('service', { tenant: 'other' }),
        json: ORDER,
        headers: { 'idempotency-key': 'hal' },
      })
      assert.deepEqual([foreign.status, foreign.body.code], [404, 'not_found'])
      shop.clock.advance(8 * DAY_MS)
      assert.deepEqual(await outcome(expired), [409, 'prize_expired'])
    })
  })

  describe('expiry', () => {
    it('S2-38 abuse 65: applied at the very deadline, refused 1 ms later, though no job has been there', async () => {
      const [just, late] = [await shop.open('ida'), await shop.open('ida')]
      shop.clock.advance(7 * DAY_MS)
      assert.equal((await shop.list('ida', '?status=unlocked')).body.data.length, 2)
      assert.equal((await shop.apply(just, { ...ORDER, order_id: 'ida-1' })).status, 200)
      shop.clock.advance(1)
      assert.equal((await shop.apply(late, { ...ORDER, order_id: 'ida-2' })).body.code, 'prize_expired')
      assert.equal((await shop.row(late))['prize_status'], 'unlocked')
      const [item] = (await shop.list('ida', '?status=expired')).body.data
      assert.deepEqual([item.id, item.can_apply, item.is_unlocked], [late, false, false])
    })

    it('S2-42 abuse 65: with grace a prize applies until its end, to the millisecond, and the audit says grace', async () => {
      const graced = { ...TEN_OFF, grace_hours: 24 }
      const [in_grace, at_end, late, without] = [
        await shop.open('jon', graced),
        await shop.open('jon', graced),
        await shop.open('jon', graced),
        await shop.open('jon'),
      ]
      shop.clock.advance(7 * DAY_MS + 23 * HOUR_MS)
      const listed = async (status: string) =>
        (await shop.list('jon', `?status=${status}`)).body.data.map((each: any) => each.id).sort()
      assert.deepEqual(await listed('unlocked'), [in_grace, at_end, late].sort())
      assert.deepEqual(await listed('expired'), [without])
      const apply = (play_id: number) => shop.apply(play_id, { ...ORDER, order_id: `jon-${play_id}` })
      assert.equal((await apply(in_grace)).status, 200)
      assert.equal((await apply(without)).body.code, 'prize_expired')
      shop.clock.advance(HOUR_MS)
      assert.equal((await apply(at_end)).status, 200)
      shop.clock.advance(1)
      assert.equal((await apply(late)).body.code, 'prize_expired')
      const { uuid } = await shop.row(in_grace)
      const [audit] = await shop.database.query<any>(
        `select new_values from audit_logs where entity_id = $1 and action = 'apply'`,
        [uuid],
      )
      assert.equal(audit.new_values.within, 'grace')
    })

    it('S2-38 every list of plays says expired from the deadline on, before the sweep has been there', async () => {
      const play_id = await shop.open('listed-late')
      const token = await shop.player('listed-late')
      const states = async () => {
        const mine = await shop.ask('GET', '/api/v1/me/plays', { token })
        const path = '/api/v1/gamification/plays?user_id=listed-late'
        const staff = await shop.ask('GET', path, { token: shop.operator })
        return [mine, staff].map(({ body }) => body.data.map((each: any) => each.prize_status))
      }
      shop.clock.advance(7 * DAY_MS)
      assert.deepEqual(await states(), [['unlocked'], ['unlocked']])
      shop.clock.advance(1)
      assert.deepEqual(await states(), [['expired'], ['expired']])
      assert.equal((await shop.row(play_id))['prize_status'], 'unlocked')
    })

    it('S2-39 S2-40 S2-41 seven days, the days of the definition, or never: then null, and it applies a year later', async () => {
      const [usual, long, never] = [
        await shop.open('kai'),
        await shop.open('kai', { ...TEN_OFF, expires_in_days: 30 }),
        await shop.open('kai', { ...TEN_OFF, never_expires: true }),
      ]
      const won = shop.clock.now().getTime()
      const listed = (await shop.list('kai')).body.data
      const expiry = (id: number) => listed.find((each: any) => each.id === id).expires_at
      assert.equal(expiry(usual), seedTime(new Date(won + 7 * DAY_MS)))
      assert.equal(expiry(long), seedTime(new Date(won + 30 * DAY_MS)))
      assert.equal(expiry(never), null)
      shop.clock.advance(365 * DAY_MS)
      assert.equal((await shop.apply(never, { ...ORDER, order_id: 'kai-1' })).status, 200)
    })

    it('S2-39 S2-40 a tenant chooses another default; what was issued and what says its own days keep theirs', async () => {
      const before = await shop.win('kim')
      assert.equal((await shop.policy({ prize_expires_in_days: 14 })).status, 200)
      try {
        const plays = [
          before,
          await shop.win('kim'),
          await shop.win('kim', { ...TEN_OFF, expires_in_days: 30 }),
          await shop.win('kim', { ...TEN_OFF, never_expires: true }),
        ]
        const granted = await shop.serve('grants', {
          prize_id: (await shop.row(before))['prize_id'],
          user_id: 'kim',
          source: 'other',
          source_id: 'kim-1',
        })
        plays.push(granted.body.data[0].play_id)
        const won = shop.clock.now().getTime()
        const listed = (await shop.list('kim')).body.data
        assert.deepEqual(
          plays.map((id) => listed.find((each: any) => each.id === id).expires_at),
          [7, 14, 30, null, 14].map((days) => days && seedTime(new Date(won + days * DAY_MS))),
        )
      } finally {
        await shop.policy({})
      }
      for (const days of [0, 3_651, 1.5])
        assert.equal((await shop.policy({ prize_expires_in_days: days })).status, 400, String(days))
    })
  })

  describe('the database', () => {
    const byHand = (sql: string) =>
      shop.database.query(sql).then(
        () => 'done',
        (error: { code?: string }) => error.code,
      )

    it('S2-03 an illegal move is impossible even by SQL, and so is a changed prize or a rewritten history', async () => {
      const [locked, open, used] = [await shop.win('zed'), await shop.open('zed'), await shop.open('zed')]
      await shop.apply(used, { ...ORDER, order_id: 'zed-1' })
      const set = (id: number, text: string) => `update gamification_game_plays set ${text} where id = ${id}`
      for (const sql of [
        set(
          locked,
          `prize_status = 'applied', unlocked_at = now(), applied_at = now(), applied_to_order_id = 'x'`,
        ),
        set(locked, `prize_status = 'unlocked'`),
        set(open, `prize_status = 'locked'`),
        set(open, `prize_status = 'applied', applied_at = now(), applied_to_order_id = 'x'`),
        set(open, 'unlocked_at = now()'),
        set(used, `prize_status = 'unlocked', applied_at = null, applied_to_order_id = null`),
        set(used, `prize_status = 'expired', applied_at = null, applied_to_order_id = null`),
        set(open, `prize_snapshot = prize_snapshot || '{"value": "99.00"}'`),
        set(open, `prize_code = 'AAAAAAAA'`),
        set(open, `expires_at = expires_at + interval '10 years'`),
        set(open, 'expires_at = null'),
        set(locked, `expires_at = null, prize_status = 'unlocked', unlocked_at = now()`),
        set(used, `expires_at = expires_at + interval '1 day'`),
        set(open, 'grace_hours = 1000'),
        set(used, `applied_to_order_id = 'zed-2'`),
        set(used, `applied_details = applied_details || '{"discount_amount": "75.50"}'`),
        set(used, `applied_at = applied_at + interval '1 second'`),
      ])
        assert.equal(await byHand(sql), '23514', sql)
      assert.equal(await byHand(set(used, 'is_claimed = false')), '428C9', 'S2-09 is_claimed is derived')
      assert.equal(await byHand('update prize_history set why = why'), '55000')
      assert.equal(await byHand('delete from prize_history'), '55000')
      const invented = `insert into prize_history (tenant_id, play_id, from_status, to_status, moved_at, moved_by, why)
        select tenant_id, id, 'unlocked', 'expired', now(), 'zed', 'sweep' from gamification_game_plays where id = ${open}`
      assert.equal(await byHand(invented), '55000')
      const begun = `insert into gamification_game_plays (tenant_id, uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status, event_id, created_at, updated_at)
        select tenant_id, gen_random_uuid(), game_id, user_id, prize_id, true, 'BBBBBBBB', 'expired', event_id, now(), now()
        from gamification_game_plays where id = ${locked}`
      assert.equal(await byHand(begun), '23514')
    })

    it('S2-03 I11 I12 I13 I16 the audit finds nothing to say about everything above', async () => {
      const report = await runAudit(shop.database)
      const violated = report.checks.filter((check) => check.status === 'violated')
      assert.deepEqual(
        violated.map(({ id, title, examples }) => ({ id, title, examples })),
        [],
      )
    })
  })
})
