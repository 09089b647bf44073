-- Why: a mystery prize is drawn when its winner opens it, from a pool that was committed before. The pool is a version
-- for ever, the draw is a row for ever, and the prize on the play becomes what was drawn and nothing else.

alter table gamification_prizes
  -- What a mystery holds: prize_id and whole weight. Null for every other type.
  add column pool jsonb check (jsonb_typeof(pool) = 'array'),
  -- The version in force; 0 before there was a pool.
  add column pool_version integer not null default 0 check (pool_version >= 0);

create table mystery_pools (
  tenant_id uuid not null default app_tenant_id(),
  prize_id bigint not null,
  pool_version integer not null check (pool_version >= 1),
  -- The canonical text that was hashed, and what stands behind each of its segments, as it was then.
  config text not null,
  config_hash text not null,
  snapshots jsonb not null check (jsonb_typeof(snapshots) = 'array'),
  written_by varchar(128) not null,
  created_at timestamptz not null,
  primary key (tenant_id, prize_id, pool_version),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id)
);
call protect('mystery_pools', 'select, insert');
create trigger mystery_pools_are_final before update or delete on mystery_pools for each row execute function refuse_change();

create table mystery_results (
  -- The chance event: what /verify takes.
  id uuid not null,
  tenant_id uuid not null default app_tenant_id(),
  play_id bigint not null,
  -- The mystery and its pool.
  mystery_prize_id bigint not null,
  pool_version integer not null,
  seed_id uuid not null,
  nonce bigint not null check (nonce >= 0),
  client_entropy varchar(64) not null default '-',
  roll bigint not null,
  -- What was rolled, and what was given: another one of the pool where that had run out.
  segment_index integer not null check (segment_index >= 0),
  award_index integer not null check (award_index >= 0),
  prize_id bigint not null,
  prize_snapshot jsonb not null,
  result_timestamp timestamptz not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  -- One resolution per award, one outcome per nonce.
  unique (tenant_id, play_id),
  unique (tenant_id, seed_id, nonce),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id),
  foreign key (tenant_id, mystery_prize_id, pool_version) references mystery_pools (tenant_id, prize_id, pool_version),
  foreign key (tenant_id, seed_id) references fair_seeds (tenant_id, id),
  foreign key (tenant_id, prize_id) references gamification_prizes (tenant_id, id)
);
call protect('mystery_results', 'select, insert');
create trigger mystery_results_are_final before update or delete on mystery_results for each row execute function refuse_change();
create index mystery_results_by_prize on mystery_results (tenant_id, prize_id);

-- As before, but that a mystery becomes what was drawn for it.
create or replace function prize_stands() returns trigger language plpgsql as $$
begin
  if (new.prize_status = 'applied') <> (new.applied_at is not null)
     or (new.prize_status = 'applied') <> (new.applied_to_order_id is not null)
     or (new.prize_status in ('unlocked', 'applied') and new.unlocked_at is null) then
    raise exception 'state and time stamps of a prize disagree' using errcode = '23514';
  end if;
  if (old.unlocked_at is not null and new.unlocked_at is distinct from old.unlocked_at)
     or (old.uuid, old.game_id, old.is_winner, old.prize_id, old.event_id, old.created_at, old.bundle_play_id)
        is distinct from
        (new.uuid, new.game_id, new.is_winner, new.prize_id, new.event_id, new.created_at, new.bundle_play_id)
     or (old.prize_code is distinct from new.prize_code and old.user_id = new.user_id)
     or (old.prize_snapshot is distinct from new.prize_snapshot
         and not (old.prize_snapshot->>'type' = 'mystery'
                  and exists (select from mystery_results m where m.tenant_id = new.tenant_id and m.play_id = new.id
                                and m.prize_snapshot = new.prize_snapshot))) then
    raise exception 'what was issued does not change' using errcode = '23514';
  end if;
  return new;
end $$;
