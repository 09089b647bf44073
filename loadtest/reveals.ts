/** How far apart clients saw the same winner. Pure: what was heard goes in, figures come out. */

/** A place, and when a client heard of it. */
export type Heard = [place: number, at_ms: number]

/** What one client heard of winners, in order. */
export type Show = { is_spectator: boolean; heard: Heard[] }

export type RevealFigures = {
  /** Places of which two spectators or more heard. */
  winners_compared: number
  /** Between the first and the last spectator, winner by winner. */
  reveal_skew_p50_ms: number
  reveal_skew_p99_ms: number
  reveal_skew_max_ms: number
  /** After the time that was announced, every client and winner. */
  reveal_late_p50_ms: number
  reveal_late_p99_ms: number
  reveal_late_max_ms: number
}

/** `reveal_at_ms` by place. */
export function revealFigures(
  shows: readonly Show[],
  reveal_at_ms: ReadonlyMap<number, number>,
): RevealFigures {
  const spans = new Map<number, { first: number; last: number; count: number }>()
  const late: number[] = []
  for (const { is_spectator, heard } of shows) {
    for (const [place, at_ms] of heard) {
      const due_ms = reveal_at_ms.get(place)
      if (due_ms !== undefined) late.push(at_ms - due_ms)
      if (!is_spectator) continue
      const span = spans.get(place)
      if (span === undefined) spans.set(place, { first: at_ms, last: at_ms, count: 1 })
      else {
        span.first = Math.min(span.first, at_ms)
        span.last = Math.max(span.last, at_ms)
        span.count += 1
      }
    }
  }
  const skews = [...spans.values()].filter(({ count }) => count > 1).map(({ first, last }) => last - first)
  const skew = sharesOf(skews)
  const lateness = sharesOf(late)
  return {
    winners_compared: skews.length,
    reveal_skew_p50_ms: skew(0.5),
    reveal_skew_p99_ms: skew(0.99),
    reveal_skew_max_ms: skew(1),
    reveal_late_p50_ms: lateness(0.5),
    reveal_late_p99_ms: lateness(0.99),
    reveal_late_max_ms: lateness(1),
  }
}

/** The value that so large a share does not exceed (nearest rank); 0 of nothing. */
function sharesOf(values: number[]): (share: number) => number {
  const sorted = values.sort((a, b) => a - b)
  return (share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}
