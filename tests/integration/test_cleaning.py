"""Cleaning in a sync: what is left out is told, nothing is lost, and nothing leaks."""

import pluggy
import pytest
import toys

from bot import Document, PersonalData, hookimpl, hookspecs
from bot.errors import SourceError
from bot.indexing import builtin
from bot.indexing.cleaning import Wishes

NOTICE = "This page is licensed to everybody who wants to read it, at any time."


def doc(key, text, **more):
    return Document(key=key, text=text, fingerprint=f"{text}{more}", **more)


def words(count, start=0):
    return " ".join(f"word{n}" for n in range(start, start + count))


@pytest.fixture
def sync(database):
    """Sync items as one source; `sync.manager` takes more plugins."""
    manager = pluggy.PluginManager("bot")
    manager.add_hookspecs(hookspecs)
    loader = toys.Memory()
    for name, plugin in {
        "loader": loader,
        "embedder": toys.HashEmbedder(),
        "splitter": toys.Paragraphs(),
        "index": toys.TableIndex(database),
        "builtin": builtin,
    }.items():
        manager.register(plugin, name)

    async def run(*items, name="source", **wishes):
        loader.items = list(items)
        return await toys.sync(database, manager, name=name, wishes=Wishes(**wishes))

    run.manager = manager
    return run


@pytest.fixture
def stored(rows):
    """The stored documents: text, title and metadata by key."""

    async def ask():
        found = await rows("select key, text, title, metadata from document")
        return {key: (text, title, metadata) for key, text, title, metadata in found}

    return ask


async def test_the_language_stands_in_the_metadata_unless_the_document_names_it(sync, stored):
    await sync(
        doc("a", "Der Urlaub verfällt am Ende des Monats März, wenn er nicht genommen wird."),
        doc(
            "b", "You can take the days off that remain until the end of March.", metadata={"n": 1}
        ),
        doc("c", "You can take the days off that remain until March.", metadata={"lang": "xx"}),
        doc("d", "4711"),
    )
    metadata = {key: each[2] for key, each in (await stored()).items()}
    assert metadata == {
        "a": {"lang": "de"}, "b": {"n": 1, "lang": "en"}, "c": {"lang": "xx"}, "d": {},
    }  # fmt: skip


async def test_personal_data_is_replaced_before_anything_is_stored(sync, stored, rows):
    text = "Write to ann@example.com\nor call +49 30 901820.\nIBAN DE89 3704 0044 0532 0130 00"
    item = doc("a", text, title="Of ann@example.com", metadata={"by": ["ann@example.com"], "n": 1})
    done = await sync(item, redact=["email", "iban"])
    assert await stored() == {
        "a": (
            "Write to [email]\nor call +49 30 901820.\nIBAN [iban]",
            "Of [email]",
            {"by": ["[email]"], "n": 1},
        )
    }
    assert done.told.redacted == 4
    chunks = await rows("select text from toy_chunk")
    assert not any("ann@" in text or "DE89" in text for (text,) in chunks)


async def test_other_wishes_make_what_is_stored_be_read_again(sync, stored):
    item = doc("a", "Write to ann@example.com")
    await sync(item)
    assert (await sync(item, redact=["email"])).changed == 1
    assert (await stored())["a"][0] == "Write to [email]"
    assert (await sync(item, redact=["email"])).unchanged == 1
    assert (await sync(item)).changed == 1


async def test_a_detector_of_a_plugin_finds_its_own_kinds(sync, stored):
    class Names:
        @hookimpl
        def bot_personal_kinds(self):
            return ["name"]

        @hookimpl
        async def bot_personal_data(self, text):
            at = text.find("Ann")
            return [PersonalData(start=at, end=at + 3, kind="name")] if at >= 0 else []

    with pytest.raises(SourceError, match="No detector finds 'name'"):
        await sync(doc("a", "Ann: a@b.example"), redact=["name", "email"])
    assert await stored() == {}
    sync.manager.register(Names(), "names")
    await sync(doc("a", "Ann: a@b.example"), redact=["name", "email"])
    assert (await stored())["a"][0] == "[name]: [email]"


