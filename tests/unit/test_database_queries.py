"""Queries live in .sql files, each named, and the driver's errors become sentences."""

from pathlib import Path

import psycopg
import pytest
from psycopg import errors as pg
from psycopg_pool import PoolTimeout

import bot
from bot.database import Database, load_queries, translated
from bot.errors import DatabaseError, DatabaseUnavailable

FILES = sorted((Path(bot.__file__).parent / "queries").glob("*.sql"))


def test_queries_are_read_by_name(tmp_path):
    file = tmp_path / "q.sql"
    file.write_text("-- About.\n\n-- name: one\n-- Why.\nselect 1\n\n-- name: two\nselect 2\n")
    assert load_queries(file) == {"one": "-- Why.\nselect 1", "two": "select 2"}


def test_a_name_that_stands_twice_is_refused(tmp_path):
    file = tmp_path / "q.sql"
    file.write_text("-- name: one\nselect 1\n-- name: one\nselect 2\n")
    with pytest.raises(ValueError, match="twice"):
        load_queries(file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_of_queries_is_sound(file):
    queries = load_queries(file)
    assert queries
    for name, text in queries.items():
        code = [line for line in text.splitlines() if not line.startswith("--")]
        assert "".join(code).strip(), name
        assert ";" not in "".join(code), name


async def test_a_database_that_is_not_open_says_so():
    with pytest.raises(DatabaseUnavailable, match="not open"):
        async with Database("").connection():
            pass


async def test_nobody_listening_is_one_clear_sentence(tmp_path):
    database = Database(f"host={tmp_path} dbname=bot")
    with pytest.raises(DatabaseUnavailable, match="cannot be reached") as caught:
        await database.open()
    assert "database_url" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (pg.DiskFull("no space"), DatabaseError, "disk is full"),
        (pg.TooManyConnections("sorry"), DatabaseUnavailable, "no free connection"),
        (pg.InvalidPassword("no"), DatabaseUnavailable, "login"),
        (pg.InvalidCatalogName('database "x" does not exist'), DatabaseUnavailable, "create it"),
        (pg.InsufficientPrivilege("denied"), DatabaseError, "lacks a right"),
        (pg.UniqueViolation("twice"), DatabaseError, "refused: twice"),
        (pg.AdminShutdown("bye"), DatabaseUnavailable, "cannot be reached"),
        (PoolTimeout("late"), DatabaseUnavailable, "in time"),
        (psycopg.OperationalError("gone\nand more"), DatabaseUnavailable, "(gone)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_drivers_errors_become_ours(error, kind, says):
    with pytest.raises(kind, match=r".") as caught, translated():
        raise error
    assert says in str(caught.value)
    assert caught.value.__cause__ is error


def test_other_errors_pass_through():
    with pytest.raises(KeyError), translated():
        raise KeyError("x")
