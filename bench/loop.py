"""The loop's own time a turn: retriever and generator answer at once.

    python bench/loop.py

"calls alone" awaits the same two plugins directly: what a loop could cost at the least. The
recording is the loop's two round trips to the database, shown apart.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from table import show

from bot import EVERYONE, Bot, Delta, Finished, Passage, Prompt, Turn, hookimpl, settings
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
    title = f"one turn, 8 passages, {WORDS} pieces of text: median of {TURNS}"
    show(title, ("part", "ms"), [(name, each) for name, each in rows.items()])


def bot(folder: Path) -> Bot:
    """A bot with the two instant plugins, and no other."""
    environ = {"BOT_PLUGINS": "", "BOT_HOME": str(folder)}
    environ["BOT_ASSISTANTS__DEFAULT__RETRIEVERS"] = '["instant"]'
    environ["BOT_ASSISTANTS__DEFAULT__GENERATOR"] = "instant"
    plugins = Plugins()
    plugins.register(Instant(), "instant")
    return Bot(settings.read(None, environ), plugins=plugins, environ=environ)


async def times(ready: Bot) -> dict[str, float]:
    instant, turn = Instant(), Turn(id="bench", question="What?")
    prompt = Prompt(messages=(), passages=(), question="What?")
    alone, whole, recorded = [], [], []
    for number in range(-20, TURNS):  # the first ones warm up
        started = time.perf_counter()
        await instant.bot_retrieve(turn)
        async for _ in instant.bot_generate(turn, prompt):
            pass
        middle = time.perf_counter()
        async for event in ready.reply("What is the answer?"):
            if isinstance(event, Finished):
                recording = event.answer.timings.get("record", 0.0)
        if number >= 0:
            alone.append((middle - started) * 1000)
            whole.append((time.perf_counter() - middle) * 1000)
            recorded.append(recording)
    median = statistics.median
    rows = {
        "calls alone": median(alone),
        "whole turn": median(whole),
        "of it, recording": median(recorded),
    }
    rows["the loop itself"] = rows["whole turn"] - rows["of it, recording"] - rows["calls alone"]
    return rows


if __name__ == "__main__":
    main()
