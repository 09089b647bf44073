/**
 * Statements of the reports. Everything is counted from the rows of the games; only the hours are rolled up. The parts of
 * a bundle are no plays: what was won is the bundle.
 */
import type { Tx } from '../db/tx.ts'
import { POLICY_DAYS } from '../prizes/policy-store.ts'
import type { Definition, Usage } from '../prizes/practice.ts'
import type { Period } from './period.ts'

export type WinRow = {
  game_id: number
  game_name: string
  game_type: string
  /** Null for plays that no published table decided. */
  config_version: number | null
  plays: number
  wins: number
  /** Rolls of a prize that had nothing left to give. */
  exhausted: number
  /** Weights of the version: of its prizes, and of everything. */
  winning_weight: number | null
  total_weight: number | null
}

/** Plays and wins of each game and version, beside what the version promised. */
export function loadWins(tx: Tx, { from, to }: Period, game_id: number | null) {
  return tx.rows<WinRow>(
    `with counted as (
       select p.game_id, r.config_version, count(*)::int as plays, (count(*) filter (where p.is_winner))::int as wins,
              (count(*) filter (where r.win_status = 'exhausted'))::int as exhausted
       from gamification_game_plays p left join spin_results r on r.spin_session_id = p.event_id
       where p.created_at >= $1 and p.created_at < $2 and p.bundle_play_id is null and ($3::bigint is null or p.game_id = $3)
       group by p.game_id, r.config_version
     )
     select c.game_id, g.game_name, g.game_type, c.config_version, c.plays, c.wins, c.exhausted, o.winning_weight, o.total_weight
     from counted c
     join gamification_games g on g.id = c.game_id
     left join lateral (
       select sum(h.weight)::bigint as total_weight, coalesce(sum(h.weight) filter (where h.prize_id is not null), 0)::bigint as winning_weight
       from wheel_rewards_history h where h.wheel_game_id = g.wheel_game_id and h.config_version = c.config_version
     ) o on true
     order by c.game_id, c.config_version nulls first`,
    [from, to, game_id],
  )
}

/** Whether play `p` was used: itself, or of a bundle one of its parts. */
const IS_APPLIED = `(p.prize_status = 'applied' or p.prize_snapshot->>'type' = 'bundle' and exists (
  select from gamification_game_plays part where part.bundle_play_id = p.id and part.prize_status = 'applied'))`

export type FunnelRow = { plays: number; won: number; unlocked: number; applied: number; expired: number }

/**
 * How far what was won in a period came, whenever that was. A bundle was opened when its parts were made, applied when one
 * of them was, and expired when it ran out before any was.
 */
export async function loadFunnel(tx: Tx, { from, to }: Period, game_id: number | null): Promise<FunnelRow> {
  const row = await tx.one<FunnelRow>(
    `select count(*)::int as plays, (count(*) filter (where is_winner))::int as won,
            (count(*) filter (where is_winner and unlocked_at is not null))::int as unlocked,
            (count(*) filter (where is_applied))::int as applied,
            (count(*) filter (where not is_applied
               and (prize_status = 'expired' or (prize_status in ('locked', 'unlocked')
                                    and expires_at + make_interval(hours => grace_hours) < $4))))::int as expired
     from (select p.*, coalesce(${IS_APPLIED}, false) as is_applied from gamification_game_plays p
           where p.created_at >= $1 and p.created_at < $2 and p.bundle_play_id is null and ($3::bigint is null or p.game_id = $3)) p`,
    [from, to, game_id, tx.now],
  )
  return row!
}

/** Wins of each type of prize, as it was issued. */
export function loadTypes(tx: Tx, { from, to }: Period) {
  return tx.rows<{ prize_type: string; wins: number; applied: number }>(
    `select p.prize_snapshot->>'type' as prize_type, count(*)::int as wins, (count(*) filter (where ${IS_APPLIED}))::int as applied
     from gamification_game_plays p
     where p.created_at >= $1 and p.created_at < $2 and p.is_winner and p.bundle_play_id is null
     group by 1 order by wins desc, prize_type`,
    [from, to],
  )
}

export type RetentionRow = { day: string; players: number; returned: Record<string, number> }

/** Players by the local day of their first play, and how many of each day played again so many days later. */
export function loadRetention(tx: Tx, { from, to }: Period, time_zone: string, days: readonly number[]) {
  return tx.rows<RetentionRow>(
    `with played as (
       select distinct user_id, (created_at at time zone $3)::date as day from gamification_game_plays where created_at <= $5 and bundle_play_id is null
     ), first as (
       select user_id, min(day) as day from played group by user_id
     ), newcomers as (
       select * from first where day >= ($1::timestamptz at time zone $3)::date and day < ($2::timestamptz at time zone $3)::date
     ), again as (
       select n.day, d.after, count(p.user_id)::int as players
       from newcomers n cross join unnest($4::int[]) as d(after)
       left join played p on p.user_id = n.user_id and p.day = n.day + d.after
       group by n.day, d.after
     )
     select n.day::text as day, count(*)::int as players,
            (select jsonb_object_agg(a.after, a.players) from again a where a.day = n.day) as returned
     from newcomers n group by n.day order by n.day`,
    [from, to, time_zone, days, tx.now],
  )
}

export type HourRow = { at: Date; game_id: string; metric_name: string; metric_value: string }

/** The rolled-up hours of a period. */
export function loadHours(tx: Tx, { from, to }: Period, game_id: string | null) {
  return tx.rows<HourRow>(
    `select metric_timestamp as at, source_game as game_id, metric_name, trim_scale(metric_value)::text as metric_value
     from game_analytics
     where analytics_type = 'hourly' and metric_timestamp >= $1 and metric_timestamp < $2 and ($3::text is null or source_game = $3)
     order by metric_timestamp, source_game, metric_name`,
    [from, to, game_id],
  )
}

