-- What channels were told, and how far each message is.

-- name: serialise
-- One writer of a thread at a time, so that a question and its follow-up, stored at once by two
-- processes, see each other.
select pg_advisory_xact_lock(hashtextextended(%(channel)s || '/' || %(team)s || '/' || %(room)s
    || '/' || %(thread)s, 0))

-- name: store
-- A message, unless it is known by either of its identities.
insert into inbox (channel, team, external_id, conversation_key, room, thread, ts, author, kind,
    text, payload, turn_id, edited, state)
select %(channel)s, %(team)s, %(event)s, %(key)s, %(room)s, %(thread)s, %(ts)s, %(author)s, %(kind)s,
    case when addressed then %(text)s else '' end, %(details)s, %(turn)s, %(edited)s,
    case when addressed then 'waiting' else 'unaddressed' end
from (select %(addressed)s or %(follows)s and exists (
    select from inbox where channel = %(channel)s and team = %(team)s and room = %(room)s
        and thread = %(thread)s and kind = 'question' and state <> 'unaddressed'
        and ts collate "C" < %(ts)s)) as found (addressed)
where addressed or %(follows)s
on conflict do nothing
returning id, state

-- name: address
-- A message that nobody had addressed to us is a question after all.
update inbox set state = 'waiting', text = %(text)s, payload = %(details)s, author = %(author)s,
    conversation_key = %(key)s
where channel = %(channel)s and team = %(team)s and room = %(room)s and ts = %(ts)s
    and state = 'unaddressed'
returning conversation_key

-- name: join
-- The bot takes part in a thread: what was said there after the question is addressed to it.
update inbox set state = 'waiting'
where channel = %(channel)s and team = %(team)s and room = %(room)s and thread = %(thread)s
    and state = 'unaddressed' and ts collate "C" > %(ts)s
returning conversation_key

-- name: edit
-- A newer text of a question; whoever is answering the older one must stop.
update inbox set text = %(text)s, edited = %(edited)s, state = 'waiting', attempt = attempt + 1,
    payload = payload || %(details)s, outcome = null, stopped = false
where channel = %(channel)s and team = %(team)s and room = %(room)s and ts = %(ts)s
    and state <> 'unaddressed' and not removal and text <> %(text)s and edited < %(edited)s
    and kind = 'question'
returning id, conversation_key

-- name: known
select state from inbox
where channel = %(channel)s and team = %(team)s and room = %(room)s and ts = %(ts)s

-- name: remove
-- The question is gone: its text too, and its answer is to be retracted.
update inbox set removal = true, text = '', attempt = attempt + 1,
    state = case when state = 'unaddressed' then 'done' else 'waiting' end
where channel = %(channel)s and team = %(team)s and room = %(room)s and ts = %(ts)s and not removal
returning id, conversation_key, state

-- name: tombstone
-- A deletion that came before its message: when the message comes, it is known already.
insert into inbox (channel, team, external_id, conversation_key, room, thread, ts, payload, turn_id,
    state, removal, finished_at)
values (%(channel)s, %(team)s, %(event)s, '', %(room)s, %(ts)s, %(ts)s, '{}', '', 'done', true, now())
on conflict do nothing

-- name: forget_context
-- What was read of a thread for context, and is now deleted there.
delete from message using conversation c
where c.id = conversation_id and c.channel = %(channel)s and external_id = %(context)s

-- name: disown
-- Somebody deleted our answer: it is not written again.
update inbox set disowned = true, attempt = attempt + 1, state = 'done',
    outcome = coalesce(outcome, 'disowned'), finished_at = coalesce(finished_at, clock_timestamp())
where channel = %(channel)s and team = %(team)s and room = %(room)s and answers @> array[%(ts)s]
    and not removal
returning id

-- name: stop
-- The person wants no more of these answers, or of what is being answered in a thread.
update inbox set stopped = true
where channel = %(channel)s and team = %(team)s and room = %(room)s
    and state in ('waiting', 'answering')
    and (answers && %(answers)s::text[] or cardinality(%(answers)s::text[]) = 0 and thread = %(thread)s)
returning id

-- name: claim
-- The next message of a conversation: one that a worker died over, else the earliest.
update inbox set state = 'answering', attempt = attempt + 1, claimed_at = clock_timestamp()
where id = (
    select id from inbox
    where channel = %(channel)s and conversation_key = %(key)s and state in ('waiting', 'answering')
    order by state = 'waiting', ts collate "C", id
    limit 1 for update
)
returning id, channel, team, conversation_key as key, room, thread, ts, author, kind, text,
    payload as details, turn_id as turn, removal, stopped, attempt, answers, disowned, received_at,
    edited

