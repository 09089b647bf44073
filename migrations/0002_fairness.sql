-- Why: FAIR/1 at rest. Seeds (sealed until their reveal), commitments, and the tenant's append-only public log
-- with the complete subtrees and the signed checkpoints that outsiders hold against us.

create table fair_commitments (
  commit_hash text primary key,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  kind varchar(16) not null,
  game_id varchar(64) not null,
  holder text not null default '-',
  seq integer not null check (seq >= 1),
  -- The canonical text that was hashed; never rebuilt from columns.
  doc text not null,
  config text not null,
  jws text not null,
  created_at timestamptz not null,
  unique (tenant_id, commit_hash),
  -- No silent second commitment.
  unique (tenant_id, game_id, kind, holder, seq)
);
call protect('fair_commitments', 'select, insert');

create table fair_seeds (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  kind varchar(16) not null,
  game_id varchar(64) not null,
  user_id varchar(128),
  holder text,
  holder_salt text,
  commit_hash text not null,
  config_version integer not null,
  seq integer not null,
  seed_hash text not null,
  -- v1.<kid>.<iv>.<ciphertext>.<tag>; only the fairness functions read it.
  sealed_seed text not null,
  -- Empty until the reveal.
  server_seed text,
  client_seed text not null default '-',
  seed_status varchar(16) not null check (seed_status in ('next', 'active', 'revealed')),
  next_nonce bigint not null default 0 check (next_nonce >= 0),
  committed_at timestamptz not null,
  activated_at timestamptz,
  revealed_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  row_version integer not null default 1,
  check ((seed_status = 'revealed') = (server_seed is not null)),
  check ((seed_status = 'revealed') = (revealed_at is not null)),
  primary key (tenant_id, id),
  foreign key (tenant_id, commit_hash) references fair_commitments (tenant_id, commit_hash)
) with (fillfactor = 60);
call protect('fair_seeds');
-- A player has at most one current and one next pair per game.
create unique index fair_seeds_in_use on fair_seeds (tenant_id, game_id, user_id, seed_status)
  where user_id is not null and seed_status in ('active', 'next');
create index fair_seeds_of_player on fair_seeds (tenant_id, user_id, game_id, seq) where user_id is not null;
create unique index fair_seeds_by_commit on fair_seeds (tenant_id, commit_hash);

-- What was committed cannot be exchanged, and what was revealed stays revealed.
create function keep_seed() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
     or row(new.tenant_id, new.kind, new.game_id, new.user_id, new.holder, new.commit_hash, new.config_version, new.seq,
            new.seed_hash, new.committed_at)
        is distinct from
        row(old.tenant_id, old.kind, old.game_id, old.user_id, old.holder, old.commit_hash, old.config_version, old.seq,
            old.seed_hash, old.committed_at)
     or (old.seed_status = 'revealed')
     or (old.seed_status = 'active' and (new.client_seed <> old.client_seed or new.seed_status = 'next'))
     or new.next_nonce < old.next_nonce then
    raise exception 'a committed seed cannot be changed' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger fair_seeds_are_kept before update or delete on fair_seeds for each row execute function keep_seed();

create table fair_log (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  seq bigint not null check (seq >= 0),
  type varchar(16) not null,
  commit_hash text,
  nonce bigint,
  -- The canonical text of the event: it is what is hashed.
  event text not null,
  leaf_hash text not null,
  row_hash text not null,
  primary key (tenant_id, seq)
);
call protect('fair_log', 'select, insert');
create trigger fair_log_is_final before update or delete on fair_log for each row execute function refuse_change();
create index fair_log_by_commit on fair_log (tenant_id, commit_hash, nonce);

-- Complete subtrees of 256, 65,536 ... leaves, so that a proof reads a few hundred hashes of a log of millions.
create table fair_log_nodes (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  level smallint not null,
  node_index bigint not null,
  hash text not null,
  primary key (tenant_id, level, node_index)
);
call protect('fair_log_nodes', 'select, insert');
create trigger fair_log_nodes_are_final before update or delete on fair_log_nodes for each row execute function refuse_change();

create table fair_checkpoints (
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  log_size bigint not null,
  root text not null,
  note text not null,
  created_at timestamptz not null,
  primary key (tenant_id, log_size)
);
call protect('fair_checkpoints', 'select, insert');
create trigger fair_checkpoints_are_final before update or delete on fair_checkpoints for each row execute function refuse_change();
