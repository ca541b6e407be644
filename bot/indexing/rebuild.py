"""A rebuild: another index version beside the live one, made of the documents' stored texts.

The version and the jobs that fill it are written down in one transaction. A job takes a span of
documents, embeds what the version lacks of it, and stores that in one transaction, having looked
again at what has changed meanwhile; so a job may be run twice, and a sync may go on beside it. The
last job makes the version fast to search and calls it ready, when it lacks nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from bot.database import Connection
from bot.dispatch import describe
from bot.document import Document, IndexVersion
from bot.errors import (
    BotError,
    DatabaseError,
    IndexingError,
    MassDeletion,
    SourceBusy,
    UsageError,
)
from bot.indexing import versions
from bot.indexing.building import BATCH, Builder, build_apart
from bot.indexing.ledger import Cut, Whole, add_chunks, changing, delete_chunks, quarantine
from bot.indexing.versions import QUERIES, tell_index
from bot.jobs import Job, Task, defer, defer_many
from bot.text import storable

if TYPE_CHECKING:
    from bot.app import Bot

log = logging.getLogger(__name__)

QUEUE = "index"
PAUSED = "index (paused)"  # nobody takes from here
SIZE = BATCH * 800  # characters of a batch; a chunk has some 800
CAREFUL = 3  # attempt from which documents are taken one by one, each noted before
DEATHS = 2  # of workers that were at one document, until it is set aside
ENOUGH = 8  # documents that the index does not take, until it is asked whether it takes any
OF_DATA = ("22", "23", "54")  # SQLSTATEs of values, constraints and limits
LATER, LAST = -1, -2  # priorities: people's questions and syncs first, then batches, then the end
LOOK = 1.0  # seconds between looks whether all batches are done


async def begin(
    bot: Bot, *, embedder: str = "", changes: Mapping[str, Any] | None = None
) -> tuple[IndexVersion, bool]:
    """Make a version and the jobs that build it; or find one that was made so and is not live yet.

    Args:
        embedder, changes: see `Indexer.described`.

    Returns:
        The version, and whether it is new.

    Raises:
        UsageError: there is nothing that it could be made of.
        IndexingError: another version is being built, with other settings.
    """
    await bot.indexer.prepare()
    settings, dimensions = await bot.indexer.described(embedder, changes or {})
    async with bot.database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        await base(connection)
        if (found := await versions.one(connection, "building")) is not None:
            if found.settings == settings:
                return found, False
            raise IndexingError(
                f"Index version {found.id} is being built, with other settings; wait for it (`bot "
                f"index status`), or stop it with `bot index cancel {found.id}`."
            )
        for found in await versions.kept(connection):
            if found.state == "ready" and found.settings == settings:
                if await _count(connection, "count_lacking", found):
                    await plan(connection, found.id)
                return found, False
        version = await versions.create(connection, bot.plugins.manager, settings, dimensions)
        await plan(connection, version.id)
    return version, True


async def base(connection: Connection) -> IndexVersion:
    """Read the live version, beside which others are built, and with which they are compared.

    Raises:
        UsageError: nothing was ever synced.
    """
    if (live := await versions.one(connection, "live")) is None:
        raise UsageError("Nothing is indexed yet; run `bot reindex` first.")
    return live


async def plan(connection: Connection, version: int) -> int:
    """Add the jobs that bring what a version lacks, inside the caller's transaction.

    Returns:
        How many batches there are.
    """
    arguments = {"version": version, "size": SIZE}
    cursor = await connection.execute(QUERIES["batches"], arguments)
    spans = await cursor.fetchall()
    if spans:
        await defer_many(
            connection,
            BATCH_TASK,
            ({"version": version, "first": first, "last": last} for first, last in spans),
            priority=LATER,
        )
    await _defer_finish(connection, version)
    return len(spans)


async def _defer_finish(connection: Connection, version: int, wait: float = 0) -> None:
    at = datetime.now(UTC) + timedelta(seconds=wait) if wait else None
    # Behind all batches: while one waits, nobody takes this.
    await defer(connection, FINISH_TASK, {"version": version}, at=at, priority=LAST)


async def _workable(bot: Bot, job: Job) -> IndexVersion | None:
    """Read a job's version; None when it was dropped."""
    async with bot.database.connection() as connection:
        version = await versions.one(connection, "version", version=job.arguments["version"])
    return None if version is None or version.state == "dropped" else version


