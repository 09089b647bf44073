/** What a mystery's pool is and what a draw from it gives. Pure. */

/** A part of a pool as an operator writes it. */
export type PoolEntry = { prize_id: number; weight: number }

/** The definition behind a part, as it was when the pool was written. */
export type PoolSnapshot = { id: number; name: string; type: string; value: string | null; version: number }

/** The config that a pool is committed to by (fair-1.md section 5, kind `mystery`). */
export type PoolConfig = {
  v: 1
  kind: 'mystery'
  /** What is given when what was drawn has run out: the next of the list that has not, from the end to the beginning. */
  exhausted: 'next'
  segments: {
    id: string
    weight: number
    prize: { id: number; version: number; name: string; type: string; value: string | null }
  }[]
}

/** The committed config of a pool; entries and snapshots go by the same order. */
export function poolConfigOf(entries: readonly PoolEntry[], snapshots: readonly PoolSnapshot[]): PoolConfig {
  return {
    v: 1,
    kind: 'mystery',
    exhausted: 'next',
    segments: entries.map(({ prize_id, weight }, i) => {
      const { id, version, name, type, value } = snapshots[i]!
      return { id: `prize-${prize_id}`, weight, prize: { id, version, name, type, value } }
    }),
  }
}

/**
 * The place in the pool that is given for the one that was rolled: itself, or the next one that is left, by the rule of
 * the config. Null when nothing is left. The outcome of the roll is not changed by it (fair-1.md section 12).
 */
export function awardIndexOf(rolled: number, is_left: readonly boolean[]): number | null {
  for (let step = 0; step < is_left.length; step++) {
    const index = (rolled + step) % is_left.length
    if (is_left[index]) return index
  }
  return null
}

/** A pool is a game of its own to the seed pairs: each player and pool version has a pair. */
export function mysteryGameId(prize_id: number, pool_version: number): string {
  return `mystery:${prize_id}:${pool_version}`
}
