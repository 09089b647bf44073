/**
 * How often somebody may type a code that does not exist: counted in memory, per user and per address
 * (reliability.md section 5). A hit costs nothing, so whoever uses own codes never meets it.
 */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { refuse } from '../errors.ts'

const WINDOW_S = 600
const MISSES_PER_USER = 10
const MISSES_PER_ADDRESS = 30

export type CodeMisses = {
  /**
   * Runs a look-up; one that finds nothing is a miss. Refuses rate_limited without looking when the user or the
   * address has missed too often, so that a code cannot be told by the answer.
   */
  count<T>(user: string, address: string, find: () => Promise<T | undefined>): Promise<T | undefined>
}

export function makeCodeMisses(): CodeMisses {
  const users = new RateLimiterMemory({ points: MISSES_PER_USER, duration: WINDOW_S })
  const addresses = new RateLimiterMemory({ points: MISSES_PER_ADDRESS, duration: WINDOW_S })
  return {
    async count(user, address, find) {
      // Taken before and given back after a hit: attempts that run side by side are counted too.
      await take(users, user)
      await take(addresses, address)
      const found = await find()
      if (found !== undefined) await Promise.all([users.reward(user), addresses.reward(address)])
      return found
    },
  }
}

async function take(limiter: RateLimiterMemory, key: string): Promise<void> {
  await limiter.consume(key).catch((result: unknown) => {
    if (!(result instanceof RateLimiterRes)) throw result
    refuse('rate_limited', { retry_after_s: Math.max(1, Math.ceil(result.msBeforeNext / 1000)) })
  })
}
