"""`bot plugins install` and `uninstall`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.session import Session, guarded

if TYPE_CHECKING:
    from bot.installing.steps import Plan


@click.command(epilog="Example: bot plugins install domainbot-wikipedia")
@click.argument("target", metavar="NAME|PATH|GIT-URL|WHEEL")
@click.option("--upgrade", is_flag=True, help="Take a newer version than the installed one.")
@click.option(
    "--offline",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Use this folder of wheels and no package index.",
)
@click.option("--yes", is_flag=True, help="Agree to everything.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def install(
    session: Session, target: str, upgrade: bool, offline: Path | None, yes: bool, as_json: bool
) -> None:
    """Install a plugin: resolved against what is installed, shown, tried, and only then enabled.

    Whatever goes wrong, nothing is changed. Wheels only, unless TARGET is a folder or a git URL:
    building one runs its code. The trial is a check, not a sandbox.
    """
    from bot.cli.output import dumps
    from bot.installing.steps import builds, carry_out, planned
    from bot.installing.tools import tool
    from bot.text import printable

    def work() -> None:
        if builds(target) and not yes:
            click.confirm(
                printable(f"Building {target} runs its code. Build it?"), abort=True, err=True
            )
        chosen = tool(offline)
        with planned(target, chosen, upgrade=upgrade) as plan:
            rows = _rows(plan)
            if not as_json:
                _print(rows)
            if not yes:
                click.confirm("Install?", abort=True, err=True)
            carry_out(plan, chosen, session.environ, lambda text: click.echo(text, err=True))
            _enable(session, plan.plugins)
            if as_json:
                click.echo(dumps({"installed": rows, "plugins": plan.plugins}))
            else:
                click.echo(printable(f"{', '.join(plan.plugins)}: installed and enabled."))

    raise SystemExit(guarded(session, work))


@click.command(epilog="Example: bot plugins uninstall wikipedia")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def uninstall(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Remove a plugin; say first what still needs it, and what happens to its tables."""
    from bot.cli.output import dumps
    from bot.installing import removing
    from bot.installing.tools import tool
    from bot.text import printable

    def work() -> None:
        found = removing.look(name, session.settings(deferred=True), session.environ)
        if not as_json:
            for text in found.warnings:
                click.echo(printable(text))
        if not yes:
            click.confirm(
                printable(f"Remove {found.distribution} {found.version}?"), abort=True, err=True
            )
        removing.remove(found, tool(None))
        if as_json:
            click.echo(dumps({"removed": found.distribution, "warnings": found.warnings}))
        else:
            click.echo(printable(f"{found.distribution} {found.version} is removed."))

    raise SystemExit(guarded(session, work))


def _rows(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "name": wheel.name,
            "version": wheel.version,
            "instead_of": plan.before.get(wheel.name),
            "licence": wheel.licence,
            "plugins": list(wheel.plugins),
            "hooks": list(wheel.hooks) if wheel.plugins else [],
            "migrations": list(wheel.migrations) if wheel.plugins else [],
        }
        for wheel in plan.wheels
    ]


def _print(rows: list[dict[str, Any]]) -> None:
    from bot.text import printable

    for row in rows:
        instead = f" instead of {row['instead_of']}" if row["instead_of"] else ""
        licence = f" (licence: {row['licence']})"
        click.echo(printable(f"{row['name']} {row['version']}{instead}{licence}"))
        if row["plugins"]:
            click.echo(printable(f"  hooks: {', '.join(row['hooks']) or 'none that can be read'}"))
            changes = ", ".join(row["migrations"]) or "none"
            click.echo(printable(f"  changes to the database: {changes}"))


def _enable(session: Session, plugins: list[str]) -> None:
    """Take them back, had they been disabled or in quarantine."""
    from bot.assembly import home
    from bot.quarantine import Quarantine
    from bot.settings import switch_plugin

    settings = session.settings(deferred=True)
    kept = Quarantine(home(settings, session.environ) / "plugins.json")
    for name in plugins:
        kept.release(name)
        if session.config_path is not None:
            switch_plugin(session.config_path, name, off=False)
