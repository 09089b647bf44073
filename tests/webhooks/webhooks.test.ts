/** Webhooks: told if and only if it is committed, signed, tried again, never internal, replayed on demand. */
import assert from 'node:assert/strict'
import { Webhook } from 'standardwebhooks'
import { systemActor } from '../../src/system.ts'
import {
  type LoyaltyMovement,
  MessageError,
  openMessage,
  receiveLoyalty,
} from '../../src/webhooks/receiver.ts'
import { RETRY_AFTER_S } from '../../src/webhooks/rules.ts'
import { ORDER } from '../prizes/kit.ts'
import { atTime, startWebhooks, type WebhookStage } from './kit.ts'

const HOUR_MS = 3_600_000

describe('webhooks', function () {
  this.timeout(60_000)
  let stage: WebhookStage
  let count = 0
  const user = () => `user-${++count}`

  before(async () => {
    stage = await startWebhooks({ timeout_ms: 300 })
  })
  beforeEach(() => {
    stage.receiver.received.length = 0
    stage.receiver.state.answer = () => ({ status: 204 })
  })
  afterEach(async () => {
    const { body } = await stage.call('GET', '?limit=100')
    for (const { id } of body.data) await stage.remove(id)
    await stage.jobs.runOnce()
    assert.deepEqual(stage.reports, [])
  })
  after(() => stage.close())

  const outbox = () =>
    stage.shop.database.query<any>('select event_type, data from outbox order by created_at, id')
  const bodies = () => stage.receiver.received.map(({ body }) => JSON.parse(body))

  describe('the endpoint', () => {
    it('P-53 its secret is shown once, to the one who creates it, and lies sealed', async () => {
      const answer = await stage.call(
        'POST',
        '',
        { url: stage.receiver.url, event_types: ['prize.won'] },
        { 'idempotency-key': 'webhook-1' },
      )
      const { id, secret } = answer.body
      assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
      assert.equal((await stage.call('GET', `/${id}`)).body.secret, undefined)
      assert.equal((await stage.call('GET', '')).body.data[0].secret, undefined)
      const raw = Buffer.from(secret.slice(6), 'base64')
      for (const table of ['webhooks', 'audit_logs', 'idempotency_keys', 'outbox']) {
        const text = JSON.stringify(await stage.shop.database.query(`select * from ${table}`))
        assert.ok(!text.includes(secret.slice(6)) && !text.includes(raw.toString('hex')), table)
      }
    })

    it('P-53 an address that is internal, plain, or carries a password is refused by name', async () => {
      for (const url of [
        'http://shop.example/x',
        'https://10.0.0.1/',
        'https://[fd00::1]/',
        'https://169.254.169.254/latest/meta-data',
        'https://me:secret@shop.example/',
        'ftp://shop.example/',
        'nonsense',
      ]) {
        const answer = await stage.call('POST', '', { url, event_types: ['prize.won'] })
        assert.deepEqual([answer.status, answer.body.errors?.[0]?.pointer], [400, '/url'], url)
      }
      const types = await stage.call('POST', '', { url: stage.receiver.url, event_types: ['Prize Won'] })
      assert.deepEqual([types.status, types.body.errors?.[0]?.pointer], [400, '/event_types/0'])
    })
  })

  describe('what is told', () => {
    it('S0-34 S2-64 a prize from won to applied: signed as the reference library expects, nothing of a locked one, never a code', async () => {
      const { id, secret } = await stage.aWebhook()
      const alice = user()
      const play_id = await stage.shop.open(alice)
      assert.equal((await stage.shop.apply(play_id, ORDER)).status, 200)
      await stage.jobs.runOnce()

      // Messages may overtake one another; what they say has its own times.
      const order = ['prize.won', 'prize.unlocked', 'prize.applied']
      assert.deepEqual(stage.receiver.types().sort(), [...order].sort())
      const { prize_code } = await stage.shop.row(play_id)
      const reference = new Webhook(secret)
      for (const { headers, body } of stage.receiver.received) {
        atTime(stage.shop.clock.now(), () => reference.verify(body, headers as Record<string, string>))
        assert.ok(!body.includes(prize_code), 'no code leaves the house')
        openMessage(secret, headers, body, stage.shop.clock.now())
      }
      const [won, unlocked, applied] = order.map((type) => bodies().find((each) => each.type === type))
      assert.deepEqual([won.data.user_id, won.data.prize_status, won.data.prize], [alice, 'locked', null])
      assert.ok(!JSON.stringify(won).includes('Discount'))
      assert.deepEqual(unlocked.data.prize, {
        name: '10% Discount',
        type: 'discount_percentage',
        value: '10.00',
        display_value: '10% OFF',
      })
      assert.deepEqual(applied.data.application, {
        order_id: 456,
        order_minor: 7550,
        discount_minor: 755,
        final_minor: 6795,
        currency: 'EUR',
      })
      assert.match(applied.timestamp, /^2030-01-15T\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert.deepEqual(
        (await stage.deliveries(id)).map(({ status, attempt_count }) => [status, attempt_count]),
        [
          ['delivered', 1],
          ['delivered', 1],
          ['delivered', 1],
        ],
      )
    })

    it('P-53 an altered, foreign or old message is refused by the receiver', async () => {
      const { secret } = await stage.aWebhook()
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      const [{ headers, body }] = stage.receiver.received as [(typeof stage.receiver.received)[0]]
      const now = stage.shop.clock.now()
      for (const [how, key, changed, at] of [
        ['altered', secret, body.replace('locked', 'opened'), now],
        ['foreign', `whsec_${Buffer.alloc(32).toString('base64')}`, body, now],
        ['old', secret, body, new Date(now.getTime() + HOUR_MS)],
      ] as const) {
        assert.throws(() => openMessage(key, headers, changed, at), MessageError, how)
        assert.throws(() => atTime(at, () => new Webhook(key).verify(changed, headers as never)), how)
      }
    })

    it('S1-19 what is rolled back is told to nobody, and what nobody wants to know leaves no row', async () => {
      const before = (await outbox()).length
      await stage.shop.win(user())
      assert.equal((await outbox()).length, before, 'no webhook')
      const { id } = await stage.aWebhook({ event_types: ['prize.applied'] })
      await stage.shop.win(user())
      assert.equal((await outbox()).length, before, 'no webhook of that type')

      await stage.call('PATCH', `/${id}`, { event_types: ['prize.*'] }, { 'if-match': '*' })
      const { tenant, app } = stage.shop
      const undone = app.run(
        systemActor(tenant.id),
        async (tx) => {
          await tx.rows(`insert into gamification_game_plays (uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status,
                           prize_snapshot, event_id, created_at, updated_at)
                         select gen_random_uuid(), game_id, 'undone', prize_id, true, 'UNDONE', 'locked', prize_snapshot, event_id, now(), now()
                         from gamification_game_plays limit 1`)
          assert.equal((await tx.rows(`select 1 from outbox where data ->> 'user_id' = 'undone'`)).length, 1)
          throw new Error('undone')
        },
        undefined,
      )
      await assert.rejects(undone, /^Error: undone$/)
      await stage.jobs.runOnce()
      assert.equal((await outbox()).length, before)
      assert.deepEqual(stage.receiver.received, [])
    })

    it('S1-02 a webhook hears of its own tenant alone', async () => {
      const { shop } = stage
      const theirs = await shop.ask('POST', '/api/v1/webhooks', {
        token: await shop.token('operator', { tenant: 'other', sub: 'their-boss' }),
        json: { url: stage.receiver.url, event_types: ['prize.*', 'wheel.*', 'loyalty.*'] },
      })
      assert.equal(theirs.status, 201)
      await shop.open(user())
      await stage.jobs.runOnce()
      assert.deepEqual(stage.receiver.received, [])
    })

    it('S0-34 a game that ends is told under the name that its rooms hear', async () => {
      await stage.aWebhook({ event_types: ['wheel.status'] })
      const { wheel_id } = await stage.shop.aWheel('ends')
      const ended = await stage.shop.ask('POST', '/api/v1/wheels/ends/end', { token: stage.shop.operator })
      assert.equal(ended.status, 200, ended.text)
      await stage.jobs.runOnce()
      const last = bodies().at(-1)
      assert.deepEqual([last.type, last.data.game_id, last.data.status], ['wheel.status', wheel_id, 'ended'])
    })

    it('S2-64 S2-24 an outside loyalty programme follows the points by its adapter, each movement once', async () => {
      const { secret } = await stage.aWebhook({ event_types: ['loyalty.points_moved'] })
      const alice = user()
      const play_id = await stage.shop.open(alice, {
        type: 'loyalty_points',
        value: '250',
        min_order_amount: null,
      })
      assert.equal((await stage.shop.apply(play_id, { ...ORDER, order_id: 9001 })).status, 200)
      await stage.jobs.runOnce()

      /** A programme that keeps balances, and each movement once. */
      const seen = new Map<number, LoyaltyMovement>()
      const adapter = {
        moved: async (movement: LoyaltyMovement) => void seen.set(movement.posting_id, movement),
      }
      const now = stage.shop.clock.now()
      for (const { headers, body } of [...stage.receiver.received, ...stage.receiver.received])
        assert.equal(await receiveLoyalty(adapter, secret, headers, body, now), 204)
      const forged = stage.receiver.received[0]!
      assert.equal(await receiveLoyalty(adapter, secret, forged.headers, `${forged.body} `, now), 401)
      assert.deepEqual(
        [...seen.values()].map(({ user_id, unit, points, balance_after, transfer_type }) => ({
          user_id,
          unit,
          points,
          balance_after,
          transfer_type,
        })),
        [{ user_id: alice, unit: 'PTS', points: 250, balance_after: 250, transfer_type: 'prize.applied' }],
      )
    })
  })

  describe('when the receiver fails', () => {
    it('F28 it is tried at 0, 5 s, 5 min, 30 min, 2, 5, 10, 14, 20, 24 h, then given up, all of it in the log', async () => {
      const { id } = await stage.aWebhook()
      stage.receiver.state.answer = () => ({ status: 500, body: `no\u0000 way ${'x'.repeat(2_000)}` })
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      for (const [i, after_s] of RETRY_AFTER_S.entries()) {
        stage.shop.clock.advance((after_s - 1) * 1_000)
        await stage.jobs.runOnce()
        assert.equal(stage.receiver.received.length, i + 1, `not before ${after_s} s`)
        stage.shop.clock.advance(1_000)
        await stage.jobs.runOnce()
        assert.equal(stage.receiver.received.length, i + 2, `after ${after_s} s`)
      }
      stage.shop.clock.advance(100 * HOUR_MS)
      await stage.jobs.runPeriodic('webhooks.sweep')
      await stage.jobs.runOnce()
      assert.equal(stage.receiver.received.length, 10)
      assert.equal(new Set(stage.receiver.received.map(({ headers }) => headers['webhook-id'])).size, 1)
      assert.equal(
        new Set(stage.receiver.received.map(({ body }) => body)).size,
        1,
        'the same bytes each time',
      )

      const [delivery] = await stage.deliveries(id)
      assert.deepEqual(
        [delivery.status, delivery.attempt_count, delivery.next_attempt_at],
        ['failed', 10, null],
      )
      const { attempts } = (await stage.call('GET', `/${id}/deliveries/${delivery.id}`)).body
      assert.equal(attempts.length, 10)
      for (const [i, each] of attempts.entries()) {
        assert.deepEqual([each.attempt_no, each.status_code], [i + 1, 500])
        assert.ok(each.response_excerpt.startsWith('no  way x') && each.response_excerpt.length <= 1_000)
        if (i < 9) {
          const wait_s = (Date.parse(each.next_attempt_at) - Date.parse(each.attempted_at)) / 1_000
          assert.equal(Math.round(wait_s), RETRY_AFTER_S[i])
        }
      }
    })

    it('P-53 it recovers: the next attempt delivers, and nothing is sent after that', async () => {
      const { id } = await stage.aWebhook()
      let failures = 2
      stage.receiver.state.answer = () => (failures-- > 0 ? { status: 503 } : { status: 200, body: 'thanks' })
      await stage.shop.win(user())
      for (const after_s of [0, 5, 300, 1_800]) {
        stage.shop.clock.advance(after_s * 1_000)
        await stage.jobs.runOnce()
      }
      assert.equal(stage.receiver.received.length, 3)
      const [delivery] = await stage.deliveries(id, '?status=delivered')
      assert.equal(delivery.attempt_count, 3)
    })

    it('P-53 410 switches the webhook off and stops what is on its way; switched on it hears again', async () => {
      const { id } = await stage.aWebhook()
      await stage.shop.win(user())
      await stage.shop.win(user())
      stage.receiver.state.answer = () => ({ status: 410 })
      await stage.jobs.runOnce()
      const off = (await stage.call('GET', `/${id}`)).body
      assert.deepEqual([off.is_enabled, off.disabled_reason], [false, 'gone'])
      const sent = stage.receiver.received.length
      await stage.shop.win(user())
      stage.shop.clock.advance(48 * HOUR_MS)
      await stage.jobs.runOnce()
      assert.equal(stage.receiver.received.length, sent, 'silence')
      assert.deepEqual([...new Set((await stage.deliveries(id)).map(({ status }) => status))], ['stopped'])
      const refused = await stage.call('POST', `/${id}/test`)
      assert.deepEqual([refused.status, refused.body.code], [409, 'webhook_disabled'])

      stage.receiver.state.answer = () => ({ status: 204 })
      const on = await stage.call(
        'PATCH',
        `/${id}`,
        { is_enabled: true },
        { 'if-match': `"${off.row_version}"` },
      )
      assert.deepEqual([on.body.is_enabled, on.body.disabled_reason], [true, null])
      assert.equal((await stage.call('POST', `/${id}/test`)).status, 202)
      await stage.jobs.runOnce()
      assert.equal(stage.receiver.types().at(-1), 'webhook.test')
    })

    it('P-53 a redirect is a failure and nobody follows it; a receiver that never answers is left in time', async () => {
      const { id } = await stage.aWebhook()
      stage.receiver.state.answer = () => ({
        status: 302,
        location: `http://127.0.0.1:${stage.receiver.port}/elsewhere`,
      })
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      assert.deepEqual(
        stage.receiver.received.map(({ path }) => path),
        ['/in'],
      )
      stage.receiver.state.answer = () => null
      stage.shop.clock.advance(5_000)
      await stage.jobs.runOnce()
      const [delivery] = await stage.deliveries(id)
      const { attempts } = (await stage.call('GET', `/${id}/deliveries/${delivery.id}`)).body
      assert.deepEqual(
        attempts.map(({ status_code, failure }: any) => [status_code, failure]),
        [
          [302, null],
          [null, 'timeout'],
        ],
      )
      assert.ok(attempts[1].duration_ms >= 290 && attempts[1].duration_ms < 5_000)
    })

    it('F28 a process that died between an attempt and its record: the sweep tries again, under the same id', async () => {
      const { id } = await stage.aWebhook()
      await stage.shop.win(user())
      // As the dead process left it: claimed, sent perhaps, its job gone with nothing written down.
      await stage.shop.database.query('delete from graphile_worker._private_jobs')
      await stage.shop.database.query(
        `update webhook_deliveries set attempt_count = 1, next_attempt_at = $1 where webhook_id = $2`,
        [new Date(stage.shop.clock.now().getTime() + 60_000), id],
      )
      await stage.jobs.runPeriodic('webhooks.sweep')
      await stage.jobs.runOnce()
      assert.equal(stage.receiver.received.length, 0, 'its lease lasts')
      stage.shop.clock.advance(60_001)
      await stage.jobs.runPeriodic('webhooks.sweep')
      await stage.jobs.runOnce()
      const [delivery] = await stage.deliveries(id)
      assert.deepEqual([delivery.status, delivery.attempt_count], ['delivered', 2])
    })
  })

  describe('secrets and replay', () => {
    it('P-53 after a rotation both secrets sign until the overlap ends, then the new one alone', async () => {
      const { id, secret } = await stage.aWebhook()
      const rotated = await stage.call('POST', `/${id}/rotate-secret`, { overlap_hours: 2 })
      assert.equal(rotated.status, 200, rotated.text)
      const opens = (key: string) => {
        const { headers, body } = stage.receiver.received.at(-1)!
        try {
          openMessage(key, headers, body, stage.shop.clock.now())
          return true
        } catch {
          return false
        }
      }
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      assert.deepEqual([opens(secret), opens(rotated.body.secret)], [true, true])
      stage.shop.clock.advance(2 * HOUR_MS)
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      assert.deepEqual([opens(secret), opens(rotated.body.secret)], [false, true])
      const at_once = await stage.call('POST', `/${id}/rotate-secret`, { overlap_hours: 0 })
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      assert.deepEqual([opens(rotated.body.secret), opens(at_once.body.secret)], [false, true])
    })

    it('P-53 one delivery is replayed under its id, and again goes through every retry', async () => {
      const { id } = await stage.aWebhook()
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      const [delivery] = await stage.deliveries(id)
      stage.receiver.state.answer = () => ({ status: 500 })
      const replayed = await stage.call('POST', `/${id}/deliveries/${delivery.id}/replay`)
      assert.deepEqual([replayed.status, replayed.body.status], [202, 'pending'])
      await stage.jobs.runOnce()
      stage.receiver.state.answer = () => ({ status: 204 })
      stage.shop.clock.advance(5_000)
      await stage.jobs.runOnce()
      const ids = stage.receiver.received.map(({ headers }) => headers['webhook-id'])
      assert.deepEqual(ids, Array(3).fill(delivery.event_id))
      assert.equal((await stage.deliveries(id))[0].status, 'delivered')
    })

    it('P-53 a span of time is replayed: what failed, or everything, and nothing outside of it', async () => {
      const { id } = await stage.aWebhook()
      stage.receiver.state.answer = ({ body }) => ({ status: body.includes('unlucky') ? 410 : 204 })
      await stage.shop.win('lucky')
      await stage.jobs.runOnce()
      stage.shop.clock.advance(HOUR_MS)
      const from = stage.shop.clock.now()
      await stage.shop.win('span-lucky')
      await stage.jobs.runOnce()
      await stage.shop.win('span-unlucky')
      await stage.jobs.runOnce()
      stage.shop.clock.advance(HOUR_MS)
      const span = { from: from.toISOString(), to: stage.shop.clock.now().toISOString() }
      await stage.call('PATCH', `/${id}`, { is_enabled: true }, { 'if-match': '*' })
      stage.receiver.state.answer = () => ({ status: 204 })

      const users = () => bodies().map(({ data }) => data.user_id)
      stage.receiver.received.length = 0
      const failed = await stage.call('POST', `/${id}/replay`, span)
      assert.deepEqual([failed.status, failed.body], [202, { replayed: 1, next_from: null }])
      await stage.jobs.runOnce()
      assert.deepEqual(users(), ['span-unlucky'])
      stage.receiver.received.length = 0
      const all = await stage.call('POST', `/${id}/replay`, { ...span, includes_delivered: true })
      assert.equal(all.body.replayed, 2)
      await stage.jobs.runOnce()
      assert.deepEqual(users().sort(), ['span-lucky', 'span-unlucky'])
    })

    it('S2-57 events nobody waits for go after 30 days, with their log; what is on its way stays', async () => {
      const { id } = await stage.aWebhook()
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      stage.shop.clock.advance(29 * 24 * HOUR_MS)
      stage.receiver.state.answer = () => ({ status: 500 })
      await stage.shop.win(user())
      await stage.jobs.runOnce()
      await stage.jobs.runPeriodic('webhooks.purge')
      await stage.jobs.runOnce()
      assert.equal((await stage.deliveries(id)).length, 2)
      await stage.shop.database.query(
        `update webhook_deliveries set next_attempt_at = '2100-01-01' where delivery_status = 'pending'`,
      )
      stage.shop.clock.advance(31 * 24 * HOUR_MS)
      await stage.jobs.runPeriodic('webhooks.purge')
      await stage.jobs.runOnce()
      assert.deepEqual(
        (await stage.deliveries(id)).map(({ status }) => status),
        ['pending'],
      )
      const rows = await stage.shop.database.query(
        `select 1 from webhook_attempts a where not exists (select from webhook_deliveries d where d.id = a.delivery_id)`,
      )
      assert.deepEqual(rows, [])
    })

    it('the list of deliveries pages without gap or repeat, and filters', async () => {
      const { id } = await stage.aWebhook()
      for (let i = 0; i < 5; i++) await stage.shop.open(user())
      const seen: string[] = []
      let cursor = ''
      for (let pages = 0; pages < 10; pages++) {
        const { body } = await stage.call('GET', `/${id}/deliveries?limit=3${cursor}`)
        seen.push(...body.data.map((each: any) => each.id))
        if (body.next_cursor === null) break
        cursor = `&cursor=${body.next_cursor}`
      }
      assert.deepEqual([seen.length, new Set(seen).size], [10, 10])
      assert.equal((await stage.deliveries(id, '?event_type=prize.unlocked')).length, 5)
      assert.equal((await stage.call('GET', `/${id}/deliveries?cursor=nonsense`)).status, 400)
    })
  })
})
