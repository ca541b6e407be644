-- Token buckets in their "virtual scheduling" form: one timestamp a bucket (ITU-T I.371, GCRA).

-- name: take
-- Book one call, if it may be made now or within `patience` seconds; no row otherwise.
insert into slack_limit as l (name, at)
values (%(name)s, clock_timestamp() + make_interval(secs => %(each)s))
on conflict (name) do update
    set at = greatest(l.at, clock_timestamp()) + make_interval(secs => %(each)s)
    where l.at <= clock_timestamp() + make_interval(secs => %(burst)s + %(patience)s)
returning extract(epoch from
    at - make_interval(secs => %(each)s + %(burst)s) - clock_timestamp())::float8 as wait

-- name: block
-- Slack wants no call for some seconds.
insert into slack_limit as l (name, at)
values (%(name)s, clock_timestamp() + make_interval(secs => %(seconds)s + %(burst)s))
on conflict (name) do update set at = greatest(l.at, excluded.at)

-- name: tidy
delete from slack_limit where at < clock_timestamp() - interval '1 day'
