-- Made by "UPDATE_SCHEMA=1 npx mocha tests/db/schema.test.ts"; do not edit. Its diff is the review of a migration.

-- Tables

table alert_rules (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  rule_name character varying(120) not null
  rule_kind character varying(32) not null
  alert_severity character varying(16) not null
  settings jsonb not null
  is_enabled boolean not null default true
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((alert_severity)::text = ANY ((ARRAY['info'::character varying, 'warning'::character varying, 'critical'::character varying])::text[])))
  CHECK (((rule_kind)::text = ANY ((ARRAY['many_wins'::character varying, 'shared_address'::character varying, 'redeems_most'::character varying, 'win_rate'::character varying, 'tampering'::character varying, 'metric'::character varying])::text[])))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE INDEX alert_rules_by_time ON public.alert_rules USING btree (tenant_id, created_at, id)
  CREATE UNIQUE INDEX alert_rules_one_of_a_kind ON public.alert_rules USING btree (tenant_id, rule_kind) WHERE (((rule_kind)::text <> 'metric'::text) AND is_active)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table audit_logs (row-level security, forced)
  id uuid not null default gen_random_uuid()
  tenant_id uuid not null default app_tenant_id()
  seq bigint not null
  user_id character varying(128) not null
  action character varying(64) not null
  entity_type character varying(64) not null
  entity_id uuid
  old_values jsonb
  new_values jsonb
  ip_address character varying(64)
  user_agent character varying(300)
  prev_hash text
  hash text not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  PRIMARY KEY (tenant_id, seq)
  CREATE INDEX audit_logs_by_entity ON public.audit_logs USING btree (tenant_id, entity_type, entity_id, seq)
  CREATE TRIGGER audit_logs_are_final BEFORE DELETE OR UPDATE ON public.audit_logs FOR EACH ROW EXECUTE FUNCTION keep_audit_row()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (ip_address, user_agent) to livedraw_app

