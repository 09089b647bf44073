/** The command-line tools as a person runs them: what they print and the code they end with. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { jwtVerify } from 'jose'
import pg from 'pg'
import { checkClock, checkNode } from '../../src/commands/doctor.ts'
import { standing } from '../../src/db/embedded/postmaster.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { openPool } from '../../src/db/pool.ts'
import { makeTokens, OWN_AUDIENCE, OWN_ISSUER } from '../../src/http/tokens.ts'
import { loadTokenKey } from '../../src/keyfiles.ts'
import { emptyDatabase, testDatabase } from '../db/cluster.ts'
import { dumpSchema } from '../db/schema-dump.ts'
import { storyFairnessKey, storySeedKeys, tellStory } from './story.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

type Ended = { status: number | null; stdout: string; stderr: string }

describe('commands', function () {
  this.timeout(60_000)
  let dir: string
  const servers: Server[] = []

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'livedraw-commands-'))
  })
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
    rmSync(dir, { recursive: true, force: true })
  })

  /** Runs a tool with nothing in its environment but what is given. Asynchronous: a test may be its server. */
  function run(command: string, args: string[] = [], env: Record<string, string> = {}): Promise<Ended> {
    const given = { PATH: process.env['PATH'], DATA_DIR: dir, PORT: '0', NO_COLOR: '1', ...env }
    const child: ChildProcess = spawn(process.execPath, [`src/commands/${command}.ts`, ...args], {
      cwd: ROOT,
      env: given,
    })
    return new Promise((resolve) => {
      const out = { stdout: '', stderr: '' }
      child.stdout!.on('data', (chunk) => (out.stdout += chunk))
      child.stderr!.on('data', (chunk) => (out.stderr += chunk))
      child.on('close', (status) => resolve({ status, ...out }))
    })
  }

  async function listen(answer: (path: string) => { status: number; body: unknown }): Promise<number> {
    const server = createServer((request, response) => {
      const { status, body } = answer(request.url!)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  const pretendServer = (url: string, pid = process.pid) =>
    writeFileSync(
      join(dir, 'server.json'),
      JSON.stringify({ pid, url, started_at: '2026-11-20T12:00:00.000Z' }),
    )

  describe('token', () => {
    it('prints a token that this server accepts, with the tenant and the roles that were asked for', async () => {
      const { status, stdout } = await run('token', [
        '--tenant',
        'demo',
        '--sub',
        'alice',
        '--role',
        'player,operator',
        '--ttl',
        '60',
      ])
      assert.equal(status, 0)
      const { publicKey } = makeTokens(loadTokenKey({ dataDir: dir, tokenKey: null }))
      const { payload } = await jwtVerify(stdout.trim(), publicKey, {
        issuer: OWN_ISSUER,
        audience: OWN_AUDIENCE,
      })
      assert.deepEqual(
        [payload.sub, payload['tenant'], payload['roles']],
        ['alice', 'demo', ['player', 'operator']],
      )
      assert.equal(payload.exp! - payload.iat!, 60)
    })

    it('wrong use ends with 2 and names every mistake', async () => {
      const { status, stdout, stderr } = await run('token', [
        '--tenant',
        'De mo',
        '--sub',
        '',
        '--role',
        'king',
        '--ttl',
        '90000',
      ])
      assert.equal(status, 2)
      assert.equal(stdout, '')
      for (const option of ['--tenant', '--sub', '--role', '--ttl'])
        assert.ok(stderr.includes(option), option)
      assert.equal((await run('token', ['--sub', 'alice'])).status, 2)
      assert.equal((await run('token', ['--what'])).status, 2)
      assert.equal((await run('token', ['--help'])).status, 0)
    })

    it('in production it signs with TOKEN_KEY or not at all', async () => {
      const args = ['--tenant', 'demo', '--sub', 'alice']
      const { status, stderr } = await run('token', args, { NODE_ENV: 'production' })
      assert.equal(status, 2)
      assert.match(stderr, /TOKEN_KEY is required/)
      assert.equal(
        (await run('token', args, { NODE_ENV: 'production', TOKEN_KEY: storyFairnessKey })).status,
        0,
      )
    })
  })

  describe('migrate', () => {
    it('brings an empty database to this version, and a second run finds nothing to do', async () => {
      const database = await emptyDatabase()
      const env = { DATABASE_URL: database.url }
      assert.equal((await run('migrate', [], env)).status, 0)
      assert.equal((await run('migrate', [], env)).status, 0)
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      const { rows } = await client.query(`select to_regclass('spin_results') is not null as is_there`)
      await client.query(`insert into schema_migrations (name, run_on) values ('9999_future', now())`)
      await client.end()
      assert.deepEqual(rows, [{ is_there: true }])

      const ahead = await run('migrate', [], env)
      assert.equal(ahead.status, 1, 'F13: an old binary must not touch a newer schema')
      assert.match(ahead.stderr, /newer version of Livedraw \(9999_future\)/)
      assert.ok(!ahead.stderr.includes('    at '), 'a sentence for a person has no stack')
      await database.drop()
    })

    for (const after_ms of [0, 15, 40, 80]) {
      it(`F13 killed ${after_ms} ms after it connected, a second run completes the same schema`, async () => {
        const [half, whole] = [await emptyDatabase(), await testDatabase()]
        const watcher = openPool(half.url, () => {})
        const reference = openPool(whole.url, () => {})
        try {
          const env = { PATH: process.env['PATH'], DATA_DIR: dir, DATABASE_URL: half.url }
          const child = spawn(process.execPath, ['src/commands/migrate.ts'], {
            cwd: ROOT,
            env,
            stdio: 'ignore',
          })
          const ended = new Promise((resolve) => child.once('close', resolve))
          const hasConnected = async () => {
            const rows = await watcher.query(
              `select from pg_stat_activity where application_name = 'livedraw-migrate' and datname = current_database()`,
            )
            return rows.length > 0
          }
          while (child.exitCode === null && !(await hasConnected())) await sleep(2)
          await sleep(after_ms)
          child.kill('SIGKILL')
          await ended

          const second = await run('migrate', [], { DATABASE_URL: half.url })
          assert.equal(second.status, 0, second.stderr)
          assert.equal(await dumpSchema(watcher), await dumpSchema(reference))
        } finally {
          await watcher.end()
          await reference.end()
          await half.drop()
          await whole.drop()
        }
      })
    }

    it('without DATABASE_URL it starts the embedded PostgreSQL and stops it again; the audit does the same', async () => {
      const migrated = await run('migrate')
      assert.equal(migrated.status, 0, migrated.stderr)
      assert.match(migrated.stdout, /started for this/)
      assert.equal(standing(join(dir, 'postgres')).kind, 'stopped')
      const audited = await run('audit', ['--json'])
      assert.equal(audited.status, 0, audited.stderr)
      assert.equal(JSON.parse(audited.stdout).ok, true)
      assert.equal(standing(join(dir, 'postgres')).kind, 'stopped')
    })
  })

  describe('audit', () => {
    it('beside a running server it uses that server’s PostgreSQL and leaves it running', async () => {
      const embedded = await startEmbedded({ dataDir: dir, log: () => {} })
      try {
        await migrate(embedded.url)
        const refused = await run('audit')
        assert.equal(refused.status, 1, 'a PostgreSQL whose server is not ready is nobody’s to use')
        assert.match(refused.stderr, /already runs on/)
        pretendServer('http://127.0.0.1:1')
        const audited = await run('audit')
        assert.equal(audited.status, 0, audited.stderr)
        assert.equal(standing(embedded.dataDir).kind, 'running')
      } finally {
        await embedded.stop()
      }
    })

    it('a database without a schema is a sentence and not a clean report', async () => {
      const database = await emptyDatabase()
      const { status, stderr } = await run('audit', [], { DATABASE_URL: database.url })
      assert.equal(status, 1)
      assert.match(stderr, /has no Livedraw schema/)
      await database.drop()
    })

    it('a database that does not answer ends with 1', async () => {
      assert.equal((await run('audit', [], { DATABASE_URL: 'postgres://x:y@127.0.0.1:1/z' })).status, 1)
    })
  })

  describe('doctor', () => {
    it('a machine that can run Livedraw gets a tick for everything that is needed', async () => {
      const { status, stdout } = await run('doctor')
      assert.equal(status, 0, stdout)
      for (const name of ['Node', 'Environment', 'Port', 'Data directory', 'PostgreSQL', 'Clock', 'Keys']) {
        assert.match(stdout, new RegExp(`^✓ ${name} `, 'm'))
      }
    })

    it('a port that another program has is a failure with what to do, and our own server’s is not', async () => {
      const port = await listen(() => ({ status: 200, body: {} }))
      const taken = await run('doctor', ['--json'], { PORT: String(port) })
      assert.equal(taken.status, 1)
      const finding = JSON.parse(taken.stdout).findings.find(({ name }: { name: string }) => name === 'Port')
      assert.equal(finding.status, 'failed')
      assert.match(finding.fix, /set PORT/)
      pretendServer(`http://127.0.0.1:${port}`)
      assert.match(
        (await run('doctor', [], { PORT: String(port) })).stdout,
        /✓ Port .* used by this installation/,
      )
    })

    it('every mistake of the environment is a finding of its own', async () => {
      const { status, stdout } = await run('doctor', ['--json'], {
        PORT: 'x',
        DEMO: 'y',
        NODE_ENV: 'production',
      })
      assert.equal(status, 1)
      const failures = JSON.parse(stdout).findings.filter(
        (each: { status: string }) => each.status === 'failed',
      )
      assert.equal(failures.length, 5, 'PORT, DEMO and three keys')
    })

    it('CORS_ORIGINS is pointed out without failing', async () => {
      const { status, stdout } = await run('doctor', [], { CORS_ORIGINS: 'https://a.example' })
      assert.equal(status, 0)
      assert.match(stdout, /! Environment .*ALLOWED_ORIGINS/)
    })

    it('a database that cannot be reached is a failure', async () => {
      const { status, stdout } = await run('doctor', [], { DATABASE_URL: 'postgres://x:y@127.0.0.1:1/z' })
      assert.equal(status, 1)
      assert.match(stdout, /✗ PostgreSQL +cannot be reached/)
    })

    it('a database that answers is named with its version and its clock', async () => {
      const database = await emptyDatabase()
      const { status, stdout } = await run('doctor', [], { DATABASE_URL: database.url })
      assert.equal(status, 0, stdout)
      assert.match(stdout, /✓ PostgreSQL +\d+\.\d+, DATABASE_URL answers/)
      assert.match(stdout, /✓ Clock +\d+ ms apart/)
      await database.drop()
    })

    it('a data directory that is a file is a failure', async () => {
      const file = join(dir, 'file')
      writeFileSync(file, '')
      const { status, stdout } = await run('doctor', [], { DATA_DIR: join(file, 'data') })
      assert.equal(status, 1)
      assert.match(stdout, /✗ Data directory/)
    })

    it('an old Node and a wrong clock are failures', () => {
      assert.equal(checkNode('20.20.2').status, 'failed')
      assert.equal(checkNode('24.0.0').status, 'ok')
      const now_ms = Date.UTC(2026, 10, 20)
      assert.equal(checkClock(undefined, 0).status, 'failed')
      assert.equal(checkClock(new Date(now_ms - 5_000), now_ms).status, 'ok')
      assert.equal(checkClock(new Date(now_ms - 5_001), now_ms).status, 'failed')
      assert.equal(checkClock(new Date(now_ms + 5_001), now_ms).status, 'failed')
    })
  })

  describe('status', () => {
    it('without a server it says so and ends with 1, also when a dead one left its file', async () => {
      assert.match((await run('status')).stderr, /No server is running/)
      pretendServer('http://127.0.0.1:1', 2 ** 22 + 1)
      const { status, stdout } = await run('status', ['--json'])
      assert.equal(status, 1)
      assert.deepEqual(JSON.parse(stdout), { running: false, data_dir: dir })
    })

    it('shows the health of the server that runs, and ends with 1 when it is not well', async () => {
      let http_status = 200
      const port = await listen((path) => ({
        status: path === '/health' ? http_status : 404,
        body: { status: 'ok', rooms: 3 },
      }))
      pretendServer(`http://127.0.0.1:${port}`)
      const well = await run('status')
      assert.equal(well.status, 0, well.stderr)
      assert.match(well.stdout, /✓ process \d+/)
      assert.match(well.stdout, /rooms: 3/)
      assert.ok(well.stdout.includes(`http://127.0.0.1:${port}/watch`))
      http_status = 503
      const ill = await run('status', ['--json'])
      assert.equal(ill.status, 1)
      assert.equal(JSON.parse(ill.stdout).health.http_status, 503)
    })
  })

  describe('backup and restore', () => {
    it('P-52 the drill: backup, restore with the right key only, audit', async () => {
      const [source, target] = [await testDatabase({ migrate: tellStory }), await emptyDatabase()]
      try {
        const file = join(dir, 'drill.backup')
        const made = await run('backup', [file], { DATABASE_URL: source.url })
        assert.equal(made.status, 0, made.stderr)
        assert.match(made.stdout, /rows of \d+ tables .* needs the seed keys k1/s)
        assert.equal(
          (await run('backup', [file], { DATABASE_URL: source.url })).status,
          2,
          'never written over',
        )
        assert.equal((await run('backup', ['--check', file])).status, 0)

        const into = { DATABASE_URL: target.url, FAIRNESS_KEY: storyFairnessKey }
        const keyless = await run('restore', [file], into)
        assert.deepEqual(
          [keyless.status, /needs the seed key k1/.test(keyless.stderr)],
          [1, true],
          keyless.stderr,
        )
        const other = { ...into, SEED_KEYS: `k1:${Buffer.alloc(32).toString('base64')}` }
        const wrong = await run('restore', [file], other)
        assert.deepEqual([wrong.status, /do not open .* Nothing was restored/s.test(wrong.stderr)], [1, true])

        const done = await run('restore', [file], { ...into, SEED_KEYS: storySeedKeys })
        assert.equal(done.status, 0, done.stderr)
        const again = await run('restore', [file], { ...into, SEED_KEYS: storySeedKeys })
        assert.deepEqual([again.status, /not empty/.test(again.stderr)], [1, true], again.stderr)
        const audit = await run('audit', [], into)
        assert.equal(audit.status, 0, audit.stdout)
      } finally {
        await source.drop()
        await target.drop()
      }
    })
  })
})
