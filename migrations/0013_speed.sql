-- Why: three foreign keys to tenants were looked up for every event, audit row and row of the public log, about 4 us
-- each, and locked the one row of the tenant from all sides. The application cannot write another tenant than its own
-- (row-level security), that one has heads (which do refer to tenants), and `npm run audit` looks for rows of none.

alter table game_events drop constraint game_events_tenant_id_fkey;
alter table audit_logs drop constraint audit_logs_tenant_id_fkey;
alter table fair_log drop constraint fair_log_tenant_id_fkey;
