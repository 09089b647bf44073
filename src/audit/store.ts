/** What the auditor reads, one exported function per statement. Every statement runs as livedraw_auditor. */
import type { ClientBase, PoolClient } from 'pg'
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
    return await asAuditor(client, () => newestSealedSeedOn(client))
  } finally {
    client.release()
  }
}

/** The same on a connection that is the auditor. */
export async function newestSealedSeedOn(client: ClientBase): Promise<SealedSeed | undefined> {
  const { rows } = await client.query<SealedSeed>(
    `select s.sealed_seed, s.game_id, s.seed_hash
     from tenants t
     cross join lateral (select id, sealed_seed, game_id, seed_hash from fair_seeds f
                         where f.tenant_id = t.id and f.seed_status <> 'revealed' order by f.id desc limit 1) s
     order by s.id desc limit 1`,
  )
  return rows[0]
}

/** Reads rows inside the audit's transaction. */
export type Reader = { rows<R>(text: string, values?: readonly unknown[]): Promise<R[]> }

/** Whole tables are read: no limit of the server's own requests holds here. */
const PATIENCE_MS = 2_147_483_647

/** A reader on a connection; the transaction is the caller's. */
export function readerOn(client: PoolClient): Reader {
  return {
    async rows<R>(text: string, values: readonly unknown[] = []) {
      const query = { text, values: values as unknown[], query_timeout: PATIENCE_MS }
      return (await client.query(query)).rows as R[]
    },
  }
}

/** True when the role passes policies by right; otherwise it relies on the policies that admit the auditor. */
export async function auditorBypasses(reader: Reader): Promise<boolean> {
  const [role] = await reader.rows<{ rolbypassrls: boolean }>(
    'select rolbypassrls from pg_roles where rolname = current_user',
  )
  return role!.rolbypassrls
}

/** With this setting a policy that hides rows is an error, so that a wrong role cannot look like a clean database. */
export async function refuseHiddenRows(reader: Reader): Promise<void> {
  await reader.rows('set local row_security = off')
}

export async function liftStatementTimeout(reader: Reader): Promise<void> {
  await reader.rows('set local statement_timeout = 0')
}

/** Those of `tables` that exist. */
export async function presentTables(reader: Reader, tables: readonly string[]): Promise<Set<string>> {
  const rows = await reader.rows<{ name: string }>(
    'select name from unnest($1::text[]) as t(name) where to_regclass(quote_ident(name)) is not null',
    [tables],
  )
  return new Set(rows.map((row) => row.name))
}

/** Number of rows of a table that invariants.sql names. */
export async function countRows(reader: Reader, table: string): Promise<number> {
  const [row] = await reader.rows<{ count: number }>(`select count(*) as count from ${table}`)
  return row!.count
}

/**
 * Runs one block of invariants.sql: how many rows it selects, and the first `limit` of them.
 * A savepoint keeps an error of one block from ending the audit.
 */
export async function runBlock(
  reader: Reader,
  sql: string,
  limit: number,
): Promise<{ total: number; rows: unknown[] }> {
  await reader.rows('savepoint block')
  try {
    const rows = await reader.rows<{ total: number; violation: unknown }>(
      `select count(*) over () as total, to_jsonb(v) as violation from (${sql}) v limit ${limit}`,
    )
    await reader.rows('release savepoint block')
    return { total: rows[0]?.total ?? 0, rows: rows.map((row) => row.violation) }
  } catch (error) {
    await reader.rows('rollback to savepoint block')
    throw error
  }
}

export async function tenantIds(reader: Reader): Promise<string[]> {
  return (await reader.rows<{ id: string }>('select id from tenants order by id')).map((row) => row.id)
}

export type AuditRow = {
  seq: number
  user_id: string
  action: string
  entity_type: string
  entity_id: string | null
  old_values: Record<string, unknown> | null
  new_values: Record<string, unknown> | null
  prev_hash: string | null
  hash: string
  created_at: Date
}

/** Audit rows of a tenant after `seq`, in order. */
export function auditPage(reader: Reader, tenantId: string, seq: number, limit: number): Promise<AuditRow[]> {
  return reader.rows<AuditRow>(
    `select seq, user_id, action, entity_type, entity_id, old_values, new_values, prev_hash, hash, created_at
     from audit_logs where tenant_id = $1 and seq > $2 order by seq limit $3`,
    [tenantId, seq, limit],
  )
}

export type FairLogRow = {
  seq: number
  type: string
  commit_hash: string | null
  nonce: number | null
  event: string
  leaf_hash: string
  row_hash: string
}

