/**
 * Who is asking. One check of bearer tokens for HTTP and for rooms; what leaves it is an object of ours, never
 * the claims (M18). Everything that is wrong with a token has the same answer.
 */
import { hash as digest } from 'node:crypto'
import { decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import type { App } from '../app.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Role } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { systemActor } from '../system.ts'
import { type Directory, FRESH_MS_MAX, type TenantRow } from '../tenants/directory.ts'
import { loadBlocked } from '../tenants/store.ts'
import { type KeySetLimits, makeKeySets } from './key-sets.ts'
import { parseStrictJson } from './strict-json.ts'
import { OWN_AUDIENCE, OWN_ISSUER, TOKEN_TTL_S_MAX, type Tokens } from './tokens.ts'

export type Identity = {
  tenantId: string
  /** Empty for a platform token that belongs to no tenant. */
  tenantCode: string
  /** Empty for a spectator without a token. */
  userId: string
  roles: readonly Role[]
  /** Seconds since 1970; a session ends with its token. */
  expiresAt: number
  tokenId?: string
}

export type Auth = {
  /** Checks a bearer token. Refuses unauthorized, then tenant_inactive, then user_blocked. */
  verify(token: string): Promise<Identity>
  /** False as soon as the token has expired, the tenant is off or the user is blocked; for long sessions. */
  stillAllowed(identity: Identity): Promise<boolean>
  /** Somebody without a token who watches one tenant's public games. Refuses game_not_found. */
  spectator(tenantCode: string): Promise<Identity>
  /** Reads the blocked users of a tenant again: for the process that has just changed them. */
  forget(tenantId: string): void
}

export type AuthOptions = {
  app: App
  directory: Directory
  tokens: Tokens
  /** The time that tokens live in: the machine's, also under a test clock (see makeTokens). */
  clock?: Clock
  keySetLimits?: KeySetLimits
  /** How old the list of blocked users may be. */
  fresh_ms_max?: number
}

/** A transaction under this id sees no tenant's rows: where platform tokens without a tenant act. */
export const NO_TENANT_ID = '00000000-0000-0000-0000-000000000000'

export const ROLES: readonly Role[] = [
  'player',
  'spectator',
  'creator',
  'operator',
  'service',
  'auditor',
  'platform',
]

const ALGORITHMS = ['EdDSA', 'ES256', 'RS256']
/** Ours are below 600 bytes; identity providers with many claims stay below this. */
const TOKEN_LENGTH_MAX = 8_192
const CLOCK_TOLERANCE_S = 5
/** About 10 MB; past it the oldest token is verified anew when it comes again. */
const CACHE_COUNT_MAX = 20_000
/** A provider may retire a key: its tokens are verified again this often. Ours live until they expire. */
const PROVIDER_CACHE_S_MAX = 60
/** No control characters and no invisible edges: a user id is shown, compared and logged. */
const USER_ID = /^[^\p{Cc}\s](?:[^\p{Cc}]{0,126}[^\p{Cc}\s])?$/u
/** Headers that name a key. Keys come from the issuer, so a token that brings its own is refused. */
const KEY_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64']

/** A checked token: everything but whether its tenant and user are allowed now. */
type Checked = {
  /** Null: no tenant. */
  tenant: { code: string } | { issuer: string; settings: string } | null
  userId: string
  roles: readonly Role[]
  expiresAt: number
  tokenId?: string
  cached_until_s: number
}

type BlockedUsers = Map<string, Date | null>

/** Makes the door's guard. */
export function makeAuth(options: AuthOptions): Auth {
  const { app, directory, tokens, clock = systemClock, keySetLimits, fresh_ms_max = FRESH_MS_MAX } = options
  const keySets = makeKeySets(keySetLimits)
  const verified = new Map<string, Checked>()
  const blocked = new Map<string, { at_ms: number; users: Promise<BlockedUsers> }>()
  const now_s = () => clock.now().getTime() / 1000

  async function check(token: string): Promise<Checked> {
    if (typeof token !== 'string' || token.length > TOKEN_LENGTH_MAX) refuse('unauthorized')
    const key = digest('sha256', token, 'base64')
    const known = verified.get(key)
    if (known !== undefined && known.cached_until_s > now_s()) return known
    verified.delete(key)
    const checked = await checkSignature(token)
    if (verified.size >= CACHE_COUNT_MAX) verified.delete(verified.keys().next().value!)
    verified.set(key, checked)
    return checked
  }

  async function checkSignature(token: string): Promise<Checked> {
    const issuer = issuerOf(token)
    if (issuer === OWN_ISSUER) return checkOwn(token)
    const tenant = await directory.byIssuer(issuer)
    // Outside the try of orUnauthorized: that the database is away is not the token's fault.
    if (tenant?.idp_jwks_url == null || tenant.idp_audience == null) refuse('unauthorized')
    return checkProvider(token, issuer, tenant)
  }

  function checkOwn(token: string): Promise<Checked> {
    return orUnauthorized(async () => {
      const { payload } = await jwtVerify(token, tokens.publicKey, {
        ...pinned(OWN_ISSUER, OWN_AUDIENCE, clock.now()),
        algorithms: ['EdDSA'],
        typ: 'JWT',
        clockTolerance: 0,
      })
      const claims = claimsOf(payload, OWN_AUDIENCE)
      const tenant = tenantClaim(payload, claims.roles)
      return { ...claims, tenant, cached_until_s: claims.expiresAt }
    })
  }

  function checkProvider(token: string, issuer: string, row: TenantRow): Promise<Checked> {
    return orUnauthorized(async () => {
      const keySet = keySets(row.idp_jwks_url!)
      const { payload, protectedHeader } = await jwtVerify(token, keySet, {
        ...pinned(issuer, row.idp_audience!, clock.now()),
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_S,
      })
      // RFC 7519 leaves typ to the issuer and RFC 9068 names at+jwt; a token of any other type is not an access token.
      if (
        protectedHeader.typ !== undefined &&
        !/^(?:application\/)?(?:at\+)?jwt$/i.test(protectedHeader.typ)
      ) {
        throw new Error('typ')
      }
      const claims = claimsOf(payload, row.idp_audience!)
      return {
        ...claims,
        // A tenant's provider speaks for its tenant only.
        roles: claims.roles.filter((role) => role !== 'platform'),
        tenant: { issuer, settings: providerSettings(row) },
        cached_until_s: Math.min(claims.expiresAt, now_s() + PROVIDER_CACHE_S_MAX),
      }
    })
  }

  async function tenantOf({ tenant }: Checked): Promise<TenantRow | undefined> {
    if (tenant === null) return undefined
    const row =
      'code' in tenant ? await directory.byCode(tenant.code) : await directory.byIssuer(tenant.issuer)
    // A provider that was exchanged takes its tokens with it.
    if (row === undefined || ('settings' in tenant && providerSettings(row) !== tenant.settings))
      refuse('unauthorized')
    return row
  }

  async function isBlocked(tenantId: string, userId: string): Promise<boolean> {
    const until = (await blockedOf(tenantId)).get(userId)
    return until === null || (until !== undefined && until > app.clock.now())
  }

  function blockedOf(tenantId: string): Promise<BlockedUsers> {
    const known = blocked.get(tenantId)
    if (known !== undefined && performance.now() - known.at_ms < fresh_ms_max) return known.users
    const users = app
      .run(systemActor(tenantId), loadBlocked, undefined)
      .then((rows) => new Map(rows.map((row) => [row.user_id, row.blocked_until])))
    const made = { at_ms: performance.now(), users }
    blocked.set(tenantId, made)
    users.catch(() => {
      if (blocked.get(tenantId) === made) blocked.delete(tenantId)
    })
    return users
  }

  return {
    async verify(token) {
      const checked = await check(token)
      const { userId, roles, expiresAt, tokenId } = checked
      const row = await tenantOf(checked)
      if (row !== undefined && !row.is_active) refuse('tenant_inactive')
      if (row !== undefined && (await isBlocked(row.id, userId))) refuse('user_blocked')
      return {
        tenantId: row?.id ?? NO_TENANT_ID,
        tenantCode: row?.tenant_code ?? '',
        userId,
        roles,
        expiresAt,
        ...(tokenId !== undefined && { tokenId }),
      }
    },

    async stillAllowed(identity) {
      if (identity.expiresAt <= now_s()) return false
      if (identity.tenantId === NO_TENANT_ID) return true
      const row = await directory.byId(identity.tenantId)
      if (row === undefined || !row.is_active) return false
      return identity.userId === '' || !(await isBlocked(row.id, identity.userId))
    },

    async spectator(tenantCode) {
      const row = await directory.byCode(tenantCode)
      // A tenant that is off, or is not there, looks to a stranger like a game that is not there.
      if (row === undefined || !row.is_active) refuse('game_not_found')
      return {
        tenantId: row.id,
        tenantCode: row.tenant_code,
        userId: '',
        roles: ['spectator'],
        expiresAt: Number.MAX_SAFE_INTEGER,
      }
    },

    forget(tenantId) {
      blocked.delete(tenantId)
    },
  }
}

/** jose throws its own errors, TypeErrors and network errors; to a caller all of them are one (M11). */
async function orUnauthorized<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch {
    return refuse('unauthorized')
  }
}

