"""The inverted index: postings as bytes, and BM25 over them.

A posting is seven bytes, so that joining two lists is joining their bytes, which PostgreSQL can
do by itself. Rarity and length are weighed when a question is asked, with the numbers of that
moment, so documents may come and go. See Robertson, Zaragoza: "The Probabilistic Relevance
Framework: BM25 and Beyond" (2009).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot_pgvector.analysis import terms

POSTING = np.dtype([("chunk", "<u4"), ("length", "<u2"), ("count", "u1")])

K1 = 0.9
B = 0.4

MOST = 5000  # chunks that a ranking keeps

_DENSE = 1 << 22  # chunks: up to here adding into an array of all of them beats sorting


@dataclass(frozen=True, slots=True)
class Inverted:
    """The postings of some chunks, by term.

    Attributes:
        tokens: how many terms the chunks have, repetitions included.
    """

    postings: list[tuple[str, bytes]]
    tokens: int


def invert(ids: Sequence[int], texts: Iterable[str]) -> Inverted:
    """Make the postings of chunks.

    Args:
        ids: the chunks' ids, ascending, below 2**32.
        texts: one text a chunk.
    """
    vocabulary: dict[str, int] = {}
    numbers: list[int] = []
    counts: list[int] = []
    distinct: list[int] = []
    lengths: list[int] = []
    for text in texts:
        found = terms(text)
        counted = Counter(found)
        numbers += [vocabulary.setdefault(term, len(vocabulary)) for term in counted]
        counts += counted.values()
        distinct.append(len(counted))
        lengths.append(len(found))
    postings = np.empty(len(numbers), POSTING)
    postings["chunk"] = np.repeat(np.asarray(ids, np.uint32), distinct)
    postings["length"] = np.repeat(np.minimum(lengths, 0xFFFF), distinct)
    postings["count"] = np.minimum(counts, 0xFF)
    order = np.argsort(numbers, kind="stable")
    data = postings[order].tobytes()
    ends = np.cumsum(np.bincount(numbers, minlength=len(vocabulary))) * POSTING.itemsize
    pairs: list[tuple[str, bytes]] = []
    start = 0
    for term, end in zip(vocabulary, ends.tolist(), strict=True):
        pairs.append((term, data[start:end]))
        start = end
    return Inverted(pairs, sum(lengths))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Chunks that hold a term of the question, the best first.

    Attributes:
        ids: shape (chunks,), int64.
        scores: shape (chunks,), float64, between 0 and 1: the share of the highest score that
            any chunk could get for this question.
    """

    ids: NDArray[np.int64]
    scores: NDArray[Any]

    def score_of(self, ids: Sequence[int]) -> list[float]:
        """Look up scores; 0 for a chunk that holds none of the terms, or is far behind."""
        wanted = np.asarray(ids, np.int64)
        order = np.argsort(self.ids)
        places = np.searchsorted(self.ids, wanted, sorter=order)
        places = order[np.minimum(places, len(order) - 1)] if len(order) else order[:0]
        if not len(places):
            return [0.0] * len(ids)
        scores: list[float] = np.where(self.ids[places] == wanted, self.scores[places], 0).tolist()
        return scores


def rank(
    asked: Sequence[str], found: Iterable[tuple[str, bytes]], chunks: int, tokens: int
) -> Ranking:
    """Rank chunks by BM25.

    Args:
        asked: the terms of the question.
        found: the postings of these terms; a term may come in several parts.
        chunks, tokens: how large the whole index is.
    """
    parts: dict[str, list[bytes]] = {}
    for term, data in found:
        parts.setdefault(term, []).append(data)
    average = max(tokens / max(chunks, 1), 1.0)
    ids: list[NDArray[np.uint32]] = []
    weights: list[NDArray[Any]] = []
    highest = 0.0
    for term, repeated in Counter(asked).items():
        postings = np.frombuffer(b"".join(parts.get(term, ())), POSTING)
        rarity = math.log((chunks + 1) / (len(postings) + 0.5)) * repeated
        highest += rarity * (K1 + 1)
        if len(postings):
            count = postings["count"].astype(np.float32)
            length = postings["length"].astype(np.float32)
            weight = count / (count + (K1 * (1 - B) + K1 * B / average * length))
            ids.append(postings["chunk"])
            weights.append(weight * np.float32(rarity * (K1 + 1)))
    if not ids:
        return Ranking(np.empty(0, np.int64), np.empty(0, np.float64))
    chosen, scores = _add_up(np.concatenate(ids), np.concatenate(weights))
    order = np.argsort(-scores, kind="stable")
    return Ranking(chosen[order], scores[order] / highest)


def _add_up(
    ids: NDArray[np.uint32], weights: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Sum the weights of each id; keep the best thousands, which is all that is ever asked for."""
    first = int(ids.min())
    if int(ids.max()) - first < _DENSE:
        sums = np.bincount(ids - np.uint32(first), weights=weights)
        chosen = np.flatnonzero(sums)
        scores = sums[chosen]
        chosen += first
    else:
        chosen, inverse = np.unique(ids, return_inverse=True)
        scores = np.bincount(inverse, weights=weights)
    if len(chosen) > MOST:
        best = np.argpartition(-scores, MOST)[:MOST]
        best.sort()  # equal scores keep the order of the chunks
        chosen, scores = chosen[best], scores[best]
    return chosen.astype(np.int64), scores
