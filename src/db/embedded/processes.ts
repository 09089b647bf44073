/** What the system knows of a process id: whether it lives, what it is, and since when. Runs children for this folder. */
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parse } from 'node:path'
import { EmbeddedStartError } from './start-error.ts'

export type ProcessFacts = {
  /** Dead, but its parent has not asked for the exit code yet: `kill(pid, 0)` still succeeds. */
  is_zombie: boolean
  /** The program's short name, or null where the system does not tell (Windows). */
  name: string | null
  /** Differs between two processes that had the same id, over reboots too. */
  incarnation: string
  /** When it started, in ms since the epoch, good to a second; null where the system does not tell. */
  started_at_ms: number | null
}

/** Facts of the process `pid`, or null when there is none. Reads /proc on Linux, asks `ps` on other Unixes. */
export function processFacts(pid: number): ProcessFacts | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null
  if (process.platform === 'linux') return factsFromProc(pid)
  return process.platform === 'win32' ? factsFromSignal(pid) : factsFromPs(pid)
}

function factsFromProc(pid: number): ProcessFacts | null {
  const stat = readOrNull(`/proc/${pid}/stat`)
  if (stat === null) return null
  // The name stands in parentheses and may hold spaces and parentheses itself; fields are counted after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const start_ticks = fields[19] ?? ''
  const boot_s = Number(/^btime (\d+)/m.exec(readOrNull('/proc/stat') ?? '')?.[1])
  const ticks_per_s = 100 // USER_HZ, the same on every architecture that Node runs on
  const started_at_ms = (boot_s + Number(start_ticks) / ticks_per_s) * 1000
  return {
    is_zombie: fields[0] === 'Z' || fields[0] === 'X',
    name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
    incarnation: `${(readOrNull('/proc/sys/kernel/random/boot_id') ?? '').trim()}:${start_ticks}`,
    started_at_ms: Number.isFinite(started_at_ms) ? started_at_ms : null,
  }
}

function factsFromPs(pid: number): ProcessFacts | null {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=,comm=', '-p', String(pid)], {
      encoding: 'utf8',
      env: PROGRAM_ENVIRONMENT,
    }).trim()
    const [, state = '', started = '', name = ''] = /^(\S+)\s+((?:\S+\s+){4}\S+)\s+(.*)$/.exec(line) ?? []
    const started_at_ms = Date.parse(started)
    return {
      is_zombie: state.startsWith('Z'),
      name: parse(name).base,
      incarnation: started,
      started_at_ms: Number.isFinite(started_at_ms) ? started_at_ms : null,
    }
  } catch {
    return null
  }
}

function factsFromSignal(pid: number): ProcessFacts | null {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return null
  }
  return { is_zombie: false, name: null, incarnation: '', started_at_ms: null }
}

/** What the system says is not there, or not ours to see. A file that cannot be opened now (EMFILE) says nothing. */
const NOT_THERE = ['ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES', 'EPERM']

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (NOT_THERE.includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

/** Who runs PostgreSQL; null means this process's own user. */
export type Identity = { uid: number; gid: number; name: string } | null

export type Ran = { code: number | null; output: string; timed_out: boolean }

/**
 * Runs one of PostgreSQL's programs as `identity` and collects what it says.
 * Past `timeout_ms` the program (never its postmaster) is ended and `timed_out` is true.
 * Refuses with EmbeddedStartError when the program cannot be run at all.
 */
export function runProgram(file: string, args: string[], identity: Identity, timeout_ms = 0): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      // A directory that every user can enter: PostgreSQL's programs look up where they are.
      cwd: parse(file).root,
      env: PROGRAM_ENVIRONMENT,
      // On Windows the postmaster would inherit the pipes and keep them open for as long as it lives.
      stdio: [
        'ignore',
        ...(process.platform === 'win32' ? (['ignore', 'ignore'] as const) : (['pipe', 'pipe'] as const)),
      ],
      ...(identity === null ? {} : { uid: identity.uid, gid: identity.gid }),
    })
    let output = ''
    let timed_out = false
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => (output += String(chunk)))
    const timer = timeout_ms > 0 ? setTimeout(endIt, timeout_ms) : null
    function endIt() {
      timed_out = true
      child.kill('SIGKILL')
    }
    child.on('error', (error) => {
      if (timer) clearTimeout(timer)
      reject(cannotRun(file, identity, error))
    })
    child.on('close', (code) => {
      if (timer) clearTimeout(timer)
      resolve({ code, output: output.trim(), timed_out })
    })
  })
}

/** Nothing of ours reaches PostgreSQL: no PG* that would redirect it, no secret, no locale that it does not have. */
const PROGRAM_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

function cannotRun(file: string, identity: Identity, error: Error): EmbeddedStartError {
  const as = identity === null ? '' : ` as the user ${identity.name}`
  return new EmbeddedStartError(
    `The PostgreSQL that came with the packages cannot be run here (${file}${as}: ${error.message}); ` +
      'set DATABASE_URL to a PostgreSQL 15 or newer.',
    { cause: error },
  )
}
