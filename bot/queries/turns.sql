-- Everything that is recorded of a turn, and read back.

-- name: start
-- One statement: the conversation, the question and the turn, before anything else happens;
-- nothing when the turn is there already.
with talk as (
    insert into conversation (channel, key, assistant)
    values (%(channel)s, %(key)s, %(assistant)s)
    on conflict (channel, key) do update set assistant = excluded.assistant
    returning id
), asked as (
    insert into message (conversation_id, role, author, text)
    select id, 'user', %(author)s, %(question)s from talk
    where not exists (select from turn where turn.id = %(turn)s)
    returning id, conversation_id
)
insert into turn (id, conversation_id, question_id, attempt, assistant, principals)
select %(turn)s, conversation_id, id, %(attempt)s, %(assistant)s, %(principals)s from asked

-- name: restart
-- A further attempt: the question as it now stands, and nothing of what was answered before.
with before as (
    select question_id, answer_id from turn
    where id = %(turn)s and attempt <= %(attempt)s for update
), again as (
    update turn set attempt = %(attempt)s, assistant = %(assistant)s, principals = %(principals)s,
        answer_id = null, outcome = null, generator = '', queries = '{}', timings = '{}',
        routes = '[]', doubts = null, notices = '{}', error = '', started_at = clock_timestamp(),
        finished_at = null
    from before where id = %(turn)s
), asked as (
    update message set text = %(question)s from before where id = before.question_id
), unsaid as (
    delete from message using before where id = before.answer_id
), uncited as (
    delete from citation using before where turn_id = %(turn)s
)
select question_id from before

-- name: overheard
-- What people said beside their questions.
with talk as (
    insert into conversation (channel, key, assistant)
    values (%(channel)s, %(key)s, %(assistant)s)
    on conflict (channel, key) do update set assistant = excluded.assistant
    returning id
)
insert into message (conversation_id, role, author, text, external_id)
select talk.id, 'user', said.author, said.text, said.external_id
from talk, jsonb_to_recordset(%(said)s) as said (external_id text, author text, text text)
on conflict do nothing

-- name: finish
-- One statement: the answer, how it came to be, and what it cites; nothing when it stands there
-- already, or when a later attempt has taken the turn over.
with said as (
    insert into message (conversation_id, role, text)
    select conversation_id, 'assistant', %(text)s from turn
    where id = %(turn)s and attempt = %(attempt)s and answer_id is null
    returning id
), done as (
    update turn set answer_id = said.id, outcome = %(outcome)s, generator = %(generator)s,
        queries = %(queries)s, index_version = %(index)s, timings = %(timings)s::jsonb
            || jsonb_build_object('record', round(%(waited)s::numeric
                + 1000 * extract(epoch from clock_timestamp() - statement_timestamp()), 3)),
        usage = %(usage)s, routes = %(routes)s, doubts = %(doubts)s, notices = %(notices)s,
        readers = %(readers)s, error = %(error)s, finished_at = clock_timestamp()
    from said where turn.id = %(turn)s
)
insert into citation
    (turn_id, marker, uri, title, location, quote, passage_id, source, retriever, readers)
select %(turn)s, c.marker, c.uri, c.title, c.location, c.quote, c.passage_id, c.source, c.retriever,
    array(select jsonb_array_elements_text(c.readers))
from said, jsonb_to_recordset(%(citations)s) as c
    (marker int, uri text, title text, location text, quote text, passage_id text, source text,
     retriever text, readers jsonb)

-- name: history
-- What was said in a conversation, the newest messages, oldest first; without failures, and
-- without answers that the asker may not read, or that cite what they may not read. Of each
-- whether everyone might read it.
select role, text, author, created_at, public from (
    select m.id, m.role, m.text, m.author, m.created_at,
        coalesce('everyone' = any(t.readers), true) and not exists (
            select from citation i where i.turn_id = t.id and not 'everyone' = any(i.readers)
        ) as public
    from message m
    join conversation c on c.id = m.conversation_id
    left join turn t on t.answer_id = m.id
    where c.channel = %(channel)s and c.key = %(key)s and m.text <> ''
        and m.id < coalesce((select question_id from turn where id = %(turn)s), m.id + 1)
        and coalesce(t.readers && %(principals)s::text[], true)
        and not exists (
            select from citation i
            where i.turn_id = t.id and not i.readers && %(principals)s::text[])
    order by m.id desc limit %(limit)s
) newest order by id

-- name: show
-- One turn with its question, its answer and its conversation.
select t.id, c.channel, c.key, t.attempt, t.outcome, t.assistant, t.generator, t.principals,
    t.queries, t.index_version, t.timings, t.usage, t.routes, t.doubts, t.notices,
    t.error, t.started_at, t.finished_at, q.author, q.text as question, a.text as answer
from turn t
join conversation c on c.id = t.conversation_id
join message q on q.id = t.question_id
left join message a on a.id = t.answer_id
where t.id = %(turn)s

-- name: citations
select marker, uri, title, location, quote, passage_id, source, retriever, readers
from citation where turn_id = %(turn)s order by marker

-- name: feedback
-- The last word of each author counts.
insert into feedback (turn_id, author, good, comment)
select id, %(author)s, %(good)s, %(comment)s from turn where id = %(turn)s
on conflict (turn_id, author) do update
    set good = excluded.good, comment = excluded.comment, created_at = now()

-- name: feedback_of
select author, good, comment, created_at from feedback where turn_id = %(turn)s order by created_at
