"""How long a training still takes, from the steps and evaluations that it has done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import fmean
from time import monotonic

RECENT = 50  # steps whose mean counts: a machine gets slower and faster


class Pace:
    """Times steps and evaluations apart, as the first evaluation comes before the first step.

    Args:
        clock: seconds that only go on.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._begun = 0.0
        self._first = True
        self._steps: deque[float] = deque(maxlen=RECENT)
        self._evaluations: dict[str, float] = {}  # the latest seconds, by what was measured

    def begin(self) -> None:
        """A step begins."""
        self._begun = self._clock()

    def end(self) -> None:
        """A step has ended. The first one prepares what the others find done: it gives way."""
        if len(self._steps) == 1 and self._first:
            self._first = False
            self._steps.clear()
        self._steps.append(self._clock() - self._begun)

    def evaluated(self, name: str, seconds: float) -> None:
        """An evaluation has ended, one of perhaps several at the same step."""
        self._evaluations[name] = seconds

    def left(self, steps: int, evaluations: int) -> float | None:
        """Seconds until the end; None before the first step has ended.

        Args:
            steps: that are to be done.
            evaluations: that are to be done meanwhile, and at the end.
        """
        if not self._steps:
            return None
        return fmean(self._steps) * steps + sum(self._evaluations.values()) * evaluations
