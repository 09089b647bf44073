/** The ledger on a real database: what is posted, what is refused, and what the database itself does not allow. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PoolClient } from 'pg'
import { runAudit } from '../../src/audit/audit.ts'
import { postTransfer, postTransfers, reverseTransfer, type TransferInput } from '../../src/ledger/post.ts'
import {
  readAccounts,
  readBalances,
  readMyStatement,
  readStatement,
  readTransfers,
} from '../../src/ledger/read.ts'
import { difference, move, type Posting, splitByWeight } from '../../src/ledger/rules.ts'
import { TEST_SEED } from '../fairness/seed.ts'
import { house, type LedgerStage, of, refusalOf, startLedger } from './stage.ts'

const gift = (obligation: string, userId: string, amount_minor: number, currency = 'EUR'): TransferInput => ({
  obligation,
  transfer_type: 'test.gift',
  postings: move(amount_minor, currency, house, of(userId)),
})
const pay = (obligation: string, from: string, to: string, amount_minor: number): TransferInput => ({
  obligation,
  transfer_type: 'test.pay',
  postings: move(amount_minor, 'EUR', of(from), of(to)),
})

describe('ledger: posting', function () {
  this.timeout(60_000)
  let ledger: LedgerStage
  beforeEach(async () => {
    ledger = await startLedger()
  })
  afterEach(async () => {
    await ledger.assertClean()
    await ledger.close()
  })

  it('S2-25 wallet credit goes up once, however often its obligation is posted, one after the other and at once', async () => {
    const first = await ledger.post(gift('prize:1:order-1', 'alice', 2000))
    assert.equal(first.replayed, false)
    for (let i = 0; i < 3; i++) {
      const again = await ledger.post(gift('prize:1:order-1', 'alice', 2000))
      assert.deepEqual(again, { ...first, replayed: true })
    }
    const many = await Promise.all(
      Array.from({ length: 20 }, () => ledger.post(gift('prize:2:order-2', 'alice', 500))),
    )
    assert.equal(new Set(many.map((each) => each.transfer_id)).size, 1)
    assert.equal(many.filter((each) => !each.replayed).length, 1)
    assert.equal(await ledger.balanceOf('alice'), 2500)
    assert.equal(await ledger.balanceOf('-', 'house'), -2500)
    const [count] = await ledger.rows(
      `select count(*) as n from audit_logs where entity_type = 'ledger_transfer'`,
    )
    assert.equal(count.n, 2)
  })

  it('S2-24 loyalty points are a currency of their own, go up once, and can be taken back', async () => {
    const points = {
      obligation: 'prize:7:order-7',
      transfer_type: 'prize.applied',
      postings: move(150, 'PTS', house, of('alice', 'loyalty_points')),
    }
    const { transfer_id } = await ledger.post(points)
    assert.equal(await ledger.balanceOf('alice', 'loyalty_points', 'PTS'), 150)
    const back = { transfer_id, reason: 'order cancelled' }
    const reversals = await Promise.all(
      Array.from({ length: 5 }, () => ledger.inTenant((tx) => reverseTransfer(tx, back))),
    )
    assert.equal(new Set(reversals.map((each) => each.transfer_id)).size, 1)
    assert.equal(reversals.filter((each) => !each.replayed).length, 1)
    assert.equal(await ledger.balanceOf('alice', 'loyalty_points', 'PTS'), 0)
    // What was paid and taken back is not paid again by a late retry.
    assert.deepEqual(await ledger.post(points), { ...(await ledger.post(points)), transfer_id })
    assert.equal(await ledger.balanceOf('alice', 'loyalty_points', 'PTS'), 0)
  })

  it('S1-12 the same obligation with another amount, account or type is refused, and moves nothing', async () => {
    await ledger.post(gift('draw:1', 'alice', 100))
    for (const other of [
      gift('draw:1', 'alice', 101),
      gift('draw:1', 'bob', 100),
      gift('draw:1', 'alice', 100, 'USD'),
      { ...gift('draw:1', 'alice', 100), transfer_type: 'test.other' },
    ])
      assert.equal((await refusalOf(ledger.post(other))).code, 'obligation_conflict')
    assert.equal(await ledger.balanceOf('alice'), 100)
    assert.equal(await ledger.balanceOf('bob'), undefined)
  })

  it('S1-12 one obligation that is posted to two winners at once is met for exactly one of them', async () => {
    for (let round = 0; round < 10; round++) {
      const settled = await Promise.allSettled(
        ['alice', 'bob', 'carol', 'dave'].map((user) =>
          ledger.post({
            obligation: `place:${round}`,
            transfer_type: 'test.prize',
            // Accounts of their own on both sides, so that no lock but the obligation's decides.
            postings: move(10, 'EUR', { account_kind: 'house', owner_id: `house of ${user}` }, of(user)),
          }),
        ),
      )
      assert.equal(settled.filter((each) => each.status === 'fulfilled').length, 1)
      for (const each of settled)
        if (each.status === 'rejected') assert.equal(each.reason.code, 'obligation_conflict')
    }
    const [paid] = await ledger.rows('select count(*) as n from ledger_transfers')
    assert.equal(paid.n, 10)
  })

  it('S2-25 an account that holds too little refuses and names what is missing', async () => {
    await ledger.give('alice', 300, 'g')
    const { code, detail } = await refusalOf(ledger.post(pay('p', 'alice', 'bob', 1000)))
    assert.equal(code, 'insufficient_funds')
    assert.deepEqual(detail.facts, { account_kind: 'wallet_credit', currency: 'EUR', missing_minor: 700 })
    assert.equal(await ledger.balanceOf('alice'), 300)
    // A refused obligation is not met: it can be met later.
    await ledger.give('alice', 700, 'g2')
    await ledger.post(pay('p', 'alice', 'bob', 1000))
    assert.equal(await ledger.balanceOf('bob'), 1000)
  })

  it('P-17 a guarantee of 1,000 over a pool of 400 takes 600 from the house', async () => {
    const pool = of('jackpot-1', 'pool')
    await ledger.post({
      obligation: 'stakes',
      transfer_type: 'test',
      postings: move(400, 'EUR', house, pool),
    })
    await ledger.post({
      obligation: 'guarantee:jackpot-1',
      transfer_type: 'jackpot.guarantee',
      postings: move(600, 'EUR', house, pool),
    })
    const win = { obligation: 'win', transfer_type: 'test', postings: move(1001, 'EUR', pool, of('alice')) }
    const { detail } = await refusalOf(ledger.post(win))
    assert.deepEqual(detail.facts, { account_kind: 'pool', currency: 'EUR', missing_minor: 1 })
  })

  it('P-18 payouts, carry and fee are the pool exactly, in one transfer', async () => {
    const pool = of('jackpot-2', 'pool')
    await ledger.post({
      obligation: 'fill',
      transfer_type: 'test',
      postings: move(1001, 'EUR', house, pool),
    })
    const [wins, carry, fee] = splitByWeight(1001, [8500, 1000, 500]) as [number, number, number]
    const shares = splitByWeight(wins, [1, 1, 1])
    const gains: Posting[] = shares.map((amount_minor, i) => ({
      ...of(`winner-${i}`),
      currency: 'EUR',
      amount_minor,
    }))
    await ledger.post({
      obligation: 'settle:jackpot-2',
      transfer_type: 'jackpot.settled',
      postings: [
        { ...pool, currency: 'EUR', amount_minor: -1001 },
        ...gains,
        { ...of('jackpot-3', 'pool'), currency: 'EUR', amount_minor: carry },
        { ...of('-', 'fee'), currency: 'EUR', amount_minor: fee },
      ],
    })
    assert.equal(await ledger.balanceOf('jackpot-2', 'pool'), 0)
    assert.deepEqual(
      await Promise.all([0, 1, 2].map((i) => ledger.balanceOf(`winner-${i}`))),
      [284, 284, 283],
    )
  })

  it('S1-26 a settlement is corrected by its differences; what was spent needs an approval, and the debt is paid back', async () => {
    const wrong = gift('settle:1', 'alice', 1000)
    const { transfer_id } = await ledger.post(wrong)
    await ledger.post(pay('spent', 'alice', 'shop', 800))
    const right = move(1000, 'EUR', house, of('bob'))
    const correction: TransferInput = {
      obligation: 'settle:1:v2',
      transfer_type: 'test.gift',
      corrects_id: transfer_id,
      postings: difference(wrong.postings, right),
    }
    const { code, detail } = await refusalOf(ledger.post(correction))
    assert.equal(code, 'insufficient_funds')
    assert.equal(detail.facts.missing_minor, 800)
    await ledger.post({ ...correction, approved_by: 'olivia' })
    assert.equal(await ledger.balanceOf('alice'), -800)
    assert.equal(await ledger.balanceOf('bob'), 1000)
    assert.equal(await ledger.balanceOf('-', 'house'), -1000)
    assert.equal((await refusalOf(ledger.post(pay('more', 'alice', 'shop', 1)))).code, 'insufficient_funds')
    await ledger.give('alice', 850, 'g')
    assert.equal((await refusalOf(ledger.post(pay('more', 'alice', 'shop', 51)))).code, 'insufficient_funds')
    await ledger.post(pay('more', 'alice', 'shop', 50))
  })

  it('S1-26 a reversal takes back what stands after corrections; nothing is corrected or taken back after it', async () => {
    const wrong = gift('settle:2', 'alice', 1000)
    const { transfer_id } = await ledger.post(wrong)
    const correction = await ledger.post({
      obligation: 'settle:2:v2',
      transfer_type: 'test.gift',
      corrects_id: transfer_id,
      postings: difference(wrong.postings, move(600, 'EUR', house, of('alice'))),
    })
    assert.equal(await ledger.balanceOf('alice'), 600)
    const back = (id: string) =>
      ledger.inTenant((tx) => reverseTransfer(tx, { transfer_id: id, reason: 'cancelled' }))
    assert.equal((await refusalOf(back(correction.transfer_id))).code, 'transfer_not_correctable')
    const reversal = await back(transfer_id)
    assert.equal(await ledger.balanceOf('alice'), 0)
    assert.equal((await refusalOf(back(reversal.transfer_id))).code, 'transfer_not_correctable')
    const late = { ...gift('late', 'alice', 5), corrects_id: transfer_id }
    assert.equal((await refusalOf(ledger.post(late))).code, 'transfer_not_correctable')
    assert.equal((await refusalOf(back('0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14'))).code, 'transfer_not_found')
    const unknown = { ...gift('late', 'alice', 5), corrects_id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14' }
    assert.equal((await refusalOf(ledger.post(unknown))).code, 'transfer_not_found')
  })

  it('S1-26 a transfer that was corrected to nothing has nothing to take back', async () => {
    const wrong = gift('settle:3', 'alice', 10)
    const { transfer_id } = await ledger.post(wrong)
    const postings = difference(wrong.postings, [])
    await ledger.post({ obligation: 'v2', transfer_type: 'test.gift', corrects_id: transfer_id, postings })
    const work = ledger.inTenant((tx) => reverseTransfer(tx, { transfer_id, reason: 'x' }))
    assert.equal((await refusalOf(work)).code, 'transfer_not_correctable')
  })

  it('S1-26 corrections and a reversal that race leave either the corrected sum or nothing, never both', async () => {
    for (let round = 0; round < 8; round++) {
      const user = `racer-${round}`
      const first = gift(`race:${round}`, user, 1000)
      const { transfer_id } = await ledger.post(first)
      const settled = await Promise.allSettled([
        ledger.inTenant((tx) => reverseTransfer(tx, { transfer_id, reason: 'x' })),
        ledger.post({
          obligation: `race:${round}:v2`,
          transfer_type: 'test.gift',
          corrects_id: transfer_id,
          postings: move(100, 'EUR', of(user), house),
        }),
      ])
      assert.equal(settled[0].status, 'fulfilled')
      if (settled[1].status === 'rejected') assert.equal(settled[1].reason.code, 'transfer_not_correctable')
      assert.equal(await ledger.balanceOf(user), 0)
    }
  })

  it('S2-25 of 100 debits at once of an account with money for 10 exactly 10 pass', async () => {
    await ledger.give('alice', 1000, 'g')
    const settled = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) => ledger.post(pay(`debit:${i}`, 'alice', `to-${i}`, 100))),
    )
    const refused = settled.filter((each) => each.status === 'rejected')
    assert.equal(refused.length, 90)
    for (const each of refused) assert.equal(each.reason.code, 'insufficient_funds')
    assert.equal(await ledger.balanceOf('alice'), 0)
  })

  it('S1-12 transfers across the same accounts in all directions at once all pass, without one deadlock', async () => {
    const users = ['a', 'b', 'c', 'd', 'e']
    for (const user of users) await ledger.give(user, 100_000, `g:${user}`)
    const [before] = await ledger.rows(
      'select deadlocks from pg_stat_database where datname = current_database()',
    )
    const pairs = users.flatMap((from) => users.filter((to) => to !== from).map((to) => [from, to] as const))
    const work = Array.from({ length: 10 }, (_, round) =>
      pairs.map(([from, to]) => ledger.post(pay(`storm:${round}:${from}:${to}`, from, to, 7 + round))),
    )
    // New accounts in every round as well: who opens one must not wait in a circle either.
    const openings = Array.from({ length: 40 }, (_, i) => {
      const fresh = ['p', 'q', 'r'].map((name) => of(`${name}-${i % 8}`))
      const order = i % 2 === 0 ? fresh : [...fresh].reverse()
      const gains = order.map((owner) => ({ ...owner, currency: 'EUR', amount_minor: 1 }))
      return ledger.post({
        obligation: `open:${i}`,
        transfer_type: 'test',
        postings: [...gains, { ...house, currency: 'EUR', amount_minor: -3 }],
      })
    })
    await Promise.all([...work.flat(), ...openings])
    const [after] = await ledger.rows(
      'select deadlocks from pg_stat_database where datname = current_database()',
    )
    assert.equal(after.deadlocks, before.deadlocks)
    for (const user of users) assert.equal(await ledger.balanceOf(user), 100_000)
  })

  it('S1-12 a batch answers each member by itself, in order, and one that is refused leaves the others alone', async () => {
    const verdicts = await ledger.inTenant((tx) =>
      postTransfers(tx, [
        gift('b:1', 'alice', 100),
        pay('b:2', 'alice', 'bob', 60),
        pay('b:3', 'alice', 'bob', 41),
        pay('b:4', 'alice', 'bob', 40),
        pay('b:4', 'alice', 'bob', 40),
        pay('b:4', 'alice', 'carol', 40),
        pay('b:5', 'bob', 'carol', 100),
      ]),
    )
    const told = verdicts.map((each) =>
      'refusal' in each ? each.refusal.code : each.answer.replayed ? 'replayed' : 'posted',
    )
    assert.deepEqual(told, [
      'posted',
      'posted',
      'insufficient_funds',
      'posted',
      'replayed',
      'obligation_conflict',
      'posted',
    ])
    assert.deepEqual(
      await Promise.all(['alice', 'bob', 'carol'].map((user) => ledger.balanceOf(user))),
      [0, 0, 100],
    )
    assert.deepEqual(await ledger.inTenant((tx) => postTransfers(tx, [])), [])
  })

  it('S1-12 batches over the same accounts at once lose nothing', async () => {
    for (const user of ['a', 'b', 'c', 'd']) await ledger.give(user, 1_000, `g:${user}`)
    const batches = Array.from({ length: 12 }, (_, round) => {
      const users = round % 2 === 0 ? ['a', 'b', 'c', 'd'] : ['d', 'c', 'b', 'a']
      const members = users.map((from, i) => pay(`batch:${round}:${i}`, from, users[(i + 1) % 4]!, 250))
      return ledger.inTenant((tx) => postTransfers(tx, members))
    })
    await Promise.all(batches)
    const sum = (await Promise.all(['a', 'b', 'c', 'd'].map((user) => ledger.balanceOf(user)))) as number[]
    assert.equal(
      sum.reduce((a, b) => a + b, 0),
      4_000,
    )
  })

  it('S1-12 what the transaction around a transfer takes back, the ledger takes back', async () => {
    await ledger.give('alice', 100, 'g')
    const failing = ledger.inTenant(async (tx) => {
      await postTransfer(tx, pay('p', 'alice', 'bob', 100))
      throw new Error('the order failed')
    })
    await assert.rejects(failing, /the order failed/)
    assert.equal(await ledger.balanceOf('alice'), 100)
    assert.equal((await ledger.post(pay('p', 'alice', 'bob', 100))).replayed, false)
  })

  it('S1-12 several transfers of one transaction follow each other', async () => {
    await ledger.inTenant(async (tx) => {
      await postTransfer(tx, gift('s:1', 'alice', 100))
      await postTransfer(tx, pay('s:2', 'alice', 'bob', 70))
      const { transfer_id } = await postTransfer(tx, pay('s:3', 'bob', 'carol', 20))
      await reverseTransfer(tx, { transfer_id, reason: 'x' })
    })
    assert.deepEqual(
      await Promise.all(['alice', 'bob', 'carol'].map((user) => ledger.balanceOf(user))),
      [30, 70, 0],
    )
  })

  it('S1-12 postings that are no transfer are a bug of the caller, and nothing is written', async () => {
    const bad = {
      ...gift('x', 'alice', 10),
      postings: [{ ...of('alice'), currency: 'EUR', amount_minor: 10 }],
    }
    await assert.rejects(ledger.post(bad), /this is no transfer: a transfer has at least two postings/)
    await assert.rejects(ledger.post({ ...gift('', 'alice', 10) }), /an obligation has/)
    await assert.rejects(
      ledger.post({ ...gift('y', 'alice', 10), approved_by: 'olivia' }),
      /only a correction can be approved/,
    )
    await ledger.give('alice', 1, 'g')
  })

  it('S2-25 a random history: answers, balances and statements are those of a model', async () => {
    const users = ['a', 'b', 'c']
    const model = new Map<string, number>(users.map((user) => [user, 0]))
    const steps = fc.sample(
      fc.record({
        from: fc.constantFrom('house', ...users),
        to: fc.constantFrom(...users),
        amount: fc.integer({ min: 1, max: 300 }),
        repeat: fc.boolean(),
      }),
      { numRuns: 120, seed: TEST_SEED },
    )
    await ledger.give('a', 1, 'start')
    model.set('a', 1)
    for (const [i, { from, to, amount, repeat }] of steps.entries()) {
      if (from === to) continue
      const input = from === 'house' ? gift(`m:${i}`, to, amount) : pay(`m:${i}`, from, to, amount)
      const possible = from === 'house' || model.get(from)! >= amount
      for (let time = 0; time < (repeat ? 2 : 1); time++) {
        const told = await ledger.post(input).then(
          (posted) => posted.replayed,
          (error) => error.code,
        )
        assert.equal(told, possible ? time === 1 : 'insufficient_funds', `step ${i}, TEST_SEED=${TEST_SEED}`)
      }
      if (!possible) continue
      if (from !== 'house') model.set(from, model.get(from)! - amount)
      model.set(to, model.get(to)! + amount)
    }
    for (const user of users) {
      assert.equal((await ledger.balanceOf(user)) ?? 0, model.get(user))
      let running = model.get(user)!
      let cursor: string | undefined
      do {
        const page = await ledger.app.run(ledger.actor(user), readMyStatement, {
          limit: 7,
          ...(cursor !== undefined && { cursor }),
        })
        for (const line of page.data) {
          assert.equal(line.balance_after_minor, running)
          running -= line.amount_minor
        }
        cursor = page.next_cursor ?? undefined
      } while (cursor !== undefined)
      assert.equal(running, 0)
    }
  })
})

describe('ledger: what the database refuses, whoever writes', function () {
  this.timeout(60_000)
  let ledger: LedgerStage
  let accounts: Record<string, string>
  before(async () => {
    ledger = await startLedger()
    await ledger.give('alice', 1000, 'g:1')
    await ledger.give('bob', 500, 'g:2')
    const rows = await ledger.rows('select id, owner_id from ledger_accounts')
    accounts = Object.fromEntries(rows.map((row) => [row.owner_id, row.id]))
  })
  after(async () => {
    await ledger.assertClean()
    await ledger.close()
  })

  /** Runs statements as the application or the owner, and commits. */
  async function committed(role: 'livedraw_app' | 'owner', ...statements: string[]): Promise<void> {
    const client: PoolClient = await ledger.database.connect()
    try {
      await client.query('begin')
      if (role === 'livedraw_app') await client.query('set local role livedraw_app')
      await client.query(`set local app.tenant_id = '${ledger.tenants.get('demo')}'`)
      for (const sql of statements) await client.query(sql)
      await client.query('commit')
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  }

  const TXN = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14'
  const transfer = (posting_count = 2) =>
    `insert into ledger_transfers (id, obligation, transfer_type, posting_count, content_hash, created_by, created_at)
     values ('${TXN}', 'by hand', 'test', ${posting_count}, repeat('0', 64), 'mallory', now())`
  const posting = (account: string, amount: number, after: number, txn = `'${TXN}'`, currency = 'EUR') =>
    `insert into ledger_postings (txn_id, account_id, currency, amount_minor, balance_after_minor)
     values (${txn}, '${accounts[account]}', '${currency}', ${amount}, ${after})`
  const balance = (account: string, to: number) =>
    `update ledger_accounts set balance_minor = ${to} where id = '${accounts[account]}'`

  const refused: [what: string, statements: () => string[], message: RegExp][] = [
    [
      'a transfer that does not add up',
      () => [
        transfer(),
        posting('alice', 100, 1100),
        balance('alice', 1100),
        posting('bob', -99, 401),
        balance('bob', 401),
      ],
      /does not add up to zero/,
    ],
    [
      'a transfer with one posting',
      () => [transfer(), posting('alice', 100, 1100), balance('alice', 1100)],
      /has not 2 postings/,
    ],
    ['a transfer without postings', () => [transfer()], /has not 2 postings/],
    [
      'a transfer that says it has one posting',
      () => [transfer(1), posting('alice', 100, 1100)],
      /ledger_transfers_posting_count_check/,
    ],
    [
      'postings that no balance follows',
      () => [transfer(), posting('alice', 100, 1100), posting('bob', -100, 400)],
      /is not what its account holds/,
    ],
    [
      'a balance that no posting explains',
      () => [balance('alice', 1_000_000)],
      /does not hold what its last posting says/,
    ],
    [
      'an account that opens with money',
      () => [
        `insert into ledger_accounts (id, owner_id, account_kind, currency, balance_minor, created_at, updated_at)
         values (gen_random_uuid(), 'mallory', 'cash', 'EUR', 5, now(), now())`,
      ],
      /does not hold what its last posting says/,
    ],
    [
      'a posting that does not follow the one before',
      () => [
        transfer(),
        posting('alice', 100, 1500),
        balance('alice', 1500),
        posting('bob', -100, 400),
        balance('bob', 400),
      ],
      /does not follow the one before/,
    ],
    ['a balance below the floor', () => [balance('alice', -1)], /ledger_accounts_check/],
    [
      'postings added to a transfer of the past',
      () => {
        const past = `(select id from ledger_transfers where obligation = 'g:1')`
        return [posting('bob', 100, 600, past), balance('bob', 600)]
      },
      /is one more than its transfer began with/,
    ],
    [
      'a posting in another currency than its account',
      () => [transfer(), posting('alice', 100, 1100, undefined, 'USD')],
      /violates foreign key/,
    ],
    ['a posting of nothing', () => [transfer(), posting('alice', 0, 1000)], /amount_minor_check/],
    [
      'an obligation a second time',
      () => [transfer().replace('by hand', 'g:1')],
      /ledger_transfers_tenant_id_obligation_key/,
    ],
    [
      'a debt that nobody linked to a correction',
      () => [
        `insert into ledger_transfers (id, obligation, transfer_type, posting_count, content_hash, approved_by, created_by, created_at)
         values ('${TXN}', 'by hand', 'test', 2, repeat('0', 64), 'olivia', 'mallory', now())`,
      ],
      /ledger_transfers_check/,
    ],
  ]
  for (const role of ['livedraw_app', 'owner'] as const) {
    for (const [what, statements, message] of refused) {
      it(`S1-12 ${what}, as ${role}`, async () => {
        const given = statements().map(
          (sql) =>
            // The owner passes policies, but the default of the tenant holds for both.
            sql,
        )
        await assert.rejects(committed(role, ...given), message)
      })
    }
  }

  it('S1-12 the same statements in right order and sum are accepted: the refusals above are not for their form', async () => {
    await committed(
      'livedraw_app',
      transfer().replace(TXN, '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f99'),
      posting('alice', -1, 999, `'0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f99'`),
      posting('bob', 1, 501, `'0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f99'`),
      balance('alice', 999),
      balance('bob', 501),
      'set constraints all immediate',
      // Accepted, and taken back: the audit would miss it in the audit chain.
      'rollback; begin',
    )
  })

  for (const table of ['ledger_transfers', 'ledger_postings']) {
    it(`S1-48 ${table} is append-only: no right for the application, a trigger for the owner`, async () => {
      for (const sql of [`update ${table} set tenant_id = tenant_id`, `delete from ${table}`]) {
        assert.equal((await refusalOf(committed('livedraw_app', sql))).code, '42501')
        assert.equal((await refusalOf(committed('owner', sql))).code, '55000')
      }
      assert.equal((await refusalOf(committed('livedraw_app', `truncate ${table}`))).code, '42501')
    })
  }

  for (const [what, sql] of [
    ['delete an account', 'delete from ledger_accounts'],
    ['give an account to somebody else', `update ledger_accounts set owner_id = 'mallory'`],
    ['change the currency of an account', `update ledger_accounts set currency = 'USD'`],
  ] as const) {
    it(`S1-12 the application has no right to ${what}`, async () => {
      assert.equal((await refusalOf(committed('livedraw_app', sql))).code, '42501')
    })
  }
})

