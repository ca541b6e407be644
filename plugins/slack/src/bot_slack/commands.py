"""`bot slack`: what to tell Slack of the app, and whether all is well between the two."""

from __future__ import annotations

from typing import Literal

import click

from bot.cli.session import Session, asynchronous


@click.group(epilog="Example: bot slack manifest > manifest.json")
def group() -> None:
    """Set up the Slack app, and find what is wrong with it."""


@group.command(epilog="Example: bot slack manifest --mode http --url https://bot.example.com")
@click.option(
    "--mode",
    type=click.Choice(["socket", "http"]),
    default="socket",
    show_default=True,
    help="How Slack reaches the bot.",
)
@click.option("--url", metavar="URL", help="Where Slack reaches the bot, in mode http.")
@click.option("--name", default="domainbot", show_default=True, help="What people call it.")
@click.option("--command", default="/ask", show_default=True, help="Its slash command.")
def manifest(mode: Literal["socket", "http"], url: str | None, name: str, command: str) -> None:
    """Print the app's manifest, as JSON.

    Paste it at api.slack.com/apps under "Create New App", "From a manifest".
    """
    from bot.cli.output import dumps
    from bot_slack.manifest import manifest as made

    if mode == "http" and not url:
        raise click.UsageError("--mode http needs --url, where Slack reaches the bot.")
    if not command.startswith("/") or not command[1:].replace("-", "").replace("_", "").isalnum():
        raise click.UsageError("--command is a slash and a word, such as /ask.")
    given = {} if url is None else {"url": url}
    click.echo(dumps(made(mode, name=name, command=command, **given), indent=2))


@group.command(epilog="Example: bot slack doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def doctor(session: Session, as_json: bool) -> int:
    """Check tokens, scopes, events and the socket; say what to fix."""
    from bot.cli.output import dumps
    from bot.errors import UsageError
    from bot.text import printable
    from bot_slack.doctor import examine

    async with session.bot() as bot:
        names = [name for name, table in bot.settings.channels.items() if table.type == "slack"]
        if not names:
            raise UsageError(
                "bot.toml has no [channels.slack]; add it with bot_token and app_token."
            )
        findings = [finding for name in names for finding in await examine(bot, name)]
    if as_json:
        click.echo(
            dumps([{"check": f.check, "ok": f.ok, "says": f.says} for f in findings], indent=2)
        )
    else:
        for finding in findings:
            mark = click.style("ok  ", fg="green") if finding.ok else click.style("FIX ", fg="red")
            click.echo(f"{mark} {finding.check}: {printable(finding.says)}")
    return 0 if all(finding.ok for finding in findings) else 1
