/**
 * Shared spins: one wheel that everybody watches (fair-1.md 9.3). Open for players' entropy, closed with a root,
 * drawn, shown on the server clock, settled with the seed revealed. `advanceRound` makes one move at a time, so
 * any process may call it any number of times.
 */
import type { Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { toHex } from '../../fairness/bytes.ts'
import { jcs } from '../../fairness/canonical.ts'
import { type CommitDoc, type TrustLabel, trustLabel } from '../../fairness/commit.ts'
import { leafHashOf, merkleRoot } from '../../fairness/merkle.ts'
import { context } from '../../fairness/rolls.ts'
import { newId } from '../../ids.ts'
import { NODE_HASH, prepareKey, spinIndex } from '../../node-hash.ts'
import type { BeaconRound, RoundEntropy } from '../../proofs/round-entropy.ts'
import {
  commitShared,
  entryReceipt,
  makeEntrant,
  outcomeKey,
  revealShared,
  roundOutAt,
} from '../../proofs/shared-draw.ts'
import { loadCheckpointed } from '../../proofs/store.ts'
import {
  insertRound,
  insertRoundEntry,
  loadLastRoundNo,
  loadOpenRoundForUpdate,
  loadRound,
  loadRoundEntries,
  loadRoundEntry,
  loadRoundForUpdate,
  type RoundChange,
  type RoundRow,
  updateRound,
} from './round-store.ts'
import { LANDING_LEAD_MS, type Landing, landingOf, type WheelConfig, whyNotOpen } from './rules.ts'
import { loadWheelForUpdate } from './store.ts'
import type { Versions } from './versions.ts'

export type RoundStatus = 'open' | 'closed' | 'drawn' | 'settled' | 'void'

/** What each state means. A move that `NEXT` does not name cannot happen. */
export const ROUND_STATES: Record<RoundStatus, string> = {
  open: 'Its commitment is public and players may add entropy.',
  closed: 'Nobody can add anything; the root over all entries is public and the entropy is awaited.',
  drawn: 'The outcome is stored and every screen is turning to it.',
  settled: 'The wheel has stopped, the seed is revealed and anybody can check it.',
  void: 'Its own rule ended it without an outcome.',
}

const NEXT: Record<RoundStatus, readonly RoundStatus[]> = {
  open: ['closed', 'void'],
  closed: ['drawn', 'void'],
  drawn: ['settled'],
  settled: [],
  void: [],
}

/** True when the table of states allows the move. */
export function canMove(from: RoundStatus, to: RoundStatus): boolean {
  return NEXT[from].includes(to)
}

export type RoundView = {
  round_id: string
  round_no: number
  status: RoundStatus
  commit_hash: string
  trust: TrustLabel
  opens_at: string
  closes_at: string
  entry_count: number
  segment: number | null
  landing: Landing | null
}

/** A shared spin shows its last round until the next one opens. */
export async function readRound(tx: Tx, wheelId: string): Promise<RoundView | null> {
  const row = await loadRound(tx, wheelId)
  if (row === undefined) return null
  return {
    round_id: row.id,
    round_no: row.round_no,
    status: row.round_status,
    commit_hash: row.commit_hash,
    trust: trustLabel(JSON.parse(row.doc) as CommitDoc, {}),
    opens_at: row.opens_at.toISOString(),
    closes_at: row.closes_at.toISOString(),
    entry_count: row.entry_count,
    segment: row.outcome?.index ?? null,
    landing: row.landing,
  }
}

export type OpenRoundInput = { game: string; versions: Versions; entropy: RoundEntropy }

/**
 * Opens a shared spin: the commitment is stored and logged. The caller checkpoints it next; until then `joinRound`
 * takes nobody, so that no entry is older than the proof of the commitment.
 * Refuses game_not_found, wheel_not_published, wheel_paused, round_running, wheel_not_open, entropy_unavailable.
 */
export async function openRound(tx: Tx, { game, versions, entropy }: OpenRoundInput): Promise<RoundView> {
  const wheel = await loadWheelForUpdate(tx, game)
  if (wheel === undefined) refuse('game_not_found')
  if (wheel.config_version === 0) refuse('wheel_not_published')
  if (wheel.wheel_status !== 'live') refuse('wheel_paused', { facts: { wheel_status: wheel.wheel_status } })
  if ((await loadOpenRoundForUpdate(tx, wheel.id)) !== undefined) refuse('round_running')

  const { config } = await versions.of(tx, wheel.id, wheel.config_version)
  const closed = whyNotOpen(config.spin, wheel.time_zone, tx.now)
  if (closed !== null) refuse(closed.code, closed.detail)
  const roundConfig: WheelConfig = { ...config, kind: 'round' }
  const round_no = (await loadLastRoundNo(tx, wheel.id)) + 1
  const closes_at = new Date(tx.now.getTime() + config.spin.round_join_s * 1000)
  const { commit_hash, seed_id, trust } = await commitShared(tx, {
    kind: 'round',
    gameId: wheel.id,
    seq: round_no,
    config: roundConfig,
    config_version: wheel.config_version,
    opens_at: tx.now,
    closes_at,
    entropy,
  })
  const id = newId()
  await insertRound(tx, {
    id,
    wheel_game_id: wheel.id,
    round_no,
    config_version: wheel.config_version,
    commit_hash,
    seed_id,
    closes_at,
  })
  tx.emit({
    gameId: wheel.id,
    type: 'wheel.round_opened',
    data: {
      round_id: id,
      round_no,
      commit_hash,
      trust,
      opens_at: tx.now.toISOString(),
      closes_at: closes_at.toISOString(),
    },
  })
  tx.audit({
    action: 'open_round',
    entity_type: 'wheel_round',
    entity_id: id,
    new_values: { wheel_game_id: wheel.id, round_no, commit_hash },
  })
  return {
    round_id: id,
    round_no,
    status: 'open',
    commit_hash,
    trust,
    opens_at: tx.now.toISOString(),
    closes_at: closes_at.toISOString(),
    entry_count: 0,
    segment: null,
    landing: null,
  }
}

export type JoinAnswer = {
  round_id: string
  entry_index: number
  entrant: string
  salt: string
  receipt: string
}

/**
 * Adds a player's own entropy to the shared spin; the root over all of it is published before the outcome can be
 * known. Once per player: a repeat answers with the first entry. Refuses game_not_found, round_not_open.
 */
export async function joinRound(
  tx: Tx,
  { game, client_entropy }: { game: string; client_entropy: string },
): Promise<JoinAnswer> {
  const wheel = await loadWheelForUpdate(tx, game)
  if (wheel === undefined) refuse('game_not_found')
  const round = await loadOpenRoundForUpdate(tx, wheel.id)
  if (round === undefined || round.round_status !== 'open' || tx.now >= round.closes_at)
    refuse('round_not_open')
  if (!(await loadCheckpointed(tx, [round.commit_hash])).has(round.commit_hash))
    refuse('round_not_open', {
      detail: 'Its commitment is being published; try again in a moment.',
      retry_after_s: 1,
    })
  const mine = await loadRoundEntry(tx, round.id, tx.actor.userId)
  if (mine !== undefined) return joinAnswer(tx, round, mine)

  const { entrant, entrant_salt } = makeEntrant(tx, wheel.id, tx.actor.userId)
  const leaf = { e: entrant, i: round.entry_count, c: client_entropy }
  const entry = {
    round_id: round.id,
    entry_index: round.entry_count,
    user_id: tx.actor.userId,
    entrant,
    entrant_salt,
    client_entropy,
    leaf: jcs(leaf),
  }
  await insertRoundEntry(tx, entry)
  await updateRound(tx, round.id, { entry_count: round.entry_count + 1 })
  tx.emit({
    gameId: wheel.id,
    type: 'wheel.round_joined',
    data: { round_id: round.id, entry_count: round.entry_count + 1 },
  })
  return joinAnswer(tx, round, entry)
}

function joinAnswer(
  tx: Tx,
  round: RoundRow,
  entry: { entry_index: number; entrant: string; entrant_salt: string; leaf: string },
): JoinAnswer {
  const leaf_hash = toHex(leafHashOf(JSON.parse(entry.leaf), NODE_HASH))
  const receipt = entryReceipt(tx, { commit_hash: round.commit_hash, i: entry.entry_index, leaf_hash })
  return {
    round_id: round.id,
    entry_index: entry.entry_index,
    entrant: entry.entrant,
    salt: entry.entrant_salt,
    receipt,
  }
}

/** What a move may need from outside the transaction; obtained before it and checked inside. */
export type Obtained = { beacon?: BeaconRound }

/**
 * Makes the next move of a shared spin if it is due, and says what it was; null when nothing is due.
 * Locks the round first, so two processes make each move once.
 */
export async function advanceRound(
  tx: Tx,
  { round_id, obtained }: { round_id: string; obtained: Obtained },
): Promise<RoundStatus | null> {
  const round = await loadRoundForUpdate(tx, round_id)
  if (round === undefined) return null
  if (round.round_status === 'open' && tx.now >= round.closes_at) return close(tx, round)
  if (round.round_status === 'closed') return draw(tx, round, obtained)
  if (round.round_status === 'drawn' && tx.now >= round.settle_at!) return settle(tx, round)
  return null
}

/** Makes a move that the table of states allows; the caller holds the row's lock. */
async function move(tx: Tx, round: RoundRow, to: RoundStatus, change: RoundChange): Promise<RoundStatus> {
  if (!canMove(round.round_status, to))
    throw new Error(`a round that is ${round.round_status} cannot be ${to}`)
  await updateRound(tx, round.id, { ...change, round_status: to })
  return to
}

/** Whether entropy that the commitment names may be out by now: whoever knows it could still choose the last entry. */
function isTooLate(doc: CommitDoc, now: Date): boolean {
  const out_at = roundOutAt(doc)
  return out_at !== null && now >= out_at
}

/** Ends a round by its own rule, without an outcome, in public (fair-1.md section 7.3). */
async function voidRound(tx: Tx, round: RoundRow, void_reason: string): Promise<RoundStatus> {
  await move(tx, round, 'void', { void_reason })
  tx.log({ type: 'void', commitHash: round.commit_hash, reason: void_reason })
  const data = { round_id: round.id, round_no: round.round_no, reason: void_reason }
  tx.emit({ gameId: round.wheel_game_id, type: 'wheel.round_voided', data })
  const new_values = { round_no: round.round_no, reason: void_reason }
  tx.audit({ action: 'void_round', entity_type: 'wheel_round', entity_id: round.id, new_values })
  return 'void'
}

async function close(tx: Tx, round: RoundRow): Promise<RoundStatus> {
  if (isTooLate(JSON.parse(round.doc) as CommitDoc, tx.now)) return voidRound(tx, round, 'root_late')
  const entries = await loadRoundEntries(tx, round.id)
  const root = toHex(
    merkleRoot(
      entries.map((entry) => leafHashOf(JSON.parse(entry.leaf), NODE_HASH)),
      NODE_HASH,
    ),
  )
  await move(tx, round, 'closed', { entries_root: root })
  tx.log({ type: 'root', commitHash: round.commit_hash, n: entries.length, root })
  tx.emit({
    gameId: round.wheel_game_id,
    type: 'wheel.round_closed',
    data: { round_id: round.id, round_no: round.round_no, entry_count: entries.length, entries_root: root },
  })
  return 'closed'
}

async function draw(tx: Tx, round: RoundRow, { beacon }: Obtained): Promise<RoundStatus | null> {
  const doc = JSON.parse(round.doc) as CommitDoc
  const config = JSON.parse(round.config) as WheelConfig
  if (doc.beacon !== undefined && beacon === undefined) return null
  const { key, randomness } = await outcomeKey(tx, doc, round.seed_id, beacon)
  const ctx = context('round', [round.commit_hash, round.round_no, round.entries_root!, randomness])
  const weights = config.segments.map((segment) => segment.weight)
  const { index, roll } = spinIndex(prepareKey(key), ctx, weights)
  const segment = config.segments[index]!
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const starts_at = new Date(tx.now.getTime() + LANDING_LEAD_MS * 4)
  const landing = landingOf(roll, total, starts_at, config.spin.duration_ms)
  const outcome = { id: segment.id, index }
  const settle_at = new Date(starts_at.getTime() + config.spin.duration_ms)
  await move(tx, round, 'drawn', {
    outcome,
    landing,
    ctx,
    settle_at,
    beacon: beacon ?? null,
  })
  if (beacon !== undefined) tx.log({ type: 'beacon', commitHash: round.commit_hash, ...beacon })
  tx.log({ type: 'result', commitHash: round.commit_hash, ctx, outcome })
  tx.emit({
    gameId: round.wheel_game_id,
    type: 'wheel.round_drawn',
    data: {
      round_id: round.id,
      round_no: round.round_no,
      segment: index,
      reward_slug: segment.id,
      landing,
      entry_count: round.entry_count,
    },
  })
  tx.audit({
    action: 'draw_round',
    entity_type: 'wheel_round',
    entity_id: round.id,
    new_values: { round_no: round.round_no, reward_slug: segment.id },
  })
  return 'drawn'
}

async function settle(tx: Tx, round: RoundRow): Promise<RoundStatus> {
  await revealShared(tx, round.seed_id)
  await move(tx, round, 'settled', {})
  tx.emit({
    gameId: round.wheel_game_id,
    type: 'wheel.round_settled',
    data: { round_id: round.id, round_no: round.round_no },
  })
  return 'settled'
}
