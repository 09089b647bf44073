/**
 * What the benches of the write path measure on: the product's own PostgreSQL with its own settings (fsync on), the
 * real schema, one tenant with one published wheel, and players who have chances and seed pairs.
 */
import { createPrivateKey, generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, makeApp } from '../src/app.ts'
import { runAudit } from '../src/audit/audit.ts'
import { reportText } from '../src/audit/report.ts'
import { systemClock } from '../src/clock.ts'
import { startEmbedded } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import { type Database, openPool, POOL_LIMITS } from '../src/db/pool.ts'
import type { Actor } from '../src/db/tx.ts'
import { grantChances } from '../src/games/wheel/chances.ts'
import { wheelCreate, wheelResource } from '../src/games/wheel/resource.ts'
import { makeWheel, type Wheel } from '../src/games/wheel/wheel.ts'
import { prizeResource } from '../src/prizes/definitions.ts'
import { type Checkpoints, makeCheckpoints } from '../src/proofs/checkpoints.ts'
import { makeFairKeys } from '../src/proofs/keys.ts'
import { localEntropy } from '../src/proofs/round-entropy.ts'
import { makeDirectory } from '../src/tenants/directory.ts'
import { createTenant } from '../src/tenants/tenants.ts'

export type Stage = {
  url: string
  keyring: Keyring
  database: Database
  app: App
  checkpoints: Checkpoints
  wheel: Wheel
  wheel_id: string
  operator: Actor
  players: Actor[]
  /** Runs the whole audit; throws its report when anything is violated. Returns how many checks hold. */
  audit(): Promise<number>
  close(): Promise<void>
}

const CHANCES = 1_000_000
const SLUG = 'bench'

/** A baseline queues a thousand spins for twenty connections; it must be slow and not refused. */
const PATIENT = {
  ...POOL_LIMITS,
  idle_in_transaction_timeout_ms: 60_000,
  connect_timeout_ms: 60_000,
  lock_timeout_ms: 30_000,
  statement_timeout_ms: 30_000,
  query_timeout_ms: 60_000,
}

const fail = (where: string, error: unknown): void => {
  console.error(`${where}:`, error)
}

/** A pool of twenty without the product's short deadlines. A connection that PostgreSQL ends as it stops is no news. */
export function patientPool(url: string): Database {
  let is_ended = false
  const report = (error: Error) => {
    if (!is_ended) fail('pool', error)
  }
  const pool = openPool(url, report, PATIENT)
  return {
    ...pool,
    end() {
      is_ended = true
      return pool.end()
    },
  }
}

/** Keys as text, so that another process can work on the same database. */
export type Keyring = { seed_key: string; fairness: JsonWebKey }

export function makeKeyring(): Keyring {
  const fairness = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { seed_key: randomBytes(32).toString('base64'), fairness }
}

/** What a process needs to spin on a database: pool, application, wheel. */
export function makeCore(url: string, { seed_key, fairness }: Keyring) {
  const database = patientPool(url)
  const signing = createPrivateKey({ key: fairness, format: 'jwk' })
  const keys = makeFairKeys([{ kid: 'k1', key: Buffer.from(seed_key, 'base64') }], signing)
  const app = makeApp({ database, clock: systemClock, keys, report: fail })
  const checkpoints = makeCheckpoints(app, fail)
  const wheel = makeWheel({ app, checkpoints, entropy: localEntropy, report: fail })
  return { database, app, checkpoints, wheel, keys }
}

/** Starts everything in a directory of its own under the system's temporary one; `close` removes it. */
export async function startStage(player_count: number): Promise<Stage> {
  const ends: (() => unknown)[] = []
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    return await build(player_count, ends, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function build(
  player_count: number,
  ends: (() => unknown)[],
  close: () => Promise<void>,
): Promise<Stage> {
  const dataDir = mkdtempSync(join(tmpdir(), 'livedraw-bench-'))
  ends.push(() => rmSync(dataDir, { recursive: true, force: true }))
  const postgres = await startEmbedded({ dataDir, log: () => {} })
  ends.push(() => postgres.stop())
  await migrate(postgres.url)
  const keyring = makeKeyring()
  const { database, app, checkpoints, wheel, keys } = makeCore(postgres.url, keyring)
  ends.push(
    () => database.end(),
    () => checkpoints.stop(),
  )
  const tenant = await createTenant(app, makeDirectory(database), {
    tenant_code: 'bench',
    tenant_name: 'Bench',
    is_demo: true,
  })
  const operator: Actor = { tenantId: tenant.id, userId: 'operator', roles: ['operator'] }
  const wheel_id = await makeBenchWheel(app, wheel, operator)
  const players = Array.from(
    { length: player_count },
    (_, i): Actor => ({ tenantId: tenant.id, userId: `player-${i}`, roles: ['player'], ip: '127.0.0.1' }),
  )
  await app.run(
    operator,
    async (tx) => {
      for (const { userId } of players)
        await grantChances(tx, { user_id: userId, count: CHANCES, reason: 'bench' })
    },
    undefined,
  )
  await Promise.all(players.map((player) => wheel.seedPair(player, wheel_id)))

  return {
    url: postgres.url,
    keyring,
    database,
    app,
    checkpoints,
    wheel,
    wheel_id,
    operator,
    players,
    async audit() {
      await checkpoints.make(tenant.id)
      const signingKeys = new Map([[keys.kid, new Uint8Array(keys.publicKey)]])
      const report = await runAudit(database, { signingKeys })
      if (!report.ok) throw new Error(reportText(report))
      return report.checks.filter((check) => check.status === 'ok').length
    },
    close,
  }
}

/** Five segments as a shop would have them, one of them with a limited stock that outlasts every run. */
async function makeBenchWheel(app: App, wheel: Wheel, operator: Actor): Promise<string> {
  const prizes = prizeResource()
  const create = (input: Record<string, unknown>) => app.run(operator, prizes.create, { input })
  const ten = await create({ name: '10% off', type: 'discount_percentage', value: '10.00' })
  const points = await create({ name: '50 points', type: 'loyalty_points', value: '50' })
  const delivery = await create({ name: 'Free delivery', type: 'free_delivery' })
  // Nothing that is paid or owed when it is won: the baselines write what a spin writes, and no fulfilment.
  const five = await create({ name: '5 off', type: 'discount_fixed', value: '5.00', stock: 10_000_000 })
  const reward = (reward_slug: string, probability: string, prize_id: number | null) => ({
    reward_slug,
    reward_label: reward_slug,
    probability,
    prize_id,
  })
  const made = await app.run(operator, wheelResource().create, {
    input: wheelCreate.parse({
      wheel_name: 'Bench',
      wheel_slug: SLUG,
      spin_config: { on_exhausted: 'none' },
      rewards: [
        reward('ten', '0.10', ten.id),
        reward('points', '0.20', points.id),
        reward('delivery', '0.10', delivery.id),
        reward('five', '0.05', five.id),
        reward('none', '0.55', null),
      ],
    }),
  })
  await wheel.publish(operator, SLUG)
  return made.id
}
