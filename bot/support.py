"""Whether a passage supports what an answer says of it.

No model is asked: words, numbers, names and negations are compared, and how alike the claim is to
the passage's nearest sentences. That finds what is easily wrong (a number, a name, a `not`, another
source), and not what only a reader finds. Its precision and recall stand in
docs/decisions/citations-checked.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from bot.citation import last_sentence
from bot.sentences import sentences
from bot.text import CJK

THRESHOLD = 0.42  # of likeness, below which a claim counts as unsupported

_MARKERS = re.compile(r"\[\d{1,3}\](?:\s*\[\d{1,3}\])*")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_NAME = re.compile(r"(?<![.!?:*#\n|“\"]\s)(?<!^)\b[A-Z][\w-]{2,}")
_RUN = re.compile(r"(?:[A-Z]\w+ ){1,5}[A-Z]\w+")
_COMMON = frozenset(
    "a an the and or but nor so of to in on at for with from by as into onto upon about than then"
    " is are was were be been being am do does did done doing have has had having can could will"
    " would shall should may might must i you he she it we they me him her us them my your his its"
    " our their this that these those there here what which who whom whose when where why how if"
    " also just very too such some any all each both more most other one source sources according"
    " however therefore while because since during between among through over under up out off"
    " been per via within without".split()
)
_SPOKEN = {  # "one" is too often no number
    word: str(number)
    for number, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve".split(), 2
    )
}
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|nobody|neither|nor|cannot|without|unable|fails? to|lacks?)\b"
    r"|n['’]t\b|[不没沒無无未非]|ない|ません|\b(?:nicht|kein\w*|nie|ohne|jamais|sin|nunca)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^(?:\s*(?:\d{1,2}[.)]|[-*+•]|yes\b|no(?=,))[\s,:]*)+", re.IGNORECASE)
_ENDINGS = ("ations", "ation", "ingly", "ings", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s")
_NEAR = 0.5  # of a claim's words in a sentence from which both speak of the same
_BESIDE = 0.1  # below the nearest sentence, another one is as near
_BEGINNING = 5  # letters that a longer name shares with a word
_LONGEST = 400  # sentences of a passage that are looked at one by one


@dataclass(frozen=True, slots=True)
class Doubt:
    """A claim that its passages do not support.

    Attributes:
        claim: the sentence, without its markers.
        reason: what is wrong, for people.
    """

    claim: str
    reason: str


def doubts(answer: str, passages: Sequence[str]) -> list[Doubt]:
    """Check each sentence that has a marker against the passages that the marker names.

    Args:
        passages: marker N stands for `passages[N - 1]`.
    """
    sources = [Source(text) for text in passages]
    found: list[Doubt] = []
    begin = 0
    for match in _MARKERS.finditer(answer):
        claim = last_sentence(answer[begin : match.start()])
        begin = match.end()
        numbers = {int(number) for number in re.findall(r"\d+", match.group())}
        cited = [sources[n - 1] for n in sorted(numbers) if 0 < n <= len(sources)]
        if claim and cited and (reason := doubt(claim, cited)):
            found.append(Doubt(claim, reason))
    return found


class Source:
    """What a passage holds, taken apart once for all claims, and no part before it is needed."""

    def __init__(self, text: str) -> None:
        self._given = text

    @cached_property
    def text(self) -> str:
        """The text in Unicode's form NFKC."""
        return unicodedata.normalize("NFKC", self._given)

    @cached_property
    def line(self) -> str:
        """The text with one space for each white space."""
        return " ".join(self.text.split())

    @cached_property
    def numbers(self) -> set[str]:
        """Its numbers, as they compare."""
        return _numbers(self.text)

    @cached_property
    def words(self) -> _Words:
        """Its words, as names are looked for among them."""
        return _Words.of(self.text)

    @cached_property
    def terms(self) -> Counter[str]:
        """Its terms."""
        return _terms(self.text)

    @cached_property
    def sentences(self) -> list[tuple[str, Counter[str]]]:
        """Its first sentences, each with its terms."""
        parts = [self.text[slice(*span)] for span in sentences(self.text)[:_LONGEST]]
        return [(part, _terms(part)) for part in parts]

    @cached_property
    def grams(self) -> list[Counter[str]]:
        """The trigrams of each two neighbouring sentences."""
        parts = [_plain_words(part) for part, _ in self.sentences]
        return [_grams(f"{first} {second}".strip()) for first, second in pairwise(["", *parts, ""])]


