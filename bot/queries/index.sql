-- Sources, documents, and the ledger of which index version holds what.

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

-- name: source_id
select id from source where name = %(name)s

-- name: size
-- All documents, and the characters of their texts.
select count(*), coalesce(sum(length(text)), 0)::bigint from document

-- name: sample
-- Some documents, spread over all of them.
select key, text, title, format from document
where mod(id, (select count(*) / %(limit)s + 1 from document)) = 0 order by id limit %(limit)s

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
-- What is known of some documents, and which versions hold them, or cannot take them.
select d.key, d.id, d.fingerprint, d.content_hash, d.readers,
    array(select i.version_id from indexed i where i.document_id = d.id
        union all
        select q.version_id from quarantine q where q.document_id = d.id
            and q.content_hash = d.content_hash and q.error <> '')
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

-- name: lock_documents
-- In the order of their ids, as everybody does who changes documents: nobody waits in a circle.
select id from document where id = any(%(ids)s) order by id for update

-- name: lock_inherited
select id from document
where source_id = %(source)s and not own_readers and readers <> %(readers)s
order by id for update

-- name: put_indexed
insert into indexed (version_id, document_id, content_hash, chunks)
values (%(version)s, %(document)s, %(content_hash)s, %(chunks)s)
on conflict (version_id, document_id) do update
    set content_hash = excluded.content_hash, chunks = excluded.chunks, indexed_at = now()

-- name: not_indexed
-- What a version holds of these documents is outdated: it is taken out.
delete from indexed where version_id = %(version)s and document_id = any(%(documents)s)

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

-- name: count_gone
-- How many documents the ledger has of a source, and how many of them the source has no more.
select count(*), count(*) filter (where not exists (select from seen s where s.key = d.key))
from document d where source_id = %(source)s

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

-- name: unreadable
select s.name as source, u.place as document, u.reason as error, u.seen_at as at
from unreadable u join source s on s.id = u.source_id order by 1, 2

-- name: clear_unreadable
delete from unreadable where source_id = %(source)s and seen_at < %(before)s

-- name: synced
update source set synced_at = now(), error = '' where id = %(source)s

-- name: not_synced
update source set error = %(error)s where name = %(name)s

-- name: source_errors
select name as source, error from source where error <> '' order by name
