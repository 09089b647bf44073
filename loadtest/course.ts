/** Runs the bots' threads beside the server's metrics and gathers what both say. */
import type { RecordableHistogram } from 'node:perf_hooks'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Api } from './api.ts'
import type { CrowdPlan } from './crowd.ts'
import type { Beat, FromBots, LogEntry } from './thread.ts'

/** One second of a run. */
export type Second = {
  at_s: number
  players: number
  spectators: number
  spins_per_s: number
  patches_per_s: number
  messages_per_s: number
  p50_ms: number
  p95_ms: number
  p99_ms: number
  errors: number
  server_loop_p99_ms: number
  server_rss_mb: number
  server_cpu: number
  generator_loop_p99_ms: number
}

/** What was measured, and what was seen by the names of `Evidence`. */
export type Course<Evidence = unknown> = {
  seconds: Second[]
  evidence: Evidence
  log: LogEntry[]
  latency: RecordableHistogram
  errors: Record<string, number>
  /** Refusals that belong to the game: whoever comes too late is told so. */
  refusals: Record<string, number>
  sent: number
  replied: number
  pauses: number
  join_ms: number
}

type Lists = Record<string, unknown[]>
type Done = Extract<FromBots<Lists>, { type: 'done' }>

type Thread = {
  worker: Worker
  beat: Beat | undefined
  joined: Promise<unknown>
  quiet: Promise<unknown>
  done: Promise<Done>
}

const EVERY_MS = 1_000

/** What is measured begins a moment before a game does. */
const LEAD_MS = 500

/**
 * Joins all bots, plays for the planned time, settles. `file` is the module of the threads; `show` gets each second as it
 * ends. A game that begins at a time is waited for.
 */
export async function runCourse<Evidence>(
  api: Api,
  file: string,
  plans: readonly CrowdPlan[],
  show: (second: Second | null, joined: number) => void,
  starts_at_ms = 0,
): Promise<Course<Evidence>> {
  const started = performance.now()
  const threads = plans.map((plan) => startThread(file, plan))
  try {
    const joining = setInterval(() => show(null, countOf(threads)), EVERY_MS)
    await Promise.all(threads.map(({ joined }) => joined)).finally(() => clearInterval(joining))
    const join_ms = performance.now() - started
    await sleep(Math.max(0, starts_at_ms - LEAD_MS - Date.now()))
    for (const { worker } of threads) worker.postMessage('start')
    const seconds: Second[] = []
    let is_over = false
    const watching = watch(api, threads, seconds, () => is_over, show)
    const ended = Promise.all(threads.map(({ quiet }) => quiet)).then(() => {
      for (const { worker } of threads) worker.postMessage('finish')
      return Promise.all(threads.map(({ done }) => done))
    })
    const done = await ended.finally(() => {
      is_over = true
    })
    await watching
    return { ...merged<Evidence>(done), ...lastBeats(threads), seconds, join_ms }
  } finally {
    await Promise.all(threads.map(({ worker }) => worker.terminate()))
  }
}

function startThread(file: string, plan: CrowdPlan): Thread {
  const worker = new Worker(new URL(file, import.meta.url), { workerData: plan })
  const until = <T extends FromBots<Lists>['type']>(type: T) =>
    new Promise<Extract<FromBots<Lists>, { type: T }>>((resolve, reject) => {
      worker.on('message', (message: FromBots<Lists>) => {
        if (message.type === type) resolve(message as Extract<FromBots<Lists>, { type: T }>)
      })
      worker.once('error', reject)
      worker.once('exit', (code) => reject(new Error(`a thread of bots ended with ${code}`)))
    })
  const thread: Thread = {
    worker,
    beat: undefined,
    joined: until('joined'),
    quiet: until('quiet'),
    done: until('done'),
  }
  // They are awaited in turn; a failure before that must not end the process.
  thread.joined.catch(() => {})
  thread.quiet.catch(() => {})
  thread.done.catch(() => {})
  worker.on('message', (message: FromBots<Lists>) => {
    if (message.type === 'beat') thread.beat = message.beat
  })
  return thread
}

