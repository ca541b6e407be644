"""Choosing a threshold: what each way of routing would have cost, and how good it would have been.

Every golden question has been answered by both generators once, so that any threshold can be tried
without asking again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from bot.evaluation.statistics import Interval, bootstrap, percentile
from bot.text import CJK
from bot_router.settings import Rule, Weak
from bot_router.signals import Asked, Said, fits, weakness

Kind: TypeAlias = Literal["one", "before", "after", "limit"]

MOST = 40  # thresholds that are tried for one signal
FOLDS = 5
_WORD = re.compile(rf"{CJK.pattern}|(?:(?!{CJK.pattern})[^\W_])+")
_OFF = "refusal = false\nsupported = 0\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What one generator made of one question.

    Attributes:
        quality: 0 to 1, see `quality`.
        cost: in the unit of the calibration.
        milliseconds: until the end of the answer.
    """

    quality: float
    cost: float
    milliseconds: float
    said: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One golden question, answered by both."""

    asked: Asked
    small: Answered
    large: Answered


@dataclass(frozen=True, slots=True)
class Policy:
    """A way of routing.

    Attributes:
        kind: one generator alone, chosen before the answer, taken over after it, or the limit:
            who knows beforehand whose answer will be better.
        name: for people, with the threshold.
        toml: what bot.toml says for it, below [generators.NAME]; None for the limit.
        large: whether the large one answers a question.
    """

    kind: Kind
    name: str
    toml: Mapping[str, str] | None
    large: Callable[[Trial], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a policy costs on the golden set, and how good it is.

    Attributes:
        cost: of a question, on average.
        share: of the questions that the large one answers.
        p50: milliseconds until the end of an answer.
        frontier: no policy that can be had is as cheap and better, or as good and cheaper.
    """

    policy: Policy
    quality: Interval
    cost: float
    share: float
    p50: float
    p95: float
    frontier: bool = field(default=False)


def quality(answer: str, cited: Iterable[str], reference: str, sources: Iterable[str]) -> float:
    """How good an answer is: the share of the reference's words that it has.

    Without a reference: the share of the expected sources that it cites. A refusal is to be given
    as an empty answer.
    """
    if not reference:
        wanted = set(sources)
        return len(wanted & set(cited)) / len(wanted) if wanted and answer else 0.0
    ours, theirs = _words(answer), _words(reference)
    return (ours & theirs).total() / theirs.total() if theirs else 0.0


def points(trials: Sequence[Trial]) -> list[Point]:
    """Try every policy on all questions; the cheapest first."""
    found = sorted((_point(one, trials) for one in policies(trials)), key=_rank)
    best = float("-inf")
    made = []
    for one in found:
        better = one.policy.kind != "limit" and one.quality.mean > best + 1e-9
        best = one.quality.mean if better else best
        made.append(
            Point(
                policy=one.policy, quality=one.quality, cost=one.cost, share=one.share,
                p50=one.p50, p95=one.p95, frontier=better,
            )
        )  # fmt: skip
    return made


def chosen(found: Sequence[Point], margin: float, kinds: Iterable[Kind] | None = None) -> Point:
    """The cheapest policy whose quality is at most `margin` below that of the large one alone."""
    allowed = [one for one in found if one.policy.kind != "limit"]
    large = next(one for one in allowed if one.policy.name == "large alone")
    wanted = set(kinds or ("one", "before", "after"))
    good = [
        one
        for one in allowed
        if one.policy.kind in wanted and one.quality.mean >= large.quality.mean - margin - 1e-9
    ]
    return min(good or [large], key=_rank)


def held_out(trials: Sequence[Trial], margin: float) -> tuple[float, float]:
    """Quality and cost of choosing in this way, on questions that had no part in the choice.

    Each fifth is answered with the threshold that the other four fifths choose.
    """
    qualities: list[float] = []
    costs: list[float] = []
    for fold in range(FOLDS):
        rest = [one for place, one in enumerate(trials) if place % FOLDS != fold]
        if not rest:
            continue
        policy = chosen([_point(one, rest) for one in policies(rest)], margin).policy
        for trial in trials[fold::FOLDS]:
            quality_, cost, _ = taken(policy, trial)
            qualities.append(quality_)
            costs.append(cost)
    return sum(qualities) / len(qualities), sum(costs) / len(costs)


