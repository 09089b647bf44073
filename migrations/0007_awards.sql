-- Why: what a prize really does. A thing that somebody has to hand over is a row with a life of its own, an item that
-- a prize puts into a cart is taken from a stock, and the result of a spin says how far its prize has come.

-- Items that prizes give away and that can run out, by the shop's own ids. What has no row here is not counted.
create table item_stocks (
  id bigint primary key generated always as identity,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  item_id varchar(64) not null check (item_id <> ''),
  item_name varchar(200) not null,
  -- The number put up, not what is left.
  stock bigint not null check (stock >= 0),
  reserved_count bigint not null default 0 check (reserved_count >= 0),
  is_active boolean not null default true,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (reserved_count <= stock),
  unique (tenant_id, id)
);
call protect('item_stocks');
create unique index item_stocks_by_item on item_stocks (tenant_id, item_id) where is_active;

-- One row per thing that is owed to a winner: once per play and order, and once per play that is handed over without
-- an order.
create table fulfilments (
  id uuid not null,
  -- The tenant is part of every foreign key below, and reaches tenants through them.
  tenant_id uuid not null default app_tenant_id(),
  -- Whose it is says the play: prizes change hands.
  play_id bigint not null,
  order_id varchar(128) check (order_id <> ''),
  -- A claim waits for its winner's address, a queue for staff, an item lies ready for its order.
  fulfilment_type varchar(16) not null check (fulfilment_type in ('claim', 'queue', 'item')),
  fulfilment_status varchar(16) not null default 'pending'
    check (fulfilment_status in ('pending', 'contacted', 'claimed', 'delivered', 'cancelled')),
  prize_name varchar(200) not null,
  item_id varchar(64),
  category_id varchar(64),
  -- The stock that the item was taken from; null where it is not counted.
  item_stock_id bigint,
  -- Where to, as the winner says it.
  claim_details jsonb,
  note varchar(500),
  contacted_at timestamptz,
  claimed_at timestamptz,
  delivered_at timestamptz,
  cancelled_at timestamptz,
  -- Who made the last step.
  handled_by varchar(128),
  -- Nothing is taken out of the queue; every list of staff asks whether it was.
  deleted_at timestamptz check (deleted_at is null),
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((fulfilment_type = 'item') = (item_id is not null)),
  check (fulfilment_type <> 'item' or order_id is not null),
  check ((fulfilment_status = 'delivered') = (delivered_at is not null)),
  check ((fulfilment_status = 'cancelled') = (cancelled_at is not null)),
  check (fulfilment_status not in ('contacted', 'claimed') or handled_by is not null),
  primary key (tenant_id, id),
  unique nulls not distinct (tenant_id, play_id, order_id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id),
  foreign key (tenant_id, item_stock_id) references item_stocks (tenant_id, id)
);
call protect('fulfilments', 'select, insert, update');
create index fulfilments_by_time on fulfilments (tenant_id, created_at, id);
create index fulfilments_to_do on fulfilments (tenant_id, created_at, id)
  where fulfilment_status in ('pending', 'contacted', 'claimed');

-- The table of legal steps, and what never changes.
create function fulfilment_moves() returns trigger language plpgsql as $$
begin
  if (new.play_id, new.order_id, new.fulfilment_type, new.prize_name, new.item_id, new.category_id, new.item_stock_id, new.created_at)
       is distinct from
     (old.play_id, old.order_id, old.fulfilment_type, old.prize_name, old.item_id, old.category_id, old.item_stock_id, old.created_at) then
    raise exception 'what is owed does not change' using errcode = '23514';
  end if;
  if new.fulfilment_status <> old.fulfilment_status
     and not (old.fulfilment_status, new.fulfilment_status) in
       (('pending', 'contacted'), ('pending', 'claimed'), ('contacted', 'claimed'), ('pending', 'delivered'),
        ('contacted', 'delivered'), ('claimed', 'delivered'), ('pending', 'cancelled'), ('contacted', 'cancelled'),
        ('claimed', 'cancelled')) then
    raise exception 'a fulfilment does not move from % to %', old.fulfilment_status, new.fulfilment_status using errcode = '23514';
  end if;
  return new;
end $$;
create trigger fulfilments_move before update on fulfilments for each row execute function fulfilment_moves();

-- seeds/001: claim_status goes unclaimed, claimed, paid, or expired. It follows the prize, whoever moves it: opened is
-- claimed, applied is paid, a prize that waits to be handed over is paid when it is delivered (src/prizes/fulfilments.ts).
create function claim_follows() returns trigger language plpgsql as $$
begin
  update spin_results r
  set claim_status = case new.prize_status
        when 'applied' then case when new.applied_to_order_id like 'claim:%' then 'claimed' else 'paid' end
        when 'unlocked' then 'claimed'
        else 'expired' end,
      -- What was taken off the order, or what was paid; points and coins in their own units.
      paid_amount = case when new.prize_status = 'applied' then coalesce(
        (select greatest(a.discount_minor, (select max(p.amount_minor) from ledger_postings p
                                            where p.tenant_id = a.tenant_id and p.txn_id = a.transfer_id))
         from prize_applications a
         where a.tenant_id = new.tenant_id and a.play_id = new.id and a.rolled_back_at is null), 0) else 0 end,
      updated_at = new.updated_at, row_version = r.row_version + 1
  where r.tenant_id = new.tenant_id and r.spin_session_id = new.event_id;
  return null;
end $$;
create trigger claims_follow after update on gamification_game_plays for each row
  when (old.prize_status is distinct from new.prize_status)
  execute function claim_follows();
