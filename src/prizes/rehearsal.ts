/**
 * A definition tried on an order before anybody has won it: "Test prize conditions before going live" (seeds/002, S2-57).
 * The same rules as of a prize that was issued today and opened; nothing is written.
 */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { type Conditions, factsOf, type OrderFacts, type Prize, reasonView } from './conditions.ts'
import type { PrizeType } from './discount.ts'
import { loadPrizes } from './grant-store.ts'
import { readTerms } from './policy.ts'
import { stack } from './stacking.ts'

type Rehearsal = {
  prize_id: number
  at: Date | null
  order: OrderFacts & { customer_order_count?: number | null | undefined }
}

/** What a prize of this definition would say to an order, and its whole calculation. Refuses not_found, invalid_input. */
export async function tryDefinition(tx: Tx, { prize_id, at, order }: Rehearsal) {
  const [row] = await loadPrizes(tx, [prize_id])
  if (row === undefined) refuse('not_found')
  const { currency, time_zone, policy, policy_version } = await readTerms(tx)
  const { customer_order_count = null, ...given } = order
  const facts = factsOf(given, { currency, order_id: null, customer_order_count })
  const prize: Prize = {
    type: row.type as PrizeType,
    value: row.value,
    conditions: row.conditions as Conditions,
    is_winner: true,
    prize_status: 'unlocked',
    expires_at: null,
    grace_hours: 0,
    restraints: [],
  }
  const alone = { facts, policy: policy.stacking, policy_version }
  const candidate = { play_id: 0, category: prize.type, prize }
  const { applied, refused } = stack([candidate], alone, at ?? tx.now, time_zone)
  const details = applied[0]?.discount.details
  return {
    success: true,
    data: {
      valid: details !== undefined,
      reasons: refused.flatMap(({ reasons }) => reasons.map(reasonView)),
      discount_amount: details?.discount_amount ?? null,
      final_amount: details?.final_amount ?? null,
      application_type: prize.type,
      calculation: details?.calculation ?? null,
    },
  }
}
