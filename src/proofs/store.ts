/** Statements over seeds, commitments, the fairness log and its checkpoints. */
import { columnsOf } from '../db/columns.ts'
import type { Tx } from '../db/tx.ts'

export type SeedRow = {
  id: string
  kind: string
  game_id: string
  user_id: string | null
  holder: string | null
  holder_salt: string | null
  commit_hash: string
  config_version: number
  seq: number
  seed_hash: string
  sealed_seed: string
  server_seed: string | null
  client_seed: string
  seed_status: 'next' | 'active' | 'revealed'
  next_nonce: number
  committed_at: Date
}

const SEED_COLUMNS = `id, kind, game_id, user_id, holder, holder_salt, commit_hash, config_version, seq, seed_hash, sealed_seed,
  server_seed, client_seed, seed_status, next_nonce, committed_at`

/**
 * Queues behind whoever makes, closes or rotates pairs of these players on these games; held until the end of the
 * transaction. Without it a statement that waited for a row would miss the pair that was made meanwhile.
 */
export async function lockPairs(
  tx: Tx,
  pairs: readonly { game_id: string; user_id: string }[],
): Promise<void> {
  await tx.rows(
    `select pg_advisory_xact_lock(key) from (
       select distinct hashtextextended(concat_ws(E'\\n', app_tenant_id(), 'pair', game_id, user_id), 0) as key
       from unnest($1::text[], $2::text[]) as r(game_id, user_id) order by key
     ) as keys`,
    [pairs.map((pair) => pair.game_id), pairs.map((pair) => pair.user_id)],
    'lock_pairs',
  )
}

/**
 * Players of games, each once, in the order in which their rows are locked. Joined laterally, so that their rows are found
 * by index whatever is known of the table: a plan of the first minutes would read every row of the tenant.
 */
export const PLAYERS_IN_ORDER =
  '(select distinct * from unnest($1::text[], $2::text[]) as p(game_id, user_id) order by 1, 2) as p'

/** The current and the next seed of these players on these games, locked. */
export function loadPairsForUpdate(tx: Tx, pairs: readonly { game_id: string; user_id: string }[]) {
  return tx.rows<SeedRow>(
    `select s.* from ${PLAYERS_IN_ORDER}
     cross join lateral (
       select ${SEED_COLUMNS} from fair_seeds x
       where x.game_id = p.game_id and x.user_id = p.user_id and x.seed_status in ('active', 'next')
       limit 2 for no key update
     ) s`,
    [pairs.map((pair) => pair.game_id), pairs.map((pair) => pair.user_id)],
    'pairs_for_update',
  )
}

/** Salt and last sequence number of players who have had a pair before. */
export function loadHolders(tx: Tx, pairs: readonly { game_id: string; user_id: string }[]) {
  return tx.rows<{ game_id: string; user_id: string; holder: string; holder_salt: string; seq: number }>(
    `select p.game_id, p.user_id, s.holder, s.holder_salt, s.seq from ${PLAYERS_IN_ORDER}
     cross join lateral (
       select * from fair_seeds x where x.game_id = p.game_id and x.user_id = p.user_id order by x.seq desc limit 1
     ) s`,
    [pairs.map((pair) => pair.game_id), pairs.map((pair) => pair.user_id)],
    'pair_holders',
  )
}

export type NewSeed = {
  id: string
  kind: string
  game_id: string
  user_id: string | null
  holder: string | null
  holder_salt: string | null
  commit_hash: string
  config_version: number
  seq: number
  seed_hash: string
  sealed_seed: string
  seed_status: 'next' | 'active'
  doc: string
  config: string
  jws: string
}

const SEEDS = columnsOf<NewSeed>({
  id: 'uuid',
  kind: 'text',
  game_id: 'text',
  user_id: 'text',
  holder: 'text',
  holder_salt: 'text',
  commit_hash: 'text',
  config_version: 'integer',
  seq: 'integer',
  seed_hash: 'text',
  sealed_seed: 'text',
  seed_status: 'text',
  doc: 'text',
  config: 'text',
  jws: 'text',
})

