/** The schema as text, from the catalogue: what a reviewer reads to see what the database became. */
import type { Database } from '../../src/db/pool.ts'

/** Tables with columns, constraints, indexes, triggers, policies and grants; then functions, sequences, roles. */
export async function dumpSchema(database: Database): Promise<string> {
  const tables = await database.query<{ lines: string }>(TABLES)
  const functions = await database.query<{ lines: string }>(FUNCTIONS)
  const sequences = await database.query<{ lines: string }>(SEQUENCES)
  const roles = await database.query<{ lines: string }>(ROLES)
  const part = (title: string, rows: { lines: string }[]) => [
    `-- ${title}`,
    '',
    ...rows.map((row) => `${row.lines}\n`),
  ]
  const head =
    '-- Made by "UPDATE_SCHEMA=1 npx mocha tests/db/schema.test.ts"; do not edit. Its diff is the review of a migration.'
  return [
    head,
    '',
    ...part('Tables', tables),
    ...part('Functions', functions),
    ...part('Sequences', sequences),
    ...part('Roles', roles),
  ].join('\n')
}

/** Grants as "role: privileges"; the owner's own are left out, because his name differs between installations. */
const GRANTS = (acl: string, owner: string) => `
  (select string_agg(format('  grant %s to %s', privileges, grantee), e'\\n' order by grantee, privileges)
   from (select coalesce(g.rolname, 'public') as grantee, string_agg(lower(a.privilege_type), ', ' order by a.privilege_type) as privileges
         from aclexplode(${acl}) a left join pg_roles g on g.oid = a.grantee
         where a.grantee <> ${owner} group by 1) x)`

const TABLES = `
  select concat_ws(e'\\n',
    'table ' || c.relname || case when c.relrowsecurity and c.relforcerowsecurity then ' (row-level security, forced)'
                                  when c.relrowsecurity then ' (row-level security)' else '' end,
    (select string_agg(format('  %s %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
              case when a.attnotnull then ' not null' else '' end,
              case when a.attgenerated <> '' then ' generated as ' || pg_get_expr(d.adbin, d.adrelid)
                   when a.attidentity <> '' then ' generated as identity'
                   when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid) else '' end),
            e'\\n' order by a.attnum)
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    (select string_agg('  ' || pg_get_constraintdef(k.oid), e'\\n' order by k.contype, pg_get_constraintdef(k.oid))
     from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'c', 'x')),
    (select string_agg('  ' || pg_get_indexdef(i.indexrelid), e'\\n' order by i.indexrelid::regclass::text)
     from pg_index i where i.indrelid = c.oid
       and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))),
    (select string_agg('  ' || pg_get_triggerdef(t.oid), e'\\n' order by t.tgname)
     from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
    (select string_agg(format('  policy %s for %s to %s%s%s', p.policyname, lower(p.cmd),
              -- The owner's name differs between installations.
              array_to_string(array(select case when r = pg_get_userbyid(c.relowner) then 'the owner' else r end from unnest(p.roles) r), ', '),
              ' using (' || p.qual || ')', ' with check (' || p.with_check || ')'), e'\\n' order by p.policyname)
     from pg_policies p where p.schemaname = 'public' and p.tablename = c.relname),
    ${GRANTS('c.relacl', 'c.relowner')},
    (select string_agg(format('  grant %s (%s) to %s', privilege, columns, grantee), e'\\n' order by grantee, privilege)
     from (select coalesce(g.rolname, 'public') as grantee, lower(x.privilege_type) as privilege,
                  string_agg(a.attname, ', ' order by a.attnum) as columns
           from pg_attribute a cross join lateral aclexplode(a.attacl) x left join pg_roles g on g.oid = x.grantee
           where a.attrelid = c.oid group by 1, 2) y)
  ) as lines
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and c.relname <> 'schema_migrations'
  order by c.relname`

const FUNCTIONS = `
  select concat_ws(e'\\n', pg_get_functiondef(p.oid), ${GRANTS('p.proacl', 'p.proowner')}) as lines
  from pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  order by p.proname, pg_get_function_identity_arguments(p.oid)`

const SEQUENCES = `
  select concat_ws(e'\\n', 'sequence ' || c.relname, ${GRANTS('c.relacl', 'c.relowner')}) as lines
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'S' and c.relname <> 'schema_migrations_id_seq'
  order by c.relname`

const ROLES = `
  select format('role %s%s%s%s%s', rolname, case when rolcanlogin then ' login' else ' nologin' end,
                case when rolsuper then ' superuser' else '' end, case when rolbypassrls then ' bypassrls' else '' end,
                case when rolcreatedb or rolcreaterole or rolreplication then ' makes databases or roles' else '' end) as lines
  from pg_roles where rolname in ('livedraw_app', 'livedraw_auditor') order by rolname`
