-- Why: the wallet's game, prize and play tables (seeds/002) as far as a win needs them, and the wheel
-- (seeds/001: wheel_games, wheel_rewards, spin_sessions, spin_results, spin_chances) with what its invariants need.

create table gamification_prizes (
  id bigint primary key generated always as identity,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  name varchar(200) not null,
  description text,
  type varchar(32) not null,
  value varchar(32),
  display_value varchar(64),
  prize_color varchar(16),
  prize_image varchar(500),
  -- Conditions of use, as seeds/002 names them (min_order_amount, valid_order_types, ...).
  conditions jsonb not null default '{}',
  expires_in_days integer check (expires_in_days between 1 and 3650),
  never_expires boolean not null default false,
  grace_hours integer not null default 0 check (grace_hours between 0 and 24),
  -- What one of these costs the operator, for budgets and the odds simulator.
  cost_minor bigint not null default 0 check (cost_minor >= 0),
  -- The number put up, not what is left; null is unlimited.
  stock bigint check (stock >= 0),
  won_count bigint not null default 0,
  version integer not null default 1,
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  check (won_count >= 0 and (stock is null or won_count <= stock)),
  unique (tenant_id, id)
);
call protect('gamification_prizes');

create table wheel_games (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_template_id uuid,
  wheel_name varchar(120) not null,
  wheel_slug varchar(64) not null check (wheel_slug ~ '^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$'),
  wheel_status varchar(16) not null default 'draft' check (wheel_status in ('draft', 'live', 'paused', 'ended')),
  wheel_description text,
  wheel_config jsonb not null default '{}',
  spin_config jsonb not null default '{}',
  spin_chance_for_page_visit integer not null default 0 check (spin_chance_for_page_visit between 0 and 100),
  is_public boolean not null default true,
  is_active boolean not null default true,
  -- The version in force; 0 before the first publish.
  config_version integer not null default 0,
  config_hash text,
  budget_minor bigint check (budget_minor >= 0),
  budget_spent_minor bigint not null default 0,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (budget_spent_minor >= 0 and (budget_minor is null or budget_spent_minor <= budget_minor)),
  unique (tenant_id, id),
  foreign key (tenant_id, game_template_id) references game_templates (tenant_id, id)
);
call protect('wheel_games');
create unique index wheel_games_by_slug on wheel_games (tenant_id, wheel_slug) where is_active;
create index wheel_games_by_time on wheel_games (tenant_id, created_at, id);

create table wheel_rewards (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  wheel_game_id uuid not null,
  reward_label varchar(80) not null,
  reward_slug varchar(64) not null check (reward_slug ~ '^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$'),
  reward_type varchar(16) not null check (reward_type in ('none', 'prize', 'spin_chance')),
  probability numeric(10, 9) not null check (probability >= 0 and probability <= 1),
  reward_color varchar(16),
  reward_description text,
  reward_detail jsonb not null default '{}',
  prize_id bigint,
  -- Order on the wheel, and the order in which ranges run.
  reward_position integer not null default 0,
  range_start integer,
  range_end integer,
  reward_status varchar(16) not null default 'draft' check (reward_status in ('draft', 'published', 'retired')),
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((reward_type = 'none') = (prize_id is null)),
  unique (tenant_id, id),
  foreign key (tenant_id, wheel_game_id) references wheel_games (tenant_id, id),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id)
);
call protect('wheel_rewards');
create unique index wheel_rewards_by_slug on wheel_rewards (tenant_id, wheel_game_id, reward_slug) where is_active;

-- Every published version, for ever: the canonical config that was hashed, and its reward table.
create table wheel_versions (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  wheel_game_id uuid not null,
  config_version integer not null,
  config text not null,
  config_hash text not null,
  spin_config jsonb not null,
  published_by varchar(128) not null,
  published_at timestamptz not null,
  primary key (tenant_id, wheel_game_id, config_version),
  foreign key (tenant_id, wheel_game_id) references wheel_games (tenant_id, id)
);
call protect('wheel_versions', 'select, insert');
create trigger wheel_versions_are_final before update or delete on wheel_versions for each row execute function refuse_change();

create table wheel_rewards_history (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  wheel_game_id uuid not null,
  config_version integer not null,
  reward_slug varchar(64) not null,
  reward_label varchar(80) not null,
  reward_type varchar(16) not null,
  prize_id bigint,
  reward_color varchar(16),
  reward_detail jsonb not null,
  probability numeric(10, 9) not null,
  weight bigint not null check (weight > 0),
  segment_index integer not null,
  range_start bigint not null,
  range_end bigint not null,
  primary key (tenant_id, id, config_version),
  unique (tenant_id, wheel_game_id, config_version, segment_index),
  foreign key (tenant_id, wheel_game_id, config_version) references wheel_versions (tenant_id, wheel_game_id, config_version),
  foreign key (tenant_id, id) references wheel_rewards (tenant_id, id)
);
call protect('wheel_rewards_history', 'select, insert');
create trigger wheel_rewards_history_is_final before update or delete on wheel_rewards_history for each row execute function refuse_change();

