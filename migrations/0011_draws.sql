-- Why: the life that every closing game shares. A draw is one row that moves only as its table of states says
-- (src/draws/lifecycle.ts), whatever SQL asks; beside it the frozen list with its Merkle tree, and the places that were
-- drawn, all of them stored before the first one is shown.

create table draws (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  -- The record of src/draws/game.ts that it follows, and whose draw it is: the stream of its events.
  game varchar(32) not null,
  game_id varchar(64) not null,
  draw_name varchar(120) not null,
  -- Of its context and commitment (fair-1.md section 6).
  kind varchar(16) not null,
  seq integer not null check (seq >= 1),
  status varchar(16) not null check (status in ('scheduled', 'open', 'closed', 'drawing', 'drawn', 'settled', 'cancelled')),
  commit_hash text not null,
  seed_id uuid,
  opens_at timestamptz not null,
  closes_at timestamptz not null,
  -- Not drawn before; at a beacon, not before its round either.
  draw_at timestamptz not null,
  -- The draw whose outcome decides who is on the list of this one, and the draw whose open places it draws again.
  after_draw_id uuid,
  redraw_of uuid,
  -- False while the server copies the list; a list that entrants fill is true from the start.
  is_filled boolean not null default true,
  fill_after text,
  entry_count integer not null default 0 check (entry_count >= 0),
  -- Roots of the perfect subtrees, largest first: the root of any number of entries is their fold.
  tree text[] not null default '{}',
  entries_root text,
  frozen_at timestamptz,
  -- The beacon round in force; later than the committed one after a postponement.
  beacon_round bigint,
  postpone_count integer not null default 0 check (postpone_count >= 0),
  beacon jsonb,
  ctx text,
  outcome jsonb,
  place_count integer not null default 0 check (place_count >= 0),
  revealed_count integer not null default 0 check (revealed_count between 0 and place_count),
  drawn_at timestamptz,
  settle_at timestamptz,
  settled_at timestamptz,
  cancel_reason varchar(16) check (cancel_reason in ('by_person', 'root_late', 'outage', 'no_entries')),
  cancelled_at timestamptz,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (opens_at <= closes_at and closes_at <= draw_at),
  check ((status = 'cancelled') = (cancel_reason is not null)),
  check (status not in ('closed', 'drawing', 'drawn', 'settled') or (entries_root is not null and frozen_at is not null)),
  check (status not in ('drawn', 'settled') or (outcome is not null and ctx is not null and settle_at is not null)),
  unique (tenant_id, id),
  unique (tenant_id, game_id, kind, seq),
  foreign key (tenant_id, commit_hash) references fair_commitments (tenant_id, commit_hash),
  foreign key (tenant_id, seed_id) references fair_seeds (tenant_id, id),
  foreign key (tenant_id, after_draw_id) references draws (tenant_id, id),
  foreign key (tenant_id, redraw_of) references draws (tenant_id, id)
) with (fillfactor = 60);
call protect('draws', 'select, insert, update');
create index draws_running on draws (tenant_id, closes_at) where status not in ('settled', 'cancelled');
create index draws_of_game on draws (tenant_id, game_id, seq);

-- Who is behind an entrant hash in one draw. The salt is given to the entrant and to nobody else.
create table draw_entrants (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  draw_id uuid not null,
  user_id varchar(128) not null,
  entrant text not null,
  entrant_salt text not null,
  created_at timestamptz not null,
  primary key (tenant_id, draw_id, user_id),
  foreign key (tenant_id, draw_id) references draws (tenant_id, id)
);
call protect('draw_entrants', 'select, insert');
create trigger draw_entrants_are_final before update or delete on draw_entrants for each row execute function refuse_change();

-- The list: leaf `entry_index` of the tree. What is hashed is the text.
create table draw_entries (
  -- The tenant is part of the foreign keys below, and reaches tenants through them.
  tenant_id uuid not null default app_tenant_id(),
  draw_id uuid not null,
  entry_index integer not null check (entry_index >= 0),
  user_id varchar(128) not null,
  -- What of the game stands behind it: a ticket, a guess.
  ref_id uuid not null,
  leaf text not null,
  created_at timestamptz not null,
  primary key (tenant_id, draw_id, entry_index),
  unique (tenant_id, draw_id, ref_id),
  foreign key (tenant_id, draw_id) references draws (tenant_id, id),
  foreign key (tenant_id, draw_id, user_id) references draw_entrants (tenant_id, draw_id, user_id)
);
call protect('draw_entries', 'select, insert');
create trigger draw_entries_are_final before update or delete on draw_entries for each row execute function refuse_change();

-- Complete subtrees of 256, 65,536 ... leaves, so that a proof in a list of millions reads a few hundred hashes.
create table draw_nodes (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  draw_id uuid not null,
  level smallint not null,
  node_index bigint not null,
  hash text not null,
  primary key (tenant_id, draw_id, level, node_index),
  foreign key (tenant_id, draw_id) references draws (tenant_id, id)
);
call protect('draw_nodes', 'select, insert');
create trigger draw_nodes_are_final before update or delete on draw_nodes for each row execute function refuse_change();

