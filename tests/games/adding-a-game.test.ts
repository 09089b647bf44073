/** docs/adding-a-game.md, followed word by word in a copy of the house: what stands there is a game that works. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = readFileSync(join(ROOT, 'docs/adding-a-game.md'), 'utf8')
const HOUSE = ['src', 'rooms', 'migrations', 'tests', 'docs', 'package.json', 'tsconfig.json', 'biome.json']

/** The blocks of the page that name a file: whole files, and changes of files that are there. */
const BLOCKS = [...PAGE.matchAll(/^```(\w+) (\S+)\n([\s\S]*?)^```$/gm)].map(([, kind, path, text]) => ({
  kind: kind!,
  path: path!,
  text: text!,
}))
const files = BLOCKS.filter(({ kind }) => kind !== 'diff')
const changes = BLOCKS.filter(({ kind }) => kind === 'diff')

/** A text with a change in it; what the change leaves as it is must stand there once. */
function changed(text: string, diff: string): string {
  for (const hunk of diff.split(/^@@\n/m)) {
    const lines = hunk.trimEnd().split('\n')
    const part = (leaves_out: string) =>
      `${lines
        .filter((line) => !line.startsWith(leaves_out))
        .map((line) => line.slice(1))
        .join('\n')}\n`
    const parts = text.split(part('+'))
    assert.equal(parts.length, 2, `it does not stand there once: ${part('+')}`)
    text = parts.join(part('-'))
  }
  return text
}

describe('docs/adding-a-game.md', function () {
  this.timeout(300_000)
  let house: string
  before(() => {
    house = mkdtempSync(join(tmpdir(), 'livedraw-walk-'))
    for (const each of HOUSE) cpSync(join(ROOT, each), join(house, each), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(house, 'node_modules'))
    for (const { path, text } of files) {
      assert.ok(!existsSync(join(house, path)), `${path} is there already`)
      mkdirSync(dirname(join(house, path)), { recursive: true })
      writeFileSync(join(house, path), text)
    }
    for (const { path, text } of changes)
      writeFileSync(join(house, path), changed(readFileSync(join(house, path), 'utf8'), text))
  })
  after(() => rmSync(house, { recursive: true, force: true }))

  /** Runs a tool of node_modules in the copy. */
  async function run(tool: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
    const { PATH, HOME, TMPDIR } = process.env
    const child = spawn(process.execPath, [join(house, 'node_modules', tool), ...args], {
      cwd: house,
      env: { PATH, HOME, TMPDIR, CONTRACT_GAME: 'coin' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes) => {
        output += bytes
      })
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { code, output }
  }

  it('a game is one folder, one migration, one room and two registry lines', () => {
    const places = new Set(files.map(({ path }) => dirname(path)))
    assert.deepEqual([...places].sort(), ['migrations', 'rooms/coin', 'src/games/coin'])
    assert.equal(files.filter(({ path }) => path.startsWith('migrations/')).length, 1)
    assert.deepEqual(
      changes.map(({ path, text }) => [path, text.match(/^\+/gm)!.length, text.match(/^-/gm)]),
      [
        ['src/games/index.ts', 2, null],
        ['rooms/index.ts', 2, null],
      ],
    )
  })

  it('its types check, and it is written as the house writes', async () => {
    const written = [...files, ...changes].map(({ path }) => path).filter((path) => path.endsWith('.ts'))
    writeFileSync(
      join(house, 'tsconfig.walk.json'),
      JSON.stringify({ extends: './tsconfig.json', include: [], files: written }),
    )
    const types = await run('typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.walk.json')
    assert.equal(types.code, 0, types.output)
    const lint = await run('@biomejs/biome/bin/biome', 'check', ...written)
    assert.equal(lint.code, 0, lint.output)
  })

  it('S1-06 a game that the house never saw is played, verified and audited by the contract tests, unasked', async () => {
    const { code, output } = await run(
      'mocha/bin/mocha.js',
      '--no-config',
      '--exit',
      ...['--timeout', '120000'],
      'tests/games/contract.test.ts',
      'tests/rooms/contract.test.ts',
    )
    assert.equal(code, 0, output)
    assert.match(output, /is verified by the command that anybody can run/)
  })
})
