/**
 * Which tenant a code, an issuer or an id means. One snapshot of all tenants, at most two seconds old, so that
 * unknown names cost no query and a tenant that is switched off is off within that time.
 */
import type { Database } from '../db/pool.ts'
import { loadDirectory, type TenantRow } from './store.ts'

export type { TenantRow } from './store.ts'

export type Directory = {
  byCode(code: string): Promise<TenantRow | undefined>
  byIssuer(issuer: string): Promise<TenantRow | undefined>
  byId(id: string): Promise<TenantRow | undefined>
  all(): Promise<readonly TenantRow[]>
  /** The next question reads again: for the process that has just changed a tenant. */
  forget(): void
}

/** Issue 2 and reliability 4.3: a tenant that is switched off, or a user that is blocked, is out this soon. */
export const FRESH_MS_MAX = 2_000

type Snapshot = {
  rows: readonly TenantRow[]
  byCode: Map<string, TenantRow>
  byIssuer: Map<string, TenantRow>
  byId: Map<string, TenantRow>
}

/** Makes the directory. Inactive tenants are in it; deleted ones are not. */
export function makeDirectory(database: Database, fresh_ms_max: number = FRESH_MS_MAX): Directory {
  let known: Promise<Snapshot> | undefined
  let known_at_ms = Number.NEGATIVE_INFINITY

  function snapshot(): Promise<Snapshot> {
    if (known !== undefined && performance.now() - known_at_ms < fresh_ms_max) return known
    known_at_ms = performance.now()
    const loading = loadDirectory(database).then(indexed)
    // A failed read is nobody's snapshot: the next question asks again.
    loading.catch(() => {
      if (known === loading) known = undefined
    })
    known = loading
    return loading
  }

  return {
    byCode: async (code) => (await snapshot()).byCode.get(code),
    byIssuer: async (issuer) => (await snapshot()).byIssuer.get(issuer),
    byId: async (id) => (await snapshot()).byId.get(id),
    all: async () => (await snapshot()).rows,
    forget() {
      known = undefined
    },
  }
}

function indexed(rows: TenantRow[]): Snapshot {
  const having = rows.filter((row) => row.idp_issuer !== null)
  return {
    rows,
    byCode: new Map(rows.map((row) => [row.tenant_code, row])),
    byIssuer: new Map(having.map((row) => [row.idp_issuer!, row])),
    byId: new Map(rows.map((row) => [row.id, row])),
  }
}
