/** Every route of the product held to the same promises: described, closed to strangers, blind to other tenants. */
import assert from 'node:assert/strict'
import { NO_TENANT_ID } from '../../src/http/auth.ts'
import { assertDescribed } from './described.ts'
import { type Product, startProduct } from './product.ts'
import { casesOf, formOf } from './things.ts'

describe('http: every route of the product', () => {
  let http: Product
  let wheel: { wheel_id: string; prize_id: number; reward_ids: string[] }
  let operator: string

  before(async () => {
    http = await startProduct({ fresh_ms_max: 0, has_test_clock: true })
    operator = await http.token('operator')
    wheel = await http.aWheel('summer')
    await http.grant('alice', 5)
  })
  after(() => http.close())

  let made: ReturnType<typeof casesOf> | undefined
  const cases = () => (made ??= casesOf(http, wheel))

  const PLAYABLE: readonly string[] = ['player', 'operator', 'service', 'creator', 'auditor']

  it('P-53 is in the document with parameters, codes and examples that fit', async () => {
    const document = (await http.ask('GET', '/openapi.json')).body
    assertDescribed(http.routes, document)
    const ids = Object.values<any>(document.paths).flatMap((item) =>
      Object.values<any>(item).map((each) => each.operationId),
    )
    assert.equal(new Set(ids).size, ids.length)
    for (const [, path] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      assert.ok(
        path!.split('/').reduce((at: any, part) => at?.[part], document),
        path,
      )
    }
  })

  it('P-38 refuses no token with 401 and a role that it does not name with 403', async () => {
    const spectator = await http.token('spectator')
    for (const each of http.routes.filter((one) => one.roles !== 'anyone')) {
      const path = each.path.replaceAll(/\{\w+\}/g, 'x')
      const method = each.method.toUpperCase()
      assert.equal((await http.ask(method, path)).status, 401, `${method} ${path}`)
      if (each.roles.includes('spectator')) continue
      assert.equal((await http.ask(method, path, { token: spectator })).status, 403, `${method} ${path}`)
    }
  })

  it('P-38 only an operator changes odds, prizes and what is published', async () => {
    const changes = http.routes.filter(
      (each) =>
        each.method !== 'get' &&
        /\/(wheels|prizes)(\/\{id\}|\/\{slug\}\/(publish|pause|resume|end|rounds|simulate))?$/.test(
          each.path,
        ),
    )
    assert.ok(changes.length >= 10)
    for (const each of changes) assert.deepEqual(each.roles, ['operator'], each.path)
  })

  /** Every row of acme, table by table. */
  async function everythingOfAcme(): Promise<Record<string, unknown>> {
    const tables = await http.database.query<{ name: string }>(
      `select table_name as name from information_schema.columns
       where table_schema = 'public' and column_name = 'tenant_id' and data_type = 'uuid' order by 1`,
    )
    const found: Record<string, unknown> = {}
    for (const { name } of tables) {
      found[name] = await http.database.query(
        `select count(*), md5(string_agg(t::text, ',' order by t::text)) from ${name} t where tenant_id = $1`,
        [http.tenant.id],
      )
    }
    return found
  }

  it('S1-02 answers 404 to another tenant for every id, as for an id that never was, and changes nothing', async () => {
    const known = await cases()
    const file = await formOf({ bytes: 'a file' })
    /** Public by design: no tenant owns what they show, or they are not there for anybody yet. */
    const open =
      /^get \/api\/v1\/draws\/|^get (\/api\/v1)?\/share\/|^\w+ \/api\/v1\/(verify|fairness)\/|^\w+ \/api\/v1\/(tenants|customers)\//
    const before = await everythingOfAcme()
    for (const each of http.routes.filter((one) => one.params && !open.test(`${one.method} ${one.path}`))) {
      const found = known.find(([pattern]) => pattern.test(each.path))
      assert.ok(found, `${each.path} has no case here: add one to things.ts`)
      const [, theirs, nobodys, body] = found
      const roles = each.roles === 'anyone' ? PLAYABLE : each.roles
      const token = await http.token(roles as never, { sub: 'stranger', tenant: 'other' })
      const send = (params: Record<string, string>) =>
        http.ask(
          each.method.toUpperCase(),
          each.path.replaceAll(/\{(\w+)\}/g, (_, name) => params[name]!),
          {
            token,
            headers: { 'if-match': '*', 'idempotency-key': 'k', ...(each.upload && file.headers) },
            ...(each.body && { json: body }),
            ...(each.upload && { text: file.text }),
          },
        )
      const [foreign, unknown] = [await send(theirs), await send(nobodys)]
      assert.equal(foreign.status, 404, `${each.method} ${each.path}: ${foreign.text}`)
      assert.deepEqual({ ...foreign.body, request_id: '' }, { ...unknown.body, request_id: '' }, each.path)
    }
    assert.deepEqual(await everythingOfAcme(), before)
    const tenants = await http.ask('GET', `/api/v1/tenants/${NO_TENANT_ID}`, {
      token: await http.token('platform', { tenant: null }),
    })
    assert.equal(tenants.status, 404)
  })

  it('S1-02 a list shows another tenant nothing', async () => {
    for (const each of http.routes.filter(
      (one) => one.method === 'get' && one.query && !one.params && one.roles !== 'anyone',
    )) {
      if (each.path === '/api/v1/tenants') continue
      const token = await http.token(each.roles as never, { sub: 'alice', tenant: 'other' })
      const query =
        each.path === '/api/v1/events'
          ? `?game_id=${wheel.wheel_id}`
          : each.path.endsWith('seed-pair')
            ? '?wheel=summer'
            : ''
      const answer = await http.ask('GET', each.path + query, { token })
      if (answer.status === 404) continue
      assert.equal(answer.status, 200, `${each.path}: ${answer.text}`)
      // Its own engine, and its own refused attempts at ids of acme, are what a tenant sees of the tests before.
      if (each.path === '/api/v1/game-engines') assert.equal(answer.body.data.length, 1)
      else if (each.path === '/api/v1/audit-logs') {
        assert.ok(answer.body.data.every((row: any) => row.entity_id !== wheel.wheel_id))
      } else if (Array.isArray(answer.body.data)) assert.deepEqual(answer.body.data, [], each.path)
      else {
        // A report counts: what it counts here is nothing of acme's.
        for (const theirs of [wheel.wheel_id, 'summer', 'Guess the weight'])
          assert.ok(!answer.text.includes(theirs), `${each.path}: ${answer.text}`)
      }
    }
  })

  it('S1-02 abuse 71: U+0000 in the path of any route names nothing', async () => {
    const known = await cases()
    const file = await formOf({ bytes: 'a file' })
    for (const each of http.routes.filter((one) => one.params)) {
      const roles = each.roles === 'anyone' ? PLAYABLE : each.roles
      const body = known.find(([pattern]) => pattern.test(each.path))?.[3] ?? each.body?.meta()?.['example']
      const path = each.path.replaceAll(/\{\w+\}/g, 'a%00b')
      const answer = await http.ask(each.method.toUpperCase(), path, {
        token: await http.token(roles as never),
        headers: { 'if-match': '*', 'idempotency-key': 'nul', ...(each.upload && file.headers) },
        ...(each.body && { json: body }),
        ...(each.upload && { text: file.text }),
      })
      assert.equal(answer.status, 404, `${each.method} ${each.path}: ${answer.text}`)
    }
    assert.deepEqual(http.reports, [])
  })

  for (const bad of ['0', '-1', '9e99', '1;drop', '%00', '9007199254740993', '1.5', '0x1', '__proto__']) {
    it(`S1-02 abuse 71: the prize ${bad} is 404 like one that is unknown`, async () => {
      const answer = await http.ask('GET', `/api/v1/prizes/${bad}`, { token: operator })
      assert.deepEqual([answer.status, answer.body.code], [404, 'not_found'])
    })
  }

  for (const bad of ['%00', 'a%00b', '%F0%9F%8E%A1', '%E2%80%AE', 'a'.repeat(2_000)]) {
    it(`abuse 71: no route fails because of ${bad.slice(0, 12)} in its path, whoever asks`, async () => {
      const file = await formOf({ bytes: 'a file' })
      const failed: string[] = []
      for (const each of http.routes.filter((one) => one.params)) {
        const token = await http.token((each.roles === 'anyone' ? PLAYABLE : each.roles) as never)
        const path = each.path.replaceAll(/\{\w+\}/g, bad)
        const answer = await http.ask(each.method.toUpperCase(), path, {
          token,
          headers: { 'if-match': '*', 'idempotency-key': 'k', ...(each.upload && file.headers) },
          ...(each.body && { json: {} }),
          ...(each.upload && { text: file.text }),
        })
        if (answer.status >= 500 || answer.status < 400)
          failed.push(`${each.method} ${path}: ${answer.status}`)
      }
      assert.deepEqual(failed, [])
    })
  }

  it('abuse 57: 30 pipelined spins with one request id in one write are one spin, and take one chance', async () => {
    const alice = await http.token('player', { sub: 'alice' })
    const one = http.requestText('POST', '/api/v1/wheels/summer/spins', {
      token: alice,
      json: { request_id: 'race' },
    })
    const answers = await http.raw(one.repeat(30), 30, 10_000)
    assert.equal(answers.length, 30)
    const done = answers.filter((answer) => answer.status === 200)
    for (const answer of answers) assert.ok([200, 409].includes(answer.status), answer.text)
    assert.ok(done.length >= 1)
    assert.equal(new Set(done.map((answer) => answer.text)).size, 1)
    const rows = await http.database.query(`select 1 from spin_sessions where user_id = 'alice'`)
    assert.equal(rows.length, 1)
    assert.equal(JSON.parse(done[0]!.text).chances_left, 4)
  })

  it('abuse 57: 30 pipelined spins with ids of their own and 5 chances are 5 spins', async () => {
    await http.grant('bob', 5)
    const bob = await http.token('player', { sub: 'bob' })
    const text = Array.from({ length: 30 }, (_, i) =>
      http.requestText('POST', '/api/v1/wheels/summer/spins', { token: bob, json: { request_id: `r-${i}` } }),
    ).join('')
    const answers = await http.raw(text, 30, 10_000)
    const codes = answers
      .map((answer) => (answer.status === 200 ? 'ok' : JSON.parse(answer.text).code))
      .sort()
    assert.deepEqual(codes, [...Array(25).fill('no_chances_left'), ...Array(5).fill('ok')])
    assert.equal((await http.database.query(`select 1 from spin_sessions where user_id = 'bob'`)).length, 5)
  })

  it('abuse 51: what a client may not decide is refused by name, not ignored', async () => {
    const alice = await http.token('player', { sub: 'alice' })
    for (const name of ['seed', 'probability', 'tenant_id', 'user_id', 'reward_slug']) {
      const json = { request_id: 'own', [name]: 'x' }
      const answer = await http.ask('POST', '/api/v1/wheels/summer/spins', { token: alice, json })
      assert.deepEqual([answer.status, answer.body.errors?.[0]?.pointer], [400, `/${name}`])
    }
  })

  it('abuse 83: rolls are counted once for all who look at the same time, and each tenant has its own', async () => {
    const ask = (tenant: string) => http.ask('GET', `/api/v1/fairness/monitor?tenant=${tenant}&wheel=summer`)
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('acme')))
    assert.deepEqual(
      [...new Set(answers.map(({ status, text }) => `${status} ${text}`))],
      [`200 ${answers[0]!.text}`],
    )
    assert.equal((await ask('other')).status, 404)
    // A spin in between is not seen before the count is old.
    await http.grant('zed', 1)
    const token = await http.token('player', { sub: 'zed' })
    const spun = await http.ask('POST', '/api/v1/wheels/summer/spins', { token, json: { request_id: 'z' } })
    assert.equal(spun.status, 200)
    assert.equal((await ask('acme')).text, answers[0]!.text)
  })

  it('abuse 83: a stranger who verifies without end is slowed down, and a huge range is capped', async () => {
    const statuses = new Set<number>()
    const one = http.requestText('GET', '/api/v1/verify/0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10')
    for (const answer of await http.raw(one.repeat(400), 400, 15_000)) statuses.add(answer.status)
    assert.deepEqual([...statuses].sort(), [404, 429])
    const range = await http.ask('GET', '/api/v1/fairness/log?tenant=acme&from=0&limit=1000000000')
    assert.equal(range.status, 400)
  })
})
