/** What surrounds the API: probes, metrics, keys, pages, headers, the clock of test environments. */
import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify as verifyBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { durationMs } from '../../src/http/test-clock.ts'
import { type HttpHarness, startHttp } from './harness.ts'

const OFFLINE = '<!doctype html><script type="module">window.ok = 1</script><script>\nlet x\n</script>'

describe('http: operations', () => {
  let http: HttpHarness
  let pagesDir: string

  before(async () => {
    pagesDir = mkdtempSync(join(tmpdir(), 'livedraw-pages-'))
    mkdirSync(join(pagesDir, 'assets'))
    writeFileSync(join(pagesDir, 'index.html'), '<!doctype html><title>play</title>')
    writeFileSync(join(pagesDir, 'watch.html'), '<!doctype html><title>watch</title>')
    writeFileSync(join(pagesDir, 'verify-offline.html'), OFFLINE)
    writeFileSync(join(pagesDir, 'assets', 'app-1a2b.js'), 'export {}')
    writeFileSync(join(pagesDir, '.secret'), 'x')
    http = await startHttp({ pagesDir, has_test_clock: true })
  })
  after(async () => {
    await http.close()
    rmSync(pagesDir, { recursive: true })
  })

  const readyz = async () => {
    const { status, body } = await http.ask('GET', '/readyz')
    return [status, body.code ?? 'ok']
  }

  it('P-51 readiness is false while draining, before migrations, during and after a failed self-test; liveness is not', async () => {
    assert.deepEqual(await readyz(), [200, 'ok'])
    for (const [change, expected] of [
      [{ draining: true }, [503, 'shutting_down']],
      [{ migrated: false }, [503, 'unavailable']],
      [{ fair: null }, [503, 'unavailable']],
      [{ fair: false }, [503, 'fairness_locked']],
    ] as const) {
      const before = { ...http.state }
      Object.assign(http.state, change)
      assert.deepEqual(await readyz(), expected)
      assert.equal((await http.ask('GET', '/livez')).status, 200)
      Object.assign(http.state, before)
    }
    assert.deepEqual(await readyz(), [200, 'ok'])
  })

  it('P-51 a draining server closes connections after their answer and says when to come back', async () => {
    http.state.draining = true
    const [answer] = await http.raw(http.requestText('GET', '/readyz'))
    http.state.draining = false
    assert.equal(answer?.headers['connection'], 'close')
    assert.equal(answer?.headers['retry-after'], '5')
  })

  it('P-51 without a database readiness is 503 and the report says which part is down', async () => {
    const lame = await startHttp()
    await lame.database.end()
    try {
      const ready = await lame.ask('GET', '/readyz')
      assert.deepEqual([ready.status, ready.body.code], [503, 'unavailable'])
      const health = await lame.ask('GET', '/health')
      assert.deepEqual(
        [health.status, health.body.status, health.body.components.database],
        [200, 'degraded', { ok: false }],
      )
      const token = await lame.token('operator')
      const asked = await lame.ask('GET', '/api/v1/game-engines', { token })
      assert.deepEqual(
        [asked.status, asked.body.code, asked.headers.get('retry-after')],
        [503, 'unavailable', '1'],
      )
    } finally {
      await lame.close().catch(() => {})
    }
  })

  it('P-51 health reports each part and the version', async () => {
    const { body } = await http.ask('GET', '/health')
    assert.deepEqual([body.status, body.version], ['ok', '0.0.0-test'])
    assert.deepEqual(Object.keys(body.components).sort(), ['database', 'fairness', 'process'])
  })

  it('P-50 open files are counted, and no figure lists every socket inside a turn of the loop', async () => {
    const { text } = await http.ask('GET', '/metrics')
    assert.match(text, /^process_open_fds [1-9]\d*$/m)
    assert.doesNotMatch(text, /nodejs_active_/)
  })

  it('P-50 metrics can be scraped, and count requests by the pattern of their route, never by their path', async () => {
    const token = await http.token('operator')
    await http.ask('GET', '/api/v1/game-engines/0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10', { token })
    await http.ask('GET', `/api/v1/${'x'.repeat(50)}`)
    const { text, headers } = await http.ask('GET', '/metrics')
    assert.match(headers.get('content-type') ?? '', /^text\/plain/)
    assert.match(
      text,
      /livedraw_http_request_duration_seconds_count\{method="GET",route="\/api\/v1\/game-engines\/\{id\}",status="404"\} 1/,
    )
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m)
    assert.doesNotMatch(text, /0192f0c1|xxxx/)
  })

  it('the key set verifies tokens and names the fairness key by its own id', async () => {
    const { body } = await http.ask('GET', '/.well-known/jwks.json')
    const [token, fair] = body.keys
    const [head, payload, signature] = (await http.token('player')).split('.') as [string, string, string]
    const key = createPublicKey({ key: token, format: 'jwk' })
    assert.ok(verifyBytes(null, Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url')))
    assert.equal(JSON.parse(Buffer.from(head, 'base64url').toString()).kid, token.kid)
    assert.equal(fair.kid, http.app.keys.kid)
    assert.equal(fair.x, http.app.keys.publicKey.toString('base64url'))
    for (const each of body.keys) assert.equal('d' in each, false, 'no private half')
  })

  it('security.txt names a contact and a day in the future', async () => {
    const { text } = await http.ask('GET', '/.well-known/security.txt')
    assert.match(text, /^Contact: mailto:security@operator\.example$/m)
    const expires = /^Expires: (.+)$/m.exec(text)?.[1]
    assert.ok(new Date(expires!) > http.clock.now())
  })

  describe('pages', () => {
    it('each address of the client has its page, asked for anew each time', async () => {
      for (const [path, title] of [
        ['/', 'play'],
        ['/watch', 'watch'],
        ['/verify', 'play'],
        ['/watch?game=x', 'watch'],
      ]) {
        const answer = await http.ask('GET', path!)
        assert.equal(answer.status, 200, path)
        assert.match(answer.text, new RegExp(`<title>${title}</title>`))
        assert.equal(answer.headers.get('cache-control'), 'no-cache')
      }
      const slash = await http.ask('GET', '/watch/')
      assert.deepEqual([slash.status, slash.headers.get('location')], [308, '/watch'])
    })

    it('files with a hash in their name are kept for ever, and nothing hidden or outside is served', async () => {
      const asset = await http.ask('GET', '/assets/app-1a2b.js')
      assert.match(asset.headers.get('cache-control') ?? '', /max-age=31536000, immutable/)
      for (const path of [
        '/.secret',
        '/assets/..%2f..%2f..%2fetc/passwd',
        '/%2e%2e/package.json',
        '/assets/',
        '/package.json',
      ]) {
        assert.equal((await http.ask('GET', path)).body.code, 'not_found', path)
      }
    })

    it('the offline verifier runs its own scripts, no others, and sends nothing', async () => {
      const answer = await http.ask('GET', '/api/v1/verify/offline.html')
      assert.equal(answer.text, OFFLINE)
      const policy = answer.headers.get('content-security-policy')!
      for (const script of ['window.ok = 1', '\nlet x\n']) {
        assert.ok(policy.includes(`'sha256-${createHash('sha256').update(script).digest('base64')}'`))
      }
      assert.match(policy, /default-src 'none'/)
      assert.doesNotMatch(policy, /script-src[^;]*unsafe|connect-src/)
    })

    it('pages run no foreign or inline script, may open sockets, and are not forced to https on a LAN', async () => {
      const { headers } = await http.ask('GET', '/')
      const policy = headers.get('content-security-policy')!
      assert.match(policy, /script-src 'self'(;|$)/)
      assert.match(policy, /connect-src 'self' ws: wss:/)
      assert.doesNotMatch(policy, /upgrade-insecure-requests/)
      assert.equal(headers.get('x-powered-by'), null)
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      for (const name of ['access-control-allow-origin', 'access-control-allow-credentials'])
        assert.equal(headers.get(name), null)
    })

    it('the API documentation works under the policy and without a network', async () => {
      const page = await http.ask('GET', '/docs')
      assert.equal(page.status, 200)
      const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!)
      assert.ok(files.length >= 4)
      for (const file of files) {
        assert.match(file, /^\//, 'nothing from elsewhere')
        assert.equal((await http.ask('GET', file)).status, 200, file)
      }
      assert.doesNotMatch(page.text, /<script>/)
    })

    it('without built pages the address says how to build them', async () => {
      const bare = await startHttp()
      const answer = await bare.ask('GET', '/')
      await bare.close()
      assert.equal(answer.status, 503)
      assert.match(answer.text, /npm run build/)
    })
  })

  describe('the test clock', () => {
    const advance = (value: unknown) => http.ask('POST', '/api/v1/test/clock', { json: { advance: value } })

    it('P-54 moves the time of the whole server, and no token dies of it', async () => {
      const token = await http.token('operator')
      const before = http.clock.now().getTime()
      const answer = await advance('PT25H')
      assert.equal(answer.status, 200)
      const moved_ms = new Date(answer.body.now).getTime() - before
      assert.ok(moved_ms >= 25 * 3_600_000 && moved_ms < 25 * 3_600_000 + 60_000)
      const later = await http.ask('GET', '/api/v1/game-engines', { token })
      assert.equal(later.status, 200)
      // Pages read the time of day from this header.
      const told_ms = Date.parse(later.headers.get('date')!) - before
      assert.ok(told_ms >= 25 * 3_600_000 - 1_000 && told_ms < 25 * 3_600_000 + 60_000, `${told_ms}`)
    })

    for (const value of [
      'P',
      'PT',
      'PT-1H',
      '-PT1H',
      '25h',
      'P1Y',
      'P1M',
      'PT1H ',
      'P99999W',
      '',
      null,
      25,
    ]) {
      it(`P-54 ${JSON.stringify(value)} moves nothing`, async () => {
        const answer = await advance(value)
        assert.deepEqual([answer.status, answer.body.errors[0].pointer], [400, '/advance'])
      })
    }

    for (const [text, duration_ms] of [
      ['PT25H', 90_000_000],
      ['P1W', 604_800_000],
      ['P1DT2H3M4.5S', 93_784_500],
      ['PT0S', 0],
    ] as const) {
      it(`P-54 ${text} are ${duration_ms} ms`, () => assert.equal(durationMs(text), duration_ms))
    }

    it('P-54 exists only where it was asked for', async () => {
      const bare = await startHttp()
      const answer = await bare.ask('POST', '/api/v1/test/clock', { json: { advance: 'PT1H' } })
      await bare.close()
      assert.equal(answer.status, 404)
    })
  })
})
