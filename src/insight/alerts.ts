/** Alerts as people work with them: seen, acknowledged, resolved; what an alert holds is freed or refused with it. */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import {
  type AlertRow,
  acknowledgeAlert,
  decideReviews,
  forgetAddresses,
  loadAlert,
  loadAlerts,
  loadReviews,
  lockAlert,
  type ReviewRow,
  resolveAlert,
} from './alerts-store.ts'

export type Resolution = 'harmless' | 'confirmed'

function alertView(row: AlertRow, reviews: readonly ReviewRow[]) {
  const { triggered_at, last_seen_at, acknowledged_at, resolved_at, ...rest } = row
  return {
    ...rest,
    triggered_at: triggered_at.toISOString(),
    last_seen_at: last_seen_at.toISOString(),
    acknowledged_at: acknowledged_at?.toISOString() ?? null,
    resolved_at: resolved_at?.toISOString() ?? null,
    held_prizes: reviews
      .filter(({ alert_id }) => alert_id === row.id)
      .map(({ play_id, decision, held_at }) => ({ play_id, decision, held_at: held_at.toISOString() })),
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** A page of alerts, newest first. Refuses invalid_input for a cursor of another list. */
export async function readAlerts(
  tx: Tx,
  {
    status,
    type,
    limit,
    cursor,
  }: { status: string | null; type: string | null; limit: number; cursor: string | null },
) {
  const rows = await loadAlerts(tx, {
    status,
    type,
    limit: limit + 1,
    before: cursor === null ? null : placeOf(cursor),
  })
  const page = rows.slice(0, limit)
  const reviews = await loadReviews(
    tx,
    page.map(({ id }) => id),
  )
  const last = page.at(-1)
  return {
    data: page.map(({ at_us: _, ...row }) => alertView(row, reviews)),
    next_cursor:
      rows.length > limit && last ? Buffer.from(`${last.at_us} ${last.id}`).toString('base64url') : null,
  }
}

function placeOf(cursor: string): { at: string; id: string } {
  const [at = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split(' ')
  if (!/^\d{1,17}$/.test(at) || !UUID.test(id))
    refuse('invalid_input', { errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }] })
  return { at, id }
}

/** One alert with what it holds. Refuses not_found. */
export async function readAlert(tx: Tx, { id }: { id: string }) {
  const row = (await loadAlert(tx, id)) ?? refuse('not_found')
  return alertView(row, await loadReviews(tx, [id]))
}

/** Says that somebody looks at it. Once; a second time, and after it was resolved, it answers as it is. */
export async function acknowledge(tx: Tx, { id }: { id: string }) {
  const row = (await lockAlert(tx, id)) ?? refuse('not_found')
  if (row.alert_status !== 'open') return alertView(row, await loadReviews(tx, [id]))
  const after = await acknowledgeAlert(tx, id)
  tx.audit({
    action: 'acknowledge',
    entity_type: 'game_alert',
    entity_id: id,
    old_values: { alert_status: row.alert_status },
    new_values: { alert_status: after.alert_status },
  })
  return alertView(after, await loadReviews(tx, [id]))
}

/**
 * Ends an alert. What it held is paid out when it was harmless, and stays held for good when it was confirmed; nobody
 * is blocked by it. The same again answers as it is. Refuses not_found, alert_resolved for another resolution.
 */
export async function resolve(
  tx: Tx,
  { id, resolution, note }: { id: string; resolution: Resolution; note: string | null },
) {
  const row = (await lockAlert(tx, id)) ?? refuse('not_found')
  if (row.alert_status === 'resolved') {
    if (row.resolution !== resolution) refuse('alert_resolved', { facts: { resolution: row.resolution } })
    return alertView(row, await loadReviews(tx, [id]))
  }
  const after = await resolveAlert(tx, id, resolution, note)
  const play_ids = await decideReviews(tx, id, resolution === 'harmless' ? 'released' : 'refused')
  tx.audit({
    action: 'resolve',
    entity_type: 'game_alert',
    entity_id: id,
    old_values: { alert_status: row.alert_status },
    new_values: { alert_status: 'resolved', resolution, note, play_ids },
  })
  return alertView(after, await loadReviews(tx, [id]))
}

/**
 * Takes the address out of the evidence of alerts that ended, or were last seen, before then: the finding stays, who was
 * behind it too. Returns how many alerts that were.
 */
export async function purgeAlertAddresses(tx: Tx, { before }: { before: Date }): Promise<number> {
  const ids = await forgetAddresses(tx, before)
  if (ids.length > 0)
    tx.audit({
      action: 'traces.purged',
      entity_type: 'tenant',
      entity_id: tx.actor.tenantId,
      new_values: { alerts: ids.length },
    })
  return ids.length
}
