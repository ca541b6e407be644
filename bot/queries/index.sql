-- Sources, documents, index versions, and the ledger of which version holds what.

-- name: live
select id, state, dimensions, settings from index_version where state = 'live'

-- name: writable
-- The versions that a change to a document must reach.
select id, state, dimensions, settings from index_version
where state in ('live', 'building') order by id

-- name: lock_versions
-- One creation or promotion at a time, until the end of the transaction.
select pg_advisory_xact_lock(hashtext('domainbot'), hashtext('index_version'))

-- name: create_version
insert into index_version (dimensions, settings) values (%(dimensions)s, %(settings)s)
returning id, state, dimensions, settings

-- name: make_live
update index_version set state = 'live', promoted_at = now() where id = %(version)s

-- name: lock_source
-- One sync of a source at a time; the lock ends with the connection.
select pg_try_advisory_lock(hashtext('domainbot source'), hashtext(%(name)s))

-- name: unlock_source
select pg_advisory_unlock(hashtext('domainbot source'), hashtext(%(name)s))

-- name: source
-- The row of a source, made when it is new; its readers are those of the last sync.
insert into source (name, type, readers) values (%(name)s, %(type)s, %(readers)s)
on conflict (name) do update set type = excluded.type
returning id, readers, clock_timestamp()

-- name: sources
select s.name, s.type, s.synced_at,
    (select count(*) from document d where d.source_id = s.id) as documents,
    (select count(*) from unreadable u where u.source_id = s.id) as unreadable
from source s order by s.name

-- name: count_documents
select count(*) from document d join source s on s.id = d.source_id where s.name = %(name)s

-- name: source_documents
-- One row more than there are documents: the source itself, for a source without any.
select s.id, d.id from source s left join document d on d.source_id = s.id where s.name = %(name)s

-- name: delete_source
delete from source where id = %(source)s

-- name: set_source_readers
update source set readers = %(readers)s where id = %(source)s

-- name: set_inherited_readers
-- A source's new readers reach every document that does not say its own.
update document set readers = %(readers)s
where source_id = %(source)s and not own_readers and readers <> %(readers)s
returning id

-- name: known
-- What is known of some documents, and whether every given version holds them as they are.
select d.key, d.id, d.fingerprint, d.content_hash, d.readers,
    (select count(*) from indexed i
     where i.document_id = d.id and i.version_id = any(%(versions)s)
       and i.content_hash = d.content_hash) = cardinality(%(versions)s::int[]) as current
from document d
where d.source_id = %(source)s and d.key = any(%(keys)s)

-- name: put_document
insert into document (source_id, key, passage_id, uri, title, text, format, metadata, readers,
    own_readers, content_hash, fingerprint)
values (%(source)s, %(key)s, %(passage_id)s, %(uri)s, %(title)s, %(text)s, %(format)s,
    %(metadata)s, %(readers)s, %(own_readers)s, %(content_hash)s, %(fingerprint)s)
on conflict (source_id, key) do update set passage_id = excluded.passage_id, uri = excluded.uri,
    title = excluded.title, text = excluded.text, format = excluded.format,
    metadata = excluded.metadata, readers = excluded.readers, own_readers = excluded.own_readers,
    content_hash = excluded.content_hash, fingerprint = excluded.fingerprint, updated_at = now()
returning id

-- name: put_indexed
insert into indexed (version_id, document_id, content_hash, chunks)
values (%(version)s, %(document)s, %(content_hash)s, %(chunks)s)
on conflict (version_id, document_id) do update
    set content_hash = excluded.content_hash, chunks = excluded.chunks, indexed_at = now()

-- name: make_seen
-- Which documents the source still holds; lives as long as the sync's connection.
create temporary table if not exists seen (key text primary key)

-- name: clear_seen
truncate seen

-- name: add_seen
-- Returns the keys that were not there before.
insert into seen (key) select unnest(%(keys)s::text[]) on conflict do nothing returning key

-- name: gone
-- Documents that the source does not hold any more.
select id from document d
where source_id = %(source)s and not exists (select from seen s where s.key = d.key)
order by id

-- name: delete_documents
delete from document where id = any(%(ids)s)

-- name: put_unreadable
-- True for what is told for the first time, or with another reason.
with before as (
    select reason from unreadable where source_id = %(source)s and place = %(place)s
), put as (
    insert into unreadable (source_id, place, reason, seen_at)
    values (%(source)s, %(place)s, %(reason)s, clock_timestamp())
    on conflict (source_id, place) do update
        set reason = excluded.reason, seen_at = excluded.seen_at
)
select (select reason from before) is distinct from %(reason)s

-- name: clear_unreadable
delete from unreadable where source_id = %(source)s and seen_at < %(before)s

-- name: synced
update source set synced_at = now() where id = %(source)s
