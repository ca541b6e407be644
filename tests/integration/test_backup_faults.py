"""Backups and restores that are killed, or meet a full disk: whole or nothing."""

# ruff: noqa: ASYNC221, ASYNC240 - nothing else waits while a test blocks

import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from backups import CORE, everything, until

from bot.backup import backup, inspect, restore
from bot.database import Database
from bot.errors import BackupError

PG_DUMP_WAITS = (
    "select from pg_stat_activity where application_name = 'pg_dump' and wait_event_type = 'Lock'"
)


def in_a_process(what, *arguments, limit=None):
    """Start `what`, a coroutine of this module, in a process of its own."""
    code = (
        "import asyncio, sys, test_backup_faults as here; "
        "asyncio.run(getattr(here, sys.argv[1])(*sys.argv[2:]))"
    )

    def limited():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-c", code, what, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limited,
    )


async def write_backup(conninfo, file):
    database = Database(conninfo)
    await database.open()
    await backup(database, Path(file))
    await database.close()


async def die_restoring(conninfo, file, at):
    database = Database(conninfo)
    await database.open()

    def told(table):
        if table == at:
            os.kill(os.getpid(), signal.SIGKILL)

    await restore(database, await inspect(Path(file)), CORE, replace=True, told=told)


async def test_a_backup_that_is_killed_leaves_the_one_before(filled, tmp_path):
    file = tmp_path / "bot.dump"
    await backup(filled, file)
    before = file.read_bytes()
    async with filled.transaction() as connection:
        await connection.execute("lock table golden")  # pg_dump waits for it
        process = in_a_process("write_backup", filled.conninfo, file)
        await until(filled, PG_DUMP_WAITS)
        with pytest.raises(BackupError, match="Another backup is writing"):
            await backup(filled, file)
        process.kill()
        process.communicate()
        assert file.read_bytes() == before
    await until(
        filled,
        "select where not exists (select from pg_stat_activity where application_name = 'pg_dump')",
    )
    await backup(filled, file)
    assert list(tmp_path.iterdir()) == [file]
    assert (await inspect(file)).migrations


async def test_a_cancelled_backup_leaves_nothing(filled, tmp_path):
    file = tmp_path / "bot.dump"
    async with filled.transaction() as connection:
        await connection.execute("lock table golden")
        writing = asyncio.create_task(backup(filled, file))
        await until(filled, PG_DUMP_WAITS)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("limit", [0, 10_000, 60_000])
async def test_a_disk_that_takes_no_more_leaves_the_backup_before(filled, tmp_path, limit):
    file = tmp_path / "bot.dump"
    file.write_bytes(b"before")
    process = in_a_process("write_backup", filled.conninfo, file, limit=limit)
    _, said = process.communicate(timeout=60)
    assert "BackupError: The backup was not made" in said, said
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [
        ("bot.dump", b"before")
    ]


async def test_a_full_disk_is_named(filled):
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    try:
        # Without a disk of our own: a device that is always full.
        file = folder / "bot.dump"
        if not mounted:
            file.with_name("bot.dump.partial").symlink_to("/dev/full")
        with pytest.raises(BackupError, match="is full" if mounted else "cannot be written"):
            await backup(filled, file)
        assert mounted is False or not list(folder.iterdir())
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("at", ["public._yoyo_migration", "public.golden", "public.toy_vector"])
async def test_a_restore_that_is_killed_leaves_what_was_there(filled, empty, tmp_path, at):
    file = tmp_path / "bot.dump"
    await backup(filled, file)
    async with empty.connection() as connection:
        await connection.execute("create table own as select 1 as a")
    await empty.close()
    process = in_a_process("die_restoring", empty.conninfo, file, at)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, said
    await empty.open()
    assert await everything(empty) == {"public.own": [("(1)",)]}
    await until(
        empty,
        "select where not exists (select from pg_stat_activity where datname = current_database() "
        f"and application_name like 'domainbot%' and application_name <> '{empty.name}')",
    )
    await restore(empty, await inspect(file), CORE, replace=True)
    assert await everything(empty) == await everything(filled)
