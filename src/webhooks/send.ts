/** Sends one message: bounded in time and in what is read of the answer, follows nothing, reaches nothing internal. */
import type { lookup } from 'node:dns'
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { isIP } from 'node:net'
import { guardedLookup, InternalAddressError, whyNotUrl } from './address.ts'
import type { Answered } from './rules.ts'

export type Sent = Answered & { duration_ms: number; response_excerpt: string }

export type Sender = (
  url: string,
  headers: Record<string, string>,
  body: string,
  signal?: AbortSignal,
) => Promise<Sent>

export type SenderOptions = {
  allows_loopback: boolean
  timeout_ms?: number
  /** The name service; the system's but for tests. */
  resolve?: typeof lookup
}

/** Standard Webhooks asks for 15 to 30 s. */
const TIMEOUT_MS = 20_000
const EXCERPT_BYTES_MAX = 1_000

/** Makes the sender. It answers what happened and never throws. */
export function makeSender({ allows_loopback, timeout_ms = TIMEOUT_MS, resolve }: SenderOptions): Sender {
  const lookup = guardedLookup({ allows_loopback }, resolve)

  return async (text, headers, body, signal) => {
    const began_ms = performance.now()
    const done = (answer: Omit<Sent, 'duration_ms'>): Sent => ({
      ...answer,
      duration_ms: Math.round(performance.now() - began_ms),
    })
    try {
      // Asked again at each attempt: an address in the URL is connected to without asking `lookup`.
      if (whyNotUrl(text, { allows_loopback }) !== undefined) throw new InternalAddressError()
      const limit = AbortSignal.timeout(timeout_ms)
      const both = signal === undefined ? limit : AbortSignal.any([limit, signal])
      return done(await exchange(new URL(text), headers, body, both))
    } catch (error) {
      return done({ status_code: null, failure: failureOf(error), response_excerpt: '' })
    }
  }

  function exchange(
    url: URL,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ): Promise<Omit<Sent, 'duration_ms'>> {
    const request = url.protocol === 'https:' ? tlsRequest : plainRequest
    return new Promise((resolved, reject) => {
      const length = Buffer.byteLength(body)
      const asked = request(
        url,
        {
          method: 'POST',
          headers: { ...headers, 'content-length': length, connection: 'close' },
          // A connection of its own: one that is kept would be used again without asking for its address.
          agent: false,
          signal,
          ...(isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0 && { lookup }),
        },
        (response) => {
          const chunks: Buffer[] = []
          let size = 0
          const end = () => {
            response.destroy()
            resolved({
              status_code: response.statusCode ?? null,
              failure: null,
              response_excerpt: excerptOf(Buffer.concat(chunks)),
            })
          }
          response.on('data', (chunk: Buffer) => {
            chunks.push(chunk)
            size += chunk.length
            // The rest of a long answer is nobody's concern.
            if (size >= EXCERPT_BYTES_MAX) end()
          })
          response.on('end', end)
          response.on('error', reject)
        },
      )
      asked.on('error', reject)
      asked.end(body)
    })
  }
}

/** The beginning of an answer as text that PostgreSQL, a terminal and a page can hold. */
function excerptOf(bytes: Buffer): string {
  return bytes
    .subarray(0, EXCERPT_BYTES_MAX)
    .toString('utf8')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, ' ')
    .slice(0, EXCERPT_BYTES_MAX)
}

/** A word for the log. */
function failureOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  if (name === 'TimeoutError' || (error as { cause?: { name?: string } }).cause?.name === 'TimeoutError')
    return 'timeout'
  if (name === 'AbortError') return 'stopped'
  return (typeof code === 'string' ? code : 'failed').toLowerCase().slice(0, 64)
}
