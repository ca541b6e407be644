"""The ledger: documents, their chunks and their index, changed together or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy
from psycopg.types.json import Jsonb

from bot.database import Connection, Database, load_queries
from bot.document import Chunk, Document, IndexVersion
from bot.indexing.versions import QUERIES as VERSIONS
from bot.indexing.versions import kept, tell_index
from bot.text import storable
from bot.turn import Principal

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "index.sql")


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a document.

    Attributes:
        held: the versions that hold it as it is, or cannot take it as it is.
    """

    id: int
    fingerprint: str
    content_hash: bytes
    readers: frozenset[Principal]
    held: frozenset[int]


@dataclass(frozen=True, slots=True)
class Cut:
    """A document's chunks in one version, before the document has an id."""

    text: str
    start: int
    end: int
    context: str
    vector: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """A document with what must change about it.

    Attributes:
        cuts: its chunks by version id; versions that hold it already are missing.
        refused: why a version cannot take it, by version id.
    """

    document: Document
    readers: frozenset[Principal]
    content_hash: bytes
    known: Known | None
    cuts: Mapping[int, Sequence[Cut]]
    refused: Mapping[int, str] = field(default_factory=dict)


def content_hash(document: Document) -> bytes:
    """Hash all that a chunk is made of."""
    parts = [
        document.text,
        document.title,
        document.uri,
        document.format,
        document.passage_id,
        json.dumps(dict(document.metadata), sort_keys=True, default=str),
    ]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


class Ledger:
    """The documents of one source, and what the index versions hold of them.

    A version holds a document as it is, or not at all: what a change does not bring into a version
    is taken out of it, so that no version ever shows what is not so any more.

    Args:
        source, name: the source's row and its name.
    """

    def __init__(
        self, database: Database, manager: pluggy.PluginManager, source: int, name: str
    ) -> None:
        self._database = database
        self._manager = manager
        self._source = source
        self._name = name

    async def known(self, keys: Collection[str]) -> dict[str, Known]:
        """Look documents up by key."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                QUERIES["known"], {"source": self._source, "keys": list(keys)}
            )
            return {
                key: Known(id_, fingerprint, bytes(digest), frozenset(readers), frozenset(held))
                for key, id_, fingerprint, digest, readers, held in await cursor.fetchall()
            }

    async def write(self, entries: Sequence[Entry]) -> None:
        """Store a batch: documents, chunks, vectors and ledger in one transaction."""
        known = [entry.known.id for entry in entries if entry.known is not None]
        async with changing(self._database, known) as (connection, versions):
            ids = await self._put_documents(connection, entries)
            for version in versions:
                await self._put_chunks(connection, version, list(zip(ids, entries, strict=True)))
            changed = {
                id_: sorted(entry.readers)
                for id_, entry in zip(ids, entries, strict=True)
                if entry.known is not None and entry.known.readers != entry.readers
            }
            await self._change_readers(connection, versions, changed)

    async def delete(self, ids: Sequence[int]) -> None:
        """Remove documents from every version and from the ledger, in one transaction."""
        async with changing(self._database, ids) as (connection, versions):
            for version in versions:
                await delete_chunks(self._manager, connection, version, ids)
            await connection.execute(QUERIES["delete_documents"], {"ids": list(ids)})

    async def change_source_readers(self, readers: Collection[Principal]) -> int:
        """Give a source's new readers to its documents; return how many there were."""
        arguments = {"source": self._source, "readers": sorted(readers)}
        async with changing(self._database) as (connection, versions):
            await connection.execute(QUERIES["lock_inherited"], arguments)
            cursor = await connection.execute(QUERIES["set_inherited_readers"], arguments)
            changed = {id_: sorted(readers) for (id_,) in await cursor.fetchall()}
            await self._change_readers(connection, versions, changed)
            await connection.execute(QUERIES["set_source_readers"], arguments)
        return len(changed)

    async def _put_documents(self, connection: Connection, entries: Sequence[Entry]) -> list[int]:
        cursor = connection.cursor()
        await cursor.executemany(
            QUERIES["put_document"], [self._row(entry) for entry in entries], returning=True
        )
        ids: list[int] = []
        async for result in cursor.results():
            row = await result.fetchone()
            assert row is not None
            ids.append(row[0])
        return ids

    def _row(self, entry: Entry) -> dict[str, Any]:
        document = entry.document
        return {
            "source": self._source,
            "key": document.key,
            "passage_id": document.passage_id,
            "uri": document.uri,
            "title": document.title,
            "text": document.text,
            "format": document.format,
            "metadata": Jsonb(dict(document.metadata)),
            "readers": sorted(entry.readers),
            "own_readers": document.readers is not None,
            "content_hash": entry.content_hash,
            "fingerprint": document.fingerprint,
        }

    async def _put_chunks(
        self, connection: Connection, version: IndexVersion, entries: Sequence[tuple[int, Entry]]
    ) -> None:
        old = [
            id_
            for id_, entry in entries
            if entry.known is not None
            and (version.id in entry.cuts or entry.known.content_hash != entry.content_hash)
        ]
        await delete_chunks(self._manager, connection, version, old)
        await add_chunks(
            self._manager,
            connection,
            version,
            [
                Whole(id_, self._name, entry.document, entry.readers, entry.content_hash)
                for id_, entry in entries
                if version.id in entry.cuts
            ],
            [entry.cuts[version.id] for _, entry in entries if version.id in entry.cuts],
        )
        for id_, entry in entries:
            if version.id in entry.refused:
                await quarantine(
                    connection, version, id_, entry.content_hash, entry.refused[version.id]
                )

    async def _change_readers(
        self,
        connection: Connection,
        versions: Sequence[IndexVersion],
        readers: Mapping[int, Sequence[Principal]],
    ) -> None:
        for version in versions if readers else ():
            await tell_index(
                self._manager, "bot_index_readers", version, connection, readers=readers
            )


