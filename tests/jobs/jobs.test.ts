/** Durable jobs: added with a transaction or not at all, done once, repeated when they fail, by any process. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { migrate } from '../../src/db/migrate.ts'
import { addJob, dropJob, jobKind, periodic, type Task, task } from '../../src/jobs/queue.ts'
import { type Jobs, makeJobs } from '../../src/jobs/runner.ts'
import { systemActor } from '../../src/system.ts'
import { createTenant } from '../../src/tenants/tenants.ts'
import { eventually, type Stage, startStage } from '../games/kit.ts'
import { jobsOf } from './kit.ts'

const note = jobKind('test.note', z.strictObject({ text: z.string() }))
const HOUR_MS = 3_600_000

describe('jobs', () => {
  let stage: Stage
  let done: { text: string; tenant: string; attempt: number }[]
  let jobs: Jobs
  const started: Jobs[] = []

  const noting = task(note, async (actor, { text }, { attempt }) => {
    done.push({ text, tenant: actor.tenantId, attempt })
  })
  const add = (text: string, options = {}, tenant = 'demo') =>
    stage.inTenant((tx) => addJob(tx, note, { text }, options), tenant)
  const texts = () => done.map((each) => each.text)
  const queued = () =>
    stage.rows(`select payload -> 'data' ->> 'text' as text, attempts, last_error, run_at > now() as waits, key
                from graphile_worker._private_jobs order by id`)

  function running(tasks: Task[], process = stage.aProcess()): Jobs {
    const made = jobsOf(stage, process, tasks)
    started.push(made)
    return made
  }

  before(async () => {
    stage = await startStage()
    await stage.aTenant('other')
    jobs = running([noting])
  })
  beforeEach(async () => {
    done = []
    stage.reports.length = 0
    await stage.rows('delete from graphile_worker._private_jobs')
  })
  after(async () => {
    for (const each of started) await each.stop()
    await stage.close()
  })

  it('P-52 a job of a transaction that is rolled back never runs, one that commits runs once', async () => {
    await assert.rejects(
      stage.inTenant(async (tx) => {
        await addJob(tx, note, { text: 'never' })
        throw new Error('changed my mind')
      }),
    )
    await add('once')
    await jobs.runOnce()
    await jobs.runOnce()
    assert.deepEqual(texts(), ['once'])
  })

  it('runs in the tenant that added it', async () => {
    await add('here')
    await add('there', {}, 'other')
    await jobs.runOnce()
    assert.deepEqual(
      done.map(({ text, tenant }) => [text, tenant]),
      [
        ['here', stage.tenants.get('demo')],
        ['there', stage.tenants.get('other')],
      ],
    )
  })

  it('a job with a time runs when the clock of the application is there, and not before', async () => {
    await add('later', { run_at: new Date(stage.clock.now().getTime() + HOUR_MS) })
    await jobs.runOnce()
    assert.deepEqual(texts(), [])
    stage.clock.advance(HOUR_MS - 60_000)
    await jobs.runOnce()
    assert.deepEqual(texts(), [])
    stage.clock.advance(60_001)
    await jobs.runOnce()
    assert.deepEqual(texts(), ['later'])
  })

  it('a key holds one waiting job per tenant and kind: the second replaces the first, and may keep its time', async () => {
    const soon = { run_at: new Date(stage.clock.now().getTime() + HOUR_MS), job_key: 'a' }
    await add('first', soon)
    await add('second', { job_key: 'a', keeps_run_at: true })
    await add('theirs', { job_key: 'a' }, 'other')
    await jobs.runOnce()
    assert.deepEqual(texts(), ['theirs'])
    stage.clock.advance(HOUR_MS + 1)
    await jobs.runOnce()
    assert.deepEqual(texts(), ['theirs', 'second'])
  })

  it('a job that is taken back does not run, and taking back reaches no other tenant', async () => {
    await add('mine', { job_key: 'b' })
    await add('theirs', { job_key: 'b' }, 'other')
    await stage.inTenant((tx) => dropJob(tx, note, 'b'))
    await jobs.runOnce()
    assert.deepEqual(texts(), ['theirs'])
  })

  it('the application cannot touch the queue but through the two functions, and not without a tenant', async () => {
    for (const text of [
      `select * from graphile_worker._private_jobs`,
      `select graphile_worker.add_job('test.note', '{}')`,
    ])
      await assert.rejects(
        stage.inTenant((tx) => tx.rows(text)),
        { code: '42501' },
      )
    const client = await stage.database.connect()
    try {
      await client.query('begin; set local role livedraw_app')
      const bare = client.query(`select add_job('test.note', '{}', now(), now(), null, 1, false)`)
      await assert.rejects(bare, { code: '42501' })
    } finally {
      await client.query('rollback')
      client.release()
    }
  })

  it('F28 a task that throws is reported, waits longer each time, and runs again until it is given up', async () => {
    let failures = 2
    const failing = running([
      task(note, async (_actor, { text }, { attempt }) => {
        if (failures-- > 0) throw new Error('not yet')
        done.push({ text, tenant: '', attempt })
      }),
    ])
    await add('stubborn')
    const waits: number[] = []
    for (let turn = 0; turn < 2; turn++) {
      await failing.runOnce()
      const [row] = await queued()
      assert.deepEqual([row.attempts, row.last_error, row.waits], [turn + 1, 'not yet', true])
      const [{ wait_s }] = (await stage.rows<{ wait_s: number }>(
        `update graphile_worker._private_jobs set run_at = now() returning
           (select extract(epoch from j.run_at - now())::float from graphile_worker.jobs j) as wait_s`,
      )) as [{ wait_s: number }]
      waits.push(wait_s)
    }
    assert.ok(waits[0]! < waits[1]!, String(waits))
    await failing.runOnce()
    assert.deepEqual(done, [{ text: 'stubborn', tenant: '', attempt: 3 }])
    assert.deepEqual(
      stage.reports.map(([where]) => where.replace(/ \d+,/, ' N,')),
      ['job test.note N, attempt 1 of 25', 'job test.note N, attempt 2 of 25'],
    )
    assert.deepEqual(await queued(), [])
  })

  it('a payload that is not its kind’s is a bug of the caller, and refused with its transaction', async () => {
    await assert.rejects(stage.inTenant((tx) => addJob(tx, note, { text: 7 } as never)))
    assert.deepEqual(await queued(), [])
  })

  it('a periodic task is done for every active tenant, and one that is switched off waits', async () => {
    const seen: string[] = []
    const sweep = jobKind('test.sweep', z.strictObject({}))
    const sweeping = running([
      periodic(sweep, '*/5 * * * *', async (actor) => void seen.push(actor.tenantId)),
    ])
    await stage.aTenant('asleep')
    await stage.rows(`update tenants set is_active = false where tenant_code = 'asleep'`)
    await sweeping.runPeriodic('test.sweep')
    // A second turn before the first was done is the same work.
    await sweeping.runPeriodic('test.sweep')
    await sweeping.runOnce()
    assert.deepEqual(seen.sort(), [stage.tenants.get('demo')!, stage.tenants.get('other')!].sort())
  })

  it('two processes do each of 100 jobs once between them, as they are added', async () => {
    const two = [running([noting]), running([noting])]
    await Promise.all(two.map((each) => each.start()))
    for (let i = 0; i < 10; i++)
      await stage.inTenant(async (tx) => {
        for (let k = 0; k < 10; k++) await addJob(tx, note, { text: `${i}-${k}` })
      })
    await eventually('all jobs done', async () => done.length >= 100, 15_000)
    for (const each of two) await each.stop()
    assert.equal(new Set(texts()).size, 100)
    assert.equal(done.length, 100)
    assert.deepEqual(await queued(), [])
    assert.deepEqual(stage.reports, [])
  })

  it('F2 lost connections are waited for: the runner goes on and the process lives', async () => {
    const one = running([noting])
    await one.start()
    await add('before')
    await eventually('the first', async () => done.length === 1)
    const { length } = await stage.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'livedraw-jobs' and pid <> pg_backend_pid()`,
    )
    assert.ok(length >= 2)
    await add('after')
    await eventually('the second', async () => done.length === 2, 15_000)
    await one.stop()
  })

  it('P-50 the gauges tell jobs that wait, are late and were given up apart', async () => {
    await add('waits', { run_at: new Date(stage.clock.now().getTime() + HOUR_MS) })
    await add('given up')
    await stage.rows(
      `update graphile_worker._private_jobs set attempts = max_attempts where payload -> 'data' ->> 'text' = 'given up'`,
    )
    await add('nobody does this one')
    // The application's clock and the database's differ by a little; what is counted first has to be late already.
    await eventually('it is late', async () => {
      const late = await stage.rows(
        `select 1 from graphile_worker._private_jobs where run_at < now() and payload -> 'data' ->> 'text' like 'nobody%'`,
      )
      return late.length === 1
    })
    const one = running([])
    await one.start()
    await eventually('the counts', async () => one.counts().failed === 1)
    assert.deepEqual(one.counts(), { waiting: 1, late: 1, failed: 1 })
    await one.stop()
  })

  it('stopping waits for what runs and leaves the rest untouched: nothing is half done', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    let entered = 0
    const slow = running([
      task(note, async (_actor, { text }) => {
        entered++
        await gate
        done.push({ text, tenant: '', attempt: 0 })
      }),
    ])
    await slow.start()
    await add('long')
    await eventually('it runs', async () => entered === 1)
    const stopping = slow.stop()
    release()
    await stopping
    await add('too late')
    assert.deepEqual(texts(), ['long'])
    assert.deepEqual(
      (await queued()).map((row) => [row.text, row.attempts]),
      [['too late', 0]],
    )
  })

  it('K-07 works for an owner that is no superuser', async () => {
    const name = `owner_${stage.tenants.get('demo')!.replaceAll('-', '')}`
    await stage.rows(`create role ${name} login createrole password 'x'`)
    await stage.rows(`grant livedraw_app, livedraw_auditor to ${name} with admin option`)
    await stage.rows(`create database ${name} owner ${name}`)
    const url = Object.assign(new URL(stage.db.url), {
      pathname: `/${name}`,
      username: name,
      password: 'x',
    }).href
    await migrate(url)
    const process = stage.aProcess({ url })
    const theirs = makeJobs({ url, ...process, tasks: [noting], report: assert.fail })
    const tenant = await createTenant(process.app, process.directory, { tenant_code: 'x', tenant_name: 'x' })
    await process.app.run(systemActor(tenant.id), (tx) => addJob(tx, note, { text: 'owned' }), undefined)
    await theirs.start()
    await eventually('done', async () => done.length === 1)
    assert.deepEqual(done, [{ text: 'owned', tenant: tenant.id, attempt: 1 }])
    await theirs.stop()
    await process.stop()
    await stage.rows(`drop database ${name} with (force)`)
    await stage.rows(`drop role ${name}`)
  })

  describe('when the process is killed', function () {
    this.timeout(30_000)
    let child: ChildProcess

    async function aChild(): Promise<string> {
      child = spawn(
        process.execPath,
        [fileURLToPath(new URL('./worker.ts', import.meta.url)), stage.db.url],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
      return line
    }
    afterEach(() => {
      child.kill('SIGKILL')
    })

    it('F1 in the middle of a job: it is done by another process soon, not hours later', async () => {
      await add('survivor')
      assert.equal(await aChild(), 'began survivor')
      child.kill('SIGKILL')
      await once(child, 'exit')
      assert.deepEqual(
        (await queued()).map((row) => [row.text, row.attempts]),
        [['survivor', 1]],
      )
      const next = running([noting])
      await next.start()
      await eventually('done elsewhere', async () => done.length === 1, 10_000)
      assert.deepEqual(done[0], { text: 'survivor', tenant: stage.tenants.get('demo'), attempt: 2 })
      await next.stop()
    })

    it('F2 a living process keeps its job, however often others look for the dead', async () => {
      await add('kept')
      assert.equal(await aChild(), 'began kept')
      for (let i = 0; i < 3; i++) {
        const next = running([noting])
        await next.start()
        await next.stop()
      }
      assert.deepEqual(done, [])
    })
  })
})
