"""One list of passages from what several retrievers brought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite

from bot.turn import NOTHING, Passage, Principal


def readable(passages: Iterable[Passage], principals: frozenset[Principal]) -> list[Passage]:
    """Keep what the asker may read, whatever the retriever thought."""
    return [passage for passage in passages if passage.readers & principals]


def fuse(
    found: Mapping[str, Sequence[Passage]], k: int, weights: Mapping[str, float] = NOTHING
) -> list[Passage]:
    """Merge the retrievers' results into the k best passages, each id of a source once.

    One retriever's scores stay as they are. Scores of several are first put on one scale, each
    divided by the best of its own result, and added for a passage that more than one found: see
    Bruch, Gai, Ingber: "An Analysis of Fusion Functions for Hybrid Retrieval" (2023), where
    adding scaled scores beats adding reciprocal ranks. A retriever without positive scores only
    tells an order, so reciprocal ranks stand in for them.

    Args:
        weights: how much a retriever counts against the others; 1, unless given.
    """
    total = sum(weights.get(retriever, 1.0) for retriever in found)
    best: dict[tuple[str, str], Passage] = {}
    for retriever, passages in found.items():
        scores = _scaled(passages) if len(found) > 1 else [_finite(p.score) for p in passages]
        share = weights.get(retriever, 1.0) / total
        seen: set[tuple[str, str]] = set()
        for passage, score in zip(passages, scores, strict=True):
            key = (passage.source, passage.id)
            if key in seen:
                continue
            seen.add(key)
            if (other := best.get(key)) is not None:
                best[key] = replace(other, score=other.score + score * share)
            else:
                # One that asked another names it: "rerank/documents".
                through = "/".join(filter(None, [retriever, passage.retriever]))
                best[key] = replace(passage, score=score * share, retriever=through)
    # Sorting is stable: at equal scores the retrievers' own order stands.
    return sorted(best.values(), key=lambda passage: -passage.score)[:k]


def _scaled(passages: Sequence[Passage]) -> list[float]:
    scores = [_finite(passage.score) for passage in passages]
    top = max(scores, default=0.0)
    if top <= 0:
        return [1 / rank for rank in range(1, len(passages) + 1)]
    return [score / top for score in scores]


def _finite(score: float) -> float:
    """One NaN would leave the whole list unsorted."""
    return score if isfinite(score) else 0.0
