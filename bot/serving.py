"""Serving channels: each on its own, so that one that fails does not take the others along.

A worker beside them answers what they store. It is stopped last, so that what has begun is
finished.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bot import dispatch
from bot.errors import PluginError

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.components import Components
    from bot.monitoring import Monitor

log = logging.getLogger(__name__)


async def serve_all(
    bot: Bot,
    names: Sequence[str],
    components: Components,
    concurrency: int = 0,
    monitor: Monitor | None = None,
) -> None:
    """Serve the named channels until cancelled, or until all of them have ended.

    Args:
        concurrency: how many conversations a worker beside them answers at once; 0 for no worker.
        monitor: is told what has failed.

    Raises:
        PluginError: none is left, and at least one of them has failed.
    """

    async def serve(name: str) -> str:
        try:
            await _serve(bot, await components.named("channel", name))
        except Exception as error:
            log.error("the channel %s has failed: %s", name, error, exc_info=error)
            if monitor is not None:
                monitor.failed(f"channel {name}", dispatch.describe(error))
            return str(error)
        return ""

    async with _working(bot, concurrency, monitor):
        failures = [error for error in await asyncio.gather(*map(serve, names)) if error]
    if failures:
        raise PluginError("Every channel has ended or failed: " + "; ".join(failures))


@asynccontextmanager
async def _working(bot: Bot, concurrency: int, monitor: Monitor | None) -> AsyncIterator[None]:
    """Answer many conversations at once, and do one job of any other kind."""
    from bot.worker import Worker, known_tasks

    if not concurrency:
        yield
        return
    queues = {task.queue for task in known_tasks(bot)}
    # A channel's tasks wait in a queue that is named as its type.
    answering = queues & {table.type for table in bot.settings.channels.values()}
    workers = [Worker(bot, queues=queues - answering, monitor=monitor)]
    if answering:
        own = Worker(bot, concurrency=concurrency, queues=answering, monitor=monitor)
        workers.append(own)
    running = [asyncio.create_task(worker.run()) for worker in workers]

    def ended(worker: asyncio.Task[None]) -> None:
        if not worker.cancelled() and (error := worker.exception()) is not None:
            log.error("the worker has failed: %s", dispatch.describe(error), exc_info=error)
            if monitor is not None:
                monitor.failed("worker", dispatch.describe(error))

    for one in running:
        one.add_done_callback(ended)
    try:
        yield
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def serve_one(
    bot: Bot, type_: str, options: Mapping[str, Any], components: Components
) -> None:
    """Serve one channel with these settings.

    Raises:
        PluginError: no plugin offers it.
    """
    factory = bot.plugins.component("channel", type_)
    if factory is None:
        raise PluginError(
            f"The channel {type_!r} is not installed; run `pip install domainbot-{type_}`."
        )
    settings = factory.settings.model_validate(options)
    await _serve(bot, await components.made("channel", type_, type_, settings))


async def _serve(bot: Bot, channel: str) -> None:
    found = dispatch.implementations(bot.plugins.manager, "bot_serve", {channel})
    if not found:
        raise PluginError(f"{channel} does not implement bot_serve.")
    # Called without a guard: a channel runs for days, and its cancellation must reach it.
    await found[0].function(bot=bot)
