"""Several searches, fused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from bot import Context, Passage, Turn, hookimpl
from bot.errors import BotError
from bot_expand import ExpandSettings
from bot_expand.writing import WAYS, write

log = logging.getLogger(__name__)

_SMOOTH = 60  # of reciprocal ranks


class Expand:
    """Searches for the question and for what a generator makes of it."""

    def __init__(self, settings: ExpandSettings, context: Context) -> None:
        self._settings = settings
        self._context = context

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        """Search once for the turn's own queries and once for each that is written.

        Raises:
            BotError: the search for the turn's own queries failed.
        """
        assistant = replace(turn.assistant, retrievers=tuple(self._settings.retrievers))
        own = replace(turn, assistant=assistant)
        searching = asyncio.ensure_future(self._context.search(own))
        try:
            written = [query for query in await self._written(turn) if query not in turn.queries]
            further = await asyncio.gather(
                *(
                    self._context.search(replace(own, queries=(query,), weighted=()))
                    for query in written
                ),
                return_exceptions=True,
            )
            found = [await searching, *(one for one in further if isinstance(one, list))]
        finally:
            searching.cancel()
        return fused(found, turn.k)

    async def _written(self, turn: Turn) -> list[str]:
        """Let the generator write in all ways at once; what fails or is late is left out."""
        generator = await self._context.generator(self._settings.generator)
        tasks = {
            asyncio.ensure_future(write(generator, turn, WAYS[way], self._settings.variants)): way
            for way in dict.fromkeys(self._settings.ways)
            if way != "rewrite" or turn.conversation.history
        }
        if not tasks:
            return []
        try:
            await asyncio.wait(tasks, timeout=self._settings.seconds)
        finally:
            for task in tasks:
                task.cancel()
        queries: list[str] = []
        for task, way in tasks.items():
            try:
                limit = self._settings.variants if way == "variants" else 1
                queries += (await task)[:limit]
            except asyncio.CancelledError:
                if not task.cancelled():
                    raise
                log.warning("no %s within %g s", way, self._settings.seconds)
            except BotError as error:
                log.warning("no %s: %s", way, error)
        return list(dict.fromkeys(queries))


def fused(found: Sequence[Sequence[Passage]], k: int) -> list[Passage]:
    """Add reciprocal ranks. Cormack et al., "Reciprocal Rank Fusion …" (2009)."""
    best: dict[tuple[str, str], Passage] = {}
    scores: dict[tuple[str, str], float] = {}
    for passages in found:
        for rank, passage in enumerate(passages, 1):
            key = (passage.source, passage.id)
            best.setdefault(key, passage)
            scores[key] = scores.get(key, 0.0) + 1 / (_SMOOTH + rank)
    ordered = sorted(best, key=lambda key: -scores[key])[:k]
    return [replace(best[key], score=scores[key]) for key in ordered]
