/**
 * What every chance event that many watch has in common, a shared spin as much as a raffle: a commitment with its
 * entropy planned, the pseudonyms of entrants, and the key that the outcome is drawn with.
 */
import type { Tx } from '../db/tx.ts'
import { beaconSignatureValid, randomnessMatches, timeOfRound } from '../fairness/beacon.ts'
import { toHex } from '../fairness/bytes.ts'
import { jcs } from '../fairness/canonical.ts'
import {
  type CommitDoc,
  commitHash,
  configHash,
  entrantHash,
  type Kind,
  seedHash,
  type TrustLabel,
  trustLabel,
} from '../fairness/commit.ts'
import type { Config } from '../fairness/transcript.ts'
import { newId } from '../ids.ts'
import { NODE_HASH } from '../node-hash.ts'
import { reveal } from './pairs.ts'
import type { BeaconRound, RoundEntropy } from './round-entropy.ts'
import { insertCommitment, insertSeeds, loadSeedForUpdate } from './store.ts'

export type SharedCommitment = {
  doc: CommitDoc
  commit_hash: string
  /** Null where no secret of ours exists (mode beacon). */
  seed_id: string | null
  trust: TrustLabel
}

export type CommitInput = {
  kind: Kind
  gameId: string
  seq: number
  config: Config
  config_version: number
  opens_at: Date
  closes_at: Date
  /** Between the close and the beacon round; the least for live rounds when absent. */
  margin_ms?: number
  fallback?: CommitDoc['fallback']
  entropy: RoundEntropy
}

/**
 * Makes, stores, signs and logs the commitment of one event. Nobody may enter before a checkpoint covers it.
 * Refuses entropy_unavailable.
 */
export async function commitShared(tx: Tx, input: CommitInput): Promise<SharedCommitment> {
  const { kind, gameId, seq, config, config_version, opens_at, closes_at, margin_ms, fallback } = input
  const seed = tx.entropy(32)
  const planned = await input.entropy.plan(closes_at, seedHash(seed, NODE_HASH), margin_ms)
  const doc: CommitDoc = {
    v: 1,
    kind,
    tenantId: tx.actor.tenantId,
    gameId,
    seq,
    configHash: configHash(config, NODE_HASH),
    ...planned,
    opensAt: opens_at.toISOString(),
    closesAt: closes_at.toISOString(),
    ...(fallback && { fallback }),
  }
  const commit_hash = commitHash(doc, NODE_HASH)
  const base = {
    kind,
    game_id: gameId,
    seq,
    commit_hash,
    doc: jcs(doc),
    config: jcs(config),
    jws: tx.keys.signDocument('fair1-commit', doc),
  }
  const seed_id = doc.seedHash === undefined ? null : newId()
  if (seed_id === null) await insertCommitment(tx, base)
  else {
    const sealed_seed = tx.keys.seal(seed, { gameId, seedHash: doc.seedHash! })
    const owner = { user_id: null, holder: null, holder_salt: null }
    await insertSeeds(tx, [
      {
        ...base,
        ...owner,
        id: seed_id,
        config_version,
        seed_hash: doc.seedHash!,
        sealed_seed,
        seed_status: 'active',
      },
    ])
  }
  tx.log({ type: 'commit', commitHash: commit_hash, doc })
  return { doc, commit_hash, seed_id, trust: trustLabel(doc, config) }
}

const SALT_BYTES = 16

/** A pseudonym for one entrant of one draw, and the salt that opens it. */
export function makeEntrant(
  tx: Tx,
  gameId: string,
  user_id: string,
): { entrant: string; entrant_salt: string } {
  const entrant_salt = toHex(tx.entropy(SALT_BYTES))
  return { entrant: entrantHash(gameId, user_id, entrant_salt, NODE_HASH), entrant_salt }
}

/** The signed receipt of an accepted entry (fair-1.md section 10). */
export function entryReceipt(tx: Tx, entry: { commit_hash: string; i: number; leaf_hash: string }): string {
  return tx.keys.signDocument('fair1-receipt', {
    at: tx.now.toISOString(),
    commitHash: entry.commit_hash,
    i: entry.i,
    leafHash: entry.leaf_hash,
    seq: entry.i,
    type: 'entry',
  })
}

/** The signed receipt of something accepted whose place on the list is not fixed yet (fair-1.md section 10). */
export function acceptedReceipt(tx: Tx, { commit_hash, seq }: { commit_hash: string; seq: number }): string {
  const document = { at: tx.now.toISOString(), commitHash: commit_hash, seq, type: 'entry' }
  return tx.keys.signDocument('fair1-receipt', document)
}

/** When the beacon round that a draw waits for is out; null without a beacon, and for rounds of a recording. */
export function roundOutAt({ beacon }: CommitDoc, round: number | null = beacon?.round ?? null): Date | null {
  if (beacon === undefined || beacon.source === 'recorded' || round === null) return null
  return new Date(timeOfRound(round))
}

/** True for the round of the chain that the commitment names (or that a postponement named), signed by that chain. */
function isPromised(doc: CommitDoc, beacon: BeaconRound, round: number): boolean {
  const is_named = doc.beacon?.chain === beacon.chain && round === beacon.round
  return (
    is_named &&
    randomnessMatches(beacon, NODE_HASH) &&
    beaconSignatureValid(beacon.round, beacon.signature, NODE_HASH)
  )
}

/** The key of the outcome, and what stands for it in the context (fair-1.md sections 3 and 6). Throws for another round. */
export async function outcomeKey(
  tx: Tx,
  doc: CommitDoc,
  seed_id: string | null,
  beacon: BeaconRound | undefined,
  round: number | null = doc.beacon?.round ?? null,
): Promise<{ key: Uint8Array; randomness: string }> {
  if (doc.beacon !== undefined && (beacon === undefined || !isPromised(doc, beacon, round!)))
    throw new Error('this is not the beacon round that was committed to')
  const randomness = doc.mode === 'commit' ? '-' : beacon!.randomness
  if (doc.mode === 'beacon') return { key: Buffer.from(randomness, 'hex'), randomness }
  const seed = (await loadSeedForUpdate(tx, seed_id!))!
  const key = tx.keys.open(seed.sealed_seed, { gameId: seed.game_id, seedHash: seed.seed_hash })
  return { key, randomness }
}

/** Opens the secret of an event that is over, if it had one. */
export async function revealShared(tx: Tx, seed_id: string | null): Promise<void> {
  if (seed_id !== null) await reveal(tx, [(await loadSeedForUpdate(tx, seed_id))!])
}
