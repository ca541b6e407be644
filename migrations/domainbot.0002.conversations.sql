-- What people asked, what they were answered, and what they think of it.
-- depends: domainbot.0001.documents

create table conversation (
    id          bigint generated always as identity primary key,
    channel     text not null,
    key         text not null,                   -- the channel's own name of the thread
    assistant   text not null,
    created_at  timestamptz not null default now(),
    unique (channel, key)
);

create table message (
    id              bigint generated always as identity primary key,
    conversation_id bigint not null references conversation on delete cascade,
    role            text not null check (role in ('user', 'assistant')),
    author          text not null default '',
    text            text not null,
    external_id     text,                        -- the channel's own id of the message
    created_at      timestamptz not null default clock_timestamp(),
    unique (conversation_id, external_id)
);

create index message_conversation on message (conversation_id, id);

create table turn (
    id              text primary key,            -- the reference that people are shown
    conversation_id bigint not null references conversation on delete cascade,
    question_id     bigint not null references message on delete cascade,
    answer_id       bigint references message on delete set null,
    attempt         int not null default 1 check (attempt > 0),
    outcome         text check (outcome in ('answered', 'refused', 'failed')),
    assistant       text not null,
    generator       text not null default '',
    principals      text[] not null,
    queries         text[] not null default '{}',
    index_version   int,
    timings         jsonb not null default '{}', -- milliseconds by step
    usage           jsonb,
    notices         text[] not null default '{}',
    error           text not null default '',    -- for operators, never for who asked
    started_at      timestamptz not null default clock_timestamp(),
    finished_at     timestamptz
);

create index turn_conversation on turn (conversation_id, started_at);

create table citation (
    turn_id     text not null references turn on delete cascade,
    marker      int not null,
    uri         text not null,
    title       text not null,
    location    text not null default '',
    quote       text not null,
    passage_id  text not null,
    source      text not null,
    readers     text[] not null,                 -- what is derived from it inherits them
    primary key (turn_id, marker)
);

create table feedback (
    turn_id     text not null references turn on delete cascade,
    author      text not null,
    good        boolean not null,
    comment     text not null default '',
    created_at  timestamptz not null default now(),
    primary key (turn_id, author)
);

-- What channels received, stored before it is acknowledged: the same event twice is one row.
create table inbox (
    id               bigint generated always as identity primary key,
    channel          text not null,
    external_id      text not null,
    conversation_key text not null,
    payload          jsonb not null,
    turn_id          text references turn on delete set null,
    received_at      timestamptz not null default now(),
    unique (channel, external_id)
);
