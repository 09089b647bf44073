/**
 * Mystery prizes (S2-27): a prize that is drawn when its winner opens it, by FAIR/1, from a pool that was committed to
 * before. Once per award: the draw is a row of its own, unique by play, in the transaction that unlocks the prize.
 *
 * The seed pair belongs to the player and the version of the pool (fair-1.md 9.2), so that a prize that was won under an
 * older pool is drawn from that one. Nothing is drawn from a pair before a checkpoint covers its commitment.
 */
import type { Tx } from '../db/tx.ts'
import { type FieldError, Refusal, refuse } from '../errors.ts'
import { jcs } from '../fairness/canonical.ts'
import { configHash } from '../fairness/commit.ts'
import { context } from '../fairness/rolls.ts'
import { newId } from '../ids.ts'
import { NODE_HASH, prepareKey, spinIndex, wipeKey } from '../node-hash.ts'
import type { PairBinding } from '../proofs/pairs.ts'
import { loadCheckpointed, loadPairsForUpdate, type SeedRow } from '../proofs/store.ts'
import { beginningOf, effectWhenWon } from './effect-rules.ts'
import { takeEffect } from './effects.ts'
import { StockSet } from './grant.ts'
import { countLimited, loadLimitedPrizesForUpdate, loadPrizes } from './grant-store.ts'
import { snapshotOf } from './issue.ts'
import {
  awardIndexOf,
  mysteryGameId,
  type PoolConfig,
  type PoolEntry,
  poolConfigOf,
} from './mystery-rules.ts'
import { insertMystery, insertPool, loadPool, type PoolRow, showMystery, takeNonce } from './mystery-store.ts'
import { takeCodes } from './partner-codes.ts'
import { loadTerms } from './store.ts'

/** A pool: of the mystery with this number, in this version, or in the one in force. */
export type PoolRef = { prize_id: number; pool_version: number | null }

/** Raised where a draw needs a pair that is not there, or that no checkpoint covers yet; never leaves mysteries.ts. */
export class MysteryPairMissing extends Refusal {
  readonly pool: PoolRef

  constructor(pool: PoolRef) {
    super('seed_pair_not_found')
    this.pool = pool
  }
}

/** What a play carries of its draw once it is resolved; part of `prize_snapshot`. */
export type Drawn = { event_id: string; prize_id: number; pool_version: number }

// --- Pools --------------------------------------------------------------------------------------------------------

/** What is wrong with a pool as an operator writes it: every part is a prize that can be given and is no riddle itself. */
export async function poolFaults(tx: Tx, entries: readonly PoolEntry[]): Promise<FieldError[]> {
  const known = new Map((await loadPrizes(tx, idsOf(entries))).map((row) => [row.id, row]))
  const errors: FieldError[] = []
  for (const [i, { prize_id }] of entries.entries()) {
    const pointer = `/pool/${i}/prize_id`
    const prize = known.get(prize_id)
    if (prize === undefined) errors.push({ pointer, detail: 'There is no such prize.' })
    else if (prize.type === 'mystery' || prize.parts.length > 0)
      errors.push({ pointer, detail: 'A mystery holds single prizes, no mystery and no bundle.' })
    if (entries.findIndex((each) => each.prize_id === prize_id) !== i)
      errors.push({ pointer, detail: 'This prize stands in the pool already; add up the weights.' })
  }
  return errors
}

const idsOf = (entries: readonly { prize_id: number }[]): number[] =>
  [...new Set(entries.map(({ prize_id }) => prize_id))].sort((a, b) => a - b)

/** Writes a version of a pool, for ever, and says its hash in the public log. */
export async function publishPool(
  tx: Tx,
  {
    prize_id,
    pool_version,
    entries,
  }: { prize_id: number; pool_version: number; entries: readonly PoolEntry[] },
): Promise<void> {
  const known = new Map((await loadPrizes(tx, idsOf(entries))).map((row) => [row.id, row]))
  const prizes = entries.map((entry) => known.get(entry.prize_id) ?? refuse('not_found'))
  const config = poolConfigOf(entries, prizes)
  const config_hash = configHash(config, NODE_HASH)
  const snapshots = prizes.map(snapshotOf)
  await insertPool(tx, { prize_id, pool_version, config: jcs(config), config_hash, snapshots })
  tx.log({ type: 'config', gameId: mysteryGameId(prize_id, pool_version), configHash: config_hash })
}

/** What a player's pair on a pool is bound to. Refuses not_found. */
export async function bindPool(tx: Tx, ref: PoolRef): Promise<PairBinding> {
  return bindingOf(await readPool(tx, ref))
}

/** A version of a pool. Refuses not_found. */
export async function readPool(tx: Tx, { prize_id, pool_version }: PoolRef): Promise<PoolRow> {
  return (await loadPool(tx, prize_id, pool_version)) ?? refuse('not_found')
}

function bindingOf({ prize_id, pool_version, config, config_hash }: PoolRow): PairBinding {
  return {
    gameId: mysteryGameId(prize_id, pool_version),
    kind: 'mystery',
    config_version: pool_version,
    config_text: config,
    config_hash,
  }
}

// --- The draw -----------------------------------------------------------------------------------------------------

type Play = {
  id: number
  uuid: string
  user_id: string
  prize_snapshot: Record<string, any> | null
}

