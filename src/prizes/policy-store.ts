/** Statements over the versions of a tenant's wallet policy. */
import type { Tx } from '../db/tx.ts'

export type PolicyRow = { version: number; policy: unknown; changed_by: string; created_at: Date }

/** What the policy in force says about prizes whose definition says no days; null where nobody chose. For other statements. */
export const POLICY_DAYS = `(select (w.policy->>'prize_expires_in_days')::int from wallet_policies w order by w.version desc limit 1)`

/** Versions before this one, newest first. */
export function loadPolicies(tx: Tx, before_version: number, limit: number) {
  return tx.rows<PolicyRow>(
    'select version, policy, changed_by, created_at from wallet_policies where version < $1 order by version desc limit $2',
    [before_version, limit],
  )
}

/** Writes the next version. Undefined when somebody has written it first. */
export function insertPolicy(tx: Tx, version: number, policy: unknown) {
  return tx.one<PolicyRow>(
    `insert into wallet_policies (version, policy, changed_by, created_at) values ($1, $2, $3, $4)
     on conflict do nothing returning version, policy, changed_by, created_at`,
    [version, JSON.stringify(policy), tx.actor.userId, tx.now],
  )
}
