/** Standard Webhooks signatures (standardwebhooks.com, scheme v1): made for what we send, and what a receiver checks. */
import { createHmac } from 'node:crypto'

/** A secret as people see it: `whsec_` and base64 of its bytes. */
export const secretText = (bytes: Uint8Array): string => `whsec_${Buffer.from(bytes).toString('base64')}`

/** `v1,<base64>` of HMAC-SHA256 over `id.timestamp.body`; `timestamp_s` is seconds since 1970. */
export function signatureOf(key: Uint8Array, id: string, timestamp_s: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp_s}.${body}`).digest('base64')}`
}

/** The headers of a message, signed with every key that is in force: with two while a secret is being replaced. */
export function signedHeaders(
  keys: readonly Uint8Array[],
  id: string,
  at: Date,
  body: string,
): Record<string, string> {
  const timestamp_s = Math.floor(at.getTime() / 1_000)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp_s),
    'webhook-signature': keys.map((key) => signatureOf(key, id, timestamp_s, body)).join(' '),
  }
}
