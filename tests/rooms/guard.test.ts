import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  type Client,
  CloseCode,
  definePlugins,
  getMessageBytes,
  matchMaker,
  Protocol,
  Room,
  RoomInternalState,
  RoomPlugin,
  ServerError,
} from '@colyseus/core'
import { schema, t } from '@colyseus/schema'
import { Client as Sdk } from '@colyseus/sdk'
import {
  addressResolver,
  asServerError,
  checkReconnect,
  expectJoinAck,
  guarded,
  holdSeat,
  installGuards,
  liveRoomCount,
  mistakesOf,
  takeToken,
  watchExpiry,
} from '../../rooms/guard.ts'
import { openSeats, placesOf, unusedSeats } from '../../rooms/seats.ts'
import { colyseusLogger } from '../../src/log.ts'
import {
  type Answer,
  ask,
  assertAlike,
  clientFrame,
  clientOf,
  joinRaw,
  matchmake,
  openSeat,
  RawClient,
  type Running,
  reconnectionTokenOf,
  roomOf,
  sendRaw,
  startGuarded,
  until,
} from './harness.ts'

type Auth = { userId: string; tenant: string; ip?: string; exp?: number }
const State = schema({ n: t.int32().default(0) }, 'GuardState')
const databaseError = () =>
  Object.assign(new Error('duplicate key value in "secret_table"'), { code: '23505' })
/** An error that the catalogue of the product knows. */
class KnownError extends Error {}
const publicError = (error: unknown) =>
  error instanceof KnownError ? { status: 409, code: 'draw_not_open' } : undefined
const blocked = new Set<string>()
let authRuns = 0

/** A room that does, on request, everything that a room must not do. */
class RudeRoom extends Room<{ state: InstanceType<typeof State> }> {
  override state = new State()
  override maxClients = 5
  override patchRate: number | null = 20
  throwsOnLeave = false
  holds_s = 0
  disposal: Promise<void> = Promise.resolve()
  static override async onAuth(token: string, options: any, context: { ip?: string }): Promise<unknown> {
    authRuns += 1
    if (options?.fail === 'database') throw databaseError()
    if (options?.fail === 'network')
      throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.1'), { code: 'ECONNREFUSED' })
    if (options?.fail === 'refusal') throw new ServerError(404, 'game_not_found')
    if (options?.fail === 'known') throw new KnownError('inner words')
    if (options?.fail === 'plain') throw new Error('/srv/app/secret.ts went wrong')
    if (options?.fail === 'false') return false
    if (options?.fail === 'slow') await new Promise((resolve) => setTimeout(resolve, 2_500))
    if (token === 'bad') throw new ServerError(401, 'unauthorized')
    return { userId: token ?? '', tenant: 't', ip: context.ip, exp: options?.exp } satisfies Auth
  }
  override onCreate(options: any) {
    if (options?.breaks === 'create') throw databaseError()
    watchExpiry(this, { stillAllowed: (auth: Auth) => !blocked.has(auth.userId) }, 50)
  }
  override onJoin(client: Client, options: any) {
    if (options?.breaks === 'join') throw databaseError()
    expectJoinAck(this, client, options?.ack_ms)
  }
  override onDrop(client: Client, code?: number) {
    if (this.holds_s > 0) holdSeat(this, client, code, this.holds_s)
  }
  override async onReconnect(client: Client) {
    await checkReconnect(client, { stillAllowed: (auth: Auth) => !blocked.has(auth.userId) })
  }
  override onDispose() {
    return this.disposal
  }
  override onLeave() {
    if (this.throwsOnLeave) throw databaseError()
  }
  override messages = {
    throw: () => {
      throw databaseError()
    },
    reject: async () => {
      throw databaseError()
    },
    timer: () => {
      this.clock.setTimeout(() => {
        throw databaseError()
      }, 1)
    },
    step: () => {
      this.setTimestep(() => {
        throw databaseError()
      }, 10)
    },
    echo: (client: Client, text: string) => client.send('echo', text),
    who: (client: Client) => client.auth,
  }
}

const seenByPlugin: string[] = []
class CountingPlugin extends RoomPlugin {
  override readonly pluginName = 'counting' as const
  protected override onCreate() {
    seenByPlugin.push('create')
  }
  protected override onJoin() {
    seenByPlugin.push('join')
  }
  protected override onLeave() {
    seenByPlugin.push('leave')
  }
  protected override onDispose() {
    seenByPlugin.push('dispose')
  }
}
class PluginRoom extends Room {
  override maxClients = 5
  override maxMessagesPerSecond = 7
  override plugins = definePlugins([new CountingPlugin()])
  static override async onAuth() {
    return { userId: '' }
  }
  override onCreate() {}
  override onJoin() {}
  override onLeave() {}
  override onDispose() {}
}

const rooms = { rude: RudeRoom, plugin: PluginRoom }
const OWN = 'https://game.example'
const LIMITS = {
  body_bytes_by_path: { '/upload/': 300_000, '/thing/{id}/file': 300_000 },
  ping_ms: 60_000,
  headers_timeout_ms: 1_000,
  request_timeout_ms: 2_000,
  timeout_check_ms: 100,
  matchmaking_ms: 1_000,
  unused_seats_max: 12,
  unused_seats_per_address: 8,
  sockets_per_user: 3,
  sockets_per_address: 60,
  rooms_max: 6,
  close_ms: 300,
}
let lines: string[] = []
const log = (_fields: object, text: string) => void lines.push(text)

