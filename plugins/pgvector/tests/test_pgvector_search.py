import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from bot_pgvector import index, retrieval, search
from bot_pgvector.fusion import confidence, semantic_share
from bot_pgvector.retrieval import _date, ef_search
from bot_pgvector.statements import Form, search_statement

from bot.database import Database
from bot.errors import IndexingError
from bot.turn import Trace

MODES = ("hybrid", "vector", "lexical")
EVERYBODY = frozenset({"everyone"})


async def plan(corpus, *names, arguments, sources=True):
    name, *parts = names
    query = search_statement(name, Form.of(corpus.version), sources, (), *parts)
    async with corpus.database.connection() as connection:
        await connection.execute("set enable_seqscan = off")
        cursor = await connection.execute("explain " + query, arguments)
        found = "\n".join(row[0] for row in await cursor.fetchall())
        await connection.execute("set enable_seqscan = on")
    return found


@pytest.mark.parametrize("mode", MODES)
async def test_the_best_comes_first_with_all_that_is_known_of_it(corpus, mode):
    await corpus.add("pears are green", "plums are blue")
    await corpus.add(
        corpus.chunk(
            "apples are red",
            id="fruit-1",
            source="fruit",
            title="Fruit",
            uri="https://example.com/fruit",
            context="Fruit › Apples",
            start=5,
            end=19,
            metadata={"year": 2024},
        )
    )
    first, *_ = await corpus.ask("red apples", mode=mode)
    assert (first.id, first.text, first.source) == ("fruit-1", "apples are red", "fruit")
    assert (first.title, first.uri) == ("Fruit", "https://example.com/fruit")
    assert first.location == "Fruit › Apples"
    assert (first.start, first.end, first.metadata) == (5, 19, {"year": 2024})
    assert first.readers == EVERYBODY
    assert 0 < first.score <= 1.0001


async def test_of_a_large_index_a_question_reads_the_rarest_terms(corpus, monkeypatch):
    await corpus.add("apples and pears", "apples and plums", "apples and plums", "apples")
    monkeypatch.setattr(search, "READ", 3)  # postings: of apples there are four
    assert await corpus.texts("apples plums", mode="lexical") == ["apples and plums"] * 2
    (found, *others) = await corpus.ask("apples plums pears quinces", mode="lexical")
    assert (found.text, len(others)) == ("apples and pears", 2)
    assert 0 < found.evidence["known"] < 1  # of quinces, not of apples, the index knows nothing
    whole = await corpus.ask("apples plums", mode="lexical")
    assert {passage.evidence["known"] for passage in whole} == {1.0}
    assert len(await corpus.texts("apples", mode="lexical")) == 4  # a term alone is read


async def test_context_is_searched_too(corpus):
    await corpus.add("Run it twice.", context="Windows › Installing")
    await corpus.add("Run it once.", context="Linux › Installing")
    assert (await corpus.texts("installing on linux", mode="lexical"))[0] == "Run it once."


@pytest.mark.parametrize("mode", MODES)
async def test_the_teams_own_words_find_what_they_mean(corpus, mode):
    await corpus.add("paid time off is thirty days", "the canteen opens at noon", "a red door")
    glossary = (("PTO", "paid time off"),)
    found = await corpus.texts("How much PTO?", mode=mode, glossary=glossary)
    assert found[0] == "paid time off is thirty days"
    if mode == "lexical":
        assert await corpus.texts("How much PTO?", mode=mode) == []


@pytest.mark.parametrize("mode", MODES)
async def test_nobody_finds_what_they_may_not_read(corpus, mode):
    await corpus.add(*(f"salary table {n}" for n in range(60)), readers=("group:board",))
    await corpus.add("salary dates are public", "weather")
    assert "salary dates are public" in await corpus.texts("salary table", mode=mode)
    assert not any("table" in text for text in await corpus.texts("salary table", mode=mode))
    board = EVERYBODY | {"group:board"}
    assert "table" in (await corpus.texts("salary table", mode=mode, principals=board))[0]


