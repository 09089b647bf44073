/**
 * Does the jobs, with graphile-worker on connections of our own. A job that throws is reported and repeated with a
 * backoff; a database that goes away is waited for; nothing that happens here ends the process.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type JobHelpers,
  Logger,
  parseCronItems,
  type Runner,
  type RunnerOptions,
  run,
  runOnce,
  type TaskList,
} from 'graphile-worker'
import { z } from 'zod'
import type { App } from '../app.ts'
import { openPgPool, type PoolLimits } from '../db/pool.ts'
import { systemActor } from '../system.ts'
import type { Directory } from '../tenants/directory.ts'
import { type Life, makeLife } from './life.ts'
import { addJob, type Task } from './queue.ts'
import { alignJobs, countJobs, freeJobsOfTheDead, type QueueCounts } from './store.ts'

export type Jobs = {
  /** Starts the workers. Resolves when they look for jobs, or keep trying to. */
  start(): Promise<void>
  /** Takes no more jobs, waits for those that run, at most so long, and closes the connections. */
  stop(deadline_ms?: number): Promise<void>
  /** Does every job that is due by the application's clock, and those that they add, one after the other. */
  runOnce(): Promise<void>
  /** Does a periodic task for every active tenant, as at its time. */
  runPeriodic(name: string): Promise<void>
  /** How long the queue was when it was last looked at. */
  counts(): QueueCounts
}

export type JobsOptions = {
  /** The same database as the application's, as the owner. */
  url: string
  app: App
  directory: Directory
  tasks: readonly Task[]
  report: (where: string, error: unknown) => void
}

/** One long job must not keep others waiting; webhooks hold at most half of these. */
const CONCURRENCY = 8
/** A job with a time of its own is at most this late; those for now are announced. */
const POLL_MS = 1_000
/** How soon the jobs of a process that died go on elsewhere. */
const FREE_EVERY_MS = 30_000
/** A test moved the clock: its jobs follow this soon. */
const ALIGN_EVERY_MS = 250
/** For the gauges: a scrape must not wait for the database. */
const COUNT_EVERY_MS = 10_000
const RESTART_AFTER_MS = 1_000
/** What a running job may take to end by itself before its signal is aborted. */
const PATIENCE_MS = 5_000

/** Workers, the listener, and the session that says that we live. */
const LIMITS: PoolLimits = {
  connections_max: CONCURRENCY + 3,
  connect_timeout_ms: 5_000,
  statement_timeout_ms: 10_000,
  lock_timeout_ms: 5_000,
  idle_in_transaction_timeout_ms: 10_000,
  query_timeout_ms: 15_000,
}

/** The job that a cron pattern adds: it adds one per tenant, so that a tenant's failure is its own. */
const EVERYWHERE = 'jobs.everywhere'

const storedSchema = z.object({ tenant_id: z.uuid(), data: z.unknown() })

