-- Why: facts about the stored rows that must hold at every moment between two transactions, whatever was sent,
-- killed or raced. Each block selects the rows that break its sentence: none is right, one is a violation.
--
-- A block opens with "-- @NAME sentence". The names I1-I23 are those of the reliability notes; L-names are ours and
-- tie the public log, the heads and the wallet to each other. An error in a block counts as a violation, never as a
-- skip. Where a value must be there, null breaks the sentence: "(...) is not true".
--
-- Tables of the games that are not in this version yet. A block that reads one of them is reported as not part of
-- this version; any other missing table is a violation.
-- @LATER tournaments tournament_points tournament_winners tournament_entries

-- @I1 Chances are never negative, and used plus remaining is what was granted.
select id from spin_chances
where (used_chances >= 0 and remaining_chances >= 0 and used_chances + remaining_chances = chance_count) is not true;

-- @I2 A player used as many chances as there are spins of that player that stand.
select tenant_id, user_id, chances.used, spins.standing
from (select tenant_id, user_id, sum(used_chances) as used from spin_chances group by tenant_id, user_id) chances
full join (select tenant_id, user_id, count(*) as standing from spin_sessions
           where spin_status is distinct from 'voided' group by tenant_id, user_id) spins using (tenant_id, user_id)
where coalesce(chances.used, 0) <> coalesce(spins.standing, 0);

-- @I2 A grant was used as often as standing spins name it.
select c.id, c.used_chances, count(s.id) as spins
from spin_chances c
left join spin_sessions s on s.chance_id = c.id and s.spin_status is distinct from 'voided'
group by c.id, c.used_chances
having c.used_chances <> count(s.id);

-- @I2 A standing spin was paid by a grant of the same player that had not expired.
select s.id
from spin_sessions s
left join spin_chances c on c.id = s.chance_id
where s.spin_status is distinct from 'voided'
  and (c.id is null or c.tenant_id <> s.tenant_id or c.user_id <> s.user_id or s.spin_started_at >= c.expires_at);

-- @I3 A completed spin has exactly one result, any other spin none.
select s.id, s.spin_status, count(r.id) as results
from spin_sessions s
left join spin_results r on r.spin_session_id = s.id
group by s.id, s.spin_status
having count(r.id) <> case s.spin_status when 'completed' then 1 else 0 end;

-- @I4 The nonces of a seed are 0, 1, 2, ... without gap or repeat: a gap is a discarded outcome.
select seed_id, count(*) as draws, min(nonce) as first, max(nonce) as last
from spin_results
group by seed_id
having seed_id is null or min(nonce) <> 0 or max(nonce) + 1 <> count(*) or count(distinct nonce) <> count(*);

-- @I4 A pair's counter is the number of its results: the last outcome was not discarded either.
select f.id, f.next_nonce, coalesce(r.draws, 0) as draws
from fair_seeds f
left join (select tenant_id, seed_id, count(*) as draws from spin_results group by tenant_id, seed_id) r
  on r.tenant_id = f.tenant_id and r.seed_id = f.id
where f.kind = 'wheel' and f.next_nonce <> coalesce(r.draws, 0);

-- @I5 A seed is committed before its first use, and nothing is drawn from it after its reveal.
select r.id, f.id as seed_id
from spin_results r
left join fair_seeds f on f.id = r.seed_id
where (f.committed_at < r.result_timestamp) is not true or r.result_timestamp > f.revealed_at;

-- @I6 The ranges of a published version begin at 0 and follow each other without gap or overlap.
select wheel_game_id, config_version, range_start, range_end
from (select wheel_game_id, config_version, range_start, range_end,
             lag(range_end) over (partition by wheel_game_id, config_version order by range_start) as before
      from wheel_rewards_history) w
where (range_end >= range_start and range_start = coalesce(before + 1, 0)) is not true;

-- @I6 The probabilities of a published version add up to exactly 1.
select wheel_game_id, config_version, sum(probability) as total
from wheel_rewards_history
group by wheel_game_id, config_version
having sum(probability) is distinct from 1;

-- @I6 A roll lies in the range of the reward it gave, in the version that the spin was played under.
select r.id, r.roll, w.range_start, w.range_end
from spin_results r
left join wheel_rewards_history w on w.id = r.wheel_reward_id and w.config_version = r.config_version
where (r.roll between w.range_start and w.range_end) is not true;

-- @I7 No prize is given out beyond the stock that was put up.
select p.id, p.stock
from gamification_prizes p
join (select tenant_id, prize_id, count(*) as won
      from (select tenant_id, prize_id from gamification_game_plays where is_winner and bundle_play_id is null
            union all select tenant_id, prize_id from mystery_results) w
      group by tenant_id, prize_id) g
  on g.tenant_id = p.tenant_id and g.prize_id = p.id
where g.won > p.stock;

-- @I8 Tickets sold are the tickets that exist and were not refunded, within the total, each number once.
select c.id, c.sold_tickets, count(t.id) as tickets
from raffle_campaigns c
left join raffle_tickets t on t.raffle_campaign_id = c.id and t.ticket_status is distinct from 'refunded'
group by c.id, c.sold_tickets, c.total_tickets
having count(t.id) is distinct from c.sold_tickets or c.sold_tickets > c.total_tickets
    or count(distinct t.ticket_number) <> count(t.id);

-- @I9 No ticket is sold outside the sales window, or at or after the first freeze of the ticket list.
select t.id
from raffle_tickets t
join raffle_campaigns c on c.id = t.raffle_campaign_id
left join raffle_draws d on d.raffle_campaign_id = c.id
where (t.ticket_purchased_at between c.start_time and c.end_time) is not true or t.ticket_purchased_at >= d.frozen_at;

-- @I10 The rows of a finished draw are different tickets of its campaign, owned by the named user before the freeze.
select d.id
from raffle_draws d
left join raffle_winners w on w.raffle_draw_id = d.id
left join raffle_tickets t on t.id = w.raffle_ticket_id
where d.draw_status in ('completed', 'drawn', 'settled')
group by d.id
having count(distinct w.raffle_ticket_id) <> count(w.id)
    or bool_or(w.id is not null and (t.raffle_campaign_id = d.raffle_campaign_id and t.user_id = w.user_id
                                     and t.tenant_id = w.tenant_id and t.ticket_purchased_at < d.frozen_at) is not true);

-- @I10 A finished draw has the stated number of winners, as far as its list and its alternates reach.
-- The list is that of the draw: people who are on it once, and whom a rule left out, make it shorter than the tickets.
select id, wanted, all_rows, forfeited, standing
from (select d.id,
             least(d.winning_tickets, case when c.campaign_config->>'repeat_winners' = 'false' then l.entrants else l.entries end) as wanted,
             count(w.id) as all_rows,
             count(w.id) filter (where w.winner_status = 'forfeited') as forfeited,
             count(w.id) filter (where coalesce(w.winner_status, '') not in ('alternate', 'forfeited')) as standing
      from raffle_draws d
      join raffle_campaigns c on c.id = d.raffle_campaign_id
      cross join lateral (select count(*) as entries, count(distinct e.user_id) as entrants
                          from draw_entries e where e.tenant_id = d.tenant_id and e.draw_id = d.id) l
      left join raffle_winners w on w.raffle_draw_id = d.id
      where d.draw_status in ('completed', 'drawn', 'settled')
      group by d.id, d.winning_tickets, c.campaign_config->>'repeat_winners', l.entries, l.entrants) x
where all_rows < wanted or standing is distinct from least(wanted, all_rows - forfeited);

-- @I10 A campaign has one finished draw per name.
select raffle_campaign_id, draw_name
from raffle_draws
where draw_status in ('completed', 'drawn', 'settled')
group by raffle_campaign_id, draw_name
having count(*) > 1;

-- @I11 The state of a prize and its time stamps agree.
select id, prize_status
from gamification_game_plays
where coalesce(prize_status = 'applied', false) <> (applied_at is not null and applied_to_order_id is not null)
   or (prize_status in ('unlocked', 'applied') and unlocked_at is null)
   or (is_winner is not true and prize_id is not null)
   or applied_at < unlocked_at
   or unlocked_at < created_at;

