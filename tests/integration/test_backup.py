"""Backups: what they hold comes back, and only what fits is restored."""

# ruff: noqa: ASYNC221 - nothing else waits while a test blocks

import asyncio
import os
import subprocess

import pytest
from backups import CORE, QUESTION, ask, everything

from bot import schema
from bot.backup import backup, inspect, programs, restore
from bot.backup.archive import seal
from bot.database import Database
from bot.errors import BackupError, SchemaError

# -- what comes back ----------------------------------------------------------------------------


async def test_what_is_restored_is_what_was_backed_up(filled, empty, tmp_path):
    file = tmp_path / "bot.dump"
    sizes = []
    assert await backup(filled, file, sizes.append) == file.stat().st_size
    assert 0 < sizes[-1] < file.stat().st_size
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes().count(b"COPY public.golden ") == 1  # the table of contents, once

    archive = await inspect(file)
    assert archive.major == 18
    assert archive.extensions == ("vector",)
    await restore(empty, archive, CORE)
    assert await everything(empty) == await everything(filled)
    assert (await ask(empty, "select question from golden"))[0][0] == QUESTION
    ((plan,), *_) = await ask(
        empty, "select indexdef from pg_indexes where tablename = 'toy_vector'"
    )
    assert "hnsw" in plan
    async with empty.connection() as connection:  # sequences go on where they were
        await connection.execute(
            "insert into source (name, type, readers) values ('wiki', 'web', '{everyone}')"
        )


async def test_a_backup_is_one_moment_of_a_database_in_use(filled, empty, tmp_path):
    stop = asyncio.Event()

    async def write():
        while not stop.is_set():
            async with filled.transaction() as connection:
                await connection.execute("update golden set draft = not draft")
                await connection.execute("update source set error = (select draft from golden)")

    writing = asyncio.create_task(write())
    await backup(filled, tmp_path / "bot.dump")
    stop.set()
    await writing
    await restore(empty, await inspect(tmp_path / "bot.dump"), CORE)
    ((same,),) = await ask(
        empty, "select g.draft::text = s.error from golden g, source s where s.error <> ''"
    ) or [(True,)]
    assert same


async def test_an_older_backup_is_brought_up_to_date(filled, empty, tmp_path):
    await backup(filled, tmp_path / "bot.dump")
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.0001.sql").write_text("-- depends:\ncreate table toy (a int);\n")
    await restore(empty, await inspect(tmp_path / "bot.dump"), [*CORE, tmp_path / "toy"])
    assert await ask(empty, "select count(*) from toy") == [(0,)]


async def test_what_the_database_held_is_replaced_when_that_is_wanted(filled, empty, tmp_path):
    file = tmp_path / "bot.dump"
    await backup(filled, file)
    async with empty.connection() as connection:
        await connection.execute("create table own (a int)")
        await connection.execute("insert into own values (1)")
        await connection.execute("create schema side")
        await connection.execute("create view side.v as select * from own")
        await connection.execute("create type mood as enum ('good')")
        await connection.execute("create function f() returns int language sql as 'select 1'")
    with pytest.raises(BackupError, match=r"not empty \(there are rows in own\)"):
        await restore(empty, await inspect(file), CORE)
    assert await ask(empty, "select a from side.v") == [(1,)]
    await restore(empty, await inspect(file), CORE, replace=True)
    assert await everything(empty) == await everything(filled)
    await restore(empty, await inspect(file), CORE, replace=True)
    assert await everything(empty) == await everything(filled)


def sealed(file, content):
    """Write a file that says that it is whole."""
    with file.open("wb+") as stream:
        stream.write(content)
        stream.flush()
        seal(stream.fileno())


# -- what is refused ----------------------------------------------------------------------------


async def test_a_database_in_use_is_left_alone(filled, empty, tmp_path):
    await backup(filled, tmp_path / "bot.dump")
    other = Database(empty.conninfo)
    await other.open()
    await ask(other, "select 1")
    with pytest.raises(BackupError, match=r"in use by \d other"):
        await restore(empty, await inspect(tmp_path / "bot.dump"), CORE)
    await other.close()


async def test_an_empty_database_is_not_backed_up(empty, tmp_path):
    with pytest.raises(BackupError, match="is this the right --home"):
        await backup(empty, tmp_path / "bot.dump")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("newer", ["domainbot.9999.future", "toy.0002"])
async def test_a_newer_version_s_backup_is_refused(filled, empty, tmp_path, newer):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.0001.sql").write_text("-- depends:\ncreate table toy (a int);\n")
    folders = [*CORE, tmp_path / "toy"]
    await schema.ensure(filled, folders)
    async with filled.connection() as connection:
        await connection.execute(
            "insert into _yoyo_migration (migration_hash, migration_id, applied_at_utc) "
            "values ('x', %s, now())",
            [newer],
        )
    await backup(filled, tmp_path / "bot.dump")
    with pytest.raises(SchemaError, match=f"newer version \\({newer} is not known"):
        await restore(empty, await inspect(tmp_path / "bot.dump"), folders)
    assert await everything(empty) == {}


