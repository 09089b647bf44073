/** The correctness box of scenario `wallet`: what was answered against what the wallets say. Pure. */
import { Box, type Finding } from './check.ts'

/** An application as it was answered: 200, or a refusal. `answered_at` is of the generator's clock. */
export type Application = {
  user_id: string
  play_id: number
  order_id: string
  status: number
  text: string
  answered_at: number
}

export type List = {
  data: { id: number; prize_status: string }[]
  pagination: { total_pages: number; total_items: number }
}

export type WalletEvidence = {
  applications: Application[]
  /** Lists that were read during the run, and when they were asked for. */
  lists: { user_id: string; asked_at: number; told: List }[]
  /** Those that wanted one prize at one moment. */
  crowds: Application[][]
  /** Sent again with their key. */
  repeated: { first: Application; status: number; again: string }[]
}

export type Wallet = { user_id: string; applied: number[] }

const ACCEPTED = 200
const TAKEN = 'prize_applied'

const isAccepted = ({ status }: Application): boolean => status === ACCEPTED
const codeOf = ({ text }: { text: string }): string => (JSON.parse(text) as { code?: string }).code ?? ''

/** Compares them. Each finding says how many things it compared, and names examples of what broke it. */
export function checkWallet(evidence: WalletEvidence, wallets: readonly Wallet[]): Finding[] {
  return [
    appliedIsAccepted(evidence, wallets),
    appliedOnce(evidence),
    oneOfCrowd(evidence),
    repeatedAlike(evidence),
    listsAreCurrent(evidence),
  ]
}

function appliedIsAccepted({ applications }: WalletEvidence, wallets: readonly Wallet[]): Finding {
  const box = new Box('what is applied in the wallets is what was accepted')
  const accepted = new Set(applications.filter(isAccepted).map(({ play_id }) => play_id))
  const applied = new Set(wallets.flatMap((wallet) => wallet.applied))
  for (const play_id of accepted)
    box.compare(applied.has(play_id), `prize ${play_id} was accepted and is not applied`)
  for (const play_id of applied)
    box.compare(accepted.has(play_id), `prize ${play_id} is applied and was not accepted`)
  return box.finding
}

function appliedOnce({ applications }: WalletEvidence): Finding {
  const box = new Box('no prize was accepted for two orders, and each answer names its own')
  const orders = new Map<number, string>()
  for (const made of applications.filter(isAccepted)) {
    const { data } = JSON.parse(made.text) as { data: { applied_to_order_id: string } }
    box.compare(
      data.applied_to_order_id === made.order_id,
      `${made.order_id} was told ${data.applied_to_order_id}`,
    )
    box.compare(!orders.has(made.play_id), `prize ${made.play_id} was accepted for two orders`)
    orders.set(made.play_id, made.order_id)
  }
  return box.finding
}

function oneOfCrowd({ crowds }: WalletEvidence): Finding {
  const box = new Box(
    'of those that wanted one prize at once one got it, and the others were told that it is gone',
  )
  for (const crowd of crowds) {
    const winners = crowd.filter(isAccepted)
    box.compare(winners.length === 1, `prize ${crowd[0]?.play_id} was given ${winners.length} times`)
    for (const other of crowd.filter((each) => !isAccepted(each)))
      box.compare(
        codeOf(other) === TAKEN,
        `${other.order_id} was refused with ${other.status} ${codeOf(other)}`,
      )
  }
  return box.finding
}

function repeatedAlike({ repeated }: WalletEvidence): Finding {
  const box = new Box('an application that was accepted is answered with the same bytes again')
  for (const { first, status, again } of repeated.filter((each) => isAccepted(each.first)))
    box.compare(
      status === ACCEPTED && again === first.text,
      `${first.order_id} was answered differently the second time`,
    )
  return box.finding
}

/** Whoever asks after an application was answered must see it; and nothing is shown applied that nobody applied. */
function listsAreCurrent({ applications, lists }: WalletEvidence): Finding {
  const box = new Box('lists show what was applied before they were asked for, and nothing else')
  const asked = new Set(applications.map(({ play_id }) => play_id))
  const accepted = new Map(applications.filter(isAccepted).map((made) => [made.play_id, made.answered_at]))
  for (const { user_id, asked_at, told } of lists) {
    for (const { id, prize_status } of told.data) {
      const must = (accepted.get(id) ?? Number.POSITIVE_INFINITY) < asked_at
      const is_applied = prize_status === 'applied'
      box.compare(is_applied || !must, `${user_id} saw prize ${id} as ${prize_status} after it was applied`)
      box.compare(!is_applied || asked.has(id), `${user_id} saw prize ${id} applied, which nobody did`)
    }
  }
  return box.finding
}
