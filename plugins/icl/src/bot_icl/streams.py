"""What a model writes, taken apart while it comes."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from bot import Delta

_ANSWER = re.compile(
    r"(?:^|\n)[ \t]*[*_#>]*[ \t]*(?:final )?answer[*_]*[ \t]*[:：][*_]*[ \t]*", re.I
)


async def whole(deltas: AsyncGenerator[Delta]) -> tuple[str, list[Delta]]:
    """Read a stream to its end: its text, and all of its deltas."""
    async with aclosing(deltas) as items:
        found = [delta async for delta in items]
    return "".join(delta.text for delta in found).strip(), found


async def after_answer(deltas: AsyncIterator[Delta]) -> AsyncGenerator[Delta]:
    """Stream what stands after a line "Answer:"; what stands before is reasoning.

    A model that never writes such a line has answered without thinking aloud: then all is the
    answer, at the end.
    """
    held, found = "", False
    async for delta in deltas:
        if found or delta.refusal:
            yield delta
            continue
        held += delta.text
        if (match := _ANSWER.search(held)) is not None:
            found = True
            reasoning = delta.reasoning + held[: match.start()]
            yield Delta(text=held[match.end() :], reasoning=reasoning, usage=delta.usage)
        elif delta.usage or delta.notice or delta.reasoning:
            yield Delta(reasoning=delta.reasoning, usage=delta.usage, notice=delta.notice)
    if not found and held:
        yield Delta(text=held)


def answers(text: str) -> bool:
    """Whether the line "Answer:" has come."""
    return _ANSWER.search(text) is not None
