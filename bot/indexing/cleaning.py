"""Cleaning a source's documents before they are stored, as the source's table asks.

Always: the language is detected and stands in the metadata as `lang`, unless the document names it
itself. When asked: personal data is replaced, paragraphs that stand in many documents are left out,
and so is a document that says nearly the same as another. What was left out is counted and told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pluggy

from bot import dispatch
from bot.database import Database, load_queries
from bot.dispatch import in_thread
from bot.document import Document, Source
from bot.errors import DocumentError, SourceError
from bot.indexing.boilerplate import Boilerplate
from bot.indexing.duplicates import Duplicates
from bot.indexing.language import language
from bot.indexing.redaction import redact

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "cleaning.sql")

Wish = Literal["keep", "drop"]


class Duplicate(DocumentError):
    """A document says nearly the same as another one, which is indexed.

    Attributes:
        of: the other one's key.
    """

    def __init__(self, of: str, share: float) -> None:
        super().__init__(
            f"It says nearly the same as {of} ({share:.0%}) and is left out; "
            'set `duplicates = "keep"` to index both.'
        )
        self.of = of


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a source's table asks for.

    Attributes:
        redact: kinds of personal data.
    """

    redact: Sequence[str] = ()
    boilerplate: Wish = "keep"
    duplicates: Wish = "keep"

    @property
    def stamp(self) -> str:
        """Goes into fingerprints, so that other wishes make all documents be read again."""
        if self == Wishes():
            return ""
        made_of = repr((sorted(self.redact), self.boilerplate, self.duplicates))
        return hashlib.blake2b(made_of.encode(), digest_size=4).hexdigest()


@dataclass(slots=True)
class Told:
    """What was left out: places of personal data, paragraphs."""

    redacted: int = 0
    boilerplate: int = 0


@dataclass(slots=True)
class Cleaner:
    """Cleans the documents of one source during one sync.

    What it must know of the other documents is made from their stored texts, when the first
    document comes that is new: nothing of it has to be kept in step.
    """

    manager: pluggy.PluginManager
    database: Database
    source: Source
    wishes: Wishes
    told: Told = field(default_factory=Told)
    _boilerplate: Boilerplate | None = None
    _duplicates: Duplicates | None = None
    _met: list[str] = field(default_factory=list)

    async def check(self) -> None:
        """Refuse kinds of personal data that no detector finds.

        Raises:
            SourceError: nothing may be stored that was to be redacted.
        """
        if not self.wishes.redact:
            return
        results = await dispatch.gather(self.manager, "bot_personal_kinds", timeout=None)
        kinds = {kind for result in results for kind in result.value or ()}
        if missing := sorted(set(self.wishes.redact) - kinds):
            raise SourceError(
                f"No detector finds {missing[0]!r} ({self.source.name}: redact); there is "
                f"{', '.join(sorted(kinds)) or 'none'}, look at `bot plugins doctor`."
            )

    async def clean(self, document: Document, *, new: bool, alone: bool = True) -> Document:
        """Clean one document.

        Args:
            new: nothing of it is stored yet.
            alone: leave it out when another one says the same.

        Raises:
            Duplicate: another one says the same.
            NotRedacted: its personal data cannot be looked for.
        """
        if self.wishes.redact:
            document, count = await redact(self.manager, document, self.wishes.redact)
            self.told.redacted += count
        if self.wishes.boilerplate == "drop" or self.wishes.duplicates == "drop":
            await self._learn()
            whole = document
            document = await in_thread(lambda: self._compared(whole, new=new, alone=alone))
        if not document.metadata.get("lang"):
            detected = await in_thread(lambda: language(document.text))
            if detected:
                document = replace(document, metadata={**document.metadata, "lang": detected})
        return document

    def still(self, key: str) -> None:
        """Learn that a document is there, as it is stored."""
        if self.wishes.boilerplate == "drop":
            self._met.append(key)

    async def end(self) -> None:
        """Write down what was learned for the next sync."""
        if self._boilerplate is not None and self._boilerplate.fresh:
            async with self.database.connection() as connection:
                await connection.execute(
                    QUERIES["judge"],
                    {"source": self.source.name, "paragraphs": list(self._boilerplate.fresh)},
                )

    def _compared(self, document: Document, *, new: bool, alone: bool) -> Document:
        assert self._boilerplate is not None
        assert self._duplicates is not None
        if self.wishes.boilerplate == "drop":
            for key in self._met:
                self._boilerplate.still(key)
            self._met.clear()
            text, count = self._boilerplate.without(document.text)
            self.told.boilerplate += count
            document = replace(document, text=text)
        if self.wishes.duplicates == "drop" and new:
            readers = self.source.readers if document.readers is None else document.readers
            found = self._duplicates.like(document.text, readers) if alone else None
            if found:
                raise Duplicate(*found)
            self._duplicates.learn(document.key, document.text, readers)
        return document

    async def _learn(self) -> None:
        """Look at what is stored of the source, once."""
        if self._boilerplate is not None:
            return
        self._duplicates = Duplicates()
        async with self.database.transaction() as connection:
            source = {"source": self.source.name}
            judged = await (await connection.execute(QUERIES["judged"], source)).fetchall()
            self._boilerplate = Boilerplate(bytes(each) for (each,) in judged)
            cursor = connection.cursor("stored_texts")
            await cursor.execute(QUERIES["stored_texts"], source)
            while rows := await cursor.fetchmany(200):
                await in_thread(lambda rows=rows: self._take_in(rows))

    def _take_in(self, rows: Collection[tuple[str, str, list[str]]]) -> None:
        assert self._boilerplate is not None
        assert self._duplicates is not None
        for key, text, readers in rows:
            if self.wishes.boilerplate == "drop":
                self._boilerplate.store(key, text)
            if self.wishes.duplicates == "drop":
                self._duplicates.learn(key, text, frozenset(readers))
