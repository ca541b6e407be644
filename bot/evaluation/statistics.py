"""Intervals by bootstrap: how far a figure of a few questions can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

SEED = 1
RESAMPLES = 10_000
_CONFIDENCE = 0.95
_CELLS = 2_000_000  # numbers drawn at once, which bounds the memory


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, form: str) -> str:
        """Write it with three decimals, or as `form` says; `+` shows the signs of a difference."""
        form = form if "." in form else f"{form}.3f"
        mean, low, high = (format(part, form) for part in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"


def bootstrap(values: Sequence[float], seed: int = SEED) -> Interval:
    """Compute the percentile interval of a mean, the same for the same values.

    Given the differences of two systems question by question it is the paired bootstrap of
    Sakai, "Evaluating evaluation metrics based on the bootstrap" (2006).

    Args:
        values: one a question; none give 0 ± 0.
    """
    return _bootstrap(tuple(values), seed) if values else Interval(0.0, 0.0, 0.0)


@lru_cache(4096)  # a table, a page and a summary ask for the same ones
def _bootstrap(values: tuple[float, ...], seed: int) -> Interval:
    import numpy as np

    drawn = np.random.default_rng(seed)
    given = np.asarray(values, np.float64)
    step = max(1, _CELLS // len(given))
    means = np.concatenate(
        [
            given[drawn.integers(0, len(given), (min(step, RESAMPLES - done), len(given)))].mean(1)
            for done in range(0, RESAMPLES, step)
        ]
    )
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(given.mean()), float(low), float(high))


def percentile(values: Sequence[float], share: float) -> float:
    """Compute a percentile by linear interpolation; 0 without values."""
    import numpy as np

    return float(np.quantile(np.asarray(values), share)) if values else 0.0