describe('guards', () => {
  let running: Running
  const start = (more: object = {}) =>
    startGuarded(rooms, {
      origins: [OWN],
      publicError,
      limits: LIMITS,
      wire: { join_ack_ms: 5_000 },
      logger: colyseusLogger({ debug: log, info: log, warn: log, error: log, trace: log }),
      ...more,
    })
  /** Puts back what a test replaced by an installation of its own. */
  const reinstall = () =>
    installGuards({
      report: (where, error) => running.reports.push([where, error]),
      roomClasses: Object.values(rooms),
      origins: [OWN],
      publicError,
      limits: LIMITS,
    })
  before(async () => {
    running = await start()
  })
  after(() => running.close())
  beforeEach(() => {
    lines = []
    running.reports.length = 0
  })
  afterEach(async () => {
    blocked.clear()
    for (const room of await matchMaker.query()) {
      const here = matchMaker.getLocalRoomById(room.roomId) as unknown as RudeRoom | undefined
      if (here === undefined) continue
      here.throwsOnLeave = false
      const seats = (here as unknown as { _reservedSeats: Record<string, unknown> })._reservedSeats
      for (const session_id of Object.keys(seats)) delete seats[session_id]
      await here.disconnect()
    }
  })

  describe('H1 M5 bodies', () => {
    const post = (path: string, bytes: number) =>
      ask(`${running.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"a":"${'x'.repeat(bytes - 8)}"}`,
      })

    it('H1 a body of the cap is taken and one byte more is 413, before onAuth', async () => {
      const runs = authRuns
      assert.equal((await post('/matchmake/joinOrCreate/rude', 100 * 1024)).status, 200)
      assert.equal(authRuns, runs + 1)
      const refused = await post('/matchmake/joinOrCreate/rude', 100 * 1024 + 1)
      assert.equal(refused.status, 413)
      assert.equal(refused.body.code, 'body_too_large')
      assert.equal(refused.headers.get('content-type'), 'application/problem+json')
      assert.equal(authRuns, runs + 1)
    })

    it('H1 abuse 47: a body of 64 MB is 413 and RSS stays flat', async () => {
      const before = process.memoryUsage().rss
      const head =
        'POST /matchmake/joinOrCreate/rude HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
      const got = await sendRaw(
        running.port,
        `${head}Content-Length: ${64 * 1024 * 1024}\r\n\r\n{"a":"xxxxxxxx`,
        500,
      )
      assert.match(got, /^HTTP\/1.1 413 /)
      assert.ok(process.memoryUsage().rss - before < 20 * 1024 * 1024)
    })

    it('H1 chunked matchmaking is 411; elsewhere a chunked body is counted as it comes', async () => {
      const chunked = (path: string, chunk: number) =>
        `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n` +
        `${chunk.toString(16)}\r\n${'x'.repeat(chunk)}\r\n0\r\n\r\n`
      assert.match(
        await sendRaw(running.port, chunked('/matchmake/joinOrCreate/rude', 2), 500),
        /^HTTP\/1.1 411 /,
      )
      assert.match(await sendRaw(running.port, chunked('/upload/image', 299_999), 500), /"bytes":299999/)
      assert.match(await sendRaw(running.port, chunked('/upload/image', 300_001), 500), /^HTTP\/1.1 413 /)
    })

    it('H1 the cap follows the path, the longest prefix first', async () => {
      assert.equal((await post('/upload/image', 300_000)).body.bytes, 300_000)
      assert.equal((await post('/upload/image', 300_001)).status, 413)
      assert.equal((await post('/uploa', 100 * 1024 + 1)).status, 413)
      // A path with an id is that path and nothing beside or below it.
      assert.notEqual((await post('/thing/7/file', 300_000)).status, 413)
      for (const path of [
        '/thing/7/file/more',
        '/thing//file',
        '/thing/7/files',
        '/thing/7',
        '/thing/7/file?x=/file',
      ])
        assert.equal((await post(path, 300_001)).status, 413, path)
      assert.equal((await post('/thing/7/other', 300_000)).status, 413)
    })

    it('abuse 77: an encoded body is 415 on every path, and `identity` is no encoding', async () => {
      const send = (path: string, encoding: string) =>
        ask(`${running.url}${path}`, {
          method: 'POST',
          headers: { 'content-encoding': encoding, 'content-type': 'application/json' },
          body: '{}',
        })
      for (const path of ['/upload/image', '/matchmake/joinOrCreate/rude', '/nothing']) {
        for (const encoding of ['gzip', 'BR', 'deflate', 'gzip, identity', 'unheard-of']) {
          const { status, body } = await send(path, encoding)
          assert.deepEqual([status, body.code], [415, 'unsupported_media_type'], `${path} ${encoding}`)
        }
      }
      assert.equal((await send('/upload/image', 'Identity')).status, 200)
      assert.equal((await send('/matchmake/joinOrCreate/rude', 'identity')).status, 200)
    })

    it('H15 abuse 49: only an object is taken as options of a room', async () => {
      for (const body of ['null', '[]', '"x"', '123', 'true', '{"a":', '']) {
        const answer = await ask(`${running.url}/matchmake/joinOrCreate/rude`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        })
        if (body !== '') assert.equal(answer.status, 400, body)
      }
      for (const type of [
        'text/plain',
        'multipart/form-data; boundary=x',
        'application/octet-stream',
        'image/png',
      ]) {
        const answer = await ask(`${running.url}/matchmake/joinOrCreate/rude`, {
          method: 'POST',
          headers: { 'content-type': type },
          body: '{"a":1}',
        })
        assert.equal(answer.status, 415, type)
      }
    })

    it('H15 abuse 39: a reconnection without a token that could be one is 400, and nothing is reported', async () => {
      const client = await joinRaw(running, 'rude', {}, { token: 'ann' })
      for (const reconnectionToken of [undefined, null, '', 1, true, {}, ['x'], 'x'.repeat(101)]) {
        const { status, body } = await matchmake(running, 'reconnect', client.roomId, { reconnectionToken })
        assert.deepEqual([status, body.error], [400, 'invalid_input'], String(reconnectionToken))
      }
      assert.deepEqual(running.reports, [])
      client.destroy()
    })

    it('abuse 25: keys of Object.prototype in the options pollute nothing', async () => {
      const answer = await ask(`${running.url}/matchmake/joinOrCreate/rude`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}',
      })
      assert.equal(answer.status, 200)
      assert.equal(({} as { x?: number }).x, undefined)
    })
  })

  it('H2 the headers of every answer are on Colyseus’ own routes too', async () => {
    const answers = await Promise.all([
      ask(`${running.url}/livez`),
      ask(`${running.url}/__healthcheck`),
      ask(`${running.url}/nothing`),
      matchmake(running, 'joinOrCreate', 'rude'),
      matchmake(running, 'create', 'rude'),
    ])
    for (const { headers } of answers) {
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.equal(headers.get('x-frame-options'), 'SAMEORIGIN')
      assert.equal(headers.get('referrer-policy'), 'no-referrer')
    }
  })

  describe('origins', () => {
    const own = () => running.url
    const table = (): [string | undefined, boolean][] => [
      [OWN, true],
      [own(), true],
      ['https://evil.example', false],
      ['https://game.example.evil.example', false],
      ['https://evilgame.example', false],
      ['http://game.example', false],
      ['null', false],
    ]

    it('H3 M6 one policy answers preflight and request, on every path, and names only origins that it allows', async () => {
      for (const path of ['/matchmake/joinOrCreate/rude', '/livez', '/__healthcheck', '/nothing']) {
        for (const method of ['OPTIONS', 'GET', 'POST']) {
          for (const [origin, isAllowed] of table()) {
            const { headers } = await ask(`${running.url}${path}`, { method, headers: { origin: origin! } })
            const what = `${method} ${path} from ${origin}`
            assert.equal(headers.get('access-control-allow-origin'), isAllowed ? origin : null, what)
            assert.equal(headers.get('access-control-allow-credentials'), null, what)
            assert.match(headers.get('vary') ?? '', /Origin/, what)
          }
          const { headers } = await ask(`${running.url}${path}`, { method })
          assert.equal(headers.get('access-control-allow-origin'), null)
        }
      }
    })

    it('H4 abuse 41: a foreign Origin is 403 before the upgrade; own and none pass', async () => {
      for (const [origin, isAllowed] of table()) {
        const client = await RawClient.open(running.port, '/p/r?sessionId=x', { Origin: origin! })
        assert.equal(client.status, isAllowed ? 101 : 403, origin)
        client.destroy()
      }
      const native = await RawClient.open(running.port, '/p/r?sessionId=x')
      assert.equal(native.status, 101)
      native.destroy()
    })
  })

  it('H5 abuse 53: clients cannot create rooms, and no other method of the matchmaker answers', async () => {
    for (const method of [
      'create',
      'createRoom',
      'toString',
      'gracefullyShutdown',
      'query',
      '__proto__',
      'constructor',
    ]) {
      const { status, body } = await matchmake(running, method, 'rude')
      assert.equal(status, 520, method)
      assert.deepEqual(body, { code: 520, error: 'not_found' })
    }
    assert.equal(liveRoomCount(), 0)
  })

  it('abuse 55: names that no room can have get a short refusal', async () => {
    for (const room of [
      'x'.repeat(3_000),
      'a%2Fb',
      '%00',
      'rude%00',
      '__proto__',
      'constructor',
      'nope',
      '..%2f',
    ]) {
      const { status, body } = await matchmake(running, 'joinOrCreate', room)
      assert.ok(status === 520 || status === 404, `${room.slice(0, 20)}: ${status}`)
      assert.ok(JSON.stringify(body).length < 100)
    }
  })

  it('H5 the quota of live rooms holds under a burst, and joining a room that lives still works', async () => {
    await matchMaker.createRoom('rude', {})
    const made = await Promise.allSettled(Array.from({ length: 20 }, () => matchMaker.createRoom('rude', {})))
    assert.equal(made.filter(({ status }) => status === 'fulfilled').length, LIMITS.rooms_max - 1)
    assert.equal(liveRoomCount(), LIMITS.rooms_max)
    assert.equal((await matchmake(running, 'joinOrCreate', 'rude')).status, 200)
    const refused = await matchmake(running, 'joinOrCreate', 'plugin')
    assert.equal(refused.status, 503)
    assert.equal(refused.body.error, 'quota_exceeded')
    assert.equal(refused.headers.get('retry-after'), '1')
  })

  it('H5 abuse 45: seats that nobody connects to are capped for an address and given back when they end', async () => {
    const asked = await Promise.all(
      Array.from({ length: 20 }, () => matchmake(running, 'joinOrCreate', 'rude')),
    )
    const given = asked.filter(({ status }) => status === 200)
    assert.equal(given.length, LIMITS.unused_seats_per_address)
    for (const { status, body } of asked)
      if (status !== 200) assert.deepEqual([status, body.error], [429, 'quota_exceeded'])
    assert.equal(unusedSeats(), given.length)
    const used = await openSeat(running, given[0]!.body)
    await until('the join', () => used.byCode(10).length === 1)
    assert.equal((await matchmake(running, 'joinOrCreate', 'rude')).status, 200)
    assert.equal((await matchmake(running, 'joinOrCreate', 'rude')).status, 429)
    used.destroy()
  })

  it('H5 abuse 45: a user gets no more places than the quota, over all rooms, and gets them back', async () => {
    const clients = []
    for (let place = 0; place < 3; place++) clients.push(await joinRaw(running, 'rude', {}, { token: 'ann' }))
    assert.equal(placesOf('t/ann'), 3)
    assert.equal(
      (await matchmake(running, 'joinOrCreate', 'rude', {}, { authorization: 'Bearer ann' })).status,
      429,
    )
    assert.equal(
      (await matchmake(running, 'joinOrCreate', 'rude', {}, { authorization: 'Bearer bob' })).status,
      200,
    )
    clients[0]!.destroy()
    await until('the place is free', () => placesOf('t/ann') === 2)
    await joinRaw(running, 'rude', {}, { token: 'ann' })
  })

  describe('errors', () => {
    const inner = /duplicate|secret|23505|ECONNREFUSED|10\.0\.0\.1|srv/

    it('H8 an error with a string code is never HTTP 200 and says nothing of the inside', async () => {
      for (const options of [
        { fail: 'database' },
        { fail: 'network' },
        { fail: 'plain' },
        { breaks: 'create' },
      ]) {
        const { status, body } = await matchmake(running, 'joinOrCreate', 'rude', options)
        assert.equal(status, 500, JSON.stringify(options))
        assert.deepEqual(body, { code: 500, error: 'internal' })
      }
      assert.ok(
        running.reports.some(([, error]) => inner.test((error as Error).message)),
        'it is reported inside',
      )
    })

    it('H8 whoever asks onAuth gets a ServerError of ours and never the error of a library', async () => {
      const context = { ip: '127.0.0.1', headers: new Headers(), token: undefined } as never
      for (const fail of ['database', 'network', 'plain']) {
        running.reports.length = 0
        // Not through the guarded door: the server itself and other code may ask the matchmaker too.
        const error = await matchMaker.joinOrCreate('rude', { fail }, context).then(
          () => assert.fail('it joined'),
          (thrown: unknown) => thrown,
        )
        assert.ok(error instanceof ServerError, fail)
        assert.deepEqual([error.code, error.message], [500, 'internal'], fail)
        assert.deepEqual(
          running.reports.map(([where]) => where),
          ['RudeRoom.onAuth'],
          'it is reported once, by its place',
        )
      }
    })

    it('H8 what the catalogue knows leaves onAuth under its number and code, and is no report', async () => {
      const { status, body } = await matchmake(running, 'joinOrCreate', 'rude', { fail: 'known' })
      assert.deepEqual([status, body], [409, { code: 409, error: 'draw_not_open' }])
      const error = asServerError(new KnownError('inner words'))
      assert.deepEqual([error.code, error.message], [409, 'draw_not_open'])
      assert.deepEqual(running.reports, [])
    })

    it('H8 an onJoin that fails says only `internal` to the socket', async () => {
      const seat = await matchmake(running, 'joinOrCreate', 'rude', { breaks: 'join' })
      const client = await openSeat(running, seat.body)
      await until('the error', () => client.byCode(11).length === 1)
      assert.ok(client.byCode(11)[0]!.includes('internal'))
      assert.doesNotMatch(client.byCode(11)[0]!.toString('latin1'), inner)
      client.destroy()
    })

    it('H9 refusals keep their own numbers: 401, 404', async () => {
      const bad = await matchmake(running, 'joinOrCreate', 'rude', {}, { authorization: 'Bearer bad' })
      assert.deepEqual([bad.status, bad.body.error], [401, 'unauthorized'])
      const none = await matchmake(running, 'joinOrCreate', 'rude', { fail: 'false' })
      assert.deepEqual([none.status, none.body.error], [401, 'unauthorized'])
      const missing = await matchmake(running, 'joinOrCreate', 'rude', { fail: 'refusal' })
      assert.deepEqual([missing.status, missing.body.error], [404, 'game_not_found'])
      assert.deepEqual(running.reports, [], 'a refusal is not a report')
    })

    it('refusals that must not tell cases apart can be compared', async () => {
      const same = () => matchmake(running, 'joinOrCreate', 'rude', { fail: 'refusal' })
      assertAlike([await same(), await same()])
      const other: Answer = await matchmake(running, 'joinOrCreate', 'rude', { fail: 'plain' })
      assert.throws(() => assertAlike([other, { ...other, status: 404 }]))
    })

    it('asServerError passes ours, maps what the catalogue knows, and hides the rest', () => {
      assert.equal(asServerError(new ServerError(409, 'draw_not_open')).message, 'draw_not_open')
      assert.equal(asServerError(new ServerError(409, 'Cannot read properties of x')).code, 500)
      assert.equal(asServerError(new ServerError(523, 'select * from x')).code, 500)
      assert.equal(asServerError(databaseError()).message, 'internal')
      assert.equal(asServerError(null).code, 500)
    })
  })

  it('F14 matchmaking that takes too long is 503 with Retry-After', async () => {
    const started = Date.now()
    const { status, body, headers } = await matchmake(running, 'joinOrCreate', 'rude', { fail: 'slow' })
    assert.deepEqual([status, body.error, headers.get('retry-after')], [503, 'unavailable', '1'])
    assert.ok(Date.now() - started < 2_400, 'it did not wait for onAuth')
  })

  it('F23 with hardly any heap left nobody new gets a seat, and who plays plays on and comes back', async () => {
    const client = await joinRaw(running, 'rude', {}, { token: 'ann' })
    installGuards({
      report: (where, error) => running.reports.push([where, error]),
      roomClasses: Object.values(rooms),
      origins: [OWN],
      publicError,
      limits: { ...LIMITS, heap_share_max: 0 },
    })
    try {
      for (const method of ['joinOrCreate', 'join']) {
        const { status, body, headers } = await matchmake(running, method, 'rude')
        assert.deepEqual([status, body.error, headers.get('retry-after')], [503, 'unavailable', '1'], method)
      }
      client.send(...getMessageBytes.raw(Protocol.ROOM_DATA, 'echo', 'still here'))
      await until('the answer', () => client.frames.some(({ data }) => data.includes('still here')))
      // Refused for its token and not for the memory: reconnecting is asked as ever.
      const back = await matchmake(running, 'reconnect', client.roomId, { reconnectionToken: 'x:y' })
      assert.notEqual(back.status, 503)
    } finally {
      reinstall()
      client.destroy()
    }
    assert.equal((await matchmake(running, 'joinOrCreate', 'rude')).status, 200)
  })

  describe('addresses', () => {
    const claims = {
      'x-forwarded-for': '6.6.6.6',
      'x-real-ip': '6.6.6.7',
      'x-client-ip': '6.6.6.8',
      forwarded: 'for=6.6.6.9',
    }
    const whoIs = async (server: Running, headers: Record<string, string>) =>
      (await ask(`${server.url}/upload/image`, { method: 'POST', headers })).body.address

    it('H10 M9 a stranger’s forwarding headers are ignored over HTTP and in onAuth', async () => {
      assert.equal(await whoIs(running, claims), '127.0.0.1')
      const { body } = await ask(`${running.url}/upload/image`, { method: 'POST', headers: claims })
      assert.equal(body.claimed, null, 'nothing behind the guard gets to read the claim')
      const client = await joinRaw(running, 'rude', {}, { headers: claims })
      const room = roomOf(client.roomId)
      assert.equal((clientOf(room, client.sessionId).auth as Auth).ip, '127.0.0.1')
    })

    it('H10 behind a proxy the rightmost address that no proxy of ours wrote counts', () => {
      const resolve = addressResolver(['10.0.0.0/8', '127.0.0.1', 'fd00::/8'])
      const from = (peer: string, forwarded?: string, real?: string) =>
        resolve({
          socket: { remoteAddress: peer },
          headers: { 'x-forwarded-for': forwarded, 'x-real-ip': real },
        } as never).address
      assert.equal(from('203.0.113.9', '1.1.1.1'), '203.0.113.9')
      assert.equal(from('127.0.0.1', '6.6.6.6, 1.2.3.4'), '1.2.3.4')
      assert.equal(from('::ffff:127.0.0.1', '6.6.6.6, 1.2.3.4, 10.1.1.1'), '1.2.3.4')
      assert.equal(from('127.0.0.1', '10.2.2.2, 10.1.1.1'), '10.2.2.2')
      assert.equal(from('127.0.0.1', '6.6.6.6, rubbish, 10.1.1.1'), '10.1.1.1')
      assert.equal(from('127.0.0.1', 'rubbish'), '127.0.0.1')
      assert.equal(from('127.0.0.1', undefined, '1.2.3.4'), '1.2.3.4')
      assert.equal(from('127.0.0.1', '[2001:db8::1]:4711'), '2001:db8::1')
      assert.equal(from('fd00::5', '1.2.3.4:5555'), '1.2.3.4')
      assert.throws(() => addressResolver(['10.0.0.0/33']))
      assert.throws(() => addressResolver(['proxy.local']))
    })
  })

  describe('sockets', () => {
    it('H11 M10 a socket that dribbles its headers is closed within the limit', async () => {
      const started = Date.now()
      const got = await sendRaw(running.port, 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ', 5_000)
      assert.match(got, /^HTTP\/1.1 408 /)
      assert.ok(Date.now() - started < 4_500, 'Node alone would wait for a minute')
    })

    it('H11 M10 a body that never comes is given up within the limit of a request', async () => {
      const head =
        'POST /upload/image HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 10\r\n\r\nabc'
      assert.match(await sendRaw(running.port, head, 5_000), /^HTTP\/1.1 408 /)
    })

    it('H11 abuse 45: an address gets its quota of sockets and not one more', async () => {
      const sockets: Socket[] = []
      let refused = 0
      for (let each = 0; each < LIMITS.sockets_per_address + 20; each++) {
        const socket = connect(running.port, '127.0.0.1')
        socket.on('error', () => {})
        socket.once('close', () => {
          refused += 1
        })
        sockets.push(socket)
        await once(socket, 'connect')
      }
      await until('the refusals', () => refused >= 20)
      assert.ok(refused < LIMITS.sockets_per_address, 'those inside the quota stay')
      for (const socket of sockets) socket.destroy()
      await until(
        'a free place',
        async () => (await ask(`${running.url}/livez`).catch(() => null))?.status === 200,
      )
    })

    it('H12 M17 abuse 35: no name of Object.prototype is a room, and nothing is logged with a stack', async () => {
      for (const path of [
        '/x/constructor',
        '/x/__proto__',
        '/x/toString',
        '/x/hasOwnProperty',
        '/valueOf/x',
        '/',
        '/x',
        '/x/y/z',
      ]) {
        const client = await RawClient.open(running.port, `${path}?sessionId=a`)
        assert.equal(client.status, 404, path)
        client.destroy()
      }
      assert.deepEqual(lines, [])
    })

    it('H12 an unknown room says only that the seat expired', async () => {
      const client = await RawClient.open(running.port, '/p/nothere?sessionId=a')
      await until('the close', () => client.close_code !== undefined)
      assert.equal(client.close_code, CloseCode.WITH_ERROR)
      assert.match(client.byCode(11)[0]!.toString('latin1'), /expired/)
      client.destroy()
    })

    it('a request line or Host that Colyseus could not parse is 400 and ends nothing', async () => {
      const upgrade =
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
      for (const [line, host, more] of [
        ['GET http://evil/ HTTP/1.1', 'x', ''],
        ['GET /livez HTTP/1.1', 'a b', ''],
        ['GET /__healthcheck HTTP/1.1', 'x:99999999', ''],
        ['GET /__healthcheck HTTP/1.1', 'a@b', ''],
        ['GET /p/r HTTP/1.1', '<', upgrade],
        ['GET http://a:99999/p/r HTTP/1.1', 'x', upgrade],
      ]) {
        assert.match(
          await sendRaw(running.port, `${line}\r\nHost: ${host}\r\n${more}\r\n`, 500),
          /^HTTP\/1.1 400 /,
          `${line} ${host}`,
        )
      }
      assert.equal((await ask(`${running.url}/livez`)).status, 200)
    })

    it('abuse 75: 2,000 headers or a header of 17 KB are 431', async () => {
      const many = Array.from({ length: 2_000 }, (_, at) => `a${at}: b`).join('\r\n')
      assert.match(
        await sendRaw(running.port, `GET /livez HTTP/1.1\r\nHost: x\r\n${many}\r\n\r\n`, 500),
        /^HTTP\/1.1 431 /,
      )
      const long = `GET /livez HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(17 * 1024)}\r\n\r\n`
      assert.match(await sendRaw(running.port, long, 500), /^HTTP\/1.1 431 /)
    })
  })

  describe('frames', () => {
    const bytes = (size: number) =>
      clientFrame(Buffer.concat([Buffer.from([13, 0xa4]), Buffer.from('echo'), Buffer.alloc(size, 0xc0)]))

    it('H38 a message of the largest size is taken, one byte more closes with 1009', async () => {
      const fits = await joinRaw(running, 'rude')
      fits.write(clientFrame(Buffer.concat([Buffer.from([255]), Buffer.alloc(16 * 1024 - 1)])))
      fits.write(clientFrame(Buffer.from([18])))
      await until('the pong of the protocol', () => fits.byCode(18).length === 1)
      const over = await joinRaw(running, 'rude')
      over.write(bytes(16 * 1024))
      await until('the close', () => over.close_code !== undefined)
      assert.equal(over.close_code, 1009)
      assert.ok(lines.every((line) => !/\n|\bat /.test(line)))
    })

    it('abuse 9: more than 64 fragments close the socket', async () => {
      const client = await joinRaw(running, 'rude')
      client.write(clientFrame(Buffer.from([18]), 2, false))
      for (let each = 0; each < 80; each++) client.write(clientFrame(Buffer.from([0]), 0, false))
      await until('the close', () => client.close_code !== undefined || client.is_gone)
      assert.equal(client.close_code, 1008)
    })

    it('abuse 13: compression is not negotiated', async () => {
      const client = await RawClient.open(running.port, '/p/r?sessionId=x', {
        'Sec-WebSocket-Extensions': 'permessage-deflate',
      })
      assert.equal(client.status, 101)
      client.write(Buffer.from([0xc2, 0x81, 1, 2, 3, 4, 0]))
      await until('the close', () => client.frames.some(({ opcode }) => opcode === 8) || client.is_gone)
      client.destroy()
    })

    it('H39 abuse 1-21: malformed frames and bombs close that socket, and a bystander plays on', async () => {
      const bystander = await joinRaw(running, 'rude')
      const message = (...data: number[]) => clientFrame(Buffer.from(data))
      const bomb = (...head: number[]) =>
        message(13, 0xa4, 0x65, 0x63, 0x68, 0x6f, ...head, 0xff, 0xff, 0xff, 0xff)
      const cases: [string, Buffer, boolean][] = [
        ['1 unmasked', Buffer.from([0x82, 1, 18]), true],
        ['3 reserved opcode', clientFrame(Buffer.from([1]), 5), true],
        ['5 fragmented ping', clientFrame(Buffer.from([1]), 9, false), true],
        ['5 ping of 126', clientFrame(Buffer.alloc(126), 9), true],
        ['7 length of 2^62', Buffer.from([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), true],
        ['7 length of 4 GB', Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]), true],
        ['15 empty', message(), false],
        ['17 __proto__', message(13, 0xa9, ...Buffer.from('__proto__')), true],
        ['17 constructor', message(13, 0xab, ...Buffer.from('constructor')), true],
        ['17 *', message(13, 0xa1, 0x2a), true],
        ['17 _$b', message(17, 0xa4, ...Buffer.from('_$bx')), true],
        ['19 array', bomb(0xdd), true],
        ['19 map', bomb(0xdf), true],
        ['19 str', bomb(0xdb), true],
        ['19 bin', bomb(0xc6), true],
        ['19 ext', bomb(0xc9), true],
        ['21 truncated type', message(13), true],
        ['21 truncated string', message(13, 0xdb, 1), true],
        ['21 request without anything', message(21), false],
        ['21 truncated payload', message(13, 0xa4, 0x65, 0x63, 0x68, 0x6f, 0x92, 1), true],
      ]
      for (const [name, frame, closes] of cases) {
        const client = await joinRaw(running, 'rude')
        client.write(frame)
        if (closes) await until(`${name} closes`, () => client.close_code !== undefined || client.is_gone)
        assert.ok(
          [undefined, 1002, 1007, 1009, 4002].includes(client.close_code),
          `${name}: ${client.close_code}`,
        )
        client.destroy()
        const room = roomOf(bystander.roomId)
        await until('it is gone', () => room.clients.length === 1)
      }
      bystander.write(clientFrame(Buffer.from([18])))
      await until('the bystander', () => bystander.byCode(18).length === 1)
      assert.ok(lines.every((line) => !/\n/.test(line)))
    })

    it('H29 a room that names no rate gets the default, and a rate of its own stays', async () => {
      for (const [room, rate] of [
        ['rude', 20],
        ['plugin', 7],
      ] as const) {
        const { roomId } = await matchMaker.createRoom(room, {})
        assert.equal(roomOf(roomId).maxMessagesPerSecond, rate, room)
      }
    })

    it('H29 M7 the 22nd message in a second closes with 4002', async () => {
      const client = await joinRaw(running, 'rude')
      assert.equal(roomOf(client.roomId).maxMessagesPerSecond, 20)
      for (let each = 0; each < 40; each++) client.send(18)
      await until('the close', () => client.close_code !== undefined)
      assert.equal(client.close_code, CloseCode.WITH_ERROR)
      assert.ok(client.byCode(18).length <= 21)
    })
  })

  it('H29 a bucket empties at its burst, fills at its rate, and is one per user and kind', () => {
    installGuards({
      report: () => {},
      roomClasses: [],
      buckets: { dear: { per_second: 2, burst: 3 } },
      limits: LIMITS,
      origins: [OWN],
    })
    const user = `bucket-${Math.random()}`
    assert.deepEqual(
      [0, 0, 0, 0].map(() => takeToken(user, 'dear', 1_000)),
      [true, true, true, false],
    )
    assert.equal(takeToken(`${user}-other`, 'dear', 1_000), true)
    assert.equal(takeToken(user, 'cheap', 1_000), true)
    assert.equal(takeToken(user, 'dear', 1_499), false)
    assert.equal(takeToken(user, 'dear', 1_500), true)
    assert.deepEqual(
      [0, 0, 0, 0].map(() => takeToken(user, 'dear', 99_000)),
      [true, true, true, false],
    )
    reinstall()
  })

  it('H31 a thousand bad payloads leave a bounded log of single lines', async () => {
    const log = colyseusLogger(
      {
        debug: () => {},
        info: () => {},
        warn: () => {},
        error: (_of, text) => lines.push(text),
        trace: () => {},
      },
      () => 5,
    )
    for (let each = 0; each < 1_000; each++) log.error(`bad payload\n    at unpack (/srv/x.js:1)`, each)
    assert.equal(lines.length, 30)
    assert.ok(lines.every((line) => line === 'bad payload'))
  })

  it('H13 a token never reaches the log', () => {
    const jwt = `eyJhbGciOiJFZERTQSJ9.${'a'.repeat(40)}.${'b'.repeat(40)}`
    const log = colyseusLogger({
      debug: () => {},
      info: (_of, text) => lines.push(text),
      warn: () => {},
      error: () => {},
      trace: () => {},
    })
    log.info(
      `GET /p/r?sessionId=abc&_authToken=secret1&x=1`,
      `authorization: Bearer ${'s'.repeat(20)} ${jwt}`,
    )
    assert.doesNotMatch(lines[0]!, /secret1|sssss|aaaaa|abc/)
  })

  describe('rooms', () => {
    it('H16 H30 a class without its rules is refused at the start, by name', () => {
      class OpenRoom extends Room {}
      assert.equal(mistakesOf(OpenRoom).length, 2)
      assert.throws(
        () => installGuards({ report: () => {}, roomClasses: [OpenRoom] }),
        /OpenRoom has no static onAuth.*OpenRoom has no finite maxClients/,
      )
      class PatchyRoom extends RudeRoom {
        override onBeforePatch() {}
      }
      assert.equal(mistakesOf(PatchyRoom).length, 1)
      assert.deepEqual(mistakesOf(RudeRoom), [])
      reinstall()
    })

    it('H21 M4 a throw in a handler, a rejection, a timer or a timestep is reported, and everybody lives', async () => {
      const bystander = await joinRaw(running, 'rude')
      const client = await joinRaw(running, 'rude')
      for (const [at, type] of ['throw', 'reject', 'timer', 'step'].entries()) {
        client.write(clientFrame(Buffer.from([13, 0xa0 | type.length, ...Buffer.from(type)])))
        await until(`the report of ${type}`, () => running.reports.length > at)
      }
      bystander.send(18)
      await until('the bystander', () => bystander.byCode(18).length === 1)
      assert.equal(roomOf(client.roomId).clients.length, 2)
    })

    it('H22 the first room of a class runs with the hooks of its plugins', async () => {
      seenByPlugin.length = 0
      const client = await joinRaw(running, 'plugin')
      const room = roomOf(client.roomId)
      await until('the join', () => room.clients.length === 1)
      await room.disconnect()
      await until('the hooks', () => seenByPlugin.length === 4)
      assert.deepEqual(seenByPlugin, ['create', 'join', 'leave', 'dispose'])
    })

    it('H25 onLeave that throws after a drop harms nobody: the count is 0 and the room ends', async () => {
      const client = await joinRaw(running, 'rude')
      const room = roomOf<RudeRoom>(client.roomId)
      await until('the state', () => client.byCode(14).length === 1)
      room.throwsOnLeave = true
      client.destroy()
      await until('the report', () => running.reports.some(([where]) => where === 'rude.onLeave'))
      await until(
        'the count',
        async () => ((await matchMaker.query({ roomId: room.roomId }))[0]?.clients ?? 0) === 0,
      )
      const other = await joinRaw(running, 'rude')
      const second = roomOf<RudeRoom>(other.roomId)
      second.throwsOnLeave = true
      await second.disconnect()
    })

    it('H26 a stranger that drops before it acknowledges ends nothing, nor does a shutdown with held seats', async () => {
      const client = await joinRaw(running, 'rude', {}, { acknowledge: false })
      const room = roomOf<RudeRoom>(client.roomId)
      room.holds_s = 5
      const rejections: unknown[] = []
      const note = (error: unknown) => rejections.push(error)
      process.on('unhandledRejection', note)
      client.destroy()
      await until('the drop', () => room.clients.length === 0)
      const other = await joinRaw(running, 'rude')
      const second = roomOf<RudeRoom>(other.roomId)
      second.holds_s = 5
      await until('joined', () => other.byCode(14).length === 1)
      await second.disconnect(CloseCode.SERVER_SHUTDOWN)
      await new Promise((resolve) => setTimeout(resolve, 20))
      process.off('unhandledRejection', note)
      assert.deepEqual(rejections, [])
    })

    it('H26 no seat is held for a client that never joined, nor in a room that ends', async () => {
      const stranger = await joinRaw(running, 'rude', {}, { acknowledge: false })
      const joined = await joinRaw(running, 'rude')
      await until('joined', () => joined.byCode(14).length === 1)
      const room = roomOf<RudeRoom>(joined.roomId)
      const inside = room as unknown as { _internalState: number }
      const hold = ({ sessionId }: { sessionId: string }) =>
        holdSeat(room, clientOf(room, sessionId), CloseCode.ABNORMAL_CLOSURE, 5)
      assert.equal(hold(stranger), false)
      const { _internalState: live } = inside
      inside._internalState = RoomInternalState.DISPOSING
      const is_held_while_ending = hold(joined)
      inside._internalState = live
      assert.equal(is_held_while_ending, false)
      assert.equal(hold(joined), true)
    })

    it('H27 a kicked client’s seat is free at once; a failed network’s is held', async () => {
      const client = await joinRaw(running, 'rude')
      const room = roomOf<RudeRoom>(client.roomId)
      room.holds_s = 5
      await until('joined', () => client.byCode(14).length === 1)
      client.destroy()
      await until('the drop', () => room.clients.length === 0)
      assert.equal(openSeats(room), 1)
      const kicked = await joinRaw(running, 'rude')
      await until('joined', () => kicked.byCode(14).length === 1)
      clientOf(room, kicked.sessionId).leave(CloseCode.WITH_ERROR)
      await until('the kick', () => kicked.close_code === CloseCode.WITH_ERROR && room.clients.length === 0)
      kicked.destroy()
      assert.equal(openSeats(room), 1)
    })

    it('H27 a client that Colyseus itself kicks for its message rate keeps no seat', async () => {
      const client = await joinRaw(running, 'rude')
      const room = roomOf<RudeRoom>(client.roomId)
      room.holds_s = 5
      await until('joined', () => client.byCode(14).length === 1)
      for (let each = 0; each < 40; each++) client.send(18)
      await until('the kick', () => client.close_code === CloseCode.WITH_ERROR && room.clients.length === 0)
      assert.equal(openSeats(room), 0)
    })

    it('H21 a frame that breaks Colyseus’ own decoding is reported and closes that client with 4002', async () => {
      const bystander = await joinRaw(running, 'rude')
      const client = await joinRaw(running, 'rude')
      const room = roomOf(client.roomId) as unknown as { _inputController: object }
      room._inputController = {
        freeze: () => {},
        release: () => {},
        dispose: () => {},
        decodeReliable: () => {
          throw new Error('offset out of range')
        },
      }
      client.send(19, 1)
      await until('the close', () => client.close_code === CloseCode.WITH_ERROR)
      assert.deepEqual(
        running.reports.map(([where]) => where),
        ['rude.onMessage'],
      )
      assert.equal(bystander.is_gone, false)
    })

    it('H28 guarded() reports what a callback throws, now or later', async () => {
      const reports: string[] = []
      const run = guarded(
        (where) => reports.push(where),
        'timer',
        (late: boolean) => {
          if (late) return Promise.reject(new Error('late'))
          throw new Error('now')
        },
      )
      run(false)
      run(true)
      await until('both', () => reports.length === 2)
    })

    it('H37 a client that never acknowledges is closed by the room’s own deadline', async () => {
      const client = await joinRaw(running, 'rude', { ack_ms: 200 }, { acknowledge: false })
      await until('the close', () => client.close_code !== undefined)
      assert.equal(client.close_code, CloseCode.WITH_ERROR)
      client.destroy()
    })

    it('H27 a kicked client that never answers the close frame is not taken for a failed network', async () => {
      const client = await joinRaw(running, 'rude')
      const room = roomOf<RudeRoom>(client.roomId)
      room.holds_s = 5
      await until('joined', () => client.byCode(14).length === 1)
      client.answers_closes = false
      clientOf(room, client.sessionId).leave(CloseCode.WITH_ERROR)
      await until('its end', () => client.is_gone && room.clients.length === 0)
      assert.equal(openSeats(room), 0)
    })

    it('F4 matchmaking answers 503 and says when to come back while the server stops', async () => {
      const client = await joinRaw(running, 'rude')
      let release = () => {}
      roomOf<RudeRoom>(client.roomId).disposal = new Promise((resolve) => {
        release = resolve
      })
      const stopped = running.server.gracefullyShutdown(false)
      await until('the drain', () => matchMaker.state === matchMaker.MatchMakerState.SHUTTING_DOWN)
      const { status, headers } = await matchmake(running, 'joinOrCreate', 'rude')
      assert.deepEqual([status, headers.get('retry-after')], [503, '1'])
      release()
      await stopped
      await running.close()
      running = await start()
    })
  })

  describe('sessions', () => {
    it('H18 abuse 43: a token that runs out closes its client, and nobody else', async () => {
      const soon = await joinRaw(running, 'rude', { exp: Date.now() / 1000 + 0.3 }, { token: 'soon' })
      const later = await joinRaw(running, 'rude', { exp: Date.now() / 1000 + 3_600 }, { token: 'later' })
      await until('the close', () => soon.close_code !== undefined)
      assert.equal(soon.close_code, CloseCode.WITH_ERROR)
      assert.equal(later.is_gone, false)
    })

    it('H18 abuse 99: a user who is blocked is closed, and refused on reconnect', async () => {
      const client = await joinRaw(running, 'rude', {}, { token: 'carl' })
      const room = roomOf<RudeRoom>(client.roomId)
      await until('joined', () => client.byCode(14).length === 1)
      room.holds_s = 5
      const token = reconnectionTokenOf(client.byCode(10)[0]!)
      client.destroy()
      await until('the drop', () => room.clients.length === 0)
      blocked.add('carl')
      const seat = await matchmake(running, 'reconnect', client.roomId, { reconnectionToken: token })
      assert.equal(seat.status, 200)
      const again = await RawClient.open(
        running.port,
        `/${seat.body.processId}/${client.roomId}?sessionId=${client.sessionId}&reconnectionToken=${token}`,
      )
      await until('the refusal', () => again.close_code !== undefined)
      assert.equal(again.close_code, CloseCode.FAILED_TO_RECONNECT)
      assert.match(again.byCode(11)[0]!.toString('latin1'), /unauthorized/)
      again.destroy()
    })

    it('abuse 39: a guessed or replayed reconnection token is refused and the victim stays', async () => {
      const client = await joinRaw(running, 'rude', {}, { token: 'dora' })
      const room = roomOf<RudeRoom>(client.roomId)
      room.holds_s = 5
      await until('joined', () => client.byCode(14).length === 1)
      for (const guess of ['x', '', '__proto__', 'constructor', client.sessionId]) {
        const answer = await matchmake(running, 'reconnect', client.roomId, { reconnectionToken: guess })
        assert.notEqual(answer.status, 200, guess)
      }
      assert.equal(client.is_gone, false)
    })
  })

  describe('H19 seats and subjects', () => {
    before(async () => {
      await running.close()
      running = await start({
        userKeyOfToken: async (token: string) => (token === 'bad' ? undefined : `t/${token}`),
      })
    })
    after(async () => {
      await running.close()
      running = await start()
    })

    it('H19 abuse 37: a stolen seat does not open for another subject or for none, and stays for its owner', async () => {
      const seat = await matchmake(running, 'joinOrCreate', 'rude', {}, { authorization: 'Bearer erin' })
      for (const token of ['mallory', 'bad', undefined]) {
        const thief = await openSeat(running, seat.body, token)
        await until('the refusal', () => thief.close_code !== undefined)
        assert.equal(thief.close_code, CloseCode.WITH_ERROR)
        assert.match(thief.byCode(11)[0]!.toString('latin1'), /unauthorized/)
        thief.destroy()
      }
      const owner = await openSeat(running, seat.body, 'erin')
      await until('the join', () => owner.byCode(10).length === 1)
      const second = await openSeat(running, seat.body, 'erin')
      await until('the seat is taken once', () => second.close_code === CloseCode.WITH_ERROR)
      second.destroy()
    })

    it('the SDK joins and talks as before', async () => {
      const sdk = new Sdk(running.url)
      sdk.auth.token = 'fred'
      const client = await sdk.joinOrCreate('rude', {})
      assert.equal((await client.request('who', {})).userId, 'fred')
      await client.leave()
    })
  })
})
