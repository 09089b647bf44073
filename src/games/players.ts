/** How players are shown to each other. */
import type { Tx } from '../db/tx.ts'
import type { FairKeys } from '../proofs/keys.ts'
import { fingerprinter } from '../proofs/tenant-secrets.ts'

export type PlayerNames = (userId: string) => string

const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz'
const SYMBOLS = 6

/** A secret is made once and never changes, so a process keeps the function of each tenant. */
const kept = new WeakMap<FairKeys, Map<string, PlayerNames>>()

/**
 * The pseudonyms of the tenant: stable, and a keyed fingerprint, because user ids are often numbers or names and whoever
 * could compute their hash would know who is who. Two of a hundred thousand players may share a name; nothing is decided
 * by it.
 */
export async function playerNames(tx: Tx): Promise<PlayerNames> {
  const names = kept.get(tx.keys) ?? new Map<string, PlayerNames>()
  kept.set(tx.keys, names)
  const known = names.get(tx.actor.tenantId)
  if (known !== undefined) return known
  const fingerprint = await fingerprinter(tx, 'pseudonyms')
  const made = remembering((userId) => nameOf(fingerprint(userId)))
  // Not before: a secret whose transaction is rolled back was never made.
  tx.afterCommit(() => names.set(tx.actor.tenantId, made))
  return made
}

/** How the public calls who hands the reward of a game over: a person by pseudonym, a company by its id. */
export async function creatorName(
  tx: Tx,
  { creator_id, company_id }: { creator_id: string; company_id: string | null },
): Promise<string> {
  return company_id ?? (await playerNames(tx))(creator_id)
}

const NAMES_KEPT = 20_000

/** A spin shows its player each time, and an HMAC costs as much as the outcome. */
function remembering(make: PlayerNames): PlayerNames {
  const names = new Map<string, string>()
  return (userId) => {
    const known = names.get(userId)
    if (known !== undefined) return known
    if (names.size >= NAMES_KEPT) names.clear()
    const name = make(userId)
    names.set(userId, name)
    return name
  }
}

/** A digest of at least 24 hex digits as a name. */
export function nameOf(digest: string): string {
  let name = ''
  for (let i = 0; i < SYMBOLS; i++)
    name += ALPHABET[Number.parseInt(digest.slice(i * 4, i * 4 + 4), 16) % ALPHABET.length]
  return `player-${name}`
}
