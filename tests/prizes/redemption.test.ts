/** What shops do with prizes, over HTTP: hold, stack, take back, and the races between them. */
import assert from 'node:assert/strict'
import { runAudit } from '../../src/audit/audit.ts'
import { recompute } from '../../src/prizes/discount.ts'
import { expireDue, expirePrizes } from '../../src/prizes/expiry.ts'
import { systemActor } from '../../src/system.ts'
import { ORDER, type Shop, startShop, TEN_OFF } from './kit.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const POINTS = { type: 'loyalty_points', value: '100', name: '100 points' }
const CREDIT = { type: 'wallet_credit', value: '20.00', name: '20.00 credit' }
const FIVE_OFF = { type: 'discount_fixed', value: '5.00', name: '5.00 off' }
const TEN_PERCENT = { type: 'discount_percentage', value: '10.00', name: '10% off' }
const DELIVERY = { type: 'free_delivery', name: 'Free delivery' }

type Answered = { status: number; body: any; text: string }
const outcome = ({ status, body }: Answered) => (status === 200 ? 'ok' : body.code)
const secondText = (at_ms: number) => new Date(at_ms).toISOString().slice(0, 19).replace('T', ' ')
const codes = ({ body }: Answered) => (body.data ?? body.facts).reasons.map((each: any) => each.code)

