"""Which units of the passages to quote, and whether they answer at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from bot import Passage
from bot.text import CJK
from bot_extractive.ranking import Candidate, Ranking, rank
from bot_extractive.terms import PROCEDURE
from bot_extractive.trimming import length, trimmed
from bot_extractive.units import Unit

COMPARED = 12  # best units whose vectors are compared with the question's

# Calibrated on public questions; docs/decisions/extractive-answers.md has the table.
_NEAR = 0.4  # what the cosine with the question counts beside the words
_TOLERANCE = 0.8  # of the best score, which a further quote needs
_ROOM = 40  # words of an answer of several sentences
_LIST = 12  # items, rows or steps that are quoted whole
_LEXICAL = 4.0  # the retriever's score by words, where nothing is known by meaning
_BLIND = 0.15  # trust in the vectors, below which they say nothing of a Chinese question
# Without vectors and scores the words alone decide; of what CJK questions ask, less is found
# literally: bigrams reach across word boundaries.
_WORDS_ALONE, _CJK_WORDS_ALONE = 1.15, 1.6


@dataclass(frozen=True, slots=True)
class Quote:
    """A unit to quote from the passage with this number, counted from 1."""

    marker: int
    unit: Unit


def select(
    question: str,
    queries: Iterable[str],
    passages: Sequence[Passage],
    *,
    max_sentences: int,
    threshold: float,
) -> list[Quote]:
    """Return the units that answer, by words alone; see `choose`."""
    ranking = rank(question, queries, passages)
    return choose(question, ranking, passages, max_sentences=max_sentences, threshold=threshold)


def sighted(question: str, passages: Sequence[Passage]) -> bool:
    """Whether vectors tell anything: an English embedder is blind to Chinese, say.

    The retriever tells how far it trusts them.
    """
    if not CJK.search(question):
        return True
    trust = [passage.evidence.get("semantic_share") or 0.0 for passage in passages]
    return max(trust, default=0.0) >= _BLIND


def choose(
    question: str,
    ranking: Ranking,
    passages: Sequence[Passage],
    cosines: Sequence[float] | None = None,
    *,
    max_sentences: int,
    threshold: float,
) -> list[Quote]:
    """Return the units that answer, in reading order; none when nothing does.

    Args:
        cosines: of the question with the first units of `ranking.best`; None when vectors tell
            nothing.
        threshold: least confidence, 0 to 1.
    """
    sure = confidence(question, ranking, passages, cosines)
    if not ranking.best or sure < threshold:
        return []
    ranked = _ordered(ranking, cosines)
    best = ranked[0]
    chosen = _with_what_follows(best, ranking.candidates, question)
    said = {candidate.unit.text for candidate in chosen}
    room = _ROOM - sum(length(candidate.unit.text) for candidate in chosen)
    for candidate in ranked[1:]:
        if len(chosen) >= max_sentences or candidate.score < _TOLERANCE * best.score:
            break
        words = length(_trimmed(candidate, ranking).text)
        if candidate.unit.text in said or candidate.unit.leads_in or words > room:
            continue
        said.add(candidate.unit.text)
        chosen.append(candidate)
        room -= words
    chosen.sort(key=lambda candidate: candidate.place)
    return [Quote(c.passage + 1, _trimmed(c, ranking)) for c in chosen]


def confidence(
    question: str,
    ranking: Ranking,
    passages: Sequence[Passage],
    cosines: Sequence[float] | None = None,
) -> float:
    """Tell how sure it is that the best unit answers, about 0 to 1.

    The mean of what its words say and of what its vectors say, or, where these say nothing, the
    retriever's own score.
    """
    if not ranking.best:
        return 0.0
    best = _ordered(ranking, cosines)[0]
    around = ranking.around(best)
    words = (best.coverage + 2 * ranking.weight(around)) / 3
    own = ranking.weight(ranking.own)
    if own < 0.999 and any(term not in ranking.terms.weak for term in ranking.own):
        # What is carried over from earlier questions cannot answer for the question's own words.
        asked = ranking.weight(ranking.own & best.terms) + 2 * ranking.weight(ranking.own & around)
        words = min(words, asked / 3 / own)
    if cosines:
        return (words + max(cosines)) / 2
    found: list[float] = [
        passage.evidence["lexical"] * passage.evidence["known"]
        for passage in passages
        if {"lexical", "known"} <= passage.evidence.keys()
    ]
    wide = CJK.search(question) is not None
    if found and wide:
        return (words + _LEXICAL * max(found)) / 2
    return words * (_CJK_WORDS_ALONE if wide else _WORDS_ALONE)


def _ordered(ranking: Ranking, cosines: Sequence[float] | None) -> list[Candidate]:
    """Sort by words and vectors together; what was not compared comes last."""
    if not cosines:
        return list(ranking.best)
    compared = [
        replace(candidate, score=candidate.score + _NEAR * cosine)
        for candidate, cosine in zip(ranking.best, cosines, strict=False)
    ]
    return sorted(compared, key=lambda candidate: -candidate.score)


def _trimmed(candidate: Candidate, ranking: Ranking) -> Unit:
    unit = candidate.unit
    if unit.kind != "prose":
        return unit
    part = trimmed(unit.text, frozenset(ranking.weights), ranking.terms)
    start = unit.start + part.start
    return replace(unit, start=start, end=unit.start + part.stop, text=unit.text[part])


def _with_what_follows(
    best: Candidate, candidates: Sequence[Candidate], question: str
) -> list[Candidate]:
    """Add the list, table or code that a sentence announces, and the other steps of a procedure."""
    procedure = PROCEDURE.search(question) is not None

    def belongs(other: Candidate) -> bool:
        unit = other.unit
        if other.passage != best.passage:
            return False
        if best.unit.leads_in:
            return unit.kind in ("item", "row", "code")
        return procedure and (unit.is_step or unit.kind == "code")

    chosen = [best, *takewhile(belongs, candidates[best.place + 1 :])]
    before = candidates[best.place - 1] if best.place else best
    if best.unit.kind == "code" and before.unit.leads_in and before.passage == best.passage:
        chosen.insert(0, before)
    if procedure and best.unit.is_step:
        chosen += takewhile(belongs, candidates[best.place - 1 :: -1] if best.place else ())
    return chosen[: _LIST + 1]
