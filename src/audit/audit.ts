/** The whole audit over one state of a database: the invariants in SQL, then everything that SQL cannot recompute. */
import type { PoolClient } from 'pg'
import type { Database } from '../db/pool.ts'
import { checkApplications } from './applications.ts'
import { type Block, type Invariants, readInvariants } from './blocks.ts'
import { checkAuditChain, checkPublicLogs, type SigningKeys } from './chains.ts'
import { checkDraws } from './draws.ts'
import {
  checkCommitments,
  checkMysteries,
  checkRounds,
  checkSeeds,
  checkSpins,
  checkVersions,
} from './outcomes.ts'
import { type AuditReport, type Check, EXAMPLE_COUNT_MAX } from './report.ts'
import {
  asAuditor,
  auditorBypasses,
  countRows,
  liftStatementTimeout,
  presentTables,
  type Reader,
  readerOn,
  refuseHiddenRows,
  runBlock,
  tenantIds,
} from './store.ts'

export type { AuditReport, Check } from './report.ts'

export type AuditOptions = {
  /** Public Ed25519 keys (32 bytes) by kid, present and retired; without any, signatures are reported as unchecked. */
  signingKeys?: SigningKeys
  /** The invariants to run; invariants.sql by default. */
  invariants?: Invariants
}

/**
 * Audits a database in one REPEATABLE READ, READ ONLY transaction as livedraw_auditor.
 *
 * Takes a pool or a connection of a user who may become that role; the connection is given back as it came.
 * Memory does not grow with the number of rows. Needs a quiet database only for I17 and I23, which look at the clock.
 * Throws what the database throws when it cannot be read at all; a check that fails by an error is a violation.
 * Source: reliability notes, section 3.
 */
export async function runAudit(on: Database | PoolClient, options: AuditOptions = {}): Promise<AuditReport> {
  if (!('stats' in on)) return auditOn(on, options)
  const client = await on.connect()
  try {
    return await auditOn(client, options)
  } finally {
    client.release()
  }
}

async function auditOn(
  client: PoolClient,
  { signingKeys = new Map(), invariants = readInvariants() }: AuditOptions,
): Promise<AuditReport> {
  const started = performance.now()
  const { checks, notes } = await asAuditor(client, async () => {
    const reader = readerOn(client)
    await liftStatementTimeout(reader)
    const notes: string[] = []
    if (await auditorBypasses(reader)) await refuseHiddenRows(reader)
    else
      notes.push(
        'The role livedraw_auditor passes no policies by right here and reads by those that admit it (I21 checks them).',
      )
    const checks = [...(await checkInvariants(reader, invariants)), ...(await recompute(reader, signingKeys))]
    return { checks, notes }
  })
  return {
    ok: checks.every((check) => check.status !== 'violated'),
    checks,
    notes,
    duration_ms: Math.round(performance.now() - started),
  }
}

/** Runs blocks of the invariants in the transaction of the reader. */
export async function checkInvariants(reader: Reader, { blocks, laterTables }: Invariants): Promise<Check[]> {
  const present = await presentTables(reader, [...new Set(blocks.flatMap((block) => block.tables))])
  const counts = new Map<string, number>()
  const checks: Check[] = []
  for (const block of blocks) {
    const missing = block.tables.filter((table) => laterTables.has(table) && !present.has(table))
    checks.push(missing.length > 0 ? absent(block, missing) : await checkBlock(reader, block, counts))
  }
  return checks
}

function absent({ id, title }: Block, missing: readonly string[]): Check {
  return {
    id,
    title,
    status: 'absent',
    checked: null,
    violations: 0,
    examples: [],
    note: `needs ${missing.join(', ')}`,
  }
}

/** The count is that of the first table a block names; counting once per table keeps it cheap. */
async function checkBlock(reader: Reader, block: Block, counts: Map<string, number>): Promise<Check> {
  const { id, title, sql, tables } = block
  try {
    const { total, rows } = await runBlock(reader, sql, EXAMPLE_COUNT_MAX)
    const [table] = tables
    if (table !== undefined && !counts.has(table)) counts.set(table, await countRows(reader, table))
    const checked = table === undefined ? null : counts.get(table)!
    return { id, title, status: total === 0 ? 'ok' : 'violated', checked, violations: total, examples: rows }
  } catch (error) {
    return {
      id,
      title,
      status: 'violated',
      checked: null,
      violations: 1,
      examples: [`the check failed: ${(error as Error).message}`],
    }
  }
}

async function recompute(reader: Reader, signingKeys: SigningKeys): Promise<Check[]> {
  const tenants = await tenantIds(reader)
  const tallies = [
    await checkAuditChain(reader, tenants),
    ...(await checkPublicLogs(reader, tenants, signingKeys)),
    ...(await checkCommitments(reader, tenants, signingKeys)),
    await checkSeeds(reader, tenants),
    await checkVersions(reader),
    ...(await checkSpins(reader, tenants)),
    ...(await checkRounds(reader, tenants)),
    ...(await checkDraws(reader, tenants)),
    ...(await checkMysteries(reader, tenants)),
    ...(await checkApplications(reader, tenants)),
  ]
  return tallies.map((tally) => tally.check)
}
