/**
 * Group commit: requests that arrive while a lane is busy become its next transaction. No timer, so a lone
 * request waits for nobody; under load one commit serves up to 256. Measured beside its baselines in `bench/`.
 */
import { isUnavailable, Refusal } from '../errors.ts'

/** What a batch says about one of its members. A refusal of one member leaves the others alone. */
export type Verdict<O> = { answer: O } | { refusal: Refusal }

export type BatchOptions<I, O> = {
  /** One transaction for all items, in order. Throws only when nothing was written. */
  run(tenantId: string, items: readonly I[]): Promise<Verdict<O>[]>
  lane_count?: number
  batch_size_max?: number
  waiting_max?: number
}

export type Batcher<I, O> = {
  /** Queues an item. Items with the same `laneKey` (a player) keep their order. */
  submit(tenantId: string, laneKey: string, item: I): Promise<O>
  stats(): { waiting: number; busy_lanes: number; batches: number; items: number; singly: number }
}

/** One works in PostgreSQL while the other gathers. More only queue at the heads that all transactions of a tenant share. */
const LANE_COUNT = 2
/** Past it a commit grows longer without getting cheaper per member (measured at 64, 256 and 1,024). */
const BATCH_SIZE_MAX = 256
/** Two seconds of work at the measured rate; past it a caller is better served by a quick refusal. */
const WAITING_MAX = 20_000

type Waiting<I, O> = { item: I; resolve(answer: O): void; reject(error: unknown): void }

/** One lane: a queue per tenant, served in turn, so that one tenant's flood does not starve another. */
type Lane<I, O> = { busy: boolean; scheduled: boolean; queues: Map<string, Waiting<I, O>[]> }

/** Makes a batcher. Refuses `unavailable` when `waiting_max` items wait. */
export function makeBatcher<I, O>(options: BatchOptions<I, O>): Batcher<I, O> {
  const { run, lane_count = LANE_COUNT, batch_size_max = BATCH_SIZE_MAX, waiting_max = WAITING_MAX } = options
  const lanes: Lane<I, O>[] = Array.from({ length: lane_count }, () => ({
    busy: false,
    scheduled: false,
    queues: new Map(),
  }))
  const counts = { waiting: 0, batches: 0, items: 0, singly: 0 }

  function schedule(lane: Lane<I, O>): void {
    if (lane.busy || lane.scheduled || lane.queues.size === 0) return
    lane.scheduled = true
    // One turn of the loop gathers what came with the same read of the sockets.
    setImmediate(() => {
      lane.scheduled = false
      void serve(lane)
    })
  }

  function take(lane: Lane<I, O>): { tenantId: string; members: Waiting<I, O>[] } | undefined {
    const next = lane.queues.entries().next()
    if (next.done) return undefined
    const [tenantId, queue] = next.value
    const members = queue.splice(0, batch_size_max)
    // Back to the end of the line, so that tenants take turns.
    lane.queues.delete(tenantId)
    if (queue.length > 0) lane.queues.set(tenantId, queue)
    counts.waiting -= members.length
    return { tenantId, members }
  }

  async function serve(lane: Lane<I, O>): Promise<void> {
    const taken = take(lane)
    if (taken === undefined) return
    lane.busy = true
    try {
      await settle(lane, taken.tenantId, taken.members)
    } finally {
      lane.busy = false
      schedule(lane)
    }
  }

  async function settle(lane: Lane<I, O>, tenantId: string, members: Waiting<I, O>[]): Promise<void> {
    counts.batches++
    counts.items += members.length
    let verdicts: Verdict<O>[]
    try {
      verdicts = await run(
        tenantId,
        members.map((member) => member.item),
      )
      if (verdicts.length !== members.length) throw new Error('a batch must answer each of its members')
    } catch (error) {
      if (isUnavailable(error)) return giveUp(lane, members, error)
      if (members.length === 1) return members[0]!.reject(error)
      // One bad member must not harm the others: nothing was written, so each is run alone.
      counts.singly += members.length
      for (const member of members) await settle(lane, tenantId, [member])
      return
    }
    members.forEach((member, i) => {
      const verdict = verdicts[i]!
      if ('answer' in verdict) member.resolve(verdict.answer)
      else member.reject(verdict.refusal)
    })
  }

  /** A database that cannot serve one cannot serve the next: whoever waits behind would wait as long again. */
  function giveUp(lane: Lane<I, O>, members: Waiting<I, O>[], error: unknown): void {
    const waiting = [...lane.queues.values()].flat()
    lane.queues.clear()
    counts.waiting -= waiting.length
    for (const member of [...members, ...waiting]) member.reject(error)
  }

  return {
    submit(tenantId, laneKey, item) {
      if (counts.waiting >= waiting_max)
        return Promise.reject(new Refusal('unavailable', { retry_after_s: 1 }))
      const lane = lanes[laneOf(laneKey, lane_count)]!
      return new Promise<O>((resolve, reject) => {
        const queue = lane.queues.get(tenantId)
        if (queue) queue.push({ item, resolve, reject })
        else lane.queues.set(tenantId, [{ item, resolve, reject }])
        counts.waiting++
        schedule(lane)
      })
    },
    stats: () => ({ ...counts, busy_lanes: lanes.filter((lane) => lane.busy).length }),
  }
}

/** FNV-1a: spreads user ids evenly and keeps one user on one lane. */
function laneOf(key: string, lane_count: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % lane_count
}
