"""`bot db`: the database and its schema."""

from __future__ import annotations

import click

from bot.cli.session import Session, asynchronous


@click.group(epilog="Example: bot db status")
def command() -> None:
    """Look after the database."""


@command.command(epilog="Example: bot db status --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def status(session: Session, as_json: bool) -> int:
    """Show whether the database can be reached and fits this version; exits with 1 if not."""
    from bot import schema
    from bot.app import database_of, home
    from bot.cli.output import print_rows

    settings = session.settings()
    database = database_of(settings, home(settings, session.environ))
    try:
        await database.open()
        async with database.connection() as connection:
            found = await schema.state(connection, [schema.core_migrations()])
            about = await (await connection.execute(schema.SERVER)).fetchone()
    finally:
        await database.close()
    assert about is not None
    row = {
        "server": "embedded" if database.server else "database_url",
        "postgresql": about[0],
        "pgvector": about[1] or "not installed",
        "size": about[2],
        "schema": "current" if found.current else "newer" if found.unknown else "to upgrade",
    }
    print_rows([row], as_json=as_json, empty="")
    return 0 if found.current else 1


@command.command(epilog="Example: bot db upgrade")
@asynchronous
async def upgrade(session: Session) -> int:
    """Bring the schema up to date. Every command does so by itself; this one does nothing else."""
    from bot import schema
    from bot.app import database_of, home

    settings = session.settings()
    database = database_of(settings, home(settings, session.environ))
    try:
        await database.open()
        await schema.ensure(database, [schema.core_migrations()])
    finally:
        await database.close()
    click.echo("The schema is up to date.")
    return 0
