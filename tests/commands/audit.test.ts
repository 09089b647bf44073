/** The audit: a clean history passes, and every single check catches a violation that is planted for it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import pg from 'pg'
import { type AuditReport, type Check, checkInvariants, runAudit } from '../../src/audit/audit.ts'
import { readInvariants } from '../../src/audit/blocks.ts'
import { reportText } from '../../src/audit/report.ts'
import { readerOn } from '../../src/audit/store.ts'
import { type Database, openPool } from '../../src/db/pool.ts'
import { type TestDatabase, testDatabase } from '../db/cluster.ts'
import { storyFairnessKey, storyKeys, tellStory } from './story.ts'

/** What an auditor does not have to fear is switched off for the planter: triggers, foreign keys, and on request rules. */
const PRELUDE = `
  set session_replication_role = replica;
  create function pg_temp.free(target regclass) returns void language plpgsql as $$
  declare rule record;
  begin
    for rule in select conname from pg_constraint where conrelid = target and contype in ('c', 'u', 'p', 'x') loop
      execute format('alter table %s drop constraint %I cascade', target, rule.conname);
    end loop;
    for rule in select indexrelid::regclass as name from pg_index where indrelid = target and indisunique loop
      execute format('drop index %s', rule.name);
    end loop;
  end $$;`

/** The first row of a table that fits. */
const one = (table: string, condition = 'true', order = '1') =>
  `ctid = (select ctid from ${table} where ${condition} order by ${order} limit 1)`

const REVEALED = `seed_id in (select id from fair_seeds where seed_status = 'revealed')`

/** Two accounts of one owner and a transfer between them, as they must be but for the audit chain; then what spoils it. */
const LEDGER = `
  insert into ledger_accounts (id, tenant_id, owner_id, account_kind, currency, balance_minor, floor_minor, created_at, updated_at)
  select ('a0000000-0000-4000-8000-00000000000' || n)::uuid, t.id, 'mallory', kind, 'EUR', amount, least(0, amount * (kind = 'house')::int), now(), now()
  from tenants t, (values (1, 'house', -100), (2, 'cash', 100)) as r(n, kind, amount) where tenant_code = 'demo';
  insert into ledger_transfers (id, tenant_id, obligation, transfer_type, posting_count, content_hash, created_by, created_at)
  select 'b0000000-0000-4000-8000-000000000001', id, 'prize:1', 'test', 2, repeat('0', 64), 'boss', now() from tenants where tenant_code = 'demo';
  insert into ledger_postings (tenant_id, txn_id, account_id, currency, amount_minor, balance_after_minor)
  select tenant_id, 'b0000000-0000-4000-8000-000000000001', id, 'EUR', balance_minor, balance_minor from ledger_accounts where id::text like 'a0000000-%'`

/** The correction of that transfer, without postings. */
const CORRECTION = (more: string) => `
  insert into ledger_transfers (id, tenant_id, obligation, transfer_type, posting_count, content_hash, corrects_id, is_reversal, created_by, created_at)
  select 'b0000000-0000-4000-8000-000000000002', tenant_id, 'prize:1 again', 'test', 2, repeat('0', 64), id, ${more}, 'boss', now() from ledger_transfers where id::text like 'b0000000-%'`

/** A webhook with one event of a prize that was never opened, delivered in its second attempt. */
const WEBHOOK = `
  insert into webhooks (id, tenant_id, url, event_types, created_at, updated_at)
  select 'c0000000-0000-4000-8000-000000000001', id, 'https://shop.example/', '["prize.*"]', now(), now() from tenants where tenant_code = 'demo';
  insert into outbox (id, tenant_id, event_type, data, created_at)
  select 'c0000000-0000-4000-8000-000000000002', tenant_id, 'prize.won', jsonb_build_object('play_id', id, 'prize', null), now()
  from gamification_game_plays where is_winner and unlocked_at is null order by id limit 1;
  insert into webhook_deliveries (id, tenant_id, webhook_id, event_id, delivery_status, attempt_count, created_at, updated_at)
  select 'c0000000-0000-4000-8000-000000000003', tenant_id, 'c0000000-0000-4000-8000-000000000001', id, 'delivered', 2, now(), now() from outbox;
  insert into webhook_attempts (tenant_id, delivery_id, attempt_no, attempted_at, duration_ms, status_code)
  select tenant_id, id, n, now(), 1, code from webhook_deliveries, (values (1, 500), (2, 204)) as r(n, code)`

type Plant = { check: string; says: string; sql: string }

