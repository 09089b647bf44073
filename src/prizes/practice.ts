/**
 * Good practice for administrators (seeds/002, "Best practices"): what is allowed and yet worth a second look, said when a
 * wheel is published and in `GET /gamification/practice`. Pure.
 */

export type Warning = {
  code:
    | 'expiry_short'
    | 'expiry_long'
    | 'never_expires'
    | 'no_stock_limit'
    | 'rarely_used'
    | 'old_expired_prizes'
  /** What it is about: a prize, a wheel, or the whole wallet. */
  about: string
  message: string
}

export type Definition = {
  id: number
  name: string
  type: string
  expires_in_days: number | null
  policy_days: number | null
  never_expires: boolean
  stock: number | null
  cost_minor: number
}

/** "Set reasonable expiration periods (7-30 days)". Without days those of the wallet policy hold, or else seven. */
const EXPIRY_DAYS_MIN = 7
const EXPIRY_DAYS_MAX = 30

/** These are not used later on: they take effect when they are won. */
const IMMEDIATE = new Set(['spin_chance'])

/** What is worth a second look in a definition. */
export function definitionWarnings(prize: Definition): Warning[] {
  if (IMMEDIATE.has(prize.type)) return []
  const about = `prize ${prize.id}`
  const warnings: Warning[] = []
  const { name } = prize
  const days = prize.expires_in_days ?? prize.policy_days
  if (prize.never_expires)
    warnings.push({
      code: 'never_expires',
      about,
      message: `${name} never expires; what is owed only grows.`,
    })
  else if (days !== null && days < EXPIRY_DAYS_MIN)
    warnings.push({
      code: 'expiry_short',
      about,
      message: `${name} expires after ${daysText(days)}; 7 to 30 days are usual.`,
    })
  else if (days !== null && days > EXPIRY_DAYS_MAX)
    warnings.push({
      code: 'expiry_long',
      about,
      message: `${name} expires after ${daysText(days)}; 7 to 30 days are usual.`,
    })
  if (prize.cost_minor > 0 && prize.stock === null)
    warnings.push({
      code: 'no_stock_limit',
      about,
      message: `${name} costs something and has no stock that ends.`,
    })
  return warnings
}

const daysText = (days: number) => (days === 1 ? '1 day' : `${days} days`)

export type Usage = { prize_id: number; name: string; won: number; applied: number }

/** Fewer wins say nothing about how a prize is liked. */
const USAGE_WINS_MIN = 50
const USAGE_PERCENT_MIN = 5

/** "Monitor redemption rates": prizes that hardly anybody uses. Of those whose time is over or that were used. */
export function usageWarnings(rows: readonly Usage[]): Warning[] {
  return rows
    .filter(({ won, applied }) => won >= USAGE_WINS_MIN && applied * 100 < USAGE_PERCENT_MIN * won)
    .map(({ prize_id, name, won, applied }) => ({
      code: 'rarely_used',
      about: `prize ${prize_id}`,
      message: `${name} was used ${applied} times of ${won}: its conditions may be too hard, or nobody wants it.`,
    }))
}

/** "Regular cleanup of old expired prizes". */
export function cleanupWarnings(old_expired: number): Warning[] {
  if (old_expired === 0) return []
  const message = `${old_expired} prizes expired more than 90 days ago and still carry addresses of their players.`
  return [{ code: 'old_expired_prizes', about: 'wallet', message }]
}
