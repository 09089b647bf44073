/** The table of states, and what is due when: over every state, every fact, and time itself. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  canMove,
  DRAW_STATES,
  type DrawFacts,
  type DrawStatus,
  due,
  mayPersonCancel,
  REVEAL_MS_MAX,
  ROOT_LEAD_MS,
  revealTimes,
} from './lifecycle.ts'

const STATES = Object.keys(DRAW_STATES) as DrawStatus[]
const at = (s: number) => new Date(Date.UTC(2026, 0, 1) + s * 1000)

/** Opens at 10 s, closes at 100, drawn at 200, no beacon. */
const FACTS: DrawFacts = {
  status: 'scheduled',
  opens_at: at(10),
  closes_at: at(100),
  paused_until: null,
  draw_at: at(200),
  settle_at: at(300),
  entry_count: 5,
  is_commit_covered: true,
  root_covered_at: at(101),
  is_filled: true,
  is_fillable: true,
  fills_from: null,
  round_at: null,
  postpone_count: 0,
  fallback: {},
  has_value: true,
  reveal_at: null,
}
const ask = (more: Partial<DrawFacts>, s: number) => due({ ...FACTS, ...more }, at(s))
const none = (s: number | null) => ({ step: 'none', wait_until: s === null ? null : at(s) })

