-- Cleaning: what the documents of a source are compared with.

-- name: stored_texts
select document.key, document.text, document.readers
from document join source on source.id = document.source_id
where source.name = %(source)s

-- name: judged
select paragraph from boilerplate join source on source.id = source_id where name = %(source)s

-- name: judge
insert into boilerplate (source_id, paragraph)
select id, unnest(%(paragraphs)s::bytea[]) from source where name = %(source)s
on conflict do nothing
