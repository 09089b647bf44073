-- Why: raffles (seeds/001: the six raffle tables) on the shared life of draws: campaigns with several draws, tickets sold
-- from the ledger or allocated by a policy, numbers that are held while somebody pays, numbers that win at once, and
-- what becomes of each winner. What decides who wins is in draws; these rows say whose it is.

create table raffle_configurations (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  config_name varchar(120) not null check (config_name <> ''),
  config_type varchar(32) not null default 'campaign' check (config_type in ('campaign')),
  config_values jsonb not null default '{}',
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id)
);
call protect('raffle_configurations');
create unique index raffle_configurations_by_name on raffle_configurations (tenant_id, config_name) where is_active;

create table raffle_ticket_allocation_policies (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  policy_name varchar(120) not null check (policy_name <> ''),
  allocation_policy varchar(32) not null check (allocation_policy in ('paid', 'free', 'per_order_amount', 'per_action',
    'time_watching', 'subscriber_weight', 'bonus_entries', 'auto_all', 'user_pick', 'random_number', 'sequential',
    'range_split', 'instant_win', 'cooldown', 'invite')),
  policy_config jsonb not null default '{}',
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id)
);
call protect('raffle_ticket_allocation_policies');
create unique index raffle_policies_by_name on raffle_ticket_allocation_policies (tenant_id, policy_name) where is_active;

create table raffle_campaigns (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  campaign_name varchar(120) not null check (campaign_name <> ''),
  campaign_slug varchar(64) not null check (campaign_slug ~ '^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$'),
  campaign_description text,
  campaign_status varchar(16) not null default 'draft' check (campaign_status in ('draft', 'scheduled', 'open', 'closed',
    'drawing', 'drawn', 'settled', 'cancelled')),
  campaign_type varchar(32) not null default 'raffle' check (campaign_type in ('raffle', 'giveaway')),
  start_time timestamptz not null,
  end_time timestamptz not null,
  -- Minor units.
  ticket_price integer not null check (ticket_price between 0 and 100000000),
  currency varchar(3) not null check (currency ~ '^[A-Z]{3}$'),
  total_tickets integer not null check (total_tickets between 1 and 10000000),
  -- Tickets that stand; and every ticket that was ever given out, because a number is given out once.
  sold_tickets integer not null default 0 check (sold_tickets >= 0),
  issued_tickets integer not null default 0,
  campaign_config jsonb not null default '{}',
  is_public boolean not null default true,
  is_active boolean not null default true,
  -- The key by which numbers are shuffled, and the sealed seed of the instant wins whose hash is committed to.
  number_key text,
  instant_seed text,
  instant_hash text,
  -- Per range of numbers, how many were tried in order.
  number_cursors jsonb not null default '{}',
  first_draw_id uuid,
  cancelled_why varchar(500),
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (start_time < end_time),
  check (sold_tickets <= issued_tickets and issued_tickets <= total_tickets),
  unique (tenant_id, id)
) with (fillfactor = 60);
call protect('raffle_campaigns');
create unique index raffle_campaigns_by_slug on raffle_campaigns (tenant_id, campaign_slug) where is_active;
create index raffle_campaigns_by_time on raffle_campaigns (tenant_id, created_at, id);

alter table gamification_games
  add column raffle_campaign_id uuid,
  add foreign key (tenant_id, raffle_campaign_id) references raffle_campaigns (tenant_id, id),
  add unique (tenant_id, raffle_campaign_id);

create table raffle_draws (
  -- Of the draw too, from the day it is committed to.
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  raffle_campaign_id uuid not null,
  draw_order integer not null check (draw_order >= 1),
  draw_name varchar(120) not null check (draw_name <> ''),
  draw_time timestamptz not null,
  draw_status varchar(16) not null default 'draft' check (draw_status in ('draft', 'scheduled', 'open', 'closed', 'drawing',
    'drawn', 'settled', 'cancelled')),
  -- On its list when it was frozen.
  total_tickets integer not null default 0,
  winning_tickets integer not null check (winning_tickets between 1 and 1000),
  alternates integer not null check (alternates between 0 and 1000),
  -- In order: [{"prize_id": 1, "qty": 3}]; a null prize is handed over outside this system.
  prizes jsonb not null,
  draw_results jsonb,
  frozen_at timestamptz,
  redraw_of uuid,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant_id, id),
  unique (tenant_id, raffle_campaign_id, draw_order),
  unique (tenant_id, raffle_campaign_id, draw_name),
  foreign key (tenant_id, raffle_campaign_id) references raffle_campaigns (tenant_id, id),
  foreign key (tenant_id, redraw_of) references raffle_draws (tenant_id, id)
);
call protect('raffle_draws');

