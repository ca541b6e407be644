"""How well each unit of the passages fits a question: rarity-weighted words, no learned model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from bot import Passage
from bot.text import CJK
from bot_extractive.kinds import PROCEDURE, Wanted, wanted
from bot_extractive.terms import Terms, characters, everyday
from bot_extractive.units import Unit, units

# Fitted on half of the questions of XQuAD (English); docs/decisions/extractive-answers.md.
_BEFORE, _AFTER = 0.5, 0.3  # a question's word in a neighbour counts this much
_HEADING = 0.6  # ... in a heading above, the title or the location
_SECTION = 0.3  # ... in the nearest heading, when that says little else
# The same of Chinese, Japanese and Korean, where a term counts once, in the first of these places.
_ABOVE_WIDE, _BEFORE_WIDE, _EARLIER_WIDE, _AFTER_WIDE = 0.9, 0.45, 0.3, 0.2
_KIND, _KIND_WIDE = 0.05, 0.08  # has, or lacks, the kind of thing that is asked for
_SAYS = 0.25  # says what something is, where that is asked, or does not
_CODE = 0.3  # more for code when the way to do something is asked for, else less
_RANK = 0.3  # times 1/rank of the passage
_LINKS = 0.3  # less for hardly more than links
_CARRIED = 0.5  # a word that only the rewritten query has
_ALONE = 0.3  # of a CJK character's weight, where none of its neighbours stands beside it
_NAMES = 1.5  # a name or number in the question
_WORD_WIDE = 2.5  # a word or number among Chinese, Japanese and Korean characters, which count each
_WEAK = 0.3  # a word that questions are made of
_EVERYDAY = 0.3  # a character of an everyday word, for telling whether anything answers

_NOTHING: frozenset[str] = frozenset()
_NAMED = re.compile(r"(?<!^)\b(?:[A-Z][\w-]*|\d[\d,.]*)")


@dataclass(slots=True)
class Candidate:
    """A unit, and how well it fits.

    Attributes:
        place: among all units of all passages.
        above: terms of the headings it stands under, and of its table's first row.
        section: the place of the nearest heading, or of the first unit of its passage.
        under: terms of that heading alone.
        coverage: which share of the question it holds, weighed by rarity.
    """

    passage: int
    place: int
    unit: Unit
    terms: frozenset[str]
    above: frozenset[str]
    section: int
    under: frozenset[str]
    coverage: float = 0.0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """All units of the passages of a question.

    Attributes:
        candidates: in reading order.
        best: those that may be quoted and hold something of the question, the best first.
        weights: what the question's terms count; they sum to 1.
        telling: what they count for whether anything answers; everyday words are in any text.
        own: the terms of the question itself; the others are carried over from earlier ones.
        terms: splits text into terms.
        wanted: the kind of thing that is asked for, where that is known.
    """

    candidates: Sequence[Candidate]
    best: Sequence[Candidate]
    weights: dict[str, float]
    telling: dict[str, float]
    own: frozenset[str]
    terms: Terms
    wanted: Wanted | None

    def around(self, candidate: Candidate) -> frozenset[str]:
        """Return the terms of a candidate's passage, and of the headings above it."""
        of_passage = (c.terms for c in self.candidates if c.passage == candidate.passage)
        return candidate.above.union(*of_passage)

    def told(self, terms: Iterable[str]) -> float:
        """Add up what terms count of the question for whether anything answers."""
        return sum(self.telling[term] for term in terms if term in self.telling)


def rank(
    question: str,
    queries: Iterable[str],
    passages: Sequence[Passage],
    glossary: Sequence[Sequence[str]] = (),
) -> Ranking:
    """Rank the units of the passages.

    Args:
        queries: the question made standalone, and its variants.
        glossary: phrases that mean the same, the one that the question has first.
    """
    terms = Terms()
    queries = [question, *queries]
    understood = _Understood(queries, terms, glossary)
    candidates = _candidates(question, passages, understood)
    weights = _weights(queries, candidates, understood)
    kind = wanted(question)
    _score(question, kind, candidates, weights)
    best = sorted(
        (
            one
            for one, after in pairwise([*candidates, None])
            if one is not None and one.coverage and _may_be_quoted(one, after, weights)
        ),
        key=lambda candidate: -candidate.score,
    )
    telling = _telling(weights, queries)
    return Ranking(candidates, best, weights, telling, understood(question), terms, kind)


