/** How a change of a draw is said: to whoever watches its game, and to the audit chain. */
import type { Tx } from '../db/tx.ts'
import type { DrawStatus } from './lifecycle.ts'
import type { DrawRow } from './store.ts'

export function tell(tx: Tx, draw: DrawRow, type: string, data: Record<string, unknown>): void {
  tx.emit({ gameId: draw.game_id, type, data: { draw_id: draw.id, ...data } })
}

export function audit(
  tx: Tx,
  draw: DrawRow,
  action: string,
  from: DrawStatus | null,
  values: Record<string, unknown>,
  before: Record<string, unknown> = {},
): void {
  tx.audit({
    action,
    entity_type: 'draw',
    entity_id: draw.id,
    ...(from && { old_values: { status: from, ...before } }),
    new_values: { status: draw.status, ...values },
  })
}
