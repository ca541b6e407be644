"""What a sync or a rebuild would do: nothing is changed, and only a sample is embedded."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.database import Connection
from bot.document import Document, Found, IndexVersion, Skipped
from bot.errors import DocumentError, SourceError
from bot.indexing import versions
from bot.indexing.building import Builder
from bot.indexing.cleaning import Cleaner
from bot.indexing.ledger import QUERIES, Known, Ledger, content_hash
from bot.indexing.listing import clean, listed
from bot.indexing.rebuild import base
from bot.indexing.sync import LOOKUP, too_many

if TYPE_CHECKING:
    from bot.app import Bot

SAMPLE = 200  # documents that are cut, from which the others' chunks are guessed
SPEED = 32  # chunks that are embedded, to learn how long all would take


@dataclass(slots=True, kw_only=True)
class SourceEstimate:
    """What a sync would change of one source.

    Attributes:
        lost: documents that it has no more, and that are kept: they are more than it may lose.
    """

    source: str
    found: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    unreadable: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What would be done.

    Attributes:
        documents: how many would be cut and embedded.
        chunks: how many that makes, guessed from a sample when they are many.
        seconds: how long embedding them would take here.
    """

    sources: Sequence[SourceEstimate] = ()
    documents: int
    chunks: int
    seconds: float


@dataclass(slots=True)
class _Work:
    """Documents to embed: how many, how long, and the first of them."""

    documents: int = 0
    characters: int = 0
    sample: list[Document] = field(default_factory=list)

    def add(self, document: Document) -> None:
        self.documents += 1
        self.characters += len(document.text)
        if len(self.sample) < SAMPLE:
            self.sample.append(document)


async def sync(bot: Bot, names: Collection[str] = ()) -> Estimate:
    """Tell what `Indexer.sync` would do to the live version.

    Raises:
        NotFound: a name is no source.
        SourceError: a source cannot be read.
    """
    wanted = await versions.writable(bot.database)
    complete = {version.id for version in wanted}
    work = _Work()
    sources = [
        await _look(bot, name, complete, work) for name in names or tuple(bot.settings.sources)
    ]
    live = next((version for version in wanted if version.state == "live"), None)
    if live is None:
        live = _unmade(*await bot.indexer.described())
    return await _estimated(bot, live, work, sources)


async def rebuild(bot: Bot, embedder: str, changes: Mapping[str, Any]) -> Estimate:
    """Tell what a rebuild would do; see `rebuild.begin` for the arguments and the errors."""
    version = _unmade(*await bot.indexer.described(embedder, changes))
    work = _Work()
    async with bot.database.connection() as connection:
        await base(connection)
        cursor = await connection.execute(QUERIES["size"])
        row = await cursor.fetchone()
        assert row is not None
        work.documents, work.characters = row
        cursor = await connection.execute(QUERIES["sample"], {"limit": SAMPLE})
        work.sample = [
            Document(key=key, text=text, title=title, format=format_)
            for key, text, title, format_ in await cursor.fetchall()
        ]
    return await _estimated(bot, version, work, [])


def _unmade(settings: Mapping[str, Any], dimensions: int) -> IndexVersion:
    return IndexVersion(id=0, state="building", dimensions=dimensions, settings=settings)


async def _look(bot: Bot, name: str, complete: set[int], work: _Work) -> SourceEstimate:
    """Compare a source with the ledger, as a sync does, and write nothing down."""
    told = SourceEstimate(source=name)
    source, loader = await bot.indexer.loader(name)
    cleaner = Cleaner(bot.plugins.manager, bot.database, source, bot.indexer.wishes(name))
    await cleaner.check()
    async with bot.database.connection() as connection:
        cursor = await connection.execute(QUERIES["source_id"], {"name": name})
        row = await cursor.fetchone()
        ledger = Ledger(bot.database, bot.plugins.manager, row[0] if row else 0, name)
        await connection.execute(QUERIES["make_seen"])
        await connection.execute(QUERIES["clear_seen"])
        batch: list[Document | Found] = []
        stamp = cleaner.wishes.stamp
        async with aclosing(listed(bot.plugins.manager, loader, source, stamp)) as items:
            async for item in items:
                told.found += 1
                if isinstance(item, Skipped):
                    told.unreadable += 1
                    await _seen(connection, [item.key] if item.key else [])
                    continue
                batch.append(item)
                if len(batch) == LOOKUP:
                    await _compare(connection, ledger, cleaner, batch, complete, told, work)
                    batch.clear()
        await _compare(connection, ledger, cleaner, batch, complete, told, work)
        cursor = await connection.execute(QUERIES["count_gone"], {"source": row[0] if row else 0})
        ((there, gone),) = await cursor.fetchall()
    if too_many(gone, there, bot.settings.sources[name].may_lose):
        told.lost = gone
    else:
        told.deleted = gone
    return told


async def _seen(connection: Connection, keys: Sequence[str]) -> set[str]:
    cursor = await connection.execute(QUERIES["add_seen"], {"keys": list(keys)})
    return {row[0] for row in await cursor.fetchall()}


async def _compare(
    connection: Connection,
    ledger: Ledger,
    cleaner: Cleaner,
    batch: Iterable[Document | Found],
    complete: set[int],
    told: SourceEstimate,
    work: _Work,
) -> None:
    items = {item.key: item for item in batch}
    fresh = await _seen(connection, list(items))
    known = await ledger.known(fresh)
    for key in fresh:
        await _judge(items[key], known.get(key), cleaner, complete, told, work)


async def _judge(
    item: Document | Found,
    known: Known | None,
    cleaner: Cleaner,
    complete: set[int],
    told: SourceEstimate,
    work: _Work,
) -> None:
    held = known is not None and known.held >= complete
    if known and held and item.fingerprint and item.fingerprint == known.fingerprint:
        told.unchanged += 1
        return
    try:
        document = clean(item if isinstance(item, Document) else await item.read(), item)
        document = await cleaner.clean(document, new=known is None)
    except DocumentError:  # a sync tells why
        told.unreadable += 1
        return
    except SourceError:
        raise
    except Exception:
        told.unreadable += 1
        return
    if known is None:
        told.added += 1
    elif held and known.content_hash == content_hash(document):
        told.unchanged += 1
        return
    else:
        told.changed += 1
    work.add(document)


async def _estimated(
    bot: Bot, version: IndexVersion, work: _Work, sources: Sequence[SourceEstimate]
) -> Estimate:
    """Cut a sample and embed a little of it; guess the rest."""
    if not work.sample:
        return Estimate(sources=sources, documents=work.documents, chunks=0, seconds=0.0)
    (builder,) = await bot.indexer.builders([version])
    texts = [text for cut in await builder.cut(work.sample) for _, _, text in cut]
    cut = sum(len(document.text) for document in work.sample)
    share = work.characters / cut if cut else 1.0
    chunks = round(len(texts) * max(share, 1.0))
    seconds = chunks * await _seconds_a_chunk(builder, texts[:SPEED])
    return Estimate(
        sources=sources, documents=work.documents, chunks=chunks, seconds=round(seconds, 1)
    )


async def _seconds_a_chunk(builder: Builder, texts: Sequence[str]) -> float:
    if not texts:
        return 0.0
    await builder.embed(texts[:1])  # loads the model, which takes no part
    begun = time.perf_counter()
    await builder.embed(texts)
    return (time.perf_counter() - begun) / len(texts)
