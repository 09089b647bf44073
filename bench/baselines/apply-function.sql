-- An application as one function call: the same rows, locks and hashes as src/prizes/redemption.ts for one discount in
-- percent, inside PostgreSQL. It lives in a scratch schema of the bench's own database. It asks for the state and the
-- deadline of the prize and for its minimum, and for no other condition; it knows no stacking beyond one prize per order.
create schema bench;
grant usage on schema bench to livedraw_app;

create function bench.apply(
  tenant uuid, shop text, endpoint_name text, request_key text, request_digest text, play bigint, ordered text, order_minor bigint,
  facts_digest text, application uuid, at timestamptz)
returns text language plpgsql as $$
declare
  p record; h record; stored record; percent numeric; discount bigint; text_of text := 'FM999999999990.00';
  amount text; discount_text text; final_text text; trace jsonb; reply text; changed text; audit_digest text;
  iso text := to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
begin
  perform set_config('app.tenant_id', tenant::text, true);

  if not pg_try_advisory_xact_lock(hashtextextended(concat_ws(E'\n', tenant, shop, endpoint_name, request_key), 0)) then
    raise exception 'idempotency_in_progress';
  end if;
  select k.request_hash, k.answer into stored from idempotency_keys k
   where k.principal = shop and k.endpoint = endpoint_name and k.key = request_key;
  if found then
    if stored.request_hash <> request_digest then raise exception 'idempotency_key_reused'; end if;
    return stored.answer;
  end if;

  perform pg_advisory_xact_lock(hashtextextended(concat_ws(E'\n', 'order', tenant, ordered), 0));
  select g.uuid, g.user_id, g.prize_status, g.prize_snapshot, g.expires_at, g.grace_hours into p
    from gamification_game_plays g where g.id = play for no key update;
  if not found then raise exception 'not_found'; end if;
  if p.prize_status <> 'unlocked' then raise exception 'prize_%', p.prize_status; end if;
  if p.expires_at + make_interval(hours => p.grace_hours) < at then raise exception 'prize_expired'; end if;
  if order_minor < coalesce((p.prize_snapshot->'conditions'->>'min_order_amount')::numeric * 100, 0) then
    raise exception 'prize_not_applicable';
  end if;
  if exists (select from prize_applications a where a.order_id = ordered and a.rolled_back_at is null) then
    raise exception 'prizes_per_order';
  end if;

  percent := (p.prize_snapshot->>'value')::numeric;
  -- Of positive numbers round() goes half up.
  discount := round(order_minor * percent / 100);
  amount := to_char(order_minor / 100.0, text_of);
  discount_text := to_char(discount / 100.0, text_of);
  final_text := to_char((order_minor - discount) / 100.0, text_of);
  trace := jsonb_build_object(
    'discount_amount', discount_text, 'final_amount', final_text, 'application_type', 'discount_percentage',
    'calculation', jsonb_build_object(
      'v', 1, 'currency', 'EUR', 'decimals', 2, 'value', p.prize_snapshot->>'value', 'order_amount', amount,
      'other_discount_amount', '0.00', 'amount_before', amount,
      'steps', jsonb_build_array(
        jsonb_build_object('op', 'percentage', 'on', 'initial', 'of', amount, 'percent', to_char(percent, text_of),
                           'rounding', 'half_up', 'gives', discount_text),
        jsonb_build_object('op', 'at_most', 'limit', amount, 'because', 'amount_before', 'gives', discount_text)),
      'effect', jsonb_build_object('kind', 'order_discount', 'amount', discount_text),
      'stacking', jsonb_build_object('policy_version', 0, 'position', 1, 'placed', '[]'::jsonb)));

  insert into prize_applications (id, play_id, order_id, order_ref, order_minor, discount_minor, final_minor, currency, facts_hash,
                                  details, policy_version, applied_by, applied_at, created_at, updated_at)
  values (application, play, ordered, to_jsonb(ordered), order_minor, discount, order_minor - discount, 'EUR', facts_digest,
          trace, 0, shop, at, at, at);
  update gamification_game_plays g
     set prize_status = 'applied', applied_at = greatest(g.unlocked_at, at), applied_to_order_id = ordered, applied_details = trace,
         updated_at = at, row_version = g.row_version + 1
   where g.id = play;
  delete from prize_holds x where x.play_id = play;

  reply := json_build_object('success', true, 'message', 'Prize applied successfully!', 'data', json_build_object(
    'prize_status', 'applied', 'applied_at', to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'applied_to_order_id', ordered,
    'applied_details', json_build_object('discount_amount', discount_text, 'final_amount', final_text,
                                         'application_type', 'discount_percentage')))::text;
  insert into idempotency_keys (principal, endpoint, key, state, request_hash, status, answer, created_at)
  values (shop, endpoint_name, request_key, 'done', request_digest, 200, reply, at);

  -- Canonical JSON by hand: the keys stand in order, and json_build_object would put spaces between them.
  changed := format('{"application_type":"discount_percentage","currency":"EUR","discount_amount":"%s","final_amount":"%s","order_amount":"%s","order_id":"%s","play_id":%s,"policy_version":0,"position":1,"prize_status":"applied","transfer_id":null,"user_id":"%s"}',
    discount_text, final_text, amount, ordered, play, p.user_id);
  update tenant_heads t set audit_seq = t.audit_seq + 1 where t.tenant_id = tenant returning t.audit_seq, t.audit_hash into h;
  audit_digest := encode(sha256(convert_to(format(E'livedraw/audit/1\n%s\n%s\n', tenant, h.audit_hash) || format(
    '{"action":"apply","at":"%s","entity_id":"%s","entity_type":"game_play","new_values":%s,"old_values":{"prize_status":"unlocked"},"seq":%s,"user_id":"%s"}',
    iso, p.uuid, changed, h.audit_seq, shop), 'UTF8')), 'hex');
  insert into audit_logs (seq, user_id, action, entity_type, entity_id, old_values, new_values, prev_hash, hash, created_at)
  values (h.audit_seq, shop, 'apply', 'game_play', p.uuid, '{"prize_status":"unlocked"}', changed::jsonb, h.audit_hash,
          audit_digest, at);
  update tenant_heads t set audit_hash = audit_digest where t.tenant_id = tenant;
  return reply;
end $$;
grant execute on function bench.apply to livedraw_app;
