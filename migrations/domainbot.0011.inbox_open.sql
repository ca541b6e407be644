-- What waits for an answer is looked for every few seconds, beside many messages that never will.
-- depends: domainbot.0010.routes

drop index inbox_conversation;
create index inbox_open on inbox (channel, conversation_key) where state in ('waiting', 'answering');
