-- Index versions: how they come about, go live, and go.

-- name: live
select id, state, dimensions, settings from index_version where state = 'live'

-- name: version
select id, state, dimensions, settings from index_version where id = %(version)s

-- name: kept
-- What is deleted, or may be read by fewer, must be so in all of these.
select id, state, dimensions, settings from index_version where state <> 'dropped' order by id

-- name: lock_versions
-- One creation, promotion or removal at a time, until the end of the transaction; writers of
-- documents are waited for.
select pg_advisory_xact_lock(hashtext('domainbot'), hashtext('index_version'))

-- name: share_versions
-- No version comes or goes until the end of the transaction.
select pg_advisory_xact_lock_shared(hashtext('domainbot'), hashtext('index_version'))

-- name: create
-- The number after the last one: a sequence alone would leave out 32 after a crash.
with next as materialized (
    select setval(pg_get_serial_sequence('index_version', 'id'), coalesce(max(id), 0) + 1, false)
    from index_version
)
insert into index_version (dimensions, settings)
select %(dimensions)s, %(settings)s from next
returning id, state, dimensions, settings

-- name: building
select id, state, dimensions, settings from index_version where state = 'building'

-- name: retire
update index_version set state = 'retired', retired_at = now() where state = 'live' returning id

-- name: make_live
update index_version
set state = 'live', promoted_at = now(), retired_at = null, paused = false,
    verdict = %(verdict)s,
    replaced = coalesce(%(replaced)s, replaced)
where id = %(version)s

-- name: is_complete
update index_version set state = 'ready', ready_at = now(), paused = false, error = ''
where id = %(version)s and state = 'building'

-- name: went_wrong
update index_version set error = %(error)s where id = %(version)s

-- name: goes_on
update index_version set error = '' where id = %(version)s and error <> ''

-- name: pause
update index_version set paused = %(paused)s where id = %(version)s

-- name: is_paused
-- Nobody pauses or resumes it until the end of the transaction.
select paused from index_version where id = %(version)s for share

-- name: predecessor
-- What was live before the live version, as far as it is still kept.
select b.id, b.state, b.dimensions, b.settings from index_version a
join index_version b on b.id = a.replaced and b.state = 'retired' where a.state = 'live'

-- name: retired_for
-- Seconds since a version was live; many when it never was.
select coalesce(extract(epoch from clock_timestamp() - retired_at), 1e9)::float8
from index_version where id = %(version)s

-- name: wait_shortly
select set_config('lock_timeout', '10s', true)

-- name: make_dropped
update index_version set state = 'dropped', paused = false, error = '' where id = %(version)s

-- name: forget_documents
with gone as (delete from quarantine where version_id = %(version)s)
delete from indexed where version_id = %(version)s

-- name: batches
-- Spans of documents that a version lacks: each about as much as is embedded in one call, and not
-- embedded yet or no more.
select min(id), max(id) from (
    select d.id, sum(greatest(octet_length(d.text), 800)) over (order by d.id) / %(size)s as batch
    from document d
    where not exists (
        select from indexed i where i.version_id = %(version)s and i.document_id = d.id)
    and not exists (
        select from quarantine q where q.version_id = %(version)s and q.document_id = d.id
            and q.content_hash = d.content_hash and q.error <> '')
) lacking group by batch order by 1

-- name: lacking
-- The documents of a span that a version lacks.
select d.id, s.name, d.key, d.passage_id, d.uri, d.title, d.text, d.format, d.metadata, d.readers,
    d.content_hash
from document d join source s on s.id = d.source_id
where d.id between %(first)s and %(last)s
and not exists (select from indexed i where i.version_id = %(version)s and i.document_id = d.id)
and not exists (
    select from quarantine q where q.version_id = %(version)s and q.document_id = d.id
        and q.content_hash = d.content_hash and q.error <> '')
order by d.id

-- name: held
-- A document that a version holds, as it is now.
select d.id, s.name, d.key, d.passage_id, d.uri, d.title, d.text, d.format, d.metadata, d.readers,
    d.content_hash
from indexed i join document d on d.id = i.document_id and d.content_hash = i.content_hash
join source s on s.id = d.source_id
where i.version_id = %(version)s and i.chunks > 0 limit 1

-- name: count_lacking
select count(*) from document d
where not exists (
    select from indexed i where i.version_id = %(version)s and i.document_id = d.id)
and not exists (
    select from quarantine q where q.version_id = %(version)s and q.document_id = d.id
        and q.content_hash = d.content_hash and q.error <> '')