async def test_a_plugin_that_is_not_here_refuses_nothing(filled, empty, tmp_path):
    (tmp_path / "toy.0001.sql").write_text("-- depends:\ncreate table toy (a int);\n")
    await schema.ensure(filled, [*CORE, tmp_path])
    await backup(filled, tmp_path / "bot.dump")
    await restore(empty, await inspect(tmp_path / "bot.dump"), CORE)
    async with empty.connection() as connection:
        history = await schema.history(connection, CORE)
    assert [(one.id, one.state) for one in history if one.state != "applied"] == [
        ("toy.0001", "foreign")
    ]


@pytest.mark.parametrize("kept", [0, 60, 0.5, 0.9, -1])
async def test_a_truncated_file_changes_nothing(filled, empty, tmp_path, kept):
    file = tmp_path / "bot.dump"
    size = await backup(filled, file)
    os.truncate(file, kept if kept in (0, 60) else size - 1 if kept < 0 else int(size * kept))
    with pytest.raises(BackupError, match=r"is no backup|is not whole"):
        await restore(empty, await inspect(file), CORE)
    assert await everything(empty) == {}


async def test_a_changed_file_changes_nothing(filled, tmp_path):
    file = tmp_path / "bot.dump"
    size = await backup(filled, file)
    content = bytearray(file.read_bytes())
    for place in range(5, size, size // 20):
        content[place] ^= 1
        file.write_bytes(content)
        with pytest.raises(BackupError, match=r"is damaged|is not whole"):
            await inspect(file)
        content[place] ^= 1


@pytest.mark.parametrize("content", [bytes(range(256)) * 40, b"\x01\x63\x00\x04\x08\x01" * 9])
async def test_a_forged_file_is_told_from_a_backup(tmp_path, content):
    file = tmp_path / "bot.dump"
    sealed(file, b"PGDMP" + content)
    with pytest.raises(BackupError, match="was made by a newer PostgreSQL, or is damaged"):
        await inspect(file)
    file.write_bytes(b"drop table source;")
    with pytest.raises(BackupError, match="is no backup"):
        await inspect(file)
    with pytest.raises(BackupError, match="cannot be read"):
        await inspect(tmp_path / "missing.dump")


async def test_another_database_s_dump_is_told_from_a_backup(empty, tmp_path):
    async with empty.connection() as connection:
        await connection.execute("create table own (a int)")
    file = tmp_path / "other.dump"
    subprocess.run([programs.find("pg_dump", 18), "--format=custom", f"--file={file}",
                    f"--dbname={empty.conninfo}"], check=True)  # fmt: skip
    with pytest.raises(BackupError, match="is not whole"):
        await inspect(file)
    sealed(file, file.read_bytes())
    with pytest.raises(BackupError, match="another database than a bot's"):
        await inspect(file)


async def test_sql_that_fails_in_the_end_changes_nothing(filled, empty, tmp_path):
    async with filled.connection() as connection:
        await connection.execute("create function one() returns int language sql as 'select 1'")
        await connection.execute("create table late (a int check (one() = 1))")
        await connection.execute("insert into late values (1)")
        await connection.execute(
            "create or replace function one() returns int language sql as 'select 0'"
        )
    await backup(filled, tmp_path / "bot.dump")
    async with empty.connection() as connection:
        await connection.execute("create table own as select 1 as a")
    before = await everything(empty)
    with pytest.raises(BackupError, match=r"late.*Nothing was changed"):
        await restore(empty, await inspect(tmp_path / "bot.dump"), CORE, replace=True)
    assert await everything(empty) == before


def test_programs_older_than_the_server_are_refused(monkeypatch):
    with pytest.raises(BackupError, match="pg_dump of PostgreSQL 99 or later is needed"):
        programs.find("pg_dump", 99)


async def test_a_password_stands_in_no_command_line():
    shell = ["sh", "-c", 'echo "$PGPASSWORD / $0"']
    conninfo = "postgresql://ann:s3cret@db.example.com/bot?sslmode=require"
    async with programs.running(shell, conninfo=conninfo) as process:
        out, _ = await process.communicate()
    password, _, argument = out.decode().strip().partition(" / ")
    assert password == "s3cret"
    assert "s3cret" not in argument
    assert {"user=ann", "host=db.example.com", "dbname=bot", "sslmode=require"} <= set(
        argument.removeprefix("--dbname=").split()
    )
