-- Paragraphs that stand in so many documents of a source that most of them are without it.
-- depends: domainbot.0001.documents

create table boilerplate (
    source_id int not null references source on delete cascade,
    paragraph bytea not null,                    -- its digest
    primary key (source_id, paragraph)
);
