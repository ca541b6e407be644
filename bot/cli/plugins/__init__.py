"""`bot plugins`: which plugins are here, and which are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.plugins.new import new
from bot.cli.session import Session, guarded

if TYPE_CHECKING:
    from bot.plugins import Loaded


@click.group(epilog="Example: bot plugins list")
def command() -> None:
    """See which plugins are here and which are broken."""


command.add_command(new)


@command.command("list", epilog="Example: bot plugins list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the installed plugins with their hooks, components and state."""
    from bot.app import installed
    from bot.cli.output import print_rows

    def work() -> None:
        plugins = installed(session.settings(), session.environ)
        rows = [
            {
                "name": loaded.name,
                "version": loaded.version,
                "state": _state(loaded),
                "components": plugins.offers(loaded.name),
                "hooks": plugins.hooks(loaded.name),
                "load_ms": round(loaded.seconds * 1000, 1),
            }
            for loaded in plugins.loaded
        ]
        print_rows(rows, as_json=as_json, empty="No plugin is installed.")

    raise SystemExit(guarded(session, work))


@command.command(epilog="Example: bot plugins doctor")
@click.pass_obj
def doctor(session: Session) -> None:
    """Load every plugin and say what is wrong with it; exits with 1 when something is."""
    from bot.app import installed
    from bot.text import printable

    def work() -> int:
        broken = 0
        plugins = installed(session.settings(), session.environ)
        plugins.migrations()
        for loaded in plugins.loaded:
            state = _state(loaded)
            colour = {"works": "green", "disabled": "yellow"}.get(state, "red")
            click.secho(f"{state:>8}  ", fg=colour, nl=False)
            click.echo(printable(f"{loaded.name} {loaded.version}  {loaded.error}".rstrip()))
            broken += bool(loaded.error)
        return int(broken > 0)

    raise SystemExit(guarded(session, work))


def _state(loaded: Loaded) -> str:
    return "broken" if loaded.error else "disabled" if loaded.disabled else "works"
