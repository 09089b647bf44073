/**
 * The newest checkpoint of each public log that this browser has seen. The server cannot take it back, so a log
 * that is rewritten later no longer fits it (fair-1.md section 11).
 */

const KEY = 'livedraw.checkpoints'
/** More logs than anybody plays at; the oldest is dropped. */
const KEPT_MAX = 8

export type KeptCheckpoint = { checkpoint: string; size: number; tenant: string; received_at: string }
type Kept = Record<string, KeptCheckpoint>

const read = (): Kept => {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Kept
  } catch {
    return {}
  }
}

/** Origin and size of a checkpoint's text, undefined for anything else. */
export function partsOf(checkpoint: string): { origin: string; size: number } | undefined {
  const [origin, size] = checkpoint.split('\n')
  return origin && size && /^\d{1,15}$/.test(size) ? { origin, size: Number(size) } : undefined
}

/** Keeps a checkpoint of a tenant's log unless a newer one of the same log is kept already. */
export function keepCheckpoint(checkpoint: string, tenant: string): void {
  const parts = partsOf(checkpoint)
  if (parts === undefined) return
  const kept = read()
  if ((kept[parts.origin]?.size ?? -1) >= parts.size) return
  const others = Object.entries(kept).filter(([origin]) => origin !== parts.origin)
  const mine = { checkpoint, size: parts.size, tenant, received_at: new Date().toISOString() }
  localStorage.setItem(
    KEY,
    JSON.stringify(Object.fromEntries([...others.slice(1 - KEPT_MAX), [parts.origin, mine]])),
  )
}

/** The newest kept checkpoint of a log. */
export const keptCheckpoint = (origin: string): KeptCheckpoint | undefined => read()[origin]
