-- What an adapter was trained on and what was measured of it.
-- depends: domainbot-transformers.0001.adapters

alter table adapter add column data_sha256 text not null default '';  -- '' when nobody told
alter table adapter add column metrics jsonb not null default '{}';
