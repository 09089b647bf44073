/** Every statement of the wheel. One exported function per statement; rows come back as they are. */

import { columnsOf } from '../../db/columns.ts'
import type { Tx } from '../../db/tx.ts'
import { PROOF_ID } from '../../prizes/store.ts'
import { PLAYERS_IN_ORDER } from '../../proofs/store.ts'

export type SpinRequest = { user_id: string; wheel_id: string; request_id: string }

/** Spins that were already made for these requests. */
export function loadAnswered(tx: Tx, requests: readonly SpinRequest[]) {
  return tx.rows<{ user_id: string; session_id: string; request_hash: string; answer: string }>(
    `select s.user_id, s.session_id, s.request_hash, s.answer
     from unnest($1::text[], $2::text[]) as r(user_id, session_id)
     cross join lateral (
       select * from spin_sessions x where x.user_id = r.user_id and x.session_id = r.session_id limit 1
     ) s`,
    [requests.map((r) => r.user_id), requests.map((r) => r.request_id)],
    'wheel_answered',
  )
}

export type WheelInForce = {
  id: string
  wheel_status: string
  config_version: number
  has_budget: boolean
  time_zone: string
  currency: string
  game_id: number
}

/** The heads of these wheels as they are now: a paused wheel refuses the very next spin. */
export function loadWheelsInForce(tx: Tx, ids: readonly string[]) {
  return tx.rows<WheelInForce>(
    `select w.id, w.wheel_status, w.config_version, w.budget_minor is not null as has_budget, t.time_zone, t.currency, g.id as game_id
     from wheel_games w
     join tenants t on t.id = w.tenant_id
     join gamification_games g on g.wheel_game_id = w.id
     where w.id = any($1::uuid[]) and w.is_active`,
    [ids],
    'wheel_in_force',
  )
}

export type VersionRow = {
  wheel_game_id: string
  config_version: number
  config: string
  config_hash: string
}

/** One published version; it never changes, so callers keep it. */
export function loadVersion(tx: Tx, wheelId: string, config_version: number) {
  return tx.one<VersionRow>(
    'select wheel_game_id, config_version, config, config_hash from wheel_versions where wheel_game_id = $1 and config_version = $2',
    [wheelId, config_version],
    'wheel_version',
  )
}

export type ActiveSeed = {
  id: string
  user_id: string
  game_id: string
  commit_hash: string
  seed_hash: string
  sealed_seed: string
  client_seed: string
  config_version: number
  next_nonce: number
  committed_at: Date
}

/**
 * The active pairs of these players, locked in the order of `loadPairsForUpdate`. This lock is what serialises one player on one wheel:
 * nonces, limits and chances that are read after it are current.
 */
export function loadActiveSeedsForUpdate(tx: Tx, requests: readonly SpinRequest[]) {
  return tx.rows<ActiveSeed>(
    `select s.* from ${PLAYERS_IN_ORDER}
     cross join lateral (
       select id, user_id, game_id, commit_hash, seed_hash, sealed_seed, client_seed, config_version, next_nonce, committed_at
       from fair_seeds x
       where x.game_id = p.game_id and x.user_id = p.user_id and x.seed_status = 'active'
       limit 1 for no key update
     ) s`,
    [requests.map((r) => r.wheel_id), requests.map((r) => r.user_id)],
    'wheel_active_seeds',
  )
}

export type GrantRow = { id: string; user_id: string; wheel_game_id: string | null; remaining: number }

/** What these players can spend, locked; oldest expiry first, then oldest award. */
export function loadGrantsForUpdate(tx: Tx, user_ids: readonly string[]) {
  return tx.rows<GrantRow>(
    `select c.id, c.user_id, c.wheel_game_id, c.remaining_chances as remaining
     from (select distinct * from unnest($1::text[]) as p(user_id) order by 1) as p
     cross join lateral (
       select * from spin_chances x
       where x.user_id = p.user_id and x.chance_status = 'active' and x.awarded_at <= $2 and (x.expires_at is null or x.expires_at > $2)
       order by x.expires_at nulls last, x.awarded_at, x.id
       for no key update
     ) c
     order by c.user_id, c.expires_at nulls last, c.awarded_at, c.id`,
    [user_ids, tx.now],
    'wheel_grants',
  )
}

