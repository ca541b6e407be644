"""The loop: one turn from its question to its recorded answer, as a stream of events.

One direction: queries, retrieve, rank, prompt, generate, cite, record. A plugin that fails on the
way is noted, and the turn goes on without it; what cannot be done without ends the turn as failed,
with an apology and a reference. Every turn ends in exactly one `Finished` or `Failed`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from bot import (
    asking,
    curated,
    dispatch,
    followup,
    glossary,
    leaving,
    prompt,
    ranking,
    record,
    support,
    whole,
)
from bot.citation import CitationStream
from bot.curated import Curated
from bot.errors import BotError, DatabaseUnavailable, GenerationError, HookFailed
from bot.links import LinkStream
from bot.machinery import Limits as Limits
from bot.machinery import Machinery as Machinery
from bot.phrases import phrases, refusal
from bot.routes import Routes
from bot.turn import (
    EVERYONE,
    Answer,
    Delta,
    Event,
    Failed,
    Finished,
    Outcome,
    Passage,
    Status,
    TextDelta,
    Turn,
)

log = logging.getLogger(__name__)

APOLOGY = "Sorry, I could not answer that. Whoever runs me can look it up by the reference {id}."
AT_ONCE = 500_000  # characters of an answer times of what it cites: a millisecond at worst
CURATED = "curated"  # what is recorded as the generator of an approved answer
RECORDING = 10.0  # seconds that recording waits for a database that is being started again
STOPPED = "stopped before the end of the answer"


class Run:
    """One turn on its way through the loop."""

    def __init__(self, machinery: Machinery, turn: Turn, author: str = "") -> None:
        self._with = machinery
        self._manager = machinery.manager
        self._limits = machinery.limits
        self._author = author
        self.turn = turn
        self._notices: list[str] = []  # for the person who asked
        if len(turn.question) > self._limits.question:
            cut = turn.question[: self._limits.question]
            self.turn = replace(turn, question=cut, queries=(cut,))
            self._notices.append(f"The question was cut after {len(cut)} characters.")
        self._problems: list[str] = []  # for operators
        self._timings: dict[str, float] = {}
        self._routes = Routes()
        self._doubts: int | None = None
        self._refused = False
        self._reasoning = ""
        self._generator = turn.assistant.generator
        self._readers = frozenset({EVERYONE})
        self._said = CitationStream(())
        self._links = LinkStream()
        self._begun = time.perf_counter()
        self._unreachable = 0.0  # when the database was first found to be away

    async def events(self) -> AsyncGenerator[Event]:
        """Run the turn. Closing the iterator stops generation and records what was said."""
        recording = asyncio.ensure_future(self._record_start())
        error = ""
        try:
            yield Status("Searching")
            approved = await self._curated()
            stream = self._quote(approved) if approved else self._answer()
            async with aclosing(stream) as events:
                async for event in events:
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            await self._end(recording, STOPPED)
            raise
        except Exception as failure:
            log.error("turn %s failed: %s", self.turn.id, failure, exc_info=failure)
            error = str(failure) if isinstance(failure, BotError) else dispatch.describe(failure)
        answer = await self._end(recording, error)
        if answer.outcome is Outcome.failed:
            yield Failed(APOLOGY.format(id=self.turn.id), self.turn.id, answer)
        else:
            yield Finished(answer)

    async def _curated(self) -> Curated | None:
        """Look for an approved answer to a question that stands alone."""
        embed = self._with.embed
        if embed is None or self.turn.filters or followup.leans(self.turn):
            return None
        if curated.none_lately(self._with.database, self.turn.principals):
            return None
        begun = time.perf_counter()
        try:
            found: Curated | None = await dispatch.within(
                curated.find(self._with.database, self.turn, embed), self._limits.retrieve
            )
        except Exception as error:  # the sources may still answer
            log.warning("curated answers: %s", error, exc_info=error)
            self._left_out("The search for curated answers", dispatch.describe(error))
            return None
        self._timings["curated"] = self._elapsed(begun)
        return found

    async def _quote(self, approved: Curated) -> AsyncGenerator[Event]:
        """Say an approved answer, and that it is one."""
        self._generator, self._readers = CURATED, approved.readers
        await self._tell("bot_turn_started", turn=self.turn)
        yield Status("Answering")
        note = phrases(self.turn.question).approved.format(question=approved.question)
        self._timings["first_text"] = self._elapsed(self._begun)
        yield TextDelta(self._said.feed(f"{approved.answer}\n\n{note}", verbatim=True))
        if text := self._said.end():
            yield TextDelta(text)

    async def passages(self) -> list[Passage]:
        """Search and rank: the first three steps, alone what `bot search` shows.

        Raises:
            BotError: no retriever could be asked.
        """
        await self._tell("bot_turn_started", turn=self.turn)
        async with self._step("queries"):
            self.turn = await self._with_queries()
        async with self._step("retrieve"):
            found = await asking.retrieve(self._with, self.turn, self._left_out)
        async with self._step("rank"):
            return await asking.rank(self._with, self.turn, found, self._left_out)

    @property
    def notices(self) -> tuple[str, ...]:
        """What did not work so far, one sentence each."""
        return tuple(dict.fromkeys(self._notices))

    @property
    def timings(self) -> dict[str, float]:
        """Milliseconds by step so far."""
        return self._timings

    async def _with_queries(self) -> Turn:
        gathered = await self._gather("bot_queries", turn=self.turn)
        results = [asking.checked(result, "bot_queries", asking.is_text) for result in gathered]
        self._note(results)
        queries = [query for result in results for query in result.value or ()]
        own = tuple(dict.fromkeys(queries)) or tuple(followup.queries(self.turn))
        weighted = () if queries else followup.weighted(self.turn)
        words = glossary.mentioned(self.turn.assistant.glossary, " ".join(own))
        return replace(self.turn, queries=own, weighted=weighted, glossary=words)

    async def _answer(self) -> AsyncGenerator[Event]:
        """Search, and say what the generator makes of it."""
        passages, assistant = await self.passages(), self.turn.assistant
        if not passages and assistant.retrievers and assistant.without_sources == "refuse":
            self._refused = True
            said = refusal(self.turn.question, sorted(self.turn.sources))
            yield TextDelta(self._said.feed(said, verbatim=True))
            return
        generator = await asking.generator(self._with, assistant.generator)
        turn = leaving.narrowed(self.turn, generator.may_receive)
        passages, kept_back = leaving.kept(passages, turn)
        self._notices += kept_back
        async with self._step("prompt"):
            limit, count = await generator.context_limit(), generator.count_tokens
            passages = await whole.widened(self._with.database, turn, passages, limit, count)
            asked = await prompt.build(turn, passages, limit, count)
        self._said = CitationStream(asked.passages)
        told = [one.text for one in self.turn.conversation.history]
        self._links = LinkStream([*told, self.turn.question, assistant.instructions])
        self._links.add(_linked(asked.passages))
        yield Status("Answering", tuple(asked.passages))
        async with self._step("generate"):
            async with aclosing(asking.answer(generator, self.turn, asked)) as deltas:
                async for delta in deltas:
                    if self._routes.take(delta):
                        yield Status("Asking another generator")
                    if delta.passages:
                        yield Status("Answering", self._found(delta.passages))
                    if text := self._take(delta):
                        yield TextDelta(text)
            if text := self._said.feed(self._links.end()) + self._said.end():
                yield TextDelta(text)
        if label := await self._checked():
            yield TextDelta(self._said.feed(label, verbatim=True))

    async def _checked(self) -> str:
        """Note what the sources do not support; return the label of an answer without any."""
        said, assistant = self._said, self.turn.assistant
        if self._refused or not said.text.strip() or not assistant.retrievers:
            return ""
        if not (cited := said.cited):
            if assistant.without_sources == "answer_labelled":
                return f"\n\n{phrases(self.turn.question).unsupported}"
            self._notices.append("The answer names no source.")
            return ""
        try:
            # What is checked sooner than a thread starts needs none.
            texts = said.texts
            if len(said.text) * sum(len(texts[marker - 1]) for marker in cited) < AT_ONCE:
                doubts = support.doubts(said.text, texts)
            else:
                doubts = await dispatch.punctual(
                    dispatch.in_thread(support.doubts, answer=said.text, passages=texts),
                    self._limits.hook,
                )
        except Exception as error:  # the answer stands, as it would without the check
            log.warning("the check of citations: %s", error, exc_info=error)
            self._left_out("The check of citations", dispatch.describe(error))
            return ""
        self._doubts = len(doubts)
        self._notices += [f"Look this up: “{one.claim}” ({one.reason})." for one in doubts]
        return ""

    def _found(self, passages: Sequence[Passage]) -> tuple[Passage, ...]:
        """Let markers stand for what the generator found, too; all that they stand for now."""
        if len(ranking.readable(passages, self.turn.principals)) < len(passages):
            raise GenerationError("The generator brought a passage that the asker may not read.")
        self._links.add(_linked(passages))
        return self._said.extend(passages)

    def _take(self, delta: Delta) -> str:
        self._reasoning += delta.reasoning
        self._refused = self._refused or delta.refusal
        if delta.notice:
            self._notices.append(delta.notice)
        if not delta.text:
            return ""
        if "first_text" not in self._timings:
            self._timings["first_text"] = self._elapsed(self._begun)
        if delta.verbatim:  # a quotation may hold links, and has them from its source
            return self._said.feed(self._links.end()) + self._said.feed(delta.text, verbatim=True)
        return self._said.feed(self._links.feed(delta.text))

    async def _record_start(self) -> None:
        try:
            await self._kept(record.start, self._author)
        except Exception as error:  # whatever it is, the person gets an answer
            self._unrecorded(error)

    async def _kept(self, store: Callable[..., Awaitable[None]], what: object) -> None:
        """Record, also when the database has just died and is being started again."""
        while True:
            try:
                await store(self._with.database, self.turn, what)
                self._unreachable = 0.0
                return
            except DatabaseUnavailable:
                self._unreachable = self._unreachable or time.monotonic()
                if time.monotonic() > self._unreachable + RECORDING:
                    raise
            await asyncio.sleep(0.25)

    async def _end(self, recording: asyncio.Future[None], error: str) -> Answer:
        """Make the answer, and record it even when the turn is being cancelled."""
        if not error and not self._said.text.strip():
            error = "The generator gave no text."
        if error == STOPPED and self._said.text:
            outcome = Outcome.answered
            self._notices.append(f"The answer was {STOPPED}.")
        elif error:
            outcome = Outcome.failed
        else:
            outcome = Outcome.refused if self._refused else Outcome.answered
        self._timings["total"] = self._elapsed(self._begun)
        answer = Answer(
            turn=self.turn.id,
            outcome=outcome,
            text=self._said.text.strip(),
            citations=self._said.citations(),
            generator=self._generator,
            timings=MappingProxyType(self._timings),
            usage=self._routes.usage,
            notices=self.notices,
            error="\n".join(filter(None, [error, *self._problems])),
            reasoning=self._reasoning.strip(),
            routes=self._routes.end(),
            doubts=self._doubts,
            readers=self._readers,
        )
        recorded = asyncio.ensure_future(self._record(recording, answer))
        try:
            return await asyncio.shield(recorded)
        except asyncio.CancelledError:
            await asyncio.wait({recorded}, timeout=15.0)  # the loop may end right after us
            raise

    async def _record(self, recording: asyncio.Future[None], answer: Answer) -> Answer:
        begun = time.perf_counter()
        async with self._step("record"):
            await recording
            self._timings["record"] = self._elapsed(begun)  # so far, as it will stand recorded
            try:
                await self._kept(record.finish, answer)
            except Exception as error:  # whatever it is, the person gets the answer
                self._unrecorded(error)
        await self._tell("bot_turn_finished", turn=self.turn, answer=answer)
        return replace(answer, notices=self.notices)

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[None]:
        """Time one step, with every plugin's `bot_around` around it."""
        begun = time.perf_counter()
        async with AsyncExitStack() as around:
            for result in await self._gather("bot_around", step=name, turn=self.turn):
                if result.value is not None:
                    await self._enter(around, result)
            try:
                yield
            finally:
                self._timings[name] = self._elapsed(begun)

    async def _enter(self, around: AsyncExitStack, result: dispatch.Result) -> None:
        manager = result.value
        timeout = self._limits.hook
        context = contextvars.copy_context()  # one for both ends, as resetting a variable needs

        async def leave(*error: object) -> None:
            try:
                await dispatch.within(manager.__aexit__(*error), timeout, context)
            except Exception as failure:
                self._fault(result.plugin, failure)

        try:
            await dispatch.within(manager.__aenter__(), timeout, context)
        except Exception as failure:
            self._fault(result.plugin, failure)
        else:
            around.push_async_exit(leave)
            around.callback(dispatch.adopt(context))

    async def _gather(self, hook: str, **arguments: Any) -> list[dispatch.Result]:
        results = await dispatch.gather(self._manager, hook, timeout=self._limits.hook, **arguments)
        self._note(results)
        return [result for result in results if result.error is None]

    async def _tell(self, hook: str, **arguments: Any) -> None:
        """Let plugins know; what they return is not looked at."""
        await self._gather(hook, **arguments)

    def _note(self, results: Sequence[dispatch.Result]) -> None:
        for result in results:
            if result.error is not None:
                self._left_out(result.plugin, str(result.error))

    def _fault(self, plugin: str, failure: Exception) -> None:
        error = HookFailed(plugin, "bot_around", f"raised {dispatch.describe(failure)}")
        log.warning("%s", error, exc_info=failure)
        dispatch.note(getattr(self._manager, "quarantine", None), error)
        self._left_out(plugin, str(error))

    def _left_out(self, plugin: str, problem: str) -> None:
        self._notices.append(f"{plugin} did not work and was left out.")
        self._problems.append(problem)

    def _unrecorded(self, error: Exception) -> None:
        log.error("turn %s is not recorded: %s", self.turn.id, error, exc_info=error)
        self._notices.append("This turn could not be recorded.")

    def _elapsed(self, begun: float) -> float:
        return round((time.perf_counter() - begun) * 1000, 3)


def _linked(passages: Sequence[Passage]) -> list[str]:
    """Where the links of an answer may come from."""
    return [text for one in passages for text in (one.uri, one.text)]
