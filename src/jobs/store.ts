/** The queue's tables, as far as we touch them: adding and taking back through our two functions, upkeep as the owner. */
import type { PoolClient } from 'pg'
import type { Database } from '../db/pool.ts'
import type { Tx } from '../db/tx.ts'

export type NewJob = {
  task: string
  data: unknown
  due_at: Date
  job_key: string | null
  attempts_max: number
  keeps_due_at: boolean
}

/** Adds a job of the actor's tenant; it exists when, and only when, the transaction commits. */
export async function insertJob(tx: Tx, job: NewJob): Promise<void> {
  await tx.rows(
    'select add_job($1, $2, $3, $4, $5, $6, $7)',
    [job.task, JSON.stringify(job.data), job.due_at, tx.now, job.job_key, job.attempts_max, job.keeps_due_at],
    'add_job',
  )
}

/** Takes a job back. One that runs already runs to its end, and is not repeated. */
export async function deleteJob(tx: Tx, task: string, job_key: string): Promise<void> {
  await tx.rows('select drop_job($1, $2)', [task, job_key], 'drop_job')
}

/** Takes the lock that a living pool of workers holds for as long as its session lasts. */
export async function takeLifeLock(session: PoolClient, pool_id: string): Promise<void> {
  await session.query(`select pg_advisory_lock(hashtextextended('livedraw/jobs/' || $1, 0))`, [pool_id])
}

/**
 * Frees the jobs of pools that no longer live: their session ended, so their lock is free. The queue itself would wait
 * four hours, because it cannot tell a dead worker from a slow one.
 */
export async function freeJobsOfTheDead(database: Pick<Database, 'query'>): Promise<void> {
  await database.query(
    `with holders as materialized (
       select distinct locked_by from graphile_worker.jobs where locked_by is not null
     )
     select graphile_worker.force_unlock_workers(array(
       select locked_by from holders
       where pg_try_advisory_xact_lock(hashtextextended('livedraw/jobs/' || locked_by, 0))))`,
  )
}

/** Puts waiting jobs where a clock that was moved by a test says they are. */
export async function alignJobs(database: Pick<Database, 'query'>, now: Date): Promise<void> {
  await database.query(
    `update graphile_worker._private_jobs
     set run_at = now() + ((payload ->> 'due_at')::timestamptz - $1)
     where attempts = 0 and locked_at is null and payload ->> 'due_at' is not null`,
    [now],
  )
}

export type QueueCounts = { waiting: number; late: number; failed: number }

/** How many jobs wait for their time, are past it, and were given up. */
export async function countJobs(database: Pick<Database, 'query'>): Promise<QueueCounts> {
  const [row] = await database.query<QueueCounts>(
    `select count(*) filter (where attempts < max_attempts and run_at > now())::int as waiting,
            count(*) filter (where attempts < max_attempts and run_at <= now())::int as late,
            count(*) filter (where attempts >= max_attempts and locked_at is null)::int as failed
     from graphile_worker.jobs`,
  )
  return row!
}
