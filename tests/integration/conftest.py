"""One real server a session, one database a test, made from a template."""

import asyncio
import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bot import Bot, schema, worker
from bot.database import Database
from bot.embedded import EmbeddedServer
from bot.plugins import Plugins
from bot.settings import read
from bot.testing.postgres import created

sys.path.insert(0, str(Path(__file__).parent))  # for toys.py, here and in subprocesses

import backups
import rooms
import toys

TEMPLATE = "bot_template"
_numbers = count(1)


@pytest.fixture(autouse=True)
def untidied(monkeypatch):
    """No worker tidies up: the time of day would decide whether the queue has a job more."""
    monkeypatch.setattr(worker, "TIDIED", "0 0 29 2 *")


@pytest.fixture(scope="session")
def server():
    """Where the session's server is reached; its own database is nobody's."""
    home = Path(tempfile.mkdtemp(prefix="bot-", dir="/tmp"))  # short: sockets have a limit
    embedded = EmbeddedServer(home)
    conninfo = asyncio.run(embedded.start())
    yield conninfo
    asyncio.run(embedded.stop())
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def template(server):
    """A database with the schema and the toys' table."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))

    async def fill():
        database = Database(make_conninfo(server, dbname=TEMPLATE))
        await database.open()
        await schema.ensure(database, [schema.core_migrations()])
        async with database.connection() as connection:
            await connection.execute(toys.TABLE)
        await database.close()

    asyncio.run(fill())
    return TEMPLATE


@pytest.fixture
def conninfo(server, template):
    """A database of this test alone."""
    with created(server, f"bot_test_{next(_numbers)}", template) as conninfo:
        yield conninfo


@pytest.fixture
async def database(conninfo):
    """An open `Database`."""
    opened = Database(conninfo)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def rows(database):
    """Ask the database something: all rows of one query."""

    async def ask(query, arguments=None):
        async with database.connection() as connection:
            return await (await connection.execute(query, arguments)).fetchall()

    return ask


@pytest.fixture
def make_bot(request, tmp_path, conninfo, offered):
    """Make a bot as a new process would: fresh plugins and components, the same database.

    The test's module says how it is configured (`CONFIG`) and may add plugins (`PLUGINS`) to what
    its fixture `offered` offers.
    """

    def make(config=request.module.CONFIG):
        path = tmp_path / "bot.toml"
        path.write_text(config)
        plugins = Plugins()
        for name, plugin in {"toys": offered, **getattr(request.module, "PLUGINS", {})}.items():
            plugins.register(plugin, name)
        environ = {"BOT_HOME": str(tmp_path / "home")}
        return Bot(
            read(path, environ), plugins=plugins, database=Database(conninfo), environ=environ
        )

    return make


@pytest.fixture
async def empty(server):
    """Another database, without any schema."""
    with created(server, "bot_test_restored") as conninfo:
        opened = Database(conninfo)
        await opened.open()
        yield opened
        await opened.close()


@pytest.fixture
async def filled(database):
    """A database with something in tables that refer to each other, and with vectors."""
    async with database.connection() as connection:
        await connection.execute(
            "insert into source (name, type, readers) values ('handbook', 'folder', '{everyone}')"
        )
        await connection.execute(
            "insert into document (source_id, key, uri, title, text, format, readers, content_hash)"
            " select 1, n::text, 'file:///' || n, 'Title', repeat(md5(n::text), 200), 'text',"
            " '{everyone}', sha256(n::text::bytea) from generate_series(1, 500) n"
        )
        await connection.execute(
            "insert into golden (question, readers, origin) values (%s, '{everyone}', 'person')",
            [backups.QUESTION],
        )
        await connection.execute(
            "create table toy_vector as select array[n, 2, 3]::vector(3) as v "
            "from generate_series(1, 99) n"
        )
        await connection.execute("create index on toy_vector using hnsw (v vector_l2_ops)")
    return database


@pytest.fixture
def room(database):
    return rooms.Room(database)


@pytest.fixture
def talk(room):
    """A room where a retriever and a generator work."""
    room.add("documents", toys.Fixed(rooms.PORT))
    room.add("generator", toys.Speaker("The port ", "is 8080 [", "1]."))
    return room