describe('the life of a draw', () => {
  const allowed = new Set([
    'draft>scheduled',
    'scheduled>open',
    'scheduled>cancelled',
    'open>closed',
    'open>cancelled',
    'closed>drawing',
    'closed>cancelled',
    'drawing>drawn',
    'drawing>cancelled',
    'drawn>settled',
  ])
  for (const from of STATES) {
    for (const to of STATES) {
      const is_allowed = allowed.has(`${from}>${to}`)
      it(`S1-29 a draw that is ${from} ${is_allowed ? 'can' : 'cannot'} become ${to}`, () => {
        assert.equal(canMove(from, to), is_allowed)
      })
    }
  }

  it('S1-29 each state is explained in a sentence, and a person cancels before the close only', () => {
    for (const sentence of Object.values(DRAW_STATES)) assert.match(sentence, /^[A-Z].*\.$/)
    assert.deepEqual(STATES.filter(mayPersonCancel), ['scheduled', 'open'])
  })

  it('S1-31 it goes from one state to the next at its time, and says until when it waits', () => {
    assert.deepEqual(ask({}, 9), none(10))
    assert.deepEqual(ask({}, 10), { step: 'move', to: 'open' })
    assert.deepEqual(ask({ status: 'open' }, 99), none(100))
    assert.deepEqual(ask({ status: 'open' }, 100), { step: 'move', to: 'closed' })
    assert.deepEqual(ask({ status: 'closed' }, 101), { step: 'move', to: 'drawing' })
    assert.deepEqual(ask({ status: 'drawing' }, 199), none(200))
    assert.deepEqual(ask({ status: 'drawing' }, 200), { step: 'move', to: 'drawn' })
    assert.deepEqual(ask({ status: 'drawn', reveal_at: at(250) }, 249), none(250))
    assert.deepEqual(ask({ status: 'drawn', reveal_at: at(250) }, 250), { step: 'reveal' })
    assert.deepEqual(ask({ status: 'drawn' }, 299), none(300))
    assert.deepEqual(ask({ status: 'drawn' }, 300), { step: 'move', to: 'settled' })
    for (const status of ['settled', 'cancelled', 'draft'] as const)
      assert.deepEqual(ask({ status }, 1_000), none(null))
  })

  it('P-49 nobody enters before a checkpoint covers the commitment, nothing is drawn before one covers the root', () => {
    assert.deepEqual(ask({ is_commit_covered: false }, 50), none(null))
    assert.deepEqual(ask({ status: 'closed', root_covered_at: null }, 500), none(null))
  })

  it('P-43 a root that is late is void: at the instant of the beacon round, not before it', () => {
    const round_at = at(160)
    assert.deepEqual(ask({ status: 'open', round_at }, 159), { step: 'move', to: 'closed' })
    assert.deepEqual(ask({ status: 'open', round_at }, 160), { step: 'cancel', reason: 'root_late' })
    const late = { status: 'closed', round_at, root_covered_at: at(160) } as const
    assert.deepEqual(ask(late, 161), { step: 'cancel', reason: 'root_late' })
    assert.deepEqual(ask({ ...late, root_covered_at: at(159) }, 170), { step: 'move', to: 'drawing' })
    assert.deepEqual(ask({ ...late, root_covered_at: null }, 160), { step: 'cancel', reason: 'root_late' })
  })

  it('P-43 an outage waits, or is void after the deadline that was promised; a value at hand is used whenever it comes', () => {
    const waiting = { status: 'drawing', round_at: at(160), has_value: false } as const
    const fallback = { onOutage: 'void', deadlineS: 100 } as const
    assert.deepEqual(ask(waiting, 9_999), none(null))
    assert.deepEqual(ask({ ...waiting, fallback }, 259), none(null))
    assert.deepEqual(ask({ ...waiting, fallback }, 260), { step: 'cancel', reason: 'outage' })
    assert.deepEqual(ask({ ...waiting, fallback, has_value: true }, 999), { step: 'move', to: 'drawn' })
  })

  it('P-43 a list that cannot be ready is put off before its round, as often as was promised, and is void then', () => {
    const round_at = at(160)
    const open = { status: 'open', round_at, is_filled: false, is_fillable: false } as const
    const fallback = { postponeBy: 20, maxPostpones: 1 }
    const near_s = 160 - ROOT_LEAD_MS / 1000
    assert.deepEqual(ask({ ...open, fallback }, near_s - 1), none(null))
    assert.deepEqual(ask({ ...open, fallback }, near_s), { step: 'postpone' })
    assert.deepEqual(ask({ ...open, fallback, postpone_count: 1 }, near_s), none(null))
    assert.deepEqual(ask({ ...open, fallback, postpone_count: 1 }, 160), {
      step: 'cancel',
      reason: 'root_late',
    })
  })

  it('S1-31 a copied list is copied as soon as it may be, also before the close, and closes when it is whole', () => {
    const open = { status: 'open', is_filled: false } as const
    assert.deepEqual(ask(open, 50), { step: 'fill' })
    assert.deepEqual(ask({ ...open, is_fillable: false }, 150), none(null))
    assert.deepEqual(ask(open, 150), { step: 'fill' })
  })

  it('F18 a draw that nobody entered is void', () => {
    assert.deepEqual(ask({ status: 'closed', entry_count: 0 }, 101), { step: 'cancel', reason: 'no_entries' })
  })

  it('P-07 a paused draw does nothing until its pause is over, then goes on, and only then closes', () => {
    const paused = { status: 'open' as const, paused_until: at(60) }
    assert.deepEqual(ask(paused, 30), none(60))
    assert.deepEqual(ask(paused, 60), { step: 'resume' })
    assert.deepEqual(ask({ ...paused, closes_at: at(50) }, 70), { step: 'resume' }, 'also when nobody looked')
    assert.deepEqual(ask({ status: 'open' }, 100), { step: 'move', to: 'closed' })
  })

  it('S1-29 whatever the facts, what is due is allowed by the table', () => {
    const instant = fc.integer({ min: 0, max: 400 }).map(at)
    const facts = fc.record({
      status: fc.constantFrom(...STATES.filter((state) => state !== 'draft')),
      opens_at: instant,
      closes_at: instant,
      paused_until: fc.option(instant),
      draw_at: instant,
      settle_at: instant,
      entry_count: fc.nat(3),
      is_commit_covered: fc.boolean(),
      root_covered_at: fc.option(instant),
      is_filled: fc.boolean(),
      is_fillable: fc.boolean(),
      fills_from: fc.constantFrom(null, at(70)),
      round_at: fc.option(instant),
      postpone_count: fc.nat(2),
      fallback: fc.record(
        {
          onOutage: fc.constantFrom('wait' as const, 'void' as const),
          deadlineS: fc.nat(100),
          postponeBy: fc.nat(20),
          maxPostpones: fc.nat(2),
        },
        { requiredKeys: [] },
      ),
      has_value: fc.boolean(),
      reveal_at: fc.option(instant),
    })
    fc.assert(
      fc.property(facts, instant, (given, now) => {
        const step = due(given, now)
        if (step.step === 'move') assert.ok(canMove(given.status, step.to))
        if (step.step === 'cancel') assert.ok(canMove(given.status, 'cancelled'))
        if (step.step === 'none' && step.wait_until) assert.ok(step.wait_until > now)
        if (['fill', 'postpone', 'resume'].includes(step.step)) assert.equal(given.status, 'open')
      }),
    )
  })

  it('K-04 winners are shown from the last to the first, one step apart, alternates with the first, all within two minutes', () => {
    const times = revealTimes(at(0), 3, 2, { lead_ms: 1_000, step_ms: 2_000 }).map(
      (time) => time.getTime() - at(0).getTime(),
    )
    assert.deepEqual(times, [5_000, 3_000, 1_000, 5_000, 5_000])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.nat(50), (winners, alternates) => {
        const all = revealTimes(at(0), winners, alternates, { lead_ms: 3_000, step_ms: 3_000 })
        assert.equal(all.length, winners + alternates)
        assert.ok(all.every((time) => time.getTime() - at(0).getTime() <= 3_000 + REVEAL_MS_MAX))
        for (let i = 1; i < winners; i++) assert.ok(all[i]! <= all[i - 1]!)
      }),
    )
    assert.deepEqual(revealTimes(at(0), 0, 0, { lead_ms: 0, step_ms: 0 }), [])
  })
})