-- @I11 A prize has at most one application that stands.
select play_id
from prize_applications
where rolled_back_at is null
group by play_id
having count(*) > 1;

-- @I11 An applied prize has an application that stands, and no other prize has one.
select g.id as play_id, g.prize_status, a.play_id as applied_play
from (select id, prize_status from gamification_game_plays where prize_status = 'applied') g
full join (select distinct play_id from prize_applications where rolled_back_at is null) a on a.play_id = g.id
where g.id is null or a.play_id is null;

-- @I11 A prize code is unique in its tenant, whatever its case.
select tenant_id, lower(prize_code) as code
from gamification_game_plays
where prize_code is not null
group by tenant_id, lower(prize_code)
having count(*) > 1;

-- @I12 Nothing is applied after expiry plus grace.
select id
from gamification_game_plays
where applied_at > expires_at + make_interval(hours => coalesce(grace_hours, 0));

-- @I13 A prize took legal steps only, each from where the last one ended, as the audit log tells it.
select entity_id, seq, action, before, new_values->>'prize_status' as after
from (select entity_id, seq, action, old_values, new_values,
             lag(new_values->>'prize_status') over (partition by tenant_id, entity_id order by seq) as before
      from audit_logs
      where entity_type = 'game_play' and new_values ? 'prize_status') a
where before is distinct from old_values->>'prize_status'
   or not ((coalesce(before, '-'), coalesce(new_values->>'prize_status', '-')) in
             (('-', 'locked'), ('-', 'unlocked'), ('locked', 'unlocked'), ('locked', 'expired'),
              ('unlocked', 'applied'), ('unlocked', 'expired'))
           or (action is not distinct from 'rollback' and before = 'applied'
               and coalesce(new_values->>'prize_status', '-') in ('unlocked', 'expired')));

-- @I13 A prize is in the state that the audit log named last.
select g.id, g.prize_status, a.named_last
from gamification_game_plays g
left join (select distinct on (tenant_id, entity_id) tenant_id, entity_id, new_values->>'prize_status' as named_last
           from audit_logs
           where entity_type = 'game_play' and new_values ? 'prize_status'
           order by tenant_id, entity_id, seq desc) a on a.tenant_id = g.tenant_id and a.entity_id = g.uuid
where g.prize_status is distinct from a.named_last;

-- @I14 The audit chain of a tenant is 1, 2, 3, ..., and each row names the hash of the row before it.
select id, tenant_id, seq
from (select id, tenant_id, seq, prev_hash, hash, lag(hash) over chain as hash_before, lag(seq) over chain as seq_before
      from audit_logs
      window chain as (partition by tenant_id order by seq)) a
where hash is null or prev_hash is distinct from hash_before or (seq = coalesce(seq_before, 0) + 1) is not true;

-- @I14 The audit chain ends where its head says: no row was cut off its end.
select h.tenant_id, h.audit_seq, last.seq
from tenant_heads h
left join lateral (select seq, hash from audit_logs a where a.tenant_id = h.tenant_id order by seq desc limit 1) last on true
where h.audit_seq <> coalesce(last.seq, 0) or h.audit_hash is distinct from last.hash;

-- @I15 A transfer nets to zero in each currency.
select txn_id, currency, sum(amount_minor) as net
from ledger_postings
group by txn_id, currency
having sum(amount_minor) is distinct from 0;

-- @I15 A balance is the sum of its postings and not below its floor.
select a.id, a.balance_minor, coalesce(sum(p.amount_minor), 0) as postings
from ledger_accounts a
left join ledger_postings p on p.account_id = a.id
group by a.id, a.balance_minor, a.floor_minor
having a.balance_minor is distinct from coalesce(sum(p.amount_minor), 0) or (a.balance_minor >= a.floor_minor) is not true;

-- @L12 The balances of a tenant add up to zero in each currency: nothing was made or lost.
select tenant_id, currency, sum(balance_minor) as net
from ledger_accounts
group by tenant_id, currency
having sum(balance_minor) <> 0;

-- @L13 Along an account each posting begins with the balance that the one before left.
select account_id, id, amount_minor, balance_before, balance_after_minor
from (select account_id, id, amount_minor, balance_after_minor,
             coalesce(lag(balance_after_minor) over (partition by tenant_id, account_id order by id), 0) as balance_before
      from ledger_postings) p
where balance_before + amount_minor <> balance_after_minor;

-- @L14 A transfer has the number of postings that it began with.
select t.id, t.posting_count, count(p.id) as postings
from ledger_transfers t
left join ledger_postings p on p.tenant_id = t.tenant_id and p.txn_id = t.id
group by t.tenant_id, t.id, t.posting_count
having count(p.id) <> t.posting_count or count(p.id) < 2;

-- @L15 An obligation was met once.
select tenant_id, obligation
from ledger_transfers
group by tenant_id, obligation
having count(*) > 1;

-- @L16 A transfer is in the audit chain, exactly once, with the hash of what it moved.
select t.id, t.obligation, a.entries
from ledger_transfers t
left join (select p.tenant_id, p.txn_id,
                  string_agg(format('%s %s %s %s', a.account_kind, p.currency, p.amount_minor, to_json(a.owner_id)), e'\n'
                             order by p.account_id) as lines
           from ledger_postings p
           join ledger_accounts a on a.tenant_id = p.tenant_id and a.id = p.account_id
           group by p.tenant_id, p.txn_id) p on p.tenant_id = t.tenant_id and p.txn_id = t.id
left join (select tenant_id, entity_id, count(*) as entries, min(new_values->>'content_hash') as content_hash,
                  min(new_values->>'obligation') as obligation
           from audit_logs where entity_type = 'ledger_transfer' group by tenant_id, entity_id) a
  on a.tenant_id = t.tenant_id and a.entity_id = t.id
where (a.entries = 1 and a.content_hash = t.content_hash and a.obligation = t.obligation
       and t.content_hash = encode(sha256(convert_to(
             concat_ws(e'\n', 'livedraw/ledger/1', t.transfer_type, coalesce(t.corrects_id::text, '-'), p.lines), 'UTF8')), 'hex')) is not true;

-- @L16 A transfer that the audit chain names is still in the ledger.
select a.tenant_id, a.entity_id
from audit_logs a
left join ledger_transfers t on t.tenant_id = a.tenant_id and t.id = a.entity_id
where a.entity_type = 'ledger_transfer' and t.id is null;

-- @L17 Of a transfer that was taken back nothing stands, in any account.
select t.tenant_id, coalesce(t.corrects_id, t.id) as transfer_id, p.account_id, sum(p.amount_minor) as standing
from ledger_transfers t
join ledger_postings p on p.tenant_id = t.tenant_id and p.txn_id = t.id
where exists (select from ledger_transfers r where r.is_reversal and r.corrects_id = coalesce(t.corrects_id, t.id))
group by t.tenant_id, coalesce(t.corrects_id, t.id), p.account_id
having sum(p.amount_minor) <> 0;

-- @L18 Only the house, and an account that an approved correction left in debt, may go below zero.
select a.id, a.account_kind, a.floor_minor
from ledger_accounts a
where a.account_kind <> 'house' and a.floor_minor < 0
  and (a.floor_minor = a.balance_minor
       and exists (select from ledger_postings p
                   join ledger_transfers t on t.tenant_id = p.tenant_id and t.id = p.txn_id
                   where p.tenant_id = a.tenant_id and p.account_id = a.id and t.approved_by is not null)) is not true;

-- @I16 A discount is not negative, is within its cap, and makes up the order together with what is left to pay.
select id, order_minor, discount_minor, final_minor
from prize_applications
where discount_minor < 0 or final_minor < 0 or final_minor + discount_minor <> order_minor
   or discount_minor > max_discount_minor;

-- @I17 A key exists once per tenant, principal and endpoint.
select tenant_id, principal, endpoint, key
from idempotency_keys
group by tenant_id, principal, endpoint, key
having count(*) > 1;

-- @I17 No request is in progress past its lease.
select tenant_id, principal, endpoint, key
from idempotency_keys
where state = 'in_progress' and (locked_until >= now()) is not true;

-- @I17 A request that is done has the status, the answer and the hash that a repeat is answered with.
select tenant_id, principal, endpoint, key
from idempotency_keys
where state = 'done' and (status between 200 and 599 and answer is not null and length(request_hash) = 64) is not true;

