-- Why: addresses and browsers stand in the audit chain outside of what is hashed, so that they can be forgotten while the
-- chain stays whole; nobody had the right to, so they stayed for ever.

-- keep_audit_row lets nothing else change, and only to nothing.
grant update (ip_address, user_agent) on audit_logs to livedraw_app;

-- Up to here the chain was looked through. A mark in place of an index: rows are many, and only ever looked at in order.
alter table tenant_heads add column forgotten_seq bigint not null default 0;
