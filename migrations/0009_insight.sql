-- Why: what a user is told about (inbox), what an operator is told about (metrics, alerts and their rules), and prizes
-- whose payout waits for a person. A user's inbox and the counts of the wallet follow the plays by trigger, so that no
-- writer can forget them and no reader has to count.

-- One row per user who ever won or was told something. `version` grows with every change that the user can see; the
-- counts are those of the stored states. Nearly every update is a HOT update: only the key is indexed.
create table inbox_heads (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  user_id varchar(128) not null,
  version bigint not null default 0,
  locked_count integer not null default 0 check (locked_count >= 0),
  unlocked_count integer not null default 0 check (unlocked_count >= 0),
  applied_count integer not null default 0 check (applied_count >= 0),
  expired_count integer not null default 0 check (expired_count >= 0),
  unread_count integer not null default 0 check (unread_count >= 0),
  -- No locked or unlocked prize runs out before it; null: none ever does. Until then the counts hold as they stand.
  next_deadline timestamptz,
  primary key (tenant_id, user_id)
) with (fillfactor = 50);
call protect('inbox_heads', 'select, insert, update');

-- Written beside the head of the same user, in one transaction, and therefore without a foreign key of its own: a
-- batch of wins pays for one index entry per row and no more.
create table notifications (
  id bigint generated always as identity,
  tenant_id uuid not null default app_tenant_id(),
  user_id varchar(128) not null,
  kind varchar(32) not null check (kind ~ '^[a-z][a-z_]*$'),
  play_id bigint,
  -- Null where the sentence follows from the kind.
  message varchar(500),
  data jsonb not null default '{}',
  created_at timestamptz not null,
  read_at timestamptz,
  primary key (tenant_id, user_id, id)
);
call protect('notifications', 'select, insert, update (read_at), delete');
create index notifications_unread on notifications (tenant_id, user_id, id) where read_at is null;

-- Whose inbox this transaction has changed: `append` reads it before the commit, and the process tells the open inboxes
-- after it. Texts of JSON arrays, one per line.
create function stir_inboxes(users jsonb) returns void language plpgsql as $$
begin
  if jsonb_array_length(users) > 0 then
    perform set_config('app.stirred',
      concat_ws(e'\n', nullif(current_setting('app.stirred', true), ''), users::text), true);
  end if;
end $$;

-- What was won: one row per winner and one notification per win. A win says nothing of its prize (S2-04).
create function inbox_of_wins() returns trigger language plpgsql as $$
declare
  users jsonb;
begin
  with won as materialized (
    select tenant_id, user_id, id, prize_status, created_at, expires_at + make_interval(hours => grace_hours) as deadline
    from fresh where is_winner
  ), noted as (
    insert into notifications (tenant_id, user_id, kind, play_id, created_at)
    select tenant_id, user_id, 'prize_won', id, created_at from won order by id
  ), head as (
    insert into inbox_heads as h (tenant_id, user_id, version, locked_count, unlocked_count, unread_count, next_deadline)
    select tenant_id, user_id, 1, count(*) filter (where prize_status = 'locked'),
           count(*) filter (where prize_status = 'unlocked'), count(*), min(deadline)
    from won group by tenant_id, user_id order by tenant_id, user_id
    on conflict (tenant_id, user_id) do update
      set version = h.version + 1,
          locked_count = h.locked_count + excluded.locked_count,
          unlocked_count = h.unlocked_count + excluded.unlocked_count,
          unread_count = h.unread_count + excluded.unread_count,
          next_deadline = least(h.next_deadline, excluded.next_deadline)
    returning user_id
  )
  select coalesce(jsonb_agg(user_id), '[]') into users from head;
  perform stir_inboxes(users);
  return null;
end $$;
create trigger plays_reach_inbox after insert on gamification_game_plays
  referencing new table as fresh for each statement execute function inbox_of_wins();

-- A prize that moved, or changed hands. The heads are locked first and read anew under their locks, so that a deadline
-- that was the next one is looked for again among rows that nobody else is moving.
create function inbox_of_moves() returns trigger language plpgsql as $$
declare
  users jsonb;