def policies(trials: Sequence[Trial]) -> list[Policy]:
    """Everything that can be tried on these questions."""
    return [
        Policy("one", "small alone", {"": 'start = "small"\n', "weak": _OFF}, lambda one: False),
        Policy("one", "large alone", {"": 'start = "large"\n'}, lambda one: True),
        Policy("limit", "the better one of the two", None, _better),
        *_before(trials),
        *_after(trials),
    ]


def _before(trials: Sequence[Trial]) -> Iterator[Policy]:
    """Rules with one condition, which are tried as bot.toml would have them."""
    for least in _thresholds([one.asked.words for one in trials]):
        yield _rule(f"words = {{min = {least:g}}}", {"words": {"min": least}})
    for most in _thresholds([one.asked.score for one in trials]):
        yield _rule(f"score = {{max = {most:g}}}", {"score": {"max": most}})
    languages = sorted({one.asked.language for one in trials})
    for language in languages if len(languages) > 1 else ():
        yield _rule(f'languages = ["{language}"]', {"languages": [language]})


def _rule(condition: str, given: Mapping[str, Any]) -> Policy:
    rule = Rule.model_validate({"use": "large", **given})
    toml = {"weak": _OFF, "rules": f'{condition}\nuse = "large"\n'}
    return Policy("before", condition, toml, partial(_ruled, rule))


def _ruled(rule: Rule, one: Trial) -> bool:
    return fits(rule, one.asked)


def _after(trials: Sequence[Trial]) -> Iterator[Policy]:
    said = [one.small.said for one in trials]
    yield _cascade("refusal", Weak(refusal=True, supported=0))
    for least in _thresholds([one.supported for one in said if one.supported is not None]):
        yield _cascade(f"supported = {least:g}", Weak(supported=least))
    for least in _thresholds([one.probability for one in said if one.probability is not None]):
        weak = Weak(supported=0, probability=least)
        yield _cascade(f"probability = {least:g}", weak)


def _cascade(name: str, weak: Weak) -> Policy:
    toml = f"refusal = true\nsupported = {weak.supported:g}\n"
    toml += f"probability = {weak.probability:g}\n" if weak.probability else ""
    return Policy(
        "after", name, {"weak": toml}, lambda one: weakness(weak, one.small.said)[0] != ""
    )


def _thresholds(values: Sequence[float]) -> list[float]:
    """Numbers between those that occur, evenly over the questions; none where all are alike."""
    ordered = sorted(values)
    between = [_round(low, high) for low, high in pairwise(ordered) if low < high]
    step = max(1, -(-len(between) // MOST))
    return list(dict.fromkeys(between[step // 2 :: step]))


def _round(low: float, high: float) -> float:
    """A short number above `low` and not above `high`."""
    middle = (low + high) / 2
    for digits in range(1, 12):
        if low < (short := round(middle, digits)) <= high:
            return short
    return high


def _point(policy: Policy, trials: Sequence[Trial]) -> Point:
    qualities, costs, waits = zip(*(taken(policy, one) for one in trials), strict=True)
    return Point(
        policy=policy,
        quality=bootstrap(qualities),
        cost=sum(costs) / len(costs),
        share=sum(policy.large(one) for one in trials) / len(trials),
        p50=percentile(waits, 0.5),
        p95=percentile(waits, 0.95),
    )


def taken(policy: Policy, trial: Trial) -> tuple[float, float, float]:
    """Quality, cost and milliseconds of one question; a takeover costs both answers."""
    if not policy.large(trial):
        return trial.small.quality, trial.small.cost, trial.small.milliseconds
    large = trial.large
    if policy.kind != "after":
        return large.quality, large.cost, large.milliseconds
    together = trial.small.milliseconds + large.milliseconds
    return large.quality, trial.small.cost + large.cost, together


def _better(one: Trial) -> bool:
    return one.large.quality > one.small.quality


def _rank(point: Point) -> tuple[float, float, str]:
    return point.cost, -point.quality.mean, point.policy.name


def _words(text: str) -> Counter[str]:
    return Counter(word.casefold() for word in _WORD.findall(text))
