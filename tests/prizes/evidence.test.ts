/** What stands about a prize afterwards: every attempt in the audit chain, its history, its diagnosis, its code on paper. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { playerNames } from '../../src/games/players.ts'
import { CROCKFORD } from '../../src/ids.ts'
import { checkSymbol, printedCode, storedCodes } from '../../src/prizes/codes.ts'
import { expirePrizes } from '../../src/prizes/expiry.ts'
import { systemActor } from '../../src/system.ts'
import { propertyOptions } from '../fairness/seed.ts'
import type { Answer } from '../http/harness.ts'
import { ORDER, type Shop, startShop, TEN_OFF } from './kit.ts'

const DAY_MS = 86_400_000

describe('evidence', function () {
  this.timeout(60_000)
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const attempts = (play_id: number) =>
    shop.database.query<any>(
      `select action, user_id, entity_id, ip_address, old_values, new_values from audit_logs
       where entity_type = 'game_play' and (new_values->>'play_id')::bigint = $1 and action ~ '^(apply|validate)'
       order by seq`,
      [play_id],
    )

  describe('the audit of attempts', () => {
    it('S2-51 each apply and validate, refused or not, has one row with order, amounts, actor and address', async () => {
      const play_id = await shop.open('ana')
      const { uuid } = await shop.row(play_id)
      await shop.validate(play_id, { ...ORDER, order_amount: 45, order_id: 'ana-1' })
      await shop.validate(play_id, ORDER, await shop.player('ana'))
      await shop.validate(play_id, { ...ORDER, customer_order_count: 0 }, await shop.player('ana'))
      await shop.apply(play_id, { ...ORDER, order_amount: '45.00', order_id: 'ana-1' })
      await shop.apply(play_id, ORDER)
      await shop.apply(play_id, { ...ORDER, order_id: 'ana-2' })
      const rows = await attempts(play_id)
      assert.ok(rows.every(({ entity_id, ip_address }) => entity_id === uuid && ip_address !== null))
      assert.deepEqual(
        rows.map(({ action, user_id, new_values }) => [
          action,
          user_id,
          new_values.order_id,
          new_values.order_amount,
          new_values.code ?? null,
          new_values.reasons ?? null,
          new_values.discount_amount ?? null,
        ]),
        [
          ['validate', 'shop', 'ana-1', '45', null, ['min_order_amount'], null],
          ['validate', 'ana', '456', '75.5', null, [], '7.55'],
          ['validate.refused', 'ana', '456', '75.5', 'forbidden', [], null],
          ['apply.refused', 'shop', 'ana-1', '45.00', 'prize_not_applicable', ['min_order_amount'], null],
          ['apply', 'shop', '456', '75.50', null, null, '7.55'],
          ['apply.refused', 'shop', 'ana-2', '75.5', 'prize_applied', ['prize_applied'], null],
        ],
      )
      assert.ok(rows.every(({ new_values }) => new_values.user_id === 'ana'))
      const doubled = await shop.database.query(
        `select 1 from audit_logs where entity_type = 'request' and new_values->>'path' like '%/apply/%'`,
      )
      assert.equal(doubled.length, 0, 'the door writes no second row')
    })

    it('S2-51 a refused hold, release and rollback has one row too, on its play, with its order and the reason', async () => {
      const play_id = await shop.open('cleo', { type: 'wallet_credit', value: '20.00' })
      const { uuid } = await shop.row(play_id)
      await shop.serve(`hold/${play_id}`, { order_id: 'cleo-1' })
      await shop.serve(`hold/${play_id}`, { order_id: 'cleo-2' })
      await shop.serve(`release/${play_id}`, { order_id: 'cleo-2' })
      await shop.serve(`rollback/${play_id}`, { order_id: 'cleo-2', reason: 'Never placed.' })
      const rows = await shop.database.query<any>(
        `select action, user_id, ip_address, new_values from audit_logs where entity_id = $1 and action ~ 'refused' order by seq`,
        [uuid],
      )
      assert.ok(rows.every(({ user_id, ip_address }) => user_id === 'shop' && ip_address !== null))
      assert.deepEqual(
        rows.map(({ action, new_values }) => [action, new_values]),
        [
          [
            'hold.refused',
            { play_id, user_id: 'cleo', order_id: 'cleo-2', code: 'prize_held', reasons: ['prize_held'] },
          ],
          [
            'release.refused',
            { play_id, user_id: 'cleo', order_id: 'cleo-2', code: 'prize_held', reasons: ['prize_held'] },
          ],
          [
            'rollback.refused',
            { play_id, user_id: 'cleo', order_id: 'cleo-2', code: 'not_found', reasons: [] },
          ],
        ],
      )
      const doubled = await shop.database.query(
        `select 1 from audit_logs where entity_type = 'request' and new_values->'params'->>'play_id' = $1`,
        [String(play_id)],
      )
      assert.deepEqual(doubled, [], 'the door writes no second row')
    })

    it('S2-51 an attempt at a play that is not there leaves a row too, and so does each of 60 that race', async () => {
      await shop.apply(888_888, { ...ORDER, order_id: 'bea-0' })
      const [row] = await attempts(888_888)
      assert.deepEqual(
        [row.action, row.entity_id, row.new_values.code, row.new_values.user_id],
        ['apply.refused', null, 'not_found', null],
      )
      const play_id = await shop.open('bea')
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          i % 2 === 0
            ? shop.apply(play_id, { ...ORDER, order_id: `bea-${i}` })
            : shop.validate(play_id, { ...ORDER, order_id: `bea-${i}` }),
        ),
      )
      const rows = await attempts(play_id)
      const count = (action: string) => rows.filter((each) => each.action === action).length
      assert.deepEqual([count('apply'), count('apply.refused'), count('validate')], [1, 29, 30])
      assert.equal(answers.filter(({ status }) => status === 200).length, 31)
    })

    it('S2-51 of several prizes each has its row, also one that is refused beside others', async () => {
      await shop.policy({ stacking: { prizes_per_order_max: 3 } })
      try {
        const five = { type: 'discount_fixed', value: '5.00' }
        const plays = [
          await shop.open('cho', five),
          await shop.open('cho', { ...five, min_order_amount: '900.00' }),
        ]
        const json = { play_ids: plays, order_amount: 100, order_id: 'cho-1' }
        await shop.serve('validate', json)
        await shop.serve('apply', json)
        const told = async (play_id: number) => (await attempts(play_id)).map(({ action }) => action)
        assert.deepEqual(await told(plays[0]!), ['validate', 'apply'])
        assert.deepEqual(await told(plays[1]!), ['validate', 'apply.refused'])
      } finally {
        await shop.policy({})
      }
    })
  })

  describe('diagnosis', () => {
    const diagnose = async (play_id: number, user: string | null, query = '') =>
      shop.ask('GET', `/api/v1/gamification/diagnose/${play_id}${query}`, {
        token: user === null ? shop.operator : await shop.player(user),
      })
    const finding = ({ body }: { body: any }, question: string) => {
      const { ok, answer, reasons } = body.data.findings.find((each: any) => each.question === question)
      return { ok, answer, codes: reasons.map(({ code }: any) => code) }
    }

    it('S2-55 case 1, not in the wallet: a play that won nothing, or that is somebody else’s', async () => {
      const play_id = await shop.win('dan')
      const mine = await diagnose(play_id, 'dan')
      assert.deepEqual(finding(mine, 'in_wallet'), {
        ok: true,
        answer: 'It is listed under locked.',
        codes: [],
      })
      const asked = await diagnose(play_id, null, '?user_id=eva')
      assert.deepEqual(finding(asked, 'in_wallet').codes, ['other_owner'])
      assert.deepEqual(asked.body.data.findings[0].reasons[0].required, 'dan')
      const made = async (path: string, json: unknown, token = shop.operator) =>
        shop.ask('POST', `/api/v1/${path}`, { token, json, headers: { 'idempotency-key': path } })
      const rewards = [{ reward_slug: 'none', reward_label: 'Nothing', probability: '1' }]
      await made('wheels', { wheel_name: 'Nothing', wheel_slug: 'nothing', rewards })
      await made('wheels/nothing/publish', {})
      await made('spin-chances', { user_id: 'dan', count: 1, reason: 'test' })
      const spun = await made('wheels/nothing/spins', { request_id: 'lose' }, await shop.player('dan'))
      assert.equal(spun.body.won, false, spun.text)
      const [row] = await shop.database.query<any>(
        `select id from gamification_game_plays where user_id = 'dan' and not is_winner limit 1`,
      )
      const nothing = await diagnose(row.id, 'dan')
      assert.deepEqual(finding(nothing, 'in_wallet').codes, ['prize_not_won'])
      assert.deepEqual(finding(nothing, 'can_unlock').codes, ['prize_not_won'])
      assert.deepEqual(finding(nothing, 'can_apply').codes, ['prize_not_won'])
    })

    it('S2-55 what an order has to meet is named, and a cap is nothing to meet', async () => {
      const more = { name: 'Capped', max_discount_amount: '5.00', min_order_amount: '20.00' }
      const play_id = await shop.open('cap', { type: 'discount_percentage', value: '10.00', ...more })
      const { answer } = finding(await diagnose(play_id, 'cap'), 'can_apply')
      assert.match(answer, /meets min_order_amount;/)
      const free = await shop.open('cap', {
        type: 'discount_percentage',
        value: '10.00',
        name: 'Free',
        max_discount_amount: '5.00',
      })
      assert.match(finding(await diagnose(free, 'cap'), 'can_apply').answer, /to any order/)
    })

    it('S2-55 case 2, cannot apply: locked, used, held, outside its hours, or what an order has to meet', async () => {
      const weekday = ((shop.clock.now().getUTCDay() + 1) % 7) + 1
      const [locked, open, closed] = [
        await shop.win('eva'),
        await shop.open('eva'),
        await shop.open('eva', { ...TEN_OFF, valid_days: [weekday] }),
      ]
      assert.deepEqual(finding(await diagnose(locked, 'eva'), 'can_apply').codes, ['prize_locked'])
      assert.deepEqual(finding(await diagnose(closed, 'eva'), 'can_apply').codes, ['valid_days'])
      const fine = finding(await diagnose(open, 'eva'), 'can_apply')
      assert.deepEqual([fine.ok, fine.codes], [true, []])
      assert.match(fine.answer, /min_order_amount, valid_order_types/)
      await shop.serve(`hold/${open}`, { order_id: 'eva-1' })
      const held = await diagnose(open, 'eva')
      assert.deepEqual(finding(held, 'can_apply').codes, ['prize_held'])
      assert.ok(held.body.data.facts.held_until > held.body.data.facts.now)
      await shop.apply(open, { ...ORDER, order_id: 'eva-1' })
      const used = await diagnose(open, 'eva')
      assert.deepEqual(finding(used, 'can_apply').codes, ['prize_applied'])
      const { is_claimed, order_id, claimed_at, applied_at } = used.body.data.facts
      assert.deepEqual([is_claimed, order_id, claimed_at], [true, 'eva-1', applied_at], 'S2-09')
    })

    it('S2-55 case 3, does not unlock: unlocked already, used, expired, or the wrong person', async () => {
      const [locked, open] = [await shop.win('fin'), await shop.open('fin')]
      const can = finding(await diagnose(locked, null), 'can_unlock')
      assert.deepEqual([can.ok, can.codes], [true, []])
      assert.match(can.answer, /by its owner alone/)
      assert.deepEqual(finding(await diagnose(open, 'fin'), 'can_unlock').codes, ['already_unlocked'])
      shop.clock.advance(8 * DAY_MS)
      assert.deepEqual(finding(await diagnose(locked, 'fin'), 'can_unlock').codes, ['prize_expired'])
    })

    it('S2-55 case 4, expiry: until when, in the time zone of the tenant, with grace, never, or over', async () => {
      const [usual, graced, never] = [
        await shop.open('gus'),
        await shop.open('gus', { ...TEN_OFF, grace_hours: 24 }),
        await shop.open('gus', { ...TEN_OFF, never_expires: true }),
      ]
      const ends = new Date(shop.clock.now().getTime() + 7 * DAY_MS)
        .toISOString()
        .slice(0, 19)
        .replace('T', ' ')
      const first = finding(await diagnose(usual, 'gus'), 'expiry')
      assert.deepEqual(
        [first.ok, first.answer],
        [true, `It is usable until ${ends} UTC, which is ${ends} in UTC.`],
      )
      assert.equal(finding(await diagnose(never, 'gus'), 'expiry').answer, 'It never expires.')
      shop.clock.advance(7 * DAY_MS + 1)
      const over = await diagnose(usual, 'gus')
      assert.deepEqual(finding(over, 'expiry').codes, ['prize_expired'])
      assert.equal(over.body.data.facts.prize_status, 'expired')
      assert.match(finding(await diagnose(graced, 'gus'), 'expiry').answer, /lives on its grace/)
    })

    it('S2-55 S2-19 is for the owner and operators; it tells nothing that a locked prize hides', async () => {
      const play_id = await shop.win('hed', { name: 'Secret name', type: 'discount_fixed', value: '77.77' })
      const { prize_code } = await shop.row(play_id)
      for (const { text } of [await diagnose(play_id, 'hed'), await diagnose(play_id, null)])
        for (const secret of ['Secret', '77.77', 'discount_fixed', prize_code])
          assert.ok(!text.includes(secret))
      assert.equal((await diagnose(play_id, 'ida')).status, 404)
      assert.equal((await diagnose(play_id, 'hed', '?user_id=ida')).status, 404)
      const path = `/api/v1/gamification/diagnose/${play_id}`
      assert.equal((await shop.ask('GET', path, { token: shop.service })).status, 403)
    })

    it('S2-03 the history shows who, when and why, to the owner and to staff', async () => {
      const play_id = await shop.open('joe')
      await shop.apply(play_id, { ...ORDER, order_id: 'joe-1' })
      await shop.serve(`rollback/${play_id}`, { order_id: 'joe-1', reason: 'Cancelled.' })
      const read = (token: string) => shop.ask('GET', `/api/v1/gamification/history/${play_id}`, { token })
      const steps = ({ body }: Answer) =>
        body.data.map(({ from_status, to_status, by, why }: any) => [from_status, to_status, by, why])
      const told = (service: string) => [
        [null, 'locked', 'joe', 'won'],
        ['locked', 'unlocked', 'joe', 'unlock'],
        ['unlocked', 'applied', service, 'apply to order joe-1'],
        ['applied', 'unlocked', service, 'roll back order joe-1: Cancelled.'],
      ]
      assert.deepEqual(steps(await read(shop.operator)), told('shop'))
      assert.deepEqual(steps(await read(await shop.player('joe'))), told('service'))
      assert.equal((await read(await shop.player('stranger'))).status, 404)
    })

    it('S2-03 S2-58 a history names no staff and no former owner to the one who has the prize', async () => {
      const history = async (play_id: number, user: string) => {
        const token = await shop.player(user)
        return shop.ask('GET', `/api/v1/gamification/history/${play_id}`, { token })
      }
      const play_id = await shop.open('lea')
      const post = async (user: string, path: string, json?: object) => {
        const token = await shop.player(user)
        const answer = await shop.ask('POST', `/api/v1/gamification/${path}`, {
          token,
          ...(json && { json }),
        })
        assert.ok(answer.status < 300, answer.text)
        return answer.body.data
      }
      const { id } = await post('lea', `gift/${play_id}`, { to: 'max' })
      await post('max', `gifts/${id}/accept`)
      shop.clock.advance(8 * 86_400_000)
      await expirePrizes(shop.app, shop.tenant.id)
      const { body, text } = await history(play_id, 'max')
      const nameOf = await shop.app.run(systemActor(shop.tenant.id), playerNames, undefined)
      const lea = nameOf('lea')
      assert.deepEqual(
        body.data.map((step: any) => step.by),
        [lea, 'system'],
      )
      assert.ok(!text.includes('"lea"'))

      const owed = await shop.open('nia', { type: 'product', name: 'A phone' })
      const queue = (await shop.ask('GET', '/api/v1/fulfilments?limit=100', { token: shop.operator })).body
        .data
      const { id: fulfilment_id } = queue.find((each: any) => each.play_id === owed)
      const step = await shop.ask('PATCH', `/api/v1/fulfilments/${fulfilment_id}`, {
        token: shop.operator,
        json: { fulfilment_status: 'delivered' },
        headers: { 'if-match': '*' },
      })
      assert.equal(step.status, 200, step.text)
      assert.deepEqual(
        (await history(owed, 'nia')).body.data.map((each: any) => each.by),
        ['nia', 'nia', 'staff'],
      )
    })
  })

  describe('the check symbol', () => {
    it('S2-08 N5 a code is found with its check symbol, and not with a wrong one', async () => {
      const play_id = await shop.open('kat')
      const { prize_code } = await shop.row(play_id)
      const token = await shop.player('kat')
      const find = async (code: string) =>
        (await shop.ask('GET', `/api/v1/gamification/prize/${encodeURIComponent(code)}`, { token })).status
      const printed = printedCode(prize_code)
      const { body } = await shop.ask('GET', `/api/v1/gamification/diagnose/${play_id}`, { token })
      assert.equal(body.data.facts.printed_code, printed)
      assert.equal(await find(printed), 200)
      assert.equal(await find(printed.toLowerCase().replaceAll('-', ' ')), 200)
      const right = checkSymbol(prize_code)
      const wrong = [...`${CROCKFORD}*~$=U`].filter((symbol) => symbol !== right).slice(0, 5)
      for (const symbol of wrong) assert.equal(await find(`${prize_code}${symbol}`), 404, symbol)
    })

    it('S2-08 N5 it sees every single wrong symbol and every swap of neighbours', () => {
      const codes = fc.string({ unit: fc.constantFrom(...CROCKFORD), minLength: 8, maxLength: 8 })
      fc.assert(
        fc.property(codes, fc.nat(7), fc.constantFrom(...CROCKFORD), (code, at, other) => {
          const typo = code.slice(0, at) + other + code.slice(at + 1)
          const swap = code.slice(0, at) + (code[at + 1] ?? '') + code[at]! + code.slice(at + 2)
          for (const wrong of [typo, swap]) {
            if (wrong !== code && wrong.length === 8) assert.notEqual(checkSymbol(wrong), checkSymbol(code))
          }
          assert.deepEqual(storedCodes(printedCode(code)).at(-1), code)
        }),
        propertyOptions(500),
      )
    })
  })
})
