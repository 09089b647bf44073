/** The environment: defaults, every mistake at once, what production refuses. Keys on disk, log and ready line. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { bannerText, type Ready, readyLine } from '../src/banner.ts'
import { type Config, ConfigError, HOW_TO_MAKE, readConfig } from '../src/config.ts'
import { type Database, openPool } from '../src/db/pool.ts'
import { checkSeedKeys, KeyError, keepKeys, keyFile, loadKeys, loadTokenKey } from '../src/keyfiles.ts'
import { colyseusLogger, makeLog } from '../src/log.ts'
import { makeFairKeys } from '../src/proofs/keys.ts'
import { type TestDatabase, testDatabase } from './db/cluster.ts'

const jwk = () => JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))
const seedKeys = () => `k1:${randomBytes(32).toString('base64')}`

/** A production environment without a mistake. */
const production = () => ({
  NODE_ENV: 'production',
  SEED_KEYS: seedKeys(),
  TOKEN_KEY: jwk(),
  FAIRNESS_KEY: jwk(),
})

function mistakesOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.mistakes
  }
  return []
}

describe('config: the environment', () => {
  it('an empty environment gives the defaults of the contract', () => {
    const config = readConfig({})
    assert.equal(config.port, 2567)
    assert.equal(config.host, '127.0.0.1')
    assert.equal(config.databaseUrl, null)
    assert.equal(config.dataDir, resolve('.data'))
    assert.deepEqual(config.allowedOrigins, [])
    assert.deepEqual(config.trustProxy, [])
    assert.equal(config.is_demo, true)
    assert.deepEqual(config.entropy, { source: 'local' })
    assert.equal(config.has_test_clock, false)
    assert.equal(config.shutdown_deadline_ms, 15_000)
  })

  it('an empty text means the same as an unset variable', () => {
    const names = [
      'PORT',
      'DATABASE_URL',
      'REDIS_URL',
      'ENTROPY',
      'COLYSEUS_CLOUD',
      'FAULT_POINT',
      'SEED_KEYS',
    ]
    assert.deepEqual(readConfig(Object.fromEntries(names.map((name) => [name, ' ']))), readConfig({}))
  })

  it('NODE_APP_INSTANCE is added to PORT, and not to a port that the system chooses', () => {
    assert.equal(readConfig({ PORT: '3000', NODE_APP_INSTANCE: '2' }).port, 3002)
    assert.equal(readConfig({ PORT: '0', NODE_APP_INSTANCE: '2' }).port, 0)
  })

  it('lists are split, trimmed and kept in order', () => {
    const config = readConfig({
      ALLOWED_ORIGINS: 'https://a.example, http://b.example:81 ,',
      TRUST_PROXY: '10.0.0.0/8,::1',
    })
    assert.deepEqual(config.allowedOrigins, ['https://a.example', 'http://b.example:81'])
    assert.deepEqual(config.trustProxy, ['10.0.0.0/8', '::1'])
  })

  it('every mistake is named at once, by variable', () => {
    const wrong = {
      PORT: '70000',
      HOST: 'a b',
      DATABASE_URL: 'mysql://x/y',
      PUBLIC_ADDRESS: 'https://x',
      ALLOWED_ORIGINS: '*',
      TRUST_PROXY: '10.0.0.0/33',
      SEED_KEYS: 'k1:short',
      TOKEN_KEY: '{',
      FAIRNESS_KEY: '{"kty":"RSA"}',
      DEMO: 'yes',
      ENTROPY: 'dice',
      DRAND_RELAYS: 'http://relay.example',
      TEST_CLOCK: 'true',
      WEBHOOK_LOOPBACK: 'yes',
      SHUTDOWN_DEADLINE_MS: '-1',
      LOG_LEVEL: 'loud',
      FAULT_POINT: 'spin',
      NODE_APP_INSTANCE: 'x',
      REDIS_URL: 'redis://127.0.0.1',
      REDIS_URI: 'redis://127.0.0.1',
      COLYSEUS_CLOUD: '1',
    }
    const mistakes = mistakesOf(wrong)
    for (const name of Object.keys(wrong)) {
      assert.ok(
        mistakes.some((mistake) => mistake.startsWith(`${name} `)),
        `${name} is not named in:\n${mistakes.join('\n')}`,
      )
    }
    assert.equal(mistakes.length, Object.keys(wrong).length)
  })

  it('the value of a secret is never repeated in a mistake', () => {
    const secret = randomBytes(16).toString('base64')
    const text = mistakesOf({
      SEED_KEYS: `k1:${secret}`,
      TOKEN_KEY: secret,
      FAIRNESS_KEY: JSON.stringify({ d: secret }),
    }).join()
    assert.ok(text.includes('SEED_KEYS') && text.includes('TOKEN_KEY') && text.includes('FAIRNESS_KEY'))
    assert.ok(!text.includes(secret), text)
  })

  for (const [origin, is_origin] of [
    ['https://play.example', true],
    ['http://localhost:5173', true],
    ['https://play.example/', false],
    ['https://play.example:443', false],
    ['play.example', false],
    ['null', false],
    ['file://', false],
    ['https://user@play.example', false],
  ] as const) {
    it(`ALLOWED_ORIGINS ${is_origin ? 'takes' : 'refuses'} ${origin}`, () => {
      assert.equal(mistakesOf({ ALLOWED_ORIGINS: origin }).length === 0, is_origin)
    })
  }

  for (const name of ['REDIS_URL', 'REDIS_URI']) {
    it(`${name} is refused with a sentence and not ignored`, () => {
      const [mistake, ...others] = mistakesOf({ [name]: 'redis://127.0.0.1:6379' })
      assert.match(mistake!, /many processes/)
      assert.deepEqual(others, [])
    })
  }

  it('CORS_ORIGINS is pointed out and changes nothing', () => {
    const config = readConfig({ CORS_ORIGINS: 'https://a.example' })
    assert.deepEqual(config.allowedOrigins, [])
    assert.match(config.warnings.join(), /ALLOWED_ORIGINS/)
  })

  it('ENTROPY=drand needs one relay on a machine of one’s own and two in production', () => {
    const one = { ENTROPY: 'drand', DRAND_RELAYS: 'https://a.example' }
    assert.match(mistakesOf({ ENTROPY: 'drand' }).join(), /DRAND_RELAYS needs at least one/)
    assert.deepEqual(readConfig(one).entropy, { source: 'drand', relays: ['https://a.example'] })
    assert.match(mistakesOf({ ...production(), ...one }).join(), /needs at least two/)
    assert.deepEqual(
      mistakesOf({ ...production(), ...one, DRAND_RELAYS: 'https://a.example,https://b.example' }),
      [],
    )
  })

  it('production without keys is refused, once per key, each with the command that makes one', () => {
    const mistakes = mistakesOf({ NODE_ENV: 'production' })
    assert.equal(mistakes.length, 3)
    for (const name of ['SEED_KEYS', 'TOKEN_KEY', 'FAIRNESS_KEY'] as const) {
      assert.ok(
        mistakes.some((mistake) => mistake.startsWith(name) && mistake.endsWith(HOW_TO_MAKE[name])),
        name,
      )
    }
  })

  it('a command is asked only for the keys that it needs', () => {
    assert.equal(readConfig({ NODE_ENV: 'production' }, { needs: [] }).tokenKey, null)
    assert.throws(() => readConfig({ NODE_ENV: 'production' }, { needs: ['TOKEN_KEY'] }), /TOKEN_KEY/)
  })

  it('production plays no demo unless it is asked to', () => {
    assert.equal(readConfig(production()).is_demo, false)
    assert.equal(readConfig({ ...production(), DEMO: '1' }).is_demo, true)
    assert.equal(readConfig({ DEMO: '0' }).is_demo, false)
  })

  it('production refuses a test clock and fault points, which are legal elsewhere', () => {
    const breaking = { TEST_CLOCK: '1', WEBHOOK_LOOPBACK: '1', FAULT_POINT: 'spin.commit:3:kill' }
    assert.deepEqual(readConfig(breaking).faultPoint, { name: 'spin.commit', at: 3, action: 'kill' })
    assert.throws(() => readConfig({ FAULT_POINT: 'spin.commit:3:burn' }), /must be name:n:kill/)
    const mistakes = mistakesOf({ ...production(), ...breaking })
    assert.equal(mistakes.length, 3)
    assert.match(mistakes.join(), /TEST_CLOCK=1 is refused/)
    assert.match(mistakes.join(), /WEBHOOK_LOOPBACK=1 is refused/)
    assert.match(mistakes.join(), /FAULT_POINT is refused/)
  })
})

