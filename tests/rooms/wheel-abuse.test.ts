import assert from 'node:assert/strict'
import { getMessageBytes, Protocol } from '@colyseus/core'
import { joinRaw, matchmake, openSeat, type RawClient, until } from './harness.ts'
import { aRequest, type Stage, startStage } from './wheel-stage.ts'

const SEED = Number(process.env['TEST_SEED'] ?? 20261120)
/** P-32 names a million; TEST_FUZZ_MESSAGES=1000000 sends as many, at some 2,500 a second. */
const MESSAGE_COUNT = Number(process.env['TEST_FUZZ_MESSAGES'] ?? 6_000)

/** Numbers below n, repeatable from the seed (mulberry32). */
function dice(seed: number): (n: number) => number {
  let state = seed | 0
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n
  }
}

/** A message as an SDK sends it, with an answer asked for or without. */
function message(type: string | number, payload: unknown, request?: number): Buffer {
  const plain = Buffer.from(getMessageBytes.raw(Protocol.ROOM_DATA, type, payload))
  if (request === undefined) return plain
  return Buffer.concat([Buffer.from([Protocol.ROOM_REQUEST, request & 0x7f]), plain.subarray(1)])
}

const TYPES = ['spin', 'chances', 'since', 'visit', 'seed_pair', 'rotate', 'join_round']
const BAD_TYPES = [
  '__proto__',
  'constructor',
  'toString',
  '*',
  '_',
  '_$bspin',
  'hasOwnProperty',
  '',
  'x'.repeat(100),
  'spin ',
]
const deep = (depth: number): unknown => (depth === 0 ? {} : { a: deep(depth - 1) })
const VALUES = [
  null, undefined, true, 0, -0, -1, 1.5, 2 ** 53, 1e308, Number.NaN, Number.POSITIVE_INFINITY, 10n ** 18n, '', '\u0000', '\ud800', "'; drop table wheel_games; --",
  'x'.repeat(5_000), [], [[[]]], {}, deep(60), new Date(0), Buffer.alloc(64), JSON.parse('{"__proto__":{"admin":true}}'),
] // biome-ignore format: a list of values
const KEYS = [
  'request_id',
  'client_entropy',
  'client_seed',
  'version',
  'segment',
  '__proto__',
  'constructor',
  'next_commit_hash',
]

/** One hostile message: wrong values in known shapes, unknown types, and bytes that are nothing. */
function hostile(roll: (n: number) => number): Buffer {
  // fromEntries and not assignment: '__proto__' has to be a key here.
  const payload = Object.fromEntries(
    Array.from({ length: roll(4) }, () => [KEYS[roll(KEYS.length)]!, VALUES[roll(VALUES.length)]]),
  )
  const type = TYPES[roll(TYPES.length)]!
  const kind = roll(20)
  if (kind < 12)
    return message(
      type,
      roll(4) === 0 ? VALUES[roll(VALUES.length)] : payload,
      roll(2) === 0 ? roll(128) : undefined,
    )
  if (kind < 16) {
    const good = message(type, payload, roll(128))
    for (let i = 1 + roll(3); i > 0; i--) good[1 + roll(good.length - 1)] = roll(256)
    return good.subarray(0, 1 + roll(good.length))
  }
  if (kind < 18)
    return message(BAD_TYPES[roll(BAD_TYPES.length)]!, payload, roll(2) === 0 ? roll(128) : undefined)
  return Buffer.from(Array.from({ length: roll(64) }, () => roll(256)))
}

