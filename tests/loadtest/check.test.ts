import assert from 'node:assert/strict'
import { type CommittedSpin, check, type Evidence, type Truth } from '../../loadtest/check.ts'

function spin(number: number, user_id = `p${number % 2}`): CommittedSpin {
  return {
    spin_id: `spin-${number}`,
    user_id,
    nonce: Math.floor(number / 2),
    commit_hash: `commit-of-${user_id}`,
    segment: number % 3,
    reward_slug: `r${number % 3}`,
    won: number % 3 === 0,
    chances_left: 100 - number,
    play_id: number,
  }
}

/** Thirty spins of two players; each was answered, announced, and is in the last state. */
function aRun(): { evidence: Evidence; truth: Truth } {
  const spins = Array.from({ length: 30 }, (_, i) => spin(i))
  const log = spins.map((each, i) => ({ ...told(each), seq: i + 5 }))
  const replies = spins.map(({ user_id, ...answer }, i) => ({ user_id, request_id: `q${i}`, answer }))
  const recent = spins.slice(10).reverse().map(told)
  return {
    evidence: {
      replies: [...replies, structuredClone(replies[3]!)],
      unanswered: [],
      announced: log.map(({ seq, ...each }) => ({ ...each, version: seq })),
      states: [
        { version: 34, recent, was_paused: true },
        { version: 6, recent: [told(spins[1]!), told(spins[0]!)], was_paused: false },
      ],
    },
    truth: {
      spins,
      log,
      chances_used: new Map([
        ['p0', 15],
        ['p1', 15],
      ]),
    },
  }
}

const told = ({ spin_id, segment, reward_slug, won }: CommittedSpin) => ({
  spin_id,
  segment,
  reward_slug,
  won,
})

type Spoil = (run: ReturnType<typeof aRun>) => void

const PLANTED: [string, string, Spoil][] = [
  [
    'a spin that was answered and is not committed',
    'nothing lost, nothing doubled',
    ({ truth }) => void truth.spins.splice(7, 1),
  ],
  [
    'a spin that is committed twice for one request',
    'nothing lost, nothing doubled',
    ({ truth }) => {
      const doubled = { ...spin(30, 'p0'), nonce: 15 }
      truth.spins.push(doubled)
      truth.log.push({ ...told(doubled), seq: 35 })
    },
  ],
  [
    'one spin that answers two requests',
    'nothing lost, nothing doubled',
    ({ evidence }) => void evidence.replies.push({ ...evidence.replies[4]!, request_id: 'another' }),
  ],
  [
    'a request that was never answered',
    'nothing lost, nothing doubled',
    ({ evidence }) => void evidence.unanswered.push({ user_id: 'p0', request_id: 'q99' }),
  ],
  [
    'a repeated request with another answer',
    'the same request_id, the same answer',
    ({ evidence }) => {
      evidence.replies.at(-1)!.answer['chances_left'] = 3
    },
  ],
  [
    'a reply with another segment than the row',
    'replies = committed rows',
    ({ evidence }) => {
      evidence.replies[2]!.answer.segment = 9
    },
  ],
  [
    'a reply that belongs to another player',
    'replies = committed rows',
    ({ evidence }) => {
      evidence.replies[2]!.user_id = 'p1'
    },
  ],
  [
    'a result that was announced and never committed',
    'announced = committed',
    ({ evidence }) => void evidence.announced.push({ ...told(spin(77)), version: 36 }),
  ],
  [
    'an announcement that tells another reward',
    'announced = committed',
    ({ evidence }) => {
      evidence.announced[0]!.reward_slug = 'r9'
    },
  ],
  ['a spin without an event', 'one event per committed spin', ({ truth }) => void truth.log.splice(29, 1)],
  [
    'a spin with two events',
    'one event per committed spin',
    ({ truth }) => void truth.log.push({ ...truth.log[0]!, seq: 99 }),
  ],
  [
    'a chance that was taken without a spin',
    'chances debited = spins',
    ({ truth }) => {
      truth.chances_used = new Map([
        ['p0', 16],
        ['p1', 15],
      ])
    },
  ],
  [
    'an outcome that was drawn and thrown away',
    'nonces are 0, 1, 2, … of each commitment',
    ({ truth }) => {
      truth.spins[28]!.nonce = 15
    },
  ],
  [
    'a paused client that shows an older spin in place of a newer one',
    'states of clients, paused ones too, are true',
    ({ evidence }) => {
      evidence.states[0]!.recent[0] = evidence.states[0]!.recent[5]!
    },
  ],
  [
    'a paused client that shows a wrong value of the right spin',
    'states of clients, paused ones too, are true',
    ({ evidence }) => {
      evidence.states[0]!.recent[3] = {
        ...evidence.states[0]!.recent[3]!,
        won: !evidence.states[0]!.recent[3]!.won,
      }
    },
  ],
]

describe('the correctness box of the load test', () => {
  it('K-06 a run that lost nothing has no violation, and every comparison looked at something', () => {
    const { evidence, truth } = aRun()
    for (const { name, checked, violations, examples } of check(evidence, truth)) {
      assert.equal(violations, 0, `${name}: ${examples}`)
      assert.ok(checked > 0, `${name} compared nothing`)
    }
  })

  for (const [what, name, spoil] of PLANTED) {
    it(`K-06 ${what} is found by "${name}"`, () => {
      const run = aRun()
      spoil(run)
      const finding = check(run.evidence, run.truth).find((each) => each.name === name)!
      assert.ok(finding.violations > 0)
      assert.ok(finding.examples[0]!.length > 0)
    })
  }
})
