/**
 * Owns the life of the PostgreSQL that comes with the packages: makes its cluster, starts or adopts it, stops it.
 * No exit hook and no signal listener lives here: the caller stops rooms, then pool, then this (M1).
 */
import { realpathSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { readyCluster, SUPERUSER, syncNewCluster } from './embedded/cluster-files.ts'
import { takeLock } from './embedded/lock.ts'
import { embeddedPackage, readyPrograms } from './embedded/native.ts'
import { canEnter, choosePlace, handOver, type Place } from './embedded/place.ts'
import {
  type Cluster,
  clearLeftPidFile,
  openLog,
  settled,
  standing,
  startPostmaster,
  stopPostmaster,
} from './embedded/postmaster.ts'
import { EmbeddedStartError } from './embedded/start-error.ts'

export { EmbeddedStartError, embeddedPackage }

const DATABASE = 'livedraw'
const ANSWER_MS_MAX = 10_000

export type EmbeddedPostgres = {
  /** postgres://livedraw:...@127.0.0.1:port/livedraw, the superuser of this cluster. */
  url: string
  port: number
  /** Directory of the cluster itself. */
  dataDir: string
  /** True when PostgreSQL was found running: our last process was killed (M2). */
  adopted: boolean
  /**
   * Stops PostgreSQL (`pg_ctl -m fast -w stop`) and gives the data directory free; calling it again does nothing.
   * Past the deadline it returns all the same: PostgreSQL finishes by itself, which is safe, and the next start waits.
   */
  stop(deadlineMs?: number): Promise<void>
}

export type EmbeddedOptions = {
  /** DATA_DIR: the cluster goes to <dataDir>/postgres, its password and lock beside it. */
  dataDir: string
  log(message: string): void
  /** Settings of PostgreSQL beside ours, as for `-c`; an adopted PostgreSQL keeps those it was started with. */
  settings?: Record<string, string>
}

/**
 * Measured for the group commit of the spin path on two cores; durability (fsync, synchronous_commit) stays on.
 * Fewer, later checkpoints and compressed page images keep the write-ahead log small while spins are written.
 */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '256MB',
  wal_compression: 'on',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  checkpoint_completion_target: '0.9',
  // A table of the first minutes has no statistics, and plans made without them read what they need not.
  autovacuum_naptime: '10s',
  fsync: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/**
 * Starts the embedded PostgreSQL on `dataDir`, or adopts the one that our last process left running.
 *
 * Makes the cluster and the database `livedraw` when there are none. Half a cluster is never taken for one.
 * Refuses with EmbeddedStartError: no package for this platform, a second server on the directory, a directory that
 * cannot be used, a pid file of a foreign process, a lost password, data that PostgreSQL refuses.
 * Source: dependencies.md section 6.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const place = choosePlace(options.dataDir, options.log)
  try {
    return await startIn(place, options)
  } catch (error) {
    throw readable(error, place)
  }
}

/** A full disk or a missing permission may show at any step; a person gets it as a sentence too. */
function readable(error: unknown, place: Place): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined) return error
  return new EmbeddedStartError(
    `The data directory ${place.dataDir} cannot be used (${message}); repair that, or set DATA_DIR to another one.`,
    { cause: error },
  )
}

