/** The ledger without doors: a database of its own, two tenants, and the rights of the application. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { makeApp } from '../../src/app.ts'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { makeTestClock } from '../../src/clock.ts'
import { openPool, POOL_LIMITS, type PoolLimits } from '../../src/db/pool.ts'
import type { Actor, Role, Tx } from '../../src/db/tx.ts'
import { postTransfer, type TransferInput } from '../../src/ledger/post.ts'
import { type AccountKind, move, TENANT_OWNER } from '../../src/ledger/rules.ts'
import { makeFairKeys } from '../../src/proofs/keys.ts'
import { makeDirectory } from '../../src/tenants/directory.ts'
import { createTenant } from '../../src/tenants/tenants.ts'
import { testDatabase } from '../db/cluster.ts'

export const house = { account_kind: 'house', owner_id: TENANT_OWNER } as const
export const of = (owner_id: string, account_kind: AccountKind = 'wallet_credit') => ({
  account_kind,
  owner_id,
})

/** Crowds wait here for one row on a busy machine: who is served last is not what these tests are about. */
const PATIENT: PoolLimits = {
  ...POOL_LIMITS,
  connect_timeout_ms: 50_000,
  statement_timeout_ms: 40_000,
  lock_timeout_ms: 40_000,
  query_timeout_ms: 50_000,
}

export async function startLedger() {
  const db = await testDatabase()
  const database = openPool(db.url, () => {}, PATIENT)
  const clock = makeTestClock(new Date('2026-06-15T10:00:00Z'))
  const keys = makeFairKeys([{ kid: 'k1', key: randomBytes(32) }], generateKeyPairSync('ed25519').privateKey)
  const report = (where: string, error: unknown) => {
    throw new Error(`failed in ${where}`, { cause: error })
  }
  const app = makeApp({ database, clock, keys, report })
  const directory = makeDirectory(database, 0)
  const tenants = new Map<string, string>()
  for (const tenant_code of ['demo', 'other']) {
    const { id } = await createTenant(app, directory, { tenant_code, tenant_name: tenant_code })
    tenants.set(tenant_code, id)
  }

  const actor = (userId: string, tenant = 'demo', roles: Role[] = ['service']): Actor => ({
    tenantId: tenants.get(tenant)!,
    userId,
    roles,
  })
  const inTenant = <T>(work: (tx: Tx) => Promise<T>, tenant = 'demo', userId = 'shop'): Promise<T> =>
    app.run(actor(userId, tenant), (tx) => work(tx), undefined)
  const post = (input: TransferInput, tenant = 'demo') => inTenant((tx) => postTransfer(tx, input), tenant)

  return {
    db,
    database,
    app,
    clock,
    tenants,
    actor,
    inTenant,
    post,
    /** Money from the house to a user. */
    give: (userId: string, amount_minor: number, obligation: string, currency = 'EUR', tenant = 'demo') =>
      post(
        { obligation, transfer_type: 'test.gift', postings: move(amount_minor, currency, house, of(userId)) },
        tenant,
      ),
    /** Rows as the owner sees them: for what a test asserts, never for what it does. */
    rows: <R = any>(text: string, values: readonly unknown[] = []) => database.query<R>(text, values),
    async balanceOf(owner_id: string, account_kind = 'wallet_credit', currency = 'EUR', tenant = 'demo') {
      const [row] = await database.query<{ balance_minor: number }>(
        `select balance_minor from ledger_accounts where owner_id = $1 and account_kind = $2 and currency = $3 and tenant_id = $4`,
        [owner_id, account_kind, currency, tenants.get(tenant)!],
      )
      return row?.balance_minor
    },
    /** The whole audit must find nothing, and must have looked at the ledger. */
    async assertClean(): Promise<void> {
      const audit = await runAudit(database)
      assert.ok(audit.ok, reportText(audit))
      const seen = audit.checks.filter((check) => /^(I15|L1[2-8])$/.test(check.id))
      assert.equal(seen.length, 10)
      assert.ok(seen.every((check) => check.status === 'ok' && check.checked! > 0))
    },
    async close() {
      await database.end()
      await db.drop()
    },
  }
}

export type LedgerStage = Awaited<ReturnType<typeof startLedger>>

/** The refusal, or database error, that a piece of work ends with. */
export async function refusalOf(work: Promise<unknown>): Promise<{ code: string; detail: any }> {
  try {
    await work
  } catch (error) {
    return error as { code: string; detail: any }
  }
  throw new Error('it was not refused')
}
