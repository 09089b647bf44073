/** Moves things on when they are due, tenant by tenant. Any process may run it: each move locks its row first. */
import type { Directory } from './tenants/directory.ts'

export type Keeper = { stop(): Promise<void> }

/** New tenants are noticed this soon, and a tenant whose work failed is tried again. */
const TENANTS_EVERY_MS = 1_000

/**
 * Starts a keeper, beginning with everything that fell due while no server ran. `advance` makes every step of a tenant
 * that is due and answers when to look again, in milliseconds.
 */
export function keep(
  name: string,
  advance: (tenantId: string) => Promise<number>,
  directory: Directory,
  report: (where: string, error: unknown) => void,
): Keeper {
  const kept = new Map<string, { timer?: NodeJS.Timeout; working?: Promise<void> }>()
  let stopped = false

  async function work(tenantId: string): Promise<number> {
    try {
      return await advance(tenantId)
    } catch (error) {
      report(name, error)
      return TENANTS_EVERY_MS
    }
  }

  function tick(tenantId: string): void {
    const entry = kept.get(tenantId)
    if (stopped || entry === undefined) return
    entry.working = work(tenantId).then((again_ms) => {
      if (!stopped && kept.has(tenantId)) entry.timer = setTimeout(() => tick(tenantId), again_ms).unref()
    })
  }

  async function look(): Promise<void> {
    const active = (await directory.all()).filter((tenant) => tenant.is_active).map((tenant) => tenant.id)
    for (const id of kept.keys()) if (!active.includes(id)) kept.delete(id)
    for (const id of active) {
      if (kept.has(id)) continue
      kept.set(id, {})
      tick(id)
    }
  }

  const looking = setInterval(
    () => void look().catch((error: unknown) => report(name, error)),
    TENANTS_EVERY_MS,
  ).unref()
  void look().catch((error: unknown) => report(name, error))

  return {
    async stop() {
      stopped = true
      clearInterval(looking)
      for (const entry of kept.values()) clearTimeout(entry.timer)
      await Promise.all([...kept.values()].map((entry) => entry.working))
    },
  }
}
