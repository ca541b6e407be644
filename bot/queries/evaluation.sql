-- Evaluations: what was measured, when, with which questions.

-- name: version
select id, state, dimensions, settings from index_version where id = %(version)s

-- name: keep
insert into evaluation (kind, golden, questions, settings, started_at)
values (%(kind)s, %(golden)s, %(questions)s, %(settings)s, %(started_at)s)
returning id

-- name: keep_variant
insert into evaluation_variant (evaluation_id, name, summary, trials)
values (%(evaluation)s, %(name)s, %(summary)s, %(trials)s)

-- name: list
-- The newest first, one row a variant.
select e.id as evaluation, e.started_at as at, e.kind, v.name as variant, e.questions, e.golden,
    e.settings, v.summary
from evaluation e join evaluation_variant v on v.evaluation_id = e.id
order by e.id desc, v.name

-- name: trials
select v.name, v.trials from evaluation_variant v where v.evaluation_id = %(evaluation)s
order by v.name
