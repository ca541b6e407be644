-- The queue. Its tables and functions are procrastinate's; see docs/operators/reindexing.md.

-- name: job_of_key
select job_id from job_key where key = %(key)s

-- name: defer
-- Wakes the workers when the transaction is committed.
select unnest(procrastinate_defer_jobs_v1(array[
    row(%(queue)s, %(task)s, %(priority)s, %(lock)s, null, %(arguments)s, %(at)s)
    ::procrastinate_job_to_defer_v1]))

-- name: defer_many
-- One job for each of the arguments, an array of JSON objects.
select count(unnested) from unnest(procrastinate_defer_jobs_v1((
    select array_agg(row(%(queue)s, %(task)s, %(priority)s, null, null, each, null)
        ::procrastinate_job_to_defer_v1)
    from jsonb_array_elements(%(arguments)s) each))) unnested

-- name: claim_key
-- Waits for another transaction that has the same key in hand; no row when that one got it.
insert into job_key (key, job_id) values (%(key)s, %(job)s)
on conflict (key) do nothing returning job_id

-- name: take_back
delete from procrastinate_jobs where id = %(job)s

-- name: is_waiting
-- Whether a job with this lock waits or runs.
select exists (
    select from procrastinate_jobs where lock = %(lock)s and status in ('todo', 'doing'))

-- name: reap
-- Jobs of workers that have died go back into the queue, first in line. The conditions are looked
-- at again on a row that another reaper has just changed, so a job goes back once.
update procrastinate_jobs j
set status = 'todo', attempts = attempts + 1, worker_id = null, scheduled_at = null,
    abort_requested = false
where j.status = 'doing' and not exists (
    select from procrastinate_workers w
    where w.id = j.worker_id and w.last_heartbeat > now() - make_interval(secs => %(dead)s))
returning j.id, j.task_name, j.attempts

-- name: doing
-- What a worker has in hand, as the database sees it.
select id, attempts from procrastinate_jobs where status = 'doing' and worker_id = %(worker)s

-- name: let_go
-- Attempts that a worker has not in hand go back; a later attempt at the same job stays.
update procrastinate_jobs j set status = 'todo', attempts = j.attempts + 1, worker_id = null
from unnest(%(jobs)s::bigint[], %(attempts)s::int[]) as lost (id, attempts)
where j.id = lost.id and j.attempts = lost.attempts and j.status = 'doing'
    and j.worker_id = %(worker)s

-- name: living
-- How many workers have shown a sign of life lately.
select count(*) from procrastinate_workers
where last_heartbeat > now() - make_interval(secs => %(dead)s)

-- name: tidy
-- Jobs that ended long ago, with their keys. Failed ones are kept longer, to be looked at.
delete from procrastinate_jobs j
where status in ('succeeded', 'failed', 'cancelled', 'aborted') and not exists (
    select from procrastinate_events e
    where e.job_id = j.id and e.at > now() - make_interval(
        days => case when j.status = 'failed' then 4 * %(days)s::int else %(days)s::int end))
