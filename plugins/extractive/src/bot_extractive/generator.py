"""Answering by quoting."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator

from bot import Delta, Turn, hookimpl
from bot.dispatch import in_thread
from bot.errors import BotError
from bot.phrases import refusal
from bot.plugins import Embed
from bot.turn import Prompt
from bot_extractive.ranking import Ranking, rank
from bot_extractive.selection import BLIND, COMPARED, Quote, choose, trust
from bot_extractive.units import LONGEST, Unit

log = logging.getLogger(__name__)

_FENCE = re.compile(r"(?:>\s*)*(`{3,}|~{3,})")


class Extractive:
    """Quote the sentences of the passages that answer, each with its marker, or refuse."""

    def __init__(self, max_sentences: int, threshold: float, embed: Embed | None = None) -> None:
        self._max_sentences = max_sentences
        self._threshold = threshold
        self._embed = embed

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:
        """Stream the quotes in reading order."""
        quotes = await self.quotes(turn, prompt)
        if not quotes:
            looked = [p.title.strip() or p.uri for p in prompt.passages] or sorted(turn.sources)
            yield Delta(text=refusal(prompt.question, looked), verbatim=True, refusal=True)
        for before, quote, after in zip([None, *quotes], quotes, [*quotes[1:], None], strict=False):
            if before is not None:
                yield Delta(text=_between(before, quote))
            text = _cut(quote.unit)
            yield Delta(text=text, verbatim=True)
            if fence := _open_fence(quote.unit, text):
                yield Delta(text="\n")
                yield Delta(text=fence, verbatim=True)  # so that it opens no code of the bot's own
            if _one_table(quote, after):
                continue  # a marker between its rows would end the table
            # On the same line a marker would break a table or a fence.
            space = "\n" if quote.unit.kind == "code" or quote.unit.in_table else " "
            yield Delta(text=f"{space}[{quote.marker}]")

    async def quotes(self, turn: Turn, prompt: Prompt) -> list[Quote]:
        """Choose what to quote; nothing when no passage answers."""
        ranking: Ranking = await in_thread(
            rank,
            question=prompt.question,
            queries=prompt.queries,
            passages=prompt.passages,
            glossary=prompt.glossary,
        )
        found: list[Quote] = await in_thread(
            choose,
            question=prompt.question,
            ranking=ranking,
            passages=prompt.passages,
            cosines=await self.cosines(turn, prompt, ranking),
            max_sentences=self._max_sentences,
            threshold=self._threshold,
        )
        return found

    async def cosines(self, turn: Turn, prompt: Prompt, ranking: Ranking) -> list[float] | None:
        """Compare the best units with the question; None when vectors tell nothing."""
        texts = [candidate.unit.text for candidate in ranking.best[:COMPARED]]
        if self._embed is None or turn.index is None or not texts:
            return None
        if trust(prompt.question, prompt.passages) < BLIND:
            return None
        query = next(iter(prompt.queries), prompt.question)
        try:
            asked = await self._embed([query], "query", turn.index)
            said = await self._embed(texts, "document", turn.index)
        except BotError as error:  # words alone still answer
            log.warning("quotes are chosen by words alone: %s", error)
            return None
        found: list[float] = (said @ asked[0]).tolist()
        return found


def _one_table(quote: Quote, after: Quote | None) -> bool:
    """Whether two quotes are rows of one passage, and so most likely of one table."""
    return (
        after is not None
        and quote.marker == after.marker
        and quote.unit.in_table
        and after.unit.in_table
    )


def _between(before: Quote, after: Quote) -> str:
    if _one_table(before, after):
        return "\n"
    if before.unit.in_table or after.unit.in_table:
        return "\n\n"
    kinds = {before.unit.kind, after.unit.kind}
    if before.marker != after.marker or "code" in kinds:
        return "\n\n"
    if kinds & {"item", "row", "line"}:
        return "\n" if after.unit.kind != "prose" else "\n\n"
    return " "


def _cut(unit: Unit) -> str:
    """Long code is cut after a line, or inside the first one."""
    if len(unit.text) <= LONGEST:
        return unit.text
    whole = unit.text.rfind("\n", 0, LONGEST)
    return unit.text[: whole if whole > unit.text.find("\n") else LONGEST]


def _open_fence(unit: Unit, text: str) -> str:
    """The fence that code ends without, for its passage or the quote was cut."""
    if unit.kind != "code":
        return ""
    fence = _FENCE.match(text)
    assert fence is not None
    return "" if text.rfind(fence[1]) > fence.end() and text.endswith(fence[1]) else fence[1]
