-- Why: what becomes of a reward that somebody has to hand over (seeds/000): the winner claims it, the creator hands it
-- over, both talk and show pictures, and who gets nothing complains. A place that nobody claims in time goes to the next
-- alternate of the same draw; a creator who keeps failing may not create games for a while.

-- One row per person who was offered a place. The deadline is the claim window: until it the winner claims, and from it
-- on a claimed reward that did not come may be complained about.
create table reward_claims (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id(),
  game_id uuid not null,
  -- The place in the order that was drawn, and that of the prize it stands for: those of an alternate differ.
  place integer not null check (place >= 1),
  prize_place integer not null check (prize_place between 1 and place),
  user_id varchar(128) not null,
  -- Who hands it over, and how the public calls them.
  creator_id varchar(128) not null,
  company_id uuid,
  creator_name varchar(64) not null,
  claim_status varchar(16) not null check (claim_status in ('offered', 'pending', 'completed', 'disputed', 'forfeited')),
  status_at timestamptz not null,
  status_by varchar(128) not null,
  status_reason varchar(32) not null,
  window_ends_at timestamptz not null,
  -- What the winner says about the handing over: an address, an account. For both sides and nobody else.
  claim_info varchar(2000),
  -- Of the code that was scanned.
  scan_token_id uuid,
  -- The item of the wallet that came with it.
  play_id bigint,
  promoted_from uuid,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((place = prize_place) = (promoted_from is null)),
  check (claim_status = 'completed' or (scan_token_id is null and play_id is null)),
  primary key (tenant_id, id),
  unique (tenant_id, game_id, place),
  unique (tenant_id, scan_token_id),
  unique (tenant_id, play_id),
  unique (tenant_id, promoted_from),
  foreign key (tenant_id, game_id) references games (tenant_id, id),
  foreign key (tenant_id, game_id, place) references winner_history (tenant_id, game_id, place),
  foreign key (tenant_id, company_id) references companies (tenant_id, id),
  foreign key (tenant_id, play_id) references gamification_game_plays (tenant_id, id),
  foreign key (tenant_id, promoted_from) references reward_claims (tenant_id, id)
);
call protect('reward_claims', 'select, insert, update (claim_status, status_at, status_by, status_reason, claim_info, scan_token_id, play_id, row_version, updated_at)');
-- One claim of a prize stands at a time.
create unique index reward_claims_one_stands on reward_claims (tenant_id, game_id, prize_place) where claim_status <> 'forfeited';
create index reward_claims_of_winner on reward_claims (tenant_id, user_id, created_at desc, id desc);
create index reward_claims_of_creator on reward_claims (tenant_id, creator_id, created_at desc, id desc);
create index reward_claims_of_company on reward_claims (tenant_id, company_id, created_at desc, id desc) where company_id is not null;
create index reward_claims_of_name on reward_claims (tenant_id, creator_name, claim_status);
create index reward_claims_waiting on reward_claims (tenant_id, window_ends_at) where claim_status = 'offered';

-- Every move with its time and who made it.
create table claim_moves (
  tenant_id uuid not null default app_tenant_id(),
  claim_id uuid not null,
  seq integer not null check (seq >= 1),
  from_status varchar(16),
  to_status varchar(16) not null,
  moved_at timestamptz not null,
  moved_by varchar(128) not null,
  reason varchar(32) not null,
  primary key (tenant_id, claim_id, seq),
  foreign key (tenant_id, claim_id) references reward_claims (tenant_id, id)
);
call protect('claim_moves', 'select, insert');
create trigger claim_moves_are_final before update or delete on claim_moves for each row execute function refuse_change();

-- The table of states of src/claims/rules.ts, whoever writes.
create function keep_claim() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.claim_status <> 'offered' then
      raise exception 'a claim begins as an offer' using errcode = '55000';
    end if;
    return new;
  end if;
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.game_id, new.place, new.prize_place, new.user_id, new.creator_id, new.company_id,
            new.creator_name, new.window_ends_at, new.promoted_from, new.created_at)
        is distinct from
        row(old.id, old.tenant_id, old.game_id, old.place, old.prize_place, old.user_id, old.creator_id, old.company_id,
            old.creator_name, old.window_ends_at, old.promoted_from, old.created_at)
     or (new.claim_status = old.claim_status
         and row(new.status_at, new.status_by, new.status_reason) is distinct from row(old.status_at, old.status_by, old.status_reason))
     or (new.claim_status <> old.claim_status
         and (old.claim_status, new.claim_status) not in
             (('offered', 'pending'), ('offered', 'forfeited'), ('pending', 'completed'), ('pending', 'disputed'),
              ('pending', 'forfeited'), ('disputed', 'completed'), ('disputed', 'pending')))
     or (old.claim_info is not null and new.claim_info is distinct from old.claim_info)
     or (old.play_id is not null and new.play_id is distinct from old.play_id)
     or (old.scan_token_id is not null and new.scan_token_id is distinct from old.scan_token_id) then
    raise exception 'a claim cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger reward_claims_are_kept before insert or update or delete on reward_claims for each row execute function keep_claim();

