/** The postmaster of one cluster: what its pid file tells, starting it on a free port, stopping it. Only through pg_ctl. */
import { closeSync, openSync, readFileSync, readlinkSync, realpathSync, rmSync, statSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Identity, processFacts, runProgram } from './processes.ts'
import { EmbeddedStartError } from './start-error.ts'

export type Cluster = { dir: string; log_file: string; pg_ctl: string; identity: Identity }

/** The lines of postmaster.pid that matter: 1 pid, 2 data directory, 3 start time, 4 port, 8 state. */
export type PidFile = { pid: number; data_dir: string; started_at_ms: number; port: number; state: string }

/**
 * stopped: nothing runs, no pid file. left: the pid file of a dead postmaster is lying there. running: ours, in whatever
 * state. foreign: the pid file names something that is alive and is not the postmaster of this directory.
 */
export type Standing =
  | { kind: 'stopped' }
  | { kind: 'left' }
  | { kind: 'running'; file: PidFile }
  | { kind: 'foreign'; why: string }

const POLL_MS = 10
// Crash recovery replays up to max_wal_size; while the postmaster lives and recovers, waiting is right.
const RECOVERY_MS_MAX = 600_000
const SETTLE_MS_MAX = 10_000
const PORT_ATTEMPTS_MAX = 5

/** Reads postmaster.pid; null when there is none. Missing lines are empty: it grows while the postmaster starts. */
export function readPidFile(cluster_dir: string): PidFile | null {
  let lines: string[]
  try {
    lines = readFileSync(join(cluster_dir, 'postmaster.pid'), 'utf8').split('\n')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
  const line = (number: number) => lines[number - 1]?.trim() ?? ''
  return {
    pid: Number(line(1)),
    data_dir: line(2),
    started_at_ms: Number(line(3)) * 1000,
    port: Number(line(4)),
    state: line(8),
  }
}

/** Tells apart the cases that `pg_ctl status` calls "running": it only asks whether the process id exists (M2). */
export function standing(cluster_dir: string): Standing {
  const file = readPidFile(cluster_dir)
  if (file === null) return { kind: 'stopped' }
  const facts = processFacts(file.pid)
  if (facts === null || facts.is_zombie) return { kind: 'left' }
  if (facts.name !== null && !/^postgres(\.exe)?$/.test(facts.name)) {
    // The id was given to another program after the postmaster had died: usual after a restarted container.
    const reused = facts.started_at_ms !== null && facts.started_at_ms > file.started_at_ms + 2_000
    return reused
      ? { kind: 'left' }
      : { kind: 'foreign', why: `names process ${file.pid}, which is ${facts.name}` }
  }
  if (!isSameDirectory(file.data_dir, cluster_dir)) {
    return { kind: 'foreign', why: `is of a PostgreSQL (process ${file.pid}) that works on ${file.data_dir}` }
  }
  const working_dir = workingDirectory(file.pid)
  if (working_dir !== null && !isSameDirectory(working_dir, cluster_dir)) {
    return { kind: 'foreign', why: `names process ${file.pid}, a PostgreSQL that works on ${working_dir}` }
  }
  return { kind: 'running', file }
}

function isSameDirectory(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other)
  } catch {
    return false
  }
}

/** A postmaster's working directory is its data directory; null where the system does not tell. */
function workingDirectory(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return null
  }
}

/**
 * Removes the pid file of a dead postmaster where PostgreSQL would believe it: its id is not reaped yet, or reused.
 * Otherwise the file stays, because PostgreSQL also looks there for children that outlive their postmaster.
 */
export function clearLeftPidFile(cluster_dir: string): void {
  const file = readPidFile(cluster_dir)
  if (file === null || processFacts(file.pid) === null) return
  rmSync(join(cluster_dir, 'postmaster.pid'), { force: true })
}

/**
 * Starts the postmaster on a port of 127.0.0.1 that `choosePort` names, and returns the port once it takes connections.
 *
 * A port that was taken in between is replaced by another; children of a killed postmaster get time to go.
 * Refuses with EmbeddedStartError, the reason and the last lines of the log in its message.
 */
export async function startPostmaster(
  cluster: Cluster,
  settings: Record<string, string>,
  choosePort: () => Promise<number> = freePort,
): Promise<number> {
  const give_up_at = performance.now() + SETTLE_MS_MAX
  for (let attempt = 1; ; ) {
    const port = await choosePort()
    const failure = await tryStart(cluster, { ...settings, port: String(port) }, port)
    if (failure === null) return port
    if (/could not bind|could not create any TCP\/IP sockets/.test(failure) && attempt < PORT_ATTEMPTS_MAX) {
      attempt += 1
    } else if (
      /is still in use|lock file .* already exists/.test(failure) &&
      performance.now() < give_up_at
    ) {
      await sleep(100)
    } else {
      throw new EmbeddedStartError(
        `PostgreSQL did not start on ${cluster.dir}: ${reasonIn(failure)}. ` +
          `Repair that or restore a backup; to start with an empty database, move the directory away.\n${failure}`,
      )
    }
  }
}

