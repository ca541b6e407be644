"""Variants that answer: each question goes through the loop as a person's would, unrecorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.conversation import Run
from bot.curated import Curated
from bot.errors import BotError, GenerationError
from bot.evaluation import measures
from bot.evaluation.engine import Trial
from bot.evaluation.golden import Golden
from bot.evaluation.indexes import asking_as
from bot.evaluation.variants import Spec
from bot.turn import EVERYONE, Answer, Failed, Finished, Outcome, Passage, Status

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.document import IndexVersion


class Unrecorded(Run):
    """A turn that leaves no trace in conversations and reports; what it costs is on the bill.

    No approved answer is quoted: it would be the same for each variant, and perhaps the reference.
    """

    async def _kept(self, store: Callable[..., Awaitable[None]], what: object) -> None:
        return None

    async def _curated(self) -> Curated | None:
        return None


class AnswerVariant:
    """A generator or an assistant that golden questions are put to.

    Args:
        index: the version that is searched, even if another one is promoted meanwhile.
    """

    def __init__(
        self,
        bot: Bot,
        spec: Spec,
        similarity: measures.Similarity,
        index: IndexVersion | None = None,
    ) -> None:
        self.name = spec.name
        self.problems: set[str] = set()  # what did not work although there was an answer
        self._bot = bot
        self._spec = spec
        self._similarity = similarity
        self._index = index
        self._askers = frozenset(bot.settings.assistants[spec.base].askers)

    async def ask(self, one: Golden) -> Trial:
        """Answer one question, as those who may read it, and measure the answer."""
        try:
            answer, passages = await self._answer(one)
        except BotError as error:
            return self.failure(one, str(error))
        if answer.outcome is Outcome.failed:
            failed = self.failure(one, answer.error or "It failed.")
            return replace(failed, milliseconds=answer.timings["total"])
        if answer.error:
            self.problems.add(answer.error)
        return Trial(
            values=await self._values(one, answer, passages),
            costs=measures.costs(answer),
            milliseconds=answer.timings["total"],
            answer=answer.text,
        )

    def failure(self, one: Golden, reason: str) -> Trial:
        """No answer agrees with nothing."""
        return Trial(values=measures.of_text("", one.answer), milliseconds=0.0, error=reason)

    async def _answer(self, one: Golden) -> tuple[Answer, tuple[Passage, ...]]:
        turn = await self._bot.turn(
            one.question,
            assistant=self._spec.base,
            principals=asking_as(one.readers, self._askers),
            index=self._index,
        )
        turn = replace(turn, assistant=self._spec.assistant)
        passages: tuple[Passage, ...] = ()
        async with aclosing(Unrecorded(self._bot._machinery(), turn).events()) as events:
            async for event in events:
                if isinstance(event, Status) and event.passages:
                    passages = event.passages
                elif isinstance(event, Finished | Failed):
                    return event.answer, passages
        raise GenerationError("The turn ended without an answer.")

    async def _values(
        self, one: Golden, answer: Answer, passages: tuple[Passage, ...]
    ) -> dict[str, float]:
        refused = answer.outcome is Outcome.refused
        # What a refusal says is no answer: words it shares with the reference count nothing.
        said = "" if refused else answer.text
        values = measures.of_text(said, one.answer)
        public = EVERYONE in one.readers and all(EVERYONE in each.readers for each in passages)
        near = await self._similarity.of(said, one.answer, public=public)
        if near is not None:
            values["similarity"] = near
        if (supported := measures.support(answer)) is not None and not refused:
            values["supported"] = supported
        theirs, problems = await measures.of_plugins(
            self._bot, one, answer, passages, [*values, *measures.COSTS, "supported"]
        )
        self.problems.update(problems)
        return values | theirs
