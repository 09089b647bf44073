-- Why: support is asked what happened to one spin, and had to put the story together from eight tables by hand. What the
-- transaction of a spin decided stands in its own rows and is read from there; what only the process knew (how long an
-- answer took, by which door, how often it was tried) and what other systems have to say of a spin had no place.

create table game_logs (
  id uuid not null,
  -- The tenant is part of the foreign key below, and reaches tenants through it.
  tenant_id uuid not null default app_tenant_id(),
  spin_session_id uuid not null,
  log_level varchar(8) not null check (log_level in ('debug', 'info', 'warn', 'error')),
  log_message varchar(200) not null check (log_message <> ''),
  log_details text not null default '' check (length(log_details) <= 4000),
  log_category varchar(32) not null check (log_category <> ''),
  log_timestamp timestamptz not null,
  source_component varchar(64) not null check (source_component <> ''),
  -- The id of the request that caused it: what the process's own log and the caller know it by.
  trace_id varchar(128) not null,
  row_version integer not null default 1,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, spin_session_id) references spin_sessions (tenant_id, id)
);
-- A line is written once; the nightly purge removes old ones.
call protect('game_logs', 'select, insert, delete');
create trigger game_logs_are_final before update on game_logs for each row execute function refuse_change();
create index game_logs_of_spin on game_logs (tenant_id, spin_session_id, log_timestamp);
create index game_logs_by_time on game_logs (tenant_id, created_at);
