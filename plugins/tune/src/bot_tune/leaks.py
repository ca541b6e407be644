"""Questions that are measured with must not be learned: where they stand in training data.

Found are the same question (in the words of `bot.similarity`), nearly the same long one, and one
that stands as a whole in a text, as in a copied golden set. One in quite other words is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import similarity
from bot.database import Database
from bot.errors import UsageError
from bot.evaluation import golden
from bot.indexing.duplicates import Duplicates
from bot_tune import examples
from bot_tune.examples import Example, Text

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_LEAST = 5  # words of a question that are looked for in texts; fewer stand anywhere
_ANYBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is measured with, and where it comes from."""

    question: str
    place: str


def read(paths: Iterable[Path]) -> Iterator[Question]:
    """Read the questions of files: a golden set's, or those of examples.

    Raises:
        UsageError: a file cannot be read, or a line has no question.
    """
    for path in paths:
        if path.suffix.lower() != ".jsonl":
            yield from (t for one in examples.read([path]) for t in _asked(one))
            continue
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeError) as error:
            raise UsageError(f"{path} cannot be read ({error}); give a file in UTF-8.") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield from _line(line, f"{path}:{number}")


async def golden_tests(database: Database) -> list[Question]:
    """Read the questions of the golden set that evaluations use."""
    known = await golden.load(database)
    return [Question(one.question, f"golden question {one.id}") for one in known]


def _line(line: str, place: str) -> Iterator[Question]:
    try:
        row = json.loads(line)
        if isinstance(row, dict) and isinstance(row.get("question"), str):
            yield Question(row["question"], place)
        else:
            yield from _asked(examples.parse(row, place))
    except ValueError as error:
        raise UsageError(
            f"{place} holds no question to test with ({error}); correct that line."
        ) from error


def _asked(example: Example) -> Iterator[Question]:
    if not isinstance(example, Text):
        users = [one.content for one in example.messages if one.role == "user"]
        yield from (Question(content, example.place) for content in users)


class Leaks:
    """Finds questions of tests in examples, in time linear in the length of both."""

    def __init__(self, tests: Iterable[Question]) -> None:
        self._same: dict[Hashable, str] = {}
        self._long = Duplicates()
        self._beginnings: dict[tuple[str, ...], list[tuple[list[str], str]]] = {}
        for test in tests:
            self._same.setdefault(key(test.question), test.place)
            self._long.learn(test.place, test.question, _ANYBODY)
            words = _words(test.question)
            if len(words) >= _LEAST:
                self._beginnings.setdefault(tuple(words[:_LEAST]), []).append((words, test.place))

    def found(self, example: Example) -> str:
        """Where the test comes from that an example holds; empty when it holds none."""
        if not self._same:
            return ""
        if isinstance(example, Text):
            return self._inside(_words(example.text))
        for message in example.messages:
            if message.role == "user":
                if place := self._same.get(key(message.content)):
                    return place
                if alike := self._long.like(message.content, _ANYBODY):
                    return alike[0]
            if place := self._inside(_words(message.content)):
                return place
        return ""

    def _inside(self, words: Sequence[str]) -> str:
        for at in range(len(words) - _LEAST + 1):
            for wanted, place in self._beginnings.get(tuple(words[at : at + _LEAST]), ()):
                if list(words[at : at + len(wanted)]) == wanted:
                    return place
        return ""


def key(question: str) -> Hashable:
    """Equal for questions that `bot.similarity.same` calls the same by their words alone."""
    meant = similarity.meaning(question)
    if not meant.words:
        return tuple(question.casefold().split())
    return meant.words, meant.numbers, meant.turns, meant.kind


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
