/** Opened seeds of active pairs, in memory only, prepared for the hot loop and wiped when they leave. */
import type { Tx } from '../db/tx.ts'
import { type PreparedKey, prepareKey, wipeKey } from '../node-hash.ts'

export type SealedSeed = { id: string; game_id: string; seed_hash: string; sealed_seed: string }

export type PairKeys = {
  /** Whether this process has opened the seed before. */
  has(seedId: string): boolean
  of(tx: Tx, seed: SealedSeed): PreparedKey
  forget(seedId: string): void
}

/** 1.2 kB each. Past it the oldest one is opened again when needed, 4 microseconds each. */
const KEYS_MAX = 20_000

export function makePairKeys(): PairKeys {
  const kept = new Map<string, PreparedKey>()

  function drop(seedId: string): void {
    const key = kept.get(seedId)
    if (key === undefined) return
    kept.delete(seedId)
    wipeKey(key)
  }

  return {
    has: (seedId) => kept.has(seedId),
    of(tx, { id, game_id, seed_hash, sealed_seed }) {
      const known = kept.get(id)
      if (known !== undefined) return known
      if (kept.size >= KEYS_MAX) drop(kept.keys().next().value!)
      const seed = tx.keys.open(sealed_seed, { gameId: game_id, seedHash: seed_hash })
      const key = prepareKey(seed)
      seed.fill(0)
      kept.set(id, key)
      return key
    },
    forget: drop,
  }
}