async def test_terms_reach_past_what_others_may_read(corpus):
    await corpus.add(*(f"salary salary {n}" for n in range(500)), readers=("group:board",))
    await corpus.add(*(f"a long text in which the salary of {n} is told once" for n in range(4)))
    assert len(await corpus.texts("salary", mode="lexical", settings={"candidates": 10}, k=4)) == 4


@pytest.mark.parametrize("mode", MODES)
async def test_only_the_sources_of_the_assistant(corpus, mode):
    await corpus.add("a rule of the house", source="house")
    await corpus.add("a rule of the garden", source="garden")
    found = await corpus.ask("rule", mode=mode, sources=frozenset({"garden"}))
    assert [passage.source for passage in found] == ["garden"]
    assert len(await corpus.ask("rule", mode=mode)) == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("few", [5000, 1])
async def test_filters(corpus, mode, few, monkeypatch):
    monkeypatch.setattr("bot_pgvector.search.FEW", few)
    await corpus.add("a report of old", metadata={"year": 2020, "tags": ["draft"], "open": True})
    await corpus.add("a report of new", metadata={"year": 2024, "tags": ["draft", "final"]})
    await corpus.add("a report of none")

    async def ask(**filters):
        found = await corpus.texts("report", mode=mode, filters=filters)
        return {text.rpartition(" ")[2] for text in found}

    assert await ask(year=2024) == {"new"}
    assert await ask(year="2024") == {"new"}
    assert await ask(year=("2020", "2024")) == {"old", "new"}
    assert await ask(tags="final") == {"new"}
    assert await ask(tags="draft", year="2020") == {"old"}
    assert await ask(open="true") == {"old"}
    assert await ask(year="1999") == set()


@pytest.mark.parametrize("mode", MODES)
async def test_chunks_of_one_passage_count_once(corpus, mode):
    await corpus.add(*(corpus.chunk(f"storm warning {n}", id="storm") for n in range(30)))
    await corpus.add("storm damage", "storm insurance", "storm repair")
    found = await corpus.ask("storm warning", k=4, mode=mode)
    assert [p.id for p in found].count("storm") == 1
    assert len(found) == 4


async def test_several_queries_bring_the_best_of_each(corpus):
    await corpus.add("cats purr", "dogs bark", "fish swim")
    found = await corpus.texts("pets", k=2, queries=("cats purr", "dogs bark"))
    assert set(found) == {"cats purr", "dogs bark"}


async def test_a_blind_embedder_does_not_drown_the_terms(corpus):
    cities = "东京 北京 巴黎 伦敦 罗马 柏林 首尔 河内 曼谷 开罗 雅典 奥斯陆".split()
    lands = "日本 中国 法国 英国 意大利 德国 韩国 越南 泰国 埃及 希腊 挪威".split()
    texts = [f"{city}是{land}的首都" for city, land in zip(cities, lands, strict=True)]
    await corpus.add(*texts)
    for land, text in zip(lands, texts, strict=True):
        assert (await corpus.texts(f"{land}的首都是哪里"))[0] == text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "question", ["the of", "!?", "zzz qqq", "'; drop table chunk; --", "%s %(k)s"]
)
async def test_any_question_is_harmless(corpus, mode, question):
    await corpus.add("some text")
    found = await corpus.texts(question, mode=mode, filters={"a'b %s": "'; select 1"})
    assert found == []
    assert len(await corpus.texts(question, mode=mode)) <= 1
    assert await corpus.texts("some text", mode=mode) == ["some text"]


async def test_an_empty_index_finds_nothing(corpus):
    for mode in MODES:
        assert await corpus.ask("anything", mode=mode) == []
        assert await corpus.ask("anything", mode=mode, index=None) == []