/** One violation for each check of the report; `says` is the beginning of the check's sentence. */
const PLANTS: Plant[] = [
  {
    check: 'I1',
    says: 'Chances are never',
    sql: `select pg_temp.free('spin_chances'); update spin_chances set used_chances = used_chances + 1 where ${one('spin_chances')}`,
  },
  {
    check: 'I2',
    says: 'A player used',
    sql: `update spin_chances set used_chances = used_chances + 1, remaining_chances = remaining_chances - 1 where ${one('spin_chances', 'remaining_chances > 0')}`,
  },
  {
    check: 'I2',
    says: 'A grant was used',
    sql: `update spin_chances set used_chances = used_chances + 1, remaining_chances = remaining_chances - 1 where ${one('spin_chances', 'remaining_chances > 0')}`,
  },
  {
    check: 'I2',
    says: 'A standing spin',
    sql: `update spin_chances set expires_at = awarded_at - interval '1 hour' where ${one('spin_chances', 'used_chances > 0')}`,
  },
  { check: 'I3', says: 'A completed spin', sql: `delete from spin_results where ${one('spin_results')}` },
  {
    check: 'I4',
    says: 'The nonces',
    sql: `update spin_results set nonce = nonce + 500 where ${one('spin_results')}`,
  },
  {
    check: 'I4',
    says: "A pair's counter",
    sql: `update fair_seeds set next_nonce = next_nonce + 1 where ${one('fair_seeds', 'next_nonce > 0')}`,
  },
  {
    check: 'I5',
    says: 'A seed is committed',
    sql: `update fair_seeds set committed_at = '2100-01-01' where ${one('fair_seeds', 'next_nonce > 0')}`,
  },
  {
    check: 'I6',
    says: 'The ranges',
    sql: `update wheel_rewards_history set range_start = range_start + 1 where ${one('wheel_rewards_history', 'range_start > 0')}`,
  },
  {
    check: 'I6',
    says: 'The probabilities',
    sql: `update wheel_rewards_history set probability = probability / 2 where ${one('wheel_rewards_history')}`,
  },
  {
    check: 'I6',
    says: 'A roll lies',
    sql: `update spin_results set roll = 1000000 where ${one('spin_results')}`,
  },
  {
    check: 'I7',
    says: 'No prize is given',
    sql: `select pg_temp.free('gamification_prizes'); update gamification_prizes set stock = 1`,
  },
  {
    check: 'I11',
    says: 'The state of a prize',
    sql: `update gamification_game_plays set prize_status = 'applied' where ${one('gamification_game_plays', "prize_status = 'locked'")}`,
  },
  {
    check: 'I11',
    says: 'A prize has at most one',
    sql: `select pg_temp.free('prize_applications'); insert into prize_applications select * from prize_applications`,
  },
  {
    check: 'I11',
    says: 'An applied prize has',
    sql: `update prize_applications set rolled_back_at = now(), rolled_back_by = 'mallory', rolled_back_to = 'unlocked'`,
  },
  {
    check: 'I11',
    says: 'An applied prize has',
    sql: `update prize_applications set play_id = (select id from gamification_game_plays where prize_status = 'locked' limit 1) where ${one('prize_applications')}`,
  },
  {
    check: 'I16',
    says: 'A discount is not negative',
    sql: `select pg_temp.free('prize_applications'); update prize_applications set final_minor = final_minor + 1`,
  },
  {
    check: 'I16',
    says: 'A discount is not negative',
    sql: `select pg_temp.free('prize_applications'); update prize_applications set max_discount_minor = discount_minor - 1`,
  },
  {
    check: 'I11',
    says: 'A prize code',
    sql: `select pg_temp.free('gamification_game_plays'); update gamification_game_plays set prize_code = case when id % 2 = 0 then 'same' else 'SAME' end where is_winner`,
  },
  {
    check: 'I12',
    says: 'Nothing is applied',
    sql: `update gamification_game_plays set expires_at = applied_at - interval '25 hours', grace_hours = 24 where prize_status = 'applied'`,
  },
  {
    check: 'I13',
    says: 'A prize took',
    sql: `update audit_logs set new_values = new_values || '{"prize_status": "expired"}' where ${one('audit_logs', "new_values ? 'prize_status'", 'seq')}`,
  },
  {
    check: 'I13',
    says: 'A prize is in the state',
    sql: `update gamification_game_plays set prize_status = 'expired' where ${one('gamification_game_plays', "prize_status = 'locked'")}`,
  },
  {
    check: 'I32',
    says: 'The plays and wins',
    sql: `insert into game_analytics (tenant_id, analytics_type, metric_name, metric_value, metric_unit, metric_tags, metric_timestamp, source_game, created_at, updated_at)
          select tenant_id, 'hourly', name, 1, 'count', '{}', date_trunc('hour', created_at, 'UTC') - hours * interval '1 hour', game_id::text, now(), now()
          from (select * from gamification_game_plays order by created_at limit 1) p, (values ('plays', 5), ('wins', 5), ('plays', 3)) as r(name, hours)`,
  },
  {
    check: 'L32',
    says: 'The history of',
    sql: `update prize_history set from_status = 'locked' where ${one('prize_history', "to_status = 'applied'")}`,
  },
  {
    check: 'L32',
    says: 'A prize is where',
    sql: `delete from prize_history where to_status = 'applied' and play_id in (select id from gamification_game_plays where prize_status = 'applied')`,
  },
  {
    check: 'L33',
    says: 'A prize was applied',
    sql: `delete from prize_applications where ${one('prize_applications', 'rolled_back_at is not null')}`,
  },
  {
    check: 'I14',
    says: 'The audit chain of',
    sql: `update audit_logs set prev_hash = repeat('0', 64) where seq = 2`,
  },
  {
    check: 'I14',
    says: 'The audit chain ends',
    sql: `delete from audit_logs a where seq = (select max(seq) from audit_logs b where b.tenant_id = a.tenant_id)`,
  },
  {
    check: 'I14',
    says: 'The hash of every audit row',
    sql: `update audit_logs set user_id = 'mallory' where seq = 3`,
  },
  {
    check: 'I15',
    says: 'A transfer nets',
    sql: `${LEDGER}; update ledger_postings set amount_minor = amount_minor + 1 where amount_minor > 0`,
  },
  {
    check: 'I15',
    says: 'A balance is the sum',
    sql: `${LEDGER}; update ledger_accounts set balance_minor = balance_minor + 1`,
  },
  {
    check: 'I15',
    says: 'A balance is the sum',
    sql: `${LEDGER}; select pg_temp.free('ledger_accounts'); update ledger_accounts set floor_minor = balance_minor + 1`,
  },
  {
    check: 'L12',
    says: 'The balances of a tenant',
    sql: `${LEDGER}; update ledger_accounts set balance_minor = balance_minor + 1`,
  },
  {
    check: 'L13',
    says: 'Along an account',
    sql: `${LEDGER}; update ledger_postings set balance_after_minor = balance_after_minor + 1 where amount_minor > 0`,
  },
  {
    check: 'L14',
    says: 'A transfer has the number',
    sql: `${LEDGER}; delete from ledger_postings where amount_minor > 0`,
  },
  {
    check: 'L15',
    says: 'An obligation was met',
    sql: `${LEDGER}; ${CORRECTION('false')}; select pg_temp.free('ledger_transfers'); update ledger_transfers set obligation = 'prize:1'`,
  },
  {
    check: 'L16',
    says: 'A transfer is in the audit chain',
    sql: `${LEDGER}; update ledger_transfers set reason = 'no audit row'`,
  },
  {
    check: 'L16',
    says: 'A transfer that the audit chain',
    sql: `update audit_logs set entity_type = 'ledger_transfer' where ${one('audit_logs', 'entity_id is not null', 'seq')}`,
  },
  {
    check: 'L17',
    says: 'Of a transfer that was taken',
    sql: `${LEDGER}; ${CORRECTION('true')}; update ledger_transfers set reason = 'no postings'`,
  },
  {
    check: 'L18',
    says: 'Only the house',
    sql: `${LEDGER}; update ledger_accounts set floor_minor = -1 where account_kind = 'cash'`,
  },
  {
    check: 'I17',
    says: 'A key exists once',
    sql: `select pg_temp.free('idempotency_keys'); insert into idempotency_keys select * from idempotency_keys`,
  },
  {
    check: 'I17',
    says: 'No request is in progress',
    sql: `update idempotency_keys set state = 'in_progress', locked_until = now() - interval '1 second'`,
  },
  { check: 'I17', says: 'A request that is done', sql: 'update idempotency_keys set answer = null' },
  {
    check: 'I20',
    says: 'No row refers',
    sql: `update spin_results set tenant_id = (select id from tenants t where t.id <> spin_results.tenant_id) where ${one('spin_results')}`,
  },
  {
    check: 'I20',
    says: 'A composite foreign key',
    sql: `delete from wheel_rewards where ${one('wheel_rewards')}`,
  },
  {
    check: 'I21',
    says: 'Every table with a tenant',
    sql: 'alter table spin_results no force row level security',
  },
  {
    check: 'I21',
    says: 'Every table with a tenant',
    sql: 'create policy also on spin_results to livedraw_app using (true)',
  },
  { check: 'I21', says: 'Every table with a tenant', sql: 'create table forgotten (tenant_id uuid)' },
  {
    check: 'I21',
    says: "The application's role",
    sql: 'create table owned (id int); alter table owned owner to livedraw_app',
  },
  { check: 'I21', says: 'Nobody but its owner', sql: 'grant truncate on spin_results to livedraw_app' },
  { check: 'I21', says: 'Nobody but its owner', sql: 'grant update on spin_results to livedraw_auditor' },
  {
    check: 'I21',
    says: 'Only the listed functions',
    sql: `create function sneaky() returns int language sql security definer set search_path = public return 1`,
  },
  {
    check: 'I21',
    says: 'No view shows',
    sql: 'create view everything as select * from spin_results; grant select on everything to livedraw_app',
  },
  {
    check: 'I23',
    says: 'No spin is stuck',
    sql: `update spin_sessions set spin_status = 'started' where ${one('spin_sessions')}`,
  },
  {
    check: 'L1',
    says: 'The events of a game',
    sql: `delete from game_events where ${one('game_events', 'game_seq > 1')}`,
  },
  {
    check: 'L2',
    says: 'The public log',
    sql: 'delete from fair_log a where seq = (select max(seq) from fair_log b where b.tenant_id = a.tenant_id)',
  },
  ...['game_events', 'audit_logs', 'fair_log'].map((table) => ({
    check: 'L2',
    says: 'Every event, audit row',
    sql: `update ${table} set tenant_id = gen_random_uuid() where ${one(table)}`,
  })),
  {
    check: 'L3',
    says: 'A commitment is',
    sql: `update fair_log set type = 'config' where ${one('fair_log', "type = 'commit'")}`,
  },
  {
    check: 'L4',
    says: 'A result is an event',
    sql: `update fair_log set nonce = nonce + 500 where ${one('fair_log', "type = 'spin'")}`,
  },
  {
    check: 'L5',
    says: 'A revealed seed',
    sql: `update fair_log set event = replace(event, '"count":', '"count":1') where type = 'reveal'`,
  },
  {
    check: 'L6',
    says: 'The server seed',
    sql: `select pg_temp.free('fair_seeds'); update fair_seeds set server_seed = repeat('a', 64) where seed_status = 'next'`,
  },
  {
    check: 'L7',
    says: 'A finished spin',
    sql: `delete from gamification_game_plays where ${one('gamification_game_plays')}`,
  },
  {
    check: 'L30',
    says: "The counts of a user's",
    sql: `update inbox_heads set locked_count = locked_count + 1 where ${one('inbox_heads')}`,
  },
  {
    check: 'L31',
    says: 'A prize whose payout waits',
    sql: `insert into prize_reviews (tenant_id, play_id, alert_id, held_at)
          select tenant_id, id, gen_random_uuid(), now() from gamification_game_plays where prize_status = 'applied' limit 1`,
  },
  {
    check: 'L8',
    says: 'Every event of the public log',
    sql: `update fair_log set event = replace(event, '"at":"2026', '"at":"2025') where seq = 4`,
  },
  { check: 'L9', says: 'Every stored subtree', sql: `update fair_log_nodes set hash = repeat('0', 64)` },
  {
    check: 'L10',
    says: 'Every checkpoint names',
    sql: `update fair_checkpoints set root = repeat('0', 64) where ${one('fair_checkpoints')}`,
  },
  {
    check: 'L10',
    says: 'Every checkpoint names',
    sql: `delete from fair_log; update fair_checkpoints set log_size = log_size + 10000`,
  },
  {
    check: 'L11',
    says: 'Every checkpoint is signed',
    sql: `update fair_checkpoints set note = regexp_replace(note, '(.)(.)(..)\\n$', '\\2\\1\\3' || chr(10)) where ${one('fair_checkpoints', "note !~ '(.)\\1..\\n$'")}`,
  },
  {
    check: 'I27',
    says: 'Every commitment is the hash',
    sql: `update fair_commitments set doc = replace(doc, '"seq":1', '"seq":9') where ${one('fair_commitments', 'seq = 1')}`,
  },
  {
    check: 'I27',
    says: 'Every commitment is the hash',
    sql: `update fair_commitments set config = replace(config, '"weight":', '"weight":1')`,
  },
  {
    check: 'I27',
    says: 'Every commitment is signed',
    sql: `update fair_commitments set jws = (select max(jws) from fair_commitments) where ${one('fair_commitments', 'jws < (select max(jws) from fair_commitments)')}`,
  },
  {
    check: 'I27',
    says: 'Every seed is the one',
    sql: `update fair_seeds set server_seed = repeat('a', 64) where seed_status = 'revealed'`,
  },
  {
    check: 'I27',
    says: 'Every seed is the one',
    sql: `update fair_seeds set user_id = 'mallory' where ${one('fair_seeds', "user_id = 'bob'")}`,
  },
  {
    check: 'I6',
    says: 'Every published version',
    sql: `update wheel_rewards_history set weight = weight + 1 where ${one('wheel_rewards_history')}`,
  },
  {
    check: 'I27',
    says: 'Every spin of a revealed',
    sql: `update spin_results set roll = case roll when 1 then 2 when 2 then 3 else 1 end where ${one('spin_results', REVEALED)}`,
  },
  {
    check: 'I27',
    says: 'Every spin of a revealed',
    sql: `update spin_results set client_entropy = 'another-entropy1' where ${REVEALED}`,
  },
  {
    check: 'I28',
    says: 'Every player was told',
    sql: `update spin_sessions set answer = replace(answer, '"segment":1', '"segment":0') where ${one('spin_sessions', `answer like '%"segment":1,%'`)}`,
  },
  {
    check: 'L4',
    says: 'Every logged spin',
    sql: `update fair_log set event = replace(event, '"result":1', '"result":0') where type = 'spin'`,
  },
  {
    check: 'I27',
    says: 'Every mystery of a revealed',
    sql: `update mystery_results set roll = 1 - roll where ${REVEALED}`,
  },
  {
    check: 'P8',
    says: 'Every mystery was drawn',
    sql: `update mystery_results set award_index = 1 - award_index where ${one('mystery_results')}`,
  },
  {
    check: 'P8',
    says: 'Every mystery was drawn',
    sql: `update mystery_pools set config = replace(config, '"weight":1', '"weight":2')`,
  },
  {
    check: 'I7',
    says: 'No prize is given out',
    sql: `update gamification_prizes set stock = 0 where id in (select prize_id from mystery_results)`,
  },
  {
    check: 'L4',
    says: 'A result is an event',
    sql: `delete from mystery_results where ${one('mystery_results')}`,
  },
  {
    check: 'P1',
    says: 'A mystery that was opened',
    sql: `update gamification_game_plays set prize_snapshot = prize_snapshot || '{"value": "99.00"}' where prize_snapshot ? 'mystery'`,
  },
  {
    check: 'P1',
    says: 'A mystery that was opened',
    sql: `update gamification_game_plays set prize_snapshot = prize_snapshot || '{"type": "mystery"}' where ${one('gamification_game_plays', "prize_status = 'unlocked'")}`,
  },
  {
    check: 'P2',
    says: 'The nonces of a mystery',
    sql: `update mystery_results set nonce = nonce + 1 where ${one('mystery_results')}`,
  },
  {
    check: 'P2',
    says: 'The nonces of a mystery',
    sql: `update fair_seeds set next_nonce = next_nonce + 1 where kind = 'mystery' and seed_status = 'active'`,
  },
  {
    check: 'P3',
    says: 'A mystery is drawn after',
    sql: `update mystery_results set result_timestamp = result_timestamp - interval '1 year'`,
  },
  {
    check: 'P4',
    says: 'A prize that is paid',
    sql: `update gamification_game_plays set prize_snapshot = prize_snapshot || '{"type": "cash"}' where ${one('gamification_game_plays', "prize_status = 'locked'")}`,
  },
  {
    check: 'P4',
    says: 'A prize that is paid',
    sql: `update ledger_transfers set obligation = 'won:999999' where obligation like 'won:%'`,
  },
  { check: 'P5', says: 'A prize that is handed', sql: 'delete from fulfilments where order_id is null' },
  { check: 'P6', says: 'As many items', sql: 'update item_stocks set reserved_count = reserved_count + 1' },
  { check: 'P6', says: 'As many items', sql: 'delete from fulfilments where item_stock_id is not null' },
  {
    check: 'P9',
    says: 'Each win of a prize of a partner',
    sql: 'update partner_codes set play_id = null, given_at = null',
  },
  {
    check: 'P9',
    says: 'Each win of a prize of a partner',
    sql: `update partner_codes set play_id = 1, given_at = now() where play_id is null`,
  },
  {
    check: 'P10',
    says: 'As many wins',
    sql: 'delete from partner_codes where play_id is null',
  },
  {
    check: 'P7',
    says: 'An application that paid',
    sql: `update prize_applications set transfer_id = null where transfer_id is not null`,
  },
  {
    check: 'P7',
    says: 'An application that paid',
    sql: `update ledger_transfers set obligation = obligation || ' other' where obligation like 'prize:%'`,
  },
  {
    check: 'I27',
    says: 'The entries of every',
    sql: `update wheel_round_entries set client_entropy = 'entropy-of-mallory' where entry_index = 1`,
  },
  {
    check: 'I27',
    says: 'Every shared spin',
    sql: `update wheel_rounds set outcome = case outcome->>'index' when '0' then '{"id": "none", "index": 1}'::jsonb else '{"id": "ten", "index": 0}'::jsonb end`,
  },
  {
    check: 'W1',
    says: 'What counts as delivered',
    sql: `${WEBHOOK}; update webhook_deliveries set attempts_before = 2`,
  },
  {
    check: 'W2',
    says: 'An attempt of the log',
    sql: `${WEBHOOK}; update webhook_deliveries set attempt_count = 1`,
  },
  {
    check: 'W3',
    says: 'An event tells nothing',
    sql: `${WEBHOOK}; update outbox set data = data || '{"prize": {"name": "Car"}}'`,
  },
  {
    check: 'W3',
    says: 'An event tells nothing',
    sql: `${WEBHOOK}; update outbox o set data = data || jsonb_build_object('code', p.prize_code) from gamification_game_plays p where p.id = (o.data ->> 'play_id')::bigint`,
  },
  {
    check: 'E1',
    says: 'The owners of a prize',
    sql: `update prize_transfers set to_user_id = 'mallory' where ${one('prize_transfers')}`,
  },
  {
    check: 'E1',
    says: 'The owners of a prize',
    sql: `update gamification_game_plays set user_id = 'mallory' where ${one('gamification_game_plays', 'won_by is not null')}`,
  },
  {
    check: 'E1',
    says: 'The owners of a prize',
    sql: `update prize_transfers set deal_id = (select id from prize_deals where deal_status = 'open') where ${one('prize_transfers')}`,
  },
  {
    check: 'E1',
    says: 'A prize that was received',
    sql: `delete from prize_transfers where ${one('prize_transfers')}`,
  },
  {
    check: 'E2',
    says: 'What is in escrow',
    sql: `select pg_temp.free('gamification_game_plays'); update gamification_game_plays set prize_status = 'expired' where escrow_id is not null`,
  },
  {
    check: 'E2',
    says: 'What is in escrow',
    sql: `select pg_temp.free('prize_deals'); update prize_deals set deal_status = 'withdrawn' where deal_status = 'open'`,
  },
  {
    check: 'E2',
    says: 'An open deal holds',
    sql: `update gamification_game_plays set escrow_id = null, escrow_kind = null, escrow_until = null where escrow_id is not null`,
  },
  {
    check: 'E2',
    says: 'An accepted deal handed',
    sql: `insert into prize_deal_items (tenant_id, deal_id, play_id, side, was_open) select d.tenant_id, d.id, (select id from gamification_game_plays where prize_status = 'locked' and user_id = 'bob' and won_by is null limit 1), 'give', false from prize_deals d where deal_kind = 'listing'`,
  },
  {
    check: 'E3',
    says: 'A sale moved its price',
    sql: `update prize_deals set price_minor = price_minor + 1 where deal_kind = 'listing'`,
  },
  {
    check: 'E3',
    says: 'A sale moved its price',
    sql: `update prize_deals set fee_bps = fee_bps + 100 where deal_kind = 'listing'`,
  },
  {
    check: 'E3',
    says: 'The escrow of a listing',
    sql: `update ledger_accounts set balance_minor = 1 where owner_id like 'listing:%'`,
  },
  {
    check: 'E4',
    says: 'A card is that',
    sql: `update prize_shares set shared_by = 'mallory'`,
  },
  {
    check: 'E5',
    says: 'A grant left a play',
    sql: `update prize_grants set user_id = 'mallory' where source = 'support'`,
  },
  {
    check: 'E5',
    says: 'A campaign counts',
    sql: `update prize_campaigns set granted_count = granted_count + 1`,
  },
  {
    check: 'E6',
    says: 'Nobody was brought',
    sql: `insert into referrals (tenant_id, id, user_id, referrer_id, campaign_id, created_at, updated_at) select tenant_id, gen_random_uuid(), 'gina', 'frank', campaign_id, now(), now() from referrals limit 1`,
  },
  {
    check: 'E7',
    says: 'A part of a bundle',
    sql: `update gamification_game_plays set bundle_play_id = (select max(id) from gamification_game_plays) where ${one('gamification_game_plays', 'is_winner')}`,
  },
  {
    check: 'E7',
    says: 'An opened bundle left',
    sql: `update gamification_game_plays set prize_snapshot = prize_snapshot || '{"type": "bundle", "parts": [{"quantity": 2}]}' where prize_status = 'applied'`,
  },
  {
    check: 'E6',
    says: 'A referral was awarded',
    sql: `update referrals set play_id = play_id + 1 where referral_status = 'awarded'`,
  },
  {
    check: 'I16',
    says: 'The trace of every',
    sql: `update prize_applications set details = jsonb_set(details, '{discount_amount}', '"9.99"') where order_id = 'order-1'`,
  },
  {
    check: 'I16',
    says: 'The trace of every',
    sql: `update gamification_game_plays set prize_snapshot = jsonb_set(prize_snapshot, '{value}', '"11.00"') where applied_to_order_id = 'order-1'`,
  },
  {
    check: 'I33',
    says: 'What prizes grant',
    sql: `update prize_applications set transfer_id = null where transfer_id is not null`,
  },
  {
    check: 'I33',
    says: 'What prizes grant',
    sql: `update ledger_transfers set is_reversal = false where is_reversal`,
  },
  {
    check: 'I16',
    says: 'What came back',
    sql: `update prize_returns set discount_minor = discount_minor + 1`,
  },
  {
    check: 'I8',
    says: 'Tickets sold are',
    sql: `update raffle_campaigns set sold_tickets = sold_tickets - 1 where ${one('raffle_campaigns', 'sold_tickets > 0')}`,
  },
  {
    check: 'I9',
    says: 'No ticket is sold',
    sql: `update raffle_tickets set ticket_purchased_at = '2100-01-01' where ${one('raffle_tickets')}`,
  },
  {
    check: 'I10',
    says: 'The rows of a finished',
    sql: `update raffle_winners set user_id = 'mallory' where ${one('raffle_winners')}`,
  },
  {
    check: 'I10',
    says: 'A finished draw has the stated',
    sql: `update raffle_draws set winning_tickets = winning_tickets + 10 where draw_status = 'settled'`,
  },
  {
    check: 'I10',
    says: 'A campaign has one finished',
    sql: `select pg_temp.free('raffle_draws'); update raffle_draws set draw_name = 'same', draw_status = 'settled'`,
  },
  {
    check: 'L40',
    says: 'The list of a draw',
    sql: `select pg_temp.free('draws'); update draws set entry_count = entry_count + 1 where ${one('draws', 'entry_count > 0')}`,
  },
  {
    check: 'L41',
    says: 'Every place of a drawn',
    sql: `update draw_winners set user_id = 'mallory' where ${one('draw_winners')}`,
  },
  {
    check: 'L42',
    says: 'A draw was decided after',
    sql: `update draws set frozen_at = drawn_at + interval '1 second' where status = 'settled'`,
  },
  {
    check: 'L43',
    says: 'A redraw was asked',
    sql: `select pg_temp.free('draw_redraws'); update draw_redraws set decided_by = asked_by`,
  },
  {
    check: 'L48',
    says: 'A draw closes when',
    sql: `select pg_temp.free('draws'); update draws set closes_at = closes_at + interval '1 second', draw_at = draw_at + interval '1 second' where ${one('draws')}`,
  },
  {
    check: 'L44',
    says: 'A published raffle draw',
    sql: `update raffle_draws set total_tickets = total_tickets + 1 where draw_status = 'settled'`,
  },
  {
    check: 'L45',
    says: 'A purchase has the tickets',
    sql: `select pg_temp.free('raffle_purchases'); update raffle_purchases set amount_minor = amount_minor + 1 where amount_minor > 0`,
  },
  {
    check: 'L46',
    says: 'A ticket is on the list',
    sql: `update raffle_tickets set ticket_number = (ticket_number::int + 1000)::text where ${one('raffle_tickets')}`,
  },
  {
    check: 'L47',
    says: 'A prize of a raffle draw',
    sql: `update raffle_winners set play_id = null where play_id is not null`,
  },
  {
    check: 'I27',
    says: 'The list of every closed draw',
    sql: `update draw_entries set leaf = replace(leaf, '"via":"paid"', '"via":"free"') where ${one('draw_entries', "leaf like '%paid%'")}`,
  },
  {
    check: 'I27',
    says: 'Every draw whose secret',
    sql: `update draws set outcome = jsonb_set(outcome, '{order,0}', '99') where status = 'settled'`,
  },
  {
    check: 'I27',
    says: 'Every draw whose secret',
    sql: `update draw_winners set entry_index = entry_index + 100 where ${one('draw_winners')}`,
  },
  {
    check: 'I24',
    says: 'Nobody has more guesses',
    sql: `select pg_temp.free('games'); update games set guesses_per_user = 0`,
  },
  {
    check: 'I24',
    says: 'The guesses of a game',
    sql: `update games set participant_count = participant_count + 1 where ${one('games')}`,
  },
  {
    check: 'I24',
    says: 'A guess lies between',
    sql: `update game_submissions set guess = 101 where ${one('game_submissions', 'guess is not null')}`,
  },
  {
    check: 'I24',
    says: 'A guess lies between',
    sql: `update game_submissions set created_at = '2100-01-01' where ${one('game_submissions')}`,
  },
  {
    check: 'I24',
    says: 'A drawn game has',
    sql: `update games set number_of_winners = number_of_winners + 1 where mode = 'draw'`,
  },
  {
    check: 'I24',
    says: 'A drawn game has',
    sql: `delete from winner_history where ${one('winner_history', 'not is_alternate')}`,
  },
  {
    check: 'I24',
    says: 'Who won a game',
    sql: `update winner_history set user_id = 'mallory' where ${one('winner_history')}`,
  },
  {
    check: 'I24',
    says: 'Who won a game',
    sql: `update game_participants set is_winner = not is_winner where ${one('game_participants')}`,
  },
  {
    check: 'I24',
    says: 'Only who won',
    sql: `update reward_claims set user_id = 'mallory' where ${one('reward_claims')}`,
  },
  {
    check: 'I24',
    says: 'Only who won',
    sql: `update reward_claims set promoted_from = id where promoted_from is not null`,
  },
  {
    check: 'I24',
    says: 'Only who won',
    sql: `update games set creator_name = 'player-mallory'`,
  },
  {
    check: 'I24',
    says: 'Every winner of a reward',
    sql: `delete from reward_claims where ${one('reward_claims', 'promoted_from is null')}`,
  },
  {
    check: 'I24',
    says: 'One claim of a prize',
    sql: `select pg_temp.free('reward_claims'); update reward_claims set claim_status = 'pending' where claim_status = 'forfeited'`,
  },
  {
    check: 'I24',
    says: 'One claim of a prize',
    sql: `select pg_temp.free('reward_claims'); update reward_claims set play_id = (select min(id) from gamification_game_plays) where claim_status = 'completed'`,
  },
  {
    check: 'I24',
    says: 'A claim took legal',
    sql: `update claim_moves set to_status = 'completed' where ${one('claim_moves', 'seq = 1')}`,
  },
  {
    check: 'I24',
    says: 'A claim is in the state',
    sql: `update reward_claims set status_by = 'mallory' where ${one('reward_claims')}`,
  },
  {
    check: 'I24',
    says: 'A claim is in the state',
    sql: `update claim_moves set moved_at = '2100-01-01' where reason = 'claimed'`,
  },
  {
    check: 'I24',
    says: 'A complaint is the winner',
    sql: `update complaints set created_at = created_at - interval '1 day' where ${one('complaints')}`,
  },
  {
    check: 'I24',
    says: 'A claim is disputed',
    sql: `update complaints set outcome = 'dismissed' where outcome = 'unfulfilled'`,
  },
  {
    check: 'I24',
    says: 'A complaint was decided',
    sql: `update complaints set resolved_by = complained_by where outcome = 'unfulfilled'`,
  },
  {
    check: 'I24',
    says: 'A failure is a silence',
    sql: `update complaints set failed_at = null where outcome = 'unfulfilled'`,
  },
  {
    check: 'I24',
    says: 'A failure is a silence',
    sql: `update complaints set failed_at = answer_due_at - interval '1 second' where outcome is null`,
  },
  {
    check: 'L50',
    says: 'One block of a creator',
    sql: `select pg_temp.free('creator_blocks'); update creator_blocks set ended_at = null`,
  },
  {
    check: 'L50',
    says: 'A block is for',
    sql: `update creator_blocks set failure_count = 99 where ${one('creator_blocks')}`,
  },
  {
    check: 'L51',
    says: 'A block was lifted',
    sql: `select pg_temp.free('creator_blocks'); update creator_blocks set decided_by = appealed_by where decision = 'lifted'`,
  },
  {
    check: 'I22',
    says: 'The version of a claim',
    sql: `update complaints set row_version = row_version + 1 where ${one('complaints')}`,
  },
  {
    check: 'I22',
    says: 'The version of a claim',
    sql: `update claim_settings set row_version = row_version + 1`,
  },
  {
    check: 'I23',
    says: 'No offer, silence',
    sql: `update complaints set failed_at = null, answer_due_at = created_at - interval '1 day' where outcome is null`,
  },
]

