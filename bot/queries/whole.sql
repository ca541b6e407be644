-- name: documents
-- The texts of documents, by source and address, that the asker may read. An address that several
-- documents share names none of them.
select source.name, document.uri, min(document.title), min(document.text),
    min(document.metadata ->> 'type'), array_agg(distinct reader) filter (where reader is not null)
from unnest(%(sources)s::text[], %(uris)s::text[]) as wanted (source, uri)
join source on source.name = wanted.source
join document on document.source_id = source.id and document.uri = wanted.uri
left join lateral unnest(document.readers) as reader on true
where document.readers && %(principals)s::text[]
group by source.name, document.uri
having count(distinct document.id) = 1
