"""`bot feedback`: what people think of an answer."""

from __future__ import annotations

import getpass

import click

from bot.cli.session import Session, asynchronous


@click.command(
    epilog='Example: bot feedback good k3v9x2m7q8ab  ·  bot feedback bad k3v9x2m7q8ab -m "outdated"'
)
@click.argument("verdict", type=click.Choice(["good", "bad"]))
@click.argument("turn_id")
@click.option("-m", "--comment", default="", help="Why.")
@asynchronous
async def command(session: Session, verdict: str, turn_id: str, comment: str) -> int:
    """Say what you think of an answer.

    TURN_ID stands below each answer. Your second opinion replaces your first.
    """
    async with session.bot() as bot:
        await bot.feedback(turn_id, verdict == "good", author=_author(), comment=comment)
    click.echo("Thank you; it is recorded.")
    return 0


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return ""
