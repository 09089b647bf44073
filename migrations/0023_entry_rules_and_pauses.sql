-- Why: a game may say who can enter and who enters more than once (P-06), and an open draw may be paused and its close put
-- off as fair-1.md section 7.3 allows it (P-07): only later, only while it is open, only where its commitment says so, and
-- never without its event in the public log.

-- What else a trusted system says of a customer: the groups that the customer is in.
alter table customer_facts add column segments text[] not null default '{}' check (cardinality(segments) <= 50);

alter table games
  add column entry_rules jsonb,
  add check (entry_rules is null or jsonb_typeof(entry_rules) = 'object');

-- A bonus entry stands beside the entry that brought it: asked for by nobody, so without request and answer.
alter table game_submissions
  add column bonus varchar(32),
  alter column request_id drop not null,
  alter column answer drop not null,
  add check ((bonus is null) = (request_id is not null) and (bonus is null) = (answer is not null)),
  add check (bonus is null or guess is null);

alter table draws
  add column paused_at timestamptz,
  -- When it goes on by itself.
  add column paused_until timestamptz,
  add column extension_count integer not null default 0 check (extension_count between 0 and 20),
  add check ((paused_at is null) = (paused_until is null)),
  add check (paused_until is null or (status in ('open', 'cancelled') and paused_until < closes_at));

create or replace function keep_draw() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.game, new.game_id, new.draw_name, new.kind, new.seq, new.commit_hash, new.seed_id,
            new.opens_at, new.after_draw_id, new.redraw_of, new.created_at)
        is distinct from
        row(old.id, old.tenant_id, old.game, old.game_id, old.draw_name, old.kind, old.seq, old.commit_hash, old.seed_id,
            old.opens_at, old.after_draw_id, old.redraw_of, old.created_at)
     -- A close moves later by an extension that the commitment allows, while the draw is open, and never otherwise.
     or (row(new.closes_at, new.draw_at, new.extension_count) is distinct from row(old.closes_at, old.draw_at, old.extension_count)
         and not (old.status = 'open' and new.status = 'open' and new.closes_at > old.closes_at and new.draw_at >= old.draw_at
                  and new.extension_count = old.extension_count + 1
                  and exists (select from fair_commitments c
                              where c.tenant_id = new.tenant_id and c.commit_hash = new.commit_hash
                                and c.doc::jsonb #> '{fallback,extend}' = 'true'::jsonb)))
     or (old.status <> 'open' and row(new.paused_at, new.paused_until) is distinct from row(old.paused_at, old.paused_until))
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

-- A close that moved without saying so in the public log cannot be committed.
create function extension_is_logged() returns trigger language plpgsql as $$
begin
  if not exists (select from fair_log l
                 where l.tenant_id = new.tenant_id and l.commit_hash = new.commit_hash and l.type = 'extend'
                   and (l.event::jsonb ->> 'closesAt')::timestamptz = new.closes_at) then
    raise exception 'the close of a draw moves with an event in the public log' using errcode = '55000';
  end if;
  return null;
end $$;
create constraint trigger draws_extensions_are_logged after update of closes_at on draws
  deferrable initially deferred for each row when (new.closes_at is distinct from old.closes_at)
  execute function extension_is_logged();

-- The close of a published game is that of its draw.
create or replace function keep_game() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.creator_id, new.company_id, new.created_at)
        is distinct from row(old.id, old.tenant_id, old.creator_id, old.company_id, old.created_at)
     or (old.status <> 'draft'
         and row(new.mode, new.rule, new.guess_min, new.guess_max, new.guess_policy, new.guesses_per_user,
                 new.number_of_winners, new.number_of_alternates, new.reward_type, new.prize_id, new.reel_id,
                 new.opens_at, new.claim_window_hours, new.entry_rules, new.draw_id, new.hash_value, new.published_at)
             is distinct from
             row(old.mode, old.rule, old.guess_min, old.guess_max, old.guess_policy, old.guesses_per_user,
                 old.number_of_winners, old.number_of_alternates, old.reward_type, old.prize_id, old.reel_id,
                 old.opens_at, old.claim_window_hours, old.entry_rules, old.draw_id, old.hash_value, old.published_at))
     or (old.status <> 'draft' and new.closes_at <> old.closes_at
         and not exists (select from draws d
                         where d.tenant_id = new.tenant_id and d.id = new.draw_id and d.closes_at = new.closes_at))
     or (new.status <> old.status
         and (old.status, new.status) not in
             (('draft', 'scheduled'), ('scheduled', 'open'), ('scheduled', 'cancelled'), ('open', 'closed'),
              ('open', 'cancelled'), ('closed', 'drawing'), ('closed', 'cancelled'), ('drawing', 'drawn'),
              ('drawing', 'cancelled'), ('drawn', 'settled')))
     or new.submission_count < old.submission_count
     or new.participant_count < old.participant_count then
    raise exception 'a published game cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $$;
