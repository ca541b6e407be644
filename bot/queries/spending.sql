-- What remote models cost, and how much of the budget is left.

-- name: queue
-- One asker at a time reads what is left and takes of it.
select pg_advisory_xact_lock(hashtext('domainbot spending'))

-- name: spent
-- What was spent by this person today, by this assistant this month, and by all this month, in UTC.
-- What is not settled counts with the most that it can cost.
select
    coalesce(sum(cost) filter (where person = %(person)s
        and at >= date_trunc('day', now(), 'UTC')), 0),
    coalesce(sum(cost) filter (where assistant = %(assistant)s), 0),
    coalesce(sum(cost), 0)
from spending where at >= date_trunc('month', now(), 'UTC')

-- name: reserve
insert into spending (turn_id, assistant, generator, person, cost)
values (%(turn)s, %(assistant)s, %(generator)s, %(person)s, %(cost)s)
returning id

-- name: settle
update spending set cost = %(cost)s, input_tokens = %(input)s, output_tokens = %(output)s,
    settled = true
where id = %(id)s

-- name: report
-- Who or what has cost how much since a time, the dearest first.
select case %(by)s
        when 'person' then person
        when 'assistant' then assistant
        when 'generator' then generator
        when 'turn' then turn_id
        else to_char(at at time zone 'UTC', 'YYYY-MM-DD')
    end as name,
    count(*) as calls, sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens, sum(cost) as cost
from spending where at >= %(since)s
group by 1 order by cost desc, name