const INSERT_SEEDS = `
with r as materialized (
  select * from ${SEEDS.from(2)}
), commitments as (
  insert into fair_commitments (commit_hash, kind, game_id, holder, seq, doc, config, jws, created_at)
  select commit_hash, kind, game_id, coalesce(holder, '-'), seq, doc, config, jws, $1::timestamptz from r
)
insert into fair_seeds (id, kind, game_id, user_id, holder, holder_salt, commit_hash, config_version, seq, seed_hash, sealed_seed,
                        seed_status, activated_at, committed_at, created_at, updated_at)
select id, kind, game_id, user_id, holder, holder_salt, commit_hash, config_version, seq, seed_hash, sealed_seed, seed_status,
       case when seed_status = 'active' then $1::timestamptz end, $1, $1, $1 from r`

/** Commitments and their sealed seeds. Unique keys refuse a second commitment with the same number. */
export async function insertSeeds(tx: Tx, seeds: readonly NewSeed[]): Promise<void> {
  await tx.rows(INSERT_SEEDS, [tx.now, ...SEEDS.values(seeds)], 'insert_seeds')
}

/** A commitment without a seed of ours (mode beacon). */
export async function insertCommitment(
  tx: Tx,
  row: {
    commit_hash: string
    kind: string
    game_id: string
    seq: number
    doc: string
    config: string
    jws: string
  },
): Promise<void> {
  await tx.rows(
    `insert into fair_commitments (commit_hash, kind, game_id, seq, doc, config, jws, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [row.commit_hash, row.kind, row.game_id, row.seq, row.doc, row.config, row.jws, tx.now],
  )
}

/** Opens seeds to the public, for ever. */
export async function revealSeeds(
  tx: Tx,
  seeds: readonly { id: string; server_seed: string }[],
): Promise<void> {
  await tx.rows(
    `update fair_seeds s set seed_status = 'revealed', server_seed = r.server_seed,
            revealed_at = greatest($2::timestamptz, s.committed_at + interval '1 millisecond',
                                   (select max(result_timestamp) from spin_results where seed_id = s.id and user_id = s.user_id),
                                   (select max(result_timestamp) from mystery_results where seed_id = s.id)),
            updated_at = $2, row_version = s.row_version + 1
     from unnest($1::uuid[], $3::text[]) as r(id, server_seed) where s.id = r.id and s.id = any($1::uuid[])`,
    [seeds.map(({ id }) => id), tx.now, seeds.map(({ server_seed }) => server_seed)],
    'reveal_seeds',
  )
}

/** The next pair becomes the current one, with its client seed fixed. */
export async function activateSeed(tx: Tx, id: string, client_seed: string): Promise<void> {
  await tx.rows(
    `update fair_seeds set seed_status = 'active', client_seed = $2, activated_at = $3, updated_at = $3, row_version = row_version + 1
     where id = $1 and seed_status = 'next'`,
    [id, client_seed, tx.now],
  )
}

export type CommitmentRow = {
  commit_hash: string
  kind: string
  game_id: string
  seq: number
  doc: string
  config: string
  jws: string
  created_at: Date
}

export function loadCommitment(tx: Tx, commit_hash: string) {
  return tx.one<CommitmentRow>(
    'select commit_hash, kind, game_id, seq, doc, config, jws, created_at from fair_commitments where commit_hash = $1',
    [commit_hash],
    'commitment',
  )
}

export function loadSeedByCommit(tx: Tx, commit_hash: string) {
  return tx.one<SeedRow>(`select ${SEED_COLUMNS} from fair_seeds where commit_hash = $1`, [commit_hash])
}

export function loadSeedForUpdate(tx: Tx, id: string) {
  return tx.one<SeedRow>(`select ${SEED_COLUMNS} from fair_seeds where id = $1 for no key update`, [id])
}

/** Counts of commitments whose seed is still closed, and the oldest of them: withholding is visible. */
export function countUnrevealed(tx: Tx) {
  return tx.one<{ unrevealed: number; oldest_at: Date | null }>(
    `select count(*)::int as unrevealed, min(activated_at) as oldest_at from fair_seeds where seed_status = 'active' and next_nonce > 0`,
  )
}

/** Seeds that are sealed with an older key than the first, a page of them, locked. */
export function loadStaleSeedsForUpdate(tx: Tx, kid: string, limit: number) {
  return tx.rows<SeedRow>(
    `select ${SEED_COLUMNS} from fair_seeds
     where seed_status <> 'revealed' and split_part(sealed_seed, '.', 2) <> $1 order by id limit $2 for no key update skip locked`,
    [kid, limit],
  )
}

export async function resealSeed(tx: Tx, id: string, sealed_seed: string): Promise<void> {
  await tx.rows('update fair_seeds set sealed_seed = $2, updated_at = $3 where id = $1', [
    id,
    sealed_seed,
    tx.now,
  ])
}

export type LogRow = { seq: number; event: string; leaf_hash: string }

export function loadLog(tx: Tx, from: number, limit: number) {
  return tx.rows<LogRow>(
    'select seq, event, leaf_hash from fair_log where seq >= $1 order by seq limit $2',
    [from, limit],
    'log_page',
  )
}

/** The log's event of one outcome: a spin by its nonce, anything else by its type. */
export function loadLogEvent(tx: Tx, commit_hash: string, type: string, nonce: number | null) {
  return tx.one<LogRow>(
    `select seq, event, leaf_hash from fair_log
     where commit_hash = $1 and type = $2 and nonce is not distinct from $3 order by seq limit 1`,
    [commit_hash, type, nonce],
  )
}

/** Leaf hashes `from <= seq < to`, in order. */
export async function loadLeafHashes(tx: Tx, from: number, to: number): Promise<string[]> {
  const rows = await tx.rows<{ leaf_hash: string }>(
    'select leaf_hash from fair_log where seq >= $1 and seq < $2 order by seq',
    [from, to],
    'log_leaves',
  )
  return rows.map((row) => row.leaf_hash)
}

/** Hashes of stored complete subtrees of one level, `from <= index < to`. */
export async function loadNodes(tx: Tx, level: number, from: number, to: number): Promise<string[]> {
  const rows = await tx.rows<{ hash: string }>(
    'select hash from fair_log_nodes where level = $1 and node_index >= $2 and node_index < $3 order by node_index',
    [level, from, to],
    'log_nodes',
  )
  return rows.map((row) => row.hash)
}

export async function insertNodes(
  tx: Tx,
  nodes: readonly { level: number; node_index: number; hash: string }[],
): Promise<void> {
  await tx.rows(
    `insert into fair_log_nodes (level, node_index, hash)
     select level, node_index, hash from json_to_recordset($1::json) as r(level smallint, node_index bigint, hash text)
     on conflict do nothing`,
    [JSON.stringify(nodes)],
    'insert_log_nodes',
  )
}

export async function loadLogSize(tx: Tx): Promise<number> {
  return (await tx.one<{ size: number }>(
    'select coalesce(max(seq) + 1, 0) as size from fair_log',
    [],
    'log_size',
  ))!.size
}

export type CheckpointRow = { log_size: number; root: string; note: string }

export function loadLastCheckpoint(tx: Tx) {
  return tx.one<CheckpointRow>(
    'select log_size, root, note from fair_checkpoints order by log_size desc limit 1',
    [],
    'last_checkpoint',
  )
}

/** Those commitments that a signed checkpoint covers: only on them may anybody rely (fair-1.md section 11). */
export async function loadCheckpointed(tx: Tx, commit_hashes: readonly string[]): Promise<Set<string>> {
  const rows = await tx.rows<{ commit_hash: string }>(
    `select c.commit_hash from unnest($1::text[]) as c(commit_hash)
     cross join lateral (
       select seq from fair_log x where x.commit_hash = c.commit_hash and x.type = 'commit' limit 1
     ) logged
     where logged.seq < (select max(log_size) from fair_checkpoints)`,
    [[...new Set(commit_hashes)]],
    'checkpointed_commitments',
  )
  return new Set(rows.map((row) => row.commit_hash))
}

export async function insertCheckpoint(tx: Tx, row: CheckpointRow): Promise<void> {
  await tx.rows(
    'insert into fair_checkpoints (log_size, root, note, created_at) values ($1, $2, $3, $4) on conflict do nothing',
    [row.log_size, row.root, row.note, tx.now],
    'insert_checkpoint',
  )
}

/** A player's pairs in use on a game. */
export function loadPairs(tx: Tx, game_id: string, user_id: string) {
  return tx.rows<SeedRow>(
    `select ${SEED_COLUMNS} from fair_seeds where game_id = $1 and user_id = $2 and seed_status in ('active', 'next')`,
    [game_id, user_id],
    'pairs',
  )
}

export type SpinProofRow = {
  id: string
  commit_hash: string
  doc: string
  config: string
  jws: string
  client_seed: string
  server_seed: string | null
  nonce: number
  client_entropy: string
  reward_slug: string
  segment_index: number
  win_status: string
  award_slug: string | null
}

/** Everything that a spin's transcript is made of. */
export function loadSpinProof(tx: Tx, spinId: string) {
  return tx.one<SpinProofRow>(
    `select s.id, f.commit_hash, c.doc, c.config, c.jws, f.client_seed, f.server_seed, r.nonce, r.client_entropy, h.reward_slug,
            h.segment_index, r.win_status, r.result_metadata->>'award_slug' as award_slug
     from spin_sessions s
     join spin_results r on r.spin_session_id = s.id
     join fair_seeds f on f.id = r.seed_id
     join fair_commitments c on c.commit_hash = f.commit_hash
     join wheel_rewards_history h on h.id = r.wheel_reward_id and h.config_version = r.config_version
     where s.id = $1`,
    [spinId],
  )
}

export type RoundProofRow = {
  id: string
  round_no: number
  commit_hash: string
  doc: string
  config: string
  jws: string
  server_seed: string | null
  entries_root: string | null
  leaves: string[]
  beacon: { chain: string; round: number; signature: string; randomness: string } | null
  ctx: string | null
  outcome: { id: string; index: number } | null
}

/** Everything that a shared round's transcript is made of; leaves in order. */
export function loadRoundProof(tx: Tx, roundId: string) {
  return tx.one<RoundProofRow>(
    `select r.id, r.round_no, r.commit_hash, c.doc, c.config, c.jws, f.server_seed, r.entries_root, r.beacon, r.ctx, r.outcome,
            coalesce((select array_agg(e.leaf order by e.entry_index) from wheel_round_entries e where e.round_id = r.id), '{}') as leaves
     from wheel_rounds r
     join fair_commitments c on c.commit_hash = r.commit_hash
     left join fair_seeds f on f.id = r.seed_id
     where r.id = $1`,
    [roundId],
  )
}

export type MysteryProofRow = {
  id: string
  commit_hash: string
  doc: string
  config: string
  jws: string
  client_seed: string
  server_seed: string | null
  nonce: number
  client_entropy: string
  segment_index: number
  award_index: number
}

/** Everything that the transcript of a mystery is made of. */
export function loadMysteryProof(tx: Tx, event_id: string) {
  return tx.one<MysteryProofRow>(
    `select m.id, f.commit_hash, c.doc, c.config, c.jws, f.client_seed, f.server_seed, m.nonce, m.client_entropy, m.segment_index,
            m.award_index
     from mystery_results m
     join fair_seeds f on f.id = m.seed_id
     join fair_commitments c on c.commit_hash = f.commit_hash
     where m.id = $1`,
    [event_id],
  )
}

/** All outcomes of a pair in nonce order, as the reveal lists them: spins of a wheel, draws of a mystery. */
export function loadPairSpins(tx: Tx, seedId: string) {
  return tx.rows<{ nonce: number; entropy: string; result: number }>(
    `select r.nonce, r.client_entropy as entropy, h.segment_index as result
     from spin_results r join wheel_rewards_history h on h.id = r.wheel_reward_id and h.config_version = r.config_version
     where r.seed_id = $1
     union all
     select nonce, client_entropy, segment_index from mystery_results where seed_id = $1
     order by nonce`,
    [seedId],
  )
}

export function loadTenantSecret(tx: Tx, secret_name: string) {
  return tx.one<{ sealed_secret: string }>(
    'select sealed_secret from tenant_secrets where secret_name = $1',
    [secret_name],
    'tenant_secret',
  )
}

/** Does nothing where there is one. */
export async function insertTenantSecret(tx: Tx, secret_name: string, sealed_secret: string): Promise<void> {
  await tx.rows(
    `insert into tenant_secrets (secret_name, sealed_secret, created_at, updated_at) values ($1, $2, $3, $3)
     on conflict do nothing`,
    [secret_name, sealed_secret, tx.now],
  )
}

/** Secrets that are sealed with an older key than the first, locked. */
export function loadStaleSecretsForUpdate(tx: Tx, kid: string) {
  return tx.rows<{ secret_name: string; sealed_secret: string }>(
    `select secret_name, sealed_secret from tenant_secrets
     where split_part(sealed_secret, '.', 2) <> $1 order by secret_name for no key update`,
    [kid],
  )
}

export async function resealSecret(tx: Tx, secret_name: string, sealed_secret: string): Promise<void> {
  await tx.rows(
    'update tenant_secrets set sealed_secret = $2, updated_at = $3, row_version = row_version + 1 where secret_name = $1',
    [secret_name, sealed_secret, tx.now],
  )
}
