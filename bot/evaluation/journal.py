"""A comparison of answers as the database keeps it, from its first answer on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Json, Jsonb

from bot.database import Connection, Database
from bot.errors import NotFound
from bot.evaluation import golden, pinning, results
from bot.evaluation.engine import Sheet, Trial
from bot.evaluation.golden import Golden
from bot.evaluation.results import QUERIES
from bot.evaluation.variants import Step
from bot.text import cleaned

KIND = "answers"

Readings = Mapping[str, Mapping[str, Sequence[float]]]
"""Figures of each item, by task and variant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An evaluation as it is kept.

    Attributes:
        by: the metric that decides.
        steps: the variants, in the order they were named.
        ratings: question, two variants, which of them is better, and who says so.
        finished: False while it is under way, or was stopped.
    """

    id: int
    by: str
    steps: Sequence[Step]
    sheet: Sheet
    readings: Readings
    ratings: Sequence[tuple[int, str, str, str, str]]
    finished: bool
    settings: Mapping[str, Any]


async def begin(
    database: Database, questions: Sequence[Golden], settings: Mapping[str, Any], *, fresh: bool
) -> tuple[int, dict[tuple[str, int], Trial], list[str]]:
    """Begin an evaluation, or go on with one of the same questions and variants.

    Args:
        fresh: begin anew in any case.

    Returns:
        Its id, what is answered already, and why one that was stopped is not gone on with, in a
        sentence, if so; what has failed is asked again.
    """
    async with database.transaction() as connection:
        number, new, notes = await begun(connection, KIND, questions, settings, fresh=fresh)
        known = {} if new else await _answers(connection, number)
    return number, {key: trial for key, trial in known.items() if not trial.error}, notes


async def begun(
    connection: Connection,
    kind: str,
    questions: Sequence[Golden],
    settings: Mapping[str, Any],
    *,
    fresh: bool,
) -> tuple[int, bool, list[str]]:
    """Find the evaluation of this kind, with equal questions and settings, that was stopped.

    Args:
        settings: with `variants`, by whose names what somebody wants to go on with is known.

    Returns:
        Its id or a new one's, whether it is new, and why an older one is not gone on with.
    """
    arguments = {
        "kind": kind,
        "golden": golden.digest(questions),
        "questions": len(questions),
        "settings": Jsonb(dict(settings)),
    }
    if not fresh:
        row = await (await connection.execute(QUERIES["begun"], arguments)).fetchone()
        if row is not None:
            return row[0], False, []
    notes = []
    row = await (await connection.execute(QUERIES["stopped"], arguments)).fetchone()
    if not fresh and row is not None:
        told = ["the golden questions are others"] if row[1] != arguments["golden"] else []
        told += pinning.changes(row[2], settings)
        notes.append(f"Evaluation {row[0]}, which was stopped, is not gone on with: "
                     f"{'; '.join(told)}. This one has begun anew.")  # fmt: skip
    row = await (await connection.execute(QUERIES["begin"], arguments)).fetchone()
    assert row is not None
    return row[0], True, notes


async def put(database: Database, evaluation: int, variant: str, one: Golden, trial: Trial) -> None:
    """Keep an answer."""
    figures = {
        "values": dict(trial.values),
        "costs": dict(trial.costs),
        "milliseconds": round(trial.milliseconds, 3),
        "error": cleaned(trial.error),
        "cold": trial.cold,
        "corpus": trial.corpus,
    }
    async with database.connection() as connection:
        await connection.execute(
            QUERIES["put_answer"],
            {
                "evaluation": evaluation,
                "variant": variant,
                "golden": one.id,
                "answer": cleaned(trial.answer),
                "trial": Json(figures),
            },
        )


async def put_reading(
    database: Database, evaluation: int, variant: str, task: str, figures: Sequence[float]
) -> None:
    """Keep what a variant made of a task of likelihood."""
    async with database.connection() as connection:
        await connection.execute(
            QUERIES["put_reading"],
            {
                "evaluation": evaluation, "variant": variant, "task": task,
                "figures": list(figures),
            },
        )  # fmt: skip


async def readings(database: Database, evaluation: int) -> Readings:
    """Read what variants made of texts."""
    found: dict[str, dict[str, list[float]]] = {}
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["readings"], {"evaluation": evaluation})
        for variant, task, figures in await cursor.fetchall():
            found.setdefault(task, {})[variant] = figures
    return found


async def finish(database: Database, kept: Kept) -> None:
    """Write the figures of all variants down, and that all is done."""
    async with database.transaction() as connection:
        about = {"evaluation": kept.id}
        await connection.execute(QUERIES["drop_variants"], about)
        for step in kept.steps:
            tasks = {
                task: results.interval(by_variant[step.name])
                for task, by_variant in kept.readings.items()
                if step.name in by_variant
            }
            await connection.execute(
                QUERIES["keep_variant"],
                {
                    **about,
                    "name": step.name,
                    "summary": Json({**results.summary(kept.sheet, step.name), **tasks}),
                    "trials": Json(results.trials(kept.sheet, step.name)),
                },
            )
        await connection.execute(QUERIES["finish"], about)


async def load(database: Database, evaluation: int) -> Kept:
    """Read an evaluation of answers.

    Of one that was stopped, only the questions that every variant was asked. Questions that have
    been removed since have taken their answers along.

    Raises:
        NotFound: there is none of this number, or it has compared something else.
    """
    async with database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        about = await (
            await cursor.execute(QUERIES["about"], {"evaluation": evaluation})
        ).fetchone()
        if about is None or about["kind"] != KIND:
            raise NotFound(
                f"There is no comparison of answers {evaluation}; `bot eval list` shows them."
            )
        answers = await _answers(connection, evaluation)
        rated = await connection.execute(QUERIES["ratings"], {"evaluation": evaluation})
        ratings = await rated.fetchall()
    steps = _steps(about)
    asked = [
        one
        for one in await golden.load(database, drafts=True)
        if all((step.name, one.id) in answers for step in steps)
    ]
    sheet = Sheet(
        golden=asked,
        trials={step.name: [answers[step.name, one.id] for one in asked] for step in steps},
        started=about["started_at"],
    )
    return Kept(
        id=evaluation,
        by=about["settings"]["by"],
        steps=steps,
        sheet=sheet,
        readings=await readings(database, evaluation),
        ratings=[(row[0], row[1], row[2], row[3], row[4]) for row in ratings],
        finished=about["finished_at"] is not None,
        settings=about["settings"],
    )


async def names(database: Database, evaluation: int) -> list[str]:
    """The variants of a comparison, in the order they were named.

    Raises:
        NotFound: as `load` does.
    """
    async with database.connection() as connection:
        return [step.name for step in _steps(await _about(connection, evaluation))]


async def _about(connection: Any, evaluation: int) -> dict[str, Any]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(QUERIES["about"], {"evaluation": evaluation})
    about: dict[str, Any] | None = await cursor.fetchone()
    if about is None or about["kind"] != KIND:
        raise NotFound(
            f"There is no comparison of answers {evaluation}; `bot eval list` shows them."
        )
    return about


def _steps(about: Mapping[str, Any]) -> list[Step]:
    variants = about["settings"]["variants"]
    return [Step(name=one["name"], means=tuple(one["means"])) for one in variants]


async def _answers(connection: Any, evaluation: int) -> dict[tuple[str, int], Trial]:
    cursor = await connection.execute(QUERIES["answers"], {"evaluation": evaluation})
    return {
        (variant, question): Trial(answer=answer, **figures)
        for variant, question, answer, figures in await cursor.fetchall()
    }