create table gamification_games (
  id bigint primary key generated always as identity,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_name varchar(200) not null,
  game_type varchar(32) not null,
  wheel_game_id uuid,
  settings jsonb not null default '{}',
  theme jsonb not null default '{}',
  play_limits jsonb not null default '{}',
  schedule jsonb not null default '{}',
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id),
  unique (tenant_id, wheel_game_id),
  foreign key (tenant_id, wheel_game_id) references wheel_games (tenant_id, id)
);
call protect('gamification_games');

create table spin_chances (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  user_id varchar(128) not null,
  -- Null is a chance on any wheel of the tenant.
  wheel_game_id uuid,
  chance_type varchar(32) not null check (chance_type in ('granted', 'page_visit', 'reward')),
  chance_status varchar(16) generated always as (case when remaining_chances = 0 then 'used' else 'active' end) stored,
  award_reason varchar(200) not null,
  chance_count integer not null check (chance_count between 1 and 1000000),
  used_chances integer not null default 0 check (used_chances >= 0),
  remaining_chances integer not null check (remaining_chances >= 0),
  awarded_at timestamptz not null,
  expires_at timestamptz,
  chance_metadata jsonb not null default '{}',
  -- The day, in the tenant's time zone, that a page visit is counted for.
  visit_day date,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (used_chances + remaining_chances = chance_count),
  primary key (tenant_id, id),
  foreign key (tenant_id, wheel_game_id) references wheel_games (tenant_id, id)
) with (fillfactor = 60);
call protect('spin_chances', 'select, insert, update');
-- The predicate names the status and not the number: a number that changes with every spin would make each
-- update of the row an update of all its indexes.
create index spin_chances_to_take on spin_chances (tenant_id, user_id, expires_at) where chance_status = 'active';
create index spin_chances_by_user on spin_chances (tenant_id, user_id, created_at);
create unique index spin_chances_one_visit_a_day on spin_chances (tenant_id, user_id, wheel_game_id, visit_day) where visit_day is not null;

create table spin_sessions (
  id uuid not null,
  -- The tenant is part of every foreign key below, and reaches tenants through them.
  tenant_id uuid not null default app_tenant_id(),
  wheel_game_id uuid not null,
  user_id varchar(128) not null,
  -- The caller's request_id: one spin, however often it is sent.
  session_id varchar(64) not null,
  request_hash text not null,
  chance_id uuid not null,
  spin_status varchar(16) not null check (spin_status in ('started', 'completed', 'voided')),
  spin_started_at timestamptz not null,
  spin_completed_at timestamptz,
  spin_duration_ms integer,
  spin_metadata jsonb not null default '{}',
  -- The reply as it was sent, so that a repeated request is answered with the same bytes.
  answer text not null,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, user_id, session_id),
  foreign key (tenant_id, wheel_game_id) references wheel_games (tenant_id, id),
  foreign key (tenant_id, chance_id) references spin_chances (tenant_id, id)
);
call protect('spin_sessions', 'select, insert');
create index spin_sessions_of_player on spin_sessions (tenant_id, wheel_game_id, user_id, spin_started_at);

create table spin_results (
  id uuid not null,
  -- The tenant is part of every foreign key below, and reaches tenants through them.
  tenant_id uuid not null default app_tenant_id(),
  spin_session_id uuid not null,
  wheel_reward_id uuid not null,
  user_id varchar(128) not null,
  seed_id uuid not null,
  nonce bigint not null check (nonce >= 0),
  config_version integer not null,
  roll bigint not null,
  client_entropy varchar(64) not null default '-',
  result_status varchar(16) not null check (result_status in ('final')),
  claim_status varchar(16) not null check (claim_status in ('none', 'unclaimed', 'claimed', 'paid', 'expired')),
  paid_amount bigint not null default 0,
  win_status varchar(16) not null check (win_status in ('won', 'lost', 'substituted', 'exhausted')),
  result_metadata jsonb not null default '{}',
  result_timestamp timestamptz not null,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, spin_session_id),
  unique (tenant_id, seed_id, nonce),
  foreign key (tenant_id, spin_session_id) references spin_sessions (tenant_id, id),
  foreign key (tenant_id, wheel_reward_id, config_version) references wheel_rewards_history (tenant_id, id, config_version),
  foreign key (tenant_id, seed_id) references fair_seeds (tenant_id, id)
);
call protect('spin_results', 'select, insert, update (claim_status, paid_amount, updated_at, row_version)');
create index spin_results_by_user on spin_results (tenant_id, user_id, created_at);

-- A spin's reply names its play, and is stored with the spin: so ids are taken before the insert, in blocks.
create sequence play_ids;
grant usage on sequence play_ids to livedraw_app;

