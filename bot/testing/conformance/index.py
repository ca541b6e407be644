"""The suite for retrievers that keep an index of what `bot reindex` has read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

from bot import schema
from bot.database import Connection
from bot.dispatch import implementations
from bot.document import Chunk, IndexVersion, Purpose, Vectors
from bot.indexing import versions
from bot.plugins import Context
from bot.testing.conformance.base import HOSTILE, UNICODE, Subject
from bot.testing.conformance.retriever import RetrieverConformance
from bot.turn import EVERYONE, Passage, Turn

DIMENSIONS = 16
BOSS = "email:boss@example.com"

TEXTS = (
    "The printer stands on the second floor.",
    "A printer needs paper and toner.",
    "Holidays are thirty days a year.",
    "The canteen serves soup at noon.",
)


def embed(text: str) -> Vectors:
    """Add up a direction for each word, so that texts that share words are near."""
    import numpy as np

    vector = np.full(DIMENSIONS, 1e-3, np.float32)
    for word in text.lower().split():
        vector += np.random.default_rng(crc32(word.encode())).standard_normal(DIMENSIONS)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class IndexConformance(RetrieverConformance):
    """Checks of `bot_retrieve` and of the hooks `bot_index_…`. It needs a `database`.

    Attributes:
        transactional: the index lies in the bot's database, so that what is rolled back is gone.
    """

    question = "Where does the printer stand?"
    transactional: bool = True
    _version: IndexVersion | None = None

    def context(self, home: Path) -> Context:
        made = super().context(home)
        return Context(home=made.home, database=made.database, embed=_embed)

    def turn(self, question: str, **given: Any) -> Turn:
        return super().turn(question, **{"index": self._version, **given})

    @asynccontextmanager
    async def subject(self, settings: Mapping[str, Any] | None = None) -> AsyncIterator[Subject]:
        """Make the component and a live index version that holds `TEXTS`, one a document."""
        assert self.database is not None, "set `self.database` in a fixture"
        async with super().subject(settings) as subject:
            folders = [schema.core_migrations(), *subject.plugins.migrations()]
            await schema.ensure(self.database, folders)
            self._version = await versions.seed(
                self.database, subject.plugins.manager, {}, DIMENSIONS
            )
            if not await self._count(subject):
                chunks = [self.chunk(number, text) for number, text in enumerate(TEXTS, 1)]
                await self.change(subject, "bot_index_add", chunks=chunks)
                await self.finish(subject)
            yield subject

    def chunk(self, document: int, text: str, **given: Any) -> Chunk:
        """Make a chunk, the only one of its document."""
        made: dict[str, Any] = {
            "id": f"p{document}",
            "document_id": document,
            "source": "manual",
            "ordinal": 0,
            "start": 0,
            "end": len(text),
            "text": text,
            "vector": embed(text),
            "readers": (EVERYONE,),
        }
        return Chunk(**{**made, **given})

    async def change(
        self, subject: Subject, hook: str, version: IndexVersion | None = None, **given: Any
    ) -> None:
        """Call a hook of the index in a transaction, as the core does."""
        assert self.database is not None
        async with self.database.transaction() as connection:
            await self._tell(subject, hook, version, connection, **given)

    async def finish(self, subject: Subject) -> None:
        """Call the hook that ends a sync."""
        await self.change(subject, "bot_index_finish")

    async def find(self, subject: Subject, question: str, **given: Any) -> list[str]:
        """Ask; return the passages' ids, sorted."""
        return sorted(passage.id for passage in await self.ask(subject, question, **given))

    async def test_what_is_added_is_found(self) -> None:
        """A chunk is found as a passage that says what the chunk says."""
        chunk = self.chunk(
            50, "Umbrellas hang in the hall.", title="Hall", uri="https://example.com/hall",
            metadata={"floor": "1"}, start=7, end=34,
        )  # fmt: skip
        async with self.subject() as subject:
            await self.change(subject, "bot_index_add", chunks=[chunk])
            await self.finish(subject)
            found = await self.ask(subject, "Where do the umbrellas hang?")
        passage = {one.id: one for one in found}.get("p50")
        assert passage is not None, "what was added is not found"
        for name in ("text", "title", "uri", "source", "start", "end"):
            told, meant = getattr(passage, name), getattr(chunk, name)
            assert told == meant, f"{name} is {told!r}, not {meant!r}"
        assert passage.readers == {EVERYONE}
        assert dict(passage.metadata) == {"floor": "1"}

    async def test_what_is_deleted_is_not_found(self) -> None:
        """A deleted document is gone from the next search on, and can come back."""
        async with self.subject() as subject:
            assert "p1" in await self.find(subject, self.question)
            await self.change(subject, "bot_index_delete", document_ids=[1])
            assert "p1" not in await self.find(subject, self.question), "what was deleted is found"
            await self.finish(subject)
            assert "p1" not in await self.find(subject, self.question), "the deleted came back"
            await self.change(subject, "bot_index_delete", document_ids=[1, 77_777])
            await self.change(subject, "bot_index_add", chunks=[self.chunk(1, TEXTS[0])])
            await self.finish(subject)
            assert "p1" in await self.find(subject, self.question), "what came back is not found"

    async def test_only_readers_find(self) -> None:
        """A document is found by its readers alone, also after they have changed."""
        secret = self.chunk(60, "The safe opens with 8155.", readers=(BOSS,))
        question, boss = "How does the safe open?", frozenset({BOSS})
        async with self.subject() as subject:
            await self.change(subject, "bot_index_add", chunks=[secret])
            await self.finish(subject)
            assert "p60" in await self.find(subject, question, principals=boss)
            assert "p60" not in await self.find(subject, question)
            await self.change(subject, "bot_index_readers", readers={60: [EVERYONE]})
            assert "p60" in await self.find(subject, question), "the new readers do not find it"
            await self.change(subject, "bot_index_readers", readers={60: ["group:none"]})
            assert "p60" not in await self.find(subject, question, principals=boss), (
                "who may not read it any more still finds it"
            )

    async def test_readers_do_not_take_the_places_of_others(self) -> None:
        """What the asker may not read is left out before k is counted, not afterwards."""
        text = "A printer printer printer."
        theirs = [self.chunk(number, text, readers=(BOSS,)) for number in range(1000, 1100)]
        async with self.subject() as subject:
            await self.change(subject, "bot_index_add", chunks=theirs)
            await self.finish(subject)
            assert len(await self.find(subject, text, k=2)) == 2

    async def test_sources_and_filters(self) -> None:
        """Only the turn's sources are searched, and only what has the metadata asked for."""
        chunks = [
            self.chunk(70, "The ladder is in the shed.", source="a", metadata={"team": "x"}),
            self.chunk(71, "The ladder is in the cellar.", source="b", metadata={"team": "y"}),
        ]
        question = "Where is the ladder?"
        async with self.subject() as subject:
            await self.change(subject, "bot_index_add", chunks=chunks)
            await self.finish(subject)
            ladders = {"p70", "p71"}
            for given, expected in (
                ({}, ladders),
                ({"sources": frozenset({"a"})}, {"p70"}),
                ({"sources": frozenset({"a", "b"})}, ladders),
                ({"sources": frozenset({"nowhere"})}, set[str]()),
                ({"filters": {"team": "y"}}, {"p71"}),
                ({"filters": {"team": ("x", "y")}}, ladders),
                ({"filters": {"team": "z"}}, set[str]()),
            ):
                found = set(await self.find(subject, question, **given))
                assert found & ladders == expected, f"{given}: {sorted(found)}"
                assert not given or found <= ladders, f"{given}: {sorted(found)}"

    async def test_any_text_is_kept(self) -> None:
        """Hostile, foreign and huge texts are stored and given back as they are."""
        texts = [*(text for text in (*HOSTILE, *UNICODE)), "long " * 20_000]
        chunks = [self.chunk(n, f"zebra {text}") for n, text in enumerate(texts, 200)]
        async with self.subject() as subject:
            await self.change(subject, "bot_index_add", chunks=chunks)
            await self.finish(subject)
            found = await self.ask(subject, "zebra", k=100)
        kept: dict[str, Passage] = {passage.id: passage for passage in found}
        for chunk in chunks:
            assert chunk.id in kept, f"not found: {chunk.text[:40]!r}"
            assert kept[chunk.id].text == chunk.text, f"changed: {chunk.text[:40]!r}"

    async def test_versions_do_not_mix(self) -> None:
        """Another version is empty until it is filled, searched apart, and dropped alone."""
        async with self.subject() as subject:
            assert self.database is not None
            async with self.database.transaction() as connection:
                other = await versions.create(connection, subject.plugins.manager, {}, DIMENSIONS)
            assert await self.find(subject, self.question, index=other) == []
            chunk = self.chunk(1, "The printer has moved to the attic.")
            await self.change(subject, "bot_index_add", other, chunks=[chunk])
            await self.change(subject, "bot_index_finish", other)
            (found,) = await self.ask(subject, self.question, index=other)
            assert found.text == chunk.text
            assert "attic" not in str(await self.ask(subject, self.question)), "versions mix"
            await self.change(subject, "bot_index_drop", other)
            assert "p1" in await self.find(subject, self.question), "the wrong version is dropped"

    async def test_no_index_finds_nothing(self) -> None:
        """Without a version there is nothing to find, and that is no error."""
        async with self.subject() as subject:
            assert await self.find(subject, self.question, index=None) == []

    async def test_what_is_rolled_back_is_not_there(self) -> None:
        """An index in the bot's database keeps nothing of a transaction that failed; one that
        lies elsewhere bears that the same documents are deleted and added again."""
        chunk = self.chunk(80, "The kayak is green.")
        async with self.subject() as subject:
            assert self.database is not None
            try:
                async with self.database.transaction() as connection:
                    await self._tell(subject, "bot_index_add", None, connection, chunks=[chunk])
                    raise _Undone
            except _Undone:
                pass
            if self.transactional:
                found = await self.find(subject, "What colour is the kayak?")
                assert "p80" not in found, "what was rolled back is found"
            await self.change(subject, "bot_index_delete", document_ids=[80])
            await self.change(subject, "bot_index_add", chunks=[chunk])
            await self.finish(subject)
            assert "p80" in await self.find(subject, "What colour is the kayak?")

    async def _tell(
        self,
        subject: Subject,
        hook: str,
        version: IndexVersion | None,
        connection: Connection,
        **given: Any,
    ) -> None:
        """Call every implementation: the module may have some, the component others."""
        version = version or self._version
        for one in implementations(subject.plugins.manager, hook):
            await one.call(None, version=version, connection=connection, **given)

    async def _count(self, subject: Subject) -> int:
        return len(await self.ask(subject, self.question, k=50))


async def _embed(
    texts: Sequence[str], purpose: Purpose, version: IndexVersion, *, public: bool | None = None
) -> Vectors:
    import numpy as np

    return np.stack([embed(text) for text in texts]) if texts else np.empty((0, DIMENSIONS), "f4")


class _Undone(Exception):
    """Ends a transaction."""
