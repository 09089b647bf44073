/**
 * Signed checkpoints of each tenant's log (fair-1.md section 11): made before anything depends on a commitment,
 * and soon after the log has grown otherwise.
 */
import type { App } from '../app.ts'
import { type Tx, together, type UseCase } from '../db/tx.ts'
import { toHex } from '../fairness/bytes.ts'
import { rootOf, type TreeState } from '../fairness/merkle.ts'
import { NODE_HASH } from '../node-hash.ts'
import { systemActor } from '../system.ts'
import { growTree, readTree } from './log.ts'
import { type CheckpointRow, insertCheckpoint, loadLastCheckpoint, loadLogSize } from './store.ts'

/** Spins may be checkpointed up to 5 s later; half of it leaves room for a slow commit. */
const QUIET_MS_MAX = 2_500

export type Checkpoints = {
  /** A checkpoint that covers everything committed before this call. */
  make(tenantId: string): Promise<CheckpointRow>
  /** The newest note this process knows of. */
  latest(tenantId: string): string | undefined
  /** Calls back with each new note. Returns the end of it. */
  follow(tenantId: string, follower: (note: string) => void): () => void
  /** Ends the timers, after a last checkpoint for what is waiting. */
  stop(): Promise<void>
}

/** The log's name in its checkpoints. */
export const originOf = (tenantId: string): string => `livedraw/${tenantId}`

type Work = { running: Promise<CheckpointRow>; next?: Promise<CheckpointRow> }

export function makeCheckpoints(app: App, report: (where: string, error: unknown) => void): Checkpoints {
  const trees = new Map<string, TreeState>()
  const notes = new Map<string, string>()
  const followers = new Map<string, Set<(note: string) => void>>()
  const work = new Map<string, Work>()
  const timers = new Map<string, NodeJS.Timeout>()
  let stopped = false

  const checkpoint: UseCase<undefined, { row: CheckpointRow; tree: TreeState }> = async (tx) => {
    const [size, last] = await together(loadLogSize(tx), loadLastCheckpoint(tx))
    const known = trees.get(tx.actor.tenantId)
    const base = known !== undefined && known.size <= size ? known : await readTree(tx, last?.log_size ?? 0)
    const tree = await growTree(tx, base, size)
    if (last?.log_size === size) return { row: last, tree }
    const row = signed(tx, tree)
    tx.awaitBeforeCommit(insertCheckpoint(tx, row))
    return { row, tree }
  }

  async function run(tenantId: string): Promise<CheckpointRow> {
    const { row, tree } = await app.run(systemActor(tenantId), checkpoint, undefined)
    trees.set(tenantId, tree)
    if (notes.get(tenantId) !== row.note) {
      notes.set(tenantId, row.note)
      for (const follower of followers.get(tenantId) ?? []) follower(row.note)
    }
    return row
  }

  /** Callers that come while one is being made share the one after it: theirs may not be covered by the first. */
  function make(tenantId: string): Promise<CheckpointRow> {
    clearTimeout(timers.get(tenantId))
    timers.delete(tenantId)
    const current = work.get(tenantId)
    if (current === undefined) {
      const running = run(tenantId).finally(() => finish(tenantId))
      work.set(tenantId, { running })
      return running
    }
    current.next ??= current.running
      .then(noop, noop)
      .then(() => run(tenantId))
      .finally(() => finish(tenantId))
    return current.next
  }

  function finish(tenantId: string): void {
    const next = work.get(tenantId)?.next
    if (next === undefined) work.delete(tenantId)
    else work.set(tenantId, { running: next })
  }

  app.followLog((tenantId) => {
    if (stopped || timers.has(tenantId)) return
    const timer = setTimeout(() => {
      timers.delete(tenantId)
      make(tenantId).catch((error: unknown) => report('checkpoint', error))
    }, QUIET_MS_MAX)
    timers.set(tenantId, timer.unref())
  })

  return {
    make,
    latest: (tenantId) => notes.get(tenantId),
    follow(tenantId, follower) {
      const group = followers.get(tenantId) ?? new Set()
      followers.set(tenantId, group.add(follower))
      return () => {
        group.delete(follower)
        if (group.size === 0) followers.delete(tenantId)
      }
    },
    async stop() {
      stopped = true
      await Promise.allSettled([...timers.keys()].map(make))
      await Promise.allSettled([...work.values()].map((each) => each.next ?? each.running))
    },
  }
}

const noop = (): void => {}

function signed(tx: Tx, tree: TreeState): CheckpointRow {
  const root = rootOf(tree, NODE_HASH)
  return {
    log_size: tree.size,
    root: toHex(root),
    note: tx.keys.signCheckpoint({ origin: originOf(tx.actor.tenantId), size: tree.size, root }),
  }
}
