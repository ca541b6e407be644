-- The inbox: what channels were told, by the identity that the channel itself gives it, and how far
-- each message is. A message and its job are stored together, before the channel is told so.
-- depends: domainbot.0004.evaluation

alter table inbox drop constraint inbox_turn_id_fkey;             -- a turn's id is given before it runs
alter table inbox drop constraint inbox_channel_external_id_key;

alter table inbox
    alter column turn_id set not null,
    add column team        text not null default '',
    add column room        text not null default '',              -- where in the channel: Slack's channel id
    add column thread      text not null default '',
    add column ts          text,                                  -- the message's own id in its room
    add column author      text not null default '',
    add column kind        text not null default 'question',
    add column text        text not null default '',
    add column state       text not null default 'waiting'
        check (state in ('unaddressed', 'waiting', 'answering', 'done')),
    add column removal     boolean not null default false,        -- the question is gone: retract the answer
    add column stopped     boolean not null default false,        -- the person wants no more of the answer
    add column edited      text not null default '',              -- when, by the channel's own clock
    add column attempt     int not null default 0,                -- a writer with an older one must stop
    add column answers     text[] not null default '{}',          -- the ids of the messages that answer it
    add column disowned    boolean not null default false,        -- somebody deleted the answer
    add column outcome     text,
    add column claimed_at  timestamptz,
    add column finished_at timestamptz;

alter table inbox add unique (channel, team, external_id);
alter table inbox add unique (channel, team, room, ts);

create index inbox_conversation on inbox (channel, conversation_key) where state <> 'done';
create index inbox_thread on inbox (channel, team, room, thread);
create index inbox_author on inbox (channel, team, author, received_at);
create index inbox_answers on inbox using gin (answers);
