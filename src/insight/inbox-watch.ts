/**
 * Tells open inboxes that something changed. This process's own commits come at once through `app.followUser`; what
 * another process or plain SQL has written is seen by asking for the versions of all open inboxes together,
 * a few times a second, one query per tenant. With no inbox open nothing is asked.
 */
import type { App } from '../app.ts'
import { systemActor } from '../system.ts'
import { loadInboxVersions } from './inbox-store.ts'

/** A change of another process has to show within a second. */
const ASK_EVERY_MS = 400

type Watched = { tenantId: string; userId: string; version(): number; changed(): void }

export type InboxWatch = {
  /** Calls `changed` whenever the inbox may differ from `version()`. Returns the end of it. */
  open(watched: Watched): () => void
}

/** Makes the watch of one process. */
export function makeInboxWatch(
  app: Pick<App, 'run' | 'followUser'>,
  report: (where: string, error: unknown) => void,
): InboxWatch {
  const tenants = new Map<string, Set<Watched>>()
  let timer: NodeJS.Timeout | undefined
  let is_asking = false

  async function ask(tenantId: string, open: ReadonlySet<Watched>): Promise<void> {
    const users = [...new Set([...open].map((each) => each.userId))]
    const rows = await app.run(systemActor(tenantId), (tx) => loadInboxVersions(tx, users), undefined)
    const versions = new Map(rows.map((row) => [row.user_id, row.version]))
    for (const each of open) if ((versions.get(each.userId) ?? 0) !== each.version()) each.changed()
  }

  async function askAll(): Promise<void> {
    // A database that is slow is not asked a second time meanwhile.
    if (is_asking) return
    is_asking = true
    try {
      for (const [tenantId, open] of tenants) await ask(tenantId, open)
    } catch (error) {
      report('inbox-watch', error)
    } finally {
      is_asking = false
    }
  }

  return {
    open(watched) {
      const { tenantId, userId } = watched
      const open = tenants.get(tenantId) ?? new Set()
      tenants.set(tenantId, open.add(watched))
      const unfollow = app.followUser(tenantId, userId, () => watched.changed())
      timer ??= setInterval(() => void askAll(), ASK_EVERY_MS).unref()
      return () => {
        unfollow()
        open.delete(watched)
        if (open.size === 0 && tenants.get(tenantId) === open) tenants.delete(tenantId)
        if (tenants.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
  }
}
