"""pytest fixtures: one real server a session, one database a test, made from a template.

# conftest.py
pytest_plugins = ["bot.testing.postgres"]
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bot import schema
from bot.database import Database
from bot.embedded import EmbeddedServer

TEMPLATE = "bot_template"

_numbers = count(1)


@contextmanager
def created(server: str, name: str, template: str = "template1") -> Iterator[str]:
    """Make a database, lend it as libpq's keywords, and drop it."""
    create = sql.SQL("create database {} template {}").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(create)
        yield make_conninfo(server, dbname=name)
        drop(connection, name)


def drop(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop a database, whoever is connected to it."""
    deadline = time.monotonic() + 60
    while True:
        try:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )
        except psycopg.errors.InsufficientPrivilege:
            # Autovacuum is at work in it, which is not ours to end; it ends by itself.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Where the session's server is reached, as libpq's keywords."""
    # Short, because sockets have a limit; open to enter, because as root the server runs as
    # another user.
    home = Path(tempfile.mkdtemp(prefix="bot-", dir="/tmp"))
    home.chmod(0o711)
    embedded = EmbeddedServer(home)
    conninfo = asyncio.run(embedded.start())
    yield conninfo
    asyncio.run(embedded.stop())
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """The name of a database with the core's schema."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))

    async def fill() -> None:
        database = Database(make_conninfo(server, dbname=TEMPLATE))
        await database.open()
        await schema.ensure(database, [schema.core_migrations()])
        await database.close()

    asyncio.run(fill())
    return TEMPLATE


@pytest.fixture
def conninfo(server: str, template: str) -> Iterator[str]:
    """A database of this test alone, as libpq's keywords."""
    with created(server, f"bot_test_{os.getpid()}_{next(_numbers)}", template) as conninfo:
        yield conninfo


@pytest.fixture
async def database(conninfo: str) -> AsyncIterator[Database]:
    """An open `Database` of this test alone."""
    opened = Database(conninfo)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def rows(database: Database) -> Callable[..., Awaitable[list[Any]]]:
    """Ask the database something: all rows of one query."""

    async def ask(query: Any, arguments: Any = None) -> list[Any]:
        async with database.connection() as connection:
            return await (await connection.execute(query, arguments)).fetchall()

    return ask
