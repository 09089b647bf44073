/**
 * Statistics of young tables. PostgreSQL plans without any until autovacuum comes by, ten seconds to a minute after the first
 * rows, and such plans read every row of a tenant where an index leads to one: a spin cost it half as much again. Tables
 * that nobody has looked at yet are looked at here; all later growth is autovacuum's.
 */
import type { Database } from './pool.ts'

const LOOK_EVERY_MS = 1_000

/**
 * Analyzes each table of ours that has grown past its first page and has never been analyzed or vacuumed. Answers their
 * names. Two processes that do it at once do it twice, which does no harm.
 */
export async function analyzeYoung(database: Pick<Database, 'query'>): Promise<string[]> {
  const young = await database.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname = 'public' and c.reltuples < 0 and pg_has_role(c.relowner, 'usage')
       and pg_relation_size(c.oid) > current_setting('block_size')::int
     order by 1`,
  )
  for (const { name } of young) await database.query(`analyze ${name}`)
  return young.map(({ name }) => name)
}

/** Looks once a second until it is stopped. */
export function keepStatistics(
  database: Pick<Database, 'query'>,
  report: (where: string, error: unknown) => void,
): { stop(): Promise<void> } {
  let looking = Promise.resolve()
  let is_busy = false
  const timer = setInterval(() => {
    if (is_busy) return
    is_busy = true
    looking = analyzeYoung(database)
      .catch((error: unknown) => report('statistics', error))
      .then(() => {
        is_busy = false
      })
  }, LOOK_EVERY_MS).unref()
  return {
    async stop() {
      clearInterval(timer)
      await looking
    },
  }
}