/** From which hour on the roll-up has to look: the one before its last, or that of the first play ever. */
export async function loadFirstHour(tx: Tx): Promise<Date | null> {
  const row = await tx.one<{ hour: Date | null }>(
    `select date_trunc('hour', coalesce(
       (select max(metric_timestamp) - interval '1 hour' from game_analytics where analytics_type = 'hourly'),
       (select min(created_at) from gamification_game_plays)), 'UTC') as hour`,
  )
  return row!.hour
}

/**
 * Counts hours anew and keeps what changed: plays, wins, what the wins cost, and what they were expected to cost by the
 * published odds. Numeric throughout. Returns how many metrics were written.
 */
export async function rollUp(tx: Tx, { from, to }: Period): Promise<number> {
  const rows = await tx.rows(
    `with play as (
       select date_trunc('hour', p.created_at, 'UTC') as hour, p.game_id, r.config_version, p.is_winner, p.prize_id
       from gamification_game_plays p left join spin_results r on r.spin_session_id = p.event_id
       where p.created_at >= $1 and p.created_at < $2 and p.bundle_play_id is null
     ), expected as (
       select g.id as game_id, h.config_version, sum(h.weight * coalesce(z.cost_minor, 0))::numeric / sum(h.weight) as cost
       from wheel_rewards_history h
       join gamification_games g on g.wheel_game_id = h.wheel_game_id
       left join gamification_prizes z on z.id = h.prize_id
       where (g.id, h.config_version) in (select game_id, config_version from play)
       group by g.id, h.config_version
     ), counted as (
       select play.hour, play.game_id, count(*)::numeric as plays, count(*) filter (where is_winner)::numeric as wins,
              coalesce(sum(z.cost_minor) filter (where is_winner), 0)::numeric as payout, coalesce(sum(e.cost), 0) as expected
       from play
       left join gamification_prizes z on z.id = play.prize_id
       left join expected e on e.game_id = play.game_id and e.config_version = play.config_version
       group by play.hour, play.game_id
     ), metric as (
       select c.hour, c.game_id, m.name, m.value, m.unit
       from counted c cross join lateral (values ('plays', c.plays, 'count'), ('wins', c.wins, 'count'),
         ('payout_minor', c.payout, 'minor'), ('expected_payout_minor', c.expected, 'minor')) as m(name, value, unit)
     )
     insert into game_analytics as a (analytics_type, game_type, metric_name, metric_value, metric_unit, metric_tags, metric_timestamp,
                                      source_game, created_at, updated_at)
     select 'hourly', g.game_type, m.name, m.value, m.unit, jsonb_build_object('game_name', g.game_name), m.hour, g.id::text, $3, $3
     from metric m join gamification_games g on g.id = m.game_id
     order by m.hour, m.game_id, m.name
     on conflict (tenant_id, source_game, metric_timestamp, metric_name) where analytics_type = 'hourly' do update
       set metric_value = excluded.metric_value, updated_at = excluded.updated_at, row_version = a.row_version + 1
       where a.metric_value <> round(excluded.metric_value, 6)
     returning 1`,
    [from, to, tx.now],
  )
  return rows.length
}

export type MetricRow = {
  id: string
  analytics_type: string
  game_type: string | null
  metric_name: string
  metric_value: string
  metric_unit: string
  metric_tags: Record<string, unknown>
  metric_timestamp: Date
  source_game: string | null
}

/** A metric of somebody's own. Rules over it are looked at by a trigger, in this transaction. */
export async function insertMetric(tx: Tx, id: string, metric: Omit<MetricRow, 'id'>): Promise<void> {
  await tx.rows(
    `insert into game_analytics (id, analytics_type, game_type, metric_name, metric_value, metric_unit, metric_tags, metric_timestamp,
                                 source_game, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`,
    [
      id,
      metric.analytics_type,
      metric.game_type,
      metric.metric_name,
      metric.metric_value,
      metric.metric_unit,
      JSON.stringify(metric.metric_tags),
      metric.metric_timestamp,
      metric.source_game,
      tx.now,
    ],
  )
}

/** Definitions that can be won or were. */
export function loadDefinitions(tx: Tx) {
  return tx.rows<Definition>(
    `select id, name, type, expires_in_days, ${POLICY_DAYS} as policy_days, never_expires, stock, cost_minor
     from gamification_prizes
     where is_active and deleted_at is null order by id`,
  )
}

/**
 * How often prizes were used of those whose time is over, by definition, won since an instant. Parts of bundles are used
 * like other prizes; a bundle that was opened is over when its parts are.
 */
export function loadUsage(tx: Tx, since: Date) {
  return tx.rows<Usage>(
    `select p.prize_id, z.name, count(*)::int as won, (count(*) filter (where p.prize_status = 'applied'))::int as applied
     from gamification_game_plays p join gamification_prizes z on z.id = p.prize_id
     where p.created_at >= $1 and p.is_winner and p.prize_status in ('applied', 'expired')
       and not (p.prize_snapshot->>'type' = 'bundle' and p.unlocked_at is not null)
     group by p.prize_id, z.name order by p.prize_id`,
    [since],
  )
}

/** Prizes that expired before an instant and still say from where they were won. */
export async function countOldExpired(tx: Tx, before: Date): Promise<number> {
  const row = await tx.one<{ n: number }>(
    `select count(*)::int as n from gamification_game_plays
     where created_at < $1 and prize_status = 'expired' and expires_at < $1 and (ip_address is not null or user_agent is not null)`,
    [before],
  )
  return row!.n
}
