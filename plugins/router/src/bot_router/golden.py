"""Putting the golden questions to both generators of a router."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot import Turn, dispatch, prompt
from bot.errors import BotError, EvaluationError, UsageError
from bot.evaluation.engine import HOPELESS
from bot.indexing import versions
from bot.turn import EVERYONE, Passage, Prompt, Usage
from bot_router import calibration, signals
from bot_router.asking import Failed, Leg
from bot_router.calibration import Answered, Trial
from bot_router.generator import Router
from bot_router.keeping import Calibration, Measured, Part

if TYPE_CHECKING:
    from bot import Bot
    from bot.document import IndexVersion
    from bot.evaluation.golden import Golden

Unit = str
"""What costs are counted in: `cost` in money, `tokens`, or `questions` of the large one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What did not work, by its reason, each with how many questions it happened to.

    Attributes:
        search: questions that were not measured, or with less than could be found.
        small: counted as refusals.
        large: of which the small one's answer counts, as in a turn.
    """

    search: Counter[str]
    small: Counter[str]
    large: Counter[str]


class Questioning:
    """Asks both generators of one router, as an assistant would.

    Args:
        name: the router's table in bot.toml.
        index: the version that is searched to the end, whichever is promoted meanwhile.

    Attributes:
        measured: what came of each question so far, by its id.
    """

    def __init__(
        self, bot: Bot, router: Router, name: str, assistant: str, index: IndexVersion | None
    ) -> None:
        self._bot = bot
        self.assistant = assistant
        self.router = router
        self.name = name
        self.index = index
        self.measured: dict[int, Measured] = {}
        self._silent = 0  # questions in a row, from the first on, without the large one's answer

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
        return cls(bot, made, name, assistant, await versions.live(bot.database))

    async def ask(self, one: Golden) -> Measured:
        """Let both answer a question; a small one that fails counts as one that refuses.

        Raises:
            EvaluationError: the large one has answered none of the first questions.
        """
        try:
            turn, passages, problem = await self._found(one)
        except BotError as error:  # none of the retrievers could be asked
            self.measured[one.id] = Measured(problem=str(error))
            return self.measured[one.id]
        limit = await self.router.bot_context_limit()
        asked = await prompt.build(turn, passages, limit, self.router.bot_count_tokens)
        small, large = [await self._part(turn, asked, one, leg) for leg in self.router.legs()]
        if self._silent >= 0:
            self._silent = self._silent + 1 if large.problem and not large.declined else -1
        if self._silent >= HOPELESS:
            raise EvaluationError(
                f"The large generator answered none of the first {HOPELESS} questions: "
                f"{large.problem}. Mend that; the same command then asks them again."
            )
        made = Measured(asked=signals.Asked.of(asked), small=small, large=large, problem=problem)
        self.measured[one.id] = made
        return made

    def trials(self) -> tuple[dict[int, Trial], Unit]:
        """What came of it by question, with costs in the best unit that is known.

        Questions whose search failed are not among them.
        """
        told = [
            part.usage
            for one in self.measured.values()
            for part in (one.small, one.large)
            if part is not None and part.usage is not None
        ]
        unit = "cost" if any(one.cost for one in told) else "tokens" if told else "questions"

        def priced(part: Part, usage: Usage | None, *, large: bool) -> Answered:
            if unit == "questions":
                cost = float(large)
            elif usage is None:
                cost = 0.0
            else:
                cost = usage.cost if unit == "cost" else usage.input_tokens + usage.output_tokens
            return replace(part.answered, cost=cost)

        made = {}
        for id_, one in self.measured.items():
            if one.asked is None or one.small is None or one.large is None:
                continue
            small = priced(one.small, one.small.usage, large=False)
            # Where the large one does not answer, the small one's answer is that of the turn.
            large = (
                priced(one.small, None, large=True)
                if one.large.problem
                else priced(one.large, one.large.usage, large=True)
            )
            made[id_] = Trial(asked=one.asked, small=small, large=large)
        return made, unit

    def failures(self) -> Failures:
        """Count what did not work."""
        found = self.measured.values()
        return Failures(
            search=Counter(one.problem for one in found if one.problem),
            small=Counter(one.small.problem for one in found if one.small and one.small.problem),
            large=Counter(one.large.problem for one in found if one.large and one.large.problem),
        )

    async def _found(self, one: Golden) -> tuple[Turn, Sequence[Passage], str]:
        """Search as for those who may read the question; what did not work of it."""
        askers = frozenset(self._bot.settings.assistants[self.assistant].askers)
        may = EVERYONE in askers or one.readers & askers
        passages, run = await self._bot.search(
            one.question,
            k=self._bot.assistant(self.assistant).k,
            assistant=self.assistant,
            principals=one.readers if may else one.readers | askers,
            index=self.index,
        )
        return run.turn, passages, " ".join(run.notices)

    async def _part(self, turn: Turn, asked: Prompt, one: Golden, leg: Leg) -> Part:
        begun, usage, problem, declined = time.perf_counter(), None, "", False
        try:
            async with aclosing(leg.deltas(self.router.ask, turn, asked)) as deltas:
                async for delta in deltas:
                    usage = delta.usage or usage
            text = leg.text
        except Failed as failed:
            text, problem, declined = "", str(failed), failed.cause in ("withheld", "limit")
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
        answered = Answered(quality=good, cost=0.0, milliseconds=took, said=said)
        return Part(answered=answered, usage=usage, problem=problem, declined=declined)


async def ask_all(
    bot: Bot,
    asking: Questioning,
    questions: Sequence[Golden],
    *,
    fresh: bool = False,
    began: Callable[[int, int], None] = lambda evaluation, known: None,
    told: Callable[[int], None] = lambda done: None,
) -> Calibration:
    """Ask what is not known from a run that was stopped, and keep each answer at once.

    Args:
        fresh: ask all anew.
        began: told the evaluation's number, and how many questions are known.
        told: how many questions are done.

    Raises:
        EvaluationError: the large one has answered none of the first questions, something else
            than at the beginning has answered, or a budget is used up.
    """
    kept = await Calibration.begin(
        bot, asking.name, asking.router.settings, asking.assistant, questions, asking.index,
        fresh=fresh,
    )  # fmt: skip
    began(kept.number, len(kept.known))
    for place, one in enumerate(questions, 1):
        if one.id in kept.known:
            asking.measured[one.id] = kept.known[one.id]
        else:
            await kept.keep(one, await asking.ask(one))
        told(place)
    return kept