const countOf = (threads: readonly Thread[]): number => sum(threads, (beat) => beat.players + beat.spectators)

const sum = (threads: readonly Thread[], of: (beat: Beat) => number): number =>
  threads.reduce((total, { beat }) => total + (beat === undefined ? 0 : of(beat)), 0)

const worst = (threads: readonly Thread[], of: (beat: Beat) => number): number =>
  Math.max(0, ...threads.map(({ beat }) => (beat === undefined ? 0 : of(beat))))

const errorsOf = (beat: Beat): number => Object.values(beat.errors).reduce((total, count) => total + count, 0)

type Totals = { at: number; replied: number; patches: number; messages: number; cpu_s: number }

/** Once a second: what the bots counted, and what the server says of itself. */
async function watch(
  api: Api,
  threads: readonly Thread[],
  seconds: Second[],
  isOver: () => boolean,
  show: (second: Second, joined: number) => void,
): Promise<void> {
  const started = performance.now()
  let before: Totals | undefined
  while (!isOver()) {
    // Reading resets the server's own delay histogram, so each second stands for itself.
    const metrics = await api.metrics().catch(() => new Map<string, number>())
    const now: Totals = {
      at: performance.now(),
      replied: sum(threads, (beat) => beat.replied),
      patches: sum(threads, (beat) => beat.patches),
      messages: sum(threads, (beat) => beat.messages),
      cpu_s: metrics.get('process_cpu_seconds_total') ?? 0,
    }
    if (before !== undefined) {
      const took_s = (now.at - before.at) / 1_000
      const rate = (key: keyof Totals) => round((now[key] - before![key]) / took_s)
      const second: Second = {
        at_s: round((now.at - started) / 1_000),
        players: sum(threads, (beat) => beat.players),
        spectators: sum(threads, (beat) => beat.spectators),
        spins_per_s: rate('replied'),
        patches_per_s: rate('patches'),
        messages_per_s: rate('messages'),
        p50_ms: worst(threads, (beat) => beat.p50_ms),
        p95_ms: worst(threads, (beat) => beat.p95_ms),
        p99_ms: worst(threads, (beat) => beat.p99_ms),
        errors: sum(threads, errorsOf),
        server_loop_p99_ms: round(metrics.get('livedraw_event_loop_p99_ms') ?? 0),
        server_rss_mb: round((metrics.get('process_resident_memory_bytes') ?? 0) / 2 ** 20),
        server_cpu: Math.round(((now.cpu_s - before.cpu_s) / took_s) * 100) / 100,
        generator_loop_p99_ms: worst(threads, (beat) => beat.loop_p99_ms),
      }
      seconds.push(second)
      show(second, second.players + second.spectators)
    }
    before = now
    const rest_ms = EVERY_MS - (performance.now() - now.at)
    if (rest_ms > 0) await sleep(rest_ms)
  }
}

/** The lists of all threads as one, name by name. */
function merged<Evidence>(done: readonly Done[]) {
  const latency = createHistogram()
  const evidence: Lists = {}
  for (const part of done) {
    latency.add(part.latency)
    for (const [name, list] of Object.entries(part.evidence)) {
      evidence[name] ??= []
      for (const each of list) evidence[name].push(each)
    }
  }
  const log = done.find((part) => part.log.length > 0)?.log ?? []
  const pauses = done.reduce((total, part) => total + part.pauses, 0)
  return { evidence: evidence as Evidence, latency, log, pauses }
}

function lastBeats(threads: readonly Thread[]) {
  const counted = (of: (beat: Beat) => Record<string, number>) => {
    const counts: Record<string, number> = {}
    for (const { beat } of threads)
      for (const [code, count] of Object.entries(beat === undefined ? {} : of(beat)))
        counts[code] = (counts[code] ?? 0) + count
    return counts
  }
  return {
    errors: counted((beat) => beat.errors),
    refusals: counted((beat) => beat.refusals),
    sent: sum(threads, (beat) => beat.sent),
    replied: sum(threads, (beat) => beat.replied),
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