describe('abuse of a wheel room', () => {
  describe('with the limits of the product', () => {
    let stage: Stage
    let wheelId: string
    before(async () => {
      stage = await startStage({
        limits: { wheel: { messages_per_second: 20 } },
        buckets: { spin: { per_second: 5, burst: 10 }, since: { per_second: 2, burst: 10 } },
      })
      wheelId = await stage.aWheel()
    })
    after(() => stage.stop())
    afterEach(() => assert.deepEqual(stage.reports, []))

    it('abuse 27 P-32 of 21 spins in a second those past the rate are refused, and only those that ran cost a chance', async () => {
      await stage.grant('fast', 100)
      const client = await stage.play('fast')
      const requests = Array.from({ length: 20 }, () =>
        client.request('spin', { request_id: aRequest() }).then(
          () => 'spun',
          (error: any) => error.reason.code,
        ),
      )
      const outcomes = await Promise.all(requests)
      const spun = outcomes.filter((outcome) => outcome === 'spun').length
      assert.deepEqual([...new Set(outcomes)].sort(), ['rate_limited', 'spun'])
      assert.ok(spun >= 10 && spun < 20, `${spun} of 20 ran`)
      assert.equal((await stage.running.wheel.chances(stage.actor('fast'), wheelId)).chances_left, 100 - spun)
      assert.equal((await stage.results(wheelId)).length, spun)
      await client.leave()
    })

    it('abuse 27 a user has one rate over all of his tabs', async () => {
      await stage.grant('tabs', 100)
      const tabs = await Promise.all([1, 2, 3].map(() => stage.play('tabs')))
      const outcomes = await Promise.all(
        tabs.flatMap((tab) =>
          Array.from({ length: 10 }, () =>
            tab.request('spin', { request_id: aRequest() }).then(
              () => 'spun',
              (error: any) => error.reason.code,
            ),
          ),
        ),
      )
      const spun = outcomes.filter((outcome) => outcome === 'spun').length
      // With a bucket for each tab all thirty would run; what comes back meanwhile depends on the machine.
      assert.ok(spun >= 10 && spun < 25, `${spun} of 30 ran`)
      await Promise.all(tabs.map((tab) => tab.leave()))
    })

    it('P-32 a socket with more than its messages per second is closed with 4002, and its neighbour plays on', async () => {
      await stage.grant('neighbour', 10)
      const neighbour = await stage.play('neighbour')
      const flood = await joinRaw(
        stage.running,
        'wheel',
        { game: 'summer' },
        { token: await stage.token('flood') },
      )
      for (let i = 0; i < 60; i++) flood.send(...message('chances', undefined, i))
      await until('the flood to be closed', () => flood.is_gone || flood.close_code !== undefined)
      assert.equal(flood.close_code, 4002)
      await neighbour.request('spin', { request_id: aRequest() })
      await neighbour.leave()
    })

    it('abuse 17 unknown and inherited message types close their sender with 4002 and nobody else', async () => {
      await stage.grant('calm', 5)
      const calm = await stage.play('calm')
      for (const type of BAD_TYPES) {
        const client = await joinRaw(
          stage.running,
          'wheel',
          { game: 'summer' },
          { token: await stage.token('odd') },
        )
        client.send(...message(type, {}))
        await until(`${type} to be closed`, () => client.close_code !== undefined)
        assert.equal(client.close_code, 4002, type)
        client.destroy()
      }
      await calm.request('spin', { request_id: aRequest() })
      await calm.leave()
    })

    it('abuse 37 a seat that somebody else reserved opens to nobody but its owner', async () => {
      const token = await stage.token('owner')
      const seat = await matchmake(
        stage.running,
        'joinOrCreate',
        'wheel',
        { game: 'summer' },
        { authorization: `Bearer ${token}` },
      )
      const thief = await openSeat(stage.running, seat.body, await stage.token('thief'))
      await until('the thief to be refused', () => thief.is_gone || thief.close_code !== undefined)
      assert.equal(thief.byCode(Protocol.JOIN_ROOM).length, 0)
      const owner = await openSeat(stage.running, seat.body, token)
      await until('the owner to be in', () => owner.byCode(Protocol.JOIN_ROOM).length === 1)
      owner.destroy()
    })
  })

  describe('with the rate limits out of the way', () => {
    let stage: Stage
    let wheelId: string
    before(async () => {
      stage = await startStage({ limits: { wheel: { messages_per_second: 100_000 } } })
      wheelId = await stage.aWheel()
    })
    after(() => stage.stop())

    it(`P-32 ${MESSAGE_COUNT} hostile messages end their senders at most: no crash, no report, no row, and a bystander plays (seed ${SEED})`, async () => {
      const roll = dice(SEED)
      await stage.grant('bystander', 100_000)
      const bystander = await stage.play('bystander')
      let is_left = false
      bystander.onLeave(() => {
        is_left = true
      })
      const enter = async (i: number): Promise<RawClient> =>
        i % 3 === 0
          ? joinRaw(stage.running, 'wheel', { game: 'summer', tenant: 'demo', spectate: true })
          : joinRaw(
              stage.running,
              'wheel',
              { game: 'summer' },
              { token: await stage.token(`hostile-${i % 5}`) },
            )
      let sent = 0
      let dropped = 0
      let replies = 0
      for (let i = 0; sent < MESSAGE_COUNT; i++) {
        const clients = await Promise.all([enter(3 * i), enter(3 * i + 1), enter(3 * i + 2)])
        for (const client of clients) {
          for (let n = 0; n < 40; n++) {
            client.send(...hostile(roll))
            sent += 1
          }
          client.send(...message('since', { version: 0 }, 127))
        }
        const isAnswered = (client: RawClient) =>
          client.byCode(Protocol.ROOM_RESPONSE).some((data) => data[1] === 127)
        await until('each to be answered or closed', () =>
          clients.every((client) => client.is_gone || client.close_code !== undefined || isAnswered(client)),
        )
        for (const client of clients) {
          if (client.close_code !== undefined) dropped += 1
          replies += client.byCode(Protocol.ROOM_RESPONSE).length
          client.destroy()
        }
        if (i % 10 === 0) await bystander.request('spin', { request_id: aRequest() })
      }
      assert.ok(dropped > 20, `${dropped} were closed`)
      assert.ok(replies > 100, `${replies} answers`)
      assert.equal(is_left, false)
      assert.deepEqual(stage.reports, [])
      assert.equal(({} as { admin?: boolean }).admin, undefined)
      const rows = await stage.results(wheelId)
      assert.deepEqual([...new Set(rows.map((row) => row.user_id))], ['bystander'])
      await until(
        'the bystander to see his last spin',
        () => bystander.state.recent[0]?.spinId === rows[0]!.spin_id,
      )
      await bystander.leave()
    }).timeout(30_000 + MESSAGE_COUNT)

    it('a flood of results is announced ten a tick at most, each after the patch that holds it', async () => {
      const watcher = await joinRaw(stage.running, 'wheel', {
        game: 'summer',
        tenant: 'demo',
        spectate: true,
      })
      await until('the state', () => watcher.byCode(Protocol.ROOM_STATE).length > 0)
      // One batch of the write path: committed together, announced together.
      const ids = Array.from(
        { length: 50 },
        (_, i) => `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`,
      )
      const newest = ids[ids.length - 1]!
      await stage.inTenant(async (tx) => {
        for (const spin_id of ids) {
          const data = {
            spin_id,
            player: 'p',
            segment: 1,
            reward_slug: 'none',
            reward_label: 'Try again',
            won: false,
          }
          tx.emit({ gameId: wheelId, type: 'wheel.spun', data })
        }
      })
      const isSpun = (data: Buffer) => data[0] === Protocol.ROOM_DATA && data.includes('spun')
      await until('the newest to be announced', () =>
        watcher.frames.some(({ data }) => isSpun(data) && data.includes(newest)),
      )
      const runs: number[] = []
      for (const { data } of watcher.frames) {
        if (data[0] === Protocol.ROOM_STATE_PATCH) runs.push(0)
        else if (isSpun(data)) runs[runs.length - 1]! += 1
      }
      assert.deepEqual(
        runs.filter((run) => run > 0),
        [10],
      )
      const announced_at = watcher.frames.findIndex(({ data }) => isSpun(data) && data.includes(newest))
      const patched_at = watcher.frames.findIndex(
        ({ data }) => data[0] === Protocol.ROOM_STATE_PATCH && data.includes(newest),
      )
      assert.ok(patched_at >= 0 && patched_at < announced_at)
      watcher.destroy()
    })
  })
})
