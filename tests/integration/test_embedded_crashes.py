"""What a kill -9 leaves behind, and how the embedded server comes back from it."""

# ruff: noqa: ASYNC220 - nothing else waits while a test blocks

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from homes import postmaster, scratch

from bot.database import Database
from bot.embedded import EmbeddedServer


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch() as folder:
        yield folder


def processes(conninfo: str, home: Path) -> list[int]:
    """The server's first process, and what it started that shows itself."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rows = connection.execute("select pid from pg_stat_activity where pid <> pg_backend_pid()")
        return [postmaster(home), *(row[0] for row in rows)]


def kill_everything(conninfo: str, home: Path) -> None:
    killed = processes(conninfo, home)
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # Until then a connection may look alive.
    eventually(lambda: all(map(gone, killed)))


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return True
    return state == "Z"  # nobody has reaped it, but its connections are closed


def answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def as_the_server(home: Path) -> dict[str, Any]:
    """Arguments that make a child process run as the server's user."""
    owner = (home / "postgresql/data").stat()
    return {"user": owner.st_uid} if os.geteuid() == 0 else {}


async def test_a_killed_server_is_started_again(home: Path) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    with psycopg.connect(conninfo) as connection:
        connection.execute("create table note as select 'committed' as text")
    dead = postmaster(home)
    kill_everything(conninfo, home)

    await server.ensure()
    assert postmaster(home) != dead
    with psycopg.connect(server.conninfo) as connection:
        assert connection.execute("select text from note").fetchall() == [("committed",)]
    await server.ensure()
    await server.stop()
    assert not answers(conninfo)


async def test_a_server_killed_while_it_starts_is_started_again(home: Path) -> None:
    server = EmbeddedServer(home)
    kill_everything(await server.start(), home)
    dead = postmaster(home)
    killed = []

    def kill_the_next() -> None:
        eventually(lambda: killing() != dead)
        killed.append(killing())
        os.kill(killed[0], signal.SIGKILL)

    def killing() -> int:
        try:
            return postmaster(home)
        except (FileNotFoundError, ValueError, IndexError):  # being written
            return dead

    killer = threading.Thread(target=kill_the_next)
    killer.start()
    await server.ensure()
    killer.join()
    await server.ensure()
    assert postmaster(home) not in {dead, *killed}
    assert answers(server.conninfo)
    await server.stop()


async def test_a_new_client_starts_a_killed_server(home: Path) -> None:
    first, second = EmbeddedServer(home), EmbeddedServer(home)
    kill_everything(await first.start(), home)
    conninfo = await second.start()
    assert answers(conninfo)
    await second.stop()
    assert answers(conninfo)  # the first one is a client still
    await first.stop()
    assert not answers(conninfo)


async def test_a_database_used_before_goes_on_working(home: Path) -> None:
    database = Database(server=EmbeddedServer(home), size=2)
    await database.open()
    try:
        async with database.connection() as connection:
            await connection.execute("create table note as select 1 as number")
        kill_everything(database.conninfo, home)
        for _ in range(3):
            async with database.connection() as connection:
                cursor = await connection.execute("select number from note")
                assert await cursor.fetchall() == [(1,)]
    finally:
        await database.close()
    assert not answers(database.conninfo)


async def test_a_busy_process_of_a_dead_server_does_not_hold_up_the_next(home: Path) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    endless = "do $$ begin loop end loop; end $$"

    def work(connection: psycopg.Connection) -> None:
        with pytest.raises(psycopg.OperationalError):
            connection.execute(endless)

    with psycopg.connect(conninfo, autocommit=True) as connection:
        busy = threading.Thread(target=work, args=(connection,))
        busy.start()
        eventually(lambda: len(processes(conninfo, home)) > 1 and is_busy(conninfo))
        os.kill(postmaster(home), signal.SIGKILL)
        await server.ensure()
        busy.join(30)
        assert not busy.is_alive()
    assert answers(server.conninfo)
    await server.stop()


def is_busy(conninfo: str) -> bool:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "select from pg_stat_activity where query like 'do %' and state = 'active'"
        )
        return rows.fetchone() is not None


async def test_a_process_id_that_is_another_s_by_now_is_not_taken_for_the_server(
    home: Path,
) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    kill_everything(conninfo, home)
    other = subprocess.Popen(["sleep", "600"], cwd="/", **as_the_server(home))
    try:
        for stale in ("data/postmaster.pid", "socket/.s.PGSQL.5432.lock"):
            path = home / "postgresql" / stale
            first, rest = path.read_text().split("\n", 1)
            assert first != str(other.pid)
            path.write_text(f"{other.pid}\n{rest}")

        await server.ensure()
        assert answers(conninfo)
        await server.stop()
        assert not answers(conninfo)
        assert other.poll() is None  # nobody signalled it
    finally:
        other.kill()
        other.wait()


async def test_a_server_whose_socket_was_removed_is_started_anew(home: Path) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    unreachable = postmaster(home)
    shutil.rmtree(home / "postgresql/socket")
    await server.ensure()
    assert answers(conninfo)
    assert postmaster(home) != unreachable
    await server.stop()


async def test_a_server_that_somebody_stopped_by_hand_is_started_again(home: Path) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    os.kill(postmaster(home), signal.SIGINT)
    await server.ensure()  # whether it has ended by now or not
    eventually(lambda: answers(conninfo) or not (home / "postgresql/data/postmaster.pid").exists())
    await server.ensure()
    assert answers(conninfo)
    await server.stop()


@pytest.mark.parametrize("moment", ["new-*", "new-*/PG_VERSION", "new-*/base/1", "data"])
async def test_a_kill_while_the_data_is_made_leaves_nothing_half(home: Path, moment: str) -> None:
    script = (
        "import asyncio, pathlib, sys; from bot.embedded import EmbeddedServer; "
        "asyncio.run(EmbeddedServer(pathlib.Path(sys.argv[1])).start())"
    )
    process = subprocess.Popen([sys.executable, "-c", script, home], stderr=subprocess.DEVNULL)
    eventually(lambda: any((home / "postgresql").glob(moment)))
    process.kill()
    process.wait()

    server = EmbeddedServer(home)
    conninfo = await server.start()
    with psycopg.connect(conninfo) as connection:
        assert connection.execute("select '[1]'::vector::text").fetchall() == [("[1]",)]
    await server.stop()
    assert not list((home / "postgresql").glob("new-*"))
    assert not answers(conninfo)
