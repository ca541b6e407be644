"""Reading passages together with the question."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot import Context, Passage, Turn, hookimpl
from bot.dispatch import in_thread
from bot.errors import PluginError
from bot_rerank import RerankSettings

log = logging.getLogger(__name__)

_BATCH = 8  # passages that are read at once; between two batches a late reading ends


class Rerank:
    """Searches with other retrievers, and orders what they bring."""

    def __init__(self, settings: RerankSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._reading = threading.Lock()
        self._model: Any = None

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        """Find candidates, and return the best of them by the cross-encoder.

        Raises:
            BotError: the search failed, or there is no such model.
        """
        assistant = replace(turn.assistant, retrievers=tuple(self._settings.retrievers))
        wider = max(self._settings.candidates, turn.k)
        found = await self._context.search(replace(turn, assistant=assistant, k=wider))
        question = turn.queries[0] if turn.queries else turn.question
        if not found or not question.strip():
            return found[: turn.k]
        read = found[: self._settings.candidates]
        late = threading.Event()
        try:
            async with asyncio.timeout(self._settings.seconds):
                scores: list[float] = await in_thread(
                    self._scores, question=question, passages=read, late=late
                )
        except TimeoutError:
            log.warning("the order stays: reading took over %g s", self._settings.seconds)
            return found[: turn.k]
        finally:
            late.set()
        ordered = sorted(
            (replace(one, score=score) for one, score in zip(read, scores, strict=True)),
            key=lambda passage: -passage.score,
        )
        return ordered[: turn.k]

    def _scores(
        self, question: str, passages: Sequence[Passage], late: threading.Event
    ) -> list[float]:
        """Score passages, 0 to 1, until nobody waits any more."""
        with self._reading:
            model = self._loaded()
            pairs = [
                (question, f"{one.title}\n{one.text}"[: self._settings.characters])
                for one in passages
            ]
            scores: list[float] = []
            for start in range(0, len(pairs), _BATCH):
                if late.is_set():
                    break
                given = model.predict(pairs[start : start + _BATCH], show_progress_bar=False)
                scores += [float(score) if math.isfinite(score) else 0.0 for score in given]
            return scores

    def _loaded(self) -> Any:
        if self._model is None:
            from sentence_transformers import (  # type: ignore[import-not-found,unused-ignore]
                CrossEncoder,
            )

            name = self._settings.model
            try:
                model = CrossEncoder(name, device=self._settings.device, num_labels=1)
            except (OSError, ValueError, RuntimeError) as error:
                raise PluginError(
                    f"There is no cross-encoder {name!r} here ({type(error).__name__}); check "
                    "`model`."
                ) from error
            self._model = model
        return self._model