def _candidates(
    question: str, passages: Sequence[Passage], understood: _Understood
) -> list[Candidate]:
    found: list[Candidate] = []
    for number, passage in enumerate(passages):
        title = understood(f"{passage.title} {passage.location}")
        headings: list[tuple[int, frozenset[str]]] = []
        above, section, under, columns = title, len(found), _NOTHING, _NOTHING
        for unit, after in pairwise([*units(passage.text), None]):
            assert unit is not None
            # An example that asks the very question is no answer to it.
            said = unit.text.replace(question, "") if unit.kind == "code" else unit.text
            own = understood(said)
            if unit.kind in ("heading", "line"):
                level = len(unit.text) - len(unit.text.lstrip("#")) or 7
                headings = [h for h in headings if h[0] < level] + [(level, own)]
                above = title.union(*(h[1] for h in headings))
                section, under = len(found), own
            if not unit.in_table:
                columns = _NOTHING
            elif unit.heads(after):
                columns = own
            found.append(Candidate(number, len(found), unit, own, above | columns, section, under))
    return found


class _Understood:
    """Take terms from a text, and those of the question for which the text has other words."""

    def __init__(
        self, queries: Sequence[str], terms: Terms, glossary: Sequence[Sequence[str]]
    ) -> None:
        self.terms = terms
        self._meant = [[frozenset(terms(phrase)) for phrase in group] for group in glossary]
        asked = terms(queries[0])
        # "roll back" is "rollback", and the other way round.
        self._joined = {a + b: {a, b} for a, b in pairwise(asked) if a.isascii() and b.isascii()}
        self._asked = frozenset(asked)
        self._characters = {
            name: pairs for query in queries for name, pairs in characters(query).items()
        }

    def __call__(self, text: str) -> frozenset[str]:
        said = self.terms(text)
        found = set(said)
        for a, b in pairwise(said):
            if a + b in self._asked:
                found = found - {a, b} | {a + b}
        for one in found & self._joined.keys():
            found |= self._joined[one]
        for asked, *others in self._meant:
            if any(other and other <= found for other in others):
                found |= asked
        if self._characters:
            held = {name for name, pairs in self._characters.items() if pairs & found}
            found |= {one for term in said if CJK.match(term) for one in term} | held
        return frozenset(found)


def _weights(
    queries: Sequence[str], candidates: Sequence[Candidate], understood: _Understood
) -> dict[str, float]:
    """Weigh the question's terms by their rarity among the units; the weights sum to 1.

    Of Chinese, Japanese and Korean a character counts, most of it where it stands beside one of
    its neighbours in the question: a bigram across two words is found nowhere, and says nothing.
    """
    terms = understood.terms
    count = len(candidates)
    found = Counter(term for candidate in candidates for term in candidate.terms)
    names = frozenset(terms(" ".join(_NAMED.findall(queries[0]))))
    wide = CJK.search(queries[0]) is not None

    def rarity(term: str) -> float:
        return math.log(1 + (count - found[term] + 0.5) / (found[term] + 0.5))

    def counts(query: str, share: float) -> Iterable[tuple[str, float]]:
        for name, pairs in characters(query).items():
            value = share * rarity(name[1])
            yield name[1], _ALONE * value
            if pairs:
                yield name, (1 - _ALONE) * value
        for term in terms(query):
            value = share * rarity(term) * (_WEAK if term in terms.weak else 1)
            value *= _WORD_WIDE if wide else _NAMES if term in names else 1
            yield term, 0 if CJK.match(term) else value

    weights: dict[str, float] = {}
    for place, query in enumerate(queries):
        for term, value in counts(query, _CARRIED if place else 1):
            weights.setdefault(term, value)
    total = sum(weights.values()) or 1.0
    return {term: value / total for term, value in weights.items()}


def _telling(weights: dict[str, float], queries: Sequence[str]) -> dict[str, float]:
    """Let everyday words of Chinese count less: rare in a few passages, they stand in any text."""
    common = everyday(" ".join(queries))
    told = {term: value * (_EVERYDAY if term in common else 1) for term, value in weights.items()}
    total = sum(told.values()) or 1.0
    return {term: value / total for term, value in told.items()}


