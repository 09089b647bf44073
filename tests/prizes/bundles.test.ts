/** Bundles: one prize that becomes several, applied one by one or as a whole; and tiers of rarity. */
import assert from 'node:assert/strict'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { expirePrizes } from '../../src/prizes/expiry.ts'
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

  it('S2-61 P-28 taking back one part of a whole takes back all of it with what it did, once, and it can be used again', async () => {
    const soup = await define({ name: 'A soup', type: 'free_item', valid_food_ids: [7] })
    await post('item-stocks', { item_id: '7', item_name: 'Soup', stock: 5 })
    const stock = async () =>
      (await shop.ask('GET', '/api/v1/item-stocks?item_id=7', { token: shop.operator })).body.data[0]
        .reserved_count
    const whole = bundle('all', {
      name: 'With a soup',
      parts: [
        { prize_id: five, quantity: 1 },
        { prize_id: ten, quantity: 1 },
        { prize_id: soup.id, quantity: 1 },
      ],
    })
    await shop.open('gil', whole)
    const mine = async () =>
      (await shop.list('gil')).body.data.filter((each: any) => each.prize_type !== 'bundle')
    const states = async () => (await mine()).map((each: any) => each.prize_status)
    const [first, second] = await mine()
    const cart = { ...order('gil-1'), cart_items: [{ id: 7, quantity: 1 }] }
    const applied = await shop.apply(first.id, cart)
    assert.equal(applied.status, 200, applied.text)
    assert.deepEqual([await states(), await stock()], [['applied', 'applied', 'applied'], 1])

    const back = () => shop.serve(`rollback/${second.id}`, { order_id: 'gil-1', reason: 'Cancelled.' })
    const [answer, ...others] = await Promise.all([back(), back(), back()])
    assert.equal(answer.status, 200, answer.text)
    for (const other of others) assert.equal(other.text, answer.text)
    const { data } = answer.body
    assert.deepEqual(
      [data.prize_status, data.discount_returned, data.discount_kept],
      ['unlocked', applied.body.data.applied_details.discount_amount, '0.00'],
    )
    assert.deepEqual(
      data.parts.map((each: any) => [each.prize_status, each.undone?.kind ?? null]).sort(),
      [
        ['unlocked', 'free_item'],
        ['unlocked', null],
        ['unlocked', null],
      ].sort(),
    )
    assert.deepEqual([await states(), await stock()], [['unlocked', 'unlocked', 'unlocked'], 0])
    assert.equal((await shop.apply(second.id, { ...cart, order_id: 'gil-2' })).status, 200)
    assert.deepEqual(await states(), ['applied', 'applied', 'applied'])
  })

  it('S2-61 P-28 a part of an order that comes back takes its share of every part of a whole, and the rest takes all', async () => {
    await shop.open('hal', bundle('all'))
    const [first, second] = await partsOf('hal')
    assert.equal((await shop.apply(first.id, order('hal-1'))).status, 200)
    const giveBack = (play_id: number, return_id: string, returned_amount: string) =>
      shop.serve(`rollback/${play_id}`, {
        order_id: 'hal-1',
        reason: 'Returned.',
        return_id,
        returned_amount,
      })
    const quarter = await giveBack(first.id, 'r-1', '25.00')
    assert.equal(quarter.status, 200, quarter.text)
    assert.deepEqual(
      [quarter.body.data.prize_status, quarter.body.data.discount_returned, quarter.body.data.discount_kept],
      ['applied', '5.00', '15.00'],
    )
    assert.equal((await giveBack(second.id, 'r-1', '25.00')).body.data.discount_returned, '5.00')
    const rest = await giveBack(second.id, 'r-2', '75.00')
    assert.deepEqual(
      [rest.body.data.prize_status, rest.body.data.discount_returned, rest.body.data.discount_kept],
      ['unlocked', '15.00', '0.00'],
    )
    assert.ok((await partsOf('hal')).every((each: any) => each.prize_status === 'unlocked'))
  })

  it('S2-61 taking back one part of single ones leaves the others where they are', async () => {
    await shop.open('ike', bundle('each'))
    const [first, second] = await partsOf('ike')
    for (const { id } of [first, second]) {
      const applied = await shop.apply(id, order(`ike-${id}`))
      assert.equal(applied.status, 200, applied.text)
    }
    const { body } = await shop.serve(`rollback/${first.id}`, { order_id: `ike-${first.id}`, reason: 'x' })
    assert.equal(body.data.parts, undefined)
    assert.deepEqual(
      [(await shop.row(first.id))['prize_status'], (await shop.row(second.id))['prize_status']],
      ['unlocked', 'applied'],
    )
  })

  it('S2-43 S2-44 S2-45 S2-61 a bundle is won once: in reports, in the history, in the inbox and in what others are told', async () => {
    await post('webhooks', { url: 'https://shop.example/', event_types: ['prize.won'] })
    const report = async (path: string) =>
      (await shop.ask('GET', `/api/v1/gamification/analytics/${path}`, { token: shop.operator })).body
    const read = async () => {
      const { plays, won, unlocked, applied } = await report('funnel')
      const { data } = await report('win_rate')
      const wins = data
        .flatMap((game: any) => game.versions)
        .reduce((sum: number, each: any) => sum + each.wins, 0)
      return { plays, won, unlocked, applied, wins, popular: (await report('popularity')).wins }
    }
    const before = await read()
    const play_id = await shop.open('jil', bundle('each', { name: 'Counted' }))
    const [part] = await partsOf('jil')
    const once = { ...before, plays: before.plays + 1, won: before.won + 1, wins: before.wins + 1 }
    assert.deepEqual(await read(), { ...once, unlocked: before.unlocked + 1, popular: before.popular + 1 })
    assert.equal((await shop.apply(part.id, order('jil-1'))).status, 200)
    assert.equal((await read()).applied, before.applied + 1)
    const other = (await partsOf('jil')).find((each: any) => each.prize_status === 'unlocked')
    assert.equal((await shop.apply(other.id, order('jil-2'))).status, 200)
    assert.equal((await read()).applied, before.applied + 1)

    const token = await shop.player('jil')
    const played = await shop.ask('GET', '/api/v1/me/plays', { token })
    assert.equal(played.body.data.length, 1, played.text)
    const inbox = (await shop.ask('GET', '/api/v1/me/notifications', { token })).body
    assert.deepEqual(
      inbox.data.map((note: any) => [note.kind, note.play_id]),
      [['prize_won', play_id]],
    )
    assert.equal(inbox.unread_count, 1)
    const told = await shop.database.query<{ data: any }>(
      `select data from outbox where event_type = 'prize.won' and data->>'user_id' = 'jil' order by (data->>'play_id')::bigint`,
    )
    assert.deepEqual(
      told.map(({ data }) => data.bundle_play_id),
      [null, play_id, play_id, play_id],
    )
  })

  it('S1-14 S2-61 the claim of a spin follows its bundle, whatever becomes of the parts and the empty wrapper', async () => {
    const play_id = await shop.win('kim', bundle('each', { name: 'Claimed' }))
    const claim = async () => {
      const [row] = await shop.database.query<any>(
        `select claim_status, paid_amount from spin_results r
         join gamification_game_plays p on p.event_id = r.spin_session_id where p.id = $1`,
        [play_id],
      )
      return [row.claim_status, row.paid_amount]
    }
    assert.deepEqual(await claim(), ['unclaimed', 0])
    await shop.unlock('kim', play_id)
    const [part] = await partsOf('kim')
    assert.equal((await shop.apply(part.id, order('kim-1'))).status, 200)
    assert.deepEqual(await claim(), ['claimed', 0])
    shop.clock.advance(4 * 86_400_000)
    await expirePrizes(shop.app, shop.tenant.id)
    assert.equal((await shop.row(play_id))['prize_status'], 'expired')
    assert.deepEqual(await claim(), ['claimed', 0])
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
