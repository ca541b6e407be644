"""The ledger: documents, their chunks and their index, changed together or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pluggy
from psycopg.types.json import Jsonb

from bot.database import Connection, Database
from bot.document import Chunk, Document, IndexVersion
from bot.indexing.versions import QUERIES, tell_index
from bot.turn import Principal


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a document.

    Attributes:
        current: every version that it must be in holds it as it is.
    """

    id: int
    fingerprint: str
    content_hash: bytes
    readers: frozenset[Principal]
    current: bool


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
    """

    document: Document
    readers: frozenset[Principal]
    content_hash: bytes
    known: Known | None
    cuts: Mapping[int, Sequence[Cut]]


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
    """The documents of one source.

    Args:
        source, name: the source's row and its name.
    """

    def __init__(
        self,
        database: Database,
        manager: pluggy.PluginManager,
        source: int,
        name: str,
        versions: Sequence[IndexVersion],
    ) -> None:
        self._database = database
        self._manager = manager
        self._source = source
        self._name = name
        self._versions = versions

    async def known(self, keys: Collection[str]) -> dict[str, Known]:
        """Look documents up by key."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                QUERIES["known"],
                {
                    "source": self._source,
                    "keys": list(keys),
                    "versions": [version.id for version in self._versions],
                },
            )
            return {
                key: Known(id_, fingerprint, bytes(digest), frozenset(readers), current)
                for key, id_, fingerprint, digest, readers, current in await cursor.fetchall()
            }

    async def write(self, entries: Sequence[Entry]) -> None:
        """Store a batch: documents, chunks, vectors and ledger in one transaction."""
        async with self._database.transaction() as connection:
            ids = await self._put_documents(connection, entries)
            for version in self._versions:
                await self._put_chunks(connection, version, entries, ids)
            changed = {
                id_: sorted(entry.readers)
                for id_, entry in zip(ids, entries, strict=True)
                if entry.known is not None and entry.known.readers != entry.readers
            }
            await self._change_readers(connection, changed)

    async def delete(self, ids: Sequence[int]) -> None:
        """Remove documents from every version and from the ledger, in one transaction."""
        async with self._database.transaction() as connection:
            await self._delete_chunks(connection, self._versions, ids)
            await connection.execute(QUERIES["delete_documents"], {"ids": list(ids)})

    async def change_source_readers(self, readers: Collection[Principal]) -> int:
        """Give a source's new readers to its documents; return how many there were."""
        arguments = {"source": self._source, "readers": sorted(readers)}
        async with self._database.transaction() as connection:
            cursor = await connection.execute(QUERIES["set_inherited_readers"], arguments)
            changed = {id_: sorted(readers) for (id_,) in await cursor.fetchall()}
            await self._change_readers(connection, changed)
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
        self,
        connection: Connection,
        version: IndexVersion,
        entries: Sequence[Entry],
        ids: Sequence[int],
    ) -> None:
        mine = [
            (id_, entry)
            for id_, entry in zip(ids, entries, strict=True)
            if version.id in entry.cuts
        ]
        old = [id_ for id_, entry in mine if entry.known is not None]
        await self._delete_chunks(connection, [version], old)
        chunks = [
            chunk
            for id_, entry in mine
            for chunk in _chunks(self._name, id_, entry, entry.cuts[version.id])
        ]
        if chunks:
            await tell_index(self._manager, "bot_index_add", version, connection, chunks=chunks)
        await connection.cursor().executemany(
            QUERIES["put_indexed"],
            [
                {
                    "version": version.id,
                    "document": id_,
                    "content_hash": entry.content_hash,
                    "chunks": len(entry.cuts[version.id]),
                }
                for id_, entry in mine
            ],
        )

    async def _delete_chunks(
        self, connection: Connection, versions: Iterable[IndexVersion], ids: Sequence[int]
    ) -> None:
        for version in versions if ids else ():
            await tell_index(
                self._manager, "bot_index_delete", version, connection, document_ids=list(ids)
            )

    async def _change_readers(
        self, connection: Connection, readers: Mapping[int, Sequence[Principal]]
    ) -> None:
        for version in self._versions if readers else ():
            await tell_index(
                self._manager, "bot_index_readers", version, connection, readers=readers
            )


def _chunks(source: str, document: int, entry: Entry, cuts: Sequence[Cut]) -> Iterable[Chunk]:
    readers = tuple(sorted(entry.readers))
    for ordinal, cut in enumerate(cuts):
        yield Chunk(
            id=entry.document.passage_id or f"{source}/{entry.document.key}#{ordinal}",
            document_id=document,
            source=source,
            ordinal=ordinal,
            start=cut.start,
            end=cut.end,
            text=cut.text,
            vector=cut.vector,
            readers=readers,
            title=entry.document.title,
            uri=entry.document.uri,
            context=cut.context,
            metadata=entry.document.metadata,
        )
