-- Searching one index version. {index} is its schema, {permitted} the conditions below, as many
-- as the question needs; {distance} is what the vector index orders by, {exact} the negative cosine.

-- name: readable
c.readers && %(principals)s

-- name: in_sources
c.source = any(%(sources)s)

-- name: has_metadata
c.metadata @> {value}

-- name: settings
-- For the whole connection: a generic plan would not see how few chunks a filter leaves.
select set_config('plan_cache_mode', 'force_custom_plan', false),
    set_config('hnsw.iterative_scan', 'relaxed_order', false),
    set_config('hnsw.ef_search', %(ef_search)s, false)

-- name: both
-- Postings and near chunks in one statement: in a pipeline of three they took longer.
select term, data, chunks, tokens from ({}) postings
union all select null, null, id, cosine from ({}) near

-- name: postings
-- Beside each, how large the whole index is.
select p.term, p.data, size.*
from {index}.posting p,
    (select sum(chunks)::bigint as chunks, sum(tokens)::float8 as tokens from {index}.segment) size
where p.term = any(%(terms)s)

-- name: rarest_postings
-- The same, the rarest terms first, as long as they fit into %(bytes)s; the rarest in any case.
-- Those that do not come without their postings.
with held as materialized (
    select term, sum(octet_length(data)) as bytes
    from {index}.posting where term = any(%(terms)s) group by term
), sorted as (
    select term, sum(bytes) over rarest <= %(bytes)s or row_number() over rarest = 1 as fits
    from held window rarest as (order by bytes, term)
)
select s.term, p.data, size.*
from sorted s left join {index}.posting p on s.fits and p.term = s.term,
    (select sum(chunks)::bigint as chunks, sum(tokens)::float8 as tokens from {index}.segment) size

-- name: nearest
select c.id, (-({distance}))::float8 as cosine from {index}.chunk c
where {permitted} order by {distance} limit %(limit)s

-- name: count_permitted
-- How many chunks the filters leave, counted no further than it matters.
select count(*) from (select from {index}.chunk c where {permitted} limit %(limit)s) few

-- name: nearest_by_bits
-- The same where the index is of bits: more of them, compared again as they are.
with near as materialized (
    select c.id, c.embedding from {index}.chunk c
    where {permitted} order by {distance} limit greatest(%(limit)s::int * %(further)s::int, %(least)s)
)
select c.id, (-({exact}))::float8 as cosine from near c order by {exact} limit %(limit)s

-- name: nearest_of_few
-- The same, exactly: collect what is permitted first, then sort.
with few as materialized (select c.id, c.embedding from {index}.chunk c where {permitted})
select c.id, (-({exact}))::float8 as cosine from few c order by {exact} limit %(limit)s

-- name: passages
-- Candidates of both searches: cosine for all of them, the lexical score as it was given. The
-- last column counts those that the terms found.
with scored as (
    select c.*, (-({exact}))::float8 as cosine, l.score as lexical
    from unnest(%(ids)s::bigint[], %(scores)s::float8[]) l(id, score)
    join {index}.chunk c on c.id = l.id
    where {permitted}
)
select id, document_id, passage_id, source, title, uri, context, text, start, stop, readers,
    nullif(metadata, '{{}}'), cosine, lexical,
    cosine * %(semantic)s + lexical * (1 - %(semantic)s) as score,
    count(*) filter (where lexical > 0) over ()
from scored order by score desc, id limit %(k)s

-- name: nearest_passages
-- The vector search alone.
select c.id, c.document_id, c.passage_id, c.source, c.title, c.uri, c.context, c.text, c.start,
    c.stop, c.readers, nullif(c.metadata, '{{}}'), (-({distance}))::float8
from {index}.chunk c where {permitted} order by {distance} limit %(k)s

-- name: nearest_passages_by_bits
with near as materialized (
    select c.* from {index}.chunk c
    where {permitted} order by {distance} limit greatest(%(k)s::int * %(further)s::int, %(least)s)
)
select c.id, c.document_id, c.passage_id, c.source, c.title, c.uri, c.context, c.text, c.start,
    c.stop, c.readers, nullif(c.metadata, '{{}}'), (-({exact}))::float8
from near c order by {exact} limit %(k)s

-- name: few_passages
-- The same, exactly.
with few as materialized (select * from {index}.chunk c where {permitted})
select c.id, c.document_id, c.passage_id, c.source, c.title, c.uri, c.context, c.text, c.start,
    c.stop, c.readers, nullif(c.metadata, '{{}}'), (-({exact}))::float8
from few c order by {exact} limit %(k)s

-- name: updated
-- When documents changed last, as far as the ledger knows them.
select id, updated_at from document where id = any(%(documents)s)

-- name: around
-- The chunks that stand near what was found, in reading order.
select distinct c.document_id, c.start, c.stop, c.context
from unnest(%(documents)s::bigint[], %(starts)s::int[], %(stops)s::int[]) near(document, a, b)
join {index}.chunk c on c.document_id = near.document and c.stop >= near.a and c.start <= near.b
where {permitted} order by c.document_id, c.start

-- name: texts
-- Spans of documents, as they are stored.
select coalesce(substr(d.text, span.a + 1, span.b - span.a), '')
from unnest(%(documents)s::bigint[], %(starts)s::int[], %(stops)s::int[])
    with ordinality span(document, a, b, place)
left join document d on d.id = span.document order by span.place
