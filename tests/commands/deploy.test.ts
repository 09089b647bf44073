/** Container files as far as they can be checked without an engine, and the script of continuous integration. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HOW_TO_MAKE, readConfig } from '../../src/config.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** Variables that the configuration knows, from its own table. */
const KNOWN = new Set([...read('src/config.ts').matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map((match) => match[1]!))

describe('deploy: docker-compose.yml', () => {
  // The parser that mocha brings for its own settings.
  const { load } = createRequire(createRequire(import.meta.url).resolve('mocha'))('js-yaml')
  const { services, volumes } = load(read('docker-compose.yml'))

  it('K-07 the server waits for a healthy database and a finished migration', () => {
    assert.deepEqual(services.server.depends_on, {
      postgres: { condition: 'service_healthy' },
      migrate: { condition: 'service_completed_successfully' },
    })
    assert.equal(services.migrate.depends_on.postgres.condition, 'service_healthy')
    assert.equal(services.migrate.restart, 'no')
    assert.ok(services.postgres.healthcheck.test.join(' ').includes('pg_isready'))
  })

  it('PostgreSQL 18 keeps its data where the image expects its volume', () => {
    assert.equal(services.postgres.image, 'postgres:18')
    assert.deepEqual(services.postgres.volumes, ['postgres:/var/lib/postgresql'])
    assert.ok('postgres' in volumes && 'data' in volumes)
  })

  it('an init reaps children, and the server has longer to stop than it gives itself', () => {
    assert.equal(services.server.init, true)
    const grace_ms = Number(/^(\d+)s$/.exec(services.server.stop_grace_period)![1]) * 1_000
    assert.ok(grace_ms > readConfig({}).shutdown_deadline_ms)
  })

  it('every variable it sets is one that the server reads, and the keys have no default', () => {
    for (const service of ['server', 'migrate']) {
      assert.deepEqual(
        Object.keys(services[service].environment).filter((name) => !KNOWN.has(name)),
        [],
      )
    }
    for (const name of ['SEED_KEYS', 'TOKEN_KEY', 'FAIRNESS_KEY']) {
      assert.match(services.server.environment[name], new RegExp(`^\\$\\{${name}:\\?`))
    }
  })

  it('commands name files that exist', () => {
    const [, file] = services.migrate.command
    assert.ok(existsSync(join(ROOT, file)), file)
  })
})

/** Instructions of a Dockerfile, continuation lines joined. */
function instructions(text: string): { name: string; rest: string }[] {
  return text
    .replace(/^\s*#.*$/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? []
      return { name, rest }
    })
}

describe('deploy: Dockerfile', () => {
  const all = instructions(read('Dockerfile'))
  const last = all.slice(all.findLastIndex(({ name }) => name === 'FROM'))
  const rests = (name: string) => last.filter((each) => each.name === name).map((each) => each.rest)
  const ignored = read('.dockerignore').split('\n')

  it('both stages are the slim image of the Node that package.json asks for', () => {
    assert.deepEqual(
      all.filter(({ name }) => name === 'FROM').map(({ rest }) => rest),
      ['node:24-slim AS pages', 'node:24-slim'],
    )
    assert.equal(JSON.parse(read('package.json')).engines.node, '>=24')
  })

  it('the image runs in production, reachable, and not as root', () => {
    const env = rests('ENV').join(' ')
    for (const part of ['NODE_ENV=production', 'HOST=0.0.0.0']) assert.ok(env.includes(part), part)
    assert.deepEqual(rests('USER'), ['node'])
    const names = last.map(({ name }) => name)
    assert.ok(
      names.indexOf('USER') > names.lastIndexOf('RUN') && names.indexOf('USER') < names.indexOf('CMD'),
    )
  })

  it('it carries no development and no optional package', () => {
    assert.ok(rests('RUN').some((rest) => rest.includes('npm ci --omit=dev --omit=optional')))
  })

  it('what it copies exists and is not ignored', () => {
    for (const rest of rests('COPY').filter((each) => !each.startsWith('--from'))) {
      for (const path of rest.split(/\s+/).slice(0, -1)) {
        assert.ok(existsSync(join(ROOT, path)), path)
        assert.ok(!ignored.includes(path.replace(/\/$/, '')), `${path} is in .dockerignore`)
      }
    }
    assert.ok(ignored.includes('.env') && ignored.includes('.data'), 'keys must not get into an image')
  })

  it('it starts the server without npm, and asks readyz how it is', () => {
    assert.deepEqual(JSON.parse(rests('CMD')[0]!), ['node', 'src/main.ts'])
    assert.match(rests('HEALTHCHECK')[0]!, /\/readyz/)
  })
})