describe('config: keys in DATA_DIR', () => {
  let dir: string
  const config = (): Config => readConfig({ DATA_DIR: dir })

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'livedraw-keys-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  it('keys that were made are in memory until they are kept, and the same afterwards', () => {
    const made = loadKeys(config())
    assert.deepEqual(made.made, ['SEED_KEYS', 'TOKEN_KEY', 'FAIRNESS_KEY'])
    assert.ok(!existsSync(join(dir, 'keys')))
    keepKeys(dir, made)
    const read = loadKeys(config())
    assert.deepEqual(read.made, [])
    assert.deepEqual(read.seedKeys, made.seedKeys)
    assert.deepEqual(read.tokenKey, made.tokenKey)
    assert.ok(read.fairnessKey.equals(made.fairnessKey))
  })

  it('key files can be read by their owner alone, and no draft is left', function () {
    if (process.platform === 'win32') this.skip()
    const files = keepKeys(dir, loadKeys(config()))
    assert.equal(files.length, 3)
    for (const file of files) assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(statSync(join(dir, 'keys')).mode & 0o777, 0o700)
  })

  it('a key of the environment goes before a file and is not written', () => {
    const given = seedKeys()
    const keys = loadKeys(
      readConfig({ DATA_DIR: dir, SEED_KEYS: given, TOKEN_KEY: jwk(), FAIRNESS_KEY: jwk() }),
    )
    assert.deepEqual(keys.made, [])
    assert.deepEqual(keepKeys(dir, keys), [])
    assert.equal(`k1:${keys.seedKeys[0]!.key.toString('base64')}`, given)
  })

  it('a key file that cannot be read is refused and not replaced', () => {
    keepKeys(dir, loadKeys(config()))
    const file = keyFile(dir, 'SEED_KEYS')
    writeFileSync(file, 'k1:half')
    assert.throws(() => loadKeys(config()), KeyError)
    assert.equal(readFileSync(file, 'utf8'), 'k1:half')
  })

  it('of two starts at once one keeps its keys and the other is told to start again', () => {
    const [first, second] = [loadKeys(config()), loadKeys(config())]
    keepKeys(dir, first)
    assert.throws(() => keepKeys(dir, second), KeyError)
    assert.deepEqual(loadKeys(config()).seedKeys, first.seedKeys)
  })

  it('the token command makes a key that the server then finds', () => {
    const made = loadTokenKey(config())
    assert.deepEqual(loadKeys(config()).tokenKey, made)
    assert.deepEqual(loadTokenKey(config()), made)
  })
})

