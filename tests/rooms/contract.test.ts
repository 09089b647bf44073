import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AuthContext, Room } from '@colyseus/core'
import { Metadata } from '@colyseus/schema'
import { z } from 'zod'
import { isAnswer, makeAnswer, type Session } from '../../rooms/answer.ts'
import { mistakesOf } from '../../rooms/guard.ts'
import { briefly, makeOnAuth, sessionKey } from '../../rooms/identity.ts'
import { Refusal } from '../../src/errors.ts'
import { GAMES } from '../../src/games/index.ts'
import { type Stage, startStage } from './wheel-stage.ts'

/** protocol.md section 4: every state has these. */
const COMMON = [
  'phase',
  'serverTime',
  'version',
  'commitHash',
  'trust',
  'opensAt',
  'closesAt',
  'players',
  'spectators',
]
const ROOMS = new URL('../../rooms', import.meta.url).pathname
/** Rooms are described on their page, or in the README of their game. */
const DOCS = [
  readFileSync(new URL('../../docs/rooms.md', import.meta.url), 'utf8'),
  ...GAMES.map(({ name }) =>
    readFileSync(new URL(`../../src/games/${name}/README.md`, import.meta.url), 'utf8'),
  ),
].join('\n')

type AnyRoom = Room & { state: { toJSON(): Record<string, unknown> }; messages: Record<string, unknown> }

