-- Why: work that must happen later, once, and only if the transaction that asked for it commits. Jobs live in the queue's
-- own schema (graphile_worker, brought up beside this one); the application reaches it through these two functions alone,
-- so that a tenant can add and take back jobs of its own and touch nobody else's.

-- `due_at` and `asked_at` are instants of the application's clock; the queue runs on the database's. Their difference is
-- what both agree on. `due_at` stays in the job for clocks that tests move.
create function add_job(task text, data jsonb, due_at timestamptz, asked_at timestamptz, job_key text, attempts_max integer,
                        keeps_due_at boolean)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
end $$;
revoke all on function add_job from public;
grant execute on function add_job to livedraw_app;

create function drop_job(task text, job_key text)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform graphile_worker.remove_job(public.app_tenant_id() || '/' || task || '/' || job_key);
end $$;
revoke all on function drop_job from public;
grant execute on function drop_job to livedraw_app;
