/** The door itself: bodies, keys, limits, methods and malformed requests, by the numbers of reliability.md section 7. */
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { z } from 'zod'
import type { UseCase } from '../../src/db/tx.ts'
import { refuse } from '../../src/errors.ts'
import { addressKey } from '../../src/http/limits.ts'
import { type Route, route } from '../../src/http/route.ts'
import { JsonError, parseStrictJson } from '../../src/http/strict-json.ts'
import { propertyOptions } from '../fairness/seed.ts'
import { type HttpHarness, startHttp } from './harness.ts'

/** What a POST that moves value looks like: it writes, it can refuse, it can fail in ways it did not expect. */
const give: UseCase<{ amount: number }, unknown> = async (tx, { amount }) => {
  if (amount === 0) refuse('no_chances_left')
  tx.emit({ gameId: 'gifts', type: 'gift.given', data: { amount } })
  return { amount, at: tx.now }
}

function probeRoutes(): Route[] {
  const tags = ['test']
  const answer = z.unknown()
  return [
    route({
      method: 'post',
      path: '/api/v1/gifts/{gift}',
      summary: 'Give',
      tags,
      roles: ['player'],
      params: z.strictObject({ gift: z.string() }),
      body: z.strictObject({ amount: z.int(), deep: z.unknown().optional() }),
      answer,
      status: 201,
      once: 'required',
      run: ({ run, body }) => run(give, body),
    }),
    route({
      method: 'post',
      path: '/api/v1/echo',
      summary: 'Echo',
      tags,
      roles: 'anyone',
      body: z.unknown(),
      answer,
      run: ({ body }) => ({ body: body ?? null }),
    }),
    route({
      method: 'get',
      path: '/api/v1/broken/{how}',
      summary: 'Break',
      tags,
      roles: ['player'],
      params: z.strictObject({ how: z.string() }),
      answer,
      run: ({ run, params: { how } }) =>
        run(async (tx) => {
          if (how === 'sql') await tx.rows('select * from no_such_table')
          if (how === 'constraint') await tx.rows(`insert into blocked_users (user_id) values ('x')`)
          if (how === 'cast') await tx.rows('select $1::uuid', ['x'])
          if (how === 'throw') throw new Error(`secret of ${import.meta.filename}`)
          throw 'a text'
        }, undefined),
    }),
    route({
      method: 'get',
      path: '/api/v1/lying',
      summary: 'Answer something else',
      tags,
      roles: 'anyone',
      answer: z.strictObject({ x: z.int() }),
      run: () => ({ x: 1, y: 2 }),
    }),
    route({
      method: 'get',
      path: '/api/v1/limited',
      summary: 'Limited',
      tags,
      roles: 'anyone',
      answer,
      rate: { points: 3, duration_s: 60 },
      run: () => ({}),
    }),
  ]
}

