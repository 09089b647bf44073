-- Why: work that must happen later, once, and only if the transaction that asked for it commits. Jobs live in the queue's
-- own schema (graphile_worker, brought up beside this one); the application reaches it through these two functions alone,
-- so that a tenant can add and take back jobs of its own and touch nobody else's.

-- `due_at` and `asked_at` are instants of the application's clock; the queue runs on the database's. Their difference is
-- what both agree on. `due_at` stays in the job for clocks that tests move.
create function add_job(task text, data jsonb, due_at timestamptz, asked_at timestamptz, job_key text, attempts_max integer,
                        keeps_due_at boolean)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := public.app_tenant_id();
  whole_key text := tenant || '/' || task || '/' || job_key;
begin
  if tenant is null then
    raise exception 'a job belongs to a tenant' using errcode = '42501';
  end if;
  if keeps_due_at then
    due_at := coalesce((select (j.payload ->> 'due_at')::timestamptz from graphile_worker._private_jobs j
                        where j.key = whole_key and j.attempts = 0), due_at);
  end if;
  perform graphile_worker.add_job(
    task,
    json_build_object('tenant_id', tenant, 'due_at', due_at, 'data', data),
    run_at => now() + (due_at - asked_at),
    max_attempts => attempts_max,
    job_key => whole_key,
    job_key_mode => case when keeps_due_at then 'preserve_run_at' else 'replace' end);
end $$;
revoke all on function add_job from public;
grant execute on function add_job to livedraw_app;

create function drop_job(task text, job_key text)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform graphile_worker.remove_job(public.app_tenant_id() || '/' || task || '/' || job_key);
end $$;
revoke all on function drop_job from public;
grant execute on function drop_job to livedraw_app;

-- Where a tenant wants to be told, and of what: exact types (`prize.won`) or whole areas (`prize.*`).
create table webhooks (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  url varchar(500) not null,
  description varchar(200),
  event_types jsonb not null check (jsonb_typeof(event_types) = 'array'),
  is_enabled boolean not null default true,
  -- `gone`: the other side answered 410.
  disabled_reason varchar(16) check (disabled_reason in ('gone')),
  -- Sealed like seeds. The previous one signs beside the present one until then.
  secret_sealed text,
  previous_secret_sealed text,
  previous_secret_until timestamptz,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  check ((previous_secret_sealed is null) = (previous_secret_until is null)),
  unique (tenant_id, id)
);
call protect('webhooks');

