/** The simulator on a wheel's rows as they are now, before they are published. */
import { randomBytes } from 'node:crypto'
import type { App } from '../../app.ts'
import type { Actor } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { draftConfig } from './publish.ts'
import { type Simulation, simulateWheel } from './simulate.ts'
import { loadRewards, loadWheel } from './store.ts'

/** Reads in one transaction and spins outside it. Refuses game_not_found, wheel_not_ready, probabilities_incomplete. */
export async function simulateWheelOf(
  app: App,
  actor: Actor,
  game: string,
  spins: number,
): Promise<Simulation> {
  const { config, prizes } = await app.run(
    actor,
    async (tx) => {
      const wheel = (await loadWheel(tx, game)) ?? refuse('game_not_found')
      const rewards = await loadRewards(tx, wheel.id)
      const distinct = new Map(
        rewards.flatMap((r) =>
          r.prize_id === null
            ? []
            : [
                [
                  r.prize_id,
                  { id: r.prize_id, cost_minor: r.prize_cost_minor ?? 0, left: r.prize_left },
                ] as const,
              ],
        ),
      )
      const config = draftConfig(wheel, rewards)
      // Stock is simulated from what is left of it, and so is the budget.
      if (config.budget_minor !== null) config.budget_minor -= wheel.budget_spent_minor
      return { config, prizes: [...distinct.values()] }
    },
    undefined,
  )
  return simulateWheel(config, prizes, spins, randomBytes(32))
}
