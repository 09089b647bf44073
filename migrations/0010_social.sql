-- Why: prizes change hands. A gift, a trade and a listing are deals that hold a prize in escrow; the escrow stands on the
-- prize's own row, so that applying, opening and passing it on are decided by one row and not by whoever looked first.
-- Beside them: rarity, bundles, cards that are shown to everybody, and grants that are given and not won.

alter table gamification_prizes
  add column is_transferable boolean not null default true,
  add column rarity varchar(16) not null default 'common'
    check (rarity in ('common', 'uncommon', 'rare', 'epic', 'legendary')),
  -- What a bundle holds: prize_id, quantity, and each part's definition as it was when the bundle was written.
  add column parts jsonb not null default '[]' check (jsonb_typeof(parts) = 'array'),
  -- all: applied together by applying the bundle, or not at all. each: one by one.
  add column parts_apply varchar(8) not null default 'each' check (parts_apply in ('all', 'each'));

-- A gift, a trade, a listing: what one player offers and another takes. Terms never change; only the status moves.
create table prize_deals (
  -- Made in the order of time, so that the order of a list is its key.
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  deal_kind varchar(8) not null check (deal_kind in ('gift', 'trade', 'listing')),
  deal_status varchar(16) not null default 'open' check (deal_status in ('open', 'accepted', 'declined', 'withdrawn', 'lapsed')),
  offered_by varchar(128) not null check (offered_by <> ''),
  -- Null: anybody but the one who offers. Nobody keeps a list of users, so a name that nobody has is a name like any other.
  offered_to varchar(128),
  -- Plays that a trade asks for. No references: whose they are, and whether they exist, is looked at by the one who is
  -- asked and not by the one who asks.
  wanted bigint[] not null default '{}',
  price_minor bigint check (price_minor between 1 and 1000000000000),
  currency varchar(3) check (currency ~ '^[A-Z]{3}$'),
  -- The tenant's share of the price as it was when it was listed, in basis points.
  fee_bps integer check (fee_bps between 0 and 5000),
  -- Never after the last instant of what it holds.
  expires_at timestamptz not null,
  taken_by varchar(128),
  -- The transfer that brought the price to the seller.
  transfer_id uuid,
  closed_at timestamptz,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((deal_kind = 'listing') = (offered_to is null)),
  check ((deal_kind = 'listing') = (price_minor is not null) and (price_minor is null) = (currency is null)
         and (price_minor is null) = (fee_bps is null)),
  check ((deal_kind = 'trade') = (cardinality(wanted) > 0)),
  check ((deal_status = 'open') = (closed_at is null)),
  check ((deal_status = 'accepted') = (taken_by is not null)),
  check ((deal_kind = 'listing' and deal_status = 'accepted') = (transfer_id is not null)),
  check (offered_to is null or offered_to <> offered_by),
  check (taken_by is null or taken_by <> offered_by),
  primary key (tenant_id, id),
  foreign key (tenant_id, transfer_id) references ledger_transfers (tenant_id, id)
);
call protect('prize_deals', 'select, insert, update (deal_status, taken_by, transfer_id, closed_at, updated_at, row_version)');
create index prize_deals_by_giver on prize_deals (tenant_id, offered_by, deal_kind, id);
create index prize_deals_by_receiver on prize_deals (tenant_id, offered_to, deal_kind, id) where offered_to is not null;
create index prize_deals_on_sale on prize_deals (tenant_id, id) where deal_kind = 'listing' and deal_status = 'open';
create index prize_deals_to_lapse on prize_deals (tenant_id, expires_at) where deal_status = 'open';

create function deal_moves() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.deal_status <> 'open' or new.deal_status = 'open'
     or (new.deal_status = 'accepted' and (new.expires_at <= new.closed_at or new.taken_by <> new.offered_to)) then
    raise exception 'a deal does not move like that' using errcode = '23514';
  end if;
  return new;
end $$;
create trigger prize_deals_move before update or delete on prize_deals for each row execute function deal_moves();