begin
  with moved as (
    select n.tenant_id, o.user_id as old_user, n.user_id as new_user
    from after_rows n join before_rows o on o.tenant_id = n.tenant_id and o.id = n.id
    where n.is_winner
      and (o.user_id, o.prize_status, o.expires_at, o.grace_hours) is distinct from (n.user_id, n.prize_status, n.expires_at, n.grace_hours)
  ), owners as (
    select tenant_id, old_user as user_id from moved union select tenant_id, new_user from moved
  ), head as (
    insert into inbox_heads as h (tenant_id, user_id, version)
    select tenant_id, user_id, 1 from owners order by tenant_id, user_id
    on conflict (tenant_id, user_id) do update set version = h.version + 1
    returning user_id
  )
  select coalesce(jsonb_agg(user_id), '[]') into users from head;
  if jsonb_array_length(users) = 0 then return null; end if;

  with steps as (
    select tenant_id, user_id, -1 as n, prize_status, expires_at + make_interval(hours => grace_hours) as deadline, id
    from before_rows where is_winner
    union all
    select tenant_id, user_id, 1, prize_status, expires_at + make_interval(hours => grace_hours), id
    from after_rows where is_winner
  ), change as (
    select tenant_id, user_id,
           coalesce(sum(n) filter (where prize_status = 'locked'), 0) as locked,
           coalesce(sum(n) filter (where prize_status = 'unlocked'), 0) as unlocked,
           coalesce(sum(n) filter (where prize_status = 'applied'), 0) as applied,
           coalesce(sum(n) filter (where prize_status = 'expired'), 0) as expired,
           min(deadline) filter (where n = -1 and prize_status in ('locked', 'unlocked')) as first_before,
           min(deadline) filter (where n = 1 and prize_status in ('locked', 'unlocked')) as first_after
    from steps group by tenant_id, user_id
  )
  update inbox_heads h
     set locked_count = h.locked_count + c.locked, unlocked_count = h.unlocked_count + c.unlocked,
         applied_count = h.applied_count + c.applied, expired_count = h.expired_count + c.expired,
         next_deadline = case
           when c.first_before <= h.next_deadline and c.first_before is distinct from c.first_after then
             (select min(p.expires_at + make_interval(hours => p.grace_hours)) from gamification_game_plays p
              where p.tenant_id = h.tenant_id and p.user_id = h.user_id and p.is_winner and p.prize_status in ('locked', 'unlocked'))
           else least(h.next_deadline, c.first_after) end
    from change c
   where h.tenant_id = c.tenant_id and h.user_id = c.user_id;
  perform stir_inboxes(users);
  return null;
end $$;
create trigger moves_reach_inbox after update on gamification_game_plays
  referencing old table as before_rows new table as after_rows for each statement execute function inbox_of_moves();

-- Wins of before this version: counted, and not announced again. The owner is bound by the policies too.
alter table gamification_game_plays no force row level security;
alter table inbox_heads no force row level security;
insert into inbox_heads (tenant_id, user_id, version, locked_count, unlocked_count, applied_count, expired_count, next_deadline)
select tenant_id, user_id, 1, count(*) filter (where prize_status = 'locked'), count(*) filter (where prize_status = 'unlocked'),
       count(*) filter (where prize_status = 'applied'), count(*) filter (where prize_status = 'expired'),
       min(expires_at + make_interval(hours => grace_hours)) filter (where prize_status in ('locked', 'unlocked'))
from gamification_game_plays where is_winner group by tenant_id, user_id;
alter table gamification_game_plays force row level security;
alter table inbox_heads force row level security;

-- Reports ask for a stretch of time; rows come in its order, so a block range index of a few pages serves them and
-- costs an insert next to nothing.
create index plays_by_time on gamification_game_plays using brin (created_at) with (autosummarize = on);
create index results_by_time on spin_results using brin (created_at) with (autosummarize = on);

-- What alerts go by, editable per tenant. One rule of each built-in kind; any number of rules over metrics.
create table alert_rules (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  rule_name varchar(120) not null,
  rule_kind varchar(32) not null
    check (rule_kind in ('many_wins', 'shared_address', 'redeems_most', 'win_rate', 'tampering', 'metric')),
  alert_severity varchar(16) not null check (alert_severity in ('info', 'warning', 'critical')),
  settings jsonb not null,
  is_enabled boolean not null default true,
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id)
);
call protect('alert_rules');
create unique index alert_rules_one_of_a_kind on alert_rules (tenant_id, rule_kind) where rule_kind <> 'metric' and is_active;
create index alert_rules_by_time on alert_rules (tenant_id, created_at, id);

