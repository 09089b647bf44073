/** The life of the embedded PostgreSQL: every way in which the last run may have ended (F12, M1, M2, H55). */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { takeLock } from '../../src/db/embedded/lock.ts'
import { readyPrograms } from '../../src/db/embedded/native.ts'
import { canEnter, choosePlace } from '../../src/db/embedded/place.ts'
import { freePort, readPidFile, standing, startPostmaster } from '../../src/db/embedded/postmaster.ts'
import { processFacts } from '../../src/db/embedded/processes.ts'
import {
  type EmbeddedPostgres,
  EmbeddedStartError,
  embeddedPackage,
  startEmbedded,
} from '../../src/db/embedded.ts'

const EMBEDDED = new URL('../../src/db/embedded.ts', import.meta.url).href
const LOCK = new URL('../../src/db/embedded/lock.ts', import.meta.url).href
/** Killing processes loses nothing that the system has; only the test of durability itself needs the disk. */
const settings = { shared_buffers: '16MB', fsync: 'off' }
const is_root = process.getuid?.() === 0

describe('embedded PostgreSQL', function () {
  this.timeout(20_000)
  let base: string
  let made: string
  let running: EmbeddedPostgres[] = []
  let children: ChildProcess[] = []
  let said: string[] = []

  /** A data directory with a stopped cluster that holds one row, as the first start left it. */
  function aDataDir(): string {
    const dir = join(base, `data-${readdirSync(base).length}`)
    execFileSync('cp', ['-a', made, dir])
    return dir
  }

  async function start(
    dataDir: string,
    its_settings: Record<string, string> = settings,
  ): Promise<EmbeddedPostgres> {
    const server = await startEmbedded({
      dataDir,
      log: (message) => said.push(message),
      settings: its_settings,
    })
    running.push(server)
    return server
  }

  /** Starts a server in a process of its own and waits until it runs; the caller kills it. */
  async function aHolder(dataDir: string, options: { uid?: number } = {}): Promise<ChildProcess> {
    const script = `
      import { startEmbedded } from ${JSON.stringify(EMBEDDED)}
      const server = await startEmbedded({ dataDir: process.argv[1], log: () => {}, settings: ${JSON.stringify(settings)} })
      console.log(server.url)
      process.stdin.resume().once('end', () => server.stop().then(() => process.exit(0)))`
    const child = aChild(script, [dataDir], options)
    const line = await firstLine(child)
    assert.match(line, /^postgres:/)
    return child
  }

  function aChild(script: string, args: string[], options: { uid?: number } = {}): ChildProcess {
    const ids = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: '/',
      ...ids,
    })
    children.push(child)
    return child
  }

  async function refusal(dataDir: string): Promise<string> {
    const began_at = performance.now()
    try {
      await start(dataDir)
    } catch (error) {
      assert.ok(error instanceof EmbeddedStartError, String(error))
      assert.ok(performance.now() - began_at < 15_000, 'F12: the reason comes within 15 s')
      return error.message
    }
    return assert.fail('it started')
  }

  before(async () => {
    base = mkdtempSync(join(tmpdir(), 'livedraw-embedded-'))
    chmodSync(base, 0o711)
    made = join(base, 'made')
    const server = await start(made)
    await sql(server.url, 'create table kept (value int)')
    await sql(server.url, 'insert into kept values (42)')
    await server.stop()
  })

  afterEach(async () => {
    for (const child of children) await ended(child, 'SIGKILL')
    for (const server of running) await server.stop()
    running = []
    children = []
    said = []
  })

  after(() => {
    // A test that failed half-way may have left one running.
    for (const name of readdirSync(base)) {
      const left = standing(join(base, name, 'postgres'))
      if (left.kind === 'running') process.kill(left.file.pid, 'SIGQUIT')
    }
    rmSync(base, { recursive: true, force: true, maxRetries: 5 })
  })

  describe('first start', () => {
    it('K-07 makes a durable, checksummed cluster whose superuser needs the password of a private file', async () => {
      const dataDir = aDataDir()
      const server = await start(dataDir, {})
      assert.deepEqual(await settingsOf(server.url), {
        fsync: 'on',
        synchronous_commit: 'on',
        data_checksums: 'on',
      })
      assert.deepEqual(
        await sql(server.url, 'select rolname, rolsuper from pg_roles where rolname = current_user'),
        [{ rolname: 'livedraw', rolsuper: true }],
      )
      assert.equal(statSync(join(dataDir, 'postgres.password')).mode & 0o777, 0o600)
      assert.equal(statSync(join(dataDir, 'postgres')).mode & 0o777, 0o700)
      await assert.rejects(sql(withPassword(server.url, 'guessed'), 'select 1'), { code: '28P01' })
    })

    it('M1 leaves no signal listener and no exit hook behind, and gives PostgreSQL its own session', async () => {
      const events = ['SIGTERM', 'SIGINT', 'SIGHUP', 'exit', 'beforeExit'] as const
      const before_start = events.map((event) => process.listenerCount(event))
      const server = await start(aDataDir())
      assert.deepEqual(
        events.map((event) => process.listenerCount(event)),
        before_start,
      )
      if (process.platform !== 'linux') return
      const pid = readPidFile(server.dataDir)!.pid
      const [, , group, session] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      assert.deepEqual([Number(group), Number(session)], [pid, pid])
    })

    it('F12 half a cluster of an interrupted first start is thrown away and a whole one made', async () => {
      const dataDir = join(base, 'interrupted')
      mkdirSync(join(dataDir, 'postgres.new-1', 'base'), { recursive: true })
      writeFileSync(join(dataDir, 'postgres.new-1', 'PG_VERSION'), '18\n')
      writeFileSync(join(dataDir, 'postgres.password'), 'of-the-interrupted-start\n')
      const server = await start(dataDir)
      assert.equal(server.adopted, false)
      assert.deepEqual(await sql(server.url, 'select current_database() as name'), [{ name: 'livedraw' }])
      assert.deepEqual(
        readdirSync(dataDir).filter((name) => name.startsWith('postgres.new')),
        [],
      )
    })

    it('F12 a directory that holds something else is refused by name and left as it is', async () => {
      const dataDir = join(base, 'something-else')
      mkdirSync(join(dataDir, 'postgres'), { recursive: true })
      writeFileSync(join(dataDir, 'postgres', 'letters.txt'), 'mine')
      assert.match(await refusal(dataDir), /is not empty and holds no PostgreSQL cluster/)
      assert.equal(readFileSync(join(dataDir, 'postgres', 'letters.txt'), 'utf8'), 'mine')
    })

    it('names DATABASE_URL on a platform without a package', async () => {
      const script = `
        Object.defineProperty(process, 'platform', { value: 'sunos' })
        const { startEmbedded, embeddedPackage } = await import(${JSON.stringify(EMBEDDED)})
        const failure = await startEmbedded({ dataDir: process.argv[1], log() {} }).catch((error) => error)
        console.log(JSON.stringify([embeddedPackage(), failure.name, failure.message]))`
      const [found, name, message] = JSON.parse(await firstLine(aChild(script, [join(base, 'sunos')])))
      assert.deepEqual([found, name], [null, 'EmbeddedStartError'])
      assert.match(message, /^No PostgreSQL package is installed for sunos-\w+; set DATABASE_URL/)
    })

    it('T8 a copy of the programs gets the links that npm did not make, and runs', async () => {
      const copyTo = join(base, 'copies')
      mkdirSync(copyTo)
      const { postgres } = await readyPrograms(
        () => false,
        copyTo,
        (message) => said.push(message),
      )
      assert.ok(postgres.startsWith(copyTo))
      const lib = join(postgres, '..', '..', 'lib')
      for (const { target } of symlinksOfPackage()) rmSync(join(lib, '..', '..', target), { force: true })
      assert.notEqual(spawnSync(postgres, ['--version']).status, 0, 'without the links it must not run')
      const { makeLinks } = await import('../../src/db/embedded/native.ts')
      assert.equal(makeLinks(join(lib, '..', '..')), true)
      assert.match(spawnSync(postgres, ['--version']).stdout.toString(), /PostgreSQL\) 18/)
    })
  })

  describe('start after the last run', () => {
    it('K-07 that stopped finds its rows; stopping twice stops once', async () => {
      const server = await start(aDataDir())
      assert.deepEqual(await kept(server.url), [42])
      await sql(server.url, 'insert into kept values (43)')
      await Promise.all([server.stop(), server.stop()])
      assert.equal(readPidFile(server.dataDir), null)

      const again = await start(join(server.dataDir, '..'))
      assert.deepEqual([again.adopted, await kept(again.url)], [false, [42, 43]])
    })

    it('M2 H55 that was killed with -9 adopts the PostgreSQL that it left running', async () => {
      const dataDir = aDataDir()
      const holder = await aHolder(dataDir)
      const left = readPidFile(join(dataDir, 'postgres'))!
      await ended(holder, 'SIGKILL')

      const server = await start(dataDir)
      assert.deepEqual([server.adopted, server.port], [true, left.port])
      assert.deepEqual(await kept(server.url), [42])
      await server.stop()
      assert.equal(readPidFile(server.dataDir), null, 'what was adopted is also stopped')
    })

    it('F6 F12 whose postmaster was killed starts again and has every committed row', async () => {
      const dataDir = aDataDir()
      const holder = await aHolder(dataDir)
      const { pid, port } = readPidFile(join(dataDir, 'postgres'))!
      await sql(
        `postgres://livedraw:${passwordOf(dataDir)}@127.0.0.1:${port}/livedraw`,
        'insert into kept values (43)',
      )
      process.kill(pid, 'SIGKILL')
      await ended(holder, 'SIGKILL')

      const server = await start(dataDir)
      assert.deepEqual([server.adopted, await kept(server.url)], [false, [42, 43]])
    })

    it('F12 that left a pid file of a process that is gone starts', async () => {
      const dataDir = aDataDir()
      const gone = spawnSync(process.execPath, ['--version']).pid
      writePidFile(dataDir, { pid: gone, started_at_ms: Date.now() })
      const server = await start(dataDir)
      assert.deepEqual([server.adopted, await kept(server.url)], [false, [42]])
    })

    it('F12 that left a pid file whose id a younger program got starts', async () => {
      const dataDir = aDataDir()
      writePidFile(dataDir, {
        pid: process.pid,
        started_at_ms: processFacts(process.pid)!.started_at_ms! - 60_000,
      })
      const server = await start(dataDir)
      assert.deepEqual([server.adopted, await kept(server.url)], [false, [42]])
    })

    it('F12 a pid file that names an older foreign program is refused with its name, and the data is not touched', async () => {
      const dataDir = aDataDir()
      writePidFile(dataDir, { pid: process.pid, started_at_ms: Date.now() })
      const message = await refusal(dataDir)
      assert.match(
        message,
        new RegExp(`postmaster\\.pid names process ${process.pid}, which is .*remove that file`),
      )
      assert.ok(!existsSync(join(dataDir, 'postgres.lock')), 'the lock is free again')
    })

    it('F12 a pid file of a PostgreSQL that works on another directory is refused', async () => {
      const other = await start(aDataDir())
      const dataDir = aDataDir()
      execFileSync('cp', ['-a', join(other.dataDir, 'postmaster.pid'), join(dataDir, 'postgres')])
      const message = await refusal(dataDir)
      assert.match(message, /postmaster\.pid is of a PostgreSQL \(process \d+\) that works on/)
      assert.ok(message.includes(other.dataDir))
      assert.deepEqual(await kept(other.url), [42])
    })

    it('F12 a pid file forged over a PostgreSQL of another directory is refused', async function () {
      if (process.platform !== 'linux') this.skip()
      const other = await start(aDataDir())
      const dataDir = aDataDir()
      const { pid, started_at_ms } = readPidFile(other.dataDir)!
      writePidFile(dataDir, { pid, started_at_ms })
      assert.match(await refusal(dataDir), /names process \d+, a PostgreSQL that works on/)
    })

    it('M1 that gave up at its deadline lets the next one in, without a lost row', async () => {
      const server = await start(aDataDir())
      await sql(server.url, 'insert into kept values (43)')
      await server.stop(1)
      const again = await start(join(server.dataDir, '..'))
      assert.deepEqual(await kept(again.url), [42, 43])
    })

    it('K-07 a log file past 10 MB is started anew', async () => {
      const dataDir = aDataDir()
      truncateSync(join(dataDir, 'postgres.log'), 10_000_001)
      await start(dataDir)
      assert.ok(statSync(join(dataDir, 'postgres.log')).size < 100_000)
    })
  })

  describe('one server per data directory', () => {
    it('F12 a second one is refused with a sentence that names the first, and the first goes on', async () => {
      const dataDir = aDataDir()
      const holder = await aHolder(dataDir)
      assert.match(
        await refusal(dataDir),
        new RegExp(`Another Livedraw \\(process ${holder.pid}\\) already runs`),
      )
      const { port } = readPidFile(join(dataDir, 'postgres'))!
      assert.deepEqual(
        await kept(`postgres://livedraw:${passwordOf(dataDir)}@127.0.0.1:${port}/livedraw`),
        [42],
      )
    })

    it('F12 a second one in the same process is refused until the first has stopped', async () => {
      const server = await start(aDataDir())
      const dataDir = join(server.dataDir, '..')
      assert.match(await refusal(dataDir), /^This process already runs on/)
      await server.stop()
      assert.equal((await start(dataDir)).adopted, false)
    })

    const gone = spawnSync(process.execPath, ['--version']).pid
    for (const { of, text } of [
      {
        of: 'a process that is gone',
        text: JSON.stringify({ pid: gone, incarnation: 'x:1', nonce: '0'.repeat(16) }),
      },
      {
        of: 'an id that another program got',
        text: JSON.stringify({ pid: 1, incarnation: 'x:1', nonce: '0'.repeat(16) }),
      },
      { of: 'a file cut off by a power failure', text: '' },
    ]) {
      it(`F12 a lock of ${of} is taken over`, async () => {
        const path = join(base, 'lock')
        writeFileSync(path, text)
        const lock = await takeLock(path)
        assert.ok('release' in lock)
        assert.equal(JSON.parse(readFileSync(path, 'utf8')).pid, process.pid)
        lock.release()
        assert.deepEqual(
          readdirSync(base).filter((name) => name.startsWith('lock')),
          [],
        )
      })
    }

    it('F12 of six processes that race for a stale lock exactly one gets it, forty times', async () => {
      const script = `
        import { createInterface } from 'node:readline'
        import { takeLock } from ${JSON.stringify(LOCK)}
        console.log('ready')
        for await (const path of createInterface(process.stdin)) console.log('pid' in (await takeLock(path)) ? 'other' : 'mine')`
      const racers = Array.from({ length: 6 }, () => linesOf(aChild(script, [])))
      for (const racer of racers) assert.equal(await racer.next(), 'ready')
      for (let round = 0; round < 40; round++) {
        const path = join(base, `race-${round}`)
        writeFileSync(path, JSON.stringify({ pid: gone, incarnation: 'x:1', nonce: '0'.repeat(16) }))
        for (const racer of racers) racer.write(path)
        const answers = await Promise.all(racers.map((racer) => racer.next()))
        assert.deepEqual(
          answers.sort(),
          ['mine', 'other', 'other', 'other', 'other', 'other'],
          `round ${round}`,
        )
      }
    })
  })

  describe('what is in the way', () => {
    it('F12 a port that is taken between choosing and binding is replaced by another', async () => {
      const dataDir = aDataDir()
      const place = choosePlace(dataDir, () => {})
      const cluster = {
        dir: place.cluster,
        log_file: place.log_file,
        identity: place.identity,
        ...embeddedPackage()!,
      }
      const { server: thief, port: taken } = await aListener()
      const ports = [taken, taken, await freePort()]
      const options = { ...settings, listen_addresses: '127.0.0.1', unix_socket_directories: '' }
      const port = await startPostmaster(cluster, options, async () => ports.shift()!)
      thief.close()
      assert.deepEqual([ports.length, port === taken], [0, false])
      const adopted = await start(dataDir)
      assert.deepEqual([adopted.adopted, adopted.port], [true, port])
    })

    it('F12 a password file that is wrong or lost is named, and PostgreSQL is not left running', async () => {
      const dataDir = aDataDir()
      const file = join(dataDir, 'postgres.password')
      writeFileSync(file, 'wrong\n')
      assert.match(
        await refusal(dataDir),
        /refuses its owner \(password authentication failed.*postgres\.password/,
      )
      assert.equal(readPidFile(join(dataDir, 'postgres')), null)
      rmSync(file)
      assert.match(await refusal(dataDir), /The password of .* is missing; bring .*postgres\.password back/)
    })

    it('F12 files that are open to others are made private again, and it starts', async () => {
      const dataDir = aDataDir()
      chmodSync(join(dataDir, 'postgres'), 0o777)
      chmodSync(join(dataDir, 'postgres.password'), 0o644)
      const server = await start(dataDir)
      assert.deepEqual(await kept(server.url), [42])
      assert.equal(statSync(server.dataDir).mode & 0o777, 0o700)
      assert.equal(statSync(join(dataDir, 'postgres.password')).mode & 0o777, 0o600)
    })

    for (const { damage, break_it, reason } of [
      {
        damage: 'whose control file is gone',
        break_it: (dir: string) => rmSync(join(dir, 'global/pg_control')),
        reason: /could not (find|open) .*pg_control/,
      },
      {
        damage: 'whose control file is full of zeros',
        break_it: (dir: string) => writeFileSync(join(dir, 'global/pg_control'), Buffer.alloc(8192)),
        reason: /did not start on .*: .*(control file|pg_control|database files are incompatible)/,
      },
      {
        damage: 'whose write-ahead log is gone',
        break_it: (dir: string) => execFileSync('find', [join(dir, 'pg_wal'), '-type', 'f', '-delete']),
        reason: /could not locate a valid checkpoint record/,
      },
      {
        damage: 'of another major version',
        break_it: (dir: string) => writeFileSync(join(dir, 'PG_VERSION'), '17\n'),
        reason: /holds data of PostgreSQL 17 and this is 18; restore a backup/,
      },
      {
        damage: 'whose configuration does not parse',
        break_it: (dir: string) => writeFileSync(join(dir, 'postgresql.conf'), 'no = = sense\n'),
        reason: /did not start on .*: .*configuration file/,
      },
    ]) {
      it(`F12 a directory ${damage} is refused with that reason, and not replaced`, async () => {
        const dataDir = aDataDir()
        break_it(join(dataDir, 'postgres'))
        assert.match(await refusal(dataDir), reason)
        assert.ok(existsSync(join(dataDir, 'postgres', 'base')), 'the data is still there')
        assert.ok(!existsSync(join(dataDir, 'postgres.lock')), 'the lock is free again')
      })
    }
  })

  describe('whoever starts it', () => {
    before(function () {
      if (!is_root) this.skip()
    })

    it('T9 a plain user starts it as himself', async function () {
      const uid = processUid('nobody')
      if (!canEnter(process.execPath, { uid, gid: uid, name: 'nobody' })) this.skip()
      const dataDir = join(base, 'of-nobody')
      mkdirSync(dataDir)
      chownSync(dataDir, uid, uid)
      const holder = await aHolder(dataDir, { uid })
      assert.equal(statSync(join(dataDir, 'postgres', 'PG_VERSION')).uid, uid)
      holder.stdin!.end()
      assert.equal(await ended(holder), 0)

      const server = await start(dataDir)
      assert.equal(statSync(join(server.dataDir, 'postmaster.pid')).uid, uid, 'root starts it as its owner')
    })

    it('T9 a plain user is told whose a cluster of somebody else is', async function () {
      const uid = processUid('nobody')
      if (!canEnter(process.execPath, { uid, gid: uid, name: 'nobody' })) this.skip()
      const dataDir = aDataDir()
      const script = `
        const { startEmbedded } = await import(${JSON.stringify(EMBEDDED)})
        console.log(await startEmbedded({ dataDir: process.argv[1], log() {} }).catch((error) => error.name + error.message))`
      chmodSync(dataDir, 0o777)
      assert.match(
        await firstLine(aChild(script, [dataDir], { uid })),
        /^EmbeddedStartError.* belongs to the user with id/,
      )
    })

    it('T9 root gives a cluster of its own to the user who may run it', async () => {
      const dataDir = aDataDir()
      execFileSync('chown', ['-R', '0:0', join(dataDir, 'postgres')])
      const server = await start(dataDir)
      assert.deepEqual(await kept(server.url), [42])
      assert.notEqual(statSync(server.dataDir).uid, 0)
    })

    it('T9 below a directory that PostgreSQL may not enter, the data stands in /var/tmp and is not forgotten', async () => {
      const dataDir = join(base, 'closed', 'data')
      mkdirSync(join(base, 'closed'), { mode: 0o700 })
      const server = await start(dataDir)
      const stand_in = join(server.dataDir, '..')
      try {
        assert.match(stand_in, /^\/var\/tmp\/livedraw-[0-9a-f]{16}$/)
        assert.equal(
          said.filter((message) => message.includes('/var/tmp') && message.includes('DATA_DIR')).length,
          1,
        )
        await sql(server.url, 'create table kept as select 44 as value')
        await server.stop()
        const again = await start(dataDir)
        assert.deepEqual([again.dataDir, await kept(again.url)], [server.dataDir, [44]])
        await again.stop()
        rmSync(stand_in, { recursive: true })
        assert.match(await refusal(dataDir), /was kept in \/var\/tmp\/.* and is gone from there/)
      } finally {
        await server.stop()
        rmSync(stand_in, { recursive: true, force: true })
      }
    })

    it('T9 a stand-in that somebody else prepared is not trusted', async () => {
      const dataDir = join(base, 'closed-too', 'data')
      mkdirSync(dataDir, { recursive: true, mode: 0o700 })
      chmodSync(join(base, 'closed-too'), 0o700)
      const { dir } = choosePlace(dataDir, () => {})
      try {
        chownSync(dir, processUid('nobody'), 0)
        assert.match(await refusal(dataDir), /was made by somebody else/)
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
    })
  })
})

