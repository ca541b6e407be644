"""The embedded server's life with one client, with several, and with clients that are killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from homes import postmaster, scratch

from bot.embedded import EmbeddedServer, default_home
from bot.errors import EmbeddedServerError

CLIENT = """
import asyncio, sys
from pathlib import Path
from bot.embedded import EmbeddedServer

async def main():
    server = EmbeddedServer(Path(sys.argv[1]))
    print(await server.start(), flush=True)
    sys.stdin.read()
    await server.stop()

asyncio.run(main())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch() as folder:
        yield folder


def client(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, home],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def started(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise AssertionError(process.communicate()[1])
    return line


def leave(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def ask(conninfo: str, query: str) -> str:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return str(row[0])


def born(conninfo: str) -> str:
    return ask(conninfo, "select pg_postmaster_start_time()")


async def test_starts_on_first_use_and_keeps_what_was_written(home: Path) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    assert conninfo == server.conninfo
    with psycopg.connect(conninfo) as connection:
        connection.execute("create table note as select 'kept' as text")
    await server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)
    assert not (home / "postgresql/data/postmaster.pid").exists()

    assert ask(await server.start(), "select text from note") == "kept"
    await server.stop()


async def test_the_database_is_what_the_bot_needs(home: Path) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    try:
        assert ask(conninfo, "select current_user || '@' || current_database()") == "bot@bot"
        assert ask(conninfo, "select '[1,2,3]'::vector <-> '[1,2,4]'::vector") == "1.0"
        assert ask(conninfo, "select lower('ÄÇ')") == "äç"
        for setting, value in {
            "server_encoding": "UTF8",
            "data_checksums": "on",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "listen_addresses": "",
            "jit": "off",
            "is_superuser": "off",
        }.items():
            assert (setting, ask(conninfo, f"select current_setting('{setting}')")) == (
                setting,
                value,
            )
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("create database copy template bot")
            connection.execute("drop database copy")
        administrator = f"{conninfo} user=postgres"
        assert ask(administrator, "select current_setting('is_superuser')") == "on"
    finally:
        await server.stop()


async def test_the_last_one_out_stops_the_server(home: Path) -> None:
    first, second = EmbeddedServer(home), EmbeddedServer(home)
    conninfo = await first.start()
    birth = born(conninfo)
    assert await second.start() == conninfo
    await first.stop()
    assert born(conninfo) == birth
    await second.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


async def test_starting_and_stopping_twice_counts_once(home: Path) -> None:
    server = EmbeddedServer(home)
    await server.stop()
    conninfo = await server.start()
    assert await server.start() == conninfo
    await server.stop()
    await server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)
    with pytest.raises(EmbeddedServerError, match="open the bot"):
        await server.ensure()
    with pytest.raises(EmbeddedServerError, match="not started"):
        _ = server.conninfo


async def test_a_cancelled_start_leaves_no_server_after_stop(home: Path) -> None:
    server = EmbeddedServer(home)
    starting = asyncio.create_task(server.start())
    await asyncio.sleep(0.05)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await server.stop()
    assert not (home / "postgresql/data/postmaster.pid").exists()


def test_two_processes_share_one_server_and_the_second_outlives_the_first(home: Path) -> None:
    first = client(home)
    conninfo = started(first)
    second = client(home)
    assert started(second) == conninfo
    birth = born(conninfo)
    leave(first)
    assert born(conninfo) == birth
    leave(second)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


def test_the_server_is_out_of_reach_of_its_client_s_terminal(home: Path) -> None:
    process = client(home)
    started(process)
    pid = postmaster(home)
    assert os.getsid(pid) == os.getpgid(pid) == pid != os.getsid(process.pid)
    leave(process)


async def test_a_killed_client_is_not_counted(home: Path) -> None:
    killed = client(home)
    conninfo = started(killed)
    birth = born(conninfo)
    killed.kill()
    killed.communicate()
    assert born(conninfo) == birth  # it outlives whoever started it

    server = EmbeddedServer(home)
    await server.start()
    assert born(conninfo) == birth
    await server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


def test_five_processes_that_start_at_once_get_one_server(home: Path) -> None:
    processes = [client(home) for _ in range(5)]
    conninfos = [started(process) for process in processes]
    assert len({born(conninfo) for conninfo in conninfos}) == 1
    for process in processes:
        leave(process)
    assert not (home / "postgresql/data/postmaster.pid").exists()
    assert not list((home / "postgresql").glob("new-*"))


def test_processes_that_come_and_go_always_find_a_server(home: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
import psycopg
from bot.embedded import EmbeddedServer

async def main():
    for _ in range(6):
        server = EmbeddedServer(Path({str(home)!r}))
        with psycopg.connect(await server.start()) as connection:
            connection.execute("select 1")
        await server.stop()

asyncio.run(main())
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate()[1] for process in processes] == [""] * 3
    assert not (home / "postgresql/data/postmaster.pid").exists()


def test_the_default_home_is_the_user_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"XDG_DATA_HOME": "/srv/data"}
    assert (os.geteuid() == 0) == (default_home(environ) == Path("/var/lib/domainbot"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_home(environ) == Path("/srv/data/domainbot")
    assert default_home({}).name == "domainbot"
