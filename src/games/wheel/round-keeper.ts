/** Moves shared spins on when they are due. Any process may run it: each move locks the round's row first. */
import type { Directory } from '../../tenants/directory.ts'
import type { Wheel } from './wheel.ts'

export type RoundKeeper = { stop(): Promise<void> }

/** New tenants are noticed this soon. */
const TENANTS_EVERY_MS = 1_000

/** Starts the keeper, beginning with everything that fell due while no server ran. */
export function keepRounds(
  wheel: Wheel,
  directory: Directory,
  report: (where: string, error: unknown) => void,
): RoundKeeper {
  const kept = new Map<string, { timer?: NodeJS.Timeout; working?: Promise<void> }>()
  let stopped = false

  async function work(tenantId: string): Promise<number> {
    try {
      return await wheel.advanceRounds(tenantId)
    } catch (error) {
      report('rounds', error)
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
    () => void look().catch((error: unknown) => report('rounds', error)),
    TENANTS_EVERY_MS,
  ).unref()
  void look().catch((error: unknown) => report('rounds', error))

  return {
    async stop() {
      stopped = true
      clearInterval(looking)
      for (const entry of kept.values()) clearTimeout(entry.timer)
      await Promise.all([...kept.values()].map((entry) => entry.working))
    },
  }
}
