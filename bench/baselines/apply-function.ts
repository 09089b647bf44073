/**
 * An application as one function call, in one round trip and one transaction of its own: connections hold the
 * application's role for good, and the function names the tenant. See apply-function.sql.
 */
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import type { App } from '../../src/app.ts'
import { type Actor, inputHash } from '../../src/db/tx.ts'
import { newId } from '../../src/ids.ts'

const CONNECTIONS = 20
const CALL = 'select bench.apply($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)'

export type FunctionApplications = {
  /** Under a key that is the order's id. */
  apply(service: Actor, request: { play_id: number; order_id: string; order_minor: number }): Promise<unknown>
  end(): Promise<void>
}

/** Creates the function in its scratch schema and a pool that calls it. */
export async function makeFunctionApplications(app: App, url: string): Promise<FunctionApplications> {
  await app.database.query(await readFile(new URL('apply-function.sql', import.meta.url), 'utf8'))
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, options: '-c role=livedraw_app' })
  let is_ended = false
  // A connection that PostgreSQL ends as it stops is no news.
  pool.on('error', (error) => is_ended || console.error('pool:', error))
  return {
    apply({ tenantId, userId }, { play_id, order_id, order_minor }) {
      return pool.query({
        name: 'bench_apply',
        text: CALL,
        values: [
          tenantId,
          userId,
          'bench',
          order_id,
          inputHash(order_id),
          play_id,
          order_id,
          order_minor,
          inputHash({ order_minor }),
          newId(),
          app.clock.now(),
        ],
      })
    },
    end() {
      is_ended = true
      return pool.end()
    },
  }
}
