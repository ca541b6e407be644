"""`bot doctor`: everything that can be wrong, looked at in order."""

from __future__ import annotations

import click

from bot.cli.session import Session, asynchronous

_MARKS = {"ok": ("  ok  ", "green"), "bad": (" bad  ", "red"), "note": (" note ", "yellow")}


@click.command(epilog="Example: bot doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def command(session: Session, as_json: bool) -> int:
    """Find what is wrong: configuration, plugins, database, queue, index, and one search.

    It changes nothing, and exits with 1 when something is bad.
    """
    from dataclasses import asdict

    from bot.cli.output import dumps
    from bot.diagnosis import examine
    from bot.text import printable

    found = []
    async for finding in examine(session.bot()):
        found.append(finding)
        if not as_json:
            mark, colour = _MARKS[finding.state]
            click.secho(mark, fg=colour, nl=False)
            click.echo(printable(f"{finding.check}: {finding.says}"))
    if as_json:
        click.echo(dumps([asdict(finding) for finding in found], indent=2))
    return int(any(finding.state == "bad" for finding in found))
