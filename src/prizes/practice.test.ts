import assert from 'node:assert/strict'
import { cleanupWarnings, type Definition, definitionWarnings, usageWarnings } from './practice.ts'

const PRIZE: Definition = {
  id: 7,
  name: 'Ten',
  type: 'discount_percentage',
  expires_in_days: null,
  policy_days: null,
  never_expires: false,
  stock: null,
  cost_minor: 0,
}
const codes = (change: Partial<Definition>) =>
  definitionWarnings({ ...PRIZE, ...change }).map(({ code }) => code)

describe('good practice (src/prizes/practice)', () => {
  for (const [days, expected] of [
    [1, ['expiry_short']],
    [6, ['expiry_short']],
    [7, []],
    [30, []],
    [31, ['expiry_long']],
    [90, ['expiry_long']],
    [null, []],
  ] as const) {
    it(`S2-57 an expiry of ${days} days warns of ${expected.length === 0 ? 'nothing' : expected}`, () =>
      assert.deepEqual(codes({ expires_in_days: days }), expected))
  }

  it('S2-39 S2-57 without days of its own a prize is looked at by those of the wallet policy', () => {
    assert.deepEqual(codes({ policy_days: 90 }), ['expiry_long'])
    assert.deepEqual(codes({ policy_days: 90, expires_in_days: 10 }), [])
  })

  it('S2-57 what never expires, and what costs something without an end, warn; a chance to spin does not', () => {
    assert.deepEqual(codes({ never_expires: true, cost_minor: 5 }), ['never_expires', 'no_stock_limit'])
    assert.deepEqual(codes({ cost_minor: 5, stock: 10 }), [])
    assert.deepEqual(codes({ type: 'spin_chance', never_expires: true }), [])
  })

  it('S2-57 a prize that hardly anybody uses warns from fifty wins on', () => {
    const usage = (won: number, applied: number) =>
      usageWarnings([{ prize_id: 7, name: 'Ten', won, applied }]).length
    assert.deepEqual([usage(49, 0), usage(50, 2), usage(50, 3), usage(100, 5)], [0, 1, 0, 0])
  })

  it('S2-57 old expired prizes warn with their number', () => {
    assert.deepEqual(cleanupWarnings(0), [])
    assert.match(cleanupWarnings(12)[0]!.message, /^12 prizes/)
  })
})