describe('deploy: settings', () => {
  it('.env.example names only variables that exist, and asks for no more than a demo needs', () => {
    const names = [...read('.env.example').matchAll(/^#? ?([A-Z][A-Z_]+)=/gm)].map((match) => match[1]!)
    assert.ok(names.length > 10)
    assert.deepEqual(
      names.filter((name) => !KNOWN.has(name) && name !== 'POSTGRES_PASSWORD'),
      [],
    )
    const unquoted = Object.fromEntries(
      [...read('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [
        name!,
        value!.replaceAll("'", ''),
      ]),
    )
    assert.deepEqual(readConfig(unquoted), readConfig({}))
  })

  it('the commands that make keys make keys that production takes', () => {
    const made = Object.fromEntries(
      Object.entries(HOW_TO_MAKE).map(([name, command]) => {
        const code = /^node -e "(.*)"$/.exec(command)![1]!
        return [name, spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' }).stdout.trim()]
      }),
    )
    assert.equal(readConfig({ NODE_ENV: 'production', ...made }).seedKeys!.length, 1)
  })
})

describe('deploy: .ci/run', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'livedraw-ci-'))
    mkdirSync(join(dir, '.ci'))
    mkdirSync(join(dir, 'bin'))
    copyFileSync(join(ROOT, '.ci/run'), join(dir, '.ci/run'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  /** Runs the script with an npm that does as told instead of installing and testing. */
  function run(installs: string, tests: string): { status: number | null; lines: string[] } {
    const npm = join(dir, 'bin/npm')
    writeFileSync(npm, `#!/bin/sh\nif [ "$1" = ci ]; then ${installs}; else ${tests}; fi\n`)
    chmodSync(npm, 0o755)
    const env = { PATH: [join(dir, 'bin'), process.env['PATH']].join(delimiter) }
    const { status, stdout } = spawnSync('bash', [join(dir, '.ci/run')], { encoding: 'utf8', env, input: '' })
    return { status, lines: stdout.trimEnd().split('\n') }
  }

  const numbers = (lines: string[]) =>
    lines.filter((line) => /^\d+ passed, \d+ failed, \d+ skipped$/.test(line))

  it('ends with one line of numbers and 0 when everything passed', () => {
    const { status, lines } = run(
      'exit 0',
      `printf '  a\\n    1) b\\n\\n  12 passing (3s)\\n  2 pending\\n\\n'; exit 0`,
    )
    assert.equal(status, 0)
    assert.equal(lines.at(-1), '12 passed, 0 failed, 2 skipped')
    assert.equal(numbers(lines).length, 1)
  })

  it('ends with the numbers and the code of mocha when tests failed', () => {
    const { status, lines } = run('exit 0', `printf '\\n  12 passing (3m)\\n  3 failing\\n'; exit 3`)
    assert.equal(status, 3)
    assert.equal(lines.at(-1), '12 passed, 3 failed, 0 skipped')
  })

  it('a run without a summary is a failure, whatever its code', () => {
    for (const code of [0, 7]) {
      const { status, lines } = run('exit 0', `echo 'killed'; exit ${code}`)
      assert.notEqual(status, 0)
      assert.equal(lines.at(-1), '0 passed, 1 failed, 0 skipped')
    }
  })

  it('a run whose code its summary does not explain is a failure', () => {
    const { status, lines } = run('exit 0', `printf '  12 passing (3s)\\n'; exit 1`)
    assert.equal(status, 1)
    assert.equal(lines.at(-1), '12 passed, 1 failed, 0 skipped')
  })

  it('an install that failed is a failure, and no test is run', () => {
    const { status, lines } = run('exit 1', `printf '  12 passing (3s)\\n'; exit 0`)
    assert.notEqual(status, 0)
    assert.deepEqual(lines, ['0 passed, 1 failed, 0 skipped'])
  })
})

describe('deploy: npm test', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'livedraw-npm-test-'))
    mkdirSync(join(dir, 'scripts'))
    mkdirSync(join(dir, 'node_modules/mocha/bin'), { recursive: true })
    writeFileSync(join(dir, 'node_modules/mocha/package.json'), '{"name":"mocha","version":"0.0.0"}')
    copyFileSync(join(ROOT, 'scripts/test.mjs'), join(dir, 'scripts/test.mjs'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  /** Runs the script with a mocha that does as told for each part. */
  function run(
    others: string,
    outside: string,
    programs = says('  5 passing (1s)', 0),
  ): { status: number | null; stdout: string } {
    writeFileSync(
      join(dir, 'node_modules/mocha/bin/mocha.js'),
      `if (process.argv.includes('--ignore')) { ${others} }
       else if (process.argv.some((each) => each.includes('browser'))) { ${outside} } else { ${programs} }`,
    )
    return spawnSync(process.execPath, [join(dir, 'scripts/test.mjs')], { encoding: 'utf8' })
  }
  const says = (text: string, code: number) =>
    `console.log(${JSON.stringify(text)}); process.exitCode = ${code}`

  it('ends with one summary of all parts, and 0 when everything passed', () => {
    const { status, stdout } = run(says('  12 passing (3s)', 0), says('  30 passing (5s)\n  2 pending', 0))
    assert.equal(status, 0)
    assert.match(stdout, /\n {2}all parts\n\n {2}47 passing\n {2}2 pending\n$/)
  })

  it('fails with what failed in any part, and says it again where the end is read', () => {
    const failed = says('  30 passing (5s)\n  3 failing\n\n  1) it breaks:\n     why', 3)
    const passed = says('  12 passing (3s)', 0)
    for (const parts of [
      [failed, passed, passed],
      [passed, failed, passed],
      [passed, passed, failed],
    ] as const) {
      const { status, stdout } = run(...parts)
      assert.equal(status, 1)
      assert.match(
        stdout,
        / {2}3 failing\n\n {2}1\) it breaks:\n {5}why\s+all parts\n\n {2}54 passing\n {2}3 failing\n$/,
      )
    }
  })

  it('a part that died, or whose code its summary does not explain, is a failure', () => {
    for (const died of [says('killed', 0), 'process.kill(process.pid)', says('  12 passing (3s)', 1)]) {
      const { status, stdout } = run(died, says('  30 passing (5s)', 0))
      assert.equal(status, 1)
      assert.match(stdout, /\n {2}1 failing\n$/)
    }
  })
})
