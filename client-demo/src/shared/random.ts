/** Randomness made in this browser. `crypto.randomUUID` is missing on plain http, `getRandomValues` is there. */

/** Random bytes as lowercase hex. */
export function randomHex(byte_count: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(byte_count))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** A fresh name for one request. */
export const makeId = (): string => randomHex(16)