-- One act of getting tickets: a sale, an allocation, a reservation that may become a sale.
create table raffle_purchases (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  raffle_campaign_id uuid not null,
  user_id varchar(128) not null,
  -- The caller's key, or the event that a policy allocated for: once, however often it is sent.
  request_id varchar(300) not null,
  request_hash text not null,
  purchase_status varchar(16) not null check (purchase_status in ('reserved', 'done', 'refunded', 'released')),
  via varchar(32) not null,
  policy_id uuid,
  quantity integer not null check (quantity between 1 and 1000),
  amount_minor bigint not null check (amount_minor >= 0),
  numbers integer[] not null,
  client_entropy varchar(64),
  reserved_until timestamptz,
  transfer_id uuid,
  refunded_at timestamptz,
  refund_reason varchar(500),
  -- The answers as they were sent: to the request, and to the payment of what was reserved.
  answer text,
  paid_answer text,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (cardinality(numbers) = quantity),
  check ((purchase_status = 'reserved') <= (reserved_until is not null)),
  check ((purchase_status = 'refunded') = (refunded_at is not null)),
  primary key (tenant_id, id),
  unique (tenant_id, raffle_campaign_id, user_id, request_id),
  foreign key (tenant_id, raffle_campaign_id) references raffle_campaigns (tenant_id, id),
  foreign key (tenant_id, policy_id) references raffle_ticket_allocation_policies (tenant_id, id),
  foreign key (tenant_id, transfer_id) references ledger_transfers (tenant_id, id)
);
call protect('raffle_purchases', 'select, insert, update');
create index raffle_purchases_reserved on raffle_purchases (tenant_id, raffle_campaign_id, reserved_until) where purchase_status = 'reserved';
create index raffle_purchases_to_refund on raffle_purchases (tenant_id, raffle_campaign_id, id) where purchase_status = 'done';

create table raffle_tickets (
  id uuid not null,
  -- The tenant is part of the foreign keys below, and reaches tenants through them.
  tenant_id uuid not null default app_tenant_id(),
  raffle_campaign_id uuid not null,
  user_id varchar(128) not null,
  ticket_number varchar(16) not null,
  ticket_status varchar(16) not null default 'active' check (ticket_status in ('active', 'won', 'lost', 'refunded')),
  ticket_purchased_at timestamptz not null,
  purchase_id uuid not null,
  via varchar(32) not null,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  -- Whoever asks, and also after a refund: a number is given out once.
  unique (tenant_id, raffle_campaign_id, ticket_number),
  foreign key (tenant_id, raffle_campaign_id) references raffle_campaigns (tenant_id, id),
  foreign key (tenant_id, purchase_id) references raffle_purchases (tenant_id, id)
);
call protect('raffle_tickets', 'select, insert, update (ticket_status, updated_at, row_version)');
create index raffle_tickets_of_user on raffle_tickets (tenant_id, raffle_campaign_id, user_id, created_at);
create index raffle_tickets_active on raffle_tickets (tenant_id, raffle_campaign_id) where ticket_status = 'active';
create index raffle_tickets_of_purchase on raffle_tickets (tenant_id, purchase_id);

-- Numbers that are kept for somebody who is paying.
create table raffle_held_numbers (
  tenant_id uuid not null default app_tenant_id(),
  raffle_campaign_id uuid not null,
  number integer not null,
  purchase_id uuid not null,
  primary key (tenant_id, raffle_campaign_id, number),
  foreign key (tenant_id, raffle_campaign_id) references raffle_campaigns (tenant_id, id),
  foreign key (tenant_id, purchase_id) references raffle_purchases (tenant_id, id)
);
call protect('raffle_held_numbers', 'select, insert, delete');
create index raffle_held_numbers_of_purchase on raffle_held_numbers (tenant_id, purchase_id);

