import assert from 'node:assert/strict'
import fc from 'fast-check'
import { propertyOptions } from '../../../tests/fairness/seed.ts'
import { context, words } from '../../fairness/rolls.ts'
import { type Config, deriveFrom, type Leaf } from '../../fairness/transcript.ts'
import { NODE_HASH } from '../../node-hash.ts'
import { GUESS_GAME } from './game.ts'
import { contenders, MATCH_RULES } from './rules.ts'

const configOf = (match: string, rule: string, prizes: number): Config =>
  ({ v: 1, kind: 'guess', min: 1, max: 60, targets: 1, prizes, rule, match, winners: 1 }) as never

const rollsOf = (seed: number) =>
  words(new Uint8Array(32).fill(seed), context('guess', ['-', '-', 1, '-']), NODE_HASH)

const leavesOf = (guesses: readonly number[]): Leaf[] => guesses.map((g, i) => ({ e: `e${i}`, i, g }))

describe('contenders of a guess game', () => {
  it('S0-30 P-46 the winners over those that are kept are the winners over all, in every rule', () => {
    const given = fc.record({
      match: fc.constantFrom(...MATCH_RULES),
      rule: fc.constantFrom('first', 'draw'),
      prizes: fc.integer({ min: 1, max: 30 }),
      seed: fc.integer({ min: 0, max: 255 }),
      guesses: fc.oneof(
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 200 }),
        // More than are kept before they are looked through, many of them alike.
        fc.array(fc.integer({ min: 20, max: 40 }), { minLength: 1_500, maxLength: 2_500 }),
      ),
    })
    fc.assert(
      fc.property(given, ({ match, rule, prizes, seed, guesses }) => {
        const config = configOf(match, rule, prizes)
        const all = leavesOf(guesses)
        const narrowing = GUESS_GAME.narrows!(config, rollsOf(seed))
        for (const leaf of all) narrowing?.see(leaf)
        const decide = (list: Leaf[]) => GUESS_GAME.decide(config, { n: all.length, list }, rollsOf(seed))
        assert.deepEqual(decide(narrowing?.leaves() ?? all), decide(all))
        assert.equal(narrowing === null, match === 'unique' || match === 'lowest_unique')
      }),
      propertyOptions(200),
    )
  })

  it('S0-30 of a hundred thousand different guesses few are kept', () => {
    const narrowing = contenders(configOf('nearest', 'first', 10), [50_000])!
    for (const leaf of leavesOf(Array.from({ length: 100_000 }, (_, i) => (i * 7_919) % 100_000)))
      narrowing.see(leaf)
    const kept = narrowing.leaves()
    assert.ok(kept.length >= 10 && kept.length <= 11, String(kept.length))
    assert.ok(kept.every(({ g }) => Math.abs((g as number) - 50_000) <= 5))
  })

  it('S0-30 the numbers that narrow a list are those of the outcome', () => {
    const config = configOf('nearest', 'first', 1)
    const { targets } = deriveFrom(rollsOf(9), { kind: 'guess', config, entries: { n: 0 } }).outcome as {
      targets: number[]
    }
    const narrowing = GUESS_GAME.narrows!(config, rollsOf(9))!
    const all = leavesOf(Array.from({ length: 60 }, (_, i) => i + 1))
    for (const leaf of all) narrowing.see(leaf)
    assert.deepEqual(
      narrowing.leaves().map(({ g }) => g),
      targets,
    )
  })
})
