-- What `bot doctor` asks the database.

-- name: server
select current_setting('server_version'), current_setting('server_version_num')::int,
    (select extversion from pg_extension where extname = 'vector'),
    pg_database_size(current_database())

-- name: queue
-- Jobs that could be begun, those of dead workers, those that failed; and workers that live.
with living as (
    select id from procrastinate_workers
    where last_heartbeat > now() - make_interval(secs => %(dead)s)
)
select count(*) filter (where status = 'todo' and coalesce(scheduled_at, now()) <= now()),
    count(*) filter (where status = 'doing' and not exists (
        select from living where id = worker_id)),
    count(*) filter (where status = 'failed'),
    (select count(*) from living)
from procrastinate_jobs
where status in ('todo', 'doing', 'failed') and queue_name <> %(paused)s

-- name: troubles
-- Syncs that ended early, rebuilds that do not get on, documents that a version could not take.
select 'source ' || name, 'its last sync ended early: ' || error from source where error <> ''
union all
select 'index', 'version ' || id || ' does not get on: ' || error from index_version
where error <> '' and state <> 'dropped'
union all
select 'index', 'version ' || q.version_id || ' could not take ' || count(*)
    || ' documents: see `bot index status`'
from quarantine q join document d on d.id = q.document_id and d.content_hash = q.content_hash
join index_version v on v.id = q.version_id and v.state <> 'dropped'
where q.error <> '' group by q.version_id
