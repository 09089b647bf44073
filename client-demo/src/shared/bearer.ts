/** What a bearer token says of its owner. Only for what a page shows: the server decides what it may do. */

export type Bearer = {
  token: string
  user_id: string
  roles: string[]
  tenant: string
  expires_at_ms: number
}

/** Reads a token; undefined for a text that is none. */
export function readBearer(token: string): Bearer | undefined {
  try {
    const part = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))
    const { sub, roles, tenant, exp } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    if (typeof sub !== 'string' || !Array.isArray(roles)) return undefined
    return {
      token,
      user_id: sub,
      roles: roles.map(String),
      tenant: String(tenant ?? ''),
      expires_at_ms: Number(exp) * 1000,
    }
  } catch {
    return undefined
  }
}