/** Events of a tenant's public log from `seq` on, in order. */
export function fairLogPage(
  reader: Reader,
  tenantId: string,
  from: number,
  limit: number,
): Promise<FairLogRow[]> {
  return reader.rows<FairLogRow>(
    `select seq, type, commit_hash, nonce, event, leaf_hash, row_hash
     from fair_log where tenant_id = $1 and seq >= $2 order by seq limit $3`,
    [tenantId, from, limit],
  )
}

export type StoredCheckpoint = { log_size: number; root: string; note: string }

/** Checkpoints of a tenant over more than `log_size` events, in order. */
export function checkpointPage(
  reader: Reader,
  tenantId: string,
  log_size: number,
  limit: number,
): Promise<StoredCheckpoint[]> {
  return reader.rows<StoredCheckpoint>(
    'select log_size, root, note from fair_checkpoints where tenant_id = $1 and log_size > $2 order by log_size limit $3',
    [tenantId, log_size, limit],
  )
}

export type StoredNode = { level: number; node_index: number; hash: string }

/** Stored subtrees of a tenant's log whose last leaf is within `from <= leaf < to`: those that this stretch completes. */
export function nodesCompletedIn(
  reader: Reader,
  tenantId: string,
  from: number,
  to: number,
): Promise<StoredNode[]> {
  return reader.rows<StoredNode>(
    `select level, node_index, hash from fair_log_nodes
     where tenant_id = $1 and ((node_index + 1) << level) - 1 >= $2 and ((node_index + 1) << level) - 1 < $3`,
    [tenantId, from, to],
  )
}

export type StoredCommitment = {
  tenant_id: string
  commit_hash: string
  kind: string
  game_id: string
  holder: string
  seq: number
  doc: string
  config: string
  jws: string
}

/** Commitments of a tenant after `commit_hash`, in order of their hash. */
export function commitmentPage(
  reader: Reader,
  tenantId: string,
  after: string,
  limit: number,
): Promise<StoredCommitment[]> {
  return reader.rows<StoredCommitment>(
    `select tenant_id, commit_hash, kind, game_id, holder, seq, doc, config, jws
     from fair_commitments where tenant_id = $1 and commit_hash > $2 order by commit_hash limit $3`,
    [tenantId, after, limit],
  )
}

export type StoredSeed = {
  id: string
  kind: string
  game_id: string
  user_id: string | null
  holder: string | null
  holder_salt: string | null
  commit_hash: string
  seq: number
  seed_hash: string
  server_seed: string | null
  doc: string
}

/** Seeds of a tenant after `id`, each with the document that committed to it. */
export function seedPage(
  reader: Reader,
  tenantId: string,
  after: string,
  limit: number,
): Promise<StoredSeed[]> {
  return reader.rows<StoredSeed>(
    `select s.id, s.kind, s.game_id, s.user_id, s.holder, s.holder_salt, s.commit_hash, s.seq, s.seed_hash, s.server_seed, c.doc
     from fair_seeds s join fair_commitments c on c.tenant_id = s.tenant_id and c.commit_hash = s.commit_hash
     where s.tenant_id = $1 and s.id > $2 order by s.id limit $3`,
    [tenantId, after, limit],
  )
}

export type StoredVersion = {
  tenant_id: string
  wheel_game_id: string
  config_version: number
  config: string
  config_hash: string
  rewards: { slug: string; weight: number; index: number; start: number; end: number }[]
}

/** Published wheel versions after this one, each with its reward table in segment order. */
export function versionPage(
  reader: Reader,
  after: Pick<StoredVersion, 'tenant_id' | 'wheel_game_id' | 'config_version'>,
  limit: number,
): Promise<StoredVersion[]> {
  return reader.rows<StoredVersion>(
    `select v.tenant_id, v.wheel_game_id, v.config_version, v.config, v.config_hash,
            (select coalesce(json_agg(json_build_object('slug', h.reward_slug, 'weight', h.weight, 'index', h.segment_index,
                                                        'start', h.range_start, 'end', h.range_end) order by h.segment_index), '[]')
             from wheel_rewards_history h
             where h.tenant_id = v.tenant_id and h.wheel_game_id = v.wheel_game_id and h.config_version = v.config_version) as rewards
     from wheel_versions v
     where (v.tenant_id, v.wheel_game_id, v.config_version) > ($1, $2, $3)
     order by v.tenant_id, v.wheel_game_id, v.config_version limit $4`,
    [after.tenant_id, after.wheel_game_id, after.config_version, limit],
  )
}

export type StoredSpin = {
  id: string
  seed_id: string
  nonce: number
  roll: number
  config_version: number
  seed_config_version: number
  client_entropy: string
  client_seed: string
  commit_hash: string
  game_id: string
  wheel_game_id: string
  /** Null until the reveal. */
  server_seed: string | null
  segment_index: number
  reward_slug: string
  answer: string
}