async function sql(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query(text)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

async function kept(url: string): Promise<unknown[]> {
  return (await sql(url, 'select value from kept order by value')).map((row) => row['value'])
}

async function settingsOf(url: string): Promise<Record<string, unknown>> {
  const rows = await sql(
    url,
    `select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'data_checksums')`,
  )
  return Object.fromEntries(rows.map((row) => [String(row['name']), row['setting']]))
}

function withPassword(url: string, password: string): string {
  const other = new URL(url)
  other.password = password
  return other.href
}

function passwordOf(dataDir: string): string {
  return readFileSync(join(dataDir, 'postgres.password'), 'utf8').trim()
}

function writePidFile(dataDir: string, { pid, started_at_ms }: { pid: number; started_at_ms: number }): void {
  const dir = join(dataDir, 'postgres')
  const lines = [pid, dir, Math.floor(started_at_ms / 1000), 5432, '', '127.0.0.1', '', 'ready', '']
  writeFileSync(join(dir, 'postmaster.pid'), lines.join('\n'))
  const { uid, gid } = statSync(dir)
  chownSync(join(dir, 'postmaster.pid'), uid, gid)
}

function symlinksOfPackage(): { target: string }[] {
  return JSON.parse(readFileSync(join(embeddedPackage()!.pg_ctl, '..', '..', 'pg-symlinks.json'), 'utf8'))
}

function processUid(name: string): number {
  return Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }))
}

function aListener(): Promise<{ server: Server; port: number }> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () =>
      resolve({ server, port: (server.address() as { port: number }).port }),
    )
  })
}

/** Ends a child (or waits for its own end) and waits until it is reaped; its exit code. */
async function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  if (signal) child.kill(signal)
  for (let waited_ms = 0; child.exitCode === null && child.signalCode === null; waited_ms += 10) {
    assert.ok(waited_ms < 10_000, `process ${child.pid} does not end`)
    await sleep(10)
  }
  return child.exitCode
}

function linesOf(child: ChildProcess): { next(): Promise<string>; write(line: string): void } {
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
  return {
    next: async () => (await lines.next()).value ?? '',
    write: (line) => child.stdin!.write(`${line}\n`),
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return linesOf(child).next()
}
