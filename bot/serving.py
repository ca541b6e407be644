"""Serving channels: each on its own, so that one that fails does not take the others along."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot import dispatch
from bot.errors import PluginError

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.components import Components

log = logging.getLogger(__name__)


async def serve_all(bot: Bot, names: Sequence[str], components: Components) -> None:
    """Serve the named channels until cancelled.

    Raises:
        PluginError: all of them have failed.
    """

    async def serve(name: str) -> Exception:
        try:
            await _serve(bot, await components.named("channel", name))
        except Exception as error:
            log.error("the channel %s has failed: %s", name, error, exc_info=error)
            return error
        return PluginError(f"the channel {name} has ended")

    served = await asyncio.gather(*map(serve, names))
    raise PluginError("Every channel has failed: " + "; ".join(map(str, served)))


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
