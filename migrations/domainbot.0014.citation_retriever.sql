-- Which retriever brought what an answer cites.
-- depends: domainbot.0005.inbox

alter table citation add column retriever text not null default '';  -- '' in turns before this