/**
 * Draws what a mystery is, and makes it that: the play shows the prize that was drawn, and what takes effect when it is
 * won takes effect now. The caller holds the lock of a play that is a locked mystery. Returns the prize as it is now.
 *
 * Refuses pool_exhausted when nothing of the pool is left (nothing is drawn then, and the prize stays locked), and
 * MysteryPairMissing. Lock order: after the play: the pair, limited definitions, what effects lock.
 * Source: fair-1.md 9.2 and section 6.
 */
export async function resolveMystery(
  tx: Tx,
  play: Play,
  client_entropy: string,
): Promise<Record<string, unknown>> {
  const issued = play.prize_snapshot!
  const ref = { prize_id: issued['id'] as number, pool_version: issued['pool_version'] as number }
  const pool = await readPool(tx, ref)
  const config = JSON.parse(pool.config) as PoolConfig
  const seed = await lockPair(tx, play.user_id, pool)
  const left = await leftOf(tx, pool)
  if (!left.includes(true)) refuse('pool_exhausted')

  const nonce = await takeNonce(tx, seed.id)
  const { index, roll } = draw(tx, seed, nonce, client_entropy, config)
  const award_index = awardIndexOf(index, left)!
  const id = newId()
  const prize_id = config.segments[award_index]!.prize.id
  const drawn: Drawn = { event_id: id, ...ref }
  const { currency } = await loadTerms(tx)
  const given = pool.snapshots[award_index]! as { type: string; value: string | null; takes_codes?: boolean }
  const effect = effectWhenWon(given, currency)
  const { is_at_hand } = beginningOf(effect)
  const prize_snapshot = {
    ...given,
    // A mystery that nobody may pass on does not become something that one may.
    is_transferable:
      !is_at_hand && issued['is_transferable'] !== false && pool.snapshots[award_index]!['is_transferable'],
    mystery: drawn,
  }
  await insertMystery(tx, {
    id,
    play_id: play.id,
    mystery_prize_id: ref.prize_id,
    pool_version: ref.pool_version,
    seed_id: seed.id,
    nonce,
    client_entropy,
    roll,
    segment_index: index,
    award_index,
    prize_id,
    prize_snapshot,
    // Never stamped before its commitment, even where two processes' clocks differ.
    result_timestamp: new Date(Math.max(tx.now.getTime(), seed.committed_at.getTime() + 1)),
  })
  await showMystery(tx, play.id, prize_snapshot, is_at_hand)
  tx.log({ type: 'spin', commitHash: seed.commit_hash, entropy: client_entropy, nonce, result: index })
  tx.audit({
    action: 'mystery.drawn',
    entity_type: 'mystery_result',
    entity_id: id,
    new_values: {
      play_id: play.id,
      ...ref,
      nonce,
      roll,
      segment: index,
      award: award_index,
      given_prize_id: prize_id,
    },
  })
  if (given.takes_codes) await takeCodes(tx, [{ play_id: play.id, prize_id }])
  if (effect !== null) await takeEffect(tx, { play: { ...play, prize_snapshot }, effect, order_id: null })
  return prize_snapshot
}

async function lockPair(tx: Tx, user_id: string, pool: PoolRow): Promise<SeedRow> {
  const game_id = mysteryGameId(pool.prize_id, pool.pool_version)
  const pairs = await loadPairsForUpdate(tx, [{ user_id, game_id }])
  const seed = pairs.find((row) => row.seed_status === 'active')
  if (seed === undefined || !(await loadCheckpointed(tx, [seed.commit_hash])).has(seed.commit_hash))
    throw new MysteryPairMissing(pool)
  return seed
}

/** Which parts of the pool can be given now. Limited ones stay locked, so that what is left is left until the commit. */
async function leftOf(tx: Tx, { snapshots }: PoolRow): Promise<boolean[]> {
  const ids = idsOf(snapshots.map((each) => ({ prize_id: each['id'] as number })))
  const prizes = new Map((await loadPrizes(tx, ids)).map((row) => [row.id, row]))
  const limited = [...prizes.values()].filter((row) => row.stock !== null).map((row) => row.id)
  if (limited.length > 0)
    for (const row of await loadLimitedPrizesForUpdate(tx, limited)) prizes.set(row.id, row)
  const unlimited = [...prizes.values()].filter((row) => row.stock === null).map((row) => row.id)
  // Whoever sets a stock counts what was given; what he could not see yet must not go beyond it.
  if (unlimited.length > 0 && (await countLimited(tx, unlimited)) > 0) throw new StockSet()
  return snapshots.map((each) => {
    const prize = prizes.get(each['id'])
    return prize !== undefined && (prize.stock === null || prize.won_count < prize.stock)
  })
}

function draw(tx: Tx, seed: SeedRow, nonce: number, client_entropy: string, config: PoolConfig) {
  const secret = tx.keys.open(seed.sealed_seed, { gameId: seed.game_id, seedHash: seed.seed_hash })
  const key = prepareKey(secret)
  secret.fill(0)
  try {
    const ctx = context('mystery', [seed.commit_hash, seed.client_seed, nonce, client_entropy])
    return spinIndex(
      key,
      ctx,
      config.segments.map((segment) => segment.weight),
    )
  } finally {
    wipeKey(key)
  }
}
