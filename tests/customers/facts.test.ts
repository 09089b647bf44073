/** Facts of the order system: the newest by its own version, whatever order they come in, and used where a request is silent. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { TEST_SEED } from '../fairness/seed.ts'
import { ORDER, type Shop, startShop } from '../prizes/kit.ts'

describe('customers: facts of the order system', () => {
  let shop: Shop
  let count = 0
  const user = () => `customer-${++count}`
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const path = (user_id: string) => `/api/v1/customers/${encodeURIComponent(user_id)}/facts`
  const tell = (user_id: string, order_count: number, source_version: number, token = shop.service) =>
    shop.ask('PUT', path(user_id), { token, json: { order_count, source_version } })
  const known = async (user_id: string) =>
    (await shop.ask('GET', path(user_id), { token: shop.service })).body.order_count

  const NEW_ONLY = { type: 'discount_percentage', value: '10.00', new_customer_only: true }

  it('S2-35 a prize for new customers is refused after the first completed order that was told, and before any was', async () => {
    const alice = user()
    const play_id = await shop.open(alice, NEW_ONLY)
    const silent = await shop.validate(play_id, ORDER)
    assert.deepEqual(
      silent.body.data.reasons.map(({ code }: any) => code),
      ['customer_orders_missing'],
      silent.text,
    )
    assert.equal((await tell(alice, 0, 1)).status, 200)
    assert.equal((await shop.validate(play_id, ORDER)).body.data.valid, true)
    assert.equal((await tell(alice, 1, 2)).status, 200)
    const refused = await shop.apply(play_id, ORDER)
    assert.deepEqual([refused.status, refused.body.code], [409, 'prize_not_applicable'])
    assert.equal(refused.body.facts.reasons[0].code, 'new_customer_only')
  })

  it('S2-36 a number of orders that a prize asks for may be told; what the request states goes before', async () => {
    const bob = user()
    const play_id = await shop.open(bob, { type: 'discount_percentage', value: '10.00', min_order_count: 3 })
    await tell(bob, 2, 1)
    const two = await shop.validate(play_id, ORDER)
    assert.deepEqual(
      [two.body.data.valid, two.body.data.reasons[0].actual, two.body.data.reasons[0].missing],
      [false, 2, 1],
    )
    assert.equal((await shop.validate(play_id, { ...ORDER, customer_order_count: 3 })).body.data.valid, true)
    await tell(bob, 3, 2)
    assert.equal((await shop.apply(play_id, ORDER)).status, 200)
  })

  it('S2-18 an apply that is repeated after newer facts is answered as it was first', async () => {
    const carol = user()
    const play_id = await shop.open(carol, NEW_ONLY)
    await tell(carol, 0, 1)
    const first = await shop.apply(play_id, { ...ORDER, order_id: 'o-1' })
    assert.equal(first.status, 200, first.text)
    await tell(carol, 1, 2)
    const again = await shop.apply(play_id, { ...ORDER, order_id: 'o-1' })
    assert.deepEqual([again.status, again.text], [200, first.text])
  })

  it('S2-35 in whatever order messages arrive, and however often, the newest stands', async () => {
    const messages = fc.uniqueArray(fc.record({ order_count: fc.nat(50), source_version: fc.nat(1_000) }), {
      minLength: 1,
      maxLength: 8,
      selector: ({ source_version }) => source_version,
    })
    await fc.assert(
      fc.asyncProperty(
        messages.chain((sent) =>
          fc.tuple(fc.constant(sent), fc.shuffledSubarray([...sent, ...sent], { minLength: sent.length })),
        ),
        async ([sent, arrived]) => {
          const dave = user()
          for (const { order_count, source_version } of [...arrived, ...sent])
            await tell(dave, order_count, source_version)
          const newest = sent.reduce((one, other) =>
            other.source_version > one.source_version ? other : one,
          )
          assert.equal(await known(dave), newest.order_count)
        },
      ),
      { numRuns: 15, seed: TEST_SEED },
    )
  })

  it('S2-35 20 messages at once: the newest stands, and who was late is told so', async () => {
    const erin = user()
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => tell(erin, 19 - i, 19 - i)))
    assert.ok(answers.every(({ status }) => status === 200))
    assert.equal(await known(erin), 19)
    const late = await tell(erin, 5, 5)
    assert.deepEqual([late.body.is_current, late.body.order_count], [false, 19])
    const repeated = await tell(erin, 19, 19)
    assert.equal(repeated.body.is_current, true)
    const contradicting = await tell(erin, 18, 19)
    assert.deepEqual([contradicting.body.is_current, contradicting.body.order_count], [false, 19])
  })

  it('P-38 S1-02 only the service tells, of its own tenant’s customers, and a player states nothing', async () => {
    const frank = user()
    assert.equal((await tell(frank, 0, 1, await shop.player(frank))).status, 403)
    assert.equal((await tell(frank, 0, 1, shop.operator)).status, 403)
    await tell(frank, 7, 1)
    const theirs = await shop.token('service', { sub: 'their-shop', tenant: 'other' })
    assert.equal((await shop.ask('GET', path(frank), { token: theirs })).status, 404)
    assert.equal((await tell(frank, 0, 99, theirs)).status, 200)
    assert.equal(await known(frank), 7)
    for (const json of [
      { order_count: -1, source_version: 1 },
      { order_count: 1.5, source_version: 1 },
      { order_count: 1 },
      { order_count: 1, source_version: 1, is_new: true },
    ])
      assert.equal((await shop.ask('PUT', path(frank), { token: shop.service, json })).status, 400)
  })
})
