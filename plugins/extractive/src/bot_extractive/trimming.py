"""Sentences that are too long, cut at clauses to the part that answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from bot.text import CJK
from bot_extractive.kinds import Wanted

LONG, LONG_WIDE = 46, 55  # words of a quoted sentence, of Chinese, Japanese and Korean
LEAST = 12  # words that are left of a sentence
SHORT = 25  # words of a sentence that is quoted whole
SHARE_WIDE = 0.2  # of the question's terms in such a sentence, with which a clause is kept
WIDE = 1.6  # characters of Chinese, Japanese or Korean to a word; so in XQuAD, which is translated

_CLAUSE = re.compile(
    r"(?<=[,;:—–，；：、)）])\s*"
    r"|\s+(?=(?:and|but|which|who|where|when|while|because|although|whereas|with|including)\s)"
    r"|\s*(?=[(（—–])"
)
_WORD = re.compile(r"[^\W_]+")


def length(text: str) -> float:
    """Count words; characters of Chinese, Japanese and Korean count 1/1.6."""
    wide = len(CJK.findall(text))
    return wide / WIDE + len(_WORD.findall(CJK.sub(" ", text) if wide else text))


def trimmed(
    text: str,
    asked: frozenset[str],
    terms: Callable[[str], Iterable[str]],
    wanted: Wanted | None = None,
) -> slice:
    """Return the part of a sentence to quote: all of it, unless it is too long.

    Clauses at its ends that hold neither words of the question nor the kind of thing that is asked
    for are left out; of Chinese, Japanese and Korean, where a few words are asked for, also those
    that hold few of the question's. Of the runs of clauses that fit then, it is the one that holds
    most of what is asked, and of those the longest.

    Args:
        wanted: the kind of thing that is asked for, where that is known.
    """
    wide = 2 * len(CJK.findall(text)) > len(text)
    if length(text) <= (LEAST if wide else SHORT):
        return slice(0, len(text))
    cuts = sorted({0, *(match.end() for match in _CLAUSE.finditer(text)), len(text)})
    clauses = [slice(start, end) for start, end in pairwise(cuts)]
    held = [asked.intersection(terms(text[clause])) for clause in clauses]
    lengths = [length(text[clause]) for clause in clauses]
    first, last = 0, len(clauses) - 1
    has = [wanted is not None and wanted.brief and wanted.has(text[clause]) for clause in clauses]
    if any(has):
        enough = SHARE_WIDE * len(frozenset().union(*held)) if wide else 0
        tells = [
            one or (bool(own) and len(own) >= enough) for own, one in zip(held, has, strict=True)
        ]
        while not tells[last] and sum(lengths[first:last]) >= LEAST:
            last -= 1
        while not tells[first] and sum(lengths[first + 1 : last + 1]) >= LEAST:
            first += 1
    longest = LONG_WIDE if wide else LONG
    if sum(lengths[first : last + 1]) > longest:
        first, last = _run(held, lengths, first, last, longest)
    return _stripped(text, slice(clauses[first].start, clauses[last].stop))


def _run(
    held: Sequence[frozenset[str]],
    lengths: Sequence[float],
    first: int,
    last: int,
    longest: float,
) -> tuple[int, int]:
    """Choose the run of clauses that fits and holds most; all where even one is too long."""
    best: tuple[tuple[int, float], tuple[int, int]] | None = None
    for start in range(first, last + 1):
        found: set[str] = set()
        total = 0.0
        for end in range(start, last + 1):
            total += lengths[end]
            if total > longest:
                break
            found |= held[end]
            if best is None or (len(found), total) > best[0]:
                best = (len(found), total), (start, end)
    return best[1] if best else (first, last)


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
