-- How far each of Slack's rate limits is used up, shared by every process that calls Slack.
-- depends: domainbot.0005.inbox

create table slack_limit (
    name text primary key,        -- team, method and, where the limit is a channel's own, the channel
    at   timestamptz not null     -- when the calls booked so far are paid for at the steady pace
);