-- Numbers that win when they are given out. Drawn from the committed seed; nobody is shown one before it is hit.
create table raffle_instant_wins (
  tenant_id uuid not null default app_tenant_id(),
  raffle_campaign_id uuid not null,
  number integer not null,
  prize_id bigint not null,
  ticket_id uuid,
  user_id varchar(128),
  play_id bigint,
  won_at timestamptz,
  primary key (tenant_id, raffle_campaign_id, number),
  foreign key (tenant_id, raffle_campaign_id) references raffle_campaigns (tenant_id, id),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id),
  foreign key (tenant_id, ticket_id) references raffle_tickets (tenant_id, id),
  check ((ticket_id is null) = (user_id is null) and (ticket_id is null) = (won_at is null))
);
call protect('raffle_instant_wins', 'select, insert, update (ticket_id, user_id, play_id, won_at)');

create table raffle_winners (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id(),
  raffle_draw_id uuid not null,
  place integer not null,
  raffle_ticket_id uuid not null,
  user_id varchar(128) not null,
  winner_status varchar(16) not null check (winner_status in ('announced', 'contacted', 'claimed', 'delivered', 'alternate', 'forfeited')),
  -- Of those who stand no more: in their own words, by the clock, by staff, or because the ticket was given back.
  ended_as varchar(16) check (ended_as in ('declined', 'forfeited', 'replaced', 'refunded')),
  -- Which prize of the draw: its place, and that of the winner whom an alternate follows.
  prize_place integer,
  prize_id bigint,
  prize_type varchar(32),
  prize_amount numeric(18, 2),
  play_id bigint,
  prize_note varchar(200),
  winner_announced_at timestamptz,
  contacted_at timestamptz,
  contact_count integer not null default 0,
  claimed_at timestamptz,
  delivered_at timestamptz,
  ended_at timestamptz,
  claim_until timestamptz,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((winner_status = 'forfeited') = (ended_as is not null)),
  check ((winner_status = 'forfeited') = (ended_at is not null)),
  check (winner_status in ('alternate', 'forfeited') or (winner_announced_at is not null and prize_place is not null)),
  primary key (tenant_id, id),
  unique (tenant_id, raffle_draw_id, place),
  unique (tenant_id, raffle_draw_id, raffle_ticket_id),
  foreign key (tenant_id, raffle_draw_id) references raffle_draws (tenant_id, id),
  foreign key (tenant_id, raffle_draw_id, place) references draw_winners (tenant_id, draw_id, place),
  foreign key (tenant_id, raffle_ticket_id) references raffle_tickets (tenant_id, id),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id)
);
call protect('raffle_winners', 'select, insert, update');
-- Nobody else stands for a prize while somebody does.
create unique index raffle_winners_one_per_prize on raffle_winners (tenant_id, raffle_draw_id, prize_place)
  where winner_status not in ('alternate', 'forfeited');
create index raffle_winners_by_deadline on raffle_winners (tenant_id, claim_until) where winner_status in ('announced', 'contacted');

-- Every step of a winner with its time and actor; written by the trigger below and by nobody else.
create table raffle_winner_history (
  id bigint generated always as identity,
  tenant_id uuid not null default app_tenant_id(),
  winner_id uuid not null,
  from_status varchar(16),
  to_status varchar(16) not null,
  ended_as varchar(16),
  moved_at timestamptz not null,
  moved_by varchar(128) not null,
  why varchar(500),
  primary key (tenant_id, winner_id, id),
  foreign key (tenant_id, winner_id) references raffle_winners (tenant_id, id)
);
call protect('raffle_winner_history', 'select, insert');
create trigger raffle_winner_history_is_final before update or delete on raffle_winner_history for each row execute function refuse_change();

