/** Things that are handed over: the claim form of winners, the queue of staff, the stock of items. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { canStep, FULFILMENT_STATUSES } from '../../src/prizes/fulfilment-rules.ts'
import { tally } from '../games/kit.ts'
import { ORDER, type Shop, startShop } from './kit.ts'

const PHONE = { type: 'product', name: 'A phone' }
const WHERE = { name: 'Alice', address: 'Main Street 1' }

describe('fulfilments', function () {
  this.timeout(60_000)
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const claim = async (user: string, play_id: number, json: unknown = WHERE) =>
    shop.ask('POST', `/api/v1/gamification/claim/${play_id}`, { token: await shop.player(user), json })
  const queued = async (play_id: number) => {
    const { body } = await shop.ask('GET', '/api/v1/fulfilments?limit=100', { token: shop.operator })
    return body.data.find((row: any) => row.play_id === play_id)
  }
  const step = (id: string, fulfilment_status: string, tag = '*') =>
    shop.ask('PATCH', `/api/v1/fulfilments/${id}`, {
      token: shop.operator,
      json: { fulfilment_status, note: 'by test' },
      headers: { 'if-match': tag },
    })
  const claimStatus = async (play_id: number) => {
    const [row] = await shop.database.query<{ claim_status: string }>(
      `select claim_status from spin_results r join gamification_game_plays p on p.event_id = r.spin_session_id where p.id = $1`,
      [play_id],
    )
    return row!.claim_status
  }

  it('S0-02 S1-14 a product is claimed by its winner, once, and goes from unclaimed to claimed to paid', async () => {
    const play_id = await shop.win('ann', PHONE)
    assert.equal(await claimStatus(play_id), 'unclaimed')
    const early = await claim('ann', play_id)
    assert.deepEqual([early.status, early.body.code], [409, 'prize_locked'])
    assert.deepEqual(
      (await shop.ask('GET', '/api/v1/me/fulfilments', { token: await shop.player('ann') })).body.data,
      [],
    )
    await shop.unlock('ann', play_id)
    assert.equal((await claim('bert', play_id)).status, 404)
    const answers = await Promise.all(Array.from({ length: 8 }, () => claim('ann', play_id)))
    assert.deepEqual(tally(answers.map(({ status }) => String(status))), { 200: 8 })
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
    assert.deepEqual(answers[0]!.body.claim_details, WHERE)
    assert.equal(await claimStatus(play_id), 'claimed')
    const play = await shop.row(play_id)
    assert.deepEqual([play['prize_status'], play['is_claimed']], ['applied', true])
    shop.clock.advance(8 * 86_400_000)
    assert.equal((await shop.list('ann')).body.data[0].prize_status, 'applied', 'a claim ends the deadline')

    const row = await queued(play_id)
    const contacted = await step(row.id, 'contacted')
    assert.deepEqual(
      [contacted.status, contacted.body.code],
      [400, 'invalid_input'],
      'claimed comes after contacted',
    )
    const delivered = await step(row.id, 'delivered', `"${row.row_version}"`)
    assert.deepEqual([delivered.status, delivered.body.handled_by], [200, 'boss'])
    assert.equal(await claimStatus(play_id), 'paid')
    const again = await step(row.id, 'cancelled')
    assert.deepEqual([again.status, again.body.code], [409, 'fulfilment_delivered'])
    const mine = await shop.ask('GET', '/api/v1/me/fulfilments', { token: await shop.player('ann') })
    assert.equal(mine.body.data[0].fulfilment_status, 'delivered')
  })

  it('S1-14 what is not claimed in time is expired, and cannot be claimed or sent', async () => {
    const play_id = await shop.open('carl', PHONE)
    const { id } = await queued(play_id)
    shop.clock.advance(8 * 86_400_000)
    const late = await claim('carl', play_id)
    assert.deepEqual([late.status, late.body.code], [409, 'prize_expired'])
    assert.equal((await step(id, 'delivered')).body.code, 'prize_expired')
    assert.equal((await step(id, 'cancelled')).status, 200)
    assert.equal((await shop.row(play_id))['prize_status'], 'expired')
    assert.equal(await claimStatus(play_id), 'expired')
  })

  it('S1-12 a digital prize waits in the queue without its winner, shown before it is sent, and does not run out meanwhile', async () => {
    const play_id = await shop.win('dana', { type: 'digital', name: 'A song' })
    const { id, fulfilment_type } = await queued(play_id)
    assert.equal(fulfilment_type, 'queue')
    assert.equal((await step(id, 'delivered')).body.code, 'prize_locked')
    await shop.unlock('dana', play_id)
    assert.equal((await shop.row(play_id))['expires_at'], null)
    shop.clock.advance(90 * 86_400_000)
    assert.equal((await step(id, 'delivered')).status, 200)
    assert.equal((await shop.row(play_id))['prize_status'], 'applied')
  })

  it('S1-12 of claims and a cancellation at the same moment one wins, and the others are told', async () => {
    const play_id = await shop.open('emil', PHONE)
    const { id } = await queued(play_id)
    const [claimed, cancelled] = await Promise.all([claim('emil', play_id), step(id, 'cancelled')])
    const row = await queued(play_id)
    assert.equal(row.fulfilment_status, 'cancelled')
    assert.equal(cancelled.status, 200)
    assert.ok(
      claimed.status === 200 || ['fulfilment_cancelled', 'prize_expired'].includes(claimed.body.code),
      claimed.text,
    )
  })

  it('S1-03 a step needs the version that was read, is audited with before and after, and a claim needs a way to reach its winner', async () => {
    const play_id = await shop.open('fay', PHONE)
    const { id } = await queued(play_id)
    const bare = await shop.ask('PATCH', `/api/v1/fulfilments/${id}`, {
      token: shop.operator,
      json: { note: 'x' },
    })
    assert.equal(bare.status, 428)
    assert.equal((await step(id, 'contacted', '"9"')).status, 412)
    assert.equal((await step(id, 'contacted', '"1"')).status, 200)
    const [audit] = await shop.database.query<any>(
      `select old_values->>'fulfilment_status' as was, new_values->>'fulfilment_status' as is from audit_logs
       where entity_type = 'fulfilment' and entity_id = $1 order by seq desc limit 1`,
      [id],
    )
    assert.deepEqual(audit, { was: 'pending', is: 'contacted' })
    assert.equal((await claim('fay', play_id, { name: 'Fay' })).status, 400)
    assert.equal((await claim('fay', play_id, { ...WHERE, more: 1 })).status, 400)
    assert.equal((await claim('fay', play_id)).status, 200)
    const player = await shop.player('fay')
    assert.equal((await shop.ask('GET', '/api/v1/fulfilments', { token: player })).status, 403)
    const undo = await shop.ask('POST', `/api/v1/gamification/rollback/${play_id}`, {
      token: shop.service,
      json: { order_id: `claim:${id}`, reason: 'x' },
      headers: { 'idempotency-key': 'undo-claim' },
    })
    assert.equal(undo.status, 400, 'no order is called like a claim')
    const voucher = await shop.open('fay', { type: 'voucher', name: 'A voucher' })
    assert.equal((await claim('fay', voucher)).status, 404)
  })

  it('S2-26 a stock is kept by the shop, never below what is reserved, and one row per item', async () => {
    const create = (json: unknown) => shop.ask('POST', '/api/v1/item-stocks', { token: shop.service, json })
    const made = await create({ item_id: '900', item_name: 'Cake', stock: 2 })
    assert.equal(made.status, 201)
    assert.equal((await create({ item_id: '900', item_name: 'Cake', stock: 2 })).status, 409)
    const play_id = await shop.open('gus', { type: 'free_item', valid_food_ids: [900], name: 'Cake' })
    assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'gus-1' })).status, 200)
    const change = (stock: number) =>
      shop.ask('PATCH', `/api/v1/item-stocks/${made.body.id}`, {
        token: shop.service,
        json: { stock },
        headers: { 'if-match': '*' },
      })
    assert.equal((await change(0)).status, 400)
    assert.equal((await change(1)).body.reserved_count, 1)
    const { id } = await queued(play_id)
    assert.equal((await step(id, 'cancelled')).status, 200)
    assert.equal((await change(0)).body.reserved_count, 0)
  })

  it('S1-12 no step leaves an end, and every way goes forward', () => {
    const any = fc.constantFrom(...FULFILMENT_STATUSES)
    fc.assert(
      fc.property(any, any, (from, to) => {
        if (from === 'delivered' || from === 'cancelled' || from === to) assert.ok(!canStep(from, to))
        if (canStep(from, to)) assert.ok(!canStep(to, from))
      }),
    )
  })

  it('S1-12 the audit finds nothing in all this', async () => {
    const report = await runAudit(shop.database)
    assert.ok(report.ok, reportText(report))
  })
})
