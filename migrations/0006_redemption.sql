-- Why: redemption has a before and an after. A prize is held for an order while it is paid, an application is taken back
-- once when the order is cancelled, a part of an order comes back; and how prizes go together is each tenant's choice,
-- kept in versions so that every computation names the one it followed.

-- The newest version is in force; a tenant without any has the defaults of prizes/policy.ts, which are version 0.
create table wallet_policies (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  version integer not null check (version >= 1),
  policy jsonb not null,
  changed_by varchar(128) not null,
  created_at timestamptz not null,
  primary key (tenant_id, version)
);
call protect('wallet_policies', 'select, insert');
create trigger wallet_policies_are_final before update or delete on wallet_policies for each row execute function refuse_change();

-- One hold per prize. It binds until its end, whether or not anybody has deleted the row by then.
create table prize_holds (
  -- The tenant is part of the foreign key below, and reaches tenants through it.
  tenant_id uuid not null default app_tenant_id(),
  play_id bigint not null,
  order_id varchar(128) not null check (order_id <> ''),
  -- The order's id as the caller wrote it, a number or a text: answers repeat it.
  order_ref jsonb not null check (jsonb_typeof(order_ref) in ('number', 'string')),
  held_by varchar(128) not null,
  held_until timestamptz not null,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (held_until >= updated_at),
  primary key (tenant_id, play_id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id)
);
call protect('prize_holds');
create index prize_holds_by_end on prize_holds (tenant_id, held_until);

alter table prize_applications
  -- The version of the tenant's policy that the computation followed.
  add column policy_version integer not null default 0 check (policy_version >= 0),
  -- What the prize became when its application was taken back.
  add column rolled_back_to varchar(16) check (rolled_back_to in ('unlocked', 'expired')),
  add check ((rolled_back_at is null) = (rolled_back_to is null));
grant update (rolled_back_to) on prize_applications to livedraw_app;

create function prize_application_ends() returns trigger language plpgsql as $$
begin
  if old.rolled_back_at is not null then
    raise exception 'an application is taken back once' using errcode = '23514';
  end if;
  return new;
end $$;
create trigger prize_applications_end before update on prize_applications for each row execute function prize_application_ends();

-- Parts of an order that came back while its prize stays applied: which part of the discount went with them.
create table prize_returns (
  tenant_id uuid not null default app_tenant_id(),
  application_id uuid not null,
  -- The shop's own id of the return: one obligation.
  return_id varchar(128) not null check (return_id <> ''),
  returned_minor bigint not null check (returned_minor > 0),
  discount_minor bigint not null check (discount_minor >= 0),
  reason varchar(200) not null,
  returned_by varchar(128) not null,
  created_at timestamptz not null,
  primary key (tenant_id, application_id, return_id),
  foreign key (tenant_id, application_id) references prize_applications (tenant_id, id)
);
call protect('prize_returns', 'select, insert');
create trigger prize_returns_are_final before update or delete on prize_returns for each row execute function refuse_change();

-- As before, and: a prize comes back only when no application of it stands any more.
create or replace function prize_moves() returns trigger language plpgsql as $$
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
  if old.prize_status = 'applied' and exists (
       select from prize_applications a
       where a.tenant_id = new.tenant_id and a.play_id = new.id and a.rolled_back_at is null) then
    raise exception 'a prize comes back when its application was taken back' using errcode = '23514';
  end if;
  insert into prize_history (tenant_id, play_id, from_status, to_status, moved_at, moved_by, why)
  values (new.tenant_id, new.id, old.prize_status, new.prize_status, new.updated_at,
          coalesce(nullif(current_setting('app.prize_by', true), ''), session_user),
          coalesce(nullif(current_setting('app.prize_why', true), ''), 'not said'));
  return new;
end $$;

-- Amounts of definitions, prizes and accounts mean what they meant when they were written.
create function tenant_keeps_currency() returns trigger language plpgsql as $$
begin
  if exists (select from gamification_prizes p where p.tenant_id = new.id and p.deleted_at is null)
     or exists (select from gamification_game_plays p where p.tenant_id = new.id and p.is_winner)
     or exists (select from ledger_accounts a where a.tenant_id = new.id) then
    raise exception 'the currency stays once amounts were written in it' using errcode = '23514';
  end if;
  return new;
end $$;
create trigger tenants_keep_currency before update on tenants for each row
  when (old.currency is distinct from new.currency)
  execute function tenant_keeps_currency();