/** Plays since the start of each player's day, and the last play, for wheels that limit them. */
export function loadPlayCounts(tx: Tx, wheelId: string, user_ids: readonly string[], since: Date) {
  return tx.rows<{ user_id: string; plays_today: number; last_spin_at: Date | null }>(
    `select u.user_id,
            (select count(*)::int from spin_sessions s
              where s.wheel_game_id = $1 and s.user_id = u.user_id and s.spin_started_at >= $3 and s.spin_status <> 'voided') as plays_today,
            (select max(s.spin_started_at) from spin_sessions s
              where s.wheel_game_id = $1 and s.user_id = u.user_id and s.spin_status <> 'voided') as last_spin_at
     from unnest($2::text[]) as u(user_id)`,
    [wheelId, user_ids, since],
    'wheel_play_counts',
  )
}

/** Wins of these players per reward of this wheel, for rewards with a limit per user. A win that was passed on counts too. */
export function loadWinCounts(
  tx: Tx,
  game_id: number,
  user_ids: readonly string[],
  slugs: readonly string[],
) {
  return tx.rows<{ user_id: string; reward_slug: string; wins: number }>(
    `select winner as user_id, reward_slug, count(*)::int as wins
     from (select user_id as winner, game_id, game_data->>'award_slug' as reward_slug
           from gamification_game_plays where user_id = any($2::text[]) and won_by is null and is_winner
           union all
           select won_by, game_id, game_data->>'award_slug'
           from gamification_game_plays where won_by = any($2::text[])) w
     where game_id = $1 and reward_slug = any($3::text[])
     group by 1, 2`,
    [game_id, user_ids, slugs],
    'wheel_win_counts',
  )
}

/** What is left of a wheel's budget, locked. */
export function loadBudgetForUpdate(tx: Tx, wheelId: string) {
  return tx.one<{ left_minor: number }>(
    'select budget_minor - budget_spent_minor as left_minor from wheel_games where id = $1 for no key update',
    [wheelId],
    'wheel_budget',
  )
}

export type SpinRecord = {
  session_id: string
  wheel_id: string
  user_id: string
  request_id: string
  request_hash: string
  chance_id: string
  result_at: Date
  duration_ms: number
  answer: string
  result_id: string
  reward_id: string
  seed_id: string
  nonce: number
  config_version: number
  roll: number
  client_entropy: string
  win_status: string
  claim_status: string
  paid_amount: number
  result_metadata: Record<string, unknown>
  play_id: number
  play_uuid: string
  game_id: number
  prize_id: number | null
  prize_code: string | null
  prize_status: string | null
  prize_snapshot: Record<string, unknown> | null
  expires_at: string | null
  grace_hours: number
  game_data: Record<string, unknown>
  ip: string | null
  agent: string | null
}

export type Taken = { id: string; count: number }

export type ChancesWon = { id: string; user_id: string; count: number; reason: string }

export type SpinWrites = {
  spins: readonly SpinRecord[]
  seeds: readonly Taken[]
  grants: readonly Taken[]
  chances: readonly ChancesWon[]
}

const SPINS = columnsOf<SpinRecord>({
  session_id: 'uuid',
  wheel_id: 'uuid',
  user_id: 'text',
  request_id: 'text',
  request_hash: 'text',
  chance_id: 'uuid',
  result_at: 'timestamptz',
  duration_ms: 'integer',
  answer: 'text',
  result_id: 'uuid',
  reward_id: 'uuid',
  seed_id: 'uuid',
  nonce: 'bigint',
  config_version: 'integer',
  roll: 'bigint',
  client_entropy: 'text',
  win_status: 'text',
  claim_status: 'text',
  paid_amount: 'bigint',
  result_metadata: 'jsonb',
  play_id: 'bigint',
  play_uuid: 'uuid',
  game_id: 'bigint',
  prize_id: 'bigint',
  prize_code: 'text',
  prize_status: 'text',
  prize_snapshot: 'jsonb',
  expires_at: 'timestamptz',
  grace_hours: 'integer',
  game_data: 'jsonb',
  ip: 'text',
  agent: 'text',
})
const TAKEN = columnsOf<Taken>({ id: 'uuid', count: 'integer' })
const CHANCES_WON = columnsOf<ChancesWon>({ id: 'uuid', user_id: 'text', count: 'integer', reason: 'text' })

