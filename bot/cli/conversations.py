"""`bot conversations`: what was said, and forgetting it."""

from __future__ import annotations

from datetime import datetime

import click

from bot.cli.session import Session, asynchronous

WHO = click.option("--user", metavar="ID", help="Only this person, as the channel names them.")
WHERE = click.option(
    "--channel", metavar="NAME", help="Only here: slack, terminal, or a Slack channel by its id."
)


@click.group(epilog="Example: bot conversations list --json")
def command() -> None:
    """Look at conversations, and forget them."""


@command.command("list", epilog="Example: bot conversations list --channel slack")
@WHO
@WHERE
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def list_(
    session: Session, user: str | None, channel: str | None, limit: int, as_json: bool
) -> int:
    """List the newest conversations."""
    from bot import retention
    from bot.cli.output import print_rows

    async with session.bot() as bot:
        rows = await retention.conversations(bot.database, user=user, channel=channel, limit=limit)
    print_rows(rows, as_json=as_json, empty="There is no conversation yet.")
    return 0


@command.command(epilog="Example: bot conversations show 12")
@click.argument("conversation")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def show(session: Session, conversation: str, as_json: bool) -> int:
    """Show what was said in a conversation.

    CONVERSATION is the number or the key that `bot conversations list` prints.
    """
    from bot import retention
    from bot.cli.output import dumps
    from bot.text import printable

    async with session.bot() as bot:
        said = await retention.messages(bot.database, conversation)
    if as_json:
        click.echo(dumps(said, indent=2))
        return 0
    for one in said:
        who = one["author"] or ("the bot" if one["role"] == "assistant" else "the asker")
        turn = f" · turn {one['turn']}" if one["turn"] else ""
        click.secho(printable(f"{one['at']:%Y-%m-%d %H:%M} {who}{turn}"), bold=True)
        click.echo(printable(one["text"]))
    return 0


@command.command(epilog="Example: bot conversations purge --user U024BE7LH --yes")
@WHO
@WHERE
@click.option("--before", type=click.DateTime(), help="Only what was said before this date.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def purge(
    session: Session,
    user: str | None,
    channel: str | None,
    before: datetime | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Delete questions, answers and what was recorded of them, for good.

    Give at least one of --user, --channel and --before; several together narrow it down. What
    stands in Slack itself stays there.
    """
    from bot import retention
    from bot.cli.confirming import confirmed
    from bot.cli.output import dumps
    from bot.errors import UsageError

    if user is None and channel is None and before is None:
        raise UsageError("Say what to delete: --user, --channel or --before.")
    async with session.bot() as bot:
        if not await confirmed("Delete them for good?", yes, done="deleted"):
            return 1
        gone = await retention.purge(
            bot.database,
            user=user,
            channel=channel,
            before=before.astimezone() if before else None,
        )
    click.echo(dumps({"messages": gone}) if as_json else f"{gone} messages are deleted.")
    return 0
