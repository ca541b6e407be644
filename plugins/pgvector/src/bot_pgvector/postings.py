"""The inverted index: postings as bytes, and BM25 over them.

A posting is one number, so that joining two lists is joining their bytes, which PostgreSQL can
do by itself. Rarity and length are weighed when a question is asked, with the numbers of that
moment, so documents may come and go. See Robertson, Zaragoza: "The Probabilistic Relevance
Framework: BM25 and Beyond" (2009).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot_pgvector.analysis import STEMS, words

POSTING = np.dtype("<u8")
"""One posting: the chunk's id << 32 | its length in terms << 16 | how often it has the term."""

K1 = 0.9
B = 0.4

_DENSE = 1 << 22  # chunks: up to here adding into an array of all of them beats sorting
_FAINT = 1e-3  # a bar so low that everything may pass

_MOST = 0xFFFF  # of a length or a count


def unpack(
    postings: NDArray[np.uint64],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
    """Take postings apart into chunk ids, lengths and counts."""
    ids = (postings >> 32).astype(np.uint32)
    rest = postings.astype(np.uint32)
    return ids, rest >> np.uint32(16), rest & np.uint32(_MOST)


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
    vocabulary = _Vocabulary()
    parts = [np.fromiter(map(vocabulary.__getitem__, words(text)), np.int64) for text in texts]
    places = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    numbers = np.concatenate([*parts, np.empty(0, np.int64)])
    places, numbers = places[numbers >= 0], numbers[numbers >= 0]
    lengths = np.bincount(places, minlength=len(parts))
    # By term, then by chunk, each pair once.
    pairs, counts = np.unique(numbers << 32 | places, return_counts=True)
    chunks = pairs & 0xFFFFFFFF
    postings = (
        np.asarray(ids, POSTING)[chunks] << np.uint64(32)
        | np.minimum(lengths[chunks], _MOST).astype(POSTING) << np.uint64(16)
        | np.minimum(counts, _MOST).astype(POSTING)
    )
    data = postings.astype(POSTING).tobytes()
    ends = np.cumsum(np.bincount(pairs >> 32, minlength=len(vocabulary.terms))) * POSTING.itemsize
    starts = [0, *ends.tolist()]
    cut = [data[start:end] for start, end in pairwise(starts)]
    return Inverted(list(zip(vocabulary.terms, cut, strict=True)), len(numbers))


class _Vocabulary(dict[str, int]):
    """The number of each word's term, counted up as they come; -1 for a stop word."""

    def __init__(self) -> None:
        self.terms: dict[str, int] = {}

    def __missing__(self, word: str) -> int:
        stem = STEMS[word]
        self[word] = number = self.terms.setdefault(stem, len(self.terms)) if stem else -1
        return number


class Ranking:
    """BM25 of the chunks that hold a term of the question.

    Scores are between 0 and 1: the share of the highest score that any chunk could get. A term
    that no chunk has would lower them all alike and is left out; `known` tells of it.

    Attributes:
        known: which share of the question, weighed by rarity, the index has terms for.
    """

    def __init__(self, ids: NDArray[np.uint32], weights: NDArray[Any], known: float = 0.0) -> None:
        """Add up weights by chunk.

        Args:
            ids, weights: one posting each, shape (postings,).
        """
        self.known = known
        self._first = int(ids.min()) if len(ids) else 0
        span = int(ids.max()) - self._first + 1 if len(ids) else 0
        if span <= _DENSE:
            self._ids = None
            self._sums = np.bincount(ids - np.uint32(self._first), weights, span)
        else:
            self._ids, places = np.unique(ids, return_inverse=True)
            self._sums = np.bincount(places, weights)

    def top(self, count: int) -> tuple[list[int], list[float]]:
        """Return the best chunks, ids and scores, the best first; fewer when there are no more."""
        if not len(self._sums):
            return [], []
        # Sorting all would take longer than everything else: raise a bar that few pass.
        bar = float(self._sums.max())
        places: NDArray[np.int64] = np.empty(0, np.int64)
        while len(places) < count and bar > 0:
            bar = bar / 2 if bar > _FAINT else 0.0
            places = np.flatnonzero(self._sums > bar)
        places = places[np.argsort(-self._sums[places], kind="stable")[:count]]
        ids = places + self._first if self._ids is None else self._ids[places]
        return ids.tolist(), self._sums[places].tolist()

    def scores(self, ids: Sequence[int]) -> list[float]:
        """Look chunks up; 0 for one that holds no term of the question."""
        wanted = np.asarray(ids, np.int64)
        if not len(self._sums):
            return [0.0] * len(ids)
        if self._ids is None:
            places = wanted - self._first
            known = (places >= 0) & (places < len(self._sums))
        else:
            places = np.minimum(np.searchsorted(self._ids, wanted), len(self._ids) - 1)
            known = self._ids[places] == wanted
        found: list[float] = np.where(known, self._sums[np.where(known, places, 0)], 0.0).tolist()
        return found


def rank(
    asked: Mapping[str, float], found: Iterable[tuple[str, bytes]], chunks: int, tokens: float
) -> Ranking:
    """Rank chunks by BM25.

    Args:
        asked: the terms of the question, each with how often, or how much, it is asked for.
        found: the postings of these terms; a term may come in several parts.
        chunks, tokens: how large the whole index is.
    """
    parts: dict[str, list[bytes]] = {}
    for term, data in found:
        parts.setdefault(term, []).append(data)
    average = max(tokens / max(chunks, 1), 1.0)
    fixed, by_length = np.float32(K1 * (1 - B)), np.float32(K1 * B / average)
    ids: list[NDArray[np.uint32]] = []
    weights: list[NDArray[Any]] = []
    highest = unknown = 0.0
    for term, weight in asked.items():
        chunk, length, count = unpack(np.frombuffer(b"".join(parts.get(term, ())), POSTING))
        rarity = math.log((chunks + 1) / (len(chunk) + 0.5)) * weight
        if not len(chunk):
            unknown += rarity
            continue
        highest += rarity
        ids.append(chunk)
        times = count.astype(np.float32)
        # Without BM25's constant factor (k1 + 1): 1 is the most that a term can give.
        share = times / (times + fixed + by_length * length.astype(np.float32))
        weights.append(share * np.float32(rarity))
    if not ids:
        return Ranking(np.empty(0, np.uint32), np.empty(0, np.float32))
    known = highest / (highest + unknown)
    return Ranking(np.concatenate(ids), np.concatenate(weights) / np.float32(highest), known)
