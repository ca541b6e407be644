"""Words of any language with where they stand, and how many two texts share: ROUGE.

Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004). It is written here because
the usual package knows no letters but a to z, so that equal Chinese answers score 0; on English
the tests compare the two.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bot.text import CJK

Span = tuple[int, int]

# A character of a script that is written without spaces is a word, as CJK tokenizers for ROUGE do.
_WORD = re.compile(rf"{CJK.pattern}|(?:(?!{CJK.pattern})[^\W_])+")
_MARKER = re.compile(r"\s*\[\d{1,3}\]")


@dataclass(frozen=True, slots=True)
class Score:
    """Shares between 0 and 1: of the answer that the reference has, and the other way round."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def unmarked(answer: str) -> str:
    """An answer without the markers of its sources, which no reference has."""
    return _MARKER.sub("", answer).strip()


def in_marker(text: str, span: Span) -> bool:
    """Whether a word is the number of a marker, such as [1]."""
    return _MARKER.match(text, span[0] - 1) is not None and text[span[0] - 1] == "["


def spans(text: str) -> list[tuple[str, Span]]:
    """Words as they compare, and where they stand in the text."""
    return [
        (unicodedata.normalize("NFKC", found[0]).casefold(), found.span())
        for found in _WORD.finditer(text)
    ]


def words(text: str) -> list[str]:
    """Words as they compare: in small letters, Chinese and Japanese by character."""
    return [word for word, _ in spans(text)]


def rouge_n(answer: Sequence[str], reference: Sequence[str], n: int) -> Score:
    """Compare the runs of `n` words."""
    ours, theirs = _grams(answer, n), _grams(reference, n)
    return _score((ours & theirs).total(), ours.total(), theirs.total())


def rouge_l(answer: Sequence[str], reference: Sequence[str]) -> Score:
    """Compare by the longest common subsequence of words."""
    return _score(_longest(answer, reference), len(answer), len(reference))


def _longest(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of a longest common subsequence, by bits: Crochemore et al. (2001)."""
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    full = left = (1 << len(one)) - 1
    for word in other:
        met = left & places.get(word, 0)
        left = ((left + met) | (left - met)) & full
    return len(one) - left.bit_count()


def common(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Places of a longest common subsequence in both; for texts that a person can read."""
    columns = len(other) + 1
    rows: list[list[int]] = [[0] * columns]
    for word in one:
        before, row = rows[-1], [0] * columns
        for place, its in enumerate(other, 1):
            row[place] = (
                before[place - 1] + 1 if word == its else max(before[place], row[place - 1])
            )
        rows.append(row)
    found: list[tuple[int, int]] = []
    left, right = len(one), len(other)
    while left and right:
        if one[left - 1] == other[right - 1]:
            left, right = left - 1, right - 1
            found.append((left, right))
        elif rows[left - 1][right] >= rows[left][right - 1]:
            left -= 1
        else:
            right -= 1
    return found[::-1]


def contains(answer: Sequence[str], reference: Sequence[str]) -> bool:
    """Whether the reference stands in the answer as it is, word by word."""
    length = len(reference)
    return bool(length) and any(
        list(answer[at : at + length]) == list(reference) for at in range(len(answer) - length + 1)
    )


def _grams(given: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(given[at : at + n]) for at in range(len(given) - n + 1))


def _score(shared: int, answer: int, reference: int) -> Score:
    return Score(shared / answer if answer else 0.0, shared / reference if reference else 0.0)
