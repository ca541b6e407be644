-- The golden set: questions, and the sources that a good search finds for them.

-- name: put
-- Asked again of the same readers, a question is replaced; true when it is new.
insert into golden (question, answer, readers, origin, reference, draft)
values (%(question)s, %(answer)s, %(readers)s, %(origin)s, %(reference)s, %(draft)s)
on conflict (md5(question), readers) do update set answer = excluded.answer,
    origin = excluded.origin, reference = excluded.reference, draft = excluded.draft
returning id, xmax = 0

-- name: clear_sources
delete from golden_source where golden_id = %(id)s

-- name: put_sources
insert into golden_source (golden_id, place, grade)
select %(id)s, * from unnest(%(places)s::text[], %(grades)s::int[])

-- name: all
select g.id, g.question, g.answer, g.readers, g.origin, g.reference, g.draft,
    coalesce(jsonb_object_agg(s.place, s.grade) filter (where s.place is not null), '{}')
from golden g left join golden_source s on s.golden_id = g.id
group by g.id order by g.id

-- name: remove
delete from golden where id = any(%(ids)s) returning id

-- name: accept
update golden set draft = false where id = any(%(ids)s) returning id

-- name: expected
-- Who may read the documents that sources name: by address, by the passage id that a document's
-- passages share, or by a passage's own id (SOURCE/KEY#NUMBER).
with asked as (select distinct place from unnest(%(places)s::text[]) as p (place))
select a.place, d.readers from asked a join document d on d.uri = a.place
union all
select a.place, d.readers from asked a join document d on d.passage_id = a.place
where d.passage_id <> ''
union all
select a.place, d.readers
from asked a
join (select s.name || '/' || d.key as name, d.readers
    from document d join source s on s.id = d.source_id) d
    on a.place ~ '#\d+$' and d.name = regexp_replace(a.place, '#\d+$', '')

-- name: praised
-- Answers that people call good and nobody calls bad, with what they cite. A follow-up is asked
-- in the words that it was searched with, as it does not stand alone.
select t.id,
    case when exists (
        select from message e
        where e.conversation_id = t.conversation_id and e.role = 'user' and e.id < q.id)
        then coalesce(nullif(t.queries[1], ''), q.text) else q.text end,
    a.text,
    jsonb_agg(jsonb_build_object('uri', c.uri, 'passage', c.passage_id, 'readers', c.readers)
        order by c.marker)
from turn t
join message q on q.id = t.question_id
join message a on a.id = t.answer_id
join citation c on c.turn_id = t.id
where t.outcome = 'answered'
    and exists (select from feedback f where f.turn_id = t.id and f.good)
    and not exists (select from feedback f where f.turn_id = t.id and not f.good)
group by t.id, t.conversation_id, t.started_at, t.queries, q.id, q.text, a.text
order by t.started_at
