/**
 * What double entry means, as functions of what they are given. Amounts are integer minor units of a currency, as
 * numbers that a double holds exactly; sums that may leave that range are taken in bigint.
 */

export type AccountKind =
  | 'wallet_credit'
  | 'loyalty_points'
  | 'coins'
  | 'free_bet'
  | 'cash'
  | 'stake'
  | 'pool'
  | 'prize_fund'
  | 'escrow'
  | 'house'
  | 'fee'
  | 'remainder'

/** `owner_id` is a user for the kinds that users hold, otherwise a game, a listing, or TENANT_OWNER. */
export type AccountName = { account_kind: AccountKind; owner_id: string; currency: string }

/** A line of a transfer: what an account gains, or below zero what it gives. */
export type Posting = AccountName & { amount_minor: number }

/** The owner of what belongs to the tenant itself. No user is looked up by it: kinds of users are others. */
export const TENANT_OWNER = '-'

/** The kinds that a user holds and sees; each is explained where its prize type is. */
export const USER_KINDS = ['wallet_credit', 'loyalty_points', 'coins', 'free_bet', 'cash'] as const

/** What a double holds exactly; the columns are bound to it too. */
export const AMOUNT_MINOR_MAX = Number.MAX_SAFE_INTEGER

/** More lines than any settlement of ours; a bigger one is posted in parts, each with its own obligation. */
export const POSTING_COUNT_MAX = 1_000

const CURRENCY = /^[A-Z]{3,8}$/

/** The one order in which accounts are locked, and the identity of an account inside a tenant. */
export function accountKey({ account_kind, owner_id, currency }: AccountName): string {
  return `${account_kind} ${currency} ${owner_id}`
}

/**
 * The floor that a new account of a kind has, in minor units. Money enters and leaves the ledger through the house,
 * which therefore has no floor but that of the number; every other account holds what it was given.
 */
export function floorOf(kind: AccountKind): number {
  return kind === 'house' ? -AMOUNT_MINOR_MAX : 0
}

/**
 * Why these are no postings of one transfer, as a sentence, or undefined when they are: at least two, an account once,
 * whole amounts other than zero, and zero in sum in each currency. Pure; a fault is a bug of the caller.
 */
export function postingFault(postings: readonly Posting[]): string | undefined {
  if (postings.length < 2) return 'a transfer has at least two postings'
  if (postings.length > POSTING_COUNT_MAX) return `a transfer has at most ${POSTING_COUNT_MAX} postings`
  const net = new Map<string, bigint>()
  const accounts = new Set<string>()
  for (const posting of postings) {
    const { currency, amount_minor, owner_id } = posting
    if (!CURRENCY.test(currency)) return `${currency} is no currency`
    if (owner_id.length < 1 || owner_id.length > 128) return 'an owner has 1 to 128 characters'
    if (!Number.isSafeInteger(amount_minor) || amount_minor === 0) return `${amount_minor} is no amount`
    accounts.add(accountKey(posting))
    net.set(currency, (net.get(currency) ?? 0n) + BigInt(amount_minor))
  }
  if (accounts.size < postings.length) return 'an account appears twice'
  for (const [currency, sum] of net)
    if (sum !== 0n) return `${currency} does not add up to zero but to ${sum}`
  return undefined
}

/** The two postings that move an amount above zero. */
export function move(
  amount_minor: number,
  currency: string,
  from: Omit<AccountName, 'currency'>,
  to: Omit<AccountName, 'currency'>,
): Posting[] {
  return [
    { ...from, currency, amount_minor: -amount_minor },
    { ...to, currency, amount_minor },
  ]
}

/** What takes these postings back. Several lines of one account become one; accounts that come to zero fall away. */
export function negated(postings: readonly Posting[]): Posting[] {
  const sums = new Map<string, Posting>()
  for (const posting of postings) {
    const key = accountKey(posting)
    const before = sums.get(key)?.amount_minor ?? 0
    sums.set(key, { ...posting, amount_minor: before - posting.amount_minor })
  }
  return [...sums.values()].filter((posting) => posting.amount_minor !== 0)
}

/**
 * The postings that turn what stands into what is right: a correction posts differences only. Empty when nothing has
 * to change. Source: features.md 4.6, point 7.
 */
export function difference(standing: readonly Posting[], right: readonly Posting[]): Posting[] {
  return negated([...standing, ...negated(right)])
}

export type Balance = { balance_minor: number; floor_minor: number }

export type Line = Posting & { balance_after_minor: number }

export type Settled =
  | { lines: Line[]; after: ReadonlyMap<string, Balance> }
  | { short: { posting: Posting; missing_minor: number } }

/**
 * Works out what postings make of the balances of their accounts, or which account holds too little and how much is
 * missing (the first one in the order of the postings). An approved correction may go below the floor, which then
 * follows the balance down, and up again as the debt is paid back: what was lent once is not lent twice. Pure.
 */
export function settle(
  balances: ReadonlyMap<string, Balance>,
  postings: readonly Posting[],
  is_overdraft_approved = false,
): Settled {
  const after = new Map<string, Balance>()
  const lines: Line[] = []
  for (const posting of postings) {
    const key = accountKey(posting)
    const { balance_minor, floor_minor } = balances.get(key)!
    const balance_after_minor = balance_minor + posting.amount_minor
    if (balance_after_minor > AMOUNT_MINOR_MAX) throw new RangeError(`the account ${key} cannot hold more`)
    const missing_minor = floor_minor - balance_after_minor
    if (missing_minor > 0 && (!is_overdraft_approved || balance_after_minor < -AMOUNT_MINOR_MAX))
      return { short: { posting, missing_minor } }
    lines.push({ ...posting, balance_after_minor })
    after.set(key, {
      balance_minor: balance_after_minor,
      floor_minor: floorAfter(posting.account_kind, floor_minor, balance_after_minor),
    })
  }
  return { lines, after }
}

/** A debt goes as deep as it was approved and rises as it is paid back. */
function floorAfter(kind: AccountKind, floor_minor: number, balance_minor: number): number {
  return kind === 'house' ? floor_minor : Math.min(0, balance_minor)
}

/**
 * Splits an amount by weights so that the shares add up to it exactly: each gets its quota rounded down, and the units
 * that are left go to the largest remainders, the earlier one first among equals. Weights are whole and not below zero,
 * at least one is above; a named account that takes what nobody won is one of them. Pure.
 * Source: the largest remainder method (Hamilton); features.md P-18.
 */
export function splitByWeight(amount_minor: number, weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + BigInt(weight), 0n)
  if (!Number.isSafeInteger(amount_minor) || amount_minor < 0)
    throw new RangeError(`${amount_minor} is no amount`)
  if (total <= 0n || weights.some((weight) => weight < 0))
    throw new RangeError('weights must add up to more than zero')
  const parts = weights.map((weight, index) => {
    const share = BigInt(amount_minor) * BigInt(weight)
    return { index, quota: share / total, remainder: share % total }
  })
  let left = amount_minor - Number(parts.reduce((sum, part) => sum + part.quota, 0n))
  const shares = parts.map((part) => Number(part.quota))
  const byRemainder = [...parts].sort((a, b) =>
    a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1,
  )
  for (const { index } of byRemainder) {
    if (left === 0) break
    shares[index]! += 1
    left -= 1
  }
  return shares
}
