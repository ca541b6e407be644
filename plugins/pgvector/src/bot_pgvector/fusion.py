"""How much the vectors count against the terms, question by question."""

from __future__ import annotations

from collections.abc import Sequence

DEPTH = 10  # the first result is compared with this one


def semantic_share(cosines: Sequence[float], lexical: Sequence[float]) -> float:
    """Weigh the vector search between 0 and 1; the lexical search has the rest.

    Each ranker is trusted as far as its first result stands above its tenth: one that is blind to
    a language finds everything equally good.
    """
    near, terms = confidence(cosines), confidence(lexical)
    return near / (near + terms) if near + terms > 0 else 1.0


def confidence(scores: Sequence[float]) -> float:
    """Tell how far the first of descending scores stands above the tenth."""
    if not scores:
        return 0.0
    last = scores[DEPTH - 1] if len(scores) >= DEPTH else 0.0
    return max(scores[0] - last, 0.0)
