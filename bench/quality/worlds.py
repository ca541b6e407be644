"""One bot a corpus, as a team would set it up: the product's defaults, and its parts alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from bot_extractive import ExtractiveSettings
from bot_extractive.ranking import rank
from bot_extractive.selection import choose, confidence

from bench.quality.sets import Question, corpus
from bot import Bot, Passage, prompt

MODES = ("lexical", "vector", "hybrid")
DEFAULTS = ExtractiveSettings()
_AT_ONCE = 4

T = TypeVar("T")


@dataclass(frozen=True)
class Answered:
    """What `bot ask` would have said: the quotes, none for a refusal, and how sure it was."""

    quotes: Sequence[str]
    confidence: float
    passages: Sequence[Passage]


class World:
    """An indexed corpus that questions can be put to."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    async def ranked(
        self, question: Question, mode: str, k: int = 40, history: bool = False, text: str = ""
    ) -> list[str]:
        """Return the ids of the best passages, by one mode of the retriever."""
        said = question.history if history else ()
        found, _ = await self.bot.search(text or question.text, k=k, assistant=mode, history=said)
        return [passage.id for passage in found]

    async def answered(self, question: Question) -> Answered:
        """Take the steps of `bot ask`, but for recording the turn."""
        found, run = await self.bot.search(
            question.text, k=self.bot.assistant("default").k, history=question.history
        )
        turn = replace(run.turn, trace=None)
        asked = await prompt.build(turn, found, None, prompt.estimate_tokens)
        ranking = rank(asked.question, asked.queries, asked.passages, asked.glossary)
        generator: Any = await self.bot.component("generator", "local")
        cosines = await generator.cosines(turn, asked, ranking)
        given = (asked.question, ranking, asked.passages, cosines)
        quotes = choose(*given, **DEFAULTS.model_dump())
        return Answered([quote.unit.text for quote in quotes], confidence(*given), found)


async def together(
    ask: Callable[[Question], Awaitable[T]], questions: Sequence[Question]
) -> list[T]:
    """Ask some questions at a time, as a server does; answers come in their order."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(question: Question) -> T:
        async with gate:
            return await ask(question)

    return await asyncio.gather(*map(one, questions))


@asynccontextmanager
async def world(data: Path, name: str, keep: Path) -> AsyncIterator[World]:
    """Index a corpus, unless it is in `keep` from the last time, and open its bot."""
    home, config = keep / name, keep / f"{name}.toml"
    path = json.dumps(str(corpus(data, name).resolve()))
    parts = "".join(
        f'[retrievers.{mode}]\ntype = "pgvector"\nmode = "{mode}"\n'
        f'[assistants.{mode}]\nretrievers = ["{mode}"]\n'
        for mode in MODES
    )
    config.write_text(
        f'[sources.corpus]\ntype = "jsonl"\npath = {path}\n[assistants.default]\n{parts}',
        encoding="utf-8",
    )
    async with Bot.from_config(config, environ={"BOT_HOME": str(home)}) as bot:
        await bot.sync()
        yield World(bot)
