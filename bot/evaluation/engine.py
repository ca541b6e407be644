"""One engine: every question is put to every variant, and what comes back is measured.

What a variant is, an index version, a generator or a whole assistant, and what it measures is its
own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from bot.evaluation.golden import Golden
from bot.evaluation.statistics import Interval, bootstrap, percentile
from bot.turn import NOTHING

HOPELESS = 3  # failures one after the other, from the first question on, that end a variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one variant made of one question.

    Attributes:
        values: by metric, higher is better. One that says nothing about this answer is left out.
        costs: by what it is, lower is better: tokens, money, refusals.
        milliseconds: how long it took.
        answer: what it said, when it says something.
        error: why it failed; the values are then those of a failure.
        cold: the first one of a run, which may have loaded a model.
        corpus: which documents there were, where that is known; see `bot.evaluation.pinning`.
    """

    values: Mapping[str, float]
    milliseconds: float
    costs: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    answer: str = ""
    error: str = ""
    cold: bool = False
    corpus: str = ""


class Variant(Protocol):
    """Something that questions can be put to."""

    @property
    def name(self) -> str:
        """Names it in tables, once."""

    async def ask(self, golden: Golden) -> Trial:
        """Answer one question and measure the answer."""

    def failure(self, golden: Golden, reason: str) -> Trial:
        """What a question counts that could not be answered."""


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

    @property
    def costs(self) -> list[str]:
        """What is the better the lower it is, in the order of a table."""
        return list(dict.fromkeys(c for row in self.trials.values() for t in row for c in t.costs))

    def values(self, variant: str, metric: str) -> list[float]:
        """One number a question, but for those that the metric says nothing about."""
        found = [_figure(trial, metric) for trial in self.trials[variant]]
        return [value for value in found if value is not None]

    def mean(self, variant: str, metric: str) -> Interval:
        """The mean over the questions."""
        return bootstrap(self.values(variant, metric))

    def difference(self, variant: str, other: str, metric: str) -> Interval:
        """How much better a variant is than another, question by question."""
        pairs = zip(self.trials[variant], self.trials[other], strict=True)
        figures = [(_figure(ours, metric), _figure(theirs, metric)) for ours, theirs in pairs]
        return bootstrap([a - b for a, b in figures if a is not None and b is not None])

    def waits(self, variant: str) -> list[float]:
        """The milliseconds, without the questions that may have loaded a model.

        Failures take part, as people wait for them too.
        """
        trials = self.trials[variant]
        warm = [trial.milliseconds for trial in trials if not trial.cold]
        return warm or [trial.milliseconds for trial in trials]

    def slower(self, variant: str, other: str) -> Interval:
        """How many milliseconds longer a variant takes than another, question by question."""
        pairs = zip(self.trials[variant], self.trials[other], strict=True)
        warm = [(a, b) for a, b in pairs if not a.cold and not b.cold]
        return bootstrap([a.milliseconds - b.milliseconds for a, b in warm])

    def latency(self, variant: str, share: float) -> float:
        """A percentile of the milliseconds."""
        return percentile(self.waits(variant), share)

    def errors(self, variant: str) -> list[str]:
        """What failed, each reason once."""
        return list(dict.fromkeys(trial.error for trial in self.trials[variant] if trial.error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is known already, and who is told what is new: a killed run goes on from there.

    Attributes:
        known: trials by variant and the question's id.
        keep: called with each new trial, before the next question is asked.
    """

    known: Mapping[tuple[str, int], Trial]
    keep: Callable[[str, Golden, Trial], Awaitable[Any]]


async def run(
    golden: Sequence[Golden],
    variants: Sequence[Variant],
    told: Callable[[int], None] = lambda done: None,
    journal: Journal | None = None,
) -> Sheet:
    """Put every question to every variant, one after the other.

    Who is asked first changes with each question, so that no variant always finds the caches warm.
    Without a journal each variant begins with a question that does not count, which loads its
    models; with one no question is asked twice, and the first one is marked as cold. A variant
    whose first questions all fail is not asked any more.

    Args:
        told: how many questions are done.
    """
    started = datetime.now(UTC)
    trials: dict[str, list[Trial]] = {variant.name: [] for variant in variants}
    for variant in variants if golden and journal is None else ():
        await variant.ask(golden[0])
    asking = _Asking(journal)
    for place, one in enumerate(golden):
        for variant in variants if place % 2 else reversed(variants):
            trials[variant.name].append(await asking.ask(variant, one))
        told(place + 1)
    return Sheet(golden=golden, trials=trials, started=started)


class _Asking:
    """Asks what is not known yet, and gives up what fails from the first question on."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._asked: set[str] = set()
        self._failed: dict[str, int] = {}  # in a row; -1 once it has worked

    async def ask(self, variant: Variant, one: Golden) -> Trial:
        if self._journal is None:
            return await variant.ask(one)
        name = variant.name
        if (known := self._journal.known.get((name, one.id))) is not None:
            return known
        if self._failed.get(name, 0) >= HOPELESS:
            reason = f"It was not asked: its first {HOPELESS} questions failed."
            trial = variant.failure(one, reason)
        else:
            trial = replace(await variant.ask(one), cold=name not in self._asked)
            self._asked.add(name)
            count = self._failed.get(name, 0)
            self._failed[name] = count + 1 if trial.error and count >= 0 else -1
        await self._journal.keep(name, one, trial)
        return trial


def _figure(trial: Trial, name: str) -> float | None:
    """A metric or a cost of a trial."""
    if name in trial.values:
        return trial.values[name]
    return trial.costs.get(name)