describe('config: seed keys and a database that holds sealed seeds', () => {
  let test: TestDatabase
  let database: Database
  const signing = generateKeyPairSync('ed25519').privateKey
  const fairKeys = (...kids: string[]) =>
    makeFairKeys(
      kids.map((kid) => ({ kid, key: Buffer.alloc(32, kid) })),
      signing,
    )

  before(async () => {
    test = await testDatabase()
    database = openPool(test.url, () => {})
  })
  after(async () => {
    await database.end()
    await test.drop()
  })

  it('opens with the key that sealed, also when it is no longer the first; any other key fails the start', async () => {
    await checkSeedKeys(database, fairKeys('unused'))
    const gameId = '00000000-0000-7000-8000-0000000000aa'
    const seed_hash = '5'.repeat(64)
    const sealed = fairKeys('old').seal(randomBytes(32), { gameId, seedHash: seed_hash })
    await database.query(
      `insert into tenants (id, tenant_code, tenant_name, created_at, updated_at)
       values ('00000000-0000-7000-8000-000000000001', 'a', 'A', now(), now())`,
    )
    await database.query(
      `insert into fair_commitments (tenant_id, commit_hash, kind, game_id, seq, doc, config, jws, created_at)
       values ('00000000-0000-7000-8000-000000000001', repeat('c', 64), 'wheel', $1, 1, '{}', '{}', '', now())`,
      [gameId],
    )
    await database.query(
      `insert into fair_seeds (id, tenant_id, kind, game_id, commit_hash, config_version, seq, seed_hash, sealed_seed, seed_status,
                               committed_at, created_at, updated_at)
       values (gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'wheel', $1, repeat('c', 64), 1, 1, $2, $3, 'active',
               now(), now(), now())`,
      [gameId, seed_hash, sealed],
    )
    await checkSeedKeys(database, fairKeys('old'))
    await checkSeedKeys(database, fairKeys('new', 'old'))
    await assert.rejects(
      checkSeedKeys(database, fairKeys('new')),
      (error: Error) => error instanceof KeyError && error.message.includes('"old"'),
    )
    const impostor = makeFairKeys([{ kid: 'old', key: Buffer.alloc(32, 'x') }], signing)
    await assert.rejects(checkSeedKeys(database, impostor), KeyError)
  })
})

