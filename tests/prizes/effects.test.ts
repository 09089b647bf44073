/** What prizes really do: every type won once, applied, taken back; the rows they leave. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import type { Actor } from '../../src/db/tx.ts'
import { postTransfer } from '../../src/ledger/post.ts'
import { move, TENANT_OWNER } from '../../src/ledger/rules.ts'
import { PRIZE_TYPES } from '../../src/prizes/definitions.ts'
import { type Definition, type Effect, effectOf } from '../../src/prizes/discount.ts'
import { beginningOf, consequenceOf } from '../../src/prizes/effect-rules.ts'
import { takeEffect, type Undo, undoEffect } from '../../src/prizes/effects.ts'
import { codesOf, tally } from '../games/kit.ts'
import { ORDER, type Shop, startShop } from './kit.ts'

type Left = {
  /** Balances of the winner after the win: account kind -> [currency, minor units]. */
  balances?: Record<string, [string, number]>
  chances?: number
  fulfilment?: string
  prize_status: 'locked' | 'unlocked'
  claim_status: 'unclaimed' | 'paid'
  paid_amount?: number
}

/** A bundle needs prizes to hold: bundles.test.ts. */
type Single = Exclude<(typeof PRIZE_TYPES)[number], 'bundle'>

/** Features N1: what is there when a prize of the type was won, and nothing was done with it yet. */
const WON: Record<Single, { value?: string; more?: object; left: Left }> = {
  discount_percentage: { value: '10.00', left: { prize_status: 'locked', claim_status: 'unclaimed' } },
  discount_fixed: { value: '5.00', left: { prize_status: 'locked', claim_status: 'unclaimed' } },
  free_delivery: { left: { prize_status: 'locked', claim_status: 'unclaimed' } },
  free_item: { more: { valid_food_ids: [7] }, left: { prize_status: 'locked', claim_status: 'unclaimed' } },
  loyalty_points: { value: '100', left: { prize_status: 'locked', claim_status: 'unclaimed' } },
  wallet_credit: { value: '20.00', left: { prize_status: 'locked', claim_status: 'unclaimed' } },
  mystery: {
    more: { pool: [{ prize_id: 1, weight: 1 }] },
    left: { prize_status: 'locked', claim_status: 'unclaimed' },
  },
  voucher: { left: { prize_status: 'locked', claim_status: 'unclaimed' } },
  cash: {
    value: '12.34',
    left: {
      balances: { cash: ['EUR', 1234] },
      prize_status: 'unlocked',
      claim_status: 'paid',
      paid_amount: 1234,
    },
  },
  free_bet: {
    value: '3.00',
    left: {
      balances: { free_bet: ['EUR', 300] },
      prize_status: 'unlocked',
      claim_status: 'paid',
      paid_amount: 300,
    },
  },
  balance_boost: {
    value: '1.50',
    left: {
      balances: { wallet_credit: ['EUR', 150] },
      prize_status: 'unlocked',
      claim_status: 'paid',
      paid_amount: 150,
    },
  },
  coins: {
    value: '25',
    left: {
      balances: { coins: ['COIN', 25] },
      prize_status: 'unlocked',
      claim_status: 'paid',
      paid_amount: 25,
    },
  },
  spin_chance: { value: '3', left: { chances: 3, prize_status: 'unlocked', claim_status: 'paid' } },
  in_kind: { left: { fulfilment: 'claim', prize_status: 'locked', claim_status: 'unclaimed' } },
  product: { left: { fulfilment: 'claim', prize_status: 'locked', claim_status: 'unclaimed' } },
  digital: {
    left: { fulfilment: 'queue', prize_status: 'locked', claim_status: 'unclaimed' },
  },
}

