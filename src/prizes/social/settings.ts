/** What a tenant decides about deals: read and changed whole. */
import type { Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import type { IfMatch } from '../../http/resource.ts'
import { loadSettings, saveSettings } from './deal-store.ts'
import { SETTINGS_DEFAULT, type Settings } from './rules.ts'

/** The settings in force; version 0 before anybody changed them. */
export async function readSettings(tx: Tx): Promise<Settings & { row_version: number }> {
  return (await loadSettings(tx)) ?? { ...SETTINGS_DEFAULT, row_version: 0 }
}

/** Replaces the settings. Open deals keep the fee that they were offered with. Refuses precondition_failed. */
export async function changeSettings(
  tx: Tx,
  { settings, versions }: { settings: Settings; versions: IfMatch },
): Promise<Settings & { row_version: number }> {
  const { row_version, ...before } = await readSettings(tx)
  if (versions !== '*' && !versions.includes(row_version)) refuse('precondition_failed')
  const saved = (await saveSettings(tx, settings, row_version)) ?? refuse('precondition_failed')
  tx.audit({
    action: 'update',
    entity_type: 'exchange_settings',
    old_values: before,
    new_values: settings,
  })
  return saved
}
