"""A PostgreSQL for one benchmark, in a folder that is removed at the end."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import bot_pgvector

from bot import schema
from bot.database import Database
from bot.document import IndexVersion
from bot.embedded import EmbeddedServer
from bot.indexing import versions
from bot.plugins import Plugins


@asynccontextmanager
async def fresh() -> AsyncIterator[tuple[Database, IndexVersion, Plugins]]:
    """Start a server; open its database with one empty index version."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as home:
        database = Database(server=EmbeddedServer(Path(home)))
        await database.open()
        try:
            plugins = Plugins()
            plugins.register(bot_pgvector, "pgvector")
            await schema.ensure(database, [schema.core_migrations(), *plugins.migrations()])
            version = await versions.seed(database, plugins.manager, {}, 384)
            yield database, version, plugins
        finally:
            await database.close()
