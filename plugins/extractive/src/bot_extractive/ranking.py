"""How well each unit of the passages fits a question: rarity-weighted words, no learned model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot import Passage
from bot_extractive.terms import Terms, wanted
from bot_extractive.units import Unit, units

# Fitted on half of the questions of XQuAD (English); docs/decisions/extractive-answers.md.
_BEFORE, _AFTER = 0.5, 0.3  # a question's word in a neighbour counts this much
_HEADING = 0.6  # ... in a heading above, the title or the location
_KIND = 0.05  # has, or lacks, the kind of thing that is asked for
_RANK = 0.3  # times 1/rank of the passage
_LINKS = 0.3  # less for hardly more than links
_CARRIED = 0.5  # a word that only the rewritten query has
_NAMES = 1.5  # a name or number in the question
_WEAK = 0.3  # a word that questions are made of

_NAMED = re.compile(r"(?<!^)\b(?:[A-Z][\w-]*|\d[\d,.]*)")


@dataclass(slots=True)
class Candidate:
    """A unit, and how well it fits.

    Attributes:
        place: among all units of all passages.
        above: terms of the headings it stands under.
        coverage: which share of the question it holds, weighed by rarity.
    """

    passage: int
    place: int
    unit: Unit
    terms: frozenset[str]
    above: frozenset[str]
    coverage: float = 0.0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """All units of the passages of a question.

    Attributes:
        candidates: in reading order.
        best: those that may be quoted and hold something of the question, the best first.
        weights: what the question's terms count; they sum to 1.
        own: the terms of the question itself; the others are carried over from earlier ones.
        terms: splits text into terms.
    """

    candidates: Sequence[Candidate]
    best: Sequence[Candidate]
    weights: dict[str, float]
    own: frozenset[str]
    terms: Terms

    def around(self, candidate: Candidate) -> frozenset[str]:
        """Return the terms of a candidate's passage, and of the headings above it."""
        of_passage = (c.terms for c in self.candidates if c.passage == candidate.passage)
        return candidate.above.union(*of_passage)

    def weight(self, terms: Iterable[str]) -> float:
        """Add up what terms count in the question."""
        return sum(self.weights[term] for term in terms if term in self.weights)


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
    candidates = _candidates(question, passages, terms, glossary)
    weights = _weights(question, queries, candidates, terms)
    _score(question, candidates, weights)
    best = sorted(
        (c for c in candidates if c.coverage and _may_be_quoted(c, weights)),
        key=lambda candidate: -candidate.score,
    )
    return Ranking(candidates, best, weights, frozenset(terms(question)), terms)


def _candidates(
    question: str, passages: Sequence[Passage], terms: Terms, glossary: Sequence[Sequence[str]]
) -> list[Candidate]:
    meant = [[frozenset(terms(phrase)) for phrase in group] for group in glossary]

    def understood(text: str) -> frozenset[str]:
        """Terms, and those of the question for which the text has another word."""
        found = frozenset(terms(text))
        for asked, *others in meant:
            if any(other and other <= found for other in others):
                found |= asked
        return found

    found: list[Candidate] = []
    for number, passage in enumerate(passages):
        title = understood(f"{passage.title} {passage.location}")
        headings: list[tuple[int, frozenset[str]]] = []
        above = title
        for unit in units(passage.text):
            # An example that asks the very question is no answer to it.
            said = unit.text.replace(question, "") if unit.kind == "code" else unit.text
            own = understood(said)
            if unit.kind in ("heading", "line"):
                level = len(unit.text) - len(unit.text.lstrip("#")) or 7
                headings = [h for h in headings if h[0] < level] + [(level, own)]
                above = title.union(*(h[1] for h in headings))
            found.append(Candidate(number, len(found), unit, own, above))
    return found


def _weights(
    question: str, queries: Iterable[str], candidates: Sequence[Candidate], terms: Terms
) -> dict[str, float]:
    """Weigh the question's terms by their rarity among the units; the weights sum to 1."""
    count = len(candidates)
    found = Counter(term for candidate in candidates for term in candidate.terms)
    names = frozenset(terms(" ".join(_NAMED.findall(question))))

    def weight(term: str) -> float:
        rarity = math.log(1 + (count - found[term] + 0.5) / (found[term] + 0.5))
        return rarity * (_WEAK if term in terms.weak else 1) * (_NAMES if term in names else 1)

    weights = {term: weight(term) for term in terms(question)}
    for query in queries:
        for term in terms(query):
            weights.setdefault(term, _CARRIED * weight(term))
    total = sum(weights.values()) or 1.0
    return {term: value / total for term, value in weights.items()}


def _score(question: str, candidates: Sequence[Candidate], weights: dict[str, float]) -> None:
    asked = weights.keys()
    nothing: frozenset[str] = frozenset()
    hits = [candidate.terms & asked for candidate in candidates]
    shape = wanted(question)
    lower = question.lower()
    for at, one in enumerate(candidates):
        own = hits[at]
        one.coverage = sum(weights[term] for term in own)
        if not own:
            continue
        last = at + 1 == len(candidates) or candidates[at + 1].passage != one.passage
        first = at == 0 or candidates[at - 1].passage != one.passage
        before = nothing if first else hits[at - 1]
        after = nothing if last else hits[at + 1]
        one.score = (
            one.coverage
            + _BEFORE * sum(weights[term] for term in before - own)
            + _AFTER * sum(weights[term] for term in after - own)
            + _HEADING * sum(weights[term] for term in (one.above & asked) - own)
            + _RANK / (one.passage + 1)
            - (_LINKS if one.unit.is_links else 0)
        )
        if shape is not None:
            there = any(
                m[0].lower() not in lower or len(m[0]) == 1 for m in shape.finditer(one.unit.text)
            )
            one.score += _KIND if there else -_KIND


def _may_be_quoted(candidate: Candidate, weights: dict[str, float]) -> bool:
    unit = candidate.unit
    if unit.kind in ("heading", "rule"):
        return False
    # A title or a question that only repeats what was asked answers nothing.
    repeats = unit.kind == "line" or unit.text.endswith(("?", "？"))
    return not (repeats and candidate.terms <= weights.keys())
