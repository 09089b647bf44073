/** Prize definitions over HTTP: every condition of the seed is kept, and what means nothing is refused. */
import assert from 'node:assert/strict'
import { type Product, startProduct } from '../http/product.ts'

const EVERY = {
  name: 'Everything at once',
  type: 'discount_percentage',
  value: '15.00',
  schedule_type: 'specific_time',
  valid_from_time: '09:00:00',
  valid_until_time: '21:00:00',
  valid_days: [1, 2, 3, 4, 5],
  min_order_amount: '50.00',
  min_order_amount_basis: 'initial',
  min_cart_items: 2,
  valid_order_types: ['delivery', 'takeaway'],
  valid_payment_methods: ['card', 'paypal'],
  max_delivery_distance_km: 15,
  valid_zone_ids: [1, 2, 5],
  new_customer_only: null,
  min_order_count: 5,
  valid_food_ids: [1, 5, 12],
  valid_food_ids_match: 'any',
  valid_category_ids: [2, 3],
  valid_category_ids_match: 'all',
  max_discount_amount: '25.00',
}

describe('prizes: definitions', () => {
  let http: Product
  let operator: string

  before(async () => {
    http = await startProduct()
    operator = await http.token('operator')
  })
  after(() => http.close())

  const create = (json: unknown) => http.ask('POST', '/api/v1/prizes', { token: operator, json })
  const change = (id: number, json: unknown) =>
    http.ask('PATCH', `/api/v1/prizes/${id}`, { token: operator, json, headers: { 'if-match': '*' } })

  it('S2-12 keeps every condition of the seed, and a change of one leaves the others', async () => {
    const made = await create(EVERY)
    assert.equal(made.status, 201, made.text)
    for (const [name, value] of Object.entries(EVERY)) assert.deepEqual(made.body[name], value, name)
    const changed = await change(made.body.id, { min_cart_items: null, valid_zone_ids: [7] })
    assert.equal(changed.status, 200, changed.text)
    assert.deepEqual([changed.body.min_cart_items, changed.body.valid_zone_ids], [null, [7]])
    assert.equal(changed.body.min_order_amount, '50.00')
    assert.equal(changed.body.version, made.body.version + 1)
  })

  it('S2-57 a definition is tried on an order before it goes live: the same reasons and amounts, and nothing changes', async () => {
    const { id } = (await create(EVERY)).body
    const attempt = (json: object, token = operator) =>
      http.ask('POST', `/api/v1/prizes/${id}/try`, { token, json })
    const order = {
      order_amount: 200,
      order_type: 'delivery',
      payment_method: 'card',
      delivery_distance_km: 15,
      zone_id: 5,
      customer_order_count: 5,
      cart_items: [
        { id: 1, category_id: 2, price: 100 },
        { id: 9, category_id: 3, price: 100 },
      ],
    }
    const everything = () =>
      http.database.query<any>(
        `select (select count(*) from audit_logs) as audit, (select count(*) from gamification_game_plays) as plays,
                (select row_version from gamification_prizes where id = $1) as version`,
        [id],
      )
    const before = await everything()
    const monday = await attempt({ ...order, at: '2026-03-02 12:00:00' })
    const { calculation, ...data } = monday.body.data
    assert.deepEqual(data, {
      valid: true,
      reasons: [],
      discount_amount: '25.00',
      final_amount: '175.00',
      application_type: 'discount_percentage',
    })
    assert.deepEqual(
      calculation.steps.map((step: any) => step.gives),
      ['30.00', '25.00', '25.00'],
    )
    const saturday = await attempt({ ...order, order_amount: 45, at: '2026-03-07 12:00:00' })
    assert.deepEqual(
      saturday.body.data.reasons.map((each: any) => [each.code, each.missing, each.valid_from]),
      [
        ['valid_days', null, '2026-03-09 09:00:00'],
        ['min_order_amount', '5.00', null],
      ],
    )
    assert.equal(saturday.body.data.calculation, null)
    assert.equal((await attempt({ order_amount: 1.234 })).status, 400)
    for (const role of ['player', 'service', 'auditor'] as const)
      assert.equal((await attempt(order, await http.token(role))).status, 403, role)
    const [now] = await everything()
    // A role that may not ask is a refused request in the chain, and no attempt to use anything.
    assert.deepEqual([now.plays, now.version], [before[0].plays, before[0].version])
  })

  for (const { pointer, json } of [
    { pointer: '/min_order_amount_basis', json: { min_order_amount: null } },
    { pointer: '/valid_until_time', json: { valid_until_time: '09:00' } },
    { pointer: '/schedule_type', json: { schedule_type: 'always' } },
    { pointer: '/min_order_count', json: { new_customer_only: true } },
    { pointer: '/max_discount_amount', json: { type: 'free_delivery', value: null } },
    { pointer: '/max_discount_amount', json: { max_discount_amount: '0.001' } },
    { pointer: '/max_delivery_distance_km', json: { max_delivery_distance_km: -1 } },
    { pointer: '/valid_days', json: { valid_days: [8] } },
    { pointer: '/value', json: { type: 'discount_fixed', value: '5.001' } },
    { pointer: '/value', json: { value: '100.01' } },
    { pointer: '/value', json: { value: '10.005' } },
  ]) {
    it(`S2-12 refuses ${JSON.stringify(json)}, pointing at ${pointer}, on creation and as a change`, async () => {
      const made = await create(EVERY)
      for (const refused of [await create({ ...EVERY, ...json }), await change(made.body.id, json)]) {
        assert.equal(refused.status, 400, refused.text)
        assert.ok(
          refused.body.errors.some((each: any) => each.pointer.startsWith(pointer)),
          refused.text,
        )
      }
    })
  }

  it('S2-12 I15 the currency of a tenant changes until amounts were written in it, and not after, by SQL neither', async () => {
    const platform = await http.token('platform', { tenant: null })
    const made = async (tenant_code: string) => {
      const json = { tenant_code, tenant_name: 'Shop', currency: 'EUR' }
      assert.equal((await http.ask('POST', '/api/v1/tenants', { token: platform, json })).status, 201)
      return http.token('operator', { tenant: tenant_code })
    }
    const toYen = (code: string) =>
      http.ask('PATCH', `/api/v1/tenants/${code}`, {
        token: platform,
        json: { currency: 'JPY' },
        headers: { 'if-match': '*' },
      })
    const define = (token: string) =>
      http.ask('POST', '/api/v1/prizes', {
        token,
        json: { name: 'Five', type: 'discount_fixed', value: '5.55' },
      })
    const early = await made('early')
    assert.equal((await toYen('early')).status, 200)
    assert.equal((await define(early)).status, 400, 'yen have no decimals')

    const late = await made('late')
    assert.equal((await define(late)).status, 201)
    const refused = await toYen('late')
    assert.deepEqual([refused.status, refused.body.code], [409, 'in_use'])
    await assert.rejects(
      http.database.query(`update tenants set currency = 'JPY' where tenant_code = 'late'`),
      { code: '23514' },
    )

    for (let i = 0; i < 6; i++) {
      const token = await made(`race-${i}`)
      const [changed, defined] = await Promise.all([toYen(`race-${i}`), define(token)])
      assert.ok(
        (changed.status === 200 && defined.status === 400) ||
          (changed.status === 409 && defined.status === 201),
        `${changed.text} ${defined.text}`,
      )
    }
  })
})
