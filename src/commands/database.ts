/** The database a tool works on: DATABASE_URL, the embedded one of a running server, or that one started for the tool. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { SUPERUSER } from '../db/embedded/cluster-files.ts'
import { standing } from '../db/embedded/postmaster.ts'
import { startEmbedded } from '../db/embedded.ts'
import { readServerFile } from '../server-file.ts'

export type FoundDatabase = {
  url: string
  /** How it was found, for people. */
  says: string
  /** Stops what was started for the tool; does nothing otherwise. */
  close(): Promise<void>
}

/**
 * Finds the database, starting the embedded one when no server runs on DATA_DIR.
 * Throws EmbeddedStartError when it cannot be started.
 */
export async function findDatabase(
  config: Pick<Config, 'databaseUrl' | 'dataDir'>,
  log: (message: string) => void,
): Promise<FoundDatabase> {
  if (config.databaseUrl !== null)
    return { url: config.databaseUrl, says: 'DATABASE_URL', close: async () => {} }
  const url = runningEmbeddedUrl(config.dataDir)
  if (url !== null) return { url, says: `embedded in ${config.dataDir}, running`, close: async () => {} }
  const embedded = await startEmbedded({ dataDir: config.dataDir, log })
  return {
    url: embedded.url,
    says: `embedded in ${config.dataDir}, started for this`,
    close: () => embedded.stop(),
  }
}

/** Address of the embedded PostgreSQL that a server keeps running on `dataDir`, or null. */
export function runningEmbeddedUrl(dataDir: string): string | null {
  const location_file = join(dataDir, 'postgres.location')
  const password_file = join(dataDir, 'postgres.password')
  const dir = existsSync(location_file) ? readFileSync(location_file, 'utf8').trim() : dataDir
  const found = standing(join(dir, 'postgres'))
  // A lock file without a server is of one that was killed: starting adopts its PostgreSQL, and stops it afterwards.
  if (found.kind !== 'running' || !existsSync(password_file) || readServerFile(dataDir) === null) return null
  const password = encodeURIComponent(readFileSync(password_file, 'utf8').trim())
  return `postgres://${SUPERUSER}:${password}@127.0.0.1:${found.file.port}/livedraw`
}
