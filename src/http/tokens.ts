/** The server's own bearer tokens: made here, checked in auth.ts. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { type JWK, SignJWT } from 'jose'
import { type Clock, systemClock } from '../clock.ts'
import type { Role } from '../db/tx.ts'
import { newId } from '../ids.ts'

export const OWN_ISSUER = 'livedraw'
export const OWN_AUDIENCE = 'livedraw'
/** protocol.md section 2: a token is at most 24 hours old, and so may not promise more. */
export const TOKEN_TTL_S_MAX = 24 * 3600

/** `tenant` null is a platform token that belongs to no tenant. */
export type TokenClaims = { sub: string; tenant: string | null; roles: readonly Role[]; ttl_s: number }

export type SignedToken = { token: string; expires_at: Date }

export type Tokens = {
  sign(claims: TokenClaims): Promise<SignedToken>
  /** The public half as it stands in `/.well-known/jwks.json`. */
  readonly publicJwk: JWK
  readonly publicKey: KeyObject
}

/**
 * Makes the signer from an Ed25519 private key in JWK form. Tokens live in the machine's time, not in the time of
 * a test clock: whoever travels a month ahead must not lose the token that asked for it.
 * A lifetime beyond 24 hours is a bug of the caller.
 */
export function makeTokens(privateKeyJwk: JWK, clock: Clock = systemClock): Tokens {
  const privateKey = createPrivateKey({ key: privateKeyJwk as never, format: 'jwk' })
  const publicKey = createPublicKey(privateKey)
  const { x } = publicKey.export({ format: 'jwk' })
  const kid = `token-${Buffer.from(x!, 'base64url').subarray(0, 6).toString('hex')}`
  return {
    publicKey,
    publicJwk: { kty: 'OKP', crv: 'Ed25519', x: x!, kid, alg: 'EdDSA', use: 'sig' },
    async sign({ sub, tenant, roles, ttl_s }) {
      if (!Number.isSafeInteger(ttl_s) || ttl_s < 1 || ttl_s > TOKEN_TTL_S_MAX) {
        throw new RangeError(`a token lives 1 to ${TOKEN_TTL_S_MAX} seconds`)
      }
      const iat = Math.floor(clock.now().getTime() / 1000)
      const token = await new SignJWT({ ...(tenant !== null && { tenant }), roles: [...roles] })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid })
        .setIssuer(OWN_ISSUER)
        .setAudience(OWN_AUDIENCE)
        .setSubject(sub)
        .setJti(newId())
        .setIssuedAt(iat)
        .setExpirationTime(iat + ttl_s)
        .sign(privateKey)
      return { token, expires_at: new Date((iat + ttl_s) * 1000) }
    },
  }
}