-- @I18 The points of a standing are the sum of the player's point records.
select w.id, w.total_points
from tournament_winners w
join tournaments t on t.id = w.tournament_id
where coalesce(t.tournament_config->>'operator', 'incr') = 'incr'
  and w.total_points is distinct from
      (select coalesce(sum(p.points_earned), 0) from tournament_points p
       where p.tournament_id = w.tournament_id and p.user_id = w.user_id);

-- @I18 Seats are within the maximum and equal to the entries that were not withdrawn.
select t.id, t.current_participants, t.max_participants
from tournaments t
where t.current_participants > t.max_participants
   or t.current_participants is distinct from
      (select count(*) from tournament_entries e where e.tournament_id = t.id and e.status is distinct from 'withdrawn');

-- @I18 Ranks are 1, 2, 3, ..., each once, and never put fewer points above more.
select x.id, x.tournament_id, x.winner_rank
from (select id, tournament_id, winner_rank, total_points,
             row_number() over ranks as place, lag(total_points) over ranks as above
      from tournament_winners
      window ranks as (partition by tournament_id order by winner_rank)) x
left join tournaments t on t.id = x.tournament_id
where x.place is distinct from x.winner_rank
   or (x.total_points > x.above and coalesce(t.tournament_config->>'sort_order', 'desc') = 'desc');

-- @I18 No points are earned after the end of a tournament.
select p.id
from tournament_points p
join tournaments t on t.id = p.tournament_id
where (p.points_earned_at <= t.end_time) is not true;

-- @I19 A source awards a player of a tournament once.
select source_type, source_id, tournament_id, user_id
from tournament_points
group by source_type, source_id, tournament_id, user_id
having count(*) > 1;

-- @I20 No row refers to a row of another tenant, by any foreign key that the catalogue knows.
select conname, child, parent, bad_rows
from (select con.conname, con.conrelid::regclass as child, con.confrelid::regclass as parent,
             substring(query_to_xml(format(
               'select count(*) as n from %s c join %s p on %s where c.tenant_id is distinct from p.tenant_id',
               con.conrelid::regclass, con.confrelid::regclass,
               (select string_agg(format('c.%I = p.%I', ca.attname, pa.attname), ' and ')
                from unnest(con.conkey, con.confkey) as k(child_no, parent_no)
                join pg_attribute ca on ca.attrelid = con.conrelid and ca.attnum = k.child_no
                join pg_attribute pa on pa.attrelid = con.confrelid and pa.attnum = k.parent_no
                where ca.attname <> 'tenant_id')),
               false, true, '')::text from '<n>([0-9]+)</n>')::bigint as bad_rows
      from pg_constraint con
      where con.contype = 'f'
        and exists (select from pg_attribute a where a.attrelid = con.conrelid and a.attname = 'tenant_id' and not a.attisdropped)
        and exists (select from pg_attribute a where a.attrelid = con.confrelid and a.attname = 'tenant_id' and not a.attisdropped)
        -- The tenant is left out of the join, or a composite key could never disagree. That needs the rest of the key
        -- to name one row by itself: a uuid, or a key of one column.
        and exists (select from unnest(con.confkey) as k(no)
                    join pg_attribute pa on pa.attrelid = con.confrelid and pa.attnum = k.no
                    where pa.attname <> 'tenant_id'
                      and (pa.atttypid = 'uuid'::regtype
                           or exists (select from pg_constraint key where key.conrelid = con.confrelid
                                      and key.contype = 'p' and key.conkey = array[k.no])))) x
where bad_rows is distinct from 0;

-- @I20 A composite foreign key has its parent in the same tenant, also if its constraint was switched off for a while.
select conname, child, parent, orphans
from (select con.conname, con.conrelid::regclass as child, con.confrelid::regclass as parent,
             substring(query_to_xml(format(
               'select count(*) as n from %s c where %s and not exists (select from %s p where %s)',
               con.conrelid::regclass,
               (select string_agg(format('c.%I is not null', ca.attname), ' and ')
                from unnest(con.conkey) as k(no) join pg_attribute ca on ca.attrelid = con.conrelid and ca.attnum = k.no),
               con.confrelid::regclass,
               (select string_agg(format('c.%I = p.%I', ca.attname, pa.attname), ' and ')
                from unnest(con.conkey, con.confkey) as k(child_no, parent_no)
                join pg_attribute ca on ca.attrelid = con.conrelid and ca.attnum = k.child_no
                join pg_attribute pa on pa.attrelid = con.confrelid and pa.attnum = k.parent_no)),
               false, true, '')::text from '<n>([0-9]+)</n>')::bigint as orphans
      from pg_constraint con
      where con.contype = 'f' and con.conparentid = 0) x
where orphans is distinct from 0;

-- @I21 Every table with a tenant is under row-level security, forced, with the policies of the application and the auditor.
select c.relname, c.relrowsecurity, c.relforcerowsecurity
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and (c.relname = 'tenants'
       or exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped))
  and not (c.relrowsecurity and c.relforcerowsecurity
           and exists (select from pg_policies p
                       where p.schemaname = 'public' and p.tablename = c.relname and p.roles = '{livedraw_app}' and p.cmd = 'ALL'
                         and p.qual ~ 'app_tenant_id\(\)' and p.with_check ~ 'app_tenant_id\(\)')
           and not exists (select from pg_policies p
                           where p.schemaname = 'public' and p.tablename = c.relname
                             and p.roles && '{livedraw_app,public}' and p.qual !~ 'app_tenant_id\(\)')
           and exists (select from pg_policies p
                       where p.schemaname = 'public' and p.tablename = c.relname and p.roles = '{livedraw_auditor}'
                         and p.cmd = 'SELECT' and p.qual = 'true'));

-- @I21 The application's role is no superuser, passes no policy, owns nothing, and belongs to no other role.
select r.rolname
from pg_roles r
where r.rolname = 'livedraw_app'
  and (r.rolsuper or r.rolbypassrls or r.rolcreatedb or r.rolcreaterole or r.rolreplication
       or exists (select from pg_class c where c.relowner = r.oid)
       or exists (select from pg_proc p where p.proowner = r.oid)
       or exists (select from pg_namespace n where n.nspowner = r.oid)
       or exists (select from pg_auth_members m where m.member = r.oid));

-- @I21 Nobody but its owner may truncate a table, and the auditor may only read.
select c.relname, coalesce(g.rolname, 'public') as grantee, acl.privilege_type
from pg_class c
cross join lateral aclexplode(c.relacl) acl
left join pg_roles g on g.oid = acl.grantee
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and acl.grantee <> c.relowner
  and (acl.privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN') or acl.grantee = 0
       or (g.rolname = 'livedraw_auditor' and acl.privilege_type <> 'SELECT'));

-- @I21 Only the listed functions run with the rights of their owner, and each of them with a search path of its own.
select p.proname
from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.prosecdef
  and (p.proname not in ('tenant_directory', 'add_job', 'drop_job') or not coalesce(p.proconfig::text ~ 'search_path=', false));

-- @I21 No view shows the application more than its policies do.
select c.relname
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm')
  and has_table_privilege('livedraw_app', c.oid, 'select')
  and (c.relkind = 'm' or not coalesce(c.reloptions @> '{security_invoker=true}', false));

-- @I23 No spin is stuck half done for more than a minute.
select id, spin_started_at
from spin_sessions
where spin_status = 'started' and spin_started_at < now() - interval '1 minute';

-- @L1 The events of a game are 1, 2, 3, ... up to its head: a follower that sees no gap missed nothing.
select coalesce(e.tenant_id, h.tenant_id) as tenant_id, coalesce(e.game_id, h.game_id) as game_id, e.events, e.last, h.last_seq
from (select tenant_id, game_id, count(*) as events, min(game_seq) as first, max(game_seq) as last,
             count(distinct game_seq) as numbers
      from game_events group by tenant_id, game_id) e
full join game_heads h on h.tenant_id = e.tenant_id and h.game_id = e.game_id
where (coalesce(e.events, 0) = h.last_seq and coalesce(e.last, 0) = h.last_seq
       and coalesce(e.first, 1) = 1 and coalesce(e.numbers, 0) = h.last_seq) is not true;

