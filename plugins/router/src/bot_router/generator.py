"""A generator that asks a small one or a large one, and lets the other take over."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from bot import Context, Delta, Turn, dispatch, hookimpl, prompt
from bot.errors import BotError, GenerationError
from bot.turn import Passage, Prompt, Route
from bot_router import signals
from bot_router.asking import Ask, Failed, Leg, Rest
from bot_router.words import words

if TYPE_CHECKING:
    from bot.asking import Generator
    from bot_router.settings import RouterSettings

HELD = 200  # characters of the small one's answer that are held back, unless a sentence ends before
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


class Router:
    """Chooses between the two generators that the settings name."""

    def __init__(self, settings: RouterSettings, context: Context) -> None:
        self.settings = settings
        self.ask: Ask = context.generator
        self.rest = Rest()

    @hookimpl
    async def bot_context_limit(self) -> int | None:
        """The smaller one of the two limits: either may be asked with the same prompt."""
        _, limit = await self._tightest()
        return limit

    @hookimpl
    async def bot_count_tokens(self, text: str) -> int:
        """Count as the one does whose limit counts."""
        generator, _ = await self._tightest()
        if generator is None:
            return await prompt.estimate_tokens(text)
        return await generator.count_tokens(text)

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:
        """Stream the answer of whoever is to give it."""
        answering = Answering(self, turn, prompt)
        async with aclosing(answering.deltas()) as deltas:
            async for delta in deltas:
                yield delta

    def legs(self) -> tuple[Leg, Leg]:
        """The two of them, to be asked once."""
        longest = self.settings.longest
        return (
            Leg(self.settings.small, None, longest),
            Leg(self.settings.large, self.settings.patience, longest),
        )

    async def _tightest(self) -> tuple[Generator | None, int | None]:
        """The generator with the smaller limit; one that cannot be made is left out."""
        found: list[tuple[int, Generator]] = []
        for name in (self.settings.small, self.settings.large):
            with suppress(BotError, TimeoutError):
                generator = await self.ask(name)
                if (limit := await generator.context_limit()) is not None:
                    found.append((limit, generator))
        if not found:
            return None, None
        limit, generator = min(found, key=lambda one: one[0])
        return generator, limit


class Answering:
    """One turn's answer, from one of the two or from both."""

    def __init__(self, router: Router, turn: Turn, asked: Prompt) -> None:
        self._router = router
        self._settings = router.settings
        self._turn = turn
        self._prompt = asked
        self._words = words(turn.question)
        self._shown = ""  # what has been passed on, of any generator
        self._refused = False

    async def deltas(self) -> AsyncGenerator[Delta]:
        """Stream it; a refusal is called one at the end, when it is known whose word counts.

        Raises:
            GenerationError: neither of the two could answer.
        """
        size, rule = signals.chosen(self._settings, signals.Asked.of(self._prompt))
        because = Route(
            generator=self._settings.small if size == "small" else self._settings.large,
            cause="rule" if rule else "start",
            reason=rule,
        )
        stream = self._small_first(because) if size == "small" else self._large_first(because)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                self._shown += delta.text
                yield delta
        if self._refused:
            yield Delta(refusal=True)

    async def _large_first(self, because: Route) -> AsyncGenerator[Delta]:
        """The large one, and when it fails the small one."""
        small, large = self._router.legs()
        yield Delta(route=because)
        try:
            async for delta in self._asked(large):
                yield delta
            self._refused = large.refused
            return
        except Failed as failed:
            problem = failed
        yield self._handed(small, problem)
        try:
            async for delta in self._spoken(small, self._words.broken):
                yield delta
        except Failed as failed:
            raise _neither(problem, failed) from failed
        self._refused = small.refused

    async def _small_first(self, because: Route) -> AsyncGenerator[Delta]:
        """The small one, and the large one when it fails or its answer is weak."""
        small, large = self._router.legs()
        draft = Draft(small, self._settings)
        problem: Failed | None = None
        yield Delta(route=because)
        try:
            async for delta in self._spoken(small):
                for passed in draft.take(delta):
                    yield passed
            cause, reason = await self._weakness(small)
        except Failed as failed:
            problem, cause, reason = failed, failed.cause, str(failed)
        if not cause:
            for held in draft.release():
                yield held
            self._refused = small.refused
            return
        yield Delta(route=Route(generator=large.name, cause=cause, reason=reason))
        between = self._words.broken if problem else self._words.weak
        try:
            async for delta in self._asked(large, between):
                yield delta
        except Failed as failed:
            if problem is not None:
                raise _neither(problem, failed) from failed
            yield self._handed(small, failed)
            for delta in self._after_all(small, large, draft):
                yield delta
            return
        self._refused = large.refused
        told = f"“{small.name}” {problem.told}" if problem else f"“{small.name}”: {reason}"
        yield Delta(notice=f"{told}, so “{large.name}” answered.", reasoning=draft.unshown())

    def _after_all(self, small: Leg, large: Leg, draft: Draft) -> Iterator[Delta]:
        """The small one's answer stands: the large one was to take it over, and could not."""
        self._refused = small.refused
        held = draft.release()
        if large.text.strip():
            told = self._words.broken if held else self._words.stands
            yield self._between(small, told)
        yield from held

    async def _asked(self, large: Leg, between: str = "") -> AsyncGenerator[Delta]:
        """The large one's answer, unless it has failed too often just now."""
        rest = self._router.rest
        rest.check(large.name)
        try:
            async with aclosing(self._spoken(large, between)) as deltas:
                async for delta in deltas:
                    yield delta
        except Failed as failed:
            rest.failed(failed)
            raise
        rest.worked()

    async def _spoken(self, leg: Leg, between: str = "") -> AsyncGenerator[Delta]:
        """One generator's answer, set apart from what is shown already.

        Markers go on where those of the generator before have ended: what it has found while it
        answered is among the sources of this one.
        """
        begun = not (between and self._shown)
        found: tuple[Passage, ...] = ()
        try:
            async with aclosing(leg.deltas(self._router.ask, self._turn, self._prompt)) as deltas:
                async for delta in deltas:
                    found += delta.passages
                    if delta.text.strip() and not begun:
                        begun = True
                        yield self._between(leg, between)
                    yield delta
        finally:
            if found:
                self._prompt = _with(self._turn, self._prompt, found)

    async def _weakness(self, small: Leg) -> tuple[str, str]:
        said = await dispatch.in_thread(
            signals.judged,
            text=small.text,
            logprobs=small.logprobs,
            passages=self._prompt.passages,
            refused=small.refused,
        )
        return signals.weakness(self._settings.weak, said)

    def _between(self, leg: Leg, told: str) -> Delta:
        fence = "\n```" if len(_FENCE.findall(self._shown)) % 2 else ""
        return Delta(text=f"{fence}\n\n{told.format(name=leg.name)}\n\n", verbatim=True)

    def _handed(self, small: Leg, failed: Failed) -> Delta:
        """The small one has the word because the large one failed; people are told."""
        told = f"“{failed.name}” {failed.told}, so “{small.name}” answered."
        route = Route(generator=small.name, cause=failed.cause, reason=str(failed))
        return Delta(route=route, notice=told)


