/**
 * `npm test`: the tests that drive a whole server in a browser, and those that kill one or start programs of their own,
 * beside all others. Each part is a mocha of its own; the words of these come when the others have spoken, and one
 * summary of all ends it. Arguments go to all (`npm test -- -g S2-18`).
 */
import { spawn } from 'node:child_process'
import { accessSync, constants, statfsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')
const OUTSIDE = ['tests/browser/**/*.test.ts']
const PROGRAMS = [
  'tests/chaos/**/*.test.ts',
  'tests/commands/**/*.test.ts',
  'tests/loadtest/**/*.test.ts',
  'tests/games/adding-a-game.test.ts',
  'tests/webhooks/killed.test.ts',
]
const COMPILE_CACHE = fileURLToPath(new URL('../node_modules/.cache/livedraw', import.meta.url))
/** A file system in memory, and what a run may take of it: some 300 databases of 15 MB, and a browser. */
const MEMORY = '/dev/shm'
const MEMORY_BYTES = 8e9
const OUTCOMES = ['passing', 'pending', 'failing']

/**
 * The environment of the parts. What Node compiles is kept for the hundred processes that a run starts. Databases live in
 * memory where there is plenty of it: half of a run was waiting for files that are made and removed again. Whoever sets
 * TMPDIR, or TEST_DURABLE=1, decides otherwise.
 */
function environment() {
  const env = { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env }
  if (env.TMPDIR === undefined && env.TEST_DURABLE !== '1' && hasMemory()) env.TMPDIR = MEMORY
  return env
}

function hasMemory() {
  try {
    accessSync(MEMORY, constants.W_OK)
    const { bavail, bsize } = statfsSync(MEMORY)
    return Math.min(bavail * bsize, process.availableMemory()) >= MEMORY_BYTES
  } catch {
    return false
  }
}

/** Runs a part; `hear` gets what it says as it says it. Answers its exit code and the counts of its summary. */
function run(args, hear) {
  const color = process.stdout.isTTY ? ['--color'] : []
  const child = spawn(process.execPath, [MOCHA, ...args, ...color, ...process.argv.slice(2)], {
    env: ENV,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = []
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said.push(chunk)
      hear(chunk)
    })
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      const text = Buffer.concat(said).toString()
      resolve({ code: code ?? 1, signal, text, counts: OUTCOMES.map((outcome) => countOf(text, outcome)) })
    })
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  })
}

/** The number of the last such line: a test may print the output of another mocha. */
function countOf(text, outcome) {
  const found = [...stripVTControlCharacters(text).matchAll(new RegExp(`^ +(\\d+) ${outcome}\\b`, 'gm'))].at(
    -1,
  )
  return found === undefined ? undefined : Number(found[1])
}

/** What a part says from the number of its failures on: titles and reasons. Said again at the end, where it is seen. */
function failuresOf({ text, counts }) {
  if (!counts[2]) return ''
  const summary = [...text.matchAll(/^.* \d+ failing\b.*$/gm)].at(-1)
  return text.slice(summary?.index)
}

const ENV = environment()
const parts = await Promise.all([
  run(
    [...OUTSIDE, ...PROGRAMS].flatMap((files) => ['--ignore', files]),
    (chunk) => process.stdout.write(chunk),
  ),
  ...[OUTSIDE, PROGRAMS].map((files) =>
    run(['--no-config', '--timeout', '20000', '--exit', ...files], () => {}),
  ),
])
for (const { text } of parts.slice(1)) process.stdout.write(text)

for (const part of parts) process.stdout.write(failuresOf(part))

const [passing, pending, failing] = OUTCOMES.map((_, i) =>
  parts.reduce((sum, { counts }) => sum + (counts[i] ?? 0), 0),
)
// A part without a summary, or whose code its summary does not explain, has failed.
const broken = parts.filter(({ code, counts }) => counts[0] === undefined || (code !== 0 && !counts[2]))
console.log('\n  all parts\n')
console.log(`  ${passing} passing`)
if (pending > 0) console.log(`  ${pending} pending`)
if (failing + broken.length > 0) console.log(`  ${failing + broken.length} failing`)
process.exitCode = failing + broken.length > 0 ? 1 : 0
