"""`bot plugins enable` and `disable`: neither loads a plugin, so both always work."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.session import Session, guarded


@click.command(epilog="Example: bot plugins disable echo")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def disable(session: Session, name: str, as_json: bool) -> None:
    """Leave a plugin out from now on: bot.toml keeps its name under [plugins] disabled."""
    _switch(session, name, True, as_json)


@click.command(epilog="Example: bot plugins enable echo")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def enable(session: Session, name: str, as_json: bool) -> None:
    """Take a plugin back that was disabled, or that had failed too often."""
    _switch(session, name, False, as_json)


def _switch(session: Session, name: str, off: bool, as_json: bool) -> None:
    from bot.assembly import home
    from bot.cli.output import dumps
    from bot.errors import NotFound
    from bot.plugins import names
    from bot.quarantine import Quarantine
    from bot.settings import switch_plugin
    from bot.text import printable

    def work() -> None:
        settings = session.settings(deferred=True)
        if name not in names() and name not in settings.plugins.disabled:
            raise NotFound(f"There is no plugin {name!r}; `bot plugins list` shows them.")
        path = session.config_path or Path("bot.toml")
        changed = switch_plugin(path, name, off=off)
        kept = Quarantine(home(settings, session.environ) / "plugins.json")
        released = not off and kept.release(name)
        state = "disabled" if off else "enabled"
        if as_json:
            click.echo(dumps({"name": name, "state": state, "changed": changed or released}))
        elif changed or released:
            click.echo(printable(f"{name} is {state} from now on."))
        else:
            click.echo(printable(f"{name} is {state} already."))

    raise SystemExit(guarded(session, work))
