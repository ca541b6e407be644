"""One list of passages from what several retrievers brought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bot.turn import Passage, Principal


def readable(passages: Iterable[Passage], principals: frozenset[Principal]) -> list[Passage]:
    """Keep what the asker may read, whatever the retriever thought."""
    return [passage for passage in passages if passage.readers & principals]


def fuse(found: Mapping[str, Sequence[Passage]], k: int) -> list[Passage]:
    """Merge the retrievers' results into the k best passages, each id once.

    One retriever's scores stay as they are. Scores of several are first put on one scale, each
    divided by the best of its own result, and added for a passage that more than one found: see
    Bruch, Gai, Ingber: "An Analysis of Fusion Functions for Hybrid Retrieval" (2023), where
    adding scaled scores beats adding reciprocal ranks.
    """
    best: dict[str, Passage] = {}
    for retriever, passages in found.items():
        top = max((passage.score for passage in passages), default=0.0)
        scale = 1 / (top * len(found)) if len(found) > 1 and top > 0 else 1.0
        seen: set[str] = set()
        for passage in passages:
            if passage.id in seen:
                continue
            seen.add(passage.id)
            score = passage.score * scale
            if (other := best.get(passage.id)) is not None:
                best[passage.id] = replace(other, score=other.score + score)
            else:
                best[passage.id] = replace(passage, score=score, retriever=retriever)
    # Sorting is stable: at equal scores the retrievers' own order stands.
    return sorted(best.values(), key=lambda passage: -passage.score)[:k]
