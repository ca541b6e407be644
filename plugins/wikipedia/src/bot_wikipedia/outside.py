"""Own documents first; outside only where they hold nothing, and said so.

Li et al., "ChatDoctor" (2023), let a model look up what its own knowledge lacks; here the
assistant's own sources come first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot import Context, Delta, Passage, Prompt, Turn, hookimpl
from bot.prompt import build
from bot_wikipedia.retriever import Wikipedia

NOTICE = "Your own sources hold nothing about this; the answer comes from outside, see its link."


class Outside:
    """A generator around another one: when that refuses, it is asked again with articles."""

    def __init__(self, generator: str, wikipedia: Wikipedia, context: Context) -> None:
        self._name = generator
        self._wikipedia = wikipedia
        self._context = context

    async def aclose(self) -> None:
        await self._wikipedia.aclose()

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncGenerator[Delta]:
        """Stream the inner answer; what refuses at its beginning is held back."""
        inner = await self._context.generator(self._name)
        refusal: list[Delta] = []
        said = False
        async with aclosing(inner.deltas(turn, prompt)) as deltas:
            async for delta in deltas:
                if not said and (delta.refusal or refusal):
                    refusal.append(delta)
                    continue
                said = said or bool(delta.text.strip())
                yield delta
        if said:
            return
        found = await self._wikipedia.bot_retrieve(turn)
        async with aclosing(self._again(turn, prompt, tuple(found))) as deltas:
            answer = [delta async for delta in deltas] if found else []
        if not answer or any(delta.refusal for delta in answer):
            answer = refusal
        for delta in answer:
            yield delta

    async def _again(
        self, turn: Turn, asked: Prompt, found: tuple[Passage, ...]
    ) -> AsyncGenerator[Delta]:
        """Ask once more; the articles' numbers go on after those of the own passages."""
        inner = await self._context.generator(self._name)
        passages = (*asked.passages, *found)
        wider = await build(turn, passages, await inner.context_limit(), inner.count_tokens)
        new = wider.passages[len(asked.passages) :]
        if not new:
            return
        yield Delta(passages=new, notice=NOTICE)
        async with aclosing(inner.deltas(turn, wider)) as deltas:
            async for delta in deltas:
                yield delta

    @hookimpl
    async def bot_context_limit(self) -> int | None:
        return await (await self._context.generator(self._name)).context_limit()

    @hookimpl
    async def bot_count_tokens(self, text: str) -> int:
        return await (await self._context.generator(self._name)).count_tokens(text)
