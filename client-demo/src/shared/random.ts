/** Randomness made in this browser. `crypto.randomUUID` is missing on plain http, `getRandomValues` is there. */

/** Random bytes as lowercase hex. */
export function randomHex(byte_count: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(byte_count))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** A random uuid (RFC 9562, version 4). */
export function makeUuid(): string {
  const hex = randomHex(16)
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4]!
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** A fresh name for one request. */
export const makeId = (): string => randomHex(16)
