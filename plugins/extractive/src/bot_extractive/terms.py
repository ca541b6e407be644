"""Terms of English and CJK text: stems and character bigrams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import Stemmer

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_WIDE = re.compile(rf"[{_CJK}]")
_RUN = re.compile(rf"[{_CJK}]+")
_LONGEST = 4  # characters of an everyday word

# Words that say nothing about a subject.
_STOP = frozenset(
    "a an the and or but nor so of to in on at for with from by as into onto upon about than then"
    " is are was were be been being am do does did doing done have has had having can could will"
    " would shall should may might must i you he she it we they me him her us them my your his its"
    " our their this that these those there here what which who whom whose when where why how if"
    " not no yes please tell s t d ll m re ve also just very too".split()
)
# Words that questions are made of; an answer seldom repeats them.
_WEAK = frozenset(
    "many much long often far old type kind sort name called call use used using get got make made"
    " one some any other more most happen happened year date time people person thing way give"
    " given take taken put mean means know known say said want need first last new city country"
    " place number amount difference between example describe explain list show find go work"
    " different".split()
)
_CJK_FILLER = re.compile(
    "什[么麼]|多少|多[长大久高远]|哪[些个個里裡儿年种]?|如何|怎[么麼样樣]|[为為]什[么麼]|[为為]何|是否|何[时時]|"
    "[谁誰吗嗎呢的了是在和与與几幾有请請]|何|どこ|いつ|だれ|なぜ|どの|どう|です|ます|ですか|ますか|[はがをにでとのもか]"
)


class Terms:
    """Split text into terms. Not to be shared between threads: the stemmer keeps a cache."""

    def __init__(self) -> None:
        self._stem = Stemmer.Stemmer("english").stemWords
        self.weak = frozenset(self._stem(sorted(_WEAK)))

    def __call__(self, text: str) -> list[str]:
        """Return the terms in order: stems of words, bigrams of CJK runs; no stop words."""
        words: list[str] = []
        bigrams: list[str] = []
        for token in _TOKEN.findall(text.lower()):
            if not _WIDE.match(token):
                if token not in _STOP:
                    words.append(token)
            else:
                bigrams += _bigrams(token)
        return [*self._stem(words), *bigrams]


def characters(text: str) -> dict[str, frozenset[str]]:
    """Return the characters of Chinese, Japanese and Korean, each with its bigrams.

    A character is named by itself between its neighbours, or spaces: "東京都" has " 東京", "東京都"
    and "京都 ".
    """
    return {
        name: frozenset(pair for pair in (name[:2], name[1:]) if " " not in pair)
        for _, name in _named(text)
    }


def everyday(text: str) -> frozenset[str]:
    """Return those that stand in everyday words only, and the bare characters that do."""
    lowered = text.lower()
    within: set[int] = set()
    at = 0
    while at < len(lowered):
        sizes = range(_LONGEST, 0, -1)
        size = next((size for size in sizes if lowered[at : at + size] in _everyday()), 0)
        within.update(range(at, at + size))
        at += size or 1
    found, others = set[str](), set[str]()
    for at, name in _named(text):
        (found if at in within else others).update((name, name[1]))
    return frozenset(found - others)


def _named(text: str) -> Iterator[tuple[int, str]]:
    """Yield the place of each character, and its name."""
    spaced = _CJK_FILLER.sub(lambda filler: " " * len(filler[0]), text.lower())
    for run in _RUN.finditer(spaced):
        padded = f" {run[0]} "
        for at in range(len(run[0])):
            yield run.start() + at, padded[at : at + 3]


@cache
def _everyday() -> frozenset[str]:
    lines = (Path(__file__).parent / "everyday.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _bigrams(run: str) -> Iterable[str]:
    for part in _CJK_FILLER.split(run):
        if len(part) == 1:
            yield part
        else:
            yield from (a + b for a, b in pairwise(part))


NAME = re.compile(r"(?<!^)\b[A-Z][\w-]+")  # in a question
