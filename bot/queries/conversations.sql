-- Conversations as people keep them: listed, shown, and forgotten.

-- name: list
-- The newest conversations that somebody took part in, or that were held somewhere.
select c.id, c.channel, c.key, c.assistant, count(*) filter (where m.role = 'user') as questions,
    max(m.created_at) as last
from conversation c join message m on m.conversation_id = c.id
where (%(channel)s::text is null or c.channel = %(channel)s or split_part(c.key, '/', 2) = %(channel)s)
    and (%(user)s::text is null or exists (
        select from message own where own.conversation_id = c.id
            and %(user)s in (own.author, split_part(own.author, '/', 2))))
group by c.id order by last desc limit %(limit)s

-- name: show
select m.role, m.author, m.text, m.created_at as at, t.id as turn, t.outcome
from message m
left join turn t on m.id in (t.question_id, t.answer_id)
where m.conversation_id = (
    select id from conversation where id::text = %(name)s or key = %(name)s order by id limit 1)
order by m.id

-- name: purge
-- Questions with their answers, citations and feedback, and what was overheard beside them.
with doomed as (
    select m.id from message m
    join conversation c on c.id = m.conversation_id
    where (%(channel)s::text is null or c.channel = %(channel)s
            or split_part(c.key, '/', 2) = %(channel)s)
        and (%(before)s::timestamptz is null or m.created_at < %(before)s)
        and (%(user)s::text is null or m.role = 'user'
            and %(user)s in (m.author, split_part(m.author, '/', 2)))
), turns as (
    delete from turn where question_id in (select id from doomed)
    returning question_id, answer_id
)
delete from message where id in (
    select id from doomed union select answer_id from turns where answer_id is not null)
    and not exists (
        -- An answer stays as long as its question does.
        select from turn where answer_id = message.id and question_id not in (select id from doomed))
returning conversation_id

-- name: purge_empty
delete from conversation c where not exists (select from message where conversation_id = c.id)

-- name: purge_inbox
-- The inbox forgets the texts; what came is remembered for a day, as it may be told once more.
update inbox set text = '', payload = '{}', author = '', attempt = attempt + 1, state = 'done',
    outcome = coalesce(outcome, 'purged'), finished_at = coalesce(finished_at, clock_timestamp())
where (%(channel)s::text is null or %(channel)s in (channel, room))
    and (%(before)s::timestamptz is null or received_at < %(before)s)
    and (%(user)s::text is null or author = %(person)s)

-- name: purge_old
delete from inbox where author = '' and text = '' and state = 'done'
    and received_at < now() - interval '1 day'
