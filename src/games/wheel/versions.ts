/** Published versions of wheels. A version never changes, so it is kept once read. */
import type { Tx } from '../../db/tx.ts'
import { type WeightTable, weightTable } from '../../node-hash.ts'
import type { Segment, WheelConfig } from './rules.ts'
import { loadVersion } from './store.ts'

export type Version = {
  wheelId: string
  config_version: number
  config: WheelConfig
  config_text: string
  config_hash: string
  odds: WeightTable
  /** The declared substitute for rewards that ran out. */
  fallback: Segment | undefined
  /** What can be won on it. */
  prize_ids: readonly number[]
}

export type Versions = {
  of(tx: Tx, wheelId: string, config_version: number): Promise<Version>
  /** The newest version of a wheel that was read here: a guess at the one in force, good enough to read ahead. */
  newest(wheelId: string): Version | undefined
}

/** About 5 kB each; a server with more live versions than this reads some of them again. */
const VERSIONS_MAX = 2_000

export function makeVersions(): Versions {
  const kept = new Map<string, Version>()
  const newest = new Map<string, Version>()

  function drop(key: string): void {
    const version = kept.get(key)!
    kept.delete(key)
    if (newest.get(version.wheelId) === version) newest.delete(version.wheelId)
  }

  return {
    newest: (wheelId) => newest.get(wheelId),
    async of(tx, wheelId, config_version) {
      const key = `${wheelId}/${config_version}`
      const known = kept.get(key)
      if (known !== undefined) return known
      const row = await loadVersion(tx, wheelId, config_version)
      if (row === undefined) throw new Error(`wheel ${wheelId} has no version ${config_version}`)
      const version = versionOf(wheelId, row)
      if (kept.size >= VERSIONS_MAX) drop(kept.keys().next().value!)
      kept.set(key, version)
      if (config_version >= (newest.get(wheelId)?.config_version ?? 0)) newest.set(wheelId, version)
      return version
    },
  }
}

function versionOf(
  wheelId: string,
  row: { config_version: number; config: string; config_hash: string },
): Version {
  const config = JSON.parse(row.config) as WheelConfig
  return {
    wheelId,
    config_version: row.config_version,
    config,
    config_text: row.config,
    config_hash: row.config_hash,
    odds: weightTable(config.segments.map((segment) => segment.weight)),
    fallback: config.segments.find((segment) => segment.id === config.spin.on_exhausted),
    prize_ids: [...new Set(config.segments.flatMap((segment) => segment.prize_id ?? []))],
  }
}
