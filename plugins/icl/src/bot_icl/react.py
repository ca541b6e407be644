"""ReAct: think, search once more, and answer. Yao et al., "ReAct" (2023)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from bot import Delta, Turn
from bot.turn import Passage
from bot_icl import prompts, streams

if TYPE_CHECKING:
    from bot_icl.generator import Asking

Search = Callable[[Turn], Awaitable[list[Passage]]]

_ACTION = re.compile(
    r"(?:^|\n)[ \t]*\**action\**[ \t]*[:：][ \t]*search[ \t]*\[([^\]\n]{1,500})\]", re.I
)
_INVENTED = re.compile(r"(?:^|\n)[ \t]*\**observation\b", re.I)
_LAST = 'You have searched enough. Answer now, in a line that begins with "Answer:".'
_AGAIN = "You have searched for this already. Search for something else, or answer."
_EMPTY = "Nothing was found."
_PER_STEP = 4  # passages that a search adds


async def run(
    asking: Asking, template: prompts.Template, search: Search, steps: int
) -> AsyncGenerator[Delta]:
    """Stream the answer after at most `steps` searches over the assistant's own retrievers.

    The model can search, and nothing else: what it writes beside that is text. A search that was
    made already is not made again, and the second one in a row ends the searching.
    """
    notes: list[str] = []
    made: set[str] = set()
    loops = 0
    for step in range(steps + 1):
        last = step == steps or loops > 1
        shown = "\n".join([*notes, _LAST] if last else notes)
        query = ""
        stream = _until_action(asking.deltas(template, steps=shown), last)
        async with aclosing(stream) as items:
            async for item in items:
                if isinstance(item, str):
                    query = item
                else:
                    yield item
        if not query:
            return
        notes.append(f"Action: search[{query}]")
        if query.casefold() in made:
            loops += 1
            notes.append(f"Observation: {_AGAIN}")
            continue
        loops = 0
        made.add(query.casefold())
        new = await _found(asking, search, query)
        yield Delta(
            reasoning=f"\nSearched for “{query}”: {len(new)} further passages.\n", passages=new
        )
        first = len(asking.passages) + 1
        asking.passages = (*asking.passages, *new)
        numbers = f"sources {first} to {len(asking.passages)}" if new else ""
        notes.append(f"Observation: {numbers or _EMPTY}")


async def _found(asking: Asking, search: Search, query: str) -> tuple[Passage, ...]:
    """Search for what the model wants to know, as the one who asked; only what is new."""
    found = await search(replace(asking.turn, queries=(query,), weighted=()))
    known = {(one.source, one.id) for one in asking.passages}
    return tuple(one for one in found if (one.source, one.id) not in known)[:_PER_STEP]


async def _until_action(deltas: AsyncGenerator[Delta], last: bool) -> AsyncGenerator[Delta | str]:
    """Yield an answer as it comes, or, as a text, what the model wants to search for.

    The model is stopped right after its action: what it would invent as a result is never read.
    """
    async with aclosing(deltas) as items:
        thoughts, seen = "", []
        async for delta in items:
            thoughts += delta.text
            seen.append(delta)
            if delta.refusal or streams.answers(thoughts):
                async for part in streams.after_answer(_again(seen, items)):
                    yield part
                return
            match = _ACTION.search(thoughts)
            if match is not None and not last:
                yield Delta(reasoning=thoughts[: match.start()])
                yield match[1].strip()
                return
            if _INVENTED.search(thoughts):
                break
    end = _INVENTED.search(thoughts) or _ACTION.search(thoughts)
    yield Delta(text=thoughts[: end.start()] if end else thoughts)


async def _again(seen: list[Delta], rest: AsyncGenerator[Delta]) -> AsyncGenerator[Delta]:
    for delta in seen:
        yield delta
    async for delta in rest:
        yield delta
