"""Which version is live: promotion, rollback, removal. Each is one transaction, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from psycopg.errors import LockNotAvailable

from bot.database import Connection
from bot.document import IndexVersion
from bot.errors import IndexingError, NotFound, UsageError
from bot.indexing import rebuild, versions
from bot.indexing.versions import QUERIES, tell_index

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.evaluation.indexes import Verdict

NOT_EVALUATED = {"outcome": "not evaluated"}


async def evaluate(
    bot: Bot, number: int, told: Callable[[int], None] = lambda done: None
) -> tuple[Verdict, int]:
    """Put the golden set to a version and to the live one.

    Returns:
        What it says, and which version was live.

    Raises:
        NotFound, UsageError: it cannot be promoted, see `candidate`, or there is nothing that it
            could be compared with.
    """
    from bot.evaluation.indexes import compare_indexes

    async with bot.database.connection() as connection:
        await candidate(connection, number)
        live = await rebuild.base(connection)
    return await compare_indexes(bot, number, live.id, told=told), live.id


async def candidate(connection: Connection, number: int) -> IndexVersion:
    """Read a version that may go live.

    Raises:
        NotFound: there is none by this number.
        UsageError: it is live already, or not complete.
    """
    version = await versions.get(connection, number)
    if version.state == "live":
        raise UsageError(f"Version {number} is live already.")
    if version.state == "building":
        raise UsageError(
            f"Version {number} is not complete yet; `bot index status` shows how far it is."
        )
    cursor = await connection.execute(QUERIES["count_lacking"], {"version": number})
    row = await cursor.fetchone()
    if row and row[0]:
        raise UsageError(
            f"Version {number} lacks {row[0]} documents that have changed meanwhile; run "
            f"`bot index retry {number}`, then promote it."
        )
    return version


async def promote(
    bot: Bot, number: int, *, instead_of: int, verdict: dict[str, Any] | None = None
) -> None:
    """Make a version live, and retire the one that is.

    Args:
        instead_of: the version that is taken to be live, and that it was compared with.
        verdict: what is recorded of the comparison.

    Raises:
        NotFound, UsageError: it cannot be promoted, see `candidate`.
        IndexingError: somebody else has changed what is live.
    """
    await bot.indexer.prepare()
    async with bot.database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        live = await versions.one(connection, "live")
        if live is None or live.id != instead_of:
            now = f"version {live.id}" if live else "no version"
            raise IndexingError(
                f"Meanwhile {now} has gone live, by another hand; look at `bot index list`, and "
                "promote again if you still mean it."
            )
        version = await candidate(connection, number)
        await versions.make_live(
            connection,
            bot.plugins.manager,
            version,
            replaced=live.id,
            verdict=verdict or NOT_EVALUATED,
        )


async def rollback(bot: Bot) -> tuple[IndexVersion, int]:
    """Make the version live again that was so before the live one.

    What has changed since is not shown in it until it is embedded; the jobs for it are added.

    Returns:
        The version, and how many documents it lacks.

    Raises:
        NotFound: there was none, or it is dropped.
    """
    await bot.indexer.prepare()
    async with bot.database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        version = await versions.one(connection, "predecessor")
        if version is None:
            raise NotFound(
                "There is no version to go back to: the one before was dropped, or never was. "
                "`bot index promote` makes any other live (`bot index list`)."
            )
        version = await versions.make_live(connection, bot.plugins.manager, version)
        cursor = await connection.execute(QUERIES["count_lacking"], {"version": version.id})
        ((lacking,),) = await cursor.fetchall()
        await connection.execute(QUERIES["cancel_jobs"], {"version": version.id})
        if lacking:
            await rebuild.plan(connection, version.id)
    return version, int(lacking)


async def drop(bot: Bot, number: int, *, only: str = "") -> None:
    """Give back everything a version holds, and stop the jobs that build it.

    One that was live a moment ago is kept until the questions that were put to it have ended.

    Args:
        only: the state that it must be in.

    Raises:
        NotFound, UsageError: see `droppable`.
    """
    await bot.indexer.prepare()
    async with bot.database.connection() as connection:
        await droppable(connection, number, only=only)
        cursor = await connection.execute(QUERIES["retired_for"], {"version": number})
        row = await cursor.fetchone()
    if row is not None:
        await asyncio.sleep(max(0.0, bot.settings.limits.retrieve - row[0]))
    async with bot.database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        version = await droppable(connection, number, only=only)
        await _let_drop(bot, version, connection)
        await connection.execute(QUERIES["forget_documents"], {"version": number})
        await connection.execute(QUERIES["cancel_jobs"], {"version": number})
        await connection.execute(QUERIES["make_dropped"], {"version": number})


async def droppable(connection: Connection, number: int, *, only: str = "") -> IndexVersion:
    """Read a version that may be dropped.

    Args:
        only: the state that it must be in.

    Raises:
        NotFound: there is none by this number.
        UsageError: it is the live one, or not in that state.
    """
    version = await versions.get(connection, number)
    if version.state == "live":
        raise UsageError(
            f"Version {number} is live and stays; promote another one before you drop it."
        )
    if only and version.state != only:
        raise UsageError(f"Version {number} is {version.state}; `bot index drop` removes it.")
    return version


async def _let_drop(bot: Bot, version: IndexVersion, connection: Connection) -> None:
    # Whoever waits for this transaction must not wait for hours, as a graph may take to build.
    await connection.execute(QUERIES["wait_shortly"])
    try:
        await tell_index(bot.plugins.manager, "bot_index_drop", version, connection)
    except LockNotAvailable:
        raise IndexingError(
            f"A worker is finishing version {version.id}; stop it, or try again when it is done."
        ) from None


async def cancel(bot: Bot, number: int) -> None:
    """Stop a rebuild, and drop what there is of it.

    Raises:
        NotFound, UsageError: no such version is being built.
    """
    await drop(bot, number, only="building")


async def pause(bot: Bot, number: int, paused: bool) -> bool:
    """Keep a version's jobs from being taken, or let them go on; those in hand are finished.

    Returns:
        Whether there is anything to be done for it; if not, nothing is paused.

    Raises:
        NotFound: there is none by this number.
    """
    new = rebuild.PAUSED if paused else rebuild.QUEUE
    async with bot.database.transaction() as connection:
        version = await versions.get(connection, number)
        arguments = {"version": number, "paused": ""}
        cursor = await connection.execute(QUERIES["any_outstanding"], arguments)
        ((waits, _, _),) = await cursor.fetchall()
        works = bool(waits) or version.state == "building"
        if paused and not works:
            return False
        await connection.execute(QUERIES["pause"], {"version": number, "paused": paused})
        await connection.execute(QUERIES["move_jobs"], {"version": number, "queue": new})
        await connection.execute(QUERIES["announce"], {"queue": new})
    return works


async def retry(bot: Bot, number: int) -> int:
    """Let out what is in quarantine, and add the jobs for all that a version lacks.

    Returns:
        How many documents that is.

    Raises:
        NotFound: there is none by this number.
        UsageError: it is paused.
    """
    async with bot.database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        await versions.get(connection, number)
        cursor = await connection.execute(QUERIES["is_paused"], {"version": number})
        if await cursor.fetchone() == (True,):
            raise UsageError(f"Version {number} is paused; run `bot index resume {number}` first.")
        await connection.execute(QUERIES["release_all"], {"version": number})
        cursor = await connection.execute(QUERIES["count_lacking"], {"version": number})
        ((lacking,),) = await cursor.fetchall()
        await connection.execute(QUERIES["went_wrong"], {"version": number, "error": ""})
        await connection.execute(QUERIES["cancel_jobs"], {"version": number})
        await rebuild.plan(connection, number)
    return int(lacking)