class Draft:
    """The small one's answer until it is known whether it may be shown.

    Its first sentence is held back, since most refusals begin with it; all of it, when it is to
    be judged first or begins as a refusal.
    """

    def __init__(self, leg: Leg, settings: RouterSettings) -> None:
        self._leg = leg
        self._refusals = settings.weak.refusal
        self._all = settings.show == "when_sure"
        self._open = False
        self._held: list[Delta] = []

    def take(self, delta: Delta) -> list[Delta]:
        """Take a delta; return what may be passed on."""
        if self._open:
            return [delta]
        self._held.append(
            replace(delta, passages=(), usage=None, notice="", reasoning="", logprobs=())
        )
        passed = [replace(delta, text="", verbatim=False)]
        if self._all or self._leg.refused:
            return passed
        text = self._leg.text
        if len(text) > HELD or signals.begun(text):
            self._open = not (self._refusals and signals.refuses(text))
            self._all = not self._open
        return [*passed, *self.release()] if self._open else passed

    def release(self) -> list[Delta]:
        """What is held back, to be shown now."""
        held, self._held = [delta for delta in self._held if delta.text], []
        return held

    def unshown(self) -> str:
        """What was never shown, for those who want to know how the answer came to be."""
        text = "".join(delta.text for delta in self._held)
        return f"Draft of {self._leg.name}:\n{text.strip()}\n\n" if text.strip() else ""


def _neither(first: Failed, second: Failed) -> GenerationError:
    return GenerationError(f"Neither generator could answer: {first}; {second}.")


def _with(turn: Turn, asked: Prompt, found: tuple[Passage, ...]) -> Prompt:
    """The prompt with further passages, numbered on."""
    passages = (*asked.passages, *found)
    user = f"{prompt.sources(passages)}\n\n{prompt.question(turn)}"
    return replace(asked, messages=(*asked.messages[:-1], ("user", user)), passages=passages)
