"""Which units of the passages answer a question: rarity-weighted words, no learned model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from bot import Passage
from bot.text import CJK
from bot_extractive.terms import PROCEDURE, Terms, wanted
from bot_extractive.units import Unit, units

# The weights of neighbours, headings, kinds and ranks are fitted on half of five question sets;
# docs/decisions/extractive-answers.md has the table.
_BEFORE, _AFTER = 0.25, 0.15  # a question's word in a neighbour counts this much
_HEADING = 0.7  # ... in a heading above, the title or the location
_KIND = 0.06  # has, or lacks, the kind of thing that is asked for
_RANK = 0.35  # times 1/rank of the passage
_LINKS = 0.3  # less for hardly more than links
_CARRIED = 0.5  # a word that only the rewritten query has
_NAMES = 1.5  # a name or number in the question
_WEAK = 0.3  # a word that questions are made of
_TOLERANCE = 0.8  # of the best score, which a further quote needs
# Of what CJK questions ask, less is found literally: bigrams reach across word boundaries.
_CJK_THRESHOLD = 0.7

_NAMED = re.compile(r"(?<!^)\b(?:[A-Z][\w-]*|\d[\d,.]*)")


@dataclass(frozen=True, slots=True)
class Quote:
    """A unit to quote from the passage with this number, counted from 1."""

    marker: int
    unit: Unit


@dataclass(slots=True)
class _Candidate:
    passage: int
    place: int  # among all units of all passages
    unit: Unit
    terms: frozenset[str]
    above: frozenset[str]  # terms of the headings it stands under
    coverage: float = 0.0
    score: float = 0.0


def select(
    question: str,
    queries: Iterable[str],
    passages: Sequence[Passage],
    *,
    max_sentences: int,
    threshold: float,
) -> list[Quote]:
    """Return the units that answer, in reading order; none when nothing does.

    Args:
        threshold: least share of the question, weighed by rarity, that the best unit and its
            passage must cover, 0 to 1.
    """
    terms = Terms()
    candidates = _candidates(passages, terms)
    weights = _weights(question, queries, candidates, terms)
    _score(question, candidates, weights)
    ranked = sorted(
        (c for c in candidates if c.coverage and _may_be_quoted(c, weights)),
        key=lambda candidate: -candidate.score,
    )
    if CJK.search(question):
        threshold *= _CJK_THRESHOLD
    if not ranked or _confidence(ranked[0], candidates, weights) < threshold:
        return []
    chosen = _with_what_follows(ranked[0], candidates, question)[:max_sentences]
    said = {c.unit.text for c in chosen}
    for candidate in ranked[1:]:
        if candidate.score < _TOLERANCE * ranked[0].score:
            break
        if candidate.unit.text not in said and not candidate.unit.leads_in:
            said.add(candidate.unit.text)
            chosen.append(candidate)
    chosen = sorted(chosen[:max_sentences], key=lambda candidate: candidate.place)
    return [Quote(c.passage + 1, c.unit) for c in chosen]


def _candidates(passages: Sequence[Passage], terms: Terms) -> list[_Candidate]:
    found: list[_Candidate] = []
    for number, passage in enumerate(passages):
        title = frozenset(terms(f"{passage.title} {passage.location}"))
        headings: list[tuple[int, frozenset[str]]] = []
        above = title
        for unit in units(passage.text):
            own = frozenset(terms(unit.text))
            if unit.kind in ("heading", "line"):
                level = len(unit.text) - len(unit.text.lstrip("#")) or 7
                headings = [h for h in headings if h[0] < level] + [(level, own)]
                above = title.union(*(h[1] for h in headings))
            found.append(_Candidate(number, len(found), unit, own, above))
    return found


def _weights(
    question: str, queries: Iterable[str], candidates: Sequence[_Candidate], terms: Terms
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


def _score(question: str, candidates: Sequence[_Candidate], weights: dict[str, float]) -> None:
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


def _may_be_quoted(candidate: _Candidate, weights: dict[str, float]) -> bool:
    unit = candidate.unit
    if unit.kind in ("heading", "rule"):
        return False
    # A title or a question that only repeats what was asked answers nothing.
    repeats = unit.kind == "line" or unit.text.endswith(("?", "？"))
    return not (repeats and candidate.terms <= weights.keys())


def _confidence(
    best: _Candidate, candidates: Iterable[_Candidate], weights: dict[str, float]
) -> float:
    """The share of the question that the best unit covers, and twice that of its passage."""
    around = best.above.union(*(c.terms for c in candidates if c.passage == best.passage))
    return (best.coverage + 2 * sum(weights[term] for term in around & weights.keys())) / 3


def _with_what_follows(
    best: _Candidate, candidates: Sequence[_Candidate], question: str
) -> list[_Candidate]:
    """Add the list, table or code that a sentence announces, and the other steps of a procedure."""
    procedure = PROCEDURE.search(question) is not None

    def belongs(other: _Candidate) -> bool:
        unit = other.unit
        if other.passage != best.passage:
            return False
        if best.unit.leads_in:
            return unit.kind in ("item", "row", "code")
        return procedure and (unit.is_step or unit.kind == "code")

    chosen = [best, *takewhile(belongs, candidates[best.place + 1 :])]
    if procedure and best.unit.is_step:
        chosen += takewhile(belongs, candidates[best.place - 1 :: -1] if best.place else ())
    return chosen
