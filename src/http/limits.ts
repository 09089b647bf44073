/** How much one caller may ask for: counted in memory, told in RateLimit headers, refused with rate_limited. */
import type { Response } from 'express'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { refuse } from '../errors.ts'

/** `points` requests in each window of `duration_s` seconds. */
export type Rate = { points: number; duration_s: number }

export type Limits = {
  /** Counts one request of `key` under the policy `name`; `response`, if any, is told. Refuses rate_limited. */
  take(
    response: Response | null,
    policy: { name: string; rate: Rate },
    key: string,
    cost?: number,
  ): Promise<void>
}

export type DefaultRates = {
  /** Any request from one address, before its token is looked at. */
  address: Rate
  /** Any request of one user. */
  user: Rate
  /** The same for a back end of a tenant, which speaks for all of its users. */
  service: Rate
  /** Guest tokens for one address. */
  guest: Rate
}

/**
 * A person clicks a few times a second and a back end asks a few hundred times; an office or a school is one
 * address. A flood of foreign tokens at the rate of an address costs a tenth of a core in signatures (84 µs each).
 */
export const DEFAULT_RATES: DefaultRates = {
  address: { points: 60_000, duration_s: 60 },
  user: { points: 3_000, duration_s: 60 },
  service: { points: 30_000, duration_s: 60 },
  guest: { points: 1_200, duration_s: 60 },
}

type Tightest = { remaining: number; quota: number; text: string }
const tightest = new WeakMap<Response, Tightest>()

/** Makes the counters. One per policy name, so that a name stands for one rate. */
export function makeLimits(): Limits {
  const counters = new Map<string, RateLimiterMemory>()

  function counterOf(name: string, { points, duration_s }: Rate): RateLimiterMemory {
    const known = counters.get(name)
    if (known !== undefined) return known
    const made = new RateLimiterMemory({ points, duration: duration_s, keyPrefix: name })
    counters.set(name, made)
    return made
  }

  return {
    async take(response, { name, rate }, key, cost = 1) {
      const taken = await counterOf(name, rate)
        .consume(key, cost)
        .catch((result: unknown) => {
          if (result instanceof RateLimiterRes) return result
          throw result
        })
      const reset_s = Math.max(1, Math.ceil(taken.msBeforeNext / 1000))
      if (response !== null) announce(response, name, rate, taken.remainingPoints, reset_s)
      if (taken.consumedPoints > rate.points) refuse('rate_limited', { retry_after_s: reset_s })
    },
  }
}

/** RateLimit-Policy lists what applies; RateLimit tells the one that is nearest to its end. */
function announce(response: Response, name: string, rate: Rate, remaining: number, reset_s: number): void {
  const policy = `"${name}";q=${rate.points};w=${rate.duration_s}`
  const before = response.getHeader('RateLimit-Policy')
  response.setHeader('RateLimit-Policy', before === undefined ? policy : `${before}, ${policy}`)
  const known = tightest.get(response)
  if (known !== undefined && known.remaining / known.quota <= remaining / rate.points) return
  const text = `"${name}";r=${Math.max(0, remaining)};t=${reset_s}`
  tightest.set(response, { remaining, quota: rate.points, text })
  response.setHeader('RateLimit', text)
}

/** What counts as one address: an IPv6 customer has a whole /64, an IPv4 one a single address. */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped) return mapped[1]!
  if (!address.includes(':')) return address
  const [head = '', tail = ''] = address.split('%')[0]!.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === '' ? [] : tail.split(':')
  const groups = [...first, ...Array(Math.max(0, 8 - first.length - last.length)).fill('0'), ...last]
  return `${groups
    .slice(0, 4)
    .map((group) => group.padStart(4, '0'))
    .join(':')}::/64`
}
