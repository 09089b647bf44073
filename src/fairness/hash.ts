// The two primitives everything here stands on, passed in so that one module serves server and browser.
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'

/** HMAC-SHA256 with a key that was prepared once; a long run of spins shares one key. */
export type Mac = (data: Uint8Array) => Uint8Array

/**
 * SHA-256 and HMAC-SHA256. `prepare` is optional: it gives the same bytes as `hmacSha256` and saves the
 * two key blocks per call. Source: fair-1.md, section 16.
 */
export type Hash = {
  sha256(data: Uint8Array): Uint8Array
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array
  prepare?(key: Uint8Array): Mac
}

/** The default for browser, command line and offline page: pure JavaScript, needs no secure context. */
export const NOBLE_HASH: Hash = {
  sha256: (data) => sha256(data),
  hmacSha256: (key, data) => hmac(sha256, key, data),
  prepare: (key) => {
    const keyed = hmac.create(sha256, key)
    return (data) => keyed.clone().update(data).digest()
  },
}

/** A generator key: 32 raw bytes, or a MAC already prepared from them. */
export type Key = Uint8Array | Mac

/** The MAC of a key, prepared if the hash can. Refuses (RangeError) a raw key that is not 32 bytes. */
export function macOf(key: Key, hash: Hash = NOBLE_HASH): Mac {
  if (typeof key === 'function') return key
  if (key.length !== 32) throw new RangeError('a generator key is 32 bytes')
  return hash.prepare ? hash.prepare(key) : (data) => hash.hmacSha256(key, data)
}
