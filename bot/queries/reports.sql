-- What can be learned from the turns that were recorded.

-- name: unanswered
-- Questions that were refused, the newest first.
select t.id, m.text, t.started_at
from turn t join message m on m.id = t.question_id
where t.outcome = 'refused' and t.started_at >= %(since)s
order by t.started_at desc limit %(limit)s
