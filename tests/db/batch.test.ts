/** Group commit by itself: order, fairness between tenants, limits, and what one bad member may do to the others. */
import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type BatchOptions, makeBatcher, type Verdict } from '../../src/db/batch.ts'
import { Refusal } from '../../src/errors.ts'

type Run = { tenantId: string; items: number[]; finish(): void; fail(error: unknown): void }

/** A batcher whose transactions the test ends by hand. */
function held(options: Partial<BatchOptions<number, string>> = {}) {
  const runs: Run[] = []
  const batcher = makeBatcher<number, string>({
    ...options,
    run: (tenantId, items) =>
      new Promise<Verdict<string>[]>((resolve, reject) => {
        const finish = () => resolve(items.map((item) => ({ answer: `done ${item}` })))
        runs.push({ tenantId, items: [...items], finish, fail: reject })
      }),
  })
  const until = async (count: number) => {
    for (let turns = 0; runs.length < count; turns++) {
      assert.ok(turns < 100, `only ${runs.length} of ${count} transactions began`)
      await nextTurn()
    }
  }
  return { batcher, runs, until }
}

/** Answers at once; remembers what was run. */
function quick(
  behave: (items: readonly number[]) => Verdict<string>[],
  options: Partial<BatchOptions<number, string>> = {},
) {
  const ran: number[][] = []
  const batcher = makeBatcher<number, string>({
    ...options,
    run: async (_tenantId, items) => {
      ran.push([...items])
      return behave(items)
    },
  })
  return { batcher, ran }
}

const fine = (items: readonly number[]): Verdict<string>[] =>
  items.map((item) => ({ answer: `done ${item}` }))

