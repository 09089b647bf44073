-- Why: the guess game of seeds/000 on the life of draws (0011). A game is what its creator publishes, a submission is one
-- guess and never changes, and what was drawn is written once: numbers, winners and the closed game itself.

-- A creator is a person, or a company whose members act for it (S0-10, S0-36).
create table companies (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  company_name varchar(120) not null check (btrim(company_name) <> ''),
  row_version integer not null default 1,
  is_active boolean not null default true,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id)
);
call protect('companies', 'select, insert, update');
create unique index companies_by_name on companies (tenant_id, lower(company_name)) where is_active;

create table company_members (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  company_id uuid not null,
  user_id varchar(128) not null,
  created_at timestamptz not null,
  primary key (tenant_id, company_id, user_id),
  foreign key (tenant_id, company_id) references companies (tenant_id, id)
);
call protect('company_members', 'select, insert, delete');

create table games (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  -- The person; with a company, the member who made it.
  creator_id varchar(128) not null,
  company_id uuid,
  title varchar(120) not null check (btrim(title) <> ''),
  description varchar(2000),
  image_url varchar(500),
  link_url varchar(500),
  mode varchar(16) not null check (mode in ('guess', 'guess_then_draw', 'draw')),
  rule varchar(16) check (rule in ('exact', 'nearest', 'nearest_under', 'unique', 'lowest_unique')),
  guess_min integer,
  guess_max integer,
  guess_policy varchar(32) not null default 'one_per_user'
    check (guess_policy in ('one_per_user', 'n_per_user', 'number_unique_globally', 'replace_until_close')),
  guesses_per_user integer not null default 1 check (guesses_per_user between 1 and 100),
  number_of_winners integer not null check (number_of_winners between 1 and 1000),
  number_of_alternates integer not null default 0 check (number_of_alternates between 0 and 1000),
  reward_type varchar(16) not null check (reward_type in ('cash', 'digital', 'product', 'coins', 'voucher')),
  reward_text varchar(500),
  prize_id bigint,
  reel_id varchar(128),
  is_public boolean not null default true,
  opens_at timestamptz,
  closes_at timestamptz not null,
  claim_window_hours integer not null default 168 check (claim_window_hours between 1 and 2160),
  status varchar(16) not null default 'draft'
    check (status in ('draft', 'scheduled', 'open', 'closed', 'drawing', 'drawn', 'settled', 'cancelled')),
  draw_id uuid,
  -- What was promised: the hash of the commitment (seeds/000 hash_value). The sealed secret is fair_seeds.sealed_seed.
  hash_value text,
  submission_count integer not null default 0 check (submission_count >= 0),
  participant_count integer not null default 0 check (participant_count >= 0),
  -- The one open list that "games" of the wallet are shown under.
  wallet_game_id bigint,
  published_at timestamptz,
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((mode = 'draw') = (rule is null)),
  check ((mode = 'draw') = (guess_min is null) and (mode = 'draw') = (guess_max is null)),
  check (mode = 'draw' or guess_min < guess_max),
  check (guess_policy = 'n_per_user' or guesses_per_user = 1),
  check ((status = 'draft') = (draw_id is null) and (status = 'draft') = (hash_value is null)),
  unique (tenant_id, id),
  foreign key (tenant_id, company_id) references companies (tenant_id, id),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id),
  foreign key (tenant_id, wallet_game_id) references gamification_games (tenant_id, id),
  foreign key (tenant_id, draw_id) references draws (tenant_id, id)
);
call protect('games', 'select, insert, update');
-- S0-04: one active game per reel, whoever is quicker.
create unique index games_one_per_reel on games (tenant_id, reel_id)
  where reel_id is not null and is_active and status not in ('draft', 'settled', 'cancelled');
create index games_of_creator on games (tenant_id, creator_id, created_at desc, id desc);
create index games_listed on games (tenant_id, status, closes_at) where is_active;

