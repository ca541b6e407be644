"""Comparing index versions: the golden set is searched for in each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bot.database import Database, load_queries
from bot.document import IndexVersion
from bot.errors import BotError, NotFound
from bot.evaluation import golden, metrics, results
from bot.evaluation.engine import Sheet, Trial, run
from bot.evaluation.golden import Golden
from bot.evaluation.statistics import Interval
from bot.turn import EVERYONE, Principal

if TYPE_CHECKING:
    from bot.app import Bot

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "evaluation.sql")

MARGIN = 0.02  # how much worse on average is still not worse

_JUDGES = ("recall", "nDCG")  # hit@1 is told and does not judge: two good pages change places


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the golden set says about a candidate.

    Attributes:
        outcome: `worse` when recall or nDCG is lower by more than the margin.
        reason: one sentence for people.
        evaluation: where the results are kept; 0 when nothing was measured.
        sheet: the results; its variants are the numbers of the versions.
        differences: candidate minus live, by metric.
    """

    outcome: Literal["worse", "not worse", "no golden set"]
    reason: str
    candidate: int
    live: int
    margin: float
    evaluation: int = 0
    sheet: Sheet | None = None
    differences: dict[str, Interval]


class IndexVariant:
    """An index version, searched with the retrievers of an assistant."""

    def __init__(self, bot: Bot, version: IndexVersion, assistant: str) -> None:
        self.name = str(version.id)
        self._bot = bot
        self._version = version
        self._assistant = assistant
        self._k = bot.assistant(assistant).k
        self._askers = frozenset(bot.settings.assistants[assistant].askers)

    async def ask(self, one: Golden) -> Trial:
        """Search for one question, as those who may read it, and measure the ranking."""
        begun, error = time.perf_counter(), ""
        try:
            passages, done = await self._bot.search(
                one.question,
                k=max(self._k, metrics.DEPTH),
                assistant=self._assistant,
                principals=asking_as(one.readers, self._askers),
                index=self._version,
            )
            error = " ".join(done.notices)
        except BotError as failure:
            passages, error = [], str(failure)
        took = (time.perf_counter() - begun) * 1000
        values = metrics.of_ranking(passages, one.sources, self._k)
        return Trial(values=values, milliseconds=took, error=error)

    def failure(self, one: Golden, reason: str) -> Trial:
        """Nothing was found."""
        values = metrics.of_ranking((), one.sources, self._k)
        return Trial(values=values, milliseconds=0.0, error=reason)


def asking_as(readers: frozenset[Principal], askers: frozenset[Principal]) -> frozenset[Principal]:
    """Who asks: the readers, and where they may not ask an assistant, those who may."""
    allowed = EVERYONE in askers or readers & askers
    return readers if allowed else readers | askers


async def compare_indexes(
    bot: Bot,
    candidate: int,
    live: int,
    *,
    margin: float = MARGIN,
    assistant: str = "default",
    told: Callable[[int], None] = lambda done: None,
) -> Verdict:
    """Tell whether an index version is worse than the live one, by the golden set.

    It is worse when its mean recall or nDCG is lower by more than the margin. The mean decides
    and not the interval's end: with few questions nearly every interval holds 0, and a worse
    index would go live. The interval tells how sure that is. The results are kept.

    Args:
        candidate, live: ids of the versions.
        told: how many questions are done.

    Raises:
        NotFound: there is no such version, or it is dropped.
    """
    versions = [await version(bot.database, candidate), await version(bot.database, live)]
    questions = await questions_of(bot)
    if not questions:
        reason = "There is no golden set: add questions with `bot golden add`, or import them."
        return Verdict(
            outcome="no golden set",
            reason=reason,
            candidate=candidate,
            live=live,
            margin=margin,
            differences={},
        )
    sheet = await measure(bot, versions, questions, assistant, told)
    kept = await keep(bot, sheet, assistant, margin=margin)
    return judge(sheet, candidate, live, margin, kept)


def judge(sheet: Sheet, candidate: int, live: int, margin: float, evaluation: int = 0) -> Verdict:
    """Read the verdict off the results of two versions."""
    differences = {m: sheet.difference(str(candidate), str(live), m) for m in sheet.metrics}
    judged = {m: d for m, d in differences.items() if m.startswith(_JUDGES)}
    lower = {m: d for m, d in judged.items() if d.mean < -margin}
    told = ", ".join(f"{m} {d:+}" for m, d in (lower or judged).items())
    how = f"worse than version {live} by more than {margin:g}" if lower else "not worse"
    return Verdict(
        outcome="worse" if lower else "not worse",
        reason=f"Version {candidate} is {how} on {len(sheet.golden)} golden questions: {told}.",
        candidate=candidate,
        live=live,
        margin=margin,
        evaluation=evaluation,
        sheet=sheet,
        differences=differences,
    )


async def measure(
    bot: Bot,
    versions: Sequence[IndexVersion],
    questions: Sequence[Golden],
    assistant: str = "default",
    told: Callable[[int], None] = lambda done: None,
) -> Sheet:
    """Search for every question in every version."""
    return await run(questions, [IndexVariant(bot, v, assistant) for v in versions], told)


async def keep(bot: Bot, sheet: Sheet, assistant: str, **settings: object) -> int:
    """Keep the results of some versions; return where."""
    about = {"assistant": assistant, **settings}
    return await results.keep(bot.database, "index", sheet, about)


async def questions_of(bot: Bot) -> list[Golden]:
    """Read the golden questions that a search can be measured by: those with sources."""
    return [one for one in await golden.load(bot.database) if one.sources]


async def version(database: Database, number: int) -> IndexVersion:
    """Read an index version that can be searched.

    Raises:
        NotFound: there is none, or it is dropped.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["version"], {"version": number})
        row = await cursor.fetchone()
    if row is None or row[1] == "dropped":
        raise NotFound(f"There is no index version {number}; `bot index status` lists them.")
    return IndexVersion(id=row[0], state=row[1], dimensions=row[2], settings=row[3])
