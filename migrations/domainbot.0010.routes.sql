-- Which generators an answer came from, and how many of its claims are doubted.
-- depends: domainbot.0005.inbox

alter table turn add column routes jsonb not null default '[]';  -- in the order they were asked
alter table turn add column doubts int;                          -- null when nobody looked
