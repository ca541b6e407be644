"""A comparison of answers, made ready for a table, for JSON, and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp
from typing import Any

from bot.evaluation import measures, pinning, results
from bot.evaluation.journal import Kept
from bot.evaluation.ladder import Choice, choose, means, preferred
from bot.evaluation.statistics import Interval, bootstrap

TIME = "milliseconds"
PREFERRED = "preferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What there is to show.

    Attributes:
        shown: columns of a table: what was measured and is worth a column.
        figures: by variant and column.
        mixed: that the answers are from documents of several states; empty when they are not.
    """

    kept: Kept
    choice: Choice
    shown: Sequence[str]
    figures: Mapping[str, Mapping[str, Interval]]
    preferred: Mapping[str, Interval]
    mixed: str

    def table(self) -> list[dict[str, str]]:
        """A line for each figure, a column for each variant; nothing without variants."""
        steps = self.kept.steps
        return [
            {"figure": "it takes", **{step.name: means(step) for step in steps}},
            *(
                {
                    "figure": name,
                    **{s.name: _told(name, self.figures[s.name].get(name)) for s in steps},
                }
                for name in self.shown
            ),
        ]

    def plain(self, notes: Sequence[str] = ()) -> dict[str, Any]:
        """Everything as JSON values."""
        kept = self.kept
        corpora = pinning.corpora(kept.sheet, kept.steps)
        return {
            "evaluation": kept.id,
            "questions": len(kept.sheet.golden),
            "finished": kept.finished,
            "by": kept.by,
            "choose": self.choice.name,
            "best": self.choice.best,
            "reason": self.choice.reason,
            "variants": {
                step.name: {
                    "takes": list(step.means),
                    **results.summary(kept.sheet, step.name),
                    **{name: asdict(i) for name, i in self.figures[step.name].items()},
                    **_perplexities(self.figures[step.name]),
                    "below the best": asdict(self.choice.differences[step.name])
                    if step.name in self.choice.differences
                    else None,
                    "documents": corpora.get(step.name, {}),
                }
                for step in kept.steps
            },
            "notes": [*notes, *filter(None, [self.mixed])],
        }


def view(kept: Kept) -> View:
    """Make a comparison ready to be shown."""
    sheet = kept.sheet
    main = [name for name in measures.MAIN if name in sheet.metrics]
    own = [m for m in sheet.metrics if not m.startswith("rouge") and m not in main]
    first = [] if kept.by in main or kept.by not in sheet.metrics else [kept.by]
    columns = [*dict.fromkeys([*first, *main, *own]), *sheet.costs]
    rated = preferred([one[:4] for one in kept.ratings], [step.name for step in kept.steps])
    figures: dict[str, dict[str, Interval]] = {}
    for step in kept.steps:
        found = {name: sheet.mean(step.name, name) for name in columns
                 if sheet.values(step.name, name)}  # fmt: skip
        if sheet.golden:
            found[TIME] = bootstrap(sheet.waits(step.name))
        for task, by_variant in kept.readings.items():
            if step.name in by_variant:
                found[task] = bootstrap(by_variant[step.name])
        if step.name in rated:
            found[PREFERRED] = rated[step.name]
        figures[step.name] = found
    present = dict.fromkeys(name for found in figures.values() for name in found)
    return View(
        kept=kept,
        choice=choose(sheet, kept.steps, kept.by),
        shown=list(present),
        figures=figures,
        preferred=rated,
        mixed=pinning.mixed(sheet, kept.steps),
    )


def _perplexities(figures: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    """What losses mean in words: among how many tokens a model chooses as if at random."""
    return {
        name.replace("loss", "perplexity", 1): {
            end: exp(min(value, 700.0)) for end, value in asdict(figure).items()
        }
        for name, figure in figures.items()
        if name.startswith("loss ")
    }


def _told(name: str, figure: Interval | None) -> str:
    if figure is None:
        return "–"
    if name == TIME or name.startswith("tokens"):
        return f"{figure.mean:.0f} [{figure.low:.0f}, {figure.high:.0f}]"
    return str(figure)