describe('redemption', function () {
  this.timeout(60_000)
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())
  afterEach(async () => {
    assert.deepEqual(shop.reports, [])
  })

  const hold = (play_id: number, order_id: string, more: object = {}) =>
    shop.serve(`hold/${play_id}`, { order_id, ...more })
  const release = (play_id: number, order_id: string) => shop.serve(`release/${play_id}`, { order_id })
  const rollback = (play_id: number, order_id: string | number, more: object = {}, key?: string) =>
    shop.serve(`rollback/${play_id}`, { order_id, reason: 'The customer cancelled.', ...more }, key)
  const use = async (play_id: number, order_id: string, more: object = {}) => {
    const answer = await shop.apply(play_id, { ...ORDER, order_id, ...more })
    assert.equal(answer.status, 200, answer.text)
    return answer.body.data.applied_details
  }
  const balance = async (user: string, kind: string) => {
    const { body } = await shop.ask('GET', '/api/v1/me/balances', { token: await shop.player(user) })
    return body.data.find((each: any) => each.account_kind === kind)?.balance_minor ?? 0
  }
  const audited = (uuid: string, action: string) =>
    shop.database.query<any>(
      'select user_id, old_values, new_values from audit_logs where entity_id = $1 and action = $2 order by seq',
      [uuid, action],
    )

  describe('hold', () => {
    it('P-27 a held prize is for its order alone, and everybody else is told until when', async () => {
      const play_id = await shop.open('ada')
      const end_ms = shop.clock.now().getTime() + 15 * MINUTE_MS
      const held = await hold(play_id, 'ada-1')
      assert.deepEqual(held.body, {
        success: true,
        message: 'Prize held successfully!',
        data: {
          prize_status: 'unlocked',
          held_for_order_id: 'ada-1',
          held_until: secondText(end_ms),
        },
      })
      for (const answer of [
        await hold(play_id, 'ada-2'),
        await shop.apply(play_id, { ...ORDER, order_id: 'ada-2' }),
        await release(play_id, 'ada-2'),
      ]) {
        assert.deepEqual(
          [answer.status, answer.body.code, codes(answer)],
          [409, 'prize_held', ['prize_held']],
        )
        const clock = secondText(Math.ceil(end_ms / MINUTE_MS) * MINUTE_MS).slice(11, 16)
        assert.equal(answer.body.detail, `The prize is held until ${clock}.`)
      }
      const [item] = (await shop.list('ada')).body.data
      assert.deepEqual(
        [item.can_apply, item.why_not[0].code, item.why_not[0].valid_from],
        [false, 'prize_held', secondText(Math.ceil(end_ms / 1_000) * 1_000)],
      )
      const other = await shop.validate(play_id, { ...ORDER, order_id: 'ada-2' })
      assert.deepEqual(codes(other), ['prize_held'])
      assert.equal((await shop.validate(play_id, { ...ORDER, order_id: 'ada-1' })).body.data.valid, true)
      await use(play_id, 'ada-1')
      const left = await shop.database.query('select 1 from prize_holds where play_id = $1', [play_id])
      assert.equal(left.length, 0, 'an application consumes its hold')
      assert.equal(outcome(await release(play_id, 'ada-1')), 'prize_applied')
    })

    it('P-27 a hold ends at its instant by itself, though nobody has deleted it', async () => {
      const play_id = await shop.open('bob')
      await hold(play_id, 'bob-1', { minutes: 5 })
      shop.clock.advance(5 * MINUTE_MS - 1)
      assert.equal(outcome(await hold(play_id, 'bob-2')), 'prize_held')
      shop.clock.advance(1)
      assert.equal(outcome(await hold(play_id, 'bob-2')), 'ok')
      assert.equal(outcome(await shop.apply(play_id, { ...ORDER, order_id: 'bob-1' })), 'prize_held')
      assert.equal(outcome(await shop.apply(play_id, { ...ORDER, order_id: 'bob-2' })), 'ok')
    })

    it('P-27 releasing frees it at once, twice is the same, and the same order holds anew', async () => {
      const play_id = await shop.open('cal')
      await hold(play_id, 'cal-1')
      shop.clock.advance(MINUTE_MS)
      const again = await hold(play_id, 'cal-1')
      const until = new Date(shop.clock.now().getTime() + 15 * MINUTE_MS).toISOString()
      assert.equal(again.body.data.held_until, until.slice(0, 19).replace('T', ' '))
      const first = await release(play_id, 'cal-1')
      const second = await release(play_id, 'cal-1')
      assert.deepEqual([first.status, first.text], [200, second.text])
      const { uuid } = await shop.row(play_id)
      assert.deepEqual(
        [(await audited(uuid, 'hold')).length, (await audited(uuid, 'release')).length],
        [2, 1],
      )
      assert.equal(outcome(await hold(play_id, 'cal-2')), 'ok')
    })

    it('P-27 is of the service, within the policy, for an open prize, and never beyond its deadline', async () => {
      const [locked, open, late] = [
        await shop.win('dee'),
        await shop.open('dee'),
        await shop.open('dee', { ...TEN_OFF, expires_in_days: 1 }),
      ]
      assert.equal(outcome(await hold(locked, 'dee-1')), 'prize_locked')
      assert.equal((await hold(open, 'dee-1', { minutes: 16 })).status, 400)
      assert.equal((await hold(open, 'dee-1', { minutes: 0 })).status, 400)
      for (const role of ['player', 'operator'] as const) {
        const token = await shop.token(role, { sub: 'dee' })
        const path = `/api/v1/gamification/hold/${open}`
        assert.equal((await shop.ask('POST', path, { token, json: { order_id: 1 } })).status, 403, role)
      }
      shop.clock.advance(DAY_MS - MINUTE_MS)
      const deadline = new Date(shop.clock.now().getTime() + MINUTE_MS).toISOString()
      const held = await hold(late, 'dee-2')
      assert.equal(held.body.data.held_until, deadline.slice(0, 19).replace('T', ' '))
      await use(open, 'dee-3')
      assert.equal(outcome(await hold(open, 'dee-3')), 'prize_applied')
      shop.clock.advance(MINUTE_MS + 1)
      assert.equal(outcome(await hold(late, 'dee-2')), 'prize_expired')
    })

    it('P-27 of 30 orders that ask at once one holds, and of holds and applies that race one wins', async () => {
      const play_id = await shop.open('eli')
      const asked = await Promise.all(Array.from({ length: 30 }, (_, i) => hold(play_id, `eli-${i}`)))
      assert.deepEqual(asked.map(outcome).sort(), ['ok', ...Array(29).fill('prize_held')])

      for (let round = 0; round < 5; round++) {
        const raced = await shop.open('eli')
        const answers = await Promise.all(
          Array.from({ length: 12 }, (_, i) =>
            i % 2 === 0
              ? hold(raced, `race-${round}-${i}`)
              : shop.apply(raced, { ...ORDER, order_id: `race-${round}-${i}` }),
          ),
        )
        const outcomes = answers.map(outcome)
        assert.equal(outcomes.filter((each) => each === 'ok').length, 1, outcomes.join(' '))
        assert.ok(outcomes.every((each) => ['ok', 'prize_held', 'prize_applied'].includes(each)))
      }
    })

    it('P-27 pipelined in one write, a hold, an apply of another order and one of its own are served one by one', async () => {
      const play_id = await shop.open('eve')
      const request = (verb: string, json: object, key: string) =>
        shop.requestText('POST', `/api/v1/gamification/${verb}/${play_id}`, {
          token: shop.service,
          json,
          headers: { 'idempotency-key': key },
        })
      const text = [
        request('hold', { order_id: 'eve-1' }, 'eve-a'),
        request('apply', { ...ORDER, order_id: 'eve-2' }, 'eve-b'),
        request('apply', { ...ORDER, order_id: 'eve-1' }, 'eve-c'),
        request('rollback', { order_id: 'eve-1', reason: 'x' }, 'eve-d'),
      ].join('')
      const answers = await shop.raw(text, 4, 15_000)
      const statuses = answers.map(({ status }) => status)
      const { prize_status, applied_to_order_id } = await shop.row(play_id)
      // Whatever the order in which they were begun, the prize is in one of the states that the answers name.
      const is_used = statuses[1] === 200 || (statuses[2] === 200 && statuses[3] !== 200)
      assert.equal(prize_status, is_used ? 'applied' : 'unlocked', JSON.stringify(answers))
      assert.ok(!(statuses[1] === 200 && statuses[2] === 200 && statuses[3] !== 200), 'two orders have it')
      if (statuses[1] === 200) assert.equal(applied_to_order_id, 'eve-2')
    })
  })

  describe('rollback', () => {
    it('P-28 an order that is cancelled gives the prize back once, and it applies to another order', async () => {
      const play_id = await shop.open('fay')
      await use(play_id, 'fay-1')
      const first = await rollback(play_id, 'fay-1')
      const now = shop.clock.now().toISOString().slice(0, 19).replace('T', ' ')
      assert.deepEqual(first.body, {
        success: true,
        message: 'Prize rolled back successfully!',
        data: {
          prize_status: 'unlocked',
          order_id: 'fay-1',
          rolled_back_at: now,
          discount_returned: '7.55',
          discount_kept: '0.00',
          undone: null,
        },
      })
      shop.clock.advance(1_000)
      const again = await rollback(play_id, 'fay-1', { reason: 'Again' })
      assert.deepEqual([again.status, again.text], [200, first.text])
      const row = await shop.row(play_id)
      assert.deepEqual(
        [row['prize_status'], row['is_claimed'], row['order_id'], row['claimed_at'], row['applied_details']],
        ['unlocked', false, null, null, null],
      )
      const same = await shop.apply(play_id, { ...ORDER, order_id: 'fay-1' })
      assert.equal(outcome(same), 'obligation_conflict')
      assert.match(same.body.detail, /taken back/)
      await use(play_id, 'fay-2')
      assert.deepEqual(
        (await rollback(play_id, 'fay-1')).text,
        first.text,
        'and it does not touch the second',
      )
      assert.equal((await shop.row(play_id))['prize_status'], 'applied')
      const moves = await shop.database.query<any>(
        'select from_status, to_status, moved_by, why from prize_history where play_id = $1 order by id',
        [play_id],
      )
      assert.deepEqual(moves[2], {
        from_status: 'applied',
        to_status: 'unlocked',
        moved_by: 'shop',
        why: 'roll back order fay-1: The customer cancelled.',
      })
      const [audit] = await audited(row['uuid'], 'rollback')
      assert.deepEqual(
        [audit.old_values.prize_status, audit.new_values.prize_status, audit.new_values.reason],
        ['applied', 'unlocked', 'The customer cancelled.'],
      )
    })

    it('P-28 S2-24 S2-25 points and credit are taken back from the ledger, once', async () => {
      const [points, credit] = [await shop.open('gil', POINTS), await shop.open('gil', CREDIT)]
      await use(points, 'gil-1')
      await use(credit, 'gil-2')
      assert.deepEqual(
        [await balance('gil', 'loyalty_points'), await balance('gil', 'wallet_credit')],
        [100, 2000],
      )
      const answers = await Promise.all(Array.from({ length: 10 }, () => rollback(credit, 'gil-2')))
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
      assert.deepEqual(answers[0]!.body.data.undone, {
        kind: 'posting',
        account: 'wallet_credit',
        unit: 'EUR',
        amount: '20.00',
      })
      await rollback(points, 'gil-1')
      assert.deepEqual(
        [await balance('gil', 'loyalty_points'), await balance('gil', 'wallet_credit')],
        [0, 0],
      )
      await use(points, 'gil-3')
      assert.equal(await balance('gil', 'loyalty_points'), 100)
    })

    it('P-28 S2-26 S2-23 free items and deliveries come back in the answer, for the shop to take off', async () => {
      const item = await shop.open('hal', { type: 'free_item', valid_food_ids: [7] })
      const delivery = await shop.open('hal', DELIVERY)
      await use(item, 'hal-1')
      await use(delivery, 'hal-2', { delivery_fee: 3.9 })
      const { undone } = (await rollback(item, 'hal-1')).body.data
      assert.deepEqual(undone.line, { id: 7, category_id: null, quantity: 1, price: '0.00' })
      assert.equal((await rollback(delivery, 'hal-2')).body.data.undone.amount_saved, '3.90')
    })

    it('P-28 a prize whose time was over meanwhile comes back expired, or lives on as the policy says', async () => {
      const [late, kept] = [await shop.open('ian'), await shop.open('ian')]
      await use(late, 'ian-1')
      await use(kept, 'ian-2')
      shop.clock.advance(8 * DAY_MS)
      assert.equal((await rollback(late, 'ian-1')).body.data.prize_status, 'expired')
      assert.equal((await shop.policy({ returned_prize_hours: 48 })).status, 200)
      try {
        assert.equal((await rollback(kept, 'ian-2')).body.data.prize_status, 'unlocked')
        const lives = shop.clock.now().getTime() + 48 * HOUR_MS
        assert.equal((await shop.row(kept))['expires_at'].getTime(), lives)
        assert.equal(outcome(await shop.apply(late, { ...ORDER, order_id: 'ian-3' })), 'prize_expired')
      } finally {
        await shop.policy({})
      }
    })

    it('P-28 what was never applied to the order is not found, and only the service asks, with a key', async () => {
      const play_id = await shop.open('jim')
      assert.equal(outcome(await rollback(play_id, 'jim-1')), 'not_found')
      await use(play_id, 'jim-1')
      assert.equal(outcome(await rollback(play_id, 'jim-2')), 'not_found')
      assert.equal(outcome(await rollback(999_999, 'jim-1')), 'not_found')
      const path = `/api/v1/gamification/rollback/${play_id}`
      const json = { order_id: 'jim-1', reason: 'x' }
      const keyless = await shop.ask('POST', path, { token: shop.service, json })
      assert.equal(keyless.body.code, 'idempotency_key_required')
      const headers = { 'idempotency-key': 'jim' }
      const token = await shop.player('jim')
      assert.equal((await shop.ask('POST', path, { token, json, headers })).status, 403)
      for (const bad of [
        { reason: '' },
        { return_id: 1 },
        { returned_amount: 5 },
        { reason: 'x'.repeat(151) },
      ])
        assert.equal((await rollback(play_id, 'jim-1', bad)).status, 400, JSON.stringify(bad))
      assert.equal((await shop.row(play_id))['prize_status'], 'applied')
    })

    it('P-28 an order cannot be called like a claim, which no rollback would find', async () => {
      const play_id = await shop.open('kim', POINTS)
      for (const answer of [
        await shop.apply(play_id, { ...ORDER, order_id: 'claim:5' }),
        await hold(play_id, 'claim:5'),
        await rollback(play_id, 'claim:5'),
      ])
        assert.deepEqual(
          [answer.status, answer.body.errors[0].pointer],
          [400, '/order_id'],
          JSON.stringify(answer.body),
        )
      await use(play_id, 'reclaim:5')
      assert.equal(outcome(await rollback(play_id, 'reclaim:5')), 'ok')
    })

    it('P-28 credit that was spent meanwhile is not made a debt: refused, with what is missing', async () => {
      const play_id = await shop.open('kim', CREDIT)
      await use(play_id, 'kim-1')
      const { postTransfer } = await import('../../src/ledger/post.ts')
      const { move, TENANT_OWNER } = await import('../../src/ledger/rules.ts')
      await shop.app.run(
        systemActor(shop.tenant.id),
        (tx) =>
          postTransfer(tx, {
            obligation: 'kim-spends',
            transfer_type: 'test',
            postings: move(
              1_500,
              'EUR',
              { account_kind: 'wallet_credit', owner_id: 'kim' },
              { account_kind: 'house', owner_id: TENANT_OWNER },
            ),
          }),
        undefined,
      )
      const refused = await rollback(play_id, 'kim-1')
      assert.deepEqual([outcome(refused), refused.body.facts.missing_minor], ['insufficient_funds', 1_500])
      assert.equal((await shop.row(play_id))['prize_status'], 'applied')
    })

    it('P-28 a part that comes back takes its share of the discount along, to the cent, and the last one the prize', async () => {
      const play_id = await shop.open('lea')
      await use(play_id, 'lea-1')
      const part = (return_id: string, returned_amount: unknown) =>
        rollback(play_id, 'lea-1', { return_id, returned_amount })
      const first = await part('r-1', 25.17)
      assert.deepEqual(first.body.data, {
        prize_status: 'applied',
        order_id: 'lea-1',
        rolled_back_at: null,
        discount_returned: '2.52',
        discount_kept: '5.03',
        undone: null,
      })
      assert.equal((await part('r-1', '25.17')).text, first.text, 'a return is one obligation')
      assert.equal(outcome(await part('r-1', 20)), 'obligation_conflict')
      assert.equal((await part('r-2', 60)).status, 400)
      assert.equal((await part('r-2', 0)).status, 400)
      assert.equal((await part('r-2', 25.17)).body.data.discount_returned, '2.51')
      const last = await part('r-3', 25.16)
      assert.deepEqual(
        [last.body.data.prize_status, last.body.data.discount_returned, last.body.data.discount_kept],
        ['unlocked', '2.52', '0.00'],
      )
      assert.equal((await part('r-3', 25.16)).text, last.text)
      assert.equal((await part('r-1', 25.17)).text, first.text)
      assert.equal(outcome(await part('r-4', 1)), 'obligation_conflict')
      assert.equal((await shop.row(play_id))['prize_status'], 'unlocked')
    })

    it('P-28 after a part the rest is cancelled with what is left of the discount', async () => {
      const play_id = await shop.open('max')
      await use(play_id, 'max-1')
      await rollback(play_id, 'max-1', { return_id: 1, returned_amount: 25.17 })
      const { data } = (await rollback(play_id, 'max-1')).body
      assert.deepEqual(
        [data.discount_returned, data.discount_kept, data.prize_status],
        ['5.03', '0.00', 'unlocked'],
      )
    })

    it('P-28 rollbacks and applies that race leave one application standing at most, and the ledger as it says', async () => {
      const play_id = await shop.open('ned', POINTS)
      await use(play_id, 'ned-0')
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, i) =>
          i % 3 === 0
            ? rollback(play_id, 'ned-0')
            : shop.apply(play_id, { ...ORDER, order_id: `ned-${1 + (i % 5)}` }),
        ),
      )
      const known = ['ok', 'prize_applied', 'obligation_conflict']
      assert.ok(
        answers.map(outcome).every((each) => known.includes(each)),
        answers.map(outcome).join(' '),
      )
      const standing = await shop.database.query<any>(
        'select order_id from prize_applications where play_id = $1 and rolled_back_at is null',
        [play_id],
      )
      const { prize_status, applied_to_order_id } = await shop.row(play_id)
      assert.equal(standing.length, prize_status === 'applied' ? 1 : 0)
      if (prize_status === 'applied') assert.equal(standing[0].order_id, applied_to_order_id)
      assert.equal(await balance('ned', 'loyalty_points'), standing.length * 100)
    })
  })

  describe('stacking', () => {
    after(() => shop.policy({}))
    const STACKED = { stacking: { prizes_per_order_max: 3 } }
    const order = { order_amount: 100, order_type: 'delivery', delivery_fee: 3.9 }

    it('P-29 three prizes in one order give the stated total in the stated order, as validated before', async () => {
      await shop.policy({
        stacking: { prizes_per_order_max: 3, order: 'hierarchy', hierarchy: ['discount_fixed'] },
      })
      const plays = [
        await shop.open('oda', TEN_PERCENT),
        await shop.open('oda', FIVE_OFF),
        await shop.open('oda', DELIVERY),
      ]
      const [percent, fixed, delivery] = plays
      const dry = await shop.serve('validate', { play_ids: plays, ...order })
      const done = await shop.serve('apply', { order_id: 'oda-1', play_ids: plays, ...order })
      const told = done.body.data.applied.map((each: any) => [
        each.play_id,
        each.position,
        each.amount_before,
        each.discount_amount,
        each.amount_after,
      ])
      assert.deepEqual(told, [
        [fixed, 1, '100.00', '5.00', '95.00'],
        [percent, 2, '95.00', '10.00', '85.00'],
        [delivery, 3, '85.00', '0.00', '85.00'],
      ])
      assert.deepEqual([done.body.data.discount_amount, done.body.data.final_amount], ['15.00', '85.00'])
      const { valid, ...same } = dry.body.data
      assert.equal(valid, true)
      assert.deepEqual({ applied_to_order_id: 'oda-1', ...same }, done.body.data)

      const { applied_details } = await shop.row(percent!)
      assert.deepEqual(applied_details.calculation.stacking, {
        policy_version: same.policy_version,
        position: 2,
        placed: [{ play_id: fixed, discount_amount: '5.00' }],
      })
      assert.deepEqual(recompute(applied_details), {
        discount_amount: '10.00',
        final_amount: '85.00',
        faults: [],
      })
      const again = await shop.serve('apply', { order_id: 'oda-1', play_ids: plays, ...order })
      assert.deepEqual(again.body.data, done.body.data, 'under another key too')
    })

    it('P-29 one by one they stack in the order of the requests, and the answer explains it', async () => {
      await shop.policy({ stacking: { prizes_per_order_max: 3, percentage_on: 'discounted' } })
      const [fixed, percent] = [await shop.open('pat', FIVE_OFF), await shop.open('pat', TEN_PERCENT)]
      await use(fixed, 'pat-1', { order_amount: 100 })
      const second = await use(percent, 'pat-1', { order_amount: 100 })
      assert.deepEqual([second.discount_amount, second.final_amount], ['9.50', '85.50'])
      assert.deepEqual(second.stacking.placed, [{ play_id: fixed, discount_amount: '5.00' }])
    })

    it('P-29 S2-29 the basis of a minimum counts what the prizes before took', async () => {
      await shop.policy(STACKED)
      const minimum = { ...FIVE_OFF, min_order_amount: '98.00', min_order_amount_basis: 'before_discount' }
      const [first, second] = [await shop.open('quy', FIVE_OFF), await shop.open('quy', minimum)]
      assert.equal((await shop.validate(second, { ...order, order_id: 'quy-1' })).body.data.valid, true)
      await use(first, 'quy-1', { order_amount: 100 })
      const refused = await shop.apply(second, { ...ORDER, order_id: 'quy-1', order_amount: 100 })
      assert.deepEqual(codes(refused), ['min_order_amount'])
      assert.deepEqual(refused.body.facts.reasons[0].actual, '95.00')
    })

    it('P-29 all or nothing refuses all with the reasons of each, partial applies those that fit', async () => {
      const plays = [
        await shop.open('rob', FIVE_OFF),
        await shop.open('rob', { ...FIVE_OFF, min_order_amount: '500.00' }),
      ]
      const asked = { order_id: 'rob-1', play_ids: plays, ...order }
      await shop.policy({ stacking: { prizes_per_order_max: 3, mode: 'all_or_nothing' } })
      const nothing = await shop.serve('apply', asked)
      assert.equal(outcome(nothing), 'prize_not_applicable')
      assert.deepEqual(
        nothing.body.facts.refused.map(({ play_id, reasons }: any) => [play_id, reasons[0].code]),
        [
          [plays[1], 'min_order_amount'],
          [plays[0], 'all_or_nothing'],
        ],
      )
      await shop.policy(STACKED)
      const some = await shop.serve('apply', asked)
      assert.deepEqual(
        [some.body.data.applied.map((each: any) => each.play_id), some.body.data.refused[0].play_id],
        [[plays[0]], plays[1]],
      )
    })

    it('P-29 prizes of another player cannot be tried, and a list is checked', async () => {
      const mine = await shop.open('sam', FIVE_OFF)
      const theirs = await shop.open('tia', FIVE_OFF)
      const ask = async (play_ids: unknown) =>
        shop.ask('POST', '/api/v1/gamification/validate', {
          token: await shop.player('sam'),
          json: { play_ids, order_amount: 100 },
        })
      assert.equal((await ask([mine])).status, 200)
      assert.equal((await ask([mine, theirs])).status, 404)
      for (const bad of [[], [mine, mine], ['1'], Array.from({ length: 31 }, (_, i) => i + 1)])
        assert.equal((await ask(bad)).status, 400)
    })

    it('P-29 30 requests that race for one order of three prizes leave three on it', async () => {
      await shop.policy(STACKED)
      const plays: number[] = []
      for (let i = 0; i < 6; i++) plays.push(await shop.open('uwe', FIVE_OFF))
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) => shop.apply(plays[i % 6], { ...ORDER, order_id: 'uwe-1' })),
      )
      const refused = answers.filter(({ status }) => status !== 200)
      assert.ok(refused.every((each) => codes(each).includes('prizes_per_order')))
      const stands = await shop.database.query<any>(
        `select order_minor, final_minor from prize_applications where order_id = 'uwe-1' order by final_minor desc`,
      )
      assert.deepEqual(
        stands.map(({ order_minor, final_minor }) => [order_minor, final_minor]),
        [
          [7550, 7050],
          [7050, 6550],
          [6550, 6050],
        ],
      )
    })

    it('P-29 the policy has versions: read, changed by an operator against its ETag, audited, kept', async () => {
      const path = '/api/v1/wallet-policy'
      const read = await shop.ask('GET', path, { token: shop.operator })
      const etag = read.headers.get('etag')!
      assert.equal(etag, `"${read.body.row_version}"`)
      const json = { hold_minutes: 30 }
      const change = (headers: Record<string, string>, token = shop.operator) =>
        shop.ask('PUT', path, { token, json, headers })
      assert.equal((await change({})).status, 428)
      assert.equal((await change({ 'if-match': '"999"' })).status, 412)
      assert.equal((await change({ 'if-match': etag }, shop.service)).status, 403)
      const raced = await Promise.all(Array.from({ length: 8 }, () => change({ 'if-match': etag })))
      assert.deepEqual(raced.map(({ status }) => status).sort(), [200, ...Array(7).fill(412)])
      const { body } = await shop.ask('GET', `${path}/versions?limit=2`, { token: shop.operator })
      assert.deepEqual(
        [
          body.data[0].hold_minutes,
          body.data[0].row_version,
          body.data[1].row_version,
          body.data[0].changed_by,
        ],
        [30, read.body.row_version + 1, read.body.row_version, 'boss'],
      )
      const next = await shop.ask('GET', `${path}/versions?limit=2&cursor=${body.next_cursor}`, {
        token: shop.operator,
      })
      assert.equal(next.body.data[0].row_version, read.body.row_version - 1)
      const [audit] = await shop.database.query<any>(
        `select user_id, old_values, new_values from audit_logs where entity_type = 'wallet_policy' order by seq desc limit 1`,
      )
      assert.deepEqual(
        [audit.user_id, audit.old_values.hold_minutes, audit.new_values.hold_minutes],
        ['boss', 15, 30],
      )
      for (const bad of [{ hold_minutes: 0 }, { stacking: { mode: 'most' } }, { other: 1 }])
        assert.equal((await shop.policy(bad)).status, 400)
      const foreign = await shop.token('operator', { tenant: 'other' })
      assert.equal((await shop.ask('GET', path, { token: foreign })).body.row_version, 0)
    })
  })

  describe('expiry as rows', () => {
    const expire = () => expirePrizes(shop.app, shop.tenant.id)
    const status = async (play_id: number) => (await shop.row(play_id))['prize_status']

    it('S2-07 F8 the sweep expires what is past expiry and grace, once; not what is applied, never ends, or is in grace', async () => {
      await expire()
      const [locked, open, graced, never, used] = [
        await shop.win('vic'),
        await shop.open('vic'),
        await shop.open('vic', { ...TEN_OFF, grace_hours: 24 }),
        await shop.open('vic', { ...TEN_OFF, never_expires: true }),
        await shop.open('vic'),
      ]
      await use(used, 'vic-1')
      const all = async () => Promise.all([locked, open, graced, never, used].map(status))
      shop.clock.advance(7 * DAY_MS)
      await expire()
      assert.deepEqual(
        await all(),
        ['locked', 'unlocked', 'unlocked', 'unlocked', 'applied'],
        'the very deadline',
      )
      shop.clock.advance(1)
      await expire()
      assert.deepEqual(await all(), ['expired', 'expired', 'unlocked', 'unlocked', 'applied'])
      shop.clock.advance(24 * HOUR_MS)
      await expire()
      await expire()
      assert.deepEqual(await all(), ['expired', 'expired', 'expired', 'unlocked', 'applied'])
      const { uuid, row_version } = await shop.row(open)
      assert.equal(row_version, 3, 'won, unlocked, expired, and never again')
      const audit = await audited(uuid, 'expire')
      assert.deepEqual(
        audit.map(({ user_id, old_values, new_values }: any) => [
          user_id,
          old_values.prize_status,
          new_values.prize_status,
        ]),
        [['system', 'unlocked', 'expired']],
      )
      const listed = (await shop.list('vic', '?status=expired')).body.data.map((each: any) => each.id)
      assert.deepEqual(listed.sort(), [locked, open, graced].sort())
      for (const play_id of [open, graced])
        assert.equal(outcome(await shop.apply(play_id, { ...ORDER, order_id: 'vic-2' })), 'prize_expired')
      assert.equal((await shop.unlock('vic', locked)).body.code, 'prize_expired')
    })

    it('S2-07 F17 sweeps that race expire each prize once, in batches, and forget the holds that ended', async () => {
      const plays: number[] = []
      for (let i = 0; i < 12; i++) plays.push(await shop.open('wes'))
      await hold(plays[0]!, 'wes-1')
      shop.clock.advance(8 * DAY_MS)
      const system = systemActor(shop.tenant.id)
      for (;;) {
        const counts = await Promise.all(
          Array.from({ length: 6 }, () => shop.app.run(system, expireDue, { limit: 3 })),
        )
        assert.ok(counts.every((count) => count <= 3))
        if (counts.every((count) => count === 0)) break
      }
      const moves = await shop.database.query<any>(
        `select play_id, count(*)::int as n from prize_history where play_id = any($1) and to_status = 'expired' group by play_id`,
        [plays],
      )
      assert.deepEqual([moves.length, moves.every(({ n }) => n === 1)], [12, true])
      const holds = await shop.database.query('select 1 from prize_holds where play_id = any($1)', [plays])
      assert.equal(holds.length, 0)
    })

    it('S2-38 applies and sweeps that race at the deadline agree: a prize is applied or expired, never both', async () => {
      const plays: number[] = []
      for (let i = 0; i < 10; i++) plays.push(await shop.open('xia'))
      shop.clock.advance(7 * DAY_MS)
      const applies = plays.map((play_id) => shop.apply(play_id, { ...ORDER, order_id: `xia-${play_id}` }))
      // The clock goes on while they run: whoever reads it later is past the deadline.
      shop.clock.advance(1)
      const [answers] = await Promise.all([Promise.all(applies), expire(), expire()])
      await expire()
      for (const [i, play_id] of plays.entries())
        assert.equal(await status(play_id), outcome(answers[i]!) === 'ok' ? 'applied' : 'expired')
      assert.ok(answers.every((each) => ['ok', 'prize_expired'].includes(outcome(each))))
    })
  })

  describe('the record of an application', () => {
    it('S2-09 is_claimed, order_id and claimed_at follow the application there and back, and cannot be written', async () => {
      const play_id = await shop.open('zac')
      const legacy = async () => {
        const { is_claimed, order_id, claimed_at, applied_at, applied_to_order_id } = await shop.row(play_id)
        assert.deepEqual([order_id, claimed_at], [applied_to_order_id, applied_at])
        return [is_claimed, order_id]
      }
      assert.deepEqual(await legacy(), [false, null])
      for (const claim of [{ is_claimed: true }, { claimed_at: '2030-01-01 00:00:00' }])
        assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'zac-1', ...claim })).status, 400)
      await use(play_id, 'zac-1')
      assert.deepEqual(await legacy(), [true, 'zac-1'])
      for (const sql of ['is_claimed = false', `order_id = 'x'`, 'claimed_at = now()'])
        await assert.rejects(
          shop.database.query(`update gamification_game_plays set ${sql} where id = ${play_id}`),
          { code: '428C9' },
          sql,
        )
      await rollback(play_id, 'zac-1')
      assert.deepEqual(await legacy(), [false, null])
    })

    it('S2-10 a recomputation from the trace equals the stored amounts, and one changed figure is named', async () => {
      const capped = { ...TEN_PERCENT, value: '33.33', max_discount_amount: '20.00' }
      for (const [i, order_amount] of ['0.02', '9.99', '75.50', '60.01', '1000.00'].entries()) {
        const play_id = await shop.open('zoe', capped)
        await use(play_id, `zoe-${i}`, { order_amount })
        const [stored] = await shop.database.query<any>(
          'select discount_minor, final_minor, details from prize_applications where play_id = $1',
          [play_id],
        )
        const { discount_amount, final_amount, faults } = recompute(stored.details)
        assert.deepEqual(faults, [])
        const text = (minor: number) => (minor / 100).toFixed(2)
        assert.deepEqual(
          [discount_amount, final_amount],
          [text(stored.discount_minor), text(stored.final_minor)],
        )
        const spoiled = { ...stored.details, final_amount: '0.02' }
        assert.deepEqual(recompute(spoiled).faults, ['final_amount'])
      }
    })
  })

  describe('the database', () => {
    it('S2-03 even SQL does not give a prize back without taking its application back, nor twice', async () => {
      const play_id = await shop.open('yve')
      await use(play_id, 'yve-1')
      const byHand = (sql: string) =>
        shop.database.query(sql).then(
          () => 'done',
          (error: { code?: string }) => error.code,
        )
      const back = `update gamification_game_plays
      set prize_status = 'unlocked', applied_at = null, applied_to_order_id = null where id = ${play_id}`
      assert.equal(await byHand(back), '23514')
      assert.equal(
        await byHand(`do $$ begin perform set_config('app.prize_rollback', 'on', true); ${back}; end $$`),
        '23514',
      )
      await rollback(play_id, 'yve-1')
      assert.equal(
        await byHand(`update prize_applications set rolled_back_at = null where play_id = ${play_id}`),
        '23514',
      )
    })

    it('P-28 P-29 I11 I12 I13 I15 I16 the audit finds nothing to say about everything above', async () => {
      const report = await runAudit(shop.database)
      assert.deepEqual(
        report.checks
          .filter((check) => check.status === 'violated')
          .map(({ id, title, examples }) => ({ id, title, examples })),
        [],
      )
    })
  })
})
