/** One transaction per act: repeated on a clash, rolled back on a refusal, told after the commit, once per key. */
import assert from 'node:assert/strict'
import { auditHash } from '../../src/db/append.ts'
import { type GameEvent, RETRY_COUNT_MAX, type Tx, together } from '../../src/db/tx.ts'
import { publicError, refuse } from '../../src/errors.ts'
import { codesOf, eventually, refusalOf, type Stage, startStage, tally } from '../games/kit.ts'
import { type DatabaseProxy, startProxy } from './proxy.ts'

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

describe('the write path', () => {
  let stage: Stage
  beforeEach(async () => {
    stage = await startStage()
  })
  afterEach(async () => {
    await stage.close()
  })

  const alice = () => stage.actor('alice')
  const say = (tx: Tx, type = 'test.said', data: Record<string, unknown> = {}) =>
    tx.emit({ gameId: 'g', type, data })
  const events = () => stage.rows(`select event_data from game_events where game_id = 'g' order by game_seq`)

  describe('a clash', () => {
    it('F11 two transactions that lock two rows in opposite order both succeed: PostgreSQL ends one, and it is repeated', async () => {
      const [a, b] = [await stage.aPrize(), await stage.aPrize()]
      let tries = 0
      let together = 0
      const touch = (first: number, second: number) =>
        stage.app.run(
          alice(),
          async (tx) => {
            tries++
            await tx.rows('update gamification_prizes set cost_minor = cost_minor + 1 where id = $1', [first])
            // Both hold their first row before either asks for its second.
            together++
            if (tries <= 2) await eventually('the other one', async () => together >= 2)
            await tx.rows('update gamification_prizes set cost_minor = cost_minor + 1 where id = $1', [
              second,
            ])
            tx.audit({ action: 'touch', entity_type: 'test' })
          },
          undefined,
        )
      await Promise.all([touch(a, b), touch(b, a)])
      // Once, or again: who is repeated may take its first row back before the other one, let go, has woken up.
      assert.ok(tries >= 3, 'one of them was repeated')
      assert.deepEqual(
        await stage.rows('select cost_minor from gamification_prizes'),
        times(2, () => ({ cost_minor: 2 })),
      )
      assert.equal((await stage.rows(`select 1 from audit_logs where action = 'touch'`)).length, 2)
    })

    it('F11 a serialization failure is repeated with fresh rows and a fresh instant, and tells once', async () => {
      const id = await stage.aPrize()
      const told: GameEvent[] = []
      stage.app.follow(alice().tenantId, 'g', (group) => void told.push(...group))
      let tries = 0
      const instants: number[] = []
      const answer = await stage.app.run(
        alice(),
        async (tx) => {
          tries++
          instants.push(tx.now.getTime())
          await tx.rows('set transaction isolation level repeatable read')
          await tx.rows('select 1 from gamification_prizes where id = $1', [id])
          if (tries === 1)
            await stage.rows('update gamification_prizes set cost_minor = 7 where id = $1', [id])
          stage.clock.advance(1_000)
          say(tx)
          const row = await tx.one(
            'update gamification_prizes set cost_minor = cost_minor + 1 where id = $1 returning cost_minor',
            [id],
          )
          return row.cost_minor
        },
        undefined,
      )
      assert.equal(answer, 8)
      assert.equal(tries, 2)
      assert.ok(instants[1]! >= instants[0]! + 1_000)
      assert.deepEqual(
        told.map((event) => event.seq),
        [1],
      )
    })

    it('F11 a row that clashes for ever is given up after a limited number of tries, with nothing written', async () => {
      let tries = 0
      const clash = stage.app.run(
        alice(),
        async (tx) => {
          tries++
          say(tx)
          throw Object.assign(new Error('deadlock detected'), { code: '40P01' })
        },
        undefined,
      )
      const { code, retry_after_s } = publicError(await refusalOf(clash))
      assert.deepEqual([code, retry_after_s], ['unavailable', 1])
      assert.equal(tries, RETRY_COUNT_MAX + 1)
      assert.equal((await events()).length, 0)
    })

    it('F11 a broken constraint is a failure and no clash: it is not repeated and its text does not leave', async () => {
      let tries = 0
      const broken = stage.app.run(
        alice(),
        async (tx) => {
          tries++
          await tx.rows('insert into tenant_heads default values')
        },
        undefined,
      )
      const error = await refusalOf(broken)
      assert.equal(tries, 1)
      assert.deepEqual(publicError(error), {
        code: 'internal',
        status: 500,
        title: 'Something went wrong on our side.',
        detail: 'Something went wrong on our side.',
      })
    })
  })

  describe('a transaction', () => {
    it('S1-15 that is refused leaves no row, event, audit entry or log entry, and tells nobody', async () => {
      const told: unknown[] = []
      stage.app.followAll((event) => void told.push(event))
      stage.app.followLog((tenant) => void told.push(tenant))
      const count = async () =>
        (
          await stage.rows(
            `select (select count(*) from game_events) as e, (select count(*) from audit_logs) as a, (select count(*) from fair_log) as l, (select count(*) from spin_chances) as c`,
          )
        )[0]
      const before = await count()
      const refused = stage.app.run(
        alice(),
        async (tx) => {
          say(tx)
          tx.audit({ action: 'x', entity_type: 'test' })
          tx.log({ type: 'config' })
          tx.afterCommit(() => void told.push('after'))
          await tx.rows(
            `insert into spin_chances (id, user_id, chance_type, award_reason, chance_count, remaining_chances, awarded_at, created_at, updated_at)
             values (gen_random_uuid(), 'alice', 'granted', 'x', 1, 1, now(), now(), now())`,
          )
          refuse('no_chances_left')
        },
        undefined,
      )
      assert.equal((await refusalOf(refused)).code, 'no_chances_left')
      assert.deepEqual(await count(), before)
      assert.deepEqual(told, [])
      await stage.app.run(alice(), async (tx) => say(tx), undefined)
      assert.deepEqual((told[0] as unknown as GameEvent).seq, 1, 'no number was lost')
    })

    it('K-05 tells after it has committed: whoever is told finds the row', async () => {
      const found: Promise<number>[] = []
      stage.app.followAll((event) => {
        found.push(
          stage
            .rows('select 1 from game_events where game_seq = $1 and game_id = $2', [event.seq, event.gameId])
            .then((rows) => rows.length),
        )
      })
      await Promise.all(
        times(20, (i) => stage.app.run(alice(), async (tx) => say(tx, 'test.said', { i }), undefined)),
      )
      assert.deepEqual(
        await Promise.all(found),
        times(20, () => 1),
      )
    })

    it('K-05 tells the events of one transaction in the order they were said, numbered without gap per game', async () => {
      const told: GameEvent[][] = []
      stage.app.follow(alice().tenantId, 'g', (group) => void told.push([...group]))
      await Promise.all(
        times(25, (t) =>
          stage.app.run(
            alice(),
            async (tx) => {
              for (const i of [0, 1, 2]) {
                say(tx, 'test.said', { t, i })
                tx.emit({ gameId: `other-${t % 3}`, type: 'test.else', data: {} })
              }
            },
            undefined,
          ),
        ),
      )
      for (const group of told) {
        assert.deepEqual(
          group.map((event) => event.data['i']),
          [0, 1, 2],
        )
        assert.deepEqual(
          group.map((event) => event.seq - group[0]!.seq),
          [0, 1, 2],
        )
      }
      const seqs = told
        .flat()
        .map((event) => event.seq)
        .sort((a, b) => a - b)
      assert.deepEqual(
        seqs,
        times(75, (i) => i + 1),
      )
      const heads = await stage.rows(
        `select game_id, last_seq from game_heads where game_id like 'other-%' order by 1`,
      )
      assert.deepEqual(
        heads.map((row) => row.last_seq),
        [27, 24, 24],
      )
    })

    it('K-05 a follower that throws harms neither the caller, who is answered, nor the other followers', async () => {
      const told: string[] = []
      const fail = () => {
        throw new Error('a follower of mine')
      }
      stage.app.followAll(fail)
      stage.app.followLog(fail)
      stage.app.follow(alice().tenantId, 'g', fail)
      stage.app.followAll(() => void told.push('all'))
      stage.app.followLog(() => void told.push('log'))
      stage.app.follow(alice().tenantId, 'g', () => void told.push('game'))
      const answer = await stage.app.run(
        alice(),
        async (tx) => {
          say(tx)
          tx.log({ type: 'config', gameId: 'g', configHash: '0'.repeat(64) })
          return 'answered'
        },
        undefined,
      )
      assert.equal(answer, 'answered')
      assert.deepEqual(told.sort(), ['all', 'game', 'log'])
      assert.equal(stage.reports.length, 3)
    })

    it('K-05 whose failed statement was caught is not told as done', async () => {
      const hidden = stage.app.run(
        alice(),
        async (tx) => {
          await tx.rows('select 1 / 0').catch(() => {})
          return 'done'
        },
        undefined,
      )
      await assert.rejects(hidden, /rolled back/)
    })

    it('K-05 is rolled back by work that was left for the commit and failed, with the first error and no number lost', async () => {
      const told: GameEvent[] = []
      stage.app.followAll((event) => void told.push(event))
      const failed = stage.app.run(
        alice(),
        async (tx) => {
          say(tx)
          tx.awaitBeforeCommit(tx.rows('select 1 / 0'))
          tx.awaitBeforeCommit(tx.rows('select 1'))
          return 'done'
        },
        undefined,
      )
      await assert.rejects(failed, { code: '22012' })
      const hidden = stage.app.run(
        alice(),
        async (tx) => {
          tx.awaitBeforeCommit(tx.rows('select 1 / 0'))
          await tx.rows('select 2')
        },
        undefined,
      )
      await assert.rejects(hidden, { code: '22012' })
      const refused = stage.app.run(
        alice(),
        async (tx) => {
          say(tx)
          tx.awaitBeforeCommit(
            tx
              .one<{ n: number }>('select 1 as n')
              .then((row) => refuse(row!.n === 1 ? 'cooldown' : 'internal')),
          )
        },
        undefined,
      )
      assert.equal((await refusalOf(refused)).code, 'cooldown')
      assert.deepEqual([told, await events()], [[], []])
      await stage.app.run(alice(), async (tx) => say(tx), undefined)
      assert.equal(told[0]?.seq, 1)
    })

    it('K-05 whose last statement fails is rolled back, although its commit was sent with it', async () => {
      const failed = stage.app.run(
        alice(),
        async (tx) => {
          await tx.rows(
            `insert into blocked_users (user_id, reason, blocked_by, created_at) values ('bob', 'x', 'y', now())`,
          )
          tx.audit({ action: 'x'.repeat(65), entity_type: 'test' })
        },
        undefined,
      )
      await assert.rejects(failed, { code: '22001' })
      assert.deepEqual(await stage.rows('select 1 from blocked_users'), [])
    })

    it('S1-02 takes no statement after its end: its connection may serve another tenant by then', async () => {
      const kept: Tx[] = []
      await stage.app.run(alice(), async (tx) => void kept.push(tx), undefined)
      const refused = stage.app.run(
        alice(),
        async (tx) => {
          kept.push(tx)
          refuse('cooldown')
        },
        undefined,
      )
      await refusalOf(refused)
      for (const tx of kept) await assert.rejects(tx.rows('select 1'), /after the end/)
      assert.equal(kept.length, 2)
    })

    it('F11 statements that were sent together fail with the error of the first, not with what it left behind', async () => {
      const failed = stage.app.run(
        alice(),
        (tx) => together(tx.rows('select 1'), tx.rows('select 1 / 0'), tx.rows('select 2')),
        undefined,
      )
      await assert.rejects(failed, { code: '22012' })
      const answers = await stage.app.run(
        alice(),
        (tx) => together(tx.rows('select 1 as n'), tx.one('select 2 as n')),
        undefined,
      )
      assert.deepEqual(answers, [[{ n: 1 }], { n: 2 }])
    })

    it('S1-02 sees and writes one tenant, whatever its statements say, and none without a tenant', async () => {
      await stage.aTenant('other')
      await stage.aWheel({ tenant: 'other' })
      assert.equal((await stage.inTenant((tx) => tx.rows('select 1 from wheel_games'))).length, 0)
      const foreign = stage.inTenant((tx) =>
        tx.rows(`insert into game_heads (tenant_id, game_id) values ($1, 'x')`, [stage.tenants.get('other')]),
      )
      await assert.rejects(foreign, /row-level security/)
      await assert.rejects(
        stage.app.run({ ...alice(), tenantId: "x'; drop table tenants; --" }, async () => {}, undefined),
        /tenant id/,
      )
    })

    it('S1-02 behind a begin that failed its statements see no tenant and change nothing', async () => {
      await stage.aWheel()
      const client = await stage.database.connectAsApp()
      try {
        const [began, seen, changed, made] = await Promise.allSettled([
          client.query('begin; this is no statement'),
          client.query('select id from wheel_games'),
          client.query('update wheel_games set wheel_name = $1', ['mine']),
          client.query(`insert into game_heads (tenant_id, game_id) values ($1, 'x')`, [
            stage.tenants.get('acme') ?? [...stage.tenants.values()][0],
          ]),
        ])
        assert.equal(began.status, 'rejected')
        assert.deepEqual(seen.status === 'fulfilled' && seen.value.rows, [])
        assert.equal(changed.status === 'fulfilled' && changed.value.rowCount, 0)
        assert.match(String(made.status === 'rejected' && made.reason), /row-level security/)
      } finally {
        client.release()
      }
      assert.equal(await stage.app.run(alice(), async () => 'served again', undefined), 'served again')
    })

    it('S1-49 a batch is planned once per connection, however small it is', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 40)
      for (let i = 0; i < 12; i++) await stage.wheel.spin(alice(), { wheel_id, request_id: `r-${i}` })
      const planned = await stage.inTenant((tx) =>
        tx.rows<{ name: string; again: number; kept: number }>(
          `select name, custom_plans as again, generic_plans as kept from pg_prepared_statements where name = 'wheel_record'`,
        ),
      )
      assert.equal(planned.length, 1, 'the connection that spun last is the first to be lent')
      assert.equal(planned[0]!.again, 0)
      assert.ok(planned[0]!.kept > 0)
    })

    it('S1-48 its audit rows are a chain per tenant: dense, linked, and recomputable from the rows alone', async () => {
      await Promise.all(
        times(15, (i) =>
          stage.app.run(
            { ...alice(), ip: '192.0.2.1' },
            async (tx) => {
              for (const part of ['a', 'b'])
                tx.audit({ action: `${part}${i}`, entity_type: 'test', new_values: { i, text: 'ü "\u2028' } })
            },
            undefined,
          ),
        ),
      )
      const rows = await stage.rows('select * from audit_logs where tenant_id = $1 order by seq', [
        alice().tenantId,
      ])
      let prev: string | null = null
      rows.forEach((row, i) => {
        assert.equal(row.seq, i + 1)
        assert.equal(row.prev_hash, prev)
        const { seq, user_id, action, entity_type, entity_id, old_values, new_values } = row
        const hashed = {
          seq,
          user_id,
          action,
          entity_type,
          entity_id,
          old_values,
          new_values,
          at: row.created_at.toISOString(),
        }
        assert.equal(row.hash, auditHash(alice().tenantId, prev, hashed))
        prev = row.hash
      })
      await stage.assertClean()
    })
  })

  describe('once per key', () => {
    const key = (text: string) => ({ endpoint: 'POST /test', key: text, status: 201 })
    const work = async (tx: Tx, input: { amount: number }) => {
      say(tx, 'test.said', input)
      return { amount: input.amount, nested: { list: [1, 'zwei', null] } }
    }

    it('I17 30 calls at once with one key have one effect; every answer is the first one, byte for byte, or "still running"', async () => {
      const other = stage.aProcess()
      const settled = await Promise.allSettled(
        times(30, (i) => (i % 2 ? stage : other).app.once(alice(), work, { amount: 5 }, key('k'))),
      )
      const codes = tally(codesOf(settled))
      assert.deepEqual(
        Object.keys(codes).filter((code) => code !== 'ok' && code !== 'idempotency_in_progress'),
        [],
      )
      const answers = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
      assert.equal(answers.filter((answer) => !answer.replayed).length, 1)
      assert.deepEqual(
        [...new Set(answers.map((answer) => `${answer.status} ${answer.body}`))],
        ['201 {"amount":5,"nested":{"list":[1,"zwei",null]}}'],
      )
      assert.equal((await events()).length, 1)
    })

    it('I17 I31 the key with another input is refused, with the same input in another order it is replayed', async () => {
      const input = { amount: 5, note: 'x' }
      const first = await stage.app.once(alice(), work, input, key('k'))
      assert.equal(
        (await refusalOf(stage.app.once(alice(), work, { ...input, amount: 6 }, key('k')))).code,
        'idempotency_key_reused',
      )
      const again = await stage.app.once(alice(), work, { note: 'x', amount: 5 }, key('k'))
      assert.deepEqual(again, { ...first, replayed: true })
    })

    it('abuse 61 the key of another user, endpoint or tenant is another key', async () => {
      await stage.aTenant('other')
      const calls = [
        stage.app.once(alice(), work, { amount: 1 }, key('k')),
        stage.app.once(stage.actor('bob'), work, { amount: 2 }, key('k')),
        stage.app.once(alice(), work, { amount: 3 }, { ...key('k'), endpoint: 'POST /else' }),
        stage.app.once(stage.actor('alice', 'other'), work, { amount: 4 }, key('k')),
      ]
      assert.deepEqual(
        (await Promise.all(calls)).map((each) => [JSON.parse(each.body).amount, each.replayed]),
        [
          [1, false],
          [2, false],
          [3, false],
          [4, false],
        ],
      )
    })

    it('I17 a refusal stores nothing: the same key may succeed later', async () => {
      let is_open = false
      const gated = async (tx: Tx, input: { amount: number }) =>
        is_open ? work(tx, input) : refuse('round_not_open')
      assert.equal(
        (await refusalOf(stage.app.once(alice(), gated, { amount: 1 }, key('k')))).code,
        'round_not_open',
      )
      is_open = true
      assert.equal((await stage.app.once(alice(), gated, { amount: 1 }, key('k'))).replayed, false)
    })
  })

  describe('a connection that is lost', () => {
    let proxy: DatabaseProxy
    beforeEach(async () => {
      proxy = await startProxy(stage.db.url)
    })
    afterEach(async () => {
      await proxy.close()
    })

    for (const [how, name, rows] of [
      ['loseNextCommit', 'after the commit reached the server', 1],
      ['cutBeforeNextCommit', 'before the commit reached the server', 0],
    ] as const) {
      it(`F19 ${name}: the caller is told "unavailable", and the same key answers the truth`, async () => {
        const far = stage.aProcess({ url: proxy.url })
        const key = { endpoint: 'POST /test', key: 'k', status: 201 }
        const work = async (tx: Tx) => {
          say(tx)
          return { done: true }
        }
        proxy[how]()
        const error = await refusalOf(far.app.once(alice(), work, {}, key))
        assert.equal(publicError(error).code, 'unavailable')
        await eventually('the server to have noticed', async () => (await events()).length === rows)
        const again = await far.app.once(alice(), work, {}, key)
        assert.equal(again.replayed, rows === 1)
        assert.equal((await events()).length, 1)
      })

      it(`F19 ${name}: a spin is asked for again with its id and is one spin`, async () => {
        const wheel_id = await stage.aWheel()
        await stage.grant('alice', 10)
        const far = stage.aProcess({ url: proxy.url })
        await far.wheel.seedPair(alice(), 'summer')
        const request = { wheel_id, request_id: 'once' }
        proxy[how]()
        assert.equal(publicError(await refusalOf(far.wheel.spin(alice(), request))).code, 'unavailable')
        await eventually(
          'the server to have noticed',
          async () => (await stage.rows('select 1 from spin_sessions')).length === rows,
        )
        const { replayed, answer } = await far.wheel.spin(alice(), request)
        assert.equal(replayed, rows === 1)
        assert.deepEqual([answer.nonce, answer.chances_left], [0, 9])
        await stage.assertClean()
      })
    }

    it('F7 backends that are ended at random cost single errors, never a double or a lost spin', async () => {
      const wheel_id = await stage.aWheel()
      for (const i of times(10, (n) => n)) await stage.grant(`player-${i}`, 40)
      let done = false
      const ending = (async () => {
        let ended = 0
        while (!done) {
          const [row] = await stage
            .rows(
              `select pg_terminate_backend(pid) as is_ended from pg_stat_activity
             where datname = current_database() and application_name = 'livedraw' and pid <> pg_backend_pid() and state <> 'idle' order by random() limit 1`,
            )
            .catch(() => [])
          if (row?.is_ended) ended++
          // Who has a new connection plans every statement first: ended every 15 ms, hardly anybody got to a commit.
          await new Promise((resolve) => setTimeout(resolve, 60))
        }
        return ended
      })()
      const codes: string[] = []
      await Promise.all(
        times(10, async (p) => {
          for (let i = 0; i < 25; i++) {
            const request = { wheel_id, request_id: `r-${i}` }
            for (let tries = 0; tries < 1_000; tries++) {
              const outcome = await stage.wheel.spin(stage.actor(`player-${p}`), request).then(
                () => 'ok',
                (error: unknown) => publicError(error).code,
              )
              codes.push(outcome)
              if (outcome === 'ok') break
            }
          }
        }),
      )
      done = true
      assert.ok((await ending) > 0)
      const said = tally(codes)
      assert.equal(said['ok'], 250)
      assert.deepEqual(
        Object.keys(said).filter((code) => code !== 'ok' && code !== 'unavailable'),
        [],
      )
      assert.equal((await stage.rows('select 1 from spin_sessions')).length, 250)
      await stage.assertClean()
    })

    it('F10 when every connection is taken a request is refused within the time to wait for one, and served again after', async () => {
      const small = stage.aProcess({ limits: { connections_max: 2, connect_timeout_ms: 200 } })
      const held = await Promise.all([small.database.connectAsApp(), small.database.connectAsApp()])
      const started = performance.now()
      const settled = await Promise.allSettled(
        times(5, () => small.app.run(alice(), async () => 'done', undefined)),
      )
      assert.ok(performance.now() - started < 2_000)
      for (const each of settled)
        assert.equal(publicError((each as PromiseRejectedResult).reason).code, 'unavailable')
      for (const client of held) client.release()
      assert.equal(await small.app.run(alice(), async () => 'done', undefined), 'done')
    })

    it('F8 F18 a database that says nothing is waited for once, not once more for the rollback; afterwards all is well', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 40)
      const far = stage.aProcess({
        url: proxy.url,
        limits: { query_timeout_ms: 700, connect_timeout_ms: 700 },
      })
      await far.wheel.spin(alice(), { wheel_id, request_id: 'warm' })
      proxy.freeze()
      const started = performance.now()
      const settled = await Promise.allSettled(
        times(30, (i) => far.wheel.spin(alice(), { wheel_id, request_id: `r-${i}` })),
      )
      const waited_ms = performance.now() - started
      for (const each of settled)
        assert.equal(publicError((each as PromiseRejectedResult).reason).code, 'unavailable')
      assert.ok(waited_ms < 2_400, `waited ${Math.round(waited_ms)} ms`)
      proxy.thaw()
      await eventually('service', async () => {
        const again = await Promise.allSettled(
          times(30, (i) => far.wheel.spin(alice(), { wheel_id, request_id: `r-${i}` })),
        )
        return again.every((each) => each.status === 'fulfilled')
      })
      assert.equal((await stage.rows('select 1 from spin_sessions')).length, 31)
      await stage.assertClean()
    })
  })

  it('F8 a lock that somebody else holds too long is a bounded wait and "unavailable", and nothing is half done', async () => {
    const wheel_id = await stage.aWheel()
    await stage.grant('alice', 5)
    const impatient = stage.aProcess({ limits: { lock_timeout_ms: 200 } })
    await impatient.wheel.seedPair(alice(), 'summer')
    const holder = await stage.database.connect()
    await holder.query('begin; lock table spin_chances in access exclusive mode')
    const error = await refusalOf(impatient.wheel.spin(alice(), { wheel_id, request_id: 'x' }))
    assert.deepEqual([publicError(error).code, publicError(error).status], ['unavailable', 503])
    await holder.query('rollback')
    holder.release()
    assert.equal((await impatient.wheel.spin(alice(), { wheel_id, request_id: 'x' })).replayed, false)
    await stage.assertClean()
  })

  for (const [name, error] of [
    ['a refused connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED' })],
    ['a process without files to open', Object.assign(new Error('x'), { code: 'EMFILE' })],
    ['a shutdown', Object.assign(new Error('x'), { code: '57P01' })],
    ['a full disk', Object.assign(new Error('x'), { code: '53100' })],
    ['too many connections', Object.assign(new Error('x'), { code: '53300' })],
    ['a lock timeout', Object.assign(new Error('x'), { code: '55P03' })],
    ['a statement timeout', Object.assign(new Error('x'), { code: '57014' })],
    ['a broken connection', new Error('Connection terminated unexpectedly')],
    ['a client that was closed', new Error('Client was closed and is not queryable')],
    ['a pool that is empty for too long', new Error('timeout exceeded when trying to connect')],
    [
      'a start that waits for recovery',
      Object.assign(new Error('the database system is starting up'), { code: '57P03' }),
    ],
  ] as const) {
    it(`F6 ${name} is told as unavailable, with when to come back and without its text`, () => {
      const told = publicError(error)
      assert.deepEqual([told.code, told.status, told.retry_after_s], ['unavailable', 503, 1])
      assert.ok(!JSON.stringify(told).includes(error.message === 'x' ? 'ECONN' : error.message))
    })
  }
})