describe('ledger: a forger with all rights', function () {
  this.timeout(60_000)

  for (const [what, sql] of [
    [
      'a bigger prize, with every balance made to fit',
      `update ledger_postings set amount_minor = amount_minor * 10, balance_after_minor = balance_after_minor * 10;
       update ledger_accounts set balance_minor = balance_minor * 10`,
    ],
    ['another winner', `update ledger_accounts set owner_id = 'mallory' where owner_id = 'alice'`],
    [
      'a hash that fits the new content',
      `update ledger_transfers set transfer_type = 'other', content_hash = encode(sha256('x'), 'hex')`,
    ],
    [
      'a transfer that never was',
      `delete from ledger_postings; delete from ledger_transfers; update ledger_accounts set balance_minor = 0`,
    ],
  ] as const) {
    it(`S1-48 the audit chain still tells: ${what}`, async () => {
      const ledger = await startLedger()
      try {
        await ledger.give('alice', 100, 'g:1')
        await ledger.give('bob\n"é😀\u0001', 200, 'g:2')
        await ledger.assertClean()
        const client = await ledger.database.connect()
        try {
          await client.query(`begin; set local session_replication_role = replica; ${sql}; commit`)
        } finally {
          client.release()
        }
        const audit = await runAudit(ledger.database)
        assert.ok(audit.checks.some((check) => check.id === 'L16' && check.status === 'violated'))
      } finally {
        await ledger.close()
      }
    })
  }
})

