/** Statements of rules, alerts and reviews, and those that look for what is suspicious. */
import type { Tx } from '../db/tx.ts'

export type RuleRow = {
  id: string
  rule_name: string
  rule_kind: string
  alert_severity: string
  settings: Record<string, unknown>
  is_enabled: boolean
}

/** The rules of the tenant, switched off ones too. */
export function loadRules(tx: Tx) {
  return tx.rows<RuleRow>(
    'select id, rule_name, rule_kind, alert_severity, settings, is_enabled from alert_rules where is_active',
    [],
    'load_rules',
  )
}

/** Rules that the tenant never had, also when an operator has removed one since. Of two who insert one, one does. */
export async function insertRules(
  tx: Tx,
  rules: readonly {
    id: string
    rule_name: string
    rule_kind: string
    alert_severity: string
    settings: unknown
  }[],
): Promise<void> {
  await tx.rows(
    `insert into alert_rules (id, rule_name, rule_kind, alert_severity, settings, created_at, updated_at)
     select r.id, r.rule_name, r.rule_kind, r.alert_severity, r.settings, $2, $2
     from json_to_recordset($1::json) as r(id uuid, rule_name text, rule_kind text, alert_severity text, settings jsonb)
     where not exists (select from alert_rules a where a.rule_kind = r.rule_kind)
     on conflict (tenant_id, rule_kind) where rule_kind <> 'metric' and is_active do nothing`,
    [JSON.stringify(rules), tx.now],
  )
}

export type WinnerRow = {
  user_id: string
  plays: number
  wins: number
  /** What the published odds lead to expect of these plays; a play that no odds decided counts as one. */
  expected: number
  play_ids: number[]
  from: Date
  to: Date
}

/** Users with at least so many wins since an instant, with all their plays since then and what odds promised for them. A prize that was passed on stays a win of its winner. */
export function loadManyWins(tx: Tx, since: Date, min_wins: number, limit: number) {
  return tx.rows<WinnerRow>(
    `with play as materialized (
       select coalesce(p.won_by, p.user_id) as user_id, p.id, p.is_winner, p.created_at, p.game_id, r.config_version
       from gamification_game_plays p left join spin_results r on r.spin_session_id = p.event_id
       where p.created_at >= $1 and p.bundle_play_id is null
     ), hot as (
       select user_id from play where is_winner group by user_id having count(*) >= $2 order by count(*) desc, user_id limit $3
     ), odds as (
       select g.id as game_id, h.config_version, (sum(h.weight) filter (where h.prize_id is not null))::float8 / sum(h.weight)::float8 as share
       from wheel_rewards_history h join gamification_games g on g.wheel_game_id = h.wheel_game_id
       where (g.id, h.config_version) in (select game_id, config_version from play)
       group by g.id, h.config_version
     )
     select p.user_id, count(*)::int as plays, (count(*) filter (where p.is_winner))::int as wins,
            sum(case when p.config_version is null then 1 else coalesce(o.share, 0) end)::float8 as expected,
            json_agg(p.id order by p.id) filter (where p.is_winner) as play_ids, min(p.created_at) as "from", max(p.created_at) as "to"
     from play p join hot using (user_id) left join odds o on o.game_id = p.game_id and o.config_version = p.config_version
     group by p.user_id order by p.user_id`,
    [since, min_wins, limit],
  )
}

export type AddressRow = { address: string; users: number; wins: number; user_ids: string[] }

/** Addresses of at least so many users who won since an instant. An IPv6 customer has a whole /64. */
export function loadSharedAddresses(tx: Tx, since: Date, min_users: number, limit: number) {
  return tx.rows<AddressRow>(
    `select address, count(distinct user_id)::int as users, count(*)::int as wins, (array_agg(distinct user_id))[1:50] as user_ids
     from (select coalesce(won_by, user_id) as user_id, case when ip_address ~ ':' and ip_address !~ '[^0-9a-f:.]' then host(network(set_masklen(ip_address::inet, 64))) || '/64'
                                else ip_address end as address
           from gamification_game_plays where created_at >= $1 and is_winner and ip_address is not null) p
     group by address having count(distinct user_id) >= $2 order by users desc, address limit $3`,
    [since, min_users, limit],
  )
}

export type RedeemerRow = { user_id: string; won: number; applied: number; play_ids: number[] }