-- What goes which way: `give` from the one who offered, `take` from the one who accepted (written when that happens).
create table prize_deal_items (
  tenant_id uuid not null default app_tenant_id(),
  deal_id uuid not null,
  play_id bigint not null,
  side varchar(4) not null check (side in ('give', 'take')),
  -- What was locked for both sides then is never shown to the one who gave it, also when the other has opened it.
  was_open boolean not null,
  primary key (tenant_id, deal_id, play_id),
  foreign key (tenant_id, deal_id) references prize_deals (tenant_id, id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id)
);
call protect('prize_deal_items', 'select, insert');
create trigger prize_deal_items_are_final before update or delete on prize_deal_items for each row execute function refuse_change();
create index prize_deal_items_of_play on prize_deal_items (tenant_id, play_id);

alter table gamification_game_plays
  -- Who won it, once somebody else has it; null while its winner does.
  add column won_by varchar(128),
  -- Since when its present owner has it; null since it was won.
  add column received_at timestamptz,
  add column escrow_id uuid,
  add column escrow_kind varchar(8),
  -- From this instant on the escrow binds nobody, whether or not it was swept.
  add column escrow_until timestamptz,
  -- The bundle that this play is a part of.
  add column bundle_play_id bigint,
  add check ((escrow_id is null) = (escrow_kind is null) and (escrow_id is null) = (escrow_until is null)),
  add check (escrow_id is null or prize_status in ('locked', 'unlocked')),
  add check ((won_by is null) = (received_at is null)),
  add foreign key (tenant_id, escrow_id) references prize_deals (tenant_id, id),
  add foreign key (tenant_id, bundle_play_id) references gamification_game_plays (tenant_id, id);
create index gamification_game_plays_in_escrow on gamification_game_plays (tenant_id, escrow_id) where escrow_id is not null;
create index gamification_game_plays_of_bundle on gamification_game_plays (tenant_id, bundle_play_id) where bundle_play_id is not null;
create index gamification_game_plays_passed_on on gamification_game_plays (tenant_id, won_by) where won_by is not null;

-- Every change of owner. Written by the trigger below and by nobody else.
create table prize_transfers (
  id bigint generated always as identity,
  tenant_id uuid not null default app_tenant_id(),
  play_id bigint not null,
  from_user_id varchar(128) not null,
  to_user_id varchar(128) not null,
  deal_id uuid not null,
  why varchar(8) not null check (why in ('gift', 'trade', 'listing')),
  moved_at timestamptz not null,
  check (from_user_id <> to_user_id),
  primary key (tenant_id, play_id, id),
  unique (tenant_id, deal_id, play_id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id),
  foreign key (tenant_id, deal_id) references prize_deals (tenant_id, id)
);
call protect('prize_transfers', 'select, insert');
create trigger prize_transfers_are_final before update or delete on prize_transfers for each row execute function refuse_change();

-- The law of escrow and of changing hands, whoever writes. `updated_at` is the instant of the change.
create function prize_changes_hands() returns trigger language plpgsql as $$
declare
  deal prize_deals;
  is_bound boolean := old.escrow_id is not null and old.escrow_until > new.updated_at;