async function onCopy<T>(act: (database: Database, url: string) => Promise<T>): Promise<T> {
  const copy = await testDatabase({ migrate: tellStory })
  const database = openPool(copy.url, () => {})
  try {
    return await act(database, copy.url)
  } finally {
    await database.end()
    await copy.drop()
  }
}

async function plant(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(PRELUDE)
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/**
 * Plants in a transaction, looks with the check that it is for, as the auditor, and takes everything back: what SQL checks
 * needs no copy of the whole story for each of hundreds of plants.
 */
async function lookAt(database: Database, { check, says, sql }: Plant): Promise<Check[]> {
  const { blocks, laterTables } = readInvariants()
  const mine = blocks.filter(({ id, title }) => id === check && title.startsWith(says))
  const client = await database.connect()
  try {
    await client.query(`begin; ${PRELUDE}`)
    await client.query(sql)
    await client.query('set local role livedraw_auditor; set local row_security = off')
    return await checkInvariants(readerOn(client), { blocks: mine, laterTables })
  } finally {
    await client.query('rollback; set session_replication_role = origin')
    client.release()
  }
}

const { blocks: BLOCKS } = readInvariants()
const isOfSql = (check: string, says: string): boolean =>
  BLOCKS.some(({ id, title }) => id === check && title.startsWith(says))

const titleOf = ({ check, says, sql }: Plant): string =>
  `${check} "${says} …" catches: ${sql.split('; ').at(-1)!.slice(0, 90)}`

const violated = (report: AuditReport) => report.checks.filter((check) => check.status === 'violated')

describe('audit: a history of the product', function () {
  this.timeout(60_000)

  it('S1-48 K-05 a clean history passes every check that is part of this version', () =>
    onCopy(async (database) => {
      const report = await runAudit(database, { signingKeys: storyKeys })
      assert.deepEqual(violated(report), [])
      assert.equal(report.ok, true)
      assert.deepEqual(report.notes, [])
      const seen = (title: string) => report.checks.find((check) => check.title.startsWith(title))!.checked!
      for (const title of [
        'A completed spin',
        'The hash of every audit',
        'Every stored subtree',
        'Every checkpoint is signed',
        'Every spin of a revealed',
        'Every shared spin',
        'The entries of every',
        'The trace of every',
        'What prizes grant',
        'What came back',
        'A guess lies between',
        'Only who won may claim',
        'A complaint is the winner',
        'A block is for',
      ]) {
        assert.ok(seen(title) > 0, `"${title}" looked at nothing`)
      }
      assert.equal(seen('A completed spin'), 393)
    }))

  it('S1-48 only blocks about tables of later games are left out, and each says which table it waits for', () =>
    onCopy(async (database) => {
      const report = await runAudit(database)
      const absent = report.checks.filter((check) => check.status === 'absent')
      const ids = new Set(absent.map((check) => check.id))
      assert.deepEqual([...ids], ['I18', 'I19'])
      assert.ok(absent.every((check) => check.note!.startsWith('needs ')))
      const waiting = report.checks.filter((check) => check.status === 'unchecked')
      assert.deepEqual(
        waiting.map((check) => check.id),
        ['L11', 'I27'],
        'without a key only signatures are left unchecked',
      )
    }))

  it('S1-48 a table that is missing without belonging to a later game is a violation', () =>
    onCopy(async (database, url) => {
      await plant(url, 'drop table idempotency_keys cascade')
      const report = await runAudit(database, { signingKeys: storyKeys })
      assert.deepEqual([...new Set(violated(report).map((check) => check.id))], ['I17'])
      assert.match(String(violated(report)[0]!.examples[0]), /the check failed/)
    }))

  it('S0-34 a webhook that was told the truth is no violation', () =>
    onCopy(async (database, url) => {
      await plant(url, WEBHOOK)
      const report = await runAudit(database, { signingKeys: storyKeys })
      assert.deepEqual(violated(report), [])
    }))

  describe('violations that SQL finds', () => {
    let story: TestDatabase
    let database: Database
    before(async () => {
      story = await testDatabase({ migrate: tellStory })
      database = openPool(story.url, () => {})
    })
    after(async () => {
      await database.end()
      await story.drop()
    })

    for (const each of PLANTS.filter(({ check, says }) => isOfSql(check, says))) {
      it(titleOf(each), async () => {
        const [found, ...more] = await lookAt(database, each)
        assert.deepEqual(more, [], 'the sentence names one check')
        assert.equal(found!.status, 'violated')
        assert.ok(found!.violations > 0 && found!.examples.length > 0)
        assert.doesNotMatch(String(found!.examples[0]), /the check failed/)
      })
    }

    it('are nowhere once they were taken back', async () => {
      assert.deepEqual(violated(await runAudit(database, { signingKeys: storyKeys })), [])
    })
  })

  for (const each of PLANTS.filter(({ check, says }) => !isOfSql(check, says))) {
    it(titleOf(each), () =>
      onCopy(async (database, url) => {
        await plant(url, each.sql)
        const report = await runAudit(database, { signingKeys: storyKeys })
        const found = violated(report)
        assert.ok(
          found.some(({ id, title }) => id === each.check && title.startsWith(each.says)),
          `only found: ${found.map(({ id, title }) => `${id} ${title}`).join(' | ')}`,
        )
        assert.equal(report.ok, false)
        assert.ok(found.every(({ violations, examples }) => violations > 0 && examples.length > 0))
      }),
    )
  }

  it('every check of the report has a planted violation above', () =>
    onCopy(async (database) => {
      const report = await runAudit(database, { signingKeys: storyKeys })
      const bare = report.checks
        .filter((check) => check.status !== 'absent')
        .filter(
          (check) => !PLANTS.some(({ check: id, says }) => id === check.id && check.title.startsWith(says)),
        )
      assert.deepEqual(
        bare.map((check) => `${check.id} ${check.title}`),
        [],
      )
    }))

  it('an auditor without BYPASSRLS sees the same by the policies that admit it, and says so', () =>
    onCopy(async (database, url) => {
      await plant(url, 'alter role livedraw_auditor nobypassrls')
      try {
        const clean = await runAudit(database, { signingKeys: storyKeys })
        assert.equal(clean.ok, true, reportText(clean))
        assert.equal(clean.notes.length, 1)
        assert.equal(clean.checks.find((check) => check.id === 'I3')!.checked, 393)
        await plant(url, `delete from spin_results where ${one('spin_results')}`)
        assert.ok(
          violated(await runAudit(database, { signingKeys: storyKeys })).some((check) => check.id === 'I3'),
        )
      } finally {
        await plant(url, 'alter role livedraw_auditor bypassrls')
      }
    }))

  it('the audit writes nothing and gives its connection back as it was', () =>
    onCopy(async (database) => {
      const client = await database.connect()
      try {
        await runAudit(client, { signingKeys: storyKeys })
        const { rows } = await client.query(
          `select current_user as who, current_setting('row_security') as rls, current_setting('transaction_read_only') as ro`,
        )
        assert.deepEqual(rows, [{ who: 'livedraw', rls: 'on', ro: 'off' }])
      } finally {
        client.release()
      }
    }))

  it('the command prints every check and exits 0, and 1 with the violation named', () =>
    onCopy(async (_, url) => {
      const run = (...args: string[]) =>
        spawnSync(process.execPath, ['src/commands/audit.ts', ...args], {
          encoding: 'utf8',
          env: {
            PATH: process.env['PATH'],
            DATABASE_URL: url,
            FAIRNESS_KEY: storyFairnessKey,
            NO_COLOR: '1',
          },
        })
      const clean = run()
      assert.equal(clean.status, 0, clean.stdout + clean.stderr)
      assert.match(
        clean.stdout,
        /✓ I27 +Every spin of a revealed seed .*\(40 checked; 353 more wait for the reveal/,
      )
      assert.match(clean.stdout, /· I18 .*not part of this version/)
      await plant(url, `delete from spin_results where ${one('spin_results')}`)
      const spoiled = run('--json')
      assert.equal(spoiled.status, 1)
      const report = JSON.parse(spoiled.stdout) as AuditReport
      assert.equal(report.ok, false)
      assert.equal(report.checks.find((check) => check.id === 'I3')!.violations, 1)
      assert.equal(run('--key', 'fair-nonsense').status, 2)
    }))
})

describe('audit: the file of invariants', () => {
  it('a block without a sentence, or with two statements, is refused', () => {
    assert.throws(() => readInvariants('-- @I1\nselect 1;'), /needs a name and a sentence/)
    assert.throws(() => readInvariants('-- @I1 Something.\nselect 1; select 2;'), /not one select/)
    assert.throws(() => readInvariants('-- @I1 Something.\ndelete from tenants;'), /not one select/)
  })

  it('the tables of a block are those it reads', () => {
    const [block] = readInvariants(
      '-- @I1 Something.\nselect 1 from a join b using (x) left join pg_class c on c.y is distinct from b.y, lateral f(1);',
    ).blocks
    assert.deepEqual(block!.tables, ['a', 'b'])
  })

  it('every invariant that runs in SQL has a block', () => {
    const ids = new Set(readInvariants().blocks.map((block) => block.id))
    for (const n of [...Array.from({ length: 24 }, (_, i) => i + 1), 32]) assert.ok(ids.has(`I${n}`), `I${n}`)
  })
})
