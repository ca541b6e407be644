"""The suite for loaders."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, ClassVar

from bot import dispatch
from bot.document import Document, Found, Skipped, Source
from bot.errors import DocumentError, HookFailed, SourceError
from bot.plugins import Kind
from bot.testing.conformance.base import Conformance, Subject, open_files
from bot.turn import EVERYONE


class LoaderConformance(Conformance):
    """Checks of `bot_load`.

    Attributes:
        settings: a source with at least one document.
        unreadable: settings of a source that cannot be read. It must raise: a loader that ends
            without an error has told everything, and what it did not yield is deleted.
    """

    kind: ClassVar[Kind] = "loader"
    unreadable: Mapping[str, Any]
    patience: float = 60.0

    async def remove(self) -> str:
        """Take one document out of the source; return its key. Override it."""
        raise NotImplementedError("override `remove`, so that a deletion can be seen")

    async def load(
        self, subject: Subject, settings: Mapping[str, Any] | None = None
    ) -> dict[str, Document | Found]:
        """Read the whole source; see that each item is what the core takes."""
        given = self.settings if settings is None else settings
        items: dict[str, Document | Found] = {}
        async with aclosing(self._stream(subject, given)) as stream:
            async for item in stream:
                if isinstance(item, Skipped):
                    assert item.where, "what is skipped has no place"
                    assert item.reason, "what is skipped has no reason"
                    continue
                assert isinstance(item, Document | Found), f"a {type(item).__name__} is no Document"
                assert isinstance(item.key, str), f"the key {item.key!r} is no text"
                assert item.key, "a document has no key"
                assert item.key not in items, f"the key {item.key!r} came twice"
                items[item.key] = item
        return items

    async def read(self, item: Document | Found) -> Document | None:
        """Read what was found; None for what cannot be read, and says so."""
        if isinstance(item, Document):
            return item
        try:
            document = await item.read()
        except DocumentError:
            return None
        assert isinstance(document, Document), f"{item.key}: a {type(document).__name__} was read"
        assert document.key == item.key, f"{item.key} was read as {document.key}"
        return document

    async def test_it_finds_documents(self) -> None:
        """Each has a key, text, and either readers or None for the source's."""
        async with self.subject() as subject:
            items = await self.load(subject)
            documents = [await self.read(item) for item in items.values()]
        assert any(documents), "there is no document"
        for one in filter(None, documents):
            assert isinstance(one.text, str), f"{one.key}: the text is a {type(one.text).__name__}"
            assert one.readers is None or isinstance(one.readers, frozenset), one.key
            assert one.readers != frozenset(), f"{one.key}: nobody may read it; leave it out"
            assert one.format in ("markdown", "text"), f"{one.key}: {one.format}"
            assert isinstance(one.metadata, Mapping), f"{one.key}: metadata is no mapping"
            numbers = [each for each in one.metadata.values() if isinstance(each, float)]
            assert all(map(math.isfinite, numbers)), f"{one.key}: metadata cannot be stored"

    async def test_twice_the_same(self) -> None:
        """Read again, an unchanged source gives the same keys and fingerprints."""
        async with self.subject() as subject:
            first, again = await self.load(subject), await self.load(subject)
        told = [{key: item.fingerprint for key, item in items.items()} for items in (first, again)]
        assert told[0] == told[1], "an unchanged source looks changed"
        silent = [key for key, fingerprint in told[0].items() if not fingerprint]
        assert not silent, f"no fingerprint: {silent}; it would be embedded anew each time"

    async def test_what_is_deleted_is_not_yielded(self) -> None:
        """What is gone from the source is not yielded any more; all else is."""
        async with self.subject() as subject:
            before = (await self.load(subject)).keys()
            gone = await self.remove()
            assert gone in before, f"{gone!r} was no document"
            assert (await self.load(subject)).keys() == before - {gone}

    async def test_what_cannot_be_read_is_an_error(self) -> None:
        """A source that is not there raises a `SourceError` and is not taken for an empty one."""
        async with self.subject(self.unreadable) as subject:
            try:
                items = await self.load(subject, self.unreadable)
            except SourceError:
                return
        raise AssertionError(
            f"it gave {len(items)} documents of a source that cannot be read: everything else "
            "would be deleted"
        )

    async def test_it_can_be_stopped(self) -> None:
        """Closed after the first item it ends, and reads again from the start."""
        async with self.subject() as subject:
            expected = (await self.load(subject)).keys()
            stream = self._stream(subject, self.settings)
            async for _ in stream:
                break
            await asyncio.wait_for(stream.aclose(), 10.0)
            assert (await self.load(subject)).keys() == expected

    async def test_two_syncs_at_once(self) -> None:
        """Two iterations do not disturb each other."""
        async with self.subject() as subject:
            one, other = await asyncio.gather(self.load(subject), self.load(subject))
        assert one.keys() == other.keys()

    async def test_it_leaks_no_files(self) -> None:
        """Ten syncs leave no more files open than one."""
        async with self.subject() as subject:
            await self.load(subject)
            before = open_files()
            for _ in range(10):
                for item in (await self.load(subject)).values():
                    await self.read(item)
            leaked = open_files() - before
        assert leaked < 8, f"{leaked} files were left open by 10 syncs"

    def _stream(self, subject: Subject, settings: Mapping[str, Any]) -> Any:
        return _unwrapped(subject, self._source(subject, settings), self.patience)

    def _source(self, subject: Subject, settings: Mapping[str, Any]) -> Source:
        type_ = self.type or self.plugin
        factory = subject.plugins.component("loader", type_)
        assert factory is not None, f"{self.plugin} offers no loader {type_!r}"
        return Source(
            name="source",
            type=type_,
            settings=factory.settings.model_validate(dict(settings), context=self.validation),
            readers=frozenset({EVERYONE}),
        )


async def _unwrapped(subject: Subject, source: Source, patience: float) -> Any:
    """Read the loader as the bot does; raise its own error."""
    stream = dispatch.stream(subject.hook("bot_load"), patience, source=source)
    async with aclosing(stream) as items:
        try:
            async for item in items:
                yield item
        except HookFailed as failure:
            raise failure.__cause__ or failure from None