/** Spins of a tenant after (seed, nonce), in that order, so that one seed's spins come together. */
export function spinPage(
  reader: Reader,
  tenantId: string,
  after: { seed_id: string; nonce: number },
  limit: number,
): Promise<StoredSpin[]> {
  return reader.rows<StoredSpin>(
    `select r.id, r.seed_id, r.nonce, r.roll, r.config_version, f.config_version as seed_config_version, r.client_entropy,
            f.client_seed, f.commit_hash, f.game_id, s.wheel_game_id, f.server_seed, h.segment_index, h.reward_slug, s.answer
     from spin_results r
     join fair_seeds f on f.tenant_id = r.tenant_id and f.id = r.seed_id
     join spin_sessions s on s.tenant_id = r.tenant_id and s.id = r.spin_session_id
     join wheel_rewards_history h on h.tenant_id = r.tenant_id and h.id = r.wheel_reward_id and h.config_version = r.config_version
     where r.tenant_id = $1 and (r.seed_id, r.nonce) > ($2, $3)
     order by r.seed_id, r.nonce limit $4`,
    [tenantId, after.seed_id, after.nonce, limit],
  )
}

export type StoredMystery = {
  id: string
  nonce: number
  roll: number
  client_entropy: string
  client_seed: string
  commit_hash: string
  /** Null until the reveal. */
  server_seed: string | null
  segment_index: number
  award_index: number
  prize_id: number
  /** Of the commitment, and of the pool that the draw names. */
  config: string
  pool_config: string
  event: string | null
}

/** What was drawn for mysteries of a tenant after `id`, each with its log event, in order of their ids. */
export function mysteryPage(
  reader: Reader,
  tenantId: string,
  after: string,
  limit: number,
): Promise<StoredMystery[]> {
  return reader.rows<StoredMystery>(
    `select m.id, m.nonce, m.roll, m.client_entropy, f.client_seed, f.commit_hash, f.server_seed, m.segment_index, m.award_index,
            m.prize_id, c.config, p.config as pool_config,
            (select l.event from fair_log l where l.tenant_id = m.tenant_id and l.commit_hash = f.commit_hash and l.type = 'spin'
               and l.nonce = m.nonce limit 1) as event
     from mystery_results m
     join fair_seeds f on f.tenant_id = m.tenant_id and f.id = m.seed_id
     join fair_commitments c on c.tenant_id = f.tenant_id and c.commit_hash = f.commit_hash
     join mystery_pools p on p.tenant_id = m.tenant_id and p.prize_id = m.mystery_prize_id and p.pool_version = m.pool_version
     where m.tenant_id = $1 and m.id > $2 order by m.id limit $3`,
    [tenantId, after, limit],
  )
}

/** The config that a commitment binds. */
export async function committedConfig(
  reader: Reader,
  tenantId: string,
  commit_hash: string,
): Promise<string> {
  const [row] = await reader.rows<{ config: string }>(
    'select config from fair_commitments where tenant_id = $1 and commit_hash = $2',
    [tenantId, commit_hash],
  )
  return row!.config
}

/** The logged outcomes of one pair, by nonce, within `from <= nonce <= to`. */
export function loggedSpins(reader: Reader, tenantId: string, commit_hash: string, from: number, to: number) {
  return reader.rows<{ nonce: number; event: string }>(
    `select nonce, event from fair_log
     where tenant_id = $1 and commit_hash = $2 and type = 'spin' and nonce between $3 and $4 order by nonce`,
    [tenantId, commit_hash, from, to],
  )
}

export type StoredRound = {
  id: string
  round_no: number
  round_status: string
  commit_hash: string
  entries_root: string | null
  entry_count: number
  randomness: string
  ctx: string | null
  outcome: { id?: unknown; index?: unknown } | null
  doc: string
  config: string
  server_seed: string | null
  seed_hash: string | null
}

/** Shared spins of a tenant after `id`, in order of their ids. */
export function roundPage(
  reader: Reader,
  tenantId: string,
  after: string,
  limit: number,
): Promise<StoredRound[]> {
  return reader.rows<StoredRound>(
    `select r.id, r.round_no, r.round_status, r.commit_hash, r.entries_root, r.entry_count,
            coalesce(r.beacon->>'randomness', '-') as randomness, r.ctx, r.outcome, c.doc, c.config, f.server_seed, f.seed_hash
     from wheel_rounds r
     join fair_commitments c on c.tenant_id = r.tenant_id and c.commit_hash = r.commit_hash
     left join fair_seeds f on f.tenant_id = r.tenant_id and f.id = r.seed_id
     where r.tenant_id = $1 and r.id > $2 order by r.id limit $3`,
    [tenantId, after, limit],
  )
}

