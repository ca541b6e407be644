"""Restoring a backup: everything in one transaction, or nothing."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from bot import schema
from bot.backup import programs
from bot.backup.archive import Archive
from bot.database import Connection, Database, load_queries
from bot.embedded.trouble import last_words
from bot.errors import BackupError, SchemaError

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "backup.sql")

_COPY = re.compile(rb"COPY (\S+) .*FROM stdin;\n")
_PSQL = re.compile(rb"\\(un)?restrict \w+\n")
_BLOCK = 1 << 20  # bytes sent at once


async def restore(
    database: Database,
    archive: Archive,
    folders: Sequence[Path],
    *,
    replace: bool = False,
    told: Callable[[str], None] = lambda table: None,
) -> None:
    """Make the database what the archive holds, in one transaction.

    The file's SQL is run, as the database's user: restore only what you trust. pg_restore writes
    that SQL and does not run it itself, because what the database holds now must go in the same
    transaction.

    Args:
        folders: the migrations of the bot and its plugins.
        replace: give up what the database holds.
        told: the table that is being loaded.

    Raises:
        BackupError: the database is in use, holds something, or is older than the archive's.
        SchemaError: the archive is of a newer version of the bot.
    """
    _check_schema(archive, folders)
    async with database.transaction() as connection:
        await _check_target(connection, archive, replace, database.name)
        await connection.execute(QUERIES["wait_shortly"])
        drops = await (await connection.execute(QUERIES["drops"])).fetchall()
        await _execute(connection, [f"{drop};\n".encode() for (drop,) in drops])
        await _add_extensions(connection, archive)
        await _replay(connection, archive, told)
        await connection.execute(QUERIES["reset"])
    async with database.connection() as connection:
        await connection.execute(QUERIES["analyze"])
    await schema.ensure(database, folders)


def _check_schema(archive: Archive, folders: Sequence[Path]) -> None:
    history = schema.compared(archive.migrations, folders)
    if unknown := [one.id for one in history if one.state == "unknown"]:
        raise SchemaError(
            f"{archive.file} was made by a newer version ({unknown[-1]} is not known here); "
            "upgrade domainbot and its plugins first."
        )


async def _check_target(connection: Connection, archive: Archive, replace: bool, own: str) -> None:
    major = connection.info.server_version // 10_000
    if archive.major > major:
        raise BackupError(
            f"{archive.file} comes from PostgreSQL {archive.major}, and here is {major}; upgrade "
            "the server first, or restore into another."
        )
    ((others,),) = await (await connection.execute(QUERIES["others"], {"own": own})).fetchall()
    if others:
        raise BackupError(
            f"The database is in use by {others} other connections of the bot; stop its processes "
            "and try again."
        )
    if not replace and (table := await _filled(connection)):
        raise BackupError(
            f"The database is not empty (there are rows in {table}); restore into another --home "
            "or database, or give up what it holds with --replace."
        )


async def _filled(connection: Connection) -> str:
    """Name a table that holds something; the schema's own history does not count."""
    for namespace, name in await (await connection.execute(QUERIES["tables"])).fetchall():
        query = sql.SQL(QUERIES["filled"]).format(sql.Identifier(namespace, name))
        ((filled,),) = await (await connection.execute(query)).fetchall()
        if filled:
            return str(name)
    return ""


async def _add_extensions(connection: Connection, archive: Archive) -> None:
    for name in archive.extensions:
        try:
            add = sql.SQL(QUERIES["extension"]).format(sql.Identifier(name))
            await connection.execute(add)
        except psycopg.Error as error:
            raise BackupError(
                f"The database lacks the extension {name}, and its user may not add it; run "
                f"`create extension {name}` in it as a superuser, then restore again."
            ) from error


async def _replay(connection: Connection, archive: Archive, told: Callable[[str], None]) -> None:
    """Run the SQL that pg_restore writes: statements as they come, rows through `copy`."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as contents:
        contents.write(archive.contents)
        contents.flush()
        options = ["--no-owner", "--no-privileges", "--file=-", f"--use-list={contents.name}"]
        command: list[Path | str] = [programs.find("pg_restore", 0), *options, archive.file]
        async with programs.running(command) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            complaints = asyncio.ensure_future(process.stderr.read())
            try:
                await _run(connection, _lines(process.stdout), told)
            except psycopg.Error as error:
                reason = (error.diag.message_primary or str(error)).strip().rstrip(".")
                raise BackupError(
                    f"{archive.file} cannot be restored here: {reason}. Nothing was changed."
                ) from error
            said = (await complaints).decode(errors="replace")
            await process.wait()
    if process.returncode != 0:
        raise BackupError(
            f"{archive.file} is damaged ({last_words(said)}); restore another. Nothing was changed."
        )


async def _run(
    connection: Connection, lines: AsyncIterator[bytes], told: Callable[[str], None]
) -> None:
    statements: list[bytes] = []
    async for line in lines:
        if _PSQL.fullmatch(line) or line == b"SET transaction_timeout = 0;\n":
            continue  # for psql alone, and a setting that PostgreSQL 16 lacks
        if found := _COPY.fullmatch(line):
            await _execute(connection, statements)
            told(found[1].decode(errors="replace"))
            await _copy(connection, line, lines)
        else:
            statements.append(line)
    await _execute(connection, statements)


async def _execute(connection: Connection, statements: list[bytes]) -> None:
    """Run several statements at once, as they stand in the file."""
    text = b"".join(statements)
    statements.clear()
    if text.strip():
        await connection.execute(cast(LiteralString, text), prepare=False)


async def _copy(connection: Connection, statement: bytes, lines: AsyncIterator[bytes]) -> None:
    async with connection.cursor().copy(cast(LiteralString, statement)) as copy:
        block = bytearray()
        # Without an end pg_restore has stopped too soon, and says why.
        async for line in lines:
            if line == b"\\.\n":
                break
            block += line
            if len(block) >= _BLOCK:
                await copy.write(bytes(block))
                block.clear()
        await copy.write(bytes(block))


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream into lines of any length."""
    rest = b""
    while block := await stream.read(_BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest
