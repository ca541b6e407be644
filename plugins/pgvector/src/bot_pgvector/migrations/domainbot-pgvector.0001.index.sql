-- Which index versions are kept here; each has a schema of its own, pgvector_<version>.
-- depends: domainbot.0001.documents

create extension if not exists vector;

create table pgvector_index (
    version_id int primary key references index_version on delete cascade,
    analyzer   text not null,              -- what made its terms; a query must use the same
    chunks     bigint not null default 0,  -- in the table
    dead       bigint not null default 0,  -- deleted, and still in the postings
    graphed    bigint not null default 0   -- chunks when the vector index was built; 0 is none
);
