-- Documents that golden questions are drafted from.

-- name: documents
-- Those that no golden question expects come first; among equals an order that is none of theirs,
-- and the same every time.
select place, title, text, readers
from (
    select coalesce(nullif(d.uri, ''), nullif(d.passage_id, ''), s.name || '/' || d.key) as place,
        d.title, d.text, d.readers
    from document d join source s on s.id = d.source_id
    where d.text <> ''
        and (cardinality(%(sources)s::text[]) = 0 or s.name = any(%(sources)s))
) found
order by exists (select from golden_source g where g.place = found.place), md5(place)
limit %(limit)s
