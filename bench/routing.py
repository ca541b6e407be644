"""What does routing save, before the answer and after it?

    python bench/routing.py [--questions 400] [--seed 1] [--write docs/quality]

A golden set with scripted models: the small one is right on most easy questions and on few hard
ones; otherwise it says a wrong number, quotes another fact with its source, or refuses. The large
one is right on 19 of 20, and costs money. How long a question is, how well its passage scores and
how probable the small one finds its words tell how hard it is, each with noise. All of it goes
through a whole bot with a router, as `bot router calibrate` would send it.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bot_router
from bot_router import calibration
from bot_router.calibration import Point, Trial
from bot_router.golden import Questioning
from table import show

from bot import Bot, Delta, Passage, hookimpl
from bot.evaluation.golden import Golden
from bot.plugins import Plugins
from bot.settings import read
from bot.turn import EVERYONE, Usage

MARGIN = 0.02
PRICE = 0.01  # of an answer of the large one
CONFIG = """
[assistants.default]
retrievers = ["shelf"]
generator = "both"
[generators.both]
type = "router"
small = "edge"
large = "cloud"
"""
TEAMS = "Aurora Borealis Cygnus Draco Equuleus Fornax Gemini Hydra Indus Lyra Mensa Norma".split()
THINGS = "licence rack desk van lathe drone printer lamp phone server badge bench".split()
FILLER = "please tell me if you can find it in our papers as I was asked by somebody from there"


@dataclass(frozen=True, slots=True)
class Fact:
    """A question, what answers it, and how the scripted models behave on it.

    Attributes:
        small: `right`, `number`, `other` (quotes another fact) or `refusal`.
    """

    golden: Golden
    text: str
    other: str
    score: float
    small: str
    large: bool
    probability: float


def facts(count: int, seed: int) -> list[Fact]:
    """Make the golden set: the same for the same seed."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        team, thing = chance.choice(TEAMS), chance.choice(THINGS)
        price, other = chance.sample(range(100, 10_000), 2)
        hard = chance.random()
        said = "right"
        if chance.random() < 0.06 + 0.8 * hard**1.5:
            said = chance.choice(["number", "other", "refusal"])
        sure = 0.86 if said == "right" else 0.62
        extra = FILLER.split()[: max(0, round(chance.gauss(12 * hard, 4)))]
        question = " ".join([f"How much is {thing} {number} of {team},", *extra])
        made.append(
            Fact(
                golden=Golden(question=question.rstrip(",") + "?", answer=str(price),
                              sources={f"fact{number}": 1}, id=number + 1),
                text=f"The {thing} {number} of {team} costs {price} euros.",
                other=f"The {thing} of another team costs {other} euros.",
                score=round(min(1.0, max(0.05, chance.gauss(0.75 - 0.35 * hard, 0.12))), 3),
                small=said,
                large=chance.random() < 0.95,
                probability=min(0.99, max(0.2, chance.gauss(sure, 0.1))),
            )
        )  # fmt: skip
    return made


class Shelf:
    """Finds the fact and another one."""

    def __init__(self, known: dict[str, Fact]) -> None:
        self._known = known

    @hookimpl
    def bot_retrieve(self, turn) -> list[Passage]:
        fact = self._known[turn.question]
        texts = ((f"fact{fact.golden.id - 1}", fact.text, fact.score), ("other", fact.other, 0.05))
        return [
            Passage(id=id_, text=text, score=score, readers=frozenset({EVERYONE}))
            for id_, text, score in texts
        ]


class Model:
    """A scripted model."""

    def __init__(self, known: dict[str, Fact], *, large: bool) -> None:
        self._known = known
        self._large = large

    @hookimpl
    async def bot_generate(self, turn, prompt):
        fact = self._known[prompt.question]
        kind = ("right" if fact.large else "other") if self._large else fact.small
        if kind == "refusal":
            yield Delta(text="The sources do not hold the answer.", refusal=True)
        else:
            text = f"{fact.other} [2]" if kind == "other" else f"{fact.text} [1]"
            if kind == "number":
                text = re.sub(r"\d+ euros", "31 euros", text)
            words = text.replace(" ", " \0").split("\0")
            told = () if self._large else (math.log(fact.probability),)
            for word in words:
                yield Delta(text=word, logprobs=told)
        yield Delta(usage=Usage(input_tokens=90, output_tokens=9, cost=PRICE * self._large))


async def asked(known: Sequence[Fact], folder: Path) -> list[Trial]:
    """Put every question to both models through a bot of its own."""
    by_question = {one.golden.question: one for one in known}
    plugins = Plugins()
    for name, plugin in {
        "router": bot_router, "shelf": Shelf(by_question),
        "edge": Model(by_question, large=False), "cloud": Model(by_question, large=True),
    }.items():  # fmt: skip
        plugins.register(plugin, name)
    environ = {"BOT_HOME": str(folder / "home")}
    settings = read(folder / "bot.toml", environ)
    async with Bot(settings, plugins=plugins, environ=environ) as bot:
        asking = await Questioning.of(bot, "default")
        for one in known:
            await asking.ask(one.golden)
        return list(asking.trials()[0].values())


