"""`bot adapters`: the registry of adapters."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.session import Session, asynchronous


@click.group(epilog="Example: bot adapters promote finance 3")
def adapters() -> None:
    """Keep adapters, and say which version answers."""


@adapters.command("list", epilog="Example: bot adapters list --json")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@asynchronous
async def list_(session: Session, as_json: bool) -> None:
    """List the adapters and their versions."""
    from bot.cli.output import print_rows
    from bot_transformers import registry

    async with session.bot() as bot:
        rows = [registry.as_json(one) for one in await registry.listed(bot.database)]
    if not as_json:
        rows = [{key: row[key] for key in list(row)[:8]} for row in rows]
    empty = "There is no adapter; `bot adapters add` registers one."
    print_rows(rows, as_json=as_json, empty=empty)


@adapters.command(epilog="Example: bot adapters add finance out/finance --base Qwen/Qwen3-0.6B")
@click.argument("name")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--base", required=True, metavar="MODEL", help="What it was trained over.")
@click.option("--readers", multiple=True, metavar="PRINCIPAL",
              help="Who may read what it was trained on; everyone, unless given.")  # fmt: skip
@click.option("--note", default="", help="What it is good for.")
@asynchronous
async def add(
    session: Session, name: str, folder: Path, base: str, readers: tuple[str, ...], note: str
) -> None:
    """Register an adapter in PEFT's format as a further version of NAME.

    The first version of a name is live at once; promote the others.
    """
    from bot.errors import UsageError
    from bot.settings import principal
    from bot_transformers import registry

    try:
        allowed = [principal(one) for one in readers] or ["everyone"]
    except ValueError as error:
        raise UsageError(f"--readers {error}.") from None
    async with session.bot() as bot:
        version = await registry.add(
            bot.database, name, folder, _placed(base), readers=allowed, note=note
        )  # fmt: skip
    click.echo(f"{name} {version} is registered.")


@adapters.command(epilog="Example: bot adapters promote finance 3")
@click.argument("name")
@click.argument("version", type=int)
@asynchronous
async def promote(session: Session, name: str, version: int) -> None:
    """Let VERSION of NAME answer, from the next question on."""
    from bot_transformers import registry

    async with session.bot() as bot:
        await registry.promote(bot.database, name, version)
    click.echo(f"{name} {version} is live.")


@adapters.command(epilog="Example: bot adapters rollback finance")
@click.argument("name")
@asynchronous
async def rollback(session: Session, name: str) -> None:
    """Go back to the version of NAME that was live before."""
    from bot_transformers import registry

    async with session.bot() as bot:
        version = await registry.rollback(bot.database, name)
    click.echo(f"{name} {version} is live again.")


@adapters.command(epilog="Example: bot adapters drop finance 2 --yes")
@click.argument("name")
@click.argument("version", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
@asynchronous
async def drop(session: Session, name: str, version: int, yes: bool) -> None:
    """Delete VERSION of NAME with its files."""
    from bot_transformers import registry

    if not yes:
        click.confirm(f"Delete {name} {version} for good?", abort=True)
    async with session.bot() as bot:
        await registry.drop(bot.database, name, version)
    click.echo(f"{name} {version} is deleted.")


def _placed(base: str) -> str:
    """A folder's whole path; any other name as it is."""
    place = Path(base).expanduser()
    return str(place.absolute()) if place.is_dir() else base
