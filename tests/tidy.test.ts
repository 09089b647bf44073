/**
 * What the house must not drift from (style.md rule 12): import directions, homes of clock, randomness, SQL and
 * environment, packages, documented errors, types and lint. Each rule is a function over source texts, and each is
 * shown a planted violation, so that a rule that went blind is noticed.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ERRORS } from '../src/errors.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

type Source = { path: string; text: string }

/** A rule answers one sentence per violation, each beginning with the file. */
type Rule = (sources: readonly Source[]) => string[]

function sourcesOf(...dirs: string[]): Source[] {
  const files = dirs.flatMap((dir) =>
    existsSync(join(ROOT, dir))
      ? readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' }).map((file) => join(dir, file))
      : [],
  )
  return files
    .filter((path) => /\.(ts|tsx|sql|mjs)$/.test(path) && !path.includes('node_modules'))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

const isTest = (path: string) => path.endsWith('.test.ts')

/** Source without comments, so that a sentence about a thing is not the thing. Strings stay: SQL lives in them. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
}

type Import = { target: string; is_type: boolean }

/** Imports of a module, relative ones as paths from the root; `is_type` when nothing of it is there at run time. */
function importsOf({ path, text }: Source): Import[] {
  const code = withoutComments(text)
  const found: Import[] = []
  for (const [, clause = '', target] of code.matchAll(
    /^\s*(?:import|export)\b([^'"`;()]*?)\bfrom\s*['"]([^'"]+)['"]/gm,
  )) {
    // `import { type X }` still loads its module when types are stripped; only `import type` does not.
    const is_type = /^\s*type\b/.test(clause)
    found.push({ target: resolved(path, target!), is_type })
  }
  for (const [, target] of code.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm))
    found.push({ target: resolved(path, target!), is_type: false })
  for (const [, target] of code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g))
    found.push({ target: resolved(path, target!), is_type: false })
  return found
}

function resolved(from: string, target: string): string {
  return target.startsWith('.') ? normalize(join(dirname(from), target)) : target
}

const inside = (path: string, dir: string) => path.startsWith(`${dir}/`)

/** Rooms are plugins: nothing below them knows them, but the place that puts everything together. */
const roomsStayAbove: Rule = (sources) =>
  sources
    .filter(({ path }) => inside(path, 'src') && path !== 'src/composition.ts' && !isTest(path))
    .flatMap((source) =>
      importsOf(source)
        .filter(({ target }) => inside(target, 'rooms'))
        .map(({ target }) => `${source.path} imports ${target}`),
    )

/** Doors parse, ask a use case and answer; statements are the business of stores. */
const doorsHoldNoStore: Rule = (sources) =>
  sources
    .filter(({ path }) => inside(path, 'rooms'))
    .flatMap((source) =>
      importsOf(source)
        .filter(
          ({ target, is_type }) =>
            !is_type && (/(^|[/-])store\.ts$/.test(target) || inside(target, 'src/db') || target === 'pg'),
        )
        .map(({ target }) => `${source.path} imports ${target}`),
    )

const isPure = (path: string) =>
  !isTest(path) &&
  (inside(path, 'src/fairness') ||
    (inside(path, 'src') && /[/-](rules|lifecycle|conditions|schedule|policies)\.ts$/.test(path)))

/** Packages that compute and do nothing else. */
const PURE_PACKAGES = /^(@noble\/(hashes|curves)\/|zod$)/

/** What a rule decides must depend on what it is given: nothing that it imports, however far away, may do IO. */
const pureStaysPure: Rule = (sources) => {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  return sources
    .filter(({ path }) => isPure(path))
    .flatMap(({ path }) => {
      const seen = new Set([path])
      const faults: string[] = []
      for (const module of seen) {
        for (const { target, is_type } of importsOf(byPath.get(module)!)) {
          if (is_type) continue
          if (byPath.has(target)) seen.add(target)
          else if (!PURE_PACKAGES.test(target)) faults.push(`${path} reaches ${target} through ${module}`)
        }
      }
      return faults
    })
}

