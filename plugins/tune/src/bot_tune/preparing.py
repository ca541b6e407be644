"""Data is prepared before a model learns from it, and everything that is left out has a reason."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bot.document import PersonalData
from bot.indexing.duplicates import Duplicates
from bot.indexing.redaction import replaced
from bot_tune import cleaning, leaks
from bot_tune.examples import Conversation, Example, Text, as_json
from bot_tune.leaks import Leaks, Question
from bot_tune.revealing import revealing

Reason: TypeAlias = Literal["unusable", "duplicate", "near duplicate", "leak"]
Detect: TypeAlias = Callable[[str], Awaitable[Sequence[PersonalData]]]

_NUMBER = re.compile(r"\d+")
_BETWEEN = "\n\n"  # no personal data reaches over an empty line
_WORDS = {
    "unusable": ("that cannot be used", "that cannot be used"),
    "duplicate": ("that says the same as another", "that say the same as others"),
    "near duplicate": (
        "that says nearly the same as another",
        "that say nearly the same as others",
    ),
    "leak": ("that holds a question of the tests", "that hold questions of the tests"),
}


@dataclass(frozen=True, slots=True)
class Dropped:
    """An example that is left out.

    Attributes:
        detail: why it cannot be used, or the place of what it repeats.
    """

    place: str
    reason: Reason
    detail: str


@dataclass(slots=True)
class Prepared:
    """What is left of some examples, and all that was found out about them.

    Attributes:
        examples: to learn from, in their order.
        cleaned: how many texts had what was cleaned.
        personal: places of examples by the kind of personal data in them, of those that are left.
        redacted: how many spans were replaced by their kinds.
        doubtful: places of examples that are left and should be looked at, by what is odd: the same
            question with two answers, or a text that repeats itself.
        tokens: of each example that is left.
    """

    examples: list[Example] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    cleaned: Counter[str] = field(default_factory=Counter)
    personal: dict[str, list[str]] = field(default_factory=dict)
    redacted: int = 0
    doubtful: dict[str, list[str]] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)

    def left_out(self) -> list[str]:
        """What was left out and why, a phrase each: "2 examples that …"."""
        counts = Counter(one.reason for one in self.dropped)
        first = {one.reason: one for one in reversed(self.dropped)}
        return [
            f"{_many(count)} {_WORDS[reason][count > 1]}"
            f" ({first[reason].place}: {first[reason].detail})"
            for reason, count in counts.items()
        ]

    def warnings(self) -> list[str]:
        """What a person should look at before a model learns it, a phrase each."""
        found = [
            f"{_many(len(places))} with {kind} data ({places[0]})"
            for kind, places in self.personal.items()
        ]
        found += [
            f"{_many(len(places))} {name} ({places[0]})" for name, places in self.doubtful.items()
        ]
        return found


async def prepare(
    examples: Iterable[Example],
    *,
    tests: Iterable[Question] = (),
    redact: Collection[str] = (),
    detect: Detect | None = None,
    count: Callable[[str], int] | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Prepared:
    """Clean examples, leave out what must not be learned or is learned already, look at the rest.

    Of several that say the same to the same readers, the first is kept.

    Args:
        tests: questions that are measured with; an example that holds one is left out.
        redact: kinds of personal data that are replaced by `[KIND]`.
        detect: finds personal data; keys and public addresses with it, by default.
        count: counts tokens; without it they are estimated.
        told: is called with the number of examples that were looked at.
    """
    found = Prepared()
    known, leaking = Known(), Leaks(tests)
    for number, given in enumerate(examples, 1):
        example, cleaned = cleaning.clean(given)
        found.cleaned += cleaned
        spans = await (detect or _detect)(_BETWEEN.join(cleaning.texts_of(example)))
        example, redacted = _redacted(example, [one for one in spans if one.kind in redact])
        if dropped := _judged(example, known, leaking):
            found.dropped.append(dropped)
        else:
            found.redacted += redacted
            _keep(example, {one.kind for one in spans} - set(redact), known, found, count)
        told(number)
    return found


def _judged(example: Example, known: Known, leaking: Leaks) -> Dropped | None:
    if why := cleaning.unusable(example):
        return Dropped(example.place, "unusable", why)
    if place := leaking.found(example):
        return Dropped(example.place, "leak", place)
    if repeated := known.repeated(example):
        return Dropped(example.place, *repeated)
    return None


def _keep(
    example: Example,
    kinds: Collection[str],
    known: Known,
    found: Prepared,
    count: Callable[[str], int] | None,
) -> None:
    if other := known.learn(example):
        found.doubtful.setdefault("with two answers", []).append(f"{other} and {example.place}")
    if cleaning.repeats_itself(example):
        found.doubtful.setdefault("repeating themselves", []).append(example.place)
    for kind in sorted(kinds):
        found.personal.setdefault(kind, []).append(example.place)
    texts = cleaning.texts_of(example)
    found.examples.append(example)
    found.tokens.append(sum(map(count or estimate, texts)))


class Known:
    """The examples that are kept so far, by who may read them: only equals replace each other."""

    def __init__(self) -> None:
        self._equal: dict[Hashable, str] = {}
        self._asked: defaultdict[Hashable, dict[Hashable, str]] = defaultdict(dict)
        self._long = Duplicates()
        self._numbers: dict[str, list[str]] = {}
        self._groups: set[str] = set()

    def repeated(self, example: Example) -> tuple[Reason, str] | None:
        """Find what an example repeats: how, and where that stands."""
        if place := self._equal.get(_equal(example)):
            return "duplicate", place
        if example.group and example.group in self._groups:
            return None  # made from one that is kept, in order to differ a little
        asked = _asked(example)
        if asked and (place := self._asked[asked].get(_answer(example))):
            return "near duplicate", place
        text = _BETWEEN.join(cleaning.texts_of(example))
        alike = self._long.like(text, example.readers)
        # Where a single number differs, something else is said.
        if alike and self._numbers[alike[0]] == _NUMBER.findall(text):
            return "near duplicate", alike[0]
        return None

    def learn(self, example: Example) -> str:
        """Remember an example; return where its question has another answer, if anywhere."""
        self._equal.setdefault(_equal(example), example.place)
        conflict = ""
        if asked := _asked(example):
            conflict = next(iter(self._asked[asked].values()), "")
            self._asked[asked].setdefault(_answer(example), example.place)
        if example.group:
            if example.group in self._groups:
                return ""
            self._groups.add(example.group)
        text = _BETWEEN.join(cleaning.texts_of(example))
        self._long.learn(example.place, text, example.readers)
        self._numbers[example.place] = _NUMBER.findall(text)
        return conflict


def _many(count: int) -> str:
    return f"{count} example{'s' if count > 1 else ''}"


def estimate(text: str) -> int:
    """Guess tokens as `bot.prompt.estimate_tokens` does, which errs towards more."""
    return len(text.encode()) // 3 + 1


async def _detect(text: str) -> Sequence[PersonalData]:
    return revealing(text)


def _redacted(example: Example, spans: Sequence[PersonalData]) -> tuple[Example, int]:
    """Replace spans that are counted in all texts of an example, one after the other."""
    if not spans:
        return example, 0
    at = total = 0

    def change(text: str) -> str:
        nonlocal at, total
        own = [
            PersonalData(start=one.start - at, end=one.end - at, kind=one.kind)
            for one in spans
            if one.start < at + len(text) and one.end > at
        ]
        at += len(text) + len(_BETWEEN)
        changed, count = replaced(text, own)
        total += count
        return changed

    return cleaning.with_texts(example, change), total


def _equal(example: Example) -> Hashable:
    said = {**as_json(example), "group": "", "readers": sorted(example.readers)}
    return " ".join(repr(sorted(said.items())).casefold().split())


def _asked(example: Example) -> Hashable:
    """What a conversation of one exchange asks, and of whom."""
    if isinstance(example, Conversation) and len(example.messages) == 2:
        return leaks.key(example.messages[0].content), example.readers
    return None


def _answer(example: Example) -> Hashable:
    assert not isinstance(example, Text)
    return tuple(re.findall(r"\w+", example.messages[-1].content.casefold()))
