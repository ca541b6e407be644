-- What a backup and a restore ask and change besides the backup's own SQL.

-- name: made
-- Whether any bot has used this database.
select to_regclass('_yoyo_migration') is not null

-- name: others
-- Connections of the bot to this database, but for those of one name.
select count(*) from pg_stat_activity
where datname = current_database() and application_name like 'domainbot%%'
    and application_name <> %(own)s

-- name: tables
-- Every table that is no extension's; the history of the schema is in each bot's database.
select n.nspname, c.relname
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname !~ '^pg_(catalog|toast|temp)' and n.nspname <> 'information_schema'
    and c.relname !~ '^_?yoyo'
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 1, 2

-- name: filled
select exists (select from {})

-- name: drops
-- Statements that empty the database: whole schemas, and where an extension lives, all but it.
with kept as (
    select oid, nspname from pg_namespace
    where nspname !~ '^pg_'
        and (nspname = 'public' or oid in (select extnamespace from pg_extension))
), loose as (
    select 1 as turn, format('drop table if exists %I.%I cascade', n.nspname, c.relname) as drop,
        c.oid, 'pg_class'::regclass as class
    from pg_class c join kept n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'f')
    union all
    select 2, format('drop %s if exists %I.%I cascade',
            case c.relkind when 'v' then 'view' when 'm' then 'materialized view'
                when 'S' then 'sequence' else 'type' end, n.nspname, c.relname),
        c.oid, 'pg_class'::regclass
    from pg_class c join kept n on n.oid = c.relnamespace where c.relkind in ('v', 'm', 'S', 'c')
    union all
    select 3, format('drop routine if exists %s cascade', p.oid::regprocedure),
        p.oid, 'pg_proc'::regclass
    from pg_proc p join kept n on n.oid = p.pronamespace
    union all
    select 4, format('drop type if exists %I.%I cascade', n.nspname, t.typname),
        t.oid, 'pg_type'::regclass
    from pg_type t join kept n on n.oid = t.typnamespace where t.typtype in ('e', 'd', 'r')
)
select drop from (
    select 0 as turn, format('drop schema if exists %I cascade', nspname) as drop
    from pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema'
        and oid not in (select oid from kept)
    union all
    select turn, drop from loose l
    where not exists (
        select from pg_depend d
        where d.classid = l.class and d.objid = l.oid and d.deptype = 'e')
) every order by turn, drop

-- name: extension
create extension if not exists {}

-- name: wait_shortly
set local lock_timeout = '10s'

-- name: reset
-- The backup's SQL has emptied the search path.
reset all

-- name: analyze
analyze
