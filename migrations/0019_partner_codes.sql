-- Why: codes of partners are handed out one by one and never twice, and whoever gives them hears in time that they run
-- out. Beside them the secrets of a tenant: what turns addresses and codes into fingerprints that nobody can guess.

-- 32 bytes each, sealed like seeds, made when they are needed first.
create table tenant_secrets (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  secret_name varchar(32) not null,
  sealed_secret text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  row_version integer not null default 1,
  primary key (tenant_id, secret_name)
);
call protect('tenant_secrets', 'select, insert, update (sealed_secret, updated_at, row_version)');

alter table gamification_prizes
  -- Each one that is won takes a code; the stock then is the number of codes that were uploaded.
  add column takes_codes boolean not null default false,
  -- As many codes left, or fewer, are an alert.
  add column codes_low_at integer not null default 10 check (codes_low_at between 0 and 1000000),
  add check (not takes_codes or stock is not null);

create table partner_codes (
  id bigint generated always as identity,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  prize_id bigint not null,
  -- A keyed fingerprint: the same code is known again, and is not found out from here.
  code_hash text not null check (length(code_hash) = 64),
  sealed_code text not null,
  play_id bigint,
  given_at timestamptz,
  -- When its winner looked at it first.
  shown_at timestamptz,
  uploaded_by varchar(128) not null,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((play_id is null) = (given_at is null)),
  check (shown_at is null or given_at is not null),
  primary key (tenant_id, id),
  unique (tenant_id, code_hash),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id)
);
call protect('partner_codes', 'select, insert, update (sealed_code, play_id, given_at, shown_at, updated_at, row_version)');
create index partner_codes_free on partner_codes (tenant_id, prize_id, id) where play_id is null;
create unique index partner_codes_one_per_play on partner_codes (tenant_id, play_id) where play_id is not null;

create function partner_code_stays() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or (old.play_id is not null and (new.play_id, new.given_at) is distinct from (old.play_id, old.given_at)) then
    raise exception 'a code that was given stays given' using errcode = '23514';
  end if;
  return new;
end $$;
create trigger partner_codes_stay before update or delete on partner_codes for each row execute function partner_code_stays();

-- What runs out, for whoever watches.
create table stock_alerts (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  prize_id bigint not null,
  alert_type varchar(16) not null check (alert_type in ('codes_low', 'codes_empty')),
  left_count bigint not null check (left_count >= 0),
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id)
);
call protect('stock_alerts', 'select, insert');
create trigger stock_alerts_are_final before update or delete on stock_alerts for each row execute function refuse_change();
create index stock_alerts_by_time on stock_alerts (tenant_id, created_at);

-- Plays whose traces are to be forgotten.
create index plays_with_traces on gamification_game_plays (tenant_id, created_at)
  where ip_address is not null or user_agent is not null;
