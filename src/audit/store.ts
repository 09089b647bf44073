/** What the auditor reads, one exported function per statement. Every statement runs as livedraw_auditor. */
import type { PoolClient } from 'pg'
import type { Database } from '../db/pool.ts'

/**
 * Runs `read` as livedraw_auditor in one REPEATABLE READ, READ ONLY transaction, so that all its statements see one
 * state and none can change it. The owner itself is bound by row-level security and would see no rows.
 */
export async function asAuditor<T>(client: PoolClient, read: (client: PoolClient) => Promise<T>): Promise<T> {
  await client.query('begin isolation level repeatable read read only; set local role livedraw_auditor')
  try {
    return await read(client)
  } finally {
    await client.query('rollback')
  }
}

export type SealedSeed = { sealed_seed: string; game_id: string; seed_hash: string }

/** The newest seed of any tenant that is sealed and not revealed: ids are ordered by time. */
export async function newestSealedSeed(database: Database): Promise<SealedSeed | undefined> {
  const client = await database.connect()
  try {
    return await asAuditor(client, async () => {
      const { rows } = await client.query<SealedSeed>(
        `select sealed_seed, game_id, seed_hash from fair_seeds where seed_status <> 'revealed' order by id desc limit 1`,
      )
      return rows[0]
    })
  } finally {
    client.release()
  }
}
