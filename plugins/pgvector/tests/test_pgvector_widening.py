"""Passages larger than the chunks that were found: never twice, never beyond their limits."""

import pytest
from bot_pgvector.search import Hit
from bot_pgvector.widening import _joined, _located, _place
from hypothesis import given
from hypothesis import strategies as st

from bot import Passage

SECTIONS = [
    ("Guide › Install", ["apples are red", "pears are green", "plums are blue"]),
    ("Guide › Use", ["bread is brown", "milk is white"]),
]


@pytest.fixture
async def guide(corpus):
    """A document of two sections; each line is a chunk."""
    text = "\n".join(line for _, lines in SECTIONS for line in lines)
    async with corpus.database.connection() as connection:
        cursor = await connection.execute(
            "with s as (insert into source (name, type, readers) values ('manual', 'x', "
            "'{everyone}') returning id) insert into document (source_id, key, uri, title, text, "
            "format, readers, content_hash) select id, 'k', '', '', %s, 'text', '{everyone}', '' "
            "from s returning id",
            [text],
        )
        ((document,),) = await cursor.fetchall()
    chunks, at = [], 0
    for context, lines in SECTIONS:
        for line in lines:
            chunks.append(
                corpus.chunk(
                    line, document_id=document, id=f"k#{len(chunks)}", ordinal=len(chunks),
                    start=at, end=at + len(line), context=context,
                )
            )  # fmt: skip
            at += len(line) + 1
    await corpus.add(*chunks)
    return corpus


async def test_unless_asked_a_passage_is_its_chunk(guide):
    first, *_ = await guide.ask("red apples", mode="lexical")
    assert first.text == "apples are red"


async def test_found_chunks_that_touch_become_one_passage(guide):
    first, second = await guide.ask(
        "apples pears milk", mode="lexical", settings={"show": "neighbours"}
    )
    assert {first.text, second.text} == {"apples are red\npears are green", "milk is white"}
    joined = first if "\n" in first.text else second
    assert (joined.start, joined.end) == (0, len(joined.text))
    assert joined.evidence["chunks"] == joined.evidence["found"] == 2


async def test_a_chunk_is_shown_with_its_section(guide):
    (only,) = await guide.ask("green pears", mode="lexical", settings={"show": "section"})
    assert only.text == "apples are red\npears are green\nplums are blue"
    assert only.id == "k#1"
    assert only.location == "Guide › Install"


@pytest.mark.parametrize(
    ("own", "first", "last", "told"),
    [
        ("A › B › page 4", "A › B › page 3", "A › B › pages 4–5", "A › B › pages 3–5"),
        ("A › page 4", "A › page 4", "A › page 4", "A › page 4"),
        ("A › slides 2–3", "A › slide 2", "A › slides 2–3", "A › slides 2–3"),
        ("A › B", "A › B", "A › B", "A › B"),
    ],
)
def test_a_wider_passage_tells_all_its_pages(own, first, last, told):
    assert _located(own, first, last) == told


async def test_two_hits_of_one_section_are_one_passage(guide):
    found = await guide.ask("apples plums bread", mode="lexical", settings={"show": "section"})
    together = sorted(line for passage in found for line in passage.text.split("\n"))
    assert together == sorted(line for _, lines in SECTIONS for line in lines)


async def test_a_passage_grows_no_longer_than_allowed(guide):
    settings = {"show": "section", "show_characters": 200}
    (only,) = await guide.ask("green pears", mode="lexical", settings=settings)
    assert len(only.text) <= 200


async def test_a_document_that_changed_meanwhile_is_shown_as_it_was_found(guide):
    async with guide.database.connection() as connection:
        await connection.execute("update document set text = 'something else'")
    (only,) = await guide.ask("green pears", mode="lexical", settings={"show": "section"})
    assert only.text == "pears are green"
    async with guide.database.connection() as connection:
        await connection.execute("delete from document")
    (only,) = await guide.ask("green pears", mode="lexical", settings={"show": "section"})
    assert only.text == "pears are green"


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 2), st.sampled_from("AB")), min_size=1),
    st.data(),
    st.sampled_from(["neighbours", "section"]),
    st.integers(50, 300),
)
def test_every_hit_is_in_exactly_one_passage_that_fits(lengths, data, show, limit):
    rows, at = [], 0
    for length, gap, context in lengths:
        rows.append((1, at, at + length, context))
        at += length + gap
    found = data.draw(st.lists(st.integers(0, len(rows) - 1), unique=True, min_size=1))
    parts = []
    hits = [
        Hit(Passage(id=str(n), text="", readers=frozenset(), score=-place, start=rows[n][1]), 1)
        for place, n in enumerate(found)
    ]
    for hit in hits:
        _place(hit, rows, parts, show, limit)
    joined = _joined(parts, {1: rows}, limit)
    held = [n for part in joined for n in range(part.first, part.last + 1)]
    assert len(held) == len(set(held))
    assert set(found) <= set(held)
    assert show == "section" or set(found) == set(held)
    for part in joined:
        assert part.first == part.last or rows[part.last][2] - rows[part.first][1] <= limit
