"""Asking one generator, and ending it when it is stuck, silent, endless or broken."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot import Delta, Turn
from bot.dispatch import describe
from bot.errors import HookFailed, MayNotReceive, OverBudget
from bot.turn import Prompt
from bot_router import signals

if TYPE_CHECKING:
    from bot.asking import Generator

log = logging.getLogger(__name__)

ALIVE = 1.0  # seconds of silence after which the core is told that somebody still writes
FAILURES = 3  # in a row, until it is left alone
REST = 60.0  # seconds
CLOSING = 2.0  # seconds that a generator may take to stop

Ask = Callable[[str], Awaitable["Generator"]]


class Failed(Exception):
    """A generator did not bring its answer to an end.

    Attributes:
        cause: why, in one word: `failed`, `slow`, `resting`, `limit` or `withheld`.
        told: why, for the person who asked, after the generator's name.
    """

    def __init__(self, name: str, cause: str, told: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.cause = cause
        self.told = told


class Rest:
    """Leaves a generator alone that fails again and again, so that nobody waits for it."""

    def __init__(self) -> None:
        self._failures = 0
        self._since = 0.0

    def check(self, name: str) -> None:
        """Raise when it is to be left alone.

        Raises:
            Failed: it has failed `FAILURES` times in a row, less than `REST` seconds ago.
        """
        if self._failures >= FAILURES and time.monotonic() < self._since + REST:
            told = "has failed several times and is left alone for a minute"
            raise Failed(name, "resting", told, told)

    def worked(self) -> None:
        """It has answered."""
        self._failures = 0

    def failed(self, failed: Failed) -> None:
        """It has not; what was declined is no failure."""
        if failed.cause in ("failed", "slow"):
            self._failures += 1
            self._since = time.monotonic()


@dataclass(slots=True)
class Leg:
    """One generator's part of a turn, while it comes.

    Attributes:
        text: what it has said.
        logprobs: of its tokens, as far as it tells them.
        refused: it has called its answer a refusal.
    """

    name: str
    patience: float | None
    longest: int
    logprobs: list[float] = field(default_factory=list)
    refused: bool = False
    _said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self._said)

    async def deltas(self, ask: Ask, turn: Turn, prompt: Prompt) -> AsyncGenerator[Delta]:
        """Stream its answer; whether it refuses is kept, and not passed on.

        Raises:
            Failed: it cannot be made, raises, says nothing, or makes people wait too long.
        """
        length = 0
        stream = _opened(self.name, ask, turn, prompt)
        try:
            async with aclosing(_alive(stream, self.patience)) as deltas:
                async for delta in deltas:
                    length += len(delta.text) + len(delta.reasoning)
                    self._said.append(delta.text)
                    self.logprobs += delta.logprobs
                    self.refused = self.refused or delta.refusal
                    yield replace(delta, refusal=False)
                    if length > self.longest:
                        yield Delta(notice=f"The answer was cut after {length} characters.")
                        break
        except Exception as error:
            raise self._failed(error) from error
        if not signals.bare(self.text):
            raise Failed(self.name, "failed", "gave no answer", "it gave no text")

    def _failed(self, error: Exception) -> Failed:
        if isinstance(error, TimeoutError):
            reason = f"it said nothing for {self.patience:g} s"
            failed = Failed(self.name, "slow", "took too long", reason)
        else:
            found = _cause(error)
            failed = Failed(self.name, *_reason(found), describe(found))
        log.warning("%s", failed)
        return failed


async def _opened(name: str, ask: Ask, turn: Turn, prompt: Prompt) -> AsyncGenerator[Delta]:
    generator = await ask(name)
    async with aclosing(generator.deltas(turn, prompt)) as deltas:
        async for delta in deltas:
            yield delta


async def _alive(stream: AsyncGenerator[Delta], patience: float | None) -> AsyncGenerator[Delta]:
    """Pass a stream on, and an empty delta whenever it is silent: the core waits for this one too.

    Raises:
        TimeoutError: there was nothing new for `patience` seconds.
    """
    loop = asyncio.get_running_loop()
    since = loop.time()
    waiting = asyncio.ensure_future(anext(stream, None))
    try:
        while True:
            left = ALIVE if patience is None else min(ALIVE, since + patience - loop.time())
            if left <= 0:
                raise TimeoutError
            await asyncio.wait({waiting}, timeout=left)
            if not waiting.done():
                yield Delta()
                continue
            if (delta := waiting.result()) is None:
                return
            if delta.text or delta.reasoning:
                since = loop.time()
            yield delta
            waiting = asyncio.ensure_future(anext(stream, None))
    finally:
        waiting.cancel()
        await asyncio.wait({waiting}, timeout=CLOSING)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        await stream.aclose()


def _reason(error: BaseException) -> tuple[str, str]:
    if isinstance(error, MayNotReceive):
        return "withheld", "may not receive these sources"
    if isinstance(error, OverBudget):
        return "limit", "is over its limit"
    return "failed", "did not work"


def _cause(error: Exception) -> BaseException:
    """What a component has raised itself, where the core has only passed it on."""
    return error.__cause__ if isinstance(error, HookFailed) and error.__cause__ else error
