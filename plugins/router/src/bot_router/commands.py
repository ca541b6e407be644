"""`bot router`: choosing the thresholds of a router."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot import Bot
    from bot.evaluation.golden import Golden
    from bot_router.calibration import Point
    from bot_router.golden import Questioning
    from bot_router.keeping import Calibration


@click.group(epilog="Example: bot router calibrate --margin 0.02")
def router() -> None:
    """Choose when the large generator answers."""


@router.command(epilog="Example: bot router calibrate --assistant default --margin 0.02")
@click.option("--assistant", default="default", show_default=True, help="Whose router.")
@click.option("--margin", default=0.02, show_default=True, type=click.FloatRange(0, 1),
              help="How much worse than the large one alone is good enough.")  # fmt: skip
@click.option("--questions", type=click.IntRange(2), metavar="N",
              help="At most so many golden questions, spread evenly.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Print every threshold, not the frontier alone.")
@click.option("--new", is_flag=True, help="Do not go on with one that was stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@asynchronous
async def calibrate(
    session: Session,
    assistant: str,
    margin: float,
    questions: int | None,
    every: bool,
    new: bool,
    as_json: bool,
) -> int:
    """Choose a router's thresholds by the golden set.

    Both generators answer every golden question once, which costs what it costs; stopped, it goes
    on where it was when it is called again. Then each threshold is tried on these answers: before
    the answer by the question's length, its language and the best passage's score, after it by
    refusals, support and probability. Printed are the frontier of quality against cost, and what
    to write into bot.toml for the cheapest way that is good enough.
    """
    from bot.errors import EvaluationError, UsageError
    from bot.evaluation import golden
    from bot_router import calibration
    from bot_router.golden import Questioning

    async with session.bot() as bot:
        asking = await Questioning.of(bot, assistant)
        known = [one for one in await golden.load(bot.database) if one.sources or one.answer]
        if len(known) < 2:
            raise UsageError(
                "Two golden questions at least are needed; add more: bot golden add --help"
            )
        known = known[:: -(-len(known) // questions)] if questions else known
        kept = await _ask(bot, asking, known, fresh=new)
        trials, unit = asking.trials()
        _tell(asking, kept.notes)
        if len(trials) < 2:
            raise EvaluationError(
                "The search failed for all questions but one at most; mend what is told above, and "
                "give the same command again."
            )
        points = calibration.points(list(trials.values()))
        best = calibration.chosen(points, margin)
        ends = {one.policy.name: one for one in points if one.policy.kind == "one"}
        await kept.finish({"chosen": best, **ends}, trials)
    quality, cost = calibration.held_out(list(trials.values()), margin)
    held = {"quality": round(quality, 4), "cost": round(cost, 6)}
    if as_json:
        _print_json(asking, points, best, unit, held)
    else:
        _print(asking, points if every else _worth(points, best), best, unit, held)
    return 0


async def _ask(
    bot: Bot, asking: Questioning, questions: Sequence[Golden], *, fresh: bool
) -> Calibration:
    """Ask all, with a bar on a terminal."""
    from bot.cli.eval import progress
    from bot_router.golden import ask_all

    def began(number: int, known: int) -> None:
        if known:
            told = f"{known} of {len(questions)} questions are answered."
            click.echo(f"Going on with evaluation {number}: {told}", err=True)

    with progress(len(questions), "Asking") as told:
        return await ask_all(bot, asking, questions, fresh=fresh, began=began, told=told)


def _tell(asking: Questioning, notes: Sequence[str]) -> None:
    """Say what did not work, how often, and what was made of it."""
    from bot.text import printable

    failures = asking.failures()
    told = list(notes)
    for who, counted, meaning in (
        ("The search failed, wholly or in part,", failures.search, ""),
        ("The small one gave no answer", failures.small, ", which counts as a refusal"),
        ("The large one gave no answer", failures.large, "; there the small one's answer counts"),
    ):
        told += [f"{who} for {count} of {len(asking.measured)} questions{meaning}: {reason}"
                 for reason, count in counted.most_common()]  # fmt: skip
    for line in told:
        click.secho(f"Note: {printable(line)}", err=True, fg="yellow")


def _worth(points: Sequence[Point], best: Point) -> list[Point]:
    kept = ("one", "limit")
    return [one for one in points if one.frontier or one is best or one.policy.kind in kept]


def _print(
    asking: Questioning, points: Sequence[Point], best: Point, unit: str, held: dict[str, float]
) -> None:
    from bot.cli.output import print_rows

    print_rows([_row(one, unit, best) for one in points], as_json=False, empty="")
    cost = (
        f"asking the large one {held['cost']:.0%} of them"
        if unit == "questions"
        else f"for {held['cost']:.4g} {unit} a question"
    )
    click.echo(
        f"\nChosen: {best.policy.name}. Chosen on four fifths of the questions and measured on the "
        f"fifth, it has quality {held['quality']:.3f}, {cost}."
    )
    click.echo(f"\n{_toml(asking.name, best)}", nl=False)


def _row(one: Point, unit: str, best: Point) -> dict[str, Any]:
    return {
        "when": one.policy.kind,
        "the large one answers": one.policy.name,
        "share": f"{one.share:.0%}",
        unit: f"{one.cost:.4g}",
        "quality": str(one.quality),
        "p50 ms": f"{one.p50:.0f}",
        "": "chosen" if one is best else "frontier" if one.frontier else "",
    }


def _toml(name: str, best: Point) -> str:
    """What bot.toml is to say, instead of the router's rules and thresholds so far."""
    toml = best.policy.toml or {}
    head = f"# in [generators.{name}]\n{toml['']}\n" if "" in toml else ""
    rules = f"[[generators.{name}.rules]]\n{toml['rules']}\n" if "rules" in toml else ""
    weak = f"[generators.{name}.weak]\n{toml['weak']}" if "weak" in toml else ""
    return head + rules + weak


def _print_json(
    asking: Questioning, points: Sequence[Point], best: Point, unit: str, held: dict[str, float]
) -> None:
    from dataclasses import asdict

    from bot.cli.output import dumps

    rows = [
        {
            "when": one.policy.kind,
            "name": one.policy.name,
            "share": one.share,
            "cost": one.cost,
            "quality": asdict(one.quality),
            "p50_ms": one.p50,
            "p95_ms": one.p95,
            "frontier": one.frontier,
        }
        for one in points
    ]
    failed = asking.failures()
    found = {
        "router": asking.name,
        "unit": unit,
        "failures": {"search": failed.search, "small": failed.small, "large": failed.large},
        "chosen": best.policy.name,
        "toml": _toml(asking.name, best),
        "held_out": held,
        "points": rows,
    }
    click.echo(dumps(found, indent=2))
