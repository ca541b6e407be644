"""How good one ranking is, given what a golden question expects.

The measures are trec_eval's: recall, nDCG with linear gain (Järvelin and Kekäläinen, "Cumulated
gain-based evaluation of IR techniques", 2002), and success at 1. They are written here because a
dependency for them would bring scipy along; the tests compare them with ir-measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2

from bot.turn import Passage

DEPTH = 10  # of nDCG


def of_ranking(passages: Sequence[Passage], sources: Mapping[str, int], k: int) -> dict[str, float]:
    """Measure one ranking.

    A passage is relevant by its id or by its document's URI. Several passages of one expected
    source count as the best placed of them; the others take up room and gain nothing.

    Args:
        passages: best first.
        sources: grade of each expected source, see `Golden`.
        k: how many passages recall looks at.
    """
    left = dict(sources)
    taken = [_taken(passage, left) for passage in passages]
    gains = [max(grades, default=0) for grades in taken]
    ideal = _dcg(sorted(sources.values(), reverse=True)[:DEPTH])
    return {
        f"recall@{k}": sum(map(len, taken[:k])) / len(sources) if sources else 0.0,
        f"nDCG@{DEPTH}": _dcg(gains[:DEPTH]) / ideal if ideal else 0.0,
        "hit@1": float(bool(gains) and gains[0] > 0),
    }


def names(k: int) -> list[str]:
    """The measures of `of_ranking`, in the order of a table."""
    return list(of_ranking((), {}, k))


def _taken(passage: Passage, left: dict[str, int]) -> list[int]:
    """Take what a passage meets from what is still expected; return its grades."""
    return [left.pop(place) for place in {passage.id, passage.uri} if place in left]


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / log2(place + 1) for place, gain in enumerate(gains, 1))
