"""Choosing examples for a question: by likeness with variety, or by BM25."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bot.text import CJK

_WORD = re.compile(r"[^\W_]+")
_K1, _B = 1.2, 0.75
_LIKENESS = 0.7  # of an example with the question; the rest is variety
_SAME = 0.9  # likeness of two questions that are one


def terms(text: str) -> list[str]:
    """Words in lower case, and pairs of characters where there are no spaces between words."""
    characters = CJK.findall(text)
    words = [word.lower() for word in _WORD.findall(CJK.sub(" ", text))]
    return [*words, *(a + b for a, b in pairwise(characters)), *characters[:1]]


def same(question: str, other: str) -> bool:
    """Whether two questions are one, so that an example would give its own answer away."""
    ours, theirs = set(terms(question)), set(terms(other))
    union = ours | theirs
    return bool(union) and len(ours & theirs) / len(union) >= _SAME


def bm25(question: str, texts: Sequence[str]) -> list[int]:
    """Rank texts by BM25, the best first; those that share no term are left out.

    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
    """
    documents = [Counter(terms(text)) for text in texts]
    average = sum(map(Counter.total, documents)) / (len(documents) or 1) or 1
    found = Counter(term for document in documents for term in document)
    scores = []
    for document in documents:
        long = _K1 * (1 - _B + _B * document.total() / average)
        scores.append(
            sum(
                math.log(1 + (len(documents) - found[term] + 0.5) / (found[term] + 0.5))
                * document[term] * (_K1 + 1) / (document[term] + long)
                for term in set(terms(question)) if document[term]
            )
        )  # fmt: skip
    ranked = sorted(range(len(texts)), key=lambda place: -scores[place])
    return [place for place in ranked if scores[place] > 0]


def mmr(question: NDArray[np.float32], texts: NDArray[np.float32], k: int) -> list[int]:
    """Choose by maximal marginal relevance: like the question, and unlike what is chosen already.

    Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking" (1998).

    Args:
        question: unit vector of shape (dimensions,).
        texts: unit vectors of shape (len(texts), dimensions).
    """
    near = texts @ question
    chosen: list[int] = []
    while len(chosen) < min(k, len(texts)):
        repeated = (texts @ texts[chosen].T).max(1) if chosen else np.zeros(len(texts))
        worth = _LIKENESS * near - (1 - _LIKENESS) * repeated
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
    return chosen


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of terms by rarity, of unit length: for when there is no embedder to ask."""
    counts = [Counter(terms(text)) for text in texts]
    found = Counter(term for count in counts for term in count)
    columns = {term: place for place, term in enumerate(found)}
    made = np.zeros((len(texts), len(columns) or 1), dtype=np.float32)
    for row, count in enumerate(counts):
        for term, times in count.items():
            rarity = math.log(1 + len(texts) / found[term])
            made[row, columns[term]] = (1 + math.log(times)) * rarity
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)
    return made
