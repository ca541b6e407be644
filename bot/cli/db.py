"""`bot db`: the database, its schema, its backups."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.database import Database
    from bot.settings import Settings

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(epilog="Example: bot db status")
def command() -> None:
    """Look after the database."""


@command.command(epilog="Example: bot db status --json")
@_json
@asynchronous
async def status(session: Session, as_json: bool) -> int:
    """Show whether the database can be reached and fits this version; exits with 1 if not.

    Each migration, the bot's own and the plugins', is applied, missing, unknown to this version, or
    foreign: of a plugin that is not installed here.
    """
    from bot import schema
    from bot.cli.output import dumps, print_rows

    settings = session.settings()
    folders = _folders(session, settings)
    async with _database(session, settings) as database, database.connection() as connection:
        history = await schema.history(connection, folders)
        about = await (await connection.execute(schema.SERVER)).fetchone()
    assert about is not None
    states = {one.state for one in history}
    row = {
        "server": "embedded" if database.server else "database_url",
        "postgresql": about[0],
        "pgvector": about[1] or "not installed",
        "size": about[2],
        "schema": "newer" if "unknown" in states else "to upgrade" if "missing" in states
        else "current",
    }  # fmt: skip
    migrations = [
        {"distribution": one.distribution, "migration": one.id, "state": one.state}
        for one in history
    ]
    if as_json:
        click.echo(dumps({**row, "migrations": migrations}, indent=2))
    else:
        print_rows([row], as_json=False, empty="")
        click.echo()
        print_rows(migrations, as_json=False, empty="")
    return int(row["schema"] != "current")


@command.command(epilog="Example: bot db upgrade  ·  bot db upgrade --server")
@click.option("--server", "server", is_flag=True,
              help="Bring the embedded PostgreSQL to its newest major version first.")  # fmt: skip
@_json
@asynchronous
async def upgrade(session: Session, server: bool, as_json: bool) -> int:
    """Bring the schema up to date, the bot's own and the plugins'.

    Commands that answer or index do so by themselves; this one does nothing else. With --server the
    data of an embedded PostgreSQL of an older major version is carried over to the newest one by a
    backup and a restore. The old data is kept beside it.
    """
    from bot import schema
    from bot.cli.output import dumps

    settings = session.settings()
    folders = _folders(session, settings)
    moved = await _upgrade_server(session, settings) if server else {}
    async with _database(session, settings) as database:
        async with database.connection() as connection:
            before = await schema.state(connection, folders)
        await schema.ensure(database, folders)
    if as_json:
        click.echo(dumps({"applied": before.missing, **moved}))
        return 0
    for name in before.missing:
        click.echo(f"{name} is applied.")
    click.echo("The schema is up to date.")
    return 0


@command.command(epilog="Example: bot db backup bot.dump")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Replace FILE without asking.")
@_json
@asynchronous
async def backup(session: Session, file: Path, yes: bool, as_json: bool) -> int:
    """Write everything that the database holds into FILE, while the bot may be running.

    Documents' text, indexes, conversations, feedback, the golden set; not bot.toml. FILE holds what
    people asked: keep it like the database.
    """
    from bot.backup import backup as write
    from bot.cli.confirming import confirmed
    from bot.cli.output import dumps

    there = os.path.lexists(file)  # noqa: ASYNC240 - before anything else runs
    if there and not await confirmed(f"Replace {file}?", yes):
        return 1
    async with _database(session, session.settings()) as database:
        with _shown() as told:
            size = await write(database, file, lambda size: told(f"{size / 1e6:.1f} MB"))
    if as_json:
        click.echo(dumps({"file": str(file), "bytes": size}))
    else:
        click.echo(f"{file}: {size / 1e6:.1f} MB.")
    return 0


@command.command(epilog="Example: bot db restore bot.dump --yes")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Give up what the database holds now.")
@_yes
@_json
@asynchronous
async def restore(session: Session, file: Path, replace: bool, yes: bool, as_json: bool) -> int:
    """Make the database what FILE holds: all of it, or nothing.

    Restoring runs the SQL that stands in FILE, as the database's user: restore only a file that you
    trust. The database must be empty, unless --replace gives up what it holds.
    """
    from bot.backup import inspect
    from bot.backup import restore as load
    from bot.cli.confirming import confirmed
    from bot.cli.output import dumps
    from bot.text import printable

    settings = session.settings()
    folders = _folders(session, settings)
    archive = await inspect(file)
    created, server = printable(archive.created), printable(archive.server)
    click.echo(
        f"{file} was made at {created} from PostgreSQL {server}. Restoring runs the SQL in it; go "
        "on only if you trust it.",
        err=True,
    )
    question = "Replace everything in the database by it?" if replace else "Restore it?"
    if not await confirmed(question, yes):
        return 1
    async with _database(session, settings) as database:
        with _shown() as told:
            await load(database, archive, folders, replace=replace, told=told)
    if as_json:
        click.echo(dumps({"file": str(file), "created": created, "postgresql": server}))
    else:
        click.echo(f"{file} is restored.")
    return 0


async def _upgrade_server(session: Session, settings: Settings) -> dict[str, str]:
    """Upgrade the embedded server; return what --json tells of it."""
    from bot.assembly import home
    from bot.embedded.upgrade import upgrade
    from bot.errors import UsageError

    if settings.database_url is not None:
        raise UsageError(
            "The server at `database_url` is upgraded with its own tools; --server is for the "
            "embedded one."
        )
    with _shown() as told:
        found = await upgrade(home(settings, session.environ), told)
    if found is None:
        click.echo("The embedded PostgreSQL is the newest.", err=True)
        return {}
    click.echo(
        f"PostgreSQL {found.old} became {found.new}. The old data is kept in {found.kept}; "
        "remove it when all is well.",
        err=True,
    )
    return {"from": str(found.old), "to": str(found.new), "kept": str(found.kept)}


def _folders(session: Session, settings: Settings) -> list[Path]:
    """The bot's migrations and the plugins'; a plugin that fails is named and left out."""
    from bot import schema
    from bot.assembly import installed
    from bot.text import printable

    plugins = installed(settings, session.environ)
    folders = [schema.core_migrations(), *plugins.migrations()]
    for loaded in plugins.loaded:
        if loaded.error:
            click.secho(f"Warning: {printable(loaded.error)}.", err=True, fg="yellow")
    return folders


@asynccontextmanager
async def _database(session: Session, settings: Settings) -> AsyncIterator[Database]:
    """The database alone: no command here needs a configuration without mistakes."""
    from bot.assembly import database_of, home

    database = database_of(settings, home(settings, session.environ))
    try:
        await database.open()
        yield database
    finally:
        await database.close()


@contextmanager
def _shown() -> Iterator[Callable[[str], None]]:
    """How far it is, on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True, markup=False).status("Working") as line:
        yield lambda text: line.update(text)