def trials_of(count: int, seed: int) -> list[Trial]:
    """Make the golden set, and have it answered in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root the server runs as another user
        (folder / "bot.toml").write_text(CONFIG, encoding="utf-8")
        return asyncio.run(asked(facts(count, seed), folder))


def by_chance(points: Sequence[Point], cost: float) -> float:
    """The quality when the large one is asked at random as often as the cost allows."""
    small = next(one for one in points if one.policy.name == "small alone")
    large = next(one for one in points if one.policy.name == "large alone")
    share = min(1.0, max(0.0, (cost - small.cost) / (large.cost - small.cost)))
    return small.quality.mean + share * (large.quality.mean - small.quality.mean)


def rows(points: Sequence[Point]) -> list[tuple[object, ...]]:
    """The ends, the limit, and for each signal what is good enough, or the best that it can do."""
    shown = [one for one in points if one.policy.kind in ("one", "limit")]
    signals = ("words", "score", "refusal", "supported", "probability")
    large = next(one for one in points if one.policy.name == "large alone")
    for signal in signals:
        of = [one for one in points if one.policy.name.startswith(signal)]
        good = [one for one in of if one.quality.mean >= large.quality.mean - MARGIN]
        shown.append(min(good, key=lambda one: one.cost) if good
                     else max(of, key=lambda one: one.quality.mean))  # fmt: skip
    return [
        (
            one.policy.name,
            {"one": "–", "limit": "–"}.get(one.policy.kind, one.policy.kind),
            f"{one.share:.0%}",
            f"{one.cost * 1000:.2f}",
            str(one.quality),
            f"{by_chance(points, one.cost):.3f}",
        )
        for one in sorted(shown, key=lambda one: one.cost)
    ]


COLUMNS = ("the large one answers", "when", "share", "cost of 1000", "quality", "by chance")


def draw(points: Sequence[Point], path: Path) -> None:
    """Plot quality against cost, both kinds of routing, their limit and chance."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.4), layout="constrained")
    signals = (
        ("words", "before: words", "#9aa5b1"), ("score", "before: score", "#6c8ebf"),
        ("supported", "after: refusal or support", "#c3b091"),
        ("probability", "after: refusal or probability", "#b8432f"),
    )  # fmt: skip
    for name, label, colour in signals:
        line = sorted((one.cost * 1000, one.quality.mean) for one in points
                      if one.policy.name.startswith(name))  # fmt: skip
        axes.plot(*zip(*line, strict=True), "o-", ms=3, lw=1, color=colour, label=label)
    ends = {one.policy.name: one for one in points if one.policy.kind in ("one", "limit")}
    small, large = ends["small alone"], ends["large alone"]
    axes.plot([small.cost * 1000, large.cost * 1000], [small.quality.mean, large.quality.mean],
              "k:", lw=1, label="by chance")  # fmt: skip
    for one, mark in zip(ends.values(), "s*D", strict=True):
        axes.plot(one.cost * 1000, one.quality.mean, f"k{mark}", ms=7, label=one.policy.name)
    axes.set(xlabel="cost of 1000 questions", ylabel="quality",
             title="Quality against cost, scripted models")  # fmt: skip
    axes.legend(fontsize=7, loc="lower right")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def write(folder: Path, table: Sequence[Sequence[object]], told: str) -> None:
    """Put the table into the page between its marks."""
    path = folder / "routing.md"
    lines = [COLUMNS, ["---"] * len(COLUMNS), *table]
    text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    page = path.read_text(encoding="utf-8")
    marks = r"(?<=<!-- begin -->\n).*?(?=<!-- end -->)"
    path.write_text(re.sub(marks, f"{text}\n\n{told}\n", page, flags=re.S), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    trials = trials_of(arguments.questions, arguments.seed)
    points = calibration.points(trials)
    table = rows(points)
    show(f"Quality against cost, {len(trials)} questions", COLUMNS, table)
    quality, cost = calibration.held_out(trials, MARGIN)
    chosen = calibration.chosen(points, MARGIN)
    told = (
        f"Chosen of all, within {MARGIN} of the large one alone: {chosen.policy.name}. Chosen on "
        f"four fifths of the questions and measured on the fifth: quality {quality:.3f} at "
        f"{cost * 1000:.2f} for 1000 questions."
    )
    print(told)
    if arguments.write:
        draw(points, arguments.write / "routing.png")
        write(arguments.write, table, told)


if __name__ == "__main__":
    main()
