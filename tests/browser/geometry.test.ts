// What the pages compute for themselves, without a browser: where the drawn wheel stops, and what time it is.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  ARC_DEG_MIN,
  angleAt,
  drawnAngle,
  drawnArcs,
  segmentUnder,
} from '../../client-demo/src/shared/geometry.ts'
import { makeServerClock } from '../../client-demo/src/shared/server-clock.ts'
import { indexOfRoll } from '../../src/fairness/rolls.ts'
import { landingOf } from '../../src/games/wheel/rules.ts'

const seed = process.env['TEST_SEED'] === undefined ? {} : { seed: Number(process.env['TEST_SEED']) }
/** Weights of a wheel and a roll on it. */
const rolled = fc
  .array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 64 })
  .chain((weights) => {
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return fc.record({ weights: fc.constant(weights), total: fc.constant(total), roll: fc.nat(total - 1) })
  })

describe('the drawn wheel', () => {
  it('P-04 the pointer ends on the slice that was rolled, however thin it is', () => {
    fc.assert(
      fc.property(rolled, ({ weights, total, roll }) => {
        const segment = indexOfRoll(weights, roll)
        const { angle } = landingOf(roll, total, new Date(0), 1_000)
        assert.equal(segmentUnder(drawnArcs(weights), drawnAngle(weights, angle, segment)), segment)
      }),
      seed,
    )
  })

  it('P-04 arcs close the circle, and none is too narrow to be seen', () => {
    fc.assert(
      fc.property(rolled, ({ weights }) => {
        const arcs = drawnArcs(weights)
        const least = Math.min(ARC_DEG_MIN, 360 / weights.length)
        assert.ok(Math.abs(arcs.at(-1)!.to - 360) < 1e-6)
        for (const { from, to } of arcs) assert.ok(to - from > least - 1e-6)
      }),
      seed,
    )
  })

  it('P-04 from a quarter of a spin on, wheels that stood differently show the same angle', () => {
    const degrees = fc.double({ min: -720, max: 720, noNaN: true })
    fc.assert(
      fc.property(degrees, degrees, fc.double({ min: 0.25, max: 1, noNaN: true }), (one, other, progress) => {
        assert.equal(angleAt(progress, one, 2_200), angleAt(progress, other, 2_200))
      }),
      seed,
    )
  })

  it('P-04 a spin begins where the wheel stood, ends at its landing and never turns back', () => {
    const steps = Array.from({ length: 101 }, (_, i) => angleAt(i / 100, 170, 2_200))
    assert.equal(steps[0], 170)
    assert.equal(steps[100], 2_200)
    for (const [i, angle] of steps.entries()) if (i > 0) assert.ok(angle >= steps[i - 1]!)
  })
})

describe('the server clock of the pages', () => {
  it('P-04 trusts the quickest message, and no stale one', () => {
    let local_ms = 1_000_000
    const clock = makeServerClock(() => local_ms)
    const ahead_ms = 5_000
    for (const delay_ms of [80, 900, 20, 60_000, 300]) {
      const sent_ms = local_ms + ahead_ms
      local_ms += delay_ms
      clock.heard(sent_ms)
    }
    assert.equal(clock.now(), local_ms + ahead_ms - 20)
  })

  it('P-04 comes right again after this device has set its own clock forward', () => {
    let local_ms = 1_000_000
    const clock = makeServerClock(() => local_ms)
    clock.heard(1_000_000)
    local_ms += 3_600_000
    assert.equal(clock.now(), 4_600_000)
    const sent_ms = local_ms
    local_ms += 30
    clock.answered(1_000_015, sent_ms, 1_000)
    assert.equal(clock.now(), 1_000_015)
    clock.heard(1_000_025)
    assert.equal(clock.now(), 1_000_025)
  })
})
