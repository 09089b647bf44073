/** Statements about tenants and blocked users, one function each. */
import type { Database } from '../db/pool.ts'
import type { Tx } from '../db/tx.ts'

/** What doors need to know about a tenant. */
export type TenantRow = {
  id: string
  tenant_code: string
  tenant_name: string
  is_active: boolean
  is_demo: boolean
  currency: string
  time_zone: string
  language_code: string
  idp_issuer: string | null
  idp_jwks_url: string | null
  idp_audience: string | null
}

/** All tenants that are not deleted, through the one function that may look across them. */
export function loadDirectory(database: Database): Promise<TenantRow[]> {
  return database.query<TenantRow>('select * from tenant_directory()')
}

/** Who is blocked in the tenant of this transaction. */
export function loadBlocked(tx: Tx): Promise<{ user_id: string; blocked_until: Date | null }[]> {
  return tx.rows('select user_id, blocked_until from blocked_users', [], 'load_blocked')
}
