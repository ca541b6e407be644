"""One engine: every question is put to every variant, and what comes back is measured.

What a variant is, an index version or a whole assistant, and what it measures is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from bot.evaluation.golden import Golden
from bot.evaluation.statistics import Interval, bootstrap, percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one variant made of one question.

    Attributes:
        values: by metric, higher is better.
        milliseconds: how long it took.
        error: why it failed; the values are then those of a failure.
    """

    values: Mapping[str, float]
    milliseconds: float
    error: str = ""


class Variant(Protocol):
    """Something that questions can be put to."""

    @property
    def name(self) -> str:
        """Names it in tables, once."""

    async def ask(self, golden: Golden) -> Trial:
        """Answer one question and measure the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The results of one run.

    Attributes:
        trials: by variant, in the order of the questions.
    """

    golden: Sequence[Golden]
    trials: Mapping[str, Sequence[Trial]]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def metrics(self) -> list[str]:
        """What was measured, in the order of a table."""
        return list(dict.fromkeys(m for row in self.trials.values() for t in row for m in t.values))

    def values(self, variant: str, metric: str) -> list[float]:
        """One number a question."""
        return [trial.values[metric] for trial in self.trials[variant]]

    def mean(self, variant: str, metric: str) -> Interval:
        """The mean over the questions."""
        return bootstrap(self.values(variant, metric))

    def difference(self, variant: str, other: str, metric: str) -> Interval:
        """How much better a variant is than another, question by question."""
        pairs = zip(self.values(variant, metric), self.values(other, metric), strict=True)
        return bootstrap([ours - theirs for ours, theirs in pairs])

    def latency(self, variant: str, share: float) -> float:
        """A percentile of the milliseconds; failures take part, as people wait for them too."""
        return percentile([trial.milliseconds for trial in self.trials[variant]], share)

    def errors(self, variant: str) -> list[str]:
        """What failed, each reason once."""
        return list(dict.fromkeys(trial.error for trial in self.trials[variant] if trial.error))


async def run(
    golden: Sequence[Golden],
    variants: Sequence[Variant],
    told: Callable[[int], None] = lambda done: None,
) -> Sheet:
    """Put every question to every variant, one after the other.

    Each variant begins with a question that does not count, which loads its models. Who is asked
    first changes with each question, so that no variant always finds the caches warm.

    Args:
        told: how many questions are done.
    """
    started = datetime.now(UTC)
    trials: dict[str, list[Trial]] = {variant.name: [] for variant in variants}
    for variant in variants if golden else ():
        await variant.ask(golden[0])
    for place, one in enumerate(golden):
        for variant in variants if place % 2 else reversed(variants):
            trials[variant.name].append(await variant.ask(one))
        told(place + 1)
    return Sheet(golden=golden, trials=trials, started=started)