describe('every room of the registry', () => {
  let stage: Stage
  let rooms: [name: string, RoomClass: new () => AnyRoom, room: AnyRoom][]
  before(async () => {
    stage = await startStage()
    rooms = Object.entries(stage.running.rooms).map(([name, { klass }]) => {
      const RoomClass = klass as unknown as new () => AnyRoom
      const room = new RoomClass()
      room.clock.stop()
      return [name, RoomClass, room]
    })
  })
  after(() => stage.stop())

  it('has a static onAuth of its own, and a finite number of clients and messages (H16, H29, H30)', () => {
    assert.deepEqual(
      rooms.map(([name]) => name),
      ['wheel', ...GAMES.map(({ name }) => name), 'lobby', 'inbox'],
    )
    for (const [name, RoomClass, room] of rooms) {
      assert.deepEqual(mistakesOf(RoomClass, room), [], name)
      assert.ok(Number.isFinite(room.maxMessagesPerSecond), name)
      assert.notEqual((RoomClass as unknown as typeof Room).onAuth, Room.onAuth)
    }
  })

  it('answers messages only through answer() (H24)', () => {
    for (const [name, , room] of rooms) {
      assert.ok(Object.keys(room.messages).includes('since'), name)
      for (const [type, handler] of Object.entries(room.messages))
        assert.ok(isAnswer(handler), `${name}.${type}`)
    }
    assert.ok(!isAnswer(() => {}))
  })

  it('is covered by the one handler of what escapes, from its first room on (H21)', () => {
    for (const [name, , room] of rooms) assert.equal(typeof room.onUncaughtException, 'function', name)
    assert.ok(Object.hasOwn(Room.prototype, 'onUncaughtException'))
  })

  it('has the fields of every state first, in their order, and is plain JSON without a secret by name (H42, H44)', () => {
    for (const [name, , room] of rooms) {
      const fields = Object.keys(Metadata.getFields(room.state.constructor))
      assert.deepEqual(fields.slice(0, COMMON.length), COMMON, name)
      const text = JSON.stringify(room.state)
      assert.deepEqual(JSON.parse(text), room.state.toJSON())
      assert.doesNotMatch(
        fields.join(' '),
        /seed|salt|userId|user_id|balance|chances|token|email|code\b/i,
        name,
      )
    }
  })

  it('is documented: each field and request of its own stands in docs/rooms.md or the README of its game', () => {
    for (const [name, , room] of rooms) {
      assert.match(DOCS, new RegExp(`^## Room \`${name}\``, 'm'))
      for (const field of Object.keys(Metadata.getFields(room.state.constructor)))
        assert.ok(DOCS.includes(`\`${field}\``), `${name}: ${field}`)
      for (const type of Object.keys(room.messages).filter((each) => each !== '_'))
        assert.ok(DOCS.includes(`\`${type}`), `${name}: ${type}`)
    }
    for (const type of ['spun', 'entered', 'winner', 'phase', 'notice', 'changed', 'reel_ended'])
      assert.ok(DOCS.includes(`\`${type}\``), type)
  })

  it('uses no timer but its clock, no onBeforePatch and no allowReconnection of its own (H28, rules 9 and 10)', () => {
    const sources = readdirSync(ROOMS, { recursive: true, encoding: 'utf8' }).filter((path) =>
      /(^|[/-])(room|state)\.ts$/.test(path),
    )
    assert.ok(sources.length >= 4)
    for (const path of sources) {
      const text = readFileSync(join(ROOMS, path), 'utf8')
      assert.doesNotMatch(
        text,
        /(?<!clock\.)set(Timeout|Interval|Immediate)\(|onBeforePatch|allowReconnection|Date\.now|Math\.random|new Date\(/,
        path,
      )
    }
  })
})

describe('the room door', () => {
  const reports: string[] = []
  const answer = makeAnswer((where) => reports.push(where))
  const session: Session = {
    tenantId: 't',
    tenantCode: 'demo',
    userId: 'ann',
    roles: ['player'],
    expiresAt: 0,
    gameId: 'g',
    watches: false,
  }
  const ask = async (
    handler: (...given: any[]) => Promise<unknown>,
    payload: unknown,
    auth: Session | null = session,
  ) => {
    let refusal: any
    const ctx = {
      id: 1,
      resolve: () => {},
      reject(reason: unknown) {
        refusal = reason
      },
    }
    const value = await handler({ auth }, payload, ctx)
    return { value, refusal }
  }
  afterEach(() => reports.splice(0))

  it('answers what the work returns', async () => {
    const add = answer('test.add', z.object({ n: z.int() }), (_client, { n }) => n + 1)
    assert.deepEqual(await ask(add, { n: 1 }), { value: 2, refusal: undefined })
  })

  it('never throws: refusals keep their code, a stopped database is unavailable, all else is internal and says nothing', async () => {
    const failing = (error: unknown) => answer('test.fail', z.unknown(), () => Promise.reject(error))
    const refused = await ask(
      failing(new Refusal('cooldown', { facts: { cooldown_ms: 5 }, retry_after_s: 1 })),
      {},
    )
    assert.deepEqual(refused.refusal, {
      code: 'cooldown',
      message: 'The next spin is not due yet.',
      detail: 'The next spin is not due yet.',
      facts: { cooldown_ms: 5 },
      retry_after_s: 1,
    })
    assert.deepEqual(reports, [])
    const away = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:5432'), { code: 'ECONNREFUSED' })
    assert.equal((await ask(failing(away), {})).refusal.code, 'unavailable')
    for (const error of [
      Object.assign(new Error('relation "x" does not exist'), { code: '42P01' }),
      'text',
      null,
      undefined,
    ]) {
      const { value, refusal } = await ask(failing(error), {})
      assert.deepEqual(
        [value, refusal.code, refusal.detail],
        [undefined, 'internal', 'Something went wrong on our side.'],
      )
    }
    const sync = answer('test.sync', z.unknown(), () => {
      throw new Error('at once')
    })
    assert.equal((await ask(sync, {})).refusal.code, 'internal')
    assert.deepEqual([...reports].sort(), [...Array(5).fill('test.fail'), 'test.sync'])
  })

  it('refuses in its order: nobody, spectators, the shape, the rate', async () => {
    const act = answer('test.act', z.object({ n: z.int() }), () => 'done', { bucket: 'test-order' })
    const watcher = { ...session, watches: true }
    assert.equal((await ask(act, {}, null)).refusal.code, 'unauthorized')
    const { refusal } = await ask(act, { n: 'x' }, watcher)
    assert.equal(refusal.code, 'spectator_read_only')
    const shape = await ask(act, { n: 'x' })
    assert.deepEqual([shape.refusal.code, shape.refusal.errors[0].pointer], ['invalid_input', '/n'])
    const codes = []
    for (let i = 0; i < 45; i++) codes.push((await ask(act, { n: 1 })).refusal?.code ?? 'done')
    assert.ok(codes.includes('rate_limited'))
    assert.ok(codes.indexOf('rate_limited') >= 40, 'the burst is let through first')
    const other = await ask(act, { n: 1 }, { ...session, userId: 'bob' })
    assert.equal(other.value, 'done')
    const read = answer('test.read', z.unknown(), () => 'seen', { spectators: true })
    assert.equal((await ask(read, {}, watcher)).value, 'seen')
  })

  it('abuse 23, 25 numbers that are none, and keys of prototypes, are refused or dropped and pollute nothing', async () => {
    const count = answer(
      'test.count',
      z.object({ version: z.int().min(0) }),
      (_client, { version }) => version,
    )
    for (const version of [1n, Number.NaN, Number.POSITIVE_INFINITY, -1, 1e308, 0.5, '1', null, [], {}]) {
      assert.equal((await ask(count, { version })).refusal?.code, 'invalid_input', String(version))
    }
    assert.equal(
      (await ask(count, JSON.parse('{"version":1,"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}')))
        .value,
      1,
    )
    assert.equal(({} as { x?: number }).x, undefined)
  })
})

describe('finding the game that somebody asks for', () => {
  it('asks once for many who come together, for each tenant apart, and again after half a second', async () => {
    const asked: string[] = []
    let now_ms = 0
    const find = briefly(
      async ({ tenantId }, game) => {
        asked.push(`${tenantId}/${game}`)
        if (game === 'broken') throw new Error('the database is away')
        return game === 'nothing' ? undefined : { gameId: `${tenantId}-${game}`, is_public: true }
      },
      () => now_ms,
    )
    const as = (tenantId: string) => ({ tenantId, userId: '', roles: [] })
    const found = await Promise.all([find(as('a'), 'x'), find(as('a'), 'x'), find(as('b'), 'x')])
    assert.deepEqual(
      found.map((entrance) => entrance!.gameId),
      ['a-x', 'a-x', 'b-x'],
    )
    assert.deepEqual(asked.splice(0), ['a/x', 'b/x'])
    now_ms = 499
    await find(as('a'), 'x')
    assert.deepEqual(asked.splice(0), [])
    now_ms = 500
    await find(as('a'), 'x')
    assert.deepEqual(asked.splice(0), ['a/x'])
    for (let i = 0; i < 2; i++) {
      assert.equal(await find(as('a'), 'nothing'), undefined)
      await assert.rejects(find(as('a'), 'broken'))
    }
    assert.deepEqual(asked, ['a/nothing', 'a/broken', 'a/nothing', 'a/broken'])
  })
})

describe('coming in', () => {
  const identity = {
    tenantId: 't',
    tenantCode: 'demo',
    userId: 'ann',
    roles: ['player' as const],
    expiresAt: 9,
  }
  const onAuth = makeOnAuth({
    auth: {
      verify: async () => ({ ...identity, sessionId: 'mine', claims: { admin: true } }),
      spectator: async () => ({ ...identity, userId: '', roles: ['spectator'] }),
    },
    report: () => {},
    resolve: async () => ({ gameId: 'g', is_public: true }),
  })
  const context = { headers: new Headers({ 'user-agent': 'x'.repeat(999) }), ip: '10.0.0.9' } as AuthContext

  it('H6 H17 leaves of the options what it reads and a key of its own, and answers with no claim but its own picks', async () => {
    const options = {
      game: 'G',
      room_key: 'forged',
      maxClients: 1,
      roomId: 'x',
      seed: 's',
      tenantId: 'u',
      sessionId: 'y',
    }
    const session = await onAuth('token', options, context)
    assert.deepEqual(options, { game: 'G', room_key: 't/g/players' })
    const picked = { ...identity, gameId: 'g', watches: false, ip: '10.0.0.9', userAgent: 'x'.repeat(300) }
    assert.deepEqual(session, picked)
    // A join that lost the race for a seat comes again with the same object.
    assert.deepEqual(await onAuth('token', options, context), session)
    assert.deepEqual(options, { game: 'G', room_key: 't/g/players' })
  })

  it('who watches gets a room of the spectators, with and without a token', async () => {
    const watching = { game: 'G', spectate: true, tenant: 'demo' }
    assert.equal((await onAuth('token', watching, context)).watches, true)
    assert.equal((watching as { room_key?: string }).room_key, 't/g/watch')
    const stranger = await onAuth('', { ...watching }, context)
    assert.deepEqual(
      [stranger.watches, sessionKey(stranger), sessionKey(identity)],
      [true, undefined, 't/ann'],
    )
  })
})