/** The message of the last line that PostgreSQL itself calls fatal, without its stamp. */
function reasonIn(log_lines: string): string {
  const fatal = [...log_lines.matchAll(/(?:FATAL|PANIC|error|postgres):\s+(.*)$/gm)].at(-1)?.[1]
  return (fatal ?? 'its log tells no reason').replace(/\.$/, '')
}

/** null when it takes connections on `port`, otherwise what pg_ctl and the log said. */
async function tryStart(
  cluster: Cluster,
  settings: Record<string, string>,
  port: number,
): Promise<string | null> {
  const log_start = statSync(cluster.log_file, { throwIfNoEntry: false })?.size ?? 0
  const started = runProgram(cluster.pg_ctl, startArguments(cluster, settings), cluster.identity)
  const done = started.then((ran) => ({ ran }))
  // pg_ctl looks every 100 ms; looking ourselves too saves most of that at every start.
  for (;;) {
    const result = await Promise.race([done, sleep(POLL_MS, null)])
    if (result === null && !isReady(cluster.dir, port)) continue
    if (result === null || result.ran.code === 0) return null
    const log = tailOf(cluster.log_file, log_start)
    return [result.ran.output, log].filter((text) => text !== '').join('\n')
  }
}

function isReady(cluster_dir: string, port: number): boolean {
  const file = readPidFile(cluster_dir)
  return file !== null && file.port === port && file.state === 'ready' && processFacts(file.pid) !== null
}

function startArguments(cluster: Cluster, settings: Record<string, string>): string[] {
  const options = Object.entries(settings).map(([name, value]) => `-c ${quoteForShell(`${name}=${value}`)}`)
  const wait_s = String(RECOVERY_MS_MAX / 1000)
  return [
    'start',
    '-s',
    '-w',
    '-t',
    wait_s,
    '-D',
    cluster.dir,
    '-l',
    cluster.log_file,
    '-o',
    options.join(' '),
  ]
}

/** pg_ctl hands its -o to a shell. */
function quoteForShell(text: string): string {
  return process.platform === 'win32' ? `"${text.replaceAll('"', '')}"` : `'${text.replaceAll("'", `'\\''`)}'`
}

const TAIL_LINES_MAX = 12

function tailOf(log_file: string, from_byte: number): string {
  try {
    const text = readFileSync(log_file).subarray(from_byte).toString('utf8')
    return text.trimEnd().split('\n').slice(-TAIL_LINES_MAX).join('\n')
  } catch {
    return ''
  }
}

const LOG_BYTES_MAX = 10_000_000

/** Makes the log file ready for the user of PostgreSQL; one that has grown past 10 MB is started anew. */
export function openLog(log_file: string, handOver: (path: string, mode: number) => void): void {
  const size = statSync(log_file, { throwIfNoEntry: false })?.size ?? 0
  closeSync(openSync(log_file, size > LOG_BYTES_MAX ? 'w' : 'a', 0o600))
  handOver(log_file, 0o600)
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/**
 * Asks for a fast shutdown and waits for it. True when PostgreSQL is down; false past the deadline, when it goes on
 * with its shutdown by itself: nothing committed is lost, and the next start waits for it.
 */
export async function stopPostmaster(cluster: Cluster, deadline_ms: number): Promise<boolean> {
  if (standing(cluster.dir).kind !== 'running') return true
  const wait_s = String(Math.ceil(deadline_ms / 1000))
  const args = ['stop', '-s', '-m', 'fast', '-w', '-t', wait_s, '-D', cluster.dir]
  await runProgram(cluster.pg_ctl, args, cluster.identity, deadline_ms)
  return standing(cluster.dir).kind !== 'running'
}

/** Waits for a postmaster that is starting, recovering or stopping until `standing` says something final. */
export async function settled(cluster_dir: string, log: (message: string) => void): Promise<Standing> {
  const began_at = performance.now()
  let said = false
  for (;;) {
    const now = standing(cluster_dir)
    if (now.kind !== 'running' || now.file.state === 'ready') return now
    const waited_ms = performance.now() - began_at
    if (waited_ms > RECOVERY_MS_MAX) return now
    if (!said && waited_ms > 2_000) {
      log(`PostgreSQL (process ${now.file.pid}) is ${now.file.state || 'starting'}; waiting for it.`)
      said = true
    }
    await sleep(POLL_MS)
  }
}