describe('config: what the process says', () => {
  const ready: Ready = {
    url: 'http://127.0.0.1:2567',
    pid: 7,
    database: 'embedded',
    postgres_version: '18.4',
    dataDir: '.data',
    started_in_ms: 2_400,
    is_demo: true,
    bot_count: 12,
    admin_code: 'K7',
    is_production: false,
    notes: ['CORS_ORIGINS is not read'],
  }

  it('the ready line is one line of JSON with the members of the contract', () => {
    const line = readyLine(ready)
    assert.ok(!line.includes('\n'))
    assert.deepEqual(JSON.parse(line), {
      event: 'ready',
      url: 'http://127.0.0.1:2567',
      pid: 7,
      database: 'embedded',
      redis: false,
    })
  })

  it('the banner links to every page and repeats each note', () => {
    const text = bannerText(ready)
    for (const part of [
      '/watch',
      '/verify',
      '/docs',
      '/enter#K7',
      'http://127.0.0.1:2567/',
      'PostgreSQL 18.4',
      '12 bots',
      'CORS_ORIGINS',
    ]) {
      assert.ok(text.includes(part), part)
    }
  })

  function logged(act: (log: ReturnType<typeof makeLog>) => void): string {
    const lines: string[] = []
    act(
      makeLog({ level: 'trace', is_pretty: false, destination: { write: (line) => void lines.push(line) } }),
    )
    return lines.join('')
  }

  it('tokens and seeds do not reach the log, whatever carries them', () => {
    const text = logged((log) => {
      log.info({
        token: 'SECRET',
        req: { method: 'GET', url: '/admin?t=SECRET&x=1', headers: { authorization: 'SECRET' } },
      })
      log.info({
        row: { sealed_seed: 'SECRET', deeper: { server_seed: 'SECRET', again: { serverSeed: 'SECRET' } } },
      })
      log.warn({
        headers: { cookie: 'SECRET', 'x-request-id': 'kept' },
        options: { reconnectionToken: 'SECRET' },
      })
      colyseusLogger(log).error('cannot join', 'ws://h/p/r?sessionId=SECRET&_authToken=SECRET&n=1')
      colyseusLogger(log).info(
        { reconnectionToken: 'SECRET', 'x-request': 1, headers: { authorization: 'Bearer SECRET' } },
        'authToken=SECRET',
        `who eyJhbGciOiJFZERTQSJ9.SECRET.SECRET said "token":"SECRET"`,
      )
    })
    assert.ok(!text.includes('SECRET'), text)
    assert.ok(text.includes('kept') && text.includes('n=1') && text.includes('/admin'), text)
  })

  it('H31 what Colyseus says keeps every argument, on one line of bounded length and without a stack', () => {
    const text = logged((log) => {
      const colyseus = colyseusLogger(log)
      colyseus.warn('slow room', { name: 'wheel', deep: { deeper: { list: [1, { x: 'y' }] } } }, 7)
      colyseus.error('join failed:', new Error('boom'))
      colyseus.error(new Error('boom').stack)
      colyseus.info('x'.repeat(5_000))
    })
    const said = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.match(said[0].msg, /^slow room \{ name: 'wheel', deep: .*\} 7$/)
    assert.equal(said[1].msg, 'join failed: boom')
    assert.equal(said[2].msg, 'Error: boom')
    assert.equal(said[3].msg, 'x'.repeat(300))
    assert.ok(said.every((line) => line.from === 'colyseus' && line.err === undefined))
    assert.doesNotMatch(text, /config\.test/)
  })

  it('H31 Colyseus gets its quota of lines per level, and the next window says how many were left out', () => {
    let now_ms = 0
    const text = logged((log) => {
      const colyseus = colyseusLogger(log, () => now_ms)
      for (let each = 0; each < 33; each++) colyseus.warn('noise')
      colyseus.error('heard')
      now_ms = 9_999
      colyseus.warn('still too early')
      now_ms = 10_000
      colyseus.warn('later')
    })
    const said = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.equal(said.filter(({ msg }) => msg === 'noise').length, 30)
    assert.deepEqual(
      said.slice(30).map(({ msg, left_out }) => [msg, left_out]),
      [
        ['heard', undefined],
        ['lines left out', 4],
        ['later', undefined],
      ],
    )
  })
})
