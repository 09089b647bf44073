/** The correctness box of scenario `guess`: a whole run passes, and each planted lie is found by the finding for it. */
import assert from 'node:assert/strict'
import { distinctGuess, GUESSES } from '../../loadtest/distinct.ts'
import type { DrawEvidence } from '../../loadtest/draw-check.ts'
import { checkGuess, type GuessTruth } from '../../loadtest/guess-check.ts'
import { aList, aTruth, CLOSES_AT, closed_ms, whatWasSeen, winnersAt } from './draw-kit.ts'

const TARGET = 0x30_81_82_90
/** In the order of their acceptance; the first and the last are equally near. */
const NUMBERS = [TARGET + 4, 0x21_90_90_90, TARGET - 1, TARGET - 4]

function aRun(): { evidence: DrawEvidence; truth: GuessTruth } {
  const list = aList(NUMBERS.map((g, i) => ({ g, i })))
  const guesses = NUMBERS.map((guess, i) => ({
    id: `s${i}`,
    user_id: `p${i}`,
    request_id: 'q1',
    guess,
    created_at: new Date(closed_ms - 100 + i),
    answer: JSON.stringify({ submission_id: `s${i}`, value: guess, entry_index: i }),
  }))
  const winners = winnersAt([2, 0, 3].map((entry_index) => ({ entry_index, guess: NUMBERS[entry_index]! })))
  const replies = guesses.map(({ user_id, request_id, answer }, i) => ({
    user_id,
    request_id,
    sent_at_ms: closed_ms - 120 + i,
    answer: JSON.parse(answer),
  }))
  const late = {
    user_id: 'p9',
    request_id: 'q1',
    sent_at_ms: closed_ms + 1,
    code: 'game_not_open',
    asked: {},
  }
  return {
    evidence: {
      replies: [...replies, structuredClone(replies[1]!)],
      refused: [late],
      unanswered: [],
      ...whatWasSeen(winners, { alternates: false }, {}),
    },
    truth: {
      ...aTruth(list, winners),
      guesses,
      entries: guesses.map(({ id, guess }, entry_index) => ({ entry_index, ref_id: id, guess })),
      target: TARGET,
    },
  }
}

/** Four bytes of a number, the highest first, as a frame's characters. */
const bytesOf = (number: number): string =>
  String.fromCharCode(...[24, 16, 8, 0].map((bits) => (number >>> bits) & 255))
const reversed = (text: string): string => [...text].reverse().join('')

type Run = ReturnType<typeof aRun>

const PLANTED: { says: string; finding: string; spoil: (run: Run) => void }[] = [
  {
    says: 'a reply that is no row',
    finding: 'replies = committed guesses',
    spoil: ({ truth }) => void truth.guesses.pop(),
  },
  {
    says: 'a reply with another number than its row',
    finding: 'replies = committed guesses',
    spoil: ({ evidence }) => {
      evidence.replies[0]!.answer['value'] += 1
    },
  },
  {
    says: 'an accepted guess that is not on the list',
    finding: 'every accepted guess',
    spoil: ({ truth }) => void truth.entries.pop(),
  },
  {
    says: 'a guess that is on the list twice',
    finding: 'every accepted guess',
    spoil: ({ truth }) => {
      truth.entries[1]!.ref_id = 's0'
    },
  },
  {
    says: 'an entry that nobody was told of',
    finding: 'every accepted guess',
    spoil: ({ truth }) => void truth.entries.push({ entry_index: 4, ref_id: 's9', guess: TARGET }),
  },
  {
    says: 'a receipt with another place on the list',
    finding: 'every accepted guess',
    spoil: ({ evidence }) => {
      evidence.replies[2]!.answer['entry_index'] = 3
    },
  },
  {
    says: 'a leaf with another number than was guessed',
    finding: 'every accepted guess',
    spoil: ({ truth }) => {
      truth.entries[2]!.guess += 1
    },
  },
  {
    says: 'a request that was never answered',
    finding: 'every accepted guess',
    spoil: ({ evidence }) => void evidence.unanswered.push({ user_id: 'p1', request_id: 'q9' }),
  },
  {
    says: 'a guess that was accepted at the close',
    finding: 'no guess was accepted after',
    spoil: ({ truth }) => {
      truth.guesses[3]!.created_at = CLOSES_AT
    },
  },
  {
    says: 'a guess that was sent after the close and let in',
    finding: 'whoever came after the close',
    spoil: ({ evidence }) => {
      evidence.replies[3]!.sent_at_ms = closed_ms + 1
    },
  },
  {
    says: 'a winner who was farther away than somebody else',
    finding: 'winners = a plain recount',
    spoil: ({ truth }) => {
      Object.assign(truth.winners[0]!, { entry_index: 1, guess: NUMBERS[1]! })
    },
  },
  {
    says: 'of equally near ones the later before the earlier',
    finding: 'winners = a plain recount',
    spoil: ({ truth }) => {
      const [, second, third] = truth.winners
      Object.assign(second!, { entry_index: 3, guess: NUMBERS[3]! })
      Object.assign(third!, { entry_index: 0, guess: NUMBERS[0]! })
    },
  },
  {
    says: 'a guess in a frame, as text',
    finding: 'no frame held a guess',
    spoil: ({ evidence }) => {
      evidence.frames[0]!.text += `{"value":${NUMBERS[1]}}`
    },
  },
  {
    says: 'a guess in a frame, as bytes',
    finding: 'no frame held a guess',
    spoil: ({ evidence }) => {
      evidence.frames[0]!.text += bytesOf(NUMBERS[1]!)
    },
  },
  {
    says: "a winner's guess in a frame before the reveal, as bytes the other way round",
    finding: 'no frame held a guess',
    spoil: ({ evidence }) => {
      evidence.frames[0]!.text += reversed(bytesOf(NUMBERS[2]!))
    },
  },
  {
    says: 'the number in a frame before the last winner was shown',
    finding: 'no frame held a guess',
    spoil: ({ evidence }) => {
      evidence.frames[1]!.text += bytesOf(TARGET)
    },
  },
]

describe('the correctness box of the guess game', () => {
  it('K-06 finds nothing in a run that lost nothing, and has compared something everywhere', () => {
    const { evidence, truth } = aRun()
    for (const { name, checked, violations, examples } of checkGuess(evidence, truth)) {
      assert.equal(violations, 0, `${name}: ${examples}`)
      assert.ok(checked > 0, name)
    }
  })

  it("K-06 a winner's guess may be told from its reveal on, and the number after the last one", () => {
    const { evidence, truth } = aRun()
    const at_ms = truth.winners[0]!.reveal_at.getTime()
    evidence.frames.push({ text: bytesOf(NUMBERS[2]!) + bytesOf(TARGET), at_ms })
    const { violations, examples } = checkGuess(evidence, truth).find(({ name }) =>
      name.startsWith('no frame held a'),
    )!
    assert.equal(violations, 0, String(examples))
  })

  it('K-06 guesses of the bots are in the range of the game and have bytes that no text has', () => {
    for (let i = 0; i < 1_000; i++) {
      const guess = distinctGuess()
      assert.ok(guess >= GUESSES.min && guess <= GUESSES.max)
      assert.match(bytesOf(guess), /^.[\x80-\xff]{3}$/s)
    }
  })

  for (const { says, finding, spoil } of PLANTED)
    it(`K-06 finds ${says}`, () => {
      const run = aRun()
      spoil(run)
      const found = checkGuess(run.evidence, run.truth).filter(({ violations }) => violations > 0)
      assert.ok(
        found.some(({ name }) => name.startsWith(finding)),
        JSON.stringify(found),
      )
    })
})
