/** When the demo's live reel plays: every viewer sees the same clip at the same moment of the server's clock. Pure. */

export const CLIP_MS = 12_000
const BREAK_MS = 8_000
const PERIOD_MS = CLIP_MS + BREAK_MS

export type ReelMoment = {
  /** Counts showings since 1970. */
  showing: number
  /** Into the clip; `CLIP_MS` or more during the break after it. */
  elapsed_ms: number
  /** Until the next showing begins. */
  next_in_ms: number
}

export function reelAt(now_ms: number): ReelMoment {
  const showing = Math.floor(now_ms / PERIOD_MS)
  const elapsed_ms = now_ms - showing * PERIOD_MS
  return { showing, elapsed_ms, next_in_ms: PERIOD_MS - elapsed_ms }
}
