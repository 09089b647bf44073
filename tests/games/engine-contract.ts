/** What every engine that decides a draw must keep, whoever wrote it. Pure: a config, a list and seeds are enough. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { DrawGame } from '../../src/draws/game.ts'
import { jcs } from '../../src/fairness/canonical.ts'
import { context, sampling, take, type WordSource, words } from '../../src/fairness/rolls.ts'
import { type Config, derive, type Leaf } from '../../src/fairness/transcript.ts'
import { NODE_HASH } from '../../src/node-hash.ts'

const SEED_COUNT = 40

/** A config that an engine took, and the public list of one of its draws. */
export type Played = { config: Config; list: readonly Leaf[] }

/** Asserts every clause of the contract over as many seeds as make chance visible. */
export function assertEngine(game: DrawGame<any>, played: Played): void {
  const config = deepFrozen(structuredClone(played.config))
  const list = deepFrozen(structuredClone(played.list)) as Leaf[]
  const n = list.length
  assert.ok(n >= 3, 'a list of fewer than three shows nothing')
  assert.equal(
    jcs(game.configSchema.parse(JSON.parse(jcs(config)))),
    jcs(config),
    'the config is what was hashed',
  )
  assert.ok(game.margin_ms > 0 && game.fallback.onOutage !== undefined, 'it says what happens in trouble')
  const { lead_ms, step_ms } = game.reveal(config)
  assert.ok(lead_ms >= 0 && step_ms > 0, 'winners are shown one after the other')

  const seen = new Set<string>()
  for (let i = 0; i < SEED_COUNT; i++) {
    const key = createHash('sha256').update(`contract ${i}`).digest()
    const ctx = context(game.kind, ['0'.repeat(64), '1'.repeat(64), n, '-'])
    const rolls = () => words(key, ctx, NODE_HASH)
    const outcome = withoutSurroundings(() => game.decide(config, { n, list }, rolls()))
    const text = jcs(outcome)
    seen.add(text)
    assert.equal(jcs(game.decide(config, { n, list }, rolls())), text, 'the same seed gives the same outcome')
    assert.equal(
      jcs(derive({ kind: game.kind, config, key, ctx, entries: { n, list } }, NODE_HASH).outcome),
      text,
      'whoever has config, list and seed computes the same outcome',
    )
    assert.equal(
      jcs(decidedOverWhatItReads(game, config, list, rolls)),
      text,
      'it reads what it says it reads',
    )
    assertPlaces(game, config, outcome, n)
  }
  assert.ok(seen.size > 1, 'chance decides nothing here')
}

function assertPlaces(game: DrawGame<any>, config: Config, outcome: Record<string, any>, n: number): void {
  const places = game.places(config, outcome)
  for (const { entry_index } of places)
    assert.ok(
      Number.isInteger(entry_index) && entry_index >= 0 && entry_index < n,
      `place of entry ${entry_index}`,
    )
  assert.equal(new Set(places.map((each) => each.entry_index)).size, places.length, 'an entry has one place')
  const first_alternate = places.findIndex((each) => each.prize === null)
  if (first_alternate >= 0)
    assert.ok(
      places.slice(first_alternate).every((each) => each.prize === null),
      'alternates stand behind the winners',
    )
}

/** The outcome over the leaves alone that the engine asks for, as the server decides it. */
function decidedOverWhatItReads(
  game: DrawGame<any>,
  config: Config,
  list: readonly Leaf[],
  rolls: () => WordSource,
): Record<string, unknown> {
  const n = list.length
  const reads = game.reads(config)
  if (reads === 'none') return game.decide(config, { n }, rolls())
  if (reads === 'all') return game.decide(config, { n, list: [...list] }, rolls())
  for (let count = game.drawCount(config); ; count *= 2) {
    const drawn = take(sampling(rolls(), n), Math.min(n, count))
    const sparse: Leaf[] = []
    sparse.length = n
    for (const index of drawn) sparse[index] = list[index]!
    const leaves = drawn.map((index) => list[index]!)
    if (drawn.length === n || game.isEnough?.(config, leaves))
      return game.decide(config, { n, list: sparse }, rolls())
  }
}

/** Runs `decide` where clock and randomness of the machine are out of reach. */
function withoutSurroundings<T>(work: () => T): T {
  const { now } = Date
  const { random } = Math
  const forbidden = (what: string) => (): never => assert.fail(`a rule that reads ${what}`)
  Date.now = forbidden('the clock')
  Math.random = forbidden('Math.random')
  try {
    return work()
  } finally {
    Date.now = now
    Math.random = random
  }
}

/** What a rule is given it does not change. */
function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const each of Object.values(value)) deepFrozen(each)
  return Object.freeze(value)
}