/** Makes the runner. Two tasks of one name are a bug. */
export function makeJobs({ url, app, directory, tasks, report }: JobsOptions): Jobs {
  const byName = new Map(tasks.map((each) => [each.kind.name, each]))
  if (byName.size < tasks.length) throw new Error('two tasks have one name')
  // A lost connection fails what runs on it, which is reported there.
  const { pool, database } = openPgPool(url, () => {}, LIMITS, 'livedraw-jobs')
  const taskList = taskListOf(tasks)
  let runner: Runner | undefined
  let working: Promise<void> | undefined
  let stopped = false
  const timers: NodeJS.Timeout[] = []
  let counts: QueueCounts = { waiting: 0, late: 0, failed: 0 }

  function taskListOf(all: readonly Task[]): TaskList {
    const list: TaskList = { [EVERYWHERE]: (payload) => everywhere((payload as { task: string }).task) }
    for (const each of all) list[each.kind.name] = (payload, helpers) => perform(each, payload, helpers)
    return list
  }

  async function perform(each: Task, payload: unknown, { job, abortSignal }: JobHelpers): Promise<void> {
    const context = {
      attempt: job.attempts,
      attempts_max: job.max_attempts,
      signal: abortSignal ?? new AbortController().signal,
    }
    try {
      const { tenant_id, data } = storedSchema.parse(payload)
      await each.run(systemActor(tenant_id), each.kind.payload.parse(data), context)
    } catch (error) {
      const last = job.attempts >= job.max_attempts ? ', given up' : ''
      report(`job ${each.kind.name} ${job.id}, attempt ${job.attempts} of ${job.max_attempts}${last}`, error)
      throw error
    }
  }

  async function everywhere(name: string): Promise<void> {
    const found = byName.get(name)
    // A pattern of a version that is gone.
    if (found === undefined) return
    for (const tenant of (await directory.all()).filter(({ is_active }) => is_active)) {
      await app.run(
        systemActor(tenant.id),
        (tx) => addJob(tx, found.kind, {}, { job_key: 'periodic' }),
        undefined,
      )
    }
  }

  /** Each run has a life of its own: when it ends, what it left behind is free for the next. */
  const optionsOf = (life: Life): RunnerOptions => ({
    pgPool: pool,
    noHandleSignals: true,
    concurrency: CONCURRENCY,
    pollInterval: POLL_MS,
    gracefulShutdownAbortTimeout: PATIENCE_MS,
    taskList,
    parsedCronItems: parseCronItems(
      tasks
        .filter(({ cron }) => cron !== undefined)
        .map(({ kind, cron }) => ({
          task: EVERYWHERE,
          match: cron!,
          identifier: kind.name,
          payload: { task: kind.name },
          // What was missed while no server ran is done by the next turn: these tasks look at what is there.
          options: { backfillPeriod: 0, jobKey: `${EVERYWHERE}/${kind.name}` },
        })),
    ),
    logger: new Logger(() => (level, message, meta) => {
      // Failures of a job were reported by `perform`, with the job's name.
      if (level === 'error' && !meta?.['failure'])
        report('jobs', (meta?.['error'] as Error | undefined) ?? new Error(message))
    }),
    preset: {
      // Batches, even of one, are what the library waits for when it stops; a single answer it leaves behind.
      worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 },
      plugins: [
        {
          name: 'livedraw-life',
          version: '1.0.0',
          worker: { hooks: { startWorker: (_context, { worker }) => life.hold(worker.workerPool.id) } },
        },
      ],
    },
  })

  /** The library's runner ends when something surprised it; ours goes on. */
  async function keepRunning(started: () => void): Promise<void> {
    while (!stopped) {
      const life = makeLife(pool)
      try {
        runner = await run(optionsOf(life))
        started()
        // Asked to stop while it began, when there was nothing to stop yet.
        if (stopped) await runner.stop()
        await runner.promise
      } catch (error) {
        if (!stopped) report('jobs', error)
      } finally {
        life.end()
      }
      started()
      if (!stopped) await sleep(RESTART_AFTER_MS, undefined, { ref: false })
    }
  }

  function every(duration_ms: number, what: () => Promise<void>): void {
    const turn = () => void what().catch((error: unknown) => report('jobs', error))
    timers.push(setInterval(turn, duration_ms).unref())
    turn()
  }

  return {
    start() {
      every(FREE_EVERY_MS, () => freeJobsOfTheDead(database))
      every(COUNT_EVERY_MS, async () => {
        counts = await countJobs(database)
      })
      if (app.clock.advance) every(ALIGN_EVERY_MS, () => alignJobs(database, app.clock.now()))
      return new Promise((started) => {
        working = keepRunning(started)
      })
    },

    async stop(deadline_ms = 10_000) {
      if (stopped) return
      stopped = true
      for (const timer of timers) clearInterval(timer)
      const done = async () => {
        // Refused when it has stopped by itself.
        await runner?.stop().catch(() => {})
        await working
        await pool.end()
      }
      await Promise.race([done(), sleep(deadline_ms, undefined, { ref: false })])
    },

    async runOnce() {
      if (app.clock.advance) await alignJobs(database, app.clock.now())
      const life = makeLife(pool)
      try {
        await runOnce({ ...optionsOf(life), concurrency: 1 })
      } finally {
        life.end()
      }
    },

    runPeriodic: everywhere,
    counts: () => counts,
  }
}
