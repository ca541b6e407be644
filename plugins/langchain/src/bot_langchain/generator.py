"""Chat models of LangChain as generators."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from math import isfinite
from typing import Any

from bot import Context, Delta, Prompt, Turn, hookimpl
from bot.dispatch import in_thread
from bot.errors import Declined, GenerationError
from bot.prompt import estimate_tokens
from bot.spending import Bill
from bot.turn import Route, Usage
from bot_langchain import calling, models
from bot_langchain.searching import Search
from bot_langchain.settings import ChatSettings

log = logging.getLogger(__name__)

_CHARACTERS = 12  # of a token, at most, before an answer counts as endless
_MOST = 2**31 - 1  # tokens that a server may count
_ENDLESS = "The model did not stop by itself; its answer was cut."
_CUT = frozenset({"length", "max_tokens"})


class Chat:
    """A chat model; what it costs is reserved before it is asked and settled afterwards."""

    def __init__(self, name: str, settings: ChatSettings, context: Context) -> None:
        self._name = name
        self._settings = settings
        self._context = context
        self._called = settings.model or str(settings.class_)
        self._patience = calling.Patience(
            settings.timeout, settings.longest, settings.retries, settings.patience
        )
        self._model: Any = None

    @hookimpl
    async def bot_context_limit(self) -> int | None:
        return self._settings.context_limit

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:
        """Stream the answer; when the model cannot be asked, that of the fallback.

        Raises:
            OverBudget: the answer might cost more than is left.
            GenerationError: the model failed.
        """
        said = False
        try:
            async with aclosing(self._answer(turn, prompt)) as deltas:
                async for delta in deltas:
                    said = said or bool(delta.text.strip())
                    yield delta
            return
        except GenerationError as error:
            if said or self._settings.fallback is None:
                raise
            reason = str(error)
            cause = "limit" if isinstance(error, Declined) else "failed"
        log.warning("%s: %s answers instead: %s", self._name, self._settings.fallback, reason)
        other = await self._context.generator(self._settings.fallback)
        yield Delta(
            route=Route(generator=self._settings.fallback, cause=cause, reason=reason),
            notice=f"{self._settings.fallback} has answered: {reason}",
        )
        async with aclosing(other.deltas(turn, prompt)) as deltas:
            async for delta in deltas:
                yield delta

    async def _answer(self, turn: Turn, asked: Prompt) -> AsyncGenerator[Delta]:
        """Ask, and again with what the tools have found, until there is an answer."""
        from langchain_core.messages import AIMessage, ToolMessage

        if self._model is None:
            self._model = await in_thread(models.make, settings=self._settings)
        search = Search(self._context.search, turn, asked.passages)
        messages: list[Any] = list(asked.messages)
        spent = Usage()
        steps = self._settings.steps if self._settings.tools and search.tools else 0
        for step in range(steps + 1):
            model = self._model.bind_tools(search.tools) if step < steps else self._model
            asking = _Asking()
            async with aclosing(self._asked(turn, model, messages, asking, spent)) as deltas:
                async for delta in deltas:
                    yield delta
            spent = spent + asking.usage
            calls = getattr(asking.whole, "tool_calls", None) or []
            if not calls or step == steps:
                return
            messages.append(AIMessage(content=asking.text, tool_calls=calls))
            for call in calls:
                found, new = await search.call(call["name"], call["args"])
                messages.append(ToolMessage(content=found, tool_call_id=call["id"] or ""))
                told = f"\n{call['name']}: “{call['args'].get('query', '')}”\n"
                yield Delta(passages=tuple(new), reasoning=told)

    async def _asked(
        self, turn: Turn, model: Any, messages: Sequence[Any], asking: _Asking, before: Usage
    ) -> AsyncGenerator[Delta]:
        """Ask once, within the budget; stream what it says.

        Args:
            before: what was spent on this answer already; usage is told as a running total.
        """
        read = sum([await estimate_tokens(_content(message)) for message in messages])
        most = self._usage(read, self._settings.max_tokens)
        async with self._account(turn, most) as bill:
            asking.usage = self._usage(read, 0)
            chunks = calling.stream(model, messages, self._called, self._patience)
            async with aclosing(chunks) as items:
                async for chunk in items:
                    text = asking.take(chunk)
                    asking.usage = self._usage(*(asking.told or (read, len(asking.text) // 3 + 1)))
                    bill.usage = asking.usage
                    reasoning = str(chunk.additional_kwargs.get("reasoning_content") or "")
                    sure = _logprobs(chunk)
                    if text or reasoning or sure:
                        yield Delta(text=text, reasoning=reasoning, logprobs=sure)
                    if len(asking.text) > _CHARACTERS * self._settings.max_tokens:
                        yield Delta(notice=_ENDLESS)
                        break
        notice = asking.incomplete
        yield Delta(usage=before + asking.usage, notice=notice)

    def _account(self, turn: Turn, most: Usage) -> AbstractAsyncContextManager[Bill]:
        if self._context.spending is None:
            return nullcontext(Bill())
        return self._context.spending.reserved(turn, self._name, most)

    def _usage(self, read: int, written: int) -> Usage:
        prices = self._settings.prices
        cost = (read * prices.input + written * prices.output) / 1e6 if prices else 0.0
        return Usage(input_tokens=read, output_tokens=written, cost=cost)


class _Asking:
    """One request's answer as it comes."""

    def __init__(self) -> None:
        self.text = ""
        self.whole: Any = None
        self.told: tuple[int, int] | None = None
        self.usage = Usage()

    def take(self, chunk: Any) -> str:
        """Add a chunk; return its text."""
        self.whole = chunk if self.whole is None else self.whole + chunk
        text = str(chunk.text)
        self.text += text
        if (used := self.whole.usage_metadata) is not None:
            # Less than nothing would be money for the budget.
            read, written = used["input_tokens"], used["output_tokens"]
            self.told = (min(max(read, 0), _MOST), min(max(written, 0), _MOST))
        return text

    @property
    def incomplete(self) -> str:
        """Why the answer may not be whole; empty when it is."""
        about = getattr(self.whole, "response_metadata", None) or {}
        ended = about.get("finish_reason") or about.get("stop_reason") or about.get("done_reason")
        if ended in _CUT:
            return "The answer was cut at its longest; see `max_tokens`."
        return ""


def _content(message: Any) -> str:
    return str(message[1] if isinstance(message, tuple) else message.content)


def _logprobs(chunk: Any) -> tuple[float, ...]:
    """The logarithms of the tokens' probabilities, as OpenAI's and Ollama's classes tell them."""
    told = (chunk.response_metadata or {}).get("logprobs") or ()
    tokens = told.get("content") or () if isinstance(told, dict) else told
    try:
        found = [float(one["logprob"]) for one in tokens]
    except (KeyError, TypeError, ValueError):  # a server that tells something else
        return ()
    return tuple(found) if all(map(isfinite, found)) else ()
