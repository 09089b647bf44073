// The public beacon: drand quicknet, pinned. Round arithmetic in integer milliseconds, and the check of a signature.
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { fromHex, isHex, toHex } from './bytes.ts'
import { type Hash, NOBLE_HASH } from './hash.ts'

/** The chain we trust; a commitment that names another is refused. Source: fair-1.md, section 7.2. */
export const QUICKNET = {
  chain: '52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971',
  publicKey:
    '83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a',
  genesis_ms: 1_692_803_367_000,
  period_ms: 3_000,
  // The retired network fastnet signed in G1 under the tag of G2; a signature under that tag is not ours.
  tag: 'BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_',
} as const

/** A beacon value as documents carry it: chain and randomness 64, signature 96 hex digits. */
export type BeaconValue = { chain: string; round: number; signature: string; randomness: string }

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z$/

/**
 * Milliseconds since 1970 of a document's time, `YYYY-MM-DDTHH:MM:SS[.sss]Z`.
 * Refuses (RangeError) every other form and days that do not exist; the engine would silently roll those over.
 */
export function timeMs(text: string): number {
  if (typeof text !== 'string' || !TIME.test(text)) throw new RangeError('not a time in UTC')
  const ms = Date.parse(text)
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== text.slice(0, 19)) {
    throw new RangeError('no such time')
  }
  return ms
}

/** Milliseconds at which a round appears. Refuses (RangeError) a round that is not an integer from 1. */
export function timeOfRound(round: number): number {
  if (!Number.isSafeInteger(round) || round < 1) throw new RangeError('a beacon round is an integer from 1')
  return QUICKNET.genesis_ms + (round - 1) * QUICKNET.period_ms
}

/** The newest round at a time (document text or milliseconds). Refuses (RangeError) times before the first round. */
export function latestRound(at: string | number): number {
  const since_ms = instantMs(at) - QUICKNET.genesis_ms
  if (since_ms < 0) throw new RangeError('before the first beacon round')
  return (since_ms - (since_ms % QUICKNET.period_ms)) / QUICKNET.period_ms + 1
}

/**
 * The round a draw commits to: the first at or after closing time plus margin, both in milliseconds.
 * Refuses (RangeError) a negative or fractional margin and times before the first round.
 * Source: fair-1.md, section 7.3.
 */
export function committedRound(closesAt: string | number, marginMs: number): number {
  if (!Number.isSafeInteger(marginMs) || marginMs < 0) throw new RangeError('a margin is an integer from 0')
  const since_ms = instantMs(closesAt) + marginMs - QUICKNET.genesis_ms
  if (since_ms < 0) throw new RangeError('before the first beacon round')
  const rest_ms = since_ms % QUICKNET.period_ms
  return (since_ms - rest_ms) / QUICKNET.period_ms + (rest_ms === 0 ? 1 : 2)
}

function instantMs(at: string | number): number {
  const ms = typeof at === 'number' ? at : timeMs(at)
  if (!Number.isSafeInteger(ms)) throw new RangeError('not a time in milliseconds')
  return ms
}

/** True if randomness is the SHA-256 of the signature. Needs no curve arithmetic. */
export function randomnessMatches(value: BeaconValue, hash: Hash = NOBLE_HASH): boolean {
  if (!isHex(value.signature, 48) || !isHex(value.randomness, 32)) return false
  return toHex(hash.sha256(fromHex(value.signature))) === value.randomness
}

/**
 * True if the signature (96 hex digits) is the pinned group's over this round. Refused by answering false: another
 * round, another tag, the point at infinity, points outside the subgroup. About 20 ms.
 * Source: fair-1.md, section 7.2; RFC 9380 for the hash to the curve.
 */
export function beaconSignatureValid(
  round: number,
  signature: string,
  hash: Hash = NOBLE_HASH,
  tag: string = QUICKNET.tag,
): boolean {
  if (!Number.isSafeInteger(round) || round < 1 || !isHex(signature, 48)) return false
  const message = new Uint8Array(8)
  new DataView(message.buffer).setBigUint64(0, BigInt(round))
  const schemes = bls12_381.shortSignatures
  try {
    const point = schemes.hash(hash.sha256(message), tag)
    return schemes.verify(fromHex(signature), point, fromHex(QUICKNET.publicKey))
  } catch {
    // The library throws for bytes that are no point of the subgroup.
    return false
  }
}
