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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def command(session: Session, verdict: str, turn_id: str, comment: str, as_json: bool) -> int:
    """Say what you think of an answer.

    TURN_ID stands below each answer. Your second opinion replaces your first.
    """
    from bot.cli.output import print_result

    async with session.bot() as bot:
        await bot.feedback(turn_id, verdict == "good", author=_author(), comment=comment)
    print_result("Thank you; it is recorded.", as_json=as_json, turn=turn_id, verdict=verdict)
    return 0


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return ""
