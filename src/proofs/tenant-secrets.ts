/** A tenant's own secrets: 32 bytes by name, made when they are needed first, sealed at rest like seeds. */
import { createHmac } from 'node:crypto'
import type { Tx } from '../db/tx.ts'
import { insertTenantSecret, loadTenantSecret } from './store.ts'

export type SecretName = 'partner_codes' | 'pseudonyms' | 'traces'

/** What a sealed secret is bound to: it does not open under another name. */
export const secretBound = (name: string) => ({ gameId: `secret:${name}`, seedHash: '-' })

/**
 * Makes the function that turns texts into fingerprints of 64 hex digits: the same for the same text of this tenant, and
 * not to be found out by trying texts without the secret.
 */
export async function fingerprinter(tx: Tx, name: SecretName): Promise<(text: string) => string> {
  const secret = await secretOf(tx, name)
  return (text) => createHmac('sha256', secret).update(text).digest('hex')
}

async function secretOf(tx: Tx, name: SecretName): Promise<Buffer> {
  const known = await loadTenantSecret(tx, name)
  if (known !== undefined) return tx.keys.open(known.sealed_secret, secretBound(name))
  // Whoever was first has made it; the other reads it.
  await insertTenantSecret(tx, name, tx.keys.seal(tx.entropy(32), secretBound(name)))
  return tx.keys.open((await loadTenantSecret(tx, name))!.sealed_secret, secretBound(name))
}
