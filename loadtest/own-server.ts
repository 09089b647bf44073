/** A server of the load test's own: a child process on a free port with a data directory that goes away with it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Failure } from '../src/commands/command.ts'

export type OwnServer = { url: string; pid: number; dataDir: string; stop(): Promise<void> }

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const READY_MS_MAX = 60_000
const STOP_MS_MAX = 30_000

/**
 * Starts the server and waits for its ready line. It trusts this machine as a proxy, so that every bot can come from
 * an address of its own, as real players do; the limits per address stay on.
 */
export async function startOwnServer(): Promise<OwnServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'livedraw-loadtest-'))
  const { DATABASE_URL: _database, ...env } = process.env
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...env,
      PORT: '0',
      HOST: '127.0.0.1',
      DATA_DIR: dataDir,
      DEMO: '1',
      NODE_ENV: '',
      TRUST_PROXY: '127.0.0.1',
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C reaches us, and we stop it in order.
    detached: true,
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk).slice(-4_000)
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await ended
    clearTimeout(late)
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
  try {
    const url = await Promise.race([
      readyUrl(child.stdout),
      ended.then(([code]) => {
        throw new Failure(`The server ended with ${code} before it was ready:\n${said}`)
      }),
    ])
    return { url, pid: child.pid!, dataDir, stop }
  } catch (error) {
    if (child.exitCode === null) await stop()
    throw error
  }
}

async function readyUrl(stdout: NodeJS.ReadableStream): Promise<string> {
  const late = setTimeout(
    () => stdout.emit('error', new Failure('The server was not ready in time.')),
    READY_MS_MAX,
  )
  try {
    for await (const line of createInterface({ input: stdout })) {
      if (!line.startsWith('{')) continue
      const said = JSON.parse(line) as { event?: string; url?: string }
      if (said.event === 'ready') {
        stdout.resume()
        return said.url!
      }
    }
  } finally {
    clearTimeout(late)
  }
  throw new Failure('The server closed its output before it was ready.')
}
