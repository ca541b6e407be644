"""`bot router`: choosing the thresholds of a router."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.evaluation.golden import Golden
    from bot_router.calibration import Point
    from bot_router.golden import Questioning


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@asynchronous
async def calibrate(
    session: Session,
    assistant: str,
    margin: float,
    questions: int | None,
    every: bool,
    as_json: bool,
) -> int:
    """Choose a router's thresholds by the golden set.

    Both generators answer every golden question once, which costs what it costs. Then each
    threshold is tried on these answers: before the answer by the question's length, its language
    and the best passage's score, after it by refusals, support and probability. Printed are the
    frontier of quality against cost, and what to write into bot.toml for the cheapest way that is
    good enough.
    """
    from bot.errors import UsageError
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
        await _ask(asking, known[:: -(-len(known) // questions)] if questions else known)
    trials, unit = asking.trials()
    points = calibration.points(trials)
    best = calibration.chosen(points, margin)
    quality, cost = calibration.held_out(trials, margin)
    held = {"quality": round(quality, 4), "cost": round(cost, 6)}
    if as_json:
        _print_json(asking, points, best, unit, held)
    else:
        _print(asking, points if every else _worth(points, best), best, unit, held)
    return 0


async def _ask(asking: Questioning, questions: Sequence[Golden]) -> None:
    """Ask all, with a bar on a terminal."""
    if not sys.stderr.isatty():
        for one in questions:
            await asking.ask(one)
        return
    with click.progressbar(questions, label="Asking", file=sys.stderr) as bar:
        for one in bar:
            await asking.ask(one)


def _worth(points: Sequence[Point], best: Point) -> list[Point]:
    kept = ("one", "limit")
    return [one for one in points if one.frontier or one is best or one.policy.kind in kept]


def _print(
    asking: Questioning, points: Sequence[Point], best: Point, unit: str, held: dict[str, float]
) -> None:
    from bot.cli.output import print_rows

    print_rows([_row(one, unit, best) for one in points], as_json=False, empty="")
    failed = asking.failures
    if failed:
        told = f"Note: the large one did not answer {failed} questions; the small one's counted."
        click.secho(told, err=True, fg="yellow")
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
    found = {
        "router": asking.name,
        "unit": unit,
        "failures": asking.failures,
        "chosen": best.policy.name,
        "toml": _toml(asking.name, best),
        "held_out": held,
        "points": rows,
    }
    click.echo(dumps(found, indent=2))