-- @L2 The public log of a tenant is 0, 1, 2, ... and ends where its head says.
select h.tenant_id, h.log_size, l.events, l.last
from tenant_heads h
left join (select tenant_id, count(*) as events, max(seq) as last from fair_log group by tenant_id) l using (tenant_id)
where h.log_size <> coalesce(l.events, 0) or h.log_size <> coalesce(l.last + 1, 0)
   or h.log_hash is distinct from coalesce((select row_hash from fair_log f where f.tenant_id = h.tenant_id order by seq desc limit 1),
                                           repeat('0', 64));

-- @L2 Every event, audit row and row of the public log belongs to a tenant.
select r.of_table, r.tenant_id
from (select distinct 'game_events' as of_table, tenant_id from game_events
      union all select distinct 'audit_logs', tenant_id from audit_logs
      union all select distinct 'fair_log', tenant_id from fair_log) r
left join tenants t on t.id = r.tenant_id
where t.id is null;

-- @L3 A commitment is an event of the public log, exactly once.
select c.commit_hash, count(l.seq) as events
from fair_commitments c
left join fair_log l on l.tenant_id = c.tenant_id and l.commit_hash = c.commit_hash and l.type = 'commit'
group by c.commit_hash
having count(l.seq) <> 1;

-- @L4 A result is an event of the public log with the same nonce, exactly once, and nothing else is.
select f.commit_hash, r.nonce, l.seq
from (select id, tenant_id, seed_id, nonce from spin_results
      union all select id, tenant_id, seed_id, nonce from mystery_results) r
join fair_seeds f on f.tenant_id = r.tenant_id and f.id = r.seed_id
full join (select tenant_id, commit_hash, nonce, min(seq) as seq, count(*) as events
           from fair_log where type = 'spin' group by tenant_id, commit_hash, nonce) l
  on l.tenant_id = f.tenant_id and l.commit_hash = f.commit_hash and l.nonce = r.nonce
where r.id is null or l.events is distinct from 1;

-- @L5 A revealed seed is an event of the public log with that seed and the number of its outcomes, exactly once.
select f.commit_hash, f.next_nonce
from fair_seeds f
left join (select tenant_id, commit_hash, count(*) as events, min(event::jsonb->>'serverSeed') as server_seed,
                  min((event::jsonb->>'count')::bigint) as outcomes
           from fair_log where type = 'reveal' group by tenant_id, commit_hash) l using (tenant_id, commit_hash)
where case f.seed_status
        when 'revealed' then (l.events = 1 and l.server_seed = f.server_seed
                              and (f.kind not in ('wheel', 'mystery') or l.outcomes = f.next_nonce)) is not true
        else coalesce(l.events, 0) <> 0
      end;

-- @L6 The server seed of a pair that is still in use stands nowhere in the clear.
select id from fair_seeds where seed_status <> 'revealed' and server_seed is not null;

-- @L7 A finished spin left a play in the wallet, and the play names that spin.
select s.id, count(g.id) as plays
from spin_sessions s
left join gamification_game_plays g
  on g.tenant_id = s.tenant_id and g.event_id = s.id and coalesce(g.won_by, g.user_id) = s.user_id and g.bundle_play_id is null
where s.spin_status = 'completed'
group by s.id
having count(g.id) <> 1;

-- @I32 The plays and wins of an hour that is counted no more are those of its rows.
-- The last hour that was rolled up and the one before it are counted again next time.
select tenant_id, game_id, hour, a.plays as told_plays, p.plays, a.wins as told_wins, p.wins
from (select tenant_id, source_game as game_id, metric_timestamp as hour, max(metric_value) filter (where metric_name = 'plays') as plays,
             max(metric_value) filter (where metric_name = 'wins') as wins
      from game_analytics where analytics_type = 'hourly' group by tenant_id, source_game, metric_timestamp) a
full join (select tenant_id, game_id::text as game_id, date_trunc('hour', created_at, 'UTC') as hour, count(*) as plays,
                  count(*) filter (where is_winner) as wins
           from gamification_game_plays where bundle_play_id is null group by 1, 2, 3) p using (tenant_id, game_id, hour)
join (select tenant_id, max(metric_timestamp) - interval '1 hour' as closed
      from game_analytics where analytics_type = 'hourly' group by tenant_id) l using (tenant_id)
where hour < l.closed and (a.plays = p.plays and a.wins = p.wins) is not true;

-- @L32 The history of a prize is one chain of legal moves, each from where the last one ended.
select tenant_id, play_id, id, before, from_status, to_status
from (select tenant_id, play_id, id, from_status, to_status,
             lag(to_status) over (partition by tenant_id, play_id order by id) as before
      from prize_history) h
where (from_status = before or before is null and from_status in ('locked', 'unlocked')) is not true
   or (from_status, to_status) not in (('locked', 'unlocked'), ('locked', 'expired'), ('unlocked', 'applied'),
                                       ('unlocked', 'expired'), ('applied', 'unlocked'), ('applied', 'expired'));

-- @L32 A prize is where its history ended, and one without any is as it began.
select g.id, g.prize_status, h.to_status
from gamification_game_plays g
left join (select distinct on (tenant_id, play_id) tenant_id, play_id, to_status
           from prize_history order by tenant_id, play_id, id desc) h on h.tenant_id = g.tenant_id and h.play_id = g.id
where case when h.to_status is null then coalesce(g.prize_status, 'locked') in ('locked', 'unlocked')
           else g.prize_status = h.to_status end is not true;

-- @L33 A prize was applied, and came back, as often as its applications say.
select coalesce(h.play_id, a.play_id) as play_id, h.applied, a.applications, h.back, a.taken_back
from (select tenant_id, play_id, count(*) filter (where to_status = 'applied') as applied,
             count(*) filter (where from_status = 'applied') as back
      from prize_history group by tenant_id, play_id) h
full join (select tenant_id, play_id, count(*) as applications, count(rolled_back_at) as taken_back
           from prize_applications group by tenant_id, play_id) a using (tenant_id, play_id)
where coalesce(h.applied, 0) <> coalesce(a.applications, 0) or coalesce(h.back, 0) <> coalesce(a.taken_back, 0);

-- @L31 A prize whose payout waits for a review, or was refused by one, is not applied.
select r.play_id, r.alert_id
from prize_reviews r
join gamification_game_plays p on p.tenant_id = r.tenant_id and p.id = r.play_id
where r.decision is distinct from 'released' and p.prize_status = 'applied';

-- @L30 The counts of a user's wallet and inbox are those of the rows, and no deadline comes before the noted one.
select coalesce(t.tenant_id, h.tenant_id) as tenant_id, coalesce(t.user_id, h.user_id) as user_id, h.version
from (select tenant_id, user_id, count(*) filter (where prize_status = 'locked') as locked,
             count(*) filter (where prize_status = 'unlocked') as unlocked,
             count(*) filter (where prize_status = 'applied') as applied,
             count(*) filter (where prize_status = 'expired') as expired,
             min(expires_at + make_interval(hours => grace_hours)) filter (where prize_status in ('locked', 'unlocked')) as deadline
      from gamification_game_plays where is_winner group by tenant_id, user_id) t
full join inbox_heads h on h.tenant_id = t.tenant_id and h.user_id = t.user_id
left join (select tenant_id, user_id, count(*) as notes from notifications where read_at is null group by tenant_id, user_id) u
  on u.tenant_id = h.tenant_id and u.user_id = h.user_id
where (h.locked_count = coalesce(t.locked, 0) and h.unlocked_count = coalesce(t.unlocked, 0)
       and h.applied_count = coalesce(t.applied, 0) and h.expired_count = coalesce(t.expired, 0)
       and h.unread_count = coalesce(u.notes, 0)
       and (t.deadline is null or h.next_deadline <= t.deadline)) is not true;

-- @W1 What counts as delivered was answered with 2xx after its last replay.
select d.id
from webhook_deliveries d
where d.delivery_status = 'delivered'
  and not exists (select from webhook_attempts a
                  where a.tenant_id = d.tenant_id and a.delivery_id = d.id
                    and a.attempt_no > d.attempts_before and a.status_code between 200 and 299);