-- The table of legal steps (src/games/raffle/winners.ts). `app.moved_by` and `app.moved_why` say who and why.
create function move_winner() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if row(new.id, new.raffle_draw_id, new.place, new.raffle_ticket_id, new.user_id) is distinct from
       row(old.id, old.raffle_draw_id, old.place, old.raffle_ticket_id, old.user_id)
       or (old.prize_place is not null and new.prize_place is distinct from old.prize_place)
       or (new.winner_status <> old.winner_status and (old.winner_status, new.winner_status) not in
            (('alternate', 'announced'), ('alternate', 'forfeited'), ('announced', 'contacted'), ('announced', 'claimed'),
             ('announced', 'forfeited'), ('contacted', 'claimed'), ('contacted', 'forfeited'), ('claimed', 'delivered'),
             ('claimed', 'forfeited'))) then
      raise exception 'a winner does not move from % to %', old.winner_status, new.winner_status using errcode = '55000';
    end if;
    if new.winner_status = old.winner_status and new.contact_count = old.contact_count then return null; end if;
  end if;
  insert into raffle_winner_history (tenant_id, winner_id, from_status, to_status, ended_as, moved_at, moved_by, why)
  values (new.tenant_id, new.id, case when tg_op = 'UPDATE' then old.winner_status end, new.winner_status, new.ended_as, new.updated_at,
          coalesce(nullif(current_setting('app.moved_by', true), ''), session_user), nullif(current_setting('app.moved_why', true), ''));
  return null;
end $$;
create trigger raffle_winners_move after insert or update on raffle_winners for each row execute function move_winner();

-- What a campaign promised stays from the day it is published; its states are those of its draws.
create function keep_campaign() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.campaign_status <> 'draft'
     or tg_op = 'UPDATE' and old.campaign_status <> 'draft' and (
       row(new.start_time, new.end_time, new.ticket_price, new.currency, new.total_tickets, new.campaign_config, new.campaign_type,
           new.number_key, new.instant_seed, new.instant_hash, new.first_draw_id)
       is distinct from
       row(old.start_time, old.end_time, old.ticket_price, old.currency, old.total_tickets, old.campaign_config, old.campaign_type,
           old.number_key, old.instant_seed, old.instant_hash, old.first_draw_id)
       or new.campaign_status = 'draft' or new.issued_tickets < old.issued_tickets) then
    raise exception 'what a published raffle promised cannot be changed' using errcode = '55000';
  end if;
  return coalesce(new, old);
end $$;
create trigger raffle_campaigns_are_kept before update or delete on raffle_campaigns for each row execute function keep_campaign();

create function keep_raffle_draw() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.draw_status <> 'draft'
     or tg_op = 'UPDATE' and old.draw_status <> 'draft' and (
       row(new.raffle_campaign_id, new.draw_order, new.draw_name, new.draw_time, new.winning_tickets, new.alternates, new.prizes, new.redraw_of)
       is distinct from
       row(old.raffle_campaign_id, old.draw_order, old.draw_name, old.draw_time, old.winning_tickets, old.alternates, old.prizes, old.redraw_of)
       or (old.frozen_at is not null and row(new.frozen_at, new.total_tickets) is distinct from row(old.frozen_at, old.total_tickets))
       or (old.draw_results is not null and new.draw_results is distinct from old.draw_results)
       or new.draw_status = 'draft') then
    raise exception 'what a raffle draw promised cannot be changed' using errcode = '55000';
  end if;
  return coalesce(new, old);
end $$;
create trigger raffle_draws_are_kept before update or delete on raffle_draws for each row execute function keep_raffle_draw();

-- A ticket is given back, wins or loses, once; a refunded ticket that is drawn stays refunded.
create function keep_ticket() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
     or row(new.id, new.raffle_campaign_id, new.user_id, new.ticket_number, new.ticket_purchased_at, new.purchase_id, new.via)
        is distinct from row(old.id, old.raffle_campaign_id, old.user_id, old.ticket_number, old.ticket_purchased_at, old.purchase_id, old.via)
     or (old.ticket_status, new.ticket_status) not in
         (('active', 'active'), ('active', 'won'), ('active', 'lost'), ('active', 'refunded'), ('won', 'won'), ('lost', 'lost'),
          ('lost', 'won'), ('won', 'lost'), ('refunded', 'refunded')) then
    raise exception 'a ticket cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger raffle_tickets_are_kept before update or delete on raffle_tickets for each row execute function keep_ticket();
