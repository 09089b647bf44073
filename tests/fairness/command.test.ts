// The command line verifier: its lines, its exit codes as a real process, and what it takes from a server.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runVerify } from '../../src/commands/verify.ts'
import { jcs } from '../../src/fairness/canonical.ts'
import { everyKind, makeReveal, SIGNING_KEY, VERIFIER } from './make.ts'

const COMMAND = fileURLToPath(new URL('../../src/commands/verify.ts', import.meta.url))
const documents = everyKind()
const KEY_FLAGS = [
  '--key',
  `${SIGNING_KEY.kid}=${VERIFIER.keys[SIGNING_KEY.kid]}`,
  '--log',
  VERIFIER.logs[0]!,
]

// A process of its own, not awaited in the same thread, because the test is also the server that it asks.
function processOf(args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [COMMAND, ...args])
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

async function inProcess(args: string[], files: Record<string, string> = {}) {
  const lines: string[] = []
  const errors: string[] = []
  const code = await runVerify(args, {
    out: (line) => lines.push(line),
    err: (line) => errors.push(line),
    readText: async (path) => {
      const text = files[path]
      if (text === undefined) throw new Error(`no file ${path}`)
      return text
    },
    fetch: globalThis.fetch,
  })
  return { code, lines, errors }
}

describe('npm run verify', () => {
  let folder: string
  const fileOf = async (name: string, text: string) => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'livedraw-verify-'))
  })
  after(() => rm(folder, { recursive: true }))

  it('S0-32c verifies wheel, guess, raffle, jackpot and mystery transcripts and ends with VERIFIED and the label', async () => {
    for (const name of [
      'wheel',
      'guess, exact, draw',
      'raffle, hybrid',
      'jackpot by stake',
      'mystery',
      'tie',
    ]) {
      const document = documents[name]!
      const { code, lines } = await inProcess([...KEY_FLAGS, 'file'], { file: jcs(document) })
      assert.equal(code, 0, `${name}: ${lines.join('\n')}`)
      assert.equal(lines.at(-1), 'VERIFIED')
      assert.ok(lines.includes('ok       outcome'))
      assert.ok(lines.some((line) => line.startsWith(`trust: ${document.trust} - `)))
    }
  })

  it('P-47 as a process: VERIFIED exits 0, MISMATCH 1, wrong use 2, PENDING 4', async () => {
    const good = await processOf([await fileOf('good', jcs(documents['wheel'])), ...KEY_FLAGS])
    assert.equal(good.code, 0, good.err)
    assert.match(good.out, /^ok {7}format$/m)
    assert.match(good.out, /^skipped {2}beacon$/m)
    assert.match(good.out, /\nVERIFIED\n$/)

    const tampered = { ...documents['wheel'], outcome: { id: 'grand', index: 0 } }
    const bad = await processOf([await fileOf('bad', jcs(tampered))])
    assert.equal(bad.code, 1)
    assert.match(bad.out, /^failed {3}outcome OUTCOME_MISMATCH$/m)
    assert.match(bad.out, /\nMISMATCH OUTCOME_MISMATCH\n$/)

    const { serverSeed: _seed, ...waiting } = documents['raffle, commit']!
    const pending = await processOf([await fileOf('pending', jcs(waiting))])
    assert.equal(pending.code, 4)
    assert.match(pending.out, /^pending {2}seed NOT_YET_REVEALED$/m)
    assert.match(pending.out, /\nPENDING\n$/)

    for (const args of [
      [],
      [join(folder, 'absent')],
      ['--key', 'x', 'file'],
      ['--nonsense', 'file'],
      ['a', 'b'],
    ]) {
      const wrong = await processOf(args)
      assert.equal(wrong.code, 2, args.join(' '))
      assert.equal(wrong.out, '')
      assert.notEqual(wrong.err, '')
    }
  }).timeout(60_000)

  it('P-41 verifies the reveal of a pair with all its spins', async () => {
    const reveal = makeReveal(200)
    assert.equal((await inProcess(['file'], { file: jcs(reveal) })).lines.at(-1), 'VERIFIED')
    reveal.spins.splice(7, 1)
    const { code, lines } = await inProcess(['file'], { file: jcs(reveal) })
    assert.deepEqual([code, lines.at(-1)], [1, 'MISMATCH NONCE_GAP'])
  })

  it('P-47 text that is not canonical, and a byte order mark, is a mismatch and not a crash', async () => {
    for (const text of ['', '{', 'null', ` ${jcs(documents['wheel'])}`, `\ufeff${jcs(documents['wheel'])}`]) {
      const { code, lines } = await inProcess(['file'], { file: text })
      assert.deepEqual([code, lines.at(-1)], [1, 'MISMATCH FORMAT_INVALID'])
    }
  })

  it('P-49 checks the log against a checkpoint that the player kept', async () => {
    const document = documents['wheel']!
    const stored = (checkpoint: string, proof: string[]) => JSON.stringify({ checkpoint, proof })
    const same = { file: jcs(document), kept: stored(document.log!.checkpoint, []) }
    assert.equal((await inProcess([...KEY_FLAGS, '--stored', 'kept', 'file'], same)).code, 0)
    const other = { file: jcs(document), kept: stored(documents['mystery']!.log!.checkpoint, []) }
    const { code, lines } = await inProcess([...KEY_FLAGS, '--stored', 'kept', 'file'], other)
    assert.deepEqual([code, lines.at(-1)], [1, 'MISMATCH LOG_INCONSISTENT'])
    assert.equal((await inProcess(['--stored', 'kept', 'file'], { ...same, kept: '{}' })).code, 2)
  })

  describe('from a URL', () => {
    let server: Server
    let origin: string
    const routes: Record<string, string> = {}
    before((done) => {
      server = createServer((request, response) => {
        if (request.url === '/endless') {
          const chunk = Buffer.alloc(1024 * 1024, 0x20)
          const more = () => {
            while (response.write(chunk));
          }
          response.on('drain', more)
          more()
          return
        }
        const body = routes[request.url!]
        response.writeHead(body === undefined ? 404 : 200).end(body)
      }).listen(0, '127.0.0.1', () => {
        origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
        done()
      })
    })
    after(() => {
      server.closeAllConnections()
      server.close()
    })

    it("P-47 takes fair- keys from the transcript's server and says that they prove less", async () => {
      const x = Buffer.from(VERIFIER.keys[SIGNING_KEY.kid]!, 'hex').toString('base64url')
      routes['/t'] = jcs(documents['wheel'])
      routes['/.well-known/jwks.json'] = JSON.stringify({
        keys: [
          { kid: 'token-1', kty: 'OKP', crv: 'Ed25519', x },
          { kid: SIGNING_KEY.kid, kty: 'OKP', crv: 'Ed25519', x },
        ],
      })
      const { code, lines } = await inProcess([`${origin}/t`])
      assert.equal(code, 0, lines.join('\n'))
      assert.ok(lines.includes('ok       signature'))
      assert.ok(lines.some((line) => line.includes(SIGNING_KEY.kid) && line.includes('prove less')))
      assert.equal(lines.join().includes('token-1'), false)

      const wrong = ['--key', `${SIGNING_KEY.kid}=${'11'.repeat(32)}`]
      assert.equal((await inProcess([...wrong, `${origin}/t`])).lines.at(-1), 'MISMATCH SIGNATURE_INVALID')
      const without = await inProcess(['--no-server-keys', `${origin}/t`])
      assert.ok(without.lines.includes('skipped  signature'))
      assert.equal((await processOf([`${origin}/t`])).code, 0)
    }).timeout(30_000)

    it('P-47 an answer of 404 or of more than 32 MiB is wrong use, and is not read to its end', async () => {
      assert.equal((await inProcess([`${origin}/absent`])).code, 2)
      const { code, errors } = await inProcess([`${origin}/endless`])
      assert.equal(code, 2)
      assert.match(errors.join(), /larger than/)
    })
  })
})