create table game_analytics (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  -- `hourly` is the roll-up of the server; anything else is somebody's own.
  analytics_type varchar(32) not null,
  game_type varchar(32),
  metric_name varchar(64) not null,
  metric_value numeric(24, 6) not null,
  metric_unit varchar(16) not null,
  metric_tags jsonb not null default '{}',
  metric_timestamp timestamptz not null,
  source_game varchar(64),
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
call protect('game_analytics');
create unique index game_analytics_hours on game_analytics (tenant_id, source_game, metric_timestamp, metric_name) where analytics_type = 'hourly';
create index game_analytics_by_metric on game_analytics (tenant_id, metric_name, metric_timestamp);

create table game_alerts (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  rule_id uuid not null,
  -- The metric that raised it, for rules over metrics.
  analytics_id uuid,
  alert_name varchar(120) not null,
  alert_type varchar(32) not null,
  alert_condition varchar(300) not null,
  alert_severity varchar(16) not null check (alert_severity in ('info', 'warning', 'critical')),
  alert_status varchar(16) not null default 'open' check (alert_status in ('open', 'acknowledged', 'resolved')),
  alert_message text not null,
  -- The evidence, and whatever else a person needs to judge it.
  alert_metadata jsonb not null default '{}',
  -- 0 to 100: how far from what is expected. A score is no verdict.
  score integer not null check (score between 0 and 100),
  -- What it is about: one of these stands at a time that is not resolved.
  dedup_key varchar(300) not null,
  seen_count integer not null default 1 check (seen_count >= 1),
  triggered_at timestamptz not null,
  last_seen_at timestamptz not null,
  acknowledged_at timestamptz,
  acknowledged_by varchar(128),
  resolved_at timestamptz,
  resolved_by varchar(128),
  resolution varchar(16) check (resolution in ('harmless', 'confirmed')),
  resolution_note varchar(500),
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((alert_status = 'resolved') = (resolved_at is not null)),
  check ((resolved_at is null) = (resolution is null)),
  check ((acknowledged_at is null) = (acknowledged_by is null)),
  primary key (tenant_id, id),
  foreign key (tenant_id, rule_id) references alert_rules (tenant_id, id),
  foreign key (tenant_id, analytics_id) references game_analytics (tenant_id, id)
);
call protect('game_alerts', 'select, insert, update');
create unique index game_alerts_standing on game_alerts (tenant_id, dedup_key) where alert_status <> 'resolved';
create index game_alerts_by_time on game_alerts (tenant_id, triggered_at desc, id desc);
create index game_alerts_of_subject on game_alerts (tenant_id, dedup_key, resolved_at);

-- A metric beyond the threshold of a rule raises its alert in the transaction that writes the metric, whoever writes.
create function metric_alerts() returns trigger language plpgsql as $$
begin
  insert into game_alerts as a (id, tenant_id, rule_id, analytics_id, alert_name, alert_type, alert_condition, alert_severity,
                                alert_message, alert_metadata, score, dedup_key, triggered_at, last_seen_at, created_at, updated_at)
  select gen_random_uuid(), new.tenant_id, r.id, new.id, r.rule_name, 'metric',
         format('%s %s %s', new.metric_name, r.settings->>'comparison', r.settings->>'threshold'), r.alert_severity,
         format('%s is %s %s.', new.metric_name, trim_scale(new.metric_value), new.metric_unit),
         jsonb_build_object('metric_name', new.metric_name, 'metric_value', trim_scale(new.metric_value)::text, 'metric_unit', new.metric_unit,
                            'metric_timestamp', new.metric_timestamp, 'source_game', new.source_game),
         50, format('metric:%s:%s', r.id, coalesce(new.source_game, '')), new.updated_at, new.updated_at, new.updated_at, new.updated_at
  from alert_rules r
  where r.tenant_id = new.tenant_id and r.rule_kind = 'metric' and r.is_enabled and r.is_active
    and r.settings->>'metric_name' = new.metric_name
    and (r.settings->>'source_game' is null or r.settings->>'source_game' = new.source_game)
    and case r.settings->>'comparison'
          when 'above' then new.metric_value > (r.settings->>'threshold')::numeric
          when 'below' then new.metric_value < (r.settings->>'threshold')::numeric
        end
  on conflict (tenant_id, dedup_key) where alert_status <> 'resolved' do update
    set analytics_id = excluded.analytics_id, alert_message = excluded.alert_message, alert_metadata = excluded.alert_metadata,
        seen_count = a.seen_count + 1, last_seen_at = excluded.last_seen_at, updated_at = excluded.updated_at,
        row_version = a.row_version + 1;
  return null;
end $$;
create trigger metrics_raise_alerts after insert or update of metric_value on game_analytics for each row execute function metric_alerts();

-- A prize whose payout waits for a person. It is held while one of its reviews is open or ended with a refusal.
create table prize_reviews (
  -- The tenant is part of every foreign key below, and reaches tenants through them.
  tenant_id uuid not null default app_tenant_id(),
  play_id bigint not null,
  alert_id uuid not null,
  held_at timestamptz not null,
  decision varchar(16) check (decision in ('released', 'refused')),
  decided_at timestamptz,
  decided_by varchar(128),
  row_version integer not null default 1,
  check ((decision is null) = (decided_at is null) and (decision is null) = (decided_by is null)),
  primary key (tenant_id, play_id, alert_id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id),
  foreign key (tenant_id, alert_id) references game_alerts (tenant_id, id)
);
call protect('prize_reviews', 'select, insert, update (decision, decided_at, decided_by, row_version)');
create index prize_reviews_holding on prize_reviews (tenant_id, play_id) where decision is distinct from 'released';
create index prize_reviews_of_alert on prize_reviews (tenant_id, alert_id);

create function prize_under_review() returns trigger language plpgsql as $$
begin
  if exists (select from prize_reviews r
             where r.tenant_id = new.tenant_id and r.play_id = new.id and r.decision is distinct from 'released') then
    raise exception 'the payout of this prize waits for a review' using errcode = '23514';
  end if;
  return new;
end $$;
create trigger prizes_under_review before update on gamification_game_plays for each row
  when (new.prize_status = 'applied' and old.prize_status is distinct from new.prize_status)
  execute function prize_under_review();
