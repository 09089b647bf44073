/** Public documents whose id says nothing about its tenant: the one that has it is looked up, whoever asks. */
import type { Database } from '../db/pool.ts'
import type { Actor } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { systemActor } from '../system.ts'
import { findTenantOf, type PublicId } from './store.ts'

/** Makes a look-up of the tenant that has something public; `work` then runs there. Refuses not_found. */
export function makeAnywhere(database: Database) {
  return async function anywhere<T>(id: PublicId, work: (actor: Actor) => Promise<T>): Promise<T> {
    const tenant_id = (await findTenantOf(database, id)) ?? refuse('not_found')
    return work(systemActor(tenant_id))
  }
}
