/** Which entropy this install commits shared draws to: its own sealed seed, or a public beacon round. */
import { refuse } from '../errors.ts'
import type { CommitDoc } from '../fairness/commit.ts'
import type { EntropySource } from '../fairness/entropy.ts'

/** What the commitment says about its entropy (fair-1.md section 7.1). */
export type PlannedEntropy = Pick<CommitDoc, 'mode' | 'seedHash' | 'beacon'>

export type BeaconRound = { chain: string; round: number; signature: string; randomness: string }

export type RoundEntropy = {
  /** Refuses entropy_unavailable when a beacon is configured and cannot be reached. */
  assertReady(): Promise<void>
  /** `margin_ms` from the close to the beacon round; that of live rooms when absent. */
  plan(closesAt: Date, seedHash: string, margin_ms?: number): Promise<PlannedEntropy>
  /** The committed beacon round, or the one it was put off to, once it is out and verified; undefined before, and for local seeds. */
  obtain(doc: CommitDoc, round?: number): Promise<BeaconRound | undefined>
}

/** Live rooms wait 3 to 6 seconds for their round (fair-1.md section 7.3). */
const LIVE_MARGIN_MS = 3_000

/** The default of an install: no network at all, and the label says `operator`. */
export const localEntropy: RoundEntropy = {
  assertReady: async () => {},
  plan: async (_closesAt, seedHash) => ({ mode: 'commit', seedHash }),
  obtain: async () => undefined,
}

/** A public beacon: no secret exists, so nothing is left to reveal. */
export function beaconEntropy(source: EntropySource): RoundEntropy {
  return {
    async assertReady() {
      if (!(await source.ready())) refuse('entropy_unavailable', { retry_after_s: 10 })
    },
    async plan(closesAt, _seedHash, margin_ms = LIVE_MARGIN_MS) {
      const { mode, beacon } = await source.plan(closesAt.toISOString(), margin_ms)
      return { mode, ...(beacon && { beacon }) }
    },
    async obtain(doc, round) {
      const obtained = await source.obtain(doc, round)
      return obtained.status === 'ready' ? obtained.value.beacon : undefined
    },
  }
}
