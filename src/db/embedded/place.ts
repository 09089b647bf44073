/** Which user runs PostgreSQL and where its files go: it refuses root, and must be able to enter every directory above. */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Identity } from './processes.ts'
import { EmbeddedStartError } from './start-error.ts'

export type Place = {
  /** DATA_DIR without symbolic links: lock and password are always here. */
  dataDir: string
  /** Directory of the cluster, its log and, if needed, a copy of the programs: DATA_DIR or a stand-in below /var/tmp. */
  dir: string
  cluster: string
  log_file: string
  password_file: string
  lock_file: string
  /** Names `dir` when that is not DATA_DIR, so that a lost stand-in is noticed instead of replaced by an empty one. */
  location_file: string
  identity: Identity
}

/**
 * Makes DATA_DIR and decides user and place (decision, dependencies.md section 6 point 3).
 *
 * Not root: ourselves, in DATA_DIR. Root: the owner of an existing cluster, else `postgres`, else `nobody`; in DATA_DIR
 * if that user can enter it, else in /var/tmp/livedraw-<hash of DATA_DIR>, which is said in one log sentence.
 * Refuses with EmbeddedStartError what would lose sight of existing data or trust a directory of somebody else.
 */
export function choosePlace(dataDirOption: string, log: (message: string) => void): Place {
  const dataDir = makeDataDir(dataDirOption)
  const location_file = join(dataDir, 'postgres.location')
  const recorded = existsSync(location_file) ? readFileSync(location_file, 'utf8').trim() : null
  const identity = chooseIdentity(join(recorded ?? dataDir, 'postgres'))
  const dir = recorded ?? chooseDir(dataDir, identity, log)
  if (recorded !== null && !existsSync(join(recorded, 'postgres'))) {
    throw new EmbeddedStartError(
      `The database of ${dataDir} was kept in ${recorded} and is gone from there; bring it back, ` +
        `or remove ${location_file} to start with an empty one.`,
    )
  }
  return {
    dataDir,
    dir,
    cluster: join(dir, 'postgres'),
    log_file: join(dir, 'postgres.log'),
    password_file: join(dataDir, 'postgres.password'),
    lock_file: join(dataDir, 'postgres.lock'),
    location_file,
    identity,
  }
}

/** Whether `dir` is a whole cluster: initdb works elsewhere and renames, so half a cluster never has this name. */
export function isCluster(dir: string): boolean {
  return existsSync(join(dir, 'PG_VERSION'))
}

/** Gives `path` to the user of PostgreSQL with `mode`; keeps it ours when we run PostgreSQL ourselves. */
export function handOver(path: string, mode: number, identity: Identity): void {
  if (identity !== null) chownSync(path, identity.uid, identity.gid)
  chmodSync(path, mode)
}

/** Refuses with EmbeddedStartError a cluster of another user when we are not root; nothing can be seen inside it. */
export function refuseForeignOwner(place: Place): void {
  const uid = process.getuid?.()
  const owner = statSync(place.cluster, { throwIfNoEntry: false })
  if (!owner || uid === undefined || uid === 0 || owner.uid === uid) return
  throw new EmbeddedStartError(
    `${place.cluster} belongs to the user with id ${owner.uid}; start as that user or as root, ` +
      'or set DATA_DIR to a directory of your own.',
  )
}

/** Makes owner and mode of an existing cluster what PostgreSQL insists on: its user, 0700. */
export function repairOwnership(place: Place, log: (message: string) => void): void {
  const { uid, mode } = statSync(place.cluster)
  if (place.identity !== null && uid !== place.identity.uid) {
    log(
      `${place.cluster} is given to the user ${place.identity.name}, because PostgreSQL does not run as its owner.`,
    )
    giveTree(place.cluster, place.identity)
  }
  if ((mode & 0o777) !== 0o700 && process.platform !== 'win32') {
    log(`${place.cluster} is made private again (mode 0700); PostgreSQL refuses anything wider.`)
    chmodSync(place.cluster, 0o700)
  }
}

