"""Where bot.toml and the live index version differ: the version goes by what it was built with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bot.errors import BotError
from bot.indexing import versions

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.plugins import Kind

INDEX = {
    "vectors": "single",
    "headings": True,
}  # of versions that were built before there was a choice


async def drift(bot: Bot) -> list[str]:
    """Tell where `[index]` is not what the live version was built with, one sentence each.

    Raises:
        PluginError: no plugin offers what `[index]` asks for.
    """
    live = await versions.live(bot.database)
    if live is None:
        return []
    wanted, there = bot.indexer.wanted(), live.settings
    kinds: tuple[Kind, ...] = ("embedder", "splitter")
    told = [
        each for kind in kinds for each in _component(bot, kind, wanted[kind], there.get(kind, {}))
    ]
    told += _options("index", wanted["index"], INDEX | there.get("index", {}))
    how = "`bot reindex --rebuild` builds one as bot.toml says"
    return [f"{one} in index version {live.id}; {how}." for one in told]


async def looked_for(bot: Bot) -> list[str]:
    """The same for a bot that is not open; nothing, when there is no index to look at.

    Raises:
        BotError: the database cannot be reached.
    """
    if bot.database.server is not None and not (bot.home / "postgresql").is_dir():
        return []  # it would be made
    async with bot:
        return await drift(bot)


def _component(
    bot: Bot, kind: Kind, wanted: Mapping[str, Any], there: Mapping[str, Any]
) -> list[str]:
    if wanted["type"] != there.get("type"):
        return [f"The {kind} of [index] is {wanted['type']!r}, and {there.get('type')!r}"]
    options = there.get("options", {})
    factory = bot.plugins.component(kind, wanted["type"])
    if factory is not None:
        with suppress(ValueError, BotError):  # what has been given a default since counts as that
            options = factory.settings.model_validate(options).model_dump(mode="json")
    return _options(kind, wanted["options"], options)


def _options(part: str, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    return [
        f"{part}.{key} is {wanted.get(key)!r} in bot.toml, and {there.get(key)!r}"
        for key in {**wanted, **there}
        if wanted.get(key) != there.get(key)
    ]
