/** What the browser checks for itself. Loaded only when needed: the signature code is as large as a page. */
import { fromBase64url, fromHex, toHex } from '../../../src/fairness/bytes.ts'
import { checkCommitJws, commitHash, type KeyRing, seedHash } from '../../../src/fairness/commit.ts'
import { verifierKey } from '../../../src/fairness/merkle.ts'
import type { Commitment } from './api.ts'

/** Fairness keys of a key set: Ed25519 public keys in hex by kid. Other keys of the set are of no use here. */
export function keyRingOf(jwks: { keys: Record<string, string>[] }): KeyRing {
  const fair = jwks.keys.filter(
    ({ kid, kty, crv, x }) => kid?.startsWith('fair-') && kty === 'OKP' && crv === 'Ed25519' && x,
  )
  return Object.fromEntries(fair.map(({ kid, x }) => [kid!, toHex(fromBase64url(x!))]))
}

/** The server's fairness keys. Rejects when they cannot be had. */
export async function fetchKeys(): Promise<KeyRing> {
  const answer = await fetch('/.well-known/jwks.json')
  if (!answer.ok) throw new Error(`keys: ${answer.status}`)
  return keyRingOf(await answer.json())
}

/** The keys as verifier keys of one log, whose name every checkpoint of it states. */
export const logKeysOf = (keys: KeyRing, origin: string): string[] =>
  Object.values(keys).map((key) => verifierKey(origin, fromHex(key)))

/** True if document, hash and signature of a commitment agree. */
export function isCommitmentSound({ doc, commit_hash, jws }: Commitment, keys: KeyRing): boolean {
  try {
    return commitHash(doc) === commit_hash && checkCommitJws(jws, doc, keys)
  } catch {
    return false
  }
}

/** True if a revealed seed is the one whose hash a commitment holds. */
export function isSeedOf(server_seed: string, doc: unknown): boolean {
  try {
    return seedHash(fromHex(server_seed)) === (doc as { seedHash?: string }).seedHash
  } catch {
    return false
  }
}