async def test_a_detector_that_fails_keeps_the_document_out(sync, stored):
    class Broken:
        @hookimpl
        def bot_personal_data(self, text):
            if "trap" in text:
                raise RuntimeError("no model")
            return []

    sync.manager.register(Broken(), "broken")
    items = [doc("a", "a trap: a@b.example"), doc("b", "b@c.example")]
    assert (await sync(*items)).added == 2
    done = await sync(*items, redact=["email"])
    assert set(await stored()) == {"b"}
    assert done.deleted == 1
    ((place, reason),) = done.problems
    assert place == "a"
    assert "not stored" in reason


async def test_boilerplate_is_left_out_from_the_sixth_document_on_and_counted(sync, stored):
    def items(count):
        return [doc(f"d{n}", f"Only in number {n}.\n\n{NOTICE}") for n in range(count)]

    done = await sync(*items(4), boilerplate="drop")
    assert done.told.boilerplate == 0
    done = await sync(*items(8), boilerplate="drop")
    assert (done.added, done.unchanged, done.told.boilerplate) == (4, 4, 3)
    texts = {key: each[0] for key, each in (await stored()).items()}
    assert sum(NOTICE in text for text in texts.values()) == 5
    assert all(f"Only in number {n}." in texts[f"d{n}"] for n in range(8))


async def test_asked_for_later_boilerplate_is_left_out_of_what_is_stored_but_not_of_all(
    sync, stored
):
    items = [doc(f"d{n}", f"Only in number {n}.\n\n{NOTICE}") for n in range(9)]
    await sync(*items)
    done = await sync(*items, boilerplate="drop")
    assert (done.changed, done.told.boilerplate) == (4, 4)
    assert sum(NOTICE in each[0] for each in (await stored()).values()) == 5
    again = await sync(*items, boilerplate="drop")
    assert (again.unchanged, again.told.boilerplate) == (9, 0)


async def test_boilerplate_is_not_lost_when_all_that_kept_it_goes(sync, stored):
    await sync(*(doc(f"a{n}", f"In number {n}.\n\n{NOTICE}") for n in range(9)), boilerplate="drop")
    moved = [doc(f"b{n}", f"In number {n}.\n\n{NOTICE}") for n in range(9)]
    await sync(*moved, boilerplate="drop")
    texts = await stored()
    assert set(texts) == {f"b{n}" for n in range(9)}
    assert sum(NOTICE in each[0] for each in texts.values()) == 5


async def test_of_documents_that_say_the_same_one_is_indexed_and_the_others_are_told(sync, stored):
    twin = doc("b", words(300).replace("word7 ", "x "))
    items = (doc("a", words(300)), twin, doc("c", words(300, 300)))
    done = await sync(*items, duplicates="drop")
    assert set(await stored()) == {"a", "c"}
    assert (done.added, done.duplicates, done.unreadable) == (2, 1, 1)
    ((place, reason),) = done.problems
    assert place == "b"
    assert "nearly the same as a (" in reason
    again = await sync(*items, duplicates="drop")
    assert (again.unchanged, again.duplicates, again.problems) == (2, 1, [])


async def test_a_document_that_was_renamed_or_whose_twin_went_is_not_lost(sync, stored):
    await sync(doc("old", words(300)), duplicates="drop")
    done = await sync(doc("new", words(300)), duplicates="drop")
    assert set(await stored()) == {"new"}
    assert (done.added, done.deleted, done.duplicates) == (1, 1, 0)


async def test_twins_that_not_the_same_people_may_read_both_stay(sync, stored):
    await sync(
        doc("a", words(300), readers=frozenset({"group:hr"})), doc("b", words(300)),
        duplicates="drop",
    )  # fmt: skip
    assert set(await stored()) == {"a", "b"}


async def test_unless_asked_nothing_is_left_out(sync, stored):
    text = f"{words(300)} a@b.example\n\n{NOTICE}"
    done = await sync(*(doc(f"d{n}", text) for n in range(8)))
    assert (done.added, done.duplicates, done.told.boilerplate, done.told.redacted) == (8, 0, 0, 0)
    assert {each[0] for each in (await stored()).values()} == {text}
