"""Which of two answers people prefer, without knowing whose they are."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bot.database import Database
from bot.errors import NotFound
from bot.evaluation import journal
from bot.evaluation.journal import Kept
from bot.evaluation.results import QUERIES
from bot.evaluation.words import unmarked
from bot.text import cleaned
from bot.turn import Principal

Better: TypeAlias = Literal["left", "right", "neither"]

BETTER: Mapping[str, Better] = {"l": "left", "r": "right", "n": "neither"}
"""What is said in one letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to a question, in an order that says nothing about whose they are.

    Attributes:
        variants: whose they are, left and right; never shown.
    """

    evaluation: int
    golden: int
    question: str
    reference: str
    variants: tuple[str, str]
    answers: tuple[str, str]

    @property
    def key(self) -> str:
        """Names it, whichever stands on the left."""
        one, other = sorted(self.variants)
        return f"{self.golden}/{one}/{other}"


async def next_pair(
    database: Database,
    evaluation: int,
    author: str,
    *,
    principals: Collection[Principal] | None = None,
    passed: Collection[str] = (),
) -> Pair | None:
    """Find two answers that somebody has not rated, those with the fewest ratings first.

    Args:
        principals: who rates; None for whoever runs the bot, who may read everything.
        passed: keys of pairs that were passed over.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(
            QUERIES["pair"],
            {
                "evaluation": evaluation,
                "author": cleaned(author),
                "principals": None if principals is None else list(principals),
                "passed": list(passed),
            },
        )
        row = await cursor.fetchone()
    if row is None:
        return None
    golden, question, reference, one, its, other, others = row
    # By chance, and for one person the same again: what is shown twice looks the same.
    turned = random.Random(f"{evaluation}/{golden}/{one}/{other}/{author}").random() < 0.5  # noqa: S311 - no secret
    return Pair(
        evaluation=evaluation,
        golden=golden,
        question=question,
        reference=reference,
        variants=(other, one) if turned else (one, other),
        answers=(others, its) if turned else (its, others),
    )


async def rate(
    database: Database,
    pair: Pair,
    better: Better,
    author: str,
    *,
    principals: Collection[Principal] | None = None,
) -> None:
    """Keep which answer is better; rated again, the last word counts.

    Raises:
        NotFound: the answers are gone, or are not this person's to read.
    """
    one, other = sorted(pair.variants)
    preferred = "neither"
    if better != "neither":
        preferred = "one" if pair.variants[better == "right"] == one else "other"
    async with database.connection() as connection:
        cursor = await connection.execute(
            QUERIES["rate"],
            {
                "evaluation": pair.evaluation,
                "golden": pair.golden,
                "one": one,
                "other": other,
                "preferred": preferred,
                "author": cleaned(author),
                "principals": None if principals is None else list(principals),
            },
        )
        if cursor.rowcount == 0:
            raise NotFound("These answers are gone; rate others.")


def pairs(kept: Kept) -> Iterator[dict[str, Any]]:
    """What people preferred, as preference tuning reads it; where they disagree evenly, nothing.

    Who may read the question may read its answers: it was asked as them.
    """
    votes: Counter[tuple[int, str, str]] = Counter()
    for question, one, other, better, _ in kept.ratings:
        votes[question, one, other] += {"one": 1, "other": -1, "neither": 0}[better]
    places = {one.id: place for place, one in enumerate(kept.sheet.golden)}
    for (question, one, other), vote in votes.items():
        if not vote or question not in places:
            continue
        said = {
            name: unmarked(kept.sheet.trials[name][places[question]].answer)
            for name in (one, other)
        }
        asked = kept.sheet.golden[places[question]]
        yield {
            "prompt": asked.question,
            "chosen": said[one if vote > 0 else other],
            "rejected": said[other if vote > 0 else one],
            "readers": sorted(asked.readers),
        }


async def ask_in_slack(database: Database, evaluation: int, asked: bool) -> None:
    """Ask people in Slack about a comparison's answers, or ask them no more.

    Raises:
        NotFound: there is no such comparison.
    """
    await journal.names(database, evaluation)
    async with database.connection() as connection:
        arguments = {"evaluation": evaluation, "asked": asked}
        await connection.execute(QUERIES["ask_in_slack"], arguments)


async def asked_in_slack(database: Database) -> int | None:
    """The evaluation that people in Slack are asked about, if any."""
    async with database.connection() as connection:
        row = await (await connection.execute(QUERIES["asked_in_slack"])).fetchone()
    return None if row is None else int(row[0])
