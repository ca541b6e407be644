"""The generator: a turn's prompt becomes tokens, and the engine's tokens become the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bot import Delta, Likelihood, Turn, hookimpl
from bot.dispatch import in_thread
from bot.errors import GenerationError
from bot.turn import Prompt, Usage
from bot_transformers import sharing, weights
from bot_transformers.chat import Chat
from bot_transformers.settings import ModelSettings
from bot_transformers.text import Text
from bot_transformers.waiting import End, Event, Request

if TYPE_CHECKING:
    from bot_transformers.lora import Adapter
    from bot_transformers.sharing import Shared

BUSY = "I am busy with other questions right now. Please ask again in a minute."
_LEAST = 16  # tokens that must be left for an answer


@dataclass(frozen=True, slots=True)
class Choice:
    """Which adapter a turn is answered with, and what its asker should know about that."""

    adapter: Adapter | None = None
    notice: str = ""


Choose: TypeAlias = "Callable[[Turn, Shared], Awaitable[Choice]]"
Name: TypeAlias = "Callable[[], Awaitable[str]]"


def make(
    settings: ModelSettings, model: str, choose: Choose | None = None, adapter: Name | None = None
) -> Local:
    """Make the generator of a model; the model itself is loaded on a thread meanwhile.

    Args:
        choose: which adapter answers a turn; None for the bare model.
        adapter: tells which one does now, for people.

    Raises:
        GenerationError: it can be known now that the model cannot be used.
    """
    folder = weights.locate(model)
    chat = Chat(folder, settings.chat_template, settings.thinking)
    return Local(settings, chat, sharing.acquire(folder, settings), choose, adapter)


class Local:
    """Answers with a model on this machine."""

    def __init__(
        self,
        settings: ModelSettings,
        chat: Chat,
        shared: Shared,
        choose: Choose | None,
        adapter: Name | None,
    ) -> None:
        self._settings = settings
        self._chat = chat
        self._shared = shared
        self._choose = choose
        self._adapter = adapter
        self._limit = min(shared.plan.limit, settings.context_limit or shared.plan.limit)

    @hookimpl
    async def bot_context_limit(self) -> int:
        """Tokens that the model reads and writes at once."""
        return self._limit

    @hookimpl
    async def bot_count_tokens(self, text: str) -> int:
        """Count with the model's own tokenizer."""
        return self._chat.count(text)

    @hookimpl
    async def bot_revision(self) -> str:
        """The base's files and the adapter, as they are now."""
        base = f"base {(await in_thread(self._shared.identity))[:8]}"
        return f"{base} with {await self._adapter()}" if self._adapter else base

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:
        """Stream the answer."""
        tokens = self._chat.tokens(prompt.messages)
        room = self._limit - len(tokens)
        if room < _LEAST:
            raise GenerationError(
                f"The prompt has {len(tokens)} tokens and the model reads and writes "
                f"{self._limit}; lower the assistant's `k`, or choose a model that reads more."
            )
        engine = (await self._current()).engine
        await in_thread(engine.ready.wait)
        choice = await self._choose(turn, self._shared) if self._choose else Choice()
        if choice.notice:
            yield Delta(notice=choice.notice)
        text = Text(
            self._chat.tokenizer, self._settings.stop, self._chat.opens_thinking(tokens)
        )  # fmt: skip
        events: asyncio.Queue[Event] = asyncio.Queue()
        request = self._request(turn, tokens, room, choice.adapter, events)
        if not engine.submit(request):
            yield Delta(text=BUSY, refusal=True)
            return
        try:
            async for delta in _deltas(events, text, request):
                yield delta
        finally:
            request.cancelled = True

    @hookimpl
    async def bot_likelihoods(
        self, turn: Turn, pairs: Sequence[tuple[str, str]]
    ) -> list[Likelihood]:
        """Tell how likely the model, with the turn's adapter, goes on with texts."""
        from bot_transformers import likelihood

        rows = [self._chat.pair(before, after) for before, after in pairs]
        engine = (await self._current()).engine
        await in_thread(engine.ready.wait)
        choice = await self._choose(turn, self._shared) if self._choose else Choice()
        if choice.notice:  # the bare model's figures would pass for the adapter's
            raise GenerationError(choice.notice)
        done = engine.call(
            lambda model, mixer: likelihood.of(model, mixer, rows, choice.adapter, self._limit)
        )
        return list(await asyncio.wrap_future(done))

    async def aclose(self) -> None:
        """Let go of the model; the last generator that uses it unloads it."""
        await in_thread(sharing.release, shared=self._shared)

    async def _current(self) -> Shared:
        """The base; one that could not be loaded is tried again, as its files may be mended."""
        if self._shared.engine.failed:
            await self.aclose()
            folder = self._shared.plan.folder
            self._shared = sharing.acquire(folder, self._settings)
        return self._shared

    def _request(
        self,
        turn: Turn,
        tokens: list[int],
        room: int,
        adapter: Adapter | None,
        events: asyncio.Queue[Event],
    ) -> Request:
        from bot_transformers.sampling import Sampler

        settings = self._settings
        return Request(
            tokens=tokens,
            limit=min(settings.max_tokens, room),
            ends=self._chat.ends(getattr(self._shared.engine.model, "generation_config", None)),
            sampler=Sampler(settings.temperature, settings.top_p, settings.seed),
            tell=_teller(events),
            adapter=adapter,
            group=f"{turn.conversation.channel} {turn.conversation.key}",
        )


def _teller(events: asyncio.Queue[Event]) -> Callable[[Event], None]:
    """Hand events from the inference thread to the turn's loop, which may be gone."""
    loop = asyncio.get_running_loop()

    def tell(event: Event) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(events.put_nowait, event)

    return tell


async def _deltas(
    events: asyncio.Queue[Event], text: Text, request: Request
) -> AsyncIterator[Delta]:
    written = told = 0
    while True:
        event = await events.get()
        if isinstance(event, Exception):
            raise event
        if isinstance(event, int):
            written += 1
            said, thought = text.feed(event)
        else:
            said, thought = text.end()
        if said or thought:
            logprobs = request.logprobs[told:written] if said else ()
            told = written
            yield Delta(text=said, reasoning=thought, logprobs=tuple(logprobs))
        if isinstance(event, End) or text.stopped:
            usage = Usage(input_tokens=len(request.tokens), output_tokens=written)
            yield Delta(usage=usage, notice=_cut(event))
            return


def _cut(event: Event) -> str:
    if isinstance(event, End) and event.cut:
        return "The answer was cut at its limit; `max_tokens` allows for more."
    return ""


def folder_key(folder: Path) -> str:
    """Name an adapter's folder as it is now: what is saved over it is another adapter."""
    files = [folder / "adapter_config.json", folder / "adapter_model.safetensors"]
    stamps: list[Any] = []
    for file in files:
        with suppress(OSError):
            about = file.stat()
            stamps.append((about.st_mtime_ns, about.st_size))
    return f"{folder} {stamps}"
