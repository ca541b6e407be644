"""From text to terms, for indexing and for searching alike.

Words are folded (case, width, accents) and stemmed as English; Chinese, Japanese and Korean, which
are written without spaces or nearly so, become pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import chain

import Stemmer

from bot.text import CJK

ANALYZER = "words-bigrams-1"
"""Names the rules below; an index must be searched with the rules that made it."""

_WORD = re.compile(r"\w+")
_CJK_RUN = re.compile(f"({CJK.pattern}+)")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_REMEMBERED = 200_000  # words; bounds the memory of a long indexing run

STOP_WORDS = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her his how "
    "i if in into is it its me my no not of on or our she should so such that the their them then "
    "there these they this to us was we were what when where which who why will with would you "
    "your".split()
)


def terms(text: str) -> list[str]:
    """Cut a text into terms, in reading order."""
    folded = _fold(text)
    if CJK.search(folded) is None:
        return list(chain.from_iterable(map(_TERMS.__getitem__, _WORD.findall(folded))))
    found: list[str] = []
    for place, part in enumerate(_CJK_RUN.split(folded)):
        if place % 2:
            found += [part[i : i + 2] for i in range(len(part) - 1)] or [part]
        else:
            found += chain.from_iterable(map(_TERMS.__getitem__, _WORD.findall(part)))
    return found


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.lower())
    # Accents go, but not the marks that make Japanese and Korean syllables: those are composed.
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))


class _Terms(dict[str, tuple[str, ...]]):
    """The terms of a word, worked out once: none for a stop word, more for a compound."""

    def __init__(self) -> None:
        self._stem = Stemmer.Stemmer("english").stemWord

    def __missing__(self, word: str) -> tuple[str, ...]:
        if len(self) > _REMEMBERED:
            self.clear()
        parts = [part for part in word.split("_") if part]
        whole = [word] if len(parts) > 1 else []
        found = tuple(self._stem(part) for part in whole + parts if part not in STOP_WORDS)
        self[word] = found
        return found


_TERMS = _Terms()
