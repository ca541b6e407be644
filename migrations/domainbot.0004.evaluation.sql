-- The golden set, and what was measured with it.
-- depends: domainbot.0003.jobs

-- Questions with the sources, and perhaps the answer, that a good bot finds.
create table golden (
    id          bigint generated always as identity primary key,
    question    text not null,
    answer      text not null default '',        -- '' when only the sources are known
    readers     text[] not null check (cardinality(readers) > 0),  -- the narrowest of its sources
    origin      text not null check (origin in ('person', 'file', 'feedback', 'suggested')),
    reference   text not null default '',        -- where it comes from: a turn, the file's own id
    draft       boolean not null default false,  -- not used until a person has accepted it
    created_at  timestamptz not null default now()
);

-- A question is asked once of the same readers, however long it is.
create unique index golden_question on golden (md5(question), readers);

create table golden_source (
    golden_id   bigint not null references golden on delete cascade,
    place       text not null,                   -- a passage's id, or a document's address
    grade       int not null default 1 check (grade > 0),
    primary key (golden_id, place)
);

-- One run of the golden set over some variants: index versions, or whatever answers questions.
create table evaluation (
    id          bigint generated always as identity primary key,
    kind        text not null,
    golden      text not null,                   -- digest of the questions: equal ones compare
    questions   int not null,
    settings    jsonb not null,
    started_at  timestamptz not null,
    finished_at timestamptz not null default clock_timestamp()
);

create table evaluation_variant (
    evaluation_id bigint not null references evaluation on delete cascade,
    name          text not null,
    summary       json not null,                 -- by metric: mean, low, high; in a table's order
    trials        json not null,                 -- by question: values, milliseconds, error
    primary key (evaluation_id, name)
);
