/**
 * Durable jobs: work that happens later, on any process, at least once, if and only if the transaction that asked for it
 * commits. A kind is a name with the shape of its payload; who does it stands in the registry of tasks (runner.ts).
 */
import type { z } from 'zod'
import type { Actor, Tx } from '../db/tx.ts'
import { deleteJob, insertJob } from './store.ts'

export type JobKind<S extends z.ZodType = z.ZodType> = {
  /** Stored with the jobs: renaming it orphans those that wait. */
  readonly name: string
  readonly payload: S
  readonly attempts_max: number
}

/** After this many attempts, over about three days, a job is given up and stays in the queue to be looked at. */
const ATTEMPTS_MAX = 25

/** Declares a kind of job. Its name is its area and what it does: `webhooks.deliver`. */
export function jobKind<S extends z.ZodType>(
  name: string,
  payload: S,
  { attempts_max = ATTEMPTS_MAX }: { attempts_max?: number } = {},
): JobKind<S> {
  return { name, payload, attempts_max }
}

export type JobOptions = {
  /** An instant of the transaction's clock; default now. */
  run_at?: Date
  /** At most one waiting job of the tenant and kind has this key: a second one replaces the first. */
  job_key?: string
  /** With a job that waits under the key already: its time stays, only its payload is replaced. */
  keeps_run_at?: boolean
}

/** Adds a job of the actor's tenant in this transaction. Throws for a payload that is not the kind's: a bug of the caller. */
export async function addJob<S extends z.ZodType>(
  tx: Tx,
  kind: JobKind<S>,
  payload: z.input<S>,
  { run_at = tx.now, job_key, keeps_run_at = false }: JobOptions = {},
): Promise<void> {
  kind.payload.parse(payload)
  await insertJob(tx, {
    task: kind.name,
    data: payload,
    due_at: run_at,
    job_key: job_key ?? null,
    attempts_max: kind.attempts_max,
    keeps_due_at: keeps_run_at,
  })
}

/** Takes back the job that waits under a key, if there is one. */
export async function dropJob(tx: Tx, kind: JobKind, job_key: string): Promise<void> {
  await deleteJob(tx, kind.name, job_key)
}

/** What a handler knows beside its payload. */
export type JobContext = {
  /** From 1. */
  attempt: number
  attempts_max: number
  /** Aborted when the process stops and waits no longer. */
  signal: AbortSignal
}

export type Task = {
  readonly kind: JobKind
  readonly run: (actor: Actor, payload: any, context: JobContext) => Promise<void>
  /** When it is done for every active tenant, beside what was asked for. */
  readonly cron?: string
}

/**
 * Says who does a kind of job: for the tenant of `actor`, which is the system. It can be called twice for one job (the
 * process died before it could say that it was done), so what it does must bear repetition.
 */
export function task<S extends z.ZodType>(
  kind: JobKind<S>,
  run: (actor: Actor, payload: z.output<S>, context: JobContext) => Promise<void>,
): Task {
  return { kind, run }
}

/** A task that is done for every active tenant at the times of a cron pattern (`minute hour day month weekday`, UTC). */
export function periodic<S extends z.ZodType>(
  kind: JobKind<S>,
  cron: string,
  run: (actor: Actor, payload: z.output<S>, context: JobContext) => Promise<void>,
): Task {
  return { kind, run, cron }
}
