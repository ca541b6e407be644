"""An assistant that reads whole documents, as long as they fit and its asker may."""

import pytest
import toys

from bot import Document, Passage, Turn
from bot.location import located
from bot.plugins import Plugins
from bot.turn import Assistant
from bot.whole import widened

EVERYONE = frozenset({"everyone"})
SHORT = "The port is 8080.\nIt can be changed in the settings."
LONG = "The door is blue.\n" + "It was painted long ago. " * 60

SLIDES = "# Welcome\n\nGood morning.\n\n\f\n\n# Lunch\n\nThe soup is hot."


async def words(text):
    return len(text.split())


@pytest.fixture
async def documents(database):
    """Two documents of the source that the toys sync."""
    plugins = Plugins()
    parts = {
        "table": toys.TableIndex(database),
        "embedder": toys.HashEmbedder(),
        "splitter": toys.Paragraphs(),
        "loader": toys.Memory(
            Document(key="short", text=SHORT, uri="doc:short", title="Ports"),
            Document(key="long", text=LONG, uri="doc:long", title="Doors"),
            Document(key="hr", text="Secret whole.", uri="doc:hr", readers=frozenset({"group:hr"})),
            Document(key="talk", text=SLIDES, uri="https://example.com/talk.pptx"),
            Document(key="a", text="One.", uri="doc:same"),
            Document(key="b", text="Two.", uri="doc:same"),
        ),
    }
    for name, part in parts.items():
        plugins.register(part, name)
    await toys.sync(database, plugins.manager)


def passage(text, uri, source):
    return Passage(id=text, text=text, readers=EVERYONE, uri=uri, source=source)


async def read(database, passages, limit, context="documents", principals=EVERYONE):
    asked = Turn(
        id="t", question="?", assistant=Assistant(context=context), principals=principals
    )  # fmt: skip
    return [one.text for one in await widened(database, asked, passages, limit, words)]


@pytest.fixture
async def found(database, documents, rows):
    ((source,),) = await rows("select name from source")
    parts = [("The port is 8080.", "doc:short"), ("The door is blue.", "doc:long"),
             ("It can be changed in the settings.", "doc:short")]  # fmt: skip
    return [passage(text, uri, source) for text, uri in parts]


async def test_whole_documents_are_read_once_each_when_they_fit(database, found):
    assert await read(database, found, 10_000) == [SHORT, LONG]


async def test_a_budget_decides_between_a_document_and_its_passages(database, found):
    assert await read(database, found, 100) == [SHORT, "The door is blue."]
    assert await read(database, found, 10) == [one.text for one in found]


async def test_passages_stay_where_nobody_asked_for_documents(database, found):
    assert await read(database, found, 10_000, "passages") == [one.text for one in found]
    assert await read(database, found, None) == [one.text for one in found]


async def test_a_document_that_the_asker_may_not_read_stays_closed(database, found):
    only = [passage("A line.", "doc:hr", found[0].source)]
    assert await read(database, only, 10_000) == ["A line."]
    both = frozenset({"everyone", "group:hr"})
    assert await read(database, only, 10_000, principals=both) == ["Secret whole."]


async def test_an_address_that_several_documents_share_names_none(database, found):
    only = [passage("One.", "doc:same", found[0].source)]
    assert await read(database, only, 10_000) == ["One."]


async def test_a_quote_of_a_whole_document_is_cited_by_its_section_and_page(database, found):
    only = [passage("Good morning.", "https://example.com/talk.pptx", found[0].source)]
    asked = Turn(
        id="t", question="?", assistant=Assistant(context="documents"), principals=EVERYONE
    )  # fmt: skip
    (whole,) = await widened(database, asked, only, 10_000, words)
    assert located(whole, "The soup is hot.") == "Lunch › slide 2"
    assert located(whole, "Good morning.") == "Welcome › slide 1"


async def test_without_the_database_passages_stay(database, found):
    await database.close()
    assert await read(database, found, 10_000) == [one.text for one in found]
