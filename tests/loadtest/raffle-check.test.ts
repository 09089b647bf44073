/** The correctness box of scenario `raffle`: a whole run passes, and each planted lie is found by the finding for it. */
import assert from 'node:assert/strict'
import type { DrawEvidence } from '../../loadtest/draw-check.ts'
import { checkRaffle, type RaffleTruth } from '../../loadtest/raffle-check.ts'
import { aList, aTruth, closed_ms, whatWasSeen, winnersAt } from './draw-kit.ts'

const PRICE = 100

/** Five tickets: ann bought two, bob two by number and then one; late ones were refused. */
function aRun(): { evidence: DrawEvidence; truth: RaffleTruth } {
  const bought = [
    { id: 'a', user_id: 'ann', request_id: 'q1', numbers: [1, 2] },
    { id: 'b', user_id: 'bob', request_id: 'q1', numbers: [5, 4] },
    { id: 'c', user_id: 'bob', request_id: 'q2', numbers: [3] },
  ]
  const numbers = bought.flatMap((each) => each.numbers)
  const list = aList(numbers.map((t, i) => ({ i, t })))
  const tickets = bought.flatMap(({ id, user_id, numbers: own }) =>
    own.map((number) => ({ id: `t${number}`, user_id, ticket_number: String(number), purchase_id: id })),
  )
  const answerOf = ({ id, numbers: own }: (typeof bought)[number]) => ({
    purchase_id: id,
    quantity: own.length,
    tickets: own.map((number) => {
      const entry_index = numbers.indexOf(number)
      return { ticket_id: `t${number}`, entry_index, leaf_hash: list.leaf_hash(entry_index) }
    }),
  })
  const winners = winnersAt(
    [1, 4, 0].map((entry_index) => ({ entry_index, ticket_number: String(numbers[entry_index]) })),
  )
  const replies = bought.map((each, i) => ({
    user_id: each.user_id,
    request_id: each.request_id,
    sent_at_ms: closed_ms - 5_000 + i,
    answer: answerOf(each),
  }))
  const refuse = (code: string, asked: object, sent_at_ms = closed_ms - 100) => ({
    user_id: 'cat',
    request_id: code,
    sent_at_ms,
    code,
    asked,
  })
  return {
    evidence: {
      replies: [...replies, structuredClone(replies[1]!)],
      refused: [
        refuse('sold_out', { quantity: 1 }),
        refuse('number_taken', { numbers: [5] }),
        refuse('raffle_not_open', { quantity: 1 }, closed_ms + 5),
      ],
      unanswered: [],
      ...whatWasSeen(winners, { alternates: true }, { sold: 5 }),
    },
    truth: {
      ...aTruth(list, winners),
      total_tickets: 5,
      sold_tickets: 5,
      ticket_price: PRICE,
      purchases: bought.map((each) => ({
        id: each.id,
        user_id: each.user_id,
        request_id: each.request_id,
        quantity: each.numbers.length,
        amount_minor: each.numbers.length * PRICE,
        answer: JSON.stringify(answerOf(each)),
      })),
      tickets,
      entries: tickets.map(({ id }, entry_index) => ({ entry_index, ref_id: id })),
      credit: [
        { user_id: 'ann', before_minor: 1_000, after_minor: 800 },
        { user_id: 'bob', before_minor: 1_000, after_minor: 700 },
        { user_id: 'cat', before_minor: 0, after_minor: 0 },
      ],
      pool: { in_minor: 500, out_minor: 500, balance_minor: 0 },
    },
  }
}

type Run = ReturnType<typeof aRun>

