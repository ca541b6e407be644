"""A sync: bring every index version in step with what one source holds now.

Each batch is one transaction, so that whatever kills a sync loses at most the batch in work, and
the next one goes on from there. A document whose fingerprint is known is not read; one whose
content is known is not embedded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pluggy

from bot import dispatch
from bot.database import Connection, Database
from bot.document import Document, Found, Skipped, Source
from bot.errors import (
    DocumentError,
    EmbeddingError,
    IndexingError,
    MassDeletion,
    SourceBusy,
    SourceError,
)
from bot.indexing.building import BATCH, Builder, Memory, build_apart
from bot.indexing.cleaning import Cleaner, Duplicate, Wishes
from bot.indexing.ledger import QUERIES, Entry, Known, Ledger, content_hash
from bot.indexing.listing import clean, listed
from bot.indexing.progress import Progress
from bot.indexing.redaction import NotRedacted
from bot.indexing.versions import tell_index
from bot.text import storable

log = logging.getLogger(__name__)

LOOKUP = 200  # documents compared with the ledger in one query
DELETE = 500  # documents deleted in one transaction
UNGUARDED = 10  # documents that may always be deleted: to embed them again costs nothing
AHEAD = 1000  # documents that the loader may be ahead: bounds the memory


class Sync:
    """One sync of one source.

    Args:
        builders: gives those of the versions that are live or ready, see `versions.writable`; it
            is asked again and again, as versions come and go during a long sync.
        may_lose: the share of the source's documents that may be deleted.
        wishes: how documents are cleaned.
    """

    def __init__(
        self,
        database: Database,
        manager: pluggy.PluginManager,
        source: Source,
        loader: str,
        builders: Callable[[], Awaitable[Sequence[Builder]]],
        changed: Callable[[Progress], None],
        may_lose: float = 1.0,
        wishes: Wishes | None = None,
    ) -> None:
        self._database = database
        self._manager = manager
        self._source = source
        self._loader = loader
        self._current = builders
        self._builders: Sequence[Builder] = ()
        self._complete: set[int] = set()
        self._failed: set[int] = set()
        self._changed = changed
        self._may_lose = may_lose
        self._cleaner = Cleaner(manager, database, source, wishes or Wishes())
        self._alike: list[tuple[Document | Found, Duplicate]] = []
        self.progress = Progress(source.name, told=self._cleaner.told)
        self._row = 0
        self._pending: list[tuple[Document, bytes, Known | None]] = []
        self._size = 0

    async def run(self) -> Progress:
        """Run the sync to its end.

        Raises:
            SourceError: the source cannot be read; nothing was deleted.
            MassDeletion: it has lost more than it may; all else was done.
            SourceBusy: another sync of this source is running.
            IndexingError: a plugin failed.
        """
        await self._cleaner.check()
        async with locked(self._database, self._source.name) as connection:
            begun = await self._begin(connection)
            await self._refresh()
            async with self._listing() as items:
                while batch := await self._next(items):
                    await self._look(connection, batch)
                    if not self._pending:
                        self.progress.stored = self.progress.done
                    self._tell()
            await self._flush()
            await self._delete_gone(connection)
            await self._leave_out(connection)
            await self._cleaner.end()
            await connection.execute(
                QUERIES["clear_unreadable"], {"source": self._row, "before": begun}
            )
            await self._finish()
            await connection.execute(QUERIES["synced"], {"source": self._row})
        self.progress.finished = True
        self._tell()
        return self.progress

    async def _begin(self, connection: Connection) -> datetime:
        cursor = await connection.execute(
            QUERIES["source"],
            {
                "name": self._source.name,
                "type": self._source.type,
                "readers": sorted(self._source.readers),
            },
        )
        row = await cursor.fetchone()
        assert row is not None
        self._row, readers, begun = row
        self._ledger = Ledger(self._database, self._manager, self._row, self._source.name)
        if frozenset(readers) != self._source.readers:
            # First of all: what was narrowed must not be read a minute longer.
            await self._ledger.change_source_readers(self._source.readers)
        await connection.execute(QUERIES["make_seen"])
        await connection.execute(QUERIES["clear_seen"])
        assert isinstance(begun, datetime)
        return begun

    async def _refresh(self) -> None:
        """Learn which versions are to be filled now."""
        found = await self._current()
        self._builders = [one for one in found if one.version.id not in self._failed]
        self._complete = {one.version.id for one in self._builders}

    @asynccontextmanager
    async def _listing(self) -> AsyncGenerator[asyncio.Queue[Any]]:
        """Run the loader ahead of the work, so that the total is soon known."""
        items: asyncio.Queue[Any] = asyncio.Queue(AHEAD)

        async def list_all() -> None:
            try:
                await self._list(items)
            except Exception as error:
                await items.put(error)
            else:
                await items.put(None)

        task = asyncio.create_task(list_all())
        try:
            yield items
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _list(self, items: asyncio.Queue[Any]) -> None:
        stamp = self._cleaner.wishes.stamp
        async with aclosing(listed(self._manager, self._loader, self._source, stamp)) as loaded:
            async for item in loaded:
                self.progress.found += 1
                await items.put(item)
        self.progress.listed = True

    async def _next(self, items: asyncio.Queue[Any]) -> list[Document | Found | Skipped]:
        """Take what is there, up to a batch; wait only for the first one."""
        batch: list[Document | Found | Skipped] = []
        while len(batch) < LOOKUP and (not batch or not items.empty()):
            item = await items.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                items.put_nowait(None)  # for the next call
                break
            batch.append(item)
        return batch

    async def _look(
        self, connection: Connection, batch: Sequence[Document | Found | Skipped]
    ) -> None:
        """Compare a batch with the ledger, and read what may have changed."""
        keys = [item.key for item in batch if item.key]
        cursor = await connection.execute(QUERIES["add_seen"], {"keys": keys})
        fresh = {row[0] for row in await cursor.fetchall()}
        known = await self._ledger.known(fresh)
        for item in batch:
            self.progress.done += 1
            if isinstance(item, Skipped):
                await self._problem(connection, item.where, item.reason)
            elif item.key not in fresh:
                await self._problem(connection, item.key, "its key stands twice in the source")
            else:
                fresh.discard(item.key)  # the same key again is a double
                await self._take(connection, item, known.get(item.key))

    async def _take(
        self,
        connection: Connection,
        item: Document | Found,
        known: Known | None,
        alone: bool = True,
    ) -> None:
        same = known and item.fingerprint and item.fingerprint == known.fingerprint
        if known and same and known.held >= self._complete:
            self.progress.unchanged += 1
            self._cleaner.still(item.key)
            return
        try:
            document = clean(item if isinstance(item, Document) else await item.read(), item)
            document = await self._cleaner.clean(document, new=known is None, alone=alone)
        except Duplicate as error:
            self._alike.append((item, error))
            return
        except NotRedacted as error:
            if known is not None:  # it may hold what is to be redacted now
                await self._ledger.delete([known.id])
                self.progress.deleted += 1
            await self._problem(connection, item.key, str(error))
            return
        except DocumentError as error:
            await self._problem(connection, item.key, str(error))
            return
        except SourceError:
            raise
        except Exception as error:  # one document must not keep the others out
            log.warning("%s: %s cannot be read", self._loader, item.key, exc_info=error)
            await self._problem(connection, item.key, dispatch.describe(error))
            return
        digest = content_hash(document)
        self._pending.append((document, digest, known))
        if known is None:
            self.progress.added += 1
        elif known.content_hash != digest or not known.held >= self._complete:
            self.progress.changed += 1
        else:
            self.progress.unchanged += 1
        self._size += len(document.text)
        # About as many chunks as are embedded in one call; a chunk has some 800 characters.
        if self._size > BATCH * 800 or len(self._pending) >= BATCH:
            await self._flush()

    async def _flush(self) -> None:
        """Cut, embed and store the documents that were read."""
        pending, self._pending, self._size = self._pending, [], 0
        if not pending:
            return
        await self._refresh()
        cuts: list[dict[int, Any]] = [{} for _ in pending]
        refused: list[dict[int, str]] = [{} for _ in pending]
        memory: Memory = {}  # versions of one embedder share what it makes of a text
        for builder in self._builders:
            version = builder.version.id
            lacking = [
                position
                for position, (_, digest, known) in enumerate(pending)
                if known is None or known.content_hash != digest or version not in known.held
            ]
            documents = [
                replace(one, readers=self._readers(one))
                for one in (pending[position][0] for position in lacking)
            ]
            try:
                built = await build_apart(builder, documents, self._embedded, memory)
            except (IndexingError, EmbeddingError) as error:
                if builder.version.state == "live":
                    raise
                # It lacks them now, which keeps it from going live; what is live must not suffer.
                log.warning("version %d is not kept up to date: %s", version, error)
                self._failed.add(version)
                continue
            for position, one in zip(lacking, built, strict=True):
                if isinstance(one, str):
                    refused[position][version] = one
                    self.progress.problems.append((pending[position][0].key, one))
                else:
                    cuts[position][version] = one
        memory.clear()  # of a long document as much as its text
        await self._ledger.write(
            [
                Entry(document, self._readers(document), digest, known, cut, why)
                for (document, digest, known), cut, why in zip(pending, cuts, refused, strict=True)
            ]
        )
        self.progress.stored = self.progress.done
        self._tell()

    async def _delete_gone(self, connection: Connection) -> None:
        cursor = await connection.execute(QUERIES["count_gone"], {"source": self._row})
        ((known, lost),) = await cursor.fetchall()
        if too_many(lost, known, self._may_lose):
            self.progress.lost = lost
            raise MassDeletion(
                f"{self._source.name} has lost {lost} of its {known} documents, so none was "
                "deleted: look whether the source is whole; if it is meant, run "
                f"`bot reindex --source {self._source.name} --yes`."
            )
        cursor = await connection.execute(QUERIES["gone"], {"source": self._row})
        gone = [row[0] for row in await cursor.fetchall()]
        for start in range(0, len(gone), DELETE):
            await self._ledger.delete(gone[start : start + DELETE])
            self.progress.deleted += len(gone[start : start + DELETE])
            self._tell()

    async def _leave_out(self, connection: Connection) -> None:
        """Leave out what says the same as another document, if that one is still there."""
        alike, self._alike = self._alike, []
        there = await self._ledger.known({error.of for _, error in alike})
        for item, error in alike:
            if error.of in there:
                self.progress.duplicates += 1
                await self._problem(connection, item.key, str(error))
            else:
                await self._take(connection, item, None, alone=False)
        await self._flush()

    async def _finish(self) -> None:
        await self._refresh()
        for builder in self._builders:
            async with self._database.transaction() as connection:
                await tell_index(self._manager, "bot_index_finish", builder.version, connection)

    async def _problem(self, connection: Connection, place: str, reason: str) -> None:
        place, reason = storable(place), storable(reason)
        cursor = await connection.execute(
            QUERIES["put_unreadable"], {"source": self._row, "place": place, "reason": reason}
        )
        row = await cursor.fetchone()
        self.progress.unreadable += 1
        if row and row[0]:
            self.progress.problems.append((place, reason))

    def _readers(self, document: Document) -> frozenset[str]:
        return self._source.readers if document.readers is None else document.readers

    def _embedded(self, chunks: int) -> None:
        self.progress.embedded += chunks
        self._tell()

    def _tell(self) -> None:
        self._changed(self.progress)


def too_many(lost: int, known: int, may_lose: float) -> bool:
    """Tell whether a source has lost more documents than it may."""
    return lost > UNGUARDED and lost > may_lose * known


@asynccontextmanager
async def locked(database: Database, source: str) -> AsyncGenerator[Connection]:
    """Keep other syncs of a source away, on a connection of its own.

    Raises:
        SourceBusy: another sync has it.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["lock_source"], {"name": source})
        row = await cursor.fetchone()
        if not row or not row[0]:
            raise SourceBusy(
                f"The source {source!r} is being synced by another process; wait for it to end."
            )
        try:
            yield connection
        finally:
            try:
                await connection.execute(QUERIES["unlock_source"], {"name": source})
            except BaseException as error:
                await connection.close()  # whatever it was, the lock must not go into the pool
                if not isinstance(error, Exception):
                    raise


async def forget(database: Database, manager: pluggy.PluginManager, name: str) -> bool:
    """Delete a source with its documents, in batches; False when there was none.

    Raises:
        SourceBusy: a sync of it is running.
    """
    async with locked(database, name) as connection:
        cursor = await connection.execute(QUERIES["source_documents"], {"name": name})
        rows = await cursor.fetchall()
        if not rows:
            return False
        row = rows[0][0]
        ids = [document for _, document in rows if document is not None]
        ledger = Ledger(database, manager, row, name)
        for start in range(0, len(ids), DELETE):
            await ledger.delete(ids[start : start + DELETE])
        await connection.execute(QUERIES["delete_source"], {"source": row})
    return True