/** The leaves of a shared spin, in order. */
export function roundLeaves(reader: Reader, tenantId: string, roundId: string) {
  return reader.rows<{ entry_index: number; entrant: string; client_entropy: string; leaf: string }>(
    `select entry_index, entrant, client_entropy, leaf from wheel_round_entries
     where tenant_id = $1 and round_id = $2 order by entry_index`,
    [tenantId, roundId],
  )
}

/** An application with what it is held against: the prize as it was issued, what was paid, what came back. */
export type StoredApplication = {
  id: string
  play_id: number
  order_minor: number
  discount_minor: number
  final_minor: number
  currency: string
  policy_version: number
  details: unknown
  prize_snapshot: Record<string, any>
  transfer_id: string | null
  is_rolled_back: boolean
  is_reversed: boolean
  /** What the transfer gave to whom, null without one. */
  postings: { account_kind: string; currency: string; amount_minor: number }[] | null
  /** The sums of the parts of the order that came back. */
  returned_minor: number
  discount_returned_minor: number
}

/** Applications of a tenant after `id`, in order. */
export function applicationPage(
  reader: Reader,
  tenantId: string,
  after: string,
  limit: number,
): Promise<StoredApplication[]> {
  return reader.rows<StoredApplication>(
    `select a.id, a.play_id, a.order_minor, a.discount_minor, a.final_minor, a.currency, a.policy_version, a.details,
            p.prize_snapshot, a.transfer_id, a.rolled_back_at is not null as is_rolled_back,
            exists (select from ledger_transfers t where t.tenant_id = a.tenant_id and t.corrects_id = a.transfer_id and t.is_reversal) as is_reversed,
            (select json_agg(json_build_object('account_kind', c.account_kind, 'currency', l.currency, 'amount_minor', l.amount_minor))
             from ledger_postings l join ledger_accounts c on c.tenant_id = l.tenant_id and c.id = l.account_id
             where l.tenant_id = a.tenant_id and l.txn_id = a.transfer_id) as postings,
            coalesce(r.returned_minor, 0)::bigint as returned_minor,
            coalesce(r.discount_minor, 0)::bigint as discount_returned_minor
     from prize_applications a
     join gamification_game_plays p on p.tenant_id = a.tenant_id and p.id = a.play_id
     left join lateral (select sum(returned_minor) as returned_minor, sum(discount_minor) as discount_minor
                        from prize_returns r where r.tenant_id = a.tenant_id and r.application_id = a.id) r on true
     where a.tenant_id = $1 and a.id > $2 order by a.id limit $3`,
    [tenantId, after, limit],
  )
}

export type StoredDraw = {
  id: string
  kind: string
  status: string
  commit_hash: string
  entries_root: string | null
  entry_count: number
  randomness: string
  ctx: string | null
  outcome: Record<string, unknown> | null
  doc: string
  config: string
  server_seed: string | null
  /** Entry indexes of its places in order. */
  places: number[]
}

/** Draws of a tenant after `id`, in order of their ids. */
export function drawPage(
  reader: Reader,
  tenantId: string,
  after: string,
  limit: number,
): Promise<StoredDraw[]> {
  return reader.rows<StoredDraw>(
    `select d.id, d.kind, d.status, d.commit_hash, d.entries_root, d.entry_count, coalesce(d.beacon->>'randomness', '-') as randomness,
            d.ctx, d.outcome, c.doc, c.config, f.server_seed,
            array(select w.entry_index from draw_winners w where w.tenant_id = d.tenant_id and w.draw_id = d.id order by w.place) as places
     from draws d
     join fair_commitments c on c.tenant_id = d.tenant_id and c.commit_hash = d.commit_hash
     left join fair_seeds f on f.tenant_id = d.tenant_id and f.id = d.seed_id
     where d.tenant_id = $1 and d.id > $2 order by d.id limit $3`,
    [tenantId, after, limit],
  )
}

/** Leaves of a draw's list from an index on, each with the entrant that its owner has. */
export function drawLeaves(reader: Reader, tenantId: string, drawId: string, from: number, limit: number) {
  return reader.rows<{
    entry_index: number
    leaf: string
    user_id: string
    entrant: string
    entrant_salt: string
  }>(
    `select e.entry_index, e.leaf, e.user_id, n.entrant, n.entrant_salt
     from draw_entries e
     join draw_entrants n on n.tenant_id = e.tenant_id and n.draw_id = e.draw_id and n.user_id = e.user_id
     where e.tenant_id = $1 and e.draw_id = $2 and e.entry_index >= $3 order by e.entry_index limit $4`,
    [tenantId, drawId, from, limit],
  )
}
