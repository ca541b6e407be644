"""Sentences that are too long, cut at clauses to the part that answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

from bot.text import CJK

LONG = 44  # words of a sentence that is quoted whole
WIDE = 1.5  # characters of Chinese, Japanese or Korean that take the room of a word

_CLAUSE = re.compile(
    r"(?<=[,;:—–，；：、)）])\s*"
    r"|\s+(?=(?:and|but|which|who|where|when|while|because|although|whereas|with|including)\s)"
    r"|\s*(?=[(（—–])"
)
_WORD = re.compile(r"[^\W_]+")


def length(text: str) -> float:
    """Count words; characters of Chinese, Japanese and Korean count 1/1.5."""
    wide = len(CJK.findall(text))
    return wide / WIDE + len(_WORD.findall(CJK.sub(" ", text) if wide else text))


def trimmed(text: str, asked: frozenset[str], terms: Callable[[str], Iterable[str]]) -> slice:
    """Return the part of a sentence to quote: all of it, unless it is too long.

    Of the runs of clauses that fit, it is the one that holds most of what is asked, and of those
    the longest.
    """
    whole = slice(0, len(text))
    if length(text) <= LONG:
        return whole
    cuts = sorted({0, *(match.end() for match in _CLAUSE.finditer(text)), len(text)})
    clauses = [slice(start, end) for start, end in pairwise(cuts)]
    held = [asked.intersection(terms(text[clause])) for clause in clauses]
    lengths = [length(text[clause]) for clause in clauses]
    best: tuple[tuple[int, float], slice] | None = None
    for first in range(len(clauses)):
        found: set[str] = set()
        total = 0.0
        for last in range(first, len(clauses)):
            total += lengths[last]
            if total > LONG:
                break
            found |= held[last]
            part = slice(clauses[first].start, clauses[last].stop)
            if best is None or (len(found), total) > best[0]:
                best = (len(found), total), part
    return _stripped(text, best[1]) if best else whole


def _stripped(text: str, part: slice) -> slice:
    """Leave out white space, and what joined a clause to the next one."""
    start, end = part.start, part.stop
    while start < end and text[start].isspace():
        start += 1
    while end > start and (
        text[end - 1].isspace() or (end < len(text) and text[end - 1] in ",;，；、")
    ):
        end -= 1
    return slice(start, end)
