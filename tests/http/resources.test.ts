/** Admin resources: versions, cursors, removal, audit; and that no tenant can see another. */
import assert from 'node:assert/strict'
import { checkChain } from '../../src/audit/chain.ts'
import type { UseCase } from '../../src/db/tx.ts'
import { refuse } from '../../src/errors.ts'
import { NO_TENANT_ID } from '../../src/http/auth.ts'
import type { Instantiate } from '../../src/tenants/templates.ts'
import { createTenant } from '../../src/tenants/tenants.ts'
import { type HttpHarness, startHttp } from './harness.ts'

/** A game's creation as small as can be: answers what it would copy. */
const copyTemplate: UseCase<Instantiate, unknown> = async (_tx, { template, overrides }) => {
  if (overrides['wheel_name'] === 'refused') refuse('already_exists')
  return { ...template['template_config'], rewards: template['reward_config'], ...overrides, row_version: 1 }
}

describe('http: admin resources', () => {
  let http: HttpHarness
  let operator: string
  let foreigner: string
  let auditor: string
  let platform: string

  before(async () => {
    http = await startHttp({ instantiators: { wheel: copyTemplate }, fresh_ms_max: 0 })
    operator = await http.token('operator', { sub: 'olivia' })
    foreigner = await http.token('operator', { sub: 'olivia', tenant: 'other' })
    auditor = await http.token('auditor')
    platform = await http.token('platform', { tenant: null, sub: 'root' })
  })
  after(() => http.close())

  const get = (path: string, token = operator, headers: Record<string, string> = {}) =>
    http.ask('GET', `/api/v1/${path}`, { token, headers })
  const post = (path: string, json: unknown, token = operator, headers: Record<string, string> = {}) =>
    http.ask('POST', `/api/v1/${path}`, { token, json, headers })
  const patch = (path: string, json: unknown, version?: string, token = operator) =>
    http.ask('PATCH', `/api/v1/${path}`, {
      token,
      json,
      headers: version === undefined ? {} : { 'if-match': version },
    })
  const remove = (path: string, version?: string, token = operator) =>
    http.ask('DELETE', `/api/v1/${path}`, {
      token,
      headers: version === undefined ? {} : { 'if-match': version },
    })
  const aTemplate = (changes: object = {}) =>
    post('game-templates', { template_name: 'T', template_type: 'wheel', ...changes })
  const lastAudit = async (filter = '') => (await get(`audit-logs?limit=1${filter}`, auditor)).body.data[0]

  it('S1-04 a new tenant has the wheel engine with its version and capabilities', async () => {
    const { body } = await get('game-engines')
    assert.deepEqual(
      body.data.map((each: any) => [
        each.engine_type,
        each.engine_status,
        each.engine_version,
        each.row_version,
      ]),
      [['wheel', 'enabled', '1', 1]],
    )
    assert.ok(body.data[0].engine_capabilities.includes('fair/1'))
  })

  it('S1-04 an engine that this version does not have, and a second one of a type, are refused', async () => {
    assert.equal((await post('game-engines', { engine_type: 'poker' })).status, 400)
    const second = await post('game-engines', { engine_type: 'wheel' })
    assert.deepEqual([second.status, second.body.code], [409, 'already_exists'])
  })

  it('S1-04 the config of an engine is checked against the schema that its code registered', async () => {
    const { id } = (await get('game-engines')).body.data[0]
    const answer = await patch(`game-engines/${id}`, { engine_config: { turbo: true } }, '*')
    assert.deepEqual([answer.status, answer.body.errors[0].pointer], [400, '/engine_config/turbo'])
  })

  it('S1-05 a template is made in one call, with Location and ETag, and read back as it was sent', async () => {
    const json = {
      template_name: 'Welcome',
      template_type: 'wheel',
      template_config: { a: { b: [1, 0.5, 'x', null] } },
      reward_config: [{ reward_slug: 'ten' }],
    }
    const made = await post('game-templates', json)
    assert.equal(made.status, 201, made.text)
    assert.equal(made.headers.get('etag'), '"1"')
    assert.equal(made.headers.get('location'), `/api/v1/game-templates/${made.body.id}`)
    const read = await http.ask('GET', made.headers.get('location')!, { token: operator })
    assert.deepEqual(read.body, made.body)
    for (const [name, value] of Object.entries(json)) assert.deepEqual(read.body[name], value)
    assert.equal(read.body.created_at, made.body.updated_at)
  })

  it('S1-05 a template names its engine by type or by id, and both must agree', async () => {
    const engine = (await get('game-engines')).body.data[0]
    assert.equal(
      (await post('game-templates', { template_name: 'T', game_engine_id: engine.id })).body.template_type,
      'wheel',
    )
    assert.equal((await post('game-templates', { template_name: 'T' })).status, 400)
    const foreign = (await get('game-engines', foreigner)).body.data[0]
    assert.equal(
      (await post('game-templates', { template_name: 'T', game_engine_id: foreign.id })).status,
      400,
    )
  })

  it('S1-05 a game is made from a template in one call, and a later change of the template does not reach it', async () => {
    const { body: template } = await aTemplate({
      template_config: { speed: 1 },
      reward_config: [{ reward_slug: 'x' }],
    })
    const made = await post(`game-templates/${template.id}/instantiate`, { wheel_name: 'Summer' })
    assert.deepEqual(
      [made.status, made.body],
      [201, { speed: 1, rewards: [{ reward_slug: 'x' }], wheel_name: 'Summer', row_version: 1 }],
    )
    const refused = await post(`game-templates/${template.id}/instantiate`, { wheel_name: 'refused' })
    assert.equal(refused.status, 409)
  })

  it('S1-04 a disabled engine refuses new games', async () => {
    const engine = (await get('game-engines')).body.data[0]
    const { body: template } = await aTemplate()
    assert.equal((await patch(`game-engines/${engine.id}`, { engine_status: 'disabled' }, '*')).status, 200)
    const refused = await post(`game-templates/${template.id}/instantiate`, {})
    assert.deepEqual([refused.status, refused.body.code], [409, 'engine_disabled'])
    assert.equal((await patch(`game-engines/${engine.id}`, { engine_status: 'enabled' }, '*')).status, 200)
  })

  describe('versions', () => {
    it('S1-03 a read row answers 304 to its own ETag, and 200 to another', async () => {
      const { body } = await aTemplate()
      const path = `game-templates/${body.id}`
      for (const [tag, status] of [
        ['"1"', 304],
        ['W/"1"', 304],
        ['"0", "1"', 304],
        ['*', 304],
        ['"2"', 200],
      ] as const) {
        const answer = await get(path, operator, { 'if-none-match': tag })
        assert.equal(answer.status, status, tag)
        assert.equal(answer.headers.get('etag'), '"1"')
      }
    })

    it('S1-03 a change needs If-Match, counts the version up, and leaves absent members as they are', async () => {
      const { body } = await aTemplate({ template_description: 'kept' })
      const path = `game-templates/${body.id}`
      const without = await patch(path, { template_name: 'N' })
      assert.deepEqual([without.status, without.body.code], [428, 'precondition_required'])
      const changed = await patch(path, { template_name: 'N' }, '"1"')
      assert.deepEqual([changed.status, changed.headers.get('etag')], [200, '"2"'])
      assert.deepEqual(
        [changed.body.template_name, changed.body.template_description, changed.body.row_version],
        ['N', 'kept', 2],
      )
    })

    for (const version of ['"1"', '"999999999"', 'W/"2"', '2', '""', 'x']) {
      it(`S1-03 a change with If-Match ${version} of a row at version 2 is 412 with the current version`, async () => {
        const { body } = await aTemplate()
        const path = `game-templates/${body.id}`
        await patch(path, { template_name: 'N' }, '"1"')
        const stale = await patch(path, { template_name: 'stale' }, version)
        assert.deepEqual([stale.status, stale.body.code], [412, 'precondition_failed'])
        assert.equal(stale.headers.get('etag'), '"2"')
        assert.deepEqual(stale.body.facts, { row_version: 2 })
        assert.equal((await get(path)).body.template_name, 'N')
      })
    }

    it('S1-03 of 20 changes of one version sent at once, one is made', async () => {
      const { body } = await aTemplate()
      const names = Array.from({ length: 20 }, (_, i) => `N${i}`)
      const answers = await Promise.all(
        names.map((name) => patch(`game-templates/${body.id}`, { template_name: name }, '"1"')),
      )
      assert.deepEqual(answers.map((each) => each.status).sort(), [200, ...Array(19).fill(412)])
      const winner = answers.find((each) => each.status === 200)!
      assert.equal((await get(`game-templates/${body.id}`)).body.template_name, winner.body.template_name)
    })

    it('S1-03 a removed row needs its version, is 404 afterwards, and is no longer listed', async () => {
      const { body } = await aTemplate()
      const path = `game-templates/${body.id}`
      assert.equal((await remove(path)).status, 428)
      assert.equal((await remove(path, '"7"')).status, 412)
      assert.equal((await remove(path, '"1"')).status, 204)
      assert.equal((await get(path)).status, 404)
      assert.equal((await remove(path, '*')).status, 404)
      assert.equal((await patch(path, {}, '*')).status, 404)
      const { body: list } = await get('game-templates?limit=100')
      assert.ok(!list.data.some((each: any) => each.id === body.id))
    })
  })

  it('S1-05 a list gives every row once, newest first, over pages of any size, and filters by what is declared', async () => {
    for (let i = 0; i < 5; i++) await aTemplate({ template_category: 'paged', template_name: `P${i}` })
    for (const limit of [1, 2, 5, 100]) {
      const seen: string[] = []
      let cursor = ''
      for (;;) {
        const { body } = await get(`game-templates?template_category=paged&limit=${limit}${cursor}`)
        seen.push(...body.data.map((each: any) => each.template_name))
        assert.ok(body.data.length <= limit)
        if (body.next_cursor === null) break
        cursor = `&cursor=${body.next_cursor}`
      }
      assert.deepEqual(seen, ['P4', 'P3', 'P2', 'P1', 'P0'])
    }
  })

  it('S2-56 creating with a key twice makes one row and answers the same bytes', async () => {
    const json = { template_name: 'once', template_type: 'wheel' }
    const first = await post('game-templates', json, operator, { 'idempotency-key': 't-1' })
    const second = await post('game-templates', json, operator, { 'idempotency-key': 't-1' })
    assert.equal(second.text, first.text)
    assert.equal(second.headers.get('location'), first.headers.get('location'))
    assert.equal(second.headers.get('etag'), '"1"')
  })

  describe('audit', () => {
    it('S1-48 create, change and removal each leave a row with actor, address, agent, before and after', async () => {
      const headers = { 'user-agent': 'test-agent/1' }
      const made = await post(
        'game-templates',
        { template_name: 'A', template_type: 'wheel', template_config: { x: 0.5 } },
        operator,
        headers,
      )
      const created = await lastAudit()
      assert.deepEqual(
        [created.action, created.entity_type, created.entity_id, created.user_id, created.old_values],
        ['create', 'game_template', made.body.id, 'olivia', null],
      )
      assert.deepEqual([created.ip_address, created.user_agent], ['127.0.0.1', 'test-agent/1'])
      assert.equal(created.new_values.template_name, 'A')
      await patch(`game-templates/${made.body.id}`, { template_name: 'B' }, '"1"')
      const changed = await lastAudit()
      assert.equal(changed.old_values.template_name, 'A')
      assert.equal(changed.new_values.template_name, 'B')
      assert.equal('template_config' in changed.new_values, false, 'what did not change is not repeated')
      assert.deepEqual([changed.old_values.row_version, changed.new_values.row_version], [1, 2])
      await remove(`game-templates/${made.body.id}`, '"2"')
      const removed = await lastAudit()
      assert.deepEqual(
        [removed.action, removed.old_values.template_name, removed.new_values],
        ['delete', 'B', null],
      )
      assert.equal(removed.prev_hash, changed.hash)
    })

    it('S1-48 a change that was refused is recorded too, with who asked and why not', async () => {
      const { body } = await aTemplate()
      const oscar = await http.token('operator', { sub: 'oscar' })
      await patch(`game-templates/${body.id}`, { template_name: 'x' }, '"9"', oscar)
      const stale = await lastAudit()
      assert.deepEqual(
        [stale.action, stale.user_id, stale.new_values],
        [
          'refused',
          'oscar',
          {
            method: 'PATCH',
            path: '/api/v1/game-templates/{id}',
            params: { id: body.id },
            code: 'precondition_failed',
          },
        ],
      )
      const player = await http.token('player', { sub: 'mallory' })
      assert.equal((await patch(`game-templates/${body.id}`, {}, '*', player)).status, 403)
      const forbidden = await lastAudit()
      assert.deepEqual([forbidden.user_id, forbidden.new_values.code], ['mallory', 'forbidden'])
    })

    it('S1-58 the rows of one entity are found by its id', async () => {
      const { body } = await aTemplate()
      await patch(`game-templates/${body.id}`, { template_name: 'Y' }, '"1"')
      const { body: found } = await get(`audit-logs?entity_type=game_template&entity_id=${body.id}`, auditor)
      assert.deepEqual(
        found.data.map((each: any) => each.action),
        ['update', 'create'],
      )
    })

    it('S1-48 pages of the chain give every row once', async () => {
      const seen: number[] = []
      for (let cursor = ''; ; ) {
        const { body } = await get(`audit-logs?limit=7${cursor}`, auditor)
        seen.push(...body.data.map((each: any) => each.seq))
        if (body.next_cursor === null) break
        cursor = `&cursor=${body.next_cursor}`
      }
      assert.deepEqual(
        seen,
        seen.map((_, i) => seen.length - i),
      )
    })

    it('S1-48 an untouched chain is whole to its last row', async () => {
      const { audit_seq } = (
        await http.database.query(`select audit_seq from tenant_heads where tenant_id = $1`, [http.tenant.id])
      )[0]
      assert.ok(audit_seq > 5)
      assert.deepEqual(await checkChain(http.app, http.tenant.id), { rows: audit_seq, broken: null })
      assert.deepEqual(await checkChain(http.app, http.other.id), { rows: 2, broken: null })
    })

    const chain = `audit_logs where tenant_id = (select id from tenants where tenant_code = 'acme')`
    for (const [what, sql, broken] of [
      [
        'a changed value',
        `update ${chain.replace('where', `set new_values = '{"forged":true}' where`)} and seq = 3`,
        { seq: 3, why: 'hash' },
      ],
      [
        'a changed actor',
        `update ${chain.replace('where', `set user_id = 'nobody' where`)} and seq = 4`,
        { seq: 4, why: 'hash' },
      ],
      ['a row taken out', `delete from ${chain} and seq = 2`, { seq: 2, why: 'missing' }],
      [
        'a changed hash',
        `update ${chain.replace('where', `set hash = repeat('a', 64) where`)} and seq = 2`,
        { seq: 2, why: 'hash' },
      ],
      [
        'a changed link',
        `update ${chain.replace('where', `set prev_hash = repeat('b', 64) where`)} and seq = 2`,
        { seq: 2, why: 'link' },
      ],
    ] as const) {
      it(`S1-48 ${what} by SQL, with the triggers off, breaks the chain check at its row`, async () => {
        const client = await http.database.connect()
        try {
          await client.query(`create temporary table kept as select * from ${chain}`)
          await client.query('set session_replication_role = replica')
          assert.equal((await client.query(sql)).rowCount, 1)
          assert.deepEqual((await checkChain(http.app, http.tenant.id)).broken, broken)
          await client.query(`delete from ${chain}`)
          await client.query('insert into audit_logs select * from kept')
          await client.query('drop table kept')
          await client.query('set session_replication_role = origin')
        } finally {
          client.release()
        }
        assert.equal((await checkChain(http.app, http.tenant.id)).broken, null)
      })
    }

    it('S1-48 cutting off the end of the chain is seen although every row that is left fits', async () => {
      const { audit_seq, audit_hash } = (
        await http.database.query('select audit_seq, audit_hash from tenant_heads where tenant_id = $1', [
          http.tenant.id,
        ])
      )[0]
      const set = 'update tenant_heads set audit_seq = $2, audit_hash = $3 where tenant_id = $1'
      await http.database.query(set, [http.tenant.id, audit_seq, 'f'.repeat(64)])
      assert.deepEqual((await checkChain(http.app, http.tenant.id)).broken, { seq: audit_seq, why: 'head' })
      await http.database.query(set, [http.tenant.id, audit_seq + 1, audit_hash])
      assert.deepEqual((await checkChain(http.app, http.tenant.id)).broken, {
        seq: audit_seq + 1,
        why: 'missing',
      })
      await http.database.query(set, [http.tenant.id, audit_seq, audit_hash])
    })

    it('S1-48 the application can neither change nor delete a row of the chain', async () => {
      const actor = { tenantId: http.tenant.id, userId: 'x', roles: [] }
      for (const sql of [
        `update audit_logs set action = 'x'`,
        'delete from audit_logs',
        'truncate audit_logs',
      ]) {
        await assert.rejects(
          http.app.run(actor, (tx) => tx.rows(sql), undefined),
          { code: '42501' },
        )
      }
    })
  })

  describe('tenants', () => {
    const aTenant = (changes: object = {}, headers: Record<string, string> = {}) =>
      post(
        'tenants',
        { tenant_code: `t${Math.trunc(performance.now() * 1000)}`, tenant_name: 'T', ...changes },
        platform,
        headers,
      )

    it('S1-01 a new tenant is usable after one call', async () => {
      const made = await aTenant({
        tenant_code: 'fresh',
        country_code: 'DE',
        currency: 'USD',
        language_code: 'de',
        time_zone: 'Europe/Berlin',
      })
      assert.equal(made.status, 201, made.text)
      const token = await http.token('operator', { tenant: 'fresh' })
      assert.equal((await get('game-engines', token)).body.data[0].engine_type, 'wheel')
      assert.equal(
        (await post('game-templates', { template_name: 'T', template_type: 'wheel' }, token)).status,
        201,
      )
      assert.deepEqual((await checkChain(http.app, made.body.id)).broken, null)
    })

    it('S1-01 only the platform may see or make tenants', async () => {
      for (const token of [operator, auditor]) {
        assert.equal((await get('tenants', token)).status, 403)
        assert.equal((await post('tenants', { tenant_code: 'no', tenant_name: 'N' }, token)).status, 403)
      }
      const codes = (await get('tenants?limit=100', platform)).body.data.map((each: any) => each.tenant_code)
      assert.ok(codes.includes('acme') && codes.includes('other'))
      assert.deepEqual(codes, [...codes].sort())
    })

    it('S1-01 a platform token without a tenant has no right inside any', async () => {
      assert.equal((await http.auth.verify(platform)).tenantId, NO_TENANT_ID)
      for (const path of ['game-engines', 'game-templates', 'audit-logs', 'blocked-users']) {
        assert.equal((await get(path, platform)).status, 403)
      }
    })

    it('S2-56 making a tenant with a key twice makes one, and with another body is 422', async () => {
      const key = { 'idempotency-key': 'tenant-1' }
      const first = await aTenant({ tenant_code: 'keyed' }, key)
      const second = await aTenant({ tenant_code: 'keyed' }, key)
      assert.equal(first.status, 201, first.text)
      assert.equal(second.text, first.text)
      assert.equal(second.headers.get('idempotency-replayed'), 'true')
      const other = await aTenant({ tenant_code: 'keyed-other' }, key)
      assert.deepEqual([other.status, other.body.code], [422, 'idempotency_key_reused'])
      const taken = await aTenant({ tenant_code: 'keyed' }, { 'idempotency-key': 'tenant-2' })
      assert.deepEqual([taken.status, taken.body.code], [409, 'already_exists'])
    })

    it('S1-01 making the demo tenant at every start finds the one that is there', async () => {
      const input = { tenant_code: 'demo', tenant_name: 'Demo', is_demo: true }
      const [first, second] = [
        await createTenant(http.app, http.directory, input),
        await createTenant(http.app, http.directory, input),
      ]
      assert.equal(first.id, second.id)
      assert.equal(first.is_demo, true)
    })

    it('S1-01 ten processes that make one tenant at once make one', async () => {
      const input = { tenant_code: 'raced', tenant_name: 'Raced' }
      const made = await Promise.all(
        Array.from({ length: 10 }, () => createTenant(http.app, http.directory, input)),
      )
      assert.equal(new Set(made.map((each) => each.id)).size, 1)
      const rows = await http.database.query(`select 1 from tenants where tenant_code = 'raced'`)
      assert.equal(rows.length, 1)
      assert.deepEqual(await checkChain(http.app, made[0]!.id), { rows: 2, broken: null })
    })

    it('S2-56 ten requests with one key at once make one tenant', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () =>
          aTenant({ tenant_code: 'raced-http' }, { 'idempotency-key': 'raced-http' }),
        ),
      )
      const made = answers.filter((each) => each.status === 201)
      assert.equal(new Set(made.map((each) => each.text)).size, 1)
      for (const each of answers) assert.ok([201, 409].includes(each.status), each.text)
    })

    const twins = [
      'Acme',
      'ACME',
      'аcme',
      'acmé',
      'acme\u200b',
      'ａcme',
      'acme ',
      ' acme',
      '-acme',
      'acme-',
      'ac me',
      '',
      'a'.repeat(65),
      'acme\n',
      'ac_me',
      'ACMe',
    ]
    for (const tenant_code of twins) {
      it(`S1-01 abuse 105: the tenant code ${JSON.stringify(tenant_code).slice(0, 20)} is refused`, async () => {
        const answer = await aTenant({ tenant_code })
        assert.deepEqual([answer.status, answer.body.errors?.[0]?.pointer], [400, '/tenant_code'])
      })
    }

    for (const [what, given] of [
      ['half of it', { idp_issuer: 'https://x.example/' }],
      [
        'keys over plain http',
        { idp_issuer: 'https://x.example/', idp_audience: 'a', idp_jwks_url: 'http://x.example/jwks' },
      ],
      [
        'keys in a file',
        { idp_issuer: 'https://x.example/', idp_audience: 'a', idp_jwks_url: 'file:///etc/passwd' },
      ],
      [
        'keys at an address that only looks local',
        {
          idp_issuer: 'https://x.example/',
          idp_audience: 'a',
          idp_jwks_url: 'http://127.0.0.1.evil.example/',
        },
      ],
      [
        'our own issuer',
        { idp_issuer: 'livedraw', idp_audience: 'a', idp_jwks_url: 'https://x.example/jwks' },
      ],
    ] as const) {
      it(`S1-01 an identity provider with ${what} is refused`, async () => {
        assert.equal((await aTenant(given)).status, 400)
      })
    }

    it('S1-01 two tenants cannot have one issuer', async () => {
      const given = {
        idp_issuer: 'https://same.example/',
        idp_audience: 'a',
        idp_jwks_url: 'https://same.example/jwks',
      }
      assert.equal((await aTenant(given)).status, 201)
      assert.equal((await aTenant(given)).status, 409)
    })

    it('S1-01 a time zone, currency, country or language that is none is refused', async () => {
      for (const given of [
        { time_zone: 'Mars/Base' },
        { currency: 'eur' },
        { country_code: 'DEU' },
        { language_code: '!' },
      ]) {
        assert.equal((await aTenant(given)).status, 400, JSON.stringify(given))
      }
    })

    it('S1-01 guests get player tokens in demo tenants, and alike refusals elsewhere', async () => {
      const guest = await http.ask('POST', '/api/v1/guest', { json: { tenant: 'acme' } })
      assert.equal(guest.status, 201)
      const identity = await http.auth.verify(guest.body.token)
      assert.deepEqual(
        [identity.userId, identity.roles, identity.tenantCode],
        [guest.body.user_id, ['player'], 'acme'],
      )
      assert.equal(new Date(guest.body.expires_at).getTime() / 1000, identity.expiresAt)
      const answers = await Promise.all(
        ['other', 'nowhere'].map((tenant) => http.ask('POST', '/api/v1/guest', { json: { tenant } })),
      )
      for (const answer of answers)
        assert.deepEqual([answer.status, answer.body.code], [403, 'guests_not_allowed'])
    })
  })

  describe('isolation', () => {
    it('S1-02 lists, filters and cursors of one tenant show nothing of another', async () => {
      const mine = (await get('game-templates?limit=1')).body
      assert.equal((await post('blocked-users', { user_id: 'eve', reason: 'x' })).status, 201)
      for (const path of [
        'game-templates',
        `game-templates?cursor=${mine.next_cursor}`,
        `audit-logs?entity_id=${mine.data[0].id}`,
        'blocked-users',
        'events?game_id=lobby',
      ]) {
        assert.deepEqual((await get(path, foreigner)).body.data, [], path)
      }
    })

    const tables = [
      'tenants',
      'tenant_heads',
      'game_heads',
      'game_events',
      'audit_logs',
      'idempotency_keys',
      'blocked_users',
      'game_engines',
      'game_templates',
    ]
    for (const table of tables) {
      it(`S1-50 abuse 103: ${table} without a tenant has no rows for the application, whether never set or set before`, async () => {
        const client = await http.database.connect()
        try {
          const count = async () =>
            Number((await client.query(`select count(*) as n from ${table}`)).rows[0].n)
          await client.query('begin; set local role livedraw_app')
          assert.equal(await count(), 0)
          await client.query(
            `commit; begin; set local role livedraw_app; set local app.tenant_id = '${http.tenant.id}'`,
          )
          await count()
          await client.query('commit; begin; set local role livedraw_app')
          assert.equal(await count(), 0)
          await client.query('rollback')
        } finally {
          client.release()
        }
      })
    }

    it('S1-50 the application cannot write a row for another tenant', async () => {
      const actor = { tenantId: http.tenant.id, userId: 'x', roles: [] }
      const sql = `insert into blocked_users (tenant_id, user_id, reason, blocked_by, created_at) values ($1, 'x', 'x', 'x', now())`
      await assert.rejects(
        http.app.run(actor, (tx) => tx.rows(sql, [http.other.id]), undefined),
        { code: '42501' },
      )
    })
  })

  describe('users', () => {
    it('S1-16 blocks are listed, replaced, bounded in time and recorded', async () => {
      const json = {
        user_id: 'zoe',
        reason: 'one',
        until: new Date(http.clock.now().getTime() + 60_000).toISOString(),
      }
      assert.equal((await post('blocked-users', json)).status, 201)
      const zoe = await http.token('operator', { sub: 'zoe' })
      assert.equal((await get('game-engines', zoe)).body.code, 'user_blocked')
      http.clock.advance(61_000)
      assert.equal((await get('game-engines', zoe)).status, 200, 'a block ends when it says')
      assert.equal(
        (await post('blocked-users', { user_id: 'zoe', reason: 'past', until: '2020-01-01T00:00:00Z' }))
          .status,
        400,
      )
      assert.equal((await post('blocked-users', { user_id: 'zoe', reason: 'two' })).status, 201)
      const row = await lastAudit()
      assert.deepEqual([row.action, row.old_values.reason, row.new_values.reason], ['block', 'one', 'two'])
      const listed: string[] = []
      for (let cursor = ''; ; ) {
        const { body } = await get(`blocked-users?limit=1${cursor}`)
        listed.push(...body.data.map((each: any) => each.user_id))
        if (body.next_cursor === null) break
        cursor = `&cursor=${body.next_cursor}`
      }
      assert.deepEqual(listed, ['eve', 'zoe'])
      assert.equal((await remove('blocked-users/nobody')).status, 404)
    })
  })

  it('S1-58 events of a game come in the order of their numbers, page by page', async () => {
    const actor = { tenantId: http.tenant.id, userId: 'olivia', roles: [] }
    for (let i = 1; i <= 5; i++) {
      await http.app.run(
        actor,
        async (tx) => tx.emit({ gameId: 'g-1', type: 'test.done', data: { i } }),
        undefined,
      )
    }
    const seen: number[] = []
    for (let after: string | null = '0'; after !== null; ) {
      const { body } = await get(`events?game_id=g-1&limit=2&after=${after}`, auditor)
      seen.push(...body.data.map((each: any) => each.event_data.i))
      after = body.next_cursor
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5])
    const one = (await get('events?game_id=g-1&after=4', auditor)).body.data[0]
    assert.deepEqual(
      [one.game_seq, one.event_type, one.event_category, one.user_id],
      [5, 'test.done', 'test', 'olivia'],
    )
  })
})
