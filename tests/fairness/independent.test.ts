// A second implementation, in Python and from the specification alone, must find the same outcomes.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { jcs } from '../../src/fairness/canonical.ts'
import type { Transcript } from '../../src/fairness/transcript.ts'
import { everyKind, makeReveal, makeTranscript } from './make.ts'
import { TEST_SEED } from './seed.ts'
import { type Case, cases, leaves } from './vectors.ts'

const SCRIPT = fileURLToPath(new URL('./independent.py', import.meta.url))

function python(documents: unknown[]): Case[] {
  const input = documents.map((document) => JSON.stringify(document)).join('\n')
  const done = spawnSync('python3', [SCRIPT], { input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  assert.equal(done.status, 0, done.stderr)
  return done.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

function agree(transcript: Transcript, found: Case): void {
  assert.equal(found['ctx'], transcript.ctx)
  assert.equal(found['commitHash'], transcript.commit.hash)
  assert.equal(found['configHash'], transcript.commit.doc.configHash)
  if (transcript.entries?.list) assert.equal(found['entriesRoot'], transcript.entries.root)
  assert.equal(jcs(found['outcome']), jcs(transcript.outcome))
}

describe('Independent implementation', () => {
  before(function () {
    const found = spawnSync('python3', ['--version'])
    if (found.status === 0) return
    console.log('    skipped: python3 is not installed, so the second implementation cannot run')
    this.skip()
  })

  it('P-46 vectors in 2 languages agree: the documents of the vector file', () => {
    const transcripts = cases('transcript')
      .map((c) => c['transcript'])
      .filter((t) => t.commit.doc.kind !== 'draw' || t.entries.list)
    const reveals = cases('pairReveal').map((c) => c['reveal'])
    const found = python([...transcripts, ...reveals])
    transcripts.forEach((transcript, i) => {
      agree(transcript, found[i]!)
    })
    reveals.forEach((reveal, i) => {
      const results = reveal.spins.map((spin: Case) => spin['result'])
      assert.deepEqual(found[transcripts.length + i]!['results'], results)
    })
  })

  it('P-46 the second implementation finds the outcome of every kind, mode and rule, and of 500 spins', () => {
    const documents = everyKind()
    const reveal = makeReveal(500)
    const found = python([...Object.values(documents), reveal])
    Object.values(documents).forEach((document, i) => {
      agree(document, found[i]!)
    })
    const last = found.at(-1)!
    assert.deepEqual(
      last['results'],
      reveal.spins.map((spin) => spin.result),
    )
  })

  it('P-46 both agree on 60 raffles and guess games of random sizes and rules', () => {
    const made = Array.from({ length: 60 }, (_, i) => randomDraw(TEST_SEED + i))
    python(made).forEach((found, i) => {
      agree(made[i]!, found)
    })
  })
})

function randomDraw(seed: number): Transcript {
  let state = seed >>> 0
  // A linear generator is enough to choose test sizes; nothing here decides an outcome of the product.
  const next = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  const n = 1 + next(60)
  const list = leaves(n, (i) => ({
    w: 1 + next(9),
    g: 1 + next(40),
    e: leaves(next(9) + 1).at(-1)!['e'],
    i,
  })) as any
  if (next(2) === 0) {
    const option = [
      {},
      { weighted: true },
      { replacement: true },
      { onePrizePerEntrant: true },
      { onePrizePerEntrant: true, weighted: true },
    ]
    const prizes = Array.from({ length: 1 + next(3) }, (_, i) => ({ id: `p${i}`, qty: next(5) }))
    const config = { kind: 'raffle', prizes, reserves: next(4), ...option[next(option.length)] }
    return makeTranscript({ kind: 'draw', mode: 'commit', config, list })
  }
  const match = ['exact', 'nearest', 'nearest_under', 'unique', 'lowest_unique'][next(5)]
  const rule = ['first', 'draw', 'split'][next(3)]
  const config = { kind: 'guess', min: 1, max: 40, targets: next(6), prizes: 1 + next(9), match, rule }
  return makeTranscript({ kind: 'guess', mode: 'commit', config, list })
}