async function startIn(place: Place, options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const lock = await takeLock(place.lock_file)
  if ('pid' in lock) {
    const who = lock.pid === process.pid ? 'This process' : `Another Livedraw (process ${lock.pid})`
    throw new EmbeddedStartError(
      `${who} already runs on ${place.dataDir}; stop it first, or set DATA_DIR to another directory.`,
    )
  }
  try {
    return await startLocked(place, options, lock.release)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function startLocked(
  place: Place,
  options: EmbeddedOptions,
  release: () => void,
): Promise<EmbeddedPostgres> {
  const { log } = options
  const settings = { ...SETTINGS, ...options.settings }
  const programs = await readyPrograms((path) => canEnter(path, place.identity), place.dir, log)
  const { password, is_new } = await readyCluster(place, programs.initdb, log)
  const { cluster: dir, log_file, identity } = place
  const cluster: Cluster = { dir, log_file, pg_ctl: programs.pg_ctl, identity }

  const adopted_port = await adoptRunning(dir, password, log)
  if (adopted_port === null) openLog(log_file, (path, mode) => handOver(path, mode, identity))
  const port = adopted_port ?? (await startPostmaster(cluster, settings))
  try {
    const must_sync = is_new && settings['fsync'] !== 'off'
    await Promise.all([
      ensureDatabase(password, port),
      must_sync ? syncNewCluster(place, programs.initdb) : null,
    ])
  } catch (error) {
    // Nobody would stop what we started for a caller who gets no handle.
    if (adopted_port === null) await stopPostmaster(cluster, ANSWER_MS_MAX)
    throw error
  }

  const watch = keepRunning(cluster, settings, port, log)
  let stopped: Promise<void> | null = null
  const stop = async (deadline_ms: number) => {
    const began_at = performance.now()
    await watch.end()
    await stopAndRelease(cluster, Math.max(0, deadline_ms - (performance.now() - began_at)), log, release)
  }
  return {
    url: urlOf(password, port, DATABASE),
    port,
    dataDir: dir,
    adopted: adopted_port !== null,
    stop: (deadlineMs = 15_000) => (stopped ??= stop(deadlineMs)),
  }
}

/** A postmaster that died is noticed this soon; a player is told to try again in the meantime. */
const WATCH_EVERY_MS = 500

/**
 * Starts PostgreSQL again, on the same port, when it was killed or stopped under us (F6): the pool connects anew by
 * itself. A start that fails is tried again, and said each time. `end` ends the watch and waits for a start under way.
 */
function keepRunning(
  cluster: Cluster,
  settings: Record<string, string>,
  port: number,
  log: (message: string) => void,
): { end(): Promise<void> } {
  let starting: Promise<void> | undefined
  const startAgain = async () => {
    log('PostgreSQL is gone and is started again.')
    clearLeftPidFile(cluster.dir)
    await startPostmaster(cluster, settings, async () => port)
    log('PostgreSQL is back.')
  }
  const timer = setInterval(() => {
    if (starting !== undefined || !isGone(cluster.dir)) return
    starting = startAgain()
      .catch((error: Error) => log(`PostgreSQL could not be started again: ${error.message}`))
      .finally(() => {
        starting = undefined
      })
  }, WATCH_EVERY_MS).unref()
  return {
    async end() {
      clearInterval(timer)
      await starting
    },
  }
}

/** Only what is known to be gone is started again. While no file can be opened (F26) nothing is known. */
function isGone(dir: string): boolean {
  try {
    return standing(dir).kind !== 'running'
  } catch {
    return false
  }
}

/** The port of a postmaster that already runs on `dir` and answers; null when there is none and one may be started. */
async function adoptRunning(
  dir: string,
  password: string,
  log: (message: string) => void,
): Promise<number | null> {
  const give_up_at = performance.now() + ANSWER_MS_MAX
  for (;;) {
    const found = await settled(dir, log)
    if (found.kind === 'stopped') return null
    if (found.kind === 'left') {
      clearLeftPidFile(dir)
      return null
    }
    if (found.kind === 'foreign') {
      throw new EmbeddedStartError(
        `${dir}/postmaster.pid ${found.why}; if no PostgreSQL works on this directory, remove that file and start again.`,
      )
    }
    const { pid, port } = found.file
    const refusal = await whyNotOurs(dir, password, port)
    if (refusal === null) {
      log(`PostgreSQL (process ${pid}) was still running and is adopted.`)
      return port
    }
    if (refusal.is_final || performance.now() > give_up_at) {
      throw new EmbeddedStartError(
        `A PostgreSQL (process ${pid}) holds ${dir} and cannot be used (${refusal.why}); end it and start again.`,
      )
    }
    await sleep(50)
  }
}

/** null when the PostgreSQL on `port` takes our password and works on `dir`. */
async function whyNotOurs(
  dir: string,
  password: string,
  port: number,
): Promise<{ why: string; is_final: boolean } | null> {
  try {
    const [row] = await query(urlOf(password, port, 'postgres'), 'show data_directory')
    const its_dir = String(row?.['data_directory'])
    return realpathSync(its_dir) === realpathSync(dir)
      ? null
      : { why: `it works on ${its_dir}`, is_final: true }
  } catch (error) {
    const is_wrong_password = (error as { code?: string }).code === '28P01'
    return { why: (error as Error).message, is_final: is_wrong_password }
  }
}

async function ensureDatabase(password: string, port: number): Promise<void> {
  const url = urlOf(password, port, 'postgres')
  try {
    const found = await query(url, `select 1 from pg_database where datname = '${DATABASE}'`)
    if (found.length === 0) await query(url, `create database ${DATABASE}`)
  } catch (error) {
    throw new EmbeddedStartError(
      `PostgreSQL runs on port ${port} but refuses its owner (${(error as Error).message}); ` +
        'bring back the postgres.password that DATA_DIR had, or move its database away to start with an empty one.',
      { cause: error },
    )
  }
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2_000,
    query_timeout: 10_000,
  })
  // A client without a listener ends the process when PostgreSQL dies at the wrong moment (M3).
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query(text)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

function urlOf(password: string, port: number, database: string): string {
  return `postgres://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`
}

async function stopAndRelease(
  cluster: Cluster,
  deadline_ms: number,
  log: (message: string) => void,
  release: () => void,
): Promise<void> {
  try {
    const is_down = await stopPostmaster(cluster, deadline_ms)
    if (!is_down) log('PostgreSQL is left to finish its shutdown by itself; the next start waits for it.')
  } finally {
    release()
  }
}
