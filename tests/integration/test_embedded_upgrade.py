"""The data of an older PostgreSQL becomes the newest's: all of it, or the old one stays."""

# ruff: noqa: ASYNC221 - nothing else waits while a test blocks

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from homes import emptied, scratch

from bot import schema
from bot.backup import backup, inspect, restore
from bot.database import Database
from bot.embedded import EmbeddedServer, binaries
from bot.embedded.cluster import _FIRST_SQL, _SINGLE
from bot.embedded.upgrade import upgrade
from bot.errors import BackupError, EmbeddedServerError

CORE = [schema.core_migrations()]


@pytest.fixture(scope="module")
def older() -> Iterator[Path]:
    """A home that an older version of the bot made and used."""
    with scratch() as home:
        asyncio.run(make(home))
        yield home


@pytest.fixture
def home(older: Path) -> Iterator[Path]:
    """A copy of it."""
    with scratch() as folder:
        subprocess.run(["cp", "-a", f"{older}/.", folder], check=True)
        yield folder


async def make(home: Path) -> None:
    data, account = await emptied(home)
    programs = binaries.programs(16, account, home / "postgresql")
    initdb = "-U postgres --auth=peer --encoding=UTF8 --locale=C --no-sync".split()
    options: dict[str, Any] = {"cwd": "/", "capture_output": True, **account.switch}
    subprocess.run([programs / "initdb", "-D", data, *initdb], check=True, **options)
    single: list[str | Path] = [programs / "postgres", *_SINGLE, "-D", data, "template1"]
    subprocess.run(single, check=True, input=_FIRST_SQL, **options)
    database = Database(server=EmbeddedServer(home))
    await database.open()
    await schema.ensure(database, CORE)
    async with database.connection() as connection:
        await connection.execute(
            "insert into golden (question, readers, origin) "
            "select n::text, '{everyone}', 'file' from generate_series(1, 99) n"
        )
        await connection.execute("create table toy as select '[1, 2, 3]'::vector(3) as v")
        await connection.execute("create index on toy using hnsw (v vector_l2_ops)")
    await database.close()


async def held(home: Path) -> tuple[int, int, str]:
    """The server's version, how many questions there are, and a vector."""
    database = Database(server=EmbeddedServer(home))
    await database.open()
    async with database.connection() as connection:
        cursor = await connection.execute(
            "select current_setting('server_version_num')::int / 10000, "
            "(select count(*) from golden), (select v::text from toy)"
        )
        (row,) = await cursor.fetchall()
    await database.close()
    return tuple(row)


async def test_older_data_is_carried_over_once_and_kept(home: Path) -> None:
    assert await held(home) == (16, 99, "[1,2,3]")
    told: list[str] = []
    found = await upgrade(home, told.append)
    assert found is not None
    assert (found.old, found.new) == (16, 18)
    assert (found.kept / "PG_VERSION").read_text() == "16\n"
    assert "load public.golden" in told
    assert await held(home) == (18, 99, "[1,2,3]")
    assert await upgrade(home) is None
    left = {path.name for path in (home / "postgresql").iterdir()}
    assert not left & {"upgrade", "upgrade.dump", "upgrade.dump.partial", "data-before"}


async def test_data_in_use_is_left_alone(home: Path) -> None:
    server = EmbeddedServer(home)
    await server.start()
    with pytest.raises(EmbeddedServerError, match="is in use; stop the bot's processes"):
        await upgrade(home)
    await server.stop()
    assert await upgrade(home / "nowhere") is None
    assert not (home / "nowhere").exists()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from bot.embedded.upgrade import upgrade
asyncio.run(upgrade(Path(sys.argv[1]), lambda text: text.startswith(sys.argv[2])
    and os.kill(os.getpid(), signal.SIGKILL)))
"""


@pytest.mark.parametrize("at", ["dump", "load public.golden", "load public.toy"])
async def test_a_killed_upgrade_leaves_the_old_data_in_use(home: Path, at: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, home, at], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert await held(home) == (16, 99, "[1,2,3]")
    assert await upgrade(home) is not None
    assert await held(home) == (18, 99, "[1,2,3]")


async def test_a_kill_between_the_two_renames_is_made_good(home: Path) -> None:
    folder = home / "postgresql"
    (folder / "data").rename(folder / "data-before")  # the new data was not in place yet
    assert await held(home) == (16, 99, "[1,2,3]")
    subprocess.run(["cp", "-a", folder / "data", folder / "data-before"], check=True)
    assert await held(home) == (16, 99, "[1,2,3]")  # the new data was in place
    assert not (folder / "data-before").exists()
    assert len(list(folder.glob("data-16-*"))) == 1


async def test_a_newer_server_s_backup_is_refused_and_an_older_one_s_is_not(home: Path) -> None:
    newer = Database(server=EmbeddedServer(home / "newer"))
    older = Database(server=EmbeddedServer(home))
    await asyncio.gather(newer.open(), older.open())
    await schema.ensure(newer, CORE)
    await backup(newer, home / "newer.dump")
    await backup(older, home / "older.dump")
    with pytest.raises(BackupError, match="comes from PostgreSQL 18, and here is 16"):
        await restore(older, await inspect(home / "newer.dump"), CORE, replace=True)
    await restore(newer, await inspect(home / "older.dump"), CORE)
    await restore(older, await inspect(home / "older.dump"), CORE, replace=True)
    await asyncio.gather(newer.close(), older.close())
    assert await held(home) == (16, 99, "[1,2,3]")
    assert await held(home / "newer") == (18, 99, "[1,2,3]")
