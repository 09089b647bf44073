/**
 * Who plays in this tab: a guest without a form. The token lives in sessionStorage, so two tabs are two players and
 * a reload stays the same one.
 */
import { API, ask, type Guest } from './api.ts'

const KEY = 'livedraw.guest'
/** A token that ends within this time is replaced at once, so that it does not end in the middle of a spin. */
const MARGIN_MS = 60_000

/** The guest of this tab, made when there is none. */
export async function guest(tenant: string): Promise<Guest> {
  const kept = keptGuest(tenant)
  if (kept !== undefined) return kept
  const made = await ask<Guest>('POST', `${API}/guest`, { body: { tenant } })
  sessionStorage.setItem(KEY, JSON.stringify({ ...made, tenant }))
  return made
}

/** Drops a token that the server no longer takes. */
export const forgetGuest = (): void => sessionStorage.removeItem(KEY)

/** The guest of this tab, if there is one. */
export function keptGuest(tenant: string): Guest | undefined {
  const text = sessionStorage.getItem(KEY)
  if (text === null) return undefined
  const kept = JSON.parse(text) as Guest & { tenant: string }
  return kept.tenant === tenant && Date.parse(kept.expires_at) - MARGIN_MS > Date.now() ? kept : undefined
}
