-- Why: applications of many callers are written in one transaction, so who applied a prize and to which order cannot be
-- said once per transaction. It stands in the application, which the trigger of the legal moves looks up anyway.

create or replace function prize_moves() returns trigger language plpgsql as $$
declare
  is_rollback boolean := coalesce(current_setting('app.prize_rollback', true), '') = 'on';
  application record;
begin
  if not coalesce((old.prize_status, new.prize_status) in
       (('locked', 'unlocked'), ('locked', 'expired'), ('unlocked', 'applied'), ('unlocked', 'expired'))
     or (is_rollback and old.prize_status = 'applied' and new.prize_status in ('unlocked', 'expired')), false) then
    raise exception 'a prize does not move from % to %', old.prize_status, new.prize_status using errcode = '23514';
  end if;
  if new.prize_status = 'applied' then
    select a.applied_by, a.order_id into application
    from prize_applications a
    where a.tenant_id = new.tenant_id and a.play_id = new.id and a.order_id = new.applied_to_order_id
      and a.rolled_back_at is null;
    if not found then
      raise exception 'a prize is applied by an application that stands' using errcode = '23514';
    end if;
    insert into prize_history (tenant_id, play_id, from_status, to_status, moved_at, moved_by, why)
    values (new.tenant_id, new.id, old.prize_status, new.prize_status, new.updated_at,
            application.applied_by,
            -- A thing that was claimed is applied to its claim (src/prizes/fulfilments.ts).
            case when application.order_id like 'claim:%' then 'claimed' else 'apply to order ' || application.order_id end);
    return new;
  end if;
  if old.prize_status = 'applied' and exists (
       select from prize_applications a
       where a.tenant_id = new.tenant_id and a.play_id = new.id and a.rolled_back_at is null) then
    raise exception 'a prize comes back when its application was taken back' using errcode = '23514';
  end if;
  insert into prize_history (tenant_id, play_id, from_status, to_status, moved_at, moved_by, why)
  values (new.tenant_id, new.id, old.prize_status, new.prize_status, new.updated_at,
          coalesce(nullif(current_setting('app.prize_by', true), ''), session_user),
          coalesce(nullif(current_setting('app.prize_why', true), ''), 'not said'));
  return new;
end $$;