create function write_claim_move() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.claim_status = old.claim_status then return null; end if;
  insert into claim_moves (tenant_id, claim_id, seq, from_status, to_status, moved_at, moved_by, reason)
  select new.tenant_id, new.id, coalesce(max(seq), 0) + 1, case when tg_op = 'UPDATE' then old.claim_status end,
         new.claim_status, new.status_at, new.status_by, new.status_reason
  from claim_moves where tenant_id = new.tenant_id and claim_id = new.id;
  return null;
end $$;
create trigger reward_claims_move after insert or update on reward_claims for each row execute function write_claim_move();

-- Pictures as they were encoded anew by the server: nothing of what was sent is kept but the pixels.
create table claim_proofs (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id(),
  claim_id uuid not null,
  side varchar(8) not null check (side in ('winner', 'creator')),
  slot smallint not null check (slot between 1 and 5),
  uploaded_by varchar(128) not null,
  width integer not null check (width > 0),
  height integer not null check (height > 0),
  byte_count integer not null check (byte_count > 0),
  -- SHA-256 of the stored picture, hex.
  picture_hash text not null check (picture_hash ~ '^[0-9a-f]{64}$'),
  picture bytea not null,
  created_at timestamptz not null,
  check (octet_length(picture) = byte_count),
  primary key (tenant_id, id),
  unique (tenant_id, claim_id, side, slot),
  foreign key (tenant_id, claim_id) references reward_claims (tenant_id, id)
);
call protect('claim_proofs', 'select, insert');
-- It is compressed already.
alter table claim_proofs alter column picture set storage external;
create trigger claim_proofs_are_final before update or delete on claim_proofs for each row execute function refuse_change();

-- The thread of one winner and one creator.
create table claim_messages (
  id bigint generated always as identity,
  tenant_id uuid not null default app_tenant_id(),
  claim_id uuid not null,
  side varchar(8) not null check (side in ('winner', 'creator')),
  sent_by varchar(128) not null,
  message varchar(2000) not null check (btrim(message) <> ''),
  created_at timestamptz not null,
  primary key (tenant_id, claim_id, id),
  foreign key (tenant_id, claim_id) references reward_claims (tenant_id, id)
);
call protect('claim_messages', 'select, insert');
create trigger claim_messages_are_final before update or delete on claim_messages for each row execute function refuse_change();

-- Pictures are shown while it is not decided, messages written while there is something to talk about.
create function guard_claim_part() returns trigger language plpgsql as $$
begin
  perform from reward_claims c where c.tenant_id = new.tenant_id and c.id = new.claim_id
     and c.claim_status in ('pending', 'disputed', case tg_table_name when 'claim_messages' then 'offered' else 'pending' end)
   for share;
  if not found then
    raise exception 'this claim takes nothing more' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger claim_proofs_are_guarded before insert on claim_proofs for each row execute function guard_claim_part();
create trigger claim_messages_are_guarded before insert on claim_messages for each row execute function guard_claim_part();

create table complaints (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id(),
  claim_id uuid not null,
  complained_by varchar(128) not null,
  message varchar(2000) not null check (btrim(message) <> ''),
  complaint_status varchar(16) not null default 'pending' check (complaint_status in ('pending', 'reviewed', 'resolved')),
  -- Until then the creator says what happened; silence counts like a failure.
  answer_due_at timestamptz not null,
  answer varchar(2000),
  answered_by varchar(128),
  answered_at timestamptz,
  reviewed_by varchar(128),
  reviewed_at timestamptz,
  outcome varchar(16) check (outcome in ('fulfilled', 'unfulfilled', 'dismissed')),
  decision_note varchar(2000),
  resolved_by varchar(128),
  resolved_at timestamptz,
  -- When it began to count against the creator: the answer was due, or staff decided so.
  failed_at timestamptz,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((answer is null) = (answered_at is null) and (answer is null) = (answered_by is null)),
  check ((reviewed_by is null) = (reviewed_at is null)),
  check ((complaint_status = 'resolved') = (outcome is not null)),
  check ((outcome is null) = (resolved_by is null) and (outcome is null) = (resolved_at is null)),
  primary key (tenant_id, id),
  foreign key (tenant_id, claim_id) references reward_claims (tenant_id, id)
);
call protect('complaints', 'select, insert, update (complaint_status, answer, answered_by, answered_at, reviewed_by, reviewed_at, outcome, decision_note, resolved_by, resolved_at, failed_at, row_version, updated_at)');
create unique index complaints_one_is_open on complaints (tenant_id, claim_id) where complaint_status <> 'resolved';
create index complaints_of_claim on complaints (tenant_id, claim_id, created_at);
create index complaints_queue on complaints (tenant_id, complaint_status, created_at, id);
create index complaints_unanswered on complaints (tenant_id, answer_due_at)
  where complaint_status <> 'resolved' and answered_at is null and failed_at is null;

