"""`bot worker`: do what is waiting in the queue."""

from __future__ import annotations

import logging

import click

from bot.cli import monitoring
from bot.cli.session import Session, asynchronous


@click.command(epilog="Example: bot worker  ·  bot worker --concurrency 4 --queue index")
@click.option("--concurrency", type=click.IntRange(1, 64), default=1, show_default=True,
              help="How many jobs at once.")  # fmt: skip
@click.option("--queue", "queues", multiple=True, metavar="NAME",
              help="Only jobs of this queue; may be given several times.")  # fmt: skip
@monitoring.option(9464)
@asynchronous
async def command(
    session: Session,
    concurrency: int,
    queues: tuple[str, ...],
    monitor: monitoring.Address | None,
) -> int:
    """Do what is waiting: batches of a rebuild, scheduled syncs, messages of channels.

    Run as many as you like, on every machine that reaches the database. Ctrl-C or SIGTERM lets it
    finish what it has begun; a second one leaves that to others. A worker that dies is noticed,
    and others do its work again, within ten seconds.
    """
    import asyncio
    import signal

    from bot.worker import Worker

    if not session.debug:  # nobody else tells what a worker that runs for months has met
        logging.getLogger().setLevel(logging.ERROR)
        logging.getLogger("bot").setLevel(logging.WARNING)
        for echo in ("procrastinate.worker.domainbot", "procrastinate.utils"):
            logging.getLogger(echo).setLevel(logging.CRITICAL)  # we say the same in a sentence
    async with session.bot() as bot, monitoring.watched(bot, monitor, 9464) as watching:
        worker = Worker(bot, concurrency=concurrency, queues=queues, monitor=watching)
        click.echo(f"Waiting for jobs in {', '.join(worker.queues)}; Ctrl-C ends it.", err=True)
        working = asyncio.create_task(worker.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
        try:
            await working
        except asyncio.CancelledError:
            click.echo("Stopped; nothing was left half-done.", err=True)
    return 0
