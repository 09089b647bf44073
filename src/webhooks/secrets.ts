/** Secrets of webhooks: made here, sealed at rest with the seed keys, shown to a person once. */
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import { systemActor } from '../system.ts'
import { secretText } from './sign.ts'
import { loadStaleSecretsForUpdate, resealSecrets, type Secrets, setSecret } from './store.ts'

const SECRET_BYTES = 32

/** What a sealed secret opens for: this tenant's webhooks and nothing else. */
const bound = (tx: Tx) => ({ gameId: `webhooks/${tx.actor.tenantId}`, seedHash: 'whsec' })

/** Makes a secret and puts it in force; the one before signs beside it until `previous_until`. Undefined for no such webhook. */
export async function renewSecret(
  tx: Tx,
  webhook_id: string,
  previous_until: Date | null,
): Promise<{ secret: string; row_version: number } | undefined> {
  const bytes = tx.entropy(SECRET_BYTES)
  const set = await setSecret(tx, webhook_id, tx.keys.seal(bytes, bound(tx)), previous_until)
  return set && { secret: secretText(bytes), ...set }
}

/** The keys that sign now, the newest first. */
export function signingKeys(tx: Tx, secrets: Secrets): Buffer[] {
  const { secret_sealed, previous_secret_sealed, previous_secret_until } = secrets
  const is_overlap = previous_secret_until !== null && previous_secret_until > tx.now
  return [secret_sealed, is_overlap ? previous_secret_sealed : null]
    .filter((sealed) => sealed !== null)
    .map((sealed) => tx.keys.open(sealed, bound(tx)))
}

/** After a change of the seed keys: seals a tenant's secrets again with the first one. A wrong key throws. */
export function resealWebhooks(app: App, tenantId: string): Promise<number> {
  return app.run(
    systemActor(tenantId),
    async (tx) => {
      const rows = await loadStaleSecretsForUpdate(tx, tx.keys.seedKid)
      const again = (sealed: string | null) =>
        sealed === null ? null : tx.keys.seal(tx.keys.open(sealed, bound(tx)), bound(tx))
      for (const row of rows)
        await resealSecrets(tx, row.id, again(row.secret_sealed), again(row.previous_secret_sealed))
      return rows.length
    },
    undefined,
  )
}
