"""Comparing answers: every variant is asked every golden question that has an answer.

kept, notes = await compare(bot, ["base", "base+rag", "lora"])
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.errors import BotError, UsageError
from bot.evaluation import golden, journal, likelihoods, measures
from bot.evaluation.answers import AnswerVariant
from bot.evaluation.engine import Journal, Trial, run
from bot.evaluation.golden import Golden
from bot.evaluation.indexes import asking_as
from bot.evaluation.journal import Kept
from bot.evaluation.likelihoods import Task
from bot.evaluation.pinning import Pinned
from bot.evaluation.variants import Spec, specs
from bot.indexing import versions
from bot.turn import EVERYONE

if TYPE_CHECKING:
    from bot.app import Bot


async def compare(
    bot: Bot,
    names: Sequence[str],
    *,
    assistant: str = "default",
    by: str = measures.DEFAULT,
    tasks: Sequence[Task] = (),
    limit: int | None = None,
    fresh: bool = False,
    began: Callable[[int, int, int], None] = lambda evaluation, known, asked: None,
    told: Callable[[int], None] = lambda done: None,
) -> tuple[Kept, list[str]]:
    """Ask, measure and keep; a comparison that was stopped goes on where it was.

    Args:
        names: see `bot.evaluation.variants`.
        by: the metric that decides.
        tasks: texts that each variant's generator tells the likelihood of.
        limit: at most so many questions, spread evenly.
        fresh: ask anew what a stopped comparison has asked already.
        began: told the evaluation's number, and how many answers it has of how many.
        told: how many questions are done.

    Returns:
        The evaluation, and what did not work, one sentence each.

    Raises:
        EvaluationError: a variant answers with something else than when this began, such as
            another version of an adapter; what was measured before is kept.
        UsageError: there is no golden question with an answer, or no such variant.
    """
    chosen = specs(bot, names, assistant)
    questions = await questions_of(bot, limit)
    live = await versions.live(bot.database)
    pinned = await Pinned.of(bot, chosen, live)
    about = _settings(chosen, by, tasks, live.id if live else None, pinned.revisions)
    number, known, notes = await journal.begin(bot.database, questions, about, fresh=fresh)
    began(number, len(known), len(questions) * len(chosen))
    similarity = measures.Similarity(bot, live)
    variants = [AnswerVariant(bot, spec, similarity, live) for spec in chosen]
    keep = partial(_keep, bot, pinned, number)
    sheet = await run(questions, variants, told, Journal(known=known, keep=keep))
    notes += [f"{v.name}: {problem}" for v in variants for problem in sorted(v.problems)]
    notes += [f"{name}: {reason}" for name in sheet.trials for reason in sheet.errors(name)]
    if similarity.problem:
        notes.append(f"There is no similarity of meaning: {similarity.problem}")
    notes += await _read(bot, number, pinned, chosen, tasks, questions)
    kept = await journal.load(bot.database, number)
    await journal.finish(bot.database, kept)
    if by not in kept.sheet.metrics:
        measured = ", ".join(kept.sheet.metrics)
        notes.append(f"Nothing was measured as {by!r}; there is: {measured}.")
    return replace(kept, finished=True), notes


async def questions_of(bot: Bot, limit: int | None = None) -> list[Golden]:
    """Read the golden questions that an answer can be measured by, spread evenly.

    Raises:
        UsageError: there is none.
    """
    found = [one for one in await golden.load(bot.database) if one.answer]
    if not found:
        raise UsageError(
            "There is no golden question with an answer; add one: bot golden add --help"
        )
    if limit is None or limit >= len(found):
        return found
    return [found[place * len(found) // limit] for place in range(limit)]


async def _keep(
    bot: Bot, pinned: Pinned, number: int, variant: str, one: Golden, trial: Trial
) -> None:
    """Keep an answer, unless something else gave it than the comparison began with."""
    await pinned.check(variant, number)
    trial = replace(trial, corpus=await pinned.corpus())
    await journal.put(bot.database, number, variant, one, trial)


async def _read(
    bot: Bot,
    number: int,
    pinned: Pinned,
    chosen: Sequence[Spec],
    tasks: Sequence[Task],
    questions: Sequence[Golden],
) -> list[str]:
    """Let each variant tell likelihoods; what is known from before is not asked again."""
    problems = []
    known = await journal.readings(bot.database, number)
    readers = frozenset({EVERYONE}).union(*(one.readers for one in questions))
    for task in tasks:
        for spec in chosen:
            if spec.name in known.get(task.name, {}):
                continue
            try:
                turn = await bot.turn(
                    task.name,
                    assistant=spec.base,
                    principals=asking_as(
                        readers, frozenset(bot.settings.assistants[spec.base].askers)
                    ),
                )
                figures = await likelihoods.figures(bot, spec, task, turn)
            except BotError as error:
                problems.append(f"{spec.name} has no {task.name}: {error}")
            else:
                await pinned.check(spec.name, number)
                await journal.put_reading(bot.database, number, spec.name, task.name, figures)
    return problems


def _settings(
    chosen: Sequence[Spec],
    by: str,
    tasks: Sequence[Task],
    index: int | None,
    revisions: Mapping[str, str],
) -> dict[str, Any]:
    return {
        "by": by,
        "index": index,
        "revisions": dict(revisions),
        "variants": [
            {"name": one.name, "means": list(one.means), "about": dict(one.about)} for one in chosen
        ],
        "tasks": {
            task.name: {
                "kind": task.kind,
                "items": len(task.items),
                "digest": hashlib.sha256(json.dumps(task.items).encode()).hexdigest()[:16],
            }
            for task in tasks
        },
    }
