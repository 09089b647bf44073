/**
 * What a tenant has chosen for its wallet: how long prizes live, how they go together on an order, how long a hold lasts,
 * how long a prize lives that comes back. Versions stay, and every application names the one that it followed.
 */
import { z } from 'zod'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import type { IfMatch } from '../http/resource.ts'
import { withoutFractions } from '../http/strict-json.ts'
import { EXPIRES_IN_DAYS } from './issue.ts'
import { insertPolicy, loadPolicies, type PolicyRow } from './policy-store.ts'
import { stackingPolicySchema } from './stacking.ts'
import { loadTerms, type TermsRow } from './store.ts'

/** What the column holds. */
export const VERSION_MAX = 2_147_483_647
/** A day: a checkout that takes longer is none. */
const HOLD_MINUTES_MAX = 1_440
/** A month. */
const RETURNED_HOURS_MAX = 744
const EXPIRES_DAYS_MAX = 3_650

export const walletPolicySchema = z.strictObject({
  stacking: stackingPolicySchema.prefault({}),
  /** How long a prize is held for a checkout, at most; a request may ask for less. */
  hold_minutes: z.int().min(1).max(HOLD_MINUTES_MAX).default(15),
  /** A prize that comes back from a cancelled order lives at least this long; 0 leaves its expiry as it was. */
  returned_prize_hours: z.int().min(0).max(RETURNED_HOURS_MAX).default(0),
  /** How long a prize lives whose definition does not say it (S2-39). What was issued keeps its own. */
  prize_expires_in_days: z.int().min(1).max(EXPIRES_DAYS_MAX).default(EXPIRES_IN_DAYS),
})

export type WalletPolicy = z.infer<typeof walletPolicySchema>

/** The policy of a tenant that has chosen nothing: version 0. */
export const POLICY_DEFAULT: WalletPolicy = walletPolicySchema.parse({})

/** What amounts, hours and prizes mean in this tenant. */
export type Terms = Pick<TermsRow, 'currency' | 'time_zone' | 'policy_version'> & { policy: WalletPolicy }

export async function readTerms(tx: Tx): Promise<Terms> {
  const { policy, ...rest } = await loadTerms(tx)
  return { ...rest, policy: policy === null ? POLICY_DEFAULT : walletPolicySchema.parse(policy) }
}

/** The policy in force; version 0 are the defaults. */
export async function readPolicy(tx: Tx) {
  const [newest] = await loadPolicies(tx, VERSION_MAX, 1)
  return newest === undefined
    ? { ...POLICY_DEFAULT, row_version: 0, changed_by: null, created_at: null }
    : policyView(newest)
}

/** Versions before one, newest first, at most `limit` + 1. */
export async function listPolicies(tx: Tx, { before, limit }: { before: number; limit: number }) {
  return (await loadPolicies(tx, before, limit + 1)).map(policyView)
}

/** Puts a policy in force as the next version. Refuses precondition_failed when another one is in force than was read. */
export async function changePolicy(
  tx: Tx,
  { policy, versions }: { policy: WalletPolicy; versions: IfMatch },
) {
  const { row_version, changed_by: _by, created_at: _at, ...old_policy } = await readPolicy(tx)
  if (versions !== '*' && !versions.includes(row_version))
    refuse('precondition_failed', { facts: { row_version } })
  const row = (await insertPolicy(tx, row_version + 1, policy)) ?? refuse('precondition_failed')
  tx.audit({
    action: 'update',
    entity_type: 'wallet_policy',
    old_values: withoutFractions({ version: row_version, ...old_policy }),
    new_values: withoutFractions({ version: row.version, ...policy }),
  })
  return policyView(row)
}

function policyView({ version, policy, changed_by, created_at }: PolicyRow) {
  return { ...walletPolicySchema.parse(policy), row_version: version, changed_by, created_at }
}
