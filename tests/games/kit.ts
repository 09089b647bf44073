/**
 * Wheels without doors: a database of its own, a clock that tests move, and as many "processes" (pool, application,
 * wheel, checkpoints) on it as a test asks for.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { type App, makeApp } from '../../src/app.ts'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { makeTestClock } from '../../src/clock.ts'
import { type Database, openPool, POOL_LIMITS, type PoolLimits } from '../../src/db/pool.ts'
import type { Actor, Role, Tx } from '../../src/db/tx.ts'
import { grantChances } from '../../src/games/wheel/chances.ts'
import { wheelCreate, wheelResource } from '../../src/games/wheel/resource.ts'
import { makeWheel, type Wheel } from '../../src/games/wheel/wheel.ts'
import { prizeResource } from '../../src/prizes/definitions.ts'
import { type Checkpoints, makeCheckpoints } from '../../src/proofs/checkpoints.ts'
import { type FairKeys, makeFairKeys, type SeedKey } from '../../src/proofs/keys.ts'
import { localEntropy, type RoundEntropy } from '../../src/proofs/round-entropy.ts'
import { systemActor } from '../../src/system.ts'
import { type Directory, makeDirectory } from '../../src/tenants/directory.ts'
import { createTenant } from '../../src/tenants/tenants.ts'
import { testDatabase } from '../db/cluster.ts'

export type Process = {
  database: Database
  app: App
  keys: FairKeys
  directory: Directory
  checkpoints: Checkpoints
  wheel: Wheel
  stop(): Promise<void>
}

export type ProcessWish = {
  url?: string
  seedKeys?: readonly SeedKey[]
  entropy?: RoundEntropy
  limits?: Partial<PoolLimits>
}

export type RewardWish = {
  slug: string
  probability: string
  /** A prize definition to make, or the id of one that is there. */
  prize?:
    | number
    | { type?: string; value?: string; stock?: number | null; cost_minor?: number; expires_in_days?: number }
  per_user_limit?: number
}

export type WheelWish = {
  slug?: string
  rewards?: RewardWish[]
  spin?: Record<string, unknown>
  visit_chances?: number
  budget_minor?: number | null
  tenant?: string
  is_published?: boolean
}

/** Long enough for a machine that is busy with other things; tests of the limits themselves set their own. */
const PATIENT: PoolLimits = {
  ...POOL_LIMITS,
  connect_timeout_ms: 15_000,
  statement_timeout_ms: 15_000,
  lock_timeout_ms: 15_000,
  idle_in_transaction_timeout_ms: 15_000,
  query_timeout_ms: 20_000,
}

export type Stage = Awaited<ReturnType<typeof startStage>>

