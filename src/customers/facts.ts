/** Facts about customers that the order system tells beforehand, so that no request has to repeat them (S2-35, S2-36). */
import { isDeepStrictEqual } from 'node:util'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { loadFacts, loadFactsOf, putFacts } from './store.ts'

export type FactsInput = {
  user_id: string
  order_count: number
  /** The groups that the customer is in; null leaves those that are known. */
  segments: string[] | null
  source_version: number
}

/**
 * Takes what a source says, unless something newer is known: messages may overtake each other and come twice. Answers
 * what is known now; `is_current` says whether it is what was told.
 */
export async function tellFacts(tx: Tx, input: FactsInput) {
  const taken = await putFacts(tx, input)
  if (taken === undefined) {
    const known = (await loadFacts(tx, input.user_id))!
    const is_current =
      known.source_version === input.source_version &&
      known.order_count === input.order_count &&
      (input.segments === null || isDeepStrictEqual(known.segments, input.segments))
    return { ...known, is_current }
  }
  tx.audit({ action: 'tell', entity_type: 'customer_facts', new_values: { ...input } })
  return { ...taken, is_current: true }
}

/** What is known of a customer. Refuses not_found. */
export async function readFacts(tx: Tx, { user_id }: { user_id: string }) {
  return (await loadFacts(tx, user_id)) ?? refuse('not_found')
}

/** How many orders these customers have completed, of those that the order system told of. */
export async function toldOrderCounts(tx: Tx, user_ids: readonly string[]): Promise<Map<string, number>> {
  return new Map((await loadFactsOf(tx, user_ids)).map((row) => [row.user_id, row.order_count]))
}