async def test_an_index_of_another_analyzer_is_refused(corpus, rows):
    await corpus.add("words")
    await rows("update pgvector_index set analyzer = 'older' returning 1")
    with pytest.raises(IndexingError, match="not made by this version"):
        await corpus.ask("words")


async def test_questions_at_once(corpus):
    await corpus.add(*(f"number {n}" for n in range(50)))
    asked = [corpus.texts(f"number {n}", k=1) for n in range(50)]
    assert await asyncio.gather(*asked) == [[f"number {n}"] for n in range(50)]


async def test_filters_in_the_where_clause_keep_the_graph_in_use(corpus, monkeypatch):
    monkeypatch.setattr(index, "GRAPH_FROM", 50)
    for start in range(0, 3000, 500):
        await corpus.add(*(f"entry {n} of the log" for n in range(start, start + 500)))
    await corpus.finish()
    arguments = {
        "vector": corpus.chunk("entry").vector, "principals": ["everyone"], "sources": ["manual"],
        "k": 10, "limit": 40, "ids": list(range(1, 81)), "scores": [0.5] * 80, "semantic": 0.5,
        "terms": ["entri", "log"],
    }  # fmt: skip
    for names in (["nearest_passages"], ["both", "postings", "nearest"]):
        assert "using chunk_graph" in await plan(corpus, *names, arguments=arguments)
    assert "using chunk_pkey" in await plan(corpus, "passages", arguments=arguments)


def test_confidence_is_relative_to_the_first():
    assert confidence([]) == 0
    assert confidence([0.5]) == 1
    assert confidence([0.8] + [0.4] * 9) == pytest.approx(0.5)
    assert confidence([-0.1] * 10) == 0
    assert semantic_share([0.6] * 10, [0.9] + [0.1] * 9) == 0
    assert semantic_share([0.9] + [0.1] * 9, []) == 1
    assert semantic_share([], []) == 0.5


async def test_each_passage_tells_why_it_was_found(corpus):
    await corpus.add("apples are red", "pears are green", "a red barn")
    first, *_ = await corpus.ask("red apples", trace=(trace := Trace()))
    assert first.evidence["terms"] == ["red", "appl"]
    assert (first.evidence["vector_rank"], first.evidence["lexical_rank"]) == (1, 1)
    share = first.evidence["semantic_share"]
    assert first.score == pytest.approx(
        share * first.evidence["cosine"] + (1 - share) * first.evidence["lexical"], abs=1e-5
    )
    assert first.evidence["known"] == 1
    assert set(trace.timings) == {"embed", "candidates", "passages"}
    assert "terms" not in (await corpus.ask("red apples"))[0].evidence


async def test_terms_that_the_index_does_not_know_do_not_blind_it(corpus):
    await corpus.add("Denver won", *(f"the game of team {n}" for n in range(20)))
    first, *_ = await corpus.ask("丹佛野马队在哪一年赢得 Denver")
    assert first.text == "Denver won"
    assert first.evidence["known"] < 0.3


async def test_what_was_said_before_counts_as_much_as_its_weight(corpus):
    await corpus.add("opens at nine: the office in Lisbon", "opens at ten: the shop in Oslo")
    question = "when does it open in the morning"

    async def first(*said):
        weighted = ((question, 1.0), *said)
        return (await corpus.ask(question, weighted=weighted))[0].text

    assert "Oslo" in await first(("shop Oslo", 0.5))
    assert "Lisbon" in await first(("office Lisbon", 0.5))
    assert "Lisbon" in await first(("office Lisbon", 0.5), ("shop Oslo", 0.1))


