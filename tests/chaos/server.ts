/** The real server as a child process on a data directory of its own, and a player who keeps a log of what was said. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { JWK } from 'jose'
import pg from 'pg'
import { runningEmbeddedUrl } from '../../src/commands/database.ts'
import { standing } from '../../src/db/embedded/postmaster.ts'
import type { Role } from '../../src/db/tx.ts'
import { makeTokens } from '../../src/http/tokens.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** A first start makes a whole database cluster on a busy machine. */
const START_PATIENCE_MS = 90_000

export type Server = { url: string; child: ChildProcess; exited: Promise<number | null> }

/** `ok`: answered, with these bytes. `fail`: refused. `info`: the line broke, and nobody knows. */
export type Outcome =
  | { kind: 'ok'; text: string }
  | { kind: 'fail'; status: number; code: string }
  | { kind: 'info'; why: string }

/**
 * `more`: further variables of the server's environment; a `start` may replace them. `disk_mb`: on a disk of its own of
 * that size, where this user may make one; otherwise `disk_fault` says why not.
 */
export function makePlace(more: Record<string, string> = {}, { disk_mb }: { disk_mb?: number } = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'livedraw-chaos-'))
  const disk_fault = disk_mb === undefined ? null : mountFault(dataDir, disk_mb)
  const running = new Set<Server>()
  let owner_url = ''
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    DATA_DIR: dataDir,
    DEMO: '0',
    PORT: '0',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'error',
    WEBHOOK_LOOPBACK: '1',
    ...more,
  }

  /** `files_max`: the limit of open files of the server and of its PostgreSQL. */
  async function start(
    replaced: Record<string, string> = {},
    { files_max }: { files_max?: number } = {},
  ): Promise<Server> {
    const command = [process.execPath, join(ROOT, 'src/main.ts')]
    const [program, ...args] =
      files_max === undefined
        ? command
        : ['/bin/sh', '-c', `ulimit -n ${files_max}; exec "$@"`, 'sh', ...command]
    const child = spawn(program!, args, {
      env: { ...env, ...replaced },
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let complaints = ''
    child.stderr!.on('data', (bytes) => {
      complaints += bytes
    })
    const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
    const ready = new Promise<string>((resolve) => {
      createInterface(child.stdout!).on('line', (line) => {
        if (line.includes('"event":"ready"')) resolve((JSON.parse(line) as { url: string }).url)
      })
    })
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`not ready in time: ${complaints}`)), START_PATIENCE_MS).unref()
      void exited.then((code) => reject(new Error(`ended with ${code}: ${complaints}`)))
    })
    const server = { url: '', child, exited }
    running.add(server)
    void exited.then(() => running.delete(server))
    server.url = await Promise.race([ready, late])
    late.catch(() => {})
    owner_url = runningEmbeddedUrl(dataDir) ?? owner_url
    return server
  }

  const tokens = () =>
    makeTokens(JSON.parse(readFileSync(join(dataDir, 'keys', 'token-key.json'), 'utf8')) as JWK)

  async function token(sub: string, roles: Role[], tenant: string | null = 'chaos'): Promise<string> {
    return (await tokens().sign({ sub, tenant, roles, ttl_s: 3_600 })).token
  }

  /** Runs a command of the product on the same data directory. */
  async function command(name: string, ...args: string[]): Promise<{ code: number | null; text: string }> {
    const child = spawn(process.execPath, [join(ROOT, `src/commands/${name}.ts`), ...args], {
      env,
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (bytes) => {
        text += bytes
      })
    }
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { code, text }
  }

  /** Another process on the same database, with the same keys and a place of its own for everything else. */
  async function startSecond(): Promise<Server> {
    const elsewhere = join(dataDir, 'second')
    cpSync(join(dataDir, 'keys'), join(elsewhere, 'keys'), { recursive: true })
    return start({ DATABASE_URL: owner_url, DATA_DIR: elsewhere })
  }

  /**
   * Rows as the owner of the database sees them, also while no server lives: for what a test asserts, never for what it
   * does.
   */
  async function rows(text: string, values: readonly unknown[] = []): Promise<any[]> {
    const client = new pg.Client({ connectionString: owner_url })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(text, values as unknown[])).rows
    } finally {
      await client.end()
    }
  }

  /** Kills one of the processes that serve the server's connections; PostgreSQL then ends all of them and recovers. */
  async function killBackend(): Promise<void> {
    const client = new pg.Client({ connectionString: runningEmbeddedUrl(dataDir)! })
    client.on('error', () => {})
    await client.connect()
    const { rows } = await client.query(
      `select pid from pg_stat_activity where application_name = 'livedraw' order by random() limit 1`,
    )
    process.kill(rows[0].pid, 'SIGKILL')
    await client.end().catch(() => {})
  }

  /** The process of the embedded PostgreSQL, or null when none runs. */
  function postmaster(): number | null {
    const location_file = join(dataDir, 'postgres.location')
    const place = existsSync(location_file) ? readFileSync(location_file, 'utf8').trim() : dataDir
    const found = standing(join(place, 'postgres'))
    return found.kind === 'running' ? found.file.pid : null
  }

  async function remove(): Promise<void> {
    for (const { child, exited } of running) {
      child.kill('SIGKILL')
      await exited
    }
    const location_file = join(dataDir, 'postgres.location')
    const elsewhere = existsSync(location_file) ? readFileSync(location_file, 'utf8').trim() : null
    const pid = postmaster()
    if (pid !== null) process.kill(pid, 'SIGQUIT')
    for (let waits = 0; postmaster() !== null && waits < 100; waits++)
      await new Promise((resolve) => setTimeout(resolve, 50))
    if (elsewhere !== null)
      rmSync(elsewhere, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    if (disk_mb !== undefined && disk_fault === null) spawnSync('umount', ['-l', dataDir])
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  /** The postmaster itself, as the kernel does it when memory runs out. */
  async function killPostmaster(): Promise<void> {
    process.kill(postmaster()!, 'SIGKILL')
  }

  return {
    dataDir,
    disk_fault,
    start,
    startSecond,
    token,
    command,
    rows,
    killBackend,
    killPostmaster,
    postmaster,
    remove,
  }
}

export type Place = ReturnType<typeof makePlace>

/** Mounts a disk that others may look into, as PostgreSQL runs as somebody else than root. */
function mountFault(dir: string, size_mb: number): string | null {
  if (process.platform !== 'linux') return 'disks of their own are made on Linux only'
  const { status, stderr, error } = spawnSync(
    'mount',
    ['-t', 'tmpfs', '-o', `size=${size_mb}m,mode=755`, 'tmpfs', dir],
    { encoding: 'utf8' },
  )
  return status === 0 ? null : `no disk can be mounted: ${error?.message ?? stderr.trim()}`
}

export async function post(
  url: string,
  token: string,
  json: unknown,
  key?: string,
): Promise<{ status: number; text: string }> {
  const response = await fetch(url, {
    method: 'POST',
    // A connection of its own: one that is kept may end between two requests, and nobody knows which it took.
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      connection: 'close',
      ...(key && { 'idempotency-key': key }),
    },
    body: JSON.stringify(json),
  })
  return { status: response.status, text: await response.text() }
}

