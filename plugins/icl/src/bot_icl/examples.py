"""Examples of good answers: from a file, and from answers that people marked right."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot import Context, Turn
from bot.database import load_queries
from bot.errors import ConfigError
from bot.settings import principal
from bot.turn import EVERYONE, Principal
from bot_icl import selecting

if TYPE_CHECKING:
    from bot_icl import IclSettings

QUERIES = load_queries(Path(__file__).parent / "queries" / "examples.sql")

_NEWEST = 500  # praised answers to choose from
_MARKER = re.compile(r"[ \t]*\[\d{1,3}\]")


@dataclass(frozen=True, slots=True)
class Example:
    """A question with a good answer, and who may read both."""

    question: str
    answer: str
    readers: frozenset[Principal] = frozenset({EVERYONE})

    @property
    def text(self) -> str:
        """As it stands in a prompt; markers would point at sources that are not there."""
        return f"Question: {self.question}\nAnswer: {_MARKER.sub('', self.answer)}"


def read(path: Path) -> list[Example]:
    """Read a JSONL file of examples.

    Raises:
        ConfigError: a line is no example; its number is told.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{path} cannot be read; see `examples`.") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            readers = [principal(one) for one in row.get("readers", [EVERYONE])]
            found.append(Example(str(row["question"]), str(row["answer"]), frozenset(readers)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f'{path}:{number} is no example; write {{"question": "…", "answer": "…"}}.'
            ) from error
    return found


class Examples:
    """Chooses the examples of each question."""

    def __init__(self, settings: IclSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._file = read(settings.examples) if settings.examples else []

    async def chosen(
        self, turn: Turn, count: Callable[[str], Awaitable[int]], room: int
    ) -> list[Example]:
        """Choose examples that the asker may read, within the room; the likest one stands last.

        Never one whose question is the one that is asked: it would give its answer away, and an
        evaluation would measure that.

        Args:
            room: tokens that the prompt can spare, besides the settings' own limit.
        """
        known = [one for one in self._file if one.readers & turn.principals]
        if self._settings.praised:
            known += await self._praised(turn)
        known = [one for one in known if not selecting.same(one.question, turn.question)]
        if not known or not self._settings.shots:
            return []
        ranked = await self._ranked(turn, known)
        room = min(room, self._settings.example_tokens)
        chosen: list[Example] = []
        for place in ranked:
            cost = await count(known[place].text)
            if len(chosen) == self._settings.shots:
                break
            if cost <= room:
                room -= cost
                chosen.append(known[place])
        return chosen[::-1]  # a model leans most on what it read last

    async def _praised(self, turn: Turn) -> list[Example]:
        arguments = {
            "assistant": turn.assistant.name,
            "principals": sorted(turn.principals),
            "limit": _NEWEST,
        }
        async with self._context.database.connection() as connection:
            rows = await (await connection.execute(QUERIES["praised"], arguments)).fetchall()
        return [Example(question, answer, turn.principals) for question, answer in rows]

    async def _ranked(self, turn: Turn, known: Sequence[Example]) -> list[int]:
        questions = [one.question for one in known]
        if self._settings.select == "bm25":
            return selecting.bm25(turn.question, questions)
        texts = [turn.question, *questions]
        made = selecting.vectors(texts)
        if turn.index is not None:
            public = all(EVERYONE in one.readers for one in known)
            made = await self._context.embed(texts, "query", turn.index, public=public)
        # More than the shots, as some may not fit.
        return selecting.mmr(made[0], made[1:], 4 * self._settings.shots)
