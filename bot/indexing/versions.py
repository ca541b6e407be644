"""Index versions: complete builds of all documents, of which exactly one is live."""

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
from bot.errors import HookFailed, IndexingError

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "index.sql")


async def live(database: Database) -> IndexVersion | None:
    """Read which version is live; None before the first sync."""
    async with database.connection() as connection:
        return await _live(connection)


async def writable(database: Database) -> list[IndexVersion]:
    """List the versions that a change to a document must reach."""
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["writable"])
        return [_version(row) for row in await cursor.fetchall()]


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
        if (found := await _live(connection)) is not None:
            return found
        cursor = await connection.execute(
            QUERIES["create_version"],
            {"dimensions": dimensions, "settings": Jsonb(dict(settings))},
        )
        row = await cursor.fetchone()
        assert row is not None
        version = _version(row)
        await tell_index(manager, "bot_index_begin", version, connection)
        await connection.execute(QUERIES["make_live"], {"version": version.id})
        version = replace(version, state="live")
        await tell_index(manager, "bot_index_promote", version, connection)
        return version


async def tell_index(
    manager: pluggy.PluginManager,
    hook: str,
    version: IndexVersion,
    connection: Connection,
    **arguments: Any,
) -> None:
    """Call an index hook on every retriever that keeps an index, one after the other.

    They share the connection and its transaction, so the first failure ends both.

    Raises:
        IndexingError: a retriever failed.
    """
    for one in implementations(manager, hook):
        try:
            await one.call(None, version=version, connection=connection, **arguments)
        except HookFailed as failure:
            if isinstance(failure.__cause__, psycopg.Error):
                raise failure.__cause__ from failure  # the database's own sentence says more
            raise IndexingError(f"{failure}. Nothing of this batch was kept.") from failure


async def _live(connection: Connection) -> IndexVersion | None:
    row = await (await connection.execute(QUERIES["live"])).fetchone()
    return None if row is None else _version(row)


def _version(row: tuple[Any, ...]) -> IndexVersion:
    id_, state, dimensions, settings = row
    return IndexVersion(id=id_, state=state, dimensions=dimensions, settings=settings)
