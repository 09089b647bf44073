/** Statements about tenants and blocked users, one function each. */
import type { Database } from '../db/pool.ts'
import type { Tx } from '../db/tx.ts'

/** What doors need to know about a tenant. */
export type TenantRow = {
  id: string
  tenant_code: string
  tenant_name: string
  is_active: boolean
  is_demo: boolean
  currency: string
  time_zone: string
  language_code: string
  idp_issuer: string | null
  idp_jwks_url: string | null
  idp_audience: string | null
}

/** All tenants that are not deleted, through the one function that may look across them. */
export function loadDirectory(database: Database): Promise<TenantRow[]> {
  return database.query<TenantRow>('select * from tenant_directory()')
}

/** What a stranger may name: a chance event, or the hash of a commitment. */
export type PublicId = { event_id: string } | { commit_hash: string }

const EVENT_TABLES = ['spin_sessions', 'wheel_rounds', 'draws', 'mystery_results']

const hasEvent = EVENT_TABLES.map(
  (table) => `exists (select from ${table} x where x.tenant_id = t.id and x.id = $1::uuid)`,
).join(' or ')

/**
 * The tenant that has this, whatever the number of tenants in one statement: keys begin with the tenant, so each is
 * asked for by its index. Reads as livedraw_auditor, who may look across tenants and writes nothing.
 */
export async function findTenantOf(database: Database, id: PublicId): Promise<string | undefined> {
  const [condition, value] =
    'event_id' in id
      ? [hasEvent, id.event_id]
      : [
          'exists (select from fair_commitments x where x.tenant_id = t.id and x.commit_hash = $1)',
          id.commit_hash,
        ]
  const client = await database.connect()
  try {
    await client.query('begin read only; set local role livedraw_auditor')
    const { rows } = await client.query<{ id: string }>({
      name: 'event_id' in id ? 'tenant_of_event' : 'tenant_of_commitment',
      text: `select t.id from tenants t where t.deleted_at is null and (${condition}) limit 1`,
      values: [value],
    })
    return rows[0]?.id
  } finally {
    await client.query('rollback').then(
      () => client.release(),
      (error: Error) => client.release(error),
    )
  }
}

/** Who is blocked in the tenant of this transaction. */
export function loadBlocked(tx: Tx): Promise<{ user_id: string; blocked_until: Date | null }[]> {
  return tx.rows('select user_id, blocked_until from blocked_users', [], 'load_blocked')
}

/** All columns of tenants that are not deleted, in the order of their codes, from the one after `after_code`. */
export function listTenants(
  database: Database,
  after_code: string,
  limit: number,
): Promise<Record<string, any>[]> {
  return database.query(
    `select id, tenant_code, tenant_name, is_active, is_demo, country_code, currency, language_code, time_zone,
            idp_issuer, idp_jwks_url, idp_audience, row_version, created_at, updated_at
     from tenants where deleted_at is null and tenant_code > $1 order by tenant_code limit $2`,
    [after_code, limit],
  )
}

/** The heads of a new tenant's chains. */
export async function insertHeads(tx: Tx): Promise<void> {
  await tx.rows('insert into tenant_heads default values')
}

/** Whether anything of this tenant has an amount in its currency: a definition, a prize, an account. */
export async function hasAmounts(tx: Tx): Promise<boolean> {
  const row = await tx.one<{ has_amounts: boolean }>(
    `select exists (select from gamification_prizes where deleted_at is null)
         or exists (select from gamification_game_plays where is_winner)
         or exists (select from ledger_accounts) as has_amounts`,
  )
  return row!.has_amounts
}

/** The engine of a type, as far as a template needs it. */
export function findEngine(
  tx: Tx,
  by: { id?: string | undefined; engine_type?: string | undefined },
): Promise<{ id: string; engine_type: string; engine_status: string } | undefined> {
  return tx.one(
    `select id, engine_type, engine_status from game_engines
     where is_active and ($1::uuid is null or id = $1) and ($2::text is null or engine_type = $2)`,
    [by.id ?? null, by.engine_type ?? null],
  )
}

export type Block = {
  user_id: string
  reason: string
  blocked_by: string
  blocked_until: Date | null
  created_at: Date
}

/** Blocks a user, or changes the reason and the end of a block that is there. */
export async function upsertBlock(
  tx: Tx,
  block: Pick<Block, 'user_id' | 'reason' | 'blocked_until'>,
): Promise<Block> {
  const row = await tx.one<Block>(
    `insert into blocked_users (user_id, reason, blocked_by, blocked_until, created_at) values ($1, $2, $3, $4, $5)
     on conflict (tenant_id, user_id) do update
       set reason = excluded.reason, blocked_by = excluded.blocked_by, blocked_until = excluded.blocked_until
     returning user_id, reason, blocked_by, blocked_until, created_at`,
    [block.user_id, block.reason, tx.actor.userId, block.blocked_until, tx.now],
  )
  return row!
}

/** The block of a user, locked. */
export function findBlockForUpdate(tx: Tx, user_id: string): Promise<Block | undefined> {
  return tx.one(
    'select user_id, reason, blocked_by, blocked_until, created_at from blocked_users where user_id = $1 for update',
    [user_id],
  )
}

export async function deleteBlock(tx: Tx, user_id: string): Promise<void> {
  await tx.rows('delete from blocked_users where user_id = $1', [user_id])
}

/** Blocks in the order of user ids, from the one after `after`. */
export function listBlocks(tx: Tx, after: string, limit: number): Promise<Block[]> {
  return tx.rows(
    `select user_id, reason, blocked_by, blocked_until, created_at from blocked_users
     where user_id > $1 order by user_id limit $2`,
    [after, limit],
  )
}