export type Told = { status: number; text: string; body: any }

/** One request of the API as data; what is no JSON has no body. */
export async function ask(
  server: Pick<Server, 'url'>,
  method: 'get' | 'post',
  path: string,
  { token, body, key }: { token?: string; body?: object | undefined; key?: string } = {},
): Promise<Told> {
  const response = await fetch(`${server.url}/api/v1/${path}`, {
    method,
    headers: {
      connection: 'close',
      ...(token && { authorization: `Bearer ${token}` }),
      ...(key && { 'idempotency-key': key }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const is_json = /json/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, text, body: is_json ? JSON.parse(text) : undefined }
}

/** Posts what must succeed. Answers what was made. */
export async function made(
  server: Pick<Server, 'url'>,
  path: string,
  token: string,
  body: object = {},
): Promise<any> {
  const key = randomBytes(8).toString('hex')
  const { status, text, body: answer } = await ask(server, 'post', path, { token, body, key })
  assert.ok(status < 300, `${path}: ${status} ${text}`)
  return answer
}

/** Makes the tenant, a wheel with a stock that runs out, and players with chances. Answers their tokens. */
export async function furnish(place: Place, server: Server, player_count: number): Promise<string[]> {
  const api = `${server.url}/api/v1`
  const made = async (path: string, token: string, json: unknown) => {
    const { status, text } = await post(`${api}/${path}`, token, json, randomBytes(8).toString('hex'))
    assert.ok(status < 300, `${path}: ${status} ${text}`)
    return JSON.parse(text)
  }
  await made('tenants', await place.token('root', ['platform'], null), {
    tenant_code: 'chaos',
    tenant_name: 'Chaos',
  })
  const boss = await place.token('boss', ['operator'])
  const car = await made('prizes', boss, { name: 'Car', type: 'in_kind', stock: 30 })
  const points = await made('prizes', boss, {
    name: 'Points',
    type: 'loyalty_points',
    value: '5',
    cost_minor: 1,
  })
  await made('wheels', boss, {
    wheel_name: 'Chaos',
    wheel_slug: 'chaos',
    spin_config: { on_exhausted: 'points', round_every_s: 10, round_join_s: 1 },
    rewards: [
      { reward_slug: 'car', reward_label: 'Car', probability: '0.2', prize_id: car.id },
      { reward_slug: 'points', reward_label: 'Points', probability: '0.3', prize_id: points.id },
      { reward_slug: 'none', reward_label: 'None', probability: '0.5' },
    ],
  })
  await made('wheels/chaos/publish', boss, {})
  for (let i = 0; i < player_count; i++)
    await made('spin-chances', boss, { user_id: `player-${i}`, count: 10_000, reason: 'chaos' })
  return Promise.all(Array.from({ length: player_count }, (_, i) => place.token(`player-${i}`, ['player'])))
}

/** One spin, and how it ended as far as the player knows. */
export function spin(server: Server, token: string, request_id: string): Promise<Outcome> {
  return outcomeOf(
    post(`${server.url}/api/v1/wheels/chaos/spins`, token, {
      request_id,
      client_entropy: 'entropy-of-chaos-1',
    }),
  )
}

/** How a request ended as far as its sender knows. */
export async function outcomeOf(asking: Promise<{ status: number; text: string }>): Promise<Outcome> {
  try {
    const { status, text } = await asking
    if (status === 200 || status === 201) return { kind: 'ok', text }
    return { kind: 'fail', status, code: (JSON.parse(text) as { code: string }).code }
  } catch (error) {
    const { code } = ((error as Error).cause ?? error) as { code?: string }
    // What was never connected was never sent.
    if (code === 'ECONNREFUSED') return { kind: 'fail', status: 0, code }
    return { kind: 'info', why: String(code ?? error) }
  }
}
