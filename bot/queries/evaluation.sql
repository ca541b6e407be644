-- Evaluations: what was measured, when, with which questions.

-- name: version
select id, state, dimensions, settings from index_version where id = %(version)s

-- name: corpus
-- Which documents an index version holds, and in which form: equal texts for equal ones. It reads
-- the ledger alone, some 20 ms for the 200,000 documents of a million chunks.
select count(*) || ' documents, '
    || to_hex(coalesce(bit_xor(hashtextextended(encode(content_hash, 'hex'), document_id)), 0))
from indexed where version_id = %(version)s

-- name: keep
insert into evaluation (kind, golden, questions, settings, started_at)
values (%(kind)s, %(golden)s, %(questions)s, %(settings)s, %(started_at)s)
returning id

-- name: keep_variant
insert into evaluation_variant (evaluation_id, name, summary, trials)
values (%(evaluation)s, %(name)s, %(summary)s, %(trials)s)

-- name: list
-- The newest first, one row a variant; one that is under way or was stopped has none yet.
select e.id as evaluation, e.started_at as at, e.kind, v.name as variant, e.questions, e.golden,
    e.settings, v.summary, e.finished_at
from evaluation e left join evaluation_variant v on v.evaluation_id = e.id
order by e.id desc, v.name

-- name: trials
select v.name, v.trials from evaluation_variant v where v.evaluation_id = %(evaluation)s
order by v.name

-- name: begun
-- An evaluation of the same questions and the same variants that was stopped.
select id from evaluation
where kind = %(kind)s and golden = %(golden)s and settings = %(settings)s and finished_at is null
order by id desc limit 1

-- name: stopped
-- The newest evaluation, if it was stopped and is of variants of the same names.
select id, golden, settings from evaluation e
where id = (select max(id) from evaluation where kind = %(kind)s) and finished_at is null
    and jsonb_path_query_array(settings, '$.variants[*].name')
        = jsonb_path_query_array(%(settings)s, '$.variants[*].name')

-- name: begin
insert into evaluation (kind, golden, questions, settings, started_at, finished_at)
values (%(kind)s, %(golden)s, %(questions)s, %(settings)s, now(), null)
returning id

-- name: finish
update evaluation set finished_at = clock_timestamp() where id = %(evaluation)s

-- name: drop_variants
delete from evaluation_variant where evaluation_id = %(evaluation)s

-- name: put_answer
insert into evaluation_answer (evaluation_id, variant, golden_id, answer, trial)
values (%(evaluation)s, %(variant)s, %(golden)s, %(answer)s, %(trial)s)
on conflict (evaluation_id, variant, golden_id)
do update set answer = excluded.answer, trial = excluded.trial

-- name: answers
select variant, golden_id, answer, trial from evaluation_answer
where evaluation_id = %(evaluation)s
order by golden_id, variant

-- name: put_reading
insert into evaluation_reading (evaluation_id, variant, task, figures)
values (%(evaluation)s, %(variant)s, %(task)s, %(figures)s)
on conflict (evaluation_id, variant, task) do update set figures = excluded.figures

-- name: readings
select variant, task, figures from evaluation_reading where evaluation_id = %(evaluation)s
order by task, variant

-- name: newest
select id from evaluation where kind = %(kind)s or %(kind)s = '' order by id desc limit 1

-- name: kind
select kind from evaluation where id = %(evaluation)s

-- name: about
select id, kind, golden, questions, settings, started_at, finished_at, in_slack
from evaluation where id = %(evaluation)s

-- name: pair
-- Two answers to rate that this person may read and has not rated: those that the fewest people
-- have, of different words. In which order they are shown is left to chance.
select a.golden_id, g.question, g.answer, a.variant, a.answer, b.variant, b.answer
from evaluation_answer a
join evaluation_answer b on b.evaluation_id = a.evaluation_id and b.golden_id = a.golden_id
    and a.variant < b.variant
join golden g on g.id = a.golden_id
where a.evaluation_id = %(evaluation)s and a.answer <> b.answer and a.answer <> ''
    and b.answer <> ''
    and (%(principals)s::text[] is null or g.readers && %(principals)s)
    and not exists (select from evaluation_rating r
        where r.evaluation_id = a.evaluation_id and r.golden_id = a.golden_id
            and r.one = a.variant and r.other = b.variant and r.author = %(author)s)
    and not (a.golden_id || '/' || a.variant || '/' || b.variant = any(%(passed)s))
order by (select count(*) from evaluation_rating r
        where r.evaluation_id = a.evaluation_id and r.golden_id = a.golden_id
            and r.one = a.variant and r.other = b.variant),
    md5(%(author)s || a.golden_id || a.variant || b.variant)
limit 1

-- name: rate
-- Only of answers that there are, and that this person may read.
insert into evaluation_rating (evaluation_id, golden_id, one, other, preferred, author)
select a.evaluation_id, a.golden_id, a.variant, b.variant, %(preferred)s, %(author)s
from evaluation_answer a
join evaluation_answer b on b.evaluation_id = a.evaluation_id and b.golden_id = a.golden_id
join golden g on g.id = a.golden_id
where a.evaluation_id = %(evaluation)s and a.golden_id = %(golden)s and a.variant = %(one)s
    and b.variant = %(other)s
    and (%(principals)s::text[] is null or g.readers && %(principals)s)
on conflict (evaluation_id, golden_id, one, other, author)
do update set preferred = excluded.preferred, rated_at = now()

-- name: ratings
select golden_id, one, other, preferred, author from evaluation_rating
where evaluation_id = %(evaluation)s
order by golden_id, one, other, author

-- name: ask_in_slack
update evaluation set in_slack = %(asked)s where id = %(evaluation)s

-- name: asked_in_slack
-- The newest evaluation that people are asked about.
select id from evaluation where in_slack order by id desc limit 1
