-- Versions that are built beside the live one, and documents that they could not take.
-- depends: domainbot.0001.documents domainbot.0003.jobs

alter table index_version
    drop constraint index_version_state_check,
    add constraint index_version_state_check
        check (state in ('building', 'ready', 'live', 'retired', 'dropped')),
    add column paused     boolean not null default false,
    add column error      text not null default '', -- why it does not get on
    add column ready_at   timestamptz,
    add column retired_at timestamptz,
    add column replaced   int references index_version, -- what was live before it
    add column verdict    jsonb;                    -- what the golden set said when it went live

-- One rebuild at a time: the second one to begin fails.
create unique index index_version_building on index_version (state) where state = 'building';

-- Documents that a version could not take, until they change or somebody lets them out.
create table quarantine (
    version_id   int not null references index_version on delete cascade,
    document_id  bigint not null references document on delete cascade,
    content_hash bytea not null,                 -- of the text that it could not take
    error        text not null default '',       -- '' while it is being tried
    deaths       int not null default 0,         -- of workers that were trying it
    at           timestamptz not null default now(),
    primary key (version_id, document_id)
);

create index quarantine_document on quarantine (document_id);

alter table source add column error text not null default ''; -- why its last sync ended early
