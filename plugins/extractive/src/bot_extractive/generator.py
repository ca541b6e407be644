"""Answering by quoting."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from itertools import pairwise

from bot import Delta, Turn, hookimpl
from bot.dispatch import in_thread
from bot.text import CJK
from bot.turn import Prompt
from bot_extractive.selection import Quote, select
from bot_extractive.units import LONGEST, Unit

REFUSAL = "I found nothing in the sources that answers this."
_REFUSAL_ZH = "在现有资料中没有找到能回答这个问题的内容。"
_REFUSAL_JA = "資料の中に、この質問の答えは見つかりませんでした。"
_KANA = re.compile(r"[\u3040-\u30ff]")
_FENCE = re.compile(r"(?:>\s*)*(`{3,}|~{3,})")


class Extractive:
    """Quote the sentences of the passages that answer, each with its marker, or refuse."""

    def __init__(self, max_sentences: int, threshold: float) -> None:
        self._max_sentences = max_sentences
        self._threshold = threshold

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:
        """Stream the quotes in reading order."""
        quotes: list[Quote] = await in_thread(
            select,
            question=prompt.question,
            queries=prompt.queries,
            passages=prompt.passages,
            max_sentences=self._max_sentences,
            threshold=self._threshold,
        )
        if not quotes:
            yield Delta(text=_refusal(prompt.question), refusal=True)
        for before, quote in pairwise([None, *quotes]):
            assert quote is not None
            if before is not None:
                yield Delta(text=_between(before, quote))
            text = _cut(quote.unit)
            yield Delta(text=text, verbatim=True)
            if fence := _open_fence(quote.unit, text):
                yield Delta(text="\n")
                yield Delta(text=fence, verbatim=True)  # so that it opens no code of the bot's own
            # On the same line a marker would break a table or a fence.
            space = "\n" if quote.unit.kind in ("code", "row") else " "
            yield Delta(text=f"{space}[{quote.marker}]")


def _refusal(question: str) -> str:
    if _KANA.search(question):
        return _REFUSAL_JA
    return _REFUSAL_ZH if CJK.search(question) else REFUSAL


def _between(before: Quote, after: Quote) -> str:
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
