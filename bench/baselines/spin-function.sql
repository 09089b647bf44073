-- The spin as one function call: the same rows, locks and hashes as src/games/wheel/spin.ts for one spin, inside
-- PostgreSQL. It lives in a scratch schema of the bench's own database. The server's seed comes as the two pads of
-- its HMAC key; everything that a client cannot choose is read here.
create schema bench;
grant usage on schema bench to livedraw_app;

create function bench.iso(at timestamptz) returns text language sql immutable as
  $$ select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

create function bench.spin(
  tenant uuid, player text, ip text, wheel uuid, request text, request_digest text, entropy text, pair uuid, inner_pad bytea,
  outer_pad bytea, session uuid, result uuid, play uuid, code text, player_name text, at timestamptz)
returns table (answer text, seq bigint, data jsonb) language plpgsql as $$
declare
  w record; s record; c record; r record; p gamification_prizes; h record;
  nonce bigint; digest bytea; high bigint; roll bigint; total bigint; chances int;
  result_at timestamptz; iso text := bench.iso(at); landing jsonb; status text := 'lost'; prize_status text; award text;
  play_no bigint; reply text; event_no bigint; event jsonb; changed text; audit_digest text; leaf text; row_digest text;
begin
  perform set_config('app.tenant_id', tenant::text, true);

  select x.answer into reply from spin_sessions x where x.user_id = player and x.session_id = request;
  if found then
    return query select reply, 0::bigint, null::jsonb;
    return;
  end if;

  select g.id, g.wheel_status, g.config_version, b.id as game_id, v.spin_config into w
    from wheel_games g
    join gamification_games b on b.wheel_game_id = g.id
    join wheel_versions v on v.wheel_game_id = g.id and v.config_version = g.config_version
   where g.id = wheel and g.is_active;
  if w.wheel_status is distinct from 'live' then raise exception 'wheel_paused'; end if;

  update fair_seeds f set next_nonce = f.next_nonce + 1, updated_at = at
   where f.id = pair and f.seed_status = 'active' and f.config_version = w.config_version
  returning f.commit_hash, f.client_seed, f.next_nonce - 1 as nonce, f.committed_at into s;
  if not found then raise exception 'seed_pair_not_found'; end if;
  nonce := s.nonce;

  select x.id into c from spin_chances x
   where x.user_id = player and x.chance_status = 'active' and x.awarded_at <= at and (x.expires_at is null or x.expires_at > at)
     and (x.wheel_game_id is null or x.wheel_game_id = wheel)
   order by x.expires_at nulls last, x.awarded_at, x.id limit 1 for no key update;
  if not found then raise exception 'no_chances_left'; end if;
  update spin_chances x set used_chances = x.used_chances + 1, remaining_chances = x.remaining_chances - 1, updated_at = at
   where x.id = c.id;
  select sum(x.remaining_chances)::int into chances from spin_chances x
   where x.user_id = player and x.chance_status = 'active' and x.awarded_at <= at and (x.expires_at is null or x.expires_at > at)
     and (x.wheel_game_id is null or x.wheel_game_id = wheel);

  select max(x.range_end) + 1 into total from wheel_rewards_history x
   where x.wheel_game_id = wheel and x.config_version = w.config_version;
  digest := sha256(outer_pad || sha256(inner_pad || convert_to(
    format('fair/1|wheel|%s|%s|%s|%s|0', s.commit_hash, s.client_seed, nonce, entropy), 'UTF8')));
  high := get_byte(digest, 0)::bigint << 24 | get_byte(digest, 1)::bigint << 16 | get_byte(digest, 2) << 8 | get_byte(digest, 3);
  if high = 4294967295 then raise exception 'a word that may have to be refused: once in four thousand million spins'; end if;
  roll := ((high % total) * 4294967296 + (get_byte(digest, 4)::bigint << 24 | get_byte(digest, 5)::bigint << 16
           | get_byte(digest, 6) << 8 | get_byte(digest, 7))) % total;
  select x.id, x.reward_slug, x.reward_label, x.prize_id, x.segment_index into r from wheel_rewards_history x
   where x.wheel_game_id = wheel and x.config_version = w.config_version and roll between x.range_start and x.range_end;

  p := null;
  if r.prize_id is not null then
    select * into p from gamification_prizes x where x.id = r.prize_id and x.is_active and x.deleted_at is null;
    if p.stock is not null then
      update gamification_prizes x set won_count = x.won_count + 1, updated_at = at where x.id = r.prize_id and x.won_count < x.stock;
      if not found then raise exception 'the stock of the bench is used up'; end if;
    end if;
    status := 'won';
    prize_status := 'locked';
    award := r.reward_slug;
  end if;

  result_at := greatest(at, s.committed_at + interval '1 millisecond');
  landing := jsonb_build_object(
    'starts_at', bench.iso(at + interval '150 milliseconds'),
    'duration_ms', (w.spin_config->>'duration_ms')::int,
    'angle', round((2160 + 360 * (1 - (roll + 0.5) / total))::numeric, 3)::float8);

  insert into gamification_game_plays (uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status, prize_snapshot,
                                       expires_at, grace_hours, game_data, event_id, ip_address, created_at, updated_at)
  values (play, w.game_id, player, r.prize_id, r.prize_id is not null, case when r.prize_id is not null then code end, prize_status,
          case when r.prize_id is not null then jsonb_build_object(
            'id', p.id, 'name', p.name, 'description', p.description, 'type', p.type, 'value', p.value,
            'display_value', p.display_value, 'prize_color', p.prize_color, 'prize_image', p.prize_image,
            'conditions', p.conditions, 'expires_in_days', p.expires_in_days, 'never_expires', p.never_expires,
            'grace_hours', p.grace_hours, 'version', p.version) end,
          case when r.prize_id is not null and not p.never_expires then at + make_interval(days => coalesce(p.expires_in_days, 7)) end,
          coalesce(p.grace_hours, 0),
          jsonb_build_object('reward_slug', r.reward_slug, 'reward_label', r.reward_label, 'award_status', status, 'award_slug', award),
          session, ip, at, at)
  returning id into play_no;

  reply := json_build_object(
    'spin_id', session, 'nonce', nonce, 'reward_slug', r.reward_slug, 'segment', r.segment_index, 'won', r.prize_id is not null,
    'play_id', play_no, 'prize_status', prize_status, 'chances_left', chances,
    'award', json_build_object('status', status, 'reward_slug', award), 'landing', landing, 'commit_hash', s.commit_hash)::text;
  insert into spin_sessions (id, wheel_game_id, user_id, session_id, request_hash, chance_id, spin_status, spin_started_at,
                             spin_completed_at, spin_duration_ms, answer, created_at, updated_at)
  values (session, wheel, player, request, request_digest, c.id, 'completed', at, result_at, (landing->>'duration_ms')::int, reply, at, at);
  insert into spin_results (id, spin_session_id, wheel_reward_id, user_id, seed_id, nonce, config_version, roll, client_entropy,
                            result_status, claim_status, win_status, result_metadata, result_timestamp, created_at, updated_at)
  values (result, session, r.id, player, pair, nonce, w.config_version, roll, entropy, 'final',
          case when r.prize_id is null then 'none' else 'unclaimed' end, status,
          jsonb_build_object('segment', r.segment_index, 'landing', landing, 'award_slug', award), result_at, at, at);

  insert into game_heads as g (game_id, last_seq) values (wheel::text, 1)
    on conflict (tenant_id, game_id) do update set last_seq = g.last_seq + 1 returning g.last_seq into event_no;
  event := jsonb_build_object('spin_id', session, 'player', player_name, 'segment', r.segment_index, 'reward_slug', r.reward_slug,
                              'reward_label', r.reward_label, 'won', r.prize_id is not null, 'landing', landing);
  insert into game_events (user_id, event_type, event_category, game_id, game_seq, event_data, event_timestamp, created_at)
  values (player, 'wheel.spun', 'wheel', wheel::text, event_no, event, at, at);

  -- Canonical JSON by hand: the keys stand in order, and json_build_object would put spaces between them.
  changed := format('{"award_status":"%s","chance_id":"%s","config_version":%s,"nonce":%s,"play_id":%s,%s"reward_slug":"%s","seed_id":"%s","spin_session_id":"%s","wheel_game_id":"%s"}',
    status, c.id, w.config_version, nonce, play_no,
    case when r.prize_id is not null then format('"prize_id":%s,"prize_status":"%s",', r.prize_id, prize_status) end,
    r.reward_slug, pair, session, wheel);
  update tenant_heads t set audit_seq = t.audit_seq + 1, log_size = t.log_size + 1 where t.tenant_id = tenant
  returning t.audit_seq, t.audit_hash, t.log_size - 1 as log_seq, t.log_hash into h;
  audit_digest := encode(sha256(convert_to(format(E'livedraw/audit/1\n%s\n%s\n', tenant, h.audit_hash) || format(
    '{"action":"spin","at":"%s","entity_id":"%s","entity_type":"game_play","new_values":%s,"old_values":null,"seq":%s,"user_id":"%s"}',
    iso, play, changed, h.audit_seq, player), 'UTF8')), 'hex');
  insert into audit_logs (seq, user_id, action, entity_type, entity_id, new_values, ip_address, prev_hash, hash, created_at)
  values (h.audit_seq, player, 'spin', 'game_play', play, changed::jsonb, ip, h.audit_hash, audit_digest, at);
  leaf := format('{"at":"%s","commitHash":"%s","entropy":"%s","nonce":%s,"result":%s,"seq":%s,"type":"spin"}',
                 iso, s.commit_hash, entropy, nonce, r.segment_index, h.log_seq);
  row_digest := encode(sha256(convert_to(E'fair/1/log\n', 'UTF8') || decode(h.log_hash, 'hex') || sha256(convert_to(leaf, 'UTF8'))), 'hex');
  insert into fair_log (seq, type, commit_hash, nonce, event, leaf_hash, row_hash)
  values (h.log_seq, 'spin', s.commit_hash, nonce, leaf, encode(sha256('\x00'::bytea || convert_to(leaf, 'UTF8')), 'hex'), row_digest);
  update tenant_heads t set audit_hash = audit_digest, log_hash = row_digest where t.tenant_id = tenant;

  return query select reply, event_no, event;
end $$;
grant execute on function bench.iso, bench.spin to livedraw_app;
