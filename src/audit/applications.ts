/**
 * Derives again what prizes did on orders: every amount from its stored trace and from the prize as it was issued, what
 * was paid from the ledger, and the shares of what came back.
 */
import { type AppliedDetails, appliedDetailsSchema, recompute } from '../prizes/discount.ts'
import { amountOf, shareOf } from '../prizes/money.ts'
import { FIRST_ID, PAGE, rowsOf } from './outcomes.ts'
import { attempt, Tally } from './report.ts'
import { applicationPage, type Reader, type StoredApplication } from './store.ts'

/** Checks every application of every tenant. */
export async function checkApplications(reader: Reader, tenants: readonly string[]): Promise<Tally[]> {
  const derived = new Tally(
    'I16',
    'The trace of every application derives again to its amounts, from the value and the cap of the prize as issued.',
  )
  const paid = new Tally(
    'I33',
    'What prizes grant is what was applied: each that pays has its one transfer, and its reversal once it was taken back.',
  )
  const returned = new Tally(
    'I16',
    'What came back of an order is within it, and took exactly its share of the discount along.',
  )
  for (const tenantId of tenants) {
    const read = (after: string) => applicationPage(reader, tenantId, after, PAGE)
    for await (const row of rowsOf(read, FIRST_ID, (last) => last.id)) {
      const say = (fault: string | null) => (fault === null ? null : `application ${row.id} ${fault}`)
      const parsed = appliedDetailsSchema.safeParse(row.details)
      if (!parsed.success) {
        derived.saw(say('has no trace'))
        continue
      }
      derived.saw(say(attempt(() => faultOfTrace(row, parsed.data))))
      paid.saw(say(attempt(() => faultOfPayment(row, parsed.data))))
      if (row.returned_minor > 0) returned.saw(say(attempt(() => faultOfReturns(row, parsed.data))))
    }
  }
  return [derived, paid, returned]
}

function faultOfTrace(row: StoredApplication, details: AppliedDetails): string | null {
  const { faults } = recompute(details)
  if (faults.length > 0) return `does not follow at ${faults.join(', ')}`
  const { calculation, discount_amount, final_amount } = details
  const told = [calculation.amount_before, discount_amount, final_amount]
  const stored = [row.order_minor, row.discount_minor, row.final_minor]
  const is_told = told.every((text, i) => amountOf(text, calculation.decimals) === BigInt(stored[i]!))
  if (!is_told || calculation.currency !== row.currency) return 'says other amounts than its row'
  if ((calculation.stacking?.policy_version ?? 0) !== row.policy_version) return 'names another policy'
  return faultOfTerms(row, details)
}

/** What a mystery became is not in what was issued. */
function faultOfTerms({ prize_snapshot }: StoredApplication, details: AppliedDetails): string | null {
  const { type, value = null, conditions = {} } = prize_snapshot
  if (type === 'mystery') return null
  const { calculation } = details
  if (details.application_type !== type || calculation.value !== value)
    return 'is of another prize than was issued'
  const cap: string | null = conditions.max_discount_amount ?? null
  const followed = calculation.steps.find(
    (step) => step.op === 'at_most' && step.because === 'max_discount_amount',
  )
  const limit = followed?.op === 'at_most' ? followed.limit : null
  const { decimals } = calculation
  const is_capped =
    cap === null ? limit === null : limit !== null && amountOf(limit, decimals) === amountOf(cap, decimals)
  return is_capped ? null : 'follows another maximum than was issued'
}

function faultOfPayment(row: StoredApplication, { calculation }: AppliedDetails): string | null {
  const { effect, currency, decimals } = calculation
  const { transfer_id, postings, is_rolled_back, is_reversed } = row
  if (effect.kind !== 'posting') return transfer_id === null ? null : 'paid what it does not owe'
  const amount_minor = amountOf(effect.amount, effect.unit === currency ? decimals : 0)
  const given = (postings ?? []).filter((each) => each.account_kind === effect.account)
  const is_paid =
    given.length === 1 &&
    given[0]!.currency === effect.unit &&
    BigInt(given[0]!.amount_minor) === amount_minor
  if (!is_paid) return 'was not paid as it says'
  return is_rolled_back && !is_reversed ? 'was taken back and its payment was not' : null
}

function faultOfReturns(row: StoredApplication, { calculation }: AppliedDetails): string | null {
  const order_minor = amountOf(calculation.order_amount, calculation.decimals)!
  const returned_minor = BigInt(row.returned_minor)
  if (returned_minor > order_minor) return 'took back more than the order'
  const share_minor = shareOf(BigInt(row.discount_minor), returned_minor, order_minor)
  return share_minor === BigInt(row.discount_returned_minor)
    ? null
    : 'took back another share of the discount'
}
