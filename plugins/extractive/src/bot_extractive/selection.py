"""Which units of the passages to quote, and whether they answer at all."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from bot import Passage
from bot.phrases import language
from bot.text import CJK
from bot_extractive.kinds import PROCEDURE, is_open
from bot_extractive.ranking import Candidate, Ranking, rank
from bot_extractive.terms import NAME, characters
from bot_extractive.trimming import length, trimmed
from bot_extractive.units import Unit

COMPARED = 12  # best units whose vectors are compared with the question's

# Calibrated on public questions; docs/decisions/extractive-answers.md has the table.
_NEAR = 0.4  # what the cosine with the question counts beside the words
_SHARP, _SHARP_WIDE = 7.0, 10.0  # what a score is multiplied with for the chance to answer
_LIKELY = 0.4  # of the best one's chance, which a further quote needs
_WORTH, _WORTH_OPEN = 0.0125, 0.0085  # the chance that a further quote must bring for each word
_WORTH_WIDE, _WORTH_WIDE_OPEN = 0.015, 0.012  # the same of Chinese, Japanese and Korean
_PRICE_WIDE = 0.011  # the chance for which the first quote may have a word more
_ALIKE = 0.8  # of a unit's terms, which another quote has already
_BESIDE = 3  # units after a sentence among which its command is looked for
_LIST = 12  # items, rows or steps that are quoted whole
_UNHEARD = 0.1  # less when a name is asked for that stands nowhere
_LEXICAL = 3.1  # the retriever's score by words, where nothing is known by meaning
_LONG, _DOZEN = 0.18, 13  # more for a question of many characters: chance finds those of few
BLIND = 0.15  # trust below which vectors are not asked for
_WORDS_ALONE = 1.3  # times what words say of English, without vectors and scores


_WORD = re.compile(r"[A-Za-z0-9]+")
_INLINE = re.compile(r"`[^`\n]+ [^`\n]+`")  # a command in a sentence


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


def trust(question: str, passages: Sequence[Passage]) -> float:
    """How far vectors tell anything, 0 to 1: an English embedder is blind to Chinese, say.

    The retriever tells how far it trusts them.
    """
    if not CJK.search(question):
        return 1.0
    return max((one.evidence.get("semantic_share") or 0.0 for one in passages), default=0.0)


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
    ranked = _ordered(ranking, cosines, _NEAR * trust(question, passages))
    wide = CJK.search(question) is not None
    chances = _chances(ranked, _SHARP_WIDE if wide else _SHARP)
    units = [_trimmed(one, ranking) for one in ranked[: len(chances)]]
    words = [length(unit.text) for unit in units]
    first = _cheapest(units, chances, words) if wide else 0
    chosen = _with_what_belongs(ranked[first], ranking.candidates, question)
    worth = _worth(question, wide)
    for candidate, chance, count in zip(ranked, chances, words, strict=False):
        if len(chosen) >= max_sentences or chance < _LIKELY * chances[first]:
            break
        if candidate.unit.leads_in or candidate.unit.kind == "code" or candidate is ranked[first]:
            continue
        if any(_alike(candidate, other) for other in chosen):
            continue
        if chance >= worth * count:
            chosen.append(candidate)
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
    best = _ordered(ranking, cosines, _NEAR * trust(question, passages))[0]
    around = ranking.around(best)
    words = (ranking.told(best.terms) + 2 * ranking.told(around)) / 3
    own = ranking.told(ranking.own)
    if own < 0.999 and any(term not in ranking.terms.weak for term in ranking.own):
        # What is carried over from earlier questions cannot answer for the question's own words.
        asked = ranking.told(ranking.own & best.terms) + 2 * ranking.told(ranking.own & around)
        words = min(words, asked / 3 / own)
    sure = (words + _meant(question, words, passages, cosines)) / 2
    return sure - _UNHEARD if _unheard(question, ranking) else sure


def _unheard(question: str, ranking: Ranking) -> bool:
    """Whether a name in an English question stands nowhere in the passages."""
    names = NAME.findall(question)
    # Where everything has a capital, capitals tell nothing; nor do they in German.
    if not names or 2 * len(names) > len(question.split()) or language(question) != "en":
        return False
    held = frozenset[str]().union(*(one.terms | one.above for one in ranking.candidates))
    return not held.issuperset(ranking.terms(" ".join(names)))


def _meant(
    question: str, words: float, passages: Sequence[Passage], cosines: Sequence[float] | None
) -> float:
    """What vectors say of the best unit; as far as they tell nothing, what stands in for them."""
    trusted = trust(question, passages) if cosines else 0.0
    meant = trusted * max(cosines) if cosines else 0.0
    if trusted == 1:
        return meant
    found: list[float] = [
        passage.evidence["lexical"] * passage.evidence["known"]
        for passage in passages
        if {"lexical", "known"} <= passage.evidence.keys()
    ]
    wide = CJK.search(question) is not None
    asked = len(characters(question)) + 2 * len(_WORD.findall(question))
    if found and wide:
        instead = _LEXICAL * max(found) + _LONG * math.log((1 + asked) / _DOZEN)
    else:
        instead = words if wide else _WORDS_ALONE * words
    return meant + (1 - trusted) * instead


def _ordered(ranking: Ranking, cosines: Sequence[float] | None, near: float) -> list[Candidate]:
    """Sort by words and vectors together; what was not compared comes last.

    Args:
        near: what a cosine counts beside the words.
    """
    if not cosines:
        return list(ranking.best)
    compared = [
        replace(candidate, score=candidate.score + near * cosine)
        for candidate, cosine in zip(ranking.best, cosines, strict=False)
    ]
    return sorted(compared, key=lambda candidate: -candidate.score)


def _chances(ranked: Sequence[Candidate], sharp: float) -> list[float]:
    """How likely each unit is to answer, given that one of them does; by their scores."""
    shares = [math.exp(sharp * (one.score - ranked[0].score)) for one in ranked[:COMPARED]]
    total = sum(shares)
    return [share / total for share in shares]


def _cheapest(units: Sequence[Unit], chances: Sequence[float], words: Sequence[float]) -> int:
    """Choose the first sentence, a shorter one that is about as likely before the likeliest."""
    if units[0].kind != "prose":
        return 0
    prose = [place for place, unit in enumerate(units) if unit.kind == "prose"]
    return max(prose, key=lambda place: chances[place] - _PRICE_WIDE * words[place])


def _worth(question: str, wide: bool) -> float:
    """The chance that a further quote must bring for each word; less where more answers."""
    if is_open(question):
        return _WORTH_WIDE_OPEN if wide else _WORTH_OPEN
    return _WORTH_WIDE if wide else _WORTH


def _trimmed(candidate: Candidate, ranking: Ranking) -> Unit:
    unit = candidate.unit
    if unit.kind != "prose":
        return unit
    part = trimmed(unit.text, frozenset(ranking.weights), ranking.terms, ranking.wanted)
    start = unit.start + part.start
    return replace(unit, start=start, end=unit.start + part.stop, text=unit.text[part])


def _alike(one: Candidate, other: Candidate) -> bool:
    """Whether a unit says nearly nothing that another one does not."""
    return len(one.terms & other.terms) >= _ALIKE * len(one.terms)


def _with_what_belongs(
    best: Candidate, candidates: Sequence[Candidate], question: str
) -> list[Candidate]:
    """Add what a reader needs beside the best unit.

    That is the list, table or code that it announces, the columns' names of a table's row, and
    for a procedure its other steps, or its command and what is said of it.
    """
    after = [one for one in candidates[best.place + 1 :] if one.section == best.section]
    before = [one for one in candidates[: best.place] if one.section == best.section][::-1]
    procedure = PROCEDURE.search(question) is not None
    if best.unit.leads_in:
        chosen = [best, *takewhile(lambda one: one.unit.is_part, after)]
    elif best.unit.in_table:
        table = list(takewhile(lambda one: one.unit.in_table, before))[::-1]
        chosen = [*table[: 2 if len(table) > 1 and table[1].unit.kind == "rule" else 0], best]
    elif procedure and best.unit.is_step:
        chosen = [best, *takewhile(_is_step, after), *takewhile(_is_step, before)]
    elif best.unit.kind == "code":
        chosen = _explained(best, before, after)
    else:
        chosen = [best, *(_command(best, before, after) if procedure else ())]
    return chosen[: _LIST + 1]


def _explained(
    code: Candidate, before: Sequence[Candidate], after: Sequence[Candidate]
) -> list[Candidate]:
    """Code with the sentence beside it that announces it or speaks of what is asked."""
    if (
        before
        and before[0].unit.kind == "prose"
        and (before[0].unit.leads_in or before[0].coverage)
    ):
        return [before[0], code]
    return [code, *(one for one in after[:1] if one.unit.kind == "prose" and one.coverage)]


def _is_step(one: Candidate) -> bool:
    return one.unit.is_step or one.unit.kind == "code"


def _command(
    best: Candidate, before: Sequence[Candidate], after: Sequence[Candidate]
) -> Iterable[Candidate]:
    """The code beside a sentence that has no command of its own, and what announces it."""
    if _INLINE.search(best.unit.text):
        return ()
    for place, one in enumerate(after[:_BESIDE]):
        if one.unit.kind == "code":
            return [*(two for two in after[:place][-1:] if two.unit.leads_in), one]
    return [one for one in before[:1] if one.unit.kind == "code"]
