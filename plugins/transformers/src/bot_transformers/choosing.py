"""Which adapter answers a turn: the live one of the registry, or a folder as it is now."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from bot import Context, Turn
from bot.errors import GenerationError
from bot_transformers import registry, weights
from bot_transformers.checking import check_fits, misfit
from bot_transformers.generator import Choice, Choose, Name, folder_key
from bot_transformers.settings import LoraSettings

if TYPE_CHECKING:
    from bot_transformers.sharing import Shared

UNREAD = "The adapter was not used: it learned from what you may not read."
_MIB = 1 << 20


def adapted(settings: LoraSettings, context: Context) -> Choose:
    """Make what chooses the adapter of each turn.

    Raises:
        GenerationError: it is a folder that holds no adapter for this base.
    """
    if Path(settings.adapter).is_absolute():
        return _of_folder(settings, Path(settings.adapter))
    return _of_registry(settings, context)


def _of_folder(settings: LoraSettings, folder: Path) -> Choose:
    check_fits(folder, weights.locate(settings.base))

    async def choose(turn: Turn, shared: Shared) -> Choice:
        return await _loaded(settings, shared, folder_key(folder), folder)

    return choose


def _of_registry(settings: LoraSettings, context: Context) -> Choose:
    cache = context.home / "cache" / "adapters"

    async def choose(turn: Turn, shared: Shared) -> Choice:
        # Asked anew for each turn: a version that was promoted a moment ago answers.
        one = await registry.live(context.database, settings.adapter)
        if not turn.principals & set(one.readers):
            return Choice(notice=UNREAD)
        if one.base_sha256 != await asyncio.to_thread(shared.identity):
            raise misfit(Path(f"{one.name} {one.version}"), f"it is {one.base}")
        if one.sha256 in shared.loaded:
            return await _loaded(settings, shared, one.sha256, cache / one.sha256)
        folder = await registry.fetched(context.database, one, cache)
        return await _loaded(settings, shared, one.sha256, folder)

    return choose


def named(settings: LoraSettings, context: Context) -> Name:
    """Make what tells which adapter answers now: its version, or what a folder holds."""

    async def name() -> str:
        folder = Path(settings.adapter)
        if not folder.is_absolute():
            one = await registry.live(context.database, settings.adapter)
            return f"{one.name} {one.version}"
        return f"{folder.name} {sha256(folder_key(folder).encode()).hexdigest()[:8]}"

    return name


async def _loaded(settings: LoraSettings, shared: Shared, key: str, folder: Path) -> Choice:
    from bot_transformers.lora import read

    model = shared.engine.model
    if model is None:
        raise GenerationError("The base could not be loaded; see `bot doctor`.")
    room = settings.adapter_memory * _MIB
    adapter = await asyncio.to_thread(
        shared.adapter, key, room, lambda: read(folder, key, model)
    )  # fmt: skip
    return Choice(adapter)
