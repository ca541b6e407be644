-- What a model is tuned on, from the bot's own database.

-- name: documents
-- All documents of a source, with who may read them.
select d.uri, d.title, d.text, d.readers
from document d join source s on s.id = d.source_id
where s.name = %(source)s and d.text <> '' order by d.key

-- name: bad
-- Answers that people call bad, with their questions and who may read what each cites.
select q.text, a.text,
    array(select to_jsonb(c.readers) from citation c where c.turn_id = t.id)
from turn t
join message q on q.id = t.question_id
join message a on a.id = t.answer_id
where t.outcome = 'answered'
    and exists (select from feedback f where f.turn_id = t.id and not f.good)
order by t.started_at