create table gamification_game_plays (
  id bigint not null default nextval('play_ids'),
  -- The tenant is part of every foreign key below, and reaches tenants through them.
  tenant_id uuid not null default app_tenant_id(),
  uuid uuid not null,
  game_id bigint not null,
  user_id varchar(128) not null,
  prize_id bigint,
  is_winner boolean not null,
  prize_code varchar(32),
  prize_status varchar(16) check (prize_status in ('locked', 'unlocked', 'applied', 'expired')),
  -- The definition as it was when it was won; editing a prize never alters what was issued.
  prize_snapshot jsonb,
  is_claimed boolean generated always as (coalesce(prize_status = 'applied', false)) stored,
  claimed_at timestamptz generated always as (applied_at) stored,
  unlocked_at timestamptz,
  applied_at timestamptz,
  applied_to_order_id varchar(128),
  order_id varchar(128) generated always as (applied_to_order_id) stored,
  applied_details jsonb,
  expires_at timestamptz,
  grace_hours integer not null default 0,
  game_data jsonb not null default '{}',
  -- The chance event behind this play: what /verify takes.
  event_id uuid not null,
  ip_address varchar(64),
  user_agent varchar(300),
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (is_winner = (prize_id is not null)),
  check (is_winner = (prize_code is not null)),
  check (is_winner = (prize_status is not null)),
  primary key (tenant_id, id),
  unique (tenant_id, uuid),
  foreign key (tenant_id, game_id) references gamification_games (tenant_id, id),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id)
);
call protect('gamification_game_plays', 'select, insert, update');
-- The four of seeds/002, each with the tenant in front.
create index idx_user_prizes on gamification_game_plays (tenant_id, user_id, is_winner, prize_status);
create unique index idx_prize_code on gamification_game_plays (tenant_id, prize_code) where prize_code is not null;
create index idx_expiration on gamification_game_plays (tenant_id, expires_at, prize_status) where prize_status in ('locked', 'unlocked');
create index idx_game_user_date on gamification_game_plays (tenant_id, game_id, user_id, created_at);

-- One shared spin that everybody watches.
create table wheel_rounds (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  wheel_game_id uuid not null,
  round_no integer not null check (round_no >= 1),
  config_version integer not null,
  commit_hash text not null,
  seed_id uuid,
  round_status varchar(16) not null check (round_status in ('open', 'closed', 'drawn', 'settled', 'void')),
  opens_at timestamptz not null,
  closes_at timestamptz not null,
  entries_root text,
  entry_count integer not null default 0,
  beacon jsonb,
  ctx text,
  outcome jsonb,
  landing jsonb,
  settle_at timestamptz,
  void_reason text,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id),
  unique (tenant_id, wheel_game_id, round_no),
  foreign key (tenant_id, wheel_game_id, config_version) references wheel_versions (tenant_id, wheel_game_id, config_version),
  foreign key (tenant_id, commit_hash) references fair_commitments (tenant_id, commit_hash),
  foreign key (tenant_id, seed_id) references fair_seeds (tenant_id, id)
);
call protect('wheel_rounds', 'select, insert, update');
create unique index wheel_rounds_one_at_a_time on wheel_rounds (tenant_id, wheel_game_id) where round_status in ('open', 'closed', 'drawn');

-- What players add to a shared spin: entropy of their own, sealed by the entries root before the outcome exists.
create table wheel_round_entries (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  round_id uuid not null,
  entry_index integer not null check (entry_index >= 0),
  user_id varchar(128) not null,
  entrant text not null,
  entrant_salt text not null,
  client_entropy varchar(64) not null,
  leaf text not null,
  created_at timestamptz not null,
  primary key (tenant_id, round_id, entry_index),
  unique (tenant_id, round_id, user_id),
  foreign key (tenant_id, round_id) references wheel_rounds (tenant_id, id)
);
call protect('wheel_round_entries', 'select, insert');
create trigger wheel_round_entries_are_final before update or delete on wheel_round_entries for each row execute function refuse_change();

-- A shared spin moves only as its table of states says (games/wheel/rounds.ts), and what was published of it stays,
-- whoever asks by whatever SQL.
create function keep_round() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
     or row(new.tenant_id, new.wheel_game_id, new.round_no, new.config_version, new.commit_hash, new.seed_id, new.opens_at, new.closes_at)
        is distinct from
        row(old.tenant_id, old.wheel_game_id, old.round_no, old.config_version, old.commit_hash, old.seed_id, old.opens_at, old.closes_at)
     or (new.round_status <> old.round_status
         and (old.round_status, new.round_status) not in
             (('open', 'closed'), ('open', 'void'), ('closed', 'drawn'), ('closed', 'void'), ('drawn', 'settled')))
     or (old.entries_root is not null and new.entries_root is distinct from old.entries_root)
     or (old.round_status <> 'open' and new.entry_count <> old.entry_count)
     or (old.outcome is not null
         and row(new.ctx, new.outcome, new.landing, new.beacon) is distinct from row(old.ctx, old.outcome, old.landing, old.beacon)) then
    raise exception 'a shared spin cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger wheel_rounds_are_kept before update or delete on wheel_rounds for each row execute function keep_round();
