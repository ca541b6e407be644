"""Every check of the index's suite has an index that fails it."""

import inspect

import pytest
from pydantic import BaseModel

from bot import Component, Passage, hookimpl
from bot.errors import BotError, HookFailed
from bot.plugins import Plugins
from bot.testing.conformance import IndexConformance


class Settings(BaseModel):
    pass


class Shelf:
    """Keeps chunks in memory and finds those that share a word."""

    def __init__(self):
        self.versions = {}

    @hookimpl
    def bot_index_begin(self, version):
        self.versions[version.id] = {}

    @hookimpl
    def bot_index_add(self, version, chunks):
        self.versions[version.id] |= {chunk.document_id: chunk for chunk in chunks}
        self.readers = {
            **getattr(self, "readers", {}),
            **{c.document_id: c.readers for c in chunks},
        }

    @hookimpl
    def bot_index_delete(self, version, document_ids):
        for document in document_ids:
            self.versions[version.id].pop(document, None)

    @hookimpl
    def bot_index_readers(self, version, readers):
        self.readers |= readers

    @hookimpl
    def bot_index_drop(self, version):
        del self.versions[version.id]

    @hookimpl
    async def bot_retrieve(self, turn):
        if turn.index is None:
            return []
        return [self.passage(chunk) for chunk in self.chunks(turn) if self.fits(turn, chunk)][
            : turn.k
        ]

    def chunks(self, turn):
        return list(self.versions[turn.index.id].values())

    def fits(self, turn, chunk):
        words = set(" ".join(turn.queries).lower().strip("?").split())
        return (
            words & set(chunk.text.lower().strip(".").split())
            and turn.principals & set(self.readers[chunk.document_id])
            and self.asked_for(turn, chunk)
        )

    def asked_for(self, turn, chunk):
        wanted = {k: v if isinstance(v, tuple) else (v,) for k, v in turn.filters.items()}
        fits = all(chunk.metadata.get(key) in values for key, values in wanted.items())
        return fits and (not turn.sources or chunk.source in turn.sources)

    def passage(self, chunk):
        return Passage(
            id=chunk.id, text=chunk.text, readers=frozenset(self.readers[chunk.document_id]),
            title=chunk.title, uri=chunk.uri, source=chunk.source, start=chunk.start,
            end=chunk.end, metadata=chunk.metadata,
        )  # fmt: skip


class Placeless(Shelf):
    def passage(self, chunk):
        return Passage(id=chunk.id, text=chunk.text, readers=frozenset({"everyone"}))


class Remembering(Shelf):
    @hookimpl
    def bot_index_delete(self, version, document_ids):
        pass


class Rigid(Shelf):
    @hookimpl
    def bot_index_readers(self, version, readers):
        pass


class Late(Shelf):
    """Leaves out what the asker may not read after k is counted."""

    def fits(self, turn, chunk):
        return set(turn.question.lower().split()) & set(chunk.text.lower().split())

    def chunks(self, turn):
        found = [chunk for chunk in super().chunks(turn) if self.fits(turn, chunk)]
        first = sorted(found, key=lambda chunk: -chunk.text.count("printer"))[: turn.k]
        return [one for one in first if turn.principals & set(self.readers[one.document_id])]


class Everywhere(Shelf):
    def asked_for(self, turn, chunk):
        return True


class Cutting(Shelf):
    def passage(self, chunk):
        return super().passage(type(chunk)(**{**_fields(chunk), "text": chunk.text[:1000]}))


class OneForAll(Shelf):
    def chunks(self, turn):
        return [chunk for version in self.versions.values() for chunk in version.values()]


class Versionless(Shelf):
    @hookimpl
    async def bot_retrieve(self, turn):
        return [self.passage(one) for one in self.versions[turn.index.id].values()][: turn.k]


def _fields(chunk):
    return {name: getattr(chunk, name) for name in type(chunk).__slots__}


BROKEN = {
    "test_what_is_added_is_found": Placeless,
    "test_what_is_deleted_is_not_found": Remembering,
    "test_only_readers_find": Rigid,
    "test_readers_do_not_take_the_places_of_others": Late,
    "test_sources_and_filters": Everywhere,
    "test_any_text_is_kept": Cutting,
    "test_versions_do_not_mix": OneForAll,
    "test_no_index_finds_nothing": Versionless,
    "test_what_is_rolled_back_is_not_there": Shelf,  # which is in no transaction
}


async def run(make, check, database, **attributes):
    class Plugin:
        @hookimpl
        def bot_components(self):
            return [
                Component(kind="retriever", type="mine", settings=Settings, make=lambda *_: make())
            ]

    def loaded(self):
        plugins = Plugins()
        plugins.register(Plugin(), "mine")
        plugins.loaded = [type("Loaded", (), {"error": ""})]
        return plugins

    given = {"plugin": "mine", "loaded": loaded, **attributes}
    suite = type("Suite", (IndexConformance,), given)()
    suite.database = database
    done = getattr(suite, check)()
    if inspect.isawaitable(done):
        await done


@pytest.mark.parametrize("check", BROKEN)
async def test_a_good_index_passes(check, database):
    await run(Shelf, check, database, transactional=False)


@pytest.mark.parametrize("check", BROKEN)
async def test_a_broken_index_fails(check, database):
    with pytest.raises((AssertionError, HookFailed, BotError)):
        await run(BROKEN[check], check, database)


def test_no_check_is_without_an_index_that_fails_it():
    checks = {name for name in vars(IndexConformance) if name.startswith("test_")}
    assert checks == set(BROKEN)