describe('http: the door', () => {
  let http: HttpHarness
  let player: string

  before(async () => {
    http = await startHttp({ routes: probeRoutes })
    player = await http.token('player', { sub: 'alice' })
  })
  after(() => http.close())

  const gifts = async (tenantId = http.tenant.id) => {
    const actor = { tenantId, userId: 'test', roles: [] }
    const rows = await http.app.run(
      actor,
      (tx) => tx.rows(`select 1 from game_events where game_id = 'gifts'`),
      undefined,
    )
    return rows.length
  }
  const post = (text: string, headers: Record<string, string> = {}) =>
    http.ask('POST', '/api/v1/echo', { text, headers })

  describe('keys', () => {
    const giveOnce = (
      key: string | undefined,
      json: unknown,
      { token = player, path = '/api/v1/gifts/g1' } = {},
    ) =>
      http.ask('POST', path, {
        token,
        json,
        ...(key !== undefined && { headers: { 'idempotency-key': key } }),
      })

    it('S2-56 a repeated request answers the same bytes, says that it is a replay, and has one effect', async () => {
      const before = await gifts()
      const first = await giveOnce('k-1', { amount: 5 })
      const second = await giveOnce('k-1', { amount: 5 })
      assert.equal(first.status, 201)
      assert.equal(second.status, 201)
      assert.equal(second.text, first.text)
      assert.equal(first.headers.get('idempotency-replayed'), null)
      assert.equal(second.headers.get('idempotency-replayed'), 'true')
      assert.equal(await gifts(), before + 1)
    })

    it('S2-56 the order of members does not make it another request', async () => {
      const first = await giveOnce('k-order', { amount: 5, deep: { a: 1, b: 0.5 } })
      const second = await http.ask('POST', '/api/v1/gifts/g1', {
        token: player,
        text: '{"deep":{"b":0.5,"a":1},  "amount":5}',
        headers: { 'idempotency-key': 'k-order' },
      })
      assert.equal(second.text, first.text)
    })

    for (const [what, json, path] of [
      ['body', { amount: 6 }, '/api/v1/gifts/g1'],
      ['path', { amount: 5 }, '/api/v1/gifts/g2'],
    ] as const) {
      it(`S2-56 the same key with another ${what} is 422, and has no effect`, async () => {
        await giveOnce(`k-other-${what}`, { amount: 5 })
        const before = await gifts()
        const answer = await giveOnce(`k-other-${what}`, json, { path })
        assert.deepEqual([answer.status, answer.body.code], [422, 'idempotency_key_reused'])
        assert.equal(await gifts(), before)
      })
    }

    it('S2-56 a missing key is 400', async () => {
      const answer = await giveOnce(undefined, { amount: 5 })
      assert.deepEqual([answer.status, answer.body.code], [400, 'idempotency_key_required'])
    })

    for (const [what, key] of [
      ['empty', ''],
      ['256 long', 'x'.repeat(256)],
      ['with a space', 'a b'],
      ['not ASCII', 'é'],
    ] as const) {
      it(`S2-56 a key that is ${what} is 400`, async () => {
        const answer = await giveOnce(key, { amount: 5 })
        assert.deepEqual([answer.status, answer.body.code], [400, 'idempotency_key_invalid'])
      })
    }

    it('S2-56 a key of 255 visible characters is taken', async () => {
      assert.equal((await giveOnce('~'.repeat(255), { amount: 5 })).status, 201)
    })

    it('S2-56 a refused request keeps nothing: the same key works once its cause is gone', async () => {
      const refused = await giveOnce('k-refused', { amount: 0 })
      assert.deepEqual([refused.status, refused.body.code], [409, 'no_chances_left'])
      assert.equal((await giveOnce('k-refused', { amount: 1 })).status, 201)
    })

    it('S2-56 abuse 61: the key of another user or tenant is another key', async () => {
      const bob = await http.token('player', { sub: 'bob' })
      const foreign = await http.token('player', { sub: 'alice', tenant: 'other' })
      const first = await giveOnce('k-shared', { amount: 5 })
      for (const token of [bob, foreign]) {
        const answer = await giveOnce('k-shared', { amount: 7 }, { token })
        assert.equal(answer.status, 201)
        assert.equal(answer.body.amount, 7)
        assert.equal(answer.headers.get('idempotency-replayed'), null)
      }
      assert.equal((await giveOnce('k-shared', { amount: 5 })).text, first.text)
    })

    it('S2-56 abuse 57: 30 pipelined requests with one key in one write have one effect and no other answer', async () => {
      const before = await gifts()
      const one = http.requestText('POST', '/api/v1/gifts/g1', {
        token: player,
        json: { amount: 9 },
        headers: { 'idempotency-key': 'k-race' },
      })
      const answers = await http.raw(one.repeat(30), 30)
      assert.equal(answers.length, 30)
      assert.equal(await gifts(), before + 1)
      const done = answers.filter((answer) => answer.status === 201)
      assert.ok(done.length >= 1)
      assert.equal(new Set(done.map((answer) => answer.text)).size, 1)
      assert.equal(done.filter((answer) => answer.headers['idempotency-replayed'] !== 'true').length, 1)
      for (const answer of answers) assert.ok([201, 409].includes(answer.status), answer.text)
    })
  })

  describe('bodies', () => {
    for (const [number, what, text, code] of [
      [49, 'no JSON', '{"a":', 'invalid_json'],
      [49, 'two values', '1 2', 'invalid_json'],
      [101, 'a member twice', '{"a":1,"a":2}', 'invalid_input'],
      [101, 'a member twice, once escaped', '{"a":1,"\\u0061":2}', 'invalid_input'],
      [101, 'a member twice deep inside', '[[{"x":{"a":1,"b":[],"a":2}}]]', 'invalid_input'],
      [101, 'the character U+0000', '{"a":"x\\u0000"}', 'invalid_input'],
      [101, 'U+0000 in a name', '{"a\\u0000":1}', 'invalid_input'],
      [101, 'a lone surrogate', '"\\ud800"', 'invalid_input'],
      [101, '33 levels', `${'['.repeat(33)}${']'.repeat(33)}`, 'invalid_input'],
      [101, 'a number beyond a double', '1e999', 'invalid_input'],
      [25, '__proto__', '{"__proto__":{"polluted":true}}', 'invalid_input'],
      [25, '__proto__ deep inside', '{"a":[{"__proto__":1}]}', 'invalid_input'],
      [25, '__proto__, escaped', '{"\\u005f_proto__":1}', 'invalid_input'],
    ] as const) {
      it(`S2-56 abuse ${number}: a body with ${what} is 400`, async () => {
        const answer = await post(text)
        assert.deepEqual([answer.status, answer.body.code], [400, code])
        assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
      })
    }

    it('S2-56 32 levels, equal names in different objects, and colons inside texts are fine', async () => {
      const text = `{"a":{"b":"\\"x\\":1"},"c":{"b":[":",{"b":"}"}]},"d":${'['.repeat(31)}${']'.repeat(31)}}`
      const answer = await post(text)
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(answer.body.body, JSON.parse(text))
    })

    it('S2-56 what is no UTF-8 is 400', async () => {
      const text = Uint8Array.from([0x22, 0xff, 0x22])
      const answer = await http.ask('POST', '/api/v1/echo', { text })
      assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_json'])
    })

    it('S2-56 strict JSON gives what JSON.parse gives, for every value without a name twice', () => {
      const value = fc.jsonValue({ maxDepth: 6 })
      fc.assert(
        fc.property(value, (given) => {
          const text = JSON.stringify(given, null, 1)
          let strict: unknown
          try {
            strict = parseStrictJson(text)
          } catch (error) {
            assert.ok(error instanceof JsonError && error.kind === 'content')
            assert.match(text, /\\u0000|\\ud[89a-f]|__proto__/i)
            return
          }
          assert.deepEqual(strict, JSON.parse(text))
        }),
        propertyOptions(500),
      )
    })

    it('S2-56 a doubled member is found wherever it stands', () => {
      const name = fc
        .string({ unit: 'grapheme', maxLength: 5 })
        .filter((text) => !text.includes('\0') && text !== '__proto__')
      fc.assert(
        fc.property(
          name,
          fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 4 }),
          fc.nat(5),
          (twice, values, depth) => {
            const inner = values.map(
              (each, i) => `"${i}-${i}":${JSON.stringify(each).replaceAll(/\\u0000|__proto__/g, '')}`,
            )
            const object = `{${[`${JSON.stringify(twice)}:1`, ...inner, `${JSON.stringify(twice)} : 2`].join(',')}}`
            assert.throws(() => parseStrictJson('['.repeat(depth) + object + ']'.repeat(depth)), JsonError)
          },
        ),
        propertyOptions(300),
      )
    })

    for (const [encoding, text] of [
      ['gzip', gzipSync(Buffer.alloc(10_000_000, 'x'))],
      ['br', Buffer.from('x')],
      ['deflate', Buffer.from('x')],
    ] as const) {
      it(`S2-56 abuse 77: a body compressed by ${encoding} is 415, whatever is inside`, async () => {
        const answer = await http.ask('POST', '/api/v1/echo', {
          text,
          headers: { 'content-encoding': encoding },
        })
        assert.deepEqual([answer.status, answer.body.code], [415, 'unsupported_media_type'])
      })
    }

    for (const media of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonp',
      'application/json; charset=utf-16',
      'application/json, text/plain',
    ]) {
      it(`S2-56 abuse 79: a body of ${media}, which a foreign page may send, is 415`, async () => {
        const answer = await post('{"tenant":"acme"}', { 'content-type': media })
        assert.deepEqual([answer.status, answer.body.code], [415, 'unsupported_media_type'])
      })
    }

    it('S2-56 abuse 47: a body of more than 100 kB is 413, and one of exactly 100 kB is taken', async () => {
      const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`
      assert.equal((await post(text(100 * 1024))).status, 200)
      const answer = await http.raw(http.requestText('POST', '/api/v1/echo', { text: text(100 * 1024 + 1) }))
      assert.equal(answer[0]?.status, 413)
      assert.equal(answer[0]?.headers['connection'], 'close')
      assert.equal(JSON.parse(answer[0]!.text).code, 'body_too_large')
    })

    it('S2-56 abuse 47: a promise of 64 MB is 413 before a byte of it is sent', async () => {
      const head = `POST /api/v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 67108864\r\n\r\n`
      assert.equal((await http.raw(head))[0]?.status, 413)
    })

    it('S2-56 a body without a length is 411', async () => {
      const head =
        'POST /api/v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
      const [answer] = await http.raw(`${head}2\r\n{}\r\n0\r\n\r\n`)
      assert.equal(answer?.status, 411)
    })

    it('S2-56 unknown members are named, each with its pointer', async () => {
      const answer = await http.ask('POST', '/api/v1/gifts/g1', {
        token: player,
        json: { amount: 'x', tenant_id: 'y', 'a/b': 1 },
        headers: { 'idempotency-key': 'k' },
      })
      assert.equal(answer.status, 400)
      assert.deepEqual(answer.body.errors.map((each: any) => each.pointer).sort(), [
        '/amount',
        '/a~1b',
        '/tenant_id',
      ])
    })
  })

  describe('methods and paths', () => {
    it('S2-56 a path that is not there is 404, and a method that it does not take 405 with Allow', async () => {
      const nothing = await http.ask('GET', '/api/v1/nothing')
      assert.deepEqual([nothing.status, nothing.body.code], [404, 'not_found'])
      const other = await http.ask('PUT', '/api/v1/game-engines')
      assert.deepEqual([other.status, other.body.code], [405, 'method_not_allowed'])
      assert.equal(other.headers.get('allow'), 'GET, HEAD, POST')
    })

    it('S2-56 HEAD answers as GET does, without the body', async () => {
      const answer = await http.ask('HEAD', '/livez')
      assert.deepEqual([answer.status, answer.text], [200, ''])
      assert.equal(answer.headers.get('content-length'), '11')
    })

    const paths = [
      '%00',
      '%zz',
      '%ff',
      '..%2f..%2fetc%2fpasswd',
      'a'.repeat(3000),
      '1;drop',
      '9e99',
      '-1',
      '0',
      '__proto__',
      'constructor',
      '%F0%9F%8E%A1',
    ]
    for (const bad of paths) {
      it(`S1-02 abuse 71, 55: an id ${bad.slice(0, 24)} is 404 like one that is unknown`, async () => {
        const operator = await http.token('operator')
        for (const path of ['game-engines', 'game-templates']) {
          const answer = await http.ask('GET', `/api/v1/${path}/${bad}`, { token: operator })
          assert.deepEqual([answer.status, answer.body.code], [404, 'not_found'], path)
        }
      })
    }

    for (const query of [
      'limit=0',
      'limit=101',
      'limit=x',
      'limit=1&limit=2',
      'cursor=!!',
      'cursor=AAAA',
      'x=1',
      'limit=1e2x',
      '__proto__=1',
      'engine_type=%00',
    ]) {
      it(`S2-56 the query ${query} is 400 with a pointer`, async () => {
        const operator = await http.token('operator')
        const answer = await http.ask('GET', `/api/v1/game-engines?${query}`, { token: operator })
        assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_input'])
        assert.match(answer.body.errors[0].pointer, /^\//)
      })
    }
  })

  describe('malformed requests', () => {
    const line = 'POST /api/v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
    for (const [what, bytes] of [
      [
        'Content-Length and Transfer-Encoding',
        `${line}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nhost: x\r\n\r\n`,
      ],
      ['two Content-Lengths', `${line}content-length: 3\r\ncontent-length: 4\r\n\r\n{}x`],
      ['a bare LF', 'GET /livez HTTP/1.1\nhost: x\n\n'],
      ['a folded header', 'GET /livez HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n 2\r\n\r\n'],
      ['a header of 17 KB', `GET /livez HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(17 * 1024)}\r\n\r\n`],
      [
        '2,000 headers',
        `GET /livez HTTP/1.1\r\nhost: x\r\n${Array.from({ length: 2_000 }, (_, i) => `x-${i}: 1\r\n`).join('')}\r\n`,
      ],
      ['a negative Content-Length', `${line}content-length: -1\r\n\r\n`],
      ['a space before the colon', 'GET /livez HTTP/1.1\r\nhost : x\r\n\r\n'],
      ['a NUL in a header', 'GET /livez HTTP/1.1\r\nhost: x\r\nx-a: \u0000\r\n\r\n'],
    ] as const) {
      it(`S2-56 abuse 75: ${what} is 400 or 431 and nothing else is read`, async () => {
        const answers = await http.raw(bytes, 2, 2_000)
        assert.equal(answers.length, 1)
        assert.ok([400, 431].includes(answers[0]!.status), String(answers[0]!.status))
        assert.equal((await http.ask('GET', '/livez')).status, 200)
      })
    }
  })

  describe('errors', () => {
    for (const how of ['sql', 'constraint', 'cast', 'throw', 'text']) {
      it(`S2-56 abuse 81: what breaks by ${how} is 500 without SQL, stack, path or SQLSTATE`, async () => {
        const before = http.reports.length
        const answer = await http.ask('GET', `/api/v1/broken/${how}`, {
          token: player,
          headers: { 'x-request-id': 'find-me' },
        })
        assert.equal(answer.status, 500)
        const { title } = answer.body
        assert.deepEqual(answer.body, {
          type: '/docs/errors#internal',
          title,
          status: 500,
          detail: title,
          code: 'internal',
          request_id: 'find-me',
        })
        assert.doesNotMatch(
          answer.text,
          /select|insert|relation|constraint|uuid|\/src\/|\.ts|at .*:\d+|[0-9A-Z]{5}"|secret/,
        )
        assert.equal(http.reports.length, before)
        assert.ok(http.logged.some((each) => each['where'] === `GET /api/v1/broken/${how}` && each['err']))
      })
    }

    it('S2-56 a request id of the caller is kept, an odd one is replaced, and every answer has one', async () => {
      const given = await http.ask('GET', '/livez', { headers: { 'x-request-id': 'abc-1' } })
      assert.equal(given.headers.get('x-request-id'), 'abc-1')
      const odd = await http.ask('GET', '/api/v1/nothing', { headers: { 'x-request-id': 'a b<script>' } })
      assert.match(odd.body.request_id, /^[0-9a-f-]{36}$/)
      assert.equal(odd.headers.get('x-request-id'), odd.body.request_id)
    })

    it('S2-56 nothing of a token, a query or a body reaches the log', async () => {
      await http.ask('GET', '/api/v1/game-engines?limit=77777&cursor=SECRETQUERY', { token: player })
      await http.ask('POST', '/api/v1/echo', { json: { secret: 'SECRETBODY' }, token: player })
      const text = JSON.stringify(http.logged)
      assert.doesNotMatch(text, /SECRETQUERY|SECRETBODY|77777/)
      assert.ok(!text.includes(player) && !text.includes(player.split('.')[2]!))
      assert.ok(
        http.logged.some((each) => each['path'] === '/api/v1/game-engines' && each['user_id'] === 'alice'),
      )
    })

    it('S2-56 a role that does not fit is 403, and without a token 401 with a challenge', async () => {
      const forbidden = await http.ask('GET', '/api/v1/game-engines', { token: player })
      assert.deepEqual([forbidden.status, forbidden.body.code], [403, 'forbidden'])
      const unknown = await http.ask('GET', '/api/v1/game-engines')
      assert.deepEqual([unknown.status, unknown.body.code], [401, 'unauthorized'])
      assert.equal(unknown.headers.get('www-authenticate'), 'Bearer realm="livedraw"')
    })
  })

  it('P-53 an answer that is not what its schema says fails the test that asked for it', async () => {
    await assert.rejects(http.ask('GET', '/api/v1/lying'), /does not answer what it describes/)
  })

  describe('limits', () => {
    it('P-32 past its rate a route answers 429 with Retry-After, and tells how much is left before', async () => {
      const first = await http.ask('GET', '/api/v1/limited')
      assert.equal(first.headers.get('ratelimit'), '"get /api/v1/limited";r=2;t=60')
      assert.match(
        first.headers.get('ratelimit-policy') ?? '',
        /"address";q=1000000;w=60, "get \/api\/v1\/limited";q=3;w=60/,
      )
      await http.ask('GET', '/api/v1/limited')
      assert.equal((await http.ask('GET', '/api/v1/limited')).status, 200)
      const refused = await http.ask('GET', '/api/v1/limited')
      assert.deepEqual([refused.status, refused.body.code], [429, 'rate_limited'])
      const wait_s = Number(refused.headers.get('retry-after'))
      assert.ok(wait_s >= 1 && wait_s <= 60)
      assert.equal(
        (await http.ask('GET', '/api/v1/limited', { token: player })).status,
        200,
        'another caller is not affected',
      )
    })

    it('P-32 a user and an address have limits of their own, and a user is not another', async () => {
      const tight = await startHttp({
        rates: { user: { points: 3, duration_s: 60 }, address: { points: 8, duration_s: 60 } },
      })
      try {
        const [alice, bob] = [
          await tight.token('operator', { sub: 'a' }),
          await tight.token('operator', { sub: 'b' }),
        ]
        const ask = async (token: string) =>
          (await tight.ask('GET', '/api/v1/game-engines', { token })).status
        assert.deepEqual(
          [await ask(alice), await ask(alice), await ask(alice), await ask(alice)],
          [200, 200, 200, 429],
        )
        assert.equal(await ask(bob), 200)
        const spoofed = { token: bob, headers: { 'x-forwarded-for': '192.0.2.1', 'x-real-ip': '192.0.2.2' } }
        const statuses: number[] = []
        for (let i = 0; i < 4; i++)
          statuses.push((await tight.ask('GET', '/api/v1/game-engines', spoofed)).status)
        assert.deepEqual(statuses, [200, 200, 429, 429], 'claimed addresses do not make another address')
        assert.equal((await tight.ask('GET', '/livez')).status, 200, 'probes are answered all the same')
      } finally {
        await tight.close()
      }
    })

    for (const [address, key] of [
      ['192.0.2.7', '192.0.2.7'],
      ['::ffff:192.0.2.7', '192.0.2.7'],
      ['2001:db8:1:2:3:4:5:6', '2001:0db8:0001:0002::/64'],
      ['2001:db8::1', '2001:0db8:0000:0000::/64'],
      ['fe80::1%eth0', 'fe80:0000:0000:0000::/64'],
      ['::1', '0000:0000:0000:0000::/64'],
    ] as const) {
      it(`P-32 ${address} counts as ${key}`, () => assert.equal(addressKey(address), key))
    }
  })
})
