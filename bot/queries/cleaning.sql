-- Cleaning: what the documents of a source are compared with.

-- name: stored_texts
select document.key, document.text, document.readers
from document join source on source.id = document.source_id
where source.name = %(source)s
