/** Transcripts (fair-1.md section 14): one canonical document per chance event that re-derives it. */
import type { Tx } from '../db/tx.ts'
import { drawTranscript } from '../draws/transcript.ts'
import { refuse } from '../errors.ts'
import { jcs } from '../fairness/canonical.ts'
import { type CommitDoc, trustLabel } from '../fairness/commit.ts'
import { context } from '../fairness/rolls.ts'
import { type Config, derive, type Leaf, type PairReveal, type Transcript } from '../fairness/transcript.ts'
import { NODE_HASH } from '../node-hash.ts'
import { loggedPart } from './log.ts'
import {
  loadCommitment,
  loadLogEvent,
  loadMysteryProof,
  loadPairSpins,
  loadRoundProof,
  loadSeedByCommit,
  loadSpinProof,
  type MysteryProofRow,
  type RoundProofRow,
  type SpinProofRow,
} from './store.ts'

/**
 * The transcript of a spin, a mystery, a shared round or a draw, as canonical text. A spin, mystery or round whose seed is
 * not revealed has a transcript without it: a verifier answers "pending". Refuses not_found, not_yet_revealed.
 */
export async function readTranscript(tx: Tx, { event_id }: { event_id: string }): Promise<string> {
  const spin = await loadSpinProof(tx, event_id)
  if (spin !== undefined) return jcs(await spinTranscript(tx, spin))
  const mystery = await loadMysteryProof(tx, event_id)
  if (mystery !== undefined) return jcs(await mysteryTranscript(tx, mystery))
  const round = await loadRoundProof(tx, event_id)
  if (round !== undefined && round.outcome !== null) return jcs(await roundTranscript(tx, round))
  if (round !== undefined) refuse('not_yet_revealed')
  return jcs(await drawTranscript(tx, event_id))
}

async function spinTranscript(tx: Tx, spin: SpinProofRow): Promise<Transcript> {
  const doc = JSON.parse(spin.doc) as CommitDoc
  const config = JSON.parse(spin.config) as Config
  const client = { seed: spin.client_seed, nonce: spin.nonce, entropy: spin.client_entropy }
  const ctx = context('wheel', [spin.commit_hash, client.seed, client.nonce, client.entropy])
  const log = await loggedPart(tx, await loadLogEvent(tx, spin.commit_hash, 'spin', spin.nonce))
  return {
    v: 'fair/1',
    trust: trustLabel(doc, config, client),
    commit: { doc, hash: spin.commit_hash, jws: spin.jws },
    config,
    client,
    ...revealedPart('wheel', spin.server_seed, config, ctx),
    ctx,
    outcome: { id: spin.reward_slug, index: spin.segment_index },
    award: { event_id: spin.id, status: spin.win_status, reward: spin.award_slug },
    ...(log && { log }),
  }
}

async function mysteryTranscript(tx: Tx, mystery: MysteryProofRow): Promise<Transcript> {
  const doc = JSON.parse(mystery.doc) as CommitDoc
  const config = JSON.parse(mystery.config) as Config
  const segments = config['segments'] as { id: string }[]
  const {
    client_seed: seed,
    nonce,
    client_entropy: entropy,
    commit_hash,
    segment_index,
    award_index,
  } = mystery
  const client = { seed, nonce, entropy }
  const ctx = context('mystery', [commit_hash, seed, nonce, entropy])
  const log = await loggedPart(tx, await loadLogEvent(tx, commit_hash, 'spin', nonce))
  return {
    v: 'fair/1',
    trust: trustLabel(doc, config, client),
    commit: { doc, hash: commit_hash, jws: mystery.jws },
    config,
    client,
    ...revealedPart('mystery', mystery.server_seed, config, ctx),
    ctx,
    outcome: { id: segments[segment_index]!.id, index: segment_index },
    award: {
      event_id: mystery.id,
      status: award_index === segment_index ? 'won' : 'substituted',
      reward: segments[award_index]!.id,
    },
    ...(log && { log }),
  }
}

async function roundTranscript(tx: Tx, round: RoundProofRow): Promise<Transcript> {
  const doc = JSON.parse(round.doc) as CommitDoc
  const config = JSON.parse(round.config) as Config
  const log = await loggedPart(tx, await loadLogEvent(tx, round.commit_hash, 'result', null))
  const key = doc.mode === 'beacon' ? round.beacon!.randomness : round.server_seed
  return {
    v: 'fair/1',
    trust: trustLabel(doc, config),
    commit: { doc, hash: round.commit_hash, jws: round.jws },
    config,
    roundNo: round.round_no,
    entries: {
      root: round.entries_root!,
      n: round.leaves.length,
      list: round.leaves.map((leaf) => JSON.parse(leaf) as Leaf),
    },
    ...(round.beacon && { beacon: round.beacon }),
    ...(round.server_seed && { serverSeed: round.server_seed }),
    ctx: round.ctx!,
    ...(key && { draws: drawsOf('round', config, key, round.ctx!) }),
    outcome: round.outcome!,
    ...(log && { log }),
  }
}

function revealedPart(
  kind: 'wheel' | 'mystery',
  server_seed: string | null,
  config: Config,
  ctx: string,
): Pick<Transcript, 'serverSeed' | 'draws'> {
  if (server_seed === null) return {}
  return { serverSeed: server_seed, draws: drawsOf(kind, config, server_seed, ctx) }
}

function drawsOf(kind: 'wheel' | 'mystery' | 'round', config: Config, key: string, ctx: string) {
  return derive({ kind, config, key: Buffer.from(key, 'hex'), ctx }, NODE_HASH).draws
}

/** The reveal of a closed pair with every spin it ever made. Refuses not_found, not_yet_revealed. */
export async function readPairReveal(tx: Tx, { commit_hash }: { commit_hash: string }): Promise<string> {
  const seed = await loadSeedByCommit(tx, commit_hash)
  if (seed === undefined || (seed.kind !== 'wheel' && seed.kind !== 'mystery')) refuse('not_found')
  if (seed.server_seed === null) refuse('not_yet_revealed')
  const commitment = (await loadCommitment(tx, commit_hash))!
  const reveal: PairReveal = {
    v: 'fair/1',
    type: 'pair-reveal',
    commit: { doc: JSON.parse(commitment.doc) as CommitDoc, hash: commit_hash, jws: commitment.jws },
    config: JSON.parse(commitment.config) as Config,
    clientSeed: seed.client_seed,
    serverSeed: seed.server_seed,
    spins: await loadPairSpins(tx, seed.id),
  }
  return jcs(reveal)
}
