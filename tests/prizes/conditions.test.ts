/** Every condition and discount of the seed over HTTP, as a shop meets it: the vectors of the feature list. */
import assert from 'node:assert/strict'
import { type Shop, startShop } from './kit.ts'

const FIVE = { type: 'discount_fixed', value: '5.00' }

describe('conditions over HTTP', function () {
  this.timeout(60_000)
  let shop: Shop
  let count = 0
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  type Facts = Record<string, unknown>
  /** What applying says to facts that a prize of its own meets: `ok`, or the codes of all reasons. */
  async function told(definition: Facts, facts: Facts): Promise<{ code: string; body: any }> {
    const play_id = await shop.open('ann', { ...FIVE, ...definition })
    const answer = await shop.apply(play_id, { order_id: `c-${++count}`, order_amount: 100, ...facts })
    if (answer.status === 200) return { code: 'ok', body: answer.body.data.applied_details }
    assert.deepEqual([answer.status, answer.body.code], [409, 'prize_not_applicable'], answer.text)
    const reasons = answer.body.facts.reasons
    return { code: reasons.map((each: any) => each.code).join(' '), body: reasons[0] }
  }
  const code = async (definition: Facts, facts: Facts) => (await told(definition, facts)).code

  it('S2-21 15 %, at most 25.00, from 50.00: of 200.00 it is 25.00, of 100.00 15.00, of 49.99 refused', async () => {
    const prize = {
      type: 'discount_percentage',
      value: '15.00',
      max_discount_amount: '25.00',
      min_order_amount: '50.00',
    }
    const amounts = async (order_amount: unknown) => {
      const { discount_amount, final_amount } = (await told(prize, { order_amount })).body
      return [discount_amount, final_amount]
    }
    assert.deepEqual(await amounts(200), ['25.00', '175.00'])
    assert.deepEqual(await amounts('100.00'), ['15.00', '85.00'])
    assert.equal(await code(prize, { order_amount: 49.99 }), 'min_order_amount')
  })

  it('S2-22 10 off 6.50 gives 6.50 and leaves 0.00', async () => {
    const { body } = await told({ value: '10.00' }, { order_amount: 6.5 })
    assert.deepEqual([body.discount_amount, body.final_amount], ['6.50', '0.00'])
  })

  it('S2-26 a free item comes back as a line at 0.00; one that does not qualify is refused', async () => {
    const prize = { type: 'free_item', value: null, valid_food_ids: [1, 5], valid_category_ids: [3] }
    const { body } = await told(prize, { free_item: { id: 5, category_id: 9, price: 4.5 } })
    assert.deepEqual(body.effect.line, { id: 5, category_id: 9, quantity: 1, price: '0.00' })
    assert.equal(body.effect.amount_saved, '4.50')
    assert.equal((await told(prize, { free_item: { id: 8, category_id: 3 } })).code, 'ok')
    assert.equal(await code(prize, { free_item: { id: 8, category_id: 4 } }), 'free_item')
    assert.equal(await code(prize, {}), 'free_item_missing')
  })

  it('S2-28 from Monday to Friday, 09 to 21: a Saturday is refused with the next valid time', async () => {
    const prize = {
      ...FIVE,
      expires_in_days: 30,
      schedule_type: 'specific_time',
      valid_days: [1, 2, 3, 4, 5],
      valid_from_time: '09:00:00',
      valid_until_time: '21:00:00',
    }
    const play_id = await shop.open('ann', prize)
    const at = async (time: string) =>
      (await shop.validate(play_id, { order_amount: 100, at: time })).body.data
    assert.equal((await at('2030-01-18 20:59:59')).valid, true)
    const saturday = await at('2030-01-19 12:00:00')
    assert.deepEqual(
      [saturday.reasons[0].code, saturday.reasons[0].valid_from],
      ['valid_days', '2030-01-21 09:00:00'],
    )
    const evening = await at('2030-01-18 21:00:00')
    assert.deepEqual(
      [evening.reasons[0].code, evening.reasons[0].valid_from],
      ['valid_until_time', '2030-01-21 09:00:00'],
    )
    assert.equal((await at('2030-01-21 09:00:00')).valid, true)
  })

  it('S2-28 22:00 to 02:00 goes over midnight', async () => {
    const play_id = await shop.open('ann', { ...FIVE, valid_from_time: '22:00', valid_until_time: '02:00' })
    const at = async (time: string) =>
      (await shop.validate(play_id, { order_amount: 100, at: time })).body.data.valid
    assert.deepEqual(
      await Promise.all(
        ['2030-01-16 21:59:59', '2030-01-16 22:00:00', '2030-01-17 01:59:59', '2030-01-17 02:00:00'].map(at),
      ),
      [false, true, true, false],
    )
  })

  it('S2-28 C4 abuse 69: hours are those of the tenant: in the gap of daylight saving a window that begins in it begins after it', async () => {
    await shop.database.query(`update tenants set time_zone = 'Europe/Berlin' where tenant_code = 'acme'`)
    try {
      const play_id = await shop.open('ann', {
        ...FIVE,
        never_expires: true,
        valid_from_time: '02:30',
        valid_until_time: '04:00',
      })
      const at = async (time: string) =>
        (await shop.validate(play_id, { order_amount: 100, at: time })).body.data
      // On 2030-03-31 01:00 UTC clocks in Berlin go from 02:00 to 03:00.
      assert.equal((await at('2030-03-31 00:59:59')).valid, false)
      assert.equal((await at('2030-03-31 01:00:00')).valid, true)
      assert.equal((await at('2030-03-31 01:59:59')).valid, true)
      assert.equal((await at('2030-03-31 02:00:00')).valid, false)
      // The day before it is winter: 02:30 is 01:30 UTC.
      assert.equal((await at('2030-03-30 01:29:59')).valid, false)
      assert.equal((await at('2030-03-30 01:30:00')).valid, true)
    } finally {
      await shop.database.query(`update tenants set time_zone = 'UTC' where tenant_code = 'acme'`)
    }
  })

  it('S2-29 10.50 with another discount of 1.00: 10.00 is reached on the initial basis, not before the discount', async () => {
    const order = { order_amount: '10.50', other_discount_amount: '1.00' }
    const prize = { min_order_amount: '10.00' }
    assert.equal(await code({ ...prize, min_order_amount_basis: 'initial' }, order), 'ok')
    const refused = await told({ ...prize, min_order_amount_basis: 'before_discount' }, order)
    assert.deepEqual(
      [refused.code, refused.body.actual, refused.body.missing],
      ['min_order_amount', '9.50', '0.50'],
    )
  })

  it('S2-30 quantities count, not lines: one line of 3 meets 2, one item needs 1 more', async () => {
    const prize = { min_cart_items: 2 }
    assert.equal(await code(prize, { cart_items: [{ id: 1, quantity: 3 }] }), 'ok')
    const short = await told(prize, { cart_items: [{ id: 1 }] })
    assert.deepEqual([short.code, short.body.missing], ['min_cart_items', 1])
    assert.match(short.body.message, /1 more item/)
    assert.equal(await code(prize, {}), 'cart_items_missing')
  })

  it('S2-31 S2-32 S2-34 an order type, a payment method, a zone that does not qualify is told what does', async () => {
    for (const [condition, allowed, fact, good, bad, missing] of [
      [
        'valid_order_types',
        ['delivery', 'takeaway'],
        'order_type',
        'takeaway',
        'pickup',
        'order_type_missing',
      ],
      [
        'valid_payment_methods',
        ['card', 'paypal'],
        'payment_method',
        'card',
        'cash',
        'payment_method_missing',
      ],
      ['valid_zone_ids', [1, 2, 5], 'zone_id', 5, 3, 'zone_missing'],
    ] as const) {
      const prize = { [condition]: allowed }
      assert.equal(await code(prize, { [fact]: good }), 'ok', condition)
      const refused = await told(prize, { [fact]: bad })
      assert.deepEqual([refused.code, refused.body.required, refused.body.actual], [condition, allowed, bad])
      assert.equal(await code(prize, {}), missing)
    }
  })

  it('S2-33 15.0 km are within 15, 15.01 are 0.01 too far, and no distance is a reason of its own', async () => {
    const prize = { max_delivery_distance_km: 15 }
    assert.equal(await code(prize, { delivery_distance_km: 15.0 }), 'ok')
    const far = await told(prize, { delivery_distance_km: 15.01 })
    assert.deepEqual([far.code, far.body.missing], ['max_delivery_distance_km', '0.01'])
    assert.match(far.body.message, /0\.01 km too far/)
    assert.equal(await code(prize, {}), 'delivery_distance_missing')
  })

  it('S2-35 S2-36 new customers only: none after the first order; five orders: 1 more after 4', async () => {
    assert.equal(await code({ new_customer_only: true }, { customer_order_count: 0 }), 'ok')
    assert.equal(await code({ new_customer_only: true }, { customer_order_count: 1 }), 'new_customer_only')
    assert.equal(await code({ min_order_count: 5 }, { customer_order_count: 5 }), 'ok')
    const short = await told({ min_order_count: 5 }, { customer_order_count: 4 })
    assert.deepEqual([short.code, short.body.missing], ['min_order_count', 1])
    assert.equal(await code({ min_order_count: 5 }, {}), 'customer_orders_missing')
  })

  it('S2-37 categories 2, 2 meet 2 or 3 in both modes; 2, 9 meet any of them and not all', async () => {
    const cart = (...categories: number[]) => ({
      cart_items: categories.map((category_id, i) => ({ id: i + 1, category_id })),
    })
    for (const [mode, categories, expected] of [
      ['any', [2, 2], 'ok'],
      ['all', [2, 2], 'ok'],
      ['any', [2, 9], 'ok'],
      ['all', [2, 9], 'valid_category_ids'],
      ['any', [9], 'valid_category_ids'],
    ] as const) {
      const prize = { valid_category_ids: [2, 3], valid_category_ids_match: mode }
      assert.equal(await code(prize, cart(...categories)), expected, `${mode} ${categories}`)
    }
    const foods = { valid_food_ids: [1, 2], valid_food_ids_match: 'all' }
    assert.equal(await code(foods, { cart_items: [{ id: 1 }, { id: '2' }] }), 'ok')
    assert.equal(await code(foods, { cart_items: [{ id: 1 }, { id: 7 }] }), 'valid_food_ids')
  })
})
