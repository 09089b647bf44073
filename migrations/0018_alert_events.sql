-- Why: an operator who is not at a screen hears of an alert through a webhook, once, when it is raised.

create function tell_of_alerts() returns trigger language plpgsql as $$
declare
  datas jsonb[];
  at timestamptz;
begin
  if not is_told('alert.raised') then return null; end if;
  select array_agg(jsonb_build_object('alert_id', n.id, 'alert_name', n.alert_name, 'alert_type', n.alert_type,
           'alert_severity', n.alert_severity, 'alert_message', n.alert_message, 'score', n.score,
           'triggered_at', utc_text(n.triggered_at)) order by n.id), max(n.triggered_at)
  into datas, at from news n;
  if datas is not null then perform publish_events('alert.raised', datas, at); end if;
  return null;
end $$;
create trigger alerts_are_told after insert on game_alerts
  referencing new table as news for each statement execute function tell_of_alerts();
