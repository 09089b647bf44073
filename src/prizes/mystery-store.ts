/** Statements over pools of mystery prizes and what was drawn from them. */
import type { Tx } from '../db/tx.ts'

export type PoolRow = {
  prize_id: number
  pool_version: number
  config: string
  config_hash: string
  snapshots: Record<string, any>[]
}

/** A version of a pool; null is the one in force. */
export function loadPool(tx: Tx, prize_id: number, pool_version: number | null) {
  return tx.one<PoolRow>(
    `select m.prize_id, m.pool_version, m.config, m.config_hash, m.snapshots
     from mystery_pools m join gamification_prizes p on p.id = m.prize_id
     where m.prize_id = $1 and m.pool_version = coalesce($2, p.pool_version)`,
    [prize_id, pool_version],
    'load_pool',
  )
}

export async function insertPool(tx: Tx, pool: PoolRow): Promise<void> {
  await tx.rows(
    `insert into mystery_pools (prize_id, pool_version, config, config_hash, snapshots, written_by, created_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      pool.prize_id,
      pool.pool_version,
      pool.config,
      pool.config_hash,
      JSON.stringify(pool.snapshots),
      tx.actor.userId,
      tx.now,
    ],
  )
}

/** Takes the next nonce of a pair that is in use. The caller holds the row's lock. */
export async function takeNonce(tx: Tx, seed_id: string): Promise<number> {
  const row = await tx.one<{ nonce: number }>(
    `update fair_seeds set next_nonce = next_nonce + 1, updated_at = $2
     where id = $1 and seed_status = 'active' returning next_nonce - 1 as nonce`,
    [seed_id, tx.now],
    'take_nonce',
  )
  return row!.nonce
}

export type MysteryRecord = {
  id: string
  play_id: number
  mystery_prize_id: number
  pool_version: number
  seed_id: string
  nonce: number
  client_entropy: string
  roll: number
  segment_index: number
  award_index: number
  prize_id: number
  prize_snapshot: Record<string, unknown>
  result_timestamp: Date
}

/** Writes a draw, and with it takes one from the stock of what was given, where that is limited. */
export async function insertMystery(tx: Tx, record: MysteryRecord): Promise<void> {
  await tx.rows(
    `with taken as (
       update gamification_prizes set won_count = won_count + 1, updated_at = $14 where id = $11 and stock is not null
     )
     insert into mystery_results (id, play_id, mystery_prize_id, pool_version, seed_id, nonce, client_entropy, roll, segment_index,
                                  award_index, prize_id, prize_snapshot, result_timestamp, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    [
      record.id,
      record.play_id,
      record.mystery_prize_id,
      record.pool_version,
      record.seed_id,
      record.nonce,
      record.client_entropy,
      record.roll,
      record.segment_index,
      record.award_index,
      record.prize_id,
      JSON.stringify(record.prize_snapshot),
      record.result_timestamp,
      tx.now,
    ],
    'insert_mystery',
  )
}

/** The prize of a play becomes what was drawn for it. `never_expires`: what was paid at once cannot run out. */
export async function showMystery(
  tx: Tx,
  play_id: number,
  prize_snapshot: Record<string, unknown>,
  never_expires: boolean,
): Promise<void> {
  await tx.rows(
    `update gamification_game_plays
     set prize_snapshot = $2, expires_at = case when $3 then null else expires_at end, updated_at = $4, row_version = row_version + 1
     where id = $1`,
    [play_id, JSON.stringify(prize_snapshot), never_expires, tx.now],
    'show_mystery',
  )
}
