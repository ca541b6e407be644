"""nDCG, reciprocal rank fusion, hits and words, with intervals by paired bootstrap."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from bot_extractive.terms import Terms

from bench.quality.sets import Question
from bot.sentences import sentences
from bot.text import CJK

TERMS = Terms()
RRF = 60


def ndcg(ranked: Sequence[str], judged: dict[str, int], depth: int = 10) -> float:
    """Compute nDCG with linear gain: Järvelin and Kekäläinen (2002)."""
    gained = [judged.get(one, 0) for one in dict.fromkeys(ranked)][:depth]
    best = sorted(judged.values(), reverse=True)[:depth]
    return _dcg(gained) / _dcg(best)


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def fused(*rankings: Sequence[str]) -> list[str]:
    """Fuse by plain reciprocal ranks: Cormack, Clarke and Büttcher (2009), k = 60."""
    scores: Counter[str] = Counter()
    for ranking in rankings:
        for place, one in enumerate(ranking, 1):
            scores[one] += 1 / (RRF + place)  # type: ignore[assignment]  # a Counter of floats
    return [one for one, _ in scores.most_common()]


def held(text: str, question: Question) -> float:
    """Tell whether the answer stands in a text; for a free answer, which share of its words."""
    if question.answers:
        bare = _bare(text)
        return float(any(_bare(answer) in bare for answer in question.answers))
    wanted = set(TERMS(question.free))
    return len(wanted & set(TERMS(text))) / (len(wanted) or 1)


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text).lower()


def words(text: str) -> int:
    """Count words, and characters of Chinese, Japanese and Korean."""
    return len(CJK.findall(text)) + len(re.findall(r"[^\W_]+", CJK.sub(" ", text)))


class BestSentence:
    """The baseline: the sentence with the highest BM25 (k1 .9, b .4) of the passages.

    Args:
        texts: the documents; rarity and lengths are those of all their sentences.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        split = [TERMS(text[start:end]) for text in texts for start, end in sentences(text)]
        self._count = len(split)
        self._found = Counter(term for one in split for term in set(one))
        self._average = sum(map(len, split)) / self._count

    def of(self, question: str, texts: Sequence[str]) -> str:
        """Choose one sentence of some passages."""
        every = [text[start:end] for text in texts for start, end in sentences(text)]
        return max(every, key=lambda one: self._score(question, one), default="")

    def _score(self, question: str, sentence: str) -> float:
        counts = Counter(TERMS(sentence))
        norm = 0.9 * (0.6 + 0.4 * counts.total() / self._average)
        return sum(
            math.log(1 + (self._count - self._found[term] + 0.5) / (self._found[term] + 0.5))
            * counts[term] * 1.9 / (counts[term] + norm)
            for term in set(TERMS(question))
            if term in counts
        )  # fmt: skip


def area(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Compute the area under the ROC curve: how often a positive scores above a negative."""
    import numpy as np

    above = np.subtract.outer(np.asarray(positive), np.asarray(negative))
    return float((above > 0).mean() + (above == 0).mean() / 2)