function pinned(issuer: string, audience: string, currentDate: Date) {
  return {
    issuer,
    audience,
    currentDate,
    maxTokenAge: TOKEN_TTL_S_MAX,
    requiredClaims: ['sub', 'iat', 'exp', 'aud'],
  }
}

/** The issuer that a token claims, before anything is believed. Refuses what is no plain token at all. */
function issuerOf(token: string): string {
  try {
    const [head, body] = token.split('.')
    const header = strictSegment(head)
    const payload = strictSegment(body)
    decodeProtectedHeader(token)
    if (KEY_HEADERS.some((name) => name in header)) throw new Error('key in the header')
    if (typeof payload['iss'] !== 'string' || payload['iss'].length > 300) throw new Error('iss')
    return payload['iss']
  } catch {
    return refuse('unauthorized')
  }
}

/** jose takes the last of two members of one name (abuse 93), so the text is read by our own parser first. */
function strictSegment(segment: string | undefined): Record<string, unknown> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(segment ?? '', 'base64url'))
  const value = parseStrictJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('no object')
  return value as Record<string, unknown>
}

function claimsOf(payload: JWTPayload, audience: string) {
  const { sub, exp, iat, aud, jti } = payload
  const roles = payload['roles']
  if (typeof sub !== 'string' || !USER_ID.test(sub)) throw new Error('sub')
  if (!isInstant(exp) || !isInstant(iat) || exp <= iat || exp - iat > TOKEN_TTL_S_MAX) throw new Error('exp')
  // jose is content when one of several audiences is ours; a token for two services is one that the other can replay.
  if (aud !== audience && !(Array.isArray(aud) && aud.length === 1 && aud[0] === audience))
    throw new Error('aud')
  if (roles !== undefined && !Array.isArray(roles)) throw new Error('roles')
  return {
    userId: sub,
    expiresAt: exp,
    roles: ROLES.filter((role) => roles?.includes(role)),
    ...(typeof jti === 'string' && jti.length <= 128 && { tokenId: jti }),
  }
}

function isInstant(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** Only a platform token may come without a tenant, and then it has no other role. */
function tenantClaim(payload: JWTPayload, roles: readonly Role[]): { code: string } | null {
  const code = payload['tenant']
  if (typeof code === 'string') return { code }
  if (code === undefined && roles.length === 1 && roles[0] === 'platform') return null
  throw new Error('tenant')
}

function providerSettings(row: TenantRow): string {
  return [row.idp_jwks_url, row.idp_audience].join('\n')
}
