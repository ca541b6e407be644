-- Where documents come from, their text, and which index version holds what.
-- depends:

create table source (
    id          int generated always as identity primary key,
    name        text not null unique,
    type        text not null,
    readers     text[] not null check (cardinality(readers) > 0),
    synced_at   timestamptz                      -- the last sync that ran to its end
);

create table document (
    id           bigint generated always as identity primary key,
    source_id    int not null references source on delete cascade,
    key          text not null,                  -- names it within its source, for ever
    passage_id   text not null default '',       -- the id its passages carry; '' is one id a chunk
    uri          text not null,
    title        text not null,
    text         text not null,                  -- chunks are spans of it
    format       text not null,
    metadata     jsonb not null default '{}',
    readers      text[] not null check (cardinality(readers) > 0),
    own_readers  boolean not null default false, -- said by the document itself, not by its source
    content_hash bytea not null,                 -- of all that a chunk is made of
    fingerprint  text not null default '',       -- of the original; cheap to compare
    updated_at   timestamptz not null default now(),
    unique (source_id, key)
);

-- What a source holds that could not be read: told once, tried again when it changes.
create table unreadable (
    source_id   int not null references source on delete cascade,
    place       text not null,                   -- a document's key, or a line of a file
    reason      text not null,
    seen_at     timestamptz not null default now(),
    primary key (source_id, place)
);

create table index_version (
    id          int generated always as identity primary key,
    state       text not null default 'building'
                check (state in ('building', 'live', 'retired', 'dropped')),
    dimensions  int not null check (dimensions > 0),
    settings    jsonb not null,                  -- embedder, splitter, index: what built it
    created_at  timestamptz not null default now(),
    promoted_at timestamptz
);

-- Exactly one version is live: the second one to try fails.
create unique index index_version_live on index_version (state) where state = 'live';

-- The ledger: a document is in a version when, and only when, it has a row here.
create table indexed (
    version_id   int not null references index_version on delete cascade,
    document_id  bigint not null references document on delete cascade,
    content_hash bytea not null,
    chunks       int not null,
    indexed_at   timestamptz not null default now(),
    primary key (version_id, document_id)
);

create index indexed_document on indexed (document_id);
