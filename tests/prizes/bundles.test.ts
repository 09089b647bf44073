/** Bundles: one prize that becomes several, applied one by one or as a whole; and tiers of rarity. */
import assert from 'node:assert/strict'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { type Shop, startShop } from './kit.ts'

const PATH = '/api/v1/gamification'

describe('bundles and tiers', function () {
  this.timeout(60_000)
  let shop: Shop
  let five: number
  let ten: number
  before(async () => {
    shop = await startShop()
    five = (await define({ name: 'Five off', type: 'discount_fixed', value: '5.00' })).id
    ten = (
      await define({ name: 'Ten off', type: 'discount_fixed', value: '10.00', min_order_amount: '50.00' })
    ).id
  })
  after(() => shop.close())

  const post = (path: string, json: unknown) =>
    shop.ask('POST', `/api/v1/${path}`, { token: shop.operator, json })
  const define = async (json: object) => {
    const answer = await post('prizes', json)
    assert.equal(answer.status, 201, answer.text)
    return answer.body
  }
  const bundle = (parts_apply: 'all' | 'each', more: object = {}) => ({
    name: `Bundle ${parts_apply}`,
    type: 'bundle',
    parts_apply,
    parts: [
      { prize_id: five, quantity: 2 },
      { prize_id: ten, quantity: 1 },
    ],
    expires_in_days: 3,
    ...more,
  })
  const order = (order_id: string, order_amount = 100) => ({ order_id, order_amount, order_type: 'delivery' })
  const partsOf = async (user: string) => {
    const { data } = (await shop.list(user)).body
    return data.filter((each: any) => each.prize_type === 'discount_fixed')
  }

  it('S2-61 a bundle of three is one locked prize, and opened three with codes, values and states of their own', async () => {
    const play_id = await shop.win('ann', bundle('each'))
    assert.equal((await shop.list('ann')).body.data.length, 1)
    assert.ok(!(await shop.list('ann')).text.includes('Five off'))
    const before = await shop.row(play_id)
    assert.equal((await shop.unlock('ann', play_id)).status, 200)
    assert.equal((await shop.unlock('ann', play_id)).status, 200)
    const parts = await partsOf('ann')
    assert.deepEqual(parts.map((each: any) => each.prize_name).sort(), ['Five off', 'Five off', 'Ten off'])
    assert.equal(new Set(parts.map((each: any) => each.prize_code)).size, 3)
    for (const { id, can_apply, prize_status } of parts) {
      assert.deepEqual([can_apply, prize_status], [true, 'unlocked'])
      assert.deepEqual((await shop.row(id))['expires_at'], before['expires_at'])
    }
    assert.equal((await shop.apply(parts[0].id, order('ann-1'))).status, 200)
    const states = (await partsOf('ann')).map((each: any) => each.prize_status).sort()
    assert.deepEqual(states, ['applied', 'unlocked', 'unlocked'])
    const whole = await shop.apply(play_id, order('ann-2'))
    assert.deepEqual([whole.status, whole.body.facts.reasons[0].code], [409, 'prize_type'])
    const [item] = (await shop.list('ann')).body.data.filter((each: any) => each.id === play_id)
    assert.equal(item.can_apply, false)
  })

  it('S2-61 a bundle that is used as a whole goes on an order with every part, or with none, and repeats its answer', async () => {
    await shop.open('ben', bundle('all'))
    const [first, second] = await partsOf('ben')
    const low = await shop.apply(first.id, order('ben-1', 40))
    assert.equal(low.status, 409, low.text)
    const open = async () => (await partsOf('ben')).every((each: any) => each.prize_status === 'unlocked')
    assert.ok(await open())
    const dry = await shop.validate(first.id, order('ben-2'))
    assert.deepEqual(
      [dry.body.data.valid, dry.body.data.discount_amount, dry.body.data.final_amount],
      [true, '20.00', '80.00'],
    )
    assert.ok(await open())
    const applied = await shop.apply(first.id, order('ben-2'))
    assert.equal(applied.status, 200, applied.text)
    const { discount_amount, final_amount, application_type } = applied.body.data.applied_details
    assert.deepEqual([discount_amount, final_amount, application_type], ['20.00', '80.00', 'bundle'])
    const parts = await partsOf('ben')
    assert.ok(parts.every((each: any) => each.prize_status === 'applied'))
    assert.equal((await shop.apply(first.id, order('ben-2'))).text, applied.text)
    assert.equal((await shop.apply(second.id, order('ben-3'))).body.code, 'prize_applied')
  })

  it('S2-61 S2-58 parts of a whole stay together; single ones and a locked bundle can be given', async () => {
    const give = async (user: string, play_id: number) =>
      shop.ask('POST', `${PATH}/gift/${play_id}`, { token: await shop.player(user), json: { to: 'zed' } })
    await shop.open('cat', bundle('all'))
    const [bound] = await partsOf('cat')
    assert.equal((await give('cat', bound.id)).body.code, 'prize_not_transferable')
    const opened = await shop.open('dan', bundle('each'))
    const [single] = await partsOf('dan')
    assert.equal((await give('dan', single.id)).status, 201)
    assert.equal((await give('dan', opened)).body.code, 'prize_not_transferable')
    assert.equal((await give('dan', await shop.win('dan', bundle('each')))).status, 201)
  })

  it('S2-61 S2-12 editing a part never alters a bundle, and its own stock counts no part', async () => {
    const part = await define({ name: 'Old name', type: 'discount_fixed', value: '1.00', stock: 1 })
    const definition = bundle('each', { name: 'Keeps', parts: [{ prize_id: part.id, quantity: 2 }] })
    const play_id = await shop.win('eve', definition)
    const changed = await shop.ask('PATCH', `/api/v1/prizes/${part.id}`, {
      token: shop.operator,
      json: { name: 'New name' },
      headers: { 'if-match': '"1"' },
    })
    assert.equal(changed.status, 200, changed.text)
    await shop.unlock('eve', play_id)
    assert.deepEqual(
      (await partsOf('eve')).map((each: any) => each.prize_name),
      ['Old name', 'Old name'],
    )
  })

  it('S2-61 a bundle has parts that are used on orders, at most ten, each once, and nothing else has any', async () => {
    const credit = await define({ name: 'Cash', type: 'cash', value: '5.00' })
    const nested = await define(bundle('each', { name: 'Nested' }))
    for (const bad of [
      { parts: [] },
      { parts: [{ prize_id: five, quantity: 11 }] },
      {
        parts: [
          { prize_id: five, quantity: 6 },
          { prize_id: ten, quantity: 5 },
        ],
      },
      {
        parts: [
          { prize_id: five, quantity: 1 },
          { prize_id: five, quantity: 1 },
        ],
      },
      { parts: [{ prize_id: 999_999, quantity: 1 }] },
      { parts: [{ prize_id: credit.id, quantity: 1 }] },
      { parts: [{ prize_id: nested.id, quantity: 1 }] },
      { type: 'free_delivery' },
    ]) {
      const { status, body } = await post('prizes', bundle('each', bad))
      assert.equal(status, 400, JSON.stringify(bad))
      assert.match(body.errors[0].pointer, /^\/parts/)
    }
    assert.deepEqual(nested.parts, [
      { prize_id: five, quantity: 2 },
      { prize_id: ten, quantity: 1 },
    ])
  })

  it('S2-60 a prize shows its tier once it is open, and the odds of a wheel sum up per tier to 100 %', async () => {
    const rare = await define({ name: 'Rare', type: 'free_delivery', rarity: 'epic' })
    const reward = (reward_slug: string, probability: string, prize_id?: number) => ({
      reward_slug,
      reward_label: reward_slug,
      probability,
      ...(prize_id !== undefined && { prize_id }),
    })
    const rewards = [
      reward('five', '0.5', five),
      reward('ten', '0.2', ten),
      reward('rare', '0.05', rare.id),
      reward('none', '0.25'),
    ]
    const made = await post('wheels', { wheel_name: 'Tiers', wheel_slug: 'tiers', rewards })
    assert.equal(made.status, 201, made.text)
    assert.equal((await post('wheels/tiers/publish', undefined)).status, 200)
    const { body } = await shop.ask('GET', '/api/v1/wheels/tiers/odds', { token: shop.operator })
    assert.deepEqual(
      body.tiers.map((each: any) => [each.rarity, each.share]),
      [
        ['common', '70%'],
        ['epic', '5%'],
        ['none', '25%'],
      ],
    )
    const weights = body.tiers.reduce((sum: number, each: any) => sum + each.weight, 0)
    assert.equal(weights, body.total_weight)
    const play_id = await shop.win('fay', { name: 'Rare', type: 'free_delivery', rarity: 'epic' })
    const tier = async () => (await shop.list('fay')).body.data[0].rarity
    assert.equal(await tier(), null)
    await shop.unlock('fay', play_id)
    assert.equal(await tier(), 'epic')
  })

  it('S2-60 S2-61 the audit finds nothing to say about everything above', async () => {
    const report = await runAudit(shop.database)
    assert.ok(report.ok, reportText(report))
  })
})
