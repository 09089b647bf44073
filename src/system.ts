/** The server acting for itself inside a tenant: deadlines, checkpoints, republishing. */
import type { Actor } from './db/tx.ts'

export const SYSTEM_USER = 'system'

export function systemActor(tenantId: string): Actor {
  return { tenantId, userId: SYSTEM_USER, roles: [] }
}