/** Users who used more than so many percent of at least so many wins, by the counts of their wallets; and the prizes. */
export function loadRedeemers(tx: Tx, min_wins: number, above_percent: number, limit: number) {
  return tx.rows<RedeemerRow>(
    `with user_counts as (
       select user_id, applied_count as applied, locked_count + unlocked_count + applied_count + expired_count as won from inbox_heads
     ), found as (
       select * from user_counts where won >= $1 and applied::bigint * 100 > $2::bigint * won order by won desc, user_id limit $3
     )
     select f.user_id, f.won, f.applied,
            to_json(array(select p.id from gamification_game_plays p
                          where p.user_id = f.user_id and p.is_winner and p.prize_status = 'applied' order by p.id desc limit 50)) as play_ids
     from found f order by f.user_id`,
    [min_wins, above_percent, limit],
  )
}

export type AlertWrite = {
  id: string
  rule_id: string
  alert_name: string
  alert_type: string
  alert_condition: string
  alert_severity: string
  alert_message: string
  alert_metadata: Record<string, unknown>
  score: number
  dedup_key: string
  /** After a person has resolved it, the same finding is left alone for so long. */
  quiet_s: number
}

export type RaisedRow = { id: string; dedup_key: string; is_new: boolean; seen_count: number }

/**
 * Raises alerts, or adds what is new to those that stand for the same thing: an alert that is open or acknowledged is
 * never raised a second time, whoever raises it at the same moment (the unique key decides). Evidence that did not
 * change writes nothing. `messages` in the evidence are added up. Returns what was raised or changed.
 */
export function raiseAlerts(tx: Tx, alerts: readonly AlertWrite[]) {
  return tx.rows<RaisedRow>(
    `insert into game_alerts as a (id, rule_id, alert_name, alert_type, alert_condition, alert_severity, alert_message, alert_metadata,
                                   score, dedup_key, triggered_at, last_seen_at, created_at, updated_at)
     select r.id, r.rule_id, r.alert_name, r.alert_type, r.alert_condition, r.alert_severity, r.alert_message, r.alert_metadata,
            r.score, r.dedup_key, $2, $2, $2, $2
     from json_to_recordset($1::json) as r(id uuid, rule_id uuid, alert_name text, alert_type text, alert_condition text,
       alert_severity text, alert_message text, alert_metadata jsonb, score int, dedup_key text, quiet_s int)
     where not exists (select from game_alerts q where q.dedup_key = r.dedup_key
                         and q.resolved_at > $2::timestamptz - make_interval(secs => r.quiet_s))
     order by r.dedup_key
     on conflict (tenant_id, dedup_key) where alert_status <> 'resolved' do update
       set alert_metadata = excluded.alert_metadata || case when a.alert_metadata ? 'messages' then
             jsonb_build_object('messages', (a.alert_metadata->>'messages')::bigint + (excluded.alert_metadata->>'messages')::bigint)
             else '{}' end,
           alert_message = excluded.alert_message, score = greatest(a.score, excluded.score), seen_count = a.seen_count + 1,
           last_seen_at = excluded.last_seen_at, updated_at = excluded.updated_at, row_version = a.row_version + 1
       where a.alert_metadata ? 'messages' or a.alert_metadata <> excluded.alert_metadata
     returning a.id, a.dedup_key, a.seen_count = 1 as is_new, a.seen_count`,
    [JSON.stringify(alerts), tx.now],
  )
}

/**
 * Holds the payout of prizes that were not used yet, until a person has looked at the alert. The plays are locked first:
 * an application that is under way ends before, and then there is nothing left to hold. Returns how many are new.
 */
export async function holdPrizes(tx: Tx, alert_id: string, play_ids: readonly number[]): Promise<number> {
  const open = await tx.rows<{ id: number }>(
    `select id from gamification_game_plays where id = any($1::bigint[]) and prize_status in ('locked', 'unlocked')
     order by id for no key update`,
    [play_ids],
  )
  const held = await tx.rows(
    `insert into prize_reviews (play_id, alert_id, held_at) select unnest($2::bigint[]), $1, $3
     on conflict do nothing returning play_id`,
    [alert_id, open.map(({ id }) => id), tx.now],
  )
  return held.length
}

export type AlertRow = {
  id: string
  rule_id: string
  analytics_id: string | null
  alert_name: string
  alert_type: string
  alert_condition: string
  alert_severity: string
  alert_status: string
  alert_message: string
  alert_metadata: Record<string, unknown>
  score: number
  seen_count: number
  triggered_at: Date
  last_seen_at: Date
  acknowledged_at: Date | null
  acknowledged_by: string | null
  resolved_at: Date | null
  resolved_by: string | null
  resolution: string | null
  resolution_note: string | null
  row_version: number
}

