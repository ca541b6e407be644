"""Which variant to choose: the cheapest rung whose interval is not below the best.

The ladder is the design's: prompting, examples in the prompt, documents, tuned weights. Touch no
weights while the rungs below are as good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.evaluation.engine import Sheet
from bot.evaluation.statistics import Interval, bootstrap
from bot.evaluation.variants import Step

FEW = 30  # questions below which nearly every interval holds 0
_NAMES = {"tuned": "tuned weights", "documents": "documents", "examples": "examples in the prompt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The variant that one would choose.

    Attributes:
        name: empty when none has answered.
        best: the one with the highest mean.
        differences: each variant minus the best, by name, question by question.
    """

    name: str
    best: str
    metric: str
    reason: str
    differences: Mapping[str, Interval]


def choose(sheet: Sheet, steps: Sequence[Step], metric: str) -> Choice:
    """Choose among the variants that have answered at least one question."""
    able = [one for one in steps if any(not t.error for t in sheet.trials[one.name])]
    able = [one for one in able if sheet.values(one.name, metric)]
    if not able:
        return Choice(
            name="", best="", metric=metric, differences={},
            reason=f"No variant has an answer that {metric} says anything about.",
        )  # fmt: skip
    best = max(able, key=lambda one: sheet.mean(one.name, metric).mean)
    differences = {one.name: sheet.difference(one.name, best.name, metric) for one in able}
    cheapest = sorted(able, key=lambda one: (one.rung, *_dear(sheet, one.name)))
    chosen = next(one for one in cheapest if differences[one.name].high >= 0)
    return Choice(
        name=chosen.name,
        best=best.name,
        metric=metric,
        reason=_reason(sheet, chosen, best, cheapest, differences, metric),
        differences=differences,
    )


def means(spec: Step) -> str:
    """What a variant takes, for people."""
    return " and ".join(_NAMES[one] for one in spec.means) or "the model as it is"


def _dear(sheet: Sheet, name: str) -> tuple[float, float, float]:
    """What orders variants of one rung: money, then tokens, then time."""
    tokens = sum(sheet.mean(name, cost).mean for cost in ("tokens read", "tokens written"))
    return sheet.mean(name, "cost").mean, tokens, sheet.latency(name, 0.5)


def _reason(
    sheet: Sheet,
    chosen: Step,
    best: Step,
    cheapest: Sequence[Step],
    differences: Mapping[str, Interval],
    metric: str,
) -> str:
    mean = sheet.mean(chosen.name, metric)
    told = [f"{chosen.name} ({means(chosen)}): {metric} {mean}"]
    if chosen is best:
        told[0] += ", the highest of all"
    else:
        told[0] += (
            f"; the best, {best.name}, has {sheet.mean(best.name, metric)}, and the difference "
            f"{differences[chosen.name]:+} does not tell them apart"
        )
    below = [one for one in cheapest[: cheapest.index(chosen)] if one is not best]
    if below:
        worse = ", ".join(f"{one.name} {differences[one.name]:+}" for one in below)
        told.append(f"What is cheaper is worse than the best: {worse}")
    elif len(cheapest) > 1:
        told.append("Nothing is cheaper")
    if len(sheet.golden) < FEW:
        told.append(
            f"With {len(sheet.golden)} questions little can be told apart; ask {FEW} or more"
        )
    return ". ".join(told) + "."


def preferred(
    ratings: Sequence[tuple[int, str, str, str]], names: Sequence[str]
) -> dict[str, Interval]:
    """How often people prefer each variant to another, 0.5 for neither; none without ratings.

    Args:
        ratings: question, two variants, and `one`, `other` or `neither`.
    """
    won: dict[str, list[float]] = {name: [] for name in names}
    points = {"one": (1.0, 0.0), "other": (0.0, 1.0), "neither": (0.5, 0.5)}
    for _, one, other, better in ratings:
        for name, point in zip((one, other), points[better], strict=True):
            won.setdefault(name, []).append(point)
    return {name: bootstrap(given) for name, given in won.items() if given}
