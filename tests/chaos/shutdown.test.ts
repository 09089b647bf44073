/** The real process, from outside: what it serves beside the product (nothing), and how it ends when something hangs. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { readPidFile } from '../../src/db/embedded/postmaster.ts'
import { processFacts } from '../../src/db/embedded/processes.ts'
import { until } from '../rooms/harness.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const START_MS_MAX = 60_000
const DEADLINE_MS = 2_000
/** A process that is past its deadline has only to end: what is more is the machine. */
const LATE_MS_MAX = 20_000

type Running = { child: ChildProcess; url: string; said: string[] }

describe('the process and its end', function () {
  this.timeout(2 * START_MS_MAX)
  let dir: string
  let running: Running | undefined
  let frozen: number[] = []

  before(function () {
    if (process.platform === 'win32') this.skip()
    dir = mkdtempSync(join(tmpdir(), 'livedraw-shutdown-'))
  })
  afterEach(async () => {
    for (const pid of frozen) signal(pid, 'SIGCONT')
    frozen = []
    if (running?.child.exitCode === null) running.child.kill('SIGKILL')
    running = undefined
    await stopPostgres()
  })
  after(() => {
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
  })

  it('H14 there is no monitor and no playground, and a stop with nothing in the way ends with 0', async () => {
    running = await start()
    for (const path of [
      '/colyseus',
      '/monitor',
      '/playground',
      '/__playground',
      '/colyseus/api',
      '/monitor/api',
    ]) {
      for (const method of ['GET', 'POST']) {
        const { status } = await fetch(`${running.url}${path}`, { method })
        assert.equal(status, 404, `${method} ${path}`)
      }
    }
    assert.equal(await codeAfterStop(running.child), 0)
    assert.equal(postmaster(), undefined, 'PostgreSQL is down')
  })

  it('P-50 every metric that the shipped alert rules name is in what a server shows', async () => {
    running = await start()
    const shown = await (await fetch(`${running.url}/metrics`)).text()
    const names = new Set([...shown.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name]) => name!))
    // The parser that mocha brings for its own settings.
    const { load } = createRequire(createRequire(import.meta.url).resolve('mocha'))('js-yaml')
    const { rules } = load(readFileSync(join(ROOT, 'deploy/alerts.yml'), 'utf8')).groups[0]
    assert.ok(rules.length >= 10)
    for (const { alert, expr, labels, annotations } of rules) {
      assert.ok(['critical', 'warning'].includes(labels.severity) && annotations.summary.length > 20, alert)
      const named = [...expr.matchAll(/\b((?:livedraw|process|nodejs)_\w+)/g)].map(([, name]) => name)
      if (alert !== 'LivedrawDown') assert.ok(named.length > 0, alert)
      for (const name of named)
        assert.ok(names.has(name.replace(/_(bucket|count|sum)$/, '')), `${alert} asks for ${name}`)
    }
    assert.match(shown, /^# TYPE livedraw_spins_total counter$/m)
    assert.match(shown, /^livedraw_ready 1$/m)
    assert.equal(await codeAfterStop(running.child), 0)
  })

  it('H34 F5 a stop that hangs on a frozen PostgreSQL, asked for twice, ends with 1 at SHUTDOWN_DEADLINE_MS, and the next start goes on', async () => {
    running = await start({ SHUTDOWN_DEADLINE_MS: String(DEADLINE_MS) })
    frozen = [postmaster()!, ...childrenOf(postmaster()!)]
    for (const pid of frozen) signal(pid, 'SIGSTOP')
    // Work that waits for the database, which will not answer; nor will it end when it is told to.
    const asked = fetch(`${running.url}/readyz`).catch(() => null)
    const began_at = performance.now()
    const { child } = running
    // Whoever waits asks again; it must neither hurry nor start over.
    setTimeout(() => child.kill('SIGTERM'), DEADLINE_MS / 4)
    assert.equal(await codeAfterStop(child), 1)
    const took_ms = performance.now() - began_at
    assert.ok(took_ms > DEADLINE_MS - 100, `it gave up after ${took_ms} ms`)
    assert.ok(running.said.some((line) => line.includes('the deadline for stopping has passed')))
    await asked

    for (const pid of frozen.splice(0)) signal(pid, 'SIGCONT')
    running = await start()
    assert.equal(await codeAfterStop(running.child), 0)
  })

  /** Starts the server on the directory of this file and waits for its ready line. */
  async function start(more: Record<string, string> = {}): Promise<Running> {
    const { DATABASE_URL: _d, REDIS_URL: _r, NODE_ENV: _n, LOG_LEVEL: _l, ...rest } = process.env
    const env = { ...rest, DATA_DIR: dir, DEMO: '0', HOST: '127.0.0.1', PORT: '0', ...more }
    const child = spawn(process.execPath, ['src/main.ts'], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said: string[] = []
    let url: string | undefined
    createInterface({ input: child.stderr }).on('line', (line) => said.push(line))
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) url = (JSON.parse(line) as { url: string }).url
    })
    running = { child, url: '', said }
    await until('the ready line', () => url !== undefined || child.exitCode !== null, START_MS_MAX)
    assert.ok(url, `the server did not start: ${said.join('\n')}`)
    return { child, url, said }
  }

  /** Sends SIGTERM and answers the exit code; null when the process had to be killed after its deadline. */
  async function codeAfterStop(child: ChildProcess): Promise<number | null> {
    const exited = once(child, 'exit') as Promise<[code: number | null]>
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS + LATE_MS_MAX)
    const [code] = await exited
    clearTimeout(late)
    return code
  }

  /** The id of the PostgreSQL on the directory of this file, when it lives. */
  function postmaster(): number | undefined {
    const pid = readPidFile(join(dir, 'postgres'))?.pid
    const facts = pid === undefined ? null : processFacts(pid)
    return facts === null || facts.is_zombie ? undefined : pid
  }

  function childrenOf(parent: number): number[] {
    return execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .filter(([, ppid]) => ppid === parent)
      .map(([pid]) => pid!)
  }

  async function stopPostgres(): Promise<void> {
    const pid = postmaster()
    if (pid === undefined) return
    signal(pid, 'SIGINT') // a fast shutdown
    await until('the end of PostgreSQL', () => postmaster() === undefined, START_MS_MAX)
  }

  /** A process that is gone needs no signal. */
  function signal(pid: number, name: NodeJS.Signals): void {
    try {
      process.kill(pid, name)
    } catch {}
  }
})