const PLANTED: { says: string; finding: string; spoil: (run: Run) => void }[] = [
  {
    says: 'a reply whose purchase is no row',
    finding: 'replies = committed purchases',
    spoil: ({ truth }) => void truth.purchases.pop(),
  },
  {
    says: "a reply with somebody else's purchase",
    finding: 'replies = committed purchases',
    spoil: ({ evidence }) => {
      evidence.replies[0]!.user_id = 'bob'
    },
  },
  {
    says: 'a reply that names another ticket than its row',
    finding: 'replies = committed purchases',
    spoil: ({ evidence }) => {
      evidence.replies[0]!.answer['tickets'][0].ticket_id = 't9'
    },
  },
  {
    says: 'one request that became two purchases',
    finding: 'nothing lost, nothing doubled',
    spoil: ({ truth }) => void truth.purchases.push({ ...truth.purchases[0]!, id: 'z' }),
  },
  {
    says: 'a purchase that nobody was told of',
    finding: 'nothing lost, nothing doubled',
    spoil: ({ evidence }) => void evidence.replies.shift(),
  },
  {
    says: 'a request that was never answered',
    finding: 'nothing lost, nothing doubled',
    spoil: ({ evidence }) => void evidence.unanswered.push({ user_id: 'ann', request_id: 'q9' }),
  },
  {
    says: 'a ticket more than is counted as sold',
    finding: 'sold = tickets',
    spoil: ({ truth }) => {
      truth.sold_tickets = 4
    },
  },
  {
    says: 'more tickets than there are',
    finding: 'sold = tickets',
    spoil: ({ truth }) => {
      truth.total_tickets = 4
    },
  },
  {
    says: 'a ticket that is on the list twice, in place of another',
    finding: 'sold = tickets',
    spoil: ({ truth }) => {
      truth.entries[3]!.ref_id = truth.entries[2]!.ref_id
    },
  },
  {
    says: 'a client whose last count is an older one',
    finding: 'sold = tickets',
    spoil: ({ evidence }) => {
      evidence.states[0]!['sold'] = 4
    },
  },
  {
    says: 'a number that was sold twice',
    finding: 'numbers are unique',
    spoil: ({ truth }) => {
      truth.tickets[1]!.ticket_number = '1'
    },
  },
  {
    says: 'a number that is not there',
    finding: 'numbers are unique',
    spoil: ({ truth }) => {
      truth.tickets[1]!.ticket_number = '6'
    },
  },
  {
    says: 'somebody who was told sold_out while tickets were left',
    finding: 'it sold out',
    spoil: ({ truth }) => {
      truth.sold_tickets = 4
    },
  },
  {
    says: 'somebody who was told number_taken of a number that nobody has',
    finding: 'it sold out',
    spoil: ({ evidence }) => {
      evidence.refused[1]!.asked.numbers = [77]
    },
  },
  {
    says: 'a buyer who paid too much',
    finding: 'money moved',
    spoil: ({ truth }) => {
      truth.credit[0]!.after_minor -= 1
    },
  },
  {
    says: 'a purchase at a wrong price',
    finding: 'money moved',
    spoil: ({ truth }) => {
      truth.purchases[0]!.amount_minor = 199
    },
  },
  {
    says: 'money that did not come into the pool',
    finding: 'money moved',
    spoil: ({ truth }) => {
      truth.pool.in_minor = 400
    },
  },
  {
    says: 'money that stayed in the pool',
    finding: 'money moved',
    spoil: ({ truth }) => {
      truth.pool.balance_minor = 100
    },
  },
  {
    says: 'a repetition with another answer',
    finding: 'the same request_id',
    spoil: ({ evidence }) => {
      evidence.replies.at(-1)!.answer['quantity'] = 3
    },
  },
  {
    says: 'a buyer who came after the close and was let in',
    finding: 'whoever came after the close',
    spoil: ({ evidence }) => {
      evidence.replies[0]!.sent_at_ms = closed_ms
    },
  },
  {
    says: 'a winner who was announced and is no row',
    finding: 'every winner that was announced',
    spoil: ({ truth }) => void truth.winners.shift(),
  },
  {
    says: 'a winner who was announced with another ticket',
    finding: 'every winner that was announced',
    spoil: ({ evidence }) => {
      evidence.told[0]!.ticket_number = '9'
    },
  },
  {
    says: 'a winner who was announced for another time',
    finding: 'every winner that was announced',
    spoil: ({ evidence }) => {
      evidence.told[0]!.reveal_at = new Date(closed_ms).toISOString()
    },
  },
  {
    says: 'a spectator who missed a winner',
    finding: 'every client saw every winner',
    spoil: ({ evidence }) => void evidence.shows[2]!.heard.pop(),
  },
  {
    says: 'a spectator who saw two winners in another order',
    finding: 'every client saw every winner',
    spoil: ({ evidence }) => void evidence.shows[1]!.heard.reverse(),
  },
  {
    says: 'a winner who was shown twice',
    finding: 'every client saw every winner',
    spoil: ({ evidence }) => void evidence.shows[1]!.heard.push(evidence.shows[1]!.heard[0]!),
  },
  {
    says: 'a player who saw a winner a millisecond early',
    finding: 'no client saw a winner before',
    spoil: ({ evidence, truth }) => {
      const seen = evidence.shows[0]!.heard[0]!
      seen[1] = truth.winners.find(({ place }) => place === seen[0])!.reveal_at.getTime() - 1
    },
  },
  {
    says: "a frame with a winner's name before its time",
    finding: 'no frame held the name',
    spoil: ({ evidence, truth }) => {
      evidence.frames[0]!.text += truth.winners[0]!.player
    },
  },
  {
    says: 'a client that ended without a winner',
    finding: 'the last states',
    spoil: ({ evidence }) => void evidence.states[0]!['winners'].pop(),
  },
  {
    says: 'a client that never saw the end',
    finding: 'the last states',
    spoil: ({ evidence }) => {
      evidence.states[0]!['phase'] = 'drawn'
    },
  },
  {
    says: 'a receipt of a leaf that is not under the root',
    finding: 'receipts lead to the root',
    spoil: ({ truth }) => {
      truth.proofs[2]!.leaf_hash = truth.proofs[1]!.leaf_hash
    },
  },
  {
    says: 'a proof for another root',
    finding: 'receipts lead to the root',
    spoil: ({ truth }) => {
      truth.proofs[2]!.proof = []
    },
  },
  {
    says: 'a transcript that does not verify',
    finding: 'the transcript verifies',
    spoil: ({ truth }) => {
      truth.verdict = 'failed OUTCOME_MISMATCH'
    },
  },
  {
    says: 'a ledger that does not add up',
    finding: 'ledger sum = 0',
    spoil: ({ truth }) => {
      truth.ledger_sums[0]!.sum_minor = -1
    },
  },
]

describe('the correctness box of the raffle', () => {
  it('K-06 finds nothing in a run that lost nothing, and has compared something everywhere', () => {
    const { evidence, truth } = aRun()
    for (const { name, checked, violations, examples } of checkRaffle(evidence, truth)) {
      assert.equal(violations, 0, `${name}: ${examples}`)
      assert.ok(checked > 0, name)
    }
  })

  for (const { says, finding, spoil } of PLANTED)
    it(`K-06 finds ${says}`, () => {
      const run = aRun()
      spoil(run)
      const found = checkRaffle(run.evidence, run.truth).filter(({ violations }) => violations > 0)
      assert.ok(
        found.some(({ name }) => name.startsWith(finding)),
        JSON.stringify(found),
      )
    })
})
