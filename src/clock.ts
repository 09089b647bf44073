/** The one authority for time. Everything that compares instants asks this clock, once per transaction. */

export type Clock = {
  now(): Date
  /** Moves the clock forward; only a test clock can. Returns the new instant. */
  advance?(duration_ms: number): Date
}

export const systemClock: Clock = { now: () => new Date() }

/** A clock that runs with the machine's and can be moved forward (`TEST_CLOCK=1`, tests). Never moves back. */
export function makeTestClock(startsAt?: Date): Clock & { advance(duration_ms: number): Date } {
  let offset_ms = startsAt === undefined ? 0 : startsAt.getTime() - Date.now()
  return {
    now: () => new Date(Date.now() + offset_ms),
    advance(duration_ms) {
      if (!(duration_ms >= 0)) throw new RangeError('a clock moves forward')
      offset_ms += duration_ms
      return new Date(Date.now() + offset_ms)
    },
  }
}
