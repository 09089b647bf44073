/** The correctness box of scenario `wallet`: whole evidence passes, and each kind of loss is found by the finding for it. */
import assert from 'node:assert/strict'
import {
  type Application,
  checkWallet,
  type List,
  type Wallet,
  type WalletEvidence,
} from '../../loadtest/wallet-check.ts'

const made = (play_id: number, order_id: string, status = 200, named = order_id): Application => ({
  user_id: 'ann',
  play_id,
  order_id,
  status,
  text: JSON.stringify(
    status === 200 ? { data: { applied_to_order_id: named } } : { status, code: 'prize_applied' },
  ),
  answered_at: 100,
})
const list = (asked_at: number, ...prizes: [number, string][]): WalletEvidence['lists'][number] => {
  const data = prizes.map(([id, prize_status]) => ({ id, prize_status }))
  const told: List = { data, pagination: { total_pages: 1, total_items: data.length } }
  return { user_id: 'ann', asked_at, told }
}

/** Prize 1 is applied alone, prize 2 by one of three. */
function whole(): { evidence: WalletEvidence; wallets: Wallet[] } {
  const alone = made(1, 'a')
  const crowd = [made(2, 'b'), made(2, 'c', 409), made(2, 'd', 409)]
  return {
    evidence: {
      applications: [alone, ...crowd],
      crowds: [crowd],
      repeated: [{ first: alone, status: 200, again: alone.text }],
      lists: [list(50, [1, 'unlocked'], [3, 'unlocked']), list(150, [1, 'applied'], [2, 'applied'])],
    },
    wallets: [{ user_id: 'ann', applied: [1, 2] }],
  }
}

const FAULTS: { says: string; finding: string; spoil: (given: ReturnType<typeof whole>) => void }[] = [
  {
    says: 'an accepted application that no wallet shows',
    finding: 'what is applied in the wallets',
    spoil: ({ wallets }) => void wallets[0]!.applied.pop(),
  },
  {
    says: 'a prize that is applied without an accepted application',
    finding: 'what is applied in the wallets',
    spoil: ({ wallets }) => void wallets[0]!.applied.push(9),
  },
  {
    says: 'a prize that two orders were given',
    finding: 'no prize was accepted for two orders',
    spoil: ({ evidence }) => void evidence.applications.push(made(1, 'z')),
  },
  {
    says: "an answer that names another's order",
    finding: 'no prize was accepted for two orders',
    spoil: ({ evidence }) => void evidence.applications.splice(0, 1, made(1, 'a', 200, 'z')),
  },
  {
    says: 'a crowd of which two were given the prize',
    finding: 'of those that wanted one prize',
    spoil: ({ evidence }) => void evidence.crowds[0]!.splice(1, 1, made(2, 'c')),
  },
  {
    says: 'a crowd of which nobody was given the prize',
    finding: 'of those that wanted one prize',
    spoil: ({ evidence }) => void evidence.crowds[0]!.shift(),
  },
  {
    says: 'one of a crowd who was refused for another reason',
    finding: 'of those that wanted one prize',
    spoil: ({ evidence }) => {
      evidence.crowds[0]![1]!.text = '{"status":503,"code":"unavailable"}'
    },
  },
  {
    says: 'a repetition with other bytes',
    finding: 'an application that was accepted is answered',
    spoil: ({ evidence }) => {
      evidence.repeated[0]!.again += ' '
    },
  },
  {
    says: 'a list that does not show what was applied before',
    finding: 'lists show what was applied',
    spoil: ({ evidence }) => void evidence.lists.push(list(150, [1, 'unlocked'])),
  },
  {
    says: 'a list that shows as applied what nobody applied',
    finding: 'lists show what was applied',
    spoil: ({ evidence }) => void evidence.lists.push(list(150, [3, 'applied'])),
  },
]

describe('the correctness box of the wallet', () => {
  it('S2-18 finds nothing in a run that lost nothing, and has compared something everywhere', () => {
    const { evidence, wallets } = whole()
    for (const { name, checked, violations } of checkWallet(evidence, wallets)) {
      assert.equal(violations, 0, name)
      assert.ok(checked > 0, name)
    }
  })

  for (const { says, finding, spoil } of FAULTS)
    it(`S2-18 finds ${says}`, () => {
      const given = whole()
      spoil(given)
      const found = checkWallet(given.evidence, given.wallets).filter(({ violations }) => violations > 0)
      assert.ok(
        found.some(({ name }) => name.startsWith(finding)),
        JSON.stringify(found),
      )
    })
})
