-- Why: a prize moves from locked to applied or expired by legal steps only, whoever writes, and each step leaves a row;
-- an application to an order is a row of its own, so that it can be counted, taken back and recomputed.

create table prize_applications (
  id uuid not null,
  -- The tenant is part of every foreign key below, and reaches tenants through them.
  tenant_id uuid not null default app_tenant_id(),
  play_id bigint not null,
  order_id varchar(128) not null check (order_id <> ''),
  -- The order's id as the caller wrote it, a number or a text: answers repeat it.
  order_ref jsonb not null check (jsonb_typeof(order_ref) in ('number', 'string')),
  -- What is left of the order before this prize, what the prize takes off, and what is left after it.
  order_minor bigint not null check (order_minor >= 0),
  discount_minor bigint not null check (discount_minor >= 0),
  final_minor bigint not null check (final_minor >= 0),
  -- The cap of the definition; null is none.
  max_discount_minor bigint check (max_discount_minor > 0),
  currency varchar(3) not null check (currency ~ '^[A-Z]{3}$'),
  -- Of the facts about the order: the same order with other facts is no repetition.
  facts_hash text not null check (length(facts_hash) = 64),
  details jsonb not null,
  -- The transfer that paid it, for prizes that pay.
  transfer_id uuid,
  applied_by varchar(128) not null,
  applied_at timestamptz not null,
  rolled_back_at timestamptz,
  rolled_back_by varchar(128),
  rollback_reason varchar(200),
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (final_minor + discount_minor = order_minor),
  check (max_discount_minor is null or discount_minor <= max_discount_minor),
  check ((rolled_back_at is null) = (rolled_back_by is null)),
  primary key (tenant_id, id),
  -- One obligation per play and order, also after it was taken back.
  unique (tenant_id, play_id, order_id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id),
  foreign key (tenant_id, transfer_id) references ledger_transfers (tenant_id, id)
);
call protect('prize_applications',
  'select, insert, update (rolled_back_at, rolled_back_by, rollback_reason, updated_at, row_version)');
create unique index prize_applications_standing on prize_applications (tenant_id, play_id) where rolled_back_at is null;
create index prize_applications_of_order on prize_applications (tenant_id, order_id) where rolled_back_at is null;

-- The steps of a prize after it was won; how it began stands in its play. Written by the trigger below and by nobody
-- else: a spin writes no row here.
create table prize_history (
  id bigint generated always as identity,
  tenant_id uuid not null default app_tenant_id(),
  play_id bigint not null,
  from_status varchar(16) not null,
  to_status varchar(16) not null,
  moved_at timestamptz not null,
  moved_by varchar(128) not null,
  why varchar(200) not null,
  primary key (tenant_id, play_id, id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id)
);
call protect('prize_history', 'select, insert');
create trigger prize_history_is_final before update or delete on prize_history for each row execute function refuse_change();

create function prize_begins() returns trigger language plpgsql as $$
begin
  raise exception 'a prize begins locked or unlocked, not %', new.prize_status using errcode = '23514';
end $$;
create trigger prizes_begin before insert on gamification_game_plays for each row
  when (new.prize_status not in ('locked', 'unlocked'))
  execute function prize_begins();

-- The table of legal moves. `app.prize_by` and `app.prize_why` say who moves it and why; a rollback is legal only where
-- the transaction says that it is one (`app.prize_rollback` = 'on').
create function prize_moves() returns trigger language plpgsql as $$
declare
  is_rollback boolean := coalesce(current_setting('app.prize_rollback', true), '') = 'on';
begin
  if not coalesce((old.prize_status, new.prize_status) in
       (('locked', 'unlocked'), ('locked', 'expired'), ('unlocked', 'applied'), ('unlocked', 'expired'))
     or (is_rollback and old.prize_status = 'applied' and new.prize_status in ('unlocked', 'expired')), false) then
    raise exception 'a prize does not move from % to %', old.prize_status, new.prize_status using errcode = '23514';
  end if;
  if new.prize_status = 'applied' and not exists (
       select from prize_applications a
       where a.tenant_id = new.tenant_id and a.play_id = new.id and a.order_id = new.applied_to_order_id
         and a.rolled_back_at is null) then
    raise exception 'a prize is applied by an application that stands' using errcode = '23514';
  end if;
  insert into prize_history (tenant_id, play_id, from_status, to_status, moved_at, moved_by, why)
  values (new.tenant_id, new.id, old.prize_status, new.prize_status, new.updated_at,
          coalesce(nullif(current_setting('app.prize_by', true), ''), session_user),
          coalesce(nullif(current_setting('app.prize_why', true), ''), 'not said'));
  return new;
end $$;
create trigger prizes_move before update on gamification_game_plays for each row
  when (old.prize_status is distinct from new.prize_status)
  execute function prize_moves();

-- Time stamps follow the state, and what was issued stays as it was issued.
create function prize_stands() returns trigger language plpgsql as $$
begin
  if (new.prize_status = 'applied') <> (new.applied_at is not null)
     or (new.prize_status = 'applied') <> (new.applied_to_order_id is not null)
     or (new.prize_status in ('unlocked', 'applied') and new.unlocked_at is null) then
    raise exception 'state and time stamps of a prize disagree' using errcode = '23514';
  end if;
  if (old.unlocked_at is not null and new.unlocked_at is distinct from old.unlocked_at)
     or (old.uuid, old.game_id, old.is_winner, old.prize_id, old.prize_code, old.prize_snapshot, old.event_id, old.created_at)
        is distinct from
        (new.uuid, new.game_id, new.is_winner, new.prize_id, new.prize_code, new.prize_snapshot, new.event_id, new.created_at) then
    raise exception 'what was issued does not change' using errcode = '23514';
  end if;
  return new;
end $$;
create trigger prizes_stand before update on gamification_game_plays for each row execute function prize_stands();
