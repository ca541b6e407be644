-- What the home tab shows.

-- name: sources
-- The sources that hold something this person may read, and how fresh they are.
select s.name, count(*) as documents, s.synced_at
from source s join document d on d.source_id = s.id
where s.name = any(%(sources)s) and d.readers && %(principals)s
group by s.id order by s.name limit %(limit)s
