/**
 * Seed pairs (fair-1.md 9.1): per player and game the current commitment and the next one, both public before
 * anything is drawn from them.
 */
import { randomBytes } from 'node:crypto'
import { type Tx, together } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { jcs } from '../fairness/canonical.ts'
import { type CommitDoc, commitHash, entrantHash, type Kind, seedHash } from '../fairness/commit.ts'
import { newId } from '../ids.ts'
import { NODE_HASH } from '../node-hash.ts'
import {
  activateSeed,
  insertSeeds,
  loadHolders,
  loadPairsForUpdate,
  lockPairs,
  type NewSeed,
  revealSeeds,
  type SeedRow,
} from './store.ts'

/** What a pair is bound to: a game's version and its canonical config text. */
export type PairBinding = {
  gameId: string
  kind: Kind
  config_version: number
  config_text: string
  config_hash: string
}

export type PairRequest = { user_id: string; binding: PairBinding }

export type CommitmentView = { commit_hash: string; doc: CommitDoc; jws: string; seq: number }

/**
 * Makes sure that each of these players has a current and a next pair for the binding, in one transaction.
 *
 * A pair of an older version is closed and revealed, also when it was never used, and its successor starts with
 * client seed `-`: an old client seed would be known to the server before it made the new seed. Idempotent.
 * Returns the ids of the seeds that were closed.
 */
export async function ensurePairs(tx: Tx, requests: readonly PairRequest[]): Promise<string[]> {
  const keys = requests.map(({ user_id, binding }) => ({ user_id, game_id: binding.gameId }))
  const [, rows] = await together(lockPairs(tx, keys), loadPairsForUpdate(tx, keys))
  const kept = groupByPlayer(rows)
  const missing = requests.filter(({ user_id, binding }) => {
    const rows = kept.get(playerKey(binding.gameId, user_id)) ?? []
    return rows.length < 2 || rows.some((row) => row.config_version !== binding.config_version)
  })
  if (missing.length === 0) return []

  const stale = missing.flatMap(({ user_id, binding }) => kept.get(playerKey(binding.gameId, user_id)) ?? [])
  const [, known_holders] = await together(
    reveal(tx, stale),
    loadHolders(
      tx,
      missing.map(({ user_id, binding }) => ({ user_id, game_id: binding.gameId })),
    ),
  )
  const holders = new Map(known_holders.map((row) => [playerKey(row.game_id, row.user_id), row]))
  const made = missing.flatMap(({ user_id, binding }) => {
    const known = holders.get(playerKey(binding.gameId, user_id))
    const holder_salt = known?.holder_salt ?? randomBytes(16).toString('hex')
    const holder = known?.holder ?? entrantHash(binding.gameId, user_id, holder_salt, NODE_HASH)
    const owner = { user_id, holder, holder_salt }
    const seq = known?.seq ?? 0
    return [makeSeed(tx, binding, owner, seq + 1, 'active'), makeSeed(tx, binding, owner, seq + 2, 'next')]
  })
  publishSeeds(tx, made)
  for (const seed of made)
    if (seed.seed_status === 'active')
      tx.log({ type: 'client', commitHash: seed.commit_hash, clientSeed: '-' })
  return stale.map((seed) => seed.id)
}

/**
 * Closes and reveals the current pair and makes the next one current with the player's own seed.
 *
 * `client_seed` must have been made after the player saw `next_commit_hash`, which is therefore asked for.
 * Refuses seed_pair_not_found, then seed_pair_replaced when the next commitment is another one by now.
 */
