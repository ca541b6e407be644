"""`bot serve`: the channels of bot.toml."""

from __future__ import annotations

import logging

import click

from bot.cli.session import Session, asynchronous


@click.command(epilog="Example: bot serve")
@asynchronous
async def command(session: Session) -> int:
    """Serve the channels of bot.toml until Ctrl-C.

    The turns in flight are finished first.
    """
    if not session.debug:
        logging.getLogger().setLevel(logging.ERROR)  # nobody else would hear of it
    async with session.bot() as bot:
        await bot.serve()
    return 0