-- What happened, as it goes out: written by the transaction in which it happened, and only if somebody wants to know.
create table outbox (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  event_type varchar(64) not null,
  data jsonb not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
call protect('outbox', 'select, insert, delete');
create trigger outbox_is_final before update on outbox for each row execute function refuse_change();
create index outbox_by_time on outbox (tenant_id, created_at, id);

-- One event on its way to one webhook.
create table webhook_deliveries (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  webhook_id uuid not null,
  event_id uuid not null,
  delivery_status varchar(16) not null default 'pending' check (delivery_status in ('pending', 'delivered', 'failed', 'stopped')),
  attempt_count integer not null default 0 check (attempt_count >= 0),
  -- Attempts before the last replay: the schedule of retries counts from there.
  attempts_before integer not null default 0 check (attempts_before between 0 and attempt_count),
  -- While an attempt runs, when another process may take it for lost.
  next_attempt_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((delivery_status = 'pending') = (next_attempt_at is not null)),
  primary key (tenant_id, id),
  unique (tenant_id, webhook_id, event_id),
  foreign key (tenant_id, webhook_id) references webhooks (tenant_id, id),
  foreign key (tenant_id, event_id) references outbox (tenant_id, id) on delete cascade
);
call protect('webhook_deliveries');
create index webhook_deliveries_due on webhook_deliveries (tenant_id, webhook_id, next_attempt_at) where delivery_status = 'pending';
create index webhook_deliveries_by_time on webhook_deliveries (tenant_id, webhook_id, created_at, id);
create index webhook_deliveries_of_event on webhook_deliveries (tenant_id, event_id);

-- The log: what each attempt met.
create table webhook_attempts (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  delivery_id uuid not null,
  attempt_no integer not null check (attempt_no >= 1),
  attempted_at timestamptz not null,
  duration_ms integer not null check (duration_ms >= 0),
  -- Null when there was no answer; then `failure` says why.
  status_code integer check (status_code between 100 and 599),
  failure varchar(64),
  response_excerpt varchar(1000) not null default '',
  next_attempt_at timestamptz,
  check (status_code is not null or failure is not null),
  primary key (tenant_id, delivery_id, attempt_no),
  foreign key (tenant_id, delivery_id) references webhook_deliveries (tenant_id, id) on delete cascade
);
call protect('webhook_attempts', 'select, insert, delete');
create trigger webhook_attempts_are_final before update on webhook_attempts for each row execute function refuse_change();

-- Whether a type matches what a webhook asked for.
create function wants_event(event_types jsonb, event_type text) returns boolean language sql immutable
  return event_types ?| array[event_type, split_part(event_type, '.', 1) || '.*'];

-- Whether anybody wants to know: the one question that transactions of a tenant without webhooks pay for.
create function is_told(event_type text) returns boolean language sql stable
  return exists (select from webhooks w
                 where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null
                   and wants_event(w.event_types, event_type));

-- Puts events of one type on their way to all that want them, with one job for each webhook.
create function publish_events(of_type text, datas jsonb[], at timestamptz) returns void language plpgsql as $$
declare
  target uuid;
begin
  if not is_told(of_type) then return; end if;
  with events as (
    insert into outbox (event_type, data, created_at) select of_type, d, at from unnest(datas) as d returning id
  )
  insert into webhook_deliveries (webhook_id, event_id, next_attempt_at, created_at, updated_at)
  select w.id, e.id, at, at, at from events e cross join webhooks w
  where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null and wants_event(w.event_types, of_type);
  for target in
    select w.id from webhooks w
    where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null and wants_event(w.event_types, of_type)
    order by w.id
  loop
    perform add_job('webhooks.deliver', jsonb_build_object('webhook_id', target), at, at, null, 25, false);
  end loop;
end $$;

-- The places where a committed change becomes an event. They are triggers so that no path can forget them, and look at
-- whole statements, so that a batch of spins asks once.

-- A prize as others may see it: nothing of one that was never opened, and never its code.
create function public_prize(snapshot jsonb, is_open boolean) returns jsonb language sql immutable
  return case when is_open then jsonb_build_object('name', snapshot -> 'name', 'type', snapshot -> 'type',
    'value', snapshot -> 'value', 'display_value', snapshot -> 'display_value') end;

-- Instants inside events: RFC 3339 in UTC, whatever the session's zone is.
create function utc_text(at timestamptz) returns text language sql stable
  return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

create function tell_of_wins() returns trigger language plpgsql as $$
declare
  datas jsonb[];
  at timestamptz;
begin
  if not is_told('prize.won') then return null; end if;
  select array_agg(jsonb_build_object('play_id', n.id, 'user_id', n.user_id, 'game', g.game_name,
           'prize_status', n.prize_status, 'won_at', utc_text(n.created_at), 'expires_at', utc_text(n.expires_at),
           'prize', public_prize(n.prize_snapshot, n.prize_status <> 'locked')) order by n.id), max(n.created_at)
  into datas, at
  from news n join gamification_games g on g.tenant_id = n.tenant_id and g.id = n.game_id
  where n.is_winner;
  if datas is not null then perform publish_events('prize.won', datas, at); end if;
  return null;
end $$;
create trigger plays_are_told after insert on gamification_game_plays
  referencing new table as news for each statement execute function tell_of_wins();

create function tell_of_moves() returns trigger language plpgsql as $$
declare
  told record;
begin
  if not exists (select from webhooks w where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null) then
    return null;
  end if;
  for told in
    select moves.event_type, max(moves.moved_at) as at, array_agg(moves.data order by moves.id) as datas
    from (
      select n.id, n.moved_at,
             case when n.from_status = 'applied' then 'prize.rolled_back' else 'prize.' || n.to_status end as event_type,
             jsonb_build_object('play_id', n.play_id, 'user_id', p.user_id, 'game', g.game_name,
               'prize_status', n.to_status, 'moved_at', utc_text(n.moved_at), 'why', n.why,
               -- The row of the play is still as it was before the move.
               'prize', public_prize(p.prize_snapshot, p.unlocked_at is not null or n.to_status in ('unlocked', 'applied')),
               'application', case when 'applied' in (n.from_status, n.to_status) then
                 (select jsonb_build_object('order_id', a.order_ref, 'order_minor', a.order_minor,
                    'discount_minor', a.discount_minor, 'final_minor', a.final_minor, 'currency', a.currency)
                  from prize_applications a where a.tenant_id = n.tenant_id and a.play_id = n.play_id
                  order by a.applied_at desc, a.id desc limit 1) end) as data
      from news n
      join gamification_game_plays p on p.tenant_id = n.tenant_id and p.id = n.play_id
      join gamification_games g on g.tenant_id = p.tenant_id and g.id = p.game_id
    ) moves
    group by moves.event_type
  loop
    perform publish_events(told.event_type, told.datas, told.at);
  end loop;
  return null;
end $$;
create trigger prize_moves_are_told after insert on prize_history
  referencing new table as news for each statement execute function tell_of_moves();

-- Points that moved, for the programme outside that shows them.
create function tell_of_points() returns trigger language plpgsql as $$
declare
  datas jsonb[];
  at timestamptz;
begin
  if not is_told('loyalty.points_moved') then return null; end if;
  select array_agg(jsonb_build_object('user_id', a.owner_id, 'unit', n.currency, 'points', n.amount_minor,
           'balance_after', n.balance_after_minor, 'posting_id', n.id, 'transfer_id', t.id,
           'transfer_type', t.transfer_type, 'corrects_id', t.corrects_id) order by n.id), max(t.created_at)
  into datas, at
  from news n
  join ledger_accounts a on a.tenant_id = n.tenant_id and a.id = n.account_id and a.account_kind = 'loyalty_points'
  join ledger_transfers t on t.tenant_id = n.tenant_id and t.id = n.txn_id;
  if datas is not null then perform publish_events('loyalty.points_moved', datas, at); end if;
  return null;
end $$;
create trigger points_are_told after insert on ledger_postings
  referencing new table as news for each statement execute function tell_of_points();

-- What games tell their rooms, under the same names. Single spins stay out: there are thousands, and a win is told above.
create function tell_of_games() returns trigger language plpgsql as $$
declare
  told record;
begin
  if not exists (select from webhooks w where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null) then
    return null;
  end if;
  for told in
    select n.event_type, max(n.created_at) as at,
           array_agg(jsonb_build_object('game_id', n.game_id, 'seq', n.game_seq) || n.event_data order by n.game_id, n.game_seq) as datas
    from news n
    where n.game_id <> 'lobby' and n.event_type <> 'wheel.spun'
    group by n.event_type
  loop
    perform publish_events(told.event_type, told.datas, told.at);
  end loop;
  return null;
end $$;
create trigger game_events_are_told after insert on game_events
  referencing new table as news for each statement execute function tell_of_games();

-- What a trusted system says of a customer. `source_version` is its own sequence or time: a message that was overtaken
-- by a newer one changes nothing.
create table customer_facts (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  user_id varchar(128) not null check (user_id <> ''),
  order_count integer not null check (order_count >= 0),
  source_version bigint not null check (source_version between 0 and 9007199254740991),
  told_by varchar(128) not null,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, user_id)
);
call protect('customer_facts');
