"""`bot chat`: the terminal channel."""

from __future__ import annotations

import click

from bot.cli.session import Session, asynchronous


@click.command(epilog='Example: bot chat  ·  echo "How do I log in?" | bot chat')
@click.option("--assistant", default="default", show_default=True, help="Who answers.")
@click.option("--as", "principals", multiple=True, metavar="PRINCIPAL",
              help="Ask as somebody: an e-mail address, group:NAME, …")  # fmt: skip
@asynchronous
async def command(session: Session, assistant: str, principals: tuple[str, ...]) -> int:
    """Talk in the terminal.

    Questions are read from the keyboard, or one a line from a pipe. Ctrl-C stops an answer,
    Ctrl-D ends the conversation.
    """
    async with session.bot() as bot:
        await bot.serve_one("terminal", {"assistant": assistant, "principals": principals})
    return 0