-- @W2 An attempt of the log belongs to a delivery that began at least so many.
select a.delivery_id, a.attempt_no, d.attempt_count
from webhook_attempts a
left join webhook_deliveries d on d.tenant_id = a.tenant_id and d.id = a.delivery_id
where (a.attempt_no <= d.attempt_count) is not true;

-- @W3 An event tells nothing of a prize that was never opened, and of no prize its code.
select o.id
from outbox o
join gamification_game_plays p on p.tenant_id = o.tenant_id and p.id = (o.data ->> 'play_id')::bigint
where (p.unlocked_at is null and o.data -> 'prize' is distinct from 'null'::jsonb)
   or (p.prize_code is not null and position(p.prize_code in o.data::text) > 0);

-- @E1 The owners of a prize are one chain, from its winner to the one who has it, and each change is by a deal of the two.
select t.tenant_id, t.play_id, t.from_user_id, t.to_user_id
from (select x.*, lag(to_user_id) over chain as owner_before, lead(from_user_id) over chain as next_from
      from prize_transfers x
      window chain as (partition by tenant_id, play_id order by id)) t
left join gamification_game_plays p on p.tenant_id = t.tenant_id and p.id = t.play_id
left join prize_deals d on d.tenant_id = t.tenant_id and d.id = t.deal_id
left join prize_deal_items i on i.tenant_id = t.tenant_id and i.deal_id = t.deal_id and i.play_id = t.play_id
where (t.from_user_id = coalesce(t.owner_before, p.won_by)
       and (t.next_from is not null or t.to_user_id = p.user_id)
       and d.deal_status = 'accepted' and d.deal_kind = t.why and d.closed_at = t.moved_at
       and (t.from_user_id, t.to_user_id) = (case i.side when 'give' then d.offered_by else d.taken_by end,
                                             case i.side when 'give' then d.taken_by else d.offered_by end)) is not true;

-- @E1 A prize that was received has a change of owner, and one that was not has none.
select p.tenant_id, p.id
from gamification_game_plays p
left join (select tenant_id, play_id, max(moved_at) as moved_at from prize_transfers group by tenant_id, play_id) t
  on t.tenant_id = p.tenant_id and t.play_id = p.id
where p.received_at is distinct from t.moved_at or (p.won_by is null) <> (t.play_id is null);

-- @E2 What is in escrow is neither used nor over, and its deal is open, names it, and ends when the escrow does.
select p.tenant_id, p.id, p.prize_status, d.deal_status
from gamification_game_plays p
left join prize_deals d on d.tenant_id = p.tenant_id and d.id = p.escrow_id
left join prize_deal_items i on i.tenant_id = p.tenant_id and i.deal_id = p.escrow_id and i.play_id = p.id
where p.escrow_id is not null
  and (p.prize_status in ('locked', 'unlocked') and d.deal_status = 'open' and d.deal_kind = p.escrow_kind
       and d.expires_at = p.escrow_until and d.offered_by = p.user_id and i.side = 'give') is not true;

-- @E2 An open deal holds every prize that it gives, until it has lapsed or the prize is over.
select d.tenant_id, d.id, i.play_id
from prize_deals d
join prize_deal_items i on i.tenant_id = d.tenant_id and i.deal_id = d.id and i.side = 'give'
left join gamification_game_plays p on p.tenant_id = i.tenant_id and p.id = i.play_id
where d.deal_status = 'open'
  and (p.escrow_id = d.id or p.prize_status = 'expired' or p.updated_at >= d.expires_at) is not true;

-- @E2 An accepted deal handed over everything that it names.
select d.tenant_id, d.id, i.play_id
from prize_deals d
join prize_deal_items i on i.tenant_id = d.tenant_id and i.deal_id = d.id
left join prize_transfers t on t.tenant_id = i.tenant_id and t.deal_id = i.deal_id and t.play_id = i.play_id
where (d.deal_status = 'accepted') <> (t.id is not null);

-- @E3 A sale moved its price once: from the buyer through the escrow, less the fee of its listing, to the seller.
select d.tenant_id, d.id, d.price_minor, m.paid, m.got, m.fee, m.held
from prize_deals d
left join (select t.tenant_id, split_part(t.obligation, ':', 2) as deal_id,
                  min(p.amount_minor) filter (where t.transfer_type = 'listing.paid' and a.account_kind = 'wallet_credit') as paid,
                  min(a.owner_id) filter (where t.transfer_type = 'listing.paid' and a.account_kind = 'wallet_credit') as buyer,
                  coalesce(min(p.amount_minor) filter (where t.transfer_type = 'listing.settled' and a.account_kind = 'wallet_credit'), 0) as got,
                  min(a.owner_id) filter (where t.transfer_type = 'listing.settled' and a.account_kind = 'wallet_credit') as seller,
                  coalesce(min(p.amount_minor) filter (where a.account_kind = 'fee'), 0) as fee,
                  sum(p.amount_minor) filter (where a.account_kind = 'escrow') as held,
                  count(distinct t.id) as transfers
           from ledger_transfers t
           join ledger_postings p on p.tenant_id = t.tenant_id and p.txn_id = t.id
           join ledger_accounts a on a.tenant_id = p.tenant_id and a.id = p.account_id
           where t.transfer_type in ('listing.paid', 'listing.settled')
           group by t.tenant_id, split_part(t.obligation, ':', 2)) m on m.tenant_id = d.tenant_id and m.deal_id = d.id::text
where d.deal_kind = 'listing'
  and case d.deal_status
        when 'accepted' then (m.transfers = 2 and m.paid = -d.price_minor and m.buyer = d.taken_by and m.seller = d.offered_by
                              and m.got + m.fee = d.price_minor and m.held = 0
                              and abs(m.fee * 10000 - d.price_minor * d.fee_bps) < 10000) is not true
        else m.transfers is not null
      end;

-- @E3 The escrow of a listing holds nothing when nobody is buying.
select tenant_id, owner_id, balance_minor from ledger_accounts
where account_kind = 'escrow' and owner_id like 'listing:%' and balance_minor <> 0;

-- @E4 A card is that of the one who has the prize.
select s.tenant_id, s.id, s.play_id
from prize_shares s
left join gamification_game_plays p on p.tenant_id = s.tenant_id and p.id = s.play_id
where s.revoked_at is null and (p.user_id = s.shared_by) is not true;

-- @E5 A grant left a play of its prize with its user, who may have passed it on.
select g.tenant_id, g.id, g.play_id
from prize_grants g
left join gamification_game_plays p on p.tenant_id = g.tenant_id and p.id = g.play_id
where (p.prize_id = g.prize_id and p.event_id = g.id and coalesce(p.won_by, p.user_id) = g.user_id) is not true;

-- @E5 A campaign counts the grants that it made and what they cost, within its limits.
select c.tenant_id, c.id, c.granted_count, g.grants, c.spent_minor, g.cost
from prize_campaigns c
left join (select tenant_id, campaign_id, count(*) as grants, sum(cost_minor) as cost
           from prize_grants where campaign_id is not null group by tenant_id, campaign_id) g
  on g.tenant_id = c.tenant_id and g.campaign_id = c.id
where c.granted_count <> coalesce(g.grants, 0) or c.spent_minor <> coalesce(g.cost, 0)
   or c.granted_count > c.grants_max or c.spent_minor > c.budget_minor;

-- @E6 Nobody was brought by somebody whom he brought, directly or through others.
select tenant_id, user_id
from (select r.tenant_id, r.user_id from referrals r where r.user_id = r.referrer_id
      union
      select looped.tenant_id, looped.user_id
      from (with recursive chain (tenant_id, user_id, ancestor) as (
              select tenant_id, user_id, referrer_id from referrals
              union
              select chain.tenant_id, chain.user_id, up.referrer_id
              from chain join referrals up on up.tenant_id = chain.tenant_id and up.user_id = chain.ancestor)
            select * from chain) looped
      where looped.user_id = looped.ancestor) x;

-- @E6 A referral was awarded once, to the one who brought, by the grant of its campaign.
select r.tenant_id, r.id, r.play_id
from referrals r
left join prize_grants g on g.tenant_id = r.tenant_id and g.source = 'referral' and g.source_id = r.id::text
where case r.referral_status
        when 'awarded' then (g.user_id = r.referrer_id and g.play_id = r.play_id and g.campaign_id = r.campaign_id) is not true
        else g.id is not null
      end;

