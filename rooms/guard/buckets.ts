/** Token buckets per user and kind of message. */
import type { BucketSize } from './limits.ts'
import { settings } from './settings.ts'

type Bucket = { tokens: number; at_ms: number; size: BucketSize }

const MESSAGE_BUCKET: BucketSize = { per_second: 20, burst: 40 }
/** Full buckets are forgotten above this many; a bucket that is not there is full. */
const BUCKET_COUNT_MAX = 20_000
const buckets = new Map<string, Bucket>()

/**
 * Takes one token of a user for a kind of message; false when there is none and the message must be refused with
 * `rate_limited`. Sizes come from `installGuards({ buckets })`, else 20 a second with a burst of 40. Unlike
 * `maxMessagesPerSecond`, which counts a socket, this counts a user over all of his sockets in this process.
 */
export function takeToken(user: string, kind = 'message', now_ms = performance.now()): boolean {
  const size = settings.buckets[kind] ?? MESSAGE_BUCKET
  const key = `${kind}\0${user}`
  const bucket = buckets.get(key)
  if (bucket === undefined) {
    if (buckets.size >= BUCKET_COUNT_MAX) forgetFullBuckets(now_ms)
    buckets.set(key, { tokens: size.burst - 1, at_ms: now_ms, size })
    return size.burst >= 1
  }
  bucket.tokens = tokensAt(bucket, now_ms)
  bucket.at_ms = now_ms
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}

function tokensAt({ tokens, at_ms, size }: Bucket, now_ms: number): number {
  return Math.min(size.burst, tokens + ((now_ms - at_ms) / 1000) * size.per_second)
}

function forgetFullBuckets(now_ms: number): void {
  for (const [key, bucket] of buckets) if (tokensAt(bucket, now_ms) >= bucket.size.burst) buckets.delete(key)
}
