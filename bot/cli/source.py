"""`bot source`: where documents come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from bot.cli.session import Session, asynchronous, guarded


@click.group(epilog="Example: bot source add handbook ./docs")
def command() -> None:
    """Say where documents come from."""


@command.command(
    epilog="Example: bot source add handbook ./docs  ·  "
    "bot source add wages ./wages.jsonl --readers alice@example.com  ·  "
    "bot source add manual https://docs.example.com/sitemap.xml"
)
@click.argument("name")
@click.argument("place", metavar="PATH|URL")
@click.option("--type", "type_", help="folder, file, jsonl, web, git, …; guessed from the place.")
@click.option("--readers", multiple=True, metavar="PRINCIPAL",
              help="Who may read it; everyone, unless told.")  # fmt: skip
@click.option("--url", help="Where people find it: links become this and the path.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def add(
    session: Session,
    name: str,
    place: str,
    type_: str | None,
    readers: tuple[str, ...],
    url: str | None,
    as_json: bool,
) -> None:
    """Add a source to bot.toml (made when there is none).

    The place is a folder, a file, a JSONL file with one document a line, a web page, a sitemap
    (`…sitemap….xml`) or a git repository (`….git`). `bot reindex` reads it.
    """
    from bot.cli.output import print_result
    from bot.errors import ConfigError, UsageError
    from bot.settings import add_source, remove_source

    def work() -> None:
        config = session.config_path or Path("bot.toml")
        table = _table(place, type_, config)
        if readers:
            table["readers"] = list(readers)
        if url:
            table["url"] = url
        existed = config.exists()
        add_source(config, name, table)
        try:
            replace(session, environ={**session.environ, "BOT_CONFIG": str(config)}).bot().check()
        except ConfigError as error:
            if f" sources.{name}." in str(error):
                remove_source(config, name)
                if not existed:
                    config.unlink()
                raise UsageError(f"Nothing was added. {error}") from None
        told = f"{name} is in {config} now; `bot reindex` reads it."
        print_result(told, as_json=as_json, name=name, config=str(config), **table)

    raise SystemExit(guarded(session, work))


@command.command("list", epilog="Example: bot source list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def list_(session: Session, as_json: bool) -> int:
    """List the sources, and what the index holds of them."""
    from psycopg.rows import dict_row

    from bot.cli.output import print_rows
    from bot.indexing.ledger import QUERIES

    async with session.bot() as bot:
        async with bot.database.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(QUERIES["sources"])
            indexed = {row["name"]: row for row in await cursor.fetchall()}
        rows = [
            {
                "name": name,
                "type": bot.settings.sources[name].type
                if name in bot.settings.sources
                else "not in bot.toml",
                "readers": bot.settings.sources[name].readers
                if name in bot.settings.sources
                else None,
                "documents": indexed[name]["documents"] if name in indexed else 0,
                "unreadable": indexed[name]["unreadable"] if name in indexed else 0,
                "synced": indexed[name]["synced_at"] if name in indexed else None,
            }
            for name in dict.fromkeys([*bot.settings.sources, *indexed])
        ]
    print_rows(rows, as_json=as_json, empty="There is no source; add one: bot source add NAME PATH")
    return 0


@command.command(epilog="Example: bot source remove handbook --yes")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def remove(session: Session, name: str, yes: bool, as_json: bool) -> int:
    """Remove a source: from bot.toml, and its documents from the index."""
    from bot.cli.confirming import confirmed
    from bot.cli.output import print_result
    from bot.settings import remove_source

    async with session.bot() as bot:
        documents = await bot.indexer.count_documents(name)
        question = f"Remove {name} and its {documents} documents?"
        if not await confirmed(question, yes, done="removed"):
            return 1
        if name in bot.settings.sources and bot.settings.path is not None:
            remove_source(bot.settings.path, name)
        await bot.indexer.forget(name)
    print_result(f"{name} is removed.", as_json=as_json, name=name, documents=documents)
    return 0


def _table(place: str, type_: str | None, config: Path) -> dict[str, object]:
    """Write a source's table for a path or an address.

    Raises:
        UsageError: there is nothing at the path.
    """
    from bot.errors import UsageError
    from bot.indexing.builtin import guess_remote, guess_type

    guessed = guess_remote(place)
    if (type_ or guessed) == "git":
        return {"type": "git", "repository": place if guessed else _relative(Path(place), config)}
    if guessed:
        listed = "sitemaps" if _is_sitemap(place) else "urls"
        return {"type": type_ or guessed, listed: [place]}
    path = Path(place)
    if not path.exists():
        raise UsageError(f"There is nothing at {path}; give a folder, a file or an address.")
    return {"type": type_ or guess_type(path), "path": _relative(path, config)}


def _is_sitemap(url: str) -> bool:
    name = url.partition("?")[0].rpartition("/")[2].lower()
    return "sitemap" in name and name.endswith((".xml", ".xml.gz", ".txt"))


def _relative(path: Path, config: Path) -> str:
    """Write the path as seen from bot.toml when it is below it, else in full."""
    base = config.resolve().parent
    whole = path.resolve()
    return str(whole.relative_to(base)) if whole.is_relative_to(base) else str(whole)
