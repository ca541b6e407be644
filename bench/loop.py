"""The loop's own time a turn: retriever and generator answer at once.

    python bench/loop.py

"calls alone" awaits the same two plugins directly: what a loop could cost at the least. Each turn
is asked once more without being recorded: the first of the two round trips runs beside the search,
so that its processor time would count as the loop's. Beside the medians stands the least of all
turns, which other programs on the machine disturb the least.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from table import show

from bot import EVERYONE, Bot, Delta, Passage, Prompt, Turn, hookimpl, record, settings
from bot.plugins import Plugins

TURNS = 500
WORDS = 50  # pieces that the generator streams
PASSAGES = [
    Passage(
        id=str(n),
        text=f"Passage {n} says that the answer is {n}. " * 8,
        title=f"Title {n}",
        readers=frozenset({EVERYONE}),
        score=1 / (n + 1),
    )
    for n in range(8)
]


class Instant:
    """A retriever and a generator that take no time."""

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        return PASSAGES

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:
        for word in range(WORDS):
            yield Delta(text=f"word{word} [1]. " if word % 10 == 9 else f"word{word} ")


def main() -> None:
    logging.disable()
    asyncio.run(measure())


async def measure() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as home:
        async with bot(Path(home)) as ready:
            rows = await times(ready)
    title = f"one turn, 8 passages, {WORDS} pieces of text, {TURNS} times"
    show(title, ("part", "median ms", "least ms", "processor, median ms"), rows)


def bot(folder: Path) -> Bot:
    """A bot with the two instant plugins, and no other."""
    environ = {"BOT_PLUGINS": "", "BOT_HOME": str(folder)}
    environ["BOT_ASSISTANTS__DEFAULT__RETRIEVERS"] = '["instant"]'
    environ["BOT_ASSISTANTS__DEFAULT__GENERATOR"] = "instant"
    plugins = Plugins()
    plugins.register(Instant(), "instant")
    return Bot(settings.read(None, environ), plugins=plugins, environ=environ)


async def times(ready: Bot) -> list[tuple[object, ...]]:
    instant, turn = Instant(), Turn(id="bench", question="What?")
    prompt = Prompt(messages=(), passages=(), question="What?")

    async def alone() -> None:
        await instant.bot_retrieve(turn)
        async for _ in instant.bot_generate(turn, prompt):
            pass

    async def whole() -> None:
        async for _ in ready.reply("What is the answer?"):
            pass

    async def unrecorded() -> None:
        with patch.multiple(record, start=_nothing, finish=_nothing):
            await whole()

    parts = {"calls alone": alone, "whole turn": whole, "whole turn, unrecorded": unrecorded}
    taken: dict[str, list[float]] = {part: [] for part in parts}
    used: dict[str, list[float]] = {part: [] for part in parts}
    for number in range(-20, TURNS):  # the first ones warm up
        for part, run in parts.items():
            started, began = time.perf_counter(), time.process_time()
            await run()
            if number >= 0:
                taken[part].append((time.perf_counter() - started) * 1000)
                used[part].append((time.process_time() - began) * 1000)
    rows = {
        part: np.array([np.median(took), min(took), np.median(used[part])])
        for part, took in taken.items()
    }
    rows["recording"] = rows["whole turn"] - rows["whole turn, unrecorded"]
    rows["the loop itself"] = rows["whole turn, unrecorded"] - rows["calls alone"]
    return [(part, *row.tolist()) for part, row in rows.items()]


async def _nothing(*_: object) -> None:
    pass


if __name__ == "__main__":
    main()
