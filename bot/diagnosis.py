"""What can be wrong with a bot: looked at in order, each thing in one sentence."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bot import languages, schema
from bot.database import Connection, Database, load_queries
from bot.errors import BotError
from bot.jobs import DEAD

if TYPE_CHECKING:
    from bot.app import Bot

QUERIES = load_queries(Path(__file__).parent / "queries" / "diagnosis.sql")

OLDEST = 16  # of PostgreSQL
PGVECTOR = (0, 8)
ROOM = 500_000_000  # bytes; PostgreSQL stops when its disk is full


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what it is.
        state: `bad` keeps the bot from working well; a `note` is worth knowing.
        says: what is so, or what to do.
    """

    check: str
    state: Literal["ok", "note", "bad"]
    says: str


async def examine(bot: Bot) -> AsyncIterator[Finding]:
    """Look at everything, as far as it depends on what is well; the bot is not open yet.

    Nothing is changed: no database is made, and no schema brought up to date.
    """
    from bot.assembly import database_of

    try:
        bot.check()
        folders = [schema.core_migrations(), *bot.plugins.migrations()]
        where = bot.settings.path or "no bot.toml, the defaults hold"
        yield Finding("configuration", "ok", str(where))
        for loaded in bot.plugins.loaded:
            if not loaded.disabled:
                state: Literal["ok", "bad"] = "bad" if loaded.error else "ok"
                yield Finding(f"plugin {loaded.name}", state, loaded.error or loaded.version)
        database = database_of(bot.settings, bot.home)
        if database.server is not None and not database.server.exists:
            yield Finding("database", "bad", f"none is in {bot.home} yet; `bot reindex` makes it")
            return
        try:
            await database.open()
            well = True
            async for finding in _database(bot, database, folders):
                well = well and finding.state != "bad"
                yield finding
            if well:
                async with bot:
                    async for finding in _open(bot):
                        yield finding
        finally:
            await database.close()
    except BotError as error:
        yield Finding(_part(error), "bad", str(error))


async def _database(bot: Bot, database: Database, folders: list[Path]) -> AsyncIterator[Finding]:
    """The server, the room it has, and the schema."""
    where = f"embedded, in {bot.home}" if database.server else "database_url"
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["server"])
        ((name, number, pgvector, size),) = await cursor.fetchall()
        history = await schema.history(connection, folders)
    yield Finding("database", "ok", where)
    yield _server(name, number // 10_000, embedded=database.server is not None)
    yield _pgvector(pgvector)
    if database.server is not None:
        yield _room(bot.home, size)
    unknown = [one.id for one in history if one.state == "unknown"]
    missing = [one.id for one in history if one.state == "missing"]
    if unknown:
        yield Finding(
            "schema", "bad",
            f"it is of a newer version ({unknown[-1]}); upgrade domainbot and its plugins",
        )  # fmt: skip
    elif len(missing) == len(history):
        yield Finding("schema", "bad", "the database is empty; `bot reindex` sets it up")
    elif missing:
        yield Finding(
            "schema", "bad", f"{len(missing)} migrations are missing; run `bot db upgrade`"
        )
    else:
        yield Finding("schema", "ok", f"{len(history)} migrations are applied")


def _server(name: str, major: int, *, embedded: bool) -> Finding:
    from bot.embedded.binaries import NEWEST

    if major < OLDEST:
        return Finding("postgresql", "bad", f"{name}; {OLDEST} or later is needed")
    if embedded and major < NEWEST:
        return Finding("postgresql", "note", f"{name}; `bot db upgrade --server` makes it {NEWEST}")
    return Finding("postgresql", "ok", name)


def _pgvector(version: str | None) -> Finding:
    if version is None:
        return Finding(
            "pgvector", "bad", "it is not there; run `create extension vector` as a superuser"
        )
    if tuple(int(part) for part in version.split(".")[:2]) < PGVECTOR:
        return Finding(
            "pgvector", "bad",
            f"{version}; install 0.8 or later, then run `alter extension vector update`",
        )  # fmt: skip
    return Finding("pgvector", "ok", version)


def _room(home: Path, size: int) -> Finding:
    free = shutil.disk_usage(home).free
    told = f"{free / 1e9:.1f} GB are free, the database takes {size / 1e9:.1f} GB"
    if free < ROOM:
        return Finding("disk", "bad", f"{told}; free some space")
    if free < size:
        return Finding("disk", "note", f"{told}; a rebuild or a restore may need as much again")
    return Finding("disk", "ok", told)


async def _open(bot: Bot) -> AsyncIterator[Finding]:
    """The index, the queue, and one search."""
    from bot.indexing import versions
    from bot.indexing.drift import drift

    async with bot.database.connection() as connection:
        async for finding in _queue(connection):
            yield finding
        cursor = await connection.execute(QUERIES["troubles"])
        troubles = await cursor.fetchall()
    for name, problem in troubles:
        yield Finding(name, "note", problem)
    live = await versions.live(bot.database)
    if live is None:
        yield Finding("index", "bad", "nothing is indexed yet; run `bot reindex`")
        return
    yield Finding("index", "ok", f"version {live.id} is live")
    for difference in await drift(bot):
        yield Finding("index", "note", difference)
    for source in bot.settings.sources:
        documents = await bot.indexer.count_documents(source)
        nothing = "nothing indexed; run `bot reindex`, which tells when it finds nothing"
        told = f"{documents} documents" if documents else nothing
        yield Finding(f"source {source}", "ok" if documents else "bad", told)
    passages, run = await bot.search("How do I start?", k=1)
    problems = "; ".join(run.notices)
    took = sum(run.timings.values())
    told = problems or f"{len(passages)} passages in {took:.0f} ms"
    yield Finding("search", "bad" if problems else "ok", told)
    if told := await languages.unfit(bot.database, bot.plugins.manager):
        yield Finding("languages", "note", told)


async def _queue(connection: Connection) -> AsyncIterator[Finding]:
    from bot.indexing.rebuild import PAUSED

    cursor = await connection.execute(QUERIES["queue"], {"dead": DEAD, "paused": PAUSED})
    ((waiting, stalled, failed, workers),) = await cursor.fetchall()
    if stalled and workers:
        yield Finding(
            "queue", "note", f"{stalled} jobs are of workers that died; the others take them over"
        )
    elif stalled or (waiting and not workers):
        yield Finding(
            "queue", "bad", f"{waiting + stalled} jobs wait and no worker lives; run `bot worker`"
        )
    else:
        yield Finding("queue", "ok", f"{waiting} jobs wait, {workers} workers live")
    if failed:
        yield Finding(
            "queue",
            "note",
            f"{failed} jobs have failed in the last four weeks; see the workers' logs",
        )


def _part(error: BotError) -> str:
    from bot.errors import ConfigError, DatabaseError, SchemaError

    parts = {ConfigError: "configuration", SchemaError: "schema", DatabaseError: "database"}
    return next((part for kind, part in parts.items() if isinstance(error, kind)), "bot")