/**
 * Writes a whole batch in one statement. Returns how many rows each part touched, so that the caller can compare
 * them with what it meant to write.
 */
export function recordSpins(tx: Tx, writes: SpinWrites) {
  return tx.one<{ spins: number; seeds: number; grants: number }>(
    RECORD_SPINS,
    [
      tx.now,
      ...SPINS.values(writes.spins),
      ...TAKEN.values(writes.seeds),
      ...TAKEN.values(writes.grants),
      ...CHANCES_WON.values(writes.chances),
    ],
    'wheel_record',
  )
}

const RECORD_SPINS = `
with spin as materialized (
  select * from ${SPINS.from(2)}
), seed as (
  update fair_seeds s set next_nonce = s.next_nonce + r.count, updated_at = $1::timestamptz
  from ${TAKEN.from(2 + SPINS.count)}
  where s.id = r.id and s.id = any($${2 + SPINS.count}::uuid[]) and s.seed_status = 'active' returning 1
), granted as (
  update spin_chances c
     set used_chances = c.used_chances + r.count, remaining_chances = c.remaining_chances - r.count, updated_at = $1::timestamptz
  from ${TAKEN.from(2 + SPINS.count + TAKEN.count)}
  where c.id = r.id and c.id = any($${2 + SPINS.count + TAKEN.count}::uuid[]) and c.remaining_chances >= r.count returning 1
), chance as (
  insert into spin_chances (id, user_id, chance_type, award_reason, chance_count, remaining_chances, awarded_at, created_at, updated_at)
  select r.id, r.user_id, 'reward', r.reason, r.count, r.count, $1, $1, $1
  from ${CHANCES_WON.from(2 + SPINS.count + 2 * TAKEN.count)}
), session as (
  insert into spin_sessions (id, wheel_game_id, user_id, session_id, request_hash, chance_id, spin_status, spin_started_at,
                             spin_completed_at, spin_duration_ms, answer, created_at, updated_at)
  select session_id, wheel_id, user_id, request_id, request_hash, chance_id, 'completed', $1::timestamptz, result_at, duration_ms,
         answer, $1::timestamptz, $1::timestamptz from spin
), result as (
  insert into spin_results (id, spin_session_id, wheel_reward_id, user_id, seed_id, nonce, config_version, roll, client_entropy,
                            result_status, claim_status, paid_amount, win_status, result_metadata, result_timestamp, created_at, updated_at)
  select result_id, session_id, reward_id, user_id, seed_id, nonce, config_version, roll, client_entropy,
         'final', claim_status, paid_amount, win_status, result_metadata, result_at, $1::timestamptz, $1::timestamptz from spin
), play as (
  insert into gamification_game_plays (id, uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status, prize_snapshot,
                                       unlocked_at, expires_at, grace_hours, game_data, event_id, ip_address, user_agent,
                                       created_at, updated_at)
  select play_id, play_uuid, game_id, user_id, prize_id, prize_id is not null, prize_code, prize_status, prize_snapshot,
         case when prize_status = 'unlocked' then $1::timestamptz end, expires_at, grace_hours, game_data, session_id, ip, agent,
         $1::timestamptz, $1::timestamptz from spin
)
select (select count(*)::int from spin) as spins, (select count(*)::int from seed) as seeds,
       (select count(*)::int from granted) as grants`

export type Spending = {
  /** `is_locked`: the rest was counted under its lock, so that the last piece may go. */
  prizes: readonly { id: number; count: number; is_locked: boolean }[]
  budgets: readonly { id: string; amount_minor: number }[]
  /** Prizes that were read without a stock. */
  unlimited: readonly number[]
}

