/**
 * What time it is at the server, from instants the server has told us.
 *
 * Every instant it tells was already past when it arrived, so `told - received` is a lower bound of the offset and
 * the largest one (the quickest delivery) is the best. A request and its answer also give an upper bound, which
 * heals a bound that was wrong because this device's own clock was moved.
 */
export type ServerClock = {
  /** An instant of the server's past, epoch ms, that arrived now. */
  heard(server_ms: number): void
  /** An instant of the server between a request and its answer, known to `grain_ms`. */
  answered(server_ms: number, sent_ms: number, grain_ms?: number): void
  /** Server time, epoch ms. */
  now(): number
}

export function makeServerClock(localNow: () => number = Date.now): ServerClock {
  let offset_ms: number | undefined
  const heard = (server_ms: number) => {
    if (!Number.isFinite(server_ms) || server_ms <= 0) return
    const bound_ms = server_ms - localNow()
    if (offset_ms === undefined || bound_ms > offset_ms) offset_ms = bound_ms
  }
  return {
    heard,
    answered(server_ms, sent_ms, grain_ms = 0) {
      if (!Number.isFinite(server_ms) || server_ms <= 0) return
      heard(server_ms)
      const upper_ms = server_ms + grain_ms - sent_ms
      // The old bound is disproved: start again low, and let the next messages raise it.
      if (offset_ms !== undefined && offset_ms > upper_ms) offset_ms = server_ms - localNow()
    },
    now: () => localNow() + (offset_ms ?? 0),
  }
}

/** One clock per page: all connections of a page talk to the same server. */
export const serverClock = makeServerClock()
