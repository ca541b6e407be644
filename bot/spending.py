"""What remote models cost: reserved before they are asked, settled afterwards.

A reservation takes the most that an answer can cost, so that questions at the same time, and a bot
that dies on the way, keep to the limits as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from psycopg.rows import dict_row

from bot.database import Database, load_queries
from bot.errors import OverBudget
from bot.turn import Turn, Usage

QUERIES = load_queries(Path(__file__).parent / "queries" / "spending.sql")

By: TypeAlias = Literal["person", "assistant", "generator", "turn", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of what may be spent, in the currency of the prices; None for none.

    Attributes:
        answer: for one answer of one generator.
        person_day: for one person, from midnight to midnight, UTC.
        assistant_month, month: for one assistant, and for all, in a calendar month, UTC.
    """

    answer: float | None = None
    person_day: float | None = None
    assistant_month: float | None = None
    month: float | None = None


@dataclass(slots=True)
class Bill:
    """What an answer has cost so far; its generator keeps it up to date."""

    usage: Usage | None = None


class Spending:
    """Keeps the account of a bot.

    Attributes:
        exhausted: how often a limit of a day or a month was found used up, and the last time's
            sentence: who measures must not go on.
    """

    def __init__(self, database: Database, budget: Budget | None = None) -> None:
        self._database = database
        self._budget = budget or Budget()
        self.exhausted = (0, "")

    @asynccontextmanager
    async def reserved(self, turn: Turn, generator: str, most: Usage) -> AsyncIterator[Bill]:
        """Take the most that an answer can cost from the budget, and give back what it did not.

        Without a word on the bill the whole of it stays spent.

        Raises:
            OverBudget: it might cost more than is left; the sentence says of which limit.
        """
        reservation = await self._reserve(turn, generator, most.cost)
        bill = Bill()
        try:
            yield bill
        finally:
            settling = asyncio.ensure_future(self._settle(reservation, bill.usage or most))
            await asyncio.shield(settling)

    async def report(self, since: datetime, by: By) -> list[Mapping[str, Any]]:
        """What was spent since a time: `name`, `calls`, tokens and `cost`, the dearest first."""
        async with self._database.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(QUERIES["report"], {"since": since, "by": by})
            return list(await cursor.fetchall())

    async def _reserve(self, turn: Turn, generator: str, cost: float) -> int:
        arguments = {
            "turn": turn.id,
            "assistant": turn.assistant.name,
            "generator": generator,
            "person": person(turn),
            "cost": cost,
        }
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["queue"])
            found = await (await connection.execute(QUERIES["spent"], arguments)).fetchone()
            assert found is not None
            self._check(cost, *found)
            row = await (await connection.execute(QUERIES["reserve"], arguments)).fetchone()
        assert row is not None
        return int(row[0])

    def _check(self, cost: float, by_person: float, by_assistant: float, all_: float) -> None:
        budget = self._budget
        if budget.answer is not None and cost > budget.answer:
            raise OverBudget("An answer to this might cost more than one answer may; ask for less.")
        if budget.person_day is not None and by_person + cost > budget.person_day:
            raise self._used_up("Your budget for today is used up; ask again after midnight (UTC).")
        if budget.assistant_month is not None and by_assistant + cost > budget.assistant_month:
            raise self._used_up(
                "This assistant's budget for the month is used up; it begins anew on the first."
            )
        if budget.month is not None and all_ + cost > budget.month:
            raise self._used_up("The budget for the month is used up; it begins anew on the first.")

    def _used_up(self, sentence: str) -> OverBudget:
        self.exhausted = (self.exhausted[0] + 1, sentence)
        return OverBudget(sentence)

    async def _settle(self, reservation: int, usage: Usage) -> None:
        async with self._database.connection() as connection:
            await connection.execute(
                QUERIES["settle"],
                {
                    "id": reservation,
                    "cost": usage.cost,
                    "input": usage.input_tokens,
                    "output": usage.output_tokens,
                },
            )


def person(turn: Turn) -> str:
    """Who pays: the author, or whom the turn was asked as; all others are one."""
    addresses = sorted(one for one in turn.principals if one.startswith("email:"))
    return turn.author or (addresses[0] if addresses else "")
