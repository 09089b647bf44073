/** The real server is killed, drained, and has its database killed under it. What was answered stays answered. */
import assert from 'node:assert/strict'
import { TEST_SEED } from '../fairness/seed.ts'
import { furnish, makePlace, type Outcome, type Place, type Server, spin } from './server.ts'

const ROUNDS = 8
const PLAYER_COUNT = 8
/** Between two spins of a player, who may make 300 a minute. */
const PACE_MS = 15

/** A small generator of our own, so that a seed repeats the times at which things are killed. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const pause = (duration_ms: number) => new Promise((resolve) => setTimeout(resolve, duration_ms))

describe('chaos', function () {
  this.timeout(90_000)
  const place: Place = makePlace()
  const next = random(TEST_SEED)
  let server: Server
  let tokens: string[]
  /** What each request was last told, by player and id. */
  const log = new Map<string, Outcome>()

  before(async () => {
    server = await place.start()
    tokens = await furnish(place, server, PLAYER_COUNT)
  })
  after(async () => {
    await place.remove()
  })

  beforeEach(async () => {
    if (server.child.exitCode !== null || server.child.signalCode !== null) server = await place.start()
  })

  /** Sends a request and holds its outcome against everything that was said about it before. */
  async function ask(player: number, request_id: string): Promise<Outcome> {
    const outcome = await spin(server, tokens[player]!, request_id)
    const name = `${player}/${request_id}`
    const before = log.get(name)
    if (before?.kind === 'ok' && outcome.kind === 'ok')
      assert.equal(outcome.text, before.text, `${name} was answered twice, differently`)
    if (before?.kind !== 'ok') log.set(name, outcome)
    return outcome
  }

  /** Every request of a test is asked for again: each has one stable answer. */
  async function settleAll(prefix: string): Promise<void> {
    const names = [...log.keys()].filter((name) => name.includes(`/${prefix}-`))
    for (let i = 0; i < names.length; i += 50) {
      const outcomes = await Promise.all(
        names.slice(i, i + 50).map((name) => {
          const [player, request_id] = name.split('/') as [string, string]
          return ask(Number(player), request_id)
        }),
      )
      assert.deepEqual([...new Set(outcomes.map((outcome) => outcome.kind))], ['ok'])
    }
    const ids = names.map((name) => JSON.parse((log.get(name) as { text: string }).text).spin_id)
    assert.equal(new Set(ids).size, names.length, 'each request is a spin of its own')
  }

  async function assertClean(): Promise<void> {
    const { code, text } = await place.command('audit')
    assert.equal(code, 0, text)
  }

  it(`F1 S1-13 S1-19 killed ${ROUNDS} times at any moment of a spin: every answer stands, every request has one spin, the audit is clean`, async () => {
    let unknown = 0
    for (let round = 0; round < ROUNDS; round++) {
      const sent = tokens.flatMap((_, player) =>
        Array.from({ length: 6 }, (_, i) => ask(player, `kill-${round}-${i}`)),
      )
      await pause(next() * 50)
      server.child.kill('SIGKILL')
      await server.exited
      const outcomes = await Promise.all(sent)
      unknown += outcomes.filter((outcome) => outcome.kind === 'info').length
      assert.ok(
        outcomes.every((outcome) => outcome.kind !== 'fail' || outcome.code === 'ECONNREFUSED'),
        JSON.stringify(outcomes.filter((each) => each.kind === 'fail')),
      )
      server = await place.start()
    }
    assert.ok(unknown > 0, 'no spin was in flight when the server was killed: the test has proven nothing')
    await settleAll('kill')
    await assertClean()
  })

  it('F4 P-37 told to stop under load: whatever was sent is answered or refused, the exit is 0, and the next start shows the same', async () => {
    let stopped = false
    const players = tokens.map(async (_, player) => {
      const outcomes: Outcome[] = []
      for (let i = 0; !stopped; i++) {
        outcomes.push(await ask(player, `drain-${i}`))
        await pause(PACE_MS)
      }
      return outcomes
    })
    await pause(300)
    const asked_at = performance.now()
    server.child.kill('SIGTERM')
    assert.equal(await server.exited, 0)
    assert.ok(performance.now() - asked_at < 15_000)
    stopped = true
    const outcomes = (await Promise.all(players)).flat()
    assert.ok(outcomes.filter((outcome) => outcome.kind === 'ok').length > 10)
    // A connection that nobody had read from yet is reset by the system when listening ends; it is one per player.
    const reset = outcomes.filter((outcome) => outcome.kind === 'info')
    assert.ok(
      reset.length <= PLAYER_COUNT && reset.every((outcome) => outcome.why === 'ECONNRESET'),
      JSON.stringify(reset),
    )
    const refused = outcomes.flatMap((outcome) => (outcome.kind === 'fail' ? [outcome.code] : []))
    assert.deepEqual(
      [...new Set(refused)].filter(
        (code) => !['ECONNREFUSED', 'shutting_down', 'unavailable'].includes(code),
      ),
      [],
    )
    server = await place.start()
    await settleAll('drain')
    await assertClean()
  })

  for (const [what, victim] of [
    ['a process of its PostgreSQL', 'backend'],
    ['its whole PostgreSQL', 'postmaster'],
  ] as const) {
    it(`F6 F7 ${what} killed: spins are told "unavailable", and service returns within 10 s by itself`, async () => {
      let killed_at = Number.POSITIVE_INFINITY
      let back_at = Number.POSITIVE_INFINITY
      let stopped = false
      const players = tokens.map(async (_, player) => {
        const outcomes: Outcome[] = []
        for (let i = 0; !stopped; i++) {
          const asked_at = performance.now()
          const outcome = await ask(player, `killed-${victim}-${i}`)
          outcomes.push(outcome)
          if (outcome.kind === 'ok' && asked_at > killed_at + 100)
            back_at = Math.min(back_at, performance.now())
          await pause(PACE_MS)
        }
        return outcomes
      })
      await pause(300)
      await (victim === 'backend' ? place.killBackend() : place.killPostmaster())
      killed_at = performance.now()
      while (back_at === Number.POSITIVE_INFINITY && performance.now() - killed_at < 15_000) await pause(50)
      await pause(200)
      stopped = true
      const outcomes = (await Promise.all(players)).flat()
      assert.ok(back_at - killed_at < 10_000, `back after ${Math.round(back_at - killed_at)} ms`)
      assert.equal(server.child.exitCode, null, 'the server lived on')
      assert.ok(
        outcomes.some((outcome) => outcome.kind === 'fail'),
        'the kill was noticed',
      )
      assert.deepEqual(
        outcomes.filter((outcome) => outcome.kind === 'info'),
        [],
      )
      const refused = new Set(
        outcomes.flatMap((outcome) => (outcome.kind === 'fail' ? [`${outcome.status} ${outcome.code}`] : [])),
      )
      assert.deepEqual([...refused], ['503 unavailable'])
      await settleAll(`killed-${victim}`)
      await assertClean()
    })
  }
})