@pytest.mark.parametrize("mode", MODES)
async def test_one_page_does_not_take_all_the_room(corpus, mode):
    page = next(corpus.numbers)
    await corpus.add(
        *(
            corpus.chunk(f"storm warning number {n}", id=f"long-{n}", document_id=page)
            for n in range(9)
        )
    )
    await corpus.add("storm warning number of Oslo", "storm warning number of Rome")
    many, few = {"per_page": 9}, {"per_page": 1}
    found = await corpus.ask("storm warning number", k=5, mode=mode, settings=many)
    assert all(p.id.startswith("long") for p in found)
    found = await corpus.ask("storm warning number", k=5, mode=mode, settings=few)
    assert sum(p.id.startswith("long") for p in found) == 3
    assert len({p.id for p in found}) == 5
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert {2} <= {p.evidence.get("crowded") for p in found}


@pytest.mark.parametrize("mode", MODES)
async def test_age_counts_when_it_is_asked_to(corpus, mode):
    this_year = datetime.now(UTC).year
    await corpus.add("travel rules apply", metadata={"date": "1999-05-01", "valid": this_year})
    await corpus.add(
        "travel rules apply here", metadata={"date": f"{this_year}-01-01", "valid": "1999"}
    )
    old, new = "travel rules apply", "travel rules apply here"
    assert (await corpus.texts(old, mode=mode))[0] == old
    aged = {"half_life": 365}
    first, second = await corpus.ask(old, mode=mode, settings=aged)
    assert (first.text, second.text) == (new, old)
    assert first.evidence["age"] < 370 < 9000 < second.evidence["age"]
    by_other_date = {"half_life": 365, "date": "valid"}
    assert (await corpus.texts(old, mode=mode, settings=by_other_date))[0] == old


async def test_without_a_date_the_ledger_says_when_a_document_changed(corpus, rows):
    await rows(
        "with s as (insert into source (name, type, readers) values ('s', 'folder', '{everyone}') "
        "returning id) insert into document (source_id, key, uri, title, text, format, readers, "
        "content_hash, updated_at) select s.id, k, '', '', '', 'text', '{everyone}', '', t "
        "from s, (values ('1', timestamptz '2001-01-01'), ('2', now())) d (k, t) returning 1"
    )
    old, new = [row[0] for row in await rows("select id from document order by key")]
    await corpus.add(corpus.chunk("travel rules apply", document_id=old))
    await corpus.add(corpus.chunk("travel rules apply here", document_id=new))
    found = await corpus.texts("travel rules apply", settings={"half_life": 365})
    assert found == ["travel rules apply here", "travel rules apply"]


async def test_how_far_a_walk_looks_grows_with_the_index_and_is_each_retrievers_own(
    corpus, rows, conninfo, monkeypatch
):
    monkeypatch.setattr(retrieval, "_LATELY", 0)
    await corpus.add("apples are red")
    await corpus.finish()
    alone = Database(conninfo, size=1)  # the reach is a connection's, and all share this one
    await alone.open()
    try:
        corpus.context = replace(corpus.context, database=alone)
        reaches = []
        for chunks, settings in ((1, {}), (10**6, {}), (10**6, {"ef_search": 77}), (1, {})):
            await rows("update pgvector_index set chunks = %s returning 1", [chunks])
            assert await corpus.texts("apples", settings=settings) == ["apples are red"]
            async with alone.connection() as connection:
                cursor = await connection.execute("select current_setting('hnsw.ef_search')::int")
                reaches += await cursor.fetchone()
    finally:
        await alone.close()
    assert reaches == [60, ef_search(10**6), 77, 60]


def test_a_larger_index_is_never_searched_less():
    reaches = [ef_search(10**power) for power in range(10)]
    assert reaches == sorted(reaches)
    assert (reaches[0], reaches[-1]) == (60, 1000)  # pgvector allows no more


@pytest.mark.parametrize(
    ("value", "year"),
    [("2024-05-01", 2024), (2024, 2024), ("2024", 2024), ("2024-05-01T10:00:00+02:00", 2024),
     ("yesterday", None), (None, None), (["2024"], None), (20240, None), ("", None)],
)  # fmt: skip
def test_dates_of_documents(value, year):
    found = _date(value)
    assert (found and found.year) == year
    assert found is None or found.tzinfo is not None