create function keep_complaint() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform from reward_claims c
      where c.tenant_id = new.tenant_id and c.id = new.claim_id and c.claim_status = 'disputed'
        and c.user_id = new.complained_by and c.window_ends_at <= new.created_at;
    if not found or new.complaint_status <> 'pending' then
      raise exception 'a complaint is the winner''s, after the claim window' using errcode = '55000';
    end if;
    return new;
  end if;
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.claim_id, new.complained_by, new.message, new.answer_due_at, new.created_at)
        is distinct from row(old.id, old.tenant_id, old.claim_id, old.complained_by, old.message, old.answer_due_at, old.created_at)
     or old.complaint_status = 'resolved'
     or (new.complaint_status <> old.complaint_status
         and (old.complaint_status, new.complaint_status) not in (('pending', 'reviewed'), ('reviewed', 'resolved'))
         -- What was handed over after all needs no decision.
         and not (old.complaint_status = 'pending' and new.complaint_status = 'resolved' and new.outcome = 'fulfilled'))
     or (old.answered_at is not null and row(new.answer, new.answered_by, new.answered_at) is distinct from row(old.answer, old.answered_by, old.answered_at))
     or (old.reviewed_at is not null and row(new.reviewed_by, new.reviewed_at) is distinct from row(old.reviewed_by, old.reviewed_at))
     or (old.failed_at is not null and new.failed_at is distinct from old.failed_at) then
    raise exception 'a complaint cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger complaints_are_kept before insert or update or delete on complaints for each row execute function keep_complaint();

-- What a tenant decides about claims; without a row the defaults of src/claims/rules.ts hold.
create table claim_settings (
  tenant_id uuid primary key default app_tenant_id() references tenants (id),
  answer_hours integer not null check (answer_hours between 1 and 720),
  failures_max integer not null check (failures_max between 1 and 100),
  failure_days integer not null check (failure_days between 1 and 366),
  block_days integer not null check (block_days between 1 and 366),
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
call protect('claim_settings', 'select, insert, update');

-- Creators who may not create games until a date. One stands at a time; an appeal is made once and decided by somebody else.
create table creator_blocks (
  id uuid not null,
  tenant_id uuid not null default app_tenant_id() references tenants (id),
  party_kind varchar(8) not null check (party_kind in ('person', 'company')),
  party_id varchar(128) not null,
  failure_count integer not null check (failure_count >= 1),
  blocked_until timestamptz not null,
  appeal varchar(2000),
  appealed_by varchar(128),
  appealed_at timestamptz,
  decision varchar(16) check (decision in ('lifted', 'upheld')),
  decision_note varchar(2000),
  decided_by varchar(128),
  decided_at timestamptz,
  -- When it stopped to hold: its date passed, or it was lifted.
  ended_at timestamptz,
  row_version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (blocked_until > created_at),
  check ((appeal is null) = (appealed_by is null) and (appeal is null) = (appealed_at is null)),
  check ((decision is null) = (decided_by is null) and (decision is null) = (decided_at is null)),
  check (decision is null or appeal is not null),
  check (decided_by <> appealed_by),
  check (decision is distinct from 'lifted' or ended_at is not null),
  primary key (tenant_id, id)
);
call protect('creator_blocks', 'select, insert, update (appeal, appealed_by, appealed_at, decision, decision_note, decided_by, decided_at, ended_at, row_version, updated_at)');
create unique index creator_blocks_one_stands on creator_blocks (tenant_id, party_kind, party_id) where ended_at is null;
create index creator_blocks_by_time on creator_blocks (tenant_id, created_at desc, id desc);
create function keep_creator_block() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
     or (old.appeal is not null and row(new.appeal, new.appealed_by, new.appealed_at) is distinct from row(old.appeal, old.appealed_by, old.appealed_at))
     or (old.decision is not null and row(new.decision, new.decided_by, new.decided_at) is distinct from row(old.decision, old.decided_by, old.decided_at))
     or (old.ended_at is not null and new.ended_at is distinct from old.ended_at) then
    raise exception 'a block cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $$;
create trigger creator_blocks_are_kept before update or delete on creator_blocks for each row execute function keep_creator_block();
