-- Why: what every other table leans on. Roles, the one function that protects a table, tenants, the write
-- path's own tables (idempotency keys, game events, audit chain, heads) and blocked users.
-- Money is integer minor units, times are timestamptz, and tenant_id has a default so that no statement names it.

do $$
begin
  begin create role livedraw_app nologin; exception when duplicate_object or unique_violation then null; end;
  begin
    create role livedraw_auditor nologin bypassrls;
  exception
    when duplicate_object or unique_violation then null;
    -- An owner without that right gets an auditor that the policies below admit by name.
    when insufficient_privilege then
      begin create role livedraw_auditor nologin; exception when duplicate_object or unique_violation then null; end;
  end;
  execute format('grant livedraw_app to %I', current_user);
  execute format('grant livedraw_auditor to %I', current_user);
end $$;

revoke create on schema public from public;
grant usage on schema public to livedraw_app, livedraw_auditor;

-- After a commit the setting reads back as '' and not as null, so '' must mean "no tenant" too.
create function app_tenant_id() returns uuid language sql stable
  return nullif(current_setting('app.tenant_id', true), '')::uuid;

-- Row-level security, policies and grants in one call, so that no table can have only a part of them.
-- `rights` is what the application may do; history tables pass 'select, insert'.
create procedure protect(target regclass, rights text default 'select, insert, update, delete') language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant_isolation on %s to livedraw_app
                    using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id())', target);
  execute format('create policy auditor_reads on %s for select to livedraw_auditor using (true)', target);
  execute format('grant %s on %s to livedraw_app', rights, target);
  execute format('grant select on %s to livedraw_auditor', target);
end $$;

-- A history is a history: whoever asks, owner included.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = '55000';
end $$;

create table tenants (
  id uuid primary key,
  tenant_code varchar(64) not null check (tenant_code ~ '^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$'),
  tenant_name varchar(200) not null,
  is_active boolean not null default true,
  country_code varchar(2),
  currency varchar(3) not null default 'EUR' check (currency ~ '^[A-Z]{3}$'),
  language_code varchar(16) not null default 'en',
  time_zone varchar(64) not null default 'UTC',
  -- Guest tokens, bots and a test clock are for tenants that play with nothing of value.
  is_demo boolean not null default false,
  idp_issuer varchar(300),
  idp_jwks_url varchar(500),
  idp_audience varchar(300),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  row_version integer not null default 1,
  deleted_at timestamptz,
  unique (tenant_code),
  unique (idp_issuer)
);
alter table tenants enable row level security;
alter table tenants force row level security;
create policy tenant_isolation on tenants to livedraw_app using (id = app_tenant_id()) with check (id = app_tenant_id());
create policy auditor_reads on tenants for select to livedraw_auditor using (true);
-- The directory functions below run as the owner, which FORCE binds too when it is no superuser.
do $$ begin execute format('create policy directory_reads on tenants for select to %I using (true)', current_user); end $$;
grant select, insert, update on tenants to livedraw_app;
grant select on tenants to livedraw_auditor;

-- The one door across tenants: who is meant by this code, this issuer; whose background work is due.
create function tenant_directory(code text default null, issuer text default null)
returns table (id uuid, tenant_code varchar, tenant_name varchar, is_active boolean, is_demo boolean, currency varchar,
               time_zone varchar, language_code varchar, idp_issuer varchar, idp_jwks_url varchar, idp_audience varchar)
language sql stable security definer set search_path = public as $$
  select t.id, t.tenant_code, t.tenant_name, t.is_active, t.is_demo, t.currency, t.time_zone, t.language_code,
         t.idp_issuer, t.idp_jwks_url, t.idp_audience
  from tenants t
  where t.deleted_at is null
    and (code is null or t.tenant_code = code)
    and (issuer is null or t.idp_issuer = issuer)
$$;
revoke all on function tenant_directory from public;
grant execute on function tenant_directory to livedraw_app, livedraw_auditor;

-- The heads of the chains of one tenant. One row, locked last in a transaction and once per batch: appending
-- to a chain without gaps serialises, so the lock is held for the shortest time.
create table tenant_heads (
  tenant_id uuid primary key default app_tenant_id() references tenants (id),
  audit_seq bigint not null default 0,
  audit_hash text,
  log_size bigint not null default 0,
  log_hash text not null default repeat('0', 64)
);
call protect('tenant_heads');

create table game_heads (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_id varchar(64) not null,
  last_seq bigint not null default 0,
  primary key (tenant_id, game_id)
);
call protect('game_heads');

