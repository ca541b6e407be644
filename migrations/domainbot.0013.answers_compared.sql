-- Comparing answers: what each variant has said, as soon as it has, and what people think of it.
-- depends: domainbot.0010.routes

-- Empty while an evaluation is under way; one that was stopped goes on from its answers.
alter table evaluation alter finished_at drop not null;

-- People may be asked in Slack which of two answers is better.
alter table evaluation add in_slack boolean not null default false;

create table evaluation_answer (
    evaluation_id bigint not null references evaluation on delete cascade,
    variant       text not null,
    golden_id     bigint not null references golden on delete cascade,
    answer        text not null,                 -- '' when there was none
    trial         json not null,                 -- values, costs, milliseconds, error; in order
    primary key (evaluation_id, variant, golden_id)
);

-- What a variant makes of texts by their likelihood: multiple choice, general text.
create table evaluation_reading (
    evaluation_id bigint not null references evaluation on delete cascade,
    variant       text not null,
    task          text not null,
    figures       float8[] not null,             -- one an item
    primary key (evaluation_id, variant, task)
);

-- Which of two answers a person prefers, without knowing whose they are.
create table evaluation_rating (
    evaluation_id bigint not null references evaluation on delete cascade,
    golden_id     bigint not null references golden on delete cascade,
    one           text not null,                 -- of the two variants, the first by name
    other         text not null check (one < other),
    preferred     text not null check (preferred in ('one', 'other', 'neither')),
    author        text not null,
    rated_at      timestamptz not null default now(),
    primary key (evaluation_id, golden_id, one, other, author)
);
