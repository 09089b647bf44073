/** The ledger over HTTP: who sees what, and that nobody writes. */
import assert from 'node:assert/strict'
import { postTransfer } from '../../src/ledger/post.ts'
import { ledgerRoutes } from '../../src/ledger/routes.ts'
import { move } from '../../src/ledger/rules.ts'
import { systemActor } from '../../src/system.ts'
import { assertDescribed } from '../http/described.ts'
import { type HttpHarness, startHttp } from '../http/harness.ts'
import { house, of } from './stage.ts'

describe('ledger: over HTTP', function () {
  this.timeout(30_000)
  let http: HttpHarness
  let alice: string
  let auditor: string

  const post = (
    obligation: string,
    user: string,
    amount_minor: number,
    currency = 'EUR',
    tenant = http.tenant,
  ) =>
    http.app.run(systemActor(tenant.id), postTransfer, {
      obligation,
      transfer_type: 'prize.applied',
      reason: 'a prize',
      metadata: { inside: true },
      postings: move(
        amount_minor,
        currency,
        house,
        of(user, currency === 'PTS' ? 'loyalty_points' : 'wallet_credit'),
      ),
    })

  before(async () => {
    http = await startHttp({ routes: () => ledgerRoutes() })
    alice = await http.token('player', { sub: 'alice' })
    auditor = await http.token('auditor')
    for (let i = 0; i < 5; i++) await post(`prize:${i}`, 'alice', 100 + i)
    await post('points:1', 'alice', 30, 'PTS')
    await post('prize:9', 'bob', 999)
    await post('prize:0', 'alice', 5, 'EUR', http.other)
    // A stake of a game that has the same name as a player is none of the player's money.
    await http.app.run(systemActor(http.tenant.id), postTransfer, {
      obligation: 'pool:1',
      transfer_type: 'test',
      postings: move(77, 'EUR', house, of('alice', 'pool')),
    })
  })
  after(() => http.close())

  it('S2-24 S2-25 a player sees the own balances, per kind and currency, and nothing of others', async () => {
    const { status, body } = await http.ask('GET', '/api/v1/me/balances', { token: alice })
    assert.equal(status, 200)
    assert.deepEqual(body.data, [
      { account_kind: 'loyalty_points', currency: 'PTS', balance_minor: 30 },
      { account_kind: 'wallet_credit', currency: 'EUR', balance_minor: 510 },
    ])
    const nobody = await http.token('player', { sub: 'nobody' })
    assert.deepEqual((await http.ask('GET', '/api/v1/me/balances', { token: nobody })).body, { data: [] })
  })

  it('S2-25 a statement is newest first, in pages, of one currency on request, without what is internal', async () => {
    const first = await http.ask('GET', '/api/v1/me/ledger?limit=4', { token: alice })
    const rest = await http.ask('GET', `/api/v1/me/ledger?limit=4&cursor=${first.body.next_cursor}`, {
      token: alice,
    })
    const lines = [...first.body.data, ...rest.body.data]
    assert.deepEqual(
      lines.map((line) => [line.currency, line.amount_minor, line.balance_after_minor]),
      [
        ['PTS', 30, 30],
        ['EUR', 104, 510],
        ['EUR', 103, 406],
        ['EUR', 102, 303],
        ['EUR', 101, 201],
        ['EUR', 100, 100],
      ],
    )
    assert.equal(rest.body.next_cursor, null)
    assert.doesNotMatch(first.text, /inside|obligation|prize:/)
    const points = await http.ask('GET', '/api/v1/me/ledger?currency=PTS', { token: alice })
    assert.equal(points.body.data.length, 1)
    assert.equal((await http.ask('GET', '/api/v1/me/ledger?currency=pts', { token: alice })).status, 400)
    assert.equal(
      (await http.ask('GET', '/api/v1/me/ledger?cursor=zz', { token: alice })).body.code,
      'invalid_input',
    )
  })

  it('S1-12 an auditor finds accounts, their statements, and the transfer that met an obligation', async () => {
    const accounts = await http.ask('GET', '/api/v1/ledger/accounts?owner_id=bob', { token: auditor })
    assert.equal(accounts.body.data.length, 1)
    const [{ id, balance_minor }] = accounts.body.data
    assert.equal(balance_minor, 999)
    const statement = await http.ask('GET', `/api/v1/ledger/accounts/${id}/statement`, { token: auditor })
    assert.deepEqual(
      statement.body.data.map((line: any) => [line.obligation, line.balance_after_minor]),
      [['prize:9', 999]],
    )
    const met = await http.ask('GET', '/api/v1/ledger/transfers?obligation=prize:0', { token: auditor })
    assert.equal(met.body.data.length, 1)
    assert.equal(
      met.body.data[0].postings.reduce((sum: number, line: any) => sum + line.amount_minor, 0),
      0,
    )
    for (const path of ['transfers?cursor=1', 'accounts?cursor=1'])
      assert.equal((await http.ask('GET', `/api/v1/ledger/${path}`, { token: auditor })).status, 400)
  })

  it('S1-02 an auditor of one tenant finds nothing of another', async () => {
    const mine = await http.ask('GET', '/api/v1/ledger/accounts?owner_id=bob', { token: auditor })
    const foreign = await http.token('auditor', { tenant: 'other' })
    const there = await http.ask('GET', '/api/v1/ledger/accounts?owner_id=bob', { token: foreign })
    assert.deepEqual(there.body.data, [])
    const path = `/api/v1/ledger/accounts/${mine.body.data[0].id}/statement`
    assert.equal((await http.ask('GET', path, { token: foreign })).status, 404)
    assert.equal((await http.ask('GET', path, { token: auditor })).status, 200)
  })

  it('S1-12 a player reads no ledger but the own one, and nobody posts over HTTP', async () => {
    for (const path of ['accounts', 'transfers'])
      assert.equal((await http.ask('GET', `/api/v1/ledger/${path}`, { token: alice })).status, 403)
    const operator = await http.token(['operator', 'service'])
    const json = { obligation: 'x', postings: [] }
    for (const path of ['/api/v1/ledger/transfers', '/api/v1/ledger/accounts', '/api/v1/me/ledger'])
      assert.equal((await http.ask('POST', path, { token: operator, json })).status, 405)
  })

  it('P-53 every route is described', async () => {
    assertDescribed(ledgerRoutes(), (await http.ask('GET', '/openapi.json')).body)
  })
})