async def run_batch(bot: Bot, job: Job) -> None:
    """Embed what a version lacks of a span of documents, and store it."""
    version = await _workable(bot, job)
    if version is None or await _put_off(bot, BATCH_TASK, job):
        return
    async with bot.database.connection() as connection:
        documents = await _lacking(connection, version, job)
    if not documents:
        return
    try:
        (builder,) = await bot.indexer.builders([version])
        if job.attempt < CAREFUL:
            await _store(bot, builder, documents, await _build(builder, documents))
        else:
            await _one_by_one(bot, builder, documents)
    except Exception as error:
        await _note(bot, version, error)
        raise


async def _put_off(bot: Bot, task: Task, job: Job) -> bool:
    """Put a job among those that wait, when its version is paused."""
    async with bot.database.transaction() as connection:
        version = {"version": job.arguments["version"]}
        cursor = await connection.execute(QUERIES["is_paused"], version)
        row = await cursor.fetchone()
        if not row or not row[0]:
            return False
        priority = LAST if task is FINISH_TASK else LATER
        await defer(connection, task, job.arguments, queue=PAUSED, priority=priority)
        return True


async def _lacking(connection: Connection, version: IndexVersion, job: Job) -> list[Whole]:
    cursor = await connection.execute(
        QUERIES["lacking"],
        {"version": version.id, "first": job.arguments["first"], "last": job.arguments["last"]},
    )
    return [_whole(row) for row in await cursor.fetchall()]


def _whole(row: Sequence[Any]) -> Whole:
    id_, source, key, passage_id, uri, title, text, format_, metadata, readers, digest = row
    document = Document(
        key=key,
        text=text,
        title=title,
        uri=uri,
        format=format_,
        passage_id=passage_id,
        metadata=metadata,
        readers=frozenset(readers),
    )
    return Whole(id_, source, document, readers, bytes(digest))


async def _build(builder: Builder, documents: Sequence[Whole]) -> list[list[Cut] | str]:
    """Cut and embed documents of the ledger; see `building.build_apart`."""
    return await build_apart(builder, [one.document for one in documents], lambda _: None)


async def _store(
    bot: Bot, builder: Builder, documents: Sequence[Whole], built: Sequence[list[Cut] | str]
) -> None:
    """Store what is still as it was read, and not in the version yet; set the others aside."""
    pairs = list(zip(documents, built, strict=True))
    async with changing(bot.database) as (connection, kept):
        if builder.version.id not in {version.id for version in kept}:
            return  # it was cancelled
        cursor = await connection.execute(
            QUERIES["still"],
            {
                "version": builder.version.id,
                "ids": [one.id for one in documents],
                "hashes": [one.content_hash for one in documents],
            },
        )
        # Readers are those of this moment: they may have been narrowed since.
        readers = dict(await cursor.fetchall())
        taken = [
            (_with_readers(one, readers[one.id]), cuts)
            for one, cuts in pairs
            if one.id in readers and not isinstance(cuts, str)
        ]
        await add_chunks(
            bot.plugins.manager,
            connection,
            builder.version,
            [one for one, _ in taken],
            [cuts for _, cuts in taken],
        )
        for one, why in pairs:
            if isinstance(why, str):
                await quarantine(connection, builder.version, one.id, one.content_hash, why)
        await connection.execute(QUERIES["goes_on"], {"version": builder.version.id})


def _with_readers(one: Whole, readers: Sequence[str]) -> Whole:
    return Whole(one.id, one.source, one.document, readers, one.content_hash)


async def _one_by_one(bot: Bot, builder: Builder, documents: Sequence[Whole]) -> None:
    """Take documents one by one, after workers have died or failed at all of them together.

    Raises:
        BotError: no document is to blame.
    """
    refused: list[tuple[Whole, BotError]] = []
    try:
        for one in documents:
            refused += await _take(bot, builder, one)
            if len(refused) == ENOUGH:
                await _set_aside(bot, builder, refused)
                refused.clear()
        await _set_aside(bot, builder, refused)
    except BotError:  # this was no death
        arguments = {"version": builder.version.id, "documents": [one.id for one in documents]}
        async with bot.database.connection() as connection:
            await connection.execute(QUERIES["outlived"], arguments)
        raise