-- What was promised to players stays as it was promised (S0-26); a draft may change.
create function keep_game() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.creator_id, new.company_id, new.created_at)
        is distinct from row(old.id, old.tenant_id, old.creator_id, old.company_id, old.created_at)
     or (old.status <> 'draft'
         and row(new.mode, new.rule, new.guess_min, new.guess_max, new.guess_policy, new.guesses_per_user,
                 new.number_of_winners, new.number_of_alternates, new.reward_type, new.prize_id, new.reel_id,
                 new.opens_at, new.closes_at, new.claim_window_hours, new.draw_id, new.hash_value, new.published_at)
             is distinct from
             row(old.mode, old.rule, old.guess_min, old.guess_max, old.guess_policy, old.guesses_per_user,
                 old.number_of_winners, old.number_of_alternates, old.reward_type, old.prize_id, old.reel_id,
                 old.opens_at, old.closes_at, old.claim_window_hours, old.draw_id, old.hash_value, old.published_at))
     or (new.status <> old.status
         and (old.status, new.status) not in
             (('draft', 'scheduled'), ('scheduled', 'open'), ('scheduled', 'cancelled'), ('open', 'closed'),
              ('open', 'cancelled'), ('closed', 'drawing'), ('closed', 'cancelled'), ('drawing', 'drawn'),
              ('drawing', 'cancelled'), ('drawn', 'settled')))
     or new.submission_count < old.submission_count
     or new.participant_count < old.participant_count then
    raise exception 'a published game cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger games_are_kept before update or delete on games for each row execute function keep_game();

-- One row per user and game (N11). `is_winner` is set once, at the draw.
create table game_participants (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_id uuid not null,
  user_id varchar(128) not null,
  submission_count integer not null default 0 check (submission_count >= 0),
  is_winner boolean,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, game_id, user_id),
  foreign key (tenant_id, game_id) references games (tenant_id, id)
);
call protect('game_participants', 'select, insert, update (submission_count, is_winner, updated_at)');
create index game_participants_of_user on game_participants (tenant_id, user_id, created_at desc);
create function keep_participant() returns trigger language plpgsql as $$
begin
  if old.is_winner is not null and new.is_winner is distinct from old.is_winner then
    raise exception 'who won is decided once' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger game_participants_are_kept before update on game_participants for each row execute function keep_participant();

-- Each guess, in the order in which it was accepted. A replaced one stays, and says by which.
create table game_submissions (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_id uuid not null,
  seq integer not null check (seq >= 0),
  user_id varchar(128) not null,
  request_id varchar(64) not null,
  guess integer,
  -- Set where a number may be chosen once, so that the index decides who was first.
  unique_guess integer,
  replaced_by uuid,
  -- What the player was told: a repeated request is answered with the same bytes.
  answer text not null,
  created_at timestamptz not null,
  unique (tenant_id, id),
  unique (tenant_id, game_id, seq),
  unique (tenant_id, game_id, user_id, request_id),
  unique (tenant_id, game_id, unique_guess),
  foreign key (tenant_id, game_id, user_id) references game_participants (tenant_id, game_id, user_id),
  foreign key (tenant_id, replaced_by) references game_submissions (tenant_id, id) deferrable initially deferred
);
call protect('game_submissions', 'select, insert, update (replaced_by)');
create index game_submissions_in_force on game_submissions (tenant_id, game_id, user_id) where replaced_by is null;
create function keep_submission() returns trigger language plpgsql as $$
begin
  if old.replaced_by is not null then
    raise exception 'a guess is replaced once' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger game_submissions_are_kept before update on game_submissions for each row execute function keep_submission();

-- The three records of a game that was drawn (S0-30, S0-31), written in one transaction and final.
create table winning_numbers (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_id uuid not null,
  position integer not null check (position >= 1),
  winning_number integer not null,
  created_at timestamptz not null,
  primary key (tenant_id, game_id, position),
  foreign key (tenant_id, game_id) references games (tenant_id, id)
);
call protect('winning_numbers', 'select, insert');
create trigger winning_numbers_are_final before update or delete on winning_numbers for each row execute function refuse_change();

create table winner_history (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_id uuid not null,
  user_id varchar(128) not null,
  place integer not null check (place >= 1),
  submission_id uuid not null,
  guess integer,
  is_alternate boolean not null,
  created_at timestamptz not null,
  unique (tenant_id, id),
  unique (tenant_id, game_id, place),
  foreign key (tenant_id, game_id, user_id) references game_participants (tenant_id, game_id, user_id),
  foreign key (tenant_id, submission_id) references game_submissions (tenant_id, id)
);
call protect('winner_history', 'select, insert');
create index winner_history_of_user on winner_history (tenant_id, user_id, created_at desc);
create trigger winner_history_is_final before update or delete on winner_history for each row execute function refuse_change();

create table game_history (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  game_id uuid not null,
  -- What was shown live, as one document.
  record jsonb not null,
  created_at timestamptz not null,
  primary key (tenant_id, game_id),
  foreign key (tenant_id, game_id) references games (tenant_id, id)
);
call protect('game_history', 'select, insert');
create trigger game_history_is_final before update or delete on game_history for each row execute function refuse_change();
