"""What a generator is asked for, and how its answer is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from bot import Prompt, Turn, leaving
from bot.asking import Generator

_LONGEST = 300  # characters of a query
_IMAGINED = 1000  # and of an imagined answer
_HISTORY = 6  # messages
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):])\s+")
_LABEL = re.compile(r"^\s*(?:standalone question|question|query|search)\s*[:：]\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to write queries.

    Attributes:
        instruction: `{variants}` is how many.
        read: the queries in an answer.
    """

    instruction: str
    read: Callable[[str], list[str]]


def _lines(text: str) -> list[str]:
    found = [_LABEL.sub("", _BULLET.sub("", line)).strip(" \t\"'“”") for line in text.splitlines()]
    return [line[:_LONGEST] for line in found if line]


def _first(text: str) -> list[str]:
    return _lines(text)[:1]


def _whole(text: str) -> list[str]:
    text = " ".join(text.split())
    return [text[:_IMAGINED]] if text else []


WAYS = {
    "rewrite": Way(
        "Write the last question so that it can be understood without the conversation. Write "
        "the question alone, in its own language, in one line.",
        _first,
    ),
    "variants": Way(
        "Write {variants} other ways to search for what the question asks, with other words, in "
        "its own language, one a line, and nothing else.",
        _lines,
    ),
    "hypothetical": Way(
        "Write a short passage, as it might stand in a document, that answers the question. "
        "Make it up where you do not know.",
        _whole,
    ),
}


async def write(generator: Generator, turn: Turn, way: Way, variants: int) -> list[str]:
    """Ask for queries in one way; none when the generator declines.

    Raises:
        BotError: the generator failed.
    """
    turn = leaving.narrowed(turn, generator.may_receive)
    history = turn.conversation.history[-_HISTORY:]
    said = "\n".join(f"{message.role}: {message.text}" for message in history)
    asked = f"The conversation so far:\n{said}\n\n" if said else ""
    prompt = Prompt(
        messages=(
            ("system", way.instruction.format(variants=variants)),
            ("user", f"{asked}The question: {turn.question}"),
        ),
        passages=(),
        question=turn.question,
        queries=turn.queries,
        public=all(message.public for message in history),
    )
    text = ""
    async with aclosing(generator.deltas(turn, prompt)) as deltas:
        async for delta in deltas:
            if delta.refusal:
                return []
            text += delta.text
    return way.read(text)