-- @P1 A mystery that was opened was drawn, once, and is what was drawn; one that was not is still a mystery.
select g.id, g.prize_status, m.id as mystery
from gamification_game_plays g
full join mystery_results m on m.tenant_id = g.tenant_id and m.play_id = g.id
where case when m.id is null then g.prize_snapshot->>'type' = 'mystery' and g.unlocked_at is not null
           else (g.unlocked_at is not null and g.prize_snapshot = m.prize_snapshot and g.prize_id = m.mystery_prize_id
                 and g.prize_snapshot->'mystery'->>'event_id' = m.id::text) is not true
      end;

-- @P2 The nonces of a mystery's pair are 0, 1, 2, ... without gap, as many as its counter says, each by the pool's own pair.
select f.id, f.next_nonce, m.draws, m.last
from fair_seeds f
left join (select tenant_id, seed_id, count(*) as draws, max(nonce) as last, min(mystery_prize_id) as prize_id,
                  min(pool_version) as pool_version
           from mystery_results group by tenant_id, seed_id) m on m.tenant_id = f.tenant_id and m.seed_id = f.id
where f.kind = 'mystery'
  and (coalesce(m.draws, 0) = f.next_nonce and coalesce(m.last + 1, 0) = f.next_nonce
       and (m.draws is null or f.game_id = format('mystery:%s:%s', m.prize_id, m.pool_version))) is not true;

-- @P3 A mystery is drawn after its commitment and before the reveal, for the player who holds the pair.
select m.id
from mystery_results m
left join fair_seeds f on f.tenant_id = m.tenant_id and f.id = m.seed_id
where (f.kind = 'mystery' and f.committed_at < m.result_timestamp) is not true or m.result_timestamp > f.revealed_at;

-- @P4 A prize that is paid when it is won was paid, and nothing else was paid as won.
select g.id as play_id, t.obligation
from (select tenant_id, id from gamification_game_plays
      where prize_snapshot->>'type' in ('cash', 'free_bet', 'balance_boost', 'coins')) g
full join (select tenant_id, obligation from ledger_transfers where transfer_type = 'prize.won' and corrects_id is null) t
  on t.tenant_id = g.tenant_id and t.obligation = 'won:' || g.id
where g.id is null or t.obligation is null;

-- @P5 A prize that is handed over is owed, once, and nothing else is owed without an order.
select g.id as play_id, f.id as fulfilment
from (select tenant_id, id from gamification_game_plays
      where prize_snapshot->>'type' in ('in_kind', 'product', 'digital')) g
full join (select tenant_id, play_id, id from fulfilments where order_id is null) f
  on f.tenant_id = g.tenant_id and f.play_id = g.id
where g.id is null or f.id is null;

-- @P6 As many items are reserved as are owed out of their stock.
select s.id, s.reserved_count, count(f.id) as owed
from item_stocks s
left join fulfilments f on f.tenant_id = s.tenant_id and f.item_stock_id = s.id and f.fulfilment_status <> 'cancelled'
group by s.id, s.reserved_count
having s.reserved_count <> count(f.id);

-- @P7 An application that paid names the transfer of its own play and order, and one of them alone.
select a.id, t.obligation
from prize_applications a
left join ledger_transfers t on t.tenant_id = a.tenant_id and t.id = a.transfer_id
where (a.transfer_id is not null) <> (a.details->'calculation'->'effect'->>'kind' = 'posting')
   or (a.transfer_id is not null and (t.obligation = format('prize:%s:%s', a.play_id, a.order_id)) is not true);

-- @E7 A part of a bundle came out of a bundle that was opened, and of the same chance event.
select p.tenant_id, p.id, p.bundle_play_id
from gamification_game_plays p
left join gamification_game_plays b on b.tenant_id = p.tenant_id and b.id = p.bundle_play_id
where p.bundle_play_id is not null
  and (b.prize_snapshot->>'type' = 'bundle' and b.unlocked_at is not null and b.event_id = p.event_id) is not true;

-- @E7 An opened bundle left as many prizes as it held, a locked one none.
select b.tenant_id, b.id, count(p.id) as parts
from gamification_game_plays b
left join gamification_game_plays p on p.tenant_id = b.tenant_id and p.bundle_play_id = b.id
where b.prize_snapshot->>'type' = 'bundle'
group by b.tenant_id, b.id, b.unlocked_at, b.prize_snapshot
having count(p.id) <> case when b.unlocked_at is null then 0
                           else (select sum((part->>'quantity')::int) from jsonb_array_elements(b.prize_snapshot->'parts') part) end;

-- @P9 Each win of a prize of a partner has one code of that prize, and no code was given to anything else.
select g.id as play_id, c.id as code
from (select tenant_id, id, (prize_snapshot->>'id')::bigint as prize_id from gamification_game_plays
      where prize_snapshot->>'takes_codes' = 'true') g
full join (select tenant_id, id, play_id, prize_id from partner_codes where play_id is not null) c
  on c.tenant_id = g.tenant_id and c.play_id = g.id
where (g.prize_id = c.prize_id) is not true;

-- @P10 As many wins of a prize of a partner are left as there are codes left.
select p.id, p.stock, p.won_count, count(c.id) as left_count
from gamification_prizes p
left join partner_codes c on c.tenant_id = p.tenant_id and c.prize_id = p.id and c.play_id is null
where p.takes_codes
group by p.id, p.stock, p.won_count
having p.stock - p.won_count <> count(c.id);
-- @L40 The list of a draw is 0, 1, 2, ... and as long as its draw says.
select d.id, d.entry_count, count(e.entry_index) as entries
from draws d
left join draw_entries e on e.tenant_id = d.tenant_id and e.draw_id = d.id
group by d.id, d.entry_count
having count(e.entry_index) <> d.entry_count or coalesce(max(e.entry_index) + 1, 0) <> d.entry_count;

-- @L41 Every place of a drawn draw is filled once, in order, by an entry of its list and its owner.
select d.id, d.place_count, count(w.place) as places
from draws d
left join draw_winners w on w.tenant_id = d.tenant_id and w.draw_id = d.id
left join draw_entries e on e.tenant_id = w.tenant_id and e.draw_id = w.draw_id and e.entry_index = w.entry_index
group by d.id, d.place_count
having count(w.place) <> d.place_count or coalesce(max(w.place), 0) <> d.place_count
    or count(distinct w.entry_index) <> count(w.place)
    or bool_or(w.place is not null and (e.user_id = w.user_id and e.ref_id = w.ref_id) is not true);

-- @L42 A draw was decided after a signed checkpoint covered the root of its list, and its list was frozen before.
select d.id
from draws d
where d.status in ('drawn', 'settled')
  and not exists (select from fair_log r
                  join fair_log o on o.tenant_id = r.tenant_id and o.commit_hash = r.commit_hash and o.type = 'result'
                  join fair_checkpoints c on c.tenant_id = r.tenant_id and c.log_size > r.seq and c.log_size <= o.seq
                  where r.tenant_id = d.tenant_id and r.commit_hash = d.commit_hash and r.type = 'root'
                    and r.event::jsonb->>'root' = d.entries_root and d.frozen_at <= d.drawn_at);

-- @L43 A redraw was asked for by one person and approved by another.
select d.id
from draws d
left join draw_redraws r on r.tenant_id = d.tenant_id and r.new_draw_id = d.id
where d.redraw_of is not null
  and (r.draw_id = d.redraw_of and r.decision = 'approved' and r.decided_by <> r.asked_by) is not true;

-- @L44 A published raffle draw says of itself what its draw says.
select r.id, r.draw_status, d.status
from raffle_draws r
left join draws d on d.tenant_id = r.tenant_id and d.id = r.id
where r.draw_status <> 'draft'
  and (d.status = r.draw_status and d.game_id = r.raffle_campaign_id::text and d.frozen_at is not distinct from r.frozen_at
       and r.total_tickets = case when d.entries_root is null then 0 else d.entry_count end) is not true;

