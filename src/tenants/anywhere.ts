/** Public documents whose id says nothing about its tenant: every tenant is asked. */
import type { Actor } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { systemActor } from '../system.ts'
import type { Directory } from './directory.ts'

/** Makes a search over the tenants: the first answer that is not `not_found`. Refuses not_found. */
export function makeAnywhere(directory: Directory) {
  return async function anywhere<T>(work: (actor: Actor) => Promise<T>): Promise<T> {
    for (const { id } of await directory.all()) {
      try {
        return await work(systemActor(id))
      } catch (error) {
        if ((error as { code?: string }).code !== 'not_found') throw error
      }
    }
    return refuse('not_found')
  }
}
