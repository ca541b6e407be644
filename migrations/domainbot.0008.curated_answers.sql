-- Answers that people have approved for a question.
-- depends: domainbot.0004.evaluation

create table curated_answer (
    id          bigint generated always as identity primary key,
    question    text not null,
    answer      text not null,
    readers     text[] not null check (cardinality(readers) > 0),
    created_at  timestamptz not null default now()
);

-- A question has one approved answer for the same readers.
create unique index curated_answer_question on curated_answer (md5(question), readers);

-- What an embedder makes of the question; float32, little-endian. Made when it is first needed.
create table curated_vector (
    answer_id   bigint not null references curated_answer on delete cascade,
    embedder    text not null,                   -- digest of its identity
    vector      bytea not null,
    primary key (answer_id, embedder)
);
