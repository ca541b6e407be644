"""Putting the golden questions to both generators of a router."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from bot import Delta, Turn, dispatch, prompt
from bot.errors import UsageError
from bot.turn import EVERYONE, Prompt, Usage
from bot_router import calibration, signals
from bot_router.asking import Failed, Leg
from bot_router.calibration import Answered, Trial
from bot_router.generator import Router

if TYPE_CHECKING:
    from bot import Bot
    from bot.evaluation.golden import Golden

Unit = str
"""What costs are counted in: `cost` in money, `tokens`, or `questions` of the large one."""


class Questioning:
    """Asks both generators of one router, as an assistant would.

    Args:
        name: the router's table in bot.toml.

    Attributes:
        failures: questions that the large one did not answer; the small one's answer counts.
    """

    def __init__(self, bot: Bot, router: Router, name: str, assistant: str) -> None:
        self._bot = bot
        self._router = router
        self._name = name
        self._assistant = assistant
        self._spent: list[tuple[Usage | None, Usage | None]] = []
        self._trials: list[Trial] = []
        self.failures = 0

    @classmethod
    async def of(cls, bot: Bot, assistant: str) -> Questioning:
        """Begin with the router of an assistant.

        Raises:
            UsageError: another type of generator answers for it.
        """
        name = bot.assistant(assistant).generator
        made = await bot.component("generator", name)
        if not isinstance(made, Router):
            raise UsageError(
                f"The assistant {assistant!r} answers with {name!r}, which is no router; give it "
                'one with type = "router" in bot.toml, or name another with --assistant.'
            )
        return cls(bot, made, name, assistant)

    @property
    def name(self) -> str:
        return self._name

    async def ask(self, one: Golden) -> None:
        """Let both answer a question; a small one that fails counts as one that refuses."""
        askers = frozenset(self._bot.settings.assistants[self._assistant].askers)
        may = EVERYONE in askers or one.readers & askers
        passages, run = await self._bot.search(
            one.question,
            k=self._bot.assistant(self._assistant).k,
            assistant=self._assistant,
            principals=one.readers if may else one.readers | askers,
        )
        limit = await self._router.bot_context_limit()
        asked = await prompt.build(run.turn, passages, limit, self._router.bot_count_tokens)
        small_leg, large_leg = self._router.legs()
        small, its = await self._answered(run.turn, asked, one, small_leg)
        large, theirs = await self._answered(run.turn, asked, one, large_leg)
        if not large_leg.text.strip():  # as it would be in a turn
            self.failures += 1
            large, theirs = small, None
        self._spent.append((its, theirs))
        self._trials.append(Trial(asked=signals.Asked.of(asked), small=small, large=large))

    def trials(self) -> tuple[list[Trial], Unit]:
        """What came of it, with costs in the best unit that is known."""
        told = [usage for pair in self._spent for usage in pair if usage is not None]
        unit = "cost" if any(one.cost for one in told) else "tokens" if told else "questions"

        def cost(usage: Usage | None, *, large: bool) -> float:
            if unit == "questions":
                return float(large)
            if usage is None:
                return 0.0
            return usage.cost if unit == "cost" else usage.input_tokens + usage.output_tokens

        return [
            replace(
                trial,
                small=replace(trial.small, cost=cost(its, large=False)),
                large=replace(trial.large, cost=cost(theirs, large=True)),
            )
            for trial, (its, theirs) in zip(self._trials, self._spent, strict=True)
        ], unit

    async def _answered(
        self, turn: Turn, asked: Prompt, one: Golden, leg: Leg
    ) -> tuple[Answered, Usage | None]:
        begun, usage = time.perf_counter(), None
        try:
            async with aclosing(self._deltas(leg, turn, asked)) as deltas:
                async for delta in deltas:
                    usage = delta.usage or usage
            text = leg.text
        except Failed:
            text = ""
        took = (time.perf_counter() - begun) * 1000
        said = await dispatch.in_thread(
            signals.judged,
            text=text,
            logprobs=leg.logprobs,
            passages=asked.passages,
            refused=leg.refused or not text.strip(),
        )
        cited = [
            place
            for number in signals.markers(text)
            if 0 < number <= len(asked.passages)
            for place in (asked.passages[number - 1].id, asked.passages[number - 1].uri)
        ]
        good = calibration.quality("" if said.refused else text, cited, one.answer, one.sources)
        return Answered(quality=good, cost=0.0, milliseconds=took, said=said), usage

    def _deltas(self, leg: Leg, turn: Turn, asked: Prompt) -> AsyncGenerator[Delta]:
        return leg.deltas(self._router.ask, turn, asked)