/** Lines of sources that match, but for the homes, each of which has its reason. */
function onlyAt(pattern: RegExp, homes: Record<string, string>, what: string): Rule {
  return (sources) =>
    sources
      .filter(
        ({ path }) =>
          !isTest(path) && !Object.keys(homes).some((home) => path === home || inside(path, home)),
      )
      .flatMap(({ path, text }) =>
        withoutComments(text)
          .split('\n')
          .filter((line) => pattern.test(line))
          .map((line) => `${path} ${what}: ${line.trim()}`),
      )
}

const CLOCK_HOMES = {
  'src/clock.ts': 'the one authority for time',
  'src/db/embedded': 'names files and compares start times of processes; decides nothing in a game',
  'rooms/wire.ts': 'deadlines of sockets, which run on the machine and not on the clock of games',
}
const clockAtHome = onlyAt(/\bDate\.now\(|\bnew Date\(\s*\)/, CLOCK_HOMES, 'reads the clock')

const RANDOMNESS_HOMES = {
  'src/db/tx.ts': 'entropy(n): the seeds',
  'src/ids.ts': 'ids and codes',
  'src/proofs/keys.ts': 'initialisation vectors',
  'src/proofs/pairs.ts': 'salts of holders',
  'src/games/wheel/simulate-wheel.ts': 'simulated spins, before anything is published',
  'src/keyfiles.ts': 'keys of a demo',
  'src/config.ts': 'the command that makes a key, as text',
  'src/demo': 'players that are not people',
  'src/db/embedded': 'password and lock of the embedded cluster',
  'rooms/guard.ts': 'payloads of pings',
}
const randomnessAtHome = onlyAt(
  /\b(randomBytes|randomInt|randomUUID(v7)?|randomFill(Sync)?|getRandomValues)\b/,
  RANDOMNESS_HOMES,
  'makes randomness',
)
const noMathRandom = onlyAt(/\bMath\.random\b/, {}, 'uses Math.random')

const SQL_HOMES = {
  'src/db': 'transactions, batches, migrations, the embedded cluster',
  'src/audit': 'reads everything',
  'src/commands': 'looks at a database from outside',
  'src/app.ts': 'the key and the answer of a request belong to the frame of its transaction',
}
const SQL =
  /(['"`]|^)\s*(select\s.+\sfrom|select\s+(pg_|nextval|set_config)|insert\s+into|update\s+\w+(\s+\w+)?\s+set|delete\s+from|create\s+(table|index)|alter\s+table|with\s+\w+\s+as\s*(materialized\s*)?\()/i
const sqlAtHome: Rule = (sources) =>
  onlyAt(
    SQL,
    SQL_HOMES,
    'holds SQL',
  )(sources.filter(({ path }) => path.endsWith('.ts') && !/(^|[/-])store\.ts$/.test(path)))

const environmentAtHome = onlyAt(
  /\bprocess\.env\b/,
  { 'src/config.ts': 'the only reader' },
  'reads the environment',
)

/** Both have effects when they are imported: they read files into the environment and open what we guard. */
const FORBIDDEN = new Set([
  'colyseus',
  '@colyseus/tools',
  '@colyseus/auth',
  'dotenv',
  'cors',
  'uuid',
  'nanoid',
  'jsonwebtoken',
])
const noForbiddenPackages: Rule = (sources) =>
  sources
    .filter(({ path }) => !isTest(path))
    .flatMap((source) =>
      importsOf(source)
        .filter(({ target }) => FORBIDDEN.has(target))
        .map(({ target }) => `${source.path} imports ${target}`),
    )

// Written apart, or this file would find itself.
const LEFT_OVER = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'HA' + 'CK', 'XX' + 'X'].join('|')})\\b`)
const nothingLeftOver: Rule = (sources) =>
  sources.flatMap(({ path, text }) =>
    text
      .split('\n')
      .filter((line) => LEFT_OVER.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  )

const noFocusedTest: Rule = (sources) =>
  sources
    .filter(({ path }) => isTest(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .filter((line) => /\b(it|describe|context)\.only\(/.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    )

const migrationsSayWhy: Rule = (sources) =>
  sources
    .filter(({ path }) => inside(path, 'migrations'))
    .filter(({ text }) => !text.startsWith('-- Why: '))
    .map(({ path }) => `${path} does not open with why`)

const src = sourcesOf('src')
const rooms = sourcesOf('rooms')
const server = [...src, ...rooms]
const migrations = sourcesOf('migrations')
const everything = [
  ...server,
  ...migrations,
  ...sourcesOf('tests', 'loadtest', 'bench', 'client-demo', 'scripts'),
]

/** Rule, sources, sets of planted sources in each of which it must see a violation, and a harmless set. */
const RULES: { holds: string; rule: Rule; over: readonly Source[]; bad: Source[][]; good: Source[] }[] = [
  {
    holds: 'src never imports rooms, but for composition.ts',
    rule: roomsStayAbove,
    over: server,
    bad: [[{ path: 'src/http/x.ts', text: `import { makeRooms } from '../../rooms/index.ts'` }]],
    good: [{ path: 'src/composition.ts', text: `import { makeRooms } from '../rooms/index.ts'` }],
  },
  {
    holds: 'rooms hold no store and no database',
    rule: doorsHoldNoStore,
    over: server,
    bad: [
      [{ path: 'rooms/wheel/room.ts', text: `import { loadWheel } from '../../src/games/wheel/store.ts'` }],
    ],
    good: [{ path: 'rooms/wheel/room.ts', text: `import type { Actor } from '../../src/db/tx.ts'` }],
  },
  {
    holds: 'rules, life cycles, conditions and fairness reach nothing that does IO',
    rule: pureStaysPure,
    over: src,
    bad: [
      [
        { path: 'src/games/x/rules.ts', text: `import { helper } from './helper.ts'` },
        { path: 'src/games/x/helper.ts', text: `import { readFileSync } from 'node:fs'` },
      ],
    ],
    good: [
      {
        path: 'src/games/x/rules.ts',
        text: `import type { PoolClient } from 'pg'\nimport { sha256 } from '@noble/hashes/sha2.js'\n// import 'node:fs'`,
      },
    ],
  },
  {
    holds: 'the clock is read at its homes only',
    rule: clockAtHome,
    over: server,
    bad: [
      [{ path: 'src/games/x/use.ts', text: 'const at = new Date()' }],
      [{ path: 'rooms/x.ts', text: 'const at = Date.now()' }],
    ],
    good: [
      { path: 'src/games/x/use.ts', text: 'const at = new Date(tx.now.getTime() + 5) // not new Date()' },
      { path: 'src/clock.ts', text: 'new Date()' },
    ],
  },
  {
    holds: 'randomness is made at its homes only',
    rule: randomnessAtHome,
    over: server,
    bad: [[{ path: 'src/games/x/rules.ts', text: `import { randomInt } from 'node:crypto'` }]],
    good: [{ path: 'src/ids.ts', text: `import { randomBytes } from 'node:crypto'` }],
  },
  {
    holds: 'nothing uses Math.random',
    rule: noMathRandom,
    over: server,
    bad: [[{ path: 'src/demo/bots.ts', text: 'const pause_ms = Math.random() * 5' }]],
    good: [{ path: 'src/x.ts', text: 'const most = Math.max(1, 2)' }],
  },
  {
    holds: 'SQL lives in stores and in src/db',
    rule: sqlAtHome,
    over: server,
    bad: [
      [{ path: 'src/http/x.ts', text: "tx.rows('select id from tenants')" }],
      [{ path: 'src/games/x/use.ts', text: 'tx.rows(`\n  insert into spins (id) values ($1)`)' }],
      [{ path: 'rooms/x.ts', text: 'q("update spins set a = 1")' }],
      [{ path: 'rooms/y.ts', text: "q('delete from spins')" }],
    ],
    good: [
      { path: 'src/games/x/store.ts', text: "tx.rows('select id from tenants')" },
      { path: 'src/games/x/round-store.ts', text: "tx.rows('delete from spins')" },
      { path: 'src/http/x.ts', text: "const says = 'Select a prize; insert a coin.' // select id from x" },
    ],
  },
  {
    holds: 'the environment is read in config.ts only',
    rule: environmentAtHome,
    over: server,
    bad: [[{ path: 'src/http/x.ts', text: "const port = process.env['PORT']" }]],
    good: [{ path: 'src/config.ts', text: 'process.env' }],
  },
  {
    holds: 'packages with side effects, and those that the platform replaces, are not imported',
    rule: noForbiddenPackages,
    over: server,
    bad: [
      [{ path: 'rooms/x.ts', text: `import { Server } from 'colyseus'` }],
      [{ path: 'src/x.ts', text: `await import('@colyseus/tools')` }],
    ],
    good: [{ path: 'rooms/x.ts', text: `import { Server } from '@colyseus/core'` }],
  },
  {
    holds: 'nothing is left to be done later in a comment',
    rule: nothingLeftOver,
    over: everything,
    bad: [[{ path: 'src/x.ts', text: `// ${'TO' + 'DO'}: later` }]],
    good: [{ path: 'src/x.ts', text: '// Done.' }],
  },
  {
    holds: 'no test is focused, which would switch the others off',
    rule: noFocusedTest,
    over: everything,
    bad: [[{ path: 'tests/x.test.ts', text: `  it${'.'}only('x', () => {})` }]],
    good: [{ path: 'tests/x.test.ts', text: `  it('x', () => {})` }],
  },
  {
    holds: 'every migration opens with why',
    rule: migrationsSayWhy,
    over: migrations,
    bad: [[{ path: 'migrations/0099_x.sql', text: 'create table x ();' }]],
    good: [{ path: 'migrations/0099_x.sql', text: '-- Why: a reason.' }],
  },
]

