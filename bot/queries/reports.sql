-- What can be learned from the turns that were recorded.

-- name: unanswered
-- Questions that were refused, the newest first.
select t.id, m.text, t.started_at
from turn t join message m on m.id = t.question_id
where t.outcome = 'refused' and t.started_at >= %(since)s
order by t.started_at desc limit %(limit)s

-- name: routes
-- Finished turns by the generators that were asked, in their order, and by why the last one was;
-- a turn of one generator that chose among no others is its generator's.
with way as (
    select t.id, t.outcome, t.doubts,
        coalesce(nullif((
            select string_agg(r ->> 'generator', ' → ' order by place)
            from jsonb_array_elements(t.routes) with ordinality as asked (r, place)
        ), ''), t.generator) as route,
        coalesce(t.routes -> -1 ->> 'cause', '') as cause,
        coalesce((t.usage ->> 'cost')::float8, 0) as cost,
        (t.usage ->> 'input_tokens')::bigint + (t.usage ->> 'output_tokens')::bigint as tokens,
        (t.timings ->> 'total')::float8 as total,
        (t.timings ->> 'first_text')::float8 as first_text
    from turn t
    where t.finished_at is not null and t.started_at >= %(since)s
        and (%(assistant)s::text is null or t.assistant = %(assistant)s)
), opinion as (
    select turn_id, count(*) filter (where good) as good, count(*) filter (where not good) as bad
    from feedback group by turn_id
)
select route, cause, count(*) as turns, count(*) / sum(count(*)) over () as share,
    sum(cost) as cost, coalesce(sum(tokens), 0)::bigint as tokens,
    percentile_cont(0.5) within group (order by first_text) as first_text_p50,
    percentile_cont(0.5) within group (order by total) as p50,
    percentile_cont(0.95) within group (order by total) as p95,
    count(*) filter (where outcome = 'refused') as refused,
    count(*) filter (where outcome = 'failed') as failed,
    count(*) filter (where doubts is not null) as checked,
    count(*) filter (where doubts > 0) as doubted,
    coalesce(sum(good), 0)::int as good, coalesce(sum(bad), 0)::int as bad
from way left join opinion on opinion.turn_id = way.id
group by route, cause order by turns desc, route, cause