describe('effects of prizes', function () {
  this.timeout(60_000)
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const rows = <R = any>(text: string, values: readonly unknown[] = []) =>
    shop.database.query<R>(text, values)
  const balancesOf = (user: string) =>
    rows<{ account_kind: string; currency: string; balance_minor: number }>(
      'select account_kind, currency, balance_minor from ledger_accounts where owner_id = $1 order by account_kind',
      [user],
    )
  const actor = async (): Promise<Actor> => {
    const [tenant] = await rows<{ id: string }>(`select id from tenants limit 1`)
    return { tenantId: tenant!.id, userId: 'shop', roles: ['service'] }
  }
  const undo = async (input: Omit<Undo, 'play'>, play_id: number) => {
    const { id, uuid } = (await shop.row(play_id)) as { id: number; uuid: string }
    return shop.app.run(await actor(), (tx) => undoEffect(tx, { play: { id, uuid }, ...input }), undefined)
  }
  const applicationOf = async (play_id: number) =>
    (await rows('select * from prize_applications where play_id = $1', [play_id]))[0] as Record<string, any>
  const owedOf = (play_id: number) =>
    rows('select * from fulfilments where play_id = $1 order by created_at, id', [play_id])
  const assertZero = async () =>
    assert.deepEqual(
      await rows(
        'select currency, sum(balance_minor)::bigint from ledger_accounts group by 1 having sum(balance_minor) <> 0',
      ),
      [],
    )

  for (const type of Object.keys(WON) as Single[]) {
    it(`S1-12 S0-02 a ${type} that is won leaves its row, a wallet item, and a ledger that sums to 0`, async () => {
      const { value, more, left } = WON[type]
      const user = `winner-of-${type}`
      const play_id = await shop.win(user, { type, name: `A ${type}`, ...(value && { value }), ...more })
      const play = await shop.row(play_id)
      assert.equal(play['prize_status'], left.prize_status)
      assert.equal(play['expires_at'] === null, left.prize_status === 'unlocked')
      assert.ok(play['prize_code'])
      const [item] = (await shop.list(user)).body.data
      assert.equal(item.id, play_id)
      assert.equal(item.prize_type, left.prize_status === 'unlocked' ? type : null)
      assert.deepEqual(
        await balancesOf(user),
        Object.entries(left.balances ?? {}).map(([account_kind, [currency, balance_minor]]) => ({
          account_kind,
          currency,
          balance_minor,
        })),
      )
      const [chances] = await rows<{ count: number }>(
        `select coalesce(sum(remaining_chances), 0)::int as count from spin_chances where user_id = $1 and chance_type = 'reward'`,
        [user],
      )
      assert.equal(chances!.count, left.chances ?? 0)
      const owed = (await owedOf(play_id)) as { fulfilment_type: string; fulfilment_status: string }[]
      assert.deepEqual(
        owed.map((row) => [row.fulfilment_type, row.fulfilment_status]),
        left.fulfilment === undefined ? [] : [[left.fulfilment, 'pending']],
      )
      const [result] = await rows(
        'select claim_status, paid_amount from spin_results where spin_session_id = $1',
        [play['event_id']],
      )
      assert.deepEqual(result, { claim_status: left.claim_status, paid_amount: left.paid_amount ?? 0 })
      await assertZero()
    })
  }

  it('S1-12 a batch of wins pays each winner once, in one transfer of their own', async () => {
    const users = Array.from({ length: 30 }, (_, i) => `crowd-${i}`)
    const prize = { type: 'coins', value: '7', name: 'Seven coins' }
    const first = await shop.win('crowd-first', prize)
    const slug = (await rows('select wheel_slug from wheel_games order by id desc limit 1'))[0] as any
    for (const user of users)
      await shop.ask('POST', '/api/v1/spin-chances', {
        token: shop.operator,
        json: { user_id: user, count: 1, reason: 'test' },
        headers: { 'idempotency-key': `crowd-${user}` },
      })
    const tokens = await Promise.all(users.map((user) => shop.player(user)))
    const ask = (token: string, i: number) =>
      shop.ask('POST', `/api/v1/wheels/${slug.wheel_slug}/spins`, {
        token,
        json: { request_id: `crowd-spin-${i}` },
      })
    // Each request twice: one spin and one payment.
    const answers = await Promise.all([...tokens.map(ask), ...tokens.map(ask)])
    assert.ok(
      answers.every((answer) => answer.status === 200),
      JSON.stringify(answers.map((a) => a.body).slice(0, 2)),
    )
    const paid = await rows<{ count: number }>(
      `select count(*)::int as count from ledger_accounts where account_kind = 'coins' and balance_minor = 7 and owner_id like 'crowd-%'`,
    )
    assert.equal(paid[0]!.count, users.length + 1)
    const [transfer] = await rows('select * from ledger_transfers where obligation = $1', [`won:${first}`])
    assert.equal((transfer as any).transfer_type, 'prize.won')
    await assertZero()
  })

  it('S2-24 S2-25 applied points and credit are paid once, and go back when the application is taken back', async () => {
    for (const [type, value, kind, minor] of [
      ['loyalty_points', '100', 'loyalty_points', 100],
      ['wallet_credit', '20.00', 'wallet_credit', 2000],
    ] as const) {
      const user = `undo-${type}`
      const play_id = await shop.open(user, { type, value, name: type })
      const order_id = `undo-${type}`
      for (let i = 0; i < 3; i++)
        assert.equal((await shop.apply(play_id, { ...ORDER, order_id })).status, 200)
      assert.deepEqual(
        (await balancesOf(user)).map((each) => [each.account_kind, each.balance_minor]),
        [[kind, minor]],
      )
      const [result] = await rows(
        'select claim_status, paid_amount from spin_results r join gamification_game_plays p on p.event_id = r.spin_session_id where p.id = $1',
        [play_id],
      )
      assert.deepEqual(result, { claim_status: 'paid', paid_amount: minor })

      const { transfer_id } = await applicationOf(play_id)
      const first = await undo({ order_id, transfer_id, reason: 'cancelled' }, play_id)
      assert.ok(first.reversal_id)
      assert.deepEqual(await undo({ order_id, transfer_id, reason: 'cancelled' }, play_id), first)
      assert.deepEqual(
        (await balancesOf(user)).map((each) => each.balance_minor),
        [0],
      )
    }
    await assertZero()
  })

  it('P-28 what was spent is not taken back unseen: refused, or a debt that somebody approved', async () => {
    const play_id = await shop.open('spender', { type: 'wallet_credit', value: '20.00', name: 'credit' })
    assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'spender' })).status, 200)
    await shop.app.run(
      await actor(),
      (tx) =>
        postTransfer(tx, {
          obligation: 'spent-by-spender',
          transfer_type: 'test.spent',
          postings: move(
            1500,
            'EUR',
            { account_kind: 'wallet_credit', owner_id: 'spender' },
            { account_kind: 'house', owner_id: TENANT_OWNER },
          ),
        }),
      undefined,
    )
    const { transfer_id } = await applicationOf(play_id)
    const input = { order_id: 'spender', transfer_id, reason: 'order cancelled' }
    await assert.rejects(undo(input, play_id), {
      code: 'insufficient_funds',
      detail: { facts: { account_kind: 'wallet_credit', currency: 'EUR', missing_minor: 1500 } },
    })
    assert.deepEqual(
      (await balancesOf('spender')).map((each) => each.balance_minor),
      [500],
    )
    await undo({ ...input, approved_by: 'boss' }, play_id)
    assert.deepEqual(
      (await balancesOf('spender')).map((each) => each.balance_minor),
      [-1500],
    )
    await assertZero()
  })

  describe('S2-26 a free item', () => {
    const stock = (item_id: string, count: number) =>
      rows(
        `insert into item_stocks (tenant_id, item_id, item_name, stock, created_at, updated_at)
         select id, $1, $1, $2, now(), now() from tenants limit 1`,
        [item_id, count],
      )
    const reserved = async (item_id: string) =>
      ((await rows('select reserved_count from item_stocks where item_id = $1', [item_id]))[0] as any)
        .reserved_count

    it('S2-26 is a line of price 0, a fulfilment of its order, and one less in its stock; taken back it is one more', async () => {
      await stock('701', 5)
      const play_id = await shop.open('eater', { type: 'free_item', valid_food_ids: [701], name: 'Soup' })
      const { body } = await shop.apply(play_id, { ...ORDER, order_id: 'eat-1' })
      assert.deepEqual(body.data.applied_details.effect.line, {
        id: 701,
        category_id: null,
        quantity: 1,
        price: '0.00',
      })
      assert.equal(await reserved('701'), 1)
      const [owed] = (await owedOf(play_id)) as any[]
      assert.deepEqual(
        [owed.fulfilment_type, owed.fulfilment_status, owed.item_id, owed.order_id, owed.prize_name],
        ['item', 'pending', '701', 'eat-1', 'Soup'],
      )
      const input = { order_id: 'eat-1', transfer_id: null, reason: 'order cancelled' }
      const both = await Promise.all([undo(input, play_id), undo(input, play_id)])
      assert.deepEqual(both[0], { reversal_id: null, fulfilment_id: owed.id })
      assert.equal(await reserved('701'), 0, 'given back once')
      assert.equal(((await owedOf(play_id))[0] as any).fulfilment_status, 'cancelled')
    })

    it('S2-26 the last one of a stock goes to one of many orders, and the others keep their prize', async () => {
      await stock('702', 2)
      const users = Array.from({ length: 6 }, (_, i) => `hungry-${i}`)
      const plays = []
      for (const user of users)
        plays.push(await shop.open(user, { type: 'free_item', valid_food_ids: [702], name: 'Cake' }))
      const answers = await Promise.all(
        plays.map((play_id, i) => shop.apply(play_id, { ...ORDER, order_id: `cake-${i}` })),
      )
      assert.deepEqual(tally(answers.map(({ status, body }) => (status === 200 ? 'ok' : body.code))), {
        ok: 2,
        item_out_of_stock: 4,
      })
      assert.equal(await reserved('702'), 2)
      const states = await rows<{ prize_status: string }>(
        'select prize_status from gamification_game_plays where id = any($1)',
        [plays],
      )
      assert.deepEqual(tally(states.map((row) => row.prize_status)), { applied: 2, unlocked: 4 })
    })

    it('S2-26 an item that was handed over is not taken back', async () => {
      const play_id = await shop.open('full', { type: 'free_item', valid_food_ids: [703], name: 'Bread' })
      assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'full-1' })).status, 200)
      await rows(
        `update fulfilments set fulfilment_status = 'delivered', delivered_at = now(), handled_by = 'boss' where play_id = $1`,
        [play_id],
      )
      await assert.rejects(undo({ order_id: 'full-1', transfer_id: null, reason: 'cancelled' }, play_id), {
        code: 'fulfilment_delivered',
      })
    })
  })

  it('S1-12 an effect that is carried out again, at the same moment, is still one transfer and one fulfilment', async () => {
    const by = await actor()
    const again = async (play_id: number, effect: Effect) => {
      const { id, uuid, user_id, prize_snapshot } = (await shop.row(play_id)) as any
      const use = { play: { id, uuid, user_id, prize_snapshot }, effect, order_id: null }
      return Promise.allSettled(
        Array.from({ length: 5 }, () => shop.app.run(by, (tx) => takeEffect(tx, use), undefined)),
      )
    }
    const coins = await shop.win('twice', { type: 'coins', value: '5', name: 'Five coins' })
    const paid = await again(coins, { kind: 'posting', account: 'coins', unit: 'COIN', amount: 5n })
    assert.deepEqual(tally(codesOf(paid)), { ok: 5 })
    assert.deepEqual(
      (await balancesOf('twice')).map((each) => each.balance_minor),
      [5],
    )
    const more = await again(coins, { kind: 'posting', account: 'coins', unit: 'COIN', amount: 6n })
    assert.deepEqual(tally(codesOf(more)), { obligation_conflict: 5 })
    const product = await shop.win('twice', { type: 'product', name: 'A lamp' })
    const owed = await again(product, { kind: 'fulfilment', by: 'claim' })
    assert.deepEqual(tally(codesOf(owed)), { 23505: 5 })
    assert.equal((await owedOf(product)).length, 1)
  })

  it('S1-12 S1-14 SQL is refused an illegal step of a fulfilment, and another play for it', async () => {
    const play_id = await shop.win('steps', { type: 'product', name: 'A phone' })
    for (const change of [
      `fulfilment_status = 'delivered'`,
      `fulfilment_status = 'contacted'`,
      `play_id = play_id + 1`,
      `fulfilment_type = 'queue'`,
    ])
      await assert.rejects(
        rows(`update fulfilments set ${change} where play_id = $1`, [play_id]),
        { code: '23514' },
        change,
      )
    await rows(
      `update fulfilments set fulfilment_status = 'delivered', delivered_at = now() where play_id = $1`,
      [play_id],
    )
    await assert.rejects(
      rows(`update fulfilments set fulfilment_status = 'pending', delivered_at = null where play_id = $1`, [
        play_id,
      ]),
      { code: '23514' },
    )
  })

  it('S1-12 whatever the prize, what is posted for it adds up to zero and is what it promises', () => {
    const amount = fc.bigInt({ min: 1n, max: 99_999_999n })
    fc.assert(
      fc.property(fc.constantFrom(...PRIZE_TYPES), amount, (type, minor) => {
        const is_counted = ['loyalty_points', 'coins', 'spin_chance'].includes(type)
        const value = is_counted
          ? String((minor % 100_000n) + 1n)
          : `${minor / 100n}.${String(minor % 100n).padStart(2, '0')}`
        const definition: Definition = { type, value, conditions: {} }
        const item = { id: 1, category_id: null, price_minor: null, quantity: 1 }
        const effect = effectOf(definition, { currency: 'EUR', delivery_fee_minor: null, free_item: item })
        const { postings, owed, chances } = consequenceOf(effect, 'user')
        assert.equal(
          (postings ?? []).reduce((sum, each) => sum + each.amount_minor, 0),
          0,
        )
        assert.ok([postings, owed, chances].filter((each) => each !== null).length <= 1)
        if (effect.kind === 'posting') assert.equal(postings?.[1]?.amount_minor, Number(effect.amount))
        const begins = beginningOf(effect)
        assert.equal(begins.claim_status === 'paid', begins.prize_status === 'unlocked')
      }),
    )
  })

  it('S1-12 the audit finds nothing in all this', async () => {
    const report = await runAudit(shop.database)
    assert.ok(report.ok, reportText(report))
  })
})