describe('tidy: the house', () => {
  for (const { holds, rule, over, bad, good } of RULES) {
    it(`S2-56 ${holds}`, () => {
      assert.ok(over.length > 2, 'the rule looked at nothing')
      assert.deepEqual(rule(over), [])
    })

    it(`the rule "${holds}" sees a violation and leaves its harmless twin alone`, () => {
      assert.deepEqual(rule(good), [])
      for (const planted of bad) assert.ok(rule(planted).length > 0, JSON.stringify(planted))
    })
  }

  it('every home that a rule excuses still exists', () => {
    const homes = [CLOCK_HOMES, RANDOMNESS_HOMES, SQL_HOMES].flatMap((each) => Object.keys(each))
    assert.deepEqual(
      homes.filter((home) => !existsSync(join(ROOT, home))),
      [],
    )
  })
})

/** Codes of the catalogue that the page lacks, and headings that are no code. */
function undocumented(codes: readonly string[], page: string): string[] {
  const documented = [...page.matchAll(/^###? `([a-z_]+)`/gm)].map((match) => match[1]!)
  return [
    ...codes.filter((code) => !documented.includes(code)).map((code) => `${code} is not documented`),
    ...documented
      .filter((code) => !codes.includes(code))
      .map((code) => `${code} is documented and does not exist`),
    ...documented
      .filter((code, i) => documented.indexOf(code) !== i)
      .map((code) => `${code} is documented twice`),
  ]
}

describe('tidy: documents', () => {
  const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')

  it('S2-56 every error code is documented, once, and none that does not exist', () => {
    assert.deepEqual(undocumented(Object.keys(ERRORS), page), [])
    for (const [code, { status }] of Object.entries(ERRORS)) {
      const section = page.split(`\`${code}\`\n`)[1]?.split('\n#')[0] ?? ''
      assert.ok(section.includes(String(status)), `${code} is documented without its status ${status}`)
    }
  })

  it('a code without a section, a section without a code and a second section are seen', () => {
    const faults = undocumented(['a_code', 'b_code'], '### `b_code`\n### `b_code`\n### `c_code`\n')
    assert.deepEqual(faults, [
      'a_code is not documented',
      'c_code is documented and does not exist',
      'b_code is documented twice',
    ])
  })

  it('K-07 every variable of the environment is explained in docs/operations.md', () => {
    const operations = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
    const config = readFileSync(join(ROOT, 'src/config.ts'), 'utf8')
    const names = [...config.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map((match) => match[1]!)
    assert.ok(names.length > 15)
    assert.deepEqual(
      [...new Set(names)].filter((name) => !operations.includes(`\`${name}\``)),
      [],
    )
  })
})

type Lock = { packages: Record<string, { version?: string; dev?: boolean; optional?: boolean }> }

/** Packages of which a second copy is silent trouble, as seen in a lock file. */
function secondCopies({ packages }: Lock): string[] {
  return ['zod', 'ws', 'ioredis', 'pg', '@colyseus/core', '@colyseus/schema'].flatMap((name) => {
    const copies = Object.keys(packages).filter((path) => path.endsWith(`node_modules/${name}`))
    return copies.length > 1 ? copies : []
  })
}

/** Direct Colyseus packages whose version is a range, and packages older than what the abuse tests rely on. */
function loosePins(
  manifest: { dependencies: Record<string, string>; devDependencies?: Record<string, string> },
  lock: Lock,
): string[] {
  const pinned = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([name]) =>
    /^@colyseus\/|^@biomejs\/|^ws$/.test(name),
  )
  const ranges = pinned
    .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    .map(([name, version]) => `${name} ${version} is a range`)
  const old = Object.entries(LEAST).flatMap(([name, least]) => {
    const version = lock.packages[`node_modules/${name}`]?.version
    return version !== undefined && isOlder(version, least)
      ? [`${name} ${version} is older than ${least}`]
      : []
  })
  return [...ranges, ...old]
}

/** ws below 8.23 has no maxFragments worth the name; msgpackr to 1.10.0 has CVE-2023-52079. */
const LEAST = { ws: '8.23.0', msgpackr: '1.10.1' }

function isOlder(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const at = a.findIndex((part, i) => part !== b[i])
  return at >= 0 && a[at]! < b[at]!
}

describe('tidy: packages', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock

  it('there is one copy of every package of which two would be trouble', () => {
    assert.ok(lock.packages['node_modules/@colyseus/core'] !== undefined)
    assert.deepEqual(secondCopies(lock), [])
  })

  it('a second core below another package is seen', () => {
    const planted = {
      packages: {
        'node_modules/@colyseus/core': {},
        'node_modules/@colyseus/redis-driver/node_modules/@colyseus/core': {},
      },
    }
    assert.equal(secondCopies(planted).length, 2)
  })

  it('Colyseus, ws and the formatter are pinned, and nothing is older than the least safe version', () => {
    assert.deepEqual(loosePins(manifest, lock), [])
  })

  it('a range and an old version are seen', () => {
    const planted = { packages: { 'node_modules/ws': { version: '8.9.1' } } }
    assert.deepEqual(loosePins({ dependencies: { '@colyseus/core': '^0.18.17' } }, planted), [
      '@colyseus/core ^0.18.17 is a range',
      'ws 8.9.1 is older than 8.23.0',
    ])
  })

  it('the lock file names no registry: it installs wherever npm is pointed at', () => {
    assert.ok(!/"resolved": "https?:/.test(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')))
  })

  it('what the server imports is a dependency of production', () => {
    const allowed = new Set([
      ...Object.keys(manifest.dependencies),
      ...Object.keys(manifest.optionalDependencies),
    ])
    const names = server
      .filter(({ path }) => !isTest(path))
      .flatMap((source) =>
        importsOf(source)
          .filter(({ is_type }) => !is_type)
          .map(({ target }) => ({ path: source.path, target })),
      )
      .filter(({ target }) => !target.startsWith('node:') && !/^(src|rooms|client-demo)\//.test(target))
      .map(({ path, target }) => ({
        path,
        name: target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/'),
      }))
    assert.ok(names.length > 20)
    assert.deepEqual(
      names.filter(({ name }) => !allowed.has(name)),
      [],
    )
  })
})

/** Runs a tool of node_modules/.bin with the Node that runs the tests. */
function tool(bin: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin', bin), args, {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return { status, output: `${stdout}${stderr}` }
}

describe('tidy: types and lint', function () {
  // The compiler reads every declaration of every package: seconds on a busy machine.
  this.timeout(120_000)

  it('S2-56 the types of server, rooms, tests and tools check', () => {
    const { status, output } = tool('tsc', '--noEmit')
    assert.equal(status, 0, output)
  })

  it('S2-56 the types of the pages check', () => {
    const { status, output } = tool('tsc', '--noEmit', '-p', 'client-demo')
    assert.equal(status, 0, output)
  })

  it('S2-56 lint and format find nothing', () => {
    const { status, output } = tool('biome', 'check', '.')
    assert.equal(status, 0, output)
  })
})