describe('ledger: tenants and reading', function () {
  this.timeout(60_000)
  let ledger: LedgerStage
  before(async () => {
    ledger = await startLedger()
  })
  after(async () => {
    await ledger.assertClean()
    await ledger.close()
  })

  it('S1-02 one user id and one obligation in two tenants are two accounts and two transfers', async () => {
    await ledger.give('alice', 100, 'same', 'EUR', 'demo')
    await ledger.give('alice', 7, 'same', 'EUR', 'other')
    assert.equal(await ledger.balanceOf('alice', 'wallet_credit', 'EUR', 'demo'), 100)
    assert.equal(await ledger.balanceOf('alice', 'wallet_credit', 'EUR', 'other'), 7)
    const told = await ledger.app.run(ledger.actor('alice', 'other'), readBalances, undefined)
    assert.deepEqual(told.data, [{ account_kind: 'wallet_credit', currency: 'EUR', balance_minor: 7 }])
    const { data } = await ledger.inTenant((tx) => readTransfers(tx, { limit: 100 }), 'other')
    assert.equal(data.length, 1)
  })

  it('S1-02 a transfer and an account of another tenant answer like unknown ones', async () => {
    const { data } = await ledger.inTenant((tx) => readTransfers(tx, { limit: 1 }), 'demo')
    const back = ledger.inTenant(
      (tx) => reverseTransfer(tx, { transfer_id: data[0]!.id, reason: 'x' }),
      'other',
    )
    assert.equal((await refusalOf(back)).code, 'transfer_not_found')
    const foreign = ledger.inTenant(
      (tx) => readStatement(tx, { account_id: data[0]!.postings[0]!.account_id, limit: 1 }),
      'other',
    )
    assert.equal((await refusalOf(foreign)).code, 'not_found')
    const corrects = { ...gift('c', 'alice', 1), corrects_id: data[0]!.id }
    assert.equal((await refusalOf(ledger.post(corrects, 'other'))).code, 'transfer_not_found')
  })

  it('S1-12 pages of accounts and transfers hold every row once, newest first', async () => {
    for (let i = 0; i < 9; i++) await ledger.give(`page-${i}`, 1, `page:${i}`)
    async function all<R extends { id: string }>(
      read: (cursor: string | undefined) => Promise<{ data: R[]; next_cursor: string | null }>,
    ): Promise<string[]> {
      const ids: string[] = []
      let cursor: string | undefined
      do {
        const page = await read(cursor)
        assert.ok(page.data.length <= 4)
        ids.push(...page.data.map((row) => row.id))
        cursor = page.next_cursor ?? undefined
      } while (cursor !== undefined)
      return ids
    }
    const page = (cursor: string | undefined) => ({ limit: 4, ...(cursor !== undefined && { cursor }) })
    const accounts = await all((cursor) => ledger.inTenant((tx) => readAccounts(tx, page(cursor))))
    const transfers = await all((cursor) => ledger.inTenant((tx) => readTransfers(tx, page(cursor))))
    assert.equal(accounts.length, 11)
    assert.equal(transfers.length, 10)
    for (const ids of [accounts, transfers]) assert.deepEqual(ids, [...ids].sort().reverse())
    const some = await ledger.inTenant((tx) => readAccounts(tx, { limit: 4, owner_id: 'page-3' }))
    assert.equal(some.data.length, 1)
    const met = await ledger.inTenant((tx) => readTransfers(tx, { limit: 4, obligation: 'page:3' }))
    assert.deepEqual(
      met.data.map((each) => each.postings.map((line) => line.owner_id)),
      [['-', 'page-3']],
    )
  })

  it('S1-12 a cursor of another list is refused', async () => {
    for (const read of [
      ledger.inTenant((tx) => readAccounts(tx, { limit: 1, cursor: '12' })),
      ledger.inTenant((tx) => readTransfers(tx, { limit: 1, cursor: 'x' })),
      ledger.inTenant((tx) =>
        readMyStatement(tx, { limit: 1, cursor: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14' }),
      ),
    ])
      assert.equal((await refusalOf(read)).code, 'invalid_input')
  })
})