async def _take(bot: Bot, builder: Builder, one: Whole) -> list[tuple[Whole, BotError]]:
    """Try a document, having noted that before; return it when the index does not take it."""
    arguments = {"version": builder.version.id, "document": one.id}
    async with bot.database.connection() as connection:
        cursor = await connection.execute(QUERIES["begin_trying"], arguments)
        row = await cursor.fetchone()
    if row is not None and row[0] > DEATHS:
        await _store(bot, builder, [one], ["the workers that tried to index it have died"])
        return []
    built = await _build(builder, [one])
    try:
        await _store(bot, builder, [one], built)
    except BotError as error:
        if not _may_be_its_own(error):
            raise
        return [(one, error)]
    return []


def _may_be_its_own(error: BotError) -> bool:
    """Whether what stands in a document may be the cause; a full disk or a lock is none's."""
    if not isinstance(error, DatabaseError):
        return True
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and (cause.sqlstate or "").startswith(OF_DATA)


async def _set_aside(bot: Bot, builder: Builder, refused: Sequence[tuple[Whole, BotError]]) -> None:
    """Set documents aside that the index does not take, when it takes others.

    Raises:
        BotError: it takes nothing, or nobody can tell.
    """
    if not refused:
        return
    if not await _takes_others(bot, builder):
        raise refused[-1][1]
    for one, error in refused:
        log.warning("%s/%s: %s", one.source, one.document.key, error)
        await _store(bot, builder, [one], [str(error)])


async def _takes_others(bot: Bot, builder: Builder) -> bool:
    """Store once more what a version holds already, and take that back."""
    manager, version = bot.plugins.manager, builder.version
    async with bot.database.connection() as connection:
        cursor = await connection.execute(QUERIES["held"], {"version": version.id})
        held = [_whole(row) for row in await cursor.fetchall()]
    try:
        built = [cuts for cuts in await _build(builder, held) if not isinstance(cuts, str)]
        if not built:
            return False
        async with (
            changing(bot.database) as (connection, _),
            connection.transaction(force_rollback=True),
        ):
            await delete_chunks(manager, connection, version, [one.id for one in held])
            await add_chunks(manager, connection, version, held, built)
    except BotError as error:
        log.warning("the index takes nothing: %s", error)
        return False
    return True


async def _note(bot: Bot, version: IndexVersion, error: Exception) -> None:
    """Let `bot index status` tell why a version does not get on."""
    async with bot.database.connection() as connection:
        text = str(error) if isinstance(error, BotError) else describe(error)
        arguments = {"version": version.id, "error": storable(text)}
        await connection.execute(QUERIES["went_wrong"], arguments)


async def run_finish(bot: Bot, job: Job) -> None:
    """Call a version ready when it lacks nothing; look again later while it does."""
    version = await _workable(bot, job)
    if version is None or await _put_off(bot, FINISH_TASK, job):
        return
    await bot.indexer.prepare()
    async with bot.database.transaction() as connection:
        if await _count(connection, "outstanding", version):
            await _defer_finish(connection, version.id, LOOK)
            return
        if await _count(connection, "count_lacking", version):
            if failed := await _count(connection, "failed", version):
                why = (
                    f"{failed} batches have failed and are not tried again; when the cause is "
                    f"mended, run `bot index retry {version.id}`"
                )
                await connection.execute(
                    QUERIES["went_wrong"], {"version": version.id, "error": why}
                )
            else:
                await plan(connection, version.id)
            return
    try:
        async with bot.database.transaction() as connection:
            await tell_index(bot.plugins.manager, "bot_index_finish", version, connection)
    except Exception as error:
        await _note(bot, version, error)
        raise
    async with bot.database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        if await _count(connection, "count_lacking", version):
            await plan(connection, version.id)
        else:
            await connection.execute(QUERIES["is_complete"], {"version": version.id})


async def _count(connection: Connection, query: str, version: IndexVersion) -> int:
    cursor = await connection.execute(QUERIES[query], {"version": version.id})
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


BATCH_TASK = Task("index.batch", run_batch, queue=QUEUE, attempts=8)
FINISH_TASK = Task("index.finish", run_finish, queue=QUEUE, attempts=5)


async def run_sync(bot: Bot, job: Job) -> None:
    """Sync one source, as its schedule says."""
    name = job.arguments["source"]
    if name in bot.settings.sources:
        try:
            await bot.sync([name])
        except SourceBusy:
            log.info("%s is being synced already", name)
        except MassDeletion as error:  # it waits for a person: `bot index status` tells
            log.error("%s", error)


SYNC_TASK = Task("index.sync", run_sync, queue=QUEUE, attempts=2)
