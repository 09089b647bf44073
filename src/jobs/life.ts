/** Whether a pool of workers lives, as other processes see it: a lock on a session of its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { takeLifeLock } from './store.ts'

const AGAIN_MS = 500

export type Life = {
  /** Resolves when the lock of this pool of workers is held; it is taken again when its session is lost. */
  hold(pool_id: string): Promise<void>
  end(): void
}

export function makeLife(pool: Pool): Life {
  const held = new Map<string, Promise<void>>()
  const sessions = new Set<PoolClient>()
  let ended = false

  async function take(pool_id: string): Promise<void> {
    while (!ended) {
      try {
        const session = await pool.connect()
        try {
          await takeLifeLock(session, pool_id)
        } catch (error) {
          session.release(true)
          throw error
        }
        if (ended) return session.release(true)
        sessions.add(session)
        session.once('end', () => {
          if (!sessions.delete(session)) return
          session.release(true)
          void take(pool_id)
        })
        return
      } catch {
        // The database is away, which the workers report as well; without the lock they would be taken for dead.
        await sleep(AGAIN_MS, undefined, { ref: false })
      }
    }
  }

  return {
    hold(pool_id) {
      const holding = held.get(pool_id) ?? take(pool_id)
      held.set(pool_id, holding)
      return holding
    },
    end() {
      ended = true
      const all = [...sessions]
      sessions.clear()
      for (const session of all) session.release(true)
    },
  }
}