/** Starts one process on an empty database with the tenant `demo`. The clock stands in the past of the machine's. */
export async function startStage(
  options: { time_zone?: string; entropy?: RoundEntropy; starts_at?: Date } = {},
) {
  const db = await testDatabase()
  const clock = makeTestClock(options.starts_at ?? new Date('2026-06-15T10:00:00Z'))
  const signing = generateKeyPairSync('ed25519').privateKey
  const seedKeys = [{ kid: 'k1', key: randomBytes(32) }]
  const reports: [string, unknown][] = []
  const report = (where: string, error: unknown) => void reports.push([where, error])
  const processes: Process[] = []
  const prizes = prizeResource()
  const wheels = wheelResource()

  function aProcess(wish: ProcessWish = {}): Process {
    const database = openPool(wish.url ?? db.url, () => {}, { ...PATIENT, ...wish.limits })
    const keys = makeFairKeys(wish.seedKeys ?? seedKeys, signing)
    const app = makeApp({ database, clock, keys, report })
    const checkpoints = makeCheckpoints(app, report)
    const wheel = makeWheel({
      app,
      checkpoints,
      entropy: wish.entropy ?? options.entropy ?? localEntropy,
      report,
    })
    const directory = makeDirectory(database, 0)
    let stopped: Promise<void> | undefined
    const stop = () => (stopped ??= checkpoints.stop().then(() => database.end()))
    const made = { database, app, keys, directory, checkpoints, wheel, stop }
    processes.push(made)
    return made
  }

  const first = aProcess()
  const tenants = new Map<string, string>()

  async function aTenant(code: string, time_zone = 'UTC'): Promise<string> {
    const tenant = await createTenant(first.app, first.directory, {
      tenant_code: code,
      tenant_name: code,
      time_zone,
    })
    tenants.set(code, tenant.id)
    return tenant.id
  }
  await aTenant('demo', options.time_zone)

  const actor = (userId: string, tenant = 'demo', roles: Role[] = ['player']): Actor => ({
    tenantId: tenants.get(tenant)!,
    userId,
    roles,
  })
  const boss = (tenant = 'demo') => actor('boss', tenant, ['operator'])

  /** Work inside a tenant, with the rights of the application. */
  const inTenant = <T>(work: (tx: Tx) => Promise<T>, tenant = 'demo'): Promise<T> =>
    first.app.run(systemActor(tenants.get(tenant)!), (tx) => work(tx), undefined)

  /** Rows as the owner sees them: for what a test asserts, never for what it does. */
  const rows = <R = any>(text: string, values: readonly unknown[] = []) =>
    first.database.query<R>(text, values)

  async function aPrize(
    wish: Exclude<RewardWish['prize'], number | undefined> = {},
    tenant = 'demo',
  ): Promise<number> {
    const { type = 'in_kind', ...more } = wish
    const input = { name: `A ${type}`, type, ...more }
    return ((await inTenant((tx) => prizes.create(tx, { input }), tenant)) as { id: number }).id
  }

  async function aWheel(wish: WheelWish = {}): Promise<string> {
    const { slug = 'summer', tenant = 'demo', is_published = true } = wish
    const given = wish.rewards ?? [
      { slug: 'ten', probability: '0.25', prize: {} },
      { slug: 'none', probability: '0.75' },
    ]
    const rewards: object[] = []
    for (const { slug: reward_slug, probability, prize, per_user_limit } of given) {
      const prize_id =
        prize === undefined ? null : typeof prize === 'number' ? prize : await aPrize(prize, tenant)
      const is_chance = typeof prize === 'object' && prize.type === 'spin_chance'
      rewards.push({
        reward_slug,
        reward_label: reward_slug.toUpperCase(),
        probability,
        prize_id,
        ...(is_chance && { reward_type: 'spin_chance' }),
        ...(per_user_limit !== undefined && { per_user_limit }),
      })
    }
    const input = wheelCreate.parse({
      wheel_name: slug,
      wheel_slug: slug,
      rewards,
      spin_config: wish.spin ?? {},
      spin_chance_for_page_visit: wish.visit_chances ?? 0,
      budget_minor: wish.budget_minor ?? null,
    })
    const { id } = (await inTenant((tx) => wheels.create(tx, { input }), tenant)) as { id: string }
    if (is_published) await first.wheel.publish(boss(tenant), slug)
    return id
  }

  /** Changes a wheel's rows as an operator does; it takes effect at the next publish. */
  const edit = (slug: string, input: object, tenant = 'demo') =>
    inTenant((tx) => wheels.update(tx, { ref: slug, input, versions: '*' }), tenant)

  const grant = (
    user_id: string,
    count: number,
    more: { game?: string; expires_at?: string } = {},
    tenant = 'demo',
  ) => first.app.run(boss(tenant), grantChances, { user_id, count, reason: 'test', ...more })

  /** The whole audit, signatures included, must find nothing. */
  async function assertClean(): Promise<void> {
    for (const id of tenants.values()) await first.checkpoints.make(id)
    const signingKeys = new Map([[first.keys.kid, new Uint8Array(first.keys.publicKey)]])
    const audit = await runAudit(first.database, { signingKeys })
    assert.ok(audit.ok, reportText(audit))
  }

  return {
    ...first,
    db,
    clock,
    signing,
    seedKeys,
    reports,
    tenants,
    prizes,
    aProcess,
    aTenant,
    aPrize,
    aWheel,
    edit,
    grant,
    actor,
    boss,
    inTenant,
    rows,
    assertClean,
    async close() {
      for (const each of processes) await each.stop()
      await db.drop()
    },
  }
}

/** The codes of refusals, `ok` for answers, the message of anything else. */
export function codesOf(settled: readonly PromiseSettledResult<unknown>[]): string[] {
  return settled.map((each) => (each.status === 'fulfilled' ? 'ok' : codeOf(each.reason)))
}

export const codeOf = (error: unknown): string =>
  (error as { code?: string }).code ?? String((error as Error)?.message ?? error)

/** How often each text stands in a list. */
export function tally(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1
  return counts
}

/** Polls until the work answers something, at most so long. */
export async function eventually<T>(
  what: string,
  work: () => Promise<T | undefined | false>,
  patience_ms = 5_000,
): Promise<T> {
  const end = performance.now() + patience_ms
  for (;;) {
    const found = await work()
    if (found) return found
    if (performance.now() > end) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The refusal that a piece of work ends with. */
export async function refusalOf(work: Promise<unknown>): Promise<{ code: string; detail: any }> {
  try {
    await work
  } catch (error) {
    return error as { code: string; detail: any }
  }
  throw new Error('it was not refused')
}