begin
  if new.prize_status is distinct from old.prize_status then
    if is_bound and new.prize_status <> 'expired' then
      raise exception 'a prize in escrow does not move to %', new.prize_status using errcode = '23514';
    end if;
    -- Nothing holds it any more.
    new.escrow_id := null;
    new.escrow_kind := null;
    new.escrow_until := null;
    is_bound := false;
  end if;

  if new.user_id <> old.user_id then
    select * into deal from prize_deals d where d.tenant_id = old.tenant_id and d.id = old.escrow_id;
    if not coalesce(is_bound and new.prize_status = old.prize_status and new.escrow_id is null
         and new.prize_code <> old.prize_code and new.received_at = new.updated_at
         and new.won_by = coalesce(old.won_by, old.user_id)
         and coalesce((old.prize_snapshot->>'is_transferable')::boolean, true)
         and deal.deal_status = 'accepted'
         and (old.user_id, new.user_id) = (
           select case i.side when 'give' then deal.offered_by else deal.taken_by end,
                  case i.side when 'give' then deal.taken_by else deal.offered_by end
           from prize_deal_items i where i.tenant_id = deal.tenant_id and i.deal_id = deal.id and i.play_id = old.id), false) then
      raise exception 'a prize changes hands by a deal that was accepted' using errcode = '23514';
    end if;
    insert into prize_transfers (tenant_id, play_id, from_user_id, to_user_id, deal_id, why, moved_at)
    values (new.tenant_id, new.id, old.user_id, new.user_id, deal.id, deal.deal_kind, new.updated_at);
    return new;
  end if;

  if (new.won_by, new.received_at) is distinct from (old.won_by, old.received_at) then
    raise exception 'a prize is received with a change of its owner' using errcode = '23514';
  end if;
  if (new.escrow_id, new.escrow_kind, new.escrow_until) is distinct from (old.escrow_id, old.escrow_kind, old.escrow_until) then
    if is_bound then
      select * into deal from prize_deals d where d.tenant_id = old.tenant_id and d.id = old.escrow_id;
      if new.escrow_id is not null or deal.deal_status in ('open', 'accepted') then
        raise exception 'a prize leaves escrow when its deal has ended' using errcode = '23514';
      end if;
    end if;
    if new.escrow_id is not null and not exists (
         select from prize_deals d join prize_deal_items i on i.tenant_id = d.tenant_id and i.deal_id = d.id
         where d.tenant_id = new.tenant_id and d.id = new.escrow_id and i.play_id = new.id and d.deal_status = 'open'
           and d.deal_kind = new.escrow_kind and d.expires_at = new.escrow_until and d.expires_at > new.updated_at
           and new.user_id = case i.side when 'give' then d.offered_by else coalesce(d.offered_to, new.user_id) end) then
      raise exception 'a prize goes into the escrow of an open deal that names it' using errcode = '23514';
    end if;
  end if;
  return new;
end $$;
create trigger prizes_pass_on before update on gamification_game_plays for each row
  when (old.escrow_id is not null or new.escrow_id is not null
        or (old.user_id, old.won_by, old.received_at) is distinct from (new.user_id, new.won_by, new.received_at))
  execute function prize_changes_hands();

-- As before, and: a code goes to nobody with the prize. Whoever gave it away knows it.
create or replace function prize_stands() returns trigger language plpgsql as $$
begin
  if (new.prize_status = 'applied') <> (new.applied_at is not null)
     or (new.prize_status = 'applied') <> (new.applied_to_order_id is not null)
     or (new.prize_status in ('unlocked', 'applied') and new.unlocked_at is null) then
    raise exception 'state and time stamps of a prize disagree' using errcode = '23514';
  end if;
  if (old.unlocked_at is not null and new.unlocked_at is distinct from old.unlocked_at)
     or (old.uuid, old.game_id, old.is_winner, old.prize_id, old.prize_snapshot, old.event_id, old.created_at, old.bundle_play_id)
        is distinct from
        (new.uuid, new.game_id, new.is_winner, new.prize_id, new.prize_snapshot, new.event_id, new.created_at, new.bundle_play_id)
     or (old.prize_code is distinct from new.prize_code and old.user_id = new.user_id) then
    raise exception 'what was issued does not change' using errcode = '23514';
  end if;
  return new;
end $$;

-- What a tenant decides about deals; without a row the defaults of src/prizes/social/rules.ts hold.
create table exchange_settings (
  tenant_id uuid primary key default app_tenant_id() references tenants (id),
  fee_bps integer not null check (fee_bps between 0 and 5000),
  deal_hours integer not null check (deal_hours between 1 and 720),
  hold_hours integer not null check (hold_hours between 0 and 720),
  gifts_per_day integer not null check (gifts_per_day between 0 and 1000),
  trades_per_day integer not null check (trades_per_day between 0 and 1000),
  listings_per_day integer not null check (listings_per_day between 0 and 1000),
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
call protect('exchange_settings', 'select, insert, update');

-- A card that anybody who has its address may see, until it is taken back or the prize changes hands.
create table prize_shares (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id(),
  -- 26 symbols of 32: 130 bits. It opens nothing but the card; the address names the tenant beside it.
  token varchar(32) not null check (length(token) = 26),
  play_id bigint not null,
  shared_by varchar(128) not null,
  revoked_at timestamptz,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, token),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id)
);
call protect('prize_shares', 'select, insert, update (revoked_at, updated_at, row_version)');
create unique index prize_shares_one_stands on prize_shares (tenant_id, play_id) where revoked_at is null;

