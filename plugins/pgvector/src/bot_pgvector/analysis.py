"""From text to terms, for indexing and for searching alike.

Words are folded (case, width, accents) and stemmed as English; Chinese, Japanese and Korean, which
are written without spaces or nearly so, become pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata

import Stemmer

from bot.text import CJK

ANALYZER = "words-bigrams-1"
"""Names the rules below; an index must be searched with the rules that made it."""

_WORD = re.compile(r"[^\W_]+")
_COMPOUND = re.compile(r"[^\W_]+(?:_+[^\W_]+)+")
_ASCII_WORDS = {code: " " for code in range(128) if not chr(code).isalnum()}
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
    """Cut a text into terms; stop words are left out."""
    return [stem for stem in map(STEMS.__getitem__, words(text)) if stem]


def words(text: str) -> list[str]:
    """Cut a text into folded words and pairs of characters, not yet stemmed.

    They come in reading order; compounds like `max_length` come once more, whole, at the end.
    """
    folded = _fold(text)
    if folded.isascii():
        found = folded.translate(_ASCII_WORDS).split()  # three times as fast as the expression
    elif CJK.search(folded) is None:
        found = _WORD.findall(folded)
    else:
        found = []
        for place, part in enumerate(_CJK_RUN.split(folded)):
            if place % 2:
                found += [part[i : i + 2] for i in range(len(part) - 1)] or [part]
            else:
                found += _WORD.findall(part)
    if "_" in folded:
        found += _COMPOUND.findall(folded)
    return found


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.lower())
    # Accents go, but not the marks that make Japanese and Korean syllables: those are composed.
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))


class _Stems(dict[str, str]):
    """The stem of each word, worked out once; empty for a stop word."""

    def __init__(self) -> None:
        self._stem = Stemmer.Stemmer("english").stemWord

    def __missing__(self, word: str) -> str:
        if len(self) > _REMEMBERED:
            self.clear()
        stem = "" if word in STOP_WORDS else self._stem(word)
        self[word] = stem
        return stem


STEMS = _Stems()
