"""How much the vectors count against the terms, question by question."""

from __future__ import annotations

from collections.abc import Sequence

DEPTH = 10  # the first result is compared with this one


def semantic_share(cosines: Sequence[float], lexical: Sequence[float]) -> float:
    """Weigh the vector search between 0 and 1; the lexical search has the rest.

    Each ranker is trusted as far as its first result stands above its tenth: an embedder that is
    blind to a language finds everything equally near. Measured in docs/decisions/fusion.md.

    Args:
        cosines, lexical: the scores of each ranker's results, descending.
    """
    near, terms = confidence(cosines) ** 2, confidence(lexical) ** 2
    return near / (near + terms) if near + terms > 0 else 0.5


def confidence(scores: Sequence[float]) -> float:
    """Tell by which share of itself the first of descending scores stands above the tenth."""
    if not scores or scores[0] <= 0:
        return 0.0
    last = scores[DEPTH - 1] if len(scores) >= DEPTH else 0.0
    return 1 - max(last, 0.0) / scores[0]