table blocked_users (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  user_id character varying(128) not null
  reason text not null
  blocked_by character varying(128) not null
  blocked_until timestamp with time zone
  created_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, user_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table claim_messages (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  claim_id uuid not null
  side character varying(8) not null
  sent_by character varying(128) not null
  message character varying(2000) not null
  created_at timestamp with time zone not null
  CHECK (((side)::text = ANY ((ARRAY['winner'::character varying, 'creator'::character varying])::text[])))
  CHECK ((btrim((message)::text) <> ''::text))
  FOREIGN KEY (tenant_id, claim_id) REFERENCES reward_claims(tenant_id, id)
  PRIMARY KEY (tenant_id, claim_id, id)
  CREATE TRIGGER claim_messages_are_final BEFORE DELETE OR UPDATE ON public.claim_messages FOR EACH ROW EXECUTE FUNCTION refuse_change()
  CREATE TRIGGER claim_messages_are_guarded BEFORE INSERT ON public.claim_messages FOR EACH ROW EXECUTE FUNCTION guard_claim_part()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table claim_moves (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  claim_id uuid not null
  seq integer not null
  from_status character varying(16)
  to_status character varying(16) not null
  moved_at timestamp with time zone not null
  moved_by character varying(128) not null
  reason character varying(32) not null
  CHECK ((seq >= 1))
  FOREIGN KEY (tenant_id, claim_id) REFERENCES reward_claims(tenant_id, id)
  PRIMARY KEY (tenant_id, claim_id, seq)
  CREATE TRIGGER claim_moves_are_final BEFORE DELETE OR UPDATE ON public.claim_moves FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table claim_proofs (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  claim_id uuid not null
  side character varying(8) not null
  slot smallint not null
  uploaded_by character varying(128) not null
  width integer not null
  height integer not null
  byte_count integer not null
  picture_hash text not null
  picture bytea not null
  created_at timestamp with time zone not null
  CHECK (((side)::text = ANY ((ARRAY['winner'::character varying, 'creator'::character varying])::text[])))
  CHECK (((slot >= 1) AND (slot <= 5)))
  CHECK ((byte_count > 0))
  CHECK ((height > 0))
  CHECK ((octet_length(picture) = byte_count))
  CHECK ((picture_hash ~ '^[0-9a-f]{64}$'::text))
  CHECK ((width > 0))
  FOREIGN KEY (tenant_id, claim_id) REFERENCES reward_claims(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, claim_id, side, slot)
  CREATE TRIGGER claim_proofs_are_final BEFORE DELETE OR UPDATE ON public.claim_proofs FOR EACH ROW EXECUTE FUNCTION refuse_change()
  CREATE TRIGGER claim_proofs_are_guarded BEFORE INSERT ON public.claim_proofs FOR EACH ROW EXECUTE FUNCTION guard_claim_part()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table claim_settings (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  answer_hours integer not null
  failures_max integer not null
  failure_days integer not null
  block_days integer not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((answer_hours >= 1) AND (answer_hours <= 720)))
  CHECK (((block_days >= 1) AND (block_days <= 366)))
  CHECK (((failure_days >= 1) AND (failure_days <= 366)))
  CHECK (((failures_max >= 1) AND (failures_max <= 100)))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table companies (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  company_name character varying(120) not null
  row_version integer not null default 1
  is_active boolean not null default true
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((btrim((company_name)::text) <> ''::text))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE UNIQUE INDEX companies_by_name ON public.companies USING btree (tenant_id, lower((company_name)::text)) WHERE is_active
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table company_members (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  company_id uuid not null
  user_id character varying(128) not null
  created_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, company_id) REFERENCES companies(tenant_id, id)
  PRIMARY KEY (tenant_id, company_id, user_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select to livedraw_app
  grant select to livedraw_auditor

table complaints (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  claim_id uuid not null
  complained_by character varying(128) not null
  message character varying(2000) not null
  complaint_status character varying(16) not null default 'pending'::character varying
  answer_due_at timestamp with time zone not null
  answer character varying(2000)
  answered_by character varying(128)
  answered_at timestamp with time zone
  reviewed_by character varying(128)
  reviewed_at timestamp with time zone
  outcome character varying(16)
  decision_note character varying(2000)
  resolved_by character varying(128)
  resolved_at timestamp with time zone
  failed_at timestamp with time zone
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((answer IS NULL) = (answered_at IS NULL)) AND ((answer IS NULL) = (answered_by IS NULL))))
  CHECK ((((complaint_status)::text = 'resolved'::text) = (outcome IS NOT NULL)))
  CHECK ((((outcome IS NULL) = (resolved_by IS NULL)) AND ((outcome IS NULL) = (resolved_at IS NULL))))
  CHECK (((complaint_status)::text = ANY ((ARRAY['pending'::character varying, 'reviewed'::character varying, 'resolved'::character varying])::text[])))
  CHECK (((outcome)::text = ANY ((ARRAY['fulfilled'::character varying, 'unfulfilled'::character varying, 'dismissed'::character varying])::text[])))
  CHECK (((reviewed_by IS NULL) = (reviewed_at IS NULL)))
  CHECK ((btrim((message)::text) <> ''::text))
  FOREIGN KEY (tenant_id, claim_id) REFERENCES reward_claims(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX complaints_of_claim ON public.complaints USING btree (tenant_id, claim_id, created_at)
  CREATE UNIQUE INDEX complaints_one_is_open ON public.complaints USING btree (tenant_id, claim_id) WHERE ((complaint_status)::text <> 'resolved'::text)
  CREATE INDEX complaints_queue ON public.complaints USING btree (tenant_id, complaint_status, created_at, id)
  CREATE INDEX complaints_unanswered ON public.complaints USING btree (tenant_id, answer_due_at) WHERE (((complaint_status)::text <> 'resolved'::text) AND (answered_at IS NULL) AND (failed_at IS NULL))
  CREATE TRIGGER complaints_are_kept BEFORE INSERT OR DELETE OR UPDATE ON public.complaints FOR EACH ROW EXECUTE FUNCTION keep_complaint()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (complaint_status, answer, answered_by, answered_at, reviewed_by, reviewed_at, outcome, decision_note, resolved_by, resolved_at, failed_at, row_version, updated_at) to livedraw_app

table creator_blocks (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  party_kind character varying(8) not null
  party_id character varying(128) not null
  failure_count integer not null
  blocked_until timestamp with time zone not null
  appeal character varying(2000)
  appealed_by character varying(128)
  appealed_at timestamp with time zone
  decision character varying(16)
  decision_note character varying(2000)
  decided_by character varying(128)
  decided_at timestamp with time zone
  ended_at timestamp with time zone
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((appeal IS NULL) = (appealed_by IS NULL)) AND ((appeal IS NULL) = (appealed_at IS NULL))))
  CHECK ((((decision IS NULL) = (decided_by IS NULL)) AND ((decision IS NULL) = (decided_at IS NULL))))
  CHECK ((((decision)::text IS DISTINCT FROM 'lifted'::text) OR (ended_at IS NOT NULL)))
  CHECK (((decided_by)::text <> (appealed_by)::text))
  CHECK (((decision IS NULL) OR (appeal IS NOT NULL)))
  CHECK (((decision)::text = ANY ((ARRAY['lifted'::character varying, 'upheld'::character varying])::text[])))
  CHECK (((party_kind)::text = ANY ((ARRAY['person'::character varying, 'company'::character varying])::text[])))
  CHECK ((blocked_until > created_at))
  CHECK ((failure_count >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX creator_blocks_by_time ON public.creator_blocks USING btree (tenant_id, created_at DESC, id DESC)
  CREATE UNIQUE INDEX creator_blocks_one_stands ON public.creator_blocks USING btree (tenant_id, party_kind, party_id) WHERE (ended_at IS NULL)
  CREATE TRIGGER creator_blocks_are_kept BEFORE DELETE OR UPDATE ON public.creator_blocks FOR EACH ROW EXECUTE FUNCTION keep_creator_block()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (appeal, appealed_by, appealed_at, decision, decision_note, decided_by, decided_at, ended_at, row_version, updated_at) to livedraw_app

table customer_facts (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  user_id character varying(128) not null
  order_count integer not null
  source_version bigint not null
  told_by character varying(128) not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((source_version >= 0) AND (source_version <= '9007199254740991'::bigint)))
  CHECK (((user_id)::text <> ''::text))
  CHECK ((order_count >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, user_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table demo_orders (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  user_id character varying(128) not null
  status character varying(16) not null
  lines jsonb not null
  order_type character varying(32) not null
  payment_method character varying(32) not null
  zone_id integer
  distance_m integer
  currency character varying(3) not null
  items_minor bigint not null
  delivery_fee_minor bigint not null
  discount_minor bigint not null default 0
  total_minor bigint not null
  play_id bigint
  applied_details jsonb
  created_at timestamp with time zone not null
  placed_at timestamp with time zone
  closed_at timestamp with time zone
  updated_at timestamp with time zone not null
  row_version integer not null default 1
  CHECK ((((status)::text = ANY ((ARRAY['cancelled'::character varying, 'abandoned'::character varying])::text[])) = (closed_at IS NOT NULL)))
  CHECK ((((status)::text = ANY ((ARRAY['placed'::character varying, 'cancelled'::character varying])::text[])) = (placed_at IS NOT NULL)))
  CHECK ((((status)::text = ANY ((ARRAY['placed'::character varying, 'cancelled'::character varying])::text[])) OR (applied_details IS NULL)))
  CHECK (((currency)::text ~ '^[A-Z]{3}$'::text))
  CHECK (((jsonb_typeof(lines) = 'array'::text) AND (lines <> '[]'::jsonb)))
  CHECK (((status)::text = ANY ((ARRAY['checkout'::character varying, 'placed'::character varying, 'cancelled'::character varying, 'abandoned'::character varying])::text[])))
  CHECK ((delivery_fee_minor >= 0))
  CHECK ((discount_minor >= 0))
  CHECK ((distance_m >= 0))
  CHECK ((items_minor > 0))
  CHECK ((total_minor = ((items_minor - discount_minor) + delivery_fee_minor)))
  CHECK ((total_minor >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX demo_orders_of_play ON public.demo_orders USING btree (tenant_id, play_id) WHERE (play_id IS NOT NULL)
  CREATE INDEX demo_orders_of_user ON public.demo_orders USING btree (tenant_id, user_id, created_at DESC, id DESC)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table draw_entrants (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  draw_id uuid not null
  user_id character varying(128) not null
  entrant text not null
  entrant_salt text not null
  created_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, draw_id) REFERENCES draws(tenant_id, id)
  PRIMARY KEY (tenant_id, draw_id, user_id)
  CREATE TRIGGER draw_entrants_are_final BEFORE DELETE OR UPDATE ON public.draw_entrants FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table draw_entries (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  draw_id uuid not null
  entry_index integer not null
  user_id character varying(128) not null
  ref_id uuid not null
  leaf text not null
  created_at timestamp with time zone not null
  CHECK ((entry_index >= 0))
  FOREIGN KEY (tenant_id, draw_id) REFERENCES draws(tenant_id, id)
  FOREIGN KEY (tenant_id, draw_id, user_id) REFERENCES draw_entrants(tenant_id, draw_id, user_id)
  PRIMARY KEY (tenant_id, draw_id, entry_index)
  UNIQUE (tenant_id, draw_id, ref_id)
  CREATE TRIGGER draw_entries_are_final BEFORE DELETE OR UPDATE ON public.draw_entries FOR EACH ROW EXECUTE FUNCTION refuse_change()
  CREATE TRIGGER draw_entries_are_guarded AFTER INSERT ON public.draw_entries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION guard_entries()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table draw_nodes (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  draw_id uuid not null
  level smallint not null
  node_index bigint not null
  hash text not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, draw_id) REFERENCES draws(tenant_id, id)
  PRIMARY KEY (tenant_id, draw_id, level, node_index)
  CREATE TRIGGER draw_nodes_are_final BEFORE DELETE OR UPDATE ON public.draw_nodes FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table draw_redraws (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  draw_id uuid not null
  reason character varying(500) not null
  places integer[] not null
  asked_by character varying(128) not null
  asked_at timestamp with time zone not null
  decision character varying(16)
  decided_by character varying(128)
  decided_at timestamp with time zone
  new_draw_id uuid
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((decision IS NULL) = (decided_by IS NULL)) AND ((decision IS NULL) = (decided_at IS NULL))))
  CHECK (((decided_by)::text <> (asked_by)::text))
  CHECK (((decision)::text = ANY ((ARRAY['approved'::character varying, 'declined'::character varying])::text[])))
  CHECK (((reason)::text <> ''::text))
  CHECK ((COALESCE(((decision)::text = 'approved'::text), false) = (new_draw_id IS NOT NULL)))
  CHECK ((cardinality(places) > 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, draw_id) REFERENCES draws(tenant_id, id)
  FOREIGN KEY (tenant_id, new_draw_id) REFERENCES draws(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE UNIQUE INDEX draw_redraws_one_at_a_time ON public.draw_redraws USING btree (tenant_id, draw_id) WHERE (decision IS NULL)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (decision, decided_by, decided_at, new_draw_id, row_version, updated_at) to livedraw_app

table draw_winners (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  draw_id uuid not null
  place integer not null
  entry_index integer not null
  user_id character varying(128) not null
  ref_id uuid not null
  prize character varying(64)
  is_alternate boolean generated as (prize IS NULL)
  reveal_at timestamp with time zone not null
  created_at timestamp with time zone not null
  CHECK ((place >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, draw_id, entry_index) REFERENCES draw_entries(tenant_id, draw_id, entry_index)
  PRIMARY KEY (tenant_id, draw_id, place)
  UNIQUE (tenant_id, draw_id, entry_index)
  CREATE TRIGGER draw_winners_are_final BEFORE DELETE OR UPDATE ON public.draw_winners FOR EACH ROW EXECUTE FUNCTION refuse_change()
  CREATE TRIGGER draw_winners_are_guarded AFTER INSERT ON public.draw_winners REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION guard_winners()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table draws (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  game character varying(32) not null
  game_id character varying(64) not null
  draw_name character varying(120) not null
  kind character varying(16) not null
  seq integer not null
  status character varying(16) not null
  commit_hash text not null
  seed_id uuid
  opens_at timestamp with time zone not null
  closes_at timestamp with time zone not null
  draw_at timestamp with time zone not null
  after_draw_id uuid
  redraw_of uuid
  is_filled boolean not null default true
  fill_after text
  entry_count integer not null default 0
  tree text[] not null default '{}'::text[]
  entries_root text
  frozen_at timestamp with time zone
  beacon_round bigint
  postpone_count integer not null default 0
  beacon jsonb
  ctx text
  outcome jsonb
  place_count integer not null default 0
  revealed_count integer not null default 0
  drawn_at timestamp with time zone
  settle_at timestamp with time zone
  settled_at timestamp with time zone
  cancel_reason character varying(16)
  cancelled_at timestamp with time zone
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((status)::text <> ALL ((ARRAY['closed'::character varying, 'drawing'::character varying, 'drawn'::character varying, 'settled'::character varying])::text[])) OR ((entries_root IS NOT NULL) AND (frozen_at IS NOT NULL))))
  CHECK ((((status)::text <> ALL ((ARRAY['drawn'::character varying, 'settled'::character varying])::text[])) OR ((outcome IS NOT NULL) AND (ctx IS NOT NULL) AND (settle_at IS NOT NULL))))
  CHECK ((((status)::text = 'cancelled'::text) = (cancel_reason IS NOT NULL)))
  CHECK (((cancel_reason)::text = ANY ((ARRAY['by_person'::character varying, 'root_late'::character varying, 'outage'::character varying, 'no_entries'::character varying])::text[])))
  CHECK (((opens_at <= closes_at) AND (closes_at <= draw_at)))
  CHECK (((revealed_count >= 0) AND (revealed_count <= place_count)))
  CHECK (((status)::text = ANY ((ARRAY['scheduled'::character varying, 'open'::character varying, 'closed'::character varying, 'drawing'::character varying, 'drawn'::character varying, 'settled'::character varying, 'cancelled'::character varying])::text[])))
  CHECK ((entry_count >= 0))
  CHECK ((place_count >= 0))
  CHECK ((postpone_count >= 0))
  CHECK ((seq >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, after_draw_id) REFERENCES draws(tenant_id, id)
  FOREIGN KEY (tenant_id, commit_hash) REFERENCES fair_commitments(tenant_id, commit_hash)
  FOREIGN KEY (tenant_id, redraw_of) REFERENCES draws(tenant_id, id)
  FOREIGN KEY (tenant_id, seed_id) REFERENCES fair_seeds(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, game_id, kind, seq)
  UNIQUE (tenant_id, id)
  CREATE INDEX draws_of_game ON public.draws USING btree (tenant_id, game_id, seq)
  CREATE INDEX draws_running ON public.draws USING btree (tenant_id, closes_at) WHERE ((status)::text <> ALL ((ARRAY['settled'::character varying, 'cancelled'::character varying])::text[]))
  CREATE TRIGGER draws_are_kept BEFORE DELETE OR UPDATE ON public.draws FOR EACH ROW EXECUTE FUNCTION keep_draw()
  CREATE TRIGGER draws_begin BEFORE INSERT ON public.draws FOR EACH ROW EXECUTE FUNCTION begin_draw()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table exchange_settings (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  fee_bps integer not null
  deal_hours integer not null
  hold_hours integer not null
  gifts_per_day integer not null
  trades_per_day integer not null
  listings_per_day integer not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((deal_hours >= 1) AND (deal_hours <= 720)))
  CHECK (((fee_bps >= 0) AND (fee_bps <= 5000)))
  CHECK (((gifts_per_day >= 0) AND (gifts_per_day <= 1000)))
  CHECK (((hold_hours >= 0) AND (hold_hours <= 720)))
  CHECK (((listings_per_day >= 0) AND (listings_per_day <= 1000)))
  CHECK (((trades_per_day >= 0) AND (trades_per_day <= 1000)))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table fair_checkpoints (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  log_size bigint not null
  root text not null
  note text not null
  created_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, log_size)
  CREATE TRIGGER fair_checkpoints_are_final BEFORE DELETE OR UPDATE ON public.fair_checkpoints FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table fair_commitments (row-level security, forced)
  commit_hash text not null
  tenant_id uuid not null default app_tenant_id()
  kind character varying(16) not null
  game_id character varying(64) not null
  holder text not null default '-'::text
  seq integer not null
  doc text not null
  config text not null
  jws text not null
  created_at timestamp with time zone not null
  CHECK ((seq >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (commit_hash)
  UNIQUE (tenant_id, commit_hash)
  UNIQUE (tenant_id, game_id, kind, holder, seq)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table fair_log (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  seq bigint not null
  type character varying(16) not null
  commit_hash text
  nonce bigint
  event text not null
  leaf_hash text not null
  row_hash text not null
  CHECK ((seq >= 0))
  PRIMARY KEY (tenant_id, seq)
  CREATE INDEX fair_log_by_commit ON public.fair_log USING btree (tenant_id, commit_hash, nonce)
  CREATE TRIGGER fair_log_is_final BEFORE DELETE OR UPDATE ON public.fair_log FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table fair_log_nodes (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  level smallint not null
  node_index bigint not null
  hash text not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, level, node_index)
  CREATE TRIGGER fair_log_nodes_are_final BEFORE DELETE OR UPDATE ON public.fair_log_nodes FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table fair_seeds (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  kind character varying(16) not null
  game_id character varying(64) not null
  user_id character varying(128)
  holder text
  holder_salt text
  commit_hash text not null
  config_version integer not null
  seq integer not null
  seed_hash text not null
  sealed_seed text not null
  server_seed text
  client_seed text not null default '-'::text
  seed_status character varying(16) not null
  next_nonce bigint not null default 0
  committed_at timestamp with time zone not null
  activated_at timestamp with time zone
  revealed_at timestamp with time zone
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  row_version integer not null default 1
  CHECK ((((seed_status)::text = 'revealed'::text) = (revealed_at IS NOT NULL)))
  CHECK ((((seed_status)::text = 'revealed'::text) = (server_seed IS NOT NULL)))
  CHECK (((seed_status)::text = ANY ((ARRAY['next'::character varying, 'active'::character varying, 'revealed'::character varying])::text[])))
  CHECK ((next_nonce >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, commit_hash) REFERENCES fair_commitments(tenant_id, commit_hash)
  PRIMARY KEY (tenant_id, id)
  CREATE UNIQUE INDEX fair_seeds_by_commit ON public.fair_seeds USING btree (tenant_id, commit_hash)
  CREATE UNIQUE INDEX fair_seeds_in_use ON public.fair_seeds USING btree (tenant_id, game_id, user_id, seed_status) WHERE ((user_id IS NOT NULL) AND ((seed_status)::text = ANY ((ARRAY['active'::character varying, 'next'::character varying])::text[])))
  CREATE INDEX fair_seeds_of_player ON public.fair_seeds USING btree (tenant_id, user_id, game_id, seq) WHERE (user_id IS NOT NULL)
  CREATE TRIGGER fair_seeds_are_kept BEFORE DELETE OR UPDATE ON public.fair_seeds FOR EACH ROW EXECUTE FUNCTION keep_seed()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table fulfilments (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  play_id bigint not null
  order_id character varying(128)
  fulfilment_type character varying(16) not null
  fulfilment_status character varying(16) not null default 'pending'::character varying
  prize_name character varying(200) not null
  item_id character varying(64)
  category_id character varying(64)
  item_stock_id bigint
  claim_details jsonb
  note character varying(500)
  contacted_at timestamp with time zone
  claimed_at timestamp with time zone
  delivered_at timestamp with time zone
  cancelled_at timestamp with time zone
  handled_by character varying(128)
  deleted_at timestamp with time zone
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((fulfilment_status)::text <> ALL ((ARRAY['contacted'::character varying, 'claimed'::character varying])::text[])) OR (handled_by IS NOT NULL)))
  CHECK ((((fulfilment_status)::text = 'cancelled'::text) = (cancelled_at IS NOT NULL)))
  CHECK ((((fulfilment_status)::text = 'delivered'::text) = (delivered_at IS NOT NULL)))
  CHECK ((((fulfilment_type)::text <> 'item'::text) OR (order_id IS NOT NULL)))
  CHECK ((((fulfilment_type)::text = 'item'::text) = (item_id IS NOT NULL)))
  CHECK (((fulfilment_status)::text = ANY ((ARRAY['pending'::character varying, 'contacted'::character varying, 'claimed'::character varying, 'delivered'::character varying, 'cancelled'::character varying])::text[])))
  CHECK (((fulfilment_type)::text = ANY ((ARRAY['claim'::character varying, 'queue'::character varying, 'item'::character varying])::text[])))
  CHECK (((order_id)::text <> ''::text))
  CHECK ((deleted_at IS NULL))
  FOREIGN KEY (tenant_id, item_stock_id) REFERENCES item_stocks(tenant_id, id)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE NULLS NOT DISTINCT (tenant_id, play_id, order_id)
  CREATE INDEX fulfilments_by_time ON public.fulfilments USING btree (tenant_id, created_at, id)
  CREATE INDEX fulfilments_to_do ON public.fulfilments USING btree (tenant_id, created_at, id) WHERE ((fulfilment_status)::text = ANY ((ARRAY['pending'::character varying, 'contacted'::character varying, 'claimed'::character varying])::text[]))
  CREATE TRIGGER fulfilments_move BEFORE UPDATE ON public.fulfilments FOR EACH ROW EXECUTE FUNCTION fulfilment_moves()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table game_alerts (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  rule_id uuid not null
  analytics_id uuid
  alert_name character varying(120) not null
  alert_type character varying(32) not null
  alert_condition character varying(300) not null
  alert_severity character varying(16) not null
  alert_status character varying(16) not null default 'open'::character varying
  alert_message text not null
  alert_metadata jsonb not null default '{}'::jsonb
  score integer not null
  dedup_key character varying(300) not null
  seen_count integer not null default 1
  triggered_at timestamp with time zone not null
  last_seen_at timestamp with time zone not null
  acknowledged_at timestamp with time zone
  acknowledged_by character varying(128)
  resolved_at timestamp with time zone
  resolved_by character varying(128)
  resolution character varying(16)
  resolution_note character varying(500)
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((alert_status)::text = 'resolved'::text) = (resolved_at IS NOT NULL)))
  CHECK (((acknowledged_at IS NULL) = (acknowledged_by IS NULL)))
  CHECK (((alert_severity)::text = ANY ((ARRAY['info'::character varying, 'warning'::character varying, 'critical'::character varying])::text[])))
  CHECK (((alert_status)::text = ANY ((ARRAY['open'::character varying, 'acknowledged'::character varying, 'resolved'::character varying])::text[])))
  CHECK (((resolution)::text = ANY ((ARRAY['harmless'::character varying, 'confirmed'::character varying])::text[])))
  CHECK (((resolved_at IS NULL) = (resolution IS NULL)))
  CHECK (((score >= 0) AND (score <= 100)))
  CHECK ((seen_count >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, analytics_id) REFERENCES game_analytics(tenant_id, id)
  FOREIGN KEY (tenant_id, rule_id) REFERENCES alert_rules(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX game_alerts_by_time ON public.game_alerts USING btree (tenant_id, triggered_at DESC, id DESC)
  CREATE INDEX game_alerts_of_subject ON public.game_alerts USING btree (tenant_id, dedup_key, resolved_at)
  CREATE UNIQUE INDEX game_alerts_standing ON public.game_alerts USING btree (tenant_id, dedup_key) WHERE ((alert_status)::text <> 'resolved'::text)
  CREATE TRIGGER alerts_are_told AFTER INSERT ON public.game_alerts REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION tell_of_alerts()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table game_analytics (row-level security, forced)
  id uuid not null default gen_random_uuid()
  tenant_id uuid not null default app_tenant_id()
  analytics_type character varying(32) not null
  game_type character varying(32)
  metric_name character varying(64) not null
  metric_value numeric(24,6) not null
  metric_unit character varying(16) not null
  metric_tags jsonb not null default '{}'::jsonb
  metric_timestamp timestamp with time zone not null
  source_game character varying(64)
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX game_analytics_by_metric ON public.game_analytics USING btree (tenant_id, metric_name, metric_timestamp)
  CREATE UNIQUE INDEX game_analytics_hours ON public.game_analytics USING btree (tenant_id, source_game, metric_timestamp, metric_name) WHERE ((analytics_type)::text = 'hourly'::text)
  CREATE TRIGGER metrics_raise_alerts AFTER INSERT OR UPDATE OF metric_value ON public.game_analytics FOR EACH ROW EXECUTE FUNCTION metric_alerts()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table game_engines (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  engine_name character varying(120) not null
  engine_type character varying(32) not null
  engine_version character varying(32) not null
  engine_status character varying(16) not null default 'enabled'::character varying
  engine_config jsonb not null default '{}'::jsonb
  engine_capabilities jsonb not null default '[]'::jsonb
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((engine_status)::text = ANY ((ARRAY['enabled'::character varying, 'disabled'::character varying])::text[])))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, engine_type)
  UNIQUE (tenant_id, id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table game_events (row-level security, forced)
  id uuid not null default gen_random_uuid()
  tenant_id uuid not null default app_tenant_id()
  user_id character varying(128)
  event_type character varying(64) not null
  event_category character varying(32) not null
  game_id character varying(64) not null
  game_seq bigint not null
  event_data jsonb not null
  event_status character varying(16) not null default 'committed'::character varying
  event_timestamp timestamp with time zone not null
  ip_address character varying(64)
  user_agent character varying(300)
  row_version integer not null default 1
  created_at timestamp with time zone not null
  PRIMARY KEY (tenant_id, game_id, game_seq)
  CREATE INDEX game_events_by_user ON public.game_events USING btree (tenant_id, user_id, created_at) WHERE (user_id IS NOT NULL)
  CREATE TRIGGER game_events_are_final BEFORE DELETE OR UPDATE ON public.game_events FOR EACH ROW EXECUTE FUNCTION refuse_change()
  CREATE TRIGGER game_events_are_told AFTER INSERT ON public.game_events REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION tell_of_games()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table game_heads (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  game_id character varying(64) not null
  last_seq bigint not null default 0
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, game_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table game_history (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  game_id uuid not null
  record jsonb not null
  created_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, game_id) REFERENCES games(tenant_id, id)
  PRIMARY KEY (tenant_id, game_id)
  CREATE TRIGGER game_history_is_final BEFORE DELETE OR UPDATE ON public.game_history FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table game_participants (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  game_id uuid not null
  user_id character varying(128) not null
  submission_count integer not null default 0
  is_winner boolean
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((submission_count >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, game_id) REFERENCES games(tenant_id, id)
  PRIMARY KEY (tenant_id, game_id, user_id)
  CREATE INDEX game_participants_of_user ON public.game_participants USING btree (tenant_id, user_id, created_at DESC)
  CREATE TRIGGER game_participants_are_kept BEFORE UPDATE ON public.game_participants FOR EACH ROW EXECUTE FUNCTION keep_participant()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (submission_count, is_winner, updated_at) to livedraw_app

table game_submissions (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  game_id uuid not null
  seq integer not null
  user_id character varying(128) not null
  request_id character varying(64) not null
  guess integer
  unique_guess integer
  replaced_by uuid
  answer text not null
  created_at timestamp with time zone not null
  CHECK ((seq >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, game_id, user_id) REFERENCES game_participants(tenant_id, game_id, user_id)
  FOREIGN KEY (tenant_id, replaced_by) REFERENCES game_submissions(tenant_id, id) DEFERRABLE INITIALLY DEFERRED
  PRIMARY KEY (id)
  UNIQUE (tenant_id, game_id, seq)
  UNIQUE (tenant_id, game_id, unique_guess)
  UNIQUE (tenant_id, game_id, user_id, request_id)
  UNIQUE (tenant_id, id)
  CREATE INDEX game_submissions_in_force ON public.game_submissions USING btree (tenant_id, game_id, user_id) WHERE (replaced_by IS NULL)
  CREATE TRIGGER game_submissions_are_kept BEFORE UPDATE ON public.game_submissions FOR EACH ROW EXECUTE FUNCTION keep_submission()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (replaced_by) to livedraw_app

table game_templates (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  game_engine_id uuid not null
  template_name character varying(120) not null
  template_type character varying(32) not null
  template_category character varying(64) not null default 'general'::character varying
  template_description text
  template_config jsonb not null default '{}'::jsonb
  game_rules jsonb not null default '{}'::jsonb
  reward_config jsonb not null default '[]'::jsonb
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, game_engine_id) REFERENCES game_engines(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE INDEX game_templates_by_time ON public.game_templates USING btree (tenant_id, created_at, id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table games (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  creator_id character varying(128) not null
  company_id uuid
  title character varying(120) not null
  description character varying(2000)
  image_url character varying(500)
  link_url character varying(500)
  mode character varying(16) not null
  rule character varying(16)
  guess_min integer
  guess_max integer
  guess_policy character varying(32) not null default 'one_per_user'::character varying
  guesses_per_user integer not null default 1
  number_of_winners integer not null
  number_of_alternates integer not null default 0
  reward_type character varying(16) not null
  reward_text character varying(500)
  prize_id bigint
  reel_id character varying(128)
  is_public boolean not null default true
  opens_at timestamp with time zone
  closes_at timestamp with time zone not null
  claim_window_hours integer not null default 168
  status character varying(16) not null default 'draft'::character varying
  draw_id uuid
  hash_value text
  submission_count integer not null default 0
  participant_count integer not null default 0
  wallet_game_id bigint
  published_at timestamp with time zone
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((((mode)::text = 'draw'::text) = (guess_min IS NULL)) AND (((mode)::text = 'draw'::text) = (guess_max IS NULL))))
  CHECK (((((status)::text = 'draft'::text) = (draw_id IS NULL)) AND (((status)::text = 'draft'::text) = (hash_value IS NULL))))
  CHECK ((((guess_policy)::text = 'n_per_user'::text) OR (guesses_per_user = 1)))
  CHECK ((((mode)::text = 'draw'::text) = (rule IS NULL)))
  CHECK ((((mode)::text = 'draw'::text) OR (guess_min < guess_max)))
  CHECK (((claim_window_hours >= 1) AND (claim_window_hours <= 2160)))
  CHECK (((guess_policy)::text = ANY ((ARRAY['one_per_user'::character varying, 'n_per_user'::character varying, 'number_unique_globally'::character varying, 'replace_until_close'::character varying])::text[])))
  CHECK (((guesses_per_user >= 1) AND (guesses_per_user <= 100)))
  CHECK (((mode)::text = ANY ((ARRAY['guess'::character varying, 'guess_then_draw'::character varying, 'draw'::character varying])::text[])))
  CHECK (((number_of_alternates >= 0) AND (number_of_alternates <= 1000)))
  CHECK (((number_of_winners >= 1) AND (number_of_winners <= 1000)))
  CHECK (((reward_type)::text = ANY ((ARRAY['cash'::character varying, 'digital'::character varying, 'product'::character varying, 'coins'::character varying, 'voucher'::character varying])::text[])))
  CHECK (((rule)::text = ANY ((ARRAY['exact'::character varying, 'nearest'::character varying, 'nearest_under'::character varying, 'unique'::character varying, 'lowest_unique'::character varying])::text[])))
  CHECK (((status)::text = ANY ((ARRAY['draft'::character varying, 'scheduled'::character varying, 'open'::character varying, 'closed'::character varying, 'drawing'::character varying, 'drawn'::character varying, 'settled'::character varying, 'cancelled'::character varying])::text[])))
  CHECK ((btrim((title)::text) <> ''::text))
  CHECK ((participant_count >= 0))
  CHECK ((submission_count >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, company_id) REFERENCES companies(tenant_id, id)
  FOREIGN KEY (tenant_id, draw_id) REFERENCES draws(tenant_id, id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  FOREIGN KEY (tenant_id, wallet_game_id) REFERENCES gamification_games(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE INDEX games_listed ON public.games USING btree (tenant_id, status, closes_at) WHERE is_active
  CREATE INDEX games_of_creator ON public.games USING btree (tenant_id, creator_id, created_at DESC, id DESC)
  CREATE UNIQUE INDEX games_one_per_reel ON public.games USING btree (tenant_id, reel_id) WHERE ((reel_id IS NOT NULL) AND is_active AND ((status)::text <> ALL ((ARRAY['draft'::character varying, 'settled'::character varying, 'cancelled'::character varying])::text[])))
  CREATE TRIGGER games_are_kept BEFORE DELETE OR UPDATE ON public.games FOR EACH ROW EXECUTE FUNCTION keep_game()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table gamification_game_plays (row-level security, forced)
  id bigint not null default nextval('play_ids'::regclass)
  tenant_id uuid not null default app_tenant_id()
  uuid uuid not null
  game_id bigint not null
  user_id character varying(128) not null
  prize_id bigint
  is_winner boolean not null
  prize_code character varying(32)
  prize_status character varying(16)
  prize_snapshot jsonb
  is_claimed boolean generated as COALESCE(((prize_status)::text = 'applied'::text), false)
  claimed_at timestamp with time zone generated as applied_at
  unlocked_at timestamp with time zone
  applied_at timestamp with time zone
  applied_to_order_id character varying(128)
  order_id character varying(128) generated as applied_to_order_id
  applied_details jsonb
  expires_at timestamp with time zone
  grace_hours integer not null default 0
  game_data jsonb not null default '{}'::jsonb
  event_id uuid not null
  ip_address character varying(64)
  user_agent character varying(300)
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  won_by character varying(128)
  received_at timestamp with time zone
  escrow_id uuid
  escrow_kind character varying(8)
  escrow_until timestamp with time zone
  bundle_play_id bigint
  CHECK ((((escrow_id IS NULL) = (escrow_kind IS NULL)) AND ((escrow_id IS NULL) = (escrow_until IS NULL))))
  CHECK (((escrow_id IS NULL) OR ((prize_status)::text = ANY ((ARRAY['locked'::character varying, 'unlocked'::character varying])::text[]))))
  CHECK (((prize_status)::text = ANY ((ARRAY['locked'::character varying, 'unlocked'::character varying, 'applied'::character varying, 'expired'::character varying])::text[])))
  CHECK (((won_by IS NULL) = (received_at IS NULL)))
  CHECK ((is_winner = (prize_code IS NOT NULL)))
  CHECK ((is_winner = (prize_id IS NOT NULL)))
  CHECK ((is_winner = (prize_status IS NOT NULL)))
  FOREIGN KEY (tenant_id, bundle_play_id) REFERENCES gamification_game_plays(tenant_id, id)
  FOREIGN KEY (tenant_id, escrow_id) REFERENCES prize_deals(tenant_id, id)
  FOREIGN KEY (tenant_id, game_id) REFERENCES gamification_games(tenant_id, id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, uuid)
  CREATE INDEX gamification_game_plays_in_escrow ON public.gamification_game_plays USING btree (tenant_id, escrow_id) WHERE (escrow_id IS NOT NULL)
  CREATE INDEX gamification_game_plays_of_bundle ON public.gamification_game_plays USING btree (tenant_id, bundle_play_id) WHERE (bundle_play_id IS NOT NULL)
  CREATE INDEX gamification_game_plays_passed_on ON public.gamification_game_plays USING btree (tenant_id, won_by) WHERE (won_by IS NOT NULL)
  CREATE INDEX idx_expiration ON public.gamification_game_plays USING btree (tenant_id, expires_at, prize_status) WHERE ((prize_status)::text = ANY ((ARRAY['locked'::character varying, 'unlocked'::character varying])::text[]))
  CREATE INDEX idx_game_user_date ON public.gamification_game_plays USING btree (tenant_id, game_id, user_id, created_at)
  CREATE UNIQUE INDEX idx_prize_code ON public.gamification_game_plays USING btree (tenant_id, prize_code) WHERE (prize_code IS NOT NULL)
  CREATE INDEX idx_user_prizes ON public.gamification_game_plays USING btree (tenant_id, user_id, is_winner, prize_status)
  CREATE INDEX plays_by_time ON public.gamification_game_plays USING brin (created_at) WITH (autosummarize='on')
  CREATE INDEX plays_with_traces ON public.gamification_game_plays USING btree (tenant_id, created_at) WHERE ((ip_address IS NOT NULL) OR (user_agent IS NOT NULL))
  CREATE TRIGGER claims_follow AFTER UPDATE ON public.gamification_game_plays FOR EACH ROW WHEN ((((old.prize_status)::text IS DISTINCT FROM (new.prize_status)::text) AND (new.bundle_play_id IS NULL) AND (NOT (((old.prize_status)::text = 'unlocked'::text) AND COALESCE(((new.prize_snapshot ->> 'type'::text) = 'bundle'::text), false))))) EXECUTE FUNCTION claim_follows()
  CREATE TRIGGER moves_reach_inbox AFTER UPDATE ON public.gamification_game_plays REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION inbox_of_moves()
  CREATE TRIGGER plays_are_told AFTER INSERT ON public.gamification_game_plays REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION tell_of_wins()
  CREATE TRIGGER plays_reach_inbox AFTER INSERT ON public.gamification_game_plays REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION inbox_of_wins()
  CREATE TRIGGER prizes_begin BEFORE INSERT ON public.gamification_game_plays FOR EACH ROW WHEN (((new.prize_status)::text <> ALL ((ARRAY['locked'::character varying, 'unlocked'::character varying])::text[]))) EXECUTE FUNCTION prize_begins()
  CREATE TRIGGER prizes_move BEFORE UPDATE ON public.gamification_game_plays FOR EACH ROW WHEN (((old.prize_status)::text IS DISTINCT FROM (new.prize_status)::text)) EXECUTE FUNCTION prize_moves()
  CREATE TRIGGER prizes_pass_on BEFORE UPDATE ON public.gamification_game_plays FOR EACH ROW WHEN (((old.escrow_id IS NOT NULL) OR (new.escrow_id IS NOT NULL) OR ((((old.user_id)::text IS DISTINCT FROM (new.user_id)::text) OR ((old.won_by)::text IS DISTINCT FROM (new.won_by)::text)) OR (old.received_at IS DISTINCT FROM new.received_at)))) EXECUTE FUNCTION prize_changes_hands()
  CREATE TRIGGER prizes_stand BEFORE UPDATE ON public.gamification_game_plays FOR EACH ROW EXECUTE FUNCTION prize_stands()
  CREATE TRIGGER prizes_under_review BEFORE UPDATE ON public.gamification_game_plays FOR EACH ROW WHEN ((((new.prize_status)::text = 'applied'::text) AND ((old.prize_status)::text IS DISTINCT FROM (new.prize_status)::text))) EXECUTE FUNCTION prize_under_review()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table gamification_games (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  game_name character varying(200) not null
  game_type character varying(32) not null
  wheel_game_id uuid
  settings jsonb not null default '{}'::jsonb
  theme jsonb not null default '{}'::jsonb
  play_limits jsonb not null default '{}'::jsonb
  schedule jsonb not null default '{}'::jsonb
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  raffle_campaign_id uuid
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, raffle_campaign_id) REFERENCES raffle_campaigns(tenant_id, id)
  FOREIGN KEY (tenant_id, wheel_game_id) REFERENCES wheel_games(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  UNIQUE (tenant_id, raffle_campaign_id)
  UNIQUE (tenant_id, wheel_game_id)
  CREATE UNIQUE INDEX gamification_games_of_source ON public.gamification_games USING btree (tenant_id, game_type) WHERE ((game_type)::text = ANY ((ARRAY['campaign'::character varying, 'referral'::character varying, 'loyalty'::character varying, 'support'::character varying, 'partner'::character varying, 'other'::character varying])::text[]))
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table gamification_prizes (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  name character varying(200) not null
  description text
  type character varying(32) not null
  value character varying(32)
  display_value character varying(64)
  prize_color character varying(16)
  prize_image character varying(500)
  conditions jsonb not null default '{}'::jsonb
  expires_in_days integer
  never_expires boolean not null default false
  grace_hours integer not null default 0
  cost_minor bigint not null default 0
  stock bigint
  won_count bigint not null default 0
  version integer not null default 1
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  deleted_at timestamp with time zone
  is_transferable boolean not null default true
  rarity character varying(16) not null default 'common'::character varying
  parts jsonb not null default '[]'::jsonb
  parts_apply character varying(8) not null default 'each'::character varying
  pool jsonb
  pool_version integer not null default 0
  takes_codes boolean not null default false
  codes_low_at integer not null default 10
  CHECK (((NOT takes_codes) OR (stock IS NOT NULL)))
  CHECK (((codes_low_at >= 0) AND (codes_low_at <= 1000000)))
  CHECK (((expires_in_days >= 1) AND (expires_in_days <= 3650)))
  CHECK (((grace_hours >= 0) AND (grace_hours <= 24)))
  CHECK (((parts_apply)::text = ANY ((ARRAY['all'::character varying, 'each'::character varying])::text[])))
  CHECK (((rarity)::text = ANY ((ARRAY['common'::character varying, 'uncommon'::character varying, 'rare'::character varying, 'epic'::character varying, 'legendary'::character varying])::text[])))
  CHECK (((won_count >= 0) AND ((stock IS NULL) OR (won_count <= stock))))
  CHECK ((cost_minor >= 0))
  CHECK ((jsonb_typeof(parts) = 'array'::text))
  CHECK ((jsonb_typeof(pool) = 'array'::text))
  CHECK ((pool_version >= 0))
  CHECK ((stock >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table idempotency_keys (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  principal character varying(128) not null
  endpoint character varying(200) not null
  key character varying(255) not null
  state character varying(16) not null
  locked_until timestamp with time zone
  request_hash text not null
  status integer
  answer text
  created_at timestamp with time zone not null
  CHECK (((state)::text = ANY ((ARRAY['in_progress'::character varying, 'done'::character varying])::text[])))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, principal, endpoint, key)
  CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (created_at)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table inbox_heads (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  user_id character varying(128) not null
  version bigint not null default 0
  locked_count integer not null default 0
  unlocked_count integer not null default 0
  applied_count integer not null default 0
  expired_count integer not null default 0
  unread_count integer not null default 0
  next_deadline timestamp with time zone
  CHECK ((applied_count >= 0))
  CHECK ((expired_count >= 0))
  CHECK ((locked_count >= 0))
  CHECK ((unlocked_count >= 0))
  CHECK ((unread_count >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, user_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table item_stocks (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  item_id character varying(64) not null
  item_name character varying(200) not null
  stock bigint not null
  reserved_count bigint not null default 0
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((item_id)::text <> ''::text))
  CHECK ((reserved_count <= stock))
  CHECK ((reserved_count >= 0))
  CHECK ((stock >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE UNIQUE INDEX item_stocks_by_item ON public.item_stocks USING btree (tenant_id, item_id) WHERE is_active
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table ledger_accounts (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  owner_id character varying(128) not null
  account_kind character varying(16) not null
  currency character varying(8) not null
  balance_minor bigint not null default 0
  floor_minor bigint not null default 0
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((account_kind)::text = ANY ((ARRAY['wallet_credit'::character varying, 'loyalty_points'::character varying, 'coins'::character varying, 'free_bet'::character varying, 'cash'::character varying, 'stake'::character varying, 'pool'::character varying, 'prize_fund'::character varying, 'escrow'::character varying, 'house'::character varying, 'fee'::character varying, 'remainder'::character varying])::text[])))
  CHECK (((balance_minor >= '-9007199254740991'::bigint) AND (balance_minor <= '9007199254740991'::bigint)))
  CHECK (((currency)::text ~ '^[A-Z]{3,8}$'::text))
  CHECK (((floor_minor >= '-9007199254740991'::bigint) AND (floor_minor <= 0)))
  CHECK (((owner_id)::text <> ''::text))
  CHECK ((balance_minor >= floor_minor))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, id, currency)
  UNIQUE (tenant_id, owner_id, account_kind, currency)
  CREATE CONSTRAINT TRIGGER ledger_accounts_follow_postings AFTER UPDATE ON public.ledger_accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.balance_minor <> old.balance_minor)) EXECUTE FUNCTION check_ledger_account()
  CREATE CONSTRAINT TRIGGER ledger_accounts_open_empty AFTER INSERT ON public.ledger_accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.balance_minor <> 0)) EXECUTE FUNCTION check_ledger_account()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (balance_minor, floor_minor, updated_at) to livedraw_app

table ledger_postings (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  txn_id uuid not null
  account_id uuid not null
  currency character varying(8) not null
  amount_minor bigint not null
  balance_after_minor bigint not null
  CHECK (((amount_minor <> 0) AND ((amount_minor >= '-9007199254740991'::bigint) AND (amount_minor <= '9007199254740991'::bigint))))
  FOREIGN KEY (tenant_id, account_id, currency) REFERENCES ledger_accounts(tenant_id, id, currency)
  FOREIGN KEY (tenant_id, txn_id) REFERENCES ledger_transfers(tenant_id, id)
  PRIMARY KEY (tenant_id, account_id, id)
  UNIQUE (tenant_id, txn_id, account_id)
  CREATE TRIGGER ledger_postings_are_final BEFORE DELETE OR UPDATE ON public.ledger_postings FOR EACH ROW EXECUTE FUNCTION refuse_change()
  CREATE CONSTRAINT TRIGGER ledger_postings_follow AFTER INSERT ON public.ledger_postings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_ledger_posting()
  CREATE TRIGGER points_are_told AFTER INSERT ON public.ledger_postings REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION tell_of_points()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table ledger_transfers (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  obligation character varying(200) not null
  transfer_type character varying(64) not null
  reason character varying(200)
  posting_count integer not null
  content_hash text not null
  corrects_id uuid
  is_reversal boolean not null default false
  approved_by character varying(128)
  metadata jsonb not null default '{}'::jsonb
  created_by character varying(128) not null
  created_at timestamp with time zone not null
  CHECK (((corrects_id IS NOT NULL) OR ((NOT is_reversal) AND (approved_by IS NULL))))
  CHECK (((obligation)::text <> ''::text))
  CHECK ((length(content_hash) = 64))
  CHECK ((posting_count >= 2))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, corrects_id) REFERENCES ledger_transfers(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, obligation)
  CREATE INDEX ledger_transfers_by_correction ON public.ledger_transfers USING btree (tenant_id, corrects_id) WHERE (corrects_id IS NOT NULL)
  CREATE UNIQUE INDEX ledger_transfers_reversed_once ON public.ledger_transfers USING btree (tenant_id, corrects_id) WHERE is_reversal
  CREATE CONSTRAINT TRIGGER ledger_transfers_add_up AFTER INSERT ON public.ledger_transfers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_ledger_transfer()
  CREATE TRIGGER ledger_transfers_are_final BEFORE DELETE OR UPDATE ON public.ledger_transfers FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table mystery_pools (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  prize_id bigint not null
  pool_version integer not null
  config text not null
  config_hash text not null
  snapshots jsonb not null
  written_by character varying(128) not null
  created_at timestamp with time zone not null
  CHECK ((jsonb_typeof(snapshots) = 'array'::text))
  CHECK ((pool_version >= 1))
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  PRIMARY KEY (tenant_id, prize_id, pool_version)
  CREATE TRIGGER mystery_pools_are_final BEFORE DELETE OR UPDATE ON public.mystery_pools FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table mystery_results (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  play_id bigint not null
  mystery_prize_id bigint not null
  pool_version integer not null
  seed_id uuid not null
  nonce bigint not null
  client_entropy character varying(64) not null default '-'::character varying
  roll bigint not null
  segment_index integer not null
  award_index integer not null
  prize_id bigint not null
  prize_snapshot jsonb not null
  result_timestamp timestamp with time zone not null
  created_at timestamp with time zone not null
  CHECK ((award_index >= 0))
  CHECK ((nonce >= 0))
  CHECK ((segment_index >= 0))
  FOREIGN KEY (tenant_id, mystery_prize_id, pool_version) REFERENCES mystery_pools(tenant_id, prize_id, pool_version)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  FOREIGN KEY (tenant_id, seed_id) REFERENCES fair_seeds(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, play_id)
  UNIQUE (tenant_id, seed_id, nonce)
  CREATE INDEX mystery_results_by_prize ON public.mystery_results USING btree (tenant_id, prize_id)
  CREATE TRIGGER mystery_results_are_final BEFORE DELETE OR UPDATE ON public.mystery_results FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table notifications (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  user_id character varying(128) not null
  kind character varying(32) not null
  play_id bigint
  message character varying(500)
  data jsonb not null default '{}'::jsonb
  created_at timestamp with time zone not null
  read_at timestamp with time zone
  CHECK (((kind)::text ~ '^[a-z][a-z_]*$'::text))
  PRIMARY KEY (tenant_id, user_id, id)
  CREATE INDEX notifications_unread ON public.notifications USING btree (tenant_id, user_id, id) WHERE (read_at IS NULL)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (read_at) to livedraw_app

table outbox (row-level security, forced)
  id uuid not null default gen_random_uuid()
  tenant_id uuid not null default app_tenant_id()
  event_type character varying(64) not null
  data jsonb not null
  created_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX outbox_by_time ON public.outbox USING btree (tenant_id, created_at, id)
  CREATE TRIGGER outbox_is_final BEFORE UPDATE ON public.outbox FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select to livedraw_app
  grant select to livedraw_auditor

table partner_codes (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  prize_id bigint not null
  code_hash text not null
  sealed_code text not null
  play_id bigint
  given_at timestamp with time zone
  shown_at timestamp with time zone
  uploaded_by character varying(128) not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((play_id IS NULL) = (given_at IS NULL)))
  CHECK (((shown_at IS NULL) OR (given_at IS NOT NULL)))
  CHECK ((length(code_hash) = 64))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, code_hash)
  CREATE INDEX partner_codes_free ON public.partner_codes USING btree (tenant_id, prize_id, id) WHERE (play_id IS NULL)
  CREATE UNIQUE INDEX partner_codes_one_per_play ON public.partner_codes USING btree (tenant_id, play_id) WHERE (play_id IS NOT NULL)
  CREATE TRIGGER partner_codes_stay BEFORE DELETE OR UPDATE ON public.partner_codes FOR EACH ROW EXECUTE FUNCTION partner_code_stays()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (sealed_code, play_id, given_at, shown_at, row_version, updated_at) to livedraw_app

table prize_applications (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  play_id bigint not null
  order_id character varying(128) not null
  order_ref jsonb not null
  order_minor bigint not null
  discount_minor bigint not null
  final_minor bigint not null
  max_discount_minor bigint
  currency character varying(3) not null
  facts_hash text not null
  details jsonb not null
  transfer_id uuid
  applied_by character varying(128) not null
  applied_at timestamp with time zone not null
  rolled_back_at timestamp with time zone
  rolled_back_by character varying(128)
  rollback_reason character varying(200)
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  policy_version integer not null default 0
  rolled_back_to character varying(16)
  CHECK (((currency)::text ~ '^[A-Z]{3}$'::text))
  CHECK (((final_minor + discount_minor) = order_minor))
  CHECK (((max_discount_minor IS NULL) OR (discount_minor <= max_discount_minor)))
  CHECK (((order_id)::text <> ''::text))
  CHECK (((rolled_back_at IS NULL) = (rolled_back_by IS NULL)))
  CHECK (((rolled_back_at IS NULL) = (rolled_back_to IS NULL)))
  CHECK (((rolled_back_to)::text = ANY ((ARRAY['unlocked'::character varying, 'expired'::character varying])::text[])))
  CHECK ((discount_minor >= 0))
  CHECK ((final_minor >= 0))
  CHECK ((jsonb_typeof(order_ref) = ANY (ARRAY['number'::text, 'string'::text])))
  CHECK ((length(facts_hash) = 64))
  CHECK ((max_discount_minor > 0))
  CHECK ((order_minor >= 0))
  CHECK ((policy_version >= 0))
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  FOREIGN KEY (tenant_id, transfer_id) REFERENCES ledger_transfers(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, play_id, order_id)
  CREATE INDEX prize_applications_of_order ON public.prize_applications USING btree (tenant_id, order_id) WHERE (rolled_back_at IS NULL)
  CREATE UNIQUE INDEX prize_applications_standing ON public.prize_applications USING btree (tenant_id, play_id) WHERE (rolled_back_at IS NULL)
  CREATE TRIGGER prize_applications_end BEFORE UPDATE ON public.prize_applications FOR EACH ROW EXECUTE FUNCTION prize_application_ends()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (rolled_back_at, rolled_back_by, rollback_reason, row_version, updated_at, rolled_back_to) to livedraw_app

table prize_campaigns (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  campaign_code character varying(32) not null
  campaign_name character varying(200) not null
  prize_id bigint not null
  audience character varying(16) not null
  audience_users jsonb not null default '[]'::jsonb
  starts_at timestamp with time zone
  ends_at timestamp with time zone
  per_user_max integer not null default 1
  grants_max integer
  budget_minor bigint
  granted_count integer not null default 0
  spent_minor bigint not null default 0
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((audience)::text = ANY ((ARRAY['anyone'::character varying, 'listed'::character varying, 'service'::character varying])::text[])))
  CHECK (((budget_minor IS NULL) OR (spent_minor <= budget_minor)))
  CHECK (((campaign_code)::text ~ '^[A-Z0-9]{3,32}$'::text))
  CHECK (((grants_max IS NULL) OR (granted_count <= grants_max)))
  CHECK (((per_user_max >= 1) AND (per_user_max <= 1000)))
  CHECK (((starts_at IS NULL) OR (ends_at IS NULL) OR (starts_at < ends_at)))
  CHECK ((budget_minor >= 0))
  CHECK ((granted_count >= 0))
  CHECK ((grants_max >= 0))
  CHECK ((jsonb_typeof(audience_users) = 'array'::text))
  CHECK ((spent_minor >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, campaign_code)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table prize_deal_items (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  deal_id uuid not null
  play_id bigint not null
  side character varying(4) not null
  was_open boolean not null
  CHECK (((side)::text = ANY ((ARRAY['give'::character varying, 'take'::character varying])::text[])))
  FOREIGN KEY (tenant_id, deal_id) REFERENCES prize_deals(tenant_id, id)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, deal_id, play_id)
  CREATE INDEX prize_deal_items_of_play ON public.prize_deal_items USING btree (tenant_id, play_id)
  CREATE TRIGGER prize_deal_items_are_final BEFORE DELETE OR UPDATE ON public.prize_deal_items FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table prize_deals (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  deal_kind character varying(8) not null
  deal_status character varying(16) not null default 'open'::character varying
  offered_by character varying(128) not null
  offered_to character varying(128)
  wanted bigint[] not null default '{}'::bigint[]
  price_minor bigint
  currency character varying(3)
  fee_bps integer
  expires_at timestamp with time zone not null
  taken_by character varying(128)
  transfer_id uuid
  closed_at timestamp with time zone
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((((deal_kind)::text = 'listing'::text) = (price_minor IS NOT NULL)) AND ((price_minor IS NULL) = (currency IS NULL)) AND ((price_minor IS NULL) = (fee_bps IS NULL))))
  CHECK (((((deal_kind)::text = 'listing'::text) AND ((deal_status)::text = 'accepted'::text)) = (transfer_id IS NOT NULL)))
  CHECK ((((deal_kind)::text = 'listing'::text) = (offered_to IS NULL)))
  CHECK ((((deal_kind)::text = 'trade'::text) = (cardinality(wanted) > 0)))
  CHECK ((((deal_status)::text = 'accepted'::text) = (taken_by IS NOT NULL)))
  CHECK ((((deal_status)::text = 'open'::text) = (closed_at IS NULL)))
  CHECK (((currency)::text ~ '^[A-Z]{3}$'::text))
  CHECK (((deal_kind)::text = ANY ((ARRAY['gift'::character varying, 'trade'::character varying, 'listing'::character varying])::text[])))
  CHECK (((deal_status)::text = ANY ((ARRAY['open'::character varying, 'accepted'::character varying, 'declined'::character varying, 'withdrawn'::character varying, 'lapsed'::character varying])::text[])))
  CHECK (((fee_bps >= 0) AND (fee_bps <= 5000)))
  CHECK (((offered_by)::text <> ''::text))
  CHECK (((offered_to IS NULL) OR ((offered_to)::text <> (offered_by)::text)))
  CHECK (((price_minor >= 1) AND (price_minor <= '1000000000000'::bigint)))
  CHECK (((taken_by IS NULL) OR ((taken_by)::text <> (offered_by)::text)))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, transfer_id) REFERENCES ledger_transfers(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX prize_deals_by_giver ON public.prize_deals USING btree (tenant_id, offered_by, deal_kind, id)
  CREATE INDEX prize_deals_by_receiver ON public.prize_deals USING btree (tenant_id, offered_to, deal_kind, id) WHERE (offered_to IS NOT NULL)
  CREATE INDEX prize_deals_on_sale ON public.prize_deals USING btree (tenant_id, id) WHERE (((deal_kind)::text = 'listing'::text) AND ((deal_status)::text = 'open'::text))
  CREATE INDEX prize_deals_to_lapse ON public.prize_deals USING btree (tenant_id, expires_at) WHERE ((deal_status)::text = 'open'::text)
  CREATE TRIGGER prize_deals_move BEFORE DELETE OR UPDATE ON public.prize_deals FOR EACH ROW EXECUTE FUNCTION deal_moves()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (deal_status, taken_by, transfer_id, closed_at, row_version, updated_at) to livedraw_app

table prize_grants (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  source character varying(16) not null
  source_id character varying(128) not null
  user_id character varying(128) not null
  prize_id bigint not null
  play_id bigint not null
  campaign_id uuid
  cost_minor bigint not null
  granted_by character varying(128) not null
  created_at timestamp with time zone not null
  CHECK (((source)::text = ANY ((ARRAY['campaign'::character varying, 'referral'::character varying, 'loyalty'::character varying, 'support'::character varying, 'partner'::character varying, 'other'::character varying])::text[])))
  CHECK (((source_id)::text <> ''::text))
  CHECK (((user_id)::text <> ''::text))
  CHECK ((cost_minor >= 0))
  FOREIGN KEY (tenant_id, campaign_id) REFERENCES prize_campaigns(tenant_id, id)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, play_id)
  UNIQUE (tenant_id, source, source_id, user_id)
  CREATE INDEX prize_grants_of_campaign ON public.prize_grants USING btree (tenant_id, campaign_id, user_id) WHERE (campaign_id IS NOT NULL)
  CREATE TRIGGER prize_grants_are_final BEFORE DELETE OR UPDATE ON public.prize_grants FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table prize_history (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  play_id bigint not null
  from_status character varying(16) not null
  to_status character varying(16) not null
  moved_at timestamp with time zone not null
  moved_by character varying(128) not null
  why character varying(200) not null
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, play_id, id)
  CREATE TRIGGER prize_history_is_final BEFORE DELETE OR UPDATE ON public.prize_history FOR EACH ROW EXECUTE FUNCTION refuse_change()
  CREATE TRIGGER prize_history_is_kept_by_moves BEFORE INSERT ON public.prize_history FOR EACH ROW WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION refuse_by_hand()
  CREATE TRIGGER prize_moves_are_told AFTER INSERT ON public.prize_history REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION tell_of_moves()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table prize_holds (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  play_id bigint not null
  order_id character varying(128) not null
  order_ref jsonb not null
  held_by character varying(128) not null
  held_until timestamp with time zone not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((order_id)::text <> ''::text))
  CHECK ((held_until >= updated_at))
  CHECK ((jsonb_typeof(order_ref) = ANY (ARRAY['number'::text, 'string'::text])))
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, play_id)
  CREATE INDEX prize_holds_by_end ON public.prize_holds USING btree (tenant_id, held_until)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table prize_returns (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  application_id uuid not null
  return_id character varying(128) not null
  returned_minor bigint not null
  discount_minor bigint not null
  reason character varying(200) not null
  returned_by character varying(128) not null
  created_at timestamp with time zone not null
  CHECK (((return_id)::text <> ''::text))
  CHECK ((discount_minor >= 0))
  CHECK ((returned_minor > 0))
  FOREIGN KEY (tenant_id, application_id) REFERENCES prize_applications(tenant_id, id)
  PRIMARY KEY (tenant_id, application_id, return_id)
  CREATE TRIGGER prize_returns_are_final BEFORE DELETE OR UPDATE ON public.prize_returns FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table prize_reviews (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  play_id bigint not null
  alert_id uuid not null
  held_at timestamp with time zone not null
  decision character varying(16)
  decided_at timestamp with time zone
  decided_by character varying(128)
  row_version integer not null default 1
  CHECK ((((decision IS NULL) = (decided_at IS NULL)) AND ((decision IS NULL) = (decided_by IS NULL))))
  CHECK (((decision)::text = ANY ((ARRAY['released'::character varying, 'refused'::character varying])::text[])))
  FOREIGN KEY (tenant_id, alert_id) REFERENCES game_alerts(tenant_id, id)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, play_id, alert_id)
  CREATE INDEX prize_reviews_holding ON public.prize_reviews USING btree (tenant_id, play_id) WHERE ((decision)::text IS DISTINCT FROM 'released'::text)
  CREATE INDEX prize_reviews_of_alert ON public.prize_reviews USING btree (tenant_id, alert_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (decision, decided_at, decided_by, row_version) to livedraw_app

table prize_shares (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  token character varying(32) not null
  play_id bigint not null
  shared_by character varying(128) not null
  revoked_at timestamp with time zone
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((length((token)::text) = 26))
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, token)
  CREATE UNIQUE INDEX prize_shares_one_stands ON public.prize_shares USING btree (tenant_id, play_id) WHERE (revoked_at IS NULL)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (revoked_at, row_version, updated_at) to livedraw_app

table prize_transfers (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  play_id bigint not null
  from_user_id character varying(128) not null
  to_user_id character varying(128) not null
  deal_id uuid not null
  why character varying(8) not null
  moved_at timestamp with time zone not null
  CHECK (((from_user_id)::text <> (to_user_id)::text))
  CHECK (((why)::text = ANY ((ARRAY['gift'::character varying, 'trade'::character varying, 'listing'::character varying])::text[])))
  FOREIGN KEY (tenant_id, deal_id) REFERENCES prize_deals(tenant_id, id)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, play_id, id)
  UNIQUE (tenant_id, deal_id, play_id)
  CREATE TRIGGER prize_transfers_are_final BEFORE DELETE OR UPDATE ON public.prize_transfers FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table raffle_campaigns (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  campaign_name character varying(120) not null
  campaign_slug character varying(64) not null
  campaign_description text
  campaign_status character varying(16) not null default 'draft'::character varying
  campaign_type character varying(32) not null default 'raffle'::character varying
  start_time timestamp with time zone not null
  end_time timestamp with time zone not null
  ticket_price integer not null
  currency character varying(3) not null
  total_tickets integer not null
  sold_tickets integer not null default 0
  issued_tickets integer not null default 0
  campaign_config jsonb not null default '{}'::jsonb
  is_public boolean not null default true
  is_active boolean not null default true
  number_key text
  instant_seed text
  instant_hash text
  number_cursors jsonb not null default '{}'::jsonb
  first_draw_id uuid
  cancelled_why character varying(500)
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((campaign_name)::text <> ''::text))
  CHECK (((campaign_slug)::text ~ '^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$'::text))
  CHECK (((campaign_status)::text = ANY ((ARRAY['draft'::character varying, 'scheduled'::character varying, 'open'::character varying, 'closed'::character varying, 'drawing'::character varying, 'drawn'::character varying, 'settled'::character varying, 'cancelled'::character varying])::text[])))
  CHECK (((campaign_type)::text = ANY ((ARRAY['raffle'::character varying, 'giveaway'::character varying])::text[])))
  CHECK (((currency)::text ~ '^[A-Z]{3}$'::text))
  CHECK (((sold_tickets <= issued_tickets) AND (issued_tickets <= total_tickets)))
  CHECK (((ticket_price >= 0) AND (ticket_price <= 100000000)))
  CHECK (((total_tickets >= 1) AND (total_tickets <= 10000000)))
  CHECK ((sold_tickets >= 0))
  CHECK ((start_time < end_time))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE UNIQUE INDEX raffle_campaigns_by_slug ON public.raffle_campaigns USING btree (tenant_id, campaign_slug) WHERE is_active
  CREATE INDEX raffle_campaigns_by_time ON public.raffle_campaigns USING btree (tenant_id, created_at, id)
  CREATE TRIGGER raffle_campaigns_are_kept BEFORE DELETE OR UPDATE ON public.raffle_campaigns FOR EACH ROW EXECUTE FUNCTION keep_campaign()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table raffle_configurations (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  config_name character varying(120) not null
  config_type character varying(32) not null default 'campaign'::character varying
  config_values jsonb not null default '{}'::jsonb
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((config_name)::text <> ''::text))
  CHECK (((config_type)::text = 'campaign'::text))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE UNIQUE INDEX raffle_configurations_by_name ON public.raffle_configurations USING btree (tenant_id, config_name) WHERE is_active
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table raffle_draws (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  raffle_campaign_id uuid not null
  draw_order integer not null
  draw_name character varying(120) not null
  draw_time timestamp with time zone not null
  draw_status character varying(16) not null default 'draft'::character varying
  total_tickets integer not null default 0
  winning_tickets integer not null
  alternates integer not null
  prizes jsonb not null
  draw_results jsonb
  frozen_at timestamp with time zone
  redraw_of uuid
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((alternates >= 0) AND (alternates <= 1000)))
  CHECK (((draw_name)::text <> ''::text))
  CHECK (((draw_status)::text = ANY ((ARRAY['draft'::character varying, 'scheduled'::character varying, 'open'::character varying, 'closed'::character varying, 'drawing'::character varying, 'drawn'::character varying, 'settled'::character varying, 'cancelled'::character varying])::text[])))
  CHECK (((winning_tickets >= 1) AND (winning_tickets <= 1000)))
  CHECK ((draw_order >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, raffle_campaign_id) REFERENCES raffle_campaigns(tenant_id, id)
  FOREIGN KEY (tenant_id, redraw_of) REFERENCES raffle_draws(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  UNIQUE (tenant_id, raffle_campaign_id, draw_name)
  UNIQUE (tenant_id, raffle_campaign_id, draw_order)
  CREATE TRIGGER raffle_draws_are_kept BEFORE DELETE OR UPDATE ON public.raffle_draws FOR EACH ROW EXECUTE FUNCTION keep_raffle_draw()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table raffle_held_numbers (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  raffle_campaign_id uuid not null
  number integer not null
  purchase_id uuid not null
  FOREIGN KEY (tenant_id, purchase_id) REFERENCES raffle_purchases(tenant_id, id)
  FOREIGN KEY (tenant_id, raffle_campaign_id) REFERENCES raffle_campaigns(tenant_id, id)
  PRIMARY KEY (tenant_id, raffle_campaign_id, number)
  CREATE INDEX raffle_held_numbers_of_purchase ON public.raffle_held_numbers USING btree (tenant_id, purchase_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select to livedraw_app
  grant select to livedraw_auditor

table raffle_instant_wins (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  raffle_campaign_id uuid not null
  number integer not null
  prize_id bigint not null
  ticket_id uuid
  user_id character varying(128)
  play_id bigint
  won_at timestamp with time zone
  CHECK ((((ticket_id IS NULL) = (user_id IS NULL)) AND ((ticket_id IS NULL) = (won_at IS NULL))))
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  FOREIGN KEY (tenant_id, raffle_campaign_id) REFERENCES raffle_campaigns(tenant_id, id)
  FOREIGN KEY (tenant_id, ticket_id) REFERENCES raffle_tickets(tenant_id, id)
  PRIMARY KEY (tenant_id, raffle_campaign_id, number)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (ticket_id, user_id, play_id, won_at) to livedraw_app

table raffle_purchases (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  raffle_campaign_id uuid not null
  user_id character varying(128) not null
  request_id character varying(300) not null
  request_hash text not null
  purchase_status character varying(16) not null
  via character varying(32) not null
  policy_id uuid
  quantity integer not null
  amount_minor bigint not null
  numbers integer[] not null
  client_entropy character varying(64)
  reserved_until timestamp with time zone
  transfer_id uuid
  refunded_at timestamp with time zone
  refund_reason character varying(500)
  answer text
  paid_answer text
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((purchase_status)::text = 'refunded'::text) = (refunded_at IS NOT NULL)))
  CHECK ((((purchase_status)::text = 'reserved'::text) <= (reserved_until IS NOT NULL)))
  CHECK (((purchase_status)::text = ANY ((ARRAY['reserved'::character varying, 'done'::character varying, 'refunded'::character varying, 'released'::character varying])::text[])))
  CHECK (((quantity >= 1) AND (quantity <= 1000)))
  CHECK ((amount_minor >= 0))
  CHECK ((cardinality(numbers) = quantity))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, policy_id) REFERENCES raffle_ticket_allocation_policies(tenant_id, id)
  FOREIGN KEY (tenant_id, raffle_campaign_id) REFERENCES raffle_campaigns(tenant_id, id)
  FOREIGN KEY (tenant_id, transfer_id) REFERENCES ledger_transfers(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, raffle_campaign_id, user_id, request_id)
  CREATE INDEX raffle_purchases_reserved ON public.raffle_purchases USING btree (tenant_id, raffle_campaign_id, reserved_until) WHERE ((purchase_status)::text = 'reserved'::text)
  CREATE INDEX raffle_purchases_to_refund ON public.raffle_purchases USING btree (tenant_id, raffle_campaign_id, id) WHERE ((purchase_status)::text = 'done'::text)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table raffle_ticket_allocation_policies (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  policy_name character varying(120) not null
  allocation_policy character varying(32) not null
  policy_config jsonb not null default '{}'::jsonb
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((allocation_policy)::text = ANY ((ARRAY['paid'::character varying, 'free'::character varying, 'per_order_amount'::character varying, 'per_action'::character varying, 'time_watching'::character varying, 'subscriber_weight'::character varying, 'bonus_entries'::character varying, 'auto_all'::character varying, 'user_pick'::character varying, 'random_number'::character varying, 'sequential'::character varying, 'range_split'::character varying, 'instant_win'::character varying, 'cooldown'::character varying, 'invite'::character varying])::text[])))
  CHECK (((policy_name)::text <> ''::text))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE UNIQUE INDEX raffle_policies_by_name ON public.raffle_ticket_allocation_policies USING btree (tenant_id, policy_name) WHERE is_active
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table raffle_tickets (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  raffle_campaign_id uuid not null
  user_id character varying(128) not null
  ticket_number character varying(16) not null
  ticket_status character varying(16) not null default 'active'::character varying
  ticket_purchased_at timestamp with time zone not null
  purchase_id uuid not null
  via character varying(32) not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((ticket_status)::text = ANY ((ARRAY['active'::character varying, 'won'::character varying, 'lost'::character varying, 'refunded'::character varying])::text[])))
  FOREIGN KEY (tenant_id, purchase_id) REFERENCES raffle_purchases(tenant_id, id)
  FOREIGN KEY (tenant_id, raffle_campaign_id) REFERENCES raffle_campaigns(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, raffle_campaign_id, ticket_number)
  CREATE INDEX raffle_tickets_active ON public.raffle_tickets USING btree (tenant_id, raffle_campaign_id) WHERE ((ticket_status)::text = 'active'::text)
  CREATE INDEX raffle_tickets_of_purchase ON public.raffle_tickets USING btree (tenant_id, purchase_id)
  CREATE INDEX raffle_tickets_of_user ON public.raffle_tickets USING btree (tenant_id, raffle_campaign_id, user_id, created_at)
  CREATE TRIGGER raffle_tickets_are_kept BEFORE DELETE OR UPDATE ON public.raffle_tickets FOR EACH ROW EXECUTE FUNCTION keep_ticket()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (ticket_status, row_version, updated_at) to livedraw_app

table raffle_winner_history (row-level security, forced)
  id bigint not null generated as identity
  tenant_id uuid not null default app_tenant_id()
  winner_id uuid not null
  from_status character varying(16)
  to_status character varying(16) not null
  ended_as character varying(16)
  moved_at timestamp with time zone not null
  moved_by character varying(128) not null
  why character varying(500)
  FOREIGN KEY (tenant_id, winner_id) REFERENCES raffle_winners(tenant_id, id)
  PRIMARY KEY (tenant_id, winner_id, id)
  CREATE TRIGGER raffle_winner_history_is_final BEFORE DELETE OR UPDATE ON public.raffle_winner_history FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table raffle_winners (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  raffle_draw_id uuid not null
  place integer not null
  raffle_ticket_id uuid not null
  user_id character varying(128) not null
  winner_status character varying(16) not null
  ended_as character varying(16)
  prize_place integer
  prize_id bigint
  prize_type character varying(32)
  prize_amount numeric(18,2)
  play_id bigint
  prize_note character varying(200)
  winner_announced_at timestamp with time zone
  contacted_at timestamp with time zone
  contact_count integer not null default 0
  claimed_at timestamp with time zone
  delivered_at timestamp with time zone
  ended_at timestamp with time zone
  claim_until timestamp with time zone
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((winner_status)::text = 'forfeited'::text) = (ended_as IS NOT NULL)))
  CHECK ((((winner_status)::text = 'forfeited'::text) = (ended_at IS NOT NULL)))
  CHECK ((((winner_status)::text = ANY ((ARRAY['alternate'::character varying, 'forfeited'::character varying])::text[])) OR ((winner_announced_at IS NOT NULL) AND (prize_place IS NOT NULL))))
  CHECK (((ended_as)::text = ANY ((ARRAY['declined'::character varying, 'forfeited'::character varying, 'replaced'::character varying, 'refunded'::character varying])::text[])))
  CHECK (((winner_status)::text = ANY ((ARRAY['announced'::character varying, 'contacted'::character varying, 'claimed'::character varying, 'delivered'::character varying, 'alternate'::character varying, 'forfeited'::character varying])::text[])))
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  FOREIGN KEY (tenant_id, raffle_draw_id) REFERENCES raffle_draws(tenant_id, id)
  FOREIGN KEY (tenant_id, raffle_draw_id, place) REFERENCES draw_winners(tenant_id, draw_id, place)
  FOREIGN KEY (tenant_id, raffle_ticket_id) REFERENCES raffle_tickets(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, raffle_draw_id, place)
  UNIQUE (tenant_id, raffle_draw_id, raffle_ticket_id)
  CREATE INDEX raffle_winners_by_deadline ON public.raffle_winners USING btree (tenant_id, claim_until) WHERE ((winner_status)::text = ANY ((ARRAY['announced'::character varying, 'contacted'::character varying])::text[]))
  CREATE UNIQUE INDEX raffle_winners_one_per_prize ON public.raffle_winners USING btree (tenant_id, raffle_draw_id, prize_place) WHERE ((winner_status)::text <> ALL ((ARRAY['alternate'::character varying, 'forfeited'::character varying])::text[]))
  CREATE TRIGGER raffle_winners_move AFTER INSERT OR UPDATE ON public.raffle_winners FOR EACH ROW EXECUTE FUNCTION move_winner()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table referrals (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  user_id character varying(128) not null
  referrer_id character varying(128) not null
  campaign_id uuid not null
  referral_status character varying(16) not null default 'open'::character varying
  why character varying(64)
  play_id bigint
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((referral_status)::text = 'awarded'::text) = (play_id IS NOT NULL)))
  CHECK (((referral_status)::text = ANY ((ARRAY['open'::character varying, 'awarded'::character varying, 'refused'::character varying])::text[])))
  CHECK (((referrer_id)::text <> ''::text))
  CHECK (((user_id)::text <> ''::text))
  CHECK (((user_id)::text <> (referrer_id)::text))
  FOREIGN KEY (tenant_id, campaign_id) REFERENCES prize_campaigns(tenant_id, id)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, user_id)
  CREATE INDEX referrals_by_referrer ON public.referrals USING btree (tenant_id, referrer_id, id)
  CREATE INDEX referrals_open ON public.referrals USING btree (tenant_id, id) WHERE ((referral_status)::text = 'open'::text)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (referral_status, why, play_id, row_version, updated_at) to livedraw_app

table reward_claims (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  game_id uuid not null
  place integer not null
  prize_place integer not null
  user_id character varying(128) not null
  creator_id character varying(128) not null
  company_id uuid
  creator_name character varying(64) not null
  claim_status character varying(16) not null
  status_at timestamp with time zone not null
  status_by character varying(128) not null
  status_reason character varying(32) not null
  window_ends_at timestamp with time zone not null
  claim_info character varying(2000)
  scan_token_id uuid
  play_id bigint
  promoted_from uuid
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((claim_status)::text = 'completed'::text) OR ((scan_token_id IS NULL) AND (play_id IS NULL))))
  CHECK (((claim_status)::text = ANY ((ARRAY['offered'::character varying, 'pending'::character varying, 'completed'::character varying, 'disputed'::character varying, 'forfeited'::character varying])::text[])))
  CHECK (((place = prize_place) = (promoted_from IS NULL)))
  CHECK (((prize_place >= 1) AND (prize_place <= place)))
  CHECK ((place >= 1))
  FOREIGN KEY (tenant_id, company_id) REFERENCES companies(tenant_id, id)
  FOREIGN KEY (tenant_id, game_id) REFERENCES games(tenant_id, id)
  FOREIGN KEY (tenant_id, game_id, place) REFERENCES winner_history(tenant_id, game_id, place)
  FOREIGN KEY (tenant_id, play_id) REFERENCES gamification_game_plays(tenant_id, id)
  FOREIGN KEY (tenant_id, promoted_from) REFERENCES reward_claims(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, game_id, place)
  UNIQUE (tenant_id, play_id)
  UNIQUE (tenant_id, promoted_from)
  UNIQUE (tenant_id, scan_token_id)
  CREATE INDEX reward_claims_of_company ON public.reward_claims USING btree (tenant_id, company_id, created_at DESC, id DESC) WHERE (company_id IS NOT NULL)
  CREATE INDEX reward_claims_of_creator ON public.reward_claims USING btree (tenant_id, creator_id, created_at DESC, id DESC)
  CREATE INDEX reward_claims_of_name ON public.reward_claims USING btree (tenant_id, creator_name, claim_status)
  CREATE INDEX reward_claims_of_winner ON public.reward_claims USING btree (tenant_id, user_id, created_at DESC, id DESC)
  CREATE UNIQUE INDEX reward_claims_one_stands ON public.reward_claims USING btree (tenant_id, game_id, prize_place) WHERE ((claim_status)::text <> 'forfeited'::text)
  CREATE INDEX reward_claims_waiting ON public.reward_claims USING btree (tenant_id, window_ends_at) WHERE ((claim_status)::text = 'offered'::text)
  CREATE TRIGGER reward_claims_are_kept BEFORE INSERT OR DELETE OR UPDATE ON public.reward_claims FOR EACH ROW EXECUTE FUNCTION keep_claim()
  CREATE TRIGGER reward_claims_move AFTER INSERT OR UPDATE ON public.reward_claims FOR EACH ROW EXECUTE FUNCTION write_claim_move()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (claim_status, status_at, status_by, status_reason, claim_info, scan_token_id, play_id, row_version, updated_at) to livedraw_app

table spin_chances (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  user_id character varying(128) not null
  wheel_game_id uuid
  chance_type character varying(32) not null
  chance_status character varying(16) generated as 
CASE
    WHEN (remaining_chances = 0) THEN 'used'::text
    ELSE 'active'::text
END
  award_reason character varying(200) not null
  chance_count integer not null
  used_chances integer not null default 0
  remaining_chances integer not null
  awarded_at timestamp with time zone not null
  expires_at timestamp with time zone
  chance_metadata jsonb not null default '{}'::jsonb
  visit_day date
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((chance_count >= 1) AND (chance_count <= 1000000)))
  CHECK (((chance_type)::text = ANY ((ARRAY['granted'::character varying, 'page_visit'::character varying, 'reward'::character varying])::text[])))
  CHECK (((used_chances + remaining_chances) = chance_count))
  CHECK ((remaining_chances >= 0))
  CHECK ((used_chances >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, wheel_game_id) REFERENCES wheel_games(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX spin_chances_by_user ON public.spin_chances USING btree (tenant_id, user_id, created_at)
  CREATE UNIQUE INDEX spin_chances_one_visit_a_day ON public.spin_chances USING btree (tenant_id, user_id, wheel_game_id, visit_day) WHERE (visit_day IS NOT NULL)
  CREATE INDEX spin_chances_to_take ON public.spin_chances USING btree (tenant_id, user_id, expires_at) WHERE ((chance_status)::text = 'active'::text)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table spin_results (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  spin_session_id uuid not null
  wheel_reward_id uuid not null
  user_id character varying(128) not null
  seed_id uuid not null
  nonce bigint not null
  config_version integer not null
  roll bigint not null
  client_entropy character varying(64) not null default '-'::character varying
  result_status character varying(16) not null
  claim_status character varying(16) not null
  paid_amount bigint not null default 0
  win_status character varying(16) not null
  result_metadata jsonb not null default '{}'::jsonb
  result_timestamp timestamp with time zone not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((claim_status)::text = ANY ((ARRAY['none'::character varying, 'unclaimed'::character varying, 'claimed'::character varying, 'paid'::character varying, 'expired'::character varying])::text[])))
  CHECK (((result_status)::text = 'final'::text))
  CHECK (((win_status)::text = ANY ((ARRAY['won'::character varying, 'lost'::character varying, 'substituted'::character varying, 'exhausted'::character varying])::text[])))
  CHECK ((nonce >= 0))
  FOREIGN KEY (tenant_id, seed_id) REFERENCES fair_seeds(tenant_id, id)
  FOREIGN KEY (tenant_id, spin_session_id) REFERENCES spin_sessions(tenant_id, id)
  FOREIGN KEY (tenant_id, wheel_reward_id, config_version) REFERENCES wheel_rewards_history(tenant_id, id, config_version)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, seed_id, nonce)
  UNIQUE (tenant_id, spin_session_id)
  CREATE INDEX results_by_time ON public.spin_results USING brin (created_at) WITH (autosummarize='on')
  CREATE INDEX spin_results_by_user ON public.spin_results USING btree (tenant_id, user_id, created_at)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (claim_status, paid_amount, row_version, updated_at) to livedraw_app

table spin_sessions (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  wheel_game_id uuid not null
  user_id character varying(128) not null
  session_id character varying(64) not null
  request_hash text not null
  chance_id uuid not null
  spin_status character varying(16) not null
  spin_started_at timestamp with time zone not null
  spin_completed_at timestamp with time zone
  spin_duration_ms integer
  spin_metadata jsonb not null default '{}'::jsonb
  answer text not null
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((spin_status)::text = ANY ((ARRAY['started'::character varying, 'completed'::character varying, 'voided'::character varying])::text[])))
  FOREIGN KEY (tenant_id, chance_id) REFERENCES spin_chances(tenant_id, id)
  FOREIGN KEY (tenant_id, wheel_game_id) REFERENCES wheel_games(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, user_id, session_id)
  CREATE INDEX spin_sessions_of_player ON public.spin_sessions USING btree (tenant_id, wheel_game_id, user_id, spin_started_at)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table stock_alerts (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  prize_id bigint not null
  alert_type character varying(16) not null
  left_count bigint not null
  created_at timestamp with time zone not null
  CHECK (((alert_type)::text = ANY ((ARRAY['codes_low'::character varying, 'codes_empty'::character varying])::text[])))
  CHECK ((left_count >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  CREATE INDEX stock_alerts_by_time ON public.stock_alerts USING btree (tenant_id, created_at)
  CREATE TRIGGER stock_alerts_are_final BEFORE DELETE OR UPDATE ON public.stock_alerts FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table tenant_heads (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  audit_seq bigint not null default 0
  audit_hash text
  log_size bigint not null default 0
  log_hash text not null default repeat('0'::text, 64)
  forgotten_seq bigint not null default 0
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table tenant_secrets (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  secret_name character varying(32) not null
  sealed_secret text not null
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  row_version integer not null default 1
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, secret_name)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor
  grant update (sealed_secret, updated_at, row_version) to livedraw_app

table tenants (row-level security, forced)
  id uuid not null
  tenant_code character varying(64) not null
  tenant_name character varying(200) not null
  is_active boolean not null default true
  country_code character varying(2)
  currency character varying(3) not null default 'EUR'::character varying
  language_code character varying(16) not null default 'en'::character varying
  time_zone character varying(64) not null default 'UTC'::character varying
  is_demo boolean not null default false
  idp_issuer character varying(300)
  idp_jwks_url character varying(500)
  idp_audience character varying(300)
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  row_version integer not null default 1
  deleted_at timestamp with time zone
  CHECK (((currency)::text ~ '^[A-Z]{3}$'::text))
  CHECK (((tenant_code)::text ~ '^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$'::text))
  PRIMARY KEY (id)
  UNIQUE (idp_issuer)
  UNIQUE (tenant_code)
  CREATE TRIGGER tenants_keep_currency BEFORE UPDATE ON public.tenants FOR EACH ROW WHEN (((old.currency)::text IS DISTINCT FROM (new.currency)::text)) EXECUTE FUNCTION tenant_keeps_currency()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy directory_reads for select to the owner using (true)
  policy tenant_isolation for all to livedraw_app using ((id = app_tenant_id())) with check ((id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table wallet_policies (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  version integer not null
  policy jsonb not null
  changed_by character varying(128) not null
  created_at timestamp with time zone not null
  CHECK ((version >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (tenant_id, version)
  CREATE TRIGGER wallet_policies_are_final BEFORE DELETE OR UPDATE ON public.wallet_policies FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table webhook_attempts (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  delivery_id uuid not null
  attempt_no integer not null
  attempted_at timestamp with time zone not null
  duration_ms integer not null
  status_code integer
  failure character varying(64)
  response_excerpt character varying(1000) not null default ''::character varying
  next_attempt_at timestamp with time zone
  CHECK (((status_code >= 100) AND (status_code <= 599)))
  CHECK (((status_code IS NOT NULL) OR (failure IS NOT NULL)))
  CHECK ((attempt_no >= 1))
  CHECK ((duration_ms >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, delivery_id) REFERENCES webhook_deliveries(tenant_id, id) ON DELETE CASCADE
  PRIMARY KEY (tenant_id, delivery_id, attempt_no)
  CREATE TRIGGER webhook_attempts_are_final BEFORE UPDATE ON public.webhook_attempts FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select to livedraw_app
  grant select to livedraw_auditor

table webhook_deliveries (row-level security, forced)
  id uuid not null default gen_random_uuid()
  tenant_id uuid not null default app_tenant_id()
  webhook_id uuid not null
  event_id uuid not null
  delivery_status character varying(16) not null default 'pending'::character varying
  attempt_count integer not null default 0
  attempts_before integer not null default 0
  next_attempt_at timestamp with time zone
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((delivery_status)::text = 'pending'::text) = (next_attempt_at IS NOT NULL)))
  CHECK (((attempts_before >= 0) AND (attempts_before <= attempt_count)))
  CHECK (((delivery_status)::text = ANY ((ARRAY['pending'::character varying, 'delivered'::character varying, 'failed'::character varying, 'stopped'::character varying])::text[])))
  CHECK ((attempt_count >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, event_id) REFERENCES outbox(tenant_id, id) ON DELETE CASCADE
  FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhooks(tenant_id, id)
  PRIMARY KEY (tenant_id, id)
  UNIQUE (tenant_id, webhook_id, event_id)
  CREATE INDEX webhook_deliveries_by_time ON public.webhook_deliveries USING btree (tenant_id, webhook_id, created_at, id)
  CREATE INDEX webhook_deliveries_due ON public.webhook_deliveries USING btree (tenant_id, webhook_id, next_attempt_at) WHERE ((delivery_status)::text = 'pending'::text)
  CREATE INDEX webhook_deliveries_of_event ON public.webhook_deliveries USING btree (tenant_id, event_id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table webhooks (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  url character varying(500) not null
  description character varying(200)
  event_types jsonb not null
  is_enabled boolean not null default true
  disabled_reason character varying(16)
  secret_sealed text
  previous_secret_sealed text
  previous_secret_until timestamp with time zone
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  deleted_at timestamp with time zone
  CHECK (((disabled_reason)::text = 'gone'::text))
  CHECK (((previous_secret_sealed IS NULL) = (previous_secret_until IS NULL)))
  CHECK ((jsonb_typeof(event_types) = 'array'::text))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table wheel_games (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  game_template_id uuid
  wheel_name character varying(120) not null
  wheel_slug character varying(64) not null
  wheel_status character varying(16) not null default 'draft'::character varying
  wheel_description text
  wheel_config jsonb not null default '{}'::jsonb
  spin_config jsonb not null default '{}'::jsonb
  spin_chance_for_page_visit integer not null default 0
  is_public boolean not null default true
  is_active boolean not null default true
  config_version integer not null default 0
  config_hash text
  budget_minor bigint
  budget_spent_minor bigint not null default 0
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((budget_spent_minor >= 0) AND ((budget_minor IS NULL) OR (budget_spent_minor <= budget_minor))))
  CHECK (((spin_chance_for_page_visit >= 0) AND (spin_chance_for_page_visit <= 100)))
  CHECK (((wheel_slug)::text ~ '^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$'::text))
  CHECK (((wheel_status)::text = ANY ((ARRAY['draft'::character varying, 'live'::character varying, 'paused'::character varying, 'ended'::character varying])::text[])))
  CHECK ((budget_minor >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, game_template_id) REFERENCES game_templates(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE UNIQUE INDEX wheel_games_by_slug ON public.wheel_games USING btree (tenant_id, wheel_slug) WHERE is_active
  CREATE INDEX wheel_games_by_time ON public.wheel_games USING btree (tenant_id, created_at, id)
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table wheel_rewards (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  wheel_game_id uuid not null
  reward_label character varying(80) not null
  reward_slug character varying(64) not null
  reward_type character varying(16) not null
  probability numeric(10,9) not null
  reward_color character varying(16)
  reward_description text
  reward_detail jsonb not null default '{}'::jsonb
  prize_id bigint
  reward_position integer not null default 0
  range_start integer
  range_end integer
  reward_status character varying(16) not null default 'draft'::character varying
  is_active boolean not null default true
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK ((((reward_type)::text = 'none'::text) = (prize_id IS NULL)))
  CHECK (((probability >= (0)::numeric) AND (probability <= (1)::numeric)))
  CHECK (((reward_slug)::text ~ '^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$'::text))
  CHECK (((reward_status)::text = ANY ((ARRAY['draft'::character varying, 'published'::character varying, 'retired'::character varying])::text[])))
  CHECK (((reward_type)::text = ANY ((ARRAY['none'::character varying, 'prize'::character varying, 'spin_chance'::character varying])::text[])))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, prize_id) REFERENCES gamification_prizes(tenant_id, id)
  FOREIGN KEY (tenant_id, wheel_game_id) REFERENCES wheel_games(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  CREATE UNIQUE INDEX wheel_rewards_by_slug ON public.wheel_rewards USING btree (tenant_id, wheel_game_id, reward_slug) WHERE is_active
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant delete, insert, select, update to livedraw_app
  grant select to livedraw_auditor

table wheel_rewards_history (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  wheel_game_id uuid not null
  config_version integer not null
  reward_slug character varying(64) not null
  reward_label character varying(80) not null
  reward_type character varying(16) not null
  prize_id bigint
  reward_color character varying(16)
  reward_detail jsonb not null
  probability numeric(10,9) not null
  weight bigint not null
  segment_index integer not null
  range_start bigint not null
  range_end bigint not null
  CHECK ((weight > 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, id) REFERENCES wheel_rewards(tenant_id, id)
  FOREIGN KEY (tenant_id, wheel_game_id, config_version) REFERENCES wheel_versions(tenant_id, wheel_game_id, config_version)
  PRIMARY KEY (tenant_id, id, config_version)
  UNIQUE (tenant_id, wheel_game_id, config_version, segment_index)
  CREATE TRIGGER wheel_rewards_history_is_final BEFORE DELETE OR UPDATE ON public.wheel_rewards_history FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table wheel_round_entries (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  round_id uuid not null
  entry_index integer not null
  user_id character varying(128) not null
  entrant text not null
  entrant_salt text not null
  client_entropy character varying(64) not null
  leaf text not null
  created_at timestamp with time zone not null
  CHECK ((entry_index >= 0))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, round_id) REFERENCES wheel_rounds(tenant_id, id)
  PRIMARY KEY (tenant_id, round_id, entry_index)
  UNIQUE (tenant_id, round_id, user_id)
  CREATE TRIGGER wheel_round_entries_are_final BEFORE DELETE OR UPDATE ON public.wheel_round_entries FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table wheel_rounds (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  wheel_game_id uuid not null
  round_no integer not null
  config_version integer not null
  commit_hash text not null
  seed_id uuid
  round_status character varying(16) not null
  opens_at timestamp with time zone not null
  closes_at timestamp with time zone not null
  entries_root text
  entry_count integer not null default 0
  beacon jsonb
  ctx text
  outcome jsonb
  landing jsonb
  settle_at timestamp with time zone
  void_reason text
  row_version integer not null default 1
  created_at timestamp with time zone not null
  updated_at timestamp with time zone not null
  CHECK (((round_status)::text = ANY ((ARRAY['open'::character varying, 'closed'::character varying, 'drawn'::character varying, 'settled'::character varying, 'void'::character varying])::text[])))
  CHECK ((round_no >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, commit_hash) REFERENCES fair_commitments(tenant_id, commit_hash)
  FOREIGN KEY (tenant_id, seed_id) REFERENCES fair_seeds(tenant_id, id)
  FOREIGN KEY (tenant_id, wheel_game_id, config_version) REFERENCES wheel_versions(tenant_id, wheel_game_id, config_version)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, id)
  UNIQUE (tenant_id, wheel_game_id, round_no)
  CREATE UNIQUE INDEX wheel_rounds_one_at_a_time ON public.wheel_rounds USING btree (tenant_id, wheel_game_id) WHERE ((round_status)::text = ANY ((ARRAY['open'::character varying, 'closed'::character varying, 'drawn'::character varying])::text[]))
  CREATE TRIGGER wheel_rounds_are_kept BEFORE DELETE OR UPDATE ON public.wheel_rounds FOR EACH ROW EXECUTE FUNCTION keep_round()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select, update to livedraw_app
  grant select to livedraw_auditor

table wheel_versions (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  wheel_game_id uuid not null
  config_version integer not null
  config text not null
  config_hash text not null
  spin_config jsonb not null
  published_by character varying(128) not null
  published_at timestamp with time zone not null
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, wheel_game_id) REFERENCES wheel_games(tenant_id, id)
  PRIMARY KEY (tenant_id, wheel_game_id, config_version)
  CREATE TRIGGER wheel_versions_are_final BEFORE DELETE OR UPDATE ON public.wheel_versions FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table winner_history (row-level security, forced)
  id uuid not null
  tenant_id uuid not null default app_tenant_id()
  game_id uuid not null
  user_id character varying(128) not null
  place integer not null
  submission_id uuid not null
  guess integer
  is_alternate boolean not null
  created_at timestamp with time zone not null
  CHECK ((place >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, game_id, user_id) REFERENCES game_participants(tenant_id, game_id, user_id)
  FOREIGN KEY (tenant_id, submission_id) REFERENCES game_submissions(tenant_id, id)
  PRIMARY KEY (id)
  UNIQUE (tenant_id, game_id, place)
  UNIQUE (tenant_id, id)
  CREATE INDEX winner_history_of_user ON public.winner_history USING btree (tenant_id, user_id, created_at DESC)
  CREATE TRIGGER winner_history_is_final BEFORE DELETE OR UPDATE ON public.winner_history FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

table winning_numbers (row-level security, forced)
  tenant_id uuid not null default app_tenant_id()
  game_id uuid not null
  position integer not null
  winning_number integer not null
  created_at timestamp with time zone not null
  CHECK (("position" >= 1))
  FOREIGN KEY (tenant_id) REFERENCES tenants(id)
  FOREIGN KEY (tenant_id, game_id) REFERENCES games(tenant_id, id)
  PRIMARY KEY (tenant_id, game_id, "position")
  CREATE TRIGGER winning_numbers_are_final BEFORE DELETE OR UPDATE ON public.winning_numbers FOR EACH ROW EXECUTE FUNCTION refuse_change()
  policy auditor_reads for select to livedraw_auditor using (true)
  policy tenant_isolation for all to livedraw_app using ((tenant_id = app_tenant_id())) with check ((tenant_id = app_tenant_id()))
  grant insert, select to livedraw_app
  grant select to livedraw_auditor

-- Functions

CREATE OR REPLACE FUNCTION public.add_job(task text, data jsonb, due_at timestamp with time zone, asked_at timestamp with time zone, job_key text, attempts_max integer, keeps_due_at boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := public.app_tenant_id();
  whole_key text := tenant || '/' || task || '/' || job_key;
begin
  if tenant is null then
    raise exception 'a job belongs to a tenant' using errcode = '42501';
  end if;
  if keeps_due_at then
    due_at := coalesce((select (j.payload ->> 'due_at')::timestamptz from graphile_worker._private_jobs j
                        where j.key = whole_key and j.attempts = 0), due_at);
  end if;
  perform graphile_worker.add_job(
    task,
    json_build_object('tenant_id', tenant, 'due_at', due_at, 'data', data),
    run_at => now() + (due_at - asked_at),
    max_attempts => attempts_max,
    job_key => whole_key,
    job_key_mode => case when keeps_due_at then 'preserve_run_at' else 'replace' end);
end $function$

  grant execute to livedraw_app

CREATE OR REPLACE FUNCTION public.app_tenant_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE
RETURN (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid


CREATE OR REPLACE FUNCTION public.begin_draw()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if new.status <> 'scheduled' or new.entry_count <> 0 or new.outcome is not null then
    raise exception 'a draw begins scheduled and empty' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.check_ledger_account()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (select a.balance_minor from ledger_accounts a where a.tenant_id = new.tenant_id and a.id = new.id)
     <> coalesce((select p.balance_after_minor from ledger_postings p
                  where p.tenant_id = new.tenant_id and p.account_id = new.id order by p.id desc limit 1), 0) then
    raise exception 'ledger account % does not hold what its last posting says', new.id using errcode = '23514';
  end if;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.check_ledger_posting()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  -- One statement for the three questions: it runs for every posting.
  fault text := case
    when new.balance_after_minor - new.amount_minor <> coalesce(
           (select p.balance_after_minor from ledger_postings p
            where p.tenant_id = new.tenant_id and p.account_id = new.account_id and p.id < new.id order by p.id desc limit 1), 0)
      then 'does not follow the one before it'
    when (select t.posting_count from ledger_transfers t where t.tenant_id = new.tenant_id and t.id = new.txn_id)
         <> (select count(*) from ledger_postings p where p.tenant_id = new.tenant_id and p.txn_id = new.txn_id)
      then 'is one more than its transfer began with'
    when (select a.balance_minor from ledger_accounts a where a.tenant_id = new.tenant_id and a.id = new.account_id)
         <> (select p.balance_after_minor from ledger_postings p
             where p.tenant_id = new.tenant_id and p.account_id = new.account_id order by p.id desc limit 1)
      then 'is not what its account holds'
  end;
begin
  if fault is not null then
    raise exception 'ledger posting % %', new.id, fault using errcode = '23514';
  end if;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.check_ledger_transfer()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (select count(*) from ledger_postings p where p.tenant_id = new.tenant_id and p.txn_id = new.id) <> new.posting_count then
    raise exception 'ledger transfer % has not % postings', new.id, new.posting_count using errcode = '23514';
  end if;
  if exists (select from ledger_postings p where p.tenant_id = new.tenant_id and p.txn_id = new.id
             group by p.currency having sum(p.amount_minor) <> 0) then
    raise exception 'ledger transfer % does not add up to zero in each currency', new.id using errcode = '23514';
  end if;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.claim_follows()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update spin_results r
  set claim_status = case new.prize_status
        when 'applied' then case when new.applied_to_order_id like 'claim:%' then 'claimed' else 'paid' end
        when 'unlocked' then 'claimed'
        else 'expired' end,
      -- What was taken off the order, or what was paid; points and coins in their own units.
      paid_amount = case when new.prize_status = 'applied' then coalesce(
        (select greatest(a.discount_minor, (select max(p.amount_minor) from ledger_postings p
                                            where p.tenant_id = a.tenant_id and p.txn_id = a.transfer_id))
         from prize_applications a
         where a.tenant_id = new.tenant_id and a.play_id = new.id and a.rolled_back_at is null), 0) else 0 end,
      updated_at = new.updated_at, row_version = r.row_version + 1
  where r.tenant_id = new.tenant_id and r.spin_session_id = new.event_id;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.deal_moves()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' or old.deal_status <> 'open' or new.deal_status = 'open'
     or (new.deal_status = 'accepted' and (new.expires_at <= new.closed_at or new.taken_by <> new.offered_to)) then
    raise exception 'a deal does not move like that' using errcode = '23514';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.drop_job(task text, job_key text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform graphile_worker.remove_job(public.app_tenant_id() || '/' || task || '/' || job_key);
end $function$

  grant execute to livedraw_app

CREATE OR REPLACE FUNCTION public.fulfilment_moves()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (new.play_id, new.order_id, new.fulfilment_type, new.prize_name, new.item_id, new.category_id, new.item_stock_id, new.created_at)
       is distinct from
     (old.play_id, old.order_id, old.fulfilment_type, old.prize_name, old.item_id, old.category_id, old.item_stock_id, old.created_at) then
    raise exception 'what is owed does not change' using errcode = '23514';
  end if;
  if new.fulfilment_status <> old.fulfilment_status
     and not (old.fulfilment_status, new.fulfilment_status) in
       (('pending', 'contacted'), ('pending', 'claimed'), ('contacted', 'claimed'), ('pending', 'delivered'),
        ('contacted', 'delivered'), ('claimed', 'delivered'), ('pending', 'cancelled'), ('contacted', 'cancelled'),
        ('claimed', 'cancelled')) then
    raise exception 'a fulfilment does not move from % to %', old.fulfilment_status, new.fulfilment_status using errcode = '23514';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.guard_claim_part()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform from reward_claims c where c.tenant_id = new.tenant_id and c.id = new.claim_id
     and c.claim_status in ('pending', 'disputed', case tg_table_name when 'claim_messages' then 'offered' else 'pending' end)
   for share;
  if not found then
    raise exception 'this claim takes nothing more' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.guard_entries()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from (select tenant_id, draw_id, max(entry_index) as last from added group by 1, 2) a
             join draws d on d.tenant_id = a.tenant_id and d.id = a.draw_id
             where d.status <> 'open' or a.last >= d.entry_count) then
    raise exception 'the list of this draw does not take that entry' using errcode = '55000';
  end if;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.guard_winners()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from added a join draws d on d.tenant_id = a.tenant_id and d.id = a.draw_id
             where d.status <> 'drawn' or a.place > d.place_count) then
    raise exception 'this draw has no such place' using errcode = '55000';
  end if;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.inbox_of_moves()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  users jsonb;
begin
  with moved as (
    select n.tenant_id, o.user_id as old_user, n.user_id as new_user
    from after_rows n join before_rows o on o.tenant_id = n.tenant_id and o.id = n.id
    where n.is_winner
      and (o.user_id, o.prize_status, o.expires_at, o.grace_hours) is distinct from (n.user_id, n.prize_status, n.expires_at, n.grace_hours)
  ), owners as (
    select tenant_id, old_user as user_id from moved union select tenant_id, new_user from moved
  ), head as (
    insert into inbox_heads as h (tenant_id, user_id, version)
    select tenant_id, user_id, 1 from owners order by tenant_id, user_id
    on conflict (tenant_id, user_id) do update set version = h.version + 1
    returning user_id
  )
  select coalesce(jsonb_agg(user_id), '[]') into users from head;
  if jsonb_array_length(users) = 0 then return null; end if;

  with steps as (
    select tenant_id, user_id, -1 as n, prize_status, expires_at + make_interval(hours => grace_hours) as deadline, id
    from before_rows where is_winner
    union all
    select tenant_id, user_id, 1, prize_status, expires_at + make_interval(hours => grace_hours), id
    from after_rows where is_winner
  ), change as (
    select tenant_id, user_id,
           coalesce(sum(n) filter (where prize_status = 'locked'), 0) as locked,
           coalesce(sum(n) filter (where prize_status = 'unlocked'), 0) as unlocked,
           coalesce(sum(n) filter (where prize_status = 'applied'), 0) as applied,
           coalesce(sum(n) filter (where prize_status = 'expired'), 0) as expired,
           min(deadline) filter (where n = -1 and prize_status in ('locked', 'unlocked')) as first_before,
           min(deadline) filter (where n = 1 and prize_status in ('locked', 'unlocked')) as first_after
    from steps group by tenant_id, user_id
  )
  update inbox_heads h
     set locked_count = h.locked_count + c.locked, unlocked_count = h.unlocked_count + c.unlocked,
         applied_count = h.applied_count + c.applied, expired_count = h.expired_count + c.expired,
         next_deadline = case
           when c.first_before <= h.next_deadline and c.first_before is distinct from c.first_after then
             (select min(p.expires_at + make_interval(hours => p.grace_hours)) from gamification_game_plays p
              where p.tenant_id = h.tenant_id and p.user_id = h.user_id and p.is_winner and p.prize_status in ('locked', 'unlocked'))
           else least(h.next_deadline, c.first_after) end
    from change c
   where h.tenant_id = c.tenant_id and h.user_id = c.user_id;
  perform stir_inboxes(users);
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.inbox_of_wins()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$


CREATE OR REPLACE FUNCTION public.is_told(event_type text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
RETURN (EXISTS (SELECT FROM webhooks w WHERE ((w.tenant_id = app_tenant_id()) AND w.is_enabled AND (w.deleted_at IS NULL) AND wants_event(w.event_types, is_told.event_type))))


CREATE OR REPLACE FUNCTION public.keep_audit_row()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  -- The purge of personal data is the one change that a written row may see.
  if tg_op = 'UPDATE' and row(new.id, new.tenant_id, new.seq, new.user_id, new.action, new.entity_type, new.entity_id,
       new.old_values, new.new_values, new.prev_hash, new.hash, new.created_at)
     is not distinct from row(old.id, old.tenant_id, old.seq, old.user_id, old.action, old.entity_type, old.entity_id,
       old.old_values, old.new_values, old.prev_hash, old.hash, old.created_at)
     and new.ip_address is null and new.user_agent is null then
    return new;
  end if;
  raise exception 'audit_logs is append-only' using errcode = '55000';
end $function$


CREATE OR REPLACE FUNCTION public.keep_campaign()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' and old.campaign_status <> 'draft'
     or tg_op = 'UPDATE' and old.campaign_status <> 'draft' and (
       row(new.start_time, new.end_time, new.ticket_price, new.currency, new.total_tickets, new.campaign_config, new.campaign_type,
           new.number_key, new.instant_seed, new.instant_hash, new.first_draw_id)
       is distinct from
       row(old.start_time, old.end_time, old.ticket_price, old.currency, old.total_tickets, old.campaign_config, old.campaign_type,
           old.number_key, old.instant_seed, old.instant_hash, old.first_draw_id)
       or new.campaign_status = 'draft' or new.issued_tickets < old.issued_tickets) then
    raise exception 'what a published raffle promised cannot be changed' using errcode = '55000';
  end if;
  return coalesce(new, old);
end $function$


CREATE OR REPLACE FUNCTION public.keep_claim()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' then
    if new.claim_status <> 'offered' then
      raise exception 'a claim begins as an offer' using errcode = '55000';
    end if;
    return new;
  end if;
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.game_id, new.place, new.prize_place, new.user_id, new.creator_id, new.company_id,
            new.creator_name, new.window_ends_at, new.promoted_from, new.created_at)
        is distinct from
        row(old.id, old.tenant_id, old.game_id, old.place, old.prize_place, old.user_id, old.creator_id, old.company_id,
            old.creator_name, old.window_ends_at, old.promoted_from, old.created_at)
     or (new.claim_status = old.claim_status
         and row(new.status_at, new.status_by, new.status_reason) is distinct from row(old.status_at, old.status_by, old.status_reason))
     or (new.claim_status <> old.claim_status
         and (old.claim_status, new.claim_status) not in
             (('offered', 'pending'), ('offered', 'forfeited'), ('pending', 'completed'), ('pending', 'disputed'),
              ('pending', 'forfeited'), ('disputed', 'completed'), ('disputed', 'pending')))
     or (old.claim_info is not null and new.claim_info is distinct from old.claim_info)
     or (old.play_id is not null and new.play_id is distinct from old.play_id)
     or (old.scan_token_id is not null and new.scan_token_id is distinct from old.scan_token_id) then
    raise exception 'a claim cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_complaint()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' then
    perform from reward_claims c
      where c.tenant_id = new.tenant_id and c.id = new.claim_id and c.claim_status = 'disputed'
        and c.user_id = new.complained_by and c.window_ends_at <= new.created_at;
    if not found or new.complaint_status <> 'pending' then
      raise exception 'a complaint is the winner''s, after the claim window' using errcode = '55000';
    end if;
    return new;
  end if;
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.claim_id, new.complained_by, new.message, new.answer_due_at, new.created_at)
        is distinct from row(old.id, old.tenant_id, old.claim_id, old.complained_by, old.message, old.answer_due_at, old.created_at)
     or old.complaint_status = 'resolved'
     or (new.complaint_status <> old.complaint_status
         and (old.complaint_status, new.complaint_status) not in (('pending', 'reviewed'), ('reviewed', 'resolved'))
         -- What was handed over after all needs no decision.
         and not (old.complaint_status = 'pending' and new.complaint_status = 'resolved' and new.outcome = 'fulfilled'))
     or (old.answered_at is not null and row(new.answer, new.answered_by, new.answered_at) is distinct from row(old.answer, old.answered_by, old.answered_at))
     or (old.reviewed_at is not null and row(new.reviewed_by, new.reviewed_at) is distinct from row(old.reviewed_by, old.reviewed_at))
     or (old.failed_at is not null and new.failed_at is distinct from old.failed_at) then
    raise exception 'a complaint cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_creator_block()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE'
     or (old.appeal is not null and row(new.appeal, new.appealed_by, new.appealed_at) is distinct from row(old.appeal, old.appealed_by, old.appealed_at))
     or (old.decision is not null and row(new.decision, new.decided_by, new.decided_at) is distinct from row(old.decision, old.decided_by, old.decided_at))
     or (old.ended_at is not null and new.ended_at is distinct from old.ended_at) then
    raise exception 'a block cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_draw()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.game, new.game_id, new.draw_name, new.kind, new.seq, new.commit_hash, new.seed_id,
            new.opens_at, new.closes_at, new.draw_at, new.after_draw_id, new.redraw_of, new.created_at)
        is distinct from
        row(old.id, old.tenant_id, old.game, old.game_id, old.draw_name, old.kind, old.seq, old.commit_hash, old.seed_id,
            old.opens_at, old.closes_at, old.draw_at, old.after_draw_id, old.redraw_of, old.created_at)
     or (new.status <> old.status
         and (old.status, new.status) not in
             (('scheduled', 'open'), ('scheduled', 'cancelled'), ('open', 'closed'), ('open', 'cancelled'),
              ('closed', 'drawing'), ('closed', 'cancelled'), ('drawing', 'drawn'), ('drawing', 'cancelled'),
              ('drawn', 'settled')))
     or (old.status in ('closed', 'drawing') and new.cancel_reason = 'by_person')
     or (old.status in ('settled', 'cancelled') and new.status = old.status)
     or (old.status <> 'open' and row(new.entry_count, new.tree) is distinct from row(old.entry_count, old.tree))
     or new.entry_count < old.entry_count
     or (old.is_filled and not new.is_filled)
     or (old.entries_root is not null and row(new.entries_root, new.frozen_at) is distinct from row(old.entries_root, old.frozen_at))
     or (old.status <> 'open' and row(new.beacon_round, new.postpone_count) is distinct from row(old.beacon_round, old.postpone_count))
     or new.revealed_count < old.revealed_count
     or (old.outcome is not null
         and row(new.ctx, new.outcome, new.beacon, new.place_count, new.drawn_at, new.settle_at)
             is distinct from row(old.ctx, old.outcome, old.beacon, old.place_count, old.drawn_at, old.settle_at)) then
    raise exception 'a draw cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_game()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE'
     or row(new.id, new.tenant_id, new.creator_id, new.company_id, new.created_at)
        is distinct from row(old.id, old.tenant_id, old.creator_id, old.company_id, old.created_at)
     or (old.status <> 'draft'
         and row(new.mode, new.rule, new.guess_min, new.guess_max, new.guess_policy, new.guesses_per_user,
                 new.number_of_winners, new.number_of_alternates, new.reward_type, new.prize_id, new.reel_id,
                 new.opens_at, new.closes_at, new.claim_window_hours, new.draw_id, new.hash_value, new.published_at)
             is distinct from
             row(old.mode, old.rule, old.guess_min, old.guess_max, old.guess_policy, old.guesses_per_user,
                 old.number_of_winners, old.number_of_alternates, old.reward_type, old.prize_id, old.reel_id,
                 old.opens_at, old.closes_at, old.claim_window_hours, old.draw_id, old.hash_value, old.published_at))
     or (new.status <> old.status
         and (old.status, new.status) not in
             (('draft', 'scheduled'), ('scheduled', 'open'), ('scheduled', 'cancelled'), ('open', 'closed'),
              ('open', 'cancelled'), ('closed', 'drawing'), ('closed', 'cancelled'), ('drawing', 'drawn'),
              ('drawing', 'cancelled'), ('drawn', 'settled')))
     or new.submission_count < old.submission_count
     or new.participant_count < old.participant_count then
    raise exception 'a published game cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_participant()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.is_winner is not null and new.is_winner is distinct from old.is_winner then
    raise exception 'who won is decided once' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_raffle_draw()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' and old.draw_status <> 'draft'
     or tg_op = 'UPDATE' and old.draw_status <> 'draft' and (
       row(new.raffle_campaign_id, new.draw_order, new.draw_name, new.draw_time, new.winning_tickets, new.alternates, new.prizes, new.redraw_of)
       is distinct from
       row(old.raffle_campaign_id, old.draw_order, old.draw_name, old.draw_time, old.winning_tickets, old.alternates, old.prizes, old.redraw_of)
       or (old.frozen_at is not null and row(new.frozen_at, new.total_tickets) is distinct from row(old.frozen_at, old.total_tickets))
       or (old.draw_results is not null and new.draw_results is distinct from old.draw_results)
       or new.draw_status = 'draft') then
    raise exception 'what a raffle draw promised cannot be changed' using errcode = '55000';
  end if;
  return coalesce(new, old);
end $function$


CREATE OR REPLACE FUNCTION public.keep_round()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE'
     or row(new.tenant_id, new.wheel_game_id, new.round_no, new.config_version, new.commit_hash, new.seed_id, new.opens_at, new.closes_at)
        is distinct from
        row(old.tenant_id, old.wheel_game_id, old.round_no, old.config_version, old.commit_hash, old.seed_id, old.opens_at, old.closes_at)
     or (new.round_status <> old.round_status
         and (old.round_status, new.round_status) not in
             (('open', 'closed'), ('open', 'void'), ('closed', 'drawn'), ('closed', 'void'), ('drawn', 'settled')))
     or (old.entries_root is not null and new.entries_root is distinct from old.entries_root)
     or (old.round_status <> 'open' and new.entry_count <> old.entry_count)
     or (old.outcome is not null
         and row(new.ctx, new.outcome, new.landing, new.beacon) is distinct from row(old.ctx, old.outcome, old.landing, old.beacon)) then
    raise exception 'a shared spin cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_seed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE'
     or row(new.tenant_id, new.kind, new.game_id, new.user_id, new.holder, new.commit_hash, new.config_version, new.seq,
            new.seed_hash, new.committed_at)
        is distinct from
        row(old.tenant_id, old.kind, old.game_id, old.user_id, old.holder, old.commit_hash, old.config_version, old.seq,
            old.seed_hash, old.committed_at)
     or (old.seed_status = 'revealed')
     or (old.seed_status = 'active' and (new.client_seed <> old.client_seed or new.seed_status = 'next'))
     or new.next_nonce < old.next_nonce then
    raise exception 'a committed seed cannot be changed' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_submission()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.replaced_by is not null then
    raise exception 'a guess is replaced once' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.keep_ticket()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE'
     or row(new.id, new.raffle_campaign_id, new.user_id, new.ticket_number, new.ticket_purchased_at, new.purchase_id, new.via)
        is distinct from row(old.id, old.raffle_campaign_id, old.user_id, old.ticket_number, old.ticket_purchased_at, old.purchase_id, old.via)
     or (old.ticket_status, new.ticket_status) not in
         (('active', 'active'), ('active', 'won'), ('active', 'lost'), ('active', 'refunded'), ('won', 'won'), ('lost', 'lost'),
          ('lost', 'won'), ('won', 'lost'), ('refunded', 'refunded')) then
    raise exception 'a ticket cannot be changed like that' using errcode = '55000';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.metric_alerts()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into game_alerts as a (id, tenant_id, rule_id, analytics_id, alert_name, alert_type, alert_condition, alert_severity,
                                alert_message, alert_metadata, score, dedup_key, triggered_at, last_seen_at, created_at, updated_at)
  select gen_random_uuid(), new.tenant_id, r.id, new.id, r.rule_name, 'metric',
         format('%s %s %s', new.metric_name, r.settings->>'comparison', r.settings->>'threshold'), r.alert_severity,
         format('%s is %s %s.', new.metric_name, trim_scale(new.metric_value), new.metric_unit),
         jsonb_build_object('metric_name', new.metric_name, 'metric_value', trim_scale(new.metric_value)::text, 'metric_unit', new.metric_unit,
                            'metric_timestamp', new.metric_timestamp, 'source_game', new.source_game),
         50, format('metric:%s:%s', r.id, coalesce(new.source_game, '')), new.updated_at, new.updated_at, new.updated_at, new.updated_at
  from alert_rules r
  where r.tenant_id = new.tenant_id and r.rule_kind = 'metric' and r.is_enabled and r.is_active
    and r.settings->>'metric_name' = new.metric_name
    and (r.settings->>'source_game' is null or r.settings->>'source_game' = new.source_game)
    and case r.settings->>'comparison'
          when 'above' then new.metric_value > (r.settings->>'threshold')::numeric
          when 'below' then new.metric_value < (r.settings->>'threshold')::numeric
        end
  on conflict (tenant_id, dedup_key) where alert_status <> 'resolved' do update
    set analytics_id = excluded.analytics_id, alert_message = excluded.alert_message, alert_metadata = excluded.alert_metadata,
        seen_count = a.seen_count + 1, last_seen_at = excluded.last_seen_at, updated_at = excluded.updated_at,
        row_version = a.row_version + 1;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.move_winner()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' then
    if row(new.id, new.raffle_draw_id, new.place, new.raffle_ticket_id, new.user_id) is distinct from
       row(old.id, old.raffle_draw_id, old.place, old.raffle_ticket_id, old.user_id)
       or (old.prize_place is not null and new.prize_place is distinct from old.prize_place)
       or (new.winner_status <> old.winner_status and (old.winner_status, new.winner_status) not in
            (('alternate', 'announced'), ('alternate', 'forfeited'), ('announced', 'contacted'), ('announced', 'claimed'),
             ('announced', 'forfeited'), ('contacted', 'claimed'), ('contacted', 'forfeited'), ('claimed', 'delivered'),
             ('claimed', 'forfeited'))) then
      raise exception 'a winner does not move from % to %', old.winner_status, new.winner_status using errcode = '55000';
    end if;
    if new.winner_status = old.winner_status and new.contact_count = old.contact_count then return null; end if;
  end if;
  insert into raffle_winner_history (tenant_id, winner_id, from_status, to_status, ended_as, moved_at, moved_by, why)
  values (new.tenant_id, new.id, case when tg_op = 'UPDATE' then old.winner_status end, new.winner_status, new.ended_as, new.updated_at,
          coalesce(nullif(current_setting('app.moved_by', true), ''), session_user), nullif(current_setting('app.moved_why', true), ''));
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.partner_code_stays()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' or (old.play_id is not null and (new.play_id, new.given_at) is distinct from (old.play_id, old.given_at)) then
    raise exception 'a code that was given stays given' using errcode = '23514';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.prize_application_ends()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.rolled_back_at is not null then
    raise exception 'an application is taken back once' using errcode = '23514';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.prize_begins()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'a prize begins locked or unlocked, not %', new.prize_status using errcode = '23514';
end $function$


CREATE OR REPLACE FUNCTION public.prize_changes_hands()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  deal prize_deals;
  is_bound boolean := old.escrow_id is not null and old.escrow_until > new.updated_at;
begin
  if new.prize_status is distinct from old.prize_status then
    if is_bound and new.prize_status <> 'expired' then
      raise exception 'a prize in escrow does not move to %', new.prize_status using errcode = '23514';
    end if;
    -- Nothing holds it any more.
    new.escrow_id := null;
    new.escrow_kind := null;
    new.escrow_until := null;
    is_bound := false;
  end if;

  if new.user_id <> old.user_id then
    select * into deal from prize_deals d where d.tenant_id = old.tenant_id and d.id = old.escrow_id;
    if not coalesce(is_bound and new.prize_status = old.prize_status and new.escrow_id is null
         and new.prize_code <> old.prize_code and new.received_at = new.updated_at
         and new.won_by = coalesce(old.won_by, old.user_id)
         and coalesce((old.prize_snapshot->>'is_transferable')::boolean, true)
         and deal.deal_status = 'accepted'
         and (old.user_id, new.user_id) = (
           select case i.side when 'give' then deal.offered_by else deal.taken_by end,
                  case i.side when 'give' then deal.taken_by else deal.offered_by end
           from prize_deal_items i where i.tenant_id = deal.tenant_id and i.deal_id = deal.id and i.play_id = old.id), false) then
      raise exception 'a prize changes hands by a deal that was accepted' using errcode = '23514';
    end if;
    insert into prize_transfers (tenant_id, play_id, from_user_id, to_user_id, deal_id, why, moved_at)
    values (new.tenant_id, new.id, old.user_id, new.user_id, deal.id, deal.deal_kind, new.updated_at);
    return new;
  end if;

  if (new.won_by, new.received_at) is distinct from (old.won_by, old.received_at) then
    raise exception 'a prize is received with a change of its owner' using errcode = '23514';
  end if;
  if (new.escrow_id, new.escrow_kind, new.escrow_until) is distinct from (old.escrow_id, old.escrow_kind, old.escrow_until) then
    if is_bound then
      select * into deal from prize_deals d where d.tenant_id = old.tenant_id and d.id = old.escrow_id;
      if new.escrow_id is not null or deal.deal_status in ('open', 'accepted') then
        raise exception 'a prize leaves escrow when its deal has ended' using errcode = '23514';
      end if;
    end if;
    if new.escrow_id is not null and not exists (
         select from prize_deals d join prize_deal_items i on i.tenant_id = d.tenant_id and i.deal_id = d.id
         where d.tenant_id = new.tenant_id and d.id = new.escrow_id and i.play_id = new.id and d.deal_status = 'open'
           and d.deal_kind = new.escrow_kind and d.expires_at = new.escrow_until and d.expires_at > new.updated_at
           and new.user_id = case i.side when 'give' then d.offered_by else coalesce(d.offered_to, new.user_id) end) then
      raise exception 'a prize goes into the escrow of an open deal that names it' using errcode = '23514';
    end if;
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.prize_moves()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$


CREATE OR REPLACE FUNCTION public.prize_stands()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$


CREATE OR REPLACE FUNCTION public.prize_under_review()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from prize_reviews r
             where r.tenant_id = new.tenant_id and r.play_id = new.id and r.decision is distinct from 'released') then
    raise exception 'the payout of this prize waits for a review' using errcode = '23514';
  end if;
  return new;
end $function$


CREATE OR REPLACE PROCEDURE public.protect(IN target regclass, IN rights text DEFAULT 'select, insert, update, delete'::text)
 LANGUAGE plpgsql
AS $procedure$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant_isolation on %s to livedraw_app
                    using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id())', target);
  execute format('create policy auditor_reads on %s for select to livedraw_auditor using (true)', target);
  execute format('grant %s on %s to livedraw_app', rights, target);
  execute format('grant select on %s to livedraw_auditor', target);
end $procedure$


CREATE OR REPLACE FUNCTION public.public_prize(snapshot jsonb, is_open boolean)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
RETURN CASE WHEN is_open THEN jsonb_build_object('name', (snapshot -> 'name'::text), 'type', (snapshot -> 'type'::text), 'value', (snapshot -> 'value'::text), 'display_value', (snapshot -> 'display_value'::text)) ELSE NULL::jsonb END


CREATE OR REPLACE FUNCTION public.publish_events(of_type text, datas jsonb[], at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  target uuid;
begin
  if not is_told(of_type) then return; end if;
  with events as (
    insert into outbox (event_type, data, created_at) select of_type, d, at from unnest(datas) as d returning id
  )
  insert into webhook_deliveries (webhook_id, event_id, next_attempt_at, created_at, updated_at)
  select w.id, e.id, at, at, at from events e cross join webhooks w
  where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null and wants_event(w.event_types, of_type);
  for target in
    select w.id from webhooks w
    where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null and wants_event(w.event_types, of_type)
    order by w.id
  loop
    perform add_job('webhooks.deliver', jsonb_build_object('webhook_id', target), at, at, null, 25, false);
  end loop;
end $function$


CREATE OR REPLACE FUNCTION public.refuse_by_hand()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception '% is written by its trigger alone', tg_table_name using errcode = '55000';
end $function$


CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception '% is append-only', tg_table_name using errcode = '55000';
end $function$


CREATE OR REPLACE FUNCTION public.stir_inboxes(users jsonb)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  if jsonb_array_length(users) > 0 then
    perform set_config('app.stirred',
      concat_ws(e'\n', nullif(current_setting('app.stirred', true), ''), users::text), true);
  end if;
end $function$


CREATE OR REPLACE FUNCTION public.take_heads(game_ids text[], event_counts bigint[], audit_count bigint, log_count bigint)
 RETURNS TABLE(game_seqs jsonb, audit_seq bigint, audit_hash text, log_size bigint, log_hash text)
 LANGUAGE plpgsql
AS $function$
declare
  seqs bigint[] := '{}';
  seq bigint;
begin
  -- The caller passes the games in sorted order.
  for i in 1 .. coalesce(array_length(game_ids, 1), 0) loop
    insert into game_heads as h (game_id, last_seq) values (game_ids[i], event_counts[i])
      on conflict (tenant_id, game_id) do update set last_seq = h.last_seq + excluded.last_seq
      returning h.last_seq - event_counts[i] into seq;
    seqs := seqs || seq;
  end loop;
  if audit_count + log_count = 0 then
    return query select to_jsonb(seqs), 0::bigint, null::text, 0::bigint, null::text;
  else
    return query
      update tenant_heads h
         set audit_seq = h.audit_seq + audit_count, log_size = h.log_size + log_count
       where h.tenant_id = app_tenant_id()
      returning to_jsonb(seqs), h.audit_seq - audit_count, h.audit_hash, h.log_size - log_count, h.log_hash;
  end if;
end $function$


CREATE OR REPLACE FUNCTION public.tell_of_alerts()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$


CREATE OR REPLACE FUNCTION public.tell_of_games()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  told record;
begin
  if not exists (select from webhooks w where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null) then
    return null;
  end if;
  for told in
    select n.event_type, max(n.created_at) as at,
           array_agg(jsonb_build_object('game_id', n.game_id, 'seq', n.game_seq) || n.event_data order by n.game_id, n.game_seq) as datas
    from news n
    where n.game_id <> 'lobby' and n.event_type <> 'wheel.spun'
    group by n.event_type
  loop
    perform publish_events(told.event_type, told.datas, told.at);
  end loop;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.tell_of_moves()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  told record;
begin
  if not exists (select from webhooks w where w.tenant_id = app_tenant_id() and w.is_enabled and w.deleted_at is null) then
    return null;
  end if;
  for told in
    select moves.event_type, max(moves.moved_at) as at, array_agg(moves.data order by moves.id) as datas
    from (
      select n.id, n.moved_at,
             case when n.from_status = 'applied' then 'prize.rolled_back' else 'prize.' || n.to_status end as event_type,
             jsonb_build_object('play_id', n.play_id, 'user_id', p.user_id, 'game', g.game_name,
               'prize_status', n.to_status, 'moved_at', utc_text(n.moved_at), 'why', n.why,
               -- The row of the play is still as it was before the move.
               'prize', public_prize(p.prize_snapshot, p.unlocked_at is not null or n.to_status in ('unlocked', 'applied')),
               'application', case when 'applied' in (n.from_status, n.to_status) then
                 (select jsonb_build_object('order_id', a.order_ref, 'order_minor', a.order_minor,
                    'discount_minor', a.discount_minor, 'final_minor', a.final_minor, 'currency', a.currency)
                  from prize_applications a where a.tenant_id = n.tenant_id and a.play_id = n.play_id
                  order by a.applied_at desc, a.id desc limit 1) end) as data
      from news n
      join gamification_game_plays p on p.tenant_id = n.tenant_id and p.id = n.play_id
      join gamification_games g on g.tenant_id = p.tenant_id and g.id = p.game_id
    ) moves
    group by moves.event_type
  loop
    perform publish_events(told.event_type, told.datas, told.at);
  end loop;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.tell_of_points()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  datas jsonb[];
  at timestamptz;
begin
  if not is_told('loyalty.points_moved') then return null; end if;
  select array_agg(jsonb_build_object('user_id', a.owner_id, 'unit', n.currency, 'points', n.amount_minor,
           'balance_after', n.balance_after_minor, 'posting_id', n.id, 'transfer_id', t.id,
           'transfer_type', t.transfer_type, 'corrects_id', t.corrects_id) order by n.id), max(t.created_at)
  into datas, at
  from news n
  join ledger_accounts a on a.tenant_id = n.tenant_id and a.id = n.account_id and a.account_kind = 'loyalty_points'
  join ledger_transfers t on t.tenant_id = n.tenant_id and t.id = n.txn_id;
  if datas is not null then perform publish_events('loyalty.points_moved', datas, at); end if;
  return null;
end $function$


CREATE OR REPLACE FUNCTION public.tell_of_wins()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$


CREATE OR REPLACE FUNCTION public.tenant_directory(code text DEFAULT NULL::text, issuer text DEFAULT NULL::text)
 RETURNS TABLE(id uuid, tenant_code character varying, tenant_name character varying, is_active boolean, is_demo boolean, currency character varying, time_zone character varying, language_code character varying, idp_issuer character varying, idp_jwks_url character varying, idp_audience character varying)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public'
AS $function$
  select t.id, t.tenant_code, t.tenant_name, t.is_active, t.is_demo, t.currency, t.time_zone, t.language_code,
         t.idp_issuer, t.idp_jwks_url, t.idp_audience
  from tenants t
  where t.deleted_at is null
    and (code is null or t.tenant_code = code)
    and (issuer is null or t.idp_issuer = issuer)
$function$

  grant execute to livedraw_app
  grant execute to livedraw_auditor

CREATE OR REPLACE FUNCTION public.tenant_keeps_currency()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from gamification_prizes p where p.tenant_id = new.id and p.deleted_at is null)
     or exists (select from gamification_game_plays p where p.tenant_id = new.id and p.is_winner)
     or exists (select from ledger_accounts a where a.tenant_id = new.id) then
    raise exception 'the currency stays once amounts were written in it' using errcode = '23514';
  end if;
  return new;
end $function$


CREATE OR REPLACE FUNCTION public.utc_text(at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE
RETURN to_char((at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'::text)


CREATE OR REPLACE FUNCTION public.wants_event(event_types jsonb, event_type text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN (event_types ?| ARRAY[event_type, (split_part(event_type, '.'::text, 1) || '.*'::text)])


CREATE OR REPLACE FUNCTION public.write_claim_move()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' and new.claim_status = old.claim_status then return null; end if;
  insert into claim_moves (tenant_id, claim_id, seq, from_status, to_status, moved_at, moved_by, reason)
  select new.tenant_id, new.id, coalesce(max(seq), 0) + 1, case when tg_op = 'UPDATE' then old.claim_status end,
         new.claim_status, new.status_at, new.status_by, new.status_reason
  from claim_moves where tenant_id = new.tenant_id and claim_id = new.id;
  return null;
end $function$


-- Sequences

sequence claim_messages_id_seq

sequence gamification_games_id_seq

sequence gamification_prizes_id_seq

sequence item_stocks_id_seq

sequence ledger_postings_id_seq

sequence notifications_id_seq

sequence partner_codes_id_seq

sequence play_ids
  grant usage to livedraw_app

sequence prize_history_id_seq

sequence prize_transfers_id_seq

sequence raffle_winner_history_id_seq

-- Roles

role livedraw_app nologin

role livedraw_auditor nologin bypassrls