describe('group commit', () => {
  it('S1-15 a lone request is run in the same turn of the loop and waits for no timer', async () => {
    const { setTimeout, setInterval } = globalThis
    let timers = 0
    const counting = ((...given: Parameters<typeof setTimeout>) => {
      timers++
      return setTimeout(...given)
    }) as typeof setTimeout
    globalThis.setTimeout = counting
    globalThis.setInterval = counting as unknown as typeof setInterval
    try {
      const { batcher, ran } = quick(fine)
      const answer = batcher.submit('t', 'alice', 1)
      await nextTurn()
      assert.deepEqual(ran, [[1]])
      assert.equal(await answer, 'done 1')
      assert.equal(timers, 0)
    } finally {
      Object.assign(globalThis, { setTimeout, setInterval })
    }
  })

  it('S1-15 requests that come while a lane is busy become its next transaction, in the order they came', async () => {
    const { batcher, runs, until } = held({ lane_count: 1 })
    const answers = [1, 2].map((item) => batcher.submit('t', 'alice', item))
    await until(1)
    answers.push(...[3, 4, 5].map((item) => batcher.submit('t', 'alice', item)))
    await nextTurn()
    assert.equal(runs.length, 1, 'a busy lane begins nothing')
    runs[0]!.finish()
    await until(2)
    runs[1]!.finish()
    assert.deepEqual(
      runs.map((run) => run.items),
      [
        [1, 2],
        [3, 4, 5],
      ],
    )
    assert.deepEqual(
      await Promise.all(answers),
      [1, 2, 3, 4, 5].map((item) => `done ${item}`),
    )
  })

  it('S1-15 one player stays on one lane, so that two of his requests never run side by side', async () => {
    const { batcher, runs, until } = held({ lane_count: 4 })
    const players = Array.from({ length: 40 }, (_, i) => `player-${i}`)
    const answers = players.map((player, i) => batcher.submit('t', player, i))
    await until(4)
    const again = players.map((player, i) => batcher.submit('t', player, i + 100))
    for (let i = 0; i < 4; i++) runs[i]!.finish()
    await until(8)
    for (let i = 4; i < 8; i++) runs[i]!.finish()
    await Promise.all([...answers, ...again])
    const laneOf = (item: number) => runs.findIndex((run) => run.items.includes(item))
    for (const i of players.keys()) {
      const [first, second] = [runs[laneOf(i)]!, runs[laneOf(i + 100)]!]
      assert.deepEqual(
        second.items.map((item) => item - 100),
        first.items,
      )
    }
  })

  it('S1-15 a batch has at most its size, and the rest waits for the next one', async () => {
    const { batcher, ran } = quick(fine, { batch_size_max: 3, lane_count: 1 })
    await Promise.all([1, 2, 3, 4, 5, 6, 7].map((item) => batcher.submit('t', 'alice', item)))
    assert.deepEqual(ran, [[1, 2, 3], [4, 5, 6], [7]])
  })

  it('abuse 107: tenants take turns, so that a flood of one delays another by one batch', async () => {
    const { batcher, runs, until } = held({ batch_size_max: 10, lane_count: 1 })
    const flood = Array.from({ length: 50 }, (_, i) => batcher.submit('flood', `p${i}`, i))
    await until(1)
    const quiet = batcher.submit('quiet', 'alice', 1000)
    for (let i = 0; i < 6; i++) {
      await until(i + 1)
      runs[i]!.finish()
    }
    await Promise.all([...flood, quiet])
    assert.deepEqual(
      runs.map((run) => run.tenantId),
      ['flood', 'flood', 'quiet', 'flood', 'flood', 'flood'].slice(0, 6),
    )
    assert.ok(runs.findIndex((run) => run.tenantId === 'quiet') <= 2)
    for (const run of runs)
      assert.ok(
        run.items.every((item) => (item === 1000) === (run.tenantId === 'quiet')),
        'one tenant per batch',
      )
  })

  it('S1-15 a refusal of one member leaves the others alone and is no failure', async () => {
    const { batcher, ran } = quick((items) =>
      items.map((item) =>
        item === 2 ? { refusal: new Refusal('no_chances_left') } : { answer: `done ${item}` },
      ),
    )
    const settled = await Promise.allSettled([1, 2, 3].map((item) => batcher.submit('t', 'alice', item)))
    assert.deepEqual(
      settled.map((each) => each.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.equal((settled[1] as PromiseRejectedResult).reason.code, 'no_chances_left')
    assert.deepEqual(ran, [[1, 2, 3]])
  })

  it('F11 a member that makes a batch fail is run alone, fails alone, and the others succeed', async () => {
    const bad = new Error('poison')
    const { batcher, ran } = quick((items) => {
      if (items.includes(2)) throw bad
      return fine(items)
    })
    const settled = await Promise.allSettled([1, 2, 3].map((item) => batcher.submit('t', 'alice', item)))
    assert.deepEqual(settled, [
      { status: 'fulfilled', value: 'done 1' },
      { status: 'rejected', reason: bad },
      { status: 'fulfilled', value: 'done 3' },
    ])
    assert.deepEqual(ran, [[1, 2, 3], [1], [2], [3]])
    assert.equal(batcher.stats().singly, 3)
  })

  it('F6 a database that cannot serve fails the whole batch at once: its members are not tried one by one', async () => {
    const down = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const { batcher, ran } = quick(() => {
      throw down
    })
    const settled = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => batcher.submit('t', 'alice', i)),
    )
    assert.ok(settled.every((each) => each.status === 'rejected' && each.reason === down))
    assert.equal(ran.length, 1)
  })

  it('F8 whoever waits behind a batch that got no answer is told so too, instead of waiting as long again', async () => {
    const { batcher, runs, until } = held({ lane_count: 1 })
    const settled = Promise.allSettled([batcher.submit('t', 'alice', 1)])
    await until(1)
    const behind = Promise.allSettled([2, 3].map((item) => batcher.submit(`t${item}`, 'bob', item)))
    const hung = new Error('Query read timeout')
    runs[0]!.fail(hung)
    assert.deepEqual(await settled, [{ status: 'rejected', reason: hung }])
    assert.deepEqual(
      await behind,
      [2, 3].map(() => ({ status: 'rejected', reason: hung })),
    )
    assert.equal(runs.length, 1)
    assert.equal(batcher.stats().waiting, 0)
  })

  it('F8 past its cap the queue refuses at once and says when to come back', async () => {
    const { batcher, runs, until } = held({ waiting_max: 5, lane_count: 1 })
    const running = batcher.submit('t', 'alice', 0)
    await until(1)
    const waiting = [1, 2, 3, 4, 5].map((item) => batcher.submit('t', 'alice', item))
    await assert.rejects(batcher.submit('t', 'alice', 6), (error: Refusal) => {
      assert.equal(error.code, 'unavailable')
      assert.equal(error.detail.retry_after_s, 1)
      return true
    })
    runs[0]!.finish()
    await until(2)
    runs[1]!.finish()
    await Promise.all([running, ...waiting])
    assert.equal(batcher.stats().waiting, 0)
    const next = batcher.submit('t', 'alice', 7)
    await until(3)
    runs[2]!.finish()
    assert.equal(await next, 'done 7')
  })

  it('a batch that answers fewer members than it was given is a failure, not a silent loss', async () => {
    const { batcher } = quick((items) => fine(items).slice(1))
    await assert.rejects(batcher.submit('t', 'alice', 1), /answer each of its members/)
  })

  it('a lane goes on after a failure', async () => {
    let first = true
    const { batcher } = quick(
      (items) => {
        if (!first) return fine(items)
        first = false
        throw new Error('once')
      },
      { lane_count: 1 },
    )
    await assert.rejects(batcher.submit('t', 'alice', 1), /once/)
    assert.equal(await batcher.submit('t', 'alice', 2), 'done 2')
    await nextTurn()
    assert.equal(batcher.stats().busy_lanes, 0)
  })
})
