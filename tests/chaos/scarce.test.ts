/** The real server when something runs out or is damaged: the disk, open files, its turn on the processor, a page. */
import assert from 'node:assert/strict'
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { runningEmbeddedUrl } from '../../src/commands/database.ts'
import { furnish, makePlace, type Outcome, type Place, type Server, spin } from './server.ts'

const pause = (duration_ms: number) => new Promise((resolve) => setTimeout(resolve, duration_ms))
const DISK_MB = 300
const FILES_MAX = 160
const FROZEN_MS = 5_000
/** Of PostgreSQL's blocks; the header of a page is at its beginning, rows are at its end. */
const BLOCK_BYTES = 8_192

describe('chaos: what runs out', function () {
  this.timeout(120_000)
  /** On a disk of its own, where that can be had. */
  const small: Place = makePlace({}, { disk_mb: DISK_MB })
  const ordinary: Place = makePlace()
  let place: Place
  let server: Server
  let tokens: string[]

  before(async () => {
    place = ordinary
    server = await place.start({}, { files_max: FILES_MAX })
    tokens = await furnish(place, server, 4)
  })
  after(async () => {
    await ordinary.remove()
    await small.remove()
  })

  const answered = (outcomes: Outcome[]) => outcomes.filter((each) => each.kind === 'ok')
  const ask = (prefix: string, count: number) =>
    Promise.all(
      tokens.flatMap((token) =>
        Array.from({ length: count }, (_, i) => spin(server, token, `${prefix}-${i}`)),
      ),
    )
  const odds = async () => (await fetch(`${server.url}/api/v1/wheels/chaos/odds?tenant=chaos`)).status

  /** Every one of these requests is asked for again: each has the answer that it had, or now gets its one. */
  async function settle(prefix: string, before: Outcome[]): Promise<void> {
    let after = await ask(prefix, before.length / tokens.length)
    // A line that broke says nothing: who has no answer asks again.
    for (let tries = 0; tries < 3 && after.some(({ kind }) => kind === 'info'); tries++)
      after = await ask(prefix, before.length / tokens.length)
    assert.deepEqual([...new Set(after.map((each) => each.kind))], ['ok'])
    before.forEach((first, i) => {
      if (first.kind === 'ok') assert.equal((after[i] as { text: string }).text, first.text)
    })
    assert.equal(
      new Set(after.map((each) => JSON.parse((each as { text: string }).text).spin_id)).size,
      after.length,
    )
    const { code, text } = await place.command('audit')
    assert.equal(code, 0, text)
  }

  it('F26 with its open files used up the server refuses sockets, lives, and serves again when some are free', async function () {
    if (process.platform === 'win32') return this.skip()
    const early = await ask('files', 5)
    const { hostname, port } = new URL(server.url)
    const postmaster = place.postmaster()
    const sockets: Socket[] = []
    let closed = 0
    for (let i = 0; i < FILES_MAX + 40; i++) {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => {})
      socket.once('close', () => closed++)
      sockets.push(socket)
    }
    for (let waits = 0; waits < 50 && closed === 0; waits++) await pause(100)
    assert.ok(closed > 0, 'no socket was refused: the test has proven nothing')
    // Longer than it takes to look at PostgreSQL a few times, which needs files too.
    await pause(1_500)
    for (const socket of sockets) socket.destroy()
    await pause(300)
    assert.equal(server.child.exitCode, null)
    assert.equal(place.postmaster(), postmaster, 'PostgreSQL was not taken for dead')
    assert.equal(await odds(), 200)
    assert.equal(answered(early).length, early.length)
    await settle('files', early)
  })

  it('F24 frozen for five seconds under load it goes on: each request has one spin, and nobody has two', async function () {
    if (process.platform === 'win32') return this.skip()
    const sent = ask('frozen', 20)
    await pause(20)
    server.child.kill('SIGSTOP')
    // Who waits for an answer asks again, as clients do.
    const again = ask('frozen', 20)
    await pause(FROZEN_MS)
    server.child.kill('SIGCONT')
    const [first, second] = await Promise.all([sent, again])
    // A kept connection that was idle for as long is closed on waking, with what came for it: that request has no answer
    // and may have had its effect, which asking again tells.
    for (const outcome of [...first, ...second])
      assert.ok(
        outcome.kind !== 'fail' || outcome.code === 'unavailable',
        `refused for another reason: ${JSON.stringify(outcome)}`,
      )
    await settle('frozen', first)
    await settle('frozen', second)
  })

  it('F29 a page with flipped bits is never shown as data: the question fails, the audit says so, and the page mended is as before', async () => {
    const early = await ask('page', 5)
    const path = await fileOf('spin_results')
    await stopped()
    flip(path)
    server = await place.start()
    const mine = await fetch(`${server.url}/api/v1/wheels/chaos/spins?mine=1`, {
      headers: { authorization: `Bearer ${tokens[0]}` },
    })
    const body = await mine.text()
    assert.equal(mine.status, 500)
    assert.equal(JSON.parse(body).code, 'internal')
    assert.doesNotMatch(body, /page|block|checksum/)
    const audit = await place.command('audit')
    assert.equal(audit.code, 1)
    assert.match(audit.text, /invalid page in block/)
    await stopped()
    flip(path)
    server = await place.start()
    await settle('page', early)
  })

  it('F9 M16 with the disk full spins are told "unavailable" and watching goes on; with room again nothing was lost and no restart was needed', async function () {
    if (small.disk_fault !== null) {
      console.log(`      skipped: ${small.disk_fault}`)
      return this.skip()
    }
    await stopped()
    place = small
    server = await place.start()
    tokens = await furnish(place, server, 4)
    const early = await ask('early', 10)
    assert.equal(answered(early).length, early.length)
    const filler = join(place.dataDir, 'filler')
    fill(filler)
    const refused: string[] = []
    const late: Outcome[] = []
    // What is allocated already takes some spins yet; then there is nowhere to write.
    for (let round = 0; round < 60 && refused.length === 0; round++) {
      const outcomes = await ask(`late-${round}`, 10)
      late.push(...outcomes)
      refused.push(
        ...outcomes.flatMap((each) => (each.kind === 'fail' ? [`${each.status} ${each.code}`] : [])),
      )
    }
    assert.deepEqual([...new Set(refused)], ['503 unavailable'])
    assert.equal(await odds(), 200, 'who watches goes on watching')
    assert.equal(server.child.exitCode, null, 'the server lives')
    rmSync(filler)
    for (let waits = 0; waits < 100; waits++) {
      const [first] = await ask('again', 1)
      if (first!.kind === 'ok') break
      await pause(100)
    }
    const rounds = late.length / (10 * tokens.length)
    for (let round = 0; round < rounds; round++) {
      const of = late.slice(round * 10 * tokens.length, (round + 1) * 10 * tokens.length)
      const after = await ask(`late-${round}`, 10)
      of.forEach((first, i) => {
        assert.equal(after[i]!.kind, 'ok')
        if (first.kind === 'ok') assert.equal((after[i] as { text: string }).text, first.text)
      })
    }
    await settle('early', early)
  })

  /** The file of a table, after its rows were brought there. */
  async function fileOf(table: string): Promise<string> {
    const client = new pg.Client({ connectionString: runningEmbeddedUrl(place.dataDir)! })
    await client.connect()
    const { rows } = await client.query(
      `select current_setting('data_directory') || '/' || pg_relation_filepath($1) as path`,
      [table],
    )
    await client.query('checkpoint')
    await client.end()
    return rows[0].path
  }

  async function stopped(): Promise<void> {
    server.child.kill('SIGTERM')
    assert.equal(await server.exited, 0)
  }
})

/** Turns some bits of a row on the first page over; a second time turns them back. */
function flip(path: string): void {
  const file = openSync(path, 'r+')
  const bytes = Buffer.alloc(4)
  readSync(file, bytes, 0, bytes.length, BLOCK_BYTES - 64)
  writeSync(
    file,
    bytes.map((byte) => byte ^ 0x55),
    0,
    bytes.length,
    BLOCK_BYTES - 64,
  )
  closeSync(file)
}

/** Writes until nothing more goes in, to the last block. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  for (let size = 1 << 20; size >= 512; size >>= 1) {
    const bytes = Buffer.alloc(size, 1)
    try {
      for (;;) writeSync(file, bytes)
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
  closeSync(file)
}
