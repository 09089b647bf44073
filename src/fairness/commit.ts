// Commitments: the hashes that bind config, seed and entrants, the signature over them, and the honest label.
import { ed25519 } from '@noble/curves/ed25519.js'
import { concat, fromBase64url, fromHex, isHex, toBase64url, toHex, utf8 } from './bytes.ts'
import { jcs } from './canonical.ts'
import { type Hash, NOBLE_HASH } from './hash.ts'

export { type BeaconValue, committedRound, latestRound, timeMs, timeOfRound } from './beacon.ts'

export type Mode = 'pair' | 'commit' | 'hybrid' | 'beacon'
export type Kind = 'wheel' | 'mystery' | 'round' | 'draw' | 'jackpot' | 'guess' | 'tie'
export type TrustLabel = 'beacon' | 'hybrid' | 'commit' | 'operator'

/** What a commitment says of its beacon. `source: 'recorded'` marks rounds that were public beforehand. */
export type CommitBeacon = { chain: string; round: number; marginMs?: number; source?: 'recorded' }

/** The commitment document of fair-1.md, section 5. Members that do not apply are left out, not null. */
export type CommitDoc = {
  v: 1
  kind: Kind
  tenantId?: string
  gameId?: string
  seq?: number
  mode: Mode
  configHash: string
  seedHash?: string
  beacon?: CommitBeacon
  opensAt?: string
  closesAt?: string
  holder?: string
  series?: { firstRoundNo: number; rounds: number; beaconStep?: number }
  seedChain?: boolean
  fallback?: {
    onOutage?: 'wait' | 'void'
    deadlineS?: number
    postponeBy?: number
    maxPostpones?: number
    extend?: boolean
  }
}

/** hex(SHA256(S)) over the 32 raw bytes of a server seed. Refuses (RangeError) another length. */
export function seedHash(seed: Uint8Array, hash: Hash = NOBLE_HASH): string {
  if (seed.length !== 32) throw new RangeError('a server seed is 32 bytes')
  return toHex(hash.sha256(seed))
}

/** hex(SHA256(JCS(config))). Refuses what `jcs` refuses. */
export function configHash(config: unknown, hash: Hash = NOBLE_HASH): string {
  return toHex(hash.sha256(utf8(jcs(config))))
}

/** hex(SHA256("fair/1/commit\n" || JCS(doc))). Hashes any document; its creator checks the required members. */
export function commitHash(doc: unknown, hash: Hash = NOBLE_HASH): string {
  return toHex(hash.sha256(concat(utf8('fair/1/commit\n'), utf8(jcs(doc)))))
}

/**
 * The pseudonym of one entrant in one draw, 64 hex digits. drawId is the commitment's gameId; salt is 32 hex digits,
 * hashed as text. Refuses (RangeError) a line feed or lone surrogate in any field and another form of salt.
 * Source: fair-1.md, section 10.
 */
export function entrantHash(drawId: string, userId: string, salt: string, hash: Hash = NOBLE_HASH): string {
  for (const field of [drawId, userId]) {
    if (typeof field !== 'string' || field.includes('\n') || !field.isWellFormed()) {
      throw new RangeError('not an entrant field')
    }
  }
  if (!isHex(salt, 16)) throw new RangeError('an entrant salt is 32 hex digits')
  return toHex(hash.sha256(utf8(`fair/1/entrant\n${drawId}\n${userId}\n${salt}`)))
}

/**
 * The only label a result may carry, from its commitment, its config and, for pairs, the player's values.
 * Source: fair-1.md, section 8.
 */
export function trustLabel(
  doc: Pick<CommitDoc, 'kind' | 'mode'> & { beacon?: { source?: string } | null },
  config: { hints?: unknown },
  client?: { seed: string; entropy: string },
): TrustLabel {
  switch (doc.mode) {
    case 'pair':
      return !client || (client.seed === '-' && client.entropy === '-') ? 'operator' : 'commit'
    case 'commit':
      return doc.kind === 'guess' && config.hints === true ? 'commit' : 'operator'
    case 'hybrid':
    case 'beacon':
      return doc.beacon?.source === 'recorded' ? 'operator' : doc.mode
    default:
      throw new RangeError('unknown mode')
  }
}

/** The sentence that people read beside a label. Source: fair-1.md, section 8. */
export const TRUST_SENTENCES: Record<TrustLabel, string> = {
  beacon: 'Nobody could know or steer this result; it comes from a public beacon after entries closed.',
  hybrid: 'The operator could not steer this result, but could have withheld it.',
  commit: 'Fixed before play by the operator, who could know it but not change it.',
  operator: 'Tamper-evident only: after the fact you can see that nothing was altered.',
}

/** A signing key: 32-byte Ed25519 private seed and its published name, which begins with `fair-` in production. */
export type SigningKey = { kid: string; privateKey: Uint8Array }
export type JwsType = 'fair1-commit' | 'fair1-receipt'

/** Signs a commitment document: compact JWS, Ed25519. Source: fair-1.md, section 5. */
export function signCommit(doc: unknown, key: SigningKey): string {
  return signJws(doc, 'fair1-commit', key)
}

/** Signs a receipt (of an entry or a spin). Source: fair-1.md, section 10. */
export function signReceipt(receipt: unknown, key: SigningKey): string {
  return signJws(receipt, 'fair1-receipt', key)
}

/** Signs any document under one of our types: header and payload are canonical JSON, so the bytes are fixed. */
export function signJws(document: unknown, typ: JwsType, key: SigningKey): string {
  const input = signingInput(document, typ, key.kid)
  return `${input}.${toBase64url(ed25519.sign(utf8(input), key.privateKey))}`
}

function signingInput(document: unknown, typ: JwsType, kid: string): string {
  const header = jcs({ alg: 'EdDSA', kid, typ })
  return `${toBase64url(utf8(header))}.${toBase64url(utf8(jcs(document)))}`
}

/** Public keys by kid, 64 hex digits each. */
export type KeyRing = Readonly<Record<string, string>>

/**
 * True if a commitment's JWS is exactly ours: three header members, a known kid, the payload bytes of this document,
 * and a signature valid under strict RFC 8032. Never throws.
 */
export function checkCommitJws(jws: unknown, doc: unknown, keys: KeyRing): boolean {
  return checkJws(jws, doc, 'fair1-commit', keys)
}

/** As `checkCommitJws`, for a receipt. */
export function checkReceiptJws(jws: unknown, receipt: unknown, keys: KeyRing): boolean {
  return checkJws(jws, receipt, 'fair1-receipt', keys)
}

function checkJws(jws: unknown, document: unknown, typ: JwsType, keys: KeyRing): boolean {
  try {
    if (typeof jws !== 'string') return false
    const at = jws.lastIndexOf('.')
    const header = JSON.parse(new TextDecoder().decode(fromBase64url(jws.slice(0, jws.indexOf('.')))))
    const kid: unknown = header?.kid
    if (typeof kid !== 'string' || !Object.hasOwn(keys, kid)) return false
    // Building the one text we would sign and comparing leaves no room for a second spelling.
    const input = signingInput(document, typ, kid)
    if (jws.slice(0, at) !== input) return false
    // zip215 true, the library's default, accepts encodings that RFC 8032 forbids.
    return ed25519.verify(fromBase64url(jws.slice(at + 1)), utf8(input), fromHex(keys[kid]!), {
      zip215: false,
    })
  } catch {
    return false
  }
}

/** The Ed25519 public key (32 bytes) of a private seed. */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(privateKey)
}
