/** `npm run audit`: every invariant over the database, every outcome of a revealed seed derived again. */
import { createPublicKey } from 'node:crypto'
import { runAudit } from '../audit/audit.ts'
import type { SigningKeys } from '../audit/chains.ts'
import { reportText } from '../audit/report.ts'
import { type Config, readConfig } from '../config.ts'
import { openPool } from '../db/pool.ts'
import { loadFairnessKey } from '../keyfiles.ts'
import { Failure, isMain, makeCommand, runCommand, WrongUse } from './command.ts'
import { findDatabase } from './database.ts'

const command = makeCommand(
  'audit',
  'Checks every invariant and derives every outcome again. Exit 1 on a violation.',
)
  .option('--json', 'the report as one JSON object')
  .option(
    '--key <kid:hex...>',
    'public fairness keys that were in use before, as they stood in /.well-known/jwks.json (x, in hex)',
  )

/** An audit reads whole tables: one connection, and no limit but the reader's patience. */
const LIMITS = {
  connections_max: 1,
  connect_timeout_ms: 10_000,
  statement_timeout_ms: 0,
  lock_timeout_ms: 10_000,
  idle_in_transaction_timeout_ms: 0,
  query_timeout_ms: 0,
}

/** The public halves of the present key, where there is one, and of those named on the command line. */
function signingKeys(config: Config, retired: readonly string[]): SigningKeys {
  const keys = new Map<string, Uint8Array>()
  for (const text of retired) {
    const [, kid, hex] = /^(fair-[0-9a-f]{12}):([0-9a-f]{64})$/.exec(text) ?? []
    if (kid === undefined || !hex!.startsWith(kid.slice('fair-'.length))) {
      throw new WrongUse(
        `--key takes a kid and the 64 hex digits of its public key, and not ${JSON.stringify(text)}.`,
      )
    }
    keys.set(kid, Buffer.from(hex!, 'hex'))
  }
  const present = loadFairnessKey(config)
  if (present !== null) {
    const raw = Buffer.from(createPublicKey(present).export({ format: 'jwk' }).x!, 'base64url')
    keys.set(kidOf(raw), raw)
  }
  return keys
}

/** As makeFairKeys names it. */
const kidOf = (raw: Buffer): string => `fair-${raw.subarray(0, 6).toString('hex')}`

/** No such role, parameter value or table: nobody has migrated here. */
const NO_SCHEMA = new Set(['42704', '22023', '42P01'])

if (isMain(import.meta)) {
  await runCommand(command, async ({ json, key = [] }: { json?: boolean; key?: string[] }) => {
    const config = readConfig(undefined, { needs: [] })
    const keys = signingKeys(config, key)
    const say = (message: string) => process.stderr.write(`${message}\n`)
    const found = await findDatabase(config, say)
    const database = openPool(found.url, (error) => say(error.message), LIMITS)
    try {
      const report = await runAudit(database, { signingKeys: keys })
      process.stdout.write(`${json === true ? JSON.stringify(report) : reportText(report)}\n`)
      return report.ok ? 0 : 1
    } catch (error) {
      if (!NO_SCHEMA.has((error as { code?: string }).code ?? '')) throw error
      throw new Failure('This database has no Livedraw schema; run "npm run migrate" first.')
    } finally {
      await database.end()
      await found.close()
    }
  })
}
