"""The assistant's retrievers as tools of a model that can call them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from bot import Passage, Turn, prompt

_PER_CALL = 4  # passages that one search adds
_LONGEST = 500  # characters of a query
_NOTHING = "Nothing was found."


class Search:
    """Searches as the one who asked; what is found is numbered on after the prompt's sources.

    Args:
        search: finds what the asker may read, and nothing else.
    """

    def __init__(
        self,
        search: Callable[[Turn], Awaitable[list[Passage]]],
        turn: Turn,
        passages: tuple[Passage, ...],
    ) -> None:
        self._search = search
        self._turn = turn
        self._known = passages
        retrievers = turn.assistant.retrievers
        self._retrievers: dict[str, str] = {}
        for number, one in enumerate(retrievers, 1):  # two names may look alike to a model
            name = _name(one)
            self._retrievers[f"{name}_{number}" if name in self._retrievers else name] = one

    @property
    def tools(self) -> list[dict[str, Any]]:
        """What the model is told of, in the form that every provider's class takes."""
        return [
            {
                "type": "function",
                "function": {
                    "name": tool,
                    "description": f"Search {retriever} for what the sources do not hold yet. "
                    "The result has further numbered sources.",
                    "parameters": {
                        "type": "object",
                        "properties": {"query": {"type": "string"}},
                        "required": ["query"],
                    },
                },
            }
            for tool, retriever in self._retrievers.items()
        ]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> tuple[str, list[Passage]]:
        """Do what the model wants; the text for it, and the passages that are new."""
        query = arguments.get("query")
        if tool not in self._retrievers:
            return f"There is no tool {tool[:60]!r}.", []
        if not isinstance(query, str) or not query.strip():
            return "Give a `query`, a text.", []
        assistant = replace(self._turn.assistant, retrievers=(self._retrievers[tool],))
        queries = (query.strip()[:_LONGEST],)
        found = await self._search(
            replace(self._turn, assistant=assistant, queries=queries, weighted=())
        )
        known = {(one.source, one.id) for one in self._known}
        new = [one for one in found if (one.source, one.id) not in known][:_PER_CALL]
        first = len(self._known) + 1
        self._known = (*self._known, *new)
        return prompt.sources(new, first) or _NOTHING, new


def _name(retriever: str) -> str:
    return "search_" + re.sub(r"\W", "_", retriever, flags=re.ASCII)[:50]
