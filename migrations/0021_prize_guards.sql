-- Why: the database kept what a prize is and where it goes, and not until when it lives, on which order it was used, and
-- who may write its history. A statement could have let a prize live ten years longer, or moved its use to another order.

-- As before, and: the deadline is moved by what the rules know alone, and an application stays as it was recorded.
create or replace function prize_stands() returns trigger language plpgsql as $$
begin
  if (new.prize_status = 'applied') <> (new.applied_at is not null)
     or (new.prize_status = 'applied') <> (new.applied_to_order_id is not null)
     or (new.prize_status in ('unlocked', 'applied') and new.unlocked_at is null) then
    raise exception 'state and time stamps of a prize disagree' using errcode = '23514';
  end if;
  if (old.unlocked_at is not null and new.unlocked_at is distinct from old.unlocked_at)
     or (old.uuid, old.game_id, old.is_winner, old.prize_id, old.event_id, old.created_at, old.bundle_play_id, old.grace_hours)
        is distinct from
        (new.uuid, new.game_id, new.is_winner, new.prize_id, new.event_id, new.created_at, new.bundle_play_id, new.grace_hours)
     or (old.prize_code is distinct from new.prize_code and old.user_id = new.user_id)
     or (old.prize_snapshot is distinct from new.prize_snapshot
         and not (old.prize_snapshot->>'type' = 'mystery'
                  and exists (select from mystery_results m where m.tenant_id = new.tenant_id and m.play_id = new.id
                                and m.prize_snapshot = new.prize_snapshot))) then
    raise exception 'what was issued does not change' using errcode = '23514';
  end if;
  if old.expires_at is distinct from new.expires_at
     -- What was paid or is to be sent when a prize is opened cannot run out afterwards.
     and not (old.prize_status = 'locked' and new.expires_at is null
              and (new.prize_snapshot is distinct from old.prize_snapshot
                   or new.prize_status = 'unlocked' and new.prize_snapshot->>'type' = 'digital'))
     -- What comes back from a cancelled order lives a while, by the policy of the tenant.
     and not (old.prize_status = 'applied' and new.prize_status = 'unlocked' and new.expires_at > old.expires_at) then
    raise exception 'the deadline of a prize stays as it was issued' using errcode = '23514';
  end if;
  if old.prize_status = 'applied' and new.prize_status = 'applied'
     and (old.applied_at, old.applied_to_order_id, old.applied_details::text)
         is distinct from (new.applied_at, new.applied_to_order_id, new.applied_details::text) then
    raise exception 'what was applied stays as it was recorded' using errcode = '23514';
  end if;
  return new;
end $$;

-- The history is written by the trigger of the legal moves alone, so it tells no move that was none.
create function refuse_by_hand() returns trigger language plpgsql as $$
begin
  raise exception '% is written by its trigger alone', tg_table_name using errcode = '55000';
end $$;
create trigger prize_history_is_kept_by_moves before insert on prize_history for each row
  when (pg_trigger_depth() = 0)
  execute function refuse_by_hand();
