import asyncio

import psycopg
import pytest
from bot_pgvector import index
from bot_pgvector.analysis import terms

WORDS = [f"topic{n} about thing{n % 7} and matter{n % 3}" for n in range(120)]


def tokens_of(texts):
    return sum(len(terms(text)) for text in texts)


async def scores(corpus, question, **options):
    return {p.text: round(p.score, 6) for p in await corpus.ask(question, k=50, **options)}


async def graph(corpus):
    async with corpus.database.connection() as connection:
        cursor = await connection.execute(
            "select 1 from pg_indexes where schemaname = %s and indexname = 'chunk_graph'",
            (f"pgvector_{corpus.version.id}",),
        )
        return await cursor.fetchone() is not None


async def test_segments_are_merged_and_nothing_changes_for_who_asks(corpus, monkeypatch):
    monkeypatch.setattr(index, "FANOUT", 3)
    for text in WORDS[:40]:
        await corpus.add(text)
    grown = await corpus.segments()
    assert len(grown) <= 3 * 4
    assert sum(chunks for _, chunks, _ in grown) == 40
    before = await scores(corpus, "thing3 matter1", mode="lexical")
    assert before
    await corpus.finish()
    assert len(await corpus.segments()) <= 2
    assert await scores(corpus, "thing3 matter1", mode="lexical") == before


async def test_a_deleted_document_is_found_no_more(corpus):
    kept, gone = await corpus.add("the kept apple", "the lost apple")
    await corpus.change(index.delete, [gone.document_id])
    assert await corpus.texts("apple") == [kept.text]
    assert await corpus.texts("lost", mode="lexical") == []


async def test_compacting_forgets_the_dead_and_keeps_the_living(corpus, rows):
    chunks = await corpus.add(*WORDS)
    fresh = await scores(corpus, "thing3 matter1", mode="lexical")
    dead = await corpus.add(*(f"doomed {text}" for text in WORDS))
    await corpus.change(index.delete, [chunk.document_id for chunk in dead])
    await corpus.finish()
    assert await scores(corpus, "thing3 matter1", mode="lexical") == fresh
    [(_, count, tokens)] = await corpus.segments()
    assert (count, tokens) == (len(chunks), tokens_of(WORDS))
    assert await rows("select chunks, dead from pgvector_index") == [(len(chunks), 0)]
    table = f"pgvector_{corpus.version.id}.posting"
    assert await rows(f"select count(*) from {table} where term = 'doom'") == [(0,)]


async def test_an_emptied_index_compacts_to_nothing(corpus):
    chunks = await corpus.add("one", "two")
    await corpus.change(index.delete, [chunk.document_id for chunk in chunks])
    await corpus.finish()
    assert await corpus.segments() == []
    assert await corpus.texts("one") == []
    await corpus.add("one again")
    assert await corpus.texts("one") == ["one again"]


async def test_the_graph_is_built_used_outgrown_and_built_again(corpus, monkeypatch, rows):
    monkeypatch.setattr(index, "GRAPH_FROM", 50)
    await corpus.add(*WORDS[:40])
    await corpus.finish()
    assert not await graph(corpus)
    await corpus.add(*WORDS[40:100])
    await corpus.finish()
    assert await graph(corpus)
    await corpus.add(*WORDS[100:])
    assert await graph(corpus)
    await corpus.add(*(f"more {text}" for text in WORDS[:60]))
    assert not await graph(corpus)
    assert len(await corpus.texts("topic7 about thing0")) == 10
    await corpus.finish()
    assert await graph(corpus)
    assert await rows("select chunks, graphed from pgvector_index") == [(180, 180)]


async def test_who_may_read_changes_without_new_vectors(corpus):
    [chunk] = await corpus.add("the secret plan")
    await corpus.change(index.change_readers, {chunk.document_id: ["group:board"]})
    assert await corpus.texts("secret plan") == []
    board = frozenset({"everyone", "group:board"})
    assert await corpus.texts("secret plan", principals=board) == ["the secret plan"]


async def test_what_is_rolled_back_was_never_there(corpus):
    async def half_way():
        async with corpus.database.transaction() as connection:
            await index.add(corpus.version, [corpus.chunk("a ghost")], connection)
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        await half_way()
    assert await corpus.texts("ghost") == []
    assert await corpus.segments() == []


async def test_dropping_gives_everything_back(corpus, rows):
    await corpus.add("something")
    await corpus.change(index.drop)
    schema = f"pgvector_{corpus.version.id}"
    assert await rows("select 1 from pg_namespace where nspname = %s", (schema,)) == []
    assert await rows("select 1 from pgvector_index") == []


@pytest.mark.parametrize("dimensions", [2048, 4096])
async def test_wide_vectors(make_corpus, monkeypatch, dimensions):
    monkeypatch.setattr(index, "GRAPH_FROM", 5)
    corpus = await make_corpus(dimensions)
    await corpus.add(*WORDS[:20])
    await corpus.finish()
    assert await graph(corpus) == (dimensions <= 4000)
    assert (await corpus.texts(WORDS[3], k=1, mode="vector")) == [WORDS[3]]