function giveTree(root: string, identity: Identity): void {
  if (identity === null) return
  lchownSync(root, identity.uid, identity.gid)
  for (const entry of readdirSync(root, { withFileTypes: true, recursive: true })) {
    lchownSync(join(entry.parentPath, entry.name), identity.uid, identity.gid)
  }
}

function makeDataDir(dataDir: string): string {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    return realpathSync(dataDir)
  } catch (error) {
    throw new EmbeddedStartError(
      `The data directory ${dataDir} cannot be made (${(error as Error).message}); set DATA_DIR to one that can.`,
      { cause: error },
    )
  }
}

type PasswdEntry = { name: string; uid: number; gid: number }

function chooseIdentity(cluster: string): Identity {
  if (process.getuid?.() !== 0) return null
  const users = passwdEntries()
  // Running as the owner keeps a cluster usable by the person who made it before root started the server once.
  const owner = statSync(cluster, { throwIfNoEntry: false })
  const ownerEntry = owner && owner.uid !== 0 ? users.find((user) => user.uid === owner.uid) : undefined
  const identity =
    ownerEntry ??
    users.find((user) => user.name === 'postgres') ??
    users.find((user) => user.name === 'nobody')
  if (identity) return identity
  throw new EmbeddedStartError(
    'PostgreSQL refuses to run as root and this system has neither a user postgres nor nobody; ' +
      'start as another user, or set DATABASE_URL.',
  )
}

function passwdEntries(): PasswdEntry[] {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  return lines
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((user) => user.name !== '' && Number.isSafeInteger(user.uid) && Number.isSafeInteger(user.gid))
}

function chooseDir(dataDir: string, identity: Identity, log: (message: string) => void): string {
  if (identity === null) return dataDir
  openOwnDoor(dataDir, identity)
  if (canEnter(dataDir, identity)) return dataDir
  if (isCluster(join(dataDir, 'postgres'))) {
    throw new EmbeddedStartError(
      `The database in ${dataDir} cannot be reached by the user ${identity.name}, who has to run PostgreSQL for root; ` +
        'let that user pass through the directories above (chmod o+x), or start as the user who made it.',
    )
  }
  const dir = `/var/tmp/livedraw-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`
  makeStandIn(dir)
  log(
    `The database goes to ${dir}, because PostgreSQL runs as the user ${identity.name}, who cannot enter ${dataDir}; ` +
      'set DATA_DIR to choose a lasting place.',
  )
  return dir
}

/** DATA_DIR is ours, so it is opened for passing through (not for listing); a home directory or a working one is not. */
function openOwnDoor(dataDir: string, identity: NonNullable<Identity>): void {
  const stat = statSync(dataDir)
  const isOnlyOurs = stat.uid === 0 && dataDir !== homedir() && dataDir !== process.cwd()
  if (isOnlyOurs && canEnter(dirname(dataDir), identity) && !mayPass(dataDir, identity)) {
    chmodSync(dataDir, (stat.mode & 0o777) | 0o001)
  }
}

/** /var/tmp is open to everybody: a directory that somebody else prepared there must not become our database. */
function makeStandIn(dir: string): void {
  if (!existsSync(dir)) mkdirSync(dir, { mode: 0o711 })
  const stat = lstatSync(dir)
  if (stat.isDirectory() && stat.uid === 0 && (stat.mode & 0o022) === 0) {
    chmodSync(dir, 0o711)
    return
  }
  throw new EmbeddedStartError(
    `${dir} was made by somebody else; remove it, or set DATA_DIR to another directory.`,
  )
}

/** Whether `identity` may pass through `dir` and every directory above it, by their modes (ACLs are not looked at). */
export function canEnter(dir: string, identity: Identity): boolean {
  for (let path = dir; ; path = dirname(path)) {
    if (!mayPass(path, identity)) return false
    if (dirname(path) === path) return true
  }
}

function mayPass(dir: string, identity: Identity): boolean {
  if (identity === null) return true
  const { uid, gid, mode } = statSync(dir)
  if (uid === identity.uid) return (mode & 0o100) !== 0
  return (mode & (gid === identity.gid ? 0o010 : 0o001)) !== 0
}
