-- Why: a part of a bundle is no win of its own. It came out of a prize that was won, told and counted already: opening a
-- bundle of three announces nothing, and what its parts do says nothing about the claim of the spin that won it.

-- Parts share the chance event of their bundle. A bundle that was opened has given what it promised: it stays claimed,
-- and does not become expired when its empty wrapper does.
drop trigger claims_follow on gamification_game_plays;
create trigger claims_follow after update on gamification_game_plays for each row
  when (old.prize_status is distinct from new.prize_status and new.bundle_play_id is null
        and not (old.prize_status = 'unlocked' and coalesce(new.prize_snapshot->>'type' = 'bundle', false)))
  execute function claim_follows();

-- As before, and: parts are counted, and not announced.
create or replace function inbox_of_wins() returns trigger language plpgsql as $$
declare
  users jsonb;
begin
  with won as materialized (
    select tenant_id, user_id, id, prize_status, created_at, expires_at + make_interval(hours => grace_hours) as deadline,
           bundle_play_id is null as is_news
    from fresh where is_winner
  ), noted as (
    insert into notifications (tenant_id, user_id, kind, play_id, created_at)
    select tenant_id, user_id, 'prize_won', id, created_at from won where is_news order by id
  ), head as (
    insert into inbox_heads as h (tenant_id, user_id, version, locked_count, unlocked_count, unread_count, next_deadline)
    select tenant_id, user_id, 1, count(*) filter (where prize_status = 'locked'),
           count(*) filter (where prize_status = 'unlocked'), count(*) filter (where is_news), min(deadline)
    from won group by tenant_id, user_id order by tenant_id, user_id
    on conflict (tenant_id, user_id) do update
      set version = h.version + 1,
          locked_count = h.locked_count + excluded.locked_count,
          unlocked_count = h.unlocked_count + excluded.unlocked_count,
          unread_count = h.unread_count + excluded.unread_count,
          next_deadline = least(h.next_deadline, excluded.next_deadline)
    returning user_id
  )
  select coalesce(jsonb_agg(user_id), '[]') into users from head;
  perform stir_inboxes(users);
  return null;
end $$;

-- As before, and: who counts wins can tell a part by the bundle that it came out of.
create or replace function tell_of_wins() returns trigger language plpgsql as $$
declare
  datas jsonb[];
  at timestamptz;
begin
  if not is_told('prize.won') then return null; end if;
  select array_agg(jsonb_build_object('play_id', n.id, 'user_id', n.user_id, 'game', g.game_name,
           'prize_status', n.prize_status, 'won_at', utc_text(n.created_at), 'expires_at', utc_text(n.expires_at),
           'prize', public_prize(n.prize_snapshot, n.prize_status <> 'locked'), 'bundle_play_id', n.bundle_play_id) order by n.id),
         max(n.created_at)
  into datas, at
  from news n join gamification_games g on g.tenant_id = n.tenant_id and g.id = n.game_id
  where n.is_winner;
  if datas is not null then perform publish_events('prize.won', datas, at); end if;
  return null;
end $$;
