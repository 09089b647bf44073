/** What a token must be, and the hostile ones of reliability.md section 7 under their numbers. */
import assert from 'node:assert/strict'
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OWN_AUDIENCE, OWN_ISSUER } from '../../src/http/tokens.ts'
import { type HttpHarness, startHttp } from './harness.ts'

const PATH = '/api/v1/game-engines'
const ISSUER = 'https://login.acme.example/'
const AUDIENCE = 'games'
const DAY_S = 24 * 3600

type Claims = Record<string, unknown>
const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A compact JWS over texts that may be no JSON object at all. */
function jws(header: unknown, payload: unknown, signature: (input: string) => Buffer): string {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${signature(input).toString('base64url')}`
}

const ed25519 = (key: KeyObject) => (input: string) => signBytes(null, Buffer.from(input), key)
const rs256 = (key: KeyObject) => (input: string) => signBytes('sha256', Buffer.from(input), key)
const es256 = (key: KeyObject) => (input: string) =>
  signBytes('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
const hs256 = (secret: string | Buffer) => (input: string) =>
  createHmac('sha256', secret).update(input).digest()

describe('http: tokens', () => {
  let http: HttpHarness
  let provider: Server
  let ownKey: KeyObject
  let kid: string
  /** What the identity provider publishes; `down` makes it answer 500, `hits` counts questions. */
  const jwks = { keys: [] as object[], down: false, hits: 0 }
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const stranger = generateKeyPairSync('ed25519')
  const publish = (key: KeyObject, name: string, alg: string) => ({
    ...key.export({ format: 'jwk' }),
    kid: name,
    alg,
    use: 'sig',
  })

  before(async () => {
    http = await startHttp({
      fresh_ms_max: 0,
      keySetLimits: {
        timeout_ms: 500,
        cooldown_ms: 0,
        age_ms_max: 0,
        stale_ms_max: 60_000,
        bytes_max: 10_000,
      },
    })
    const { createPrivateKey } = await import('node:crypto')
    ownKey = createPrivateKey({ key: http.tokenKey as never, format: 'jwk' })
    kid = http.tokens.publicJwk.kid!
    jwks.keys = [publish(rsa.publicKey, 'r1', 'RS256'), publish(ec.publicKey, 'e1', 'ES256')]
    provider = createServer((_request, response) => {
      jwks.hits++
      if (jwks.down) response.writeHead(500).end()
      else response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: jwks.keys }))
    })
    provider.listen(0, '127.0.0.1')
    await once(provider, 'listening')
    const platform = await http.token('platform', { tenant: null })
    const idp_jwks_url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks`
    const json = { idp_issuer: ISSUER, idp_audience: AUDIENCE, idp_jwks_url }
    const answer = await http.ask('PATCH', `/api/v1/tenants/${http.tenant.id}`, {
      token: platform,
      json,
      headers: { 'if-match': '*' },
    })
    assert.equal(answer.status, 200, answer.text)
  })

  after(async () => {
    provider.closeAllConnections()
    provider.close()
    await http.close()
  })

  const now_s = () => Math.floor(http.tokenClock.now().getTime() / 1000)
  const own = (changes: Claims = {}): Claims => ({
    iss: OWN_ISSUER,
    aud: OWN_AUDIENCE,
    sub: 'olivia',
    tenant: 'acme',
    roles: ['operator'],
    iat: now_s(),
    exp: now_s() + 600,
    jti: 'j1',
    ...changes,
  })
  const theirs = (changes: Claims = {}): Claims => ({
    ...own(),
    iss: ISSUER,
    aud: AUDIENCE,
    tenant: undefined,
    ...changes,
  })
  const ownToken = (changes: Claims = {}, header: Claims = {}) =>
    jws({ alg: 'EdDSA', typ: 'JWT', kid, ...header }, own(changes), ed25519(ownKey))
  const theirToken = (changes: Claims = {}, header: Claims = {}) =>
    jws({ alg: 'RS256', kid: 'r1', ...header }, theirs(changes), rs256(rsa.privateKey))
  const status = async (token: string) => (await http.ask('GET', PATH, { token })).status

  it('S1-16 a token of ours and tokens of a tenant’s provider by RS256 and ES256 are let in', async () => {
    assert.equal(await status(ownToken()), 200)
    assert.equal(await status(theirToken()), 200)
    assert.equal(await status(theirToken({}, { typ: 'at+jwt' })), 200)
    assert.equal(await status(jws({ alg: 'ES256', kid: 'e1' }, theirs(), es256(ec.privateKey))), 200)
  })

  it('S1-16 the tenant of a provider’s token follows from the issuer, whatever its claim says', async () => {
    const identity = await http.auth.verify(theirToken({ tenant: 'other' }))
    assert.equal(identity.tenantId, http.tenant.id)
    assert.equal(identity.tenantCode, 'acme')
  })

  it('S1-16 a provider cannot make a platform token, and roles outside the list are dropped', async () => {
    const identity = await http.auth.verify(theirToken({ roles: ['platform', 'admin', 'player', 7] }))
    assert.deepEqual(identity.roles, ['player'])
  })

  it('S1-16 what leaves the check is our own object: no claim of the token is in it', async () => {
    const identity = await http.auth.verify(
      ownToken({ sessionId: 'x', role: 'admin', userId: 'eve', tenantId: 'x' }),
    )
    assert.deepEqual(Object.keys(identity).sort(), [
      'expiresAt',
      'roles',
      'tenantCode',
      'tenantId',
      'tokenId',
      'userId',
    ])
    assert.equal(identity.userId, 'olivia')
  })

  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const der = rsa.publicKey.export({ type: 'spki', format: 'der' })
  const ownPem = () => createPublicKey(ownKey).export({ type: 'spki', format: 'pem' }).toString()
  const strangerJwk = stranger.publicKey.export({ format: 'jwk' })
  const duplicated = (first: string, second: string) =>
    `{"iss":"${OWN_ISSUER}","aud":"${OWN_AUDIENCE}","sub":"${first}","sub":"${second}","tenant":"acme","roles":["operator"],"iat":${now_s()},"exp":${now_s() + 60}}`

  const hostile: [number, string, () => string][] = [
    [85, 'HS256 with the RSA key as PEM', () => jws({ alg: 'HS256', kid: 'r1' }, theirs(), hs256(pem))],
    [
      85,
      'HS256 with the PEM without its newline',
      () => jws({ alg: 'HS256', kid: 'r1' }, theirs(), hs256(pem.trim())),
    ],
    [85, 'HS256 with the DER', () => jws({ alg: 'HS256', kid: 'r1' }, theirs(), hs256(der))],
    [
      85,
      'HS256 with our own public key',
      () => jws({ alg: 'HS256', typ: 'JWT', kid }, own(), hs256(ownPem())),
    ],
    [85, 'alg none', () => jws({ alg: 'none', typ: 'JWT' }, own(), () => Buffer.alloc(0))],
    [85, 'alg None with a signature', () => jws({ alg: 'None', typ: 'JWT' }, own(), ed25519(ownKey))],
    [87, 'exp in 100 years', () => ownToken({ exp: now_s() + 100 * 365 * DAY_S })],
    [87, 'exp one second past 24 hours', () => ownToken({ exp: now_s() + DAY_S + 1 })],
    [87, 'exp as text', () => ownToken({ exp: '9999999999' })],
    [87, 'exp as a fraction', () => ownToken({ exp: now_s() + 60.5 })],
    [87, 'exp below zero', () => ownToken({ exp: -1 })],
    [87, 'exp in the past', () => ownToken({ iat: now_s() - 100, exp: now_s() - 1 })],
    [87, 'no exp', () => ownToken({ exp: undefined })],
    [87, 'no iat', () => ownToken({ iat: undefined })],
    [87, 'iat in the future', () => ownToken({ iat: now_s() + 300, exp: now_s() + 600 })],
    [87, 'older than 24 hours', () => theirToken({ iat: now_s() - DAY_S - 60, exp: now_s() + 60 })],
    [89, 'wrong aud', () => ownToken({ aud: 'other' })],
    [89, 'no aud', () => ownToken({ aud: undefined })],
    [89, 'aud with ours among others', () => ownToken({ aud: [OWN_AUDIENCE, 'evil'] })],
    [89, 'aud of mixed kinds', () => theirToken({ aud: [AUDIENCE, 42, null] })],
    [89, 'unknown iss', () => ownToken({ iss: 'evil' })],
    [89, 'iss of another kind', () => ownToken({ iss: ['livedraw'] })],
    [
      89,
      'our iss with a provider’s key',
      () => jws({ alg: 'RS256', kid: 'r1' }, own(), rs256(rsa.privateKey)),
    ],
    [89, 'a provider’s iss with our key', () => jws({ alg: 'EdDSA', kid }, theirs(), ed25519(ownKey))],
    [
      91,
      'embedded jwk',
      () => jws({ alg: 'EdDSA', typ: 'JWT', jwk: strangerJwk }, own(), ed25519(stranger.privateKey)),
    ],
    [91, 'embedded jwk beside our good signature', () => ownToken({}, { jwk: strangerJwk })],
    [
      91,
      'jku',
      () =>
        jws({ alg: 'EdDSA', typ: 'JWT', jku: 'http://127.0.0.1:1/' }, own(), ed25519(stranger.privateKey)),
    ],
    [91, 'x5u', () => theirToken({}, { x5u: 'http://127.0.0.1:1/' })],
    [91, 'crit', () => ownToken({}, { crit: ['exp'] })],
    [
      93,
      'sub twice',
      () => jws({ alg: 'EdDSA', typ: 'JWT', kid }, duplicated('alice', 'olivia'), ed25519(ownKey)),
    ],
    [
      93,
      'sub twice, once escaped',
      () =>
        jws(
          { alg: 'EdDSA', typ: 'JWT', kid },
          duplicated('a', 'b').replace('"sub"', '"s\\u0075b"'),
          ed25519(ownKey),
        ),
    ],
    [95, 'unknown kid', () => theirToken({}, { kid: 'r0' })],
    [
      97,
      '__proto__',
      () =>
        jws(
          { alg: 'EdDSA', typ: 'JWT', kid },
          JSON.stringify(own()).replace('{', '{"__proto__":{"roles":["platform"]},'),
          ed25519(ownKey),
        ),
    ],
    [97, 'role instead of roles', () => ownToken({ roles: undefined, role: 'admin' })],
    [97, 'roles as text', () => ownToken({ roles: 'operator' })],
    [97, 'roles that nobody has', () => ownToken({ roles: ['admin', '__proto__', 'constructor'] })],
    [99, 'a tenant that is not there', () => ownToken({ tenant: 'nowhere' })],
    [99, 'no tenant', () => ownToken({ tenant: undefined })],
    [
      99,
      'platform and operator without a tenant',
      () => ownToken({ tenant: undefined, roles: ['platform', 'operator'] }),
    ],
    [85, 'a changed payload', () => ownToken().replace(/\.[^.]+\./, `.${part(own({ sub: 'eve' }))}.`)],
    [85, 'a commitment’s type', () => ownToken({}, { typ: 'fair1-commit' })],
    [85, 'no type', () => ownToken({}, { typ: undefined })],
    [
      85,
      'signed with the fairness key',
      () => jws({ alg: 'EdDSA', typ: 'JWT', kid: 'fair' }, own(), ed25519(http.fairSigningKey)),
    ],
    [85, 'three dots', () => '...'],
    [85, 'no JSON', () => jws('x', 'y', ed25519(ownKey))],
    [85, 'null and a list', () => jws(null, [], ed25519(ownKey))],
    [85, 'no UTF-8', () => `${Buffer.from([0xff, 0xfe]).toString('base64url')}.e30.e30`],
    [85, 'nine thousand characters', () => ownToken({ x: 'x'.repeat(9_000) })],
    [
      85,
      'nested a thousand times',
      () =>
        jws(
          { alg: 'EdDSA', typ: 'JWT', kid },
          `{"iss":${'['.repeat(1000)}${']'.repeat(1000)}}`,
          ed25519(ownKey),
        ),
    ],
    ...(['', ' ', 'x'.repeat(129), 'a\u0000b', 'a\nb', ' a', 7, null] as const).map(
      (sub): [number, string, () => string] => [
        97,
        `sub ${JSON.stringify(sub).slice(0, 12)}`,
        () => ownToken({ sub }),
      ],
    ),
  ]
  for (const [number, what, make] of hostile) {
    it(`S1-16 abuse ${number}: a token with ${what} is refused, and the server lives`, async () => {
      const answer = await http.ask('GET', PATH, { token: make() })
      assert.ok([401, 403].includes(answer.status), `${answer.status} ${answer.text}`)
      assert.ok(['unauthorized', 'forbidden'].includes(answer.body.code), answer.text)
      assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8')
    })
  }

  it('S1-16 abuse 79: cookies of any kind are no token, whatever the origin', async () => {
    const headers = {
      cookie: `token=${ownToken()}; authorization=Bearer%20x`,
      origin: 'https://evil.example',
    }
    const answer = await http.ask('POST', PATH, { json: { engine_type: 'wheel' }, headers })
    assert.equal(answer.status, 401)
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
  })

  it('S1-16 a header that is no bearer token is refused on public routes too, and no matter to probes', async () => {
    const answer = await http.ask('GET', '/livez', { headers: { authorization: 'Basic YTpi' } })
    assert.equal(answer.status, 200, 'probes carry whatever their infrastructure adds')
    const guest = await http.ask('POST', '/api/v1/guest', {
      json: { tenant: 'acme' },
      headers: { authorization: 'Basic YTpi' },
    })
    assert.equal(guest.status, 401)
  })

  it('S1-16 a token ends with its exp, although it was verified before', async () => {
    const token = await http.token('operator', { ttl_s: 100 })
    assert.equal(await status(token), 200)
    http.tokenClock.advance(101_000)
    assert.equal(await status(token), 401)
  })

  it('S1-16 abuse 95: a key that was retired by rotation is refused, and the new one is let in', async () => {
    const next = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const newToken = jws({ alg: 'RS256', kid: 'r2' }, theirs(), rs256(next.privateKey))
    assert.equal(await status(newToken), 401)
    const oldKeys = jwks.keys
    jwks.keys = [publish(next.publicKey, 'r2', 'RS256')]
    assert.equal(await status(newToken), 200)
    assert.equal(await status(theirToken({ jti: 'after the rotation' })), 401)
    jwks.keys = oldKeys
  })

  it('S1-16 F27: while the provider is down its known keys serve and unknown ones are refused, never with 500', async () => {
    assert.equal(await status(theirToken({ jti: 'while up' })), 200)
    jwks.down = true
    assert.equal(await status(theirToken({ jti: 'while down' })), 200)
    assert.equal(await status(theirToken({}, { kid: 'unknown' })), 401)
    jwks.down = false
  })

  it('S1-16 abuse 99: a blocked user is refused, and let in again when unblocked', async () => {
    const operator = await http.token('operator', { sub: 'boss' })
    const token = await http.token('operator', { sub: 'mallory' })
    assert.equal(await status(token), 200)
    const blocked = await http.ask('POST', '/api/v1/blocked-users', {
      token: operator,
      json: { user_id: 'mallory', reason: 'fraud' },
    })
    assert.equal(blocked.status, 201, blocked.text)
    const refused = await http.ask('GET', PATH, { token })
    assert.deepEqual([refused.status, refused.body.code], [403, 'user_blocked'])
    assert.equal(await http.auth.stillAllowed(await http.auth.verify(operator)), true)
    assert.equal((await http.ask('DELETE', '/api/v1/blocked-users/mallory', { token: operator })).status, 204)
    assert.equal(await status(token), 200)
  })

  it('S1-01 a tenant that is switched off: its tokens get 403 tenant_inactive and its sessions end', async () => {
    const platform = await http.token('platform', { tenant: null })
    const token = await http.token('operator', { tenant: 'other' })
    const identity = await http.auth.verify(token)
    const turn = (is_active: boolean) =>
      http.ask('PATCH', '/api/v1/tenants/other', {
        token: platform,
        json: { is_active },
        headers: { 'if-match': '*' },
      })
    assert.equal((await turn(false)).status, 200)
    const refused = await http.ask('GET', PATH, { token })
    assert.deepEqual([refused.status, refused.body.code], [403, 'tenant_inactive'])
    assert.equal(await http.auth.stillAllowed(identity), false)
    await assert.rejects(http.auth.spectator('other'), { code: 'game_not_found' })
    assert.equal((await turn(true)).status, 200)
    assert.equal(await http.auth.stillAllowed(identity), true)
  })

  it('S1-16 an identity stops being allowed at the second its token expires', async () => {
    const identity = await http.auth.verify(await http.token('player', { ttl_s: 50 }))
    assert.equal(await http.auth.stillAllowed(identity), true)
    http.tokenClock.advance(50_000)
    assert.equal(await http.auth.stillAllowed(identity), false)
  })
})

describe('http: key sets of providers', () => {
  it('F27: unknown key ids ask a provider once per cooldown, however many come and whether or not it answers', async () => {
    const { makeKeySets } = await import('../../src/http/key-sets.ts')
    const { jwtVerify } = await import('jose')
    let hits = 0
    const provider = createServer((_request, response) => {
      hits++
      response.writeHead(500).end()
    })
    provider.listen(0, '127.0.0.1')
    await once(provider, 'listening')
    const limits = { timeout_ms: 500, cooldown_ms: 60_000, age_ms_max: 0, stale_ms_max: 0, bytes_max: 10_000 }
    const keySet = makeKeySets(limits)(`http://127.0.0.1:${(provider.address() as AddressInfo).port}/`)
    const token = jws(
      { alg: 'EdDSA', kid: 'x' },
      { sub: 'x' },
      ed25519(generateKeyPairSync('ed25519').privateKey),
    )
    for (let i = 0; i < 20; i++) await assert.rejects(jwtVerify(token, keySet))
    provider.close()
    assert.equal(hits, 1)
  })
})