-- What was drawn, in order: prizes first, then the alternates. What becomes of a winner is the game's business.
create table draw_winners (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  draw_id uuid not null,
  place integer not null check (place >= 1),
  entry_index integer not null,
  user_id varchar(128) not null,
  ref_id uuid not null,
  -- The prize of the config that this place has; null for an alternate.
  prize varchar(64),
  is_alternate boolean generated always as (prize is null) stored,
  reveal_at timestamptz not null,
  created_at timestamptz not null,
  primary key (tenant_id, draw_id, place),
  unique (tenant_id, draw_id, entry_index),
  foreign key (tenant_id, draw_id, entry_index) references draw_entries (tenant_id, draw_id, entry_index)
);
call protect('draw_winners', 'select, insert');
create trigger draw_winners_are_final before update or delete on draw_winners for each row execute function refuse_change();

-- A second draw for places that nobody stands on any more: asked for by one person, decided by another.
create table draw_redraws (
  id uuid primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  draw_id uuid not null,
  reason varchar(500) not null check (reason <> ''),
  places integer[] not null check (cardinality(places) > 0),
  asked_by varchar(128) not null,
  asked_at timestamptz not null,
  decision varchar(16) check (decision in ('approved', 'declined')),
  decided_by varchar(128),
  decided_at timestamptz,
  new_draw_id uuid,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (decided_by <> asked_by),
  check ((decision is null) = (decided_by is null) and (decision is null) = (decided_at is null)),
  check (coalesce(decision = 'approved', false) = (new_draw_id is not null)),
  unique (tenant_id, id),
  foreign key (tenant_id, draw_id) references draws (tenant_id, id),
  foreign key (tenant_id, new_draw_id) references draws (tenant_id, id)
);
call protect('draw_redraws', 'select, insert, update (decision, decided_by, decided_at, new_draw_id, row_version, updated_at)');
create unique index draw_redraws_one_at_a_time on draw_redraws (tenant_id, draw_id) where decision is null;

-- A draw moves only as its table of states says, a person cancels only before the close, and what was published stays.
create function keep_draw() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.game, new.game_id, new.draw_name, new.kind, new.seq, new.commit_hash, new.seed_id,
            new.opens_at, new.closes_at, new.draw_at, new.after_draw_id, new.redraw_of, new.created_at)
        is distinct from
        row(old.id, old.tenant_id, old.game, old.game_id, old.draw_name, old.kind, old.seq, old.commit_hash, old.seed_id,
            old.opens_at, old.closes_at, old.draw_at, old.after_draw_id, old.redraw_of, old.created_at)
     or (new.status <> old.status
         and (old.status, new.status) not in
             (('scheduled', 'open'), ('scheduled', 'cancelled'), ('open', 'closed'), ('open', 'cancelled'),
              ('closed', 'drawing'), ('closed', 'cancelled'), ('drawing', 'drawn'), ('drawing', 'cancelled'),
              ('drawn', 'settled')))
     or (old.status in ('closed', 'drawing') and new.cancel_reason = 'by_person')
     or (old.status in ('settled', 'cancelled') and new.status = old.status)
     or (old.status <> 'open' and row(new.entry_count, new.tree) is distinct from row(old.entry_count, old.tree))
     or new.entry_count < old.entry_count
     or (old.is_filled and not new.is_filled)
     or (old.entries_root is not null and row(new.entries_root, new.frozen_at) is distinct from row(old.entries_root, old.frozen_at))
     or (old.status <> 'open' and row(new.beacon_round, new.postpone_count) is distinct from row(old.beacon_round, old.postpone_count))
     or new.revealed_count < old.revealed_count
     or (old.outcome is not null
         and row(new.ctx, new.outcome, new.beacon, new.place_count, new.drawn_at, new.settle_at)
             is distinct from row(old.ctx, old.outcome, old.beacon, old.place_count, old.drawn_at, old.settle_at)) then
    raise exception 'a draw cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger draws_are_kept before update or delete on draws for each row execute function keep_draw();

create function begin_draw() returns trigger language plpgsql as $$
begin
  if new.status <> 'scheduled' or new.entry_count <> 0 or new.outcome is not null then
    raise exception 'a draw begins scheduled and empty' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger draws_begin before insert on draws for each row execute function begin_draw();

-- Nothing is added to a list that is not open, nor beyond what its draw counts.
create function guard_entries() returns trigger language plpgsql as $$
begin
  if exists (select from (select tenant_id, draw_id, max(entry_index) as last from added group by 1, 2) a
             join draws d on d.tenant_id = a.tenant_id and d.id = a.draw_id
             where d.status <> 'open' or a.last >= d.entry_count) then
    raise exception 'the list of this draw does not take that entry' using errcode = '55000';
  end if;
  return null;
end $$;
create trigger draw_entries_are_guarded after insert on draw_entries referencing new table as added
  for each statement execute function guard_entries();

create function guard_winners() returns trigger language plpgsql as $$
begin
  if exists (select from added a join draws d on d.tenant_id = a.tenant_id and d.id = a.draw_id
             where d.status <> 'drawn' or a.place > d.place_count) then
    raise exception 'this draw has no such place' using errcode = '55000';
  end if;
  return null;
end $$;
create trigger draw_winners_are_guarded after insert on draw_winners referencing new table as added
  for each statement execute function guard_winners();