@dataclass(frozen=True, slots=True)
class Whole:
    """A document of the ledger, with its id and its source's name."""

    id: int
    source: str
    document: Document
    readers: Collection[Principal]
    content_hash: bytes


@asynccontextmanager
async def changing(
    database: Database, ids: Sequence[int] = ()
) -> AsyncIterator[tuple[Connection, list[IndexVersion]]]:
    """Begin a transaction that changes documents; give the versions that it must reach.

    Args:
        ids: the documents, as far as there are any yet; they are locked.
    """
    async with database.transaction() as connection:
        await connection.execute(VERSIONS["share_versions"])
        if ids:
            await connection.execute(QUERIES["lock_documents"], {"ids": list(ids)})
        yield connection, await kept(connection)


async def add_chunks(
    manager: pluggy.PluginManager,
    connection: Connection,
    version: IndexVersion,
    documents: Sequence[Whole],
    cuts: Sequence[Sequence[Cut]],
) -> None:
    """Add documents to a version that does not hold them."""
    if not documents:
        return
    pairs = list(zip(documents, cuts, strict=True))
    chunks = [chunk for document, cut in pairs for chunk in _chunks(document, cut)]
    if chunks:
        await tell_index(manager, "bot_index_add", version, connection, chunks=chunks)
    await connection.cursor().executemany(
        QUERIES["put_indexed"],
        [
            {
                "version": version.id,
                "document": document.id,
                "content_hash": document.content_hash,
                "chunks": len(cut),
            }
            for document, cut in pairs
        ],
    )
    ids = [document.id for document in documents]
    await connection.execute(VERSIONS["release"], {"version": version.id, "documents": ids})


async def delete_chunks(
    manager: pluggy.PluginManager, connection: Connection, version: IndexVersion, ids: Sequence[int]
) -> None:
    """Take documents out of a version."""
    if ids:
        await tell_index(manager, "bot_index_delete", version, connection, document_ids=list(ids))
        arguments = {"version": version.id, "documents": list(ids)}
        await connection.execute(QUERIES["not_indexed"], arguments)


async def quarantine(
    connection: Connection, version: IndexVersion, document: int, hash_: bytes, error: str
) -> None:
    """Set a document aside that a version cannot take, until it changes."""
    await connection.execute(
        VERSIONS["quarantine"],
        {"version": version.id, "document": document, "hash": hash_, "error": storable(error)},
    )


def _chunks(whole: Whole, cuts: Sequence[Cut]) -> Iterable[Chunk]:
    document, readers = whole.document, tuple(sorted(whole.readers))
    for ordinal, cut in enumerate(cuts):
        yield Chunk(
            id=document.passage_id or f"{whole.source}/{document.key}#{ordinal}",
            document_id=whole.id,
            source=whole.source,
            ordinal=ordinal,
            start=cut.start,
            end=cut.end,
            text=cut.text,
            vector=cut.vector,
            readers=readers,
            title=document.title,
            uri=document.uri,
            context=cut.context,
            metadata=document.metadata,
        )
