/**
 * The spin as one function call per spin, in one round trip and one transaction of its own: connections hold the
 * application's role for good, and the function names the tenant. See spin-function.sql.
 */
import { hash as digest } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import type { App } from '../../src/app.ts'
import type { Actor, GameEvent } from '../../src/db/tx.ts'
import { nameOf } from '../../src/games/players.ts'
import type { SpinRequest } from '../../src/games/wheel/wheel.ts'
import { newCode, newId } from '../../src/ids.ts'

const CONNECTIONS = 20
const PAD_BYTES = 64

export type FunctionSpins = {
  spin(actor: Actor, request: SpinRequest): Promise<string>
  end(): Promise<void>
}

type Pair = { id: string; inner: Buffer; outer: Buffer }

const CALL =
  'select answer, seq, data from bench.spin($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)'

/** Creates the function in its scratch schema and a pool that calls it. */
export async function makeFunctionSpins(
  app: App,
  url: string,
  publish: (events: readonly GameEvent[]) => void = () => {},
): Promise<FunctionSpins> {
  await app.database.query(await readFile(new URL('spin-function.sql', import.meta.url), 'utf8'))
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, options: '-c role=livedraw_app' })
  let is_ended = false
  // A connection that PostgreSQL ends as it stops is no news.
  pool.on('error', (error) => is_ended || console.error('pool:', error))
  const pairs = new Map<string, Pair>()

  async function openPair(actor: Actor, wheel_id: string): Promise<Pair> {
    const pair = await app.run(
      actor,
      async (tx) => {
        const row = await tx.one<{ id: string; sealed_seed: string; seed_hash: string }>(
          `select id, sealed_seed, seed_hash from fair_seeds where game_id = $1 and user_id = $2 and seed_status = 'active'`,
          [wheel_id, actor.userId],
        )
        const seed = tx.keys.open(row!.sealed_seed, { gameId: wheel_id, seedHash: row!.seed_hash })
        return { id: row!.id, inner: padOf(seed, 0x36), outer: padOf(seed, 0x5c) }
      },
      undefined,
    )
    pairs.set(actor.userId, pair)
    return pair
  }

  return {
    async spin(actor, { wheel_id, request_id, client_entropy = '-' }) {
      const pair = pairs.get(actor.userId) ?? (await openPair(actor, wheel_id))
      const { tenantId, userId, ip = null } = actor
      const now = app.clock.now()
      const { rows } = await pool.query<{
        answer: string
        seq: number
        data: Record<string, unknown> | null
      }>({
        name: 'bench_spin',
        text: CALL,
        values: [
          tenantId,
          userId,
          ip,
          wheel_id,
          request_id,
          digest('sha256', `${wheel_id}\n${client_entropy}`, 'hex'),
          client_entropy,
          pair.id,
          pair.inner,
          pair.outer,
          newId(),
          newId(),
          newId(),
          newCode(8),
          nameOf(digest('sha256', `${tenantId}\n${userId}`, 'hex')),
          now,
        ],
      })
      const { answer, seq, data } = rows[0]!
      if (data !== null)
        publish([{ tenantId, gameId: wheel_id, seq, type: 'wheel.spun', at: now.toISOString(), data }])
      return answer
    },
    end() {
      is_ended = true
      return pool.end()
    },
  }
}

/** The key of an HMAC as its pad (RFC 2104): 32 bytes are shorter than a block and stand at its start. */
function padOf(seed: Buffer, fill: number): Buffer {
  const pad = Buffer.alloc(PAD_BYTES, fill)
  for (let i = 0; i < seed.length; i++) pad[i] = seed[i]! ^ fill
  return pad
}