/**
 * Takes what a batch has won from stocks and budgets: rows that all batches share, and therefore last. Returns how
 * many it touched (a stock that was not locked before must have something left after it) and how many of the
 * unlimited prizes have a stock by now.
 */
export function spendSupply(tx: Tx, { prizes, budgets, unlimited }: Spending) {
  return tx.one<{ prizes: number; budgets: number; limited: number }>(
    `with prize as (
       update gamification_prizes p set won_count = p.won_count + r.count, updated_at = $4
       from json_to_recordset($1::json) as r(id bigint, count bigint, is_locked boolean)
       where p.id = r.id and (r.is_locked or (p.won_count + r.count < p.stock and p.is_active and p.deleted_at is null)) returning 1
     ), budget as (
       update wheel_games w set budget_spent_minor = w.budget_spent_minor + r.amount_minor
       from json_to_recordset($2::json) as r(id uuid, amount_minor bigint)
       where w.id = r.id returning 1
     )
     select (select count(*)::int from prize) as prizes, (select count(*)::int from budget) as budgets,
            (select count(*)::int from gamification_prizes where id = any($3::bigint[]) and stock is not null) as limited`,
    [JSON.stringify(prizes), JSON.stringify(budgets), unlimited, tx.now],
    'wheel_spend',
  )
}

export type WheelRow = {
  id: string
  wheel_name: string
  wheel_slug: string
  wheel_status: string
  wheel_description: string | null
  wheel_config: Record<string, unknown>
  spin_config: Record<string, unknown>
  spin_chance_for_page_visit: number
  is_public: boolean
  config_version: number
  config_hash: string | null
  budget_minor: number | null
  budget_spent_minor: number
  time_zone: string
  row_version: number
}

const WHEEL_COLUMNS = `w.id, w.wheel_name, w.wheel_slug, w.wheel_status, w.wheel_description, w.wheel_config, w.spin_config,
  w.spin_chance_for_page_visit, w.is_public, w.config_version, w.config_hash, w.budget_minor, w.budget_spent_minor, w.row_version,
  t.time_zone`

/** A wheel by id or slug; soft-deleted ones are not found. */
export function loadWheel(tx: Tx, game: string) {
  return tx.one<WheelRow>(
    `select ${WHEEL_COLUMNS} from wheel_games w join tenants t on t.id = w.tenant_id
     where (w.id::text = $1 or w.wheel_slug = $1) and w.is_active`,
    [game],
    'wheel_by_game',
  )
}

/** The same, locked against another publish or a change of status. */
export function loadWheelForUpdate(tx: Tx, game: string) {
  return tx.one<WheelRow>(
    `select ${WHEEL_COLUMNS} from wheel_games w join tenants t on t.id = w.tenant_id
     where (w.id::text = $1 or w.wheel_slug = $1) and w.is_active for no key update of w`,
    [game],
  )
}

/** Published wheels of the tenant, newest first. */
export function loadLobby(tx: Tx) {
  return tx.rows<WheelRow>(
    `select ${WHEEL_COLUMNS} from wheel_games w join tenants t on t.id = w.tenant_id
     where w.is_active and w.config_version > 0 and w.wheel_status <> 'draft' order by w.created_at desc, w.id limit 500`,
  )
}

export type RewardTableRow = {
  id: string
  reward_slug: string
  reward_label: string
  reward_type: 'none' | 'prize' | 'spin_chance'
  probability: string
  reward_color: string | null
  reward_detail: { per_user_limit?: number }
  prize_id: number | null
  reward_position: number
  prize_type: string | null
  prize_value: string | null
  prize_usable: boolean | null
  prize_stock: number | null
  prize_left: number | null
  prize_cost_minor: number | null
}

/** The rewards that are on the wheel now, in their order. */
export function loadRewards(tx: Tx, wheelId: string) {
  return tx.rows<RewardTableRow>(
    `select r.id, r.reward_slug, r.reward_label, r.reward_type, r.probability::text, r.reward_color, r.reward_detail, r.prize_id,
            r.reward_position, p.type as prize_type, p.value as prize_value, p.is_active and p.deleted_at is null as prize_usable,
            p.stock as prize_stock, p.stock - p.won_count as prize_left, p.cost_minor as prize_cost_minor
     from wheel_rewards r left join gamification_prizes p on p.id = r.prize_id
     where r.wheel_game_id = $1 and r.is_active order by r.reward_position, r.id`,
    [wheelId],
  )
}

