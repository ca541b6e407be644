-- name: lock
-- One registration of a name at a time, so that versions count on.
select pg_advisory_xact_lock(hashtext('adapter ' || %(name)s))

-- name: add
-- A further version of an adapter; the first one is live at once.
insert into adapter (name, version, kind, base, base_sha256, sha256, bytes, readers, note,
    data_sha256, metrics, live, promoted_at)
select %(name)s, coalesce(max(version), 0) + 1, %(kind)s, %(base)s, %(base_sha256)s, %(sha256)s,
    %(bytes)s, %(readers)s, %(note)s, %(data_sha256)s, %(metrics)s,
    count(*) = 0, case when count(*) = 0 then now() end
from adapter where name = %(name)s
returning id, version

-- name: add_piece
-- A piece of one of its files.
insert into adapter_piece (adapter_id, file, ordinal, data)
values (%(id)s, %(file)s, %(ordinal)s, %(data)s)

-- name: pieces
-- All of its files, in order.
select file, data from adapter_piece where adapter_id = %(id)s order by file, ordinal

-- name: list
-- All adapters, the newest version of each name first.
select id, name, version, kind, base, base_sha256, sha256, bytes, readers, note, data_sha256,
    metrics, live, created_at, promoted_at
from adapter order by name, version desc

-- name: live
-- The version of a name that answers.
select id, name, version, kind, base, base_sha256, sha256, bytes, readers, note, data_sha256,
    metrics, live, created_at, promoted_at
from adapter where name = %(name)s and live

-- name: retire
-- No version of a name is live, for the length of a transaction.
update adapter set live = false where name = %(name)s and live

-- name: promote
-- One version answers from now on.
update adapter set live = true, promoted_at = clock_timestamp()
where name = %(name)s and version = %(version)s
returning id

-- name: before
-- The version that was live before the one that is.
select version from adapter
where name = %(name)s and not live and promoted_at is not null
order by promoted_at desc limit 1

-- name: drop
-- One version, which must not be the live one while there are others.
delete from adapter
where name = %(name)s and version = %(version)s
    and (not live or not exists (
        select from adapter other where other.name = adapter.name and other.id <> adapter.id))
returning id

-- name: exists
-- Whether a version is there.
select live from adapter where name = %(name)s and version = %(version)s
