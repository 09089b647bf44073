/** Key rotation at rest: seeds and secrets that an older key sealed are sealed again with the first one (fair-1.md section 13). */
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import { systemActor } from '../system.ts'
import { loadStaleSecretsForUpdate, loadStaleSeedsForUpdate, resealSecret, resealSeed } from './store.ts'
import { secretBound } from './tenant-secrets.ts'

const PAGE = 200

/** Seals a tenant's stale seeds again, a page per transaction. Returns how many. A wrong key throws. */
export async function resealSeeds(app: App, tenantId: string): Promise<number> {
  let count = 0
  for (;;) {
    const done = await app.run(systemActor(tenantId), resealPage, undefined)
    count += done
    if (done < PAGE) return count
  }
}

async function resealPage(tx: Tx): Promise<number> {
  const rows = await loadStaleSeedsForUpdate(tx, tx.keys.seedKid, PAGE)
  for (const row of rows) {
    const bound = { gameId: row.game_id, seedHash: row.seed_hash }
    await resealSeed(tx, row.id, tx.keys.seal(tx.keys.open(row.sealed_seed, bound), bound))
  }
  for (const { secret_name, sealed_secret } of await loadStaleSecretsForUpdate(tx, tx.keys.seedKid)) {
    const bound = secretBound(secret_name)
    await resealSecret(tx, secret_name, tx.keys.seal(tx.keys.open(sealed_secret, bound), bound))
  }
  return rows.length
}
