/** When a delivery is tried again, and what an answer means. */

const MINUTE_S = 60
const HOUR_S = 3_600

/** Standard Webhooks: at once, then after each failure so long; after the last one it is given up. */
export const RETRY_AFTER_S: readonly number[] = [
  5,
  5 * MINUTE_S,
  30 * MINUTE_S,
  2 * HOUR_S,
  5 * HOUR_S,
  10 * HOUR_S,
  14 * HOUR_S,
  20 * HOUR_S,
  24 * HOUR_S,
]

export const ATTEMPTS_MAX = RETRY_AFTER_S.length + 1

/** What came back, or why nothing did. */
export type Answered = { status_code: number | null; failure: string | null }

export type Verdict =
  | { kind: 'delivered' }
  /** 410: the receiver wants no more, ever. */
  | { kind: 'gone' }
  | { kind: 'again'; after_s: number }
  | { kind: 'given_up' }

/** Judges the `attempt`-th attempt (from 1) since the delivery began or was replayed. */
export function judge({ status_code }: Answered, attempt: number): Verdict {
  if (status_code !== null && status_code >= 200 && status_code < 300) return { kind: 'delivered' }
  if (status_code === 410) return { kind: 'gone' }
  const after_s = RETRY_AFTER_S[attempt - 1]
  return after_s === undefined ? { kind: 'given_up' } : { kind: 'again', after_s }
}
