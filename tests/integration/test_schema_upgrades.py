"""The schema's history: applied once, whole or not at all, and never by older code."""

import asyncio

import psycopg
import pytest

from bot import schema
from bot.database import Database
from bot.errors import SchemaError
from bot.testing.postgres import created


@pytest.fixture
async def empty(server):
    """An open database without any schema."""
    with created(server, "bot_test_schema") as conninfo:
        opened = Database(conninfo)
        await opened.open()
        yield opened
        await opened.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "toy.0001.sql").write_text("-- depends:\ncreate table toy (a int);\n")
    return tmp_path


async def state(database, *folders):
    async with database.connection() as connection:
        return await schema.state(connection, folders)


async def exists(database, table):
    async with database.connection() as connection:
        row = await (await connection.execute("select to_regclass(%s)", [table])).fetchone()
    return row[0] is not None


async def test_an_empty_database_is_brought_up_to_date_once(empty, folder):
    before = await state(empty, folder)
    assert (before.missing, before.unknown, before.current) == (("toy.0001",), (), False)
    await schema.ensure(empty, [folder])
    assert await exists(empty, "toy")
    assert (await state(empty, folder)).current
    await schema.ensure(empty, [folder])


async def test_the_core_and_a_plugin_stand_side_by_side(empty, folder):
    await schema.ensure(empty, [schema.core_migrations(), folder])
    assert await exists(empty, "turn")
    assert await exists(empty, "toy")


async def test_a_plugins_failed_migration_takes_neither_the_core_nor_another_plugin(
    empty, folder, tmp_path
):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "bad.0001.sql").write_text("create table half (a int);\ncreate table h (a typo);\n")
    failures = await schema.ensure_each(empty, [bad, folder])
    assert "typo" in str(failures.pop(bad))
    assert not failures
    assert not await exists(empty, "half")
    assert await exists(empty, "turn")
    assert await exists(empty, "toy")
    (bad / "bad.0001.sql").write_text("create table half (a int);\n")
    assert await schema.ensure_each(empty, [bad, folder]) == {}
    assert await exists(empty, "half")


async def test_a_new_migration_is_applied_to_what_is_there(empty, folder):
    await schema.ensure(empty, [folder])
    (folder / "toy.0002.sql").write_text("-- depends: toy.0001\ncreate table more (a int);\n")
    await schema.ensure(empty, [folder])
    assert await exists(empty, "more")


async def test_a_migration_that_fails_leaves_nothing_and_can_be_repaired(empty, folder):
    bad = folder / "toy.0002.sql"
    bad.write_text("-- depends: toy.0001\ncreate table half (a int);\ncreate table h (a typo);\n")
    with pytest.raises(SchemaError, match=r"toy\.0002 failed: type \"typo\" does not exist"):
        await schema.ensure(empty, [folder])
    assert await exists(empty, "toy")
    assert not await exists(empty, "half")
    bad.write_text("-- depends: toy.0001\ncreate table half (a int);\n")
    await schema.ensure(empty, [folder])
    assert await exists(empty, "half")


async def test_a_database_newer_than_the_code_is_refused(empty, folder):
    newer = folder / "toy.0002.sql"
    newer.write_text("-- depends: toy.0001\ncreate table more (a int);\n")
    await schema.ensure(empty, [folder])
    newer.unlink()
    with pytest.raises(SchemaError, match=r"newer version \(toy\.0002"):
        await schema.ensure(empty, [folder])


async def test_migrations_of_a_plugin_that_is_gone_are_left_alone(empty, folder):
    await schema.ensure(empty, [schema.core_migrations(), folder])
    await schema.ensure(empty, [schema.core_migrations()])
    assert (await state(empty, schema.core_migrations())).current


async def test_upgrades_at_once_apply_each_migration_once(empty, folder):
    (folder / "toy.0002.sql").write_text("-- depends: toy.0001\ninsert into toy values (1);\n")
    await asyncio.gather(*(schema.ensure(empty, [folder]) for _ in range(4)))
    async with empty.connection() as connection:
        rows = await (await connection.execute("select a from toy")).fetchall()
    assert rows == [(1,)]


async def test_exactly_one_index_version_is_live(database):
    insert = "insert into index_version (state, dimensions, settings) values ('live', 8, '{}')"
    async with database.connection() as connection:
        await connection.execute(insert)
        with pytest.raises(psycopg.errors.UniqueViolation):
            await connection.execute(insert)