-- @L48 A draw closes when its commitment says, or where the newest extension in the log put it: later each time, logged before
-- the close that it replaces, as often as the draw says.
select d.id, d.closes_at, d.extension_count
from draws d
join fair_commitments c on c.tenant_id = d.tenant_id and c.commit_hash = d.commit_hash
left join lateral (
  select count(*) as n, max(e.closes_at) as last,
         bool_and(e.logged_at < e.was and e.closes_at > e.was) as is_right
  from (select (l.event::jsonb->>'closesAt')::timestamptz as closes_at, (l.event::jsonb->>'at')::timestamptz as logged_at,
               lag((l.event::jsonb->>'closesAt')::timestamptz, 1, (c.doc::jsonb->>'closesAt')::timestamptz) over (order by l.seq) as was
        from fair_log l
        where l.tenant_id = d.tenant_id and l.commit_hash = d.commit_hash and l.type = 'extend') e
) x on true
where (d.extension_count = x.n and d.closes_at = coalesce(x.last, (c.doc::jsonb->>'closesAt')::timestamptz)
       and coalesce(x.is_right, true)
       and (x.n = 0 or c.doc::jsonb #> '{fallback,extend}' = 'true'::jsonb)) is not true;

-- @L45 A purchase has the tickets that it was for, and paid for them with one transfer of its amount into the pool of its raffle.
select p.id, p.purchase_status, p.quantity, p.amount_minor
from raffle_purchases p
left join ledger_transfers t on t.tenant_id = p.tenant_id and t.id = p.transfer_id
where (select count(*) from raffle_tickets k where k.tenant_id = p.tenant_id and k.purchase_id = p.id and k.user_id = p.user_id)
        <> case when p.purchase_status in ('done', 'refunded') then p.quantity else 0 end
   or (p.purchase_status in ('done', 'refunded') and p.amount_minor > 0
       and (t.obligation = 'raffle:' || p.id
            and exists (select from ledger_postings g join ledger_accounts a on a.tenant_id = g.tenant_id and a.id = g.account_id
                        where g.tenant_id = t.tenant_id and g.txn_id = t.id and g.amount_minor = p.amount_minor
                          and a.account_kind = 'pool' and a.owner_id = 'raffle:' || p.raffle_campaign_id)) is not true)
   or (p.purchase_status = 'refunded' and p.transfer_id is not null
       and not exists (select from ledger_transfers r where r.tenant_id = p.tenant_id and r.corrects_id = p.transfer_id and r.is_reversal));

-- @L46 A ticket is on the list of the first draw, where tickets win, and its leaf has its number.
select t.id, t.ticket_number, e.leaf
from raffle_tickets t
join raffle_campaigns c on c.id = t.raffle_campaign_id
left join draw_entries e on e.tenant_id = t.tenant_id and e.draw_id = c.first_draw_id and e.ref_id = t.id
where c.campaign_config->>'unit' = 'ticket'
  and (e.user_id = t.user_id and e.leaf::jsonb->>'t' = t.ticket_number and e.leaf::jsonb->>'via' = t.via) is not true;

-- @L47 A prize of a raffle draw was given to who stands for it, and to nobody else who still has it.
select p.id, p.user_id, p.event_id
from gamification_game_plays p
join raffle_draws d on d.tenant_id = p.tenant_id and d.id = p.event_id
left join raffle_winners w on w.tenant_id = p.tenant_id and w.raffle_draw_id = p.event_id and w.play_id = p.id
where (w.user_id = p.user_id and w.prize_id = p.prize_id) is not true
   or (w.winner_status = 'forfeited' and p.prize_status not in ('expired'));

-- @I24 Nobody has more guesses than the game allows, and each guess is one of a participant.
-- A rule of the game may bring more: guesses of one's own, or in a giveaway entries that stand beside the own one.
select p.game_id, p.user_id, p.submission_count, s.guesses, s.in_force, s.bonuses
from game_participants p
join games g on g.tenant_id = p.tenant_id and g.id = p.game_id
cross join lateral (select coalesce(sum((b->>'entries')::int), 0) as extra
                    from jsonb_array_elements(g.entry_rules->'bonus'->'entries') b) e
full join (select tenant_id, game_id, user_id, count(*) as guesses, count(bonus) as bonuses,
                  count(*) filter (where replaced_by is null and bonus is null) as in_force
           from game_submissions group by tenant_id, game_id, user_id) s
  on s.tenant_id = p.tenant_id and s.game_id = p.game_id and s.user_id = p.user_id
where (s.guesses = p.submission_count and s.bonuses <= e.extra
       and s.in_force between 1 and g.guesses_per_user + case g.mode when 'draw' then 0 else e.extra end) is not true;

-- @I24 The guesses of a game are 0, 1, 2, ... as many as it counts, and it counts its participants.
select g.id, g.submission_count, s.guesses, g.participant_count, s.people
from games g
cross join lateral (select count(*) as guesses, count(distinct s.user_id) as people, coalesce(max(s.seq) + 1, 0) as next_seq
                    from game_submissions s where s.tenant_id = g.tenant_id and s.game_id = g.id) s
where s.guesses <> g.submission_count or s.next_seq <> g.submission_count or s.people <> g.participant_count;

-- @I24 A guess lies between the lowest and the highest number of its game, and came after the opening and before the close.
select s.id, s.guess, s.created_at
from game_submissions s
left join games g on g.tenant_id = s.tenant_id and g.id = s.game_id
where (case when g.mode = 'draw' then s.guess is null else s.guess between g.guess_min and g.guess_max end
       and s.created_at >= g.opens_at and s.created_at < g.closes_at) is not true;

-- @I24 A drawn game has the promised number of winners, as far as its guesses reach; fewer only where its rule leaves places open.
-- A person may win with several guesses of a game that takes several, but only once where winners are drawn.
select g.id, g.number_of_winners, e.reach, w.winners, w.alternates
from games g
cross join lateral (select case when g.mode = 'draw' then count(distinct s.user_id) else count(*) end as reach
                    from game_submissions s
                    where s.tenant_id = g.tenant_id and s.game_id = g.id and s.replaced_by is null) e
cross join lateral (select count(*) filter (where not h.is_alternate) as winners,
                           count(*) filter (where h.is_alternate) as alternates,
                           bool_or(h.is_alternate <> (h.place > g.number_of_winners)) as is_mixed
                    from winner_history h where h.tenant_id = g.tenant_id and h.game_id = g.id) w
where g.status in ('drawn', 'settled')
  and (w.winners > least(g.number_of_winners, e.reach)
       or (w.winners < least(g.number_of_winners, e.reach)
           and coalesce(g.rule, '-') not in ('exact', 'nearest_under', 'unique', 'lowest_unique'))
       or w.winners + w.alternates > e.reach or w.alternates > g.number_of_alternates or w.is_mixed);

-- @I24 Who won a game is who its draw names, with the guess of that place, and every participant is told whether.
select d.tenant_id, d.game_id, d.place, h.user_id
from (select w.tenant_id, g.id as game_id, w.place, w.user_id, w.ref_id, w.is_alternate
      from draw_winners w join games g on g.tenant_id = w.tenant_id and g.draw_id = w.draw_id) d
full join winner_history h on h.tenant_id = d.tenant_id and h.game_id = d.game_id and h.place = d.place
where (h.user_id = d.user_id and h.submission_id = d.ref_id and h.is_alternate = d.is_alternate) is not true
union all
select p.tenant_id, p.game_id, null, p.user_id
from game_participants p
join games g on g.tenant_id = p.tenant_id and g.id = p.game_id
where g.status = 'settled'
  and p.is_winner is distinct from exists (select from winner_history h
                                           where h.tenant_id = p.tenant_id and h.game_id = p.game_id
                                             and h.user_id = p.user_id and not h.is_alternate);

-- @I24 Only who won may claim: the winner of a place, or the next alternate after a claim of the same prize was forfeited.
select c.id, c.user_id, c.place, c.prize_place
from reward_claims c
left join games g on g.tenant_id = c.tenant_id and g.id = c.game_id
left join winner_history h on h.tenant_id = c.tenant_id and h.game_id = c.game_id and h.place = c.place
left join reward_claims f on f.tenant_id = c.tenant_id and f.id = c.promoted_from
where (h.user_id = c.user_id and g.reward_type not in ('coins', 'voucher')
       and g.creator_id = c.creator_id and g.company_id is not distinct from c.company_id
       and coalesce(g.creator_name, c.creator_name) = c.creator_name
       and case when c.promoted_from is null then not h.is_alternate and c.place = c.prize_place
                else h.is_alternate and f.game_id = c.game_id and f.prize_place = c.prize_place and f.claim_status = 'forfeited' end) is not true;

-- @I24 Every winner of a reward that is handed over was offered it.
select h.game_id, h.place, h.user_id
from winner_history h
join games g on g.tenant_id = h.tenant_id and g.id = h.game_id
left join reward_claims c on c.tenant_id = h.tenant_id and c.game_id = h.game_id and c.place = h.place
where g.status = 'settled' and g.reward_type not in ('coins', 'voucher') and not h.is_alternate and c.id is null;

-- @I24 One claim of a prize stands at most, and the item that came with it is its winner's.
select tenant_id, game_id, prize_place, count(*) as standing
from reward_claims
where claim_status <> 'forfeited'
group by tenant_id, game_id, prize_place
having count(*) > 1
union all
select c.tenant_id, c.game_id, c.prize_place, c.play_id
from reward_claims c
left join gamification_game_plays p on p.tenant_id = c.tenant_id and p.id = c.play_id
where c.play_id is not null
  and (c.claim_status = 'completed' and p.event_id = c.id and coalesce(p.won_by, p.user_id) = c.user_id) is not true;

-- @I24 A claim took legal steps only, each from where the last one ended.
select claim_id, seq, before, from_status, to_status
from (select claim_id, seq, from_status, to_status, lag(to_status) over steps as before,
             row_number() over steps as nth
      from claim_moves window steps as (partition by tenant_id, claim_id order by seq)) m
where before is distinct from from_status or seq <> nth
   or (coalesce(from_status, '-'), to_status) not in
        (('-', 'offered'), ('offered', 'pending'), ('offered', 'forfeited'), ('pending', 'completed'), ('pending', 'disputed'),
         ('pending', 'forfeited'), ('disputed', 'completed'), ('disputed', 'pending'));

-- @I24 A claim is in the state that its last step led to, and was claimed inside its window.
select c.id, c.claim_status, m.to_status
from reward_claims c
left join lateral (select to_status, moved_at, moved_by, reason from claim_moves m
                   where m.tenant_id = c.tenant_id and m.claim_id = c.id order by seq desc limit 1) m on true
where (m.to_status = c.claim_status and m.moved_at = c.status_at and m.moved_by = c.status_by and m.reason = c.status_reason) is not true
   or exists (select from claim_moves m where m.tenant_id = c.tenant_id and m.claim_id = c.id
                and m.reason = 'claimed' and (m.moved_at >= c.window_ends_at or m.moved_by <> c.user_id));

-- @I24 A complaint is the winner's, comes after the claim window, and made its claim a disputed one.
select k.id, k.created_at, c.window_ends_at
from complaints k
left join reward_claims c on c.tenant_id = k.tenant_id and c.id = k.claim_id
where (c.user_id = k.complained_by and k.created_at >= c.window_ends_at
       and exists (select from claim_moves m where m.tenant_id = k.tenant_id and m.claim_id = k.claim_id
                     and m.to_status = 'disputed' and m.moved_by = k.complained_by and m.moved_at = k.created_at)) is not true;

-- @I24 A claim is disputed while one complaint about it is open or was decided against its creator, and at no other time.
select c.id, c.claim_status, k.open_count, k.lost_count
from reward_claims c
cross join lateral (select count(*) filter (where k.complaint_status <> 'resolved') as open_count,
                           count(*) filter (where k.outcome = 'unfulfilled') as lost_count
                    from complaints k where k.tenant_id = c.tenant_id and k.claim_id = c.id) k
where case c.claim_status when 'disputed' then k.open_count + k.lost_count <> 1
                          when 'completed' then k.open_count > 0 or k.lost_count > 1
                          else k.open_count + k.lost_count > 0 end;

-- @I24 A complaint was decided after a look at it, and by none of the two sides, unless the reward came meanwhile.
select k.id, k.reviewed_by, k.resolved_by, k.outcome
from complaints k
left join reward_claims c on c.tenant_id = k.tenant_id and c.id = k.claim_id
where k.reviewed_by = c.user_id or (c.company_id is null and k.reviewed_by = c.creator_id)
   or (k.outcome in ('unfulfilled', 'dismissed')
       and (k.reviewed_at <= k.resolved_at and k.resolved_by <> c.user_id
            and (c.company_id is not null or k.resolved_by <> c.creator_id)) is not true)
   or (k.outcome = 'fulfilled' and c.claim_status is distinct from 'completed');

-- @I24 A failure is a silence past its time or a decision, and no decision against a creator is missing.
select id, failed_at, answer_due_at, answered_at, outcome
from complaints
where (outcome = 'unfulfilled' and failed_at is null)
   or (failed_at is not null
       and (failed_at >= answer_due_at and (answered_at is null or answered_at >= failed_at)
            or outcome = 'unfulfilled' and failed_at = resolved_at) is not true);

-- @L50 One block of a creator stands at most, and it ends at its date or when it is lifted.
select tenant_id, party_kind, party_id, count(*) as standing
from creator_blocks
where ended_at is null
group by tenant_id, party_kind, party_id
having count(*) > 1
union all
select tenant_id, party_kind, party_id, null
from creator_blocks
where ended_at is distinct from case when decision = 'lifted' then decided_at when ended_at is not null then blocked_until end;

-- @L50 A block is for as many failures as it says, all from before it.
select b.id, b.failure_count, f.failures
from creator_blocks b
cross join lateral (select count(*) as failures
                    from complaints k
                    join reward_claims c on c.tenant_id = k.tenant_id and c.id = k.claim_id
                    where k.tenant_id = b.tenant_id and k.failed_at <= b.created_at
                      and case b.party_kind when 'company' then c.company_id::text = b.party_id
                                            else c.company_id is null and c.creator_id = b.party_id end) f
where f.failures < b.failure_count;

-- @L51 A block was lifted by somebody else than who appealed, for an appeal of the blocked side that was made while it held.
select id, appealed_by, decided_by, decision
from creator_blocks
where (appeal is not null
       and (appealed_at >= created_at and appealed_at < blocked_until
            and (party_kind = 'company' or appealed_by = party_id)) is not true)
   or (decision is not null
       and (decided_by <> appealed_by and decided_at >= appealed_at and decided_at < blocked_until
            and (party_kind = 'company' or decided_by <> party_id)) is not true);

-- @I22 The version of a claim, a complaint, a block and the settings of both counts the changes that the audit log tells.
select r.entity_type, r.id, r.changes, a.told
from (select tenant_id, 'claim' as entity_type, id, row_version - 1 as changes from reward_claims
      union all select tenant_id, 'complaint', id, row_version from complaints
      union all select tenant_id, 'creator_block', id, row_version from creator_blocks
      union all select tenant_id, 'claim_settings', tenant_id, row_version from claim_settings) r
left join (select tenant_id, entity_type, entity_id, count(*) as told from audit_logs
           where entity_type in ('complaint', 'creator_block', 'claim_settings')
              or (entity_type = 'claim'
                  and action in ('claim.claimed', 'claim.completed', 'claim.forfeited', 'claim.disputed', 'claim.resumed'))
           group by tenant_id, entity_type, entity_id) a
  on a.tenant_id = r.tenant_id and a.entity_type = r.entity_type and a.entity_id = r.id
where r.changes <> coalesce(a.told, 0);

-- @I23 No offer, silence or block outlived its time by an hour, as the last row of the tenant's audit log tells the time.
select o.tenant_id, o.what, o.id, o.due_at
from (select tenant_id, 'offer' as what, id, window_ends_at as due_at from reward_claims where claim_status = 'offered'
      union all select tenant_id, 'silence', id, answer_due_at from complaints
                where complaint_status <> 'resolved' and answered_at is null and failed_at is null
      union all select tenant_id, 'block', id, blocked_until from creator_blocks where ended_at is null) o
cross join lateral (select l.created_at from audit_logs l where l.tenant_id = o.tenant_id order by l.seq desc limit 1) a
where o.due_at < a.created_at - interval '1 hour';
