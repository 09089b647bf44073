/** The demo shop's back end: the way of a prize from a cart to an order, by the wallet's own rules, for demo tenants only. */
import assert from 'node:assert/strict'
import { newId } from '../../src/ids.ts'
import { type Shop, startShop, TEN_OFF } from '../prizes/kit.ts'

const PATH = '/api/v1/demo/shop'
/** 78.00 of food, delivered nearby for 2.50. */
const CART = {
  items: [{ id: 14, quantity: 2 }],
  order_type: 'delivery',
  payment_method: 'card',
  zone_id: 1,
  distance_m: 2_000,
}

describe('the demo shop', () => {
  let shop: Shop

  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const post = async (user: string, path: string, json?: unknown) =>
    shop.ask('POST', `${PATH}${path}`, {
      token: await shop.player(user),
      ...(json !== undefined && { json }),
    })
  const checkout = (user: string, play_id: number | null, more: object = {}, order_id = newId()) =>
    post(user, '/orders', { ...CART, ...more, play_id, order_id })
  const orders = async (user: string, query = '') =>
    (await shop.ask('GET', `${PATH}/orders${query}`, { token: await shop.player(user) })).body

  it('S2-46 is not there for a tenant that is no demo, and takes no other role than player', async () => {
    const token = await shop.token('player', { sub: 'olga', tenant: 'other' })
    for (const [method, path] of [
      ['GET', '/menu'],
      ['GET', '/orders'],
      ['POST', '/quotes'],
    ] as const) {
      const json = { ...CART, play_id: null }
      const asked = { token, ...(method === 'POST' && { json }) }
      assert.equal((await shop.ask(method, PATH + path, asked)).status, 404, path)
    }
    assert.equal((await shop.ask('GET', `${PATH}/menu`, { token: shop.service })).status, 403)
    const { body } = await shop.ask('GET', `${PATH}/menu`, { token: await shop.player('mia') })
    assert.ok(body.items.length > 5)
  })

  it('S2-20 a quote names every reason at once, and changes nothing', async () => {
    const play_id = await shop.open('quentin', {
      ...TEN_OFF,
      min_order_amount: '100.00',
      valid_payment_methods: ['paypal'],
    })
    const { status, body } = await post('quentin', '/quotes', { ...CART, play_id })
    assert.equal(status, 200)
    assert.deepEqual(
      body.prize.reasons.map(({ code, missing }: any) => [code, missing]),
      [
        ['min_order_amount', '22.00'],
        ['valid_payment_methods', null],
      ],
    )
    assert.equal(body.total_minor, 7800 + 250)
    assert.equal((await shop.row(play_id))['prize_status'], 'unlocked')
    assert.deepEqual((await orders('quentin')).data, [])
  })

  it('S2-18 placing an order applies the prize once, however often it is asked, and keeps the calculation', async () => {
    const play_id = await shop.open('paula', TEN_OFF)
    const quote = (await post('paula', '/quotes', { ...CART, play_id })).body
    assert.deepEqual(
      [quote.items_minor, quote.discount_minor, quote.delivery_fee_minor, quote.total_minor],
      [7800, 780, 250, 7270],
    )
    const opened = await checkout('paula', play_id)
    assert.equal(opened.status, 201, opened.text)
    const { order_id } = opened.body
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post('paula', `/orders/${order_id}/place`)),
    )
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
    const { body } = answers[0]!
    assert.deepEqual(
      [body.status, body.total_minor, body.applied_details.discount_amount],
      ['placed', 7270, '7.80'],
    )
    assert.equal(body.applied_details.calculation.steps[0].gives, '7.80')
    const row = await shop.row(play_id)
    assert.deepEqual([row['prize_status'], row['applied_to_order_id']], ['applied', order_id])
    // A reload shows it again.
    assert.deepEqual((await orders('paula')).data, [body])
  })

  it('S2-23 a free delivery takes the fee off the total', async () => {
    const play_id = await shop.open('frida', { type: 'free_delivery', valid_order_types: ['delivery'] })
    const { body } = await checkout('frida', play_id)
    const placed = await post('frida', `/orders/${body.order_id}/place`)
    assert.deepEqual([placed.body.delivery_fee_minor, placed.body.total_minor], [0, 7800])
  })

  it('S2-26 a free item comes from the menu, as the prize allows it', async () => {
    const play_id = await shop.open('gina', { type: 'free_item', valid_category_ids: [4] })
    const { body } = await checkout('gina', play_id)
    const placed = await post('gina', `/orders/${body.order_id}/place`)
    assert.deepEqual(placed.body.applied_details.calculation.effect.line, {
      id: 41,
      category_id: 4,
      quantity: 1,
      price: '0.00',
    })
  })

  it('S2-35 the shop counts the orders of a customer itself', async () => {
    const first = await shop.open('nora', { ...TEN_OFF, new_customer_only: true })
    const second = await shop.open('nora', { ...TEN_OFF, new_customer_only: true })
    const { body } = await checkout('nora', first)
    assert.equal((await post('nora', `/orders/${body.order_id}/place`)).status, 200)
    const refused = await checkout('nora', second)
    assert.deepEqual(
      [refused.status, refused.body.code, refused.body.facts.reasons[0].code],
      [409, 'prize_not_applicable', 'new_customer_only'],
    )
  })

  it("S2-19 another player's prize and order answer as if they were not there", async () => {
    const play_id = await shop.open('owen', TEN_OFF)
    const { body } = await checkout('owen', play_id)
    for (const answer of [
      await post('eve', '/quotes', { ...CART, play_id }),
      await checkout('eve', play_id),
      await post('eve', `/orders/${body.order_id}/place`),
      await post('eve', `/orders/${body.order_id}/close`),
    ])
      assert.deepEqual([answer.status, answer.body.code], [404, 'not_found'])
    const taken = await checkout('eve', null, {}, body.order_id)
    assert.deepEqual([taken.status, taken.body.code], [409, 'already_exists'])
    assert.deepEqual((await orders('eve')).data, [])
  })

  it('S2-18 a checkout is one per id and one open per player; what was left cannot be placed', async () => {
    const first = await checkout('lena', null)
    const again = await checkout('lena', null, {}, first.body.order_id)
    assert.equal(again.text, first.text)
    const other = await checkout('lena', null, { items: [{ id: 11, quantity: 1 }] }, first.body.order_id)
    assert.equal(other.body.code, 'already_exists')
    await checkout('lena', null)
    const late = await post('lena', `/orders/${first.body.order_id}/place`)
    assert.deepEqual([late.status, late.body.code], [409, 'order_closed'])
    const { data, next_cursor } = await orders('lena', '?limit=1')
    assert.deepEqual([data[0].status, next_cursor], ['checkout', data[0].order_id])
    const rest = await orders('lena', `?limit=1&cursor=${next_cursor}`)
    assert.deepEqual([rest.data[0].status, rest.next_cursor], ['abandoned', null])
  })

  it('P-27 a checkout holds its prize: no other order takes it, leaving frees it, placing consumes the hold', async () => {
    const play_id = await shop.open('hilda', TEN_OFF)
    const first = await checkout('hilda', play_id)
    const held_ms = Date.parse(first.body.held_until) - shop.clock.now().getTime()
    assert.equal(held_ms, 15 * 60_000)
    assert.deepEqual((await orders('hilda')).data, [first.body])
    // The player's own checkout is no obstacle to the next one, which ends it.
    assert.equal((await post('hilda', '/quotes', { ...CART, play_id })).body.prize.valid, true)

    const elsewhere = await shop.apply(play_id, { order_id: 1, order_amount: 78, order_type: 'delivery' })
    assert.deepEqual([elsewhere.status, elsewhere.body.code], [409, 'prize_held'])
    const [left, again] = await Promise.all(
      [0, 1].map(() => post('hilda', `/orders/${first.body.order_id}/close`)),
    )
    assert.deepEqual([left!.body.status, left!.body.held_until], ['abandoned', null])
    assert.equal(again!.text, left!.text)

    const second = await checkout('hilda', play_id)
    const third = await checkout('hilda', play_id)
    assert.deepEqual([second.status, third.status], [201, 201])
    assert.equal((await post('hilda', `/orders/${third.body.order_id}/place`)).body.status, 'placed')
    const holds = await shop.database.query('select * from prize_holds where play_id = $1', [play_id])
    assert.deepEqual(holds, [])
  })

  it('P-27 a hold that has ended binds nobody, and its checkout can still be placed or left', async () => {
    const play_id = await shop.open('ida', TEN_OFF)
    const late = await checkout('ida', play_id)
    shop.clock.advance(16 * 60_000)
    const token = shop.service
    const json = { order_id: 'counter-1' }
    const held = await shop.ask('POST', `/api/v1/gamification/hold/${play_id}`, {
      token,
      json,
      headers: { 'idempotency-key': 'hold-1' },
    })
    assert.equal(held.status, 200, held.text)
    assert.equal((await post('ida', `/orders/${late.body.order_id}/place`)).body.code, 'prize_held')
    assert.equal((await post('ida', `/orders/${late.body.order_id}/close`)).body.status, 'abandoned')
  })

  it('P-28 cancelling takes the prize back once, points included, and it can be used again', async () => {
    const play_id = await shop.open('carl', { type: 'loyalty_points', value: '100' })
    const points = async () => {
      const token = await shop.player('carl')
      const { body } = await shop.ask('GET', '/api/v1/me/balances', { token })
      return body.data.find(({ currency }: any) => currency === 'PTS')?.balance_minor ?? 0
    }
    const { body } = await checkout('carl', play_id)
    await post('carl', `/orders/${body.order_id}/place`)
    assert.equal(await points(), 100)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post('carl', `/orders/${body.order_id}/close`)),
    )
    assert.deepEqual([...new Set(answers.map((each) => each.body.status))], ['cancelled'])
    assert.equal(await points(), 0)
    assert.equal((await shop.row(play_id))['prize_status'], 'unlocked')
    const next = await checkout('carl', play_id)
    await post('carl', `/orders/${next.body.order_id}/place`)
    assert.equal(await points(), 100)
  })

  it('S2-51 what the shop tries stands in the audit chain, refusals too', async () => {
    const play_id = await shop.open('audrey', { ...TEN_OFF, new_customer_only: true })
    await post('audrey', '/quotes', { ...CART, play_id })
    const { body } = await checkout('audrey', play_id)
    // Another order of hers is placed meanwhile, elsewhere.
    await shop.database.query(
      `insert into demo_orders (tenant_id, id, user_id, status, lines, order_type, payment_method, currency, items_minor,
         delivery_fee_minor, total_minor, created_at, placed_at, updated_at)
       select tenant_id, $2, user_id, 'placed', lines, order_type, payment_method, currency, items_minor,
         delivery_fee_minor, total_minor, created_at, created_at, created_at from demo_orders where id = $1`,
      [body.order_id, newId()],
    )
    assert.equal((await post('audrey', `/orders/${body.order_id}/place`)).body.code, 'prize_not_applicable')
    const rows = await shop.database.query<{ action: string; new_values: any }>(
      `select action, new_values from audit_logs where new_values->>'play_id' = $1 and action ~ 'validate|apply' order by seq`,
      [String(play_id)],
    )
    assert.deepEqual(
      rows.map(({ action, new_values }) => [action, new_values.order_amount, new_values.reasons]),
      [
        ['validate', '78.00', []],
        ['apply.refused', '78.00', ['new_customer_only']],
      ],
    )
  })

  it('S2-56 a cart with unknown, doubled or too many items is refused', async () => {
    for (const items of [
      [],
      [{ id: 99, quantity: 1 }],
      [{ id: 11, quantity: 0 }],
      [{ id: 11, quantity: 21 }],
    ])
      assert.equal((await post('bad', '/quotes', { ...CART, items, play_id: null })).status, 400)
    const items = [
      { id: 11, quantity: 1 },
      { id: 11, quantity: 1 },
    ]
    assert.equal((await post('bad', '/quotes', { ...CART, items, play_id: null })).status, 400)
  })

  it('N9 a player learns the currency and the time zone of the own tenant', async () => {
    const { body } = await shop.ask('GET', '/api/v1/me/tenant', { token: await shop.player('tom') })
    assert.deepEqual(
      [body.tenant_code, body.currency, body.decimals, body.time_zone],
      ['acme', 'EUR', 2, 'UTC'],
    )
    assert.equal(body.server_time, shop.clock.now().toISOString())
  })
})