export async function insertVersion(
  tx: Tx,
  version: {
    wheel_game_id: string
    config_version: number
    config: string
    config_hash: string
    spin_config: unknown
  },
): Promise<void> {
  await tx.rows(
    `insert into wheel_versions (wheel_game_id, config_version, config, config_hash, spin_config, published_by, published_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      version.wheel_game_id,
      version.config_version,
      version.config,
      version.config_hash,
      JSON.stringify(version.spin_config),
      tx.actor.userId,
      tx.now,
    ],
  )
}

export type HistoryRow = {
  id: string
  reward_slug: string
  reward_label: string
  reward_type: string
  prize_id: number | null
  reward_color: string | null
  reward_detail: unknown
  probability: string
  weight: number
  segment_index: number
  range_start: number
  range_end: number
}

/** The reward table of a version, for ever; and the ranges beside the live rows. */
export async function insertRewardTable(
  tx: Tx,
  wheelId: string,
  config_version: number,
  rows: readonly HistoryRow[],
): Promise<void> {
  await tx.rows(
    `with r as materialized (
       select * from json_to_recordset($1::json) as r(id uuid, reward_slug text, reward_label text, reward_type text, prize_id bigint,
         reward_color text, reward_detail jsonb, probability numeric, weight bigint, segment_index int, range_start bigint, range_end bigint)
     ), live as (
       update wheel_rewards w
          set range_start = r.range_start, range_end = r.range_end, updated_at = $4,
              reward_status = case when r.id is not null then 'published' when w.reward_status = 'draft' then 'draft' else 'retired' end
         from wheel_rewards x left join r on r.id = x.id
        where w.id = x.id and x.wheel_game_id = $2 and x.is_active
     )
     insert into wheel_rewards_history (id, wheel_game_id, config_version, reward_slug, reward_label, reward_type, prize_id, reward_color,
                                        reward_detail, probability, weight, segment_index, range_start, range_end)
     select id, $2, $3, reward_slug, reward_label, reward_type, prize_id, reward_color, reward_detail, probability, weight,
            segment_index, range_start, range_end from r`,
    [JSON.stringify(rows), wheelId, config_version, tx.now],
  )
}

export async function putInForce(
  tx: Tx,
  wheelId: string,
  config_version: number,
  config_hash: string,
  wheel_status: string,
): Promise<void> {
  await tx.rows(
    `update wheel_games set config_version = $2, config_hash = $3, wheel_status = $4, row_version = row_version + 1, updated_at = $5 where id = $1`,
    [wheelId, config_version, config_hash, wheel_status, tx.now],
  )
}

/** The wallet's game behind a wheel; its limits and schedule are what is in force. */
export async function putGame(
  tx: Tx,
  game: { wheel_game_id: string; game_name: string; theme: unknown; play_limits: unknown; schedule: unknown },
): Promise<void> {
  await tx.rows(
    `insert into gamification_games as g (game_name, game_type, wheel_game_id, theme, play_limits, schedule, created_at, updated_at)
     values ($2, 'spin_wheel', $1, $3, $4, $5, $6, $6)
     on conflict (tenant_id, wheel_game_id) do update
       set game_name = excluded.game_name, theme = excluded.theme, play_limits = excluded.play_limits, schedule = excluded.schedule,
           updated_at = excluded.updated_at, row_version = g.row_version + 1`,
    [
      game.wheel_game_id,
      game.game_name,
      JSON.stringify(game.theme),
      JSON.stringify(game.play_limits),
      JSON.stringify(game.schedule),
      tx.now,
    ],
  )
}

export async function setWheelStatus(tx: Tx, wheelId: string, wheel_status: string): Promise<void> {
  await tx.rows(
    'update wheel_games set wheel_status = $2, row_version = row_version + 1, updated_at = $3 where id = $1',
    [wheelId, wheel_status, tx.now],
  )
}

/** The last number of a game's events, 0 before the first. */
export async function loadGameVersion(tx: Tx, gameId: string): Promise<number> {
  const row = await tx.one<{ last_seq: number }>(
    'select last_seq from game_heads where game_id = $1',
    [gameId],
    'game_version',
  )
  return row?.last_seq ?? 0
}

export type EventRow = {
  game_seq: number
  event_type: string
  event_data: Record<string, unknown>
  event_timestamp: Date
}

/** Events of a game after a version, in order. */
export function loadEventsSince(tx: Tx, gameId: string, after: number, limit: number) {
  return tx.rows<EventRow>(
    `select game_seq, event_type, event_data, event_timestamp from game_events
     where game_id = $1 and game_seq > $2 order by game_seq limit $3`,
    [gameId, after, limit],
    'events_since',
  )
}

/** The newest spins of a wheel as they were announced, newest first, up to a version. */
export function loadRecentSpins(tx: Tx, wheelId: string, limit: number) {
  return tx.rows<EventRow>(
    `select game_seq, event_type, event_data, event_timestamp from game_events
     where game_id = $1 and event_type = 'wheel.spun' order by game_seq desc limit $2`,
    [wheelId, limit],
    'recent_spins',
  )
}

/** Which of these prizes have nothing left. */
export async function loadExhaustedPrizes(tx: Tx, ids: readonly number[]): Promise<Set<number>> {
  const rows = await tx.rows<{ id: number }>(
    `select id from gamification_prizes
     where id = any($1::bigint[]) and (won_count >= stock or not is_active or deleted_at is not null)`,
    [ids],
  )
  return new Set(rows.map((row) => row.id))
}

/** Live wheels whose version in force has a reward that cannot be won any more, and a substitute that can. */
export function loadExhaustedWheels(tx: Tx) {
  return tx.rows<{ id: string }>(
    `with shown as (
       select h.wheel_game_id, h.reward_slug, h.prize_id is not null and (p.won_count >= p.stock or not p.is_active or p.deleted_at is not null) is true as is_gone
       from wheel_games w
       join wheel_rewards_history h on h.wheel_game_id = w.id and h.config_version = w.config_version
       left join gamification_prizes p on p.id = h.prize_id
       where w.is_active and w.wheel_status = 'live'
     )
     select w.id from wheel_games w
     join wheel_versions v on v.wheel_game_id = w.id and v.config_version = w.config_version
     where exists (select 1 from shown s where s.wheel_game_id = w.id and s.is_gone)
       and exists (select 1 from shown s where s.wheel_game_id = w.id and not s.is_gone and s.reward_slug = v.spin_config->>'on_exhausted')`,
    [],
    'exhausted_wheels',
  )
}

export type ChanceSum = { chances_left: number; next_expires_at: Date | null }

/** What a player can spend on a wheel (or on any), and when the next of it expires. */
export async function sumChances(tx: Tx, user_id: string, wheelId: string | null): Promise<ChanceSum> {
  const row = await tx.one<ChanceSum>(
    `select coalesce(sum(remaining_chances), 0)::int as chances_left, min(expires_at) as next_expires_at
     from spin_chances
     where user_id = $1 and chance_status = 'active' and awarded_at <= $3 and (expires_at is null or expires_at > $3)
       and ($2::uuid is null or wheel_game_id is null or wheel_game_id = $2)`,
    [user_id, wheelId, tx.now],
    'sum_chances',
  )
  return row!
}

/** A visit's chances, once per player, wheel and day: the unique key decides. True when this call gave them. */
export async function insertVisit(
  tx: Tx,
  visit: {
    id: string
    user_id: string
    wheel_id: string
    count: number
    expires_at: Date | null
    visit_day: string
  },
): Promise<boolean> {
  const rows = await tx.rows(
    `insert into spin_chances (id, user_id, wheel_game_id, chance_type, award_reason, chance_count, remaining_chances, awarded_at,
                               expires_at, visit_day, created_at, updated_at)
     values ($1, $2, $3, 'page_visit', 'page visit', $4, $4, $5, $6, $7, $5, $5)
     on conflict (tenant_id, user_id, wheel_game_id, visit_day) where visit_day is not null do nothing returning id`,
    [visit.id, visit.user_id, visit.wheel_id, visit.count, tx.now, visit.expires_at, visit.visit_day],
  )
  return rows.length > 0
}

export type GrantedRow = {
  id: string
  user_id: string
  wheel_game_id: string | null
  chance_type: string
  chance_status: string
  award_reason: string
  chance_count: number
  used_chances: number
  remaining_chances: number
  awarded_at: Date
  expires_at: Date | null
}

const GRANTED_COLUMNS = `id, user_id, wheel_game_id, chance_type, chance_status, award_reason, chance_count, used_chances,
  remaining_chances, awarded_at, expires_at`

export async function insertGrant(
  tx: Tx,
  grant: {
    id: string
    user_id: string
    wheel_id: string | null
    reason: string
    count: number
    expires_at: Date | null
  },
): Promise<GrantedRow> {
  const row = await tx.one<GrantedRow>(
    `insert into spin_chances (id, user_id, wheel_game_id, chance_type, award_reason, chance_count, remaining_chances, awarded_at,
                               expires_at, created_at, updated_at)
     values ($1, $2, $3, 'granted', $4, $5, $5, $6, $7, $6, $6) returning ${GRANTED_COLUMNS}`,
    [grant.id, grant.user_id, grant.wheel_id, grant.reason, grant.count, tx.now, grant.expires_at],
  )
  return row!
}

/** A page of a player's grants, newest first. */
export function loadGrantPage(
  tx: Tx,
  user_id: string,
  after: { at: string; id: string } | null,
  limit: number,
) {
  return tx.rows<GrantedRow & { created_at: Date }>(
    `select ${GRANTED_COLUMNS}, created_at from spin_chances
     where user_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
     order by created_at desc, id desc limit $4`,
    [user_id, after?.at ?? null, after?.id ?? null, limit],
  )
}

export type SpinHistoryRow = {
  id: string
  spin_started_at: Date
  answer: string
  reward_label: string
  config_version: number
  client_entropy: string
  commit_hash: string
  revealed: boolean
}

/** A page of one player's spins of a wheel, newest first. */
export function loadSpinPage(
  tx: Tx,
  wheelId: string,
  user_id: string,
  after: { at: string; id: string } | null,
  limit: number,
) {
  return tx.rows<SpinHistoryRow>(
    `select s.id, s.spin_started_at, s.answer, h.reward_label, r.config_version, r.client_entropy, f.commit_hash,
            f.seed_status = 'revealed' as revealed
     from spin_sessions s
     join spin_results r on r.spin_session_id = s.id
     join wheel_rewards_history h on h.id = r.wheel_reward_id and h.config_version = r.config_version
     join fair_seeds f on f.id = r.seed_id
     where s.wheel_game_id = $1 and s.user_id = $2 and ($3::timestamptz is null or (s.spin_started_at, s.id) < ($3, $4::uuid))
     order by s.spin_started_at desc, s.id desc limit $5`,
    [wheelId, user_id, after?.at ?? null, after?.id ?? null, limit],
  )
}

export type PlayRow = {
  id: number
  uuid: string
  game_name: string
  game_type: string
  is_winner: boolean
  prize_status: string | null
  prize_snapshot: Record<string, unknown> | null
  created_at: Date
  unlocked_at: Date | null
  expires_at: Date | null
  grace_hours: number
  event_id: string
  proof_id: string | null
}

/** A page of a player's plays, newest first. What came out of a bundle was not played. */
export function loadPlayPage(
  tx: Tx,
  user_id: string,
  won_only: boolean,
  after: { at: string; id: string } | null,
  limit: number,
) {
  return tx.rows<PlayRow>(
    `select p.id, p.uuid, g.game_name, g.game_type, p.is_winner, p.prize_status, p.prize_snapshot, p.created_at, p.unlocked_at,
            p.expires_at, p.grace_hours, p.event_id, ${PROOF_ID} as proof_id
     from gamification_game_plays p join gamification_games g on g.id = p.game_id
     where p.user_id = $1 and (not $2 or p.is_winner) and p.bundle_play_id is null
       and ($3::timestamptz is null or (p.created_at, p.id) < ($3, $4::bigint))
     order by p.created_at desc, p.id desc limit $5`,
    [user_id, won_only, after?.at ?? null, after?.id ?? null, limit],
  )
}

/** How often each reward of a version was rolled: observed beside published. */
export function countRolls(tx: Tx, wheelId: string, config_version: number) {
  return tx.rows<{ wheel_reward_id: string; rolls: number }>(
    `select h.id as wheel_reward_id, count(r.id)::int as rolls
     from wheel_rewards_history h
     left join spin_results r on r.wheel_reward_id = h.id and r.config_version = h.config_version
     where h.wheel_game_id = $1 and h.config_version = $2 group by h.id`,
    [wheelId, config_version],
  )
}

export type RewardWrite = {
  id: string
  reward_slug: string
  reward_label: string
  reward_type: string
  probability: string
  reward_color: string | null
  reward_description: string | null
  reward_detail: Record<string, unknown>
  prize_id: number | null
  reward_position: number
}

/** Writes the rewards of a wheel as given: by slug, in this order; the others leave the wheel. */
export async function putRewards(tx: Tx, wheelId: string, rewards: readonly RewardWrite[]): Promise<void> {
  await tx.rows(
    `with r as materialized (
       select * from json_to_recordset($2::json) as r(id uuid, reward_slug text, reward_label text, reward_type text, probability numeric,
         reward_color text, reward_description text, reward_detail jsonb, prize_id bigint, reward_position int)
     ), gone as (
       update wheel_rewards w set is_active = false, reward_status = 'retired', updated_at = $3, row_version = row_version + 1
       where w.wheel_game_id = $1 and w.is_active and w.reward_slug not in (select reward_slug from r)
     ), changed as (
       update wheel_rewards w
          set reward_label = r.reward_label, reward_type = r.reward_type, probability = r.probability, reward_color = r.reward_color,
              reward_description = r.reward_description, reward_detail = r.reward_detail, prize_id = r.prize_id,
              reward_position = r.reward_position, updated_at = $3, row_version = w.row_version + 1
         from r where w.wheel_game_id = $1 and w.is_active and w.reward_slug = r.reward_slug
     )
     insert into wheel_rewards (id, wheel_game_id, reward_slug, reward_label, reward_type, probability, reward_color,
                                reward_description, reward_detail, prize_id, reward_position, created_at, updated_at)
     select r.id, $1, r.reward_slug, r.reward_label, r.reward_type, r.probability, r.reward_color, r.reward_description,
            r.reward_detail, r.prize_id, r.reward_position, $3, $3
     from r where not exists (select 1 from wheel_rewards w where w.wheel_game_id = $1 and w.is_active and w.reward_slug = r.reward_slug)`,
    [wheelId, JSON.stringify(rewards), tx.now],
  )
}

export type RewardViewRow = {
  id: string
  reward_slug: string
  reward_label: string
  reward_type: string
  probability: string
  reward_color: string | null
  reward_description: string | null
  reward_detail: Record<string, unknown>
  prize_id: number | null
  range_start: number | null
  range_end: number | null
  reward_status: string
  row_version: number
}

/** The rewards of a wheel as an operator sees them. */
export function loadRewardViews(tx: Tx, wheelId: string) {
  return tx.rows<RewardViewRow>(
    `select id, reward_slug, reward_label, reward_type, trim_scale(probability)::text as probability, reward_color, reward_description,
            reward_detail, prize_id, range_start, range_end, reward_status, row_version
     from wheel_rewards where wheel_game_id = $1 and is_active order by reward_position, id`,
    [wheelId],
  )
}

/** The engine of a kind of game: whether it takes new games. */
export function loadEngine(tx: Tx, engine_type: string) {
  return tx.one<{ id: string; engine_status: string }>(
    'select id, engine_status from game_engines where engine_type = $1 and is_active',
    [engine_type],
  )
}