export async function rotatePair(
  tx: Tx,
  input: { user_id: string; binding: PairBinding; client_seed: string; next_commit_hash: string },
): Promise<{
  revealed: { commit_hash: string; server_seed: string; spins: number }
  closed_seed_id: string
}> {
  const { user_id, binding, client_seed, next_commit_hash } = input
  const key = [{ user_id, game_id: binding.gameId }]
  await lockPairs(tx, key)
  const rows = await loadPairsForUpdate(tx, key)
  const current = rows.find((row) => row.seed_status === 'active')
  const next = rows.find((row) => row.seed_status === 'next')
  if (current === undefined || next === undefined) refuse('seed_pair_not_found')
  if (next.commit_hash !== next_commit_hash || next.config_version !== binding.config_version)
    refuse('seed_pair_replaced')

  const [revealed] = await reveal(tx, [current])
  await activateSeed(tx, next.id, client_seed)
  tx.log({ type: 'client', commitHash: next.commit_hash, clientSeed: client_seed })
  const owner = { user_id, holder: next.holder!, holder_salt: next.holder_salt! }
  publishSeeds(tx, [makeSeed(tx, binding, owner, next.seq + 1, 'next')])
  tx.audit({
    action: 'rotate_seed_pair',
    entity_type: 'fair_seed',
    entity_id: next.id,
    new_values: { revealed: current.commit_hash, current: next.commit_hash, spins: current.next_nonce },
  })
  return {
    revealed: {
      commit_hash: current.commit_hash,
      server_seed: revealed!.server_seed,
      spins: current.next_nonce,
    },
    closed_seed_id: current.id,
  }
}

/** Opens seeds and says so in the log, with the number of spins, so that a missing one shows. */
export async function reveal(
  tx: Tx,
  seeds: readonly SeedRow[],
): Promise<{ id: string; server_seed: string }[]> {
  if (seeds.length === 0) return []
  const opened = seeds.map((seed) => ({
    id: seed.id,
    server_seed: tx.keys
      .open(seed.sealed_seed, { gameId: seed.game_id, seedHash: seed.seed_hash })
      .toString('hex'),
  }))
  await revealSeeds(tx, opened)
  seeds.forEach((seed, i) => {
    tx.log({
      type: 'reveal',
      commitHash: seed.commit_hash,
      serverSeed: opened[i]!.server_seed,
      count: seed.next_nonce,
    })
  })
  return opened
}

type Owner = { user_id: string; holder: string; holder_salt: string }

function makeSeed(
  tx: Tx,
  binding: PairBinding,
  owner: Owner,
  seq: number,
  seed_status: 'active' | 'next',
): NewSeed {
  const { gameId, kind, config_version, config_text, config_hash } = binding
  const seed = tx.entropy(32)
  const hashed = seedHash(seed, NODE_HASH)
  const doc: CommitDoc = {
    v: 1,
    kind,
    tenantId: tx.actor.tenantId,
    gameId,
    seq,
    mode: 'pair',
    configHash: config_hash,
    seedHash: hashed,
    holder: owner.holder,
    opensAt: tx.now.toISOString(),
  }
  return {
    id: newId(),
    kind,
    game_id: gameId,
    ...owner,
    commit_hash: commitHash(doc, NODE_HASH),
    config_version,
    seq,
    seed_hash: hashed,
    sealed_seed: tx.keys.seal(seed, { gameId, seedHash: hashed }),
    seed_status,
    doc: jcs(doc),
    config: config_text,
    jws: tx.keys.signDocument('fair1-commit', doc),
  }
}

/** Stores commitments and puts each into the log. */
function publishSeeds(tx: Tx, seeds: readonly NewSeed[]): void {
  tx.awaitBeforeCommit(insertSeeds(tx, seeds))
  for (const seed of seeds)
    tx.log({ type: 'commit', commitHash: seed.commit_hash, doc: JSON.parse(seed.doc) })
}

const playerKey = (gameId: string, user_id: string): string => `${gameId}\n${user_id}`

function groupByPlayer(rows: readonly SeedRow[]): Map<string, SeedRow[]> {
  const groups = new Map<string, SeedRow[]>()
  for (const row of rows) {
    const key = playerKey(row.game_id, row.user_id!)
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  return groups
}