create table game_events (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  user_id varchar(128),
  event_type varchar(64) not null,
  event_category varchar(32) not null,
  game_id varchar(64) not null,
  game_seq bigint not null,
  event_data jsonb not null,
  event_status varchar(16) not null default 'committed',
  event_timestamp timestamptz not null,
  ip_address varchar(64),
  user_agent varchar(300),
  row_version integer not null default 1,
  created_at timestamptz not null,
  -- The order of a game is its key; a second index over random ids would cost every spin and serve nobody.
  primary key (tenant_id, game_id, game_seq)
);
call protect('game_events', 'select, insert');
create trigger game_events_are_final before update or delete on game_events for each row execute function refuse_change();
create index game_events_by_user on game_events (tenant_id, user_id, created_at) where user_id is not null;

create table audit_logs (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  seq bigint not null,
  user_id varchar(128) not null,
  action varchar(64) not null,
  entity_type varchar(64) not null,
  entity_id uuid,
  old_values jsonb,
  new_values jsonb,
  -- Personal data with a retention of its own, and therefore outside the hash.
  ip_address varchar(64),
  user_agent varchar(300),
  prev_hash text,
  hash text not null,
  row_version integer not null default 1,
  created_at timestamptz not null,
  primary key (tenant_id, seq)
);
call protect('audit_logs', 'select, insert');
create index audit_logs_by_entity on audit_logs (tenant_id, entity_type, entity_id, seq);
create function keep_audit_row() returns trigger language plpgsql as $$
begin
  -- The purge of personal data is the one change that a written row may see.
  if tg_op = 'UPDATE' and row(new.id, new.tenant_id, new.seq, new.user_id, new.action, new.entity_type, new.entity_id,
       new.old_values, new.new_values, new.prev_hash, new.hash, new.created_at)
     is not distinct from row(old.id, old.tenant_id, old.seq, old.user_id, old.action, old.entity_type, old.entity_id,
       old.old_values, old.new_values, old.prev_hash, old.hash, old.created_at)
     and new.ip_address is null and new.user_agent is null then
    return new;
  end if;
  raise exception 'audit_logs is append-only' using errcode = '55000';
end $$;
create trigger audit_logs_are_final before update or delete on audit_logs for each row execute function keep_audit_row();

-- Locks the heads that a transaction appends to, in one fixed order, and reserves the numbers.
create function take_heads(game_ids text[], event_counts bigint[], audit_count bigint, log_count bigint)
returns table (game_seqs jsonb, audit_seq bigint, audit_hash text, log_size bigint, log_hash text)
language plpgsql as $$
declare
  seqs bigint[] := '{}';
  seq bigint;
begin
  -- The caller passes the games in sorted order.
  for i in 1 .. coalesce(array_length(game_ids, 1), 0) loop
    insert into game_heads as h (game_id, last_seq) values (game_ids[i], event_counts[i])
      on conflict (tenant_id, game_id) do update set last_seq = h.last_seq + excluded.last_seq
      returning h.last_seq - event_counts[i] into seq;
    seqs := seqs || seq;
  end loop;
  if audit_count + log_count = 0 then
    return query select to_jsonb(seqs), 0::bigint, null::text, 0::bigint, null::text;
  else
    return query
      update tenant_heads h
         set audit_seq = h.audit_seq + audit_count, log_size = h.log_size + log_count
       where h.tenant_id = app_tenant_id()
      returning to_jsonb(seqs), h.audit_seq - audit_count, h.audit_hash, h.log_size - log_count, h.log_hash;
  end if;
end $$;

create table idempotency_keys (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  principal varchar(128) not null,
  endpoint varchar(200) not null,
  key varchar(255) not null,
  -- A key and its effect commit together, so a row that anybody can see is already 'done'.
  state varchar(16) not null check (state in ('in_progress', 'done')),
  locked_until timestamptz,
  request_hash text not null,
  status integer,
  answer text,
  created_at timestamptz not null,
  primary key (tenant_id, principal, endpoint, key)
);
call protect('idempotency_keys');
create index idempotency_keys_by_age on idempotency_keys (created_at);

create table blocked_users (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  user_id varchar(128) not null,
  reason text not null,
  blocked_by varchar(128) not null,
  blocked_until timestamptz,
  created_at timestamptz not null,
  primary key (tenant_id, user_id)
);
call protect('blocked_users');

create table game_engines (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  engine_name varchar(120) not null,
  engine_type varchar(32) not null,
  engine_version varchar(32) not null,
  engine_status varchar(16) not null default 'enabled' check (engine_status in ('enabled', 'disabled')),
  engine_config jsonb not null default '{}',
  engine_capabilities jsonb not null default '[]',
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id),
  unique (tenant_id, engine_type)
);
call protect('game_engines');

create table game_templates (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_engine_id uuid not null,
  template_name varchar(120) not null,
  template_type varchar(32) not null,
  template_category varchar(64) not null default 'general',
  template_description text,
  template_config jsonb not null default '{}',
  game_rules jsonb not null default '{}',
  reward_config jsonb not null default '[]',
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id),
  foreign key (tenant_id, game_engine_id) references game_engines (tenant_id, id)
);
call protect('game_templates');
create index game_templates_by_time on game_templates (tenant_id, created_at, id);