const ALERT = `id, rule_id, analytics_id, alert_name, alert_type, alert_condition, alert_severity, alert_status, alert_message,
  alert_metadata, score, seen_count, triggered_at, last_seen_at, acknowledged_at, acknowledged_by, resolved_at, resolved_by,
  resolution, resolution_note, row_version`

/** A page of alerts, newest first, before a place in that order. */
export function loadAlerts(
  tx: Tx,
  {
    status,
    type,
    before,
    limit,
  }: { status: string | null; type: string | null; before: { at: string; id: string } | null; limit: number },
) {
  return tx.rows<AlertRow & { at_us: string }>(
    `select ${ALERT}, (extract(epoch from triggered_at) * 1000000)::bigint::text as at_us from game_alerts
     where ($1::text is null or alert_status = $1) and ($2::text is null or alert_type = $2)
       and ($3::bigint is null or (triggered_at, id) < (timestamptz 'epoch' + $3 * interval '1 microsecond', $4::uuid))
     order by triggered_at desc, id desc limit $5`,
    [status, type, before?.at ?? null, before?.id ?? null, limit],
  )
}

export function loadAlert(tx: Tx, id: string) {
  return tx.one<AlertRow>(`select ${ALERT} from game_alerts where id = $1`, [id])
}

/** The same, locked: of two people who decide, one is first. */
export function lockAlert(tx: Tx, id: string) {
  return tx.one<AlertRow>(`select ${ALERT} from game_alerts where id = $1 for no key update`, [id])
}

export async function acknowledgeAlert(tx: Tx, id: string): Promise<AlertRow> {
  const row = await tx.one<AlertRow>(
    `update game_alerts set alert_status = 'acknowledged', acknowledged_at = $2, acknowledged_by = $3, updated_at = $2,
       row_version = row_version + 1
     where id = $1 returning ${ALERT}`,
    [id, tx.now, tx.actor.userId],
  )
  return row!
}

export async function resolveAlert(
  tx: Tx,
  id: string,
  resolution: string,
  note: string | null,
): Promise<AlertRow> {
  const row = await tx.one<AlertRow>(
    `update game_alerts set alert_status = 'resolved', resolved_at = $2, resolved_by = $3, resolution = $4, resolution_note = $5,
       updated_at = $2, row_version = row_version + 1
     where id = $1 returning ${ALERT}`,
    [id, tx.now, tx.actor.userId, resolution, note],
  )
  return row!
}

export type ReviewRow = { alert_id: string; play_id: number; decision: string | null; held_at: Date }

/** What these alerts hold. */
export function loadReviews(tx: Tx, alert_ids: readonly string[]) {
  return tx.rows<ReviewRow>(
    'select alert_id, play_id, decision, held_at from prize_reviews where alert_id = any($1::uuid[]) order by play_id',
    [alert_ids],
  )
}

/** Ends the reviews of an alert that are open. */
export async function decideReviews(
  tx: Tx,
  alert_id: string,
  decision: 'released' | 'refused',
): Promise<number[]> {
  const rows = await tx.rows<{ play_id: number }>(
    `update prize_reviews set decision = $2, decided_at = $3, decided_by = $4, row_version = row_version + 1
     where alert_id = $1 and decision is null returning play_id`,
    [alert_id, decision, tx.now, tx.actor.userId],
  )
  return rows.map(({ play_id }) => play_id)
}

/**
 * Forgets the address in alerts from before then. What a shared address was known by becomes the alert's own id, so that
 * the same address is a new finding.
 */
export async function forgetAddresses(tx: Tx, before: Date): Promise<string[]> {
  const rows = await tx.rows<{ id: string }>(
    `update game_alerts
     set alert_message = replace(alert_message, alert_metadata->>'address', '(forgotten)'),
         alert_metadata = alert_metadata - 'address',
         dedup_key = case when dedup_key = alert_type || ':' || (alert_metadata->>'address')
                          then alert_type || ':' || id else dedup_key end,
         updated_at = $2, row_version = row_version + 1
     where coalesce(resolved_at, last_seen_at) < $1 and alert_metadata->>'address' is not null
     returning id`,
    [before, tx.now],
    'forget_alert_addresses',
  )
  return rows.map(({ id }) => id)
}
