"""A calibration as the database keeps it: what was asked is not asked again after a stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Json

from bot.evaluation import journal
from bot.evaluation.pinning import Pinned
from bot.evaluation.results import QUERIES
from bot.evaluation.variants import specs
from bot.turn import Usage
from bot_router.calibration import Answered, Point, Trial, taken
from bot_router.signals import Asked, Said

if TYPE_CHECKING:
    from bot import Bot
    from bot.document import IndexVersion
    from bot.evaluation.golden import Golden
    from bot_router.settings import RouterSettings

KIND = "routing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one generator made of one question.

    Attributes:
        answered: without its cost, whose unit is known only at the end.
        problem: why it gave no answer; empty when it gave one.
        declined: it may not receive the passages, or is over its limit, and was not asked.
    """

    answered: Answered
    usage: Usage | None = None
    problem: str = ""
    declined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One golden question, put to both.

    Attributes:
        small, large: None when the search failed.
        problem: why the search failed, or what of it did.
    """

    asked: Asked | None = None
    small: Part | None = None
    large: Part | None = None
    problem: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is worth asking again."""
        parts = (self.small, self.large)
        return bool(self.problem) or any(
            one is None or bool(one.problem and not one.declined) for one in parts
        )


class Calibration:
    """An evaluation of this kind, under way.

    Attributes:
        known: what an earlier run has measured, by the question's id.
        notes: why it did not go on with an earlier one.
    """

    def __init__(self, bot: Bot, number: int, name: str, assistant: str, pinned: Pinned) -> None:
        self._bot = bot
        self._name = name
        self._assistant = assistant
        self._pinned = pinned
        self.number = number
        self.known: dict[int, Measured] = {}
        self.notes: list[str] = []

    @classmethod
    async def begin(
        cls,
        bot: Bot,
        name: str,
        settings: RouterSettings,
        assistant: str,
        questions: Sequence[Golden],
        index: IndexVersion | None,
        *,
        fresh: bool = False,
    ) -> Calibration:
        """Begin, or go on with one of the same questions, generators and documents.

        Args:
            name: the router's table in bot.toml.
            settings: of which the thresholds may have changed since.
            fresh: begin anew in any case.
        """
        (spec,) = specs(bot, [assistant], assistant)
        pinned = await Pinned.of(bot, [spec])
        tables = {key: one for key, one in spec.about["generators"].items() if key != name}
        legs = settings.model_dump(include={"small", "large", "patience", "longest"})
        about = {
            "by": "quality",
            "variants": [{"name": name, "about": {**spec.about, "generators": tables, **legs}}],
            "index": index.id if index else None,
            "revisions": dict(pinned.revisions),
        }
        async with bot.database.transaction() as connection:
            number, new, notes = await journal.begun(
                connection, KIND, questions, about, fresh=fresh
            )
            made = cls(bot, number, name, assistant, pinned)
            made.notes = notes
            if not new:
                cursor = await connection.execute(QUERIES["answers"], {"evaluation": number})
                found = {id_: _read(kept) for _, id_, _, kept in await cursor.fetchall()}
                made.known = {id_: one for id_, one in found.items() if not one.failed}
        return made

    async def keep(self, one: Golden, measured: Measured) -> None:
        """Keep what was measured, unless something else has answered than at the beginning.

        Raises:
            EvaluationError: it has, or a budget is used up.
        """
        await self._pinned.check(self._assistant, self.number)
        async with self._bot.database.connection() as connection:
            row = {
                "evaluation": self.number,
                "variant": self._name,
                "golden": one.id,
                "answer": "",
                "trial": Json(asdict(measured)),
            }
            await connection.execute(QUERIES["put_answer"], row)

    async def finish(self, points: Mapping[str, Point], trials: Mapping[int, Trial]) -> None:
        """Note that all is asked, and what came of it, for `bot eval list` and `bot eval show`.

        Args:
            points: what the evaluation is to tell of, by what it is called there.
            trials: by the question's id.
        """
        async with self._bot.database.transaction() as connection:
            about = {"evaluation": self.number}
            for name, point in points.items():
                figures = {id_: taken(point.policy, one) for id_, one in trials.items()}
                rows = [
                    {"golden": id_, "quality": good, "cost": cost, "milliseconds": round(wait, 3)}
                    for id_, (good, cost, wait) in figures.items()
                ]
                summary = {"quality": asdict(point.quality), "way": point.policy.name}
                row = {**about, "name": name, "summary": Json(summary), "trials": Json(rows)}
                await connection.execute(QUERIES["keep_variant"], row)
            await connection.execute(QUERIES["finish"], about)


def _read(kept: Mapping[str, Any]) -> Measured:
    asked = kept["asked"] and Asked(**kept["asked"])
    return Measured(
        asked=asked,
        small=_part(kept["small"]),
        large=_part(kept["large"]),
        problem=kept["problem"],
    )


def _part(kept: Mapping[str, Any] | None) -> Part | None:
    if kept is None:
        return None
    answered = Answered(**{**kept["answered"], "said": Said(**kept["answered"]["said"])})
    usage = kept["usage"] and Usage(**kept["usage"])
    return Part(**{**kept, "answered": answered, "usage": usage})
