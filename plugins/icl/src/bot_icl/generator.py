"""A generator that asks another one, in the way that a technique prescribes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from bot import EVERYONE, Context, Delta, Turn, hookimpl, prompt
from bot.errors import ConfigError
from bot.turn import Passage, Prompt, Usage
from bot_icl import prompts, react, streams
from bot_icl.examples import Examples

if TYPE_CHECKING:
    from bot.asking import Generator
    from bot_icl import IclSettings

_FILES: Mapping[str, tuple[str, ...]] = {
    "plan_and_reflect": ("plan", "draft", "reflect", "revise"),
}
_NOTHING = ("nothing", "no mistake", "none", "没有", "なし", "ninguno", "rien", "nichts")
_SHARE = 0.25  # of the context limit, at most, for examples and the technique's own words


class Icl:
    """Wraps the generator that the settings name.

    Raises:
        ConfigError: it wraps itself, or one of its files is not right.
    """

    def __init__(self, name: str, settings: IclSettings, context: Context) -> None:
        if settings.generator == name:
            raise ConfigError(
                f"generators.{name}.generator is itself; name the one that is to write."
            )
        self._settings = settings
        self._context = context
        files = _FILES.get(settings.technique, (settings.technique,))
        self._templates = {one: prompts.read(one, settings.prompts) for one in files}
        self._examples = Examples(settings, context)

    @hookimpl
    async def bot_context_limit(self) -> int | None:
        """The wrapped generator's, less what examples and the technique's own words may take."""
        inner = await self._inner()
        limit = await inner.context_limit()
        return None if limit is None else limit - await self._reserved(inner, limit)

    @hookimpl
    async def bot_count_tokens(self, text: str) -> int:
        """Count as the wrapped generator does."""
        return await (await self._inner()).count_tokens(text)

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:
        """Stream the answer; what the technique thinks on the way is its reasoning."""
        inner = await self._inner()
        limit = await inner.context_limit()
        room = await self._reserved(inner, limit) if limit is not None else 1 << 30
        room -= sum([await inner.count_tokens(one.bare) for one in self._templates.values()])
        chosen = await self._examples.chosen(turn, inner.count_tokens, room)
        if any(EVERYONE not in one.readers for one in chosen):
            prompt = replace(prompt, public=False)
        asking = Asking(inner, turn, prompt, "\n\n".join(one.text for one in chosen))
        if self._settings.technique == "plan_and_reflect":
            stream = self._planned(asking)
        elif self._settings.technique == "react":
            stream = react.run(
                asking, self._templates["react"], self._context.search, self._settings.steps
            )
        else:
            stream = asking.deltas(self._templates[self._settings.technique])
            if self._settings.technique == "chain_of_thought":
                stream = streams.after_answer(stream)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                yield delta
        if asking.spent is not None:
            yield Delta(usage=asking.spent)

    async def _planned(self, asking: Asking) -> AsyncGenerator[Delta]:
        """Plan, draft, find its mistakes, and write it anew when there are any."""
        plan, _ = await streams.whole(asking.deltas(self._templates["plan"]))
        yield Delta(reasoning=f"Plan:\n{plan}\n\n")
        draft, written = await streams.whole(asking.deltas(self._templates["draft"], plan=plan))
        if any(delta.refusal for delta in written):
            for delta in written:
                yield delta
            return
        critique, _ = await streams.whole(asking.deltas(self._templates["reflect"], draft=draft))
        yield Delta(reasoning=f"Draft:\n{draft}\n\nWhat is wrong with it:\n{critique}\n\n")
        if not critique or critique.casefold().lstrip("*_\"'“ ").startswith(_NOTHING):
            for delta in written:
                yield delta
            return
        revised = asking.deltas(self._templates["revise"], draft=draft, critique=critique)
        async with aclosing(revised) as deltas:
            async for delta in deltas:
                yield delta

    async def _inner(self) -> Generator:
        return await self._context.generator(self._settings.generator)

    async def _reserved(self, inner: Generator, limit: int) -> int:
        own = sum([await inner.count_tokens(one.bare) for one in self._templates.values()])
        return min(int(limit * _SHARE), own + self._settings.example_tokens)


class Asking:
    """One turn's question on its way to the wrapped generator, in several prompts perhaps.

    Attributes:
        spent: what all prompts have taken, as far as they told; None when nobody did.
    """

    def __init__(self, inner: Generator, turn: Turn, asked: Prompt, examples: str) -> None:
        self.turn = turn
        self.passages: tuple[Passage, ...] = asked.passages
        self.spent: Usage | None = None
        self._inner = inner
        self._asked = asked
        self._examples = examples

    async def deltas(self, template: prompts.Template, **slots: str) -> AsyncGenerator[Delta]:
        """Ask with a template whose slots are filled in; `spent` has what it takes."""
        last: Usage | None = None
        stream = self._inner.deltas(self.turn, self._filled(template, slots))
        try:
            async with aclosing(stream) as items:
                async for delta in items:
                    last = delta.usage or last
                    yield replace(delta, usage=None)
        finally:  # react stops a model that wants to search
            if last is not None:
                self.spent = last + (self.spent or Usage())

    def _filled(self, template: prompts.Template, slots: Mapping[str, str]) -> Prompt:
        open_book = bool(self.turn.assistant.retrievers or self.passages)
        system, user = template.filled(
            {
                "instructions": self._asked.instructions,
                "rules": prompt.rules(self.turn, open_book=open_book),
                "sources": prompt.sources(self.passages),
                "question": prompt.question(self.turn, open_book=open_book),
                "examples": self._examples,
                **slots,
            }
        )
        history = tuple(one for one in self._asked.messages[:-1] if one[0] != "system")
        messages = (("system", system), *history, ("user", user.strip()))
        return replace(self._asked, messages=messages, passages=self.passages)