-- Who, when and how much: a prize that is given away under a code (S2-66).
create table prize_campaigns (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  campaign_code varchar(32) not null check (campaign_code ~ '^[A-Z0-9]{3,32}$'),
  campaign_name varchar(200) not null,
  prize_id bigint not null,
  -- anyone: whoever types the code. listed: those of the list. service: only the tenant's own systems grant it.
  audience varchar(16) not null check (audience in ('anyone', 'listed', 'service')),
  audience_users jsonb not null default '[]' check (jsonb_typeof(audience_users) = 'array'),
  starts_at timestamptz,
  ends_at timestamptz,
  per_user_max integer not null default 1 check (per_user_max between 1 and 1000),
  grants_max integer check (grants_max >= 0),
  budget_minor bigint check (budget_minor >= 0),
  granted_count integer not null default 0 check (granted_count >= 0),
  spent_minor bigint not null default 0 check (spent_minor >= 0),
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (grants_max is null or granted_count <= grants_max),
  check (budget_minor is null or spent_minor <= budget_minor),
  check (starts_at is null or ends_at is null or starts_at < ends_at),
  primary key (tenant_id, id),
  unique (tenant_id, campaign_code),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id)
);
call protect('prize_campaigns', 'select, insert, update');

-- A prize that was given and not won: one per source event and user, for ever.
create table prize_grants (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id(),
  source varchar(16) not null check (source in ('campaign', 'referral', 'loyalty', 'support', 'partner', 'other')),
  source_id varchar(128) not null check (source_id <> ''),
  user_id varchar(128) not null check (user_id <> ''),
  prize_id bigint not null,
  play_id bigint not null,
  campaign_id uuid,
  cost_minor bigint not null check (cost_minor >= 0),
  granted_by varchar(128) not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, source, source_id, user_id),
  unique (tenant_id, play_id),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id),
  foreign key (tenant_id, campaign_id) references prize_campaigns (tenant_id, id)
);
call protect('prize_grants', 'select, insert');
create trigger prize_grants_are_final before update or delete on prize_grants for each row execute function refuse_change();
create index prize_grants_of_campaign on prize_grants (tenant_id, campaign_id, user_id) where campaign_id is not null;

-- Grants have a game too, one per source and tenant, so that they stand in the wallet like what was won.
create unique index gamification_games_of_source on gamification_games (tenant_id, game_type)
  where game_type in ('campaign', 'referral', 'loyalty', 'support', 'partner', 'other');

-- Who brought whom. The award is granted when the one who was brought plays for the first time (S2-65).
create table referrals (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id(),
  user_id varchar(128) not null check (user_id <> ''),
  referrer_id varchar(128) not null check (referrer_id <> ''),
  campaign_id uuid not null,
  referral_status varchar(16) not null default 'open' check (referral_status in ('open', 'awarded', 'refused')),
  why varchar(64),
  play_id bigint,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (user_id <> referrer_id),
  check ((referral_status = 'awarded') = (play_id is not null)),
  primary key (tenant_id, id),
  -- Somebody is brought once.
  unique (tenant_id, user_id),
  foreign key (tenant_id, campaign_id) references prize_campaigns (tenant_id, id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id)
);
call protect('referrals', 'select, insert, update (referral_status, why, play_id, updated_at, row_version)');
create index referrals_by_referrer on referrals (tenant_id, referrer_id, id);
create index referrals_open on referrals (tenant_id, id) where referral_status = 'open';