@pytest.mark.parametrize("graph_from", [5, 1000], ids=["graph", "no graph"])
@pytest.mark.parametrize("mode", ["vector", "hybrid"])
@pytest.mark.parametrize("vectors", ["single", "half", "binary"])
async def test_vectors_of_any_precision_find_the_same(
    make_corpus, monkeypatch, vectors, mode, graph_from
):
    monkeypatch.setattr(index, "GRAPH_FROM", graph_from)
    corpus = await make_corpus(64, vectors)
    await corpus.add(*WORDS)
    await corpus.finish()
    assert await graph(corpus) == (graph_from < len(WORDS))
    for question in (WORDS[3], WORDS[77]):
        first, *others = await corpus.ask(question, k=5, mode=mode)
        assert first.text == question
        assert first.evidence["cosine"] == pytest.approx(1, abs=2e-3)
        assert len(others) == 4


async def test_half_of_the_precision_takes_half_of_the_room(make_corpus, rows, monkeypatch):
    monkeypatch.setattr(index, "GRAPH_FROM", 5)
    sizes = {}
    for vectors in ("single", "half", "binary"):
        await (corpus := await make_corpus(512, vectors)).add(*WORDS)
        await corpus.finish()
        schema = f"pgvector_{corpus.version.id}"
        [(column, size)] = await rows(
            f"select avg(pg_column_size(embedding))::int, pg_relation_size(%s) from {schema}.chunk",
            (f"{schema}.chunk_graph",),
        )
        sizes[vectors] = column, size
        await corpus.change(index.drop)
        await rows("delete from index_version returning id")
    assert [column for column, _ in sizes.values()] == [2056, 1032, 2056]
    single, half, binary = (size for _, size in sizes.values())
    assert half < 0.7 * single
    assert binary < 0.4 * single


REFUSE = """
create function refuse() returns event_trigger language plpgsql as $$ begin
    if current_setting('max_parallel_maintenance_workers') <> '0' and exists (
        select from pg_event_trigger_ddl_commands() where object_identity like '%chunk_graph') then
        raise exception using errcode = '53100', message = 'could not resize shared memory segment';
    end if;
end $$;
create event trigger refuse on ddl_command_end when tag in ('CREATE INDEX')
    execute function refuse();
"""


async def test_a_graph_is_built_alone_where_shared_memory_is_short(corpus, monkeypatch, conninfo):
    """As in a container with 64 MB of shared memory, which a build with helpers asks for more."""
    monkeypatch.setattr(index, "GRAPH_FROM", 5)
    await corpus.add(*WORDS)
    await corpus.finish()
    await corpus.change(drop_graph)
    with psycopg.connect(conninfo, user="postgres", autocommit=True) as administrator:
        administrator.execute(REFUSE)
    await corpus.finish()
    assert await graph(corpus)


@pytest.mark.parametrize(
    ("needed", "cache", "own", "given"),
    [
        (100_000, "4GB", "64MB", 100_000),  # no more than is needed
        (9_000_000, "4GB", "64MB", 2 << 20),  # half of what the machine has for the server
        (9_000_000, "64MB", "256MB", 256 << 10),  # the administrator's own setting is more
    ],
)
async def test_a_graph_has_the_memory_that_the_servers_settings_give(
    database, needed, cache, own, given
):
    async with database.transaction() as connection:
        for name, value in (("effective_cache_size", cache), ("maintenance_work_mem", own)):
            await connection.execute("select set_config(%s, %s, true)", (name, value))
        await connection.execute(index.INDEX["memory"], {"needed": needed, "least": index._LEAST})
        cursor = await connection.execute(
            "select setting::int from pg_settings where name = 'maintenance_work_mem'"
        )
        assert await cursor.fetchall() == [(given,)]


async def drop_graph(version, connection):
    await connection.execute(index.of(version)("ungraph"))
    await connection.execute(index.INDEX["graphed"], {"chunks": 0, "version": version.id})


async def test_a_vector_of_another_length_is_refused(corpus):
    with pytest.raises(Exception, match="expected 16 dimensions, not 3") as failure:
        await corpus.add(corpus.chunk("short", vector=corpus.chunk("x").vector[:3]))
    assert isinstance(failure.value.__cause__, psycopg.Error)


async def test_two_writers_at_once_lose_nothing(corpus, monkeypatch):
    monkeypatch.setattr(index, "FANOUT", 2)
    await asyncio.gather(*(corpus.add(f"{text} shared") for text in WORDS[:24]))
    assert sum(chunks for _, chunks, _ in await corpus.segments()) == 24
    assert len(await corpus.texts("shared", mode="lexical", k=50)) == 24
