/** Makes the files of a cluster: initdb beside its place, then a rename, so that half a cluster never has its name. */
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { handOver, isCluster, type Place, refuseForeignOwner, repairOwnership } from './place.ts'
import { runProgram } from './processes.ts'
import { EmbeddedStartError } from './start-error.ts'

export const SUPERUSER = 'livedraw'
const MAJOR_VERSION = '18'

/**
 * Makes the cluster if there is none, checks it if there is one, and returns the password of its superuser.
 * Call it with the lock held. Refuses with EmbeddedStartError: a directory that is no cluster, data of another major
 * version, a lost password, data of another user, an initdb that fails.
 */
export async function readyCluster(
  place: Place,
  initdb: string,
  log: (message: string) => void,
): Promise<{ password: string; is_new: boolean }> {
  refuseForeignOwner(place)
  removeHalves(place)
  setAsideForgotten(place, log)
  if (isCluster(place.cluster)) {
    checkVersion(place)
    repairOwnership(place, log)
    return { password: readPassword(place), is_new: false }
  }
  removeEmpty(place)
  log(`A new database is made in ${place.cluster}.`)
  const password = existsSync(place.password_file) ? readPassword(place) : writePassword(place)
  await makeCluster(place, initdb, password)
  if (place.dir !== place.dataDir) writeDurably(place.location_file, `${place.dir}\n`)
  return { password, is_new: true }
}

function removeHalves(place: Place): void {
  for (const name of readdirSync(place.dir)) {
    if (name.startsWith('postgres.new-')) rmSync(join(place.dir, name), { recursive: true, force: true })
  }
}

/** A stand-in below /var/tmp outlives the DATA_DIR it stood in for; a new DATA_DIR does not know its password. */
function setAsideForgotten(place: Place, log: (message: string) => void): void {
  if (place.dir === place.dataDir || existsSync(place.password_file) || !isCluster(place.cluster)) return
  const aside = `${place.cluster}.before-${Date.now()}`
  renameSync(place.cluster, aside)
  log(`${place.dataDir} is new; the database that an earlier one left behind is now ${aside}.`)
}

function checkVersion(place: Place): void {
  const version = readFileSync(join(place.cluster, 'PG_VERSION'), 'utf8').trim()
  if (version === MAJOR_VERSION) return
  throw new EmbeddedStartError(
    `${place.cluster} holds data of PostgreSQL ${version || 'unknown'} and this is ${MAJOR_VERSION}; ` +
      'restore a backup into an empty DATA_DIR, or set DATABASE_URL to a server of that version.',
  )
}

function readPassword(place: Place): string {
  if (!existsSync(place.password_file)) {
    throw new EmbeddedStartError(
      `The password of ${place.cluster} is missing; bring ${place.password_file} back, ` +
        'or move the directory away to start with an empty database.',
    )
  }
  chmodSync(place.password_file, 0o600)
  return readFileSync(place.password_file, 'utf8').trim()
}

function writePassword(place: Place): string {
  const password = randomBytes(24).toString('base64url')
  writeDurably(place.password_file, `${password}\n`)
  return password
}

/** The password must not be lost by a power failure that the cluster survives. */
function writeDurably(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
}

function removeEmpty(place: Place): void {
  if (!existsSync(place.cluster)) return
  try {
    rmdirSync(place.cluster)
  } catch {
    throw new EmbeddedStartError(
      `${place.cluster} is not empty and holds no PostgreSQL cluster (PG_VERSION is missing); ` +
        'restore a backup, or move it away to start with an empty database.',
    )
  }
}

async function makeCluster(place: Place, initdb: string, password: string): Promise<void> {
  const half = `${place.cluster}.new-${process.pid}`
  const password_file = `${half}.password`
  mkdirSync(half, { mode: 0o700 })
  handOver(half, 0o700, place.identity)
  writeFileSync(password_file, password, { mode: 0o600 })
  handOver(password_file, 0o600, place.identity)
  try {
    const made = await runProgram(initdb, initdbArguments(half, password_file), place.identity)
    if (made.code !== 0) {
      throw new EmbeddedStartError(
        `No database can be made in ${place.cluster} (initdb ended with ${made.code}); ` +
          `repair what it names, or set DATABASE_URL to a PostgreSQL 15 or newer.\n${made.output}`,
      )
    }
  } finally {
    rmSync(password_file, { force: true })
  }
  renameSync(half, place.cluster)
  syncDirectory(place.dir)
}

/**
 * Brings the files of a new cluster to the disk: initdb leaves that out to be quick, and PostgreSQL syncs only what it
 * writes itself, so that a power failure in the first half minute could lose the ground under committed rows.
 */
export async function syncNewCluster(place: Place, initdb: string): Promise<void> {
  await runProgram(initdb, ['--sync-only', `--pgdata=${place.cluster}`], place.identity)
}

function initdbArguments(dir: string, password_file: string): string[] {
  return [
    `--pgdata=${dir}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${password_file}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    ...localeArguments(),
    '--no-sync',
    '--no-instructions',
  ]
}

/** Only Linux is sure to have the system locale C.UTF-8; elsewhere PostgreSQL's own gives the same order. */
function localeArguments(): string[] {
  if (process.platform === 'linux') return ['--locale=C.UTF-8']
  return ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
}

function syncDirectory(dir: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(dir, 'r')
  fsyncSync(handle)
  closeSync(handle)
}
