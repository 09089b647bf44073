-- Why: the demo shop is an order system of its own beside the wallet; a player who comes back finds the orders again,
-- and the wallet's answers (what was applied, what was taken back) stand beside what the shop charged.

create table demo_orders (
  -- Chosen by whoever orders, so that a repeated request is the same order.
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  user_id varchar(128) not null,
  -- checkout: a prize may be held for it. placed: charged, its prize is applied. cancelled: was placed, its prize was
  -- taken back. abandoned: never placed, its prize was released.
  status varchar(16) not null check (status in ('checkout', 'placed', 'cancelled', 'abandoned')),
  -- [{id, category_id, name, quantity, price_minor}], as the menu was.
  lines jsonb not null check (jsonb_typeof(lines) = 'array' and lines <> '[]'),
  order_type varchar(32) not null,
  payment_method varchar(32) not null,
  zone_id integer,
  distance_m integer check (distance_m >= 0),
  currency varchar(3) not null check (currency ~ '^[A-Z]{3}$'),
  items_minor bigint not null check (items_minor > 0),
  delivery_fee_minor bigint not null check (delivery_fee_minor >= 0),
  discount_minor bigint not null default 0 check (discount_minor >= 0),
  total_minor bigint not null check (total_minor >= 0),
  play_id bigint,
  -- What the wallet answered when the prize was applied.
  applied_details jsonb,
  created_at timestamptz not null,
  placed_at timestamptz,
  closed_at timestamptz,
  updated_at timestamptz not null,
  row_version integer not null default 1,
  check (total_minor = items_minor - discount_minor + delivery_fee_minor),
  check ((status in ('placed', 'cancelled')) = (placed_at is not null)),
  check ((status in ('cancelled', 'abandoned')) = (closed_at is not null)),
  check (status in ('placed', 'cancelled') or applied_details is null),
  primary key (tenant_id, id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id)
);
call protect('demo_orders', 'select, insert, update');
create index demo_orders_of_user on demo_orders (tenant_id, user_id, created_at desc, id desc);
create index demo_orders_of_play on demo_orders (tenant_id, play_id) where play_id is not null;
