/**
 * What a bearer token says of its owner, and the token of the desks, which stays in its tab and ends with it. Only for
 * what a page shows: the server decides what it may do.
 */

export type Bearer = {
  token: string
  user_id: string
  roles: string[]
  tenant: string
  expires_at_ms: number
}

/** Reads a token as it was pasted; undefined for a text that is none. */
export function readBearer(pasted: string): Bearer | undefined {
  const token = pasted.trim().replace(/^Bearer\s+/i, '')
  try {
    const part = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))
    const { sub, roles, tenant, exp } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    if (typeof sub !== 'string' || typeof exp !== 'number' || !Array.isArray(roles)) return undefined
    return {
      token,
      user_id: sub,
      roles: roles.map(String),
      tenant: String(tenant ?? ''),
      expires_at_ms: exp * 1000,
    }
  } catch {
    return undefined
  }
}

const KEY = 'livedraw.desk'

/** Who sits at the desks of this tab, if the token still holds. */
export function keptBearer(): Bearer | undefined {
  const bearer = readBearer(sessionStorage.getItem(KEY) ?? '')
  return bearer !== undefined && bearer.expires_at_ms > Date.now() ? bearer : undefined
}

export const keepBearer = ({ token }: Pick<Bearer, 'token'>): void => sessionStorage.setItem(KEY, token)
export const forgetBearer = (): void => sessionStorage.removeItem(KEY)
