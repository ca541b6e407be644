-- Adapters over resident bases: who they are, and their files, where every worker can read them.
-- depends: domainbot.0001.documents

create table adapter (
    id          bigint generated always as identity primary key,
    name        text not null,
    version     int not null check (version > 0),
    kind        text not null,                   -- PEFT's name of the method
    base        text not null,                   -- as people call it
    base_sha256 text not null,                   -- the base's identity; no other base will do
    sha256      text not null,                   -- of the files
    bytes       bigint not null,
    readers     text[] not null check (cardinality(readers) > 0),  -- of what it was trained on
    note        text not null default '',
    live        boolean not null default false,
    created_at  timestamptz not null default now(),
    promoted_at timestamptz,                     -- the last time; rollback goes to the one before
    unique (name, version)
);

create unique index adapter_live on adapter (name) where live;

create table adapter_piece (
    adapter_id  bigint not null references adapter on delete cascade,
    file        text not null,
    ordinal     int not null,                    -- a value of PostgreSQL's ends at 1 GB
    data        bytea not null,
    primary key (adapter_id, file, ordinal)
);

alter table adapter_piece alter column data set storage external;  -- weights do not compress
