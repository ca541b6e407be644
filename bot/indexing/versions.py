"""Index versions: complete builds of all documents, of which exactly one is live.

Who creates, promotes or drops a version holds a lock alone; who changes documents holds it with
others. So a change sees the versions that there are, and none comes or goes in the midst of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pluggy
import psycopg
from psycopg.types.json import Jsonb

from bot.database import Connection, Database, load_queries
from bot.dispatch import implementations
from bot.document import IndexVersion
from bot.errors import HookFailed, IndexingError, NotFound

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "versions.sql")


async def live(database: Database) -> IndexVersion | None:
    """Read which version is live; None before the first sync."""
    async with database.connection() as connection:
        return await one(connection, "live")


async def writable(database: Database) -> list[IndexVersion]:
    """List the versions that a sync fills: the live one, and those that are ready to follow it.

    One that is being built gets what has changed by its own jobs, one that is retired when it is
    rolled back to; until then both lack it.
    """
    async with database.connection() as connection:
        found = await kept(connection)
    return [version for version in found if version.state in ("ready", "live")]


async def kept(connection: Connection) -> list[IndexVersion]:
    """List the versions that are not dropped; what is deleted must be gone from all of them."""
    cursor = await connection.execute(QUERIES["kept"])
    return [_version(row) for row in await cursor.fetchall()]


async def get(connection: Connection, number: int) -> IndexVersion:
    """Read one version.

    Raises:
        NotFound: there is none, or it is dropped.
    """
    found = await one(connection, "version", version=number)
    if found is None or found.state == "dropped":
        raise NotFound(f"There is no index version {number}; `bot index list` shows them.")
    return found


async def one(connection: Connection, query: str, **arguments: Any) -> IndexVersion | None:
    """Read the version that a query of versions.sql finds, if any."""
    row = await (await connection.execute(QUERIES[query], arguments)).fetchone()
    return None if row is None else _version(row)


async def seed(
    database: Database,
    manager: pluggy.PluginManager,
    settings: Mapping[str, Any],
    dimensions: int,
) -> IndexVersion:
    """Return the live version; make the first one when there is none.

    The first version is live from its first batch on: there is nothing better to protect.
    """
    async with database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        if (found := await one(connection, "live")) is not None:
            return found
        version = await create(connection, manager, settings, dimensions)
        return await make_live(connection, manager, version)


async def create(
    connection: Connection,
    manager: pluggy.PluginManager,
    settings: Mapping[str, Any],
    dimensions: int,
) -> IndexVersion:
    """Make a new, empty version inside the caller's transaction, which holds the lock."""
    arguments = {"dimensions": dimensions, "settings": Jsonb(dict(settings))}
    version = await one(connection, "create", **arguments)
    assert version is not None
    await tell_index(manager, "bot_index_begin", version, connection)
    return version


async def make_live(
    connection: Connection,
    manager: pluggy.PluginManager,
    version: IndexVersion,
    *,
    replaced: int | None = None,
    verdict: Mapping[str, Any] | None = None,
) -> IndexVersion:
    """Let a version take the place of the live one, inside a transaction that holds the lock.

    Args:
        replaced: where a rollback leads to; None leaves what it was.
        verdict: what the golden set says about it.
    """
    await connection.execute(QUERIES["retire"])
    await connection.execute(
        QUERIES["make_live"],
        {"version": version.id, "replaced": replaced, "verdict": verdict and Jsonb(dict(verdict))},
    )
    version = replace(version, state="live")
    await tell_index(manager, "bot_index_promote", version, connection)
    return version


async def tell_index(
    manager: pluggy.PluginManager,
    hook: str,
    version: IndexVersion,
    connection: Connection,
    **arguments: Any,
) -> list[Any]:
    """Call an index hook on every retriever that keeps an index, one after the other.

    They share the connection and its transaction, so the first failure ends both.

    Raises:
        IndexingError: a retriever failed.
    """
    given = []
    for implementation in implementations(manager, hook):
        try:
            given.append(
                await implementation.call(None, version=version, connection=connection, **arguments)
            )
        except HookFailed as failure:
            if isinstance(failure.__cause__, psycopg.Error):
                raise failure.__cause__ from failure  # the database's own sentence says more
            raise IndexingError(f"{failure}. Nothing of this batch was kept.") from failure
    return given


def _version(row: tuple[Any, ...]) -> IndexVersion:
    id_, state, dimensions, settings = row
    return IndexVersion(id=id_, state=state, dimensions=dimensions, settings=settings)