-- name: standing
-- Whether these attempts are still the ones that may write.
select id, attempt, stopped from inbox
where id = any(%(ids)s) and state = 'answering'

-- name: wrote
-- The messages that hold the answer; nothing when another attempt has taken over.
update inbox set answers = %(answers)s
where id = %(id)s and attempt = %(attempt)s
returning id

-- name: done
-- A question is answered, refused or apologised for; nothing when another attempt has taken over.
update inbox set state = 'done', outcome = %(outcome)s, finished_at = clock_timestamp(),
    disowned = disowned or %(outcome)s = 'disowned'
where id = %(id)s and attempt = %(attempt)s and state = 'answering'
returning id

-- name: release
-- Back into the queue: it is tried again.
update inbox set state = 'waiting' where id = %(id)s and attempt = %(attempt)s and state = 'answering'
returning id

-- name: answers_in
-- Every message of ours that is known in a thread, but those that answer one question.
select coalesce(array_agg(distinct answer), '{}') as found
from inbox, unnest(answers) answer
where channel = %(channel)s and team = %(team)s and room = %(room)s and thread = %(thread)s
    and id <> %(id)s

-- name: asked
-- How many questions somebody has asked before this one, in the last minute and day.
select count(*) filter (where received_at > %(at)s - interval '1 minute') as minute, count(*) as day
from inbox
where channel = %(channel)s and team = %(team)s and author = %(author)s and kind = 'question'
    and state <> 'unaddressed' and received_at > %(at)s - interval '1 day' and id < %(id)s

-- name: bot_turns
-- How many questions of other bots were answered in a thread.
select count(*) as turns from inbox
where channel = %(channel)s and team = %(team)s and room = %(room)s and thread = %(thread)s
    and payload ? 'bot' and id < %(id)s

-- name: before
-- The message of a conversation that was answered last before this one.
select ts from inbox
where channel = %(channel)s and conversation_key = %(key)s and ts collate "C" < %(ts)s
    and kind = 'question' and state <> 'unaddressed' and not removal
order by ts collate "C" desc limit 1

-- name: recent
-- Somebody's newest questions.
select text, outcome, received_at from inbox
where channel = %(channel)s and team = %(team)s and author = %(author)s and kind = 'question'
    and text <> '' and state = 'done'
order by received_at desc limit %(limit)s

-- name: blank_turn
-- A deleted question leaves no text: neither its own nor its answer's, nor what it was made of.
with gone as (
    update turn set queries = '{}', notices = '{}', error = '' where id = %(turn)s
    returning id, question_id, answer_id
), quotes as (
    delete from citation using gone where turn_id = gone.id
), comments as (
    update feedback set comment = '' from gone where turn_id = gone.id
)
update message set text = '' from gone where message.id in (gone.question_id, gone.answer_id)

-- name: jobless
-- Messages that wait for an answer, by conversation, where no worker has a job for any of them.
select conversation_key from inbox
where channel = %(channel)s and state in ('waiting', 'answering') and not exists (
    select from procrastinate_jobs
    where lock = inbox.channel || ':' || conversation_key and status in ('todo', 'doing'))

-- name: last
-- When the newest message came.
select max(received_at) as at from inbox where channel = %(channel)s

-- name: told
-- The text of a message that was not addressed to us when it came.
update inbox set text = %(text)s where id = %(id)s and attempt = %(attempt)s
returning id

-- name: questions_in
-- Which messages of a thread are questions, and so are recorded as such.
select coalesce(array_agg(ts), '{}') as found from inbox
where channel = %(channel)s and team = %(team)s and room = %(room)s and thread = %(thread)s
    and state <> 'unaddressed' and ts is not null

-- name: trying
-- Count the attempts at an answer that came after another; a worker that dies ends one.
update inbox set payload = payload || jsonb_build_object(
    'tries', coalesce((payload ->> 'tries')::int, 0) + 1)
where id = %(id)s
returning (payload ->> 'tries')::int as tries

-- name: survived
update inbox set payload = payload || jsonb_build_object('tries', (payload ->> 'tries')::int - 1)
where id = %(id)s and payload ? 'tries'
returning id