def doubt(claim: str, cited: Sequence[Source]) -> str:
    """Say why a claim is not supported; empty when nothing speaks against it."""
    claim = _OPENING.sub("", unicodedata.normalize("NFKC", claim))
    said = " ".join(claim.split())
    if any(said in one.line for one in cited):
        return ""
    numbers = _numbers(claim)
    if missing := numbers.difference(*(one.numbers for one in cited)):
        return f"its source does not have {', '.join(sorted(missing))}"
    wanted = _terms(claim)
    if wanted.total() < 2 and not numbers:
        return ""  # "Yes." and the like say too little to be compared
    if unnamed := _names(claim, cited):
        return f"its source does not mention {', '.join(unnamed)}"
    near, likeness = _nearest(claim, wanted, cited)
    if likeness < THRESHOLD:
        return "its source says little of it"
    if near and _negated(claim) not in map(_negated, near):
        return "one of the two negates it"
    return ""


def _nearest(claim: str, wanted: Counter[str], cited: Sequence[Source]) -> tuple[list[str], float]:
    """The sentences that speak of the same as the claim, and how well the passages cover it."""
    grams = _grams(_plain_words(claim))
    shares = {part: _share(wanted, held) for one in cited for part, held in one.sentences}
    alike = max((_shared(grams, pair) for one in cited for pair in one.grams), default=0.0)
    best = max(shares.values(), default=0.0)
    near = [part for part, share in shares.items() if share >= max(_NEAR, best - _BESIDE)]
    covered = sum(1 for term in wanted if any(term in one.terms for one in cited)) / len(wanted)
    return near, 0.5 * covered + 0.5 * alike


def _terms(text: str) -> Counter[str]:
    words = _WORD.findall(CJK.sub(" ", text).lower())
    stems = [_stem(word) for word in words if word not in _COMMON and len(word) > 1]
    return Counter([*stems, *map("".join, pairwise(CJK.findall(text)))])


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith(_ENDINGS):  # most words have none of them
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 4:
                return word[: -len(ending)]
    return word


def _share(wanted: Counter[str], held: Counter[str]) -> float:
    return len(wanted.keys() & held.keys()) / len(wanted)


def _plain_words(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _grams(plain: str) -> Counter[str]:
    return Counter(map("".join, zip(plain, plain[1:], plain[2:], strict=False)))


def _shared(one: Counter[str], other: Counter[str]) -> float:
    """Share of the claim's trigrams that the text has, each as often as it has it."""
    total = one.total()
    both = sum(min(one[gram], other[gram]) for gram in one.keys() & other.keys())
    return both / total if total else 0.0


def _numbers(text: str) -> set[str]:
    """Numbers as they compare: 1,000 is 1000, 1.50 is 1.5, and three is 3."""
    digits = {_written(number) for number in _NUMBER.findall(text)}
    words = _SPOKEN.keys() & _WORD.findall(text.lower())
    return digits | {_SPOKEN[word] for word in words}


def _written(number: str) -> str:
    if "," in number and _THOUSANDS.fullmatch(number):
        number = number.replace(",", "")
    return number.rstrip("0").rstrip(".") if "." in number else number


@dataclass(frozen=True, slots=True)
class _Words:
    """Words in small letters, their stems, their beginnings, and the initials of names."""

    whole: frozenset[str]
    stems: frozenset[str]
    beginnings: frozenset[str]
    initials: frozenset[str]

    @classmethod
    def of(cls, text: str) -> _Words:
        whole = frozenset(word.lower() for word in re.findall(r"[\w-]+", text))
        return cls(
            whole,
            frozenset(map(_stem, whole)),
            frozenset(word[:_BEGINNING] for word in whole),
            frozenset("".join(w[0] for w in run.split()) for run in _RUN.findall(text)),
        )

    def have(self, name: str) -> bool:
        """Whether a name stands there, as a word or as the beginning of one."""
        small = name.lower()
        return (
            small in self.whole
            or _stem(small) in self.stems
            or name in self.initials
            or (len(name) > _BEGINNING and small[:_BEGINNING] in self.beginnings)
        )


def _names(claim: str, cited: Sequence[Source]) -> list[str]:
    """Names of the claim that its sources never write."""
    names = dict.fromkeys(_NAME.findall(claim))
    return [name for name in names if not any(one.words.have(name) for one in cited)]


def _negated(text: str) -> bool:
    return len(_NEGATION.findall(text)) % 2 == 1
