"""`bot plugins list` and `show`."""

from __future__ import annotations

from typing import Any

import click

from bot.cli.session import Session, guarded

_LISTED = ("name", "version", "state", "components", "hooks", "load_ms")


def surveyed(session: Session) -> list[dict[str, Any]]:
    """Look at all plugins, in a process of their own."""
    from bot.assembly import home
    from bot.installing.survey import survey

    settings = session.settings(deferred=True)
    return survey(session.environ, home(settings, session.environ))


@click.command("list", epilog="Example: bot plugins list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the installed plugins with their hooks, components and state."""
    from bot.cli.output import print_rows

    def work() -> None:
        rows = [{key: row[key] for key in _LISTED} for row in surveyed(session)]
        print_rows(rows, as_json=as_json, empty="No plugin is installed.")

    raise SystemExit(guarded(session, work))


@click.command(epilog="Example: bot plugins show pgvector")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(session: Session, name: str, as_json: bool) -> None:
    """Show one plugin: what it is, its settings with types and defaults, its hooks."""
    from bot.cli.output import dumps
    from bot.errors import NotFound

    def work() -> None:
        row = next((row for row in surveyed(session) if row["name"] == name), None)
        if row is None:
            raise NotFound(f"There is no plugin {name!r}; `bot plugins list` shows them.")
        if as_json:
            click.echo(dumps(row, indent=2))
        else:
            _print(row)

    raise SystemExit(guarded(session, work))


def _print(row: dict[str, Any]) -> None:
    from bot.text import printable

    def line(text: str, **style: Any) -> None:
        click.secho(printable(text), **style)

    line(f"{row['name']} {row['version']} ({row['state']})", bold=True)
    for text in (row["summary"], row["home_page"], row["error"], *row["troubles"], *row["notes"]):
        if text:
            line(f"  {text}")
    for title, settings in row["settings"].items():
        line(f"\n{title}", bold=True)
        for key, about in settings.items():
            default = "required" if about["required"] else f"default {about['default']}"
            line(f"  {key}: {about['type']}, {default}")
            if about["description"]:
                line(f"      {about['description']}")
    if row["hooks"]:
        line("\nhooks", bold=True)
        line("  " + ", ".join(row["hooks"]))
