-- What monitoring counts. Each query gives the labels first and the value last.

-- name: answers
select 1

-- name: queue_jobs
-- queue, state. Failed jobs are kept for four weeks.
select queue_name, status::text, count(*) from procrastinate_jobs
where status in ('todo', 'doing', 'failed') group by 1, 2

-- name: queue_oldest
-- queue. Since when the job that has waited longest could have been begun.
select queue, extract(epoch from now() - greatest(scheduled_at, (
    select min(at) from procrastinate_events e where e.job_id = oldest.id)))::float8
from (
    select distinct on (queue_name) queue_name as queue, id, scheduled_at
    from procrastinate_jobs where status = 'todo' and coalesce(scheduled_at, now()) <= now()
    order by queue_name, id
) oldest

-- name: stalled
-- Jobs in the hands of workers that have shown no sign of life for a while.
select count(*) from procrastinate_jobs j where status = 'doing' and not exists (
    select from procrastinate_workers w
    where w.id = j.worker_id and w.last_heartbeat > now() - make_interval(secs => %(dead)s))

-- name: workers
select count(*) from procrastinate_workers
where last_heartbeat > now() - make_interval(secs => %(dead)s)

-- name: documents
-- source, state: of the live version.
select s.name, case when i.document_id is not null then 'indexed'
        when q.error <> '' and q.content_hash = d.content_hash then 'quarantined'
        else 'waiting' end as state, count(*)
from document d
join source s on s.id = d.source_id
left join index_version v on v.state = 'live'
left join indexed i on i.version_id = v.id and i.document_id = d.id
left join quarantine q on q.version_id = v.id and q.document_id = d.id
group by 1, 2
union all
select s.name, 'unreadable', count(*) from unreadable u join source s on s.id = u.source_id
group by 1

-- name: chunks
-- version, state of the version.
select v.id::text, v.state, coalesce(sum(i.chunks), 0)
from index_version v left join indexed i on i.version_id = v.id
where v.state <> 'dropped' group by v.id

-- name: synced
-- source. When its last whole sync ended, in seconds since 1970.
select name, extract(epoch from synced_at)::float8 from source where synced_at is not null

-- name: sync_failed
-- source
select name, (error <> '')::int from source

-- name: inbox
-- channel, state
select channel, state, count(*) from inbox where state <> 'done' group by 1, 2

-- name: bytes
select pg_database_size(current_database())
