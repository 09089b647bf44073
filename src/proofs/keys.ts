/**
 * The two kinds of key that fairness stands on: those that seal seeds at rest (fair-1.md section 13) and the
 * one that signs what is published. Key material never leaves this file.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { jcs } from '../fairness/canonical.ts'
import { type Checkpoint, signCheckpointBy, verifierKey } from '../fairness/merkle.ts'
import { NODE_HASH } from '../node-hash.ts'

/** `kid:base64` of 32 bytes each; the first one seals, all of them open. */
export type SeedKey = { kid: string; key: Buffer }

/** What is signed: proofs of fairness, codes that are scanned, receipts of complaints. None passes for another. */
export type DocumentType = 'fair1-commit' | 'fair1-receipt' | 'claim-code' | 'complaint-receipt'

export type FairKeys = {
  /** Seals a seed so that it opens only for the same game and seed hash. */
  seal(seed: Uint8Array, bound: { gameId: string; seedHash: string }): string
  /** Opens a sealed seed. Throws when the key is unknown or anything was altered. */
  open(sealed: string, bound: { gameId: string; seedHash: string }): Buffer
  /** The key that seals; what another one sealed should be sealed again. */
  readonly seedKid: string
  /** Compact JWS over a document, header exactly as fair-1.md section 5. */
  signDocument(type: DocumentType, document: unknown): string
  /** The document of a compact JWS of this type that the present key signed, or undefined for any other text. */
  openDocument(type: DocumentType, text: string): unknown
  /** A signed note over a log's size and root. */
  signCheckpoint(checkpoint: Checkpoint): string
  /** `name+keyId+key`: what opens the notes of this origin. */
  verifierKey(origin: string): string
  /** `fair-…`: what the JWS header and the public key set call the signing key. */
  readonly kid: string
  /** The 32 bytes of the public half. */
  readonly publicKey: Buffer
}

const IV_BYTES = 12

/** Reads `kid:base64,kid:base64`. Throws a sentence when a part is malformed. */
export function parseSeedKeys(text: string): SeedKey[] {
  const keys = text.split(',').map((part) => {
    const at = part.indexOf(':')
    const kid = part.slice(0, at).trim()
    const key = Buffer.from(part.slice(at + 1).trim(), 'base64')
    if (at < 1 || !/^[A-Za-z0-9_-]{1,32}$/.test(kid))
      throw new Error('each part is kid:base64, kid of A-Z a-z 0-9 _ -')
    if (key.length !== 32) throw new Error(`key ${kid} has ${key.length} bytes and needs 32`)
    return { kid, key }
  })
  if (new Set(keys.map((each) => each.kid)).size !== keys.length) throw new Error('a kid stands twice')
  return keys
}

/** Makes the keys. `signingKey` is an Ed25519 private key. */
export function makeFairKeys(seedKeys: readonly SeedKey[], signingKey: KeyObject): FairKeys {
  // Key objects: with bytes, Node first asks what they are, which takes longer than sealing a seed.
  const byKid = new Map(seedKeys.map(({ kid, key }) => [kid, createSecretKey(key)]))
  const [first] = seedKeys
  if (first === undefined) throw new Error('at least one seed key is needed')
  const publicKeyObject = createPublicKey(signingKey)
  const publicKey = Buffer.from(publicKeyObject.export({ format: 'jwk' }).x!, 'base64url')
  const kid = `fair-${publicKey.subarray(0, 6).toString('hex')}`
  const associated = (used: string, { gameId, seedHash }: { gameId: string; seedHash: string }) =>
    Buffer.from(jcs({ gameId, kid: used, seedHash }))
  const segment = (document: unknown) => Buffer.from(jcs(document)).toString('base64url')

  return {
    kid,
    seedKid: first.kid,
    publicKey,

    seal(seed, bound) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', byKid.get(first.kid)!, iv).setAAD(
        associated(first.kid, bound),
      )
      const sealed = Buffer.concat([cipher.update(seed), cipher.final()])
      return [
        'v1',
        first.kid,
        ...[iv, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url')),
      ].join('.')
    },

    open(sealed, bound) {
      const [version, used, iv, text, tag] = sealed.split('.')
      const key = byKid.get(used ?? '')
      if (version !== 'v1' || key === undefined) throw new Error(`no seed key with kid ${used}`)
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv!, 'base64url')).setAAD(
        associated(used!, bound),
      )
      decipher.setAuthTag(Buffer.from(tag!, 'base64url'))
      return Buffer.concat([decipher.update(Buffer.from(text!, 'base64url')), decipher.final()])
    },

    signDocument(type, document) {
      const text = `${segment({ alg: 'EdDSA', kid, typ: type })}.${segment(document)}`
      return `${text}.${sign(null, Buffer.from(text), signingKey).toString('base64url')}`
    },

    openDocument(type, text) {
      const [header, body, signature, ...rest] = text.split('.')
      if (signature === undefined || rest.length > 0) return undefined
      if (header !== segment({ alg: 'EdDSA', kid, typ: type })) return undefined
      const is_ours = verify(
        null,
        Buffer.from(`${header}.${body}`),
        publicKeyObject,
        Buffer.from(signature, 'base64url'),
      )
      return is_ours ? JSON.parse(Buffer.from(body!, 'base64url').toString()) : undefined
    },

    signCheckpoint: (checkpoint) =>
      signCheckpointBy({ publicKey, sign: (data) => sign(null, data, signingKey) }, checkpoint, NODE_HASH),
    verifierKey: (origin) => verifierKey(origin, publicKey, NODE_HASH),
  }
}

/** Reads an Ed25519 private key in JWK form. Throws a sentence when it is something else. */
export function parseSigningKey(text: string): KeyObject {
  const jwk = JSON.parse(text) as { kty?: string; crv?: string }
  if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519')
    throw new Error('the key must be an Ed25519 JWK (kty OKP, crv Ed25519)')
  return createPrivateKey({ key: jwk as never, format: 'jwk' })
}
