/** The odds simulator: what a wheel would do and cost, before anybody plays it (P-02). Pure but for its rolls. */

import { context } from '../../fairness/rolls.ts'
import { type Fit, fitOf } from '../../insight/statistics.ts'
import { prepareKey, spinIndex, weightTable } from '../../node-hash.ts'
import { awardOf, type Supply, shareText, type WheelConfig } from './rules.ts'

export type SimulatedPrize = { id: number; cost_minor: number; left: number | null }

export type SimulatedReward = {
  reward_slug: string
  label: string
  share: string
  expected: string
  rolled: number
  awarded: number
  runs_out_after: number | null
}

/** The fit compares rolled counts with exact expectations. */
export type Simulation = Fit & {
  spins: number
  rewards: SimulatedReward[]
  cost_minor: number
  cost_minor_per_10000_spins: number
  expected_cost_minor_per_10000_spins: number
  budget_runs_out_after: number | null
}

/** A million spins take about two seconds; the loop gives way every so often. */
export const SIMULATED_SPINS_MAX = 1_000_000
const SLICE = 5_000

/**
 * Spins a config `spins` times with the real outcome function, supply included. `seed` is 32 bytes made for this
 * run alone; the same seed gives the same answer. Costs are minor units.
 */
export async function simulateWheel(
  config: WheelConfig,
  prizes: readonly SimulatedPrize[],
  spins: number,
  seed: Uint8Array,
): Promise<Simulation> {
  const key = prepareKey(seed)
  const odds = weightTable(config.segments.map((segment) => segment.weight))
  const supply: Supply = {
    stock_left: new Map(prizes.map(({ id, left }) => [id, left])),
    cost_minor: new Map(prizes.map(({ id, cost_minor }) => [id, cost_minor])),
    budget_left_minor: config.budget_minor,
    wins_of_user: new Map(),
  }
  const rolled = config.segments.map(() => 0)
  const awarded = new Map<string, number>()
  const ranOut = new Map<string, number>()
  let cost_minor = 0
  let budget_runs_out_after: number | null = null

  for (let spin = 0; spin < spins; spin++) {
    if (spin % SLICE === SLICE - 1) await new Promise((resolve) => setImmediate(resolve))
    const { index } = spinIndex(key, context('wheel', ['0'.repeat(64), '-', spin, '-']), odds)
    rolled[index]! += 1
    // Each simulated spin is a player of its own: a limit per user says nothing about strangers.
    supply.wins_of_user = new Map()
    const segment = config.segments[index]!
    const award = awardOf(config, segment, supply)
    if (award.segment === null) {
      if (award.status === 'exhausted') noteShortage(segment.id, segment.prize_id!)
      continue
    }
    if (award.status === 'substituted') noteShortage(segment.id, segment.prize_id!)
    awarded.set(award.segment.id, (awarded.get(award.segment.id) ?? 0) + 1)
    cost_minor += supply.cost_minor.get(award.segment.prize_id!) ?? 0

    function noteShortage(slug: string, prize_id: number): void {
      if (supply.stock_left.get(prize_id) === 0) ranOut.set(slug, ranOut.get(slug) ?? spin)
      else budget_runs_out_after ??= spin
    }
  }

  const expected = config.segments.map((segment) => (segment.weight * spins) / odds.total)
  const expectedCost = config.segments.reduce(
    (sum, segment) =>
      sum + (segment.prize_id === null ? 0 : segment.weight * (supply.cost_minor.get(segment.prize_id) ?? 0)),
    0,
  )
  return {
    spins,
    rewards: config.segments.map((segment, i) => ({
      reward_slug: segment.id,
      label: segment.label,
      share: shareText(segment.weight, odds.total),
      expected: expected[i]!.toFixed(2),
      rolled: rolled[i]!,
      awarded: awarded.get(segment.id) ?? 0,
      runs_out_after: ranOut.get(segment.id) ?? null,
    })),
    ...fitOf(rolled, odds.weights),
    cost_minor,
    cost_minor_per_10000_spins: Math.round((cost_minor * 10_000) / spins),
    expected_cost_minor_per_10000_spins: Math.round((expectedCost * 10_000) / odds.total),
    budget_runs_out_after,
  }
}
