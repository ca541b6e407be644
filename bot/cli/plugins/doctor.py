"""`bot plugins doctor`: every plugin loaded and tried, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from bot.cli.plugins.listing import surveyed
from bot.cli.session import Session, guarded

_COLOURS = {"works": "green", "disabled": "yellow"}


@click.command(epilog="Example: bot plugins doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def doctor(session: Session, as_json: bool) -> None:
    """Load and try every plugin, and say what is wrong with it; exits with 1 when something is.

    Each is loaded in a process of its own. What it does in every turn is called as the bot would
    call it, with hostile questions too.
    """
    from bot.cli.output import dumps

    def work() -> int:
        rows = surveyed(session)
        found = [{"name": row["name"], "version": row["version"], "state": row["state"],
                  "problems": _problems(row, session.environ), "notes": row["notes"]}
                 for row in rows]  # fmt: skip
        for one in found:
            if one["problems"] and one["state"] == "works":
                one["state"] = "broken"
        if as_json:
            click.echo(dumps(found, indent=2))
        else:
            for one in found:
                _print(one)
        return int(any(one["problems"] for one in found))

    raise SystemExit(guarded(session, work))


def _problems(row: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    from bot.installing.trial import TRIED, tried

    if row["state"] == "disabled":
        return []
    problems = [row["error"], *row["troubles"]]
    if not row["error"] and TRIED & set(row["hooks"]):
        problems += tried(row["name"], environ, database=False)
    return [problem for problem in problems if problem]


def _print(one: Mapping[str, Any]) -> None:
    from bot.text import printable

    colour = _COLOURS.get(one["state"], "red")
    for problem in one["problems"] or [""]:
        click.secho(f"{one['state']:>8}  ", fg=colour, nl=False)
        click.echo(printable(f"{one['name']} {one['version']}  {problem}".rstrip()))
    for note in one["notes"]:
        click.echo(printable(f"    note  {one['name']}: {note}"))
