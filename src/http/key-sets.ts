/** Public keys of tenants' identity providers: fetched late, seldom, and kept when the provider is down (F27). */
import { createRemoteJWKSet, customFetch, type RemoteJWKSet } from 'jose'

export type KeySetLimits = {
  timeout_ms: number
  /** After a fetch, an unknown key id waits this long before it causes the next one. */
  cooldown_ms: number
  /** Keys older than this are fetched again. */
  age_ms_max: number
  /** While the provider does not answer, the last answer serves this long. */
  stale_ms_max: number
  bytes_max: number
}

export const KEY_SET_LIMITS: KeySetLimits = {
  timeout_ms: 3_000,
  cooldown_ms: 10_000,
  age_ms_max: 5 * 60_000,
  stale_ms_max: 60 * 60_000,
  bytes_max: 256 * 1024,
}

/** A provider answers with its keys, so nobody needs more addresses than there are tenants with one. */
const SET_COUNT_MAX = 10_000

export type KeySets = (jwks_url: string) => RemoteJWKSet

/** Makes the look-up. The same address gives the same set, which keeps its keys. */
export function makeKeySets(limits: KeySetLimits = KEY_SET_LIMITS): KeySets {
  const sets = new Map<string, RemoteJWKSet>()
  return (jwks_url) => {
    const known = sets.get(jwks_url)
    if (known !== undefined) return known
    if (sets.size >= SET_COUNT_MAX) sets.clear()
    const made = createRemoteJWKSet(new URL(jwks_url), {
      timeoutDuration: limits.timeout_ms,
      cooldownDuration: limits.cooldown_ms,
      cacheMaxAge: limits.age_ms_max,
      [customFetch]: makeCarefulFetch(limits),
    })
    sets.set(jwks_url, made)
    return made
  }
}

/**
 * A fetch that is tried once per cooldown, whatever comes in: jose limits only what follows a success. Failing
 * that, it answers with the last good body, which jose then keeps as if it were new.
 */
function makeCarefulFetch(limits: KeySetLimits) {
  let good: { text: string; at_ms: number } | undefined
  let tried_at_ms = Number.NEGATIVE_INFINITY

  async function ask(url: string, options: RequestInit): Promise<string> {
    const response = await fetch(url, options)
    if (response.status !== 200) throw new Error(`the key set answered ${response.status}`)
    const text = await textUpTo(response, limits.bytes_max)
    if (!Array.isArray((JSON.parse(text) as { keys?: unknown }).keys))
      throw new Error('the key set has no keys')
    return text
  }

  return async (url: string, options: RequestInit): Promise<Response> => {
    const now_ms = performance.now()
    try {
      if (now_ms - tried_at_ms < limits.cooldown_ms) throw new Error('the key set was asked a moment ago')
      tried_at_ms = now_ms
      good = { text: await ask(url, options), at_ms: now_ms }
    } catch (error) {
      if (good === undefined || now_ms - good.at_ms > limits.stale_ms_max) throw error
    }
    return new Response(good.text)
  }
}

async function textUpTo(response: Response, bytes_max: number): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > bytes_max) throw new Error('the key set is too large')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
