"""`bot serve`: the channels of bot.toml, and a worker that answers for them."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

import click

from bot.cli import monitoring
from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.app import Bot


@click.command(epilog="Example: bot serve  ·  bot serve --no-worker")
@click.option("--no-worker", is_flag=True, help="Leave the answering to `bot worker` elsewhere.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=32,
    show_default=True,
    help="How many conversations to answer at once.",
)
@monitoring.option(9463)
@asynchronous
async def command(
    session: Session, no_worker: bool, concurrency: int, monitor: monitoring.Address | None
) -> int:
    """Serve the channels of bot.toml until Ctrl-C or SIGTERM, or until all of them have ended.

    The turns in flight are finished first.
    """
    serving = asyncio.current_task()
    assert serving is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    made = session.bot()
    if not session.debug:
        logging.getLogger().setLevel(logging.ERROR)
        for name in {table.type for table in made.settings.channels.values()}:
            _heard(made, name)
    async with made as bot, monitoring.watched(bot, monitor, 9463) as watching:
        await bot.serve(concurrency=0 if no_worker else concurrency, monitor=watching)
    return 0


def _heard(bot: Bot, channel: str) -> None:
    """Let a channel's own module log what goes on: nobody else would hear of it."""
    plugin = bot.plugins.manager.get_plugin(bot.plugins.offered_by("channel", channel))
    module = getattr(plugin, "__name__", type(plugin).__module__)
    logging.getLogger(module.partition(".")[0]).setLevel(logging.INFO)
