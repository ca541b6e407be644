"""The bot as a part of LangChain: a Runnable that answers, and a retriever that searches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import PrivateAttr

from bot import Answer, Bot, Failed, Finished, Passage, TextDelta
from bot.errors import GenerationError, UsageError

Question = str | Mapping[str, Any] | Sequence[BaseMessage]
_END = object()


class Room:
    """An open bot on a thread of its own, so that callers with and without a loop can use it."""

    def __init__(self, config: Path | str | None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="bot")
        self._thread.start()
        try:
            self.bot = self.call(self._opened(config))
        except BaseException:
            self._stop()
            raise

    @staticmethod
    async def _opened(config: Path | str | None) -> Bot:
        return await Bot.from_config(config).__aenter__()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something on the bot's thread and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def acall(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The same, without blocking this loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        """Read an iterator of the bot's thread; leaving it early closes it."""
        read: SimpleQueue[Any] = SimpleQueue()
        reading = self.call(_begun(items, read.put))
        try:
            while (item := read.get()) is not _END:
                yield item
        finally:
            self.call(_ended(reading))

    async def aiterate(self, items: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """The same for a caller with a loop."""
        here = asyncio.get_running_loop()
        read: asyncio.Queue[Any] = asyncio.Queue()

        def put(item: Any) -> None:
            here.call_soon_threadsafe(read.put_nowait, item)

        reading = await self.acall(_begun(items, put))
        try:
            while (item := await read.get()) is not _END:
                yield item
        finally:
            await self.acall(_ended(reading))

    def close(self) -> None:
        """Close the bot and end its thread."""
        try:
            self.call(self.bot.__aexit__(None, None, None))
        finally:
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


async def _put(items: Any, put: Callable[[Any], None]) -> None:
    try:
        async with aclosing(items):
            async for item in items:
                put(item)
    finally:
        put(_END)


async def _begun(items: Any, put: Callable[[Any], None]) -> asyncio.Task[None]:
    return asyncio.create_task(_put(items, put))


async def _ended(reading: asyncio.Task[None]) -> None:
    """Stop it unless it has ended; raise what it raised."""
    reading.cancel()
    await asyncio.wait({reading})
    if not reading.cancelled():
        reading.result()


class BotRunnable(Runnable[Question, AIMessage]):  # type: ignore[misc]  # it is Any to mypy
    """The bot as a Runnable: a question in, an `AIMessage` with its sources out.

        with BotRunnable("bot.toml") as bot:
            print(bot.invoke("How do I reset my password?").content)

    A question is a text, a mapping with `question`, or messages, of which the last one counts. The
    name of a conversation stands in the config: `{"configurable": {"conversation": "thread-7"}}`.
    `response_metadata` of an answer has `turn`, `outcome`, `citations` and `notices`.

    Args:
        config: a bot.toml; None looks for it as the command line does.
        principals: who asks, such as `["email:ann@example.com"]`; nobody in particular by default.

    Raises:
        ConfigError: bot.toml has mistakes.
        GenerationError: from a call whose turn failed; it names the turn.
    """

    def __init__(
        self,
        config: Path | str | None = None,
        *,
        assistant: str = "default",
        principals: Sequence[str] = (),
    ) -> None:
        self._room = Room(config)
        self._given = {"assistant": assistant, "principals": tuple(principals)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the bot."""
        self._room.close()

    def invoke(
        self, input: Question, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """Answer a question."""
        return self._call_with_config(
            lambda asked, config: self._room.call(self._answered(asked, config)), input, config
        )

    async def ainvoke(
        self, input: Question, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """Answer a question."""

        async def answer(asked: Question, config: RunnableConfig) -> AIMessage:
            return await self._room.acall(self._answered(asked, config))

        return await self._acall_with_config(answer, input, config)

    def stream(
        self, input: Question, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        """Stream an answer; the last chunk has its metadata and no text."""
        yield from self._room.iterate(self._chunks(input, config))

    async def astream(
        self, input: Question, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """Stream an answer; the last chunk has its metadata and no text."""
        async with aclosing(self._room.aiterate(self._chunks(input, config))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _chunks(
        self, asked: Question, config: RunnableConfig | None
    ) -> AsyncIterator[AIMessageChunk]:
        configurable = (config or {}).get("configurable") or {}
        events = self._room.bot.reply(
            _question(asked),
            channel="langchain",
            conversation=str(configurable.get("conversation", "")),
            **self._given,
        )
        async with aclosing(events):
            async for event in events:
                if isinstance(event, TextDelta):
                    yield AIMessageChunk(content=event.text)
                elif isinstance(event, Finished):
                    yield AIMessageChunk(content="", **_metadata(event.answer))
                elif isinstance(event, Failed):
                    raise GenerationError(event.text)

    async def _answered(self, asked: Question, config: RunnableConfig | None) -> AIMessage:
        chunks = [chunk async for chunk in self._chunks(asked, config)]
        last = chunks[-1]
        return AIMessage(
            content="".join(str(chunk.content) for chunk in chunks).strip(),
            response_metadata=last.response_metadata,
            usage_metadata=last.usage_metadata,
        )


class BotRetriever(BaseRetriever):  # type: ignore[misc]  # it is Any to mypy
    """What the bot finds, as documents of LangChain.

        with BotRetriever(config="bot.toml", k=4) as retriever:
            documents = retriever.invoke("password reset")

    Attributes:
        config, assistant, principals: see `BotRunnable`.
        k: how many documents at most.
    """

    config: Path | str | None = None
    assistant: str = "default"
    principals: tuple[str, ...] = ()
    k: int = 8
    _room: Room | None = PrivateAttr(default=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the bot, when it was opened."""
        room, self._room = self._room, None
        if room is not None:
            room.close()

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        found: list[Document] = self._opened().call(self._found(query))
        return found

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        room = await asyncio.to_thread(self._opened)
        found: list[Document] = await room.acall(self._found(query))
        return found

    def _opened(self) -> Room:
        if self._room is None:
            self._room = Room(self.config)
        return self._room

    async def _found(self, query: str) -> list[Document]:
        passages, _ = await self._opened().bot.search(
            query, k=self.k, assistant=self.assistant, principals=self.principals
        )
        return [_document(passage) for passage in passages]


def _question(asked: Question) -> str:
    if isinstance(asked, str):
        return asked
    if isinstance(asked, Mapping) and "question" in asked:
        return str(asked["question"])
    if isinstance(asked, Sequence) and asked and isinstance(asked[-1], BaseMessage):
        return str(asked[-1].text)
    raise UsageError("A question is a text, a mapping with `question`, or messages; give one.")


def _metadata(answer: Answer) -> dict[str, Any]:
    citations = [
        {"marker": one.marker, "title": one.title, "uri": one.uri, "quote": one.quote}
        for one in answer.citations
    ]
    about: dict[str, Any] = {
        "response_metadata": {
            "turn": answer.turn,
            "outcome": answer.outcome.value,
            "citations": citations,
            "notices": list(answer.notices),
        }
    }
    if (used := answer.usage) is not None:
        about["usage_metadata"] = {
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
            "total_tokens": used.input_tokens + used.output_tokens,
        }
    return about


def _document(passage: Passage) -> Document:
    return Document(
        id=passage.id,
        page_content=passage.text,
        metadata={
            **passage.metadata,
            "title": passage.title,
            "source": passage.uri,
            "location": passage.location,
            "score": passage.score,
            "readers": sorted(passage.readers),
        },
    )
