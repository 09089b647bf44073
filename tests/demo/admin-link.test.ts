/** The link into the desk of a demo: for whoever sees the terminal, once. */
import assert from 'node:assert/strict'
import { type Product, startProduct } from '../http/product.ts'

describe('the one-time link of a demo', () => {
  let http: Product
  before(async () => {
    http = await startProduct({ fresh_ms_max: 0 })
    const made = await http.ask('POST', '/api/v1/tenants', {
      token: await http.token('platform', { tenant: null }),
      json: { tenant_code: 'demo', tenant_name: 'Demo', is_demo: true },
      headers: { 'idempotency-key': 'demo' },
    })
    assert.equal(made.status, 201, made.text)
  })
  after(() => http.close())

  const enter = (code: unknown) => http.ask('POST', '/api/v1/admin-link', { json: { code } })

  it('K-07 a wrong code is 401 and leaves the link as it is', async () => {
    const { code } = http.adminLink
    assert.match(code, /^[0-9A-HJKMNP-TV-Z]{26}$/)
    for (const bad of [code.slice(1), `${code}0`, '0'.repeat(26)]) {
      const { status, body } = await enter(bad)
      assert.deepEqual([status, body.code], [401, 'unauthorized'])
    }
    for (const none of ['', 7]) assert.equal((await enter(none)).status, 400)
  })

  it('K-07 S1-48 of four that open it at once one becomes the operator of the demo, and the audit chain says so', async () => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => enter(http.adminLink.code)))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 401, 401, 401])
    const { token, user_id } = answers.find(({ status }) => status === 201)!.body
    const identity = await http.auth.verify(token)
    assert.deepEqual([identity.tenantCode, identity.userId, identity.roles], ['demo', user_id, ['operator']])
    const { body } = await http.ask('GET', '/api/v1/audit-logs?action=admin_link', { token })
    assert.deepEqual(
      body.data.map((row: any) => [row.user_id, row.new_values.user_id]),
      [[user_id, user_id]],
    )
    assert.doesNotMatch(JSON.stringify(body), new RegExp(http.adminLink.code))
  })
})
