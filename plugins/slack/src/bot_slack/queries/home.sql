-- What the home tab shows.

-- name: sources
-- The sources that hold something this person may read, and how fresh they are.
select s.name, count(*) as documents, s.synced_at
from source s join document d on d.source_id = s.id
where s.name = any(%(sources)s) and d.readers && %(principals)s
group by s.id order by s.name limit %(limit)s

-- name: titles
-- The same sources, each with its newest titles.
select s.name, s.synced_at, d.id, d.title, d.uri, d.readers, d.documents
from source s cross join lateral (
    select count(*) over () as documents, id, coalesce(nullif(title, ''), key) as title, uri, readers
    from document where source_id = s.id and readers && %(principals)s::text[]
    order by updated_at desc, id limit %(titles)s) d
where s.name = any(%(sources)s::text[]) order by s.name, d.id

-- name: approved
-- Questions that the team has approved an answer to, the newest first.
select question from curated_answer
where readers && %(principals)s::text[] and char_length(question) <= %(length)s
order by id desc limit %(limit)s