-- name: still
-- Those of some documents that are as they were read, and that a version still lacks; locked in
-- the order of their ids, as everybody does.
select d.id, d.readers from document d
join unnest(%(ids)s::bigint[], %(hashes)s::bytea[]) a(id, hash)
    on a.id = d.id and a.hash = d.content_hash
where not exists (select from indexed i where i.version_id = %(version)s and i.document_id = d.id)
order by d.id for no key update of d

-- name: outstanding
-- Batches of a version that wait or run.
select count(*) from procrastinate_jobs
where task_name = 'index.batch' and status in ('todo', 'doing')
and (args ->> 'version')::int = %(version)s

-- name: any_outstanding
-- Whether jobs of a version wait or run, and whether one runs; those that are paused do neither.
-- And why the version does not get on.
select count(*) > 0, count(*) filter (where status = 'doing') > 0,
    coalesce((select error from index_version where id = %(version)s), '')
from procrastinate_jobs
where task_name in ('index.batch', 'index.finish') and queue_name <> %(paused)s
and status in ('todo', 'doing') and (args ->> 'version')::int = %(version)s

-- name: failed
-- How many batches of a version nobody tries again; a retry forgets them.
select count(*) from procrastinate_jobs
where task_name in ('index.batch', 'index.finish') and status = 'failed'
and (args ->> 'version')::int = %(version)s

-- name: move_jobs
-- Into a queue that nobody serves, or back.
update procrastinate_jobs set queue_name = %(queue)s
where task_name in ('index.batch', 'index.finish') and status = 'todo'
and (args ->> 'version')::int = %(version)s

-- name: announce
select pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}'),
    pg_notify('procrastinate_queue_v1#' || %(queue)s, '{"type": "job_inserted", "job_id": 0}')

-- name: cancel_jobs
delete from procrastinate_jobs
where task_name in ('index.batch', 'index.finish') and status in ('todo', 'failed')
and (args ->> 'version')::int = %(version)s

-- name: begin_trying
-- Before a document that may kill its worker is indexed; how often it has been tried so.
insert into quarantine (version_id, document_id, content_hash, deaths)
select %(version)s, id, content_hash, 1 from document where id = %(document)s
on conflict (version_id, document_id) do update
    set deaths = case when quarantine.content_hash = excluded.content_hash
        then quarantine.deaths + 1 else 1 end,
    content_hash = excluded.content_hash, error = '', at = now()
returning deaths

-- name: quarantine
insert into quarantine (version_id, document_id, content_hash, error)
select %(version)s, id, content_hash, %(error)s from document
where id = %(document)s and content_hash = %(hash)s
on conflict (version_id, document_id) do update
    set content_hash = excluded.content_hash, error = excluded.error, at = now()

-- name: release
delete from quarantine where version_id = %(version)s and document_id = any(%(documents)s)

-- name: outlived
-- Some documents were tried, and nobody has died.
delete from quarantine
where version_id = %(version)s and document_id = any(%(documents)s) and error = ''

-- name: release_all
delete from quarantine where version_id = %(version)s

-- name: quarantined
select q.version_id as version, s.name as source, d.key as document, q.error, q.at
from quarantine q join document d on d.id = q.document_id join source s on s.id = d.source_id
where q.error <> '' and q.content_hash = d.content_hash order by q.version_id, q.at, d.id

-- name: overview
-- One row a version: what it is, how far it is, and how fast it goes.
select v.id as version, v.state, v.paused, v.dimensions, v.settings, v.error, v.created_at,
    v.ready_at, v.promoted_at, v.verdict, v.replaced,
    (select count(*) from document) as documents,
    coalesce(i.held, 0) as indexed, coalesce(i.chunks, 0)::bigint as chunks,
    (select count(*) from quarantine q join document d on d.id = q.document_id
     where q.version_id = v.id and q.error <> '' and q.content_hash = d.content_hash)
        as quarantined,
    coalesce(i.lately / greatest(least(60, extract(epoch from now() - v.created_at)), 1), 0)::float8
        as chunks_per_second,
    (select count(*) from procrastinate_jobs j
     where j.task_name in ('index.batch', 'index.finish') and j.status in ('todo', 'doing')
     and (j.args ->> 'version')::int = v.id) as jobs
from index_version v left join (
    select version_id, count(*) as held, sum(chunks) as chunks,
        sum(chunks) filter (where indexed_at > now() - interval '1 minute') as lately
    from indexed group by version_id
) i on i.version_id = v.id
where v.state <> 'dropped' or %(all)s order by v.id
