/** Companies over HTTP: staff keeps them, members act for them. */
import assert from 'node:assert/strict'
import { type Product, startProduct } from '../http/product.ts'

describe('companies', function () {
  this.timeout(60_000)
  let http: Product
  let operator: string
  before(async () => {
    http = await startProduct()
    operator = await http.token('operator')
  })
  after(() => http.close())

  const aCompany = async (company_name: string): Promise<string> => {
    const made = await http.ask('POST', '/api/v1/companies', { token: operator, json: { company_name } })
    assert.equal(made.status, 201, made.text)
    return made.body.id
  }
  const member = (method: string, id: string, user_id: string) =>
    http.ask(method, `/api/v1/companies/${id}/members/${user_id}`, { token: operator })

  it('S0-36 a name stands once, a member is added once however often, and a creator sees the own companies', async () => {
    const id = await aCompany('Pumpkins Ltd')
    const again = await http.ask('POST', '/api/v1/companies', {
      token: operator,
      json: { company_name: 'PUMPKINS LTD' },
    })
    assert.deepEqual([again.status, again.body.code], [409, 'already_exists'])
    for (let i = 0; i < 2; i++) assert.equal((await member('PUT', id, 'carla')).status, 200)
    const mine = (user: string) => async () =>
      (await http.ask('GET', '/api/v1/me/companies', { token: await http.token('creator', { sub: user }) }))
        .body.data
    assert.deepEqual(await mine('carla')(), [{ company_id: id, company_name: 'Pumpkins Ltd' }])
    assert.deepEqual(await mine('eve')(), [])
    assert.equal((await member('DELETE', id, 'carla')).status, 204)
    assert.equal((await member('DELETE', id, 'carla')).status, 404)
    assert.deepEqual(await mine('carla')(), [])
    const rows = await http.database.query(
      `select action from audit_logs where entity_type = 'company' and entity_id = $1 order by seq`,
      [id],
    )
    assert.deepEqual(
      rows.map((row: any) => row.action),
      ['create', 'company.member_added', 'company.member_removed'],
    )
  })

  it('S0-36 members are listed in pages, and a creator may not look', async () => {
    const id = await aCompany('Pages Ltd')
    for (const user of ['a', 'b', 'c']) await member('PUT', id, user)
    const path = `/api/v1/companies/${id}/members?limit=2`
    const first = await http.ask('GET', path, { token: operator })
    const second = await http.ask('GET', `${path}&cursor=${first.body.next_cursor}`, { token: operator })
    assert.deepEqual(
      [...first.body.data, ...second.body.data].map((row: any) => row.user_id),
      ['a', 'b', 'c'],
    )
    assert.equal(second.body.next_cursor, null)
    const creator = await http.token('creator', { sub: 'a' })
    assert.equal((await http.ask('GET', path, { token: creator })).status, 403)
  })

  it('S0-36 a company with a game that runs stays; without one it goes', async () => {
    const id = await aCompany('Busy Ltd')
    await member('PUT', id, 'carla')
    const creator = await http.token('creator', { sub: 'carla' })
    const game = await http.ask('POST', '/api/v1/games', {
      token: creator,
      json: {
        title: 'T',
        mode: 'draw',
        reward_type: 'product',
        company_id: id,
        closes_at: '2099-01-01T00:00:00Z',
      },
    })
    assert.equal(
      (await http.ask('POST', `/api/v1/games/${game.body.id}/publish`, { token: creator })).status,
      200,
    )
    const remove = () =>
      http.ask('DELETE', `/api/v1/companies/${id}`, { token: operator, headers: { 'if-match': '*' } })
    assert.deepEqual([(await remove()).status, (await remove()).body.code], [409, 'in_use'])
    await http.ask('POST', `/api/v1/games/${game.body.id}/cancel`, { token: creator, json: { reason: 'x' } })
    assert.equal((await remove()).status, 204)
  })
})