def _score(
    question: str,
    kind: Wanted | None,
    candidates: Sequence[Candidate],
    weights: dict[str, float],
) -> None:
    asked = weights.keys()
    hits = [candidate.terms.intersection(asked) for candidate in candidates]
    procedure = PROCEDURE.search(question) is not None
    wide = CJK.search(question) is not None
    around, of_kind = _around, _KIND
    if wide:
        around, of_kind = partial(_around_wide, _earlier(candidates, hits)), _KIND_WIDE
    for at, one in enumerate(candidates):
        one.coverage = sum(weights[term] for term in hits[at])
        if not hits[at]:
            continue
        one.score = (
            one.coverage
            + around(at, candidates, hits, weights)
            + _SECTION * _named_by(one.under, weights)
            + _RANK / (one.passage + 1)
            + ((_CODE if procedure else -_CODE) if one.unit.kind == "code" else 0)
            - (_LINKS if one.unit.is_links else 0)
        )
        if kind is not None:
            value = _SAYS if kind.says else of_kind
            one.score += value if kind.has(one.unit.text) else -value


def _around(
    at: int,
    candidates: Sequence[Candidate],
    hits: Sequence[frozenset[str]],
    weights: dict[str, float],
) -> float:
    """What the question's terms count that stand in neighbours and headings only."""
    before, after = _neighbours(at, candidates, hits)
    return (
        _BEFORE * sum(weights[term] for term in before - hits[at])
        + _AFTER * sum(weights[term] for term in after - hits[at])
        + _HEADING
        * sum(weights[term] for term in (candidates[at].above & weights.keys()) - hits[at])
    )


def _earlier(
    candidates: Sequence[Candidate], hits: Sequence[frozenset[str]]
) -> list[frozenset[str]]:
    """The question's terms in all of its passage before each unit."""
    earlier: list[frozenset[str]] = []
    passage, seen = -1, _NOTHING
    for one, own in zip(candidates, hits, strict=True):
        if one.passage != passage:
            passage, seen = one.passage, _NOTHING
        earlier.append(seen)
        seen |= own
    return earlier


def _around_wide(
    earlier: Sequence[frozenset[str]],
    at: int,
    candidates: Sequence[Candidate],
    hits: Sequence[frozenset[str]],
    weights: dict[str, float],
) -> float:
    """The same of Chinese, Japanese and Korean, where the whole passage before it counts."""
    before, after = _neighbours(at, candidates, hits)
    places = (
        (_ABOVE_WIDE, candidates[at].above & weights.keys()),
        (_BEFORE_WIDE, before),
        (_EARLIER_WIDE, earlier[at]),
        (_AFTER_WIDE, after),
    )
    total, seen = 0.0, hits[at]
    for value, terms in places:
        total += value * sum(weights[term] for term in terms - seen)
        seen |= terms
    return total


def _neighbours(
    at: int, candidates: Sequence[Candidate], hits: Sequence[frozenset[str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """The question's terms in the unit before, of the same passage, and after, of the section."""
    last = at + 1 == len(candidates) or candidates[at + 1].section != candidates[at].section
    first = at == 0 or candidates[at - 1].passage != candidates[at].passage
    return _NOTHING if first else hits[at - 1], _NOTHING if last else hits[at + 1]


def _named_by(heading: frozenset[str], weights: dict[str, float]) -> float:
    """How much of the question a heading holds, and of the heading the question; both at once."""
    asked = heading & weights.keys()
    return sum(weights[term] for term in asked) * len(asked) / len(heading) if asked else 0.0


def _may_be_quoted(
    candidate: Candidate, after: Candidate | None, weights: dict[str, float]
) -> bool:
    unit = candidate.unit
    if unit.kind in ("heading", "rule"):
        return False
    follows = after.unit if after is not None and after.passage == candidate.passage else None
    # What it announces, or the row below, is not here.
    if (unit.leads_in and follows is None) or unit.heads(follows):
        return False
    # A question answers nothing, nor does a title that only repeats what was asked.
    if unit.text.rstrip('*_"”’」』）) ').endswith(("?", "？")):
        return False
    return unit.kind != "line" or not candidate.terms <= weights.keys()
