"""The loop's own time a turn: retriever and generator answer at once.

    python bench/loop.py

"calls alone" awaits the same two plugins directly: what a loop could cost at the least. The
recording is the loop's two round trips to the database, shown apart. Beside the medians stands the
least of all turns, which other programs on the machine disturb the least, and the processor's time,
recording included.
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
    title = f"one turn, 8 passages, {WORDS} pieces of text, {TURNS} times"
    show(title, ("part", "median ms", "least ms"), rows)


def bot(folder: Path) -> Bot:
    """A bot with the two instant plugins, and no other."""
    environ = {"BOT_PLUGINS": "", "BOT_HOME": str(folder)}
    environ["BOT_ASSISTANTS__DEFAULT__RETRIEVERS"] = '["instant"]'
    environ["BOT_ASSISTANTS__DEFAULT__GENERATOR"] = "instant"
    plugins = Plugins()
    plugins.register(Instant(), "instant")
    return Bot(settings.read(None, environ), plugins=plugins, environ=environ)


async def times(ready: Bot) -> list[tuple[str, float, float]]:
    instant, turn = Instant(), Turn(id="bench", question="What?")
    prompt = Prompt(messages=(), passages=(), question="What?")
    taken: dict[str, list[float]] = {}
    for number in range(-20, TURNS):  # the first ones warm up
        started = time.perf_counter()
        await instant.bot_retrieve(turn)
        async for _ in instant.bot_generate(turn, prompt):
            pass
        middle, used = time.perf_counter(), time.process_time()
        async for event in ready.reply("What is the answer?"):
            if isinstance(event, Finished):
                recording = event.answer.timings.get("record", 0.0)
        if number < 0:
            continue
        whole = (time.perf_counter() - middle) * 1000
        for part, took in {
            "calls alone": (middle - started) * 1000,
            "whole turn": whole,
            "of it, recording": recording,
            "loop and calls": whole - recording,
            "processor, whole turn": (time.process_time() - used) * 1000,
        }.items():
            taken.setdefault(part, []).append(took)
    rows = [(part, statistics.median(each), min(each)) for part, each in taken.items()]
    of = {part: numbers for part, *numbers in rows}
    itself = [
        both - alone for both, alone in zip(of["loop and calls"], of["calls alone"], strict=True)
    ]
    return [*rows, ("the loop itself", itself[0], itself[1])]


if __name__ == "__main__":
    main()
