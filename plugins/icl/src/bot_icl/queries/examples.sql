-- name: praised
-- Questions with answers that somebody marked right and nobody wrong, the newest first. They inherit
-- the readers of what they cite: the asker must be one of each.
select asked.text, said.text
from turn
join message asked on asked.id = turn.question_id
join message said on said.id = turn.answer_id
where turn.outcome = 'answered'
    and turn.assistant = %(assistant)s
    and exists (select from feedback where turn_id = turn.id and good)
    and not exists (select from feedback where turn_id = turn.id and not good)
    and exists (select from citation where turn_id = turn.id)
    and not exists (
        select from citation
        where turn_id = turn.id and not readers && %(principals)s::text[])
order by turn.started_at desc
limit %(limit)s
