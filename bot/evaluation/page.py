"""The page of a comparison: one file that asks nothing of any network and runs no script."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import UsageError
from bot.evaluation import plots, words
from bot.evaluation.engine import Trial
from bot.evaluation.golden import Golden
from bot.evaluation.view import PREFERRED, TIME, View
from bot.text import printable
from bot.turn import EVERYONE

MARKED = 600  # words of a text that are compared one by one

Run = tuple[str, str]
"""A piece of text, and how it compares: `same`, `other`, or empty for what is not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One variant's answer to one question, as the page shows it."""

    name: str
    chosen: bool
    runs: Sequence[Run]
    score: float | None
    verdict: str
    trial: Trial


def write(path: Path, view: View, notes: Sequence[str] = ()) -> None:
    """Write the page, for its owner's eyes alone: answers may rest on restricted documents.

    Raises:
        UsageError: it cannot be written there.
    """
    text = html(view, notes)
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(made, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error}); name another file.") from None


def html(view: View, notes: Sequence[str] = ()) -> str:
    """Make the page; whatever is said in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent
    made = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip
    kept = view.kept
    readers = {reader for one in kept.sheet.golden for reader in one.readers} - {EVERYONE}
    return made.get_template("page.html.jinja").render(
        view=view,
        kept=kept,
        table=view.table(),
        people=len({rating[4] for rating in kept.ratings}),
        plots=[(name, _plot(view, name)) for name in view.shown],
        questions=[
            (one, list(_answers(view, place, one))) for place, one in enumerate(kept.sheet.golden)
        ],
        readers=sorted(readers),
        notes=[*notes, *filter(None, [view.mixed])],
    )


def _plot(view: View, name: str) -> Any:
    from markupsafe import Markup

    figures = [(step.name, view.figures[step.name].get(name)) for step in view.kept.steps]
    known = [figure for _, figure in figures if figure is not None]
    share = name in (PREFERRED, "refused") or (
        name not in (TIME, "cost") and all(one.low >= 0 and one.high <= 1 for one in known)
    )
    # plots.intervals escapes the names that it is given.
    return Markup(plots.intervals(name, figures, view.choice.name, share=share))  # noqa: S704


def _answers(view: View, place: int, one: Golden) -> Iterator[Said]:
    for step in view.kept.steps:
        trial = view.kept.sheet.trials[step.name][place]
        yield Said(
            name=step.name,
            chosen=step.name == view.choice.name,
            runs=[(trial.answer, "")]
            if trial.costs.get("refused")
            else agreement(trial.answer, one.answer),
            score=trial.values.get(view.kept.by),
            verdict=_verdict(trial),
            trial=trial,
        )


def _verdict(trial: Trial) -> str:
    """In a word what an answer is, beside the marks in it."""
    if trial.error:
        return "failed"
    if trial.costs.get("refused"):
        return "refused"
    if trial.values.get("exact"):
        return "says the same"
    if trial.values.get("contains"):
        return "holds the reference"
    return "shares nothing" if not trial.values.get("rouge1 f1") else "differs"


def agreement(text: str, reference: str) -> list[Run]:
    """Cut a text into what a reference says too, in the same order, and what it does not.

    The markers of its sources are not compared.
    """
    found = [one for one in words.spans(text) if not words.in_marker(text, one[1])][:MARKED]
    theirs = words.words(words.unmarked(reference))[:MARKED]
    same = {at for at, _ in words.common([word for word, _ in found], theirs)}
    runs: list[Run] = []
    done = 0
    for at, (_, (begin, end)) in enumerate(found):
        kind = "same" if at in same else "other"
        gap = text[done:begin]
        if runs and runs[-1][1] == kind and not gap.strip():
            runs[-1] = (runs[-1][0] + text[done:end], kind)
        else:
            runs += [(gap, ""), (text[begin:end], kind)]
        done = end
    return [run for run in (*runs, (text[done:], "")) if run[0]]


def _shown(value: Any) -> Any:
    """Characters that would turn the direction of the page, or be obeyed, are left out."""
    return printable(value) if type(value) is str else value
